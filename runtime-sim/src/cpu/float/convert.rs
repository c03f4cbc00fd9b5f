//! Conversions: integers, fixed point, half precision.

use super::{AHP, ALTERNATIVE_HALF, DEFAULT_NAN, DN, Fpu, HALF, INFINITY, IOC, IXC, OFC, Rounding};
use super::{is_inf, is_nan, is_signalling, is_zero, power_of_two, wide};

impl Fpu {
    /// A signed 32-bit integer to single precision.
    #[inline(always)]
    pub(in super::super) fn signed_to_single(&mut self, a: u32) -> u32 {
        let value = a as i32;
        // Up to 24 bits are exact in every mode.
        if value.unsigned_abs() <= 1 << 24 {
            return (value as f32).to_bits();
        }
        self.integer_to_single(value.into(), 0, self.rounding())
    }

    /// Converts `value * 2^-frac` to single precision.
    pub(in super::super) fn integer_to_single(
        &mut self,
        value: i64,
        frac: u32,
        mode: Rounding,
    ) -> u32 {
        // Up to 24 bits without a fraction are exact in every mode.
        if frac == 0 && value.unsigned_abs() <= 1 << 24 {
            return (value as f32).to_bits();
        }
        if value == 0 {
            return 0;
        }
        self.round_mode(value as f64 * power_of_two(-(frac as i32)), mode)
    }

    /// Converts to a fixed-point integer in `[min, max]` with `frac` fraction bits;
    /// saturates out of range, and NaN becomes 0.
    #[inline]
    pub(in super::super) fn single_to_integer(
        &mut self,
        a: u32,
        frac: u32,
        min: i64,
        max: i64,
        mode: Rounding,
    ) -> i64 {
        let a = self.flush(a);
        if is_nan(a) {
            self.raise(IOC);
            return 0;
        }
        let exact = wide(a) * power_of_two(frac as i32);
        let rounded = match mode {
            Rounding::Nearest => exact.round_ties_even(),
            Rounding::Up => exact.ceil(),
            Rounding::Down => exact.floor(),
            Rounding::Zero => exact.trunc(),
        };
        // Both limits are exact as f64.
        if rounded > max as f64 || rounded < min as f64 {
            self.raise(IOC);
            return if rounded < 0.0 { min } else { max };
        }
        if rounded != exact {
            self.raise(IXC);
        }
        rounded as i64
    }

    /// Half precision (low 16 bits of `a`) to single.
    pub fn half_to_single(&mut self, a: u32) -> u32 {
        let sign = (a & 0x8000) << 16;
        let (exponent, fraction) = (a >> 10 & 31, a & 0x3ff);
        if exponent == 31 && self.fpscr & AHP == 0 {
            if fraction == 0 {
                return sign | INFINITY;
            }
            return self.quiet_half(sign, fraction);
        }
        if exponent == 0 {
            let magnitude = fraction as f32 / 16_777_216.0;
            return sign | magnitude.to_bits();
        }
        sign | (exponent + 112) << 23 | fraction << 13
    }

    fn quiet_half(&mut self, sign: u32, fraction: u32) -> u32 {
        if fraction & 0x200 == 0 {
            self.raise(IOC);
        }
        if self.fpscr & DN != 0 {
            return DEFAULT_NAN;
        }
        sign | DEFAULT_NAN | fraction << 13
    }

    /// Single to half precision, in the low 16 bits. Flush-to-zero does not apply to
    /// the result.
    pub fn single_to_half(&mut self, a: u32) -> u32 {
        let a = self.flush(a);
        let sign = a >> 16 & 0x8000;
        let alternative = self.fpscr & AHP != 0;
        if is_nan(a) {
            if alternative || is_signalling(a) {
                self.raise(IOC);
            }
            return if alternative {
                sign
            } else if self.fpscr & DN != 0 {
                0x7e00
            } else {
                sign | 0x7e00 | a >> 13 & 0x1ff
            };
        }
        if is_inf(a) {
            if alternative {
                self.raise(IOC);
                return sign | 0x7fff;
            }
            return sign | 0x7c00;
        }
        if is_zero(a) {
            return sign;
        }
        if alternative {
            // Overflow is an invalid operation here, and the only flag raised.
            let before = self.fpscr;
            self.fpscr &= !OFC;
            let half = self.round_to(wide(a), ALTERNATIVE_HALF, self.rounding(), false);
            if self.fpscr & OFC != 0 {
                self.fpscr = before | IOC;
                return sign | 0x7fff;
            }
            self.fpscr |= before & OFC;
            return sign | half;
        }
        sign | self.round_to(wide(a), HALF, self.rounding(), false)
    }
}
