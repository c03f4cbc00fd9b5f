//! Exponential and logarithm by shift and add.
//!
//! The chip's unit is iterative, its algorithm is not published. This one stands for it,
//! bit by bit. With `c(i) = ln(1 + 2^-i)` and 62 fraction bits, every step truncated:
//!
//! - `exp x`: `x = k ln 2 + r`. From `y = 1`, for `i` from 1 to the number of iterations: if
//!   `r >= c(i)`, subtract it from `r` and multiply `y` by `1 + 2^-i`. At last multiply
//!   `y` by `1 + r`, which is short of `e^r` by `r^2 / 2` with `r < 2^-iterations`.
//!   The result is `y 2^k`.
//! - `ln x`: `x = m 2^k`, `1 <= m < 2`. From `p = 1`, `l = 0`, for `i` as above: if `p` times
//!   `1 + 2^-i` is not above `m`, it becomes `p`, and `l` grows by `c(i)`. At last add
//!   `2 (m - p) / (m + p)`, which is short of `ln(m / p)` by a twelfth of its third power.
//!   The result is `k ln 2 + l`.
//!
//! Both rise with their argument: inside of a run of equal digits the last step does, and
//! where a digit changes it has stayed below what the next run begins with. Results are
//! cut to the format that is read: fixed-point ones towards minus infinity and to the
//! nearest end of the range, floats towards zero, without denormals. With 16 iterations no
//! result is further from the truth than 1.3 units of the last place (the tests measure
//! 1.23 for exponentials, 1.00 for logarithms), of which cutting takes up to one.

/// Bits behind the point.
const FRACTION: u32 = 62;
const ONE: u64 = 1 << FRACTION;

/// `ln(1 + 2^-i)` in units of 2^-62, rounded down.
const LN_ONE_PLUS: [u64; 33] = [
    0x2c5c_85fd_f473_de6a,
    0x19f3_23ec_bf98_4bf2,
    0x0e47_fbe3_cd4d_10d6,
    0x0789_c1db_8abc_b97a,
    0x03e1_4618_022c_54cc,
    0x01f8_29b0_e783_3004,
    0x00fe_0545_87e0_1f1e,
    0x007f_80a9_ac41_9e23,
    0x003f_e015_4562_1780,
    0x001f_f802_a9ab_10e6,
    0x000f_fe00_5545_5887,
    0x0007_ff80_0aa9_aac4,
    0x0003_ffe0_0155_4556,
    0x0001_fff8_002a_a9aa,
    0x0000_fffe_0005_5545,
    0x0000_7fff_8000_aaa9,
    0x0000_3fff_e000_1555,
    0x0000_1fff_f800_02aa,
    0x0000_0fff_fe00_0055,
    0x0000_07ff_ff80_000a,
    0x0000_03ff_ffe0_0001,
    0x0000_01ff_fff8_0000,
    0x0000_00ff_fffe_0000,
    0x0000_007f_ffff_8000,
    0x0000_003f_ffff_e000,
    0x0000_001f_ffff_f800,
    0x0000_000f_ffff_fe00,
    0x0000_0007_ffff_ff80,
    0x0000_0003_ffff_ffe0,
    0x0000_0001_ffff_fff8,
    0x0000_0000_ffff_fffe,
    0x0000_0000_7fff_ffff,
    0x0000_0000_3fff_ffff,
];
const LN_TWO: u64 = LN_ONE_PLUS[0];

/// Formats of arguments and results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Signed, 15 fraction bits.
    S16_15,
    /// Signed, 31 fraction bits.
    S0_31,
    /// Single precision.
    Float,
}

/// A number between argument and result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Real {
    /// `magnitude * 2^(exponent - 62)`.
    Finite {
        /// Below zero, unless the magnitude is 0.
        negative: bool,
        /// Below 2^127.
        magnitude: u128,
        /// Of two.
        exponent: i32,
    },
    /// Larger than every number of every format.
    Infinite {
        /// Minus infinity.
        negative: bool,
    },
    /// Not a number.
    Nan,
}

impl Real {
    /// Zero.
    pub const ZERO: Self = Self::Finite {
        negative: false,
        magnitude: 0,
        exponent: 0,
    };

    /// The number that `word` means.
    pub fn read(word: u32, format: Format) -> Self {
        let fixed = |bits: u32| Self::Finite {
            negative: (word as i32) < 0,
            magnitude: u128::from((word as i32).unsigned_abs()) << (FRACTION - bits),
            exponent: 0,
        };
        match format {
            Format::S16_15 => fixed(15),
            Format::S0_31 => fixed(31),
            Format::Float => {
                let negative = word >> 31 != 0;
                let fraction = word & 0x007f_ffff;
                match word >> 23 & 0xff {
                    0 => Self::ZERO,
                    0xff if fraction == 0 => Self::Infinite { negative },
                    0xff => Self::Nan,
                    biased => Self::Finite {
                        negative,
                        magnitude: u128::from(fraction | 1 << 23) << (FRACTION - 23),
                        exponent: biased as i32 - 127,
                    },
                }
            }
        }
    }

