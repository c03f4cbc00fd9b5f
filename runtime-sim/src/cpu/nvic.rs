//! Interrupt controller and system control block: state and register access.
//!
//! Faults are not vectored (see [`fault`](super::fault)), so of the system exceptions
//! only SVCall and PendSV have state here.

use super::fault::BusError;
use super::memory::Size;

/// Number of external interrupt lines.
pub const LINES: usize = 64;

/// Exception number of SVCall.
pub const SVCALL: u16 = 11;
/// Exception number of PendSV.
pub const PENDSV: u16 = 14;
/// Exception number of external interrupt 0.
pub const IRQ0: u16 = 16;

/// Priority of thread mode: below everything that can be configured.
pub(super) const THREAD_PRIORITY: i32 = 256;
/// Only the upper five bits of a priority exist.
const PRIORITY_MASK: u8 = 0xf8;

/// CCR bit: division by zero faults.
pub(super) const CCR_DIV_0_TRP: u32 = 1 << 4;
/// CCR bit: unaligned accesses fault.
pub(super) const CCR_UNALIGN_TRP: u32 = 1 << 3;
/// CCR bit: 8-byte stack alignment on exception entry.
pub(super) const CCR_STKALIGN: u32 = 1 << 9;
/// SCR bit: sleep when returning to thread mode.
pub(super) const SCR_SLEEPONEXIT: u32 = 1 << 1;
/// SCR bit: a newly pending interrupt is an event.
pub(super) const SCR_SEVONPEND: u32 = 1 << 4;
/// FPCCR bit: FP context is saved automatically.
pub(super) const FPCCR_ASPEN: u32 = 1 << 31;
/// FPCCR bit: FP context is saved lazily.
pub(super) const FPCCR_LSPEN: u32 = 1 << 30;
/// FPCCR bit: a lazy save is outstanding.
pub(super) const FPCCR_LSPACT: u32 = 1;

/// Registers of the system control space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nvic {
    pub(super) enabled: u64,
    pub(super) pending: u64,
    pub(super) active: u64,
    /// Lines that are high now; a line still high when its handler returns is pending again.
    pub(super) level: u64,
    priority: [u8; LINES],
    /// Priorities of exceptions 4 to 15.
    system_priority: [u8; 12],
    pub(super) svcall_active: bool,
    pub(super) pendsv_active: bool,
    pub(super) pendsv_pending: bool,
    pub(super) vtor: u32,
    prigroup: u8,
    pub(super) scr: u32,
    pub(super) ccr: u32,
    shcsr: u32,
    pub(super) cpacr: u32,
    pub(super) fpccr: u32,
    pub(super) fpcar: u32,
    pub(super) fpdscr: u32,
}

/// What a register write asks of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    None,
    Reset,
}

impl Nvic {
    pub(super) fn new(lazy_fp: bool) -> Nvic {
        Nvic {
            enabled: 0,
            pending: 0,
            active: 0,
            level: 0,
            priority: [0; LINES],
            system_priority: [0; 12],
            svcall_active: false,
            pendsv_active: false,
            pendsv_pending: false,
            vtor: 0,
            prigroup: 0,
            scr: 0,
            ccr: CCR_STKALIGN,
            shcsr: 0,
            cpacr: 0,
            fpccr: FPCCR_ASPEN | if lazy_fp { FPCCR_LSPEN } else { 0 },
            fpcar: 0,
            fpdscr: 0,
        }
    }

    /// True if CPACR lets this code use the FPU.
    pub(super) fn fpu_enabled(&self, privileged: bool) -> bool {
        match self.cpacr >> 20 & 0xf {
            0b1111 => true,
            0b0101 => privileged,
            _ => false,
        }
    }

    fn priority_of(&self, exception: u16) -> u8 {
        match exception {
            4..=15 => self.system_priority[usize::from(exception) - 4],
            n => self.priority[usize::from(n.saturating_sub(IRQ0)) & (LINES - 1)],
        }
    }

    /// The part of a priority that decides about preemption.
    pub(super) fn group(&self, priority: u8) -> i32 {
        i32::from(priority) & !((2 << self.prigroup) - 1)
    }

