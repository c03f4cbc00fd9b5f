//! Routing tables as files: `routes.bin` for hosts, `routes.json` for people.
//!
//! `routes.bin`, little endian, 16 bytes of header and 32 bytes an entry:
//!
//! | offset | bytes | header field |
//! |---|---|---|
//! | 0 | 4 | `S2RT` |
//! | 4 | 4 | version, 1 |
//! | 8 | 4 | number of entries |
//! | 12 | 4 | 0 |
//!
//! | offset | bytes | entry field |
//! |---|---|---|
//! | 0 | 4 | key |
//! | 4 | 4 | mask; a packet matches when `packet & mask == key` |
//! | 8 | 1 | links: bit 0 E, 1 NE, 2 N, 3 W, 4 SW, 5 S |
//! | 9 | 3 | 0 |
//! | 12 | 19 | PE set: bit `i % 8` of byte `i / 8` is PE number `i` |
//! | 31 | 1 | 0 |
//!
//! PEs are numbered as the target lists them: QPE rows from the bottom, left to
//! right, holes left out, four PEs each; pe(1,1,0) is 0 and pe(7,6,3) is 151.
//! The first entry that matches decides.

use ir::routing::{Link, RoutingEntry, Targets};
use ir::{Id, KeyMask, NetId, PeCoord, Target};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const MAGIC: &[u8; 4] = b"S2RT";
const VERSION: u32 = 1;
const HEADER: usize = 16;
const ENTRY: usize = 32;
const PE_BYTES: usize = 19;

/// Largest `routes.bin` of a router with `entries` entries.
pub(super) fn max_bin(entries: u32) -> u64 {
    (HEADER + ENTRY * entries as usize) as u64
}

/// `routes.json`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    version: u32,
    entries: Vec<Entry>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    key: String,
    mask: String,
    links: Vec<String>,
    pes: Vec<(u8, u8, u8)>,
    nets: Vec<u32>,
}

/// The binary table; `None` if an entry names a PE that the target lacks or
/// the target has more PEs than the set holds.
pub(super) fn to_bin(routes: &[RoutingEntry], target: &Target) -> Option<Vec<u8>> {
    let pes: Vec<PeCoord> = target.pes().collect();
    if pes.len() > PE_BYTES * 8 {
        return None;
    }
    let mut out = Vec::with_capacity(HEADER + ENTRY * routes.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&u32::try_from(routes.len()).ok()?.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    for entry in routes {
        out.extend_from_slice(&entry.key.key().to_le_bytes());
        out.extend_from_slice(&entry.key.mask().to_le_bytes());
        let mut links = 0u8;
        for (bit, link) in Link::ALL.iter().enumerate() {
            if entry.targets.links.contains(link) {
                links |= 1 << bit;
            }
        }
        out.extend_from_slice(&[links, 0, 0, 0]);
        let mut set = [0u8; PE_BYTES + 1];
        for pe in &entry.targets.pes {
            let at = pes.iter().position(|p| p == pe)?;
            set[at / 8] |= 1 << (at % 8);
        }
        out.extend_from_slice(&set);
    }
    Some(out)
}

/// Reads `routes.bin`; the error says what is wrong.
pub(super) fn from_bin(bytes: &[u8], target: &Target) -> Result<Vec<RoutingEntry>, String> {
    let word = |at: usize| -> Option<u32> {
        let four = bytes.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(four.try_into().ok()?))
    };
    if bytes.get(..4) != Some(MAGIC.as_slice()) {
        return Err("it does not begin with S2RT".to_owned());
    }
    match word(4) {
        Some(VERSION) => {}
        Some(v) => return Err(format!("it has version {v}, this s2c reads {VERSION}")),
        None => return Err("it ends inside the header".to_owned()),
    }
    let count = word(8).ok_or("it ends inside the header")?;
    if count > target.router.entries {
        return Err(format!(
            "{count} entries, the router holds {}",
            target.router.entries
        ));
    }
    if bytes.len() as u64 != max_bin(count) || word(12) != Some(0) {
        return Err(format!(
            "{} bytes for {count} entries, expected {}",
            bytes.len(),
            max_bin(count)
        ));
    }
    let pes: Vec<PeCoord> = target.pes().collect();
    bytes[HEADER..]
        .chunks_exact(ENTRY)
        .enumerate()
        .map(|(i, e)| {
            entry(e, &pes).ok_or_else(|| {
                format!("entry {i} has bits outside its mask or names what the target lacks")
            })
        })
        .collect()
}

