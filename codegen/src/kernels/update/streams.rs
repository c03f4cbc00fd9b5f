//! Pointers that move through a slice together.

use super::super::builder::KernelBuilder;
use super::Operand;
use cranelift_codegen::ir::Value;
use ir::DType;

/// The start of a stream: a constant or a value.
#[derive(Clone, Copy, Debug)]
enum Start {
    Const(u32),
    Value(Value),
}

/// Starts and the step of one atom. The state of the loop holds one value for
/// each, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams(Vec<(Start, u32)>);

/// A parameter: a constant, or a stream of float32.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Const(f32),
    Stream(usize),
}

impl Streams {
    fn add(&mut self, start: Start, step: u32) -> usize {
        self.0.push((start, step));
        self.0.len() - 1
    }
    /// An array of words.
    pub(super) fn array(&mut self, addr: u32) -> usize {
        self.add(Start::Const(addr), 4)
    }
    pub(super) fn moving(&mut self, start: Value, step: u32) -> usize {
        self.add(Start::Value(start), step)
    }
    /// The key of the atom.
    pub(super) fn key(&mut self, first: u32) -> usize {
        self.add(Start::Const(first), 1)
    }
    pub(super) fn operand(&mut self, op: Operand) -> Source {
        match op {
            Operand::Const(value) => Source::Const(value),
            Operand::Array(addr) => Source::Stream(self.array(addr)),
        }
    }

    pub(super) fn start(&self, kb: &mut KernelBuilder<'_>) -> Vec<Value> {
        let start = |&(start, _): &(Start, u32)| match start {
            Start::Const(c) => kb.int(c),
            Start::Value(v) => v,
        };
        self.0.iter().map(start).collect()
    }
    /// The state after `n` atoms.
    pub(super) fn advance(&self, kb: &mut KernelBuilder<'_>, at: &[Value], n: u32) -> Vec<Value> {
        let all = self.0.iter().zip(at);
        all.map(|((_, step), &p)| kb.add_const(p, n * step))
            .collect()
    }
    /// The state in which a stream of `ty` has moved by `bytes`, a whole number
    /// of atoms.
    pub(super) fn moved(&self, kb: &mut KernelBuilder<'_>, bytes: Value, ty: DType) -> Vec<Value> {
        let size = ty.size().ilog2();
        let mut all = Vec::new();
        for &(start, step) in &self.0 {
            // Steps are powers of two: 1, 2 or 4.
            let step = step.ilog2();
            let by = match step.checked_sub(size) {
                Some(0) => bytes,
                Some(up) => kb.shl_const(bytes, up),
                None => kb.shr_const(bytes, size - step),
            };
            all.push(match start {
                Start::Const(c) => kb.add_const(by, c),
                Start::Value(v) => kb.add(v, by),
            });
        }
        all
    }
}

impl Source {
    /// The parameter of atom `lane` of the group.
    pub(super) fn load(self, kb: &mut KernelBuilder<'_>, at: &[Value], lane: i32) -> Value {
        match self {
            Source::Const(value) => kb.float(value),
            Source::Stream(s) => kb.load_float(at[s], 4 * lane),
        }
    }
}