    /// The priority of the most urgent active exception.
    pub(super) fn active_priority(&self) -> i32 {
        let mut lowest = THREAD_PRIORITY;
        for n in lines(self.active) {
            lowest = lowest.min(self.group(self.priority[n]));
        }
        if self.svcall_active {
            lowest = lowest.min(self.group(self.priority_of(SVCALL)));
        }
        if self.pendsv_active {
            lowest = lowest.min(self.group(self.priority_of(PENDSV)));
        }
        lowest
    }

    /// The pending and enabled exception that comes first, with its group priority.
    pub(super) fn first_pending(&self) -> Option<(u16, i32)> {
        let mut first: Option<(u8, u16)> = None;
        if self.pendsv_pending {
            first = Some((self.priority_of(PENDSV), PENDSV));
        }
        for n in lines(self.enabled & self.pending) {
            let candidate = (self.priority[n], n as u16 + IRQ0);
            if first.is_none_or(|best| candidate < best) {
                first = Some(candidate);
            }
        }
        first.map(|(priority, n)| (n, self.group(priority)))
    }

    /// Group priority of SVCall.
    pub(super) fn svcall_priority(&self) -> i32 {
        self.group(self.priority_of(SVCALL))
    }

    /// Pending becomes active.
    pub(super) fn activate(&mut self, exception: u16) {
        match exception {
            SVCALL => self.svcall_active = true,
            PENDSV => {
                self.pendsv_pending = false;
                self.pendsv_active = true;
            }
            n => {
                let bit = line(n);
                self.pending &= !bit;
                self.active |= bit;
            }
        }
    }

    /// Ends an exception; false if it was not active.
    pub(super) fn deactivate(&mut self, exception: u16) -> bool {
        match exception {
            SVCALL => std::mem::take(&mut self.svcall_active),
            PENDSV => std::mem::take(&mut self.pendsv_active),
            n => {
                let bit = line(n);
                let was = self.active & bit != 0;
                self.active &= !bit;
                self.pending |= self.level & bit;
                was
            }
        }
    }

    /// Number of active exceptions.
    pub(super) fn active_count(&self) -> u32 {
        self.active.count_ones() + u32::from(self.svcall_active) + u32::from(self.pendsv_active)
    }

    /// Reads the register at `addr` (0xE000_E000 to 0xE000_EFFF).
    pub(super) fn read(&self, addr: u32, size: Size, ipsr: u16) -> Result<u32, BusError> {
        let offset = addr & 0xfff;
        if let Some(first) = priority_bytes(offset) {
            let bytes = size.bytes();
            let mut value = 0;
            for i in 0..bytes {
                let byte = match first {
                    Bytes::Irq(n) => self.priority.get(n + i as usize).copied().unwrap_or(0),
                    Bytes::System(n) => self.system_priority[(n + i as usize).min(11)],
                };
                value |= u32::from(byte) << (8 * i);
            }
            return Ok(value);
        }
        if size != Size::Word {
            return Err(BusError::Refused);
        }
        let half = |set: u64, base: u32| match offset - base {
            0 => set as u32,
            4 => (set >> 32) as u32,
            _ => 0,
        };
        Ok(match offset {
            0x004 => (LINES / 32 - 1) as u32,
            0x008 => 0,
            0x100..=0x13c => half(self.enabled, 0x100),
            0x180..=0x1bc => half(self.enabled, 0x180),
            0x200..=0x23c => half(self.pending, 0x200),
            0x280..=0x2bc => half(self.pending, 0x280),
            0x300..=0x33c => half(self.active, 0x300),
            // Cortex-M4 r0p1.
            0xd00 => 0x410f_c241,
            0xd04 => self.icsr(ipsr),
            0xd08 => self.vtor,
            0xd0c => 0xfa05_0000 | u32::from(self.prigroup) << 8,
            0xd10 => self.scr,
            0xd14 => self.ccr,
            0xd24 => {
                self.shcsr
                    | u32::from(self.svcall_active) << 7
                    | u32::from(self.pendsv_active) << 10
            }
            // Fault status and address: no fault ever reaches the guest.
            0xd28 | 0xd2c | 0xd34 | 0xd38 | 0xd3c => 0,
            0xd88 => self.cpacr,
            0xf34 => self.fpccr,
            0xf38 => self.fpcar,
            0xf3c => self.fpdscr,
            0xf40 => 0x1011_0021,
            0xf44 => 0x1100_0011,
            _ => return Err(BusError::Refused),
        })
    }

