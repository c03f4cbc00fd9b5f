//! What a core reaches beyond its SRAM: the devices at the target's addresses.
//!
//! Beside answering accesses, devices act on their own. Timer 1 does so through
//! [`Timer`] itself, since its interrupts are what ticks are counted by. Every other
//! device says through [`Bus::due`] when it next acts, and acts in [`Bus::expire`].
//! What a write starts and needs memory for is done in [`Bus::service`], which is
//! called before the next instruction (the write asks for that by `Effects::stop`).

use crate::clock::{Clock, Level};
use crate::cpu::{BusError, Effects, Memory, Mmio, Ports, Size};
use crate::mmio::comms::{Comms, READY};
use crate::mmio::explog::ExpLog;
use crate::mmio::mla::Mla;
use crate::mmio::outside::{Outside, Register};
use crate::mmio::rng::Random;
use crate::mmio::rounding::Rounding;
use crate::mmio::timer::Timer;
use crate::remote::{Completion, owner};
use ir::Target;
use ir::geometry::GlobalPe;
use ir::image::Coupling;

/// Bytes of address space of each device.
const TIMER_SPAN: u32 = 0x20;
const COMMS_SPAN: u32 = 0x200;
const MLA_SPAN: u32 = 0x80;
const EXPLOG_SPAN: u32 = 0x20;
const RANDOM_SPAN: u32 = 0x20;
const NOISE_SPAN: u32 = 0x10;
const ROUNDING_SPAN: u32 = 0x100;

/// Where the computing units begin.
#[derive(Clone, Copy, Debug)]
struct Bases {
    mla: u32,
    explog: u32,
    random: u32,
    noise_config: u32,
    noise: u32,
    rounding: u32,
}

/// The devices of one PE.
#[derive(Clone, Debug)]
pub struct Bus {
    timer_base: u32,
    comms_base: u32,
    timer_line: u64,
    wait: u32,
    level_command: u32,
    /// Command words of the levels, by level.
    level_values: [u32; 2],
    /// Core cycles to machine time, in which every device counts.
    pub clock: Clock,
    /// Timer 1.
    pub timer: Timer,
    /// The communications controller.
    pub comms: Comms,
    bases: Bases,
    /// The MAC array.
    pub mla: Mla,
    mla_line: u64,
    explog: ExpLog,
    random: Random,
    rounding: Rounding,
    /// What reaches other PEs and DRAM.
    pub outside: Outside,
    /// Levels of the interrupt lines of every device but timer 1.
    lines: u64,
    effects: Effects,
    acknowledged: Option<u64>,
    /// The timer's interrupt came while the core was awake and was not acknowledged yet:
    /// with that the next work begins.
    pub late: bool,
}

impl Bus {
    /// The devices of `pe` after reset; `lookahead` as in [`Comms::new`], `seed` as in
    /// [`Random::new`].
    pub fn new(
        target: &Target,
        pe: GlobalPe,
        lookahead: u64,
        seed: u64,
        coupling: Coupling,
    ) -> Self {
        Self {
            timer_base: target.timer.base,
            comms_base: target.comms.base,
            timer_line: 1_u64.checked_shl(target.timer.irq).unwrap_or(0),
            wait: target.cpu.mmio_access,
            level_command: level_command(target, pe),
            level_values: [target.level.low_value, target.level.high_value],
            clock: Clock::new(target, Level::default()),
            timer: Timer::new(target),
            comms: Comms::new(target, pe, lookahead),
            bases: Bases {
                mla: target.mla.base,
                explog: target.explog.base,
                random: target.rng.base,
                noise_config: target.rng.trng_config,
                noise: target.rng.trng_value,
                rounding: target.rounding.base,
            },
            mla: Mla::new(target, pe),
            mla_line: 1_u64.checked_shl(target.mla.irq).unwrap_or(0),
            explog: ExpLog::new(target),
            random: Random::new(target, pe, seed),
            rounding: Rounding::new(target),
            outside: Outside::new(target, pe, coupling),
            lines: 0,
            effects: Effects::default(),
            acknowledged: None,
            late: false,
        }
    }

    /// What programs access for each packet that they send.
    pub fn ports(&self, target: &Target) -> Ports {
        Ports {
            status: self.comms_base.wrapping_add(target.comms.tctl),
            value: READY,
            queued: self.comms_base.wrapping_add(target.comms.tkr),
            wait: self.wait,
        }
    }

