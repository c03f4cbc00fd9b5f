//! What must hold once all shapes are propagated.

use super::fit::{Fit, arithmetic, fit};
use super::own::per_element;
use super::window::Window;
use super::{Inference, label};
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

    /// Convolutions and pools get what they can take, and say so if the file
    /// said something else.
    pub(super) fn check_windows(&mut self) {
        let network = self.network;
        for (id, node) in network.nodes.iter() {
            let (Some(Ok(window)), Some(found)) = (Window::of(&node.op), self.ins[id].clone())
            else {
                continue;
            };
            if self.outs[id].is_none() {
                self.no_room(id, &window, &found);
                continue;
            }
            match &self.own[id].takes {
                Some(own) if *own == found => {}
                Some(own) => {
                    let own = own.clone();
                    let message = format!(
                        "input_shape of {} is not what arrives; it is ignored",
                        label(node)
                    );
                    self.warn(id, Code::InputShape, message)
                        .note(format!("stated {own}, arriving {found}"))
                        .help("export the network again, or correct input_shape");
                }
                None if window.channels.is_some() => {
                    let message = format!(
                        "{} has no input_shape; it follows from what arrives",
                        label(node)
                    );
                    self.warn(id, Code::InputShape, message)
                        .note(format!("arriving {found}"))
                        .help("export the network again with a newer nir, which writes it");
                }
                None => {}
            }
        }
    }

    fn no_room(&mut self, id: NodeId, window: &Window, found: &Shape) {
        let node = &self.network.nodes[id];
        let rank = found.rank() == window.rank();
        let channels = window
            .channels
            .is_none_or(|(c, _)| found.0.first() == Some(&c));
        let message = if rank && channels {
            format!("the kernel of {} is larger than its input", label(node))
        } else {
            format!("{} cannot take what arrives", label(node))
        };
        let mut error = Diagnostic::error(Code::Shape, &node.origin, message)
            .note(format!("it takes {}", window.wanted()))
            .note(format!("arriving {}", arithmetic(found)));
        if rank && channels {
            error = error.note(format!("sizes: {}", window.arithmetic(found)));
        }
        if let Some(&from) = self.preds[id].iter().find(|&&p| self.outs[p].is_some()) {
            error = error.note(format!("the source is {}", self.network.nodes[from].origin));
        }
        self.errors
            .push(error.help("correct the layer sizes or the edges, and export the network again"));
    }

    /// A Flatten's declared input should hold what arrives, perhaps with a
    /// batch dimension in front. It decides nothing, so a wrong one is ignored.
    pub(super) fn check_flattens(&mut self) {
        let network = self.network;
        for (id, node) in network.nodes.iter() {
            let Op::Flatten {
                input_type: Some(declared),
                ..
            } = &node.op
            else {
                continue;
            };
            let Some(found) = self.ins[id].clone() else {
                continue;
            };
            let batch_free = Shape::of(declared.0.get(1..).unwrap_or_default());
            if fit(declared, &found) == Fit::No && fit(&batch_free, &found) == Fit::No {
                let message = format!(
                    "input_type of {} is not what arrives; it is ignored",
                    label(node)
                );
                self.warn(id, Code::InputShape, message)
                    .note(format!("declared {}", arithmetic(declared)))
                    .note(format!("arriving {}", arithmetic(&found)))
                    .help("export the network again with the input size it runs on");
            }
        }
    }

    /// One warning for all parameters of one value that stand for many.
    pub(super) fn check_single_values(&mut self) {
        let network = self.network;
        let mut lines = Vec::new();
        let mut first = None;
        for (id, node) in network.nodes.iter() {
            let many = self.ins[id].as_ref().and_then(Shape::checked_len);
            let Some(many) = many.filter(|&n| n > 1) else {
                continue;
            };
            let single: Vec<&str> = per_element(&node.op)
                .into_iter()
                .filter(|(name, t)| t.len() == 1 && *name != "w_in")
                .map(|(name, _)| name)
                .collect();
            if !single.is_empty() {
                first = first.or(Some(id));
                lines.push(format!("{} of {many}: {}", label(node), single.join(", ")));
            }
        }
        if let Some(id) = first {
            let message = match lines.len() {
                1 => "parameters of one value stand for all neurons of a node".to_owned(),
                n => format!("parameters of one value stand for all neurons of {n} nodes"),
            };
            let shown = lines.iter().take(8);
            let warning = shown.fold(self.warn(id, Code::Broadcast, message), |w, line| {
                w.note(line)
            });
            warning.help("write one value per neuron to be sure");
        }
    }

    pub(super) fn check_edges(&mut self) {
        let nodes = &self.network.nodes;
        let mut loose = Vec::new();
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
                loose.push((edge.to, message, [produces, accepts]));
            }
        }
        for (id, message, [produces, accepts]) in loose {
            self.warn(id, Code::ShapeLoose, message)
                .note(produces)
                .note(accepts)
                .help("the values are connected in C order; write equal shapes to be sure");
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
                Op::Conv1d { .. }
                | Op::Conv2d { .. }
                | Op::SumPool2d { .. }
                | Op::AvgPool2d { .. } => {
                    "it does not say how large its input is, and nothing before it does"
                }
                _ if !per_element(&node.op).is_empty() => {
                    "its parameters hold one value for all, and no neighbour says how many there are"
                }
                _ => "neither it nor a neighbour says how many values it carries",
            };
            let help = match node.op {
                Op::Input { .. } | Op::Output { .. } => "write its shape into the file",
                Op::Flatten { .. } => "write its input_type, or the shape of the Input before it",
                Op::Conv1d { .. } | Op::Conv2d { .. } => {
                    "write its input_shape, or the shape of the Input before it"
                }
                Op::SumPool2d { .. } | Op::AvgPool2d { .. } => {
                    "write the shape of the Input before it"
                }
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
