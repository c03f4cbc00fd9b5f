//! Accesses to device registers.
//!
//! Ordinary loads and stores may be merged, reordered, forwarded or left out, since memory
//! holds what was last written to it. A register does not: each access here happens, once,
//! where it stands among all other accesses. A sequence point on either side says so to the
//! mid-end (which treats it as a fence) and to the scheduler (it costs no instruction).
//!
//! The host form of a kernel has no devices: it returns at the first of these accesses.

use super::{Addressing, KernelBuilder};
use cranelift_codegen::ir::types::I32;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value};

impl KernelBuilder<'_> {
    /// Reads the register at `base + offset`, a word.
    pub fn read_device(&mut self, base: Value, offset: u32) -> Value {
        if self.leaves() {
            return self.int(0);
        }
        self.b.ins().sequence_point();
        let flags = MemFlagsData::new();
        let value = self.b.ins().load(I32, flags, base, offset as i32);
        self.b.ins().sequence_point();
        value
    }

    /// Writes a word to the register at `base + offset`.
    pub fn write_device(&mut self, value: Value, base: Value, offset: u32) {
        if self.leaves() {
            return;
        }
        self.b.ins().sequence_point();
        let flags = MemFlagsData::new();
        self.b.ins().store(flags, value, base, offset as i32);
        self.b.ins().sequence_point();
    }

    /// Ends the host form here; what follows is not reached.
    fn leaves(&mut self) -> bool {
        if self.addressing() == Addressing::Guest {
            return false;
        }
        self.trap();
        let rest = self.block();
        self.enter(rest);
        true
    }
}
