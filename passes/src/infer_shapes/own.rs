//! What a node says about its own shapes.

use super::fit::{Fit, arithmetic, fit};
use super::window::Window;
use super::{Inference, label};
use ir::code::Code;
use ir::diag::Diagnostic;
use ir::network::{Node, Op};
use ir::tensor::{Shape, Tensor};

/// The shapes that a node states.
#[derive(Clone, Debug, Default)]
pub(super) struct Own {
    pub(super) takes: Option<Shape>,
    pub(super) gives: Option<Shape>,
    /// Predecessors are asked first: exporters write batch dimensions into
    /// parameters, and sizes that a wrong type inference gave convolutions.
    pub(super) soft: bool,
}

impl Own {
    fn firm(takes: Option<Shape>, gives: Option<Shape>) -> Self {
        Self {
            takes,
            gives,
            soft: false,
        }
    }
    fn soft(shape: Option<Shape>) -> Self {
        Self {
            takes: shape.clone(),
            gives: shape,
            soft: true,
        }
    }
}

/// The parameters that belong to one element of a node each.
pub(super) fn per_element(op: &Op) -> Vec<(&'static str, &Tensor)> {
    match op {
        Op::Scale { scale } => vec![("scale", scale)],
        Op::Delay { delay } => vec![("delay", delay)],
        Op::Threshold { threshold } => vec![("threshold", threshold)],
        Op::Lif {
            tau,
            r,
            v_leak,
            v_threshold,
            v_reset,
        } => {
            let mut all = vec![
                ("tau", tau),
                ("r", r),
                ("v_leak", v_leak),
                ("v_threshold", v_threshold),
            ];
            all.extend(v_reset.as_ref().map(|t| ("v_reset", t)));
            all
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
            let mut all = vec![
                ("tau_syn", tau_syn),
                ("tau_mem", tau_mem),
                ("r", r),
                ("v_leak", v_leak),
                ("v_threshold", v_threshold),
                ("w_in", w_in),
            ];
            all.extend(v_reset.as_ref().map(|t| ("v_reset", t)));
            all
        }
        Op::Li { tau, r, v_leak } => vec![("tau", tau), ("r", r), ("v_leak", v_leak)],
        Op::CubaLi {
            tau_syn,
            tau_mem,
            r,
            v_leak,
            w_in,
        } => vec![
            ("tau_syn", tau_syn),
            ("tau_mem", tau_mem),
            ("r", r),
            ("v_leak", v_leak),
            ("w_in", w_in),
        ],
        Op::I { r } => vec![("r", r)],
        Op::If {
            r,
            v_threshold,
            v_reset,
        } => {
            let mut all = vec![("r", r), ("v_threshold", v_threshold)];
            all.extend(v_reset.as_ref().map(|t| ("v_reset", t)));
            all
        }
        Op::Input { .. }
        | Op::Output { .. }
        | Op::Affine { .. }
        | Op::Linear { .. }
        | Op::Conv1d { .. }
        | Op::Conv2d { .. }
        | Op::SumPool2d { .. }
        | Op::AvgPool2d { .. }
        | Op::Flatten { .. } => Vec::new(),
    }
}

/// Rewrites each parameter that belongs to one element.
pub(super) fn for_each_parameter(op: &mut Op, mut change: impl FnMut(&mut Tensor)) {
    match op {
        Op::Scale { scale: t } | Op::Delay { delay: t } | Op::Threshold { threshold: t } => {
            change(t);
        }
        Op::Lif {
            tau,
            r,
            v_leak,
            v_threshold,
            v_reset,
        } => {
            [tau, r, v_leak, v_threshold]
                .into_iter()
                .for_each(&mut change);
            v_reset.iter_mut().for_each(change);
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
            let all = [tau_syn, tau_mem, r, v_leak, v_threshold, w_in];
            all.into_iter().for_each(&mut change);
            v_reset.iter_mut().for_each(change);
        }
        Op::Li { tau, r, v_leak } => [tau, r, v_leak].into_iter().for_each(change),
        Op::CubaLi {
            tau_syn,
            tau_mem,
            r,
            v_leak,
            w_in,
        } => [tau_syn, tau_mem, r, v_leak, w_in]
            .into_iter()
            .for_each(change),
        Op::I { r } => change(r),
        Op::If {
            r,
            v_threshold,
            v_reset,
        } => {
            change(r);
            change(v_threshold);
            v_reset.iter_mut().for_each(change);
        }
        Op::Input { .. }
        | Op::Output { .. }
        | Op::Affine { .. }
        | Op::Linear { .. }
        | Op::Conv1d { .. }
        | Op::Conv2d { .. }
        | Op::SumPool2d { .. }
        | Op::AvgPool2d { .. }
        | Op::Flatten { .. } => {}
    }
}

