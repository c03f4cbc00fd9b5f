//! The way of packets that are not plain multicast.
//!
//! They go over the same meshes, event routers and chip links as plain ones and take
//! their part of them; only the engine of a router is one for each of multicast,
//! core-to-core and nearest-neighbour packets. Direct packets go over the mesh alone.
//!
//! A core-to-core packet goes to its chip by a shortest way over the links that the
//! machine has; where several links bring it closer, the target says which it takes. A
//! nearest-neighbour packet crosses the link that its sender names. Memory packets name
//! an address of the own chip, so they never leave it (see `remote`).

use super::{Chips, NOBODY, TRANSIT_LIMIT, slot};
use crate::links;
use crate::mmio::comms::Arrival;
use crate::mmio::packet::{Coming, Kind, Sent, Way};
use crate::noc::{Engine, FRACTION, Place, units};
use crate::pe::Pe;
use crate::remote::Mesh;
use ir::Target;
use ir::geometry::{ChipCoord, PeCoord};
use std::collections::{BTreeMap, VecDeque};

/// Packets on their way to one PE beyond which those that have arrived are queued, or
/// lost, early.
const IN_FLIGHT_LIMIT: usize = 1 << 12;

/// Direct packets are numbered apart from a PE's plain ones.
const DIRECT: u64 = 1 << 63;

/// No link leads there.
const NOWHERE: u8 = u8::MAX;

/// A packet and its sender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parcel {
    pub(crate) source: u32,
    pub(crate) sent: Sent,
}

/// What a packet does next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Leave,
    /// It has come to the router of `chip` over `crossed` links.
    Pass {
        chip: u32,
        crossed: u32,
    },
}

/// Time in fractions of a unit, sender, its number there, and a number of its own.
type Key = (u64, u32, u64, u64);

/// Packets that are under way, and what their ways take.
#[derive(Clone, Debug)]
pub(crate) struct Parcels {
    waiting: BTreeMap<Key, (Parcel, Step)>,
    number: u64,
    mesh: Mesh,
    /// Frames of a packet, by words of its payload.
    frames: [u64; 5],
    /// Of several links that bring a packet closer the last is taken, not the first.
    last_link: bool,
    /// By chip that packets are for: the link that they take at each chip.
    ways: BTreeMap<u32, Box<[u8]>>,
}

