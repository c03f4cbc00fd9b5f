//! What a slice of a population needs on its PE: regions with exact sizes and
//! estimated cycles.
//!
//! `partition` asks how many atoms fit, `quantise` whether wider weights cost
//! a PE, `lay-out-memory` where each region goes. All of them ask here, so
//! they can't disagree. Every size is a multiple of [`ALIGN`], so laying the
//! regions end to end needs no padding and sizes add up exactly.

mod arrays;
mod links;
mod load;
mod receive;
mod sizes;
mod update;

pub use arrays::parameter_arrays;
pub(crate) use links::cuts;
pub use links::{Bundle, Cuts, Links, Sender, Work};
pub use load::{Busy, Load};
pub use sizes::Sizes;

use ir::Target;
use ir::app::{AppGraph, AtomOrder, Connector, Conv, Model, Population, Sends, row_lists};
use ir::diag::Diagnostic;
use ir::id::{PopId, ProjId, VertexId};
use ir::machine_graph::{AtomSlice, Budget};
use ir::memory::{self, RegionKind, control, events, lists, padded, record};
use ir::neuron::{DiscreteNeuron, Neuron};
use ir::origin::escape;
use ir::series::Observable;
use ir::tensor::DType;
use std::collections::BTreeMap;

/// Alignment of every region in bytes; the stack needs it.
pub const ALIGN: u64 = 8;

/// Alignment of the receive ring and the event region.
const RING_ALIGN: u64 = 16;

/// Upper bound of a spike record, as far as one frame allows.
const RECORD_BYTES: u32 = 4096;

/// The most that the shared kernels of a population may take of a PE; a block
/// has as many channels as that allows.
const KERNEL_BYTES: u64 = 40 * 1024;

/// One projection into a population, as memory and time see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    pub projection: ProjId,
    pub pre: PopId,
    /// Element type of the rows.
    pub weights: DType,
}

