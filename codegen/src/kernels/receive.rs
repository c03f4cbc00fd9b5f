//! Receive: drains the ring up to the latched write pointer, decodes each key
//! by constants, and adds the rows that it names.
//!
//! A packet with a count adds its rows so many times; a value is put into its
//! place in the row of the tick it was sent in, where `values` finds it.

use super::builder::{Addressing, Kernel, KernelBuilder, build};
use super::rows::{RowBlock, RowKernel};
use super::slots::Slots;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, Value};
use ir::memory::{GROUP, control, padded};
use std::collections::BTreeMap;

/// Rows that one key range walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayedRows {
    pub block: RowBlock,
    /// Ticks from sending to acting, at least 1.
    pub delay: u32,
}

/// What is done with a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carries {
    Spikes(Vec<DelayedRows>),
    /// The payload is a number from 1 to `max`.
    Counts {
        max: u32,
        blocks: Vec<DelayedRows>,
    },
    /// The payload is a float32; rows by the tick of sending.
    Values(Slots),
}

/// The keys of one source vertex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    pub key: u32,
    pub atoms: u32,
    pub carries: Carries,
}

/// `receive(tick)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receive {
    pub control: u32,
    /// First and one-past-last address of the ring.
    pub ring: (u32, u32),
    /// Whether entries are a payload word and a key word.
    pub payload: bool,
    /// Registers that hold the hardware's write pointer and our read pointer.
    pub write_pointer: u32,
    pub read_pointer: u32,
    /// Needed by ranges with rows.
    pub accumulators: Option<Slots>,
    /// Ascending by key, not overlapping.
    pub ranges: Vec<KeyRange>,
}

impl KeyRange {
    fn blocks(&self) -> &[DelayedRows] {
        match &self.carries {
            Carries::Spikes(blocks) | Carries::Counts { blocks, .. } => blocks,
            Carries::Values(_) => &[],
        }
    }
}

/// Addresses that hold for the whole drain.
struct Places {
    /// Accumulators for each delay in use.
    sinks: BTreeMap<u32, Value>,
    /// Row of values for each range that carries them, by first key.
    values: BTreeMap<u32, Value>,
}

impl Receive {
    pub const SYMBOL: &'static str = "receive";

    /// Row kernels that the guest form calls.
    pub fn row_kernels(&self) -> Vec<RowKernel> {
        let blocks = self.ranges.iter().flat_map(KeyRange::blocks);
        blocks.map(|b| b.block.kernel()).collect()
    }

    pub fn kernel(&self, addressing: Addressing) -> Kernel {
        build(Self::SYMBOL, 1, addressing, |kb, args| {
            self.emit(kb, args[0])
        })
    }

    fn emit(&self, kb: &mut KernelBuilder<'_>, tick: Value) {
        // Before all else: what arrives from now on belongs to the next tick.
        let end = kb.load_at(self.write_pointer);
        let places = self.places(kb, tick);
        let first = kb.load_at(self.control + control::RING_READ);
        let top = kb.block_like(&[first]);
        let done = kb.block();
        let pending = kb.compare(IntCC::NotEqual, first, end);
        kb.branch(pending, (top, &[first]), (done, &[]));

        kb.enter(top);
        let at = kb.params(top)[0];
        let payload = self.payload.then(|| kb.load_word(at, 0));
        let key = kb.load_word(at, if self.payload { 4 } else { 0 });
        let next = self.after(kb, at);
        let joined = kb.block();
        self.decode(kb, (key, payload), &self.ranges, &places, joined);
        kb.enter(joined);
        let more = kb.compare(IntCC::NotEqual, next, end);
        kb.branch(more, (top, &[next]), (done, &[]));

        kb.enter(done);
        kb.store_at(end, self.control + control::RING_READ);
        kb.store_at(end, self.read_pointer);
    }

    /// The entry after `at`, around the ring's end.
    fn after(&self, kb: &mut KernelBuilder<'_>, at: Value) -> Value {
        let next = kb.add_const(at, if self.payload { 8 } else { 4 });
        let limit = kb.int(self.ring.1);
        let wraps = kb.compare(IntCC::Equal, next, limit);
        let start = kb.int(self.ring.0);
        kb.select(wraps, start, next)
    }

