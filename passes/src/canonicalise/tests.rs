use super::*;
use ir::Origin;
use ir::app::Model;
use ir::network::Edge;
use ir::neuron::{Neuron, Param};
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
    canonicalise(
        &network(nodes, edges),
        &Profile::Nir.semantics(),
        &BTreeMap::new(),
    )
}

fn projections(app: &AppGraph) -> Vec<(String, Vec<f64>, u32)> {
    let all = app.projections.values();
    all.map(|p| (p.name.clone(), p.weights.to_f64(), p.lag))
        .collect()
}

fn bias(app: &AppGraph, name: &str) -> Vec<f64> {
    let pop = app.population_named(name).expect("a population");
    match &app.populations[pop].model {
        Model::Neuron(Neuron::Continuous(n)) => n
            .bias
            .at_step(0)
            .map_or(vec![0.0; 2], |b| (0..2).map(|i| b.at(i)).collect()),
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
        [("b".to_owned(), vec![5.0, 8.0, 3.0, 4.0], 0)]
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
            ("in->a".to_owned(), eye.clone(), 0),
            ("a->b".to_owned(), eye, 0)
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
        [("w".to_owned(), vec![5.0, 0.0, 0.0, 5.0], 0)]
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
    assert_eq!(all[1], ("rec".to_owned(), vec![0.5, 0.0, 0.0, 0.5], 1));
    assert_eq!(bias(&app, "n"), [1.0, 1.0]);
}

#[test]
fn a_recurrent_bias_may_wait_one_step() {
    let network = network(
        &[
            ("in", input()),
            ("n", neurons()),
            ("rec", affine([0.5, 0.0, 0.0, 0.5], [1.0, 1.0])),
            ("b", affine([1.0, 0.0, 0.0, 1.0], [0.25, 0.0])),
            ("out", output()),
        ],
        &[
            ("in", "b"),
            ("b", "n"),
            ("n", "rec"),
            ("rec", "n"),
            ("n", "out"),
        ],
    );
    let (app, _) =
        canonicalise(&network, &Profile::Norse.semantics(), &BTreeMap::new()).expect("folds");
    let bias = &neuron_of(&app, "n").bias;
    let steps: Vec<_> = bias
        .entries()
        .iter()
        .map(|(s, p)| (*s, p.at(0), p.at(1)))
        .collect();
    assert_eq!(steps, [(0, 0.25, 0.0), (1, 1.25, 1.0)]);
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

fn neuron_of(app: &AppGraph, name: &str) -> ContinuousNeuron {
    let pop = app.population_named(name).expect("a population");
    match &app.populations[pop].model {
        Model::Neuron(Neuron::Continuous(n)) => n.clone(),
        Model::Neuron(Neuron::Discrete(_)) | Model::SpikeSource => panic!("no neuron"),
    }
}

fn shown(
    nodes: &[(&str, Op)],
    edges: &[(&str, &str)],
) -> (NeuronKind, Sends, Vec<(Vec<f64>, u32)>) {
    let (app, _) = fold(nodes, edges).expect("folds");
    let port = &app.outputs[0];
    assert_eq!(app.populations[port.source].name, "out");
    let into = app
        .incoming(port.source)
        .map(|(_, p)| (p.weights.to_f64(), p.lag));
    let kind = neuron_of(&app, "out").kind;
    (kind, app.populations[port.source].sends, into.collect())
}

#[test]
fn an_output_behind_weights_or_a_sum_shows_values() {
    let nodes = [
        ("in", input()),
        ("n", neurons()),
        ("w", linear([1.0, 2.0, 0.0, 1.0])),
        ("out", output()),
    ];
    let w = vec![1.0, 2.0, 0.0, 1.0];
    let eye = vec![1.0, 0.0, 0.0, 1.0];
    assert_eq!(
        shown(&nodes, &[("in", "n"), ("n", "w"), ("w", "out")]),
        (NeuronKind::Linear, Sends::Values, vec![(w.clone(), 0)])
    );
    let edges = [("in", "n"), ("in", "w"), ("w", "out"), ("n", "out")];
    assert_eq!(
        shown(&nodes, &edges),
        (NeuronKind::Linear, Sends::Values, vec![(w, 0), (eye, 0)])
    );
    let error = fold(&nodes, &[("in", "n"), ("in", "w")]).expect_err("nothing to show");
    assert!(error.to_string().contains("'out'"));
}

#[test]
fn late_spikes_stay_spikes() {
    let delay = Op::Delay {
        delay: Tensor::vector(vec![1.0, 3.0]),
    };
    let nodes = [
        ("in", input()),
        ("n", neurons()),
        ("d", delay),
        ("out", output()),
    ];
    let edges = [("in", "n"), ("n", "d"), ("d", "out")];
    let mut semantics = Profile::Nir.semantics();
    semantics.dt = Some(1.0);
    let (app, _) =
        canonicalise(&network(&nodes, &edges), &semantics, &BTreeMap::new()).expect("folds");
    let out = neuron_of(&app, "out");
    assert_eq!(out.kind, NeuronKind::Threshold);
    assert_eq!(out.v_threshold, Some(Param::uniform(0.5)));
    let found: Vec<_> = projections(&app)
        .into_iter()
        .skip(1)
        .map(|p| (p.1, p.2))
        .collect();
    assert_eq!(
        found,
        [(vec![1.0, 0.0, 0.0, 0.0], 1), (vec![0.0, 0.0, 0.0, 1.0], 3)]
    );
    let names: Vec<_> = projections(&app).into_iter().map(|p| p.0).collect();
    assert_eq!(names, ["in->n", "n->out:previous", "n->out:late3"]);
}

#[test]
fn a_bias_before_a_delay_is_late_too() {
    let nodes = [
        ("in", input()),
        ("w", affine([1.0, 0.0, 0.0, 1.0], [5.0, 7.0])),
        (
            "d",
            Op::Delay {
                delay: Tensor::vector(vec![0.0, 2.0]),
            },
        ),
        ("n", neurons()),
        ("out", output()),
    ];
    let edges = [("in", "w"), ("w", "d"), ("d", "n"), ("n", "out")];
    let mut semantics = Profile::Nir.semantics();
    semantics.dt = Some(1.0);
    let (app, _) =
        canonicalise(&network(&nodes, &edges), &semantics, &BTreeMap::new()).expect("folds");
    let bias = neuron_of(&app, "n").bias;
    let at = |s| bias.at_step(s).map(|p| (p.at(0), p.at(1)));
    assert_eq!((at(1), at(2)), (Some((5.0, 0.0)), Some((5.0, 7.0))));
}

#[test]
fn a_filter_of_a_delay_keeps_the_delay_as_a_population() {
    // y(t) = x(t) + 0.5 y(t - 2)
    let nodes = [
        ("in", input()),
        ("n", neurons()),
        ("sum", scale([1.0, 1.0])),
        (
            "d",
            Op::Delay {
                delay: Tensor::scalar(2.0),
            },
        ),
        ("half", scale([0.5, 0.5])),
        ("out", output()),
    ];
    let edges = [
        ("in", "n"),
        ("n", "sum"),
        ("half", "sum"),
        ("sum", "d"),
        ("d", "half"),
        ("sum", "out"),
    ];
    let mut semantics = Profile::Nir.semantics();
    semantics.dt = Some(1.0);
    let folded = canonicalise(&network(&nodes, &edges), &semantics, &BTreeMap::new());
    let (app, _) = folded.expect("folds");
    let d = app.population_named("d").expect("kept");
    assert_eq!(app.populations[d].sends, Sends::Values);
    let loops: Vec<_> = app.incoming(d).map(|(_, p)| (p.pre == d, p.lag)).collect();
    assert_eq!(loops, [(false, 0), (true, 2)]);
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

#[test]
fn shapes_beyond_all_memory_are_refused_before_they_are_allocated() {
    let wide = |op: Op| {
        let mut network = network(
            &[
                ("in", input()),
                ("w", op),
                ("n", neurons()),
                ("out", output()),
            ],
            &[("in", "w"), ("w", "n"), ("n", "out")],
        );
        let sides = Shape::of(&[1 << 12, 1 << 24, 1 << 24]);
        for node in network.nodes.values_mut() {
            node.in_shape = Some(sides.clone());
            node.out_shape = Some(sides.clone());
        }
        let mut semantics = Profile::Nir.semantics();
        semantics.dt = Some(1.0);
        canonicalise(&network, &semantics, &BTreeMap::new()).expect_err("2^60 values")
    };
    let pool = Op::SumPool2d {
        kernel: [1, 1],
        stride: [1, 1],
        padding: [0, 0],
    };
    let delay = Op::Delay {
        delay: Tensor::scalar(1.0),
    };
    let flatten = flatten();
    for op in [scale([2.0, 2.0]), pool, delay, flatten] {
        let error = wide(op);
        assert!(
            [Code::DoesNotFit, Code::BadParameter].contains(&error.0[0].code),
            "{error}"
        );
    }
}
