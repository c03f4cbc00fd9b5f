//! LAID_OUT: which regions a PE needs, and how large each is.

use super::reach::{Reach, atoms};
use crate::app::{AtomOrder, Connector, Conv, Model, Population, Projection, Sends, row_lists};
use crate::id::{PopId, ProjId, VertexId};
use crate::machine_graph::AtomSlice;
use crate::memory::{MemoryLayout, RegionKind, array, control, lists, padded, rows, touched};
use crate::module::Module;
use crate::neuron::{Constant, DiscreteNeuron, Membrane, Neuron, Param};
use crate::target::Target;
use std::collections::{BTreeMap, BTreeSet};

/// A region that a layout may have.
#[derive(Clone, Copy)]
struct Wanted {
    /// Or else it may be missing.
    needed: bool,
    /// Exact size; `None` where the pass chooses.
    bytes: Option<u64>,
}

type Wants = BTreeMap<RegionKind, Wanted>;

/// Regions that are missing, superfluous or of another size than theirs.
pub(super) fn faults(
    m: &Module,
    id: VertexId,
    layout: &MemoryLayout,
    (reach, target): (&Reach, &Target),
) -> Vec<String> {
    let mut wants = wanted(m, id, reach);
    let mut faults = Vec::new();
    // Regions may be filled up to the alignment of the stack, or of the MAC array.
    let array = &m.machine_graph.vertices[id].array;
    let align = match array.is_empty() {
        true => 8,
        false => u64::from(target.mla.align_bytes.max(8)),
    };
    for r in &layout.regions {
        match wants.remove(&r.kind) {
            // A second region of the kind is reported with the addresses.
            None if layout.regions.iter().filter(|s| s.kind == r.kind).count() > 1 => {}
            None => faults.push(match r.kind {
                RegionKind::Rows { .. }
                | RegionKind::Kernel { .. }
                | RegionKind::Matrix { .. }
                | RegionKind::Counts { .. } => {
                    format!("`{}` belongs to no incoming projection", r.kind)
                }
                _ => format!("`{}` has no use here", r.kind),
            }),
            Some(want) => {
                let bytes = u64::from(r.bytes);
                let fits = |w: u64| bytes == w || bytes == w.next_multiple_of(align);
                faults.extend(want.bytes.filter(|w| !fits(*w)).map(|w| {
                    let what = if matches!(r.kind, RegionKind::Rows { .. }) {
                        "its rows"
                    } else {
                        "its contents"
                    };
                    format!("`{}` has {bytes} B, {what} {w} B", r.kind)
                }));
            }
        }
    }
    let missing = wants.iter().filter(|(_, w)| w.needed);
    faults.extend(missing.map(|(kind, _)| format!("there is no `{kind}`")));
    faults
}

fn wanted(m: &Module, id: VertexId, reach: &Reach) -> Wants {
    let mut wants = Wants::new();
    let mut add = |kind, needed, bytes| {
        wants.insert(kind, Wanted { needed, bytes });
    };
    add(RegionKind::Text, false, None);
    add(RegionKind::Stack, false, None);
    add(RegionKind::SpikeRecord, false, None);
    add(RegionKind::Control, false, Some(control::BYTES.into()));
    let here = &m.machine_graph.vertices[id];
    let population = &m.app.populations[here.population];
    match &population.model {
        Model::SpikeSource => add(RegionKind::Events, true, None),
        Model::Neuron(Neuron::Discrete(neuron)) => {
            let heard = m.app.incoming(here.population).next().is_some();
            add(RegionKind::Ring, heard, None);
            let listed = m
                .app
                .listed(here.population, |p| m.app.projections[p].weights.dtype());
            let lists = row_lists(&listed, &here.array);
            if lists > 0 {
                add(
                    RegionKind::Lists,
                    true,
                    Some(u64::from(lists * lists::BYTES)),
                );
            }
            state(&mut wants, m, here.population, here.slice, neuron);
            parameters(&mut wants, population, here.slice, neuron);
            incoming(&mut wants, m, id, reach);
            let beside = |p: &ProjId| m.app.adds_beside(*p, here.population);
            if let Some(dtype) = population.accumulator
                && here.array.iter().any(beside)
            {
                let row = u64::from(padded(here.slice.n)) * dtype.size() as u64;
                wants.insert(
                    RegionKind::Product,
                    Wanted {
                        needed: true,
                        bytes: Some(row),
                    },
                );
            }
        }
        // Not so where the module is QUANTISED.
        Model::Neuron(Neuron::Continuous(_)) => {}
    }
    wants
}

