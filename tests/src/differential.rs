//! One case through the whole compiler: the emulator against the fixed
//! reference bit for bit, and golden where the weights are exact enough.

use crate::random::Case;
use compiler::carried::Carried;
use compiler::cli::Align;
use compiler::engines::{self, Emulation, Feed, RunOptions};
use compiler::front::data::{Elements, InputSet, Port, ports_of};
use compiler::options::RecordRequest;
use compiler::tracks::{Kind, Track};
use ir::app::Model;
use ir::golden::Golden;
use ir::neuron::Neuron;
use ir::semantics::{SpikeOn, WeightMode};
use ir::verify::verify;
use ir::{Code, Diagnostics, Module, Observable, Target};
use passes::{Kernels, MappingOptions, PassContext, Plan, Silent};
use std::fmt::Write;

/// What a case came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Everything agrees.
    Agrees(Measures),
    /// A legal refusal: the graph has no meaning or does not fit.
    Refused(String),
    /// The chip is exact, golden is not: a fragile threshold, or a mistake.
    Drifts(String),
    /// A bug.
    Wrong(String),
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measures {
    pub populations: usize,
    pub ticks_per_step: u32,
    pub spikes: f64,
    pub graded: usize,
    /// Projections into slices that are multiplied on the MAC array.
    pub products: usize,
}

/// The case as text that `s2c` reads.
pub fn text(module: &Module) -> String {
    let options = ir::text::PrintOptions {
        inline_blobs: true,
        ..ir::text::PrintOptions::default()
    };
    ir::text::print(module, &options).0
}

fn lines(errors: &Diagnostics) -> String {
    errors.0.iter().fold(String::new(), |mut out, d| {
        let _ = writeln!(out, "{d}");
        for note in &d.notes {
            let _ = writeln!(out, "    {note}");
        }
        out
    })
}

/// Whether a refusal is the graph's fault, that of forced kernels, or the one known gap of
/// the chip.
fn legal(case: &Case, errors: &Diagnostics) -> bool {
    let fine = [
        Code::KernelImpossible,
        Code::AlgebraicLoop,
        Code::DoesNotFit,
        Code::Infeasible,
        Code::BadParameter,
        Code::StateUnfit,
    ];
    let old = case.module.semantics.spike_on == SpikeOn::Old;
    errors
        .0
        .iter()
        .filter(|d| d.is_error())
        .all(|d| fine.contains(&d.code) || (old && d.code == Code::OptionUnsupported))
}

fn refused(case: &Case, stage: &str, errors: &Diagnostics) -> Verdict {
    let text = format!("{stage}: {}", lines(errors));
    if legal(case, errors) {
        Verdict::Refused(text)
    } else {
        Verdict::Wrong(text)
    }
}

/// Runs a case with these kernels for its dense projections.
pub fn run(case: &Case, target: &Target, kernels: Kernels) -> Verdict {
    match attempt(case, target, kernels) {
        Ok(verdict) | Err(verdict) => verdict,
    }
}

fn attempt(case: &Case, target: &Target, kernels: Kernels) -> Result<Verdict, Verdict> {
    let mut module = case.module.clone();
    let options = MappingOptions {
        schedule: case.schedule,
        kernels,
        ..MappingOptions::default()
    };
    let context = PassContext {
        target,
        options: &options,
    };
    let shaping = Plan::from_names(&["infer-shapes"]).map_err(|e| refused(case, "plan", &e))?;
    passes::run(&mut module, &shaping, &context, &mut Silent)
        .map_err(|e| refused(case, "infer-shapes", &e))?;
    round_trip(&module)?;
    let network = module.network.clone();
    let golden =
        Golden::new(&network, &module.semantics).map_err(|e| refused(case, "golden", &e))?;

    let front = Plan::rest_of_standard(module.facts)
        .stop_after("canonicalise")
        .map_err(|e| refused(case, "plan", &e))?;
    passes::run(&mut module, &front, &context, &mut Silent)
        .map_err(|e| refused(case, "canonicalise", &e))?;
    // Populations come and go when graphs fold; bound only what is there.
    let mut bounds = case.atoms_per_core.clone();
    bounds.retain(|name, _| module.app.population_named(name).is_some());
    let options = MappingOptions {
        atoms_per_core: bounds,
        ..options
    };
    let context = PassContext {
        target,
        options: &options,
    };
    let rest = Plan::rest_of_standard(module.facts);
    passes::run(&mut module, &rest, &context, &mut Silent)
        .map_err(|e| refused(case, "passes", &e))?;
    round_trip(&module)?;
    let verified = verify(module, target).map_err(|(_, e)| refused(case, "verify", &e))?;
    let images = codegen::compile(&verified, target).map_err(|e| refused(case, "codegen", &e))?;

    let ports = ports_of(&network);
    let set = inputs(case, &ports);
    let feed = Feed {
        set: &set,
        ports: &ports,
    };
    let run = RunOptions {
        align: Align::Input,
        threads: 1,
        trace: None,
        engine: Default::default(),
    };
    let app = &verified.module().app;
    let requests = requests(app);
    let wrong = |stage: &str, e: &Diagnostics| Verdict::Wrong(format!("{stage}: {}", lines(e)));
    let (fixed, _) =
        engines::fixed::<f32>(app, feed, &requests, run).map_err(|e| wrong("fixed", &e))?;
    let chip = engines::emulate(&images, target, feed, &requests, run, &Emulation::default())
        .map_err(|e| wrong("emulator", &e))?;
    let report = &chip.report;
    if report.missed_deadlines > 0 {
        return Err(Verdict::Wrong("deadlines were missed".to_owned()));
    }
    if let Some(warning) = report.warnings().first() {
        return Err(Verdict::Wrong(format!(
            "a run without loss warns: {warning}"
        )));
    }
    let pairs = chip
        .tracks
        .outputs
        .iter()
        .chain(&chip.tracks.recorded)
        .zip(fixed.outputs.iter().chain(&fixed.recorded));
    for (a, b) in pairs {
        if let Some(place) = first_difference(a, b, |x, y| x.to_bits() == y.to_bits()) {
            return Err(Verdict::Wrong(format!(
                "emulated (first) differs from fixed (second): {place}"
            )));
        }
    }

    let carried: Carried = case.module.inputs.clone();
    let gold = engines::golden(&golden, &network, feed, &carried, &[], run)
        .map_err(|e| wrong("golden", &e))?
        .tracks;
    let graph = &verified.module().machine_graph;
    let mut measures = Measures {
        populations: app.populations.len(),
        ticks_per_step: app.ticks_per_step,
        products: graph.vertices.values().map(|v| v.array.len()).sum(),
        ..Measures::default()
    };
    for track in &gold.outputs {
        let total: f64 = (0..track.samples.len()).flat_map(|s| track.totals(s)).sum();
        match track.kind {
            Kind::Spiking => measures.spikes += total,
            Kind::Graded => measures.graded += 1,
        }
    }
    if case.module.quantisation.weights == WeightMode::Float {
        for (a, b) in chip.tracks.outputs.iter().zip(&gold.outputs) {
            let range = b
                .samples
                .iter()
                .flat_map(|s| &s.data)
                .fold(1e-3f64, |m, v| m.max(v.abs()));
            let graded = a.kind == Kind::Graded;
            let near = |x: f64, y: f64| {
                if graded {
                    (x - y).abs() <= 1e-4 * range
                } else {
                    same_value(x, y)
                }
            };
            if let Some(place) = first_difference(a, b, near) {
                return Ok(Verdict::Drifts(format!(
                    "emulated (first) differs from golden (second): {place}"
                )));
            }
        }
    }
    Ok(Verdict::Agrees(measures))
}

