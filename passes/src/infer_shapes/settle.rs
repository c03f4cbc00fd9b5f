//! Carries shapes from node to node until nothing changes.

use super::fit::flattened;
use super::own::broadcasts;
use super::window::Window;
use super::{Inference, arithmetic, label, passes_on};
use ir::code::Code;
use ir::id::NodeId;
use ir::network::Op;
use ir::tensor::Shape;
use std::collections::VecDeque;

impl Inference<'_> {
    /// Forward with what is certain, then with what nodes say of themselves,
    /// then in both directions.
    pub(super) fn propagate_all(&mut self) {
        let all: Vec<NodeId> = self.network.nodes.ids().collect();
        self.propagate(&all, false);
        for &id in &all {
            if self.ins[id].is_none() && self.own[id].takes.is_some() {
                self.ins[id] = self.own[id].takes.clone();
                self.outs[id] = self.own[id].gives.clone();
                let succs = self.succs[id].clone();
                self.propagate(&succs, false);
            }
        }
        self.propagate(&all, true);
    }

    fn propagate(&mut self, from: &[NodeId], backward: bool) {
        let mut queue: VecDeque<NodeId> = from.iter().copied().collect();
        while let Some(id) = queue.pop_front() {
            if !self.settle(id, backward) {
                continue;
            }
            queue.extend(&self.succs[id]);
            if backward {
                queue.extend(&self.preds[id]);
            }
        }
    }

    /// Whether something became known about the node. Happens twice per node
    /// at most, so the queue runs dry.
    fn settle(&mut self, id: NodeId, backward: bool) -> bool {
        let known = |this: &Self| (this.ins[id].is_some(), this.outs[id].is_some());
        let before = known(self);
        if before == (true, true) {
            return false;
        }
        let op = &self.network.nodes[id].op;
        if self.ins[id].is_none() {
            let found = self.preds[id].iter().find_map(|&p| self.outs[p].clone());
            self.ins[id] = found.map(|shape| self.accept(id, shape));
        }
        if backward
            && self.ins[id].is_none()
            && let Op::Flatten { input_type, .. } = op
        {
            self.ins[id] = input_type.clone();
        }
        if self.outs[id].is_none()
            && let Some(shape) = self.ins[id].clone()
        {
            self.outs[id] = self.forward(id, shape);
        }
        // Several inputs of a window have the same output.
        if backward && Window::of(op).is_none() {
            if self.outs[id].is_none() {
                let found = self.succs[id].iter().find_map(|&s| self.ins[s].clone());
                self.outs[id] = found;
            }
            // A Flatten of which only the number of values is known, too.
            if self.ins[id].is_none() && (passes_on(op) || matches!(op, Op::Flatten { .. })) {
                self.ins[id] = self.outs[id].clone();
            }
        }
        known(self) != before
    }

    /// What a node makes of the shape that arrives.
    fn accept(&mut self, id: NodeId, found: Shape) -> Shape {
        let op = &self.network.nodes[id].op;
        if let Some(Ok(window)) = Window::of(op) {
            let adapted = window.adapt(&found);
            // Values in a row are connected in C order if their number fits.
            let own = self.own[id].takes.as_ref().filter(|own| {
                adapted.rank() != window.rank() && own.checked_len() == found.checked_len()
            });
            return own.cloned().unwrap_or(adapted);
        }
        let Some(own) = self.own[id].takes.clone() else {
            return found;
        };
        if own == found {
            return found;
        }
        let longer = own.rank().checked_sub(found.rank());
        let tail = longer.map(|n| own.0.split_at(n));
        if let Some((front, tail)) = tail
            && tail == found.0.as_slice()
            && (front.iter().all(|&d| d == 1) || matches!(op, Op::Output { .. }))
        {
            self.batch(id, &own, &found);
            return found;
        }
        if !matches!(op, Op::Output { .. }) && broadcasts(&own, &found) {
            let message = format!(
                "the parameters of {} repeat along their dimensions of size 1",
                label(&self.network.nodes[id])
            );
            self.warn(id, Code::Broadcast, message)
                .note(format!("parameters {}", arithmetic(&own)))
                .note(format!("arriving {}", arithmetic(&found)))
                .help("write one parameter value per neuron");
            return found;
        }
        own
    }

    /// The output shape of a node that doesn't know it by itself.
    fn forward(&mut self, id: NodeId, shape: Shape) -> Option<Shape> {
        let op = &self.network.nodes[id].op;
        match Window::of(op) {
            Some(Ok(window)) => return window.out(&shape),
            Some(Err(_)) => return None,
            None => {}
        }
        let Op::Flatten {
            start_dim,
            end_dim,
            input_type,
        } = op
        else {
            // A malformed matrix leaves its shape open.
            return passes_on(op).then_some(shape);
        };
        let plain = flattened(&shape, *start_dim, *end_dim);
        let shifted = |d: i64| if d > 0 { d - 1 } else { d };
        let batched = flattened(&shape, shifted(*start_dim), shifted(*end_dim));
        if plain == batched {
            return Some(plain);
        }
        let declares_batch = input_type
            .as_ref()
            .is_some_and(|t| t.rank() == shape.rank() + 1);
        let nearest = self.nearest(id);
        let wanted = |flat: &Shape| {
            nearest
                .iter()
                .any(|&n| self.own[n].takes.as_ref() == Some(flat))
        };
        if !declares_batch && (wanted(&plain) || !wanted(&batched)) {
            return Some(plain);
        }
        let message = format!(
            "{} counts the batch as a dimension",
            label(&self.network.nodes[id])
        );
        let reason = match input_type {
            Some(declared) if declares_batch => format!("its input_type is {declared}"),
            _ => format!("the next node takes {batched}, not {plain}"),
        };
        self.warn(id, Code::ShapeLoose, message)
            .note(format!(
                "start_dim {start_dim}, end_dim {end_dim}, arriving {shape}"
            ))
            .note(reason)
            .help(
                "export the network with start_dim and end_dim for one sample, without the batch",
            );
        Some(batched)
    }
}
