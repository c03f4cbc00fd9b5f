//! The loops over the ring.
//!
//! The pending packets are one or two stretches of memory; a stretch also ends
//! where a list might be full, so that the loop over it looks at nothing but keys.

use super::super::builder::KernelBuilder;
use super::super::rows::RowKernel;
use super::decode::Rest;
use super::listing::Listing;
use super::{Carries, DelayedRows, KeyRange, Places, Receive};
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;

pub(super) struct Drain<'a> {
    pub(super) receive: &'a Receive,
    pub(super) places: Places,
    pub(super) listing: Listing,
}

/// Packets that an iteration takes where each is straight-line code.
const UNROLL: u32 = 4;

impl Drain<'_> {
    /// Takes the packets from `first` up to, not including, `end`.
    pub(super) fn emit(&self, kb: &mut KernelBuilder<'_>, first: Value, end: Value) {
        let room = kb.int(self.listing.packets * self.receive.entry_bytes());
        let mut state = vec![first, room];
        state.extend(self.listing.starts(kb));
        let stretch = kb.block_like(&state);
        let done = kb.block();
        let pending = kb.compare(IntCC::NotEqual, first, end);
        kb.branch(pending, (stretch, &state), (done, &[]));

        kb.enter(stretch);
        let params = kb.params(stretch);
        let (at, room, ends) = (params[0], params[1], &params[2..]);
        let limit = kb.int(self.receive.ring.1);
        let ahead = kb.compare(IntCC::UnsignedLessThan, at, end);
        let until = kb.select(ahead, end, limit);
        let size = kb.sub(until, at);
        let size = if self.listing.is_empty() {
            size
        } else {
            kb.umin(size, room)
        };
        let stop = kb.add(at, size);
        let ends = self.stretch(kb, at, stop, ends);

        let wraps = kb.compare(IntCC::Equal, stop, limit);
        let start = kb.int(self.receive.ring.0);
        let at = kb.select(wraps, start, stop);
        let is_end = kb.compare(IntCC::Equal, at, end);
        if self.listing.is_empty() {
            kb.branch(is_end, (done, &[]), (stretch, &[at, room]));
        } else {
            let (add, check) = (kb.block(), kb.block());
            kb.branch(is_end, (add, &[]), (check, &[]));
            kb.enter(check);
            let room = kb.sub(room, size);
            let zero = kb.int(0);
            let full = kb.compare(IntCC::Equal, room, zero);
            let mut again = vec![at, room];
            again.extend(ends.iter().copied());
            kb.branch(full, (add, &[]), (stretch, &again));
            kb.enter(add);
            self.listing.add(kb, &ends, &self.places);
            let room = kb.int(self.listing.packets * self.receive.entry_bytes());
            let mut again = vec![at, room];
            again.extend(self.listing.starts(kb));
            let is_end = kb.compare(IntCC::Equal, at, end);
            kb.branch(is_end, (done, &[]), (stretch, &again));
        }
        kb.enter(done);
    }

    /// Takes the packets from `at` to `stop`, of which there are some and which do
    /// not wrap; gives the new ends of the lists.
    fn stretch(
        &self,
        kb: &mut KernelBuilder<'_>,
        at: Value,
        stop: Value,
        ends: &[Value],
    ) -> Vec<Value> {
        let mut state = vec![at];
        state.extend(ends);
        if let Some(range) = self.straight() {
            return self.straight_stretch(kb, range, &state, stop);
        }
        let top = kb.block_like(&state);
        let joined = kb.block_like(ends);
        let done = kb.block_like(ends);
        let tails = self.tails(kb, ends);
        kb.jump(top, &state);
        kb.enter(top);
        let params = kb.params(top);
        let at = params[0];
        let payload = self.receive.payload.then(|| kb.load_word(at, 0));
        let key = self.key(kb, at, 0);
        let rest = Rest {
            ends: &params[1..],
            joined,
            tails: &tails,
        };
        self.decode(kb, (key, payload), &self.receive.ranges, &rest);
        self.emit_tails(kb, &tails, joined);
        kb.enter(joined);
        let ends = kb.params(joined);
        let mut next = vec![kb.add_const(at, self.receive.entry_bytes())];
        next.extend(&ends);
        let more = kb.compare(IntCC::NotEqual, next[0], stop);
        kb.branch(more, (top, &next), (done, &ends));
        kb.enter(done);
        kb.params(done)
    }

    /// The key of entry `number` from `at` on.
    fn key(&self, kb: &mut KernelBuilder<'_>, at: Value, number: u32) -> Value {
        let bytes = self.receive.entry_bytes();
        kb.load_word(at, (number * bytes + bytes - 4) as i32)
    }

    /// The only range, if all that its packets do is to list rows or to be counted.
    fn straight(&self) -> Option<&KeyRange> {
        match self.receive.ranges.as_slice() {
            [range] => match &range.carries {
                Carries::Spikes(blocks) => {
                    let straight = |b: &DelayedRows| {
                        self.listing.number(b).is_some()
                            || matches!(b.block.kernel(), RowKernel::Count(_))
                    };
                    blocks.iter().all(straight).then_some(range)
                }
                Carries::Counts { .. } | Carries::Values(_) => None,
            },
            _ => None,
        }
    }

    fn straight_stretch(
        &self,
        kb: &mut KernelBuilder<'_>,
        range: &KeyRange,
        state: &[Value],
        stop: Value,
    ) -> Vec<Value> {
        let bytes = self.receive.entry_bytes();
        let take = |kb: &mut KernelBuilder<'_>, state: &[Value], n: u32| {
            let keys: Vec<Value> = (0..n).map(|k| self.key(kb, state[0], k)).collect();
            let mut next = vec![kb.add_const(state[0], n * bytes)];
            next.extend(self.list(kb, range, &keys, &state[1..]));
            next
        };
        let some = kb.int(UNROLL * bytes);
        let last = kb.sub(stop, some);
        let rest = kb.while_more(
            state,
            |kb, at| kb.compare(IntCC::SignedLessThanOrEqual, at[0], last),
            |kb, at| take(kb, at, UNROLL),
        );
        let end = kb.while_more(
            &rest,
            |kb, at| kb.compare(IntCC::NotEqual, at[0], stop),
            |kb, at| take(kb, at, 1),
        );
        end[1..].to_vec()
    }
}