    /// The core cycle at which the timer interrupt was acknowledged, once.
    pub fn take_acknowledged(&mut self) -> Option<u64> {
        self.acknowledged.take()
    }

    /// When a device other than timer 1 next does something on its own.
    pub fn due(&self) -> Option<u64> {
        let devices = [self.mla.due(), self.outside.due(), self.comms.due()];
        devices.into_iter().flatten().min()
    }

    /// True while a device is at work for the program: a PE that sleeps meanwhile has
    /// not ended its work.
    pub fn working(&self) -> bool {
        self.mla.busy() || self.outside.working()
    }

    /// Does what the program's accesses have asked for and memory is needed for.
    pub fn service(&mut self, memory: &mut Memory) {
        self.store_entries(memory);
        self.mla.service(&mut self.outside.port, memory);
        self.outside.service(memory);
    }

    /// Packets that have entered rings are in memory.
    fn store_entries(&mut self, memory: &mut Memory) {
        for (addr, word) in self.comms.take_stores() {
            // An enabled ring lies inside SRAM: the controller checks it.
            let _ = memory.write(addr, &word.to_le_bytes());
        }
    }

    /// Lets every device act that is due at `time` or before, so that what is due next
    /// lies behind `time`; says what that did to interrupt lines.
    pub fn expire(&mut self, time: u64, memory: &mut Memory) -> Effects {
        self.mla.expire(time, &mut self.outside.port, memory);
        let pulses = self.outside.expire(time, memory);
        if self.comms.listens() {
            self.comms.advance(time);
            self.store_entries(memory);
        }
        self.note_lines();
        self.effects.raise |= pulses;
        self.effects.lower |= pulses;
        std::mem::take(&mut self.effects)
    }

    /// What a device has asked of memory elsewhere has been carried out.
    pub fn complete(&mut self, completion: Completion) {
        match owner::of(completion.tag) {
            owner::MLA => self.mla.complete(completion),
            _ => self.outside.complete(completion),
        }
    }

    /// Adds to the effects what has happened to interrupt lines.
    fn note_lines(&mut self) {
        let mla = if self.mla.line() { self.mla_line } else { 0 };
        let lines = mla | self.outside.lines() | self.comms.lines();
        self.effects.raise |= lines & !self.lines;
        self.effects.lower |= self.lines & !lines;
        self.lines = lines;
    }

    fn device(&self, addr: u32, size: Size) -> Result<Device, BusError> {
        let timer = addr.wrapping_sub(self.timer_base);
        let comms = addr.wrapping_sub(self.comms_base);
        let device = if comms < COMMS_SPAN && !self.outside.has_comms(comms) {
            Device::Comms(comms)
        } else if timer < TIMER_SPAN {
            Device::Timer(timer)
        } else if addr == self.level_command {
            Device::Level
        } else if let Some(unit) = self.unit(addr) {
            unit
        } else {
            // The only addresses that take accesses of every size.
            return self.outside.find(addr, size).map(Device::Outside);
        };
        if size == Size::Word {
            Ok(device)
        } else {
            Err(BusError::Refused)
        }
    }
}

impl Bus {
    /// The computing unit at `addr`.
    fn unit(&self, addr: u32) -> Option<Device> {
        let b = &self.bases;
        let offset = |base: u32, span: u32| Some(addr.wrapping_sub(base)).filter(|&o| o < span);
        None.or_else(|| offset(b.mla, MLA_SPAN).map(Device::Mla))
            .or_else(|| offset(b.explog, EXPLOG_SPAN).map(Device::ExpLog))
            .or_else(|| offset(b.random, RANDOM_SPAN).map(Device::Random))
            .or_else(|| offset(b.rounding, ROUNDING_SPAN).map(Device::Rounding))
            .or_else(|| offset(b.noise, NOISE_SPAN).map(|_| Device::Noise))
            .or_else(|| offset(b.noise_config, NOISE_SPAN).map(Device::NoiseConfig))
    }
}

/// Address of the word that sets the level of `pe`.
fn level_command(target: &Target, pe: GlobalPe) -> u32 {
    let r = &target.level;
    let own = r.stride.wrapping_mul(pe.pe.p().into());
    r.base.wrapping_add(r.command).wrapping_add(own)
}

impl Bus {
    /// The core stands still for some machine time.
    fn stall(&mut self, time: u64) {
        let cycles = time.div_ceil(self.clock.span(1));
        let cycles = u32::try_from(cycles).unwrap_or(u32::MAX);
        self.effects.wait = self.effects.wait.saturating_add(cycles);
    }
}

