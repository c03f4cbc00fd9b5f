//! Exceptions: when one is taken, what is stacked, how it returns.

use super::core::{Core, Sleep};
use super::fault::{BusError, FaultKind, Trap};
use super::float::FPSCR_MASK;
use super::memory::{Memory, Mmio};
use super::nvic::{CCR_STKALIGN, FPCCR_ASPEN, FPCCR_LSPACT, FPCCR_LSPEN, SCR_SLEEPONEXIT, SVCALL};
use super::nvic::{IRQ0, LINES, PENDSV};

/// Bytes of the basic frame: R0 to R3, R12, LR, return address, xPSR.
const BASIC_FRAME: u32 = 0x20;
/// Bytes of the frame with S0 to S15, FPSCR and a reserved word.
const EXTENDED_FRAME: u32 = 0x68;
/// CONTROL bits.
pub(super) const CONTROL_NPRIV: u32 = 1;
pub(super) const CONTROL_SPSEL: u32 = 2;
pub(super) const CONTROL_FPCA: u32 = 4;

impl Core {
    /// True in handler mode or with CONTROL.nPRIV clear.
    pub(super) fn privileged(&self) -> bool {
        self.ipsr != 0 || self.control & CONTROL_NPRIV == 0
    }

    /// The priority at which the core executes; lower is more urgent.
    fn execution_priority(&self, with_primask: bool) -> i32 {
        let mut priority = self.nvic.active_priority();
        if self.basepri != 0 {
            priority = priority.min(self.nvic.group(self.basepri));
        }
        if self.primask && with_primask {
            priority = priority.min(0);
        }
        if self.faultmask {
            priority = -1;
        }
        priority
    }

    /// The exception to take now, if any.
    pub(super) fn preempting(&self) -> Option<u16> {
        let (exception, priority) = self.nvic.first_pending()?;
        (priority < self.execution_priority(true)).then_some(exception)
    }

    /// True if a pending exception wakes the core. WFI wakes even if PRIMASK then
    /// keeps the exception from being taken.
    pub(super) fn wake_pending(&self, with_primask: bool) -> bool {
        self.nvic
            .first_pending()
            .is_some_and(|(_, priority)| priority < self.execution_priority(with_primask))
    }

    /// xPSR as it is stacked; bit 9 is for the caller.
    pub(super) fn xpsr(&self) -> u32 {
        let it = u32::from(self.it);
        self.flags.apsr() | (it & 3) << 25 | 1 << 24 | (it >> 2) << 10 | u32::from(self.ipsr)
    }

    fn stack<M: Mmio + ?Sized>(
        &mut self,
        at: u32,
        words: &[u32],
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        for (i, word) in words.iter().enumerate() {
            self.store_word(at.wrapping_add(4 * i as u32), *word, memory, mmio)?;
        }
        Ok(())
    }

    /// Enters the handler of `exception`: stacks the frame and jumps.
    pub(super) fn take_exception<M: Mmio + ?Sized>(
        &mut self,
        exception: u16,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        let vector = self.vector(exception, memory)?;
        let with_fp = self.control & CONTROL_FPCA != 0;
        let size = if with_fp { EXTENDED_FRAME } else { BASIC_FRAME };
        let sp = self.regs[13];
        // The extended frame is always 8-byte aligned.
        let align = with_fp || self.nvic.ccr & CCR_STKALIGN != 0;
        let padded = align && sp & 4 != 0;
        let mask = if align { !7 } else { !3 };
        let frame = sp.wrapping_sub(size) & mask;
        let xpsr = self.xpsr() | u32::from(padded) << 9;
        let r = self.regs;
        let basic = [r[0], r[1], r[2], r[3], r[12], r[14], self.pc, xpsr];
        self.stack(frame, &basic, memory, mmio)?;
        let mut cycles = u32::from(self.costs.exception_entry);
        if with_fp {
            let context = frame.wrapping_add(BASIC_FRAME);
            if self.nvic.fpccr & FPCCR_LSPEN != 0 {
                self.nvic.fpcar = context;
                self.nvic.fpccr |= FPCCR_LSPACT;
            } else {
                self.stack_fp(context, memory, mmio)?;
                cycles += u32::from(self.costs.fp_context);
            }
        }
        self.regs[13] = frame;
        let process = self.ipsr == 0 && self.control & CONTROL_SPSEL != 0;
        let mode = match (self.ipsr != 0, process) {
            (true, _) => 0x1,
            (false, false) => 0x9,
            (false, true) => 0xd,
        };
        self.regs[14] = 0xffff_ffe0 | u32::from(!with_fp) << 4 | mode;
        if process {
            std::mem::swap(&mut self.regs[13], &mut self.other_sp);
        }
        self.control &= !(CONTROL_FPCA | CONTROL_SPSEL);
        self.fpu_ready = false;
        self.cycle += u64::from(cycles);
        self.enter_handler(exception, vector);
        Ok(())
    }

