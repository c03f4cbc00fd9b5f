//! Values and registers: aliases, known bits, extension of narrow values.

use super::super::inst::{ExtendOp, Inst};
use super::super::vcode::Bundle;
use super::constants::Constant;
use super::{Lower, Lowered};
use cranelift_codegen::ir::{Inst as ClifInst, InstructionData, Opcode, Type, Value, types};
use regalloc2::{RegClass, VReg};

/// How deep known-bits questions follow the graph.
const DEPTH: u32 = 6;

impl Lower<'_> {
    pub(super) fn ty(&self, value: Value) -> Type {
        self.func.dfg.value_type(value)
    }

    pub(super) fn opcode(&self, inst: ClifInst) -> Opcode {
        self.func.dfg.insts[inst].opcode()
    }

    /// Operand `i` of an instruction.
    pub(super) fn arg(&self, inst: ClifInst, i: usize) -> Value {
        self.func
            .dfg
            .resolve_aliases(self.func.dfg.inst_args(inst)[i])
    }

    /// The instruction that makes a value; `None` for block parameters.
    pub(super) fn def(&self, value: Value) -> Option<ClifInst> {
        self.func
            .dfg
            .value_def(self.func.dfg.resolve_aliases(value))
            .inst()
    }

    /// The defining instruction if it has this opcode.
    pub(super) fn def_as(&self, value: Value, opcode: Opcode) -> Option<ClifInst> {
        self.def(value).filter(|&inst| self.opcode(inst) == opcode)
    }

    /// The defining instruction if it may vanish into its only user, which is the
    /// instruction being lowered.
    pub(super) fn foldable(&self, value: Value, opcode: Opcode) -> Option<ClifInst> {
        let value = self.func.dfg.resolve_aliases(value);
        let inst = self.def_as(value, opcode)?;
        (self.uses[value] == 1 && self.func.layout.inst_block(inst) == self.block).then_some(inst)
    }

    /// A constant, sign-extended from its type.
    pub(super) fn const_signed(&self, value: Value) -> Option<i32> {
        let inst = self.def_as(value, Opcode::Iconst)?;
        let InstructionData::UnaryImm { imm, .. } = self.func.dfg.insts[inst] else {
            return None;
        };
        let shift = 64 - self.ty(value).bits();
        i32::try_from(imm.bits() << shift >> shift).ok()
    }

    /// A constant of at most 32 bits, zero-extended from its type.
    pub(super) fn const_unsigned(&self, value: Value) -> Option<u32> {
        let bits = self.ty(value).bits();
        let value = self.const_signed(value)? as u32;
        Some(if bits < 32 {
            value & ((1 << bits) - 1)
        } else {
            value
        })
    }

    pub(super) fn const_float(&self, value: Value) -> Option<u32> {
        let inst = self.def_as(value, Opcode::F32const)?;
        match self.func.dfg.insts[inst] {
            InstructionData::UnaryIeee32 { imm, .. } => Some(imm.bits()),
            _ => None,
        }
    }

    /// Follows instructions that need no code: the value whose register holds
    /// this one's bits.
    pub(super) fn resolve(&self, value: Value) -> Value {
        let mut value = self.func.dfg.resolve_aliases(value);
        while let Some(inst) = self.def(value) {
            let next = match self.opcode(inst) {
                Opcode::Ireduce if self.ty(self.arg(inst, 0)) != types::I64 => self.arg(inst, 0),
                Opcode::Uextend if self.ty(value) != types::I64 => {
                    let arg = self.arg(inst, 0);
                    if !self.upper_zero(arg, self.ty(arg).bits()) {
                        break;
                    }
                    arg
                }
                Opcode::Sextend if self.is_signed_load(self.arg(inst, 0)) => {
                    if self.ty(value) == types::I64 {
                        break;
                    }
                    self.arg(inst, 0)
                }
                Opcode::Bitcast if self.ty(self.arg(inst, 0)) == self.ty(value) => {
                    self.arg(inst, 0)
                }
                _ => break,
            };
            value = next;
        }
        value
    }

    /// Whether the value is a narrow load whose only use sign-extends it. Such a
    /// load is emitted as LDRSB or LDRSH and the extension vanishes.
    pub(super) fn is_signed_load(&self, value: Value) -> bool {
        let value = self.func.dfg.resolve_aliases(value);
        self.uses[value] == 1
            && self.ty(value).bits() < 32
            && self
                .def_as(value, Opcode::Load)
                .is_some_and(|load| self.extended_signed(load))
    }

    /// Whether some SEXTEND to 32 bits reads the load's result. Called only for a
    /// single use, so the first extension found is the only use.
    fn extended_signed(&self, load: ClifInst) -> bool {
        let result = self.func.dfg.first_result(load);
        // The one user is looked for in the load's own block; a user elsewhere
        // just costs an extension.
        let Some(block) = self.func.layout.inst_block(load) else {
            return false;
        };
        let mut next = self.func.layout.next_inst(load);
        while let Some(inst) = next {
            if self.opcode(inst) == Opcode::Sextend && self.arg(inst, 0) == result {
                return self.ty(self.func.dfg.first_result(inst)) == types::I32;
            }
            next = self.func.layout.next_inst(inst);
        }
        let _ = block;
        false
    }

    /// Whether the register of this value is known to be below 2^bits.
    pub(super) fn upper_zero(&self, value: Value, bits: u32) -> bool {
        self.upper_zero_at(value, bits, DEPTH)
    }

    fn upper_zero_at(&self, value: Value, bits: u32, depth: u32) -> bool {
        if depth == 0 || self.ty(value) == types::F32 {
            return false;
        }
        let Some(inst) = self.def(value) else {
            return false;
        };
        let below = |v: Value| self.upper_zero_at(v, bits, depth - 1);
        let narrow = self.ty(value).bits();
        match self.opcode(inst) {
            Opcode::Icmp | Opcode::Fcmp => true,
            Opcode::Uload8 => bits >= 8,
            Opcode::Uload16 => bits >= 16,
            Opcode::Load => narrow < 32 && bits >= narrow && !self.is_signed_load(value),
            Opcode::Iconst => {
                // A shared constant register may hold either extension.
                narrow == 32
                    && self
                        .const_unsigned(value)
                        .is_some_and(|c| c.leading_zeros() >= 32 - bits)
            }
            Opcode::Ireduce => self.ty(self.arg(inst, 0)) != types::I64 && below(self.arg(inst, 0)),
            Opcode::Uextend => {
                let arg = self.arg(inst, 0);
                self.ty(value) != types::I64 && self.ty(arg).bits() <= bits
            }
            Opcode::Band => [0, 1].into_iter().any(|i| {
                let arg = self.arg(inst, i);
                match self.const_unsigned(arg) {
                    Some(c) => bits >= 32 || c >> bits == 0,
                    None => below(arg),
                }
            }),
            Opcode::Bor | Opcode::Bxor => [0, 1].into_iter().all(|i| {
                let arg = self.arg(inst, i);
                match self.const_unsigned(arg) {
                    // Narrow constants are materialised sign-extended here.
                    Some(c) => c >> bits.min(31) == 0 && (narrow == 32 || c >> (narrow - 1) == 0),
                    None => below(arg),
                }
            }),
            Opcode::Ushr => {
                let by = self
                    .const_unsigned(self.arg(inst, 1))
                    .map_or(0, |k| k & (narrow - 1));
                bits >= narrow - by
            }
            _ => false,
        }
    }

    fn class(&self, value: Value) -> RegClass {
        if self.ty(value) == types::F32 {
            RegClass::Float
        } else {
            RegClass::Int
        }
    }

    pub(super) fn param(&mut self, value: Value) -> VReg {
        self.vreg(value)
    }

    fn vreg(&mut self, value: Value) -> VReg {
        if let Some(vreg) = self.vregs[value] {
            return vreg;
        }
        let vreg = self.fresh(self.class(value));
        self.vregs[value] = Some(vreg);
        vreg
    }

    /// The register of a value; upper bits of a narrow value are undefined.
    pub(super) fn reg(&mut self, value: Value) -> VReg {
        let value = self.resolve(value);
        if let Some(constant) = self.const_signed(value) {
            return self.constant(Constant::Int(constant as u32));
        }
        if let Some(bits) = self.const_float(value) {
            return self.constant(Constant::Float(bits));
        }
        self.vreg(value)
    }

    /// A register with the value extended to 32 bits.
    pub(super) fn extended(&mut self, value: Value, signed: bool) -> VReg {
        let bits = self.ty(value).bits();
        if bits >= 32 {
            return self.reg(value);
        }
        if let (Some(s), Some(u)) = (self.const_signed(value), self.const_unsigned(value)) {
            return self.constant(Constant::Int(if signed { s as u32 } else { u }));
        }
        if self.upper_zero(value, if signed { bits - 1 } else { bits }) {
            return self.reg(value);
        }
        let source = self.reg(value);
        let dest = self.fresh_int();
        self.extend_to(dest, source, bits, signed);
        dest
    }

    /// Emits an 8- or 16-bit extension.
    pub(super) fn extend_to(&mut self, dest: VReg, source: VReg, bits: u32, signed: bool) {
        let op = match (bits, signed) {
            (8, true) => ExtendOp::Sxtb,
            (8, false) => ExtendOp::Uxtb,
            (_, true) => ExtendOp::Sxth,
            (_, false) => ExtendOp::Uxth,
        };
        let mut b = Bundle::new();
        let rm = b.use_reg(source);
        let rd = b.def_reg(dest);
        b.push(Inst::Extend { op, rd, rm, rot: 0 });
        self.emit(b.finish());
    }

    /// UEXTEND and SEXTEND that `resolve` could not make vanish.
    pub(super) fn extend(&mut self, inst: ClifInst, dest: VReg) -> Lowered<()> {
        let result = self.func.dfg.first_result(inst);
        if let Some((op, source, rot)) = self.extension(result) {
            let mut b = Bundle::new();
            let rm = b.use_reg(source);
            let rd = b.def_reg(dest);
            b.push(Inst::Extend { op, rd, rm, rot });
            self.emit(b.finish());
            return Ok(());
        }
        let arg = self.arg(inst, 0);
        let signed = self.opcode(inst) == Opcode::Sextend;
        let source = self.reg(arg);
        self.extend_to(dest, source, self.ty(arg).bits(), signed);
        Ok(())
    }

    /// The value as an extension of a byte or halfword at a byte position of some
    /// register, if it is one: `(operation, register, rotation in bytes)`.
    pub(super) fn extension(&mut self, value: Value) -> Option<(ExtendOp, VReg, u8)> {
        let inst = self.def(value)?;
        let (arg, bits, signed) = match self.opcode(inst) {
            Opcode::Sextend | Opcode::Uextend => {
                let arg = self.arg(inst, 0);
                (
                    arg,
                    self.ty(arg).bits(),
                    self.opcode(inst) == Opcode::Sextend,
                )
            }
            Opcode::Band => {
                let mask = self.const_unsigned(self.arg(inst, 1))?;
                let bits = match mask {
                    0xff => 8,
                    0xffff => 16,
                    _ => return None,
                };
                (self.arg(inst, 0), bits, false)
            }
            _ => return None,
        };
        if self.ty(value).bits() != 32 && self.opcode(inst) != Opcode::Band {
            return None;
        }
        let op = match (bits, signed) {
            (8, true) => ExtendOp::Sxtb,
            (8, false) => ExtendOp::Uxtb,
            (_, true) => ExtendOp::Sxth,
            (_, false) => ExtendOp::Uxth,
        };
        let (source, rot) = self.byte_shift(arg, bits);
        Some((op, self.reg(source), rot))
    }

    /// Looks through `x >> 8k` where only `bits` low bits matter.
    fn byte_shift(&self, value: Value, bits: u32) -> (Value, u8) {
        let inner = self.resolve(value);
        let shift = self
            .def_as(inner, Opcode::Ushr)
            .or_else(|| self.def_as(inner, Opcode::Sshr));
        if let Some(shift) = shift
            && self.ty(inner) == types::I32
            && let Some(by) = self.const_unsigned(self.arg(shift, 1))
        {
            let by = by & 31;
            if by % 8 == 0 && by + bits <= 32 {
                return (self.arg(shift, 0), (by / 8) as u8);
            }
        }
        (value, 0)
    }
}
