//! Nodes and edges.

use super::Printer;
use super::value::{name, quoted};
use crate::network::Network;
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
}
