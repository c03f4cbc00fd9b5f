//! Row kernels that end the way of a packet: they stand once in the loop over the
//! ring, and every range that needs one jumps there instead of calling it. Only those
//! do that are better off there ([`RowBlock::belongs_in_the_loop`]).

use super::super::builder::KernelBuilder;
use super::super::rows::RowKernel;
use super::drain::Drain;
use super::listing::Listing;
use super::{Carries, KeyRange};
use cranelift_codegen::ir::{Block, Value};
use std::collections::BTreeMap;

/// A kernel and the delay of the sums that it adds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tail {
    kernel: RowKernel,
    delay: u32,
}

impl Tail {
    /// The tail of a range: of the only rows that are not listed, if they are worth it.
    pub(super) fn of(range: &KeyRange, listing: &Listing) -> Option<Self> {
        let Carries::Spikes(blocks) = &range.carries else {
            return None;
        };
        let mut rest = blocks.iter().filter(|b| listing.number(b).is_none());
        let only = rest.next().filter(|_| rest.next().is_none())?;
        only.block.belongs_in_the_loop().then(|| Self {
            kernel: only.block.kernel(),
            delay: only.delay,
        })
    }
}

impl Drain<'_> {
    /// A block for each tail, whose parameters are the kernel's places and `ends`.
    pub(super) fn tails(
        &self,
        kb: &mut KernelBuilder<'_>,
        ends: &[Value],
    ) -> BTreeMap<Tail, Block> {
        let ranges = self.receive.ranges.iter();
        let all = ranges.filter_map(|r| Tail::of(r, &self.listing));
        let mut blocks = BTreeMap::new();
        for tail in all {
            blocks
                .entry(tail)
                .or_insert_with(|| kb.block_of_words(tail.kernel.places() + ends.len()));
        }
        blocks
    }

    /// Fills the blocks; each goes on to `joined` with the ends that it was given.
    pub(super) fn emit_tails(
        &self,
        kb: &mut KernelBuilder<'_>,
        tails: &BTreeMap<Tail, Block>,
        joined: Block,
    ) {
        for (tail, &block) in tails {
            kb.enter(block);
            let params = kb.params(block);
            let (places, ends) = params.split_at(tail.kernel.places());
            let mut args = places.to_vec();
            args.push(self.places.sinks[&tail.delay]);
            tail.kernel.emit(kb, &args, None);
            kb.jump(joined, ends);
        }
    }
}
