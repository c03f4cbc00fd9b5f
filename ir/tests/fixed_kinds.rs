//! The fixed reference on every kind of neuron, by hand: one source, one
//! neuron, one weight.

use ir::app::{
    AppGraph, AtomOrder, Connector, Model, Population, Projection, Sends, Synapses, Timing,
};
use ir::fixed::{Fixed, Traces, accumulator_bounds};
use ir::neuron::{
    Constant, DiscreteNeuron, Fire, MAX_COUNT, Membrane, Neuron, NeuronKind, Param, ResetRule,
    Synapse,
};
use ir::semantics::{Compare, SpikeOn};
use ir::tensor::{DType, Data, Shape};
use ir::{Code, Id, Observable, Origin, PopId, Series, Tensor};

fn pop(i: usize) -> PopId {
    PopId::from_index(i)
}

fn one(v: f64) -> Param {
    Param::uniform(v)
}

fn fire(threshold: f64, reset: ResetRule) -> Fire {
    Fire {
        threshold: one(threshold),
        compare: Compare::Gt,
        judge: SpikeOn::New,
        reset,
        hold: false,
        floor: None,
    }
}

fn neuron(membrane: Membrane, fire: Option<Fire>) -> DiscreteNeuron {
    DiscreteNeuron {
        kind: NeuronKind::Lif,
        synapse: None,
        membrane,
        gain: one(1.0),
        offset: Constant::ZERO,
        fire,
        unit: Some(one(1.0)),
        state: Default::default(),
    }
}

fn synapse(decay: f64, after: bool) -> Synapse {
    Synapse {
        decay: one(decay),
        after,
        offset: Constant::ZERO,
        drive: one(1.0),
        unit: Some(one(0.25)),
    }
}

fn population(name: &str, n: usize, model: Model, sends: Sends, latency: u32) -> Population {
    Population {
        name: name.to_owned(),
        shape: Shape::of(&[n]),
        model,
        sends,
        order: AtomOrder::RowMajor,
        timing: Some(Timing {
            latency,
            active_from: latency,
        }),
        accumulator: Some(DType::I32),
        record: vec![],
        origin: Origin::Compiler,
    }
}

fn dense(pre: usize, post: usize, weights: &[i32], shape: [usize; 2], delay: u32) -> Projection {
    let weights = Tensor::new(Shape::of(&shape), Data::I32(weights.to_vec())).expect("sized");
    Projection {
        name: format!("{pre}-{post}"),
        pre: pop(pre),
        post: pop(post),
        connector: Connector::Dense,
        weights,
        delay: Some(delay),
        lag: 0,
        origin: Origin::Compiler,
    }
}

/// A source that sends `input`, a neuron, and `weight` between them.
fn single(neuron: DiscreteNeuron, input: Sends, weight: i32) -> AppGraph {
    let sends = match &neuron.fire {
        None => Sends::Values,
        Some(f) if f.reset == ResetRule::Multi => Sends::Counts { max: MAX_COUNT },
        Some(_) => Sends::Spikes,
    };
    let mut app = AppGraph::default();
    app.populations
        .push(population("in", 1, Model::SpikeSource, input, 0));
    let model = Model::Neuron(Neuron::Discrete(neuron));
    app.populations.push(population("n", 1, model, sends, 1));
    app.projections.push(dense(0, 1, &[weight], [1, 1], 1));
    app
}

fn series(x: &[f64]) -> Series {
    Series {
        steps: x.len(),
        width: 1,
        data: x.to_vec(),
    }
}

fn run(app: &AppGraph, x: &[f64], ticks: usize) -> Traces<f32> {
    let fixed = Fixed::<f32>::new(app).unwrap_or_else(|e| panic!("{e}"));
    let record = [(pop(1), Observable::Spikes), (pop(1), Observable::V)];
    let traces = fixed.run(&[series(x)], ticks, &record);
    traces.unwrap_or_else(|e| panic!("{e}"))
}

/// Spikes and membranes of steps 0 and on.
fn spikes_and_v(app: &AppGraph, x: &[f64]) -> (Vec<u32>, Vec<f32>) {
    let traces = run(app, x, x.len() + 1);
    let spikes = traces.spikes[&pop(1)].data[1..].to_vec();
    (spikes, traces.v[&pop(1)].data[1..].to_vec())
}

