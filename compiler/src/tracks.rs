//! What a run shows: one track per output node and per recorded node, the
//! same for golden, the fixed reference and the emulator.

use ir::app::Sends;
use ir::network::{Network, Op};
use ir::{NodeId, Observable, Series};
use std::collections::BTreeMap;

/// How the values of a track are compared and stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 0, 1 or counts.
    Spiking,
    /// Real values.
    Graded,
}

impl Kind {
    /// How packets are shown.
    pub fn of(sends: Sends) -> Self {
        match sends {
            Sends::Spikes | Sends::Counts { .. } => Kind::Spiking,
            Sends::Values => Kind::Graded,
        }
    }
}

/// The rows of one node for every sample, latencies removed or not as
/// `--align` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    pub name: String,
    pub observable: Observable,
    pub kind: Kind,
    pub samples: Vec<Series>,
}

impl Track {
    /// Sums over the steps, for each neuron of a sample.
    pub fn totals(&self, sample: usize) -> Vec<f64> {
        let Some(series) = self.samples.get(sample) else {
            return Vec::new();
        };
        let mut totals = vec![0.0; series.width];
        for step in 0..series.steps {
            for (total, v) in totals.iter_mut().zip(series.row(step)) {
                *total += v;
            }
        }
        totals
    }
}

/// All that one engine produced.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tracks {
    pub outputs: Vec<Track>,
    pub recorded: Vec<Track>,
}

/// Whether what a node sends are spikes or counts. Neurons with a threshold
/// and Thresholds send them; Inputs send what the data holds; Outputs and nodes
/// that rename or delay pass on what their only source sends. Sums and weighted
/// values are graded.
pub fn kind(network: &Network, node: NodeId, inputs: &BTreeMap<String, Sends>) -> Kind {
    let preds = network.predecessors();
    let mut at = node;
    // A walk that is longer than the graph has come to a cycle without a neuron.
    for _ in 0..network.nodes.len() {
        match &network.nodes[at].op {
            Op::Lif { .. } | Op::If { .. } | Op::CubaLif { .. } | Op::Threshold { .. } => {
                return Kind::Spiking;
            }
            Op::Input { .. } => {
                let sends = inputs.get(&network.nodes[at].name);
                return Kind::of(sends.copied().unwrap_or(Sends::Spikes));
            }
            Op::Output { .. } | Op::Flatten { .. } | Op::Delay { .. } => match preds[at][..] {
                [one] => at = one,
                _ => return Kind::Graded,
            },
            Op::Li { .. }
            | Op::CubaLi { .. }
            | Op::I { .. }
            | Op::Affine { .. }
            | Op::Linear { .. }
            | Op::Scale { .. }
            | Op::Conv1d { .. }
            | Op::Conv2d { .. }
            | Op::SumPool2d { .. }
            | Op::AvgPool2d { .. } => return Kind::Graded,
        }
    }
    Kind::Graded
}

/// The index of the largest value; ties go to the lowest index, NaN never wins.
pub fn argmax(values: &[f64]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (i, &v) in values.iter().enumerate() {
        if !v.is_nan() && best.is_none_or(|(_, b)| v > b) {
            best = Some((i, v));
        }
    }
    best.map(|(i, _)| i)
}

/// Share of samples whose largest output is their label.
///
/// `None` unless there is one output and the labels hold at least two classes.
pub fn accuracy(outputs: &[Track], labels: Option<&[i64]>) -> Option<f64> {
    let ([output], Some(labels)) = (outputs, labels) else {
        return None;
    };
    let first = labels.first()?;
    if labels.iter().all(|l| l == first) || labels.len() != output.samples.len() {
        return None;
    }
    let right = labels
        .iter()
        .enumerate()
        .filter(|&(s, &label)| {
            argmax(&output.totals(s)).is_some_and(|i| i64::try_from(i) == Ok(label))
        })
        .count();
    Some(right as f64 / labels.len() as f64)
}

#[cfg(test)]
pub(crate) fn spikes(name: &str, samples: &[&[&[u8]]]) -> Track {
    let samples = samples
        .iter()
        .map(|rows| Series {
            steps: rows.len(),
            width: rows.first().map_or(0, |r| r.len()),
            data: rows.concat().iter().map(|&v| f64::from(v)).collect(),
        })
        .collect();
    Track {
        name: name.to_owned(),
        observable: Observable::Spikes,
        kind: Kind::Spiking,
        samples,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lowest_index() {
        assert_eq!(argmax(&[1.0, 2.0, 2.0]), Some(1));
        assert_eq!(argmax(&[0.0, 0.0]), Some(0));
        assert_eq!(argmax(&[f64::NAN, -1.0]), Some(1));
        assert_eq!(argmax(&[]), None);
    }

    #[test]
    fn accuracy_needs_two_classes_and_one_output() {
        let out = spikes("out", &[&[&[1, 0], &[1, 0]], &[&[0, 1], &[0, 0]]]);
        let one = std::slice::from_ref(&out);
        assert_eq!(accuracy(one, Some(&[0, 1])), Some(1.0));
        assert_eq!(accuracy(one, Some(&[1, 0])), Some(0.0));
        assert_eq!(accuracy(one, Some(&[1, 1])), None);
        assert_eq!(accuracy(one, None), None);
        assert_eq!(accuracy(one, Some(&[0, 1, 0])), None);
        assert_eq!(accuracy(&[out.clone(), out], Some(&[0, 1])), None);
    }
}
