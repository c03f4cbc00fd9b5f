//! One run: the state, the loop over ticks, and what is recorded.

use super::counted::Counts;
use super::dynamics::{Said, State};
use super::{Cell, Fixed, Real, at};
use crate::app::Sends;
use crate::code::Code;
use crate::diag::{Diagnostic, Diagnostics, Result};
use crate::id::PopId;
use crate::origin::escape;
use crate::series::{Observable, Series};
use std::collections::BTreeMap;

/// `ticks` rows of `width` values.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Rows<T> {
    pub ticks: usize,
    pub width: usize,
    pub data: Vec<T>,
}

impl<T> Rows<T> {
    pub fn row(&self, tick: usize) -> &[T] {
        &self.data[tick * self.width..(tick + 1) * self.width]
    }
}

/// What a run recorded, in chip ticks.
#[derive(Clone, Debug, PartialEq)]
pub struct Traces<F> {
    /// Number of spikes of each atom, for populations that send spikes or counts.
    pub spikes: BTreeMap<PopId, Rows<u32>>,
    /// What each atom sent, for populations that send values.
    pub values: BTreeMap<PopId, Rows<F>>,
    /// Membranes after reset, in units of the chip.
    pub v: BTreeMap<PopId, Rows<F>>,
    /// Synaptic currents, in units of the chip.
    pub i: BTreeMap<PopId, Rows<F>>,
    /// The same where the chip keeps integers, of which `v` and `i` hold nothing.
    pub v_counts: BTreeMap<PopId, Rows<i32>>,
    pub i_counts: BTreeMap<PopId, Rows<i32>>,
}

/// Everything that lasts from tick to tick.
#[derive(Clone, Debug)]
pub struct Memory<F> {
    tick: u64,
    states: Vec<State<F>>,
    /// In the place of `states` where they are integers.
    counts: Vec<Counts>,
    /// `slots` rows of accumulators for each population.
    sums: Vec<Vec<i32>>,
    /// `history` rows of the values that each population sent.
    sent: Vec<Vec<F>>,
    /// What is sent in the running tick.
    said: Vec<Said<F>>,
    /// Inputs of the population under update.
    x: Vec<F>,
}

impl<F: Real> Fixed<F> {
    /// The state that a program is loaded with: everything 0, tick 0.
    pub fn memory(&self) -> Memory<F> {
        let nothing = State {
            v: Vec::new(),
            i: Vec::new(),
            pending: Vec::new(),
        };
        let state = |c: &Cell<F>| match &c.dynamics {
            Some(d) => d.state(c.n),
            None => nothing.clone(),
        };
        let cells = || self.cells.values();
        Memory {
            tick: 0,
            states: cells().map(state).collect(),
            counts: cells()
                .map(|c| c.counted.as_ref().map(|k| k.state(c.n)).unwrap_or_default())
                .collect(),
            sums: cells().map(|c| vec![0; c.n * c.slots]).collect(),
            sent: cells()
                .map(|c| vec![F::default(); c.n * c.history])
                .collect(),
            said: cells().map(|_| Said::nothing()).collect(),
            x: Vec::new(),
        }
    }

    /// Runs one sample from the loaded state. `inputs` has one series for each
    /// source in id order, with one row for each network step; rows beyond a
    /// series' end send nothing.
    pub fn run(
        &self,
        inputs: &[Series],
        ticks: usize,
        record: &[(PopId, Observable)],
    ) -> Result<Traces<F>> {
        self.resume(&mut self.memory(), inputs, ticks, record)
    }

    /// Runs on from where `memory` stands, which must be the beginning of a
    /// network step; row 0 of the inputs is sent in the first tick of this call.
    pub fn resume(
        &self,
        memory: &mut Memory<F>,
        inputs: &[Series],
        ticks: usize,
        record: &[(PopId, Observable)],
    ) -> Result<Traces<F>> {
        self.check_inputs(inputs, ticks)?;
        if !memory.tick.is_multiple_of(self.ticks_per_step) {
            return Err(Diagnostic::internal("a run begins within a network step").into());
        }
        let mut traces = self.traces(ticks, record)?;
        for tick in 0..ticks {
            for id in self.cells.ids() {
                self.update(id, memory);
            }
            if memory.tick.is_multiple_of(self.ticks_per_step) {
                self.listen(memory, inputs, tick / self.ticks_per_step())?;
            }
            self.send(memory);
            traces.note(tick, memory);
            memory.tick += 1;
        }
        Ok(traces)
    }

