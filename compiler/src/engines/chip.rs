//! The fixed reference and the emulator, which compute the same numbers.

use super::{Feed, Latencies, Rhythm, RunOptions, in_order, unknown_node};
use crate::options::{RecordRequest, escape};
use crate::tracks::{Kind, Track, Tracks};
use ir::app::{AppGraph, Model, Sends};
use ir::diag::Result;
use ir::fixed::{Fixed, Real, Rows, Traces};
use ir::image::{ImageSet, PopulationInfo, Program};
use ir::neuron::Neuron;
use ir::{Code, Diagnostic, Observable, Origin, PopId, Series, Target};
use rayon::prelude::*;
use runtime_sim::{
    Event, Injection, Level, Machine, RunReport, SampleResult, SampleRun, Taps, run_batch,
};
use std::time::Duration;

/// A population that is shown: one for each output, then one for each recording.
#[derive(Clone, Debug)]
struct Shown<P> {
    name: String,
    population: P,
    observable: Observable,
    sends: Sends,
    latency: usize,
}

impl<P> Shown<P> {
    fn kind(&self) -> Kind {
        match self.observable {
            Observable::Spikes => Kind::of(self.sends),
            Observable::V | Observable::I => Kind::Graded,
        }
    }
}

/// What is to be shown of one run, and its rhythm.
struct Show<P> {
    list: Vec<Shown<P>>,
    /// How many of them are outputs.
    outputs: usize,
    ticks_per_step: usize,
}

impl<P> Show<P> {
    /// Ticks after which every shown population has computed the last step.
    fn ticks(&self, steps: usize) -> usize {
        let most = self.list.iter().map(|s| s.latency).max().unwrap_or(0);
        let last = steps.saturating_sub(1) * self.ticks_per_step + most;
        // Whole steps: a run that keeps the state begins with the first tick of one.
        (last + 1).next_multiple_of(self.ticks_per_step)
    }

    fn rhythm(&self, shown: &Shown<P>) -> Rhythm {
        Rhythm {
            latency: shown.latency,
            period: self.ticks_per_step,
        }
    }

    fn tracks(&self, samples: Vec<Vec<Series>>) -> Tracks {
        let mut tracks: Vec<Track> = self
            .list
            .iter()
            .map(|s| Track {
                name: s.name.clone(),
                observable: s.observable,
                kind: s.kind(),
                samples: Vec::with_capacity(samples.len()),
            })
            .collect();
        for sample in samples {
            for (track, series) in tracks.iter_mut().zip(sample) {
                track.samples.push(series);
            }
        }
        let recorded = tracks.split_off(self.outputs.min(tracks.len()));
        Tracks {
            outputs: tracks,
            recorded,
        }
    }

    fn latencies(&self) -> Latencies {
        self.list
            .iter()
            .map(|s| (s.name.clone(), u32::try_from(s.latency).unwrap_or(u32::MAX)))
            .collect()
    }
}

fn lacks(request: &RecordRequest, what: &str, help: &str) -> Diagnostic {
    Diagnostic::error(
        Code::RecordUnknown,
        &Origin::Option {
            flag: "--record".to_owned(),
        },
        format!("'{}' has no {what}", escape(&request.node)),
    )
    .help(help.to_owned())
}

/// Whether a population has what a request asks for.
fn check_request(request: &RecordRequest, has_v: bool, has_i: bool) -> Result<()> {
    match request.observable {
        Observable::V if !has_v => Err(lacks(request, "membrane", "record :spikes").into()),
        Observable::I if !has_i => {
            Err(lacks(request, "synaptic current", "record :spikes or :v").into())
        }
        Observable::Spikes | Observable::V | Observable::I => Ok(()),
    }
}

