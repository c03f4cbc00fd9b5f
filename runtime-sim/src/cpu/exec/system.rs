//! Special registers.

use super::super::core::Core;
use super::super::exception::{CONTROL_FPCA, CONTROL_NPRIV, CONTROL_SPSEL};
use super::super::flags::Flags;
use super::super::op::Reg;

impl Core {
    /// True if `regs[13]` is the process stack pointer.
    fn on_process_stack(&self) -> bool {
        self.ipsr == 0 && self.control & CONTROL_SPSEL != 0
    }

    /// The main stack pointer.
    pub fn msp(&self) -> u32 {
        if self.on_process_stack() {
            self.other_sp
        } else {
            self.regs[13]
        }
    }

    /// The process stack pointer.
    pub fn psp(&self) -> u32 {
        if self.on_process_stack() {
            self.regs[13]
        } else {
            self.other_sp
        }
    }

    fn set_stack(&mut self, process: bool, value: u32) {
        if process == self.on_process_stack() {
            self.regs[13] = value & !3;
        } else {
            self.other_sp = value & !3;
        }
    }

    pub(super) fn change_state(&mut self, disable: bool, primask: bool, faultmask: bool) {
        if !self.privileged() {
            return;
        }
        if primask {
            self.primask = disable;
        }
        if faultmask {
            self.faultmask = disable;
        }
        self.attend_soon();
    }

    pub(super) fn read_special(&mut self, rd: Reg, sysm: u8) {
        let privileged = self.privileged();
        let value = match sysm {
            0..=7 => {
                // Bit 0 adds IPSR, bit 2 leaves APSR out; EPSR always reads as zero.
                let apsr = if sysm & 4 == 0 { self.flags.apsr() } else { 0 };
                let ipsr = if sysm & 1 != 0 { self.ipsr.into() } else { 0 };
                apsr | ipsr
            }
            20 => self.control,
            _ if !privileged => 0,
            8 => self.msp(),
            9 => self.psp(),
            16 => self.primask.into(),
            17 | 18 => self.basepri.into(),
            19 => self.faultmask.into(),
            _ => 0,
        };
        self.set(rd, value);
    }

    pub(super) fn write_special(&mut self, rn: Reg, sysm: u8, mask: u8) {
        let value = self.get(rn);
        if sysm <= 3 {
            let new = Flags::from_apsr(value);
            if mask & 1 != 0 {
                self.flags.ge = new.ge;
            }
            if mask & 2 != 0 {
                self.flags = Flags {
                    ge: self.flags.ge,
                    ..new
                };
            }
            return;
        }
        if !self.privileged() {
            return;
        }
        let priority = value as u8 & 0xf8;
        match sysm {
            8 => self.set_stack(false, value),
            9 => self.set_stack(true, value),
            16 => self.primask = value & 1 != 0,
            17 => self.basepri = priority,
            18 if priority != 0 && (self.basepri == 0 || priority < self.basepri) => {
                self.basepri = priority;
            }
            19 => self.faultmask = value & 1 != 0,
            20 => self.write_control(value),
            _ => {}
        }
        self.attend_soon();
    }

    fn write_control(&mut self, value: u32) {
        let mut new = value & (CONTROL_NPRIV | CONTROL_FPCA);
        // In handler mode SPSEL keeps its value, which is zero.
        if self.ipsr == 0 {
            new |= value & CONTROL_SPSEL;
        }
        if (new ^ self.control) & CONTROL_SPSEL != 0 {
            std::mem::swap(&mut self.regs[13], &mut self.other_sp);
        }
        self.control = new;
        self.fpu_ready = false;
    }
}
