//! Spikes through dense int8 projections, whose rows are listed and added together:
//! right for every number of spikes and targets, and as cheap as the design says.

use codegen::kernels::{
    Addressing, Carries, DelayedRows, DenseRow, Kernel, KeyRange, Pair, Receive, RowBlock,
    RowLayout, RowLists, Slots,
};
use ir::DType;
use ir::memory::{control, lists};
use tests::bare;
use tests::lab::Lab;

const CONTROL: u32 = 0x1_d000;
const WRITE: u32 = 0x1_d100;
const SINK: u32 = 0x4000;
const LISTS: u32 = 0x6400;
const RING: u32 = 0x7000;
const ROWS: u32 = 0x9000;
const KEY: u32 = 0x0002_0000;

/// A projection of random weights, and the packets that wait.
struct Bench {
    sink: DType,
    targets: u32,
    atoms: u32,
    /// Delays of the projections from the one source.
    delays: Vec<u32>,
    lists: u32,
    weights: Vec<i8>,
}

impl Bench {
    fn new(lab: &mut Lab, sink: DType, targets: u32, delays: &[u32]) -> Self {
        let atoms = 0xc000 / targets.next_multiple_of(8) / delays.len() as u32;
        let atoms = atoms.min(100);
        let n = atoms * targets * delays.len() as u32;
        let weights = (0..n).map(|_| match lab.below(4) {
            0 => -128,
            _ => lab.rng.draw() as i8,
        });
        Self {
            sink,
            targets,
            atoms,
            delays: delays.to_vec(),
            lists: delays.len() as u32,
            weights: weights.collect(),
        }
    }

    fn row(&self) -> DenseRow {
        let pair = Pair::new(DType::I8, self.sink).expect("a known pair");
        DenseRow::new(pair, self.targets)
    }
    fn weights_of(&self, projection: usize, atom: u32) -> &[i8] {
        let n = self.targets as usize;
        let first = (projection * self.atoms as usize + atom as usize) * n;
        &self.weights[first..first + n]
    }
    fn slots(&self) -> Slots {
        Slots {
            address: SINK,
            count: 4,
            bytes: self.row().stride() * self.sink.size() as u32,
        }
    }

    /// The kernel with its rows in memory.
    fn receive(&self, lab: &mut Lab, ring: u32) -> Receive {
        let bytes = self.row().stride() * self.atoms;
        let block = |p: usize| RowBlock {
            rows: ROWS + p as u32 * bytes,
            layout: RowLayout::Dense(self.row()),
        };
        for p in 0..self.delays.len() {
            for atom in 0..self.atoms {
                let row = self.weights_of(p, atom);
                let row: Vec<i32> = row.iter().map(|&w| w.into()).collect();
                let at = block(p).rows + atom * self.row().stride();
                lab.put(at, &self.row().row_bytes(&row));
            }
        }
        let blocks = (0..).zip(&self.delays).map(|(p, &delay)| DelayedRows {
            block: block(p),
            delay,
        });
        Receive {
            control: CONTROL,
            ring: (RING, RING + 4 * ring),
            payload: false,
            write_pointer: WRITE,
            read_pointer: WRITE + 4,
            accumulators: Some(self.slots()),
            lists: Some(RowLists {
                address: LISTS,
                count: self.lists,
            }),
            products: Vec::new(),
            ranges: vec![KeyRange {
                key: KEY,
                atoms: self.atoms,
                carries: Carries::Spikes(blocks.collect()),
            }],
        }
    }

    /// Puts `n` packets into the ring from entry `first` on; their atoms.
    fn send(&self, lab: &mut Lab, ring: u32, first: u32, n: u32) -> Vec<u32> {
        lab.word(CONTROL + control::RING_READ, RING + 4 * first);
        lab.word(WRITE, RING + 4 * ((first + n) % ring));
        let mut atoms = vec![];
        for k in 0..n {
            let atom = lab.below(self.atoms);
            lab.word(RING + 4 * ((first + k) % ring), KEY + atom);
            atoms.push(atom);
        }
        atoms
    }