/// What the vertices of a population need, whatever their size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Atoms of the whole population.
    pub n_atoms: u32,
    /// The order in which it is cut.
    pub order: AtomOrder,
    pub kind: NeedKind,
    /// Whether spikes are recorded on the chip.
    pub records: bool,
    /// Projections on the MAC array.
    pub array: Vec<ProjId>,
    /// For which cycles are estimated; without one, the target's planning activity.
    pub load: Option<Load>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NeedKind {
    Source {
        /// Its events carry payloads.
        payload: bool,
    },
    Neurons(Neurons),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neurons {
    /// Parameters that need an array, as float32.
    arrays: Vec<RegionKind>,
    /// State beside the membrane: float32 or words.
    state: Vec<RegionKind>,
    slots: u32,
    /// `None` where no integers arrive.
    accumulator: Option<DType>,
    /// Whether sums are marked where something is added.
    touched: bool,
    /// Projections whose rows are listed, with their delays.
    listed: Vec<(ProjId, Option<u32>)>,
    /// Those of spikes and counts, if there are several.
    several: bool,
    /// Rows of values that are kept, by sending population.
    value_slots: BTreeMap<PopId, u32>,
    /// Bytes of an entry of the receive ring.
    ring_entry: u64,
    /// Ascending by projection.
    incoming: Vec<Incoming>,
    law: update::Law,
}

impl Need {
    /// The needs of a quantised population.
    pub fn of(app: &AppGraph, pop: PopId) -> Result<Self, Diagnostic> {
        let population = &app.populations[pop];
        let need = match &population.model {
            Model::SpikeSource => Self {
                n_atoms: atoms(population)?,
                order: population.order,
                kind: NeedKind::Source {
                    payload: population.sends.has_payload(),
                },
                records: population.record.contains(&Observable::Spikes),
                array: Vec::new(),
                load: None,
            },
            Model::Neuron(Neuron::Discrete(neuron)) => {
                let width = |id: ProjId| app.projections[id].weights.dtype();
                Self::neurons(app, pop, neuron, population.accumulator, width)?
            }
            Model::Neuron(Neuron::Continuous(_)) => return Err(not_yet(population)),
        };
        Ok(Self {
            order: population.order,
            ..need
        })
    }

    /// The needs of a neuron population if it had these parameters, this
    /// accumulator and these row types, in the order that suits them.
    pub fn neurons(
        app: &AppGraph,
        pop: PopId,
        neuron: &DiscreteNeuron,
        accumulator: Option<DType>,
        width: impl Fn(ProjId) -> DType,
    ) -> Result<Self, Diagnostic> {
        let population = &app.populations[pop];
        let integers = app.has_integer_input(pop);
        if integers && accumulator.is_none() {
            return Err(not_yet(population));
        }
        let incoming = app.incoming(pop).map(|(projection, p)| Incoming {
            projection,
            pre: p.pre,
            weights: width(projection),
        });
        let incoming: Vec<Incoming> = incoming.collect();
        let sends = |i: &Incoming| app.populations[i.pre].sends;
        let mut state = Vec::new();
        if neuron.synapse.is_some() {
            state.push(RegionKind::I);
        }
        if neuron.remembers_spikes() {
            state.push(RegionKind::Pending);
        }
        let values = incoming.iter().filter(|i| sends(i) == Sends::Values);
        let neurons = Neurons {
            arrays: parameter_arrays(neuron),
            state,
            slots: app.slots(pop),
            listed: app.listed(pop, &width),
            several: incoming
                .iter()
                .filter(|i| sends(i) != Sends::Values)
                .count()
                > 1,
            accumulator: accumulator.filter(|_| integers),
            touched: app.touched(pop, neuron),
            value_slots: values
                .map(|i| (i.pre, app.value_slots(i.pre, pop)))
                .collect(),
            ring_entry: match incoming.iter().any(|i| sends(i).has_payload()) {
                true => 8,
                false => 4,
            },
            incoming,
            law: update::Law::of(neuron),
        };
        Ok(Self {
            n_atoms: atoms(population)?,
            order: order(app, population, &neurons.incoming, u32::MAX),
            kind: NeedKind::Neurons(neurons),
            records: population.record.contains(&Observable::Spikes),
            array: Vec::new(),
            load: None,
        })
    }

    pub fn incoming(&self) -> &[Incoming] {
        match &self.kind {
            NeedKind::Source { .. } => &[],
            NeedKind::Neurons(n) => &n.incoming,
        }
    }

    pub fn accumulator(&self) -> Option<DType> {
        match &self.kind {
            NeedKind::Source { .. } => None,
            NeedKind::Neurons(n) => n.accumulator,
        }
    }

    /// Rows of accumulators.
    pub fn slots(&self) -> u32 {
        match &self.kind {
            NeedKind::Source { .. } => 0,
            NeedKind::Neurons(n) => n.slots,
        }
    }

    /// The regions of a slice, in the order of their addresses except for the
    /// stack, which ends the memory.
    pub fn regions(
        &self,
        slice: AtomSlice,
        links: &Links<'_>,
        target: &Target,
    ) -> Vec<(RegionKind, u64)> {
        let bundles = links.bundles_into(slice, self.accumulator());
        self.regions_with(slice, links, &bundles, target)
    }

    /// Bytes and cycles of a slice.
    pub fn budget(&self, slice: AtomSlice, links: &Links<'_>, target: &Target) -> Sizes {
        let bundles = links.bundles_into(slice, self.accumulator());
        let regions = self.regions_with(slice, links, &bundles, target);
        Sizes::sum(&regions, self.cycles(slice.n, &bundles, target))
    }

    /// The budget of a slice, if it fits a PE and its rows fit their format.
    pub fn fit(&self, slice: AtomSlice, links: &Links<'_>, target: &Target) -> Option<Budget> {
        let bundles = links.bundles_into(slice, self.accumulator());
        let regions = self.regions_with(slice, links, &bundles, target);
        let sizes = Sizes::sum(&regions, self.cycles(slice.n, &bundles, target));
        sizes
            .fit(target)
            .filter(|_| bundles.iter().all(|b| b.fits_rows))
    }

    fn regions_with(
        &self,
        slice: AtomSlice,
        links: &Links<'_>,
        bundles: &[Bundle],
        target: &Target,
    ) -> Vec<(RegionKind, u64)> {
        let memory = &target.memory;
        // A product is about as much code as four row calls.
        let parts = bundles.len() + 4 * self.array.len();
        let rows = parts as u64 * u64::from(memory.text_per_rows);
        let mut all = vec![
            (
                RegionKind::Text,
                align(u64::from(memory.text_reserve) + rows),
            ),
            (RegionKind::Control, u64::from(control::BYTES)),
        ];
        match &self.kind {
            NeedKind::Source { payload } => {
                let tick = events::tick_bytes(slice.n, *payload).next_multiple_of(RING_ALIGN);
                all.push((RegionKind::Events, tick.max(u64::from(memory.events_bytes))));
            }
            NeedKind::Neurons(neurons) => {
                let reach = Reach {
                    links,
                    bundles,
                    array: &self.array,
                };
                neurons.regions(slice.n, &reach, &mut all);
            }
        }
        if self.records {
            all.push((RegionKind::SpikeRecord, record_bytes(slice.n)));
        }
        all.push((RegionKind::Stack, align(u64::from(memory.stack_bytes))));
        if !self.array.is_empty() {
            let wide = u64::from(target.mla.align_bytes).max(ALIGN);
            for (_, bytes) in &mut all {
                *bytes = bytes.next_multiple_of(wide);
            }
        }
        all
    }

    /// The same need with these projections, ascending, on the MAC array.
    #[must_use]
    pub fn on_array(self, array: Vec<ProjId>) -> Self {
        Self { array, ..self }
    }
}

/// What reaches a slice.
struct Reach<'a> {
    links: &'a Links<'a>,
    bundles: &'a [Bundle],
    array: &'a [ProjId],
}

