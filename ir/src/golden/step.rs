//! One step of a population.

use super::membrane::{Fire, Neurons};
use crate::semantics::{Compare, Reset, SpikeOn};

/// What the neurons of one population keep between steps.
pub(super) struct NeuronState<'a> {
    /// Synaptic currents; empty without a synapse.
    pub(super) i: &'a mut [f64],
    /// Membranes after reset.
    pub(super) v: &'a mut [f64],
    /// What was sent in the step before; receives what is sent in this one.
    pub(super) z: &'a mut [f64],
}

impl Neurons {
    /// Advances all neurons by one step. `x` is the input; `bias` what
    /// `--bias membrane` takes past the synapse, empty for nothing.
    pub(super) fn step(&self, x: &[f64], bias: &[f64], state: NeuronState<'_>) {
        let NeuronState { i, v, z } = state;
        for (k, ((&x, v), z)) in x.iter().zip(v).zip(z).enumerate() {
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
            let before = *v;
            let mut now = self.decay.at(k) * before + self.gain.at(k) * drive + self.leak.at(k);
            if let Some(b) = bias.get(k) {
                now += self.bias_gain.at(k) * b;
            }
            match &self.fire {
                None => {
                    *v = now;
                    *z = now;
                }
                Some(fire) => (*v, *z) = fire.decide(k, before, now, *z),
            }
        }
    }
}

impl Fire {
    /// The membrane after reset and the spikes of neuron `k`, from its membrane
    /// before and after integration and its spikes of the step before.
    fn decide(&self, k: usize, before: f64, mut now: f64, spiked: f64) -> (f64, f64) {
        let threshold = self.threshold.at(k);
        if self.reset == Reset::SnntorchSubtract {
            now -= threshold * spiked;
        }
        if self.hold && spiked != 0.0 {
            now = 0.0;
        }
        if self.floor {
            now = now.max(-threshold);
        }
        let judged = match self.spike_on {
            SpikeOn::New => now,
            SpikeOn::Old => before,
        };
        let spikes = self.spikes(judged, threshold);
        if spikes != 0.0 {
            now = match self.reset {
                Reset::VReset | Reset::Zero => self.v_reset.at(k),
                Reset::Subtract => now - (threshold - self.v_reset.at(k)),
                Reset::MultiSubtract => now - threshold * spikes,
                Reset::SnntorchSubtract | Reset::None => now,
            };
        }
        (now, spikes)
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
