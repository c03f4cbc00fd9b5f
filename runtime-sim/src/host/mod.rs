//! Host code that Cranelift made: kernels as the reference of the Thumb back
//! end, and regions of guest code for the emulator.
//!
//! All `unsafe` code of the project is in [`executable`], which owns finished
//! code, calls it and frees it. What makes its calls sound is said there.

mod executable;
mod kernel;
mod region;

pub(crate) use executable::CORE_BIAS;
pub use kernel::{HostError, HostKernel, HostMemory};
pub(crate) use region::{Between, RegionCode, RegionCompiler};
