//! The network: the float graph as the user's file says it, node by node.
//!
//! Values flow along edges within one network step: a node's input is the sum
//! of what its predecessors produce in the same step, except over the edges
//! that close a cycle, which carry the previous step (`golden::schedule` has
//! the rule). Time constants keep the file's unit until `discretise`.

use crate::id::{IdVec, NodeId};
use crate::origin::Origin;
use crate::tensor::{Shape, Tensor};

/// A float graph with named nodes. Edges are identities; several edges into
/// one node add up.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Network {
    /// The user's name for the network (the file stem).
    pub name: String,
    pub nodes: IdVec<NodeId, Node>,
    pub edges: Vec<Edge>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub from: NodeId,
    pub to: NodeId,
}

/// One node. Shapes are `None` until `infer-shapes` has run.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Flat name as in the file; nested graphs join their path by dots.
    pub name: String,
    pub op: Op,
    pub in_shape: Option<Shape>,
    pub out_shape: Option<Shape>,
    pub origin: Origin,
}

/// What a node computes in one step. `x` is the node's summed input.
///
/// Parameters of neurons have the shape of the population, or hold one element
/// that stands for all (NIR leaves broadcasting open, but such files exist).
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// A port of the outside world; the shape is what the file declares.
    Input {
        shape: Option<Shape>,
    },
    Output {
        shape: Option<Shape>,
    },
    /// `y = W x + b`; weight `[out in]`, bias `[out]`.
    Affine {
        weight: Tensor,
        bias: Tensor,
    },
    /// `y = W x`; weight `[out in]`.
    Linear {
        weight: Tensor,
    },
    /// `y = s * x`, element by element.
    Scale {
        scale: Tensor,
    },
    /// Cross-correlation over one dimension, as torch defines it; weight
    /// `[C_out C_in/groups K]`, values `[C N]`.
    Conv1d {
        weight: Tensor,
        bias: Option<Tensor>,
        stride: usize,
        padding: Padding,
        dilation: usize,
        groups: usize,
        /// N, where the file says it.
        input_shape: Option<usize>,
    },
    /// The same over two; weight `[C_out C_in/groups Kh Kw]`, values `[C H W]`,
    /// pairs are (vertical, horizontal).
    Conv2d {
        weight: Tensor,
        bias: Option<Tensor>,
        stride: [usize; 2],
        padding: Padding,
        dilation: [usize; 2],
        groups: usize,
        /// H and W, where the file says them.
        input_shape: Option<[usize; 2]>,
    },
    /// Sums over windows of each channel; zeros around, sizes round down.
    SumPool2d {
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
    },
    /// The same, divided by the window's size (padding counts).
    AvgPool2d {
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
    },
    /// `y(t) = x(t - delay)`, element by element, in the file's time unit.
    Delay {
        delay: Tensor,
    },
    /// 1 where x is above `threshold`, else 0. Keeps no state.
    Threshold {
        threshold: Tensor,
    },
    /// Merges dimensions `start..=end` (negative counts from the end); values are untouched.
    Flatten {
        start_dim: i64,
        end_dim: i64,
        input_type: Option<Shape>,
    },
    /// `tau v' = (v_leak - v) + r x`, a spike when v passes `v_threshold`.
    Lif {
        tau: Tensor,
        r: Tensor,
        v_leak: Tensor,
        v_threshold: Tensor,
        v_reset: Option<Tensor>,
    },
    /// `tau_syn i' = -i + w_in x`, `tau_mem v' = (v_leak - v) + r i`, a spike
    /// when v passes `v_threshold`.
    CubaLif {
        tau_syn: Tensor,
        tau_mem: Tensor,
        r: Tensor,
        v_leak: Tensor,
        v_threshold: Tensor,
        v_reset: Option<Tensor>,
        w_in: Tensor,
    },
    /// `tau v' = (v_leak - v) + r x`; sends v.
    Li {
        tau: Tensor,
        r: Tensor,
        v_leak: Tensor,
    },
    /// Current and membrane of CubaLIF; sends v.
    CubaLi {
        tau_syn: Tensor,
        tau_mem: Tensor,
        r: Tensor,
        v_leak: Tensor,
        w_in: Tensor,
    },
    /// `v' = r x`; sends v.
    I {
        r: Tensor,
    },
    /// `v' = r x`, a spike when v passes `v_threshold`.
    If {
        r: Tensor,
        v_threshold: Tensor,
        v_reset: Option<Tensor>,
    },
}

