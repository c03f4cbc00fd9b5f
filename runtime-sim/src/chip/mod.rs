//! Chips and the way of packets between PEs.
//!
//! PEs run ahead of each other, but packets meet in the networks in the order of
//! time. So what PEs send is kept until no PE can send anything earlier, and then
//! goes its way in the order of (time, PE, number of the packet at its sender); a
//! packet that comes over a link goes before those that are sent at the same time.
//! Packets that are not plain multicast ([`parcels`]) go before both, flits of memory
//! accesses ([`data`]) after all.

mod data;
mod parcels;

pub(crate) use data::{Moved, Movement};
pub(crate) use parcels::Parcel;

use crate::coupled::Links;
use crate::links::{self, LinkTiming, Outgoing};
use crate::mmio::comms::{Arrival, Packet};
use crate::noc::{self, Engine, FRACTION, Mesh, NetworkCounts, Place, Traffic, units};
use crate::pe::Pe;
use crate::router::Router;
use data::Data;
use ir::Target;
use ir::geometry::{ChipCoord, GlobalPe};
use ir::image::ChipImage;
use ir::machine::Machine;
use ir::routing::Link;
use parcels::Parcels;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::Range;
use std::sync::Arc;

/// Different keys that are counted one by one.
const UNMATCHED_KEPT: usize = 1 << 16;

/// Packets on their way to one PE beyond which those that have arrived are moved to
/// its ring early, and further ones are lost: no ring could hold them.
const IN_FLIGHT_LIMIT: usize = 1 << 16;

/// Packets between chips beyond which further ones are lost.
const TRANSIT_LIMIT: usize = 1 << 22;

/// No PE has a program there.
const NOBODY: u32 = u32::MAX;

/// One chip.
#[derive(Clone, Debug)]
struct Chip {
    coord: ChipCoord,
    router: Router,
    traffic: Traffic,
    /// In the order of [`Link::ALL`].
    links: [Option<Outgoing>; 6],
    /// Indices of its PEs in the machine, by place and number in the QPE.
    pe_at: Arc<[u32]>,
}

/// A packet that a PE has sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Injection {
    /// Machine time.
    pub(crate) time: u64,
    pub(crate) source: u32,
    pub(crate) sequence: u64,
    pub(crate) packet: Packet,
}

impl Injection {
    fn order(&self) -> (u64, u32, u64) {
        (self.time, self.source, self.sequence)
    }
}

/// Packets that were sent and have not gone their way yet.
#[derive(Clone, Debug, Default)]
struct Injections {
    /// From `head` on.
    list: Vec<Injection>,
    head: usize,
    unsorted: bool,
    /// The earliest of them; what comes first if nothing does.
    first: Option<u64>,
}

impl Injections {
    fn first(&self) -> u64 {
        self.first.unwrap_or(u64::MAX)
    }

    fn add(&mut self, sent: &mut Vec<Injection>) {
        for injection in sent.drain(..) {
            let last = self.list.last();
            self.unsorted |= last.is_some_and(|last| last.order() > injection.order());
            let first = self.first.map_or(injection.time, |t| t.min(injection.time));
            self.first = Some(first);
            self.list.push(injection);
        }
    }

    fn sort(&mut self) {
        if self.unsorted {
            self.list.drain(..self.head);
            self.head = 0;
            // Each PE's packets are in order already: a merge sort finds the runs.
            self.list.sort_by_key(Injection::order);
            self.unsorted = false;
        }
    }

    /// The next one; the list must be sorted.
    fn pop(&mut self) -> Option<Injection> {
        let next = self.list.get(self.head).copied();
        self.head += 1;
        self.first = self.list.get(self.head).map(|i| i.time);
        if self.first.is_none() {
            self.clear();
        }
        next
    }

    fn clear(&mut self) {
        self.list.clear();
        self.head = 0;
        self.unsorted = false;
        self.first = None;
    }
}

/// A packet between two chips. The order is the order in which packets are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Transit {
    /// When it reaches the router, in fractions of a unit.
    time: u64,
    source: u32,
    sequence: u64,
    /// Index of the chip that it comes to.
    chip: u32,
    key: u32,
    payload: Option<u32>,
    /// Links that it has crossed.
    crossed: u32,
}

