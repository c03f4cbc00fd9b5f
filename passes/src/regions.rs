//! What a slice of a population needs on its PE: regions with exact sizes and
//! estimated cycles.
//!
//! `partition` asks how many atoms fit, `quantise` whether wider weights cost
//! a PE, `lay-out-memory` where each region goes. All of them ask here, so
//! they can't disagree. Every size is a multiple of [`ALIGN`], so laying the
//! regions end to end needs no padding and sizes add up exactly.

use ir::Target;
use ir::app::{AppGraph, Model, Population};
use ir::diag::Diagnostic;
use ir::id::{Id, PopId, ProjId, VertexId};
use ir::machine_graph::Budget;
use ir::memory::{BudgetLine, RegionKind, control, events, padded, record};
use ir::neuron::{DiscreteNeuron, Membrane, Neuron, Param};
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

/// One projection into a population, as memory and time see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    pub projection: ProjId,
    pub pre: PopId,
    pub pre_atoms: u64,
    /// Element type of the rows.
    pub weights: DType,
}

/// What the vertices of a population need, whatever their size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Atoms of the whole population.
    pub n_atoms: u32,
    pub kind: NeedKind,
    /// Whether spikes are recorded on the chip.
    pub records: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NeedKind {
    Source,
    Neurons {
        /// Parameters that differ between atoms, as float32.
        arrays: Vec<RegionKind>,
        slots: u32,
        accumulator: DType,
        /// Ascending by projection.
        incoming: Vec<Incoming>,
    },
}

/// The parameters that need an array: those that differ once rounded.
pub fn parameter_arrays(neuron: &DiscreteNeuron) -> Vec<RegionKind> {
    let differs = |p: &Param| {
        let bits = |i| (p.tensor().at(i) as f32).to_bits();
        (1..p.tensor().len()).any(|i| bits(i) != bits(0))
    };
    let decay = match &neuron.membrane {
        Membrane::Leaky(p) => Some(p),
        Membrane::Integrate | Membrane::Fresh => None,
    };
    let fire = neuron.fire.as_ref();
    let all = [
        (RegionKind::Decay, decay),
        (RegionKind::Offset, neuron.offset.at_step(0)),
        (RegionKind::Threshold, fire.map(|f| &f.threshold)),
        (RegionKind::Reset, fire.and_then(|f| f.reset.amount())),
    ];
    all.into_iter()
        .filter(|(_, p)| p.is_some_and(differs))
        .map(|(kind, _)| kind)
        .collect()
}

impl Need {
    /// The needs of a quantised population.
    pub fn of(app: &AppGraph, pop: PopId) -> Result<Self, Diagnostic> {
        let population = &app.populations[pop];
        match &population.model {
            Model::SpikeSource => Self::source(population),
            Model::Neuron(Neuron::Discrete(neuron)) => {
                let accumulator = population.accumulator.ok_or_else(|| not_yet(population))?;
                let width = |id: ProjId| app.projections[id].weights.dtype();
                Self::neurons(app, pop, neuron, accumulator, width)
            }
            Model::Neuron(Neuron::Continuous(_)) => Err(not_yet(population)),
        }
    }

    /// The needs of a neuron population if it had these parameters, this
    /// accumulator and these row types.
    pub fn neurons(
        app: &AppGraph,
        pop: PopId,
        neuron: &DiscreteNeuron,
        accumulator: DType,
        width: impl Fn(ProjId) -> DType,
    ) -> Result<Self, Diagnostic> {
        let population = &app.populations[pop];
        let incoming = app.incoming(pop).map(|(projection, p)| Incoming {
            projection,
            pre: p.pre,
            pre_atoms: app.populations[p.pre].n_atoms() as u64,
            weights: width(projection),
        });
        Ok(Self {
            n_atoms: atoms(population)?,
            kind: NeedKind::Neurons {
                arrays: parameter_arrays(neuron),
                slots: app.slots(pop),
                accumulator,
                incoming: incoming.collect(),
            },
            records: population.record.contains(&Observable::Spikes),
        })
    }

