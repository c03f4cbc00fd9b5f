//! The binary `s2c`; everything is in the library, so that tests can reach it.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    compiler::app::main(std::env::args_os())
}
