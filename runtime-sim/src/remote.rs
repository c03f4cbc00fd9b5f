//! Memory that a PE reaches outside its own SRAM.
//!
//! A device, or the core through its bus, *asks*: a [`Request`] names a place and the
//! machine time at which the access happens. The scheduler carries requests out in
//! order of (time, PE, sequence), each when no PE that it concerns can still act
//! before that time, and answers with a [`Completion`].
//!
//! Since PEs run ahead of each other, each of them must announce what it does to the
//! others in time: a request is carried out [`Port::lookahead`] after it was asked for
//! at the earliest. A program says in [`Coupling`] how it reaches others. One that says
//! it does not is refused; the others pay with turns that are no longer than the
//! lookahead.

use crate::cpu::BusError;
use ir::Target;
use ir::geometry::{GlobalPe, PeCoord};
use ir::image::Coupling;
use std::fmt;

/// Bytes of one request at most: the guest must not make the host copy without end.
pub const MAX_BYTES: u32 = 1 << 20;

/// Memory outside a PE, on its chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// SRAM of a PE, which may be the asking one.
    Sram { pe: GlobalPe, addr: u32 },
    /// The same of a PE of the own QPE, through the QPE's crossbar: only if it is shared.
    Window { pe: GlobalPe, addr: u32 },
    /// What PEs of the asking PE's QPE share: bit p is the SRAM of PE p.
    Share,
    /// DRAM of the asking PE's chip.
    Dram { offset: u32 },
    /// A lock of the chip: reading takes it and gives a word that says whether it was
    /// taken before, writing frees it.
    Lock { index: u32 },
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Read {
        from: Place,
        len: u32,
    },
    Write {
        to: Place,
        bytes: Vec<u8>,
    },
    /// Pulses of interrupt lines of another PE.
    Interrupt {
        pe: GlobalPe,
        lines: u64,
    },
}

/// One access to memory outside a PE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Machine time at which it happens if nothing is in the way.
    pub at: u64,
    /// Machine time before that at which its first flit enters the mesh; 0 if it does
    /// not go over the mesh.
    pub over: u64,
    /// Who asked: see [`owner`].
    pub tag: u32,
    pub kind: Kind,
}

/// When a request that is made is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// See [`Request`].
    pub at: u64,
    pub over: u64,
}

impl Reach {
    /// At `at`, without a way over the mesh.
    pub fn beside(at: u64) -> Self {
        Self { at, over: 0 }
    }
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Machine time at which the asking PE knows.
    pub at: u64,
    pub tag: u32,
    /// What was read.
    pub data: Vec<u8>,
    /// Why nothing was read or written.
    pub fault: Option<RemoteFault>,
}

/// First tag of each device; the low 24 bits are the device's own.
pub mod owner {
    /// Loads and stores of the core.
    pub const CORE: u32 = 0;
    /// Block DMA.
    pub const DMA: u32 = 1 << 24;
    /// The MAC array.
    pub const MLA: u32 = 2 << 24;
    /// Memory packets of the communications controller.
    pub const PACKET: u32 = 3 << 24;
    /// Interrupts of other PEs, which are not answered.
    pub const IPI: u32 = 4 << 24;
    /// The device of a tag.
    pub fn of(tag: u32) -> u32 {
        tag & 0xff00_0000
    }
}

/// Why an access to memory outside a PE was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RemoteFault {
    /// No memory at this address, or not that much of it.
    Outside,
    /// The PE has no program, so it is not part of the emulated machine.
    NoProgram,
    /// DRAM is accessed in aligned units only.
    Unaligned,
    /// The beginning of a DRAM interface is reserved.
    Reserved,
    /// A transfer stays in one DRAM interface.
    CrossesInterface,
    /// More bytes than one request may have, or none.
    Length,
    /// The device was at work already.
    Busy,
    /// No such command.
    Command,
    /// Its PE does not share its SRAM in the window.
    Closed,
}

impl RemoteFault {
    /// As error registers show it; none is 0.
    pub fn code(self) -> u32 {
        match self {
            Self::Outside => 1,
            Self::NoProgram => 2,
            Self::Unaligned => 3,
            Self::Reserved => 4,
            Self::CrossesInterface => 5,
            Self::Length => 6,
            Self::Busy => 7,
            Self::Command => 8,
            Self::Closed => 9,
        }
    }
}