/// Additional time for each packet, so that packets overtake each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shuffle {
    pub(crate) seed: u64,
    /// More than any packet gets.
    pub(crate) cycles: u64,
}

impl Shuffle {
    /// What a packet gets: a hash of it, so that it does not depend on who asks first.
    fn extra(self, source: u32, sequence: u64, target: u32) -> u64 {
        let parts = [u64::from(source), sequence, u64::from(target)];
        let mix = |h: u64, part: u64| {
            let h = (h ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            h ^ h >> 29
        };
        parts.into_iter().fold(self.seed, mix) % self.cycles.max(1)
    }
}

/// The chips of a machine and what is under way between its PEs.
#[derive(Clone, Debug)]
pub(crate) struct Chips {
    chips: Vec<Chip>,
    /// Indices of the PEs of each chip.
    ranges: Arc<[Range<usize>]>,
    /// By PE index: its chip, and its place there.
    homes: Arc<[(u32, Place)]>,
    mesh: Arc<Mesh>,
    /// Frames of a packet without and with a payload.
    frames: [u64; 2],
    injections: Injections,
    transit: BinaryHeap<Reverse<Transit>>,
    pub(crate) unmatched: BTreeMap<u32, u64>,
    counts: NetworkCounts,
    /// Units that any packet takes at least, from PE to PE and from a link to a PE.
    pub(crate) lookahead: u64,
    from_link: u64,
    pub(crate) shuffle: Option<Shuffle>,
    /// Memory that PEs share, if the program says that they do.
    pub(crate) links: Option<Box<Links>>,
    /// Packets that are not plain multicast.
    parcels: Parcels,
    /// Flits of memory accesses.
    data: Data,
}

/// The smallest latency of any packet between `pes`, and from a router to one of them.
fn lookaheads(target: &Target, mesh: &Mesh, pes: &[GlobalPe]) -> (u64, u64) {
    let router = units(noc::Timing::new(target).router);
    let ways = pes.iter().map(|p| noc::alone(target, mesh, p.pe));
    let (to, from) = ways.fold((u64::MAX, u64::MAX), |(to, from), way| {
        (to.min(way.0), from.min(way.1))
    });
    if pes.is_empty() {
        return (router, router);
    }
    (router + to + from, router + from)
}

impl Chips {
    /// The chips of `images`, which ascend by coordinate; `pes` are all PEs, ascending.
    pub(crate) fn new(
        images: &[&ChipImage],
        pes: &[GlobalPe],
        machine: &Machine,
        target: &Target,
    ) -> Self {
        let mesh = Mesh::new(target);
        let index: BTreeMap<ChipCoord, u32> = images.iter().map(|c| c.chip).zip(0..).collect();
        let timing = [false, true].map(|long| LinkTiming::new(target, long));
        let mut ranges = Vec::new();
        let mut chips = Vec::new();
        for image in images {
            let from = pes.partition_point(|p| p.chip < image.chip);
            let to = pes.partition_point(|p| p.chip <= image.chip);
            let mut pe_at = vec![NOBODY; 256];
            for (index, pe) in (from..to).zip(&pes[from..to]) {
                pe_at[slot(noc::place_of(pe.pe), pe.pe.p())] = index as u32;
            }
            let link = |link| {
                // A chip without routes matches nothing, so nothing is lost silently.
                let next = machine.neighbour(image.chip, link)?;
                let long = usize::from(machine.is_long(image.chip, link));
                Some(Outgoing::new(*index.get(&next)?, timing[long]))
            };
            ranges.push(from..to);
            chips.push(Chip {
                coord: image.chip,
                router: Router::new(&image.routes),
                traffic: Traffic::new(target),
                links: Link::ALL.map(link),
                pe_at: pe_at.into(),
            });
        }
        let home = |p: &GlobalPe| {
            let chip = index.get(&p.chip).copied();
            (chip.unwrap_or(NOBODY), noc::place_of(p.pe))
        };
        let (lookahead, from_link) = lookaheads(target, &mesh, pes);
        Self {
            chips,
            ranges: ranges.into(),
            homes: pes.iter().map(home).collect(),
            mesh: Arc::new(mesh),
            frames: [0, 32].map(|bits| links::frames(target, bits)),
            injections: Injections::default(),
            transit: BinaryHeap::new(),
            unmatched: BTreeMap::new(),
            counts: NetworkCounts::default(),
            lookahead,
            from_link,
            shuffle: None,
            links: None,
            parcels: Parcels::new(target),
            data: Data::default(),
        }
    }

