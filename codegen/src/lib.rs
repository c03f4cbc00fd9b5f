//! Code generation: kernels as CLIF, the Thumb-2 backend, PE programs, images.
//!
//! A PE program is specialised ahead of time for its slice: shapes, strides and
//! addresses are constants in the code. Kernels are built as CLIF; [`thumb`]
//! turns CLIF into machine code for a Cortex-M4F.
#![forbid(unsafe_code)]

pub mod thumb;
