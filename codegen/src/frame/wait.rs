//! Waiting for a device inside of a handler.
//!
//! A handler is not interrupted by lines of its own priority, so WFI would not wake it.
//! WFE does, with `SEVONPEND` set: an interrupt that becomes pending, enabled or not, sets
//! the event register. If the device is done between the look at its status and WFE, the
//! event is already there and WFE goes on at once.

use crate::kernels::KernelBuilder;
use cranelift_codegen::ir::Value;

/// System control register (ARMv7-M B3.2.7).
const SCR: u32 = 0xE000_ED10;
const SEVONPEND: u32 = 1 << 4;
/// First interrupt clear-pending register (ARMv7-M B3.4.7).
const NVIC_ICPR: u32 = 0xE000_E280;

/// Sleeps until `done`, which is asked after every wake-up.
pub fn sleep_until(kb: &mut KernelBuilder<'_>, done: impl Fn(&mut KernelBuilder<'_>) -> Value) {
    let scr = kb.int(SCR);
    let wakes = kb.int(SEVONPEND);
    kb.write_device(wakes, scr, 0);
    until(kb, done, |kb| kb.call("s2_wfe", &[]));
}

/// Asks for `done` again and again.
pub fn poll_until(kb: &mut KernelBuilder<'_>, done: impl Fn(&mut KernelBuilder<'_>) -> Value) {
    until(kb, done, |_| {});
}

fn until(
    kb: &mut KernelBuilder<'_>,
    done: impl Fn(&mut KernelBuilder<'_>) -> Value,
    between: impl Fn(&mut KernelBuilder<'_>),
) {
    let (look, again, rest) = (kb.block(), kb.block(), kb.block());
    kb.jump(look, &[]);
    kb.enter(look);
    let ready = done(kb);
    kb.branch(ready, (rest, &[]), (again, &[]));
    kb.enter(again);
    between(kb);
    kb.jump(look, &[]);
    kb.enter(rest);
}

/// Forgets that interrupt `line` is pending; its device must have lowered it.
pub fn forget(kb: &mut KernelBuilder<'_>, line: u32) {
    let register = kb.int(NVIC_ICPR + 4 * (line / 32));
    let bit = kb.int(1 << (line % 32));
    kb.write_device(bit, register, 0);
}
