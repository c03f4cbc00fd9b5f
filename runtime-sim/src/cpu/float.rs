//! Single-precision arithmetic with the exact flags, NaN rules and modes of the FPU.
//!
//! The usual case, a normal result in the default modes with "inexact" already noted,
//! is the host's own operation. Everything else goes through double precision: the
//! exact result is computed as an `f64` that is *rounded to odd* (an inexact value gets
//! an odd last bit), and `Fpu::round` then rounds that once, in any mode. With
//! 53 ≥ 24 + 2 bits the two steps equal one correct rounding.

mod convert;

/// FPSCR bit: invalid operation.
pub(super) const IOC: u32 = 1;
/// FPSCR bit: division by zero.
pub(super) const DZC: u32 = 1 << 1;
/// FPSCR bit: overflow.
pub(super) const OFC: u32 = 1 << 2;
/// FPSCR bit: underflow.
pub(super) const UFC: u32 = 1 << 3;
/// FPSCR bit: inexact.
pub(super) const IXC: u32 = 1 << 4;
/// FPSCR bit: input denormal flushed.
pub(super) const IDC: u32 = 1 << 7;
/// FPSCR bit: flush to zero.
pub(super) const FZ: u32 = 1 << 24;
/// FPSCR bit: default NaN.
pub(super) const DN: u32 = 1 << 25;
/// FPSCR bit: alternative half precision.
pub(super) const AHP: u32 = 1 << 26;
/// FPSCR field: rounding mode.
pub(super) const RMODE: u32 = 3 << 22;
/// All FPSCR bits that exist.
pub(super) const FPSCR_MASK: u32 = 0xf000_0000 | AHP | DN | FZ | RMODE | IDC | 0x1f;

const DEFAULT_NAN: u32 = 0x7fc0_0000;
const SIGN: u32 = 1 << 31;
const INFINITY: u32 = 0x7f80_0000;

/// Direction of a rounding, numbered as in FPSCR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rounding {
    Nearest,
    Up,
    Down,
    Zero,
}

/// Layout of a binary format for [`Fpu::round`].
#[derive(Clone, Copy)]
struct Format {
    fraction_bits: u32,
    min_exponent: i32,
    max_exponent: i32,
}

const SINGLE: Format = Format {
    fraction_bits: 23,
    min_exponent: -126,
    max_exponent: 127,
};
const HALF: Format = Format {
    fraction_bits: 10,
    min_exponent: -14,
    max_exponent: 15,
};
/// Alternative half precision uses the top exponent for numbers.
const ALTERNATIVE_HALF: Format = Format {
    fraction_bits: 10,
    min_exponent: -14,
    max_exponent: 16,
};

/// The state of the floating-point unit beside its registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fpu {
    /// FPSCR: N, Z, C, V, modes and cumulative exception flags.
    pub fpscr: u32,
}

fn is_nan(x: u32) -> bool {
    x & !SIGN > INFINITY
}

fn is_signalling(x: u32) -> bool {
    is_nan(x) && x & 0x0040_0000 == 0
}

fn is_inf(x: u32) -> bool {
    x & !SIGN == INFINITY
}

fn is_zero(x: u32) -> bool {
    x & !SIGN == 0
}

/// Neither zero, infinite nor NaN, nor so small that it may have been denormal before
/// it was rounded (which is an underflow): exponents 2 to 254.
#[inline(always)]
fn is_normal(x: u32) -> bool {
    (x & INFINITY).wrapping_sub(0x0100_0000) < 0x7e80_0000
}

/// Whether the host's `a + b = sum`, a normal number, lost anything.
#[inline(always)]
fn sum_is_inexact(a: f32, b: f32, sum: f32) -> bool {
    // Knuth's two-sum gives the rounding error exactly.
    let b_part = sum - a;
    (a - (sum - b_part)) + (b - b_part) != 0.0
}

fn wide(x: u32) -> f64 {
    f64::from(f32::from_bits(x))
}

