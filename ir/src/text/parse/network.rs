//! Nodes and edges.

use super::Parser;
use crate::network::{Edge, Node};
use crate::text::lex::{Cursor, Parsed};

impl Parser<'_> {
    pub(super) fn network(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        self.module.network.name = c.string("the network's name in quotes")?;
        Ok(())
    }

    pub(super) fn node(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let name = c.name("a name such as `@fc1`")?;
        let node_type = self.node_type(c)?;
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
        let op = self.op(c, &node_type)?;
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
