//! Parameters of a node: checked, and with one value standing for all.

use crate::code::Code;
use crate::diag::{Diagnostic, Diagnostics};
use crate::network::{Node, Op};
use crate::origin::escape;
use crate::semantics::{Reset, Semantics};
use crate::tensor::Tensor;

/// A parameter of all elements: one value for all, or one each.
#[derive(Clone, Debug)]
pub(super) struct Values {
    values: Vec<f64>,
    /// 0 if one value stands for all, else 1.
    stride: usize,
}

impl Values {
    pub(super) fn of(tensor: &Tensor) -> Self {
        Self::from(tensor.to_f64())
    }
    pub(super) fn one(value: f64) -> Self {
        Self::from(vec![value])
    }
    pub(super) fn from(values: Vec<f64>) -> Self {
        let stride = usize::from(values.len() != 1);
        Self { values, stride }
    }
    pub(super) fn at(&self, i: usize) -> f64 {
        self.values[i * self.stride]
    }
    /// Element by element; both sides hold 1 or n values.
    pub(super) fn with(&self, other: &Values, f: impl Fn(f64, f64) -> f64) -> Self {
        let n = self.values.len().max(other.values.len());
        Self::from((0..n).map(|i| f(self.at(i), other.at(i))).collect())
    }
    pub(super) fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self::from(self.values.iter().map(|&v| f(v)).collect())
    }
}

/// Whether the parameters of a neuron are finite, of 1 or `n` values, and
/// possible.
pub(super) fn check(node: &Node, n: usize, semantics: &Semantics) -> Result<(), Diagnostics> {
    let mut errors = Vec::new();
    for (name, tensor) in parameters(&node.op) {
        let fault = check_one(node, name, tensor, n).err().or_else(|| {
            let (below, why) = match name {
                "tau" | "tau_syn" | "tau_mem" => (true, ""),
                "v_threshold" if semantics.reset == Reset::MultiSubtract => {
                    (true, " for --reset multi-subtract")
                }
                _ => (false, ""),
            };
            let i = (0..tensor.len()).find(|&i| below && tensor.at(i) <= 0.0)?;
            let what = format!("must be above 0{why}: element {i} is {}", tensor.at(i));
            Some(bad(node, name, &what))
        });
        errors.extend(fault);
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Diagnostics(errors))
    }
}

/// Whether a parameter is finite and holds 1 or `n` values.
pub(super) fn check_one(
    node: &Node,
    name: &str,
    tensor: &Tensor,
    n: usize,
) -> Result<(), Diagnostic> {
    if tensor.len() != 1 && tensor.len() != n {
        let what = format!("has {} values for {n} elements", tensor.len());
        return Err(bad(node, name, &what));
    }
    finite(node, name, tensor).map(|_| ())
}

/// The elements of a tensor, all of them finite.
pub(super) fn finite(node: &Node, name: &str, tensor: &Tensor) -> Result<Vec<f64>, Diagnostic> {
    let values = tensor.to_f64();
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(values),
        Some(i) => {
            let what = format!("is not finite: element {i} is {}", values[i]);
            Err(bad(node, name, &what))
        }
    }
}

fn bad(node: &Node, name: &str, what: &str) -> Diagnostic {
    let message = format!("{name} of '{}' {what}", escape(&node.name));
    Diagnostic::error(Code::BadParameter, &node.origin, message)
}

/// The parameters of a neuron node by their NIR names; none for other nodes.
pub fn parameters(op: &Op) -> Vec<(&'static str, &Tensor)> {
    let mut all = Vec::new();
    let mut reset = None;
    match op {
        Op::Lif {
            tau,
            r,
            v_leak,
            v_threshold,
            v_reset,
        } => {
            all.extend([("tau", tau), ("r", r), ("v_leak", v_leak)]);
            all.push(("v_threshold", v_threshold));
            reset = v_reset.as_ref();
        }
        Op::CubaLif {
            tau_syn,
            tau_mem,
            r,
            v_leak,
            v_threshold,
            v_reset,
            w_in,
        } => {
            all.extend([("tau_syn", tau_syn), ("tau_mem", tau_mem), ("r", r)]);
            all.extend([
                ("v_leak", v_leak),
                ("v_threshold", v_threshold),
                ("w_in", w_in),
            ]);
            reset = v_reset.as_ref();
        }
        Op::Li { tau, r, v_leak } => all.extend([("tau", tau), ("r", r), ("v_leak", v_leak)]),
        Op::CubaLi {
            tau_syn,
            tau_mem,
            r,
            v_leak,
            w_in,
        } => {
            all.extend([("tau_syn", tau_syn), ("tau_mem", tau_mem), ("r", r)]);
            all.extend([("v_leak", v_leak), ("w_in", w_in)]);
        }
        Op::I { r } => all.push(("r", r)),
        Op::If {
            r,
            v_threshold,
            v_reset,
        } => {
            all.extend([("r", r), ("v_threshold", v_threshold)]);
            reset = v_reset.as_ref();
        }
        Op::Input { .. }
        | Op::Output { .. }
        | Op::Affine { .. }
        | Op::Linear { .. }
        | Op::Scale { .. }
        | Op::Conv1d { .. }
        | Op::Conv2d { .. }
        | Op::SumPool2d { .. }
        | Op::AvgPool2d { .. }
        | Op::Delay { .. }
        | Op::Threshold { .. }
        | Op::Flatten { .. } => {}
    }
    all.extend(reset.map(|t| ("v_reset", t)));
    all
}