#[test]
fn the_current_decays_before_or_after_its_input() {
    let mut n = neuron(
        Membrane::Leaky(one(0.5)),
        Some(fire(100.0, ResetRule::Keep)),
    );
    n.synapse = Some(synapse(0.5, false));
    let before = spikes_and_v(&single(n.clone(), Sends::Spikes, 8), &[1.0, 0.0, 0.0]);
    // i = 8, 4, 2; v = 8, 4 + 4, 4 + 2
    assert_eq!(before.1, [8.0, 8.0, 6.0]);
    n.synapse = Some(synapse(0.5, true));
    let after = spikes_and_v(&single(n.clone(), Sends::Spikes, 8), &[1.0, 0.0, 0.0]);
    // i = 4, 2, 1
    assert_eq!(after.1, [4.0, 4.0, 3.0]);

    let app = single(n, Sends::Spikes, 8);
    let fixed = Fixed::<f32>::new(&app).expect("quantised");
    let record = [(pop(1), Observable::I)];
    let traces = fixed.run(&[series(&[1.0])], 3, &record).expect("runs");
    let i = fixed.i_in_file_units(pop(1), &traces.i[&pop(1)]);
    assert_eq!(i.data, [0.0, 1.0, 0.5], "a quarter of the chip's 4, 2");
}

#[test]
fn counts_act_as_often_as_they_say() {
    let n = neuron(Membrane::Integrate, Some(fire(100.0, ResetRule::Keep)));
    let app = single(n, Sends::Counts { max: 3 }, 5);
    assert_eq!(spikes_and_v(&app, &[3.0, 0.0, 2.0]).1, [15.0, 15.0, 25.0]);
    assert_eq!(accumulator_bounds(&app, pop(1)), Some(vec![15]));
    let error = Fixed::<f32>::new(&app)
        .expect("right")
        .run(&[series(&[4.0])], 2, &[])
        .expect_err("beyond the maximum");
    assert_eq!(error.0[0].code, Code::InputValue);
    assert!(error.to_string().contains("step 0, index 0: 4"), "{error}");
}

#[test]
fn every_reset_tells_itself_from_its_neighbours() {
    let x = [1.0, 0.0, 0.0, 1.0];
    let with = |reset: ResetRule, hold: bool, judge: SpikeOn| {
        let f = Fire {
            hold,
            judge,
            ..fire(10.0, reset)
        };
        let n = neuron(Membrane::Leaky(one(0.5)), Some(f));
        spikes_and_v(&single(n, Sends::Spikes, 44), &x)
    };
    let new = SpikeOn::New;
    // 44; 22; 11; 5.5 + 44
    assert_eq!(
        with(ResetRule::Keep, false, new),
        (vec![1, 1, 1, 1], vec![44.0, 22.0, 11.0, 49.5])
    );
    assert_eq!(
        with(ResetRule::To(one(2.0)), false, new),
        (vec![1, 0, 0, 1], vec![2.0, 1.0, 0.5, 2.0])
    );
    assert_eq!(
        with(ResetRule::Subtract(one(10.0)), false, new),
        (vec![1, 1, 0, 1], vec![34.0, 7.0, 3.5, 35.75])
    );
    // 44 spikes; 22 - 10 spikes; 6 - 10; -2 + 44
    assert_eq!(
        with(ResetRule::Pending(one(10.0)), false, new),
        (vec![1, 1, 0, 1], vec![44.0, 12.0, -4.0, 42.0])
    );
    // four thresholds fit into 44
    assert_eq!(
        with(ResetRule::Multi, false, new),
        (vec![4, 0, 0, 4], vec![4.0, 2.0, 1.0, 4.5])
    );
    // held at 0 in the step after the spike, then free
    assert_eq!(
        with(ResetRule::To(one(2.0)), true, new),
        (vec![1, 0, 0, 1], vec![2.0, 0.0, 0.0, 2.0])
    );
    // the spike of step 0 is seen in step 1, and resets what step 1 computed
    assert_eq!(
        with(ResetRule::Subtract(one(10.0)), false, SpikeOn::Old),
        (vec![0, 1, 1, 0], vec![44.0, 12.0, -4.0, 42.0])
    );
}

#[test]
fn a_multiple_of_the_threshold_keeps_one_spike_if_it_must_be_passed() {
    let with = |compare, weight| {
        let f = Fire {
            compare,
            ..fire(10.0, ResetRule::Multi)
        };
        let n = neuron(Membrane::Integrate, Some(f));
        let (spikes, v) = spikes_and_v(&single(n, Sends::Spikes, weight), &[1.0]);
        (spikes[0], v[0])
    };
    assert_eq!(with(Compare::Ge, 30), (3, 0.0));
    assert_eq!(with(Compare::Gt, 30), (2, 10.0));
    assert_eq!(with(Compare::Gt, 31), (3, 1.0));
    assert_eq!(with(Compare::Ge, 10), (1, 0.0));
    // what does not fit into a count waits
    assert_eq!(with(Compare::Ge, 2600), (255, 50.0));
}