    fn source(population: &Population) -> Result<Self, Diagnostic> {
        Ok(Self {
            n_atoms: atoms(population)?,
            kind: NeedKind::Source,
            records: population.record.contains(&Observable::Spikes),
        })
    }

    /// The regions of a slice of `n` atoms, in the order of their addresses
    /// except for the stack, which ends the memory. `vertices` gives the
    /// source vertices of a population with their numbers of atoms.
    pub fn regions(
        &self,
        n: u32,
        target: &Target,
        vertices: impl Fn(PopId) -> Vec<(VertexId, u32)>,
    ) -> Vec<(RegionKind, u64)> {
        let memory = &target.memory;
        let (atoms, width) = (u64::from(n), u64::from(padded(n)));
        let mut all = vec![
            (RegionKind::Text, u64::from(memory.text_reserve)),
            (RegionKind::Control, u64::from(control::BYTES)),
        ];
        match &self.kind {
            NeedKind::Source => {
                let tick = events::tick_bytes(n, false).next_multiple_of(RING_ALIGN);
                all.push((RegionKind::Events, tick.max(u64::from(memory.events_bytes))));
            }
            NeedKind::Neurons {
                arrays,
                slots,
                accumulator,
                incoming,
            } => {
                all.extend(arrays.iter().map(|&kind| (kind, align(4 * atoms))));
                all.push((RegionKind::V, align(4 * atoms)));
                let sums = u64::from(*slots) * width * accumulator.size() as u64;
                all.push((RegionKind::Accumulators, align(sums)));
                // Two ticks of every source atom, and one entry that stays
                // free to tell a full ring from an empty one.
                let keys = 2 * self.source_atoms() + 1;
                all.push((RegionKind::Ring, (4 * keys).next_multiple_of(RING_ALIGN)));
                for p in incoming {
                    for (source, n_source) in vertices(p.pre) {
                        let bytes = u64::from(n_source) * width * p.weights.size() as u64;
                        let kind = RegionKind::Rows {
                            projection: p.projection,
                            source,
                        };
                        all.push((kind, align(bytes)));
                    }
                }
            }
        }
        if self.records {
            all.push((RegionKind::SpikeRecord, record_bytes(n)));
        }
        all.push((RegionKind::Stack, align(u64::from(memory.stack_bytes))));
        all
    }

    /// Source atoms that can send to a vertex, each counted once however many
    /// projections its population has.
    pub fn source_atoms(&self) -> u64 {
        match &self.kind {
            NeedKind::Source => 0,
            NeedKind::Neurons { incoming, .. } => {
                let distinct: BTreeMap<PopId, u64> =
                    incoming.iter().map(|p| (p.pre, p.pre_atoms)).collect();
                distinct.values().sum()
            }
        }
    }

    /// Bytes and cycles of a slice of `n` atoms. How the sources are cut does
    /// not matter: rows are whole multiples of the alignment.
    pub fn budget(&self, n: u32, target: &Target) -> Sizes {
        let whole = |pre: PopId| {
            let atoms = match &self.kind {
                NeedKind::Source => 0,
                NeedKind::Neurons { incoming, .. } => incoming
                    .iter()
                    .find(|p| p.pre == pre)
                    .map_or(0, |p| p.pre_atoms),
            };
            let atoms = u32::try_from(atoms).unwrap_or(u32::MAX);
            vec![(VertexId::from_index(0), atoms)]
        };
        Sizes::sum(&self.regions(n, target, whole), self.cycles(n, target))
    }

