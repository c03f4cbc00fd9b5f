//! Energy, from what was counted and what was measured of a whole chip.
//!
//! The target file holds the published rows: the power of a chip with all PEs off,
//! asleep, running CoreMark, multiplying matrices on the MAC arrays, at each level.
//! [`Constants`] derives from their differences what a sleeping PE, a core cycle and a
//! multiply-accumulate cost; [`Activity`] times these is energy, part by part.
//!
//! What is not in the rows (external DRAM, the network) is an assumption of the target
//! file and a part of its own. Where there is no ground for a number, the part is absent
//! ([`Network`] still counts what happened), and no sum holds it.

use crate::clock::Level;
use crate::noc::NetworkCounts;
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
}

impl Activity {
    /// Adds what was done in another run.
    pub fn add(&mut self, other: &Self) {
        for level in Level::ALL.map(Level::index) {
            self.time[level] += other.time[level];
            self.busy[level] += other.busy[level];
            self.macs[level] += other.macs[level];
        }
    }

    /// What was done since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let less = |a: [u64; 2], b: [u64; 2]| [0, 1].map(|l| a[l].saturating_sub(b[l]));
        Self {
            time: less(self.time, earlier.time),
            busy: less(self.busy, earlier.busy),
            macs: less(self.macs, earlier.macs),
        }
    }
}

/// Points of a series of energy at most.
const POINTS: u32 = 256;

/// Ticks of a point of such a series, whole steps of `ticks_per_step`, in a run of `ticks`.
pub(crate) fn stretch_of(ticks: u32, ticks_per_step: u32) -> u32 {
    let step = ticks_per_step.max(1);
    let steps = ticks.div_ceil(step).div_ceil(POINTS).max(1);
    steps.saturating_mul(step)
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
    /// Network on chip, routers, links: what the target has a number for.
    pub noc: Option<f64>,
}

/// What the network did, and what that cost where a number is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Network {
    /// Bits of flits times the links of meshes that they took.
    pub bit_hops: u64,
    pub packets_routed: u64,
    /// Bits of frames on links between chips.
    pub link_bits: u64,
    /// Microjoules; absent where nothing is published or assumed.
    pub mesh_uj: Option<f64>,
    pub routers_uj: Option<f64>,
    pub links_uj: Option<f64>,
}

impl Network {
    /// All that there is a number for.
    pub fn total(&self) -> Option<f64> {
        let parts = [self.mesh_uj, self.routers_uj, self.links_uj];
        let known = parts.into_iter().flatten();
        known.reduce(|a, b| a + b)
    }
}

impl Parts {
    fn sum(mut self) -> Self {
        let noc = self.noc.unwrap_or(0.0);
        self.total = self.arm + self.mla + self.sleep + self.base + self.dram + noc;
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
            noc: match (self.noc, other.noc) {
                (None, None) => None,
                (a, b) => Some(f(a.unwrap_or(0.0), b.unwrap_or(0.0))),
            },
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
    /// Joules of a bit on a link of a mesh, of a packet in an event router, of a bit on a
    /// link between chips; absent where nothing is known.
    pub bit_hop_j: Option<f64>,
    pub packet_j: Option<f64>,
    pub link_bit_j: Option<f64>,
    /// Bits of a flit, and of a frame on a link between chips.
    pub flit_bits: u64,
    pub frame_bits: u64,
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
        // 0 stands for a number that nobody has published.
        let known = |fj: u64| (fj != 0).then_some(fj as f64 * 1e-15);
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
            bit_hop_j: known(e.noc_fj_per_bit_hop),
            packet_j: known(e.router_fj_per_packet),
            link_bit_j: known(e.link_fj_per_bit),
            flit_bits: target.router.flit_bits.into(),
            frame_bits: target.chip_links.frame_bits.into(),
            unit_s: 1.0 / target.clock.pe_high_hz.max(1) as f64,
            unused_sleep: e.unused_pes_sleep != 0,
            pes: target.pes().count() as u64,
        }
    }

    /// What a network did, and its energy as far as it is known.
    pub fn of_network(&self, counts: &NetworkCounts) -> Network {
        let bit_hops = (counts.hops + counts.data_hops) * self.flit_bits;
        let link_bits = counts.link_frames * self.frame_bits;
        let uj = |n: u64, each: Option<f64>| each.map(|j| n as f64 * j * 1e6);
        Network {
            bit_hops,
            packets_routed: counts.routed,
            link_bits,
            mesh_uj: uj(bit_hops, self.bit_hop_j),
            routers_uj: uj(counts.routed, self.packet_j),
            links_uj: uj(link_bits, self.link_bit_j),
        }
    }

    /// Energy of one PE; its packets are the network's.
    pub fn of_pe(&self, done: &Activity) -> Parts {
        let both = |count: [u64; 2], each: [f64; 2]| {
            let joules = count[0] as f64 * each[0] + count[1] as f64 * each[1];
            joules * 1e6
        };
        Parts {
            arm: both(done.busy, self.cycle_j),
            mla: both(done.macs, self.mac_j),
            sleep: both(done.time, self.pe_w.map(|w| w * self.unit_s)),
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
    fn the_network_has_energy_only_where_there_is_a_number() {
        let mut target = Target::spinnaker2();
        let counts = NetworkCounts {
            hops: 700,
            data_hops: 300,
            routed: 10,
            link_frames: 5,
            ..NetworkCounts::default()
        };
        let unknown = Constants::new(&target).of_network(&counts);
        assert_eq!((unknown.bit_hops, unknown.link_bits), (192_000, 480));
        assert_eq!((unknown.packets_routed, unknown.total()), (10, None));
        target.energy.noc_fj_per_bit_hop = 50;
        target.energy.link_fj_per_bit = 2000;
        let known = Constants::new(&target).of_network(&counts);
        assert!(close(
            known.mesh_uj.expect("a number"),
            192_000.0 * 50e-9,
            1e-9
        ));
        assert_eq!(known.routers_uj, None);
        let total = known.total().expect("two numbers");
        assert!(close(total, 192_000.0 * 50e-9 + 480.0 * 2e-6, 1e-9));
        let parts = Parts {
            arm: 1.0,
            noc: Some(total),
            ..Parts::default()
        };
        let both = parts.plus(&Parts::default());
        assert_eq!((both.noc, both.total), (Some(total), 1.0 + total));
        assert_eq!(Parts::default().times(2.0).noc, None);
    }

    #[test]
    fn a_series_has_few_points_of_whole_steps() {
        for (ticks, per_step, stretch) in [
            (0, 1, 1),
            (25, 1, 1),
            (256, 1, 1),
            (257, 1, 2),
            (300, 3, 3),
            (u32::MAX, 1, 1 << 24),
        ] {
            assert_eq!(stretch_of(ticks, per_step), stretch, "{ticks} {per_step}");
            assert!(ticks.div_ceil(stretch) <= POINTS);
        }
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
