//! What a network means survives the passes: with `--weights float` the mapped
//! graph, run in float64, sends what golden says, step for step, for every kind
//! of node and option.

use ir::app::{Connector, Projection, Sends};
use ir::fixed::Fixed;
use ir::golden::Golden;
use ir::id::NodeId;
use ir::network::{Edge, Network, Node, Op, Padding};
use ir::semantics::{
    Bias, EdgeDelay, Integrator, Profile, Reset, Schedule, Semantics, SpikeOn, VFloor, WeightMode,
};
use ir::tensor::{Data, Shape, Tensor};
use ir::{Code, Module, Observable, Origin, Series, Target};
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
}

/// Networks from lines such as `add("fc", op, &["in"])`.
struct Net {
    network: Network,
    numbers: Numbers,
    inputs: Vec<(String, Sends)>,
}

impl Net {
    fn new() -> Self {
        Self {
            network: Network::default(),
            numbers: Numbers(11),
            inputs: Vec::new(),
        }
    }
    fn add(&mut self, name: &str, op: Op, from: &[&str]) -> NodeId {
        let id = self.network.nodes.push(Node {
            name: name.to_owned(),
            op,
            in_shape: None,
            out_shape: None,
            origin: Origin::Compiler,
        });
        for from in from {
            self.edge(from, name);
        }
        id
    }
    fn edge(&mut self, from: &str, to: &str) {
        let find = |name| self.network.node_named(name).expect("a node");
        let edge = Edge {
            from: find(from),
            to: find(to),
        };
        self.network.edges.push(edge);
    }
    fn input(&mut self, name: &str, dims: &[usize], sends: Sends) {
        let shape = Some(Shape::of(dims));
        self.add(name, Op::Input { shape }, &[]);
        self.inputs.push((name.to_owned(), sends));
    }
    fn output(&mut self, name: &str, from: &[&str]) {
        self.add(name, Op::Output { shape: None }, from);
    }
    /// Multiples of 2^-10, which `--weights float` holds exactly.
    fn weights(&mut self, dims: &[usize], scale: f64) -> Tensor {
        let numbers = &mut self.numbers;
        let n = dims.iter().product::<usize>();
        let data = (0..n).map(|_| ((numbers.next() - 0.4) * scale * 1024.0).round() / 1024.0);
        Tensor::new(Shape::of(dims), Data::F64(data.collect())).expect("sizes agree")
    }
    fn affine(&mut self, name: &str, from: &str, (n_out, n_in): (usize, usize), scale: f64) {
        let (weight, bias) = (
            self.weights(&[n_out, n_in], scale),
            self.weights(&[n_out], 0.1),
        );
        self.add(name, Op::Affine { weight, bias }, &[from]);
    }
    fn conv(&mut self, name: &str, from: &str, dims: &[usize], change: impl FnOnce(&mut Op)) {
        let weight = self.weights(dims, 0.5);
        let bias = Some(self.weights(&dims[..1], 0.1));
        let mut op = Op::Conv2d {
            weight,
            bias,
            stride: [1, 1],
            padding: Padding::Zeros(vec![1, 1]),
            dilation: [1, 1],
            groups: 1,
            input_shape: None,
        };
        change(&mut op);
        self.add(name, op, &[from]);
    }
    fn spread(&mut self, n: usize, from: f64, to: f64) -> Tensor {
        let numbers = &mut self.numbers;
        Tensor::vector(
            (0..n)
                .map(|_| from + (to - from) * numbers.next())
                .collect(),
        )
    }
    fn fire(&mut self, n: usize) -> (Tensor, Option<Tensor>) {
        (self.spread(n, 0.5, 0.9), Some(self.spread(n, -0.1, 0.1)))
    }
    fn lif(&mut self, name: &str, from: &[&str], n: usize) {
        let (v_threshold, v_reset) = self.fire(n);
        let op = Op::Lif {
            tau: self.spread(n, 3.0, 6.0),
            r: self.spread(n, 2.0, 5.0),
            v_leak: self.spread(n, -0.1, 0.1),
            v_threshold,
            v_reset,
        };
        self.add(name, op, from);
    }
    fn cuba(&mut self, name: &str, from: &[&str], n: usize) {
        let (v_threshold, v_reset) = self.fire(n);
        let op = Op::CubaLif {
            tau_syn: self.spread(n, 1.5, 3.0),
            tau_mem: self.spread(n, 3.0, 6.0),
            r: self.spread(n, 2.0, 4.0),
            v_leak: self.spread(n, -0.1, 0.1),
            v_threshold,
            v_reset,
            w_in: self.spread(n, 1.0, 3.0),
        };
        self.add(name, op, from);
    }
    fn integrate(&mut self, name: &str, from: &[&str], dims: &[usize]) {
        let n = dims.iter().product();
        let shape = |t: Tensor| t.reshaped(Shape::of(dims)).expect("sizes agree");
        let (v_threshold, v_reset) = self.fire(n);
        let op = Op::If {
            r: shape(Tensor::vector(vec![1.0; n])),
            v_threshold: shape(v_threshold),
            v_reset: v_reset.map(shape),
        };
        self.add(name, op, from);
    }
    fn delay(&mut self, name: &str, from: &[&str], steps: &[f64]) {
        let delay = Tensor::vector(steps.to_vec());
        self.add(name, Op::Delay { delay }, from);
    }
}

