//! Dense projections, row-blocked: adds all rows of a list, a block of 16 targets
//! at a time, whose sums stay in registers meanwhile.
//!
//! The sums of a block are pairs of int16. Added to int16 accumulators they may
//! wrap on the way like these; int32 accumulators get the sum of a whole list,
//! which is exact since a list is not longer than [`lists::ROWS`].

use super::builder::{Addressing, Kernel, KernelBuilder, build};
use super::dense::DenseRow;
use super::lanes::Pair;
use cranelift_codegen::ir::Value;
use ir::DType;
use ir::memory::{GROUP, lists};

/// `blocked(list, rows in it, sink address)`; there is at least one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockedRows(DenseRow);

/// Targets of a whole block.
const BLOCK: u32 = 16;
/// Blocks that have code of their own; more are a loop, between whose iterations
/// the addresses in the list move on.
const SPAN: u32 = 16;

impl BlockedRows {
    /// `None` unless weights are int8 and sums are integers.
    pub fn new(row: DenseRow) -> Option<Self> {
        let integers = row.pair() == Pair::new(DType::I8, DType::I16)?
            || row.pair() == Pair::new(DType::I8, DType::I32)?;
        integers.then_some(Self(row))
    }
    pub fn row(&self) -> DenseRow {
        self.0
    }
    pub fn symbol(&self) -> String {
        format!("rows_of_{}", self.0.symbol())
    }
    pub fn kernel(&self, addressing: Addressing) -> Kernel {
        build(&self.symbol(), 3, addressing, |kb, args| {
            self.emit(kb, [args[0], args[1], args[2]]);
        })
    }

    pub(super) fn emit(&self, kb: &mut KernelBuilder<'_>, [list, n, sink]: [Value; 3]) {
        let targets = self.0.stride();
        let spans = targets / (BLOCK * SPAN);
        let rest = targets % (BLOCK * SPAN);
        let step = BLOCK * SPAN * self.0.pair().sink_bytes();
        let end = kb.repeat(spans, &[sink], |kb, at| {
            self.span(kb, [list, n, at[0]], BLOCK * SPAN);
            if spans > 1 || rest > 0 {
                move_on(kb, list, n);
            }
            vec![kb.add_const(at[0], step)]
        });
        self.span(kb, [list, n, end[0]], rest);
    }

    /// Adds the first `targets` weights of each row.
    fn span(&self, kb: &mut KernelBuilder<'_>, [list, n, sink]: [Value; 3], targets: u32) {
        for first in (0..targets).step_by(BLOCK as usize) {
            let lanes = BLOCK.min(targets - first);
            let at = (first * self.0.pair().sink_bytes()) as i32;
            if self.0.pair().sink_bytes() == 2 {
                self.halves(kb, [list, n, sink], (first, lanes), at);
            } else {
                self.widened(kb, [list, n, sink], (first, lanes), at);
            }
        }
    }

    fn halves(
        &self,
        kb: &mut KernelBuilder<'_>,
        [list, n, sink]: [Value; 3],
        (first, lanes): (u32, u32),
        at: i32,
    ) {
        let pairs = 0..(lanes / 2) as i32;
        let old: Vec<Value> = pairs.map(|k| kb.load_word(sink, at + 4 * k)).collect();
        let sums = kb.add_rows(list, n, first, &old);
        for (k, sum) in (0..).zip(sums) {
            kb.store(sum, sink, at + 4 * k);
        }
    }

    fn widened(
        &self,
        kb: &mut KernelBuilder<'_>,
        [list, n, sink]: [Value; 3],
        (first, lanes): (u32, u32),
        at: i32,
    ) {
        // These rows are in natural order, as `widen` has it.
        let sums = kb.sum_rows(list, n, first, lanes / 4);
        kb.widen(&sums, sink, at);
    }
}

/// Moves the addresses in a list to the next span.
fn move_on(kb: &mut KernelBuilder<'_>, list: Value, n: Value) {
    let bytes = kb.shl_const(n, 2);
    let end = kb.add(list, bytes);
    kb.each(list, end, 4, |kb, at| {
        let row = kb.load_word(at, 0);
        let row = kb.add_const(row, BLOCK * SPAN);
        kb.store(row, at, 0);
    });
}

const _: () = assert!(BLOCK.is_multiple_of(GROUP) && lists::ROWS * 128 <= 1 << 15);
