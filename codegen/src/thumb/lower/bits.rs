//! Counting and reordering bits.

use super::super::inst::{AluOp, CmpOp, Inst, ItPattern, Op2, ShiftOp, UnaryOp};
use super::super::reg::Cond;
use super::super::vcode::Bundle;
use super::constants::Constant;
use super::int::Rhs;
use super::{Lower, Lowered};
use cranelift_codegen::ir::{Inst as ClifInst, Opcode};
use regalloc2::VReg;

impl Lower<'_> {
    pub(super) fn unary(&mut self, op: UnaryOp, dest: VReg, source: VReg) {
        let mut b = Bundle::new();
        let rm = b.use_reg(source);
        let rd = b.def_reg(dest);
        b.push(Inst::Unary { op, rd, rm });
        self.emit(b.finish());
    }

    pub(super) fn bits(&mut self, inst: ClifInst, dest: VReg) -> Lowered<()> {
        let x = self.arg(inst, 0);
        let bits = self.ty(x).bits();
        let spare = 32 - bits;
        match self.opcode(inst) {
            Opcode::Iabs => {
                let source = self.extended(x, true);
                let mut b = Bundle::new();
                let rn = b.use_reg(source);
                let rd = b.def_reuse(dest, rn);
                b.push(Inst::Compare {
                    op: CmpOp::Cmp,
                    rn,
                    op2: Op2::Imm(0),
                });
                b.push(Inst::It {
                    cond: Cond::Lt,
                    pattern: ItPattern::ONE,
                });
                b.push_if(
                    Cond::Lt,
                    Inst::Alu {
                        op: AluOp::Rsb,
                        s: false,
                        rd,
                        rn: rd,
                        op2: Op2::Imm(0),
                    },
                );
                self.emit(b.finish());
            }
            Opcode::Bitrev => {
                let source = self.reg(x);
                if spare == 0 {
                    self.unary(UnaryOp::Rbit, dest, source);
                } else {
                    let reversed = self.fresh_int();
                    self.unary(UnaryOp::Rbit, reversed, source);
                    self.mov(dest, Rhs::Shifted(reversed, ShiftOp::Lsr, spare as u8));
                }
            }
            Opcode::Bswap => {
                let source = self.reg(x);
                let op = if bits == 16 {
                    UnaryOp::Rev16
                } else {
                    UnaryOp::Rev
                };
                self.unary(op, dest, source);
            }
            Opcode::Clz => {
                let source = self.extended(x, false);
                if spare == 0 {
                    self.unary(UnaryOp::Clz, dest, source);
                } else {
                    let count = self.fresh_int();
                    self.unary(UnaryOp::Clz, count, source);
                    self.add_constant(dest, count, -(spare as i32));
                }
            }
            Opcode::Cls => {
                // Leading sign bits are the leading zeros of x ^ (x >> 31), less one.
                let source = self.extended(x, true);
                let folded = self.fresh_int();
                self.alu(
                    AluOp::Eor,
                    folded,
                    source,
                    Rhs::Shifted(source, ShiftOp::Asr, 31),
                );
                let count = self.fresh_int();
                self.unary(UnaryOp::Clz, count, folded);
                self.add_constant(dest, count, -(spare as i32) - 1);
            }
            Opcode::Ctz => {
                let mut source = self.reg(x);
                if spare != 0 {
                    // A bit above the value stops the count at its width.
                    let guarded = self.fresh_int();
                    self.alu(AluOp::Orr, guarded, source, Rhs::Imm(1 << bits));
                    source = guarded;
                }
                let reversed = self.fresh_int();
                self.unary(UnaryOp::Rbit, reversed, source);
                self.unary(UnaryOp::Clz, dest, reversed);
            }
            Opcode::Popcnt => {
                let source = self.extended(x, false);
                self.popcnt(dest, source);
            }
            Opcode::Bmask => {
                // All ones when any bit is set.
                let source = self.extended(x, false);
                let mut b = Bundle::new();
                let rn = b.use_reg(source);
                let rd = b.def_reuse(dest, rn);
                b.push(Inst::Compare {
                    op: CmpOp::Cmp,
                    rn,
                    op2: Op2::Imm(0),
                });
                b.push(Inst::It {
                    cond: Cond::Ne,
                    pattern: ItPattern::ONE,
                });
                b.push_if(
                    Cond::Ne,
                    Inst::Mvn {
                        s: false,
                        rd,
                        op2: Op2::Imm(0),
                    },
                );
                self.emit(b.finish());
            }
            _ => {
                // Bitselect: (c & x) | (y & !c).
                let (c, y, z) = (self.reg(x), self.arg(inst, 1), self.arg(inst, 2));
                let (y, z) = (self.reg(y), self.reg(z));
                let (on, off) = (self.fresh_int(), self.fresh_int());
                self.alu(AluOp::And, on, y, Rhs::Reg(c));
                self.alu(AluOp::Bic, off, z, Rhs::Reg(c));
                self.alu(AluOp::Orr, dest, on, Rhs::Reg(off));
            }
        }
        Ok(())
    }

    /// Sums bits in pairs, nibbles, bytes, then the four bytes by a product.
    fn popcnt(&mut self, dest: VReg, source: VReg) {
        let pair_mask = 0x5555_5555;
        let (odd, pairs) = (self.fresh_int(), self.fresh_int());
        let half = self.fresh_int();
        self.mov(half, Rhs::Shifted(source, ShiftOp::Lsr, 1));
        self.alu(AluOp::And, odd, half, Rhs::Imm(pair_mask));
        self.alu(AluOp::Sub, pairs, source, Rhs::Reg(odd));
        let (low, shifted, high) = (self.fresh_int(), self.fresh_int(), self.fresh_int());
        self.alu(AluOp::And, low, pairs, Rhs::Imm(0x3333_3333));
        self.mov(shifted, Rhs::Shifted(pairs, ShiftOp::Lsr, 2));
        self.alu(AluOp::And, high, shifted, Rhs::Imm(0x3333_3333));
        let nibbles = self.fresh_int();
        self.alu(AluOp::Add, nibbles, low, Rhs::Reg(high));
        let (folded, bytes) = (self.fresh_int(), self.fresh_int());
        self.alu(
            AluOp::Add,
            folded,
            nibbles,
            Rhs::Shifted(nibbles, ShiftOp::Lsr, 4),
        );
        self.alu(AluOp::And, bytes, folded, Rhs::Imm(0x0f0f_0f0f));
        let ones = self.constant(Constant::Int(0x0101_0101));
        let product = self.fresh_int();
        let mut b = Bundle::new();
        let rn = b.use_reg(bytes);
        let rm = b.use_reg(ones);
        let rd = b.def_reg(product);
        b.push(Inst::Mul {
            s: false,
            rd,
            rn,
            rm,
        });
        self.emit(b.finish());
        self.mov(dest, Rhs::Shifted(product, ShiftOp::Lsr, 24));
    }
}