fn shown_in_app(app: &AppGraph, requests: &[RecordRequest]) -> Result<Show<PopId>> {
    let shown = |name: &str, id: PopId, observable| {
        let population = &app.populations[id];
        Shown {
            name: name.to_owned(),
            population: id,
            observable,
            sends: population.sends,
            latency: population.timing.map_or(0, |t| t.latency as usize),
        }
    };
    let mut list: Vec<Shown<PopId>> = app
        .outputs
        .iter()
        .map(|o| shown(&o.name, o.source, Observable::Spikes))
        .collect();
    let known: Vec<String> = app.populations.values().map(|p| escape(&p.name)).collect();
    for r in requests {
        let id = app
            .population_named(&r.node)
            .ok_or_else(|| unknown_node(r, &known, "the chip keeps nothing of"))?;
        let (v, i) = match &app.populations[id].model {
            Model::SpikeSource => (false, false),
            Model::Neuron(Neuron::Continuous(_)) => (true, true),
            Model::Neuron(Neuron::Discrete(n)) => (true, n.synapse.is_some()),
        };
        check_request(r, v, i)?;
        list.push(shown(&r.node, id, r.observable));
    }
    Ok(Show {
        list,
        outputs: app.outputs.len(),
        ticks_per_step: app.ticks_per_step.max(1) as usize,
    })
}

/// Runs the quantised application graph: in `f32` bit exact with the chip, in
/// `f64` golden with quantised weights.
pub fn fixed<F: Real + Send + Sync>(
    app: &AppGraph,
    feed: Feed<'_>,
    requests: &[RecordRequest],
    options: RunOptions<'_>,
) -> Result<(Tracks, Latencies)> {
    let fixed = Fixed::<F>::new(app)?;
    let show = shown_in_app(app, requests)?;
    let steps = feed.set.steps;
    let ticks = show.ticks(steps);
    let record: Vec<(PopId, Observable)> = show
        .list
        .iter()
        .map(|s| (s.population, s.observable))
        .collect();
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
            let traces = fixed.run(&inputs, ticks, &record)?;
            let rows = show.list.iter().map(|s| {
                let series = of_traces(&fixed, &traces, s).unwrap_or_default();
                show.rhythm(s).cut(series, steps, options.align)
            });
            Ok(rows.collect())
        })
        .collect();
    Ok((show.tracks(in_order(results)?), show.latencies()))
}

fn of_traces<F: Real>(
    fixed: &Fixed<F>,
    traces: &Traces<F>,
    shown: &Shown<PopId>,
) -> Option<Series> {
    fn plain<T: Copy>(rows: &Rows<T>, value: impl Fn(T) -> f64) -> Series {
        Series {
            steps: rows.ticks,
            width: rows.width,
            data: rows.data.iter().map(|&v| value(v)).collect(),
        }
    }
    let population = shown.population;
    match (shown.observable, shown.sends) {
        (Observable::Spikes, Sends::Spikes | Sends::Counts { .. }) => {
            let rows = traces.spikes.get(&population)?;
            Some(plain(rows, f64::from))
        }
        (Observable::Spikes, Sends::Values) => {
            let rows = traces.values.get(&population)?;
            Some(plain(rows, F::to_f64))
        }
        (what @ Observable::V, _) if traces.v_counts.contains_key(&population) => {
            let rows = traces.v_counts.get(&population)?;
            Some(fixed.counts_in_file_units(population, what, rows))
        }
        (what @ Observable::I, _) if traces.i_counts.contains_key(&population) => {
            let rows = traces.i_counts.get(&population)?;
            Some(fixed.counts_in_file_units(population, what, rows))
        }
        (Observable::V, _) => {
            let rows = traces.v.get(&population)?;
            Some(fixed.v_in_file_units(population, rows))
        }
        (Observable::I, _) => {
            let rows = traces.i.get(&population)?;
            Some(fixed.i_in_file_units(population, rows))
        }
    }
}

