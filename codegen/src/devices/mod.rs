//! Drivers: what kernels write to and read from the computing units of a PE.
//!
//! Each driver takes its addresses from the target and emits register accesses on a
//! [`KernelBuilder`](crate::kernels::KernelBuilder). None of them has a host twin: the host
//! form of a kernel returns at the first access (see `kernels/builder/device.rs`). Tests
//! compare emitted code in the emulator with plain Rust instead.

pub mod dma;
pub mod explog;
pub mod ipi;
pub mod level;
pub mod mla;
pub mod packet;
pub mod rings;
pub mod rng;
pub mod rounding;
pub mod timer;
pub mod window;

pub use dma::Dma;
pub use explog::{ExpLog, Format, Function};
pub use mla::{Job, MacArray, Operand, Output, Shape, Width, Window};
pub use packet::Packets;
pub use rings::Ring;
pub use rng::Random;
pub use rounding::{Integer, Rounding, Step};
