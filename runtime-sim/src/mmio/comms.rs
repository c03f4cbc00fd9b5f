//! The communications controller: sends multicast packets and writes received
//! ones to a ring in local SRAM.
//!
//! Writing a payload arms it for the next key, and only that one: the key fires
//! the packet and takes the payload along.
//!
//! The ring occupies `start..end` (`end` is exclusive). The hardware writes one
//! entry at the write pointer and advances it, from `end` back to `start`. It is
//! full when the advanced write pointer would meet the read pointer. Then, as the
//! target's `full_policy` says, the packet is lost (0), takes the place of the oldest
//! one (1), or waits until the program has moved the read pointer (2); packets behind
//! it wait too, up to `full_wait_packets` of them, and further ones are lost. Waiting
//! does not stop the network elsewhere. What is lost is counted. Writing `start` puts
//! both pointers there.
//!
//! There are two such rings, with the same registers at two places. Where both are
//! enabled and only one of them has the configuration that fits a packet (with payloads,
//! or of keys) that one takes it; else the first does. A ring raises interrupt lines
//! that its control register enables: while it holds something, is full, holds the words
//! of its limit, or has lost something since its count was written.
//!
//! An entry is a 4-byte key, or in the configuration with payloads 8 bytes:
//! payload word, then key word. What is not published is assumed: a ring of keys
//! drops (and counts) the payload of a packet that has one, a ring with payloads
//! stores the target's `plain_payload` for a packet that has none.
//!
//! What a program reads from a ring register at cycle c depends on every packet
//! that arrives until c. [`Comms::horizon`] is the cycle up to which arrivals
//! are known; an access beyond it is refused with [`Comms::take_blocked`] set, and
//! the scheduler repeats it when the other PEs have caught up. The one exception is a
//! write of a read pointer, which gives nothing back: it is kept and takes its place
//! among the arrivals when these are known.

mod ring;

use crate::cpu::BusError;
use ir::Target;
use ir::geometry::GlobalPe;
use ir::target::{Comms as Registers, Rings};
use ring::Ring;

/// Transmit status: the channel is empty and takes a packet.
pub(crate) const READY: u32 = 1 << 31;

/// `full_policy`: the oldest packet makes room, or the new one waits.
const OVERWRITE: u32 = 1;
const WAIT: u32 = 2;

/// Packets after which a PE lets the others run, which bounds what is in flight.
pub const OUTBOX_LIMIT: usize = 4096;

/// A packet that left a PE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When its key was written.
    pub cycle: u64,
    /// The multicast key.
    pub key: u32,
    /// What was armed when the key was written.
    pub payload: Option<u32>,
}

/// A packet on its way to a PE. The order is the order of delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// When it reaches the ring.
    pub cycle: u64,
    /// Index of the sending PE.
    pub source: u32,
    /// Number of the packet at its sender.
    pub sequence: u64,
    /// The multicast key.
    pub key: u32,
    /// The payload, if it has one.
    pub payload: Option<u32>,
}

/// What the ring has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingCounts {
    /// Packets that entered the ring.
    pub received: u64,
    /// Packets lost at a full ring.
    pub dropped: u64,
    /// Packets that waited for room in it.
    pub waited: u64,
    /// Packets that came while no ring was enabled.
    pub unreceived: u64,
    /// Received packets whose payload a ring of keys did not hold.
    pub stripped: u64,
    /// Most entries in the ring at once.
    pub high_water: u32,
}

/// A read pointer that was written at a cycle up to which arrivals were not known.
#[derive(Clone, Copy, Debug)]
struct Freed {
    cycle: u64,
    ring: usize,
    read: u32,
}

/// The controller of one PE.
#[derive(Clone, Debug)]
pub struct Comms {
    registers: Registers,
    lines: Rings,
    sram_bytes: u32,
    id: u32,
    /// What the payload register reads as, and what the next key takes along.
    tdr: u32,
    armed: Option<u32>,
    rings: [Ring; 2],
    counts: RingCounts,
    /// Packets that have not arrived yet, from `head` on.
    arrivals: Vec<Arrival>,
    head: usize,
    sorted: bool,
    freed: Option<Freed>,
    /// Words of ring entries that are not in memory yet.
    stores: Vec<(u32, u32)>,
    outbox: Vec<Packet>,
    horizon: u64,
    /// Least number of cycles from any PE to any PE.
    lookahead: u64,
    blocked: Option<u64>,
    /// Some ring may interrupt.
    listens: bool,
}