    /// Indices of the PEs of each chip, in order and without gaps.
    pub(crate) fn ranges(&self) -> Arc<[Range<usize>]> {
        Arc::clone(&self.ranges)
    }

    /// Forgets what is under way.
    pub(crate) fn reset(&mut self) {
        self.injections.clear();
        self.transit.clear();
        self.parcels.clear();
        self.data.clear();
        for chip in &mut self.chips {
            chip.traffic.reset();
            chip.links.iter_mut().flatten().for_each(Outgoing::reset);
        }
    }

    /// Links of the running machine stop working at these times, in both directions;
    /// all others work.
    pub(crate) fn break_links(&mut self, times: &BTreeMap<(ChipCoord, Link), u64>) {
        for chip in &mut self.chips {
            chip.links.iter_mut().flatten().for_each(Outgoing::mend);
        }
        for (&(coord, link), &time) in times {
            let end = |chips: &mut Vec<Chip>, index: usize, link: Link| {
                let bit = Link::ALL.iter().position(|&l| l == link)?;
                let link = chips.get_mut(index)?.links.get_mut(bit)?.as_mut()?;
                link.dies(time.saturating_mul(FRACTION));
                Some(link.to as usize)
            };
            let here = self.chips.binary_search_by_key(&coord, |c| c.coord);
            if let Some(beyond) = here.ok().and_then(|i| end(&mut self.chips, i, link)) {
                end(&mut self.chips, beyond, link.opposite());
            }
        }
    }

    /// Whether a link leads somewhere.
    pub(crate) fn has_link(&self, coord: ChipCoord, link: Link) -> bool {
        let bit = Link::ALL.iter().position(|&l| l == link);
        let here = self.chips.binary_search_by_key(&coord, |c| c.coord);
        let chip = here.ok().and_then(|i| self.chips.get(i));
        chip.zip(bit)
            .is_some_and(|(chip, bit)| chip.links.get(bit).is_some_and(Option::is_some))
    }

    /// Begins new counts.
    pub(crate) fn begin_run(&mut self) {
        self.unmatched.clear();
        let _ = self.take_counts();
    }

    /// What has been counted since the last call.
    pub(crate) fn take_counts(&mut self) -> NetworkCounts {
        let mut counts = std::mem::take(&mut self.counts);
        for chip in &mut self.chips {
            chip.traffic.count_waits(&mut counts);
        }
        counts.link_wait = counts.link_wait.div_ceil(FRACTION);
        counts
    }

    /// Takes over what PEs have sent.
    pub(crate) fn inject(&mut self, sent: &mut Vec<Injection>) {
        self.injections.add(sent);
    }

    /// The time before which nothing that is under way arrives at a PE.
    pub(crate) fn horizon(&self) -> u64 {
        let mut injected = self.injections.first().saturating_add(self.lookahead);
        let parcel = self.parcels.first();
        if parcel != u64::MAX {
            let least = self.from_link.min(self.parcels.least());
            injected = injected.min((parcel / FRACTION).saturating_add(least));
        }
        match self.transit.peek() {
            None => injected,
            Some(Reverse(t)) => injected.min((t.time / FRACTION).saturating_add(self.from_link)),
        }
    }

    /// Lets everything go its way that was sent, or came over a link, before `now`. No
    /// PE will send anything before `now`. False if no packet moved.
    pub(crate) fn deliver(&mut self, pes: &mut [Pe], now: u64) -> bool {
        let end = now.saturating_mul(FRACTION);
        if self.injections.first() < now {
            self.injections.sort();
        }
        let mut any = false;
        loop {
            let injected = self.injections.first();
            let arriving = match self.transit.peek() {
                Some(Reverse(t)) => t.time,
                None => u64::MAX,
            };
            let parcel = self.parcels.first();
            let packets = parcel.min(arriving).min(injected.saturating_mul(FRACTION));
            if self.data.first() < packets.min(end) {
                self.move_data(packets.min(end));
                continue;
            }
            if parcel < end && parcel <= arriving && parcel <= injected.saturating_mul(FRACTION) {
                self.move_parcel(pes);
                any = true;
                continue;
            }
            if arriving != u64::MAX && arriving <= injected.saturating_mul(FRACTION) {
                if arriving >= end {
                    return any;
                }
                if let Some(Reverse(transit)) = self.transit.pop() {
                    self.route(pes, transit);
                }
            } else if injected < now {
                if let Some(injection) = self.injections.pop() {
                    self.send(pes, &injection);
                }
            } else {
                return any;
            }
            any = true;
        }
    }

