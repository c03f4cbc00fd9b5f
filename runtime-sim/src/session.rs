//! The host's side of one run: fills event windows, empties spike records,
//! looks at packets and memory.

use crate::cpu::Memory;
use crate::inputs::{Atoms, Event, Feeder, SampleRun};
use crate::report::{Frame, SpikeTap, StateTap};
use ir::Origin;
use ir::code::Code;
use ir::diag::{Diagnostic, Result};
use ir::image::{PopulationInfo, Program, SliceInfo};
use ir::memory::{control, record};

/// What the host does at one PE.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostPe {
    pub(crate) feeders: Vec<Feeder>,
    pub(crate) recorders: Vec<Recorder>,
}

/// The spike record of one slice.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    pub(crate) population: usize,
    pub(crate) slice_index: usize,
    pub(crate) slice: SliceInfo,
    pub(crate) name: String,
    pub(crate) atoms: Atoms,
    pub(crate) addr: u32,
    pub(crate) bytes: u32,
}

/// State of a population that is tapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    V,
    I,
}

/// The slice of such a population on one PE.
#[derive(Clone, Debug)]
struct StateSlice {
    state: State,
    tap: usize,
    addr: u32,
    /// The atoms at its positions.
    atoms: Vec<u32>,
}

/// Keys of one slice of a tapped population.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct KeyRange {
    key: u32,
    n: u32,
    tap: usize,
    lo: u32,
}

/// One run, seen from the host.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    sample: &'a SampleRun,
    hosts: &'a mut [HostPe],
    /// When a PE without a running timer stops.
    pub(crate) end_time: u64,
    ranges: Vec<KeyRange>,
    /// By PE.
    state_slices: Vec<Vec<StateSlice>>,
    /// The atoms of each tapped population.
    atoms: Vec<Atoms>,
    pub(crate) spikes: Vec<SpikeTap>,
    pub(crate) v: Vec<StateTap>,
    pub(crate) i: Vec<StateTap>,
    pub(crate) frames: Vec<Frame>,
    pub(crate) windows: u64,
    pub(crate) record_reads: u64,
}

impl<'a> Session<'a> {
    /// `index_of` gives the machine's index of the PE of a slice.
    pub(crate) fn new(
        sample: &'a SampleRun,
        program: &Program,
        hosts: &'a mut [HostPe],
        end_time: u64,
        index_of: impl Fn(&SliceInfo) -> Option<usize>,
    ) -> Result<Self> {
        for host in hosts.iter_mut() {
            host.feeders.iter_mut().for_each(Feeder::restart);
        }
        let ticks = sample.ticks as usize;
        let mut session = Self {
            sample,
            ranges: Vec::new(),
            state_slices: vec![Vec::new(); hosts.len()],
            atoms: Vec::new(),
            hosts,
            end_time,
            spikes: Vec::new(),
            v: Vec::new(),
            i: Vec::new(),
            frames: Vec::new(),
            windows: 0,
            record_reads: 0,
        };
        for (tap, &population) in sample.taps.spikes.iter().enumerate() {
            let Some(p) = program.populations.get(population) else {
                continue;
            };
            session.ranges.extend(p.slices.iter().map(|s| KeyRange {
                key: s.key.key(),
                n: s.n,
                tap,
                lo: s.lo,
            }));
            session.atoms.push(Atoms::of(p));
            session.spikes.push(SpikeTap {
                population,
                ticks: vec![Vec::new(); ticks],
            });
        }
        session.ranges.sort_unstable();
        for (state, list) in [(State::V, &sample.taps.v), (State::I, &sample.taps.i)] {
            for &population in list {
                if let Some(p) = program.populations.get(population) {
                    session.tap_state(state, population, p, &index_of)?;
                }
            }
        }
        Ok(session)
    }

    fn tap_state(
        &mut self,
        state: State,
        population: usize,
        p: &PopulationInfo,
        index_of: impl Fn(&SliceInfo) -> Option<usize>,
    ) -> Result<()> {
        let tap = StateTap {
            population,
            n_atoms: p.n_atoms,
            words: zeros(self.sample.ticks as usize, p.n_atoms, &p.name)?,
        };
        let taps = match state {
            State::V => &mut self.v,
            State::I => &mut self.i,
        };
        let order = Atoms::of(p);
        for s in &p.slices {
            let addr = match state {
                State::V => s.v_addr,
                State::I => s.i_addr,
            };
            let place = index_of(s).and_then(|pe| self.state_slices.get_mut(pe));
            if let (Some(addr), Some(slices)) = (addr, place) {
                slices.push(StateSlice {
                    state,
                    tap: taps.len(),
                    addr,
                    atoms: (s.lo..s.lo + s.n).map(|p| order.at(p)).collect(),
                });
            }
        }
        taps.push(tap);
        Ok(())
    }

    pub(crate) fn ticks(&self) -> u32 {
        self.sample.ticks
    }

    /// A PE is about to begin its `work`-th piece of work.
    pub(crate) fn work_begins(&mut self, pe: usize, work: u32, memory: &mut Memory) -> Result<()> {
        let Some(host) = self.hosts.get_mut(pe) else {
            return Ok(());
        };
        for feeder in &mut host.feeders {
            if let Some(window) = feeder.window(self.sample, work)? {
                let pointer = feeder.slice.control_addr + control::EVENTS_READ;
                let written = memory
                    .write(feeder.addr, &window)
                    .and_then(|()| memory.write(pointer, &feeder.addr.to_le_bytes()));
                written.ok_or_else(|| Diagnostic::internal("an event region left SRAM"))?;
                self.windows += 1;
            }
        }
        for recorder in &host.recorders {
            let used = recorder.used(memory)?;
            if used + record::frame_bytes(recorder.slice.n) > recorder.bytes {
                recorder.empty(used, memory, &mut self.frames)?;
                self.record_reads += 1;
            }
        }
        Ok(())
    }

