//! The timers of a PE that do not count its ticks.

use super::timer::Timer;
use crate::cpu::BusError;
use ir::Target;

/// Bytes of address space of a timer.
const SPAN: u32 = 0x20;

#[derive(Clone, Debug)]
struct One {
    base: u32,
    line: u64,
    timer: Timer,
}

/// Timers 2 and 3.
#[derive(Clone, Debug)]
pub struct Timers {
    all: [One; 2],
}

impl Timers {
    pub fn new(target: &Target) -> Self {
        let t = &target.timers;
        let one = |base, irq: u32| One {
            base,
            line: 1_u64.checked_shl(irq).unwrap_or(0),
            timer: Timer::new(target),
        };
        Self {
            all: [
                one(t.second_base, t.second_irq),
                one(t.third_base, t.third_irq),
            ],
        }
    }

    /// The timer at `addr`, and the register in it.
    pub fn find(&self, addr: u32) -> Option<(usize, u32)> {
        let offset = |one: &One| Some(addr.wrapping_sub(one.base)).filter(|&o| o < SPAN);
        let found = |(index, one)| Some((index, offset(one)?));
        self.all.iter().enumerate().find_map(found)
    }

    pub fn read(&self, (index, offset): (usize, u32), time: u64) -> Result<u32, BusError> {
        let one = self.all.get(index).ok_or(BusError::Unmapped)?;
        one.timer.read(offset, time)
    }

    pub fn write(
        &mut self,
        (index, offset): (usize, u32),
        value: u32,
        time: u64,
    ) -> Result<(), BusError> {
        let one = self.all.get_mut(index).ok_or(BusError::Unmapped)?;
        one.timer.write(offset, value, time).map(|_| ())
    }

    /// When a counter next reaches zero.
    pub fn due(&self) -> Option<u64> {
        self.all.iter().filter_map(|one| one.timer.due()).min()
    }

    /// Counters reach zero until `time`.
    pub fn expire(&mut self, time: u64) {
        for one in &mut self.all {
            while one.timer.due().is_some_and(|due| due <= time) {
                one.timer.expire();
            }
        }
    }

    /// Levels of interrupt lines.
    pub fn lines(&self) -> u64 {
        let high = self.all.iter().filter(|one| one.timer.line());
        high.fold(0, |lines, one| lines | one.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_address_and_line() {
        let target = Target::spinnaker2();
        let mut timers = Timers::new(&target);
        let (t, r) = (&target.timers, &target.timer);
        let second = timers.find(t.second_base + r.ctl).expect("timer 2");
        assert_eq!((second, timers.find(target.timer.base)), ((0, r.ctl), None));
        let third = |register| (1, register);
        timers.write(third(r.load), 7, 100).expect("load");
        timers.write(third(r.ctl), r.start_value, 100).expect("ctl");
        assert_eq!(timers.due(), Some(100 + 7 * 300));
        timers.expire(100 + 2 * 7 * 300);
        assert_eq!(timers.due(), Some(100 + 3 * 7 * 300));
        assert_eq!(timers.lines(), 1 << t.third_irq);
        assert_eq!(timers.read(second, 5000), Ok(0x20));
        timers.write(third(r.int_clr), 1, 5000).expect("clear");
        assert_eq!(timers.lines(), 0);
    }
}
