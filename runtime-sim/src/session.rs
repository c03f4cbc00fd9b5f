//! The host's side of one run: fills event windows, empties spike records,
//! looks at packets and memory.

use crate::cpu::Memory;
use crate::energy::{Activity, stretch_of};
use crate::inject::{Injected, Injection};
use crate::inputs::{Atoms, Event, Feeder, SampleRun};
use crate::report::{Frame, SpikeTap, StateTap};
use ir::Origin;
use ir::code::Code;
use ir::diag::{Diagnostic, Result};
use ir::geometry::GlobalPe;
use ir::image::{PopulationInfo, Program, SliceInfo};
use ir::memory::{control, record};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

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
    /// Row by row, in the order of `atoms`.
    words: Vec<u32>,
}

/// Keys of one slice of a tapped population.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct KeyRange {
    key: u32,
    n: u32,
    tap: usize,
    lo: u32,
}

/// A population whose state is tapped.
#[derive(Clone, Debug)]
struct Tapped {
    population: usize,
    n_atoms: u32,
    name: String,
}

/// What the host wants to know of a run, the same for all chips.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    sample: &'a SampleRun,
    /// When a PE without a running timer stops.
    end_time: u64,
    /// Ticks for which energy is counted together.
    stretch: u32,
    ranges: Vec<KeyRange>,
    /// The populations whose packets are tapped, with their atoms.
    spikes: Vec<(usize, Atoms)>,
    /// The populations whose state is tapped.
    v: Vec<Tapped>,
    i: Vec<Tapped>,
    /// By index of the PE.
    slices: BTreeMap<usize, Vec<StateSlice>>,
}

impl<'a> Plan<'a> {
    /// `index_of` gives the machine's index of the PE of a slice.
    pub(crate) fn new(
        sample: &'a SampleRun,
        program: &Program,
        end_time: u64,
        index_of: impl Fn(&SliceInfo) -> Option<usize>,
    ) -> Result<Self> {
        let mut plan = Self {
            stretch: stretch_of(sample.ticks, program.ticks_per_step),
            sample,
            end_time,
            ranges: Vec::new(),
            spikes: Vec::new(),
            v: Vec::new(),
            i: Vec::new(),
            slices: BTreeMap::new(),
        };
        for (tap, &population) in sample.taps.spikes.iter().enumerate() {
            let Some(p) = program.populations.get(population) else {
                continue;
            };
            plan.ranges.extend(p.slices.iter().map(|s| KeyRange {
                key: s.key.key(),
                n: s.n,
                tap,
                lo: s.lo,
            }));
            plan.spikes.push((population, Atoms::of(p)));
        }
        plan.ranges.sort_unstable();
        for (state, list) in [(State::V, &sample.taps.v), (State::I, &sample.taps.i)] {
            for &population in list {
                if let Some(p) = program.populations.get(population) {
                    plan.tap_state(state, population, p, &index_of)?;
                }
            }
        }
        Ok(plan)
    }

    fn tap_state(
        &mut self,
        state: State,
        population: usize,
        p: &PopulationInfo,
        index_of: impl Fn(&SliceInfo) -> Option<usize>,
    ) -> Result<()> {
        let taps = match state {
            State::V => &mut self.v,
            State::I => &mut self.i,
        };
        let tap = taps.len();
        taps.push(Tapped {
            population,
            n_atoms: p.n_atoms,
            name: p.name.clone(),
        });
        let order = Atoms::of(p);
        for s in &p.slices {
            let addr = match state {
                State::V => s.v_addr,
                State::I => s.i_addr,
            };
            if let (Some(addr), Some(pe)) = (addr, index_of(s)) {
                self.slices.entry(pe).or_default().push(StateSlice {
                    state,
                    tap,
                    addr,
                    atoms: (s.lo..s.lo + s.n).map(|p| order.at(p)).collect(),
                    words: zeros(self.sample.ticks as usize, s.n, &p.name)?,
                });
            }
        }
        Ok(())
    }