    /// A packet drained in tick `t` was sent in `t - 1`, so it acts in tick
    /// `t - 1 + delay`. The rows of values of tick `t - 1` are cleared.
    fn places(&self, kb: &mut KernelBuilder<'_>, tick: Value) -> Places {
        let mut places = Places {
            sinks: BTreeMap::new(),
            values: BTreeMap::new(),
        };
        if let Some(slots) = self.accumulators {
            let blocks = self.ranges.iter().flat_map(KeyRange::blocks);
            let delays: std::collections::BTreeSet<u32> = blocks.map(|b| b.delay).collect();
            for delay in delays {
                places.sinks.insert(delay, slots.row(kb, tick, delay - 1));
            }
        }
        for range in &self.ranges {
            if let Carries::Values(slots) = range.carries {
                let row = slots.row(kb, tick, u32::MAX);
                clear(kb, row, range.atoms);
                places.values.insert(range.key, row);
            }
        }
        places
    }

    /// Binary decisions on the ranges' first keys. A key that no range holds
    /// can only be a routing error: it stops the program.
    fn decode(
        &self,
        kb: &mut KernelBuilder<'_>,
        packet: (Value, Option<Value>),
        ranges: &[KeyRange],
        places: &Places,
        joined: Block,
    ) {
        let (key, payload) = packet;
        match ranges {
            [] => kb.trap(),
            [range] => {
                let base = kb.int(range.key);
                let index = kb.sub(key, base);
                let atoms = kb.int(range.atoms);
                let ours = kb.compare(IntCC::UnsignedLessThan, index, atoms);
                expect(kb, ours);
                take(kb, range, (index, payload), places, joined);
            }
            _ => {
                let (low, high) = ranges.split_at(ranges.len() / 2);
                let pivot = kb.int(high[0].key);
                let below = kb.compare(IntCC::UnsignedLessThan, key, pivot);
                let (yes, no) = (kb.block(), kb.block());
                kb.branch(below, (yes, &[]), (no, &[]));
                kb.enter(yes);
                self.decode(kb, packet, low, places, joined);
                kb.enter(no);
                self.decode(kb, packet, high, places, joined);
            }
        }
    }
}

/// Stops the program unless the condition holds.
fn expect(kb: &mut KernelBuilder<'_>, condition: Value) {
    let (good, bad) = (kb.block(), kb.cold_block());
    kb.branch(condition, (good, &[]), (bad, &[]));
    kb.enter(bad);
    kb.trap();
    kb.enter(good);
}

/// Does what a packet of the range says, then jumps to `joined`.
fn take(
    kb: &mut KernelBuilder<'_>,
    range: &KeyRange,
    (index, payload): (Value, Option<Value>),
    places: &Places,
    joined: Block,
) {
    let add = |kb: &mut KernelBuilder<'_>, blocks: &[DelayedRows]| {
        for rows in blocks {
            rows.block.add(kb, index, places.sinks[&rows.delay], None);
        }
    };
    match (&range.carries, payload) {
        (Carries::Spikes(blocks), _) => {
            add(kb, blocks);
            kb.jump(joined, &[]);
        }
        (Carries::Counts { max, blocks }, Some(count)) => {
            let one = kb.int(1);
            let more = kb.sub(count, one);
            let max = kb.int(*max);
            let allowed = kb.compare(IntCC::UnsignedLessThan, more, max);
            expect(kb, allowed);
            let top = kb.block_like(&[count]);
            kb.jump(top, &[count]);
            kb.enter(top);
            let left = kb.params(top)[0];
            add(kb, blocks);
            let left = kb.sub(left, one);
            let zero = kb.int(0);
            let again = kb.compare(IntCC::NotEqual, left, zero);
            kb.branch(again, (top, &[left]), (joined, &[]));
        }
        (Carries::Values(_), Some(value)) => {
            let offset = kb.shl_const(index, 2);
            let place = kb.add(places.values[&range.key], offset);
            kb.store(value, place, 0);
            kb.jump(joined, &[]);
        }
        // A ring without payloads can't carry them: the program was put
        // together wrongly.
        (Carries::Counts { .. } | Carries::Values(_), None) => kb.trap(),
    }
}

/// Zeros a row of values, which is padded to whole groups.
fn clear(kb: &mut KernelBuilder<'_>, row: Value, atoms: u32) {
    kb.repeat(padded(atoms) / GROUP, &[row], |kb, at| {
        let zero = kb.int(0);
        for k in 0..GROUP as i32 {
            kb.store(zero, at[0], 4 * k);
        }
        vec![kb.add_const(at[0], 4 * GROUP)]
    });
}
