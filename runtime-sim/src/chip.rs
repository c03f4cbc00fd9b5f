//! Chips and the way of packets between PEs.

use crate::coupled::Links;
use crate::mmio::comms::Arrival;
use crate::noc;
use crate::parcels::Ways;
use crate::pe::Pe;
use crate::router::Router;
use crate::session::Session;
use ir::Target;
use ir::geometry::{ChipCoord, GlobalPe};
use std::collections::BTreeMap;

/// Different keys that are counted one by one.
const UNMATCHED_KEPT: usize = 1 << 16;

/// Packets on their way to one PE beyond which those that have arrived are
/// moved to its ring early.
const IN_FLIGHT_LIMIT: usize = 1 << 16;

/// One chip.
#[derive(Clone, Debug)]
pub(crate) struct Chip {
    pub(crate) router: Router,
    pub(crate) router_cycles: u64,
}

/// The chips of a machine and where its PEs are on them.
#[derive(Clone, Debug)]
pub(crate) struct Chips {
    pub(crate) chips: BTreeMap<ChipCoord, Chip>,
    /// By PE index: its chip, and its cycles to the router.
    pub(crate) places: Vec<(ChipCoord, u64)>,
    pub(crate) unmatched: BTreeMap<u32, u64>,
    /// Cycles that any packet takes at least.
    pub(crate) lookahead: u64,
    pub(crate) shuffle: Option<Shuffle>,
    /// Memory that PEs share, if the program says that they do.
    pub(crate) links: Option<Box<Links>>,
    /// Ways of packets that are not plain multicast.
    pub(crate) ways: Ways,
}

/// Additional cycles for each packet, so that packets overtake each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shuffle {
    pub(crate) seed: u64,
    /// More than any packet gets.
    pub(crate) cycles: u64,
}

impl Shuffle {
    /// What a packet gets: a hash of it, so that it does not depend on who asks first.
    fn extra(self, source: usize, sequence: u64, target: u32) -> u64 {
        let parts = [source as u64, sequence, u64::from(target)];
        let mix = |h: u64, part: u64| {
            let h = (h ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            h ^ h >> 29
        };
        parts.into_iter().fold(self.seed, mix) % self.cycles.max(1)
    }
}

/// The smallest latency of any packet between `pes`.
pub(crate) fn lookahead(target: &Target, pes: &[GlobalPe]) -> u64 {
    let mesh = pes.iter().map(|p| noc::mesh_cycles(target, p.pe)).min();
    noc::router_cycles(target) + 2 * mesh.unwrap_or(0)
}

impl Chips {
    /// Routes what PE `source` has sent. No PE will send anything before `now`.
    pub(crate) fn deliver(
        &mut self,
        pes: &mut [Pe],
        source: usize,
        now: u64,
        session: &mut Session<'_>,
    ) {
        self.deliver_parcels(pes, source, now);
        let (Some(pe), Some(&(chip, to_router))) = (pes.get_mut(source), self.places.get(source))
        else {
            return;
        };
        let Some(chip) = self.chips.get_mut(&chip) else {
            return;
        };
        if !pe.has_sent() {
            return;
        }
        let (mut sequence, sent) = pe.take_sent();
        let sent: Vec<_> = sent.collect();
        for (packet, tick) in sent {
            if let Some(tick) = tick {
                session.sent(packet.key, packet.payload, tick);
            }
            let at_router = packet.cycle + to_router + chip.router_cycles;
            match chip.router.route(packet.key) {
                Some(exit) => {
                    for &(pe, cycles) in &exit.pes {
                        let extra = self.shuffle.map(|s| s.extra(source, sequence, pe));
                        let Some(pe) = pes.get_mut(pe as usize) else {
                            continue;
                        };
                        pe.expect(Arrival {
                            cycle: at_router + cycles + extra.unwrap_or(0),
                            source: source as u32,
                            sequence,
                            key: packet.key,
                            payload: packet.payload,
                        });
                        if pe.in_flight() >= IN_FLIGHT_LIMIT {
                            pe.receive_until(now);
                        }
                    }
                }
                None => {
                    // A program that sends all kinds of keys must not fill the
                    // host's memory: beyond the limit they share the last place.
                    let key = if self.unmatched.len() < UNMATCHED_KEPT
                        || self.unmatched.contains_key(&packet.key)
                    {
                        packet.key
                    } else {
                        u32::MAX
                    };
                    *self.unmatched.entry(key).or_default() += 1;
                }
            }
            sequence += 1;
        }
    }
}