    /// One session for each chip; `ranges` are the indices of their PEs, in order and
    /// without gaps, `hosts` are those of all PEs.
    pub(crate) fn sessions<'p>(
        &'p mut self,
        hosts: &'p mut [HostPe],
        ranges: &[Range<usize>],
    ) -> Vec<Session<'p>> {
        for host in hosts.iter_mut() {
            host.feeders.iter_mut().for_each(Feeder::restart);
        }
        let mut slices = std::mem::take(&mut self.slices);
        let plan: &'p Plan<'p> = self;
        let ticks = plan.sample.ticks as usize;
        let mut rest = hosts;
        let mut begun = 0;
        let mut sessions = Vec::with_capacity(ranges.len());
        for range in ranges {
            let (mine, others) = rest.split_at_mut((range.end - begun).min(rest.len()));
            (rest, begun) = (others, range.end);
            let mut state_slices = vec![Vec::new(); mine.len()];
            let later = slices.split_off(&range.end);
            for (pe, list) in std::mem::replace(&mut slices, later) {
                if let Some(place) = state_slices.get_mut(pe - range.start) {
                    *place = list;
                }
            }
            sessions.push(Session {
                plan,
                hosts: mine,
                first: range.start,
                end_time: plan.end_time,
                state_slices,
                spikes: vec![vec![Vec::new(); ticks]; plan.spikes.len()],
                frames: Vec::new(),
                activity: Vec::new(),
                windows: 0,
                record_reads: 0,
                faults: None,
                injected: Injected::default(),
            });
        }
        sessions
    }
}

/// What the host has seen of a run.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) spikes: Vec<SpikeTap>,
    pub(crate) v: Vec<StateTap>,
    pub(crate) i: Vec<StateTap>,
    pub(crate) frames: Vec<Frame>,
    pub(crate) activity: Vec<Activity>,
    pub(crate) stretch: u32,
    pub(crate) windows: u64,
    pub(crate) record_reads: u64,
    pub(crate) injected: Injected,
}

impl Seen {
    /// After the last tick of every PE: what the chips' sessions have seen, put
    /// together; `pes` are in machine order.
    pub(crate) fn of<'m>(
        sessions: Vec<Session<'_>>,
        mut memories: impl Iterator<Item = &'m mut Memory>,
    ) -> Result<Self> {
        let mut seen = Self::default();
        let Some(plan) = sessions.first().map(|s| s.plan) else {
            return Ok(seen);
        };
        let ticks = plan.sample.ticks as usize;
        seen.stretch = plan.stretch;
        seen.spikes = plan
            .spikes
            .iter()
            .map(|&(population, _)| SpikeTap {
                population,
                ticks: vec![Vec::new(); ticks],
            })
            .collect();
        for (taps, list) in [(&mut seen.v, &plan.v), (&mut seen.i, &plan.i)] {
            for tapped in list {
                taps.push(StateTap {
                    population: tapped.population,
                    n_atoms: tapped.n_atoms,
                    words: zeros(ticks, tapped.n_atoms, &tapped.name)?,
                });
            }
        }
        for mut session in sessions {
            session.empty_records(&mut memories)?;
            for (tap, rows) in seen.spikes.iter_mut().zip(&mut session.spikes) {
                for (row, more) in tap.ticks.iter_mut().zip(rows) {
                    if row.is_empty() {
                        *row = std::mem::take(more);
                    } else {
                        row.append(more);
                    }
                }
            }
            for slice in session.state_slices.iter().flatten() {
                let taps = match slice.state {
                    State::V => &mut seen.v,
                    State::I => &mut seen.i,
                };
                if let Some(tap) = taps.get_mut(slice.tap) {
                    slice.scatter(tap);
                }
            }
            seen.frames.append(&mut session.frames);
            let stretches = session.activity.len().max(seen.activity.len());
            seen.activity.resize(stretches, Activity::default());
            for (all, done) in seen.activity.iter_mut().zip(&session.activity) {
                all.add(done);
            }
            seen.windows += session.windows;
            seen.record_reads += session.record_reads;
            seen.injected.add(&session.injected);
        }
        for tap in &mut seen.spikes {
            tap.ticks.iter_mut().for_each(|row| row.sort_unstable());
        }
        // Stable: frames of one tick (there is one) keep their order.
        seen.frames.sort_by_key(|f| (f.population, f.slice, f.tick));
        Ok(seen)
    }
}

