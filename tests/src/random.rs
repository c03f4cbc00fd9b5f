//! Random legal networks with inputs: every primitive, cycles, several ports,
//! delays, counts and real values. Sizes are small, so that many can be run.
//!
//! A seed decides everything; the same seed gives the same case on every
//! machine.

use ir::app::Sends;
use ir::module::Module;
use ir::network::{Edge, Network, Node, Op, Padding};
use ir::semantics::{self as s, Profile, Schedule, WeightMode};
use ir::{Data, NodeId, Origin, Shape, Tensor};
use std::collections::BTreeMap;

/// Seconds of a step in every generated network.
const DT: f64 = 1e-3;

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same everywhere.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    /// From `low` to `high`, both included.
    pub fn int(&mut self, low: usize, high: usize) -> usize {
        low + (self.word() % (high - low + 1) as u64) as usize
    }
    /// Uniform, with the mantissa of a float32: networks are stored so.
    pub fn real(&mut self, low: f64, high: f64) -> f64 {
        let unit = (self.word() >> 11) as f64 / (1u64 << 53) as f64;
        f64::from((low + unit * (high - low)) as f32)
    }
    /// True once in `n`.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.int(1, n) == 1
    }
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.int(0, of.len() - 1)]
    }
}

/// A network with its meaning, mapping and inputs.
#[derive(Clone, Debug)]
pub struct Case {
    pub seed: u64,
    /// Holds the network, semantics, quantisation and what the Inputs carry.
    pub module: Module,
    pub schedule: Schedule,
    /// Most atoms on a PE, where bounded, so that populations are cut.
    pub atoms_per_core: BTreeMap<String, u32>,
    pub samples: usize,
    pub steps: usize,
    /// `[samples, steps, n]` for each Input.
    pub inputs: BTreeMap<String, Vec<f32>>,
}

/// The case of a seed.
pub fn case(seed: u64) -> Case {
    let mut rng = Rng::new(seed ^ 0x5332_4300);
    rng.word();
    let semantics = semantics(&mut rng);
    let mut maker = Maker {
        rng,
        network: Network {
            name: format!("seed{seed}"),
            ..Network::default()
        },
        shapes: Vec::new(),
        gain: GainHints::of(&semantics),
    };
    let carried = maker.inputs();
    let nodes = maker.rng.int(1, 9);
    for _ in 0..nodes {
        maker.node();
    }
    maker.cycles();
    maker.outputs();
    let Maker {
        mut rng, network, ..
    } = maker;

    let samples = rng.int(1, 2);
    let steps = rng.int(6, 18);
    let mut inputs = BTreeMap::new();
    for id in network.inputs() {
        let node = &network.nodes[id];
        let Op::Input { shape: Some(shape) } = &node.op else {
            continue;
        };
        let sends = carried.get(&node.name).copied().unwrap_or(Sends::Spikes);
        let density = rng.int(1, 4);
        let values = (0..samples * steps * shape.len()).map(|_| {
            if rng.one_in(1 + density) {
                return 0.0;
            }
            match sends {
                Sends::Spikes => 1.0,
                Sends::Counts { max } => rng.int(1, max as usize) as f32,
                Sends::Values => rng.real(-2.0, 2.0) as f32,
            }
        });
        inputs.insert(node.name.clone(), values.collect());
    }
    let mut atoms_per_core = BTreeMap::new();
    if rng.one_in(3) {
        for node in network.nodes.values() {
            if node.op.is_stateful() && rng.one_in(2) {
                atoms_per_core.insert(node.name.clone(), rng.int(1, 5) as u32);
            }
        }
    }
    let mut module = Module::from_network(network, "spinnaker2");
    module.semantics = semantics;
    module.quantisation = Profile::Nir.quantisation();
    module.quantisation.weights = rng.pick(&[
        WeightMode::Float,
        WeightMode::Float,
        WeightMode::Auto,
        WeightMode::Int8,
        WeightMode::Int16,
    ]);
    if rng.one_in(6) {
        module.quantisation.scale = s::ScaleMode::Population;
        module.quantisation.rounding = s::Rounding::Truncate;
    }
    module.inputs = carried;
    // Long enough that no deadline is missed, however the step is split.
    module.time_step_us = 20_000;
    Case {
        seed,
        module,
        schedule: rng.pick(&[
            Schedule::Auto,
            Schedule::Auto,
            Schedule::Auto,
            Schedule::Phased,
        ]),
        atoms_per_core,
        samples,
        steps,
        inputs,
    }
}

