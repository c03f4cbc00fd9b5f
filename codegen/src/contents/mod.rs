//! Initial contents of a vertex's memory regions.

mod rows;

pub use rows::{Ends, dense, kernel, matrix, sparse, taps};

use ir::app::Population;
use ir::machine_graph::AtomSlice;
use ir::memory::control;
use ir::neuron::Param;

/// The control region before the first tick.
pub fn control_block(ring: Option<u32>, events: Option<u32>, record: Option<u32>) -> Vec<u8> {
    let mut bytes = vec![0; control::BYTES as usize];
    let mut put = |at: u32, value: Option<u32>| {
        let at = at as usize;
        bytes[at..at + 4].copy_from_slice(&value.unwrap_or(0).to_le_bytes());
    };
    put(control::RING_READ, ring);
    put(control::EVENTS_READ, events);
    put(control::RECORD_WRITE, record);
    bytes
}

/// The atoms of a slice in the order of positions.
pub fn atoms(population: &Population, slice: AtomSlice) -> impl Iterator<Item = usize> + '_ {
    let (order, shape) = (population.order, &population.shape);
    (slice.lo..slice.lo + slice.n).map(move |p| order.atom_at(p as usize, shape))
}

/// A per-atom parameter of a slice, each value as the word that `word` makes of it.
pub fn parameter(
    param: &Param,
    word: impl Fn(f64) -> u32,
    population: &Population,
    slice: AtomSlice,
) -> Vec<u8> {
    atoms(population, slice)
        .flat_map(|i| word(param.at(i)).to_le_bytes())
        .collect()
}