/// What the emulator gives besides tracks.
#[derive(Debug)]
pub struct Emulated {
    pub tracks: Tracks,
    pub latencies: Latencies,
    pub report: RunReport,
    /// What the emulator gave, sample by sample.
    pub results: Vec<SampleResult>,
    /// Warnings: populations that never sent anything, a trace that is cut off.
    pub notices: Vec<Diagnostic>,
    /// Median host time of a sample.
    pub host: Duration,
}

fn shown_in_program(program: &Program, requests: &[RecordRequest]) -> Result<Show<usize>> {
    let shown = |name: &str, index: usize, observable| {
        let population = program.populations.get(index);
        Shown {
            name: name.to_owned(),
            population: index,
            observable,
            sends: population.map_or(Sends::Spikes, |p| p.sends),
            latency: population.map_or(0, |p| p.latency as usize),
        }
    };
    let mut list: Vec<Shown<usize>> = program
        .outputs
        .iter()
        .map(|o| shown(&o.name, o.population, Observable::Spikes))
        .collect();
    let known: Vec<String> = program
        .populations
        .iter()
        .map(|p| escape(&p.name))
        .collect();
    for r in requests {
        let (index, population) = program
            .populations
            .iter()
            .enumerate()
            .find(|(_, p)| p.name == r.node)
            .ok_or_else(|| unknown_node(r, &known, "the chip keeps nothing of"))?;
        let v = population.slices.iter().all(|s| s.v_addr.is_some());
        let i = population.slices.iter().all(|s| s.i_addr.is_some());
        check_request(r, v, i)?;
        list.push(shown(&r.node, index, r.observable));
    }
    Ok(Show {
        list,
        outputs: program.outputs.len(),
        ticks_per_step: program.ticks_per_step.max(1) as usize,
    })
}

/// How the chip is emulated.
#[derive(Clone, Debug, Default)]
pub struct Emulation {
    /// Keep state from one sample to the next.
    pub continuous: bool,
    /// At which every PE begins.
    pub level: Level,
    /// What is to go wrong.
    pub faults: Injection,
    /// Of the words of the true random bus.
    pub seed: u64,
}

/// Runs the images on the emulated chip.
pub fn emulate(
    images: &ImageSet,
    target: &Target,
    feed: Feed<'_>,
    requests: &[RecordRequest],
    options: RunOptions<'_>,
    emulation: &Emulation,
) -> Result<Emulated> {
    let program = &images.program;
    let show = shown_in_program(program, requests)?;
    let steps = feed.set.steps;
    let ticks = u32::try_from(show.ticks(steps))
        .map_err(|_| Diagnostic::internal("a run has more ticks than a 32-bit counter holds"))?;
    let mut taps = Taps::default();
    for s in &show.list {
        let list = match s.observable {
            Observable::Spikes => &mut taps.spikes,
            Observable::V => &mut taps.v,
            Observable::I => &mut taps.i,
        };
        if !list.contains(&s.population) {
            list.push(s.population);
        }
    }
    let runs: Vec<Result<SampleRun>> = (0..feed.set.samples)
        .into_par_iter()
        .map(|i| {
            let series = feed.sample(i)?;
            let inputs = program.inputs.iter().zip(&series).map(|(port, series)| {
                let source = program.populations.get(port.population);
                let rhythm = Rhythm {
                    latency: source.map_or(0, |p| p.latency as usize),
                    period: show.ticks_per_step,
                };
                events(series, source.map_or(Sends::Spikes, |p| p.sends), rhythm)
            });
            Ok(SampleRun {
                ticks,
                inputs: inputs.collect(),
                taps: taps.clone(),
                keep_state: emulation.continuous && i > 0,
            })
        })
        .collect();
    let runs = in_order(runs)?;
    let mut machine = Machine::load_with(images, target, emulation.level, emulation.seed)?;
    machine.inject(emulation.faults.clone())?;
    machine.set_engine(options.engine);
    let mut notices = Vec::new();
    let batch = match options.trace {
        Some(tracing) => {
            let traced = tracing.run(&machine, &runs, target)?;
            notices = traced.notices;
            traced.batch
        }
        None => run_batch(&machine, &runs, options.threads)?,
    };
    let rows_of = |result: &SampleResult| {
        let rows = show.list.iter().map(|s| {
            let info = program.populations.get(s.population);
            let series = info.and_then(|info| of_result(result, s, info));
            let series = series.unwrap_or_default();
            show.rhythm(s).cut(series, steps, options.align)
        });
        rows.collect()
    };
    let samples = batch.samples.par_iter().map(rows_of).collect();
    let report = RunReport::new(&batch.samples, program, target, images.time_step_us);
    Ok(Emulated {
        latencies: show.latencies(),
        tracks: show.tracks(samples),
        notices: [notices, silent(&report, program)].concat(),
        report,
        host: batch.host_median(),
        results: batch.samples,
    })
}

