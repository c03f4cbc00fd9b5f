//! What reaches a slice: for each projection and each sending vertex the rows
//! that lead there, their bytes and the work they make.

use super::{Incoming, Need};
use ir::app::{AppGraph, AtomOrder, Connector, Conv, Population, Sends};
use ir::id::{Id, PopId, ProjId, VertexId};
use ir::machine_graph::{AtomSlice, MachineGraph};
use ir::memory::{padded, rows};
use ir::tensor::DType;
use std::collections::BTreeMap;

/// A vertex that may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    pub vertex: VertexId,
    pub slice: AtomSlice,
    /// In which the slice counts positions.
    pub order: AtomOrder,
}

/// How populations are cut. One that is missing counts as a single vertex.
pub type Cuts = BTreeMap<PopId, Vec<Sender>>;

/// How the populations of a graph are cut.
pub(crate) fn cuts(app: &AppGraph, graph: &MachineGraph) -> Cuts {
    let mut cuts = Cuts::new();
    for (vertex, v) in graph.vertices.iter() {
        let sender = Sender {
            vertex,
            slice: v.slice,
            order: app.populations[v.population].order,
        };
        cuts.entry(v.population).or_default().push(sender);
    }
    cuts
}

/// The rows of one projection from one vertex into a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundle {
    pub projection: ProjId,
    pub sender: Sender,
    pub carries: Sends,
    pub bytes: u64,
    /// Whether offsets and tap numbers fit the 16 bits that rows have for them.
    pub fits_rows: bool,
    /// Sending population.
    pub pre: PopId,
    pub weights: DType,
    pub work: Work,
}

/// What is added if every atom of a sender says something once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A weight for each target, padded to whole groups.
    Dense,
    Sparse {
        synapses: u64,
    },
    /// Blocks of channels.
    Conv {
        taps: u64,
        channels: u64,
        /// The sender has atoms of several blocks of channels.
        spread: bool,
    },
}

/// The projections into a population, prepared to be asked about many slices.
#[derive(Debug)]
pub struct Links<'a> {
    order: AtomOrder,
    post: &'a Population,
    links: Vec<Link<'a>>,
}

#[derive(Debug)]
struct Link<'a> {
    incoming: Incoming,
    connector: &'a Connector,
    pre: &'a Population,
    senders: Vec<(Sender, Synapses)>,
}

/// Offsets into a row of sums and numbers of taps are halfwords.
const ROW_LIMIT: u64 = u16::MAX as u64;

/// What rows take.
#[derive(Clone, Copy, Debug)]
struct Rows {
    bytes: u64,
    work: Work,
    /// Taps of a convolution.
    taps: u64,
    /// Bytes of the row of sums that offsets point into; 0 where none do.
    row_bytes: u64,
}

/// Synapses from a sender that end before each position of the target; empty
/// unless they are listed.
#[derive(Debug)]
struct Synapses(Vec<u64>);

impl<'a> Links<'a> {
    /// The links into `pop`, whose `need` says its order and row types.
    pub fn new(app: &'a AppGraph, pop: PopId, need: &Need, cuts: &Cuts) -> Self {
        let post = &app.populations[pop];
        let link = |incoming: &Incoming| {
            let pre = &app.populations[incoming.pre];
            let whole = AtomSlice {
                lo: 0,
                n: u32::try_from(pre.n_atoms()).unwrap_or(u32::MAX),
            };
            // No graph has so many vertices: the number only tells populations
            // that are not cut yet from each other.
            let number = 0x7000_0000 + incoming.pre.index();
            let alone = [Sender {
                vertex: VertexId::from_index(number),
                slice: whole,
                order: pre.order,
            }];
            let senders = cuts.get(&incoming.pre).map_or(&alone[..], Vec::as_slice);
            let connector = &app.projections[incoming.projection].connector;
            let synapses = |s: &Sender| Synapses::from(connector, (pre, *s), (post, need.order));
            Link {
                incoming: *incoming,
                connector,
                pre,
                senders: senders.iter().map(|s| (*s, synapses(s))).collect(),
            }
        };
        Self {
            order: need.order,
            post,
            links: need.incoming().iter().map(link).collect(),
        }
    }

