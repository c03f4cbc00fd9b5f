//! Decoder for ARMv7E-M Thumb with FPv4-SP, written from the architecture manual.
//!
//! **Invariant:** shares nothing with the encoder of the code generator, so that each
//! checks the other. UNDEFINED, UNPREDICTABLE and "not implemented here" are different
//! answers. Where the manual marks bits as should-be-zero or should-be-one, other
//! values are reported as UNPREDICTABLE.

mod memory;
mod narrow;
mod vfp;
mod wide;

use super::op::{Op, Shift};

/// What an instruction word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// An instruction.
    Op(Op),
    /// Always faults.
    Undefined,
    /// The architecture promises nothing.
    Unpredictable,
    /// Defined, but not implemented by this emulator; the text says what.
    Unsupported(&'static str),
    /// A coprocessor other than the FPU.
    NoCoprocessor,
}

/// The reason why a word is no instruction.
#[derive(Clone, Copy, Debug)]
enum Bad {
    Undefined,
    Unpredictable,
    Unsupported(&'static str),
    NoCoprocessor,
}

type Result<T> = std::result::Result<T, Bad>;

/// True if `hw1` is the first half of a 32-bit instruction.
#[inline]
pub fn is_wide(hw1: u16) -> bool {
    hw1 >> 11 >= 0b11101
}

/// Decodes the instruction that starts with `hw1`; `hw2` matters only for 32-bit
/// instructions. `in_it` tells whether it stands in an IT block, where the 16-bit
/// data-processing instructions do not set flags.
pub fn decode(hw1: u16, hw2: u16, in_it: bool) -> Decoded {
    let result = if is_wide(hw1) {
        wide::decode(hw1, hw2)
    } else {
        narrow::decode(hw1, in_it)
    };
    match result {
        Ok(op) => Decoded::Op(op),
        Err(Bad::Undefined) => Decoded::Undefined,
        Err(Bad::Unpredictable) => Decoded::Unpredictable,
        Err(Bad::Unsupported(what)) => Decoded::Unsupported(what),
        Err(Bad::NoCoprocessor) => Decoded::NoCoprocessor,
    }
}

/// Bits `lo + width - 1 .. lo` of `hw`.
fn bits(hw: u16, lo: u32, width: u32) -> u8 {
    ((hw >> lo) & ((1 << width) - 1)) as u8
}

fn bit(hw: u16, n: u32) -> bool {
    hw >> n & 1 != 0
}

/// UNPREDICTABLE unless `ok`.
fn expect(ok: bool) -> Result<()> {
    if ok { Ok(()) } else { Err(Bad::Unpredictable) }
}

/// The manual's `BadReg`: SP or PC.
fn bad_reg(r: u8) -> bool {
    r == 13 || r == 15
}

/// UNPREDICTABLE if any of `regs` is SP or PC.
fn plain(regs: &[u8]) -> Result<()> {
    expect(!regs.iter().any(|&r| bad_reg(r)))
}

/// The manual's `DecodeImmShift`.
fn imm_shift(ty: u8, imm5: u8) -> (Shift, u8) {
    match (ty, imm5) {
        (0, n) => (Shift::Lsl, n),
        (1, 0) => (Shift::Lsr, 32),
        (1, n) => (Shift::Lsr, n),
        (2, 0) => (Shift::Asr, 32),
        (2, n) => (Shift::Asr, n),
        (_, 0) => (Shift::Rrx, 1),
        (_, n) => (Shift::Ror, n),
    }
}

/// Sign-extends the low `width` bits.
fn sign_extend(value: u32, width: u32) -> i32 {
    ((value << (32 - width)) as i32) >> (32 - width)
}
