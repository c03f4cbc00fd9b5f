use super::*;
use crate::balance_delays::balance;
use crate::testing::sized_app;
use ir::app::{Connector, Conv, Sends, Synapses};
use ir::id::Id;
use ir::neuron::{Constant, Fire, Membrane, NeuronKind, Param, ResetRule, Synapse};
use ir::semantics::{Profile, Rounding, ScaleMode, Schedule};
use ir::tensor::{Data, Shape, Tensor};

fn graph(inputs: usize, weights: &[f64]) -> AppGraph {
    let n = weights.len() / inputs;
    let mut app = sized_app(&[("in", inputs), ("hid", n)], &["in>hid"]);
    let id = ProjId::from_index(0);
    let data = Data::F64(weights.to_vec());
    app.projections[id].weights = Tensor::new(Shape::of(&[n, inputs]), data).expect("n x inputs");
    app.projections[id].delay = Some(
        balance(&app, Schedule::Auto, 1000)
            .expect("feasible")
            .delays[id],
    );
    app
}

fn set(app: &mut AppGraph, change: impl FnOnce(&mut DiscreteNeuron)) {
    if let Model::Neuron(Neuron::Discrete(n)) = &mut app.populations[hid()].model {
        change(n);
    }
}

fn fire(neuron: &DiscreteNeuron) -> &Fire {
    neuron.fire.as_ref().expect("spikes")
}

fn fire_mut(neuron: &mut DiscreteNeuron) -> &mut Fire {
    neuron.fire.as_mut().expect("spikes")
}

fn hid() -> PopId {
    PopId::from_index(1)
}

fn mode(weights: WeightMode) -> Quantisation {
    Quantisation {
        weights,
        ..Profile::Nir.quantisation()
    }
}

fn run(app: &mut AppGraph, q: &Quantisation) -> Result<(Report, Vec<Diagnostic>)> {
    let costs = Costs {
        target: &Target::spinnaker2(),
        time_step_us: 1000,
        options: &MappingOptions::default(),
    };
    quantise(app, q, &costs)
}

fn integers(app: &AppGraph) -> Vec<i32> {
    let w = &app.projections[ProjId::from_index(0)].weights;
    (0..w.len()).filter_map(|i| w.int_at(i)).collect()
}

fn neuron(app: &AppGraph) -> DiscreteNeuron {
    discrete(app, hid()).expect("discrete").clone()
}

#[test]
fn the_published_chip_neuron() {
    // The NIR paper's LIF on py-spinnaker2: tau 2.5 ms, dt 0.1 ms, threshold 0.1, scale 102.02
    let mut app = graph(1, &[1.0]);
    set(&mut app, |n| {
        n.membrane = Membrane::Leaky(Param::uniform(1.0 - 1e-4 / 2.5e-3));
        n.gain = Param::uniform(1e-4 / 2.5e-3);
        fire_mut(n).threshold = Param::uniform(0.1);
    });
    let q = Quantisation {
        weight_scale: Some(102.02),
        ..Profile::PySpinnaker2.quantisation()
    };
    run(&mut app, &q).expect("in range");
    assert_eq!(integers(&app), [102]);
    let n = neuron(&app);
    assert!((fire(&n).threshold.at(0) - 255.05).abs() < 1e-9);
    let Membrane::Leaky(decay) = &n.membrane else {
        panic!("leaky")
    };
    assert!((decay.at(0) - 0.96).abs() < 1e-15);
    assert_eq!(n.gain.as_uniform(), Some(1.0));
    assert_eq!(app.populations[hid()].accumulator, Some(DType::I16));
}

#[test]
fn each_neuron_has_its_own_scale() {
    let mut app = graph(2, &[1.0, -0.5, 10.0, 2.0]);
    let (report, warnings) = run(&mut app, &mode(WeightMode::Int8)).expect("plain");
    assert!(warnings.is_empty());
    // On these grids no weight is off.
    assert_eq!(integers(&app), [126, -63, 125, 25]);
    let unit = neuron(&app).unit.expect("quantised");
    assert_eq!((unit.at(0), unit.at(1)), (1.0 / 126.0, 1.0 / 12.5));
    assert!(report.max_errors[0].1 < 1e-12);
}

