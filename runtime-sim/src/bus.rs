//! What a core reaches beyond its SRAM: the devices at the target's addresses.
//!
//! Beside answering accesses, devices act on their own. Timer 1 does so through
//! [`Timer`] itself, since its interrupts are what ticks are counted by. Every other
//! device says through [`Bus::due`] when it next acts, and acts in [`Bus::expire`].
//! What a write starts and needs memory for is done in [`Bus::service`], which is
//! called before the next instruction (the write asks for that by `Effects::stop`).

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
            timer: Timer::new(target),
            comms: Comms::new(target, pe, lookahead),
            effects: Effects::default(),
            acknowledged: None,
        }
    }

    /// The cycle at which the timer interrupt was acknowledged, once.
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

enum Device {
    Timer(u32),
    Comms(u32),
}

impl Mmio for Bus {
    fn read(&mut self, addr: u32, size: Size, cycle: u64) -> Result<u32, BusError> {
        match self.device(addr, size)? {
            Device::Timer(offset) => self.timer.read(offset, cycle),
            Device::Comms(offset) => {
                let value = self.comms.read(offset, cycle)?;
                self.effects.stop |= self.comms.needs_attention();
                Ok(value)
            }
        }
    }

    fn write(&mut self, addr: u32, size: Size, value: u32, cycle: u64) -> Result<(), BusError> {
        match self.device(addr, size)? {
            Device::Timer(offset) => {
                if self.timer.write(offset, value, cycle)? {
                    self.acknowledged = Some(cycle);
                }
                if !self.timer.line() {
                    self.effects.lower |= self.timer_line;
                }
                // The limit of the run depends on when the timer is due.
                self.effects.stop = true;
            }
            Device::Comms(offset) => {
                self.comms.write(offset, value, cycle)?;
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
