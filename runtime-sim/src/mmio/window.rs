//! Loads and stores of the core outside its PE: the window of its QPE, SRAM by NoC
//! address, DRAM.
//!
//! A load waits for its answer: it is refused with [`Port::block`] until the scheduler
//! has carried it out, and repeated then; the stall is charged when it succeeds. A
//! store in the window stalls the core as a load does, one that goes over the NoC is
//! posted: it costs the core nothing, and is known to have failed only later.
//!
//! `share_config` of the QPE's register file says which PEs of the QPE share their SRAM in
//! the window; any of the four may write it. It has no part in what goes by the NoC, nor
//! in what a PE does in its own SRAM.

use crate::cpu::{BusError, Size};
use crate::remote::{AddressMap, Completion, Kind, Mesh, Place, Port, Reach, RemoteFault, owner};
use ir::Target;
use ir::geometry::GlobalPe;
use ir::image::Coupling;

const LOAD: u32 = owner::CORE;
const STORE: u32 = owner::CORE | 1;

/// A load, by what the core repeats of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Load {
    addr: u32,
    size: Size,
    time: u64,
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    load: Load,
    done: u64,
    outcome: Result<u32, RemoteFault>,
}

/// What the core of one PE does outside its SRAM.
#[derive(Clone, Debug)]
pub struct Window {
    pe: GlobalPe,
    map: AddressMap,
    mesh: Mesh,
    stall: u64,
    /// The load that waits, and the time of its way back.
    waiting: Option<(Load, u64)>,
    /// What the present instruction has loaded.
    answers: Vec<Answer>,
    refused: Option<RemoteFault>,
    accesses: u64,
}

impl Window {
    pub fn new(target: &Target, pe: GlobalPe) -> Self {
        Self {
            pe,
            map: AddressMap::new(target),
            mesh: Mesh::new(target),
            stall: target.remote.window_stall.into(),
            waiting: None,
            answers: Vec::new(),
            refused: None,
            accesses: 0,
        }
    }

    /// The memory at `addr`, if there is any outside the PE.
    pub fn place(&self, addr: u32) -> Option<Place> {
        self.map.place(self.pe, addr)
    }

    /// From an access at `time` to the memory, and the time from there back.
    fn ways(&self, place: Place, time: u64) -> (Reach, u64) {
        let back = match place {
            // The crossbar of the QPE, and its register file.
            Place::Window { .. } | Place::Share => {
                return (Reach::beside(time + self.stall), 0);
            }
            Place::Sram { pe, .. } => self.mesh.way(pe.pe, self.pe.pe),
            Place::Dram { .. } | Place::Lock { .. } => self.mesh.entry(),
        };
        (self.mesh.reach(self.pe.pe, place, time, 0), back)
    }

    /// Loads; gives the value and the time for which the core stalls.
    pub fn read(
        &mut self,
        port: &mut Port,
        addr: u32,
        place: Place,
        size: Size,
        time: u64,
    ) -> Result<(u32, u64), BusError> {
        port.declared(Coupling::Window)?;
        let load = Load { addr, size, time };
        if let Some(answer) = self.answers.iter().find(|a| a.load == load) {
            let value = answer.outcome.map_err(|_| BusError::Unmapped)?;
            return Ok((value, answer.done - time));
        }
        let (there, back) = self.ways(place, time);
        let kind = Kind::Read {
            from: place,
            len: size.bytes(),
        };
        let at = port.ask(time, there, LOAD, kind)?;
        self.waiting = Some((load, back));
        port.block(at);
        Err(BusError::Refused)
    }

    /// Stores; gives the time for which the core stalls.
    pub fn write(
        &mut self,
        port: &mut Port,
        place: Place,
        (size, value): (Size, u32),
        time: u64,
    ) -> Result<u64, BusError> {
        port.declared(Coupling::Window)?;
        let bytes = value.to_le_bytes();
        let (there, back) = self.ways(place, time);
        let kind = Kind::Write {
            to: place,
            bytes: bytes[..size.bytes() as usize].to_vec(),
        };
        port.ask(time, there, STORE, kind)?;
        self.accesses += 1;
        Ok(if back == 0 { self.stall } else { 0 })
    }

    /// True while a load waits for its answer.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// An access has been carried out.
    pub fn complete(&mut self, completion: &Completion) {
        if completion.tag == STORE {
            self.refused = completion.fault.or(self.refused);
            return;
        }
        let Some((load, back)) = self.waiting.take() else {
            return;
        };
        let mut word = [0; 4];
        for (to, from) in word.iter_mut().zip(&completion.data) {
            *to = *from;
        }
        let outcome = match completion.fault {
            None => Ok(u32::from_le_bytes(word)),
            Some(fault) => Err(fault),
        };
        self.accesses += 1;
        self.answers.push(Answer {
            load,
            done: completion.at + back,
            outcome,
        });
    }

    /// The core is at an instruction that begins at `time`: answers to earlier ones
    /// are of no use any more.
    pub fn forget(&mut self, time: u64) {
        self.answers.retain(|a| a.load.time > time);
    }

    /// Why a store was refused, which the core does not learn; once.
    pub fn take_refused(&mut self) -> Option<RemoteFault> {
        self.refused.take()
    }

    /// Loads and stores since the last call.
    pub fn take_accesses(&mut self) -> u64 {
        std::mem::take(&mut self.accesses)
    }
}
