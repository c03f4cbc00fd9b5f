//! Running a prepared network on one sample.

use super::step::{NeuronState, Sent, passes};
use super::{Golden, Kind, Unit};
use crate::code::Code;
use crate::diag::{Diagnostic, Result};
use crate::id::{IdVec, NodeId};
use crate::origin::Origin;
use crate::series::{Observable, Series};

/// Upper bound of the values that one run may record (8 bytes each).
const MAX_RECORDED: usize = 1 << 30;

/// All that a network remembers between steps. A fresh one is all zero.
#[derive(Clone, Debug)]
pub struct State {
    /// Steps done so far.
    step: usize,
    flow: Flow,
    /// With `--bias membrane`: what the biases alone make of each stateless
    /// node, beside what the senders make of it.
    bias: IdVec<NodeId, Vec<f64>>,
    /// Membranes after reset.
    v: IdVec<NodeId, Vec<f64>>,
    /// With `--spike-on old`: what each neuron sent in the step before.
    before: IdVec<NodeId, Vec<f64>>,
    /// Synaptic currents.
    i: IdVec<NodeId, Vec<f64>>,
    /// Values inside Delays: those of senders and those of biases.
    ring: IdVec<NodeId, Vec<f64>>,
    bias_ring: IdVec<NodeId, Vec<f64>>,
    room: Room,
}

/// What the nodes produced.
#[derive(Clone, Debug)]
struct Flow {
    /// In the last step.
    out: IdVec<NodeId, Vec<f64>>,
    /// One step earlier, for nodes that are read late.
    late: IdVec<NodeId, Vec<f64>>,
}

/// Room for sums, so that a step allocates nothing.
#[derive(Clone, Debug, Default)]
struct Room {
    x: Vec<f64>,
    bias: Vec<f64>,
    map: Vec<f64>,
}

/// What a run recorded: one row per step.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Traces {
    /// One per Output node, in the order of `Network::outputs`.
    pub outputs: Vec<(NodeId, Series)>,
    /// One per entry of `record`, in its order.
    pub recorded: Vec<(NodeId, Observable, Series)>,
    /// For each node that sends spikes, how often one of its elements did
    /// (several spikes at once count once), in node order.
    pub spikes: Vec<(NodeId, u64)>,
}

impl Flow {
    fn of(&self, source: NodeId, delayed: bool) -> &[f64] {
        if delayed {
            &self.late[source]
        } else {
            &self.out[source]
        }
    }
    /// The summed input of a node: a source itself or the sum, in `x`.
    fn input<'a>(&'a self, unit: &Unit, x: &'a mut Vec<f64>) -> &'a [f64] {
        if let [w] = unit.wires.as_slice()
            && w.count == 1.0
        {
            return self.of(w.source, w.delayed);
        }
        x.resize(unit.n_in(), 0.0);
        self.sum(unit, x);
        x
    }
    fn sum(&self, unit: &Unit, x: &mut [f64]) {
        x.fill(0.0);
        for wire in &unit.wires {
            let source = self.of(wire.source, wire.delayed);
            for (x, s) in x.iter_mut().zip(source) {
                *x += wire.count * s;
            }
        }
    }
}

/// Adds what the biases alone send to a node. Senders have no such part, and
/// only their wires are ever delayed.
fn add_bias(unit: &Unit, bias: &IdVec<NodeId, Vec<f64>>, x: &mut [f64]) {
    for wire in &unit.wires {
        for (x, b) in x.iter_mut().zip(&bias[wire.source]) {
            *x += wire.count * b;
        }
    }
}

impl Golden {
    /// The state before step 0.
    pub fn start(&self) -> State {
        let zeros = |size: &dyn Fn(&Unit) -> usize| -> IdVec<NodeId, Vec<f64>> {
            self.nodes.values().map(|u| vec![0.0; size(u)]).collect()
        };
        let if_ = |condition: bool, n: usize| if condition { n } else { 0 };
        let stateless = |u: &Unit| matches!(u.kind, Kind::Affine(_) | Kind::Delay(_));
        let waiting = |u: &Unit| match &u.kind {
            Kind::Delay(delay) => delay.waiting(),
            _ => 0,
        };
        let old = |u: &Unit| {
            u.neurons()
                .and_then(|n| n.fire.as_ref())
                .is_some_and(|f| f.old)
        };
        let current = |u: &Unit| matches!(&u.kind, Kind::Neurons(n) if n.synapse.is_some());
        State {
            step: 0,
            flow: Flow {
                out: zeros(&|u| if_(!matches!(u.kind, Kind::Alias), u.n)),
                late: zeros(&|u| if_(u.read_late, u.n)),
            },
            bias: zeros(&|u| if_(self.apart && stateless(u), u.n)),
            v: zeros(&|u| if_(matches!(u.kind, Kind::Neurons(_)), u.n)),
            before: zeros(&|u| if_(old(u), u.n)),
            i: zeros(&|u| if_(current(u), u.n)),
            ring: zeros(&waiting),
            bias_ring: zeros(&|u| if_(self.apart, waiting(u))),
            room: Room::default(),
        }
    }

