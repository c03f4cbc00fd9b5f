//! A timer with the registers and the behaviour of an SP804.
//!
//! The counter runs down at the reference clock and interrupts when it reaches
//! zero. Periodic mode reloads it, so interrupts come every `LOAD` counts.

use crate::cpu::BusError;
use ir::Target;
use ir::target::Timer as Registers;

const ENABLE: u32 = 1 << 7;
const PERIODIC: u32 = 1 << 6;
const INTERRUPT: u32 = 1 << 5;
/// Bits 3:2: the reference is divided by 1, 16 or 256.
const PRESCALE_SHIFT: u32 = 2;
const WIDE: u32 = 1 << 1;
const ONE_SHOT: u32 = 1;

/// One timer.
#[derive(Clone, Debug)]
pub struct Timer {
    registers: Registers,
    /// PE cycles of one count of the reference.
    reference: u64,
    load: u32,
    ctl: u32,
    raw: bool,
    /// While counting: the cycle at which the counter is zero.
    zero_at: Option<u64>,
    /// While stopped: the counter.
    frozen: u32,
    /// Times that the counter has reached zero.
    expiries: u64,
}

impl Timer {
    /// A stopped timer.
    pub fn new(target: &Target) -> Self {
        Self {
            registers: target.timer.clone(),
            reference: (target.clock.pe_high_hz / target.clock.timer_hz).max(1),
            load: 0,
            ctl: INTERRUPT,
            raw: false,
            zero_at: None,
            frozen: u32::MAX,
            expiries: 0,
        }
    }

    /// The cycle at which the counter next reaches zero, if it runs.
    pub fn due(&self) -> Option<u64> {
        self.zero_at
    }

    /// Times that the counter has reached zero so far.
    pub fn expiries(&self) -> u64 {
        self.expiries
    }

    /// The interrupt line.
    pub fn line(&self) -> bool {
        self.raw && self.ctl & INTERRUPT != 0
    }

    fn count_cycles(&self) -> u64 {
        let prescale = match self.ctl >> PRESCALE_SHIFT & 3 {
            0 => 1,
            1 => 16,
            _ => 256,
        };
        self.reference * prescale
    }

    fn width_mask(&self) -> u32 {
        if self.ctl & WIDE != 0 {
            u32::MAX
        } else {
            0xffff
        }
    }

    /// Counts between `cycle` and zero.
    fn value(&self, cycle: u64) -> u32 {
        match self.zero_at {
            Some(zero) => {
                let left = zero.saturating_sub(cycle).div_ceil(self.count_cycles());
                u32::try_from(left).unwrap_or(u32::MAX)
            }
            None => self.frozen,
        }
    }

    /// Starts to count `value` down. A count of zero takes one period of the
    /// reference, so that time always passes between two interrupts.
    fn start(&mut self, value: u32, cycle: u64) {
        let counts = u64::from((value & self.width_mask()).max(1));
        self.zero_at = Some(cycle.saturating_add(counts.saturating_mul(self.count_cycles())));
    }

    /// The counter reaches zero, which happens at [`Timer::due`].
    pub fn expire(&mut self) {
        let Some(at) = self.zero_at.take() else {
            return;
        };
        self.raw = true;
        self.expiries += 1;
        if self.ctl & ONE_SHOT != 0 {
            self.frozen = 0;
        } else if self.ctl & PERIODIC != 0 {
            self.start(self.load, at);
        } else {
            self.start(u32::MAX, at);
        }
    }

    /// Reads the register at `offset`.
    pub fn read(&self, offset: u32, cycle: u64) -> Result<u32, BusError> {
        let r = &self.registers;
        match offset {
            o if o == r.load || o == r.bg_load => Ok(self.load),
            o if o == r.value => Ok(self.value(cycle)),
            o if o == r.ctl => Ok(self.ctl),
            o if o == r.raw_int => Ok(u32::from(self.raw)),
            o if o == r.mask_int => Ok(u32::from(self.line())),
            _ => Err(BusError::Refused),
        }
    }

    /// Writes the register at `offset`; true if an interrupt was acknowledged.
    pub fn write(&mut self, offset: u32, value: u32, cycle: u64) -> Result<bool, BusError> {
        let r = &self.registers;
        match offset {
            o if o == r.load => {
                self.load = value;
                if self.zero_at.is_some() {
                    self.start(value, cycle);
                } else {
                    self.frozen = value;
                }
            }
            o if o == r.bg_load => self.load = value,
            o if o == r.ctl => {
                let left = self.value(cycle);
                self.zero_at = None;
                self.frozen = left;
                self.ctl = value & 0xff;
                if value & ENABLE != 0 {
                    self.start(left, cycle);
                }
            }
            o if o == r.int_clr => return Ok(std::mem::take(&mut self.raw)),
            _ => return Err(BusError::Refused),
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer() -> (Timer, Registers) {
        let target = Target::spinnaker2();
        (Timer::new(&target), target.timer)
    }

    #[test]
    fn periodic_interrupts_come_every_load_counts() {
        let (mut t, r) = timer();
        t.write(r.load, 1000, 5).expect("load");
        t.write(r.ctl, r.start_value, 100).expect("ctl");
        assert_eq!(t.due(), Some(100 + 300_000));
        assert_eq!(t.read(r.value, 100 + 150_000), Ok(500));
        t.expire();
        assert!(t.line());
        assert_eq!(t.read(r.raw_int, 300_200), Ok(1));
        assert_eq!(t.due(), Some(100 + 600_000));
        assert_eq!(t.write(r.int_clr, 1, 300_300), Ok(true));
        assert_eq!(t.write(r.int_clr, 1, 300_400), Ok(false));
        assert!(!t.line());
    }

    #[test]
    fn stopping_keeps_the_count_and_one_shot_ends() {
        let (mut t, r) = timer();
        t.write(r.load, 10, 0).expect("load");
        t.write(r.ctl, ENABLE | WIDE | ONE_SHOT, 0).expect("ctl");
        t.write(r.ctl, WIDE | ONE_SHOT, 4 * 300).expect("stop");
        assert_eq!((t.due(), t.read(r.value, 9999)), (None, Ok(6)));
        t.write(r.ctl, ENABLE | WIDE | ONE_SHOT, 6000).expect("ctl");
        assert_eq!(t.due(), Some(6000 + 6 * 300));
        t.expire();
        assert_eq!((t.due(), t.line(), t.expiries()), (None, false, 1));
    }

    #[test]
    fn narrow_free_running_and_zero_loads_never_stall_time() {
        let (mut t, r) = timer();
        t.write(r.load, 0, 0).expect("load");
        t.write(r.ctl, ENABLE | PERIODIC | WIDE, 0).expect("ctl");
        assert_eq!(t.due(), Some(300));
        t.write(r.load, 0x2_0003, 0).expect("load");
        t.write(r.ctl, ENABLE, 0).expect("16 bit, free running");
        t.write(r.load, 0x2_0003, 0).expect("load");
        assert_eq!(t.due(), Some(900));
        t.expire();
        assert_eq!(t.due(), Some(900 + 0xffff * 300));
        assert_eq!(t.read(r.load + 0x1c, 0), Err(BusError::Refused));
    }
}
