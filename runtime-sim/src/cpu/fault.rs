//! Why a core stopped.
//!
//! **Policy:** a fault inside the guest is never vectored to a guest handler. It
//! stops the core and is reported with everything needed to find the instruction,
//! because a compiled program that faults is a bug of the compiler or of the
//! emulator, and neither is helped by a guest handler that runs on.

use std::fmt;

use super::decode::{Decoded, decode};

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The encoding is UNDEFINED in ARMv7E-M with FPv4-SP.
    Undefined,
    /// The encoding, or its place in an IT block, is UNPREDICTABLE.
    Unpredictable,
    /// The instruction exists but this emulator does not implement it.
    Unsupported(&'static str),
    /// A coprocessor instruction for a coprocessor that is absent or disabled in CPACR.
    NoCoprocessor,
    /// A branch to an address with bit 0 clear, or a return to a state without the Thumb bit.
    NotThumb,
    /// An instruction fetch outside local SRAM.
    Fetch,
    /// An access that must be aligned and is not.
    Unaligned,
    /// A read that the bus refused.
    BusRead(BusError),
    /// A write that the bus refused.
    BusWrite(BusError),
    /// SDIV or UDIV by zero while `CCR.DIV_0_TRP` is set.
    DivideByZero,
    /// An exception return with a value or in a state that the architecture forbids.
    ExceptionReturn,
    /// SVC while its priority does not allow it to be taken.
    SvcMasked,
}

/// Why the bus refused an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusError {
    /// Nothing answers at this address.
    Unmapped,
    /// The device exists but not this register, or not in this direction or size.
    Refused,
    /// The access needs privileged mode.
    Privileged,
}

/// A stopped core: what, where, when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What went wrong.
    pub kind: FaultKind,
    /// Address of the faulting instruction.
    pub pc: u32,
    /// The data or branch target address concerned, where there is one.
    pub address: Option<u32>,
    /// First and second halfword at `pc`; zero where they could not be read.
    pub opcode: [u16; 2],
    /// The core's clock when the instruction was about to execute.
    pub cycle: u64,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::Undefined => f.write_str("undefined instruction"),
            FaultKind::Unpredictable => f.write_str("unpredictable instruction"),
            FaultKind::Unsupported(what) => write!(f, "unsupported: {what}"),
            FaultKind::NoCoprocessor => f.write_str("coprocessor absent or disabled"),
            FaultKind::NotThumb => f.write_str("branch out of Thumb state"),
            FaultKind::Fetch => f.write_str("instruction fetch outside local SRAM"),
            FaultKind::Unaligned => f.write_str("unaligned access"),
            FaultKind::BusRead(why) => write!(f, "read refused: {why}"),
            FaultKind::BusWrite(why) => write!(f, "write refused: {why}"),
            FaultKind::DivideByZero => f.write_str("division by zero"),
            FaultKind::ExceptionReturn => f.write_str("invalid exception return"),
            FaultKind::SvcMasked => f.write_str("SVC while its exception is masked"),
        }
    }
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BusError::Unmapped => "nothing at this address",
            BusError::Refused => "the device has no such register or access",
            BusError::Privileged => "privileged access only",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at pc {:#010x}", self.kind, self.pc)?;
        if let Some(address) = self.address {
            write!(f, ", address {address:#010x}")?;
        }
        let [hw1, hw2] = self.opcode;
        let decoded = decode(hw1, hw2, false);
        if hw1 >> 11 >= 0b11101 {
            write!(f, ", opcode {hw1:04x} {hw2:04x}")?;
        } else {
            write!(f, ", opcode {hw1:04x}")?;
        }
        if let Decoded::Op(op) = decoded {
            write!(f, " ({op})")?;
        }
        write!(f, ", cycle {}", self.cycle)
    }
}

impl std::error::Error for Fault {}

/// Why [`Core::run`](super::Core::run) returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Asleep in WFI (or by sleep-on-exit); wakes by an enabled interrupt.
    Wfi,
    /// Asleep in WFE; wakes by an event or an interrupt.
    Wfe,
    /// The clock reached the limit; the next instruction has not begun.
    CycleLimit,
    /// A device asked to return to the scheduler after an access.
    Device,
    /// A BKPT instruction; the program counter is past it.
    Bkpt(u8),
    /// The program wrote `AIRCR.SYSRESETREQ`.
    ResetRequest,
    /// The core is stopped at the faulting instruction; running again repeats it.
    Fault(Fault),
}

/// What an instruction does instead of falling through to the next one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trap {
    Fault(FaultKind, Option<u32>),
    Sleep,
    Bkpt(u8),
    Reset,
}

impl Trap {
    pub(super) fn at(kind: FaultKind, address: u32) -> Trap {
        Trap::Fault(kind, Some(address))
    }
}
