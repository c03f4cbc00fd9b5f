//! `canonicalise`: from the float graph to populations and projections.
//!
//! Inputs become spike sources and neurons populations of the same name. All
//! that lies between two of them (Affine, Linear, Scale, Flatten, sums, forks)
//! is linear, so it is folded in float64 into one matrix for each pair of ends
//! and step class. Biases are constants; each is carried along its paths and
//! added up at the population that receives it.

mod forms;
mod linear_map;

use crate::contract::{Contract, MAPPED};
use crate::manager::PassContext;
use crate::registry::{Canonicalise, Transform};
use forms::{Form, Fuel, Term, matrix};
use ir::app::{AppGraph, AtomOrder, Connector, Model, OutputPort, Population, Projection, Sends};
use ir::code::Code;
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::facts::Fact;
use ir::golden::schedule::{Schedule, schedule};
use ir::id::{IdVec, NodeId, PopId};
use ir::network::{Network, Node, Op};
use ir::neuron::{Constant, ContinuousNeuron, Neuron, NeuronKind, Param};
use ir::origin::escape;
use ir::semantics::{Bias, RecurrentBiasT0, Semantics};
use ir::tensor::{Shape, Tensor};
use ir::{Module, Origin};
use linear_map::LinearMap;
use std::collections::BTreeMap;

const PASS: &str = "canonicalise";

impl Transform for Canonicalise {
    const CONTRACT: Contract = Contract::requires(&[Fact::Shaped])
        .excludes(&[Fact::Canonical])
        .establishes(&[Fact::Canonical])
        .destroys(MAPPED);

