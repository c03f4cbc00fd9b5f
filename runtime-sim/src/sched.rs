//! Whose turn it is.
//!
//! PEs run in rounds. A round takes every PE that is due before anything could reach it
//! that is not known yet, and runs each until its program sleeps. Within a round PEs
//! know nothing of each other, so it makes no difference in which order, or on how many
//! host threads, they run. A PE may run ahead of the others, since nothing reaches it
//! but packets, and packets are visible only through the ring registers; an access to
//! those beyond the *horizon* makes it wait for another round. The horizon of a PE is
//! the least time that a packet takes, counted from the time of the slowest other PE,
//! and the time before which no packet that is under way arrives, if that is less. The
//! PE that is furthest behind never waits, so the loop always moves on.
//!
//! Between rounds, what PEs have sent goes its way as far as no PE can still send
//! anything before it ([`Chips::deliver`]).
//!
//! Machines of one chip run on the calling thread; on larger ones the chips of a round
//! are shared out among the threads of the current pool.

use crate::chip::{Chips, Injection, Parcel};
use crate::coupled;
use crate::pe::{Pause, Pe};
use crate::session::Session;
use ir::diag::{Diagnostics, Result};
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// How far to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Every PE has gone to sleep once.
    FirstSleep,
    /// Every PE has ended the run, or sleeps with nothing to wake it.
    End,
}

/// PEs of a round below which handing them to other threads costs more than it saves.
const WORTH_THREADS: usize = 32;

/// A PE that runs in this round.
#[derive(Clone, Copy, Debug)]
struct Turn {
    time: u64,
    horizon: u64,
    index: u32,
}

/// What the PEs of one chip did in a round.
#[derive(Debug, Default)]
struct Outcome {
    sent: Vec<Injection>,
    /// PEs that have something to do later, and when.
    next: Vec<(u64, u32)>,
    /// Packets other than plain multicast.
    parcels: Vec<Parcel>,
    failed: Option<(u32, Diagnostics)>,
}