    /// From a PE to the event router of its chip, and on.
    fn send(&mut self, pes: &mut [Pe], injection: &Injection) {
        let home = self.homes.get(injection.source as usize);
        let Some(&(index, place)) = home else { return };
        let Some(chip) = self.chips.get_mut(index as usize) else {
            return;
        };
        self.counts.packets += 1;
        let sent = injection.time.saturating_mul(FRACTION);
        let time = chip
            .traffic
            .to_router(&self.mesh, place, sent, &mut self.counts);
        let transit = Transit {
            time,
            source: injection.source,
            sequence: injection.sequence,
            chip: index,
            key: injection.packet.key,
            payload: injection.packet.payload,
            crossed: 0,
        };
        self.route(pes, transit);
    }

    /// From an event router to PEs and links.
    fn route(&mut self, pes: &mut [Pe], packet: Transit) {
        let most = 2 * self.chips.len() as u32;
        let Some(chip) = self.chips.get_mut(packet.chip as usize) else {
            return;
        };
        let counts = &mut self.counts;
        let out = chip.traffic.route(Engine::Multicast, packet.time, counts);
        let Some(exit) = chip.router.route(packet.key) else {
            counts.unmatched += 1;
            self.count_unmatched(packet.key);
            return;
        };
        for &(place, set) in &exit.qpes {
            let time = chip
                .traffic
                .away_from_router(&self.mesh, place, out, counts);
            let time = units(time);
            for p in (0..4).filter(|p| set >> p & 1 != 0) {
                let index = chip.pe_at.get(slot(place, p)).copied().unwrap_or(NOBODY);
                let Some(pe) = pes.get_mut(index as usize) else {
                    continue;
                };
                let extra = self
                    .shuffle
                    .map(|s| s.extra(packet.source, packet.sequence, index));
                if pe.in_flight() >= IN_FLIGHT_LIMIT {
                    pe.receive_until(packet.time / FRACTION);
                    if pe.in_flight() >= IN_FLIGHT_LIMIT {
                        counts.lost += 1;
                        continue;
                    }
                }
                pe.expect(Arrival {
                    cycle: time + extra.unwrap_or(0),
                    source: packet.source,
                    sequence: packet.sequence,
                    key: packet.key,
                    payload: packet.payload,
                });
            }
        }
        for (link, bit) in chip.links.iter_mut().zip(0..) {
            if exit.links >> bit & 1 == 0 {
                continue;
            }
            let Some(link) = link else {
                counts.link_dead += 1;
                continue;
            };
            if packet.crossed >= most || self.transit.len() >= TRANSIT_LIMIT {
                counts.link_circling += 1;
                continue;
            }
            let frames = self.frames[usize::from(packet.payload.is_some())];
            let (time, wait) = link.send(out, frames);
            if link.is_broken() {
                counts.link_broken += 1;
                continue;
            }
            counts.link_packets += 1;
            counts.link_frames += frames;
            counts.link_waited += u64::from(wait > 0);
            counts.link_wait += wait;
            self.transit.push(Reverse(Transit {
                time,
                chip: link.to,
                crossed: packet.crossed + 1,
                ..packet
            }));
        }
    }

    fn count_unmatched(&mut self, key: u32) {
        // A program that sends all kinds of keys must not fill the host's memory:
        // beyond the limit they share the last place.
        let known = self.unmatched.len() < UNMATCHED_KEPT || self.unmatched.contains_key(&key);
        let key = if known { key } else { u32::MAX };
        *self.unmatched.entry(key).or_default() += 1;
    }
}

fn slot(place: Place, p: u8) -> usize {
    usize::from(place) * 4 + usize::from(p)
}
