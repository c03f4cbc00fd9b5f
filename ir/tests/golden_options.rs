//! Each option told apart from its neighbours, on networks small enough to
//! compute by hand.

mod golden_support;

use golden_support::{Net, profile, series};
use ir::golden::Golden;
use ir::semantics::{
    Bias, Compare, EdgeDelay, Hold, IfGain, Integrator, Profile, RecurrentBiasT0, Reset, Semantics,
    TimeUnit, VFloor,
};
use ir::{Code, Observable, Severity};

/// tau 2 s and dt 1 s: forward Euler halves v and adds half of the input.
fn base() -> Semantics {
    profile(Profile::Nir, 1.0)
}
fn one_lif(threshold: f64, v_leak: f64, v_reset: Option<f64>) -> Net {
    Net::default()
        .input("in", 1)
        .lif_with("n", 2.0, threshold, v_leak, v_reset)
        .output("out", 1)
        .wire(&["in n out"])
}
fn one_if(threshold: f64) -> Net {
    Net::default()
        .input("in", 1)
        .integrator("n", threshold)
        .output("out", 1)
        .wire(&["in n out"])
}

#[test]
fn integrators() {
    let e = (-0.5f64).exp();
    for (integrator, decay, gain) in [
        (Integrator::ForwardEuler, 0.5, 0.5),
        (Integrator::ExpEuler, e, 1.0 - e),
        (Integrator::ExpImpulse, e, 0.5),
    ] {
        let semantics = Semantics {
            integrator,
            ..base()
        };
        let (_, v) = one_lif(100.0, 8.0, None).run(&semantics, &[4.0, 0.0], "n");
        let leak = (1.0 - decay) * 8.0;
        let first = gain * 4.0 + leak;
        assert!((v[0] - first).abs() < 1e-12, "{integrator}: {}", v[0]);
        assert!(
            (v[1] - (decay * first + leak)).abs() < 1e-12,
            "{integrator}"
        );
    }
}

#[test]
fn resets() {
    // Input 8: v goes to 4 in step 0, above the threshold 3.
    for (reset, spikes, v) in [
        (Reset::VReset, [1.0, 0.0], [0.5, 0.25]),
        (Reset::Zero, [1.0, 0.0], [0.0, 0.0]),
        (Reset::Subtract, [1.0, 0.0], [1.5, 0.75]),
        // The threshold leaves one step late and undecayed: 4/2 - 3.
        (Reset::SnntorchSubtract, [1.0, 0.0], [4.0, -1.0]),
        (Reset::MultiSubtract, [1.0, 0.0], [1.0, 0.5]),
        (Reset::None, [1.0, 0.0], [4.0, 2.0]),
    ] {
        let semantics = Semantics { reset, ..base() };
        let net = one_lif(3.0, 0.0, Some(0.5));
        assert_eq!(
            net.run(&semantics, &[8.0, 0.0], "n"),
            (spikes.to_vec(), v.to_vec()),
            "{reset}"
        );
    }
}

#[test]
fn pending_reset_differs_from_subtraction() {
    let input = [8.0, 9.0, 0.0];
    let sent = |reset| one_lif(3.0, 0.0, None).run(&Semantics { reset, ..base() }, &input, "n");
    // subtract: 4 -> 1; 0.5 + 4.5 = 5 -> 2; 1.   pending: 4; 2 + 4.5 - 3 = 3.5; 1.75 - 3
    assert_eq!(
        sent(Reset::Subtract),
        (vec![1.0, 1.0, 0.0], vec![1.0, 2.0, 1.0])
    );
    assert_eq!(
        sent(Reset::SnntorchSubtract),
        (vec![1.0, 1.0, 0.0], vec![4.0, 3.5, -1.25])
    );
}

#[test]
fn several_spikes_in_a_step() {
    let sinabs = Profile::Sinabs.semantics();
    assert_eq!(
        one_if(2.0).run(&sinabs, &[7.0, 1.0, -9.0], "n"),
        (vec![3.0, 1.0, 0.0], vec![1.0, 0.0, -2.0])
    );
    // Strictly above: at exactly three thresholds the third spike waits.
    let strict = Semantics {
        compare: Compare::Gt,
        ..sinabs
    };
    assert_eq!(
        one_if(2.0).run(&strict, &[6.0], "n"),
        (vec![2.0], vec![2.0])
    );
}

