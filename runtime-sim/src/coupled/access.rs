//! What requests do, and what answers them.

use super::links::Links;
use crate::chip::{Chips, Movement};
use crate::dram::Dram;
use crate::noc::{self, FRACTION};
use crate::pe::Pe;
use crate::remote::{Completion, Kind, MAX_BYTES, Place, RemoteFault, Request, owner};
use ir::diag::Result;
use ir::geometry::GlobalPe;

/// The PEs of a QPE.
const ALL: u32 = 15;

/// An answer that goes over the mesh.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// As on an empty mesh.
    pub(super) completion: Completion,
    pub(super) movement: Movement,
    /// The asking PE knows then, or later.
    pub(super) earliest: u64,
}

/// Where a place is in the machine.
enum Found {
    Sram(usize, u32),
    Dram(u32),
    Lock(u32),
    Share,
}

/// Flits that follow from a request: how many, and when they enter the mesh and for how
/// long, in fractions of a unit.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    flits: u64,
    begin: u64,
    span: u64,
}

/// What came of a request.
#[derive(Debug, Default)]
struct Outcome {
    data: Vec<u8>,
    /// When the asking PE knows, if nothing is in the way.
    at: u64,
    flow: Flow,
    /// The other PE that may have something to do now.
    woken: Option<usize>,
}

impl Links {
    /// Does what `request` asks for and tells the asking PE, or sends the answer on its
    /// way. Gives the other PE that may have something to do now.
    pub(super) fn carry_out(
        &mut self,
        pes: &mut [Pe],
        chips: &mut Chips,
        (number, asker): (u64, usize),
        request: Request,
    ) -> Result<Option<usize>> {
        let Some(from) = pes.get(asker).map(|pe| pe.fixed.place) else {
            return Ok(None);
        };
        let Request {
            at,
            over,
            tag,
            kind,
        } = request;
        let core = owner::of(tag) == owner::CORE;
        let (outcome, there) = match kind {
            Kind::Read { from: place, len } => {
                (self.read(pes, from, (place, len), (at, core)), Some(place))
            }
            Kind::Write { to, bytes } => {
                // The host's memory may end here, which no guest sees.
                let written = self.write(pes, from, (to, &bytes), (at, core))?;
                (written, Some(to))
            }
            Kind::Interrupt { pe, lines } => (self.interrupt(pes, pe, lines, at), None),
        };
        let (outcome, fault) = match outcome {
            Ok(outcome) => (outcome, None),
            Err(fault) => (Outcome::default(), Some(fault)),
        };
        let completion = Completion {
            at: outcome.at.max(at),
            tag,
            data: outcome.data,
            fault,
        };
        let Flow { flits, begin, span } = outcome.flow;
        let spot = there.and_then(|place| self.spot(place));
        if let Some(spot) = spot.filter(|_| flits > 0 && over > 0) {
            let here = noc::place_of(from.pe);
            // What is written goes there, what is read comes from there.
            let back = !completion.data.is_empty();
            let movement = Movement {
                asker: asker as u32,
                number,
                from: if back { spot } else { here },
                to: if back { here } else { spot },
                flits,
                begin,
                span,
            };
            // The core itself adds the way back.
            let least = movement.last() / FRACTION + 1;
            let answer = Answer {
                earliest: completion.at.max(least),
                completion,
                movement,
            };
            self.answer(chips, asker, answer);
        } else if let Some(pe) = pes.get_mut(asker) {
            pe.complete(completion);
        }
        Ok(outcome.woken)
    }

    fn read(
        &mut self,
        pes: &[Pe],
        from: GlobalPe,
        (place, len): (Place, u32),
        (at, core): (u64, bool),
    ) -> std::result::Result<Outcome, RemoteFault> {
        let mesh = self.mesh;
        match self.find(from, place, len)? {
            Found::Sram(pe, addr) => {
                let other = pes.get(pe).ok_or(RemoteFault::NoProgram)?;
                let bytes = other.memory().read(addr, len as usize);
                let moving = mesh.moving(len);
                let back = mesh.way(other.fixed.place.pe, from.pe);
                Ok(Outcome {
                    data: bytes.ok_or(RemoteFault::Outside)?.to_vec(),
                    at: if core { at } else { at + moving + back },
                    flow: Flow {
                        flits: mesh.flits(len),
                        begin: (at + mesh.entry()) * FRACTION,
                        span: moving * FRACTION,
                    },
                    ..Outcome::default()
                })
            }
            Found::Dram(offset) => {
                let dram = self.drams.get_mut(&from.chip);
                let dram = dram.ok_or(RemoteFault::Outside)?;
                dram.check(offset, len, !core)?;
                let (done, data) = dram.read(at, offset, len);
                // Its last bytes leave DRAM when they are said to be there: the way is
                // part of the latency.
                let moving = dram.moving(len);
                let begin = done.saturating_sub(moving).max(at + 1);
                Ok(Outcome {
                    data,
                    at: done.max(at + mesh.moving(len)).max(begin + moving),
                    flow: Flow {
                        flits: mesh.flits(len),
                        begin: begin * FRACTION,
                        span: moving * FRACTION,
                    },
                    ..Outcome::default()
                })
            }
            Found::Lock(index) => {
                let free = self.locks.insert((from.chip, index));
                Ok(Outcome {
                    data: u32::from(!free).to_le_bytes().to_vec(),
                    ..Outcome::default()
                })
            }
            Found::Share => Ok(Outcome {
                data: self.shared(from).to_le_bytes().to_vec(),
                ..Outcome::default()
            }),
        }
    }

