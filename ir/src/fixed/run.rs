//! One run: the state, the loop over ticks, and what is recorded.

use super::{Cell, Dynamics, Fixed, Real, Rule, at};
use crate::code::Code;
use crate::diag::{Diagnostic, Diagnostics, Result};
use crate::id::PopId;
use crate::origin::escape;
use crate::semantics::Compare;
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
    /// 0 or 1 for each atom.
    pub spikes: BTreeMap<PopId, Rows<u8>>,
    /// Membranes after reset, in units of the chip.
    pub v: BTreeMap<PopId, Rows<F>>,
}

/// Everything that lasts from tick to tick.
#[derive(Clone, Debug)]
pub struct Memory<F> {
    tick: u64,
    v: Vec<Vec<F>>,
    /// `slots` rows of accumulators for each population.
    sums: Vec<Vec<i32>>,
    /// Atoms that spiked in the running tick, ascending.
    spikes: Vec<Vec<u32>>,
}

impl<F: Real> Fixed<F> {
    /// The state that a program is loaded with: everything 0, tick 0.
    pub fn memory(&self) -> Memory<F> {
        Memory {
            tick: 0,
            v: self
                .cells
                .values()
                .map(|c| vec![F::default(); c.n])
                .collect(),
            sums: self
                .cells
                .values()
                .map(|c| vec![0; c.n * c.slots])
                .collect(),
            spikes: self
                .cells
                .values()
                .map(|c| Vec::with_capacity(c.n))
                .collect(),
        }
    }

    /// Runs one sample from the loaded state. `inputs` has one series for each
    /// spike source in id order; rows beyond a series' end send nothing.
    pub fn run(
        &self,
        inputs: &[Series],
        ticks: usize,
        record: &[(PopId, Observable)],
    ) -> Result<Traces<F>> {
        self.resume(&mut self.memory(), inputs, ticks, record)
    }

    /// Runs on from where `memory` stands; row 0 of the inputs is sent in the
    /// first tick of this call.
    pub fn resume(
        &self,
        memory: &mut Memory<F>,
        inputs: &[Series],
        ticks: usize,
        record: &[(PopId, Observable)],
    ) -> Result<Traces<F>> {
        self.check_inputs(inputs, ticks)?;
        let mut traces = self.traces(ticks, record)?;
        for step in 0..ticks {
            self.update(memory);
            self.listen(memory, inputs, step)?;
            self.send(memory);
            for (pop, rows) in &mut traces.spikes {
                let start = step * rows.width;
                for &atom in &memory.spikes[at(*pop)] {
                    rows.data[start + atom as usize] = 1;
                }
            }
            for (pop, rows) in &mut traces.v {
                let row = step * rows.width..(step + 1) * rows.width;
                rows.data[row].copy_from_slice(&memory.v[at(*pop)]);
            }
            memory.tick += 1;
        }
        Ok(traces)
    }

    /// Receive and update: takes the slot that is due and steps the neurons.
    fn update(&self, memory: &mut Memory<F>) {
        let tick = memory.tick;
        for (id, cell) in self.cells.iter() {
            let spikes = &mut memory.spikes[at(id)];
            spikes.clear();
            let Some(dynamics) = &cell.dynamics else {
                continue;
            };
            let slot = slot(cell, tick);
            let sums = &mut memory.sums[at(id)][slot..slot + cell.n];
            if tick >= cell.active_from {
                dynamics.step(&mut memory.v[at(id)], sums, spikes);
            }
            sums.fill(0);
        }
    }

    /// Turns the inputs of a step into spikes of the sources.
    fn listen(&self, memory: &mut Memory<F>, inputs: &[Series], step: usize) -> Result<()> {
        for (&source, input) in self.sources.iter().zip(inputs) {
            if step >= input.steps {
                continue;
            }
            let spikes = &mut memory.spikes[at(source)];
            for (atom, &x) in (0u32..).zip(input.row(step)) {
                if x == 1.0 {
                    spikes.push(atom);
                } else if x != 0.0 {
                    let cell = &self.cells[source];
                    return Err(Diagnostic::error(
                        Code::InputValue,
                        &cell.origin,
                        format!(
                            "input '{}' has a value that is no spike",
                            escape(&cell.name)
                        ),
                    )
                    .note(format!("step {step}, index {atom}: {x}, expected 0 or 1"))
                    .into());
                }
            }
        }
        Ok(())
    }

    /// Adds the columns of all spiking atoms to the slot of the tick in which
    /// they act. Runs after every update, because a delay as long as the ring
    /// comes back to the slot that the update just took.
    fn send(&self, memory: &mut Memory<F>) {
        for wire in &self.wires {
            let spikes = &memory.spikes[at(wire.pre)];
            if spikes.is_empty() {
                continue;
            }
            let cell = &self.cells[wire.post];
            let n = cell.n;
            let slot = slot(cell, memory.tick + wire.delay as u64);
            let sums = &mut memory.sums[at(wire.post)][slot..slot + n];
            for &atom in spikes {
                let column = &wire.columns[atom as usize * n..][..n];
                for (sum, w) in sums.iter_mut().zip(column) {
                    // Partial sums may wrap; `Fixed::new` proved that the last can't.
                    *sum = sum.wrapping_add(*w);
                }
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
            v: BTreeMap::new(),
        };
        for &(pop, what) in record {
            let Some(cell) = self.cells.get(pop) else {
                return Err(Diagnostic::internal(format!("{pop} cannot be recorded")).into());
            };
            let (width, len) = (cell.n, cell.n * ticks);
            match what {
                Observable::Spikes => {
                    let data = vec![0; len];
                    traces.spikes.insert(pop, Rows { ticks, width, data });
                }
                Observable::V if cell.dynamics.is_some() => {
                    let data = vec![F::default(); len];
                    traces.v.insert(pop, Rows { ticks, width, data });
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

/// Position of the accumulator row of a tick.
fn slot<F>(cell: &Cell<F>, tick: u64) -> usize {
    // `slots` is a power of two, so the mask also serves ticks beyond usize.
    (tick & (cell.slots as u64 - 1)) as usize * cell.n
}

impl<F: Real> Dynamics<F> {
    fn step(&self, v: &mut [F], sums: &[i32], spikes: &mut Vec<u32>) {
        if let Some(decay) = &self.decay {
            for (v, d) in v.iter_mut().zip(decay) {
                *v = *d * *v;
            }
        }
        for (v, sum) in v.iter_mut().zip(sums) {
            *v = *v + F::of_sum(*sum);
        }
        if let Some(offset) = &self.offset {
            for (v, o) in v.iter_mut().zip(offset) {
                *v = *v + *o;
            }
        }
        for (atom, (v, threshold)) in (0u32..).zip(v.iter().zip(&self.threshold)) {
            let fires = match self.compare {
                Compare::Gt => v > threshold,
                Compare::Ge => v >= threshold,
            };
            if fires {
                spikes.push(atom);
            }
        }
        for &atom in spikes.iter() {
            let i = atom as usize;
            match &self.reset {
                Rule::To(to) => v[i] = to[i],
                Rule::Subtract(by) => v[i] = v[i] - by[i],
                Rule::Keep => {}
            }
        }
    }
}