    /// Runs one sample from the zero state for as many steps as the inputs have.
    ///
    /// `inputs` holds one series per Input node, in the order of
    /// `Network::inputs`; a row is the node's values flattened in C order.
    pub fn run(&self, inputs: &[Series], record: &[(NodeId, Observable)]) -> Result<Traces> {
        let steps = inputs.first().map_or(0, |s| s.steps);
        if let Some((i, s)) = inputs.iter().enumerate().find(|(_, s)| s.steps != steps) {
            let message = format!(
                "input number {i} has {} steps, the first has {steps}",
                s.steps
            );
            return Err(input_error(message).into());
        }
        self.run_from(&mut self.start(), inputs, steps, record)
    }

    /// Runs `steps` steps on from `state`; inputs that are shorter are zero
    /// after their end.
    pub fn run_from(
        &self,
        state: &mut State,
        inputs: &[Series],
        steps: usize,
        record: &[(NodeId, Observable)],
    ) -> Result<Traces> {
        self.check_inputs(inputs)?;
        self.check_record(record)?;
        let mut traces = self.empty_traces(steps, record)?;
        for t in 0..steps {
            for (&id, series) in self.inputs.iter().zip(inputs) {
                if t < series.steps {
                    state.flow.out[id].copy_from_slice(series.row(t));
                } else {
                    state.flow.out[id].fill(0.0);
                }
            }
            for (id, before) in state.before.iter_mut().filter(|(_, b)| !b.is_empty()) {
                if let Some(neurons) = self.nodes[id].neurons() {
                    neurons.decide(&state.v[id], &mut state.flow.out[id], before);
                }
            }
            for &id in &self.schedule.order {
                self.step_node(id, state);
                if self.apart {
                    self.step_bias(id, state);
                }
            }
            self.fill_delays(state);
            for (id, series) in &mut traces.outputs {
                self.look(*id, Observable::Spikes, state, series.row_mut(t));
            }
            for (id, what, series) in &mut traces.recorded {
                self.look(*id, *what, state, series.row_mut(t));
            }
            for (id, spikes) in &mut traces.spikes {
                let sent = state.flow.out[*id].iter().filter(|z| **z != 0.0);
                *spikes += sent.count() as u64;
            }
            let Flow { out, late } = &mut state.flow;
            for (id, late) in late.iter_mut().filter(|(_, late)| !late.is_empty()) {
                late.copy_from_slice(&out[id]);
            }
            state.step += 1;
        }
        Ok(traces)
    }

    fn step_node(&self, id: NodeId, state: &mut State) {
        let unit = &self.nodes[id];
        if matches!(unit.kind, Kind::Input | Kind::Alias) {
            return;
        }
        // Taken out, so that the sources can be read beside it; not an allocation.
        let mut y = std::mem::take(&mut state.flow.out[id]);
        let Room { x, bias, map } = &mut state.room;
        bias.clear();
        if self.apart && matches!(unit.kind, Kind::Neurons(_) | Kind::Threshold(..)) {
            bias.resize(unit.n, 0.0);
            add_bias(unit, &state.bias, bias);
        }
        match &unit.kind {
            Kind::Affine(affine) if self.apart => {
                affine.apply_linear(state.flow.input(unit, x), &mut y, map);
            }
            Kind::Affine(affine) => {
                affine.apply(state.flow.input(unit, x), state.step, &mut y, map);
            }
            Kind::Delay(delay) if delay.ahead => delay.take(state.step, &state.ring[id], &mut y),
            Kind::Delay(delay) => {
                let input = state.flow.input(unit, x);
                delay.pass(state.step, input, &mut state.ring[id], &mut y);
            }
            Kind::Threshold(threshold, compare) => {
                let input = state.flow.input(unit, x).iter();
                for (k, (y, x)) in y.iter_mut().zip(input).enumerate() {
                    let x = x + bias.get(k).copied().unwrap_or(0.0);
                    *y = f64::from(u8::from(passes(*compare, x, threshold.at(k))));
                }
            }
            Kind::Neurons(neurons) => {
                let (i, v) = (&mut state.i[id], &mut state.v[id]);
                if state.before[id].is_empty() {
                    let sent = Sent::Now(&mut y);
                    let population = NeuronState { i, v, sent };
                    neurons.step(state.flow.input(unit, x), bias, population);
                } else {
                    // Its spikes are decided, and it may read them itself.
                    state.flow.out[id] = std::mem::take(&mut y);
                    let sent = Sent::Decided(&state.flow.out[id], &state.before[id]);
                    let population = NeuronState { i, v, sent };
                    neurons.step(state.flow.input(unit, x), bias, population);
                    return;
                }
            }
            Kind::Input | Kind::Alias => {}
        }
        state.flow.out[id] = y;
    }

