//! The whole road on real networks: framework, golden, fixed reference, chip.

use serde_json::Value;
use std::path::PathBuf;
use tests::s2c;

/// A network of the corpus and what its framework needs said.
#[derive(Clone, Copy)]
struct Net {
    name: &'static str,
    options: &'static [&'static str],
    /// The array of `ref.npz`, where the names do not say it.
    array: &'static str,
    labelled: bool,
    recurrent: bool,
}

const fn net(name: &'static str, options: &'static [&'static str]) -> Net {
    Net {
        name,
        options,
        array: "",
        labelled: true,
        recurrent: false,
    }
}

/// Written by hand: `y` is a placeholder there.
const fn hand(name: &'static str) -> Net {
    Net {
        labelled: false,
        ..net(name, &["--dt", "1e-3"])
    }
}

const NORSE: &[&str] = &["--profile", "norse", "--dt", "1e-6"];
const SNNTORCH: &[&str] = &["--profile", "snntorch"];

const NETS: [Net; 13] = [
    hand("hand_conv1d_same"),
    hand("hand_conv_same_sumpool_avgpool"),
    hand("hand_delay_scale"),
    hand("hand_legacy_scalar_params_no_vreset"),
    Net {
        recurrent: true,
        ..hand("hand_nested_rnn")
    },
    hand("hand_neurons_all"),
    Net {
        array: ":out_spikes_zero",
        ..net("nirpaper_cnn_nmnistlike", &["--dt", "1", "--reset", "zero"])
    },
    net("norse_fullyconv_mnist", NORSE),
    net("norse_if_digits", &["--profile", "norse", "--dt", "1"]),
    net("norse_mlp_digits_lifbox", NORSE),
    net("snntorch_conv_avgpool", SNNTORCH),
    net("snntorch_mlp_784_256_10", SNNTORCH),
    Net {
        recurrent: true,
        ..net("snntorch_rleaky_digits", SNNTORCH)
    },
];

/// The folder of a network: in this project if it is there, else in the corpus.
fn folder(name: &str) -> Option<PathBuf> {
    match fixtures::NETS.iter().find(|n| n.name == name) {
        Some(own) => Some(own.folder()),
        None => tests::corpus(&format!("nets/{name}")),
    }
}

fn check(net: Net, extra: &[&str]) -> Option<Value> {
    let folder = folder(net.name)?;
    let path = |file: &str| folder.join(file).display().to_string();
    let mut args: Vec<String> = vec!["check".to_owned(), path("net.nir")];
    args.extend(["--input".to_owned(), path("data.npz")]);
    args.extend(["--expect".to_owned(), path("ref.npz") + net.array]);
    args.push("--json".to_owned());
    args.extend(net.options.iter().map(|&o| o.to_owned()));
    args.extend(extra.iter().map(|&o| o.to_owned()));
    let out = s2c(&args);
    assert_eq!(out.code, 0, "{}: {}{}", net.name, out.stderr, out.stdout);
    let report: Value = serde_json::from_str(&out.stdout).expect("check prints one JSON object");
    let of = |path: &str| report.pointer(path).cloned().unwrap_or_default();
    eprintln!(
        "{} {extra:?}: accuracy golden {} chip {}, wrong {} of {}, agreement {}, error of range {}, \
         cycles {}, PEs {}, max bytes {}, latency {}, {} ms",
        net.name,
        of("/golden/accuracy"),
        of("/emulated/accuracy"),
        of("/golden_vs_emulated/wrong_spikes"),
        of("/golden_vs_emulated/positions"),
        of("/golden_vs_emulated/argmax_agreement"),
        of("/golden_vs_emulated/max_rel_error"),
        of("/emulated/cycles_per_step"),
        of("/resources/pes"),
        of("/resources/max_sram_bytes"),
        of("/resources/latency_steps"),
        of("/emulated/host_ms_per_sample"),
    );
    Some(report)
}

fn number(report: &Value, path: &str) -> f64 {
    report
        .pointer(path)
        .and_then(Value::as_f64)
        .unwrap_or_else(|| panic!("{path} is not a number"))
}

/// What must hold whatever the weights are.
fn holds_always(net: Net, report: &Value) {
    let name = net.name;
    assert!(
        number(report, "/expect_vs_golden/positions") > 0.0,
        "{name}"
    );
    assert_eq!(
        number(report, "/expect_vs_golden/wrong_spikes"),
        0.0,
        "{name}"
    );
    assert!(
        number(report, "/expect_vs_golden/max_rel_error") <= 1e-5,
        "{name}"
    );
    assert_eq!(
        number(report, "/fixed_vs_emulated/wrong_spikes"),
        0.0,
        "{name}"
    );
    assert_eq!(
        number(report, "/fixed_vs_emulated/wrong_values"),
        0.0,
        "{name}"
    );
    assert_eq!(number(report, "/emulated/missed_deadlines"), 0.0, "{name}");
}

/// Agreement with golden on a labelled network, and accuracy close to golden's.
fn decides_alike(net: Net, report: &Value, agreement: f64, points: f64) {
    if !net.labelled {
        return;
    }
    let found = number(report, "/golden_vs_emulated/argmax_agreement");
    assert!(found >= agreement, "{}: agreement {found}", net.name);
    let golden = number(report, "/golden/accuracy");
    let chip = number(report, "/emulated/accuracy");
    let allowed = points.max(1.0 / number(report, "/samples")) + 1e-9;
    assert!(
        (golden - chip).abs() <= allowed,
        "{}: accuracy {chip} against {golden}",
        net.name
    );
}

#[test]
fn every_net_with_the_weights_that_the_compiler_chooses() {
    for net in NETS {
        let Some(report) = check(net, &[]) else {
            continue;
        };
        holds_always(net, &report);
        decides_alike(net, &report, 0.97, 0.01);
    }
}

#[test]
fn every_net_with_int8_weights() {
    for net in NETS {
        let Some(report) = check(net, &["--weights", "int8"]) else {
            continue;
        };
        holds_always(net, &report);
        // int8 alone changes 11 % of the decisions of snntorch_rleaky_digits.
        let (agreement, points) = if net.recurrent {
            (0.85, 0.03)
        } else {
            (0.97, 0.01)
        };
        decides_alike(net, &report, agreement, points);
    }
}

#[test]
fn every_net_with_exact_weights_differs_from_golden_nearly_nowhere() {
    for net in NETS {
        let Some(report) = check(net, &["--weights", "float"]) else {
            continue;
        };
        holds_always(net, &report);
        let wrong = number(&report, "/golden_vs_emulated/wrong_spikes");
        let positions = number(&report, "/golden_vs_emulated/positions");
        assert!(
            wrong <= (positions * 1e-4).max(1.0),
            "{}: {wrong} of {positions}",
            net.name
        );
        if net.name == "hand_neurons_all" {
            let error = number(&report, "/golden_vs_emulated/max_rel_error");
            assert!(error <= 1e-4, "{error} of the range");
        }
    }
}

#[test]
fn the_mac_array_computes_the_same() {
    let dense = [
        net("norse_mlp_digits_lifbox", NORSE),
        net("snntorch_mlp_784_256_10", SNNTORCH),
        Net {
            recurrent: true,
            ..net("snntorch_rleaky_digits", SNNTORCH)
        },
    ];
    for net in dense {
        for weights in ["auto", "int8", "int16"] {
            let options = |kernels| ["--weights", weights, "--kernels", kernels];
            let reports = ["rows", "mac", "auto"].map(|kernels| check(net, &options(kernels)));
            let [Some(rows), Some(mac), Some(auto)] = reports else {
                continue;
            };
            let energy = |report: &Value| number(report, "/emulated/energy_uj_per_step/mla");
            assert!(
                energy(&mac) > 0.0 && energy(&rows) == 0.0,
                "{}: {weights}",
                net.name
            );
            for report in [&mac, &auto] {
                holds_always(net, report);
                for what in ["/emulated/accuracy", "/golden_vs_emulated/wrong_spikes"] {
                    assert_eq!(rows.pointer(what), report.pointer(what), "{}", net.name);
                }
            }
        }
    }
}

#[test]
fn a_phased_step_computes_the_same() {
    for net in [hand("hand_nested_rnn"), hand("hand_neurons_all")] {
        let Some(report) = check(net, &["--schedule", "phased", "--weights", "float"]) else {
            continue;
        };
        holds_always(net, &report);
        assert_eq!(report["options"]["schedule"], "phased");
        assert!(number(&report, "/golden_vs_emulated/wrong_spikes") <= 1.0);
    }
}

#[test]
fn threads_do_not_change_the_result() {
    let norse_if = net("norse_if_digits", &["--profile", "norse", "--dt", "1"]);
    let mut reports = ["1", "2"].map(|n| {
        let mut report = check(norse_if, &["--threads", n]).expect("a fixture");
        // Wall-clock figures differ from run to run.
        report["compile_ms"] = Value::Null;
        report["emulated"]["host_ms_per_sample"] = Value::Null;
        report
    });
    let [one, two] = &mut reports;
    assert_eq!(one, two);
}