    fn write(
        &mut self,
        pes: &mut [Pe],
        from: GlobalPe,
        (place, bytes): (Place, &[u8]),
        (at, core): (u64, bool),
    ) -> Result<std::result::Result<Outcome, RemoteFault>> {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let found = match self.find(from, place, len) {
            Ok(found) => found,
            Err(fault) => return Ok(Err(fault)),
        };
        match found {
            Found::Sram(pe, addr) => {
                let Some(other) = pes.get_mut(pe) else {
                    return Ok(Err(RemoteFault::NoProgram));
                };
                let written = other.memory_mut().write(addr, bytes);
                Ok(written
                    .map(|()| Outcome::default())
                    .ok_or(RemoteFault::Outside))
            }
            Found::Dram(offset) => {
                let flits = self.mesh.flits(len);
                let Some(dram) = self.drams.get_mut(&from.chip) else {
                    return Ok(Err(RemoteFault::Outside));
                };
                if let Err(fault) = dram.check(offset, len, !core) {
                    return Ok(Err(fault));
                }
                let done = dram.write(at, offset, bytes)?;
                let flow = behind(dram, (at, done), len, flits);
                Ok(Ok(Outcome {
                    at: done,
                    flow,
                    ..Outcome::default()
                }))
            }
            Found::Lock(index) => {
                self.locks.remove(&(from.chip, index));
                Ok(Ok(Outcome::default()))
            }
            Found::Share => {
                let word = bytes.iter().rev().fold(0, |w, &b| w << 8 | u32::from(b));
                if word & !ALL != 0 {
                    return Ok(Err(RemoteFault::Command));
                }
                self.share(from, word);
                Ok(Ok(Outcome::default()))
            }
        }
    }

    fn interrupt(
        &self,
        pes: &mut [Pe],
        pe: GlobalPe,
        lines: u64,
        at: u64,
    ) -> std::result::Result<Outcome, RemoteFault> {
        let index = self.places.get(&pe).copied();
        let index = index.ok_or(RemoteFault::NoProgram)?;
        if let Some(other) = pes.get_mut(index) {
            other.interrupt(at, lines);
        }
        Ok(Outcome {
            woken: Some(index),
            ..Outcome::default()
        })
    }

    /// Whether others of its QPE reach the SRAM of `pe` in their window.
    fn shares(&self, pe: GlobalPe) -> bool {
        self.shared(pe) >> pe.pe.p() & 1 != 0
    }

    /// What `from` finds at `place`.
    fn find(
        &self,
        from: GlobalPe,
        place: Place,
        len: u32,
    ) -> std::result::Result<Found, RemoteFault> {
        if len == 0 || len > MAX_BYTES {
            return Err(RemoteFault::Length);
        }
        match place {
            Place::Dram { offset } => Ok(Found::Dram(offset)),
            Place::Lock { index } if len == 4 => Ok(Found::Lock(index)),
            Place::Share if len == 4 => Ok(Found::Share),
            Place::Lock { .. } | Place::Share => Err(RemoteFault::Length),
            Place::Window { pe, .. } if pe != from && !self.shares(pe) => Err(RemoteFault::Closed),
            Place::Sram { pe, addr } | Place::Window { pe, addr } => {
                let end = addr.checked_add(len);
                if end.is_none_or(|end| end > self.sram_bytes) {
                    return Err(RemoteFault::Outside);
                }
                let index = self.places.get(&pe).ok_or(RemoteFault::NoProgram)?;
                Ok(Found::Sram(*index, addr))
            }
        }
    }
}

/// The flits of a write to DRAM behind its first one, which was the request: they enter
/// the mesh at the pace at which DRAM takes them, from the time on at which it does.
fn behind(dram: &Dram, (at, done): (u64, u64), len: u32, flits: u64) -> Flow {
    let moving = dram.moving(len) * FRACTION;
    let first = dram.service(done, len).max(at) * FRACTION;
    let each = moving / flits.max(1);
    Flow {
        flits: flits.saturating_sub(1),
        begin: first + each,
        span: moving - each,
    }
}
