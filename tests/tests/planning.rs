//! What `partition` plans with, before there is code, against the code: cycles of the busiest
//! tick of every vertex, all sources and all neurons sending. The plan is a bound, and a close
//! one. Its numbers (`[planning]` of the target file) are fitted to what this prints.

use clap::Parser;
use compiler::cli::{Cli, Command};
use compiler::driver::{self, Outcome};
use compiler::emit::Watch;
use compiler::predict::{self, Predictions};
use ir::image::ImageSet;
use ir::verify::Verified;
use ir::{Module, Target};
use passes::{Activity, Kernels, MappingOptions, PassContext, Plan, Silent};
use std::path::PathBuf;

const NORSE: &[&str] = &["--profile", "norse", "--dt", "1e-6"];
const SNNTORCH: &[&str] = &["--profile", "snntorch"];
const HAND: &[&str] = &["--dt", "1e-3"];
const IF: &[&str] = &["--profile", "norse", "--dt", "1"];
const CNN: &[&str] = &["--dt", "1", "--reset", "zero"];

const NETS: [(&str, &[&str]); 13] = [
    ("hand_conv1d_same", HAND),
    ("hand_conv_same_sumpool_avgpool", HAND),
    ("hand_delay_scale", HAND),
    ("hand_legacy_scalar_params_no_vreset", HAND),
    ("hand_nested_rnn", HAND),
    ("hand_neurons_all", HAND),
    ("nirpaper_cnn_nmnistlike", CNN),
    ("norse_fullyconv_mnist", NORSE),
    ("norse_if_digits", IF),
    ("norse_mlp_digits_lifbox", NORSE),
    ("snntorch_conv_avgpool", SNNTORCH),
    ("snntorch_mlp_784_256_10", SNNTORCH),
    ("snntorch_rleaky_digits", SNNTORCH),
];

/// A plan may be so much above what the code takes.
const MOST: f64 = 1.3;

/// Cuts, kernels and types beside the default ones.
const WAYS: [&[&str]; 6] = [
    &["--kernels", "rows"],
    &["--kernels", "mac"],
    &["--kernels", "rows", "--weights", "int8"],
    &["--kernels", "rows", "--weights", "int16"],
    &["--state", "fixed"],
    &["--optimise", "pes"],
];

/// Vertices that are planned with more, by how much at most, and why.
const FAR: [(&str, &str, f64); 2] = [
    // Rows of 8 weights, which cost less inside the loop over the ring than called.
    ("hand_conv_same_sumpool_avgpool", "n3[", 1.35),
    // Five lists of ten rows each.
    ("hand_delay_scale", "n[", 1.4),
];

fn folder(name: &str) -> Option<PathBuf> {
    match fixtures::NETS.iter().find(|n| n.name == name) {
        Some(own) => Some(own.folder()),
        None => tests::corpus(&format!("nets/{name}")),
    }
}

/// `None` where a network does not allow the options, which must not be the default ones.
fn compile(name: &str, options: &[&str], way: &[&str]) -> Option<(Verified, ImageSet)> {
    let net = folder(name)?.join("net.nir").display().to_string();
    let mut args = vec!["s2c", "compile", &net];
    args.extend(options);
    args.extend(way);
    let cli = Cli::try_parse_from(&args).expect("options");
    let Command::Compile(args) = cli.command else {
        panic!("a compilation")
    };
    let mut prepared =
        driver::prepare(&args.net, &args.lowering, &args.read, &args.mapping).expect("it reads");
    prepared.carry(&args.ports, None).expect("ports");
    let mapping = prepared.mapping;
    let mut module = prepared.source.module;
    driver::shape(&mut module, &mapping, &mut Silent).expect("shapes");
    match driver::compile(module, &mapping, &[], &mut Watch::default()) {
        Ok(Outcome::Done(compiled)) => Some((compiled.verified, compiled.images)),
        Ok(_) => panic!("the whole way"),
        Err(e) => {
            assert!(!way.is_empty(), "{name}: {e}");
            None
        }
    }
}

/// Name, plan and code of each vertex.
type Vertices = Vec<(String, f64, f64)>;

