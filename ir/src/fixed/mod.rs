//! The fixed reference: what the chip computes, tick by tick, on the
//! quantised and balanced application graph.
//!
//! With `f32` it is bit exact with the kernels, also where they keep their state in
//! integers ([`crate::fixed_point`]); with `f64` it is the golden interpreter on
//! quantised weights. One tick `t`:
//!
//! 1. *receive*: what a projection's `pre` sent in tick `t - delay` is part of
//!    the input of `post`. `k` spikes of an atom add `k` times its integer
//!    weights to the accumulators; sums of integers do not depend on the order
//!    of arrival. Values are multiplied by the weights and added in float, in
//!    the order of projections, then of positions of the source.
//! 2. *update*, for populations with `t >= active_from` whose phase of the step
//!    it is: the step of [`crate::neuron::DiscreteNeuron`], each operation
//!    rounded on its own. Other populations do nothing; a balanced graph sends
//!    them nothing.
//! 3. *send*: spikes, counts and values are on their way to later ticks. A
//!    source sends network step `s` in tick `s * ticks_per_step`.
//!
//! Weights are transposed once into synapses by source atom, so that only
//! atoms that send cost anything.

mod bounds;
mod counted;
mod dynamics;
mod real;
mod run;
mod wire;

pub use bounds::{accumulator_bounds, accumulator_limit, dense_bound};
pub use real::Real;
pub use run::{Memory, Rows, Traces};

use crate::app::{AppGraph, Model, Population, Sends};
use crate::code::Code;
use crate::diag::{Diagnostic, Diagnostics, Result};
use crate::fixed_point;
use crate::id::{Id, IdVec, PopId};
use crate::neuron::{Neuron, State};
use crate::origin::Origin;
use crate::series::{Observable, Series};
use counted::Counted;
use dynamics::Dynamics;
use wire::Wire;

/// A simulator of one graph, ready to run any number of samples.
#[derive(Clone, Debug)]
pub struct Fixed<F> {
    cells: IdVec<PopId, Cell<F>>,
    wires: Vec<Wire>,
    sources: Vec<PopId>,
    ticks_per_step: u64,
}

/// One population.
#[derive(Clone, Debug)]
struct Cell<F> {
    name: String,
    origin: Origin,
    n: usize,
    /// Ring of accumulator rows, a power of two.
    slots: usize,
    /// Ring of rows of sent values, a power of two; 0 if nobody reads them.
    history: usize,
    /// Atoms in the order of positions, where values are summed in it.
    positions: Vec<u32>,
    latency: u64,
    active_from: u64,
    sends: Sends,
    has_integer_input: bool,
    has_value_input: bool,
    dynamics: Option<Dynamics<F>>,
    /// Steps in the place of `dynamics` where the state is integers.
    counted: Option<Counted>,
    /// `v_unit = count * v_chip`.
    count: f64,
}

/// The longest delay in ticks. Each tick of delay costs a row of accumulators,
/// so the memory of a PE ends well before.
pub const MAX_DELAY: u32 = 1 << 13;

/// One run of a fresh simulator; see [`Fixed::run`].
pub fn simulate<F: Real>(
    app: &AppGraph,
    inputs: &[Series],
    ticks: usize,
    record: &[(PopId, Observable)],
) -> Result<Traces<F>> {
    Fixed::new(app)?.run(inputs, ticks, record)
}

