//! The network on one chip: a mesh with one router per QPE, and the event router
//! in its middle.
//!
//! **Paths.** The event router takes the holes of the grid around its place; a
//! packet enters and leaves it at the place nearest to the other end. Between two
//! places a packet goes along x first, then along y. If that would cross a hole it
//! goes along y first, and if that does too, along the first shortest path in the
//! order east, west, north, south. What the chip does at holes is not published.
//!
//! **Contention.** A link takes one packet a cycle of the network, and so does the
//! port of each QPE in either direction. A packet that finds a link taken waits in
//! front of it, in a queue without end: the sender never sees a full transmit
//! register. Packets are looked at in the order in which they were sent (of equals,
//! by PE), and each reserves its whole path before the next one is looked at. Flits of
//! memory accesses (`chip::data`) take their part one by one, in the same order. A packet
//! that comes by before the last stretch of reservations of a link begins passes
//! unhindered; one that comes by within it waits for its end, also for packets that
//! were sent before it but come by later. One packet for several PEs of
//! a QPE is one flit; one for several QPEs is one flit for each.
//!
//! Time here is counted in [`FRACTION`]s of a unit of machine time, since a cycle of
//! the event router is 0.75 units.

use ir::Target;
use ir::geometry::PeCoord;
use std::collections::VecDeque;
use std::ops::Range;

/// Parts into which a unit of machine time is cut here.
pub const FRACTION: u64 = 256;

/// `cycles` of a clock of `hz`, in fractions of a unit, rounded up.
fn fractions(target: &Target, cycles: u64, hz: u64) -> u64 {
    let exact = u128::from(cycles) * u128::from(target.clock.pe_high_hz) * u128::from(FRACTION);
    exact.div_ceil(u128::from(hz.max(1))) as u64
}

/// Whole units that hold `time`.
pub fn units(time: u64) -> u64 {
    time.div_ceil(FRACTION)
}

/// What a way costs, in fractions of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From one router of the mesh to the next.
    pub hop: u64,
    /// For how long a flit takes a link.
    pub flit: u64,
    /// Through the event router. At least one unit, so that no packet arrives in the
    /// cycle in which it was sent.
    pub router: u64,
    /// For how long a packet takes an engine of the event router.
    pub engine: u64,
}

impl Timing {
    /// Reads the clocks and cycles of a target.
    pub fn new(target: &Target) -> Self {
        let (noc, router) = (target.clock.noc_hz, target.clock.router_hz);
        let r = &target.router;
        Self {
            hop: fractions(target, r.hop_cycles.into(), noc),
            flit: fractions(target, 1, noc),
            router: fractions(target, r.latency_cycles.into(), router).max(FRACTION),
            engine: fractions(target, 1, router),
        }
    }
}

/// A place of the grid: `y * 8 + x`.
pub type Place = u8;

/// Where a PE's QPE is.
pub fn place_of(pe: PeCoord) -> Place {
    pe.y() * 8 + pe.x()
}

const PLACES: usize = 64;
/// Steps of x and y, in the order in which links are tried.
const STEPS: [(i8, i8); 4] = [(1, 0), (-1, 0), (0, 1), (0, -1)];
/// Links of the mesh, then the ports into it, then the ports out of it.
const IN: usize = 4 * PLACES;
const OUT: usize = IN + PLACES;
const LINKS: usize = OUT + PLACES;

fn beside(place: Place, (dx, dy): (i8, i8)) -> Option<Place> {
    let (x, y) = ((place % 8) as i8 + dx, (place / 8) as i8 + dy);
    ((0..8).contains(&x) && (0..8).contains(&y)).then_some((y * 8 + x) as Place)
}

/// The paths of a chip, the same for all chips of a machine.
#[derive(Clone, Debug)]
pub struct Mesh {
    /// Whether a QPE is there.
    qpe: [bool; PLACES],
    /// Links of all paths below, one after the other.
    links: Vec<u16>,
    to_router: Vec<Range<u32>>,
    away_from_router: Vec<Range<u32>>,
}

