//! The linear map and the bias of each stateless node.

use super::conv::{Kernel, LIMIT, Weights};
use super::forms::Fuel;
use super::maps::{LinearMap, each};
use super::matrix::{Matrix, Sparse};
use super::{bad_parameter, in_shape, out_shape, unsupported, wrong_size};
use ir::app::Conv;
use ir::code::Code;
use ir::diag::Diagnostic;
use ir::network::{Node, Op, Padding};
use ir::neuron::Param;
use ir::origin::escape;
use ir::tensor::Tensor;

/// `y = map x + bias`.
pub(super) struct Linear {
    pub(super) map: LinearMap,
    /// One value for each of the node's values.
    pub(super) bias: Option<Vec<f64>>,
}

/// What a weight node or pool computes; `None` for nodes that are neither.
pub(super) fn linear(node: &Node, fuel: &mut Fuel) -> Result<Option<Linear>, Diagnostic> {
    let only = |map| Ok(Some(Linear { map, bias: None }));
    match &node.op {
        Op::Scale { scale } => {
            let n = out_shape(node)?.len();
            let factors =
                Param::new(scale.clone(), n).ok_or_else(|| wrong_size(node, "scale", scale, n))?;
            fuel.take(node, n as u64, 0)?;
            only(LinearMap::Diagonal((0..n).map(|i| factors.at(i)).collect()))
        }
        Op::Linear { weight } => only(LinearMap::Matrix(matrix(weight, node)?)),
        Op::Affine { weight, bias } => {
            let map = LinearMap::Matrix(matrix(weight, node)?);
            let n = out_shape(node)?.len();
            if bias.len() != n {
                return Err(wrong_size(node, "bias", bias, n));
            }
            let bias = Some(bias.to_f64());
            Ok(Some(Linear { map, bias }))
        }
        Op::Conv1d {
            weight,
            bias,
            stride,
            padding,
            dilation,
            groups,
            ..
        } => {
            let padding = match padding {
                Padding::Same => Padding::Same,
                Padding::Zeros(p) => {
                    let mut both = vec![0];
                    both.extend(p);
                    Padding::Zeros(both)
                }
            };
            let window = Window {
                kernel: None,
                stride: [1, *stride],
                dilation: [1, *dilation],
                padding: &padding,
            };
            convolution(node, weight, bias.as_ref(), &window, *groups, fuel).map(Some)
        }
        Op::Conv2d {
            weight,
            bias,
            stride,
            padding,
            dilation,
            groups,
            ..
        } => {
            let window = Window {
                kernel: None,
                stride: *stride,
                dilation: *dilation,
                padding,
            };
            convolution(node, weight, bias.as_ref(), &window, *groups, fuel).map(Some)
        }
        Op::SumPool2d {
            kernel,
            stride,
            padding,
        } => only(pool(node, *kernel, *stride, *padding, 1.0, fuel)?),
        Op::AvgPool2d {
            kernel,
            stride,
            padding,
        } => {
            let area = kernel[0] as f64 * kernel[1] as f64;
            only(pool(node, *kernel, *stride, *padding, 1.0 / area, fuel)?)
        }
        Op::Input { .. }
        | Op::Output { .. }
        | Op::Flatten { .. }
        | Op::Delay { .. }
        | Op::Threshold { .. }
        | Op::Lif { .. }
        | Op::CubaLif { .. }
        | Op::Li { .. }
        | Op::CubaLi { .. }
        | Op::I { .. }
        | Op::If { .. } => Ok(None),
    }
}

/// The matrix of a weight tensor that covers the whole input.
fn matrix(weight: &Tensor, node: &Node) -> Result<Matrix, Diagnostic> {
    let (rows, cols) = (out_shape(node)?.len(), in_shape(node)?.len());
    if weight.shape().0 == [rows, cols] {
        return Ok(Matrix {
            rows,
            cols,
            data: weight.to_f64(),
        });
    }
    Err(Diagnostic::error(
        Code::GraphUnsupported,
        &node.origin,
        format!(
            "the weight of '{}' does not cover its whole input",
            escape(&node.name)
        ),
    )
    .note(format!(
        "weight {}, but the node maps {cols} values to {rows}",
        weight.shape()
    ))
    .help("flatten the input before this node, so that one matrix maps all of it"))
}

/// How a window moves over the values.
struct Window<'a> {
    /// `None`: the weight's.
    kernel: Option<[usize; 2]>,
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: &'a Padding,
}

