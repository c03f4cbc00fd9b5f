//! Who reads whose value, of which step: the edges after pure wiring nodes
//! (Flatten, Output) are looked through and the delays of the options are on.
//!
//! With `--edge-delay none` an edge costs nothing, or one step where the
//! [schedule](super::schedule) says that it carries the previous step.
//!
//! With `--spike-on old` the spikes of a step follow from the membranes of the
//! step before, so an edge that carries the previous step from a neuron that
//! spikes carries these: the recurrent layers of Spyx see, in the same step,
//! what they send.
//!
//! With `--edge-delay chip` what a sender (an Input, a neuron or a Threshold)
//! sends arrives one step later at every node that computes with it; an edge
//! that carries the previous step costs that one step and not a second one,
//! since on the chip (and in py-spinnaker2 and Lava) a recurrent projection
//! takes one tick like any other; a Delay adds its own steps. Flatten is a name
//! for values, not a receiver, and so is an Output with one source: its row t
//! is what that source sends in step t. An Output that adds sources up
//! computes like any other node. Biases act from step 0.

use super::options::is_spiking;
use super::schedule::Schedule;
use crate::code::Code;
use crate::diag::{Diagnostic, Result};
use crate::id::{IdVec, NodeId};
use crate::network::{Network, Op};
use crate::semantics::{EdgeDelay, Semantics, SpikeOn};
use std::collections::{BTreeMap, VecDeque};

/// Upper bound of the wires of a network, so that a graph made of Flatten
/// nodes only can't claim memory by the square of its size.
const MAX_WIRES: usize = 1 << 22;

/// One summand of a node's input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wire {
    pub(super) source: NodeId,
    /// Reads the value of the previous step (zero in step 0).
    pub(super) delayed: bool,
    /// How many paths lead here; 1 unless Flatten nodes fork and join.
    pub(super) count: f64,
}

/// The wires into each node, in ascending order of the source.
pub(super) struct Wiring {
    pub(super) into: IdVec<NodeId, Vec<Wire>>,
    /// Steps by which an Input's value of step t reaches each node late.
    pub(super) latency: IdVec<NodeId, usize>,
}

/// Whether the node only renames a value.
pub(super) fn is_alias(op: &Op) -> bool {
    match op {
        Op::Flatten { .. } | Op::Output { .. } => true,
        Op::Input { .. }
        | Op::Affine { .. }
        | Op::Linear { .. }
        | Op::Scale { .. }
        | Op::Conv1d { .. }
        | Op::Conv2d { .. }
        | Op::SumPool2d { .. }
        | Op::AvgPool2d { .. }
        | Op::Delay { .. }
        | Op::Threshold { .. }
        | Op::Lif { .. }
        | Op::CubaLif { .. }
        | Op::Li { .. }
        | Op::CubaLi { .. }
        | Op::I { .. }
        | Op::If { .. } => false,
    }
}

/// Whether a projection begins at the node.
fn is_sender(op: &Op) -> bool {
    op.is_stateful() || matches!(op, Op::Input { .. } | Op::Threshold { .. })
}

pub(super) fn wire(
    network: &Network,
    schedule: &Schedule,
    semantics: &Semantics,
) -> Result<Wiring> {
    let nodes = &network.nodes;
    let mut edges_into: IdVec<NodeId, Vec<(NodeId, bool)>> = nodes.ids().map(|_| vec![]).collect();
    for (i, e) in network.edges.iter().enumerate() {
        edges_into[e.to].push((e.from, schedule.is_previous(i)));
    }
    // (source, carries the previous step) -> number of paths
    type Sources = BTreeMap<(NodeId, bool), f64>;
    let mut sources: IdVec<NodeId, Sources> = nodes.ids().map(|_| Sources::new()).collect();
    let gather = |id: NodeId, sources: &IdVec<NodeId, Sources>| {
        let mut found = Sources::new();
        for &(from, previous) in &edges_into[id] {
            if is_alias(&nodes[from].op) {
                // An alias keeps no state, so its out-edges carry the same step.
                for (&key, &count) in &sources[from] {
                    *found.entry(key).or_insert(0.0) += count;
                }
            } else {
                *found.entry((from, previous)).or_insert(0.0) += 1.0;
            }
        }
        found
    };
    // The aliases first: a Delay may stand before its source in the order.
    let (aliases, others): (Vec<NodeId>, Vec<NodeId>) =
        (schedule.order.iter()).partition(|&&id| is_alias(&nodes[id].op));
    let mut total = 0usize;
    for id in aliases.into_iter().chain(others) {
        let found = gather(id, &sources);
        total += found.len();
        if total > MAX_WIRES {
            return Err(Diagnostic::error(
                Code::GraphUnsupported,
                &nodes[id].origin,
                format!("the graph has more than {MAX_WIRES} connections after Flatten nodes are resolved"),
            )
            .help("remove Flatten nodes that join many inputs")
            .into());
        }
        sources[id] = found;
    }

    let chip = semantics.edge_delay == EdgeDelay::Chip;
    let old = semantics.spike_on == SpikeOn::Old;
    let into: IdVec<NodeId, Vec<Wire>> = sources
        .iter()
        .map(|(id, sources)| {
            let renames = sources.len() == 1 && sources.values().all(|&count| count == 1.0);
            let receives = match &nodes[id].op {
                Op::Output { .. } => !renames,
                op => !is_alias(op),
            };
            let wire = |(&(source, previous), &count): (&(NodeId, bool), &f64)| {
                let op = &nodes[source].op;
                let previous = previous && !(old && is_spiking(op));
                Wire {
                    source,
                    delayed: previous || (chip && receives && is_sender(op)),
                    count,
                }
            };
            sources.iter().map(wire).collect()
        })
        .collect();
    let latency = if chip {
        latencies(network, &into)
    } else {
        nodes.ids().map(|_| 0).collect()
    };
    Ok(Wiring { into, latency })
}

/// Fewest delayed wires on a path from an Input; 0 where no Input reaches.
fn latencies(network: &Network, into: &IdVec<NodeId, Vec<Wire>>) -> IdVec<NodeId, usize> {
    let mut out: IdVec<NodeId, Vec<(NodeId, usize)>> = into.ids().map(|_| vec![]).collect();
    for (to, wires) in into.iter() {
        for w in wires {
            out[w.source].push((to, usize::from(w.delayed)));
        }
    }
    let mut best: IdVec<NodeId, Option<usize>> = into.ids().map(|_| None).collect();
    let mut queue: VecDeque<(NodeId, usize)> =
        network.inputs().into_iter().map(|id| (id, 0)).collect();
    // Wires cost 0 or 1, so a double-ended queue stays sorted by cost.
    while let Some((id, cost)) = queue.pop_front() {
        if best[id].is_some() {
            continue;
        }
        best[id] = Some(cost);
        for &(to, step) in &out[id] {
            if best[to].is_none() {
                if step == 0 {
                    queue.push_front((to, cost));
                } else {
                    queue.push_back((to, cost + 1));
                }
            }
        }
    }
    best.values().map(|b| b.unwrap_or(0)).collect()
}
