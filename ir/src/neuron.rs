//! Neuron models, as the file says them and as the chip steps them.

use crate::semantics::{Compare, SpikeOn};
use crate::tensor::Tensor;

/// A parameter of a population: one value for all atoms, or one each.
#[derive(Clone, Debug, PartialEq)]
pub struct Param(Tensor);

impl Param {
    /// A parameter of `n` atoms: `None` unless the tensor holds 1 or `n` values.
    pub fn new(tensor: Tensor, n: usize) -> Option<Self> {
        (tensor.len() == 1 || tensor.len() == n).then_some(Self(tensor))
    }
    pub fn uniform(value: f64) -> Self {
        Self(Tensor::scalar(value))
    }
    /// One value each; stored as one if they are all the same bits.
    pub fn per_atom(values: Vec<f64>) -> Self {
        let tensor = Tensor::vector(values);
        match tensor.uniform() {
            Some(v) => Self::uniform(v),
            None => Self(tensor),
        }
    }
    pub fn at(&self, atom: usize) -> f64 {
        if self.0.len() == 1 {
            self.0.at(0)
        } else {
            self.0.at(atom)
        }
    }
    /// The value if it is one for all atoms.
    pub fn as_uniform(&self) -> Option<f64> {
        self.0.uniform()
    }
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }
}

/// The most spikes that a neuron sends at once (`--reset multi-subtract`). A
/// membrane that holds more keeps the rest for the next step.
pub const MAX_COUNT: u32 = 255;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NeuronKind {
    Lif,
    If,
    CubaLif,
    Li,
    CubaLi,
    I,
    /// Stateless: a spike where the input passes a threshold.
    Threshold,
    /// Stateless: sends its input; stands where weights, sums or a Delay end
    /// at an Output without a neuron.
    Linear,
}

impl NeuronKind {
    pub const ALL: &'static [NeuronKind] = &[
        NeuronKind::Lif,
        NeuronKind::If,
        NeuronKind::CubaLif,
        NeuronKind::Li,
        NeuronKind::CubaLi,
        NeuronKind::I,
        NeuronKind::Threshold,
        NeuronKind::Linear,
    ];
    pub fn name(self) -> &'static str {
        match self {
            NeuronKind::Lif => "lif",
            NeuronKind::If => "if",
            NeuronKind::CubaLif => "cubalif",
            NeuronKind::Li => "li",
            NeuronKind::CubaLi => "cubali",
            NeuronKind::I => "i",
            NeuronKind::Threshold => "threshold",
            NeuronKind::Linear => "linear",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Neuron {
    Continuous(ContinuousNeuron),
    Discrete(DiscreteNeuron),
}

impl Neuron {
    pub fn kind(&self) -> NeuronKind {
        match self {
            Neuron::Continuous(n) => n.kind,
            Neuron::Discrete(n) => n.kind,
        }
    }
}

/// A constant that may change at known steps: entry `(s, p)` holds from step
/// `s` until the next entry. Steps ascend; the first is 0; empty means zero,
/// and then no addition takes place.
///
/// Changes come from biases on recurrent paths (`--recurrent-bias-t0 off`) and
/// from biases that pass a Delay.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Constant(Vec<(u32, Param)>);

impl Constant {
    pub const ZERO: Constant = Constant(Vec::new());

    /// `None` unless the steps ascend from 0.
    pub fn new(entries: Vec<(u32, Param)>) -> Option<Self> {
        let starts = entries.first().is_none_or(|e| e.0 == 0);
        (starts && entries.windows(2).all(|w| w[0].0 < w[1].0)).then_some(Self(entries))
    }
    /// One value from step 0 on.
    pub fn always(param: Param) -> Self {
        Self(vec![(0, param)])
    }
    pub fn entries(&self) -> &[(u32, Param)] {
        &self.0
    }
    pub fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
    /// The value that holds in a step.
    pub fn at_step(&self, step: u64) -> Option<&Param> {
        let holds = self.0.iter().rev().find(|e| u64::from(e.0) <= step);
        holds.map(|e| &e.1)
    }
    /// The same steps with other values.
    pub fn map(&self, mut f: impl FnMut(&Param) -> Param) -> Self {
        Self(self.0.iter().map(|(s, p)| (*s, f(p))).collect())
    }
}

/// Parameters in the file's units. A parameter that the kind does not have is
/// `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct ContinuousNeuron {
    pub kind: NeuronKind,
    /// Membrane time constant, in the file's time unit.
    pub tau: Option<Param>,
    pub tau_syn: Option<Param>,
    pub w_in: Option<Param>,
    pub r: Option<Param>,
    pub v_leak: Option<Param>,
    pub v_threshold: Option<Param>,
    /// The file's value, 0 where it has none.
    pub v_reset: Option<Param>,
    /// Sum of the biases of all weight nodes that feed the population.
    pub bias: Constant,
    /// In the step after a spike the membrane is held at 0 (`--hold-after-spike`,
    /// resolved for this population).
    pub hold: bool,
}