#[test]
fn the_grid_disturbs_the_sums_of_all_spike_patterns_least() {
    let weights = [0.83, -0.417, 0.2291, 0.0543, -0.3717, 0.618];
    let mut app = graph(weights.len(), &weights);
    run(&mut app, &mode(WeightMode::Int8)).expect("plain");
    let disturbance = |steps: f64| -> f64 {
        let scale = steps / 0.83;
        let off = weights.map(|w| (w * scale).round_ties_even() / scale - w);
        let of_pattern = |pattern: u32| -> f64 {
            let spiking = off
                .iter()
                .enumerate()
                .filter(|(i, _)| pattern >> i & 1 == 1);
            spiking.map(|(_, e)| e).sum::<f64>().powi(2)
        };
        (0..1 << weights.len()).map(of_pattern).sum()
    };
    let chosen = f64::from(integers(&app)[0]);
    for steps in 120..=127 {
        assert!(
            disturbance(chosen) <= disturbance(f64::from(steps)),
            "{steps}"
        );
    }
    assert!(disturbance(chosen) < disturbance(127.0), "not the finest");
}

#[test]
fn a_population_can_share_one_scale() {
    let mut app = graph(2, &[1.0, -0.5, 10.0, 2.0]);
    let q = Quantisation {
        scale: ScaleMode::Population,
        rounding: Rounding::Truncate,
        ..mode(WeightMode::Int8)
    };
    run(&mut app, &q).expect("plain");
    assert_eq!(integers(&app), [12, -6, 127, 25]);
    assert!(fire(&neuron(&app)).threshold.as_uniform().is_some());
}

#[test]
fn a_negative_gain_turns_the_weights_and_a_zero_gain_silences_them() {
    let mut app = graph(1, &[1.0, 1.0]);
    set(&mut app, |n| n.gain = Param::per_atom(vec![-0.5, 0.0]));
    run(&mut app, &mode(WeightMode::Int8)).expect("plain");
    assert_eq!(integers(&app), [-127, 0]);
    let n = neuron(&app);
    let unit = n.unit.clone().expect("quantised");
    assert_eq!((unit.at(0), unit.at(1)), (0.5 / 127.0, 1.0));
    assert_eq!(fire(&n).threshold.at(1), 1.0);
}

#[test]
fn a_neuron_without_weights_stays_finite() {
    let mut app = graph(1, &[0.0, 0.5]);
    run(&mut app, &mode(WeightMode::Int8)).expect("plain");
    assert_eq!(integers(&app), [0, 127]);
    assert!(neuron(&app).unit.expect("quantised").as_uniform().is_some());
    let mut silent = graph(1, &[0.0]);
    run(&mut silent, &mode(WeightMode::Float)).expect("plain");
    assert_eq!(fire(&neuron(&silent)).threshold.at(0), 1.0);
}

#[test]
fn reset_and_offset_are_counted_in_units() {
    let mut app = graph(1, &[127.0]);
    set(&mut app, |n| {
        n.gain = Param::uniform(0.5);
        n.offset = Constant::always(Param::uniform(3.0));
        fire_mut(n).reset = ResetRule::Subtract(Param::uniform(1.0));
    });
    run(&mut app, &mode(WeightMode::Int8)).expect("plain");
    let n = neuron(&app);
    assert_eq!(n.offset, Constant::always(Param::uniform(6.0)));
    assert_eq!(fire(&n).reset, ResetRule::Subtract(Param::uniform(2.0)));
}

#[test]
fn float_keeps_small_integers_exact_and_sums_below_two_to_31() {
    let mut app = graph(2, &[1.0, -0.75]);
    run(&mut app, &mode(WeightMode::Float)).expect("plain");
    assert_eq!(integers(&app), [1 << 24, -3 << 22]);
    let mut wide = graph(1000, &[1.0; 1000]);
    run(&mut wide, &mode(WeightMode::Float)).expect("plain");
    // 1000 * 2^21 = 2097152000 < 2^31 - 1000 < 1000 * 2^22
    assert_eq!(integers(&wide)[0], 1 << 21);
}

