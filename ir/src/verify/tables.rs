//! TABLED: what the routers do with every key that can be sent.
//!
//! Keys are not tried one by one. A *cube* is a [`KeyMask`] read as a set of
//! keys. Against a table, the first entry that overlaps the cube either covers
//! it, and decides for all of it, or cares about a bit that the cube leaves
//! open. Then the cube is halved at that bit and both halves start again. For
//! the table `01X -> a`, `0XX -> b` the cube `0XX` halves into `01X` (a) and
//! `00X` (b). Only what a table tells apart is told apart.

use super::findings::{Findings, vertex};
use super::trees::sinks;
use crate::geometry::{ChipCoord, GlobalPe, PeCoord};
use crate::id::NetId;
use crate::key::KeyMask;
use crate::module::Module;
use crate::origin::Origin;
use crate::routing::{Link, RoutingEntry, Targets};
use crate::target::Target;
use std::collections::BTreeSet;
use std::fmt;

/// Cubes that may be looked at for one table and cube, so that a hostile table
/// can't keep the verifier busy for ever.
const FUEL: usize = 1 << 22;

pub(super) fn check(m: &Module, target: &Target, found: &mut Findings) {
    let most = target.router.entries as usize;
    for (chip, entries) in &m.tables {
        if !m.machine.contains(*chip) {
            let message = format!("there is a routing table for {chip}, which does not exist");
            found.add(&Origin::Compiler, message);
        }
        if entries.len() > most {
            let message = format!("the routing table of {chip} is too long");
            let note = format!("{} entries, the router holds {most}", entries.len());
            found.add_with(&Origin::Compiler, message, note);
        }
    }
    if let Some(witness) = first_misdelivery(m) {
        let net = &m.machine_graph.nets[witness.net];
        let (name, origin) = vertex(m, net.source);
        let message = format!("the routing tables misdeliver the spikes of {name}");
        found.add_with(origin, message, witness.to_string());
    }
}

/// A key that goes wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    pub net: NetId,
    pub key: u32,
    pub chip: ChipCoord,
    pub fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The chip's table has no entry for the key.
    Unmatched,
    /// The chip delivers to other PEs than those of the sinks.
    Delivers {
        expected: BTreeSet<PeCoord>,
        found: BTreeSet<PeCoord>,
    },
    /// The packet comes to this chip a second time.
    Loop,
    /// The packet leaves the machine, or takes a dead link.
    OffMachine(Link),
    /// The packet never comes to this chip, where a sink is.
    Missed,
    /// The tables tell more keys apart than the verifier is willing to follow.
    TooComplicated,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "key {:#010x} of {} at {}: ",
            self.key, self.net, self.chip
        )?;
        let list = |pes: &BTreeSet<PeCoord>| {
            let pes: Vec<String> = pes.iter().map(PeCoord::to_string).collect();
            if pes.is_empty() {
                "no PE".to_owned()
            } else {
                pes.join(" ")
            }
        };
        match &self.fault {
            Fault::Unmatched => f.write_str("no entry matches"),
            Fault::Delivers { expected, found } => {
                write!(
                    f,
                    "delivered to {}, expected {}",
                    list(found),
                    list(expected)
                )
            }
            Fault::Loop => f.write_str("the packet comes back"),
            Fault::OffMachine(link) => {
                write!(f, "link {} leads off the machine or is dead", link.name())
            }
            Fault::Missed => f.write_str("the packet never comes here, but a sink is here"),
            Fault::TooComplicated => f.write_str("too many cases to follow"),
        }
    }
}

/// Walks every key of every placed and keyed net through the tables and
/// compares where it arrives with where the sinks are placed.
pub fn first_misdelivery(m: &Module) -> Option<Witness> {
    m.machine_graph.nets.iter().find_map(|(id, net)| {
        let start = m.placements.get(&net.source)?.chip;
        let key = *m.keys.get(&id)?;
        let n = m.machine_graph.vertices.get(net.source)?.slice.n;
        let walk = Walk {
            m,
            net: id,
            expected: sinks(m, net),
        };
        ranges(key.key(), n).into_iter().find_map(|cube| {
            let mut fuel = FUEL;
            walk.follow(cube, vec![start], BTreeSet::from([start]), &mut fuel)
        })
    })
}

/// A key that two tables treat differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub key: u32,
    pub before: Option<Targets>,
    pub after: Option<Targets>,
}