impl<F: Real> Fixed<F> {
    /// Prepares a graph. Everything that the chip relies on is checked: integer
    /// weights whose sums fit the accumulators, discrete neurons in units, and
    /// delays and activity that are known.
    pub fn new(app: &AppGraph) -> Result<Self> {
        let mut errors = Vec::new();
        let mut cells = IdVec::new();
        let mut sources = Vec::new();
        for (id, population) in app.populations.iter() {
            match cell(app, id, population) {
                Ok(cell) => {
                    if cell.dynamics.is_none() {
                        sources.push(id);
                    }
                    cells.push(cell);
                }
                Err(e) => errors.extend(e.0),
            }
        }
        let mut wires = Vec::new();
        for projection in app.projections.values() {
            match Wire::new(app, projection) {
                Ok(wire) => wires.push(wire),
                Err(e) => errors.extend(e.0),
            }
        }
        if app.ticks_per_step == 0 {
            errors.push(Diagnostic::internal("a network step takes no ticks"));
        }
        if !errors.is_empty() {
            return Err(Diagnostics(errors));
        }
        Ok(Self {
            cells,
            wires,
            sources,
            ticks_per_step: u64::from(app.ticks_per_step),
        })
    }

    /// The populations that take an input series, in the order that
    /// [`Fixed::run`] expects.
    pub fn sources(&self) -> &[PopId] {
        &self.sources
    }

    /// Ticks of a network step.
    pub fn ticks_per_step(&self) -> usize {
        self.ticks_per_step as usize
    }

    /// A membrane value of `pop` in the file's units: `unit * v` in float64,
    /// rounded to the precision of `F`. Sources have no membrane and give `v`.
    pub fn in_file_units(&self, pop: PopId, atom: usize, v: F) -> f64 {
        let dynamics = self.cells.get(pop).and_then(|c| c.dynamics.as_ref());
        let unit = dynamics.and_then(|d| d.unit.get(atom)).copied();
        F::round(unit.unwrap_or(1.0) * v.to_f64())
    }

    /// A recorded state of integers in the file's units.
    pub fn counts_in_file_units(&self, pop: PopId, what: Observable, counts: &Rows<i32>) -> Series {
        let cell = self.cells.get(pop);
        let dynamics = cell.and_then(|c| c.dynamics.as_ref());
        let units = dynamics.and_then(|d| match what {
            Observable::I => d.i_unit.as_deref(),
            Observable::V | Observable::Spikes => Some(d.unit.as_slice()),
        });
        let count = cell.map_or(1.0, |c| c.count);
        let mut series = Series::zeros(counts.ticks, counts.width);
        for t in 0..counts.ticks {
            let row = series.row_mut(t).iter_mut().zip(counts.row(t));
            for (atom, (out, &v)) in row.enumerate() {
                let unit = units.and_then(|u| u.get(atom)).copied();
                *out = f64::from(v) * (unit.unwrap_or(1.0) * count);
            }
        }
        series
    }

    /// A recorded membrane in the file's units.
    pub fn v_in_file_units(&self, pop: PopId, v: &Rows<F>) -> Series {
        let dynamics = self.cells.get(pop).and_then(|c| c.dynamics.as_ref());
        in_units(v, dynamics.map(|d| d.unit.as_slice()))
    }

    /// A recorded synaptic current in the file's units.
    pub fn i_in_file_units(&self, pop: PopId, i: &Rows<F>) -> Series {
        let dynamics = self.cells.get(pop).and_then(|c| c.dynamics.as_ref());
        in_units(i, dynamics.and_then(|d| d.i_unit.as_deref()))
    }
}

fn in_units<F: Real>(rows: &Rows<F>, units: Option<&[f64]>) -> Series {
    let mut series = Series::zeros(rows.ticks, rows.width);
    for t in 0..rows.ticks {
        for (atom, (out, &v)) in series.row_mut(t).iter_mut().zip(rows.row(t)).enumerate() {
            let unit = units.and_then(|u| u.get(atom)).copied();
            *out = F::round(unit.unwrap_or(1.0) * v.to_f64());
        }
    }
    series
}

