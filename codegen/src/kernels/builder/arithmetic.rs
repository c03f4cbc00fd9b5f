//! Arithmetic and comparisons of kernels.

use super::{Addressing, KernelBuilder};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, I8, I16, I32};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value};

impl KernelBuilder<'_> {
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().iadd(a, b)
    }
    pub fn sub(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().isub(a, b)
    }
    pub fn mul(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().imul(a, b)
    }
    pub fn or(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().bor(a, b)
    }
    pub fn and(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().band(a, b)
    }
    pub fn shl(&mut self, a: Value, by: Value) -> Value {
        self.b.ins().ishl(a, by)
    }
    pub fn add_const(&mut self, a: Value, c: u32) -> Value {
        if c == 0 {
            return a;
        }
        let c = self.int(c);
        self.add(a, c)
    }
    pub fn and_const(&mut self, a: Value, c: u32) -> Value {
        let c = self.int(c);
        self.and(a, c)
    }
    pub fn shl_const(&mut self, a: Value, by: u32) -> Value {
        let by = self.int(by);
        self.b.ins().ishl(a, by)
    }
    pub fn shr_const(&mut self, a: Value, by: u32) -> Value {
        if by == 0 {
            return a;
        }
        let by = self.int(by);
        self.b.ins().ushr(a, by)
    }
    /// Byte `k` of a word, sign-extended.
    pub fn signed_byte(&mut self, word: Value, k: u32) -> Value {
        let shifted = self.shr_const(word, 8 * k);
        let byte = self.b.ins().ireduce(I8, shifted);
        self.b.ins().sextend(I32, byte)
    }
    /// Halfword `k` of a word, sign-extended.
    pub fn signed_half(&mut self, word: Value, k: u32) -> Value {
        let shifted = self.shr_const(word, 16 * k);
        let half = self.b.ins().ireduce(I16, shifted);
        self.b.ins().sextend(I32, half)
    }
    /// `SXTAB16`: adds signed bytes 0 and 2 of `word` (1 and 3 if `odd`) to
    /// the two halves of `acc`, each wrapping by itself.
    pub fn add_bytes_to_halves(&mut self, acc: Value, word: Value, odd: bool) -> Value {
        match self.addressing() {
            Addressing::Guest => {
                let name = if odd { "s2_sxtab16_ror8" } else { "s2_sxtab16" };
                self.call_returning(name, &[acc, word], 1)[0]
            }
            Addressing::Host => {
                let first = u32::from(odd);
                let low = self.signed_byte(word, first);
                let high = self.signed_byte(word, first + 2);
                let low = self.add(acc, low);
                let low = self.and_const(low, 0xffff);
                let upper = self.shr_const(acc, 16);
                let high = self.add(upper, high);
                let high = self.shl_const(high, 16);
                self.or(low, high)
            }
        }
    }
    /// Signed integer to float32, to nearest even.
    pub fn to_float(&mut self, int: Value) -> Value {
        self.b.ins().fcvt_from_sint(F32, int)
    }
    pub fn fadd(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().fadd(a, b)
    }
    pub fn fsub(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().fsub(a, b)
    }
    pub fn fmul(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().fmul(a, b)
    }
    pub fn fcompare(&mut self, how: FloatCC, a: Value, b: Value) -> Value {
        self.b.ins().fcmp(how, a, b)
    }
    pub fn compare(&mut self, how: IntCC, a: Value, b: Value) -> Value {
        self.b.ins().icmp(how, a, b)
    }
    pub fn select(&mut self, condition: Value, yes: Value, no: Value) -> Value {
        self.b.ins().select(condition, yes, no)
    }
    pub fn fdiv(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().fdiv(a, b)
    }
    /// The whole part, saturating; 0 of NaN.
    pub fn to_int(&mut self, a: Value) -> Value {
        self.b.ins().fcvt_to_sint_sat(I32, a)
    }
    /// The bits of a float32 as an i32.
    pub fn bits(&mut self, float: Value) -> Value {
        self.b.ins().bitcast(I32, MemFlagsData::new(), float)
    }
    pub fn from_bits(&mut self, bits: Value) -> Value {
        self.b.ins().bitcast(F32, MemFlagsData::new(), bits)
    }
    /// Whether the float32 with these bits is neither 0.0 nor -0.0.
    pub fn is_not_zero(&mut self, bits: Value) -> Value {
        let magnitude = self.shl_const(bits, 1);
        let zero = self.int(0);
        self.compare(IntCC::NotEqual, magnitude, zero)
    }
    pub fn umin(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().umin(a, b)
    }
    pub fn smin(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().smin(a, b)
    }
    /// The upper halfword of a word, sign-extended.
    pub fn upper_half(&mut self, word: Value) -> Value {
        let by = self.int(16);
        self.b.ins().sshr(word, by)
    }
    /// `a` plus the lower halfword of `word`.
    pub fn add_lower_half(&mut self, a: Value, word: Value) -> Value {
        let half = self.b.ins().ireduce(I16, word);
        let half = self.b.ins().uextend(I32, half);
        self.add(a, half)
    }
    /// `a / divisor` for `a` below 2^31, without a division: the product with
    /// the reciprocal rounded up to 32 bits is off by less than 2^(32 + k) in
    /// units of the shifted-out part (Granlund and Montgomery 1994).
    pub fn div_const(&mut self, a: Value, divisor: u32) -> Value {
        let k = divisor.ilog2();
        if divisor.is_power_of_two() {
            return self.shr_const(a, k);
        }
        let reciprocal = (1u64 << (32 + k)).div_ceil(u64::from(divisor));
        let reciprocal = self.int(reciprocal as u32);
        let high = self.b.ins().umulhi(a, reciprocal);
        self.shr_const(high, k)
    }
    /// Quotient and remainder of `a` below 2^31.
    pub fn divide(&mut self, a: Value, divisor: u32) -> (Value, Value) {
        let quotient = self.div_const(a, divisor);
        if divisor.is_power_of_two() {
            return (quotient, self.and_const(a, divisor - 1));
        }
        let divisor = self.int(divisor);
        let whole = self.mul(quotient, divisor);
        (quotient, self.sub(a, whole))
    }
    /// `a * c`.
    pub fn mul_const(&mut self, a: Value, c: u32) -> Value {
        match c {
            1 => a,
            _ if c.is_power_of_two() => self.shl_const(a, c.ilog2()),
            _ => {
                let c = self.int(c);
                self.mul(a, c)
            }
        }
    }
}
