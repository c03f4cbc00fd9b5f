//! s2c: the front ends and the driver behind the command line.
//!
//! A network file becomes a source graph, the source graph the network of
//! [`ir`]; passes, code generation and emulation follow in crates of their
//! own. This crate is the only one that reads and writes files.
#![forbid(unsafe_code)]

pub mod app;
pub mod arrays;
pub mod bundle;
pub mod calibrate;
pub mod carried;
pub mod check;
pub mod cli;
pub mod compare;
pub mod compile;
pub mod driver;
pub mod emit;
pub mod engines;
pub mod explain;
pub mod feed;
pub mod front;
pub mod golden;
pub mod inject;
pub mod inspect;
pub mod level;
pub mod opt;
pub mod optimise;
pub mod options;
pub mod plot;
pub mod predict;
pub mod progress;
pub mod render;
pub mod report;
pub mod run;
pub mod summary;
pub mod textio;
pub mod trace;
pub mod tracks;