fn state(wants: &mut Wants, m: &Module, id: PopId, slice: AtomSlice, neuron: &DiscreteNeuron) {
    let mut add = |kind, needed, bytes| {
        let bytes = Some(bytes);
        wants.insert(kind, Wanted { needed, bytes });
    };
    let (word, width) = (4 * u64::from(slice.n), u64::from(padded(slice.n)));
    let fresh = matches!(neuron.membrane, Membrane::Fresh);
    add(RegionKind::V, !fresh, word);
    if neuron.synapse.is_some() {
        add(RegionKind::I, true, word);
    }
    if neuron.remembers_spikes() {
        add(RegionKind::Pending, true, word);
    }
    if let Some(dtype) = m.app.populations[id].accumulator {
        let sums = u64::from(m.app.slots(id)) * width * dtype.size() as u64;
        add(RegionKind::Accumulators, m.app.has_integer_input(id), sums);
    }
    if m.app.touched(id, neuron) {
        let marks = u64::from(touched::bytes(slice.n));
        add(RegionKind::Touched, true, marks);
    }
    if m.app.has_value_input(id) {
        add(RegionKind::Currents, true, 4 * width);
    }
}

/// Parameters that differ between atoms need an array, and so do constants
/// that change: the tick code writes over them.
fn parameters(wants: &mut Wants, p: &Population, slice: AtomSlice, neuron: &DiscreteNeuron) {
    let bytes = Some(4 * u64::from(slice.n));
    let differs = |param: &Param| {
        let mut bits = atoms(p, slice).map(|a| (param.at(a) as f32).to_bits());
        let first = bits.next();
        bits.any(|b| Some(b) != first)
    };
    let mut add = |kind, param: Option<&Param>| {
        if let Some(param) = param {
            let needed = differs(param);
            wants.insert(kind, Wanted { needed, bytes });
        }
    };
    let synapse = neuron.synapse.as_ref();
    let fire = neuron.fire.as_ref();
    if let Membrane::Leaky(decay) = &neuron.membrane {
        add(RegionKind::Decay, Some(decay));
    }
    add(RegionKind::SynDecay, synapse.map(|s| &s.decay));
    add(RegionKind::Threshold, fire.map(|f| &f.threshold));
    add(RegionKind::Reset, fire.and_then(|f| f.reset.amount()));
    add(RegionKind::Floor, fire.and_then(|f| f.floor.as_ref()));
    if fire.is_none() {
        add(RegionKind::Unit, neuron.unit.as_ref());
    }
    let constants = [
        (RegionKind::Offset, false, Some(&neuron.offset)),
        (RegionKind::SynOffset, true, synapse.map(|s| &s.offset)),
    ];
    for (kind, synapse, constant) in constants {
        let entries = constant.map_or(&[][..], Constant::entries);
        for (entry, (_, param)) in (0u32..).zip(entries) {
            let (kind, needed) = match entry {
                0 => (kind, entries.len() > 1 || differs(param)),
                entry => (RegionKind::LateOffset { synapse, entry }, true),
            };
            wants.insert(kind, Wanted { needed, bytes });
        }
    }
}