fn cell<F: Real>(app: &AppGraph, id: PopId, population: &Population) -> Result<Cell<F>> {
    let fault = |what: &str| fault("population", &population.name, &population.origin, what);
    let fail = |what: &str| Diagnostics::from(fault(what));
    let shape = population.shape.checked_len();
    let n = shape.ok_or_else(|| fail("has an impossible shape"))?;
    let timing = population.timing;
    let too_long = |d: Option<u32>| d.is_some_and(|d| d > MAX_DELAY);
    if app.incoming(id).any(|(_, p)| too_long(p.delay))
        || app.outgoing(id).any(|(_, p)| too_long(p.delay))
    {
        let long = fault("sends or receives with too long a delay");
        return Err(long.note(format!("at most {MAX_DELAY} ticks")).into());
    }
    let mut counted = None;
    let mut count = 1.0;
    let dynamics = match &population.model {
        Model::SpikeSource => None,
        Model::Neuron(Neuron::Continuous(_)) => return Err(fail("is not discrete")),
        Model::Neuron(Neuron::Discrete(neuron)) => {
            check_sums(app, id, population)?;
            if timing.is_none() {
                return Err(fail("has no latency: the graph is not balanced"));
            }
            if (population.sends == Sends::Values) != neuron.fire.is_none() {
                return Err(fail("sends something else than its neurons produce"));
            }
            if F::CHIP && neuron.state != State::F32 {
                if app.has_value_input(id) {
                    return Err(fail("has fixed-point state but receives values"));
                }
                counted = Some(Counted::new(neuron, n).ok_or_else(|| {
                    fail("has fixed-point state that its parameters do not allow")
                })?);
                count = fixed_point::count(neuron);
            }
            Some(Dynamics::new(neuron, n).ok_or_else(|| {
                fail("is not quantised: gain must be 1, the unit known, every parameter one value or one an atom")
            })?)
        }
    };
    let sends_values = population.sends == Sends::Values;
    if !population.order.fits(&population.shape) {
        return Err(fail("has an order of atoms that its shape does not allow"));
    }
    let longest = app.outgoing(id).filter_map(|(_, p)| p.delay).max();
    Ok(Cell {
        name: population.name.clone(),
        origin: population.origin.clone(),
        n,
        slots: app.slots(id) as usize,
        history: match longest.filter(|_| sends_values) {
            Some(longest) => longest.max(1).next_power_of_two() as usize,
            None => 0,
        },
        positions: (0..if sends_values { n } else { 0 })
            .map(|p| population.order.atom_at(p, &population.shape) as u32)
            .collect(),
        latency: timing.map_or(0, |t| u64::from(t.latency)),
        active_from: timing.map_or(0, |t| u64::from(t.active_from)),
        sends: population.sends,
        has_integer_input: app.has_integer_input(id),
        has_value_input: app.has_value_input(id),
        dynamics,
        counted,
        count,
    })
}

/// The sums of a population fit its accumulators.
fn check_sums(app: &AppGraph, id: PopId, population: &Population) -> Result<()> {
    let fault = |what: &str| fault("population", &population.name, &population.origin, what);
    let bounds = accumulator_bounds(app, id)
        .ok_or_else(|| fault("receives weights that are not integers of its shape"))?;
    if !app.has_integer_input(id) {
        return Ok(());
    }
    let accumulator = population.accumulator.and_then(accumulator_limit);
    let limit = accumulator.ok_or_else(|| fault("has no accumulator type"))?;
    match bounds.iter().enumerate().find(|(_, b)| **b > limit) {
        None => Ok(()),
        Some((atom, bound)) => Err(fault("can receive more than its accumulator holds")
            .note(format!(
                "atom {atom}: max(sum of positive, sum of negative weights) = {bound} > {limit}"
            ))
            .into()),
    }
}

fn fault(noun: &str, name: &str, origin: &Origin, what: &str) -> Diagnostic {
    let name = crate::origin::escape(name);
    Diagnostic::error(Code::Verify, origin, format!("{noun} '{name}' {what}"))
}

/// Keeps ids usable as plain positions in the buffers of a run.
fn at(id: PopId) -> usize {
    id.index()
}
