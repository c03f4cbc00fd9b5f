//! s2c: the front ends and the driver behind the command line.
//!
//! A network file becomes a source graph, the source graph the network of
//! [`ir`]; passes, code generation and emulation follow in crates of their
//! own. This crate is the only one that reads and writes files.
#![forbid(unsafe_code)]

pub mod front;