#[test]
fn comparison() {
    for (compare, spike) in [(Compare::Gt, 0.0), (Compare::Ge, 1.0)] {
        let semantics = Semantics { compare, ..base() };
        assert_eq!(
            one_lif(2.0, 0.0, None).run(&semantics, &[4.0], "n").0,
            [spike]
        );
    }
}

#[test]
fn spyx_decides_on_the_old_membrane() {
    let spyx = profile(Profile::Spyx, 1.0);
    // v: 4; then z = (4 > 3), v = 2 + 1 - 3 = 0.
    assert_eq!(
        one_lif(3.0, 0.0, None).run(&spyx, &[8.0, 2.0, 0.0], "n"),
        (vec![0.0, 1.0, 0.0], vec![4.0, 0.0, 0.0])
    );
}

#[test]
fn spyx_feeds_back_what_it_sends_in_the_same_step() {
    let spyx = profile(Profile::Spyx, 1.0);
    // v: 4; z = 1, v = 2 + (0 + 1)/2 - 3 = -0.5; then -0.25.
    assert_eq!(
        recurrent(0.0).run(&spyx, &[8.0, 0.0, 0.0], "n"),
        (vec![0.0, 1.0, 0.0], vec![4.0, -0.5, -0.25])
    );
    // A CubaLIF loses its threshold before it decays: z = 1, v = (4 - 3)/2 + i/2.
    let net = Net::default()
        .input("in", 1)
        .cuba("n", [4.0, 2.0], 4.0, 3.0)
        .linear("rec", &[&[2.0]])
        .output("out", 1)
        .wire(&["in n out", "n rec n"]);
    // i: 8; 6 + 2; 6 + 2.
    assert_eq!(
        net.run(&spyx, &[8.0, 0.0, 0.0], "n"),
        (vec![0.0, 1.0, 1.0], vec![4.0, 4.5, 4.75])
    );
    // That is an immediate reset whose spikes leave one step late.
    let new = Semantics {
        reset: Reset::Subtract,
        ..base()
    };
    let input = [8.0, -30.0, 3.0, 1.0, 40.0, 0.0, -9.0];
    let (early, _) = net.run(&new, &input, "n");
    let (late, _) = net.run(&spyx, &input, "n");
    assert_eq!(late[1..], early[..6]);
    assert!(early.contains(&1.0) && early.contains(&0.0));
}

/// A LIF that feeds itself with weight 1, threshold 3.
fn recurrent(bias: f64) -> Net {
    Net::default()
        .input("in", 1)
        .lif("n", 2.0, 3.0)
        .affine("rec", &[&[1.0]], &[bias])
        .output("out", 1)
        .wire(&["in n out", "n rec n"])
}

#[test]
fn hold_loses_the_step_after_a_spike() {
    let input = [8.0, 2.0, 2.0];
    let free = Semantics {
        reset: Reset::Zero,
        ..base()
    };
    let held = Semantics {
        hold: Hold::Auto,
        ..free.clone()
    };
    // Free: 4 -> 0; (2 + 1)/2 = 1.5; 0.75 + 1. Held: 0 in step 1, then 1.
    assert_eq!(recurrent(0.0).run(&free, &input, "n").1, [0.0, 1.5, 1.75]);
    assert_eq!(recurrent(0.0).run(&held, &input, "n").1, [0.0, 0.0, 1.0]);
    // A plain LIF isn't held by auto, but is by on.
    let plain = one_lif(3.0, 0.0, None);
    assert_eq!(plain.run(&held, &input, "n").1, [0.0, 1.0, 1.5]);
    let on = Semantics {
        hold: Hold::On,
        ..free
    };
    assert_eq!(plain.run(&on, &input, "n").1, [0.0, 0.0, 1.0]);
}

#[test]
fn auto_hold_needs_a_zero_reset_and_a_stateless_way_back() {
    let auto = Semantics {
        hold: Hold::Auto,
        ..base()
    };
    let holds = |net: &Net, semantics: &Semantics| {
        Golden::new(&net.0, semantics)
            .expect("valid")
            .holds(net.id("n"))
    };
    assert!(holds(&recurrent(0.0), &auto), "v_reset is absent, so zero");
    let subtract = Semantics {
        reset: Reset::Subtract,
        ..auto.clone()
    };
    assert!(!holds(&recurrent(0.0), &subtract));
    let through_another = Net::default()
        .input("in", 1)
        .lif("n", 2.0, 3.0)
        .lif("m", 2.0, 3.0)
        .wire(&["in n m n"]);
    assert!(!holds(&through_another, &auto));
}

