//! Kernels: one a file, each a description that builds CLIF.

pub mod blocked;
pub mod builder;
pub mod conv;
pub mod count;
pub mod dense;
pub mod lanes;
pub mod mac;
pub mod receive;
mod record;
pub mod rows;
pub mod send;
pub mod slots;
pub mod source;
pub mod sparse;
pub mod update;
pub mod values;

pub use blocked::BlockedRows;
pub use builder::{Addressing, Kernel, KernelBuilder, build};
pub use conv::ConvRow;
pub use count::CountRow;
pub use cranelift_codegen::ir::Value;
pub use cranelift_codegen::ir::condcodes::IntCC;
pub use dense::DenseRow;
pub use lanes::Pair;
pub use receive::{Carries, DelayedProduct, DelayedRows, KeyRange, Receive, RowLists};
pub use rows::{RowBlock, RowKernel, RowLayout, SourcePixels};
pub use send::Send;
pub use slots::Slots;
pub use source::Source;
pub use sparse::SparseRow;
pub use update::{
    FireOps, FixedUpdate, MembraneOp, Neurons, Operand, Output, ResetOp, SynapseOps, Update,
};
pub use values::{ValueRows, Values};
