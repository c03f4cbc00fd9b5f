//! Rows of synapses: from the number of a source atom to the call that adds
//! what it sends.

use super::blocked::BlockedRows;
use super::builder::{Addressing, Kernel, KernelBuilder, build_with};
use super::conv::ConvRow;
use super::count::CountRow;
use super::dense::DenseRow;
use super::lanes::Pair;
use super::sparse::SparseRow;
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::types::{F32, I32};
use ir::memory::rows;

/// Channels that a packet adds on average from which a convolution had better be called.
/// Of the corpus' networks, those with up to 31 take fewer cycles inside the loop over the
/// ring, those with 49 and more called.
const WORTH_A_CALL: u32 = 40;

/// A routine that adds one row, or a list of them. Its last argument is a float32 if the pair
/// takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKernel {
    Dense(DenseRow),
    Sparse(SparseRow),
    Conv(ConvRow),
    Blocked(BlockedRows),
    /// Never called: it is shorter than a call.
    Count(CountRow),
}

impl RowKernel {
    pub fn symbol(&self) -> String {
        match self {
            RowKernel::Dense(k) => k.symbol(),
            RowKernel::Sparse(k) => k.symbol(),
            RowKernel::Conv(k) => k.symbol(),
            RowKernel::Blocked(k) => k.symbol(),
            RowKernel::Count(_) => "count".to_owned(),
        }
    }
    fn takes_value(&self) -> bool {
        let pair: Pair = match self {
            RowKernel::Dense(k) => k.pair(),
            RowKernel::Sparse(k) => k.pair(),
            RowKernel::Conv(k) => k.pair(),
            RowKernel::Blocked(k) => k.row().pair(),
            RowKernel::Count(_) => return false,
        };
        pair.takes_value()
    }

    /// Arguments before the sink.
    pub(super) fn places(&self) -> usize {
        match self {
            RowKernel::Dense(_) | RowKernel::Count(_) => 1,
            RowKernel::Sparse(_) | RowKernel::Blocked(_) => 2,
            RowKernel::Conv(_) => 3,
        }
    }

    pub fn kernel(&self, addressing: Addressing) -> Kernel {
        let places = self.places() + 1;
        let mut params = vec![I32; places];
        params.extend(self.takes_value().then_some(F32));
        build_with(&self.symbol(), &params, addressing, |kb, args| {
            let (places, x) = args.split_at(places);
            self.emit(kb, places, x.first().copied());
        })
    }

    /// `args` are the places of `RowBlock::places`, then the sink.
    pub(super) fn emit(&self, kb: &mut KernelBuilder<'_>, args: &[Value], x: Option<Value>) {
        match self {
            RowKernel::Dense(k) => k.emit(kb, args[0], args[1], x),
            RowKernel::Sparse(k) => k.emit(kb, [args[0], args[1], args[2]], x),
            RowKernel::Conv(k) => k.emit(kb, [args[0], args[1], args[2], args[3]], x),
            RowKernel::Blocked(k) => k.emit(kb, [args[0], args[1], args[2]]),
            RowKernel::Count(k) => k.emit(kb, args[0]),
        }
    }

    /// Runs the kernel: a call, or inlined in the host form, which has none.
    pub(super) fn run(&self, kb: &mut KernelBuilder<'_>, args: &[Value], x: Option<Value>) {
        let inline = matches!(self, RowKernel::Count(_));
        match kb.addressing() {
            Addressing::Guest if !inline => {
                let all: Vec<Value> = args.iter().copied().chain(x).collect();
                kb.call(&self.symbol(), &all);
            }
            Addressing::Guest | Addressing::Host => self.emit(kb, args, x),
        }
    }
}

/// The rows of one projection for the atoms of one source vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowBlock {
    /// Address of the region.
    pub rows: u32,
    pub layout: RowLayout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowLayout {
    Dense(DenseRow),
    Sparse(SparseRow),
    Conv {
        row: ConvRow,
        /// Address of the shared kernel, and its bytes for each source channel.
        kernel: (u32, u32),
        source: SourcePixels,
        /// Taps of all pixels that the vertex has.
        taps: u32,
    },
    /// A byte of each atom, for the MAC array.
    Counts(CountRow),
}

/// How the atoms of a source vertex lie on the pixels of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourcePixels {
    /// First position and number of positions.
    pub lo: u32,
    pub n: u32,
    /// Channels that lie side by side: 1 where the order is C order.
    pub block: u32,
    /// Pixels of the whole population.
    pub pixels: u32,
}

impl SourcePixels {
    fn in_block(&self) -> u32 {
        self.block * self.pixels
    }
    /// First and last pixel that the vertex has.
    pub fn range(&self) -> (u32, u32) {
        let last = self.lo + self.n - 1;
        if self.lo / self.in_block() == last / self.in_block() {
            let pixel = |position: u32| position % self.in_block() / self.block;
            (pixel(self.lo), pixel(last))
        } else if self.n >= self.in_block() {
            (0, self.pixels - 1)
        } else {
            let pixels = (self.lo..=last).map(|p| p % self.in_block() / self.block);
            pixels.fold((self.pixels, 0), |(a, b), p| (a.min(p), b.max(p)))
        }
    }
    /// Bytes of the table in front of the taps.
    pub fn table_bytes(&self) -> u32 {
        let (first, last) = self.range();
        rows::taps_bytes(u64::from(last - first + 1), 0) as u32
    }

