//! `--spike-on old`: the spikes of a step follow from the membrane of the step
//! before, so they are known a step before they count, and a recurrent layer
//! sees in the same step what it sends.
//!
//! On the chip such a neuron decides as any other does, on the membrane that it
//! just computed, and sends at once: one step early. All that leaves it lags by
//! one step more, edges that close a cycle (which count in the step in which
//! their spikes do) by just that one. What a spike does to the next membrane
//! are the rules that the chip has: with a LIF or IF a pending subtraction or a
//! hold, with a CubaLIF, whose reset comes before its decay, the reset itself.
//!
//! Where no rule fits, the neuron compares its old membrane and sends in time,
//! which serves as long as nothing reads its spikes in that step.

use ir::network::Op;
use ir::neuron::NeuronKind;
use ir::semantics::{Reset, Semantics, SpikeOn, VFloor};

/// Whether a neuron sends its spikes one step early. `zero`: its reset value
/// is 0 in every atom.
pub(crate) fn sends_early(kind: NeuronKind, hold: bool, zero: bool, semantics: &Semantics) -> bool {
    if semantics.spike_on != SpikeOn::Old || hold {
        return false;
    }
    match kind {
        NeuronKind::CubaLif => semantics.reset != Reset::SnntorchSubtract,
        NeuronKind::Lif | NeuronKind::If => {
            let floored = kind == NeuronKind::If && semantics.v_floor == VFloor::NegThreshold;
            let rule = match semantics.reset {
                Reset::Subtract | Reset::Zero | Reset::None => true,
                Reset::VReset => zero,
                Reset::SnntorchSubtract | Reset::MultiSubtract => false,
            };
            rule && !floored
        }
        NeuronKind::Li
        | NeuronKind::CubaLi
        | NeuronKind::I
        | NeuronKind::Threshold
        | NeuronKind::Linear => false,
    }
}

/// The same for a node.
pub(super) fn node_sends_early(op: &Op, hold: bool, semantics: &Semantics) -> bool {
    let (kind, v_reset) = match op {
        Op::Lif { v_reset, .. } => (NeuronKind::Lif, v_reset),
        Op::CubaLif { v_reset, .. } => (NeuronKind::CubaLif, v_reset),
        Op::If { v_reset, .. } => (NeuronKind::If, v_reset),
        Op::Input { .. }
        | Op::Output { .. }
        | Op::Affine { .. }
        | Op::Linear { .. }
        | Op::Scale { .. }
        | Op::Conv1d { .. }
        | Op::Conv2d { .. }
        | Op::SumPool2d { .. }
        | Op::AvgPool2d { .. }
        | Op::Delay { .. }
        | Op::Threshold { .. }
        | Op::Flatten { .. }
        | Op::Li { .. }
        | Op::CubaLi { .. }
        | Op::I { .. } => return false,
    };
    let zero = v_reset
        .as_ref()
        .is_none_or(|t| (0..t.len()).all(|i| t.at(i) == 0.0));
    sends_early(kind, hold, zero, semantics)
}
