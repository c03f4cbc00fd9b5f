//! Scales, units and integer weights of one population in one format.
//!
//! With scale `s` (integer steps per unit of weight) and gain `g`, an integer
//! weight `q = round(s * w)` moves the membrane by `g * w = (g / s) * q`. So
//! the membrane is counted in units of `|g| / s`, threshold, offset and reset
//! are divided by it, and no multiplication by the gain remains. A negative
//! gain turns the sign of the weights.
//!
//! With a synapse it is the current that is counted in `|g| / s`, and the
//! membrane in that times the drive, which becomes 1; the sign of gain times
//! drive turns the weights.
//!
//! All projections into a neuron share its scale, since they share its
//! accumulator ([`grid`] says how int8 chooses it); all neurons of a channel do where a convolution ends, since
//! they share its kernel. Values are multiplied by the same integers as floats
//! and are no part of the integer sum.

use super::grid;
use super::groups::{Ends, Groups, Row, bound, rows};
use super::units::{scaled, units};
use ir::app::{AppGraph, Population, Projection};
use ir::code::Code;
use ir::diag::Diagnostic;
use ir::id::{PopId, ProjId};
use ir::neuron::DiscreteNeuron;
use ir::origin::escape;
use ir::semantics::{Quantisation, Rounding, ScaleMode};
use ir::tensor::{DType, Data, Tensor};

/// Integer formats of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    Int8,
    Int16,
    /// int32 with power-of-two scales: about the precision of float32.
    Float,
}

impl Format {
    pub fn dtype(self) -> DType {
        match self {
            Format::Int8 => DType::I8,
            Format::Int16 => DType::I16,
            Format::Float => DType::I32,
        }
    }
    /// The largest magnitude; symmetric, so that a sign can always be turned.
    pub fn max(self) -> i32 {
        match self {
            Format::Int8 => i32::from(i8::MAX),
            Format::Int16 => i32::from(i16::MAX),
            Format::Float => i32::MAX,
        }
    }
}

/// float32 holds integers of this magnitude exactly.
const FLOAT_STEPS: f64 = 16_777_216.0;

/// What quantising a population in one format gives.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub format: Format,
    pub neuron: DiscreteNeuron,
    /// `None` without integer inputs.
    pub accumulator: Option<DType>,
    pub weights: Vec<Quantised>,
    /// The largest magnitude that the integer sum of each atom can reach in a tick.
    pub sums: Vec<i64>,
}

/// The integer weights of one projection.
#[derive(Clone, Debug)]
pub struct Quantised {
    pub projection: ProjId,
    pub weights: Tensor,
    /// Weights beyond the integer range, cut to it.
    pub saturated: usize,
    /// Largest difference to the float weights, in the file's units.
    pub max_error: f64,
}

/// Quantises the weights into a population and its parameters.
pub fn candidate(
    app: &AppGraph,
    pop: PopId,
    neuron: &DiscreteNeuron,
    quantisation: &Quantisation,
    format: Format,
) -> Result<Candidate, Diagnostic> {
    let population = &app.populations[pop];
    let n = population.n_atoms();
    let groups = Groups::of(app, pop);
    let rows = rows(app, pop, &groups)?;
    let mut scales = scales(population, &rows, quantisation, format)?;
    if grid_is_free(quantisation, format) {
        grid::refine(app, pop, &groups, &rows, &mut scales);
    }
    let units = units(population, neuron, n, |j| scales[groups.of_atom(j)])?;
    let neuron = scaled(population, neuron, n, &units)?;

    let mut sums = vec![(0i64, 0i64); n];
    let mut weights = Vec::new();
    for (id, p) in app.incoming(pop) {
        let pre = app.populations[p.pre].n_atoms();
        let ends = Ends {
            pre,
            groups: &groups,
        };
        let quantised = integers(p, &ends, &units.factors, quantisation.rounding, format);
        if let Some(most) = app.carries(p).max_count() {
            bound(p, &ends, &quantised.values, i64::from(most), &mut sums);
        }
        weights.push(Quantised {
            projection: id,
            weights: pack(&p.weights, quantised.values, format)?,
            saturated: quantised.saturated,
            max_error: quantised.max_error,
        });
    }
    let sums: Vec<i64> = sums.iter().map(|&(up, down)| up.max(down)).collect();
    let largest = sums.iter().copied().max().unwrap_or(0);
    if largest > i64::from(i32::MAX) {
        return Err(Diagnostic::error(
            Code::DoesNotFit,
            &population.origin,
            format!(
                "the inputs of population '{}' can overflow a 32-bit sum",
                escape(&population.name)
            ),
        )
        .note(format!("largest sum {largest}, limit {}", i32::MAX))
        .help("use a smaller --weight-scale, or --weights int16"));
    }
    let short = format == Format::Int8 && largest <= i64::from(i16::MAX);
    let accumulator = if short { DType::I16 } else { DType::I32 };
    Ok(Candidate {
        format,
        neuron,
        accumulator: app.has_integer_input(pop).then_some(accumulator),
        weights,
        sums,
    })
}

