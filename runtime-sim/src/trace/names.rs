//! What events are called: PEs, populations, symbols, times.

use super::Executed;
use crate::cpu::{Decoded, decode, is_wide};
use crate::inputs::Atoms;
use crate::machine::Machine;
use crate::pe::Fixed;
use ir::origin::escape;
use std::sync::Arc;

/// The keys of one slice.
#[derive(Debug)]
struct Range {
    key: u32,
    n: u32,
    lo: u32,
    population: String,
    atoms: Atoms,
}

/// Everything that names need, taken from a machine.
#[derive(Debug)]
pub(super) struct Names {
    pes: Vec<Arc<Fixed>>,
    /// By first key; slices have keys of their own.
    ranges: Vec<Range>,
    hz: u64,
}

impl Names {
    pub(super) fn new(machine: &Machine, hz: u64) -> Self {
        let populations = &machine.program().populations;
        let mut ranges: Vec<Range> = populations
            .iter()
            .flat_map(|p| p.slices.iter().map(move |s| (p, s)))
            .map(|(p, s)| Range {
                key: s.key.key(),
                n: s.n,
                lo: s.lo,
                population: escape(&p.name),
                atoms: Atoms::of(p),
            })
            .collect();
        ranges.sort_by_key(|r| r.key);
        Self {
            pes: machine.fixed().cloned().collect(),
            ranges,
            hz: hz.max(1),
        }
    }

    /// The coordinates of a PE.
    pub(super) fn place(&self, pe: usize) -> String {
        let place = self.pes.get(pe).map(|f| f.place);
        match place {
            Some(place) if place.chip == Default::default() => place.pe.to_string(),
            Some(place) => place.to_string(),
            None => format!("PE {pe}"),
        }
    }

    /// The populations and coordinates of a PE.
    pub(super) fn whole(&self, pe: usize) -> &str {
        self.pes.get(pe).map_or("", |f| &f.name)
    }

    /// Population and atom that a key stands for.
    pub(super) fn atom(&self, key: u32) -> Option<(&str, u32)> {
        let end = self.ranges.partition_point(|r| r.key <= key);
        let range = self.ranges.get(end.checked_sub(1)?)?;
        let position = key - range.key;
        (position < range.n).then(|| {
            (
                range.population.as_str(),
                range.atoms.at(range.lo + position),
            )
        })
    }

    /// The function and offset of `pc`.
    pub(super) fn function(&self, pe: usize, pc: u32) -> String {
        let symbol = self.pes.get(pe).and_then(|f| f.symbols.function(pc));
        symbol.unwrap_or_default()
    }

    /// The name of an exception.
    pub(super) fn exception(&self, pe: usize, number: u16) -> String {
        let line = number.checked_sub(crate::cpu::IRQ0);
        let known = self.pes.get(pe).zip(line);
        match known {
            Some((f, line)) if line == u16::from(f.timer_line) => "timer interrupt".to_owned(),
            Some((f, line)) if line == u16::from(f.start_line) => "start interrupt".to_owned(),
            Some((_, line)) => format!("interrupt {line}"),
            None => format!("exception {number}"),
        }
    }

    /// Microseconds, with enough digits to tell cycles apart.
    pub(super) fn microseconds(&self, time: u64) -> String {
        let tenths_of_ns = u128::from(time) * 10_000_000_000 / u128::from(self.hz);
        format!("{}.{:04}", tenths_of_ns / 10_000, tenths_of_ns % 10_000)
    }
}

/// The instruction as text.
pub(super) fn disassembly(executed: &Executed) -> String {
    let [hw1, hw2] = executed.opcode;
    match decode(hw1, hw2, executed.in_it) {
        Decoded::Op(op) => op.to_string(),
        // It was overwritten by what it stored.
        _ => "?".to_owned(),
    }
}

/// Its halfwords.
pub(super) fn opcode(executed: &Executed) -> String {
    let [hw1, hw2] = executed.opcode;
    if is_wide(hw1) {
        format!("{hw1:04x} {hw2:04x}")
    } else {
        format!("{hw1:04x}     ")
    }
}

/// The changed registers.
pub(super) fn changes(executed: &Executed) -> String {
    let texts: Vec<String> = executed
        .changes
        .iter()
        .map(|(r, value)| format!("{r}={value:08x}"))
        .collect();
    texts.join(" ")
}