impl Mesh {
    /// The mesh of a target.
    pub fn new(target: &Target) -> Self {
        let mut qpe = [false; PLACES];
        for pe in target.pes() {
            qpe[usize::from(place_of(pe))] = true;
        }
        let mut mesh = Self {
            qpe,
            links: Vec::new(),
            to_router: vec![0..0; PLACES],
            away_from_router: vec![0..0; PLACES],
        };
        let router = router_block(target);
        for place in (0..PLACES as u8).filter(|&p| qpe[usize::from(p)]) {
            let ways = |there: bool| {
                let path = |&at: &Place| {
                    let (from, to) = if there { (place, at) } else { (at, place) };
                    mesh.path(from, to)
                };
                let paths: Vec<Vec<u16>> = router.iter().filter_map(path).collect();
                // The first of equals: the lowest place.
                paths.into_iter().min_by_key(Vec::len).unwrap_or_default()
            };
            let (to, from) = (ways(true), ways(false));
            mesh.to_router[usize::from(place)] = mesh.keep(&to);
            mesh.away_from_router[usize::from(place)] = mesh.keep(&from);
        }
        mesh
    }

    fn keep(&mut self, path: &[u16]) -> Range<u32> {
        let from = self.links.len() as u32;
        self.links.extend_from_slice(path);
        from..self.links.len() as u32
    }

    fn kept(&self, range: &Range<u32>) -> &[u16] {
        self.links
            .get(range.start as usize..range.end as usize)
            .unwrap_or(&[])
    }

    /// Links from a QPE to the event router.
    pub fn to_router(&self, place: Place) -> &[u16] {
        self.to_router
            .get(usize::from(place))
            .map_or(&[], |r| self.kept(r))
    }

    /// Links from the event router to a QPE.
    pub fn away_from_router(&self, place: Place) -> &[u16] {
        self.away_from_router
            .get(usize::from(place))
            .map_or(&[], |r| self.kept(r))
    }

    /// Links of the path between two places; `None` if there is none. Holes are
    /// passed at the ends only.
    pub fn path(&self, from: Place, to: Place) -> Option<Vec<u16>> {
        self.bent(from, to, true)
            .or_else(|| self.bent(from, to, false))
            .or_else(|| self.around(from, to))
    }

    fn bent(&self, from: Place, to: Place, x_first: bool) -> Option<Vec<u16>> {
        let mut at = from;
        let mut links = Vec::new();
        for along_x in [x_first, !x_first] {
            loop {
                let ahead = if along_x {
                    (to % 8).cmp(&(at % 8))
                } else {
                    (to / 8).cmp(&(at / 8))
                };
                let step = match ahead {
                    std::cmp::Ordering::Equal => break,
                    std::cmp::Ordering::Greater => 0,
                    std::cmp::Ordering::Less => 1,
                };
                let direction = if along_x { step } else { 2 + step };
                links.push((4 * usize::from(at) + direction) as u16);
                at = beside(at, STEPS[direction])?;
                if at != to && !self.qpe[usize::from(at)] {
                    return None;
                }
            }
        }
        Some(links)
    }

    fn around(&self, from: Place, to: Place) -> Option<Vec<u16>> {
        let mut entered: [Option<(Place, usize)>; PLACES] = [None; PLACES];
        let mut open = VecDeque::from([from]);
        while let Some(at) = open.pop_front() {
            for (direction, &step) in STEPS.iter().enumerate() {
                let Some(next) = beside(at, step) else {
                    continue;
                };
                let free = next == to || self.qpe[usize::from(next)];
                if free && next != from && entered[usize::from(next)].is_none() {
                    entered[usize::from(next)] = Some((at, direction));
                    open.push_back(next);
                }
            }
        }
        let mut links = Vec::new();
        let mut at = to;
        while at != from {
            let (before, direction) = entered[usize::from(at)]?;
            links.push((4 * usize::from(before) + direction) as u16);
            at = before;
        }
        links.reverse();
        Some(links)
    }
}

/// The places of the event router: its own and the holes that hang together with it.
fn router_block(target: &Target) -> Vec<Place> {
    let (x, y) = target.grid.router_at;
    let mut block = vec![y * 8 + x];
    let mut at = 0;
    while let Some(&place) = block.get(at) {
        for next in STEPS.iter().filter_map(|&step| beside(place, step)) {
            let hole = target.grid.holes.contains(&(next % 8, next / 8));
            if hole && !block.contains(&next) {
                block.push(next);
            }
        }
        at += 1;
    }
    block.sort_unstable();
    block
}

