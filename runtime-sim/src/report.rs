//! What a run gives back.

use crate::dram::DramStats;
use crate::inputs::Event;
use crate::link_report::{LinkReport, LinkStats};
use crate::mac_report::MacReport;
use crate::machine::cycles_per_tick;
use crate::mmio::mla::Activity;
use crate::noc::NetworkCounts;
use ir::code::Code;
use ir::diag::Diagnostic;
use ir::geometry::{ChipCoord, GlobalPe};
use ir::image::Program;
use ir::{Origin, Target};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything that one sample produced. Two runs of the same machine and sample
/// are equal, however many host threads there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleResult {
    /// Ticks that were run.
    pub ticks: u32,
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
    /// The same by level, from the first tick on.
    pub busy_at: [u64; 2],
    /// Machine time awake from the first tick on, changes of level included.
    pub busy_time: u64,
    /// Machine time at each level from the first tick on, awake or not.
    pub time_at: [u64; 2],
    pub level_changes: u64,
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
    pub mla: Activity,
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
            busy_at: [0; 2],
            busy_time: 0,
            time_at: [0; 2],
            level_changes: 0,
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
            mla: Activity::default(),
            links: LinkStats::default(),
        }
    }
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

/// Totals over samples, in the form that reports print.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunReport {
    pub samples: u64,
    pub ticks: u64,
    /// Ticks of a network step, P: a step's time is divided among them.
    pub ticks_per_step: u32,
    /// Cycles that a PE has for one tick.
    pub cycles_per_tick: u64,
    pub instructions: u64,
    pub instructions_per_sample: u64,
    /// Of one tick: with P ticks a step, each of them has its own deadline.
    pub cycles_per_step: CyclesPerStep,
    pub missed_deadlines: u64,
    pub packets_sent: u64,
    pub packets_with_payload: u64,
    pub packets_received: u64,
    pub packets_dropped: u64,
    /// Packets that no routing entry matched, by key as `0x…`.
    pub unmatched_keys: BTreeMap<String, u64>,
    /// What went over meshes, routers and links.
    pub network: NetworkCounts,
    pub input_windows: u64,
    pub record_reads: u64,
    pub pes: Vec<PeReport>,
}

/// Of the busiest PE in each tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CyclesPerStep {
    pub max: u64,
    pub p50: u64,
}

/// One PE over all samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PeReport {
    pub pe: String,
    /// The populations on it.
    pub populations: Vec<String>,
    pub cycles_per_step: CyclesPerStep,
    pub busy_cycles: u64,
    /// Share of the run in which the PE was awake, 0 to 1.
    pub utilisation: f64,
    pub instructions: u64,
    pub missed_deadlines: u64,
    /// The first deadline that was missed, with its sample.
    pub first_missed: Option<(u64, Missed)>,
    pub packets_sent: u64,
    pub packets_with_payload: u64,
    pub packets_received: u64,
    pub packets_dropped: u64,
    /// Packets that waited for room in the ring.
    pub packets_waited: u64,
    pub packets_unreceived: u64,
    /// Packets that lost their payload at a ring of keys.
    pub payloads_lost: u64,
    pub ring_high_water: u32,
    pub mac_array: MacReport,
    pub links: LinkReport,
}

impl RunReport {
    /// Sums up `results`, which must come from one machine.
    pub fn new(
        results: &[SampleResult],
        program: &Program,
        target: &Target,
        time_step_us: u32,
    ) -> Self {
        let mut slowest = Vec::new();
        let mut report = Self {
            samples: results.len() as u64,
            ticks_per_step: program.ticks_per_step.max(1),
            cycles_per_tick: cycles_per_tick(target, time_step_us, program),
            ..Self::default()
        };
        for r in results {
            report.ticks += u64::from(r.ticks);
            report.network.add(&r.network);
            report.input_windows += r.windows;
            report.record_reads += r.record_reads;
            for (key, n) in &r.unmatched {
                *report
                    .unmatched_keys
                    .entry(format!("{key:#010x}"))
                    .or_default() += n;
            }
            slowest.extend(r.slowest_per_tick());
        }
        report.cycles_per_step = CyclesPerStep::of(slowest);
        let n_pes = results.iter().map(|r| r.pes.len()).max().unwrap_or(0);
        let elapsed = report.ticks * report.cycles_per_tick;
        for i in 0..n_pes {
            let pe = PeReport::new(i, results, program, elapsed);
            report.instructions += pe.instructions;
            report.missed_deadlines += pe.missed_deadlines;
            report.packets_sent += pe.packets_sent;
            report.packets_with_payload += pe.packets_with_payload;
            report.packets_received += pe.packets_received;
            report.packets_dropped += pe.packets_dropped;
            report.pes.push(pe);
        }
        report.instructions_per_sample = report.instructions / report.samples.max(1);
        report
    }

    /// A tick in the user's terms.
    fn when(&self, tick: u32) -> String {
        match self.ticks_per_step {
            0 | 1 => format!("tick {tick}"),
            p => format!("tick {tick} (of {p} ticks a step)"),
        }
    }

