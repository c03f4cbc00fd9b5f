//! A stable order of nodes: files keep none.

use super::flatten::{Flat, by_name};
use std::collections::{BTreeSet, VecDeque};

/// Positions in the order of the network: Inputs first, then every node after
/// its predecessors. In a cycle the node nearest to an Input comes first. Ties
/// go by natural name order.
pub(super) fn order(flat: &Flat<'_>) -> Vec<usize> {
    let n = flat.nodes.len();
    let mut successors = vec![Vec::new(); n];
    let mut waiting = vec![0usize; n];
    for &(from, to) in flat.edges.keys() {
        if from != to {
            successors[from].push(to);
            waiting[to] += 1;
        }
    }
    let mut rank = vec![0usize; n];
    for (r, &at) in by_name(&flat.nodes).iter().enumerate() {
        rank[at] = r;
    }
    let is_input = |at: usize| flat.nodes[at].kind() == "Input";
    let depth = depths(&successors, (0..n).filter(|&at| is_input(at)));

    // Sorted by what decides, so the first element is always the next node.
    let mut ready: BTreeSet<(bool, usize, usize)> = BTreeSet::new();
    let mut rest: BTreeSet<(usize, usize, usize)> = BTreeSet::new();
    for at in 0..n {
        if waiting[at] == 0 {
            ready.insert((!is_input(at), rank[at], at));
        } else {
            rest.insert((depth[at], rank[at], at));
        }
    }
    let mut order = Vec::with_capacity(n);
    while order.len() < n {
        let next = match ready.pop_first() {
            Some((_, _, at)) => at,
            None => match rest.pop_first() {
                Some((_, _, at)) => at,
                None => break,
            },
        };
        order.push(next);
        for &to in &successors[next] {
            waiting[to] = waiting[to].saturating_sub(1);
            if waiting[to] == 0 && rest.remove(&(depth[to], rank[to], to)) {
                ready.insert((!is_input(to), rank[to], to));
            }
        }
    }
    order
}

/// Edges from the nearest start; unreachable nodes get the largest number.
fn depths(successors: &[Vec<usize>], starts: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut depth = vec![usize::MAX; successors.len()];
    let mut queue = VecDeque::new();
    for at in starts {
        depth[at] = 0;
        queue.push_back(at);
    }
    while let Some(at) = queue.pop_front() {
        for &to in &successors[at] {
            if depth[to] == usize::MAX {
                depth[to] = depth[at] + 1;
                queue.push_back(to);
            }
        }
    }
    depth
}