/// The first key within `keys` for which two tables of one chip decide
/// differently; a key that neither table matches is no difference.
pub fn first_difference(
    before: &[RoutingEntry],
    after: &[RoutingEntry],
    keys: &[KeyMask],
) -> Option<Difference> {
    for &cube in keys {
        let mut fuel = usize::MAX;
        for (cube, old) in decisions(before, cube, &mut fuel)? {
            for (cube, new) in decisions(after, cube, &mut fuel)? {
                let of = |e: Option<&RoutingEntry>| e.map(|e| e.targets.clone());
                let (before, after) = (of(old), of(new));
                if before != after {
                    let key = cube.key();
                    return Some(Difference { key, before, after });
                }
            }
        }
    }
    None
}

/// Consecutive keys as aligned blocks. Keys beyond 32 bits do not exist.
pub fn ranges(first: u32, n: u32) -> Vec<KeyMask> {
    let mut blocks = Vec::new();
    let (mut lo, end) = (u64::from(first), u64::from(first) + u64::from(n));
    while lo < end.min(1 << 32) {
        // As large as the alignment and the rest allow.
        let bits = lo.trailing_zeros().min((end - lo).ilog2()).min(32);
        // `lo` is below 2^32 and a multiple of the block, so both fit.
        if let Some(block) = u32::try_from(lo).ok().and_then(|k| KeyMask::block(k, bits)) {
            blocks.push(block);
        }
        lo += 1 << bits;
    }
    blocks
}

/// The parts of a cube with the entry that decides for each; `None` when the
/// fuel runs out.
fn decisions<'t>(
    table: &'t [RoutingEntry],
    cube: KeyMask,
    fuel: &mut usize,
) -> Option<Vec<(KeyMask, Option<&'t RoutingEntry>)>> {
    let mut decided = Vec::new();
    let mut open = vec![(cube, 0)];
    while let Some((cube, from)) = open.pop() {
        *fuel = fuel.checked_sub(1)?;
        let overlapping = table[from..].iter().position(|e| e.key.overlaps(cube));
        let Some(position) = overlapping.map(|p| p + from) else {
            decided.push((cube, None));
            continue;
        };
        let entry = &table[position];
        match entry.key.mask() & !cube.mask() {
            0 => decided.push((cube, Some(entry))),
            open_bits => {
                let bit = 1 << open_bits.ilog2();
                let halves = [cube.key() | bit, cube.key()];
                let mask = cube.mask() | bit;
                // The bit was outside the mask, so it is outside neither half.
                let halves = halves.map(|key| KeyMask::new(key, mask));
                open.extend(halves.into_iter().flatten().map(|half| (half, position)));
            }
        }
    }
    Some(decided)
}

struct Walk<'m> {
    m: &'m Module,
    net: NetId,
    expected: BTreeSet<GlobalPe>,
}

impl Walk<'_> {
    /// Follows all keys of a cube from the chips in `ahead`.
    fn follow(
        &self,
        cube: KeyMask,
        ahead: Vec<ChipCoord>,
        seen: BTreeSet<ChipCoord>,
        fuel: &mut usize,
    ) -> Option<Witness> {
        let mut open = vec![(cube, ahead, seen)];
        while let Some((cube, mut ahead, seen)) = open.pop() {
            let Some(chip) = ahead.pop() else {
                let missed = self.expected.iter().find(|pe| !seen.contains(&pe.chip));
                if let Some(pe) = missed {
                    return self.witness(cube, pe.chip, Fault::Missed);
                }
                continue;
            };
            let table = self.m.tables.get(&chip).map_or(&[][..], Vec::as_slice);
            let Some(decided) = decisions(table, cube, fuel) else {
                return self.witness(cube, chip, Fault::TooComplicated);
            };
            // In reverse, so that the lowest keys are followed first.
            for (cube, entry) in decided.into_iter().rev() {
                let Some(entry) = entry else {
                    return self.witness(cube, chip, Fault::Unmatched);
                };
                let here = self.expected.iter().filter(|pe| pe.chip == chip);
                let expected: BTreeSet<PeCoord> = here.map(|pe| pe.pe).collect();
                if entry.targets.pes != expected {
                    let found = entry.targets.pes.clone();
                    return self.witness(cube, chip, Fault::Delivers { expected, found });
                }
                let (mut ahead, mut seen) = (ahead.clone(), seen.clone());
                for &link in &entry.targets.links {
                    let Some(next) = self.m.machine.neighbour(chip, link) else {
                        return self.witness(cube, chip, Fault::OffMachine(link));
                    };
                    if !seen.insert(next) {
                        return self.witness(cube, next, Fault::Loop);
                    }
                    ahead.push(next);
                }
                open.push((cube, ahead, seen));
            }
        }
        None
    }

    fn witness(&self, cube: KeyMask, chip: ChipCoord, fault: Fault) -> Option<Witness> {
        Some(Witness {
            net: self.net,
            key: cube.key(),
            chip,
            fault,
        })
    }
}