/// `a + b` rounded to odd. Neither may be infinite or NaN.
fn add_odd(a: f64, b: f64) -> f64 {
    let sum = a + b;
    // Knuth's two-sum: `error` is exactly what the rounding lost.
    let b_part = sum - a;
    let error = (a - (sum - b_part)) + (b - b_part);
    to_odd(sum, error)
}

/// The enclosing value with an odd last bit, if `rounded` is not exact.
fn to_odd(rounded: f64, error: f64) -> f64 {
    let bits = rounded.to_bits();
    if error == 0.0 || bits & 1 != 0 {
        return rounded;
    }
    // The true value lies toward the sign of `error`.
    if (error > 0.0) == (rounded > 0.0) {
        f64::from_bits(bits + 1)
    } else {
        f64::from_bits(bits - 1)
    }
}

impl Fpu {
    pub(super) fn rounding(self) -> Rounding {
        match self.fpscr >> 22 & 3 {
            0 => Rounding::Nearest,
            1 => Rounding::Up,
            2 => Rounding::Down,
            _ => Rounding::Zero,
        }
    }

    /// True if a normal or exact result of the host's operation is the answer.
    #[inline(always)]
    fn fast(self) -> bool {
        self.fpscr & (FZ | RMODE) == 0
    }

    /// True if "inexact" was noted. Each handler starts without it, and programs whose
    /// arithmetic is exact (integers in floats) never note it.
    #[inline(always)]
    fn noted(self) -> bool {
        self.fpscr & IXC != 0
    }

    fn raise(&mut self, flags: u32) {
        self.fpscr |= flags;
    }

    /// Flushes a denormal operand if FZ is set.
    fn flush(&mut self, x: u32) -> u32 {
        if self.fpscr & FZ != 0 && x & INFINITY == 0 && !is_zero(x) {
            self.raise(IDC);
            return x & SIGN;
        }
        x
    }

    fn invalid(&mut self) -> u32 {
        self.raise(IOC);
        DEFAULT_NAN
    }

    /// A NaN operand as a result: quiet, or the default NaN.
    fn quiet(&mut self, x: u32) -> u32 {
        if is_signalling(x) {
            self.raise(IOC);
        }
        if self.fpscr & DN != 0 {
            DEFAULT_NAN
        } else {
            x | 0x0040_0000
        }
    }

    /// The result if an operand is NaN: the first signalling one, else the first.
    fn nan(&mut self, operands: &[u32]) -> Option<u32> {
        let chosen = operands
            .iter()
            .find(|x| is_signalling(**x))
            .or_else(|| operands.iter().find(|x| is_nan(**x)))?;
        Some(self.quiet(*chosen))
    }

    /// Rounds an exact or rounded-to-odd value that is not zero; gives bits without sign.
    fn round_to(&mut self, x: f64, format: Format, mode: Rounding, flush: bool) -> u32 {
        let negative = x < 0.0;
        let bits = x.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as i32 - 1023;
        let mantissa = bits & ((1 << 52) - 1) | 1 << 52;
        let tiny = exponent < format.min_exponent;
        if tiny && flush {
            self.raise(UFC);
            return 0;
        }
        let e = exponent.max(format.min_exponent);
        let shift = (52 - format.fraction_bits + (e - exponent) as u32).min(63);
        let rest = mantissa & ((1 << shift) - 1);
        let half = 1 << (shift - 1);
        let mut integer = mantissa >> shift;
        let up = match mode {
            Rounding::Nearest => rest > half || (rest == half && integer & 1 != 0),
            Rounding::Up => rest != 0 && !negative,
            Rounding::Down => rest != 0 && negative,
            Rounding::Zero => false,
        };
        if rest != 0 {
            self.raise(if tiny { UFC | IXC } else { IXC });
        }
        integer += u64::from(up);
        // A carry out of the fraction increments the exponent by itself.
        let biased = (e - format.min_exponent) as u64;
        let encoded = (biased << format.fraction_bits) + integer;
        let limit =
            ((format.max_exponent - format.min_exponent + 2) as u64) << format.fraction_bits;
        if encoded >= limit {
            self.raise(OFC | IXC);
            let to_infinity = match mode {
                Rounding::Nearest => true,
                Rounding::Up => !negative,
                Rounding::Down => negative,
                Rounding::Zero => false,
            };
            return (limit - u64::from(!to_infinity)) as u32;
        }
        encoded as u32
    }

