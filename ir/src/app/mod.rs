//! The application graph: populations of neurons and the projections between
//! them.
//!
//! # Time
//! A tick has three phases: receive, update, send. A spike sent in tick `t`
//! over a projection of delay `d` (at least 1) is part of the target's input
//! in tick `t + d`.
//!
//! A network step takes `ticks_per_step` ticks, P. P is 1 where the graph can be
//! pipelined; otherwise each population has its phase of the step. A population
//! computes network step `s` in tick `s * P + latency` and in no other tick;
//! before tick `active_from` it does not update at all, not even bias and leak.

mod connector;
mod order;
mod reach;

pub use connector::{Connector, Conv, Synapses};
pub use order::AtomOrder;

use crate::id::{IdVec, PopId, ProjId};
use crate::memory::touched;
use crate::neuron::{DiscreteNeuron, Neuron, State};
use crate::origin::Origin;
use crate::series::Observable;
use crate::tensor::{DType, Shape, Tensor};
use std::collections::BTreeSet;

#[derive(Clone, Debug, PartialEq)]
pub struct AppGraph {
    pub populations: IdVec<PopId, Population>,
    pub projections: IdVec<ProjId, Projection>,
    pub outputs: Vec<OutputPort>,
    /// Ticks of a network step, at least 1; set by `balance-delays`.
    pub ticks_per_step: u32,
}

impl Default for AppGraph {
    fn default() -> Self {
        Self {
            populations: IdVec::new(),
            projections: IdVec::new(),
            outputs: Vec::new(),
            ticks_per_step: 1,
        }
    }
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
    /// What its packets carry.
    pub sends: Sends,
    /// How atoms are numbered on the machine: slices, keys and arrays in local
    /// memory follow it, everything in this graph is in C order. Set by
    /// `partition`.
    pub order: AtomOrder,
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

/// What one packet of an atom says in one tick. An atom that has nothing to
/// say (no spike, a count or value of zero) sends no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sends {
    /// One spike: no payload.
    Spikes,
    /// 1 to `max` spikes at once: the payload is their number.
    Counts { max: u32 },
    /// The payload is a float32 in the file's units.
    Values,
}

impl Sends {
    /// Whether its packets carry a payload.
    pub fn has_payload(self) -> bool {
        self != Sends::Spikes
    }
    /// The most that one atom adds to a sum of weights; `None` for values.
    pub fn max_count(self) -> Option<u32> {
        match self {
            Sends::Spikes => Some(1),
            Sends::Counts { max } => Some(max),
            Sends::Values => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// Sends what the host writes into its memory.
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
    /// In the shape that the connector says; float64 until `quantise`, integers
    /// after it.
    pub weights: Tensor,
    /// Ticks from sending to acting, at least 1; set by `balance-delays`.
    pub delay: Option<u32>,
    /// Network steps that it carries late by the network's meaning: 1 where it
    /// closes a cycle, the steps of a Delay, or with `--edge-delay chip` the
    /// step that every projection costs.
    pub lag: u32,
    pub origin: Origin,
}

/// Lists of rows that a vertex needs, of those projections that are listed and not on its
/// MAC array: one for each delay.
pub fn row_lists(listed: &[(ProjId, Option<u32>)], array: &[ProjId]) -> u32 {
    let rows = listed.iter().filter(|(id, _)| !array.contains(id));
    let delays: BTreeSet<Option<u32>> = rows.map(|(_, delay)| *delay).collect();
    delays.len() as u32
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
    /// What the packets of a projection carry.
    pub fn carries(&self, projection: &Projection) -> Sends {
        self.populations[projection.pre].sends
    }
    /// Accumulator slots that a population needs: a power of two that covers
    /// the longest incoming delay of spikes and counts, so that slot
    /// `tick & (slots - 1)` is the one that is due.
    pub fn slots(&self, post: PopId) -> u32 {
        let spikes = self
            .incoming(post)
            .filter(|(_, p)| self.carries(p) != Sends::Values);
        let longest = spikes.filter_map(|(_, p)| p.delay).max();
        longest.unwrap_or(1).next_power_of_two()
    }
    /// Projections into `post` whose rows are listed if their weights have these types:
    /// spikes through dense int8 ones. With their delays.
    pub fn listed(
        &self,
        post: PopId,
        width: impl Fn(ProjId) -> DType,
    ) -> Vec<(ProjId, Option<u32>)> {
        let listed = self.incoming(post).filter(|(id, p)| {
            p.connector == Connector::Dense
                && self.carries(p) == Sends::Spikes
                && width(*id) == DType::I8
        });
        listed.map(|(id, p)| (id, p.delay)).collect()
    }
    /// Whether the update of a population is told which sums were touched: it does nothing
    /// without input, and convolutions, whose blocks of channels are groups of sums, are
    /// all that it hears, one step late.
    pub fn touched(&self, post: PopId, neuron: &DiscreteNeuron) -> bool {
        let channels = match self.populations[post].order {
            AtomOrder::Blocked { channels } => channels as u32,
            AtomOrder::RowMajor => return false,
        };
        let mut all = self.incoming(post).map(|(_, p)| p).peekable();
        channels.is_multiple_of(touched::TARGETS)
            && neuron.state == State::F32
            && neuron.only_integrates()
            && self.slots(post) == 1
            && all.peek().is_some()
            && all.all(|p| {
                matches!(p.connector, Connector::Conv(_)) && self.carries(p) == Sends::Spikes
            })
    }
    /// Rows of values that a vertex of `post` keeps of what `pre` sends: what is
    /// sent in tick `t` lies in row `t & (slots - 1)` until it is overwritten.
    pub fn value_slots(&self, pre: PopId, post: PopId) -> u32 {
        let between = self.incoming(post).filter(|(_, p)| p.pre == pre);
        let longest = between.filter_map(|(_, p)| p.delay).max();
        longest.unwrap_or(1).next_power_of_two()
    }
    /// Whether integer sums reach a population: from spikes or counts, or
    /// because nothing at all does (a sum of nothing is an integer 0).
    pub fn has_integer_input(&self, post: PopId) -> bool {
        let mut all = self.incoming(post).map(|(_, p)| self.carries(p)).peekable();
        all.peek().is_none() || all.any(|s| s != Sends::Values)
    }
    /// Whether spikes or counts reach a population over another projection than this one.
    pub fn adds_beside(&self, projection: ProjId, post: PopId) -> bool {
        self.incoming(post)
            .any(|(id, p)| id != projection && self.carries(p) != Sends::Values)
    }
    /// Whether values reach a population.
    pub fn has_value_input(&self, post: PopId) -> bool {
        self.incoming(post)
            .any(|(_, p)| self.carries(p) == Sends::Values)
    }
}
