//! The core's registers inside a region.
//!
//! They are variables of the function. A register that was written is stored in the core
//! before the next instruction that may leave the region and at the end of its node; one
//! that is written twice in between, once.

use super::super::core::Core;
use super::super::op::{Reg, SReg};
use super::emit::{Emitter, field};
use super::flags::Flags;
use super::plan::Node;
use cranelift_codegen::ir::types::{F32, I8, I32};
use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_frontend::{FunctionBuilder, Variable};
use std::mem::offset_of;

/// A set of registers: bits 0 to 15 those of the core, 32 to 63 those of the FPU.
pub(super) type Set = u64;

fn core_bit(r: Reg) -> Set {
    1 << (r & 15)
}

fn float_bit(s: SReg) -> Set {
    1 << (32 + (s & 31))
}

/// What a node does with registers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Uses {
    /// Read before they are written.
    read: Set,
    written: Set,
}

impl Uses {
    pub(super) fn touched(&self) -> Set {
        self.read | self.written
    }
}

/// Registers and flags as far as they are known while a node is emitted.
pub(super) struct State {
    regs: Vec<Variable>,
    fregs: Vec<Variable>,
    /// Written, and not yet stored.
    fresh: Set,
    /// Only the core has them: their variables are older.
    stale: Set,
    uses: Uses,
    pub(super) flags: Flags,
}

impl State {
    pub(super) fn new(b: &mut FunctionBuilder<'_>) -> Self {
        Self {
            regs: (0..16).map(|_| b.declare_var(I32)).collect(),
            fregs: (0..32).map(|_| b.declare_var(F32)).collect(),
            fresh: 0,
            stale: 0,
            uses: Uses::default(),
            flags: Flags::new(b),
        }
    }

    pub(super) fn begin_node(&mut self, stale: Set) {
        self.fresh = 0;
        self.stale = stale;
        self.uses = Uses::default();
        self.flags.begin_node();
    }

    pub(super) fn uses(&self) -> Uses {
        self.uses
    }

    pub(super) fn stale(&self) -> Set {
        self.stale
    }

    /// What must still be stored, and what must still be loaded.
    pub(super) fn unwritten(&self) -> (Set, Set, [bool; 3]) {
        (self.fresh, self.stale, self.flags.unwritten())
    }

    pub(super) fn set_unwritten(&mut self, (fresh, stale, flags): (Set, Set, [bool; 3])) {
        (self.fresh, self.stale) = (fresh, stale);
        self.flags.set_unwritten(flags);
    }

    /// Registers, stored before, were changed in the core.
    pub(super) fn change_in_core(&mut self, set: Set) {
        self.stale |= set;
        self.uses.written |= set;
    }

    fn read(&mut self, bit: Set) {
        self.uses.read |= bit & !self.uses.written;
    }

    fn write(&mut self, bit: Set) {
        self.uses.written |= bit;
        self.fresh |= bit;
        self.stale &= !bit;
    }
}

/// The registers that are read from each node on before they are written.
pub(super) fn live(nodes: &[Node], uses: &[Uses]) -> Vec<Set> {
    let mut live: Vec<Set> = uses.iter().map(|u| u.read).collect();
    let successors: Vec<_> = nodes.iter().map(Node::successors).collect();
    let mut settled = false;
    while !settled {
        settled = true;
        for (n, next) in successors.iter().enumerate().rev() {
            let behind = next.iter().fold(0, |all, &s| all | live[s]);
            let before = uses[n].read | (behind & !uses[n].written);
            settled &= before == live[n];
            live[n] = before;
        }
    }
    live
}

impl Emitter<'_> {
    pub(super) fn get(&mut self, r: Reg) -> Value {
        let r = r & 15;
        self.state.read(core_bit(r));
        let variable = self.state.regs[usize::from(r)];
        if self.state.stale & core_bit(r) != 0 {
            let value = self.load_core(I32, field!(regs) + 4 * i32::from(r));
            self.b.def_var(variable, value);
            self.state.stale &= !core_bit(r);
        }
        self.b.use_var(variable)
    }

    pub(super) fn set(&mut self, r: Reg, value: Value) {
        self.state.write(core_bit(r));
        self.b.def_var(self.state.regs[usize::from(r & 15)], value);
    }

    /// As [`Emitter::set`], for a register that may be SP.
    pub(super) fn set_any(&mut self, r: Reg, value: Value) {
        let value = if r == 13 {
            let mask = self.word(!3);
            self.b.ins().band(value, mask)
        } else {
            value
        };
        self.set(r, value);
    }

    pub(super) fn get_s(&mut self, s: SReg) -> Value {
        self.state.read(float_bit(s));
        self.b.use_var(self.state.fregs[usize::from(s & 31)])
    }

    pub(super) fn set_s(&mut self, s: SReg, value: Value) {
        self.state.write(float_bit(s));
        self.b.def_var(self.state.fregs[usize::from(s & 31)], value);
    }

    pub(super) fn get_ge(&mut self) -> Value {
        self.load_core(I8, field!(flags.ge))
    }

    /// Nothing of the instruction may leave the region behind this.
    pub(super) fn set_ge(&mut self, value: Value) {
        self.store_core(value, field!(flags.ge));
    }

    /// Sets Q if `saturated` (0 or 1) is. Nothing of the instruction may leave the region
    /// behind this.
    pub(super) fn or_q(&mut self, saturated: Value) {
        let q = self.load_core(I8, field!(flags.q));
        let q = self.b.ins().bor(q, saturated);
        self.store_core(q, field!(flags.q));
    }

    /// Stores what was written, so that the region may be left.
    pub(super) fn flush(&mut self) {
        self.flush_registers(Set::MAX);
        self.flush_flags();
    }

    /// Stores those of `set` that were written.
    pub(super) fn flush_registers(&mut self, set: Set) {
        let fresh = self.state.fresh & set;
        self.state.fresh &= !set;
        for r in (0..16).filter(|r| fresh >> r & 1 != 0) {
            let value = self.b.use_var(self.state.regs[r as usize]);
            self.store_core(value, field!(regs) + 4 * r);
        }
        for s in (0..32).filter(|s| fresh >> (32 + s) & 1 != 0) {
            let value = self.b.use_var(self.state.fregs[s as usize]);
            self.store_core(value, field!(fregs) + 4 * s);
        }
    }

    /// Loads registers, and the condition flags if they are variables there.
    pub(super) fn load_state(&mut self, set: Set, flags: bool) {
        for r in (0..16).filter(|r| set >> r & 1 != 0) {
            let value = self.load_core(I32, field!(regs) + 4 * r);
            self.b.def_var(self.state.regs[r as usize], value);
        }
        for s in (0..32).filter(|s| set >> (32 + s) & 1 != 0) {
            let value = self.load_core(F32, field!(fregs) + 4 * s);
            self.b.def_var(self.state.fregs[s as usize], value);
        }
        if flags {
            self.load_flags();
        }
    }
}
