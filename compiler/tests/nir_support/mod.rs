//! Shared by the NIR tests: the corpus, and files built in memory.
#![allow(dead_code)] // every test binary uses a part of it

use compiler::front::lower::lower;
use compiler::front::nir::{self, NirGraph};
use hdf5_writer::{ByteOrder, DatasetBuilder, Hdf5Builder, WriteOptions};
use ir::diag::Diagnostics;
use ir::{Code, Diagnostic, Network};
use std::path::{Path, PathBuf};

/// The folder of the corpus, or `None` after printing why there is none.
/// Under `S2C_REQUIRE_ALL=1` its absence is a failure.
pub(crate) fn corpus() -> Option<PathBuf> {
    // Tests run in the crate's folder; a relative path is meant from the root.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let found = std::env::var_os("S2C_CORPUS").map(|path| root.join(path));
    match found {
        Some(path) if path.is_dir() => Some(path),
        other => {
            let reason = match other {
                Some(path) => format!("S2C_CORPUS is no folder: {}", path.display()),
                None => "S2C_CORPUS is not set".to_owned(),
            };
            let required = std::env::var_os("S2C_REQUIRE_ALL").is_some_and(|v| v == "1");
            assert!(
                !required,
                "{reason}, but S2C_REQUIRE_ALL=1 forbids skipping"
            );
            println!("skipped: {reason}");
            None
        }
    }
}

/// All files below a folder with one of the endings, sorted.
pub(crate) fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|e| endings.iter().any(|x| e == *x))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Reads and lowers.
pub(crate) fn load(bytes: &[u8], file: &str) -> Result<(Network, Vec<Diagnostic>), Diagnostics> {
    let (graph, mut warnings) = nir::read(bytes, file)?;
    let (network, more) = lower(&graph, file)?;
    warnings.extend(more);
    Ok((network, warnings))
}

/// A `.nir` file under construction.
pub(crate) struct File(Hdf5Builder, ByteOrder);

impl File {
    pub(crate) fn new() -> Self {
        Self::ordered(ByteOrder::LittleEndian)
    }
    /// With all numbers in this byte order.
    pub(crate) fn ordered(order: ByteOrder) -> Self {
        Self(Hdf5Builder::new(), order)
    }
    /// `/version` and an empty-typed graph at `/node`.
    pub(crate) fn graph() -> Self {
        Self::new().head()
    }
    pub(crate) fn head(self) -> Self {
        self.text("version", "1.0.8").text("node/type", "NIRGraph")
    }
    pub(crate) fn add(self, dataset: DatasetBuilder) -> Self {
        Self(self.0.dataset(dataset), self.1)
    }
    pub(crate) fn text(self, path: &str, value: &str) -> Self {
        self.texts(path, &[], &[value])
    }
    pub(crate) fn texts(self, path: &str, shape: &[u64], values: &[&str]) -> Self {
        self.add(DatasetBuilder::vlen_string_data(path, shape.to_vec(), values).unwrap())
    }
    pub(crate) fn floats(self, path: &str, shape: &[u64], values: &[f32]) -> Self {
        let order = self.1;
        let dataset = DatasetBuilder::typed_with_order::<f32>(path, shape.to_vec(), order);
        self.add(dataset.data(values).unwrap())
    }
    pub(crate) fn ints(self, path: &str, shape: &[u64], values: &[i64]) -> Self {
        let order = self.1;
        let dataset = DatasetBuilder::typed_with_order::<i64>(path, shape.to_vec(), order);
        self.add(dataset.data(values).unwrap())
    }
    pub(crate) fn edges(self, pairs: &[(&str, &str)]) -> Self {
        self.edges_of("node", pairs)
    }
    pub(crate) fn edges_of(self, graph: &str, pairs: &[(&str, &str)]) -> Self {
        let flat: Vec<&str> = pairs.iter().flat_map(|(a, b)| [*a, *b]).collect();
        self.texts(&format!("{graph}/edges"), &[pairs.len() as u64, 2], &flat)
    }
    pub(crate) fn port(self, name: &str, kind: &str, size: i64) -> Self {
        let at = format!("node/nodes/{name}");
        self.text(&format!("{at}/type"), kind)
            .ints(&format!("{at}/shape"), &[1], &[size])
    }
    pub(crate) fn linear(self, name: &str, out: u64, inp: u64) -> Self {
        let at = format!("node/nodes/{name}");
        let weight: Vec<f32> = (0..out * inp).map(|i| i as f32).collect();
        self.text(&format!("{at}/type"), "Linear").floats(
            &format!("{at}/weight"),
            &[out, inp],
            &weight,
        )
    }
    pub(crate) fn lif(self, name: &str, n: u64) -> Self {
        let at = format!("node/nodes/{name}");
        let ones = vec![1.0; n as usize];
        ["tau", "r", "v_leak", "v_threshold"]
            .iter()
            .fold(self.text(&format!("{at}/type"), "LIF"), |file, p| {
                file.floats(&format!("{at}/{p}"), &[n], &ones)
            })
    }
    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0
            .into_plan()
            .unwrap()
            .encode(WriteOptions {
                byte_order: self.1,
                ..WriteOptions::default()
            })
            .unwrap()
    }
    pub(crate) fn read(self) -> Result<(NirGraph, Vec<Diagnostic>), Diagnostics> {
        nir::read(&self.bytes(), "net.nir")
    }
    pub(crate) fn load(self) -> Result<(Network, Vec<Diagnostic>), Diagnostics> {
        load(&self.bytes(), "net.nir")
    }
    /// The only error of the file.
    pub(crate) fn error(self) -> Diagnostic {
        let errors = self.load().unwrap_err().0;
        assert_eq!(
            errors.iter().filter(|d| d.is_error()).count(),
            1,
            "{errors:?}"
        );
        errors.into_iter().find(Diagnostic::is_error).unwrap()
    }
    /// The only error, which must have this code and contain these words.
    pub(crate) fn fails(self, code: Code, words: &[&str]) {
        let error = self.error();
        let text = error.to_string();
        assert_eq!(error.code, code, "{text}");
        for word in words {
            assert!(text.contains(word), "no '{word}' in: {text}");
        }
    }
}

/// input(3) -> fc(3 -> 2) -> lif(2) -> output(2), without edges.
pub(crate) fn small() -> File {
    File::graph()
        .port("input", "Input", 3)
        .linear("fc", 2, 3)
        .lif("lif", 2)
        .port("output", "Output", 2)
}

pub(crate) const CHAIN: &[(&str, &str)] = &[("input", "fc"), ("fc", "lif"), ("lif", "output")];
