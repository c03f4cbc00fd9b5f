//! Conditions, from what the flags came from where that is known.

use super::super::op::Op;
use super::emit::Emitter;
use super::flags::Source;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::I8;
use cranelift_codegen::ir::{InstBuilder, Value};

impl Emitter<'_> {
    /// 1 if a conditional branch is taken, else 0.
    pub(super) fn branch_condition(&mut self, op: &Op) -> Value {
        match *op {
            Op::BCond { cond, .. } => self.holds(cond.0),
            Op::Cbz { nonzero, rn, .. } => {
                let value = self.get(rn);
                let cc = if nonzero {
                    IntCC::NotEqual
                } else {
                    IntCC::Equal
                };
                self.compare_word(cc, value, 0)
            }
            _ => self.b.ins().iconst(I8, 0),
        }
    }

    /// 1 if the condition holds, else 0.
    pub(super) fn holds(&mut self, cond: u8) -> Value {
        if let Some(result) = self.state.flags.result {
            let cc = match cond {
                0 => Some(IntCC::Equal),
                1 => Some(IntCC::NotEqual),
                4 => Some(IntCC::SignedLessThan),
                5 => Some(IntCC::SignedGreaterThanOrEqual),
                _ => None,
            };
            return match cc {
                Some(cc) => self.compare_word(cc, result, 0),
                None => self.holds_by_flags(cond),
            };
        }
        match self.state.flags.source {
            Source::Difference(a, b) => {
                let cc = match cond {
                    0 => Some(IntCC::Equal),
                    1 => Some(IntCC::NotEqual),
                    2 => Some(IntCC::UnsignedGreaterThanOrEqual),
                    3 => Some(IntCC::UnsignedLessThan),
                    8 => Some(IntCC::UnsignedGreaterThan),
                    9 => Some(IntCC::UnsignedLessThanOrEqual),
                    10 => Some(IntCC::SignedGreaterThanOrEqual),
                    11 => Some(IntCC::SignedLessThan),
                    12 => Some(IntCC::SignedGreaterThan),
                    13 => Some(IntCC::SignedLessThanOrEqual),
                    _ => None,
                };
                if let Some(cc) = cc {
                    return self.compare(cc, a, b);
                }
            }
            Source::Floats(a, b) => {
                let cc = match cond {
                    0 => Some(FloatCC::Equal),
                    1 => Some(FloatCC::NotEqual),
                    2 | 5 | 10 => Some(FloatCC::GreaterThanOrEqual),
                    3 | 4 | 11 => Some(FloatCC::LessThan),
                    8 | 12 => Some(FloatCC::GreaterThan),
                    9 | 13 => Some(FloatCC::LessThanOrEqual),
                    _ => None,
                };
                if let Some(cc) = cc {
                    return self.b.ins().fcmp(cc, a, b);
                }
            }
            Source::Before | Source::Sum(..) | Source::Parts(..) => {}
        }
        self.holds_by_flags(cond)
    }

    fn holds_by_flags(&mut self, cond: u8) -> Value {
        let negative = |e: &mut Self, value| e.compare_word(IntCC::SignedLessThan, value, 0);
        let base = match cond >> 1 {
            0 => {
                let z = self.flag_z();
                self.compare_word(IntCC::Equal, z, 0)
            }
            1 => {
                let c = self.carry();
                self.compare_word(IntCC::NotEqual, c, 0)
            }
            2 => {
                let n = self.flag_n();
                negative(self, n)
            }
            3 => {
                let v = self.flag_v();
                negative(self, v)
            }
            4 => {
                let (c, z) = (self.carry(), self.flag_z());
                let c = self.compare_word(IntCC::NotEqual, c, 0);
                let z = self.compare_word(IntCC::NotEqual, z, 0);
                self.b.ins().band(c, z)
            }
            5 | 6 => {
                let (n, v) = (self.flag_n(), self.flag_v());
                let differ = self.b.ins().bxor(n, v);
                let same = self.compare_word(IntCC::SignedGreaterThanOrEqual, differ, 0);
                if cond >> 1 == 5 {
                    same
                } else {
                    let z = self.flag_z();
                    let z = self.compare_word(IntCC::NotEqual, z, 0);
                    self.b.ins().band(same, z)
                }
            }
            _ => return self.b.ins().iconst(I8, 1),
        };
        if cond & 1 == 0 {
            base
        } else {
            let one = self.b.ins().iconst(I8, 1);
            self.b.ins().bxor(base, one)
        }
    }
}
