//! NIRData and event files as inputs, NIRData as output.

mod nir_support;

use compiler::front::data::{
    Array, Elements, Observed, PortSpec, Reading, read_inputs_with, write_nird,
};
use ir::Shape;
use nir_support::corpus;

fn port(name: &str, dims: &[usize]) -> [PortSpec; 1] {
    [PortSpec {
        name: name.to_owned(),
        shape: Some(Shape::of(dims)),
    }]
}

fn with_dt(dt: f64) -> Reading {
    Reading {
        dt: Some(dt),
        ..Reading::default()
    }
}

#[test]
fn what_is_written_is_read_back() {
    let spikes = Array::new(
        Shape::of(&[2, 3, 1, 2]),
        Elements::U8((0..12).map(|i| i % 2).collect()),
    );
    let v = Array::new(
        Shape::of(&[2, 3, 2]),
        Elements::F32((0..12).map(|i| i as f32 / 4.0).collect()),
    );
    let observed = |node: &str, observable: &str, array: Option<Array>| Observed {
        node: node.to_owned(),
        observable: observable.to_owned(),
        array: array.unwrap(),
    };
    let all = [
        observed("a.b", "spikes", spikes.clone()),
        observed("a.b", "v", v.clone()),
        observed("c", "v", v),
    ];
    let bytes = write_nird(&all, 1e-3, "out.nird").unwrap();
    let (set, warnings) =
        read_inputs_with(&bytes, "out.nird", &port("a.b", &[1, 2]), &with_dt(1e-3)).unwrap();
    assert_eq!(warnings, []);
    assert_eq!((set.samples, set.steps), (2, 3));
    let expected: Vec<f64> = (0..12).map(|i| f64::from(i % 2)).collect();
    assert_eq!(set.ports["a.b"].elements.slice(0..12), expected);
    let (set, warnings) =
        read_inputs_with(&bytes, "out.nird", &port("c", &[2]), &with_dt(1e-4)).unwrap();
    assert!(warnings[0].message.contains("another dt"), "{warnings:?}");
    assert_eq!(set.ports["c"].max_value(), 2.75);
    assert!(!set.ports["c"].is_integer());
    let missing = read_inputs_with(&bytes, "out.nird", &port("d", &[2]), &with_dt(1e-3));
    let text = missing.unwrap_err().to_string();
    assert!(text.contains("recordings of: a.b, c"), "{text}");
    let npz_only = Reading {
        steps: Some(3),
        ..Reading::default()
    };
    let text = read_inputs_with(&bytes, "out.nird", &port("c", &[2]), &npz_only)
        .unwrap_err()
        .to_string();
    assert!(text.contains("--steps is for event files"), "{text}");
    if let Some(path) = std::env::var_os("S2C_KEEP_NIRD") {
        std::fs::write(path, &bytes).unwrap();
    }
}

#[test]
fn the_recording_of_the_official_package() {
    let Some(root) = corpus() else { return };
    let bytes = std::fs::read(root.join("nir/generated/v1.0.8/data.nird")).unwrap();
    let (set, _) =
        read_inputs_with(&bytes, "data.nird", &port("in", &[4]), &with_dt(1e-3)).unwrap();
    assert_eq!((set.samples, set.steps), (2, 20));
    assert!(set.ports["in"].is_integer());
    assert_eq!(set.ports["in"].max_value(), 1.0);
}

#[test]
fn recordings_of_the_n_mnist_sensor() {
    let Some(root) = corpus() else { return };
    let bytes = std::fs::read(root.join("nmnist/nmnist_test50.bin")).unwrap();
    let index = std::fs::read(root.join("nmnist/nmnist_test50_index.csv")).unwrap();
    let reading = Reading {
        steps: Some(300),
        index: Some(("index.csv".to_owned(), index)),
        ..Reading::default()
    };
    let (set, warnings) =
        read_inputs_with(&bytes, "nmnist.bin", &port("input", &[2, 34, 34]), &reading).unwrap();
    assert_eq!(warnings, []);
    assert_eq!((set.samples, set.steps), (50, 300));
    assert_eq!(
        set.labels.as_ref().map(|l| l[..4].to_vec()),
        Some(vec![7, 2, 1, 0])
    );
    let max = set.ports["input"].max_value();
    assert!((2.0..=3.0).contains(&max), "{max} in a bin");
    let first: f64 = set.sample(0).unwrap()["input"].data.iter().sum();
    assert!((3000.0..=3330.0).contains(&first), "{first} of 3330 events");
}
