//! Data files: inputs, references and results.

mod nir_support;

use compiler::front::data::{
    Array, Elements, InputSet, PortSpec, ports_of, read_arrays, read_expect, read_inputs, write_npz,
};
use ir::diag::Diagnostics;
use ir::{Code, Diagnostic, Shape};
use nir_support::{corpus, load};

fn u8s(shape: &[usize], values: Vec<u8>) -> Array {
    Array::new(Shape::of(shape), Elements::U8(values)).unwrap()
}

fn npz(arrays: &[(&str, Array)]) -> Vec<u8> {
    let arrays: Vec<(String, Array)> = arrays
        .iter()
        .map(|(n, a)| ((*n).to_owned(), a.clone()))
        .collect();
    write_npz(&arrays, "made.npz").unwrap()
}

fn port(name: &str, dims: &[usize]) -> PortSpec {
    PortSpec {
        name: name.to_owned(),
        shape: Some(Shape::of(dims)),
    }
}

fn read(bytes: &[u8], ports: &[PortSpec]) -> Result<(InputSet, Vec<Diagnostic>), Diagnostics> {
    read_inputs(bytes, "data.npz", ports)
}

fn fails(bytes: &[u8], ports: &[PortSpec], words: &[&str]) {
    let errors = read(bytes, ports).unwrap_err();
    assert_eq!(errors.0[0].code, Code::InputData);
    let text = errors.to_string();
    for word in words {
        assert!(text.contains(word), "no '{word}' in: {text}");
    }
}

#[test]
fn what_is_written_is_read_back() {
    let arrays = [
        ("out_a", u8s(&[2, 2], vec![1, 0, 255, 3])),
        (
            "b/../c",
            Array::new(Shape::of(&[2]), Elements::F32(vec![0.5, -1.0])).unwrap(),
        ),
        (
            "d",
            Array::new(Shape::default(), Elements::F64(vec![0.1])).unwrap(),
        ),
        (
            "e",
            Array::new(Shape::of(&[1]), Elements::I32(vec![-7])).unwrap(),
        ),
    ];
    let bytes = npz(&arrays);
    assert_eq!(bytes, npz(&arrays), "the bytes depend on the time");
    let back = read_arrays(&bytes, "made.npz").unwrap();
    assert_eq!(back.len(), 4);
    assert_eq!(back["out_a"], arrays[0].1);
    assert_eq!(back["b%2F%2E%2E%2Fc"], arrays[1].1);
    assert_eq!(back["d"], arrays[2].1);
    assert_eq!(back["e"], arrays[3].1);
    let one = read_expect(&bytes, "made.npz", Some("e")).unwrap();
    assert_eq!(one.len(), 1);
    let missing = read_expect(&bytes, "made.npz", Some("f")).unwrap_err();
    assert!(missing.to_string().contains("no array 'f'"), "{missing}");
}

#[test]
fn names_are_found_in_the_stated_order() {
    let data = |v: u8| u8s(&[1, 2, 1], vec![v, v]);
    let value = |bytes: &[u8], name: &str, ports: &[PortSpec]| {
        let (set, _) = read(bytes, ports).unwrap();
        set.ports[name].elements.at(0)
    };
    let one = [port("in", &[1])];
    assert_eq!(value(&npz(&[("x", data(3))]), "in", &one), 3.0);
    assert_eq!(
        value(&npz(&[("x", data(3)), ("x_in", data(2))]), "in", &one),
        2.0
    );
    assert_eq!(
        value(
            &npz(&[("x", data(3)), ("x_in", data(2)), ("in", data(1))]),
            "in",
            &one
        ),
        1.0
    );
    let two = [port("a", &[1]), port("b", &[1])];
    let bytes = npz(&[("x_a", data(1)), ("b", data(2))]);
    assert_eq!(value(&bytes, "b", &two), 2.0);
    fails(
        &npz(&[("x", data(3))]),
        &two,
        &[
            "no array for the Input node 'a'",
            "'b' [samples steps 1]",
            "the file holds: x",
        ],
    );
}

#[test]
fn samples_are_cut_in_order() {
    let bytes = npz(&[
        ("x", u8s(&[2, 2, 3], (0..12).collect())),
        ("y", u8s(&[2], vec![7, 8])),
    ]);
    let (set, warnings) = read(&bytes, &[port("in", &[3])]).unwrap();
    assert_eq!(warnings, []);
    assert_eq!((set.samples, set.steps), (2, 2));
    assert_eq!(set.labels, Some(vec![7, 8]));
    let second = &set.sample(1).unwrap()["in"];
    assert_eq!(second.row(0), [6.0, 7.0, 8.0]);
    assert_eq!(second.row(1), [9.0, 10.0, 11.0]);
    assert!(set.sample(2).is_none());
    let cut = set.truncate(1);
    assert_eq!(cut.ports["in"].elements.len(), 6);
    assert_eq!(cut.labels, Some(vec![7]));
}

#[test]
fn a_flattened_step_fits_a_shaped_input() {
    let bytes = npz(&[("x", u8s(&[1, 1, 6], vec![0; 6]))]);
    let (set, _) = read(&bytes, &[port("in", &[2, 3])]).unwrap();
    assert_eq!(set.ports["in"].shape, Shape::of(&[2, 3]));
}

