//! PEs that choose their level compute what PEs of one level compute.

use fixtures::{NORSE_IF, SNNTORCH_MLP};
use serde_json::Value;
use std::fs;
use tests::s2c;

/// Outputs and report of a run of `net`, compiled and run with these options.
fn run(net: &fixtures::Net, compile: &[&str], run: &[&str]) -> (Vec<u8>, Value) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (bundle, out, report) = (path("net.s2"), path("out.npz"), path("report.json"));
    let nir = net.nir();
    let data = nir.with_file_name("data.npz").display().to_string();
    let nir = nir.display().to_string();
    let mut args = vec![
        "compile",
        &nir,
        "--profile",
        net.profile,
        "-o",
        &bundle,
        "-q",
    ];
    args.extend(compile);
    let compiled = s2c(&args);
    assert_eq!(compiled.code, 0, "{}", compiled.stderr);
    let mut args = vec![
        "run", &bundle, "--input", &data, "-o", &out, "--report", &report,
    ];
    args.extend(run);
    let ran = s2c(&args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report = fs::read(&report).expect("written");
    let report = serde_json::from_slice(&report).expect("JSON");
    (fs::read(&out).expect("written"), report)
}

#[test]
fn levels_change_no_result() {
    for net in [&NORSE_IF, &SNNTORCH_MLP] {
        let (high, of_high) = run(net, &[], &[]);
        let (low, of_low) = run(net, &[], &["--level", "low"]);
        assert_eq!(high, low, "{}", net.name);
        let energy = |r: &Value| {
            let total = &r["emulated"]["energy_uj_per_step"]["total"];
            total.as_f64().expect("a number")
        };
        assert!(energy(&of_low) < energy(&of_high));
        for threshold in ["0", "3", "30"] {
            let level = format!("auto:{threshold}");
            let (auto, of_auto) = run(net, &["--level", &level], &[]);
            assert_eq!(high, auto, "{}, threshold {threshold}", net.name);
            let changes = of_auto["emulated"]["level_changes"].as_u64();
            assert!(changes > Some(100), "{changes:?}");
            assert!(energy(&of_auto) < energy(&of_high));
            assert_eq!(of_auto["emulated"]["missed_deadlines"], 0);
        }
    }
}
