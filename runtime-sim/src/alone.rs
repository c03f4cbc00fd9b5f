//! One PE and no machine around it: its program gets packets by hand, tick by tick.
//!
//! Cost models run emitted code here, on packets that stand for an activity, and see
//! what a tick takes by the cycle table of the core.

use crate::bus::Bus;
use crate::clock::{Clock, Level};
use crate::cpu::{Core, Engine, Exit, Memory};
use crate::load::{costs, load_memory};
use crate::mmio::comms::Arrival;
use ir::Target;
use ir::diag::{Diagnostic, Result};
use ir::geometry::GlobalPe;
use ir::image::{Coupling, PeImage};

/// Core cycles after which a piece of work counts as one that never ends.
const FUEL: u64 = 1 << 32;

/// A PE that has been started and sleeps between ticks.
#[derive(Clone, Debug)]
pub struct Alone {
    core: Core,
    memory: Memory,
    bus: Bus,
    timer_line: u8,
    sequence: u64,
}

/// What one tick did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticked {
    /// From the timer's interrupt to sleep.
    pub cycles: u64,
    /// Packets sent.
    pub sent: u64,
}

impl Alone {
    /// Loads `image`, runs its start-up code and gives it the start signal.
    pub fn start(image: &PeImage, place: GlobalPe, target: &Target, level: Level) -> Result<Self> {
        let line = |line: u32| {
            u8::try_from(line)
                .map_err(|_| Diagnostic::internal(format!("there is no interrupt line {line}")))
        };
        let mut core = Core::new(costs(target)?);
        // A few ticks do not repay translation.
        core.set_engine(Engine::Interpreter);
        let memory = load_memory(place, image, target)?;
        core.reset(&memory)
            .map_err(|fault| Diagnostic::internal(format!("{place} has no reset: {fault}")))?;
        let mut bus = Bus::new(target, place, 0, 0, Coupling::None);
        bus.clock = Clock::new(target, level);
        bus.comms.set_horizon(u64::MAX);
        bus.outside.packets.set_horizon(u64::MAX);
        let mut alone = Self {
            core,
            memory,
            bus,
            timer_line: line(target.timer.irq)?,
            sequence: 0,
        };
        alone.work()?;
        alone.core.set_irq_pending(line(target.irq.start)?);
        alone.work()?;
        Ok(alone)
    }

    pub fn memory(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// One tick, before which these packets (key and payload) have arrived.
    pub fn tick(&mut self, packets: &[(u32, Option<u32>)]) -> Result<Ticked> {
        let due = self.bus.timer.due();
        let due = due.ok_or_else(|| Diagnostic::internal("a program did not start its timer"))?;
        let cycle = self.bus.clock.to_cycle(due);
        self.core.cycle = self.core.cycle.max(cycle);
        let now = self.bus.clock.to_time(self.core.cycle);
        for &(key, payload) in packets {
            self.sequence += 1;
            self.bus.comms.expect(Arrival {
                cycle: now,
                source: 0,
                sequence: self.sequence,
                key,
                payload,
            });
        }
        self.bus.comms.advance(now);
        self.bus.service(&mut self.memory);
        self.bus.timer.expire();
        let line = self.bus.timer.line();
        self.core.set_irq_level(self.timer_line, line);
        let begun = self.core.cycle;
        let sent = self.work()?;
        Ok(Ticked {
            cycles: self.core.cycle - begun,
            sent,
        })
    }

    /// Runs until the core sleeps outside of handlers with no device at work for it;
    /// gives the packets sent.
    fn work(&mut self) -> Result<u64> {
        let fuel = self.core.cycle.saturating_add(FUEL);
        let mut sent = 0;
        loop {
            let device = self.bus.due().unwrap_or(u64::MAX);
            if !self.core.can_run() {
                if !self.waits() || device == u64::MAX {
                    return Ok(sent);
                }
                let cycle = self.bus.clock.to_cycle(device);
                self.core.cycle = self.core.cycle.max(cycle);
            }
            if self.bus.clock.to_time(self.core.cycle) >= device {
                let effects = self.bus.expire(device, &mut self.memory);
                self.core.apply(effects);
                continue;
            }
            if self.core.cycle >= fuel {
                return Err(Diagnostic::internal("a program does not end its tick").into());
            }
            let limit = self.bus.clock.to_cycle(device).min(fuel);
            let exit = self.core.run(&mut self.memory, &mut self.bus, limit);
            self.bus.service(&mut self.memory);
            sent += self.bus.comms.outbox().drain(..).count() as u64;
            match exit {
                Exit::Wfi | Exit::Wfe | Exit::CycleLimit | Exit::Device => {}
                // What it sends comes back to nobody: all arrivals are known.
                Exit::Fault(_) if self.bus.comms.take_blocked().is_some() => {
                    self.bus.comms.set_horizon(u64::MAX);
                }
                Exit::Fault(fault) => {
                    let message = format!("a program that runs alone faults: {fault}");
                    return Err(Diagnostic::internal(message).into());
                }
                Exit::Bkpt(_) | Exit::ResetRequest => {
                    return Err(Diagnostic::internal("a program that runs alone stops").into());
                }
            }
        }
    }

    fn waits(&self) -> bool {
        self.core.exception() != 0 || self.bus.working()
    }
}
