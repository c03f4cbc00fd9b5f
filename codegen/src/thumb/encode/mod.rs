//! Instruction encodings, written from the ARMv7-M architecture manual.
//!
//! [`encode`] is a pure function. It takes the 16-bit form when there is one that
//! does exactly what the instruction says: outside an IT block the 16-bit ALU
//! forms set the flags, inside they don't, so the choice depends on `in_it`.

mod float;
mod memory;
mod narrow;
mod wide;

use super::inst::Inst;
use super::reg::{Reg, SReg};
use std::fmt;

/// The bytes of one instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    Narrow(u16),
    /// First and second halfword.
    Wide(u16, u16),
}

impl Encoding {
    fn wide(word: u32) -> Encoding {
        Encoding::Wide((word >> 16) as u16, word as u16)
    }

    /// Size in bytes, 2 or 4.
    pub fn size(self) -> u32 {
        match self {
            Encoding::Narrow(_) => 2,
            Encoding::Wide(..) => 4,
        }
    }

    /// Appends the bytes in memory order.
    pub fn write(self, out: &mut Vec<u8>) {
        match self {
            Encoding::Narrow(half) => out.extend(half.to_le_bytes()),
            Encoding::Wide(first, second) => {
                out.extend(first.to_le_bytes());
                out.extend(second.to_le_bytes());
            }
        }
    }
}

/// Why an instruction has no encoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EncodeError {
    pub inst: Inst,
    pub reason: &'static str,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} has no encoding: {}", self.inst, self.reason)
    }
}

impl std::error::Error for EncodeError {}

/// Reason of a refused encoding.
type Refusal = &'static str;

/// Encodes an instruction that stands outside IT blocks.
pub fn encode(inst: &Inst) -> Result<Encoding, EncodeError> {
    encode_in(inst, false)
}

/// Encodes an instruction inside (`in_it`) or outside an IT block.
pub fn encode_in(inst: &Inst, in_it: bool) -> Result<Encoding, EncodeError> {
    if let Some(half) = narrow::encode(inst, in_it) {
        return Ok(Encoding::Narrow(half));
    }
    wide::encode(inst)
        .map(Encoding::wide)
        .map_err(|reason| EncodeError {
            inst: *inst,
            reason,
        })
}

/// The register number as a field, or a refusal of an operand slot.
fn r(reg: Reg) -> Result<u32, Refusal> {
    reg.number()
        .map(u32::from)
        .ok_or("a register is not allocated")
}

/// A register that may be neither SP nor PC.
fn g(reg: Reg) -> Result<u32, Refusal> {
    match r(reg)? {
        13 | 15 => Err("SP or PC is not allowed here"),
        n => Ok(n),
    }
}

/// A register that may not be PC.
fn nopc(reg: Reg) -> Result<u32, Refusal> {
    match r(reg)? {
        15 => Err("PC is not allowed here"),
        n => Ok(n),
    }
}

fn sr(reg: SReg) -> Result<u32, Refusal> {
    reg.number()
        .map(u32::from)
        .ok_or("a register is not allocated")
}

fn check(condition: bool, reason: Refusal) -> Result<(), Refusal> {
    if condition { Ok(()) } else { Err(reason) }
}