impl Comms {
    /// The controller of `pe` after reset; `lookahead` is the smallest latency
    /// of any packet in the machine.
    pub fn new(target: &Target, pe: GlobalPe, lookahead: u64) -> Self {
        let chip = u32::from(pe.chip.x) << 8 | u32::from(pe.chip.y);
        Self {
            registers: target.comms.clone(),
            lines: target.rings.clone(),
            sram_bytes: target.memory.sram_bytes,
            id: chip << 16 | u32::from(pe.pe.id()),
            tdr: 0,
            armed: None,
            rings: Default::default(),
            counts: RingCounts::default(),
            arrivals: Vec::new(),
            head: 0,
            sorted: true,
            freed: None,
            stores: Vec::new(),
            outbox: Vec::new(),
            horizon: 0,
            lookahead,
            blocked: None,
            listens: false,
        }
    }

    /// What the ring has seen so far.
    pub fn counts(&self) -> RingCounts {
        self.counts
    }

    /// Starts new counts; the high-water mark starts at what is in the ring now.
    pub fn restart_counts(&mut self) {
        self.counts = RingCounts::default();
        let entries = self.rings.iter().map(Ring::entries);
        self.counts.high_water = entries.max().unwrap_or(0);
    }

    /// Up to (not including) which cycle every arrival is known.
    pub fn set_horizon(&mut self, cycle: u64) {
        self.horizon = cycle;
        if let Some(freed) = self.freed.filter(|f| f.cycle < cycle) {
            self.advance(freed.cycle);
        }
    }

    /// See [`Comms::set_horizon`].
    pub fn horizon(&self) -> u64 {
        self.horizon
    }

    /// The cycle, once, of an access that was refused only because it came too early.
    pub fn take_blocked(&mut self) -> Option<u64> {
        self.blocked.take()
    }

    /// A packet is on its way here.
    pub fn expect(&mut self, arrival: Arrival) {
        if self.arrivals.last().is_some_and(|last| *last > arrival) {
            self.sorted = false;
        }
        self.arrivals.push(arrival);
    }

    /// Packets that have not arrived yet.
    pub fn in_flight(&self) -> usize {
        self.arrivals.len() - self.head
    }

    /// Lets every packet arrive that is due at `cycle` or before.
    pub fn advance(&mut self, cycle: u64) {
        if let Some(freed) = self.freed.take_if(|f| f.cycle <= cycle) {
            self.arrive_until(freed.cycle);
            self.rings[freed.ring & 1].read = freed.read;
            self.refill(freed.ring);
        }
        self.arrive_until(cycle);
    }

    fn arrive_until(&mut self, cycle: u64) {
        if self.head == self.arrivals.len() {
            return;
        }
        if !self.sorted {
            self.arrivals.drain(..self.head);
            self.head = 0;
            // Each sender's packets are in order already: a merge sort finds the runs.
            self.arrivals.sort();
            self.sorted = true;
        }
        while let Some(&arrival) = self.arrivals.get(self.head) {
            if arrival.cycle > cycle {
                return;
            }
            self.head += 1;
            self.receive(arrival.key, arrival.payload);
        }
        self.arrivals.clear();
        self.head = 0;
    }

    fn receive(&mut self, key: u32, payload: Option<u32>) {
        let index = match &self.rings {
            [first, second] if second.enabled => {
                let fits = |ring: &Ring| ring.payloads == payload.is_some();
                !first.enabled || (fits(second) && !fits(first))
            }
            _ => false,
        };
        let ring = &mut self.rings[usize::from(index)];
        if !ring.enabled {
            self.counts.unreceived += 1;
            return;
        }
        if ring.is_full() || !ring.waiting.is_empty() {
            let room = self.registers.full_wait_packets as usize;
            if self.registers.full_policy == WAIT && ring.waiting.len() < room {
                self.counts.waited += 1;
                ring.waiting.push_back((key, payload));
                return;
            }
            self.counts.dropped += 1;
            ring.dropped = ring.dropped.saturating_add(1);
            if self.registers.full_policy != OVERWRITE {
                return;
            }
            ring.read = ring.after(ring.read);
        }
        self.enter(usize::from(index), key, payload);
    }

