//! Counts a packet for the MAC array: one more from its source atom in this tick.

use super::builder::KernelBuilder;
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;

/// A byte for each source atom of a vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CountRow {
    /// Whether more packets of one atom may wait than a byte counts. An atom sends once a
    /// tick, so they do only where a tick took longer than that many; such a program stops.
    pub checked: bool,
}

impl CountRow {
    /// Whether a ring of so many entries holds more than a byte counts.
    pub fn of_ring(entries: u32) -> Self {
        Self {
            checked: entries > u32::from(u8::MAX),
        }
    }

    /// Counts one packet at `place`.
    pub fn emit(self, kb: &mut KernelBuilder<'_>, place: Value) {
        let before = kb.load_byte(place, 0);
        let after = kb.add_const(before, 1);
        kb.store_byte(after, place, 0);
        if self.checked {
            let most = kb.int(u32::from(u8::MAX));
            let fits = kb.compare(IntCC::UnsignedLessThanOrEqual, after, most);
            kb.expect(fits);
        }
    }
}
