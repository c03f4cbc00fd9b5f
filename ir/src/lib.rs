//! Data and meaning: the networks, graphs and machine model of s2c.
#![forbid(unsafe_code)]

pub mod code;
pub mod diag;
pub mod facts;
pub mod id;
pub mod network;
pub mod origin;
pub mod semantics;
pub mod series;
pub mod tensor;

pub use code::Code;
pub use diag::{Diagnostic, Diagnostics, Severity};
pub use facts::{Fact, FactSet};
pub use id::{Id, IdVec, NetId, NodeId, PopId, ProjId, VertexId};
pub use network::Network;
pub use origin::Origin;
pub use semantics::Semantics;
pub use series::{Observable, Series};
pub use tensor::{DType, Data, Shape, Tensor};
