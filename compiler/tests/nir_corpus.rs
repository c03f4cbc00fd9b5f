//! Every NIR file of the corpus loads, or says precisely why not.

mod nir_support;

use compiler::front::lower::lower;
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

#[test]
fn other_networks_name_what_is_unsupported() {
    let Some(root) = corpus() else { return };
    for (folder, words) in [
        ("hand_conv1d_same", &["Conv1d"][..]),
        (
            "hand_conv_same_sumpool_avgpool",
            &["Conv2d", "SumPool2d", "AvgPool2d"],
        ),
        ("hand_delay_scale", &["Delay"]),
        ("hand_neurons_all", &["CubaLIF", "CubaLI ", "(LI ", "(I "]),
        ("nirpaper_cnn_nmnistlike", &["Conv2d", "SumPool2d"]),
        ("norse_fullyconv_mnist", &["Conv2d"]),
        ("snntorch_conv_avgpool", &["Conv2d", "AvgPool2d"]),
    ] {
        let path = format!("nets/{folder}/net.nir");
        let errors = load(&bytes(&root, &path), &path).unwrap_err();
        assert!(
            errors.0.iter().all(|d| d.code == Code::NirUnsupported),
            "{errors}"
        );
        let text = errors.to_string();
        for word in words {
            assert!(text.contains(word), "{path} does not name {word}: {text}");
        }
    }
}

/// One row for each file; the assertion is that none panics and that a
/// failure has a node or a file to point at.
#[test]
fn every_file_loads_or_says_why() {
    let Some(root) = corpus() else { return };
    let mut seen = 0;
    for path in files(&root, &["nir", "nird"]) {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        let data = std::fs::read(&path).unwrap();
        let (outcome, detail) = match nir::read(&data, &name) {
            Err(e) => ("not read", summary(&e.0)),
            Ok((graph, read_warnings)) => match lower(&graph, &name) {
                Ok((network, warnings)) => (
                    "loads",
                    format!(
                        "{} nodes, {} edges, {} warnings",
                        network.nodes.len(),
                        network.edges.len(),
                        warnings.len() + read_warnings.len()
                    ),
                ),
                Err(e) => ("read", summary(&e.0)),
            },
        };
        println!("{name:62} {outcome:8} {detail}");
        seen += 1;
    }
    assert!(seen > 80, "only {seen} files were found");
}

fn summary(errors: &[ir::Diagnostic]) -> String {
    let first = errors.iter().find(|d| d.is_error()).unwrap();
    assert!(first.code != Code::Internal, "{first}");
    format!("{} x {}: {}", errors.len(), first.code.id(), first.message)
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
