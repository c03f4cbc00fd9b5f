//! Driver of the timers that do not count ticks.

use crate::frame::wait;
use crate::kernels::KernelBuilder;
use cranelift_codegen::ir::condcodes::IntCC;
use ir::{Target, target};

const ENABLE: u32 = 1 << 7;
const PERIODIC: u32 = 1 << 6;
const INTERRUPT: u32 = 1 << 5;
const WIDE: u32 = 1 << 1;
const ONE_SHOT: u32 = 1;

/// Timer 2 or 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    base: u32,
    irq: u32,
    registers: target::Timer,
}

impl Timer {
    pub fn second(target: &Target) -> Self {
        Self {
            base: target.timers.second_base,
            irq: target.timers.second_irq,
            registers: target.timer.clone(),
        }
    }

    pub fn third(target: &Target) -> Self {
        Self {
            base: target.timers.third_base,
            irq: target.timers.third_irq,
            registers: target.timer.clone(),
        }
    }

    /// Its interrupt line.
    pub fn irq(&self) -> u32 {
        self.irq
    }

    /// Starts it: an interrupt after `counts` of the reference clock, or after each of them.
    pub fn start(&self, kb: &mut KernelBuilder<'_>, counts: u32, periodic: bool) {
        let mode = if periodic { PERIODIC } else { ONE_SHOT };
        let base = kb.int(self.base);
        for (register, value) in [
            (self.registers.load, counts),
            (self.registers.int_clr, 1),
            (self.registers.ctl, ENABLE | INTERRUPT | WIDE | mode),
        ] {
            let value = kb.int(value);
            kb.write_device(value, base, register);
        }
    }

    /// Stops it.
    pub fn stop(&self, kb: &mut KernelBuilder<'_>) {
        let base = kb.int(self.base);
        let zero = kb.int(0);
        kb.write_device(zero, base, self.registers.ctl);
    }

    /// Lowers its interrupt line.
    pub fn acknowledge(&self, kb: &mut KernelBuilder<'_>) {
        let base = kb.int(self.base);
        let one = kb.int(1);
        kb.write_device(one, base, self.registers.int_clr);
    }

    /// Sleeps until it has counted down, and acknowledges that. The interrupt must not be
    /// enabled: it only wakes.
    pub fn sleep(&self, kb: &mut KernelBuilder<'_>) {
        wait::sleep_until(kb, |kb| {
            let base = kb.int(self.base);
            let raw = kb.read_device(base, self.registers.raw_int);
            let zero = kb.int(0);
            kb.compare(IntCC::NotEqual, raw, zero)
        });
        self.acknowledge(kb);
        wait::forget(kb, self.irq);
    }
}