    /// Estimated cycles of one tick of a slice of `n` atoms at the planning
    /// activity.
    pub fn cycles(&self, n: u32, target: &Target) -> u64 {
        let plan = &target.planning;
        let active = u64::from(plan.activity_percent);
        let n_atoms = u64::from(n);
        let width = u64::from(padded(n));
        let spent = match &self.kind {
            NeedKind::Source => n_atoms * u64::from(plan.source_cycles) * active / 100,
            NeedKind::Neurons {
                accumulator,
                incoming,
                ..
            } => {
                let received = self.source_atoms() * u64::from(plan.receive_cycles) * active / 100;
                let centi: u64 = incoming
                    .iter()
                    .map(|p| p.pre_atoms * width * synapse_centicycles(p, *accumulator, target))
                    .sum();
                received + centi / 100 * active / 100 + n_atoms * u64::from(plan.neuron_cycles)
            }
        };
        u64::from(plan.tick_cycles) + spent
    }
}

fn synapse_centicycles(incoming: &Incoming, accumulator: DType, target: &Target) -> u64 {
    let plan = &target.planning;
    u64::from(match (incoming.weights, accumulator) {
        (DType::I8, DType::I16) => plan.synapse_i8_i16_centicycles,
        (DType::I8, _) => plan.synapse_i8_i32_centicycles,
        (DType::I16, _) => plan.synapse_i16_i32_centicycles,
        (DType::I32 | DType::F32 | DType::F64, _) => plan.synapse_i32_i32_centicycles,
    })
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

/// A [`Budget`] before it is known to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sizes {
    pub text: u64,
    pub data: u64,
    pub state: u64,
    pub rows: u64,
    pub cycles: u64,
}

impl Sizes {
    /// Books each region on its budget line.
    pub fn sum(regions: &[(RegionKind, u64)], cycles: u64) -> Self {
        let mut sizes = Self {
            cycles,
            ..Self::default()
        };
        for &(kind, bytes) in regions {
            match kind.budget_line() {
                BudgetLine::Text => sizes.text += bytes,
                BudgetLine::Data => sizes.data += bytes,
                BudgetLine::State => sizes.state += bytes,
                BudgetLine::Rows => sizes.rows += bytes,
            }
        }
        sizes
    }
    pub fn bytes(self) -> u64 {
        self.text + self.data + self.state + self.rows
    }
    /// The budget, if its bytes fit the memory of a PE.
    pub fn fit(self, target: &Target) -> Option<Budget> {
        if self.bytes() > u64::from(target.memory.sram_bytes) {
            return None;
        }
        let line = |bytes: u64| u32::try_from(bytes).ok();
        Some(Budget {
            text: line(self.text)?,
            data: line(self.data)?,
            state: line(self.state)?,
            rows: line(self.rows)?,
            cycles: self.cycles,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::quantised;

    fn pop(i: usize) -> PopId {
        PopId::from_index(i)
    }

    #[test]
    fn every_region_is_aligned_and_slicing_the_source_changes_nothing() {
        let app = quantised(
            &[("in", 101), ("hid", 37)],
            &["in>hid", "in~hid", "hid~hid"],
        );
        let target = Target::spinnaker2();
        let need = Need::of(&app, pop(1)).expect("quantised");
        let cut = |p: PopId| match p.index() {
            0 => vec![(VertexId::from_index(0), 64), (VertexId::from_index(1), 37)],
            _ => vec![(VertexId::from_index(2), 37)],
        };
        let regions = need.regions(37, &target, cut);
        assert!(regions.iter().all(|(_, bytes)| bytes % ALIGN == 0));
        let sizes = Sizes::sum(&regions, need.cycles(37, &target));
        assert_eq!(sizes, need.budget(37, &target));
        // 101 + 101 + 37 rows of 40 bytes each
        assert_eq!(sizes.rows, 239 * 40);
        // 37 float32, rounded up to 8 bytes, and 40 int16 accumulators
        assert_eq!(sizes.state, 152 + 80);
        // the two projections from `in` bring each of its keys once
        assert_eq!(need.source_atoms(), 138);
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
