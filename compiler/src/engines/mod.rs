//! The three engines behind one shape: golden, the fixed reference and the
//! emulator each turn inputs into [`Tracks`].
//!
//! # Alignment
//! Row t of an aligned track belongs to input step t: each track has its own
//! latency removed, and of the ticks of a step only the one in which the node
//! computes is kept. A raw track has a row for each tick. Either way a run lasts
//! as many ticks as the inputs have steps, plus the largest latency of any
//! track, so that nothing at the end is lost.

mod chip;

/// Said where nodes are recorded with `--spike-on old`: outputs line up with
/// golden, the packets of single neurons may not.
pub const EARLY_ROWS: &str = "recorded rows: with --spike-on old the chip sends a spike as soon as \
    it is known; its packets may stand one step before golden's row";

pub use chip::{Emulated, Emulation, emulate, fixed};

use crate::carried::Carried;
use crate::cli::Align;
use crate::feed;
use crate::front::data::{InputSet, PortSpec};
use crate::options::{RecordRequest, escape};
use crate::trace::Tracing;
use crate::tracks::{Kind, Track, Tracks, kind};
use ir::diag::Result;
use ir::golden::{Golden, silent};
use ir::{Code, Diagnostic, Network, NodeId, Observable, Origin, Series};
use rayon::prelude::*;
use runtime_sim::cpu::Engine;
use std::collections::BTreeMap;

/// What to do with latencies, how many threads to use (0: all), what to trace of the
/// emulated chip, and how to execute.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions<'a> {
    pub align: Align,
    pub threads: usize,
    pub trace: Option<&'a Tracing>,
    pub engine: Engine,
}

impl RunOptions<'_> {
    /// Rows are ticks as they were; all threads, nothing traced.
    pub fn raw() -> Self {
        Self {
            align: Align::Raw,
            threads: 0,
            trace: None,
            engine: Engine::default(),
        }
    }
}

/// The inputs of a run and the ports in the order that the network has them.
#[derive(Clone, Copy, Debug)]
pub struct Feed<'a> {
    pub set: &'a InputSet,
    pub ports: &'a [PortSpec],
}

impl Feed<'_> {
    fn sample(&self, index: usize) -> Result<Vec<Series>> {
        feed::sample(self.set, self.ports, index)
    }
}

/// Latency by output and by recorded node: in steps of golden, in ticks of the
/// chip.
pub type Latencies = BTreeMap<String, u32>;

fn unknown_node(request: &RecordRequest, known: &[String], what: &str) -> Diagnostic {
    Diagnostic::error(
        Code::RecordUnknown,
        &Origin::Option {
            flag: "--record".to_owned(),
        },
        format!("{what} '{}'", escape(&request.node)),
    )
    .note(format!("nodes: {}", known.join(", ")))
}

/// Resolves `--record` on the network: the exact name, which for nested graphs
/// is the path joined by dots.
pub fn find_nodes(
    network: &Network,
    requests: &[RecordRequest],
) -> Result<Vec<(NodeId, Observable)>> {
    let known: Vec<String> = network.nodes.values().map(|n| escape(&n.name)).collect();
    requests
        .iter()
        .map(|r| {
            let same = network.nodes.iter().filter(|(_, n)| n.name == r.node);
            let found: Vec<_> = same.collect();
            match found.as_slice() {
                [(id, _)] => Ok((*id, r.observable)),
                [] => Err(unknown_node(r, &known, "there is no node").into()),
                several => {
                    let mut error = unknown_node(r, &known, "several nodes are called");
                    for (_, node) in several {
                        error = error.note(node.origin.to_string());
                    }
                    Err(error.into())
                }
            }
        })
        .collect()
}

/// Where the rows of a track lie in time.
#[derive(Clone, Copy, Debug)]
struct Rhythm {
    /// Row of step 0.
    latency: usize,
    /// Rows from one step to the next.
    period: usize,
}

