//! The core: its state and the loop that runs it.

use super::code::{Code, Slot};
use super::cycles::Costs;
use super::dbt::{Engine, Link, Queue, Translations};
use super::decode::{Decoded, decode, is_wide};
use super::fault::{Exit, Fault, FaultKind, Trap};
use super::flags::Flags;
use super::float::Fpu;
use super::memory::{Effects, Memory, Mmio, Ports};
use super::nvic::{Nvic, SCR_SEVONPEND};
use super::op::{Cond, Op};

/// Why a core does not execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sleep {
    Awake,
    Interrupt,
    Event,
}

/// One Cortex-M4F.
///
/// A clone is a complete snapshot, provided that the [`Memory`] is cloned with it: the
/// decoded code in the core belongs to the bytes in that memory.
///
/// Translated code reaches what stands first with short offsets, so the order matters.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Core {
    /// R0 to R12, the active SP, LR. Entry 15 is not used; see [`Core::pc`].
    pub regs: [u32; 16],
    /// S0 to S31, as bits.
    pub fregs: [u32; 32],
    /// Address of the next instruction.
    pub pc: u32,
    /// APSR.
    pub flags: Flags,
    /// FPSCR.
    pub fpu: Fpu,
    pub(super) link: Link,
    /// The clock, in core cycles. The scheduler may move it forward while the core
    /// sleeps or between calls of [`Core::run`].
    pub cycle: u64,
    /// Instructions executed, including those whose condition failed.
    pub instructions: u64,

    pub(super) costs: Costs,
    pub(super) nvic: Nvic,
    /// Nothing before the first run; a box, because it is taken out while the core runs.
    pub(super) code: Option<Box<Code>>,
    /// ITSTATE.
    pub(super) it: u8,
    /// What the last instruction left for the timing of the next.
    pub(super) left: u64,
    /// Clock value at which the loop must look at interrupts and the limit.
    pub(super) stop: u64,
    device_stop: bool,
    pub(super) sleep: Sleep,
    pub(super) event: bool,
    /// Exception number, 0 in thread mode.
    pub(super) ipsr: u16,
    pub(super) primask: bool,
    pub(super) faultmask: bool,
    pub(super) basepri: u8,
    /// CONTROL: bit 0 nPRIV, bit 1 SPSEL, bit 2 FPCA.
    pub(super) control: u32,
    /// The stack pointer that is not in `regs`.
    pub(super) other_sp: u32,
    /// The FPU is enabled, its context is marked as in use, and no lazy save is due.
    pub(super) fpu_ready: bool,
    /// Execute no blocks; for tests that compare both ways.
    pub(super) single_steps: bool,
    pub(super) engine: Engine,
    pub(super) translations: Translations,
    pub(super) ports: Option<Ports>,
    pub(super) queue: Queue,
    /// The local monitor of exclusive accesses is open.
    pub(super) exclusive: bool,
    /// Instructions of [`Core::instructions`] that translated code executed.
    pub translated: u64,
    /// Times that translated code was entered.
    pub stays: u64,
}

impl Core {
    /// A core before reset: running it is meaningless until [`Core::reset`].
    pub fn new(costs: Costs) -> Core {
        let nvic = Nvic::new(costs.lazy_fp_context);
        Core {
            regs: [0; 16],
            pc: 0,
            flags: Flags::default(),
            fregs: [0; 32],
            fpu: Fpu::default(),
            cycle: 0,
            instructions: 0,
            costs,
            nvic,
            code: None,
            it: 0,
            left: 0,
            stop: 0,
            device_stop: false,
            sleep: Sleep::Awake,
            event: false,
            ipsr: 0,
            primask: false,
            faultmask: false,
            basepri: 0,
            control: 0,
            other_sp: 0,
            fpu_ready: false,
            single_steps: false,
            engine: Engine::default(),
            translations: Translations::default(),
            link: Link::default(),
            ports: None,
            queue: Queue::default(),
            exclusive: false,
            translated: 0,
            stays: 0,
        }
    }

    /// Resets the core: SP and PC come from the vector table at address 0. The clock and
    /// the instruction counter go on. Fails if the vectors can't be read or the reset
    /// vector is not a Thumb address.
    pub fn reset(&mut self, memory: &Memory) -> Result<(), Fault> {
        let mut fresh = Core::new(self.costs.clone());
        fresh.cycle = self.cycle;
        fresh.instructions = self.instructions;
        fresh.single_steps = self.single_steps;
        fresh.engine = self.engine;
        fresh.ports = self.ports;
        fresh.translations = self.translations.clone();
        fresh.nvic.level = self.nvic.level;
        fresh.nvic.pending = self.nvic.level;
        *self = fresh;
        let vector = |at| {
            let fault = self.fault(FaultKind::Fetch, 0, Some(at), memory);
            memory.word(at).ok_or(fault)
        };
        let (sp, entry) = (vector(0)?, vector(4)?);
        if entry & 1 == 0 {
            return Err(self.fault(FaultKind::NotThumb, entry, Some(4), memory));
        }
        self.regs[13] = sp & !3;
        self.regs[14] = u32::MAX;
        self.pc = entry & !1;
        Ok(())
    }

