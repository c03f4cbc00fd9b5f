//! Convolutions and pools against the definition, over random geometries.

mod golden_support;

use golden_support::{Net, Random};
use ir::golden::Golden;
use ir::network::{Op, Padding};
use ir::semantics::Profile;
use ir::{Code, Series, Shape, Tensor};

/// One step of a network input -> node -> output.
fn once(op: Op, from: &[usize], to: &[usize], x: &[f64]) -> Vec<f64> {
    let shape = |s: &[usize]| Some(Shape::of(s));
    let input = Op::Input { shape: shape(from) };
    let output = Op::Output { shape: shape(to) };
    let net = Net::default()
        .shaped("in", from, from, input)
        .shaped("map", from, to, op)
        .shaped("out", to, to, output)
        .wire(&["in map out"]);
    let golden = Golden::new(&net.0, &Profile::Nir.semantics()).expect("valid");
    let series = Series {
        steps: 1,
        width: x.len(),
        data: x.to_vec(),
    };
    let traces = golden.run(&[series], &[]).expect("runs");
    traces.outputs[0].1.data.clone()
}

fn tensor(shape: &[usize], values: Vec<f64>) -> Tensor {
    Tensor::vector(values)
        .reshaped(Shape::of(shape))
        .expect("the sizes agree")
}

/// Geometry of one dimension, with padding before and the target's size.
#[derive(Clone, Copy, Debug)]
struct Dim {
    n: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    out: usize,
}

/// A random one; `same` pads as torch does for "same".
fn dim(random: &mut Random, same: bool, dilate: bool) -> Dim {
    let kernel = random.between(1, 4);
    let dilation = if dilate { random.between(1, 3) } else { 1 };
    let span = dilation * (kernel - 1) + 1;
    let n = random.between(span.max(2), 11);
    if same {
        let (stride, before) = (1, (span - 1) / 2);
        return Dim {
            n,
            kernel,
            stride,
            dilation,
            before,
            out: n,
        };
    }
    let (stride, before) = (random.between(1, 3), random.below(3));
    Dim {
        n,
        kernel,
        stride,
        dilation,
        before,
        out: (n + 2 * before - span) / stride + 1,
    }
}

/// The source position that element `k` of the window at `o` reads.
fn reads(d: Dim, o: usize, k: usize) -> Option<usize> {
    let at = o * d.stride + k * d.dilation;
    at.checked_sub(d.before).filter(|&at| at < d.n)
}

/// The definition, target by target.
fn brute(
    [c_in, c_out, groups]: [usize; 3],
    [h, w]: [Dim; 2],
    x: &[f64],
    weight: impl Fn(usize, usize, usize, usize) -> f64,
    bias: &[f64],
) -> Vec<f64> {
    let (per_in, per_out) = (c_in / groups, c_out / groups);
    let mut y = Vec::new();
    for (co, &offset) in bias.iter().enumerate().take(c_out) {
        for oy in 0..h.out {
            for ox in 0..w.out {
                let mut sum = offset;
                for ci in 0..per_in {
                    for ky in 0..h.kernel {
                        for kx in 0..w.kernel {
                            if let Some((iy, ix)) = reads(h, oy, ky).zip(reads(w, ox, kx)) {
                                let channel = co / per_out * per_in + ci;
                                sum += weight(co, ci, ky, kx) * x[(channel * h.n + iy) * w.n + ix];
                            }
                        }
                    }
                }
                y.push(sum);
            }
        }
    }
    y
}

#[test]
fn convolutions_equal_the_definition() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for case in 0..300 {
        let same = case % 3 == 0;
        let one = case % 4 == 0;
        let flat = Dim {
            n: 1,
            kernel: 1,
            stride: 1,
            dilation: 1,
            before: 0,
            out: 1,
        };
        let h = if one {
            flat
        } else {
            dim(&mut random, same, true)
        };
        let w = dim(&mut random, same, true);
        let groups = random.between(1, 3);
        let (per_in, per_out) = (random.between(1, 3), random.between(1, 3));
        let (c_in, c_out) = (per_in * groups, per_out * groups);
        let weights = random.eighths(c_out * per_in * h.kernel * w.kernel);
        let bias = random.eighths(c_out);
        let has_bias = case % 2 == 0;
        let x = random.sparse(c_in * h.n * w.n);
        let padding = |zeros: Vec<usize>| {
            if same {
                Padding::Same
            } else {
                Padding::Zeros(zeros)
            }
        };
        let bias_tensor = has_bias.then(|| Tensor::vector(bias.clone()));
        let found = if one {
            let op = Op::Conv1d {
                weight: tensor(&[c_out, per_in, w.kernel], weights.clone()),
                bias: bias_tensor,
                stride: w.stride,
                padding: padding(vec![w.before]),
                dilation: w.dilation,
                groups,
                input_shape: None,
            };
            once(op, &[c_in, w.n], &[c_out, w.out], &x)
        } else {
            let op = Op::Conv2d {
                weight: tensor(&[c_out, per_in, h.kernel, w.kernel], weights.clone()),
                bias: bias_tensor,
                stride: [h.stride, w.stride],
                padding: padding(vec![h.before, w.before]),
                dilation: [h.dilation, w.dilation],
                groups,
                input_shape: None,
            };
            once(op, &[c_in, h.n, w.n], &[c_out, h.out, w.out], &x)
        };
        let weight = |co: usize, ci: usize, ky: usize, kx: usize| {
            weights[((co * per_in + ci) * h.kernel + ky) * w.kernel + kx]
        };
        let bias = if has_bias { bias } else { vec![0.0; c_out] };
        let wanted = brute([c_in, c_out, groups], [h, w], &x, weight, &bias);
        assert_eq!(found, wanted, "case {case}: {h:?} {w:?} groups {groups}");
    }
}