    /// Receive and update: takes what is due and steps the neurons.
    fn update(&self, id: PopId, memory: &mut Memory<F>) {
        let cell = &self.cells[id];
        let said = &mut memory.said[at(id)];
        said.clear();
        let Some(dynamics) = &cell.dynamics else {
            return;
        };
        let tick = memory.tick;
        let slot = slot(cell, tick);
        let due = tick >= cell.active_from
            && tick % self.ticks_per_step == cell.latency % self.ticks_per_step;
        let step = tick.saturating_sub(cell.active_from) / self.ticks_per_step;
        if due && let Some(counted) = &cell.counted {
            let sums = &memory.sums[at(id)][slot..slot + cell.n];
            counted.step(step, sums, &mut memory.counts[at(id)], said);
        } else if due {
            let mut x = std::mem::take(&mut memory.x);
            self.input(id, cell, slot, memory, &mut x);
            let said = &mut memory.said[at(id)];
            dynamics.step(step, &mut x, &mut memory.states[at(id)], said);
            memory.x = x;
        }
        memory.sums[at(id)][slot..slot + cell.n].fill(0);
    }

    /// What reaches the neurons of a population in this tick.
    fn input(&self, id: PopId, cell: &Cell<F>, slot: usize, memory: &Memory<F>, x: &mut Vec<F>) {
        x.clear();
        x.resize(cell.n, F::default());
        if cell.has_value_input {
            for wire in self
                .wires
                .iter()
                .filter(|w| w.post == id && w.carries_values)
            {
                let pre = &self.cells[wire.pre];
                let Some(sent_in) = memory.tick.checked_sub(wire.delay as u64) else {
                    continue;
                };
                let from = row(pre.history, pre.n, sent_in);
                let sent = &memory.sent[at(wire.pre)][from..from + pre.n];
                for &atom in &pre.positions {
                    let value = sent[atom as usize];
                    if value != F::default() {
                        wire.each(atom as usize, |target, w| {
                            x[target] = x[target] + F::of_sum(w) * value;
                        });
                    }
                }
            }
        }
        if cell.has_integer_input {
            let sums = &memory.sums[at(id)][slot..slot + cell.n];
            for (x, &sum) in x.iter_mut().zip(sums) {
                *x = if cell.has_value_input {
                    F::of_sum(sum) + *x
                } else {
                    F::of_sum(sum)
                };
            }
        }
    }

    /// Turns the inputs of a step into what the sources send.
    fn listen(&self, memory: &mut Memory<F>, inputs: &[Series], step: usize) -> Result<()> {
        for (&source, input) in self.sources.iter().zip(inputs) {
            if step >= input.steps {
                continue;
            }
            let cell = &self.cells[source];
            let said = &mut memory.said[at(source)];
            for (atom, &x) in (0u32..).zip(input.row(step)) {
                if x == 0.0 {
                    continue;
                }
                let most = cell.sends.max_count().map(f64::from);
                match most {
                    None if x.is_finite() && F::of_param(x).to_f64().is_finite() => {
                        said.values.push((atom, F::of_param(x)));
                    }
                    Some(most) if x > 0.0 && x <= most && x.fract() == 0.0 => {
                        said.counts.push((atom, x as u32));
                    }
                    _ => return Err(unsendable(cell, step, atom, x).into()),
                }
            }
        }
        Ok(())
    }

    /// Adds the weights of what is sent to the slots of the ticks in which it
    /// acts, and keeps the values. Runs after every update, because a delay as
    /// long as the ring comes back to the slot that the update just took.
    fn send(&self, memory: &mut Memory<F>) {
        let tick = memory.tick;
        for wire in self.wires.iter().filter(|w| !w.carries_values) {
            let cell = &self.cells[wire.post];
            let slot = slot(cell, tick + wire.delay as u64);
            let sums = &mut memory.sums[at(wire.post)][slot..slot + cell.n];
            for &(atom, count) in &memory.said[at(wire.pre)].counts {
                // Partial sums may wrap; `Fixed::new` proved that the last can't.
                wire.each(atom as usize, |target, w| {
                    let add = w.wrapping_mul(count as i32);
                    sums[target] = sums[target].wrapping_add(add);
                });
            }
        }
        for (id, cell) in self.cells.iter().filter(|(_, c)| c.history > 0) {
            let from = row(cell.history, cell.n, tick);
            let sent = &mut memory.sent[at(id)][from..from + cell.n];
            sent.fill(F::default());
            for &(atom, value) in &memory.said[at(id)].values {
                sent[atom as usize] = value;
            }
        }
    }