/// What went over the meshes and routers of a machine in one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct NetworkCounts {
    /// Packets that PEs sent into the mesh.
    pub packets: u64,
    /// Flits that went over a mesh, one for each QPE that a packet is for and one for
    /// each way to an event router.
    pub flits: u64,
    /// Links of meshes that they took.
    pub hops: u64,
    /// Flits that found a link of a mesh or a port taken.
    pub flits_waited: u64,
    /// Units of time that they waited in all.
    pub flit_wait: u64,
    /// Flits of memory accesses between PEs and to DRAM.
    pub data_flits: u64,
    /// Links of meshes that they took.
    pub data_hops: u64,
    /// Those that found a link of a mesh or a port taken.
    pub data_waited: u64,
    /// Units of time that they waited in all.
    pub data_wait: u64,
    /// Packets that event routers looked up.
    pub routed: u64,
    /// Those that found the engine busy.
    pub router_waited: u64,
    /// Units of time that they waited in all.
    pub router_wait: u64,
    /// Most packets in front of an engine.
    pub router_queue: u64,
    /// Packets that came to an engine with more in front of it than its buffers are
    /// assumed to hold: on the chip they would have stopped the mesh.
    pub router_full: u64,
    /// Packets that no entry matched.
    pub unmatched: u64,
    /// Packets that were lost on their way to a PE because more were on theirs than
    /// any ring holds; on the chip they would have stopped the mesh.
    pub lost: u64,
    /// Packets that left a chip over a link.
    pub link_packets: u64,
    /// Frames that they took.
    pub link_frames: u64,
    /// Those that found the link busy.
    pub link_waited: u64,
    /// Units of time that they waited in all.
    pub link_wait: u64,
    /// Packets that were lost because their link is dead or leads nowhere.
    pub link_dead: u64,
    /// Packets that were lost because their link was broken on purpose.
    pub link_broken: u64,
    /// Packets that were dropped because they had crossed too many links or too many
    /// were under way: their tables lead in circles.
    pub link_circling: u64,
}

impl NetworkCounts {
    /// Adds another sample.
    pub fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.flits += other.flits;
        self.hops += other.hops;
        self.flits_waited += other.flits_waited;
        self.flit_wait += other.flit_wait;
        self.data_flits += other.data_flits;
        self.data_hops += other.data_hops;
        self.data_waited += other.data_waited;
        self.data_wait += other.data_wait;
        self.routed += other.routed;
        self.router_waited += other.router_waited;
        self.router_wait += other.router_wait;
        self.router_queue = self.router_queue.max(other.router_queue);
        self.router_full += other.router_full;
        self.unmatched += other.unmatched;
        self.lost += other.lost;
        self.link_packets += other.link_packets;
        self.link_frames += other.link_frames;
        self.link_waited += other.link_waited;
        self.link_wait += other.link_wait;
        self.link_dead += other.link_dead;
        self.link_broken += other.link_broken;
        self.link_circling += other.link_circling;
    }
}

/// Engines of the event router, which work side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Multicast,
    Core,
    Neighbour,
}

/// The last stretch of time for which something is taken without a gap.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    from: u64,
    to: u64,
}

impl Taken {
    /// Takes it for `length` at `time` or as soon as possible; gives when that is.
    #[inline]
    fn take(&mut self, time: u64, length: u64) -> u64 {
        if time > self.to {
            self.from = time;
        } else if time + length <= self.from {
            return time;
        }
        let start = time.max(self.to);
        self.to = start + length;
        start
    }
}

/// The state of one chip's mesh and event router: when each part is taken.
#[derive(Clone, Debug)]
pub struct Traffic {
    timing: Timing,
    links: Box<[Taken; LINKS]>,
    engines: [Taken; 3],
    /// Packets that an engine's buffers hold.
    queue: u64,
    flit_wait: u64,
    data_wait: u64,
    router_wait: u64,
}

impl Traffic {
    /// Nothing is under way.
    pub fn new(target: &Target) -> Self {
        Self {
            timing: Timing::new(target),
            links: Box::new([Taken::default(); LINKS]),
            engines: [Taken::default(); 3],
            queue: target.router.queue_packets.into(),
            flit_wait: 0,
            data_wait: 0,
            router_wait: 0,
        }
    }

    /// Forgets what was under way.
    pub fn reset(&mut self) {
        self.links.fill(Taken::default());
        self.engines = [Taken::default(); 3];
        (self.flit_wait, self.data_wait, self.router_wait) = (0, 0, 0);
    }

    /// Moves what was waited for into `counts`, in whole units.
    pub fn count_waits(&mut self, counts: &mut NetworkCounts) {
        counts.flit_wait += self.flit_wait.div_ceil(FRACTION);
        counts.data_wait += self.data_wait.div_ceil(FRACTION);
        counts.router_wait += self.router_wait.div_ceil(FRACTION);
        (self.flit_wait, self.data_wait, self.router_wait) = (0, 0, 0);
    }