#[test]
fn packed_spikes_are_unpacked() {
    // Two steps of ten neurons: two bytes a step, six bits of padding.
    let bytes = npz(&[
        (
            "x_packed",
            u8s(&[1, 2, 2], vec![0b1000_0001, 0b0100_0000, 0, 0b1000_0000]),
        ),
        ("x_shape", u8s(&[4], vec![1, 2, 5, 2])),
    ]);
    let (set, _) = read(&bytes, &[port("in", &[5, 2])]).unwrap();
    let series = &set.sample(0).unwrap()["in"];
    assert_eq!(series.row(0), [1., 0., 0., 0., 0., 0., 0., 1., 0., 1.]);
    assert_eq!(series.row(1), [0., 0., 0., 0., 0., 0., 0., 0., 1., 0.]);
    fails(
        &npz(&[
            ("x_packed", u8s(&[1, 2, 2], vec![0; 4])),
            ("x_shape", u8s(&[3], vec![1, 2, 20])),
        ]),
        &[port("in", &[20])],
        &["do not fit together", "16 bits"],
    );
}

#[test]
fn misfits_show_expected_and_found() {
    let ports = [port("in", &[4])];
    fails(
        &npz(&[("x", u8s(&[1, 2, 3], vec![0; 6]))]),
        &ports,
        &["expected [samples steps 4], found [1 2 3]"],
    );
    fails(
        &npz(&[("x", u8s(&[2, 4], vec![0; 8]))]),
        &ports,
        &["found [2 4]", "numpy.newaxis"],
    );
    fails(
        &npz(&[("x", u8s(&[1, 0, 4], vec![]))]),
        &ports,
        &["at least one sample"],
    );
    let nan = Array::new(
        Shape::of(&[1, 2, 4]),
        Elements::F32(vec![0., 0., 0., 0., 0., 0., f32::NAN, 0.]),
    );
    fails(
        &npz(&[("x", nan.unwrap())]),
        &ports,
        &["holds NaN", "sample 0, step 1, index 2"],
    );
    fails(
        &npz(&[
            ("a", u8s(&[1, 2, 1], vec![0; 2])),
            ("b", u8s(&[1, 3, 1], vec![0; 3])),
        ]),
        &[port("a", &[1]), port("b", &[1])],
        &["disagree", "'b' has 1 samples of 3 steps"],
    );
    fails(b"hello", &ports, &["neither an .npz nor an .npy"]);
    fails(b"PK\x03\x04", &ports, &["cut off or damaged"]);
}

#[test]
fn useless_labels_warn() {
    let bytes = npz(&[
        ("x", u8s(&[2, 1, 1], vec![0; 2])),
        ("labels", u8s(&[3], vec![0; 3])),
    ]);
    let (set, warnings) = read(&bytes, &[port("in", &[1])]).unwrap();
    assert_eq!(set.labels, None);
    assert!(
        warnings[0]
            .to_string()
            .contains("expected 2 integers, found [3]")
    );
}

#[test]
fn damaged_archives_never_panic() {
    let bytes = npz(&[
        ("x", u8s(&[1, 2, 3], vec![1; 6])),
        ("y", u8s(&[1], vec![1])),
    ]);
    let ports = [port("in", &[3])];
    for at in 0..bytes.len() {
        for value in [0, 0x7f, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            let _ = read(&damaged, &ports);
            let _ = read_arrays(&damaged, "a");
        }
        let _ = read(&bytes[..at], &ports);
    }
}

#[test]
fn data_of_the_corpus_fit_their_networks() {
    let Some(root) = corpus() else { return };
    for folder in [
        "snntorch_mlp_784_256_10",
        "norse_mlp_digits_lifbox",
        "norse_if_digits",
        "hand_legacy_scalar_params_no_vreset",
    ] {
        let folder = root.join("nets").join(folder);
        let bytes = |name: &str| std::fs::read(folder.join(name)).unwrap();
        let (network, _) = load(&bytes("net.nir"), "net.nir").unwrap();
        let (set, warnings) =
            read_inputs(&bytes("data.npz"), "data.npz", &ports_of(&network)).unwrap();
        assert_eq!(warnings, []);
        assert!(set.labels.is_some() && set.samples >= 20 && set.steps >= 24);
        let spikes: f64 = (0..set.samples)
            .flat_map(|i| set.sample(i).unwrap().into_values())
            .map(|s| s.data.iter().sum::<f64>())
            .sum();
        println!(
            "{}: {} x {}, {spikes} input spikes",
            folder.display(),
            set.samples,
            set.steps
        );
        assert!(spikes > 0.0);
    }
}

#[test]
fn every_archive_of_the_corpus_is_read() {
    let Some(root) = corpus() else { return };
    for path in nir_support::files(&root, &["npz", "npy"]) {
        let bytes = std::fs::read(&path).unwrap();
        let arrays = read_arrays(&bytes, "a").unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let list: Vec<String> = arrays
            .iter()
            .map(|(n, a)| format!("{n}{}", a.shape()))
            .collect();
        println!("{}: {}", path.display(), list.join(" "));
    }
    let bytes = std::fs::read(root.join("nets/nirpaper_cnn_nmnistlike/data.npz")).unwrap();
    let (set, _) = read(&bytes, &[port("input", &[2, 34, 34])]).unwrap();
    assert_eq!((set.samples, set.steps), (30, 300));
}
