//! The order in which forms are made: each node after the stateless nodes that
//! it reads. What senders send needs no form, so they never have to be waited
//! for.
//!
//! A cycle of stateless nodes is legal if a Delay of at least a step breaks it
//! (`y(t) = x(t) + w y(t - 3)`). No finite sum of lags says what it computes, so
//! one Delay of it becomes a population that sends what arrives at it; the
//! Delay's steps are then the lag of what leaves it.

use ir::diag::Diagnostic;
use ir::golden::Schedule;
use ir::id::{IdVec, NodeId};
use ir::network::{Network, Op};
use std::collections::BTreeSet;

/// The order of all nodes, and the Delays that became populations.
pub(super) struct Order {
    pub(super) nodes: Vec<NodeId>,
    pub(super) kept: BTreeSet<NodeId>,
}

/// Whether a node is a population by itself.
pub(super) fn sends(op: &Op) -> bool {
    op.is_stateful() || matches!(op, Op::Input { .. } | Op::Threshold { .. })
}

pub(super) fn order(network: &Network, schedule: &Schedule) -> Result<Order, Diagnostic> {
    let succs = network.successors();
    let mut rank: IdVec<NodeId, usize> = network.nodes.ids().map(|_| usize::MAX).collect();
    for (at, &id) in schedule.order.iter().enumerate() {
        rank[id] = at;
    }
    let mut waits: IdVec<NodeId, usize> = network.nodes.ids().map(|_| 0).collect();
    for e in &network.edges {
        if !sends(&network.nodes[e.from].op) {
            waits[e.to] += 1;
        }
    }
    let idle = network.nodes.ids().filter(|&id| waits[id] == 0);
    let mut ready: BTreeSet<(usize, NodeId)> = idle.map(|id| (rank[id], id)).collect();
    let mut done = Order {
        nodes: Vec::with_capacity(network.nodes.len()),
        kept: BTreeSet::new(),
    };
    let mut left: BTreeSet<(usize, NodeId)> =
        network.nodes.ids().map(|id| (rank[id], id)).collect();
    while !left.is_empty() {
        let released = match ready.pop_first() {
            Some(next) => {
                left.remove(&next);
                done.nodes.push(next.1);
                next.1
            }
            None => {
                let cyclic = left.iter().map(|&(_, id)| id).find(|&id| {
                    matches!(network.nodes[id].op, Op::Delay { .. })
                        && !done.kept.contains(&id)
                        && reaches_itself(id, network, &succs, &done.kept)
                });
                let delay = cyclic.ok_or_else(|| {
                    Diagnostic::internal("a cycle without neuron or Delay passed the schedule")
                })?;
                done.kept.insert(delay);
                delay
            }
        };
        let sender = sends(&network.nodes[released].op);
        // A kept Delay released its readers when it was kept.
        let kept = done.kept.contains(&released) && done.nodes.last() == Some(&released);
        if sender || kept {
            continue;
        }
        for &s in &succs[released] {
            waits[s] -= 1;
            if waits[s] == 0 {
                ready.insert((rank[s], s));
            }
        }
    }
    Ok(done)
}

/// Whether a path of stateless nodes leads from a Delay back to it.
fn reaches_itself(
    start: NodeId,
    network: &Network,
    succs: &IdVec<NodeId, Vec<NodeId>>,
    kept: &BTreeSet<NodeId>,
) -> bool {
    let mut met = BTreeSet::new();
    let mut stack = vec![start];
    while let Some(id) = stack.pop() {
        for &s in &succs[id] {
            if s == start {
                return true;
            }
            if !sends(&network.nodes[s].op) && !kept.contains(&s) && met.insert(s) {
                stack.push(s);
            }
        }
    }
    false
}
