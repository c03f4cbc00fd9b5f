//! `discretise`: from time constants to factors per step.
//!
//! | integrator | decay | gain | leak |
//! |---|---|---|---|
//! | forward-euler | 1 - dt/tau | r dt/tau | v_leak dt/tau |
//! | exp-euler | e^(-dt/tau) | r (1 - decay) | v_leak (1 - decay) |
//! | exp-impulse | e^(-dt/tau) | r dt/tau | v_leak (1 - decay) |
//! | I, IF | none | r dt, or r with `--if-gain unit` | 0 |
//! | Threshold, linear | nothing remains | 1 | 0 |
//!
//! The synapse of CubaLIF and CubaLI is a leaky integrator like the membrane,
//! with `w_in` in the place of `r` and no leak value; its gain is 1 with
//! `--syn-gain unit`. The current reaches the membrane times the membrane's gain.
//!
//! A bias is a constant input, so it needs no synapses: its part of each step
//! is `gain * bias`, in the offset of the current where there is one, else in
//! that of the membrane. With `--bias membrane` it is the membrane's in every
//! case, as if the current had always been at the value that it settles at.

mod check;
#[cfg(test)]
mod tests;

use crate::canonicalise::sends_early;
use crate::contract::{Contract, MAPPED};
use crate::manager::PassContext;
use crate::registry::{Discretise, Transform};
use check::{check_finite, check_tau, check_threshold, dt_missing};
use ir::Module;
use ir::app::{AppGraph, Model, Population};
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::facts::Fact;
use ir::id::PopId;
use ir::neuron::{
    Constant, ContinuousNeuron, DiscreteNeuron, Fire, Membrane, Neuron, NeuronKind, Param,
    ResetRule, State, Synapse,
};
use ir::semantics::{
    Bias, IfGain, Integrator, Reset, Semantics, SpikeOn, SynDecay, SynGain, VFloor,
};

impl Transform for Discretise {
    const CONTRACT: Contract = Contract::requires(&[Fact::Canonical])
        .excludes(&[Fact::Discrete])
        .establishes(&[Fact::Discrete])
        .destroys(MAPPED);

    fn run(module: &mut Module, _: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        discretise(&mut module.app, &module.semantics)
    }
}

/// Rewrites the neurons of all populations.
pub fn discretise(app: &mut AppGraph, semantics: &Semantics) -> Result<Vec<Diagnostic>> {
    let mut warnings = Vec::new();
    let mut errors = Vec::new();
    for population in app.populations.values_mut() {
        let Model::Neuron(Neuron::Continuous(neuron)) = &population.model else {
            continue;
        };
        let scope = Scope {
            population,
            neuron,
            semantics,
            n: population.n_atoms(),
        };
        match scope.step(&mut warnings) {
            Ok(discrete) => population.model = Model::Neuron(Neuron::Discrete(discrete)),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(warnings)
    } else {
        warnings.extend(errors);
        Err(Diagnostics(warnings))
    }
}

type Fallible<T> = std::result::Result<T, Diagnostic>;

/// One population on its way.
struct Scope<'a> {
    population: &'a Population,
    neuron: &'a ContinuousNeuron,
    semantics: &'a Semantics,
    n: usize,
}

/// A leaky integrator: what remains of it, what a unit of input adds, and what
/// part of its resting value returns in a step.
struct Leaky {
    decay: Param,
    gain: Param,
    share: Param,
}

