//! What must hold once all shapes are propagated.

use super::fit::{Fit, arithmetic, fit};
use super::{Inference, label, warning};
use ir::code::Code;
use ir::diag::Diagnostic;
use ir::id::NodeId;
use ir::network::{Node, Op};
use ir::tensor::Shape;

impl Inference<'_> {
    pub(super) fn check_sizes(&mut self) {
        for (id, node) in self.network.nodes.iter() {
            let shapes = [&self.ins[id], &self.outs[id]];
            let bad = |s: &&Shape| matches!(s.checked_len(), None | Some(0));
            if let Some(shape) = shapes.into_iter().flatten().find(bad) {
                let message = format!("{} has an impossible shape", label(node));
                self.errors.push(
                    Diagnostic::error(Code::Shape, &node.origin, message).note(arithmetic(shape)),
                );
            }
        }
    }

    /// A Flatten's declared input must hold what arrives, perhaps with a batch
    /// dimension in front.
    pub(super) fn check_flattens(&mut self) {
        for (id, node) in self.network.nodes.iter() {
            let Op::Flatten {
                input_type: Some(declared),
                ..
            } = &node.op
            else {
                continue;
            };
            let Some(found) = &self.ins[id] else { continue };
            let batch_free = Shape::of(declared.0.get(1..).unwrap_or_default());
            if fit(declared, found) == Fit::No && fit(&batch_free, found) == Fit::No {
                let message = format!("{} declares another input than it gets", label(node));
                self.errors.push(
                    Diagnostic::error(Code::Shape, &node.origin, message)
                        .note(format!("declared {}", arithmetic(declared)))
                        .note(format!("arriving {}", arithmetic(found)))
                        .help("export the network again with the input size it runs on"),
                );
            }
        }
    }

    pub(super) fn check_edges(&mut self) {
        let nodes = &self.network.nodes;
        for edge in &self.network.edges {
            let (from, to) = (&nodes[edge.from], &nodes[edge.to]);
            let (Some(sent), Some(taken)) = (&self.outs[edge.from], &self.ins[edge.to]) else {
                continue;
            };
            let fit = fit(sent, taken);
            let flattens = |n: &Node| matches!(n.op, Op::Flatten { .. });
            let matrix = matches!(to.op, Op::Affine { .. } | Op::Linear { .. });
            let silent = match fit {
                Fit::Same => true,
                Fit::Ones => matrix || flattens(from) || flattens(to),
                Fit::Count => flattens(from) || flattens(to),
                Fit::No => false,
            };
            if silent {
                continue;
            }
            let notes = [
                format!("{} produces {}", label(from), arithmetic(sent)),
                format!("{} accepts {}", label(to), arithmetic(taken)),
            ];
            let [produces, accepts] = notes;
            if fit == Fit::No {
                let message = format!("{} does not fit {}", label(from), label(to));
                self.errors.push(
                    Diagnostic::error(Code::Shape, &to.origin, message)
                        .note(produces)
                        .note(accepts)
                        .note(format!("the source is {}", from.origin))
                        .help("correct the layer sizes or the edges, and export the network again"),
                );
            } else {
                let message = format!(
                    "{} and {} write the same number of values in different shapes",
                    label(from),
                    label(to)
                );
                let order = "the values are connected in C order";
                let found = warning(to, message)
                    .note(produces)
                    .note(accepts)
                    .note(order);
                self.warnings.push(found);
            }
        }
    }

    /// Reports the nodes at which the unknown begins.
    pub(super) fn check_known(&mut self) {
        let known = |id: NodeId| self.ins[id].is_some() && self.outs[id].is_some();
        let unknown: Vec<NodeId> = self.network.nodes.ids().filter(|&id| !known(id)).collect();
        // A malformed matrix leaves its own shape open and is reported already.
        if unknown.is_empty() || !self.errors.is_empty() {
            return;
        }
        let begins = |id: &NodeId| self.preds[*id].iter().all(|&p| known(p));
        let mut reported: Vec<NodeId> = unknown.iter().copied().filter(begins).collect();
        if reported.is_empty() {
            reported.extend(unknown.first());
        }
        for id in reported {
            let node = &self.network.nodes[id];
            let message = format!("the shape of {} cannot be derived", label(node));
            let why = match node.op {
                Op::Lif { .. } | Op::If { .. } | Op::Scale { .. } => {
                    "its parameters hold one value for all, and no neighbour says how many there are"
                }
                _ => "neither it nor a neighbour says how many values it carries",
            };
            let help = match node.op {
                Op::Input { .. } | Op::Output { .. } => "write its shape into the file",
                Op::Flatten { .. } => "write its input_type, or the shape of the Input before it",
                _ => "write one parameter value per neuron, or the shape of the Input before it",
            };
            self.errors.push(
                Diagnostic::error(Code::ShapeUnknown, &node.origin, message)
                    .note(why)
                    .help(help),
            );
        }
    }
}