impl Parcels {
    pub(super) fn new(target: &Target) -> Self {
        Self {
            waiting: BTreeMap::new(),
            number: 0,
            mesh: Mesh::new(target),
            frames: [0, 32, 64, 96, 128].map(|bits| links::frames(target, bits)),
            last_link: target.packet.core_links != 0,
            ways: BTreeMap::new(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// When the first of them moves, in fractions of a unit.
    #[inline]
    pub(super) fn first(&self) -> u64 {
        let first = self.waiting.first_key_value();
        first.map_or(u64::MAX, |(key, _)| key.0)
    }

    /// Units that any way takes at least which does not begin at a PE's router.
    pub(super) fn least(&self) -> u64 {
        self.mesh.entry()
    }

    fn add(&mut self, time: u64, parcel: Parcel, step: Step) {
        self.number += 1;
        let key = (time, parcel.source, parcel.sent.sequence, self.number);
        self.waiting.insert(key, (parcel, step));
    }
}

fn engine(kind: Kind) -> Engine {
    match kind {
        Kind::CoreToCore => Engine::Core,
        Kind::Neighbour => Engine::Neighbour,
        Kind::Multicast | Kind::Memory | Kind::Direct => Engine::Multicast,
    }
}

impl Chips {
    /// Takes over what PEs have sent.
    pub(crate) fn post(&mut self, parcels: &mut Vec<Parcel>) {
        for parcel in parcels.drain(..) {
            // Past the router, the way is that of data: with both ends.
            let entry = match parcel.sent.way {
                Way::Direct { .. } => self.parcels.mesh.entry(),
                _ => 0,
            };
            let time = parcel.sent.time.saturating_add(entry);
            let time = time.saturating_mul(FRACTION);
            self.parcels.add(time, parcel, Step::Leave);
        }
    }

    /// Moves the packet that is first.
    pub(super) fn move_parcel(&mut self, pes: &mut [Pe]) {
        let Some((key, (parcel, step))) = self.parcels.waiting.pop_first() else {
            return;
        };
        let time = key.0;
        match step {
            Step::Pass { chip, crossed } => self.pass(pes, time, (chip, crossed), parcel),
            Step::Leave => {
                let Some(&(index, place)) = self.homes.get(parcel.source as usize) else {
                    return;
                };
                self.counts.packets += 1;
                if let Way::Direct { x, y, mask } = parcel.sent.way {
                    return self.bypass(pes, time, (x, y, mask), parcel);
                }
                let Some(chip) = self.chips.get_mut(index as usize) else {
                    return;
                };
                let counts = &mut self.counts;
                let time = chip.traffic.to_router(&self.mesh, place, time, counts);
                self.pass(pes, time, (index, 0), parcel);
            }
        }
    }

    /// Over the mesh to PEs of one QPE, past the router.
    fn bypass(&mut self, pes: &mut [Pe], time: u64, (x, y, mask): (u8, u8, u8), parcel: Parcel) {
        let Some(&(chip, from)) = self.homes.get(parcel.source as usize) else {
            return;
        };
        let to = y * 8 + x;
        let entry = self.parcels.mesh.entry() * FRACTION;
        let there = self.between(chip, (from, to), time);
        let at = units(there + entry);
        for p in (0..4).filter(|p| mask >> (3 - p) & 1 != 0) {
            self.hand_over(pes, (chip, to, p), at, parcel);
        }
    }

    /// Through the router of a chip, and on.
    fn pass(&mut self, pes: &mut [Pe], time: u64, (index, crossed): (u32, u32), parcel: Parcel) {
        let Some(chip) = self.chips.get_mut(index as usize) else {
            return;
        };
        let here = chip.coord;
        let engine = engine(parcel.sent.kind);
        let out = chip.traffic.route(engine, time, &mut self.counts);
        match parcel.sent.way {
            Way::Routed => {
                let Some(exit) = chip.router.route(parcel.sent.key).cloned() else {
                    self.counts.unmatched += 1;
                    self.count_unmatched(parcel.sent.key);
                    return lose(pes, parcel);
                };
                for (place, set) in exit.qpes {
                    let at = self.away(index, place, out);
                    for p in (0..4).filter(|p| set >> p & 1 != 0) {
                        // As with plain packets, a table may name PEs without a program.
                        if self.index_of((index, place, p)).is_some() {
                            self.hand_over(pes, (index, place, p), at, parcel);
                        }
                    }
                }
                for link in (0..6).filter(|link| exit.links >> link & 1 != 0) {
                    self.cross(pes, (index, crossed), link, out, parcel);
                }
            }
            Way::Core(to) if to.chip == here => self.arrive(pes, index, to.pe, out, parcel),
            Way::Core(to) => match self.link_towards(index, to.chip) {
                Some(link) => self.cross(pes, (index, crossed), link, out, parcel),
                None => lose(pes, parcel),
            },
            Way::Link { link, .. } if crossed == 0 => {
                self.cross(pes, (index, 0), link.into(), out, parcel);
            }
            Way::Link { pe, .. } => self.arrive(pes, index, pe, out, parcel),
            // These do not come here.
            Way::Direct { .. } => {}
        }
    }

    /// From the router to one PE.
    fn arrive(&mut self, pes: &mut [Pe], chip: u32, pe: PeCoord, out: u64, parcel: Parcel) {
        let place = crate::noc::place_of(pe);
        if self.index_of((chip, place, pe.p())).is_none() {
            return lose(pes, parcel);
        }
        let at = self.away(chip, place, out);
        self.hand_over(pes, (chip, place, pe.p()), at, parcel);
    }

    /// From the router to a QPE: when, in units.
    fn away(&mut self, chip: u32, place: Place, out: u64) -> u64 {
        let Some(chip) = self.chips.get_mut(chip as usize) else {
            return units(out);
        };
        let counts = &mut self.counts;
        let traffic = &mut chip.traffic;
        units(traffic.away_from_router(&self.mesh, place, out, counts))
    }

    fn cross(
        &mut self,
        pes: &mut [Pe],
        (index, crossed): (u32, u32),
        link: usize,
        out: u64,
        parcel: Parcel,
    ) {
        let most = 2 * self.chips.len() as u32;
        let chip = self.chips.get_mut(index as usize);
        let Some(link) = chip.and_then(|chip| chip.links.get_mut(link)?.as_mut()) else {
            self.counts.link_dead += 1;
            return lose(pes, parcel);
        };
        if crossed >= most || self.parcels.waiting.len() >= TRANSIT_LIMIT {
            self.counts.link_circling += 1;
            return lose(pes, parcel);
        }
        let frames = self.parcels.frames[parcel.sent.payload.words().len().min(4)];
        let (time, wait) = link.send(out, frames);
        if link.is_broken() {
            self.counts.link_broken += 1;
            return lose(pes, parcel);
        }
        let chip = link.to;
        self.counts.link_packets += 1;
        self.counts.link_frames += frames;
        self.counts.link_waited += u64::from(wait > 0);
        self.counts.link_wait += wait;
        let crossed = crossed + 1;
        self.parcels.add(time, parcel, Step::Pass { chip, crossed });
    }

    /// The link that core-to-core packets for chip `to` take at a chip.
    fn link_towards(&mut self, index: u32, to: ChipCoord) -> Option<usize> {
        let to = self.chips.binary_search_by_key(&to, |c| c.coord).ok()? as u32;
        if !self.parcels.ways.contains_key(&to) {
            let ways = self.ways_to(to);
            self.parcels.ways.insert(to, ways);
        }
        let ways = self.parcels.ways.get(&to)?;
        let link = ways.get(index as usize).copied()?;
        (link != NOWHERE).then_some(link.into())
    }

    fn ways_to(&self, to: u32) -> Box<[u8]> {
        let next = |chip: u32| {
            let links = self.chips.get(chip as usize).map(|c| &c.links);
            let links = links.into_iter().flatten().zip(0_u8..);
            links.filter_map(|(link, bit)| Some((link.as_ref()?.to, bit)))
        };
        // A link that is there leads in both directions.
        let mut steps = vec![u32::MAX; self.chips.len()];
        let mut open = VecDeque::from([to]);
        if let Some(first) = steps.get_mut(to as usize) {
            *first = 0;
        }
        while let Some(at) = open.pop_front() {
            let further = steps.get(at as usize).map_or(u32::MAX, |s| s + 1);
            for (chip, _) in next(at) {
                if let Some(s) = steps.get_mut(chip as usize)
                    && *s == u32::MAX
                {
                    *s = further;
                    open.push_back(chip);
                }
            }
        }
        let far = |chip: u32| steps.get(chip as usize).copied().unwrap_or(u32::MAX);
        let way = |chip: u32| {
            let closer = |&(beyond, _): &(u32, u8)| far(beyond) < far(chip);
            let mut links = next(chip).filter(closer).map(|(_, bit)| bit);
            let link = if self.parcels.last_link {
                links.last()
            } else {
                links.next()
            };
            link.unwrap_or(NOWHERE)
        };
        (0..self.chips.len() as u32).map(way).collect()
    }

    /// The machine's index of a PE.
    fn index_of(&self, (chip, place, p): (u32, Place, u8)) -> Option<usize> {
        let chip = self.chips.get(chip as usize)?;
        let index = chip.pe_at.get(slot(place, p)).copied()?;
        (index != NOBODY).then_some(index as usize)
    }

    fn hand_over(&self, pes: &mut [Pe], to: (u32, Place, u8), at: u64, parcel: Parcel) {
        let Parcel { source, sent } = parcel;
        let Some(pe) = self.index_of(to).and_then(|index| pes.get_mut(index)) else {
            return lose(pes, parcel);
        };
        if sent.kind == Kind::Direct {
            // To the receiver it is a multicast packet as any other.
            pe.expect(Arrival {
                cycle: at,
                source,
                sequence: DIRECT | sent.sequence,
                key: sent.key,
                payload: sent.payload.words().first().copied(),
            });
            if pe.in_flight() >= IN_FLIGHT_LIMIT {
                pe.receive_until(sent.time);
            }
            return;
        }
        pe.expect_parcel(Coming {
            time: at,
            source,
            sequence: sent.sequence,
            kind: sent.kind,
            key: sent.key,
            payload: sent.payload,
        });
        if pe.parcels_in_flight() >= IN_FLIGHT_LIMIT {
            pe.receive_until(sent.time);
        }
    }
}

/// Counts a packet that reaches nobody, at its sender.
fn lose(pes: &mut [Pe], parcel: Parcel) {
    if let Some(pe) = pes.get_mut(parcel.source as usize) {
        pe.lose_parcel();
    }
}
