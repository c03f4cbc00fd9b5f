//! Receive, values and source on random data: host code from the same CLIF, the
//! emulator's core and QEMU leave the same memory, and it is what the meaning of
//! the projections says.

use codegen::contents::{self, Ends};
use codegen::kernels::{
    Addressing, Carries, ConvRow, DelayedRows, DenseRow, Kernel, KeyRange, Pair, Receive, RowBlock,
    RowKernel, RowLayout, RowLists, Slots, Source, SourcePixels, SparseRow, ValueRows, Values,
};
use ir::app::{AtomOrder, Connector, Conv, Model, Population, Projection, Sends, Synapses};
use ir::machine_graph::AtomSlice;
use ir::memory::{control, padded};
use ir::tensor::{Data, Shape, Tensor};
use ir::{DType, Id, Origin, PopId};
use tests::lab::{Lab, SEND};

const CONTROL: u32 = 0x1_d000;
const SINK: u32 = 0x5000;
const VALUES: u32 = 0x6800;
const RING: u32 = 0x7000;
const LISTS: u32 = 0x7400;
const ROWS: u32 = 0x8000;
const KEY: u32 = 0x0001_0000;

/// A projection between two slices, with all that its weights mean.
struct Wired {
    pre: Population,
    post: Population,
    projection: Projection,
    source: AtomSlice,
    target: AtomSlice,
}

fn population(shape: &[usize], order: AtomOrder) -> Population {
    Population {
        name: "p".to_owned(),
        shape: Shape::of(shape),
        model: Model::SpikeSource,
        sends: Sends::Spikes,
        order,
        timing: None,
        accumulator: None,
        record: vec![],
        origin: Origin::Compiler,
    }
}

fn block(order: AtomOrder) -> u32 {
    match order {
        AtomOrder::RowMajor => 1,
        AtomOrder::Blocked { channels } => channels as u32,
    }
}

impl Wired {
    fn new(lab: &mut Lab, kind: usize, pair: Pair) -> Self {
        let order = |lab: &mut Lab, c: usize| {
            let divisors: Vec<usize> = (1..=c).filter(|d| c.is_multiple_of(*d)).collect();
            match lab.below(divisors.len() as u32 + 1) as usize {
                0 => AtomOrder::RowMajor,
                k => AtomOrder::Blocked {
                    channels: divisors[k - 1],
                },
            }
        };
        let some = |lab: &mut Lab, low: u32, high: u32| lab.between(low, high) as usize;
        let dims = |lab: &mut Lab, c| {
            [
                [1, 2, 3, 4, 6, 8, 16][lab.below(c) as usize],
                some(lab, 1, 5),
                some(lab, 1, 5),
            ]
        };
        // Shared kernels leave room for more channels.
        let shapes = (dims(lab, 4), dims(lab, if kind == 2 { 7 } else { 4 }));
        let connector = match kind {
            0 => Connector::Dense,
            1 => {
                let n = shapes.1.iter().product::<usize>() as u32;
                let density = lab.between(2, 9);
                let (mut starts, mut targets) = (vec![0], vec![]);
                for _ in 0..shapes.0.iter().product::<usize>() {
                    targets.extend((0..n).filter(|_| lab.one_in(density)));
                    starts.push(targets.len() as u32);
                }
                Connector::Sparse(Synapses::new(starts, targets).expect("in order"))
            }
            _ => Connector::Conv(Conv {
                source: shapes.0,
                target: shapes.1,
                kernel: [some(lab, 1, 4), some(lab, 1, 4)],
                stride: [some(lab, 1, 3), some(lab, 1, 3)],
                padding: [some(lab, 0, 2), some(lab, 0, 2)],
                dilation: [some(lab, 1, 2), some(lab, 1, 2)],
            }),
        };
        let pre = population(&shapes.0, order(lab, shapes.0[0]));
        let post = population(&shapes.1, order(lab, shapes.1[0]));
        let (n_pre, n_post) = (pre.n_atoms(), post.n_atoms());
        let lo = lab.below(n_pre as u32);
        let source = AtomSlice {
            lo,
            n: lab.between(1, n_pre as u32 - lo),
        };
        // A slice of a convolution's target lies in one block of channels.
        let unit = if kind == 2 { block(post.order) } else { 1 };
        let area = match kind {
            2 => (shapes.1[1] * shapes.1[2]) as u32,
            _ => n_post as u32,
        };
        let lo = lab.below(area);
        let n = lab.between(1, area - lo);
        let number = lab.below(n_post as u32 / (unit * area));
        let target = AtomSlice {
            lo: (number * area + lo) * unit,
            n: n * unit,
        };
        let shape = connector.weight_shape(n_pre, n_post);
        let len = shape.len();
        let data = match pair.weight_bytes() {
            1 => Data::I8((0..len).map(|_| lab.rng.draw() as i8).collect()),
            2 => Data::I16((0..len).map(|_| lab.rng.draw() as i16).collect()),
            _ => Data::I32((0..len).map(|_| lab.rng.draw() as i32).collect()),
        };
        let projection = Projection {
            name: "w".to_owned(),
            pre: PopId::from_index(0),
            post: PopId::from_index(1),
            connector,
            weights: Tensor::new(shape, data).expect("sized"),
            delay: Some(lab.between(1, 4)),
            lag: 0,
            origin: Origin::Compiler,
        };
        Self {
            pre,
            post,
            projection,
            source,
            target,
        }
    }

