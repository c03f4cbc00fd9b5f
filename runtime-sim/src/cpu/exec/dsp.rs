//! Multiplication, division, saturation, parallel arithmetic.

use super::super::core::Core;
use super::super::fault::{FaultKind, Trap};
use super::super::flags::{saturate_signed, saturate_unsigned, shift};
use super::super::nvic::CCR_DIV_0_TRP;
use super::super::op::{Lane, Misc, Mul, MulLong, Par, Reg, Shift};

impl Core {
    pub(super) fn saturate(
        &mut self,
        signed: bool,
        rd: Reg,
        rn: Reg,
        bits: u8,
        kind: Shift,
        amount: u8,
    ) {
        let (operand, _) = shift(self.get(rn), kind, amount.into(), false);
        let value = i64::from(operand as i32);
        let (result, saturated) = if signed {
            saturate_signed(value, bits.into())
        } else {
            saturate_unsigned(value, bits.into())
        };
        self.flags.q |= saturated;
        self.set(rd, result as u32);
    }

    pub(super) fn saturate16(&mut self, signed: bool, rd: Reg, rn: Reg, bits: u8) {
        let mut result = 0;
        for (i, half) in halves(self.get(rn)).into_iter().enumerate() {
            let (value, saturated) = if signed {
                saturate_signed(half.into(), bits.into())
            } else {
                saturate_unsigned(half.into(), bits.into())
            };
            self.flags.q |= saturated;
            result |= (value as u32 & 0xffff) << (16 * i);
        }
        self.set(rd, result);
    }

    pub(super) fn parallel(&mut self, lane: Lane, par: Par, rd: Reg, rn: Reg, rm: Reg) {
        let (n, m) = (self.get(rn), self.get(rm));
        let signed = matches!(lane, Lane::S | Lane::Q | Lane::Sh);
        // Bits per element, and whether each element is a difference.
        let (width, minus) = match par {
            Par::Add16 => (16, [false; 4]),
            Par::Asx => (16, [true, false, false, false]),
            Par::Sax => (16, [false, true, false, false]),
            Par::Sub16 => (16, [true; 4]),
            Par::Add8 => (8, [false; 4]),
            Par::Sub8 => (8, [true; 4]),
        };
        let m = if matches!(par, Par::Asx | Par::Sax) {
            m.rotate_right(16)
        } else {
            m
        };
        let element = |word: u32, i: u32| {
            let up = word << (32 - width - i * width);
            if signed {
                i64::from(up as i32 >> (32 - width))
            } else {
                i64::from(up >> (32 - width))
            }
        };
        let mut result = 0;
        let mut ge = 0_u8;
        let per_ge = width / 8;
        for i in 0..32 / width {
            let (a, b) = (element(n, i), element(m, i));
            let difference = minus[i as usize];
            let exact = if difference { a - b } else { a + b };
            let value = match lane {
                Lane::S | Lane::U => exact,
                Lane::Q => saturate_signed(exact, width).0,
                Lane::Uq => saturate_unsigned(exact, width).0,
                Lane::Sh | Lane::Uh => exact >> 1,
            };
            // An unsigned sum sets GE on carry, everything else when not negative.
            let reached = if lane == Lane::U && !difference {
                exact >> width != 0
            } else {
                exact >= 0
            };
            if reached {
                ge |= ((1 << per_ge) - 1) << (i * per_ge);
            }
            result |= (value as u32 & (u32::MAX >> (32 - width))) << (i * width);
        }
        if matches!(lane, Lane::S | Lane::U) {
            self.flags.ge = ge;
        }
        self.set(rd, result);
    }

    pub(super) fn misc(&mut self, f: Misc, rd: Reg, rn: Reg, rm: Reg) -> Result<(), Trap> {
        let (n, m) = (self.get(rn), self.get(rm));
        let (sn, sm) = (i64::from(n as i32), i64::from(m as i32));
        let result = match f {
            Misc::Clz => m.leading_zeros(),
            Misc::Rbit => m.reverse_bits(),
            Misc::Rev => m.swap_bytes(),
            Misc::Rev16 => m.swap_bytes().rotate_right(16),
            Misc::Revsh => (m as u16).swap_bytes() as i16 as u32,
            Misc::Qadd => self.saturating(sm + sn),
            Misc::Qsub => self.saturating(sm - sn),
            Misc::Qdadd | Misc::Qdsub => {
                let doubled = i64::from(self.saturating(2 * sn) as i32);
                self.saturating(if f == Misc::Qdadd {
                    sm + doubled
                } else {
                    sm - doubled
                })
            }
            Misc::Sel => {
                let mut mask = 0;
                for i in 0..4 {
                    if self.flags.ge >> i & 1 != 0 {
                        mask |= 0xff << (8 * i);
                    }
                }
                n & mask | m & !mask
            }
            Misc::Sdiv => {
                self.check_divisor(m)?;
                self.cycle += self
                    .costs
                    .division((n as i32).unsigned_abs(), (m as i32).unsigned_abs());
                if m == 0 {
                    0
                } else {
                    (n as i32).wrapping_div(m as i32) as u32
                }
            }
            Misc::Udiv => {
                self.check_divisor(m)?;
                self.cycle += self.costs.division(n, m);
                n.checked_div(m).unwrap_or(0)
            }
        };
        self.set(rd, result);
        Ok(())
    }

