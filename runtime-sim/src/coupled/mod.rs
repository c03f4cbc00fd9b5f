//! Whose turn it is in a machine whose PEs reach each other's memory.
//!
//! As in `sched`, the PE furthest behind runs, but at most to the clock of the slowest
//! other one plus the lookahead, and never past the time of a request that concerns
//! it. A request is carried out when all PEs that it concerns have reached its time
//! and no PE can still ask for something earlier: its time is less than the slowest
//! PE's clock plus the lookahead. Whatever is asked for later is for a later time, so
//! requests happen in the order of (time, PE, sequence).
//!
//! Requests and answers that go over the mesh are flits, which take links in the order
//! of time together with packets ([`Chips::deliver`]), when no PE can send or ask
//! anything earlier and no request is left whose answer could enter the mesh earlier.
//! What they wait for makes the request, or the answer, later. Until that is known a
//! request counts as happening, and an answer as coming, when it would on an empty mesh,
//! which is the earliest: nobody passes that time.
//!
//! An instruction that begins before the time of a request is before it. A device that
//! acts while its core is stalled by an access of its own acts when that access is
//! done; what it then asks for happens no earlier than what has been carried out.

mod access;
mod links;

pub(crate) use links::Links;

use crate::chip::Chips;
use crate::pe::{Pause, Pe};
use crate::sched::{self, Until};
use crate::session::Session;
use ir::diag::Result;
use std::collections::BTreeSet;

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

/// Lets everything happen that no PE can still precede.
fn settle(
    pes: &mut [Pe],
    chips: &mut Chips,
    links: &mut Links,
    turns: &mut Turns,
    end: u64,
) -> Result<()> {
    loop {
        let floor = turns.floor().min(links.first_answer());
        if chips.deliver(pes, floor.min(links.first_request())) {
            for index in 0..pes.len() {
                turns.refresh(pes, index);
            }
        }
        let mut any = false;
        for moved in chips.take_moved() {
            any = true;
            if let Some(index) = links.moved(pes, moved) {
                turns.refresh(pes, index);
            }
        }
        loop {
            let floor = turns.floor().min(links.first_answer());
            let Some((number, asker, request)) = links.ready(floor, &turns.when, end) else {
                break;
            };
            any = true;
            let woken = links.carry_out(pes, chips, (number, asker), request)?;
            for index in [Some(asker), woken].into_iter().flatten() {
                turns.refresh(pes, index);
            }
        }
        if !any {
            return Ok(());
        }
    }
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
        settle(pes, chips, links, &mut turns, end_time)?;
        let Some((time, index)) = turns.order.pop_first() else {
            return Ok(());
        };
        // PEs that sleep until they are answered act too.
        let others = turns.floor().min(links.earliest());
        let Some(pe) = pes.get_mut(index) else {
            continue;
        };
        turns.set(index, None);
        let limit = others
            .saturating_add(links.lookahead())
            .min(links.cap(index));
        // Packets that bypass the router may come sooner than others.
        let least = chips.lookahead.min(links.lookahead());
        let horizon = others.saturating_add(least).min(chips.horizon());
        let Some(session) = sessions.iter_mut().find(|s| s.pes().contains(&index)) else {
            continue;
        };
        let pause = pe.run_until(limit, time, horizon, session)?;
        let asker = (index, pe.fixed.place);
        for request in pe.take_asked() {
            links.add(chips, asker, request);
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
