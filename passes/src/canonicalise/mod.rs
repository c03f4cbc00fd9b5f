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

mod conv;
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
use forms::{Form, Fuel, Term};
use ir::app::{AppGraph, AtomOrder, Model, OutputPort, Population, Sends};
use ir::code::Code;
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::facts::Fact;
use ir::golden::schedule::{Schedule, schedule};
use ir::golden::{delay_steps, held, recurrent};
use ir::id::{IdVec, NodeId, PopId};
use ir::network::{Network, Node, Op};
use ir::neuron::{ContinuousNeuron, MAX_COUNT, Neuron, NeuronKind};
use ir::origin::escape;
use ir::semantics::{Bias, EdgeDelay, RecurrentBiasT0, Reset, Semantics};
use ir::tensor::{Shape, Tensor};
use ir::{Module, Origin};
use neurons::{blank, check_bias, neuron};
use order::{Order, order, sends};
use project::{distinguish_names, project};
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
        // value is taken as nothing from here on.
        if let Err(error) = folding.visit(id, &network.nodes[id]) {
            folding.errors.push(error);
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
            fuel: Fuel::default(),
            errors: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// The lag of what a sender sends along an edge that carries its step.
    fn least_lag(&self) -> u32 {
        u32::from(self.semantics.edge_delay == EdgeDelay::Chip)
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
                let previous = u32::from(self.schedule.is_previous(edge));
                Form::sent_by(from, previous.max(self.least_lag()))
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

    fn finish(mut self) -> Result<(AppGraph, Vec<Diagnostic>)> {
        let mut app = AppGraph::default();
        let mut numbers: BTreeMap<NodeId, PopId> = BTreeMap::new();
        for id in self.network.inputs() {
            let node = &self.network.nodes[id];
            let sends = self
                .inputs
                .get(&node.name)
                .copied()
                .unwrap_or(Sends::Spikes);
            match out_shape(node) {
                Ok(shape) => {
                    let pop =
                        app.populations
                            .push(population(node, shape, Model::SpikeSource, sends));
                    numbers.insert(id, pop);
                }
                Err(error) => self.errors.push(error),
            }
        }
        let is_output = |id: &NodeId| matches!(self.network.nodes[*id].op, Op::Output { .. });
        let all = self.schedule.order.iter().copied();
        let (outputs, others): (Vec<NodeId>, Vec<NodeId>) = all
            .filter(|id| self.receivers.contains_key(id))
            .partition(is_output);
        let mut forms: Vec<(NodeId, PopId, Form)> = Vec::new();
        for id in others.into_iter().chain(outputs) {
            let node = &self.network.nodes[id];
            let Some(receiver) = self.receivers.remove(&id) else {
                continue;
            };
            let model = Model::Neuron(Neuron::Continuous(receiver.neuron));
            match out_shape(node) {
                Ok(shape) => {
                    let pop = app
                        .populations
                        .push(population(node, shape, model, receiver.sends));
                    numbers.insert(id, pop);
                    forms.push((id, pop, receiver.input));
                }
                Err(error) => self.errors.push(error),
            }
        }
        for (id, post, form) in forms {
            let node = &self.network.nodes[id];
            // Sorted by population, not by node, so that projections ascend.
            let mut terms: Vec<(PopId, u32, Term)> = Vec::new();
            for ((source, lag), term) in form.terms {
                match numbers.get(&source) {
                    Some(&pre) => terms.push((pre, lag, term)),
                    None if !self.errors.is_empty() => {}
                    None => return Err(Diagnostic::internal("a source has no population").into()),
                }
            }
            terms.sort_by_key(|&(pre, lag, _)| (pre, lag));
            for (pre, lag, term) in terms {
                match project(&mut app, (pre, post, lag), term, node, &mut self.fuel) {
                    Ok(warning) => self.warnings.extend(warning),
                    Err(error) => self.errors.push(error),
                }
            }
        }
        for id in self.network.outputs() {
            let node = &self.network.nodes[id];
            let source = self.shown.get(&id).unwrap_or(&id);
            if let Some(&source) = numbers.get(source) {
                app.outputs.push(OutputPort {
                    name: node.name.clone(),
                    source,
                    origin: node.origin.derived(PASS),
                });
            }
        }
        distinguish_names(&mut app, self.least_lag());
        if app.outputs.is_empty() && self.errors.is_empty() {
            let origin = self.network.nodes.values().next().map(|n| n.origin.clone());
            self.errors.push(Diagnostic::error(
                Code::NoInputs,
                &origin.unwrap_or(Origin::Compiler),
                "the network has no Output",
            ));
        }
        if self.errors.is_empty() {
            Ok((app, self.warnings))
        } else {
            self.warnings.extend(self.errors);
            Err(Diagnostics(self.warnings))
        }
    }
}

fn population(node: &Node, shape: Shape, model: Model, sends: Sends) -> Population {
    Population {
        name: node.name.clone(),
        shape,
        model,
        sends,
        order: AtomOrder::RowMajor,
        timing: None,
        accumulator: None,
        record: Vec::new(),
        origin: node.origin.derived(PASS),
    }
}

/// The steps of every Delay: its seconds by dt, to nearest.
fn delays(network: &Network, semantics: &Semantics) -> Result<BTreeMap<NodeId, Vec<u32>>> {
    let mut found = BTreeMap::new();
    let mut errors = Vec::new();
    for (id, node) in network.nodes.iter() {
        let Op::Delay { delay } = &node.op else {
            continue;
        };
        match steps_of(node, delay, semantics) {
            Ok(steps) => {
                found.insert(id, steps);
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(found)
    } else {
        Err(Diagnostics(errors))
    }
}

fn steps_of(node: &Node, delay: &Tensor, semantics: &Semantics) -> Fallible<Vec<u32>> {
    let n = out_shape(node)?.len();
    if delay.len() != 1 && delay.len() != n {
        return Err(wrong_size(node, "delay", delay, n));
    }
    let dt = semantics.dt_in_file_units().ok_or_else(|| {
        Diagnostic::error(
            Code::DtMissing,
            &node.origin,
            format!(
                "the Delay '{}' needs the time step of the network",
                escape(&node.name)
            ),
        )
        .help("pass --dt SECONDS as in training")
    })?;
    let steps = delay_steps(node, delay, dt)?;
    let most = |_| bad_parameter(node, "a delay is longer than 2^32 steps");
    steps
        .into_iter()
        .map(|s| u32::try_from(s).map_err(most))
        .collect()
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