    /// Everything that reaches a slice, by projection and sender.
    pub fn bundles_into(&self, slice: AtomSlice, accumulator: Option<DType>) -> Vec<Bundle> {
        let mut all = Vec::new();
        for link in &self.links {
            for (sender, synapses) in &link.senders {
                let sizes = self.between(link, *sender, synapses, slice, accumulator);
                if let Some(sizes) = sizes {
                    all.push(Bundle {
                        projection: link.incoming.projection,
                        sender: *sender,
                        carries: link.pre.sends,
                        bytes: sizes.bytes,
                        fits_rows: sizes.taps <= ROW_LIMIT && sizes.row_bytes <= ROW_LIMIT,
                        pre: link.incoming.pre,
                        weights: link.incoming.weights,
                        work: sizes.work,
                    });
                }
            }
        }
        all
    }

    /// What the rows from a sender take, if it reaches the slice.
    fn between(
        &self,
        link: &Link<'_>,
        sender: Sender,
        synapses: &Synapses,
        slice: AtomSlice,
        accumulator: Option<DType>,
    ) -> Option<Rows> {
        let bytes = link.incoming.weights.size() as u32;
        let sources = u64::from(sender.slice.n);
        let values = link.pre.sends == Sends::Values;
        // Where the row of sums begins and ends, counted from its start.
        let sum = if values {
            4
        } else {
            accumulator.map_or(4, DType::size)
        };
        let row_bytes = u64::from(slice.n) * sum as u64;
        match link.connector {
            Connector::Dense => {
                let width = u64::from(padded(slice.n));
                let synapses = sources * width;
                Some(Rows {
                    bytes: synapses * u64::from(bytes),
                    work: Work::Dense,
                    taps: 0,
                    row_bytes: 0,
                })
            }
            Connector::Sparse(_) => {
                let n = synapses.ending_in(slice);
                let rows = Rows {
                    bytes: rows::sparse_bytes(sources, n, bytes),
                    work: Work::Sparse { synapses: n },
                    taps: 0,
                    row_bytes,
                };
                (n > 0).then_some(rows)
            }
            Connector::Conv(conv) => {
                let from = pixels(sender.order, conv.source, sender.slice);
                let to = pixels(self.order, conv.target, slice);
                let taps = taps(conv, from, to);
                let span = u64::from(from.1 - from.0 + 1);
                let work = Work::Conv {
                    taps: (taps * sources).div_ceil(span),
                    channels: u64::from(self.block()),
                    spread: spread(sender.order, conv.source, sender.slice),
                };
                let rows = Rows {
                    bytes: rows::taps_bytes(span, taps),
                    work,
                    taps,
                    row_bytes,
                };
                (taps > 0).then_some(rows)
            }
        }
    }

    /// Channels of a block of targets.
    fn block(&self) -> u32 {
        side_by_side(self.order)
    }

    /// Bytes of the shared kernel of a projection, if it is a convolution.
    pub fn kernel_bytes(&self, projection: ProjId) -> Option<u64> {
        let mut links = self.links.iter();
        let link = links.find(|l| l.incoming.projection == projection)?;
        match link.connector {
            Connector::Conv(conv) => {
                let width = link.incoming.weights.size() as u32;
                Some(conv_kernel_bytes(conv, self.block(), width))
            }
            Connector::Dense | Connector::Sparse(_) => None,
        }
    }

    /// The population at which the links end.
    pub fn post(&self) -> &Population {
        self.post
    }
}

/// Bytes of the kernel of a convolution for a block of `channels` targets.
pub(super) fn conv_kernel_bytes(conv: &Conv, channels: u32, weight_bytes: u32) -> u64 {
    let elements = (conv.kernel[0] * conv.kernel[1]) as u64;
    rows::kernel_bytes(conv.source[0] as u64, elements, channels, weight_bytes)
}

impl Synapses {
    fn from(
        connector: &Connector,
        (pre, sender): (&Population, Sender),
        (post, order): (&Population, AtomOrder),
    ) -> Self {
        let Connector::Sparse(list) = connector else {
            return Self(Vec::new());
        };
        let mut before = vec![0u64; post.n_atoms() + 1];
        let slice = sender.slice;
        for position in slice.lo as usize..(slice.lo + slice.n) as usize {
            let atom = sender.order.atom_at(position, &pre.shape);
            for &to in list.of(atom).1 {
                before[order.position_of(to as usize, &post.shape) + 1] += 1;
            }
        }
        for i in 1..before.len() {
            before[i] += before[i - 1];
        }
        Self(before)
    }