    /// The word for it.
    pub fn write(self, format: Format) -> u32 {
        match format {
            Format::S16_15 => self.fixed(15) as u32,
            Format::S0_31 => self.fixed(31) as u32,
            Format::Float => self.float(),
        }
    }

    fn fixed(self, bits: i32) -> i32 {
        let end = |negative: bool| if negative { i32::MIN } else { i32::MAX };
        match self {
            Self::Nan => i32::MIN,
            Self::Infinite { negative } => end(negative),
            Self::Finite {
                negative,
                magnitude,
                exponent,
            } => {
                let signed = match negative {
                    true => -(magnitude as i128),
                    false => magnitude as i128,
                };
                let right = FRACTION as i32 - bits - exponent;
                let value = match right {
                    0.. => signed >> right.min(127),
                    _ if magnitude == 0 => 0,
                    // As much as would leave the range in any case.
                    ..-62 => return end(negative),
                    _ if signed.unsigned_abs() >> 64 != 0 => return end(negative),
                    _ => signed << -right,
                };
                value.clamp(i32::MIN.into(), i32::MAX.into()) as i32
            }
        }
    }

    fn float(self) -> u32 {
        const INFINITY: u32 = 0x7f80_0000;
        let sign = |negative: bool| u32::from(negative) << 31;
        match self {
            Self::Nan => 0x7fc0_0000,
            Self::Infinite { negative } => sign(negative) | INFINITY,
            Self::Finite { magnitude: 0, .. } => 0,
            Self::Finite {
                negative,
                magnitude,
                exponent,
            } => {
                let top = magnitude.ilog2();
                let mantissa = match top.checked_sub(23) {
                    Some(down) => magnitude >> down,
                    None => magnitude << (23 - top),
                };
                let biased = top as i32 - FRACTION as i32 + exponent + 127;
                match biased {
                    ..=0 => sign(negative),
                    1..=254 => {
                        sign(negative) | (biased as u32) << 23 | mantissa as u32 & 0x007f_ffff
                    }
                    _ => sign(negative) | INFINITY,
                }
            }
        }
    }
}

/// `e^x`.
pub fn exp(x: Real, iterations: u32) -> Real {
    let (negative, magnitude, exponent) = match x {
        Real::Nan => return Real::Nan,
        Real::Infinite { negative: true } => return Real::ZERO,
        Real::Infinite { negative: false } => return x,
        Real::Finite {
            negative,
            magnitude,
            exponent,
        } => (negative, magnitude, exponent),
    };
    if exponent > 16 {
        // Only floats have an exponent, and then they are at least 2^17: beyond the
        // range of every format.
        return match negative {
            true => Real::ZERO,
            false => Real::Infinite { negative: false },
        };
    }
    let scaled = match exponent {
        0.. => magnitude << exponent,
        _ => magnitude >> (-exponent).min(127),
    };
    let scaled = match negative {
        true => -(scaled as i128),
        false => scaled as i128,
    };
    let k = scaled.div_euclid(LN_TWO.into());
    let mut r = scaled.rem_euclid(LN_TWO.into()) as u64;
    let mut y = ONE;
    for (i, &c) in LN_ONE_PLUS
        .iter()
        .enumerate()
        .skip(1)
        .take(iterations as usize)
    {
        if r >= c {
            r -= c;
            y += y >> i;
        }
    }
    let rest = (u128::from(y) * u128::from(r)) >> FRACTION;
    let y = (u128::from(y) + rest).min(2 * u128::from(ONE) - 1);
    Real::Finite {
        negative: false,
        magnitude: y,
        exponent: k as i32,
    }
}

/// The natural logarithm of `x`; not a number for negative ones.
pub fn ln(x: Real, iterations: u32) -> Real {
    let (magnitude, exponent) = match x {
        Real::Nan | Real::Infinite { negative: true } => return Real::Nan,
        Real::Infinite { negative: false } => return x,
        Real::Finite { magnitude: 0, .. } => return Real::Infinite { negative: true },
        Real::Finite { negative: true, .. } => return Real::Nan,
        Real::Finite {
            magnitude,
            exponent,
            ..
        } => (magnitude, exponent),
    };
    let top = magnitude.ilog2();
    let k = i128::from(top) - i128::from(FRACTION) + i128::from(exponent);
    let m = match top.checked_sub(FRACTION) {
        Some(down) => magnitude >> down,
        None => magnitude << (FRACTION - top),
    };
    let mut p = u128::from(ONE);
    let mut l = 0;
    for (i, &c) in LN_ONE_PLUS
        .iter()
        .enumerate()
        .skip(1)
        .take(iterations as usize)
    {
        let next = p + (p >> i);
        if next <= m {
            p = next;
            l += i128::from(c);
        }
    }
    l += (((m - p) << (FRACTION + 1)) / (m + p)) as i128;
    let total = k * i128::from(LN_TWO) + l;
    Real::Finite {
        negative: total < 0,
        magnitude: total.unsigned_abs(),
        exponent: 0,
    }
}
