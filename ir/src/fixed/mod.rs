//! The fixed reference: what the chip computes, tick by tick, on the
//! quantised and balanced application graph.
//!
//! With `f32` state it is bit exact with the kernels; with `f64` it is the
//! golden interpreter on quantised weights. One tick `t`:
//!
//! 1. *receive*: every spike that a projection's `pre` sent in tick
//!    `t - delay` adds its integer weights to the accumulators of `post`. Sums
//!    of integers do not depend on the order of arrival.
//! 2. *update*, for populations with `t >= active_from`:
//!    `v = ((decay * v) + sum) + offset`, each operation rounded on its own; a
//!    missing decay or offset is no operation. Then the comparison with the
//!    threshold, the spike and the reset. Earlier populations do nothing, and
//!    what reaches them is dropped (a balanced graph sends them nothing).
//! 3. *send*: the spikes are on their way to later ticks. A spike source sends
//!    network step `s` in tick `s`.
//!
//! Weights are transposed once into one column for each source atom, so that
//! only atoms that spike cost anything.

mod bounds;
mod real;
mod run;

pub use bounds::{accumulator_bounds, accumulator_limit};
pub use real::Real;
pub use run::{Memory, Rows, Traces};

use crate::app::{AppGraph, Model, Population, Projection};
use crate::code::Code;
use crate::diag::{Diagnostic, Diagnostics, Result};
use crate::id::{Id, IdVec, PopId};
use crate::neuron::{DiscreteNeuron, Neuron, Param, ResetRule};
use crate::origin::Origin;
use crate::semantics::Compare;
use crate::series::{Observable, Series};

/// A simulator of one graph, ready to run any number of samples.
#[derive(Clone, Debug)]
pub struct Fixed<F> {
    cells: IdVec<PopId, Cell<F>>,
    wires: Vec<Wire>,
    sources: Vec<PopId>,
}

/// One population, its parameters rounded and expanded to one value an atom.
#[derive(Clone, Debug)]
struct Cell<F> {
    name: String,
    origin: Origin,
    n: usize,
    /// Ring of accumulator rows, a power of two.
    slots: usize,
    active_from: u64,
    dynamics: Option<Dynamics<F>>,
}

#[derive(Clone, Debug)]
struct Dynamics<F> {
    decay: Option<Vec<F>>,
    offset: Option<Vec<F>>,
    threshold: Vec<F>,
    compare: Compare,
    reset: Rule<F>,
    unit: Vec<f64>,
}

#[derive(Clone, Debug)]
enum Rule<F> {
    To(Vec<F>),
    Subtract(Vec<F>),
    Keep,
}

/// One projection: the column of source atom `a` is `columns[a * n..][..n]`.
#[derive(Clone, Debug)]
struct Wire {
    pre: PopId,
    post: PopId,
    delay: usize,
    columns: Vec<i32>,
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
            match wire(app, projection) {
                Ok(wire) => wires.push(wire),
                Err(e) => errors.extend(e.0),
            }
        }
        if !errors.is_empty() {
            return Err(Diagnostics(errors));
        }
        Ok(Self {
            cells,
            wires,
            sources,
        })
    }

    /// The populations that take an input series, in the order that
    /// [`Fixed::run`] expects.
    pub fn sources(&self) -> &[PopId] {
        &self.sources
    }

    /// A membrane value of `pop` in the file's units: `unit * v` in float64,
    /// rounded to the precision of `F`. Sources have no membrane and give `v`.
    pub fn in_file_units(&self, pop: PopId, atom: usize, v: F) -> f64 {
        let dynamics = self.cells.get(pop).and_then(|c| c.dynamics.as_ref());
        let unit = dynamics.and_then(|d| d.unit.get(atom)).copied();
        F::round(unit.unwrap_or(1.0) * v.to_f64())
    }

    /// A recorded membrane in the file's units.
    pub fn v_in_file_units(&self, pop: PopId, v: &Rows<F>) -> Series {
        let mut series = Series::zeros(v.ticks, v.width);
        for t in 0..v.ticks {
            for (atom, (out, &v)) in series.row_mut(t).iter_mut().zip(v.row(t)).enumerate() {
                *out = self.in_file_units(pop, atom, v);
            }
        }
        series
    }
}