fn entry(e: &[u8], pes: &[PeCoord]) -> Option<RoutingEntry> {
    let word = |at: usize| {
        e.get(at..at + 4)
            .and_then(|b| b.try_into().ok())
            .map(u32::from_le_bytes)
    };
    let key = KeyMask::new(word(0)?, word(4)?)?;
    let links = *e.get(8)?;
    if links >> Link::ALL.len() != 0 || e.get(9..12)? != [0; 3] || e.get(31) != Some(&0) {
        return None;
    }
    let mut targets = Targets::default();
    for (bit, link) in Link::ALL.iter().enumerate() {
        if links >> bit & 1 == 1 {
            targets.links.insert(*link);
        }
    }
    for (byte, &bits) in e.get(12..31)?.iter().enumerate() {
        for bit in (0..8).filter(|bit| bits >> bit & 1 == 1) {
            targets.pes.insert(*pes.get(byte * 8 + bit)?);
        }
    }
    Some(RoutingEntry {
        key,
        targets,
        nets: Vec::new(),
    })
}

/// The same table for people and scripts.
pub(super) fn to_json(routes: &[RoutingEntry]) -> Option<String> {
    let entries = routes
        .iter()
        .map(|r| Entry {
            key: format!("{:#010x}", r.key.key()),
            mask: format!("{:#010x}", r.key.mask()),
            links: r
                .targets
                .links
                .iter()
                .map(|l| l.name().to_owned())
                .collect(),
            pes: r
                .targets
                .pes
                .iter()
                .map(|p| (p.x(), p.y(), p.p()))
                .collect(),
            nets: r
                .nets
                .iter()
                .filter_map(|n| u32::try_from(n.index()).ok())
                .collect(),
        })
        .collect();
    let table = Table {
        version: VERSION,
        entries,
    };
    serde_json::to_string_pretty(&table).ok().map(|s| s + "\n")
}

/// Takes the nets of each entry from `routes.json`, which must say the same as
/// the binary table in everything else.
pub(super) fn check_json(text: &[u8], routes: &mut [RoutingEntry]) -> Result<(), String> {
    let table: Table = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    if table.version != VERSION {
        return Err(format!(
            "it has version {}, this s2c reads {VERSION}",
            table.version
        ));
    }
    if table.entries.len() != routes.len() {
        return Err(format!(
            "{} entries, routes.bin has {}",
            table.entries.len(),
            routes.len()
        ));
    }
    for (i, (said, route)) in table.entries.iter().zip(routes).enumerate() {
        let agree = key_mask(&said.key, &said.mask) == Some(route.key)
            && links(&said.links).as_ref() == Some(&route.targets.links)
            && pes(&said.pes).as_ref() == Some(&route.targets.pes);
        if !agree {
            return Err(format!("entry {i} differs from routes.bin"));
        }
        route.nets = said
            .nets
            .iter()
            .map(|&n| NetId::from_index(n as usize))
            .collect();
    }
    Ok(())
}

fn key_mask(key: &str, mask: &str) -> Option<KeyMask> {
    KeyMask::new(super::json::hex(key)?, super::json::hex(mask)?)
}

fn links(names: &[String]) -> Option<BTreeSet<Link>> {
    names.iter().map(|name| Link::from_name(name)).collect()
}

fn pes(list: &[(u8, u8, u8)]) -> Option<BTreeSet<PeCoord>> {
    list.iter()
        .map(|&(x, y, p)| PeCoord::new(x, y, p))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<RoutingEntry> {
        let pe = |x, y, p| PeCoord::new(x, y, p).expect("in the byte");
        vec![
            RoutingEntry {
                key: KeyMask::new(0x10000, 0xffff_fc00).expect("aligned"),
                targets: Targets {
                    links: BTreeSet::new(),
                    pes: [pe(1, 1, 0), pe(7, 6, 3)].into(),
                },
                nets: vec![NetId::from_index(3)],
            },
            RoutingEntry {
                key: KeyMask::new(0x20000, 0xffff_ffff).expect("aligned"),
                targets: Targets {
                    links: [Link::East, Link::South].into(),
                    pes: BTreeSet::new(),
                },
                nets: Vec::new(),
            },
        ]
    }

    #[test]
    fn both_forms_come_back_equal() {
        let target = Target::spinnaker2();
        let bin = to_bin(&table(), &target).expect("PEs exist");
        assert_eq!(bin.len(), 16 + 2 * 32);
        assert_eq!((bin[16 + 12], bin[16 + 30]), (1, 0x80));
        let mut back = from_bin(&bin, &target).expect("just written");
        let json = to_json(&table()).expect("plain data");
        check_json(json.as_bytes(), &mut back).expect("they agree");
        assert_eq!(back, table());
    }

    #[test]
    fn every_damaged_byte_is_noticed_or_harmless() {
        let target = Target::spinnaker2();
        let bin = to_bin(&table(), &target).expect("PEs exist");
        let json = to_json(&table()).expect("plain data");
        for at in 0..bin.len() {
            for bit in 0..8 {
                let mut bad = bin.clone();
                bad[at] ^= 1 << bit;
                let caught = match from_bin(&bad, &target) {
                    Err(_) => true,
                    Ok(mut routes) => check_json(json.as_bytes(), &mut routes).is_err(),
                };
                assert!(caught, "byte {at} bit {bit}");
            }
        }
        for end in 0..bin.len() {
            assert!(from_bin(&bin[..end], &target).is_err());
        }
    }
}
