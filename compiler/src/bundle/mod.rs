//! The bundle: a compiled network as a folder.
//!
//! ```text
//! DIR/bundle.json                      description, resolved options, hashes
//! DIR/report.json                      what the compiler decided
//! DIR/chip_X_Y/pe_QX_QY_P.elf          one program per PE
//! DIR/chip_X_Y/routes.json routes.bin  one routing table per chip
//! ```
//!
//! The same network, options and compiler give the same bytes: no file holds a
//! time, a duration, a thread count or an absolute path.
//!
//! Reading trusts nothing: sizes are bounded before bytes are read, file names
//! follow from coordinates, every hash is compared, and every address that the
//! host will touch is checked against the target's memory. Hashes find damage;
//! they don't make a bundle trustworthy.

mod json;
mod read;
mod routes;
mod write;

pub use read::{Loaded, is_bundle, read};
pub use write::{check_output, write};

use ir::{ChipCoord, PeCoord};

/// The description's file name.
pub const DESCRIPTION: &str = "bundle.json";
/// The report's file name.
pub const REPORT: &str = "report.json";

fn chip_folder(chip: ChipCoord) -> String {
    format!("chip_{}_{}", chip.x, chip.y)
}

fn elf_name(chip: ChipCoord, pe: PeCoord) -> String {
    let folder = chip_folder(chip);
    format!("{folder}/pe_{}_{}_{}.elf", pe.x(), pe.y(), pe.p())
}

fn routes_names(chip: ChipCoord) -> [String; 2] {
    let folder = chip_folder(chip);
    [
        format!("{folder}/routes.bin"),
        format!("{folder}/routes.json"),
    ]
}

#[cfg(test)]
mod tests;
