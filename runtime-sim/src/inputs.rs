//! What a run is given: samples, and how their spikes become event windows.

use ir::Origin;
use ir::code::Code;
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::image::{Program, SliceInfo};
use ir::memory::events;

/// One independent run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleRun {
    /// Ticks to run; usually the sample's steps plus the network's latency.
    pub ticks: u32,
    /// For each port of `Program::inputs`, for each tick, the atoms that spike,
    /// ascending. Ticks beyond the end of a list have no events.
    pub inputs: Vec<Vec<Vec<u32>>>,
    /// What to observe.
    pub taps: Taps,
    /// Go on from the state in which the run before ended, instead of the loaded one.
    pub keep_state: bool,
}

/// Populations (indices into `Program::populations`) to observe. A tap costs
/// the emulated chip nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taps {
    /// Whose packets to collect.
    pub spikes: Vec<usize>,
    /// Whose membrane words to read at the end of each tick.
    pub v: Vec<usize>,
}

fn bad_input(message: String) -> Diagnostics {
    Diagnostic::error(Code::InputData, &Origin::Compiler, message).into()
}

impl SampleRun {
    /// Refuses what cannot be run on `program`.
    pub(crate) fn check(&self, program: &Program) -> Result<()> {
        if self.inputs.len() > program.inputs.len() {
            return Err(bad_input(format!(
                "the sample has {} inputs, the network {}",
                self.inputs.len(),
                program.inputs.len()
            )));
        }
        for (port, ticks) in program.inputs.iter().zip(&self.inputs) {
            let atoms = program
                .populations
                .get(port.population)
                .map_or(0, |p| p.n_atoms);
            if ticks.len() > self.ticks as usize {
                return Err(bad_input(format!(
                    "input '{}' has {} ticks, the run {}",
                    port.name,
                    ticks.len(),
                    self.ticks
                )));
            }
            for (tick, row) in ticks.iter().enumerate() {
                let ascending = row.windows(2).all(|w| w[0] < w[1]);
                if !ascending || row.last().is_some_and(|&last| last >= atoms) {
                    return Err(bad_input(format!(
                        "the events of input '{}' in tick {tick} are not ascending atoms below {atoms}",
                        port.name
                    )));
                }
            }
        }
        for (what, list) in [("spikes", &self.taps.spikes), ("v", &self.taps.v)] {
            for &population in list {
                let Some(p) = program.populations.get(population) else {
                    return Err(bad_input(format!("there is no population {population}")));
                };
                if what == "v" && p.slices.iter().any(|s| s.v_addr.is_none()) {
                    return Err(bad_input(format!(
                        "population '{}' keeps no membrane on the chip",
                        p.name
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Cuts the events of one source slice into windows that fit its region.
#[derive(Clone, Debug)]
pub(crate) struct Feeder {
    /// Index into `Program::inputs`; `None` for a source that no port feeds.
    pub(crate) port: Option<usize>,
    pub(crate) slice: SliceInfo,
    /// Name of the population, for messages.
    pub(crate) population: String,
    /// First address and bytes of the event region.
    pub(crate) addr: u32,
    pub(crate) bytes: u32,
    /// First tick that no window holds yet.
    next: u32,
}

impl Feeder {
    pub(crate) fn new(
        port: Option<usize>,
        slice: SliceInfo,
        population: String,
        (addr, bytes): (u32, u32),
    ) -> Self {
        Self {
            port,
            slice,
            population,
            addr,
            bytes,
            next: 0,
        }
    }

    /// Before the first tick of a run.
    pub(crate) fn restart(&mut self) {
        self.next = 0;
    }

    fn events<'a>(&self, sample: &'a SampleRun, tick: u32) -> &'a [u32] {
        let row = self
            .port
            .and_then(|p| sample.inputs.get(p))
            .and_then(|ticks| ticks.get(tick as usize))
            .map_or(&[][..], Vec::as_slice);
        let from = row.partition_point(|&a| a < self.slice.lo);
        let to = row.partition_point(|&a| a < self.slice.lo + self.slice.n);
        &row[from..to]
    }

    /// The bytes of the window that begins with `tick`, if the one before ends
    /// there. Ticks beyond the sample's events are zero counts.
    pub(crate) fn window(&mut self, sample: &SampleRun, tick: u32) -> Result<Option<Vec<u8>>> {
        if tick < self.next || tick >= sample.ticks {
            return Ok(None);
        }
        let mut window = Vec::new();
        self.next = tick;
        while self.next < sample.ticks {
            let row = self.events(sample, self.next);
            let need = events::tick_bytes(row.len() as u32, false);
            if window.len() as u64 + need > u64::from(self.bytes) {
                if self.next == tick {
                    return Err(self.too_many(tick, row.len()));
                }
                break;
            }
            window.extend_from_slice(&(row.len() as u32).to_le_bytes());
            for atom in row {
                let key = self.slice.key.key().wrapping_add(atom - self.slice.lo);
                window.extend_from_slice(&key.to_le_bytes());
            }
            self.next += 1;
        }
        Ok(Some(window))
    }

    fn too_many(&self, tick: u32, n: usize) -> Diagnostics {
        let need = events::tick_bytes(n as u32, false);
        Diagnostic::error(
            Code::InputWindow,
            &Origin::Compiler,
            format!(
                "population '{}' has more events in tick {tick} than its event region holds",
                self.population
            ),
        )
        .note(format!(
            "atoms {} to {}: {n} events x 4 B + 4 B count = {need} B; the region has {} B",
            self.slice.lo,
            self.slice.lo + self.slice.n.saturating_sub(1),
            self.bytes
        ))
        .help("use fewer atoms per core for this population (--atoms-per-core)")
        .into()
    }
}
