//! Products, divisions, and the one 64-bit shape that is accepted.

use super::super::inst::{AluOp, CmpOp, Inst, Mul2Op, Mul3Op, MulLongOp, Op2, ShiftOp};
use super::super::reg::Cond;
use super::super::vcode::{Bundle, Piece};
use super::int::Rhs;
use super::{Lower, Lowered};
use cranelift_codegen::ir::{Inst as ClifInst, InstructionData, Opcode, TrapCode, Value, types};
use regalloc2::VReg;

/// A 16-bit factor: a register and which half of it.
#[derive(Clone, Copy, Debug)]
struct Half {
    reg: VReg,
    top: bool,
}

impl Lower<'_> {
    fn mul2(&mut self, op: Mul2Op, dest: VReg, x: VReg, y: VReg) {
        let mut b = Bundle::new();
        let rn = b.use_reg(x);
        let rm = b.use_reg(y);
        let rd = b.def_reg(dest);
        b.push(Inst::Mul2 { op, rd, rn, rm });
        self.emit(b.finish());
    }

    fn mul3(&mut self, op: Mul3Op, dest: VReg, x: VReg, y: VReg, acc: VReg) {
        let mut b = Bundle::new();
        let rn = b.use_reg(x);
        let rm = b.use_reg(y);
        let ra = b.use_reg(acc);
        let rd = b.def_reg(dest);
        b.push(Inst::Mul3 { op, rd, rn, rm, ra });
        self.emit(b.finish());
    }

    fn mul(&mut self, dest: VReg, x: VReg, y: VReg) {
        let mut b = Bundle::new();
        let rn = b.use_reg(x);
        let rm = b.use_reg(y);
        let rd = b.def_reg(dest);
        b.push(Inst::Mul {
            s: false,
            rd,
            rn,
            rm,
        });
        self.emit(b.finish());
    }

    /// `x` as a sign-extended halfword that the SMULxy family reads in place.
    fn is_half(&self, value: Value) -> bool {
        self.ty(value) == types::I32
            && self.resolve(value) == value
            && self
                .foldable(value, Opcode::Sextend)
                .is_some_and(|e| self.ty(self.arg(e, 0)) == types::I16)
    }

    fn half(&mut self, value: Value) -> Option<Half> {
        let extension = self.def(value)?;
        let arg = self.arg(extension, 0);
        let inner = self.resolve(arg);
        let shift = self
            .def_as(inner, Opcode::Ushr)
            .or_else(|| self.def_as(inner, Opcode::Sshr));
        if let Some(shift) = shift
            && self.ty(inner) == types::I32
            && self.const_unsigned(self.arg(shift, 1)) == Some(16)
        {
            return Some(Half {
                reg: self.reg(self.arg(shift, 0)),
                top: true,
            });
        }
        Some(Half {
            reg: self.reg(arg),
            top: false,
        })
    }

    fn halves(&mut self, product: ClifInst) -> Option<(Half, Half)> {
        let (x, y) = (self.arg(product, 0), self.arg(product, 1));
        // A square names one extension twice, so it has two uses.
        if !(self.is_half(x) && self.is_half(y)) {
            return None;
        }
        Some((self.half(x)?, self.half(y)?))
    }

    /// `acc + x*y` in one instruction, when `product` is a product used only here.
    pub(super) fn multiply_add(&mut self, dest: VReg, acc: Value, product: Value) -> bool {
        let Some(inst) = self.foldable(product, Opcode::Imul) else {
            return false;
        };
        if let Some((x, y)) = self.halves(inst) {
            let op = match (x.top, y.top) {
                (false, false) => Mul3Op::Smlabb,
                (false, true) => Mul3Op::Smlabt,
                (true, false) => Mul3Op::Smlatb,
                (true, true) => Mul3Op::Smlatt,
            };
            let acc = self.reg(acc);
            self.mul3(op, dest, x.reg, y.reg, acc);
            return true;
        }
        let (x, y) = (self.reg(self.arg(inst, 0)), self.reg(self.arg(inst, 1)));
        let acc = self.reg(acc);
        self.mul3(Mul3Op::Mla, dest, x, y, acc);
        true
    }

    /// `minuend - x*y` in one instruction.
    pub(super) fn multiply_sub(&mut self, dest: VReg, minuend: Value, product: Value) -> bool {
        let Some(inst) = self.foldable(product, Opcode::Imul) else {
            return false;
        };
        let (x, y) = (self.reg(self.arg(inst, 0)), self.reg(self.arg(inst, 1)));
        let minuend = self.reg(minuend);
        self.mul3(Mul3Op::Mls, dest, x, y, minuend);
        true
    }

    pub(super) fn multiply(&mut self, inst: ClifInst, dest: VReg) -> Lowered<()> {
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        match self.opcode(inst) {
            Opcode::Imul => {
                if let Some((x, y)) = self.halves(inst) {
                    let op = match (x.top, y.top) {
                        (false, false) => Mul2Op::Smulbb,
                        (false, true) => Mul2Op::Smulbt,
                        (true, false) => Mul2Op::Smultb,
                        (true, true) => Mul2Op::Smultt,
                    };
                    self.mul2(op, dest, x.reg, y.reg);
                    return Ok(());
                }
                let (x, y) = (self.reg(x), self.reg(y));
                self.mul(dest, x, y);
                Ok(())
            }
            Opcode::Smulhi => {
                self.high(dest, x, y, true);
                Ok(())
            }
            Opcode::Umulhi => {
                self.high(dest, x, y, false);
                Ok(())
            }
            _ => self.divide(inst, dest),
        }
    }

    fn high(&mut self, dest: VReg, x: Value, y: Value, signed: bool) {
        let bits = self.ty(x).bits();
        let (a, b) = (self.extended(x, signed), self.extended(y, signed));
        if bits < 32 {
            let product = self.fresh_int();
            self.mul(product, a, b);
            self.bit_field(dest, product, bits as u8, bits as u8, signed);
        } else if signed {
            self.mul2(Mul2Op::Smmul, dest, a, b);
        } else {
            let low = self.fresh_int();
            self.long(MulLongOp::Umull, low, dest, a, b);
        }
    }

    fn long(&mut self, op: MulLongOp, low: VReg, high: VReg, x: VReg, y: VReg) {
        let mut b = Bundle::new();
        let rn = b.use_reg(x);
        let rm = b.use_reg(y);
        let lo = b.def_reg(low);
        let hi = b.def_reg(high);
        b.push(Inst::MulLong { op, lo, hi, rn, rm });
        self.emit(b.finish());
    }

    /// Division and remainder; CLIF traps on a zero divisor and, for the signed
    /// quotient, on overflow.
    fn divide(&mut self, inst: ClifInst, dest: VReg) -> Lowered<()> {
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        let opcode = self.opcode(inst);
        let signed = matches!(opcode, Opcode::Sdiv | Opcode::Srem);
        let remainder = matches!(opcode, Opcode::Urem | Opcode::Srem);
        let bits = self.ty(x).bits();
        let divisor = self.const_signed(y);
        let (rx, ry) = (self.extended(x, signed), self.extended(y, signed));
        let mut b = Bundle::new();
        let rn = b.use_reg(rx);
        let rm = b.use_reg(ry);
        let compare = |op, rn, imm| Inst::Compare {
            op,
            rn,
            op2: Op2::Imm(imm),
        };
        if divisor.is_none_or(|d| d == 0) {
            b.push(compare(CmpOp::Cmp, rm, 0));
            let code = TrapCode::INTEGER_DIVISION_BY_ZERO.as_raw().get();
            b.pieces.push(Piece::TrapIf {
                cond: Cond::Eq,
                code,
            });
        }
        if opcode == Opcode::Sdiv && divisor.is_none_or(|d| d == -1) {
            b.push(compare(CmpOp::Cmn, rm, 1));
            b.push(Inst::It {
                cond: Cond::Eq,
                pattern: super::super::inst::ItPattern::ONE,
            });
            let smallest = 1u32 << (bits - 1);
            let op = if bits == 32 { CmpOp::Cmp } else { CmpOp::Cmn };
            b.push_if(Cond::Eq, compare(op, rn, smallest));
            let code = TrapCode::INTEGER_OVERFLOW.as_raw().get();
            b.pieces.push(Piece::TrapIf {
                cond: Cond::Eq,
                code,
            });
        }
        let op = if signed { Mul2Op::Sdiv } else { Mul2Op::Udiv };
        if remainder {
            let quotient = self.fresh_int();
            let rq = b.temp_reg(quotient);
            let rd = b.def_reg(dest);
            b.push(Inst::Mul2 { op, rd: rq, rn, rm });
            b.push(Inst::Mul3 {
                op: Mul3Op::Mls,
                rd,
                rn: rq,
                rm,
                ra: rn,
            });
        } else {
            let rd = b.def_reg(dest);
            b.push(Inst::Mul2 { op, rd, rn, rm });
        }
        self.emit(b.finish());
        Ok(())
    }

    /// `ireduce.i32(shift(multiply(extend x, extend y) [+ constant], k))`.
    pub(super) fn reduce_i64(&mut self, inst: ClifInst, dest: VReg) -> Lowered<()> {
        let refused = "a 64-bit value is only allowed as extend, multiply, add a constant, \
                       shift by a constant, reduce";
        let fail = |this: &Self| this.fail(inst, refused);
        let mut value = self.arg(inst, 0);
        let mut shift = 0u32;
        let mut shift_signed = true;
        for (opcode, signed) in [(Opcode::Sshr, true), (Opcode::Ushr, false)] {
            if let Some(s) = self.def_as(value, opcode) {
                let by = self.arg(s, 1);
                let Some(by) = self.const_i64(by) else {
                    return Err(fail(self));
                };
                shift = (by & 63) as u32;
                shift_signed = signed;
                value = self.arg(s, 0);
                break;
            }
        }
        let mut addend = 0u64;
        if let Some(add) = self.def_as(value, Opcode::Iadd) {
            let (x, y) = (self.arg(add, 0), self.arg(add, 1));
            match (self.const_i64(x), self.const_i64(y)) {
                (_, Some(c)) => (value, addend) = (x, c as u64),
                (Some(c), _) => (value, addend) = (y, c as u64),
                _ => return Err(fail(self)),
            }
        }
        let product = self.def_as(value, Opcode::Imul).ok_or_else(|| fail(self))?;
        let (x, y) = (self.arg(product, 0), self.arg(product, 1));
        let signed = |this: &Self, v| {
            this.def_as(v, Opcode::Sextend)
                .map(|e| (this.arg(e, 0), true))
                .or_else(|| {
                    this.def_as(v, Opcode::Uextend)
                        .map(|e| (this.arg(e, 0), false))
                })
        };
        let (Some((x, sx)), Some((y, sy))) = (signed(self, x), signed(self, y)) else {
            return Err(fail(self));
        };
        if sx != sy {
            return Err(fail(self));
        }
        let (rx, ry) = (self.extended(x, sx), self.extended(y, sy));
        let (mut low, mut high) = (self.fresh_int(), self.fresh_int());
        let op = if sx {
            MulLongOp::Smull
        } else {
            MulLongOp::Umull
        };
        self.long(op, low, high, rx, ry);
        if addend != 0 {
            (low, high) = self.add_long(low, high, addend);
        }
        match shift {
            0 => self.mov(dest, Rhs::Reg(low)),
            1..=31 => {
                let part = self.fresh_int();
                self.mov(part, Rhs::Shifted(low, ShiftOp::Lsr, shift as u8));
                let rest = Rhs::Shifted(high, ShiftOp::Lsl, 32 - shift as u8);
                self.alu(AluOp::Orr, dest, part, rest);
            }
            32 => self.mov(dest, Rhs::Reg(high)),
            _ => {
                let op = if shift_signed {
                    ShiftOp::Asr
                } else {
                    ShiftOp::Lsr
                };
                self.mov(dest, Rhs::Shifted(high, op, shift as u8 - 32));
            }
        }
        Ok(())
    }

    fn add_long(&mut self, low: VReg, high: VReg, addend: u64) -> (VReg, VReg) {
        let mut constant = |half: u32| self.constant(super::constants::Constant::Int(half));
        let (c_low, c_high) = (constant(addend as u32), constant((addend >> 32) as u32));
        let (new_low, new_high) = (self.fresh_int(), self.fresh_int());
        let mut b = Bundle::new();
        let (rl, cl) = (b.use_reg(low), b.use_reg(c_low));
        let (rh, ch) = (b.use_late(high), b.use_late(c_high));
        let (dl, dh) = (b.def_early(new_low), b.def_reg(new_high));
        b.push(Inst::Alu {
            op: AluOp::Add,
            s: true,
            rd: dl,
            rn: rl,
            op2: Op2::Reg(cl),
        });
        b.push(Inst::Alu {
            op: AluOp::Adc,
            s: false,
            rd: dh,
            rn: rh,
            op2: Op2::Reg(ch),
        });
        self.emit(b.finish());
        (new_low, new_high)
    }

    /// An integer constant of any width.
    fn const_i64(&self, value: Value) -> Option<i64> {
        match self.func.dfg.insts[self.def_as(value, Opcode::Iconst)?] {
            InstructionData::UnaryImm { imm, .. } => Some(imm.bits()),
            _ => None,
        }
    }
}
