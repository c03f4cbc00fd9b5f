//! What each supported node type means.

use super::params::Params;
use super::{Faults, neurons};
use crate::front::nir::NirNode;
use ir::network::Op;
use ir::origin::escape;
use ir::{Code, Diagnostic, Origin};

/// The node types of NIR.
const KNOWN: &[&str] = &[
    "Affine",
    "AvgPool2d",
    "Conv1d",
    "Conv2d",
    "CubaLI",
    "CubaLIF",
    "Delay",
    "Flatten",
    "I",
    "IF",
    "Input",
    "LI",
    "LIF",
    "Linear",
    "NIRGraph",
    "Output",
    "Scale",
    "SumPool2d",
    "Threshold",
];

/// The operation of a node; `None` after reporting why there is none.
pub(super) fn op(node: &NirNode, origin: &Origin, faults: &mut Faults) -> Option<Op> {
    let mut p = Params {
        node,
        origin,
        faults,
    };
    match node.type_name.as_str() {
        "Input" => Some(Op::Input {
            shape: p.shape("shape").ok()?,
        }),
        "Output" => Some(Op::Output {
            shape: p.shape("shape").ok()?,
        }),
        "Affine" => affine(&mut p),
        // Until nir 0.0.6 a Linear had a bias: it is today's Affine.
        "Linear" if node.dataset("bias").is_some() => affine(&mut p),
        "Linear" => Some(Op::Linear {
            weight: p.matrix()?,
        }),
        "Scale" => Some(Op::Scale {
            scale: p.required("scale")?,
        }),
        "Flatten" => {
            let start_dim = p.integer("start_dim", 1);
            let end_dim = p.integer("end_dim", -1);
            let input_type = p.shape("input_type").ok()?;
            Some(Op::Flatten {
                start_dim: start_dim?,
                end_dim: end_dim?,
                input_type,
            })
        }
        "Conv1d" => {
            let kernel = p.kernel(1);
            let [stride] = p.sizes("stride", 1, Some([1]))?;
            let padding = p.padding([stride]);
            let dilation = p.sizes("dilation", 1, Some([1]));
            let input_shape = p.open_sizes("input_shape").ok()?;
            let (weight, groups) = kernel?;
            let [dilation] = dilation?;
            Some(Op::Conv1d {
                bias: p.channel_bias(&weight)?,
                weight,
                stride,
                padding: padding?,
                dilation,
                groups,
                input_shape: input_shape.map(|[n]| n),
            })
        }
        "Conv2d" => {
            let kernel = p.kernel(2);
            let stride = p.sizes("stride", 1, Some([1, 1]))?;
            let padding = p.padding(stride);
            let dilation = p.sizes("dilation", 1, Some([1, 1]));
            let input_shape = p.open_sizes("input_shape").ok()?;
            let (weight, groups) = kernel?;
            Some(Op::Conv2d {
                bias: p.channel_bias(&weight)?,
                weight,
                stride,
                padding: padding?,
                dilation: dilation?,
                groups,
                input_shape,
            })
        }
        "SumPool2d" => {
            let [kernel, stride, padding] = pool(&mut p)?;
            Some(Op::SumPool2d {
                kernel,
                stride,
                padding,
            })
        }
        "AvgPool2d" => {
            let [kernel, stride, padding] = pool(&mut p)?;
            Some(Op::AvgPool2d {
                kernel,
                stride,
                padding,
            })
        }
        "Delay" => Some(Op::Delay {
            delay: p.at_least_zero("delay")?,
        }),
        "Threshold" => Some(Op::Threshold {
            threshold: p.required("threshold")?,
        }),
        "LIF" | "LI" | "IF" | "I" | "CubaLIF" | "CubaLI" => neurons::op(&mut p),
        other => {
            unsupported(other, origin, faults);
            None
        }
    }
}

/// Kernel, stride and padding of a pool. Without a stride it moves by its
/// own size, as in torch.
fn pool(p: &mut Params<'_>) -> Option<[[usize; 2]; 3]> {
    let kernel = p.sizes("kernel_size", 1, None)?;
    let stride = p.sizes("stride", 1, Some(kernel));
    let padding = p.sizes("padding", 0, Some([0, 0]));
    Some([kernel, stride?, padding?])
}

fn affine(p: &mut Params<'_>) -> Option<Op> {
    let weight = p.matrix()?;
    let rows = weight.shape().0.first().copied().unwrap_or(0);
    let bias = p.bias(rows)?;
    Some(Op::Affine { weight, bias })
}

fn unsupported(type_name: &str, origin: &Origin, faults: &mut Faults) {
    let shown = escape(type_name);
    faults.push(
        Diagnostic::error(
            Code::NirUnsupported,
            origin,
            format!("'{shown}' is not a node type of NIR"),
        )
        .help(format!("the node types are: {}", KNOWN.join(", "))),
    );
}