#[test]
fn int8_sums_beyond_16_bits_take_wide_accumulators() {
    // 258 * 127 = 32766, 259 * 127 = 32893
    let mut fits = graph(258, &[1.0; 258]);
    run(&mut fits, &mode(WeightMode::Int8)).expect("plain");
    assert_eq!(fits.populations[hid()].accumulator, Some(DType::I16));
    let mut wide = graph(259, &[1.0; 259]);
    run(&mut wide, &mode(WeightMode::Int8)).expect("plain");
    assert_eq!(wide.populations[hid()].accumulator, Some(DType::I32));
}

#[test]
fn auto_takes_int16_where_it_is_free() {
    let mut small = graph(4, &[0.1; 40]);
    let (report, _) = run(&mut small, &mode(WeightMode::Auto)).expect("plain");
    assert_eq!(
        report.populations,
        [(hid(), Format::Int16, Some(DType::I32))]
    );
    // 784 rows of 100 int16 weights would take too long for one tick
    let weights: Vec<f64> = (0..78_400).map(|i| f64::from(i % 7) - 3.0).collect();
    let mut large = graph(784, &weights);
    let (report, _) = run(&mut large, &mode(WeightMode::Auto)).expect("plain");
    assert_eq!(report.populations[0].1, Format::Int8);
}

#[test]
fn a_fixed_scale_saturates_with_a_count() {
    let mut app = graph(3, &[1.0, 2.0, -3.0]);
    let q = Quantisation {
        weight_scale: Some(100.0),
        ..mode(WeightMode::Int8)
    };
    let (_, warnings) = run(&mut app, &q).expect("saturates");
    assert_eq!(integers(&app), [100, 127, -127]);
    assert_eq!(warnings[0].code, Code::QuantiseSaturated);
    assert!(warnings[0].message.starts_with("2 of 3 weights"));
}

#[test]
fn values_that_no_scale_can_hold_are_refused() {
    for (weight, threshold) in [(5e-324, 1.0), (1e-300, 1.0), (f64::NAN, 1.0)] {
        let mut app = graph(1, &[weight]);
        set(&mut app, |n| {
            fire_mut(n).threshold = Param::uniform(threshold)
        });
        let error = run(&mut app, &mode(WeightMode::Int8)).expect_err("no scale");
        assert_eq!(error.0[0].code, Code::BadParameter, "{weight}");
    }
}

fn with_synapse(drive: f64) -> AppGraph {
    let mut app = graph(2, &[1.0, -0.5]);
    set(&mut app, |n| {
        n.kind = NeuronKind::CubaLif;
        n.gain = Param::uniform(0.5);
        n.offset = Constant::always(Param::uniform(1.0));
        n.synapse = Some(Synapse {
            decay: Param::uniform(0.5),
            after: false,
            offset: Constant::always(Param::uniform(0.25)),
            drive: Param::uniform(drive),
            unit: None,
        });
    });
    app
}

#[test]
fn a_current_has_its_own_unit_and_the_membrane_counts_what_it_drives() {
    let mut app = with_synapse(4.0);
    run(&mut app, &mode(WeightMode::Int8)).expect("plain");
    assert_eq!(integers(&app), [126, -63]);
    let n = neuron(&app);
    let s = n.synapse.expect("a synapse");
    let current = 0.5 / 126.0;
    assert_eq!(s.unit, Some(Param::uniform(current)));
    assert_eq!(s.drive.as_uniform(), Some(1.0));
    assert_eq!(s.offset, Constant::always(Param::uniform(0.25 / current)));
    assert_eq!(n.unit, Some(Param::uniform(current * 4.0)));
    assert_eq!(
        n.offset,
        Constant::always(Param::uniform(1.0 / (current * 4.0)))
    );
}

#[test]
fn a_negative_drive_turns_the_current() {
    let mut app = with_synapse(-4.0);
    run(&mut app, &mode(WeightMode::Int8)).expect("plain");
    assert_eq!(integers(&app), [-126, 63]);
    let n = neuron(&app);
    let unit = n.synapse.and_then(|s| s.unit).expect("quantised").at(0);
    // 0.5 * (w + ...) in the file is that many turned units
    assert_eq!(unit, -0.5 / 126.0);
    assert_eq!(n.unit.expect("quantised").at(0), unit * -4.0);
}