/// Populations that sent nothing in any sample, although the inputs did.
fn silent(report: &RunReport, program: &Program) -> Vec<Diagnostic> {
    let sent = |name: &str| -> u64 {
        let there = |pe: &&runtime_sim::report::PeReport| pe.populations.iter().any(|p| p == name);
        let pes = report.pes.iter().filter(there);
        pes.map(|pe| pe.packets_sent).sum()
    };
    let name = |population: usize| program.populations.get(population).map(|p| p.name.as_str());
    let fed = program
        .inputs
        .iter()
        .filter_map(|port| name(port.population));
    if fed.map(sent).sum::<u64>() == 0 {
        return Vec::new();
    }
    let neurons = program
        .populations
        .iter()
        .filter(|p| p.slices.iter().all(|s| s.v_addr.is_some()));
    neurons
        .filter(|p| sent(&p.name) == 0)
        .map(|p| {
            Diagnostic::warning(
                Code::NoUpdate,
                &Origin::Compiler,
                format!("population '{}' never sent anything", escape(&p.name)),
            )
            .note(format!(
                "{} neurons, {} samples, {} ticks",
                p.n_atoms, report.samples, report.ticks
            ))
            .help("check --dt, --profile and the thresholds, or the input data")
        })
        .collect()
}

/// What the atoms of an input say in each tick: step `s` is said in tick
/// `s * period + latency`.
fn events(series: &Series, sends: Sends, rhythm: Rhythm) -> Vec<Vec<Event>> {
    let last = series.steps.saturating_sub(1);
    let mut ticks = vec![Vec::new(); last * rhythm.period + rhythm.latency + 1];
    for step in 0..series.steps {
        let Some(row) = ticks.get_mut(step * rhythm.period + rhythm.latency) else {
            continue;
        };
        for (atom, &v) in (0u32..).zip(series.row(step)) {
            match sends {
                // A value that float32 rounds to zero says nothing either.
                Sends::Values if v as f32 != 0.0 => row.push(Event::value(atom, v as f32)),
                Sends::Spikes | Sends::Counts { .. } if v != 0.0 => row.push(Event {
                    atom,
                    payload: v as u32,
                }),
                Sends::Values | Sends::Spikes | Sends::Counts { .. } => {}
            }
        }
    }
    ticks
}

fn of_result(result: &SampleResult, shown: &Shown<usize>, info: &PopulationInfo) -> Option<Series> {
    let population = shown.population;
    let width = info.n_atoms as usize;
    match shown.observable {
        Observable::Spikes => {
            let tap = result.spikes.iter().find(|t| t.population == population)?;
            Some(said(&tap.ticks, shown.sends, width))
        }
        Observable::V => {
            let tap = result.v.iter().find(|t| t.population == population)?;
            Some(in_units(&tap.words, &info.unit, info))
        }
        Observable::I => {
            let tap = result.i.iter().find(|t| t.population == population)?;
            Some(in_units(&tap.words, &info.i_unit, info))
        }
    }
}

