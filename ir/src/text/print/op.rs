//! The fields of each node type.

use super::Printer;
use crate::network::{Op, Padding};
use crate::tensor::{Shape, Tensor};

type Fields = Vec<(&'static str, String)>;

impl Printer<'_> {
    pub(super) fn op_fields(&mut self, owner: &str, op: &Op) -> Fields {
        let mut fields = Vec::new();
        let mut tensor = |fields: &mut Fields, key: &'static str, t: &Tensor| {
            fields.push((key, self.tensor(t, owner, key)));
        };
        match op {
            Op::Input { shape } | Op::Output { shape } => shape_field(&mut fields, "shape", shape),
            Op::Affine { weight, bias } => {
                tensor(&mut fields, "weight", weight);
                tensor(&mut fields, "bias", bias);
            }
            Op::Linear { weight } => tensor(&mut fields, "weight", weight),
            Op::Scale { scale } => tensor(&mut fields, "scale", scale),
            Op::Conv1d {
                weight,
                bias,
                stride,
                padding: zeros,
                dilation,
                groups,
                input_shape,
            } => {
                tensor(&mut fields, "weight", weight);
                if let Some(bias) = bias {
                    tensor(&mut fields, "bias", bias);
                }
                fields.push(("stride", stride.to_string()));
                fields.push(("padding", padding(zeros)));
                fields.push(("dilation", dilation.to_string()));
                fields.push(("groups", groups.to_string()));
                if let Some(n) = input_shape {
                    fields.push(("input_shape", n.to_string()));
                }
            }
            Op::Conv2d {
                weight,
                bias,
                stride,
                padding: zeros,
                dilation,
                groups,
                input_shape,
            } => {
                tensor(&mut fields, "weight", weight);
                if let Some(bias) = bias {
                    tensor(&mut fields, "bias", bias);
                }
                fields.push(("stride", list(stride)));
                fields.push(("padding", padding(zeros)));
                fields.push(("dilation", list(dilation)));
                fields.push(("groups", groups.to_string()));
                if let Some(size) = input_shape {
                    fields.push(("input_shape", list(size)));
                }
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
            } => {
                fields.push(("kernel", list(kernel)));
                fields.push(("stride", list(stride)));
                fields.push(("padding", list(padding)));
            }
            Op::Delay { delay } => tensor(&mut fields, "delay", delay),
            Op::Threshold { threshold } => tensor(&mut fields, "threshold", threshold),
            Op::Flatten {
                start_dim,
                end_dim,
                input_type,
            } => {
                fields.push(("start_dim", start_dim.to_string()));
                fields.push(("end_dim", end_dim.to_string()));
                shape_field(&mut fields, "input_type", input_type);
            }
            Op::Lif { .. }
            | Op::CubaLif { .. }
            | Op::Li { .. }
            | Op::CubaLi { .. }
            | Op::I { .. }
            | Op::If { .. } => {
                for (key, t) in neuron_fields(op) {
                    tensor(&mut fields, key, t);
                }
            }
        }
        fields
    }
}

/// The arrays of a neuron; nothing for other nodes.
fn neuron_fields(op: &Op) -> Vec<(&'static str, &Tensor)> {
    let (mut all, v_reset) = match op {
        Op::Lif {
            tau,
            r,
            v_leak,
            v_threshold,
            v_reset,
        } => (
            vec![
                ("tau", tau),
                ("r", r),
                ("v_leak", v_leak),
                ("v_threshold", v_threshold),
            ],
            v_reset.as_ref(),
        ),
        Op::CubaLif {
            tau_syn,
            tau_mem,
            r,
            v_leak,
            v_threshold,
            v_reset,
            w_in,
        } => (
            vec![
                ("tau_syn", tau_syn),
                ("tau_mem", tau_mem),
                ("r", r),
                ("v_leak", v_leak),
                ("v_threshold", v_threshold),
                ("w_in", w_in),
            ],
            v_reset.as_ref(),
        ),
        Op::Li { tau, r, v_leak } => (vec![("tau", tau), ("r", r), ("v_leak", v_leak)], None),
        Op::CubaLi {
            tau_syn,
            tau_mem,
            r,
            v_leak,
            w_in,
        } => (
            vec![
                ("tau_syn", tau_syn),
                ("tau_mem", tau_mem),
                ("r", r),
                ("v_leak", v_leak),
                ("w_in", w_in),
            ],
            None,
        ),
        Op::I { r } => (vec![("r", r)], None),
        Op::If {
            r,
            v_threshold,
            v_reset,
        } => (
            vec![("r", r), ("v_threshold", v_threshold)],
            v_reset.as_ref(),
        ),
        _ => (Vec::new(), None),
    };
    all.extend(v_reset.map(|t| ("v_reset", t)));
    all
}

/// `[2 2]`
pub(super) fn list(sizes: &[usize]) -> String {
    let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
    format!("[{}]", sizes.join(" "))
}

fn padding(padding: &Padding) -> String {
    match padding {
        Padding::Zeros(sizes) => list(sizes),
        Padding::Same => "same".to_owned(),
    }
}

fn shape_field(fields: &mut Fields, key: &'static str, shape: &Option<Shape>) {
    if let Some(shape) = shape {
        fields.push((key, shape.to_string()));
    }
}
