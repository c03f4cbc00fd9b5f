//! `--optimise`: cuts a network by what its emitted code takes.
//!
//! Passes estimate cycles before there is code. Here code is generated for their cut and
//! predicted ([`crate::predict`]); what each population's slices take, in percent of the
//! estimate, goes back to `partition`, which cuts again. The best cut of a few rounds is
//! kept. For energy, each PE then gets the number of packets up to which the low level
//! keeps its deadline.

use crate::cli::Optimise;
use crate::driver::{self, Compiled};
use crate::emit::Watch;
use crate::options::Mapping;
use crate::predict::{self, Predictions};
use codegen::devices::level::AutoLevel;
use ir::diag::{Diagnostics, Result, Severity};
use ir::{Code, Module, VertexId};
use passes::Plan;
use passes::partition::{cycle_limit, planned};
use std::collections::BTreeMap;

/// Rounds of cutting again. Estimates are nearly proportional, so that few are needed.
const ROUNDS: usize = 3;

/// How good a cut is; less is better.
type Cost = (bool, u64, usize);

/// Improves a compilation that was cut by estimates.
pub fn improve(first: Compiled, mapping: &mut Mapping, watch: &mut Watch) -> Result<Compiled> {
    let Some(goal) = mapping.optimise else {
        return Ok(first);
    };
    let target = mapping.target.target.clone();
    let mut predicted = predictions(&first, mapping)?;
    let mut cost = cost(goal, &first, &predicted, mapping);
    let mut best = first;
    let mut last = corrections(best.verified.module(), &predicted, mapping)?;
    for _ in 0..ROUNDS {
        if last == mapping.corrections {
            break;
        }
        mapping.corrections = last;
        let next = match again(best.verified.module().clone(), mapping, watch) {
            Ok(next) => next,
            // A cut that has become too fine for the machine is no improvement.
            Err(errors) if no_room(&errors) => break,
            Err(errors) => return Err(errors),
        };
        let found = predictions(&next, mapping)?;
        last = corrections(next.verified.module(), &found, mapping)?;
        let new = self::cost(goal, &next, &found, mapping);
        if new < cost {
            (best, predicted, cost) = (next, found, new);
        }
    }
    if goal == Optimise::Energy {
        let levels = levels(&best, &predicted, mapping);
        let images = codegen::compile_with(
            &best.verified,
            &target,
            &codegen::Options {
                levels: levels.clone(),
                ..mapping.codegen.clone()
            },
        )?;
        best.codegen.levels = levels;
        best.images = images;
    }
    Ok(best)
}

/// Whether a cut failed only because it does not fit: memory, PEs, keys, tables, code.
fn no_room(errors: &Diagnostics) -> bool {
    let limit = |code| {
        matches!(
            code,
            Code::DoesNotFit | Code::KeysExhausted | Code::TableFull | Code::CodegenLimit
        )
    };
    let mut failed = errors.0.iter().filter(|d| d.severity == Severity::Error);
    failed.all(|d| limit(d.code))
}

fn predictions(compiled: &Compiled, mapping: &Mapping) -> Result<Predictions> {
    let module = compiled.verified.module();
    let target = &mapping.target.target;
    predict::predict(module, &compiled.images, target, &mapping.activity)
}

/// Cuts and maps a module again.
fn again(module: Module, mapping: &Mapping, watch: &mut Watch) -> Result<Compiled> {
    let mut module = module;
    let plan = Plan::standard();
    let names: Vec<&str> = plan
        .passes()
        .map(passes::Pass::name)
        .skip_while(|&n| n != "partition")
        .collect();
    let plan = Plan::from_names(&names)?;
    let warnings = driver::run(&mut module, &plan, mapping, &mut passes::Silent)?;
    driver::finish(module, mapping, watch, warnings)
}

/// Cycles by code in percent of what the cut was planned with, of the vertex of each
/// population that is furthest off.
fn corrections(
    module: &Module,
    predicted: &Predictions,
    mapping: &Mapping,
) -> Result<BTreeMap<String, u32>> {
    let (app, graph) = (&module.app, &module.machine_graph);
    let planned = planned(app, graph, &mapping.target.target, &mapping.activity)?;
    let mut all = BTreeMap::new();
    for (id, vertex) in graph.vertices.iter() {
        let name = &app.populations[vertex.population].name;
        let plan = planned.get(&id).copied().unwrap_or(1).max(1);
        let cycles = predicted.get(&id).map_or(0, |p| p.worst);
        let found = u32::try_from((cycles * 100).div_ceil(plan)).unwrap_or(u32::MAX);
        let most = all.entry(name.clone()).or_insert(0);
        *most = found.max(*most).max(1);
    }
    Ok(all)
}

fn cost(goal: Optimise, compiled: &Compiled, predicted: &Predictions, mapping: &Mapping) -> Cost {
    let module = compiled.verified.module();
    let deadline = deadline(module, mapping, goal == Optimise::Energy);
    let slowest = predicted.values().map(|p| p.worst).max().unwrap_or(0);
    let late = slowest > deadline;
    let pes = module.placements.len();
    match goal {
        Optimise::Latency => (late, slowest, pes),
        Optimise::Pes | Optimise::Energy if late => (late, slowest, pes),
        Optimise::Pes | Optimise::Energy => (late, pes as u64, 0),
    }
}

/// Cycles that a plan may use of one tick.
fn deadline(module: &Module, mapping: &Mapping, low: bool) -> u64 {
    let target = &mapping.target.target;
    let limit = cycle_limit(target, module.time_step_us, module.app.ticks_per_step);
    match low {
        true => limit * target.clock.pe_low_hz / target.clock.pe_high_hz.max(1),
        false => limit,
    }
}

/// Up to how many packets each PE keeps its deadline at the low level, if cycles grow
/// evenly from the mean tick to the worst.
fn levels(
    compiled: &Compiled,
    predicted: &Predictions,
    mapping: &Mapping,
) -> BTreeMap<VertexId, AutoLevel> {
    let module = compiled.verified.module();
    let deadline = deadline(module, mapping, true);
    let threshold = |p: &predict::Prediction| {
        let (mean, worst) = (p.mean_packets, p.worst_packets);
        if p.worst <= deadline {
            return u32::MAX;
        }
        if p.mean >= deadline || worst <= mean {
            return 0;
        }
        let room = (deadline - p.mean) as f64 / (p.worst - p.mean) as f64;
        (mean + room * (worst - mean)) as u32
    };
    predicted
        .iter()
        .map(|(&vertex, p)| {
            let threshold = threshold(p);
            (vertex, AutoLevel { threshold })
        })
        .collect()
}
