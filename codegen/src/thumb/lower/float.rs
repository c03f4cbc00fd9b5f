//! Single-precision arithmetic and conversions.

use super::super::inst::{AluOp, Inst, ItPattern, Op2, ShiftOp, VAluOp, VCvtOp, VUnaryOp};
use super::super::reg::{Cond, Reg};
use super::super::vcode::Bundle;
use super::constants::Constant;
use super::int::Rhs;
use super::{Lower, Lowered};
use cranelift_codegen::ir::{Inst as ClifInst, Opcode, Value, types};
use regalloc2::VReg;

impl Lower<'_> {
    fn float_binary(&mut self, op: VAluOp, inst: ClifInst, dest: VReg) {
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        let (x, y) = (self.reg(x), self.reg(y));
        let mut b = Bundle::new();
        let sn = b.use_float(x);
        let sm = b.use_float(y);
        let sd = b.def_float(dest);
        b.push(Inst::VAlu { op, sd, sn, sm });
        self.emit(b.finish());
    }

    fn float_unary(&mut self, op: VUnaryOp, inst: ClifInst, dest: VReg) {
        let x = self.arg(inst, 0);
        let x = self.reg(x);
        let mut b = Bundle::new();
        let sm = b.use_float(x);
        let sd = b.def_float(dest);
        b.push(Inst::VUnary { op, sd, sm });
        self.emit(b.finish());
    }

    fn core_from_float(&mut self, dest: VReg, source: VReg) {
        let mut b = Bundle::new();
        let sn = b.use_float(source);
        let rt = b.def_reg(dest);
        b.push(Inst::VMovToCore { rt, sn });
        self.emit(b.finish());
    }

    fn float_from_core(&mut self, dest: VReg, source: VReg) {
        let mut b = Bundle::new();
        let rt = b.use_reg(source);
        let sn = b.def_float(dest);
        b.push(Inst::VMovFromCore { sn, rt });
        self.emit(b.finish());
    }

    pub(super) fn float(&mut self, inst: ClifInst, dest: VReg) -> Lowered<()> {
        match self.opcode(inst) {
            Opcode::Fadd => self.float_binary(VAluOp::Add, inst, dest),
            Opcode::Fsub => self.float_binary(VAluOp::Sub, inst, dest),
            Opcode::Fmul => self.float_binary(VAluOp::Mul, inst, dest),
            Opcode::Fdiv => self.float_binary(VAluOp::Div, inst, dest),
            Opcode::Sqrt => self.float_unary(VUnaryOp::Sqrt, inst, dest),
            Opcode::Fneg => self.float_unary(VUnaryOp::Neg, inst, dest),
            Opcode::Fabs => self.float_unary(VUnaryOp::Abs, inst, dest),
            Opcode::Fma => self.fused(inst, dest),
            Opcode::Fmin => self.float_min_max(inst, dest, false),
            Opcode::Fmax => self.float_min_max(inst, dest, true),
            Opcode::Fcopysign => self.copysign(inst, dest),
            Opcode::FcvtFromSint | Opcode::FcvtFromUint => self.convert_from_int(inst, dest),
            Opcode::FcvtToSintSat | Opcode::FcvtToUintSat => {
                return self.convert_to_int(inst, dest);
            }
            _ => return self.bitcast(inst, dest),
        }
        Ok(())
    }

    /// CLIF `fma` rounds once, and so does VFMA; the addend is the destination.
    fn fused(&mut self, inst: ClifInst, dest: VReg) {
        let args = [0, 1, 2].map(|i| self.arg(inst, i));
        let [x, y, z] = args.map(|v| self.reg(v));
        let mut b = Bundle::new();
        let sn = b.use_float(x);
        let sm = b.use_float(y);
        let acc = b.use_float(z);
        let sd = b.def_float_reuse(dest, acc);
        b.push(Inst::VAlu {
            op: VAluOp::Fma,
            sd,
            sn,
            sm,
        });
        self.emit(b.finish());
    }

    /// IEEE minimum and maximum: NaN wins, -0 is below +0. The sum is the NaN
    /// when the operands are unordered; equal operands differ at most in sign.
    fn float_min_max(&mut self, inst: ClifInst, dest: VReg, max: bool) {
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        let (x, y) = (self.reg(x), self.reg(y));
        let (t1, t2) = (self.fresh_int(), self.fresh_int());
        let mut b = Bundle::new();
        let sx = b.use_float(x);
        let sy = b.use_float(y);
        let r1 = b.temp_reg(t1);
        let r2 = b.temp_reg(t2);
        let sd = b.def_float_early(dest);
        let copy = |sm| Inst::VUnary {
            op: VUnaryOp::Mov,
            sd,
            sm,
        };
        let (less, greater) = if max { (sy, sx) } else { (sx, sy) };
        let merge = if max { AluOp::And } else { AluOp::Orr };
        b.push(Inst::VAlu {
            op: VAluOp::Add,
            sd,
            sn: sx,
            sm: sy,
        });
        b.push(Inst::VMovToCore { rt: r1, sn: sx });
        b.push(Inst::VMovToCore { rt: r2, sn: sy });
        b.push(Inst::Alu {
            op: merge,
            s: false,
            rd: r1,
            rn: r1,
            op2: Op2::Reg(r2),
        });
        b.push(Inst::VCmp {
            e: false,
            sd: sx,
            sm: sy,
        });
        b.push(Inst::Vmrs { rt: Reg::PC });
        b.push(Inst::It {
            cond: Cond::Mi,
            pattern: ItPattern::ONE,
        });
        b.push_if(Cond::Mi, copy(less));
        b.push(Inst::It {
            cond: Cond::Gt,
            pattern: ItPattern::ONE,
        });
        b.push_if(Cond::Gt, copy(greater));
        b.push(Inst::It {
            cond: Cond::Eq,
            pattern: ItPattern::ONE,
        });
        b.push_if(Cond::Eq, Inst::VMovFromCore { sn: sd, rt: r1 });
        let mut bundle = b.finish();
        // The inputs are read after the sum is written.
        for operand in &mut bundle.operands[..2] {
            *operand = regalloc2::Operand::reg_use_at_end(operand.vreg());
        }
        self.emit(bundle);
    }

    fn copysign(&mut self, inst: ClifInst, dest: VReg) {
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        let (x, y) = (self.reg(x), self.reg(y));
        let (magnitude, sign) = (self.fresh_int(), self.fresh_int());
        self.core_from_float(magnitude, x);
        self.core_from_float(sign, y);
        let top = self.fresh_int();
        self.mov(top, Rhs::Shifted(sign, ShiftOp::Lsr, 31));
        let joined = self.fresh_int();
        let mut b = Bundle::new();
        let base = b.use_reg(magnitude);
        let rn = b.use_reg(top);
        let rd = b.def_reuse(joined, base);
        b.push(Inst::Bfi {
            rd,
            rn,
            lsb: 31,
            width: 1,
        });
        self.emit(b.finish());
        self.float_from_core(dest, joined);
    }

    fn convert_from_int(&mut self, inst: ClifInst, dest: VReg) {
        let x = self.arg(inst, 0);
        let signed = self.opcode(inst) == Opcode::FcvtFromSint;
        let inner = self.half_source(x);
        let moved = self.fresh_float();
        if let Some((source, half_signed)) = inner
            && (half_signed == signed || self.ty(x) == types::I16)
        {
            // The conversion reads only the low half of the register, so the
            // halfword needs no extension.
            let unsigned = if self.ty(x) == types::I16 {
                !signed
            } else {
                !half_signed
            };
            let source = self.reg(source);
            self.float_from_core(moved, source);
            let mut b = Bundle::new();
            let sm = b.use_float(moved);
            let sd = b.def_float_reuse(dest, sm);
            b.push(Inst::VCvtFixed {
                to_fixed: false,
                unsigned,
                half: true,
                sd,
                fbits: 0,
            });
            return self.emit(b.finish());
        }
        let moved = match self.loaded_as_float(x) {
            Some(float) => float,
            None => {
                let source = self.extended(x, signed);
                self.float_from_core(moved, source);
                moved
            }
        };
        let mut b = Bundle::new();
        let sm = b.use_float(moved);
        let sd = b.def_float(dest);
        let op = if signed {
            VCvtOp::F32S32
        } else {
            VCvtOp::F32U32
        };
        b.push(Inst::VCvt { op, sd, sm });
        self.emit(b.finish());
    }

    /// A halfword, narrow or just extended: the register to read it from, and
    /// whether it is signed.
    fn half_source(&self, x: Value) -> Option<(Value, bool)> {
        if self.ty(x) == types::I16 {
            return Some((x, true));
        }
        let x = self.func.dfg.resolve_aliases(x);
        if self.resolve(x) != x {
            return None;
        }
        for (opcode, signed) in [(Opcode::Sextend, true), (Opcode::Uextend, false)] {
            if let Some(extension) = self.foldable(x, opcode)
                && self.ty(self.arg(extension, 0)) == types::I16
            {
                return Some((self.arg(extension, 0), signed));
            }
        }
        None
    }

    /// VCVT saturates and turns NaN into 0, as CLIF wants; narrow results
    /// saturate once more.
    fn convert_to_int(&mut self, inst: ClifInst, dest: VReg) -> Lowered<()> {
        let x = self.arg(inst, 0);
        let signed = self.opcode(inst) == Opcode::FcvtToSintSat;
        let bits = self.ty(self.func.dfg.first_result(inst)).bits();
        let source = self.reg(x);
        let converted = self.fresh_float();
        let mut b = Bundle::new();
        let sm = b.use_float(source);
        let sd = b.def_float(converted);
        // A narrow unsigned result goes through the signed conversion: USAT takes
        // a signed input.
        let op = if signed || bits < 32 {
            VCvtOp::S32F32
        } else {
            VCvtOp::U32F32
        };
        b.push(Inst::VCvt { op, sd, sm });
        self.emit(b.finish());
        if bits == 32 {
            self.core_from_float(dest, converted);
            return Ok(());
        }
        let word = self.fresh_int();
        self.core_from_float(word, converted);
        let mut b = Bundle::new();
        let rn = b.use_reg(word);
        let rd = b.def_reg(dest);
        b.push(Inst::Sat {
            unsigned: !signed,
            rd,
            bits: bits as u8,
            rn,
            asr: false,
            shift: 0,
        });
        self.emit(b.finish());
        Ok(())
    }

    /// The register of an integer that is the bits of a float, which is where the
    /// conversion wants it.
    fn loaded_as_float(&mut self, x: Value) -> Option<VReg> {
        let inst = self.def_as(self.resolve(x), Opcode::Bitcast)?;
        let float = self.arg(inst, 0);
        let known = self.const_float(self.resolve(float)).is_some();
        (self.ty(float) == types::F32 && !known).then(|| self.reg(float))
    }

    fn bitcast(&mut self, inst: ClifInst, dest: VReg) -> Lowered<()> {
        let x = self.arg(inst, 0);
        let to_float = self.ty(self.func.dfg.first_result(inst)) == types::F32;
        match (self.ty(x) == types::F32, to_float) {
            (true, false) => {
                let source = self.reg(x);
                self.core_from_float(dest, source);
            }
            (false, true) => {
                let source = match self.const_unsigned(x) {
                    Some(bits) => self.constant(Constant::Int(bits)),
                    None => self.reg(x),
                };
                self.float_from_core(dest, source);
            }
            _ => return Err(self.fail(inst, "this bitcast has no lowering")),
        }
        Ok(())
    }
}
