//! Predicted against emulated cycles: each vertex of the networks at hand within 10 % of
//! what the emulator counts, and each network as a whole.
//!
//! What is compared: the activity is what golden sends, as `--calibrate` measures it. A
//! prediction is made for an activity, so vertices are held to it on the samples that golden
//! saw. There a prediction runs some 70 of the measured steps, alone and from other
//! membranes; the emulator runs all of them on the whole chip. Networks as a whole are also
//! held to it on samples that golden did not see: of these single slices may hear something
//! else, as a digit that is written elsewhere.

use clap::Parser;
use compiler::cli::{Cli, Command};
use compiler::driver::{self, Compiled, Outcome};
use compiler::emit::Watch;
use compiler::engines::{self, Emulation, Feed, RunOptions};
use compiler::front::data::{self, Elements, InputSet};
use compiler::predict::Predictions;
use compiler::{calibrate, feed, predict};
use ir::golden::Golden;
use ir::{Target, VertexId};
use passes::Activity;
use std::collections::BTreeMap;
use std::path::PathBuf;

const NORSE: &[&str] = &["--profile", "norse", "--dt", "1e-6"];
const SNNTORCH: &[&str] = &["--profile", "snntorch"];
const HAND: &[&str] = &["--dt", "1e-3"];

const NETS: [(&str, &[&str]); 13] = [
    ("hand_conv1d_same", HAND),
    ("hand_conv_same_sumpool_avgpool", HAND),
    ("hand_delay_scale", HAND),
    ("hand_legacy_scalar_params_no_vreset", HAND),
    ("hand_nested_rnn", HAND),
    ("hand_neurons_all", HAND),
    ("nirpaper_cnn_nmnistlike", &["--dt", "1", "--reset", "zero"]),
    ("norse_fullyconv_mnist", NORSE),
    ("norse_if_digits", &["--profile", "norse", "--dt", "1"]),
    ("norse_mlp_digits_lifbox", NORSE),
    ("snntorch_conv_avgpool", SNNTORCH),
    ("snntorch_mlp_784_256_10", SNNTORCH),
    ("snntorch_rleaky_digits", SNNTORCH),
];

/// The largest error that is allowed, as a share of the emulated cycles.
const TOLERANCE: f64 = 0.1;

/// Samples that are emulated, and as many between them that only golden sees.
const SAMPLES: usize = 30;

fn folder(name: &str) -> Option<PathBuf> {
    match fixtures::NETS.iter().find(|n| n.name == name) {
        Some(own) => Some(own.folder()),
        None => tests::corpus(&format!("nets/{name}")),
    }
}

/// Every other sample, beginning with `first`.
fn every_other(mut set: InputSet, first: usize) -> InputSet {
    fn pick<T: Copy>(all: &mut Vec<T>, size: usize, first: usize) {
        let samples = all.chunks(size).skip(first).step_by(2);
        *all = samples.flatten().copied().collect();
    }
    for port in set.ports.values_mut() {
        let size = set.steps * port.width;
        match &mut port.elements {
            Elements::U8(v) => pick(v, size, first),
            Elements::I32(v) => pick(v, size, first),
            Elements::F32(v) => pick(v, size, first),
            Elements::F64(v) => pick(v, size, first),
        }
    }
    set.samples = (set.samples - first).div_ceil(2);
    set
}

/// A network, compiled, and what golden sends on two sets of samples.
struct Case {
    compiled: Compiled,
    target: Target,
    emulated: InputSet,
    ports: Vec<data::PortSpec>,
    same: Activity,
    other: Activity,
}

impl Case {
    fn new(name: &str, options: &[&str]) -> Option<Self> {
        let folder = folder(name)?;
        let path = |file: &str| folder.join(file).display().to_string();
        let mut args = vec!["s2c".to_owned(), "check".to_owned(), path("net.nir")];
        args.extend(["--input".to_owned(), path("data.npz")]);
        args.extend(options.iter().map(|&o| o.to_owned()));
        let cli = Cli::try_parse_from(&args).expect("options");
        let Command::Check(args) = cli.command else {
            panic!("a check")
        };
        let mut prepared = driver::prepare(&args.net, &args.lowering, &args.read, &args.mapping)
            .expect("it reads");
        driver::shape(
            &mut prepared.source.module,
            &prepared.mapping,
            &mut passes::Silent,
        )
        .expect("shapes");
        let network = prepared.source.module.network.clone();
        let ports = data::ports_of(&network);
        let dt = prepared.source.module.semantics.dt;
        let (set, _) = feed::read(&args.input, &ports, dt).expect("data");
        let set = set.truncate(2 * SAMPLES);
        prepared.carry(&args.ports, Some(&set)).expect("ports");
        let carried = prepared.carried();
        let semantics = &prepared.source.module.semantics;
        let golden = Golden::new(&network, semantics).expect("golden");
        let sent = |set: &InputSet| {
            calibrate::of_set(set, &network, &golden, &carried).expect("golden runs")
        };
        let emulated = every_other(set.clone(), 0);
        let (same, other) = (sent(&emulated), sent(&every_other(set, 1)));
        let mapping = prepared.mapping;
        let outcome = driver::compile(prepared.source.module, &mapping, &[], &mut Watch::default());
        let Outcome::Done(compiled) = outcome.expect("it compiles") else {
            panic!("the whole way")
        };
        Some(Self {
            compiled: *compiled,
            target: mapping.target.target,
            emulated,
            ports,
            same,
            other,
        })
    }