fn nir() -> Semantics {
    Semantics {
        dt: Some(1.0),
        ..Profile::Nir.semantics()
    }
}

fn profile(profile: Profile) -> Semantics {
    Semantics {
        dt: Some(1.0),
        ..profile.semantics()
    }
}

/// Values of every output by name: what golden says and what the chip sends.
fn both(net: &Net, semantics: &Semantics, schedule: Schedule) -> Vec<(String, Vec<f64>, Vec<f64>)> {
    let steps = 40;
    let mut module = Module::from_network(net.network.clone(), "spinnaker2");
    module.semantics = semantics.clone();
    module.quantisation.weights = WeightMode::Float;
    module.inputs = net.inputs.iter().cloned().collect();
    // Divides into any small number of ticks, and is long enough for all.
    module.time_step_us = 25_200;

    let mut shaped = net.network.clone();
    passes::infer_shapes::infer(&mut shaped).expect("shapes agree");
    let mut numbers = Numbers(5);
    let mut stimulus = |n: usize, sends: Sends| {
        let mut series = Series::zeros(steps, n);
        for v in &mut series.data {
            let x = numbers.next();
            *v = match sends {
                Sends::Spikes => f64::from(u8::from(x < 0.3)),
                Sends::Counts { max } => (x * f64::from(max + 1)).floor(),
                Sends::Values => ((x - 0.3) * 256.0).round() / 128.0,
            };
        }
        series
    };
    let mut inputs = Vec::new();
    for id in shaped.inputs() {
        let node = &shaped.nodes[id];
        let sends = net.inputs.iter().find(|(name, _)| *name == node.name);
        let n = node.out_shape.as_ref().map_or(0, Shape::len);
        inputs.push(stimulus(n, sends.expect("listed").1));
    }
    let golden = Golden::new(&shaped, semantics).expect("golden runs");
    let wanted = golden.run(&inputs, &[]).expect("golden runs");

    let target = Target::spinnaker2();
    let options = MappingOptions {
        schedule,
        ..MappingOptions::default()
    };
    let context = PassContext {
        target: &target,
        options: &options,
    };
    let mapped = passes::run(&mut module, &Plan::standard(), &context, &mut Silent);
    if let Err(error) = mapped {
        panic!("{error}");
    }
    let app = &module.app;
    let fixed = Fixed::<f64>::new(app).expect("runs");
    let ticks = fixed.ticks_per_step();
    let latency = |pop| app.populations[pop].timing.expect("balanced").latency as usize;
    let longest = app.populations.ids().map(latency).max().unwrap_or(0);
    let record: Vec<_> = app
        .outputs
        .iter()
        .map(|o| (o.source, Observable::Spikes))
        .collect();
    let traces = fixed.run(&inputs, (steps + 1) * ticks + longest, &record);
    let traces = traces.expect("runs");

    let mut found = Vec::new();
    for (id, series) in &wanted.outputs {
        let name = &shaped.nodes[*id].name;
        let source = app
            .outputs
            .iter()
            .find(|o| o.name == *name)
            .expect("a port")
            .source;
        let lag = golden.latency(*id);
        let (mut said, mut sent) = (Vec::new(), Vec::new());
        for step in 0..steps - lag {
            said.extend_from_slice(series.row(step + lag));
            let tick = step * ticks + latency(source);
            match traces.values.get(&source) {
                Some(rows) => sent.extend_from_slice(rows.row(tick)),
                None => sent.extend(
                    traces.spikes[&source]
                        .row(tick)
                        .iter()
                        .map(|&k| f64::from(k)),
                ),
            }
        }
        found.push((name.clone(), said, sent));
    }
    found
}

