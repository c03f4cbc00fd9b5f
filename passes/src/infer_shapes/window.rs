//! Sizes behind convolutions and pools.
//!
//! Along one axis a window of `kernel` taps, `dilation` apart, moves by
//! `stride` over the values with `padding` zeros at each side:
//! `out = floor((n + 2 padding - dilation (kernel - 1) - 1) / stride) + 1`.
//! With `same` padding `out = n`. The kernel's own size along each axis counts,
//! square or not, and a convolution's input has `groups` times the channels
//! that its weight shows.

use ir::network::{Op, Padding};
use ir::tensor::{Shape, Tensor};

/// The shape rule of a convolution or pool.
#[derive(Debug)]
pub(super) struct Window {
    /// Channels in and out; a pool keeps whatever number arrives.
    pub(super) channels: Option<(usize, usize)>,
    axes: Vec<Axis>,
}

#[derive(Debug)]
struct Axis {
    kernel: usize,
    stride: usize,
    dilation: usize,
    /// Zeros at each side; `None` keeps the size.
    padding: Option<usize>,
}

impl Axis {
    fn out(&self, n: usize) -> Option<usize> {
        let Some(padding) = self.padding else {
            return Some(n);
        };
        let reach = self.dilation.checked_mul(self.kernel - 1)?;
        let padded = n.checked_add(padding.checked_mul(2)?)?;
        let room = padded.checked_sub(reach)?.checked_sub(1)?;
        Some(room / self.stride + 1)
    }
    fn arithmetic(&self, n: usize) -> String {
        let (k, s, d) = (self.kernel, self.stride, self.dilation);
        match self.padding {
            None => format!("{n} (padding same)"),
            Some(p) => format!("floor(({n} + 2 x {p} - {d} x ({k} - 1) - 1) / {s}) + 1"),
        }
    }
}

/// Why a node has no shape rule.
pub(super) type Malformed = String;

impl Window {
    /// `None` for nodes that are neither convolution nor pool.
    pub(super) fn of(op: &Op) -> Option<Result<Self, Malformed>> {
        match op {
            Op::Conv1d {
                weight,
                stride,
                padding,
                dilation,
                groups,
                ..
            } => Some(conv(weight, &[*stride], padding, &[*dilation], *groups)),
            Op::Conv2d {
                weight,
                stride,
                padding,
                dilation,
                groups,
                ..
            } => Some(conv(weight, stride, padding, dilation, *groups)),
            Op::SumPool2d {
                kernel,
                stride,
                padding,
            }
            | Op::AvgPool2d {
                kernel,
                stride,
                padding,
            } => Some(
                axes(kernel, stride, &[1, 1], Some(padding)).map(|axes| Self {
                    channels: None,
                    axes,
                }),
            ),
            Op::Input { .. }
            | Op::Output { .. }
            | Op::Affine { .. }
            | Op::Linear { .. }
            | Op::Scale { .. }
            | Op::Delay { .. }
            | Op::Threshold { .. }
            | Op::Flatten { .. }
            | Op::Lif { .. }
            | Op::CubaLif { .. }
            | Op::Li { .. }
            | Op::CubaLi { .. }
            | Op::I { .. }
            | Op::If { .. } => None,
        }
    }

    /// Dimensions of what it takes: channels and axes.
    pub(super) fn rank(&self) -> usize {
        1 + self.axes.len()
    }

    /// What it makes of a shape; `None` where the kernel finds no room, or
    /// the shape is another one than it takes.
    pub(super) fn out(&self, shape: &Shape) -> Option<Shape> {
        let (&channels, sizes) = shape.0.split_first()?;
        if sizes.len() != self.axes.len() {
            return None;
        }
        let channels = match self.channels {
            Some((taken, given)) => (taken == channels).then_some(given)?,
            None => channels,
        };
        let mut dims = vec![channels];
        for (axis, &n) in self.axes.iter().zip(sizes) {
            dims.push(axis.out(n)?);
        }
        Some(Shape(dims))
    }

    /// How the sizes come about, axis by axis.
    pub(super) fn arithmetic(&self, shape: &Shape) -> String {
        let sizes = shape.0.iter().skip(1);
        let lines: Vec<String> = self
            .axes
            .iter()
            .zip(sizes)
            .map(|(axis, &n)| axis.arithmetic(n))
            .collect();
        lines.join(" and ")
    }

    /// What it needs, in words.
    pub(super) fn wanted(&self) -> String {
        let channels = self
            .channels
            .map_or("channels".to_owned(), |(taken, _)| taken.to_string());
        let axes = match self.axes.len() {
            1 => "length",
            _ => "height width",
        };
        format!("[{channels} {axes}]")
    }

    /// The shape as it takes it: leading dimensions of size 1 that are too
    /// many are dropped, the one channel that is missing is added.
    pub(super) fn adapt(&self, shape: &Shape) -> Shape {
        let mut dims = shape.0.as_slice();
        while dims.len() > self.rank() && dims.first() == Some(&1) {
            dims = dims.get(1..).unwrap_or_default();
        }
        let one_channel = self.channels.is_none_or(|(taken, _)| taken == 1);
        if dims.len() + 1 == self.rank() && one_channel {
            return Shape([&[1], dims].concat());
        }
        Shape::of(dims)
    }
}

fn conv(
    weight: &Tensor,
    stride: &[usize],
    padding: &Padding,
    dilation: &[usize],
    groups: usize,
) -> Result<Window, Malformed> {
    let [c_out, per_group, kernel @ ..] = weight.shape().0.as_slice() else {
        return Err(format!("its weight has the shape {}", weight.shape()));
    };
    if kernel.len() != stride.len() {
        return Err(format!(
            "its weight has the shape {}, {} dimensions are needed",
            weight.shape(),
            stride.len() + 2
        ));
    }
    let taken = per_group.checked_mul(groups).unwrap_or(0);
    if taken == 0 || *c_out == 0 || !c_out.is_multiple_of(groups) {
        return Err(format!(
            "{c_out} output channels and {per_group} input channels a group do not make {groups} groups"
        ));
    }
    let zeros = match padding {
        Padding::Zeros(zeros) => Some(zeros.as_slice()),
        Padding::Same if stride.iter().any(|&s| s != 1) => {
            return Err("padding 'same' has no meaning with a stride above 1".to_owned());
        }
        Padding::Same => None,
    };
    Ok(Window {
        channels: Some((taken, *c_out)),
        axes: axes(kernel, stride, dilation, zeros)?,
    })
}

fn axes(
    kernel: &[usize],
    stride: &[usize],
    dilation: &[usize],
    padding: Option<&[usize]>,
) -> Result<Vec<Axis>, Malformed> {
    let n = kernel.len();
    if stride.len() != n || dilation.len() != n || padding.is_some_and(|p| p.len() != n) {
        return Err(format!(
            "kernel, stride, padding and dilation need {n} values each"
        ));
    }
    if [kernel, stride, dilation]
        .into_iter()
        .flatten()
        .any(|&v| v == 0)
    {
        return Err("kernel, stride and dilation must be at least 1".to_owned());
    }
    Ok((0..n)
        .map(|i| Axis {
            kernel: kernel[i],
            stride: stride[i],
            dilation: dilation[i],
            padding: padding.map(|p| p[i]),
        })
        .collect())
}
