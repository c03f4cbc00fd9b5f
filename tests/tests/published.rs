//! What others published: the raster of a real SpiNNaker2 chip, and recordings
//! of real sensors.

use ndarray::{Array2, Array3};
use ndarray_npy::{NpzReader, NpzWriter, read_npy, write_npy};
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use tests::{corpus, s2c};

const BIAS_ZERO: &str = "nir/paper/braille_noDelay_bias_zero.nir";
const NO_BIAS: &str = "nir/paper/braille_noDelay_noBias_subtract.nir";

fn ok(args: &[&str]) -> String {
    let out = s2c(args);
    assert_eq!(out.code, 0, "{args:?}: {}{}", out.stderr, out.stdout);
    out.stdout
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// The first 256 rows of what `lif1.lif` sent.
fn raster(file: &Path) -> Vec<i64> {
    let open = File::open(file).expect("the run wrote its output");
    let mut npz = NpzReader::new(open).expect("an npz file");
    let all: Array3<u8> = npz.by_name("lif1.lif.spikes").expect("the hidden layer");
    let rows = all.iter().take(256 * 38);
    rows.map(|&v| i64::from(v)).collect()
}

/// Test sample 0 as an input file of one sample.
fn sample(folder: &Path) -> Option<std::path::PathBuf> {
    let file = corpus("braille/ds_test_sample0_256x12_u8_label1.npy")?;
    let x: Array2<u8> = read_npy(file).expect("steps of 12 sensors");
    let (steps, n) = x.dim();
    let x = x.into_shape_with_order((1, steps, n)).expect("one sample");
    let input = folder.join("sample.npy");
    write_npy(&input, &x).expect("written");
    Some(input)
}

/// Golden with each framework's settings shows that framework's raster. The
/// paper's snnTorch ran without the hold rule.
#[test]
fn the_rasters_of_the_frameworks() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (Some(net), Some(input)) = (corpus(BIAS_ZERO), sample(folder.path())) else {
        return;
    };
    let out = folder.path().join("out.npz");
    for (framework, spikes, meaning) in [
        (
            "snntorch",
            119.0,
            &["--profile", "snntorch", "--hold-after-spike", "off"][..],
        ),
        ("norse", 118.0, &["--profile", "norse", "--dt", "1e-4"]),
        ("spyx", 151.0, &["--profile", "spyx", "--dt", "1e-4"]),
    ] {
        let Some(file) = corpus(&format!(
            "braille/{framework}_activity_noDelay_bias_zero.npy"
        )) else {
            continue;
        };
        let published: Array2<f32> = read_npy(file).expect("a raster");
        assert_eq!(published.sum(), spikes, "{framework}");
        let golden = ["golden", text(&net), "--input", text(&input)];
        let show = ["-o", text(&out), "--record", "lif1.lif", "-q"];
        ok(&[&golden[..], meaning, &show].concat());
        let found = raster(&out);
        assert_eq!(found.len(), published.len());
        let wrong = found
            .iter()
            .zip(&published)
            .filter(|(a, b)| **a as f32 != **b);
        assert_eq!(wrong.count(), 0, "{framework}");
    }
}

#[test]
fn the_raster_that_a_chip_recorded() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (Some(net), Some(input), Some(chip)) = (
        corpus(BIAS_ZERO),
        sample(folder.path()),
        corpus("braille/s2_activity_noDelay_bias_zero.npy"),
    ) else {
        return;
    };
    let chip: Array2<i64> = read_npy(chip).expect("a raster");
    assert_eq!(chip.dim(), (256, 38));
    assert_eq!(chip.sum(), 119, "the recording has 119 spikes");
    let recorded: Vec<i64> = chip.iter().copied().collect();

    let meaning = [
        "--profile",
        "py-spinnaker2",
        "--dt",
        "1e-4",
        "--reset",
        "zero",
    ];
    let show = ["--align", "raw", "--record", "lif1.lif", "-q"];
    let (bundle, out) = (folder.path().join("net.s2"), folder.path().join("out.npz"));
    ok(&[
        &["compile", text(&net), "-o", text(&bundle), "-q"],
        &meaning[..],
    ]
    .concat());
    let run = [
        "run",
        text(&bundle),
        "--input",
        text(&input),
        "-o",
        text(&out),
    ];
    ok(&[&run[..], &show].concat());
    assert!(
        raster(&out) == recorded,
        "the emulated chip differs from the real one"
    );

    let golden = ["golden", text(&net), "--quantised", "--input", text(&input)];
    ok(&[&golden[..], &["-o", text(&out)], &meaning, &show].concat());
    assert!(
        raster(&out) == recorded,
        "golden with quantised weights differs"
    );
}