fn semantics(rng: &mut Rng) -> s::Semantics {
    let mut m = rng.pick(Profile::ALL).semantics();
    m.dt = Some(DT);
    macro_rules! sometimes {
        ($($field:ident: $type:ty;)*) => {$(
            if rng.one_in(4) {
                m.$field = rng.pick(<$type>::ALL);
            }
        )*};
    }
    sometimes! {
        integrator: s::Integrator;
        reset: s::Reset;
        compare: s::Compare;
        spike_on: s::SpikeOn;
        hold: s::Hold;
        syn_gain: s::SynGain;
        syn_decay: s::SynDecay;
        if_gain: s::IfGain;
        recurrent_bias_t0: s::RecurrentBiasT0;
        bias: s::Bias;
        v_floor: s::VFloor;
    }
    if rng.one_in(12) {
        m.edge_delay = s::EdgeDelay::Chip;
    }
    m
}

/// Factors that make inputs of about 1 move membranes by about 1.
#[derive(Clone, Copy, Debug)]
struct GainHints {
    if_gain: f64,
    syn_unit: bool,
}

impl GainHints {
    fn of(m: &s::Semantics) -> Self {
        Self {
            if_gain: match m.if_gain {
                s::IfGain::Dt => 1.0 / DT,
                s::IfGain::Unit => 1.0,
            },
            syn_unit: m.syn_gain == s::SynGain::Unit,
        }
    }
}

struct Maker {
    rng: Rng,
    network: Network,
    /// What each node produces.
    shapes: Vec<Shape>,
    gain: GainHints,
}

impl Maker {
    fn add(&mut self, name: String, op: Op, shape: Shape) -> NodeId {
        self.shapes.push(shape);
        self.network.nodes.push(Node {
            name,
            op,
            in_shape: None,
            out_shape: None,
            origin: Origin::Compiler,
        })
    }

    fn connect(&mut self, from: NodeId, to: NodeId) {
        self.network.edges.push(Edge { from, to });
    }

    fn shape(&self, id: NodeId) -> Shape {
        self.shapes[ir::Id::index(id)].clone()
    }

    fn inputs(&mut self) -> BTreeMap<String, Sends> {
        let mut carried = BTreeMap::new();
        let n = self.rng.pick(&[1, 1, 1, 2, 3]);
        for i in 0..n {
            let shape = match self.rng.int(0, 5) {
                0..=2 => Shape::of(&[self.rng.int(1, 9)]),
                3 => Shape::of(&[self.rng.int(1, 3), self.rng.int(2, 7)]),
                _ => {
                    let (h, w) = (self.rng.int(2, 6), self.rng.int(2, 6));
                    Shape::of(&[self.rng.int(1, 3), h, w])
                }
            };
            let name = self.rng.pick(&["in", "x.in", "a/in"]);
            let name = format!("{name}{i}");
            match self.rng.int(0, 5) {
                0 => drop(carried.insert(name.clone(), Sends::Values)),
                1 => {
                    let max = self.rng.int(2, 7) as u32;
                    carried.insert(name.clone(), Sends::Counts { max });
                }
                _ => {}
            }
            let op = Op::Input {
                shape: Some(shape.clone()),
            };
            self.add(name, op, shape);
        }
        carried
    }

    /// A node that something may read: any but Outputs, the latest preferred.
    fn source(&mut self) -> NodeId {
        let n = self.shapes.len();
        let at = if self.rng.one_in(3) {
            self.rng.int(0, n - 1)
        } else {
            self.rng.int(n.saturating_sub(3), n - 1)
        };
        ir::Id::from_index(at)
    }

