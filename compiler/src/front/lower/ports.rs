//! What a flat graph still needs: ports, where the file has none, and a Scale
//! where a value counts several times.

use super::Faults;
use super::flatten::{Flat, FlatNode, Source};
use ir::network::Op;
use ir::origin::escape;
use ir::{Code, Diagnostic, Origin, Shape, Tensor};
use std::collections::BTreeMap;

/// Adds what is missing. An edge that counts `n` times stays, beside a path
/// through a Scale of `n - 1`, so that distances do not change.
pub(super) fn complete(flat: &mut Flat<'_>, faults: &mut Faults) {
    add_ports(flat, "Input", faults);
    add_ports(flat, "Output", faults);
    let multiple: Vec<(usize, usize, u64)> = flat
        .edges
        .iter()
        .filter(|&(_, &times)| times > 1)
        .map(|(&(from, to), &times)| (from, to, times))
        .collect();
    for (from, to, times) in multiple {
        let at = flat.nodes.len();
        flat.edges.insert((from, to), 1);
        flat.edges.insert((from, at), 1);
        flat.edges.insert((at, to), 1);
        let more = times.saturating_sub(1) as f64;
        flat.nodes.push(FlatNode {
            name: format!("{}_again_{}", flat.nodes[from].name, flat.nodes[to].name),
            source: Source::Made(Op::Scale {
                scale: Tensor::scalar(more),
            }),
            origin: flat.nodes[from].origin.derived("lower"),
        });
    }
}

/// As nir does in memory: an Input before each node without predecessors, an
/// Output behind each without successors, if the graph has none at all.
fn add_ports(flat: &mut Flat<'_>, kind: &str, faults: &mut Faults) {
    let input = kind == "Input";
    if flat.nodes.iter().any(|n| n.kind() == kind) {
        return;
    }
    let mut open = vec![true; flat.nodes.len()];
    for &(from, to) in flat.edges.keys().filter(|(from, to)| from != to) {
        open[if input { to } else { from }] = false;
    }
    let ends: Vec<usize> = (0..flat.nodes.len())
        .filter(|&at| open[at] && !matches!(flat.nodes[at].kind(), "Input" | "Output"))
        .collect();
    let Some(&first) = ends.first() else {
        faults.push(none(kind, flat, faults.file_origin()));
        return;
    };
    let mut added = Vec::new();
    let origin = flat.nodes[first].origin.clone();
    for at in ends {
        let node = &flat.nodes[at];
        let (name, op) = if input {
            (format!("input_{}", node.name), Op::Input { shape: None })
        } else {
            (format!("output_{}", node.name), Op::Output { shape: None })
        };
        added.push(format!("'{}'", escape(&name)));
        let port = flat.nodes.len();
        flat.edges
            .insert(if input { (port, at) } else { (at, port) }, 1);
        flat.nodes.push(FlatNode {
            name,
            source: Source::Made(op),
            origin: flat.nodes[at].origin.derived("lower"),
        });
    }
    let message = format!("the graph has no {kind} node; {} added", added.join(", "));
    faults.push(
        Diagnostic::warning(Code::NirPortAdded, &origin, message).help(format!(
            "add the {kind} nodes in the exporter; nir.write stores only what the graph holds"
        )),
    );
}

fn none(kind: &str, flat: &Flat<'_>, file: Origin) -> Diagnostic {
    let error = Diagnostic::error(
        Code::NoInputs,
        &file,
        format!("the network has no {kind} node"),
    );
    let error = if flat.nodes.is_empty() {
        error.note("it has no nodes at all")
    } else {
        let end = if kind == "Input" {
            "predecessors"
        } else {
            "successors"
        };
        error.note(format!("every node has {end}, so none can be added"))
    };
    error.help(format!(
        "add an {kind} node in the exporter and connect it; nir.write stores only what the graph holds"
    ))
}

/// A port that vanished says how many values pass; its neighbours may know
/// better. The number that the neighbours need counts.
pub(super) fn check_dropped(flat: &Flat<'_>, ops: &[Option<Op>], faults: &mut Faults) {
    for (port, near) in &flat.dropped {
        let Source::File(node) = &port.source else {
            continue;
        };
        let declared: Option<Vec<usize>> = node
            .dataset("shape")
            .and_then(crate::front::nir::Dataset::as_ints)
            .map(|v| v.iter().map(|&d| usize::try_from(d).unwrap_or(0)).collect());
        let Some(declared) = declared.map(Shape).filter(|s| !s.0.contains(&0)) else {
            continue;
        };
        for &(at, behind) in near {
            let op = ops.get(at).and_then(Option::as_ref);
            let Some(needed) = op.and_then(|op| size(op, behind)) else {
                continue;
            };
            if declared.checked_len() != Some(needed) {
                let message = format!(
                    "the {} '{}' inside states another size than its neighbour; it is ignored",
                    port.kind(),
                    escape(&port.name)
                );
                faults.push(
                    Diagnostic::warning(Code::InputShape, &port.origin, message)
                        .note(format!("stated {declared}"))
                        .note(format!(
                            "'{}' has {needed} values",
                            escape(&flat.nodes[at].name)
                        ))
                        .help("correct the shape in the exporter"),
                );
                break;
            }
        }
    }
}

/// How many values a node takes, else gives, where it says so itself.
fn size(op: &Op, takes: bool) -> Option<usize> {
    match op {
        Op::Affine { weight, .. } | Op::Linear { weight } => {
            weight.shape().0.get(usize::from(takes)).copied()
        }
        Op::Scale { scale: t }
        | Op::Delay { delay: t }
        | Op::Threshold { threshold: t }
        | Op::Lif { tau: t, .. }
        | Op::Li { tau: t, .. }
        | Op::CubaLif { tau_mem: t, .. }
        | Op::CubaLi { tau_mem: t, .. }
        | Op::I { r: t }
        | Op::If { r: t, .. } => (t.len() > 1).then_some(t.len()),
        Op::Input { .. }
        | Op::Output { .. }
        | Op::Conv1d { .. }
        | Op::Conv2d { .. }
        | Op::SumPool2d { .. }
        | Op::AvgPool2d { .. }
        | Op::Flatten { .. } => None,
    }
}

/// Flat names must tell nodes apart.
pub(super) fn check_names(flat: &Flat<'_>, faults: &mut Faults) {
    let mut seen: BTreeMap<&str, &FlatNode<'_>> = BTreeMap::new();
    for node in &flat.nodes {
        if let Some(other) = seen.insert(&node.name, node) {
            faults.errors.push(
                Diagnostic::error(
                    Code::GraphUnsupported,
                    &node.origin,
                    format!(
                        "two nodes are called '{}' once nesting is removed",
                        escape(&node.name)
                    ),
                )
                .note(format!("the other one is {}", other.origin))
                .help("rename one of them"),
            );
        }
    }
}
