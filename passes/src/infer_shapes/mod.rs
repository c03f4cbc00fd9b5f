//! Gives every node its shapes and checks that they agree along every edge.
//!
//! What a node knows by itself comes from its file: an Input from its declared
//! shape, an Affine or Linear from its matrix `[out in]`, a neuron, Scale,
//! Delay or Threshold from parameters of more than one element, a convolution
//! from its `input_shape`. All else follows from the neighbours: first forward
//! along the edges as far as that goes, then in both directions. A node is
//! settled once, so cycles end.
//!
//! Files disagree about dimensions of size 1, batch and time dimensions and
//! flattening far more often than about the number of values. These rules
//! decide; each use of one is a warning, except where it says so:
//!
//! - Convolutions, pools, Outputs and parameters with dimensions of size 1
//!   believe their predecessors before themselves. What arrives at a
//!   convolution outranks its `input_shape`, which NIR's own type inference
//!   gets wrong behind kernels that are not square. Leading dimensions of a
//!   parameter or Output that the predecessor lacks are time or batch.
//! - Leading dimensions of an Input that its nearest neighbours lack are time
//!   or batch, and dropped.
//! - Parameters of one value stand for all; parameters with dimensions of size
//!   1 repeat along these, as numpy broadcasts.
//! - Flatten counts dimensions without a batch, so `start_dim` 0 is the first.
//!   Older files count the batch. They are told apart by the data: a declared
//!   `input_type` of one more dimension than arrives, or a next node that can
//!   take only that reading. Dimensions out of range are cut to the range.
//! - Else the number of values decides: equal numbers in unequal shapes are
//!   connected in C order (without a warning around a Flatten, whose job that
//!   is, and for leading ones before a matrix); unequal numbers are an error.
//!
//! Afterwards every parameter has one element or the shape of its node, and
//! the declared shape of each port is the inferred one.

mod check;
mod fit;
mod own;
mod settle;
#[cfg(test)]
mod tests;
mod window;

use fit::arithmetic;
use ir::code::Code;
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::id::{Id, IdVec, NodeId};
use ir::network::{Network, Node, Op};
use ir::origin::escape;
use ir::tensor::{Data, Shape, Tensor};
use own::Own;

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
    inference.trim_inputs();
    inference.propagate_all();
    inference.check_sizes();
    inference.check_windows();
    inference.check_flattens();
    inference.check_edges();
    inference.check_known();
    inference.check_single_values();
    let Inference {
        ins,
        outs,
        errors,
        mut warnings,
        ..
    } = inference;
    if !errors.is_empty() {
        return Err(Diagnostics(errors));
    }
    let shapes = ins.values().cloned().zip(outs.values().cloned());
    for (node, (in_shape, out_shape)) in network.nodes.values_mut().zip(shapes) {
        if let Some(shape) = &out_shape {
            settle_op(&mut node.op, shape);
        }
        node.in_shape = in_shape;
        node.out_shape = out_shape;
    }
    warnings.sort_by_key(|(id, _)| *id);
    Ok(warnings.into_iter().map(|(_, warning)| warning).collect())
}

struct Inference<'a> {
    network: &'a Network,
    preds: IdVec<NodeId, Vec<NodeId>>,
    succs: IdVec<NodeId, Vec<NodeId>>,
    own: IdVec<NodeId, Own>,
    ins: IdVec<NodeId, Option<Shape>>,
    outs: IdVec<NodeId, Option<Shape>>,
    errors: Vec<Diagnostic>,
    warnings: Vec<(NodeId, Diagnostic)>,
}

fn label(node: &Node) -> String {
    format!("'{}' ({})", escape(&node.name), node.op.kind())
}

impl<'a> Inference<'a> {
    fn new(network: &'a Network) -> Self {
        let mut this = Self {
            network,
            preds: network.predecessors(),
            succs: network.successors(),
            own: network.nodes.ids().map(|_| Own::default()).collect(),
            ins: network.nodes.ids().map(|_| None).collect(),
            outs: network.nodes.ids().map(|_| None).collect(),
            errors: Vec::new(),
            warnings: Vec::new(),
        };
        for (id, node) in network.nodes.iter() {
            let own = this.own(node);
            // A soft shape without a predecessor to believe is as good as any.
            if !own.soft || this.preds[id].is_empty() {
                this.ins[id] = own.takes.clone();
                this.outs[id] = own.gives.clone();
            }
            this.own[id] = own;
        }
        this
    }