    /// A copy for [`Core::restore`].
    pub fn without_code(&self) -> Core {
        let mut saved = self.clone();
        saved.code = None;
        saved
    }

    /// Goes back to a saved state of this core, and keeps its decoded code: that
    /// belongs to the bytes of the [`Memory`], which notes its own changes.
    pub fn restore(&mut self, saved: &Core) {
        let code = std::mem::take(&mut self.code);
        let (engine, translations) = (self.engine, self.translations.clone());
        self.clone_from(saved);
        (self.engine, self.translations) = (engine, translations);
        self.code = code;
    }

    /// The costs this core was made with.
    pub fn costs(&self) -> &Costs {
        &self.costs
    }

    /// True while the core waits in WFI or WFE.
    pub fn is_asleep(&self) -> bool {
        self.sleep != Sleep::Awake
    }

    /// Exception number in service, 0 in thread mode.
    pub fn exception(&self) -> u16 {
        self.ipsr
    }

    /// Makes interrupt `line` (0 to 63) pending, as a pulse does.
    pub fn set_irq_pending(&mut self, line: u8) {
        self.apply(Effects {
            raise: 1_u64.checked_shl(line.into()).unwrap_or(0),
            lower: 1_u64.checked_shl(line.into()).unwrap_or(0),
            ..Effects::default()
        });
    }

    /// Sets the level of interrupt `line` (0 to 63). A rising edge makes it pending, and
    /// it becomes pending again when its handler returns while the level is high.
    pub fn set_irq_level(&mut self, line: u8, high: bool) {
        let bit = 1_u64.checked_shl(line.into()).unwrap_or(0);
        self.apply(Effects {
            raise: if high { bit } else { 0 },
            lower: if high { 0 } else { bit },
            ..Effects::default()
        });
    }

    /// Levels of all interrupt lines.
    pub fn irq_level(&self) -> u64 {
        self.nvic.level
    }

    /// Pending interrupts, enabled or not.
    pub fn irq_pending(&self) -> u64 {
        self.nvic.pending
    }

    /// Interrupts that are enabled in the NVIC.
    pub fn irq_enabled(&self) -> u64 {
        self.nvic.enabled
    }

    /// Sets the event register, as SEV of another core does.
    pub fn send_event(&mut self) {
        self.event = true;
    }

    /// True if [`Core::run`] would execute at least one instruction.
    pub fn can_run(&self) -> bool {
        match self.sleep {
            Sleep::Awake => true,
            Sleep::Interrupt => self.wake_pending(false),
            Sleep::Event => self.event || self.wake_pending(true),
        }
    }

    /// Takes over interrupt lines; `raise` before `lower`, so both together are a pulse.
    pub(crate) fn apply(&mut self, effects: Effects) {
        let rising = effects.raise & (!self.nvic.level | effects.lower);
        self.nvic.level |= effects.raise;
        self.nvic.level &= !effects.lower;
        if rising != 0 {
            if self.nvic.scr & SCR_SEVONPEND != 0 && rising & !self.nvic.pending != 0 {
                self.event = true;
            }
            self.nvic.pending |= rising;
            self.attend_soon();
        }
        if effects.stop {
            self.device_stop = true;
            self.attend_soon();
        }
        self.cycle += u64::from(effects.wait);
    }

    /// Something changed that may let an exception in, or code was written: look before
    /// the next instruction.
    pub(super) fn attend_soon(&mut self) {
        self.stop = 0;
    }

    /// Runs until the clock reaches `limit`, the core falls asleep, or something else
    /// ends it. A core that sleeps continues only if something can wake it. The last
    /// instruction may carry the clock past `limit`.
    pub fn run<M: Mmio + ?Sized>(&mut self, memory: &mut Memory, mmio: &mut M, limit: u64) -> Exit {
        if let Some(asleep) = self.wake() {
            return asleep;
        }
        // The decoded code is taken out so that an instruction can be borrowed from it
        // while it changes the core.
        let mut code = self.code.take().unwrap_or_default();
        let exit = self.run_code(&mut code, memory, mmio, limit);
        self.code = Some(code);
        exit
    }

    /// As [`Core::run`], but executes at most one instruction or enters one exception;
    /// `None` if the core can go on. For traces: nothing but the speed is different.
    pub fn run_one<M: Mmio + ?Sized>(
        &mut self,
        memory: &mut Memory,
        mmio: &mut M,
        limit: u64,
    ) -> Option<Exit> {
        if let Some(asleep) = self.wake() {
            return Some(asleep);
        }
        let mut code = self.code.take().unwrap_or_default();
        self.stop = 0;
        let exception = self.ipsr;
        let exit = match self.attend(&mut code, memory, mmio, limit) {
            None if self.ipsr == exception => self.step(&mut code, memory, mmio),
            exit => exit,
        };
        self.code = Some(code);
        exit
    }

    /// Wakes a core that sleeps; why it does not execute, if nothing can wake it.
    fn wake(&mut self) -> Option<Exit> {
        if self.sleep != Sleep::Awake {
            if !self.can_run() {
                return Some(self.asleep());
            }
            if self.sleep == Sleep::Event {
                self.event = false;
            }
            self.sleep = Sleep::Awake;
            self.cycle += u64::from(self.costs.wake);
        }
        None
    }