    fn enter_handler(&mut self, exception: u16, vector: u32) {
        self.nvic.activate(exception);
        self.ipsr = exception;
        self.it = 0;
        self.exclusive = false;
        self.pc = vector & !1;
        self.event = true;
        self.attend_soon();
    }

    fn vector(&self, exception: u16, memory: &Memory) -> Result<u32, Trap> {
        let at = self.nvic.vtor.wrapping_add(4 * u32::from(exception));
        let unmapped = Trap::at(FaultKind::BusRead(BusError::Unmapped), at);
        let vector = memory.word(at).ok_or(unmapped)?;
        if vector & 1 == 0 {
            return Err(Trap::at(FaultKind::NotThumb, vector));
        }
        Ok(vector)
    }

    fn stack_fp<M: Mmio + ?Sized>(
        &mut self,
        at: u32,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        let mut words = [0; 17];
        words[..16].copy_from_slice(&self.fregs[..16]);
        words[16] = self.fpu.fpscr;
        self.stack(at, &words, memory, mmio)
    }

    /// SVC: taken at once, or a fault if its priority forbids it.
    pub(super) fn supervisor_call<M: Mmio + ?Sized>(
        &mut self,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        if self.nvic.svcall_priority() >= self.execution_priority(true) {
            return Err(Trap::Fault(FaultKind::SvcMasked, None));
        }
        self.take_exception(SVCALL, memory, mmio)
    }

    /// Returns from the current exception; `value` is the EXC_RETURN that was loaded
    /// to the program counter.
    #[inline(never)]
    pub(super) fn exception_return<M: Mmio + ?Sized>(
        &mut self,
        value: u32,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        let invalid = Trap::at(FaultKind::ExceptionReturn, value);
        let nested = self.nvic.active_count() > 1;
        let (to_thread, process) = match value & 0xf {
            0x1 => (false, false),
            0x9 => (true, false),
            0xd => (true, true),
            _ => return Err(invalid),
        };
        // Returning to thread mode with other exceptions active needs
        // CCR.NONBASETHRDENA (bit 0).
        let allowed = to_thread != nested || (to_thread && self.nvic.ccr & 1 != 0);
        if value & 0xffff_ffe0 != 0xffff_ffe0 || !allowed {
            return Err(invalid);
        }
        let before = (self.nvic.clone(), self.faultmask, self.ipsr);
        if !self.nvic.deactivate(self.ipsr) {
            return Err(invalid);
        }
        self.faultmask = false;
        self.exclusive = false;
        // The frame is needed before anything is committed.
        let restore = self.leave_handler(value, to_thread, process, memory, mmio);
        if let Err(Trap::Fault(..)) = restore {
            (self.nvic, self.faultmask, self.ipsr) = before;
        }
        restore
    }

