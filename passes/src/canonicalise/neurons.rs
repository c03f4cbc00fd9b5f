//! Neuron nodes as populations: their parameters, checked.

use super::{bad_parameter, out_shape, unsupported, wrong_size};
use ir::diag::Diagnostic;
use ir::network::{Node, Op};
use ir::neuron::{Constant, ContinuousNeuron, NeuronKind, Param};
use ir::tensor::Tensor;

/// A neuron without parameters.
pub(super) fn blank(kind: NeuronKind, bias: Constant) -> ContinuousNeuron {
    ContinuousNeuron {
        kind,
        tau: None,
        tau_syn: None,
        w_in: None,
        r: None,
        v_leak: None,
        v_threshold: None,
        v_reset: None,
        bias,
        hold: false,
    }
}

/// The neuron of a node that is one, Threshold included.
pub(super) fn neuron(
    node: &Node,
    bias: Constant,
    hold: bool,
) -> Result<ContinuousNeuron, Diagnostic> {
    let n = out_shape(node)?.len();
    if n == 0 {
        return Err(unsupported(node, "the population has no neurons"));
    }
    check_bias(node, &bias)?;
    let some = |name: &str, tensor: &Tensor| {
        let param =
            Param::new(tensor.clone(), n).ok_or_else(|| wrong_size(node, name, tensor, n))?;
        match (0..tensor.len()).find(|&i| !tensor.at(i).is_finite()) {
            None => Ok(Some(param)),
            Some(i) => Err(bad_parameter(node, &format!("{name} is not finite"))
                .note(format!("element {i} is {}", tensor.at(i)))),
        }
    };
    let reset = |v_reset: &Option<Tensor>| match v_reset {
        Some(t) => some("v_reset", t),
        None => Ok(Some(Param::uniform(0.0))),
    };
    let new = |kind| blank(kind, bias.clone());
    Ok(match &node.op {
        Op::Lif {
            tau,
            r,
            v_leak,
            v_threshold,
            v_reset,
        } => ContinuousNeuron {
            tau: some("tau", tau)?,
            r: some("r", r)?,
            v_leak: some("v_leak", v_leak)?,
            v_threshold: some("v_threshold", v_threshold)?,
            v_reset: reset(v_reset)?,
            hold,
            ..new(NeuronKind::Lif)
        },
        Op::CubaLif {
            tau_syn,
            tau_mem,
            r,
            v_leak,
            v_threshold,
            v_reset,
            w_in,
        } => ContinuousNeuron {
            tau: some("tau_mem", tau_mem)?,
            tau_syn: some("tau_syn", tau_syn)?,
            w_in: some("w_in", w_in)?,
            r: some("r", r)?,
            v_leak: some("v_leak", v_leak)?,
            v_threshold: some("v_threshold", v_threshold)?,
            v_reset: reset(v_reset)?,
            hold,
            ..new(NeuronKind::CubaLif)
        },
        Op::Li { tau, r, v_leak } => ContinuousNeuron {
            tau: some("tau", tau)?,
            r: some("r", r)?,
            v_leak: some("v_leak", v_leak)?,
            ..new(NeuronKind::Li)
        },
        Op::CubaLi {
            tau_syn,
            tau_mem,
            r,
            v_leak,
            w_in,
        } => ContinuousNeuron {
            tau: some("tau_mem", tau_mem)?,
            tau_syn: some("tau_syn", tau_syn)?,
            w_in: some("w_in", w_in)?,
            r: some("r", r)?,
            v_leak: some("v_leak", v_leak)?,
            ..new(NeuronKind::CubaLi)
        },
        Op::I { r } => ContinuousNeuron {
            r: some("r", r)?,
            ..new(NeuronKind::I)
        },
        Op::If {
            r,
            v_threshold,
            v_reset,
        } => ContinuousNeuron {
            r: some("r", r)?,
            v_threshold: some("v_threshold", v_threshold)?,
            v_reset: reset(v_reset)?,
            hold,
            ..new(NeuronKind::If)
        },
        Op::Threshold { threshold } => ContinuousNeuron {
            v_threshold: some("threshold", threshold)?,
            ..new(NeuronKind::Threshold)
        },
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
        | Op::Flatten { .. } => {
            return Err(Diagnostic::internal("a stateless node is no neuron"));
        }
    })
}

pub(super) fn check_bias(node: &Node, bias: &Constant) -> Result<(), Diagnostic> {
    let finite = |p: &Param| (0..p.tensor().len()).all(|i| p.at(i).is_finite());
    if bias.entries().iter().all(|(_, p)| finite(p)) {
        Ok(())
    } else {
        Err(bad_parameter(node, "the sum of its biases is not finite"))
    }
}
