//! Convolutions, pools and neurons as files write them.

mod nir_support;

use ir::network::{Op, Padding};
use ir::{Code, Diagnostic};
use nir_support::{File, small};

/// input -> x -> output, x of a type with these integer parameters.
fn one(kind: &str, ints: &[(&str, &[i64])]) -> File {
    let file = File::graph()
        .port("input", "Input", 3)
        .port("output", "Output", 3)
        .text("node/nodes/x/type", kind)
        .edges(&[("input", "x"), ("x", "output")]);
    ints.iter().fold(file, |file, (name, values)| {
        let dims: &[u64] = if values.len() == 1 {
            &[]
        } else {
            &[values.len() as u64]
        };
        file.ints(&format!("node/nodes/x/{name}"), dims, values)
    })
}

fn op(file: File) -> (Op, Vec<Diagnostic>) {
    let (network, warnings) = file.load().unwrap();
    let x = network.node_named("x").unwrap();
    (network.nodes[x].op.clone(), warnings)
}

fn kernel(file: File, shape: &[u64]) -> File {
    let n = shape.iter().product::<u64>() as usize;
    file.floats("node/nodes/x/weight", shape, &vec![1.0; n])
}

#[test]
fn sizes_are_scalars_or_pairs() {
    let file = one(
        "Conv2d",
        &[
            ("stride", &[2]),
            ("padding", &[1, 0]),
            ("dilation", &[1, 3]),
            ("groups", &[2]),
        ],
    );
    let (op, warnings) = op(kernel(file, &[4, 1, 3, 5]));
    assert_eq!(warnings, []);
    let Op::Conv2d {
        stride,
        padding,
        dilation,
        groups,
        bias,
        input_shape,
        ..
    } = op
    else {
        panic!("{}", op.kind());
    };
    assert_eq!((stride, dilation, groups), ([2, 2], [1, 3], 2));
    assert_eq!(padding, Padding::Zeros(vec![1, 0]));
    assert_eq!((bias, input_shape), (None, None));
}

#[test]
fn absent_sizes_have_their_usual_values() {
    let file = one("Conv1d", &[("input_shape", &[9])]).text("node/nodes/x/padding", "same");
    let (conv, warnings) = op(kernel(file, &[4, 1, 3]));
    assert!(warnings.iter().all(|w| w.code == Code::NirDefault));
    assert_eq!(warnings.len(), 3, "groups, stride, dilation: {warnings:?}");
    let Op::Conv1d {
        padding,
        input_shape,
        stride,
        ..
    } = conv
    else {
        panic!("{}", conv.kind());
    };
    assert_eq!((padding, input_shape, stride), (Padding::Same, Some(9), 1));
    // A pool moves by its own size.
    let (pool, warnings) = op(one(
        "SumPool2d",
        &[("kernel_size", &[2, 3]), ("padding", &[0])],
    ));
    assert_eq!(warnings.len(), 1);
    let Op::SumPool2d { stride, .. } = pool else {
        panic!("{}", pool.kind());
    };
    assert_eq!(stride, [2, 3]);
}

#[test]
fn impossible_sizes_are_named() {
    let conv = |ints: &[(&str, &[i64])]| {
        let rest: &[(&str, &[i64])] = &[("stride", &[1]), ("padding", &[0]), ("dilation", &[1])];
        let given = |name: &str| ints.iter().any(|(n, _)| *n == name);
        let rest = rest.iter().filter(|(n, _)| !given(n)).copied();
        let all: Vec<(&str, &[i64])> = ints.iter().copied().chain(rest).collect();
        one("Conv2d", &all)
    };
    let bad = Code::BadParameter;
    let shape = [4, 1, 3, 3];
    kernel(conv(&[("groups", &[1]), ("stride", &[0])]), &shape)
        .fails(bad, &["'stride'", "impossible value 0"]);
    kernel(conv(&[("groups", &[1]), ("padding", &[-1, 0])]), &shape)
        .fails(bad, &["'padding'", "impossible value -1"]);
    kernel(conv(&[("groups", &[3])]), &shape).fails(bad, &["4 output channels", "3 groups"]);
    kernel(conv(&[("groups", &[1])]), &[4, 3, 3]).fails(bad, &["[4 3 3]", "height width"]);
    kernel(conv(&[("groups", &[1]), ("dilation", &[1, 1, 1])]), &shape)
        .fails(Code::NirType, &["'dilation'", "two integers"]);
    let words = |stride: i64, padding: &str| {
        let file = one(
            "Conv2d",
            &[("stride", &[stride]), ("dilation", &[1]), ("groups", &[1])],
        );
        kernel(file.text("node/nodes/x/padding", padding), &shape)
    };
    words(2, "same").fails(bad, &["no meaning with a stride"]);
    words(1, "full").fails(bad, &["unknown word 'full'", "\"valid\""]);
}

#[test]
fn neurons_of_every_kind() {
    let neuron = |kind: &str, names: &[&str]| {
        let file = one(kind, &[]);
        op(names.iter().fold(file, |file, name| {
            file.floats(&format!("node/nodes/x/{name}"), &[3], &[1.0, 2.0, 3.0])
        }))
    };
    for (kind, names) in [
        ("I", &["r"][..]),
        ("IF", &["r", "v_threshold"]),
        ("LI", &["tau", "r", "v_leak"]),
        ("LIF", &["tau", "r", "v_leak", "v_threshold", "v_reset"]),
        ("CubaLI", &["tau_syn", "tau_mem", "r", "v_leak"]),
        (
            "CubaLIF",
            &["tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "w_in"],
        ),
        ("Delay", &["delay"]),
        ("Threshold", &["threshold"]),
    ] {
        let (op, warnings) = neuron(kind, names);
        assert_eq!((op.kind(), warnings.len()), (kind, 0));
    }
    let (op, _) = neuron("CubaLI", &["tau_syn", "tau_mem", "r", "v_leak"]);
    let Op::CubaLi { w_in, .. } = op else {
        panic!("{}", op.kind());
    };
    assert_eq!(w_in.to_f64(), [1.0], "NIR's default");
}

#[test]
fn integer_parameters_are_one_warning() {
    let (op, warnings) = op(one("IF", &[("r", &[1, 2, 3]), ("v_threshold", &[4])]));
    let Op::If { r, .. } = op else {
        panic!("{}", op.kind());
    };
    assert_eq!(r.to_f64(), [1.0, 2.0, 3.0]);
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].code, Code::NirInteger);
    assert!(warnings[0].to_string().contains("r, v_threshold"));
}

#[test]
fn a_stack_of_matrices_is_block_diagonal() {
    let (network, _) = small()
        .text("node/nodes/w/type", "Linear")
        .floats("node/nodes/w/weight", &[2, 1, 2], &[1.0, 2.0, 3.0, 4.0])
        .edges(&[
            ("input", "w"),
            ("w", "fc"),
            ("fc", "lif"),
            ("lif", "output"),
        ])
        .load()
        .unwrap();
    let w = network.node_named("w").unwrap();
    let Op::Linear { weight } = &network.nodes[w].op else {
        panic!("not a Linear");
    };
    assert_eq!(weight.shape().0, [2, 4]);
    assert_eq!(weight.to_f64(), [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 3.0, 4.0]);
}
