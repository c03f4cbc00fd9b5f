//! NIR files: HDF5 containers that hold a graph of neuron and weight nodes.
//!
//! The layout is recognised by content, because the `version` that a file
//! states is only the version of the package that was installed when it was
//! written. Reading has three steps, each ignorant of the next: [`store`]
//! loads the HDF5 objects into a bounded tree, [`legacy`] recognises layouts
//! of old releases in that tree, and [`nodes`] makes the [`NirGraph`] of it.

mod error;
pub mod graph;
mod legacy;
#[cfg(feature = "libhdf5")]
pub mod libhdf5;
mod lzf;
mod nodes;
mod pure;
mod sniff;
pub mod store;

pub use error::natural_cmp;
pub use graph::{Dataset, NirContent, NirEdge, NirGraph, NirNode, Values};
pub(crate) use pure::f16_to_f32;

use ir::Diagnostic;

/// Reads a NIR file. `file` is its name as the user typed it, for messages.
///
/// Returns the source graph and the warnings. All faults that can be found
/// independently are reported together.
pub fn read(bytes: &[u8], file: &str) -> ir::diag::Result<(NirGraph, Vec<Diagnostic>)> {
    sniff::check(bytes, file)?;
    let mut problems = error::Problems::new(file);
    let tree = match pure::PureStore::open(bytes) {
        Ok(store) => store::load(&store, bytes.len(), &mut problems),
        Err(e) => {
            let error = problems.store_error("/", "", &e);
            problems.push(error);
            None
        }
    };
    finish(tree, problems)
}

/// Loads the objects of a NIRData file; numeric attributes of groups are
/// members called `@<name>`.
pub(crate) fn recording(bytes: &[u8], file: &str) -> ir::diag::Result<store::Tree> {
    sniff::check(bytes, file)?;
    let mut problems = error::Problems::new(file);
    let tree = match pure::PureStore::open(bytes) {
        Ok(store) => store::load_with(&store, bytes.len(), true, &mut problems),
        Err(e) => {
            let error = problems.store_error("/", "", &e);
            problems.push(error);
            None
        }
    };
    problems.finish(tree).map(|(tree, _)| tree)
}

/// Turns a loaded tree into a graph; shared by the stores.
fn finish(
    tree: Option<store::Tree>,
    mut problems: error::Problems,
) -> ir::diag::Result<(NirGraph, Vec<Diagnostic>)> {
    let graph = tree.and_then(|tree| nodes::graph(tree, &mut problems));
    problems.finish(graph)
}
