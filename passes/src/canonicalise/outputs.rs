//! Outputs. One that shows what a single population sends, as it is, is a port
//! of that population. Behind weights, sums, biases or a Delay there has to be
//! something that computes what is shown:
//!
//! - spikes that are only selected, reordered or late stay spikes: a Threshold
//!   at 1/2 repeats them;
//! - everything else is a stateless population that sends values.

use super::forms::{Form, Term};
use super::neurons::{blank, check_bias};
use super::{Fallible, Folding, Receiver, in_shape, unsupported};
use ir::app::Sends;
use ir::id::NodeId;
use ir::network::{Node, Op};
use ir::neuron::{NeuronKind, Param};

impl Folding<'_> {
    pub(super) fn output(&mut self, id: NodeId, node: &Node, input: &Form) -> Fallible<()> {
        let n = in_shape(node)?.len();
        let constant = input.constant(n);
        if input.terms.is_empty() && constant.is_zero() {
            return Err(unsupported(node, "nothing feeds the Output")
                .help("add an edge that leads into it"));
        }
        if constant.is_zero()
            && let Some(source) = self.sender_shown(input)
        {
            self.shown.insert(id, source);
            return Ok(());
        }
        let repeats = constant.is_zero() && self.repeats_spikes(input, n, node)?;
        let mut neuron = blank(NeuronKind::Linear, constant);
        check_bias(node, &neuron.bias)?;
        let mut sends = Sends::Values;
        if repeats {
            neuron.kind = NeuronKind::Threshold;
            neuron.v_threshold = Some(Param::uniform(0.5));
            sends = Sends::Spikes;
        }
        let input = input.clone();
        self.receivers.insert(
            id,
            Receiver {
                neuron,
                sends,
                input,
            },
        );
        Ok(())
    }

    /// The sender whose packets are just what the Output shows.
    fn sender_shown(&self, input: &Form) -> Option<NodeId> {
        let mut terms = input.terms.iter();
        let (&(source, lag), term) = terms.next()?;
        let plain =
            lag == self.least_lag() && term.map.is_identity() && !self.order.kept.contains(&source);
        (terms.next().is_none() && plain).then_some(source)
    }

    /// Whether each value is one spike of one atom.
    fn repeats_spikes(&mut self, input: &Form, n: usize, node: &Node) -> Fallible<bool> {
        self.fuel.take(node, n as u64, 0)?;
        let mut met = vec![false; n];
        for (&(source, _), Term { map, .. }) in &input.terms {
            if self.sent_spikes(source) != Sends::Spikes {
                return Ok(false);
            }
            for (row, entries) in map
                .to_sparse(n, node, &mut self.fuel)?
                .each_row()
                .enumerate()
            {
                match entries {
                    [] => {}
                    [(_, w)] if *w == 1.0 && !met[row] => met[row] = true,
                    _ => return Ok(false),
                }
            }
        }
        Ok(met.iter().all(|&m| m))
    }

    fn sent_spikes(&self, source: NodeId) -> Sends {
        let node = &self.network.nodes[source];
        match &node.op {
            Op::Input { .. } => self
                .inputs
                .get(&node.name)
                .copied()
                .unwrap_or(Sends::Spikes),
            Op::Lif { .. } | Op::If { .. } | Op::CubaLif { .. } => self.sends_of(NeuronKind::If),
            Op::Threshold { .. } => Sends::Spikes,
            Op::Output { .. }
            | Op::Affine { .. }
            | Op::Linear { .. }
            | Op::Scale { .. }
            | Op::Conv1d { .. }
            | Op::Conv2d { .. }
            | Op::SumPool2d { .. }
            | Op::AvgPool2d { .. }
            | Op::Delay { .. }
            | Op::Flatten { .. }
            | Op::Li { .. }
            | Op::CubaLi { .. }
            | Op::I { .. } => Sends::Values,
        }
    }
}
