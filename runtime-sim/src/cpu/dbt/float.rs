//! Floating-point instructions: the host's operation where it gives the same bits and
//! raises no flag, the interpreter everywhere else.
//!
//! A node with these is entered only while FPSCR selects round to nearest and keeps
//! denormals and NaN. Then the host's result is the guest's unless it is infinite or NaN. What
//! remains are the cumulative flags: underflow, which only a denormal or zero result of
//! an inexact operation raises, and inexact. If inexact is already set it does not
//! matter; a region that was made while it was not set checks that every result is
//! exact.

use super::super::core::Core;
use super::super::float::UFC;
use super::super::op::{Fixed, Op, V2, V3};
use super::emit::{Emitter, field};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F64, I8, I16, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};
use std::mem::offset_of;

const SIGN: u32 = 1 << 31;

/// True if FPU instruction `op` is translated.
pub(super) fn translatable(op: &Op) -> bool {
    match *op {
        Op::V3 { f, .. } => !matches!(f, V3::Fma | V3::Fms | V3::Fnma | V3::Fnms),
        Op::V2 { f, .. } => matches!(
            f,
            V2::Mov
                | V2::Abs
                | V2::Neg
                | V2::Sqrt
                | V2::FromS32
                | V2::FromU32
                | V2::ToS32
                | V2::ToU32
        ),
        Op::VMsr { .. } => false,
        _ => op.is_fpu(),
    }
}

