//! Neuron models, as the file says them and as the chip steps them.

use crate::semantics::Compare;
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeuronKind {
    Lif,
    If,
}

impl NeuronKind {
    pub fn name(self) -> &'static str {
        match self {
            NeuronKind::Lif => "lif",
            NeuronKind::If => "if",
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

/// Parameters in the file's units. `bias` is the sum of the biases of all
/// weight nodes that feed the population.
#[derive(Clone, Debug, PartialEq)]
pub struct ContinuousNeuron {
    pub kind: NeuronKind,
    /// Time constant in the file's time unit; `None` for IF.
    pub tau: Option<Param>,
    pub r: Param,
    /// `None` for IF.
    pub v_leak: Option<Param>,
    pub v_threshold: Param,
    /// The file's value, 0 where it has none.
    pub v_reset: Param,
    pub bias: Param,
}

/// One step of the chip:
///
/// ```text
/// v <- decay * v + gain * (sum of weights of arriving spikes) + offset
/// spike if v > threshold (or >=), then reset
/// ```
///
/// Before `quantise` everything is in the file's units and `unit` is `None`.
/// After it the state is counted in `unit`s: `v_file = unit * v`, the weights
/// are integers, `gain` is 1 and the other parameters are divided by `unit`.
/// Values stay float64 here; the kernels and the fixed reference round each of
/// them to float32 once.
#[derive(Clone, Debug, PartialEq)]
pub struct DiscreteNeuron {
    pub kind: NeuronKind,
    /// `None` for a membrane without leak (IF): no multiplication takes place.
    pub decay: Option<Param>,
    pub gain: Param,
    /// `None` if it is zero for all atoms: no addition takes place.
    pub offset: Option<Param>,
    pub threshold: Param,
    pub reset: ResetRule,
    pub compare: Compare,
    pub unit: Option<Param>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ResetRule {
    /// v becomes the value.
    To(Param),
    /// v falls by the value.
    Subtract(Param),
    /// v is left alone.
    Keep,
}
