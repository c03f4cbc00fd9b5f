//! The golden interpreter: what a network means, in float64, step by step.
//!
//! In each step, in the order of the [`schedule`]:
//!
//! ```text
//! x      = sum over in-edges of what the source produced in this step
//!          (an edge that carries the previous step: in the step before, 0 at first)
//! Affine y = W x + b      Linear y = W x      Scale y = s * x      Flatten y = x
//! LIF    v = decay v + gain x + leak          IF    v = v + gain x
//!        z = v > threshold; v = reset(v)
//! ```
//!
//! [`crate::semantics::Semantics`] says how the constants follow from the file
//! and which comparison, reset, delay and bias convention holds. All state is 0
//! before step 0, v too (not v_leak: every framework starts there).
//!
//! **Invariant:** the result depends on the network, the semantics and the
//! inputs only; sums run in ascending order of the source.

mod membrane;
mod options;
mod run;
pub mod schedule;
mod wiring;

pub use membrane::parameters;
pub use run::{State, Traces};
pub use schedule::{Schedule, schedule};

use crate::code::Code;
use crate::diag::{Diagnostic, Diagnostics, Result};
use crate::id::{IdVec, NodeId};
use crate::network::{Network, Node, Op};
use crate::origin::escape;
use crate::semantics::{Bias, RecurrentBiasT0, Semantics};
use crate::tensor::Tensor;
use membrane::Membrane;
use wiring::Wire;

/// Upper bound of the values that the nodes of a network produce in a step, so
/// that a shape in a hostile file can't claim all memory.
const MAX_VALUES: usize = 1 << 28;

/// A network made ready to run: constants derived, weights transposed, the
/// order of a step resolved.
#[derive(Debug)]
pub struct Golden {
    nodes: IdVec<NodeId, Unit>,
    schedule: Schedule,
    inputs: Vec<NodeId>,
    outputs: Vec<NodeId>,
    latency: IdVec<NodeId, usize>,
    held: IdVec<NodeId, bool>,
    warnings: Vec<Diagnostic>,
    unused: Vec<&'static str>,
}

/// One node, ready to run.
#[derive(Debug)]
struct Unit {
    /// The user's name and kind, for messages.
    label: String,
    /// Number of values that it produces in a step.
    n: usize,
    wires: Vec<Wire>,
    /// Some wire reads the previous step of this node.
    read_late: bool,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Input,
    /// Flatten and Output: the sum of the wires, computed when someone looks.
    Alias,
    Dense(Dense),
    Scale(Vec<f64>),
    Neurons(Membrane),
}

/// `y = W x + b` with the columns of W stored one after the other, since the
/// inputs are mostly zero and a zero skips its column.
#[derive(Debug)]
struct Dense {
    n_in: usize,
    columns: Vec<f64>,
    bias: Option<Vec<f64>>,
    /// First step in which the bias acts: 0, or 1 on a recurrent path with
    /// `--recurrent-bias-t0 off`.
    bias_from: usize,
}

impl Golden {
    /// Prepares a network whose shapes are known (`infer-shapes`).
    ///
    /// Fails if dt is needed but unknown, a parameter is impossible, sizes
    /// disagree or a cycle holds no neuron.
    pub fn new(network: &Network, semantics: &Semantics) -> Result<Self> {
        let schedule = schedule(network)?;
        let dt = options::dt(network, semantics)?;
        let held = options::held(network, &schedule, semantics);
        let recurrent = options::recurrent(network, &schedule);
        let wiring = wiring::wire(network, &schedule, semantics.edge_delay)?;

        let mut errors = Vec::new();
        let mut nodes = IdVec::new();
        let mut total = 0usize;
        for ((id, node), wires) in network.nodes.iter().zip(wiring.into.values()) {
            let width = width(node).and_then(|n| {
                total = total.saturating_add(n);
                if total > MAX_VALUES {
                    return Err(too_large(node, n).into());
                }
                Ok(n)
            });
            // A membrane offset is constant from step 0 on, recurrent or not.
            let late = recurrent[id]
                && semantics.recurrent_bias_t0 == RecurrentBiasT0::Off
                && semantics.bias == Bias::Synapse;
            let unit = width.and_then(|n| {
                Ok(Unit {
                    label: format!("'{}' ({})", escape(&node.name), node.op.kind()),
                    n,
                    wires: wires.clone(),
                    read_late: false,
                    kind: kind(node, n, semantics, dt, held[id], usize::from(late))?,
                })
            });
            match unit {
                Ok(unit) => {
                    nodes.push(unit);
                }
                Err(Diagnostics(found)) => errors.extend(found),
            }
        }
        if !errors.is_empty() {
            return Err(Diagnostics(errors));
        }
        check_wires(network, &nodes)?;
        for wires in wiring.into.values() {
            for w in wires.iter().filter(|w| w.delayed) {
                nodes[w.source].read_late = true;
            }
        }
        let unused = options::unused(network, &schedule, semantics);
        Ok(Self {
            nodes,
            schedule,
            inputs: network.inputs(),
            outputs: network.outputs(),
            latency: wiring.latency,
            held,
            warnings: options::implausible_dt(network, semantics, dt),
            unused,
        })
    }

