//! `canonicalise`: from the float graph to populations and projections.
//!
//! Inputs become spike sources; neurons and Thresholds become populations of
//! the same name. All that lies between two of them (weights, convolutions,
//! pools, Scale, Flatten, Delay, sums, forks) is linear, so it is folded in
//! float64 into one map for each pair of ends and lag. Biases are constants;
//! each is carried along its paths and added up at the population that
//! receives it.
//!
//! An Output that shows something else than what one population sends gets a
//! population of its own ([`outputs`]).

mod assemble;
mod conv;
mod delays;
mod early;
mod forms;
mod maps;
mod matrix;
mod neurons;
mod ops;
mod order;
mod outputs;
mod project;

use crate::contract::{Contract, MAPPED};
use crate::manager::PassContext;
use crate::registry::{Canonicalise, Transform};
use delays::delays;
use early::node_sends_early;
pub(crate) use early::sends_early;
use forms::{Form, Fuel};
use ir::Module;
use ir::app::{AppGraph, Sends};
use ir::code::Code;
use ir::diag::{Diagnostic, Result};
use ir::facts::Fact;
use ir::golden::schedule::{Schedule, schedule};
use ir::golden::{held, recurrent};
use ir::id::{IdVec, NodeId};
use ir::network::{Network, Node, Op};
use ir::neuron::{ContinuousNeuron, MAX_COUNT, NeuronKind};
use ir::origin::escape;
use ir::semantics::{Bias, EdgeDelay, RecurrentBiasT0, Reset, Semantics, SpikeOn};
use ir::tensor::{Shape, Tensor};
use neurons::{blank, check_bias, neuron};
use order::{Order, order, sends};
use std::collections::BTreeMap;

const PASS: &str = "canonicalise";

impl Transform for Canonicalise {
    const CONTRACT: Contract = Contract::requires(&[Fact::Shaped])
        .excludes(&[Fact::Canonical])
        .establishes(&[Fact::Canonical])
        .destroys(MAPPED);

    fn run(module: &mut Module, _: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        let (app, warnings) = canonicalise(&module.network, &module.semantics, &module.inputs)?;
        module.app = app;
        module.network = Network {
            name: module.network.name.clone(),
            ..Network::default()
        };
        Ok(warnings)
    }
}

/// Folds a shaped network into an application graph.
///
/// Populations: the Inputs in node order, then neurons, Thresholds and Delays
/// that stay in schedule order, then those of Outputs. Projections: by target,
/// then source, then lag. `inputs` says what the Inputs carry, by name.
pub fn canonicalise(
    network: &Network,
    semantics: &Semantics,
    inputs: &BTreeMap<String, Sends>,
) -> Result<(AppGraph, Vec<Diagnostic>)> {
    let schedule = schedule(network, semantics.dt_in_file_units())?;
    let mut folding = Folding::new(network, semantics, inputs, &schedule)?;
    for id in std::mem::take(&mut folding.order.nodes) {
        // A fault of one node must not hide the faults of the others; its
        // value is taken as nothing from here on, of which no Output complains.
        let (node, lost) = (&network.nodes[id], folding.reads_lost(id));
        folding.lost[id] = lost && !sends(&node.op);
        if lost && matches!(node.op, Op::Output { .. }) {
            continue;
        }
        if let Err(error) = folding.visit(id, node) {
            folding.errors.push(error);
            folding.lost[id] = true;
        }
    }
    folding.finish()
}

/// What becomes a population, before it has a number.
struct Receiver {
    neuron: ContinuousNeuron,
    sends: Sends,
    input: Form,
}

struct Folding<'a> {
    network: &'a Network,
    semantics: &'a Semantics,
    inputs: &'a BTreeMap<String, Sends>,
    schedule: &'a Schedule,
    order: Order,
    held: IdVec<NodeId, bool>,
    recurrent: IdVec<NodeId, bool>,
    /// Steps of each Delay; one value may stand for all.
    delays: BTreeMap<NodeId, Vec<u32>>,
    /// In-edges of each node: edge number and source.
    into: IdVec<NodeId, Vec<(usize, NodeId)>>,
    /// Out-edges that have not read the form yet.
    readers: IdVec<NodeId, usize>,
    forms: IdVec<NodeId, Form>,
    receivers: BTreeMap<NodeId, Receiver>,
    /// The sender that each Output shows as it is.
    shown: BTreeMap<NodeId, NodeId>,
    /// Nodes whose value is missing because of an error.
    lost: IdVec<NodeId, bool>,
    fuel: Fuel,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

