//! Nodes and edges.

use super::Printer;
use super::value::{name, quoted};
use crate::network::{Network, Op};
use crate::tensor::{Shape, Tensor};
use std::fmt::{self, Write};

impl Printer<'_> {
    pub(super) fn network(&mut self) -> fmt::Result {
        let network = &self.module.network;
        if *network == Network::default() {
            return Ok(());
        }
        writeln!(self.out, "network {}", quoted(&network.name))?;
        for node in network.nodes.values() {
            write!(self.out, "node {} {}", name(&node.name), node.op.kind())?;
            self.optional_shape("in", node.in_shape.as_ref())?;
            self.optional_shape("out", node.out_shape.as_ref())?;
            let fields = self.op_fields(&node.name, &node.op);
            self.fields(&fields)?;
            self.origin(&node.origin)?;
        }
        for edge in &network.edges {
            let from = self.nodes.reference(edge.from);
            let to = self.nodes.reference(edge.to);
            writeln!(self.out, "edge {from} -> {to}")?;
        }
        Ok(())
    }

    fn op_fields(&mut self, owner: &str, op: &Op) -> Vec<(&'static str, String)> {
        let mut fields = Vec::new();
        let mut tensor = |key: &'static str, t: &Tensor| {
            fields.push((key, self.tensor(t, owner, key)));
        };
        match op {
            Op::Input { shape } | Op::Output { shape } => shape_field(&mut fields, "shape", shape),
            Op::Affine { weight, bias } => {
                tensor("weight", weight);
                tensor("bias", bias);
            }
            Op::Linear { weight } => tensor("weight", weight),
            Op::Scale { scale } => tensor("scale", scale),
            Op::Flatten {
                start_dim,
                end_dim,
                input_type,
            } => {
                fields.push(("start_dim", start_dim.to_string()));
                fields.push(("end_dim", end_dim.to_string()));
                shape_field(&mut fields, "input_type", input_type);
            }
            Op::Lif {
                tau,
                r,
                v_leak,
                v_threshold,
                v_reset,
            } => {
                tensor("tau", tau);
                tensor("r", r);
                tensor("v_leak", v_leak);
                tensor("v_threshold", v_threshold);
                if let Some(v_reset) = v_reset {
                    tensor("v_reset", v_reset);
                }
            }
            Op::If {
                r,
                v_threshold,
                v_reset,
            } => {
                tensor("r", r);
                tensor("v_threshold", v_threshold);
                if let Some(v_reset) = v_reset {
                    tensor("v_reset", v_reset);
                }
            }
            _ => {}
        }
        fields
    }
}

fn shape_field(fields: &mut Vec<(&'static str, String)>, key: &'static str, shape: &Option<Shape>) {
    if let Some(shape) = shape {
        fields.push((key, shape.to_string()));
    }
}