#[test]
fn if_gain() {
    let semantics = profile(Profile::Nir, 0.25);
    assert_eq!(one_if(9.0).run(&semantics, &[4.0], "n").1, [1.0]);
    let unit = Semantics {
        if_gain: IfGain::Unit,
        dt: None,
        ..semantics
    };
    assert_eq!(one_if(9.0).run(&unit, &[4.0], "n").1, [4.0]);
}

#[test]
fn time_units() {
    let ms = Semantics {
        dt: Some(1e-3),
        time_unit: TimeUnit::Milliseconds,
        ..base()
    };
    assert_eq!(one_lif(9.0, 0.0, None).run(&ms, &[4.0], "n").1, [2.0]);
    let steps = Semantics {
        dt: None,
        time_unit: TimeUnit::Steps,
        ..base()
    };
    assert_eq!(one_lif(9.0, 0.0, None).run(&steps, &[4.0], "n").1, [2.0]);
}

#[test]
fn v_floor_is_for_if_only() {
    let floor = Semantics {
        v_floor: VFloor::NegThreshold,
        ..base()
    };
    assert_eq!(one_if(2.0).run(&floor, &[-5.0, 1.0], "n").1, [-2.0, -1.0]);
    assert_eq!(one_if(2.0).run(&base(), &[-5.0, 1.0], "n").1, [-5.0, -4.0]);
    assert_eq!(one_lif(2.0, 0.0, None).run(&floor, &[-8.0], "n").1, [-4.0]);
}

#[test]
fn recurrent_bias_in_step_0() {
    let on = base();
    let off = Semantics {
        recurrent_bias_t0: RecurrentBiasT0::Off,
        ..base()
    };
    assert_eq!(recurrent(2.0).run(&on, &[0.0, 0.0], "n").1, [1.0, 1.5]);
    assert_eq!(recurrent(2.0).run(&off, &[0.0, 0.0], "n").1, [0.0, 1.0]);
    // A membrane offset is constant from step 0 on.
    let offset = Semantics {
        bias: Bias::Membrane,
        ..off.clone()
    };
    assert_eq!(recurrent(2.0).run(&offset, &[0.0, 0.0], "n").1, [1.0, 1.5]);
    // A bias that the input drives is not recurrent.
    let forward = Net::default()
        .input("in", 1)
        .affine("fc", &[&[1.0]], &[2.0])
        .lif("n", 2.0, 3.0)
        .output("out", 1)
        .wire(&["in fc n out", "n n"]);
    assert_eq!(forward.run(&off, &[0.0], "n").1, [1.0]);
}

