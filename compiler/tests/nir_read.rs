//! Reading and lowering of files built here: each feature and each diagnostic.

mod nir_support;

use compiler::front::{DuplicateEdges, ReadOptions};
use hdf5_writer::{
    ByteOrder, DatasetBuilder, Datatype, FILTER_DEFLATE, FILTER_SHUFFLE, FilterDescription,
};
use ir::network::Op;
use ir::{Code, Shape};
use nir_support::{CHAIN, File, small};

#[test]
fn a_small_network_loads() {
    let (network, warnings) = small().edges(CHAIN).load().unwrap();
    assert_eq!(warnings, []);
    assert_eq!(network.name, "net");
    let names: Vec<&str> = network.nodes.values().map(|n| n.name.as_str()).collect();
    assert_eq!(names, ["input", "fc", "lif", "output"]);
    let ends: Vec<(&str, &str)> = network
        .edges
        .iter()
        .map(|e| {
            let name = |id| network.nodes[id].name.as_str();
            (name(e.from), name(e.to))
        })
        .collect();
    assert_eq!(ends, CHAIN);
    let fc = network.node_named("fc").unwrap();
    assert_eq!(
        network.nodes[fc].origin.to_string(),
        "net.nir: /node/nodes/fc (Linear 3 -> 2)"
    );
    let Op::Linear { weight } = &network.nodes[fc].op else {
        panic!("fc is {}", network.nodes[fc].op.kind());
    };
    assert_eq!(weight.to_f64(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn compressed_chunks_with_edges_are_assembled() {
    let values: Vec<f32> = (0..7 * 5).map(|i| i as f32 / 8.0).collect();
    let filter = |id, client_data: &[u32]| FilterDescription {
        id,
        name: None,
        client_data: client_data.to_vec(),
    };
    let weight = DatasetBuilder::typed_data("node/nodes/fc/weight", vec![7, 5], &values)
        .unwrap()
        .chunked(vec![3, 2])
        .filter(filter(FILTER_SHUFFLE, &[4]))
        .filter(filter(FILTER_DEFLATE, &[6]));
    let (network, _) = File::graph()
        .port("input", "Input", 5)
        .text("node/nodes/fc/type", "Linear")
        .add(weight)
        .port("output", "Output", 7)
        .edges(&[("input", "fc"), ("fc", "output")])
        .load()
        .unwrap();
    let fc = network.node_named("fc").unwrap();
    let Op::Linear { weight } = &network.nodes[fc].op else {
        panic!("not a Linear");
    };
    let expected: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
    assert_eq!(weight.to_f64(), expected);
}

#[test]
fn element_types_and_byte_orders_are_widened_exactly() {
    let scale = |datatype: Datatype, raw: &[u8]| {
        let order = match datatype {
            Datatype::FixedPoint { byte_order, .. }
            | Datatype::FloatingPoint { byte_order, .. } => byte_order,
            _ => ByteOrder::LittleEndian,
        };
        let dataset =
            DatasetBuilder::new("node/nodes/s/scale", datatype, vec![2]).raw_data(raw.to_vec());
        let (network, _) = File::ordered(order)
            .head()
            .port("input", "Input", 2)
            .text("node/nodes/s/type", "Scale")
            .add(dataset)
            .port("output", "Output", 2)
            .edges(&[("input", "s"), ("s", "output")])
            .load()
            .unwrap();
        let s = network.node_named("s").unwrap();
        match &network.nodes[s].op {
            Op::Scale { scale } => scale.to_f64(),
            other => panic!("{}", other.kind()),
        }
    };
    let int = |size, signed, byte_order| Datatype::FixedPoint {
        size,
        signed,
        byte_order,
    };
    let float = |size, byte_order| Datatype::FloatingPoint { size, byte_order };
    let (le, be) = (ByteOrder::LittleEndian, ByteOrder::BigEndian);
    assert_eq!(scale(int(1, true, le), &[0xff, 5]), [-1.0, 5.0]);
    assert_eq!(scale(int(1, false, le), &[0xff, 5]), [255.0, 5.0]);
    assert_eq!(scale(int(2, true, be), &[0xff, 0xfe, 0, 7]), [-2.0, 7.0]);
    assert_eq!(
        scale(int(4, false, be), &[0, 0, 1, 0, 0, 0, 0, 1]),
        [256.0, 1.0]
    );
    let wide = [(-9i64).to_le_bytes(), (1i64 << 40).to_le_bytes()].concat();
    assert_eq!(scale(int(8, true, le), &wide), [-9.0, 1_099_511_627_776.0]);
    let single = [1.5f32.to_be_bytes(), (-0.25f32).to_be_bytes()].concat();
    assert_eq!(scale(float(4, be), &single), [1.5, -0.25]);
    let double = [0.1f64.to_be_bytes(), 2f64.to_be_bytes()].concat();
    assert_eq!(scale(float(8, be), &double), [0.1, 2.0]);
}

#[test]
fn fixed_length_text_is_text() {
    let edges: Vec<&str> = CHAIN.iter().flat_map(|(a, b)| [*a, *b]).collect();
    let (network, _) = small()
        .add(DatasetBuilder::fixed_string_data("node/edges", vec![3, 2], &edges).unwrap())
        .load()
        .unwrap();
    assert_eq!(network.edges.len(), 3);
}

#[test]
fn scalars_and_absent_version_are_kept_as_they_are() {
    let file = ["tau", "r", "v_leak", "v_threshold"].iter().fold(
        File::new()
            .text("node/type", "NIRGraph")
            .port("input", "Input", 2)
            .text("node/nodes/lif/type", "LIF")
            .port("output", "Output", 2),
        |file, p| file.floats(&format!("node/nodes/lif/{p}"), &[], &[0.5]),
    );
    let (network, warnings) = file
        .edges(&[("input", "lif"), ("lif", "output")])
        .load()
        .unwrap();
    assert_eq!(warnings, []);
    let lif = network.node_named("lif").unwrap();
    let Op::Lif { tau, v_reset, .. } = &network.nodes[lif].op else {
        panic!("not a LIF");
    };
    assert_eq!((tau.shape(), tau.at(0)), (&Shape::default(), 0.5));
    assert_eq!(*v_reset, None);
}

#[test]
fn nodes_come_in_order_of_dependency_and_number() {
    let (network, _) = File::graph()
        .port("z", "Input", 2)
        .lif("10", 2)
        .lif("9", 2)
        .lif("back", 2)
        .port("out", "Output", 2)
        .edges(&[
            ("z", "10"),
            ("z", "9"),
            ("9", "back"),
            ("back", "9"),
            ("10", "out"),
            ("back", "out"),
        ])
        .load()
        .unwrap();
    let names: Vec<&str> = network.nodes.values().map(|n| n.name.as_str()).collect();
    assert_eq!(names, ["z", "10", "9", "back", "out"]);
}

#[test]
fn duplicate_edges_count_once_with_a_warning() {
    let edges = [CHAIN, &[("fc", "lif")]].concat();
    let (network, warnings) = small().edges(&edges).load().unwrap();
    assert_eq!(network.edges.len(), 3);
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].code, Code::NirDuplicateEdge);
    assert!(!warnings[0].is_error());
}

#[test]
fn duplicate_edges_can_add_up() {
    let edges = [CHAIN, &[("fc", "lif"), ("fc", "lif")]].concat();
    let bytes = small().edges(&edges).bytes();
    let options = ReadOptions {
        duplicate_edges: DuplicateEdges::Sum,
        ..ReadOptions::default()
    };
    let (network, warnings) = compiler::front::load(&bytes, "net.nir", options).unwrap();
    assert!(warnings[0].message.contains("occurs 3 times"));
    assert_eq!(
        ends(&network),
        [
            "fc>fc_again_lif",
            "fc>lif",
            "fc_again_lif>lif",
            "input>fc",
            "lif>output"
        ]
    );
    let again = network.node_named("fc_again_lif").unwrap();
    let Op::Scale { scale } = &network.nodes[again].op else {
        panic!("no Scale");
    };
    assert_eq!(scale.to_f64(), [2.0]);
    let strict = ReadOptions {
        strict: true,
        ..options
    };
    let errors = compiler::front::load(&bytes, "net.nir", strict)
        .unwrap_err()
        .0;
    assert!(errors.iter().all(ir::Diagnostic::is_error), "{errors:?}");
}

/// The edges by name, sorted.
fn ends(network: &ir::Network) -> Vec<String> {
    let name = |id| network.nodes[id].name.as_str();
    let edges = network.edges.iter();
    let mut ends: Vec<String> = edges
        .map(|e| format!("{}>{}", name(e.from), name(e.to)))
        .collect();
    ends.sort();
    ends
}

#[test]
fn dangling_edges_name_both_ends() {
    small()
        .edges(&[("input", "fc"), ("fc", "what"), ("lif", "output")])
        .fails(
            Code::NirEdge,
            &["'fc' -> 'what'", "fc, input, lif, output", "export"],
        );
    // Two nodes could be meant.
    small()
        .lif("lif2", 2)
        .edges(&[("input", "fc"), ("fc", "li"), ("fc", "output")])
        .fails(Code::NirEdge, &["did the exporter mean 'lif' or 'lif2'"]);
}

#[test]
fn edges_to_a_renamed_node_are_repaired() {
    let (network, warnings) = small()
        .edges(&[("input", "fc"), ("fc", "lif1"), ("lif1", "output")])
        .load()
        .unwrap();
    assert_eq!(ends(&network), ["fc>lif", "input>fc", "lif>output"]);
    let [warning] = warnings.as_slice() else {
        panic!("{warnings:?}");
    };
    assert_eq!(warning.code, Code::NirEdgeRepaired);
    let text = warning.to_string();
    assert!(text.contains("'lif1'") && text.contains("'lif'"), "{text}");
    assert!(text.contains("'fc' -> 'lif1'"), "{text}");
}

#[test]
fn edges_to_a_flattened_graph_are_repaired() {
    let (network, warnings) = small()
        .port("rnn.input", "Input", 2)
        .port("rnn.output", "Output", 2)
        .edges(&[
            ("input", "fc"),
            ("fc", "rnn"),
            ("rnn.input", "lif"),
            ("lif", "rnn.output"),
            ("rnn", "output"),
        ])
        .load()
        .unwrap();
    assert_eq!(ends(&network), ["fc>lif", "input>fc", "lif>output"]);
    let codes: Vec<Code> = warnings.iter().map(|w| w.code).collect();
    let (edge, port) = (Code::NirEdgeRepaired, Code::NirLayout);
    assert_eq!(codes, [edge, edge, port, port]);
}

#[test]
fn the_first_layout_loads_with_warnings() {
    let (network, warnings) = File::new()
        .text("nodes/0/type", "Input")
        .ints("nodes/0/shape", &[1], &[2])
        .text("nodes/1/type", "Linear")
        .floats("nodes/1/weights", &[1, 2], &[1.0, 2.0])
        .floats("nodes/1/bias", &[1], &[3.0])
        .text("nodes/2/type", "LIF")
        .floats("nodes/2/tau", &[1], &[1.0])
        .floats("nodes/2/r", &[1], &[1.0])
        .floats("nodes/2/v_leak", &[1], &[0.0])
        .floats("nodes/2/theta", &[1], &[1.0])
        .text("nodes/3/type", "Output")
        .ints("edges", &[3, 2], &[0, 1, 1, 2, 2, 3])
        .load()
        .unwrap();
    assert!(warnings.iter().all(|w| w.code == Code::NirLayout));
    assert_eq!(warnings.len(), 3);
    let kinds: Vec<&str> = network.nodes.values().map(|n| n.op.kind()).collect();
    assert_eq!(kinds, ["Input", "Affine", "LIF", "Output"]);
}

#[test]
fn a_single_primitive_is_a_graph_of_one_node() {
    let file = || {
        File::new()
            .text("node/type", "Linear")
            .floats("node/weight", &[1, 1], &[1.0])
    };
    let (graph, _) = file().read().unwrap();
    assert_eq!(graph.nodes[0].kind(), "Linear 1 -> 1");
    let (network, warnings) = file().load().unwrap();
    assert_eq!(ends(&network), ["input_node>node", "node>output_node"]);
    assert_eq!(warnings.len(), 2);
    assert!(warnings.iter().all(|w| w.code == Code::NirPortAdded));
}

#[test]
fn a_cycle_alone_has_no_port() {
    let errors = File::graph()
        .lif("a", 2)
        .lif("b", 2)
        .edges(&[("a", "b"), ("b", "a")])
        .load()
        .unwrap_err()
        .0;
    assert!(errors.iter().all(|e| e.code == Code::NoInputs));
    assert_eq!(errors.len(), 2);
}

fn nested(inner_edges: &[(&str, &str)]) -> File {
    small()
        .text("node/nodes/rnn/type", "NIRGraph")
        .text("node/nodes/rnn/nodes/in/type", "Input")
        .text("node/nodes/rnn/nodes/out/type", "Output")
        .text("node/nodes/rnn/nodes/a/type", "Scale")
        .floats("node/nodes/rnn/nodes/a/scale", &[2], &[1.0, 2.0])
        .edges_of("node/nodes/rnn", inner_edges)
}

#[test]
fn nested_graphs_are_flattened() {
    let (network, warnings) = nested(&[("in", "a"), ("a", "out"), ("a", "a")])
        .edges(&[
            ("input", "fc"),
            ("fc", "rnn"),
            ("rnn", "lif"),
            ("lif", "output"),
        ])
        .load()
        .unwrap();
    assert_eq!(warnings, []);
    let mut ends: Vec<String> = network
        .edges
        .iter()
        .map(|e| {
            format!(
                "{}>{}",
                network.nodes[e.from].name, network.nodes[e.to].name
            )
        })
        .collect();
    ends.sort();
    assert_eq!(
        ends,
        [
            "fc>rnn.a",
            "input>fc",
            "lif>output",
            "rnn.a>lif",
            "rnn.a>rnn.a"
        ]
    );
}

#[test]
fn a_value_over_two_paths_counts_twice() {
    let (network, warnings) = nested(&[("in", "a"), ("in", "out"), ("a", "out")])
        .edges(&[
            ("input", "fc"),
            ("fc", "rnn"),
            ("fc", "lif"),
            ("rnn", "lif"),
            ("lif", "output"),
        ])
        .load()
        .unwrap();
    assert_eq!(warnings, []);
    assert_eq!(
        ends(&network),
        [
            "fc>fc_again_lif",
            "fc>lif",
            "fc>rnn.a",
            "fc_again_lif>lif",
            "input>fc",
            "lif>output",
            "rnn.a>lif"
        ]
    );
}

#[test]
fn a_cycle_of_plain_connections_is_refused() {
    nested(&[("in", "out"), ("in", "a"), ("a", "out")])
        .edges(&[
            ("input", "fc"),
            ("fc", "rnn"),
            ("rnn", "rnn"),
            ("rnn", "lif"),
            ("lif", "output"),
        ])
        .fails(Code::AlgebraicLoop, &["rnn"]);
}

#[test]
fn a_nested_graph_with_two_inputs_is_ambiguous() {
    nested(&[("in", "a"), ("a", "out"), ("in2", "a")])
        .text("node/nodes/rnn/nodes/in2/type", "Input")
        .edges(&[
            ("input", "fc"),
            ("fc", "rnn"),
            ("rnn", "lif"),
            ("lif", "output"),
        ])
        .fails(
            Code::GraphUnsupported,
            &["2 Input nodes", "rnn.in, rnn.in2"],
        );
}

#[test]
fn two_nodes_of_one_flat_name_are_refused() {
    nested(&[("in", "a"), ("a", "out")])
        .lif("rnn.a", 2)
        .edges(CHAIN)
        .fails(Code::GraphUnsupported, &["'rnn.a'"]);
}

#[test]
fn unknown_nodes_are_all_named() {
    let errors = small()
        .text("node/nodes/bn/type", "BatchNorm2d")
        .text("node/nodes/what/type", "Wh\u{7}at")
        .edges(CHAIN)
        .load()
        .unwrap_err()
        .0;
    let texts: Vec<String> = errors.iter().map(|d| d.to_string()).collect();
    assert!(errors.iter().all(|d| d.code == Code::NirUnsupported));
    assert!(
        texts[0].contains("/node/nodes/bn (BatchNorm2d)"),
        "{}",
        texts[0]
    );
    assert!(
        texts[1].contains("'Wh\\u{7}at' is not a node type of NIR"),
        "{}",
        texts[1]
    );
    assert!(texts[0].contains("Conv2d, CubaLI"), "{}", texts[0]);
}

#[test]
fn missing_things_are_named() {
    File::new()
        .text("other/type", "x")
        .fails(Code::NirMissing, &["no group /node", "other"]);
    File::graph()
        .edges(&[("a", "b")])
        .fails(Code::NirMissing, &["/node/nodes is missing"]);
    small().fails(Code::NirMissing, &["/node/edges is missing"]);
    small()
        .floats("node/nodes/odd/weight", &[1], &[1.0])
        .edges(CHAIN)
        .fails(Code::NirMissing, &["/node/nodes/odd", "no type"]);
    small()
        .text("node/nodes/if/type", "IF")
        .floats("node/nodes/if/r", &[1], &[1.0])
        .edges(CHAIN)
        .fails(
            Code::NirMissing,
            &["IF needs 'v_threshold'", "the node holds: r"],
        );
}

#[test]
fn wrong_types_are_named() {
    small()
        .text("node/nodes/s/type", "Scale")
        .text("node/nodes/s/scale", "big")
        .edges(CHAIN)
        .fails(Code::NirType, &["'scale' must hold numbers", "text"]);
    small()
        .ints("node/nodes/s/type", &[], &[3])
        .edges(CHAIN)
        .fails(Code::NirType, &["/node/nodes/s", "must be one text"]);
    small()
        .texts("node/edges", &[2], &["fc", "lif"])
        .fails(Code::NirType, &["pairs of node names", "shape [2]"]);
    small()
        .text("node/nodes/loose", "x")
        .edges(CHAIN)
        .fails(Code::NirType, &["/node/nodes/loose", "must be a group"]);
}

#[test]
fn impossible_parameters_are_named_with_their_place() {
    let lif = |tau: &[f32], r: &[f32]| {
        let n = |v: &[f32]| [v.len() as u64];
        small()
            .text("node/nodes/x/type", "LIF")
            .floats("node/nodes/x/tau", &n(tau), tau)
            .floats("node/nodes/x/r", &n(r), r)
            .floats("node/nodes/x/v_leak", &[], &[0.0])
            .floats("node/nodes/x/v_threshold", &[1], &[1.0])
            .edges(CHAIN)
    };
    lif(&[1.0, 0.0], &[1.0, 1.0]).fails(Code::BadParameter, &["'tau'", "value 0 at index [1]"]);
    lif(&[1.0, 1.0], &[1.0, f32::NAN]).fails(Code::BadParameter, &["'r'", "NaN at index [1]"]);
    lif(&[1.0; 3], &[1.0; 2]).fails(Code::BadParameter, &["'tau' and 'r'", "[3] = 3", "[2] = 2"]);
    small()
        .text("node/nodes/d/type", "Delay")
        .floats("node/nodes/d/delay", &[2], &[0.0, -1.0])
        .edges(CHAIN)
        .fails(Code::BadParameter, &["'delay'", "value -1 at index [1]"]);
    small()
        .text("node/nodes/w/type", "Linear")
        .floats("node/nodes/w/weight", &[2], &[0.0; 2])
        .edges(CHAIN)
        .fails(Code::BadParameter, &["[2]", "matrix"]);
    small()
        .text("node/nodes/w/type", "Affine")
        .floats("node/nodes/w/weight", &[1, 2, 2], &[0.0; 4])
        .floats("node/nodes/w/bias", &[3], &[0.0; 3])
        .edges(CHAIN)
        .fails(Code::BadParameter, &["3 values for 2 outputs"]);
    small()
        .text("node/nodes/i/type", "Input")
        .ints("node/nodes/i/shape", &[2], &[1 << 20, 1 << 20])
        .edges(CHAIN)
        .fails(Code::BadParameter, &["asks for more than"]);
}

#[test]
fn deep_nesting_hits_the_limit() {
    let path: String = (0..30).map(|i| format!("g{i}/")).collect();
    let error = small()
        .text(&format!("{path}type"), "x")
        .edges(CHAIN)
        .error();
    assert_eq!(error.code, Code::Hdf5Limit);
    assert!(error.message.contains("nested deeper than 24"), "{error}");
}

#[test]
fn too_many_objects_hit_the_limit() {
    let file = (0..1700).fold(small(), |file, i| {
        file.text(&format!("node/nodes/n{i}/type"), "Scale").floats(
            &format!("node/nodes/n{i}/scale"),
            &[1],
            &[1.0],
        )
    });
    let error = file.edges(CHAIN).error();
    assert_eq!(error.code, Code::Hdf5Limit);
    assert!(error.message.contains("5000"), "{error}");
}

#[test]
fn a_cut_file_says_how_much_is_missing() {
    let bytes = small().edges(CHAIN).bytes();
    for n in [9, 47, 100, bytes.len() - 1] {
        let errors = nir_support::load(&bytes[..n], "net.nir").unwrap_err().0;
        assert_eq!(
            errors[0].code,
            Code::Hdf5Damaged,
            "{n} bytes: {}",
            errors[0]
        );
    }
}
