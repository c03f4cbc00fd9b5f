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
//! accumulator; all neurons of a channel do where a convolution ends, since
//! they share its kernel. Values are multiplied by the same integers as floats
//! and are no part of the integer sum.

use ir::app::{AppGraph, Connector, Population, Projection};
use ir::code::Code;
use ir::diag::Diagnostic;
use ir::id::{PopId, ProjId};
use ir::neuron::{DiscreteNeuron, Fire, Membrane, Param, ResetRule, Synapse};
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
    let scales = scales(population, &rows, quantisation, format)?;
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
    let largest = sums
        .iter()
        .map(|&(up, down)| up.max(down))
        .max()
        .unwrap_or(0);
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
    })
}

/// Atoms that share a scale: each alone, or all of a channel where a
/// convolution ends, whose kernel they share.
pub(super) struct Groups {
    /// Atoms of one group, side by side in C order.
    each: usize,
    count: usize,
}

impl Groups {
    pub(super) fn of(app: &AppGraph, pop: PopId) -> Self {
        let n = app.populations[pop].n_atoms();
        let conv = |p: &Projection| match &p.connector {
            Connector::Conv(c) => Some(c.target[1] * c.target[2]),
            Connector::Dense | Connector::Sparse(_) => None,
        };
        let pixels = app.incoming(pop).find_map(|(_, p)| conv(p));
        let each = pixels.unwrap_or(1).max(1);
        Self {
            each,
            count: n.div_ceil(each),
        }
    }
    pub(super) fn of_atom(&self, atom: usize) -> usize {
        atom / self.each
    }
    pub(super) fn atoms(&self, group: usize) -> std::ops::Range<usize> {
        group * self.each..(group + 1) * self.each
    }
    pub(super) fn count(&self) -> usize {
        self.count
    }
}

/// Where the weights of a projection lead.
struct Ends<'a> {
    pre: usize,
    groups: &'a Groups,
}

impl Ends<'_> {
    /// The target atom of a weight; with a convolution the first of its channel.
    fn target(&self, projection: &Projection, weight: usize) -> usize {
        match &projection.connector {
            Connector::Dense => weight / self.pre.max(1),
            Connector::Sparse(s) => s.targets()[weight] as usize,
            Connector::Conv(c) => {
                let each = c.source[0] * c.kernel[0] * c.kernel[1];
                weight / each.max(1) * self.groups.each
            }
        }
    }
}

/// Adds the sums of positive and of negative weights, times the most that an
/// atom sends. A pixel at the border meets less of a kernel than all of it, so
/// for convolutions this is an upper bound.
fn bound(p: &Projection, ends: &Ends<'_>, values: &[i32], most: i64, sums: &mut [(i64, i64)]) {
    let shared = matches!(p.connector, Connector::Conv(_));
    let mut heads: Vec<(i64, i64)> = if shared {
        vec![(0, 0); sums.len()]
    } else {
        Vec::new()
    };
    for (i, &q) in values.iter().enumerate() {
        let target = ends.target(p, i);
        let q = i64::from(q) * most;
        let into = if shared {
            &mut heads[target]
        } else {
            &mut sums[target]
        };
        into.0 = into.0.saturating_add(q.max(0));
        into.1 = into.1.saturating_sub(q.min(0));
    }
    if shared {
        for (j, sum) in sums.iter_mut().enumerate() {
            let head = heads[ends.groups.atoms(ends.groups.of_atom(j)).start];
            sum.0 = sum.0.saturating_add(head.0);
            sum.1 = sum.1.saturating_add(head.1);
        }
    }
}

/// Magnitudes of the weights into one group of neurons.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    /// Of all weights.
    max: f64,
    /// The most that one neuron's integer sum can hold, in weight.
    sum: f64,
    /// Weights in that sum, each as often as its source may count.
    count: f64,
}

