//! The inner loop.
//!
//! The program counter and the trace of the last instruction live in local variables;
//! the core's fields are brought up to date wherever code outside this loop looks at
//! them. The loop stays small on purpose: everything rare is a call.

use super::code::Code;
use super::core::Core;
use super::fault::{Exit, Trap};
use super::hot::Hot;
use super::memory::{Memory, Mmio};

impl Core {
    pub(super) fn run_code<M: Mmio + ?Sized>(
        &mut self,
        code: &mut Code,
        memory: &mut Memory,
        mmio: &mut M,
        limit: u64,
    ) -> Exit {
        let mut pc = self.pc;
        let mut left = self.left;
        let mut executed = 0_u64;
        self.stop = 0;
        let exit = loop {
            if self.cycle >= self.stop {
                (self.pc, self.left) = (pc, left);
                let exit = self.attend(code, memory, mmio, limit);
                (pc, left) = (self.pc, self.left);
                if let Some(exit) = exit {
                    break exit;
                }
            }
            let Some(slot) = code.get(pc, self.it) else {
                match self.predecode(memory, pc) {
                    Ok(slot) => code.insert(pc, slot),
                    Err(exit) => break exit,
                }
                continue;
            };
            let cycles = self.costs.after(left & slot.feels, slot.cost);
            left = slot.leaves;
            let here = pc;
            pc = pc.wrapping_add(u32::from(slot.size));
            executed += 1;
            if slot.it != 0 && !self.enter_it(slot) {
                left = 0;
                self.cycle += u64::from(self.costs.skipped);
                continue;
            }
            let result = match slot.hot {
                Hot::Cold(ref op) => {
                    self.pc = pc;
                    let result = self.execute(op, here, memory, mmio);
                    pc = self.pc;
                    result
                }
                ref hot => self.execute_hot(hot, here, &mut pc, memory, mmio),
            };
            let Err(trap) = result else {
                self.cycle += cycles;
                continue;
            };
            if let Trap::Fault(kind, address) = trap {
                executed -= 1;
                self.it = slot.it;
                pc = here;
                break Exit::Fault(self.fault(kind, here, address, memory));
            }
            self.cycle += cycles;
            self.left = 0;
            let exit = self.leave(trap);
            left = self.left;
            if let Some(exit) = exit {
                break exit;
            }
        };
        self.pc = pc;
        self.left = left;
        self.instructions += executed;
        exit
    }
}
