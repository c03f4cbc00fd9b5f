//! Nested graphs become one flat graph.
//!
//! The inner Input and Output nodes of a nested graph are identities: an edge
//! into the graph is an edge to whatever its Input feeds. The same holds for
//! an Input with predecessors (some exporters left them in the middle of a
//! flattened graph) and an Output with successors.

use super::Faults;
use crate::front::nir::{NirContent, NirGraph, NirNode, natural_cmp};
use ir::origin::escape;
use ir::{Code, Diagnostic, Origin};
use std::collections::{BTreeMap, BTreeSet};

/// Most edges after flattening: identities multiply them.
const MAX_EDGES: usize = 1 << 20;

/// A graph without nesting. Edges are pairs of positions in `nodes`, unique.
pub(super) struct Flat<'g> {
    pub(super) nodes: Vec<FlatNode<'g>>,
    pub(super) edges: BTreeSet<(usize, usize)>,
}

/// A primitive with its flat name.
pub(super) struct FlatNode<'g> {
    pub(super) name: String,
    pub(super) node: &'g NirNode,
    pub(super) origin: Origin,
}

/// Where edges into and out of a source node attach.
#[derive(Clone)]
struct Ports {
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    nested: bool,
}

struct Builder<'g, 'f> {
    nodes: Vec<FlatNode<'g>>,
    /// Ports of nested graphs: they vanish.
    identity: Vec<bool>,
    edges: BTreeSet<(usize, usize)>,
    faults: &'f mut Faults,
}

/// Flattens a graph. Faults are reported; the result is then only good for
/// finding more of them.
pub(super) fn flatten<'g>(graph: &'g NirGraph, faults: &mut Faults) -> Flat<'g> {
    let mut builder = Builder {
        nodes: Vec::new(),
        identity: Vec::new(),
        edges: BTreeSet::new(),
        faults,
    };
    builder.add(graph, "", 0);
    builder.mark_inner_ports();
    builder.check_names();
    builder.drop_identities()
}

impl<'g> Builder<'g, '_> {
    fn add(&mut self, graph: &'g NirGraph, prefix: &str, depth: usize) -> Ports {
        let mut ports: BTreeMap<&str, Ports> = BTreeMap::new();
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for node in &graph.nodes {
            let name = if prefix.is_empty() {
                node.name.clone()
            } else {
                format!("{prefix}.{}", node.name)
            };
            let here = match &node.content {
                NirContent::Graph(inner) => self.add(inner, &name, depth + 1),
                NirContent::Primitive(_) => {
                    let at = self.nodes.len();
                    match node.type_name.as_str() {
                        "Input" => inputs.push(at),
                        "Output" => outputs.push(at),
                        _ => {}
                    }
                    let port = matches!(node.type_name.as_str(), "Input" | "Output");
                    self.identity.push(port && depth > 0);
                    self.nodes.push(FlatNode {
                        name,
                        node,
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
            };
            ports.insert(&node.name, here);
        }
        for edge in &graph.edges {
            let (Some(from), Some(to)) =
                (ports.get(edge.from.as_str()), ports.get(edge.to.as_str()))
            else {
                continue;
            };
            let ends = (
                self.only(&from.outputs, from.nested, graph, &edge.from, "Output"),
                self.only(&to.inputs, to.nested, graph, &edge.to, "Input"),
            );
            if let (Some(a), Some(b)) = ends {
                self.edges.insert((a, b));
            }
        }
        Ports {
            inputs,
            outputs,
            nested: true,
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
                "give the nested graph exactly one {kind} node, or export without nesting"
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
        for &(from, to) in &self.edges {
            has_out[from] = true;
            has_in[to] = true;
        }
        for (at, flat) in self.nodes.iter().enumerate() {
            let (inner, what) = match flat.node.type_name.as_str() {
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

    fn check_names(&mut self) {
        let mut seen: BTreeMap<&str, &FlatNode<'_>> = BTreeMap::new();
        for (flat, identity) in self.nodes.iter().zip(&self.identity) {
            if *identity {
                continue;
            }
            if let Some(other) = seen.insert(&flat.name, flat) {
                self.faults.errors.push(
                    Diagnostic::error(
                        Code::GraphUnsupported,
                        &flat.origin,
                        format!(
                            "two nodes are called '{}' once nesting is removed",
                            escape(&flat.name)
                        ),
                    )
                    .note(format!("the other one is {}", other.origin))
                    .help("rename one of them"),
                );
            }
        }
    }

    /// Routes edges through the identities and forgets these.
    fn drop_identities(mut self) -> Flat<'g> {
        let mut into: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); self.nodes.len()];
        let mut out = into.clone();
        for &(from, to) in &self.edges {
            out[from].insert(to);
            into[to].insert(from);
        }
        let mut count = self.edges.len();
        for at in 0..self.nodes.len() {
            if !self.identity[at] {
                continue;
            }
            let (froms, tos) = (std::mem::take(&mut into[at]), std::mem::take(&mut out[at]));
            if froms.contains(&at) {
                self.faults.push(
                    Diagnostic::error(
                        Code::AlgebraicLoop,
                        &self.nodes[at].origin,
                        "a cycle of plain connections has no defined value",
                    )
                    .help("put a neuron or a Delay into the cycle"),
                );
                continue;
            }
            for &from in &froms {
                out[from].remove(&at);
            }
            for &to in &tos {
                into[to].remove(&at);
            }
            count = count.saturating_add(froms.len().saturating_mul(tos.len()));
            if count > MAX_EDGES {
                self.faults.push(Diagnostic::error(
                    Code::Hdf5Limit,
                    &self.nodes[at].origin,
                    format!("removing the nesting gives more than {MAX_EDGES} edges"),
                ));
                break;
            }
            for &from in &froms {
                for &to in &tos {
                    let new = out[from].insert(to);
                    into[to].insert(from);
                    if !new {
                        self.twice(from, to, at);
                    }
                }
            }
        }
        let mut renumbered = vec![0usize; self.nodes.len()];
        let mut nodes = Vec::new();
        for (at, flat) in self.nodes.into_iter().enumerate() {
            renumbered[at] = nodes.len();
            if !self.identity[at] {
                nodes.push(flat);
            }
        }
        let kept = |at: &usize| !self.identity[*at];
        let mut edges = BTreeSet::new();
        for (from, tos) in out.iter().enumerate().filter(|(from, _)| kept(from)) {
            for &to in tos.iter().filter(|to| kept(to)) {
                edges.insert((renumbered[from], renumbered[to]));
            }
        }
        Flat { nodes, edges }
    }

    /// Two paths of plain connections join the same two nodes: the value
    /// would count twice, which an edge cannot say.
    fn twice(&mut self, from: usize, to: usize, via: usize) {
        let origin = self.nodes[via].origin.clone();
        self.faults.push(
            Diagnostic::error(
                Code::GraphUnsupported,
                &origin,
                format!(
                    "'{}' reaches '{}' over two plain connections, so its value counts twice",
                    escape(&self.nodes[from].name),
                    escape(&self.nodes[to].name)
                ),
            )
            .help("put a Scale node of 2 into one connection and remove the other"),
        );
    }
}

/// Positions of `nodes` in natural name order.
pub(super) fn by_name(nodes: &[FlatNode<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    order.sort_by(|&a, &b| natural_cmp(&nodes[a].name, &nodes[b].name));
    order
}
