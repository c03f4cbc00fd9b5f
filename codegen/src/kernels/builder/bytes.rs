//! Bytes without a sign.

use super::KernelBuilder;
use cranelift_codegen::ir::types::I32;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value};

impl KernelBuilder<'_> {
    /// A byte, zero-extended.
    pub fn load_byte(&mut self, addr: Value, offset: i32) -> Value {
        let place = self.place(addr);
        let flags = MemFlagsData::new();
        self.b.ins().uload8(I32, flags, place, offset)
    }

    /// Stores the lowest byte of an i32.
    pub fn store_byte(&mut self, value: Value, addr: Value, offset: i32) {
        let place = self.place(addr);
        let flags = MemFlagsData::new();
        self.b.ins().istore8(flags, value, place, offset);
    }
}