impl fmt::Display for RemoteFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outside => "no memory there",
            Self::NoProgram => "the other PE has no program",
            Self::Unaligned => "DRAM address or length not aligned",
            Self::Reserved => "reserved DRAM",
            Self::CrossesInterface => "it crosses from one DRAM interface to the other",
            Self::Length => "no bytes, or too many",
            Self::Busy => "the device was busy",
            Self::Command => "no such command",
            Self::Closed => "the other PE does not share its memory",
        })
    }
}

/// Where addresses lead that are not local SRAM and no device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressMap {
    sram_bytes: u32,
    sram_base: u32,
    sram_shift: u32,
    window_base: u32,
    dram_base: u32,
    dram_bytes: u32,
    locks: u32,
    lock_count: u32,
    share: u32,
}

impl AddressMap {
    pub fn new(target: &Target) -> Self {
        Self {
            sram_bytes: target.memory.sram_bytes,
            sram_base: target.remote.sram_base,
            sram_shift: target.remote.sram_shift,
            window_base: target.remote.window_base,
            dram_base: target.dram.window_base,
            dram_bytes: target.dram.bytes,
            locks: target.ipi.locks,
            lock_count: target.ipi.lock_count,
            share: target.ipi.base.wrapping_add(target.ipi.share_config),
        }
    }

    /// What `pe` finds at `addr`; `None` if that is nobody's memory. Whether the PE
    /// and its memory exist is found out when the request is carried out.
    pub fn place(&self, pe: GlobalPe, addr: u32) -> Option<Place> {
        let in_window = addr.wrapping_sub(self.window_base);
        if addr >= self.window_base && in_window >> self.sram_shift < 4 {
            let p = (in_window >> self.sram_shift) as u8;
            let pe = GlobalPe {
                chip: pe.chip,
                pe: PeCoord::new(pe.pe.x(), pe.pe.y(), p)?,
            };
            let addr = in_window & ((1 << self.sram_shift) - 1);
            return Some(Place::Window { pe, addr });
        }
        if addr == self.share {
            return Some(Place::Share);
        }
        let in_dram = addr.wrapping_sub(self.dram_base);
        if addr >= self.dram_base && in_dram < self.dram_bytes {
            return Some(Place::Dram { offset: in_dram });
        }
        let lock = addr.wrapping_sub(self.locks);
        if lock.is_multiple_of(4) && lock / 4 < self.lock_count {
            return Some(Place::Lock { index: lock / 4 });
        }
        let on_noc = addr.wrapping_sub(self.sram_base);
        let id = on_noc >> self.sram_shift;
        if addr >= self.sram_base && id < 256 {
            let pe = GlobalPe {
                chip: pe.chip,
                pe: PeCoord::new((id >> 5) as u8, (id >> 2 & 7) as u8, (id & 3) as u8)?,
            };
            let addr = on_noc & ((1 << self.sram_shift) - 1);
            return Some(Place::Sram { pe, addr });
        }
        None
    }

    /// Bytes of local SRAM, on every PE.
    pub fn sram_bytes(&self) -> u32 {
        self.sram_bytes
    }
}

/// Machine time between asking and the access, at least.
pub fn lookahead(target: &Target, coupling: Coupling) -> u64 {
    let device = u64::from(target.dma.setup_cycles);
    match coupling {
        Coupling::None => u64::MAX,
        Coupling::Dma => device.max(1),
        Coupling::Window => u64::from(target.remote.window_stall).min(device).max(1),
    }
}

/// Machine time of ways over an empty mesh; what is in the way makes them longer (see
/// `chip::data`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mesh {
    hop: u64,
    ends: u64,
    bytes_per_cycle: u32,
    flit_bytes: u32,
}

impl Mesh {
    pub fn new(target: &Target) -> Self {
        let noc = |cycles: u32| {
            (u64::from(cycles) * target.clock.pe_high_hz).div_ceil(target.clock.noc_hz)
        };
        Self {
            hop: noc(target.router.hop_cycles),
            ends: noc(target.remote.entry_cycles.saturating_mul(2)),
            bytes_per_cycle: target.dma.bytes_per_cycle,
            flit_bytes: target.remote.flit_bytes,
        }
    }

