//! Puts diagnostics on stderr and results on stdout, without ever panicking
//! on a pipe that nobody reads.

use crate::cli::{ColorChoice, Common, MessageFormat};
use ir::diag::Result;
use ir::{Code, Diagnostic, Severity};
use miette::{GraphicalReportHandler, GraphicalTheme};
use serde::Serialize;
use std::fmt;
use std::io::{self, IsTerminal, Write};

/// How messages are shown.
#[derive(Clone, Copy, Debug)]
pub struct Renderer {
    format: MessageFormat,
    /// Boxes and colour; plain text otherwise.
    fancy: bool,
    colour: bool,
    quiet: bool,
    terminal: bool,
}

impl Renderer {
    pub fn new(common: &Common) -> Self {
        let terminal = io::stderr().is_terminal();
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let colour = match common.color {
            ColorChoice::Auto => terminal && wanted,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        };
        Self {
            format: common.message_format,
            fancy: terminal || common.color == ColorChoice::Always,
            colour,
            quiet: common.quiet,
            terminal,
        }
    }

    /// Whether stdout should carry JSON summaries.
    pub fn json(&self) -> bool {
        self.format == MessageFormat::Json
    }
    pub fn quiet(&self) -> bool {
        self.quiet
    }
    /// Whether a progress bar makes sense.
    pub fn progress(&self) -> bool {
        self.terminal && !self.quiet && self.format == MessageFormat::Human
    }

    /// Shows diagnostics; warnings only unless `--quiet`.
    pub fn show<'a>(&self, diagnostics: impl IntoIterator<Item = &'a Diagnostic>) {
        let mut err = io::stderr().lock();
        for d in diagnostics {
            if self.quiet && !d.is_error() {
                continue;
            }
            // A closed stderr leaves nobody to tell.
            let _ = writeln!(err, "{}", self.text(d));
        }
    }

    /// A line for people that is no diagnostic; dropped by `--quiet`.
    pub fn remark(&self, line: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{line}");
        }
    }

    fn text(&self, d: &Diagnostic) -> String {
        match self.format {
            MessageFormat::Json => json_line(d),
            MessageFormat::Human if self.fancy => fancy(d, self.colour),
            MessageFormat::Human => safe(&d.to_string()),
        }
    }
}

/// The versioned machine form of a diagnostic.
pub fn json_line(d: &Diagnostic) -> String {
    let severity = match d.severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let line = JsonDiagnostic {
        v: 1,
        code: d.code.id(),
        severity,
        message: &d.message,
        origin: d.origin.to_string(),
        notes: &d.notes,
        help: d.help.as_deref(),
    };
    // Text and numbers always have a JSON form.
    serde_json::to_string(&line).unwrap_or_default()
}

/// Fields in the order in which they are promised.
#[derive(Serialize)]
struct JsonDiagnostic<'a> {
    v: u32,
    code: &'a str,
    severity: &'a str,
    message: &'a str,
    origin: String,
    notes: &'a [String],
    help: Option<&'a str>,
}

/// Keeps line breaks, escapes every other control character.
fn safe(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(ir::origin::escape).collect();
    lines.join("\n")
}

fn fancy(d: &Diagnostic, colour: bool) -> String {
    let theme = if colour {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(100)
        .with_links(false);
    let mut out = String::new();
    match handler.render_report(&mut out, &Shown(d)) {
        Ok(()) => out.trim_end().to_owned() + "\n",
        Err(_) => safe(&d.to_string()),
    }
}

/// A diagnostic as miette wants it: origin and notes belong to the message, so
/// that they stand between it and the help line.
#[derive(Debug)]
struct Shown<'a>(&'a Diagnostic);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let d = self.0;
        write!(f, "{}", safe(&d.message))?;
        write!(f, "\nat {}", safe(&d.origin.to_string()))?;
        for note in &d.notes {
            write!(f, "\nnote: {}", safe(note))?;
        }
        Ok(())
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.0.code.id()))
    }
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.0.severity {
            Severity::Warning => miette::Severity::Warning,
            Severity::Error => miette::Severity::Error,
        })
    }
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.0.help.as_ref()?;
        Some(Box::new(safe(help)))
    }
}

/// The exit code that these diagnostics demand: the gravest one.
pub fn exit_code<'a>(diagnostics: impl IntoIterator<Item = &'a Diagnostic>) -> u8 {
    let code = |d: &Diagnostic| match d.code {
        _ if !d.is_error() => 0,
        Code::Internal => 70,
        Code::Usage
        | Code::FileAccess
        | Code::PassUnknown
        | Code::OutputExists
        | Code::RecordUnknown
        | Code::NothingCompared => 2,
        _ => 1,
    };
    diagnostics.into_iter().map(code).max().unwrap_or(0)
}

/// Writes results to stdout. A reader that went away is not an error: what it
/// wanted it has; any other failure is.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(e) => Err(Diagnostic::error(
            Code::FileAccess,
            &ir::Origin::File {
                file: "stdout".to_owned(),
            },
            format!("the result cannot be written: {e}"),
        )
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::Origin;

    fn sample() -> Diagnostic {
        let origin = Origin::NirNode {
            file: "digits.nir".to_owned(),
            path: "/node/nodes/fc1".to_owned(),
            kind: "Linear 784 -> 512".to_owned(),
        };
        Diagnostic::error(Code::Shape, &origin, "shapes do not agree")
            .note("784 values produced, 512 accepted")
            .help("check the exporter")
    }

    #[test]
    fn the_json_form_has_the_fixed_fields() {
        let value: serde_json::Value = serde_json::from_str(&json_line(&sample())).expect("JSON");
        assert_eq!(value["v"], 1);
        assert_eq!(value["code"], "E0301");
        assert_eq!(value["severity"], "error");
        assert_eq!(
            value["origin"],
            "digits.nir: /node/nodes/fc1 (Linear 784 -> 512)"
        );
        assert_eq!(value["notes"][0], "784 values produced, 512 accepted");
        assert_eq!(value["help"], "check the exporter");
    }

    #[test]
    fn the_boxed_form_shows_every_part() {
        let text = fancy(&sample(), false);
        for part in [
            "E0301",
            "shapes do not agree",
            "at digits.nir",
            "784 values",
            "help: check",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let d = Diagnostic::error(Code::Usage, &Origin::Compiler, "a\u{1b}[2Jb");
        assert!(!fancy(&d, false).contains('\u{1b}'));
        assert!(!safe(&d.to_string()).contains('\u{1b}'));
    }

    #[test]
    fn the_gravest_diagnostic_decides() {
        let usage = Diagnostic::error(Code::Usage, &Origin::Compiler, "x");
        let warning = Diagnostic::warning(Code::TooSlow, &Origin::Compiler, "x");
        assert_eq!(exit_code([]), 0);
        assert_eq!(exit_code([&warning]), 0);
        assert_eq!(exit_code([&sample(), &warning]), 1);
        assert_eq!(exit_code([&sample(), &usage]), 2);
        assert_eq!(exit_code([&Diagnostic::internal("x"), &usage]), 70);
    }
}