    fn delay(&self) -> u32 {
        self.projection.delay.expect("set")
    }
    fn sink_bytes(&self, pair: Pair) -> u32 {
        padded(self.target.n) * pair.sink_bytes()
    }

    /// Puts the rows into memory.
    fn rows(&self, lab: &mut Lab, pair: Pair) -> RowBlock {
        let ends = Ends {
            projection: &self.projection,
            pre: (&self.pre, self.source),
            post: (&self.post, self.target),
        };
        let (bytes, layout) = match &self.projection.connector {
            Connector::Dense => {
                let row = DenseRow::new(pair, self.target.n);
                let bytes = contents::dense(&ends, row);
                (bytes, RowLayout::Dense(row))
            }
            Connector::Sparse(s) => {
                let row = SparseRow::new(pair);
                let bytes = contents::sparse(&ends, s, row);
                (bytes, RowLayout::Sparse(row))
            }
            Connector::Conv(c) => {
                let row = ConvRow::new(pair, block(self.post.order));
                let source = SourcePixels {
                    lo: self.source.lo,
                    n: self.source.n,
                    block: block(self.pre.order),
                    pixels: (c.source[1] * c.source[2]) as u32,
                };
                let kernel = contents::kernel(&ends, c, row).expect("fits");
                let per_channel = kernel.len() as u32 / c.source[0] as u32;
                let place = 0x1_8000;
                lab.put(place, &kernel);
                let layout = RowLayout::Conv {
                    row,
                    kernel: (place, per_channel),
                    source,
                    taps: 0,
                };
                (contents::taps(&ends, c, row, source), layout)
            }
        };
        lab.put(ROWS, &bytes.expect("fits"));
        RowBlock { rows: ROWS, layout }
    }

    /// Calls `f(target of the slice, weight)` for each synapse of a source atom.
    fn each(&self, index: u32, mut f: impl FnMut(usize, i32)) {
        let position = (self.source.lo + index) as usize;
        let atom = self.pre.order.atom_at(position, &self.pre.shape);
        let ends = (self.pre.n_atoms(), self.post.n_atoms());
        self.projection.connector.each_synapse(atom, ends, |to, w| {
            let position = self.post.order.position_of(to, &self.post.shape) as u32;
            if (self.target.lo..self.target.lo + self.target.n).contains(&position) {
                let weight = self.projection.weights.int_at(w).expect("an integer");
                f((position - self.target.lo) as usize, weight);
            }
        });
    }
}

fn guests(first: Kernel, mut rows: Vec<RowKernel>) -> Vec<Kernel> {
    rows.sort();
    rows.dedup();
    let mut all = vec![first];
    all.extend(rows.iter().map(|k| k.kernel(Addressing::Guest)));
    all
}

