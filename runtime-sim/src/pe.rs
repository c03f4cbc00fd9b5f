//! One processing element: core, SRAM and devices, and what its ticks cost.
//!
//! The PE's own timer divides its time into ticks: tick t lasts from the timer's
//! interrupt t to its interrupt t + 1. *Work* is what the program does for one
//! interrupt: it begins when the interrupt wakes the core and ends when the core
//! sleeps outside of handlers with no device at work for it (a program that sleeps
//! until the MAC array is done is still at work). If an interrupt comes while the core is still awake, a deadline is
//! missed; then the next work begins when the program acknowledges the late
//! interrupt, which programs do before anything else.
//!
//! The core counts cycles, everything else machine time: see [`crate::clock`]. What
//! work costs is counted in core cycles.

mod autopsy;
mod faults;
mod trace;

use crate::bus::Bus;
use crate::cpu::{Core, Engine, Exit, Memory};
use crate::energy::Activity;
use crate::mmio::comms::{Arrival, OUTBOX_LIMIT, Packet};
use crate::mmio::packet::{Coming, Sent};
use crate::pages::Pages;
use crate::remote::{Completion, Request};
use crate::report::{MISSED_KEPT, Missed, PeStats};
use crate::session::Session;
use crate::symbols::Symbols;
use crate::trace::{Recorder, What};
use faults::Faults;
use ir::diag::Result;
use ir::geometry::GlobalPe;
use ir::image::Coupling;
use std::sync::Arc;

/// Ticks' worth of cycles that a PE may stay awake for one piece of work.
pub const FUEL_TICKS: u64 = 64;

/// What does not change while a PE runs.
#[derive(Debug)]
pub(crate) struct Fixed {
    pub(crate) place: GlobalPe,
    /// How messages name the PE: its populations and its coordinates.
    pub(crate) name: String,
    pub(crate) symbols: Symbols,
    pub(crate) timer_line: u8,
    pub(crate) start_line: u8,
    /// Machine time of one tick.
    pub(crate) period: u64,
}

/// A PE of the machine.
#[derive(Clone, Debug)]
pub(crate) struct Pe {
    pub(crate) fixed: Arc<Fixed>,
    index: usize,
    core: Core,
    memory: Memory,
    bus: Bus,
    /// Packets that were sent and not yet routed, each with its tick.
    sent: Vec<(Packet, Option<u32>)>,
    /// Packets sent since reset.
    sequence: u64,
    work: Work,
    /// Time that the PE must not pass in this turn.
    limit: u64,
    stats: PeStats,
    /// Only while the PE is traced.
    trace: Option<Box<Recorder>>,
    /// Core counter at the beginning of the run.
    instructions_before: u64,
    changes_before: u64,
    faults: Faults,
    /// The time from which time and cycles by level are counted.
    count_from: u64,
    /// What the MAC array will have done by then.
    macs_before: [u64; 2],
    /// What was done in this run before the present tick.
    done_before: Activity,
}

/// Where a PE is in its ticks.
#[derive(Clone, Debug, Default)]
struct Work {
    /// Timer expiries before the run.
    expiries_before: u64,
    /// Pieces of work begun in the run.
    begun: u32,
    /// The core cycle in which the current one began.
    since: Option<u64>,
    /// First entry of `PeStats::missed` that belongs to the current work.
    missed_from: usize,
    /// The core cycle and the time since which the core has been awake without a new
    /// piece of work.
    fuel_from: (u64, u64),
    /// The run has ended for this PE.
    ended: bool,
}

/// A PE as it was after start-up.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    core: Core,
    memory: Pages,
    bus: Bus,
}

/// Why a PE stopped running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// Nothing to do before this time, or ever.
    Asleep(Option<u64>),
    /// The others must be run up to this time first; nothing is sent before it.
    Waiting(u64),
    /// The last tick is over, or the time of the run.
    Ended,
}

impl Pe {
    pub(crate) fn new(fixed: Fixed, index: usize, core: Core, memory: Memory, bus: Bus) -> Self {
        let stats = PeStats::new(fixed.place);
        Self {
            fixed: Arc::new(fixed),
            index,
            core,
            memory,
            bus,
            sent: Vec::new(),
            sequence: 0,
            work: Work::default(),
            limit: u64::MAX,
            stats,
            trace: None,
            instructions_before: 0,
            changes_before: 0,
            faults: Faults::default(),
            count_from: 0,
            macs_before: [0; 2],
            done_before: Activity::default(),
        }
    }

    pub(crate) fn reset(&mut self) -> Result<()> {
        let result = self.core.reset(&self.memory);
        result.map_err(|fault| self.faulted(&fault))
    }

