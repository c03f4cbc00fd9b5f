//! Virtual code: what lowering makes and regalloc2 reads.
//!
//! A [`VInst`] is a bundle: a few instruction templates that share one operand
//! list. Register slot `i` in a template means operand `i`. The allocator puts
//! moves between bundles only, so flags set inside one survive to its end.

use super::asm::SymbolRef;
use super::inst::Inst;
use super::reg::{Cond, Reg, SReg};
use regalloc2::{Operand, PReg, PRegSet, RegClass, VReg};

pub(super) fn int_reg(reg: Reg) -> PReg {
    PReg::new(usize::from(reg.number().unwrap_or(0)), RegClass::Int)
}

pub(super) fn float_reg(reg: SReg) -> PReg {
    PReg::new(usize::from(reg.number().unwrap_or(0)), RegClass::Float)
}

/// One element of a bundle.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Piece {
    Inst {
        inst: Inst,
        cond: Option<Cond>,
        reloc: Option<SymbolRef>,
    },
    /// An instruction whose immediate counts from the first stack slot.
    Frame(Inst),
    /// Branches to a trap stub.
    TrapIf {
        cond: Cond,
        code: u8,
    },
    /// A place in the bundle that its own branches go to.
    Label(u8),
    Branch {
        cond: Cond,
        label: u8,
    },
}

/// What a memory access may touch, for ordering.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Access {
    None,
    Load(Place),
    Store(Place),
    /// Ordered with everything, pure instructions excepted.
    Barrier,
}

/// The bytes of an access. Two places are disjoint only when they count from the
/// same base and don't overlap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) base: Base,
    pub(super) offset: i32,
    pub(super) size: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Base {
    Reg(VReg),
    /// Offset from the first stack slot.
    Frame,
    /// A constant address; it may be a device, so such accesses keep their order.
    Absolute,
    Unknown,
}

impl Place {
    pub(super) fn disjoint(self, other: Place) -> bool {
        let same = match (self.base, other.base) {
            (Base::Reg(a), Base::Reg(b)) => a == b,
            (Base::Frame, Base::Frame) => true,
            _ => false,
        };
        same && (self.offset + self.size as i32 <= other.offset
            || other.offset + other.size as i32 <= self.offset)
    }
}

/// What a bundle is, beside its instructions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Plain,
    /// Defines the parameters; first of the entry block.
    Args,
    Return,
    Trap(u8),
    /// To successor 0.
    Jump,
    /// To successor 0 when any condition holds, else to successor 1.
    Branch(Vec<Cond>),
    /// To successor 0 when operand 0 is (not) zero, else to successor 1.
    BranchZero {
        nonzero: bool,
    },
    /// Successor 0 is the default (the bundle branches to it on `HS`), the others
    /// are the table; operand 0 is the index.
    Table,
}

impl Role {
    pub(super) fn is_terminator(&self) -> bool {
        !matches!(self, Role::Plain | Role::Args)
    }
}

#[derive(Clone, Debug)]
pub(super) struct VInst {
    pub(super) pieces: Vec<Piece>,
    pub(super) operands: Vec<Operand>,
    pub(super) clobbers: PRegSet,
    pub(super) role: Role,
    pub(super) access: Access,
}