fn rows(app: &AppGraph, pop: PopId, groups: &Groups) -> Result<Vec<Row>, Diagnostic> {
    let n = app.populations[pop].n_atoms();
    // Of each atom, or with convolutions of the first of each channel.
    let mut atoms = vec![Row::default(); n];
    let mut shared = vec![Row::default(); groups.count];
    for (_, p) in app.incoming(pop) {
        let pre = app.populations[p.pre].n_atoms();
        let name = || escape(&p.name);
        let wanted = p.connector.weight_shape(pre, n);
        if *p.weights.shape() != wanted {
            return Err(Diagnostic::internal(format!(
                "the weights of '{}' are {}, not {wanted}",
                name(),
                p.weights.shape()
            )));
        }
        let ends = Ends { pre, groups };
        let most = app.carries(p).max_count().map_or(0.0, f64::from);
        let conv = matches!(p.connector, Connector::Conv(_));
        for i in 0..p.weights.len() {
            let w = p.weights.at(i);
            let target = ends.target(p, i);
            if !w.is_finite() {
                return Err(Diagnostic::error(
                    Code::BadParameter,
                    &p.origin,
                    format!("a weight of '{}' is not finite", name()),
                )
                .note(format!("weight {i}, to atom {target}: {w}")));
            }
            let row = if conv {
                &mut shared[groups.of_atom(target)]
            } else {
                &mut atoms[target]
            };
            row.max = row.max.max(w.abs());
            row.sum += w.abs() * most;
            row.count += most;
        }
    }
    let rows = (0..groups.count).map(|g| {
        let mut most = Row::default();
        for j in groups.atoms(g) {
            most.max = most.max.max(atoms[j].max);
            most.sum = most.sum.max(atoms[j].sum);
            most.count = most.count.max(atoms[j].count);
        }
        Row {
            max: most.max.max(shared[g].max),
            sum: most.sum + shared[g].sum,
            count: most.count + shared[g].count,
        }
    });
    Ok(rows.collect())
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

/// What one integer step of the input is worth in each neuron.
struct Units {
    /// Of the membrane.
    v: Vec<f64>,
    /// Of the current; empty without a synapse. Negative where the drive is.
    i: Vec<f64>,
    /// From a float weight to its integer, with the sign of the gains; 0 where
    /// the input does not reach the membrane.
    factors: Vec<f64>,
}

fn units(
    population: &Population,
    neuron: &DiscreteNeuron,
    n: usize,
    scale: impl Fn(usize) -> f64,
) -> Result<Units, Diagnostic> {
    let mut all = Units {
        v: Vec::with_capacity(n),
        i: Vec::new(),
        factors: Vec::with_capacity(n),
    };
    let magnitude = |x: f64| if x == 0.0 { 1.0 } else { x.abs() };
    for j in 0..n {
        let gain = neuron.gain.at(j);
        let drive = neuron.synapse.as_ref().map_or(1.0, |s| s.drive.at(j));
        let reaches = gain != 0.0 && drive != 0.0;
        let current = if reaches {
            magnitude(gain) / scale(j)
        } else {
            1.0
        };
        let v = current * magnitude(drive);
        if !(v.is_finite() && v > 0.0 && current.is_finite() && current > 0.0) {
            return Err(bad(
                population,
                "its gain and weights are too far apart to scale",
            )
            .note(format!(
                "atom {j}: gain {gain} / scale {} = {current}",
                scale(j)
            )));
        }
        all.v.push(v);
        if neuron.synapse.is_some() {
            all.i.push(if drive < 0.0 { -current } else { current });
        }
        let sign = (gain * drive.signum()).signum();
        all.factors
            .push(if reaches { scale(j) * sign } else { 0.0 });
    }
    Ok(all)
}

/// Counts the state in units.
fn scaled(
    population: &Population,
    neuron: &DiscreteNeuron,
    n: usize,
    units: &Units,
) -> Result<DiscreteNeuron, Diagnostic> {
    let divided = |p: &Param, by: &[f64]| {
        Param::per_atom(by.iter().enumerate().map(|(j, u)| p.at(j) / u).collect())
    };
    let per_unit = |p: &Param| divided(p, &units.v);
    let synapse = neuron.synapse.as_ref().map(|s| {
        // A current that nothing carries to the membrane stays 0.
        let of_current = |p: &Param| {
            let values = units.i.iter().enumerate();
            let per_unit = |(j, u): (usize, &f64)| {
                if s.drive.at(j) == 0.0 {
                    0.0
                } else {
                    p.at(j) / u
                }
            };
            Param::per_atom(values.map(per_unit).collect())
        };
        Synapse {
            decay: s.decay.clone(),
            after: s.after,
            offset: s.offset.map(of_current),
            drive: Param::uniform(1.0),
            unit: Some(Param::per_atom(units.i.clone())),
        }
    });
    let scaled = DiscreteNeuron {
        kind: neuron.kind,
        synapse,
        membrane: neuron.membrane.clone(),
        gain: Param::uniform(1.0),
        offset: neuron.offset.map(per_unit),
        fire: neuron.fire.as_ref().map(|f| Fire {
            threshold: per_unit(&f.threshold),
            reset: match &f.reset {
                ResetRule::To(p) => ResetRule::To(per_unit(p)),
                ResetRule::Subtract(p) => ResetRule::Subtract(per_unit(p)),
                ResetRule::Pending(p) => ResetRule::Pending(per_unit(p)),
                ResetRule::Multi => ResetRule::Multi,
                ResetRule::Keep => ResetRule::Keep,
            },
            floor: f.floor.as_ref().map(per_unit),
            ..*f
        }),
        unit: Some(Param::per_atom(units.v.clone())),
    };
    check(population, &scaled, n, &units.v)?;
    Ok(scaled)
}

/// All that reaches the chip must be a float32.
fn check(
    population: &Population,
    neuron: &DiscreteNeuron,
    n: usize,
    units: &[f64],
) -> Result<(), Diagnostic> {
    let mut all: Vec<(&str, &Param)> = Vec::new();
    if let Membrane::Leaky(decay) = &neuron.membrane {
        all.push(("decay", decay));
    }
    all.extend(neuron.offset.entries().iter().map(|(_, p)| ("offset", p)));
    if let Some(s) = &neuron.synapse {
        all.push(("decay of the current", &s.decay));
        let offsets = s.offset.entries().iter();
        all.extend(offsets.map(|(_, p)| ("offset of the current", p)));
    }
    if let Some(f) = &neuron.fire {
        all.push(("threshold", &f.threshold));
        all.extend(f.reset.amount().map(|p| ("reset", p)));
        all.extend(f.floor.as_ref().map(|p| ("floor", p)));
    } else {
        all.extend(neuron.unit.as_ref().map(|p| ("unit", p)));
    }
    // What is sent is multiplied by the unit, so it must not vanish.
    let sent = neuron.unit.as_ref().filter(|_| neuron.fire.is_none());
    if let Some(j) = sent.and_then(|u| (0..n).find(|&j| u.at(j) as f32 <= 0.0)) {
        return Err(bad(population, "its unit is below float32")
            .note(format!("atom {j}: {:e}", units[j]))
            .help("rescale the layer in the network; such values are usually a mistake"));
    }
    for (name, param) in all {
        if let Some(j) = (0..n).find(|&j| !(param.at(j) as f32).is_finite()) {
            return Err(bad(
                population,
                &format!("its {name} is beyond float32 once scaled to its weights"),
            )
            .note(format!(
                "atom {j}: {:e} units of {:e}",
                param.at(j),
                units[j]
            )));
        }
    }
    Ok(())
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

fn bad(population: &Population, problem: &str) -> Diagnostic {
    Diagnostic::error(
        Code::BadParameter,
        &population.origin,
        format!("population '{}': {problem}", escape(&population.name)),
    )
}
