//! The golden interpreter: what a network means, in float64, step by step.
//!
//! In each step, in the order of the [`schedule`]:
//!
//! ```text
//! x        = sum over in-edges of what the source produced in this step
//!            (an edge that carries the previous step: in the step before, 0 at first)
//! Affine   y = W x + b      Linear y = W x      Scale y = s * x      Flatten y = x
//! Conv     y = cross-correlation of x with the kernels, + b
//! SumPool  y = sums over windows of x           AvgPool the same / window size
//! Delay    y = x of d steps before, d = round(delay/dt) element by element,
//!          halves away from zero; zero at first; d = 0: y = x
//! Threshold y = 1 where x > threshold (x >= threshold with --compare ge), else 0
//! LIF      v = decay v + gain x + leak          IF       v = v + gain x
//! CubaLIF  i = decay_syn i + gain_syn x, then as LIF with i for x
//!          then z = v > threshold; v = reset(v); y = z
//! LI, CubaLI, I   as LIF, CubaLIF, IF; y = v
//! ```
//!
//! [`crate::semantics::Semantics`] says how the constants follow from the file
//! and which comparison, reset, delay and bias convention holds
//! (`golden/membrane.rs` has the table). All state is 0 before step 0, v too
//! (not v_leak: every framework starts there).
//!
//! **Invariant:** the result depends on the network, the semantics and the
//! inputs only; sums run in ascending order of the source.

mod delay;
mod dt;
mod maps;
mod membrane;
mod options;
mod plausible;
mod run;
pub mod schedule;
mod spatial;
mod step;
mod values;
mod wiring;

pub use delay::delay_steps;
pub use options::{held, recurrent};
pub use plausible::silent;
pub use run::{State, Traces};
pub use schedule::{Schedule, schedule};
pub use values::parameters;

use crate::code::Code;
use crate::diag::{Diagnostic, Diagnostics, Result};
use crate::id::{IdVec, NodeId};
use crate::network::{Network, Node, Op};
use crate::origin::escape;
use crate::semantics::{Bias, Compare, RecurrentBiasT0, Semantics};
use delay::Delay;
use maps::Affine;
use membrane::Neurons;
use values::{Values, check_one};
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
    /// Biases run beside the values, to be added to membranes (`--bias membrane`).
    apart: bool,
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
    Affine(Affine),
    Delay(Delay),
    Threshold(Values, Compare),
    Neurons(Neurons),
}

impl Unit {
    /// Number of values that the node takes.
    fn n_in(&self) -> usize {
        match &self.kind {
            Kind::Affine(affine) => affine.n_in(self.n),
            Kind::Input | Kind::Alias | Kind::Delay(_) | Kind::Threshold(..) | Kind::Neurons(_) => {
                self.n
            }
        }
    }
    fn neurons(&self) -> Option<&Neurons> {
        match &self.kind {
            Kind::Neurons(neurons) => Some(neurons),
            Kind::Input | Kind::Alias | Kind::Affine(_) | Kind::Delay(_) | Kind::Threshold(..) => {
                None
            }
        }
    }
    /// Whether the node sends spikes.
    fn spikes(&self) -> bool {
        match &self.kind {
            Kind::Neurons(neurons) => neurons.fire.is_some(),
            Kind::Threshold(..) => true,
            Kind::Input | Kind::Alias | Kind::Affine(_) | Kind::Delay(_) => false,
        }
    }
}

impl Golden {
    /// Prepares a network whose shapes are known (`infer-shapes`).
    ///
    /// Fails if dt is needed but unknown, a parameter is impossible, sizes
    /// disagree or a cycle holds no neuron.
    pub fn new(network: &Network, semantics: &Semantics) -> Result<Self> {
        let dt = dt::dt(network, semantics)?;
        let schedule = schedule(network, Some(dt))?;
        let held = options::held(network, &schedule, semantics);
        let recurrent = options::recurrent(network, &schedule);
        let wiring = wiring::wire(network, &schedule, semantics)?;

        let mut errors = Vec::new();
        let mut nodes = IdVec::new();
        let mut total = 0usize;
        for ((id, node), wires) in network.nodes.iter().zip(wiring.into.values()) {
            // A membrane offset is constant from step 0 on, recurrent or not.
            let late = recurrent[id]
                && semantics.recurrent_bias_t0 == RecurrentBiasT0::Off
                && semantics.bias == Bias::Synapse;
            let unit = width(node).and_then(|n| {
                let kind = kind(node, n, semantics, dt, held[id], usize::from(late))?;
                let waiting = match &kind {
                    Kind::Delay(delay) => delay.waiting(),
                    _ => 0,
                };
                total = total.saturating_add(n).saturating_add(waiting);
                if total > MAX_VALUES {
                    return Err(too_large(node, n).into());
                }
                Ok(Unit {
                    label: format!("'{}' ({})", escape(&node.name), node.op.kind()),
                    n,
                    wires: wires.clone(),
                    read_late: false,
                    kind,
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
            apart: semantics.bias == Bias::Membrane,
            warnings: dt::implausible(network, semantics, dt),
            unused,
        })
    }

    /// Steps by which a node's values lag the inputs they belong to: under
    /// `--edge-delay chip` the fewest delays on a path from an Input (0 where
    /// no Input reaches), else 0. What `--align input` removes. The steps of
    /// Delay nodes are the network's own and don't count.
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
    let n = shape.checked_len().filter(|&n| n <= MAX_VALUES);
    n.ok_or_else(|| too_large(node, shape.checked_len().unwrap_or(usize::MAX)).into())
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
        "it has {n} values; all nodes and Delays together may hold {MAX_VALUES}"
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
    if let Some(neurons) = Neurons::new(node, n, semantics, dt, hold) {
        return neurons.map(Kind::Neurons);
    }
    if let Some(affine) = Affine::new(node, n, bias_from) {
        return affine.map(Kind::Affine);
    }
    match &node.op {
        Op::Input { .. } => Ok(Kind::Input),
        Op::Output { .. } | Op::Flatten { .. } => Ok(Kind::Alias),
        Op::Delay { delay } => {
            check_one(node, "delay", delay, n)?;
            let steps = delay_steps(node, delay, dt)?;
            Ok(Kind::Delay(Delay::new(&steps, n)))
        }
        Op::Threshold { threshold } => {
            check_one(node, "threshold", threshold, n)?;
            Ok(Kind::Threshold(Values::of(threshold), semantics.compare))
        }
        Op::Affine { .. }
        | Op::Linear { .. }
        | Op::Scale { .. }
        | Op::Conv1d { .. }
        | Op::Conv2d { .. }
        | Op::SumPool2d { .. }
        | Op::AvgPool2d { .. }
        | Op::Lif { .. }
        | Op::CubaLif { .. }
        | Op::Li { .. }
        | Op::CubaLi { .. }
        | Op::I { .. }
        | Op::If { .. } => {
            Err(Diagnostic::internal("a node that is neither map nor neuron").into())
        }
    }
}

/// Every node must accept as many values as its sources produce.
fn check_wires(network: &Network, nodes: &IdVec<NodeId, Unit>) -> Result<()> {
    let mut errors = Vec::new();
    for (id, unit) in nodes.iter() {
        let node = &network.nodes[id];
        if matches!(unit.kind, Kind::Input) && !unit.wires.is_empty() {
            let message = format!("an edge leads into the input {}", unit.label);
            errors.push(Diagnostic::error(
                Code::GraphUnsupported,
                &node.origin,
                message,
            ));
            continue;
        }
        let accepts = unit.n_in();
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
