//! Memory of the other PEs of the own QPE, and the chip's locks.

use crate::frame::wait;
use crate::kernels::KernelBuilder;
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;
use ir::Target;

/// Address of `addr` in the SRAM of PE `p` of the own QPE.
pub fn address(target: &Target, p: u8, addr: u32) -> u32 {
    target.remote.window_base + (u32::from(p & 3) << target.remote.sram_shift) + addr
}

/// Loads a word of another PE; the core stalls meanwhile.
pub fn load(kb: &mut KernelBuilder<'_>, target: &Target, p: u8, addr: u32) -> Value {
    let base = kb.int(address(target, p, addr));
    kb.read_device(base, 0)
}

/// Stores a word at another PE.
pub fn store(kb: &mut KernelBuilder<'_>, target: &Target, value: Value, p: u8, addr: u32) {
    let base = kb.int(address(target, p, addr));
    kb.write_device(value, base, 0);
}

/// Which PEs of the own QPE share their SRAM in the window: bit p is PE p.
pub fn shared(kb: &mut KernelBuilder<'_>, target: &Target) -> Value {
    let base = kb.int(target.ipi.base + target.ipi.share_config);
    kb.read_device(base, 0)
}

/// From now on PEs of the own QPE share their SRAM by the bits of `open`; an access in the
/// window to that of another one fails. Who changes one bit takes a lock, unless nobody
/// else of the QPE does so.
pub fn share(kb: &mut KernelBuilder<'_>, target: &Target, open: Value) {
    let base = kb.int(target.ipi.base + target.ipi.share_config);
    kb.write_device(open, base, 0);
}

/// Takes lock `index` of the chip, waiting awake until it is free.
pub fn lock(kb: &mut KernelBuilder<'_>, target: &Target, index: u32) {
    let addr = target.ipi.locks + 4 * index;
    wait::poll_until(kb, |kb| {
        let base = kb.int(addr);
        let was = kb.read_device(base, 0);
        let free = kb.int(0);
        kb.compare(IntCC::Equal, was, free)
    });
}

/// Frees lock `index`.
pub fn unlock(kb: &mut KernelBuilder<'_>, target: &Target, index: u32) {
    let base = kb.int(target.ipi.locks + 4 * index);
    let zero = kb.int(0);
    kb.write_device(zero, base, 0);
}
