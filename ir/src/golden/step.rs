//! One step of a population.

use super::membrane::{Fire, Neurons};
use crate::semantics::{Compare, Reset};

/// What the neurons of one population keep between steps.
pub(super) struct NeuronState<'a> {
    /// Synaptic currents; empty without a synapse.
    pub(super) i: &'a mut [f64],
    /// Membranes after reset.
    pub(super) v: &'a mut [f64],
    pub(super) sent: Sent<'a>,
}

/// What the neurons send.
pub(super) enum Sent<'a> {
    /// Decided in this step: holds what was sent in the step before, receives
    /// what is sent in this one.
    Now(&'a mut [f64]),
    /// Decided before this step by [`Neurons::decide`] (`--spike-on old`):
    /// what is sent in this step, and what was in the step before.
    Decided(&'a [f64], &'a [f64]),
}

impl Neurons {
    /// Advances all neurons by one step. `x` is the input; `bias` what
    /// `--bias membrane` takes past the synapse, empty for nothing.
    pub(super) fn step(&self, x: &[f64], bias: &[f64], state: NeuronState<'_>) {
        let NeuronState { i, v, mut sent } = state;
        for (k, (&x, v)) in x.iter().zip(v).enumerate() {
            let drive = match (&self.synapse, i.get_mut(k)) {
                (Some(synapse), Some(i)) => {
                    let (decay, input) = (synapse.decay.at(k), synapse.gain.at(k) * x);
                    *i = if synapse.after {
                        decay * (*i + input)
                    } else {
                        decay * *i + input
                    };
                    *i
                }
                _ => x,
            };
            let integrate = |v: f64| {
                let now = self.decay.at(k) * v + self.gain.at(k) * drive + self.leak.at(k);
                match bias.get(k) {
                    Some(b) => now + self.bias_gain.at(k) * b,
                    None => now,
                }
            };
            *v = match (&self.fire, &mut sent) {
                (None, Sent::Now(z)) => {
                    z[k] = integrate(*v);
                    z[k]
                }
                (None, Sent::Decided(..)) => integrate(*v),
                (Some(fire), Sent::Now(z)) => {
                    let now = fire.carry(k, integrate(*v), z[k]);
                    z[k] = fire.spikes(now, fire.threshold.at(k));
                    fire.reset(k, now, z[k])
                }
                (Some(fire), Sent::Decided(z, before)) if fire.reset_first => {
                    fire.carry(k, integrate(fire.reset(k, *v, z[k])), before[k])
                }
                (Some(fire), Sent::Decided(z, before)) => {
                    let now = fire.carry(k, integrate(*v), before[k]);
                    fire.reset(k, now, z[k])
                }
            };
        }
    }

    /// With `--spike-on old`, the spikes of a step before anything is
    /// integrated: they follow from the membranes of the step before.
    pub(super) fn decide(&self, v: &[f64], z: &mut [f64], before: &mut [f64]) {
        let Some(fire) = &self.fire else {
            return;
        };
        before.copy_from_slice(z);
        for (k, (z, &v)) in z.iter_mut().zip(v).enumerate() {
            *z = fire.spikes(v, fire.threshold.at(k));
        }
    }
}

impl Fire {
    /// The integrated membrane of neuron `k` with what its spikes of the step
    /// before and the floor do to it.
    fn carry(&self, k: usize, mut now: f64, spiked: f64) -> f64 {
        let threshold = self.threshold.at(k);
        if self.reset == Reset::SnntorchSubtract {
            now -= threshold * spiked;
        }
        if self.hold && spiked != 0.0 {
            now = 0.0;
        }
        if self.floor { now.max(-threshold) } else { now }
    }

    /// The membrane of neuron `k` after it sent `spikes`.
    fn reset(&self, k: usize, v: f64, spikes: f64) -> f64 {
        if spikes == 0.0 {
            return v;
        }
        let threshold = self.threshold.at(k);
        match self.reset {
            Reset::VReset | Reset::Zero => self.v_reset.at(k),
            Reset::Subtract => v - (threshold - self.v_reset.at(k)),
            Reset::MultiSubtract => v - threshold * spikes,
            Reset::SnntorchSubtract | Reset::None => v,
        }
    }

    /// How many spikes a membrane of value `v` fires: 0 or 1, or with
    /// multi-subtract the number of thresholds that fit into v.
    fn spikes(&self, v: f64, threshold: f64) -> f64 {
        if !passes(self.compare, v, threshold) {
            return 0.0;
        }
        if self.reset != Reset::MultiSubtract {
            return 1.0;
        }
        let fit = (v / threshold).floor();
        // With a strict comparison, the spike that would leave exactly 0 stays.
        if self.compare == Compare::Gt && fit * threshold == v {
            fit - 1.0
        } else {
            fit
        }
    }
}

/// Whether a value passes a threshold.
pub(super) fn passes(compare: Compare, value: f64, threshold: f64) -> bool {
    match compare {
        Compare::Gt => value > threshold,
        Compare::Ge => value >= threshold,
    }
}