#[test]
fn spikes_and_counts_add_their_rows() {
    let pairs = [
        (DType::I8, DType::I16),
        (DType::I8, DType::I32),
        (DType::I16, DType::I32),
        (DType::I32, DType::I32),
    ];
    for case in 0..36 {
        let mut lab = Lab::new(case);
        let (weight, sink) = pairs[case as usize / 3 % 4];
        let pair = Pair::new(weight, sink).expect("a known pair");
        let wired = Wired::new(&mut lab, case as usize % 3, pair);
        let rows = wired.rows(&mut lab, pair);
        let payload = lab.one_in(2);
        let entry = if payload { 8 } else { 4 };
        let slots = Slots {
            address: SINK,
            count: 4,
            bytes: wired.sink_bytes(pair),
        };
        assert!(4 * slots.bytes <= RING - SINK);
        let blocks = vec![DelayedRows {
            block: rows,
            delay: wired.delay(),
        }];
        let before = KeyRange {
            key: KEY,
            atoms: 16,
            carries: Carries::Spikes(vec![]),
        };
        let range = KeyRange {
            key: KEY + 16,
            atoms: wired.source.n,
            carries: match payload {
                true => Carries::Counts { max: 3, blocks },
                false => Carries::Spikes(blocks),
            },
        };
        // The drain wraps around the ring's end.
        let (n, first, last) = (40, 31, 17);
        let receive = Receive {
            control: CONTROL,
            ring: (RING, RING + entry * n),
            payload,
            write_pointer: 0x1_d100,
            read_pointer: 0x1_d104,
            accumulators: Some(slots),
            lists: lab.one_in(2).then_some(RowLists {
                address: LISTS,
                count: 1,
            }),
            products: Vec::new(),
            ranges: vec![before, range],
        };
        lab.word(CONTROL + control::RING_READ, RING + entry * first);
        lab.word(0x1_d100, RING + entry * last);
        let mut sums = vec![0i32; wired.target.n as usize];
        for k in 0..n {
            let at = RING + entry * k;
            let index = lab.below(wired.source.n);
            let spike = !lab.one_in(5);
            let count = if payload { lab.between(1, 3) } else { 1 };
            if payload {
                lab.word(at, count);
            }
            let key = if spike { KEY + 16 + index } else { KEY + 7 };
            lab.word(at + entry - 4, key);
            if spike && !(last..first).contains(&k) {
                wired.each(index, |to, w| {
                    sums[to] = sums[to].wrapping_add(w.wrapping_mul(count as i32));
                });
            }
        }
        let guest = guests(receive.kernel(Addressing::Guest), receive.row_kernels());
        let after = lab.agree(&guest, receive.kernel(Addressing::Host), &[6]);
        assert_eq!(after.word(0x1_d104), RING + entry * last);
        // Drained in tick 6, sent in tick 5.
        let slot = SINK + ((5 + wired.delay()) & 3) * slots.bytes;
        if sink == DType::I16 {
            let sums: Vec<i32> = sums.iter().map(|&s| i32::from(s as i16)).collect();
            assert_eq!(after.halves(slot, wired.target.n), sums, "case {case}");
        } else {
            let sums: Vec<u32> = sums.iter().map(|&s| s as u32).collect();
            assert_eq!(after.words(slot, wired.target.n), sums, "case {case}");
        }
    }
}

