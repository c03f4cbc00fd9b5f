//! Driver of the block DMA.

use crate::frame::wait;
use crate::kernels::KernelBuilder;
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;
use ir::geometry::PeCoord;
use ir::{Target, target};

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// From elsewhere to local SRAM.
    Read,
    /// From local SRAM to elsewhere.
    Write,
}

/// Block DMA between local SRAM and memory elsewhere on the chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dma {
    base: u32,
    registers: target::Dma,
}

/// Bits of `done`.
fn done_bit(direction: Direction) -> u32 {
    match direction {
        Direction::Read => 1,
        Direction::Write => 2,
    }
}

/// Address on the NoC of `addr` in the SRAM of a PE of the same chip.
pub fn sram_address(target: &Target, pe: PeCoord, addr: u32) -> u32 {
    target.remote.sram_base | u32::from(pe.id()) << target.remote.sram_shift | addr
}

/// Address of DRAM at `offset`.
pub fn dram_address(target: &Target, offset: u32) -> u32 {
    target.dram.window_base + offset
}

impl Dma {
    pub fn of(target: &Target) -> Self {
        Self {
            base: target.comms.base,
            registers: target.dma.clone(),
        }
    }

    fn line(&self, direction: Direction) -> u32 {
        match direction {
            Direction::Read => self.registers.read_irq,
            Direction::Write => self.registers.write_irq,
        }
    }

    /// Starts a transfer of `length` bytes. What is written may be overwritten at once;
    /// what is read is there when the transfer is done.
    pub fn start(
        &self,
        kb: &mut KernelBuilder<'_>,
        direction: Direction,
        local: Value,
        remote: Value,
        length: Value,
    ) {
        let r = &self.registers;
        let command = kb.int(match direction {
            Direction::Read => r.read_value,
            Direction::Write => r.write_value,
        });
        let base = kb.int(self.base);
        for (register, value) in [
            (r.local, local),
            (r.remote, remote),
            (r.length, length),
            (r.command, command),
        ] {
            kb.write_device(value, base, register);
        }
    }

    fn is_done(&self, kb: &mut KernelBuilder<'_>, direction: Direction) -> Value {
        let base = kb.int(self.base);
        let done = kb.read_device(base, self.registers.done);
        let done = kb.and_const(done, done_bit(direction));
        let zero = kb.int(0);
        kb.compare(IntCC::NotEqual, done, zero)
    }

    /// Sleeps until the transfer is done. The interrupt must not be enabled: it only wakes.
    pub fn sleep(&self, kb: &mut KernelBuilder<'_>, direction: Direction) {
        wait::sleep_until(kb, |kb| self.is_done(kb, direction));
    }

    /// Waits awake until the transfer is done.
    pub fn poll(&self, kb: &mut KernelBuilder<'_>, direction: Direction) {
        wait::poll_until(kb, |kb| self.is_done(kb, direction));
    }

    /// Clears what says that a transfer is done, for the next one, and gives the status:
    /// zero unless one was refused.
    pub fn take_status(&self, kb: &mut KernelBuilder<'_>, direction: Direction) -> Value {
        let base = kb.int(self.base);
        let status = kb.read_device(base, self.registers.status);
        let bit = kb.int(done_bit(direction));
        kb.write_device(bit, base, self.registers.done);
        kb.write_device(bit, base, self.registers.status);
        wait::forget(kb, self.line(direction));
        status
    }
}