/// Whether the grid of each neuron may be chosen: not where the user fixed the
/// scale or the rounding, and only int8 is coarse enough to gain from it.
fn grid_is_free(quantisation: &Quantisation, format: Format) -> bool {
    format == Format::Int8
        && quantisation.scale == ScaleMode::Neuron
        && quantisation.rounding == Rounding::Nearest
        && quantisation.weight_scale.is_none()
}

fn scales(
    population: &Population,
    rows: &[Row],
    quantisation: &Quantisation,
    format: Format,
) -> Result<Vec<f64>, Diagnostic> {
    if let Some(x) = quantisation.weight_scale {
        if !(x.is_finite() && x > 0.0) {
            return Err(bad(population, "--weight-scale must be a number above 0")
                .note(format!("given: {x}")));
        }
        return Ok(vec![x; rows.len()]);
    }
    let whole = rows.iter().fold(Row::default(), |a, b| Row {
        max: a.max.max(b.max),
        sum: a.sum.max(b.sum),
        count: a.count.max(b.count),
    });
    let scale = |row: &Row| match quantisation.scale {
        // A neuron without weights takes the population's scale, so that units
        // stay comparable.
        ScaleMode::Neuron if row.max > 0.0 => derive(*row, format),
        ScaleMode::Neuron | ScaleMode::Population if whole.max > 0.0 => derive(whole, format),
        ScaleMode::Neuron | ScaleMode::Population => 1.0,
    };
    let scales: Vec<f64> = rows.iter().map(scale).collect();
    match scales.iter().position(|s| !(s.is_finite() && *s > 0.0)) {
        None => Ok(scales),
        Some(j) => Err(bad(
            population,
            "its weights are too small or too large to scale",
        )
        .note(format!(
            "atom or channel {j}: largest weight {:e}, scale {}",
            rows[j].max, scales[j]
        ))
        .help("rescale the layer in the network; such values are usually a mistake")),
    }
}

fn derive(row: Row, format: Format) -> f64 {
    match format {
        Format::Int8 | Format::Int16 => f64::from(format.max()) / row.max,
        Format::Float => {
            // Rounding may add half a step to each weight.
            let room = f64::from(i32::MAX) - row.count;
            let most = if row.sum > 0.0 {
                room / row.sum
            } else {
                f64::INFINITY
            };
            let exponent = (FLOAT_STEPS / row.max).min(most).log2().floor();
            let scale = exponent.exp2();
            // log2 may round up to the next integer; the limits are hard.
            if row.max * scale > FLOAT_STEPS || row.sum * scale > room {
                scale / 2.0
            } else {
                scale
            }
        }
    }
}

struct Integers {
    values: Vec<i32>,
    saturated: usize,
    max_error: f64,
}

/// Nearest rounds halves to even, as the chip's own conversions do.
fn integers(
    p: &Projection,
    ends: &Ends<'_>,
    factors: &[f64],
    rounding: Rounding,
    format: Format,
) -> Integers {
    let limit = f64::from(format.max());
    let mut out = Integers {
        values: Vec::with_capacity(p.weights.len()),
        saturated: 0,
        max_error: 0.0,
    };
    for i in 0..p.weights.len() {
        let (w, factor) = (p.weights.at(i), factors[ends.target(p, i)]);
        let exact = w * factor;
        let rounded = match rounding {
            Rounding::Nearest => exact.round_ties_even(),
            Rounding::Truncate => exact.trunc(),
        };
        if rounded.abs() > limit {
            out.saturated += 1;
        }
        let q = rounded.clamp(-limit, limit);
        if factor != 0.0 {
            out.max_error = out.max_error.max((w - q / factor).abs());
        }
        // In range and whole, so the conversion is exact.
        out.values.push(q as i32);
    }
    out
}

fn pack(weights: &Tensor, values: Vec<i32>, format: Format) -> Result<Tensor, Diagnostic> {
    let out_of_range = || Diagnostic::internal("a quantised weight is out of range");
    let data = match format {
        Format::Int8 => {
            let v: Result<Vec<i8>, _> = values.into_iter().map(i8::try_from).collect();
            Data::I8(v.map_err(|_| out_of_range())?)
        }
        Format::Int16 => {
            let v: Result<Vec<i16>, _> = values.into_iter().map(i16::try_from).collect();
            Data::I16(v.map_err(|_| out_of_range())?)
        }
        Format::Float => Data::I32(values),
    };
    Tensor::new(weights.shape().clone(), data).ok_or_else(out_of_range)
}

pub(super) fn bad(population: &Population, problem: &str) -> Diagnostic {
    Diagnostic::error(
        Code::BadParameter,
        &population.origin,
        format!("population '{}': {problem}", escape(&population.name)),
    )
}
