//! The application graph: populations of neurons and the projections between
//! them.
//!
//! # Time
//! A tick has three phases: receive, update, send. A spike sent in tick `t`
//! over a projection of delay `d` (at least 1) is part of the target's input
//! in tick `t + d`. A population computes network step `s` in tick
//! `s + latency`; before tick `active_from` it does not update at all, not
//! even bias and leak.

use crate::id::{IdVec, PopId, ProjId};
use crate::neuron::Neuron;
use crate::origin::Origin;
use crate::series::Observable;
use crate::tensor::{DType, Shape, Tensor};

#[derive(Clone, Debug, PartialEq, Default)]
pub struct AppGraph {
    pub populations: IdVec<PopId, Population>,
    pub projections: IdVec<ProjId, Projection>,
    pub outputs: Vec<OutputPort>,
}

/// An output node of the network: what it shows is what `source` sends.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputPort {
    pub name: String,
    pub source: PopId,
    pub origin: Origin,
}

/// Atoms of one kind with one set of parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Population {
    pub name: String,
    pub shape: Shape,
    pub model: Model,
    /// Set by `balance-delays`.
    pub timing: Option<Timing>,
    /// Integer type of the input accumulators; set by `quantise`.
    pub accumulator: Option<DType>,
    /// What is recorded on the chip itself (`compile --record`).
    pub record: Vec<Observable>,
    pub origin: Origin,
}

impl Population {
    pub fn n_atoms(&self) -> usize {
        self.shape.len()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// Sends the spikes that the host writes into its memory.
    SpikeSource,
    Neuron(Neuron),
}

/// When a population computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Ticks by which its output lags the network step it belongs to.
    pub latency: u32,
    /// First tick in which it updates.
    pub active_from: u32,
}

/// Synapses from one population to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    pub name: String,
    pub pre: PopId,
    pub post: PopId,
    pub connector: Connector,
    /// Dense: `[post pre]`; float64 until `quantise`, integers after it.
    pub weights: Tensor,
    /// Ticks from sending to acting, at least 1; set by `balance-delays`.
    pub delay: Option<u32>,
    /// The projection closes a cycle: it carries the previous network step.
    pub previous_step: bool,
    pub origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connector {
    /// Every pre atom reaches every post atom.
    Dense,
}

impl AppGraph {
    pub fn population_named(&self, name: &str) -> Option<PopId> {
        self.populations
            .iter()
            .find(|(_, p)| p.name == name)
            .map(|(id, _)| id)
    }
    pub fn incoming(&self, post: PopId) -> impl Iterator<Item = (ProjId, &Projection)> {
        self.projections.iter().filter(move |(_, p)| p.post == post)
    }
    pub fn outgoing(&self, pre: PopId) -> impl Iterator<Item = (ProjId, &Projection)> {
        self.projections.iter().filter(move |(_, p)| p.pre == pre)
    }
    /// Accumulator slots that a population needs: a power of two that covers
    /// the longest incoming delay, so that slot `tick & (slots - 1)` is the
    /// one that is due.
    pub fn slots(&self, post: PopId) -> u32 {
        let longest = self.incoming(post).filter_map(|(_, p)| p.delay).max();
        longest.unwrap_or(1).next_power_of_two()
    }
}
