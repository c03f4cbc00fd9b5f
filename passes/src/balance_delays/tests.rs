use super::*;
use crate::testing::app;
use ir::id::Id;

const STEP: u64 = 1000;

fn latencies(plan: &TickPlan) -> Vec<u32> {
    plan.timing.values().map(|t| t.latency).collect()
}
fn delays(plan: &TickPlan) -> Vec<u32> {
    plan.delays.values().copied().collect()
}
fn pipelined(app: &AppGraph) -> Result<TickPlan> {
    balance(app, Schedule::Pipelined, STEP)
}

#[test]
fn a_skip_connection_waits_for_the_long_way() {
    let app = app(&["in", "a", "b"], &["in>a", "a>b", "in>b"]);
    let plan = pipelined(&app).expect("feasible");
    assert_eq!(latencies(&plan), [0, 1, 2]);
    assert_eq!(delays(&plan), [1, 1, 2]);
}

#[test]
fn a_self_loop_takes_its_one_step() {
    let app = app(&["in", "a"], &["in>a", "a~a"]);
    let plan = pipelined(&app).expect("feasible");
    assert_eq!(delays(&plan), [1, 1]);
    assert_eq!(plan.timing[PopId::from_index(1)].active_from, 1);
}

#[test]
fn two_populations_that_both_wait_balance_at_one_latency() {
    let app = app(&["in", "a", "b"], &["in>a", "in>b", "a~b", "b~a"]);
    let plan = balance(&app, Schedule::Auto, STEP).expect("feasible");
    assert_eq!(plan.ticks_per_step, 1);
    assert_eq!(latencies(&plan), [0, 1, 1]);
    assert_eq!(delays(&plan), [1, 1, 1, 1]);
}

#[test]
fn a_loop_with_a_same_step_edge_is_printed() {
    let app = app(&["in", "a", "b"], &["in>a", "a>b", "b~a"]);
    let error = pipelined(&app).expect_err("positive cycle");
    assert_eq!(error.0[0].code, Code::Infeasible);
    let text = error.to_string();
    assert!(
        text.contains("'a' -> 'b' -> 'a'") || text.contains("'b' -> 'a' -> 'b'"),
        "{text}"
    );
    assert!(text.contains("2 projections take at least 2 ticks, but the network allows 1"));
    assert!(text.contains("--schedule auto"));
}

#[test]
fn cycles_of_two_and_three_take_that_many_ticks() {
    let two = app(&["in", "a", "b"], &["in>a", "a>b", "b~a"]);
    let plan = balance(&two, Schedule::Auto, STEP).expect("phases");
    assert_eq!(plan.ticks_per_step, 2);
    assert_eq!(latencies(&plan), [0, 1, 2]);
    assert_eq!(delays(&plan), [1, 1, 1]);
    let three = app(&["in", "a", "b", "c"], &["in>a", "a>b", "b>c", "c~a"]);
    let plan = balance(&three, Schedule::Auto, 999).expect("phases");
    assert_eq!(plan.ticks_per_step, 3);
    assert_eq!(delays(&plan), [1, 1, 1, 1]);
    // 1000 counts have no third; four ticks do the same
    let plan = balance(&three, Schedule::Auto, STEP).expect("phases");
    assert_eq!(plan.ticks_per_step, 4);
    assert_eq!(delays(&plan), [1, 1, 1, 2]);
}

#[test]
fn a_longer_lag_pays_for_a_longer_cycle() {
    let mut graph = app(&["in", "a", "b"], &["in>a", "a>b", "b~a"]);
    graph.projections[ProjId::from_index(2)].lag = 5;
    let plan = balance(&graph, Schedule::Auto, STEP).expect("feasible");
    assert_eq!(plan.ticks_per_step, 1);
    assert_eq!(delays(&plan), [1, 1, 4]);
}

#[test]
fn phases_put_every_level_inside_the_step() {
    let app = app(&["in", "a", "b"], &["in>a", "a>b", "in>b", "b~b"]);
    let plan = balance(&app, Schedule::Phased, 999).expect("phases");
    assert_eq!(plan.ticks_per_step, 3);
    assert_eq!(latencies(&plan), [0, 1, 2]);
    assert_eq!(delays(&plan), [1, 1, 2, 3]);
    // 1000 counts make no 3 ticks, but 4
    let plan = balance(&app, Schedule::Phased, STEP).expect("phases");
    assert_eq!(plan.ticks_per_step, 4);
    assert_eq!(delays(&plan), [1, 1, 2, 4]);
    let error = balance(&app, Schedule::Phased, 997).expect_err("a prime");
    assert!(error.to_string().contains("--time-step 999"), "{error}");
}

#[test]
fn delays_beyond_the_chip_name_the_reason() {
    let mut graph = app(&["in", "a"], &["in>a", "a~a"]);
    graph.projections[ProjId::from_index(1)].lag = 10_000;
    let error = balance(&graph, Schedule::Auto, STEP).expect_err("too long");
    assert!(error.to_string().contains("lags by 10000 steps"), "{error}");
}

#[test]
fn chip_delays_are_their_lags() {
    let mut graph = app(&["in", "a", "b"], &["in~a", "a~b", "in~b", "b~a"]);
    graph.projections[ProjId::from_index(2)].lag = 4;
    let plan = as_lagged(&graph).expect("short");
    assert_eq!(latencies(&plan), [0, 1, 1]);
    assert_eq!(delays(&plan), [1, 1, 4, 1]);
    assert!(plan.timing.values().all(|t| t.active_from == 0));
}
