//! Interrupts of the other PEs of the own QPE.

use crate::kernels::KernelBuilder;
use ir::Target;

/// Pulses the lines of `bits` in the register-file group of PE `p`: bit n is interrupt
/// line `ipi.regfile_irq + n`.
pub fn raise(kb: &mut KernelBuilder<'_>, target: &Target, p: u8, bits: u32) {
    write(kb, target.ipi.base + target.ipi.regfile, p, bits);
}

/// The same for the feed-through lines, of which the first starts programs.
pub fn feed_through(kb: &mut KernelBuilder<'_>, target: &Target, p: u8, bits: u32) {
    write(kb, target.ipi.base + target.ipi.feed_through, p, bits);
}

fn write(kb: &mut KernelBuilder<'_>, group: u32, p: u8, bits: u32) {
    let base = kb.int(group);
    let bits = kb.int(bits);
    kb.write_device(bits, base, 4 * u32::from(p & 3));
}