    /// One node behind one existing node, sometimes two of the same shape.
    fn node(&mut self) {
        let from = self.source();
        let shape = self.shape(from);
        let (op, out) = self.op(&shape);
        let name = format!(
            "n{}{}{}",
            self.shapes.len(),
            self.rng.pick(&["_", ".", "/"]),
            op.kind().to_lowercase()
        );
        let same: Vec<NodeId> = self
            .network
            .nodes
            .ids()
            .filter(|&id| self.shape(id) == shape)
            .collect();
        let id = self.add(name, op, out);
        self.connect(from, id);
        if self.rng.one_in(4) {
            let second = self.rng.pick(&same);
            self.connect(second, id);
        }
    }

    fn op(&mut self, shape: &Shape) -> (Op, Shape) {
        // Neurons half of the time: they make the network worth running.
        if self.rng.one_in(2) {
            return (self.neuron(shape), shape.clone());
        }
        match (shape.rank(), self.rng.int(0, 9)) {
            (_, 0) => (self.scale(shape), shape.clone()),
            (_, 1) => (self.delay(shape), shape.clone()),
            (1, _) => {
                let out = self.rng.int(1, 9);
                (self.dense(shape.len(), out), Shape::of(&[out]))
            }
            (2, 2..=6) => self.conv1d(shape),
            (3, 2..=5) => self.conv2d(shape),
            (3, 6..=7) => self.pool(shape),
            _ => {
                let op = Op::Flatten {
                    start_dim: 0,
                    end_dim: -1,
                    input_type: Some(shape.clone()),
                };
                (op, Shape::of(&[shape.len()]))
            }
        }
    }

    /// One value for all, or one each.
    fn param(&mut self, shape: &Shape, low: f64, high: f64) -> Tensor {
        if self.rng.one_in(3) {
            return Tensor::scalar(self.rng.real(low, high));
        }
        let values = (0..shape.len()).map(|_| self.rng.real(low, high) as f32);
        let values = values.collect();
        Tensor::new(shape.clone(), Data::F32(values)).expect("one value each")
    }

    fn weights(&mut self, dims: &[usize], fan_in: usize) -> Tensor {
        let shape = Shape::of(dims);
        let most = 1.8 / (fan_in as f64).sqrt();
        let sparse = self.rng.one_in(3);
        let values = (0..shape.len()).map(|_| {
            if sparse && self.rng.one_in(2) {
                return 0.0;
            }
            (self.rng.real(-most, most) + 0.15 * most) as f32
        });
        let values = values.collect();
        Tensor::new(shape, Data::F32(values)).expect("one value each")
    }

    fn bias(&mut self, n: usize) -> Tensor {
        let shape = Shape::of(&[n]);
        let values = (0..n).map(|_| self.rng.real(-0.2, 0.4) as f32).collect();
        Tensor::new(shape, Data::F32(values)).expect("one value each")
    }

    fn dense(&mut self, n_in: usize, n_out: usize) -> Op {
        let weight = self.weights(&[n_out, n_in], n_in);
        if self.rng.one_in(2) {
            Op::Linear { weight }
        } else {
            let bias = self.bias(n_out);
            Op::Affine { weight, bias }
        }
    }

    fn scale(&mut self, shape: &Shape) -> Op {
        Op::Scale {
            scale: self.param(shape, -1.5, 1.5),
        }
    }

    fn delay(&mut self, shape: &Shape) -> Op {
        // Off the middle between two steps, where rounding is a convention.
        let values = (0..shape.len()).map(|_| {
            let steps = self.rng.int(0, 4) as f64 + self.rng.real(-0.3, 0.3);
            (steps.max(0.0) * DT) as f32
        });
        let values: Vec<f32> = values.collect();
        let delay = if self.rng.one_in(2) {
            Tensor::scalar(f64::from(values[0]))
        } else {
            Tensor::new(shape.clone(), Data::F32(values)).expect("one value each")
        };
        Op::Delay { delay }
    }

