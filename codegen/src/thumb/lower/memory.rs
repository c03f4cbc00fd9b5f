//! Loads and stores.

use super::super::inst::{Addr, Inst, LoadSize, StoreSize};
use super::super::reg::Reg;
use super::super::vcode::{Access, Bundle, Piece};
use super::address::{Memory, Reach};
use super::constants::Constant;
use super::{Lower, Lowered};
use cranelift_codegen::ir::{Inst as ClifInst, InstructionData, Opcode, types};

impl Lower<'_> {
    fn address_part(&mut self, b: &mut Bundle, memory: Memory) -> Addr {
        match memory {
            Memory::Offset { base, offset } => Addr::Offset(b.use_reg(base), offset),
            Memory::Index { base, index, shift } => {
                let rn = b.use_reg(base);
                Addr::Index(rn, b.use_reg(index), shift)
            }
            Memory::Frame { offset } => Addr::Offset(Reg::SP, offset),
        }
    }

    fn push_memory(b: &mut Bundle, inst: Inst, memory: Memory) {
        if matches!(memory, Memory::Frame { .. }) {
            b.pieces.push(Piece::Frame(inst));
        } else {
            b.push(inst);
        }
    }

    pub(super) fn load(&mut self, inst: ClifInst) -> Lowered<()> {
        let InstructionData::Load { offset, .. } = self.func.dfg.insts[inst] else {
            return Err(self.fail(inst, "the load has an unknown form"));
        };
        let result = self.func.dfg.first_result(inst);
        let ty = self.ty(result);
        let float = ty == types::F32;
        let size = match self.opcode(inst) {
            Opcode::Uload8 => LoadSize::Byte,
            Opcode::Sload8 => LoadSize::SignedByte,
            Opcode::Uload16 => LoadSize::Half,
            Opcode::Sload16 => LoadSize::SignedHalf,
            _ => match (ty.bits(), self.is_signed_load(result)) {
                (8, false) => LoadSize::Byte,
                (8, true) => LoadSize::SignedByte,
                (16, false) => LoadSize::Half,
                (16, true) => LoadSize::SignedHalf,
                _ => LoadSize::Word,
            },
        };
        let bytes = match size {
            LoadSize::Byte | LoadSize::SignedByte => 1,
            LoadSize::Half | LoadSize::SignedHalf => 2,
            LoadSize::Word => 4,
        };
        // A load whose result nobody wants may still be a device access.
        let dest = self.reg(result);
        let reach = Reach { float, index: true };
        let address = self.arg(inst, 0);
        let (memory, place) = self.memory_operand(address, offset.into(), bytes, reach)?;
        let mut b = Bundle::new();
        let addr = self.address_part(&mut b, memory);
        let load = match addr {
            Addr::Offset(rn, offset) if float => Inst::VLoad {
                sd: b.def_float(dest),
                rn,
                offset,
            },
            _ => Inst::Load {
                size,
                rt: b.def_reg(dest),
                addr,
            },
        };
        Self::push_memory(&mut b, load, memory);
        self.emit(b.finish_access(Access::Load(place)));
        Ok(())
    }

    pub(super) fn store(&mut self, inst: ClifInst) -> Lowered<()> {
        let InstructionData::Store { offset, .. } = self.func.dfg.insts[inst] else {
            return Err(self.fail(inst, "the store has an unknown form"));
        };
        let (value, address) = (self.arg(inst, 0), self.arg(inst, 1));
        let constant = self.const_float(self.resolve(value));
        let float = self.ty(value) == types::F32 && constant.is_none();
        let (size, bytes) = match (self.opcode(inst), self.ty(value).bits()) {
            (Opcode::Istore8, _) | (_, 8) => (StoreSize::Byte, 1),
            (Opcode::Istore16, _) | (_, 16) => (StoreSize::Half, 2),
            _ => (StoreSize::Word, 4),
        };
        let source = match constant {
            // A float constant is stored from a core register: cheaper to make,
            // and STR is cheaper than VSTR.
            Some(bits) => self.constant(Constant::Int(bits)),
            None => self.reg(value),
        };
        let reach = Reach {
            float,
            index: false,
        };
        let (memory, place) = self.memory_operand(address, offset.into(), bytes, reach)?;
        let mut b = Bundle::new();
        let store = if float {
            let sd = b.use_float(source);
            match self.address_part(&mut b, memory) {
                Addr::Offset(rn, offset) => Inst::VStore { sd, rn, offset },
                _ => return Err(self.fail(inst, "a float store has no register offset")),
            }
        } else {
            let rt = b.use_reg(source);
            let addr = self.address_part(&mut b, memory);
            Inst::Store { size, rt, addr }
        };
        Self::push_memory(&mut b, store, memory);
        self.emit(b.finish_access(Access::Store(place)));
        Ok(())
    }
}
