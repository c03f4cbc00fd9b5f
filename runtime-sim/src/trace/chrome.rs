//! The trace event format of Chrome, which Perfetto reads: a process for each sample,
//! a thread for each PE; work and instructions have a duration, packets are instants.

use super::names::{Names, changes, disassembly};
use super::{Event, What};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

pub(super) fn begin(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")
}

pub(super) fn end(out: &mut dyn Write, lost: u64) -> io::Result<()> {
    writeln!(
        out,
        "\n],\"otherData\":{{\"events_beyond_the_limit\":{lost}}}}}"
    )
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

struct Line<'a> {
    name: &'a str,
    pe: usize,
    time: u64,
    /// Machine time that it takes; none for an instant.
    span: Option<u64>,
    args: &'a [(&'a str, String)],
}

/// The events of a sample, without separators.
pub(super) fn lines(names: &Names, sample: usize, events: &[Event]) -> Vec<String> {
    let mut lines = Vec::with_capacity(events.len() + 8);
    let name = quoted(&format!("sample {sample}"));
    lines.push(format!(
        "{{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":{sample},\"args\":{{\"name\":{name}}}}}"
    ));
    let pes: BTreeSet<usize> = events.iter().map(|e| e.pe).collect();
    for pe in pes {
        let name = quoted(&names.place(pe));
        let whole = quoted(names.whole(pe));
        lines.push(format!(
            "{{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":{sample},\"tid\":{pe},\
             \"args\":{{\"name\":{name},\"program\":{whole}}}}}"
        ));
    }
    let print = |line: Line<'_>| {
        let kind = match line.span {
            Some(span) => format!("\"ph\":\"X\",\"dur\":{}", names.microseconds(span)),
            None => "\"ph\":\"i\",\"s\":\"t\"".to_owned(),
        };
        let args: Vec<String> = line
            .args
            .iter()
            .map(|(key, value)| format!("{}:{}", quoted(key), quoted(value)))
            .collect();
        format!(
            "{{{kind},\"name\":{},\"pid\":{sample},\"tid\":{},\"ts\":{},\"args\":{{{}}}}}",
            quoted(line.name),
            line.pe,
            names.microseconds(line.time),
            args.join(",")
        )
    };
    // Work is one event from its beginning to its end.
    let mut work: BTreeMap<usize, (u64, u32)> = BTreeMap::new();
    for event in events {
        let (pe, time) = (event.pe, event.time);
        let instant = |name: &str, args: &[(&str, String)]| {
            print(Line {
                name,
                pe,
                time,
                span: None,
                args,
            })
        };
        match &event.what {
            What::WorkBegins { tick } => {
                work.insert(pe, (time, *tick));
            }
            What::WorkEnds { cycles } => {
                if let Some((since, tick)) = work.remove(&pe) {
                    lines.push(print(Line {
                        name: &format!("tick {tick}"),
                        pe,
                        time: since,
                        span: Some(time - since),
                        args: &[("cycles", cycles.to_string())],
                    }));
                }
            }
            What::Exception { number } => {
                lines.push(instant(&names.exception(pe, *number), &[]));
            }
            What::Executed(e) => {
                let args = [
                    ("pc", format!("{:#010x}", e.pc)),
                    ("symbol", names.function(pe, e.pc)),
                    ("changes", changes(e)),
                ];
                lines.push(print(Line {
                    name: &disassembly(e),
                    pe,
                    time,
                    span: Some(e.span),
                    args: &args,
                }));
            }
            What::Sent { key, payload, tick } => {
                let mut args = packet(names, *key, *payload);
                args.extend(tick.map(|t| ("tick", t.to_string())));
                lines.push(instant("send", &args));
            }
            What::Received {
                key,
                payload,
                source,
            } => {
                let mut args = packet(names, *key, *payload);
                args.push(("from", names.place(*source as usize)));
                lines.push(instant("receive", &args));
            }
        }
    }
    // What a fault or the limit cut off.
    for (pe, (time, tick)) in work {
        lines.push(print(Line {
            name: &format!("tick {tick} (unfinished)"),
            pe,
            time,
            span: None,
            args: &[],
        }));
    }
    lines
}

fn packet(names: &Names, key: u32, payload: Option<u32>) -> Vec<(&'static str, String)> {
    let mut args = vec![("key", format!("{key:#010x}"))];
    args.extend(payload.map(|p| ("payload", format!("{p:#x}"))));
    if let Some((population, atom)) = names.atom(key) {
        args.push(("population", population.to_owned()));
        args.push(("atom", atom.to_string()));
    }
    args
}
