//! `balance-delays`: latencies and delays that keep a graph exact to the step.
//!
//! A spike needs at least one tick to arrive, but the network's edges cost
//! nothing within a step. So a population computes step s in tick s P + L, with
//! its own latency L and the same number P of ticks a step for all, and a
//! projection that lags by some steps waits for the difference:
//!
//! ```text
//! delay = L(post) - L(pre) + P lag        at least 1
//! ```
//!
//! The least latencies that satisfy all of it are the longest paths with an
//! edge length of `1 - P lag`. A cycle of positive length has none: its spikes
//! would have to arrive before they are sent. More ticks a step always help,
//! since every cycle lags: P is 1 where the graph can be pipelined, else the
//! fewest ticks that leave no such cycle (`--schedule auto`). With `phased` all
//! latencies lie inside one step.
//!
//! With `--edge-delay chip` the tick of delay is part of the network's
//! meaning, so nothing is balanced.

#[cfg(test)]
mod tests;

use crate::contract::{Contract, MAPPED};
use crate::manager::PassContext;
use crate::registry::{BalanceDelays, Transform};
use ir::app::{AppGraph, Model, Projection, Timing};
use ir::code::Code;
use ir::diag::{Diagnostic, Result};
use ir::facts::Fact;
use ir::fixed::MAX_DELAY;
use ir::id::{IdVec, PopId, ProjId};
use ir::origin::escape;
use ir::semantics::{EdgeDelay, Schedule};
use ir::{Module, Origin, Target};
use std::collections::VecDeque;

impl Transform for BalanceDelays {
    const CONTRACT: Contract = Contract::requires(&[Fact::Canonical])
        .establishes(&[Fact::Balanced])
        .destroys(MAPPED);

    fn run(module: &mut Module, context: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        let counts = timer_counts(context.target, module.time_step_us);
        let plan = match module.semantics.edge_delay {
            EdgeDelay::None => balance(&module.app, context.options.schedule, counts)?,
            EdgeDelay::Chip => as_lagged(&module.app)?,
        };
        module.app.ticks_per_step = plan.ticks_per_step;
        for (id, timing) in plan.timing.iter() {
            module.app.populations[id].timing = Some(*timing);
        }
        for (id, delay) in plan.delays.iter() {
            module.app.projections[id].delay = Some(*delay);
        }
        Ok(Vec::new())
    }
}

/// Timer counts of one network step.
fn timer_counts(target: &Target, time_step_us: u32) -> u64 {
    target.clock.timer_hz * u64::from(time_step_us) / 1_000_000
}

/// When each population computes and how long each projection waits.
#[derive(Clone, Debug, PartialEq)]
pub struct TickPlan {
    pub ticks_per_step: u32,
    pub timing: IdVec<PopId, Timing>,
    pub delays: IdVec<ProjId, u32>,
}

/// Least latencies that keep every path exact. A step lasts `counts` counts of
/// the timer, and each of its ticks a whole number of them.
pub fn balance(app: &AppGraph, schedule: Schedule, counts: u64) -> Result<TickPlan> {
    let (ticks, latency) = match schedule {
        Schedule::Pipelined => (1, latencies(app, 1)?),
        Schedule::Auto => fewest_ticks(app, counts)?,
        Schedule::Phased => phases(app, counts)?,
    };
    if !counts.is_multiple_of(u64::from(ticks)) {
        return Err(broken_ticks(ticks, counts).into());
    }
    let delay = |p: &Projection| {
        let waits = i64::from(latency[p.post]) - i64::from(latency[p.pre]);
        waits + i64::from(p.lag) * i64::from(ticks)
    };
    for p in app.projections.values() {
        let delay = delay(p);
        if delay < 1 {
            return Err(Diagnostic::internal("a projection would act before it is sent").into());
        }
        if delay > i64::from(MAX_DELAY) {
            return Err(too_long(p, delay, ticks).into());
        }
    }
    let delays = app.projections.values().map(|p| delay(p) as u32);
    Ok(TickPlan {
        ticks_per_step: ticks,
        delays: delays.collect(),
        timing: latency
            .values()
            .map(|&latency| Timing {
                latency,
                active_from: latency,
            })
            .collect(),
    })
}

type Latencies = IdVec<PopId, u32>;

/// Longest paths for a number of ticks a step.
fn latencies(app: &AppGraph, ticks: u32) -> Result<Latencies> {
    let n = app.populations.len();
    let mut latency: Latencies = app.populations.ids().map(|_| 0).collect();
    let mut raised_by: IdVec<PopId, Option<&Projection>> =
        app.populations.ids().map(|_| None).collect();
    // Bellman-Ford for longest paths: without a positive cycle every latency
    // settles within as many rounds as there are populations.
    for round in 0..=n {
        let mut last = None;
        for p in app.projections.values() {
            let steps = u64::from(p.lag) * u64::from(ticks);
            let least = (u64::from(latency[p.pre]) + 1).saturating_sub(steps) as u32;
            if latency[p.post] < least {
                latency[p.post] = least;
                raised_by[p.post] = Some(p);
                last = Some(p.post);
            }
        }
        let Some(last) = last else { break };
        if round == n {
            return Err(positive_cycle(app, &raised_by, last).into());
        }
    }
    Ok(latency)
}

