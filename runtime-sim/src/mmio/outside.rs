//! The devices of a PE through which it reaches other PEs and DRAM, packets aside: one
//! part of its bus.

use super::dma::Dma;
use super::ipi::Ipi;
use super::packet::Packets;
use super::timers::Timers;
use super::window::Window;
use crate::cpu::{BusError, Memory, Size};
use crate::link_report::LinkStats;
use crate::remote::{Completion, Place, Port, owner};
use ir::Target;
use ir::geometry::GlobalPe;
use ir::image::Coupling;

/// One register or piece of memory of these devices.
#[derive(Clone, Copy, Debug)]
pub enum Register {
    Dma(u32),
    Ipi(u32),
    Packet(u32),
    /// Of timer 2 or 3.
    Timer((usize, u32)),
    /// Memory of another PE, or DRAM.
    Memory(Place),
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Outside {
    comms_base: u32,
    ipi_base: u32,
    /// What devices ask of memory elsewhere.
    pub port: Port,
    /// The core's own loads and stores there.
    pub window: Window,
    /// Interrupts from and to other PEs.
    pub ipi: Ipi,
    /// Block DMA.
    pub dma: Dma,
    /// Packets that are not plain multicast.
    pub packets: Packets,
    /// Timers 2 and 3.
    timers: Timers,
}

impl Outside {
    pub fn new(target: &Target, pe: GlobalPe, coupling: Coupling) -> Self {
        Self {
            comms_base: target.comms.base,
            ipi_base: target.ipi.base,
            port: Port::new(target, coupling),
            window: Window::new(target, pe),
            ipi: Ipi::new(target, pe),
            dma: Dma::new(target, pe),
            packets: Packets::new(target, pe),
            timers: Timers::new(target),
        }
    }

    /// When one of the devices next acts.
    pub fn due(&self) -> Option<u64> {
        let devices = [
            self.ipi.due(),
            self.dma.due(),
            self.packets.due(),
            self.timers.due(),
        ];
        devices.into_iter().flatten().min()
    }

    /// True while a device is at work for the program.
    pub fn working(&self) -> bool {
        self.dma.working()
    }

    /// Does what accesses have asked for and memory is needed for.
    pub fn service(&mut self, memory: &Memory) {
        self.dma.service(&mut self.port, memory);
    }

    /// What is due until `time` happens; gives pulses of interrupt lines.
    pub fn expire(&mut self, time: u64, memory: &mut Memory) -> u64 {
        self.dma.expire(time, memory);
        self.packets.expire(time);
        self.timers.expire(time);
        self.ipi.expire(time)
    }

    /// Counts since the last call.
    pub fn take_stats(&mut self) -> LinkStats {
        LinkStats {
            dma: self.dma.take_stats(),
            accesses: self.window.take_accesses(),
            interrupts: self.ipi.take_received(),
            packets: self.packets.take_stats(),
        }
    }

    /// Levels of interrupt lines.
    pub fn lines(&self) -> u64 {
        self.dma.lines() | self.packets.lines() | self.timers.lines()
    }

    /// What a device has asked for has been carried out.
    pub fn complete(&mut self, completion: Completion) {
        match owner::of(completion.tag) {
            owner::CORE => self.window.complete(&completion),
            owner::DMA => self.dma.complete(completion),
            owner::PACKET => self.packets.complete(&completion),
            _ => {}
        }
    }

    /// Whether the register at `offset` of the communications controller is one of theirs.
    pub fn has_comms(&self, offset: u32) -> bool {
        self.dma.has(offset) || self.packets.has(offset)
    }

    /// What is at `addr`, if it is one of these devices'.
    pub fn find(&self, addr: u32, size: Size) -> Result<Register, BusError> {
        let word = |register| match size {
            Size::Word => Ok(register),
            _ => Err(BusError::Refused),
        };
        let (comms, ipi) = (
            addr.wrapping_sub(self.comms_base),
            addr.wrapping_sub(self.ipi_base),
        );
        if self.dma.has(comms) {
            return word(Register::Dma(comms));
        }
        if self.packets.has(comms) {
            return word(Register::Packet(comms));
        }
        if let Some(timer) = self.timers.find(addr) {
            return word(Register::Timer(timer));
        }
        if self.ipi.has(ipi) {
            return word(Register::Ipi(ipi));
        }
        let place = self.window.place(addr).ok_or(BusError::Unmapped)?;
        Ok(Register::Memory(place))
    }

    /// Reads; gives the value and the time for which the core stalls.
    pub fn read(
        &mut self,
        register: Register,
        (addr, size): (u32, Size),
        time: u64,
    ) -> Result<(u32, u64), BusError> {
        match register {
            Register::Dma(offset) => Ok((self.dma.read(offset)?, 0)),
            Register::Ipi(_) => Ok((0, 0)),
            Register::Packet(offset) => Ok((self.packets.read(offset, time)?, 0)),
            Register::Timer(timer) => Ok((self.timers.read(timer, time)?, 0)),
            Register::Memory(place) => self.window.read(&mut self.port, addr, place, size, time),
        }
    }

    /// Writes; gives the time for which the core stalls. The core must return to the
    /// scheduler before its next instruction.
    pub fn write(
        &mut self,
        register: Register,
        size: Size,
        value: u32,
        time: u64,
    ) -> Result<u64, BusError> {
        match register {
            Register::Dma(offset) => {
                self.dma.write(&mut self.port, offset, value, time)?;
                Ok(0)
            }
            Register::Ipi(offset) => {
                self.ipi.write(&mut self.port, offset, value, time)?;
                Ok(0)
            }
            Register::Packet(offset) => {
                let with = (&mut self.port, &self.ipi);
                self.packets.write(with, offset, value, time)?;
                Ok(0)
            }
            Register::Timer(timer) => {
                self.timers.write(timer, value, time)?;
                Ok(0)
            }
            Register::Memory(place) => {
                let what = (size, value);
                self.window.write(&mut self.port, place, what, time)
            }
        }
    }
}
