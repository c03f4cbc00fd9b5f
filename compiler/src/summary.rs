//! What a run prints to stdout: a line per output, or one JSON object with
//! `--message-format json`.

use crate::engines::Latencies;
use crate::front::data::InputSet;
use crate::options::escape;
use crate::tracks::{Kind, Tracks, accuracy};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The result of one engine.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub v: u32,
    pub network: String,
    pub samples: usize,
    pub steps: usize,
    pub accuracy: Option<f64>,
    /// Latency in steps of every output and recorded node.
    pub latency: Latencies,
    pub outputs: BTreeMap<String, OutputSummary>,
}

#[derive(Clone, Debug, Serialize)]
pub struct OutputSummary {
    /// Spikes of all samples, for spiking outputs.
    pub spikes: Option<u64>,
    pub neurons: usize,
}

pub fn run(network: &str, set: &InputSet, tracks: &Tracks, latency: &Latencies) -> Summary {
    let outputs = tracks.outputs.iter().map(|t| {
        let totals = (0..t.samples.len()).flat_map(|s| t.totals(s));
        let summary = OutputSummary {
            spikes: (t.kind == Kind::Spiking).then(|| totals.sum::<f64>() as u64),
            neurons: t.samples.first().map_or(0, |s| s.width),
        };
        (t.name.clone(), summary)
    });
    Summary {
        v: 1,
        network: network.to_owned(),
        samples: set.samples,
        steps: set.steps,
        accuracy: accuracy(&tracks.outputs, set.labels.as_deref()),
        latency: latency.clone(),
        outputs: outputs.collect(),
    }
}

impl Summary {
    pub fn text(&self, json: bool) -> String {
        if json {
            return serde_json::to_string(self).unwrap_or_default() + "\n";
        }
        let mut out = format!(
            "{}: {} samples of {} steps\n",
            escape(&self.network),
            self.samples,
            self.steps
        );
        for (name, o) in &self.outputs {
            let what = match o.spikes {
                Some(n) => format!("{n} spikes"),
                None => "graded values".to_owned(),
            };
            let latency = self.latency.get(name).copied().unwrap_or(0);
            let _ = writeln!(
                out,
                "  output '{}': {what} of {} neurons, latency {latency} steps",
                escape(name),
                o.neurons
            );
        }
        if let Some(accuracy) = self.accuracy {
            let _ = writeln!(out, "  accuracy {accuracy:.4}");
        }
        out
    }
}
