//! Every NIR file of the corpus loads, or says precisely why not.

mod nir_support;

#[cfg(feature = "libhdf5")]
use compiler::front::nir;
use ir::Code;
use ir::network::Op;
use nir_support::{corpus, files, load};
use std::path::Path;

fn bytes(root: &Path, path: &str) -> Vec<u8> {
    std::fs::read(root.join(path)).unwrap()
}

#[test]
fn dense_networks_load_completely() {
    let Some(root) = corpus() else { return };
    for (path, sizes) in [
        ("nets/snntorch_mlp_784_256_10/net.nir", &[784, 256, 10][..]),
        (
            "nets/snntorch_mlp_784_256_10/net_scalar.nir",
            &[784, 256, 10],
        ),
        ("nets/norse_mlp_digits_lifbox/net.nir", &[64, 128, 10]),
        ("nets/norse_if_digits/net.nir", &[64, 96, 10]),
        ("nets/hand_legacy_scalar_params_no_vreset/net.nir", &[]),
        ("nir/paper/lif_norse.nir", &[1, 1]),
    ] {
        let (network, warnings) =
            load(&bytes(&root, path), path).unwrap_or_else(|e| panic!("{path} does not load: {e}"));
        assert_eq!(warnings, [], "{path}");
        let mut found = Vec::new();
        for node in network.nodes.values() {
            if let Op::Affine { weight, .. } | Op::Linear { weight } = &node.op {
                let dims = &weight.shape().0;
                if found.is_empty() {
                    found.push(dims[1]);
                }
                found.push(dims[0]);
            }
        }
        println!("{path}: {found:?}");
        if !sizes.is_empty() {
            assert_eq!(found, sizes, "{path}");
        }
        assert_eq!(network.inputs().len(), 1, "{path}");
        assert_eq!(network.outputs().len(), 1, "{path}");
    }
}

#[test]
fn scalar_parameters_stay_scalar() {
    let Some(root) = corpus() else { return };
    let path = "nets/snntorch_mlp_784_256_10/net_scalar.nir";
    let (network, _) = load(&bytes(&root, path), path).unwrap();
    let neurons = network.nodes.values().filter_map(|n| match &n.op {
        Op::Lif { tau, v_reset, .. } => Some((tau.len(), v_reset.is_some())),
        _ => None,
    });
    assert!(neurons.clone().count() == 2 && neurons.clone().all(|(n, _)| n == 1));
}

/// The corpus networks of every exporter lower and get shapes.
#[test]
fn every_network_has_shapes() {
    let Some(root) = corpus() else { return };
    let mut seen = 0;
    for path in files(&root.join("nets"), &["nir"]) {
        let name = path.display().to_string();
        let (mut network, warnings) = load(&std::fs::read(&path).unwrap(), &name).unwrap();
        assert_eq!(warnings, [], "{name}");
        let warnings = passes::infer_shapes::infer(&mut network).unwrap();
        let scalars = warnings.iter().all(|w| w.code == Code::Broadcast);
        assert!(scalars, "{name}: {warnings:?}");
        seen += 1;
    }
    assert!(seen >= 13, "only {seen} networks were found");
}

/// What the pure-Rust reader and the C library see must be equal.
#[cfg(feature = "libhdf5")]
#[test]
fn the_c_library_reads_the_same() {
    let Some(root) = corpus() else { return };
    let mut compared = 0;
    for path in files(&root, &["nir"]) {
        let data = std::fs::read(&path).unwrap();
        let (Ok((ours, _)), Ok((theirs, _))) = (
            nir::read(&data, "a.nir"),
            nir::libhdf5::read(&path, "a.nir"),
        ) else {
            println!("not compared: {}", path.display());
            continue;
        };
        assert_eq!(ours, theirs, "{}", path.display());
        compared += 1;
    }
    assert!(compared > 50, "only {compared} files were compared");
}