enum Device {
    Timer(u32),
    Comms(u32),
    /// The command word of this PE's performance level.
    Level,
    Mla(u32),
    ExpLog(u32),
    Random(u32),
    Noise,
    NoiseConfig(u32),
    Rounding(u32),
    Outside(Register),
}

impl Mmio for Bus {
    fn read(&mut self, addr: u32, size: Size, cycle: u64) -> Result<u32, BusError> {
        let time = self.clock.to_time(cycle);
        match self.device(addr, size)? {
            Device::Level => Ok(self.level_values[self.clock.level().index()]),
            Device::Timer(offset) => self.timer.read(offset, time),
            Device::Comms(offset) => {
                let value = self.comms.read(offset, time)?;
                self.effects.stop |= self.comms.needs_attention();
                if self.comms.listens() {
                    self.note_lines();
                }
                Ok(value)
            }
            Device::Mla(offset) => self.mla.read(offset),
            Device::ExpLog(offset) => {
                let (value, stall) = self.explog.read(offset, time, self.clock.span(1))?;
                self.effects.wait += stall;
                Ok(value)
            }
            Device::Random(offset) => self.random.read(offset),
            Device::Noise => Ok(self.random.noise()),
            Device::NoiseConfig(offset) => self.random.config(offset).map(|word| *word),
            Device::Rounding(offset) => {
                let (value, stall) = self.rounding.read(offset, time, self.clock.span(1))?;
                self.effects.wait += stall;
                Ok(value)
            }
            Device::Outside(register) => {
                let (value, stall) = self.outside.read(register, (addr, size), time)?;
                self.stall(stall);
                self.note_lines();
                Ok(value)
            }
        }
    }

    fn write(&mut self, addr: u32, size: Size, value: u32, cycle: u64) -> Result<(), BusError> {
        let time = self.clock.to_time(cycle);
        match self.device(addr, size)? {
            Device::Level => {
                let level = self.level_values.iter().position(|&v| v == value);
                let level = level.and_then(|i| Level::ALL.get(i));
                let level = *level.ok_or(BusError::Refused)?;
                // The limit of the run is a number of cycles at the old level.
                self.effects.stop |= self.clock.set_level(level, cycle);
            }
            Device::Timer(offset) => {
                let due = self.timer.due();
                if self.timer.write(offset, value, time)? {
                    self.acknowledged = Some(cycle);
                    self.effects.stop |= self.late;
                }
                if !self.timer.line() {
                    self.effects.lower |= self.timer_line;
                }
                // The limit of the run depends on when the timer is due.
                self.effects.stop |= self.timer.due() != due;
            }
            Device::Comms(offset) => {
                let listened = self.comms.listens();
                if self.comms.asks_for_interrupts(offset, value) {
                    // Who is interrupted by others can't run ahead of them.
                    self.outside.port.declared(Coupling::Window)?;
                }
                self.comms.write(offset, value, time)?;
                self.effects.stop |= self.comms.needs_attention();
                if listened || self.comms.listens() {
                    self.note_lines();
                    // When the next packet is due limits the run.
                    self.effects.stop = true;
                }
            }
            Device::Mla(offset) => {
                let now = (time, &self.clock);
                self.mla.write(offset, value, now, &mut self.outside.port)?;
                // When it is due limits the run.
                self.effects.stop |= self.mla.needs_memory();
                self.note_lines();
            }
            Device::ExpLog(offset) => {
                let cycle = self.clock.span(1);
                self.effects.wait += self.explog.write(offset, value, time, cycle)?;
            }
            Device::Random(offset) => self.random.write(offset, value)?,
            Device::Noise => return Err(BusError::Refused),
            Device::NoiseConfig(offset) => *self.random.config(offset)? = value,
            Device::Rounding(offset) => {
                let cycle = self.clock.span(1);
                self.rounding
                    .write(offset, value, &mut self.random, time, cycle)?;
            }
            Device::Outside(register) => {
                let stall = self.outside.write(register, size, value, time)?;
                self.stall(stall);
                self.note_lines();
                self.effects.stop = true;
            }
        }
        Ok(())
    }

    fn effects(&mut self) -> Effects {
        self.effects.wait += self.wait;
        std::mem::take(&mut self.effects)
    }

    fn takes_late_writes(&self) -> bool {
        // Who may be interrupted by a packet has to know at once when it can come.
        !self.comms.listens()
    }
}
