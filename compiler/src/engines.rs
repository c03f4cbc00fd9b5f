//! The three engines behind one shape: golden, the fixed reference and the
//! emulator each turn inputs into [`Tracks`].
//!
//! # Alignment
//! Row t of an aligned track belongs to input step t: each track has its own
//! latency removed. A raw track starts at tick 0. Either way a run lasts as
//! many ticks as the inputs have steps plus the largest latency of any track,
//! so that nothing at the end is lost.

use crate::cli::Align;
use crate::feed;
use crate::front::data::{InputSet, PortSpec};
use crate::options::{RecordRequest, escape};
use crate::tracks::{Kind, Track, Tracks, kind};
use ir::app::AppGraph;
use ir::diag::Result;
use ir::fixed::{Fixed, Real};
use ir::golden::Golden;
use ir::image::{ImageSet, Program};
use ir::{Code, Diagnostic, Network, NodeId, Observable, Origin, PopId, Series, Target};
use rayon::prelude::*;
use runtime_sim::{Event, Machine, RunReport, SampleRun, Taps, run_batch};
use std::collections::BTreeMap;
use std::time::Duration;

/// What to do with latencies, and how many threads to use (0: all).
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    pub align: Align,
    pub threads: usize,
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

/// Latency in steps by output and by recorded node.
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

fn cut(series: Series, latency: usize, steps: usize, align: Align) -> Series {
    match align {
        Align::Raw => series,
        Align::Input => series.skip(latency).truncate(steps),
    }
}

/// Collects per-sample results; the error is that of the first sample.
fn in_order<T>(results: Vec<Result<T>>) -> Result<Vec<T>> {
    results.into_iter().collect()
}

/// Runs golden on every sample.
pub fn golden(
    golden: &Golden,
    network: &Network,
    feed: Feed<'_>,
    record: &[(NodeId, Observable)],
    options: RunOptions,
) -> Result<(Tracks, Latencies)> {
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
            Observable::Spikes => kind(network, id),
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
    for traces in in_order(results)? {
        for (t, (id, series)) in tracks.outputs.iter_mut().zip(traces.outputs) {
            t.samples
                .push(cut(series, golden.latency(id), steps, options.align));
        }
        for (t, (id, _, series)) in tracks.recorded.iter_mut().zip(traces.recorded) {
            t.samples
                .push(cut(series, golden.latency(id), steps, options.align));
        }
    }
    let latencies = shown
        .iter()
        .map(|&id| {
            let latency = u32::try_from(golden.latency(id)).unwrap_or(u32::MAX);
            (network.nodes[id].name.clone(), latency)
        })
        .collect();
    Ok((tracks, latencies))
}

/// What the fixed reference and the emulator show: a population for each
/// output, then one for each recording.
#[derive(Clone, Debug)]
struct Shown<P> {
    name: String,
    population: P,
    observable: Observable,
    latency: usize,
}

fn tracks_of<P>(shown: &[Shown<P>], outputs: usize, samples: Vec<Vec<Series>>) -> Tracks {
    let mut tracks: Vec<Track> = shown
        .iter()
        .map(|s| Track {
            name: s.name.clone(),
            observable: s.observable,
            kind: match s.observable {
                Observable::Spikes => Kind::Spiking,
                Observable::V | Observable::I => Kind::Graded,
            },
            samples: Vec::with_capacity(samples.len()),
        })
        .collect();
    for sample in samples {
        for (track, series) in tracks.iter_mut().zip(sample) {
            track.samples.push(series);
        }
    }
    let recorded = tracks.split_off(outputs.min(tracks.len()));
    Tracks {
        outputs: tracks,
        recorded,
    }
}

fn no_current(request: &RecordRequest) -> Diagnostic {
    Diagnostic::error(
        Code::RecordUnknown,
        &Origin::Option {
            flag: "--record".to_owned(),
        },
        format!("'{}' has no synaptic current", escape(&request.node)),
    )
    .help("record :spikes or :v")
}

fn shown_in_app(app: &AppGraph, requests: &[RecordRequest]) -> Result<Vec<Shown<PopId>>> {
    let latency = |id: PopId| app.populations[id].timing.map_or(0, |t| t.latency as usize);
    let mut shown: Vec<Shown<PopId>> = app
        .outputs
        .iter()
        .map(|o| Shown {
            name: o.name.clone(),
            population: o.source,
            observable: Observable::Spikes,
            latency: latency(o.source),
        })
        .collect();
    let known: Vec<String> = app.populations.values().map(|p| escape(&p.name)).collect();
    for r in requests {
        let id = app
            .population_named(&r.node)
            .ok_or_else(|| unknown_node(r, &known, "the chip keeps nothing of"))?;
        if r.observable == Observable::I {
            return Err(no_current(r).into());
        }
        shown.push(Shown {
            name: r.node.clone(),
            population: id,
            observable: r.observable,
            latency: latency(id),
        });
    }
    Ok(shown)
}