/// Packets as numbers: an atom that sends twice in a tick counts twice.
fn said(ticks: &[Vec<Event>], sends: Sends, width: usize) -> Series {
    let mut series = Series::zeros(ticks.len(), width);
    for (t, events) in ticks.iter().enumerate() {
        let row = series.row_mut(t);
        for event in events {
            if let Some(value) = row.get_mut(event.atom as usize) {
                *value += match sends {
                    Sends::Spikes | Sends::Counts { .. } => f64::from(event.payload),
                    Sends::Values => f64::from(f32::from_bits(event.payload)),
                };
            }
        }
    }
    series
}

/// State in the file's units.
fn in_units(words: &[u32], unit: &[f64], info: &PopulationInfo) -> Series {
    let width = info.n_atoms as usize;
    if info.integers {
        counted(words, unit, width)
    } else {
        real(words, unit, width)
    }
}

fn unit_of(unit: &[f64], atom: usize) -> f64 {
    match unit {
        [] => 1.0,
        [one] => *one,
        many => many.get(atom).copied().unwrap_or(1.0),
    }
}

/// Raw int32 words: float64 holds their product to the last count.
fn counted(words: &[u32], unit: &[f64], width: usize) -> Series {
    let data = words.iter().enumerate().map(|(i, &word)| {
        let atom = i % width.max(1);
        f64::from(word.cast_signed()) * unit_of(unit, atom)
    });
    Series {
        steps: words.len() / width.max(1),
        width,
        data: data.collect(),
    }
}

/// Raw float32 words: the product is taken in float64 and rounded once.
fn real(words: &[u32], unit: &[f64], width: usize) -> Series {
    let data = words.iter().enumerate().map(|(i, &word)| {
        let v = f64::from(f32::from_bits(word)) * unit_of(unit, i % width.max(1));
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
    fn steps_become_ticks_and_come_back() {
        let series = Series {
            steps: 2,
            width: 3,
            data: vec![0.0, 1.0, 2.0, 0.0, 0.0, 3.0],
        };
        let rhythm = Rhythm {
            latency: 1,
            period: 2,
        };
        let sends = Sends::Counts { max: 3 };
        let ticks = events(&series, sends, rhythm);
        let payloads: Vec<Vec<(u32, u32)>> = ticks
            .iter()
            .map(|row| row.iter().map(|e| (e.atom, e.payload)).collect())
            .collect();
        assert_eq!(
            payloads,
            [vec![], vec![(1, 1), (2, 2)], vec![], vec![(2, 3)]]
        );
        let back = rhythm.cut(said(&ticks, sends, 3), 2, crate::cli::Align::Input);
        assert_eq!(back, series);
    }

    #[test]
    fn values_travel_as_float32() {
        let series = Series {
            steps: 1,
            width: 3,
            data: vec![-0.1, 0.0, 1e-60],
        };
        let rhythm = Rhythm {
            latency: 0,
            period: 1,
        };
        let ticks = events(&series, Sends::Values, rhythm);
        let data = said(&ticks, Sends::Values, 3).data;
        assert_eq!(data, [f64::from(-0.1f32), 0.0, 0.0]);
        assert_eq!(ticks[0].len(), 1);
    }

    #[test]
    fn membranes_are_rounded_once() {
        let unit = [0.1, 3.0];
        let words = [1.5f32.to_bits(), 0.1f32.to_bits()];
        let got = real(&words, &unit, 2);
        assert_eq!((got.steps, got.width), (1, 2));
        assert_eq!(got.data[0], f64::from((1.5f64 * 0.1) as f32));
        assert_eq!(got.data[1], f64::from((f64::from(0.1f32) * 3.0) as f32));
        let counts = [7, (-3i32).cast_unsigned()];
        assert_eq!(counted(&counts, &unit, 2).data, [7.0 * 0.1, -9.0]);
    }
}