    fn check_inputs(&self, inputs: &[Series], ticks: usize) -> Result<()> {
        let mut errors = Vec::new();
        if inputs.len() != self.sources.len() {
            errors.push(Diagnostic::internal(format!(
                "{} input series for {} spike sources",
                inputs.len(),
                self.sources.len()
            )));
        }
        for (&source, input) in self.sources.iter().zip(inputs) {
            let cell = &self.cells[source];
            if input.width != cell.n || Some(input.data.len()) != input.steps.checked_mul(cell.n) {
                let name = escape(&cell.name);
                errors.push(
                    Diagnostic::error(
                        Code::InputData,
                        &cell.origin,
                        format!("input '{name}' has rows of the wrong size"),
                    )
                    .note(format!(
                        "{} values a step, expected {}",
                        input.width, cell.n
                    )),
                );
            }
        }
        // Rows are allocated up front; a product that overflows can't be one.
        if self
            .cells
            .values()
            .any(|c| c.n.checked_mul(ticks).is_none())
        {
            errors.push(Diagnostic::internal(format!(
                "{ticks} ticks overflow a trace"
            )));
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Diagnostics(errors))
        }
    }

    fn traces(&self, ticks: usize, record: &[(PopId, Observable)]) -> Result<Traces<F>> {
        let mut traces = Traces {
            spikes: BTreeMap::new(),
            values: BTreeMap::new(),
            v: BTreeMap::new(),
            i: BTreeMap::new(),
            v_counts: BTreeMap::new(),
            i_counts: BTreeMap::new(),
        };
        for &(pop, what) in record {
            let Some(cell) = self.cells.get(pop) else {
                return Err(Diagnostic::internal(format!("{pop} cannot be recorded")).into());
            };
            let (width, len) = (cell.n, cell.n * ticks);
            let reals = || Rows {
                ticks,
                width,
                data: vec![F::default(); len],
            };
            let integers = || Rows {
                ticks,
                width,
                data: vec![0; len],
            };
            let dynamics = cell.dynamics.as_ref();
            let has_current = dynamics.is_some_and(|d| d.i_unit.is_some());
            match what {
                Observable::Spikes if cell.sends == Sends::Values => {
                    traces.values.insert(pop, reals());
                }
                Observable::Spikes => {
                    let data = vec![0; len];
                    traces.spikes.insert(pop, Rows { ticks, width, data });
                }
                Observable::V if cell.counted.is_some() => {
                    traces.v_counts.insert(pop, integers());
                }
                Observable::I if cell.counted.is_some() && has_current => {
                    traces.i_counts.insert(pop, integers());
                }
                Observable::V if dynamics.is_some() => {
                    traces.v.insert(pop, reals());
                }
                Observable::I if has_current => {
                    traces.i.insert(pop, reals());
                }
                Observable::V | Observable::I => {
                    let name = escape(&cell.name);
                    let message = format!("'{name}' has no {} to record", what.name());
                    return Err(
                        Diagnostic::error(Code::RecordUnknown, &cell.origin, message).into(),
                    );
                }
            }
        }
        Ok(traces)
    }
}

impl<F: Real> Traces<F> {
    /// Keeps what the tick shows.
    fn note(&mut self, tick: usize, memory: &Memory<F>) {
        for (pop, rows) in &mut self.spikes {
            let start = tick * rows.width;
            for &(atom, count) in &memory.said[at(*pop)].counts {
                rows.data[start + atom as usize] = count;
            }
        }
        for (pop, rows) in &mut self.values {
            let start = tick * rows.width;
            for &(atom, value) in &memory.said[at(*pop)].values {
                rows.data[start + atom as usize] = value;
            }
        }
        for (pop, rows) in &mut self.v_counts {
            let row = tick * rows.width..(tick + 1) * rows.width;
            rows.data[row].copy_from_slice(&memory.counts[at(*pop)].v);
        }
        for (pop, rows) in &mut self.i_counts {
            let row = tick * rows.width..(tick + 1) * rows.width;
            rows.data[row].copy_from_slice(&memory.counts[at(*pop)].i);
        }
        for (pop, rows) in &mut self.v {
            let row = tick * rows.width..(tick + 1) * rows.width;
            rows.data[row].copy_from_slice(&memory.states[at(*pop)].v);
        }
        for (pop, rows) in &mut self.i {
            let row = tick * rows.width..(tick + 1) * rows.width;
            rows.data[row].copy_from_slice(&memory.states[at(*pop)].i);
        }
    }
}

fn unsendable<F>(cell: &Cell<F>, step: usize, atom: u32, x: f64) -> Diagnostic {
    let expected = match cell.sends {
        Sends::Spikes => "0 or 1".to_owned(),
        Sends::Counts { max } => format!("a whole number from 0 to {max}"),
        Sends::Values => "a finite float32".to_owned(),
    };
    Diagnostic::error(
        Code::InputValue,
        &cell.origin,
        format!(
            "input '{}' has a value that it can't send",
            escape(&cell.name)
        ),
    )
    .note(format!(
        "step {step}, index {atom}: {x}, expected {expected}"
    ))
}

/// Position of the accumulator row of a tick.
fn slot<F>(cell: &Cell<F>, tick: u64) -> usize {
    row(cell.slots, cell.n, tick)
}

/// Position of the row of a tick in a ring of `rows` rows of `n`.
fn row(rows: usize, n: usize, tick: u64) -> usize {
    // `rows` is a power of two, so the mask also serves ticks beyond usize.
    (tick & (rows as u64).wrapping_sub(1)) as usize * n
}
