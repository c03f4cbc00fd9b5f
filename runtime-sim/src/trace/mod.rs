//! What PEs do, one event at a time: instructions, packets, spikes, pieces of work.
//!
//! Tracing changes nothing that a program can see. A PE that is not traced pays
//! nothing for it; one whose instructions are traced executes them one by one.
//!
//! Memory is bounded: a request has a number of events, shared evenly between the
//! PEs that it names, and what is beyond a PE's share is only counted. Each PE keeps
//! its own events until [`Machine::take_trace`], so their order does not depend on
//! host threads.

mod chrome;
mod names;
mod record;
mod text;

use crate::machine::Machine;
use ir::geometry::GlobalPe;
use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Write};

use self::names::Names;
pub(crate) use self::record::Recorder;

/// What to trace of whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// PEs whose instructions are traced.
    pub instructions: BTreeSet<GlobalPe>,
    /// PEs whose packets are traced, sent and received.
    pub packets: BTreeSet<GlobalPe>,
    /// PEs of whose packets those are traced that belong to a population.
    pub spikes: BTreeSet<GlobalPe>,
    /// Most events in all.
    pub events: u64,
}

impl Request {
    /// The PEs of which anything is traced.
    pub fn pes(&self) -> BTreeSet<GlobalPe> {
        let lists = [&self.instructions, &self.packets, &self.spikes];
        lists.into_iter().flatten().copied().collect()
    }
}

/// A register of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Register {
    /// R0 to R12, SP, LR.
    Core(u8),
    /// N, Z, C, V, Q and GE.
    Apsr,
    /// S0 to S31.
    Single(u8),
    /// FPSCR.
    Fpscr,
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Register::Core(13) => f.write_str("sp"),
            Register::Core(14) => f.write_str("lr"),
            Register::Core(n) => write!(f, "r{n}"),
            Register::Apsr => f.write_str("apsr"),
            Register::Single(n) => write!(f, "s{n}"),
            Register::Fpscr => f.write_str("fpscr"),
        }
    }
}

/// An executed instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Its address.
    pub pc: u32,
    /// Its bytes; the second half counts for 32-bit instructions only.
    pub opcode: [u16; 2],
    /// It stood in an IT block.
    pub in_it: bool,
    /// Machine time from its beginning to that of the next.
    pub span: u64,
    /// Registers that have another value than before.
    pub changes: Vec<(Register, u32)>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The timer woke the program, or a late program took up the next tick.
    WorkBegins {
        /// The tick.
        tick: u32,
    },
    /// The program sleeps again.
    WorkEnds {
        /// Core cycles since it was woken.
        cycles: u64,
    },
    /// The core took an exception.
    Exception {
        /// Its number.
        number: u16,
    },
    /// An instruction.
    Executed(Box<Executed>),
    /// A packet left the PE.
    Sent {
        /// Its key.
        key: u32,
        /// Its payload, if it has one.
        payload: Option<u32>,
        /// The tick of the PE; none before the first.
        tick: Option<u32>,
    },
    /// A packet reached the PE.
    Received {
        /// Its key.
        key: u32,
        /// Its payload, if it has one.
        payload: Option<u32>,
        /// Index of the PE that sent it.
        source: u32,
    },
}

/// Something that a PE did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Machine time.
    pub time: u64,
    /// Index of the PE in [`Machine::pes`].
    pub pe: usize,
    /// What it did.
    pub what: What,
}

/// How a trace is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One line an event.
    Text,
    /// Trace events for chrome://tracing and Perfetto.
    Chrome,
}

/// Writes the events of one sample after the other.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    format: Format,
    names: Names,
    /// Something stands in the list of a JSON trace.
    begun: bool,
}

impl<W: Write> Writer<W> {
    /// Begins a trace of `machine`, whose machine time has `hz` units a second.
    pub fn new(machine: &Machine, hz: u64, format: Format, mut out: W) -> io::Result<Self> {
        let names = Names::new(machine, hz);
        match format {
            Format::Text => text::begin(&mut out, hz)?,
            Format::Chrome => chrome::begin(&mut out)?,
        }
        Ok(Self {
            out,
            format,
            names,
            begun: false,
        })
    }

    /// Writes the events of a sample.
    pub fn sample(&mut self, sample: usize, events: &[Event]) -> io::Result<()> {
        match self.format {
            Format::Text => text::sample(&mut self.out, &self.names, sample, events),
            Format::Chrome => {
                let lines = chrome::lines(&self.names, sample, events);
                for line in lines {
                    let comma = if self.begun { ",\n" } else { "" };
                    self.begun = true;
                    write!(self.out, "{comma}{line}")?;
                }
                Ok(())
            }
        }
    }

    /// Ends the trace; `lost` are the events for which there was no room.
    pub fn finish(mut self, lost: u64) -> io::Result<W> {
        match self.format {
            Format::Text => text::end(&mut self.out, lost)?,
            Format::Chrome => chrome::end(&mut self.out, lost)?,
        }
        self.out.flush()?;
        Ok(self.out)
    }
}
