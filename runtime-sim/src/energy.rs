//! Energy, from what was counted and what was measured of a whole chip.
//!
//! The target file holds the published rows: the power of a chip with all PEs off,
//! asleep, running CoreMark, multiplying matrices on the MAC arrays, at each level.
//! [`Constants`] derives from their differences what a sleeping PE, a core cycle and a
//! multiply-accumulate cost; [`Activity`] times these is energy, part by part.
//!
//! What is not in the rows (external DRAM, the network) is an assumption of the target
//! file, a part of its own, and 0 where there is no ground for a number.

use crate::clock::Level;
use ir::Target;
use serde::Serialize;

/// What a PE did, as far as it costs energy; arrays by level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Machine time at each level from the first tick on, awake or not.
    pub time: [u64; 2],
    /// Core cycles awake from the first tick on.
    pub busy: [u64; 2],
    /// Multiply-accumulates of the MAC array's 8-bit cells.
    pub macs: [u64; 2],
    /// Packets given to the network.
    pub packets: u64,
}

impl Activity {
    /// Adds what was done in another run.
    pub fn add(&mut self, other: &Self) {
        for level in Level::ALL.map(Level::index) {
            self.time[level] += other.time[level];
            self.busy[level] += other.busy[level];
            self.macs[level] += other.macs[level];
        }
        self.packets += other.packets;
    }
}

/// Chips beside their PEs with a program.
#[derive(Clone, Copy, Debug)]
pub struct Shared {
    pub chips: u64,
    /// PEs with a program; the others are off, or sleep.
    pub used: u64,
    /// Machine time.
    pub time: u64,
    /// The level at which the others sleep.
    pub level: Level,
    /// Bytes to and from DRAM.
    pub dram_bytes: u64,
}

/// Energy in microjoules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Parts {
    /// All of the others.
    pub total: f64,
    /// Cores, above sleep.
    pub arm: f64,
    /// MAC arrays, above sleep.
    pub mla: f64,
    /// What a PE takes that does nothing: all PEs, all the time.
    pub sleep: f64,
    /// The chip without its PEs.
    pub base: f64,
    /// External DRAM.
    pub dram: f64,
    /// Network on chip, routers, links.
    pub noc: f64,
}

impl Parts {
    fn sum(mut self) -> Self {
        self.total = self.arm + self.mla + self.sleep + self.base + self.dram + self.noc;
        self
    }

    /// The energy of several at once.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.each(other, |a, b| a + b)
    }

    /// A share of it.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        self.each(self, |a, _| a * factor)
    }

    fn each(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            total: 0.0,
            arm: f(self.arm, other.arm),
            mla: f(self.mla, other.mla),
            sleep: f(self.sleep, other.sleep),
            base: f(self.base, other.base),
            dram: f(self.dram, other.dram),
            noc: f(self.noc, other.noc),
        }
        .sum()
    }
}

/// What things cost; arrays by level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constants {
    /// Watts of a chip whose PEs are off.
    pub chip_w: [f64; 2],
    /// Watts of a PE that sleeps.
    pub pe_w: [f64; 2],
    /// Joules of a core cycle, above sleep.
    pub cycle_j: [f64; 2],
    /// Joules of a multiply-accumulate, above sleep.
    pub mac_j: [f64; 2],
    /// Joules of a byte to or from DRAM.
    pub dram_byte_j: f64,
    /// Joules of a packet in the event router.
    pub packet_j: f64,
    /// Seconds of a unit of machine time.
    pub unit_s: f64,
    /// Whether PEs without a program sleep; they are off otherwise.
    pub unused_sleep: bool,
    /// PEs of a chip.
    pub pes: u64,
}

impl Constants {
    /// Derives them from the rows of `target`.
    pub fn new(target: &Target) -> Self {
        let e = &target.energy;
        let n = f64::from(e.pes.max(1));
        let w = |uw: [u64; 2]| uw.map(|uw| uw as f64 * 1e-6);
        let off = w([e.off_low_uw, e.off_high_uw]);
        let sleep = w([e.sleep_low_uw, e.sleep_high_uw]);
        let arm = w([e.arm_low_uw, e.arm_high_uw]);
        let mla = w([e.mla_low_uw, e.mla_high_uw]);
        let gops = [e.mla_low_gops, e.mla_high_gops];
        let by_level = |f: &dyn Fn(usize) -> f64| [f(0), f(1)];
        Self {
            chip_w: off,
            pe_w: by_level(&|l| (sleep[l] - off[l]) / n),
            cycle_j: by_level(&|l| {
                let hz = Level::ALL[l].hz(&target.clock).max(1) as f64;
                (arm[l] - sleep[l]) / n / hz
            }),
            mac_j: by_level(&|l| {
                let macs_per_second = gops[l].max(1) as f64 * 1e9 / 2.0;
                (mla[l] - sleep[l]) / macs_per_second
            }),
            dram_byte_j: e.dram_fj_per_bit as f64 * 8e-15,
            packet_j: e.router_fj_per_packet as f64 * 1e-15,
            unit_s: 1.0 / target.clock.pe_high_hz.max(1) as f64,
            unused_sleep: e.unused_pes_sleep != 0,
            pes: target.pes().count() as u64,
        }
    }

