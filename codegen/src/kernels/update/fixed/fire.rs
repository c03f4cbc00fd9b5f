//! Comparison, reset and send of one atom.

use super::super::super::builder::KernelBuilder;
use super::super::super::record::record_spike;
use super::super::ResetOp;
use super::{At, Plan, PlannedFire};
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;
use ir::neuron::MAX_COUNT;
use ir::semantics::Compare;

impl Plan<'_> {
    /// Compares lane `j` with its threshold; resets and sends out of line.
    pub(super) fn fire(
        &self,
        kb: &mut KernelBuilder<'_>,
        at: At<'_>,
        fire: &PlannedFire,
        (v, judged, threshold): (Value, Value, Value),
        j: u32,
    ) {
        let spikes = kb.compare(IntCC::SignedGreaterThan, judged, threshold);
        let spike = kb.cold_block();
        let rest = kb.block();
        kb.branch(spikes, (spike, &[]), (rest, &[]));
        kb.enter(spike);
        let amount = |kb: &mut KernelBuilder<'_>| fire.amount.map(|a| at.param(kb, a, j));
        let mut remembered = None;
        let mut count = None;
        let reset = match fire.ops.reset {
            ResetOp::To(_) => amount(kb),
            ResetOp::Subtract(_) => amount(kb).map(|a| self.minus(kb, v, a)),
            ResetOp::Pending(_) => {
                remembered = amount(kb);
                None
            }
            ResetOp::Multi => {
                let (n, fall) = several(kb, fire.ops.compare, judged, threshold);
                count = Some(n);
                Some(self.minus(kb, v, fall))
            }
            ResetOp::Keep => None,
        };
        if let Some(reset) = reset {
            at.store(kb, reset, self.v, j);
        }
        if let Some(pending) = fire.pending {
            let word = match remembered {
                Some(amount) if !fire.ops.hold => amount,
                Some(_) | None => kb.int(1),
            };
            at.store(kb, word, pending, j);
        }
        let payload = fire.ops.counts.then(|| count.unwrap_or_else(|| kb.int(1)));
        let update = self.update;
        let first = update.key.wrapping_add(j);
        let key = at.pointers.numbered(kb, at.state, first);
        update.send.emit(kb, key, payload, true);
        if let Some(control) = update.record_control {
            record_spike(kb, control, update.key, key);
        }
        kb.jump(rest, &[]);
        kb.enter(rest);
    }

    /// Sends `unit * v` unless it is zero; `first` is the key of the group's first atom.
    pub(super) fn send_value(
        &self,
        kb: &mut KernelBuilder<'_>,
        first: Value,
        unit: Value,
        v: Value,
        j: u32,
    ) {
        let unit = kb.from_bits(unit);
        let v = kb.to_float(v);
        let value = kb.fmul(unit, v);
        let bits = kb.bits(value);
        let says = kb.is_not_zero(bits);
        let (send, rest) = (kb.block(), kb.block());
        kb.branch(says, (send, &[]), (rest, &[]));
        kb.enter(send);
        let key = kb.add_const(first, j);
        self.update.send.emit(kb, key, Some(bits), false);
        kb.jump(rest, &[]);
        kb.enter(rest);
    }
}

/// How many spikes a membrane that passed its threshold is, at most [`MAX_COUNT`], and by
/// how much it falls.
fn several(
    kb: &mut KernelBuilder<'_>,
    compare: Compare,
    judged: Value,
    threshold: Value,
) -> (Value, Value) {
    let (above, step) = match compare {
        Compare::Gt => (kb.add_const(judged, u32::MAX), threshold),
        Compare::Ge => (judged, kb.add_const(threshold, 1)),
    };
    let n = kb.udiv(above, step);
    let most = kb.int(MAX_COUNT);
    let n = kb.smin(n, most);
    (n, kb.mul(n, step))
}
