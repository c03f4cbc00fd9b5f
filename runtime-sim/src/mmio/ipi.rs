//! Interrupts from PE to PE: the register file of the own QPE, and messages.
//!
//! Register p of each group belongs to PE p of the QPE; each bit that is written as
//! one gives a pulse on one of that PE's lines. Reads give zero: what others have seen
//! of it is theirs to know.

use crate::cpu::BusError;
use crate::remote::{Kind, Mesh, Place, Port, Reach, owner};
use ir::Target;
use ir::geometry::{GlobalPe, PeCoord};
use ir::image::Coupling;
use ir::target::Ipi as Registers;

/// Pulses on their way to one PE that are told apart.
const MOST_COMING: usize = 1 << 12;

/// What one PE sends and receives.
#[derive(Clone, Debug)]
pub struct Ipi {
    pe: GlobalPe,
    registers: Registers,
    mesh: Mesh,
    /// Pulses on their way here: time and lines, in order of time.
    coming: Vec<(u64, u64)>,
    received: u64,
}

impl Ipi {
    pub fn new(target: &Target, pe: GlobalPe) -> Self {
        Self {
            pe,
            registers: target.ipi.clone(),
            mesh: Mesh::new(target),
            coming: Vec::new(),
            received: 0,
        }
    }

    /// The PE and its lines that the register at `offset` is for.
    fn lines(&self, offset: u32, value: u32) -> Option<(GlobalPe, u64)> {
        let r = &self.registers;
        let groups = [
            (r.feed_through, r.feed_through_irq, r.feed_through_lines),
            (r.regfile, r.regfile_irq, r.regfile_lines),
        ];
        groups.into_iter().find_map(|(base, irq, lines)| {
            let p = offset.wrapping_sub(base) / 4;
            let inside = offset >= base && p < 4 && offset.is_multiple_of(4);
            let fits = value.checked_shr(lines).unwrap_or(0) == 0;
            if !inside || !fits {
                return None;
            }
            let pe = PeCoord::new(self.pe.pe.x(), self.pe.pe.y(), p as u8)?;
            let pe = GlobalPe {
                chip: self.pe.chip,
                pe,
            };
            Some((pe, u64::from(value).checked_shl(irq)?))
        })
    }

    /// Whether it has a register at `offset`, which reads as zero.
    pub fn has(&self, offset: u32) -> bool {
        self.lines(offset, 0).is_some()
    }

    /// Writes the register at `offset`.
    pub fn write(
        &mut self,
        port: &mut Port,
        offset: u32,
        value: u32,
        time: u64,
    ) -> Result<(), BusError> {
        let (pe, lines) = self.lines(offset, value).ok_or(BusError::Refused)?;
        port.declared(Coupling::Window)?;
        if lines == 0 {
            return Ok(());
        }
        // The register file is the own QPE's.
        let reach = Reach::beside(time + self.mesh.way(self.pe.pe, pe.pe));
        port.ask(time, reach, owner::IPI, Kind::Interrupt { pe, lines })?;
        Ok(())
    }

    /// Sends the packet that pulses the message line of `pe`.
    pub fn send_message(&self, port: &mut Port, pe: GlobalPe, time: u64) -> Result<(), BusError> {
        port.declared(Coupling::Window)?;
        let lines = self.message_line();
        let place = Place::Sram { pe, addr: 0 };
        let reach = self.mesh.reach(self.pe.pe, place, time, 0);
        port.ask(time, reach, owner::IPI, Kind::Interrupt { pe, lines })?;
        Ok(())
    }

    /// The pulse that a message gives.
    fn message_line(&self) -> u64 {
        1u64.checked_shl(self.registers.message_irq).unwrap_or(0)
    }

    /// Lines of this PE pulse at `time`.
    pub fn expect(&mut self, time: u64, lines: u64) {
        if self.coming.len() >= MOST_COMING
            && let Some((_, last)) = self.coming.last_mut()
        {
            // Only to a PE that does nothing any more: it must not cost memory.
            *last |= lines;
            return;
        }
        let place = self.coming.partition_point(|&(t, _)| t <= time);
        self.coming.insert(place, (time, lines));
    }

    /// When lines next pulse.
    pub fn due(&self) -> Option<u64> {
        self.coming.first().map(|&(time, _)| time)
    }

    /// Lines that pulse until `time`.
    pub fn expire(&mut self, time: u64) -> u64 {
        let n = self.coming.partition_point(|&(t, _)| t <= time);
        self.received += n as u64;
        self.coming
            .drain(..n)
            .fold(0, |all, (_, lines)| all | lines)
    }

    /// Pulses received since the last call.
    pub fn take_received(&mut self) -> u64 {
        std::mem::take(&mut self.received)
    }
}
