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

    /// Groups that one loop iteration adds. Floats take twice the code, and the end of
    /// a loop weighs half as much there.
    fn unroll(&self) -> u32 {
        if self.pair.takes_value() { 2 } else { 4 }
    }
    /// Whether a row is more than one iteration.
    pub(super) fn loops(&self) -> bool {
        self.targets / GROUP >= 2 * self.unroll()
    }

    /// Adds the row at `row` to what is at `sink`.
    pub(super) fn emit(
        &self,
        kb: &mut KernelBuilder<'_>,
        row: Value,
        sink: Value,
        x: Option<Value>,
    ) {
        let (groups, unroll) = (self.targets / GROUP, self.unroll());
        let row_step = GROUP * self.pair.weight_bytes();
        let sink_step = GROUP * self.pair.sink_bytes();
        let run = |kb: &mut KernelBuilder<'_>, at: &[Value], groups: u32| {
            for k in 0..groups {
                let lanes = Lanes {
                    row: (at[0], (k * row_step) as i32),
                    sink: (at[1], (k * sink_step) as i32),
                };
                self.pair.add(kb, lanes, GROUP, x);
            }
        };
        let end = kb.repeat(groups / unroll, &[row, sink], |kb, at| {
            run(kb, at, unroll);
            let row = kb.add_const(at[0], unroll * row_step);
            let sink = kb.add_const(at[1], unroll * sink_step);
            vec![row, sink]
        });
        run(kb, &end, groups % unroll);
    }

    /// The bytes of a row whose first weights are `weights`; the rest is zero.
    pub fn row_bytes(&self, weights: &[i32]) -> Vec<u8> {
        let zeros = std::iter::repeat(0);
        let all = weights.iter().copied().chain(zeros);
        self.pair.pack(all.take(self.targets as usize))
    }
}
