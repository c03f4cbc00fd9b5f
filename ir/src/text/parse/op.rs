//! The fields of each node type.

use super::Parser;
use super::value::required;
use crate::network::{Op, Padding};
use crate::tensor::{Shape, Tensor};
use crate::text::lex::{Cursor, Parsed};
use std::collections::BTreeMap;

/// How the value of a field is written.
#[derive(Clone, Copy)]
enum Form {
    Tensor,
    /// `[1 28 28]`
    Shape,
    /// A dimension, which may count from the end.
    Dim,
    /// A size or number of something.
    Count,
    /// `[2 2]`
    Pair,
    /// `same`, or one number of zeros for each dimension.
    Padding,
}

enum Value {
    Tensor(Tensor),
    Shape(Shape),
    Dim(i64),
    Count(usize),
    Pair([usize; 2]),
    Padding(Padding),
}

const NODE_TYPES: &str = "Input, Output, Affine, Linear, Scale, Conv1d, Conv2d, SumPool2d, \
                          AvgPool2d, Delay, Threshold, Flatten, LIF, CubaLIF, LI, CubaLI, I or IF";

/// The fields of a type, so that one of another type is an error.
fn forms(kind: &str) -> Option<&'static [(&'static str, Form)]> {
    const WEIGHT: (&str, Form) = ("weight", Form::Tensor);
    const BIAS: (&str, Form) = ("bias", Form::Tensor);
    const PADDING: (&str, Form) = ("padding", Form::Padding);
    const GROUPS: (&str, Form) = ("groups", Form::Count);
    const TAU: (&str, Form) = ("tau", Form::Tensor);
    const TAU_SYN: (&str, Form) = ("tau_syn", Form::Tensor);
    const TAU_MEM: (&str, Form) = ("tau_mem", Form::Tensor);
    const R: (&str, Form) = ("r", Form::Tensor);
    const V_LEAK: (&str, Form) = ("v_leak", Form::Tensor);
    const V_THRESHOLD: (&str, Form) = ("v_threshold", Form::Tensor);
    const V_RESET: (&str, Form) = ("v_reset", Form::Tensor);
    const W_IN: (&str, Form) = ("w_in", Form::Tensor);
    Some(match kind {
        "Input" | "Output" => &[("shape", Form::Shape)],
        "Affine" => &[WEIGHT, BIAS],
        "Linear" => &[WEIGHT],
        "Scale" => &[("scale", Form::Tensor)],
        "Conv1d" => &[
            WEIGHT,
            BIAS,
            ("stride", Form::Count),
            PADDING,
            ("dilation", Form::Count),
            GROUPS,
            ("input_shape", Form::Count),
        ],
        "Conv2d" => &[
            WEIGHT,
            BIAS,
            ("stride", Form::Pair),
            PADDING,
            ("dilation", Form::Pair),
            GROUPS,
            ("input_shape", Form::Pair),
        ],
        "SumPool2d" | "AvgPool2d" => &[
            ("kernel", Form::Pair),
            ("stride", Form::Pair),
            ("padding", Form::Pair),
        ],
        "Delay" => &[("delay", Form::Tensor)],
        "Threshold" => &[("threshold", Form::Tensor)],
        "Flatten" => &[
            ("start_dim", Form::Dim),
            ("end_dim", Form::Dim),
            ("input_type", Form::Shape),
        ],
        "LIF" => &[TAU, R, V_LEAK, V_THRESHOLD, V_RESET],
        "CubaLIF" => &[TAU_SYN, TAU_MEM, R, V_LEAK, V_THRESHOLD, V_RESET, W_IN],
        "LI" => &[TAU, R, V_LEAK],
        "CubaLI" => &[TAU_SYN, TAU_MEM, R, V_LEAK, W_IN],
        "I" => &[R],
        "IF" => &[R, V_THRESHOLD, V_RESET],
        _ => return None,
    })
}

/// The type of a node, whose fields come later in the line.
pub(super) struct NodeType<'l> {
    kind: &'l str,
    forms: &'static [(&'static str, Form)],
}

impl Parser<'_> {
    pub(super) fn node_type<'l>(&mut self, c: &mut Cursor<'l>) -> Parsed<NodeType<'l>> {
        let before = c.clone();
        let kind = c.word("a node type")?;
        match forms(kind) {
            Some(forms) => Ok(NodeType { kind, forms }),
            None => Err(before.fail(format!("expected a node type: {NODE_TYPES}"))),
        }
    }

    pub(super) fn op(&mut self, c: &mut Cursor<'_>, node: &NodeType<'_>) -> Parsed<Op> {
        let mut values = BTreeMap::new();
        self.fields(c, |parser, c, key| {
            let Some((key, form)) = node.forms.iter().find(|(k, _)| *k == key) else {
                return Ok(false);
            };
            let value = match form {
                Form::Tensor => Value::Tensor(parser.tensor(c)?),
                Form::Shape => Value::Shape(parser.shape(c)?),
                Form::Dim => Value::Dim(c.number("a dimension")?),
                Form::Count => Value::Count(c.number("a size")?),
                Form::Pair => Value::Pair(parser.sizes(c)?),
                Form::Padding if c.eat_word("same") => Value::Padding(Padding::Same),
                Form::Padding => Value::Padding(Padding::Zeros(parser.size_list(c)?)),
            };
            values.insert(*key, value);
            Ok(true)
        })?;
        let fields = &mut Fields { c, values };
        build(fields, node.kind)
    }
}

