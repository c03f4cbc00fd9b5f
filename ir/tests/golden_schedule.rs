//! The cycle rule: which edges carry the previous step.

mod golden_support;

use golden_support::{Net, profile};
use ir::Code;
use ir::golden::{Golden, schedule};
use ir::semantics::Profile;

/// The previous-step edges as "from>to", in edge order.
fn previous(net: &Net) -> Vec<String> {
    let schedule = schedule(&net.0, None).expect("no algebraic loop");
    let edges = net.0.edges.iter().enumerate();
    edges
        .filter(|(i, _)| schedule.is_previous(*i))
        .map(|(_, e)| format!("{}>{}", net.0.nodes[e.from].name, net.0.nodes[e.to].name))
        .collect()
}

fn neurons(names: &str) -> Net {
    let net = Net::default().input("in", 1);
    names.split(' ').fold(net, |net, n| net.lif(n, 1.0, 1.0))
}

#[test]
fn a_chain_has_none() {
    let net = neurons("a b").wire(&["in a b"]);
    assert!(previous(&net).is_empty());
}

#[test]
fn a_self_loop_is_one_step() {
    let net = neurons("a").wire(&["in a a"]);
    assert_eq!(previous(&net), ["a>a"]);
}

#[test]
fn a_self_loop_through_weights_is_one_step() {
    let net = neurons("a").linear("w", &[&[1.0]]).wire(&["in a w a"]);
    assert_eq!(previous(&net), ["a>w"]);
}

#[test]
fn the_edge_toward_the_input_is_the_late_one() {
    let net = neurons("a b").wire(&["in a b a"]);
    assert_eq!(previous(&net), ["b>a"]);
    // The rule looks at depth, not at the order of nodes in the file.
    let net = neurons("b a").wire(&["in a b a"]);
    assert_eq!(previous(&net), ["b>a"]);
}

#[test]
fn equal_depth_delays_both() {
    let net = neurons("a b").wire(&["in a b a", "in b"]);
    assert_eq!(previous(&net), ["a>b", "b>a"]);
}

#[test]
fn out_of_reach_of_inputs_all_are_late() {
    let net = neurons("a b").wire(&["a b a"]);
    assert_eq!(previous(&net), ["a>b", "b>a"]);
}

#[test]
fn the_walk_stops_at_a_stateful_node_and_leaves_through_stateless_ones() {
    // a (1) -> w (2) -> b (3) -> u (4) -> a: only b's edge comes back.
    let net = neurons("a b")
        .linear("w", &[&[1.0]])
        .linear("u", &[&[1.0]])
        .wire(&["in a w b u a"]);
    assert_eq!(previous(&net), ["b>u"]);
}

#[test]
fn a_skip_makes_the_target_near() {
    // With in -> s -> b, b has depth 2 as w: a -> w meets b only at depth 2 > 1.
    let net = neurons("a b")
        .scale("s", &[1.0])
        .linear("w", &[&[1.0]])
        .wire(&["in a w b a", "in s b"]);
    assert_eq!(previous(&net), ["b>a"]);
    // A stateless node at depth 1 between two neurons of depth 1 and 2.
    let net = neurons("a b")
        .linear("w", &[&[1.0]])
        .wire(&["in a w b a", "in w"]);
    assert_eq!(previous(&net), ["a>w", "b>a"]);
}

#[test]
fn edges_that_leave_the_component_are_same_step() {
    let net = neurons("a b").output("out", 1).wire(&["in a a b out"]);
    assert_eq!(previous(&net), ["a>a"]);
}

#[test]
fn the_order_follows_same_step_edges() {
    let net = neurons("b a").output("out", 1).wire(&["in a b a", "b out"]);
    let order = schedule(&net.0, None).expect("valid").order;
    let names: Vec<_> = order
        .iter()
        .map(|&n| net.0.nodes[n].name.as_str())
        .collect();
    assert_eq!(names, ["in", "a", "b", "out"]);
}