    fn conv1d(&mut self, shape: &Shape) -> (Op, Shape) {
        let [c_in, n] = shape.0[..] else {
            unreachable!("rank 2")
        };
        let kernel = self.rng.int(1, n.min(3));
        let dilation = if (kernel - 1) * 2 < n {
            self.rng.int(1, 2)
        } else {
            1
        };
        let reach = dilation * (kernel - 1);
        let (padding, zeros, stride) = if self.rng.one_in(3) {
            (Padding::Same, reach, 1)
        } else {
            let p = self.rng.int(0, 1);
            (Padding::Zeros(vec![p]), 2 * p, self.rng.int(1, 2))
        };
        let groups = if c_in == 2 && self.rng.one_in(2) {
            2
        } else {
            1
        };
        let c_out = groups * self.rng.int(1, 3);
        let size = (n + zeros - reach - 1) / stride + 1;
        let per_group = c_in / groups;
        let op = Op::Conv1d {
            weight: self.weights(&[c_out, per_group, kernel], per_group * kernel),
            bias: self.some_bias(c_out),
            stride,
            padding,
            dilation,
            groups,
            input_shape: Some(n),
        };
        (op, Shape::of(&[c_out, size]))
    }

    fn some_bias(&mut self, n: usize) -> Option<Tensor> {
        self.rng.one_in(2).then(|| self.bias(n))
    }

    fn conv2d(&mut self, shape: &Shape) -> (Op, Shape) {
        let [c_in, h, w] = shape.0[..] else {
            unreachable!("rank 3")
        };
        let size = [h, w];
        let kernel = size.map(|n| self.rng.int(1, n.min(3)));
        let mut dilation = [1, 1];
        for d in 0..2 {
            if (kernel[d] - 1) * 2 < size[d] && self.rng.one_in(4) {
                dilation[d] = 2;
            }
        }
        let reach = [0, 1].map(|d| dilation[d] * (kernel[d] - 1));
        let same = self.rng.one_in(3);
        let stride = if same {
            [1, 1]
        } else {
            [self.rng.int(1, 2), self.rng.int(1, 2)]
        };
        let zeros = [self.rng.int(0, 1), self.rng.int(0, 1)];
        let groups = match c_in {
            2 | 3 if self.rng.one_in(4) => c_in,
            _ => 1,
        };
        let c_out = groups * self.rng.int(1, 4);
        let out = [0, 1].map(|d| {
            let around = if same { reach[d] } else { 2 * zeros[d] };
            (size[d] + around - reach[d] - 1) / stride[d] + 1
        });
        let per_group = c_in / groups;
        let op = Op::Conv2d {
            weight: self.weights(
                &[c_out, per_group, kernel[0], kernel[1]],
                per_group * kernel[0] * kernel[1],
            ),
            bias: self.some_bias(c_out),
            stride,
            padding: if same {
                Padding::Same
            } else {
                Padding::Zeros(zeros.to_vec())
            },
            dilation,
            groups,
            input_shape: Some([h, w]),
        };
        (op, Shape::of(&[c_out, out[0], out[1]]))
    }

    fn pool(&mut self, shape: &Shape) -> (Op, Shape) {
        let [c, h, w] = shape.0[..] else {
            unreachable!("rank 3")
        };
        let size = [h, w];
        let kernel = size.map(|n| self.rng.int(1, n.min(3)));
        let stride = [self.rng.int(1, 2), self.rng.int(1, 2)];
        let padding = kernel.map(|k| self.rng.int(0, k / 2));
        let out = [0, 1].map(|d| (size[d] + 2 * padding[d] - kernel[d]) / stride[d] + 1);
        let op = if self.rng.one_in(2) {
            Op::SumPool2d {
                kernel,
                stride,
                padding,
            }
        } else {
            Op::AvgPool2d {
                kernel,
                stride,
                padding,
            }
        };
        (op, Shape::of(&[c, out[0], out[1]]))
    }

