//! Updates only where something arrived.
//!
//! A population without leak and bias does nothing in a step without input, and
//! in most steps most groups have none. The scan reads the sums of a group and
//! goes on if all are zero; every other pointer is computed from the scan's own
//! where a group has to be updated. Where the rows mark what they add to, only marked
//! groups are looked at.

use super::super::builder::KernelBuilder;
use super::streams::Streams;
use super::{Plan, step};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, Value};
use ir::DType;
use ir::memory::{GROUP, touched};

/// Bits of a mark.
const MARK: u32 = 8;

impl Plan<'_> {
    /// Visits the sums that are marked at `marks`, and clears the marks.
    pub(super) fn visit(
        &self,
        kb: &mut KernelBuilder<'_>,
        streams: &Streams,
        (sums, ty): (usize, DType),
        marks: u32,
    ) {
        let first = streams.start(kb)[sums];
        let bytes = touched::TARGETS * ty.size() as u32;
        let marks = [kb.int(marks), first];
        let words = touched::bytes(self.update.atoms) / touched::WORD;
        kb.repeat(words, &marks, |kb, at| {
            let word = kb.load_word(at[0], 0);
            let (busy, next) = (kb.block(), kb.block());
            unless_zero(kb, word, (busy, next));
            kb.enter(busy);
            let zero = kb.int(0);
            kb.store(zero, at[0], 0);
            kb.repeat(touched::WORD, &[word, at[1]], |kb, at| {
                let mark = kb.and_const(at[0], (1 << MARK) - 1);
                let (busy, next) = (kb.block(), kb.block());
                unless_zero(kb, mark, (busy, next));
                kb.enter(busy);
                self.marked(kb, streams, (sums, ty), (first, at[1]));
                kb.jump(next, &[]);
                kb.enter(next);
                let rest = kb.shr_const(at[0], MARK);
                vec![rest, kb.add_const(at[1], bytes)]
            });
            kb.jump(next, &[]);
            kb.enter(next);
            let marks = kb.add_const(at[0], touched::WORD);
            vec![marks, kb.add_const(at[1], touched::WORD * bytes)]
        });
    }

    /// Updates the group of one mark, whose sums are at `here`.
    fn marked(
        &self,
        kb: &mut KernelBuilder<'_>,
        streams: &Streams,
        (sums, ty): (usize, DType),
        (first, here): (Value, Value),
    ) {
        let moved = kb.sub(here, first);
        let mut state = streams.moved(kb, moved, ty);
        state[sums] = here;
        kb.repeat(touched::TARGETS / GROUP, &state, |kb, at| {
            self.group(kb, at, GROUP, None);
            streams.advance(kb, at, GROUP)
        });
    }

    /// Scans `groups` whole groups; gives the state behind them.
    pub(super) fn scan(
        &self,
        kb: &mut KernelBuilder<'_>,
        streams: &Streams,
        (sums, ty): (usize, DType),
        groups: u32,
    ) -> Vec<Value> {
        let first = streams.start(kb)[sums];
        let bytes = GROUP * ty.size() as u32;
        // A second group an iteration halves what the loop itself costs.
        let unroll = if groups.is_multiple_of(2) { 2 } else { 1 };
        kb.repeat(groups / unroll, &[first], |kb, at| {
            for k in 0..unroll {
                let here = kb.add_const(at[0], k * bytes);
                let words = step::load_sums(kb, here, ty, GROUP);
                let mut any = words[0];
                for &word in &words[1..] {
                    any = kb.or(any, word);
                }
                // Not a cold block: what follows the update's own comparisons would
                // then lie between the scan and its end.
                let (busy, next) = (kb.block(), kb.block());
                let zero = kb.int(0);
                let some = kb.compare(IntCC::NotEqual, any, zero);
                kb.branch(some, (busy, &[]), (next, &[]));
                kb.enter(busy);
                let moved = kb.sub(here, first);
                let mut state = streams.moved(kb, moved, ty);
                state[sums] = here;
                self.group(kb, &state, GROUP, Some(&words));
                kb.jump(next, &[]);
                kb.enter(next);
            }
            vec![kb.add_const(at[0], unroll * bytes)]
        });
        let all = kb.int(groups * bytes);
        streams.moved(kb, all, ty)
    }
}

/// Goes on in the first block unless `value` is 0, then in the second.
fn unless_zero(kb: &mut KernelBuilder<'_>, value: Value, (yes, no): (Block, Block)) {
    let zero = kb.int(0);
    let some = kb.compare(IntCC::NotEqual, value, zero);
    kb.branch(some, (yes, &[]), (no, &[]));
}
