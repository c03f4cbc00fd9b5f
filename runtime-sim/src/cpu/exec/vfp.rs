//! Floating-point operations on registers.

use super::super::core::Core;
use super::super::float::Rounding;
use super::super::op::{Fixed, SReg, V2, V3};

const SIGN: u32 = 1 << 31;

impl Core {
    #[inline(always)]
    pub(in super::super) fn get_s(&self, s: SReg) -> u32 {
        self.fregs[usize::from(s & 31)]
    }

    #[inline(always)]
    pub(in super::super) fn set_s(&mut self, s: SReg, value: u32) {
        self.fregs[usize::from(s & 31)] = value;
    }

    #[inline(always)]
    pub(super) fn vfp3(&mut self, f: V3, d: SReg, n: SReg, m: SReg) {
        let (a, b) = (self.get_s(n), self.get_s(m));
        let result = match f {
            V3::Add => self.fpu.add(a, b),
            V3::Sub => self.fpu.sub(a, b),
            V3::Mul => self.fpu.mul(a, b),
            V3::Nmul => self.fpu.mul(a, b) ^ SIGN,
            V3::Div => self.fpu.div(a, b),
            _ => self.accumulate_float(f, self.get_s(d), a, b),
        };
        self.set_s(d, result);
    }

    fn accumulate_float(&mut self, f: V3, d: u32, a: u32, b: u32) -> u32 {
        match f {
            V3::Mla => {
                let product = self.fpu.mul(a, b);
                self.fpu.add(d, product)
            }
            V3::Mls => {
                let product = self.fpu.mul(a, b) ^ SIGN;
                self.fpu.add(d, product)
            }
            V3::Nmla => {
                let product = self.fpu.mul(a, b) ^ SIGN;
                self.fpu.add(d ^ SIGN, product)
            }
            V3::Nmls => {
                let product = self.fpu.mul(a, b);
                self.fpu.add(d ^ SIGN, product)
            }
            V3::Fms => self.fpu.fma(d, a ^ SIGN, b),
            V3::Fnma => self.fpu.fma(d ^ SIGN, a ^ SIGN, b),
            V3::Fnms => self.fpu.fma(d ^ SIGN, a, b),
            V3::Fma | V3::Add | V3::Sub | V3::Mul | V3::Nmul | V3::Div => self.fpu.fma(d, a, b),
        }
    }

    #[inline(always)]
    pub(super) fn vfp2(&mut self, f: V2, d: SReg, m: SReg) {
        let a = self.get_s(m);
        let result = match f {
            V2::Mov => a,
            V2::Abs => a & !SIGN,
            V2::Neg => a ^ SIGN,
            V2::FromS32 => self.fpu.signed_to_single(a),
            _ => self.convert(f, d, a),
        };
        self.set_s(d, result);
    }

    fn convert(&mut self, f: V2, d: SReg, a: u32) -> u32 {
        let mode = match f {
            V2::ToS32 | V2::ToU32 => Rounding::Zero,
            _ => self.fpu.rounding(),
        };
        match f {
            V2::Mov | V2::Abs | V2::Neg => a,
            V2::Sqrt => self.fpu.sqrt(a),
            V2::FromS32 => self.fpu.signed_to_single(a),
            V2::FromU32 => self.fpu.integer_to_single(i64::from(a), 0, mode),
            V2::ToS32 | V2::ToS32R => {
                let (min, max) = limits(Fixed::S32);
                self.fpu.single_to_integer(a, 0, min, max, mode) as u32
            }
            V2::ToU32 | V2::ToU32R => {
                let (min, max) = limits(Fixed::U32);
                self.fpu.single_to_integer(a, 0, min, max, mode) as u32
            }
            V2::FromF16Low => self.fpu.half_to_single(a & 0xffff),
            V2::FromF16High => self.fpu.half_to_single(a >> 16),
            V2::ToF16Low => self.get_s(d) & 0xffff_0000 | self.fpu.single_to_half(a),
            V2::ToF16High => self.get_s(d) & 0xffff | self.fpu.single_to_half(a) << 16,
        }
    }

    pub(super) fn convert_fixed(&mut self, to_fixed: bool, ty: Fixed, d: SReg, frac: u8) {
        let a = self.get_s(d);
        let frac = frac.into();
        let result = if to_fixed {
            let (min, max) = limits(ty);
            // A 16-bit result is extended to the whole register.
            self.fpu
                .single_to_integer(a, frac, min, max, Rounding::Zero) as u32
        } else {
            let value = match ty {
                Fixed::S16 => i64::from(a as i16),
                Fixed::U16 => i64::from(a as u16),
                Fixed::S32 => i64::from(a as i32),
                Fixed::U32 => i64::from(a),
            };
            self.fpu.integer_to_single(value, frac, Rounding::Nearest)
        };
        self.set_s(d, result);
    }
}

fn limits(ty: Fixed) -> (i64, i64) {
    match ty {
        Fixed::S16 => (i16::MIN.into(), i16::MAX.into()),
        Fixed::U16 => (0, u16::MAX.into()),
        Fixed::S32 => (i32::MIN.into(), i32::MAX.into()),
        Fixed::U32 => (0, u32::MAX.into()),
    }
}
