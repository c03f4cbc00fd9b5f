//! SHAPED: sizes of convolutions and pools.

use crate::network::{Op, Padding};
use crate::tensor::{Shape, Tensor};

/// One dimension over which a window moves.
struct Axis {
    size: usize,
    kernel: usize,
    stride: usize,
    /// Zeros at each side; `None` for as many as keep the size.
    padding: Option<usize>,
    dilation: usize,
}

impl Axis {
    /// How many windows fit, or why that can't be said.
    fn windows(&self) -> Result<usize, String> {
        let Axis {
            size,
            kernel,
            stride,
            dilation,
            ..
        } = *self;
        if kernel == 0 || stride == 0 || dilation == 0 {
            return Err(format!(
                "kernel {kernel}, stride {stride}, dilation {dilation}: each must be at least 1"
            ));
        }
        let reach = (kernel - 1).checked_mul(dilation);
        let zeros = match self.padding {
            Some(padding) => padding.checked_mul(2),
            None => reach,
        };
        let padded = zeros.and_then(|z| z.checked_add(size));
        let (Some(reach), Some(padded)) = (reach, padded) else {
            return Err("a size overflows".to_owned());
        };
        let free = padded.checked_sub(reach).and_then(|f| f.checked_sub(1));
        free.map(|free| free / stride + 1).ok_or_else(|| {
            format!("a window of {reach} + 1 does not fit into {padded} values, zeros included")
        })
    }
}

/// What is wrong with a convolution or a pool; nothing for other nodes.
pub(super) fn disagreement(op: &Op, input: &Shape, output: &Shape) -> Option<String> {
    let wrong = match op {
        Op::Conv1d {
            weight,
            bias,
            stride,
            padding,
            dilation,
            groups,
            input_shape,
        } => {
            let declared = input_shape.map(|n| vec![n]);
            let geometry = (&[*stride][..], padding, &[*dilation][..]);
            conv(weight, bias, geometry, *groups, declared, (input, output))
        }
        Op::Conv2d {
            weight,
            bias,
            stride,
            padding,
            dilation,
            groups,
            input_shape,
        } => {
            let declared = input_shape.map(|hw| hw.to_vec());
            let geometry = (&stride[..], padding, &dilation[..]);
            conv(weight, bias, geometry, *groups, declared, (input, output))
        }
        Op::SumPool2d {
            kernel,
            stride,
            padding,
        }
        | Op::AvgPool2d {
            kernel,
            stride,
            padding,
        } => pool(kernel, stride, padding, input, output),
        _ => Ok(()),
    };
    wrong.err()
}

type Geometry<'a> = (&'a [usize], &'a Padding, &'a [usize]);

fn conv(
    weight: &Tensor,
    bias: &Option<Tensor>,
    (stride, padding, dilation): Geometry<'_>,
    groups: usize,
    declared: Option<Vec<usize>>,
    (input, output): (&Shape, &Shape),
) -> Result<(), String> {
    let [c_out, c_group, kernel @ ..] = weight.shape().0.as_slice() else {
        return Err(format!(
            "weight {}, expected C_out, C_in, kernel",
            weight.shape()
        ));
    };
    let (Some((&c_in, sizes)), dims) = (input.0.split_first(), stride.len()) else {
        return Err(format!("input {input} has no channels"));
    };
    if kernel.len() != dims || sizes.len() != dims {
        return Err(format!(
            "weight {}, input {input}: expected {dims} more dimensions than channels",
            weight.shape()
        ));
    }
    if groups == 0 || c_group.checked_mul(groups) != Some(c_in) || !c_out.is_multiple_of(groups) {
        return Err(format!(
            "weight {}, {groups} groups, {c_in} channels: C_in must be {c_group} * {groups}, and \
             {c_out} a multiple of {groups}",
            weight.shape()
        ));
    }
    if let Some(bias) = bias
        && bias.len() != *c_out
    {
        return Err(format!(
            "bias holds {} values for {c_out} channels",
            bias.len()
        ));
    }
    if let Some(declared) = declared
        && declared != sizes
    {
        let declared = Shape(declared);
        return Err(format!(
            "declared as {declared}, found {}",
            Shape::of(sizes)
        ));
    }
    let zeros = match padding {
        Padding::Zeros(zeros) if zeros.len() != dims => {
            return Err(format!("padding has {} dimensions of {dims}", zeros.len()));
        }
        Padding::Zeros(zeros) => zeros.iter().copied().map(Some).collect(),
        Padding::Same => vec![None; dims],
    };
    let mut wanted = vec![*c_out];
    for dim in 0..dims {
        let axis = Axis {
            size: sizes[dim],
            kernel: kernel[dim],
            stride: stride[dim],
            padding: zeros[dim],
            dilation: dilation[dim],
        };
        wanted.push(axis.windows()?);
    }
    agree(wanted, output)
}

fn pool(
    kernel: &[usize; 2],
    stride: &[usize; 2],
    padding: &[usize; 2],
    input: &Shape,
    output: &Shape,
) -> Result<(), String> {
    let [channels, sizes @ ..] = input.0.as_slice() else {
        return Err(format!("input {input} has no channels"));
    };
    if sizes.len() != 2 {
        return Err(format!("input {input}, expected [C H W]"));
    }
    let mut wanted = vec![*channels];
    for dim in 0..2 {
        let axis = Axis {
            size: sizes[dim],
            kernel: kernel[dim],
            stride: stride[dim],
            padding: Some(padding[dim]),
            dilation: 1,
        };
        wanted.push(axis.windows()?);
    }
    agree(wanted, output)
}

fn agree(wanted: Vec<usize>, output: &Shape) -> Result<(), String> {
    if wanted == output.0 {
        return Ok(());
    }
    let wanted = Shape(wanted);
    Err(format!("its windows make {wanted}, found {output}"))
}