    /// Into a ring that has room.
    fn enter(&mut self, index: usize, key: u32, payload: Option<u32>) {
        let Some(ring) = self.rings.get_mut(index) else {
            return;
        };
        let next = ring.after(ring.write);
        if ring.payloads {
            let word = payload.unwrap_or(self.registers.plain_payload);
            self.stores.push((ring.write, word));
            self.stores.push((ring.write + 4, key));
        } else {
            self.stores.push((ring.write, key));
            self.counts.stripped += u64::from(payload.is_some());
        }
        ring.write = next;
        ring.max = ring.max.max(ring.words());
        self.counts.received += 1;
        self.counts.high_water = self.counts.high_water.max(ring.entries());
    }

    /// Packets that wait enter as far as there is room.
    fn refill(&mut self, index: usize) {
        while let Some(ring) = self.rings.get_mut(index)
            && ring.enabled
            && !ring.is_full()
            && let Some((key, payload)) = ring.waiting.pop_front()
        {
            self.enter(index, key, payload);
        }
    }

    /// Whether a ring may interrupt.
    #[inline]
    pub fn listens(&self) -> bool {
        self.listens
    }

    /// Whether a write asks for interrupts.
    pub fn asks_for_interrupts(&self, offset: u32, value: u32) -> bool {
        let register = self.ring_register(offset).map(|(_, register)| register);
        register == Some(self.registers.dma_control) && value & ring::interrupts(&self.lines) != 0
    }

    /// When the next packet arrives, if the program is to be interrupted.
    pub fn due(&self) -> Option<u64> {
        let coming = self.arrivals.get(self.head..).filter(|_| self.listens);
        coming.into_iter().flatten().map(|a| a.cycle).min()
    }

    /// Levels of the rings' interrupt lines.
    pub fn lines(&self) -> u64 {
        let lines = |(ring, index): (&Ring, u32)| ring.lines(&self.lines, index);
        self.rings.iter().zip(0..).map(lines).fold(0, |a, b| a | b)
    }

