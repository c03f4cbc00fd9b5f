//! Faults on purpose: packets that vanish, PEs that stop, bits that flip, a host
//! that is late.
//!
//! Every decision is a pure function of the seed and of what it is about (sample, PE,
//! packet number or tick), so it does not depend on the order in which PEs run, nor on
//! the number of host threads.

use ir::Origin;
use ir::code::Code;
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::geometry::{ChipCoord, GlobalPe};
use ir::routing::Link;
use serde::Serialize;
use std::collections::BTreeMap;

/// A chance between 0 and 1, as a bound on a 64-bit hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chance(u128);

impl Chance {
    /// `None` unless `share` lies between 0 and 1.
    pub fn new(share: f64) -> Option<Self> {
        let scaled = share * (1_u128 << 64) as f64;
        (0.0..=1.0).contains(&share).then_some(Self(scaled as u128))
    }

    fn hits(self, hash: u64) -> bool {
        u128::from(hash) < self.0
    }
}

/// One bit of one PE's SRAM, and the tick at whose beginning it flips.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flip {
    pub pe: GlobalPe,
    pub addr: u32,
    pub bit: u8,
    pub tick: u32,
}

/// What is to go wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Injection {
    pub seed: u64,
    /// Of each packet to be lost on its way to the router.
    pub drop: Chance,
    /// Of a random bit of a PE's SRAM to flip, in each tick of each PE.
    pub flip_rate: Chance,
    pub flips: Vec<Flip>,
    /// Links between chips that stop working, in both directions, and the tick at whose
    /// beginning they do. Either end may be named.
    pub dead_links: BTreeMap<(ChipCoord, Link), u32>,
    /// PEs that stop, and the tick that they do not begin any more.
    pub dead: BTreeMap<GlobalPe, u32>,
    /// Ticks by which the host writes input windows late.
    pub late_host: u32,
}

/// What went wrong on purpose in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Injected {
    pub packets_dropped: u64,
    pub bits_flipped: u64,
    pub pes_stopped: u64,
    /// Packets that were on a link that did not work any more.
    pub packets_on_dead_links: u64,
    /// Input windows that the host wrote late.
    pub windows_late: u64,
    /// Input events that therefore never reached a program.
    pub events_lost: u64,
}

impl Injected {
    /// Adds what went wrong in another run.
    pub fn add(&mut self, other: &Self) {
        self.packets_dropped += other.packets_dropped;
        self.bits_flipped += other.bits_flipped;
        self.pes_stopped += other.pes_stopped;
        self.packets_on_dead_links += other.packets_on_dead_links;
        self.windows_late += other.windows_late;
        self.events_lost += other.events_lost;
    }

    /// In words, what there is of it.
    pub fn notes(&self) -> Vec<String> {
        let counts = [
            (self.packets_dropped, "packets were dropped"),
            (self.bits_flipped, "bits were flipped"),
            (self.pes_stopped, "PEs were stopped"),
            (
                self.packets_on_dead_links,
                "packets were lost on links that had stopped working",
            ),
            (self.windows_late, "input windows were written late"),
            (self.events_lost, "input events never reached a program"),
        ];
        let some = counts.iter().filter(|(n, _)| *n > 0);
        some.map(|(n, what)| format!("{n} {what}")).collect()
    }
}

/// What a decision is about, so that no two kinds share their random numbers.
#[derive(Clone, Copy)]
enum Kind {
    Drop = 1,
    Flip = 2,
    Place = 3,
    DropParcel = 4,
}

