use super::infer;
use ir::code::Code;
use ir::diag::Diagnostic;
use ir::network::{Edge, Network, Node, Op};
use ir::origin::Origin;
use ir::tensor::{Shape, Tensor};

mod windows;

#[derive(Default)]
struct Net(Network);

impl Net {
    fn node(mut self, name: &str, op: Op) -> Self {
        self.0.nodes.push(Node {
            name: name.into(),
            op,
            in_shape: None,
            out_shape: None,
            origin: Origin::NirNode {
                file: "test.nir".into(),
                path: format!("/node/nodes/{name}"),
                kind: String::new(),
            },
        });
        self
    }
    fn input(self, dims: &[usize]) -> Self {
        let shape = Some(Shape::of(dims));
        self.node("in", Op::Input { shape })
    }
    fn output(self, dims: &[usize]) -> Self {
        let shape = Some(Shape::of(dims));
        self.node("out", Op::Output { shape })
    }
    /// Ports whose shape the file leaves open.
    fn open_ports(self) -> Self {
        self.node("in", Op::Input { shape: None })
            .node("out", Op::Output { shape: None })
    }
    fn linear(self, name: &str, n_out: usize, n_in: usize) -> Self {
        let weight = zeros(&[n_out, n_in]);
        self.node(name, Op::Linear { weight })
    }
    /// A LIF with r of the given shape and one value for all else.
    fn lif(self, name: &str, dims: &[usize]) -> Self {
        let one = || Tensor::scalar(1.0);
        let op = Op::Lif {
            tau: one(),
            r: zeros(dims),
            v_leak: one(),
            v_threshold: one(),
            v_reset: None,
        };
        self.node(name, op)
    }
    fn flatten(self, start_dim: i64, end_dim: i64, input_type: Option<&[usize]>) -> Self {
        let op = Op::Flatten {
            start_dim,
            end_dim,
            input_type: input_type.map(Shape::of),
        };
        self.node("flat", op)
    }
    fn wire(mut self, chains: &[&str]) -> Self {
        for chain in chains {
            let named = |n| self.0.node_named(n).expect("a node of the test");
            let ids: Vec<_> = chain.split(' ').map(named).collect();
            let edges = ids.windows(2).map(|w| Edge {
                from: w[0],
                to: w[1],
            });
            self.0.edges.extend(edges);
        }
        self
    }
    /// The output shapes in node order, and the warnings; a second run must
    /// agree with the first.
    fn shapes(mut self) -> (String, Vec<Diagnostic>) {
        let warnings = infer(&mut self.0).expect("shapes agree");
        let once = self.0.clone();
        infer(&mut self.0).expect("shapes still agree");
        assert_eq!(self.0, once, "idempotent");
        let shape = |n: &Node| {
            assert!(n.in_shape.is_some(), "{} has an input shape", n.name);
            let out = n.out_shape.as_ref().map(Shape::to_string);
            format!("{} {}", n.name, out.expect("an output shape"))
        };
        let shapes: Vec<String> = self.0.nodes.values().map(shape).collect();
        (shapes.join(", "), warnings)
    }
    /// The shapes where nothing is odd but parameters of one value.
    fn clean(self) -> String {
        let (shapes, mut warnings) = self.shapes();
        warnings.retain(|w| w.code != Code::Broadcast);
        assert_eq!(warnings, []);
        shapes
    }
    /// The shapes, and the only warning beside that of single values.
    fn repaired(self, code: Code, words: &str) -> String {
        let (shapes, mut warnings) = self.shapes();
        warnings.retain(|w| !w.message.contains("of one value"));
        let [warning] = warnings.as_slice() else {
            panic!("{} warnings: {warnings:?}", warnings.len());
        };
        assert_eq!(warning.code, code);
        assert!(warning.to_string().contains(words), "{warning}");
        shapes
    }
    fn errors(mut self) -> Vec<Diagnostic> {
        let before = self.0.clone();
        let errors = infer(&mut self.0).expect_err("refused").0;
        assert_eq!(self.0, before, "a refused network is left as it was");
        errors
    }
}

fn zeros(dims: &[usize]) -> Tensor {
    let shape = Shape::of(dims);
    let data = Tensor::vector(vec![0.0; shape.len()]);
    data.reshaped(shape).expect("as many values")
}

