//! The constants of a population's step, as they follow from its parameters,
//! dt and the options.
//!
//! In the file's units, with q = dt/tau:
//!
//! ```text
//! i <- decay_syn * i + gain_syn * x           (CubaLIF, CubaLI; the membrane
//!                                              takes the new i for x)
//! v <- decay * v + gain * x + leak
//! ```
//!
//! | integrator | decay | gain | leak | gain_syn |
//! |---|---|---|---|---|
//! | forward-euler | 1 - q | r q | v_leak q | w_in q |
//! | exp-euler | e^(-q) | r (1 - decay) | v_leak (1 - decay) | w_in (1 - decay) |
//! | exp-impulse | e^(-q) | r q | v_leak (1 - decay) | w_in q |
//! | I, IF | 1 | r dt, or r with `--if-gain unit` | 0 | |
//!
//! q and decay of the synapse are those of tau_syn, of the membrane those of
//! tau_mem. `--syn-gain unit` makes gain_syn 1 whatever w_in says;
//! `--syn-decay after` steps `i <- decay_syn * (i + gain_syn * x)`.
//!
//! `--spike-on old` is Spyx's order: spikes follow from the membrane of the step
//! before. The reset of a LIF or IF then acts on the new membrane
//! (`v <- decay * v + gain * x - threshold * z`), that of a CubaLIF on the old
//! one (`v <- decay * (v - threshold * z) + gain * i`).
//!
//! `--bias membrane` takes the biases b out of x and adds
//! `gain * steady * b` to v instead, where steady * b is the current that x = b
//! would settle at (1 * b without a synapse): w_in * b with forward or
//! exponential Euler and the file's gain.

use super::values::{Values, check};
use crate::diag::Diagnostics;
use crate::network::{Node, Op};
use crate::semantics::{
    Compare, IfGain, Integrator, Reset, Semantics, SpikeOn, SynDecay, SynGain, VFloor,
};
use crate::tensor::Tensor;

/// One population of neurons, ready to step.
#[derive(Clone, Debug)]
pub(super) struct Neurons {
    pub(super) synapse: Option<Synapse>,
    pub(super) decay: Values,
    pub(super) gain: Values,
    pub(super) leak: Values,
    /// What a bias adds to the membrane, with `--bias membrane`.
    pub(super) bias_gain: Values,
    /// `None`: the population sends v.
    pub(super) fire: Option<Fire>,
}

/// The current between the input and the membrane.
#[derive(Clone, Debug)]
pub(super) struct Synapse {
    pub(super) decay: Values,
    pub(super) gain: Values,
    /// The decay multiplies after the input is added.
    pub(super) after: bool,
}

/// When neurons spike and what a spike does.
#[derive(Clone, Debug)]
pub(super) struct Fire {
    pub(super) threshold: Values,
    /// The value that v-reset sets and subtract spares.
    pub(super) v_reset: Values,
    pub(super) reset: Reset,
    pub(super) compare: Compare,
    /// The membrane of the step before decides.
    pub(super) old: bool,
    /// The reset acts on that membrane, before integration.
    pub(super) reset_first: bool,
    /// In the step after a spike, v is forced to 0 and x does not reach it.
    pub(super) hold: bool,
    pub(super) floor: bool,
}

/// Decay and the two gains of one time constant.
struct Leaky {
    decay: Values,
    /// Factor of an input: q, or 1 - decay.
    gain: Values,
    /// 1 - decay, without the digits that the subtraction loses for small q.
    share: Values,
    /// gain / share.
    settles: Values,
}

impl Leaky {
    fn new(tau: &Tensor, dt: f64, integrator: Integrator) -> Self {
        let q = Values::of(tau).map(|tau| dt / tau);
        let exp = q.map(|q| (-q).exp());
        let exp_share = q.map(|q| -(-q).exp_m1());
        let one = Values::one(1.0);
        match integrator {
            Integrator::ForwardEuler => Self {
                decay: q.map(|q| 1.0 - q),
                gain: q.clone(),
                share: q,
                settles: one,
            },
            Integrator::ExpEuler => Self {
                decay: exp,
                gain: exp_share.clone(),
                share: exp_share,
                settles: one,
            },
            Integrator::ExpImpulse => Self {
                decay: exp,
                settles: q.with(&exp_share, |q, share| q / share),
                gain: q,
                share: exp_share,
            },
        }
    }
}

fn times(a: &Values, b: &Values) -> Values {
    a.with(b, |a, b| a * b)
}