    /// True if the next instruction stands in an IT block.
    pub fn in_it_block(&self) -> bool {
        self.it != 0
    }

    /// Steps the IT state; false if the instruction is to be skipped, which then is
    /// paid for.
    #[inline(never)]
    pub(super) fn enter_it(&mut self, slot: &Slot) -> bool {
        let state = slot.it;
        self.it = if state & 7 == 0 {
            0
        } else {
            state & 0xe0 | state << 1 & 0x1f
        };
        // BKPT ignores its condition.
        let runs = self.flags.holds(Cond(state >> 4)) || matches!(slot.op, Op::Bkpt { .. });
        if !runs {
            self.cycle += u64::from(self.costs.skipped);
            self.instructions += 1;
        }
        runs
    }

    /// Ends the run for a trap that is no fault; `None` to go on.
    pub(super) fn leave(&mut self, trap: Trap) -> Option<Exit> {
        match trap {
            Trap::Sleep => {
                if self.can_run() {
                    self.sleep = Sleep::Awake;
                    return None;
                }
                Some(self.asleep())
            }
            Trap::Bkpt(imm) => Some(Exit::Bkpt(imm)),
            Trap::Reset => Some(Exit::ResetRequest),
            Trap::Fault(..) => None,
        }
    }

    fn asleep(&self) -> Exit {
        if self.sleep == Sleep::Event {
            Exit::Wfe
        } else {
            Exit::Wfi
        }
    }

    /// Drops changed code, takes a pending exception, or ends the run at the limit.
    #[inline(never)]
    pub(super) fn attend<M: Mmio + ?Sized>(
        &mut self,
        code: &mut Code,
        memory: &mut Memory,
        mmio: &mut M,
        limit: u64,
    ) -> Option<Exit> {
        if let Some(dirty) = memory.take_dirty() {
            code.invalidate(dirty.start, dirty.end);
        }
        if self.device_stop {
            self.device_stop = false;
            return Some(Exit::Device);
        }
        if self.cycle >= limit {
            return Some(Exit::CycleLimit);
        }
        self.stop = limit;
        if let Some(exception) = self.preempting() {
            self.left = 0;
            if let Err(Trap::Fault(kind, address)) = self.take_exception(exception, memory, mmio) {
                return Some(Exit::Fault(self.fault(kind, self.pc, address, memory)));
            }
            if self.cycle >= limit {
                self.stop = 0;
                return Some(Exit::CycleLimit);
            }
        }
        None
    }

    /// Decodes the instruction at `pc` for the current IT state.
    #[inline(never)]
    pub(super) fn predecode(&mut self, memory: &mut Memory, pc: u32) -> Result<Slot, Exit> {
        let fetch = |at| memory.half(at).ok_or((FaultKind::Fetch, Some(at)));
        let decoded = fetch(pc).and_then(|hw1| {
            let wide = is_wide(hw1);
            let hw2 = if wide { fetch(pc.wrapping_add(2))? } else { 0 };
            let kind = match decode(hw1, hw2, self.it != 0) {
                Decoded::Op(op) => {
                    let misplaced = self.it != 0
                        && (op.forbidden_in_it() || (op.branches() && self.it & 15 != 8));
                    if !misplaced {
                        return Ok((op, wide));
                    }
                    FaultKind::Unpredictable
                }
                Decoded::Undefined => FaultKind::Undefined,
                Decoded::Unpredictable => FaultKind::Unpredictable,
                Decoded::Unsupported(what) => FaultKind::Unsupported(what),
                Decoded::NoCoprocessor => FaultKind::NoCoprocessor,
            };
            Err((kind, None))
        });
        let (op, wide) = match decoded {
            Ok(found) => found,
            Err((kind, address)) => return Err(Exit::Fault(self.fault(kind, pc, address, memory))),
        };
        let timing = self.costs.timing(&op, !wide);
        let size = if wide { 4 } else { 2 };
        let slot = Slot {
            op,
            it: self.it,
            size,
            cost: timing.cost,
            leaves: timing.leaves,
            feels: timing.feels,
            outside: false,
        };
        memory.note_code(pc..pc + u32::from(size));
        Ok(slot)
    }

    pub(super) fn fault(
        &self,
        kind: FaultKind,
        pc: u32,
        address: Option<u32>,
        memory: &Memory,
    ) -> Fault {
        let half = |at| memory.half(at).unwrap_or(0);
        Fault {
            kind,
            pc,
            address,
            opcode: [half(pc), half(pc.wrapping_add(2))],
            cycle: self.cycle,
        }
    }

    /// Executes one instruction at a time by the complete, slower path. Nothing but the speed
    /// may change; the tests rely on it to check one path against the other.
    pub fn set_reference_path(&mut self, on: bool) {
        self.single_steps = on;
        self.code = None;
    }

    /// Forgets all decoded instructions. Needed only when a core is combined with
    /// another [`Memory`] than the one it ran on.
    pub fn flush_code(&mut self) {
        self.code = None;
    }
}
