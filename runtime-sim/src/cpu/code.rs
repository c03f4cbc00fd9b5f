//! Decoded instructions, kept by address.
//!
//! Each halfword of SRAM from which an instruction was executed has a slot. A slot is
//! valid for one IT state, because that decides about flags and conditions; the
//! interpreter compares it with the current state, and a slot that was never filled
//! holds a state that can't occur. One comparison thus covers both.

use super::block::Blocks;
use super::dbt::Table;
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
    /// It was seen to reach something else than SRAM.
    pub(super) outside: bool,
}

impl Slot {
    pub(super) fn is_empty(&self) -> bool {
        self.it == EMPTY
    }
}

const EMPTY_SLOT: Slot = Slot {
    op: Op::Nop,
    it: EMPTY,
    size: 2,
    cost: 0,
    leaves: 0,
    feels: 0,
    outside: false,
};

/// Calls that are remembered to guess where functions return to.
const MAX_CALLS: usize = 1 << 10;

/// The slots from address 0 up to the highest one used.
#[derive(Clone, Debug, Default)]
pub(super) struct Code {
    slots: Vec<Slot>,
    pub(super) blocks: Blocks,
    pub(super) dbt: Table,
    /// Halfwords that translations rely on, beside the slots.
    covered: Vec<(u32, u32)>,
    /// Targets of calls and the addresses behind the calls.
    calls: Vec<(u32, u32)>,
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
        if let Op::Bl { offset } = slot.op {
            let target = pc.wrapping_add(4).wrapping_add_signed(offset);
            self.note_call(target, pc.wrapping_add(slot.size.into()));
        }
    }

    /// The instruction at `pc` reached something else than SRAM.
    #[cold]
    pub(super) fn note_outside(&mut self, pc: u32) {
        if let Some(slot) = self.slots.get_mut((pc >> 1) as usize) {
            slot.outside = true;
        }
    }

    /// True if the instruction at `pc` loads or stores.
    pub(super) fn accesses(&self, pc: u32) -> bool {
        self.at(pc).is_some_and(|slot| {
            matches!(
                slot.op,
                Op::Load { .. }
                    | Op::LoadReg { .. }
                    | Op::LoadLit { .. }
                    | Op::Store { .. }
                    | Op::StoreReg { .. }
                    | Op::LoadDual { .. }
                    | Op::StoreDual { .. }
            )
        })
    }

    /// There is a call of `target` just before `behind`.
    pub(super) fn note_call(&mut self, target: u32, behind: u32) {
        let call = (target, behind);
        if self.calls.len() < MAX_CALLS
            && let Err(at) = self.calls.binary_search(&call)
        {
            self.calls.insert(at, call);
        }
    }

    /// Where the function around `pc` probably returns to.
    pub(super) fn return_sites(&self, pc: u32) -> impl Iterator<Item = u32> + use<> {
        let behind = self.calls.partition_point(|(target, _)| *target <= pc);
        let function = self.calls[..behind].last().map(|(target, _)| *target);
        let from = self.calls.partition_point(|(t, _)| Some(*t) < function);
        let sites: Vec<u32> = self.calls[from..behind].iter().map(|c| c.1).collect();
        sites.into_iter()
    }

    /// Translations rely on `len` bytes at `at`.
    pub(super) fn cover(&mut self, at: u32, len: u32) {
        self.covered.push((at, at + len));
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
        hit |= self.covered.iter().any(|&(a, b)| a < end && start < b);
        if hit {
            self.blocks.clear();
            self.dbt.clear();
            self.covered.clear();
        }
    }
}
