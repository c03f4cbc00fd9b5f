//! The SpiNNaker2 emulator: executes the bytes of a bundle, nothing else.
//!
//! Each processing element is a Cortex-M4F ([`cpu`]) with 128 kB of local SRAM and its
//! devices. Time is counted in core cycles; every cost that is not a published fact of
//! the chip is a named number that the caller passes in.

pub mod cpu;
