//! Every NIR file of the corpus loads, is repaired with a warning, or is
//! refused with a diagnostic that says what to do: compared with the table in
//! `docs/nir-files.md`, which `S2C_UPDATE_DOCS=1` rewrites.

mod nir_support;

use compiler::front::{self, ReadOptions};
use ir::Diagnostic;
use nir_support::{corpus, files};
use std::path::Path;

const HEAD: &str = "\
# NIR files in the wild

Every file of the test corpus `corpus/nir` (files written by released versions
of nir, older blobs of published files, the files of the NIR paper), as the
reader, the lowering and the shape inference take it. *loads*: taken as it is.
*repaired*: taken after the repair that the message describes, a warning;
`--strict` makes it an error. *refused*: it has no meaning as it stands.

A test keeps this table true. `S2C_UPDATE_DOCS=1` writes it anew:

```text
S2C_UPDATE_DOCS=1 cargo test -p compiler --test nir_files
```

| file | outcome | messages | first message |
|---|---|---|---|
";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Loads,
    Repaired,
    Refused,
}

/// What becomes of one file.
fn outcome(bytes: &[u8], name: &str) -> (Outcome, Vec<Diagnostic>) {
    let loaded = front::load(bytes, name, ReadOptions::default());
    let (mut network, mut warnings) = match loaded {
        Ok(loaded) => loaded,
        Err(errors) => return (Outcome::Refused, errors.0),
    };
    match passes::infer_shapes::infer(&mut network) {
        Err(errors) => (Outcome::Refused, errors.0),
        Ok(more) => {
            warnings.extend(more);
            let kind = if warnings.is_empty() {
                Outcome::Loads
            } else {
                Outcome::Repaired
            };
            (kind, warnings)
        }
    }
}

fn row(root: &Path, path: &Path) -> String {
    let name = path.strip_prefix(root).unwrap().display().to_string();
    let bytes = std::fs::read(path).unwrap();
    let (outcome, messages) = outcome(&bytes, &name);
    let kind = match outcome {
        Outcome::Loads => "loads",
        Outcome::Repaired => "repaired",
        Outcome::Refused => "refused",
    };
    let first = messages.first().map_or(String::new(), |d| {
        assert!(d.code != ir::Code::Internal, "{name}: {d}");
        assert_eq!(d.is_error(), outcome == Outcome::Refused, "{name}: {d}");
        assert!(d.help.is_some(), "{name} does not say what to do: {d}");
        let place = d.origin.to_string().replace(&format!("{name}: "), "");
        format!("{} {}, at {place}", d.code.id(), d.message)
    });
    let codes: Vec<&str> = messages.iter().map(|d| d.code.id()).collect();
    let first = first.replace('|', "\\|");
    format!("| {name} | {kind} | {} | {first} |\n", codes.join(" "))
}

#[test]
fn the_table_of_the_docs_is_true() {
    let Some(root) = corpus() else { return };
    let root = root.join("nir");
    let mut table = HEAD.to_owned();
    let found = files(&root, &["nir", "nird"]);
    assert!(found.len() > 70, "only {} files were found", found.len());
    for path in &found {
        table.push_str(&row(&root, path));
    }
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/nir-files.md");
    if std::env::var_os("S2C_UPDATE_DOCS").is_some_and(|v| v == "1") {
        std::fs::create_dir_all(docs.parent().unwrap()).unwrap();
        std::fs::write(&docs, &table).unwrap();
    }
    let committed = std::fs::read_to_string(&docs).unwrap_or_default();
    let differs = committed.lines().zip(table.lines()).find(|(a, b)| a != b);
    assert_eq!(differs, None, "docs/nir-files.md, then what is true");
    assert_eq!(
        committed.len(),
        table.len(),
        "rows are missing in docs/nir-files.md"
    );
}

/// `--strict` refuses exactly what is repaired.
#[test]
fn strict_refuses_what_is_repaired() {
    let Some(root) = corpus() else { return };
    let options = ReadOptions {
        strict: true,
        ..ReadOptions::default()
    };
    for path in files(&root.join("nir"), &["nir"]) {
        let bytes = std::fs::read(&path).unwrap();
        let name = path.display().to_string();
        let (lenient, _) = outcome(&bytes, &name);
        let strict = front::load(&bytes, &name, options).and_then(|(mut network, _)| {
            let warnings = passes::infer_shapes::infer(&mut network)?;
            front::refuse_repairs(&warnings)
        });
        assert_eq!(strict.is_ok(), lenient == Outcome::Loads, "{name}");
    }
}
