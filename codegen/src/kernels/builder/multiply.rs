//! Arithmetic of fixed-point numbers, one instruction each.

use super::{Addressing, KernelBuilder};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F64, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

impl KernelBuilder<'_> {
    /// `SMMULR`: the upper word of a product of signed words, rounded to nearest.
    pub fn high_product(&mut self, a: Value, b: Value) -> Value {
        match self.addressing() {
            Addressing::Guest => self.call_returning("s2_smmulr", &[a, b], 1)[0],
            Addressing::Host => {
                let (a, b) = (self.wide(a), self.wide(b));
                let product = self.b.ins().imul(a, b);
                let half = self.b.ins().iconst(I64, 1 << 31);
                let rounded = self.b.ins().iadd(product, half);
                let by = self.b.ins().iconst(I32, 32);
                let high = self.b.ins().sshr(rounded, by);
                self.b.ins().ireduce(I32, high)
            }
        }
    }

    /// `SMMLAR`: `acc` plus [`Self::high_product`].
    pub fn add_high_product(&mut self, acc: Value, a: Value, b: Value) -> Value {
        match self.addressing() {
            Addressing::Guest => self.call_returning("s2_smmlar", &[acc, a, b], 1)[0],
            Addressing::Host => {
                let high = self.high_product(a, b);
                self.add(acc, high)
            }
        }
    }

    /// `SMULBB`, or `SMULTB` of the `top` half: a signed half of `word` times `by`, below 2^15.
    pub fn half_times(&mut self, word: Value, by: u32, top: bool) -> Value {
        let by = self.int(by);
        match self.addressing() {
            Addressing::Guest => {
                let name = if top { "s2_smultb" } else { "s2_smulbb" };
                self.call_returning(name, &[word, by], 1)[0]
            }
            Addressing::Host => {
                let half = self.signed_half(word, u32::from(top));
                self.mul(half, by)
            }
        }
    }

    /// `SMLABB`, or `SMLATB`: `acc` plus [`Self::half_times`].
    pub fn add_half_times(&mut self, acc: Value, word: Value, by: u32, top: bool) -> Value {
        match self.addressing() {
            Addressing::Guest => {
                let by = self.int(by);
                let name = if top { "s2_smlatb" } else { "s2_smlabb" };
                self.call_returning(name, &[acc, word, by], 1)[0]
            }
            Addressing::Host => {
                let product = self.half_times(word, by, top);
                self.add(acc, product)
            }
        }
    }

    /// `QADD`.
    pub fn saturating_add(&mut self, a: Value, b: Value) -> Value {
        match self.addressing() {
            Addressing::Guest => self.call_returning("s2_qadd", &[a, b], 1)[0],
            Addressing::Host => {
                let (a, b) = (self.wide(a), self.wide(b));
                let sum = self.b.ins().iadd(a, b);
                self.saturated(sum)
            }
        }
    }

    /// `QSUB`.
    pub fn saturating_sub(&mut self, a: Value, b: Value) -> Value {
        match self.addressing() {
            Addressing::Guest => self.call_returning("s2_qsub", &[a, b], 1)[0],
            Addressing::Host => {
                let (a, b) = (self.wide(a), self.wide(b));
                let difference = self.b.ins().isub(a, b);
                self.saturated(difference)
            }
        }
    }

    pub fn smax(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().smax(a, b)
    }
    /// `UDIV`: the quotient of unsigned words; the divisor is not zero.
    pub fn udiv(&mut self, a: Value, b: Value) -> Value {
        match self.addressing() {
            Addressing::Guest => self.call_returning("s2_udiv", &[a, b], 1)[0],
            Addressing::Host => {
                // float64 tells every quotient of words from the next integer; unlike a
                // division of integers it can't trap.
                let a = self.b.ins().fcvt_from_uint(F64, a);
                let b = self.b.ins().fcvt_from_uint(F64, b);
                let quotient = self.b.ins().fdiv(a, b);
                self.b.ins().fcvt_to_uint_sat(I32, quotient)
            }
        }
    }

    fn wide(&mut self, word: Value) -> Value {
        self.b.ins().sextend(I64, word)
    }
    fn saturated(&mut self, wide: Value) -> Value {
        let most = self.b.ins().iconst(I64, i64::from(i32::MAX));
        let least = self.b.ins().iconst(I64, i64::from(i32::MIN));
        let above = self.b.ins().icmp(IntCC::SignedGreaterThan, wide, most);
        let wide = self.b.ins().select(above, most, wide);
        let below = self.b.ins().icmp(IntCC::SignedLessThan, wide, least);
        let wide = self.b.ins().select(below, least, wide);
        self.b.ins().ireduce(I32, wide)
    }
}
