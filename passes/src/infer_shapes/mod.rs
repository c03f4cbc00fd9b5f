//! Gives every node its shapes and checks that they agree along every edge.
//!
//! What a node knows by itself comes from its file: an Input or Output from
//! its declared shape, an Affine or Linear from its matrix `[out in]`, a
//! neuron or Scale from parameters of more than one element. All else follows
//! from the neighbours: first forward along the edges as far as that goes,
//! then in both directions. A node is settled once, so cycles end.
//!
//! Files disagree about dimensions of size 1, batch and time dimensions and
//! flattening far more often than about the number of values, so the number
//! decides: equal shapes are fine, equal numbers are a warning (none for
//! leading ones before a matrix, none around a Flatten, whose job it is),
//! different numbers are an error. Leading dimensions of an Input or Output
//! that its neighbour doesn't have are taken as time or batch.
//!
//! Afterwards every neuron parameter has one element or as many as the node.

mod check;
mod fit;
#[cfg(test)]
mod tests;

use fit::{Fit, arithmetic, fit, flattened};
use ir::code::Code;
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::golden::parameters;
use ir::id::{Id, IdVec, NodeId};
use ir::network::{Network, Node, Op};
use ir::origin::escape;
use ir::tensor::{Shape, Tensor};
use std::collections::VecDeque;

/// Fills `in_shape` and `out_shape` of every node, or reports all
/// contradictions and gaps and leaves the network as it was. Returns warnings.
///
/// Depends on the operations and edges only, so a second run changes nothing.
pub fn infer(network: &mut Network) -> Result<Vec<Diagnostic>> {
    let count = network.nodes.len();
    let stray = |id: NodeId| id.index() >= count;
    if network.edges.iter().any(|e| stray(e.from) || stray(e.to)) {
        return Err(
            Diagnostic::internal("an edge of the network names a node out of range").into(),
        );
    }
    let mut inference = Inference::new(network);
    inference.trim_ports();
    inference.propagate(false);
    inference.propagate(true);
    inference.check_sizes();
    inference.check_flattens();
    inference.check_edges();
    inference.check_known();
    let Inference {
        ins,
        outs,
        errors,
        warnings,
        ..
    } = inference;
    if !errors.is_empty() {
        return Err(Diagnostics(errors));
    }
    let shapes = ins.values().cloned().zip(outs.values().cloned());
    for (node, (in_shape, out_shape)) in network.nodes.values_mut().zip(shapes) {
        node.in_shape = in_shape;
        node.out_shape = out_shape;
    }
    Ok(warnings)
}

struct Inference<'a> {
    network: &'a Network,
    preds: IdVec<NodeId, Vec<NodeId>>,
    succs: IdVec<NodeId, Vec<NodeId>>,
    ins: IdVec<NodeId, Option<Shape>>,
    outs: IdVec<NodeId, Option<Shape>>,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

fn label(node: &Node) -> String {
    format!("'{}' ({})", escape(&node.name), node.op.kind())
}

fn warning(node: &Node, message: String) -> Diagnostic {
    Diagnostic::warning(Code::ShapeLoose, &node.origin, message)
}

impl<'a> Inference<'a> {
    fn new(network: &'a Network) -> Self {
        let mut this = Self {
            network,
            preds: network.predecessors(),
            succs: network.successors(),
            ins: network.nodes.ids().map(|_| None).collect(),
            outs: network.nodes.ids().map(|_| None).collect(),
            errors: Vec::new(),
            warnings: Vec::new(),
        };
        for (id, node) in network.nodes.iter() {
            let (in_shape, out_shape) = this.own(node);
            this.ins[id] = in_shape;
            this.outs[id] = out_shape;
        }
        this
    }

    /// What a node says about its own shapes.
    fn own(&mut self, node: &Node) -> (Option<Shape>, Option<Shape>) {
        match &node.op {
            Op::Input { shape } | Op::Output { shape } => (shape.clone(), shape.clone()),
            Op::Affine { weight, bias } => self.matrix(node, weight, Some(bias)),
            Op::Linear { weight } => self.matrix(node, weight, None),
            Op::Scale { scale } => {
                let shape = (scale.len() != 1).then(|| scale.shape().clone());
                (shape.clone(), shape)
            }
            Op::Flatten { .. } => (None, None),
            Op::Conv1d { .. }
            | Op::Conv2d { .. }
            | Op::SumPool2d { .. }
            | Op::AvgPool2d { .. }
            | Op::Delay { .. }
            | Op::Threshold { .. }
            | Op::Li { .. }
            | Op::CubaLif { .. }
            | Op::CubaLi { .. }
            | Op::I { .. } => (None, None),
            Op::Lif { .. } | Op::If { .. } => {
                let shape = self.common(node);
                (shape.clone(), shape)
            }
        }
    }

    fn matrix(
        &mut self,
        node: &Node,
        weight: &Tensor,
        bias: Option<&Tensor>,
    ) -> (Option<Shape>, Option<Shape>) {
        let &[n_out, n_in] = weight.shape().0.as_slice() else {
            let message = format!("the weight of {} is not a matrix", label(node));
            self.errors.push(
                Diagnostic::error(Code::Shape, &node.origin, message)
                    .note(format!(
                        "its shape is {}, [out in] is needed",
                        weight.shape()
                    ))
                    .help("export the layer with a two-dimensional weight"),
            );
            return (None, None);
        };
        if let Some(bias) = bias.filter(|b| b.len() != n_out) {
            let message = format!("bias and weight of {} disagree", label(node));
            self.errors.push(
                Diagnostic::error(Code::Shape, &node.origin, message)
                    .note(format!("bias {}", arithmetic(bias.shape())))
                    .note(format!(
                        "weight {} = {n_out} outputs of {n_in} inputs",
                        weight.shape()
                    )),
            );
        }
        (Some(Shape::of(&[n_in])), Some(Shape::of(&[n_out])))
    }

