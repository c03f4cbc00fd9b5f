//! Comparisons, and the instructions that consume their flags.

use super::super::imm;
use super::super::inst::{CmpOp, Inst, ItPattern, Op2};
use super::super::reg::{Cond, Reg, SReg};
use super::super::vcode::Bundle;
use super::{Lower, Lowered};
use cranelift_codegen::ir::condcodes::{CondCode, FloatCC, IntCC};
use cranelift_codegen::ir::{Inst as ClifInst, InstructionData, Opcode, Value, types};
use regalloc2::VReg;

/// How a truth value is tested.
#[derive(Clone, Debug)]
pub(super) enum Test {
    /// True when any of the conditions holds.
    Flags(Vec<Cond>),
    /// True when the register is (not) zero; no flags are set.
    Zero { nonzero: bool, vreg: VReg },
}

fn int_cond(cc: IntCC) -> Cond {
    match cc {
        IntCC::Equal => Cond::Eq,
        IntCC::NotEqual => Cond::Ne,
        IntCC::SignedLessThan => Cond::Lt,
        IntCC::SignedGreaterThanOrEqual => Cond::Ge,
        IntCC::SignedGreaterThan => Cond::Gt,
        IntCC::SignedLessThanOrEqual => Cond::Le,
        IntCC::UnsignedLessThan => Cond::Cc,
        IntCC::UnsignedGreaterThanOrEqual => Cond::Cs,
        IntCC::UnsignedGreaterThan => Cond::Hi,
        IntCC::UnsignedLessThanOrEqual => Cond::Ls,
    }
}

fn is_signed(cc: IntCC) -> bool {
    matches!(
        cc,
        IntCC::SignedLessThan
            | IntCC::SignedGreaterThanOrEqual
            | IntCC::SignedGreaterThan
            | IntCC::SignedLessThanOrEqual
    )
}

/// After VCMP and VMRS an unordered result sets C and V.
fn float_conds(cc: FloatCC) -> Vec<Cond> {
    match cc {
        FloatCC::Ordered => vec![Cond::Vc],
        FloatCC::Unordered => vec![Cond::Vs],
        FloatCC::Equal => vec![Cond::Eq],
        FloatCC::NotEqual => vec![Cond::Ne],
        FloatCC::OrderedNotEqual => vec![Cond::Mi, Cond::Gt],
        FloatCC::UnorderedOrEqual => vec![Cond::Eq, Cond::Vs],
        FloatCC::LessThan => vec![Cond::Mi],
        FloatCC::LessThanOrEqual => vec![Cond::Ls],
        FloatCC::GreaterThan => vec![Cond::Gt],
        FloatCC::GreaterThanOrEqual => vec![Cond::Ge],
        FloatCC::UnorderedOrLessThan => vec![Cond::Lt],
        FloatCC::UnorderedOrLessThanOrEqual => vec![Cond::Le],
        FloatCC::UnorderedOrGreaterThan => vec![Cond::Hi],
        FloatCC::UnorderedOrGreaterThanOrEqual => vec![Cond::Pl],
    }
}