/// One step of the chip, in this order; every operation rounds by itself:
///
/// ```text
/// x  = float(integer sum) + sum of values times weights     (what there is of it)
/// with a synapse:  i <- decay_syn * i + x + offset_syn       or, `after`,
///                  i <- (i + x + offset_syn) * decay_syn ;   x = i
/// v' = decay * v + gain * x      (leaky; integrate: v + x; fresh: x)
/// v' = v' + offset
/// v' = v' - amount               (pending subtract, after a spike in the step before)
/// v' = 0                         (hold, after a spike in the step before)
/// v' = max(v', floor)
/// spikes if v' > threshold (or >=; or the old v, `judge`), then reset
/// ```
///
/// Before `quantise` everything is in the file's units and units are `None`;
/// the input of a synapse is multiplied by `gain` and its current by
/// `Synapse::drive`.
/// After it the state is counted in `unit`s: `v_file = unit * v` (and
/// `i_file = synapse.unit * i`, where v's unit is the current's times `drive`,
/// so that the drive becomes 1), the weights are integers, `gain` and `drive`
/// are 1 and the other parameters are divided by the unit.
/// Values stay float64 here; the kernels and the fixed reference round each of
/// them to float32 once, or, where [`State::Fixed`] says so, to an integer
/// ([`crate::fixed_point`]).
#[derive(Clone, Debug, PartialEq)]
pub struct DiscreteNeuron {
    pub kind: NeuronKind,
    pub synapse: Option<Synapse>,
    pub membrane: Membrane,
    pub gain: Param,
    pub offset: Constant,
    /// `None`: the population sends `unit * v` as a value.
    pub fire: Option<Fire>,
    pub unit: Option<Param>,
    /// Chosen by `quantise`.
    pub state: State,
}

/// How the chip keeps membranes and currents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum State {
    /// As float32; the law above, each operation rounded.
    #[default]
    F32,
    /// As int32, in `2^-shift` of a unit; the law of [`crate::fixed_point`].
    Fixed { shift: u8 },
}

/// A synaptic current between the input and the membrane.
#[derive(Clone, Debug, PartialEq)]
pub struct Synapse {
    pub decay: Param,
    /// The decay multiplies after the input is added.
    pub after: bool,
    pub offset: Constant,
    /// Factor from current to membrane; 1 after `quantise`.
    pub drive: Param,
    pub unit: Option<Param>,
}

/// What remains of the membrane from one step to the next.
#[derive(Clone, Debug, PartialEq)]
pub enum Membrane {
    /// v times a factor.
    Leaky(Param),
    /// All of it: no multiplication takes place.
    Integrate,
    /// Nothing: a stateless node.
    Fresh,
}

/// When the population spikes and what a spike does.
#[derive(Clone, Debug, PartialEq)]
pub struct Fire {
    pub threshold: Param,
    pub compare: Compare,
    /// Which membrane is compared: this step's or the one before.
    pub judge: SpikeOn,
    pub reset: ResetRule,
    /// In the step after a spike v is set to 0 and x does not reach it.
    pub hold: bool,
    /// Lower bound of the membrane.
    pub floor: Option<Param>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ResetRule {
    /// v becomes the value.
    To(Param),
    /// v falls by the value.
    Subtract(Param),
    /// v falls by the value in the step after the spike, before the comparison.
    Pending(Param),
    /// As many spikes as thresholds fit into v, at most [`MAX_COUNT`]; v falls
    /// by the threshold for each. With a strict comparison a multiple of the
    /// threshold keeps its last spike.
    Multi,
    /// v is left alone.
    Keep,
}

impl ResetRule {
    pub fn amount(&self) -> Option<&Param> {
        match self {
            ResetRule::To(p) | ResetRule::Subtract(p) | ResetRule::Pending(p) => Some(p),
            ResetRule::Multi | ResetRule::Keep => None,
        }
    }
}

impl DiscreteNeuron {
    /// Whether the neuron remembers for one step that it spiked.
    pub fn remembers_spikes(&self) -> bool {
        let pending = |f: &Fire| f.hold || matches!(f.reset, ResetRule::Pending(_));
        self.fire.as_ref().is_some_and(pending)
    }

    /// Whether nothing but sums changes a membrane that did not spike.
    pub fn only_integrates(&self) -> bool {
        let plain = |f: &Fire| f.judge == SpikeOn::New && !f.hold && f.floor.is_none();
        self.membrane == Membrane::Integrate
            && self.synapse.is_none()
            && self.offset.is_zero()
            && self.fire.as_ref().is_some_and(plain)
    }
}