impl Inference<'_> {
    pub(super) fn own(&mut self, node: &Node) -> Own {
        match &node.op {
            Op::Input { shape } => Own::firm(shape.clone(), shape.clone()),
            Op::Output { shape } => Own::soft(shape.clone()),
            Op::Affine { weight, bias } => self.matrix(node, weight, Some(bias)),
            Op::Linear { weight } => self.matrix(node, weight, None),
            Op::Conv1d {
                weight,
                bias,
                input_shape,
                ..
            } => {
                let axes = input_shape.map(|n| vec![n]);
                self.window(node, Some((weight, bias.as_ref())), axes)
            }
            Op::Conv2d {
                weight,
                bias,
                input_shape,
                ..
            } => {
                let axes = input_shape.map(|sizes| sizes.to_vec());
                self.window(node, Some((weight, bias.as_ref())), axes)
            }
            Op::SumPool2d { .. } | Op::AvgPool2d { .. } => self.window(node, None, None),
            Op::Flatten { .. } => Own::default(),
            Op::Scale { .. }
            | Op::Delay { .. }
            | Op::Threshold { .. }
            | Op::Lif { .. }
            | Op::CubaLif { .. }
            | Op::Li { .. }
            | Op::CubaLi { .. }
            | Op::I { .. }
            | Op::If { .. } => {
                let shape = self.common(node);
                if shape
                    .as_ref()
                    .is_some_and(|s| s.rank() > 1 && s.0.contains(&1))
                {
                    Own::soft(shape)
                } else {
                    Own::firm(shape.clone(), shape)
                }
            }
        }
    }

    fn window(
        &mut self,
        node: &Node,
        conv: Option<(&Tensor, Option<&Tensor>)>,
        axes: Option<Vec<usize>>,
    ) -> Own {
        let window = match Window::of(&node.op) {
            Some(Ok(window)) => window,
            Some(Err(why)) => {
                let message = format!("{} is malformed", label(node));
                self.errors.push(
                    Diagnostic::error(Code::Shape, &node.origin, message)
                        .note(why)
                        .help("export the layer again with sizes that fit together"),
                );
                return Own::default();
            }
            None => return Own::default(),
        };
        if let Some((weight, Some(bias))) = conv
            && let Some((_, given)) = window.channels
            && bias.len() != given
        {
            self.bias(node, weight, bias, given);
        }
        let takes = axes
            .zip(window.channels)
            .map(|(axes, (taken, _))| Shape([&[taken], axes.as_slice()].concat()));
        Own {
            gives: takes.as_ref().and_then(|shape| window.out(shape)),
            takes,
            soft: true,
        }
    }

    fn bias(&mut self, node: &Node, weight: &Tensor, bias: &Tensor, outputs: usize) {
        let message = format!("bias and weight of {} disagree", label(node));
        self.errors.push(
            Diagnostic::error(Code::Shape, &node.origin, message)
                .note(format!("bias {}", arithmetic(bias.shape())))
                .note(format!("weight {} = {outputs} outputs", weight.shape()))
                .help("write one bias per output"),
        );
    }

    fn matrix(&mut self, node: &Node, weight: &Tensor, bias: Option<&Tensor>) -> Own {
        let &[n_out, n_in] = weight.shape().0.as_slice() else {
            let message = format!("the weight of {} is not a matrix", label(node));
            self.errors.push(
                Diagnostic::error(Code::Shape, &node.origin, message)
                    .note(format!(
                        "its shape is {}, [out in] is needed",
                        weight.shape()
                    ))
                    .help("export the layer with a two-dimensional weight"),
            );
            return Own::default();
        };
        if let Some(bias) = bias.filter(|b| b.len() != n_out) {
            self.bias(node, weight, bias, n_out);
        }
        Own::firm(Some(Shape::of(&[n_in])), Some(Shape::of(&[n_out])))
    }

    /// The shape that the parameters of more than one element share, or
    /// broadcast to.
    fn common(&mut self, node: &Node) -> Option<Shape> {
        let all = per_element(&node.op);
        let sized: Vec<_> = all.into_iter().filter(|(_, t)| t.len() != 1).collect();
        // The largest one decides, the first of them in a tie.
        let largest = sized.iter().map(|(_, t)| t.len()).max()?;
        let (first, tensor) = sized.iter().find(|(_, t)| t.len() == largest)?;
        let shape = tensor.shape();
        for (name, other) in &sized {
            let spread = broadcasts(other.shape(), shape);
            if fit(shape, other.shape()) == Fit::No && !spread {
                let message = format!("the parameters of {} have different shapes", label(node));
                self.errors.push(
                    Diagnostic::error(Code::Shape, &node.origin, message)
                        .note(format!("{first} {}", arithmetic(shape)))
                        .note(format!("{name} {}", arithmetic(other.shape())))
                        .help("give each parameter one value, or one per neuron"),
                );
            }
        }
        Some(shape.clone())
    }
}

/// Whether `small` repeats along its dimensions of size 1, or along leading
/// ones that it lacks, to fill `large`.
pub(super) fn broadcasts(small: &Shape, large: &Shape) -> bool {
    let mut wide = large.0.iter().rev();
    small
        .0
        .iter()
        .rev()
        .all(|&d| wide.next().map_or(d == 1, |&w| d == w || d == 1))
}
