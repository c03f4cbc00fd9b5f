//! Synapses, graded neurons, Threshold and Delay by hand, each option told
//! from its neighbours.

mod golden_support;

use golden_support::{Net, profile, series};
use ir::golden::{Golden, delay_steps, silent};
use ir::network::Op;
use ir::semantics::{
    Bias, Compare, EdgeDelay, Hold, IfGain, Integrator, Profile, Reset, Semantics, SynDecay,
    SynGain, VFloor,
};
use ir::{Code, NodeId, Observable, Series, Tensor};
use std::collections::BTreeMap;

/// dt 1 s and every time constant 2 or 4 s.
fn base() -> Semantics {
    profile(Profile::Nir, 1.0)
}

fn one_cuba(w_in: f64, threshold: f64) -> Net {
    Net::default()
        .input("in", 1)
        .cuba("n", [4.0, 2.0], w_in, threshold)
        .output("out", 1)
        .wire(&["in n out"])
}

/// Spikes, membrane and current of node `n`.
fn traces(net: &Net, semantics: &Semantics, input: &[f64]) -> [Vec<f64>; 3] {
    let golden = Golden::new(&net.0, semantics).expect("valid");
    let n = net.id("n");
    let record = [Observable::Spikes, Observable::V, Observable::I].map(|what| (n, what));
    let traces = golden.run(&[series(input)], &record).expect("runs");
    [0, 1, 2].map(|i| traces.recorded[i].2.data.clone())
}

fn close(found: &[f64], wanted: &[f64], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (f, w) in found.iter().zip(wanted) {
        assert!((f - w).abs() < 1e-12, "{what}: {found:?} {wanted:?}");
    }
}

#[test]
fn the_membrane_takes_the_new_current() {
    // i: 8 * 3/4 = 6, 4.5; v: 6/2 = 3, 1.5 + 2.25.
    let [_, v, i] = traces(&one_cuba(3.0, 100.0), &base(), &[8.0, 0.0]);
    assert_eq!((i, v), (vec![6.0, 4.5], vec![3.0, 3.75]));
}

#[test]
fn the_synapse_by_integrator_gain_and_order() {
    let (w_in, x) = (3.0, 8.0);
    let (es, em) = ((-0.25f64).exp(), (-0.5f64).exp());
    for (integrator, decay, gain, membrane) in [
        (Integrator::ForwardEuler, 0.75, 0.25 * w_in, (0.5, 0.5)),
        (Integrator::ExpEuler, es, (1.0 - es) * w_in, (em, 1.0 - em)),
        (Integrator::ExpImpulse, es, 0.25 * w_in, (em, 0.5)),
    ] {
        for (syn_gain, gain) in [(SynGain::File, gain), (SynGain::Unit, 1.0)] {
            for (syn_decay, factor) in [(SynDecay::Before, 1.0), (SynDecay::After, decay)] {
                let semantics = Semantics {
                    integrator,
                    syn_gain,
                    syn_decay,
                    ..base()
                };
                let what = format!("{integrator} {syn_gain} {syn_decay}");
                let [_, v, i] = traces(&one_cuba(w_in, 1e9), &semantics, &[x, x]);
                let i0 = factor * gain * x;
                let i1 = decay * i0 + factor * gain * x;
                close(&i, &[i0, i1], &what);
                let v0 = membrane.1 * i0;
                close(&v, &[v0, membrane.0 * v0 + membrane.1 * i1], &what);
            }
        }
    }
}

