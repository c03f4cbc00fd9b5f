//! Whose turn it is in a machine whose PEs reach each other's memory.
//!
//! As in `sched`, the PE furthest behind runs, but at most to the clock of the slowest
//! other one plus the lookahead, and never past the time of a request that concerns
//! it. A request is carried out when all PEs that it concerns have reached its time
//! and no PE can still ask for something earlier: its time is less than the slowest
//! PE's clock plus the lookahead. Whatever is asked for later is for a later time, so
//! requests happen in the order of (time, PE, sequence).
//!
//! An instruction that begins before the time of a request is before it. A device that
//! acts while its core is stalled by an access of its own acts when that access is
//! done; what it then asks for happens no earlier than what has been carried out.

use crate::chip::Chips;
use crate::dram::{Dram, DramStats};
use crate::pe::{Pause, Pe};
use crate::remote::{Completion, Kind, Mesh, Place, RemoteFault, Request, lookahead, owner};
use crate::sched::{self, Until};
use crate::session::Session;
use ir::Target;
use ir::diag::Result;
use ir::geometry::{ChipCoord, GlobalPe};
use ir::image::Coupling;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Order of requests: time, PE, number.
type Key = (u64, usize, u64);

/// What is between PEs: requests on their way, and DRAM.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    lookahead: u64,
    places: Arc<BTreeMap<GlobalPe, usize>>,
    sram_bytes: u32,
    mesh: Mesh,
    pending: BTreeMap<Key, Request>,
    /// By PE: the times of what is pending and concerns it.
    caps: Vec<Vec<u64>>,
    sequence: u64,
    /// Nothing is carried out for an earlier time any more.
    done: u64,
    drams: BTreeMap<ChipCoord, Dram>,
    /// Locks that are taken.
    locks: BTreeSet<(ChipCoord, u32)>,
}

impl Links {
    /// The links of a machine with these PEs; `None` if its program declares none.
    pub(crate) fn new(
        target: &Target,
        coupling: Coupling,
        places: &BTreeMap<GlobalPe, usize>,
    ) -> Option<Box<Links>> {
        if coupling == Coupling::None {
            return None;
        }
        let chips: BTreeSet<ChipCoord> = places.keys().map(|place| place.chip).collect();
        Some(Box::new(Links {
            lookahead: lookahead(target, coupling),
            places: Arc::new(places.clone()),
            sram_bytes: target.memory.sram_bytes,
            mesh: Mesh::new(target),
            pending: BTreeMap::new(),
            caps: vec![Vec::new(); places.len()],
            sequence: 0,
            done: 0,
            drams: chips.into_iter().map(|c| (c, Dram::new(target))).collect(),
            locks: BTreeSet::new(),
        }))
    }

    /// What the DRAM of each chip did since the last call.
    pub(crate) fn take_stats(&mut self) -> BTreeMap<ChipCoord, DramStats> {
        let all = self.drams.iter_mut();
        all.map(|(chip, dram)| (*chip, dram.take_stats())).collect()
    }

    /// The PE besides the asking one that a request concerns.
    fn other(&self, request: &Request) -> Option<usize> {
        let pe = match &request.kind {
            Kind::Read { from: place, .. } | Kind::Write { to: place, .. } => match place {
                Place::Sram { pe, .. } => pe,
                Place::Dram { .. } | Place::Lock { .. } => return None,
            },
            Kind::Interrupt { pe, .. } => pe,
        };
        self.places.get(pe).copied()
    }

    fn add(&mut self, asker: usize, mut request: Request) {
        request.at = request.at.max(self.done);
        let other = self.other(&request);
        for pe in [Some(asker), other.filter(|&o| o != asker)] {
            if let Some(caps) = pe.and_then(|pe| self.caps.get_mut(pe)) {
                caps.push(request.at);
            }
        }
        self.pending
            .insert((request.at, asker, self.sequence), request);
        self.sequence += 1;
    }

    /// The time that PE `index` must not pass.
    fn cap(&self, index: usize) -> u64 {
        let caps = self.caps.get(index).into_iter().flatten();
        caps.copied().min().unwrap_or(u64::MAX)
    }

