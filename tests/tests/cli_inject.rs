//! Faults on purpose, from the command line: what happens is what is reported.

use fixtures::NORSE_IF;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use tests::{Ran, s2c};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A bundle in a folder of its own, and its inputs.
struct Room {
    folder: tempfile::TempDir,
    bundle: PathBuf,
    data: PathBuf,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let bundle = folder.path().join("net.s2");
        let nir = NORSE_IF.nir();
        let ran = s2c(&[
            "compile",
            text(&nir),
            "--profile",
            NORSE_IF.profile,
            "-o",
            text(&bundle),
            "-q",
        ]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let data = nir.with_file_name("data.npz");
        Self {
            folder,
            bundle,
            data,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, extra: &[&str]) -> Ran {
        let mut args = vec!["run", text(&self.bundle), "--input", text(&self.data)];
        args.extend(extra);
        s2c(&args)
    }

    /// Runs with a fault and gives the report, the outputs and what was said.
    fn inject(&self, fault: &str, extra: &[&str]) -> (Value, Vec<u8>, Ran) {
        let (report, out) = (self.path("report.json"), self.path("out.npz"));
        let mut args = vec!["-o", text(&out), "--report", text(&report)];
        if !fault.is_empty() {
            args.extend(["--inject", fault]);
        }
        args.extend(extra);
        let ran = self.run(&args);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let report = fs::read(&report).expect("written");
        let report = serde_json::from_slice(&report).expect("JSON");
        (report, fs::read(&out).expect("written"), ran)
    }
}

fn count(report: &Value, what: &str) -> u64 {
    report["emulated"]["injected"][what]
        .as_u64()
        .expect("a count")
}

#[test]
fn faults_are_counted_and_do_not_depend_on_threads() {
    let room = Room::new();
    let (sound, sound_out, ran) = room.inject("", &[]);
    for what in [
        "packets_dropped",
        "bits_flipped",
        "pes_stopped",
        "windows_late",
    ] {
        assert_eq!(count(&sound, what), 0, "{what}");
    }
    assert!(!ran.stderr.contains("W0822"), "{}", ran.stderr);

    let (lossy, lossy_out, ran) = room.inject("drop=0.1,seed=3", &["--threads", "1"]);
    let sent = lossy["emulated"]["packets_sent"].as_u64().expect("a count") as f64;
    let lost = count(&lossy, "packets_dropped") as f64;
    assert!((0.08..0.12).contains(&(lost / sent)), "{lost} of {sent}");
    assert!(ran.stderr.contains("W0822"), "{}", ran.stderr);
    assert_ne!(sound_out, lossy_out);
    assert!(
        lossy["emulated"]["packets_received"].as_u64()
            < sound["emulated"]["packets_received"].as_u64()
    );
    let (again, again_out, _) = room.inject("drop=0.1,seed=3", &["--threads", "2"]);
    assert_eq!(again["emulated"], lossy["emulated"]);
    assert_eq!(again_out, lossy_out);
    let (other, _, _) = room.inject("drop=0.1,seed=4", &[]);
    assert_ne!(
        count(&other, "packets_dropped"),
        count(&lossy, "packets_dropped")
    );

    let (all, _, _) = room.inject("drop=1", &[]);
    assert_eq!(all["emulated"]["packets_received"], 0);
}

#[test]
fn a_late_host_delays_the_inputs() {
    let room = Room::new();
    let (sound, sound_out, _) = room.inject("", &[]);
    let (late, late_out, ran) = room.inject("late-host=8", &[]);
    assert!(
        count(&late, "windows_late") >= 100,
        "one for each sample at least"
    );
    assert!(count(&late, "events_lost") > 0);
    let sent = |r: &Value| r["emulated"]["packets_sent"].as_u64();
    assert!(sent(&late) < sent(&sound));
    assert!(ran.stderr.contains("written late"), "{}", ran.stderr);
    assert_ne!(sound_out, late_out);
    // Later than the run is long: nothing comes at all.
    let (never, _, _) = room.inject("late-host=1000", &[]);
    assert_eq!(count(&never, "windows_late"), 0);
    assert!(count(&never, "events_lost") > 0);
}

#[test]
fn a_dead_pe_is_silent_from_its_tick_on() {
    let room = Room::new();
    let (sound, _, _) = room.inject("", &[]);
    let pes = sound["emulated"]["pes"].as_array().expect("PEs");
    let busy = pes
        .iter()
        .position(|p| p["packets_received"].as_u64() > Some(0));
    let index = busy.expect("a PE that receives");
    let place = pes[index]["pe"]
        .as_str()
        .expect("a place")
        .replace(' ', "/");
    let sent = |r: &Value| {
        r["emulated"]["pes"][index]["packets_sent"]
            .as_u64()
            .expect("a count")
    };
    let (dead, _, ran) = room.inject(&format!("dead-pe={place}"), &[]);
    assert_eq!(sent(&dead), 0);
    assert_eq!(count(&dead, "pes_stopped"), 100, "in every sample");
    assert!(ran.stderr.contains("PEs were stopped"), "{}", ran.stderr);
    let (later, _, _) = room.inject(&format!("dead-pe={place}@12"), &[]);
    assert!(sent(&later) < sent(&sound));
}

#[test]
fn a_flip_in_code_ends_with_an_error_and_no_output() {
    let room = Room::new();
    let (sound, _, _) = room.inject("", &[]);
    let place = sound["emulated"]["pes"][0]["pe"]
        .as_str()
        .expect("a place")
        .replace(' ', "/");
    // The vector of the timer interrupt without its Thumb bit: the next tick faults.
    let vector = 4 * (16 + ir::Target::spinnaker2().timer.irq);
    let fault = format!("flip={place}:{vector}:0@3");
    let (out, report) = (room.path("none.npz"), room.path("failed.json"));
    let args = [
        "-o",
        text(&out),
        "--report",
        text(&report),
        "--inject",
        &fault,
    ];
    let ran = room.run(&args);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr.contains("flipped on purpose before tick 3"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("E0804"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("bug in s2c"), "{}", ran.stderr);
    assert!(!out.exists(), "no half-written output");
    let report: Value = serde_json::from_slice(&fs::read(&report).expect("written")).expect("JSON");
    assert_eq!(report["inject"][0], Value::String(fault));
    assert_eq!(report["errors"][0]["code"], "E0804");
}

/// Bits flip everywhere in every tick: the run ends, one way or the other.
#[test]
fn random_flips_never_hang() {
    let room = Room::new();
    for seed in 0..6 {
        let fault = format!("flip=1,seed={seed}");
        let ran = room.run(&["--inject", &fault, "-q"]);
        assert!(
            ran.code == 0 || ran.code == 1,
            "{} {}",
            ran.code,
            ran.stderr
        );
    }
}

#[test]
fn what_cannot_be_injected_is_a_fault_of_the_command_line() {
    let room = Room::new();
    for wrong in [
        "drop=2",
        "dead-pe=pe(1,1,0)@x",
        "fire=1",
        "dead-pe=pe(7,6,3)",
        "flip=pe(1,1,0):1:9@2",
    ] {
        let ran = room.run(&["--inject", wrong]);
        assert_eq!(ran.code, 2, "{wrong}: {}", ran.stderr);
        assert!(ran.stderr.contains("--inject"), "{}", ran.stderr);
    }
}