impl Injection {
    fn hash(&self, kind: Kind, sample: u64, pe: GlobalPe, n: u64) -> u64 {
        let place = u64::from(pe.chip.x) << 32 | u64::from(pe.chip.y) << 16 | u64::from(pe.pe.id());
        let parts = [kind as u64, sample, place, n];
        // The finaliser of SplitMix64 after each part.
        parts.into_iter().fold(self.seed, |h, part| {
            let h = (h ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
            let h = (h ^ h >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let h = (h ^ h >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            h ^ h >> 31
        })
    }

    /// Whether packet number `sequence` of `source` is lost.
    pub(crate) fn drops(&self, sample: u64, source: GlobalPe, sequence: u64) -> bool {
        self.drop != Chance::default()
            && self
                .drop
                .hits(self.hash(Kind::Drop, sample, source, sequence))
    }

    /// Whether packet number `sequence` of `source` that is not plain multicast is lost.
    pub(crate) fn drops_parcel(&self, sample: u64, source: GlobalPe, sequence: u64) -> bool {
        let hash = || self.hash(Kind::DropParcel, sample, source, sequence);
        self.drop != Chance::default() && self.drop.hits(hash())
    }

    /// Bits of `pe` that flip at the beginning of `tick`: address and bit.
    pub(crate) fn flips(
        &self,
        sample: u64,
        pe: GlobalPe,
        tick: u32,
        sram_bytes: u32,
    ) -> impl Iterator<Item = (u32, u8)> + '_ {
        let here = move |f: &&Flip| (f.pe, f.tick) == (pe, tick);
        let named = self.flips.iter().filter(here).map(|f| (f.addr, f.bit));
        let chance = self.flip_rate != Chance::default() && {
            let hash = self.hash(Kind::Flip, sample, pe, tick.into());
            self.flip_rate.hits(hash)
        };
        let random = chance.then(|| {
            let hash = self.hash(Kind::Place, sample, pe, tick.into());
            let at = (u128::from(hash) * u128::from(sram_bytes) * 8) >> 64;
            ((at / 8) as u32, (at % 8) as u8)
        });
        named.chain(random)
    }

    /// Whether `pe` no longer begins `tick`.
    pub(crate) fn stops(&self, pe: GlobalPe, tick: u32) -> bool {
        self.dead.get(&pe).is_some_and(|&from| tick >= from)
    }

    /// Refuses faults that cannot happen on a machine of these PEs and links.
    pub(crate) fn check(
        &self,
        pes: &[GlobalPe],
        sram_bytes: u32,
        has_link: impl Fn(ChipCoord, Link) -> bool,
    ) -> Result<()> {
        let mut errors = Vec::new();
        let mut wrong = |message: String, help: &str| {
            let d = Diagnostic::error(
                Code::Usage,
                &Origin::Option {
                    flag: "--inject".to_owned(),
                },
                message,
            );
            errors.push(d.help(help));
        };
        const PES: &str = "name a PE of the bundle: s2c inspect lists them";
        for pe in self.dead.keys().chain(self.flips.iter().map(|f| &f.pe)) {
            if !pes.contains(pe) {
                wrong(format!("{pe} has no program"), PES);
            }
        }
        for f in &self.flips {
            if f.addr >= sram_bytes || f.bit > 7 {
                let message = format!(
                    "{} has no bit {} at {:#x}: SRAM ends at {sram_bytes:#x}, bits are 0 to 7",
                    f.pe, f.bit, f.addr
                );
                wrong(message, PES);
            }
        }
        for &(chip, link) in self.dead_links.keys() {
            if !has_link(chip, link) {
                wrong(
                    format!("{chip} has no link {} that works", link.name()),
                    "name a link between two chips of the bundle: E, NE, N, W, SW or S of one of them",
                );
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Diagnostics(errors))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::geometry::{ChipCoord, PeCoord};

    fn pe(p: u8) -> GlobalPe {
        GlobalPe {
            chip: ChipCoord::default(),
            pe: PeCoord::new(1, 1, p).expect("in the byte"),
        }
    }

    #[test]
    fn chances_are_shares() {
        let all = Injection {
            drop: Chance::new(1.0).expect("a share"),
            ..Injection::default()
        };
        assert!((0..100).all(|n| all.drops(0, pe(0), n)));
        assert!(!Injection::default().drops(0, pe(0), 0));
        for wrong in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Chance::new(wrong), None);
        }
        let tenth = Injection {
            drop: Chance::new(0.1).expect("a share"),
            ..Injection::default()
        };
        let hits = |i: &Injection, sample| {
            let lost: Vec<u64> = (0..10_000).filter(|&n| i.drops(sample, pe(0), n)).collect();
            lost
        };
        let lost = hits(&tenth, 0);
        // Nine standard deviations of 30.
        assert!(lost.len().abs_diff(1000) < 270, "{}", lost.len());
        assert_eq!(lost, hits(&tenth, 0));
        assert_ne!(lost, hits(&tenth, 1), "samples differ");
        let other = Injection { seed: 1, ..tenth };
        assert_ne!(lost, hits(&other, 0), "seeds differ");
    }

    #[test]
    fn flips_stay_inside_sram_and_spread() {
        let i = Injection {
            flip_rate: Chance::new(1.0).expect("a share"),
            flips: vec![Flip {
                pe: pe(1),
                addr: 5,
                bit: 3,
                tick: 7,
            }],
            ..Injection::default()
        };
        let all: Vec<(u32, u8)> = (0..1000).flat_map(|t| i.flips(0, pe(0), t, 64)).collect();
        assert_eq!(all.len(), 1000);
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert!(different.len() > 400, "{}", different.len());
        assert!(all.iter().all(|&(addr, bit)| addr < 64 && bit < 8));
        assert_eq!(i.flips(0, pe(1), 7, 64).next(), Some((5, 3)));
        assert_eq!(i.flips(0, pe(1), 7, 64).count(), 2);
    }

    #[test]
    fn what_cannot_happen_is_refused() {
        let mut i = Injection::default();
        i.dead.insert(pe(2), 3);
        assert!(i.stops(pe(2), 3) && !i.stops(pe(2), 2) && !i.stops(pe(1), 9));
        assert!(i.check(&[pe(2)], 64, |_, _| true).is_ok());
        i.flips.push(Flip {
            pe: pe(3),
            addr: 64,
            bit: 8,
            tick: 0,
        });
        i.dead_links.insert((ChipCoord::default(), Link::North), 4);
        let errors = i.check(&[pe(2)], 64, |_, _| false).expect_err("three");
        assert_eq!(errors.0.len(), 3, "{errors}");
    }
}
