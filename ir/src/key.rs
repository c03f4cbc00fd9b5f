//! Multicast keys.

use std::fmt;

/// Matches packet `k` when `k & mask == key`.
/// Invariant: `key` has no bit outside `mask`, so no entry is silently dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyMask {
    key: u32,
    mask: u32,
}

impl KeyMask {
    pub fn new(key: u32, mask: u32) -> Option<Self> {
        (key & !mask == 0).then_some(Self { key, mask })
    }
    /// The aligned block of `2^bits` keys that starts at `key`; `None` if unaligned.
    pub fn block(key: u32, bits: u32) -> Option<Self> {
        let mask = u32::MAX.checked_shl(bits).unwrap_or(0);
        Self::new(key, mask)
    }
    pub fn key(self) -> u32 {
        self.key
    }
    pub fn mask(self) -> u32 {
        self.mask
    }
    pub fn matches(self, packet: u32) -> bool {
        packet & self.mask == self.key
    }
    pub fn overlaps(self, other: Self) -> bool {
        (self.key ^ other.key) & self.mask & other.mask == 0
    }
}

impl fmt::Display for KeyMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            for bit in (0..32).rev() {
                let c = match (self.mask >> bit & 1, self.key >> bit & 1) {
                    (0, _) => 'X',
                    (_, 0) => '0',
                    (_, _) => '1',
                };
                write!(f, "{c}")?;
            }
            Ok(())
        } else {
            write!(f, "{:#010x}/{:#010x}", self.key, self.mask)
        }
    }
}
