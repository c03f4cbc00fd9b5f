//! What the Thumb tests share: outside tools, and a set of instructions that
//! touches every variant and every edge of its fields.
#![allow(dead_code, unreachable_pub)]

pub mod insts;
pub mod qemu;

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

/// Compiles every function of a CLIF text.
pub fn compile(
    clif: &str,
    options: &codegen::thumb::Options,
) -> Vec<codegen::thumb::MachineFunction> {
    let functions =
        cranelift_reader::parse_functions(clif).unwrap_or_else(|e| panic!("{e}\n{clif}"));
    functions
        .into_iter()
        .map(|f| codegen::thumb::compile(f, &[], options).unwrap_or_else(|e| panic!("{e}\n{clif}")))
        .collect()
}