/// Runs the quantised application graph: in `f32` bit exact with the chip, in
/// `f64` golden with quantised weights.
pub fn fixed<F: Real + Send + Sync>(
    app: &AppGraph,
    feed: Feed<'_>,
    requests: &[RecordRequest],
    options: RunOptions,
) -> Result<(Tracks, Latencies)> {
    let fixed = Fixed::<F>::new(app)?;
    let shown = shown_in_app(app, requests)?;
    let steps = feed.set.steps;
    let most = shown.iter().map(|s| s.latency).max().unwrap_or(0);
    let record: Vec<(PopId, Observable)> =
        shown.iter().map(|s| (s.population, s.observable)).collect();
    let results: Vec<Result<Vec<Series>>> = (0..feed.set.samples)
        .into_par_iter()
        .map(|i| {
            let by_name = feed.set.sample(i).unwrap_or_default();
            let inputs: Vec<Series> = fixed
                .sources()
                .iter()
                .map(|&p| {
                    by_name
                        .get(&app.populations[p].name)
                        .cloned()
                        .unwrap_or_default()
                })
                .collect();
            let ticks = steps + most;
            let traces = fixed.run(&inputs, ticks, &record)?;
            Ok(shown
                .iter()
                .map(|s| {
                    let series = match s.observable {
                        Observable::Spikes => traces.spikes.get(&s.population).map(|rows| Series {
                            steps: rows.ticks,
                            width: rows.width,
                            data: rows.data.iter().map(|&v| f64::from(v)).collect(),
                        }),
                        Observable::V | Observable::I => traces
                            .v
                            .get(&s.population)
                            .map(|rows| fixed.v_in_file_units(s.population, rows)),
                    };
                    cut(series.unwrap_or_default(), s.latency, steps, options.align)
                })
                .collect())
        })
        .collect();
    let latencies = latencies(&shown);
    let tracks = tracks_of(&shown, app.outputs.len(), in_order(results)?);
    Ok((tracks, latencies))
}

fn latencies<P>(shown: &[Shown<P>]) -> Latencies {
    shown
        .iter()
        .map(|s| (s.name.clone(), u32::try_from(s.latency).unwrap_or(u32::MAX)))
        .collect()
}

/// What the emulator gives besides tracks.
#[derive(Debug)]
pub struct Emulated {
    pub tracks: Tracks,
    pub latencies: Latencies,
    pub report: RunReport,
    /// Median host time of a sample.
    pub host: Duration,
}

fn shown_in_program(program: &Program, requests: &[RecordRequest]) -> Result<Vec<Shown<usize>>> {
    let latency = |p: usize| program.populations.get(p).map_or(0, |p| p.latency as usize);
    let mut shown: Vec<Shown<usize>> = program
        .outputs
        .iter()
        .map(|o| Shown {
            name: o.name.clone(),
            population: o.population,
            observable: Observable::Spikes,
            latency: latency(o.population),
        })
        .collect();
    let known: Vec<String> = program
        .populations
        .iter()
        .map(|p| escape(&p.name))
        .collect();
    for r in requests {
        let population = program
            .populations
            .iter()
            .position(|p| p.name == r.node)
            .ok_or_else(|| unknown_node(r, &known, "the chip keeps nothing of"))?;
        if r.observable == Observable::I {
            return Err(no_current(r).into());
        }
        shown.push(Shown {
            name: r.node.clone(),
            population,
            observable: r.observable,
            latency: latency(population),
        });
    }
    Ok(shown)
}

