//! Fixed-point state against exact arithmetic: on random neurons and inputs every step
//! stays within the proven bound, and every value within the proven range.

use ir::app::{AppGraph, AtomOrder, Connector, Model, Population, Projection, Sends, Timing};
use ir::fixed::{Fixed, accumulator_bounds};
use ir::fixed_point::{Unfit, choose, prove};
use ir::neuron::{
    Constant, DiscreteNeuron, Fire, MAX_COUNT, Membrane, Neuron, NeuronKind, Param, ResetRule,
    State, Synapse,
};
use ir::semantics::{Compare, SpikeOn};
use ir::tensor::{DType, Data, Shape};
use ir::{Id, Observable, Origin, PopId, Series, Tensor};

const SOURCES: usize = 12;
const ATOMS: usize = 5;
const STEPS: usize = 60;

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn real(&mut self, low: f64, high: f64) -> f64 {
        low + (self.word() >> 11) as f64 / (1u64 << 53) as f64 * (high - low)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.word() % n
    }
    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
    fn param(&mut self, low: f64, high: f64) -> Param {
        if self.one_in(2) {
            return Param::uniform(self.real(low, high));
        }
        Param::per_atom((0..ATOMS).map(|_| self.real(low, high)).collect())
    }
    fn decay(&mut self) -> Param {
        match self.below(4) {
            0 => self.param(-0.5, 0.49),
            1 => self.param(-0.95, 0.99),
            _ => self.param(0.5, 0.999),
        }
    }
    fn offset(&mut self, size: f64) -> Constant {
        match self.below(3) {
            0 => Constant::ZERO,
            1 => Constant::always(self.param(-size, size)),
            _ => {
                let entries = vec![(0, self.param(-size, size)), (7, self.param(-size, size))];
                Constant::new(entries).expect("steps ascend")
            }
        }
    }
}