#[test]
fn a_full_file() {
    let net = Net::default()
        .input(&[3])
        .linear("fc", 4, 3)
        .lif("n", &[4])
        .output(&[4]);
    assert_eq!(
        net.wire(&["in fc n out"]).clean(),
        "in [3], fc [4], n [4], out [4]"
    );
}

#[test]
fn scalars_take_the_shape_of_their_neighbours() {
    let net = Net::default()
        .input(&[2, 3])
        .lif("n", &[])
        .output(&[2, 3])
        .wire(&["in n out"]);
    assert_eq!(net.clean(), "in [2 3], n [2 3], out [2 3]");
    // Backward, where only the matrix behind knows.
    let net = Net::default()
        .open_ports()
        .lif("n", &[1])
        .linear("fc", 4, 3)
        .wire(&["in n fc out"]);
    assert_eq!(net.clean(), "in [3], out [4], n [3], fc [4]");
}

#[test]
fn around_a_cycle() {
    let net = Net::default()
        .open_ports()
        .lif("a", &[])
        .lif("b", &[])
        .linear("w", 5, 5)
        .wire(&["in a b w a", "b out"]);
    assert_eq!(net.clean(), "in [5], out [5], a [5], b [5], w [5]");
}

#[test]
fn flatten_in_both_conventions() {
    let net = |start, input_type| {
        Net::default()
            .input(&[2, 3, 2])
            .flatten(start, -1, input_type)
            .lif("n", &[])
            .wire(&["in flat n"])
    };
    for (start, input_type, flat) in [
        (0, None, "[12]"),
        (0, Some(&[2, 3, 2][..]), "[12]"),
        (1, Some(&[2, 3, 2][..]), "[2 6]"),
        (1, None, "[2 6]"),
    ] {
        let expected = format!("in [2 3 2], flat {flat}, n {flat}");
        assert_eq!(net(start, input_type).clean(), expected, "start {start}");
    }
    // One dimension more than arrives is the batch.
    for (start, input_type, flat) in [
        (1, &[1, 2, 3, 2][..], "[12]"),
        (2, &[64, 2, 3, 2][..], "[2 6]"),
    ] {
        let shapes = net(start, Some(input_type)).repaired(Code::ShapeLoose, "counts the batch");
        assert_eq!(shapes, format!("in [2 3 2], flat {flat}, n {flat}"));
    }
    // Without input_type, the matrix behind decides, even behind a neuron.
    let net = Net::default()
        .input(&[2, 3, 2])
        .flatten(1, -1, None)
        .lif("n", &[])
        .linear("fc", 1, 12)
        .wire(&["in flat n fc"]);
    assert_eq!(
        net.repaired(Code::ShapeLoose, "takes [12], not [2 6]"),
        "in [2 3 2], flat [12], n [12], fc [1]"
    );
}

#[test]
fn odd_dimensions_of_flatten_are_cut() {
    for (start, end) in [(-9, 99), (0, i64::MAX), (i64::MIN, -1)] {
        let net = Net::default()
            .input(&[2, 3])
            .flatten(start, end, None)
            .wire(&["in flat"]);
        assert_eq!(net.clean(), "in [2 3], flat [6]");
    }
    let net = Net::default()
        .input(&[2, 3])
        .flatten(1, 0, None)
        .wire(&["in flat"]);
    assert_eq!(net.clean(), "in [2 3], flat [2 3]");
}

#[test]
fn equal_numbers_in_other_shapes_warn() {
    let net = Net::default().input(&[1]).lif("n", &[1]).output(&[1, 1]);
    let net = net.linear("fc", 1, 1).wire(&["in fc n out"]);
    assert_eq!(
        net.repaired(Code::ShapeLoose, "leading dimensions [1] of 'out'"),
        "in [1], n [1], out [1], fc [1]"
    );
    let net = Net::default()
        .input(&[8, 8])
        .linear("fc", 1, 64)
        .wire(&["in fc"]);
    assert_eq!(net.shapes().1.len(), 1);
    let net = Net::default()
        .input(&[1, 64])
        .linear("fc", 1, 64)
        .wire(&["in fc"]);
    assert_eq!(
        net.repaired(Code::ShapeLoose, "leading dimensions [1] of 'in'"),
        "in [64], fc [1]"
    );
}