impl Rhythm {
    /// The rows that a track shows of a run's.
    fn cut(self, series: Series, steps: usize, align: Align) -> Series {
        match align {
            Align::Raw => series,
            Align::Input if self.period == 1 => series.skip(self.latency).truncate(steps),
            Align::Input => {
                let rows = (self.latency..series.steps).step_by(self.period.max(1));
                let mut out = Series {
                    steps: 0,
                    width: series.width,
                    data: Vec::with_capacity(steps.min(series.steps) * series.width),
                };
                for row in rows.take(steps) {
                    out.data.extend_from_slice(series.row(row));
                    out.steps += 1;
                }
                out
            }
        }
    }
}

/// Collects per-sample results; the error is that of the first sample.
fn in_order<T>(results: Vec<Result<T>>) -> Result<Vec<T>> {
    results.into_iter().collect()
}

/// What golden gives.
#[derive(Debug)]
pub struct Interpreted {
    pub tracks: Tracks,
    pub latencies: Latencies,
    /// Warnings about nodes that never spiked in any sample.
    pub silent: Vec<Diagnostic>,
}

/// Runs golden on every sample.
pub fn golden(
    golden: &Golden,
    network: &Network,
    feed: Feed<'_>,
    carried: &Carried,
    record: &[(NodeId, Observable)],
    options: RunOptions<'_>,
) -> Result<Interpreted> {
    let steps = feed.set.steps;
    let outputs = network.outputs();
    let shown: Vec<NodeId> = outputs
        .iter()
        .copied()
        .chain(record.iter().map(|r| r.0))
        .collect();
    let most = shown
        .iter()
        .map(|&id| golden.latency(id))
        .max()
        .unwrap_or(0);
    let results: Vec<Result<_>> = (0..feed.set.samples)
        .into_par_iter()
        .map(|i| {
            let inputs = feed.sample(i)?;
            golden.run_from(&mut golden.start(), &inputs, steps + most, record)
        })
        .collect();
    let track = |id: NodeId, observable: Observable| Track {
        name: network.nodes[id].name.clone(),
        observable,
        kind: match observable {
            Observable::Spikes => kind(network, id, carried),
            Observable::V | Observable::I => Kind::Graded,
        },
        samples: Vec::with_capacity(feed.set.samples),
    };
    let mut tracks = Tracks {
        outputs: outputs
            .iter()
            .map(|&id| track(id, Observable::Spikes))
            .collect(),
        recorded: record.iter().map(|&(id, what)| track(id, what)).collect(),
    };
    let cut = |id: NodeId, series: Series| {
        let rhythm = Rhythm {
            latency: golden.latency(id),
            period: 1,
        };
        rhythm.cut(series, steps, options.align)
    };
    let mut sent: BTreeMap<NodeId, u64> = BTreeMap::new();
    for traces in in_order(results)? {
        for (id, count) in traces.spikes {
            *sent.entry(id).or_default() += count;
        }
        for (t, (id, series)) in tracks.outputs.iter_mut().zip(traces.outputs) {
            t.samples.push(cut(id, series));
        }
        for (t, (id, _, series)) in tracks.recorded.iter_mut().zip(traces.recorded) {
            t.samples.push(cut(id, series));
        }
    }
    let latencies = shown
        .iter()
        .map(|&id| {
            let latency = u32::try_from(golden.latency(id)).unwrap_or(u32::MAX);
            (network.nodes[id].name.clone(), latency)
        })
        .collect();
    let sent: Vec<(NodeId, u64)> = sent.into_iter().collect();
    Ok(Interpreted {
        tracks,
        latencies,
        silent: silent(network, &sent),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(align: Align, latency: usize, period: usize) -> Vec<f64> {
        let series = Series {
            steps: 7,
            width: 1,
            data: (0..7u8).map(f64::from).collect(),
        };
        Rhythm { latency, period }.cut(series, 2, align).data
    }

    #[test]
    fn alignment_removes_each_latency_and_the_other_ticks() {
        assert_eq!(rows(Align::Input, 1, 1), [1.0, 2.0]);
        assert_eq!(rows(Align::Input, 2, 3), [2.0, 5.0]);
        assert_eq!(rows(Align::Input, 6, 3), [6.0]);
        assert_eq!(rows(Align::Raw, 1, 3).len(), 7);
    }
}