#[test]
fn parameters_of_cubalif() {
    // Two neurons with everything but tau_syn their own.
    let vector = |a: f64, b: f64| Tensor::vector(vec![a, b]);
    let op = Op::CubaLif {
        tau_syn: Tensor::scalar(2.0),
        tau_mem: vector(2.0, 4.0),
        r: vector(1.0, 3.0),
        v_leak: vector(0.0, 8.0),
        v_threshold: vector(1.5, 7.0),
        v_reset: Some(vector(0.5, -1.0)),
        w_in: vector(1.0, 2.0),
    };
    let net = Net::default()
        .input("in", 2)
        .node("n", 2, 2, op)
        .output("out", 2)
        .wire(&["in n out"]);
    let golden = Golden::new(&net.0, &base()).expect("valid");
    let input = Series {
        steps: 2,
        width: 2,
        data: vec![8.0, 8.0, 0.0, 0.0],
    };
    let n = net.id("n");
    let traces = golden
        .run(&[input], &[(n, Observable::V), (n, Observable::I)])
        .expect("runs");
    // i: 4, 8 then 2, 4. v0: 2 > 1.5 -> 0.5; (8 + 24)/4 = 8 > 7 -> -1.
    // v1: 0.25 + 1 stays; -1 + (8 + 1 + 12)/4 = 4.25 stays.
    assert_eq!(traces.outputs[0].1.data, [1.0, 1.0, 0.0, 0.0]);
    assert_eq!(traces.recorded[0].2.data, [0.5, -1.0, 1.25, 4.25]);
    assert_eq!(traces.recorded[1].2.data, [4.0, 8.0, 2.0, 4.0]);
    assert_eq!(traces.spikes, [(n, 2)]);
}

#[test]
fn graded_neurons_send_their_membrane() {
    let cases = [
        (
            Op::Li {
                tau: Tensor::scalar(2.0),
                r: Tensor::scalar(3.0),
                v_leak: Tensor::scalar(4.0),
            },
            // (4 + 3 * 2)/2; half of that + 2
            [5.0, 4.5],
        ),
        (
            Op::CubaLi {
                tau_syn: Tensor::scalar(4.0),
                tau_mem: Tensor::scalar(2.0),
                r: Tensor::scalar(3.0),
                v_leak: Tensor::scalar(4.0),
                w_in: Tensor::scalar(2.0),
            },
            // i: 1, 0.75. (4 + 3)/2; 1.75 + (4 + 2.25)/2
            [3.5, 4.875],
        ),
        (
            Op::I {
                r: Tensor::scalar(3.0),
            },
            [6.0, 6.0],
        ),
    ];
    for (op, wanted) in cases {
        let kind = op.kind();
        let net = Net::default()
            .input("in", 1)
            .node("n", 1, 1, op)
            .output("out", 1)
            .wire(&["in n out"]);
        let (out, v) = net.run(&base(), &[2.0, 0.0], "n");
        assert_eq!(out, wanted, "{kind}");
        assert_eq!(v, wanted, "{kind}");
    }
}

#[test]
fn i_takes_its_gain_from_the_option() {
    let op = Op::I {
        r: Tensor::scalar(3.0),
    };
    let net = Net::default()
        .input("in", 1)
        .node("n", 1, 1, op)
        .output("out", 1)
        .wire(&["in n out"]);
    let dt = profile(Profile::Nir, 0.25);
    assert_eq!(net.run(&dt, &[2.0, 2.0], "n").0, [1.5, 3.0]);
    let unit = Semantics {
        dt: None,
        if_gain: IfGain::Unit,
        // No neuron of the graph spikes or is an IF.
        v_floor: VFloor::NegThreshold,
        reset: Reset::Zero,
        ..dt
    };
    assert_eq!(net.run(&unit, &[2.0, -9.0], "n").0, [6.0, -21.0]);
    let unused = Golden::new(&net.0, &unit).expect("valid").unused_options();
    for flag in ["--reset", "--v-floor", "--dt", "--compare", "--integrator"] {
        assert!(unused.contains(&flag), "{flag} changes nothing");
    }
    assert!(!unused.contains(&"--if-gain"));
}

