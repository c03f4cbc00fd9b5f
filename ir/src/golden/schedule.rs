//! When each node runs within a step, and which edges carry the previous step.
//!
//! Within a step, values flow along edges in topological order. A cycle needs
//! at least one edge whose value is that of the step before (zero in step 0).
//! NIR doesn't say which, so one rule does, for golden and the chip alike:
//!
//! - edges into a Delay whose smallest delay is at least one whole step are
//!   left out: it breaks a cycle by exactly its own delay, and its output of a
//!   step is known before its input (smaller delays make a Delay a stateless
//!   node like any other, whatever its other elements wait);
//! - depth = number of edges from the nearest Input, infinite if none reaches;
//! - inside a strongly connected component, an edge a → b from a stateful `a`
//!   carries the previous step if and only if walking from `b`, continuing only
//!   through stateless nodes of the component, meets a node with
//!   depth ≤ depth(a);
//! - every other edge carries the same step.
//!
//! | graph | previous-step edges |
//! |---|---|
//! | A → A | the self loop |
//! | A → w → A, w stateless | A → w (and so w's bias acts in step 0) |
//! | A → B → A, A nearer the input | B → A |
//! | A → B → A, equal depth | both |
//! | A → D → A, D a Delay of d ≥ 1 steps | none: d steps round the cycle |
//! | A → D → A, D a Delay of 0 steps | A → D |
//!
//! The deepest neuron of a cycle always qualifies, so a cycle that remains
//! holds stateless nodes only: an algebraic loop, which is an error.

use super::delay::least_steps;
use crate::code::Code;
use crate::diag::{Diagnostic, Diagnostics, Result};
use crate::id::{Id, IdVec, NodeId};
use crate::network::{Network, Op};
use crate::origin::escape;
use std::collections::{BTreeSet, VecDeque};

/// The order of one step. Depends on the graph and on which Delays last at
/// least one step, not on other options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// All nodes; each follows the sources of its same-step in-edges. Among
    /// nodes that are ready together, lower ids come first.
    pub order: Vec<NodeId>,
    /// For each edge, in the order of `Network::edges`: whether it carries the
    /// value of the previous step.
    pub previous: Vec<bool>,
    /// The Delays of at least one step: they run without waiting for their
    /// in-edges, whose values they take at the end of the step.
    pub ahead: IdVec<NodeId, bool>,
    /// Edges from the nearest Input; `None` if no Input reaches the node.
    pub depth: IdVec<NodeId, Option<usize>>,
    /// The strongly connected component of each node.
    component: IdVec<NodeId, usize>,
    /// For each node, whether it lies on a cycle.
    cyclic: IdVec<NodeId, bool>,
}

impl Schedule {
    /// Whether edge number `edge` of `Network::edges` carries the previous step.
    pub fn is_previous(&self, edge: usize) -> bool {
        self.previous.get(edge).copied().unwrap_or(false)
    }
    /// Whether the node lies on a cycle.
    pub fn on_cycle(&self, node: NodeId) -> bool {
        self.cyclic.get(node).copied().unwrap_or(false)
    }
    /// Whether some cycle passes through both nodes.
    pub fn share_cycle(&self, a: NodeId, b: NodeId) -> bool {
        self.on_cycle(a) && self.component.get(a) == self.component.get(b)
    }
}

