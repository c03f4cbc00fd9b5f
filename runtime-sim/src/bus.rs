//! What a core reaches beyond its SRAM: the devices at the target's addresses.
//!
//! Beside answering accesses, devices act on their own. Timer 1 does so through
//! [`Timer`] itself, since its interrupts are what ticks are counted by. Every other
//! device says through [`Bus::due`] when it next acts, and acts in [`Bus::expire`].
//! What a write starts and needs memory for is done in [`Bus::service`], which is
//! called before the next instruction (the write asks for that by `Effects::stop`).

use crate::clock::{Clock, Level};
use crate::cpu::{BusError, Effects, Memory, Mmio, Size};
use crate::mmio::comms::Comms;
use crate::mmio::timer::Timer;
use ir::Target;
use ir::geometry::GlobalPe;

/// Bytes of address space of each device.
const TIMER_SPAN: u32 = 0x20;
const COMMS_SPAN: u32 = 0x200;

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
    effects: Effects,
    acknowledged: Option<u64>,
}

impl Bus {
    /// The devices of `pe` after reset; `lookahead` as in [`Comms::new`].
    pub fn new(target: &Target, pe: GlobalPe, lookahead: u64) -> Self {
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
            effects: Effects::default(),
            acknowledged: None,
        }
    }

    /// The core cycle at which the timer interrupt was acknowledged, once.
    pub fn take_acknowledged(&mut self) -> Option<u64> {
        self.acknowledged.take()
    }

    /// When a device other than timer 1 next does something on its own.
    pub fn due(&self) -> Option<u64> {
        let devices: [Option<u64>; 0] = [];
        devices.into_iter().flatten().min()
    }

    /// True while a device is at work for the program: a PE that sleeps meanwhile has
    /// not ended its work.
    pub fn working(&self) -> bool {
        false
    }

    /// Does what the program's accesses have asked for and memory is needed for.
    pub fn service(&mut self, memory: &mut Memory) {
        for (addr, word) in self.comms.take_stores() {
            // An enabled ring lies inside SRAM: the controller checks it.
            let _ = memory.write(addr, &word.to_le_bytes());
        }
    }

    /// Lets every device act that is due at `time` or before, so that what is due next
    /// lies behind `time`; says what that did to interrupt lines.
    pub fn expire(&mut self, _time: u64, _memory: &mut Memory) -> Effects {
        Effects::default()
    }

    fn device(&self, addr: u32, size: Size) -> Result<Device, BusError> {
        let timer = addr.wrapping_sub(self.timer_base);
        let comms = addr.wrapping_sub(self.comms_base);
        let device = if comms < COMMS_SPAN {
            Device::Comms(comms)
        } else if timer < TIMER_SPAN {
            Device::Timer(timer)
        } else if addr == self.level_command {
            Device::Level
        } else {
            return Err(BusError::Unmapped);
        };
        if size == Size::Word {
            Ok(device)
        } else {
            Err(BusError::Refused)
        }
    }
}

/// Address of the word that sets the level of `pe`.
fn level_command(target: &Target, pe: GlobalPe) -> u32 {
    let r = &target.level;
    let own = r.stride.wrapping_mul(pe.pe.p().into());
    r.base.wrapping_add(r.command).wrapping_add(own)
}

enum Device {
    Timer(u32),
    Comms(u32),
    /// The command word of this PE's performance level.
    Level,
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
                if self.timer.write(offset, value, time)? {
                    self.acknowledged = Some(cycle);
                }
                if !self.timer.line() {
                    self.effects.lower |= self.timer_line;
                }
                // The limit of the run depends on when the timer is due.
                self.effects.stop = true;
            }
            Device::Comms(offset) => {
                self.comms.write(offset, value, time)?;
                self.effects.stop |= self.comms.needs_attention();
            }
        }
        Ok(())
    }

    fn effects(&mut self) -> Effects {
        self.effects.wait += self.wait;
        std::mem::take(&mut self.effects)
    }
}