    /// Synapses that end in a slice.
    fn ending_in(&self, slice: AtomSlice) -> u64 {
        let at = |position: u32| self.0.get(position as usize).copied().unwrap_or(0);
        at(slice.lo + slice.n) - at(slice.lo)
    }
}

/// Channels that lie side by side.
fn side_by_side(order: AtomOrder) -> u32 {
    match order {
        AtomOrder::RowMajor => 1,
        AtomOrder::Blocked { channels } => channels as u32,
    }
}

/// Whether a slice of `[C H W]` values has more than one block of channels.
fn spread(order: AtomOrder, [_, h, w]: [usize; 3], slice: AtomSlice) -> bool {
    let block = (h * w) as u32 * side_by_side(order);
    slice.lo / block != (slice.lo + slice.n.max(1) - 1) / block
}

/// First and last pixel of a slice of `[C H W]` values.
fn pixels(order: AtomOrder, [_, h, w]: [usize; 3], slice: AtomSlice) -> (u32, u32) {
    let pixels = (h * w) as u32;
    let channels = side_by_side(order);
    let block = pixels * channels;
    let from = slice.lo % block;
    let last = from + slice.n.max(1) - 1;
    if last >= block {
        // More than one block: pixels of all kinds.
        return (0, pixels - 1);
    }
    (from / channels, last / channels)
}

/// Pairs of a source pixel and a target pixel, each in its range, that a kernel
/// element joins.
fn taps(conv: &Conv, from: (u32, u32), to: (u32, u32)) -> u64 {
    let (width, target_width) = (conv.source[2] as u32, conv.target[2] as u32);
    // Only source rows that the target's rows read are looked at.
    let lowest = (to.0 / target_width) as usize * conv.stride[0];
    let span = (conv.kernel[0] - 1) * conv.dilation[0];
    let highest = (to.1 / target_width) as usize * conv.stride[0] + span;
    let first_row = lowest.saturating_sub(conv.padding[0]) as u32;
    let last_row = highest.saturating_sub(conv.padding[0]) as u32;
    let first = from.0.max(first_row.saturating_mul(width));
    let last = from
        .1
        .min(last_row.saturating_add(1).saturating_mul(width) - 1);
    let mut taps = 0;
    for pixel in first..=last.max(first) {
        if pixel > last {
            break;
        }
        let (y, x) = ((pixel / width) as usize, (pixel % width) as usize);
        for (_, ty) in conv.reach(0, y) {
            let row = ty as u32 * target_width;
            let met = conv.reach(1, x).filter(|(_, tx)| {
                let at = row + *tx as u32;
                (to.0..=to.1).contains(&at)
            });
            taps += met.count() as u64;
        }
    }
    taps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_are_those_of_the_connector() {
        let conv = Conv {
            source: [1, 7, 5],
            target: [1, 4, 5],
            kernel: [3, 2],
            stride: [2, 1],
            padding: [1, 1],
            dilation: [1, 2],
        };
        let mut pairs = Vec::new();
        for source in 0..35u32 {
            Connector::Conv(conv).each_synapse(source as usize, (35, 20), |t, _| {
                pairs.push((source, t as u32));
            });
        }
        let inside = |range: (u32, u32), at| range.0 <= at && at <= range.1;
        for from in [(0, 34), (3, 3), (10, 21), (30, 34)] {
            for to in [(0, 19), (0, 0), (4, 11), (19, 19)] {
                let wanted = pairs
                    .iter()
                    .filter(|(s, t)| inside(from, *s) && inside(to, *t))
                    .count();
                assert_eq!(taps(&conv, from, to), wanted as u64, "{from:?} {to:?}");
            }
        }
    }

    #[test]
    fn a_slice_knows_its_pixels() {
        let shape = [4, 3, 5];
        let slice = |lo, n| AtomSlice { lo, n };
        let row_major = AtomOrder::RowMajor;
        assert_eq!(pixels(row_major, shape, slice(17, 4)), (2, 5));
        assert_eq!(pixels(row_major, shape, slice(14, 2)), (0, 14));
        let blocked = AtomOrder::Blocked { channels: 2 };
        assert_eq!(pixels(blocked, shape, slice(34, 6)), (2, 4));
    }
}
