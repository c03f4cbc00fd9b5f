use super::*;
use ir::Origin;
use ir::app::{AtomOrder, Sends};
use ir::code::Code;
use ir::semantics::{Compare, Profile};
use ir::tensor::Shape;

fn neuron(kind: NeuronKind) -> ContinuousNeuron {
    let some = |v| Some(Param::uniform(v));
    ContinuousNeuron {
        kind,
        tau: some(4.0),
        tau_syn: None,
        w_in: None,
        r: some(2.0),
        v_leak: some(0.5),
        v_threshold: some(1.0),
        v_reset: some(0.25),
        bias: Constant::always(Param::per_atom(vec![0.0, 1.0])),
        hold: false,
    }
}

fn lif(tau: f64) -> ContinuousNeuron {
    ContinuousNeuron {
        tau: Some(Param::uniform(tau)),
        ..neuron(NeuronKind::Lif)
    }
}

fn cuba() -> ContinuousNeuron {
    ContinuousNeuron {
        tau_syn: Some(Param::uniform(2.0)),
        w_in: Some(Param::uniform(3.0)),
        ..neuron(NeuronKind::CubaLif)
    }
}

fn graph(neuron: ContinuousNeuron) -> AppGraph {
    let mut app = AppGraph::default();
    app.populations.push(Population {
        name: "hid".into(),
        shape: Shape::of(&[2]),
        model: Model::Neuron(Neuron::Continuous(neuron)),
        sends: Sends::Spikes,
        order: AtomOrder::RowMajor,
        timing: None,
        accumulator: None,
        record: vec![],
        origin: Origin::Compiler,
    });
    app
}

fn run(neuron: ContinuousNeuron, semantics: &Semantics) -> (DiscreteNeuron, Vec<Diagnostic>) {
    let mut app = graph(neuron);
    let warnings = discretise(&mut app, semantics).expect("discretises");
    let pop = app.population_named("hid").expect("there");
    (discrete(&app, pop).expect("discrete").clone(), warnings)
}

fn with_dt(dt: f64) -> Semantics {
    Semantics {
        dt: Some(dt),
        ..Profile::Nir.semantics()
    }
}

fn at(constant: &Constant, step: u64) -> Vec<f64> {
    let param = constant.at_step(step);
    param.map_or(vec![0.0; 2], |p| vec![p.at(0), p.at(1)])
}

fn fire(neuron: &DiscreteNeuron) -> &Fire {
    neuron.fire.as_ref().expect("spikes")
}

#[test]
fn forward_euler_by_hand() {
    let (n, warnings) = run(lif(4.0), &with_dt(1.0));
    assert!(warnings.is_empty());
    assert_eq!(n.membrane, Membrane::Leaky(Param::uniform(0.75)));
    assert_eq!(n.gain.as_uniform(), Some(0.5));
    assert_eq!(at(&n.offset, 0), [0.125, 0.625]);
    assert_eq!(fire(&n).reset, ResetRule::To(Param::uniform(0.25)));
}

#[test]
fn the_exponential_integrators_differ_in_the_gain_only() {
    let s = |integrator| Semantics {
        integrator,
        reset: Reset::Subtract,
        ..with_dt(1.0)
    };
    let (euler, _) = run(lif(4.0), &s(Integrator::ExpEuler));
    let (impulse, _) = run(lif(4.0), &s(Integrator::ExpImpulse));
    assert_eq!(euler.membrane, impulse.membrane);
    let share = 1.0 - (-0.25f64).exp();
    assert!((euler.gain.at(0) - 2.0 * share).abs() < 1e-15);
    assert_eq!(impulse.gain.at(0), 0.5);
    assert_eq!(
        fire(&euler).reset,
        ResetRule::Subtract(Param::uniform(0.75))
    );
}

#[test]
fn a_current_has_its_own_decay_gain_and_bias() {
    let (n, _) = run(cuba(), &with_dt(1.0));
    let synapse = n.synapse.as_ref().expect("a synapse");
    assert_eq!(synapse.decay.as_uniform(), Some(0.5));
    assert_eq!(synapse.drive.as_uniform(), Some(0.5));
    assert_eq!(n.gain.as_uniform(), Some(1.5));
    assert_eq!(at(&synapse.offset, 0), [0.0, 1.5]);
    assert_eq!(at(&n.offset, 0), [0.125, 0.125]);

    let unit = Semantics {
        syn_gain: SynGain::Unit,
        syn_decay: SynDecay::After,
        ..with_dt(1.0)
    };
    let (n, _) = run(cuba(), &unit);
    assert_eq!(n.gain.as_uniform(), Some(1.0));
    assert!(n.synapse.expect("a synapse").after);
}