#[test]
fn a_cycle_of_stateless_nodes_is_printed() {
    let net = neurons("a")
        .linear("u", &[&[1.0]])
        .scale("s", &[1.0])
        .wire(&["in u s u", "s a"]);
    let errors = schedule(&net.0, None).expect_err("an algebraic loop").0;
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].code, Code::AlgebraicLoop);
    assert_eq!(errors[0].notes[0], "cycle: 'u' -> 's' -> 'u'");
    assert!(errors[0].origin.to_string().contains("/node/nodes/u"));
    assert!(Golden::new(&net.0, &profile(Profile::Nir, 0.1)).is_err());
}

#[test]
fn each_algebraic_loop_is_reported_once() {
    let net = neurons("a")
        .scale("s", &[1.0])
        .scale("t", &[1.0])
        .wire(&["in s s", "t t", "s a", "t a"]);
    let errors = schedule(&net.0, None).expect_err("two algebraic loops").0;
    let notes: Vec<_> = errors.iter().map(|e| e.notes[0].as_str()).collect();
    assert_eq!(notes, ["cycle: 's' -> 's'", "cycle: 't' -> 't'"]);
}

#[test]
fn a_neuron_beside_a_stateless_cycle_does_not_save_it() {
    let net = neurons("a")
        .linear("u", &[&[1.0]])
        .scale("s", &[1.0])
        .wire(&["in a u s u", "s a"]);
    let errors = schedule(&net.0, None).expect_err("an algebraic loop").0;
    assert_eq!(errors[0].notes[0], "cycle: 'u' -> 's' -> 'u'");
}

#[test]
fn long_chains_need_no_stack() {
    let mut net = Net::default().input("in", 1);
    let mut names = vec!["in".to_owned()];
    for i in 0..5000 {
        let name = format!("s{i}");
        net = net.scale(&name, &[1.0]);
        names.push(name);
    }
    for w in 1..names.len() {
        let from = ir::Id::from_index(w - 1);
        let to = ir::Id::from_index(w);
        net.0.edges.push(ir::network::Edge { from, to });
    }
    assert_eq!(schedule(&net.0, None).expect("valid").order.len(), 5001);
}

/// `a` feeds itself through a Delay of the given seconds, with dt 1 s.
fn through_delay(delays: &[f64]) -> Net {
    Net::default()
        .input("in", 1)
        .lif("a", 2.0, 1.0)
        .delay("d", delays)
        .output("out", 1)
        .wire(&["in a d a", "a out"])
}

/// The previous-step edges with dt = 1.
fn previous_at_1(net: &Net) -> Vec<String> {
    let schedule = schedule(&net.0, Some(1.0)).expect("no algebraic loop");
    let edges = net.0.edges.iter().zip(&schedule.previous);
    let late = edges.filter(|(_, previous)| **previous);
    late.map(|(e, _)| format!("{}>{}", net.0.nodes[e.from].name, net.0.nodes[e.to].name))
        .collect()
}

#[test]
fn a_delay_breaks_a_cycle_by_exactly_its_own_steps() {
    for steps in 1..4usize {
        let net = through_delay(&[steps as f64]);
        assert!(previous_at_1(&net).is_empty());
        let (_, v) = net.run(&profile(Profile::Nir, 1.0), &[4.0; 1], "a");
        assert_eq!(v, [0.0]);
        // The spike of step 0 comes back as 1/2 on the membrane `steps` later.
        let mut input = vec![0.0; 6];
        input[0] = 4.0;
        let (_, v) = net.run(&profile(Profile::Nir, 1.0), &input, "a");
        let mut wanted = vec![0.0; 6];
        (steps..6).for_each(|t| wanted[t] = 0.5f64.powi((t - steps + 1) as i32));
        assert_eq!(v, wanted, "{steps} steps");
    }
}