#[test]
fn values_add_up_in_the_order_of_their_sources() {
    for case in 0..27 {
        let mut lab = Lab::new(1000 + case);
        let weight = [DType::I8, DType::I16, DType::I32][case as usize / 3 % 3];
        let pair = Pair::new(weight, DType::F32).expect("a known pair");
        let wired = Wired::new(&mut lab, case as usize % 3, pair);
        let block = wired.rows(&mut lab, pair);
        let slots = Slots {
            address: VALUES,
            count: 1 << lab.between(2, 3),
            bytes: 4 * padded(wired.source.n),
        };
        if slots.count * slots.bytes > 0x800 {
            continue;
        }
        let values = Values {
            currents: SINK,
            sources: vec![ValueRows {
                slots,
                atoms: wired.source.n,
                delay: wired.delay(),
                block,
            }],
        };
        let tick = lab.below(20);
        let row = tick.wrapping_sub(wired.delay()) & (slots.count - 1);
        let mut x = vec![];
        for k in 0..slots.count {
            let row_values = lab.floats(VALUES + k * slots.bytes, wired.source.n, 3.0);
            if k == row {
                x = row_values;
            }
        }
        let mut currents = lab.floats(SINK, wired.target.n, 1.0);
        for (index, &x) in (0..).zip(&x) {
            if x != 0.0 {
                wired.each(index, |to, w| currents[to] += w as f32 * x);
            }
        }
        let guest = guests(values.kernel(Addressing::Guest), values.row_kernels());
        let after = lab.agree(&guest, values.kernel(Addressing::Host), &[tick]);
        let bits: Vec<u32> = currents.iter().map(|c| c.to_bits()).collect();
        assert_eq!(after.words(SINK, wired.target.n), bits, "case {case}");
    }
}

#[test]
fn values_go_to_the_row_of_the_tick_before() {
    for (count, tick) in [(1, 5), (4, 0), (4, 9), (8, 9)] {
        let mut lab = Lab::new(u64::from(count + tick));
        let atoms = 19;
        let slots = Slots {
            address: VALUES,
            count,
            bytes: 4 * padded(atoms),
        };
        lab.floats(VALUES, count * padded(atoms), 2.0);
        let receive = Receive {
            control: CONTROL,
            ring: (RING, RING + 8 * 16),
            payload: true,
            write_pointer: 0x1_d100,
            read_pointer: 0x1_d104,
            accumulators: None,
            lists: None,
            products: Vec::new(),
            ranges: vec![KeyRange {
                key: KEY,
                atoms,
                carries: Carries::Values(slots),
            }],
        };
        lab.word(CONTROL + control::RING_READ, RING);
        lab.word(0x1_d100, RING + 8 * 9);
        let mut expected = vec![0u32; padded(atoms) as usize];
        for k in 0..9 {
            let index = lab.below(atoms);
            let value = lab.rng.draw();
            lab.word(RING + 8 * k, value);
            lab.word(RING + 8 * k + 4, KEY + index);
            expected[index as usize] = value;
        }
        let after = lab.agree(
            &[receive.kernel(Addressing::Guest)],
            receive.kernel(Addressing::Host),
            &[tick],
        );
        let row = tick.wrapping_sub(1) & (count - 1);
        let found = after.words(VALUES + row * slots.bytes, padded(atoms));
        assert_eq!(found, expected);
    }
}

#[test]
fn a_source_sends_what_the_host_wrote() {
    for (n, payload) in [(0u32, false), (1, false), (9, false), (0, true), (9, true)] {
        let source = Source {
            control: CONTROL,
            send: SEND,
            payload,
            record: None,
        };
        let mut lab = Lab::new(3);
        lab.word(CONTROL + control::EVENTS_READ, 0x5000);
        lab.word(0x5000, n);
        let size = if payload { 8 } else { 4 };
        for i in 0..n {
            let at = 0x5004 + size * i;
            if payload {
                lab.word(at, 70 + i);
            }
            lab.word(at + size - 4, 0x0002_0000 + 3 * i);
        }
        let after = lab.agree(
            &[source.kernel(Addressing::Guest)],
            source.kernel(Addressing::Host),
            &[],
        );
        let read = after.word(CONTROL + control::EVENTS_READ);
        assert_eq!(read, 0x5004 + size * n);
        let last = |first: u32, step: u32| if n == 0 { 0 } else { first + step * (n - 1) };
        assert_eq!(after.word(SEND.key), last(0x0002_0000, 3));
        let sent = if payload { last(70, 1) } else { 0 };
        assert_eq!(after.word(SEND.payload), sent);
    }
}
