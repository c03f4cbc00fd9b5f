//! From the tree of HDF5 objects to nodes and edges.

use super::error::{Problems, natural_cmp};
use super::graph::{Dataset, NirContent, NirEdge, NirGraph, NirNode, Values};
use super::legacy;
use super::store::Tree;
use ir::origin::escape;
use ir::{Code, Diagnostic};
use std::collections::BTreeMap;

/// The type name of a graph.
const GRAPH: &str = "NIRGraph";

/// The graph of a file. A single primitive at the root becomes a graph of one
/// node, called `node`, since `nir.write` accepts any node.
pub(super) fn graph(tree: Tree, problems: &mut Problems) -> Option<NirGraph> {
    let located = legacy::locate(tree, problems)?;
    let Tree::Group(mut members) = located.tree else {
        return None;
    };
    let path = located.path;
    let type_name = if path.is_empty() {
        GRAPH.to_owned()
    } else {
        type_of(&mut members, path, problems)?
    };
    let mut graph = if type_name == GRAPH {
        read_graph(members, path, problems)?
    } else {
        NirGraph {
            path: path.to_owned(),
            nodes: vec![primitive(members, "node", path, type_name, problems)],
            ..NirGraph::default()
        }
    };
    graph.version = located.version;
    Some(graph)
}

fn read_graph(
    mut members: BTreeMap<String, Tree>,
    path: &str,
    problems: &mut Problems,
) -> Option<NirGraph> {
    let origin = problems.origin(path, GRAPH);
    let nodes = match members.remove("nodes") {
        Some(Tree::Group(nodes)) => nodes,
        other => {
            let what = if other.is_some() {
                "not a group"
            } else {
                "missing"
            };
            problems.push(
                Diagnostic::error(
                    Code::NirMissing,
                    &origin,
                    format!("the graph has no nodes: {path}/nodes is {what}"),
                )
                .help("export the network again with nir.write"),
            );
            return None;
        }
    };
    let mut read = Vec::with_capacity(nodes.len());
    for (name, tree) in nodes {
        let at = format!("{path}/nodes/{name}");
        match tree {
            Tree::Group(members) => {
                read.extend(read_node(members, &name, at, problems));
            }
            Tree::Data(_) => problems.push(Diagnostic::error(
                Code::NirType,
                &problems.origin(&at, "dataset"),
                "a node must be a group, this is an array",
            )),
        }
    }
    read.sort_by(|a, b| natural_cmp(&a.name, &b.name));
    let edges = match members.remove("edges") {
        Some(Tree::Data(d)) => read_edges(&d, path, problems)?,
        other => {
            let what = if other.is_some() {
                "not an array"
            } else {
                "missing"
            };
            problems.push(
                Diagnostic::error(
                    Code::NirMissing,
                    &origin,
                    format!("the graph has no edges: {path}/edges is {what}"),
                )
                .help("export the network again with nir.write"),
            );
            return None;
        }
    };
    Some(NirGraph {
        version: None,
        path: path.to_owned(),
        nodes: read,
        edges,
    })
}

fn read_node(
    mut members: BTreeMap<String, Tree>,
    name: &str,
    path: String,
    problems: &mut Problems,
) -> Option<NirNode> {
    let type_name = type_of(&mut members, &path, problems)?;
    if type_name != GRAPH {
        return Some(primitive(members, name, &path, type_name, problems));
    }
    let graph = read_graph(members, &path, problems)?;
    Some(NirNode {
        name: name.to_owned(),
        path,
        type_name,
        content: NirContent::Graph(graph),
    })
}

fn primitive(
    members: BTreeMap<String, Tree>,
    name: &str,
    path: &str,
    type_name: String,
    problems: &mut Problems,
) -> NirNode {
    let mut datasets: BTreeMap<String, Dataset> = members
        .into_iter()
        .filter_map(|(name, tree)| match tree {
            Tree::Data(d) => Some((name, d)),
            Tree::Group(_) => None,
        })
        .collect();
    legacy::rename(&mut datasets, path, &type_name, problems);
    NirNode {
        name: name.to_owned(),
        path: path.to_owned(),
        type_name,
        content: NirContent::Primitive(datasets),
    }
}

/// Takes the `type` out of a node's members.
fn type_of(
    members: &mut BTreeMap<String, Tree>,
    path: &str,
    problems: &mut Problems,
) -> Option<String> {
    let (code, message) = match members.remove("type") {
        Some(Tree::Data(d)) => match d.as_text() {
            Some(text) => return Some(text.to_owned()),
            None => (
                Code::NirType,
                format!(
                    "the type of a node must be one text, this is {} {}",
                    escape(&d.values.describe()),
                    d.shape
                ),
            ),
        },
        Some(Tree::Group(_)) => (
            Code::NirType,
            "the type of a node must be text, this is a group".to_owned(),
        ),
        None => (Code::NirMissing, "the node has no type".to_owned()),
    };
    problems.push(
        Diagnostic::error(code, &problems.origin(path, "node"), message)
            .help("export the network again with nir.write"),
    );
    None
}

/// The ends of the edges as names, two by two.
fn read_edges(dataset: &Dataset, path: &str, problems: &mut Problems) -> Option<Vec<NirEdge>> {
    // An empty list reaches HDF5 as a float array of shape [0].
    if dataset.shape.0.contains(&0) {
        return Some(Vec::new());
    }
    let names = match &dataset.values {
        Values::Text(names) => Some(names.clone()),
        _ => legacy::integer_edges(dataset),
    };
    match (names, dataset.shape.0.as_slice()) {
        (Some(names), [_, 2]) => Some(
            names
                .chunks_exact(2)
                .map(|pair| NirEdge {
                    from: pair[0].clone(),
                    to: pair[1].clone(),
                })
                .collect(),
        ),
        _ => {
            problems.push(
                Diagnostic::error(
                    Code::NirType,
                    &problems.origin(&format!("{path}/edges"), "edges"),
                    "the edges must be pairs of node names",
                )
                .note(format!(
                    "expected text of shape [edges 2], found {} of shape {}",
                    escape(&dataset.values.describe()),
                    dataset.shape
                )),
            );
            None
        }
    }
}
