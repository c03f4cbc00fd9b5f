//! What a choice of formats costs in PEs, population by population: the slices
//! of those already chosen bound what the next one receives.

use super::Costs;
use super::scale::Candidate;
use crate::partition::{cap, cycle_limit, estimate};
use crate::regions::{Cuts, Need, Sender};
use ir::app::{AppGraph, AtomOrder};
use ir::diag::Diagnostic;
use ir::id::{Id, PopId, VertexId};
use ir::machine_graph::AtomSlice;

pub(super) struct Bill<'a> {
    app: &'a AppGraph,
    costs: &'a Costs<'a>,
    cuts: Cuts,
    vertices: usize,
}

/// How a population would be cut.
pub(super) struct Cost {
    order: AtomOrder,
    /// `None` if it does not fit at all.
    slices: Option<Vec<AtomSlice>>,
    pub(super) in_time: bool,
}

impl Cost {
    pub(super) fn pes(&self) -> usize {
        self.slices.as_ref().map_or(usize::MAX, Vec::len)
    }
}

impl<'a> Bill<'a> {
    pub(super) fn new(app: &'a AppGraph, costs: &'a Costs<'a>) -> Self {
        Self {
            app,
            costs,
            cuts: Cuts::new(),
            vertices: 0,
        }
    }

    /// Books a source, which has no choice.
    pub(super) fn source(&mut self, pop: PopId) -> Result<(), Diagnostic> {
        let need = Need::of(self.app, pop)?;
        let cost = self.cut(pop, &need);
        self.settle(pop, cost);
        Ok(())
    }

    /// What a candidate would cost.
    pub(super) fn of(&self, pop: PopId, candidate: &Candidate) -> Result<Cost, Diagnostic> {
        let width = |_| candidate.format.dtype();
        let (neuron, accumulator) = (&candidate.neuron, candidate.accumulator);
        let need = Need::neurons(self.app, pop, neuron, accumulator, width)?;
        Ok(self.cut(pop, &need))
    }

    fn cut(&self, pop: PopId, need: &Need) -> Cost {
        let (app, costs) = (self.app, self.costs);
        let limit = cycle_limit(costs.target, costs.time_step_us, app.ticks_per_step);
        let cap = cap(&app.populations[pop], costs.options);
        let found = estimate(app, pop, (need, &self.cuts), costs.target, limit, cap);
        let (slices, in_time) = match found {
            Some((slices, in_time)) => (Some(slices), in_time),
            None => (None, false),
        };
        Cost {
            order: need.order,
            slices,
            in_time,
        }
    }

    /// Books what was chosen.
    pub(super) fn settle(&mut self, pop: PopId, cost: Cost) {
        let Cost { order, slices, .. } = cost;
        let senders = slices.into_iter().flatten().map(|slice| {
            self.vertices += 1;
            Sender {
                vertex: VertexId::from_index(self.vertices - 1),
                slice,
                order,
            }
        });
        let senders: Vec<Sender> = senders.collect();
        if !senders.is_empty() {
            self.cuts.insert(pop, senders);
        }
    }
}