impl Neurons {
    /// The constants of a neuron node of `n` neurons; `None` for other nodes.
    ///
    /// `dt` is in the unit of the file's time constants; the caller has
    /// reported a missing one, so that 1 stands in where it isn't needed.
    pub(super) fn new(
        node: &Node,
        n: usize,
        semantics: &Semantics,
        dt: f64,
        hold: bool,
    ) -> Option<Result<Self, Diagnostics>> {
        if !node.op.is_stateful() {
            return None;
        }
        if let Err(errors) = check(node, n, semantics) {
            return Some(Err(errors));
        }
        let leaky = |tau, r, v_leak, synapse| {
            let membrane = Leaky::new(tau, dt, semantics.integrator);
            Self::with(synapse, &membrane, r, v_leak)
        };
        let cuba = |tau_syn, w_in| synapse(tau_syn, w_in, semantics, dt);
        let fire = |threshold, v_reset: &Option<Tensor>| {
            let floor =
                matches!(node.op, Op::If { .. }) && semantics.v_floor == VFloor::NegThreshold;
            Some(Fire::new(threshold, v_reset, semantics, hold, floor))
        };
        let neurons = match &node.op {
            Op::Lif {
                tau,
                r,
                v_leak,
                v_threshold,
                v_reset,
            } => Self {
                fire: fire(v_threshold, v_reset),
                ..leaky(tau, r, v_leak, None)
            },
            Op::CubaLif {
                tau_syn,
                tau_mem,
                r,
                v_leak,
                v_threshold,
                v_reset,
                w_in,
            } => Self {
                fire: fire(v_threshold, v_reset).map(|fire| Fire {
                    reset_first: fire.old,
                    ..fire
                }),
                ..leaky(tau_mem, r, v_leak, Some(cuba(tau_syn, w_in)))
            },
            Op::Li { tau, r, v_leak } => leaky(tau, r, v_leak, None),
            Op::CubaLi {
                tau_syn,
                tau_mem,
                r,
                v_leak,
                w_in,
            } => leaky(tau_mem, r, v_leak, Some(cuba(tau_syn, w_in))),
            Op::I { r } => Self::integrator(r, semantics, dt),
            Op::If {
                r,
                v_threshold,
                v_reset,
            } => Self {
                fire: fire(v_threshold, v_reset),
                ..Self::integrator(r, semantics, dt)
            },
            Op::Input { .. }
            | Op::Output { .. }
            | Op::Affine { .. }
            | Op::Linear { .. }
            | Op::Scale { .. }
            | Op::Conv1d { .. }
            | Op::Conv2d { .. }
            | Op::SumPool2d { .. }
            | Op::AvgPool2d { .. }
            | Op::Delay { .. }
            | Op::Threshold { .. }
            | Op::Flatten { .. } => return None,
        };
        Some(Ok(neurons))
    }

    fn with(
        synapse: Option<(Synapse, Values)>,
        membrane: &Leaky,
        r: &Tensor,
        v_leak: &Tensor,
    ) -> Self {
        let gain = times(&membrane.gain, &Values::of(r));
        let (synapse, steady) = match synapse {
            Some((synapse, steady)) => (Some(synapse), steady),
            None => (None, Values::one(1.0)),
        };
        Self {
            synapse,
            decay: membrane.decay.clone(),
            leak: times(&membrane.share, &Values::of(v_leak)),
            bias_gain: times(&gain, &steady),
            gain,
            fire: None,
        }
    }

    fn integrator(r: &Tensor, semantics: &Semantics, dt: f64) -> Self {
        let dt = match semantics.if_gain {
            IfGain::Dt => dt,
            IfGain::Unit => 1.0,
        };
        let gain = Values::of(r).map(|r| dt * r);
        Self {
            synapse: None,
            decay: Values::one(1.0),
            leak: Values::one(0.0),
            bias_gain: gain.clone(),
            gain,
            fire: None,
        }
    }
}

/// The synapse, and the current that a constant input of 1 settles at.
fn synapse(tau_syn: &Tensor, w_in: &Tensor, semantics: &Semantics, dt: f64) -> (Synapse, Values) {
    let leaky = Leaky::new(tau_syn, dt, semantics.integrator);
    let w_in = Values::of(w_in);
    let (gain, steady) = match semantics.syn_gain {
        SynGain::File => (times(&leaky.gain, &w_in), times(&leaky.settles, &w_in)),
        SynGain::Unit => (Values::one(1.0), leaky.share.map(|share| 1.0 / share)),
    };
    let after = semantics.syn_decay == SynDecay::After;
    let steady = if after {
        times(&steady, &leaky.decay)
    } else {
        steady
    };
    let synapse = Synapse {
        decay: leaky.decay,
        gain,
        after,
    };
    (synapse, steady)
}

impl Fire {
    fn new(
        threshold: &Tensor,
        v_reset: &Option<Tensor>,
        semantics: &Semantics,
        hold: bool,
        floor: bool,
    ) -> Self {
        let zero = Values::one(0.0);
        let v_reset = match semantics.reset {
            Reset::VReset | Reset::Subtract => v_reset.as_ref().map_or(zero, Values::of),
            Reset::Zero | Reset::SnntorchSubtract | Reset::MultiSubtract | Reset::None => zero,
        };
        Self {
            threshold: Values::of(threshold),
            v_reset,
            reset: semantics.reset,
            compare: semantics.compare,
            old: semantics.spike_on == SpikeOn::Old,
            reset_first: false,
            hold,
            floor,
        }
    }
}
