//! What is legal but can hardly be meant: populations that never spike.

use super::{Golden, Kind, Unit};
use crate::code::Code;
use crate::diag::Diagnostic;
use crate::id::{IdVec, NodeId};
use crate::network::Network;
use crate::origin::escape;
use crate::semantics::Reset;
use std::collections::BTreeMap;

/// How far below a threshold a bound must stay to prove anything in spite of
/// rounding.
const MARGIN: f64 = 1e-9;

/// One warning per population that sent no spike, from the counts of
/// [`Traces::spikes`](super::Traces) added up over all samples.
pub fn silent(network: &Network, spikes: &[(NodeId, u64)]) -> Vec<Diagnostic> {
    let dead = spikes.iter().filter(|(_, count)| *count == 0);
    dead.filter_map(|(id, _)| network.nodes.get(*id))
        .map(|node| {
            let kind = node.op.kind();
            Diagnostic::warning(
                Code::NoUpdate,
                &node.origin,
                format!("'{}' ({kind}) never spiked in this run", escape(&node.name)),
            )
            .help("check its threshold, --dt and --time-unit, and whether these inputs are meant for this network")
        })
        .collect()
}

/// The least and the greatest value of each element, over all steps.
#[derive(Clone)]
struct Range {
    low: Vec<f64>,
    high: Vec<f64>,
}

impl Range {
    fn all(n: usize, low: f64, high: f64) -> Self {
        Self {
            low: vec![low; n],
            high: vec![high; n],
        }
    }
    /// The same with 0, which everything is before the first value arrives.
    fn with_zero(mut self) -> Self {
        self.low.iter_mut().for_each(|l| *l = l.min(0.0));
        self.high.iter_mut().for_each(|h| *h = h.max(0.0));
        self
    }
    /// Adds `weight` times element `from` of `other` to element `to`.
    fn add(&mut self, to: usize, other: &Range, from: usize, weight: f64) {
        let (low, high) = (other.low[from], other.high[from]);
        // 0 * infinity is nothing here.
        if weight > 0.0 {
            self.low[to] += weight * low;
            self.high[to] += weight * high;
        } else if weight < 0.0 {
            self.low[to] += weight * high;
            self.high[to] += weight * low;
        }
    }
}

/// The greatest value that `state <- decay * state + u`, from 0, can reach if
/// u never exceeds `most`.
fn settles_at(decay: f64, most: f64) -> f64 {
    if (0.0..1.0).contains(&decay) {
        (most / (1.0 - decay)).max(0.0)
    } else if decay == 1.0 && most <= 0.0 {
        0.0
    } else {
        f64::INFINITY
    }
}

/// The greater end of a factor times a range.
fn most(factor: f64, low: f64, high: f64) -> f64 {
    match factor {
        f if f > 0.0 => f * high,
        f if f < 0.0 => f * low,
        _ => 0.0,
    }
}