    fn round(&mut self, x: f64) -> u32 {
        self.round_mode(x, self.rounding())
    }

    fn round_mode(&mut self, x: f64, mode: Rounding) -> u32 {
        let flush = self.fpscr & FZ != 0;
        let magnitude = self.round_to(x, SINGLE, mode, flush);
        magnitude | if x < 0.0 { SIGN } else { 0 }
    }

    /// `a + b`.
    #[inline(always)]
    pub fn add(&mut self, a: u32, b: u32) -> u32 {
        let (x, y) = (f32::from_bits(a), f32::from_bits(b));
        self.fast_sum(x, y).unwrap_or_else(|| self.add_exact(a, b))
    }

    #[inline(always)]
    fn fast_sum(&mut self, a: f32, b: f32) -> Option<u32> {
        let sum = a + b;
        let bits = sum.to_bits();
        // A sum that is zero is exact.
        if !self.fast() || !(is_normal(bits) || is_zero(bits)) {
            return None;
        }
        if !self.noted() && sum_is_inexact(a, b, sum) {
            self.raise(IXC);
        }
        Some(bits)
    }

    #[inline(never)]
    fn add_exact(&mut self, a: u32, b: u32) -> u32 {
        let (a, b) = (self.flush(a), self.flush(b));
        if let Some(nan) = self.nan(&[a, b]) {
            return nan;
        }
        match (is_inf(a), is_inf(b)) {
            (true, true) if a != b => return self.invalid(),
            (true, _) => return a,
            (_, true) => return b,
            _ => {}
        }
        let sum = add_odd(wide(a), wide(b));
        if sum == 0.0 {
            return self.zero_sum(a & SIGN, b & SIGN);
        }
        self.round(sum)
    }

    /// Zero as a sum of two values of these signs.
    fn zero_sum(self, a: u32, b: u32) -> u32 {
        if a == b {
            a
        } else if self.rounding() == Rounding::Down {
            SIGN
        } else {
            0
        }
    }

    /// `a - b`.
    #[inline(always)]
    pub fn sub(&mut self, a: u32, b: u32) -> u32 {
        let (x, y) = (f32::from_bits(a), f32::from_bits(b));
        if let Some(difference) = self.fast_sum(x, -y) {
            return difference;
        }
        // A NaN operand keeps its sign.
        if is_nan(b) {
            self.add_exact(a, b)
        } else {
            self.add_exact(a, b ^ SIGN)
        }
    }

    /// `a * b`.
    #[inline(always)]
    pub fn mul(&mut self, a: u32, b: u32) -> u32 {
        let (x, y) = (f32::from_bits(a), f32::from_bits(b));
        let product = x * y;
        let bits = product.to_bits();
        if self.fast() {
            if is_normal(bits) {
                // The double product is exact.
                if !self.noted() && f64::from(x) * f64::from(y) != f64::from(product) {
                    self.raise(IXC);
                }
                return bits;
            }
            if is_zero(bits) && (is_zero(a) || is_zero(b)) {
                return bits;
            }
        }
        self.mul_exact(a, b)
    }

    #[inline(never)]
    fn mul_exact(&mut self, a: u32, b: u32) -> u32 {
        let (a, b) = (self.flush(a), self.flush(b));
        if let Some(nan) = self.nan(&[a, b]) {
            return nan;
        }
        let sign = (a ^ b) & SIGN;
        if is_inf(a) || is_inf(b) {
            if is_zero(a) || is_zero(b) {
                return self.invalid();
            }
            return sign | INFINITY;
        }
        if is_zero(a) || is_zero(b) {
            return sign;
        }
        // 24 + 24 bits: the product is exact.
        self.round(wide(a) * wide(b))
    }

