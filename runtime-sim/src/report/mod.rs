//! What a run gives back.

mod energy;
mod run;
mod stats;
mod warnings;

pub use energy::EnergySeries;
pub use run::{CyclesPerStep, PeReport, RunReport};
pub use stats::{MISSED_KEPT, Missed, PeStats};

use crate::clock::Level;
use crate::dram::DramStats;
use crate::energy::Activity;
use crate::inject::Injected;
use crate::inputs::Event;
use crate::noc::NetworkCounts;
use ir::geometry::ChipCoord;
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything that one sample produced. Two runs of the same machine and sample
/// are equal, however many host threads there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleResult {
    /// Ticks that were run.
    pub ticks: u32,
    /// The level at which the machine began.
    pub level: Level,
    /// Machine time from the first tick to the end of the run, for the whole machine.
    pub time: u64,
    /// In the order of `Taps::spikes`.
    pub spikes: Vec<SpikeTap>,
    /// In the order of `Taps::v`.
    pub v: Vec<StateTap>,
    /// In the order of `Taps::i`.
    pub i: Vec<StateTap>,
    /// Frames of on-chip spike records, by population, slice and tick.
    pub frames: Vec<Frame>,
    /// In machine order.
    pub pes: Vec<PeStats>,
    /// Packets that no routing entry matched, by key.
    pub unmatched: BTreeMap<u32, u64>,
    /// What the DRAM of each chip did, if the program has access to it.
    pub dram: BTreeMap<ChipCoord, DramStats>,
    /// What went over meshes, routers and links.
    pub network: NetworkCounts,
    /// What PEs with a timer did in each stretch of so many ticks, for energy.
    pub activity: Vec<Activity>,
    pub stretch: u32,
    /// What went wrong on purpose.
    pub injected: Injected,
    /// Input windows that the host wrote.
    pub windows: u64,
    /// Times that the host emptied a spike record.
    pub record_reads: u64,
}

/// The packets of one population, tick by tick: row t holds what was sent
/// between timer interrupt t and the next, by ascending atom. An atom that sent
/// twice occurs twice. A packet without payload counts as one of 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpikeTap {
    pub population: usize,
    pub ticks: Vec<Vec<Event>>,
}

/// Membranes or currents of one population: row t is memory at the end of tick t.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateTap {
    pub population: usize,
    pub n_atoms: u32,
    /// `ticks * n_atoms` raw words, row major, atoms in C order.
    pub words: Vec<u32>,
}

/// One frame of a spike record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frame {
    pub population: usize,
    /// Index into the population's slices.
    pub slice: usize,
    /// The tick that the program wrote into the frame.
    pub tick: u32,
    /// The identity word that the program wrote into the frame.
    pub identity: u32,
    /// Atoms of the population in C order, ascending.
    pub atoms: Vec<u32>,
}

impl SampleResult {
    /// Cycles of the busiest PE in each tick.
    pub fn slowest_per_tick(&self) -> Vec<u64> {
        let ticks = self.pes.iter().map(|p| p.tick_cycles.len()).max();
        (0..ticks.unwrap_or(0))
            .map(|t| {
                let all = self.pes.iter().filter_map(|p| p.tick_cycles.get(t));
                all.copied().max().unwrap_or(0)
            })
            .collect()
    }
}

/// The lower middle of a sorted list.
fn median<T: Copy>(sorted: &[T]) -> Option<T> {
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// The results of [`run_batch`](crate::batch::run_batch), in sample order.
#[derive(Clone, Debug, Default)]
pub struct BatchResult {
    pub samples: Vec<SampleResult>,
    /// Host time of each sample, loading excluded.
    pub host: Vec<Duration>,
}

impl BatchResult {
    /// Median host time of a sample.
    pub fn host_median(&self) -> Duration {
        let mut all = self.host.clone();
        all.sort_unstable();
        median(&all).unwrap_or_default()
    }
}
