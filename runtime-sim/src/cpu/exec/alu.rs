//! Data processing: arithmetic, logic, shifts, bit fields, extension.

use super::super::core::Core;
use super::super::flags::shift;
use super::super::op::{Dp, Extract, ImmCarry, Reg, Shift};

impl Core {
    #[inline(always)]
    pub(super) fn dp_imm(&mut self, f: Dp, s: bool, rd: Reg, rn: Reg, carry: ImmCarry, imm: u32) {
        let carry = match carry {
            ImmCarry::Keep => self.flags.c,
            ImmCarry::Clear => false,
            ImmCarry::Set => true,
        };
        self.data_processing(f, s, rd, self.get(rn), imm, carry);
    }

    #[inline(always)]
    #[allow(clippy::too_many_arguments)]
    pub(super) fn dp_reg(
        &mut self,
        f: Dp,
        s: bool,
        rd: Reg,
        rn: Reg,
        rm: Reg,
        kind: Shift,
        amount: u8,
    ) {
        let (b, carry) = shift(self.get(rm), kind, amount.into(), self.flags.c);
        self.data_processing(f, s, rd, self.get(rn), b, carry);
    }

    /// `carry` is the carry out of the second operand.
    #[inline(always)]
    fn data_processing(&mut self, f: Dp, s: bool, rd: Reg, a: u32, b: u32, carry: bool) {
        match f {
            Dp::And => self.logical(s, rd, a & b, carry),
            Dp::Bic => self.logical(s, rd, a & !b, carry),
            Dp::Orr => self.logical(s, rd, a | b, carry),
            Dp::Orn => self.logical(s, rd, a | !b, carry),
            Dp::Eor => self.logical(s, rd, a ^ b, carry),
            Dp::Mov => self.logical(s, rd, b, carry),
            Dp::Mvn => self.logical(s, rd, !b, carry),
            Dp::Tst => self.flags.set_nzc(a & b, carry),
            Dp::Teq => self.flags.set_nzc(a ^ b, carry),
            Dp::Add => {
                let result = if s {
                    self.flags.add(a, b)
                } else {
                    a.wrapping_add(b)
                };
                self.set_any(rd, result);
            }
            Dp::Sub => {
                let result = if s {
                    self.flags.sub(a, b)
                } else {
                    a.wrapping_sub(b)
                };
                self.set_any(rd, result);
            }
            Dp::Rsb => {
                let result = if s {
                    self.flags.sub(b, a)
                } else {
                    b.wrapping_sub(a)
                };
                self.set(rd, result);
            }
            Dp::Adc => self.with_carry(s, rd, a, b),
            Dp::Sbc => self.with_carry(s, rd, a, !b),
            Dp::Cmn => {
                self.flags.add(a, b);
            }
            Dp::Cmp => {
                self.flags.sub(a, b);
            }
        }
    }

    #[inline(always)]
    fn logical(&mut self, s: bool, rd: Reg, result: u32, carry: bool) {
        if s {
            self.flags.set_nzc(result, carry);
        }
        self.set_any(rd, result);
    }

    #[inline(always)]
    fn with_carry(&mut self, s: bool, rd: Reg, a: u32, b: u32) {
        let mut flags = self.flags;
        let result = flags.adc(a, b);
        if s {
            self.flags = flags;
        }
        self.set(rd, result);
    }

    #[inline]
    pub(super) fn shift_reg(&mut self, kind: Shift, s: bool, rd: Reg, rn: Reg, rm: Reg) {
        let amount = self.get(rm) & 0xff;
        let (result, carry) = shift(self.get(rn), kind, amount, self.flags.c);
        if s {
            self.flags.set_nzc(result, carry);
        }
        self.set(rd, result);
    }

    #[inline]
    pub(super) fn bit_field_insert(&mut self, rd: Reg, rn: Reg, lsb: u8, width: u8) {
        let mask = (u32::MAX >> (32 - u32::from(width))) << lsb;
        let source = if rn == 15 { 0 } else { self.get(rn) };
        self.set(rd, self.get(rd) & !mask | (source << lsb) & mask);
    }

    #[inline]
    pub(super) fn bit_field_extract(&mut self, signed: bool, rd: Reg, rn: Reg, lsb: u8, width: u8) {
        let width = u32::from(width);
        let up = self.get(rn) << (32 - u32::from(lsb) - width);
        let result = if signed {
            ((up as i32) >> (32 - width)) as u32
        } else {
            up >> (32 - width)
        };
        self.set(rd, result);
    }

    #[inline(always)]
    pub(super) fn extend(&mut self, x: Extract, rd: Reg, rn: Reg, rm: Reg, rot: u8) {
        let base = if rn == 15 { 0 } else { self.get(rn) };
        let w = self.get(rm).rotate_right(rot.into());
        let result = match x {
            Extract::Sb => base.wrapping_add(w as i8 as u32),
            Extract::Sh => base.wrapping_add(w as i16 as u32),
            Extract::Ub => base.wrapping_add(w & 0xff),
            Extract::Uh => base.wrapping_add(w & 0xffff),
            Extract::Sb16 => pair_sum(base, w as i8 as u32, (w >> 16) as i8 as u32),
            Extract::Ub16 => pair_sum(base, w & 0xff, w >> 16 & 0xff),
        };
        self.set(rd, result);
    }

    #[inline]
    pub(super) fn pack(&mut self, tb: bool, rd: Reg, rn: Reg, rm: Reg, amount: u8) {
        let n = self.get(rn);
        let m = self.get(rm);
        let result = if tb {
            let (low, _) = shift(m, Shift::Asr, amount.into(), false);
            n & 0xffff_0000 | low & 0xffff
        } else {
            n & 0xffff | (m << amount) & 0xffff_0000
        };
        self.set(rd, result);
    }
}

/// Adds to the two halfwords of `base` without carry between them.
#[inline(always)]
fn pair_sum(base: u32, low: u32, high: u32) -> u32 {
    let low = base.wrapping_add(low) & 0xffff;
    let high = (base >> 16).wrapping_add(high) << 16;
    high | low
}
