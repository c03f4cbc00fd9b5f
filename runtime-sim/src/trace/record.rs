//! The side of a PE: steps through instructions and keeps events.

use super::{Event, Executed, Register, What};
use crate::cpu::{Core, Exit, Memory, Mmio, is_wide};

/// The events of one PE.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    pe: usize,
    pub(crate) instructions: bool,
    /// Packets sent and received.
    pub(crate) packets: bool,
    /// Packets sent.
    pub(crate) sent: bool,
    /// Events for which there is room.
    room: u64,
    events: Vec<Event>,
    lost: u64,
}

/// What of a core is compared around an instruction.
struct Before {
    pc: u32,
    cycle: u64,
    instructions: u64,
    exception: u16,
    in_it: bool,
    registers: [u32; 16],
    singles: [u32; 32],
    apsr: u32,
    fpscr: u32,
}

impl Before {
    fn of(core: &Core) -> Self {
        Self {
            pc: core.pc,
            cycle: core.cycle,
            instructions: core.instructions,
            exception: core.exception(),
            in_it: core.in_it_block(),
            registers: core.regs,
            singles: core.fregs,
            apsr: core.flags.apsr(),
            fpscr: core.fpu.fpscr,
        }
    }

    fn changes(&self, core: &Core) -> Vec<(Register, u32)> {
        let mut changes = Vec::new();
        let both = self.registers.iter().zip(&core.regs).take(15);
        for (n, (old, new)) in (0..).zip(both) {
            if old != new {
                changes.push((Register::Core(n), *new));
            }
        }
        if self.apsr != core.flags.apsr() {
            changes.push((Register::Apsr, core.flags.apsr()));
        }
        for (n, (old, new)) in (0..).zip(self.singles.iter().zip(&core.fregs)) {
            if old != new {
                changes.push((Register::Single(n), *new));
            }
        }
        if self.fpscr != core.fpu.fpscr {
            changes.push((Register::Fpscr, core.fpu.fpscr));
        }
        changes
    }
}

impl Recorder {
    pub(crate) fn new(pe: usize, room: u64) -> Self {
        Self {
            pe,
            instructions: false,
            packets: false,
            sent: false,
            room,
            events: Vec::new(),
            lost: 0,
        }
    }

    /// Keeps an event, or counts it if there is no room.
    pub(crate) fn add(&mut self, time: u64, what: What) {
        match self.room.checked_sub(1) {
            Some(room) => {
                self.room = room;
                let pe = self.pe;
                self.events.push(Event { time, pe, what });
            }
            None => self.lost += 1,
        }
    }

    pub(crate) fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Events for which there was no room.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// As [`Core::run`], with an event for each instruction; `time` converts cycles.
    pub(crate) fn run<M: Mmio + ?Sized>(
        &mut self,
        core: &mut Core,
        memory: &mut Memory,
        mmio: &mut M,
        limit: u64,
        time: impl Fn(&M, u64) -> u64,
    ) -> Exit {
        loop {
            if self.room == 0 {
                // Nothing more can be kept: the rest runs at full speed, and only its
                // instructions are counted.
                let before = core.instructions;
                let exit = core.run(memory, mmio, limit);
                self.lost += core.instructions - before;
                return exit;
            }
            let before = Before::of(core);
            let opcode = [before.pc, before.pc.wrapping_add(2)];
            let opcode = opcode.map(|at| memory.half(at).unwrap_or(0));
            let at = time(mmio, before.cycle);
            let exit = core.run_one(memory, mmio, limit);
            if core.instructions != before.instructions {
                let executed = Executed {
                    pc: before.pc,
                    opcode: if is_wide(opcode[0]) {
                        opcode
                    } else {
                        [opcode[0], 0]
                    },
                    in_it: before.in_it,
                    span: time(mmio, core.cycle) - at,
                    changes: before.changes(core),
                };
                self.add(at, What::Executed(Box::new(executed)));
            } else if core.exception() != before.exception {
                let number = core.exception();
                self.add(at, What::Exception { number });
            }
            if let Some(exit) = exit {
                return exit;
            }
        }
    }
}
