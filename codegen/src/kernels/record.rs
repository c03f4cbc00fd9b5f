//! Spike record: one bit in the frame of this tick.

use super::builder::KernelBuilder;
use cranelift_codegen::ir::Value;
use ir::memory::control;

/// Bytes of a frame before its bitmap: PE identity and tick.
const HEADER: i32 = 8;

/// Sets the bit of the atom that sends `key`; `first` is the key of atom 0.
pub(crate) fn record_spike(kb: &mut KernelBuilder<'_>, control_addr: u32, first: u32, key: Value) {
    let frame = kb.load_at(control_addr + control::RECORD_WRITE);
    let first = kb.int(first);
    let atom = kb.sub(key, first);
    let word = kb.shr_const(atom, 5);
    let byte = kb.shl_const(word, 2);
    let place = kb.add(frame, byte);
    let one = kb.int(1);
    let bit = kb.and_const(atom, 31);
    let bit = kb.shl(one, bit);
    let old = kb.load_word(place, HEADER);
    let new = kb.or(old, bit);
    kb.store(new, place, HEADER);
}