    /// `a / b`.
    pub fn div(&mut self, a: u32, b: u32) -> u32 {
        let (a, b) = (self.flush(a), self.flush(b));
        if let Some(nan) = self.nan(&[a, b]) {
            return nan;
        }
        let sign = (a ^ b) & SIGN;
        if (is_inf(a) && is_inf(b)) || (is_zero(a) && is_zero(b)) {
            return self.invalid();
        }
        if is_inf(a) {
            return sign | INFINITY;
        }
        if is_zero(b) {
            self.raise(DZC);
            return sign | INFINITY;
        }
        if is_inf(b) || is_zero(a) {
            return sign;
        }
        let (ma, ea) = integer_parts(wide(a));
        let (mb, eb) = integer_parts(wide(b));
        // Both mantissas have 24 bits, so the quotient has 28 or 29 and a sticky bit.
        let numerator = ma << 28;
        let quotient = (numerator / mb) | u64::from(numerator % mb != 0);
        let value = quotient as f64 * power_of_two(ea - eb - 28);
        self.round(if sign != 0 { -value } else { value })
    }

    /// Square root of `a`.
    pub fn sqrt(&mut self, a: u32) -> u32 {
        let a = self.flush(a);
        if let Some(nan) = self.nan(&[a]) {
            return nan;
        }
        if is_zero(a) {
            return a;
        }
        if a & SIGN != 0 {
            return self.invalid();
        }
        if is_inf(a) {
            return a;
        }
        // The root of a 24-bit number is representable in 24 bits or differs from every
        // 25-bit number by more than the rounding error here, so no odd bit is needed.
        self.round(wide(a).sqrt())
    }

    /// `addend + a * b` with one rounding.
    pub fn fma(&mut self, addend: u32, a: u32, b: u32) -> u32 {
        let (addend, a, b) = (self.flush(addend), self.flush(a), self.flush(b));
        let no_product = (is_inf(a) && is_zero(b)) || (is_zero(a) && is_inf(b));
        if let Some(nan) = self.nan(&[addend, a, b]) {
            if no_product && is_nan(addend) && !is_signalling(addend) {
                return self.invalid();
            }
            return nan;
        }
        let sign = (a ^ b) & SIGN;
        let product_inf = is_inf(a) || is_inf(b);
        if no_product || (product_inf && is_inf(addend) && addend & SIGN != sign) {
            return self.invalid();
        }
        if is_inf(addend) {
            return addend;
        }
        if product_inf {
            return sign | INFINITY;
        }
        let sum = add_odd(wide(addend), wide(a) * wide(b));
        if sum == 0.0 {
            return self.zero_sum(addend & SIGN, sign);
        }
        self.round(sum)
    }

    /// Compares and sets N, Z, C, V of FPSCR. `all_nans`: quiet NaNs are invalid too.
    #[inline]
    pub fn compare(&mut self, a: u32, b: u32, all_nans: bool) {
        let (a, b) = (self.flush(a), self.flush(b));
        let flags = if is_nan(a) || is_nan(b) {
            if all_nans || is_signalling(a) || is_signalling(b) {
                self.raise(IOC);
            }
            0b0011
        } else {
            let (x, y) = (f32::from_bits(a), f32::from_bits(b));
            if x == y {
                0b0110
            } else if x < y {
                0b1000
            } else {
                0b0010
            }
        };
        self.fpscr = self.fpscr & 0x0fff_ffff | flags << 28;
    }
}

/// A finite non-zero value as a 24-bit integer times a power of two.
fn integer_parts(x: f64) -> (u64, i32) {
    let bits = x.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32 - 1023;
    ((bits & ((1 << 52) - 1) | 1 << 52) >> 29, exponent - 23)
}

