//! Dense projection, streaming: adds one synaptic row to the accumulators.
//!
//! A row holds the weights of one source atom to every target of the slice,
//! padded with zeros to whole groups.

use super::builder::KernelBuilder;
use super::lanes::{Lanes, Pair};
use cranelift_codegen::ir::Value;
use ir::memory::{GROUP, padded};

/// `dense(row address, sink address)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DenseRow {
    pair: Pair,
    targets: u32,
}

/// Groups that one loop iteration adds.
const UNROLL: u32 = 2;

impl DenseRow {
    pub fn new(pair: Pair, targets: u32) -> Self {
        Self {
            pair,
            targets: padded(targets),
        }
    }
    pub fn pair(&self) -> Pair {
        self.pair
    }
    pub fn symbol(&self) -> String {
        format!("dense_{}_{}", self.pair.name(), self.targets)
    }

    /// Bytes of one row.
    pub fn stride(&self) -> u32 {
        self.targets * self.pair.weight_bytes()
    }

    /// Whether a row is more than one iteration.
    pub(super) fn loops(&self) -> bool {
        self.targets / GROUP > UNROLL
    }

    /// Adds the row at `row` to what is at `sink`.
    pub(super) fn emit(
        &self,
        kb: &mut KernelBuilder<'_>,
        row: Value,
        sink: Value,
        x: Option<Value>,
    ) {
        let groups = self.targets / GROUP;
        let row_step = GROUP * self.pair.weight_bytes();
        let sink_step = GROUP * self.pair.sink_bytes();
        let end = kb.repeat(groups / UNROLL, &[row, sink], |kb, at| {
            for k in 0..UNROLL {
                let lanes = Lanes {
                    row: (at[0], (k * row_step) as i32),
                    sink: (at[1], (k * sink_step) as i32),
                };
                self.pair.add(kb, lanes, GROUP, x);
            }
            let row = kb.add_const(at[0], UNROLL * row_step);
            let sink = kb.add_const(at[1], UNROLL * sink_step);
            vec![row, sink]
        });
        if groups % UNROLL == 1 {
            let lanes = Lanes {
                row: (end[0], 0),
                sink: (end[1], 0),
            };
            self.pair.add(kb, lanes, GROUP, x);
        }
    }

    /// The bytes of a row whose first weights are `weights`; the rest is zero.
    pub fn row_bytes(&self, weights: &[i32]) -> Vec<u8> {
        let zeros = std::iter::repeat(0);
        let all = weights.iter().copied().chain(zeros);
        self.pair.pack(all.take(self.targets as usize))
    }
}
