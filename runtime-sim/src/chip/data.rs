//! Flits of memory accesses on the meshes: requests, what they carry, and answers.
//!
//! A DMA transfer, an operand of a MAC array, a load of a core or a memory packet is a
//! number of flits that follow each other, each from the same QPE to the same other one.
//! Flits take links and ports one by one, in the order of (time, asking PE, number of the
//! access) and between packets, so that flows which share a link take turns. As with
//! packets, queues have no end: a flit enters the mesh when it would on an empty one.

use super::Chips;
use crate::noc::{FRACTION, Mesh, Place};
use std::collections::BTreeMap;

/// Flits from QPE to QPE of a chip.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Movement {
    /// Index of the PE that asked for it.
    pub(crate) asker: u32,
    pub(crate) number: u64,
    pub(crate) from: Place,
    pub(crate) to: Place,
    pub(crate) flits: u64,
    /// When the first of them enters the mesh, and for how long they do, evenly, in
    /// fractions of a unit.
    pub(crate) begin: u64,
    pub(crate) span: u64,
}

impl Movement {
    /// When flit `n` enters the mesh.
    fn time(&self, n: u64) -> u64 {
        let past = u128::from(self.span) * u128::from(n) / u128::from(self.flits.max(1));
        self.begin.saturating_add(past as u64)
    }

    /// When the last flit enters the mesh.
    pub(crate) fn last(&self) -> u64 {
        self.time(self.flits.saturating_sub(1))
    }
}

/// All flits of a movement are through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    pub(crate) number: u64,
    /// Units by which the last of them is later than on an empty mesh.
    pub(crate) wait: u64,
}

/// Time of the next flit, PE, number of the access.
type Key = (u64, u32, u64);

/// Flits that have not entered the meshes yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Data {
    /// And how many of each have.
    waiting: BTreeMap<Key, (Movement, u64)>,
    moved: Vec<Moved>,
    /// Links of a mesh between two places.
    paths: BTreeMap<(Place, Place), Box<[u16]>>,
}

impl Data {
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.moved.clear();
    }

    /// When the first of them moves, in fractions of a unit.
    #[inline]
    pub(super) fn first(&self) -> u64 {
        let first = self.waiting.first_key_value();
        first.map_or(u64::MAX, |(key, _)| key.0)
    }

    /// Links of `mesh` from one place to another.
    fn path(&mut self, mesh: &Mesh, from: Place, to: Place) -> &[u16] {
        let path = self.paths.entry((from, to));
        path.or_insert_with(|| mesh.path(from, to).unwrap_or_default().into())
    }

    fn add(&mut self, movement: Movement, through: u64) {
        let time = movement.time(through);
        let key = (time, movement.asker, movement.number);
        self.waiting.insert(key, (movement, through));
    }
}

impl Chips {
    /// Takes over flits, one or more.
    pub(crate) fn add_data(&mut self, movement: Movement) {
        self.data.add(movement, 0);
    }

    /// What is through since the last call.
    pub(crate) fn take_moved(&mut self) -> Vec<Moved> {
        std::mem::take(&mut self.data.moved)
    }

    /// Moves flits that enter the mesh before `end`, in fractions of a unit.
    pub(super) fn move_data(&mut self, end: u64) {
        while self.data.first() < end {
            let Some((mut key, (movement, mut through))) = self.data.waiting.pop_first() else {
                return;
            };
            let next = self.data.waiting.first_key_value();
            let next = next.map_or((u64::MAX, u32::MAX, u64::MAX), |(key, _)| *key);
            // Flits in a row need not go back to the others.
            while key.0 < end && key < next && through < movement.flits {
                let wait = self.move_flit(&movement, key.0);
                through += 1;
                key.0 = movement.time(through);
                if through == movement.flits {
                    let wait = wait.div_ceil(FRACTION);
                    let number = movement.number;
                    self.data.moved.push(Moved { number, wait });
                }
            }
            if through < movement.flits {
                self.data.add(movement, through);
            }
        }
    }

    /// One flit at `time`: for how long it waits.
    fn move_flit(&mut self, movement: &Movement, time: u64) -> u64 {
        let &Movement { from, to, .. } = movement;
        let Some(&(chip, _)) = self.homes.get(movement.asker as usize) else {
            return 0;
        };
        let path = self.data.path(&self.mesh, from, to);
        self.chips.get_mut(chip as usize).map_or(0, |chip| {
            let way = (path, from, to);
            chip.traffic.data(way, time, &mut self.counts)
        })
    }

    /// Moves a packet from QPE to QPE, past the router: when it has left the mesh.
    pub(super) fn between(&mut self, chip: u32, (from, to): (Place, Place), time: u64) -> u64 {
        let path = self.data.path(&self.mesh, from, to);
        self.chips.get_mut(chip as usize).map_or(time, |chip| {
            let way = (path, from, to);
            chip.traffic.between(way, time, &mut self.counts)
        })
    }
}