impl StateSlice {
    /// Puts its rows where they belong in those of the population.
    fn scatter(&self, tap: &mut StateTap) {
        let (n, mine) = (tap.n_atoms as usize, self.atoms.len());
        if n == 0 || mine == 0 {
            return;
        }
        for (row, words) in tap
            .words
            .chunks_exact_mut(n)
            .zip(self.words.chunks_exact(mine))
        {
            for (&atom, &word) in self.atoms.iter().zip(words) {
                if let Some(place) = row.get_mut(atom as usize) {
                    *place = word;
                }
            }
        }
    }
}

/// One run of one chip, seen from the host.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    plan: &'a Plan<'a>,
    hosts: &'a mut [HostPe],
    /// Index of the chip's first PE.
    first: usize,
    /// When a PE without a running timer stops.
    pub(crate) end_time: u64,
    /// By PE of the chip.
    state_slices: Vec<Vec<StateSlice>>,
    /// By tap and tick.
    spikes: Vec<Vec<Vec<Event>>>,
    frames: Vec<Frame>,
    /// What the chip's PEs did in each stretch of the run.
    activity: Vec<Activity>,
    windows: u64,
    record_reads: u64,
    /// What is to go wrong, and in which sample.
    faults: Option<(Arc<Injection>, u64)>,
    injected: Injected,
}

