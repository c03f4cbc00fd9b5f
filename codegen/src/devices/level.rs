//! Performance levels, set by the program itself.

use crate::kernels::KernelBuilder;
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;
use ir::Target;

/// Bits of the identity register that say which PE of its QPE this is.
const PE_OF_QPE: u32 = 3;

/// Writes a command word of the target to this PE's own command register, whose
/// address follows from its identity: the same code serves every PE.
pub fn command(kb: &mut KernelBuilder<'_>, target: &Target, word: Value) {
    let r = &target.level;
    let id = kb.load_at(target.comms.base + target.comms.id);
    let p = kb.and_const(id, PE_OF_QPE);
    let own = kb.mul_const(p, r.stride);
    let register = kb.add_const(own, r.base + r.command);
    kb.store(word, register, 0);
}

/// The published policy: high if more than `threshold` packets wait, else low.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoLevel {
    pub threshold: u32,
}

impl AutoLevel {
    /// Sets the level for `waiting` packets.
    pub fn emit(self, kb: &mut KernelBuilder<'_>, target: &Target, waiting: Value) {
        let threshold = kb.int(self.threshold);
        let many = kb.compare(IntCC::UnsignedGreaterThan, waiting, threshold);
        let high = kb.int(target.level.high_value);
        let low = kb.int(target.level.low_value);
        let word = kb.select(many, high, low);
        command(kb, target, word);
    }
}
