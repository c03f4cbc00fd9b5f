//! One population of LIF or IF neurons: its constants and its step.

use crate::code::Code;
use crate::diag::{Diagnostic, Diagnostics};
use crate::network::{Node, Op};
use crate::origin::escape;
use crate::semantics::{Compare, IfGain, Integrator, Reset, Semantics, SpikeOn, VFloor};
use crate::tensor::Tensor;

/// A parameter of all neurons: one value for all, or one each.
#[derive(Clone, Debug)]
struct Values {
    values: Vec<f64>,
    /// 0 if one value stands for all, else 1.
    stride: usize,
}

impl Values {
    fn of(tensor: &Tensor) -> Self {
        Self::from(tensor.to_f64())
    }
    fn from(values: Vec<f64>) -> Self {
        let stride = usize::from(values.len() != 1);
        Self { values, stride }
    }
    fn at(&self, i: usize) -> f64 {
        self.values[i * self.stride]
    }
    /// Element by element; both sides hold 1 or n values.
    fn with(&self, other: &Values, f: impl Fn(f64, f64) -> f64) -> Self {
        let n = self.values.len().max(other.values.len());
        Self::from((0..n).map(|i| f(self.at(i), other.at(i))).collect())
    }
    fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self::from(self.values.iter().map(|&v| f(v)).collect())
    }
}

/// The constants of a population's step, in the file's units:
///
/// ```text
/// v <- decay * v + gain * x + leak
/// ```
///
/// | integrator | decay | gain | leak |
/// |---|---|---|---|
/// | forward-euler | 1 - dt/tau | r dt/tau | v_leak dt/tau |
/// | exp-euler | e^(-dt/tau) | r (1 - decay) | v_leak (1 - decay) |
/// | exp-impulse | e^(-dt/tau) | r dt/tau | v_leak (1 - decay) |
/// | IF | 1 | r dt, or r with `--if-gain unit` | 0 |
#[derive(Clone, Debug)]
pub(super) struct Membrane {
    decay: Values,
    gain: Values,
    leak: Values,
    threshold: Values,
    /// The value that v-reset sets and subtract spares.
    v_reset: Values,
    reset: Reset,
    compare: Compare,
    spike_on: SpikeOn,
    /// In the step after a spike, v is forced to 0 and x is lost.
    hold: bool,
    floor: bool,
}