impl Neurons {
    fn regions(&self, n: u32, reach: &Reach<'_>, all: &mut Vec<(RegionKind, u64)>) {
        let Reach {
            links,
            bundles,
            array,
        } = *reach;
        let (word, width) = (align(4 * u64::from(n)), u64::from(padded(n)));
        all.extend(self.arrays.iter().map(|&kind| (kind, word)));
        all.push((RegionKind::V, word));
        all.extend(self.state.iter().map(|&kind| (kind, word)));
        if let Some(accumulator) = self.accumulator {
            let sums = u64::from(self.slots) * width * accumulator.size() as u64;
            all.push((RegionKind::Accumulators, align(sums)));
            if self.touched {
                let marks = u64::from(memory::touched::bytes(n));
                all.push((RegionKind::Touched, align(marks)));
            }
            if self.several && !array.is_empty() {
                let row = width * accumulator.size() as u64;
                all.push((RegionKind::Product, align(row)));
            }
        }
        if !self.value_slots.is_empty() {
            all.push((RegionKind::Currents, align(4 * width)));
        }
        let mut values: BTreeMap<VertexId, u64> = BTreeMap::new();
        for b in bundles.iter().filter(|b| b.carries == Sends::Values) {
            let pre = self.incoming.iter().find(|i| i.projection == b.projection);
            let slots = pre.and_then(|i| self.value_slots.get(&i.pre));
            let row = 4 * u64::from(padded(b.sender.slice.n));
            let bytes = u64::from(slots.copied().unwrap_or(1)) * row;
            values.insert(b.sender.vertex, align(bytes));
        }
        let values = values.into_iter();
        all.extend(values.map(|(source, bytes)| (RegionKind::Values { source }, bytes)));
        let lists = row_lists(&self.listed, array);
        if lists > 0 {
            let bytes = u64::from(lists) * u64::from(lists::BYTES);
            all.push((RegionKind::Lists, align(bytes)));
        }
        // Two ticks of every source atom, and one entry that stays free to
        // tell a full ring from an empty one.
        let ring = self.ring_entry * (2 * source_atoms(bundles) + 1);
        all.push((RegionKind::Ring, ring.next_multiple_of(RING_ALIGN)));
        for &projection in array {
            let from = bundles.iter().filter(|b| b.projection == projection);
            let (atoms, bytes) = from.fold((0, 0), |(atoms, bytes), b| {
                (atoms + u64::from(b.sender.slice.n), bytes + b.bytes)
            });
            let counts = memory::array::counts_bytes(atoms);
            all.push((RegionKind::Counts { projection }, align(counts)));
            all.push((RegionKind::Matrix { projection }, align(bytes)));
        }
        let mut kernel_of = None;
        for b in bundles {
            let projection = b.projection;
            if array.contains(&projection) {
                continue;
            }
            if kernel_of != Some(projection)
                && let Some(bytes) = links.kernel_bytes(projection)
            {
                all.push((RegionKind::Kernel { projection }, align(bytes)));
            }
            kernel_of = Some(projection);
            let source = b.sender.vertex;
            all.push((RegionKind::Rows { projection, source }, align(b.bytes)));
        }
    }
}

/// Source atoms that send to a slice, each counted once however many
/// projections its population has.
pub fn source_atoms(bundles: &[Bundle]) -> u64 {
    let senders = bundles.iter().map(|b| (b.sender.vertex, b.sender.slice.n));
    let senders: BTreeMap<VertexId, u32> = senders.collect();
    senders.values().map(|&n| u64::from(n)).sum()
}

