//! What is known of a program that faulted, stopped, or did not end its work.

use super::{FUEL_TICKS, Pe};
use crate::backtrace::{Caller, backtrace};
use crate::cpu::{Fault, IRQ0};
use crate::mmio::comms::Packet;
use ir::Origin;
use ir::code::Code;
use ir::diag::{Diagnostic, Diagnostics};

/// Packets that are named one by one.
const LAST_PACKETS: usize = 4;

impl Pe {
    fn place_of(&self, pc: u32) -> String {
        match self.fixed.symbols.function(pc) {
            Some(symbol) => format!("{pc:#010x} ({symbol})"),
            None => format!("{pc:#010x}"),
        }
    }

    pub(super) fn faulted(&self, fault: &Fault) -> Diagnostics {
        let message = format!("the program of {} faulted: {}", self.fixed.name, fault.kind);
        let mut d = Diagnostic::error(Code::GuestFault, &Origin::Compiler, message).note(format!(
            "pc {}, opcode {:04x} {:04x}, cycle {}",
            self.place_of(fault.pc),
            fault.opcode[0],
            fault.opcode[1],
            fault.cycle
        ));
        if let Some(address) = fault.address {
            let object = self.fixed.symbols.object(address);
            let object = object.map_or(String::new(), |o| format!(" ({o})"));
            d = d.note(format!("address {address:#010x}{object}"));
        }
        if let Some(needs) = self.bus.outside.port.undeclared() {
            return self
                .circumstances(d)
                .note(format!(
                    "it reaches beyond its own PE, which needs coupling '{}'; the program declares '{}'",
                    needs.name(),
                    self.bus.outside.port.coupling().name()
                ))
                .help("declare it where the program is made (`Program::coupling`)")
                .into();
        }
        self.circumstances(d).help(self.advice()).into()
    }

    pub(super) fn stopped(&self, why: &str) -> Diagnostics {
        let message = format!("the program of {} stopped: {why}", self.fixed.name);
        let d = Diagnostic::error(Code::GuestFault, &Origin::Compiler, message).note(format!(
            "pc {}, cycle {}",
            self.place_of(self.core.pc),
            self.core.cycle
        ));
        self.circumstances(d).into()
    }

    pub(super) fn out_of_fuel(&self) -> Diagnostics {
        let message = format!("the program of {} did not finish its work", self.fixed.name);
        let d = Diagnostic::error(Code::FuelExhausted, &Origin::Compiler, message).note(format!(
            "it was awake for {FUEL_TICKS} ticks x {} cycles = {} cycles; pc {}, cycle {}",
            self.fixed.period / self.bus.clock.span(1),
            FUEL_TICKS.saturating_mul(self.fixed.period) / self.bus.clock.span(1),
            self.place_of(self.core.pc),
            self.core.cycle
        ));
        self.circumstances(d).into()
    }

    /// Tick, callers, registers, packets.
    fn circumstances(&self, d: Diagnostic) -> Diagnostic {
        let d = self.suffered(d);
        let d = match self.tick() {
            Some(tick) => d.note(format!("in tick {tick}")),
            None => d.note("before the first tick"),
        };
        let d = d.note(self.callers());
        let d = d.note(self.registers());
        match self.last_packets() {
            Some(note) => d.note(note),
            None => d,
        }
    }

    fn callers(&self) -> String {
        let (core, symbols) = (&self.core, &self.fixed.symbols);
        let mut text = format!("back-trace: {}", self.place_of(core.pc));
        for caller in backtrace(core, &self.memory, symbols) {
            let (how, at) = match caller {
                Caller::Certain(pc) => ("called from", pc),
                Caller::Perhaps(pc) => ("perhaps called from", pc),
                Caller::Interrupted(pc) => ("interrupted", pc),
            };
            text += &format!("; {how} {}", self.place_of(at));
        }
        match core.exception() {
            0 => text,
            n => match n.checked_sub(IRQ0) {
                Some(line) => text + &format!("; in the handler of interrupt {line}"),
                None => text + &format!("; in the handler of exception {n}"),
            },
        }
    }

    /// R0 to LR; those that point to an object say so.
    fn registers(&self) -> String {
        let names = (0..13)
            .map(|n| format!("r{n}"))
            .chain(["sp".to_owned(), "lr".to_owned()]);
        let texts: Vec<String> = names
            .zip(self.core.regs)
            .map(|(name, value)| match self.fixed.symbols.object(value) {
                // Small numbers are numbers: objects begin behind the vectors.
                Some(object) if value != 0 => format!("{name} {value:#x} ({object})"),
                _ => format!("{name} {value:#x}"),
            })
            .collect();
        texts.join(", ")
    }

    /// Packets that the program has sent since the machine last fetched them, and
    /// what its ring received.
    fn last_packets(&self) -> Option<String> {
        let sent: Vec<&Packet> = self.sent.iter().map(|(p, _)| p).collect();
        let ring = self.bus.comms.counts();
        if sent.is_empty() && ring.received == 0 && ring.dropped == 0 {
            return None;
        }
        let mut text = format!(
            "{} packets received, {} dropped",
            ring.received, ring.dropped
        );
        let first = sent.len().saturating_sub(LAST_PACKETS);
        if let Some(last) = sent.get(first..).filter(|last| !last.is_empty()) {
            let keys: Vec<String> = last.iter().map(|p| format!("{:#010x}", p.key)).collect();
            text += &format!("; the last of {} sent: {}", sent.len(), keys.join(", "));
        }
        Some(text)
    }
}