#[test]
fn a_delay_below_half_a_step_is_a_stateless_node() {
    let net = through_delay(&[0.4]);
    assert_eq!(previous_at_1(&net), ["a>d"]);
    let (_, v) = net.run(&profile(Profile::Nir, 1.0), &[4.0, 0.0, 0.0], "a");
    assert_eq!(v, [0.0, 0.5, 0.25], "one step round the cycle");
    // Without dt any delay above 0 counts as a step.
    assert!(previous(&net).is_empty());
}

#[test]
fn the_least_delay_of_a_node_decides() {
    // Two neurons feed themselves through delays of 0 and 2 steps: the node
    // is stateless, so its in-edge carries the previous step, and the second
    // element waits two more.
    let net = Net::default()
        .input("in", 2)
        .node(
            "a",
            2,
            2,
            ir::network::Op::Lif {
                tau: ir::Tensor::scalar(2.0),
                r: ir::Tensor::scalar(1.0),
                v_leak: ir::Tensor::scalar(0.0),
                v_threshold: ir::Tensor::scalar(1.0),
                v_reset: None,
            },
        )
        .delay("d", &[0.0, 2.0])
        .output("out", 2)
        .wire(&["in a d a", "a out"]);
    assert_eq!(previous_at_1(&net), ["a>d"]);
    let golden = Golden::new(&net.0, &profile(Profile::Nir, 1.0)).expect("valid");
    let mut input = ir::Series::zeros(5, 2);
    input.data[..2].fill(4.0);
    let record = [(net.id("a"), ir::Observable::V)];
    let traces = golden.run(&[input], &record).expect("runs");
    let v = &traces.recorded[0].2.data;
    let of = |i: usize| v.iter().skip(i).step_by(2).copied().collect::<Vec<_>>();
    assert_eq!(of(0), [0.0, 0.5, 0.25, 0.125, 0.0625]);
    assert_eq!(of(1), [0.0, 0.0, 0.0, 0.5, 0.25]);
}

#[test]
fn a_delay_is_out_of_reach_of_its_source() {
    // What only a Delay reaches has no depth, so a cycle behind it is late
    // on all edges.
    let net = neurons("a b").delay("d", &[1.0]).wire(&["in d a b a"]);
    assert_eq!(previous_at_1(&net), ["a>b", "b>a"]);
    let net = neurons("a b").delay("d", &[0.0]).wire(&["in d a b a"]);
    assert_eq!(previous_at_1(&net), ["b>a"]);
}

#[test]
fn a_delay_of_a_step_needs_no_neuron_in_its_cycle() {
    let net = |delay| {
        Net::default()
            .input("in", 1)
            .delay("d", &[delay])
            .scale("s", &[0.5])
            .output("out", 1)
            .wire(&["in s d s", "s out"])
    };
    let semantics = profile(Profile::Nir, 1.0);
    // y(t) = (x(t) + y(t - 2)) / 2
    let sent = net(2.0).sends(&semantics, &[8.0, 0.0, 0.0, 0.0, 2.0], "s");
    assert_eq!(sent, [4.0, 0.0, 2.0, 0.0, 2.0]);
    let errors = Golden::new(&net(0.0).0, &semantics).expect_err("a loop").0;
    assert_eq!(errors[0].code, Code::AlgebraicLoop);
    assert_eq!(errors[0].notes[0], "cycle: 'd' -> 's' -> 'd'");
}

#[test]
fn a_delay_reads_through_a_flatten_that_comes_later() {
    let net = Net::default()
        .input("in", 1)
        .delay("d", &[1.0])
        .scale("s", &[0.5])
        .flatten("f", 1)
        .output("out", 1)
        .wire(&["in s f d s", "f out"]);
    let sent = net.sends(&profile(Profile::Nir, 1.0), &[8.0, 0.0, 0.0], "f");
    assert_eq!(sent, [4.0, 2.0, 1.0]);
}
