//! Comparison, reset and send of one atom.

use super::super::builder::KernelBuilder;
use super::super::record::record_spike;
use super::{Plan, PlannedFire, ResetOp};
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use ir::neuron::MAX_COUNT;
use ir::semantics::Compare;

impl Plan<'_> {
    /// Compares lane `j` with its threshold; resets and sends out of line.
    pub(super) fn fire(
        &self,
        kb: &mut KernelBuilder<'_>,
        at: &[Value],
        fire: &PlannedFire,
        (v, judged, threshold): (Value, Value, Value),
        j: i32,
    ) {
        let how = match fire.ops.compare {
            Compare::Gt => FloatCC::GreaterThan,
            Compare::Ge => FloatCC::GreaterThanOrEqual,
        };
        let spikes = kb.fcompare(how, judged, threshold);
        let spike = kb.cold_block();
        let rest = kb.block();
        kb.branch(spikes, (spike, &[]), (rest, &[]));
        kb.enter(spike);
        let amount = |kb: &mut KernelBuilder<'_>| fire.amount.map(|a| a.load(kb, at, j));
        let mut remembered = None;
        let mut count = None;
        let reset = match fire.ops.reset {
            ResetOp::To(_) => amount(kb),
            ResetOp::Subtract(_) => amount(kb).map(|a| kb.fsub(v, a)),
            ResetOp::Pending(_) => {
                remembered = amount(kb).map(|a| kb.bits(a));
                None
            }
            ResetOp::Multi => {
                let n = self.fit(kb, fire, judged, threshold);
                let none = kb.int(0);
                let any = kb.compare(IntCC::SignedGreaterThan, n, none);
                let some = kb.cold_block();
                kb.branch(any, (some, &[]), (rest, &[]));
                kb.enter(some);
                count = Some(n);
                let n = kb.to_float(n);
                let fall = kb.fmul(threshold, n);
                Some(kb.fsub(v, fall))
            }
            ResetOp::Keep => None,
        };
        if let Some((reset, v)) = reset.zip(self.v) {
            kb.store(reset, at[v], 4 * j);
        }
        if let Some(pending) = fire.pending {
            let word = match remembered {
                Some(amount) if !fire.ops.hold => amount,
                Some(_) | None => kb.int(1),
            };
            kb.store(word, at[pending], 4 * j);
        }
        let payload = fire.ops.counts.then(|| count.unwrap_or_else(|| kb.int(1)));
        let key = kb.add_const(at[self.key], j as u32);
        self.update.send.emit(kb, key, payload, true);
        if let Some(control) = self.update.record_control {
            record_spike(kb, control, self.update.key, key);
        }
        kb.jump(rest, &[]);
        kb.enter(rest);
    }

    /// How many thresholds fit into `v`, at most [`MAX_COUNT`].
    fn fit(
        &self,
        kb: &mut KernelBuilder<'_>,
        fire: &PlannedFire,
        v: Value,
        threshold: Value,
    ) -> Value {
        let quotient = kb.fdiv(v, threshold);
        let mut n = kb.to_int(quotient);
        if fire.ops.compare == Compare::Gt {
            let whole = kb.to_float(n);
            let whole = kb.fmul(threshold, whole);
            let exact = kb.fcompare(FloatCC::Equal, whole, v);
            let one = kb.int(1);
            let less = kb.sub(n, one);
            n = kb.select(exact, less, n);
        }
        let most = kb.int(MAX_COUNT);
        kb.smin(n, most)
    }

    /// Sends `unit * v` unless it is zero.
    pub(super) fn send_value(
        &self,
        kb: &mut KernelBuilder<'_>,
        at: &[Value],
        unit: Value,
        v: Value,
        j: i32,
    ) {
        let value = kb.fmul(unit, v);
        let bits = kb.bits(value);
        let says = kb.is_not_zero(bits);
        let (send, rest) = (kb.block(), kb.block());
        kb.branch(says, (send, &[]), (rest, &[]));
        kb.enter(send);
        let key = kb.add_const(at[self.key], j as u32);
        self.update.send.emit(kb, key, Some(bits), false);
        kb.jump(rest, &[]);
        kb.enter(rest);
    }
}
