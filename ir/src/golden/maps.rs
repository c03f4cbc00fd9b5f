//! The maps of the stateless nodes, made ready to run.

use super::spatial::{Scan, Spatial};
use super::values::{check_one, finite};
use crate::code::Code;
use crate::diag::{Diagnostic, Diagnostics, Result};
use crate::network::{Node, Op};
use crate::origin::escape;
use crate::tensor::Tensor;

/// `y = M x + b`.
#[derive(Debug)]
pub(super) struct Affine {
    map: Map,
    /// One value per output.
    bias: Option<Vec<f64>>,
    /// First step in which the bias acts: 0, or 1 on a recurrent path with
    /// `--recurrent-bias-t0 off`.
    bias_from: usize,
}

#[derive(Debug)]
enum Map {
    Dense(Dense),
    /// Element by element.
    Scale(Vec<f64>),
    Spatial(Spatial),
}

/// The columns of a matrix one after the other, since the inputs are mostly
/// zero and a zero skips its column.
#[derive(Debug)]
struct Dense {
    n_in: usize,
    columns: Vec<f64>,
}

impl Affine {
    /// The map of a node that produces `n` values; `None` if it has none.
    pub(super) fn new(node: &Node, n: usize, bias_from: usize) -> Option<Result<Self>> {
        let (map, bias) = match &node.op {
            Op::Affine { weight, bias } => (dense(node, n, weight), Some((bias, 1))),
            Op::Linear { weight } => (dense(node, n, weight), None),
            Op::Scale { scale } => (self::scale(node, n, scale), None),
            Op::Conv1d {
                weight,
                bias,
                stride,
                padding,
                dilation,
                groups,
                input_shape: _,
            } => {
                let &[n_out, n_in, k] = weight.shape().0.as_slice() else {
                    return Some(Err(rank(node, weight, "[C_out C_in/groups K]")));
                };
                let scans = [FLAT, Scan::new(k, *stride, padding, 0, *dilation)];
                let map = conv(node, 1, scans, (weight, [n_out, n_in]), *groups);
                (map, bias.as_ref().map(|b| (b, n / n_out.max(1))))
            }
            Op::Conv2d {
                weight,
                bias,
                stride,
                padding,
                dilation,
                groups,
                input_shape: _,
            } => {
                let &[n_out, n_in, kh, kw] = weight.shape().0.as_slice() else {
                    return Some(Err(rank(node, weight, "[C_out C_in/groups Kh Kw]")));
                };
                let scans = [
                    Scan::new(kh, stride[0], padding, 0, dilation[0]),
                    Scan::new(kw, stride[1], padding, 1, dilation[1]),
                ];
                let map = conv(node, 2, scans, (weight, [n_out, n_in]), *groups);
                (map, bias.as_ref().map(|b| (b, n / n_out.max(1))))
            }
            Op::SumPool2d {
                kernel,
                stride,
                padding,
            } => (pool(node, [kernel, stride, padding], 1.0), None),
            Op::AvgPool2d {
                kernel,
                stride,
                padding,
            } => {
                let divisor = kernel[0] as f64 * kernel[1] as f64;
                (pool(node, [kernel, stride, padding], divisor), None)
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
            | Op::If { .. } => return None,
        };
        let bias = bias.map(|(bias, each)| expand(node, n, bias, each));
        Some(match (map, bias.transpose()) {
            (Ok(map), Ok(bias)) => Ok(Self {
                map,
                bias,
                bias_from,
            }),
            (Err(mut errors), Err(more)) => {
                errors.0.extend(more.0);
                Err(errors)
            }
            (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => Err(errors),
        })
    }

    /// Number of values that it takes; the node produces `n`.
    pub(super) fn n_in(&self, n: usize) -> usize {
        match &self.map {
            Map::Dense(dense) => dense.n_in,
            Map::Scale(_) => n,
            Map::Spatial(spatial) => spatial.n_in(),
        }
    }
    /// The bias and the first step in which it acts.
    pub(super) fn bias(&self) -> Option<(&[f64], usize)> {
        self.bias.as_deref().map(|b| (b, self.bias_from))
    }
    /// The output of a step. `room` is scratch of any contents.
    pub(super) fn apply(&self, x: &[f64], step: usize, y: &mut [f64], room: &mut Vec<f64>) {
        match &self.bias {
            Some(bias) if step >= self.bias_from => y.copy_from_slice(bias),
            Some(_) | None => y.fill(0.0),
        }
        self.add(x, y, room);
    }
    /// The same without the bias.
    pub(super) fn apply_linear(&self, x: &[f64], y: &mut [f64], room: &mut Vec<f64>) {
        y.fill(0.0);
        self.add(x, y, room);
    }
    fn add(&self, x: &[f64], y: &mut [f64], room: &mut Vec<f64>) {
        match &self.map {
            Map::Dense(dense) => {
                for (&x, column) in x.iter().zip(dense.columns.chunks_exact(y.len().max(1))) {
                    if x != 0.0 {
                        for (y, w) in y.iter_mut().zip(column) {
                            *y += w * x;
                        }
                    }
                }
            }
            Map::Scale(scale) => {
                for ((y, x), s) in y.iter_mut().zip(x).zip(scale) {
                    *y += s * x;
                }
            }
            Map::Spatial(spatial) => spatial.add(x, y, room),
        }
    }
    /// Calls `f(input, output, weight)` for each pair that the map connects.
    pub(super) fn each(&self, n: usize, mut f: impl FnMut(usize, usize, f64)) {
        match &self.map {
            Map::Dense(dense) => {
                for (i, column) in dense.columns.chunks_exact(n.max(1)).enumerate() {
                    column.iter().enumerate().for_each(|(j, &w)| f(i, j, w));
                }
            }
            Map::Scale(scale) => scale.iter().enumerate().for_each(|(i, &s)| f(i, i, s)),
            Map::Spatial(spatial) => spatial.each(f),
        }
    }
}

/// The dimension that a one-dimensional map doesn't have.
const FLAT: Scan = Scan {
    kernel: 1,
    stride: 1,
    before: 0,
    after: Some(0),
    dilation: 1,
};

fn dense(node: &Node, n: usize, weight: &Tensor) -> Result<Map> {
    let &[n_out, n_in] = weight.shape().0.as_slice() else {
        return Err(rank(node, weight, "[out in]"));
    };
    if n_out != n {
        let note = format!("weight {}, output {n}", weight.shape());
        return Err(disagree(node).note(note).into());
    }
    let rows = finite(node, "weight", weight)?;
    let mut columns = vec![0.0; rows.len()];
    for (i, row) in rows.chunks_exact(n_in.max(1)).enumerate() {
        for (j, &w) in row.iter().enumerate() {
            columns[j * n_out + i] = w;
        }
    }
    Ok(Map::Dense(Dense { n_in, columns }))
}

fn scale(node: &Node, n: usize, scale: &Tensor) -> Result<Map> {
    let values = finite(node, "scale", scale)?;
    match values.as_slice() {
        &[one] => Ok(Map::Scale(vec![one; n])),
        many if many.len() == n => Ok(Map::Scale(values)),
        many => {
            let name = escape(&node.name);
            let message = format!("'{name}' has {} scales for {n} values", many.len());
            Err(Diagnostic::error(Code::Shape, &node.origin, message).into())
        }
    }
}

fn conv(
    node: &Node,
    dims: usize,
    scans: [Scan; 2],
    (weight, outer): (&Tensor, [usize; 2]),
    groups: usize,
) -> Result<Map> {
    let weights = finite(node, "weight", weight)?;
    let map = Spatial::conv(node, dims, scans, (&weights, outer), groups)?;
    Ok(Map::Spatial(map))
}

fn pool(node: &Node, [kernel, stride, padding]: [&[usize; 2]; 3], divisor: f64) -> Result<Map> {
    let scan = |d: usize| Scan {
        kernel: kernel[d],
        stride: stride[d],
        before: padding[d],
        after: Some(padding[d]),
        dilation: 1,
    };
    Ok(Map::Spatial(Spatial::pool(
        node,
        [scan(0), scan(1)],
        divisor,
    )?))
}

/// A bias for `n` outputs, each element standing for `each` of them.
fn expand(node: &Node, n: usize, bias: &Tensor, each: usize) -> Result<Vec<f64>> {
    if bias.len().checked_mul(each) != Some(n) {
        let note = format!("bias {}, output {n}", bias.shape());
        return Err(disagree(node).note(note).into());
    }
    check_one(node, "bias", bias, bias.len())?;
    Ok((0..n).map(|i| bias.at(i / each)).collect())
}

fn disagree(node: &Node) -> Diagnostic {
    let name = escape(&node.name);
    let message = format!("weight, bias and output of '{name}' disagree");
    Diagnostic::error(Code::Shape, &node.origin, message)
}

fn rank(node: &Node, weight: &Tensor, wanted: &str) -> Diagnostics {
    let message = format!(
        "the weight of '{}' is not {wanted} but {}",
        escape(&node.name),
        weight.shape()
    );
    Diagnostic::error(Code::Shape, &node.origin, message).into()
}
