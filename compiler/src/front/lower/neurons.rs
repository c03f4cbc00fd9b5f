//! Neurons: parameters per neuron, of agreeing sizes.

use super::params::Params;
use ir::Tensor;
use ir::network::Op;

/// The operation of a neuron node; `None` after reporting why there is none.
pub(super) fn op(p: &mut Params<'_>) -> Option<Op> {
    // All parameters are read before giving up, so every fault is reported.
    match p.node.type_name.as_str() {
        "LIF" => {
            let tau = p.positive("tau");
            let rest = ["r", "v_leak", "v_threshold"].map(|name| p.required(name));
            let reset = v_reset(p)?;
            let [r, v_leak, v_threshold] = rest;
            let [tau, r, v_leak, v_threshold, v_reset] = p.agree([
                ("tau", tau),
                ("r", r),
                ("v_leak", v_leak),
                ("v_threshold", v_threshold),
                ("v_reset", reset.value),
            ])?;
            Some(Op::Lif {
                tau,
                r,
                v_leak,
                v_threshold,
                v_reset: reset.present.then_some(v_reset),
            })
        }
        "LI" => {
            let tau = p.positive("tau");
            let [r, v_leak] = ["r", "v_leak"].map(|name| p.required(name));
            let [tau, r, v_leak] = p.agree([("tau", tau), ("r", r), ("v_leak", v_leak)])?;
            Some(Op::Li { tau, r, v_leak })
        }
        "IF" => {
            let [r, v_threshold] = ["r", "v_threshold"].map(|name| p.required(name));
            let reset = v_reset(p)?;
            let [r, v_threshold, v_reset] = p.agree([
                ("r", r),
                ("v_threshold", v_threshold),
                ("v_reset", reset.value),
            ])?;
            Some(Op::If {
                r,
                v_threshold,
                v_reset: reset.present.then_some(v_reset),
            })
        }
        "I" => Some(Op::I {
            r: p.required("r")?,
        }),
        "CubaLI" => {
            let [tau_syn, tau_mem, r, v_leak, w_in] = membrane(p);
            let [tau_syn, tau_mem, r, v_leak, w_in] = p.agree([
                ("tau_syn", tau_syn),
                ("tau_mem", tau_mem),
                ("r", r),
                ("v_leak", v_leak),
                ("w_in", w_in),
            ])?;
            Some(Op::CubaLi {
                tau_syn,
                tau_mem,
                r,
                v_leak,
                w_in,
            })
        }
        _ => {
            let [tau_syn, tau_mem, r, v_leak, w_in] = membrane(p);
            let v_threshold = p.required("v_threshold");
            let reset = v_reset(p)?;
            let [tau_syn, tau_mem, r, v_leak, w_in, v_threshold, v_reset] = p.agree([
                ("tau_syn", tau_syn),
                ("tau_mem", tau_mem),
                ("r", r),
                ("v_leak", v_leak),
                ("w_in", w_in),
                ("v_threshold", v_threshold),
                ("v_reset", reset.value),
            ])?;
            Some(Op::CubaLif {
                tau_syn,
                tau_mem,
                r,
                v_leak,
                v_threshold,
                v_reset: reset.present.then_some(v_reset),
                w_in,
            })
        }
    }
}

/// What CubaLI and CubaLIF share. Releases up to 0.2.0 did not write `w_in`,
/// which is 1 by NIR's definition.
fn membrane(p: &mut Params<'_>) -> [Option<Tensor>; 5] {
    [
        p.positive("tau_syn"),
        p.positive("tau_mem"),
        p.required("r"),
        p.required("v_leak"),
        p.or("w_in", 1.0),
    ]
}

/// The reset value, or a stand-in of one element, which agrees with every
/// size, where the file has none.
struct VReset {
    present: bool,
    value: Option<Tensor>,
}

/// `None` if the file has a wrong one.
fn v_reset(p: &mut Params<'_>) -> Option<VReset> {
    let present = p.node.dataset("v_reset").is_some();
    let value = p.or("v_reset", 0.0)?;
    Some(VReset {
        present,
        value: Some(value),
    })
}
