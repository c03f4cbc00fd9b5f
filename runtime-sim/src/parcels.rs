//! The way of packets that are not plain multicast, on one chip.

use crate::chip::Chips;
use crate::mmio::comms::Arrival;
use crate::mmio::packet::{Coming, Kind, Sent, Way};
use crate::noc;
use crate::pe::Pe;
use crate::remote::Mesh;
use ir::Target;
use ir::geometry::{GlobalPe, PeCoord};

/// Packets on their way to one PE beyond which those that have arrived are queued, or
/// lost, early.
const IN_FLIGHT_LIMIT: usize = 1 << 12;

/// What the ways take.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    mesh: Mesh,
    router: u64,
    /// By PE index: to and from the router, were nothing else under way.
    alone: Vec<(u64, u64)>,
    sequence: u64,
}

impl Ways {
    pub(crate) fn new(target: &Target, pes: &[GlobalPe]) -> Self {
        let mesh = noc::Mesh::new(target);
        Self {
            mesh: Mesh::new(target),
            router: noc::units(noc::Timing::new(target).router),
            alone: pes
                .iter()
                .map(|p| noc::alone(target, &mesh, p.pe))
                .collect(),
            sequence: 0,
        }
    }

    fn to_router(&self, index: usize) -> u64 {
        self.alone.get(index).map_or(0, |way| way.0)
    }

    fn away_from_router(&self, index: usize) -> u64 {
        self.alone.get(index).map_or(0, |way| way.1)
    }
}

/// The machine's index of a PE: its PEs are in the order of their places.
fn index_of(pes: &[Pe], place: GlobalPe) -> Option<usize> {
    pes.binary_search_by_key(&place, |pe| pe.fixed.place).ok()
}

impl Chips {
    /// Delivers what PE `source` has sent. No PE will send anything before `now`.
    pub(crate) fn deliver_parcels(&mut self, pes: &mut [Pe], source: usize, now: u64) {
        let Some(pe) = pes.get_mut(source) else {
            return;
        };
        if !pe.has_parcels() {
            return;
        }
        let from = pe.fixed.place;
        for sent in pe.take_parcels() {
            self.ways.sequence += 1;
            let at_router = sent.time + self.ways.to_router(source) + self.ways.router;
            match sent.way {
                Way::Routed => {
                    let to = self.local_targets(source, sent.key);
                    if to.is_none() {
                        lose(pes, source);
                    }
                    for index in to.unwrap_or_default() {
                        let at = at_router + self.ways.away_from_router(index);
                        self.hand_over(pes, source, index, sent, at, now);
                    }
                }
                Way::Core(place) if place.chip == from.chip => match index_of(pes, place) {
                    Some(index) => {
                        let at = at_router + self.ways.away_from_router(index);
                        self.hand_over(pes, source, index, sent, at, now);
                    }
                    None => lose(pes, source),
                },
                // Not over chip links yet: counted, and warned of.
                Way::Core(_) | Way::Link { .. } => lose(pes, source),
                Way::Direct { x, y, mask } => {
                    for p in (0..4).filter(|p| mask >> (3 - p) & 1 != 0) {
                        let to = PeCoord::new(x, y, p).map(|pe| GlobalPe { pe, ..from });
                        match to.and_then(|to| index_of(pes, to)) {
                            Some(index) => {
                                let to = pes[index].fixed.place.pe;
                                let at = sent.time + self.ways.mesh.way(from.pe, to);
                                self.hand_over(pes, source, index, sent, at, now);
                            }
                            None => lose(pes, source),
                        }
                    }
                }
            }
        }
    }

    fn hand_over(
        &self,
        pes: &mut [Pe],
        source: usize,
        index: usize,
        sent: Sent,
        time: u64,
        now: u64,
    ) {
        let Some(pe) = pes.get_mut(index) else {
            return;
        };
        if sent.kind == Kind::Direct {
            // To the receiver it is a multicast packet as any other.
            pe.expect(Arrival {
                cycle: time,
                source: source as u32,
                sequence: self.ways.sequence,
                key: sent.key,
                payload: sent.payload.words().first().copied(),
            });
            if pe.in_flight() >= IN_FLIGHT_LIMIT {
                pe.receive_until(now);
            }
            return;
        }
        pe.expect_parcel(Coming {
            time,
            source: source as u32,
            sequence: self.ways.sequence,
            kind: sent.kind,
            key: sent.key,
            payload: sent.payload,
        });
        if pe.parcels_in_flight() >= IN_FLIGHT_LIMIT {
            pe.receive_until(now);
        }
    }
}

/// Counts a packet that reaches nobody, at its sender.
fn lose(pes: &mut [Pe], source: usize) {
    if let Some(pe) = pes.get_mut(source) {
        pe.lose_parcel();
    }
}
