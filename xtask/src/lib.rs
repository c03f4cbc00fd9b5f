//! What `cargo xtask` does, reachable for its tests.
#![forbid(unsafe_code)]

pub mod cycles;
pub mod stress;