/// Padding of a convolution, in zeros at each side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Padding {
    /// As many at both sides: one value per dimension.
    Zeros(Vec<usize>),
    /// As many as keep the size: `dilation * (kernel - 1)` in all, the larger
    /// half after the values.
    Same,
}

impl Op {
    /// NIR's name of the node type.
    pub fn kind(&self) -> &'static str {
        match self {
            Op::Input { .. } => "Input",
            Op::Output { .. } => "Output",
            Op::Affine { .. } => "Affine",
            Op::Linear { .. } => "Linear",
            Op::Scale { .. } => "Scale",
            Op::Flatten { .. } => "Flatten",
            Op::Conv1d { .. } => "Conv1d",
            Op::Conv2d { .. } => "Conv2d",
            Op::SumPool2d { .. } => "SumPool2d",
            Op::AvgPool2d { .. } => "AvgPool2d",
            Op::Delay { .. } => "Delay",
            Op::Threshold { .. } => "Threshold",
            Op::Lif { .. } => "LIF",
            Op::CubaLif { .. } => "CubaLIF",
            Op::Li { .. } => "LI",
            Op::CubaLi { .. } => "CubaLI",
            Op::I { .. } => "I",
            Op::If { .. } => "IF",
        }
    }
    /// Whether the node is a neuron that keeps state from one step to the
    /// next. A Delay is none: it breaks cycles by its own steps.
    pub fn is_stateful(&self) -> bool {
        match self {
            Op::Lif { .. }
            | Op::CubaLif { .. }
            | Op::Li { .. }
            | Op::CubaLi { .. }
            | Op::I { .. }
            | Op::If { .. } => true,
            Op::Input { .. }
            | Op::Output { .. }
            | Op::Affine { .. }
            | Op::Linear { .. }
            | Op::Scale { .. }
            | Op::Conv1d { .. }
            | Op::Conv2d { .. }
            | Op::SumPool2d { .. }
            | Op::AvgPool2d { .. }
            | Op::Delay { .. }
            | Op::Threshold { .. }
            | Op::Flatten { .. } => false,
        }
    }
}

impl Network {
    pub fn node_named(&self, name: &str) -> Option<NodeId> {
        self.nodes
            .iter()
            .find(|(_, n)| n.name == name)
            .map(|(id, _)| id)
    }
    /// Ids of the Input nodes, in node order.
    pub fn inputs(&self) -> Vec<NodeId> {
        self.ids_where(|op| matches!(op, Op::Input { .. }))
    }
    /// Ids of the Output nodes, in node order.
    pub fn outputs(&self) -> Vec<NodeId> {
        self.ids_where(|op| matches!(op, Op::Output { .. }))
    }
    fn ids_where(&self, keep: impl Fn(&Op) -> bool) -> Vec<NodeId> {
        self.nodes
            .iter()
            .filter(|(_, n)| keep(&n.op))
            .map(|(id, _)| id)
            .collect()
    }
    /// Predecessors of each node, in edge order.
    pub fn predecessors(&self) -> IdVec<NodeId, Vec<NodeId>> {
        let mut preds: IdVec<NodeId, Vec<NodeId>> = self.nodes.ids().map(|_| Vec::new()).collect();
        for e in &self.edges {
            preds[e.to].push(e.from);
        }
        preds
    }
    /// Successors of each node, in edge order.
    pub fn successors(&self) -> IdVec<NodeId, Vec<NodeId>> {
        let mut succs: IdVec<NodeId, Vec<NodeId>> = self.nodes.ids().map(|_| Vec::new()).collect();
        for e in &self.edges {
            succs[e.from].push(e.to);
        }
        succs
    }
}