fn agree(what: &str, net: &Net, semantics: &Semantics) {
    agree_by(what, net, semantics, Schedule::Auto);
}

fn agree_by(what: &str, net: &Net, semantics: &Semantics, schedule: Schedule) {
    for (name, said, sent) in both(net, semantics, schedule) {
        let active = said.iter().filter(|v| **v != 0.0).count();
        assert!(active > 10, "{what}: '{name}' is silent");
        let range = said.iter().fold(1.0f64, |m, v| m.max(v.abs()));
        let off = said
            .iter()
            .zip(&sent)
            .position(|(a, b)| (a - b).abs() > 1e-5 * range);
        if let Some(i) = off {
            panic!(
                "{what}: '{name}' value {i}: golden {}, chip {}",
                said[i], sent[i]
            );
        }
    }
}

fn images(sends: Sends) -> Net {
    let mut net = Net::new();
    net.input("in", &[2, 8, 6], sends);
    net.conv("c1", "in", &[3, 2, 3, 3], |_| {});
    net.integrate("n1", &["c1"], &[3, 8, 6]);
    let pool = Op::SumPool2d {
        kernel: [2, 2],
        stride: [2, 2],
        padding: [0, 0],
    };
    net.add("p1", pool, &["n1"]);
    net.conv("c2", "p1", &[4, 3, 3, 2], |op| {
        if let Op::Conv2d {
            stride, padding, ..
        } = op
        {
            *stride = [2, 1];
            *padding = Padding::Zeros(vec![1, 0]);
        }
    });
    net.integrate("n2", &["c2"], &[4, 2, 2]);
    let flatten = Op::Flatten {
        start_dim: 0,
        end_dim: -1,
        input_type: None,
    };
    net.add("flat", flatten, &["n2"]);
    net.affine("fc", "flat", (5, 16), 1.0);
    net.integrate("n3", &["fc"], &[5]);
    net.output("out", &["n3"]);
    net
}

#[test]
fn convolutions_and_pools() {
    agree("zero", &images(Sends::Spikes), &profile(Profile::Norse));
    agree("counts in", &images(Sends::Counts { max: 3 }), &nir());
    agree(
        "counts between",
        &images(Sends::Counts { max: 3 }),
        &profile(Profile::Sinabs),
    );
    agree(
        "values in",
        &images(Sends::Values),
        &profile(Profile::Sinabs),
    );
}

#[test]
fn every_other_window() {
    let mut net = Net::new();
    net.input("in", &[4, 7, 7], Sends::Spikes);
    net.conv("same", "in", &[4, 4, 2, 2], |op| {
        if let Op::Conv2d {
            padding, dilation, ..
        } = op
        {
            *padding = Padding::Same;
            *dilation = [2, 1];
        }
    });
    let average = Op::AvgPool2d {
        kernel: [3, 2],
        stride: [2, 2],
        padding: [1, 1],
    };
    net.add("average", average, &["same"]);
    net.integrate("a", &["average"], &[4, 4, 4]);
    net.conv("groups", "a", &[6, 2, 3, 3], |op| {
        if let Op::Conv2d { groups, .. } = op {
            *groups = 2;
        }
    });
    net.integrate("b", &["groups"], &[6, 4, 4]);
    net.conv("each", "b", &[6, 1, 1, 3], |op| {
        if let Op::Conv2d { groups, .. } = op {
            *groups = 6;
        }
    });
    net.add(
        "flat",
        Op::Flatten {
            start_dim: 1,
            end_dim: 2,
            input_type: None,
        },
        &["each"],
    );
    let weight = net.weights(&[3, 6, 3], 0.5);
    let line = Op::Conv1d {
        weight,
        bias: None,
        stride: 2,
        padding: Padding::Zeros(vec![1]),
        dilation: 1,
        groups: 1,
        input_shape: None,
    };
    net.add("line", line, &["flat"]);
    net.integrate("c", &["line"], &[3, 12]);
    net.output("out", &["c"]);
    agree("windows", &net, &nir());
}

fn recurrent() -> Net {
    let mut net = Net::new();
    net.input("in", &[5], Sends::Spikes);
    net.affine("fc", "in", (7, 5), 1.0);
    net.cuba("hid", &["fc"], 7);
    net.affine("rec", "hid", (7, 7), 0.4);
    net.edge("rec", "hid");
    net.affine("fc2", "hid", (4, 7), 1.0);
    net.lif("z", &["fc2"], 4);
    net.output("out", &["z"]);
    net
}

