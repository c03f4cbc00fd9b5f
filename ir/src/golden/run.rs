//! Running a prepared network on one sample.

use super::{Dense, Golden, Kind, Unit};
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
    /// What each node produced in the last step.
    out: IdVec<NodeId, Vec<f64>>,
    /// The same one step earlier, for nodes that are read late.
    late: IdVec<NodeId, Vec<f64>>,
    /// Membranes after reset.
    v: IdVec<NodeId, Vec<f64>>,
    /// Room for a summed input.
    x: Vec<f64>,
}

/// What a run recorded: one row per step.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Traces {
    /// One per Output node, in the order of `Network::outputs`.
    pub outputs: Vec<(NodeId, Series)>,
    /// One per entry of `record`, in its order.
    pub recorded: Vec<(NodeId, Observable, Series)>,
}

impl Golden {
    /// The state before step 0.
    pub fn start(&self) -> State {
        let zeros = |n: usize| vec![0.0; n];
        let nodes = self.nodes.values();
        State {
            step: 0,
            out: nodes
                .clone()
                .map(|u| {
                    zeros(if matches!(u.kind, Kind::Alias) {
                        0
                    } else {
                        u.n
                    })
                })
                .collect(),
            late: nodes
                .clone()
                .map(|u| zeros(if u.read_late { u.n } else { 0 }))
                .collect(),
            v: nodes
                .map(|u| {
                    zeros(if matches!(u.kind, Kind::Neurons(_)) {
                        u.n
                    } else {
                        0
                    })
                })
                .collect(),
            x: Vec::new(),
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
                    state.out[id].copy_from_slice(series.row(t));
                } else {
                    state.out[id].fill(0.0);
                }
            }
            for &id in &self.schedule.order {
                self.step_node(id, state);
            }
            for (id, series) in &mut traces.outputs {
                self.look(*id, Observable::Spikes, state, series.row_mut(t));
            }
            for (id, what, series) in &mut traces.recorded {
                self.look(*id, *what, state, series.row_mut(t));
            }
            for (id, late) in state.late.iter_mut().filter(|(_, late)| !late.is_empty()) {
                late.copy_from_slice(&state.out[id]);
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
        let mut y = std::mem::take(&mut state.out[id]);
        let mut x = std::mem::take(&mut state.x);
        let direct = match unit.wires.as_slice() {
            [w] if w.count == 1.0 => Some(w),
            _ => None,
        };
        if direct.is_none() {
            let n = match &unit.kind {
                Kind::Dense(dense) => dense.n_in,
                Kind::Input | Kind::Alias | Kind::Scale(_) | Kind::Neurons(_) => unit.n,
            };
            x.resize(n, 0.0);
            sum(unit, state, &mut x);
        }
        let input: &[f64] = match direct {
            Some(w) if w.delayed => &state.late[w.source],
            Some(w) => &state.out[w.source],
            None => &x,
        };
        match &unit.kind {
            Kind::Dense(dense) => dense.apply(input, state.step, &mut y),
            Kind::Scale(scale) => {
                for ((y, x), s) in y.iter_mut().zip(input).zip(scale) {
                    *y = s * x;
                }
            }
            Kind::Neurons(membrane) => membrane.step(input, &mut state.v[id], &mut y),
            Kind::Input | Kind::Alias => {}
        }
        state.out[id] = y;
        state.x = x;
    }

    /// Writes what a node shows after the current step.
    fn look(&self, id: NodeId, what: Observable, state: &State, row: &mut [f64]) {
        let unit = &self.nodes[id];
        match what {
            Observable::V | Observable::I => row.copy_from_slice(&state.v[id]),
            Observable::Spikes if matches!(unit.kind, Kind::Alias) => sum(unit, state, row),
            Observable::Spikes => row.copy_from_slice(&state.out[id]),
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
                Observable::I => false,
            };
            if !known {
                let message = format!("{} has no '{}' to record", unit.label, what.name());
                return Err(unknown(message)
                    .help("every node has 'spikes' (what it sends); LIF and IF also have 'v'")
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
        })
    }
}

fn input_error(message: String) -> Diagnostic {
    Diagnostic::error(Code::InputData, &Origin::Compiler, message)
}

/// The summed input of a node, into `x`.
fn sum(unit: &Unit, state: &State, x: &mut [f64]) {
    x.fill(0.0);
    for wire in &unit.wires {
        let source = if wire.delayed {
            &state.late[wire.source]
        } else {
            &state.out[wire.source]
        };
        for (x, s) in x.iter_mut().zip(source) {
            *x += wire.count * s;
        }
    }
}

impl Dense {
    fn apply(&self, x: &[f64], step: usize, y: &mut [f64]) {
        match &self.bias {
            Some(bias) if step >= self.bias_from => y.copy_from_slice(bias),
            Some(_) | None => y.fill(0.0),
        }
        for (&x, column) in x.iter().zip(self.columns.chunks_exact(y.len().max(1))) {
            if x != 0.0 {
                for (y, w) in y.iter_mut().zip(column) {
                    *y += w * x;
                }
            }
        }
    }
}
