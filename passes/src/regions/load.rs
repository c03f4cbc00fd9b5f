//! Estimated cycles of a slice, for an activity.

use super::{Bundle, Need, NeedKind};
use ir::Target;
use ir::id::{PopId, VertexId};
use std::collections::BTreeMap;

/// How busy the senders of a population are, and how far estimates are off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Permille of the population's own atoms that send in the busiest step.
    pub own: u32,
    /// The same of each sending population.
    pub sources: BTreeMap<PopId, u32>,
    /// Cycles by the emitted code, in percent of the estimate.
    pub percent: u32,
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
        let usual = plan.activity_percent * 10;
        let n = u64::from(n);
        let spent = match &self.kind {
            NeedKind::Source { .. } => {
                let active = self.load.as_ref().map_or(usual, |l| l.own);
                n * u64::from(plan.source_cycles) * u64::from(active) / 1000
            }
            NeedKind::Neurons(_) => {
                let received = u64::from(plan.receive_cycles);
                let mut heard: BTreeMap<VertexId, u64> = BTreeMap::new();
                let mut rows = 0;
                for b in bundles {
                    let active = u64::from(self.active(b, usual));
                    heard.insert(b.sender.vertex, u64::from(b.sender.slice.n) * active);
                    rows += b.centicycles * active / 100;
                }
                let heard: u64 = heard.values().sum();
                (heard * received + rows) / 1000 + n * u64::from(plan.neuron_cycles)
            }
        };
        let percent = self.load.as_ref().map_or(100, |l| l.percent);
        (u64::from(plan.tick_cycles) + spent) * u64::from(percent) / 100
    }

    /// Permille of a sender's atoms that send.
    fn active(&self, bundle: &Bundle, usual: u32) -> u32 {
        let incoming = self.incoming().iter();
        let pre = incoming
            .filter(|i| i.projection == bundle.projection)
            .map(|i| i.pre)
            .next();
        let load = self.load.as_ref();
        load.zip(pre)
            .and_then(|(l, pre)| l.sources.get(&pre).copied())
            .unwrap_or(usual)
    }
}
