//! Core cycles and machine time.
//!
//! *Machine time* counts units of 1 / `clock.pe_high_hz`, on every PE alike: timers,
//! packets, the network and the scheduler know nothing else. A *core cycle* is as
//! many units as the PE's performance level says: one at the high level, two at the
//! low one. Only a PE's core counts in cycles; what crosses its border is converted
//! here.
//!
//! A change of level anchors the conversion anew, so it is exact at any cycle: time
//! never goes back, and no cycle is lost or gained.

use ir::Target;
use ir::code::Code;
use ir::diag::{Diagnostic, Result};
use ir::{Origin, target};

/// A performance level of a PE: its supply and its clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 0.5 V.
    Low,
    /// 0.8 V, in which every PE is after reset.
    #[default]
    High,
}

impl Level {
    /// Both, in the order of arrays that are indexed by level.
    pub const ALL: [Self; 2] = [Self::Low, Self::High];

    /// Place in such arrays.
    pub fn index(self) -> usize {
        match self {
            Self::Low => 0,
            Self::High => 1,
        }
    }

    /// As reports and the command line call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::High => "high",
        }
    }

    /// Core cycles in a second.
    pub fn hz(self, clock: &target::Clock) -> u64 {
        match self {
            Self::Low => clock.pe_low_hz,
            Self::High => clock.pe_high_hz,
        }
    }
}

/// The clock of one PE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    level: Level,
    /// Units of machine time in a core cycle, by level.
    units: [u64; 2],
    /// Units that a change of level takes, in which the core stands still.
    change: u64,
    /// Core cycle `cycle0` is at machine time `time0`.
    time0: u64,
    cycle0: u64,
    /// Until when time is accounted for in `spent`.
    counted: u64,
    /// Machine time spent at each level until `counted`.
    spent: [u64; 2],
    changes: u64,
}

impl Clock {
    /// The clock of a PE that begins at `level` at time 0. [`check`] says whether
    /// the target's clocks allow it.
    pub fn new(target: &Target, level: Level) -> Self {
        let units = |l: Level| (target.clock.pe_high_hz / l.hz(&target.clock).max(1)).max(1);
        let change = target.level.change_ns * target.clock.pe_high_hz;
        Self {
            level,
            units: Level::ALL.map(units),
            change: change.div_ceil(1_000_000_000),
            time0: 0,
            cycle0: 0,
            counted: 0,
            spent: [0; 2],
            changes: 0,
        }
    }

    /// The level.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Changes of level since reset.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Units of machine time in `cycles` core cycles at the present level.
    pub fn span(&self, cycles: u64) -> u64 {
        cycles.saturating_mul(self.units[self.level.index()])
    }

    /// The time at which core cycle `cycle` begins, if the level does not change before.
    pub fn to_time(&self, cycle: u64) -> u64 {
        let cycles = cycle.saturating_sub(self.cycle0);
        self.time0.saturating_add(self.span(cycles))
    }

    /// The first core cycle that begins at `time` or later.
    pub fn to_cycle(&self, time: u64) -> u64 {
        let units = time.saturating_sub(self.time0);
        let cycles = units.div_ceil(self.units[self.level.index()]);
        self.cycle0.saturating_add(cycles)
    }

    /// Goes to `level` at core cycle `cycle`: that cycle begins when the change is
    /// done. True if this is a change at all; it takes no time otherwise.
    pub fn set_level(&mut self, level: Level, cycle: u64) -> bool {
        if level == self.level {
            return false;
        }
        let now = self.to_time(cycle);
        self.count(now);
        self.level = level;
        self.time0 = now.saturating_add(self.change);
        self.cycle0 = cycle;
        self.changes += 1;
        true
    }

    fn count(&mut self, until: u64) {
        let spent = until.saturating_sub(self.counted);
        self.spent[self.level.index()] += spent;
        self.counted = self.counted.max(until);
    }

    /// Machine time spent at each level until `until` since the last call of
    /// [`Clock::take_spent`].
    pub fn spent(&self, until: u64) -> [u64; 2] {
        let mut spent = self.spent;
        spent[self.level.index()] += until.saturating_sub(self.counted);
        spent
    }

    /// Machine time spent at each level until `until` since the last call.
    pub fn take_spent(&mut self, until: u64) -> [u64; 2] {
        self.count(until);
        std::mem::take(&mut self.spent)
    }
}

/// Refuses a target in which a cycle of a level is no whole number of time units.
pub(crate) fn check(target: &Target) -> Result<()> {
    let (high, low) = (target.clock.pe_high_hz, target.clock.pe_low_hz);
    if low > 0 && high.is_multiple_of(low) {
        return Ok(());
    }
    Err(Diagnostic::error(
        Code::Usage,
        &Origin::Compiler,
        format!("clock.pe_high_hz = {high} is no multiple of clock.pe_low_hz = {low}"),
    )
    .help("change the target file")
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(level: Level) -> Clock {
        Clock::new(&Target::spinnaker2(), level)
    }

    #[test]
    fn cycles_and_time_are_equal_at_the_high_level() {
        let clock = clock(Level::High);
        for n in [0, 1, 2, 12_345, u64::MAX] {
            assert_eq!((clock.to_time(n), clock.to_cycle(n)), (n, n));
        }
    }

    #[test]
    fn a_low_cycle_is_two_units_and_begins_at_or_after_a_time() {
        let clock = clock(Level::Low);
        assert_eq!((clock.to_time(7), clock.span(7)), (14, 14));
        assert_eq!([13, 14, 15].map(|t| clock.to_cycle(t)), [7, 7, 8]);
        for time in 0..50 {
            let cycle = clock.to_cycle(time);
            assert!(clock.to_time(cycle) >= time);
            assert!(cycle == 0 || clock.to_time(cycle - 1) < time);
        }
    }

    #[test]
    fn a_change_is_exact_and_takes_its_time() {
        let mut clock = clock(Level::High);
        // 100 ns at 300 MHz are 30 units.
        assert!(clock.set_level(Level::Low, 101));
        assert_eq!([101, 102].map(|c| clock.to_time(c)), [131, 133]);
        assert_eq!(
            [0, 131, 132, 133].map(|t| clock.to_cycle(t)),
            [101, 101, 102, 102]
        );
        assert!(!clock.set_level(Level::Low, 120));
        assert_eq!(clock.to_time(102), 133);
        assert!(clock.set_level(Level::High, 111));
        assert_eq!(clock.to_time(111), 131 + 20 + 30);
        assert_eq!(clock.to_time(112), 182);
        assert_eq!(clock.changes(), 2);
    }

    #[test]
    fn time_at_each_level_adds_up() {
        let mut clock = clock(Level::High);
        clock.set_level(Level::Low, 100);
        // The change belongs to the level that it leads to.
        assert_eq!(clock.take_spent(500), [400, 100]);
        clock.set_level(Level::High, 1000);
        let at = clock.to_time(1000);
        assert_eq!(clock.take_spent(at + 7), [at - 30 - 500, 37]);
    }

    #[test]
    fn clocks_that_do_not_divide_are_refused() {
        let mut target = Target::spinnaker2();
        assert!(check(&target).is_ok());
        target.clock.pe_low_hz = 200_000_000;
        assert!(check(&target).is_err());
        target.clock.pe_low_hz = 0;
        assert!(check(&target).is_err());
    }
}