#[test]
fn every_reset_of_a_cubalif() {
    // w_in = tau_syn/dt and i decays by 3/4: x = 8 gives i 8, v 4.
    for (reset, v) in [
        (Reset::VReset, [0.0, 3.0]),
        (Reset::Zero, [0.0, 3.0]),
        (Reset::Subtract, [1.0, 0.5]),
        (Reset::SnntorchSubtract, [4.0, 2.0]),
        (Reset::MultiSubtract, [1.0, 0.5]),
        (Reset::None, [4.0, 5.0]),
    ] {
        let semantics = Semantics { reset, ..base() };
        let [z, found, _] = traces(&one_cuba(4.0, 3.0), &semantics, &[8.0, 0.0]);
        // Step 1: i = 6 adds 3; subtract ends at 0.5 + 3 - 3, pending at 2 + 3 - 3.
        let second = match reset {
            Reset::VReset | Reset::Zero | Reset::SnntorchSubtract => 0.0,
            _ => 1.0,
        };
        assert_eq!(z, [1.0, second], "{reset}");
        assert_eq!(found, v, "{reset}");
    }
}

#[test]
fn a_held_cubalif_keeps_its_current() {
    let held = Semantics {
        hold: Hold::Auto,
        reset: Reset::Zero,
        ..base()
    };
    let [z, v, i] = traces(&one_cuba(4.0, 3.5), &held, &[8.0, 4.0, 0.0]);
    // i: 8, 10, 7.5; v: 4 spikes, then held, then 3.75 spikes.
    assert_eq!(i, [8.0, 10.0, 7.5]);
    assert_eq!(z, [1.0, 0.0, 1.0]);
    assert_eq!(v, [0.0, 0.0, 0.0]);
    let [z, ..] = traces(
        &one_cuba(4.0, 3.5),
        &Semantics {
            hold: Hold::Off,
            ..held.clone()
        },
        &[8.0, 4.0, 0.0],
    );
    assert_eq!(z, [1.0, 1.0, 1.0]);
    // auto holds nothing under another reset.
    let subtract = Semantics {
        reset: Reset::Subtract,
        ..held
    };
    let golden = Golden::new(&one_cuba(4.0, 3.5).0, &subtract).expect("valid");
    assert!(!golden.holds(one_cuba(4.0, 3.5).id("n")));
}

/// in -> affine (w 1, bias) -> scale 2 -> CubaLIF.
fn biased(bias: f64) -> Net {
    Net::default()
        .input("in", 1)
        .affine("fc", &[&[1.0]], &[bias])
        .scale("s", &[2.0])
        .cuba("n", [4.0, 2.0], 3.0, 100.0)
        .output("out", 1)
        .output("current", 1)
        .wire(&["in fc s n out", "s current"])
}

#[test]
fn a_membrane_bias_is_the_settled_current() {
    let membrane = |integrator, syn_gain, syn_decay| Semantics {
        bias: Bias::Membrane,
        integrator,
        syn_gain,
        syn_decay,
        ..base()
    };
    let euler = membrane(Integrator::ForwardEuler, SynGain::File, SynDecay::Before);
    // b = 2 * 5 at the neuron; v gains dt/tau_mem * w_in * b = 15 at once.
    let [_, v, i] = traces(&biased(5.0), &euler, &[0.0, 0.0]);
    assert_eq!((i, v), (vec![0.0, 0.0], vec![15.0, 22.5]));
    // What is recorded of stateless nodes still has the bias.
    assert_eq!(biased(5.0).sends(&euler, &[1.0], "s"), [12.0]);
    assert_eq!(biased(5.0).sends(&euler, &[1.0], "fc"), [6.0]);
    let golden = Golden::new(&biased(5.0).0, &euler).expect("valid");
    let out = golden.run(&[series(&[1.0])], &[]).expect("runs").outputs;
    assert_eq!(out[1].1.data, [12.0]);
    // Through the synapse the same bias takes its time, and settles there.
    let [_, v, _] = traces(&biased(5.0), &base(), &[0.0; 200]);
    assert_eq!(v[0], 0.5 * 0.25 * 3.0 * 10.0);
    let settled = v[199];
    for integrator in Integrator::ALL {
        for syn_gain in SynGain::ALL {
            for syn_decay in SynDecay::ALL {
                let option = membrane(*integrator, *syn_gain, *syn_decay);
                let synapse = Semantics {
                    bias: Bias::Synapse,
                    ..option.clone()
                };
                let [_, now, _] = traces(&biased(5.0), &option, &[0.0; 200]);
                let [_, late, _] = traces(&biased(5.0), &synapse, &[0.0; 200]);
                let what = format!("{integrator} {syn_gain} {syn_decay}");
                assert!((now[199] / late[199] - 1.0).abs() < 1e-12, "{what}");
                assert!(now[0] > late[0], "{what}");
            }
        }
    }
    assert!((settled - 30.0).abs() < 1e-9);
}

