//! Updates only where something arrived.
//!
//! A population without leak and bias does nothing in a step without input, and
//! in most steps most groups have none. The scan reads the sums of a group and
//! goes on if all are zero; every other pointer is computed from the scan's own
//! where a group has to be updated.

use super::super::builder::KernelBuilder;
use super::streams::Streams;
use super::{Plan, step};
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;
use ir::DType;
use ir::memory::GROUP;

impl Plan<'_> {
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