/// Runs the images on the emulated chip.
pub fn emulate(
    images: &ImageSet,
    target: &Target,
    feed: Feed<'_>,
    requests: &[RecordRequest],
    options: RunOptions,
    continuous: bool,
) -> Result<Emulated> {
    let program = &images.program;
    let shown = shown_in_program(program, requests)?;
    let steps = feed.set.steps;
    let most = shown.iter().map(|s| s.latency).max().unwrap_or(0);
    let ticks = u32::try_from(steps + most)
        .map_err(|_| Diagnostic::internal("a run has more ticks than a 32-bit counter holds"))?;
    let mut taps = Taps::default();
    for s in &shown {
        let list = match s.observable {
            Observable::Spikes => &mut taps.spikes,
            Observable::V | Observable::I => &mut taps.v,
        };
        if !list.contains(&s.population) {
            list.push(s.population);
        }
    }
    let runs: Vec<SampleRun> = (0..feed.set.samples)
        .map(|i| {
            Ok(SampleRun {
                ticks,
                inputs: feed.sample(i)?.iter().map(events).collect(),
                taps: taps.clone(),
                keep_state: continuous && i > 0,
            })
        })
        .collect::<Result<_>>()?;
    let machine = Machine::load(images, target)?;
    let batch = run_batch(&machine, &runs, options.threads)?;
    let mut samples = Vec::with_capacity(batch.samples.len());
    for result in &batch.samples {
        let rows = shown.iter().map(|s| {
            let info = program.populations.get(s.population);
            let width = info.map_or(0, |p| p.n_atoms as usize);
            let series = match s.observable {
                Observable::Spikes => result
                    .spikes
                    .iter()
                    .find(|t| t.population == s.population)
                    .map(|t| counts(&t.ticks, width)),
                Observable::V | Observable::I => result
                    .v
                    .iter()
                    .find(|t| t.population == s.population)
                    .zip(info)
                    .map(|(t, info)| membranes(&t.words, &info.unit, width)),
            };
            cut(series.unwrap_or_default(), s.latency, steps, options.align)
        });
        samples.push(rows.collect());
    }
    Ok(Emulated {
        latencies: latencies(&shown),
        tracks: tracks_of(&shown, program.outputs.len(), samples),
        report: RunReport::new(&batch.samples, program, target, images.time_step_us),
        host: batch.host_median(),
    })
}

/// The atoms that spike in each step, ascending.
fn events(series: &Series) -> Vec<Vec<Event>> {
    (0..series.steps)
        .map(|t| {
            let row = (0u32..).zip(series.row(t));
            row.filter(|(_, v)| **v != 0.0)
                .map(|(i, _)| Event::spike(i))
                .collect()
        })
        .collect()
}

fn counts(ticks: &[Vec<Event>], width: usize) -> Series {
    let mut series = Series::zeros(ticks.len(), width);
    for (t, atoms) in ticks.iter().enumerate() {
        let row = series.row_mut(t);
        for event in atoms {
            if let Some(count) = row.get_mut(event.atom as usize) {
                *count += f64::from(event.payload);
            }
        }
    }
    series
}

/// Raw float32 words in the file's units: the product is taken in float64 and
/// rounded once.
fn membranes(words: &[u32], unit: &[f64], width: usize) -> Series {
    let unit_of = |atom: usize| match unit {
        [] => 1.0,
        [one] => *one,
        many => many.get(atom).copied().unwrap_or(1.0),
    };
    let data = words.iter().enumerate().map(|(i, &word)| {
        let v = f64::from(f32::from_bits(word)) * unit_of(i % width.max(1));
        f64::from(v as f32)
    });
    Series {
        steps: words.len() / width.max(1),
        width,
        data: data.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_ascending_atoms() {
        let series = Series {
            steps: 2,
            width: 3,
            data: vec![0.0, 1.0, 1.0, 0.0, 0.0, 0.0],
        };
        assert_eq!(events(&series), [[1, 2].map(Event::spike).to_vec(), vec![]]);
        assert_eq!(counts(&events(&series), 3), series);
    }

    #[test]
    fn membranes_are_rounded_once() {
        let unit = [0.1, 3.0];
        let words = [1.5f32.to_bits(), 0.1f32.to_bits()];
        let got = membranes(&words, &unit, 2);
        assert_eq!((got.steps, got.width), (1, 2));
        assert_eq!(got.data[0], f64::from((1.5f64 * 0.1) as f32));
        assert_eq!(got.data[1], f64::from((f64::from(0.1f32) * 3.0) as f32));
    }

    #[test]
    fn alignment_removes_each_latency() {
        let series = Series {
            steps: 4,
            width: 1,
            data: vec![0.0, 1.0, 2.0, 3.0],
        };
        assert_eq!(cut(series.clone(), 1, 2, Align::Input).data, [1.0, 2.0]);
        assert_eq!(cut(series, 1, 2, Align::Raw).data.len(), 4);
    }
}
