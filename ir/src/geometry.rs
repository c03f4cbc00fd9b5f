//! Places on the machine: chips, QPEs and PEs.

use std::fmt;

/// A chip by its column and row on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ChipCoord {
    pub x: u16,
    pub y: u16,
}

/// A PE on its chip: QPE column, QPE row, PE in the QPE.
///
/// Which coordinates exist is the target's matter; the fields are wide enough
/// for the identity byte only (3 + 3 + 2 bits), which the constructor checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeCoord {
    x: u8,
    y: u8,
    p: u8,
}

impl PeCoord {
    /// `None` if a coordinate does not fit the identity byte.
    pub fn new(x: u8, y: u8, p: u8) -> Option<Self> {
        (x < 8 && y < 8 && p < 4).then_some(Self { x, y, p })
    }
    pub fn x(self) -> u8 {
        self.x
    }
    pub fn y(self) -> u8 {
        self.y
    }
    pub fn p(self) -> u8 {
        self.p
    }
    /// The identity byte that software reads: `x << 5 | y << 2 | p`.
    pub fn id(self) -> u8 {
        self.x << 5 | self.y << 2 | self.p
    }
    /// Mesh hops between two QPEs under XY routing.
    pub fn hops(self, other: PeCoord) -> u32 {
        u32::from(self.x.abs_diff(other.x)) + u32::from(self.y.abs_diff(other.y))
    }
}

/// A PE of the whole machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GlobalPe {
    pub chip: ChipCoord,
    pub pe: PeCoord,
}

impl fmt::Display for ChipCoord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chip({},{})", self.x, self.y)
    }
}
impl fmt::Display for PeCoord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pe({},{},{})", self.x, self.y, self.p)
    }
}
impl fmt::Display for GlobalPe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.chip, self.pe)
    }
}