    /// Steps by which a node's values lag the inputs they belong to: under
    /// `--edge-delay chip` the fewest delays on a path from an Input (0 where
    /// no Input reaches), else 0. What `--align input` removes.
    pub fn latency(&self, node: NodeId) -> usize {
        self.latency.get(node).copied().unwrap_or(0)
    }
    /// Whether the node's membranes are forced to 0 in the step after a spike.
    pub fn holds(&self, node: NodeId) -> bool {
        self.held.get(node).copied().unwrap_or(false)
    }
    /// The order of a step and the edges that carry the previous step.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }
    /// What is odd about the options but can be run: dt/tau outside (0, 1).
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }
    /// The flags of the options that change nothing on this graph, whatever
    /// their value, in the order of the option table.
    pub fn unused_options(&self) -> Vec<&'static str> {
        self.unused.clone()
    }
}

/// The number of values that a shaped node produces.
fn width(node: &Node) -> Result<usize> {
    let Some(shape) = &node.out_shape else {
        return Err(Diagnostic::internal(format!(
            "golden needs the shape of '{}'; infer-shapes must run first",
            escape(&node.name)
        ))
        .into());
    };
    shape
        .checked_len()
        .ok_or_else(|| too_large(node, usize::MAX).into())
}

fn too_large(node: &Node, n: usize) -> Diagnostic {
    Diagnostic::error(
        Code::BadParameter,
        &node.origin,
        format!(
            "'{}' makes the network too large to interpret",
            escape(&node.name)
        ),
    )
    .note(format!(
        "it has {n} values; all nodes together may have {MAX_VALUES}"
    ))
}

fn kind(
    node: &Node,
    n: usize,
    semantics: &Semantics,
    dt: f64,
    hold: bool,
    bias_from: usize,
) -> Result<Kind> {
    if let Some(membrane) = Membrane::new(node, n, semantics, dt, hold) {
        return membrane.map(Kind::Neurons);
    }
    match &node.op {
        Op::Input { .. } => Ok(Kind::Input),
        Op::Output { .. } | Op::Flatten { .. } => Ok(Kind::Alias),
        Op::Affine { weight, bias } => dense(node, n, weight, Some(bias), bias_from),
        Op::Linear { weight } => dense(node, n, weight, None, bias_from),
        Op::Scale { scale } => {
            let values = finite(node, "scale", scale)?;
            match values.as_slice() {
                &[one] => Ok(Kind::Scale(vec![one; n])),
                many if many.len() == n => Ok(Kind::Scale(values)),
                many => Err(Diagnostic::error(
                    Code::Shape,
                    &node.origin,
                    format!(
                        "'{}' has {} scales for {n} values",
                        escape(&node.name),
                        many.len()
                    ),
                )
                .into()),
            }
        }
        _ => Err(Diagnostic::internal("a neuron without a membrane").into()),
    }
}

fn dense(
    node: &Node,
    n: usize,
    weight: &Tensor,
    bias: Option<&Tensor>,
    bias_from: usize,
) -> Result<Kind> {
    let name = escape(&node.name);
    let &[n_out, n_in] = weight.shape().0.as_slice() else {
        return Err(Diagnostic::error(
            Code::Shape,
            &node.origin,
            format!(
                "the weight of '{name}' is not a matrix but {}",
                weight.shape()
            ),
        )
        .into());
    };
    let bias = bias.map(|b| finite(node, "bias", b)).transpose()?;
    if n_out != n || bias.as_ref().is_some_and(|b| b.len() != n_out) {
        return Err(Diagnostic::error(
            Code::Shape,
            &node.origin,
            format!("weight, bias and output of '{name}' disagree"),
        )
        .note(format!(
            "weight {}, bias {}, output {n}",
            weight.shape(),
            bias.as_ref().map_or(n_out, Vec::len)
        ))
        .into());
    }
    let rows = finite(node, "weight", weight)?;
    let mut columns = vec![0.0; rows.len()];
    for (i, row) in rows.chunks_exact(n_in.max(1)).enumerate() {
        for (j, &w) in row.iter().enumerate() {
            columns[j * n_out + i] = w;
        }
    }
    Ok(Kind::Dense(Dense {
        n_in,
        columns,
        bias,
        bias_from,
    }))
}

fn finite(node: &Node, what: &str, tensor: &Tensor) -> Result<Vec<f64>> {
    let values = tensor.to_f64();
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(values),
        Some(i) => Err(Diagnostic::error(
            Code::BadParameter,
            &node.origin,
            format!("{what} of '{}' is not finite", escape(&node.name)),
        )
        .note(format!("element {i} is {}", values[i]))
        .into()),
    }
}

/// Every node must accept as many values as its sources produce.
fn check_wires(network: &Network, nodes: &IdVec<NodeId, Unit>) -> Result<()> {
    let mut errors = Vec::new();
    for (id, unit) in nodes.iter() {
        let node = &network.nodes[id];
        let accepts = match &unit.kind {
            Kind::Input if unit.wires.is_empty() => continue,
            Kind::Input => {
                errors.push(Diagnostic::error(
                    Code::GraphUnsupported,
                    &node.origin,
                    format!("an edge leads into the input {}", unit.label),
                ));
                continue;
            }
            Kind::Dense(dense) => dense.n_in,
            Kind::Alias | Kind::Scale(_) | Kind::Neurons(_) => unit.n,
        };
        for wire in &unit.wires {
            let source = &nodes[wire.source];
            if source.n != accepts {
                errors.push(
                    Diagnostic::error(
                        Code::Shape,
                        &node.origin,
                        format!("{} cannot take what {} produces", unit.label, source.label),
                    )
                    .note(format!("{} values produced, {accepts} accepted", source.n)),
                );
            }
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Diagnostics(errors))
    }
}