#[test]
fn edge_delay_shifts_each_layer() {
    let net = Net::default()
        .input("in", 1)
        .affine("fc1", &[&[4.0]], &[0.5])
        .lif("a", 2.0, 1.0)
        .flatten("flat", 1)
        .linear("fc2", &[&[4.0]])
        .lif("b", 2.0, 1.0)
        .output("out", 1)
        .output("direct", 1)
        .wire(&["in fc1 a flat fc2 b out", "in direct"]);
    let input = [1.0, 0.0, 0.0, 0.0];
    let none = Semantics {
        reset: Reset::Zero,
        ..base()
    };
    let chip = Semantics {
        edge_delay: EdgeDelay::Chip,
        ..none.clone()
    };
    assert_eq!(net.sends(&none, &input, "a"), [1.0, 0.0, 0.0, 0.0]);
    assert_eq!(net.sends(&none, &input, "b"), [1.0, 0.0, 0.0, 0.0]);
    assert_eq!(net.sends(&chip, &input, "a"), [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(net.sends(&chip, &input, "flat"), [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(net.sends(&chip, &input, "b"), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!(
        net.sends(&chip, &input, "direct"),
        input,
        "an output adds no delay"
    );
    // The bias acts from step 0 all the same.
    assert_eq!(net.run(&chip, &input, "a").1[0], 0.25);
    let golden = Golden::new(&net.0, &chip).expect("valid");
    let latency = |name| golden.latency(net.id(name));
    assert_eq!(
        ["in", "fc1", "a", "flat", "b", "out", "direct"].map(latency),
        [0, 1, 1, 1, 2, 2, 0]
    );
    assert_eq!(
        Golden::new(&net.0, &none)
            .expect("valid")
            .latency(net.id("out")),
        0
    );
}

#[test]
fn a_recurrent_edge_costs_one_step_under_either_delay() {
    let none = Semantics {
        reset: Reset::Zero,
        ..base()
    };
    let chip = Semantics {
        edge_delay: EdgeDelay::Chip,
        ..none.clone()
    };
    let (_, v) = recurrent(0.0).run(&none, &[8.0, 0.0, 0.0], "n");
    let (_, late) = recurrent(0.0).run(&chip, &[8.0, 0.0, 0.0, 0.0], "n");
    assert_eq!(v, [0.0, 0.5, 0.25]);
    assert_eq!(late, [0.0, 0.0, 0.5, 0.25]);
}

#[test]
fn edges_add_up_and_inputs_may_skip() {
    let net = Net::default()
        .input("in", 1)
        .input("other", 1)
        .scale("s", &[3.0])
        .flatten("f", 1)
        .flatten("g", 1)
        .output("out", 1)
        .output("copy", 1)
        .wire(&[
            "in s out",
            "in out",
            "other out",
            "in f out",
            "f g out",
            "other copy",
        ]);
    let golden = Golden::new(&net.0, &Profile::Nir.semantics()).expect("no dt is needed");
    let traces = golden
        .run(
            &[series(&[1.0, 2.0]), series(&[10.0, 0.0])],
            &[(net.id("g"), Observable::Spikes)],
        )
        .expect("it runs");
    // in through s (3), straight (1), f (1) and f-g (1), and other (1).
    assert_eq!(traces.outputs[0].1.data, [16.0, 12.0]);
    assert_eq!(traces.outputs[1].1.data, [10.0, 0.0]);
    assert_eq!(traces.recorded[0].2.data, [1.0, 2.0]);
}

#[test]
fn state_goes_on_across_runs() {
    let net = recurrent(1.0);
    let semantics = profile(Profile::Norse, 1.0);
    let golden = Golden::new(&net.0, &semantics).expect("valid");
    let record = [(net.id("n"), Observable::V)];
    let input = [8.0, 2.0, 0.0, 3.0];
    let whole = golden.run(&[series(&input)], &record).expect("runs");
    let mut state = golden.start();
    let mut parts = Vec::new();
    for part in [&input[..1], &input[1..2], &input[2..]] {
        let traces = golden.run_from(&mut state, &[series(part)], part.len(), &record);
        parts.extend(traces.expect("runs").recorded[0].2.data.clone());
    }
    assert_eq!(parts, whole.recorded[0].2.data);
    // A short input is zero after its end.
    let longer = golden.run_from(&mut golden.start(), &[series(&input[..1])], 3, &record);
    assert_eq!(longer.expect("runs").outputs[0].1.steps, 3);
}

#[test]
fn missing_dt_names_nodes_and_a_value() {
    let net = Net::default()
        .input("in", 1)
        .lif("fast\u{7}", 2.5e-3, 1.0)
        .lif("slow", 20e-3, 1.0)
        .wire(&["in fast\u{7} slow"]);
    let error = Golden::new(&net.0, &Profile::Norse.semantics())
        .expect_err("dt is missing")
        .0;
    assert_eq!(error[0].code, Code::DtMissing);
    assert!(
        error[0]
            .message
            .starts_with("'fast\\u{7}' (LIF), 'slow' (LIF) need dt"),
        "{}",
        error[0]
    );
    assert!(
        error[0]
            .help
            .as_deref()
            .is_some_and(|h| h.contains("--dt 1e-4")),
        "{}",
        error[0]
    );
    assert!(error[0].to_string().contains("Norse"));
    // An IF alone needs it only for literal NIR.
    let error = Golden::new(&one_if(1.0).0, &Profile::Nir.semantics())
        .expect_err("dt is missing")
        .0;
    assert!(
        error[0]
            .help
            .as_deref()
            .is_some_and(|h| h.contains("--if-gain unit")),
        "{}",
        error[0]
    );
    assert!(Golden::new(&one_if(1.0).0, &Profile::Norse.semantics()).is_ok());
}

#[test]
fn implausible_dt_warns() {
    let warned = |dt| {
        let golden = Golden::new(&one_lif(1.0, 0.0, None).0, &profile(Profile::Nir, dt));
        golden.expect("valid").warnings().to_vec()
    };
    assert!(warned(0.1).is_empty());
    let warnings = warned(20.0);
    assert_eq!((warnings.len(), warnings[0].code), (1, Code::DtImplausible));
    assert_eq!(warnings[0].severity, Severity::Warning);
    assert!(
        warnings[0].to_string().contains("20 s / 2 s = 10"),
        "{}",
        warnings[0]
    );
    assert_eq!(warned(2.0).len(), 1, "the interval is open");
}

#[test]
fn impossible_parameters() {
    let refused = |net: &Net, semantics: &Semantics| {
        Golden::new(&net.0, semantics)
            .map(|_| ())
            .expect_err("refused")
            .0[0]
            .code
    };
    let tau = |tau| {
        Net::default()
            .input("in", 1)
            .lif("n", tau, 1.0)
            .wire(&["in n"])
    };
    assert_eq!(refused(&tau(0.0), &base()), Code::BadParameter);
    assert_eq!(refused(&tau(f64::NAN), &base()), Code::BadParameter);
    assert_eq!(
        refused(&one_if(0.0), &Profile::Sinabs.semantics()),
        Code::BadParameter
    );
    assert_eq!(
        refused(&one_lif(1.0, 0.0, None), &profile(Profile::Nir, -1.0)),
        Code::BadParameter
    );
    let narrow = Net::default()
        .input("in", 2)
        .lif("n", 1.0, 1.0)
        .wire(&["in n"]);
    assert_eq!(refused(&narrow, &base()), Code::Shape);
    let backward = one_lif(1.0, 0.0, None).wire(&["n in"]);
    assert_eq!(refused(&backward, &base()), Code::GraphUnsupported);
}

#[test]
fn wrong_inputs_and_records() {
    let net = one_lif(1.0, 0.0, None);
    let golden = Golden::new(&net.0, &base()).expect("valid");
    let code = |r: ir::diag::Result<ir::golden::Traces>| r.expect_err("refused").0[0].code;
    assert_eq!(code(golden.run(&[], &[])), Code::InputData);
    let mut wide = series(&[1.0, 2.0]);
    wide.width = 2;
    assert_eq!(code(golden.run(&[wide], &[])), Code::InputData);
    let v_of_input = [(net.id("in"), Observable::V)];
    assert_eq!(
        code(golden.run(&[series(&[1.0])], &v_of_input)),
        Code::RecordUnknown
    );
    let current = [(net.id("n"), Observable::I)];
    assert_eq!(
        code(golden.run(&[series(&[1.0])], &current)),
        Code::RecordUnknown
    );
}

#[test]
fn unused_options() {
    let unused = |net: &Net, semantics: &Semantics| {
        Golden::new(&net.0, semantics)
            .expect("valid")
            .unused_options()
    };
    let never = ["--syn-gain", "--syn-decay"];
    assert_eq!(
        unused(&one_lif(1.0, 0.0, None), &base()),
        [
            &["--hold-after-spike"],
            &never[..],
            &["--if-gain", "--recurrent-bias-t0", "--bias", "--v-floor"]
        ]
        .concat()
    );
    assert_eq!(
        unused(&recurrent(1.0), &base()),
        [&never[..], &["--if-gain", "--bias", "--v-floor"]].concat()
    );
    assert_eq!(
        unused(&one_if(1.0), &Profile::Norse.semantics()),
        [
            &["--dt", "--time-unit", "--integrator", "--hold-after-spike"],
            &never[..],
            &["--recurrent-bias-t0", "--bias"]
        ]
        .concat()
    );
}

#[test]
fn every_profile_runs() {
    for &name in Profile::ALL {
        let (z, _) = recurrent(0.5).run(&profile(name, 1.0), &[9.0; 8], "n");
        assert!(z.iter().sum::<f64>() > 0.0, "{name}");
    }
}
