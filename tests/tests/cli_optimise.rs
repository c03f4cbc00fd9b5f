//! `--optimise` and `--calibrate` from the command line: what a user gets for each goal.

use fixtures::NORSE_IF;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tests::s2c;

/// What came of one compilation.
struct Cut {
    spikes: Vec<u8>,
    report: Value,
}

impl Cut {
    fn number(&self, path: &str) -> f64 {
        let found = self.report.pointer(path).and_then(Value::as_f64);
        found.unwrap_or_else(|| panic!("no {path} in {}", self.report))
    }

    fn pes(&self) -> usize {
        let pes = self
            .report
            .pointer("/emulated/pes")
            .and_then(Value::as_array);
        pes.expect("PEs").len()
    }

    fn worst(&self) -> f64 {
        self.number("/emulated/cycles_per_step/max")
    }

    fn energy(&self) -> f64 {
        self.number("/emulated/energy_uj/total")
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Compiles and runs the bundled network.
fn cut(room: &Path, name: &str, extra: &[&str]) -> Cut {
    let net = NORSE_IF;
    let (nir, data) = (net.nir(), net.data());
    let file = |end: &str| room.join(format!("{name}{end}"));
    let (bundle, out, report) = (file(".s2"), file(".npz"), file(".json"));
    let mut args = vec!["compile", text(&nir), "--profile", net.profile];
    args.extend(["-o", text(&bundle), "--quiet"]);
    args.extend(extra);
    let ran = s2c(&args);
    assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
    let ran = s2c(&[
        "run",
        text(&bundle),
        "--input",
        text(&data),
        "-o",
        text(&out),
        "--report",
        text(&report),
    ]);
    assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
    let bytes = fs::read(&out).expect("written");
    let arrays = compiler::front::data::read_arrays(&bytes, name).expect("arrays");
    let spikes = format!("{:?}", arrays["out_output"]).into_bytes();
    let report = fs::read(&report).expect("written");
    Cut {
        spikes,
        report: serde_json::from_slice(&report).expect("JSON"),
    }
}

#[test]
fn each_goal_is_reached_and_changes_no_spike() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let data = NORSE_IF.data();
    let measured = ["--calibrate", text(&data)];
    let with = |goal: &'static str| [&["--optimise", goal], &measured[..]].concat();
    let plain = cut(room.path(), "plain", &[]);
    let pes = cut(room.path(), "pes", &with("pes"));
    let latency = cut(room.path(), "latency", &with("latency"));
    let energy = cut(room.path(), "energy", &with("energy"));
    for (name, other) in [("pes", &pes), ("latency", &latency), ("energy", &energy)] {
        assert_eq!(other.spikes, plain.spikes, "{name}");
        assert_eq!(other.number("/emulated/missed_deadlines"), 0.0, "{name}");
    }
    assert!(pes.pes() <= plain.pes());
    assert!(latency.pes() > pes.pes());
    assert!(
        latency.worst() * 4.0 < pes.worst(),
        "{} and {} cycles",
        latency.worst(),
        pes.worst()
    );
    assert!(
        energy.energy() < pes.energy() && energy.energy() < latency.energy(),
        "{} uJ, {} uJ, {} uJ",
        energy.energy(),
        pes.energy(),
        latency.energy()
    );
}

#[test]
fn a_goal_that_is_unknown_is_refused() {
    let nir = NORSE_IF.nir();
    let ran = s2c(&[
        "compile",
        text(&nir),
        "--profile",
        "norse",
        "--optimise",
        "speed",
    ]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("latency, energy, pes"),
        "{}",
        ran.stderr
    );
}
