//! Nested graphs become one flat graph.
//!
//! The inner Input and Output nodes of a nested graph are identities: an edge
//! into the graph is an edge to whatever its Input feeds. The same holds for
//! an Input with predecessors (some exporters left them in the middle of a
//! flattened graph) and an Output with successors.
//!
//! Identities can join two nodes over several paths: a skip connection without
//! weights. The value then counts as often as there are paths.

use super::edges::repaired;
use super::{Faults, ports};
use crate::front::DuplicateEdges;
use crate::front::nir::{NirContent, NirGraph, NirNode, natural_cmp};
use ir::network::Op;
use ir::origin::escape;
use ir::{Code, Diagnostic, Origin};
use std::collections::{BTreeMap, BTreeSet};

/// Most edges after flattening: identities multiply them.
const MAX_EDGES: usize = 1 << 20;

/// A graph without nesting.
pub(super) struct Flat<'g> {
    pub(super) nodes: Vec<FlatNode<'g>>,
    /// Pairs of positions in `nodes`, with how often the edge counts.
    pub(super) edges: BTreeMap<(usize, usize), u64>,
    /// Identities that vanished, each with the nodes around it and whether
    /// these come behind it.
    pub(super) dropped: Vec<(FlatNode<'g>, Vec<(usize, bool)>)>,
}

/// A primitive with its flat name.
pub(super) struct FlatNode<'g> {
    pub(super) name: String,
    pub(super) source: Source<'g>,
    pub(super) origin: Origin,
}

/// Where a node comes from.
pub(super) enum Source<'g> {
    File(&'g NirNode),
    /// The file has none; it follows from the graph.
    Made(Op),
}

impl FlatNode<'_> {
    pub(super) fn kind(&self) -> &str {
        match &self.source {
            Source::File(node) => node.type_name.as_str(),
            Source::Made(op) => op.kind(),
        }
    }
}

/// Where edges into and out of a source node attach.
#[derive(Clone, Default)]
struct Ports {
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    nested: bool,
}

struct Builder<'g, 'f> {
    nodes: Vec<FlatNode<'g>>,
    /// Ports of nested graphs: they vanish.
    identity: Vec<bool>,
    edges: BTreeMap<(usize, usize), u64>,
    duplicates: DuplicateEdges,
    faults: &'f mut Faults,
}

/// Flattens a graph. Faults are reported; the result is then only good for
/// finding more of them.
pub(super) fn flatten<'g>(
    graph: &'g NirGraph,
    duplicates: DuplicateEdges,
    faults: &mut Faults,
) -> Flat<'g> {
    let mut builder = Builder {
        nodes: Vec::new(),
        identity: Vec::new(),
        edges: BTreeMap::new(),
        duplicates,
        faults,
    };
    builder.add(graph, "", 0);
    builder.mark_inner_ports();
    let mut flat = builder.drop_identities();
    ports::complete(&mut flat, faults);
    ports::check_names(&flat, faults);
    flat
}