    /// What the user should know although the run succeeded.
    pub fn warnings(&self) -> Vec<Diagnostic> {
        let warn = |code, message| Diagnostic::warning(code, &Origin::Compiler, message);
        let mut all = Vec::new();
        for pe in &self.pes {
            let who = match pe.populations.as_slice() {
                [] => pe.pe.clone(),
                names => format!("population '{}' on {}", names.join("', '"), pe.pe),
            };
            if let Some((sample, first)) = &pe.first_missed {
                let place = match &first.symbol {
                    Some(symbol) => format!("{symbol}, pc {:#010x}", first.pc),
                    None => format!("pc {:#010x}", first.pc),
                };
                all.push(
                    warn(
                        Code::MissedDeadline,
                        format!("{who} missed {} deadlines", pe.missed_deadlines),
                    )
                    .note(format!(
                        "first in sample {sample}, {}: {} cycles of work; it was at {place} when the next tick was due",
                        self.when(first.tick), first.cycles_used
                    ))
                    .help("use a longer --time-step or fewer atoms per core (--atoms-per-core)"),
                );
            }
            all.extend(pe.mac_array.warnings(&who));
            all.extend(pe.links.warnings(&who));
            if pe.packets_dropped > 0 {
                all.push(
                    warn(
                        Code::RingOverflow,
                        format!(
                            "{who} lost {} packets at a full receive ring",
                            pe.packets_dropped
                        ),
                    )
                    .note(format!(
                        "at most {} entries were in the ring; {} packets were received",
                        pe.ring_high_water, pe.packets_received
                    )),
                );
            }
            if pe.packets_unreceived > 0 {
                all.push(warn(
                    Code::RingOverflow,
                    format!(
                        "{} packets arrived at {who} while its receive ring was not enabled",
                        pe.packets_unreceived
                    ),
                ));
            }
            if pe.payloads_lost > 0 {
                all.push(warn(
                    Code::RingOverflow,
                    format!(
                        "{} packets lost their payload at {who}, whose receive ring holds keys only",
                        pe.payloads_lost
                    ),
                ));
            }
        }
        if let Some((key, _)) = self.unmatched_keys.iter().next() {
            let total: u64 = self.unmatched_keys.values().sum();
            all.push(
                warn(
                    Code::UnmatchedKey,
                    format!("{total} packets matched no routing entry"),
                )
                .note(format!(
                    "{} different keys, the lowest is {key}",
                    self.unmatched_keys.len()
                )),
            );
        }
        let n = &self.network;
        let lost = [
            (n.link_dead, "took a link that is dead or leads nowhere"),
            (
                n.link_circling,
                "went in circles between chips, or too many were under way",
            ),
            (n.lost, "were more than any receive ring holds"),
        ];
        for (count, what) in lost.into_iter().filter(|(count, _)| *count > 0) {
            let message = format!("{count} packets were lost: they {what}");
            all.push(warn(Code::PacketsLost, message));
        }
        all
    }
}

impl PeReport {
    fn new(index: usize, results: &[SampleResult], program: &Program, elapsed: u64) -> Self {
        let mut cycles = Vec::new();
        let mut report = Self::default();
        for (sample, r) in results.iter().enumerate() {
            let Some(pe) = r.pes.get(index) else { continue };
            if report.pe.is_empty() {
                report.pe = pe.pe.to_string();
                let here = |s: &ir::image::SliceInfo| s.chip == pe.pe.chip && s.pe == pe.pe.pe;
                let names = program.populations.iter();
                report.populations = names
                    .filter(|p| p.slices.iter().any(here))
                    .map(|p| p.name.clone())
                    .collect();
            }
            cycles.extend_from_slice(&pe.tick_cycles);
            report.busy_cycles += pe.busy_cycles;
            report.instructions += pe.instructions;
            report.missed_deadlines += pe.missed_deadlines;
            report.packets_sent += pe.sent;
            report.packets_with_payload += pe.sent_payloads;
            report.packets_received += pe.received;
            report.packets_dropped += pe.dropped;
            report.packets_waited += pe.ring_waited;
            report.packets_unreceived += pe.unreceived;
            report.payloads_lost += pe.stripped;
            report.mac_array.add(&pe.mla);
            report.links.add(&pe.links);
            report.ring_high_water = report.ring_high_water.max(pe.ring_high_water);
            if report.first_missed.is_none() {
                report.first_missed = pe.missed.first().map(|m| (sample as u64, m.clone()));
            }
        }
        report.cycles_per_step = CyclesPerStep::of(cycles);
        if elapsed > 0 {
            report.utilisation = report.busy_cycles as f64 / elapsed as f64;
        }
        report
    }
}

impl CyclesPerStep {
    fn of(mut cycles: Vec<u64>) -> Self {
        cycles.sort_unstable();
        Self {
            max: cycles.last().copied().unwrap_or(0),
            p50: median(&cycles).unwrap_or(0),
        }
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
