//! The machine: a loaded program and its runs.

use crate::chip::{Chips, Shuffle};
use crate::clock::Level;
use crate::coupled::Links;
use crate::cpu::Engine;
use crate::inject::Injection;
use crate::inputs::SampleRun;
use crate::load;
use crate::pe::{Fixed, Pe, Snapshot};
use crate::report::SampleResult;
use crate::sched::{self, Until};
use crate::session::{HostPe, Plan, Seen};
use crate::trace;
use ir::Target;
use ir::diag::Result;
use ir::geometry::GlobalPe;
use ir::image::{ImageSet, Program, SliceInfo};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A machine with a program in it, ready to run samples.
///
/// A clone is independent of the original; what never changes is shared.
#[derive(Clone, Debug)]
pub struct Machine {
    program: Arc<Program>,
    /// Index of each PE, and the other way round.
    places: Arc<BTreeMap<GlobalPe, usize>>,
    loaded: Arc<Vec<Snapshot>>,
    links_loaded: Arc<Option<Box<Links>>>,
    pes: Vec<Pe>,
    chips: Chips,
    hosts: Vec<HostPe>,
    /// When the host gives the start signal.
    start: u64,
    /// Machine time of one tick.
    period: u64,
    /// The level at which every PE begins.
    level: Level,
    /// What is to go wrong.
    faults: Arc<Injection>,
    started: bool,
}

/// Machine time (cycles at the high level) between two interrupts of the timers: a network step of `time_step_us`
/// has `Program::ticks_per_step` ticks of whole counts of the timer's reference.
pub fn cycles_per_tick(target: &Target, time_step_us: u32, program: &Program) -> u64 {
    let clock = &target.clock;
    let counts = clock.timer_hz * u64::from(time_step_us) / 1_000_000;
    let tick = counts / u64::from(program.ticks_per_step.max(1));
    tick.max(1) * (clock.pe_high_hz / clock.timer_hz).max(1)
}

impl Machine {
    /// Checks `images`, loads them, and runs the start-up code of every PE until
    /// all of them sleep.
    pub fn load(images: &ImageSet, target: &Target) -> Result<Machine> {
        Self::load_with(images, target, Level::default(), 0)
    }

    /// As [`Machine::load`], with every PE at `level` from the beginning; a program
    /// that sets its own level does so in any case.
    pub fn load_at(images: &ImageSet, target: &Target, level: Level) -> Result<Machine> {
        Self::load_with(images, target, level, 0)
    }

    /// As [`Machine::load_at`]; what the program reads from the true random bus depends
    /// on `seed`.
    pub fn load_with(
        images: &ImageSet,
        target: &Target,
        level: Level,
        seed: u64,
    ) -> Result<Machine> {
        let parts = load::check_and_build(images, target, level, seed)?;
        let mut machine = Machine {
            program: Arc::new(images.program.clone()),
            places: Arc::new(parts.places),
            loaded: Arc::new(Vec::new()),
            links_loaded: Arc::new(None),
            pes: parts.pes,
            chips: parts.chips,
            hosts: parts.hosts,
            start: 0,
            period: cycles_per_tick(target, images.time_step_us, &images.program),
            level,
            faults: Arc::default(),
            started: false,
        };
        machine.start_up()?;
        // A whole count of the reference clock, so that every program's timer
        // starts at the same phase of it.
        let reference = (target.clock.pe_high_hz / target.clock.timer_hz).max(1);
        let last = machine.pes.iter().map(Pe::time).max().unwrap_or(0);
        machine.start = last.next_multiple_of(reference) + reference;
        machine.loaded = Arc::new(machine.pes.iter().map(Pe::snapshot).collect());
        if let Some(links) = &mut machine.chips.links {
            links.take_stats();
        }
        machine.links_loaded = Arc::new(machine.chips.links.clone());
        Ok(machine)
    }

    fn start_up(&mut self) -> Result<()> {
        for pe in &mut self.pes {
            pe.reset()?;
        }
        let nothing = SampleRun::default();
        let mut hosts = vec![HostPe::default(); self.pes.len()];
        let mut plan = Plan::new(&nothing, &self.program, u64::MAX, |_| None)?;
        let mut sessions = plan.sessions(&mut hosts, &self.chips.ranges());
        sched::run(
            &mut self.pes,
            &mut self.chips,
            &mut sessions,
            Until::FirstSleep,
        )
    }

    /// Chooses how programs are executed. No result depends on it, only time.
    pub fn set_engine(&mut self, engine: Engine) {
        for pe in &mut self.pes {
            pe.set_engine(engine);
        }
    }