    /// From one PE into the NoC, over it, and out of it at another.
    pub fn way(&self, from: PeCoord, to: PeCoord) -> u64 {
        self.hop * u64::from(from.hops(to)) + self.ends
    }

    /// When a request of `pe` reaches `place`, sent at `time`, what it carries taking
    /// `moving` to pass. The way to DRAM is part of the latency of DRAM.
    pub fn reach(&self, pe: PeCoord, place: Place, time: u64, moving: u64) -> Reach {
        let reach = |way: u64, over: u64| Reach {
            at: time.saturating_add(way),
            over,
        };
        match place {
            // Devices have no part in the crossbar: they reach the window as any memory.
            Place::Sram { pe: to, .. } | Place::Window { pe: to, .. } => {
                let way = self.way(pe, to.pe) + moving;
                reach(way, way - self.entry())
            }
            // DRAM itself counts the time of the bytes.
            Place::Dram { .. } => reach(self.entry(), 1),
            Place::Lock { .. } | Place::Share => reach(self.entry(), 0),
        }
    }

    /// Flits that `len` bytes take.
    pub fn flits(&self, len: u32) -> u64 {
        u64::from(len.div_ceil(self.flit_bytes).max(1))
    }

    /// From a PE into the NoC.
    pub fn entry(&self) -> u64 {
        self.ends / 2
    }

    /// Until `len` bytes have passed, one after the other.
    pub fn moving(&self, len: u32) -> u64 {
        u64::from(len.div_ceil(self.bytes_per_cycle))
    }
}

/// Where the devices of a PE put what they ask for.
#[derive(Clone, Debug)]
pub struct Port {
    coupling: Coupling,
    lookahead: u64,
    asked: Vec<Request>,
    /// An access of the core was refused until this time, when it is to be repeated.
    blocked: Option<u64>,
    undeclared: Option<Coupling>,
}

impl Port {
    pub fn new(target: &Target, coupling: Coupling) -> Self {
        Self {
            coupling,
            lookahead: lookahead(target, coupling),
            asked: Vec::new(),
            blocked: None,
            undeclared: None,
        }
    }

    pub fn coupling(&self) -> Coupling {
        self.coupling
    }

    /// Machine time between asking and the access, at least.
    pub fn lookahead(&self) -> u64 {
        self.lookahead
    }

    /// Refuses what takes more than the program has declared; the run then ends with
    /// a diagnostic that says so.
    pub fn declared(&mut self, needs: Coupling) -> Result<(), BusError> {
        if self.coupling < needs {
            self.undeclared = Some(needs);
            return Err(BusError::Refused);
        }
        Ok(())
    }

    /// Asks at time `now` for `kind` when `reach` says, or later if that is too soon;
    /// gives the time at which it happens at the earliest. The caller must have the core
    /// return to the scheduler.
    pub fn ask(&mut self, now: u64, reach: Reach, tag: u32, kind: Kind) -> Result<u64, BusError> {
        self.declared(Coupling::Dma)?;
        let at = reach.at.max(now.saturating_add(self.lookahead));
        let over = reach.over;
        self.asked.push(Request {
            at,
            over,
            tag,
            kind,
        });
        Ok(at)
    }

    /// The core's access must be repeated at `at`.
    pub fn block(&mut self, at: u64) {
        self.blocked = Some(at);
    }

    /// Whether the scheduler has to look.
    pub fn has_asked(&self) -> bool {
        !self.asked.is_empty()
    }

    /// The earliest time that was asked for and is not known to the scheduler.
    pub fn first(&self) -> u64 {
        self.asked.iter().map(|r| r.at).min().unwrap_or(u64::MAX)
    }

