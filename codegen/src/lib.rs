//! Code generation: kernels as CLIF, the Thumb-2 backend, PE programs, images.
//!
//! A PE program is specialised ahead of time for its slice: shapes, strides,
//! addresses, key decoding and uniform parameters are constants in the code.
//! [`kernels`], [`devices`] and [`frame`] build CLIF; [`thumb`] turns CLIF into machine
//! code for a Cortex-M4F; `program` chooses the kernels of a vertex,
//! [`contents`] lists what its memory starts with, `link` puts the code behind
//! a vector table, and [`elf`] writes files.
//!
//! **Invariant:** this crate decides no address: `lay-out-memory` did. What a
//! region was planned to hold is what is written, or it is an internal error.
#![forbid(unsafe_code)]

pub mod contents;
pub mod devices;
pub mod elf;
pub mod frame;
pub mod kernels;
pub mod thumb;

mod image;
mod link;
mod program;

use ir::VertexId;
use std::collections::BTreeMap;

pub use image::{VertexCode, compile, compile_with, listings};
pub use program::Program;

/// What programs are to do beside computing the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// PEs set their own performance level in each tick.
    pub auto_level: Option<devices::level::AutoLevel>,
    /// The same for single vertices, before `auto_level`. If any vertex is named, all
    /// that are not and have no `auto_level` are as if their threshold were 0.
    pub levels: BTreeMap<VertexId, devices::level::AutoLevel>,
}

impl Options {
    /// The policy of a vertex. Levels that differ between PEs need all programs to wait
    /// for slow ones, so all have a policy or none.
    pub fn level_of(&self, vertex: VertexId) -> Option<devices::level::AutoLevel> {
        let own = self.levels.get(&vertex).copied().or(self.auto_level);
        let fast = devices::level::AutoLevel { threshold: 0 };
        own.or_else(|| (!self.levels.is_empty()).then_some(fast))
    }
}