/// What is printed parses to the same module.
fn round_trip(module: &Module) -> Result<(), Verdict> {
    struct Nothing;
    impl ir::text::BlobSource for Nothing {
        fn load(&self, _: &str, _: usize) -> Result<Vec<u8>, String> {
            Err("arrays are inline".to_owned())
        }
    }
    let text = text(module);
    let back = ir::text::parse(&text, "case.s2ir", &Nothing)
        .map_err(|e| Verdict::Wrong(format!("printed text does not parse: {}", lines(&e))))?;
    if self::text(&back) == text {
        Ok(())
    } else {
        Err(Verdict::Wrong(
            "printed text parses to another module".to_owned(),
        ))
    }
}

fn inputs(case: &Case, ports: &[compiler::front::data::PortSpec]) -> InputSet {
    let port = |p: &compiler::front::data::PortSpec| {
        let shape = p.shape.clone().expect("Inputs have shapes");
        let port = Port {
            width: shape.len(),
            shape,
            elements: Elements::F32(case.inputs[&p.name].clone()),
        };
        (p.name.clone(), port)
    };
    InputSet {
        samples: case.samples,
        steps: case.steps,
        ports: ports.iter().map(port).collect(),
        labels: None,
    }
}

/// Everything that the chip keeps: what each population sends, membranes,
/// currents.
fn requests(app: &ir::app::AppGraph) -> Vec<RecordRequest> {
    let mut all = Vec::new();
    for p in app.populations.values() {
        let mut add = |observable| {
            all.push(RecordRequest {
                node: p.name.clone(),
                observable,
            });
        };
        add(Observable::Spikes);
        if let Model::Neuron(Neuron::Discrete(n)) = &p.model {
            add(Observable::V);
            if n.synapse.is_some() {
                add(Observable::I);
            }
        }
    }
    all
}

/// Golden may compute a zero of either sign.
fn same_value(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()) || (a == 0.0 && b == 0.0)
}

/// The first position (by sample, step, atom) where two tracks are not `alike`.
fn first_difference(a: &Track, b: &Track, alike: impl Fn(f64, f64) -> bool) -> Option<String> {
    let name = format!("'{}'.{}", a.name, a.observable.name());
    if a.samples.len() != b.samples.len() {
        return Some(format!("{name}: another number of samples"));
    }
    for (sample, (x, y)) in a.samples.iter().zip(&b.samples).enumerate() {
        if (x.steps, x.width) != (y.steps, y.width) {
            return Some(format!(
                "{name}: sample {sample} has {} x {} and {} x {} values",
                x.steps, x.width, y.steps, y.width
            ));
        }
        let found = x.data.iter().zip(&y.data).position(|(&x, &y)| !alike(x, y));
        if let Some(at) = found {
            let differ = x.data.iter().zip(&y.data).filter(|(x, y)| !alike(**x, **y));
            return Some(format!(
                "{name}: sample {sample}, step {}, atom {}: {} and {}; {} of {} positions",
                at / x.width.max(1),
                at % x.width.max(1),
                x.data[at],
                y.data[at],
                differ.count(),
                x.data.len()
            ));
        }
    }
    None
}