    /// The first request, if it can be carried out: the slowest PE is at `floor`, and
    /// PE i at `when[i]`, if it will act at all.
    fn ready(&mut self, floor: u64, when: &[Option<u64>], end: u64) -> Option<(usize, Request)> {
        let (&key, request) = self.pending.first_key_value()?;
        let (at, asker, _) = key;
        let other = self.other(request);
        let reached = |pe: usize| when.get(pe).copied().flatten().is_none_or(|t| t >= at);
        let settled = floor == u64::MAX || at < floor.saturating_add(self.lookahead);
        // When nobody acts any more, what is due after the run waits for the next one.
        let over = floor == u64::MAX && at >= end;
        if over || !settled || !reached(asker) || !other.is_none_or(reached) {
            return None;
        }
        for pe in [Some(asker), other.filter(|&o| o != asker)] {
            if let Some(caps) = pe.and_then(|pe| self.caps.get_mut(pe))
                && let Some(place) = caps.iter().position(|&t| t == at)
            {
                caps.swap_remove(place);
            }
        }
        self.done = at;
        let request = self.pending.remove(&key)?;
        Some((asker, request))
    }

    /// Does what `request` asks for and tells the asking PE. Gives the other PE that
    /// may have something to do now.
    fn carry_out(
        &mut self,
        pes: &mut [Pe],
        asker: usize,
        request: Request,
    ) -> Result<Option<usize>> {
        let Request { at, tag, kind } = request;
        let Some(from) = pes.get(asker).map(|pe| pe.fixed.place) else {
            return Ok(None);
        };
        let mut answer = Completion {
            at,
            tag,
            data: Vec::new(),
            fault: None,
        };
        let mut woken = None;
        let core = owner::of(tag) == owner::CORE;
        let mesh = self.mesh;
        let outcome = match &kind {
            Kind::Read { from: place, len } => self.find(*place, *len).and_then(|found| {
                match found {
                    Found::Sram(pe, addr) => {
                        let other = pes.get(pe).ok_or(RemoteFault::NoProgram)?;
                        let bytes = other.memory().read(addr, *len as usize);
                        answer.data = bytes.ok_or(RemoteFault::Outside)?.to_vec();
                        if !core {
                            let back = mesh.way(other.fixed.place.pe, from.pe);
                            answer.at = at + mesh.moving(*len) + back;
                        }
                    }
                    Found::Dram(offset) => {
                        let dram = self.drams.get_mut(&from.chip);
                        let dram = dram.ok_or(RemoteFault::Outside)?;
                        dram.check(offset, *len, !core)?;
                        let (done, data) = dram.read(at, offset, *len);
                        answer.data = data;
                        answer.at = done.max(at + mesh.moving(*len));
                    }
                    Found::Lock(index) => {
                        let free = self.locks.insert((from.chip, index));
                        answer.data = u32::from(!free).to_le_bytes().to_vec();
                    }
                }
                Ok(())
            }),
            Kind::Write { to: place, bytes } => {
                let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                match self.find(*place, len) {
                    Ok(Found::Sram(pe, addr)) => pes
                        .get_mut(pe)
                        .ok_or(RemoteFault::NoProgram)
                        .and_then(|other| {
                            let written = other.memory_mut().write(addr, bytes);
                            written.ok_or(RemoteFault::Outside)
                        }),
                    Ok(Found::Dram(offset)) => match self.drams.get_mut(&from.chip) {
                        Some(dram) => match dram.check(offset, len, !core) {
                            Ok(()) => {
                                // The host's memory may end here, which no guest sees.
                                answer.at = dram.write(at, offset, bytes)?;
                                Ok(())
                            }
                            Err(fault) => Err(fault),
                        },
                        None => Err(RemoteFault::Outside),
                    },
                    Ok(Found::Lock(index)) => {
                        self.locks.remove(&(from.chip, index));
                        Ok(())
                    }
                    Err(fault) => Err(fault),
                }
            }
            Kind::Interrupt { pe, lines } => match self.places.get(pe) {
                Some(&index) => {
                    if let Some(other) = pes.get_mut(index) {
                        other.interrupt(at, *lines);
                        woken = Some(index);
                    }
                    Ok(())
                }
                None => Err(RemoteFault::NoProgram),
            },
        };
        if let Err(fault) = outcome {
            answer.data.clear();
            answer.fault = Some(fault);
        }
        if let Some(pe) = pes.get_mut(asker) {
            pe.complete(answer);
        }
        Ok(woken)
    }

