//! Rules about the source tree that no compiler checks.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const CRATES: [&str; 8] = [
    "compiler",
    "ir",
    "passes",
    "codegen",
    "runtime-sim",
    "fixtures",
    "tests",
    "xtask",
];

/// Lines of a source file above which it must be split. Tests and tables are exempt.
const HARD_LIMIT: usize = 800;

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn sources() -> Vec<(PathBuf, String)> {
    let root = tests::workspace();
    let all = CRATES
        .iter()
        .flat_map(|c| rust_files(&root.join(c).join("src")));
    all.map(|path| {
        let text = fs::read_to_string(&path).expect("sources are UTF-8");
        (path, text)
    })
    .collect()
}

fn is_test_or_table(path: &Path) -> bool {
    let name = path.file_stem().and_then(|n| n.to_str()).unwrap_or("");
    ["tests", "testing", "table", "tables"].contains(&name)
}

#[test]
fn crates_depend_only_downwards() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("ir", &[][..]),
        ("fixtures", &[]),
        ("passes", &["ir"]),
        ("codegen", &["ir"]),
        ("runtime-sim", &["ir"]),
        ("compiler", &["ir", "passes", "codegen", "runtime-sim"]),
    ]);
    for (name, allowed) in allowed {
        let manifest = tests::workspace().join(name).join("Cargo.toml");
        let manifest = fs::read_to_string(manifest).expect("every crate has a manifest");
        let normal = manifest
            .split("[dependencies]")
            .nth(1)
            .and_then(|rest| rest.split("\n[").next())
            .unwrap_or("");
        for other in CRATES {
            let depends = normal.lines().any(|l| {
                l.strip_prefix(other)
                    .is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
            });
            assert!(
                !depends || allowed.contains(&other),
                "{name} must not depend on {other}"
            );
        }
    }
}

#[test]
fn unsafe_code_stays_in_its_one_module() {
    for (path, text) in sources() {
        let is_host = path.ends_with("runtime-sim/src/host/executable.rs");
        let allows = text.contains("allow(unsafe_code)") || text.contains("unsafe {");
        let is_lib = path.ends_with("runtime-sim/src/lib.rs");
        assert!(
            !allows || is_host || is_lib,
            "{} holds unsafe code",
            path.display()
        );
        let is_root = path.ends_with("src/lib.rs") || path.ends_with("src/main.rs");
        if is_root && !path.ends_with("runtime-sim/src/lib.rs") {
            assert!(
                text.contains("#![forbid(unsafe_code)]"),
                "{} must forbid unsafe code",
                path.display()
            );
        }
    }
}

#[test]
fn files_stay_small() {
    let long: Vec<String> = sources()
        .into_iter()
        .filter(|(path, _)| !is_test_or_table(path))
        .map(|(path, text)| {
            // A file's own unit tests do not count.
            let body = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
            (path, body.lines().count())
        })
        .filter(|(_, lines)| *lines > HARD_LIMIT)
        .map(|(path, lines)| format!("{} has {lines} lines", path.display()))
        .collect();
    assert!(
        long.is_empty(),
        "over {HARD_LIMIT} lines:\n{}",
        long.join("\n")
    );
}

#[test]
fn encoder_and_decoder_do_not_meet() {
    for (path, text) in sources() {
        let path = path.display().to_string();
        if path.contains("/codegen/") {
            assert!(!text.contains("runtime_sim"), "{path} uses the emulator");
        }
        if path.contains("/runtime-sim/") {
            assert!(!text.contains("codegen::thumb"), "{path} uses the encoder");
        }
    }
}

#[test]
fn only_the_compiler_does_io() {
    for (path, text) in sources() {
        let name = path.display().to_string();
        let pure = [
            "/ir/src/",
            "/passes/src/",
            "/codegen/src/",
            "/runtime-sim/src/",
        ];
        if pure.iter().any(|p| name.contains(p)) {
            for forbidden in ["std::fs", "println!", "eprintln!", "std::process::exit"] {
                assert!(!text.contains(forbidden), "{name} uses {forbidden}");
            }
        }
    }
}

#[test]
fn every_diagnostic_code_is_unique_and_explained() {
    let mut ids: Vec<&str> = ir::Code::ALL.iter().map(|c| c.id()).collect();
    ids.sort_unstable();
    let n = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), n, "two codes share an id");
    for code in ir::Code::ALL {
        assert!(code.text().len() > 20, "{} has no explanation", code.id());
    }
}