/// Runs every PE that has something to do; `sessions` are those of the chips.
pub(crate) fn run(
    pes: &mut [Pe],
    chips: &mut Chips,
    sessions: &mut [Session<'_>],
    until: Until,
) -> Result<()> {
    if chips.links.is_some() {
        return coupled::run(pes, chips, sessions, until);
    }
    let mut turns: BinaryHeap<Reverse<(u64, u32)>> = pes
        .iter()
        .zip(0..)
        .filter_map(|(pe, index)| Some(Reverse((pe.next_event()?, index))))
        .collect();
    let mut ready: Vec<Turn> = Vec::new();
    let mut outcomes: Vec<Outcome> = Vec::new();
    outcomes.resize_with(sessions.len(), Outcome::default);
    let threads = sessions.len() > 1 && rayon::current_num_threads() > 1;
    loop {
        let first = turns.peek().map_or(u64::MAX, |Reverse((time, _))| *time);
        chips.deliver(pes, first);
        if turns.is_empty() {
            return Ok(());
        }
        let arriving = chips.horizon();
        let horizon = first.saturating_add(chips.lookahead).min(arriving);
        ready.clear();
        while let Some(&Reverse((time, index))) = turns.peek() {
            // The first always runs, so that the loop moves on.
            if time >= horizon && !ready.is_empty() {
                break;
            }
            turns.pop();
            ready.push(Turn {
                time,
                horizon,
                index,
            });
        }
        let behind = match (ready.get(1), turns.peek()) {
            (Some(second), _) => second.time,
            (None, Some(Reverse((time, _)))) => *time,
            (None, None) => u64::MAX,
        };
        if let Some(slowest) = ready.first_mut() {
            slowest.horizon = behind.saturating_add(chips.lookahead).min(arriving);
        }
        round(pes, sessions, &mut ready, &mut outcomes, until, threads)?;
        for outcome in &mut outcomes {
            chips.inject(&mut outcome.sent);
            turns.extend(outcome.next.drain(..).map(Reverse));
            chips.post(&mut outcome.parcels);
        }
    }
}

/// Runs the PEs of a round.
fn round(
    pes: &mut [Pe],
    sessions: &mut [Session<'_>],
    ready: &mut [Turn],
    outcomes: &mut [Outcome],
    until: Until,
    threads: bool,
) -> Result<()> {
    if let ([session], [outcome]) = (&mut *sessions, &mut *outcomes) {
        run_turns(pes, 0, session, ready, outcome, until);
        return failure(outcomes);
    }
    ready.sort_unstable_by_key(|turn| turn.index);
    // Sessions have their chips' PEs in order and without gaps, and so have `ready`.
    let mut lanes = Vec::new();
    let (mut rest, mut begun, mut turns) = (pes, 0, &ready[..]);
    for (session, outcome) in sessions.iter_mut().zip(outcomes.iter_mut()) {
        let range = session.pes();
        let (mine, others) = rest.split_at_mut((range.end - begun).min(rest.len()));
        (rest, begun) = (others, range.end);
        let n = turns.partition_point(|turn| (turn.index as usize) < range.end);
        let (now, later) = turns.split_at(n);
        turns = later;
        if !now.is_empty() {
            lanes.push((mine, range.start, session, now, outcome));
        }
    }
    let run =
        |(pes, first, session, turns, outcome): (&mut [Pe], _, &mut Session<'_>, &[Turn], _)| {
            run_turns(pes, first, session, turns, outcome, until);
        };
    if threads && lanes.len() > 1 && ready.len() >= WORTH_THREADS {
        lanes.into_par_iter().for_each(run);
    } else {
        lanes.into_iter().for_each(run);
    }
    failure(outcomes)
}

/// The failure of the lowest PE of the round.
fn failure(outcomes: &mut [Outcome]) -> Result<()> {
    match outcomes.iter_mut().find_map(|o| o.failed.take()) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// Runs some PEs of a chip whose first PE is `first`.
fn run_turns(
    pes: &mut [Pe],
    first: usize,
    session: &mut Session<'_>,
    turns: &[Turn],
    outcome: &mut Outcome,
    until: Until,
) {
    for turn in turns {
        let Some(pe) = pes.get_mut((turn.index as usize).wrapping_sub(first)) else {
            continue;
        };
        let next = match pe.run(turn.time, turn.horizon, session) {
            Ok(Pause::Asleep(_)) if until == Until::FirstSleep => None,
            Ok(Pause::Asleep(due)) => due,
            Ok(Pause::Waiting(time)) => Some(time),
            Ok(Pause::Ended) => None,
            Err(error) => {
                let lower = outcome.failed.as_ref().is_none_or(|(i, _)| turn.index < *i);
                if lower {
                    outcome.failed = Some((turn.index, error));
                }
                continue;
            }
        };
        if let Some(next) = next {
            outcome.next.push((next, turn.index));
        }
        let sent = (&mut outcome.sent, &mut outcome.parcels);
        collect(pe, turn.index, session, sent);
    }
}

/// Takes what a PE has sent and lets the host see it.
pub(crate) fn collect(
    pe: &mut Pe,
    source: u32,
    session: &mut Session<'_>,
    (all, parcels): (&mut Vec<Injection>, &mut Vec<Parcel>),
) {
    if !pe.has_sent() {
        return;
    }
    let place = pe.fixed.place;
    if pe.has_parcels() {
        let kept = pe.take_parcels().into_iter();
        let kept = kept.filter(|sent| !session.loses_parcel(place, sent.sequence));
        parcels.extend(kept.map(|sent| Parcel { source, sent }));
    }
    let (first, sent) = pe.take_sent();
    for (sequence, (packet, tick)) in (first..).zip(sent) {
        if let Some(tick) = tick {
            session.sent(packet.key, packet.payload, tick);
        }
        if session.loses(place, sequence) {
            continue;
        }
        all.push(Injection {
            time: packet.cycle,
            source,
            sequence,
            packet,
        });
    }
}