    /// One flit over `links` and the ports before and behind them, at `time`: when it is
    /// out, and for how long it waited.
    #[inline]
    fn pass(&mut self, links: &[u16], time: u64, [first, last]: [Option<usize>; 2]) -> (u64, u64) {
        let Timing { hop, flit, .. } = self.timing;
        let mut at = time;
        let mut wait = 0;
        let mut take = |link: usize, at: u64| {
            let start = self.links[link].take(at, flit);
            wait += start - at;
            start
        };
        if let Some(port) = first {
            at = take(port, at);
        }
        for &link in links {
            at = take(usize::from(link) % LINKS, at) + hop;
        }
        if let Some(port) = last {
            at = take(port, at);
        }
        (at, wait)
    }

    /// The same for a packet.
    #[inline]
    fn travel(
        &mut self,
        links: &[u16],
        time: u64,
        ports: [Option<usize>; 2],
        counts: &mut NetworkCounts,
    ) -> u64 {
        let (at, wait) = self.pass(links, time, ports);
        counts.flits += 1;
        counts.hops += links.len() as u64;
        counts.flits_waited += u64::from(wait > 0);
        self.flit_wait += wait;
        at
    }

    /// From a QPE to the event router.
    pub fn to_router(
        &mut self,
        mesh: &Mesh,
        from: Place,
        time: u64,
        counts: &mut NetworkCounts,
    ) -> u64 {
        let port = IN + usize::from(from) % PLACES;
        self.travel(mesh.to_router(from), time, [Some(port), None], counts)
    }

    /// From the event router to a QPE.
    pub fn away_from_router(
        &mut self,
        mesh: &Mesh,
        to: Place,
        time: u64,
        counts: &mut NetworkCounts,
    ) -> u64 {
        let port = OUT + usize::from(to) % PLACES;
        self.travel(mesh.away_from_router(to), time, [None, Some(port)], counts)
    }

    /// A packet from a QPE to another over the links between them.
    pub fn between(
        &mut self,
        (links, from, to): (&[u16], Place, Place),
        time: u64,
        counts: &mut NetworkCounts,
    ) -> u64 {
        self.travel(links, time, ends(from, to), counts)
    }

    /// A flit of a memory access from a QPE to another: for how long it waited.
    pub fn data(
        &mut self,
        (links, from, to): (&[u16], Place, Place),
        time: u64,
        counts: &mut NetworkCounts,
    ) -> u64 {
        let (_, wait) = self.pass(links, time, ends(from, to));
        counts.data_flits += 1;
        counts.data_hops += links.len() as u64;
        counts.data_waited += u64::from(wait > 0);
        self.data_wait += wait;
        wait
    }

    /// Through an engine of the event router.
    #[inline]
    pub fn route(&mut self, engine: Engine, time: u64, counts: &mut NetworkCounts) -> u64 {
        let start = self.engines[engine as usize].take(time, self.timing.engine);
        counts.routed += 1;
        if start > time {
            let ahead = (start - time).div_ceil(self.timing.engine.max(1));
            counts.router_waited += 1;
            counts.router_queue = counts.router_queue.max(ahead);
            counts.router_full += u64::from(ahead > self.queue);
            self.router_wait += start - time;
        }
        start + self.timing.router
    }
}

/// The ports of a way from a QPE to another.
fn ends(from: Place, to: Place) -> [Option<usize>; 2] {
    [
        Some(IN + usize::from(from) % PLACES),
        Some(OUT + usize::from(to) % PLACES),
    ]
}

