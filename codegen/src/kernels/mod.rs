//! Kernels: one a file, each a description that builds CLIF.

pub mod builder;
pub mod dense;
pub mod receive;
mod record;
pub mod send;
pub mod source;
pub mod update;

pub use builder::{Addressing, Kernel, KernelBuilder, build};
pub use dense::DenseRow;
pub use receive::{KeyRange, Receive, RowBlock};
pub use send::Send;
pub use source::Source;
pub use update::{Operand, ResetOp, Update};