/// The fewest ticks a step without a positive cycle, or a few more.
fn fewest_ticks(app: &AppGraph, counts: u64) -> Result<(u32, Latencies)> {
    // A cycle has at most one projection for each population and lags by at
    // least one step, unless it lags by none, which no number of ticks helps.
    let mut high = u32::try_from(app.populations.len())
        .unwrap_or(u32::MAX)
        .max(1);
    latencies(app, high)?;
    let mut low = 1;
    while low < high {
        let middle = low + (high - low) / 2;
        match latencies(app, middle) {
            Ok(_) => high = middle,
            Err(_) => low = middle + 1,
        }
    }
    let ticks = dividing(low, counts);
    Ok((ticks, latencies(app, ticks)?))
}

/// At least `ticks`, a few more if that divides the step of `counts` timer
/// counts.
fn dividing(ticks: u32, counts: u64) -> u32 {
    let divides = |ticks: &u32| counts.is_multiple_of(u64::from(*ticks));
    let found = (ticks..=ticks.saturating_mul(2)).find(divides);
    found.unwrap_or(ticks)
}

/// As many ticks as the longest chain within a step has populations, or a few
/// more.
fn phases(app: &AppGraph, counts: u64) -> Result<(u32, Latencies)> {
    // With so many ticks a lag always makes up for the rest of its cycle.
    let enough = u32::try_from(app.populations.len())
        .unwrap_or(u32::MAX)
        .max(1);
    let levels = latencies(app, enough)?;
    let last = levels.values().copied().max().unwrap_or(0);
    Ok((dividing(last + 1, counts), levels))
}

fn broken_ticks(ticks: u32, counts: u64) -> Diagnostic {
    let ticks = u64::from(ticks);
    let origin = Origin::Option {
        flag: "--time-step".to_owned(),
    };
    let more = counts.next_multiple_of(ticks);
    Diagnostic::error(
        Code::Infeasible,
        &origin,
        format!("a network step does not divide into {ticks} ticks"),
    )
    .note(format!(
        "{counts} timer counts / {ticks} = {:.3}, and a tick takes a whole number of them",
        counts as f64 / ticks as f64
    ))
    .help(format!("--time-step {more} would do"))
}

fn too_long(projection: &Projection, delay: i64, ticks: u32) -> Diagnostic {
    let error = Diagnostic::error(
        Code::Infeasible,
        &projection.origin,
        format!(
            "'{}' would have to wait for {delay} ticks",
            escape(&projection.name)
        ),
    )
    .note(format!("at most {MAX_DELAY} ticks can be waited"));
    if i64::from(projection.lag) * i64::from(ticks) * 2 > delay {
        error
            .note(format!(
                "it lags by {} steps of {ticks} ticks each",
                projection.lag
            ))
            .help("shorten the Delay, or use a longer --dt")
    } else {
        error
            .note(format!("a path beside it has {delay} projections more"))
            .help("shorten the longer path")
    }
}

/// The cycle that keeps raising latencies, found by walking back.
fn positive_cycle(
    app: &AppGraph,
    raised_by: &IdVec<PopId, Option<&Projection>>,
    last: PopId,
) -> Diagnostic {
    let back = |at: PopId| raised_by[at].map_or(at, |p| p.pre);
    // After as many steps back as there are populations we are on the cycle.
    let start = (0..app.populations.len()).fold(last, |at, _| back(at));
    let mut cycle = vec![start];
    let (mut at, mut allowed) = (start, 0u64);
    loop {
        allowed += raised_by[at].map_or(0, |p| u64::from(p.lag));
        at = back(at);
        cycle.push(at);
        if at == start || cycle.len() > app.populations.len() {
            break;
        }
    }
    cycle.reverse();
    let name = |id: &PopId| format!("'{}'", escape(&app.populations[*id].name));
    let path: Vec<String> = cycle.iter().map(name).collect();
    let n = cycle.len() - 1;
    Diagnostic::error(
        Code::Infeasible,
        &app.populations[start].origin,
        format!(
            "the cycle through '{}' can't be pipelined",
            escape(&app.populations[start].name)
        ),
    )
    .note(format!("cycle: {}", path.join(" -> ")))
    .note(format!(
        "its {n} projections take at least {n} ticks, but the network allows {allowed}"
    ))
    .help("--schedule auto gives a step more ticks; --edge-delay chip lets each projection cost a step")
}

/// Every projection takes the ticks that it lags, as in py-spinnaker2 and Lava,
/// where that is one. The latency is what the output rows lag: the fewest
/// projections from an Input.
pub fn as_lagged(app: &AppGraph) -> Result<TickPlan> {
    let mut latency: IdVec<PopId, Option<u32>> = app.populations.ids().map(|_| None).collect();
    let mut queue = VecDeque::new();
    for (id, p) in app.populations.iter() {
        if p.model == Model::SpikeSource {
            latency[id] = Some(0);
            queue.push_back((id, 0));
        }
    }
    while let Some((id, l)) = queue.pop_front() {
        for (_, p) in app.outgoing(id) {
            if latency[p.post].is_none() {
                latency[p.post] = Some(l + 1);
                queue.push_back((p.post, l + 1));
            }
        }
    }
    if let Some(p) = app.projections.values().find(|p| p.lag > MAX_DELAY) {
        return Err(too_long(p, i64::from(p.lag), 1).into());
    }
    Ok(TickPlan {
        ticks_per_step: 1,
        timing: latency
            .values()
            .map(|l| Timing {
                latency: l.unwrap_or(0),
                active_from: 0,
            })
            .collect(),
        delays: app.projections.values().map(|p| p.lag.max(1)).collect(),
    })
}