impl Emitter<'_> {
    fn f64_of(&mut self, value: Value) -> Value {
        self.b.ins().fpromote(F64, value)
    }

    fn f64_word(&mut self, value: f64) -> Value {
        self.b.ins().f64const(value)
    }

    /// Leaves if the float is infinite or NaN.
    fn finite(&mut self, bits: Value) {
        let twice = self.b.ins().iadd(bits, bits);
        let bad = self.compare_word(IntCC::UnsignedGreaterThanOrEqual, twice, 0xff00_0000);
        self.unless(bad);
    }

    /// A sum or difference: only infinities and NaN are special, since small sums are
    /// exact.
    fn sum(&mut self, a: Value, b: Value, minus: bool) -> Value {
        let result = if minus {
            self.b.ins().fsub(a, b)
        } else {
            self.b.ins().fadd(a, b)
        };
        if !self.exact {
            let bits = self.bits_of(result);
            self.finite(bits);
            return result;
        }
        // The sum is exact if both operands can be got back from it: the larger one is
        // taken off without error, so what remains is the error-free other. An infinite
        // result gives no finite operand back; of NaN operands only two equal quiet ones
        // pass, and their sum is what the guest has too. A negative zero may not come
        // back as one; then the interpreter adds.
        let (x, y) = if minus {
            let x = self.b.ins().fadd(result, b);
            let y = self.b.ins().fsub(a, result);
            (x, y)
        } else {
            let x = self.b.ins().fsub(result, b);
            let y = self.b.ins().fsub(result, a);
            (x, y)
        };
        let [x, y, a, b] = [x, y, a, b].map(|v| self.bits_of(v));
        let x = self.b.ins().bxor(x, a);
        let y = self.b.ins().bxor(y, b);
        let differ = self.b.ins().bor(x, y);
        self.unless(differ);
        result
    }

    /// Leaves if the result is not normal, except where it is surely right.
    fn float_product(&mut self, a: Value, b: Value) -> Value {
        let result = self.b.ins().fmul(a, b);
        let bits = self.bits_of(result);
        if self.exact {
            self.finite(bits);
            let [x, y, r] = [a, b, result].map(|v| self.f64_of(v));
            let product = self.b.ins().fmul(x, y);
            let bad = self.b.ins().fcmp(FloatCC::NotEqual, product, r);
            self.unless(bad);
            return result;
        }
        let twice = self.b.ins().iadd(bits, bits);
        let low = self.word(0x0200_0000);
        let above = self.b.ins().isub(twice, low);
        let special = self.compare_word(IntCC::UnsignedGreaterThanOrEqual, above, 0xfd00_0000);
        self.rarely(special, |e| {
            e.finite(bits);
            // Small: fine if a factor is zero or underflow is already noted.
            let fpscr = e.load_core(I32, field!(fpu.fpscr));
            let noted = e.and(fpscr, UFC);
            let noted = e.compare_word(IntCC::NotEqual, noted, 0);
            let zero = e.b.ins().f32const(0.0);
            let x = e.b.ins().fcmp(FloatCC::Equal, a, zero);
            let y = e.b.ins().fcmp(FloatCC::Equal, b, zero);
            let fine = e.b.ins().bor(x, y);
            let fine = e.b.ins().bor(fine, noted);
            let one = e.b.ins().iconst(I8, 1);
            let bad = e.b.ins().bxor(fine, one);
            e.unless(bad);
        });
        result
    }

    /// Leaves if the result is not a normal number, or the least one, which may be an
    /// underflow that was rounded up.
    fn normal(&mut self, result: Value) {
        let bits = self.bits_of(result);
        let twice = self.b.ins().iadd(bits, bits);
        let low = self.word(0x0200_0000);
        let above = self.b.ins().isub(twice, low);
        let bad = self.compare_word(IntCC::UnsignedGreaterThanOrEqual, above, 0xfd00_0000);
        self.unless(bad);
    }

    /// Leaves if two 64-bit floats differ.
    fn equal(&mut self, a: Value, b: Value) {
        let bad = self.b.ins().fcmp(FloatCC::NotEqual, a, b);
        self.unless(bad);
    }

    fn negated(&mut self, value: Value) -> Value {
        let bits = self.bits_of(value);
        let sign = self.word(SIGN);
        let bits = self.b.ins().bxor(bits, sign);
        self.float_of(bits)
    }

    fn arithmetic(&mut self, f: V3, d: u8, n: u8, m: u8) {
        let (a, b) = (self.get_s(n), self.get_s(m));
        let result = match f {
            V3::Add => self.sum(a, b, false),
            V3::Sub => self.sum(a, b, true),
            V3::Mul => self.float_product(a, b),
            V3::Nmul => {
                let product = self.float_product(a, b);
                self.negated(product)
            }
            V3::Div => {
                let quotient = self.b.ins().fdiv(a, b);
                self.normal(quotient);
                if self.exact {
                    let [x, y, q] = [a, b, quotient].map(|v| self.f64_of(v));
                    let back = self.b.ins().fmul(q, y);
                    self.equal(back, x);
                }
                quotient
            }
            _ => {
                let mut product = self.float_product(a, b);
                if matches!(f, V3::Mls | V3::Nmla) {
                    product = self.negated(product);
                }
                let mut addend = self.get_s(d);
                if matches!(f, V3::Nmla | V3::Nmls) {
                    addend = self.negated(addend);
                }
                self.sum(addend, product, false)
            }
        };
        self.set_s(d, result);
    }

    fn one_operand(&mut self, f: V2, d: u8, m: u8) {
        let a = self.get_s(m);
        let result = match f {
            V2::Neg => self.negated(a),
            V2::Abs => {
                let bits = self.bits_of(a);
                let bits = self.and(bits, !SIGN);
                self.float_of(bits)
            }
            V2::Sqrt => {
                let root = self.b.ins().sqrt(a);
                self.normal(root);
                if self.exact {
                    let [x, r] = [a, root].map(|v| self.f64_of(v));
                    let back = self.b.ins().fmul(r, r);
                    self.equal(back, x);
                }
                root
            }
            V2::FromS32 | V2::FromU32 => {
                let bits = self.bits_of(a);
                self.integer_to_float(bits, f == V2::FromS32, 0)
            }
            V2::ToS32 => {
                let bits = self.float_to_integer(a, i32::MIN.into(), i32::MAX.into(), 0);
                self.float_of(bits)
            }
            V2::ToU32 => {
                let bits = self.float_to_integer(a, 0, u32::MAX.into(), 0);
                self.float_of(bits)
            }
            _ => a,
        };
        self.set_s(d, result);
    }

    /// `bits * 2^-frac`, rounded once.
    fn integer_to_float(&mut self, bits: Value, signed: bool, frac: u8) -> Value {
        if signed && frac == 0 && !self.exact {
            return self.b.ins().fcvt_from_sint(F32, bits);
        }
        let wide = if signed {
            self.b.ins().sextend(I64, bits)
        } else {
            self.b.ins().uextend(I64, bits)
        };
        let mut exact = self.b.ins().fcvt_from_sint(F64, wide);
        if frac != 0 {
            let scale = self.f64_word(power_of_two(-i32::from(frac)));
            exact = self.b.ins().fmul(exact, scale);
        }
        let result = self.b.ins().fdemote(F32, exact);
        if self.exact {
            let back = self.f64_of(result);
            self.equal(back, exact);
        }
        result
    }

    /// As [`Emitter::integer_to_float`], of at most 17 bits with sign: always exact.
    fn short_to_float(&mut self, value: Value, frac: u8) -> Value {
        let whole = self.b.ins().fcvt_from_sint(F32, value);
        if frac == 0 {
            return whole;
        }
        let scale = self.b.ins().f32const(power_of_two(-i32::from(frac)) as f32);
        self.b.ins().fmul(whole, scale)
    }

    /// `value * 2^frac` toward zero; leaves if it is out of range, and with `exact` if it
    /// is not whole.
    fn float_to_integer(&mut self, value: Value, min: i64, max: i64, frac: u8) -> Value {
        let mut exact = self.f64_of(value);
        if frac != 0 {
            let scale = self.f64_word(power_of_two(frac.into()));
            exact = self.b.ins().fmul(exact, scale);
        }
        // Toward zero everything inside (min - 1, max + 1) is in range; the comparisons
        // fail for NaN.
        let (low, high) = (
            self.f64_word((min - 1) as f64),
            self.f64_word((max + 1) as f64),
        );
        let x = self.b.ins().fcmp(FloatCC::GreaterThan, exact, low);
        let y = self.b.ins().fcmp(FloatCC::LessThan, exact, high);
        let inside = self.b.ins().band(x, y);
        let one = self.b.ins().iconst(I8, 1);
        let bad = self.b.ins().bxor(inside, one);
        self.unless(bad);
        let whole = self.b.ins().fcvt_to_sint_sat(I64, exact);
        if self.exact {
            let back = self.b.ins().fcvt_from_sint(F64, whole);
            self.equal(back, exact);
        }
        self.b.ins().ireduce(I32, whole)
    }

    fn compare_floats(&mut self, a: Value, b: Value) {
        let unordered = self.b.ins().fcmp(FloatCC::Unordered, a, b);
        self.unless(unordered);
        self.set_compared(a, b);
    }

    pub(super) fn fpu(&mut self, op: &Op, here: u32) {
        match *op {
            Op::V3 { f, d, n, m } => self.arithmetic(f, d, n, m),
            Op::V2 { f, d, m } => self.one_operand(f, d, m),
            Op::VMovImm { d, bits } => {
                let bits = self.word(bits);
                let value = self.float_of(bits);
                self.set_s(d, value);
            }
            Op::VCmp { d, m, .. } => {
                let (a, b) = (self.get_s(d), self.get_s(m));
                self.compare_floats(a, b);
            }
            Op::VCmpZero { d, .. } => {
                let a = self.get_s(d);
                let zero = self.b.ins().f32const(0.0);
                self.compare_floats(a, zero);
            }
            Op::VCvtFixed {
                to_fixed,
                ty,
                d,
                frac,
            } => {
                let value = self.get_s(d);
                let result = if to_fixed {
                    let (min, max) = match ty {
                        Fixed::S16 => (i16::MIN.into(), i16::MAX.into()),
                        Fixed::U16 => (0, u16::MAX.into()),
                        Fixed::S32 => (i32::MIN.into(), i32::MAX.into()),
                        Fixed::U32 => (0, u32::MAX.into()),
                    };
                    let bits = self.float_to_integer(value, min, max, frac);
                    self.float_of(bits)
                } else {
                    let bits = self.bits_of(value);
                    match ty {
                        Fixed::S16 => {
                            let low = self.b.ins().ireduce(I16, bits);
                            let low = self.b.ins().sextend(I32, low);
                            self.short_to_float(low, frac)
                        }
                        Fixed::U16 => {
                            let low = self.and(bits, 0xffff);
                            self.short_to_float(low, frac)
                        }
                        Fixed::S32 => self.integer_to_float(bits, true, frac),
                        Fixed::U32 => self.integer_to_float(bits, false, frac),
                    }
                };
                self.set_s(d, result);
            }
            Op::VMovToCore { rt, n } => {
                let value = self.get_s(n);
                let bits = self.bits_of(value);
                self.set(rt, bits);
            }
            Op::VMovFromCore { rt, n } => {
                let bits = self.get(rt);
                let value = self.float_of(bits);
                self.set_s(n, value);
            }
            Op::VMov2ToCore { rt, rt2, m } => {
                for (r, s) in [(rt, m), (rt2, m + 1)] {
                    let value = self.get_s(s);
                    let bits = self.bits_of(value);
                    self.set(r, bits);
                }
            }
            Op::VMov2FromCore { rt, rt2, m } => {
                for (r, s) in [(rt, m), (rt2, m + 1)] {
                    let bits = self.get(r);
                    let value = self.float_of(bits);
                    self.set_s(s, value);
                }
            }
            Op::VMrs { rt: 15 } => self.take_compared(),
            Op::VMrs { rt } => match self.fpscr() {
                Some(fpscr) => self.set(rt, fpscr),
                None => self.always_leave(),
            },
            Op::VLoad {
                double,
                d,
                rn,
                offset,
            } => {
                let base = if rn == 15 {
                    self.word(here.wrapping_add(4) & !3)
                } else {
                    self.get(rn)
                };
                let address = self.moved(base, offset.into());
                self.load_floats(address, d, 1 + u8::from(double));
            }
            Op::VStore {
                double,
                d,
                rn,
                offset,
            } => {
                let base = self.get(rn);
                let address = self.moved(base, offset.into());
                self.store_floats(address, d, 1 + u8::from(double));
            }
            _ => self.float_block(op),
        }
    }
}

/// 2^n for small n.
fn power_of_two(n: i32) -> f64 {
    f64::from_bits(((n + 1023) as u64) << 52)
}