/// Rows, kernels and values of every projection into a vertex. Rows of a source
/// vertex from which no synapse leads here may be left out; values may not, if
/// its net comes here all the same.
fn incoming(wants: &mut Wants, m: &Module, id: VertexId, reach: &Reach) {
    let here = &m.machine_graph.vertices[id];
    let post = &m.app.populations[here.population];
    let nets = m.machine_graph.nets_into(id);
    let heard: BTreeSet<VertexId> = nets.map(|(_, net)| net.source).collect();
    for (projection, p) in m.app.incoming(here.population) {
        let pre = &m.app.populations[p.pre];
        let weight = p.weights.dtype().size() as u32;
        if here.array.contains(&projection) {
            let sources = pre.n_atoms() as u64;
            for (kind, bytes) in [
                (
                    RegionKind::Matrix { projection },
                    array::matrix_bytes(sources, here.slice.n, weight),
                ),
                (
                    RegionKind::Counts { projection },
                    array::counts_bytes(sources),
                ),
            ] {
                let bytes = Some(bytes);
                wants.insert(
                    kind,
                    Wanted {
                        needed: true,
                        bytes,
                    },
                );
            }
            continue;
        }
        let mut any = false;
        for &source in reach.vertices_of(p.pre) {
            let slice = m.machine_graph.vertices[source].slice;
            let bytes = match &p.connector {
                Connector::Dense => {
                    let row = u64::from(padded(here.slice.n)) * u64::from(weight);
                    u64::from(slice.n) * row
                }
                Connector::Sparse(_) => {
                    let synapses = reach.listed(projection, source, id);
                    rows::sparse_bytes(slice.n.into(), synapses, weight)
                }
                Connector::Conv(conv) => {
                    let (pixels, taps) = taps(conv, (pre, slice), (post, here.slice));
                    rows::taps_bytes(pixels, taps)
                }
            };
            let needed = reach.reaches(m, projection, source, id);
            any |= needed;
            let bytes = Some(bytes);
            let kind = RegionKind::Rows { projection, source };
            wants.insert(kind, Wanted { needed, bytes });
            if pre.sends == Sends::Values {
                values(wants, m, (source, slice.n), p, heard.contains(&source));
            }
        }
        if let Connector::Conv(conv) = &p.connector {
            let elements = (conv.kernel[0] * conv.kernel[1]) as u64;
            let channels = u32::try_from(block(post)).unwrap_or(u32::MAX);
            let bytes = rows::kernel_bytes(conv.source[0] as u64, elements, channels, weight);
            let kind = RegionKind::Kernel { projection };
            let want = Wanted {
                needed: any,
                bytes: Some(bytes),
            };
            wants.insert(kind, want);
        }
    }
}

/// One region of values serves all projections from a source vertex.
fn values(wants: &mut Wants, m: &Module, source: (VertexId, u32), p: &Projection, needed: bool) {
    let slots = u64::from(m.app.value_slots(p.pre, p.post));
    let bytes = Some(4 * slots * u64::from(padded(source.1)));
    let kind = RegionKind::Values { source: source.0 };
    wants.insert(kind, Wanted { needed, bytes });
}

/// Channels that lie side by side at the end of a convolution.
fn block(p: &Population) -> usize {
    match p.order {
        AtomOrder::RowMajor => 1,
        AtomOrder::Blocked { channels } => channels,
    }
}

/// Source pixels from the vertex's first to its last, and the taps by which
/// they meet the target's pixels.
fn taps(
    conv: &Conv,
    (pre, source): (&Population, AtomSlice),
    (post, target): (&Population, AtomSlice),
) -> (u64, u64) {
    let area = |[_, h, w]: [usize; 3]| h * w;
    let range = |p: &Population, slice, area: usize| {
        let pixels = || atoms(p, slice).map(move |a| a % area);
        (pixels().min(), pixels().max())
    };
    let (Some(first), Some(last)) = range(pre, source, area(conv.source)) else {
        return (0, 0);
    };
    let (Some(lo), Some(hi)) = range(post, target, area(conv.target)) else {
        return (0, 0);
    };
    let mut taps = 0;
    for pixel in first..=last {
        let (y, x) = (pixel / conv.source[2], pixel % conv.source[2]);
        for (_, ty) in conv.reach(0, y) {
            let row = ty * conv.target[2];
            let met = conv
                .reach(1, x)
                .filter(|(_, tx)| (lo..=hi).contains(&(row + tx)));
            taps += met.count() as u64;
        }
    }
    ((last - first + 1) as u64, taps)
}
