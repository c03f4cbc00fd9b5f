//! What the options mean for one graph: the neurons that hold after a spike,
//! the biases on recurrent paths, and the options that change nothing.

use super::dt::needs_dt;
use super::schedule::Schedule;
use super::wiring::is_alias;
use crate::id::{IdVec, NodeId};
use crate::network::{Network, Op};
use crate::semantics::{
    Bias, Compare, EdgeDelay, Hold, IfGain, Integrator, RecurrentBiasT0, Reset, Semantics, SpikeOn,
    SynDecay, SynGain, TimeUnit, VFloor,
};
use crate::tensor::Tensor;

/// The neurons whose membrane is forced to 0 in the step after a spike.
///
/// `auto` takes snnTorch's rule for RLeaky, Synaptic and RSynaptic: a CubaLIF,
/// or a LIF that feeds itself through stateless nodes, when its reset is zero
/// (by option, or by a v_reset that the file gives as 0 or not at all).
pub fn held(network: &Network, schedule: &Schedule, semantics: &Semantics) -> IdVec<NodeId, bool> {
    let selfish = self_feeding(network, schedule);
    let nodes = network.nodes.iter();
    nodes
        .map(|(id, node)| match semantics.hold {
            Hold::Off => false,
            Hold::On => is_spiking(&node.op),
            Hold::Auto => {
                let cuba = matches!(node.op, Op::CubaLif { .. });
                (cuba || selfish[id]) && resets_to_zero(&node.op, semantics)
            }
        })
        .collect()
}

/// Whether the node is a neuron that spikes.
pub(super) fn is_spiking(op: &Op) -> bool {
    matches!(op, Op::Lif { .. } | Op::CubaLif { .. } | Op::If { .. })
}

/// Whether the node is a neuron with a synaptic current.
fn has_synapse(op: &Op) -> bool {
    matches!(op, Op::CubaLif { .. } | Op::CubaLi { .. })
}

fn resets_to_zero(op: &Op, semantics: &Semantics) -> bool {
    let (Op::Lif { v_reset, .. } | Op::CubaLif { v_reset, .. }) = op else {
        return false;
    };
    match semantics.reset {
        Reset::Zero => true,
        Reset::VReset => v_reset
            .as_ref()
            .is_none_or(|t| (0..t.len()).all(|i| t.at(i) == 0.0)),
        Reset::Subtract | Reset::SnntorchSubtract | Reset::MultiSubtract | Reset::None => false,
    }
}

/// The LIF nodes with a path back to themselves through stateless nodes.
fn self_feeding(network: &Network, schedule: &Schedule) -> IdVec<NodeId, bool> {
    let succs = network.successors();
    let mut found: IdVec<NodeId, bool> = network.nodes.ids().map(|_| false).collect();
    // The last walk that met each node; cheaper than clearing a set per walk.
    let mut met: IdVec<NodeId, Option<NodeId>> = network.nodes.ids().map(|_| None).collect();
    for (start, node) in network.nodes.iter() {
        if !matches!(node.op, Op::Lif { .. }) || !schedule.on_cycle(start) {
            continue;
        }
        let mut stack = vec![start];
        while let Some(id) = stack.pop() {
            for &s in &succs[id] {
                if s == start {
                    found[start] = true;
                } else if met[s] != Some(start)
                    && schedule.share_cycle(start, s)
                    && !network.nodes[s].op.is_stateful()
                {
                    met[s] = Some(start);
                    stack.push(s);
                }
            }
        }
    }
    found
}

/// The stateless nodes that only a previous step drives: they lie on a cycle
/// and every in-edge carries the previous step or comes from such a node.
/// In step 0 there is nothing to drive them, so with `--recurrent-bias-t0 off`
/// (Norse calls the recurrent layer only once it has a state) their biases
/// don't act then. A node that also has an input from outside the cycle keeps
/// its bias, and so does one behind a Delay of at least one step, which ends
/// the cycle.
pub fn recurrent(network: &Network, schedule: &Schedule) -> IdVec<NodeId, bool> {
    let mut edges_into: IdVec<NodeId, Vec<usize>> = network.nodes.ids().map(|_| vec![]).collect();
    for (i, e) in network.edges.iter().enumerate() {
        edges_into[e.to].push(i);
    }
    let mut found: IdVec<NodeId, bool> = network.nodes.ids().map(|_| false).collect();
    for &id in &schedule.order {
        let driven = |&i: &usize| schedule.is_previous(i) || found[network.edges[i].from];
        found[id] = schedule.on_cycle(id)
            && !network.nodes[id].op.is_stateful()
            && !edges_into[id].is_empty()
            && edges_into[id].iter().all(driven);
    }
    found
}

