//! What one PE did in one sample.

use crate::energy::Activity;
use crate::link_report::LinkStats;
use crate::mmio::mla;
use ir::geometry::GlobalPe;
use serde::Serialize;

/// What one PE did in one sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeStats {
    pub pe: GlobalPe,
    /// Cycles of each tick's work: from the timer interrupt (or the end of the
    /// work before, if that was late) to sleep.
    pub tick_cycles: Vec<u64>,
    pub instructions: u64,
    /// Core cycles awake.
    pub busy_cycles: u64,
    /// Machine time awake from the first tick on, changes of level included.
    pub busy_time: u64,
    pub level_changes: u64,
    /// What energy is counted by.
    pub activity: Activity,
    /// Every deadline that was missed, in order, up to [`MISSED_KEPT`] of them.
    pub missed: Vec<Missed>,
    /// How many deadlines were missed.
    pub missed_deadlines: u64,
    /// Multicast packets sent.
    pub sent: u64,
    /// How many of them had a payload.
    pub sent_payloads: u64,
    /// Packets that arrived and entered the ring.
    pub received: u64,
    /// Packets lost at a full ring.
    pub dropped: u64,
    /// Packets that waited for room in the ring, where the target says that they do.
    pub ring_waited: u64,
    /// Packets that arrived while no ring was enabled.
    pub unreceived: u64,
    /// Packets that lost their payload at a ring of keys.
    pub stripped: u64,
    /// Most entries that were in the ring at once.
    pub ring_high_water: u32,
    /// What the MAC array did.
    pub mla: mla::Activity,
    pub links: LinkStats,
}

/// Missed deadlines that are kept in detail for each PE and sample.
pub const MISSED_KEPT: usize = 256;

/// A timer interrupt that came while the work of the tick before was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// The tick whose work was not done in time.
    pub tick: u32,
    /// Where the program was when the next interrupt came.
    pub pc: u32,
    /// The same as symbol and offset, if a symbol is known.
    pub symbol: Option<String>,
    /// Cycles that the work took in the end.
    pub cycles_used: u64,
}

impl PeStats {
    pub(crate) fn new(pe: GlobalPe) -> Self {
        Self {
            pe,
            tick_cycles: Vec::new(),
            instructions: 0,
            busy_cycles: 0,
            busy_time: 0,
            level_changes: 0,
            activity: Activity::default(),
            missed: Vec::new(),
            missed_deadlines: 0,
            sent: 0,
            sent_payloads: 0,
            received: 0,
            dropped: 0,
            ring_waited: 0,
            unreceived: 0,
            stripped: 0,
            ring_high_water: 0,
            mla: mla::Activity::default(),
            links: LinkStats::default(),
        }
    }
}
