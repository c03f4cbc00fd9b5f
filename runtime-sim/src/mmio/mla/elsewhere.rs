//! Operands and results of the MAC array in other PEs' SRAM.

use super::job::{Job, Place as Named, Refusal};
use crate::remote::{AddressMap, Kind, Mesh, Place, Port, Reach, owner};
use ir::Target;
use ir::geometry::{GlobalPe, PeCoord};

/// Where an operand or the result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// In local SRAM, all of it.
    Local(u32),
    /// In the SRAM of another PE.
    Remote(Place),
}

/// The tag of part `part` (the operands, the result) of job `number`.
pub(super) fn tag(number: u32, part: usize) -> u32 {
    owner::MLA | (number & 0x003f_ffff) << 2 | part as u32 & 3
}

/// Number, as far as tags hold it, and part of a tag.
pub(super) fn part(tag: u32) -> (u32, usize) {
    (tag >> 2 & 0x003f_ffff, (tag & 3) as usize)
}

/// The way from this PE to others.
#[derive(Clone, Debug)]
pub(super) struct Elsewhere {
    pe: GlobalPe,
    map: AddressMap,
    mesh: Mesh,
    setup: u64,
}

impl Elsewhere {
    pub(super) fn new(target: &Target, pe: GlobalPe) -> Self {
        Self {
            pe,
            map: AddressMap::new(target),
            mesh: Mesh::new(target),
            setup: target.dma.setup_cycles.into(),
        }
    }

    /// Where both operands and the result are.
    pub(super) fn places(&self, job: &Job) -> Result<[At; 3], Refusal> {
        Ok([
            self.at(job.a.place, job.a.bytes())?,
            self.at(job.b.place, job.b.bytes())?,
            self.at(job.result, job.result_bytes())?,
        ])
    }

    fn at(&self, named: Named, bytes: u64) -> Result<At, Refusal> {
        let sram = u64::from(self.map.sram_bytes());
        let local = |addr: u32| Place::Sram { pe: self.pe, addr };
        let place = match named.pe {
            Some(id) => {
                let pe = PeCoord::new(id >> 5, id >> 2 & 7, id & 3).ok_or(Refusal::Address)?;
                let chip = self.pe.chip;
                let (pe, addr) = (GlobalPe { chip, pe }, named.addr);
                Place::Sram { pe, addr }
            }
            None if u64::from(named.addr) < sram => local(named.addr),
            // The window of the own QPE; the array does not read DRAM.
            None => match self.map.place(self.pe, named.addr) {
                Some(place @ (Place::Sram { .. } | Place::Window { .. })) => place,
                _ => return Err(Refusal::Address),
            },
        };
        let (Place::Sram { pe, addr } | Place::Window { pe, addr }) = place else {
            return Err(Refusal::Address);
        };
        if u64::from(addr) + bytes > sram {
            return Err(Refusal::Address);
        }
        Ok(match pe == self.pe {
            true => At::Local(addr),
            false => At::Remote(place),
        })
    }

    /// When a request that is made at `time` reaches `place`. It takes at least as long
    /// as a DMA is set up, however closely the program's PEs are coupled.
    fn reach(&self, place: Place, time: u64, moving: u64) -> Reach {
        let reach = self.mesh.reach(self.pe.pe, place, time, moving);
        let at = reach.at.max(time.saturating_add(self.setup));
        Reach { at, ..reach }
    }

    /// Asks at `time` for an operand.
    pub(super) fn fetch(&self, port: &mut Port, from: Place, tag: u32, bytes: u64, time: u64) {
        let reach = self.reach(from, time, 0);
        let len = bytes as u32;
        // The job was started only with the coupling declared.
        let _ = port.ask(time, reach, tag, Kind::Read { from, len });
    }

    /// Sends the result on its way at `time`.
    pub(super) fn store(&self, port: &mut Port, to: Place, tag: u32, bytes: Vec<u8>, time: u64) {
        let moving = self.mesh.moving(bytes.len() as u32);
        let reach = self.reach(to, time, moving);
        // As for the operands.
        let _ = port.ask(time, reach, tag, Kind::Write { to, bytes });
    }
}
