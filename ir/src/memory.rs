//! Memory of one PE: named regions at fixed addresses of its local SRAM.

use crate::id::{ProjId, VertexId};
use std::fmt;

/// What a region holds. The layouts are part of the contract between
/// `lay-out-memory`, code generation and the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegionKind {
    /// Vectors, code and constants: a reservation.
    Text,
    /// Words that the program keeps between ticks; see [`control`].
    Control,
    /// float32 each atom, or absent if uniform.
    Decay,
    Offset,
    Threshold,
    /// Reset value, or the amount that a spike subtracts.
    Reset,
    /// Membrane, float32 each atom.
    V,
    /// Input accumulators: `slots` rows of `padded(n)` integers.
    Accumulators,
    /// Receive ring, 4-byte keys.
    Ring,
    /// Rows of one projection for the atoms of one source vertex: one row per
    /// source atom of `padded(n)` weights.
    Rows {
        projection: ProjId,
        source: VertexId,
    },
    /// Input events of a spike source; see [`events`].
    Events,
    /// Spike record: see [`record`].
    SpikeRecord,
    Stack,
}

impl fmt::Display for RegionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegionKind::Text => f.write_str("text"),
            RegionKind::Control => f.write_str("control"),
            RegionKind::Decay => f.write_str("decay"),
            RegionKind::Offset => f.write_str("offset"),
            RegionKind::Threshold => f.write_str("threshold"),
            RegionKind::Reset => f.write_str("reset"),
            RegionKind::V => f.write_str("v"),
            RegionKind::Accumulators => f.write_str("accumulators"),
            RegionKind::Ring => f.write_str("ring"),
            RegionKind::Rows { projection, source } => write!(f, "rows {projection} {source}"),
            RegionKind::Events => f.write_str("events"),
            RegionKind::SpikeRecord => f.write_str("spike_record"),
            RegionKind::Stack => f.write_str("stack"),
        }
    }
}

/// Which line of a [`crate::machine_graph::Budget`] a region belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetLine {
    Text,
    Data,
    State,
    Rows,
}

impl RegionKind {
    pub fn budget_line(self) -> BudgetLine {
        match self {
            RegionKind::Text => BudgetLine::Text,
            RegionKind::V | RegionKind::Accumulators => BudgetLine::State,
            RegionKind::Rows { .. } => BudgetLine::Rows,
            RegionKind::Control
            | RegionKind::Decay
            | RegionKind::Offset
            | RegionKind::Threshold
            | RegionKind::Reset
            | RegionKind::Ring
            | RegionKind::Events
            | RegionKind::SpikeRecord
            | RegionKind::Stack => BudgetLine::Data,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    pub kind: RegionKind,
    /// Byte address in local SRAM, a multiple of 4 (of 8 for the stack).
    pub addr: u32,
    pub bytes: u32,
}

impl Region {
    pub fn end(self) -> u32 {
        self.addr + self.bytes
    }
}

/// The regions of one PE, ascending by address, not overlapping.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct MemoryLayout {
    pub regions: Vec<Region>,
}

impl MemoryLayout {
    pub fn find(&self, kind: RegionKind) -> Option<Region> {
        self.regions.iter().copied().find(|r| r.kind == kind)
    }
}

/// Accumulators and rows are padded to whole groups of this many targets, so
/// that the dense kernel needs no tail.
pub const GROUP: u32 = 8;

/// `n` rounded up to whole groups.
pub fn padded(n: u32) -> u32 {
    n.div_ceil(GROUP) * GROUP
}

/// Word offsets in the control region.
pub mod control {
    /// Ticks begun so far; the running tick's number while it runs.
    pub const TICK: u32 = 0;
    /// Next ring entry to read (address).
    pub const RING_READ: u32 = 4;
    /// Next word of the event region to read (address).
    pub const EVENTS_READ: u32 = 8;
    /// Next free word of the spike record (address).
    pub const RECORD_WRITE: u32 = 12;
    /// Ticks that ended after the next one was due.
    pub const MISSED: u32 = 16;
    /// Size of the region in bytes.
    pub const BYTES: u32 = 32;
}

/// The event region of a spike source holds, for consecutive ticks, a count
/// word and that many key words. Between ticks the host may write a new window
/// from the region's start and point `control::EVENTS_READ` there.
pub mod events {
    /// Bytes that a tick with `n` events takes.
    pub fn tick_bytes(n: u32) -> u64 {
        4 * (1 + u64::from(n))
    }
}

/// The spike record holds one frame per tick: the PE identity, the tick, and a
/// bitmap of the slice's atoms (bit `i % 32` of word `i / 32`).
pub mod record {
    /// Bytes of one frame for `n` atoms.
    pub fn frame_bytes(n: u32) -> u32 {
        4 * (2 + n.div_ceil(32))
    }
}
