use super::*;
use ir::network::Edge;
use ir::semantics::Profile;
use ir::tensor::Data;

/// A network of width 2 from `name kind` and `a>b` lines.
fn network(nodes: &[(&str, Op)], edges: &[(&str, &str)]) -> Network {
    let mut network = Network::default();
    for (name, op) in nodes {
        let shape = Some(Shape::of(&[2]));
        network.nodes.push(Node {
            name: (*name).to_owned(),
            op: op.clone(),
            in_shape: shape.clone(),
            out_shape: shape,
            origin: Origin::Compiler,
        });
    }
    for (from, to) in edges {
        let id = |name| network.node_named(name).expect("a node");
        let edge = Edge {
            from: id(from),
            to: id(to),
        };
        network.edges.push(edge);
    }
    network
}

fn input() -> Op {
    Op::Input { shape: None }
}
fn output() -> Op {
    Op::Output { shape: None }
}
fn weight(data: [f64; 4]) -> Tensor {
    Tensor::new(Shape::of(&[2, 2]), Data::F64(data.to_vec())).expect("2 x 2")
}
fn linear(data: [f64; 4]) -> Op {
    Op::Linear {
        weight: weight(data),
    }
}
fn affine(data: [f64; 4], bias: [f64; 2]) -> Op {
    Op::Affine {
        weight: weight(data),
        bias: Tensor::vector(bias.to_vec()),
    }
}
fn scale(data: [f64; 2]) -> Op {
    Op::Scale {
        scale: Tensor::vector(data.to_vec()),
    }
}
fn flatten() -> Op {
    Op::Flatten {
        start_dim: 0,
        end_dim: -1,
        input_type: None,
    }
}
fn neurons() -> Op {
    Op::If {
        r: Tensor::scalar(1.0),
        v_threshold: Tensor::scalar(1.0),
        v_reset: None,
    }
}

fn fold(nodes: &[(&str, Op)], edges: &[(&str, &str)]) -> Result<(AppGraph, Vec<Diagnostic>)> {
    canonicalise(&network(nodes, edges), &Profile::Nir.semantics())
}

fn projections(app: &AppGraph) -> Vec<(String, Vec<f64>, bool)> {
    let all = app.projections.values();
    all.map(|p| (p.name.clone(), p.weights.to_f64(), p.previous_step))
        .collect()
}

fn bias(app: &AppGraph, name: &str) -> Vec<f64> {
    let pop = app.population_named(name).expect("a population");
    match &app.populations[pop].model {
        Model::Neuron(Neuron::Continuous(n)) => (0..2).map(|i| n.bias.at(i)).collect(),
        Model::Neuron(Neuron::Discrete(_)) | Model::SpikeSource => vec![],
    }
}

#[test]
fn a_chain_of_weights_becomes_one_projection_and_one_bias() {
    let (app, warnings) = fold(
        &[
            ("in", input()),
            ("a", affine([1.0, 2.0, 3.0, 4.0], [1.0, 0.0])),
            ("s", scale([2.0, 1.0])),
            ("f", flatten()),
            ("b", affine([1.0, 1.0, 0.0, 1.0], [10.0, 20.0])),
            ("n", neurons()),
            ("out", output()),
        ],
        &[
            ("in", "a"),
            ("a", "s"),
            ("s", "f"),
            ("f", "b"),
            ("b", "n"),
            ("n", "out"),
        ],
    )
    .expect("folds");
    assert!(warnings.is_empty());
    // [1 1; 0 1] * diag(2 1) * [1 2; 3 4]
    assert_eq!(
        projections(&app),
        [("b".to_owned(), vec![5.0, 8.0, 3.0, 4.0], false)]
    );
    assert_eq!(bias(&app, "n"), [12.0, 20.0]);
    assert_eq!(app.outputs[0].source, app.population_named("n").expect("n"));
}

#[test]
fn an_edge_between_neurons_is_an_identity() {
    let (app, _) = fold(
        &[
            ("in", input()),
            ("a", neurons()),
            ("b", neurons()),
            ("out", output()),
        ],
        &[("in", "a"), ("a", "b"), ("b", "out")],
    )
    .expect("folds");
    let eye = vec![1.0, 0.0, 0.0, 1.0];
    assert_eq!(
        projections(&app),
        [
            ("in->a".to_owned(), eye.clone(), false),
            ("a->b".to_owned(), eye, false)
        ]
    );
}

