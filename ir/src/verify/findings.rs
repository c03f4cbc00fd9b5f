//! The violations found so far, each in the user's words.

use crate::app::{Population, Projection};
use crate::code::Code;
use crate::diag::{Diagnostic, Diagnostics, Result};
use crate::id::VertexId;
use crate::module::Module;
use crate::origin::{Origin, escape};

/// After this many violations the rest is not told.
const MOST: usize = 20;

#[derive(Debug, Default)]
pub(super) struct Findings {
    diagnostics: Vec<Diagnostic>,
}

impl Findings {
    pub(super) fn add(&mut self, origin: &Origin, message: String) {
        self.push(Diagnostic::error(Code::Verify, origin, message));
    }

    /// With a line of arithmetic.
    pub(super) fn add_with(&mut self, origin: &Origin, message: String, note: String) {
        self.push(Diagnostic::error(Code::Verify, origin, message).note(note));
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < MOST {
            self.diagnostics.push(diagnostic);
        }
    }

    pub(super) fn any(&self) -> bool {
        !self.diagnostics.is_empty()
    }

    /// Ends the verification if there is something to report.
    pub(super) fn stop_if_any(&mut self) -> Result<()> {
        if self.diagnostics.is_empty() {
            Ok(())
        } else {
            Err(Diagnostics(std::mem::take(&mut self.diagnostics)))
        }
    }
}

pub(super) fn population(p: &Population) -> String {
    format!("population '{}'", escape(&p.name))
}

pub(super) fn projection(p: &Projection) -> String {
    format!("projection '{}'", escape(&p.name))
}

/// A vertex as its slice of the user's population, and that one's origin.
pub(super) fn vertex(module: &Module, id: VertexId) -> (String, &Origin) {
    let vertex = &module.machine_graph.vertices[id];
    let owner = &module.app.populations[vertex.population];
    (
        format!("'{}'{} ({id})", escape(&owner.name), vertex.slice),
        &owner.origin,
    )
}
