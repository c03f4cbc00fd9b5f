//! `s2c run --trace` on a compiled network: results stay, both forms can be read, and
//! what was typed wrong is said well.

use serde_json::Value;
use std::path::Path;
use tests::s2c;

/// Compiles the small network once for a test; the bundle's path.
fn bundle(folder: &Path) -> String {
    let net = fixtures::NORSE_IF.nir().display().to_string();
    let bundle = folder.join("net.s2").display().to_string();
    let args = [
        "compile",
        &net,
        "-q",
        "--profile",
        "norse",
        "--dt",
        "1",
        "-o",
        &bundle,
    ];
    let out = s2c(&args);
    assert_eq!(out.code, 0, "{}", out.stderr);
    bundle
}

fn run(bundle: &str, more: &[&str]) -> tests::Ran {
    let data = fixtures::NORSE_IF
        .folder()
        .join("data.npz")
        .display()
        .to_string();
    let mut args = vec!["run", bundle, "--input", &data, "--threads", "1"];
    args.extend(more);
    s2c(&args)
}

#[test]
fn traces_change_no_result() {
    let room = tempfile::tempdir().expect("a scratch folder");
    let bundle = bundle(room.path());
    let file = |name: &str| room.path().join(name).display().to_string();
    let plain = run(&bundle, &["-o", &file("plain.npz")]);
    assert_eq!(plain.code, 0, "{}", plain.stderr);
    let text = file("t.txt");
    let out = run(
        &bundle,
        &[
            "-o",
            &file("traced.npz"),
            "--trace",
            "instructions",
            "--trace-out",
            &text,
            "--trace-limit",
            "200000",
        ],
    );
    assert_eq!(out.code, 0, "{}", out.stderr);
    assert!(out.stderr.contains("W0823"), "{}", out.stderr);
    let same = |name: &str| std::fs::read(file(name)).expect("readable");
    assert_eq!(same("plain.npz"), same("traced.npz"));
    let text = std::fs::read_to_string(text).expect("a text");
    assert!(text.contains("tick 0 begins"), "{}", &text[..2000]);
    assert!(text.contains("events beyond the limit are not shown"));
    // Symbols of the program, and no word that the disassembly can't read.
    assert!(!text.contains(" ? "));
    let left: Vec<_> = std::fs::read_dir(room.path()).expect("listed").collect();
    assert_eq!(left.len(), 4, "no partial file stays: {left:?}");
}

#[test]
fn perfetto_can_read_the_json() {
    let room = tempfile::tempdir().expect("a scratch folder");
    let bundle = bundle(room.path());
    let json = room.path().join("t.json");
    let out = run(
        &bundle,
        &[
            "--trace",
            "packets",
            "--trace",
            "spikes",
            "--trace-out",
            &json.display().to_string(),
        ],
    );
    assert_eq!(out.code, 0, "{}", out.stderr);
    let text = std::fs::read_to_string(json).expect("a text");
    let trace: Value = serde_json::from_str(&text).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("a list");
    let of = |ph: &str| events.iter().filter(|e| e["ph"] == ph).collect::<Vec<_>>();
    let work = of("X");
    assert!(
        work.iter()
            .all(|e| e["dur"].as_f64().is_some_and(|d| d > 0.0))
    );
    assert!(work.iter().any(|e| e["name"] == "tick 1"));
    let instants = of("i");
    assert!(
        instants
            .iter()
            .any(|e| e["name"] == "send" && e["args"]["population"].is_string())
    );
    assert!(instants.iter().any(|e| e["name"] == "receive"));
    assert!(of("M").iter().any(|e| e["name"] == "thread_name"));
    // Packets arrive after they were sent, in microseconds of the chip.
    let first =
        |name: &str| instants.iter().find(|e| e["name"] == name).expect("one")["ts"].as_f64();
    assert!(first("send") < first("receive"));
}

#[test]
fn what_is_typed_wrong_is_named() {
    let room = tempfile::tempdir().expect("a scratch folder");
    let bundle = bundle(room.path());
    let out_txt = room.path().join("t.txt").display().to_string();
    let wrong = |args: &[&str], parts: &[&str]| {
        let out = run(&bundle, args);
        assert_eq!(out.code, 2, "{args:?} {}", out.stderr);
        for part in parts {
            assert!(
                out.stderr.contains(part),
                "{args:?}: no {part:?} in {}",
                out.stderr
            );
        }
    };
    wrong(
        &["--trace", "calls", "--trace-out", &out_txt],
        &["no kind of trace 'calls'", "instructions, packets, spikes"],
    );
    wrong(
        &["--trace", "packets:nobody", "--trace-out", &out_txt],
        &[
            "no population or PE 'nobody'",
            "populations:",
            "PEs with a program:",
        ],
    );
    wrong(
        &["--trace", "packets", "--trace-out", "t.csv"],
        &["--trace-out", ".txt or .json"],
    );
    wrong(&["--trace", "packets"], &["--trace-out"]);
    assert!(!Path::new(&out_txt).exists());
}