fn geometry(node: &Node, kernel: [usize; 2], window: &Window<'_>) -> Result<Conv, Diagnostic> {
    let planes = |shape: &ir::Shape| match *shape.0.as_slice() {
        [c, n] => Ok([c, 1, n]),
        [c, h, w] => Ok([c, h, w]),
        _ => Err(unsupported(node, "its values are no images of channels")
            .note(format!("shape {shape}, [C H W] or [C N] is needed"))),
    };
    let kernel = window.kernel.unwrap_or(kernel);
    let padding = match window.padding {
        // The larger half comes after the values.
        Padding::Same => {
            [0, 1].map(|d| window.dilation[d].saturating_mul(kernel[d].saturating_sub(1)) / 2)
        }
        Padding::Zeros(p) => match *p.as_slice() {
            [one] => [one, one],
            [y, x] => [y, x],
            _ => {
                return Err(bad_parameter(
                    node,
                    "padding needs one value for each dimension",
                ));
            }
        },
    };
    let all = [kernel, window.stride, window.dilation, padding];
    if all.iter().flatten().any(|&v| v > LIMIT) {
        return Err(
            bad_parameter(node, "its window is impossibly large").note(format!(
                "kernel, stride, dilation or padding beyond {LIMIT}"
            )),
        );
    }
    if [kernel, window.stride, window.dilation]
        .iter()
        .flatten()
        .any(|&v| v == 0)
    {
        return Err(bad_parameter(
            node,
            "kernel, stride and dilation must be above 0",
        ));
    }
    Ok(Conv {
        source: planes(&in_shape(node)?)?,
        target: planes(&out_shape(node)?)?,
        kernel,
        stride: window.stride,
        padding,
        dilation: window.dilation,
    })
}

fn pool(
    node: &Node,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    weight: f64,
    fuel: &mut Fuel,
) -> Result<LinearMap, Diagnostic> {
    let window = Window {
        kernel: Some(kernel),
        stride,
        dilation: [1, 1],
        padding: &Padding::Zeros(padding.to_vec()),
    };
    let geometry = geometry(node, kernel, &window)?;
    let channels = geometry.source[0];
    if geometry.target[0] != channels {
        return Err(bad_parameter(node, "a pool keeps the number of channels"));
    }
    fuel.dense(node, channels, kernel[0] * kernel[1], 1)?;
    Ok(each(
        geometry,
        vec![weight; channels * kernel[0] * kernel[1]],
    ))
}

fn convolution(
    node: &Node,
    weight: &Tensor,
    bias: Option<&Tensor>,
    window: &Window<'_>,
    groups: usize,
    fuel: &mut Fuel,
) -> Result<Linear, Diagnostic> {
    let (c_out, c_part, kernel) = match *weight.shape().0.as_slice() {
        [o, i, k] => (o, i, [1, k]),
        [o, i, h, w] => (o, i, [h, w]),
        _ => {
            return Err(
                bad_parameter(node, "the weight has the wrong number of dimensions")
                    .note(format!("weight {}", weight.shape())),
            );
        }
    };
    let g = geometry(node, kernel, window)?;
    let fits = g.target[0] == c_out
        && groups > 0
        && c_part.checked_mul(groups) == Some(g.source[0])
        && c_out.is_multiple_of(groups);
    if !fits {
        return Err(
            bad_parameter(node, "weight, groups and channels disagree").note(format!(
                "weight {}, {groups} groups, {} channels in, {} channels out",
                weight.shape(),
                g.source[0],
                g.target[0]
            )),
        );
    }
    let weights = weight.to_f64();
    let map = if groups == 1 {
        fuel.take(node, weights.len() as u64, 0)?;
        LinearMap::Conv(Kernel {
            geometry: g,
            weights: Weights::Full(weights),
        })
    } else if c_part == 1 && c_out == groups {
        fuel.take(node, weights.len() as u64, 0)?;
        each(g, weights)
    } else {
        LinearMap::Sparse(grouped(node, &g, &weights, groups, fuel)?)
    };
    let pixels = g.target[1] * g.target[2];
    let bias = match bias {
        None => None,
        Some(b) if b.len() == c_out => {
            fuel.dense(node, c_out, pixels, 1)?;
            Some((0..c_out * pixels).map(|i| b.at(i / pixels)).collect())
        }
        Some(b) => return Err(wrong_size(node, "bias", b, c_out)),
    };
    Ok(Linear { map, bias })
}

/// A convolution whose channels are cut into groups: the groups side by side.
fn grouped(
    node: &Node,
    g: &Conv,
    weights: &[f64],
    groups: usize,
    fuel: &mut Fuel,
) -> Result<Sparse, Diagnostic> {
    let ([c_in, h_in, w_in], [c_out, h_out, w_out]) = (g.source, g.target);
    let (part_in, part_out) = (c_in / groups, c_out / groups);
    let cols = c_in * h_in * w_in;
    let mut out = Sparse::new(cols);
    for group in 0..groups {
        let size = part_out * part_in * g.kernel[0] * g.kernel[1];
        let kernel = Kernel {
            geometry: Conv {
                source: [part_in, h_in, w_in],
                target: [part_out, h_out, w_out],
                ..*g
            },
            weights: Weights::Full(weights[group * size..][..size].to_vec()),
        };
        fuel.take(node, kernel.most_synapses(), 0)?;
        let shift = (group * part_in * h_in * w_in) as u32;
        for row in kernel.to_sparse().each_row() {
            out.push_row(row.iter().map(|&(col, w)| (col + shift, w)));
        }
    }
    Ok(out)
}
