//! Condition flags and the arithmetic that sets them.

use super::op::{Cond, Shift};

/// APSR: condition flags, sticky saturation and the GE bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Negative.
    pub n: bool,
    /// Zero.
    pub z: bool,
    /// Carry; for a subtraction, no borrow.
    pub c: bool,
    /// Signed overflow.
    pub v: bool,
    /// Sticky saturation.
    pub q: bool,
    /// Greater-or-equal bits of the parallel instructions, 0 to 15.
    pub ge: u8,
}

impl Flags {
    /// The flags in their APSR positions.
    pub fn apsr(self) -> u32 {
        u32::from(self.n) << 31
            | u32::from(self.z) << 30
            | u32::from(self.c) << 29
            | u32::from(self.v) << 28
            | u32::from(self.q) << 27
            | u32::from(self.ge) << 16
    }

    /// The flags of an APSR value; other bits are ignored.
    pub fn from_apsr(apsr: u32) -> Flags {
        let mut flags = Flags {
            q: apsr >> 27 & 1 != 0,
            ge: (apsr >> 16 & 15) as u8,
            ..Flags::default()
        };
        flags.set_nzcv(apsr);
        flags
    }

    /// Takes N, Z, C, V from bits 31 to 28.
    pub fn set_nzcv(&mut self, word: u32) {
        self.n = word >> 31 & 1 != 0;
        self.z = word >> 30 & 1 != 0;
        self.c = word >> 29 & 1 != 0;
        self.v = word >> 28 & 1 != 0;
    }

    #[inline(always)]
    pub(super) fn set_nz(&mut self, result: u32) {
        self.n = (result as i32) < 0;
        self.z = result == 0;
    }

    #[inline(always)]
    pub(super) fn set_nzc(&mut self, result: u32, carry: bool) {
        self.set_nz(result);
        self.c = carry;
    }

    /// `a + b`, all four flags.
    #[inline(always)]
    pub(super) fn add(&mut self, a: u32, b: u32) -> u32 {
        let (result, carry) = a.overflowing_add(b);
        self.set_nzc(result, carry);
        self.v = ((a ^ result) & (b ^ result)) >> 31 != 0;
        result
    }

    /// `a - b`, all four flags.
    #[inline(always)]
    pub(super) fn sub(&mut self, a: u32, b: u32) -> u32 {
        let result = a.wrapping_sub(b);
        self.set_nzc(result, a >= b);
        self.v = ((a ^ b) & (a ^ result)) >> 31 != 0;
        result
    }

    /// `a + b + C`, all four flags.
    #[inline(always)]
    pub(super) fn adc(&mut self, a: u32, b: u32) -> u32 {
        let sum = u64::from(a) + u64::from(b) + u64::from(self.c);
        let result = sum as u32;
        self.set_nzc(result, sum >> 32 != 0);
        self.v = ((a ^ result) & (b ^ result)) >> 31 != 0;
        result
    }

    /// True if the condition holds.
    #[inline(always)]
    pub fn holds(&self, cond: Cond) -> bool {
        match cond.0 {
            0 => self.z,
            1 => !self.z,
            2 => self.c,
            3 => !self.c,
            4 => self.n,
            5 => !self.n,
            6 => self.v,
            7 => !self.v,
            8 => self.c && !self.z,
            9 => !self.c || self.z,
            10 => self.n == self.v,
            11 => self.n != self.v,
            12 => !self.z && self.n == self.v,
            13 => self.z || self.n != self.v,
            _ => true,
        }
    }
}

/// Shifts `value` and gives the carry out; `amount` may be 0 to 255.
#[inline(always)]
pub(super) fn shift(value: u32, kind: Shift, amount: u32, carry: bool) -> (u32, bool) {
    if amount == 0 {
        return (value, carry);
    }
    match kind {
        Shift::Lsl => match amount {
            1..=31 => (value << amount, value >> (32 - amount) & 1 != 0),
            32 => (0, value & 1 != 0),
            _ => (0, false),
        },
        Shift::Lsr => match amount {
            1..=31 => (value >> amount, value >> (amount - 1) & 1 != 0),
            32 => (0, value >> 31 != 0),
            _ => (0, false),
        },
        Shift::Asr => {
            let signed = value as i32;
            match amount {
                1..=31 => ((signed >> amount) as u32, value >> (amount - 1) & 1 != 0),
                _ => ((signed >> 31) as u32, signed < 0),
            }
        }
        Shift::Ror => {
            let result = value.rotate_right(amount & 31);
            (result, result >> 31 != 0)
        }
        Shift::Rrx => (u32::from(carry) << 31 | value >> 1, value & 1 != 0),
    }
}

/// Saturates to a signed range of `bits` bits (1 to 32); true if it changed the value.
#[inline]
pub(super) fn saturate_signed(value: i64, bits: u32) -> (i64, bool) {
    let max = (1_i64 << (bits - 1)) - 1;
    let result = value.clamp(-max - 1, max);
    (result, result != value)
}

/// Saturates to an unsigned range of `bits` bits (0 to 32); true if it changed the value.
#[inline]
pub(super) fn saturate_unsigned(value: i64, bits: u32) -> (i64, bool) {
    let result = value.clamp(0, (1_i64 << bits) - 1);
    (result, result != value)
}
