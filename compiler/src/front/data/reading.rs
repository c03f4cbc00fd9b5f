//! Which reader takes a data file.

use super::inputs::{InputSet, PortSpec, read_inputs};
use super::{events, nird};
use ir::diag::Result;
use ir::origin::escape;
use ir::{Code, Diagnostic, Origin};

/// What data files leave open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Seconds per step, where the run knows it; event times need it.
    pub dt: Option<f64>,
    /// Microseconds per step of an event file; 1000 if it is not given.
    pub bin_us: Option<u32>,
    /// Steps per sample of an event file.
    pub steps: Option<u32>,
    /// The index of an event file: its name and its bytes.
    pub index: Option<(String, Vec<u8>)>,
}

/// Reads inputs from a file of any kind: `.npz`, `.npy` and NIRData are known
/// by their first bytes, event files by the ending `.bin`. Options that the
/// kind of file does not take are errors.
pub fn read_inputs_with(
    bytes: &[u8],
    file: &str,
    ports: &[PortSpec],
    reading: &Reading,
) -> Result<(InputSet, Vec<Diagnostic>)> {
    if events::is_events(file) {
        return events::read(bytes, file, ports, reading);
    }
    let given = [
        ("--bin-us", reading.bin_us.is_some()),
        ("--steps", reading.steps.is_some()),
        ("--index", reading.index.is_some()),
    ];
    if let Some((flag, _)) = given.iter().find(|(_, given)| *given) {
        let origin = Origin::Option {
            flag: (*flag).to_owned(),
        };
        let what = format!("{flag} is for event files (.bin) only");
        return Err(Diagnostic::error(Code::Usage, &origin, what)
            .note(format!("the input is {}", escape(file)))
            .help("leave the option out")
            .into());
    }
    if nird::is_nird(bytes) {
        return nird::read(bytes, file, ports, reading.dt);
    }
    read_inputs(bytes, file, ports)
}
