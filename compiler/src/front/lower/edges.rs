//! The ends of edges, and the repair of those that name no node.
//!
//! Exporters renamed nodes, or flattened nested graphs, and left the edges as
//! they were. An end that names no node of its graph is taken as, in this order:
//!
//! 1. a port of a nested graph, if it is the path of one (`rnn.in`);
//! 2. a port that a flattened nested graph left behind: `<name>.input` where
//!    an edge ends, `<name>.output` where one begins;
//! 3. the only node that no edge of the graph names and that shares the
//!    beginning of the name, one being a prefix of the other.
//!
//! Each such name is one warning; anything else is an error.

use super::Faults;
use crate::front::DuplicateEdges;
use crate::front::nir::{NirEdge, NirGraph};
use ir::origin::escape;
use ir::{Code, Diagnostic, Origin};
use std::collections::{BTreeMap, BTreeSet};

/// Which end of an edge a name stands at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    From,
    To,
}

/// The edges of one graph with ends that exist, and how often each counts.
pub(super) fn repaired<'g>(
    graph: &'g NirGraph,
    inner_ports: &BTreeSet<String>,
    duplicates: DuplicateEdges,
    faults: &mut Faults,
) -> Vec<(String, String, u64)> {
    let origin = Origin::NirNode {
        file: faults.file.clone(),
        path: format!("{}/edges", graph.path),
        kind: "edges".to_owned(),
    };
    let ends = Ends::new(graph, inner_ports);
    let mut repairs: BTreeMap<(&'g str, String), Vec<&'g NirEdge>> = BTreeMap::new();
    let mut refused: BTreeSet<&NirEdge> = BTreeSet::new();
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut order = Vec::new();
    for edge in &graph.edges {
        let from = ends.find(&edge.from, End::From);
        let to = ends.find(&edge.to, End::To);
        let (Some(from), Some(to)) = (from, to) else {
            if refused.insert(edge) {
                faults.push(ends.dangling(edge, &origin));
            }
            continue;
        };
        for (end, taken) in [(&edge.from, &from), (&edge.to, &to)] {
            if end != taken {
                let edges = repairs.entry((end.as_str(), taken.clone())).or_default();
                if !edges.contains(&edge) {
                    edges.push(edge);
                }
            }
        }
        let ends = (from, to);
        let count = counts.entry(ends.clone()).or_default();
        *count += 1;
        if *count == 1 {
            order.push(ends);
        }
    }
    for ((name, taken), edges) in repairs {
        faults.push(repair(name, &taken, &edges, &origin));
    }
    let mut edges = Vec::with_capacity(order.len());
    for ends in order {
        let found = counts.get(&ends).copied().unwrap_or(1);
        if found > 1 {
            faults.push(duplicate(&ends, found, duplicates, &origin));
        }
        let count = match duplicates {
            DuplicateEdges::Once => 1,
            DuplicateEdges::Sum => found,
        };
        edges.push((ends.0, ends.1, count));
    }
    edges
}

fn repair(name: &str, taken: &str, edges: &[&NirEdge], origin: &Origin) -> Diagnostic {
    let message = format!(
        "edges name '{}', which is no node; they are taken as edges of '{}'",
        escape(name),
        escape(taken)
    );
    edges
        .iter()
        .take(8)
        .fold(
            Diagnostic::warning(Code::NirEdgeRepaired, origin, message),
            |warning, edge| warning.note(shown(edge)),
        )
        .help("rename the node or the ends of its edges in the exporter")
}

fn duplicate(
    (from, to): &(String, String),
    found: u64,
    duplicates: DuplicateEdges,
    origin: &Origin,
) -> Diagnostic {
    let times = match found {
        2 => "twice".to_owned(),
        n => format!("{n} times"),
    };
    let (counted, help) = match duplicates {
        DuplicateEdges::Once => (
            "once",
            "use --duplicate-edges sum to count each, or write each edge once",
        ),
        DuplicateEdges::Sum => (
            "as often",
            "write each edge once, and a Scale node where a value counts more",
        ),
    };
    let edge = format!("'{}' -> '{}'", escape(from), escape(to));
    Diagnostic::warning(
        Code::NirDuplicateEdge,
        origin,
        format!("edge {edge} occurs {times}; it is counted {counted}"),
    )
    .help(help)
}

fn shown(edge: &NirEdge) -> String {
    format!("'{}' -> '{}'", escape(&edge.from), escape(&edge.to))
}

struct Ends<'g> {
    names: BTreeSet<&'g str>,
    /// Nodes that no edge names.
    loose: Vec<&'g str>,
    /// Ports of nested graphs, as paths from this graph.
    inner: &'g BTreeSet<String>,
}

impl<'g> Ends<'g> {
    fn new(graph: &'g NirGraph, inner: &'g BTreeSet<String>) -> Self {
        let names: BTreeSet<&str> = graph.nodes.iter().map(|n| n.name.as_str()).collect();
        let named: BTreeSet<&str> = graph
            .edges
            .iter()
            .flat_map(|e| [e.from.as_str(), e.to.as_str()])
            .collect();
        let loose = names.difference(&named).copied().collect();
        Self {
            names,
            loose,
            inner,
        }
    }

    fn find(&self, name: &str, end: End) -> Option<String> {
        if self.names.contains(name) || self.inner.contains(name) {
            return Some(name.to_owned());
        }
        let port = match end {
            End::From => format!("{name}.output"),
            End::To => format!("{name}.input"),
        };
        if self.names.contains(port.as_str()) {
            return Some(port);
        }
        let mut similar = self.loose.iter().filter(|n| alike(name, n));
        match (similar.next(), similar.next()) {
            (Some(one), None) => Some((*one).to_owned()),
            _ => None,
        }
    }

    fn dangling(&self, edge: &NirEdge, origin: &Origin) -> Diagnostic {
        let missing: Vec<&String> = [(&edge.from, End::From), (&edge.to, End::To)]
            .into_iter()
            .filter(|(name, end)| self.find(name, *end).is_none())
            .map(|(name, _)| name)
            .collect();
        let quoted: Vec<String> = missing.iter().map(|m| format!("'{}'", escape(m))).collect();
        let error = Diagnostic::error(
            Code::NirEdge,
            origin,
            format!(
                "edge {} names {}, which is no node",
                shown(edge),
                quoted.join(" and ")
            ),
        )
        .note(self.listing());
        let similar: Vec<String> = self
            .names
            .iter()
            .filter(|n| missing.iter().any(|m| alike(m, n)))
            .take(3)
            .map(|n| format!("'{}'", escape(n)))
            .collect();
        if similar.is_empty() {
            error.help("export the network again; both ends must be nodes of this graph")
        } else {
            error.help(format!("did the exporter mean {}?", similar.join(" or ")))
        }
    }

    fn listing(&self) -> String {
        const SHOWN: usize = 12;
        let list: Vec<String> = self.names.iter().take(SHOWN).map(|n| escape(n)).collect();
        let rest = match self.names.len().saturating_sub(SHOWN) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        format!("the nodes of this graph are: {}{rest}", list.join(", "))
    }
}

/// Whether one name begins with the other.
fn alike(a: &str, b: &str) -> bool {
    !a.is_empty() && !b.is_empty() && (a.starts_with(b) || b.starts_with(a))
}