    /// Channel and pixel (from the vertex's first) of atom `index`.
    fn locate(&self, kb: &mut KernelBuilder<'_>, index: Value) -> (Value, Value) {
        let (first, _) = self.range();
        let in_block = self.in_block();
        let number = self.lo / in_block;
        let (blocks, rest) = if (self.lo + self.n - 1) / in_block == number {
            let before = kb.int(number * self.block);
            (before, kb.add_const(index, self.lo % in_block))
        } else {
            let position = kb.add_const(index, self.lo);
            let (number, rest) = kb.divide(position, in_block);
            (kb.mul_const(number, self.block), rest)
        };
        let (pixel, channel) = if self.block == 1 {
            (rest, blocks)
        } else {
            let (pixel, channel) = kb.divide(rest, self.block);
            (pixel, kb.add(blocks, channel))
        };
        let first = kb.int(first);
        (channel, kb.sub(pixel, first))
    }
}

impl RowBlock {
    pub fn kernel(&self) -> RowKernel {
        match self.layout {
            RowLayout::Dense(row) => RowKernel::Dense(row),
            RowLayout::Sparse(row) => RowKernel::Sparse(row),
            RowLayout::Conv { row, .. } => RowKernel::Conv(row),
            RowLayout::Counts(row) => RowKernel::Count(row),
        }
    }

    /// Adds what atom `index` of the source vertex sends: each weight once, or
    /// times the float32 `x`.
    pub(super) fn add(
        &self,
        kb: &mut KernelBuilder<'_>,
        index: Value,
        sink: Value,
        x: Option<Value>,
    ) {
        let mut args = self.places(kb, index);
        args.push(sink);
        self.kernel().run(kb, &args, x);
    }

    /// Whether `next` has the dense rows of the atoms that follow the `atoms` of
    /// this block, or their counts.
    pub(super) fn is_followed_by(&self, next: &RowBlock, atoms: u32) -> bool {
        match (self.layout, next.layout) {
            (RowLayout::Dense(row), RowLayout::Dense(other)) => {
                row == other && next.rows == self.rows + atoms * row.stride()
            }
            (RowLayout::Counts(row), RowLayout::Counts(other)) => {
                row == other && next.rows == self.rows + atoms
            }
            _ => false,
        }
    }

    /// Whether the kernel does better inside the loop over the ring than called from
    /// it. A call costs once a packet; inside, a kernel that loops lacks the registers
    /// that the loop around it uses, which costs in each of its own iterations.
    pub(super) fn belongs_in_the_loop(&self) -> bool {
        match self.layout {
            RowLayout::Dense(row) => !row.loops(),
            RowLayout::Sparse(_) => false,
            RowLayout::Counts(_) => true,
            RowLayout::Conv {
                row, source, taps, ..
            } => {
                let (first, last) = source.range();
                taps * row.channels() < WORTH_A_CALL * (last - first + 1)
            }
        }
    }

    /// The kernel that adds a list of these rows, if there is one.
    pub(super) fn listed(&self) -> Option<BlockedRows> {
        match self.layout {
            RowLayout::Dense(row) => BlockedRows::new(row),
            RowLayout::Sparse(_) | RowLayout::Conv { .. } | RowLayout::Counts(_) => None,
        }
    }

    /// Address of the row of a dense block.
    pub(super) fn row(&self, kb: &mut KernelBuilder<'_>, row: DenseRow, index: Value) -> Value {
        let stride = kb.int(row.stride());
        let offset = kb.mul(index, stride);
        kb.add_const(offset, self.rows)
    }

    /// The arguments of the row kernel before the sink.
    pub(super) fn places(&self, kb: &mut KernelBuilder<'_>, index: Value) -> Vec<Value> {
        match self.layout {
            RowLayout::Dense(row) => vec![self.row(kb, row, index)],
            RowLayout::Counts(_) => vec![kb.add_const(index, self.rows)],
            RowLayout::Sparse(_) => {
                let offset = kb.shl_const(index, 2);
                let entry = kb.add_const(offset, self.rows);
                let (from, end) = (kb.load_word(entry, 0), kb.load_word(entry, 4));
                let from = kb.add_const(from, self.rows);
                vec![from, kb.add_const(end, self.rows)]
            }
            RowLayout::Conv { kernel, source, .. } => {
                let (channel, pixel) = source.locate(kb, index);
                let offset = kb.shl_const(pixel, 1);
                let entry = kb.add_const(offset, self.rows);
                let taps = self.rows + source.table_bytes();
                let mut tap = |at: i32| {
                    let number = kb.load_half(entry, at);
                    let offset = kb.shl_const(number, 2);
                    kb.add_const(offset, taps)
                };
                let (from, end) = (tap(0), tap(2));
                let weights = kb.mul_const(channel, kernel.1);
                vec![from, end, kb.add_const(weights, kernel.0)]
            }
        }
    }
}
