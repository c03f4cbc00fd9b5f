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
    if d.port_x > 7 || d.port_y.saturating_add(d.interfaces) > 8 {
        return Err("[dram] needs a place of the grid for the port of each interface");
    }
    let costs = [
        target.dma.bytes_per_cycle,
        target.dma.setup_cycles,
        target.remote.window_stall,
        target.remote.entry_cycles,
        target.remote.flit_bytes,
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
        (target.timers.second_irq, 1),
        (target.timers.third_irq, 1),
        (target.packet.multicast_irq, 1),
        (target.packet.core_irq, 1),
        (target.packet.neighbour_irq, 1),
        (target.packet.info_irq, 1),
        (target.packet.overrun_irq, 1),
        (target.rings.not_empty_irq, 4),
        (target.rings.full_irq, 4),
        (target.rings.limit_irq, 4),
        (target.rings.overrun_irq, 2),
    ];
    if lines
        .iter()
        .any(|&(irq, n)| irq > 63 || n > 31 || irq + n > 64)
    {
        return Err(
            "interrupt lines in [rings], [ipi], [dma], [timers] and [packet] must be below 64",
        );
    }
    if i.lock_count > 1024 || i.share_reset > 15 || !i.share_config.is_multiple_of(4) {
        return Err("[ipi] needs at most 1024 locks, and share_config a word of 4 bits");
    }
    let p = &target.packet;
    let shifts = [
        p.payload_shift,
        p.mask_shift,
        p.qpe_y_shift,
        p.qpe_x_shift,
        p.link_shift,
    ];
    if !(0x18..=0x100).contains(&p.channel_stride)
        || !p.channel_stride.is_multiple_of(4)
        || shifts.iter().any(|&s| s > 28)
        || p.queue == 0
        || p.queue > 4096
    {
        return Err(
            "[packet] needs channels of six words or more, fields inside a word, and a queue",
        );
    }
    Ok(())
}
