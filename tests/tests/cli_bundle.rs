//! The command line on real networks: bundles, runs, texts, exit codes.

use fixtures::{LEGACY, NORSE_IF, Net};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tests::{Ran, s2c, s2c_path};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn ok(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    ran
}

fn compile(net: Net, extra: &[&str]) -> Ran {
    let nir = net.nir();
    let mut args = vec!["compile", text(&nir), "--profile", net.profile];
    if let Some(dt) = net.dt {
        args.extend(["--dt", dt]);
    }
    args.extend(extra);
    s2c(&args)
}

/// Every file below a folder, by relative path.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut todo = vec![dir.to_path_buf()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(folder).expect("listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                todo.push(path);
            } else {
                let name = path.strip_prefix(dir).expect("inside");
                all.insert(text(name).to_owned(), fs::read(&path).expect("readable"));
            }
        }
    }
    all
}

#[test]
fn a_bundle_depends_on_nothing_but_the_network() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let elsewhere = room.path().join("else/where");
    fs::create_dir_all(&elsewhere).expect("made");
    let copy = elsewhere.join("net.nir");
    fs::copy(LEGACY.nir(), &copy).expect("copied");
    let (a, b) = (room.path().join("a.s2"), elsewhere.join("b.s2"));
    ok(compile(LEGACY, &["-o", text(&a), "--threads", "1"]));
    ok(s2c(&[
        "compile",
        text(&copy),
        "--profile",
        "nir",
        "--dt",
        "1e-3",
        "-o",
        text(&b),
        "--threads",
        "2",
    ]));
    let (a, b) = (files(&a), files(&b));
    assert_eq!(a, b);
    let home = text(room.path()).as_bytes();
    for (name, bytes) in &a {
        assert!(
            !bytes.windows(home.len()).any(|w| w == home),
            "{name} holds a path"
        );
    }
}

#[test]
fn a_run_needs_the_bundle_alone() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let bundle = room.path().join("if.s2");
    ok(compile(NORSE_IF, &["-o", text(&bundle)]));
    let moved = room.path().join("moved.s2");
    fs::rename(&bundle, &moved).expect("moved");
    let (out, report) = (room.path().join("o.npz"), room.path().join("r.json"));
    let data = NORSE_IF.data();
    ok(s2c(&[
        "run",
        text(&moved),
        "--input",
        text(&data),
        "-o",
        text(&out),
        "--record",
        "1:v",
        "--report",
        text(&report),
    ]));
    let bytes = fs::read(&out).expect("written");
    let arrays = compiler::front::data::read_arrays(&bytes, "o.npz").expect("readable");
    let names: Vec<&str> = arrays.keys().map(String::as_str).collect();
    assert_eq!(names, ["1.v", "counts_output", "out_output", "out_spikes"]);
    assert_eq!(arrays["1.v"].shape().0[2], 96);
    let report: Value = serde_json::from_slice(&fs::read(&report).expect("written")).expect("JSON");
    assert!(
        report["emulated"]["instructions"]
            .as_u64()
            .is_some_and(|n| n > 0)
    );

    let elf = moved.join("chip_0_0/routes.bin");
    let mut bytes = fs::read(&elf).expect("readable");
    bytes[20] ^= 1;
    fs::write(&elf, bytes).expect("writable");
    let ran = s2c(&["run", text(&moved), "--input", text(&data)]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("E0701") && ran.stderr.contains("SHA-256"));
}

#[test]
fn text_on_the_way_changes_nothing() {
    let room = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| room.path().join(name);
    ok(compile(LEGACY, &["-o", text(&at("direct.s2"))]));
    ok(compile(
        LEGACY,
        &["--stop-after", "quantise", "-o", text(&at("t.s2ir"))],
    ));
    ok(s2c(&[
        "opt",
        text(&at("t.s2ir")),
        "-p",
        "partition,place",
        "-o",
        text(&at("u.s2ir")),
    ]));
    ok(s2c(&[
        "compile",
        text(&at("u.s2ir")),
        "-o",
        text(&at("text.s2")),
    ]));
    let (direct, via) = (files(&at("direct.s2")), files(&at("text.s2")));
    for (name, bytes) in direct.iter().filter(|(n, _)| n.starts_with("chip_")) {
        assert_eq!(via.get(name), Some(bytes), "{name}");
    }
}

#[test]
fn check_prints_its_object_even_when_it_fails() {
    let (nir, data) = (LEGACY.nir(), LEGACY.data());
    let ran = s2c(&["check", text(&nir), "--input", text(&data), "--json"]);
    assert_eq!(ran.code, 1, "dt is missing");
    let value: Value = serde_json::from_str(&ran.stdout).expect("one object");
    assert_eq!(value["v"], 1);
    assert!(value["emulated"].is_null() && value["golden_vs_emulated"].is_null());
    assert!(ran.stderr.contains("E0304"));
}

#[test]
fn nothing_compared_is_not_a_success() {
    let (nir, data) = (LEGACY.nir(), LEGACY.data());
    // The inputs hold no array of an output.
    let ran = s2c(&[
        "check",
        text(&nir),
        "--dt",
        "1e-3",
        "--input",
        text(&data),
        "--expect",
        text(&data),
    ]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("E0810"));
}

#[test]
fn a_limit_that_fails_is_exit_code_1() {
    let (nir, data) = (NORSE_IF.nir(), NORSE_IF.data());
    let ran = s2c(&[
        "check",
        text(&nir),
        "--profile",
        "norse",
        "--input",
        text(&data),
        "--weight-scale",
        "1",
        "--weights",
        "int8",
        "--min-agreement",
        "1",
    ]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("E0811"), "{}", ran.stderr);
}

#[test]
fn foreign_folders_survive() {
    let room = tempfile::tempdir().expect("a temporary folder");
    fs::write(room.path().join("letter.txt"), "dear").expect("writable");
    let ran = compile(LEGACY, &["-o", text(room.path())]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("E0702"));
    assert!(room.path().join("letter.txt").exists());
}

#[test]
fn a_reader_that_leaves_is_no_crash() {
    let nir = NORSE_IF.nir();
    let mut child = Command::new(s2c_path())
        .args(["inspect", text(&nir)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    drop(child.stdout.take());
    let out = child.wait_with_output().expect("ends");
    assert_eq!(out.status.code(), Some(0));
    assert!(out.stderr.is_empty());
}