    fn run(module: &mut Module, _: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        let (app, warnings) = canonicalise(&module.network, &module.semantics)?;
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
/// Populations: the Inputs in node order, then the neurons in schedule order.
/// Projections: by target, then source, then step class.
pub fn canonicalise(
    network: &Network,
    semantics: &Semantics,
) -> Result<(AppGraph, Vec<Diagnostic>)> {
    let schedule = schedule(network, semantics.dt_in_file_units())?;
    let mut folding = Folding::new(network, semantics);
    folding.sources();
    for &id in &schedule.order {
        let node = &network.nodes[id];
        match folding.visit(id, node, &schedule) {
            Ok(()) => {}
            // A fault of one node must not hide the faults of the others; its
            // value is taken as nothing from here on.
            Err(error) => folding.errors.push(error),
        }
    }
    folding.finish()
}

struct Folding<'a> {
    network: &'a Network,
    semantics: &'a Semantics,
    /// In-edges of each node: edge number and source.
    into: IdVec<NodeId, Vec<(usize, NodeId)>>,
    /// Out-edges that have not read the form yet.
    readers: IdVec<NodeId, usize>,
    forms: IdVec<NodeId, Form>,
    populations: BTreeMap<NodeId, PopId>,
    /// Incoming form of each neuron population.
    received: BTreeMap<PopId, Form>,
    app: AppGraph,
    outputs: BTreeMap<NodeId, OutputPort>,
    fuel: Fuel,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl<'a> Folding<'a> {
    fn new(network: &'a Network, semantics: &'a Semantics) -> Self {
        let ids = || network.nodes.ids();
        let mut into: IdVec<NodeId, Vec<_>> = ids().map(|_| Vec::new()).collect();
        let mut readers: IdVec<NodeId, usize> = ids().map(|_| 0).collect();
        for (i, e) in network.edges.iter().enumerate() {
            into[e.to].push((i, e.from));
            readers[e.from] += 1;
        }
        Self {
            network,
            semantics,
            into,
            readers,
            forms: ids().map(|_| Form::default()).collect(),
            populations: BTreeMap::new(),
            received: BTreeMap::new(),
            app: AppGraph::default(),
            outputs: BTreeMap::new(),
            fuel: Fuel::default(),
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn sources(&mut self) {
        for id in self.network.inputs() {
            let node = &self.network.nodes[id];
            match out_shape(node) {
                Ok(shape) => self.populate(id, shape, Model::SpikeSource),
                Err(error) => self.errors.push(error),
            }
        }
    }

    fn populate(&mut self, id: NodeId, shape: Shape, model: Model) {
        let node = &self.network.nodes[id];
        let pop = self.app.populations.push(Population {
            name: node.name.clone(),
            shape,
            model,
            sends: Sends::Spikes,
            order: AtomOrder::RowMajor,
            timing: None,
            accumulator: None,
            record: Vec::new(),
            origin: node.origin.derived(PASS),
        });
        self.populations.insert(id, pop);
    }

    fn visit(
        &mut self,
        id: NodeId,
        node: &Node,
        schedule: &Schedule,
    ) -> std::result::Result<(), Diagnostic> {
        // Edges that carry the previous step all start at neurons, whose
        // output needs no form.
        let input = self.input(id, node, schedule)?;
        match &node.op {
            Op::Input { .. } => {
                if !self.into[id].is_empty() {
                    return Err(unsupported(node, "an edge leads into the Input"));
                }
            }
            Op::Output { .. } => {
                let port = self.output(node, &input)?;
                self.outputs.insert(id, port);
                self.forms[id] = input;
            }
            Op::Flatten { .. } => self.forms[id] = input,
            Op::Scale { scale } => {
                let n = out_shape(node)?.len();
                let factors = Param::new(scale.clone(), n)
                    .ok_or_else(|| wrong_size(node, "scale", scale, n))?;
                let factors: Vec<f64> = (0..n).map(|i| factors.at(i)).collect();
                self.forms[id] = input.scaled(&factors, node, &mut self.fuel)?;
            }
            Op::Linear { weight } => {
                let w = matrix(weight, node, out_shape(node)?.len(), in_shape(node)?.len())?;
                self.forms[id] = input.through(&w, node, &mut self.fuel)?;
            }
            Op::Affine { weight, bias } => {
                let n = out_shape(node)?.len();
                let w = matrix(weight, node, n, in_shape(node)?.len())?;
                if bias.len() != n {
                    return Err(wrong_size(node, "bias", bias, n));
                }
                let bias = bias.to_f64();
                if input.is_recurrent() && schedule.on_cycle(id) {
                    self.check_recurrent_bias(node, &bias)?;
                }
                self.forms[id] = input.through(&w, node, &mut self.fuel)?.offset(&bias);
            }
            Op::Lif { .. } | Op::If { .. } => {
                let neuron = neuron(node, &input)?;
                let shape = out_shape(node)?;
                self.populate(id, shape, Model::Neuron(Neuron::Continuous(neuron)));
                self.received.insert(self.populations[&id], input);
            }
            _ => {
                return Err(unsupported(
                    node,
                    "the chip path does not take this node yet",
                ));
            }
        }
        Ok(())
    }

    /// The sum of what arrives at a node.
    fn input(
        &mut self,
        id: NodeId,
        node: &Node,
        schedule: &Schedule,
    ) -> std::result::Result<Form, Diagnostic> {
        let edges = std::mem::take(&mut self.into[id]);
        let mut sum = Form::default();
        let n = in_shape(node)?.len();
        for &(edge, from) in &edges {
            let op = &self.network.nodes[from].op;
            self.readers[from] -= 1;
            let form = if op.is_stateful() || matches!(op, Op::Input { .. }) {
                Form::sent_by(from, schedule.is_previous(edge))
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

    fn check_recurrent_bias(
        &self,
        node: &Node,
        bias: &[f64],
    ) -> std::result::Result<(), Diagnostic> {
        let late = self.semantics.recurrent_bias_t0 == RecurrentBiasT0::Off
            && self.semantics.bias == Bias::Synapse;
        if !late || bias.iter().all(|&b| b == 0.0) {
            return Ok(());
        }
        Err(Diagnostic::error(
            Code::OptionUnsupported,
            &node.origin,
            format!(
                "the recurrent bias of '{}' can't be left out of step 0 on the chip yet",
                escape(&node.name)
            ),
        )
        .note("--recurrent-bias-t0 is off, by itself or through --profile")
        .help("pass --recurrent-bias-t0 on, or use `s2c golden`, which runs it"))
    }

    /// An Output shows what exactly one Input or neuron sends.
    fn output(&self, node: &Node, input: &Form) -> std::result::Result<OutputPort, Diagnostic> {
        let help = "let exactly one neuron or Input feed the Output, directly or through Flatten; \
                    `s2c golden` runs the graph as it is";
        let mut terms = input.terms.iter();
        let problem = match (terms.next(), terms.next()) {
            (None, _) => "nothing that spikes feeds the Output",
            (Some(_), Some(_)) => "several neurons add up at the Output",
            (Some((&(source, _), term)), None) => {
                if term.map != LinearMap::Identity || input.constant.is_some() {
                    "weights or a bias lie between the last neuron and the Output"
                } else if let Some(&source) = self.populations.get(&source) {
                    return Ok(OutputPort {
                        name: node.name.clone(),
                        source,
                        origin: node.origin.derived(PASS),
                    });
                } else {
                    "the neuron that feeds the Output can't be mapped"
                }
            }
        };
        Err(unsupported(node, problem).help(help))
    }

    fn finish(mut self) -> Result<(AppGraph, Vec<Diagnostic>)> {
        let received = std::mem::take(&mut self.received);
        for (post, form) in received {
            // Sorted by population, not by node, so that projections ascend.
            let mut terms: Vec<(PopId, bool, Term)> = Vec::new();
            for ((source, previous), term) in form.terms {
                match self.populations.get(&source) {
                    Some(&pre) => terms.push((pre, previous, term)),
                    None if !self.errors.is_empty() => {}
                    None => return Err(Diagnostic::internal("a source has no population").into()),
                }
            }
            terms.sort_by_key(|&(pre, previous, _)| (pre, previous));
            for (pre, previous, term) in terms {
                if let Err(error) = self.project(pre, post, previous, term) {
                    self.errors.push(error);
                }
            }
        }
        self.app.outputs = self.outputs.into_values().collect();
        distinguish_names(&mut self.app);
        if self.app.outputs.is_empty() && self.errors.is_empty() {
            let origin = self.network.nodes.values().next().map(|n| n.origin.clone());
            self.errors.push(Diagnostic::error(
                Code::NoInputs,
                &origin.unwrap_or(Origin::Compiler),
                "the network has no Output",
            ));
        }
        if self.errors.is_empty() {
            Ok((self.app, self.warnings))
        } else {
            self.warnings.extend(self.errors);
            Err(Diagnostics(self.warnings))
        }
    }

    fn project(
        &mut self,
        pre: PopId,
        post: PopId,
        previous_step: bool,
        term: Term,
    ) -> std::result::Result<(), Diagnostic> {
        let target = &self.app.populations[post];
        let n = target.n_atoms();
        let (name, origin) = match term.weights {
            Some((name, origin)) => (name, origin),
            None => (arrow(&self.app, pre, post), target.origin.root().clone()),
        };
        if term.map.elements() < n * self.app.populations[pre].n_atoms() {
            let node = self.network.node_named(&target.name);
            let node = node.map(|id| &self.network.nodes[id]);
            let node = node.ok_or_else(|| Diagnostic::internal("a population has no node"))?;
            self.fuel.take(node, n, n, 1)?;
        }
        let weights = term.map.into_dense(n);
        if let Some(at) = weights.data.iter().position(|w| !w.is_finite()) {
            return Err(Diagnostic::error(
                Code::BadParameter,
                &origin,
                format!("a weight of '{}' is not finite", escape(&name)),
            )
            .note(format!(
                "from atom {} to atom {}: {}",
                at % weights.cols,
                at / weights.cols,
                weights.data[at]
            )));
        }
        if weights.data.iter().all(|&w| w == 0.0) {
            self.warnings.push(Diagnostic::warning(
                Code::NoUpdate,
                &origin,
                format!("all weights of '{}' are zero", escape(&name)),
            ));
        }
        let weights = weights
            .into_tensor()
            .ok_or_else(|| Diagnostic::internal("a folded matrix has a wrong shape"))?;
        self.app.projections.push(Projection {
            name,
            pre,
            post,
            connector: Connector::Dense,
            weights,
            delay: None,
            lag: u32::from(previous_step),
            origin: origin.derived(PASS),
        });
        Ok(())
    }
}

fn arrow(app: &AppGraph, pre: PopId, post: PopId) -> String {
    format!(
        "{}->{}",
        app.populations[pre].name, app.populations[post].name
    )
}

/// A weight node between several populations gives several projections of its
/// name; their ends, and the step class, tell them apart.
fn distinguish_names(app: &mut AppGraph) {
    let count = |app: &AppGraph| {
        let mut uses: BTreeMap<String, usize> = BTreeMap::new();
        for p in app.projections.values() {
            *uses.entry(p.name.clone()).or_default() += 1;
        }
        uses
    };
    let uses = count(app);
    let ids: Vec<_> = app.projections.ids().collect();
    for &id in &ids {
        let p = &app.projections[id];
        let ends = arrow(app, p.pre, p.post);
        if uses[&p.name] > 1 && p.name != ends {
            app.projections[id].name = format!("{}:{ends}", p.name);
        }
    }
    let uses = count(app);
    for &id in &ids {
        let p = &mut app.projections[id];
        if uses[&p.name] > 1 && p.lag > 0 {
            p.name.push_str(":previous");
        }
    }
}

fn neuron(node: &Node, input: &Form) -> std::result::Result<ContinuousNeuron, Diagnostic> {
    let n = out_shape(node)?.len();
    if n == 0 {
        return Err(unsupported(node, "the population has no neurons"));
    }
    let param = |name: &str, tensor: &Tensor| {
        let param =
            Param::new(tensor.clone(), n).ok_or_else(|| wrong_size(node, name, tensor, n))?;
        let bad = (0..tensor.len()).find(|&i| !tensor.at(i).is_finite());
        match bad {
            None => Ok(param),
            Some(i) => Err(bad_parameter(node, &format!("{name} is not finite"))
                .note(format!("element {i} is {}", tensor.at(i)))),
        }
    };
    let reset = |v_reset: &Option<Tensor>| match v_reset {
        Some(t) => param("v_reset", t),
        None => Ok(Param::uniform(0.0)),
    };
    let bias = match &input.constant {
        Some(c) => Constant::always(Param::per_atom(c.clone())),
        None => Constant::ZERO,
    };
    if !input.constant.iter().flatten().all(|b| b.is_finite()) {
        return Err(bad_parameter(node, "the sum of its biases is not finite"));
    }
    let blank = ContinuousNeuron {
        kind: NeuronKind::If,
        tau: None,
        tau_syn: None,
        w_in: None,
        r: None,
        v_leak: None,
        v_threshold: None,
        v_reset: None,
        bias,
        hold: false,
    };
    match &node.op {
        Op::Lif {
            tau,
            r,
            v_leak,
            v_threshold,
            v_reset,
        } => Ok(ContinuousNeuron {
            kind: NeuronKind::Lif,
            tau: Some(param("tau", tau)?),
            r: Some(param("r", r)?),
            v_leak: Some(param("v_leak", v_leak)?),
            v_threshold: Some(param("v_threshold", v_threshold)?),
            v_reset: Some(reset(v_reset)?),
            ..blank
        }),
        Op::If {
            r,
            v_threshold,
            v_reset,
        } => Ok(ContinuousNeuron {
            r: Some(param("r", r)?),
            v_threshold: Some(param("v_threshold", v_threshold)?),
            v_reset: Some(reset(v_reset)?),
            ..blank
        }),
        _ => Err(Diagnostic::internal("a stateless node is no neuron")),
    }
}

fn shape_of(node: &Node, shape: &Option<Shape>) -> std::result::Result<Shape, Diagnostic> {
    shape
        .clone()
        .ok_or_else(|| Diagnostic::internal(format!("'{}' has no shape yet", escape(&node.name))))
}
fn in_shape(node: &Node) -> std::result::Result<Shape, Diagnostic> {
    shape_of(node, &node.in_shape)
}
fn out_shape(node: &Node) -> std::result::Result<Shape, Diagnostic> {
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
