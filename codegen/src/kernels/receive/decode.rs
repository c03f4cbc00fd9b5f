//! From a packet's key to what is done with it.

use super::super::builder::KernelBuilder;
use super::super::rows::RowKernel;
use super::drain::Drain;
use super::tails::Tail;
use super::{Carries, DelayedRows, KeyRange};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, Value};
use std::collections::BTreeMap;

/// What comes after a packet's key.
pub(super) struct Rest<'a> {
    /// Ends of the lists before the packet.
    pub(super) ends: &'a [Value],
    /// Where all ways meet, with the new ends.
    pub(super) joined: Block,
    pub(super) tails: &'a BTreeMap<Tail, Block>,
}

impl Drain<'_> {
    /// Binary decisions on the ranges' first keys, then what the range says. A key
    /// that no range holds can only be a routing error: it stops the program.
    pub(super) fn decode(
        &self,
        kb: &mut KernelBuilder<'_>,
        packet: (Value, Option<Value>),
        ranges: &[KeyRange],
        rest: &Rest<'_>,
    ) {
        let (key, payload) = packet;
        match ranges {
            [] => kb.trap(),
            [range] => {
                let index = index(kb, range, key);
                self.take(kb, range, (index, payload), rest);
            }
            _ => {
                let (low, high) = ranges.split_at(ranges.len() / 2);
                let pivot = kb.int(high[0].key);
                let below = kb.compare(IntCC::UnsignedLessThan, key, pivot);
                let (yes, no) = (kb.block(), kb.block());
                kb.branch(below, (yes, &[]), (no, &[]));
                kb.enter(yes);
                self.decode(kb, packet, low, rest);
                kb.enter(no);
                self.decode(kb, packet, high, rest);
            }
        }
    }

    /// Counts packets that do nothing else and lists their rows; gives the new ends.
    pub(super) fn list(
        &self,
        kb: &mut KernelBuilder<'_>,
        range: &KeyRange,
        keys: &[Value],
        ends: &[Value],
    ) -> Vec<Value> {
        let indices: Vec<Value> = keys.iter().map(|&key| index(kb, range, key)).collect();
        let mut written = vec![0; ends.len()];
        for &index in &indices {
            for rows in range.blocks() {
                if let RowKernel::Count(count) = rows.block.kernel() {
                    let place = kb.add_const(index, rows.block.rows);
                    count.emit(kb, place);
                }
                if let Some(number) = self.listing.number(rows) {
                    let row = self.listed_row(kb, rows, index);
                    kb.store(row, ends[number], written[number]);
                    written[number] += 4;
                }
            }
        }
        let moved = ends.iter().zip(written);
        moved
            .map(|(&end, bytes)| kb.add_const(end, bytes as u32))
            .collect()
    }

    fn listed_row(&self, kb: &mut KernelBuilder<'_>, rows: &DelayedRows, index: Value) -> Value {
        match rows.block.listed() {
            Some(list) => rows.block.row(kb, list.row(), index),
            None => index,
        }
    }

    /// Does what a packet of the range says, then jumps to where all ways meet.
    fn take(
        &self,
        kb: &mut KernelBuilder<'_>,
        range: &KeyRange,
        (index, payload): (Value, Option<Value>),
        rest: &Rest<'_>,
    ) {
        let add = |kb: &mut KernelBuilder<'_>, rows: &DelayedRows| {
            rows.block
                .add(kb, index, self.places.sinks[&rows.delay], None);
        };
        match (&range.carries, payload) {
            (Carries::Spikes(blocks), _) => {
                let mut ends = rest.ends.to_vec();
                let tail = Tail::of(range, &self.listing);
                let mut end = None;
                for rows in blocks {
                    match self.listing.number(rows) {
                        Some(number) => {
                            let row = self.listed_row(kb, rows, index);
                            kb.store(row, ends[number], 0);
                            ends[number] = kb.add_const(ends[number], 4);
                        }
                        None => match tail.and_then(|t| rest.tails.get(&t)) {
                            Some(&block) => end = Some((block, rows.block.places(kb, index))),
                            None => add(kb, rows),
                        },
                    }
                }
                let (block, mut args) = end.unwrap_or((rest.joined, vec![]));
                args.extend(ends);
                kb.jump(block, &args);
            }
            (Carries::Counts { max, blocks }, Some(count)) => {
                let one = kb.int(1);
                let more = kb.sub(count, one);
                let max = kb.int(*max);
                let allowed = kb.compare(IntCC::UnsignedLessThan, more, max);
                kb.expect(allowed);
                let top = kb.block_like(&[count]);
                kb.jump(top, &[count]);
                kb.enter(top);
                let left = kb.params(top)[0];
                blocks.iter().for_each(|rows| add(kb, rows));
                let left = kb.sub(left, one);
                let zero = kb.int(0);
                let again = kb.compare(IntCC::NotEqual, left, zero);
                kb.branch(again, (top, &[left]), (rest.joined, rest.ends));
            }
            (Carries::Values(_), Some(value)) => {
                let offset = kb.shl_const(index, 2);
                let place = kb.add(self.places.values[&range.key], offset);
                kb.store(value, place, 0);
                kb.jump(rest.joined, rest.ends);
            }
            // A ring without payloads can't carry them: the program was put
            // together wrongly.
            (Carries::Counts { .. } | Carries::Values(_), None) => kb.trap(),
        }
    }
}

/// The number of the atom that sent a key of the range, and of no other.
fn index(kb: &mut KernelBuilder<'_>, range: &KeyRange, key: Value) -> Value {
    let base = kb.int(range.key);
    let index = kb.sub(key, base);
    let atoms = kb.int(range.atoms);
    let ours = kb.compare(IntCC::UnsignedLessThan, index, atoms);
    kb.expect(ours);
    index
}
