//! Cubes and single keys give the same answer.

use ir::PeCoord;
use ir::key::KeyMask;
use ir::routing::{Link, RoutingEntry, Targets};
use ir::verify::tables::{first_difference, ranges};
use proptest::collection::vec;
use proptest::prelude::*;

/// Entries that tell 64 keys apart.
fn table() -> impl Strategy<Value = Vec<RoutingEntry>> {
    let entry = (0u32..64, 0u32..64, 0u8..3).prop_map(|(key, mask, pe)| {
        let mask = mask | !63;
        let targets = Targets {
            pes: PeCoord::new(pe, 0, 0).into_iter().collect(),
            links: [Link::North].into_iter().filter(|_| pe == 0).collect(),
        };
        RoutingEntry {
            key: KeyMask::new(key & mask, mask).expect("within the mask"),
            targets,
            nets: Vec::new(),
        }
    });
    vec(entry, 0..8)
}

fn decide(table: &[RoutingEntry], key: u32) -> Option<&Targets> {
    table
        .iter()
        .find(|e| e.key.matches(key))
        .map(|e| &e.targets)
}

proptest! {
    #[test]
    fn a_difference_is_found_if_there_is_one(
        before in table(),
        after in table(),
        same in any::<bool>(),
        lo in 0u32..64,
        n in 0u32..64,
    ) {
        let after = if same { before.clone() } else { after };
        let keys = lo..lo + n;
        let differs = keys.clone().find(|k| decide(&before, *k) != decide(&after, *k));
        match first_difference(&before, &after, &ranges(lo, n)) {
            None => prop_assert_eq!(differs, None),
            Some(found) => {
                prop_assert!(keys.contains(&found.key));
                prop_assert_eq!(found.before.as_ref(), decide(&before, found.key));
                prop_assert_eq!(found.after.as_ref(), decide(&after, found.key));
                prop_assert_ne!(found.before, found.after);
            }
        }
    }
}