type Fallible<T> = std::result::Result<T, Diagnostic>;

impl<'a> Folding<'a> {
    fn new(
        network: &'a Network,
        semantics: &'a Semantics,
        inputs: &'a BTreeMap<String, Sends>,
        schedule: &'a Schedule,
    ) -> Result<Self> {
        let ids = || network.nodes.ids();
        let mut into: IdVec<NodeId, Vec<_>> = ids().map(|_| Vec::new()).collect();
        let mut readers: IdVec<NodeId, usize> = ids().map(|_| 0).collect();
        for (i, e) in network.edges.iter().enumerate() {
            into[e.to].push((i, e.from));
            readers[e.from] += 1;
        }
        Ok(Self {
            network,
            semantics,
            inputs,
            schedule,
            order: order(network, schedule)?,
            held: held(network, schedule, semantics),
            recurrent: recurrent(network, schedule),
            delays: delays(network, semantics)?,
            into,
            readers,
            forms: ids().map(|_| Form::default()).collect(),
            receivers: BTreeMap::new(),
            shown: BTreeMap::new(),
            lost: ids().map(|_| false).collect(),
            fuel: Fuel::default(),
            errors: Vec::new(),
            warnings: Vec::new(),
        })
    }

    fn reads_lost(&self, id: NodeId) -> bool {
        self.into[id].iter().any(|&(_, from)| self.lost[from])
    }

    /// The lag of what a sender sends along an edge that carries its step.
    fn least_lag(&self) -> u32 {
        u32::from(self.semantics.edge_delay == EdgeDelay::Chip)
    }

    /// The steps that what a sender sends along an edge is late.
    fn lag(&self, from: NodeId, edge: usize, to: &Node) -> Fallible<u32> {
        let sender = &self.network.nodes[from];
        let previous = self.schedule.is_previous(edge);
        let spikes = matches!(
            sender.op,
            Op::Lif { .. } | Op::If { .. } | Op::CubaLif { .. }
        );
        if self.semantics.spike_on != SpikeOn::Old || !spikes {
            return Ok(u32::from(previous).max(self.least_lag()));
        }
        if node_sends_early(&sender.op, self.held[from], self.semantics) {
            return Ok(self.least_lag() + 1);
        }
        // A CubaLIF resets before its decay, which only an early one can.
        if previous || matches!(sender.op, Op::CubaLif { .. }) {
            return Err(Diagnostic::error(
                Code::OptionUnsupported,
                &sender.origin,
                format!(
                    "the chip can't do --spike-on old with this reset at '{}'",
                    escape(&sender.name)
                ),
            )
            .note(format!(
                "'{}' reads its spikes in the step in which they are sent",
                escape(&to.name)
            ))
            .note("--reset subtract, zero and none work, without --hold-after-spike")
            .help("change one of the options, or use `s2c golden`, which runs it"));
        }
        Ok(self.least_lag())
    }