    /// The shape that the parameters of more than one element share.
    fn common(&mut self, node: &Node) -> Option<Shape> {
        let all = parameters(&node.op);
        let mut sized = all.into_iter().filter(|(_, t)| t.len() != 1);
        let (first, tensor) = sized.next()?;
        let shape = tensor.shape();
        for (name, other) in sized {
            if fit(shape, other.shape()) == Fit::No {
                let message = format!("the parameters of {} have different shapes", label(node));
                self.errors.push(
                    Diagnostic::error(Code::Shape, &node.origin, message)
                        .note(format!("{first} {}", arithmetic(shape)))
                        .note(format!("{name} {}", arithmetic(other.shape())))
                        .help("give each parameter one value, or one per neuron"),
                );
            }
        }
        Some(shape.clone())
    }

    /// Drops leading dimensions of ports that no neighbour has: old exporters
    /// wrote time or batch into them.
    fn trim_ports(&mut self) {
        let network = self.network;
        let mut trimmed = Vec::new();
        for (id, node) in network.nodes.iter() {
            let declared = match &node.op {
                Op::Input { shape: Some(shape) } | Op::Output { shape: Some(shape) } => shape,
                _ => continue,
            };
            let (near, facing) = match node.op {
                Op::Input { .. } => (&self.succs[id], &self.ins),
                _ => (&self.preds[id], &self.outs),
            };
            let known = near.iter().filter_map(|&n| facing[n].as_ref());
            let mut counts: Vec<_> = known.map(Shape::checked_len).collect();
            counts.dedup();
            let &[Some(wanted)] = counts.as_slice() else {
                continue;
            };
            if declared.checked_len() == Some(wanted) {
                continue;
            }
            let tails = (1..declared.rank()).map(|i| Shape::of(&declared.0[i..]));
            let mut fitting = tails.filter(|s| s.checked_len() == Some(wanted));
            if let Some(shape) = fitting.next() {
                trimmed.push((id, declared, shape));
            }
        }
        for (id, declared, shape) in trimmed {
            let node = &network.nodes[id];
            let dropped = Shape::of(&declared.0[..declared.rank() - shape.rank()]);
            self.warnings.push(
                warning(
                    node,
                    format!(
                        "leading dimensions {dropped} of {} are taken as time or batch",
                        label(node)
                    ),
                )
                .note(format!("declared {}", arithmetic(declared)))
                .note(format!("its neighbours have {}", arithmetic(&shape)))
                .help("export the network with the shape of one step of one sample"),
            );
            self.ins[id] = Some(shape.clone());
            self.outs[id] = Some(shape);
        }
    }

    /// Fills unknown shapes from neighbours until nothing changes.
    fn propagate(&mut self, backward: bool) {
        let mut queue: VecDeque<NodeId> = self.network.nodes.ids().collect();
        while let Some(id) = queue.pop_front() {
            if !self.settle(id, backward) {
                continue;
            }
            queue.extend(&self.succs[id]);
            if backward {
                queue.extend(&self.preds[id]);
            }
        }
    }

    /// Whether something became known about the node. Happens twice per node
    /// at most, so the queue runs dry.
    fn settle(&mut self, id: NodeId, backward: bool) -> bool {
        let known = |this: &Self| (this.ins[id].is_some(), this.outs[id].is_some());
        let before = known(self);
        if before == (true, true) {
            return false;
        }
        let node = &self.network.nodes[id];
        if self.ins[id].is_none() {
            let found = self.preds[id].iter().find_map(|&p| self.outs[p].clone());
            self.ins[id] = found;
        }
        if backward
            && self.ins[id].is_none()
            && let Op::Flatten { input_type, .. } = &node.op
        {
            self.ins[id] = input_type.clone();
        }
        if self.outs[id].is_none() {
            self.outs[id] = self.ins[id].clone().map(|shape| self.forward(id, shape));
        }
        if backward && self.outs[id].is_none() {
            let found = self.succs[id].iter().find_map(|&s| self.ins[s].clone());
            self.outs[id] = found;
        }
        if backward && self.ins[id].is_none() {
            // Identities, and a Flatten of which only the number of values is known.
            self.ins[id] = self.outs[id].clone();
        }
        known(self) != before
    }

    /// The output shape of a node that doesn't know it by itself.
    fn forward(&self, id: NodeId, shape: Shape) -> Shape {
        let Op::Flatten {
            start_dim,
            end_dim,
            input_type,
        } = &self.network.nodes[id].op
        else {
            return shape;
        };
        let plain = flattened(&shape, *start_dim, *end_dim);
        // Old files count dimensions with the batch in front.
        let shifted = |d: i64| if d > 0 { d - 1 } else { d };
        let batched = flattened(&shape, shifted(*start_dim), shifted(*end_dim));
        let counts_batch = input_type
            .as_ref()
            .is_some_and(|t| t.rank() == shape.rank() + 1);
        let wanted = self.succs[id].iter().find_map(|&s| self.ins[s].as_ref());
        if counts_batch || (wanted != Some(&plain) && wanted == Some(&batched)) {
            batched
        } else {
            plain
        }
    }
}
