//! Random legal networks through compile and emulator: equal to the fixed
//! reference bit for bit, and with exact weights to golden. The binary
//! `random_graphs` runs as many more as wanted, or shows one seed.

use passes::Kernels;
use std::path::Path;
use tests::sweep::sweep;

#[test]
fn five_hundred_graphs() {
    let found = sweep(
        0..500,
        Path::new(env!("CARGO_TARGET_TMPDIR")),
        Kernels::Auto,
    );
    eprintln!("{found}");
    assert!(found.wrong.is_empty(), "{found}");
    // A decision within rounding of its threshold goes either way, rarely.
    let drifts = found.drifts.len() as u64;
    assert!(
        drifts * 50 <= found.total,
        "golden differs too often: {found}"
    );
    assert!(
        found.refused * 4 <= found.total,
        "refusals test little: {found}"
    );
    assert!(
        found.spiking * 3 >= found.agree,
        "silence tests little: {found}"
    );
    assert!(found.phased > 0 && found.graded > 0, "{found}");
}

#[test]
fn graphs_on_the_mac_array() {
    let room = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let found = sweep(500..700, room, Kernels::Mac);
    eprintln!("{found}");
    assert!(found.wrong.is_empty(), "{found}");
    assert!(found.products > found.total / 4, "{found}");
    // Some graphs have dense weights that the array does not take.
    assert!(found.agree * 2 > found.total, "{found}");
}
