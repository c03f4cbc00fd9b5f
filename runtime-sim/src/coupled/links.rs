//! Requests between PEs that are under way, and whom they hold up.

use super::access::Answer;
use crate::chip::{Chips, Moved, Movement};
use crate::dram::{Dram, DramStats};
use crate::noc::{self, FRACTION};
use crate::pe::Pe;
use crate::remote::{Completion, Kind, Mesh, Place, Request, lookahead};
use ir::Target;
use ir::geometry::{ChipCoord, GlobalPe};
use ir::image::Coupling;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Order of requests: time, PE, number.
type Key = (u64, usize, u64);

/// A request that has not been carried out.
#[derive(Clone, Debug)]
struct Pending {
    request: Request,
    /// Its flits are not through: it happens then, or later.
    under_way: bool,
}

/// An answer whose flits are not through.
#[derive(Clone, Debug)]
struct Awaited {
    asker: usize,
    completion: Completion,
    /// The asking PE knows then, or later.
    earliest: u64,
}

/// What is between PEs: requests on their way, and DRAM.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    lookahead: u64,
    pub(super) places: Arc<BTreeMap<GlobalPe, usize>>,
    pub(super) sram_bytes: u32,
    pub(super) mesh: Mesh,
    pending: BTreeMap<Key, Pending>,
    /// Those of `pending` that are under way, by number.
    requests: BTreeMap<u64, Key>,
    /// By number of their request.
    answers: BTreeMap<u64, Awaited>,
    /// Their earliest times and numbers.
    expected: BTreeSet<(u64, u64)>,
    /// By PE: the times of what is under way and concerns it.
    caps: Vec<Vec<u64>>,
    sequence: u64,
    /// Nothing is carried out for an earlier time any more.
    done: u64,
    pub(super) drams: BTreeMap<ChipCoord, Dram>,
    /// Locks that are taken.
    pub(super) locks: BTreeSet<(ChipCoord, u32)>,
    /// What the PEs of a QPE share, where it was written, by chip and place.
    shared: BTreeMap<(ChipCoord, noc::Place), u32>,
    /// Where it was not.
    share_reset: u32,
    /// Place of the first interface of a DRAM, and bytes of each.
    port: noc::Place,
    interface_bytes: u32,
}

impl Links {
    /// The links of a machine with these PEs; `None` if its program declares none.
    pub(crate) fn new(
        target: &Target,
        coupling: Coupling,
        places: &BTreeMap<GlobalPe, usize>,
    ) -> Option<Box<Links>> {
        if coupling == Coupling::None {
            return None;
        }
        let chips: BTreeSet<ChipCoord> = places.keys().map(|place| place.chip).collect();
        let dram = &target.dram;
        Some(Box::new(Links {
            lookahead: lookahead(target, coupling),
            places: Arc::new(places.clone()),
            sram_bytes: target.memory.sram_bytes,
            mesh: Mesh::new(target),
            pending: BTreeMap::new(),
            requests: BTreeMap::new(),
            answers: BTreeMap::new(),
            expected: BTreeSet::new(),
            caps: vec![Vec::new(); places.len()],
            sequence: 0,
            done: 0,
            drams: chips.into_iter().map(|c| (c, Dram::new(target))).collect(),
            locks: BTreeSet::new(),
            shared: BTreeMap::new(),
            share_reset: target.ipi.share_reset,
            // Both are on the grid: the target file was checked.
            port: (dram.port_y * 8 + dram.port_x) as noc::Place,
            interface_bytes: dram.bytes / dram.interfaces,
        }))
    }

    pub(super) fn lookahead(&self) -> u64 {
        self.lookahead
    }

    /// What the DRAM of each chip did since the last call.
    pub(crate) fn take_stats(&mut self) -> BTreeMap<ChipCoord, DramStats> {
        let all = self.drams.iter_mut();
        all.map(|(chip, dram)| (*chip, dram.take_stats())).collect()
    }

    /// The PE besides the asking one that a request concerns.
    fn other(&self, request: &Request) -> Option<usize> {
        let pe = match &request.kind {
            Kind::Read { from: place, .. } | Kind::Write { to: place, .. } => match place {
                Place::Sram { pe, .. } | Place::Window { pe, .. } => pe,
                Place::Dram { .. } | Place::Lock { .. } | Place::Share => return None,
            },
            Kind::Interrupt { pe, .. } => pe,
        };
        self.places.get(pe).copied()
    }

    /// What the PEs of a QPE share in its window.
    pub(super) fn shared(&self, pe: GlobalPe) -> u32 {
        let qpe = (pe.chip, noc::place_of(pe.pe));
        self.shared.get(&qpe).copied().unwrap_or(self.share_reset)
    }

    /// From now on the PEs of the QPE of `pe` share something else.
    pub(super) fn share(&mut self, pe: GlobalPe, value: u32) {
        let qpe = (pe.chip, noc::place_of(pe.pe));
        self.shared.insert(qpe, value);
    }

    /// Where memory is on the mesh.
    pub(super) fn spot(&self, place: Place) -> Option<noc::Place> {
        match place {
            Place::Sram { pe, .. } | Place::Window { pe, .. } => Some(noc::place_of(pe.pe)),
            Place::Dram { offset } => {
                let interface = offset / self.interface_bytes.max(1);
                Some(self.port + 8 * interface as noc::Place)
            }
            Place::Lock { .. } | Place::Share => None,
        }
    }