/// Derives the schedule of a network. `dt` is in the file's time unit and
/// matters for Delays only; without it every delay above 0 counts as a step.
///
/// Fails with one [`Code::AlgebraicLoop`] per group of stateless nodes that
/// feed each other, with a cycle printed by names.
pub fn schedule(network: &Network, dt: Option<f64>) -> Result<Schedule> {
    let n = network.nodes.len();
    let stray = |id: NodeId| id.index() >= n;
    if network.edges.iter().any(|e| stray(e.from) || stray(e.to)) {
        return Err(
            Diagnostic::internal("an edge of the network names a node out of range").into(),
        );
    }
    let ahead: IdVec<NodeId, bool> = network
        .nodes
        .values()
        .map(|n| matches!(&n.op, Op::Delay { delay } if least_steps(delay, dt) > 0))
        .collect();
    let mut succs = network.successors();
    for next in succs.values_mut() {
        next.retain(|&to| !ahead[to]);
    }
    let depth = depths(network, &succs);
    let component = components(&succs);
    let lowest = lowest_depth_met(network, &depth, &component);
    let key = |d: Option<usize>| d.unwrap_or(usize::MAX);
    let inside = |from, to| component[from] == component[to];
    let previous: Vec<bool> = network
        .edges
        .iter()
        .map(|e| {
            inside(e.from, e.to)
                && network.nodes[e.from].op.is_stateful()
                && lowest[e.to] <= key(depth[e.from])
        })
        .collect();

    let mut sizes = vec![0usize; n];
    for &c in component.values() {
        sizes[c] += 1;
    }
    let mut cyclic: IdVec<NodeId, bool> = component.values().map(|&c| sizes[c] > 1).collect();
    for e in &network.edges {
        if e.from == e.to && !ahead[e.to] {
            cyclic[e.from] = true;
        }
    }
    let order = order(network, &previous, &ahead)?;
    Ok(Schedule {
        order,
        previous,
        ahead,
        depth,
        component,
        cyclic,
    })
}

/// Breadth-first distance from the Inputs.
fn depths(network: &Network, succs: &IdVec<NodeId, Vec<NodeId>>) -> IdVec<NodeId, Option<usize>> {
    let mut depth: IdVec<NodeId, Option<usize>> = network.nodes.ids().map(|_| None).collect();
    let mut queue: VecDeque<(NodeId, usize)> = VecDeque::new();
    for id in network.inputs() {
        depth[id] = Some(0);
        queue.push_back((id, 0));
    }
    while let Some((id, d)) = queue.pop_front() {
        for &s in &succs[id] {
            if depth[s].is_none() {
                depth[s] = Some(d + 1);
                queue.push_back((s, d + 1));
            }
        }
    }
    depth
}

/// For each node, the smallest depth met on a walk that starts there and
/// continues only through stateless nodes of the same component
/// (`usize::MAX` = infinite). Nodes are taken by rising depth and hand their
/// depth backward, so each node is settled once.
fn lowest_depth_met(
    network: &Network,
    depth: &IdVec<NodeId, Option<usize>>,
    component: &IdVec<NodeId, usize>,
) -> IdVec<NodeId, usize> {
    let preds = network.predecessors();
    let mut lowest: IdVec<NodeId, Option<usize>> = network.nodes.ids().map(|_| None).collect();
    let mut by_depth: Vec<NodeId> = network.nodes.ids().collect();
    by_depth.sort_by_key(|&id| depth[id].unwrap_or(usize::MAX));
    let mut stack = Vec::new();
    for start in by_depth {
        if lowest[start].is_some() {
            continue;
        }
        let d = depth[start].unwrap_or(usize::MAX);
        lowest[start] = Some(d);
        stack.push(start);
        while let Some(id) = stack.pop() {
            for &p in &preds[id] {
                let walks_on = !network.nodes[p].op.is_stateful() && component[p] == component[id];
                if walks_on && lowest[p].is_none() {
                    lowest[p] = Some(d);
                    stack.push(p);
                }
            }
        }
    }
    lowest.values().map(|l| l.unwrap_or(usize::MAX)).collect()
}

/// Strongly connected components (Tarjan, with an explicit stack since a file
/// may hold a chain of any length).
fn components(succs: &IdVec<NodeId, Vec<NodeId>>) -> IdVec<NodeId, usize> {
    const UNSEEN: usize = usize::MAX;
    let n = succs.len();
    let mut index = vec![UNSEEN; n];
    let mut low = vec![0usize; n];
    let mut component = vec![UNSEEN; n];
    let mut open: Vec<usize> = Vec::new();
    let (mut seen, mut found) = (0, 0);
    // (node, position in its successor list)
    let mut calls: Vec<(usize, usize)> = Vec::new();
    for root in 0..n {
        if index[root] != UNSEEN {
            continue;
        }
        calls.push((root, 0));
        while let Some((v, i)) = calls.pop() {
            if i == 0 {
                index[v] = seen;
                low[v] = seen;
                seen += 1;
                open.push(v);
            }
            if let Some(w_id) = succs[NodeId::from_index(v)].get(i) {
                calls.push((v, i + 1));
                let w = w_id.index();
                if index[w] == UNSEEN {
                    calls.push((w, 0));
                } else if component[w] == UNSEEN {
                    low[v] = low[v].min(index[w]);
                }
                continue;
            }
            if low[v] == index[v] {
                while let Some(w) = open.pop() {
                    component[w] = found;
                    if w == v {
                        break;
                    }
                }
                found += 1;
            }
            if let Some(&(parent, _)) = calls.last() {
                low[parent] = low[parent].min(low[v]);
            }
        }
    }
    component.into_iter().collect()
}

