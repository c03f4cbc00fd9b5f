//! Dense projection, streaming: adds one synaptic row to the accumulators.
//!
//! A row holds the weights of one source atom to every target of the slice,
//! padded with zeros to whole groups. With int16 accumulators SXTAB16 adds two
//! bytes at once, to both halves of a word: bytes 0 and 2, or 1 and 3 when
//! rotated. Rows are therefore stored with the middle two bytes of every word
//! swapped (`row_bytes`), so that accumulators stay in natural order.

use super::builder::{Addressing, Kernel, KernelBuilder, build};
use cranelift_codegen::ir::Value;
use ir::DType;
use ir::memory::{GROUP, padded};

/// A row kernel: `dense(row address, accumulator address)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DenseRow {
    weight: DType,
    accumulator: DType,
    targets: u32,
}

/// Groups that one loop iteration adds.
const UNROLL: u32 = 2;

impl DenseRow {
    /// `None` if there is no kernel for the pair of types.
    pub fn new(weight: DType, accumulator: DType, targets: u32) -> Option<Self> {
        let known = matches!(
            (weight, accumulator),
            (DType::I8, DType::I16) | (DType::I8 | DType::I16 | DType::I32, DType::I32)
        );
        known.then_some(Self {
            weight,
            accumulator,
            targets: padded(targets),
        })
    }

    pub fn symbol(&self) -> String {
        format!(
            "dense_{}_{}_{}",
            self.weight.name(),
            self.accumulator.name(),
            self.targets
        )
    }

    /// Bytes of one row.
    pub fn stride(&self) -> u32 {
        self.targets * self.weight.size() as u32
    }

    pub fn kernel(&self, addressing: Addressing) -> Kernel {
        build(&self.symbol(), 2, addressing, |kb, args| {
            self.emit(kb, args[0], args[1])
        })
    }

    /// Adds the row at `row` to the accumulators at `acc`.
    pub fn emit(&self, kb: &mut KernelBuilder<'_>, row: Value, acc: Value) {
        let groups = self.targets / GROUP;
        let row_step = GROUP * self.weight.size() as u32;
        let acc_step = GROUP * self.accumulator.size() as u32;
        let end = kb.repeat(groups / UNROLL, &[row, acc], |kb, at| {
            for k in 0..UNROLL {
                self.group(
                    kb,
                    at[0],
                    at[1],
                    (k * row_step) as i32,
                    (k * acc_step) as i32,
                );
            }
            let row = kb.add_const(at[0], UNROLL * row_step);
            let acc = kb.add_const(at[1], UNROLL * acc_step);
            vec![row, acc]
        });
        if groups % UNROLL == 1 {
            self.group(kb, end[0], end[1], 0, 0);
        }
    }

    /// One group of targets; all loads come before all stores, so that loads pipeline.
    fn group(&self, kb: &mut KernelBuilder<'_>, row: Value, acc: Value, row_at: i32, acc_at: i32) {
        let words = |bytes: usize| (GROUP as usize * bytes / 4) as i32;
        let w: Vec<Value> = (0..words(self.weight.size()))
            .map(|k| kb.load_word(row, row_at + 4 * k))
            .collect();
        let a: Vec<Value> = (0..words(self.accumulator.size()))
            .map(|k| kb.load_word(acc, acc_at + 4 * k))
            .collect();
        let sums: Vec<Value> = a
            .iter()
            .enumerate()
            .map(|(k, &a)| match (self.weight, self.accumulator) {
                (DType::I8, DType::I16) => kb.add_bytes_to_halves(a, w[k / 2], k % 2 == 1),
                (DType::I8, _) => {
                    let weight = kb.signed_byte(w[k / 4], k as u32 % 4);
                    kb.add(a, weight)
                }
                (DType::I16, _) => {
                    let weight = kb.signed_half(w[k / 2], k as u32 % 2);
                    kb.add(a, weight)
                }
                (_, _) => kb.add(a, w[k]),
            })
            .collect();
        for (k, &sum) in sums.iter().enumerate() {
            kb.store(sum, acc, acc_at + 4 * k as i32);
        }
    }

    /// The bytes of a row whose first weights are `weights`; the rest is zero.
    pub fn row_bytes(&self, weights: &[i32]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.stride() as usize);
        for k in 0..self.targets as usize {
            let w = weights.get(k).copied().unwrap_or(0);
            out.extend_from_slice(&w.to_le_bytes()[..self.weight.size()]);
        }
        if self.accumulator == DType::I16 {
            for word in out.chunks_exact_mut(4) {
                word.swap(1, 2);
            }
        }
        out
    }
}