#[test]
fn recurrent_layers_in_every_profile() {
    for p in Profile::ALL {
        agree(p.name(), &recurrent(), &profile(*p));
    }
}

#[test]
fn old_membranes_decide_everywhere() {
    let mut net = Net::new();
    net.input("in", &[5], Sends::Spikes);
    net.affine("fc", "in", (6, 5), 1.5);
    net.lif("hid", &["fc"], 6);
    net.affine("fc2", "hid", (4, 6), 1.0);
    net.integrate("z", &["fc2"], &[4]);
    net.output("out", &["z"]);
    let with = |reset| Semantics {
        reset,
        spike_on: SpikeOn::Old,
        ..nir()
    };
    for reset in Reset::ALL {
        agree(reset.name(), &net, &with(*reset));
    }
    let floor = Semantics {
        v_floor: VFloor::NegThreshold,
        ..with(Reset::Subtract)
    };
    agree("floor", &net, &floor);
    // Recurrent, with and without chip delays.
    net.affine("rec", "hid", (6, 6), 0.5);
    net.edge("rec", "hid");
    for reset in [Reset::Subtract, Reset::Zero, Reset::None] {
        agree(reset.name(), &net, &with(reset));
        let chip = Semantics {
            edge_delay: EdgeDelay::Chip,
            ..with(reset)
        };
        agree(reset.name(), &net, &chip);
    }
}

#[test]
fn options_by_themselves() {
    let net = recurrent();
    for reset in Reset::ALL {
        for spike_on in SpikeOn::ALL {
            // What no rule of the chip does in a recurrent CubaLIF.
            if *spike_on == SpikeOn::Old && *reset == Reset::SnntorchSubtract {
                continue;
            }
            let s = Semantics {
                reset: *reset,
                spike_on: *spike_on,
                ..nir()
            };
            agree(reset.name(), &net, &s);
        }
    }
    for integrator in Integrator::ALL {
        for bias in Bias::ALL {
            let s = Semantics {
                integrator: *integrator,
                bias: *bias,
                ..nir()
            };
            agree(integrator.name(), &net, &s);
        }
    }
}

#[test]
fn graded_neurons_and_outputs() {
    let mut net = Net::new();
    net.input("in", &[5], Sends::Spikes);
    net.input("real", &[3], Sends::Values);
    net.affine("fc", "in", (4, 5), 1.0);
    net.affine("fr", "real", (4, 3), 1.0);
    let (tau, r, v_leak) = (
        net.spread(4, 2.0, 5.0),
        net.spread(4, 1.0, 2.0),
        net.spread(4, 0.0, 0.1),
    );
    net.add("li", Op::Li { tau, r, v_leak }, &["fc", "fr"]);
    net.affine("f2", "li", (3, 4), 1.0);
    let op = Op::CubaLi {
        tau_syn: net.spread(3, 2.0, 5.0),
        tau_mem: net.spread(3, 2.0, 5.0),
        r: net.spread(3, 1.0, 2.0),
        v_leak: net.spread(3, 0.0, 0.1),
        w_in: net.spread(3, 1.0, 2.0),
    };
    net.add("cuba", op, &["f2"]);
    let r = net.spread(3, 0.1, 0.2);
    net.add("sum", Op::I { r }, &["f2"]);
    net.lif("z", &["cuba", "sum"], 3);
    net.affine("show", "z", (2, 3), 1.0);
    net.output("spikes", &["z"]);
    net.output("values", &["cuba"]);
    net.output("both", &["z", "cuba"]);
    net.output("weighted", &["show"]);
    agree("graded", &net, &nir());
    agree(
        "graded, chip delays",
        &net,
        &Semantics {
            edge_delay: EdgeDelay::Chip,
            ..nir()
        },
    );
}

fn delayed() -> Net {
    let mut net = Net::new();
    net.input("in", &[4], Sends::Spikes);
    net.affine("fc", "in", (4, 4), 1.5);
    net.delay("d1", &["fc"], &[0.0, 1.0, 3.0, 3.0]);
    net.lif("a", &["d1"], 4);
    net.delay("d2", &["a"], &[2.0]);
    net.affine("back", "d2", (4, 4), 0.6);
    net.edge("back", "a");
    net.delay("d3", &["a"], &[1.0, 0.0, 5.0, 2.0]);
    net.output("late", &["d3"]);
    // y(t) = a(t) + 0.5 y(t - 3)
    net.add(
        "one",
        Op::Scale {
            scale: Tensor::scalar(1.0),
        },
        &["a"],
    );
    net.delay("d4", &["one"], &[3.0]);
    net.add(
        "half",
        Op::Scale {
            scale: Tensor::scalar(0.5),
        },
        &["d4"],
    );
    net.edge("half", "one");
    net.output("filtered", &["one"]);
    net
}

