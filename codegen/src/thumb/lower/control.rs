//! Terminators, traps and barriers.

use super::super::inst::{Barrier, CmpOp, Inst, Op2};
use super::super::reg::Cond;
use super::super::vcode::{Access, Bundle, Piece, Role, Succ};
use super::compare::Test;
use super::constants::Constant;
use super::{Lower, Lowered, call};
use cranelift_codegen::ir::{
    ArgumentExtension, BlockArg, BlockCall, Inst as ClifInst, InstructionData, Opcode,
};
use regalloc2::Operand;

impl Lower<'_> {
    fn succ(&mut self, inst: ClifInst, call: BlockCall) -> Lowered<Succ> {
        let pool = &self.func.dfg.value_lists;
        let block = call.block(pool);
        let args: Vec<BlockArg> = call.args(pool).collect();
        let number =
            self.numbers[block].ok_or_else(|| self.fail(inst, "a successor is not reachable"))?;
        let mut regs = Vec::with_capacity(args.len());
        for arg in args {
            let Some(value) = arg.as_value() else {
                return Err(self.fail(inst, "exception arguments have no lowering"));
            };
            regs.push(self.reg(value));
        }
        Ok(Succ {
            block: number,
            args: regs,
        })
    }

    pub(super) fn terminator(&mut self, inst: ClifInst) -> Lowered<Vec<Succ>> {
        match self.func.dfg.insts[inst] {
            InstructionData::Jump { destination, .. } => {
                let succ = self.succ(inst, destination)?;
                self.emit(Bundle::new().finish_as(Role::Jump));
                Ok(vec![succ])
            }
            InstructionData::Brif {
                arg,
                blocks: [yes, no],
                ..
            } => {
                let (yes, no) = (self.succ(inst, yes)?, self.succ(inst, no)?);
                let mut b = Bundle::new();
                let role = match self.test(&mut b, arg) {
                    Test::Flags(conds) => Role::Branch(conds),
                    Test::Zero { nonzero, vreg } => {
                        b.use_reg(vreg);
                        Role::BranchZero { nonzero }
                    }
                };
                self.emit(b.finish_as(role));
                Ok(vec![yes, no])
            }
            InstructionData::BranchTable { arg, table, .. } => {
                let data = &self.func.dfg.jump_tables[table];
                let default = data.default_block();
                let entries: Vec<BlockCall> = data.as_slice().to_vec();
                let mut succs = vec![self.succ(inst, default)?];
                for &entry in &entries {
                    succs.push(self.succ(inst, entry)?);
                }
                if entries.is_empty() {
                    self.emit(Bundle::new().finish_as(Role::Jump));
                    return Ok(succs);
                }
                let index = self.extended(arg, false);
                let count = entries.len() as u32;
                let mut b = Bundle::new();
                let rn = b.use_reg(index);
                let op2 = if super::super::imm::modified(count).is_some() {
                    Op2::Imm(count)
                } else {
                    let limit = self.constant(Constant::Int(count));
                    Op2::Reg(b.use_reg(limit))
                };
                b.push(Inst::Compare {
                    op: CmpOp::Cmp,
                    rn,
                    op2,
                });
                self.emit(b.finish_as(Role::Table));
                Ok(succs)
            }
            InstructionData::Trap { code, .. } => {
                self.emit(Bundle::new().finish_as(Role::Trap(code.as_raw().get())));
                Ok(Vec::new())
            }
            InstructionData::MultiAry {
                opcode: Opcode::Return,
                ..
            } => {
                self.ret(inst)?;
                Ok(Vec::new())
            }
            _ => Err(self.fail(inst, "this terminator has no lowering")),
        }
    }

    fn ret(&mut self, inst: ClifInst) -> Lowered<()> {
        let returns = self.func.signature.returns.clone();
        let places = call::locations(returns.iter().map(|p| p.value_type))
            .map_err(|reason| self.fail(inst, reason))?;
        let mut b = Bundle::new();
        for (i, (param, preg)) in returns.iter().zip(places).enumerate() {
            let value = self.arg(inst, i);
            let vreg = match param.extension {
                ArgumentExtension::None => self.reg(value),
                ArgumentExtension::Uext => self.extended(value, false),
                ArgumentExtension::Sext => self.extended(value, true),
            };
            b.operands.push(Operand::reg_fixed_use(vreg, preg));
        }
        self.emit(b.finish_as(Role::Return));
        Ok(())
    }

    pub(super) fn conditional_trap(&mut self, inst: ClifInst) -> Lowered<()> {
        let InstructionData::CondTrap { opcode, arg, code } = self.func.dfg.insts[inst] else {
            return Err(self.fail(inst, "the trap has an unknown form"));
        };
        let code = code.as_raw().get();
        let mut b = Bundle::new();
        let mut conds = self.flags(&mut b, arg);
        if opcode == Opcode::Trapz {
            match conds.as_mut_slice() {
                [cond] => *cond = cond.invert(),
                // Neither of two float conditions: the complement has two as well.
                [Cond::Mi, Cond::Gt] => conds = vec![Cond::Eq, Cond::Vs],
                _ => conds = vec![Cond::Mi, Cond::Gt],
            }
        }
        for cond in conds {
            b.pieces.push(Piece::TrapIf { cond, code });
        }
        self.emit(b.finish_access(Access::Barrier));
        Ok(())
    }

    /// No code, but no access to memory moves across it.
    pub(super) fn sequence_point(&mut self) -> Lowered<()> {
        self.emit(Bundle::new().finish_access(Access::Barrier));
        Ok(())
    }

    pub(super) fn effect(&mut self, inst: ClifInst) -> Lowered<()> {
        let mut b = Bundle::new();
        b.push(match self.opcode(inst) {
            Opcode::Fence => Inst::Barrier(Barrier::Dmb),
            _ => Inst::Bkpt(0),
        });
        self.emit(b.finish_access(Access::Barrier));
        Ok(())
    }
}