/// Units between a PE and the event router where nothing is in the way: there, and
/// back.
pub fn alone(target: &Target, mesh: &Mesh, pe: PeCoord) -> (u64, u64) {
    let hop = Timing::new(target).hop;
    let cost = |links: &[u16]| units(links.len() as u64 * hop);
    let place = place_of(pe);
    (
        cost(mesh.to_router(place)),
        cost(mesh.away_from_router(place)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(x: u8, y: u8) -> Place {
        y * 8 + x
    }

    /// The places that a path goes through, its first one included.
    fn walk(from: Place, links: &[u16]) -> Vec<(u8, u8)> {
        let mut at = from;
        let mut places = vec![(at % 8, at / 8)];
        for &link in links {
            assert_eq!(u16::from(at), link / 4, "links follow each other");
            at = beside(at, STEPS[usize::from(link % 4)]).expect("on the grid");
            places.push((at % 8, at / 8));
        }
        places
    }

    #[test]
    fn latency_follows_the_clocks() {
        let mut t = Target::spinnaker2();
        let timing = Timing::new(&t);
        // 8 cycles at 400 MHz are 6 at 300.
        let expected = Timing {
            hop: 5 * FRACTION,
            flit: FRACTION,
            router: 6 * FRACTION,
            engine: FRACTION * 3 / 4,
        };
        assert_eq!(timing, expected);
        let pe = PeCoord::new(1, 1, 0).expect("in the byte");
        // |1 - 4| + |1 - 3| = 5 hops of 5 cycles.
        assert_eq!(alone(&t, &Mesh::new(&t), pe), (25, 25));
        t.clock.noc_hz = 150_000_000;
        t.router.latency_cycles = 0;
        assert_eq!(alone(&t, &Mesh::new(&t), pe), (50, 50));
        assert_eq!(Timing::new(&t).router, FRACTION);
    }

    #[test]
    fn paths_go_along_x_first_and_around_holes() {
        let target = Target::spinnaker2();
        let mesh = Mesh::new(&target);
        let path = |from, to| walk(from, &mesh.path(from, to).expect("a path"));
        assert_eq!(
            path(place(1, 1), place(3, 2)),
            [(1, 1), (2, 1), (3, 1), (3, 2)]
        );
        // (7,3) and (7,4) hold nothing: x first would end in column 7.
        let around = path(place(6, 2), place(7, 5));
        assert_eq!(around.len(), 5);
        // The event router is in the way of row 3, and there is no other straight way.
        let row = path(place(3, 3), place(5, 3));
        assert_eq!(row, [(3, 3), (3, 2), (4, 2), (5, 2), (5, 3)]);
        for pe in target.pes() {
            for other in target.pes() {
                let (from, to) = (place_of(pe), place_of(other));
                for &(x, y) in &path(from, to) {
                    assert!(!target.grid.holes.contains(&(x, y)));
                }
            }
            let place = place_of(pe);
            let there = walk(place, mesh.to_router(place));
            let end = there.last().expect("a place");
            assert!([(4, 3), (4, 4)].contains(end));
            let holes = |p: &&(u8, u8)| target.grid.holes.contains(p);
            assert_eq!(there.iter().filter(holes).count(), 1, "six ports only");
        }
    }

    #[test]
    fn a_link_takes_one_flit_a_cycle_and_an_engine_one_packet() {
        let target = Target::spinnaker2();
        let mesh = Mesh::new(&target);
        let mut traffic = Traffic::new(&target);
        let mut counts = NetworkCounts::default();
        let from = place(1, 3);
        let mut go = |time: u64| {
            let there = traffic.to_router(&mesh, from, time * FRACTION, &mut counts);
            traffic.route(Engine::Multicast, there, &mut counts)
        };
        // Three hops and the router; the second packet is one cycle behind.
        assert_eq!(go(0), 21 * FRACTION);
        assert_eq!(go(0), 22 * FRACTION);
        assert_eq!(go(100), 121 * FRACTION);
        assert_eq!((counts.flits, counts.hops, counts.flits_waited), (3, 9, 1));
        assert_eq!(counts.router_waited, 0);
        // Two packets at once from different sides meet at the engine only.
        let east = place(7, 2);
        let west = traffic.to_router(&mesh, from, 1000 * FRACTION, &mut counts);
        let other = traffic.to_router(&mesh, east, 995 * FRACTION, &mut counts);
        assert_eq!(units(other) - 995, 20);
        assert_eq!(west, other);
        let first = traffic.route(Engine::Multicast, west, &mut counts);
        // The other engines are free.
        let core = traffic.route(Engine::Core, other, &mut counts);
        assert_eq!(core, first);
        let second = traffic.route(Engine::Multicast, other, &mut counts);
        assert_eq!(second - first, FRACTION * 3 / 4);
        assert_eq!((counts.router_waited, counts.router_queue), (1, 1));
        // Data behind a packet on the same links, and a packet behind data.
        let path = mesh.path(from, place(2, 3)).expect("a path");
        let way = (path.as_slice(), from, place(2, 3));
        let mut own = NetworkCounts::default();
        let there = traffic.between(way, 5000 * FRACTION, &mut own);
        assert_eq!(there, 5005 * FRACTION);
        assert_eq!(traffic.data(way, 5000 * FRACTION, &mut own), FRACTION);
        let behind = traffic.between(way, 5001 * FRACTION, &mut own);
        assert_eq!(behind, 5007 * FRACTION);
        assert_eq!((own.flits, own.hops, own.flits_waited), (2, 2, 1));
        assert_eq!((own.data_flits, own.data_hops, own.data_waited), (1, 1, 1));
        traffic.flit_wait -= FRACTION;
        traffic.count_waits(&mut counts);
        assert_eq!((counts.flit_wait, counts.router_wait), (1, 1));
        assert_eq!(counts.data_wait, 1);
    }
}
