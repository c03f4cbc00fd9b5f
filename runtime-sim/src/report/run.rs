//! Totals over samples.

use super::{EnergySeries, Missed, SampleResult, median};
use crate::clock::Level;
use crate::energy::{Activity, Constants, Network, Parts, Shared};
use crate::inject::Injected;
use crate::link_report::LinkReport;
use crate::mac_report::MacReport;
use crate::machine::cycles_per_tick;
use crate::noc::NetworkCounts;
use ir::Target;
use ir::image::Program;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Totals over samples, in the form that reports print.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunReport {
    pub samples: u64,
    pub ticks: u64,
    /// Ticks of a network step, P: a step's time is divided among them.
    pub ticks_per_step: u32,
    /// Cycles that a PE has for one tick, at the level at which the run began.
    pub cycles_per_tick: u64,
    /// That level: `low` or `high`.
    pub level: &'static str,
    /// Times that PEs changed their level.
    pub level_changes: u64,
    /// Of the whole machine, per network step and in all.
    pub energy_uj_per_step: Parts,
    pub energy_uj: Parts,
    /// The same as it went.
    pub energy_series: EnergySeries,
    /// What the network did; its energy where there is a number for it.
    pub network_energy: Network,
    /// Mean power of the chips that have a program.
    pub power_mw: f64,
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
    /// What went wrong on purpose.
    pub injected: Injected,
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
    /// Share of the run that it spent at the low level.
    pub low_level: f64,
    /// Without its share of what the chip takes in any case.
    pub energy_uj_per_step: Parts,
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
        let level = results.first().map_or(Level::default(), |r| r.level);
        let mut slowest = Vec::new();
        let mut report = Self {
            samples: results.len() as u64,
            ticks_per_step: program.ticks_per_step.max(1),
            level: level.name(),
            ..Self::default()
        };
        let period = cycles_per_tick(target, time_step_us, program);
        report.cycles_per_tick = period * level.hz(&target.clock) / target.clock.pe_high_hz.max(1);
        for r in results {
            report.ticks += u64::from(r.ticks);
            report.injected.add(&r.injected);
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
        let elapsed = report.ticks * period;
        let energy = Constants::new(target);
        let steps = report.ticks as f64 / f64::from(report.ticks_per_step);
        for i in 0..n_pes {
            let (mut pe, done) = PeReport::new(i, results, program, elapsed);
            let used = energy.of_pe(&done);
            pe.energy_uj_per_step = per(&used, steps);
            report.energy_uj = report.energy_uj.plus(&used);
            report.instructions += pe.instructions;
            report.missed_deadlines += pe.missed_deadlines;
            report.packets_sent += pe.packets_sent;
            report.packets_with_payload += pe.packets_with_payload;
            report.packets_received += pe.packets_received;
            report.packets_dropped += pe.packets_dropped;
            report.pes.push(pe);
        }
        let time = results.iter().map(|r| r.time).sum();
        let chips: BTreeSet<_> = results
            .iter()
            .flat_map(|r| &r.pes)
            .map(|p| p.pe.chip)
            .collect();
        let dram = results.iter().flat_map(|r| r.dram.values());
        let chips = energy.of_chips(&Shared {
            chips: chips.len() as u64,
            used: n_pes as u64,
            time,
            level,
            dram_bytes: dram.map(|d| d.bytes_read + d.bytes_written).sum(),
        });
        report.energy_uj = report.energy_uj.plus(&chips);
        report.network_energy = energy.of_network(&report.network);
        let noc = Parts {
            noc: report.network_energy.total(),
            ..Parts::default()
        };
        report.energy_uj = report.energy_uj.plus(&noc);
        report.energy_series = EnergySeries::new(results, &energy, report.ticks_per_step);
        report.energy_uj_per_step = per(&report.energy_uj, steps);
        report.power_mw = energy.milliwatts(&report.energy_uj, time);
        report.level_changes = results
            .iter()
            .flat_map(|r| &r.pes)
            .map(|p| p.level_changes)
            .sum();
        report.instructions_per_sample = report.instructions / report.samples.max(1);
        report
    }
}

/// A share of an energy for each step.
fn per(energy: &Parts, steps: f64) -> Parts {
    if steps > 0.0 {
        energy.times(1.0 / steps)
    } else {
        Parts::default()
    }
}

impl PeReport {
    /// With what it did, in all samples.
    fn new(
        index: usize,
        results: &[SampleResult],
        program: &Program,
        elapsed: u64,
    ) -> (Self, Activity) {
        let mut cycles = Vec::new();
        let (mut done, mut awake) = (Activity::default(), 0);
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
            awake += pe.busy_time;
            done.add(&pe.activity);
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
            report.utilisation = awake as f64 / elapsed as f64;
        }
        let time: u64 = done.time.iter().sum();
        if time > 0 {
            report.low_level = done.time[Level::Low.index()] as f64 / time as f64;
        }
        (report, done)
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
