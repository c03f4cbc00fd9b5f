//! Which translations a core has: by address, without a lock.

use super::Region;
use super::plan::Entry;
use std::sync::Arc;

/// Entries that are kept; bounds the memory of a guest that is hot everywhere.
const MAX_LINKS: usize = 1 << 16;

/// One entry; in one line of the host's cache, since it is cold most times.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Place {
    region: Arc<Region>,
    /// Number of the entry in its region.
    number: u32,
    entry: Entry,
    /// Index plus one of another entry at the same address.
    next: u32,
}

const _: () = assert!(size_of::<Place>() == 64);

/// The translations of one core.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Table {
    /// By halfword: index plus one of an entry. Two tables, for regions that check
    /// whether results are exact and for those that need not.
    starts: [Vec<u32>; 2],
    places: Vec<Place>,
    regions: Vec<Arc<Region>>,
}

impl Table {
    #[inline(always)]
    fn first(&self, exact: bool, pc: u32) -> u32 {
        let starts = &self.starts[usize::from(exact)];
        starts.get((pc >> 1) as usize).copied().unwrap_or(0)
    }

    /// True if a region can be entered at `pc`.
    pub(super) fn covers(&self, exact: bool, pc: u32) -> bool {
        self.first(exact, pc) != 0
    }

    /// Number of regions that begin at `pc`.
    pub(super) fn regions_from(&self, exact: bool, pc: u32) -> usize {
        let of = |r: &&Arc<Region>| r.exact == exact && r.start == pc;
        self.regions.iter().filter(of).count()
    }

    /// True if a region holds the instruction at `pc`.
    pub(super) fn holds(&self, exact: bool, pc: u32) -> bool {
        let of = |r: &Arc<Region>| r.exact == exact && r.holds(pc);
        self.regions.iter().any(of)
    }

    /// The region for this state, the number of its entry, and its worst case.
    #[inline(always)]
    pub(super) fn find(
        &self,
        exact: bool,
        pc: u32,
        left: u64,
        fpu: bool,
    ) -> Option<(&Region, u32, u32)> {
        let mut index = self.first(exact, pc);
        while index != 0 {
            let place = self.places.get(index as usize - 1)?;
            let entry = &place.entry;
            if left & entry.feels == entry.met && (fpu || !entry.fpu) {
                return Some((&place.region, place.number, entry.worst));
            }
            index = place.next;
        }
        None
    }

    pub(super) fn insert(&mut self, exact: bool, region: Arc<Region>) {
        if self.places.len() + region.entries.len() > MAX_LINKS {
            self.clear();
        }
        let starts = &mut self.starts[usize::from(exact)];
        // Those that know that the FPU is ready are tried first.
        let order = |fpu| {
            let entries = region.entries.iter().enumerate();
            entries.filter(move |(_, e)| e.fpu == fpu)
        };
        for (number, entry) in order(false).chain(order(true)) {
            let at = (entry.pc >> 1) as usize;
            if at >= starts.len() {
                starts.resize((at + 1).next_power_of_two().max(1024), 0);
            }
            self.places.push(Place {
                region: Arc::clone(&region),
                number: number as u32,
                entry: *entry,
                next: starts[at],
            });
            starts[at] = self.places.len() as u32;
        }
        self.regions.push(region);
    }

    pub(in super::super) fn clear(&mut self) {
        *self = Self::default();
    }
}