    /// Mean and most cycles of a tick of each vertex.
    fn emulate(&self) -> BTreeMap<VertexId, (f64, u64)> {
        let feed = Feed {
            set: &self.emulated,
            ports: &self.ports,
        };
        let done = engines::emulate(
            &self.compiled.images,
            &self.target,
            feed,
            &[],
            RunOptions::raw(),
            &Emulation::default(),
        )
        .expect("it runs");
        let module = self.compiled.verified.module();
        let period = module.app.ticks_per_step.max(1) as usize;
        let of = |vertex: VertexId, place: &ir::GlobalPe| {
            let v = &module.machine_graph.vertices[vertex];
            let timing = module.app.populations[v.population].timing;
            // The steps of the sample, as this vertex computes them.
            let from = timing.map_or(0, |t| t.latency as usize) / period * period;
            let ticks = done.results.iter().flat_map(|r| {
                let stats = r.pes.iter().find(|s| s.pe == *place).expect("it ran");
                assert_eq!(stats.missed_deadlines, 0);
                let last = from + self.emulated.steps * period;
                stats.tick_cycles[from..last.min(stats.tick_cycles.len())].to_vec()
            });
            let ticks: Vec<u64> = ticks.collect();
            let mean = ticks.iter().sum::<u64>() as f64 / ticks.len() as f64;
            (mean, *ticks.iter().max().expect("ticks"))
        };
        let placed = module.placements.iter();
        placed.map(|(&v, place)| (v, of(v, place))).collect()
    }

    fn predict(&self, activity: &Activity) -> Predictions {
        let module = self.compiled.verified.module();
        predict::predict(module, &self.compiled.images, &self.target, activity).expect("runs")
    }
}

/// The error of a prediction as a share of what was emulated.
fn error(predicted: f64, emulated: f64) -> f64 {
    (predicted / emulated - 1.0).abs()
}

/// What is further off than [`TOLERANCE`].
fn misses(nets: &[(&str, &[&str])], more: &[&str]) -> Vec<String> {
    let mut bad = Vec::new();
    for (name, options) in nets {
        let Some(case) = Case::new(name, &[options, more].concat()) else {
            continue;
        };
        let emulated = case.emulate();
        let (same, other) = (case.predict(&case.same), case.predict(&case.other));
        let module = case.compiled.verified.module();
        for (id, &(mean, worst)) in &emulated {
            let v = &module.machine_graph.vertices[*id];
            let vertex = &same[id];
            eprintln!(
                "{name} {}{}: predicted {} emulated {mean:.0} ({:+.1} %), other {}, worst {} and {worst}",
                module.app.populations[v.population].name,
                v.slice,
                vertex.mean,
                (vertex.mean as f64 / mean - 1.0) * 100.0,
                other[id].mean,
                vertex.worst,
            );
            if error(vertex.mean as f64, mean) > TOLERANCE {
                bad.push(format!(
                    "{name} {}: {vertex:?}, {mean:.0} emulated",
                    v.slice
                ));
            }
        }
        let sum = |p: &Predictions| p.values().map(|p| p.mean as f64).sum::<f64>();
        let whole: f64 = emulated.values().map(|e| e.0).sum();
        for (samples, sum) in [("the same", sum(&same)), ("other", sum(&other))] {
            eprintln!(
                "{name}: {:+.1} % by {samples} samples",
                (sum / whole - 1.0) * 100.0
            );
            if error(sum, whole) > TOLERANCE {
                bad.push(format!(
                    "{name}: {sum} by {samples} samples, {whole:.0} emulated"
                ));
            }
        }
    }
    bad
}

#[test]
fn vertices_and_networks_take_about_what_is_predicted() {
    let bad = misses(&NETS, &[]);
    assert!(bad.is_empty(), "{bad:#?}");
}

/// Networks whose state can be fixed point.
const FIXED: [(&str, &[&str]); 6] = [
    ("nirpaper_cnn_nmnistlike", &["--dt", "1", "--reset", "zero"]),
    ("norse_if_digits", &["--profile", "norse", "--dt", "1"]),
    ("norse_mlp_digits_lifbox", NORSE),
    ("snntorch_conv_avgpool", SNNTORCH),
    ("snntorch_mlp_784_256_10", SNNTORCH),
    ("snntorch_rleaky_digits", SNNTORCH),
];

#[test]
fn with_fixed_point_state_too() {
    let bad = misses(&FIXED, &["--state", "fixed"]);
    assert!(bad.is_empty(), "{bad:#?}");
}