impl Membrane {
    /// The constants of a LIF or IF node of `n` neurons; `None` for other nodes.
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
        if let Err(errors) = check(node, n, semantics) {
            return Some(Err(errors));
        }
        let (decay, gain, leak, threshold, v_reset) = match &node.op {
            Op::Lif {
                tau,
                r,
                v_leak,
                v_threshold,
                v_reset,
            } => {
                let ratio = Values::of(tau).map(|tau| dt / tau);
                let euler = semantics.integrator == Integrator::ForwardEuler;
                let decay = ratio.map(|q| if euler { 1.0 - q } else { (-q).exp() });
                // -expm1 keeps the digits that 1 - e^(-q) loses for small q.
                let share = ratio.map(|q| if euler { q } else { -(-q).exp_m1() });
                let gain = match semantics.integrator {
                    Integrator::ForwardEuler | Integrator::ExpImpulse => &ratio,
                    Integrator::ExpEuler => &share,
                };
                let gain = gain.with(&Values::of(r), |g, r| g * r);
                let leak = share.with(&Values::of(v_leak), |s, v| s * v);
                (decay, gain, leak, v_threshold, v_reset)
            }
            Op::If {
                r,
                v_threshold,
                v_reset,
            } => {
                let dt = match semantics.if_gain {
                    IfGain::Dt => dt,
                    IfGain::Unit => 1.0,
                };
                let gain = Values::of(r).map(|r| dt * r);
                let constant = |v| Values::from(vec![v]);
                (constant(1.0), gain, constant(0.0), v_threshold, v_reset)
            }
            Op::Input { .. }
            | Op::Output { .. }
            | Op::Affine { .. }
            | Op::Linear { .. }
            | Op::Scale { .. }
            | Op::Flatten { .. } => return None,
            _ => return None,
        };
        let zero = Values::from(vec![0.0]);
        let v_reset = match semantics.reset {
            Reset::VReset | Reset::Subtract => v_reset.as_ref().map_or(zero, Values::of),
            Reset::Zero | Reset::SnntorchSubtract | Reset::MultiSubtract | Reset::None => zero,
        };
        let is_if = matches!(node.op, Op::If { .. });
        Some(Ok(Self {
            decay,
            gain,
            leak,
            threshold: Values::of(threshold),
            v_reset,
            reset: semantics.reset,
            compare: semantics.compare,
            spike_on: semantics.spike_on,
            hold,
            floor: is_if && semantics.v_floor == VFloor::NegThreshold,
        }))
    }

    /// Advances all neurons by one step. `x` is the input; `v` the membranes;
    /// `z` holds the spikes of the previous step and receives those of this.
    pub(super) fn step(&self, x: &[f64], v: &mut [f64], z: &mut [f64]) {
        for (i, ((&x, v), z)) in x.iter().zip(v).zip(z).enumerate() {
            let threshold = self.threshold.at(i);
            let before = *v;
            let mut now = self.decay.at(i) * before + self.gain.at(i) * x + self.leak.at(i);
            if self.reset == Reset::SnntorchSubtract {
                now -= threshold * *z;
            }
            if self.hold && *z != 0.0 {
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
                    Reset::VReset | Reset::Zero => self.v_reset.at(i),
                    Reset::Subtract => now - (threshold - self.v_reset.at(i)),
                    Reset::MultiSubtract => now - threshold * spikes,
                    Reset::SnntorchSubtract | Reset::None => now,
                };
            }
            *v = now;
            *z = spikes;
        }
    }

    /// How many spikes a membrane of value `v` fires: 0 or 1, or with
    /// multi-subtract the number of thresholds that fit into v.
    fn spikes(&self, v: f64, threshold: f64) -> f64 {
        let fires = match self.compare {
            Compare::Gt => v > threshold,
            Compare::Ge => v >= threshold,
        };
        if !fires {
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

/// Whether parameters are finite, of 1 or `n` values, and possible.
fn check(node: &Node, n: usize, semantics: &Semantics) -> Result<(), Diagnostics> {
    let mut errors = Vec::new();
    for (name, tensor) in parameters(&node.op) {
        let mut bad = |what: String| {
            errors.push(Diagnostic::error(
                Code::BadParameter,
                &node.origin,
                format!("{name} of '{}' {what}", escape(&node.name)),
            ));
        };
        if tensor.len() != 1 && tensor.len() != n {
            bad(format!("has {} values for {n} neurons", tensor.len()));
            continue;
        }
        let find = |wrong: &dyn Fn(f64) -> bool| (0..tensor.len()).find(|&i| wrong(tensor.at(i)));
        if let Some(i) = find(&|v| !v.is_finite()) {
            bad(format!("is not finite: element {i} is {}", tensor.at(i)));
        } else if name == "tau"
            && let Some(i) = find(&|v| v <= 0.0)
        {
            bad(format!("must be above 0: element {i} is {}", tensor.at(i)));
        } else if name == "v_threshold"
            && semantics.reset == Reset::MultiSubtract
            && let Some(i) = find(&|v| v <= 0.0)
        {
            bad(format!(
                "must be above 0 for --reset multi-subtract: element {i} is {}",
                tensor.at(i)
            ));
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Diagnostics(errors))
    }
}

/// The parameters of a neuron node by their NIR names; none for other nodes.
pub fn parameters(op: &Op) -> Vec<(&'static str, &Tensor)> {
    match op {
        Op::Lif {
            tau,
            r,
            v_leak,
            v_threshold,
            v_reset,
        } => {
            let mut all = vec![
                ("tau", tau),
                ("r", r),
                ("v_leak", v_leak),
                ("v_threshold", v_threshold),
            ];
            all.extend(v_reset.as_ref().map(|t| ("v_reset", t)));
            all
        }
        Op::If {
            r,
            v_threshold,
            v_reset,
        } => {
            let mut all = vec![("r", r), ("v_threshold", v_threshold)];
            all.extend(v_reset.as_ref().map(|t| ("v_reset", t)));
            all
        }
        Op::Input { .. }
        | Op::Output { .. }
        | Op::Affine { .. }
        | Op::Linear { .. }
        | Op::Scale { .. }
        | Op::Flatten { .. } => Vec::new(),
        _ => Vec::new(),
    }
}
