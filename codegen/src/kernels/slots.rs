//! Rings of rows in local memory, one row for each tick.

use super::builder::KernelBuilder;
use cranelift_codegen::ir::Value;

/// `count` rows of `bytes`; the row of tick `t` is number `t & (count - 1)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slots {
    pub address: u32,
    /// A power of two.
    pub count: u32,
    pub bytes: u32,
}

impl Slots {
    /// Address of the row of `tick + later` (wrapping).
    pub fn row(&self, kb: &mut KernelBuilder<'_>, tick: Value, later: u32) -> Value {
        if self.count == 1 {
            return kb.int(self.address);
        }
        let tick = kb.add_const(tick, later);
        let slot = kb.and_const(tick, self.count - 1);
        let bytes = kb.int(self.bytes);
        let offset = kb.mul(slot, bytes);
        kb.add_const(offset, self.address)
    }
}