#[test]
fn time_or_batch_in_front_of_a_port_is_dropped() {
    let net = Net::default()
        .input(&[256, 12])
        .linear("fc", 7, 12)
        .output(&[256, 7]);
    let (shapes, warnings) = net.wire(&["in fc out"]).shapes();
    assert_eq!(shapes, "in [12], fc [7], out [7]");
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].message.contains("[256]"), "{}", warnings[0]);
}

#[test]
fn contradictions_show_both_ends_and_are_all_reported() {
    let net = Net::default()
        .input(&[3])
        .linear("fc", 10, 4)
        .lif("n", &[3, 4])
        .output(&[12]);
    let errors = net.wire(&["in fc n out"]).errors();
    assert_eq!(errors.len(), 2);
    assert!(errors.iter().all(|e| e.code == Code::Shape));
    let text = errors[1].to_string();
    assert!(
        text.contains("'fc' (Linear) produces [10] = 10 values"),
        "{text}"
    );
    assert!(
        text.contains("'n' (LIF) accepts [3 4] = 3 x 4 = 12 values"),
        "{text}"
    );
    assert!(
        text.contains("/node/nodes/n") && text.contains("/node/nodes/fc"),
        "{text}"
    );
}

#[test]
fn parameters_must_agree() {
    let op = Op::If {
        r: zeros(&[3]),
        v_threshold: zeros(&[4]),
        v_reset: None,
    };
    let errors = Net::default()
        .input(&[3])
        .node("n", op)
        .wire(&["in n"])
        .errors();
    assert!(errors.iter().all(|e| e.code == Code::Shape));
    assert!(
        errors[0].message.contains("different shapes"),
        "{}",
        errors[0]
    );
    // A leading one is not a disagreement.
    let op = Op::If {
        r: zeros(&[1, 3]),
        v_threshold: zeros(&[3]),
        v_reset: None,
    };
    let net = Net::default().input(&[3]).node("n", op).wire(&["in n"]);
    assert_eq!(
        net.repaired(Code::ShapeLoose, "leading dimensions [1] of 'n'"),
        "in [3], n [3]"
    );
}

#[test]
fn weights_must_be_matrices_with_fitting_biases() {
    let net = Net::default().input(&[3]).node(
        "fc",
        Op::Linear {
            weight: zeros(&[2, 3, 4]),
        },
    );
    assert_eq!(net.wire(&["in fc"]).errors()[0].code, Code::Shape);
    let op = Op::Affine {
        weight: zeros(&[2, 3]),
        bias: zeros(&[3]),
    };
    let errors = Net::default()
        .input(&[3])
        .node("fc", op)
        .wire(&["in fc"])
        .errors();
    assert_eq!(errors[0].code, Code::Shape);
}

#[test]
fn a_wrong_flatten_input_is_reported() {
    let net = Net::default()
        .input(&[2, 3])
        .flatten(0, -1, Some(&[7]))
        .wire(&["in flat"]);
    let shapes = net.repaired(Code::InputShape, "declared [7]");
    assert_eq!(shapes, "in [2 3], flat [6]");
}

#[test]
fn gaps_are_reported_where_they_begin() {
    let net = Net::default()
        .open_ports()
        .lif("a", &[])
        .lif("b", &[])
        .wire(&["in a b out"]);
    let errors = net.errors();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].code, Code::ShapeUnknown);
    assert!(errors[0].message.contains("'in'"), "{}", errors[0]);
    assert!(errors[0].help.is_some());
    let net = Net::default().lif("a", &[]).lif("b", &[]).wire(&["a b a"]);
    assert_eq!(net.errors().len(), 1, "a cycle has no beginning");
}

#[test]
fn impossible_sizes() {
    let net = Net::default().input(&[0]).lif("n", &[]).wire(&["in n"]);
    assert!(net.errors().iter().all(|e| e.code == Code::Shape));
    let net = Net::default()
        .input(&[usize::MAX, 2])
        .flatten(0, -1, None)
        .wire(&["in flat"]);
    assert!(net.errors().iter().all(|e| e.code == Code::Shape));
}
