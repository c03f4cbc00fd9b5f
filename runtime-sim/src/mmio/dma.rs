//! Block DMA between local SRAM and memory elsewhere on the chip.
//!
//! Writing a command to `command` starts a transfer of `length` bytes between `local`
//! and `remote`, an address on the NoC or in the DRAM window. The registers and, when
//! it writes, the local bytes are read at once; the program may change them. The bytes
//! are at their place when the transfer is done, not earlier and not in parts: then
//! `done` says so, and the interrupt line of its direction is high until that bit is
//! cleared.
//!
//! A transfer that breaks a rule changes no memory. It is done at once, or when the
//! other side has refused it, and `status` says why until it is written.

use crate::cpu::{BusError, Memory};
use crate::remote::{
    AddressMap, Completion, Kind, MAX_BYTES, Mesh, Place, Port, RemoteFault, owner,
};
use ir::Target;
use ir::geometry::GlobalPe;
use ir::image::Coupling;
use ir::target::Dma as Registers;

const BUSY: u32 = 1;
const REASON_SHIFT: u32 = 8;
const READ_DONE: u32 = 1;
const WRITE_DONE: u32 = 2;

/// What the DMA of a PE has done in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DmaStats {
    /// Transfers that were completed.
    pub transfers: u64,
    /// Bytes that came and went.
    pub bytes_read: u64,
    pub bytes_written: u64,
    /// Machine time from command to done.
    pub busy: u64,
    /// Transfers that were refused, and why the first was.
    pub refused: u64,
    pub first_refused: Option<RemoteFault>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    /// To local memory.
    Read,
    /// From local memory.
    Write,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Transfer {
    direction: Direction,
    local: u32,
    place: Place,
    length: u32,
    /// When the command was written.
    since: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// Started by the last write: local bytes are to be read before the next instruction.
    Starting(Transfer),
    /// The other side has been asked.
    Waiting(Transfer),
    /// It has answered; done at the given time.
    Ending(Transfer, u64, Vec<u8>),
    /// Refused; done at the given time.
    Failing(Direction, u64),
}

fn offsets(r: &Registers) -> [u32; 7] {
    [
        r.local, r.remote, r.length, r.config, r.done, r.status, r.command,
    ]
}

fn first(registers: &Registers) -> u32 {
    offsets(registers).into_iter().min().unwrap_or(u32::MAX)
}

/// The block DMA of one PE.
#[derive(Clone, Debug)]
pub struct Dma {
    pe: GlobalPe,
    registers: Registers,
    /// No register lies before this offset.
    first: u32,
    map: AddressMap,
    mesh: Mesh,
    setup: u64,
    local: u32,
    remote: u32,
    length: u32,
    config: u32,
    done: u32,
    reason: u32,
    state: State,
    stats: DmaStats,
}

impl Dma {
    pub fn new(target: &Target, pe: GlobalPe) -> Self {
        Self {
            pe,
            registers: target.dma.clone(),
            first: first(&target.dma),
            map: AddressMap::new(target),
            mesh: Mesh::new(target),
            setup: target.dma.setup_cycles.into(),
            local: 0,
            remote: 0,
            length: 0,
            config: 0,
            done: 0,
            reason: 0,
            state: State::Idle,
            stats: DmaStats::default(),
        }
    }

    /// Whether it has a register at `offset` of the communications controller.
    pub fn has(&self, offset: u32) -> bool {
        offset >= self.first && offsets(&self.registers).contains(&offset)
    }

    /// When it next does something.
    pub fn due(&self) -> Option<u64> {
        match self.state {
            State::Ending(_, at, _) | State::Failing(_, at) => Some(at),
            State::Idle | State::Starting(_) | State::Waiting(_) => None,
        }
    }

    /// True from a command until it is done.
    pub fn working(&self) -> bool {
        self.state != State::Idle
    }

    /// Levels of its interrupt lines.
    pub fn lines(&self) -> u64 {
        let line = |bit: u32, irq: u32| u64::from(self.done & bit != 0) << (irq & 63);
        line(READ_DONE, self.registers.read_irq) | line(WRITE_DONE, self.registers.write_irq)
    }

    /// Reads the register at `offset`.
    pub fn read(&self, offset: u32) -> Result<u32, BusError> {
        let r = &self.registers;
        Ok(match offset {
            o if o == r.local => self.local,
            o if o == r.remote => self.remote,
            o if o == r.length => self.length,
            o if o == r.config => self.config,
            o if o == r.done => self.done,
            o if o == r.status => {
                let busy = if self.working() { BUSY } else { 0 };
                busy | (self.reason << REASON_SHIFT)
            }
            _ => return Err(BusError::Refused),
        })
    }

