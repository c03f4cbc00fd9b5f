//! The whole plan on small random networks: every pass proves its claims, and
//! with `--weights float` the quantised graph spikes like the golden network.

use ir::fixed::simulate;
use ir::golden::Golden;
use ir::id::{Id, IdVec, NodeId};
use ir::network::{Edge, Network, Node, Op};
use ir::semantics::{EdgeDelay, Profile, Reset, WeightMode};
use ir::tensor::{Data, Shape, Tensor};
use ir::{Code, Fact, Module, Observable, Origin, Series, Target};
use passes::{MappingOptions, PassContext, Plan, Silent};

/// Numbers in [0, 1) that look random.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }
    fn signed(&mut self, n: usize, scale: f64) -> Vec<f64> {
        // Multiples of 2^-10, which `--weights float` holds exactly.
        (0..n)
            .map(|_| ((self.next() - 0.4) * scale * 1024.0).round() / 1024.0)
            .collect()
    }
}

struct Builder {
    network: Network,
    numbers: Numbers,
}

impl Builder {
    fn new(seed: u64) -> Self {
        Self {
            network: Network::default(),
            numbers: Numbers(seed),
        }
    }
    fn node(&mut self, name: &str, op: Op) -> NodeId {
        self.network.nodes.push(Node {
            name: name.to_owned(),
            op,
            in_shape: None,
            out_shape: None,
            origin: Origin::File {
                file: "random.nir".to_owned(),
            },
        })
    }
    fn edge(&mut self, from: NodeId, to: NodeId) {
        self.network.edges.push(Edge { from, to });
    }
    fn input(&mut self, name: &str, n: usize) -> NodeId {
        let shape = Some(Shape::of(&[n]));
        self.node(name, Op::Input { shape })
    }
    fn output(&mut self, from: NodeId) {
        let to = self.node("out", Op::Output { shape: None });
        self.edge(from, to);
    }
    fn affine(&mut self, name: &str, from: NodeId, rows: usize, cols: usize, scale: f64) -> NodeId {
        let data = Data::F64(self.numbers.signed(rows * cols, scale));
        let bias = Tensor::vector(self.numbers.signed(rows, 0.1));
        let weight = Tensor::new(Shape::of(&[rows, cols]), data).expect("sizes agree");
        let id = self.node(name, Op::Affine { weight, bias });
        self.edge(from, id);
        id
    }
    fn lif(&mut self, name: &str, from: &[NodeId], n: usize) -> NodeId {
        let tau = Tensor::vector((0..n).map(|i| 4.0 + (i % 3) as f64).collect());
        let id = self.node(
            name,
            Op::Lif {
                tau,
                r: Tensor::scalar(4.0),
                v_leak: Tensor::scalar(0.0),
                v_threshold: Tensor::vector((0..n).map(|i| 0.7 + 0.05 * i as f64).collect()),
                v_reset: None,
            },
        );
        from.iter().for_each(|&f| self.edge(f, id));
        id
    }
}

/// in -> fc1 -> hid (-> rec -> hid) -> fc2 -> z -> out, with in -> skip -> z.
fn network(seed: u64, recurrent: bool) -> Network {
    let mut b = Builder::new(seed);
    let input = b.input("in", 6);
    let fc1 = b.affine("fc1", input, 9, 6, 1.0);
    let hid = b.lif("hid", &[fc1], 9);
    if recurrent {
        let rec = b.affine("rec", hid, 9, 9, 0.4);
        b.edge(rec, hid);
    }
    let fc2 = b.affine("fc2", hid, 5, 9, 1.0);
    let skip = b.affine("skip", input, 5, 6, 0.5);
    let z = b.lif("z", &[fc2, skip], 5);
    b.output(z);
    b.network
}

fn module(network: Network, profile: Profile, weights: WeightMode) -> Module {
    let mut module = Module::from_network(network, "spinnaker2");
    module.semantics = profile.semantics();
    module.semantics.dt = Some(1.0);
    module.quantisation = profile.quantisation();
    module.quantisation.weights = weights;
    module
}

fn map(module: &mut Module, options: &MappingOptions) {
    let target = Target::spinnaker2();
    let context = PassContext {
        target: &target,
        options,
    };
    let warnings = passes::run(module, &Plan::standard(), &context, &mut Silent);
    // The tests' networks share single parameters on purpose.
    let warnings = warnings.expect("maps").into_iter();
    let warnings: Vec<_> = warnings.filter(|w| w.code != Code::Broadcast).collect();
    assert_eq!(warnings, []);
}

fn stimulus(seed: u64, steps: usize, width: usize) -> Series {
    let mut numbers = Numbers(seed);
    let mut series = Series::zeros(steps, width);
    series
        .data
        .iter_mut()
        .for_each(|v| *v = f64::from(u8::from(numbers.next() < 0.3)));
    series
}