    pub(crate) fn set_engine(&mut self, engine: Engine) {
        self.core.set_engine(engine);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            core: self.core.without_code(),
            memory: Pages::of(&self.memory),
            bus: self.bus.clone(),
        }
    }

    /// Goes back to `snapshot`. SRAM is compared and only what differs is written,
    /// so that code which did not change stays decoded.
    pub(crate) fn restore(&mut self, snapshot: &Snapshot) {
        self.core.restore(&snapshot.core);
        self.bus.clone_from(&snapshot.bus);
        self.sent.clear();
        self.sequence = 0;
        self.work = Work::default();
        snapshot.memory.restore(&mut self.memory);
    }

    /// Everything a program can see, for comparing machines in tests.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(crate) fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// The machine time that the PE has reached.
    pub(crate) fn time(&self) -> u64 {
        self.bus.clock.to_time(self.core.cycle)
    }

    /// Lets a core that does nothing stand at `time`, unless it is later already.
    fn advance_to(&mut self, time: u64) {
        let cycle = self.bus.clock.to_cycle(time);
        self.core.cycle = self.core.cycle.max(cycle);
    }

    fn refuel(&mut self) {
        self.work.fuel_from = (self.core.cycle, self.time());
    }

    pub(crate) fn ended(&self) -> bool {
        self.work.ended
    }

    /// When the PE next does something on its own.
    pub(crate) fn next_event(&self) -> Option<u64> {
        if self.core.can_run() {
            Some(self.time())
        } else {
            self.due().map(|due| due.max(self.time()))
        }
    }

    /// As [`Pe::next_event`], but a core that runs may have left a device behind that
    /// is due before the core's present instruction.
    pub(crate) fn next_turn(&self) -> Option<u64> {
        let core = self.core.can_run().then(|| self.time());
        match (core, self.due()) {
            (Some(core), Some(due)) => Some(core.min(due)),
            (None, Some(due)) => Some(due.max(self.time())),
            (core, None) => core,
        }
    }

    /// Whether the core sleeps, so that something from outside may wake it.
    pub(crate) fn may_wake(&self) -> bool {
        self.core.is_asleep() && !self.work.ended
    }

    /// What the PE's devices have asked of memory elsewhere since the last call.
    pub(crate) fn take_asked(&mut self) -> std::vec::Drain<'_, Request> {
        self.bus.outside.port.take()
    }

    /// Interrupt lines pulse at `time`.
    pub(crate) fn interrupt(&mut self, time: u64, lines: u64) {
        self.bus.outside.ipi.expect(time, lines);
    }

    /// What a device has asked for has been carried out.
    pub(crate) fn complete(&mut self, completion: Completion) {
        self.bus.complete(completion);
    }

    /// When a device next does something on its own.
    fn due(&self) -> Option<u64> {
        match (self.bus.timer.due(), self.bus.due()) {
            (Some(timer), Some(device)) => Some(timer.min(device)),
            (timer, device) => timer.or(device),
        }
    }

    /// Begins a run: counters start at zero, state stays. Time and cycles by level
    /// are counted from `first` on, when the first tick begins.
    pub(crate) fn begin_run(&mut self, first: u64) {
        self.stats = PeStats::new(self.fixed.place);
        self.bus.clock.take_spent(first);
        self.count_from = first;
        self.macs_before = self.bus.mla.cell_macs_by(first);
        self.done_before = Activity::default();
        self.faults = Faults::default();
        self.changes_before = self.bus.clock.changes();
        self.instructions_before = self.core.instructions;
        self.bus.comms.restart_counts();
        self.bus.mla.restart_counts();
        self.bus.outside.take_stats();
        self.work.expiries_before = self.bus.timer.expiries();
        self.work.begun = 0;
        self.work.missed_from = 0;
        self.work.ended = false;
    }

    /// The host's start signal at `time`.
    pub(crate) fn start(&mut self, time: u64) {
        self.advance_to(time);
        self.core.set_irq_pending(self.fixed.start_line);
        self.refuel();
    }

    /// The run ends at `end` for the whole machine: counts the time at each level.
    pub(crate) fn account(&mut self, end: u64) {
        self.stats.activity.time = self.bus.clock.take_spent(end);
        let macs = self.bus.mla.cell_macs_by(end);
        let done = |level: usize| macs[level].saturating_sub(self.macs_before[level]);
        self.stats.activity.macs = [done(0), done(1)];
    }

    /// What was done in this run until `time`, as far as it costs energy.
    fn done_by(&self, time: u64) -> Activity {
        let macs = self.bus.mla.cell_macs_by(time);
        Activity {
            time: self.bus.clock.spent(time),
            busy: self.stats.activity.busy,
            macs: [0, 1].map(|l: usize| macs[l].saturating_sub(self.macs_before[l])),
        }
    }

    /// Ends a run and hands over its counters.
    pub(crate) fn end_run(&mut self) -> PeStats {
        let mut stats = std::mem::replace(&mut self.stats, PeStats::new(self.fixed.place));
        let ring = self.bus.comms.counts();
        stats.level_changes = self.bus.clock.changes() - self.changes_before;
        stats.instructions = self.core.instructions - self.instructions_before;
        stats.mla = self.bus.mla.activity();

        stats.received = ring.received;
        stats.dropped = ring.dropped;
        stats.ring_waited = ring.waited;
        stats.unreceived = ring.unreceived;
        stats.stripped = ring.stripped;
        stats.ring_high_water = ring.high_water;
        stats.links = self.bus.outside.take_stats();
        stats
    }

    /// Packets sent since the last call, with the tick of each and the number of the first.
    pub(crate) fn take_sent(&mut self) -> (u64, std::vec::Drain<'_, (Packet, Option<u32>)>) {
        let first = self.sequence;
        self.sequence += self.sent.len() as u64;
        (first, self.sent.drain(..))
    }

    pub(crate) fn has_sent(&self) -> bool {
        !self.sent.is_empty() || self.has_parcels()
    }

    /// Whether packets other than plain multicast were sent.
    pub(crate) fn has_parcels(&self) -> bool {
        self.bus.outside.packets.has_sent()
    }

    /// Such packets sent since the last call.
    pub(crate) fn take_parcels(&mut self) -> Vec<Sent> {
        self.bus.outside.packets.take_sent()
    }

    /// Such a packet is on its way here.
    pub(crate) fn expect_parcel(&mut self, coming: Coming) {
        self.bus.outside.packets.expect(coming);
    }

    pub(crate) fn parcels_in_flight(&self) -> usize {
        self.bus.outside.packets.in_flight()
    }

    /// Such a packet of this PE reached nobody.
    pub(crate) fn lose_parcel(&mut self) {
        self.bus.outside.packets.lose();
    }

    /// A packet is on its way here.
    pub(crate) fn expect(&mut self, arrival: Arrival) {
        if self.trace.as_ref().is_some_and(|t| t.packets) {
            self.note_arrival(&arrival);
        }
        self.bus.comms.expect(arrival);
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.bus.comms.in_flight()
    }

    /// Lets packets arrive up to `time`, which the PE has reached.
    pub(crate) fn receive_until(&mut self, time: u64) {
        // What interrupts is taken when it is due.
        if !self.bus.comms.listens() {
            self.bus.comms.advance(time);
        }
        self.bus.outside.packets.expire(time);
        self.bus.service(&mut self.memory);
    }

    /// As [`Pe::run`], but not past `limit`, nor past what the PE asks for meanwhile.
    pub(crate) fn run_until(
        &mut self,
        limit: u64,
        time: u64,
        horizon: u64,
        session: &mut Session<'_>,
    ) -> Result<Pause> {
        if let Some(fault) = self.bus.outside.window.take_refused() {
            return Err(self.stopped(&format!("a store to memory elsewhere failed: {fault}")));
        }
        if self.bus.outside.window.is_waiting() {
            return Ok(Pause::Waiting(limit));
        }
        self.limit = limit;
        let pause = self.run(time, horizon, session);
        self.limit = u64::MAX;
        pause
    }

    /// Runs from `time` (if asleep, else from the PE's clock) until the program
    /// sleeps, the run ends, or arrivals beyond `horizon` would have to be known.
    pub(crate) fn run(
        &mut self,
        time: u64,
        horizon: u64,
        session: &mut Session<'_>,
    ) -> Result<Pause> {
        if self.core.is_asleep() {
            self.advance_to(time);
        }
        self.bus.comms.set_horizon(horizon);
        self.bus.outside.packets.set_horizon(horizon);
        loop {
            let due = self.bus.timer.due().unwrap_or(u64::MAX);
            // Without a running timer the run ends at a time.
            let last = if due == u64::MAX {
                session.end_time
            } else {
                due
            };
            let device = self.bus.due().filter(|&d| d <= last).unwrap_or(u64::MAX);
            let limit = self.limit.min(self.bus.outside.port.first());
            let now = self.time();
            if now >= device && device < limit {
                self.device_acts(device);
                continue;
            }
            if now >= due && due < limit {
                if self.timer_interrupt(due, session)? {
                    return Ok(Pause::Ended);
                }
                continue;
            }
            if now >= limit {
                let next = now.min(due).min(device);
                return Ok(Pause::Waiting(next));
            }
            if !self.core.can_run() {
                let next = due.min(device);
                return Ok(Pause::Asleep(Some(next).filter(|&d| d != u64::MAX)));
            }
            if self.core.is_asleep() {
                self.refuel();
            }
            let fuel = self.fuel_limit();
            if now >= fuel {
                return Err(self.out_of_fuel());
            }
            if due == u64::MAX && now >= session.end_time {
                self.work.ended = true;
                return Ok(Pause::Ended);
            }
            let exit = self.execute(last.min(device).min(fuel).min(limit));
            self.after_run(session)?;
            match exit {
                Exit::Wfi | Exit::Wfe if self.waits() => {}
                Exit::Wfi | Exit::Wfe => self.end_work(self.core.cycle),
                Exit::CycleLimit | Exit::Device => {}
                Exit::Fault(fault) => match self.blocked() {
                    // The access is repeated when the PE runs again.
                    Some(time) => return Ok(Pause::Waiting(time)),
                    None => return Err(self.faulted(&fault)),
                },
                Exit::Bkpt(n) => return Err(self.stopped(&format!("breakpoint {n}"))),
                Exit::ResetRequest => return Err(self.stopped("the program asked for a reset")),
            }
            // Who can be interrupted by an answer waits until it is known.
            let parcels = &self.bus.outside.packets;
            if parcels.has_sent() && self.bus.outside.port.coupling() == Coupling::Window {
                return Ok(Pause::Waiting(self.time()));
            }
            if self.sent.len() >= OUTBOX_LIMIT || self.bus.outside.packets.outbox_full() {
                return Ok(Pause::Waiting(self.time()));
            }
        }
    }

    /// Until when the access that was just refused has to wait, if it only has to wait.
    fn blocked(&mut self) -> Option<u64> {
        if let Some(time) = self.bus.outside.port.take_blocked() {
            let now = self.time();
            self.bus.outside.window.forget(now);
            return Some(time);
        }
        let packets = self.bus.outside.packets.take_blocked();
        packets.or_else(|| self.bus.comms.take_blocked())
    }

    /// Whether a core that sleeps is in the middle of its work.
    fn waits(&self) -> bool {
        self.core.exception() != 0 || self.bus.working()
    }

    /// Devices are due at `due`, which the clock has reached.
    fn device_acts(&mut self, due: u64) {
        let waited = self.waits();
        let effects = self.bus.expire(due, &mut self.memory);
        self.core.apply(effects);
        if waited && !self.core.can_run() && !self.waits() {
            self.end_work(self.bus.clock.to_cycle(due));
        }
    }

    fn fuel_limit(&self) -> u64 {
        let fuel = self.fixed.period.saturating_mul(FUEL_TICKS);
        self.work.fuel_from.1.saturating_add(fuel)
    }

    /// Runs the core up to `limit`, a time, or until a device wants attention, as
    /// it does when the level changes.
    fn execute(&mut self, limit: u64) -> Exit {
        let level = self.bus.clock.level();
        let (cycle, time) = (self.core.cycle, self.time());
        // Stretches lie before or after the time from which energy is counted.
        let from = self.count_from;
        let limit = if time < from { limit.min(from) } else { limit };
        let limit = self.bus.clock.to_cycle(limit);
        let exit = self.run_core(limit);
        let cycles = self.core.cycle - cycle;
        self.stats.busy_cycles += cycles;
        if time < from {
            self.macs_before = self.bus.mla.cell_macs_by(from);
        } else {
            self.stats.activity.busy[level.index()] += cycles;
            self.stats.busy_time += self.time() - time;
        }
        self.bus.service(&mut self.memory);
        exit
    }

    /// Takes over what the devices noted during the last stretch of execution.
    fn after_run(&mut self, session: &mut Session<'_>) -> Result<()> {
        let tick = self.tick();
        if self.trace.as_ref().is_some_and(|t| t.sent) {
            self.note_sent(tick);
        }
        let sent = self.bus.comms.outbox();
        self.stats.sent += sent.len() as u64;
        self.stats.sent_payloads += sent.iter().filter(|p| p.payload.is_some()).count() as u64;
        self.sent.extend(sent.drain(..).map(|p| (p, tick)));
        if let Some(cycle) = self.bus.take_acknowledged()
            && self.bus.late
        {
            self.end_work(cycle);
            self.begin_work(cycle, session)?;
        }
        Ok(())
    }

    /// The running tick; `None` before the first.
    fn tick(&self) -> Option<u32> {
        let ticks = self.bus.timer.expiries() - self.work.expiries_before;
        u32::try_from(ticks.checked_sub(1)?).ok()
    }

    /// The timer reaches zero at `due`. True if that ends the run.
    fn timer_interrupt(&mut self, due: u64, session: &mut Session<'_>) -> Result<bool> {
        let tick = self.tick();
        if let Some(tick) = tick {
            session.tick_ends(self.index, tick, &self.memory);
            let done = self.done_by(due);
            session.spend(tick, &done.since(&self.done_before));
            self.done_before = done;
        }
        let awake = self.core.can_run() || self.waits();
        if awake {
            self.miss(tick.unwrap_or(0));
        }
        let next = tick.map_or(0, |t| t + 1);
        if next >= session.ticks() {
            self.work.ended = true;
            return Ok(true);
        }
        if session.injects() && self.suffer(next, session) {
            self.work.ended = true;
            return Ok(true);
        }
        self.bus.timer.expire();
        let line = self.bus.timer.line();
        self.core.set_irq_level(self.fixed.timer_line, line);
        if awake {
            self.bus.late = true;
        } else if self.core.can_run() {
            let cycle = self.bus.clock.to_cycle(due);
            self.begin_work(cycle, session)?;
        }
        Ok(false)
    }

    fn miss(&mut self, tick: u32) {
        self.stats.missed_deadlines += 1;
        if self.stats.missed.len() < MISSED_KEPT {
            self.stats.missed.push(Missed {
                tick,
                pc: self.core.pc,
                symbol: self.fixed.symbols.function(self.core.pc),
                cycles_used: 0,
            });
        }
    }

    fn begin_work(&mut self, at: u64, session: &mut Session<'_>) -> Result<()> {
        session.work_begins(self.index, self.work.begun, &mut self.memory)?;
        let tick = self.work.begun;
        self.note(self.bus.clock.to_time(at), What::WorkBegins { tick });
        self.work.begun += 1;
        self.work.since = Some(at);
        self.bus.late = false;
        self.work.fuel_from = (at, self.bus.clock.to_time(at));
        Ok(())
    }

    fn end_work(&mut self, at: u64) {
        let since = self.work.since.take();
        let used = at.saturating_sub(since.unwrap_or(self.work.fuel_from.0));
        if since.is_some() {
            let cycles = used;
            self.note(self.bus.clock.to_time(at), What::WorkEnds { cycles });
            self.stats.tick_cycles.push(used);
        }
        let from = self.work.missed_from.min(self.stats.missed.len());
        for missed in &mut self.stats.missed[from..] {
            missed.cycles_used = used;
        }
        self.work.missed_from = self.stats.missed.len();
    }

    /// After the run: lets a late program finish its work, so that its cycles
    /// are known and a program that never ends is found in short runs too. What
    /// it sends no longer counts.
    pub(crate) fn finish_work(&mut self) -> Result<()> {
        if self.faults.dead {
            return Ok(());
        }
        self.bus.comms.set_horizon(u64::MAX);
        loop {
            let device = self.bus.due().unwrap_or(u64::MAX);
            let fuel = self.fuel_limit();
            if !self.core.can_run() {
                if !self.waits() || device >= fuel {
                    break;
                }
                self.advance_to(device);
            }
            if self.time() >= device {
                self.device_acts(device);
                continue;
            }
            if self.time() >= fuel {
                return Err(self.out_of_fuel());
            }
            let limit = self.bus.clock.to_cycle(fuel.min(device));
            let exit = self.run_core(limit);
            self.bus.comms.outbox().clear();
            self.bus.service(&mut self.memory);
            if let Some(cycle) = self.bus.take_acknowledged()
                && self.bus.late
            {
                // What follows belongs to a tick that was only begun.
                self.end_work(cycle);
                return Ok(());
            }
            match exit {
                Exit::Wfi | Exit::Wfe if self.waits() => {}
                Exit::Wfi | Exit::Wfe => break,
                Exit::CycleLimit | Exit::Device => {}
                Exit::Fault(fault) => match self.bus.comms.take_blocked() {
                    Some(_) => self.bus.comms.set_horizon(u64::MAX),
                    None => return Err(self.faulted(&fault)),
                },
                Exit::Bkpt(n) => return Err(self.stopped(&format!("breakpoint {n}"))),
                Exit::ResetRequest => return Err(self.stopped("the program asked for a reset")),
            }
        }
        self.end_work(self.core.cycle);
        Ok(())
    }
}