    /// The next timer interrupt of a PE is due: `tick` is over there.
    pub(crate) fn tick_ends(&mut self, pe: usize, tick: u32, memory: &Memory) {
        for s in self.state_slices.get(pe).into_iter().flatten() {
            let taps = match s.state {
                State::V => &mut self.v,
                State::I => &mut self.i,
            };
            let Some(tap) = taps.get_mut(s.tap) else {
                continue;
            };
            let n = tap.n_atoms as usize;
            let row = tap.words.chunks_exact_mut(n).nth(tick as usize);
            let bytes = memory.read(s.addr, 4 * s.atoms.len());
            if let (Some(row), Some(bytes)) = (row, bytes) {
                for (&atom, b) in s.atoms.iter().zip(bytes.chunks_exact(4)) {
                    if let Some(word) = row.get_mut(atom as usize) {
                        *word = u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                    }
                }
            }
        }
    }

    /// A packet was sent in `tick`.
    pub(crate) fn sent(&mut self, key: u32, payload: Option<u32>, tick: u32) {
        // A population that is tapped twice has its ranges twice, side by side.
        let end = self.ranges.partition_point(|r| r.key <= key);
        let Some(last) = end.checked_sub(1).and_then(|i| self.ranges.get(i)) else {
            return;
        };
        let first = self.ranges.partition_point(|r| r.key < last.key);
        for r in &self.ranges[first..end] {
            let position = key - r.key;
            if position < r.n
                && let Some(row) = self.spikes[r.tap].ticks.get_mut(tick as usize)
            {
                row.push(Event {
                    atom: self.atoms[r.tap].at(r.lo + position),
                    payload: payload.unwrap_or(1),
                });
            }
        }
    }

    /// After the last tick of every PE; `memories` in machine order.
    pub(crate) fn finish<'m>(
        &mut self,
        memories: impl Iterator<Item = &'m mut Memory>,
    ) -> Result<()> {
        for (host, memory) in self.hosts.iter().zip(memories) {
            for recorder in &host.recorders {
                let used = recorder.used(memory)?;
                recorder.empty(used, memory, &mut self.frames)?;
                self.record_reads += 1;
            }
        }
        for tap in &mut self.spikes {
            tap.ticks.iter_mut().for_each(|row| row.sort_unstable());
        }
        // Stable: frames of one tick (there is one) keep their order.
        self.frames.sort_by_key(|f| (f.population, f.slice, f.tick));
        Ok(())
    }
}

fn zeros(ticks: usize, n: u32, name: &str) -> Result<Vec<u32>> {
    let mut words = Vec::new();
    let wanted = ticks.checked_mul(n as usize);
    match wanted.filter(|&w| words.try_reserve_exact(w).is_ok()) {
        Some(w) => {
            words.resize(w, 0);
            Ok(words)
        }
        None => Err(Diagnostic::error(
            Code::InputData,
            &Origin::Compiler,
            format!("the state of population '{name}' cannot be recorded"),
        )
        .note(format!(
            "{ticks} ticks x {n} atoms x 4 B do not fit the host's memory"
        ))
        .into()),
    }
}

impl Recorder {
    /// Bytes of the region in use.
    fn used(&self, memory: &Memory) -> Result<u32> {
        let pointer = memory.word(self.slice.control_addr + control::RECORD_WRITE);
        let used = pointer.and_then(|p| p.checked_sub(self.addr));
        let frame = record::frame_bytes(self.slice.n);
        used.filter(|&u| u <= self.bytes && u.is_multiple_of(frame))
            .ok_or_else(|| {
                Diagnostic::error(
                    Code::GuestFault,
                    &Origin::Compiler,
                    format!(
                        "the spike record of population '{}' on {} is damaged",
                        self.name, self.slice.pe
                    ),
                )
                .note(format!(
                    "write pointer {:#x}, region {:#x} +{:#x}, frames of {frame} B",
                    pointer.unwrap_or(0),
                    self.addr,
                    self.bytes
                ))
                .into()
            })
    }

    /// Takes every frame out of the region.
    fn empty(&self, used: u32, memory: &mut Memory, frames: &mut Vec<Frame>) -> Result<()> {
        let frame = record::frame_bytes(self.slice.n);
        let bytes = memory.read(self.addr, used as usize).unwrap_or(&[]);
        for bytes in bytes.chunks_exact(frame as usize) {
            let words: Vec<u32> = bytes
                .chunks_exact(4)
                .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect();
            let [identity, tick, bitmap @ ..] = words.as_slice() else {
                continue;
            };
            let set = |i: &u32| {
                bitmap
                    .get((i / 32) as usize)
                    .is_some_and(|w| w >> (i % 32) & 1 != 0)
            };
            let positions = (0..self.slice.n).filter(set);
            let mut atoms: Vec<u32> = positions
                .map(|i| self.atoms.at(self.slice.lo + i))
                .collect();
            atoms.sort_unstable();
            frames.push(Frame {
                population: self.population,
                slice: self.slice_index,
                tick: *tick,
                identity: *identity,
                atoms,
            });
        }
        let pointer = self.slice.control_addr + control::RECORD_WRITE;
        memory
            .write(pointer, &self.addr.to_le_bytes())
            .ok_or_else(|| Diagnostic::internal("a control region left SRAM").into())
    }
}
