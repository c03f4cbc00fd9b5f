//! What each supported node type means.

use super::Faults;
use super::params::Params;
use crate::front::nir::NirNode;
use ir::network::Op;
use ir::origin::escape;
use ir::{Code, Diagnostic, Origin};

/// Node types that lowering takes.
const SUPPORTED: &[&str] = &[
    "Input", "Output", "Affine", "Linear", "Scale", "Flatten", "LIF", "IF",
];
/// Further node types of NIR, known by name.
const KNOWN: &[&str] = &[
    "AvgPool2d",
    "Conv1d",
    "Conv2d",
    "CubaLI",
    "CubaLIF",
    "Delay",
    "I",
    "LI",
    "NIRGraph",
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
        "LIF" => {
            let v_reset = v_reset(&mut p)?;
            let tau = p.positive("tau");
            let [r, v_leak, v_threshold] =
                ["r", "v_leak", "v_threshold"].map(|name| p.required(name));
            let reset = v_reset.is_some();
            let [tau, r, v_leak, v_threshold, v_reset] = p.agree([
                ("tau", tau),
                ("r", r),
                ("v_leak", v_leak),
                ("v_threshold", v_threshold),
                ("v_reset", v_reset.or_else(absent)),
            ])?;
            Some(Op::Lif {
                tau,
                r,
                v_leak,
                v_threshold,
                v_reset: reset.then_some(v_reset),
            })
        }
        "IF" => {
            let v_reset = v_reset(&mut p)?;
            let [r, v_threshold] = ["r", "v_threshold"].map(|name| p.required(name));
            let reset = v_reset.is_some();
            let [r, v_threshold, v_reset] = p.agree([
                ("r", r),
                ("v_threshold", v_threshold),
                ("v_reset", v_reset.or_else(absent)),
            ])?;
            Some(Op::If {
                r,
                v_threshold,
                v_reset: reset.then_some(v_reset),
            })
        }
        other => {
            unsupported(other, origin, faults);
            None
        }
    }
}

fn affine(p: &mut Params<'_>) -> Option<Op> {
    let weight = p.matrix()?;
    let rows = weight.shape().0.first().copied().unwrap_or(0);
    let bias = p.bias(rows)?;
    Some(Op::Affine { weight, bias })
}

/// The reset value, where the file has one; the outer `None` means it is wrong.
fn v_reset(p: &mut Params<'_>) -> Option<Option<ir::Tensor>> {
    match p.node.dataset("v_reset") {
        None => Some(None),
        Some(_) => p.optional("v_reset").map(Some),
    }
}

/// Stands in for an absent parameter in the comparison of sizes: it has one
/// element, which agrees with everything.
fn absent() -> Option<ir::Tensor> {
    Some(ir::Tensor::scalar(0.0))
}

fn unsupported(type_name: &str, origin: &Origin, faults: &mut Faults) {
    let shown = escape(type_name);
    let message = if KNOWN.contains(&type_name) {
        format!("{shown} nodes are not supported by this version")
    } else {
        format!("'{shown}' is not a node type of NIR")
    };
    faults.push(
        Diagnostic::error(Code::NirUnsupported, origin, message)
            .help(format!("supported node types: {}", SUPPORTED.join(", "))),
    );
}