    /// The same for what the biases alone make of a stateless node.
    fn step_bias(&self, id: NodeId, state: &mut State) {
        let unit = &self.nodes[id];
        let mut y = std::mem::take(&mut state.bias[id]);
        let Room { x, map, .. } = &mut state.room;
        x.clear();
        x.resize(unit.n_in(), 0.0);
        add_bias(unit, &state.bias, x);
        match &unit.kind {
            Kind::Affine(affine) => affine.apply(x, state.step, &mut y, map),
            Kind::Delay(delay) if delay.ahead => {
                delay.take(state.step, &state.bias_ring[id], &mut y);
            }
            Kind::Delay(delay) => delay.pass(state.step, x, &mut state.bias_ring[id], &mut y),
            Kind::Input | Kind::Alias | Kind::Threshold(..) | Kind::Neurons(_) => {}
        }
        state.bias[id] = y;
    }

    /// Gives the Delays that ran ahead of their sources the values of this step.
    fn fill_delays(&self, state: &mut State) {
        for (id, unit) in self.nodes.iter() {
            let Kind::Delay(delay) = &unit.kind else {
                continue;
            };
            if !delay.ahead {
                continue;
            }
            let x = &mut state.room.x;
            let input = state.flow.input(unit, x);
            delay.put(state.step, input, &mut state.ring[id]);
            if self.apart {
                x.clear();
                x.resize(unit.n, 0.0);
                add_bias(unit, &state.bias, x);
                delay.put(state.step, x, &mut state.bias_ring[id]);
            }
        }
    }

    /// Writes what a node shows after the current step.
    fn look(&self, id: NodeId, what: Observable, state: &State, row: &mut [f64]) {
        let unit = &self.nodes[id];
        match what {
            Observable::V => row.copy_from_slice(&state.v[id]),
            Observable::I => row.copy_from_slice(&state.i[id]),
            Observable::Spikes if matches!(unit.kind, Kind::Alias) => {
                state.flow.sum(unit, row);
                add_bias(unit, &state.bias, row);
            }
            Observable::Spikes => {
                row.copy_from_slice(&state.flow.out[id]);
                for (y, b) in row.iter_mut().zip(&state.bias[id]) {
                    *y += b;
                }
            }
        }
    }

    fn check_inputs(&self, inputs: &[Series]) -> Result<()> {
        if inputs.len() != self.inputs.len() {
            let message = format!(
                "{} input series for {} Input nodes",
                inputs.len(),
                self.inputs.len()
            );
            return Err(input_error(message).into());
        }
        for (&id, series) in self.inputs.iter().zip(inputs) {
            let unit = &self.nodes[id];
            if series.width != unit.n || series.steps.checked_mul(unit.n) != Some(series.data.len())
            {
                let message = format!("the series for {} does not fit", unit.label);
                let note = format!(
                    "{} values a step expected; {} steps of {} values in {} given",
                    unit.n,
                    series.steps,
                    series.width,
                    series.data.len()
                );
                return Err(input_error(message).note(note).into());
            }
        }
        Ok(())
    }

    fn check_record(&self, record: &[(NodeId, Observable)]) -> Result<()> {
        for &(id, what) in record {
            let unknown =
                |message| Diagnostic::error(Code::RecordUnknown, &Origin::Compiler, message);
            let Some(unit) = self.nodes.get(id) else {
                return Err(Diagnostic::internal("a recorded node is out of range").into());
            };
            let known = match what {
                Observable::Spikes => true,
                Observable::V => matches!(unit.kind, Kind::Neurons(_)),
                Observable::I => {
                    matches!(&unit.kind, Kind::Neurons(n) if n.synapse.is_some())
                }
            };
            if !known {
                let message = format!("{} has no '{}' to record", unit.label, what.name());
                return Err(unknown(message)
                    .help("every node has 'spikes' (what it sends), neurons also 'v', CubaLIF and CubaLI also 'i'")
                    .into());
            }
        }
        Ok(())
    }

    fn empty_traces(&self, steps: usize, record: &[(NodeId, Observable)]) -> Result<Traces> {
        let width = |id: NodeId| self.nodes[id].n;
        let recorded = record.iter().map(|&(id, _)| id);
        let row = self.outputs.iter().copied().chain(recorded);
        let row = row.fold(0usize, |sum, id| sum.saturating_add(width(id)));
        if row.saturating_mul(steps) > MAX_RECORDED {
            let message = format!("{steps} steps of {row} recorded values are too many");
            return Err(input_error(message)
                .note(format!("{steps} x {row} > {MAX_RECORDED}"))
                .help("record fewer nodes or run fewer steps")
                .into());
        }
        let outputs = self.outputs.iter();
        Ok(Traces {
            outputs: outputs
                .map(|&id| (id, Series::zeros(steps, width(id))))
                .collect(),
            recorded: record
                .iter()
                .map(|&(id, what)| (id, what, Series::zeros(steps, width(id))))
                .collect(),
            spikes: (self.nodes.iter())
                .filter(|(_, unit)| unit.spikes())
                .map(|(id, _)| (id, 0))
                .collect(),
        })
    }
}

fn input_error(message: String) -> Diagnostic {
    Diagnostic::error(Code::InputData, &Origin::Compiler, message)
}
