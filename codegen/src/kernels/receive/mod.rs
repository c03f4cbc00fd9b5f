//! Receive: drains the ring up to the latched write pointer, decodes each key
//! by constants, and adds the rows that it names.
//!
//! Rows of dense int8 projections are listed and added together, when the ring is
//! empty or a list might be full; what other projections bring is added at once.
//! What the MAC array multiplies is counted, and multiplied once all packets are taken.
//! A packet with a count adds its rows so many times; a value is put into its
//! place in the row of the tick it was sent in, where `values` finds it.

mod decode;
mod drain;
mod listing;
mod tails;

use super::builder::{Addressing, Kernel, KernelBuilder, build};
use super::mac::Product;
use super::rows::{RowBlock, RowKernel};
use super::slots::Slots;
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;
use ir::memory::{GROUP, control, padded};
use listing::Listing;
use std::collections::BTreeMap;

/// Rows that one key range walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayedRows {
    pub block: RowBlock,
    /// Ticks from sending to acting, at least 1.
    pub delay: u32,
}

/// A product of what was counted in a tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayedProduct {
    pub product: Product,
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

/// Memory for lists of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowLists {
    pub address: u32,
    pub count: u32,
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
    /// A list for each delay of dense int8 rows; those beyond its count are added
    /// one by one.
    pub lists: Option<RowLists>,
    /// One after the other on the MAC array, if anything arrived; guest form only.
    pub products: Vec<DelayedProduct>,
    /// Ascending by key, not overlapping.
    pub ranges: Vec<KeyRange>,
}

impl KeyRange {
    /// One range for this one and `next`, if the keys of `next` follow and so do the
    /// rows that they name.
    fn joined(&self, next: &KeyRange) -> Option<KeyRange> {
        let (Carries::Spikes(ours), Carries::Spikes(theirs)) = (&self.carries, &next.carries)
        else {
            return None;
        };
        let follows = |(a, b): (&DelayedRows, &DelayedRows)| {
            a.delay == b.delay && a.block.is_followed_by(&b.block, self.atoms)
        };
        let all = ours.len() == theirs.len() && ours.iter().zip(theirs).all(follows);
        (all && next.key == self.key + self.atoms).then(|| KeyRange {
            atoms: self.atoms + next.atoms,
            ..self.clone()
        })
    }
    /// Joins neighbours where one decoding serves both.
    pub fn join(ranges: Vec<KeyRange>) -> Vec<KeyRange> {
        let mut all: Vec<KeyRange> = Vec::new();
        for range in ranges {
            match all.last().and_then(|last| last.joined(&range)) {
                Some(joined) => {
                    all.pop();
                    all.push(joined);
                }
                None => all.push(range),
            }
        }
        all
    }
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
        let listing = Listing::of(self);
        let called = self
            .ranges
            .iter()
            .filter(|r| tails::Tail::of(r, &listing).is_none());
        let blocks = called.flat_map(KeyRange::blocks);
        let single = blocks.map(|b| b.block.kernel());
        let single = single.filter(|k| !matches!(k, RowKernel::Count(_)));
        single.chain(listing.kernels()).collect()
    }

    pub fn kernel(&self, addressing: Addressing) -> Kernel {
        build(Self::SYMBOL, 1, addressing, |kb, args| {
            self.emit(kb, args[0])
        })
    }

    fn entry_bytes(&self) -> u32 {
        if self.payload { 8 } else { 4 }
    }

    fn emit(&self, kb: &mut KernelBuilder<'_>, tick: Value) {
        // Before all else: what arrives from now on belongs to the next tick.
        let end = kb.load_at(self.write_pointer);
        let places = self.places(kb, tick);
        let first = kb.load_at(self.control + control::RING_READ);
        let sinks = places.sinks.clone();
        drain::Drain {
            receive: self,
            places,
            listing: Listing::of(self),
        }
        .emit(kb, first, end);
        kb.store_at(end, self.control + control::RING_READ);
        kb.store_at(end, self.read_pointer);
        if !self.products.is_empty() {
            let any = kb.compare(IntCC::NotEqual, first, end);
            self.multiply(kb, any, &sinks);
        }
    }

    /// Where nothing arrived all counts are 0, and sums that only products are written to
    /// have been cleared by the update.
    fn multiply(&self, kb: &mut KernelBuilder<'_>, any: Value, sinks: &BTreeMap<u32, Value>) {
        let (work, rest) = (kb.block(), kb.block());
        kb.branch(any, (work, &[]), (rest, &[]));
        kb.enter(work);
        for p in &self.products {
            let sink = sinks[&p.delay];
            p.product.start(kb, sink);
            p.product.finish(kb, sink);
        }
        kb.jump(rest, &[]);
        kb.enter(rest);
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
