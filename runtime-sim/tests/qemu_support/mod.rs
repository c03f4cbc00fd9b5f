//! Runs a bare program in QEMU, where that is installed.

use std::path::Path;
use std::process::{Command, Stdio};

/// True if QEMU is installed. Absence is a failure where everything must run.
pub(crate) fn qemu_present() -> bool {
    let found = Command::new("qemu-system-arm")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    if !found {
        assert!(
            std::env::var("S2C_REQUIRE_ALL").as_deref() != Ok("1"),
            "qemu-system-arm is required (S2C_REQUIRE_ALL=1) but not installed"
        );
        println!("skipped: qemu-system-arm is not installed");
    }
    found
}

/// Runs the image in QEMU; the guest writes its results to `out.bin` by semihosting.
pub(crate) fn run_qemu(image: &[u8], dir: &Path) -> Vec<u8> {
    let kernel = dir.join("k.bin");
    std::fs::write(&kernel, image).expect("write kernel");
    let out = dir.join("out.bin");
    let _ = std::fs::remove_file(&out);
    let result = Command::new("timeout")
        .arg("120")
        .arg("qemu-system-arm")
        .args(["-M", "mps2-an386", "-cpu", "cortex-m4", "-nographic"])
        .args(["-monitor", "none", "-serial", "none"])
        .args(["-semihosting-config", "enable=on,target=native"])
        .arg("-kernel")
        .arg(&kernel)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .expect("start qemu");
    let text = String::from_utf8_lossy(&result.stderr);
    assert!(result.status.success(), "qemu: {} {text}", result.status);
    std::fs::read(out).unwrap_or_else(|e| panic!("no result file: {e}; {text}"))
}