    /// Energy of one PE, its traffic included.
    pub fn of_pe(&self, done: &Activity) -> Parts {
        let both = |count: [u64; 2], each: [f64; 2]| {
            let joules = count[0] as f64 * each[0] + count[1] as f64 * each[1];
            joules * 1e6
        };
        Parts {
            arm: both(done.busy, self.cycle_j),
            mla: both(done.macs, self.mac_j),
            sleep: both(done.time, self.pe_w.map(|w| w * self.unit_s)),
            noc: done.packets as f64 * self.packet_j * 1e6,
            ..Parts::default()
        }
        .sum()
    }

    /// Energy of what PEs share.
    pub fn of_chips(&self, shared: &Shared) -> Parts {
        let us = shared.time as f64 * self.unit_s * 1e6;
        let unused = if self.unused_sleep {
            (shared.chips * self.pes).saturating_sub(shared.used)
        } else {
            0
        };
        let level = shared.level.index();
        Parts {
            base: shared.chips as f64 * self.chip_w[level] * us,
            sleep: unused as f64 * self.pe_w[level] * us,
            dram: shared.dram_bytes as f64 * self.dram_byte_j * 1e6,
            ..Parts::default()
        }
        .sum()
    }

    /// Mean power in milliwatts of `energy` spent in a machine time.
    pub fn milliwatts(&self, energy: &Parts, time: u64) -> f64 {
        if time == 0 {
            return 0.0;
        }
        energy.total * 1e-3 / (time as f64 * self.unit_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64, share: f64) -> bool {
        (a - b).abs() <= share * b.abs()
    }

    #[test]
    fn constants_are_the_differences_of_the_published_rows() {
        let c = Constants::new(&Target::spinnaker2());
        // hardware figures rounded as published derivations give them
        let rows = [
            (c.pe_w, [1.05e-3, 3.22e-3]),
            (c.cycle_j, [8.3e-12, 15.0e-12]),
            (c.mac_j, [0.52e-12, 0.73e-12]),
            (c.chip_w, [75.2e-3, 75.2e-3]),
        ];
        for (found, expected) in rows {
            for (f, e) in found.iter().zip(expected) {
                assert!(close(*f, e, 0.01), "{f} {e}");
            }
        }
        assert!(close(c.dram_byte_j, 160e-12, 1e-9));
        assert!(!c.unused_sleep);
    }

    #[test]
    fn parts_add_up() {
        let c = Constants::new(&Target::spinnaker2());
        let second = 300_000_000;
        let mut done = Activity {
            time: [second, 0],
            busy: [150_000_000, 0],
            ..Activity::default()
        };
        let low = c.of_pe(&done);
        assert!(close(low.total, (424.6 - 75.2) * 1e3 / 152.0, 1e-9));
        assert_eq!(low.total, low.arm + low.sleep);
        let again = done;
        done.add(&again);
        assert_eq!(c.of_pe(&done), low.plus(&low));
        let shared = Shared {
            chips: 2,
            used: 10,
            time: second,
            level: Level::High,
            dram_bytes: 0,
        };
        let whole = c.of_chips(&shared);
        assert!(close(whole.base, 2.0 * 75.2e3, 1e-9) && whole.sleep == 0.0);
        assert!(close(c.milliwatts(&whole, second), 150.4, 1e-9));
        let asleep = Constants {
            unused_sleep: true,
            ..c
        };
        let whole = asleep.of_chips(&Shared {
            chips: 1,
            used: 0,
            ..shared
        });
        assert!(close(asleep.milliwatts(&whole, second), 564.7, 1e-9));
        assert_eq!(c.milliwatts(&whole, 0), 0.0);
        let moved = c.of_chips(&Shared {
            dram_bytes: 1000,
            ..shared
        });
        assert!(close(moved.dram, 1000.0 * 8.0 * 20e-6, 1e-9));
    }
}