/// The bias of a weight node.
fn bias(op: &Op) -> Option<&Tensor> {
    match op {
        Op::Affine { bias, .. } => Some(bias),
        Op::Conv1d { bias, .. } | Op::Conv2d { bias, .. } => bias.as_ref(),
        Op::Input { .. }
        | Op::Output { .. }
        | Op::Linear { .. }
        | Op::Scale { .. }
        | Op::SumPool2d { .. }
        | Op::AvgPool2d { .. }
        | Op::Delay { .. }
        | Op::Threshold { .. }
        | Op::Flatten { .. }
        | Op::Lif { .. }
        | Op::CubaLif { .. }
        | Op::Li { .. }
        | Op::CubaLi { .. }
        | Op::I { .. }
        | Op::If { .. } => None,
    }
}

/// Whether some bias reaches a neuron with a synapse, through nodes that only
/// map it on.
fn bias_meets_synapse(network: &Network) -> bool {
    let succs = network.successors();
    let biased = network.nodes.iter().filter(|(_, n)| bias(&n.op).is_some());
    let mut stack: Vec<NodeId> = biased.map(|(id, _)| id).collect();
    let mut met: IdVec<NodeId, bool> = network.nodes.ids().map(|_| false).collect();
    while let Some(id) = stack.pop() {
        for &s in &succs[id] {
            let op = &network.nodes[s].op;
            if has_synapse(op) {
                return true;
            }
            if !met[s] && !op.is_stateful() && !matches!(op, Op::Threshold { .. }) {
                met[s] = true;
                stack.push(s);
            }
        }
    }
    false
}

/// The flags that change nothing on this graph, whatever their value.
///
/// `--bias` is among them unless a bias reaches a CubaLIF or CubaLI: for other
/// neurons the membrane offset `gain * b` is what the bias does through the
/// graph. Else it matters only where it overrides `--recurrent-bias-t0 off`.
pub(super) fn unused(
    network: &Network,
    schedule: &Schedule,
    semantics: &Semantics,
) -> Vec<&'static str> {
    let any = |test: fn(&Op) -> bool| network.nodes.values().any(|n| test(&n.op));
    let leaky = any(|op| {
        matches!(
            op,
            Op::Lif { .. } | Op::CubaLif { .. } | Op::Li { .. } | Op::CubaLi { .. }
        )
    });
    let spiking = any(is_spiking);
    let compares = spiking || any(|op| matches!(op, Op::Threshold { .. }));
    let synapses = any(has_synapse);
    let floored = any(|op| matches!(op, Op::If { .. }));
    let integrators = floored || any(|op| matches!(op, Op::I { .. }));
    let needs_dt = !needs_dt(network, semantics).is_empty();
    let recurrent = recurrent(network, schedule);
    let mut nodes = network.nodes.iter();
    let recurrent_bias = nodes.any(|(id, n)| recurrent[id] && bias(&n.op).is_some());
    let late_bias = semantics.recurrent_bias_t0 == RecurrentBiasT0::Off;
    let hold = match semantics.hold {
        Hold::On => spiking,
        Hold::Auto | Hold::Off => {
            any(|op| matches!(op, Op::CubaLif { .. }))
                || self_feeding(network, schedule).values().any(|&h| h)
        }
    };
    let computes = any(|op| !is_alias(op) && !matches!(op, Op::Input { .. }));
    let used = [
        ("--dt", needs_dt && semantics.time_unit != TimeUnit::Steps),
        (TimeUnit::FLAG, needs_dt),
        (Integrator::FLAG, leaky),
        (Reset::FLAG, spiking),
        (Compare::FLAG, compares),
        (SpikeOn::FLAG, spiking),
        (Hold::FLAG, hold),
        (SynGain::FLAG, synapses),
        (SynDecay::FLAG, synapses),
        (IfGain::FLAG, integrators),
        (
            RecurrentBiasT0::FLAG,
            recurrent_bias && semantics.bias == Bias::Synapse,
        ),
        (
            Bias::FLAG,
            (recurrent_bias && late_bias) || bias_meets_synapse(network),
        ),
        (VFloor::FLAG, floored),
        (EdgeDelay::FLAG, computes),
    ];
    let unused = used.iter().filter(|(_, used)| !used);
    unused.map(|(flag, _)| *flag).collect()
}