fn sends(app: &mut AppGraph, what: Sends) {
    app.populations[PopId::from_index(0)].sends = what;
}

#[test]
fn counts_widen_the_sum_and_values_are_no_part_of_it() {
    // 255 * 127 = 32385, and twice that is beyond 16 bits
    let mut one = graph(1, &[1.0]);
    sends(&mut one, Sends::Counts { max: 255 });
    run(&mut one, &mode(WeightMode::Int8)).expect("plain");
    assert_eq!(one.populations[hid()].accumulator, Some(DType::I16));
    let mut two = graph(2, &[1.0, 1.0]);
    sends(&mut two, Sends::Counts { max: 255 });
    run(&mut two, &mode(WeightMode::Int8)).expect("plain");
    assert_eq!(two.populations[hid()].accumulator, Some(DType::I32));
    // 2 * 255 * 2^22 < 2^31 < 2 * 255 * 2^23
    let mut exact = graph(2, &[1.0, 1.0]);
    sends(&mut exact, Sends::Counts { max: 255 });
    run(&mut exact, &mode(WeightMode::Float)).expect("plain");
    assert_eq!(integers(&exact)[0], 1 << 22);
    let mut real = graph(1000, &[1.0; 1000]);
    sends(&mut real, Sends::Values);
    run(&mut real, &mode(WeightMode::Float)).expect("plain");
    assert_eq!(real.populations[hid()].accumulator, None);
    assert_eq!(integers(&real)[0], 1 << 24);
}

#[test]
fn auto_keeps_precision_where_values_are_shown() {
    let weights: Vec<f64> = (0..78_400).map(|i| f64::from(i % 7) - 3.0).collect();
    let mut large = graph(784, &weights);
    set(&mut large, |n| {
        n.kind = NeuronKind::Li;
        n.fire = None;
    });
    let (report, _) = run(&mut large, &mode(WeightMode::Auto)).expect("plain");
    assert_eq!(report.populations[0].1, Format::Int16);
}

/// One channel to two over a row of three pixels, kernel of two.
fn convolution() -> AppGraph {
    let mut app = sized_app(&[("in", 3), ("hid", 4)], &["in>hid"]);
    app.populations[hid()].shape = Shape::of(&[2, 1, 2]);
    let id = ProjId::from_index(0);
    let conv = Conv {
        source: [1, 1, 3],
        target: [2, 1, 2],
        kernel: [1, 2],
        stride: [1, 1],
        padding: [0, 0],
        dilation: [1, 1],
    };
    app.projections[id].connector = Connector::Conv(conv);
    let data = Data::F64(vec![1.0, -0.5, 10.0, 2.0]);
    app.projections[id].weights = Tensor::new(Shape::of(&[2, 1, 1, 2]), data).expect("sizes agree");
    app.projections[id].delay = Some(1);
    app
}

#[test]
fn a_channel_shares_its_scale_but_not_its_gain() {
    let mut app = convolution();
    set(&mut app, |n| {
        n.gain = Param::per_atom(vec![1.0, 2.0, 1.0, 1.0])
    });
    run(&mut app, &mode(WeightMode::Int8)).expect("plain");
    assert_eq!(integers(&app), [126, -63, 125, 25]);
    let unit = neuron(&app).unit.expect("quantised");
    let units: Vec<f64> = (0..4).map(|j| unit.at(j)).collect();
    assert_eq!(units, [1.0 / 126.0, 2.0 / 126.0, 1.0 / 12.5, 1.0 / 12.5]);
}

#[test]
fn a_channel_whose_gains_differ_in_sign_is_written_out() {
    let mut app = convolution();
    set(&mut app, |n| {
        n.gain = Param::per_atom(vec![1.0, -1.0, 1.0, 1.0])
    });
    run(&mut app, &mode(WeightMode::Int8)).expect("plain");
    let listed = Synapses::new(vec![0, 2, 6, 8], vec![0, 2, 0, 1, 2, 3, 1, 3]);
    let connector = &app.projections[ProjId::from_index(0)].connector;
    assert_eq!(*connector, Connector::Sparse(listed.expect("ascending")));
    assert_eq!(integers(&app), [126, 125, -63, -126, 25, 125, 63, 25]);
}