#[test]
fn a_membrane_bias_is_the_current_at_rest() {
    let s = Semantics {
        bias: Bias::Membrane,
        ..with_dt(1.0)
    };
    let (n, _) = run(cuba(), &s);
    assert!(n.synapse.expect("a synapse").offset.is_zero());
    // leak 0.125, and dt/tau_mem r w_in b = 0.25 * 2 * 3 * 1
    assert_eq!(at(&n.offset, 0), [0.125, 1.625]);
}

#[test]
fn a_bias_that_begins_late_keeps_its_steps() {
    let late = vec![
        (0, Param::uniform(0.0)),
        (3, Param::per_atom(vec![1.0, 2.0])),
    ];
    let neuron = ContinuousNeuron {
        bias: Constant::new(late).expect("ascending"),
        ..lif(4.0)
    };
    let (n, _) = run(neuron, &with_dt(1.0));
    assert_eq!(at(&n.offset, 2), [0.125, 0.125]);
    assert_eq!(at(&n.offset, 3), [0.625, 1.125]);
}

#[test]
fn every_reset_hold_floor_and_judge_has_its_rule() {
    let rule = |reset| {
        let s = Semantics {
            reset,
            if_gain: IfGain::Unit,
            ..with_dt(1.0)
        };
        fire(&run(neuron(NeuronKind::If), &s).0).reset.clone()
    };
    let one = Param::uniform(1.0);
    assert_eq!(rule(Reset::Zero), ResetRule::To(Param::uniform(0.0)));
    assert_eq!(rule(Reset::SnntorchSubtract), ResetRule::Pending(one));
    assert_eq!(rule(Reset::MultiSubtract), ResetRule::Multi);
    assert_eq!(rule(Reset::None), ResetRule::Keep);

    let s = Semantics {
        v_floor: VFloor::NegThreshold,
        spike_on: SpikeOn::Old,
        reset: Reset::Subtract,
        ..with_dt(1.0)
    };
    let held = ContinuousNeuron {
        hold: true,
        ..neuron(NeuronKind::If)
    };
    let (n, _) = run(held, &s);
    assert_eq!(n.membrane, Membrane::Integrate);
    assert_eq!(fire(&n).floor, Some(Param::uniform(-1.0)));
    assert!(fire(&n).hold && fire(&n).judge == SpikeOn::Old);
    // The floor is a rule of IF alone.
    assert_eq!(fire(&run(lif(4.0), &s).0).floor, None);
}

#[test]
fn stateless_nodes_keep_nothing() {
    let s = Profile::Sinabs.semantics();
    let (n, _) = run(neuron(NeuronKind::Threshold), &s);
    assert_eq!(n.membrane, Membrane::Fresh);
    assert_eq!(fire(&n).compare, Compare::Ge);
    assert_eq!(at(&n.offset, 0), [0.0, 1.0]);
    let (n, _) = run(neuron(NeuronKind::Linear), &s);
    assert_eq!(n.fire, None);
}

#[test]
fn multiple_spikes_need_a_threshold_above_zero() {
    let s = Semantics {
        reset: Reset::MultiSubtract,
        ..with_dt(1.0)
    };
    let flat = ContinuousNeuron {
        v_threshold: Some(Param::uniform(0.0)),
        ..lif(4.0)
    };
    let error = discretise(&mut graph(flat), &s).expect_err("threshold 0");
    assert_eq!(error.0[0].code, Code::BadParameter);
}

#[test]
fn a_missing_dt_names_a_plausible_value() {
    let error = discretise(&mut graph(lif(0.0025)), &Profile::Nir.semantics());
    let error = error.expect_err("no dt");
    assert_eq!(error.0[0].code, Code::DtMissing);
    assert!(error.to_string().contains("1e-4"), "{error}");
}

#[test]
fn a_step_longer_than_either_tau_warns() {
    let (_, warnings) = run(lif(0.5), &with_dt(1.0));
    assert_eq!(warnings[0].code, Code::DtImplausible);
    let (_, warnings) = run(cuba(), &with_dt(3.0));
    assert!(warnings[0].message.contains("tau_syn"), "{warnings:?}");
}

#[test]
fn old_membranes_decide_early_where_a_rule_resets_the_next_one() {
    let s = |reset| Semantics {
        reset,
        spike_on: SpikeOn::Old,
        ..with_dt(1.0)
    };
    let (n, _) = run(lif(4.0), &s(Reset::Subtract));
    assert_eq!(fire(&n).judge, SpikeOn::New);
    assert_eq!(fire(&n).reset, ResetRule::Pending(Param::uniform(0.75)));
    let (n, _) = run(lif(4.0), &s(Reset::Zero));
    assert!(fire(&n).hold && fire(&n).reset == ResetRule::Keep);
    let (n, _) = run(cuba(), &s(Reset::Subtract));
    assert_eq!(fire(&n).reset, ResetRule::Subtract(Param::uniform(0.75)));
    // A reset to a value other than 0 has no such rule.
    let (n, _) = run(lif(4.0), &s(Reset::VReset));
    assert_eq!(fire(&n).judge, SpikeOn::Old);
}
