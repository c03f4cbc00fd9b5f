//! Receive: drains the ring up to the latched write pointer, decodes each key
//! by constants, and adds the rows that it names.

use super::builder::{Addressing, Kernel, KernelBuilder, build};
use super::dense::DenseRow;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, Value};
use ir::memory::control;
use std::collections::BTreeMap;

/// Rows that one key range walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowBlock {
    /// Address of the first source atom's row.
    pub rows: u32,
    pub kernel: DenseRow,
    /// Ticks from sending to acting, at least 1.
    pub delay: u32,
}

/// The keys of one source vertex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    pub key: u32,
    pub atoms: u32,
    pub blocks: Vec<RowBlock>,
}

/// `receive(tick)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receive {
    pub control: u32,
    /// First and one-past-last address of the ring.
    pub ring: (u32, u32),
    /// Registers that hold the hardware's write pointer and our read pointer.
    pub write_pointer: u32,
    pub read_pointer: u32,
    pub accumulators: u32,
    /// A power of two.
    pub slots: u32,
    /// Bytes of one slot.
    pub slot_bytes: u32,
    /// Ascending by key, not overlapping.
    pub ranges: Vec<KeyRange>,
}

impl Receive {
    pub const SYMBOL: &'static str = "receive";

    /// Row kernels that the guest form calls.
    pub fn row_kernels(&self) -> Vec<DenseRow> {
        let mut all: Vec<DenseRow> = self
            .ranges
            .iter()
            .flat_map(|r| r.blocks.iter().map(|b| b.kernel))
            .collect();
        all.sort();
        all.dedup();
        all
    }

    pub fn kernel(&self, addressing: Addressing) -> Kernel {
        build(Self::SYMBOL, 1, addressing, |kb, args| {
            self.emit(kb, args[0])
        })
    }

    fn emit(&self, kb: &mut KernelBuilder<'_>, tick: Value) {
        let slots = self.slot_addresses(kb, tick);
        let end = kb.load_at(self.write_pointer);
        let first = kb.load_at(self.control + control::RING_READ);
        let top = kb.block_like(&[first]);
        let done = kb.block();
        let pending = kb.compare(IntCC::NotEqual, first, end);
        kb.branch(pending, (top, &[first]), (done, &[]));

        kb.enter(top);
        let at = kb.params(top)[0];
        let key = kb.load_word(at, 0);
        let next = self.after(kb, at);
        let joined = kb.block();
        self.decode(kb, key, &self.ranges, &slots, joined);
        kb.enter(joined);
        let more = kb.compare(IntCC::NotEqual, next, end);
        kb.branch(more, (top, &[next]), (done, &[]));

        kb.enter(done);
        kb.store_at(end, self.control + control::RING_READ);
        kb.store_at(end, self.read_pointer);
    }

    /// The entry after `at`, around the ring's end.
    fn after(&self, kb: &mut KernelBuilder<'_>, at: Value) -> Value {
        let next = kb.add_const(at, 4);
        let limit = kb.int(self.ring.1);
        let wraps = kb.compare(IntCC::Equal, next, limit);
        let start = kb.int(self.ring.0);
        kb.select(wraps, start, next)
    }

    /// Address of the accumulator slot for each delay in use. A spike drained
    /// in tick `t` was sent in `t - 1`, so it acts in tick `t - 1 + delay`.
    fn slot_addresses(&self, kb: &mut KernelBuilder<'_>, tick: Value) -> BTreeMap<u32, Value> {
        let delays: std::collections::BTreeSet<u32> = self
            .ranges
            .iter()
            .flat_map(|r| r.blocks.iter().map(|b| b.delay))
            .collect();
        delays
            .into_iter()
            .map(|delay| {
                if self.slots == 1 {
                    return (delay, kb.int(self.accumulators));
                }
                let due = kb.add_const(tick, delay - 1);
                (
                    delay,
                    slot_address(kb, due, self.accumulators, self.slots, self.slot_bytes),
                )
            })
            .collect()
    }

    /// Binary decisions on the ranges' first keys. A key that no range holds
    /// can only be a routing error: it stops the program.
    fn decode(
        &self,
        kb: &mut KernelBuilder<'_>,
        key: Value,
        ranges: &[KeyRange],
        slots: &BTreeMap<u32, Value>,
        joined: Block,
    ) {
        match ranges {
            [] => kb.trap(),
            [range] => {
                let base = kb.int(range.key);
                let index = kb.sub(key, base);
                let atoms = kb.int(range.atoms);
                let ours = kb.compare(IntCC::UnsignedLessThan, index, atoms);
                let walk = kb.block();
                let stray = kb.cold_block();
                kb.branch(ours, (walk, &[]), (stray, &[]));
                kb.enter(stray);
                kb.trap();
                kb.enter(walk);
                for block in &range.blocks {
                    let stride = kb.int(block.kernel.stride());
                    let offset = kb.mul(index, stride);
                    let row = kb.add_const(offset, block.rows);
                    add_row(kb, block.kernel, row, slots[&block.delay]);
                }
                kb.jump(joined, &[]);
            }
            _ => {
                let (low, high) = ranges.split_at(ranges.len() / 2);
                let pivot = kb.int(high[0].key);
                let below = kb.compare(IntCC::UnsignedLessThan, key, pivot);
                let (yes, no) = (kb.block(), kb.block());
                kb.branch(below, (yes, &[]), (no, &[]));
                kb.enter(yes);
                self.decode(kb, key, low, slots, joined);
                kb.enter(no);
                self.decode(kb, key, high, slots, joined);
            }
        }
    }
}

/// Calls the row kernel; the host form has no calls and inlines it.
fn add_row(kb: &mut KernelBuilder<'_>, kernel: DenseRow, row: Value, acc: Value) {
    match kb.addressing() {
        Addressing::Guest => kb.call(&kernel.symbol(), &[row, acc]),
        Addressing::Host => kernel.emit(kb, row, acc),
    }
}

/// Address of the accumulator slot that is due in `tick`.
pub(crate) fn slot_address(
    kb: &mut KernelBuilder<'_>,
    tick: Value,
    accumulators: u32,
    slots: u32,
    slot_bytes: u32,
) -> Value {
    if slots == 1 {
        return kb.int(accumulators);
    }
    let slot = kb.and_const(tick, slots - 1);
    let bytes = kb.int(slot_bytes);
    let offset = kb.mul(slot, bytes);
    kb.add_const(offset, accumulators)
}
