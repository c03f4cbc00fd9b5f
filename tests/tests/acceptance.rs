//! The whole road on real networks: framework, golden, fixed reference, chip.

use fixtures::Net;
use serde_json::Value;
use tests::s2c;

fn check(net: Net, extra: &[&str]) -> Value {
    let (nir, data, reference) = (net.nir(), net.data(), net.reference());
    let mut args: Vec<&str> = vec![
        "check",
        nir.to_str().expect("UTF-8"),
        "--profile",
        net.profile,
    ];
    args.extend(["--input", data.to_str().expect("UTF-8")]);
    args.extend(["--expect", reference.to_str().expect("UTF-8"), "--json"]);
    if let Some(dt) = net.dt {
        args.extend(["--dt", dt]);
    }
    args.extend(extra);
    let out = s2c(&args);
    assert_eq!(out.code, 0, "{}: {}", net.name, out.stderr);
    serde_json::from_str(&out.stdout).expect("check prints one JSON object")
}

fn number(report: &Value, path: &str) -> f64 {
    report
        .pointer(path)
        .and_then(Value::as_f64)
        .unwrap_or_else(|| panic!("{path} is not a number"))
}

/// What must hold whatever the weights are.
fn holds_always(net: Net, report: &Value) {
    assert_eq!(
        number(report, "/expect_vs_golden/wrong_spikes"),
        0.0,
        "{}",
        net.name
    );
    assert_eq!(
        number(report, "/fixed_vs_emulated/wrong_spikes"),
        0.0,
        "{}",
        net.name
    );
    assert!(
        number(report, "/expect_vs_golden/positions") > 0.0,
        "{}",
        net.name
    );
    assert_eq!(
        number(report, "/emulated/missed_deadlines"),
        0.0,
        "{}",
        net.name
    );
    if report
        .pointer("/golden/accuracy")
        .is_some_and(|a| !a.is_null())
    {
        let golden = number(report, "/golden/accuracy");
        let emulated = number(report, "/emulated/accuracy");
        assert!(
            emulated >= golden - 0.01 - 1e-9,
            "{}: {emulated} against {golden}",
            net.name
        );
    }
}

#[test]
fn every_fixture_with_the_weights_that_the_compiler_chooses() {
    for net in fixtures::NETS {
        holds_always(net, &check(net, &[]));
    }
}

#[test]
fn every_fixture_with_int8_weights() {
    for net in fixtures::NETS {
        holds_always(net, &check(net, &["--weights", "int8"]));
    }
}

#[test]
fn every_fixture_with_exact_weights_differs_from_golden_nearly_nowhere() {
    for net in fixtures::NETS {
        let report = check(net, &["--weights", "float"]);
        holds_always(net, &report);
        let wrong = number(&report, "/golden_vs_emulated/wrong_spikes");
        let positions = number(&report, "/golden_vs_emulated/positions");
        assert!(
            wrong <= (positions * 1e-4).max(1.0),
            "{}: {wrong} of {positions}",
            net.name
        );
    }
}

#[test]
fn threads_do_not_change_the_result() {
    let mut one = check(fixtures::NORSE_IF, &["--threads", "1"]);
    let mut two = check(fixtures::NORSE_IF, &["--threads", "2"]);
    for report in [&mut one, &mut two] {
        // Wall-clock figures differ from run to run.
        report["compile_ms"] = Value::Null;
        report["emulated"]["host_ms_per_sample"] = Value::Null;
    }
    assert_eq!(one, two);
}