    fn neuron(&mut self, shape: &Shape) -> Op {
        let tau_low = 2.5 * DT;
        let tau = self.param(shape, tau_low, 12.0 * DT);
        let tau_syn = self.param(shape, tau_low, 8.0 * DT);
        let r = self.param(shape, 2.0, 6.0);
        let r_if = self.param(shape, 0.5 * self.gain.if_gain, 1.2 * self.gain.if_gain);
        let leak = if self.rng.one_in(3) {
            self.param(shape, -0.3, 0.3)
        } else {
            Tensor::scalar(0.0)
        };
        let threshold = self.param(shape, 0.3, 1.3);
        let reset = self.rng.one_in(2).then(|| self.param(shape, -0.25, 0.2));
        let w_in = if self.gain.syn_unit {
            self.param(shape, 0.4, 1.2)
        } else {
            self.param(shape, 1.5, 4.0)
        };
        match self.rng.int(0, 9) {
            0..=2 => Op::Lif {
                tau,
                r,
                v_leak: leak,
                v_threshold: threshold,
                v_reset: reset,
            },
            3 | 4 => Op::CubaLif {
                tau_syn,
                tau_mem: tau,
                r,
                v_leak: leak,
                v_threshold: threshold,
                v_reset: reset,
                w_in,
            },
            5 => Op::Li {
                tau,
                r,
                v_leak: leak,
            },
            6 => Op::CubaLi {
                tau_syn,
                tau_mem: tau,
                r,
                v_leak: leak,
                w_in,
            },
            7 => Op::I { r: r_if },
            8 => Op::If {
                r: r_if,
                v_threshold: threshold,
                v_reset: reset,
            },
            _ => Op::Threshold { threshold },
        }
    }

    /// Edges from later neurons back to earlier nodes, through weights.
    fn cycles(&mut self) {
        for _ in 0..self.rng.pick(&[0, 0, 1, 1, 2]) {
            let ids: Vec<NodeId> = self.network.nodes.ids().collect();
            let neurons: Vec<NodeId> = ids
                .iter()
                .copied()
                .filter(|&id| self.network.nodes[id].op.is_stateful())
                .collect();
            let Some(&last) = neurons.last() else { return };
            let from = if self.rng.one_in(2) {
                last
            } else {
                self.rng.pick(&neurons)
            };
            // What the target accepts is what its first source produces.
            let targets: Vec<(NodeId, Shape)> = ids
                .iter()
                .copied()
                .filter(|&id| id <= from)
                .filter_map(|id| {
                    let edge = self.network.edges.iter().find(|e| e.to == id)?;
                    Some((id, self.shape(edge.from)))
                })
                .filter(|(_, shape)| shape.rank() == 1)
                .collect();
            if targets.is_empty() {
                return;
            }
            let (to, accepts) = targets[self.rng.int(0, targets.len() - 1)].clone();
            let produced = self.shape(from);
            if produced == accepts && self.rng.one_in(2) {
                self.connect(from, to);
                continue;
            }
            if produced.rank() != 1 {
                continue;
            }
            let op = self.dense(produced.len(), accepts.len());
            let name = format!("back{}", self.shapes.len());
            let weights = self.add(name, op, accepts.clone());
            self.connect(from, weights);
            if self.rng.one_in(4) {
                let op = self.delay(&accepts);
                let name = format!("wait{}", self.shapes.len());
                let delay = self.add(name, op, accepts);
                self.connect(weights, delay);
                self.connect(delay, to);
            } else {
                self.connect(weights, to);
            }
        }
    }

    /// Outputs at every node that nothing reads, and sometimes elsewhere.
    fn outputs(&mut self) {
        let ids: Vec<NodeId> = self.network.nodes.ids().collect();
        let mut made = 0;
        for &id in &ids {
            let read = self.network.edges.iter().any(|e| e.from == id);
            if !read || self.rng.one_in(8) {
                let shape = self.shape(id);
                let op = Op::Output {
                    shape: Some(shape.clone()),
                };
                let out = self.add(format!("out{made}"), op, shape.clone());
                self.connect(id, out);
                if self.rng.one_in(10) {
                    let same: Vec<NodeId> = ids
                        .iter()
                        .copied()
                        .filter(|&o| o != id && self.shape(o) == shape)
                        .collect();
                    if !same.is_empty() {
                        let second = self.rng.pick(&same);
                        self.connect(second, out);
                    }
                }
                made += 1;
            }
        }
        if made == 0 {
            let shape = self.shapes[self.shapes.len() - 1].clone();
            let last = *ids.last().expect("there is an Input");
            let op = Op::Output {
                shape: Some(shape.clone()),
            };
            let out = self.add("out0".to_owned(), op, shape);
            self.connect(last, out);
        }
    }
}