#[test]
fn delays() {
    agree("delays", &delayed(), &nir());
    agree_by("phased", &delayed(), &nir(), Schedule::Phased);
    let chip = Semantics {
        edge_delay: EdgeDelay::Chip,
        ..nir()
    };
    agree("chip", &delayed(), &chip);
}

#[test]
fn cycles_over_several_populations_and_thresholds() {
    let mut net = Net::new();
    net.input("in", &[4], Sends::Spikes);
    net.affine("fc", "in", (4, 4), 1.5);
    net.lif("a", &["fc"], 4);
    net.affine("ab", "a", (4, 4), 1.2);
    net.lif("b", &["ab"], 4);
    net.add(
        "t",
        Op::Threshold {
            threshold: net_threshold(),
        },
        &["b"],
    );
    net.affine("tc", "t", (4, 4), 1.2);
    net.lif("c", &["tc", "in"], 4);
    net.affine("ca", "c", (4, 4), 0.5);
    net.edge("ca", "a");
    net.output("out", &["c", "in"]);
    net.output("seen", &["t"]);
    for schedule in [Schedule::Auto, Schedule::Phased] {
        agree_by("cycle", &net, &nir(), schedule);
        agree_by("cycle, counts", &net, &profile(Profile::Sinabs), schedule);
    }
    agree("cycle, chip", &net, &profile(Profile::Lava));
}

fn net_threshold() -> Tensor {
    Tensor::scalar(0.5)
}

/// The network of the N-MNIST file that sinabs exported, in its shapes.
fn mnist() -> Net {
    let mut net = Net::new();
    let pool = || Op::SumPool2d {
        kernel: [2, 2],
        stride: [2, 2],
        padding: [0, 0],
    };
    net.input("in", &[2, 34, 34], Sends::Counts { max: 3 });
    net.conv("c1", "in", &[16, 2, 5, 5], |op| {
        if let Op::Conv2d { stride, .. } = op {
            *stride = [2, 2];
        }
    });
    net.integrate("n1", &["c1"], &[16, 16, 16]);
    net.conv("c2", "n1", &[16, 16, 3, 3], |_| {});
    net.integrate("n2", &["c2"], &[16, 16, 16]);
    net.add("p2", pool(), &["n2"]);
    net.conv("c3", "p2", &[8, 16, 3, 3], |_| {});
    net.integrate("n3", &["c3"], &[8, 8, 8]);
    net.add("p3", pool(), &["n3"]);
    let flatten = Op::Flatten {
        start_dim: 0,
        end_dim: -1,
        input_type: None,
    };
    net.add("flat", flatten, &["p3"]);
    net.affine("f1", "flat", (256, 128), 0.2);
    net.integrate("n4", &["f1"], &[256]);
    net.affine("f2", "n4", (10, 256), 0.2);
    net.integrate("n5", &["f2"], &[10]);
    net.output("out", &["n5"]);
    net
}

#[test]
fn the_mnist_network_fits_one_chip_and_its_time_step() {
    for weights in WeightMode::ALL {
        let mut module = Module::from_network(mnist().network, "spinnaker2");
        module.semantics = nir();
        module.quantisation.weights = *weights;
        module.inputs = mnist().inputs.into_iter().collect();
        let target = Target::spinnaker2();
        let options = MappingOptions::default();
        let context = PassContext {
            target: &target,
            options: &options,
        };
        let warnings = passes::run(&mut module, &Plan::standard(), &context, &mut Silent);
        let warnings = warnings.expect("maps");
        assert!(
            warnings.iter().all(|w| w.code != Code::TooSlow),
            "{warnings:?}"
        );
        // The pool before the third convolution is part of it.
        let conv = |p: &Projection| matches!(p.connector, Connector::Conv(_));
        assert_eq!(
            module.app.projections.values().filter(|p| conv(p)).count(),
            3
        );
        let vertices = module.machine_graph.vertices.len();
        let most = if *weights == WeightMode::Int8 { 40 } else { 64 };
        assert!(vertices <= most, "{weights}: {vertices} PEs");
    }
}
