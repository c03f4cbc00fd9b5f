//! Kernels in plain C, compiled by `arm-none-eabi-gcc` where it is installed.

use super::Call;
use codegen::thumb::{FrameInfo, MachineFunction};
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::bare::CODE;

/// A C file whose function `kernel` does what the bench does.
#[derive(Clone, Debug)]
pub struct Twin {
    /// In `xtask/c`.
    pub file: &'static str,
    /// Macros, as `NAME=value`.
    pub defines: Vec<String>,
    /// Its own calls, where arguments or memory are not those of the bench.
    pub calls: Option<Vec<Call>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    O3,
    Unroll,
}

impl Twin {
    pub fn new(file: &'static str, defines: &[&str]) -> Self {
        Self {
            file,
            defines: defines.iter().map(|&d| d.to_owned()).collect(),
            calls: None,
        }
    }

    pub fn source(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("c")
            .join(self.file)
    }

    /// The function, with all that it calls; `None` where the compiler is absent.
    pub fn compile(&self, level: Level) -> Option<MachineFunction> {
        let gcc = "arm-none-eabi-gcc";
        if Command::new(gcc).arg("--version").output().is_err() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a scratch folder");
        let elf = folder.path().join("kernel.elf");
        let binary = folder.path().join("kernel.bin");
        let mut command = Command::new(gcc);
        command
            .args(["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard"])
            .args(["-mfpu=fpv4-sp-d16", "-ffreestanding", "-nostdlib"])
            // Each step rounds, as the reference does.
            .args(["-O3", "-ffp-contract=off"]);
        if level == Level::Unroll {
            command.arg("-funroll-loops");
        }
        command.args(self.defines.iter().map(|d| format!("-D{d}")));
        command
            .arg("-T")
            .arg(self.source().with_file_name("kernel.ld"));
        command.args([
            "-Wl,--no-warn-rwx-segments",
            &format!("-Wl,--defsym=place={CODE}"),
        ]);
        command.arg(self.source()).arg("-o").arg(&elf);
        run(&mut command);
        run(Command::new("arm-none-eabi-objcopy")
            .args(["-O", "binary"])
            .arg(&elf)
            .arg(&binary));
        Some(MachineFunction {
            name: "kernel".to_owned(),
            code: std::fs::read(&binary).expect("objcopy wrote the code"),
            align: 4,
            relocs: vec![],
            ranges: vec![],
            listing: vec![],
            frame: FrameInfo::default(),
        })
    }
}

fn run(command: &mut Command) {
    let out = command.output().expect("the tool starts");
    assert!(
        out.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}
