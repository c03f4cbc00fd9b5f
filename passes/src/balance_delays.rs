//! `balance-delays`: latencies and delays that keep a pipelined graph exact.
//!
//! A spike needs at least one tick to arrive, but the network's edges cost
//! nothing within a step. So a population computes step s in tick s + L, with
//! its own latency L, and a projection waits for the difference:
//!
//! | projection | delay | needs |
//! |---|---|---|
//! | same step | L(post) - L(pre) | L(post) >= L(pre) + 1 |
//! | previous step | L(post) - L(pre) + 1 | L(post) >= L(pre) |
//!
//! The least latencies that satisfy all of it are the longest paths. A cycle
//! of positive length has none: its spikes would have to arrive before they
//! are sent.
//!
//! With `--edge-delay chip` the tick of delay is part of the network's
//! meaning, so nothing is balanced.

use crate::contract::{Contract, MAPPED};
use crate::manager::PassContext;
use crate::registry::{BalanceDelays, Transform};
use ir::Module;
use ir::app::{AppGraph, Model, Projection, Timing};
use ir::code::Code;
use ir::diag::{Diagnostic, Result};
use ir::facts::Fact;
use ir::fixed::MAX_DELAY;
use ir::id::{IdVec, PopId, ProjId};
use ir::origin::escape;
use ir::semantics::EdgeDelay;
use std::collections::VecDeque;

impl Transform for BalanceDelays {
    const CONTRACT: Contract = Contract::requires(&[Fact::Canonical])
        .establishes(&[Fact::Balanced])
        .destroys(MAPPED);

    fn run(module: &mut Module, _: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        let schedule = match module.semantics.edge_delay {
            EdgeDelay::None => balance(&module.app)?,
            EdgeDelay::Chip => one_tick_each(&module.app),
        };
        for (id, timing) in schedule.timing.iter() {
            module.app.populations[id].timing = Some(*timing);
        }
        for (id, delay) in schedule.delays.iter() {
            module.app.projections[id].delay = Some(*delay);
        }
        Ok(Vec::new())
    }
}

/// When each population computes and how long each projection waits.
#[derive(Clone, Debug, PartialEq)]
pub struct TickPlan {
    pub timing: IdVec<PopId, Timing>,
    pub delays: IdVec<ProjId, u32>,
}

/// Least latencies that keep every path exact.
pub fn balance(app: &AppGraph) -> Result<TickPlan> {
    let n = app.populations.len();
    let mut latency: IdVec<PopId, u32> = app.populations.ids().map(|_| 0).collect();
    let mut raised_by: IdVec<PopId, Option<PopId>> = app.populations.ids().map(|_| None).collect();
    // Bellman-Ford for longest paths: without a positive cycle every latency
    // settles within as many rounds as there are populations.
    for round in 0..=n {
        let mut last = None;
        for p in app.projections.values() {
            let least = latency[p.pre] + u32::from(p.lag == 0);
            if latency[p.post] < least {
                latency[p.post] = least;
                raised_by[p.post] = Some(p.pre);
                last = Some(p.post);
            }
        }
        let Some(last) = last else { break };
        if round == n {
            return Err(positive_cycle(app, &raised_by, last).into());
        }
    }
    let delay = |p: &Projection| latency[p.post] + p.lag - latency[p.pre];
    if let Some(p) = app.projections.values().find(|p| delay(p) > MAX_DELAY) {
        return Err(too_long(p, delay(p)).into());
    }
    Ok(TickPlan {
        timing: latency
            .values()
            .map(|&latency| Timing {
                latency,
                active_from: latency,
            })
            .collect(),
        delays: app.projections.values().map(delay).collect(),
    })
}

fn too_long(projection: &Projection, delay: u32) -> Diagnostic {
    Diagnostic::error(
        Code::Infeasible,
        &projection.origin,
        format!(
            "'{}' would have to wait for {delay} ticks",
            escape(&projection.name)
        ),
    )
    .note(format!(
        "a path beside it has {delay} projections more; at most {MAX_DELAY} ticks can be waited"
    ))
    .help("shorten the longer path")
}