    /// How the host talks to the program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The PEs that have a program, in the order of all results.
    pub fn pes(&self) -> impl Iterator<Item = GlobalPe> + '_ {
        self.pes.iter().map(|pe| pe.fixed.place)
    }

    /// Local SRAM of a PE, as it is now.
    pub fn memory(&self, pe: GlobalPe) -> Option<&[u8]> {
        let index = *self.places.get(&pe)?;
        self.pes.get(index).map(|pe| pe.memory().bytes())
    }

    /// Puts everything back to the loaded state.
    pub fn reset(&mut self) {
        for (pe, loaded) in self.pes.iter_mut().zip(self.loaded.iter()) {
            pe.restore(loaded);
        }
        self.chips.links.clone_from(&self.links_loaded);
        self.chips.reset();
        self.started = false;
    }

    /// Gives each packet up to `cycles` more on its way, by chance from `seed`, so
    /// that packets reach the rings in another order. Nothing that a correct
    /// program computes may depend on that.
    pub fn shuffle_arrivals(&mut self, seed: u64, cycles: u64) {
        self.chips.shuffle = Some(Shuffle { seed, cycles });
    }

    /// Traces what `request` asks for from now on; an empty request ends tracing.
    pub fn trace(&mut self, request: &trace::Request) {
        let traced = request.pes();
        let room = request.events / (traced.len() as u64).max(1);
        for (index, pe) in self.pes.iter_mut().enumerate() {
            let place = pe.fixed.place;
            let mut recorder = trace::Recorder::new(index, room);
            recorder.instructions = request.instructions.contains(&place);
            recorder.packets = request.packets.contains(&place);
            recorder.sent = recorder.packets || request.spikes.contains(&place);
            pe.trace(traced.contains(&place).then_some(recorder));
        }
    }

    /// The events since the last call, by time, then PE.
    pub fn take_trace(&mut self) -> Vec<trace::Event> {
        let mut events: Vec<trace::Event> = self.pes.iter_mut().flat_map(Pe::take_trace).collect();
        // Stable: what a PE did at one time stays in order.
        events.sort_by_key(|e| (e.time, e.pe));
        events
    }

    /// Events for which the request had no room.
    pub fn trace_lost(&self) -> u64 {
        self.pes.iter().map(Pe::trace_lost).sum()
    }

    pub(crate) fn fixed(&self) -> impl Iterator<Item = &Arc<Fixed>> {
        self.pes.iter().map(|pe| &pe.fixed)
    }

    /// Lets faults happen in every run from now on.
    pub fn inject(&mut self, faults: Injection) -> Result<()> {
        let pes: Vec<GlobalPe> = self.pes().collect();
        let sram = self.pes.iter().map(|pe| pe.memory().size()).min();
        let sram = u32::try_from(sram.unwrap_or(0)).unwrap_or(u32::MAX);
        faults.check(&pes, sram, |chip, link| self.chips.has_link(chip, link))?;
        self.faults = Arc::new(faults);
        Ok(())
    }

    /// Runs one sample, from the loaded state unless `sample.keep_state`.
    ///
    /// After an error the machine is in the state in which the error was found.
    pub fn run_sample(&mut self, sample: &SampleRun) -> Result<SampleResult> {
        self.run_numbered(sample, 0)
    }

    /// As [`Machine::run_sample`]; which packets and bits are hit by injected faults
    /// depends on the sample's `number`.
    pub fn run_numbered(&mut self, sample: &SampleRun, number: u64) -> Result<SampleResult> {
        sample.check(&self.program)?;
        if !sample.keep_state {
            self.reset();
        }
        let began = if self.started {
            self.pes.iter().map(Pe::time).max().unwrap_or(0)
        } else {
            self.start
        };
        // The first interrupt comes a period after the start; timers that run
        // already are due now.
        let first = if self.started {
            began
        } else {
            began.saturating_add(self.period)
        };
        let ticks = u64::from(sample.ticks) + 1;
        let end_time = began.saturating_add(self.period.saturating_mul(ticks));
        let places = &self.places;
        let index_of = |s: &SliceInfo| {
            let pe = GlobalPe {
                chip: s.chip,
                pe: s.pe,
            };
            places.get(&pe).copied()
        };
        let mut plan = Plan::new(sample, &self.program, end_time, index_of)?;
        let mut sessions = plan.sessions(&mut self.hosts, &self.chips.ranges());
        for session in &mut sessions {
            session.inject(&self.faults, number);
        }
        // What is dead from tick 0 on was dead before.
        let dies = |&tick: &u32| match tick {
            0 => 0,
            _ => first.saturating_add(self.period.saturating_mul(tick.into())),
        };
        let links = self.faults.dead_links.iter();
        let links = links.map(|(&link, tick)| (link, dies(tick))).collect();
        self.chips.break_links(&links);
        self.chips.begin_run();
        for pe in &mut self.pes {
            pe.begin_run(first);
            if !self.started {
                pe.start(self.start);
            }
        }
        self.started = true;
        sched::run(&mut self.pes, &mut self.chips, &mut sessions, Until::End)?;
        let end_of = |pe: &Pe| if pe.ended() { pe.time() } else { end_time };
        let end = self.pes.iter().map(end_of).max().unwrap_or(end_time);
        for pe in &mut self.pes {
            // What arrived until the end counts, although no program looked.
            pe.receive_until(end_of(pe));
            pe.account(end);
        }
        // A late program that waits for others can't be run alone.
        if !sample.keep_state && self.chips.links.is_none() {
            for pe in self.pes.iter_mut().filter(|pe| pe.ended()) {
                pe.finish_work()?;
            }
        }
        let mut seen = Seen::of(sessions, self.pes.iter_mut().map(Pe::memory_mut))?;
        let network = self.chips.take_counts();
        seen.injected.packets_on_dead_links += network.link_broken;
        Ok(SampleResult {
            ticks: sample.ticks,
            level: self.level,
            time: end.saturating_sub(first),
            spikes: seen.spikes,
            v: seen.v,
            i: seen.i,
            frames: seen.frames,
            activity: seen.activity,
            stretch: seen.stretch,
            injected: seen.injected,
            windows: seen.windows,
            record_reads: seen.record_reads,
            pes: self.pes.iter_mut().map(Pe::end_run).collect(),
            unmatched: std::mem::take(&mut self.chips.unmatched),
            dram: self
                .chips
                .links
                .as_mut()
                .map(|l| l.take_stats())
                .unwrap_or_default(),
            network,
        })
    }
}
