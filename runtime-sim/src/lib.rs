//! The SpiNNaker2 emulator: executes the bytes of a bundle, nothing else.
//!
//! Each processing element is a Cortex-M4F ([`cpu`]) with 128 kB of local SRAM and its
//! devices. Time is counted in cycles of the fastest core clock ([`clock`]); every cost that is not a published fact of
//! the chip is a named number that the caller passes in.

//! [`Machine::load`] checks a compiled network and runs its start-up code;
//! [`Machine::run_sample`] gives it the spikes of one sample and returns what it did;
//! [`run_batch`] does so for many samples on several host threads. PEs share nothing
//! but packets, so each runs alone until it has to know which packets have reached it
//! (`sched`).
//!
//! **Determinism:** the same images and samples give the same results, whatever the
//! number of host threads.
//!
//! **Invariant:** no program and no image makes the emulator panic; what is unsound is
//! a diagnostic of the load, what goes wrong is one of the run.

pub mod alone;
pub mod backtrace;
pub mod batch;
pub mod bus;
mod chip;
pub mod clock;
mod coupled;
pub mod cpu;
pub mod dram;
pub mod energy;
pub mod host;
pub mod inject;
pub mod inputs;
pub mod link_report;
pub mod links;
mod load;
mod mac_report;
pub mod machine;
pub mod mmio;
pub mod noc;
mod pages;
mod pe;
pub mod remote;
pub mod report;
pub mod router;
mod sched;
mod session;
pub mod symbols;
pub mod trace;

pub use batch::run_batch;
pub use clock::Level;
pub use inject::{Injected, Injection};
pub use inputs::{Event, SampleRun, Taps};
pub use mac_report::MacReport;
pub use machine::Machine;
pub use pe::FUEL_TICKS;
pub use report::{BatchResult, RunReport, SampleResult};
