//! `--state fixed` from the command line: on real networks and on random ones the chip
//! equals the fixed reference in every bit, and decides like golden.

use ir::semantics::StateMode;
use passes::Kernels;
use serde_json::Value;
use std::path::PathBuf;
use tests::differential::{self, Verdict};
use tests::s2c;

fn folder(name: &str) -> Option<PathBuf> {
    match fixtures::NETS.iter().find(|n| n.name == name) {
        Some(own) => Some(own.folder()),
        None => tests::corpus(&format!("nets/{name}")),
    }
}

fn check(name: &str, options: &[&str]) -> Option<Value> {
    let folder = folder(name)?;
    let path = |file: &str| folder.join(file).display().to_string();
    let mut args = vec!["check".to_owned(), path("net.nir")];
    args.extend(["--input".to_owned(), path("data.npz"), "--json".to_owned()]);
    args.extend(options.iter().map(|&o| o.to_owned()));
    let out = s2c(&args);
    assert_eq!(out.code, 0, "{name}: {}{}", out.stderr, out.stdout);
    Some(serde_json::from_str(&out.stdout).expect("check prints one JSON object"))
}

fn number(report: &Value, path: &str) -> f64 {
    report
        .pointer(path)
        .and_then(Value::as_f64)
        .unwrap_or_else(|| panic!("{path} is not a number"))
}

#[test]
fn networks_decide_as_with_float_state() {
    let snntorch: &[&str] = &["--profile", "snntorch"];
    let norse: &[&str] = &["--profile", "norse", "--dt", "1e-6"];
    let norse_if: &[&str] = &["--profile", "norse", "--dt", "1"];
    for (name, options) in [
        ("snntorch_mlp_784_256_10", snntorch),
        ("snntorch_conv_avgpool", snntorch),
        ("snntorch_rleaky_digits", snntorch),
        ("norse_mlp_digits_lifbox", norse),
        ("norse_if_digits", norse_if),
    ] {
        for weights in ["auto", "int8"] {
            let of = |state| {
                let all = [options, &["--weights", weights, "--state", state]].concat();
                check(name, &all)
            };
            let (Some(float), Some(fixed)) = (of("f32"), of("fixed")) else {
                continue;
            };
            for what in ["wrong_spikes", "wrong_values"] {
                let path = format!("/fixed_vs_emulated/{what}");
                assert_eq!(number(&fixed, &path), 0.0, "{name}: {what}");
            }
            assert_eq!(fixed["options"]["state"], "fixed");
            let states = fixed["fixed_point"].as_array().expect("a list");
            assert!(!states.is_empty(), "{name}");
            let worst = states
                .iter()
                .filter_map(|s| s["of_threshold"].as_f64())
                .fold(0.0, f64::max);
            let pick = |path: &str| (number(&float, path), number(&fixed, path));
            let accuracy = pick("/emulated/accuracy");
            let wrong = pick("/golden_vs_emulated/wrong_spikes");
            let cycles = pick("/emulated/cycles_per_step/max");
            eprintln!(
                "{name} {weights}: accuracy golden {} float {} fixed {}, wrong spikes of {}: float \
                 {} fixed {}, most cycles float {} fixed {}, step error {worst:.2e} of threshold",
                number(&float, "/golden/accuracy"),
                accuracy.0,
                accuracy.1,
                number(&float, "/golden_vs_emulated/positions"),
                wrong.0,
                wrong.1,
                cycles.0,
                cycles.1
            );
            assert!(worst < 1e-3, "{name}: {worst} of the threshold");
            let samples = number(&fixed, "/samples");
            let allowed = 0.01f64.max(1.0 / samples) + 1e-9;
            assert!(
                (accuracy.0 - accuracy.1).abs() <= allowed,
                "{name}: {accuracy:?}"
            );
            let positions = number(&fixed, "/golden_vs_emulated/positions");
            assert!(wrong.1 <= wrong.0 + 0.002 * positions, "{name}: {wrong:?}");
        }
    }
}

#[test]
fn values_have_no_fixed_point_state() {
    let net = fixtures::NORSE_IF.nir().display().to_string();
    let folder = tempfile::tempdir().expect("a scratch folder");
    let bundle = folder.path().join("bundle").display().to_string();
    let args = ["compile", &net, "--profile", "norse", "--real-inputs"];
    let args = [&args[..], &["--state", "fixed", "-o", &bundle]].concat();
    let out = s2c(&args);
    assert_ne!(out.code, 0, "{}", out.stdout);
    for part in ["E0508", "receives values from", "--state f32"] {
        assert!(out.stderr.contains(part), "{part}: {}", out.stderr);
    }
}

/// The engines compare membranes to the last count.
#[test]
fn random_graphs_in_fixed_point() {
    let target = ir::Target::spinnaker2();
    let (mut agree, mut refused, mut spiking) = (0, 0, 0);
    for seed in 0..200 {
        let mut case = tests::random::case(seed);
        case.module.quantisation.state = StateMode::Fixed;
        match differential::run(&case, &target, Kernels::Auto) {
            Verdict::Agrees(m) => {
                agree += 1;
                spiking += u32::from(m.spikes > 0.0);
            }
            // Golden has other membranes, and decides otherwise at its thresholds.
            Verdict::Drifts(_) => agree += 1,
            Verdict::Refused(_) => refused += 1,
            Verdict::Wrong(what) => panic!("seed {seed}: {what}"),
        }
    }
    eprintln!("{agree} agree, {spiking} of them spike, {refused} are refused");
    assert!(agree > 60 && spiking > 20, "{agree} {spiking} {refused}");
}
