//! Pointers that move through a slice together: one for all arrays that a load reaches
//! from the lowest of them, one for the sums.

use super::super::super::builder::KernelBuilder;
use super::super::Operand;
use cranelift_codegen::ir::Value;
use ir::memory::GROUP;
use std::collections::BTreeSet;

/// Farthest that a word of a group may lie behind its pointer: LDR takes 12 bits.
const REACH: u32 = 4095 - 4 * GROUP;

/// The arrays of an update, words by atom, and its sums.
#[derive(Clone, Debug)]
pub(super) struct Pointers {
    arrays: Vec<u32>,
    /// Lowest addresses of windows, ascending; the state of a loop holds one pointer for
    /// each, then that of the sums.
    windows: Vec<u32>,
    sum_bytes: u32,
}

/// A parameter: a constant, or an array.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Const(u32),
    Array(usize),
}

impl Pointers {
    pub(super) fn new(sum_bytes: u32) -> Self {
        Self {
            arrays: Vec::new(),
            windows: Vec::new(),
            sum_bytes,
        }
    }
    pub(super) fn array(&mut self, addr: u32) -> usize {
        self.arrays.push(addr);
        self.windows.clear();
        let sorted: BTreeSet<u32> = self.arrays.iter().copied().collect();
        for addr in sorted {
            let near = |&low: &u32| addr - low <= REACH;
            if !self.windows.last().is_some_and(near) {
                self.windows.push(addr);
            }
        }
        self.arrays.len() - 1
    }
    pub(super) fn operand(&mut self, op: Operand<i32>) -> Source {
        match op {
            Operand::Const(word) => Source::Const(word.cast_unsigned()),
            Operand::Array(addr) => Source::Array(self.array(addr)),
        }
    }
    pub(super) fn float(&mut self, op: Operand) -> Source {
        match op {
            Operand::Const(value) => Source::Const(value.to_bits()),
            Operand::Array(addr) => Source::Array(self.array(addr)),
        }
    }

    pub(super) fn start(&self, kb: &mut KernelBuilder<'_>, sums: Value) -> Vec<Value> {
        let mut all: Vec<Value> = self.windows.iter().map(|&low| kb.int(low)).collect();
        all.push(sums);
        all
    }
    /// The state after `n` atoms.
    pub(super) fn advance(
        &self,
        kb: &mut KernelBuilder<'_>,
        state: &[Value],
        n: u32,
    ) -> Vec<Value> {
        let steps = self.windows.iter().map(|_| 4).chain([self.sum_bytes]);
        let all = steps.zip(state);
        all.map(|(step, &p)| kb.add_const(p, n * step)).collect()
    }
    /// The state in which the sums have moved by `bytes` from `first`.
    pub(super) fn moved(
        &self,
        kb: &mut KernelBuilder<'_>,
        first: Value,
        bytes: Value,
    ) -> Vec<Value> {
        let up = (4 / self.sum_bytes).ilog2();
        let words = kb.shl_const(bytes, up);
        let windows = self.windows.iter();
        let mut all: Vec<Value> = windows.map(|&low| kb.add_const(words, low)).collect();
        all.push(kb.add(first, bytes));
        all
    }
    /// The pointer to an array, and the offset of an atom's word from it.
    pub(super) fn place(&self, state: &[Value], array: usize, lane: u32) -> (Value, i32) {
        let addr = self.arrays[array];
        let window = self.windows.partition_point(|&low| low <= addr) - 1;
        let offset = addr - self.windows[window] + 4 * lane;
        (state[window], offset as i32)
    }
    pub(super) fn sums(&self, state: &[Value]) -> Value {
        state[self.windows.len()]
    }
    /// A number that grows by one with each atom, from `first` on.
    pub(super) fn numbered(
        &self,
        kb: &mut KernelBuilder<'_>,
        state: &[Value],
        first: u32,
    ) -> Value {
        let low = self.windows[0] / 4;
        let words = kb.shr_const(state[0], 2);
        kb.add_const(words, first.wrapping_sub(low))
    }
}
