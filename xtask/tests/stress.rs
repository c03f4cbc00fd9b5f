//! The busy chip: what it counts is what its packets add.

use xtask::stress;

#[test]
fn a_busy_chip_keeps_the_step_that_its_slowest_pe_allows() {
    let found = stress::run(16);
    assert_eq!(found.neurons, 16 * found.pes);
    assert_eq!(found.synapses, 16 * found.neurons);
    assert_eq!((found.missed, found.lost), (0, 0), "{}", found.text());
    assert!(found.activity > 500, "{}", found.text());
    // Each spike reaches one population.
    let most = found.synapses as f64;
    assert!(found.events <= most && found.events > most / 2.0);
    let rate = found.events * 1e6 / f64::from(found.step_us);
    assert!((found.rate() / rate - 1.0).abs() < 1e-9);
}
