//! The application graph of what was folded: populations get their numbers,
//! then projections and ports can name them.

use super::forms::{Form, Term};
use super::project::{distinguish_names, project};
use super::{Folding, PASS, out_shape};
use ir::Origin;
use ir::app::{AppGraph, AtomOrder, Model, OutputPort, Population, Sends};
use ir::code::Code;
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::id::{NodeId, PopId};
use ir::network::{Node, Op};
use ir::neuron::Neuron;
use ir::tensor::Shape;
use std::collections::BTreeMap;

impl Folding<'_> {
    pub(super) fn finish(mut self) -> Result<(AppGraph, Vec<Diagnostic>)> {
        let mut app = AppGraph::default();
        let mut numbers: BTreeMap<NodeId, PopId> = BTreeMap::new();
        for id in self.network.inputs() {
            let node = &self.network.nodes[id];
            let sends = self
                .inputs
                .get(&node.name)
                .copied()
                .unwrap_or(Sends::Spikes);
            match out_shape(node) {
                Ok(shape) => {
                    let pop =
                        app.populations
                            .push(population(node, shape, Model::SpikeSource, sends));
                    numbers.insert(id, pop);
                }
                Err(error) => self.errors.push(error),
            }
        }
        let is_output = |id: &NodeId| matches!(self.network.nodes[*id].op, Op::Output { .. });
        let all = self.schedule.order.iter().copied();
        let (outputs, others): (Vec<NodeId>, Vec<NodeId>) = all
            .filter(|id| self.receivers.contains_key(id))
            .partition(is_output);
        let mut forms: Vec<(NodeId, PopId, Form)> = Vec::new();
        for id in others.into_iter().chain(outputs) {
            let node = &self.network.nodes[id];
            let Some(receiver) = self.receivers.remove(&id) else {
                continue;
            };
            let model = Model::Neuron(Neuron::Continuous(receiver.neuron));
            match out_shape(node) {
                Ok(shape) => {
                    let pop = app
                        .populations
                        .push(population(node, shape, model, receiver.sends));
                    numbers.insert(id, pop);
                    forms.push((id, pop, receiver.input));
                }
                Err(error) => self.errors.push(error),
            }
        }
        for (id, post, form) in forms {
            let node = &self.network.nodes[id];
            // Sorted by population, not by node, so that projections ascend.
            let mut terms: Vec<(PopId, u32, Term)> = Vec::new();
            for ((source, lag), term) in form.terms {
                match numbers.get(&source) {
                    Some(&pre) => terms.push((pre, lag, term)),
                    None if !self.errors.is_empty() => {}
                    None => return Err(Diagnostic::internal("a source has no population").into()),
                }
            }
            terms.sort_by_key(|&(pre, lag, _)| (pre, lag));
            for (pre, lag, term) in terms {
                match project(&mut app, (pre, post, lag), term, node, &mut self.fuel) {
                    Ok(warning) => self.warnings.extend(warning),
                    Err(error) => self.errors.push(error),
                }
            }
        }
        for id in self.network.outputs() {
            let node = &self.network.nodes[id];
            let source = self.shown.get(&id).unwrap_or(&id);
            if let Some(&source) = numbers.get(source) {
                app.outputs.push(OutputPort {
                    name: node.name.clone(),
                    source,
                    origin: node.origin.derived(PASS),
                });
            }
        }
        distinguish_names(&mut app, self.least_lag());
        if app.outputs.is_empty() && self.errors.is_empty() {
            let origin = self.network.nodes.values().next().map(|n| n.origin.clone());
            self.errors.push(Diagnostic::error(
                Code::NoInputs,
                &origin.unwrap_or(Origin::Compiler),
                "the network has no Output",
            ));
        }
        if self.errors.is_empty() {
            Ok((app, self.warnings))
        } else {
            self.warnings.extend(self.errors);
            Err(Diagnostics(self.warnings))
        }
    }
}

fn population(node: &Node, shape: Shape, model: Model, sends: Sends) -> Population {
    Population {
        name: node.name.clone(),
        shape,
        model,
        sends,
        order: AtomOrder::RowMajor,
        timing: None,
        accumulator: None,
        record: Vec::new(),
        origin: node.origin.derived(PASS),
    }
}
