//! Dense projections on the MAC array: what arrived in a tick, as a vector of bytes, times
//! the matrix of weights.
//!
//! ```text
//! count   for each packet: vector[source] += 1 ([`super::count`])
//! start   the array takes vector and weights; the vector is cleared for the next tick
//!         while the array works
//! finish  waits for the array; the sums are there, or are added to what is there
//! ```
//!
//! Sums of integers have no order and the array's accumulator is wide enough for the
//! largest of them (the constructor checks that), so the product equals what adding row
//! after row gives. Rows lie as for adding them, in the order of targets without gaps,
//! which is the layout that the array reads.

use super::builder::KernelBuilder;
use crate::devices::{Job, MacArray, Operand, Output, Shape, Width};
use cranelift_codegen::ir::Value;
use ir::code::Code;
use ir::diag::Diagnostic;
use ir::memory::{GROUP, array, padded};
use ir::{DType, Origin, Target};

/// What a product is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factors {
    /// Address of a byte for each source, in whole runs of [`array::CLEARED`], zero before
    /// the first tick.
    pub vector: u32,
    pub sources: u32,
    /// Address of a row of `padded(targets)` weights for each source.
    pub weights: u32,
    /// I8 or I16.
    pub weight: DType,
    pub targets: u32,
    /// Of the accumulators: I16 or I32.
    pub sums: DType,
    /// Where the product goes if the accumulators hold what something else has added;
    /// otherwise it is written over them.
    pub aside: Option<u32>,
    /// The largest sum that can occur, without sign.
    pub largest: u64,
}

/// One product a tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    factors: Factors,
    array: MacArray,
    job: Job,
}

/// Words that one iteration clears.
const UNROLL: u32 = array::CLEARED / 4;

impl Product {
    /// Refuses types and places that the array does not take, and sums that overflow.
    pub fn new(target: &Target, factors: Factors) -> Result<Self, Diagnostic> {
        let wide = match factors.weight {
            DType::I8 => Some(false),
            DType::I16 => Some(true),
            DType::I32 | DType::F32 | DType::F64 => None,
        };
        let width = match factors.sums {
            DType::I16 => Some(Width::Bits16),
            DType::I32 => Some(Width::Bits32),
            DType::I8 | DType::F32 | DType::F64 => None,
        };
        let holds = match factors.sums {
            DType::I16 => i16::MAX as u64,
            _ => i32::MAX as u64,
        };
        let align = target.mla.align_bytes.max(1);
        let aligned = |addr: u32| addr.is_multiple_of(align);
        let placed = aligned(factors.vector)
            && aligned(factors.weights)
            && factors.aside.is_none_or(aligned);
        let most = target.mla.largest_sum(factors.weight).min(holds);
        let (Some(wide), Some(width), true, true) = (wide, width, placed, factors.largest <= most)
        else {
            let message = "a projection does not fit the MAC array";
            let error = Diagnostic::error(Code::CodegenLimit, &Origin::Compiler, message);
            return Err(error.note(format!(
                "{factors:?}; addresses are multiples of {align} B, sums at most {most}"
            )));
        };
        let shape = Shape::Matrix {
            m: 1,
            k: factors.sources,
            n: padded(factors.targets),
        };
        let vector = Operand::default();
        let weights = Operand {
            signed: true,
            wide,
            at: None,
        };
        let output = Output {
            width,
            ..Output::default()
        };
        Ok(Self {
            factors,
            array: MacArray::of(target),
            job: Job::new(target, shape, vector, weights, output)?,
        })
    }

    /// Starts the array for the accumulators at `sink` and clears the vector.
    pub fn start(&self, kb: &mut KernelBuilder<'_>, sink: Value) {
        let (a, b) = (kb.int(self.factors.vector), kb.int(self.factors.weights));
        let result = match self.factors.aside {
            Some(aside) => kb.int(aside),
            None => sink,
        };
        self.array.start(kb, &self.job, a, b, result);
        // The array has taken its operands.
        let iterations = self.factors.sources.div_ceil(4 * UNROLL);
        kb.repeat(iterations, &[a], |kb, at| {
            let zero = kb.int(0);
            for k in 0..UNROLL as i32 {
                kb.store(zero, at[0], 4 * k);
            }
            vec![kb.add_const(at[0], 4 * UNROLL)]
        });
    }

    /// Waits asleep for the product, and adds it to the accumulators at `sink` if it did
    /// not go there.
    pub fn finish(&self, kb: &mut KernelBuilder<'_>, sink: Value) {
        self.array.sleep(kb);
        self.array.take_status(kb);
        let Some(aside) = self.factors.aside else {
            return;
        };
        let from = kb.int(aside);
        let size = self.factors.sums.size() as u32;
        let groups = padded(self.factors.targets) / GROUP;
        kb.repeat(groups, &[from, sink], |kb, at| {
            match self.factors.sums {
                DType::I16 => add_halves(kb, at[0], at[1]),
                _ => add_words(kb, at[0], at[1]),
            }
            vec![
                kb.add_const(at[0], GROUP * size),
                kb.add_const(at[1], GROUP * size),
            ]
        });
    }
}

/// Four words at a time, so that loads follow each other.
fn add_words(kb: &mut KernelBuilder<'_>, from: Value, to: Value) {
    for half in 0..GROUP as i32 / 4 {
        let places = (0..4).map(|k| 16 * half + 4 * k);
        let x: Vec<Value> = places.clone().map(|k| kb.load_word(from, k)).collect();
        let y: Vec<Value> = places.clone().map(|k| kb.load_word(to, k)).collect();
        for ((k, x), y) in places.zip(x).zip(y) {
            let sum = kb.add(x, y);
            kb.store(sum, to, k);
        }
    }
}

fn add_halves(kb: &mut KernelBuilder<'_>, from: Value, to: Value) {
    for half in 0..GROUP as i32 / 4 {
        let places = (0..4).map(|k| 8 * half + 2 * k);
        let x: Vec<Value> = places.clone().map(|k| kb.load_half(from, k)).collect();
        let y: Vec<Value> = places.clone().map(|k| kb.load_half(to, k)).collect();
        for ((k, x), y) in places.zip(x).zip(y) {
            let sum = kb.add(x, y);
            kb.store_half(sum, to, k);
        }
    }
}
