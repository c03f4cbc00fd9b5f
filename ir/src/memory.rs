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
    /// Decay of the synaptic current, and what is added to it.
    SynDecay,
    SynOffset,
    /// Lower bound of the membrane.
    Floor,
    /// Factor from the chip's v to the value that is sent.
    Unit,
    /// What `Offset` (or `SynOffset`) becomes in a later step: entry `entry` of
    /// its [`crate::neuron::Constant`], float32 each atom.
    LateOffset {
        synapse: bool,
        entry: u32,
    },
    /// Membrane, float32 each atom.
    V,
    /// Synaptic current, float32 each atom.
    I,
    /// A word each atom: not zero if it spiked in the step before.
    Pending,
    /// Input accumulators: `slots` rows of `padded(n)` integers.
    Accumulators,
    /// Which sums convolutions have added to since the update; see [`touched`].
    Touched,
    /// Sum of values times weights, float32: `padded(n)`.
    Currents,
    /// Values received from one source vertex: `slots` rows of one float32 an atom,
    /// padded to whole groups.
    Values {
        source: VertexId,
    },
    /// Lists of addresses of dense rows, one for each delay; see [`lists`].
    Lists,
    /// Receive ring: 4-byte keys, or 8-byte entries of payload and key.
    Ring,
    /// Rows of one projection for the atoms of one source vertex; see [`rows`].
    Rows {
        projection: ProjId,
        source: VertexId,
    },
    /// The shared kernel of one convolution; see [`rows`].
    Kernel {
        projection: ProjId,
    },
    /// Weights of one projection for the MAC array; see [`array`].
    Matrix {
        projection: ProjId,
    },
    /// What arrived over it in a tick: a byte for each source atom; see [`array`].
    Counts {
        projection: ProjId,
    },
    /// A product that is to be added to the accumulators; see [`array`].
    Product,
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
            RegionKind::SynDecay => f.write_str("syn_decay"),
            RegionKind::SynOffset => f.write_str("syn_offset"),
            RegionKind::Floor => f.write_str("floor"),
            RegionKind::Unit => f.write_str("unit"),
            RegionKind::LateOffset { synapse, entry } => {
                let what = if *synapse {
                    "late_syn_offset"
                } else {
                    "late_offset"
                };
                write!(f, "{what} {entry}")
            }
            RegionKind::V => f.write_str("v"),
            RegionKind::I => f.write_str("i"),
            RegionKind::Pending => f.write_str("pending"),
            RegionKind::Touched => f.write_str("touched"),
            RegionKind::Currents => f.write_str("currents"),
            RegionKind::Values { source } => write!(f, "values {source}"),
            RegionKind::Kernel { projection } => write!(f, "kernel {projection}"),
            RegionKind::Matrix { projection } => write!(f, "matrix {projection}"),
            RegionKind::Counts { projection } => write!(f, "counts {projection}"),
            RegionKind::Product => f.write_str("product"),
            RegionKind::Accumulators => f.write_str("accumulators"),
            RegionKind::Lists => f.write_str("lists"),
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
            RegionKind::V
            | RegionKind::I
            | RegionKind::Pending
            | RegionKind::Accumulators
            | RegionKind::Touched
            | RegionKind::Currents
            | RegionKind::Counts { .. }
            | RegionKind::Product
            | RegionKind::Values { .. } => BudgetLine::State,
            RegionKind::Rows { .. } | RegionKind::Kernel { .. } | RegionKind::Matrix { .. } => {
                BudgetLine::Rows
            }
            RegionKind::Control
            | RegionKind::Decay
            | RegionKind::Offset
            | RegionKind::Threshold
            | RegionKind::Reset
            | RegionKind::SynDecay
            | RegionKind::SynOffset
            | RegionKind::Floor
            | RegionKind::Unit
            | RegionKind::LateOffset { .. }
            | RegionKind::Lists
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

/// Marks of sums for populations that do nothing without input and hear nothing but
/// convolutions of spikes ([`crate::app::AppGraph::touched`]): a byte for each group of
/// sums, not zero if something was added to one of them since the last update.
pub mod touched {
    /// Sums that have one mark.
    pub const TARGETS: u32 = 16;
    /// Marks that the update looks at together.
    pub const WORD: u32 = 4;

