//! Data and meaning: what a network is, what its graphs are, what the chip is.
//!
//! # Time
//!
//! A *network step* is what the framework computes at once. A *tick* is what
//! the chip does between two timer interrupts, in three phases: receive,
//! update, send. A spike sent in tick `t` over a projection of delay `d` is
//! added to the target's input of tick `t + d`; `d` is at least 1, because a
//! PE reads its ring before it updates. A population of latency `L` computes
//! step `s` in tick `s + L`.
//!
//! # Levels
//!
//! [`network::Network`] is the float graph as the file says it;
//! [`app::AppGraph`] has populations and projections;
//! [`machine_graph::MachineGraph`] has slices that fit a PE; the tables of
//! [`module::Module`] say where they are and how spikes travel;
//! [`image::ImageSet`] is bytes. [`facts::Fact`] names what holds.
//!
//! **Invariant:** this crate holds no mapping algorithm and does no IO.
#![forbid(unsafe_code)]

pub mod app;
pub mod code;
pub mod diag;
pub mod facts;
pub mod fixed;
pub mod fixed_point;
pub mod geometry;
pub mod golden;
pub mod id;
pub mod image;
pub mod key;
pub mod machine;
pub mod machine_graph;
pub mod memory;
pub mod module;
pub mod network;
pub mod neuron;
pub mod origin;
pub mod routing;
pub mod semantics;
pub mod series;
pub mod target;
pub mod tensor;
pub mod text;
pub mod verify;

pub use code::Code;
pub use diag::{Diagnostic, Diagnostics, Severity};
pub use facts::{Fact, FactSet};
pub use geometry::{ChipCoord, GlobalPe, PeCoord};
pub use id::{Id, IdVec, NetId, NodeId, PopId, ProjId, VertexId};
pub use key::KeyMask;
pub use module::Module;
pub use network::Network;
pub use origin::Origin;
pub use semantics::Semantics;
pub use series::{Observable, Series};
pub use target::Target;
pub use tensor::{DType, Data, Shape, Tensor};