fn cell<F: Real>(app: &AppGraph, id: PopId, population: &Population) -> Result<Cell<F>> {
    let fault = |what: &str| fault("population", &population.name, &population.origin, what);
    let fail = |what: &str| Diagnostics::from(fault(what));
    let shape = population.shape.checked_len();
    let n = shape.ok_or_else(|| fail("has an impossible shape"))?;
    let timing = population.timing;
    if app
        .incoming(id)
        .any(|(_, p)| p.delay.is_some_and(|d| d > MAX_DELAY))
    {
        let long = fault("receives spikes with too long a delay");
        return Err(long.note(format!("at most {MAX_DELAY} ticks")).into());
    }
    let dynamics = match &population.model {
        Model::SpikeSource => None,
        Model::Neuron(Neuron::Continuous(_)) => return Err(fail("is not discrete")),
        Model::Neuron(Neuron::Discrete(neuron)) => {
            let accumulator = population.accumulator.and_then(accumulator_limit);
            let limit = accumulator.ok_or_else(|| fail("has no accumulator type"))?;
            let bounds = accumulator_bounds(app, id)
                .ok_or_else(|| fail("receives weights that are not integers of its shape"))?;
            if let Some((atom, bound)) = bounds.iter().enumerate().find(|(_, b)| **b > limit) {
                let note = format!(
                    "atom {atom}: max(sum of positive, sum of negative weights) = {bound} > {limit}"
                );
                let full = fault("can receive more than its accumulator holds");
                return Err(full.note(note).into());
            }
            if timing.is_none() {
                return Err(fail("has no latency: the graph is not balanced"));
            }
            Some(dynamics(neuron, n).ok_or_else(|| {
                fail("is not quantised: gain must be 1, the unit known, every parameter one value or one an atom")
            })?)
        }
    };
    Ok(Cell {
        name: population.name.clone(),
        origin: population.origin.clone(),
        n,
        slots: app.slots(id) as usize,
        active_from: timing.map_or(0, |t| u64::from(t.active_from)),
        dynamics,
    })
}

fn dynamics<F: Real>(neuron: &DiscreteNeuron, n: usize) -> Option<Dynamics<F>> {
    let _ = (neuron, n);
    None
}

fn wire(app: &AppGraph, projection: &Projection) -> Result<Wire> {
    let fail = |what: &str| -> Diagnostics {
        fault("projection", &projection.name, &projection.origin, what).into()
    };
    let ends = app
        .populations
        .get(projection.pre)
        .zip(app.populations.get(projection.post));
    let (pre, post) = ends.ok_or_else(|| fail("joins populations that do not exist"))?;
    let (n_pre, n_post) = (pre.shape.checked_len(), post.shape.checked_len());
    let (n_pre, n_post) = n_pre
        .zip(n_post)
        .ok_or_else(|| fail("joins populations of impossible shapes"))?;
    let weights = &projection.weights;
    if weights.shape().0 != [n_post, n_pre] {
        return Err(fail("has weights that are not [post pre]"));
    }
    if matches!(post.model, Model::SpikeSource) {
        return Err(fail("ends at a spike source"));
    }
    let delay = projection.delay.filter(|d| *d >= 1);
    let delay = delay.ok_or_else(|| fail("has no delay of at least one tick"))?;
    let mut columns = vec![0i32; weights.len()];
    for i in 0..n_post {
        for a in 0..n_pre {
            let w = weights.int_at(i * n_pre + a);
            columns[a * n_post + i] = w.ok_or_else(|| fail("has weights that are not integers"))?;
        }
    }
    Ok(Wire {
        pre: projection.pre,
        post: projection.post,
        delay: delay as usize,
        columns,
    })
}

fn fault(noun: &str, name: &str, origin: &Origin, what: &str) -> Diagnostic {
    let name = crate::origin::escape(name);
    Diagnostic::error(Code::Verify, origin, format!("{noun} '{name}' {what}"))
}

/// Keeps ids usable as plain positions in the buffers of a run.
fn at(id: PopId) -> usize {
    id.index()
}
