//! The mapping passes: from a shaped float graph to slices, places, keys,
//! routes, tables and addresses.
//!
//! A pass is a line in the [registry], a [contract] in facts, an adapter of a
//! few lines that reads and writes the module, and a pure function that does
//! the work and is tested with tiny graphs. A [plan] is a list of passes that
//! is checked before anything runs; the [manager] runs it, tells an observer
//! about every step and has the verifier prove what each pass claims.
//!
//! **Invariant:** passes never read the file system, a clock or the
//! environment; what a pass needs comes with the module or the context. The
//! same module, target and options give the same bytes.
#![forbid(unsafe_code)]
// A pass fails once per run, so the size of the error costs nothing.
#![allow(clippy::result_large_err)]

pub mod activity;
pub mod allocate_keys;
pub mod balance_delays;
pub mod build_tables;
pub mod canonicalise;
pub mod choose_kernels;
pub mod contract;
pub mod discretise;
pub mod infer_shapes;
pub mod lay_out_memory;
pub mod manager;
pub mod partition;
pub mod place;
pub mod plan;
pub mod quantise;
pub mod regions;
pub mod registry;
pub mod route;
#[cfg(test)]
mod testing;

pub use activity::Activity;
pub use choose_kernels::Kernels;
pub use contract::Contract;
pub use manager::{MappingOptions, Observer, PassContext, Silent, run};
pub use partition::Goal;
pub use plan::Plan;
pub use registry::Pass;