impl Scope<'_> {
    fn all(&self, f: impl Fn(usize) -> f64) -> Param {
        Param::per_atom((0..self.n).map(f).collect())
    }
    fn needed<'p>(&self, param: &'p Option<Param>) -> Fallible<&'p Param> {
        param.as_ref().ok_or_else(|| {
            let kind = self.neuron.kind.name();
            Diagnostic::internal(format!("a {kind} population lacks a parameter of its kind"))
        })
    }
    fn dt(&self, tau: Option<&Param>) -> Fallible<f64> {
        let dt = self.semantics.dt_in_file_units();
        dt.ok_or_else(|| dt_missing(self.population, self.neuron.kind, tau))
    }

    fn leaky(
        &self,
        name: &str,
        tau: &Param,
        strength: &Param,
        warnings: &mut Vec<Diagnostic>,
    ) -> Fallible<Leaky> {
        let dt = self.dt(Some(tau))?;
        check_tau(self.population, name, tau, dt, warnings)?;
        let integrator = self.semantics.integrator;
        let euler = integrator == Integrator::ForwardEuler;
        let ratio = |i| dt / tau.at(i);
        // -expm1 keeps the digits that 1 - e^(-q) loses for small q.
        let share = |i| {
            if euler {
                ratio(i)
            } else {
                -(-ratio(i)).exp_m1()
            }
        };
        Ok(Leaky {
            decay: self.all(|i| {
                if euler {
                    1.0 - ratio(i)
                } else {
                    (-ratio(i)).exp()
                }
            }),
            gain: self.all(|i| {
                let per_step = match integrator {
                    Integrator::ForwardEuler | Integrator::ExpImpulse => ratio(i),
                    Integrator::ExpEuler => share(i),
                };
                per_step * strength.at(i)
            }),
            share: self.all(share),
        })
    }

    fn step(&self, warnings: &mut Vec<Diagnostic>) -> Fallible<DiscreteNeuron> {
        let neuron = self.neuron;
        let one = Param::uniform(1.0);
        let (membrane, gain, leak) = match neuron.kind {
            NeuronKind::Lif | NeuronKind::Li | NeuronKind::CubaLif | NeuronKind::CubaLi => {
                let (tau, r) = (self.needed(&neuron.tau)?, self.needed(&neuron.r)?);
                let v_leak = self.needed(&neuron.v_leak)?;
                let name = if neuron.tau_syn.is_some() {
                    "tau_mem"
                } else {
                    "tau"
                };
                let leaky = self.leaky(name, tau, r, warnings)?;
                let leak = self.all(|i| leaky.share.at(i) * v_leak.at(i));
                (Membrane::Leaky(leaky.decay), leaky.gain, leak)
            }
            NeuronKind::If | NeuronKind::I => {
                let r = self.needed(&neuron.r)?;
                let dt = match self.semantics.if_gain {
                    IfGain::Dt => self.dt(None)?,
                    IfGain::Unit => 1.0,
                };
                let gain = self.all(|i| dt * r.at(i));
                (Membrane::Integrate, gain, Param::uniform(0.0))
            }
            NeuronKind::Threshold | NeuronKind::Linear => {
                (Membrane::Fresh, one.clone(), Param::uniform(0.0))
            }
        };
        let (synapse, gain, offset) = match neuron.kind {
            NeuronKind::CubaLif | NeuronKind::CubaLi => self.synapse(gain, &leak, warnings)?,
            NeuronKind::Lif
            | NeuronKind::Li
            | NeuronKind::If
            | NeuronKind::I
            | NeuronKind::Threshold
            | NeuronKind::Linear => {
                let offset = self.offset(&leak, |i, bias| gain.at(i) * bias);
                (None, gain, offset)
            }
        };
        let fire = match neuron.kind {
            NeuronKind::Lif | NeuronKind::CubaLif | NeuronKind::If => Some(self.fire()?),
            NeuronKind::Threshold => Some(Fire {
                threshold: self.needed(&neuron.v_threshold)?.clone(),
                compare: self.semantics.compare,
                judge: SpikeOn::New,
                reset: ResetRule::Keep,
                hold: false,
                floor: None,
            }),
            NeuronKind::Li | NeuronKind::CubaLi | NeuronKind::I | NeuronKind::Linear => None,
        };
        check_finite(self.population, "gain", &gain)?;
        for (_, param) in offset.entries() {
            check_finite(self.population, "offset", param)?;
        }
        if let Some(synapse) = &synapse {
            check_finite(self.population, "gain of the current", &synapse.drive)?;
            for (_, param) in synapse.offset.entries() {
                check_finite(self.population, "offset of the current", param)?;
            }
        }
        if let Some(fire) = &fire {
            check_finite(self.population, "threshold", &fire.threshold)?;
        }
        Ok(DiscreteNeuron {
            kind: neuron.kind,
            synapse,
            membrane,
            gain,
            offset,
            fire,
            unit: None,
            state: State::F32,
        })
    }

    /// The synapse, the gain into it, and the membrane's offset.
    fn synapse(
        &self,
        drive: Param,
        leak: &Param,
        warnings: &mut Vec<Diagnostic>,
    ) -> Fallible<(Option<Synapse>, Param, Constant)> {
        let tau = self.needed(&self.neuron.tau_syn)?;
        let w_in = self.needed(&self.neuron.w_in)?;
        let leaky = self.leaky("tau_syn", tau, w_in, warnings)?;
        let gain = match self.semantics.syn_gain {
            SynGain::File => leaky.gain,
            SynGain::Unit => Param::uniform(1.0),
        };
        let after = self.semantics.syn_decay == SynDecay::After;
        let (current, membrane) = match self.semantics.bias {
            Bias::Synapse => {
                let zero = Param::uniform(0.0);
                let current = self.offset(&zero, |i, bias| gain.at(i) * bias);
                (current, constant(vec![(0, leak.clone())]))
            }
            Bias::Membrane => {
                // Where i = decay * i + gain * bias stands still.
                let settled = |i: usize, bias: f64| {
                    let current = gain.at(i) * bias / leaky.share.at(i);
                    let current = if after {
                        current * leaky.decay.at(i)
                    } else {
                        current
                    };
                    drive.at(i) * current
                };
                (Constant::ZERO, self.offset(leak, settled))
            }
        };
        let synapse = Synapse {
            decay: leaky.decay.clone(),
            after,
            offset: current,
            drive: drive.clone(),
            unit: None,
        };
        Ok((Some(synapse), gain, membrane))
    }

    /// Leak plus what each of the biases adds.
    fn offset(&self, leak: &Param, per_bias: impl Fn(usize, f64) -> f64) -> Constant {
        let with = |bias: &Param| self.all(|i| leak.at(i) + per_bias(i, bias.at(i)));
        let entries = self.neuron.bias.entries();
        if entries.is_empty() {
            return constant(vec![(0, leak.clone())]);
        }
        constant(entries.iter().map(|(s, bias)| (*s, with(bias))).collect())
    }

    fn fire(&self) -> Fallible<Fire> {
        let threshold = self.needed(&self.neuron.v_threshold)?.clone();
        let v_reset = self.needed(&self.neuron.v_reset)?;
        let reset = match self.semantics.reset {
            Reset::VReset => ResetRule::To(v_reset.clone()),
            Reset::Zero => ResetRule::To(Param::uniform(0.0)),
            Reset::Subtract => ResetRule::Subtract(self.all(|i| threshold.at(i) - v_reset.at(i))),
            Reset::SnntorchSubtract => ResetRule::Pending(threshold.clone()),
            Reset::MultiSubtract => {
                check_threshold(self.population, &threshold)?;
                ResetRule::Multi
            }
            Reset::None => ResetRule::Keep,
        };
        let kind = self.neuron.kind;
        let floors = kind == NeuronKind::If && self.semantics.v_floor == VFloor::NegThreshold;
        let floor = floors.then(|| self.all(|i| -threshold.at(i)));
        let zero = (0..self.n).all(|i| v_reset.at(i) == 0.0);
        let mut fire = Fire {
            threshold,
            compare: self.semantics.compare,
            judge: self.semantics.spike_on,
            reset,
            hold: self.neuron.hold,
            floor,
        };
        if sends_early(kind, fire.hold, zero, self.semantics) {
            fire.judge = SpikeOn::New;
            if kind != NeuronKind::CubaLif {
                // The next membrane is reset, not the one that spikes.
                fire.reset = match fire.reset {
                    ResetRule::Subtract(by) => ResetRule::Pending(by),
                    ResetRule::To(_) => {
                        fire.hold = true;
                        ResetRule::Keep
                    }
                    other => other,
                };
            }
        }
        Ok(fire)
    }
}

/// A constant that is none at all if it is always 0.
fn constant(entries: Vec<(u32, Param)>) -> Constant {
    let zero = |p: &Param| (0..p.tensor().len()).all(|i| p.at(i) == 0.0);
    if entries.iter().all(|(_, p)| zero(p)) {
        return Constant::ZERO;
    }
    Constant::new(entries).unwrap_or(Constant::ZERO)
}

/// The neuron of a population, if it is one that has been discretised.
pub fn discrete(app: &AppGraph, pop: PopId) -> Option<&DiscreteNeuron> {
    match &app.populations[pop].model {
        Model::Neuron(Neuron::Discrete(n)) => Some(n),
        Model::Neuron(Neuron::Continuous(_)) | Model::SpikeSource => None,
    }
}
