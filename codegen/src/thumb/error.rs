//! Failures of the backend, as values.

use std::fmt;

/// Why a function could not be compiled. It names the function, the instruction
/// (when there is one) and the reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackendError {
    pub function: String,
    pub inst: Option<String>,
    pub reason: String,
}

impl BackendError {
    pub fn new(function: impl Into<String>, reason: impl Into<String>) -> BackendError {
        BackendError {
            function: function.into(),
            inst: None,
            reason: reason.into(),
        }
    }

    pub fn at(
        function: impl Into<String>,
        inst: impl Into<String>,
        reason: impl Into<String>,
    ) -> BackendError {
        BackendError {
            function: function.into(),
            inst: Some(inst.into()),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "function `{}`: {}", self.function, self.reason)?;
        match &self.inst {
            Some(inst) => write!(f, " (at `{inst}`)"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for BackendError {}