impl<'g> Builder<'g, '_> {
    fn add(&mut self, graph: &'g NirGraph, prefix: &str, depth: usize) -> Ports {
        let mut members: BTreeMap<&str, Ports> = BTreeMap::new();
        let mut whole = Ports {
            nested: true,
            ..Ports::default()
        };
        for node in &graph.nodes {
            let name = if prefix.is_empty() {
                node.name.clone()
            } else {
                format!("{prefix}.{}", node.name)
            };
            let ports = match &node.content {
                NirContent::Graph(inner) => self.add(inner, &name, depth + 1),
                NirContent::Primitive(_) => self.primitive(node, name, depth, &mut whole),
            };
            members.insert(&node.name, ports);
        }
        let cut = if prefix.is_empty() {
            0
        } else {
            prefix.len() + 1
        };
        let mut inner: BTreeMap<String, usize> = BTreeMap::new();
        for ports in members.values().filter(|p| p.nested) {
            for &at in ports.inputs.iter().chain(&ports.outputs) {
                let path = self.nodes[at].name.get(cut..).unwrap_or_default();
                inner.insert(path.to_owned(), at);
            }
        }
        let paths: BTreeSet<String> = inner.keys().cloned().collect();
        for (from, to, count) in repaired(graph, &paths, self.duplicates, self.faults) {
            let end =
                |this: &mut Self, name: &str, pick: fn(&Ports) -> &Vec<usize>, kind| match members
                    .get(name)
                {
                    Some(ports) => this.only(pick(ports), ports.nested, graph, name, kind),
                    None => inner.get(name).copied(),
                };
            let a = end(self, &from, |p| &p.outputs, "Output");
            let b = end(self, &to, |p| &p.inputs, "Input");
            if let (Some(a), Some(b)) = (a, b) {
                self.edges.insert((a, b), count);
            }
        }
        if depth > 0 {
            self.missing_ports(&members, &mut whole);
        }
        whole
    }

    fn primitive(
        &mut self,
        node: &'g NirNode,
        name: String,
        depth: usize,
        whole: &mut Ports,
    ) -> Ports {
        let at = self.nodes.len();
        let port = match node.type_name.as_str() {
            "Input" => {
                whole.inputs.push(at);
                true
            }
            "Output" => {
                whole.outputs.push(at);
                true
            }
            _ => false,
        };
        self.identity.push(port && depth > 0);
        self.nodes.push(FlatNode {
            name,
            source: Source::File(node),
            origin: Origin::NirNode {
                file: self.faults.file.clone(),
                path: node.path.clone(),
                kind: node.kind(),
            },
        });
        Ports {
            inputs: vec![at],
            outputs: vec![at],
            nested: false,
        }
    }

    /// A nested graph without Input or Output begins and ends where its edges
    /// do, if that is one place.
    fn missing_ports(&mut self, members: &BTreeMap<&str, Ports>, whole: &mut Ports) {
        let inside: BTreeSet<usize> = members
            .values()
            .flat_map(|p| p.inputs.iter().chain(&p.outputs))
            .copied()
            .collect();
        for kind in ["Input", "Output"] {
            let input = kind == "Input";
            let ports = if input { &whole.inputs } else { &whole.outputs };
            if !ports.is_empty() {
                continue;
            }
            let open = |at: &usize| {
                !self
                    .edges
                    .keys()
                    .any(|&(from, to)| from != to && if input { to == *at } else { from == *at })
            };
            let ends: Vec<usize> = inside.iter().copied().filter(open).collect();
            let [one] = ends.as_slice() else { continue };
            let node = &self.nodes[*one];
            let message = format!(
                "a nested graph has no {kind} node; '{}' is taken for it",
                escape(&node.name)
            );
            self.faults.push(
                Diagnostic::warning(Code::NirPortAdded, &node.origin, message)
                    .help(format!("add an {kind} node to the nested graph")),
            );
            if input {
                whole.inputs = ends;
            } else {
                whole.outputs = ends;
            }
        }
    }

    /// NIR edges carry no port, so a nested graph needs exactly one to attach to.
    fn only(
        &mut self,
        ports: &[usize],
        nested: bool,
        graph: &NirGraph,
        name: &str,
        kind: &str,
    ) -> Option<usize> {
        if let [one] = ports {
            return Some(*one);
        }
        if nested {
            let origin = Origin::NirNode {
                file: self.faults.file.clone(),
                path: format!("{}/nodes/{name}", graph.path),
                kind: "NIRGraph".to_owned(),
            };
            let names: Vec<String> = ports.iter().map(|&p| escape(&self.nodes[p].name)).collect();
            let names = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            let error = Diagnostic::error(
                Code::GraphUnsupported,
                &origin,
                format!(
                    "an edge of the nested graph '{}' is ambiguous: it has {} {kind} nodes",
                    escape(name),
                    ports.len()
                ),
            )
            .note(format!(
                "NIR edges name no port; the {kind} nodes are: {names}"
            ))
            .help(format!(
                "give the nested graph exactly one {kind} node, name the port in the edge ('{}.PORT'), or export without nesting",
                escape(name)
            ));
            if !self.faults.errors.contains(&error) {
                self.faults.push(error);
            }
        }
        None
    }

    /// Ports in the middle of the outer graph are identities too.
    fn mark_inner_ports(&mut self) {
        let mut has_in = vec![false; self.nodes.len()];
        let mut has_out = vec![false; self.nodes.len()];
        for &(from, to) in self.edges.keys() {
            has_out[from] = true;
            has_in[to] = true;
        }
        for (at, flat) in self.nodes.iter().enumerate() {
            let (inner, what) = match flat.kind() {
                "Input" => (has_in[at], "an Input with incoming edges"),
                "Output" => (has_out[at], "an Output with outgoing edges"),
                _ => continue,
            };
            if inner && !self.identity[at] {
                self.identity[at] = true;
                self.faults.push(
                    Diagnostic::warning(
                        Code::NirLayout,
                        &flat.origin,
                        format!("{what} is taken as a plain connection"),
                    )
                    .help("it is no port of the network; remove it in the exporter"),
                );
            }
        }
    }

    /// Routes edges through the identities and forgets these.
    fn drop_identities(self) -> Flat<'g> {
        let Self {
            nodes,
            identity,
            edges,
            faults,
            ..
        } = self;
        let n = nodes.len();
        let mut around: BTreeMap<usize, BTreeSet<(usize, bool)>> = BTreeMap::new();
        let mut into: Vec<BTreeMap<usize, u64>> = vec![BTreeMap::new(); n];
        let mut out = into.clone();
        for (&(from, to), &times) in &edges {
            out[from].insert(to, times);
            into[to].insert(from, times);
            for (a, b, behind) in [(from, to, true), (to, from, false)] {
                if identity[a] && !identity[b] {
                    around.entry(a).or_default().insert((b, behind));
                }
            }
        }
        let mut count = edges.len();
        for at in (0..n).filter(|&at| identity[at]) {
            let (froms, tos) = (std::mem::take(&mut into[at]), std::mem::take(&mut out[at]));
            if froms.contains_key(&at) {
                faults.push(
                    Diagnostic::error(
                        Code::AlgebraicLoop,
                        &nodes[at].origin,
                        "a cycle of plain connections has no defined value",
                    )
                    .help("put a neuron or a Delay into the cycle"),
                );
                continue;
            }
            for from in froms.keys() {
                out[*from].remove(&at);
            }
            for to in tos.keys() {
                into[*to].remove(&at);
            }
            count = count.saturating_add(froms.len().saturating_mul(tos.len()));
            if count > MAX_EDGES {
                faults.push(Diagnostic::error(
                    Code::Hdf5Limit,
                    &nodes[at].origin,
                    format!("removing the nesting gives more than {MAX_EDGES} edges"),
                ));
                break;
            }
            for (&from, &a) in &froms {
                for (&to, &b) in &tos {
                    let more = a.saturating_mul(b);
                    let times = out[from].entry(to).or_default();
                    *times = times.saturating_add(more);
                    into[to].insert(from, *times);
                }
            }
        }
        let mut renumbered = vec![0usize; n];
        let mut kept = Vec::new();
        let mut vanished = Vec::new();
        for (at, flat) in nodes.into_iter().enumerate() {
            renumbered[at] = kept.len();
            if identity[at] {
                vanished.push((at, flat));
            } else {
                kept.push(flat);
            }
        }
        let mut edges = BTreeMap::new();
        for (from, tos) in out.iter().enumerate().filter(|(from, _)| !identity[*from]) {
            for (&to, &times) in tos.iter().filter(|(to, _)| !identity[**to]) {
                edges.insert((renumbered[from], renumbered[to]), times);
            }
        }
        let dropped = vanished
            .into_iter()
            .map(|(at, flat)| {
                let near = around.remove(&at).unwrap_or_default();
                let near = near.into_iter().map(|(b, behind)| (renumbered[b], behind));
                (flat, near.collect())
            })
            .collect();
        Flat {
            nodes: kept,
            edges,
            dropped,
        }
    }
}

/// Positions of `nodes` in natural name order.
pub(super) fn by_name(nodes: &[FlatNode<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    order.sort_by(|&a, &b| natural_cmp(&nodes[a].name, &nodes[b].name));
    order
}