    /// What was asked for since the last call.
    pub fn take(&mut self) -> std::vec::Drain<'_, Request> {
        self.asked.drain(..)
    }

    /// See [`Port::block`]; once.
    pub fn take_blocked(&mut self) -> Option<u64> {
        self.blocked.take()
    }

    /// What was used without having been declared.
    pub fn undeclared(&self) -> Option<Coupling> {
        self.undeclared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::geometry::ChipCoord;

    fn at(x: u8, y: u8, p: u8) -> GlobalPe {
        GlobalPe {
            chip: ChipCoord { x: 3, y: 4 },
            pe: PeCoord::new(x, y, p).expect("in the byte"),
        }
    }

    #[test]
    fn addresses_lead_where_the_map_says() {
        let map = AddressMap::new(&Target::spinnaker2());
        let me = at(2, 5, 1);
        let sram = |pe, addr| Some(Place::Sram { pe, addr });
        let window = |pe, addr| Some(Place::Window { pe, addr });
        assert_eq!(map.place(me, 0x0008_0010), window(at(2, 5, 0), 0x10));
        assert_eq!(map.place(me, 0x000f_fffc), window(at(2, 5, 3), 0x1_fffc));
        assert_eq!(map.place(me, 0xf200_0220), Some(Place::Share));
        let id = u32::from(at(6, 1, 2).pe.id());
        let noc = 0xf000_0000 | id << 17 | 0x1234;
        assert_eq!(map.place(me, noc), sram(at(6, 1, 2), 0x1234));
        assert_eq!(
            map.place(me, 0x2000_0400),
            Some(Place::Dram { offset: 0x400 })
        );
        let last = Some(Place::Dram {
            offset: 0x7fff_ffff,
        });
        assert_eq!(map.place(me, 0x9fff_ffff), last);
        assert_eq!(map.place(me, 0xf600_20bc), Some(Place::Lock { index: 15 }));
        for nobody in [
            0x2_0000,
            0x7_fffc,
            0x10_0000,
            0x1fff_fffc,
            0xa000_0000,
            0xf600_20c0,
        ] {
            assert_eq!(map.place(me, nobody), None, "{nobody:#x}");
        }
    }

    #[test]
    fn what_is_asked_for_is_announced_in_time() {
        let target = Target::spinnaker2();
        let read = || Kind::Read {
            from: Place::Dram { offset: 0x400 },
            len: 16,
        };
        let mut none = Port::new(&target, Coupling::None);
        assert!(
            none.ask(10, Reach::beside(500), owner::DMA, read())
                .is_err()
        );
        assert_eq!(none.undeclared(), Some(Coupling::Dma));
        let mut dma = Port::new(&target, Coupling::Dma);
        assert_eq!(dma.ask(10, Reach::beside(500), owner::DMA, read()), Ok(500));
        assert_eq!(dma.ask(10, Reach::beside(20), owner::DMA, read()), Ok(110));
        assert_eq!(
            (dma.first(), dma.take().count(), dma.first()),
            (110, 2, u64::MAX)
        );
        assert!(dma.declared(Coupling::Window).is_err());
        let mut window = Port::new(&target, Coupling::Window);
        assert_eq!(
            window.ask(10, Reach::beside(10), owner::CORE, read()),
            Ok(13)
        );
    }

    #[test]
    fn ways_count_hops_and_both_ends() {
        let mesh = Mesh::new(&Target::spinnaker2());
        assert_eq!(mesh.way(at(1, 1, 0).pe, at(1, 1, 3).pe), 10);
        assert_eq!(mesh.way(at(1, 1, 0).pe, at(4, 6, 0).pe), 10 + 8 * 5);
        assert_eq!((mesh.entry(), mesh.moving(1), mesh.moving(33)), (5, 1, 3));
        assert_eq!((mesh.flits(1), mesh.flits(16), mesh.flits(33)), (1, 1, 3));
        let sram = Place::Sram {
            pe: at(4, 6, 0),
            addr: 0,
        };
        let reach = |place, moving| {
            let reach = mesh.reach(at(1, 1, 0).pe, place, 1000, moving);
            (reach.at, reach.over)
        };
        // The mesh is entered 5 after the start; 8 hops and 5 more to memory.
        assert_eq!(reach(sram, 7), (1000 + 50 + 7, 40 + 5 + 7));
        assert_eq!(reach(Place::Dram { offset: 0 }, 0), (1005, 1));
        assert_eq!(reach(Place::Lock { index: 0 }, 0), (1005, 0));
    }
}