fn vertices(compiled: &(Verified, ImageSet), target: &Target) -> Vertices {
    let module = compiled.0.module();
    let nothing = Activity::default();
    let predicted: Predictions =
        predict::predict(module, &compiled.1, target, &nothing).expect("runs");
    let all = module.machine_graph.vertices.iter();
    all.map(|(id, v)| {
        let name = &module.app.populations[v.population].name;
        let (plan, code) = (v.budget.cycles as f64, predicted[&id].worst as f64);
        (format!("{name}{}", v.slice), plan, code)
    })
    .collect()
}

/// Checks every vertex of every network; those that `allowed` names may be planned with more.
fn bounded(way: &[&str], allowed: &[(&str, &str, f64)]) {
    let target = Target::spinnaker2();
    assert_eq!(target.planning.activity_percent, 100);
    let mut bad = Vec::new();
    let mut seen = 0;
    for (name, options) in NETS {
        let Some(compiled) = compile(name, options, way) else {
            continue;
        };
        for (vertex, plan, code) in vertices(&compiled, &target) {
            seen += 1;
            let share = plan / code;
            let here = |a: &&(&str, &str, f64)| a.0 == name && vertex.starts_with(a.1);
            let most = allowed.iter().find(here).map_or(MOST, |a| a.2);
            let line = format!("{name} {vertex}: plan {plan}, code {code}, {share:.3}");
            println!("{} {line}", way.join(" "));
            if !(1.0..=most).contains(&share) {
                bad.push(line);
            }
        }
    }
    // Without the corpus there are only the bundled networks.
    let least = if tests::corpus("nets").is_some() {
        30
    } else {
        10
    };
    assert!(seen >= least, "{seen} vertices");
    assert!(bad.is_empty(), "{way:?}: {bad:#?}");
}

#[test]
fn plans_bound_the_code_of_the_corpus() {
    bounded(&[], &FAR);
}

#[test]
fn plans_bound_other_kernels_and_types() {
    for way in WAYS {
        bounded(way, &FAR);
    }
}

#[test]
fn plans_bound_fine_cuts() {
    bounded(&["--optimise", "latency"], &FAR);
}

/// Random networks have every neuron, option and payload. Slices of a few atoms say little
/// of how close a plan is, but one that forgot a part would be far below.
#[test]
fn plans_forget_nothing_that_random_networks_have() {
    let target = Target::spinnaker2();
    let (mut seen, mut below) = (0, 0);
    for seed in 0..150 {
        let Some(compiled) = random(seed, &target) else {
            continue;
        };
        for (vertex, plan, code) in vertices(&compiled, &target) {
            let share = plan / code;
            println!("seed {seed} {vertex}: plan {plan}, code {code}, {share:.3}");
            assert!(
                (0.8..=3.0).contains(&share),
                "seed {seed} {vertex}: {share}"
            );
            seen += 1;
            below += usize::from(share < 1.0);
        }
    }
    assert!(seen > 500, "{seen} vertices");
    assert!(
        below * 10 <= seen,
        "{below} of {seen} plans are below the code"
    );
}

fn random(seed: u64, target: &Target) -> Option<(Verified, ImageSet)> {
    let case = tests::random::case(seed);
    let mut module = case.module;
    let mut options = MappingOptions {
        schedule: case.schedule,
        kernels: match seed % 4 {
            0 => Kernels::Mac,
            _ => Kernels::Auto,
        },
        ..MappingOptions::default()
    };
    let run = |module: &mut Module, plan: &Plan, options: &MappingOptions| {
        let context = PassContext { target, options };
        passes::run(module, plan, &context, &mut Silent).ok()
    };
    let front = Plan::standard().stop_after("canonicalise").expect("a pass");
    run(&mut module, &front, &options)?;
    options.atoms_per_core = case.atoms_per_core;
    let app = &module.app;
    options
        .atoms_per_core
        .retain(|name, _| app.population_named(name).is_some());
    let rest = Plan::rest_of_standard(module.facts);
    run(&mut module, &rest, &options)?;
    let verified = ir::verify::verify(module, target).ok()?;
    let images = codegen::compile(&verified, target).ok()?;
    Some((verified, images))
}
