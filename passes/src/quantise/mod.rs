//! `quantise`: weights become integers, neuron parameters their scaled units.
//!
//! [`scale`] has the arithmetic for one population in one format. Here the
//! format is chosen: with `--weights auto` a population takes int16 where that
//! costs no further PE and keeps the deadline, int8 elsewhere.

mod expand;
mod grid;
mod groups;
pub mod scale;
mod units;

use crate::contract::{Contract, MAPPED};
use crate::discretise::discrete;
use crate::manager::{MappingOptions, PassContext};
use crate::partition::{cap, cycle_limit, slice_count};
use crate::regions::Need;
use crate::registry::{Quantise, Transform};
use expand::expand;
use ir::app::{AppGraph, Model};
use ir::code::Code;
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::facts::Fact;
use ir::id::{PopId, ProjId};
use ir::neuron::{DiscreteNeuron, Neuron};
use ir::origin::escape;
use ir::semantics::{Quantisation, WeightMode};
use ir::tensor::DType;
use ir::{Module, Target};
use scale::{Candidate, Format, candidate};

impl Transform for Quantise {
    // Delays decide how many accumulator slots a population has, and so
    // whether wider weights still fit.
    const CONTRACT: Contract = Contract::requires(&[Fact::Discrete, Fact::Balanced])
        .excludes(&[Fact::Quantised])
        .establishes(&[Fact::Quantised])
        .destroys(MAPPED);

    fn run(module: &mut Module, context: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        let costs = Costs {
            target: context.target,
            time_step_us: module.time_step_us,
            options: context.options,
        };
        let (_, warnings) = quantise(&mut module.app, &module.quantisation, &costs)?;
        Ok(warnings)
    }
}

/// What the choice of a format is weighed against.
#[derive(Clone, Copy, Debug)]
pub struct Costs<'a> {
    pub target: &'a Target,
    pub time_step_us: u32,
    pub options: &'a MappingOptions,
}

/// What was chosen, and how much it loses.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Report {
    pub populations: Vec<(PopId, Format, Option<DType>)>,
    /// Largest weight error of each projection, in the file's units.
    pub max_errors: Vec<(ProjId, f64)>,
}

/// Quantises every neuron population.
pub fn quantise(
    app: &mut AppGraph,
    quantisation: &Quantisation,
    costs: &Costs<'_>,
) -> Result<(Report, Vec<Diagnostic>)> {
    expand(app)?;
    let mut report = Report::default();
    let mut warnings = Vec::new();
    let mut errors = Vec::new();
    let mut chosen = Vec::new();
    for pop in app.populations.ids() {
        let Some(neuron) = discrete(app, pop) else {
            continue;
        };
        match choose(app, pop, neuron, quantisation, costs) {
            Ok(candidate) => chosen.push((pop, candidate)),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(Diagnostics(errors));
    }
    for (pop, candidate) in chosen {
        report
            .populations
            .push((pop, candidate.format, candidate.accumulator));
        let population = &mut app.populations[pop];
        population.model = Model::Neuron(Neuron::Discrete(candidate.neuron));
        population.accumulator = candidate.accumulator;
        for q in candidate.weights {
            report.max_errors.push((q.projection, q.max_error));
            let projection = &mut app.projections[q.projection];
            if q.saturated > 0 {
                warnings.push(saturated(projection, q.saturated, candidate.format));
            }
            projection.weights = q.weights;
        }
    }
    Ok((report, warnings))
}

fn choose(
    app: &AppGraph,
    pop: PopId,
    neuron: &DiscreteNeuron,
    quantisation: &Quantisation,
    costs: &Costs<'_>,
) -> std::result::Result<Candidate, Diagnostic> {
    let take = |format| candidate(app, pop, neuron, quantisation, format);
    match quantisation.weights {
        WeightMode::Int8 => take(Format::Int8),
        WeightMode::Int16 => take(Format::Int16),
        WeightMode::Float => take(Format::Float),
        WeightMode::Auto => {
            let narrow = take(Format::Int8)?;
            let wide = take(Format::Int16)?;
            let (pes_narrow, _) = pes(app, pop, &narrow, costs)?;
            let (pes_wide, wide_in_time) = pes(app, pop, &wide, costs)?;
            let free = wide_in_time && pes_wide <= pes_narrow;
            // What is sent as a value is seen as it is, so its precision counts
            // more than PEs.
            let graded = neuron.fire.is_none() && pes_wide < u32::MAX;
            Ok(if free || graded { wide } else { narrow })
        }
    }
}

/// PEs that a candidate takes (the largest number if it does not fit at all)
/// and whether it keeps the deadline.
fn pes(
    app: &AppGraph,
    pop: PopId,
    candidate: &Candidate,
    costs: &Costs<'_>,
) -> std::result::Result<(u32, bool), Diagnostic> {
    let width = |_| candidate.format.dtype();
    let need = Need::neurons(app, pop, &candidate.neuron, candidate.accumulator, width)?;
    let limit = cycle_limit(costs.target, costs.time_step_us, app.ticks_per_step);
    let cap = cap(&app.populations[pop], costs.options);
    let count = slice_count(app, pop, &need, costs.target, limit, cap);
    Ok(count.unwrap_or((u32::MAX, false)))
}

fn saturated(projection: &ir::app::Projection, n: usize, format: Format) -> Diagnostic {
    Diagnostic::warning(
        Code::QuantiseSaturated,
        &projection.origin,
        format!(
            "{n} of {} weights of '{}' were saturated",
            projection.weights.len(),
            escape(&projection.name)
        ),
    )
    .note(format!("the integer range is -{0}..={0}", format.max()))
    .help("use a smaller --weight-scale, or leave it out")
}

#[cfg(test)]
mod tests;
