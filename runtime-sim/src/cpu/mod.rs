//! The Cortex-M4F of one processing element: decoder and predecoded interpreter.
//!
//! [`Core::run`] executes the guest's bytes from local SRAM until a cycle limit, a
//! sleep or a fault, and counts cycles by the rules in [`Costs`]. Each instruction is
//! decoded once per address and kept until its bytes change, so self-modifying code
//! and loaders work.
//!
//! What belongs to the core: registers, FPU, exceptions, the interrupt controller and
//! the system control space at 0xE000_E000. What does not: SysTick, the MPU, debug.
//! Devices and remote memories are behind [`Mmio`].
//!
//! **Invariant:** nothing a guest does can make the host panic, allocate without
//! bound, or reach outside its [`Memory`]; whatever the architecture leaves undefined
//! or unpredictable is a precise [`Fault`].
//!
//! **Determinism:** the result of a run depends only on the core, the memory and the
//! answers of the devices.

mod block;
mod code;
mod core;
mod cycles;
mod dbt;
mod decode;
mod display;
mod exception;
mod exec;
mod fault;
mod flags;
mod float;
mod hot;
mod interpreter;
mod memory;
mod nvic;
pub mod op;

pub use self::core::Core;
pub use self::cycles::{Costs, Timing};
pub use self::dbt::{Engine, Translations};
pub use self::decode::{Decoded, decode, is_wide};
pub use self::fault::{BusError, Exit, Fault, FaultKind};
pub use self::flags::Flags;
pub use self::float::Fpu;
pub use self::memory::{Effects, Memory, Mmio, NoMmio, Ports, Size};
pub use self::nvic::{IRQ0, LINES, PENDSV, SVCALL};