/// The order in which a population is cut: convolutions want the channels of
/// a pixel side by side, as many as the kernels' memory and `cap` allow.
pub fn order(
    app: &AppGraph,
    population: &Population,
    incoming: &[Incoming],
    cap: u32,
) -> AtomOrder {
    let conv = |i: &Incoming| match &app.projections[i.projection].connector {
        Connector::Conv(conv) => Some((*conv, i.weights.size() as u32)),
        Connector::Dense | Connector::Sparse(_) => None,
    };
    let convs: Vec<_> = incoming.iter().filter_map(conv).collect();
    let &[c, _, _] = population.shape.0.as_slice() else {
        return AtomOrder::RowMajor;
    };
    if convs.is_empty() {
        return AtomOrder::RowMajor;
    }
    let fits = |channels: &usize| {
        let n = *channels as u32;
        let bytes = convs
            .iter()
            .map(|(conv, width)| links::conv_kernel_bytes(conv, n, *width));
        // A tap holds the offset of its block in a halfword.
        let near = |(conv, width): &(Conv, u32)| {
            let one = conv.source[0].max(1) as u64;
            links::conv_kernel_bytes(conv, n, *width) / one <= 1 << 16
        };
        c.is_multiple_of(*channels)
            && (*channels as u64) <= u64::from(cap)
            && bytes.sum::<u64>() <= KERNEL_BYTES
            && convs.iter().all(near)
    };
    let channels = (1..=c).rev().find(fits).unwrap_or(1);
    AtomOrder::Blocked { channels }
}

/// Whole frames, an even number of words, at most [`RECORD_BYTES`] if that
/// holds a frame.
fn record_bytes(n: u32) -> u64 {
    let frame = u64::from(record::frame_bytes(n));
    let step = if frame.is_multiple_of(ALIGN) { 1 } else { 2 };
    let frames = u64::from(RECORD_BYTES) / frame / step * step;
    frames.max(step) * frame
}

fn align(bytes: u64) -> u64 {
    bytes.next_multiple_of(ALIGN)
}

fn atoms(population: &Population) -> Result<u32, Diagnostic> {
    u32::try_from(population.n_atoms()).map_err(|_| {
        Diagnostic::internal(format!(
            "population '{}' has more than 2^32 atoms",
            escape(&population.name)
        ))
    })
}

fn not_yet(population: &Population) -> Diagnostic {
    Diagnostic::internal(format!(
        "population '{}' has no quantised neuron",
        escape(&population.name)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::quantised;
    use ir::id::Id;
    use ir::neuron::{Membrane, Param};

    fn pop(i: usize) -> PopId {
        PopId::from_index(i)
    }

    fn sender(vertex: usize, lo: u32, n: u32) -> Sender {
        Sender {
            vertex: VertexId::from_index(vertex),
            slice: AtomSlice { lo, n },
            order: AtomOrder::RowMajor,
        }
    }

    #[test]
    fn every_region_is_aligned_and_known_to_the_byte() {
        let app = quantised(
            &[("in", 101), ("hid", 37)],
            &["in>hid", "in~hid", "hid~hid"],
        );
        let target = Target::spinnaker2();
        let need = Need::of(&app, pop(1)).expect("quantised");
        let cuts = Cuts::from([
            (pop(0), vec![sender(0, 0, 64), sender(1, 64, 37)]),
            (pop(1), vec![sender(2, 0, 37)]),
        ]);
        let slice = AtomSlice { lo: 0, n: 37 };
        let links = Links::new(&app, pop(1), &need, &cuts);
        let regions = need.regions(slice, &links, &target);
        assert!(regions.iter().all(|(_, bytes)| bytes % ALIGN == 0));
        let sizes = need.budget(slice, &links, &target);
        // 101 + 101 + 37 rows of 40 bytes each
        assert_eq!(sizes.rows, 239 * 40);
        // 37 float32, rounded up to 8 bytes, and 40 int16 accumulators
        assert_eq!(sizes.state, 152 + 80);
        // the two projections from `in` bring each of its keys once
        let bundles = links.bundles_into(slice, need.accumulator());
        assert_eq!(source_atoms(&bundles), 138);
    }

    #[test]
    fn a_record_holds_whole_frames() {
        // 2 + 1 words a frame: 341 would fit, 340 keep the alignment
        assert_eq!(record_bytes(10), 340 * 12);
        assert_eq!(record_bytes(64), 256 * 16);
        assert_eq!(record_bytes(100_000), 2 * 4 * (2 + 3125));
    }

    #[test]
    fn only_parameters_that_differ_need_an_array() {
        let mut neuron = crate::testing::lif();
        assert!(parameter_arrays(&neuron).is_empty());
        if let Some(fire) = &mut neuron.fire {
            fire.threshold = Param::per_atom(vec![1.0, 2.0]);
        }
        // these two are one float32
        neuron.membrane = Membrane::Leaky(Param::per_atom(vec![0.5, 0.5 + 1e-12]));
        assert_eq!(parameter_arrays(&neuron), [RegionKind::Threshold]);
    }
}
