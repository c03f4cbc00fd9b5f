//! Weights and biases: matrices, stacks of matrices, kernels.

use super::params::{MAX_VALUES, Params};
use ir::tensor::Data;
use ir::{Code, Shape, Tensor};

impl Params<'_> {
    /// A weight matrix `[out in]`. Leading dimensions make a stack of
    /// matrices, each for its own part of the values: a block-diagonal matrix.
    pub(super) fn matrix(&mut self) -> Option<Tensor> {
        let weight = self.required("weight")?;
        let dims = weight.shape().0.clone();
        let &[ref stack @ .., n_out, n_in] = dims.as_slice() else {
            self.bad(
                Code::BadParameter,
                format!(
                    "'weight' has the shape {}, a matrix is needed",
                    weight.shape()
                ),
                Some("expected [outputs inputs]".to_owned()),
            );
            return None;
        };
        let layers: usize = stack.iter().product();
        if layers == 1 {
            return weight.reshaped(Shape::of(&[n_out, n_in]));
        }
        let (rows, columns) = (layers.checked_mul(n_out)?, layers.checked_mul(n_in)?);
        let Some(size) = rows.checked_mul(columns).filter(|&n| n <= MAX_VALUES) else {
            self.bad(
                Code::BadParameter,
                format!("'weight' is a stack of {layers} matrices, which is too large"),
                Some(format!(
                    "one matrix of {rows} x {columns} values is needed, the limit is {MAX_VALUES}"
                )),
            );
            return None;
        };
        let mut whole = vec![0.0; size];
        for (row, line) in whole.chunks_exact_mut(columns).enumerate() {
            let from = row * n_in;
            let to = row / n_out * n_in;
            for (k, value) in line.iter_mut().skip(to).take(n_in).enumerate() {
                *value = weight.at(from + k);
            }
        }
        Tensor::new(Shape::of(&[rows, columns]), Data::F64(whole))
    }

    /// The bias that belongs to `out` outputs; one value stands for all, and
    /// one layer of a stack for every layer.
    pub(super) fn bias(&mut self, out: usize) -> Option<Tensor> {
        let bias = self.required("bias")?;
        let n = bias.len();
        if n == out {
            return bias.reshaped(Shape::of(&[out]));
        }
        if n == 1 {
            return Some(Tensor::vector(vec![bias.at(0); out]));
        }
        self.bad(
            Code::BadParameter,
            format!("'bias' has {n} values for {out} outputs"),
            Some(format!(
                "bias has the shape {}, weight has {out} rows",
                bias.shape()
            )),
        );
        None
    }

    /// The kernel of a convolution over `axes` axes, `[C_out C_in/groups K…]`,
    /// and the number of groups, which must divide the outputs.
    pub(super) fn kernel(&mut self, axes: usize) -> Option<(Tensor, usize)> {
        let weight = self.required("weight")?;
        let [groups] = self.sizes("groups", 1, Some([1]))?;
        let shape = weight.shape();
        if shape.rank() != axes + 2 {
            let sizes = if axes == 1 { "length" } else { "height width" };
            let note = format!("expected [output-channels input-channels/groups {sizes}]");
            let message = format!("'weight' has the shape {shape}, which is no kernel");
            self.bad(Code::BadParameter, message, Some(note));
            return None;
        }
        let outputs = shape.0.first().copied().unwrap_or(0);
        if !outputs.is_multiple_of(groups) {
            self.bad(
                Code::BadParameter,
                format!("{outputs} output channels cannot be split into {groups} groups"),
                Some(format!("weight has the shape {shape}")),
            );
            return None;
        }
        Some((weight, groups))
    }

    /// The bias of a convolution, where the file has one; the outer `None`
    /// means it is wrong.
    pub(super) fn channel_bias(&mut self, weight: &Tensor) -> Option<Option<Tensor>> {
        if self.node.dataset("bias").is_none() {
            return Some(None);
        }
        let outputs = weight.shape().0.first().copied().unwrap_or(0);
        self.bias(outputs).map(Some)
    }
}
