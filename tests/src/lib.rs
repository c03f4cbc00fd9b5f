//! What the tests of this crate share: tools and data that may be absent.
#![forbid(unsafe_code)]

pub mod bare;
pub mod dense;
pub mod device_bench;
pub mod device_machine;
pub mod differential;
pub mod lab;
pub mod machine_bench;
pub mod pipeline;
pub mod random;
pub mod ring;
pub mod sweep;

use std::path::PathBuf;
use std::process::Command;

/// Whether a missing tool or corpus is a failure instead of a skip.
pub fn require_all() -> bool {
    std::env::var_os("S2C_REQUIRE_ALL").is_some_and(|v| v == "1")
}

/// Prints why a test does not run, or fails it under `S2C_REQUIRE_ALL=1`.
pub fn skip(reason: &str) {
    assert!(!require_all(), "S2C_REQUIRE_ALL=1 but {reason}");
    eprintln!("skipped: {reason}");
}

/// A file or folder of the shared corpus, or `None` after saying why not.
pub fn corpus(path: &str) -> Option<PathBuf> {
    let Some(root) = std::env::var_os("S2C_CORPUS") else {
        skip("S2C_CORPUS is not set");
        return None;
    };
    // Tests run in their package's folder; the variable may be relative to the workspace.
    let root = PathBuf::from(root);
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let full = if root.is_absolute() {
        root
    } else {
        workspace.join(root)
    };
    let full = full.join(path);
    if !full.exists() {
        skip(&format!("{path} is not in the corpus"));
        return None;
    }
    Some(full)
}

/// Whether a program can be run; says so if not.
pub fn tool(name: &str) -> bool {
    let found = Command::new(name)
        .arg("--version")
        .output()
        .is_ok_and(|o| o.status.success());
    if !found {
        skip(&format!("{name} is not installed"));
    }
    found
}

/// The workspace's root folder.
pub fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What a run of the command line left.
#[derive(Clone, Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `s2c` with these arguments in the workspace's root.
pub fn s2c<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Ran {
    let out = Command::new(s2c_path())
        .args(args)
        .current_dir(workspace())
        .stdin(std::process::Stdio::null())
        .output()
        .expect("s2c starts");
    Ran {
        code: out.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
    }
}

/// The binary under test stands beside the test binaries' folder.
pub fn s2c_path() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test
        .parent()
        .and_then(|deps| deps.parent())
        .expect("target/<profile>/deps");
    profile.join(format!("s2c_under_test{}", std::env::consts::EXE_SUFFIX))
}
