//! The inner loop: blocks where possible, single instructions where not.

use super::block::{Block, End, MAX_STEPS, Start, Step};
use super::code::{Code, Slot};
use super::core::Core;
use super::dbt::Ran;
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
        self.stop = 0;
        // Instructions to execute one by one before blocks are tried again.
        let mut alone = 0;
        loop {
            if self.cycle >= self.stop {
                if let Some(exit) = self.attend(code, memory, mmio, limit) {
                    return exit;
                }
            } else if alone == 0 && self.it == 0 && !self.single_steps {
                match self.run_translated(code, memory, mmio) {
                    Ran::Nothing => alone = self.run_block(code, memory),
                    Ran::On => {}
                    Ran::Out(exit) => return exit,
                }
            } else {
                alone = alone.saturating_sub(1);
                if let Some(exit) = self.step(code, memory, mmio) {
                    return exit;
                }
            }
        }
    }

    /// Executes the block at the program counter, if there is one and it can be run as
    /// a whole. Returns how many instructions must be executed alone before the next
    /// try.
    #[inline(always)]
    fn run_block(&mut self, code: &mut Code, memory: &mut Memory) -> usize {
        let (block, steps) = match code.blocks.at(self.pc) {
            Start::Block(block, steps) => (block, steps),
            Start::None => return 1,
            Start::Hot => {
                self.heat(code, memory);
                return 0;
            }
            Start::Unknown => {
                return usize::from(!self.build_block(code, memory));
            }
        };
        // The block's own cycles count the first instruction without interlocks.
        let cycles = u64::from(block.cycles) - u64::from(block.first_cost);
        if (block.fpu_from as usize) < steps.len() && !self.fpu_ready {
            // The first instruction that needs the FPU makes it ready.
            return block.fpu_from as usize + 1;
        }
        let here = self.pc;
        loop {
            let first = self
                .costs
                .after(self.left & block.first_feels, block.first_cost);
            let start = self.cycle + first;
            if start + cycles >= self.stop {
                return steps.len();
            }
            match self.execute_block(steps, block.end, memory) {
                End::Done(pc, taken) => {
                    self.cycle = start + cycles;
                    if taken {
                        self.cycle += u64::from(self.costs.refill);
                    }
                    self.instructions += steps.len() as u64;
                    self.left = block.leaves;
                    self.pc = pc;
                    // A loop of one block that need not be counted goes on at once.
                    if pc != here || block.cold != 0 || self.cycle >= self.stop {
                        return 0;
                    }
                }
                End::Bail(index) => {
                    let step = &steps[index];
                    let here = step.here;
                    if index != 0 {
                        self.cycle = start + u64::from(step.before) - u64::from(block.first_cost);
                        self.instructions += index as u64;
                        self.left = step.left;
                        self.pc = here;
                    }
                    if code.accesses(here) {
                        code.note_outside(here);
                    }
                    return 1;
                }
            }
        }
    }

    /// The block at the program counter is hot.
    #[inline(never)]
    fn heat(&mut self, code: &mut Code, memory: &mut Memory) {
        let threshold = self.engine.threshold();
        let again = if self.translate(code, memory) {
            // If that was in vain, it may be worth another try much later.
            threshold.max(64).saturating_mul(16)
        } else {
            threshold
        };
        code.blocks.set_cold(self.pc, again);
    }

    /// Collects the hot instructions from the program counter up to a branch. False, and
    /// nothing is kept, if there is no instruction: the address may then be anything.
    #[inline(never)]
    fn build_block(&mut self, code: &mut Code, memory: &mut Memory) -> bool {
        let start = self.pc;
        let mut block = Block::empty(start);
        block.cold = self.engine.threshold();
        let mut steps = Vec::new();
        let mut uses_fpu = false;
        while steps.len() < MAX_STEPS {
            let here = block.end;
            let known = code.at(here).filter(|slot| slot.it == 0).copied();
            let slot = match known {
                Some(slot) => slot,
                None => {
                    let Ok(slot) = self.predecode(memory, here) else {
                        if here == start {
                            return false;
                        }
                        break;
                    };
                    code.insert(here, slot);
                    slot
                }
            };
            let Some(hot) = Hot::new(&slot.op) else {
                break;
            };
            let cycles = if steps.is_empty() {
                block.first_cost = slot.cost;
                block.first_feels = slot.feels;
                u64::from(slot.cost)
            } else {
                self.costs.after(block.leaves & slot.feels, slot.cost)
            };
            steps.push(Step {
                hot,
                here,
                before: block.cycles,
                left: block.leaves,
            });
            block.cycles += cycles as u32;
            block.leaves = slot.leaves;
            block.end = here.wrapping_add(u32::from(slot.size));
            if !uses_fpu {
                uses_fpu = slot.op.is_fpu();
                block.fpu_from = steps.len() as u32 - u32::from(uses_fpu);
            }
            if hot.branches() {
                break;
            }
        }
        code.blocks.insert(start, &steps, block);
        true
    }

    /// Executes one instruction, whatever it is.
    #[inline(never)]
    pub(super) fn step<M: Mmio + ?Sized>(
        &mut self,
        code: &mut Code,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Option<Exit> {
        let here = self.pc;
        let slot: Slot = match code.at(here) {
            Some(slot) if slot.it == self.it => *slot,
            _ => match self.predecode(memory, here) {
                Ok(slot) => {
                    code.insert(here, slot);
                    slot
                }
                Err(exit) => return Some(exit),
            },
        };
        self.execute_slot(&slot, memory, mmio)
    }

    /// Executes the decoded instruction at the program counter.
    #[inline(always)]
    pub(super) fn execute_slot<M: Mmio + ?Sized>(
        &mut self,
        slot: &Slot,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Option<Exit> {
        let here = self.pc;
        let (now, left) = (self.cycle, self.left);
        self.pc = here.wrapping_add(u32::from(slot.size));
        if slot.it != 0 && !self.enter_it(slot) {
            self.left = 0;
            return None;
        }
        self.cycle += self.costs.after(self.left & slot.feels, slot.cost);
        self.instructions += 1;
        self.left = slot.leaves;
        match self.execute(&slot.op, here, memory, mmio) {
            Ok(()) => None,
            Err(Trap::Fault(kind, address)) => {
                // As if the instruction had not begun.
                self.cycle = now;
                self.left = left;
                self.instructions -= 1;
                self.it = slot.it;
                self.pc = here;
                Some(Exit::Fault(self.fault(kind, here, address, memory)))
            }
            Err(trap) => {
                self.left = 0;
                self.leave(trap)
            }
        }
    }
}
