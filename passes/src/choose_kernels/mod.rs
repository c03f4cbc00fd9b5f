//! `choose-kernels`: which dense projections each slice multiplies on its MAC array, and
//! which it adds row by row.
//!
//! A row costs cycles for each packet, a product the same in every tick in which anything
//! arrives, so that the array wins above some activity: the measured one, or the target's
//! default. The mean step decides. A product takes the same in busy steps as in quiet
//! ones (but for noting packets), rows take more in busy ones; so where the array is
//! better in the mean it is better still in the busiest step.
//!
//! The array takes what it computes exactly: int8 and int16 weights of projections that
//! carry spikes, sums within its accumulators, and slices whose memory holds the counts
//! too.

mod cost;
mod messages;

use crate::contract::Contract;
use crate::manager::{MappingOptions, PassContext};
use crate::partition;
use crate::regions::{self, Links, Need, Sender};
use crate::registry::{ChooseKernels, Transform};
use cost::{Arrival, Ends, Traffic};
use ir::app::{AppGraph, AtomOrder, Connector};
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::facts::Fact;
use ir::fixed::dense_bound;
use ir::id::{NetId, PopId, ProjId, VertexId};
use ir::machine_graph::{AtomSlice, Budget, MachineGraph};
use ir::memory::padded;
use ir::{DType, KeyMask, Module, Target};
use std::collections::{BTreeMap, BTreeSet};

/// Keys, as far as they are allocated: neighbours are told apart at less cost.
type Keys = BTreeMap<NetId, KeyMask>;

/// What `--kernels` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kernels {
    /// Whatever takes fewer cycles in a mean step.
    #[default]
    Auto,
    /// No products.
    Rows,
    /// Every dense projection of spikes on the MAC array.
    Mac,
}

impl Kernels {
    pub const ALL: [Kernels; 3] = [Kernels::Auto, Kernels::Rows, Kernels::Mac];

    pub fn name(self) -> &'static str {
        match self {
            Kernels::Auto => "auto",
            Kernels::Rows => "rows",
            Kernels::Mac => "mac",
        }
    }
}

/// A dense projection of spikes into a slice, and what the kernels would take.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub vertex: VertexId,
    pub projection: ProjId,
    /// Cycles of a mean network step, rows added.
    pub rows: u64,
    /// The same on the MAC array, possible or not.
    pub array: u64,
    pub refusal: Option<Refusal>,
}

/// Why the array can't multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Weights(DType),
    Sums { most: u64, holds: u64 },
    Sources { atoms: u64, most: u32 },
    Alignment { row: u32, align: u32 },
    Memory { bytes: u64, available: u32 },
}

impl Transform for ChooseKernels {
    const CONTRACT: Contract = Contract::requires(&[Fact::Partitioned, Fact::Quantised])
        .establishes(&[Fact::Selected])
        .destroys(&[Fact::LaidOut]);

    fn run(module: &mut Module, context: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        let Module {
            app,
            machine_graph,
            keys,
            ..
        } = module;
        choose(app, (machine_graph, keys), context.target, context.options)?;
        Ok(Vec::new())
    }
}

/// Chooses for every vertex, and gives it the budget of the choice.
pub fn choose(
    app: &AppGraph,
    (graph, keys): (&mut MachineGraph, &Keys),
    target: &Target,
    options: &MappingOptions,
) -> Result<()> {
    let mut errors = Vec::new();
    let mut told = BTreeSet::new();
    let mut chosen = Vec::new();
    each_slice(app, (graph, keys), target, options, |slice, mut found| {
        let budget = slice.select(&mut found, options.kernels);
        let array: Vec<ProjId> = match budget {
            Some(_) => found.iter().filter(|f| f.wanted).map(|f| f.id).collect(),
            None => Vec::new(),
        };
        let refused = found.iter().filter_map(|f| Some((f, f.refusal?)));
        // One slice of each projection shows what is wrong with it.
        let refused = refused.filter(|(f, _)| told.insert(f.id));
        if options.kernels == Kernels::Mac {
            errors.extend(refused.map(|(f, why)| messages::refused(app, slice, f.id, why)));
        }
        chosen.push((slice.sender.vertex, array, budget));
    })?;
    if !errors.is_empty() {
        return Err(Diagnostics(errors));
    }
    for (vertex, array, budget) in chosen {
        let vertex = &mut graph.vertices[vertex];
        let old = std::mem::replace(&mut vertex.array, array);
        // A budget of rows alone is what `partition`, or a person, wrote.
        if let Some(budget) = budget
            && !(old.is_empty() && vertex.array.is_empty())
        {
            vertex.budget = budget;
        }
    }
    Ok(())
}

/// What is known of every dense projection of spikes into every vertex.
pub fn judge(
    app: &AppGraph,
    graph: (&MachineGraph, &Keys),
    target: &Target,
    options: &MappingOptions,
) -> Result<Vec<Judgement>> {
    let mut all = Vec::new();
    each_slice(app, graph, target, options, |slice, mut found| {
        slice.select(&mut found, Kernels::Mac);
        all.extend(found.into_iter().map(|f| Judgement {
            vertex: slice.sender.vertex,
            projection: f.id,
            rows: f.cost.rows.round() as u64,
            array: f.cost.array.round() as u64,
            refusal: f.refusal,
        }));
    })?;
    all.sort_by_key(|j| (j.vertex, j.projection));
    Ok(all)
}