impl VInst {
    /// The instruction of a bundle that is just one, without predicate or symbol.
    pub(super) fn single(&self) -> Option<&Inst> {
        match self.pieces.as_slice() {
            [
                Piece::Inst {
                    inst,
                    cond: None,
                    reloc: None,
                },
            ] => Some(inst),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Succ {
    pub(super) block: usize,
    pub(super) args: Vec<VReg>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct VBlock {
    pub(super) params: Vec<VReg>,
    pub(super) insts: Vec<VInst>,
    pub(super) succs: Vec<Succ>,
    pub(super) cold: bool,
    /// Number of the innermost loop, if any.
    pub(super) in_loop: Option<u32>,
}

#[derive(Clone, Debug)]
pub(super) struct VCode {
    pub(super) name: String,
    /// In reverse postorder, which the allocator and its checker want; the entry
    /// block is the first.
    pub(super) blocks: Vec<VBlock>,
    /// The order in memory: as the builder laid the blocks out, cold ones last.
    pub(super) layout: Vec<usize>,
    pub(super) num_vregs: usize,
    /// Bytes of all stack slots.
    pub(super) slot_bytes: u32,
    pub(super) calls: bool,
    /// The caller expects every register to survive, results excepted.
    pub(super) preserve_all: bool,
    /// Registers that carry results.
    pub(super) results: PRegSet,
}

/// A bundle under construction.
#[derive(Debug, Default)]
pub(super) struct Bundle {
    pub(super) pieces: Vec<Piece>,
    pub(super) operands: Vec<Operand>,
}

impl Bundle {
    pub(super) fn new() -> Bundle {
        Bundle::default()
    }

    fn slot(&mut self, operand: Operand) -> u8 {
        self.operands.push(operand);
        (self.operands.len() - 1) as u8
    }

    pub(super) fn push(&mut self, inst: Inst) -> &mut Self {
        self.pieces.push(Piece::Inst {
            inst,
            cond: None,
            reloc: None,
        });
        self
    }

    pub(super) fn push_if(&mut self, cond: Cond, inst: Inst) -> &mut Self {
        self.pieces.push(Piece::Inst {
            inst,
            cond: Some(cond),
            reloc: None,
        });
        self
    }

    pub(super) fn push_reloc(&mut self, inst: Inst, reloc: SymbolRef) -> &mut Self {
        self.pieces.push(Piece::Inst {
            inst,
            cond: None,
            reloc: Some(reloc),
        });
        self
    }

    pub(super) fn use_reg(&mut self, vreg: VReg) -> Reg {
        Reg::slot(self.slot(Operand::reg_use(vreg)))
    }

    /// A register that is still read after some result was written.
    pub(super) fn use_late(&mut self, vreg: VReg) -> Reg {
        Reg::slot(self.slot(Operand::reg_use_at_end(vreg)))
    }

    pub(super) fn def_reg(&mut self, vreg: VReg) -> Reg {
        Reg::slot(self.slot(Operand::reg_def(vreg)))
    }

    /// A result that is written before all inputs are read.
    pub(super) fn def_early(&mut self, vreg: VReg) -> Reg {
        Reg::slot(self.slot(Operand::reg_def_at_start(vreg)))
    }

    pub(super) fn temp_reg(&mut self, vreg: VReg) -> Reg {
        Reg::slot(self.slot(Operand::reg_temp(vreg)))
    }

    /// A result in the register of the earlier operand `input`.
    pub(super) fn def_reuse(&mut self, vreg: VReg, input: Reg) -> Reg {
        let index = usize::from(input.slot_index().unwrap_or(0));
        Reg::slot(self.slot(Operand::reg_reuse_def(vreg, index)))
    }

    pub(super) fn use_float(&mut self, vreg: VReg) -> SReg {
        SReg::slot(self.slot(Operand::reg_use(vreg)))
    }

    pub(super) fn def_float(&mut self, vreg: VReg) -> SReg {
        SReg::slot(self.slot(Operand::reg_def(vreg)))
    }

    pub(super) fn def_float_early(&mut self, vreg: VReg) -> SReg {
        SReg::slot(self.slot(Operand::reg_def_at_start(vreg)))
    }

    pub(super) fn def_float_reuse(&mut self, vreg: VReg, input: SReg) -> SReg {
        let index = usize::from(input.slot_index().unwrap_or(0));
        SReg::slot(self.slot(Operand::reg_reuse_def(vreg, index)))
    }

    pub(super) fn finish(self) -> VInst {
        VInst {
            pieces: self.pieces,
            operands: self.operands,
            clobbers: PRegSet::empty(),
            role: Role::Plain,
            access: Access::None,
        }
    }

    pub(super) fn finish_as(self, role: Role) -> VInst {
        VInst {
            role,
            ..self.finish()
        }
    }

    pub(super) fn finish_access(self, access: Access) -> VInst {
        VInst {
            access,
            ..self.finish()
        }
    }
}
