//! Time that a packet takes on one chip: from its PE over the mesh to the event
//! router, through it, and over the mesh to the PE it is for.
//!
//! Contention is not modelled: each packet travels as if it were alone.

use ir::Target;
use ir::geometry::PeCoord;

/// PE cycles for `cycles` of a clock of `hz`, rounded up.
fn pe_cycles(target: &Target, cycles: u32, hz: u64) -> u64 {
    (u64::from(cycles) * target.clock.pe_high_hz).div_ceil(hz)
}

/// PE cycles between a PE and the event router.
pub fn mesh_cycles(target: &Target, pe: PeCoord) -> u64 {
    let cycles = target
        .router_hops(pe)
        .saturating_mul(target.router.hop_cycles);
    pe_cycles(target, cycles, target.clock.noc_hz)
}

/// PE cycles inside the event router. Never zero, so that no packet arrives in
/// the cycle in which it was sent.
pub fn router_cycles(target: &Target) -> u64 {
    pe_cycles(target, target.router.latency_cycles, target.clock.router_hz).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_follows_the_clocks() {
        let mut t = Target::spinnaker2();
        let pe = PeCoord::new(1, 1, 0).expect("in the byte");
        // |1 - 4| + |1 - 3| = 5 hops of 5 cycles at 300 MHz; 8 cycles at 400 MHz are 6 at 300.
        assert_eq!(mesh_cycles(&t, pe), 25);
        assert_eq!(router_cycles(&t), 6);
        t.clock.noc_hz = 150_000_000;
        t.router.latency_cycles = 0;
        assert_eq!(mesh_cycles(&t, pe), 50);
        assert_eq!(router_cycles(&t), 1);
    }
}
