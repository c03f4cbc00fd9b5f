//! Nodes and edges.

use super::Parser;
use super::value::required;
use crate::network::{Edge, Node, Op};
use crate::tensor::{Shape, Tensor};
use crate::text::lex::{Cursor, Parsed};

/// Every field that a node of some type has.
#[derive(Default)]
struct Fields {
    shape: Option<Shape>,
    input_type: Option<Shape>,
    start_dim: Option<i64>,
    end_dim: Option<i64>,
    weight: Option<Tensor>,
    bias: Option<Tensor>,
    scale: Option<Tensor>,
    tau: Option<Tensor>,
    r: Option<Tensor>,
    v_leak: Option<Tensor>,
    v_threshold: Option<Tensor>,
    v_reset: Option<Tensor>,
}

/// The fields of a type, so that one of another type is an error.
fn keys(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "Input" | "Output" => &["shape"],
        "Affine" => &["weight", "bias"],
        "Linear" => &["weight"],
        "Scale" => &["scale"],
        "Flatten" => &["start_dim", "end_dim", "input_type"],
        "LIF" => &["tau", "r", "v_leak", "v_threshold", "v_reset"],
        "IF" => &["r", "v_threshold", "v_reset"],
        _ => return None,
    })
}

impl Parser<'_> {
    pub(super) fn network(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        self.module.network.name = c.string("the network's name in quotes")?;
        Ok(())
    }

    pub(super) fn node(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let name = c.name("a name such as `@fc1`")?;
        let before = c.clone();
        let kind = c.word("a node type")?;
        let keys = keys(kind).ok_or_else(|| {
            before.fail(
                "expected a node type: Input, Output, Affine, Linear, Scale, Flatten, LIF or IF",
            )
        })?;
        let in_shape = if c.eat_word("in") {
            Some(self.shape(c)?)
        } else {
            None
        };
        let out_shape = if c.eat_word("out") {
            Some(self.shape(c)?)
        } else {
            None
        };
        let mut f = Fields::default();
        self.fields(c, |parser, c, key| {
            if !keys.contains(&key) {
                return Ok(false);
            }
            let tensor = match key {
                "shape" => {
                    f.shape = Some(parser.shape(c)?);
                    return Ok(true);
                }
                "input_type" => {
                    f.input_type = Some(parser.shape(c)?);
                    return Ok(true);
                }
                "start_dim" => {
                    f.start_dim = Some(c.number("a dimension")?);
                    return Ok(true);
                }
                "end_dim" => {
                    f.end_dim = Some(c.number("a dimension")?);
                    return Ok(true);
                }
                "weight" => &mut f.weight,
                "bias" => &mut f.bias,
                "scale" => &mut f.scale,
                "tau" => &mut f.tau,
                "r" => &mut f.r,
                "v_leak" => &mut f.v_leak,
                "v_threshold" => &mut f.v_threshold,
                "v_reset" => &mut f.v_reset,
                _ => return Ok(false),
            };
            *tensor = Some(parser.tensor(c)?);
            Ok(true)
        })?;
        let op = op(c, kind, f)?;
        let node = Node {
            name: name.clone(),
            op,
            in_shape,
            out_shape,
            origin: self.origin(c)?,
        };
        c.end()?;
        self.module.network.nodes.push(node);
        self.nodes.declare(name);
        Ok(())
    }

    pub(super) fn edge(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let from = self.nodes.reference(c, "a node")?;
        c.symbol("->")?;
        let to = self.nodes.reference(c, "a node")?;
        self.module.network.edges.push(Edge { from, to });
        Ok(())
    }
}

fn op(c: &Cursor<'_>, kind: &str, f: Fields) -> Parsed<Op> {
    Ok(match kind {
        "Input" => Op::Input { shape: f.shape },
        "Output" => Op::Output { shape: f.shape },
        "Affine" => Op::Affine {
            weight: required(c, f.weight, "weight")?,
            bias: required(c, f.bias, "bias")?,
        },
        "Linear" => Op::Linear {
            weight: required(c, f.weight, "weight")?,
        },
        "Scale" => Op::Scale {
            scale: required(c, f.scale, "scale")?,
        },
        "Flatten" => Op::Flatten {
            start_dim: required(c, f.start_dim, "start_dim")?,
            end_dim: required(c, f.end_dim, "end_dim")?,
            input_type: f.input_type,
        },
        "LIF" => Op::Lif {
            tau: required(c, f.tau, "tau")?,
            r: required(c, f.r, "r")?,
            v_leak: required(c, f.v_leak, "v_leak")?,
            v_threshold: required(c, f.v_threshold, "v_threshold")?,
            v_reset: f.v_reset,
        },
        // `keys` admits no other type.
        _ => Op::If {
            r: required(c, f.r, "r")?,
            v_threshold: required(c, f.v_threshold, "v_threshold")?,
            v_reset: f.v_reset,
        },
    })
}
