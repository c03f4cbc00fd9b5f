//! SHAPED: shapes of nodes, along edges and against the nodes' arrays.

use super::findings::Findings;
use super::windows;
use crate::module::Module;
use crate::network::{Node, Op};
use crate::origin::escape;
use crate::tensor::{Shape, Tensor};

pub(super) fn check(m: &Module, found: &mut Findings) {
    let network = &m.network;
    for node in network.nodes.values() {
        let (Some(input), Some(output)) = (&node.in_shape, &node.out_shape) else {
            let message = format!("{} has no shape", user(node));
            found.add(&node.origin, message);
            continue;
        };
        if let Some(wrong) = disagreement(&node.op, input, output) {
            let message = format!("{} disagrees with its shape", user(node));
            found.add_with(&node.origin, message, wrong);
        }
    }
    for edge in &network.edges {
        let (from, to) = (&network.nodes[edge.from], &network.nodes[edge.to]);
        if let (Some(a), Some(b)) = (&from.out_shape, &to.in_shape)
            // Equal numbers in unequal shapes are connected in C order.
            && a.checked_len() != b.checked_len()
        {
            let message = format!("{} and {} have different shapes", user(from), user(to));
            found.add_with(&to.origin, message, format!("{a} -> {b}"));
        }
    }
}

fn user(node: &Node) -> String {
    format!("node '{}' ({})", escape(&node.name), node.op.kind())
}

/// What is wrong between a node's arrays and its shapes, with the numbers.
fn disagreement(op: &Op, input: &Shape, output: &Shape) -> Option<String> {
    let (Some(n_in), Some(n_out)) = (input.checked_len(), output.checked_len()) else {
        return Some(format!("{input} -> {output} overflows"));
    };
    let same = || (input != output).then(|| format!("{input} -> {output} should be equal"));
    let matrix = |w: &Tensor| {
        let fits = w.shape().0 == [n_out, n_in];
        (!fits).then(|| format!("weight {}, [out in] = [{n_out} {n_in}]", w.shape()))
    };
    let sized = |key: &str, t: &Tensor, n: usize| {
        let fits = t.len() == 1 || t.len() == n;
        (!fits).then(|| format!("{key} holds {} values for {n}", t.len()))
    };
    let all = |arrays: &[(&str, &Tensor)]| {
        let wrong = |(key, t): &(&str, &Tensor)| sized(key, t, n_in);
        same().or_else(|| arrays.iter().find_map(wrong))
    };
    let reset = |v_reset: &Option<Tensor>| sized("v_reset", v_reset.as_ref()?, n_in);
    match op {
        Op::Input { shape } | Op::Output { shape } => same().or_else(|| {
            let declared = shape.as_ref().filter(|s| *s != output);
            declared.map(|s| format!("declared as {s}, found {output}"))
        }),
        Op::Affine { weight, bias } => matrix(weight).or_else(|| sized("bias", bias, n_out)),
        Op::Linear { weight } => matrix(weight),
        Op::Scale { scale } => all(&[("scale", scale)]),
        Op::Delay { delay } => all(&[("delay", delay)]),
        Op::Threshold { threshold } => all(&[("threshold", threshold)]),
        Op::Flatten { .. } => {
            (n_in != n_out).then(|| format!("{input} -> {output}: {n_in} values, then {n_out}"))
        }
        Op::Conv1d { .. } | Op::Conv2d { .. } | Op::SumPool2d { .. } | Op::AvgPool2d { .. } => {
            windows::disagreement(op, input, output)
        }
        Op::Lif {
            tau,
            r,
            v_leak,
            v_threshold,
            v_reset,
        } => all(&[
            ("tau", tau),
            ("r", r),
            ("v_leak", v_leak),
            ("v_threshold", v_threshold),
        ])
        .or_else(|| reset(v_reset)),
        Op::CubaLif {
            tau_syn,
            tau_mem,
            r,
            v_leak,
            v_threshold,
            v_reset,
            w_in,
        } => all(&[
            ("tau_syn", tau_syn),
            ("tau_mem", tau_mem),
            ("r", r),
            ("v_leak", v_leak),
            ("v_threshold", v_threshold),
            ("w_in", w_in),
        ])
        .or_else(|| reset(v_reset)),
        Op::Li { tau, r, v_leak } => all(&[("tau", tau), ("r", r), ("v_leak", v_leak)]),
        Op::CubaLi {
            tau_syn,
            tau_mem,
            r,
            v_leak,
            w_in,
        } => all(&[
            ("tau_syn", tau_syn),
            ("tau_mem", tau_mem),
            ("r", r),
            ("v_leak", v_leak),
            ("w_in", w_in),
        ]),
        Op::I { r } => all(&[("r", r)]),
        Op::If {
            r,
            v_threshold,
            v_reset,
        } => all(&[("r", r), ("v_threshold", v_threshold)]).or_else(|| reset(v_reset)),
    }
}
