//! Estimated cycles of a slice, for an activity.
//!
//! The estimate follows the tick of a program part by part (ring, decoding, lists, rows,
//! update, spikes) with numbers that were fitted to emitted code, and a margin, so that it
//! bounds what the code takes: `tests/tests/planning.rs` compares the two.

use super::receive::Received;
use super::{Bundle, Need, NeedKind};
use ir::Target;
use ir::id::PopId;
use std::collections::BTreeMap;

/// How busy the senders of a population are, and how far estimates are off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Of the population's own atoms.
    pub own: Busy,
    /// Of each sending population.
    pub sources: BTreeMap<PopId, Busy>,
    /// Cycles by the emitted code, in percent of the estimate.
    pub percent: u32,
}

/// What a population sends in its busiest step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// Permille of its atoms that send.
    pub permille: u32,
    /// The number in a packet, where packets carry one.
    pub count: u32,
}

impl Busy {
    /// What the target plans with where nothing is said.
    fn planned(target: &Target) -> Self {
        Self {
            permille: target.planning.activity_percent * 10,
            count: 1,
        }
    }

    /// Atoms of a slice that send, in thousandths.
    pub(super) fn of(self, atoms: u32) -> u64 {
        u64::from(atoms) * u64::from(self.permille)
    }
}

impl Need {
    /// The same need under a load.
    #[must_use]
    pub fn under(self, load: Load) -> Self {
        Self {
            load: Some(load),
            ..self
        }
    }

    /// Estimated cycles of one tick of a slice of `n` atoms.
    pub(super) fn cycles(&self, n: u32, bundles: &[Bundle], target: &Target) -> u64 {
        let plan = &target.planning;
        let usual = Busy::planned(target);
        let own = self.load.as_ref().map_or(usual, |l| l.own);
        // Thousandths of hundredths of a cycle.
        let parts = match &self.kind {
            NeedKind::Source { payload } => {
                let event = match payload {
                    false => plan.event_centicycles,
                    true => plan.event_payload_centicycles,
                };
                own.of(n) * u64::from(event)
            }
            NeedKind::Neurons(neurons) => {
                let received = Received {
                    neurons,
                    array: &self.array,
                    n,
                    bundles,
                    target,
                };
                neurons.update(n, own, target) + received.cost(|b| self.busy(b, usual))
            }
        };
        let fixed = match &self.kind {
            NeedKind::Source { .. } => plan.source_tick_cycles,
            NeedKind::Neurons(_) => plan.tick_cycles,
        };
        let bound = (u64::from(fixed) * 100_000 + parts) * u64::from(plan.margin_percent);
        let percent = self.load.as_ref().map_or(100, |l| l.percent);
        bound.div_ceil(10_000_000) * u64::from(percent) / 100
    }

    /// What a sender's population sends.
    fn busy(&self, bundle: &Bundle, usual: Busy) -> Busy {
        let load = self.load.as_ref();
        let found = load.and_then(|l| l.sources.get(&bundle.pre).copied());
        found.unwrap_or(usual)
    }
}
