//! Layouts of old releases, recognised by content.
//!
//! | release | layout |
//! |---|---|
//! | 0.0.1 to 0.0.5 | `/nodes/<index>` and integer `/edges` at the root; the threshold of 0.0.1 is `theta`, its weights are `weights` |
//! | 0.0.6 | `/node`, but nodes by index and integer edges |
//! | 0.1.0 and later | `/node` with names; what the rest of the reader expects |
//!
//! An index is a name here: node `3` of an old file is called `3`.

use super::error::Problems;
use super::graph::{Dataset, Values};
use super::store::{Tree, not_nir};
use ir::{Code, Diagnostic};
use std::collections::BTreeMap;

/// Where the graph of a file is.
pub(super) struct Located {
    pub(super) version: Option<String>,
    pub(super) path: &'static str,
    pub(super) tree: Tree,
}

/// Finds the graph in the tree of a file.
pub(super) fn locate(tree: Tree, problems: &mut Problems) -> Option<Located> {
    if tree.child("node").is_none() && is_recording(&tree) {
        problems.push(
            Diagnostic::error(
                Code::NirLayout,
                &problems.file_origin(),
                "this is a NIRData file: it holds recordings, not a network",
            )
            .help("give the network first and this file with --input"),
        );
        return None;
    }
    let Tree::Group(mut root) = tree else {
        return None;
    };
    let version = match root.get("version") {
        Some(Tree::Data(d)) => d.as_text().map(str::to_owned),
        Some(Tree::Group(_)) | None => None,
    };
    match root.remove("node") {
        Some(tree @ Tree::Group(_)) => Some(Located {
            version,
            path: "/node",
            tree,
        }),
        Some(Tree::Data(_)) => {
            problems.push(Diagnostic::error(
                Code::NirType,
                &problems.origin("/node", "dataset"),
                "/node must be a group",
            ));
            None
        }
        None if root.contains_key("nodes") => {
            warn(
                problems,
                "this file has the layout of nir 0.0.5 or older: nodes by index at the root",
            );
            Some(Located {
                version,
                path: "",
                tree: Tree::Group(root),
            })
        }
        None => {
            problems.push(not_nir(&Tree::Group(root), problems));
            None
        }
    }
}

fn is_recording(tree: &Tree) -> bool {
    match tree.child("nodes") {
        Some(Tree::Group(nodes)) => nodes.values().any(|n| n.child("observables").is_some()),
        Some(Tree::Data(_)) | None => false,
    }
}

fn warn(problems: &mut Problems, message: &str) {
    let origin = problems.file_origin();
    problems.push(
        Diagnostic::warning(Code::NirLayout, &origin, message)
            .help("it was read; export it again with a newer nir to keep it readable everywhere"),
    );
}

/// Gives parameters of the first release their present names.
pub(super) fn rename(
    datasets: &mut BTreeMap<String, Dataset>,
    path: &str,
    type_name: &str,
    problems: &mut Problems,
) {
    let names: &[(&str, &str)] = match type_name {
        "LIF" | "IF" | "CubaLIF" => &[("theta", "v_threshold")],
        "Linear" | "Affine" => &[("weights", "weight")],
        "Threshold" => &[("theta", "threshold")],
        _ => &[],
    };
    for (old, new) in names {
        if datasets.contains_key(*new) {
            continue;
        }
        if let Some(dataset) = datasets.remove(*old) {
            datasets.insert((*new).to_owned(), dataset);
            problems.push(Diagnostic::warning(
                Code::NirLayout,
                &problems.origin(path, type_name),
                format!("'{old}' is the name that nir 0.0.1 gave to '{new}'"),
            ));
        }
    }
}

/// The edges of releases up to 0.0.6: pairs of node indices.
/// `None` if there is something else.
pub(super) fn integer_edges(dataset: &Dataset) -> Option<Vec<String>> {
    match &dataset.values {
        Values::Int(v) => Some(v.iter().map(i64::to_string).collect()),
        Values::F32(_) | Values::F64(_) | Values::Text(_) | Values::Other(_) => None,
    }
}
