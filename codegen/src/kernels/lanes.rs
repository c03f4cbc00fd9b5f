//! Adding weights that lie side by side to targets that do.
//!
//! With int16 accumulators SXTAB16 adds two bytes at once, to both halves of a
//! word: bytes 0 and 2, or 1 and 3 when rotated. Such rows are therefore stored
//! with the middle two bytes of every word swapped ([`Pair::pack`]), so that
//! accumulators stay in natural order.

use super::builder::KernelBuilder;
use cranelift_codegen::ir::Value;
use ir::DType;

/// Types of a row's elements and of what they are added to: int16 or int32
/// accumulators, or float32 currents, to which they go multiplied by a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    weight: DType,
    sink: DType,
}

/// Where lanes are: addresses and constant offsets from them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes {
    pub row: (Value, i32),
    pub sink: (Value, i32),
}

impl Pair {
    /// `None` if there is no kernel for the pair of types.
    pub fn new(weight: DType, sink: DType) -> Option<Self> {
        let known = matches!(
            (weight, sink),
            (DType::I8, DType::I16)
                | (DType::I8 | DType::I16 | DType::I32, DType::I32 | DType::F32)
        );
        known.then_some(Self { weight, sink })
    }
    pub fn name(self) -> String {
        format!("{}_{}", self.weight.name(), self.sink.name())
    }
    pub fn weight_bytes(self) -> u32 {
        self.weight.size() as u32
    }
    pub fn sink_bytes(self) -> u32 {
        self.sink.size() as u32
    }
    /// Whether weights are multiplied by a value.
    pub fn takes_value(self) -> bool {
        self.sink == DType::F32
    }

    /// Weights as rows hold them, for kernels that read whole words.
    pub fn pack(self, weights: impl IntoIterator<Item = i32>) -> Vec<u8> {
        let mut out = self.pack_plain(weights);
        if self.sink == DType::I16 {
            for word in out.chunks_exact_mut(4) {
                word.swap(1, 2);
            }
        }
        out
    }
    /// Weights one after the other.
    pub fn pack_plain(self, weights: impl IntoIterator<Item = i32>) -> Vec<u8> {
        let size = self.weight.size();
        let bytes = weights.into_iter().map(i32::to_le_bytes);
        bytes.flat_map(|b| b.into_iter().take(size)).collect()
    }

    /// Adds `n` (a multiple of 4) weights to their targets; all loads come before
    /// all stores, so that loads pipeline.
    pub(super) fn add(self, kb: &mut KernelBuilder<'_>, at: Lanes, n: u32, x: Option<Value>) {
        let words = |bytes: u32| (n * bytes / 4) as i32;
        let (row, row_at) = at.row;
        let (sink, sink_at) = at.sink;
        let w: Vec<Value> = (0..words(self.weight_bytes()))
            .map(|k| kb.load_word(row, row_at + 4 * k))
            .collect();
        if let Some(x) = x {
            let old: Vec<Value> = (0..n as i32)
                .map(|k| kb.load_float(sink, sink_at + 4 * k))
                .collect();
            let sums: Vec<Value> = (0..n)
                .zip(old)
                .map(|(k, old)| {
                    let weight = self.weight_of(kb, &w, k);
                    self.current(kb, old, weight, x)
                })
                .collect();
            for (k, sum) in (0..).zip(sums) {
                kb.store(sum, sink, sink_at + 4 * k);
            }
            return;
        }
        let old: Vec<Value> = (0..words(self.sink_bytes()))
            .map(|k| kb.load_word(sink, sink_at + 4 * k))
            .collect();
        let sums: Vec<Value> = (0u32..)
            .zip(old)
            .map(|(k, old)| match self.sink {
                DType::I16 => kb.add_bytes_to_halves(old, w[k as usize / 2], k % 2 == 1),
                _ => {
                    let weight = self.weight_of(kb, &w, k);
                    kb.add(old, weight)
                }
            })
            .collect();
        for (k, sum) in (0..).zip(sums) {
            kb.store(sum, sink, sink_at + 4 * k);
        }
    }

    /// Weight `k` of words in natural order, as an i32.
    pub(super) fn weight_of(self, kb: &mut KernelBuilder<'_>, words: &[Value], k: u32) -> Value {
        let per_word = 4 / self.weight_bytes();
        let word = words[(k / per_word) as usize];
        match self.weight {
            DType::I8 => kb.signed_byte(word, k % 4),
            DType::I16 => kb.signed_half(word, k % 2),
            _ => word,
        }
    }

    fn current(self, kb: &mut KernelBuilder<'_>, old: Value, weight: Value, x: Value) -> Value {
        let weight = kb.to_float(weight);
        let product = kb.fmul(weight, x);
        kb.fadd(old, product)
    }

    /// Loads one weight as an i32.
    pub(super) fn load_weight(self, kb: &mut KernelBuilder<'_>, row: Value, at: i32) -> Value {
        match self.weight {
            DType::I8 => kb.load_signed_byte(row, at),
            DType::I16 => kb.load_signed_half(row, at),
            _ => kb.load_word(row, at),
        }
    }
    /// Loads one target.
    pub(super) fn load_sink(self, kb: &mut KernelBuilder<'_>, sink: Value, at: i32) -> Value {
        match self.sink {
            DType::I16 => kb.load_signed_half(sink, at),
            DType::F32 => kb.load_float(sink, at),
            _ => kb.load_word(sink, at),
        }
    }
    /// What a target becomes.
    pub(super) fn sum(
        self,
        kb: &mut KernelBuilder<'_>,
        old: Value,
        weight: Value,
        x: Option<Value>,
    ) -> Value {
        match x {
            Some(x) => self.current(kb, old, weight, x),
            None => kb.add(old, weight),
        }
    }
    pub(super) fn store_sink(self, kb: &mut KernelBuilder<'_>, sum: Value, sink: Value, at: i32) {
        match self.sink {
            DType::I16 => kb.store_half(sum, sink, at),
            _ => kb.store(sum, sink, at),
        }
    }
}
