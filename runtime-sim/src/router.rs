//! The event router of one chip: a table in which the first match wins.
//!
//! The table is indexed by mask: entries with the same mask differ in their
//! keys, so one lookup per distinct mask finds the first of them that matches,
//! and the lowest index of all masks is the first match of the table. Masks are
//! tried in the order of their first entries, so that the search ends early. Keys
//! that were looked up are remembered, since networks send the same ones again and
//! again.

use crate::noc::{Place, place_of};
use ir::routing::{Link, RoutingEntry, Targets};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What an entry does with a packet. Entries with the same targets share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Chip links, by their position in [`Link::ALL`].
    pub links: u8,
    /// QPEs, each with the set of its PEs.
    pub qpes: Vec<(Place, u8)>,
}

impl Exit {
    /// The targets of a routing entry.
    pub fn new(targets: &Targets) -> Self {
        let mut qpes: Vec<(Place, u8)> = Vec::new();
        for &pe in &targets.pes {
            let place = place_of(pe);
            // PEs ascend by QPE.
            match qpes.last_mut() {
                Some((last, set)) if *last == place => *set |= 1 << pe.p(),
                _ => qpes.push((place, 1 << pe.p())),
            }
        }
        let link = |(bit, link): (usize, &Link)| u8::from(targets.links.contains(link)) << bit;
        Self {
            links: Link::ALL.iter().enumerate().map(link).sum(),
            qpes,
        }
    }
}

/// The entries with one mask.
#[derive(Clone, Debug)]
struct Group {
    mask: u32,
    /// Position of the first of them in the table.
    first: u32,
    /// By key, position and exit.
    keys: HashMap<u32, (u32, u32)>,
}

/// A routing table, ready for lookups.
#[derive(Debug)]
pub struct Table {
    exits: Vec<Exit>,
    groups: Vec<Group>,
}

impl Table {
    /// Indexes a table.
    pub fn new(routes: &[RoutingEntry]) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        let mut places: HashMap<u32, usize> = HashMap::new();
        let mut shared: BTreeMap<&Targets, u32> = BTreeMap::new();
        let mut exits = Vec::new();
        for (index, entry) in routes.iter().enumerate() {
            let exit = *shared.entry(&entry.targets).or_insert_with(|| {
                exits.push(Exit::new(&entry.targets));
                exits.len() as u32 - 1
            });
            let mask = entry.key.mask();
            let place = *places.entry(mask).or_insert(groups.len());
            if place == groups.len() {
                groups.push(Group {
                    mask,
                    first: index as u32,
                    keys: HashMap::new(),
                });
            }
            let keys = &mut groups[place].keys;
            keys.entry(entry.key.key()).or_insert((index as u32, exit));
        }
        Self { exits, groups }
    }

    /// The exit of the first entry that matches `key`.
    pub fn first_match(&self, key: u32) -> Option<u32> {
        let mut best: Option<(u32, u32)> = None;
        for group in &self.groups {
            if best.is_some_and(|(index, _)| index < group.first) {
                break;
            }
            if let Some(&found) = group.keys.get(&(key & group.mask))
                && best.is_none_or(|best| found < best)
            {
                best = Some(found);
            }
        }
        best.map(|(_, exit)| exit)
    }
}

/// Keys that are remembered. A power of two.
const KNOWN: usize = 1 << 12;
/// What is remembered of a key that no entry matches, and of an empty place.
const NOTHING: u32 = u32::MAX;
const EMPTY: u32 = u32::MAX - 1;

/// A chip's router: a table that clones share, and what it remembers of it.
#[derive(Clone, Debug)]
pub struct Router {
    table: Arc<Table>,
    /// By hash of the key: key and exit. Not allocated before the first lookup.
    known: Vec<(u32, u32)>,
}

impl Router {
    /// A router with this table.
    pub fn new(routes: &[RoutingEntry]) -> Self {
        Self {
            table: Arc::new(Table::new(routes)),
            known: Vec::new(),
        }
    }

    /// The exit of the first entry that matches `key`; `None` if there is none.
    #[inline]
    pub fn route(&mut self, key: u32) -> Option<&Exit> {
        if self.known.is_empty() {
            self.known = vec![(0, EMPTY); KNOWN];
        }
        let hash = key.wrapping_mul(0x9e37_79b1) >> (u32::BITS - KNOWN.ilog2());
        let place = self.known.get_mut(hash as usize)?;
        if place.0 != key || place.1 == EMPTY {
            *place = (key, self.table.first_match(key).unwrap_or(NOTHING));
        }
        self.table.exits.get(place.1 as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::geometry::PeCoord;
    use ir::key::KeyMask;

    /// One target for each number below 152.
    fn entry(key: u32, mask: u32, target: u8) -> RoutingEntry {
        let pe = PeCoord::new(1 + target % 7, 1 + target / 7 % 6, target / 42).expect("a PE");
        RoutingEntry {
            key: KeyMask::new(key & mask, mask).expect("key inside mask"),
            targets: Targets {
                links: Default::default(),
                pes: [pe].into(),
            },
            nets: Vec::new(),
        }
    }

    fn check(routes: &[RoutingEntry], keys: impl Iterator<Item = u32>) {
        let mut router = Router::new(routes);
        for key in keys {
            let first = routes.iter().find(|e| e.key.matches(key));
            let expected = first.map(|e| Exit::new(&e.targets));
            for _ in 0..2 {
                assert_eq!(router.route(key), expected.as_ref(), "{key:#x}");
            }
        }
    }

    #[test]
    fn the_first_match_wins_whatever_its_mask() {
        let table = [
            (0x0000_0011, 0xffff_ffff),
            (0x0000_0010, 0xffff_fff0),
            (0x0000_0012, 0xffff_ffff),
            (0x0000_0000, 0xffff_ff00),
            (0x0000_0010, 0xffff_fff0),
        ];
        let routes: Vec<RoutingEntry> = (0..)
            .zip(table)
            .map(|(i, (key, mask))| entry(key, mask, i))
            .collect();
        check(&routes, 0..0x200);
    }

    #[test]
    fn any_masks_in_any_order() {
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        for _ in 0..50 {
            let n = 1 + random() % 60;
            let routes: Vec<RoutingEntry> = (0..n)
                .map(|_| {
                    entry(
                        random() & 0xff,
                        random() & random() & 0xff,
                        (random() % 152) as u8,
                    )
                })
                .collect();
            // More keys than are remembered at once.
            check(&routes, (0..0x200).map(|k| k * 0x1_0001));
        }
    }

    #[test]
    fn one_exit_holds_one_set_for_each_qpe_and_the_links() {
        let pe = |x, y, p| PeCoord::new(x, y, p).expect("in the byte");
        let targets = Targets {
            links: [Link::East, Link::South].into(),
            pes: [pe(2, 1, 3), pe(2, 1, 0), pe(1, 2, 1)].into(),
        };
        let exit = Exit::new(&targets);
        assert_eq!(exit.links, 0b10_0001);
        assert_eq!(exit.qpes, [(17, 0b10), (10, 0b1001)]);
    }
}
