//! Diagnostics: what went wrong, at which of the user's things, with the
//! arithmetic, and what to do about it.

use crate::code::Code;
use crate::origin::Origin;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Warning,
    Error,
}

/// One message to the user.
///
/// `message` is one phrase that stands alone; `notes` carry the arithmetic;
/// `help` names an action. The constructor asks for the origin, so no
/// diagnostic can forget whose node it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    pub message: String,
    pub origin: Origin,
    pub notes: Vec<String>,
    pub help: Option<String>,
}

impl Diagnostic {
    pub fn error(code: Code, origin: &Origin, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            origin: origin.clone(),
            notes: Vec::new(),
            help: None,
        }
    }
    pub fn warning(code: Code, origin: &Origin, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, origin, message)
        }
    }
    /// A fault of the compiler itself: exit code 70.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::error(Code::Internal, &Origin::Compiler, message)
            .help("this is a bug in s2c; please report it with the input that shows it")
    }
    /// Adds a line of arithmetic or detail.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
    /// Says what the user can do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{word}[{}]: {}", self.code.id(), self.message)?;
        write!(f, "\n  at {}", self.origin)?;
        for note in &self.notes {
            write!(f, "\n  note: {note}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}

/// The result of a stage that stops at its first set of errors.
pub type Result<T> = std::result::Result<T, Diagnostics>;

/// One or more diagnostics, at least one of them an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl From<Diagnostic> for Diagnostics {
    fn from(d: Diagnostic) -> Self {
        Self(vec![d])
    }
}
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, d) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{d}")?;
        }
        Ok(())
    }
}
impl std::error::Error for Diagnostics {}