    /// Bytes of the marks of `n` sums.
    pub fn bytes(n: u32) -> u32 {
        n.div_ceil(TARGETS).next_multiple_of(WORD)
    }
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

/// The rows of spikes through dense int8 projections are listed first and added
/// together then: a list of addresses for each delay of such projections.
pub mod lists {
    /// Rows in a list. So many weights of -128 still fit an int16.
    pub const ROWS: u32 = 256;
    /// Bytes of one list.
    pub const BYTES: u32 = 4 * ROWS;
}

/// Dense projections that a vertex multiplies on its MAC array
/// ([`crate::machine_graph::MachineVertex::array`]). The matrix holds, for each atom of the
/// source population by position, `padded(n)` weights in the order of targets. The counts
/// hold a byte for each of these atoms: how often it sent since the last tick. The product
/// is one row of sums, wanted where other projections add to the accumulators too. All
/// regions of such a vertex are multiples of the array's alignment, and so begin at one.
pub mod array {
    /// Counts that are cleared together.
    pub const CLEARED: u32 = 32;

    /// Bytes of the counts of so many sources.
    pub fn counts_bytes(sources: u64) -> u64 {
        sources.next_multiple_of(CLEARED as u64)
    }
    /// Bytes of the matrix into `n` targets.
    pub fn matrix_bytes(sources: u64, n: u32, weight_bytes: u32) -> u64 {
        sources * u64::from(super::padded(n)) * u64::from(weight_bytes)
    }
}

/// The event region of a source holds, for consecutive ticks, a count word and
/// that many events: a key word, or a payload word and a key word where the
/// population sends payloads. Between ticks the host may write a new window
/// from the region's start and point `control::EVENTS_READ` there.
pub mod events {
    /// Bytes that a tick with `n` events takes.
    pub fn tick_bytes(n: u32, payload: bool) -> u64 {
        4 * (1 + u64::from(n) * if payload { 2 } else { 1 })
    }
}

/// Rows of synapses, by connector. Target numbers and source numbers count
/// within their slices, in the order of positions.
///
/// *Dense*: for each source atom `padded(n)` weights.
///
/// *Sparse*: a table of `n_source + 1` words, byte offsets from the region's
/// start to the entries of each source atom, then the entries. An entry with
/// int8 or int16 weights is one word: the target's byte offset in a row of
/// accumulators in the lower half, the weight in the upper half; with int32
/// weights it is two words: offset, then weight. While a source atom has four
/// entries left they stand together in the room of four: four offsets of a
/// halfword each, then four weights, then zeros.
///
/// *Conv*: the `Kernel` region holds, for each source channel of the projection
/// and each kernel element (row by row), a block of `padded_block` weights, one
/// for each channel of the target's block. The rows of a source vertex are
/// *taps*: a table of `n_pixels + 1` halfwords (padded to a whole word), the
/// number of the first tap of each source pixel from the vertex's first pixel
/// to its last, then the taps: a word each, the byte offset of the target
/// pixel's first accumulator in the lower half, that of the weight block within
/// its source channel in the upper half. The source channel is not in the table.
pub mod rows {
    /// Weights of a kernel block of `channels` channels, padded so that blocks
    /// are added in whole groups.
    pub const BLOCK: u32 = 4;

    pub fn padded_block(channels: u32) -> u32 {
        channels.div_ceil(BLOCK) * BLOCK
    }
    /// Sparse entries that stand together.
    pub const ENTRIES: u32 = 4;

    /// Bytes of one sparse entry.
    pub fn entry_bytes(weight_bytes: u32) -> u32 {
        if weight_bytes == 4 { 8 } else { 4 }
    }
    /// Bytes of the sparse rows of one source vertex.
    pub fn sparse_bytes(sources: u64, synapses: u64, weight_bytes: u32) -> u64 {
        4 * (sources + 1) + synapses * u64::from(entry_bytes(weight_bytes))
    }
    /// Bytes of the taps of one source vertex.
    pub fn taps_bytes(pixels: u64, taps: u64) -> u64 {
        (2 * (pixels + 1)).next_multiple_of(4) + 4 * taps
    }
    /// Bytes of the shared kernel.
    pub fn kernel_bytes(c_in: u64, elements: u64, channels: u32, weight_bytes: u32) -> u64 {
        c_in * elements * u64::from(padded_block(channels)) * u64::from(weight_bytes)
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