    fn find(&self, place: Place, len: u32) -> std::result::Result<Found, RemoteFault> {
        if len == 0 || len > crate::remote::MAX_BYTES {
            return Err(RemoteFault::Length);
        }
        match place {
            Place::Dram { offset } => Ok(Found::Dram(offset)),
            Place::Lock { index } if len == 4 => Ok(Found::Lock(index)),
            Place::Lock { .. } => Err(RemoteFault::Length),
            Place::Sram { pe, addr } => {
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

/// Where a place is in the machine.
enum Found {
    Sram(usize, u32),
    Dram(u32),
    Lock(u32),
}

/// When each PE acts next.
struct Turns {
    order: BTreeSet<(u64, usize)>,
    when: Vec<Option<u64>>,
    /// PEs that have had their last turn.
    done: Vec<bool>,
}

impl Turns {
    fn new(pes: &[Pe]) -> Self {
        let mut turns = Self {
            order: BTreeSet::new(),
            when: vec![None; pes.len()],
            done: vec![false; pes.len()],
        };
        for (index, pe) in pes.iter().enumerate() {
            turns.set(index, pe.next_turn());
        }
        turns
    }

    fn set(&mut self, index: usize, next: Option<u64>) {
        let Some(when) = self.when.get_mut(index) else {
            return;
        };
        if let Some(old) = std::mem::replace(when, next) {
            self.order.remove(&(old, index));
        }
        if let Some(next) = next {
            self.order.insert((next, index));
        }
    }

    /// A PE that sleeps may have got something to do.
    fn refresh(&mut self, pes: &[Pe], index: usize) {
        if let Some(pe) = pes.get(index)
            && self.done.get(index) == Some(&false)
            && pe.may_wake()
        {
            self.set(index, pe.next_turn());
        }
    }

    fn floor(&self) -> u64 {
        self.order.first().map_or(u64::MAX, |&(time, _)| time)
    }
}

/// Runs every PE that has something to do.
pub(crate) fn run(
    pes: &mut [Pe],
    chips: &mut Chips,
    sessions: &mut [Session<'_>],
    until: Until,
) -> Result<()> {
    let Some(mut links) = chips.links.take() else {
        return Ok(());
    };
    let result = run_linked(pes, chips, &mut links, sessions, until);
    chips.links = Some(links);
    result
}

fn run_linked(
    pes: &mut [Pe],
    chips: &mut Chips,
    links: &mut Links,
    sessions: &mut [Session<'_>],
    until: Until,
) -> Result<()> {
    let mut turns = Turns::new(pes);
    let end_time = sessions.first().map_or(0, |s| s.end_time);
    let (mut sent, mut parcels) = (Vec::new(), Vec::new());
    loop {
        if chips.deliver(pes, turns.floor()) {
            for index in 0..pes.len() {
                turns.refresh(pes, index);
            }
        }
        while let Some((asker, request)) = links.ready(turns.floor(), &turns.when, end_time) {
            let woken = links.carry_out(pes, asker, request)?;
            for index in [Some(asker), woken].into_iter().flatten() {
                turns.refresh(pes, index);
            }
        }
        let Some((time, index)) = turns.order.pop_first() else {
            return Ok(());
        };
        let others = turns.floor();
        let Some(pe) = pes.get_mut(index) else {
            continue;
        };
        turns.set(index, None);
        let limit = others.saturating_add(links.lookahead).min(links.cap(index));
        // Packets that bypass the router may come sooner than others.
        let least = chips.lookahead.min(links.lookahead);
        let horizon = others.saturating_add(least).min(chips.horizon());
        let Some(session) = sessions.iter_mut().find(|s| s.pes().contains(&index)) else {
            continue;
        };
        let pause = pe.run_until(limit, time, horizon, session)?;
        for request in pe.take_asked() {
            links.add(index, request);
        }
        let next = match pause {
            Pause::Asleep(_) if until == Until::FirstSleep => {
                turns.done[index] = true;
                None
            }
            Pause::Asleep(due) => due,
            Pause::Waiting(at) => Some(at),
            Pause::Ended => {
                turns.done[index] = true;
                None
            }
        };
        turns.set(index, next);
        sched::collect(pe, index as u32, session, (&mut sent, &mut parcels));
        chips.inject(&mut sent);
        chips.post(&mut parcels);
    }
}
