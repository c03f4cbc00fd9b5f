//! The binary `s2c`, built for this crate's tests: Cargo gives a test only the
//! binaries of its own package.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    compiler::app::main(std::env::args_os())
}
