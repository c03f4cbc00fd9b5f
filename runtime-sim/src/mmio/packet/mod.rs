//! Packets other than plain multicast: the rest of the communications controller.
//!
//! Channel A sends plain multicast packets, with one payload word at most, by
//! [`Comms`](super::comms::Comms), until something else is written to its `TCR`. Four
//! channels send everything else. `TCR` says what kind a channel's packets are and how
//! many payload words they have; the payload words are what `TDR` holds; writing `TKR`
//! sends. What a key is depends on the kind:
//!
//! | kind | key | goes to |
//! |---|---|---|
//! | multicast | key | where the router sends it |
//! | core-to-core | chip 31:16, PE 7:0, as in the identity register | that PE |
//! | memory write | NoC address of the own chip | memory: the payload is stored |
//! | memory read | NoC address of the own chip | memory: what is there comes back as a packet |
//! | direct | key | PEs of one QPE that `TCR` names, without the router |
//! | message | PE 7:0 | the interrupt line for messages at that PE |
//! | nearest neighbour | NoC address on the chip beyond the link in `TCR` | the PE of that address |
//!
//! Packets that no ring takes wait in a queue, whose first one is in `RCR`, `RDR` and
//! `RKR`; reading `RKR` takes it away. A packet that finds the queue full is lost and
//! counted in `RDC`. Control bit 0 enables the queue, bit 1 its interrupt lines, one for
//! each kind, which are high while the first packet is of that kind; bit 2 a line that is
//! high while any packet waits, bit 3 one that is high while `RDC` is not zero.

mod kinds;

pub use kinds::{Coming, Kind, Payload, Sent, Way};

use crate::cpu::BusError;
use crate::mmio::comms::OUTBOX_LIMIT;
use crate::mmio::ipi::Ipi;
use crate::remote::{AddressMap, Completion, Kind as Access, Mesh, Place, Port, Reach, owner};
use ir::Target;
use ir::geometry::{ChipCoord, GlobalPe, PeCoord};
use ir::image::Coupling;
use ir::target::Packet as Registers;
use std::collections::VecDeque;

/// Offset of the payload registers and of the key in a channel.
const KEY: u32 = 0x14;
const ENABLE: u32 = 1;
const INTERRUPT: u32 = 2;
const INFO: u32 = 4;
const OVERRUN: u32 = 8;
const LINES: u32 = INTERRUPT | INFO | OVERRUN;
/// Set in `RCR` while a packet waits.
const PRESENT: u32 = 1 << 31;

/// The payload word behind a register: the last register is the first word.
fn payload_word(offset: u32) -> usize {
    (4_u32.saturating_sub(offset / 4) & 3) as usize
}

/// What happened in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketStats {
    pub sent: u64,
    pub received: u64,
    /// Packets that came while the queue was full or not enabled.
    pub dropped: u64,
    /// Packets for a PE that has no program, or memory that does not exist.
    pub lost: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Channel {
    control: u32,
    words: [u32; 4],
}

/// The controller's part for such packets.
#[derive(Clone, Debug)]
pub struct Packets {
    pe: GlobalPe,
    registers: Registers,
    map: AddressMap,
    mesh: Mesh,
    channels: [Channel; 4],
    /// Where channel A's plain registers are.
    plain: [u32; 2],
    control: u32,
    dropped: u32,
    queue: VecDeque<Coming>,
    coming: Vec<Coming>,
    outbox: Vec<Sent>,
    sequence: u64,
    reads: Vec<(u32, u32)>,
    next_read: u32,
    horizon: u64,
    blocked: Option<u64>,
    stats: PacketStats,
}

impl Packets {
    pub fn new(target: &Target, pe: GlobalPe) -> Self {
        Self {
            pe,
            registers: target.packet.clone(),
            map: AddressMap::new(target),
            mesh: Mesh::new(target),
            channels: [Channel::default(); 4],
            plain: [target.comms.tdr, target.comms.tkr],
            control: 0,
            dropped: 0,
            queue: VecDeque::new(),
            coming: Vec::new(),
            outbox: Vec::new(),
            sequence: 0,
            reads: Vec::new(),
            next_read: 0,
            horizon: 0,
            blocked: None,
            stats: PacketStats::default(),
        }
    }

    /// Whether the register at `offset` is here.
    pub fn has(&self, offset: u32) -> bool {
        let r = &self.registers;
        if self.plain.contains(&offset) {
            return self.channels[0].control != 0;
        }
        let channel = offset < 4 * r.channel_stride && offset % r.channel_stride <= KEY;
        (channel || (r.receive..=r.receive + 0x1c).contains(&offset)) && offset.is_multiple_of(4)
    }

    /// Up to (not including) which time arrivals are known.
    pub fn set_horizon(&mut self, time: u64) {
        self.horizon = time;
    }

    /// The time, once, of an access that was refused only because it came too early.
    pub fn take_blocked(&mut self) -> Option<u64> {
        self.blocked.take()
    }

