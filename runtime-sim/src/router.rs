//! The event router of one chip: a table in which the first match wins.
//!
//! The table is indexed by mask: entries with the same mask differ in their
//! keys, so one lookup per distinct mask finds the first of them that matches,
//! and the lowest index of all masks is the first match of the table.

use ir::image::ChipImage;
use std::collections::HashMap;

/// What one entry does with a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// PEs by index in the machine, with the cycles from the router to each.
    pub pes: Vec<(u32, u64)>,
}

/// A chip's routing table, ready for lookups.
#[derive(Clone, Debug)]
pub struct Router {
    exits: Vec<Exit>,
    by_mask: Vec<(u32, HashMap<u32, u32>)>,
    /// Keys that were looked up: a compressed table may have many masks.
    known: HashMap<u32, Option<u32>>,
}

/// Keys that the cache may hold before it starts again.
const KNOWN_LIMIT: usize = 1 << 16;

impl Router {
    /// A router for the table of `image`; `exits` are the resolved targets of
    /// its entries, in table order.
    pub fn new(image: &ChipImage, exits: Vec<Exit>) -> Self {
        let mut by_mask: Vec<(u32, HashMap<u32, u32>)> = Vec::new();
        let mut places: HashMap<u32, usize> = HashMap::new();
        for (index, entry) in image.routes.iter().enumerate() {
            let place = *places.entry(entry.key.mask()).or_insert(by_mask.len());
            if place == by_mask.len() {
                by_mask.push((entry.key.mask(), HashMap::new()));
            }
            let (_, keys) = &mut by_mask[place];
            keys.entry(entry.key.key()).or_insert(index as u32);
        }
        Self {
            exits,
            by_mask,
            known: HashMap::new(),
        }
    }

    /// The first entry that matches `key`; `None` if there is none.
    pub fn route(&mut self, key: u32) -> Option<&Exit> {
        let index = match self.known.get(&key) {
            Some(&index) => index,
            None => {
                let hits = self.by_mask.iter();
                let index = hits
                    .filter_map(|(mask, keys)| keys.get(&(key & mask)).copied())
                    .min();
                if self.known.len() >= KNOWN_LIMIT {
                    self.known.clear();
                }
                self.known.insert(key, index);
                index
            }
        };
        self.exits.get(index? as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::geometry::ChipCoord;
    use ir::key::KeyMask;
    use ir::routing::{RoutingEntry, Targets};

    #[test]
    fn the_first_match_wins_whatever_its_mask() {
        let table = [
            (0x0000_0011, 0xffff_ffff),
            (0x0000_0010, 0xffff_fff0),
            (0x0000_0012, 0xffff_ffff),
            (0x0000_0000, 0xffff_ff00),
            (0x0000_0010, 0xffff_fff0),
        ];
        let routes: Vec<RoutingEntry> = table
            .iter()
            .map(|&(key, mask)| RoutingEntry {
                key: KeyMask::new(key, mask).expect("key inside mask"),
                targets: Targets::default(),
                nets: Vec::new(),
            })
            .collect();
        let exit = |i| Exit { pes: vec![(i, 0)] };
        let image = ChipImage {
            chip: ChipCoord::default(),
            pes: Vec::new(),
            routes: routes.clone(),
        };
        let mut router = Router::new(&image, (0..5).map(exit).collect());
        for key in 0..0x200 {
            let first = routes.iter().position(|e| e.key.matches(key));
            for _ in 0..2 {
                let found = router.route(key).map(|e| e.pes[0].0 as usize);
                assert_eq!(found, first, "{key:#x}");
            }
        }
    }
}