    fn warn(&mut self, id: NodeId, code: Code, message: String) -> WarningOf<'_> {
        let node = &self.network.nodes[id];
        WarningOf {
            list: &mut self.warnings,
            id,
            warning: Some(Diagnostic::warning(code, &node.origin, message)),
        }
    }

    /// Drops leading dimensions of Inputs that no neighbour has: old exporters
    /// wrote time or batch into them.
    fn trim_inputs(&mut self) {
        let network = self.network;
        for (id, node) in network.nodes.iter() {
            let Op::Input {
                shape: Some(declared),
            } = &node.op
            else {
                continue;
            };
            let mut tails: Vec<Option<Shape>> = self
                .nearest(id)
                .into_iter()
                .filter_map(|near| self.tail_for(near, declared))
                .collect();
            tails.dedup();
            if let [Some(tail)] = tails.as_slice() {
                let tail = tail.clone();
                self.batch(id, declared, &tail);
                self.ins[id] = Some(tail.clone());
                self.outs[id] = Some(tail);
            }
        }
    }

    /// The tail of `declared` that a node takes; `Some(None)` where it takes
    /// all of it or none, `None` where it has no say.
    fn tail_for(&self, near: NodeId, declared: &Shape) -> Option<Option<Shape>> {
        let tails = || (1..declared.rank()).map(|i| Shape::of(&declared.0[i..]));
        if let Some(Ok(window)) = window::Window::of(&self.network.nodes[near].op) {
            let tail = tails().find(|t| t.rank() == window.rank());
            return Some(tail.filter(|t| window.out(t).is_some()));
        }
        let takes = self.own[near].takes.as_ref()?;
        if takes == declared {
            return Some(None);
        }
        Some(tails().find(|t| t == takes).or_else(|| {
            let whole = takes.checked_len() == declared.checked_len();
            tails().find(|t| !whole && t.checked_len() == takes.checked_len())
        }))
    }

    /// The nearest nodes behind `from` that know what they take; nodes that
    /// pass any shape on are looked through.
    fn nearest(&self, from: NodeId) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut seen = vec![false; self.network.nodes.len()];
        let mut next: Vec<NodeId> = self.succs[from].clone();
        while let Some(id) = next.pop() {
            if std::mem::replace(&mut seen[id.index()], true) {
                continue;
            }
            let op = &self.network.nodes[id].op;
            if self.own[id].takes.is_some() || window::Window::of(op).is_some() {
                found.push(id);
            } else if passes_on(op) {
                next.extend(&self.succs[id]);
            }
        }
        found.sort_unstable();
        found
    }

    fn batch(&mut self, id: NodeId, declared: &Shape, kept: &Shape) {
        let node = &self.network.nodes[id];
        let dropped = Shape::of(&declared.0[..declared.rank().saturating_sub(kept.rank())]);
        let message = format!(
            "leading dimensions {dropped} of {} are taken as time or batch",
            label(node)
        );
        self.warn(id, Code::ShapeLoose, message)
            .note(format!("declared {}", arithmetic(declared)))
            .note(format!("its neighbours have {}", arithmetic(kept)))
            .help("export the network with the shape of one step of one sample");
    }
}

/// A warning under construction; it joins the list when it is dropped.
struct WarningOf<'a> {
    list: &'a mut Vec<(NodeId, Diagnostic)>,
    id: NodeId,
    warning: Option<Diagnostic>,
}

impl WarningOf<'_> {
    fn note(mut self, note: impl Into<String>) -> Self {
        self.warning = self.warning.take().map(|w| w.note(note));
        self
    }
    fn help(mut self, help: impl Into<String>) {
        self.warning = self.warning.take().map(|w| w.help(help));
    }
}

impl Drop for WarningOf<'_> {
    fn drop(&mut self) {
        self.list.extend(self.warning.take().map(|w| (self.id, w)));
    }
}

/// Whether a node gives the shape it takes, whatever that is.
fn passes_on(op: &Op) -> bool {
    match op {
        Op::Input { .. }
        | Op::Output { .. }
        | Op::Scale { .. }
        | Op::Delay { .. }
        | Op::Threshold { .. }
        | Op::Lif { .. }
        | Op::CubaLif { .. }
        | Op::Li { .. }
        | Op::CubaLi { .. }
        | Op::I { .. }
        | Op::If { .. } => true,
        Op::Affine { .. }
        | Op::Linear { .. }
        | Op::Conv1d { .. }
        | Op::Conv2d { .. }
        | Op::SumPool2d { .. }
        | Op::AvgPool2d { .. }
        | Op::Flatten { .. } => false,
    }
}

/// Writes the inferred shape into ports and parameters.
fn settle_op(op: &mut Op, shape: &Shape) {
    if let Op::Input { shape: declared } | Op::Output { shape: declared } = op {
        *declared = Some(shape.clone());
    }
    own::for_each_parameter(op, |t| {
        if t.len() > 1
            && t.shape() != shape
            && let Some(settled) = spread(t, shape)
        {
            *t = settled;
        }
    });
}

/// The tensor under another shape: repeated along its dimensions of size 1.
fn spread(t: &Tensor, shape: &Shape) -> Option<Tensor> {
    if t.len() == shape.checked_len()? {
        return t.clone().reshaped(shape.clone());
    }
    if !own::broadcasts(t.shape(), shape) {
        return None;
    }
    let small = &t.shape().0;
    let lead = shape.rank().checked_sub(small.len())?;
    let at: Vec<usize> = (0..shape.len())
        .map(|i| {
            let (mut rest, mut from, mut step) = (i, 0, 1);
            for (k, &d) in shape.0.iter().enumerate().rev() {
                let position = rest % d;
                rest /= d;
                let own = k.checked_sub(lead).map_or(1, |k| small[k]);
                if own != 1 {
                    from += position * step;
                    step *= own;
                }
            }
            from
        })
        .collect();
    fn pick<T: Copy>(v: &[T], at: &[usize]) -> Vec<T> {
        at.iter().map(|&i| v[i]).collect()
    }
    let data = match t.data() {
        Data::F64(v) => Data::F64(pick(v, &at)),
        Data::F32(v) => Data::F32(pick(v, &at)),
        Data::I8(v) => Data::I8(pick(v, &at)),
        Data::I16(v) => Data::I16(pick(v, &at)),
        Data::I32(v) => Data::I32(pick(v, &at)),
    };
    Tensor::new(shape.clone(), data)
}