    fn visit(&mut self, id: NodeId, node: &Node) -> Fallible<()> {
        if matches!(node.op, Op::Input { .. }) {
            return match self.into[id].is_empty() {
                true => Ok(()),
                false => Err(unsupported(node, "an edge leads into the Input")),
            };
        }
        let n = in_shape(node)?.len();
        let mut input = self.input(id, node, n)?;
        let kept = self.order.kept.contains(&id);
        match &node.op {
            Op::Output { .. } => {
                self.output(id, node, &input)?;
                self.forms[id] = input;
            }
            Op::Flatten { .. } => self.forms[id] = input,
            Op::Delay { .. } if kept => {
                let neuron = blank(NeuronKind::Linear, input.constant(n));
                check_bias(node, &neuron.bias)?;
                let sends = Sends::Values;
                self.receivers.insert(
                    id,
                    Receiver {
                        neuron,
                        sends,
                        input,
                    },
                );
            }
            Op::Delay { .. } => {
                let steps = self.delays.get(&id).cloned().unwrap_or_default();
                self.forms[id] = input.delayed(&steps, n, node, &mut self.fuel)?;
            }
            Op::Lif { .. }
            | Op::CubaLif { .. }
            | Op::Li { .. }
            | Op::CubaLi { .. }
            | Op::I { .. }
            | Op::If { .. }
            | Op::Threshold { .. } => {
                let neuron = neuron(node, input.constant(n), self.held[id])?;
                let sends = self.sends_of(neuron.kind);
                self.receivers.insert(
                    id,
                    Receiver {
                        neuron,
                        sends,
                        input,
                    },
                );
            }
            Op::Affine { .. }
            | Op::Linear { .. }
            | Op::Scale { .. }
            | Op::Conv1d { .. }
            | Op::Conv2d { .. }
            | Op::SumPool2d { .. }
            | Op::AvgPool2d { .. } => {
                let linear = ops::linear(node, &mut self.fuel)?;
                let linear =
                    linear.ok_or_else(|| Diagnostic::internal("a linear node without a map"))?;
                input = input.through(&linear.map, n, node, &mut self.fuel)?;
                if let Some(bias) = linear.bias {
                    input.offset(self.bias_from(id), &bias);
                }
                self.forms[id] = input;
            }
            Op::Input { .. } => {}
        }
        Ok(())
    }

    fn sends_of(&self, kind: NeuronKind) -> Sends {
        match kind {
            NeuronKind::Lif | NeuronKind::If | NeuronKind::CubaLif => match self.semantics.reset {
                Reset::MultiSubtract => Sends::Counts { max: MAX_COUNT },
                Reset::VReset
                | Reset::Zero
                | Reset::Subtract
                | Reset::SnntorchSubtract
                | Reset::None => Sends::Spikes,
            },
            NeuronKind::Threshold => Sends::Spikes,
            NeuronKind::Li | NeuronKind::CubaLi | NeuronKind::I | NeuronKind::Linear => {
                Sends::Values
            }
        }
    }

    /// The step in which the bias of a node begins to act.
    fn bias_from(&self, id: NodeId) -> u32 {
        let late = self.recurrent[id]
            && self.semantics.recurrent_bias_t0 == RecurrentBiasT0::Off
            && self.semantics.bias == Bias::Synapse;
        u32::from(late)
    }

    /// The sum of what arrives at a node, `n` values.
    fn input(&mut self, id: NodeId, node: &Node, n: usize) -> Fallible<Form> {
        let edges = std::mem::take(&mut self.into[id]);
        let mut sum = Form::default();
        for &(edge, from) in &edges {
            self.readers[from] -= 1;
            let form = if sends(&self.network.nodes[from].op) {
                Form::sent_by(from, self.lag(from, edge, node)?)
            } else if self.order.kept.contains(&from) {
                let steps = self.delays.get(&from).cloned().unwrap_or_default();
                Form::sent_by(from, 0).delayed(&steps, n, node, &mut self.fuel)?
            } else if self.readers[from] == 0 {
                std::mem::take(&mut self.forms[from])
            } else {
                self.forms[from].clone()
            };
            sum.add(form, n, node, &mut self.fuel)?;
        }
        self.into[id] = edges;
        Ok(sum)
    }
}

fn shape_of(node: &Node, shape: &Option<Shape>) -> Fallible<Shape> {
    shape
        .clone()
        .ok_or_else(|| Diagnostic::internal(format!("'{}' has no shape yet", escape(&node.name))))
}
fn in_shape(node: &Node) -> Fallible<Shape> {
    shape_of(node, &node.in_shape)
}
fn out_shape(node: &Node) -> Fallible<Shape> {
    shape_of(node, &node.out_shape)
}

fn bad_parameter(node: &Node, problem: &str) -> Diagnostic {
    Diagnostic::error(
        Code::BadParameter,
        &node.origin,
        format!("'{}': {problem}", escape(&node.name)),
    )
}
fn wrong_size(node: &Node, name: &str, tensor: &Tensor, n: usize) -> Diagnostic {
    bad_parameter(node, &format!("{name} has the wrong size"))
        .note(format!("{} values for {n} atoms", tensor.len()))
}
fn unsupported(node: &Node, problem: &str) -> Diagnostic {
    Diagnostic::error(
        Code::GraphUnsupported,
        &node.origin,
        format!("'{}': {problem}", escape(&node.name)),
    )
}

#[cfg(test)]
mod tests;
