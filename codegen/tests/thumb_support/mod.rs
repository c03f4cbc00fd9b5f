//! What the Thumb tests share: outside tools, and a set of instructions that
//! touches every variant and every edge of its fields.
#![allow(dead_code)]

pub mod insts;

use std::process::Command;

/// Whether an outside tool is there. Its absence skips a test with a printed
/// reason, unless the environment demands that everything runs.
pub fn tool(name: &str) -> bool {
    let found = Command::new(name)
        .arg("--version")
        .output()
        .is_ok_and(|out| out.status.success());
    if !found {
        assert!(
            std::env::var_os("S2C_REQUIRE_ALL").is_none_or(|v| v != "1"),
            "{name} is not installed, and S2C_REQUIRE_ALL=1 forbids skipping"
        );
        println!("skipped: {name} is not installed");
    }
    found
}