/// Topological order over the same-step edges, lowest id first.
fn order(network: &Network, previous: &[bool], ahead: &IdVec<NodeId, bool>) -> Result<Vec<NodeId>> {
    let mut waits: IdVec<NodeId, usize> = network.nodes.ids().map(|_| 0).collect();
    let mut next: IdVec<NodeId, Vec<NodeId>> = network.nodes.ids().map(|_| Vec::new()).collect();
    let edges = network.edges.iter().zip(previous);
    for (e, _) in edges.filter(|(e, previous)| !**previous && !ahead[e.to]) {
        waits[e.to] += 1;
        next[e.from].push(e.to);
    }
    let mut ready: BTreeSet<NodeId> = network.nodes.ids().filter(|&id| waits[id] == 0).collect();
    let mut order = Vec::with_capacity(network.nodes.len());
    while let Some(id) = ready.pop_first() {
        order.push(id);
        for &s in &next[id] {
            waits[s] -= 1;
            if waits[s] == 0 {
                ready.insert(s);
            }
        }
    }
    if order.len() == network.nodes.len() {
        return Ok(order);
    }
    Err(loops(network, &next))
}

/// One diagnostic for each component of the same-step edges that holds a cycle.
fn loops(network: &Network, next: &IdVec<NodeId, Vec<NodeId>>) -> Diagnostics {
    let component = components(next);
    let mut members = vec![0usize; network.nodes.len()];
    for &c in component.values() {
        members[c] += 1;
    }
    let mut reported = BTreeSet::new();
    let mut found = Vec::new();
    for start in network.nodes.ids() {
        let loops = members[component[start]] > 1 || next[start].contains(&start);
        if !loops || reported.contains(&component[start]) {
            continue;
        }
        let Some(cycle) = shortest_cycle(start, next, &component) else {
            continue;
        };
        reported.insert(component[start]);
        let name = |id: NodeId| format!("'{}'", escape(&network.nodes[id].name));
        let path: Vec<String> = cycle
            .iter()
            .chain(cycle.first())
            .map(|&id| name(id))
            .collect();
        let node = &network.nodes[start];
        found.push(
            Diagnostic::error(
                Code::AlgebraicLoop,
                &node.origin,
                format!("the cycle through {} holds no neuron", name(start)),
            )
            .note(format!("cycle: {}", path.join(" -> ")))
            .note("every node of it would need its own output of the same step as input")
            .help("put a neuron or a Delay of at least one step into the cycle, or remove an edge"),
        );
    }
    if found.is_empty() {
        found.push(Diagnostic::internal(
            "the schedule is incomplete but no cycle was found",
        ));
    }
    Diagnostics(found)
}

/// The shortest cycle through `start`, beginning there.
fn shortest_cycle(
    start: NodeId,
    next: &IdVec<NodeId, Vec<NodeId>>,
    component: &IdVec<NodeId, usize>,
) -> Option<Vec<NodeId>> {
    let mut from: IdVec<NodeId, Option<NodeId>> = next.ids().map(|_| None).collect();
    let mut queue = VecDeque::from([start]);
    while let Some(id) = queue.pop_front() {
        for &s in &next[id] {
            if s == start {
                let mut path = vec![id];
                let mut at = id;
                while let Some(p) = from[at] {
                    path.push(p);
                    at = p;
                }
                path.reverse();
                return Some(path);
            }
            if component[s] == component[start] && from[s].is_none() {
                from[s] = Some(id);
                queue.push_back(s);
            }
        }
    }
    None
}