#[test]
fn a_membrane_bias_passes_delays_late() {
    let net = Net::default()
        .input("in", 1)
        .affine("fc", &[&[1.0]], &[2.0])
        .delay("d", &[2.0])
        .lif("n", 2.0, 100.0)
        .output("out", 1)
        .wire(&["in fc d n out"]);
    for bias in [Bias::Synapse, Bias::Membrane] {
        let semantics = Semantics { bias, ..base() };
        let (_, v) = net.run(&semantics, &[0.0; 4], "n");
        assert_eq!(v, [0.0, 0.0, 1.0, 1.5], "{bias}");
    }
}

#[test]
fn the_bias_option_matters_for_synapses_only() {
    let unused = |net: &Net| {
        let golden = Golden::new(&net.0, &base()).expect("valid");
        golden.unused_options().contains(&"--bias")
    };
    assert!(!unused(&biased(5.0)));
    assert!(unused(&one_cuba(1.0, 1.0)));
    let lif = Net::default()
        .input("in", 1)
        .affine("fc", &[&[1.0]], &[1.0])
        .lif("n", 2.0, 1.0)
        .cuba("m", [2.0, 2.0], 1.0, 1.0)
        .wire(&["in fc n m"]);
    assert!(unused(&lif), "the LIF stands between bias and synapse");
}

#[test]
fn threshold_compares_without_state() {
    let op = Op::Threshold {
        threshold: Tensor::scalar(2.0),
    };
    let net = Net::default()
        .input("in", 1)
        .affine("fc", &[&[1.0]], &[1.0])
        .node("t", 1, 1, op)
        .output("out", 1)
        .wire(&["in fc t out"]);
    let input = [0.5, 1.0, 1.5, 0.0, 9.0];
    for (compare, wanted) in [
        (Compare::Gt, [0.0, 0.0, 1.0, 0.0, 1.0]),
        (Compare::Ge, [0.0, 1.0, 1.0, 0.0, 1.0]),
    ] {
        for bias in [Bias::Synapse, Bias::Membrane] {
            let semantics = Semantics {
                compare,
                bias,
                dt: None,
                ..base()
            };
            assert_eq!(net.sends(&semantics, &input, "t"), wanted, "{compare}");
        }
    }
    let golden = Golden::new(&net.0, &base()).expect("valid");
    assert!(!golden.unused_options().contains(&"--compare"));
    assert!(golden.unused_options().contains(&"--reset"));
}

