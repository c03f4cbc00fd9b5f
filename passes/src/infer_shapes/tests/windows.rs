//! Convolutions and pools, sizes by hand.

use super::{Net, zeros};
use ir::code::Code;
use ir::network::{Op, Padding};

fn conv(weight: &[usize], stride: [usize; 2], padding: Padding, dilation: [usize; 2]) -> Op {
    Op::Conv2d {
        weight: zeros(weight),
        bias: None,
        stride,
        padding,
        dilation,
        groups: 1,
        input_shape: None,
    }
}

fn pads(v: usize, h: usize) -> Padding {
    Padding::Zeros(vec![v, h])
}

/// What a node makes of an input of this shape.
fn shape_of(op: Op, input: &[usize]) -> String {
    let net = Net::default().input(input).node("w", op).wire(&["in w"]);
    let (shapes, warnings) = net.shapes();
    assert!(
        warnings.iter().all(|w| w.code == Code::InputShape),
        "{warnings:?}"
    );
    shapes.rsplit("w ").next().unwrap_or_default().to_owned()
}

#[test]
fn convolutions() {
    // floor((9 + 2 - 2) / 2) + 1 = 5; floor((8 + 4 - 4) / 1) + 1 = 9.
    let op = conv(&[4, 2, 3, 5], [2, 1], pads(1, 2), [1, 1]);
    assert_eq!(shape_of(op, &[2, 9, 8]), "[4 5 8]");
    // Dilation 2 of 3 taps reaches over 5 values: 9 - 4 = 5, 9 - 2 = 7.
    let op = conv(&[1, 1, 3, 3], [1, 1], pads(0, 0), [2, 1]);
    assert_eq!(shape_of(op, &[1, 9, 9]), "[1 5 7]");
    // Same keeps the size, whatever kernel and dilation.
    let op = conv(&[6, 2, 4, 3], [1, 1], Padding::Same, [1, 3]);
    assert_eq!(shape_of(op, &[2, 5, 7]), "[6 5 7]");
    // One channel may be left out.
    let op = conv(&[3, 1, 2, 2], [1, 1], pads(0, 0), [1, 1]);
    let net = Net::default().input(&[4, 4]).node("w", op).wire(&["in w"]);
    assert_eq!(net.shapes().0, "in [4 4], w [3 3 3]");
}

#[test]
fn groups_multiply_the_channels_of_the_weight() {
    let op = |groups| Op::Conv1d {
        weight: zeros(&[6, 2, 3]),
        bias: None,
        stride: 2,
        padding: Padding::Zeros(vec![0]),
        dilation: 1,
        groups,
        input_shape: None,
    };
    // floor((10 - 3) / 2) + 1 = 4
    assert_eq!(shape_of(op(3), &[6, 10]), "[6 4]");
    let wrong = Net::default()
        .input(&[2, 10])
        .node("w", op(3))
        .wire(&["in w"]);
    let text = wrong.errors()[0].to_string();
    assert!(text.contains("it takes [6 length]"), "{text}");
    let uneven = Net::default()
        .input(&[8, 10])
        .node("w", op(4))
        .wire(&["in w"]);
    assert!(uneven.errors()[0].to_string().contains("4 groups"));
}

#[test]
fn pools_round_down_and_keep_channels() {
    let op = Op::SumPool2d {
        kernel: [2, 3],
        stride: [2, 2],
        padding: [0, 1],
    };
    // floor((5 - 2) / 2) + 1 = 2; floor((6 + 2 - 3) / 2) + 1 = 3
    assert_eq!(shape_of(op, &[7, 5, 6]), "[7 2 3]");
    let op = Op::AvgPool2d {
        kernel: [3, 3],
        stride: [1, 1],
        padding: [0, 0],
    };
    assert_eq!(shape_of(op.clone(), &[1, 3, 4]), "[1 1 2]");
    let net = Net::default()
        .input(&[1, 2, 4])
        .node("w", op)
        .wire(&["in w"]);
    let text = net.errors()[0].to_string();
    assert!(
        text.contains("kernel of 'w' (AvgPool2d) is larger"),
        "{text}"
    );
    assert!(text.contains("(2 + 2 x 0 - 1 x (3 - 1) - 1) / 1"), "{text}");
}

#[test]
fn same_has_no_meaning_with_a_stride() {
    let op = conv(&[1, 1, 3, 3], [2, 1], Padding::Same, [1, 1]);
    let net = Net::default()
        .input(&[1, 4, 4])
        .node("w", op)
        .wire(&["in w"]);
    assert!(
        net.errors()[0]
            .to_string()
            .contains("no meaning with a stride")
    );
}

#[test]
fn what_arrives_outranks_input_shape() {
    let stated = |sizes| {
        let mut op = conv(&[1, 1, 3, 3], [1, 1], pads(0, 0), [1, 1]);
        if let Op::Conv2d { input_shape, .. } = &mut op {
            *input_shape = sizes;
        }
        Net::default()
            .input(&[1, 6, 8])
            .node("w", op)
            .wire(&["in w"])
    };
    let right = "in [1 6 8], w [1 4 6]";
    assert_eq!(stated(Some([6, 8])).clean(), right);
    assert_eq!(
        stated(Some([6, 6])).repaired(Code::InputShape, "is ignored"),
        right
    );
    assert_eq!(
        stated(None).repaired(Code::InputShape, "has no input_shape"),
        right
    );
}

#[test]
fn batches_in_front_of_images_are_dropped() {
    let net = Net::default()
        .input(&[1, 2, 6, 6])
        .node("w", conv(&[4, 2, 3, 3], [1, 1], pads(0, 0), [1, 1]))
        .lif("n", &[1, 4, 4, 4])
        .output(&[64, 4, 4, 4])
        .wire(&["in w n out"]);
    let (shapes, warnings) = net.shapes();
    assert_eq!(shapes, "in [2 6 6], w [4 4 4], n [4 4 4], out [4 4 4]");
    let batches = warnings.iter().filter(|w| w.code == Code::ShapeLoose);
    assert_eq!(batches.count(), 3, "{warnings:?}");
}

#[test]
fn parameters_per_channel_are_spread() {
    let mut net = Net::default()
        .input(&[2, 2, 3])
        .lif("n", &[2, 1, 1])
        .wire(&["in n"])
        .0;
    if let Some(Op::Lif { r, .. }) = net.nodes.values_mut().map(|n| &mut n.op).nth(1) {
        *r = ir::tensor::Tensor::vector(vec![5.0, 7.0])
            .reshaped(ir::tensor::Shape::of(&[2, 1, 1]))
            .expect("two values");
    }
    let warnings = super::infer(&mut net).expect("it broadcasts");
    assert!(warnings.iter().any(|w| w.message.contains("repeat along")));
    let Some(Op::Lif { r, .. }) = net.nodes.values().map(|n| &n.op).nth(1) else {
        panic!("the LIF");
    };
    assert_eq!(r.to_f64(), [[5.0; 6], [7.0; 6]].concat());
}
