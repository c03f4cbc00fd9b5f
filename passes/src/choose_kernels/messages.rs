//! What is said where `--kernels mac` can't be followed.

use super::{Refusal, Slice};
use ir::app::AppGraph;
use ir::code::Code;
use ir::diag::Diagnostic;
use ir::id::ProjId;
use ir::memory::padded;
use ir::origin::escape;
use std::fmt;

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Refusal::Weights(weights) => write!(
                f,
                "its weights are {}, the array takes i8 and i16",
                weights.name()
            ),
            Refusal::Sums { most, holds } => write!(
                f,
                "a sum may be {most}, an accumulator of the array holds {holds}"
            ),
            Refusal::Sources { atoms, most } => {
                write!(f, "{atoms} source atoms, a product takes {most}")
            }
            Refusal::Alignment { row, align } => write!(
                f,
                "a row of {row} B of sums, one of several, does not begin at a multiple of {align} B"
            ),
            Refusal::Memory { bytes, available } => {
                write!(
                    f,
                    "with counts and matrix {bytes} B, a PE has {available} B"
                )
            }
        }
    }
}

pub(super) fn refused(
    app: &AppGraph,
    slice: &Slice<'_>,
    projection: ProjId,
    why: Refusal,
) -> Diagnostic {
    let p = &app.projections[projection];
    let (pre, post) = (&app.populations[p.pre], &app.populations[p.post]);
    let at = slice.sender.slice;
    let name = escape(&post.name);
    let message = format!(
        "projection '{}' can't be multiplied on the MAC array at '{name}'{at}",
        escape(&p.name)
    );
    let error = Diagnostic::error(Code::KernelImpossible, &p.origin, message).note(why.to_string());
    match why {
        Refusal::Memory { .. } => {
            let fewer = (at.n / 2).max(1);
            let (sources, width) = (pre.n_atoms(), padded(at.n));
            let bytes = p.weights.dtype().size();
            error
                .note(format!(
                    "matrix {sources} x {width} x {bytes} B, counts {sources} B"
                ))
                .help(format!(
                    "cut finer with --atoms-per-core {name}={fewer}, or leave the choice to --kernels auto"
                ))
        }
        Refusal::Weights(_) => error
            .help("quantise with --weights int8 or int16, or leave the choice to --kernels auto"),
        Refusal::Sums { .. } | Refusal::Sources { .. } | Refusal::Alignment { .. } => {
            error.help("leave the choice to --kernels auto")
        }
    }
}
