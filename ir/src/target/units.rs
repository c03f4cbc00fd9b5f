//! What must hold of the numbers of the computing units, so that the emulator may
//! divide by them and count on bounds.

use super::Target;

pub(super) fn check(target: &Target) -> Result<(), &'static str> {
    let m = &target.mla;
    if [m.rows, m.columns, m.fused_cells, m.align_bytes].contains(&0)
        || m.rows > 256
        || m.columns > 256
        || !m.align_bytes.is_power_of_two()
        || m.align_bytes > 4096
    {
        return Err(
            "mla.rows, mla.columns and mla.fused_cells must be above 0, mla.align_bytes a power of two",
        );
    }
    if !(8..=48).contains(&m.accumulator_bits) || m.fused_bits > 8 {
        return Err("mla.accumulator_bits must be 8 to 48, mla.fused_bits at most 8");
    }
    if m.max_size == 0 || m.max_size > 65_535 || m.max_kernel == 0 || m.max_kernel > 16 {
        return Err("mla.max_size must be 1 to 65535, mla.max_kernel 1 to 16");
    }
    let percents = [m.matrix_percent, m.vector_percent, m.convolution_percent];
    if percents.iter().any(|p| *p == 0 || *p > 100) {
        return Err("percentages in [mla] must be 1 to 100");
    }
    if m.irq > 63 || m.kind_local > 3 || m.kind_remote > 3 || m.kind_local == m.kind_remote {
        return Err("mla.irq must be below 64, and the two kinds of sources different and below 4");
    }
    if target.explog.max_iterations == 0 || target.explog.max_iterations > 32 {
        return Err("explog.max_iterations must be 1 to 32");
    }
    let r = &target.rounding;
    if r.contexts == 0 || r.contexts > 32 || r.context_bytes == 0 || r.max_position > 32 {
        return Err("rounding.contexts must be 1 to 32, rounding.max_position at most 32");
    }
    Ok(())
}
