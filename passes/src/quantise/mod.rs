//! `quantise`: weights become integers, neuron parameters their scaled units.
//!
//! [`scale`] has the arithmetic for one population in one format. Here the
//! format is chosen: with `--weights auto` a population takes int16 where that
//! costs no further PE and keeps the deadline, int8 elsewhere. [`state`] adds how the
//! population keeps its state.

mod bill;
mod expand;
mod grid;
mod groups;
pub mod scale;
mod state;
mod units;

use crate::contract::{Contract, MAPPED};
use crate::discretise::discrete;
use crate::manager::{MappingOptions, PassContext};
use crate::registry::{Quantise, Transform};
use bill::Bill;
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
use state::with_state;

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
    let mut bill = Bill::new(app, costs);
    for pop in app.populations.ids() {
        let Some(neuron) = discrete(app, pop) else {
            if quantisation.weights == WeightMode::Auto {
                bill.source(pop)?;
            }
            continue;
        };
        match choose(app, pop, neuron, quantisation, &mut bill) {
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
    bill: &mut Bill<'_>,
) -> std::result::Result<Candidate, Diagnostic> {
    let take = |format| {
        let candidate = candidate(app, pop, neuron, quantisation, format)?;
        with_state(app, pop, candidate, quantisation.state)
    };
    match quantisation.weights {
        WeightMode::Int8 => take(Format::Int8),
        WeightMode::Int16 => take(Format::Int16),
        WeightMode::Float => take(Format::Float),
        WeightMode::Auto => {
            let narrow = take(Format::Int8)?;
            let wide = match take(Format::Int16) {
                // Wider weights may be more than fixed-point state has room for.
                Err(unfit) if unfit.code == Code::StateUnfit => {
                    let cost = bill.of(pop, &narrow)?;
                    bill.settle(pop, cost);
                    return Ok(narrow);
                }
                wide => wide?,
            };
            let narrow_cost = bill.of(pop, &narrow)?;
            let wide_cost = bill.of(pop, &wide)?;
            let free = wide_cost.in_time && wide_cost.pes() <= narrow_cost.pes();
            // What is sent as a value is seen as it is, so its precision counts
            // more than PEs.
            let graded = neuron.fire.is_none() && wide_cost.pes() < usize::MAX;
            let (choice, cost) = match free || graded {
                true => (wide, wide_cost),
                false => (narrow, narrow_cost),
            };
            bill.settle(pop, cost);
            Ok(choice)
        }
    }
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
