//! Estimated cycles of the neuron update.

use super::Neurons;
use super::load::Busy;
use ir::Target;
use ir::memory::RegionKind;
use ir::neuron::{DiscreteNeuron, Membrane, ResetRule};
use ir::semantics::SpikeOn;

/// What of a neuron's law takes time beside its arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Law {
    /// Sends spikes or counts, else a value in every step.
    pub(super) fires: bool,
    /// Sends as many spikes as fit.
    pub(super) multi: bool,
    /// Nothing happens in a step without input, so that sums are looked at first.
    pub(super) rests: bool,
}

impl Law {
    pub(super) fn of(neuron: &DiscreteNeuron) -> Self {
        let fire = neuron.fire.as_ref();
        let integrates = neuron.membrane == Membrane::Integrate
            && neuron.synapse.is_none()
            && neuron.offset.is_zero();
        let plain = fire.is_some_and(|f| {
            f.judge == SpikeOn::New
                && !f.hold
                && f.floor.is_none()
                && matches!(f.reset, ResetRule::To(_))
        });
        Self {
            fires: fire.is_some(),
            multi: fire.is_some_and(|f| f.reset == ResetRule::Multi),
            rests: integrates && plain,
        }
    }
}

impl Neurons {
    /// Of `n` neurons of which some send, in thousandths of centicycles.
    pub(super) fn update(&self, n: u32, own: Busy, target: &Target) -> u64 {
        let plan = &target.planning;
        let late = |kind: &&RegionKind| matches!(kind, RegionKind::LateOffset { .. });
        let arrays = self.arrays.len() - self.arrays.iter().filter(late).count();
        let values = !self.value_slots.is_empty();
        let has = |kind: RegionKind| self.state.contains(&kind);
        let parts = [
            (true, plan.neuron_centicycles),
            (has(RegionKind::I), plan.synapse_centicycles),
            (has(RegionKind::Pending), plan.pending_centicycles),
            (values, plan.current_centicycles),
            (self.law.rests && !values, plan.scan_centicycles),
        ];
        let parts = parts.iter().filter(|(takes, _)| *takes);
        let one = parts.map(|&(_, cost)| u64::from(cost)).sum::<u64>()
            + arrays as u64 * u64::from(plan.parameter_centicycles);
        let sent = match (self.law.fires, self.law.multi) {
            (false, _) => plan.sent_value_centicycles,
            (true, false) => plan.spike_centicycles,
            (true, true) => plan.spike_centicycles + plan.multi_spike_centicycles,
        };
        u64::from(n) * 1000 * one + own.of(n) * u64::from(sent)
    }
}
