//! Addition, logic and shifts.

use super::super::imm;
use super::super::inst::{AluOp, ExtendOp, Inst, Op2, ShiftOp};
use super::super::vcode::Bundle;
use super::constants::Constant;
use super::{Lower, Lowered};
use cranelift_codegen::ir::{Inst as ClifInst, Opcode, Value, types};
use regalloc2::VReg;

/// The last operand of an ALU instruction before slots are assigned.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rhs {
    Reg(VReg),
    Imm(u32),
    Shifted(VReg, ShiftOp, u8),
}

impl Rhs {
    pub(super) fn op2(self, bundle: &mut Bundle) -> Op2 {
        match self {
            Rhs::Reg(vreg) => Op2::Reg(bundle.use_reg(vreg)),
            Rhs::Imm(imm) => Op2::Imm(imm),
            Rhs::Shifted(vreg, op, amount) => Op2::Shifted(bundle.use_reg(vreg), op, amount),
        }
    }
}

impl Lower<'_> {
    pub(super) fn alu(&mut self, op: AluOp, dest: VReg, lhs: VReg, rhs: Rhs) {
        let mut b = Bundle::new();
        let rn = b.use_reg(lhs);
        let op2 = rhs.op2(&mut b);
        let rd = b.def_reg(dest);
        b.push(Inst::Alu {
            op,
            s: false,
            rd,
            rn,
            op2,
        });
        self.emit(b.finish());
    }

    pub(super) fn mov(&mut self, dest: VReg, rhs: Rhs) {
        let mut b = Bundle::new();
        let op2 = rhs.op2(&mut b);
        let rd = b.def_reg(dest);
        b.push(Inst::Mov { s: false, rd, op2 });
        self.emit(b.finish());
    }

    pub(super) fn mvn(&mut self, dest: VReg, rhs: Rhs) {
        let mut b = Bundle::new();
        let op2 = rhs.op2(&mut b);
        let rd = b.def_reg(dest);
        b.push(Inst::Mvn { s: false, rd, op2 });
        self.emit(b.finish());
    }

    /// `dest = source + constant` by the shortest means.
    pub(super) fn add_constant(&mut self, dest: VReg, source: VReg, constant: i32) {
        let (op, amount) = if constant < 0 {
            (AluOp::Sub, constant.unsigned_abs())
        } else {
            (AluOp::Add, constant as u32)
        };
        if imm::modified(amount).is_some() {
            return self.alu(op, dest, source, Rhs::Imm(amount));
        }
        if amount < 4096 {
            let mut b = Bundle::new();
            let rn = b.use_reg(source);
            let rd = b.def_reg(dest);
            b.push(Inst::AddWide {
                sub: constant < 0,
                rd,
                rn,
                imm: amount as u16,
            });
            return self.emit(b.finish());
        }
        let other = self.constant(Constant::Int(constant as u32));
        self.alu(AluOp::Add, dest, source, Rhs::Reg(other));
    }

    /// A value as last operand, with a shift by a constant folded in.
    fn shifted(&mut self, value: Value) -> Option<Rhs> {
        let (inst, op) = [
            (Opcode::Ishl, ShiftOp::Lsl),
            (Opcode::Ushr, ShiftOp::Lsr),
            (Opcode::Sshr, ShiftOp::Asr),
            (Opcode::Rotr, ShiftOp::Ror),
        ]
        .into_iter()
        .find_map(|(opcode, op)| Some((self.foldable(value, opcode)?, op)))?;
        let narrow = self.ty(value) != types::I32;
        if narrow && op != ShiftOp::Lsl {
            return None;
        }
        let amount = self.shift_amount(inst)?;
        // A pair of shifts is a bit field, which is better left whole.
        if amount == 0 || (op != ShiftOp::Lsl && self.field(inst).is_some()) {
            return None;
        }
        let source = self.reg(self.arg(inst, 0));
        Some(Rhs::Shifted(source, op, amount))
    }

    pub(super) fn rhs(&mut self, value: Value) -> Rhs {
        match self.shifted(value) {
            Some(shifted) => shifted,
            None => Rhs::Reg(self.reg(value)),
        }
    }

    pub(super) fn arithmetic(&mut self, inst: ClifInst, dest: VReg) -> Lowered<()> {
        let x = self.arg(inst, 0);
        match self.opcode(inst) {
            Opcode::Ineg => {
                let source = self.reg(x);
                self.alu(AluOp::Rsb, dest, source, Rhs::Imm(0));
            }
            Opcode::Bnot => {
                let rhs = self.rhs(x);
                self.mvn(dest, rhs);
            }
            Opcode::Iadd => self.add(inst, dest),
            Opcode::Isub => self.sub(inst, dest),
            Opcode::Band => self.and(inst, dest),
            Opcode::Bor => self.or_xor(inst, dest, AluOp::Orr),
            _ => self.or_xor(inst, dest, AluOp::Eor),
        }
        Ok(())
    }

    fn add(&mut self, inst: ClifInst, dest: VReg) {
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        for (a, b) in [(x, y), (y, x)] {
            if let Some(constant) = self.const_signed(b) {
                let source = self.reg(a);
                return self.add_constant(dest, source, constant);
            }
        }
        for (a, b) in [(x, y), (y, x)] {
            if self.multiply_add(dest, a, b) {
                return;
            }
        }
        if self.ty(x) == types::I32 {
            for (a, b) in [(x, y), (y, x)] {
                if self.resolve(b) == b
                    && self.is_single_extension(b)
                    && let Some((op, source, rot)) = self.extension(b)
                {
                    let mut bundle = Bundle::new();
                    let acc = self.reg(a);
                    let rn = bundle.use_reg(acc);
                    let rm = bundle.use_reg(source);
                    let rd = bundle.def_reg(dest);
                    bundle.push(Inst::ExtendAdd {
                        op,
                        rd,
                        rn,
                        rm,
                        rot,
                    });
                    return self.emit(bundle.finish());
                }
            }
        }
        self.commutative(AluOp::Add, dest, x, y);
    }

    /// Whether a value is an extension with one use in this block.
    fn is_single_extension(&self, value: Value) -> bool {
        [Opcode::Sextend, Opcode::Uextend, Opcode::Band]
            .into_iter()
            .any(|opcode| self.foldable(value, opcode).is_some())
    }

    fn commutative(&mut self, op: AluOp, dest: VReg, x: Value, y: Value) {
        let (lhs, rhs) = match self.shifted(y) {
            Some(rhs) => (x, rhs),
            None => match self.shifted(x) {
                Some(rhs) => (y, rhs),
                None => (x, Rhs::Reg(self.reg(y))),
            },
        };
        let lhs = self.reg(lhs);
        self.alu(op, dest, lhs, rhs);
    }

    fn sub(&mut self, inst: ClifInst, dest: VReg) {
        let (x, y) = (self.arg(inst, 0), self.arg(inst, 1));
        if let Some(constant) = self.const_signed(y)
            && constant != i32::MIN
        {
            let source = self.reg(x);
            return self.add_constant(dest, source, -constant);
        }
        if let Some(constant) = self.const_signed(x)
            && imm::modified(constant as u32).is_some()
        {
            let source = self.reg(y);
            return self.alu(AluOp::Rsb, dest, source, Rhs::Imm(constant as u32));
        }
        if self.multiply_sub(dest, x, y) {
            return;
        }
        if let Some(rhs) = self.shifted(y) {
            let lhs = self.reg(x);
            return self.alu(AluOp::Sub, dest, lhs, rhs);
        }
        if let Some(rhs) = self.shifted(x) {
            let lhs = self.reg(y);
            return self.alu(AluOp::Rsb, dest, lhs, rhs);
        }
        let (lhs, rhs) = (self.reg(x), self.reg(y));
        self.alu(AluOp::Sub, dest, lhs, Rhs::Reg(rhs));
    }

    fn and(&mut self, inst: ClifInst, dest: VReg) {
        let (mut x, mut y) = (self.arg(inst, 0), self.arg(inst, 1));
        if self.const_unsigned(x).is_some() {
            std::mem::swap(&mut x, &mut y);
        }
        if let Some(mask) = self.const_unsigned(y) {
            return self.and_mask(inst, dest, x, mask);
        }
        for (a, b) in [(x, y), (y, x)] {
            if let Some(not) = self.foldable(b, Opcode::Bnot) {
                let rhs = self.rhs(self.arg(not, 0));
                let lhs = self.reg(a);
                return self.alu(AluOp::Bic, dest, lhs, rhs);
            }
        }
        self.commutative(AluOp::And, dest, x, y);
    }

    fn and_mask(&mut self, inst: ClifInst, dest: VReg, x: Value, mask: u32) {
        let low_ones = mask.wrapping_add(1) & mask == 0 && mask != 0;
        if low_ones
            && self.ty(x) == types::I32
            && let Some(shift) = self
                .foldable(x, Opcode::Ushr)
                .or_else(|| self.foldable(x, Opcode::Sshr))
            && let Some(by) = self.shift_amount(shift)
        {
            let width = mask.count_ones() as u8;
            if by + width <= 32 {
                let source = self.reg(self.arg(shift, 0));
                return self.bit_field(dest, source, by, width, false);
            }
        }
        if matches!(mask, 0xff | 0xffff)
            && let Some((op, source, rot)) = self.extension(self.func.dfg.first_result(inst))
        {
            let mut b = Bundle::new();
            let rm = b.use_reg(source);
            let rd = b.def_reg(dest);
            b.push(Inst::Extend { op, rd, rm, rot });
            return self.emit(b.finish());
        }
        let source = self.reg(x);
        if imm::modified(mask).is_some() {
            self.alu(AluOp::And, dest, source, Rhs::Imm(mask));
        } else if mask == 0xff || mask == 0xffff {
            let op = if mask == 0xff {
                ExtendOp::Uxtb
            } else {
                ExtendOp::Uxth
            };
            let mut b = Bundle::new();
            let rm = b.use_reg(source);
            let rd = b.def_reg(dest);
            b.push(Inst::Extend { op, rd, rm, rot: 0 });
            self.emit(b.finish());
        } else if imm::modified(!mask).is_some() {
            self.alu(AluOp::Bic, dest, source, Rhs::Imm(!mask));
        } else if low_ones {
            self.bit_field(dest, source, 0, mask.count_ones() as u8, false);
        } else {
            let mask = self.constant(Constant::Int(mask));
            self.alu(AluOp::And, dest, source, Rhs::Reg(mask));
        }
    }

    fn or_xor(&mut self, inst: ClifInst, dest: VReg, op: AluOp) {
        let (mut x, mut y) = (self.arg(inst, 0), self.arg(inst, 1));
        if self.const_signed(x).is_some() {
            std::mem::swap(&mut x, &mut y);
        }
        if let Some(constant) = self.const_signed(y) {
            let constant = constant as u32;
            let source = self.reg(x);
            if op == AluOp::Eor && constant == u32::MAX {
                return self.mvn(dest, Rhs::Reg(source));
            }
            // Upper bits of a narrow result are free, so both extensions serve.
            let unsigned = self.const_unsigned(y).unwrap_or(constant);
            for candidate in [constant, unsigned] {
                if imm::modified(candidate).is_some() && self.upper_bits_agree(y, candidate) {
                    return self.alu(op, dest, source, Rhs::Imm(candidate));
                }
            }
            if op == AluOp::Orr && imm::modified(!constant).is_some() {
                return self.alu(AluOp::Orn, dest, source, Rhs::Imm(!constant));
            }
            let other = self.constant(Constant::Int(constant));
            return self.alu(op, dest, source, Rhs::Reg(other));
        }
        if op == AluOp::Orr {
            for (a, b) in [(x, y), (y, x)] {
                if let Some(not) = self.foldable(b, Opcode::Bnot) {
                    let rhs = self.rhs(self.arg(not, 0));
                    let lhs = self.reg(a);
                    return self.alu(AluOp::Orn, dest, lhs, rhs);
                }
            }
        }
        self.commutative(op, dest, x, y);
    }

    /// `upper_zero` counts on a narrow constant without its top bit leaving the
    /// upper bits alone; with the top bit set it claims nothing.
    fn upper_bits_agree(&self, constant: Value, candidate: u32) -> bool {
        self.const_signed(constant) == Some(candidate as i32) || self.ty(constant).bits() < 32
    }

    /// A constant shift amount, reduced to the type's width.
    pub(super) fn shift_amount(&self, shift: ClifInst) -> Option<u8> {
        let bits = self.ty(self.arg(shift, 0)).bits();
        self.const_unsigned(self.arg(shift, 1))
            .map(|by| (by & (bits - 1)) as u8)
    }

    /// `(x << a) >> b` as a bit field: source, lowest bit, width.
    fn field(&self, shift: ClifInst) -> Option<(Value, u8, u8)> {
        let x = self.arg(shift, 0);
        if self.ty(x) != types::I32 {
            return None;
        }
        let right = self.shift_amount(shift)?;
        let inner = self.foldable(x, Opcode::Ishl)?;
        let left = self.shift_amount(inner)?;
        (left <= right && right > 0).then(|| (self.arg(inner, 0), right - left, 32 - right))
    }

    pub(super) fn bit_field(&mut self, dest: VReg, source: VReg, lsb: u8, width: u8, signed: bool) {
        let mut b = Bundle::new();
        let rn = b.use_reg(source);
        let rd = b.def_reg(dest);
        b.push(Inst::Bfx {
            signed,
            rd,
            rn,
            lsb,
            width,
        });
        self.emit(b.finish());
    }

    pub(super) fn shift(&mut self, inst: ClifInst, dest: VReg) -> Lowered<()> {
        let x = self.arg(inst, 0);
        let bits = self.ty(x).bits();
        let op = match self.opcode(inst) {
            Opcode::Ishl => ShiftOp::Lsl,
            Opcode::Ushr => ShiftOp::Lsr,
            Opcode::Sshr => ShiftOp::Asr,
            _ => return self.rotate(inst, dest),
        };
        let Some(by) = self.shift_amount(inst) else {
            self.shift_by_register(inst, dest, op);
            return Ok(());
        };
        let signed = op == ShiftOp::Asr;
        if op != ShiftOp::Lsl {
            if let Some((source, lsb, width)) = self.field(inst) {
                let source = self.reg(source);
                self.bit_field(dest, source, lsb, width, signed);
                return Ok(());
            }
            if bits < 32 {
                let source = self.reg(x);
                self.bit_field(dest, source, by, bits as u8 - by, signed);
                return Ok(());
            }
        }
        let source = self.reg(x);
        let rhs = if by == 0 {
            Rhs::Reg(source)
        } else {
            Rhs::Shifted(source, op, by)
        };
        self.mov(dest, rhs);
        Ok(())
    }

    fn shift_by_register(&mut self, inst: ClifInst, dest: VReg, op: ShiftOp) {
        let (x, by) = (self.arg(inst, 0), self.arg(inst, 1));
        let bits = self.ty(x).bits();
        let source = match op {
            ShiftOp::Lsr => self.extended(x, false),
            ShiftOp::Asr => self.extended(x, true),
            ShiftOp::Lsl | ShiftOp::Ror => self.reg(x),
        };
        let mut amount = self.reg(by);
        // The core takes the low byte of the amount, CLIF the amount modulo the
        // width.
        if !self.upper_zero(by, bits.trailing_zeros()) {
            let masked = self.fresh_int();
            self.alu(AluOp::And, masked, amount, Rhs::Imm(bits - 1));
            amount = masked;
        }
        self.register_shift(op, dest, source, amount);
    }

    fn register_shift(&mut self, op: ShiftOp, dest: VReg, source: VReg, amount: VReg) {
        let mut b = Bundle::new();
        let rn = b.use_reg(source);
        let rm = b.use_reg(amount);
        let rd = b.def_reg(dest);
        b.push(Inst::Shift {
            op,
            s: false,
            rd,
            rn,
            rm,
        });
        self.emit(b.finish());
    }

    fn rotate(&mut self, inst: ClifInst, dest: VReg) -> Lowered<()> {
        let (x, by) = (self.arg(inst, 0), self.arg(inst, 1));
        let bits = self.ty(x).bits();
        let left = self.opcode(inst) == Opcode::Rotl;
        // A narrow value is repeated until it fills the word, then the word turns.
        let mut source = self.extended(x, false);
        let mut filled = bits;
        while filled < 32 {
            let doubled = self.fresh_int();
            self.alu(
                AluOp::Orr,
                doubled,
                source,
                Rhs::Shifted(source, ShiftOp::Lsl, filled as u8),
            );
            source = doubled;
            filled *= 2;
        }
        if let Some(by) = self.shift_amount(inst) {
            let right = if left {
                (32 - u32::from(by)) & 31
            } else {
                u32::from(by)
            };
            let rhs = match right {
                0 => Rhs::Reg(source),
                n => Rhs::Shifted(source, ShiftOp::Ror, n as u8),
            };
            self.mov(dest, rhs);
            return Ok(());
        }
        let mut amount = self.reg(by);
        if left {
            let negated = self.fresh_int();
            self.alu(AluOp::Rsb, negated, amount, Rhs::Imm(0));
            amount = negated;
        }
        self.register_shift(ShiftOp::Ror, dest, source, amount);
        Ok(())
    }
}
