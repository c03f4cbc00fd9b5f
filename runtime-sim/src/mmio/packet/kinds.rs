//! What packets are, hold, and where they go.

use ir::geometry::{GlobalPe, PeCoord};

/// What a packet is, and what a channel sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Multicast,
    CoreToCore,
    Neighbour,
    /// The answer to a memory read.
    Memory,
    /// To these PEs of a QPE of the own chip.
    Direct,
}

/// Up to four words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Payload {
    pub(super) words: [u32; 4],
    pub(super) count: u8,
}

impl Payload {
    /// The words.
    pub fn words(&self) -> &[u32] {
        &self.words[..usize::from(self.count.min(4))]
    }

    pub(super) fn of(words: &[u32]) -> Self {
        let mut payload = Self::default();
        for (to, from) in payload.words.iter_mut().zip(words) {
            *to = *from;
            payload.count += 1;
        }
        payload
    }
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through the router, by key.
    Routed,
    /// Through the router, to one PE.
    Core(GlobalPe),
    /// Over the mesh, to these PEs of a QPE (bit 3 is PE 0).
    Direct { x: u8, y: u8, mask: u8 },
    /// Over a chip link, to a PE of the chip there.
    Link { link: u8, pe: PeCoord },
}

/// A packet that left a PE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub time: u64,
    /// Its number at its sender.
    pub sequence: u64,
    pub kind: Kind,
    pub way: Way,
    pub key: u32,
    pub payload: Payload,
}

/// A packet on its way to a PE. The order is the order of delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coming {
    pub time: u64,
    pub source: u32,
    pub sequence: u64,
    pub kind: Kind,
    pub key: u32,
    pub payload: Payload,
}
