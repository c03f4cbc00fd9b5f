//! The published single-neuron traces, each with its framework's semantics:
//! no wrong spike, and the membrane within the error that float32 or the
//! platform's own numerics leave.

mod golden_support;

use golden_support::{Net, profile};
use ir::semantics::{Integrator, Profile, Reset, Semantics};
use std::path::PathBuf;

const DT: f64 = 1e-4;

/// Columns input spike, v, output spike; `None` (with the reason printed) if
/// the corpus is absent and not demanded.
fn trace(name: &str) -> Option<[Vec<f64>; 3]> {
    let Ok(root) = std::env::var("S2C_CORPUS") else {
        let demanded = std::env::var("S2C_REQUIRE_ALL").is_ok_and(|v| v == "1");
        assert!(!demanded, "S2C_REQUIRE_ALL=1 but S2C_CORPUS is not set");
        eprintln!("skipped {name}: S2C_CORPUS is not set");
        return None;
    };
    // Tests run in the crate's folder; a relative path is meant from the root.
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(root);
    let path = root.join("traces").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut columns = [Vec::new(), Vec::new(), Vec::new()];
    for line in text.lines() {
        for (column, field) in columns.iter_mut().zip(line.split(',')) {
            column.push(field.trim().parse().expect("a number"));
        }
    }
    Some(columns)
}

/// The network of the NIR paper's first task; the file stores float32.
fn lif() -> Net {
    Net::default()
        .input("input", 1)
        .affine("0", &[&[1.0]], &[0.0])
        .lif("1", f64::from(0.0025f32), f64::from(0.1f32))
        .output("output", 1)
        .wire(&["input 0 1 output"])
}

/// Spikes must agree; `unit` is the file's membrane unit in the trace's.
fn reproduces(name: &str, semantics: &Semantics, unit: f64, tolerance: f64) {
    let Some([input, v_expected, spikes]) = trace(name) else {
        return;
    };
    let (z, v) = lif().run(semantics, &input, "1");
    assert_eq!(z.len(), 1000, "{name}");
    assert!(spikes.iter().any(|&s| s != 0.0), "{name} has spikes");
    let wrong = z.iter().zip(&spikes).filter(|(a, b)| a != b).count();
    let errors = v.iter().zip(&v_expected).map(|(a, b)| (a * unit - b).abs());
    let worst = errors.fold(0.0, f64::max);
    println!("{name}: {wrong} wrong spikes, max |dv| {worst:e}");
    assert_eq!(wrong, 0, "{name}: wrong spikes");
    assert!(
        worst <= tolerance,
        "{name}: max |dv| {worst:e} > {tolerance:e}"
    );
}

#[test]
fn norse() {
    reproduces("lif_norse.csv", &profile(Profile::Norse, DT), 1.0, 2.5e-8);
}

/// snnTorch divides the equation by r dt/tau, so v and threshold are 25 times
/// larger, and it computes in float32.
#[test]
fn snntorch() {
    let semantics = Profile::Snntorch.semantics();
    reproduces("lif_snntorch.csv", &semantics, 25.0, 1e-6);
}

#[test]
fn spyx() {
    reproduces("lif_spyx.csv", &profile(Profile::Spyx, DT), 1.0, 5.5e-8);
}

/// The exact simulation resets inside a step, which no fixed step can follow:
/// hence the error after a spike.
#[test]
fn exact() {
    let semantics = Semantics {
        integrator: Integrator::ExpEuler,
        reset: Reset::Subtract,
        ..profile(Profile::Nir, DT)
    };
    reproduces("lif_exact.csv", &semantics, 1.0, 6.3e-4);
}

#[test]
fn lava_float() {
    let semantics = profile(Profile::Lava, DT);
    reproduces("lif_lava_cpu_float.csv", &semantics, 1.0, 4e-8);
}