#[test]
fn pools_equal_the_definition() {
    let mut random = Random(77);
    for case in 0..200 {
        let (h, w) = (
            dim(&mut random, false, false),
            dim(&mut random, false, false),
        );
        let channels = random.between(1, 3);
        let x = random.sparse(channels * h.n * w.n);
        let (kernel, stride) = ([h.kernel, w.kernel], [h.stride, w.stride]);
        let padding = [h.before, w.before];
        let (op, each) = if case % 2 == 0 {
            let sum = Op::SumPool2d {
                kernel,
                stride,
                padding,
            };
            (sum, 1.0)
        } else {
            let average = Op::AvgPool2d {
                kernel,
                stride,
                padding,
            };
            (average, 1.0 / (h.kernel * w.kernel) as f64)
        };
        let found = once(op, &[channels, h.n, w.n], &[channels, h.out, w.out], &x);
        let ones = |_, _, _, _| each;
        let geometry = [channels, channels, channels];
        let wanted = brute(geometry, [h, w], &x, ones, &vec![0.0; channels]);
        for (f, w) in found.iter().zip(&wanted) {
            assert!((f - w).abs() < 1e-12, "case {case}: {found:?} {wanted:?}");
        }
        assert_eq!(found.len(), wanted.len());
    }
}

#[test]
fn same_puts_the_larger_half_after_the_values() {
    let op = Op::Conv1d {
        weight: tensor(&[1, 1, 2], vec![1.0, 10.0]),
        bias: None,
        stride: 1,
        padding: Padding::Same,
        dilation: 1,
        groups: 1,
        input_shape: Some(3),
    };
    // One zero in all, at the end: y_t = x_t + 10 x_(t+1).
    assert_eq!(
        once(op, &[1, 3], &[1, 3], &[1.0, 2.0, 3.0]),
        [21.0, 32.0, 3.0]
    );
}

#[test]
fn impossible_geometries_are_refused() {
    let conv = |groups, stride, bias: &[f64]| Op::Conv2d {
        weight: tensor(&[2, 1, 2, 2], vec![1.0; 8]),
        bias: Some(Tensor::vector(bias.to_vec())),
        stride: [stride; 2],
        padding: Padding::Zeros(vec![0, 0]),
        dilation: [1, 1],
        groups,
        input_shape: None,
    };
    let pool = |kernel, stride| Op::SumPool2d {
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [0, 0],
    };
    let refused = |op, from: &[usize], to: &[usize]| {
        let net = Net::default().shaped("map", from, to, op);
        let error = Golden::new(&net.0, &Profile::Nir.semantics()).err();
        error.map(|e| e.0[0].code)
    };
    let shape = Some(Code::Shape);
    assert_eq!(refused(conv(1, 1, &[0.0; 2]), &[1, 3, 3], &[2, 2, 2]), None);
    assert_eq!(
        refused(conv(2, 1, &[0.0; 2]), &[1, 3, 3], &[2, 2, 2]),
        shape
    );
    assert_eq!(
        refused(conv(0, 1, &[0.0; 2]), &[1, 3, 3], &[2, 2, 2]),
        shape
    );
    assert_eq!(
        refused(conv(1, 0, &[0.0; 2]), &[1, 3, 3], &[2, 2, 2]),
        shape
    );
    assert_eq!(
        refused(conv(1, 1, &[0.0; 3]), &[1, 3, 3], &[2, 2, 2]),
        shape
    );
    assert_eq!(
        refused(conv(1, 1, &[0.0; 2]), &[1, 3, 3], &[2, 3, 2]),
        shape
    );
    assert_eq!(refused(conv(1, 1, &[0.0; 2]), &[9], &[8]), shape);
    assert_eq!(refused(pool(2, 2), &[1, 5, 5], &[1, 2, 2]), None);
    assert_eq!(refused(pool(9, 1), &[1, 5, 5], &[1, 1, 1]), shape);
    assert_eq!(refused(pool(2, 2), &[1, 5, 5], &[2, 2, 2]), shape);
}