#[test]
fn the_floor_holds_before_the_comparison() {
    let f = Fire {
        floor: Some(one(-10.0)),
        ..fire(10.0, ResetRule::Keep)
    };
    let n = neuron(Membrane::Integrate, Some(f));
    let (_, v) = spikes_and_v(&single(n, Sends::Spikes, -25), &[1.0, 0.0]);
    assert_eq!(v, [-10.0, -10.0]);
}

#[test]
fn a_constant_changes_in_its_step() {
    let mut n = neuron(Membrane::Integrate, Some(fire(100.0, ResetRule::Keep)));
    n.offset = Constant::new(vec![(0, one(0.0)), (2, one(3.0)), (3, one(1.0))]).expect("rises");
    let (_, v) = spikes_and_v(&single(n, Sends::Spikes, 0), &[0.0; 5]);
    assert_eq!(v, [0.0, 0.0, 3.0, 4.0, 5.0]);
}

#[test]
fn values_are_sent_in_file_units_and_zeros_are_not() {
    let mut n = neuron(Membrane::Fresh, None);
    n.unit = Some(one(0.1));
    let app = single(n, Sends::Spikes, 7);
    let traces = run(&app, &[1.0, 0.0], 3);
    let value = 0.1f32 * 7.0;
    assert_eq!(traces.values[&pop(1)].data, [0.0, value, 0.0]);
}

#[test]
fn values_are_summed_in_the_order_of_positions() {
    // 2^24 + 1 - 2^24 is 0 or 1, depending on the order.
    let n = neuron(Membrane::Fresh, Some(fire(0.5, ResetRule::Keep)));
    let mut app = single(n, Sends::Values, 1);
    app.populations[pop(0)].shape = Shape::of(&[4, 1, 1]);
    app.projections = [dense(0, 1, &[1, 1, 1, 1], [1, 4], 1)]
        .into_iter()
        .collect();
    let x = Series {
        steps: 1,
        width: 4,
        data: vec![16_777_216.0, 1.0, -16_777_216.0, 0.0],
    };
    let v = |app: &AppGraph| {
        let fixed = Fixed::<f32>::new(app).expect("right");
        let record = [(pop(1), Observable::V)];
        let traces = fixed.run(std::slice::from_ref(&x), 2, &record);
        traces.expect("runs").v[&pop(1)].data[1]
    };
    assert_eq!(v(&app), 0.0);
    // A fractional input times an integer weight is one product.
    app.projections[ir::ProjId::from_index(0)].weights =
        Tensor::new(Shape::of(&[1, 4]), Data::I32(vec![0, 3, 0, 0])).expect("sized");
    assert_eq!(v(&app), 3.0);
}

#[test]
fn values_and_spikes_meet_in_one_sum() {
    let n = neuron(Membrane::Fresh, None);
    let mut app = single(n, Sends::Values, 2);
    let late = population("late", 1, Model::SpikeSource, Sends::Spikes, 0);
    let late = app.populations.push(late);
    let mut sparse = dense(late.index(), 1, &[5], [1, 1], 2);
    sparse.connector = Connector::Sparse(Synapses::new(vec![0, 1], vec![0]).expect("orderly"));
    sparse.weights = Tensor::new(Shape::of(&[1]), Data::I32(vec![5])).expect("sized");
    app.projections.push(sparse);
    let fixed = Fixed::<f32>::new(&app).expect("right");
    let inputs = [series(&[0.25, 1.5]), series(&[1.0])];
    let record = [(pop(1), Observable::Spikes)];
    let traces = fixed.run(&inputs, 4, &record).expect("runs");
    assert_eq!(traces.values[&pop(1)].data, [0.0, 0.5, 8.0, 0.0]);
}

#[test]
fn a_phased_population_computes_in_its_phase_only() {
    let n = neuron(Membrane::Integrate, Some(fire(100.0, ResetRule::Keep)));
    let mut app = single(n, Sends::Spikes, 1);
    app.ticks_per_step = 3;
    app.populations[pop(1)].timing = Some(Timing {
        latency: 2,
        active_from: 2,
    });
    app.projections[ir::ProjId::from_index(0)].delay = Some(2);
    let traces = run(&app, &[1.0, 1.0], 9);
    let v = [0.0, 0.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0];
    assert_eq!(traces.v[&pop(1)].data, v);
}
