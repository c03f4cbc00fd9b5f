//! Whose turn it is.
//!
//! PEs run one at a time, the one whose clock is furthest behind in machine time first (ties by
//! index), each until its program sleeps. A PE may run ahead of the others, since
//! nothing reaches it but packets, and packets are visible only through the ring
//! registers; an access to those beyond the *horizon* (the clock of the slowest
//! other PE plus the smallest latency of a packet) makes it wait. The PE that is
//! furthest behind never waits, so the loop always moves on.

use crate::chip::Chips;
use crate::coupled;
use crate::pe::{Pause, Pe};
use crate::session::Session;
use ir::diag::Result;
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

/// Runs every PE that has something to do.
pub(crate) fn run(
    pes: &mut [Pe],
    chips: &mut Chips,
    session: &mut Session<'_>,
    until: Until,
) -> Result<()> {
    if chips.links.is_some() {
        return coupled::run(pes, chips, session, until);
    }
    let mut turns: BinaryHeap<Reverse<(u64, usize)>> = pes
        .iter()
        .enumerate()
        .filter_map(|(index, pe)| Some(Reverse((pe.next_event()?, index))))
        .collect();
    while let Some(Reverse((time, index))) = turns.pop() {
        let others = turns.peek().map_or(u64::MAX, |Reverse((time, _))| *time);
        let horizon = others.saturating_add(chips.lookahead);
        let Some(pe) = pes.get_mut(index) else {
            continue;
        };
        let pause = pe.run(time, horizon, session)?;
        let next = match pause {
            Pause::Asleep(_) if until == Until::FirstSleep => None,
            Pause::Asleep(due) => due,
            Pause::Waiting(cycle) => Some(cycle),
            Pause::Ended => None,
        };
        if let Some(next) = next {
            turns.push(Reverse((next, index)));
        }
        let now = turns.peek().map_or(u64::MAX, |Reverse((time, _))| *time);
        chips.deliver(pes, index, now, session);
    }
    Ok(())
}
