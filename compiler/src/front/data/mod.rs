//! Data files: inputs of a run, reference outputs, recorded results.
//!
//! A run needs one array per Input node, `[samples, steps, shape…]`. Values
//! stay in the smallest of four element types until a sample is asked for,
//! since a set of spikes would be eight times its size as float64.
//!
//! **Invariant:** sizes that a file claims are checked against what it holds
//! before anything is allocated for them.

mod array;
mod events;
mod expect;
mod inflate;
mod inputs;
mod nird;
mod npy;
mod reading;
mod write;
mod zip;

pub use array::{Array, Elements};
pub use expect::{read_arrays, read_expect, split_expect};
pub use inputs::{InputSet, Port, PortSpec, ports_of, read_inputs};
pub use nird::{Observed, write_nird};
pub use reading::{Reading, read_inputs_with};
pub use write::{encode_name, write_npz};

use ir::{Code, Diagnostic, Origin};

/// Most bytes that the arrays of one file may take in memory: 2 GiB.
pub const MAX_DECODED_BYTES: u64 = 2 << 30;

/// What is wrong with a data file, before the file is named.
type Fault = String;

fn fault(file: &str, message: String) -> Diagnostic {
    let origin = Origin::File {
        file: file.to_owned(),
    };
    Diagnostic::error(Code::InputData, &origin, message)
}