    /// Words of ring entries to be written to memory, in order.
    pub fn take_stores(&mut self) -> std::vec::Drain<'_, (u32, u32)> {
        self.stores.drain(..)
    }

    /// Packets sent since the last call, in order.
    pub fn outbox(&mut self) -> &mut Vec<Packet> {
        &mut self.outbox
    }

    /// True if the scheduler must act before the program goes on.
    pub fn needs_attention(&self) -> bool {
        !self.stores.is_empty() || self.outbox.len() >= OUTBOX_LIMIT
    }

    /// Makes the ring current at `cycle`, or refuses if that is not known yet.
    fn synchronise(&mut self, cycle: u64) -> Result<(), BusError> {
        if cycle >= self.horizon {
            self.blocked = Some(cycle);
            return Err(BusError::Refused);
        }
        self.advance(cycle);
        Ok(())
    }

    /// Reads the register at `offset`.
    pub fn read(&mut self, offset: u32, cycle: u64) -> Result<u32, BusError> {
        let r = &self.registers;
        match offset {
            o if o == r.tctl => return Ok(READY),
            o if o == r.id => return Ok(self.id),
            o if o == r.tdr => return Ok(self.tdr),
            _ => {}
        }
        let Some((index, offset)) = self.ring_register(offset) else {
            return Err(BusError::Refused);
        };
        self.synchronise(cycle)?;
        let (r, ring) = (&self.registers, &self.rings[index & 1]);
        Ok(match offset {
            o if o == r.dma_config => ring.config,
            o if o == r.dma_start => ring.start,
            o if o == r.dma_end => ring.end,
            o if o == r.dma_read => ring.read,
            o if o == r.dma_write => ring.write,
            o if o == r.dma_limit => ring.limit,
            o if o == r.dma_n_words => ring.words(),
            o if o == r.dma_max => ring.max,
            o if o == r.dma_dropped => ring.dropped,
            _ => ring.control,
        })
    }

    /// Which ring's register is at `offset`, and where the first ring has the same one.
    fn ring_register(&self, offset: u32) -> Option<(usize, u32)> {
        if self.is_ring_register(offset) {
            return Some((0, offset));
        }
        let offset = offset.checked_sub(self.lines.second)?;
        self.is_ring_register(offset).then_some((1, offset))
    }

    fn is_ring_register(&self, offset: u32) -> bool {
        let r = &self.registers;
        [
            r.dma_config,
            r.dma_start,
            r.dma_end,
            r.dma_read,
            r.dma_write,
            r.dma_limit,
            r.dma_n_words,
            r.dma_max,
            r.dma_dropped,
            r.dma_control,
        ]
        .contains(&offset)
    }

    /// Writes the register at `offset`.
    pub fn write(&mut self, offset: u32, value: u32, cycle: u64) -> Result<(), BusError> {
        let r = &self.registers;
        match offset {
            o if o == r.tkr => {
                self.outbox.push(Packet {
                    cycle,
                    key: value,
                    payload: self.armed.take(),
                });
                // The packet may come back to this very PE.
                self.horizon = self.horizon.min(cycle.saturating_add(self.lookahead));
                return Ok(());
            }
            o if o == r.tdr => {
                self.tdr = value;
                self.armed = Some(value);
                return Ok(());
            }
            // Both status bits are the hardware's; the rest has no effect here.
            o if o == r.tctl => return Ok(()),
            _ => {}
        }
        let Some((index, offset)) = self.ring_register(offset) else {
            return Err(BusError::Refused);
        };
        let ring = &self.rings[index & 1];
        let may_wait = !self.listens && self.freed.is_none() && ring.enabled;
        if cycle >= self.horizon && may_wait && offset == r.dma_read && ring.holds(value) {
            self.freed = Some(Freed {
                cycle,
                ring: index,
                read: value,
            });
            return Ok(());
        }
        self.synchronise(cycle)?;
        let (r, ring) = (&self.registers, &mut self.rings[index & 1]);
        match offset {
            o if o == r.dma_config => {
                ring.config = value;
                ring.payloads = value == r.dma_payload_value;
            }
            o if o == r.dma_start => (ring.start, ring.read, ring.write) = (value, value, value),
            o if o == r.dma_end => ring.end = value,
            o if o == r.dma_read => ring.read = value,
            o if o == r.dma_write => ring.write = value,
            o if o == r.dma_limit => ring.limit = value,
            o if o == r.dma_max => ring.max = value,
            o if o == r.dma_dropped => ring.dropped = value,
            o if o == r.dma_control => {
                ring.control = value;
                ring.enabled = value & r.dma_enable_value != 0;
            }
            _ => return Err(BusError::Refused),
        }
        // Moving a pointer out of an enabled ring would let the hardware write
        // anywhere, so it is refused like any other wrong access.
        let known = ring.payloads || ring.config == r.dma_key_only_value;
        if ring.enabled && !(known && ring.is_sound(self.sram_bytes)) {
            return Err(BusError::Refused);
        }
        let lines = &self.lines;
        self.listens = self.rings.iter().any(|ring| ring.listens(lines));
        self.refill(index);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::geometry::{ChipCoord, PeCoord};

    const RING: u32 = 0x1000;

    fn comms(entries: u32) -> (Comms, Registers) {
        let keys = Target::spinnaker2().comms.dma_key_only_value;
        configured(keys, 4 * entries)
    }

    fn configured(config: u32, bytes: u32) -> (Comms, Registers) {
        let target = Target::spinnaker2();
        let pe = GlobalPe {
            chip: ChipCoord { x: 1, y: 2 },
            pe: PeCoord::new(3, 4, 1).expect("in the byte"),
        };
        let mut c = Comms::new(&target, pe, 10);
        let r = target.comms;
        c.set_horizon(1000);
        c.write(r.dma_start, RING, 0).expect("start");
        c.write(r.dma_end, RING + bytes, 0).expect("end");
        c.write(r.dma_config, config, 0).expect("config");
        c.write(r.dma_control, r.dma_enable_value, 0).expect("on");
        (c, r)
    }

    fn arrival(cycle: u64, source: u32, sequence: u64) -> Arrival {
        let key = source * 100 + sequence as u32;
        Arrival {
            cycle,
            source,
            sequence,
            key,
            payload: None,
        }
    }

    #[test]
    fn packets_arrive_in_order_of_time_source_and_sequence() {
        let (mut c, r) = comms(8);
        for a in [
            arrival(30, 2, 0),
            arrival(20, 3, 1),
            arrival(20, 1, 5),
            arrival(20, 3, 0),
        ] {
            c.expect(a);
        }
        assert_eq!(c.read(r.dma_write, 19), Ok(RING));
        assert_eq!(c.read(r.dma_write, 20), Ok(RING + 12));
        assert_eq!(c.read(r.dma_n_words, 40), Ok(4));
        let stored: Vec<_> = c.take_stores().collect();
        assert_eq!(
            stored,
            [
                (RING, 105),
                (RING + 4, 300),
                (RING + 8, 301),
                (RING + 12, 200)
            ]
        );
    }

    /// Six packets reach a ring with room for three under this policy.
    fn overfull(policy: u32) -> (Comms, Registers) {
        let (mut c, r) = comms(4);
        c.registers.full_policy = policy;
        c.registers.full_wait_packets = 2;
        (0..6).for_each(|n| c.expect(arrival(n, 0, n)));
        assert_eq!(c.read(r.dma_n_words, 9), Ok(3));
        (c, r)
    }

    #[test]
    fn a_full_ring_may_give_up_its_oldest_packets() {
        let (mut c, r) = overfull(OVERWRITE);
        // Entries 3, 0 and 1 of four hold packets 3, 4 and 5.
        assert_eq!(c.read(r.dma_read, 9), Ok(RING + 12));
        let stored: Vec<_> = c.take_stores().collect();
        let last: Vec<_> = stored[stored.len() - 3..].iter().map(|s| s.1).collect();
        assert_eq!(last, [3, 4, 5]);
        assert_eq!((c.counts().received, c.counts().dropped), (6, 3));
    }

    #[test]
    fn packets_may_wait_for_room_in_the_order_in_which_they_came() {
        let (mut c, r) = overfull(WAIT);
        let counts = c.counts();
        assert_eq!((counts.received, counts.waited, counts.dropped), (3, 2, 1));
        c.take_stores().for_each(drop);
        // One entry is taken, so one of the two that wait comes in.
        c.write(r.dma_read, RING + 4, 20).expect("a pointer");
        assert_eq!(c.take_stores().collect::<Vec<_>>(), [(RING + 12, 3)]);
        // What comes now waits behind the other one.
        c.expect(arrival(30, 0, 7));
        c.write(r.dma_read, RING + 8, 31).expect("a pointer");
        assert_eq!(c.take_stores().collect::<Vec<_>>(), [(RING, 4)]);
        c.write(r.dma_read, RING, 40).expect("a pointer");
        assert_eq!(c.take_stores().collect::<Vec<_>>(), [(RING + 4, 7)]);
        assert_eq!((c.counts().received, c.counts().dropped), (6, 1));
    }

    #[test]
    fn a_full_ring_drops_and_a_wrapped_one_does_not() {
        let (mut c, r) = comms(4);
        for n in 0..5 {
            c.expect(arrival(10, 0, n));
        }
        c.advance(10);
        // One entry stays free to tell full from empty.
        assert_eq!((c.counts().received, c.counts().dropped), (3, 2));
        assert_eq!(c.read(r.dma_dropped, 11), Ok(2));
        c.write(r.dma_read, RING + 12, 12).expect("read pointer");
        for n in 0..2 {
            c.expect(arrival(20, 0, n));
        }
        c.advance(20);
        assert_eq!(c.read(r.dma_write, 21), Ok(RING + 4));
        assert_eq!(c.counts().high_water, 3);
    }

    #[test]
    fn an_access_beyond_the_horizon_waits() {
        let (mut c, r) = comms(4);
        assert_eq!(c.read(r.dma_write, 1000), Err(BusError::Refused));
        assert_eq!(c.take_blocked(), Some(1000));
        assert_eq!(c.take_blocked(), None);
        c.write(r.tkr, 7, 500).expect("send");
        assert_eq!(c.read(r.dma_write, 509), Ok(RING));
        assert_eq!(c.read(r.dma_write, 510), Err(BusError::Refused));
        let packet = Packet {
            cycle: 500,
            key: 7,
            payload: None,
        };
        assert_eq!(c.outbox(), &[packet]);
    }

    #[test]
    fn a_payload_goes_with_the_next_key_only() {
        let (mut c, r) = comms(4);
        for (register, value) in [(r.tdr, 40), (r.tdr, 41), (r.tkr, 1), (r.tkr, 2), (r.tdr, 0)] {
            c.write(register, value, 9).expect("takes it");
        }
        c.write(r.tkr, 3, 9).expect("takes it");
        let sent: Vec<_> = c.outbox().iter().map(|p| (p.key, p.payload)).collect();
        assert_eq!(sent, [(1, Some(41)), (2, None), (3, Some(0))]);
    }

    #[test]
    fn a_ring_with_payloads_holds_payload_then_key_and_wraps_by_entries() {
        let payloads = Target::spinnaker2().comms.dma_payload_value;
        let (mut c, r) = configured(payloads, 24);
        let with = |sequence, payload| Arrival {
            payload,
            ..arrival(10, 0, sequence)
        };
        for a in [with(7, Some(5)), with(8, None), with(9, Some(6))] {
            c.expect(a);
        }
        assert_eq!(c.read(r.dma_write, 10), Ok(RING + 16));
        let stored: Vec<_> = c.take_stores().collect();
        let words = [(0, 5), (4, 7), (8, 0), (12, 8)].map(|(at, word)| (RING + at, word));
        assert_eq!(stored, words);
        let counts = c.counts();
        assert_eq!(
            (counts.received, counts.dropped, counts.stripped),
            (2, 1, 0)
        );
        assert_eq!((counts.high_water, c.read(r.dma_n_words, 10)), (2, Ok(4)));
        // Half an entry is no place for a pointer.
        assert_eq!(c.write(r.dma_read, RING + 12, 11), Err(BusError::Refused));
        c.write(r.dma_read, RING + 16, 12).expect("read pointer");
        c.expect(Arrival {
            cycle: 20,
            ..with(10, Some(8))
        });
        assert_eq!(c.read(r.dma_write, 21), Ok(RING));
        let (mut odd, r) = configured(payloads, 24);
        assert_eq!(odd.write(r.dma_end, RING + 20, 0), Err(BusError::Refused));
    }

    #[test]
    fn a_read_pointer_beyond_the_horizon_takes_its_place_among_the_arrivals() {
        let run = |late: bool| {
            let (mut c, r) = comms(4);
            (0..3).for_each(|n| c.expect(arrival(10, 0, n)));
            assert_eq!(c.read(r.dma_write, 10), Ok(RING + 12));
            if late {
                c.set_horizon(15);
                assert_eq!(c.write(r.dma_read, RING + 8, 20), Ok(()));
                // What depends on arrivals still waits, and so does a second one.
                assert_eq!(c.read(r.dma_n_words, 21), Err(BusError::Refused));
                assert_eq!(c.write(r.dma_read, RING + 12, 22), Err(BusError::Refused));
                assert_eq!(c.take_blocked(), Some(22));
            }
            // One before it finds the ring full, one at its cycle too, two behind do not.
            for (n, cycle) in [(3, 18), (4, 20), (5, 21), (6, 30)] {
                c.expect(arrival(cycle, 0, n));
            }
            c.set_horizon(1000);
            if !late {
                assert_eq!(c.write(r.dma_read, RING + 8, 20), Ok(()));
            }
            let seen = (c.read(r.dma_n_words, 40), c.read(r.dma_dropped, 40));
            (seen, c.counts(), c.take_stores().collect::<Vec<_>>())
        };
        assert_eq!(run(true), run(false));
        assert_eq!(run(true).0, (Ok(3), Ok(2)));
    }

    #[test]
    fn a_ring_of_keys_drops_payloads_and_counts_them() {
        let (mut c, r) = comms(8);
        c.expect(Arrival {
            payload: Some(9),
            ..arrival(10, 0, 1)
        });
        c.expect(arrival(10, 0, 2));
        assert_eq!(c.read(r.dma_write, 10), Ok(RING + 8));
        assert_eq!(
            c.take_stores().collect::<Vec<_>>(),
            [(RING, 1), (RING + 4, 2)]
        );
        assert_eq!((c.counts().received, c.counts().stripped), (2, 1));
    }

    #[test]
    fn two_rings_share_packets_by_payload_and_raise_lines() {
        let (mut c, r) = comms(4);
        let l = Target::spinnaker2().rings;
        let second = l.second;
        assert_eq!(c.lines(), 0);
        for (register, value) in [
            (r.dma_start, 0x2000),
            (r.dma_end, 0x2018),
            (r.dma_config, r.dma_payload_value),
            (r.dma_limit, 4),
            (
                r.dma_control,
                r.dma_enable_value | l.enable_limit | l.enable_overrun,
            ),
        ] {
            assert_eq!(
                c.asks_for_interrupts(second + register, value),
                register == r.dma_control
            );
            c.write(second + register, value, 0).expect("takes it");
        }
        let with = |sequence, payload| Arrival {
            payload,
            ..arrival(10, 0, sequence)
        };
        (0..2).for_each(|n| c.expect(with(n, Some(7))));
        c.expect(with(2, None));
        assert_eq!(c.due(), Some(10));
        c.advance(10);
        let stored: Vec<_> = c.take_stores().collect();
        assert_eq!(
            stored,
            [
                (0x2000, 7),
                (0x2004, 0),
                (0x2008, 7),
                (0x200c, 1),
                (RING, 2)
            ]
        );
        assert_eq!(c.read(second + r.dma_n_words, 11), Ok(4));
        // Full of packets with payload: the first ring does not take them.
        assert_eq!(c.lines(), 1 << (l.limit_irq + 3));
        c.expect(Arrival {
            cycle: 12,
            ..with(3, Some(8))
        });
        c.advance(12);
        assert_eq!(c.counts().dropped, 1);
        assert_eq!(c.lines(), 1 << (l.limit_irq + 3) | 1 << (l.overrun_irq + 1));
        c.write(second + r.dma_dropped, 0, 13).expect("takes it");
        c.write(second + r.dma_read, 0x2008, 13).expect("takes it");
        assert_eq!(c.lines(), 0);
        // The first ring says that it is not empty, and then that it is full.
        let on = r.dma_enable_value | l.enable_not_empty | l.enable_full;
        c.write(r.dma_control, on, 14).expect("takes it");
        assert_eq!(c.lines(), 1 << l.not_empty_irq);
        (4..6).for_each(|n| {
            c.expect(Arrival {
                cycle: 15,
                ..with(n, None)
            })
        });
        c.advance(15);
        assert_eq!(c.lines(), 1 << l.not_empty_irq | 1 << l.full_irq);
        assert_eq!((c.due(), c.listens()), (None, true));
        // Without the first ring the second takes everything.
        c.write(r.dma_control, 0, 16).expect("takes it");
        c.take_stores().for_each(drop);
        c.expect(Arrival {
            cycle: 17,
            ..with(9, None)
        });
        c.advance(17);
        assert_eq!(
            c.take_stores().collect::<Vec<_>>(),
            [(0x2010, 0), (0x2014, 9)]
        );
    }

    #[test]
    fn identity_and_status_read_as_documented_and_wrong_rings_are_refused() {
        let (mut c, r) = comms(4);
        assert_eq!(c.read(r.id, 0), Ok(0x0102_0000 | 3 << 5 | 4 << 2 | 1));
        assert_eq!(c.read(r.tctl, 0), Ok(READY));
        assert_eq!(c.write(r.dma_read, RING + 2, 0), Err(BusError::Refused));
        assert_eq!(c.take_blocked(), None);
        assert_eq!(c.read(0x0, 0), Err(BusError::Refused));
    }
}
