//! Addresses: base and offset, base and index, the frame.

use super::super::imm;
use super::super::inst::{AluOp, Inst, Op2};
use super::super::reg::Reg;
use super::super::vcode::{Base, Bundle, Piece, Place};
use super::constants::Constant;
use super::{Lower, Lowered};
use cranelift_codegen::ir::{
    ExternalName, FuncRef, GlobalValueData, Inst as ClifInst, InstructionData, Opcode, Value,
};
use regalloc2::VReg;

/// Where a load or store goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Memory {
    Offset {
        base: VReg,
        offset: i32,
    },
    Index {
        base: VReg,
        index: VReg,
        shift: u8,
    },
    /// From the first stack slot.
    Frame {
        offset: i32,
    },
}

/// What the instruction can address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    pub(super) float: bool,
    /// Register offsets cost a cycle in stores, so only loads take them.
    pub(super) index: bool,
}

/// Room for spill slots below the stack slots, in bytes.
const SPILL_ROOM: i32 = 256;

impl Reach {
    fn allows(self, offset: i32) -> bool {
        if self.float {
            (-1020..=1020).contains(&offset) && offset % 4 == 0
        } else {
            (-255..=4095).contains(&offset)
        }
    }

    fn allows_frame(self, offset: i32) -> bool {
        offset >= 0 && self.allows(offset + SPILL_ROOM)
    }

    /// Splits a constant address into an anchor that neighbours share and an
    /// offset.
    fn anchor(self, address: u32) -> (u32, i32) {
        let mask = if self.float { 0x3fc } else { 0xfff };
        (address & !mask, (address & mask) as i32)
    }
}