/// 579 samples of 256 steps of 12 sensors, packed to bits, as one input file.
fn braille(folder: &Path) -> Option<std::path::PathBuf> {
    let bits = std::fs::read(corpus("braille/braille7_579.bin")?).expect("readable");
    let labels = std::fs::read(corpus("braille/braille7_579_labels.bin")?).expect("readable");
    let x: Vec<u8> = bits
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let x = Array3::from_shape_vec((579, 256, 12), x).expect("384 bytes a sample");
    let y = ndarray::Array1::from_iter(labels.iter().map(|&l| i64::from(l)));
    let file = folder.join("braille.npz");
    let mut npz = NpzWriter::new_compressed(File::create(&file).expect("writable"));
    npz.add_array("x", &x).expect("written");
    npz.add_array("y", &y).expect("written");
    npz.finish().expect("written");
    Some(file)
}

fn check(net: &Path, args: &[&str]) -> Value {
    let out = ok(&[&["check", text(net), "--json"], args].concat());
    let report: Value = serde_json::from_str(&out).expect("one JSON object");
    eprintln!(
        "{} {args:?}: golden {}, quantised {}, emulated {}, {}",
        net.display(),
        report["golden"],
        report["golden_quantised"],
        report["emulated"],
        report["resources"]
    );
    assert_eq!(report["fixed_vs_emulated"]["wrong_spikes"], 0);
    report
}

fn accuracy(report: &Value, of: &str) -> f64 {
    report[of]["accuracy"].as_f64().expect("labels were given")
}

#[test]
fn braille_is_read_better_than_published() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (Some(data), Some(zero), Some(subtract)) =
        (braille(folder.path()), corpus(BIAS_ZERO), corpus(NO_BIAS))
    else {
        return;
    };
    let input = ["--input", text(&data), "--dt", "1e-4"];
    let mut chip = Vec::new();
    for (net, reset) in [(&zero, "zero"), (&subtract, "subtract")] {
        let args = [&input[..], &["--reset", reset, "--weights", "int8"]].concat();
        let report = check(net, &args);
        let (golden, emulated) = (accuracy(&report, "golden"), accuracy(&report, "emulated"));
        assert!(golden >= 0.95, "golden reads {golden}");
        assert!(
            (golden - emulated).abs() <= 0.01,
            "{emulated} against {golden}"
        );
        chip.push(emulated);
    }
    let args = [
        &input[..],
        &["--profile", "py-spinnaker2", "--reset", "zero"],
    ]
    .concat();
    let published = accuracy(&check(&zero, &args), "emulated");
    assert!(
        chip[0] >= published + 0.02,
        "{} against {published} by the published recipe",
        chip[0]
    );
}

#[test]
fn digits_of_an_event_camera() {
    let Some(net) = corpus("nir/paper/cnn_sinabs.nir") else {
        return;
    };
    let mut right = [0.0, 0.0];
    for half in ["test50", "train50"] {
        let (Some(events), Some(index)) = (
            corpus(&format!("nmnist/nmnist_{half}.bin")),
            corpus(&format!("nmnist/nmnist_{half}_index.csv")),
        ) else {
            return;
        };
        let report = check(
            &net,
            &[
                "--input",
                text(&events),
                "--index",
                text(&index),
                "--bin-us",
                "1000",
                "--steps",
                "300",
                "--dt",
                "1",
                "--reset",
                "zero",
            ],
        );
        assert_eq!(report["emulated"]["missed_deadlines"], 0);
        assert_eq!(report["resources"]["chips"], 1);
        assert_eq!(report["samples"], 50);
        right[0] += accuracy(&report, "golden") / 2.0;
        right[1] += accuracy(&report, "emulated") / 2.0;
    }
    let [golden, emulated] = right;
    assert!(golden >= 0.98, "golden reads {golden}");
    assert!(
        (golden - emulated).abs() <= 0.01 + 1e-9,
        "{emulated} against {golden}"
    );
}
