//! Lowering: from the source graph to the network, with every node checked.
//!
//! Nested graphs are flattened first, so that a node's name is its path joined
//! by dots. Shapes are carried as declared; deriving the others is a pass.
//! Parameters with one element stand for the whole population.

mod edges;
mod flatten;
mod neurons;
mod ops;
mod order;
mod params;
mod ports;
mod weights;

use super::DuplicateEdges;
use super::nir::NirGraph;
use flatten::Source;
use ir::id::{Id, IdVec};
use ir::network::{Edge, Node, Op};
use ir::{Code, Diagnostic, Network, NodeId, Origin};
use std::path::Path;

/// Lowers a NIR graph. `file` is its name as the user typed it.
///
/// All nodes are looked at before giving up, so the errors name every node
/// that is unsupported or malformed.
pub fn lower(graph: &NirGraph, file: &str) -> ir::diag::Result<(Network, Vec<Diagnostic>)> {
    lower_with(graph, file, DuplicateEdges::default())
}

/// Lowers a NIR graph; `duplicates` says what an edge counts that occurs
/// several times.
pub fn lower_with(
    graph: &NirGraph,
    file: &str,
    duplicates: DuplicateEdges,
) -> ir::diag::Result<(Network, Vec<Diagnostic>)> {
    let mut faults = Faults::new(file);
    let flat = flatten::flatten(graph, duplicates, &mut faults);
    let mut ops: Vec<Option<Op>> = Vec::with_capacity(flat.nodes.len());
    for node in &flat.nodes {
        ops.push(match &node.source {
            Source::File(source) => ops::op(source, &node.origin, &mut faults),
            Source::Made(op) => Some(op.clone()),
        });
    }
    faults.report_integers();
    ports::check_dropped(&flat, &ops, &mut faults);
    if faults.has_errors() {
        return Err(faults.into_diagnostics());
    }
    let order = order::order(&flat);
    let mut position = vec![0usize; order.len()];
    for (new, &old) in order.iter().enumerate() {
        position[old] = new;
    }
    let nodes: IdVec<NodeId, Node> = order
        .iter()
        .filter_map(|&old| {
            let flat = &flat.nodes[old];
            Some(Node {
                name: flat.name.clone(),
                op: ops[old].take()?,
                in_shape: None,
                out_shape: None,
                origin: flat.origin.clone(),
            })
        })
        .collect();
    if nodes.len() != order.len() {
        return Err(Diagnostic::internal("a node was lost in lowering without a message").into());
    }
    let id = |old: usize| NodeId::from_index(position[old]);
    let mut edges: Vec<Edge> = flat
        .edges
        .keys()
        .map(|&(from, to)| Edge {
            from: id(from),
            to: id(to),
        })
        .collect();
    edges.sort();
    let network = Network {
        name: stem(file),
        nodes,
        edges,
    };
    Ok((network, faults.warnings))
}

/// The file name without folder and ending.
fn stem(file: &str) -> String {
    Path::new(file)
        .file_stem()
        .map_or_else(|| file.to_owned(), |s| s.to_string_lossy().into_owned())
}

/// Errors and warnings of one lowering.
struct Faults {
    file: String,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    /// Nodes with integer parameters, and which these are.
    integers: Vec<(Origin, Vec<String>)>,
}

impl Faults {
    fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            errors: Vec::new(),
            warnings: Vec::new(),
            integers: Vec::new(),
        }
    }
    fn integer(&mut self, origin: &Origin, name: &str) {
        match self.integers.last_mut() {
            Some((last, names)) if last == origin => names.push(name.to_owned()),
            _ => self.integers.push((origin.clone(), vec![name.to_owned()])),
        }
    }
    /// One warning for all integer parameters.
    fn report_integers(&mut self) {
        let Some((first, _)) = self.integers.first() else {
            return;
        };
        let message = match self.integers.len() {
            1 => "parameters hold integers; they are taken as real numbers".to_owned(),
            n => format!("parameters of {n} nodes hold integers; they are taken as real numbers"),
        };
        let warning = Diagnostic::warning(Code::NirInteger, first, message);
        let shown = self.integers.iter().take(8);
        let warning = shown.fold(warning, |warning, (origin, names)| {
            warning.note(format!("{origin}: {}", names.join(", ")))
        });
        self.warnings
            .push(warning.help("export the network with floating-point parameters"));
    }
    fn file_origin(&self) -> Origin {
        Origin::File {
            file: self.file.clone(),
        }
    }
    fn push(&mut self, diagnostic: Diagnostic) {
        if diagnostic.is_error() {
            self.errors.push(diagnostic);
        } else {
            self.warnings.push(diagnostic);
        }
    }
    fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }
    fn into_diagnostics(mut self) -> ir::diag::Diagnostics {
        self.errors.append(&mut self.warnings);
        ir::diag::Diagnostics(self.errors)
    }
}