impl Lower<'_> {
    pub(super) fn memory_operand(
        &mut self,
        address: Value,
        offset: i32,
        size: u32,
        reach: Reach,
    ) -> Lowered<(Memory, Place)> {
        let mut value = self.resolve(address);
        let mut offset = offset;
        // Constant parts of the address go into the instruction.
        while let Some(add) = self.def_as(value, Opcode::Iadd) {
            let (x, y) = (self.arg(add, 0), self.arg(add, 1));
            let (rest, constant) = match (self.const_signed(x), self.const_signed(y)) {
                (_, Some(c)) => (x, c),
                (Some(c), None) => (y, c),
                (None, None) => break,
            };
            let sum = offset.wrapping_add(constant);
            if !reach.allows(sum) && self.const_signed(rest).is_none() {
                break;
            }
            offset = sum;
            value = self.resolve(rest);
        }
        let place = |base, offset| Place { base, offset, size };
        if let Some(constant) = self.const_signed(value) {
            let (anchor, low) = reach.anchor((constant as u32).wrapping_add_signed(offset));
            let base = self.constant(Constant::Int(anchor));
            return Ok((
                Memory::Offset { base, offset: low },
                place(Base::Absolute, 0),
            ));
        }
        if let Some(inst) = self.def_as(value, Opcode::StackAddr)
            && let Some(at) = self.slot_offset(inst)
            && reach.allows_frame(at + offset)
        {
            let offset = at + offset;
            return Ok((Memory::Frame { offset }, place(Base::Frame, offset)));
        }
        if let Some(inst) = self.def_as(value, Opcode::SymbolValue) {
            let (symbol, addend) = self.symbol(inst)?;
            let sum = addend.wrapping_add(offset);
            let base = if reach.allows(sum) {
                self.constant(Constant::Symbol(symbol, 0))
            } else {
                let base = self.constant(Constant::Symbol(symbol, sum));
                return Ok((
                    Memory::Offset { base, offset: 0 },
                    place(Base::Reg(base), 0),
                ));
            };
            return Ok((
                Memory::Offset { base, offset: sum },
                place(Base::Reg(base), sum),
            ));
        }
        if reach.index
            && !reach.float
            && offset == 0
            && let Some(add) = self.foldable(value, Opcode::Iadd)
        {
            let (base, index, shift) = self.indexed(add);
            return Ok((
                Memory::Index { base, index, shift },
                place(Base::Unknown, 0),
            ));
        }
        let base = self.reg(value);
        if reach.allows(offset) {
            return Ok((
                Memory::Offset { base, offset },
                place(Base::Reg(base), offset),
            ));
        }
        let far = self.fresh_int();
        self.add_constant(far, base, offset);
        Ok((
            Memory::Offset {
                base: far,
                offset: 0,
            },
            place(Base::Unknown, 0),
        ))
    }

    fn indexed(&mut self, add: ClifInst) -> (VReg, VReg, u8) {
        let (x, y) = (self.arg(add, 0), self.arg(add, 1));
        for (base, index) in [(x, y), (y, x)] {
            if let Some(shift) = self.foldable(index, Opcode::Ishl)
                && let Some(by @ 1..=3) = self.shift_amount(shift)
            {
                let index = self.reg(self.arg(shift, 0));
                return (self.reg(base), index, by);
            }
        }
        (self.reg(x), self.reg(y), 0)
    }

    /// Offset of a STACK_ADDR from the first slot.
    fn slot_offset(&self, inst: ClifInst) -> Option<i32> {
        let InstructionData::StackAddr {
            stack_slot, offset, ..
        } = self.func.dfg.insts[inst]
        else {
            return None;
        };
        let slot = self.slots.get(stack_slot.as_u32() as usize)?;
        i32::try_from(*slot).ok()?.checked_add(offset.into())
    }

    /// Name and offset of a SYMBOL_VALUE.
    fn symbol(&self, inst: ClifInst) -> Lowered<(String, i32)> {
        let InstructionData::UnaryGlobalValue { global_value, .. } = self.func.dfg.insts[inst]
        else {
            return Err(self.fail(inst, "the global value is missing"));
        };
        match &self.func.global_values[global_value] {
            GlobalValueData::Symbol {
                name,
                offset,
                tls: false,
                ..
            } => {
                let addend = i32::try_from(offset.bits())
                    .map_err(|_| self.fail(inst, "the symbol offset exceeds 32 bits"))?;
                Ok((
                    self.external_name(name).map_err(|e| self.fail(inst, e))?,
                    addend,
                ))
            }
            _ => Err(self.fail(inst, "only plain symbols have an address here")),
        }
    }

    pub(super) fn external_name(&self, name: &ExternalName) -> Result<String, String> {
        super::super::external_name(self.func, name, self.symbols)
    }

    pub(super) fn function_name(&self, func: FuncRef) -> Result<String, String> {
        self.external_name(&self.func.dfg.ext_funcs[func].name)
    }

    /// An address that is used as a number.
    pub(super) fn address_value(&mut self, inst: ClifInst, dest: VReg) -> Lowered<()> {
        let (symbol, addend) = match self.func.dfg.insts[inst] {
            InstructionData::StackAddr { .. } => {
                let offset = self
                    .slot_offset(inst)
                    .and_then(|offset| u16::try_from(offset).ok())
                    .ok_or_else(|| self.fail(inst, "the stack offset is out of range"))?;
                let mut b = Bundle::new();
                let rd = b.def_reg(dest);
                let add = Inst::AddWide {
                    sub: false,
                    rd,
                    rn: Reg::SP,
                    imm: offset,
                };
                b.pieces.push(Piece::Frame(add));
                self.emit(b.finish());
                return Ok(());
            }
            InstructionData::FuncAddr { func_ref, .. } => (
                self.function_name(func_ref)
                    .map_err(|e| self.fail(inst, e))?,
                0,
            ),
            _ => self.symbol(inst)?,
        };
        let made = self.make_constant(dest, &Constant::Symbol(symbol, addend));
        self.emit(made);
        Ok(())
    }
}

/// The frame instruction once the distance to the first stack slot is known.
pub(in super::super) fn frame_instruction(inst: Inst, distance: i32) -> Inst {
    use super::super::inst::Addr;
    let at = |addr| match addr {
        Addr::Offset(rn, offset) => Addr::Offset(rn, offset + distance),
        other => other,
    };
    match inst {
        Inst::Load { size, rt, addr } => Inst::Load {
            size,
            rt,
            addr: at(addr),
        },
        Inst::Store { size, rt, addr } => Inst::Store {
            size,
            rt,
            addr: at(addr),
        },
        Inst::VLoad { sd, rn, offset } => Inst::VLoad {
            sd,
            rn,
            offset: offset + distance,
        },
        Inst::VStore { sd, rn, offset } => Inst::VStore {
            sd,
            rn,
            offset: offset + distance,
        },
        Inst::AddWide {
            sub: false,
            rd,
            rn,
            imm: offset,
        } => {
            let sum = u32::from(offset) + distance.unsigned_abs();
            if imm::modified(sum).is_some() {
                Inst::Alu {
                    op: AluOp::Add,
                    s: false,
                    rd,
                    rn,
                    op2: Op2::Imm(sum),
                }
            } else {
                Inst::AddWide {
                    sub: false,
                    rd,
                    rn,
                    imm: u16::try_from(sum).unwrap_or(u16::MAX),
                }
            }
        }
        other => other,
    }
}
