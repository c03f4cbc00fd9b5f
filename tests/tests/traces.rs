//! The published single-neuron traces: golden with each framework's settings,
//! and the emulated chip with py-spinnaker2's.

use ndarray::Array3;
use std::path::{Path, PathBuf};
use tests::{corpus, s2c};

/// Columns of a trace: input spike, membrane, output spike.
struct Trace {
    input: Vec<u8>,
    v: Vec<f64>,
    spikes: Vec<u8>,
}

fn read(name: &str) -> Option<Trace> {
    let text = std::fs::read_to_string(corpus(&format!("traces/{name}.csv"))?).expect("readable");
    let rows: Vec<Vec<f64>> = text
        .lines()
        .map(|l| {
            l.split(',')
                .map(|c| c.trim().parse().expect("a number"))
                .collect()
        })
        .collect();
    let column = |k: usize| rows.iter().map(|r| r[k]).collect::<Vec<f64>>();
    let bits = |v: Vec<f64>| v.into_iter().map(|x| u8::from(x > 0.5)).collect();
    Some(Trace {
        input: bits(column(0)),
        v: column(1),
        spikes: bits(column(2)),
    })
}

/// What a run shows: spikes of the output and the membrane of the neuron.
struct Shown {
    spikes: Vec<u8>,
    v: Vec<f64>,
}

fn shown(file: &Path) -> Shown {
    let open = std::fs::File::open(file).expect("the run wrote its output");
    let mut npz = ndarray_npy::NpzReader::new(open).expect("an npz file");
    let spikes: Array3<u8> = npz.by_name("out_spikes").expect("spikes");
    let v: Array3<f32> = npz.by_name("1.v").expect("the membrane");
    Shown {
        spikes: spikes.iter().copied().collect(),
        v: v.iter().map(|&x| f64::from(x)).collect(),
    }
}

fn input_file(trace: &Trace, folder: &Path) -> PathBuf {
    let x =
        Array3::from_shape_vec((1, trace.input.len(), 1), trace.input.clone()).expect("a shape");
    let path = folder.join("x.npy");
    ndarray_npy::write_npy(&path, &x).expect("the scratch folder is writable");
    path
}

/// `(wrong spikes, largest error of v)` over the rows that both have.
fn distance(trace: &Trace, shown: &Shown, v_scale: f64) -> (usize, f64) {
    assert_eq!(
        trace.spikes.iter().filter(|&&s| s == 1).count(),
        4,
        "the traces hold 4 spikes"
    );
    let wrong = trace
        .spikes
        .iter()
        .zip(&shown.spikes)
        .filter(|(a, b)| a != b)
        .count();
    let errors = trace
        .v
        .iter()
        .zip(&shown.v)
        .map(|(a, b)| (a - b * v_scale).abs());
    (wrong, errors.fold(0.0, f64::max))
}

fn golden(trace: &Trace, options: &[&str]) -> Option<Shown> {
    let nir = corpus("nir/paper/lif_norse.nir")?;
    let folder = tempfile::tempdir().expect("a scratch folder");
    let input = input_file(trace, folder.path());
    let out = folder.path().join("out.npz");
    let mut args = vec![
        "golden",
        nir.to_str()?,
        "--input",
        input.to_str()?,
        "-o",
        out.to_str()?,
    ];
    args.extend(["--record", "1:v"]);
    args.extend(options);
    if !options.contains(&"--dt") {
        args.extend(["--dt", "1e-4"]);
    }
    let ran = s2c(&args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    Some(shown(&out))
}

#[test]
fn golden_reproduces_every_framework() {
    // Settings and errors: NIR's own paper data, columns of nir's profile table.
    let zero = ["--profile", "nir", "--reset", "zero"];
    let exact = [
        "--profile",
        "nir",
        "--integrator",
        "exp-euler",
        "--reset",
        "subtract",
    ];
    let snntorch = ["--profile", "snntorch"];
    let spyx = ["--profile", "spyx"];
    let lava = ["--profile", "lava", "--align", "raw"];
    let cases: [(&str, &[&str], f64, f64); 5] = [
        ("lif_norse", &zero, 1.0, 1e-7),
        ("lif_snntorch", &snntorch, 25.0, 2e-6),
        ("lif_spyx", &spyx, 1.0, 1e-6),
        ("lif_exact", &exact, 1.0, 7e-4),
        ("lif_lava_cpu_float", &lava, 1.0, 1e-7),
    ];
    for (name, options, v_scale, tolerance) in cases {
        let Some(trace) = read(name) else { return };
        let Some(shown) = golden(&trace, options) else {
            return;
        };
        let (wrong, error) = distance(&trace, &shown, v_scale);
        eprintln!("{name}: {wrong} wrong spikes, max |dv| {error:e}");
        assert_eq!(wrong, 0, "{name}");
        assert!(error <= tolerance, "{name}: max |dv| {error:e}");
    }
}

#[test]
fn the_emulated_chip_reproduces_the_py_spinnaker2_trace() {
    let Some(trace) = read("lif_spinnaker2") else {
        return;
    };
    let Some(nir) = corpus("nir/paper/lif_norse.nir") else {
        return;
    };
    let chip = [
        "--profile",
        "py-spinnaker2",
        "--dt",
        "1e-4",
        "--reset",
        "zero",
    ];
    for (scale, tolerance) in [(Some("102.02"), 1e-6), (None, 6e-4)] {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let input = input_file(&trace, folder.path());
        let (bundle, out) = (folder.path().join("lif.s2"), folder.path().join("out.npz"));
        let text = |p: &Path| p.to_str().expect("UTF-8").to_owned();
        let mut compile: Vec<String> =
            vec!["compile".into(), text(&nir), "-o".into(), text(&bundle)];
        compile.extend(chip.map(str::to_owned));
        compile.extend(
            scale
                .into_iter()
                .flat_map(|s| ["--weight-scale".to_owned(), s.to_owned()]),
        );
        let compiled = s2c(&compile);
        assert_eq!(compiled.code, 0, "{}", compiled.stderr);
        let ran = s2c(&[
            "run",
            &text(&bundle),
            "--input",
            &text(&input),
            "-o",
            &text(&out),
            "--record",
            "1:v",
        ]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let (wrong, error) = distance(&trace, &shown(&out), 25.0);
        eprintln!("emulated, scale {scale:?}: {wrong} wrong spikes, max |dv| {error:e}");
        assert_eq!(wrong, 0);
        assert!(error <= tolerance, "max |dv| {error:e}");
    }
    let scaled: Vec<&str> = chip
        .iter()
        .copied()
        .chain(["--weight-scale", "102.02", "--quantised"])
        .collect();
    let Some(quantised) = golden(&trace, &scaled) else {
        return;
    };
    let (wrong, error) = distance(&trace, &quantised, 25.0);
    eprintln!("golden --quantised: {wrong} wrong spikes, max |dv| {error:e}");
    assert_eq!(wrong, 0);
    assert!(error <= 1e-6, "max |dv| {error:e}");
}