/// 2^n for |n| < 1000.
#[inline]
fn power_of_two(n: i32) -> f64 {
    f64::from_bits(((n + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(x: f32) -> u32 {
        x.to_bits()
    }

    #[test]
    fn host_and_exact_paths_agree() {
        let mut seed = 1_u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 32) as u32
        };
        for _ in 0..200_000 {
            let (a, b, c) = (next(), next(), next());
            let [x, y, z] = [a, b, c].map(f32::from_bits);
            let mut fpu = Fpu::default();
            let same = |got: u32, want: f32| want.is_nan() || got == bits(want);
            assert!(same(fpu.add_exact(a, b), x + y), "{x:e} + {y:e}");
            assert!(same(fpu.mul_exact(a, b), x * y), "{x:e} * {y:e}");
            assert!(same(fpu.div(a, b), x / y), "{x:e} / {y:e}");
            assert!(same(fpu.sqrt(a), x.sqrt()), "sqrt {x:e}");
            assert!(
                same(fpu.fma(c, a, b), x.mul_add(y, z)),
                "fma {x:e} {y:e} {z:e}"
            );
        }
    }

    /// Values and all flags, where the host's operation is the answer and where not.
    #[test]
    fn usual_and_exact_paths_note_the_same() {
        let mut seed = 7_u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 32) as u32
        };
        for round in 0..400_000_u32 {
            // Few fraction bits, so that many results are exact; exponents near each
            // other, at the ends of the range, or anywhere.
            let mut operand = || {
                let fraction = next() & 0x7f_ffff & !0 << (next() % 24);
                let exponent = match round % 4 {
                    0 => 120 + next() % 16,
                    1 => next() % 4,
                    2 => 60 + next() % 8,
                    _ => next() % 256,
                };
                next() & SIGN | exponent << 23 | fraction
            };
            let (a, b) = (operand(), operand());
            for fpscr in [0, IXC] {
                let (mut usual, mut exact) = (Fpu { fpscr }, Fpu { fpscr });
                assert_eq!(usual.add(a, b), exact.add_exact(a, b), "{a:#x} + {b:#x}");
                assert_eq!(usual, exact, "{a:#x} + {b:#x}");
                assert_eq!(usual.mul(a, b), exact.mul_exact(a, b), "{a:#x} * {b:#x}");
                assert_eq!(usual, exact, "{a:#x} * {b:#x}");
                if !is_nan(b) {
                    assert_eq!(usual.sub(a, b), exact.add_exact(a, b ^ SIGN));
                    assert_eq!(usual, exact, "{a:#x} - {b:#x}");
                }
            }
        }
    }

    #[test]
    fn nan_rules() {
        let mut fpu = Fpu::default();
        let (quiet, signalling) = (0x7fc0_1234, 0xff80_0001);
        assert_eq!(fpu.add(quiet, bits(1.0)), quiet);
        assert_eq!(fpu.fpscr, 0);
        assert_eq!(fpu.add(quiet, signalling), 0xffc0_0001);
        assert_eq!(fpu.fpscr, IOC);
        fpu.fpscr = DN;
        assert_eq!(fpu.mul(quiet, quiet), DEFAULT_NAN);
    }

    #[test]
    fn directed_rounding_and_overflow() {
        for (mode, tenth, huge) in [
            (0, 0x3dcc_cccd, INFINITY),
            (1, 0x3dcc_cccd, INFINITY),
            (2, 0x3dcc_cccc, 0x7f7f_ffff),
            (3, 0x3dcc_cccc, 0x7f7f_ffff),
        ] {
            let mut fpu = Fpu { fpscr: mode << 22 };
            assert_eq!(fpu.div(bits(1.0), bits(10.0)), tenth, "mode {mode}");
            assert_eq!(fpu.fpscr & 0xff, IXC);
            assert_eq!(fpu.mul(bits(f32::MAX), bits(2.0)), huge, "mode {mode}");
            assert_eq!(fpu.fpscr & 0xff, IXC | OFC);
        }
    }
}