    fn check(&self, lab: &mut Lab, ring: u32, first: u32, n: u32) {
        let receive = self.receive(lab, ring);
        let atoms = self.send(lab, ring, first, n);
        let slots = self.slots();
        // What was there before stays part of the sum.
        let width = self.row().stride();
        for slot in 0..slots.count {
            for word in 0..slots.bytes / 4 {
                let before = lab.rng.draw();
                lab.word(SINK + slot * slots.bytes + 4 * word, before);
            }
        }
        let before = lab.data.clone();
        let after = lab.agree(&guests(&receive), receive.kernel(Addressing::Host), &[8]);
        assert_eq!(after.word(WRITE + 4), RING + 4 * ((first + n) % ring));
        for slot in 0..slots.count {
            let mut sums = vec![0i32; width as usize];
            for (p, delay) in self.delays.iter().enumerate() {
                if (7 + delay) % 4 == slot {
                    for &atom in &atoms {
                        for (sum, &w) in sums.iter_mut().zip(self.weights_of(p, atom)) {
                            *sum += i32::from(w);
                        }
                    }
                }
            }
            let at = SINK + slot * slots.bytes;
            let old = |k: u32, size: usize| {
                let start = (at - bare::DATA.start + k * size as u32) as usize;
                &before[start..start + size]
            };
            let what = format!("{n} spikes, {width} targets, slot {slot}");
            if self.sink == DType::I16 {
                let old = |k| i16::from_le_bytes(old(k, 2).try_into().expect("two bytes"));
                let new = (0..)
                    .zip(&sums)
                    .map(|(k, &s)| old(k).wrapping_add(s as i16));
                let new: Vec<i32> = new.map(i32::from).collect();
                assert_eq!(after.halves(at, width), new, "{what}");
            } else {
                let old = |k| u32::from_le_bytes(old(k, 4).try_into().expect("four bytes"));
                let new = (0..)
                    .zip(&sums)
                    .map(|(k, &s)| old(k).wrapping_add(s as u32));
                assert_eq!(after.words(at, width), new.collect::<Vec<_>>(), "{what}");
            }
        }
    }

    /// Cycles of the whole kernel for `n` spikes.
    fn cycles(&self, n: u32) -> u64 {
        let mut lab = Lab::new(1);
        let receive = self.receive(&mut lab, 300);
        self.send(&mut lab, 300, 0, n);
        let image = bare::image(&guests(&receive), &[8], &lab.data);
        bare::emulate(&image).cycles
    }
}

fn guests(receive: &Receive) -> Vec<Kernel> {
    let mut rows = receive.row_kernels();
    rows.sort();
    rows.dedup();
    let mut all = vec![receive.kernel(Addressing::Guest)];
    all.extend(rows.iter().map(|k| k.kernel(Addressing::Guest)));
    all
}

#[test]
fn any_number_of_spikes_and_targets() {
    let mut seed = 0;
    for sink in [DType::I16, DType::I32] {
        for targets in [3, 8, 16, 24, 37, 88, 128, 256, 264, 520] {
            for n in [0, 1, 2, 3, 7, 24] {
                seed += 1;
                let mut lab = Lab::new(seed);
                let bench = Bench::new(&mut lab, sink, targets, &[1]);
                bench.check(&mut lab, 30, seed as u32 % 30, n);
            }
        }
    }
}

#[test]
fn more_rows_than_a_list_holds() {
    for (seed, sink) in [(1, DType::I16), (2, DType::I32)] {
        for n in [
            lists::ROWS - 1,
            lists::ROWS,
            lists::ROWS + 1,
            2 * lists::ROWS,
            700,
        ] {
            let mut lab = Lab::new(seed + u64::from(n));
            let bench = Bench::new(&mut lab, sink, 24, &[1]);
            bench.check(&mut lab, 701, 500, n);
        }
        // The extreme: every weight of every row is -128.
        let mut lab = Lab::new(seed);
        let mut bench = Bench::new(&mut lab, sink, 40, &[1]);
        bench.weights.fill(-128);
        bench.check(&mut lab, 701, 0, 600);
    }
}

#[test]
fn several_projections_from_one_source() {
    for (seed, sink) in [(1, DType::I16), (2, DType::I32)] {
        for delays in [&[1, 2][..], &[2, 2], &[1, 3, 1], &[2, 2, 2]] {
            for n in [1, 2, 5, 170, 300] {
                let mut lab = Lab::new(seed + u64::from(n));
                let mut bench = Bench::new(&mut lab, sink, 24, delays);
                let mut distinct = delays.to_vec();
                distinct.sort_unstable();
                distinct.dedup();
                bench.lists = distinct.len() as u32;
                bench.check(&mut lab, 311, 290, n);
                // A delay without memory for its list is added row by row.
                bench.lists -= 1;
                bench.check(&mut lab, 311, 290, n);
            }
        }
    }
}

/// Everything that the tick does with `rows` spikes, per synapse.
#[test]
fn cycles_per_synapse() {
    for (sink, targets, rows, most) in [
        (DType::I16, 128, 1, 3.0),
        (DType::I16, 128, 8, 1.5),
        (DType::I16, 256, 8, 1.5),
        (DType::I16, 128, 64, 1.2),
        (DType::I32, 128, 8, 2.1),
        (DType::I32, 256, 8, 2.1),
        (DType::I32, 128, 64, 1.3),
    ] {
        let mut lab = Lab::new(0);
        let bench = Bench::new(&mut lab, sink, targets, &[1]);
        let spent = bench.cycles(rows);
        let own = spent - bench.cycles(0);
        let each = own as f64 / f64::from(rows * targets);
        println!(
            "{} {targets}x{rows}: {each:.3} cycles/synapse, {spent} in all",
            sink.name()
        );
        assert!(each <= most, "{each:.3} cycles a synapse, at most {most}");
    }
}
