//! Routing: trees while they are being made, tables for the router.

use crate::geometry::{ChipCoord, PeCoord};
use crate::id::NetId;
use crate::key::KeyMask;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One of a chip's six links, counter-clockwise from east.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    East,
    NorthEast,
    North,
    West,
    SouthWest,
    South,
}

impl Link {
    pub const ALL: [Link; 6] = [
        Link::East,
        Link::NorthEast,
        Link::North,
        Link::West,
        Link::SouthWest,
        Link::South,
    ];
    /// Column and row from a chip to the next one.
    pub fn step(self) -> (i16, i16) {
        match self {
            Link::East => (1, 0),
            Link::NorthEast => (1, 1),
            Link::North => (0, 1),
            Link::West => (-1, 0),
            Link::SouthWest => (-1, -1),
            Link::South => (0, -1),
        }
    }
    /// The same link, seen from its other end.
    pub fn opposite(self) -> Link {
        match self {
            Link::East => Link::West,
            Link::NorthEast => Link::SouthWest,
            Link::North => Link::South,
            Link::West => Link::East,
            Link::SouthWest => Link::NorthEast,
            Link::South => Link::North,
        }
    }
    pub fn from_name(name: &str) -> Option<Link> {
        Self::ALL.into_iter().find(|l| l.name() == name)
    }
    pub fn name(self) -> &'static str {
        match self {
            Link::East => "E",
            Link::NorthEast => "NE",
            Link::North => "N",
            Link::West => "W",
            Link::SouthWest => "SW",
            Link::South => "S",
        }
    }
}

/// Where the packets of one net go, chip by chip, from `root` outwards.
/// Invariant (verifier): every chip but the root is entered by exactly one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingTree {
    pub root: ChipCoord,
    pub hops: BTreeMap<ChipCoord, Targets>,
}

/// The outgoing side of one routing decision: links to other chips and PEs here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Targets {
    pub links: BTreeSet<Link>,
    pub pes: BTreeSet<PeCoord>,
}

impl Targets {
    pub fn is_empty(&self) -> bool {
        self.links.is_empty() && self.pes.is_empty()
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let links = self.links.iter().map(|l| l.name().to_owned());
        let all: Vec<String> = links
            .chain(self.pes.iter().map(PeCoord::to_string))
            .collect();
        f.write_str(&all.join(" "))
    }
}

/// One line of a chip's routing table. The first entry that matches decides;
/// no targets means that matching packets end here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingEntry {
    pub key: KeyMask,
    pub targets: Targets,
    /// The nets that the entry serves, ascending.
    pub nets: Vec<NetId>,
}

impl fmt::Display for RoutingEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            write!(f, "{:#} -> {}", self.key, self.targets)
        } else {
            write!(f, "{} -> {}", self.key, self.targets)
        }
    }
}
