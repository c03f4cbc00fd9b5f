//! Estimated cycles of draining the ring and adding what arrived, by the parts of
//! `codegen`'s `receive` and `values`.

use super::load::Busy;
use super::{Bundle, Neurons, Work};
use ir::Target;
use ir::app::Sends;
use ir::id::{ProjId, VertexId};
use ir::memory::{lists, padded, touched};
use ir::tensor::DType;
use std::collections::{BTreeMap, BTreeSet};

/// Thousandths of an atom.
const ATOM: u64 = 1000;

/// What a slice of `n` neurons hears.
pub(super) struct Received<'a> {
    pub(super) neurons: &'a Neurons,
    /// Projections on the MAC array.
    pub(super) array: &'a [ProjId],
    pub(super) n: u32,
    pub(super) bundles: &'a [Bundle],
    pub(super) target: &'a Target,
}

/// How the packets of a bundle are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// Counted for the MAC array.
    Counted,
    /// Its row is put into a list.
    Listed,
    /// Its row is added at once.
    Added,
    /// Kept, and multiplied when all are there.
    Value,
}

impl Received<'_> {
    /// In thousandths of centicycles.
    pub(super) fn cost(&self, busy: impl Fn(&Bundle) -> Busy) -> u64 {
        if self.bundles.is_empty() {
            return 0;
        }
        let plan = &self.target.planning;
        let sent = |b: &Bundle| busy(b).of(b.sender.slice.n);
        let heard = self.bundles.iter().map(|b| (b.sender.vertex, sent(b)));
        let heard: u64 = heard.collect::<BTreeMap<VertexId, u64>>().values().sum();
        let decoded = self.decoding(heard, &sent);
        let rows = self.bundles.iter().map(|b| self.packets(b, busy(b)));
        u64::from(plan.receive_cycles) * 100 * ATOM
            + decoded
            + rows.sum::<u64>()
            + self.lists(heard)
            + self.products()
    }

    /// Telling keys apart. Packets that are only listed or counted are taken four at a time
    /// if one range of keys holds them all; else they take the decoding of the others too,
    /// which contains the first decision.
    fn decoding(&self, heard: u64, sent: &dyn Fn(&Bundle) -> u64) -> u64 {
        let plan = &self.target.planning;
        let ranges = self.ranges();
        let quick = |b: &&Bundle| matches!(self.taken(b), Taken::Counted | Taken::Listed);
        let quick: Vec<&Bundle> = self.bundles.iter().filter(quick).collect();
        if ranges == 1 && quick.len() == self.bundles.len() {
            return 0;
        }
        let these = quick.iter().map(|b| (b.sender.vertex, sent(b)));
        let these: u64 = these.collect::<BTreeMap<VertexId, u64>>().values().sum();
        let levels = u64::from(ranges.next_power_of_two().trailing_zeros());
        let decided = (heard - these) * levels + these * levels.saturating_sub(1);
        decided * u64::from(plan.level_centicycles) + these * u64::from(plan.decode_centicycles)
    }

    fn taken(&self, bundle: &Bundle) -> Taken {
        if self.array.contains(&bundle.projection) {
            Taken::Counted
        } else if bundle.carries == Sends::Values {
            Taken::Value
        } else if self.list_of(bundle).is_some() {
            Taken::Listed
        } else {
            Taken::Added
        }
    }

    /// The delay of the list that a bundle's rows go into.
    fn list_of(&self, bundle: &Bundle) -> Option<Option<u32>> {
        let mut listed = self.neurons.listed.iter();
        let found = listed.find(|(id, _)| *id == bundle.projection);
        found.map(|(_, delay)| *delay)
    }

    /// Ranges of keys that are told apart. Those of neighbouring slices are one where no
    /// key between them is unused and a row follows from its atom's number alone.
    fn ranges(&self) -> u32 {
        let mut dense: BTreeMap<VertexId, (&Bundle, bool)> = BTreeMap::new();
        for b in self.bundles {
            let rows = dense.entry(b.sender.vertex).or_insert((b, true));
            rows.1 &= b.work == Work::Dense && b.carries == Sends::Spikes;
        }
        let all: Vec<(&Bundle, bool)> = dense.into_values().collect();
        let joined = all.windows(2).filter(|pair| {
            let (before, after) = (pair[0].0, pair[1].0);
            let (first, next) = (before.sender.slice, after.sender.slice);
            pair[0].1
                && pair[1].1
                && before.pre == after.pre
                && first.lo + first.n == next.lo
                && first.n.is_power_of_two()
                && next.n <= first.n
        });
        (all.len() - joined.count()).max(1) as u32
    }

    /// Taking the packets of a bundle, without decoding their keys.
    fn packets(&self, b: &Bundle, busy: Busy) -> u64 {
        let plan = &self.target.planning;
        let sent = busy.of(b.sender.slice.n);
        match self.taken(b) {
            Taken::Counted => {
                sent * u64::from(plan.array_packet_centicycles + plan.counted_centicycles)
            }
            Taken::Listed => sent * self.listed_row(),
            Taken::Value => {
                let row = u64::from(plan.value_row_centicycles);
                sent * row + self.values(b, busy)
            }
            Taken::Added => match b.carries {
                Sends::Counts { .. } => {
                    let counted = sent * u64::from(plan.count_centicycles);
                    counted + u64::from(busy.count) * self.rows(b, busy)
                }
                Sends::Spikes | Sends::Values => self.rows(b, busy),
            },
        }
    }

    fn width(&self) -> u64 {
        u64::from(padded(self.n))
    }

    fn wide(&self) -> bool {
        self.neurons.accumulator != Some(DType::I16)
    }

    fn listed_row(&self) -> u64 {
        let plan = &self.target.planning;
        let synapse = match self.wide() {
            false => plan.listed_i8_i16_centicycles,
            true => plan.listed_i8_i32_centicycles,
        };
        let half = match self.width().is_multiple_of(16) {
            true => 0,
            false => plan.listed_half_centicycles,
        };
        u64::from(plan.listed_packet_centicycles)
            + self.width() * u64::from(synapse)
            + u64::from(half)
    }

    /// Rows that are added at once, each packet by one call.
    fn rows(&self, b: &Bundle, busy: Busy) -> u64 {
        let plan = &self.target.planning;
        let sent = busy.of(b.sender.slice.n);
        let share = |n: u64| n * u64::from(busy.permille);
        match b.work {
            Work::Dense => {
                let synapse = match (b.weights, self.wide()) {
                    (DType::I8, false) => plan.streamed_i8_i16_centicycles,
                    (DType::I8, true) => plan.streamed_i8_i32_centicycles,
                    (DType::I16, _) => plan.streamed_i16_i32_centicycles,
                    (DType::I32 | DType::F32 | DType::F64, _) => plan.streamed_i32_i32_centicycles,
                };
                let packet = u64::from(plan.streamed_packet_centicycles);
                sent * (packet + self.width() * u64::from(synapse))
            }
            Work::Sparse { synapses } => {
                // Groups of four are added together, up to three stand alone.
                let alone = synapses.min(3 * u64::from(b.sender.slice.n));
                sent * u64::from(plan.sparse_packet_centicycles)
                    + share(synapses) * u64::from(plan.sparse_centicycles)
                    + share(alone) * u64::from(plan.sparse_alone_centicycles)
            }
            Work::Conv {
                taps,
                channels,
                spread,
            } => {
                let channel = match (channels.is_multiple_of(4), self.wide()) {
                    (false, _) => plan.channel_alone_centicycles,
                    (true, false) => plan.channel_i16_centicycles,
                    (true, true) => plan.channel_i32_centicycles,
                };
                let marks = match self.neurons.touched {
                    true => channels / u64::from(touched::TARGETS),
                    false => 0,
                };
                let tap = u64::from(plan.tap_centicycles)
                    + channels * u64::from(channel)
                    + marks * u64::from(plan.mark_centicycles);
                sent * self.conv_packet(spread) + share(taps) * tap
            }
        }
    }

    fn conv_packet(&self, spread: bool) -> u64 {
        let plan = &self.target.planning;
        let more = if spread {
            plan.conv_spread_centicycles
        } else {
            0
        };
        u64::from(plan.conv_packet_centicycles) + u64::from(more)
    }

    /// Values times weights.
    fn values(&self, b: &Bundle, busy: Busy) -> u64 {
        let plan = &self.target.planning;
        let sent = busy.of(b.sender.slice.n);
        let share = |n: u64| n * u64::from(busy.permille);
        let one = u64::from(plan.value_centicycles);
        match b.work {
            Work::Dense => sent * self.width() * one,
            Work::Sparse { synapses } => {
                sent * u64::from(plan.sparse_packet_centicycles)
                    + share(synapses) * (one + u64::from(plan.sparse_alone_centicycles))
            }
            Work::Conv {
                taps,
                channels,
                spread,
            } => {
                let tap = u64::from(plan.tap_centicycles) + channels * one;
                sent * self.conv_packet(spread) + share(taps) * tap
            }
        }
    }

    /// Adding the lists whenever one may be full, and at the end.
    fn lists(&self, heard: u64) -> u64 {
        let plan = &self.target.planning;
        let mut delays = BTreeSet::new();
        let mut rows: BTreeMap<(VertexId, Option<u32>), u32> = BTreeMap::new();
        for b in self
            .bundles
            .iter()
            .filter(|b| self.taken(b) == Taken::Listed)
        {
            if let Some(delay) = self.list_of(b) {
                delays.insert(delay);
                *rows.entry((b.sender.vertex, delay)).or_default() += 1;
            }
        }
        let most = rows.values().copied().max().unwrap_or(1);
        let packets = u64::from(lists::ROWS / most).max(1) * ATOM;
        let times = heard.div_ceil(packets).max(1);
        let target = match self.wide() {
            false => plan.listed_i16_target_centicycles,
            true => plan.listed_i32_target_centicycles,
        };
        let one = u64::from(plan.list_cycles) * 100 + self.width() * u64::from(target);
        delays.len() as u64 * times * one * ATOM
    }

    /// Products of the MAC array.
    fn products(&self) -> u64 {
        let plan = &self.target.planning;
        let added = match self.wide() {
            false => plan.array_added_i16_centicycles,
            true => plan.array_added_i32_centicycles,
        };
        let product = |id: ProjId| {
            let from = || self.bundles.iter().filter(move |b| b.projection == id);
            let sources = from().map(|b| u64::from(b.sender.slice.n)).sum();
            let weights = from().map(|b| b.weights).next().unwrap_or(DType::I8);
            let time = self
                .target
                .mla
                .vector_cycles(sources, self.width(), weights);
            let sum = match self.neurons.several {
                true => self.width() * u64::from(added),
                false => 0,
            };
            (u64::from(plan.array_tick_cycles) + time) * 100 + sum
        };
        self.array.iter().map(|&id| product(id)).sum::<u64>() * ATOM
    }
}