impl Session<'_> {
    /// Indices of the chip's PEs.
    pub(crate) fn pes(&self) -> Range<usize> {
        self.first..self.first + self.hosts.len()
    }

    pub(crate) fn ticks(&self) -> u32 {
        self.plan.sample.ticks
    }

    /// Lets `faults` happen in this run, the one of sample `sample`.
    pub(crate) fn inject(&mut self, faults: &Arc<Injection>, sample: u64) {
        if **faults != Injection::default() {
            self.faults = Some((Arc::clone(faults), sample));
        }
    }

    /// Whether anything may go wrong on purpose.
    pub(crate) fn injects(&self) -> bool {
        self.faults.is_some()
    }

    /// What a PE did in `tick`, as far as it costs energy.
    pub(crate) fn spend(&mut self, tick: u32, done: &Activity) {
        let index = (tick / self.plan.stretch) as usize;
        if self.activity.len() <= index {
            self.activity.resize(index + 1, Activity::default());
        }
        if let Some(stretch) = self.activity.get_mut(index) {
            stretch.add(done);
        }
    }

    /// Whether a packet is lost on purpose.
    pub(crate) fn loses(&mut self, source: GlobalPe, sequence: u64) -> bool {
        let Some((faults, sample)) = &self.faults else {
            return false;
        };
        let lost = faults.drops(*sample, source, sequence);
        self.injected.packets_dropped += u64::from(lost);
        lost
    }

    /// Whether a packet that is not plain multicast is lost on purpose.
    pub(crate) fn loses_parcel(&mut self, source: GlobalPe, sequence: u64) -> bool {
        let Some((faults, sample)) = &self.faults else {
            return false;
        };
        let lost = faults.drops_parcel(*sample, source, sequence);
        self.injected.packets_dropped += u64::from(lost);
        lost
    }

    /// Flips what is to flip in `pe` at the beginning of `tick`: address and bit.
    pub(crate) fn flip(&mut self, pe: GlobalPe, tick: u32, memory: &mut Memory) -> Vec<(u32, u8)> {
        let Some((faults, sample)) = &self.faults else {
            return Vec::new();
        };
        let size = u32::try_from(memory.size()).unwrap_or(u32::MAX);
        let flips: Vec<(u32, u8)> = faults.flips(*sample, pe, tick, size).collect();
        for &(addr, bit) in &flips {
            let byte = memory.byte(addr).unwrap_or(0);
            if memory.write(addr, &[byte ^ 1 << (bit & 7)]).is_some() {
                self.injected.bits_flipped += 1;
            }
        }
        flips
    }

    /// Whether `pe` stops before `tick`.
    pub(crate) fn stops(&mut self, pe: GlobalPe, tick: u32) -> bool {
        let Some((faults, _)) = &self.faults else {
            return false;
        };
        let stops = faults.stops(pe, tick);
        self.injected.pes_stopped += u64::from(stops);
        stops
    }

    fn late_host(&self) -> u32 {
        self.faults.as_ref().map_or(0, |(f, _)| f.late_host)
    }

    /// A PE is about to begin its `work`-th piece of work.
    pub(crate) fn work_begins(&mut self, pe: usize, work: u32, memory: &mut Memory) -> Result<()> {
        let late = self.late_host();
        let Some(host) = self.hosts.get_mut(pe.wrapping_sub(self.first)) else {
            return Ok(());
        };
        for feeder in &mut host.feeders {
            // A late host does everything so many ticks later, until it falls silent.
            let Some(due) = work.checked_sub(late) else {
                continue;
            };
            if let Some(window) = feeder.window(self.plan.sample, due)? {
                self.injected.windows_late += u64::from(late > 0);
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
        let here = self.state_slices.get_mut(pe.wrapping_sub(self.first));
        for s in here.into_iter().flatten() {
            let n = s.atoms.len();
            let row = s.words.chunks_exact_mut(n.max(1)).nth(tick as usize);
            let bytes = memory.read(s.addr, 4 * n);
            if let (Some(row), Some(bytes)) = (row, bytes) {
                for (word, b) in row.iter_mut().zip(bytes.chunks_exact(4)) {
                    *word = u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                }
            }
        }
    }

    /// A packet was sent in `tick`.
    pub(crate) fn sent(&mut self, key: u32, payload: Option<u32>, tick: u32) {
        let plan = self.plan;
        // A population that is tapped twice has its ranges twice, side by side.
        let end = plan.ranges.partition_point(|r| r.key <= key);
        let Some(last) = end.checked_sub(1).and_then(|i| plan.ranges.get(i)) else {
            return;
        };
        let first = plan.ranges.partition_point(|r| r.key < last.key);
        for r in &plan.ranges[first..end] {
            let position = key - r.key;
            let row = self.spikes.get_mut(r.tap);
            if position < r.n
                && let Some(row) = row.and_then(|rows| rows.get_mut(tick as usize))
                && let Some((_, atoms)) = plan.spikes.get(r.tap)
            {
                row.push(Event {
                    atom: atoms.at(r.lo + position),
                    payload: payload.unwrap_or(1),
                });
            }
        }
    }

    /// Empties every record; `memories` begin with the chip's first PE.
    fn empty_records<'m>(
        &mut self,
        memories: &mut impl Iterator<Item = &'m mut Memory>,
    ) -> Result<()> {
        let ticks = self.plan.sample.ticks;
        let late = ticks.saturating_sub(self.late_host())..ticks;
        for host in self.hosts.iter() {
            let Some(memory) = memories.next() else {
                return Ok(());
            };
            for feeder in &host.feeders {
                let lost = late.clone().map(|t| feeder.count(self.plan.sample, t));
                self.injected.events_lost += lost.sum::<u64>();
            }
            for recorder in &host.recorders {
                let used = recorder.used(memory)?;
                recorder.empty(used, memory, &mut self.frames)?;
                self.record_reads += 1;
            }
        }
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
