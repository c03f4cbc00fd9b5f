//! What a run is given: samples, and how their spikes become event windows.

use ir::Origin;
use ir::app::{AtomOrder, Sends};
use ir::code::Code;
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::image::{PopulationInfo, Program, SliceInfo};
use ir::memory::events;
use ir::tensor::Shape;

/// What one atom says in one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// Index in C order of the population's shape, wherever the machine keeps it.
    pub atom: u32,
    /// 1 for a spike, the number of spikes, or the bits of a float32, as
    /// `PopulationInfo::sends` says.
    pub payload: u32,
}

impl Event {
    /// One spike.
    pub fn spike(atom: u32) -> Self {
        Self { atom, payload: 1 }
    }
    /// A value.
    pub fn value(atom: u32, value: f32) -> Self {
        let payload = value.to_bits();
        Self { atom, payload }
    }
}

/// One independent run.
///
/// The emulator speaks in ticks; who runs it turns network steps into them: step
/// `s` of an input is said in tick `s * ticks_per_step + latency` of its population.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleRun {
    /// Ticks to run: whole network steps if a run with `keep_state` follows.
    pub ticks: u32,
    /// For each port of `Program::inputs`, for each tick, what its atoms say, by
    /// ascending atom. An atom that has nothing to say (no spike, a value of 0)
    /// has no event. Ticks beyond the end of a list have none.
    pub inputs: Vec<Vec<Vec<Event>>>,
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
    /// The same for synaptic currents.
    pub i: Vec<usize>,
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
            let Some(p) = program.populations.get(port.population) else {
                continue;
            };
            if ticks.len() > self.ticks as usize {
                return Err(bad_input(format!(
                    "input '{}' has {} ticks, the run {}",
                    port.name,
                    ticks.len(),
                    self.ticks
                )));
            }
            for (tick, row) in ticks.iter().enumerate() {
                check_row(&port.name, p, tick, row)?;
            }
        }
        let lists = [
            ("packets", &self.taps.spikes),
            ("membrane", &self.taps.v),
            ("synaptic current", &self.taps.i),
        ];
        for (what, list) in lists {
            for &population in list {
                let Some(p) = program.populations.get(population) else {
                    return Err(bad_input(format!("there is no population {population}")));
                };
                let kept = |s: &SliceInfo| match what {
                    "membrane" => s.v_addr.is_some(),
                    "synaptic current" => s.i_addr.is_some(),
                    _ => true,
                };
                if !p.slices.iter().all(kept) {
                    return Err(bad_input(format!(
                        "population '{}' keeps no {what} on the chip",
                        p.name
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Refuses events that population `p` cannot send.
fn check_row(port: &str, p: &PopulationInfo, tick: usize, row: &[Event]) -> Result<()> {
    let ascending = row.windows(2).all(|w| w[0].atom < w[1].atom);
    if !ascending || row.last().is_some_and(|last| last.atom >= p.n_atoms) {
        return Err(bad_input(format!(
            "the events of input '{port}' in tick {tick} are not ascending atoms below {}",
            p.n_atoms
        )));
    }
    let sound = |e: &&Event| match p.sends {
        Sends::Spikes => e.payload == 1,
        Sends::Counts { max } => (1..=max).contains(&e.payload),
        Sends::Values => f32::from_bits(e.payload).is_finite(),
    };
    let Some(wrong) = row.iter().find(|e| !sound(e)) else {
        return Ok(());
    };
    let (found, wanted) = match p.sends {
        Sends::Spikes => (wrong.payload.to_string(), "one spike each".to_owned()),
        Sends::Counts { max } => (wrong.payload.to_string(), format!("counts of 1 to {max}")),
        Sends::Values => {
            let value = f32::from_bits(wrong.payload);
            (value.to_string(), "finite values".to_owned())
        }
    };
    Err(bad_input(format!(
        "input '{port}' carries {found} at atom {} in tick {tick}, the program was compiled for {wanted}",
        wrong.atom
    )))
}

/// Which atom lies at which position of a population.
#[derive(Clone, Debug)]
pub(crate) struct Atoms {
    order: AtomOrder,
    shape: Shape,
}

impl Atoms {
    pub(crate) fn of(p: &PopulationInfo) -> Self {
        Self {
            order: p.order,
            shape: p.shape.clone(),
        }
    }
    pub(crate) fn in_order(&self) -> bool {
        self.order == AtomOrder::RowMajor
    }
    pub(crate) fn at(&self, position: u32) -> u32 {
        self.order.atom_at(position as usize, &self.shape) as u32
    }
    fn position_of(&self, atom: u32) -> u32 {
        self.order.position_of(atom as usize, &self.shape) as u32
    }
}

/// Cuts the events of one source slice into windows that fit its region.
#[derive(Clone, Debug)]
pub(crate) struct Feeder {
    /// Index into `Program::inputs`; `None` for a source that no port feeds.
    port: Option<usize>,
    pub(crate) slice: SliceInfo,
    /// Name of the population, for messages.
    population: String,
    atoms: Atoms,
    /// Events have a payload word.
    payload: bool,
    /// First address and bytes of the event region.
    pub(crate) addr: u32,
    bytes: u32,
    /// First tick that no window holds yet.
    next: u32,
}

impl Feeder {
    pub(crate) fn new(
        port: Option<usize>,
        p: &PopulationInfo,
        slice: SliceInfo,
        (addr, bytes): (u32, u32),
    ) -> Self {
        Self {
            port,
            slice,
            population: p.name.clone(),
            atoms: Atoms::of(p),
            payload: p.sends.has_payload(),
            addr,
            bytes,
            next: 0,
        }
    }

    /// Before the first tick of a run.
    pub(crate) fn restart(&mut self) {
        self.next = 0;
    }

    /// What the slice says in a tick: key and payload, by ascending key.
    fn events(&self, sample: &SampleRun, tick: u32) -> Vec<(u32, u32)> {
        let row = self
            .port
            .and_then(|p| sample.inputs.get(p))
            .and_then(|ticks| ticks.get(tick as usize))
            .map_or(&[][..], Vec::as_slice);
        let (lo, n, key) = (self.slice.lo, self.slice.n, self.slice.key.key());
        if self.atoms.in_order() {
            let from = row.partition_point(|e| e.atom < lo);
            let to = row.partition_point(|e| e.atom < lo + n);
            let here = row[from..to].iter();
            return here.map(|e| (key + (e.atom - lo), e.payload)).collect();
        }
        let here = row.iter().filter_map(|e| {
            let at = self.atoms.position_of(e.atom).checked_sub(lo)?;
            (at < n).then_some((key + at, e.payload))
        });
        let mut events: Vec<(u32, u32)> = here.collect();
        events.sort_unstable();
        events
    }

    /// How many events the slice has in a tick.
    pub(crate) fn count(&self, sample: &SampleRun, tick: u32) -> u64 {
        self.events(sample, tick).len() as u64
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
            let need = events::tick_bytes(row.len() as u32, self.payload);
            if window.len() as u64 + need > u64::from(self.bytes) {
                if self.next == tick {
                    return Err(self.too_many(tick, row.len()));
                }
                break;
            }
            window.extend_from_slice(&(row.len() as u32).to_le_bytes());
            for (key, payload) in row {
                if self.payload {
                    window.extend_from_slice(&payload.to_le_bytes());
                }
                window.extend_from_slice(&key.to_le_bytes());
            }
            self.next += 1;
        }
        Ok(Some(window))
    }

    fn too_many(&self, tick: u32, n: usize) -> Diagnostics {
        let need = events::tick_bytes(n as u32, self.payload);
        Diagnostic::error(
            Code::InputWindow,
            &Origin::Compiler,
            format!(
                "population '{}' has more events in tick {tick} than its event region holds",
                self.population
            ),
        )
        .note(format!(
            "positions {} to {}: {n} events x {} B + 4 B count = {need} B; the region has {} B",
            self.slice.lo,
            self.slice.lo + self.slice.n.saturating_sub(1),
            if self.payload { 8 } else { 4 },
            self.bytes
        ))
        .help("use fewer atoms per core for this population (--atoms-per-core)")
        .into()
    }
}