    /// Writes the register at `offset`.
    pub fn write(
        &mut self,
        port: &mut Port,
        offset: u32,
        value: u32,
        time: u64,
    ) -> Result<(), BusError> {
        let r = &self.registers;
        match offset {
            o if o == r.local => self.local = value,
            o if o == r.remote => self.remote = value,
            o if o == r.length => self.length = value,
            o if o == r.config => self.config = value,
            o if o == r.done => self.done &= !value,
            o if o == r.status => self.reason = 0,
            o if o == r.command => {
                port.declared(Coupling::Dma)?;
                self.start(value, time);
            }
            _ => return Err(BusError::Refused),
        }
        Ok(())
    }

    fn start(&mut self, command: u32, time: u64) {
        let direction = match command {
            c if c == self.registers.read_value => Direction::Read,
            c if c == self.registers.write_value => Direction::Write,
            _ => return self.refuse(RemoteFault::Command),
        };
        if self.working() {
            return self.refuse(RemoteFault::Busy);
        }
        match self.transfer(direction, time) {
            Ok(transfer) => self.state = State::Starting(transfer),
            Err(fault) => {
                self.refuse(fault);
                self.state = State::Failing(direction, time);
            }
        }
    }

    /// What the registers ask for, as far as it can be judged from here.
    fn transfer(&self, direction: Direction, since: u64) -> Result<Transfer, RemoteFault> {
        if self.length == 0 || self.length > MAX_BYTES {
            return Err(RemoteFault::Length);
        }
        let end = self.local.checked_add(self.length);
        if end.is_none_or(|end| end > self.map.sram_bytes()) {
            return Err(RemoteFault::Outside);
        }
        match self.map.place(self.pe, self.remote) {
            Some(place @ (Place::Sram { .. } | Place::Window { .. } | Place::Dram { .. })) => {
                Ok(Transfer {
                    direction,
                    local: self.local,
                    place,
                    length: self.length,
                    since,
                })
            }
            _ => Err(RemoteFault::Outside),
        }
    }

    fn refuse(&mut self, fault: RemoteFault) {
        self.reason = fault.code();
        self.stats.refused += 1;
        self.stats.first_refused.get_or_insert(fault);
    }

    /// Sends the transfer that the last command has started on its way.
    pub fn service(&mut self, port: &mut Port, memory: &Memory) {
        let State::Starting(t) = self.state else {
            return;
        };
        let (moving, kind) = match t.direction {
            Direction::Read => {
                let len = t.length;
                (0, Kind::Read { from: t.place, len })
            }
            Direction::Write => {
                // `transfer` has checked that these bytes exist.
                let bytes = memory.read(t.local, t.length as usize).unwrap_or_default();
                let bytes = bytes.to_vec();
                let moving = self.mesh.moving(t.length);
                (moving, Kind::Write { to: t.place, bytes })
            }
        };
        let start = t.since + self.setup;
        let reach = self.mesh.reach(self.pe.pe, t.place, start, moving);
        self.state = State::Waiting(t);
        // The command was taken only with the coupling declared.
        let _ = port.ask(t.since, reach, owner::DMA, kind);
    }

    /// The other side has answered.
    pub fn complete(&mut self, completion: Completion) {
        let State::Waiting(t) = self.state else {
            return;
        };
        self.state = match completion.fault {
            None => State::Ending(t, completion.at, completion.data),
            Some(fault) => {
                self.refuse(fault);
                State::Failing(t.direction, completion.at)
            }
        };
    }

    /// What is due until `time` happens.
    pub fn expire(&mut self, time: u64, memory: &mut Memory) {
        if self.due().is_none_or(|due| due > time) {
            return;
        }
        let direction = match std::mem::replace(&mut self.state, State::Idle) {
            State::Ending(t, at, data) => {
                self.stats.transfers += 1;
                self.stats.busy += at.saturating_sub(t.since);
                match t.direction {
                    Direction::Read => {
                        // `transfer` has checked that there is room.
                        let _ = memory.write(t.local, &data);
                        self.stats.bytes_read += u64::from(t.length);
                    }
                    Direction::Write => self.stats.bytes_written += u64::from(t.length),
                }
                t.direction
            }
            State::Failing(direction, _) => direction,
            other => {
                self.state = other;
                return;
            }
        };
        self.done |= match direction {
            Direction::Read => READ_DONE,
            Direction::Write => WRITE_DONE,
        };
    }

    /// Counts since the last call.
    pub fn take_stats(&mut self) -> DmaStats {
        std::mem::take(&mut self.stats)
    }
}