    fn check_divisor(&self, divisor: u32) -> Result<(), Trap> {
        if divisor == 0 && self.nvic.ccr & CCR_DIV_0_TRP != 0 {
            return Err(Trap::Fault(FaultKind::DivideByZero, None));
        }
        Ok(())
    }

    fn saturating(&mut self, value: i64) -> u32 {
        let (result, saturated) = saturate_signed(value, 32);
        self.flags.q |= saturated;
        result as u32
    }

    /// The low word of `sum`; Q if it does not fit.
    fn accumulate(&mut self, sum: i64) -> u32 {
        self.flags.q |= sum != i64::from(sum as i32);
        sum as u32
    }

    #[inline(always)]
    pub(super) fn multiply(&mut self, f: Mul, s: bool, rd: Reg, rn: Reg, rm: Reg, ra: Reg) {
        let (n, m) = (self.get(rn), self.get(rm));
        let result = match f {
            Mul::Mul => {
                let product = n.wrapping_mul(m);
                if s {
                    self.flags.set_nz(product);
                }
                product
            }
            Mul::Mla => self.get(ra).wrapping_add(n.wrapping_mul(m)),
            Mul::Mls => self.get(ra).wrapping_sub(n.wrapping_mul(m)),
            _ => {
                let a = if ra == 15 { 0 } else { self.get(ra) };
                self.multiply_dsp(f, n, m, a)
            }
        };
        self.set(rd, result);
    }

    fn multiply_dsp(&mut self, f: Mul, n: u32, m: u32, a: u32) -> u32 {
        let signed = i64::from(a as i32);
        match f {
            Mul::Mul | Mul::Mla | Mul::Mls => n.wrapping_mul(m),
            Mul::Smul { n_high, m_high } => half_product(n, n_high, m, m_high) as u32,
            Mul::Smla { n_high, m_high } => {
                let product = half_product(n, n_high, m, m_high);
                self.accumulate(signed + i64::from(product))
            }
            Mul::Smulw { m_high } => (word_half_product(n, m, m_high) >> 16) as u32,
            Mul::Smlaw { m_high } => {
                let product = word_half_product(n, m, m_high) >> 16;
                self.accumulate(signed + product)
            }
            Mul::Smuad { swap, sub } => {
                let sum = dual_product(n, m, swap, sub);
                // A difference of two products always fits.
                self.accumulate(sum)
            }
            Mul::Smlad { swap, sub } => {
                let sum = dual_product(n, m, swap, sub);
                self.accumulate(signed + sum)
            }
            Mul::Smmul { round } => high_word(product(n, m), round),
            Mul::Smmla { round } => high_word((signed << 32).wrapping_add(product(n, m)), round),
            Mul::Smmls { round } => high_word((signed << 32).wrapping_sub(product(n, m)), round),
            Mul::Usad8 | Mul::Usada8 => {
                let (n, m) = (n.to_le_bytes(), m.to_le_bytes());
                let sum: u32 = (0..4).map(|i| u32::from(n[i].abs_diff(m[i]))).sum();
                a.wrapping_add(sum)
            }
        }
    }

    #[inline]
    pub(super) fn multiply_long(&mut self, f: MulLong, lo: Reg, hi: Reg, rn: Reg, rm: Reg) {
        let (n, m) = (self.get(rn), self.get(rm));
        let (low, high) = (self.get(lo), self.get(hi));
        let before = u64::from(high) << 32 | u64::from(low);
        let unsigned = u64::from(n) * u64::from(m);
        let result = match f {
            MulLong::Smull => product(n, m) as u64,
            MulLong::Umull => unsigned,
            MulLong::Smlal => before.wrapping_add_signed(product(n, m)),
            MulLong::Umlal => before.wrapping_add(unsigned),
            MulLong::Umaal => unsigned + u64::from(low) + u64::from(high),
            MulLong::SmlalHalf { n_high, m_high } => {
                before.wrapping_add_signed(half_product(n, n_high, m, m_high).into())
            }
            MulLong::Smlald { swap, sub } => {
                before.wrapping_add_signed(dual_product(n, m, swap, sub))
            }
        };
        self.set(lo, result as u32);
        self.set(hi, (result >> 32) as u32);
    }
}

fn halves(word: u32) -> [i32; 2] {
    [i32::from(word as i16), i32::from((word >> 16) as i16)]
}

fn half_product(n: u32, n_high: bool, m: u32, m_high: bool) -> i32 {
    halves(n)[usize::from(n_high)] * halves(m)[usize::from(m_high)]
}

fn word_half_product(n: u32, m: u32, m_high: bool) -> i64 {
    i64::from(n as i32) * i64::from(halves(m)[usize::from(m_high)])
}

fn dual_product(n: u32, m: u32, swap: bool, sub: bool) -> i64 {
    let m = if swap { m.rotate_right(16) } else { m };
    let ([n0, n1], [m0, m1]) = (halves(n), halves(m));
    let (low, high) = (i64::from(n0 * m0), i64::from(n1 * m1));
    if sub { low - high } else { low + high }
}

fn product(n: u32, m: u32) -> i64 {
    i64::from(n as i32) * i64::from(m as i32)
}

fn high_word(value: i64, round: bool) -> u32 {
    let value = if round {
        value.wrapping_add(0x8000_0000)
    } else {
        value
    };
    (value >> 32) as u32
}
