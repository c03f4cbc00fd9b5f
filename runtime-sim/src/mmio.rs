//! Devices of a PE.
//!
//! A device knows nothing of the scheduler: it is told the cycle of each access
//! and says what happened to interrupt lines. Register offsets come from the
//! target file.

pub mod comms;
pub mod dma;
pub mod explog;
pub mod ipi;
pub mod mla;
pub mod outside;
pub mod packet;
pub mod rng;
pub mod rounding;
pub mod timer;
pub mod timers;
pub mod window;
