//! Initial contents of a vertex's memory regions.

use crate::kernels::DenseRow;
use ir::app::Projection;
use ir::diag::Diagnostic;
use ir::machine_graph::AtomSlice;
use ir::memory::control;
use ir::neuron::Param;

/// The control region before the first tick.
pub(crate) fn control_block(
    ring: Option<u32>,
    events: Option<u32>,
    record: Option<u32>,
) -> Vec<u8> {
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

/// A per-atom parameter of a slice as float32, each value rounded once.
pub(crate) fn parameter(param: &Param, slice: AtomSlice) -> Vec<u8> {
    let atoms = slice.lo as usize..(slice.lo + slice.n) as usize;
    atoms
        .flat_map(|i| (param.at(i) as f32).to_le_bytes())
        .collect()
}

/// The rows of one projection from the atoms of `source` to those of `target`.
pub(crate) fn rows(
    projection: &Projection,
    kernel: DenseRow,
    source: AtomSlice,
    target: AtomSlice,
    n_pre: usize,
) -> Result<Vec<u8>, Diagnostic> {
    let mut bytes = Vec::with_capacity((source.n * kernel.stride()) as usize);
    let mut weights = Vec::with_capacity(target.n as usize);
    for pre in source.lo..source.lo + source.n {
        weights.clear();
        for post in target.lo..target.lo + target.n {
            let at = post as usize * n_pre + pre as usize;
            let weight = projection.weights.int_at(at).ok_or_else(|| {
                Diagnostic::internal(format!("weights of {} are not integers", projection.name))
            })?;
            weights.push(weight);
        }
        bytes.extend(kernel.row_bytes(&weights));
    }
    Ok(bytes)
}
