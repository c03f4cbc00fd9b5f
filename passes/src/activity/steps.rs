//! Whole steps as they were measured: who sent in them, and what.
//!
//! Rates say how often an atom sends, not who sends together. Where activity comes in
//! clusters (an edge that moves over an image) that is what a slice's time depends on.

use ir::series::Series;
use std::collections::BTreeMap;

/// A step of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    pub sample: u32,
    pub step: u32,
}

impl At {
    /// So many steps before, in the same sample.
    pub fn before(self, steps: u32) -> Option<Self> {
        let step = self.step.checked_sub(steps)?;
        Some(Self { step, ..self })
    }
}

/// What the atoms of a population sent in a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// In C order.
    atoms: Box<[u32]>,
    /// The number in each packet; none if all of them are 1.
    numbers: Box<[f32]>,
}

impl Row {
    fn of(sent: &[f64]) -> Self {
        let all = (0u32..).zip(sent).filter(|(_, x)| **x != 0.0);
        let (atoms, numbers): (Vec<u32>, Vec<f32>) = all.map(|(i, &x)| (i, x as f32)).unzip();
        let plain = numbers.iter().all(|&x| x == 1.0);
        Self {
            atoms: atoms.into(),
            numbers: if plain {
                Box::default()
            } else {
                numbers.into()
            },
        }
    }

    /// Atoms that sent, with the numbers in their packets.
    pub fn packets(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        let number = |i| self.numbers.get(i).copied().unwrap_or(1.0);
        let atoms = self.atoms.iter().enumerate();
        atoms.map(move |(i, &atom)| (atom, number(i)))
    }

    fn words(&self) -> u64 {
        ROW_WORDS + (self.atoms.len() + self.numbers.len()) as u64
    }
}

/// Steps by population. There is memory for so many words; beyond that only some blocks of
/// steps are kept, the same ones of every population, whichever was added first.
#[derive(Clone, Debug, PartialEq)]
pub struct Steps {
    most: u64,
    words: u64,
    /// A block is kept if so many low bits of its mark are 0.
    level: u32,
    rows: BTreeMap<String, BTreeMap<At, Row>>,
}

/// Words of all rows together, and about what one takes beside its atoms.
const MOST: u64 = 1 << 22;
const ROW_WORDS: u64 = 16;

/// Steps that are kept or dropped together, so that most have those before them.
const BLOCK: u32 = 32;

impl Default for Steps {
    fn default() -> Self {
        Self::with_memory(MOST)
    }
}

impl Steps {
    fn with_memory(most: u64) -> Self {
        Self {
            most,
            words: 0,
            level: 0,
            rows: BTreeMap::new(),
        }
    }

    /// Adds what a population sent in a sample.
    pub(super) fn add(&mut self, name: &str, sample: u32, sent: &Series) {
        for (step, i) in (0u32..).zip(0..sent.steps) {
            let at = At { sample, step };
            if !kept(at, self.level) {
                continue;
            }
            let row = Row::of(sent.row(i));
            self.words += row.words();
            let rows = self.rows.entry(name.to_owned()).or_default();
            rows.insert(at, row);
            while self.words > self.most {
                self.thin();
            }
        }
    }

    /// Drops every other block.
    fn thin(&mut self) {
        self.level += 1;
        for rows in self.rows.values_mut() {
            rows.retain(|&at, _| kept(at, self.level));
        }
        let rows = self.rows.values().flat_map(BTreeMap::values);
        self.words = rows.map(Row::words).sum();
    }

    /// The steps of a population that are kept.
    pub fn of(&self, name: &str) -> Option<&BTreeMap<At, Row>> {
        self.rows.get(name)
    }
}

fn kept(at: At, level: u32) -> bool {
    level < u64::BITS && mark(at.sample, at.step / BLOCK).trailing_zeros() >= level
}

/// A number that looks like chance and is always the same (the mixer of splitmix64).
pub fn mark(a: u32, b: u32) -> u64 {
    let mut x = (u64::from(a) << 32 | u64::from(b)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(steps: usize, data: impl Fn(usize) -> f64) -> Series {
        Series {
            steps,
            width: 3,
            data: (0..3 * steps).map(data).collect(),
        }
    }

    #[test]
    fn a_row_says_who_sent_what() {
        let row = Row::of(&[0.0, 1.0, 0.0, 1.0]);
        assert_eq!(row.packets().collect::<Vec<_>>(), [(1, 1.0), (3, 1.0)]);
        assert_eq!(row.words(), ROW_WORDS + 2);
        let row = Row::of(&[2.0, 0.0, -0.5]);
        assert_eq!(row.packets().collect::<Vec<_>>(), [(0, 2.0), (2, -0.5)]);
    }

    #[test]
    fn memory_is_bounded_and_what_is_kept_does_not_depend_on_the_order() {
        let most = 20_000;
        let (busy, quiet) = (series(640, |_| 1.0), series(640, |i| (i % 7 / 6) as f64));
        let added = |order: &[(&str, u32)]| {
            let mut steps = Steps::with_memory(most);
            for &(name, sample) in order {
                let sent = if name == "busy" { &busy } else { &quiet };
                steps.add(name, sample, sent);
                assert!(steps.words <= most);
            }
            steps
        };
        let all = (0..4).flat_map(|s| [("busy", s), ("quiet", s)]);
        let all: Vec<_> = all.collect();
        let mut by_name = all.clone();
        by_name.sort();
        let (one, other) = (added(&all), added(&by_name));
        assert_eq!(one, other);
        assert!(one.level > 0);
        let at = |name| one.of(name).map(|r| r.keys().copied().collect::<Vec<_>>());
        let kept = at("busy").expect("some");
        assert_eq!(Some(&kept), at("quiet").as_ref());
        assert!(kept.len() >= 64, "{}", kept.len());
        assert!(kept.len().is_multiple_of(BLOCK as usize));
    }

    #[test]
    fn what_never_fits_is_dropped() {
        let mut steps = Steps::with_memory(10);
        steps.add("in", 0, &series(3, |_| 1.0));
        assert_eq!(
            (steps.words, steps.of("in").map(BTreeMap::len)),
            (0, Some(0))
        );
    }
}
