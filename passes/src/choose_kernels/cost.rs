//! Cycles of a dense projection into a slice, by kernel, for an activity.

use crate::activity::{Activity, Rates};
use ir::app::{AppGraph, Sends};
use ir::id::{IdVec, NetId, PopId, ProjId, VertexId};
use ir::machine_graph::{MachineGraph, Net};
use ir::memory::{lists, padded};
use ir::{DType, KeyMask, Target};
use std::collections::{BTreeMap, BTreeSet};

/// What every population sends.
#[derive(Debug)]
pub(super) struct Traffic<'a> {
    app: &'a AppGraph,
    target: &'a Target,
    /// Packets in each of the steps that stand for all.
    steps: IdVec<PopId, Vec<f64>>,
}

/// A projection into a slice of `targets` atoms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) projection: ProjId,
    pub(super) targets: u32,
    pub(super) sums: DType,
    pub(super) arrival: Arrival,
}

/// How packets are told apart that reach a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// All come from one source population, by one range of keys.
    Alone,
    /// All come by one range of keys, if nothing is counted for the array.
    Joined,
    /// By several ranges.
    Apart,
}

impl Arrival {
    pub(super) fn of(
        graph: &MachineGraph,
        keys: &BTreeMap<NetId, KeyMask>,
        vertex: VertexId,
        listed: bool,
    ) -> Self {
        let nets: Vec<_> = graph.nets_into(vertex).collect();
        let source = |net: &Net| &graph.vertices[net.source];
        let pops = nets.iter().map(|(_, net)| source(net).population);
        let pops: BTreeSet<PopId> = pops.collect();
        let key = |id: &NetId| keys.get(id).map(|k| k.key());
        let ranges = nets
            .iter()
            .map(|(id, net)| Some((key(id)?, source(net).slice.n)));
        let ranges: Option<Vec<(u32, u32)>> = ranges.collect();
        let one = nets.len() == 1
            || ranges.is_some_and(|mut ranges| {
                ranges.sort_unstable();
                ranges.windows(2).all(|w| w[0].0 + w[0].1 == w[1].0)
            });
        match (one && listed, pops.len()) {
            (true, 1) => Self::Alone,
            (true, _) => Self::Joined,
            (false, _) => Self::Apart,
        }
    }
}

/// Cycles of a mean network step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cost {
    pub(super) rows: f64,
    pub(super) array: f64,
}

impl<'a> Traffic<'a> {
    pub(super) fn new(app: &'a AppGraph, activity: &Activity, target: &'a Target) -> Self {
        let mut steps = IdVec::new();
        for p in app.populations.values() {
            steps.push(packets(&activity.of(p, target)));
        }
        Self { app, target, steps }
    }

    pub(super) fn cost(&self, ends: Ends) -> Cost {
        let p = &self.app.projections[ends.projection];
        let weight = p.weights.dtype();
        let steps = &self.steps[p.pre];
        let rows = steps.iter().map(|&n| self.rows(n, weight, ends));
        let sources = self.app.populations[p.pre].n_atoms() as u64;
        let product = self.product(sources, weight, ends);
        let packets = mean(steps.iter().copied());
        let decode = centi(self.target.planning.decode_centicycles);
        let counted = centi(self.target.planning.array_packet_centicycles);
        // Where rows of several populations are listed alike, counting one of them sets
        // the others apart too.
        let (rows_apart, array_apart) = match ends.arrival {
            Arrival::Alone => (0.0, 0.0),
            Arrival::Joined => (0.0, self.heard(p.post)),
            Arrival::Apart => (packets, packets),
        };
        Cost {
            rows: mean(rows) + rows_apart * decode,
            array: packets * counted + array_apart * decode + self.busy(p.post) * product,
        }
    }

    /// Adding the rows of `n` packets of one step.
    fn rows(&self, n: f64, weight: DType, ends: Ends) -> f64 {
        let plan = &self.target.planning;
        let targets = f64::from(padded(ends.targets));
        let (packet, synapse, target) = match (weight, ends.sums) {
            (DType::I8, DType::I16) => (
                plan.listed_packet_centicycles,
                plan.listed_i8_i16_centicycles,
                plan.listed_i16_target_centicycles,
            ),
            (DType::I8, _) => (
                plan.listed_packet_centicycles,
                plan.listed_i8_i32_centicycles,
                plan.listed_i32_target_centicycles,
            ),
            _ => (
                plan.streamed_packet_centicycles,
                plan.streamed_i16_i32_centicycles,
                0,
            ),
        };
        // A full list is added at once.
        let lists = any(n).max((n / f64::from(lists::ROWS)).ceil() - 1.0);
        n * (centi(packet) + targets * centi(synapse)) + lists * targets * centi(target)
    }

    /// One product.
    fn product(&self, sources: u64, weight: DType, ends: Ends) -> f64 {
        let plan = &self.target.planning;
        let targets = padded(ends.targets);
        let cycles = self
            .target
            .mla
            .vector_cycles(sources, u64::from(targets), weight);
        let post = self.app.projections[ends.projection].post;
        let added = match (self.app.adds_beside(ends.projection, post), ends.sums) {
            (false, _) => 0,
            (true, DType::I16) => plan.array_added_i16_centicycles,
            (true, _) => plan.array_added_i32_centicycles,
        };
        let fixed = f64::from(plan.array_tick_cycles) + cycles as f64;
        fixed + f64::from(targets) * centi(added)
    }

    fn pres(&self, post: PopId) -> BTreeSet<PopId> {
        self.app.incoming(post).map(|(_, p)| p.pre).collect()
    }

    /// Packets of a mean step that reach a population.
    fn heard(&self, post: PopId) -> f64 {
        let pres = self.pres(post).into_iter();
        pres.map(|pre| mean(self.steps[pre].iter().copied())).sum()
    }

    /// Ticks of a step in which anything arrives at a population: in others nothing is
    /// multiplied.
    fn busy(&self, post: PopId) -> f64 {
        let ticks = self.app.ticks_per_step.max(1);
        let mut phases: BTreeMap<u32, f64> = BTreeMap::new();
        for pre in self.pres(post) {
            let latency = self.app.populations[pre].timing.map_or(0, |t| t.latency);
            let packets = mean(self.steps[pre].iter().copied());
            *phases.entry((latency + 1) % ticks).or_default() += packets;
        }
        phases.into_values().map(any).sum()
    }
}

/// Whether spikes are sent over a projection.
pub(super) fn carries_spikes(app: &AppGraph, projection: ProjId) -> bool {
    app.carries(&app.projections[projection]) == Sends::Spikes
}

fn packets(rates: &Rates) -> Vec<f64> {
    let step = |scale: &f64| rates.atoms.iter().map(|r| (r * scale).min(1.0)).sum();
    rates.profile.iter().map(step).collect()
}

/// The chance that something arrives where `n` packets arrive on average.
fn any(n: f64) -> f64 {
    1.0 - (-n).exp()
}

fn centi(centicycles: u32) -> f64 {
    f64::from(centicycles) / 100.0
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0), |(sum, n), v| (sum + v, n + 1));
    sum / f64::from(n.max(1))
}