impl Lower<'_> {
    /// A comparison that is compared again at its user: in the same block, or
    /// used once.
    fn compared_again(&self, value: Value, opcode: Opcode) -> Option<ClifInst> {
        let inst = self.def_as(value, opcode)?;
        let near = self.func.layout.inst_block(inst) == self.block;
        (near || self.uses[value] == 1).then_some(inst)
    }

    /// Puts the comparison for a truth value into the bundle.
    pub(super) fn test(&mut self, b: &mut Bundle, condition: Value) -> Test {
        let value = self.resolve(condition);
        if let Some(inst) = self.compared_again(value, Opcode::Icmp) {
            return self.int_compare(b, inst);
        }
        if let Some(inst) = self.compared_again(value, Opcode::Fcmp) {
            return Test::Flags(self.float_compare(b, inst));
        }
        self.compare_zero(b, condition, true)
    }

    /// Compares a value of any integer type with zero.
    fn compare_zero(&mut self, b: &mut Bundle, value: Value, nonzero: bool) -> Test {
        let cond = if nonzero { Cond::Ne } else { Cond::Eq };
        let resolved = self.resolve(value);
        let bits = self.ty(value).bits();
        if let Some(and) = self.foldable(resolved, Opcode::Band)
            && self.ty(resolved) == self.ty(value)
        {
            let (x, y) = (self.arg(and, 0), self.arg(and, 1));
            if let Some(mask) = self.const_unsigned(y)
                && imm::modified(mask).is_some()
            {
                let source = self.reg(x);
                let rn = b.use_reg(source);
                b.push(Inst::Compare {
                    op: CmpOp::Tst,
                    rn,
                    op2: Op2::Imm(mask),
                });
                return Test::Flags(vec![cond]);
            }
            if bits == 32 {
                let lhs = self.reg(x);
                let rhs = self.rhs(y);
                let rn = b.use_reg(lhs);
                let op2 = rhs.op2(b);
                b.push(Inst::Compare {
                    op: CmpOp::Tst,
                    rn,
                    op2,
                });
                return Test::Flags(vec![cond]);
            }
        }
        if bits == 8 && !self.upper_zero(value, 8) {
            let source = self.reg(value);
            let rn = b.use_reg(source);
            b.push(Inst::Compare {
                op: CmpOp::Tst,
                rn,
                op2: Op2::Imm(0xff),
            });
            return Test::Flags(vec![cond]);
        }
        Test::Zero {
            nonzero,
            vreg: self.extended(value, false),
        }
    }

    fn int_compare(&mut self, b: &mut Bundle, inst: ClifInst) -> Test {
        let InstructionData::IntCompare { cond: mut cc, .. } = self.func.dfg.insts[inst] else {
            return Test::Flags(Vec::new());
        };
        let (mut x, mut y) = (self.arg(inst, 0), self.arg(inst, 1));
        if self.const_signed(x).is_some() {
            std::mem::swap(&mut x, &mut y);
            cc = cc.swap_args();
        }
        let signed = is_signed(cc);
        if let Some(constant) = self.const_signed(y) {
            if constant == 0 && matches!(cc, IntCC::Equal | IntCC::NotEqual) {
                return self.compare_zero(b, x, cc == IntCC::NotEqual);
            }
            let constant = if signed {
                constant as u32
            } else {
                self.const_unsigned(y).unwrap_or(0)
            };
            let lhs = self.extended(x, signed);
            if imm::modified(constant).is_some() {
                let rn = b.use_reg(lhs);
                b.push(Inst::Compare {
                    op: CmpOp::Cmp,
                    rn,
                    op2: Op2::Imm(constant),
                });
                return Test::Flags(vec![int_cond(cc)]);
            }
            // CMN n sets the flags of CMP -n unless n is 0 or the smallest integer.
            let negated = constant.wrapping_neg();
            if imm::modified(negated).is_some() && constant != 0x8000_0000 {
                let rn = b.use_reg(lhs);
                b.push(Inst::Compare {
                    op: CmpOp::Cmn,
                    rn,
                    op2: Op2::Imm(negated),
                });
                return Test::Flags(vec![int_cond(cc)]);
            }
            let rhs = self.constant(super::constants::Constant::Int(constant));
            let rn = b.use_reg(lhs);
            let op2 = Op2::Reg(b.use_reg(rhs));
            b.push(Inst::Compare {
                op: CmpOp::Cmp,
                rn,
                op2,
            });
            return Test::Flags(vec![int_cond(cc)]);
        }
        let lhs = self.extended(x, signed);
        let rhs = if self.ty(y) == types::I32 {
            self.rhs(y)
        } else {
            super::int::Rhs::Reg(self.extended(y, signed))
        };
        let rn = b.use_reg(lhs);
        let op2 = rhs.op2(b);
        b.push(Inst::Compare {
            op: CmpOp::Cmp,
            rn,
            op2,
        });
        Test::Flags(vec![int_cond(cc)])
    }

    fn float_compare(&mut self, b: &mut Bundle, inst: ClifInst) -> Vec<Cond> {
        let InstructionData::FloatCompare { cond: mut cc, .. } = self.func.dfg.insts[inst] else {
            return Vec::new();
        };
        let (mut x, mut y) = (self.arg(inst, 0), self.arg(inst, 1));
        let is_zero = |this: &Self, v| this.const_float(v).is_some_and(|c| c << 1 == 0);
        if is_zero(self, x) {
            std::mem::swap(&mut x, &mut y);
            cc = cc.swap_args();
        }
        let lhs = self.reg(x);
        let sd = b.use_float(lhs);
        if is_zero(self, y) {
            b.push(Inst::VCmpZero { e: false, sd });
        } else {
            let rhs = self.reg(y);
            let sm = b.use_float(rhs);
            b.push(Inst::VCmp { e: false, sd, sm });
        }
        b.push(Inst::Vmrs { rt: Reg::PC });
        float_conds(cc)
    }

    /// Makes flags out of any test, for the users that have no CBZ.
    pub(super) fn flags(&mut self, b: &mut Bundle, condition: Value) -> Vec<Cond> {
        match self.test(b, condition) {
            Test::Flags(conds) => conds,
            Test::Zero { nonzero, vreg } => {
                let rn = b.use_reg(vreg);
                b.push(Inst::Compare {
                    op: CmpOp::Cmp,
                    rn,
                    op2: Op2::Imm(0),
                });
                vec![if nonzero { Cond::Ne } else { Cond::Eq }]
            }
        }
    }

    /// A comparison whose result is used as a number, 0 or 1.
    pub(super) fn compare_value(&mut self, inst: ClifInst, dest: VReg) -> Lowered<()> {
        let mut b = Bundle::new();
        let conds = if self.opcode(inst) == Opcode::Icmp {
            match self.int_compare(&mut b, inst) {
                Test::Flags(conds) => conds,
                Test::Zero { nonzero, vreg } => {
                    let rn = b.use_reg(vreg);
                    b.push(Inst::Compare {
                        op: CmpOp::Cmp,
                        rn,
                        op2: Op2::Imm(0),
                    });
                    vec![if nonzero { Cond::Ne } else { Cond::Eq }]
                }
            }
        } else {
            self.float_compare(&mut b, inst)
        };
        let rd = b.def_reg(dest);
        let set = |value| Inst::Mov {
            s: false,
            rd,
            op2: Op2::Imm(value),
        };
        for (i, &cond) in conds.iter().enumerate() {
            if i == 0 {
                b.push(Inst::It {
                    cond,
                    pattern: ItPattern::THEN_ELSE,
                });
                b.push_if(cond, set(1));
                b.push_if(cond.invert(), set(0));
            } else {
                b.push(Inst::It {
                    cond,
                    pattern: ItPattern::ONE,
                });
                b.push_if(cond, set(1));
            }
        }
        self.emit(b.finish());
        Ok(())
    }

    pub(super) fn select(&mut self, inst: ClifInst, dest: VReg) -> Lowered<()> {
        let (condition, x, y) = (self.arg(inst, 0), self.arg(inst, 1), self.arg(inst, 2));
        if self.ty(x) == types::F32 {
            return self.select_float(condition, x, y, dest);
        }
        let mut b = Bundle::new();
        let mut conds = self.flags(&mut b, condition);
        let (mut x, mut y) = (x, y);
        // The second value is overwritten, so a constant is better as the first.
        if conds.len() == 1 && self.small_constant(y).is_some() && self.small_constant(x).is_none()
        {
            std::mem::swap(&mut x, &mut y);
            conds[0] = conds[0].invert();
        }
        let first = match self.small_constant(x) {
            Some(constant) => Op2::Imm(constant),
            None => {
                let vreg = self.reg(x);
                Op2::Reg(b.use_reg(vreg))
            }
        };
        let other = self.reg(y);
        let base = b.use_reg(other);
        let rd = b.def_reuse(dest, base);
        for cond in conds {
            b.push(Inst::It {
                cond,
                pattern: ItPattern::ONE,
            });
            b.push_if(
                cond,
                Inst::Mov {
                    s: false,
                    rd,
                    op2: first,
                },
            );
        }
        self.emit(b.finish());
        Ok(())
    }

    /// A constant that MOV takes; upper bits of narrow values are free.
    fn small_constant(&self, value: Value) -> Option<u32> {
        let signed = self.const_signed(value)? as u32;
        let unsigned = self.const_unsigned(value)?;
        [unsigned, signed]
            .into_iter()
            .find(|&c| imm::modified(c).is_some())
    }

    fn select_float(&mut self, condition: Value, x: Value, y: Value, dest: VReg) -> Lowered<()> {
        let mut b = Bundle::new();
        let conds = self.flags(&mut b, condition);
        let (first, other) = (self.reg(x), self.reg(y));
        let sm = b.use_float(first);
        let base = b.use_float(other);
        let sd = b.def_float_reuse(dest, base);
        for cond in conds {
            b.push(Inst::It {
                cond,
                pattern: ItPattern::ONE,
            });
            b.push_if(cond, move_float(sd, sm));
        }
        self.emit(b.finish());
        Ok(())
    }

    /// Minimum and maximum of integers; two of them with the right bounds are one
    /// saturation.
    pub(super) fn min_max(&mut self, inst: ClifInst, dest: VReg) -> Lowered<()> {
        if self.saturate(inst, dest) {
            return Ok(());
        }
        let (mut x, mut y) = (self.arg(inst, 0), self.arg(inst, 1));
        let opcode = self.opcode(inst);
        let signed = matches!(opcode, Opcode::Smin | Opcode::Smax);
        let cond = match opcode {
            Opcode::Smin => Cond::Lt,
            Opcode::Smax => Cond::Gt,
            Opcode::Umin => Cond::Cc,
            _ => Cond::Hi,
        };
        if self.const_signed(x).is_some() {
            std::mem::swap(&mut x, &mut y);
        }
        let mut b = Bundle::new();
        let constant = self
            .const_signed(y)
            .map(|c| {
                if signed {
                    c as u32
                } else {
                    self.const_unsigned(y).unwrap_or(0)
                }
            })
            .filter(|&c| imm::modified(c).is_some());
        let base_value = self.extended(x, signed);
        let base = b.use_reg(base_value);
        let op2 = match constant {
            Some(constant) => Op2::Imm(constant),
            None => {
                let other = self.extended(y, signed);
                Op2::Reg(b.use_reg(other))
            }
        };
        let rd = b.def_reuse(dest, base);
        // The result starts as x and takes y when x is on the wrong side of it.
        let wrong = match cond {
            Cond::Lt => Cond::Gt,
            Cond::Gt => Cond::Lt,
            Cond::Cc => Cond::Hi,
            _ => Cond::Cc,
        };
        b.push(Inst::Compare {
            op: CmpOp::Cmp,
            rn: base,
            op2,
        });
        b.push(Inst::It {
            cond: wrong,
            pattern: ItPattern::ONE,
        });
        b.push_if(wrong, Inst::Mov { s: false, rd, op2 });
        self.emit(b.finish());
        Ok(())
    }

    fn saturate(&mut self, inst: ClifInst, dest: VReg) -> bool {
        let inner_opcode = match self.opcode(inst) {
            Opcode::Smin => Opcode::Smax,
            Opcode::Smax => Opcode::Smin,
            _ => return false,
        };
        let parts = |this: &Self, inst: ClifInst| {
            let (x, y) = (this.arg(inst, 0), this.arg(inst, 1));
            this.const_signed(y)
                .map(|c| (x, c))
                .or_else(|| this.const_signed(x).map(|c| (y, c)))
        };
        let Some((x, outer)) = parts(self, inst) else {
            return false;
        };
        if self.ty(x) != types::I32 {
            return false;
        }
        let Some(inner_inst) = self.foldable(x, inner_opcode) else {
            return false;
        };
        let Some((source, inner)) = parts(self, inner_inst) else {
            return false;
        };
        let (low, high) = if inner_opcode == Opcode::Smax {
            (inner, outer)
        } else {
            (outer, inner)
        };
        if high <= 0 || (high.wrapping_add(1) as u32).count_ones() != 1 {
            return false;
        }
        let width = high.count_ones() as u8;
        let (unsigned, bits) = match low {
            0 => (true, width),
            low if low == -high - 1 => (false, width + 1),
            _ => return false,
        };
        let source = self.reg(source);
        let mut b = Bundle::new();
        let rn = b.use_reg(source);
        let rd = b.def_reg(dest);
        b.push(Inst::Sat {
            unsigned,
            rd,
            bits,
            rn,
            asr: false,
            shift: 0,
        });
        self.emit(b.finish());
        true
    }
}

fn move_float(sd: SReg, sm: SReg) -> Inst {
    Inst::VUnary {
        op: super::super::inst::VUnaryOp::Mov,
        sd,
        sm,
    }
}
