//! Decoded instructions, kept by address.
//!
//! Each halfword of SRAM from which an instruction was executed has a slot. A slot is
//! valid for one IT state, because that decides about flags and conditions; the
//! interpreter compares it with the current state, and a slot that was never filled
//! holds a state that can't occur. One comparison thus covers both.

use super::block::Blocks;
use super::op::Op;

/// An IT state that no program can be in: condition 15.
const EMPTY: u8 = 0xff;

/// One decoded instruction with everything the interpreter needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) op: Op,
    /// ITSTATE for which this was decoded.
    pub(super) it: u8,
    /// Bytes: 2 or 4.
    pub(super) size: u8,
    /// Cycles on its own.
    pub(super) cost: u8,
    pub(super) leaves: u64,
    pub(super) feels: u64,
}

const EMPTY_SLOT: Slot = Slot {
    op: Op::Nop,
    it: EMPTY,
    size: 2,
    cost: 0,
    leaves: 0,
    feels: 0,
};

/// The slots from address 0 up to the highest one used.
#[derive(Clone, Debug, Default)]
pub(super) struct Code {
    slots: Vec<Slot>,
    pub(super) blocks: Blocks,
}

impl Code {
    /// The slot of `pc`, which may be empty or filled for another IT state.
    #[inline(always)]
    pub(super) fn at(&self, pc: u32) -> Option<&Slot> {
        self.slots.get((pc >> 1) as usize)
    }

    pub(super) fn insert(&mut self, pc: u32, slot: Slot) {
        let index = (pc >> 1) as usize;
        if index >= self.slots.len() {
            let length = (index + 1).next_power_of_two().max(1024);
            self.slots.resize(length, EMPTY_SLOT);
        }
        self.slots[index] = slot;
    }

    /// Forgets every instruction that has a byte in `start..end`.
    #[cold]
    pub(super) fn invalidate(&mut self, start: u32, end: u32) {
        // A 32-bit instruction may begin one halfword earlier.
        let first = ((start >> 1).saturating_sub(1) as usize).min(self.slots.len());
        let last = (end.div_ceil(2) as usize).clamp(first, self.slots.len());
        let mut hit = false;
        for slot in &mut self.slots[first..last] {
            hit |= slot.it != EMPTY;
            slot.it = EMPTY;
        }
        // Data between code is written often, code is not: only the latter costs blocks.
        if hit {
            self.blocks.clear();
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.blocks.clear();
    }
}