    fn leave_handler<M: Mmio + ?Sized>(
        &mut self,
        value: u32,
        to_thread: bool,
        process: bool,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        let sp = if process {
            self.other_sp
        } else {
            self.regs[13]
        };
        let word = |core: &mut Core, i: u32, memory: &mut Memory, mmio: &mut M| {
            core.load_word(sp.wrapping_add(4 * i), memory, mmio)
        };
        let xpsr = word(self, 7, memory, mmio)?;
        let ipsr = (xpsr & 0x1ff) as u16;
        let it = (xpsr >> 25 & 3 | (xpsr >> 10 & 0x3f) << 2) as u8;
        // Tail-chaining: the frame stays for the next handler.
        if let Some((exception, priority)) = self.nvic.first_pending()
            && priority < self.execution_priority(true)
        {
            let vector = self.vector(exception, memory)?;
            self.regs[14] = value;
            self.cycle += u64::from(self.costs.tail_chain);
            self.control &= !CONTROL_FPCA;
            self.fpu_ready = false;
            self.enter_handler(exception, vector);
            return Ok(());
        }
        let consistent = (ipsr == 0) == to_thread && self.known_exception(ipsr);
        if xpsr >> 24 & 1 == 0 || !consistent || (it & 15 != 0 && it >> 4 == 15) {
            return Err(Trap::at(FaultKind::ExceptionReturn, value));
        }
        let mut basic = [0; 7];
        for (i, slot) in basic.iter_mut().enumerate() {
            *slot = word(self, i as u32, memory, mmio)?;
        }
        let with_fp = value & 0x10 == 0;
        let mut cycles = u32::from(self.costs.exception_exit);
        if with_fp {
            if self.nvic.fpccr & FPCCR_LSPACT != 0 {
                self.nvic.fpccr &= !FPCCR_LSPACT;
            } else {
                let mut words = [0; 17];
                for (i, slot) in words.iter_mut().enumerate() {
                    *slot = word(self, 8 + i as u32, memory, mmio)?;
                }
                self.fregs[..16].copy_from_slice(&words[..16]);
                self.fpu.fpscr = words[16] & FPSCR_MASK;
                cycles += u32::from(self.costs.fp_context);
            }
        }
        self.control &= !(CONTROL_FPCA | CONTROL_SPSEL);
        self.control |= if with_fp { CONTROL_FPCA } else { 0 };
        self.fpu_ready = false;
        let size = if with_fp { EXTENDED_FRAME } else { BASIC_FRAME };
        let above = sp.wrapping_add(size);
        let above = above | (xpsr >> 9 & 1) << 2;
        if process {
            self.other_sp = above;
            self.control |= CONTROL_SPSEL;
            std::mem::swap(&mut self.regs[13], &mut self.other_sp);
        } else {
            self.regs[13] = above;
        }
        self.regs[..4].copy_from_slice(&basic[..4]);
        self.regs[12] = basic[4];
        self.regs[14] = basic[5];
        self.pc = basic[6] & !1;
        self.flags = super::flags::Flags::from_apsr(xpsr);
        self.it = if it & 15 == 0 { 0 } else { it };
        self.ipsr = ipsr;
        self.cycle += u64::from(cycles);
        self.event = true;
        self.attend_soon();
        if to_thread && self.nvic.scr & SCR_SLEEPONEXIT != 0 {
            self.sleep = Sleep::Interrupt;
            return Err(Trap::Sleep);
        }
        Ok(())
    }

    fn known_exception(&self, n: u16) -> bool {
        matches!(n, 0 | SVCALL | PENDSV) || usize::from(n.wrapping_sub(IRQ0)) < LINES
    }

    /// Checks before every FPU instruction: enabled, lazy save done, context in use.
    #[inline(always)]
    pub(super) fn use_fpu<M: Mmio + ?Sized>(
        &mut self,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        if self.fpu_ready {
            return Ok(());
        }
        self.prepare_fpu(memory, mmio)
    }

    #[inline(never)]
    fn prepare_fpu<M: Mmio + ?Sized>(
        &mut self,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        if !self.nvic.fpu_enabled(self.privileged()) {
            return Err(Trap::Fault(FaultKind::NoCoprocessor, None));
        }
        if self.nvic.fpccr & FPCCR_LSPACT != 0 {
            self.stack_fp(self.nvic.fpcar, memory, mmio)?;
            self.nvic.fpccr &= !FPCCR_LSPACT;
            self.cycle += u64::from(self.costs.fp_context);
        }
        if self.nvic.fpccr & FPCCR_ASPEN != 0 && self.control & CONTROL_FPCA == 0 {
            const MODES: u32 = 0x07c0_0000;
            self.fpu.fpscr = self.fpu.fpscr & !MODES | self.nvic.fpdscr & MODES;
            self.control |= CONTROL_FPCA;
        }
        self.fpu_ready = true;
        Ok(())
    }
}