    /// Whether packets were sent since the last call of [`Packets::take_sent`].
    pub fn has_sent(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Whether so many were that others must run.
    pub fn outbox_full(&self) -> bool {
        self.outbox.len() >= OUTBOX_LIMIT
    }

    /// Packets sent since the last call.
    pub fn take_sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.outbox)
    }

    /// Packets that have not arrived yet.
    pub fn in_flight(&self) -> usize {
        self.coming.len()
    }

    /// A packet is on its way here.
    pub fn expect(&mut self, coming: Coming) {
        let place = self.coming.partition_point(|c| *c <= coming);
        self.coming.insert(place, coming);
    }

    /// A packet was not delivered.
    pub fn lose(&mut self) {
        self.stats.lost += 1;
    }

    /// When something happens that the program may see without asking.
    pub fn due(&self) -> Option<u64> {
        let listens = self.control & LINES != 0;
        self.coming.first().filter(|_| listens).map(|c| c.time)
    }

    /// Packets arrive until `time`.
    pub fn expire(&mut self, time: u64) {
        let n = self.coming.partition_point(|c| c.time <= time);
        for packet in self.coming.drain(..n) {
            let full = self.queue.len() >= self.registers.queue as usize;
            if self.control & ENABLE == 0 || full {
                self.dropped = self.dropped.saturating_add(1);
                self.stats.dropped += 1;
            } else {
                self.queue.push_back(packet);
                self.stats.received += 1;
            }
        }
    }

    /// Levels of interrupt lines.
    pub fn lines(&self) -> u64 {
        let r = &self.registers;
        let more = [
            (INFO, !self.queue.is_empty(), r.info_irq),
            (OVERRUN, self.dropped != 0, r.overrun_irq),
        ];
        let high = more
            .iter()
            .filter(|(bit, high, _)| *high && self.control & bit != 0);
        let more: u64 = high.map(|(_, _, irq)| 1 << (irq & 63)).sum();
        more | match self.queue.front() {
            Some(first) if self.control & INTERRUPT != 0 => match first.kind {
                Kind::Multicast | Kind::Direct => 1 << (r.multicast_irq & 63),
                Kind::CoreToCore | Kind::Memory => 1 << (r.core_irq & 63),
                Kind::Neighbour => 1 << (r.neighbour_irq & 63),
            },
            _ => 0,
        }
    }

    /// Counts since the last call.
    pub fn take_stats(&mut self) -> PacketStats {
        std::mem::take(&mut self.stats)
    }

    fn synchronise(&mut self, time: u64) -> Result<(), BusError> {
        if time >= self.horizon {
            self.blocked = Some(time);
            return Err(BusError::Refused);
        }
        self.expire(time);
        Ok(())
    }

    fn code(&self, kind: Kind) -> u32 {
        let r = &self.registers;
        match kind {
            Kind::Multicast | Kind::Direct => r.multicast,
            Kind::CoreToCore => r.core_to_core,
            Kind::Neighbour => r.neighbour,
            Kind::Memory => r.memory_read,
        }
    }

    /// Reads the register at `offset`.
    pub fn read(&mut self, offset: u32, time: u64) -> Result<u32, BusError> {
        let (stride, receive) = (self.registers.channel_stride, self.registers.receive);
        if offset < 4 * stride {
            let channel = self.channels[(offset / stride) as usize & 3];
            return Ok(match offset % stride {
                0 => channel.control,
                KEY => 0,
                word => channel.words[payload_word(word)],
            });
        }
        self.synchronise(time)?;
        let first = self.queue.front().copied();
        Ok(match offset - receive {
            0 => first.map_or(0, |p| {
                PRESENT | u32::from(p.payload.count) << 4 | self.code(p.kind)
            }),
            0x14 => {
                self.queue.pop_front();
                first.map_or(0, |p| p.key)
            }
            0x18 => self.dropped,
            0x1c => self.control,
            word => first.map_or(0, |p| p.payload.words[payload_word(word)]),
        })
    }

    /// Writes the register at `offset`.
    pub fn write(
        &mut self,
        (port, ipi): (&mut Port, &Ipi),
        offset: u32,
        value: u32,
        time: u64,
    ) -> Result<(), BusError> {
        let (stride, receive) = (self.registers.channel_stride, self.registers.receive);
        if offset < 4 * stride {
            let index = (offset / stride) as usize & 3;
            return match offset % stride {
                0 => {
                    self.channels[index].control = value;
                    Ok(())
                }
                KEY => self.send((port, ipi), index, value, time),
                word => {
                    self.channels[index].words[payload_word(word)] = value;
                    Ok(())
                }
            };
        }
        match offset - receive {
            0x18 => self.dropped = 0,
            0x1c if value & !(ENABLE | LINES) == 0 => {
                if value & LINES != 0 {
                    // Who is interrupted by others can't run ahead of them.
                    port.declared(Coupling::Window)?;
                }
                self.synchronise(time)?;
                self.control = value;
            }
            _ => return Err(BusError::Refused),
        }
        Ok(())
    }

    fn send(
        &mut self,
        (port, ipi): (&mut Port, &Ipi),
        index: usize,
        key: u32,
        time: u64,
    ) -> Result<(), BusError> {
        let r = &self.registers;
        let channel = self.channels[index];
        let control = channel.control;
        let words = match control >> r.payload_shift & 3 {
            3 => 4,
            n => n as usize,
        };
        let payload = Payload::of(&channel.words[..words]);
        let here = |id: u32| {
            let pe = PeCoord::new((id >> 5 & 7) as u8, (id >> 2 & 7) as u8, (id & 3) as u8);
            pe.ok_or(BusError::Refused)
        };
        let (kind, way) = match control & 0xf {
            code if code == r.multicast => (Kind::Multicast, Way::Routed),
            code if code == r.core_to_core => {
                let chip = ChipCoord {
                    x: (key >> 24) as u16,
                    y: (key >> 16 & 0xff) as u16,
                };
                let pe = here(key)?;
                (Kind::CoreToCore, Way::Core(GlobalPe { chip, pe }))
            }
            code if code == r.neighbour => {
                let link = (control >> r.link_shift & 7) as u8;
                let GlobalPe { pe, .. } = match self.map.place(self.pe, key) {
                    Some(Place::Sram { pe, .. }) if link < 6 => pe,
                    _ => return Err(BusError::Refused),
                };
                (Kind::Neighbour, Way::Link { link, pe })
            }
            code if code == r.direct => {
                port.declared(Coupling::Window)?;
                let way = Way::Direct {
                    x: (control >> r.qpe_x_shift & 7) as u8,
                    y: (control >> r.qpe_y_shift & 7) as u8,
                    mask: (control >> r.mask_shift & 15) as u8,
                };
                (Kind::Direct, way)
            }
            code if code == r.message => {
                let to = GlobalPe {
                    pe: here(key)?,
                    ..self.pe
                };
                return ipi.send_message(port, to, time);
            }
            code if code == r.memory_write => return self.store(port, key, payload, time),
            code if code == r.memory_read => return self.load(port, key, words as u32, time),
            _ => return Err(BusError::Refused),
        };
        self.stats.sent += 1;
        self.sequence += 1;
        self.outbox.push(Sent {
            time,
            sequence: self.sequence,
            kind,
            way,
            key,
            payload,
        });
        // The packet may come back to this very PE.
        self.horizon = self.horizon.min(time + 1);
        Ok(())
    }

    /// Memory on the NoC, and when a packet is there.
    fn memory(&self, addr: u32, time: u64) -> Result<(Place, Reach), BusError> {
        match self.map.place(self.pe, addr) {
            Some(place @ (Place::Sram { .. } | Place::Window { .. } | Place::Dram { .. })) => {
                Ok((place, self.mesh.reach(self.pe.pe, place, time, 0)))
            }
            _ => Err(BusError::Unmapped),
        }
    }

    fn store(
        &mut self,
        port: &mut Port,
        addr: u32,
        payload: Payload,
        time: u64,
    ) -> Result<(), BusError> {
        port.declared(Coupling::Window)?;
        let (to, at) = self.memory(addr, time)?;
        let bytes: Vec<u8> = payload
            .words()
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect();
        if bytes.is_empty() {
            return Err(BusError::Refused);
        }
        self.stats.sent += 1;
        port.ask(time, at, owner::PACKET, Access::Write { to, bytes })?;
        Ok(())
    }

    fn load(&mut self, port: &mut Port, addr: u32, words: u32, time: u64) -> Result<(), BusError> {
        port.declared(Coupling::Window)?;
        let (from, at) = self.memory(addr, time)?;
        if words == 0 {
            return Err(BusError::Refused);
        }
        self.next_read = self.next_read % 0xff_fffe + 1;
        self.reads.push((self.next_read, addr));
        self.stats.sent += 1;
        let tag = owner::PACKET | self.next_read;
        let len = 4 * words;
        port.ask(time, at, tag, Access::Read { from, len })?;
        Ok(())
    }

    /// Memory has answered.
    pub fn complete(&mut self, completion: &Completion) {
        if completion.fault.is_some() {
            self.stats.lost += 1;
        }
        let tag = completion.tag & 0xff_ffff;
        let Some(place) = self.reads.iter().position(|&(t, _)| t == tag) else {
            return;
        };
        let (_, key) = self.reads.swap_remove(place);
        if completion.fault.is_some() {
            return;
        }
        let word = |c: &[u8]| c.iter().rev().fold(0, |w, &b| w << 8 | u32::from(b));
        let words: Vec<u32> = completion.data.chunks(4).map(word).collect();
        self.expect(Coming {
            time: completion.at,
            source: u32::MAX,
            sequence: u64::from(tag),
            kind: Kind::Memory,
            key,
            payload: Payload::of(&words),
        });
    }
}
