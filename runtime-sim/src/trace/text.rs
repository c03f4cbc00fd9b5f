//! One line an event.

use super::names::{Names, changes, disassembly, opcode};
use super::{Event, What};
use std::io::{self, Write};

pub(super) fn begin(out: &mut dyn Write, hz: u64) -> io::Result<()> {
    writeln!(out, "# s2c trace 1; times in units of 1/{hz} s")
}

pub(super) fn sample(
    out: &mut dyn Write,
    names: &Names,
    sample: usize,
    events: &[Event],
) -> io::Result<()> {
    writeln!(out, "# sample {sample}: {} events", events.len())?;
    for event in events {
        let place = names.place(event.pe);
        write!(out, "{:>12} {place:<10} ", event.time)?;
        what(out, names, event)?;
    }
    Ok(())
}

fn carried(payload: Option<u32>) -> String {
    payload.map_or(String::new(), |p| format!(" payload {p:08x}"))
}

fn what(out: &mut dyn Write, names: &Names, event: &Event) -> io::Result<()> {
    let of_atom = |key| match names.atom(key) {
        Some((population, atom)) => format!(" '{population}' atom {atom}"),
        None => String::new(),
    };
    match &event.what {
        What::WorkBegins { tick } => writeln!(out, "tick {tick} begins"),
        What::WorkEnds { cycles } => writeln!(out, "sleeps after {cycles} cycles"),
        What::Exception { number } => {
            writeln!(out, "takes {}", names.exception(event.pe, *number))
        }
        What::Executed(e) => {
            let symbol = names.function(event.pe, e.pc);
            let (op, text, changed) = (opcode(e), disassembly(e), changes(e));
            let line = format!("{:08x} {symbol:<24} {op} {text:<34} {changed}", e.pc);
            writeln!(out, "{}", line.trim_end())
        }
        What::Sent { key, payload, tick } => {
            let tick = tick.map_or(String::new(), |t| format!(" tick {t}"));
            let (carried, atom) = (carried(*payload), of_atom(*key));
            writeln!(out, "sends key {key:08x}{carried}{atom}{tick}")
        }
        What::Received {
            key,
            payload,
            source,
        } => {
            let (carried, atom) = (carried(*payload), of_atom(*key));
            let source = names.place(*source as usize);
            writeln!(out, "receives key {key:08x}{carried}{atom} from {source}")
        }
    }
}

pub(super) fn end(out: &mut dyn Write, lost: u64) -> io::Result<()> {
    if lost > 0 {
        writeln!(out, "# {lost} events beyond the limit are not shown")?;
    }
    Ok(())
}