/// Spikes of the output, golden and on the quantised graph, latency removed.
fn both(network: Network, change: impl Fn(&mut Module)) -> (Vec<f64>, Vec<f64>) {
    let steps = 60;
    let mut module = module(network.clone(), Profile::Nir, WeightMode::Float);
    change(&mut module);
    let input = stimulus(7, steps, 6);

    let mut shaped = network;
    passes::infer_shapes::infer(&mut shaped).expect("shapes agree");
    let golden = Golden::new(&shaped, &module.semantics).expect("runs");
    let golden = golden.run(std::slice::from_ref(&input), &[]).expect("runs");

    map(&mut module, &MappingOptions::default());
    let z = module
        .app
        .population_named("z")
        .expect("the output population");
    // With chip delays golden lags as the chip does.
    let lag = match module.semantics.edge_delay {
        EdgeDelay::None => module.app.populations[z].timing.expect("balanced").latency as usize,
        EdgeDelay::Chip => 0,
    };
    let wanted = [(z, Observable::Spikes)];
    let traces = simulate::<f64>(&module.app, &[input], steps + lag, &wanted).expect("runs");
    let rows = &traces.spikes[&z];
    let chip = rows.data[lag * rows.width..]
        .iter()
        .map(|&s| f64::from(s))
        .collect();
    (golden.outputs[0].1.data.clone(), chip)
}

#[test]
fn the_mapped_graph_spikes_like_the_network() {
    for seed in 0..12 {
        for recurrent in [false, true] {
            let (golden, chip) = both(network(seed, recurrent), |_| {});
            assert!(golden.iter().sum::<f64>() > 10.0, "seed {seed} is silent");
            assert_eq!(golden, chip, "seed {seed} recurrent {recurrent}");
        }
    }
}

#[test]
fn resets_and_chip_delays_agree_too() {
    for seed in 0..6 {
        let (golden, chip) = both(network(seed, true), |m| {
            m.semantics.reset = Reset::Subtract;
        });
        assert_eq!(golden, chip, "subtract, seed {seed}");
        let (golden, chip) = both(network(seed, true), |m| {
            m.semantics.edge_delay = EdgeDelay::Chip;
        });
        assert_eq!(golden, chip, "chip delays, seed {seed}");
    }
}

#[test]
fn every_mode_and_slicing_is_proved() {
    for weights in [WeightMode::Auto, WeightMode::Int8, WeightMode::Int16] {
        for cap in [1, 3, 8, 100] {
            let mut module = module(network(1, true), Profile::Nir, weights);
            let caps = ["hid", "z", "in"].map(|name| (name.to_owned(), cap));
            let options = MappingOptions {
                atoms_per_core: caps.into(),
                ..MappingOptions::default()
            };
            map(&mut module, &options);
            assert!(
                Fact::ALL
                    .iter()
                    .all(|&f| f == Fact::Compressed || module.facts.contains(f))
            );
        }
    }
}

#[test]
fn mapping_is_deterministic() {
    let run = || {
        let mut module = module(network(3, true), Profile::Nir, WeightMode::Auto);
        map(&mut module, &MappingOptions::default());
        module
    };
    assert_eq!(run(), run());
}

#[test]
fn an_empty_network_is_an_error_not_a_panic() {
    let mut module = module(Network::default(), Profile::Nir, WeightMode::Auto);
    let target = Target::spinnaker2();
    let options = MappingOptions::default();
    let context = PassContext {
        target: &target,
        options: &options,
    };
    assert!(passes::run(&mut module, &Plan::standard(), &context, &mut Silent).is_err());
}

#[test]
fn ids_out_of_range_are_found_before_a_pass_indexes_them() {
    let mut module = module(Network::default(), Profile::Nir, WeightMode::Auto);
    let nowhere = NodeId::from_index(5);
    module.network.edges.push(Edge {
        from: nowhere,
        to: nowhere,
    });
    module.network.nodes = IdVec::new();
    let target = Target::spinnaker2();
    let options = MappingOptions::default();
    let context = PassContext {
        target: &target,
        options: &options,
    };
    assert!(passes::run(&mut module, &Plan::standard(), &context, &mut Silent).is_err());
}

#[test]
fn more_slices_than_pes_are_counted() {
    let mut builder = Builder::new(0);
    let input = builder.input("in", 200);
    builder.output(input);
    let mut module = module(builder.network, Profile::Nir, WeightMode::Auto);
    let target = Target::spinnaker2();
    let options = MappingOptions {
        atoms_per_core: [("in".to_owned(), 1)].into(),
        ..MappingOptions::default()
    };
    let context = PassContext {
        target: &target,
        options: &options,
    };
    let error = passes::run(&mut module, &Plan::standard(), &context, &mut Silent);
    let error = error.expect_err("200 slices").to_string();
    assert!(
        error.contains("needs 200 PEs and the machine has 148"),
        "{error}"
    );
    assert!(error.contains("PEs by population: 'in' 200"), "{error}");
    module.machine.width = 2;
    let rest = Plan::rest_of_standard(module.facts);
    passes::run(&mut module, &rest, &context, &mut Silent).expect("two chips are enough");
}