fn build(f: &mut Fields<'_, '_>, kind: &str) -> Parsed<Op> {
    Ok(match kind {
        "Input" => Op::Input {
            shape: f.shape("shape"),
        },
        "Output" => Op::Output {
            shape: f.shape("shape"),
        },
        "Affine" => Op::Affine {
            weight: f.tensor("weight")?,
            bias: f.tensor("bias")?,
        },
        "Linear" => Op::Linear {
            weight: f.tensor("weight")?,
        },
        "Scale" => Op::Scale {
            scale: f.tensor("scale")?,
        },
        "Conv1d" => Op::Conv1d {
            weight: f.tensor("weight")?,
            bias: f.optional("bias"),
            stride: f.count("stride")?,
            padding: f.padding("padding")?,
            dilation: f.count("dilation")?,
            groups: f.count("groups")?,
            input_shape: f.optional_count("input_shape"),
        },
        "Conv2d" => Op::Conv2d {
            weight: f.tensor("weight")?,
            bias: f.optional("bias"),
            stride: f.pair("stride")?,
            padding: f.padding("padding")?,
            dilation: f.pair("dilation")?,
            groups: f.count("groups")?,
            input_shape: f.optional_pair("input_shape"),
        },
        "SumPool2d" => Op::SumPool2d {
            kernel: f.pair("kernel")?,
            stride: f.pair("stride")?,
            padding: f.pair("padding")?,
        },
        "AvgPool2d" => Op::AvgPool2d {
            kernel: f.pair("kernel")?,
            stride: f.pair("stride")?,
            padding: f.pair("padding")?,
        },
        "Delay" => Op::Delay {
            delay: f.tensor("delay")?,
        },
        "Threshold" => Op::Threshold {
            threshold: f.tensor("threshold")?,
        },
        "Flatten" => Op::Flatten {
            start_dim: f.dim("start_dim")?,
            end_dim: f.dim("end_dim")?,
            input_type: f.shape("input_type"),
        },
        "LIF" => Op::Lif {
            tau: f.tensor("tau")?,
            r: f.tensor("r")?,
            v_leak: f.tensor("v_leak")?,
            v_threshold: f.tensor("v_threshold")?,
            v_reset: f.optional("v_reset"),
        },
        "CubaLIF" => Op::CubaLif {
            tau_syn: f.tensor("tau_syn")?,
            tau_mem: f.tensor("tau_mem")?,
            r: f.tensor("r")?,
            v_leak: f.tensor("v_leak")?,
            v_threshold: f.tensor("v_threshold")?,
            v_reset: f.optional("v_reset"),
            w_in: f.tensor("w_in")?,
        },
        "LI" => Op::Li {
            tau: f.tensor("tau")?,
            r: f.tensor("r")?,
            v_leak: f.tensor("v_leak")?,
        },
        "CubaLI" => Op::CubaLi {
            tau_syn: f.tensor("tau_syn")?,
            tau_mem: f.tensor("tau_mem")?,
            r: f.tensor("r")?,
            v_leak: f.tensor("v_leak")?,
            w_in: f.tensor("w_in")?,
        },
        "I" => Op::I { r: f.tensor("r")? },
        // `forms` admits no other type.
        _ => Op::If {
            r: f.tensor("r")?,
            v_threshold: f.tensor("v_threshold")?,
            v_reset: f.optional("v_reset"),
        },
    })
}

/// The fields that a node has, and where they ended.
struct Fields<'c, 'l> {
    c: &'c Cursor<'l>,
    values: BTreeMap<&'static str, Value>,
}

/// Getters of one form: optional, and required.
macro_rules! getters {
    ($($variant:ident $ty:ty: $optional:ident $($required:ident)?;)*) => {
        impl Fields<'_, '_> {$(
            fn $optional(&mut self, key: &str) -> Option<$ty> {
                // `forms` decides the form, so the other arm is never taken.
                match self.values.remove(key) {
                    Some(Value::$variant(value)) => Some(value),
                    _ => None,
                }
            }
            $(fn $required(&mut self, key: &str) -> Parsed<$ty> {
                let value = self.$optional(key);
                required(self.c, value, key)
            })?
        )*}
    };
}

getters! {
    Tensor Tensor: optional tensor;
    Shape Shape: shape;
    Dim i64: optional_dim dim;
    Count usize: optional_count count;
    Pair [usize; 2]: optional_pair pair;
    Padding Padding: optional_padding padding;
}
