//! The program around the commands: parsing, panics, exit codes.

use crate::cli::{Cli, Command};
use crate::emit;
use crate::options::{self, usage};
use crate::render::{Renderer, exit_code, json_line, print};
use crate::{check, compile, explain, golden, inspect, opt, run};
use clap::{CommandFactory, Parser};
use ir::diag::Result;
use ir::{Code, Diagnostic};
use std::ffi::OsString;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// The exit code of faults in s2c itself.
const INTERNAL: u8 = 70;

/// Runs the command line and gives the exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let line = command_line(&args);
    let shown = line.clone();
    std::panic::set_hook(Box::new(move |info| report_panic(info, &shown)));
    let code = catch_unwind(AssertUnwindSafe(|| parsed(&args, &line))).unwrap_or(INTERNAL);
    ExitCode::from(code)
}

fn parsed(args: &[OsString], line: &str) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(e) if e.use_stderr() && wants_json(args) => {
            let text = e.render().to_string();
            let first = text.lines().next().unwrap_or_default();
            let message = first.strip_prefix("error: ").unwrap_or(first);
            let d = usage("command line", message).help("see s2c --help");
            let _ = writeln!(std::io::stderr().lock(), "{}", json_line(&d));
            return 2;
        }
        Err(e) => {
            // A closed stream leaves nobody to tell.
            let _ = e.print();
            return u8::try_from(e.exit_code()).unwrap_or(2);
        }
    };
    let show = Renderer::new(&cli.common);
    if let Some(threads) = cli.common.threads {
        // Fails only if a pool exists already, which then does the work.
        let _ = rayon::ThreadPoolBuilder::new()
            .num_threads(usize::from(threads))
            .build_global();
    }
    match dispatch(&cli, &show) {
        Ok(()) => 0,
        Err(mut errors) => {
            if let Some(hint) = reproducer(line) {
                for d in errors.0.iter_mut().filter(|d| d.code == Code::Internal) {
                    d.notes.push(hint.clone());
                }
            }
            show.show(&errors.0);
            // A list without errors would be a success that nobody claimed.
            match exit_code(&errors.0) {
                0 => INTERNAL,
                code => code,
            }
        }
    }
}

fn dispatch(cli: &Cli, show: &Renderer) -> Result<()> {
    let common = &cli.common;
    let runs_passes = matches!(
        cli.command,
        Command::Compile(_) | Command::Check(_) | Command::Opt(_)
    );
    if !runs_passes {
        show.show(&options::without_passes(common, cli.command.name()));
    }
    match &cli.command {
        Command::Compile(args) => compile::compile(args, common, show),
        Command::Run(args) => run::run(args, common, show),
        Command::Check(args) => check::check(args, common, show),
        Command::Golden(args) => golden::golden(args, common, show),
        Command::Opt(args) => opt::opt(args, common, show),
        Command::Inspect(args) => inspect::inspect(args, show),
        Command::Passes => print(&explain::passes()),
        Command::Explain(args) => print(&explain::explain(&args.code)?),
        Command::Completions(args) => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), "s2c", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
    }
}

/// Whether JSON was asked for, as far as an unparsable line tells.
fn wants_json(args: &[OsString]) -> bool {
    let text: Vec<_> = args.iter().map(|a| a.to_string_lossy()).collect();
    let pair = text
        .windows(2)
        .any(|w| w[0] == "--message-format" && w[1] == "json");
    pair || text.iter().any(|a| a == "--message-format=json")
}

/// The arguments as a shell would take them.
fn command_line(args: &[OsString]) -> String {
    let quoted = args.iter().skip(1).map(|a| {
        let text = a.to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+%".contains(c);
        if !text.is_empty() && text.chars().all(plain) {
            text.into_owned()
        } else {
            format!("'{}'", text.replace('\'', "'\\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// How to get the module before the running pass, and to run that pass alone.
fn reproducer(line: &str) -> Option<String> {
    let pass = emit::running_pass()?;
    let all = passes::registry::ALL;
    let at = all.iter().position(|p| p.name() == pass)?;
    let again = format!("s2c opt before-{pass}.s2ir -p {pass} --seed 0");
    if line.starts_with("opt ") {
        return Some(format!(
            "it happened in pass {pass}; to see it again: s2c {line}"
        ));
    }
    Some(match at.checked_sub(1).and_then(|i| all.get(i)) {
        Some(before) => format!(
            "a smaller way to see it: s2c {line} --stop-after {} -o before-{pass}.s2ir && {again}",
            before.name()
        ),
        None => format!("it happened in pass {pass} of: s2c {line}"),
    })
}

fn report_panic(info: &std::panic::PanicHookInfo<'_>, line: &str) {
    let payload = info.payload();
    let what = payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    let place = info
        .location()
        .map_or_else(String::new, |l| format!("{}:{}", l.file(), l.line()));
    let mut d = Diagnostic::internal(what).note(format!("at {place}"));
    d.notes
        .push(reproducer(line).unwrap_or_else(|| format!("in: s2c {line}")));
    // A closed stderr leaves nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{d}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_can_be_pasted() {
        let args = ["s2c", "compile", "my net.nir", "--dt", "1e-3", "it's"].map(OsString::from);
        assert_eq!(
            command_line(&args),
            "compile 'my net.nir' --dt 1e-3 'it'\\''s'"
        );
    }

    #[test]
    fn json_is_recognised_in_lines_that_do_not_parse() {
        let args = ["s2c", "frob", "--message-format", "json"].map(OsString::from);
        assert!(wants_json(&args));
        assert!(!wants_json(&args[..3]));
    }

    #[test]
    fn panics_give_the_internal_exit_code() {
        let caught = catch_unwind(|| panic!("on purpose"))
            .map(|()| 0)
            .unwrap_or(INTERNAL);
        assert_eq!(caught, 70);
    }
}
