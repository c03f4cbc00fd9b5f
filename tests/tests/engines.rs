//! Interpreter and translator compute the same on whole networks: memory of every PE,
//! cycles, instructions, packets, spikes.

use ir::app::Sends;
use ir::image::ImageSet;
use runtime_sim::cpu::Engine;
use runtime_sim::{Event, Machine, SampleResult, SampleRun, Taps};
use std::path::Path;
use tests::s2c;

const NETS: [(&str, &[&str]); 13] = [
    ("hand_conv1d_same", &["--dt", "1e-3"]),
    ("hand_conv_same_sumpool_avgpool", &["--dt", "1e-3"]),
    ("hand_delay_scale", &["--dt", "1e-3"]),
    ("hand_legacy_scalar_params_no_vreset", &["--dt", "1e-3"]),
    ("hand_nested_rnn", &["--dt", "1e-3"]),
    ("hand_neurons_all", &["--dt", "1e-3"]),
    ("nirpaper_cnn_nmnistlike", &["--dt", "1", "--reset", "zero"]),
    (
        "norse_fullyconv_mnist",
        &["--profile", "norse", "--dt", "1e-6"],
    ),
    ("norse_if_digits", &["--profile", "norse", "--dt", "1"]),
    (
        "norse_mlp_digits_lifbox",
        &["--profile", "norse", "--dt", "1e-6"],
    ),
    ("snntorch_conv_avgpool", &["--profile", "snntorch"]),
    ("snntorch_mlp_784_256_10", &["--profile", "snntorch"]),
    ("snntorch_rleaky_digits", &["--profile", "snntorch"]),
];

/// Network steps of a sample.
const STEPS: u32 = 16;

/// Compiles a network of this project or of the corpus; `None` where it is not.
fn compiled(name: &str, options: &[&str], more: &[&str], room: &Path) -> Option<ImageSet> {
    let own = fixtures::NETS.iter().find(|n| n.name == name);
    let net = match own {
        Some(net) => net.nir(),
        None => tests::corpus(&format!("nets/{name}"))?.join("net.nir"),
    };
    let bundle = room.join(format!("{name}.s2"));
    let mut args = vec![
        "compile".to_owned(),
        net.display().to_string(),
        "-q".to_owned(),
    ];
    args.extend(["-o".to_owned(), bundle.display().to_string()]);
    args.extend(options.iter().chain(more).map(|&o| o.to_owned()));
    let out = s2c(&args);
    assert_eq!(out.code, 0, "{name}: {}", out.stderr);
    let target = compiler::options::target("spinnaker2").expect("a target");
    let loaded = compiler::bundle::read(&bundle, &target).expect("a bundle");
    Some(loaded.images)
}

/// About one atom in six says something in each step.
fn sample(images: &ImageSet, seed: u32) -> SampleRun {
    let program = &images.program;
    let period = program.ticks_per_step.max(1);
    let ticks = STEPS * period;
    let inputs = program.inputs.iter().map(|port| {
        let source = &program.populations[port.population];
        let row = |tick: u32| -> Vec<Event> {
            if tick % period != source.latency % period {
                return Vec::new();
            }
            let speaks = |i: &u32| (i * 31 + tick * 17 + seed * 7).is_multiple_of(6);
            let says = |i: u32| match source.sends {
                Sends::Spikes => Event::spike(i),
                Sends::Counts { max } => Event {
                    atom: i,
                    payload: 1 + i % max,
                },
                Sends::Values => Event::value(i, (i % 19) as f32 / 9.0 - 0.9),
            };
            (0..source.n_atoms).filter(speaks).map(says).collect()
        };
        (0..ticks).map(row).collect()
    });
    SampleRun {
        ticks,
        inputs: inputs.collect(),
        taps: Taps {
            spikes: (0..program.populations.len()).collect(),
            ..Taps::default()
        },
        keep_state: false,
    }
}

/// Results of two samples, and the memory of every PE after each.
fn run(images: &ImageSet, engine: Engine) -> Vec<(SampleResult, Vec<Vec<u8>>)> {
    let target = ir::Target::spinnaker2();
    let mut machine = Machine::load(images, &target).expect("it loads");
    machine.set_engine(engine);
    let mut all = Vec::new();
    for seed in 0..2 {
        let result = machine.run_sample(&sample(images, seed)).expect("it runs");
        let pes: Vec<_> = machine.pes().collect();
        let memory = pes
            .into_iter()
            .map(|pe| machine.memory(pe).expect("loaded").to_vec());
        let memory = memory.collect();
        all.push((result, memory));
    }
    all
}

fn agree(name: &str, images: &ImageSet) {
    let expected = run(images, Engine::Interpreter);
    let sent: u64 = expected
        .iter()
        .flat_map(|(r, _)| &r.pes)
        .map(|pe| pe.sent)
        .sum();
    assert!(sent > 0, "{name}: nothing happens, so nothing is compared");
    for engine in [Engine::Translator, Engine::Auto] {
        for (i, (found, expected)) in run(images, engine).iter().zip(&expected).enumerate() {
            assert!(
                found.0 == expected.0,
                "{name}: {engine:?} differs in sample {i}"
            );
            assert!(
                found.1 == expected.1,
                "{name}: {engine:?} leaves other memory"
            );
        }
    }
}

#[test]
fn interpreter_and_translator_agree_on_every_network() {
    let room = tempfile::tempdir().expect("a scratch folder");
    let mut compared = 0;
    for (name, options) in NETS {
        if let Some(images) = compiled(name, options, &[], room.path()) {
            agree(name, &images);
            compared += 1;
        }
    }
    assert!(compared >= 3, "the networks of this project at least");
}

#[test]
fn they_agree_on_other_kernels() {
    let room = tempfile::tempdir().expect("a scratch folder");
    let (name, options) = ("norse_if_digits", &["--profile", "norse", "--dt", "1"]);
    for more in [
        ["--weights", "float"].as_slice(),
        &["--weights", "int16"],
        &["--real-inputs"],
        &["--max-count", "3"],
        &["--kernels", "mac"],
        &["--state", "fixed"],
    ] {
        let images = compiled(name, options, more, room.path()).expect("a fixture");
        agree(name, &images);
    }
}
