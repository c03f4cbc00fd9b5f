//! The front ends: from the bytes of a user's file to the [`ir::Network`], and
//! from recorded data to the inputs of a run.
//!
//! Reading and lowering are two steps. [`nir::read`] turns bytes into a source
//! graph that says exactly what the file says; [`lower::lower`] gives the graph
//! its meaning. A file that is merely unusual fails in the second step, with
//! the node it is about, not in the first with a byte offset.
//!
//! **Invariant:** apart from [`read_file`], nothing here touches the file
//! system, and no input, however damaged, makes it panic or allocate more than
//! the stated limits.

pub mod data;
pub mod lower;
pub mod nir;

use ir::diag::{Diagnostics, Result, Severity};
use ir::{Code, Diagnostic, Network, Origin};
use std::io::Read;
use std::path::Path;

/// What an edge counts that a graph names several times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DuplicateEdges {
    #[default]
    Once,
    /// As often as it occurs.
    Sum,
}

/// How files are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Repairs are errors.
    pub strict: bool,
    pub duplicate_edges: DuplicateEdges,
}

/// Reads and lowers a NIR file, with the repairs as warnings.
///
/// With `strict` they are errors; so should be the warnings that `infer-shapes`
/// gives for the network: see [`refuse_repairs`].
pub fn load(bytes: &[u8], file: &str, options: ReadOptions) -> Result<(Network, Vec<Diagnostic>)> {
    let (graph, mut warnings) = nir::read(bytes, file)?;
    let (network, more) = lower::lower_with(&graph, file, options.duplicate_edges)?;
    warnings.extend(more);
    if options.strict {
        refuse_repairs(&warnings)?;
    }
    Ok((network, warnings))
}

/// For `--strict`: the repairs among the warnings of reading, lowering and
/// `infer-shapes`, as errors.
pub fn refuse_repairs(warnings: &[Diagnostic]) -> Result<()> {
    let refuse = |warning: &Diagnostic| {
        Diagnostic {
            severity: Severity::Error,
            ..warning.clone()
        }
        .note("--strict refuses what would be repaired")
    };
    let repairs = warnings.iter().filter(|w| is_repair(w.code));
    let refused: Vec<Diagnostic> = repairs.map(refuse).collect();
    if refused.is_empty() {
        Ok(())
    } else {
        Err(Diagnostics(refused))
    }
}

/// Whether a warning of this code says that a file was not taken literally.
pub fn is_repair(code: Code) -> bool {
    matches!(
        code,
        Code::NirLayout
            | Code::NirDuplicateEdge
            | Code::NirEdgeRepaired
            | Code::NirPortAdded
            | Code::NirDefault
            | Code::NirInteger
            | Code::ShapeLoose
            | Code::Broadcast
            | Code::InputShape
    )
}

/// Largest file that [`read_file`] takes: 1 GiB.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// The bytes of a file, refused above [`MAX_FILE_BYTES`].
pub fn read_file(path: &Path) -> ir::diag::Result<Vec<u8>> {
    let file = path.display().to_string();
    let fail = |reason: String| {
        let origin = Origin::File { file: file.clone() };
        Diagnostic::error(Code::FileAccess, &origin, reason)
    };
    let open =
        std::fs::File::open(path).map_err(|e| fail(format!("the file cannot be opened: {e}")))?;
    let length = open
        .metadata()
        .map_err(|e| fail(format!("the file cannot be examined: {e}")))?
        .len();
    let too_large = |length: u64| {
        fail(format!(
            "the file is too large: {length} bytes, the limit is {MAX_FILE_BYTES}"
        ))
        .help("split the data into several files, or convert the network to a smaller data type")
    };
    if length > MAX_FILE_BYTES {
        return Err(too_large(length).into());
    }
    // The length of a pipe is zero and a file can grow, so the read is bounded too.
    let mut bytes = Vec::new();
    open.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| fail(format!("the file cannot be read: {e}")))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(too_large(bytes.len() as u64).into());
    }
    Ok(bytes)
}
