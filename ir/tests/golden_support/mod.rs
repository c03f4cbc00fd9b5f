//! Builds shaped networks in a few words.
#![allow(dead_code, reason = "each test file uses its own part")]

use ir::golden::Golden;
use ir::network::{Edge, Network, Node, Op};
use ir::semantics::{Profile, Semantics};
use ir::{NodeId, Observable, Origin, Series, Shape, Tensor};

/// A network whose nodes are named by the test and whose edges name them.
#[derive(Default)]
pub(crate) struct Net(pub(crate) Network);

impl Net {
    pub(crate) fn node(mut self, name: &str, n_in: usize, n_out: usize, op: Op) -> Self {
        self.0.nodes.push(Node {
            name: name.into(),
            op,
            in_shape: Some(Shape::of(&[n_in])),
            out_shape: Some(Shape::of(&[n_out])),
            origin: Origin::NirNode {
                file: "test.nir".into(),
                path: format!("/node/nodes/{name}"),
                kind: String::new(),
            },
        });
        self
    }
    pub(crate) fn input(self, name: &str, n: usize) -> Self {
        let shape = Some(Shape::of(&[n]));
        self.node(name, n, n, Op::Input { shape })
    }
    pub(crate) fn output(self, name: &str, n: usize) -> Self {
        let shape = Some(Shape::of(&[n]));
        self.node(name, n, n, Op::Output { shape })
    }
    pub(crate) fn linear(self, name: &str, rows: &[&[f64]]) -> Self {
        let weight = matrix(rows);
        self.node(name, rows[0].len(), rows.len(), Op::Linear { weight })
    }
    pub(crate) fn affine(self, name: &str, rows: &[&[f64]], bias: &[f64]) -> Self {
        let weight = matrix(rows);
        let bias = Tensor::vector(bias.to_vec());
        self.node(name, rows[0].len(), rows.len(), Op::Affine { weight, bias })
    }
    pub(crate) fn flatten(self, name: &str, n: usize) -> Self {
        let op = Op::Flatten {
            start_dim: 0,
            end_dim: -1,
            input_type: None,
        };
        self.node(name, n, n, op)
    }
    pub(crate) fn scale(self, name: &str, scale: &[f64]) -> Self {
        let scale_op = Op::Scale {
            scale: Tensor::vector(scale.to_vec()),
        };
        self.node(name, scale.len(), scale.len(), scale_op)
    }
    /// A LIF of one neuron with r 1, v_leak 0 and no v_reset in the file.
    pub(crate) fn lif(self, name: &str, tau: f64, threshold: f64) -> Self {
        self.lif_with(name, tau, threshold, 0.0, None)
    }
    pub(crate) fn lif_with(
        self,
        name: &str,
        tau: f64,
        threshold: f64,
        v_leak: f64,
        v_reset: Option<f64>,
    ) -> Self {
        let op = Op::Lif {
            tau: Tensor::scalar(tau),
            r: Tensor::scalar(1.0),
            v_leak: Tensor::scalar(v_leak),
            v_threshold: Tensor::scalar(threshold),
            v_reset: v_reset.map(Tensor::scalar),
        };
        self.node(name, 1, 1, op)
    }
    /// An IF of one neuron with r 1.
    pub(crate) fn integrator(self, name: &str, threshold: f64) -> Self {
        let op = Op::If {
            r: Tensor::scalar(1.0),
            v_threshold: Tensor::scalar(threshold),
            v_reset: None,
        };
        self.node(name, 1, 1, op)
    }
    /// A node between values of given shapes.
    pub(crate) fn shaped(mut self, name: &str, from: &[usize], to: &[usize], op: Op) -> Self {
        self = self.node(name, 1, 1, op);
        let id = self.id(name);
        self.0.nodes[id].in_shape = Some(Shape::of(from));
        self.0.nodes[id].out_shape = Some(Shape::of(to));
        self
    }
    /// A Delay with one element for each value.
    pub(crate) fn delay(self, name: &str, delays: &[f64]) -> Self {
        let delay = Tensor::vector(delays.to_vec());
        self.node(name, delays.len(), delays.len(), Op::Delay { delay })
    }
    /// A CubaLIF of one neuron with r 1 and no v_reset in the file.
    pub(crate) fn cuba(
        self,
        name: &str,
        [tau_syn, tau_mem]: [f64; 2],
        w_in: f64,
        threshold: f64,
    ) -> Self {
        let op = Op::CubaLif {
            tau_syn: Tensor::scalar(tau_syn),
            tau_mem: Tensor::scalar(tau_mem),
            r: Tensor::scalar(1.0),
            v_leak: Tensor::scalar(0.0),
            v_threshold: Tensor::scalar(threshold),
            v_reset: None,
            w_in: Tensor::scalar(w_in),
        };
        self.node(name, 1, 1, op)
    }
    /// Edges as "a b c" chains: a -> b -> c.
    pub(crate) fn wire(mut self, chains: &[&str]) -> Self {
        for chain in chains {
            let ids: Vec<NodeId> = chain.split(' ').map(|n| self.id(n)).collect();
            let edges = ids.windows(2).map(|w| Edge {
                from: w[0],
                to: w[1],
            });
            self.0.edges.extend(edges);
        }
        self
    }
    pub(crate) fn id(&self, name: &str) -> NodeId {
        self.0
            .node_named(name)
            .unwrap_or_else(|| panic!("no node {name}"))
    }
    /// Output values and one recorded node's membrane for a one-neuron network.
    pub(crate) fn run(
        &self,
        semantics: &Semantics,
        input: &[f64],
        v_of: &str,
    ) -> (Vec<f64>, Vec<f64>) {
        let golden = Golden::new(&self.0, semantics).expect("the network is valid");
        let record = [(self.id(v_of), Observable::V)];
        let traces = golden.run(&[series(input)], &record).expect("it runs");
        (
            traces.outputs[0].1.data.clone(),
            traces.recorded[0].2.data.clone(),
        )
    }
    /// What one node sends.
    pub(crate) fn sends(&self, semantics: &Semantics, input: &[f64], node: &str) -> Vec<f64> {
        let golden = Golden::new(&self.0, semantics).expect("the network is valid");
        let record = [(self.id(node), Observable::Spikes)];
        let traces = golden.run(&[series(input)], &record).expect("it runs");
        traces.recorded[0].2.data.clone()
    }
}

/// Numbers that only look random, the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % n
    }
    pub(crate) fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }
    /// Eighths between -8 and 8: sums of products are exact.
    pub(crate) fn eighths(&mut self, n: usize) -> Vec<f64> {
        (0..n)
            .map(|_| (self.below(129) as f64 - 64.0) / 8.0)
            .collect()
    }
    /// The same, mostly zero.
    pub(crate) fn sparse(&mut self, n: usize) -> Vec<f64> {
        let values = self.eighths(n);
        values
            .into_iter()
            .map(|v| if self.below(3) == 0 { v } else { 0.0 })
            .collect()
    }
}

pub(crate) fn matrix(rows: &[&[f64]]) -> Tensor {
    let shape = Shape::of(&[rows.len(), rows[0].len()]);
    Tensor::vector(rows.concat())
        .reshaped(shape)
        .expect("rows have one length")
}

pub(crate) fn series(values: &[f64]) -> Series {
    Series {
        steps: values.len(),
        width: 1,
        data: values.to_vec(),
    }
}

pub(crate) fn profile(profile: Profile, dt: f64) -> Semantics {
    Semantics {
        dt: Some(dt),
        ..profile.semantics()
    }
}
