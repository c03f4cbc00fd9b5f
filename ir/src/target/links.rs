//! What must hold of the numbers of memory outside a PE and of the ways to it.

use super::Target;

pub(super) fn check(target: &Target) -> Result<(), &'static str> {
    let d = &target.dram;
    if d.interfaces == 0
        || !d.bytes.is_multiple_of(d.interfaces)
        || d.window_base.checked_add(d.bytes).is_none()
        || !d.alignment.is_power_of_two()
        || d.bytes_per_second == 0
        || !(1..=100).contains(&d.efficiency_percent)
    {
        return Err("[dram] needs interfaces of equal size in one window, and a speed");
    }
    let costs = [
        target.dma.bytes_per_cycle,
        target.dma.setup_cycles,
        target.remote.window_stall,
    ];
    let shift = target.remote.sram_shift;
    if costs.contains(&0) || shift > 23 || target.memory.sram_bytes > 1 << shift {
        return Err("costs in [dma] and [remote] must be above 0, and SRAM fit remote.sram_shift");
    }
    let i = &target.ipi;
    let lines = [
        (i.feed_through_irq, i.feed_through_lines),
        (i.regfile_irq, i.regfile_lines),
        (i.message_irq, 1),
        (target.dma.read_irq, 1),
        (target.dma.write_irq, 1),
    ];
    if lines
        .iter()
        .any(|&(irq, n)| irq > 63 || n > 31 || irq + n > 64)
    {
        return Err("interrupt lines in [ipi] and [dma] must be below 64");
    }
    if i.lock_count > 1024 {
        return Err("ipi.lock_count must be at most 1024");
    }
    Ok(())
}