fn neuron(rng: &mut Rng) -> DiscreteNeuron {
    let leaky = !rng.one_in(3);
    let threshold = rng.param(150.0, 600.0);
    let reset = match rng.below(5) {
        0 => ResetRule::Keep,
        1 => ResetRule::To(rng.param(-100.0, 100.0)),
        2 => ResetRule::Subtract(rng.param(50.0, 600.0)),
        3 => ResetRule::Pending(rng.param(50.0, 600.0)),
        _ => ResetRule::Multi,
    };
    let fires = !rng.one_in(4);
    DiscreteNeuron {
        kind: NeuronKind::Lif,
        synapse: (leaky && rng.one_in(2)).then(|| Synapse {
            decay: rng.decay(),
            after: rng.one_in(2),
            offset: rng.offset(20.0),
            drive: Param::uniform(1.0),
            unit: Some(Param::uniform(0.25)),
        }),
        membrane: match leaky {
            true => Membrane::Leaky(rng.decay()),
            false => Membrane::Integrate,
        },
        gain: Param::uniform(1.0),
        offset: rng.offset(30.0),
        fire: fires.then(|| Fire {
            threshold,
            compare: if rng.one_in(2) {
                Compare::Ge
            } else {
                Compare::Gt
            },
            judge: if rng.one_in(3) {
                SpikeOn::Old
            } else {
                SpikeOn::New
            },
            reset,
            hold: rng.one_in(4),
            floor: rng.one_in(3).then(|| rng.param(-300.0, -50.0)),
        }),
        unit: Some(rng.param(0.01, 0.02)),
        state: State::F32,
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

fn graph(neuron: DiscreteNeuron, rng: &mut Rng) -> AppGraph {
    let sends = match &neuron.fire {
        None => Sends::Values,
        Some(f) if f.reset == ResetRule::Multi => Sends::Counts { max: MAX_COUNT },
        Some(_) => Sends::Spikes,
    };
    let mut app = AppGraph::default();
    let source = population("in", SOURCES, Model::SpikeSource, Sends::Spikes, 0);
    app.populations.push(source);
    let model = Model::Neuron(Neuron::Discrete(neuron));
    app.populations
        .push(population("n", ATOMS, model, sends, 1));
    let weights = (0..SOURCES * ATOMS).map(|_| rng.below(200) as i32 - 90);
    let weights = Data::I32(weights.collect());
    app.projections.push(Projection {
        name: "w".to_owned(),
        pre: PopId::from_index(0),
        post: PopId::from_index(1),
        connector: Connector::Dense,
        weights: Tensor::new(Shape::of(&[ATOMS, SOURCES]), weights).expect("sized"),
        delay: Some(1),
        lag: 0,
        origin: Origin::Compiler,
    });
    app
}

/// The state of an atom before a step, in units.
struct Before {
    v: f64,
    i: f64,
    spiked: bool,
}

/// The exact step of `DiscreteNeuron`, with `count` spikes as the chip decided: membrane
/// before the comparison, what is judged, and membrane after it.
fn exact(
    n: &DiscreteNeuron,
    (step, j): (u64, usize),
    sum: f64,
    before: &Before,
    count: u32,
) -> (f64, f64, f64, f64) {
    let offset = |c: &Constant| c.at_step(step).map_or(0.0, |p| p.at(j));
    let mut x = sum;
    let mut i = 0.0;
    if let Some(s) = &n.synapse {
        let decay = s.decay.at(j);
        i = match s.after {
            true => (before.i + x + offset(&s.offset)) * decay,
            false => before.i * decay + x + offset(&s.offset),
        };
        x = i;
    }
    let mut v = match &n.membrane {
        Membrane::Leaky(decay) => before.v * decay.at(j) + x,
        _ => before.v + x,
    };
    v += offset(&n.offset);
    let Some(fire) = &n.fire else {
        return (i, v, v, v);
    };
    if before.spiked {
        if let ResetRule::Pending(p) = &fire.reset {
            v -= p.at(j);
        }
        if fire.hold {
            v = 0.0;
        }
    }
    if let Some(floor) = &fire.floor {
        v = v.max(floor.at(j));
    }
    let judged = match fire.judge {
        SpikeOn::New => v,
        SpikeOn::Old => before.v,
    };
    let mut after = v;
    if count > 0 {
        match &fire.reset {
            ResetRule::To(p) => after = p.at(j),
            ResetRule::Subtract(p) => after -= p.at(j),
            ResetRule::Multi => after -= fire.threshold.at(j) * f64::from(count),
            ResetRule::Pending(_) | ResetRule::Keep => {}
        }
    }
    (i, v, judged, after)
}

#[test]
fn every_step_stays_within_its_bound() {
    let (id, source) = (PopId::from_index(1), PopId::from_index(0));
    let (mut spikes, mut steps, mut closest) = (0, 0, 0.0f64);
    for seed in 0..400 {
        let mut rng = Rng(seed);
        let mut n = neuron(&mut rng);
        let mut app = graph(n.clone(), &mut rng);
        let sums = accumulator_bounds(&app, id).expect("integers");
        let sum = |atom: usize| sums[atom] as f64;
        let chosen = choose(&n, ATOMS, sum).unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
        // Coarser states are proven too, and are where errors show.
        let shift = rng.below(u64::from(chosen.shift) + 1) as u8;
        let proof = prove(&n, ATOMS, shift, sum).expect("a coarser state");
        n.state = State::Fixed { shift };
        app.populations[id].model = Model::Neuron(Neuron::Discrete(n.clone()));
        let input = Series {
            steps: STEPS,
            width: SOURCES,
            data: (0..STEPS * SOURCES).map(|_| rng.below(2) as f64).collect(),
        };
        let mut record = vec![(id, Observable::Spikes), (id, Observable::V)];
        if n.synapse.is_some() {
            record.push((id, Observable::I));
        }
        let fixed = Fixed::<f32>::new(&app).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert_eq!(fixed.sources(), [source]);
        let traces = fixed
            .run(std::slice::from_ref(&input), STEPS + 1, &record)
            .unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let weights = &app.projections[ir::ProjId::from_index(0)].weights;
        let scale = f64::from(shift).exp2();
        for j in 0..ATOMS {
            let unit = n.unit.as_ref().expect("a unit").at(j);
            let mut before = Before {
                v: 0.0,
                i: 0.0,
                spiked: false,
            };
            for step in 0..STEPS {
                let row = input.row(step).iter().enumerate();
                let sum: f64 = row
                    .map(|(k, x)| x * f64::from(weights.int_at(j * SOURCES + k).expect("an int")))
                    .sum();
                let count = traces.spikes.get(&id).map_or(0, |s| s.row(step + 1)[j]);
                let v = f64::from(traces.v_counts[&id].row(step + 1)[j]);
                let i = traces.i_counts.get(&id).map(|i| i.row(step + 1)[j]);
                let i = i.map_or(0.0, f64::from);
                let context = format!("seed {seed} atom {j} step {step}: {n:?}");
                assert!(
                    v.abs() <= proof.reach && i.abs() <= proof.reach,
                    "{context}"
                );
                let at = (step as u64, j);
                let (ei, ev, judged, after) = exact(&n, at, sum, &before, count);
                // A decision may differ only within the bound of its threshold.
                let slack = 1e-9 * proof.step_error + 1e-9;
                if let Some(fire) = &n.fire {
                    let threshold = fire.threshold.at(j);
                    let would = match fire.compare {
                        Compare::Gt => judged > threshold,
                        Compare::Ge => judged >= threshold,
                    };
                    if would != (count > 0) {
                        let off = (judged - threshold).abs() * unit;
                        assert!(off <= proof.step_error + slack, "{context}: {off}");
                    }
                    spikes += count;
                }
                let off = (v / scale - after).abs() * unit;
                assert!(
                    off <= proof.step_error + slack,
                    "{context}: {off} beyond {}; exact {ev} to {after}, found {}",
                    proof.step_error,
                    v / scale
                );
                assert!(
                    (i / scale - ei).abs() * unit <= proof.step_error + slack,
                    "{context}"
                );
                if proof.step_error > 0.0 {
                    closest = closest.max(off / proof.step_error);
                }
                steps += 1;
                before = Before {
                    v: v / scale,
                    i: i / scale,
                    spiked: count > 0,
                };
            }
        }
    }
    eprintln!("{steps} steps, {spikes} spikes, at most {closest:.3} of the bound");
    assert!(spikes > steps / 50, "some spike: {spikes} of {steps}");
    assert!(closest > 0.5, "the bound is near what occurs: {closest}");
}

/// A float64 reference takes the exact step whatever the state.
#[test]
fn only_the_chips_reference_counts() {
    let mut rng = Rng(3);
    let mut n = neuron(&mut rng);
    n.fire = None;
    n.state = State::Fixed { shift: 0 };
    let app = graph(n.clone(), &mut rng);
    n.state = State::F32;
    let mut plain = app.clone();
    plain.populations[PopId::from_index(1)].model = Model::Neuron(Neuron::Discrete(n));
    let input = Series {
        steps: 9,
        width: SOURCES,
        data: vec![1.0; 9 * SOURCES],
    };
    let values = |app: &AppGraph| {
        let record = [(PopId::from_index(1), Observable::Spikes)];
        let run = |f: Fixed<f64>| f.run(std::slice::from_ref(&input), 10, &record);
        let traces = run(Fixed::new(app).expect("right")).expect("runs");
        traces.values[&PopId::from_index(1)].clone()
    };
    assert_eq!(values(&app), values(&plain));
}

#[test]
fn what_has_no_bound_is_refused() {
    let mut rng = Rng(1);
    let mut n = neuron(&mut rng);
    n.synapse = None;
    n.fire = None;
    n.offset = Constant::ZERO;
    n.membrane = Membrane::Leaky(Param::uniform(0.999));
    // 1000 / (1 - 0.999) is a million units: 2^11 of them are 2^31.
    let proof = choose(&n, 1, |_| 1000.0).expect("fits");
    assert_eq!(proof.shift, 11);
    assert_eq!(proof.lasts, None);
    let large = choose(&n, 1, |_| 3e6).expect_err("3e9 units");
    assert!(matches!(large, Unfit::Range { atom: 0, reach } if reach > 3e9));
    n.membrane = Membrane::Leaky(Param::uniform(1.0));
    assert!(matches!(choose(&n, 1, |_| 0.0), Err(Unfit::Range { .. })));
    n.membrane = Membrane::Leaky(Param::uniform(-1.25));
    assert_eq!(choose(&n, 1, |_| 0.0), Err(Unfit::Decay));
    // An integrator saturates, but not soon.
    n.membrane = Membrane::Integrate;
    let proof = choose(&n, 1, |_| 1000.0).expect("saturates");
    assert_eq!(proof.shift, 9);
    assert_eq!(proof.lasts, Some((f64::from(i32::MAX) / 512_000.0).floor()));
    let proof = choose(&n, 1, |_| 1e9).expect("saturates soon");
    assert_eq!((proof.shift, proof.lasts), (0, Some(2.0)));
}