#[test]
fn parallel_paths_add_up_and_a_fork_carries_its_bias_once_a_path() {
    let (app, _) = fold(
        &[
            ("in", input()),
            ("w", affine([1.0, 0.0, 0.0, 1.0], [1.0, 2.0])),
            ("s", scale([3.0, 3.0])),
            ("n", neurons()),
            ("out", output()),
        ],
        &[
            ("in", "w"),
            ("w", "n"),
            ("w", "s"),
            ("s", "n"),
            ("in", "n"),
            ("n", "out"),
        ],
    )
    .expect("folds");
    assert_eq!(
        projections(&app),
        [("w".to_owned(), vec![5.0, 0.0, 0.0, 5.0], false)]
    );
    assert_eq!(bias(&app, "n"), [4.0, 8.0]);
}

#[test]
fn a_recurrent_path_is_a_projection_of_its_own() {
    let (app, _) = fold(
        &[
            ("in", input()),
            ("n", neurons()),
            ("rec", affine([0.5, 0.0, 0.0, 0.5], [1.0, 1.0])),
            ("out", output()),
        ],
        &[("in", "n"), ("n", "rec"), ("rec", "n"), ("n", "out")],
    )
    .expect("folds");
    let all = projections(&app);
    assert_eq!(all[0].0, "in->n");
    assert_eq!(all[1], ("rec".to_owned(), vec![0.5, 0.0, 0.0, 0.5], true));
    assert_eq!(bias(&app, "n"), [1.0, 1.0]);
}

#[test]
fn a_recurrent_bias_that_must_wait_is_refused() {
    let network = network(
        &[
            ("in", input()),
            ("n", neurons()),
            ("rec", affine([0.5, 0.0, 0.0, 0.5], [1.0, 1.0])),
            ("out", output()),
        ],
        &[("in", "n"), ("n", "rec"), ("rec", "n"), ("n", "out")],
    );
    let error = canonicalise(&network, &Profile::Norse.semantics()).expect_err("bias off at 0");
    assert_eq!(error.0[0].code, Code::OptionUnsupported);
    assert!(error.to_string().contains("'rec'"));
}

#[test]
fn a_weight_node_between_many_gives_names_by_their_ends() {
    let (app, _) = fold(
        &[
            ("in", input()),
            ("in2", input()),
            ("w", linear([1.0, 0.0, 0.0, 1.0])),
            ("n", neurons()),
            ("out", output()),
        ],
        &[("in", "w"), ("in2", "w"), ("w", "n"), ("n", "out")],
    )
    .expect("folds");
    let names: Vec<_> = projections(&app).into_iter().map(|p| p.0).collect();
    assert_eq!(names, ["w:in->n", "w:in2->n"]);
}

#[test]
fn outputs_that_no_single_neuron_feeds_are_refused() {
    let nodes = [
        ("in", input()),
        ("n", neurons()),
        ("w", linear([1.0, 0.0, 0.0, 1.0])),
        ("out", output()),
    ];
    let cases: [&[(&str, &str)]; 3] = [
        &[("in", "n"), ("n", "w"), ("w", "out")],
        &[("in", "n"), ("in", "w"), ("n", "out"), ("in", "out")],
        &[("in", "n"), ("in", "w")],
    ];
    for edges in cases {
        let error = fold(&nodes, edges).expect_err("no neuron to show");
        assert_eq!(error.0[0].code, Code::GraphUnsupported);
        assert!(error.to_string().contains("'out'"));
    }
}

#[test]
fn zero_weights_warn() {
    let (_, warnings) = fold(
        &[
            ("in", input()),
            ("w", linear([0.0; 4])),
            ("n", neurons()),
            ("out", output()),
        ],
        &[("in", "w"), ("w", "n"), ("n", "out")],
    )
    .expect("folds");
    assert_eq!(warnings[0].code, Code::NoUpdate);
}

#[test]
fn weights_that_overflow_when_folded_are_refused() {
    let error = fold(
        &[
            ("in", input()),
            ("a", linear([1e300; 4])),
            ("b", linear([1e300; 4])),
            ("n", neurons()),
            ("out", output()),
        ],
        &[("in", "a"), ("a", "b"), ("b", "n"), ("n", "out")],
    )
    .expect_err("infinite");
    assert_eq!(error.0[0].code, Code::BadParameter);
}