    /// The flits of a request; `None` if it does not go over the mesh.
    fn flits(&self, (asker, from): (usize, GlobalPe), request: &Request) -> Option<Movement> {
        if request.over == 0 {
            return None;
        }
        let (to, flits, moving) = match &request.kind {
            Kind::Read { from: place, .. } => (self.spot(*place)?, 1, 0),
            Kind::Interrupt { pe, .. } => (noc::place_of(pe.pe), 1, 0),
            Kind::Write { to, bytes } => match to {
                Place::Sram { .. } | Place::Window { .. } => {
                    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                    let moving = self.mesh.moving(len);
                    (self.spot(*to)?, self.mesh.flits(len), moving)
                }
                // The others follow when DRAM takes them: see `carry_out`.
                _ => (self.spot(*to)?, 1, 0),
            },
        };
        Some(Movement {
            asker: asker as u32,
            number: self.sequence,
            from: noc::place_of(from.pe),
            to,
            flits,
            begin: request.at.saturating_sub(request.over) * FRACTION,
            span: moving * FRACTION,
        })
    }

    /// Takes over what a PE has asked for.
    pub(super) fn add(
        &mut self,
        chips: &mut Chips,
        (asker, from): (usize, GlobalPe),
        mut request: Request,
    ) {
        request.at = request.at.max(self.done);
        self.hold(asker, &request, request.at);
        let key = (request.at, asker, self.sequence);
        let movement = self.flits((asker, from), &request);
        if let Some(movement) = movement {
            self.requests.insert(self.sequence, key);
            chips.add_data(movement);
        }
        let under_way = movement.is_some();
        self.pending.insert(key, Pending { request, under_way });
        self.sequence += 1;
    }

    /// Those whom a request concerns must not pass `at`.
    fn hold(&mut self, asker: usize, request: &Request, at: u64) {
        let other = self.other(request).filter(|&o| o != asker);
        for pe in [Some(asker), other] {
            if let Some(caps) = pe.and_then(|pe| self.caps.get_mut(pe)) {
                caps.push(at);
            }
        }
    }

    fn release(&mut self, asker: usize, request: &Request, at: u64) {
        let other = self.other(request).filter(|&o| o != asker);
        for pe in [Some(asker), other].into_iter().flatten() {
            self.uncap(pe, at);
        }
    }

    fn uncap(&mut self, pe: usize, at: u64) {
        if let Some(caps) = self.caps.get_mut(pe)
            && let Some(place) = caps.iter().position(|&t| t == at)
        {
            caps.swap_remove(place);
        }
    }

    /// Flits of a request or an answer are through. Gives the PE that knows its answer
    /// now.
    pub(super) fn moved(&mut self, pes: &mut [Pe], moved: Moved) -> Option<usize> {
        let Moved { number, wait } = moved;
        if let Some(key) = self.requests.remove(&number) {
            let (at, asker, _) = key;
            let mut pending = self.pending.remove(&key)?;
            self.release(asker, &pending.request, at);
            pending.under_way = false;
            pending.request.at = at.saturating_add(wait);
            let at = pending.request.at;
            self.hold(asker, &pending.request, at);
            self.pending.insert((at, asker, number), pending);
            return None;
        }
        let awaited = self.answers.remove(&number)?;
        self.expected.remove(&(awaited.earliest, number));
        self.uncap(awaited.asker, awaited.earliest);
        let mut completion = awaited.completion;
        completion.at = completion.at.saturating_add(wait);
        pes.get_mut(awaited.asker)?.complete(completion);
        Some(awaited.asker)
    }

    /// An answer sets out on the mesh.
    pub(super) fn answer(&mut self, chips: &mut Chips, asker: usize, answer: Answer) {
        let Answer {
            completion,
            movement,
            earliest,
        } = answer;
        let number = movement.number;
        self.expected.insert((earliest, number));
        if let Some(caps) = self.caps.get_mut(asker) {
            caps.push(earliest);
        }
        chips.add_data(movement);
        let awaited = Awaited {
            asker,
            completion,
            earliest,
        };
        self.answers.insert(number, awaited);
    }

    /// The time that PE `index` must not pass.
    pub(super) fn cap(&self, index: usize) -> u64 {
        let caps = self.caps.get(index).into_iter().flatten();
        caps.copied().min().unwrap_or(u64::MAX)
    }

    /// No request happens before this time.
    pub(super) fn first_request(&self) -> u64 {
        let first = self.pending.first_key_value();
        first.map_or(u64::MAX, |(key, _)| key.0)
    }

    /// No PE is answered before this time, as far as requests have been carried out.
    pub(super) fn first_answer(&self) -> u64 {
        self.expected.first().map_or(u64::MAX, |&(time, _)| time)
    }

    /// Nothing that is under way reaches a PE before this time.
    pub(super) fn earliest(&self) -> u64 {
        self.first_request().min(self.first_answer())
    }

    /// The first request with its number and PE, if it can be carried out: no PE acts
    /// before `floor`, and PE i not before `when[i]`, if it will act at all.
    pub(super) fn ready(
        &mut self,
        floor: u64,
        when: &[Option<u64>],
        end: u64,
    ) -> Option<(u64, usize, Request)> {
        let (&key, pending) = self.pending.first_key_value()?;
        if pending.under_way {
            return None;
        }
        let (at, asker, number) = key;
        let other = self.other(&pending.request);
        let reached = |pe: usize| when.get(pe).copied().flatten().is_none_or(|t| t >= at);
        let settled = floor == u64::MAX || at < floor.saturating_add(self.lookahead);
        // When nobody acts any more, what is due after the run waits for the next one.
        let over = floor == u64::MAX && at >= end;
        if over || !settled || !reached(asker) || !other.is_none_or(reached) {
            return None;
        }
        let Pending { request, .. } = self.pending.remove(&key)?;
        self.release(asker, &request, at);
        self.done = at;
        Some((number, asker, request))
    }
}