    fn icsr(&self, ipsr: u16) -> u32 {
        let pending = self.first_pending().map_or(0, |(n, _)| u32::from(n));
        u32::from(ipsr)
            | u32::from(self.active_count() <= 1) << 11
            | pending << 12
            | u32::from(self.pending & self.enabled != 0) << 22
            | u32::from(self.pendsv_pending) << 28
    }

    /// Writes the register at `addr`.
    pub(super) fn write(&mut self, addr: u32, size: Size, value: u32) -> Result<Request, BusError> {
        let offset = addr & 0xfff;
        if let Some(first) = priority_bytes(offset) {
            for i in 0..size.bytes() {
                let byte = (value >> (8 * i)) as u8 & PRIORITY_MASK;
                let slot = match first {
                    Bytes::Irq(n) => self.priority.get_mut(n + i as usize),
                    // Priorities of faults are kept but mean nothing here.
                    Bytes::System(n) => self.system_priority.get_mut(n + i as usize),
                };
                if let Some(slot) = slot {
                    *slot = byte;
                }
            }
            return Ok(Request::None);
        }
        if size != Size::Word {
            return Err(BusError::Refused);
        }
        let half = |base: u32| match offset - base {
            0 => u64::from(value),
            4 => u64::from(value) << 32,
            _ => 0,
        };
        match offset {
            0x008 => {}
            0x100..=0x13c => self.enabled |= half(0x100),
            0x180..=0x1bc => self.enabled &= !half(0x180),
            0x200..=0x23c => self.pending |= half(0x200),
            // A line that is still high makes its interrupt pending again at once.
            0x280..=0x2bc => {
                self.pending &= !half(0x280);
                self.pending |= self.level & !self.active;
            }
            0xd04 => {
                if value >> 28 & 1 != 0 {
                    self.pendsv_pending = true;
                }
                if value >> 27 & 1 != 0 {
                    self.pendsv_pending = false;
                }
                if value >> 31 != 0 || value >> 26 & 1 != 0 {
                    return Err(BusError::Refused);
                }
            }
            0xd08 => self.vtor = value & 0xffff_ff80,
            0xd0c => {
                if value >> 16 == 0x05fa {
                    self.prigroup = (value >> 8 & 7) as u8;
                    if value & 4 != 0 {
                        return Ok(Request::Reset);
                    }
                }
            }
            0xd10 => self.scr = value & 0x16,
            0xd14 => self.ccr = value & 0x31b,
            0xd24 => self.shcsr = value & 0x0007_0000,
            0xd28 | 0xd2c | 0xd34 | 0xd38 | 0xd3c => {}
            0xd88 => self.cpacr = value & 0x00f0_0000,
            0xf00 => self.pending |= 1_u64.checked_shl(value & 0x1ff).unwrap_or(0),
            0xf34 => self.fpccr = value & (FPCCR_ASPEN | FPCCR_LSPEN | FPCCR_LSPACT),
            0xf38 => self.fpcar = value & !7,
            0xf3c => self.fpdscr = value & 0x07c0_0000,
            _ => return Err(BusError::Refused),
        }
        Ok(Request::None)
    }
}

/// The registers that are accessible by byte.
#[derive(Clone, Copy)]
enum Bytes {
    Irq(usize),
    System(usize),
}

fn priority_bytes(offset: u32) -> Option<Bytes> {
    match offset {
        0x400..=0x4ef => Some(Bytes::Irq((offset - 0x400) as usize)),
        0xd18..=0xd23 => Some(Bytes::System((offset - 0xd18) as usize)),
        _ => None,
    }
}

fn line(exception: u16) -> u64 {
    1_u64
        .checked_shl(u32::from(exception.wrapping_sub(IRQ0)))
        .unwrap_or(0)
}

/// The numbers of the set bits.
fn lines(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        if set == 0 {
            return None;
        }
        let n = set.trailing_zeros() as usize;
        set &= set - 1;
        Some(n)
    })
}