impl Golden {
    /// One warning per population in which no neuron can reach its threshold,
    /// whatever the network does: only what can be proved. `inputs` gives the
    /// least and greatest value of Inputs; one that it lacks has no bounds.
    ///
    /// Nothing is claimed with `--bias membrane`, which separates what the
    /// proof bounds together.
    pub fn unreachable(
        &self,
        network: &Network,
        inputs: &BTreeMap<NodeId, (f64, f64)>,
    ) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        if self.apart {
            return found;
        }
        let mut ranges: IdVec<NodeId, Option<Range>> = self.nodes.ids().map(|_| None).collect();
        for &id in &self.schedule.order {
            let unit = &self.nodes[id];
            ranges[id] = Some(match &unit.kind {
                Kind::Input => {
                    let all = (f64::NEG_INFINITY, f64::INFINITY);
                    let bounds = inputs.get(&id).filter(|(low, high)| low <= high);
                    let (low, high) = bounds.copied().unwrap_or(all);
                    Range::all(unit.n, low, high).with_zero()
                }
                Kind::Alias => self.summed(unit, &ranges),
                Kind::Delay(_) => self.summed(unit, &ranges).with_zero(),
                Kind::Affine(affine) => {
                    let x = self.summed(unit, &ranges);
                    let mut y = Range::all(unit.n, 0.0, 0.0);
                    if let Some((bias, from)) = affine.bias() {
                        y.low.copy_from_slice(bias);
                        y.high.copy_from_slice(bias);
                        y = if from > 0 { y.with_zero() } else { y };
                    }
                    affine.each(unit.n, |from, to, w| y.add(to, &x, from, w));
                    y
                }
                // `summed` knows what these send.
                Kind::Threshold(..) | Kind::Neurons(_) => continue,
            });
        }
        for (id, unit) in self.nodes.iter() {
            if let Some((k, v, threshold)) = self.closest(unit, &ranges) {
                let node = &network.nodes[id];
                let name = escape(&node.name);
                let message = format!(
                    "'{name}' ({}) can never reach its threshold",
                    node.op.kind()
                );
                found.push(
                    Diagnostic::warning(Code::NoUpdate, &node.origin, message)
                        .note(format!(
                            "nearest is neuron {k} of {}: its input can lift v to {v:.6} at most, its threshold is {threshold}",
                            unit.n
                        ))
                        .help("check the weights before it, its r, --dt and --time-unit"),
                );
            }
        }
        found
    }

    fn summed(&self, unit: &Unit, ranges: &IdVec<NodeId, Option<Range>>) -> Range {
        let n = unit.n_in();
        let mut sum = Range::all(n, 0.0, 0.0);
        for wire in &unit.wires {
            // What a sender sends is bounded whatever it takes, and a delayed
            // wire brings the same or 0 at first, which the bounds hold. Only
            // a Delay may stand before its source in the order.
            let bounds = self.nodes[wire.source].sender_range();
            let (low, high) = bounds.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
            let outside = Range::all(n, low, high);
            let source = ranges[wire.source].as_ref().unwrap_or(&outside);
            (0..n).for_each(|i| sum.add(i, source, i, wire.count));
        }
        sum
    }

    /// If no neuron of a population can reach its threshold: the one that
    /// comes nearest, its greatest membrane, and its threshold.
    fn closest(
        &self,
        unit: &Unit,
        ranges: &IdVec<NodeId, Option<Range>>,
    ) -> Option<(usize, f64, f64)> {
        let Kind::Neurons(neurons) = &unit.kind else {
            return None;
        };
        let fire = neurons.fire.as_ref()?;
        let x = self.summed(unit, ranges);
        let mut nearest: Option<(usize, f64, f64)> = None;
        for k in 0..unit.n {
            let (mut low, mut high) = (x.low[k], x.high[k]);
            if let Some(synapse) = &neurons.synapse {
                let decay = synapse.decay.at(k);
                let gain = synapse.gain.at(k) * if synapse.after { decay } else { 1.0 };
                (low, high) = (
                    -settles_at(decay, most(-gain, low, high)),
                    settles_at(decay, most(gain, low, high)),
                );
            }
            let drive = most(neurons.gain.at(k), low, high) + neurons.leak.at(k);
            let v = settles_at(neurons.decay.at(k), drive);
            let threshold = fire.threshold.at(k);
            let proven = v * (1.0 + MARGIN) < threshold;
            if !proven {
                return None;
            }
            if nearest.is_none_or(|(_, v0, t0)| v * t0 > v0 * threshold) {
                nearest = Some((k, v, threshold));
            }
        }
        nearest
    }
}

impl Unit {
    /// The bounds of what a neuron or Threshold sends, which don't depend on
    /// what it takes.
    fn sender_range(&self) -> Option<(f64, f64)> {
        match &self.kind {
            Kind::Threshold(..) => Some((0.0, 1.0)),
            Kind::Neurons(neurons) => Some(match &neurons.fire {
                None => (f64::NEG_INFINITY, f64::INFINITY),
                Some(fire) if fire.reset == Reset::MultiSubtract => (0.0, f64::INFINITY),
                Some(_) => (0.0, 1.0),
            }),
            Kind::Input | Kind::Alias | Kind::Affine(_) | Kind::Delay(_) => None,
        }
    }
}