/// The cycle that keeps raising latencies, found by walking back.
fn positive_cycle(
    app: &AppGraph,
    raised_by: &IdVec<PopId, Option<PopId>>,
    last: PopId,
) -> Diagnostic {
    let back = |at: PopId| raised_by[at].unwrap_or(at);
    // After as many steps back as there are populations we are on the cycle.
    let start = (0..app.populations.len()).fold(last, |at, _| back(at));
    let mut cycle = vec![start];
    let mut at = back(start);
    while at != start && cycle.len() <= app.populations.len() {
        cycle.push(at);
        at = back(at);
    }
    cycle.push(start);
    cycle.reverse();
    let name = |id: &PopId| format!("'{}'", escape(&app.populations[*id].name));
    let path: Vec<String> = cycle.iter().map(name).collect();
    let mut same = 0;
    let mut previous = 0;
    for pair in cycle.windows(2) {
        let mut between = app.outgoing(pair[0]).filter(|(_, p)| p.post == pair[1]);
        match between.any(|(_, p)| p.lag == 0) {
            true => same += 1,
            false => previous += 1,
        }
    }
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
        "its {} projections take at least {} ticks, but the network allows {previous}: {same} carry the same step, {previous} the previous one",
        same + previous,
        same + previous
    ))
    .help("use --edge-delay chip if each projection may cost one step, or `s2c golden`, which runs the graph as it is")
}

/// Every projection takes one tick, as py-spinnaker2 and Lava do. The latency
/// is what the output rows lag: the fewest projections from an Input.
pub fn one_tick_each(app: &AppGraph) -> TickPlan {
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
    TickPlan {
        timing: latency
            .values()
            .map(|l| Timing {
                latency: l.unwrap_or(0),
                active_from: 0,
            })
            .collect(),
        delays: app.projections.values().map(|_| 1).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::app;
    use ir::id::Id;

    fn latencies(plan: &TickPlan) -> Vec<u32> {
        plan.timing.values().map(|t| t.latency).collect()
    }
    fn delays(plan: &TickPlan) -> Vec<u32> {
        plan.delays.values().copied().collect()
    }

    #[test]
    fn a_skip_connection_waits_for_the_long_way() {
        let app = app(&["in", "a", "b"], &["in>a", "a>b", "in>b"]);
        let plan = balance(&app).expect("feasible");
        assert_eq!(latencies(&plan), [0, 1, 2]);
        assert_eq!(delays(&plan), [1, 1, 2]);
    }

    #[test]
    fn a_self_loop_takes_its_one_step() {
        let app = app(&["in", "a"], &["in>a", "a~a"]);
        let plan = balance(&app).expect("feasible");
        assert_eq!(delays(&plan), [1, 1]);
        assert_eq!(plan.timing[PopId::from_index(1)].active_from, 1);
    }

    #[test]
    fn two_populations_that_both_wait_balance_at_one_latency() {
        let app = app(&["in", "a", "b"], &["in>a", "in>b", "a~b", "b~a"]);
        let plan = balance(&app).expect("feasible");
        assert_eq!(latencies(&plan), [0, 1, 1]);
        assert_eq!(delays(&plan), [1, 1, 1, 1]);
    }

    #[test]
    fn a_loop_with_a_same_step_edge_is_printed() {
        let app = app(&["in", "a", "b"], &["in>a", "a>b", "b~a"]);
        let error = balance(&app).expect_err("positive cycle");
        assert_eq!(error.0[0].code, Code::Infeasible);
        let text = error.to_string();
        assert!(
            text.contains("'a' -> 'b' -> 'a'") || text.contains("'b' -> 'a' -> 'b'"),
            "{text}"
        );
        assert!(text.contains("2 projections take at least 2 ticks, but the network allows 1"));
    }

    #[test]
    fn chip_delays_are_all_one() {
        let app = app(&["in", "a", "b"], &["in>a", "a>b", "in>b", "b~a"]);
        let plan = one_tick_each(&app);
        assert_eq!(latencies(&plan), [0, 1, 1]);
        assert_eq!(delays(&plan), [1, 1, 1, 1]);
        assert!(plan.timing.values().all(|t| t.active_from == 0));
    }
}
