//! `s2c run --trace`: what PEs do, written while the samples run one by one.

use crate::cli::TraceArgs;
use crate::options::{escape, usage};
use crate::textio::Replacement;
use ir::diag::Result;
use ir::geometry::GlobalPe;
use ir::{Code, Diagnostic, Origin, Target};
use runtime_sim::report::BatchResult;
use runtime_sim::trace::{Format, Request, Writer};
use runtime_sim::{Machine, SampleRun};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What of whom, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    kind: Kind,
    /// A population or a PE; all PEs without one.
    whom: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Instructions,
    Packets,
    Spikes,
}

impl Kind {
    const ALL: [(&'static str, Self); 3] = [
        ("instructions", Self::Instructions),
        ("packets", Self::Packets),
        ("spikes", Self::Spikes),
    ];
}

/// A trace that was asked for.
#[derive(Clone, Debug)]
pub struct Tracing {
    wishes: Vec<Wish>,
    path: PathBuf,
    format: Format,
    limit: u64,
}

/// What a traced batch gives.
#[derive(Debug)]
pub struct Traced {
    pub batch: BatchResult,
    /// A warning if the trace is not complete.
    pub notices: Vec<Diagnostic>,
}

fn wrong(message: String) -> Diagnostic {
    usage("--trace", message)
}

fn wish(text: &str) -> Result<Wish> {
    let (kind, whom) = match text.split_once(':') {
        Some((kind, whom)) => (kind, Some(whom)),
        None => (text, None),
    };
    let known = Kind::ALL.iter().find(|(name, _)| *name == kind);
    let Some((_, kind)) = known else {
        let names = Kind::ALL.map(|(name, _)| name).join(", ");
        return Err(
            wrong(format!("there is no kind of trace '{}'", escape(kind)))
                .note(format!("kinds: {names}"))
                .into(),
        );
    };
    Ok(Wish {
        kind: *kind,
        whom: whom.map(str::to_owned),
    })
}

/// What `args` ask for; `None` without `--trace`.
pub fn asked_for(args: &TraceArgs) -> Result<Option<Tracing>> {
    let Some(path) = args.trace_out.clone().filter(|_| !args.trace.is_empty()) else {
        return Ok(None);
    };
    let format = match path.extension().and_then(|e| e.to_str()) {
        Some("txt") => Format::Text,
        Some("json") => Format::Chrome,
        _ => {
            let name = escape(&path.display().to_string());
            let message = format!("the form of a trace in '{name}' is not known");
            return Err(usage("--trace-out", message)
                .help("end the name in .txt or .json")
                .into());
        }
    };
    let wishes = args.trace.iter().map(|t| wish(t)).collect::<Result<_>>()?;
    Ok(Some(Tracing {
        wishes,
        path,
        format,
        limit: args.trace_limit,
    }))
}

/// The PEs that a name stands for.
fn named(machine: &Machine, name: &str) -> Result<BTreeSet<GlobalPe>> {
    let program = machine.program();
    let of_population = program.populations.iter().filter(|p| p.name == name);
    let slices = of_population.flat_map(|p| &p.slices);
    let mut found: BTreeSet<GlobalPe> = slices
        .map(|s| GlobalPe {
            chip: s.chip,
            pe: s.pe,
        })
        .collect();
    // `pe(x,y,p)` on every chip, or with its chip in front.
    found.extend(
        machine
            .pes()
            .filter(|pe| pe.pe.to_string() == name || pe.to_string() == name),
    );
    if !found.is_empty() {
        return Ok(found);
    }
    let populations: Vec<String> = program
        .populations
        .iter()
        .map(|p| escape(&p.name))
        .collect();
    let all: Vec<String> = machine.pes().map(|pe| pe.to_string()).collect();
    let shown = all.len().min(16);
    let more = match all.len() - shown {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Err(wrong(format!(
        "there is no population or PE '{}' to trace",
        escape(name)
    ))
    .note(format!("populations: {}", populations.join(", ")))
    .note(format!(
        "PEs with a program: {}{more}",
        all[..shown].join(", ")
    ))
    .into())
}

impl Tracing {
    fn request(&self, machine: &Machine) -> Result<Request> {
        let mut request = Request {
            events: self.limit,
            ..Request::default()
        };
        for wish in &self.wishes {
            let pes = match &wish.whom {
                Some(name) => named(machine, name)?,
                None => machine.pes().collect(),
            };
            let list = match wish.kind {
                Kind::Instructions => &mut request.instructions,
                Kind::Packets => &mut request.packets,
                Kind::Spikes => &mut request.spikes,
            };
            list.extend(pes);
        }
        Ok(request)
    }

    /// Runs `samples` in order on one machine and writes their trace. If a sample
    /// fails, the trace up to there is written before the error is returned.
    pub fn run(&self, machine: &Machine, samples: &[SampleRun], target: &Target) -> Result<Traced> {
        let mut machine = machine.clone();
        machine.trace(&self.request(&machine)?);
        let file = Replacement::new(&self.path)?;
        let failed = |e: io::Error| unwritten(&self.path, &e);
        let hz = target.clock.pe_high_hz;
        let mut writer = Writer::new(&machine, hz, self.format, file).map_err(failed)?;
        let mut batch = BatchResult::default();
        let mut error = None;
        for (index, sample) in samples.iter().enumerate() {
            let begin = Instant::now();
            let result = machine.run_sample(sample);
            batch.host.push(begin.elapsed());
            let events = machine.take_trace();
            writer.sample(index, &events).map_err(failed)?;
            match result {
                Ok(result) => batch.samples.push(result),
                Err(found) => {
                    error = Some(found);
                    break;
                }
            }
        }
        let lost = machine.trace_lost();
        writer.finish(lost).map_err(failed)?.keep()?;
        if let Some(mut error) = error {
            for d in &mut error.0 {
                let note = format!("the trace up to here is in {}", self.path.display());
                *d = d.clone().note(note);
            }
            return Err(error);
        }
        Ok(Traced {
            batch,
            notices: self.notice(lost).into_iter().collect(),
        })
    }

    fn notice(&self, lost: u64) -> Option<Diagnostic> {
        if lost == 0 {
            return None;
        }
        let origin = Origin::Option {
            flag: "--trace".to_owned(),
        };
        let message = format!("the trace is not complete: {lost} events were left out");
        Some(
            Diagnostic::warning(Code::TraceLimit, &origin, message)
                .note(format!(
                    "{} events at most, shared evenly between the PEs",
                    self.limit
                ))
                .help("trace fewer PEs, or raise --trace-limit"),
        )
    }
}

fn unwritten(path: &Path, e: &io::Error) -> Diagnostic {
    let file = path.display().to_string();
    let message = format!("the trace cannot be written: {e}");
    Diagnostic::error(Code::FileAccess, &Origin::File { file }, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_a_kind_and_perhaps_a_name() {
        let w = wish("instructions:a:b").expect("a kind and a name");
        assert_eq!(
            (w.kind, w.whom.as_deref()),
            (Kind::Instructions, Some("a:b"))
        );
        let w = wish("spikes").expect("a kind");
        assert_eq!((w.kind, w.whom), (Kind::Spikes, None));
        let e = wish("spike:x").expect_err("no such kind");
        assert_eq!(e.0[0].code, Code::Usage);
        assert!(e.0[0].notes[0].contains("instructions, packets, spikes"));
    }
}
