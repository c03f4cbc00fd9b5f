//! The fixed parts of each PE program: vectors, start-up, the tick.
//!
//! ```text
//! reset   enable the FPU, set up the receive ring and interrupts, sleep
//! start   (global start interrupt) load and start the timer
//! tick    (timer interrupt) receive, add values, update, send, record
//! ```
//!
//! The tick runs as the interrupt handler itself, so going to sleep and waking
//! need no code, and a tick that is still running when the next is due is
//! simply followed by it: late, counted, never lost.

pub mod startup;
pub mod tick;
pub mod vectors;
pub mod wait;

pub use startup::{Reset, Ring, Start};
pub use tick::{LateOffset, Level, Record, Step, Tick, Waiting};