#[test]
fn delays_differ_by_element() {
    let net = |delays: &[f64]| {
        let n = delays.len();
        Net::default()
            .input("in", n)
            .delay("d", delays)
            .output("out", n)
            .wire(&["in d out"])
    };
    let run = |net: &Net, semantics: &Semantics, width: usize, steps: usize| {
        let golden = Golden::new(&net.0, semantics).expect("valid");
        let data = (0..steps).flat_map(|t| vec![1.0 + t as f64; width]);
        let input = Series {
            steps,
            width,
            data: data.collect(),
        };
        let out = golden.run(&[input], &[]).expect("runs").outputs;
        (0..width)
            .map(|i| {
                out[0]
                    .1
                    .data
                    .iter()
                    .skip(i)
                    .step_by(width)
                    .copied()
                    .collect()
            })
            .collect::<Vec<Vec<f64>>>()
    };
    // 1.4 -> 1, 2.5 -> 3 (half away from zero).
    let mixed = run(&net(&[0.0, 1.4, 2.5]), &base(), 3, 5);
    assert_eq!(mixed[0], [1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(mixed[1], [0.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!(mixed[2], [0.0, 0.0, 0.0, 1.0, 2.0]);
    // All at least one step: read ahead of the input, with the same result.
    let ahead = run(&net(&[1.0, 3.0]), &base(), 2, 5);
    assert_eq!(ahead[0], [0.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!(ahead[1], [0.0, 0.0, 0.0, 1.0, 2.0]);
    // On the chip the projection costs a step more.
    let chip = Semantics {
        edge_delay: EdgeDelay::Chip,
        ..base()
    };
    let late = run(&net(&[0.0, 2.0]), &chip, 2, 5);
    assert_eq!(late[0], [0.0, 1.0, 2.0, 3.0, 4.0]);
    assert_eq!(late[1], [0.0, 0.0, 0.0, 1.0, 2.0]);
    let golden = Golden::new(&net(&[0.0, 2.0]).0, &chip).expect("valid");
    assert_eq!(golden.latency(net(&[0.0, 2.0]).id("out")), 1);
}

#[test]
fn impossible_delays_and_missing_dt() {
    let net = |delay| {
        Net::default()
            .input("in", 1)
            .delay("d", &[delay])
            .wire(&["in d"])
    };
    let refused = |delay, semantics: &Semantics| {
        let error = Golden::new(&net(delay).0, semantics)
            .expect_err("refused")
            .0;
        (error[0].code, error[0].to_string())
    };
    for bad in [-1.0, f64::NAN, 1e300] {
        assert_eq!(refused(bad, &base()).0, Code::BadParameter, "{bad}");
    }
    let (code, text) = refused(3e-3, &Profile::Nir.semantics());
    assert_eq!(code, Code::DtMissing);
    assert!(text.contains("'d' (Delay) needs dt"), "{text}");
    assert!(text.contains("--dt 1e-3"), "{text}");
    let net = net(4.0);
    let Op::Delay { delay } = &net.0.nodes[net.id("d")].op else {
        panic!("a Delay");
    };
    let steps = delay_steps(&net.0.nodes[net.id("d")], delay, 1.5);
    assert_eq!(steps, Ok(vec![3]), "2.67 is nearest to 3");
}

#[test]
fn an_output_that_adds_up_is_a_population_of_its_own() {
    let chip = Semantics {
        edge_delay: EdgeDelay::Chip,
        ..base()
    };
    let net = Net::default()
        .input("in", 1)
        .input("also", 1)
        .output("one", 1)
        .output("both", 1)
        .wire(&["in one", "in both", "also both"]);
    let golden = Golden::new(&net.0, &chip).expect("valid");
    let input = [series(&[1.0, 2.0]), series(&[10.0, 20.0])];
    let out = golden.run(&input, &[]).expect("runs").outputs;
    assert_eq!(out[0].1.data, [1.0, 2.0]);
    assert_eq!(out[1].1.data, [0.0, 11.0]);
    assert_eq!(golden.latency(net.id("both")), 1);
}

#[test]
fn both_time_constants_are_checked() {
    let warned = |taus| {
        let net = Net::default()
            .input("in", 1)
            .cuba("n", taus, 1.0, 1.0)
            .wire(&["in n"]);
        let golden = Golden::new(&net.0, &base()).expect("valid");
        let all = golden.warnings().iter();
        all.map(|w| w.message.clone()).collect::<Vec<_>>()
    };
    assert!(warned([2.0, 2.0]).is_empty());
    assert_eq!(warned([0.5, 2.0]), ["dt does not fit tau_syn of 'n'"]);
    assert_eq!(warned([2.0, 0.5]), ["dt does not fit tau_mem of 'n'"]);
    let net = Net::default()
        .input("in", 1)
        .cuba("n", [0.0, 2.0], 1.0, 1.0)
        .wire(&["in n"]);
    let error = Golden::new(&net.0, &base()).expect_err("refused").0;
    assert_eq!(
        error[0].message,
        "tau_syn of 'n' must be above 0: element 0 is 0"
    );
}

/// Messages of what can't be reached with inputs of 0 or 1.
fn unreachable(net: &Net, semantics: &Semantics, bounded: bool) -> usize {
    let golden = Golden::new(&net.0, semantics).expect("valid");
    let inputs: BTreeMap<NodeId, (f64, f64)> = net
        .0
        .inputs()
        .into_iter()
        .map(|i| (i, (0.0, 1.0)))
        .collect();
    let none = BTreeMap::new();
    let found = golden.unreachable(&net.0, if bounded { &inputs } else { &none });
    assert!(found.iter().all(|d| d.code == Code::NoUpdate));
    found.len()
}

#[test]
fn thresholds_out_of_reach() {
    let net = |weight: f64, bias: f64, threshold: f64| {
        Net::default()
            .input("in", 1)
            .affine("fc", &[&[weight]], &[bias])
            .lif("n", 2.0, threshold)
            .wire(&["in fc n"])
    };
    // The membrane settles at the input, for forward Euler.
    assert_eq!(unreachable(&net(0.5, 0.4, 1.0), &base(), true), 1);
    assert_eq!(unreachable(&net(0.5, 0.4, 1.0), &base(), false), 0);
    assert_eq!(unreachable(&net(0.5, 0.6, 1.0), &base(), true), 0);
    assert_eq!(unreachable(&net(-5.0, 0.5, 1.0), &base(), true), 1);
    assert_eq!(unreachable(&net(-5.0, -9.0, -1.0), &base(), true), 0);
    // exp-impulse has the greater gain: 0.5 / (1 - e^-0.5) = 1.27.
    let impulse = Semantics {
        integrator: Integrator::ExpImpulse,
        ..base()
    };
    assert_eq!(unreachable(&net(0.5, 0.4, 1.0), &impulse, true), 0);
    // Recurrent spikes count, several at once have no bound.
    let looped = |weight: f64| {
        Net::default()
            .input("in", 1)
            .lif("n", 2.0, 1.5)
            .linear("w", &[&[weight]])
            .wire(&["in n w n"])
    };
    assert_eq!(unreachable(&looped(0.4), &base(), true), 1);
    assert_eq!(unreachable(&looped(0.6), &base(), true), 0);
    let multi = Semantics {
        reset: Reset::MultiSubtract,
        ..base()
    };
    assert_eq!(unreachable(&looped(0.4), &multi, true), 0);
    // A synapse: w_in 2 doubles what arrives.
    let cuba = |threshold| {
        Net::default()
            .input("in", 1)
            .cuba("n", [4.0, 2.0], 2.0, threshold)
            .wire(&["in n"])
    };
    assert_eq!(unreachable(&cuba(2.1), &base(), true), 1);
    assert_eq!(unreachable(&cuba(1.9), &base(), true), 0);
    // An IF without leak gets there in the end.
    let integrator = |weight: f64| {
        Net::default()
            .input("in", 1)
            .linear("fc", &[&[weight]])
            .integrator("n", 1.0)
            .wire(&["in fc n"])
    };
    assert_eq!(unreachable(&integrator(1e-3), &base(), true), 0);
    assert_eq!(unreachable(&integrator(-1.0), &base(), true), 1);
}

#[test]
fn silent_populations_are_named() {
    let net = Net::default()
        .input("in", 1)
        .lif("busy", 2.0, 1.0)
        .lif("quiet", 2.0, 9.0)
        .output("out", 1)
        .wire(&["in busy quiet out"]);
    let golden = Golden::new(&net.0, &base()).expect("valid");
    let traces = golden.run(&[series(&[4.0, 4.0, 4.0])], &[]).expect("runs");
    let found = silent(&net.0, &traces.spikes);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "'quiet' (LIF) never spiked in this run");
}