/// A slice with what its size depends on.
struct Slice<'a> {
    sender: &'a Sender,
    need: &'a Need,
    links: &'a Links<'a>,
    target: &'a Target,
}

/// A projection that may be multiplied.
struct Found {
    id: ProjId,
    cost: cost::Cost,
    refusal: Option<Refusal>,
    wanted: bool,
}

fn each_slice(
    app: &AppGraph,
    (graph, keys): (&MachineGraph, &Keys),
    target: &Target,
    options: &MappingOptions,
    mut visit: impl FnMut(&Slice<'_>, Vec<Found>),
) -> Result<()> {
    let traffic = Traffic::new(app, &options.activity, target);
    let cuts = regions::cuts(app, graph);
    for (&pop, senders) in &cuts {
        let need = partition::need(app, pop, target, options)?;
        let links = Links::new(app, pop, &need, &cuts);
        let dense = candidates(app, pop).count();
        if dense == 0 {
            continue;
        }
        let listed = dense == need.incoming().len();
        for sender in senders {
            let arrival = Arrival::of(graph, keys, sender.vertex, listed);
            let found = candidates(app, pop).map(|id| {
                let ends = Ends {
                    projection: id,
                    targets: sender.slice.n,
                    sums: need.accumulator().unwrap_or(DType::I32),
                    arrival,
                };
                Found {
                    id,
                    cost: traffic.cost(ends),
                    refusal: inexact(app, (id, pop), sender.slice, (&need, target)),
                    wanted: false,
                }
            });
            let slice = Slice {
                sender,
                need: &need,
                links: &links,
                target,
            };
            visit(&slice, found.collect());
        }
    }
    Ok(())
}

/// Dense projections of spikes.
fn candidates(app: &AppGraph, pop: PopId) -> impl Iterator<Item = ProjId> + '_ {
    let dense = app
        .incoming(pop)
        .filter(|(_, p)| p.connector == Connector::Dense);
    dense
        .map(|(id, _)| id)
        .filter(|&id| cost::carries_spikes(app, id))
}

/// Why a product would not be exact or not be taken, apart from memory.
fn inexact(
    app: &AppGraph,
    (id, pop): (ProjId, PopId),
    slice: AtomSlice,
    (need, target): (&Need, &Target),
) -> Option<Refusal> {
    let projection = &app.projections[id];
    let weight = projection.weights.dtype();
    if !matches!(weight, DType::I8 | DType::I16) {
        return Some(Refusal::Weights(weight));
    }
    let atoms = app.populations[projection.pre].n_atoms() as u64;
    let most = target.mla.max_size;
    if atoms > u64::from(most) {
        return Some(Refusal::Sources { atoms, most });
    }
    let size = need.accumulator().map_or(4, DType::size) as u32;
    let (row, align) = (padded(slice.n) * size, target.mla.align_bytes);
    if need.slots() > 1 && !row.is_multiple_of(align) {
        return Some(Refusal::Alignment { row, align });
    }
    let holds = target.mla.largest_sum(weight);
    let largest = if weight == DType::I8 { 1 << 7 } else { 1 << 15 };
    if atoms * largest <= holds {
        return None;
    }
    let post = &app.populations[pop];
    let order: AtomOrder = post.order;
    let positions = slice.lo as usize..(slice.lo + slice.n) as usize;
    let targets = positions.map(|p| order.atom_at(p, &post.shape));
    let most = dense_bound(app, id, targets).unwrap_or(u64::MAX);
    (most > holds).then_some(Refusal::Sums { most, holds })
}

impl Slice<'_> {
    /// Marks what goes on the array and gives the budget for it. What does not fit any more
    /// is refused, that with the least gain first.
    fn select(&self, found: &mut [Found], kernels: Kernels) -> Option<Budget> {
        for f in found.iter_mut() {
            let better = f.cost.array < f.cost.rows;
            f.wanted = f.refusal.is_none()
                && match kernels {
                    Kernels::Auto => better,
                    Kernels::Rows => false,
                    Kernels::Mac => true,
                };
        }
        loop {
            let array = found.iter().filter(|f| f.wanted).map(|f| f.id).collect();
            let need = self.need.clone().on_array(array);
            if let Some(budget) = need.fit(self.sender.slice, self.links, self.target) {
                return Some(budget);
            }
            let sizes = need.budget(self.sender.slice, self.links, self.target);
            let wanted = found.iter_mut().filter(|f| f.wanted);
            let gain = |f: &Found| f.cost.rows - f.cost.array;
            let least = wanted.min_by(|a, b| gain(a).total_cmp(&gain(b)))?;
            least.wanted = false;
            least.refusal = Some(Refusal::Memory {
                bytes: sizes.bytes(),
                available: self.target.memory.sram_bytes,
            });
        }
    }
}

#[cfg(test)]
mod tests;
