//! Calls: AAPCS hard-float, preserve-all, intrinsics.

use super::super::asm::{RelocKind, SymbolRef};
use super::super::inst::{Inst, Op2, VUnaryOp};
use super::super::reg::{Reg, SReg};
use super::super::vcode::{Access, Bundle, float_reg, int_reg};
use super::intrinsics::{self, Intrinsic};
use super::{Lower, Lowered, blocks, caller_saved};
use cranelift_codegen::ir::{
    ArgumentExtension, Inst as ClifInst, InstructionData, Signature, Type, types,
};
use cranelift_codegen::isa::CallConv;
use regalloc2::{Operand, PReg, PRegSet, RegClass, VReg};

/// The registers of arguments or results: r0 to r3 and s0 to s15, each class
/// counted on its own.
pub(super) fn locations(types: impl Iterator<Item = Type>) -> Result<Vec<PReg>, String> {
    let (mut ints, mut floats) = (0u8, 0u8);
    let mut out = Vec::new();
    for ty in types {
        if ty == types::F32 {
            let reg = SReg::new(floats).filter(|_| floats < 16);
            out.push(float_reg(reg.ok_or("more than 16 float arguments")?));
            floats += 1;
        } else if matches!(ty, types::I8 | types::I16 | types::I32) {
            let reg = Reg::new(ints).filter(|_| ints < 4);
            out.push(int_reg(reg.ok_or("more than 4 integer arguments")?));
            ints += 1;
        } else {
            return Err(format!("type {ty} cannot be passed"));
        }
    }
    Ok(out)
}

impl Lower<'_> {
    pub(super) fn call(&mut self, inst: ClifInst) -> Lowered<()> {
        let (signature, target) = match self.func.dfg.insts[inst] {
            InstructionData::Call { func_ref, .. } => {
                let name = self
                    .function_name(func_ref)
                    .map_err(|e| self.fail(inst, e))?;
                if let Some(block) = blocks::find(&name) {
                    return self.fixed_block(inst, &name, block);
                }
                if let Some(intrinsic) = intrinsics::find(&name) {
                    return self.intrinsic(inst, &name, intrinsic);
                }
                (self.func.dfg.ext_funcs[func_ref].signature, Some(name))
            }
            InstructionData::CallIndirect { sig_ref, .. } => (sig_ref, None),
            _ => return Err(self.fail(inst, "the call has an unknown form")),
        };
        let signature = self.func.dfg.signatures[signature].clone();
        self.real_call(inst, &signature, target)
    }

    fn real_call(
        &mut self,
        inst: ClifInst,
        signature: &Signature,
        target: Option<String>,
    ) -> Lowered<()> {
        self.calls = true;
        let fail = |reason: String| self.fail(inst, reason);
        let args = locations(signature.params.iter().map(|p| p.value_type)).map_err(fail)?;
        let results = locations(signature.returns.iter().map(|p| p.value_type)).map_err(fail)?;
        // In a cold block a copy keeps the argument register from pulling the value
        // there on the hot path too.
        let cold = self
            .block
            .is_some_and(|block| self.func.layout.is_cold(block));
        let first = usize::from(target.is_none());
        let mut b = Bundle::new();
        match target {
            Some(symbol) => {
                let reloc = SymbolRef {
                    kind: RelocKind::ThmCall,
                    symbol,
                    addend: 0,
                };
                b.push_reloc(Inst::Bl { offset: -4 }, reloc);
            }
            None => {
                let callee = self.reg(self.arg(inst, 0));
                let rm = b.use_reg(callee);
                b.push(Inst::Blx { rm });
            }
        }
        for (i, (param, &preg)) in signature.params.iter().zip(&args).enumerate() {
            let value = self.arg(inst, first + i);
            let vreg = match param.extension {
                ArgumentExtension::None => self.reg(value),
                ArgumentExtension::Uext => self.extended(value, false),
                ArgumentExtension::Sext => self.extended(value, true),
            };
            let vreg = if cold {
                let argument = self.fresh(vreg.class());
                self.copy(argument, vreg);
                argument
            } else {
                vreg
            };
            b.operands.push(Operand::reg_fixed_use(vreg, preg));
        }
        let mut clobbers = match signature.call_conv {
            // The callee saves whatever it touches; BL itself writes LR.
            CallConv::PreserveAll => PRegSet::empty().with(int_reg(Reg::LR)),
            CallConv::SystemV | CallConv::Fast => caller_saved(),
            other => return Err(self.fail(inst, format!("calling convention {other}"))),
        };
        let values: Vec<_> = self.func.dfg.inst_results(inst).to_vec();
        for (&value, &preg) in values.iter().zip(&results) {
            let vreg = match self.vregs[value] {
                Some(vreg) => vreg,
                None => self.fresh(preg.class()),
            };
            b.operands.push(Operand::reg_fixed_def(vreg, preg));
            clobbers.remove(preg);
        }
        let mut call = b.finish_access(Access::Barrier);
        call.clobbers = clobbers;
        self.emit(call);
        Ok(())
    }

    pub(super) fn copy(&mut self, dest: VReg, source: VReg) {
        let mut b = Bundle::new();
        match source.class() {
            RegClass::Float => {
                let sm = b.use_float(source);
                let sd = b.def_float(dest);
                b.push(Inst::VUnary {
                    op: VUnaryOp::Mov,
                    sd,
                    sm,
                });
            }
            RegClass::Int | RegClass::Vector => {
                let rm = b.use_reg(source);
                let rd = b.def_reg(dest);
                b.push(Inst::Mov {
                    s: false,
                    rd,
                    op2: Op2::Reg(rm),
                });
            }
        }
        self.emit(b.finish());
    }

    fn intrinsic(&mut self, inst: ClifInst, name: &str, intrinsic: Intrinsic) -> Lowered<()> {
        let args = self.func.dfg.inst_args(inst).len();
        let results: Vec<_> = self.func.dfg.inst_results(inst).to_vec();
        match intrinsic {
            Intrinsic::Effect(made) => {
                if args != 0 || !results.is_empty() {
                    return Err(self.fail(inst, format!("`{name}` takes and returns nothing")));
                }
                let mut b = Bundle::new();
                b.push(made);
                self.emit(b.finish_access(Access::Barrier));
            }
            Intrinsic::Pure(count, build) => {
                let ints = (0..args).all(|i| self.ty(self.arg(inst, i)) == types::I32);
                let [result] = results.as_slice() else {
                    return Err(self.fail(inst, format!("`{name}` returns one i32")));
                };
                if args != count || !ints || self.ty(*result) != types::I32 {
                    return Err(self.fail(inst, format!("`{name}` takes {count} i32, returns i32")));
                }
                // Pure, so an unused result needs no instruction.
                let Some(dest) = self.vregs[*result] else {
                    return Ok(());
                };
                let mut b = Bundle::new();
                let mut regs = Vec::with_capacity(count);
                for i in 0..count {
                    let vreg = self.reg(self.arg(inst, i));
                    debug_assert_eq!(vreg.class(), RegClass::Int);
                    regs.push(b.use_reg(vreg));
                }
                let rd = b.def_reg(dest);
                b.push(build(rd, &regs));
                self.emit(b.finish());
            }
        }
        Ok(())
    }
}
