//! Neuron update: LIF and IF, float32 state.
//!
//! ```text
//! v <- decay * v + float(accumulator) + offset     (each operation rounded)
//! v > threshold:  reset, send key
//! ```
//!
//! Eight neurons an iteration; accumulators are cleared as they are read; the
//! spike path is out of line, since most neurons do not spike.

use super::builder::{Addressing, Kernel, KernelBuilder, build};
use super::record::record_spike;
use super::send::Send;
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::FloatCC;
use ir::DType;
use ir::memory::GROUP;
use ir::semantics::Compare;

/// A parameter: one constant, or a float32 array in local memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operand {
    Const(f32),
    Array(u32),
}

/// What a spike does to the membrane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ResetOp {
    To(Operand),
    Subtract(Operand),
    Keep,
}

/// The update of one slice: `update(accumulator slot address)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// Atoms of the slice, at least 1.
    pub atoms: u32,
    pub v: u32,
    /// I16 or I32.
    pub accumulator: DType,
    pub decay: Option<Operand>,
    pub offset: Option<Operand>,
    pub threshold: Operand,
    pub reset: ResetOp,
    pub compare: Compare,
    /// Key of the first atom.
    pub key: u32,
    pub send: Send,
    /// Address of the control region if spikes are recorded on the chip.
    pub record_control: Option<u32>,
}

/// Pointers that move through the slice together.
struct Cursor {
    v: Value,
    acc: Value,
    key: Value,
    decay: Option<Value>,
    offset: Option<Value>,
    threshold: Option<Value>,
    reset: Option<Value>,
}

impl Update {
    pub const SYMBOL: &'static str = "update";

    pub fn kernel(&self, addressing: Addressing) -> Kernel {
        build(Self::SYMBOL, 1, addressing, |kb, args| {
            self.emit(kb, args[0])
        })
    }

    fn emit(&self, kb: &mut KernelBuilder<'_>, acc: Value) {
        let start = self.start(kb, acc);
        let end = kb.repeat(self.atoms / GROUP, &start.values(), |kb, state| {
            let cursor = self.cursor(state);
            self.group(kb, &cursor, GROUP);
            self.advance(kb, &cursor).values()
        });
        if !self.atoms.is_multiple_of(GROUP) {
            let cursor = self.cursor(&end);
            self.group(kb, &cursor, self.atoms % GROUP);
        }
    }

    fn reset_operand(&self) -> Option<Operand> {
        match self.reset {
            ResetOp::To(op) | ResetOp::Subtract(op) => Some(op),
            ResetOp::Keep => None,
        }
    }

    fn start(&self, kb: &mut KernelBuilder<'_>, acc: Value) -> Cursor {
        let array = |kb: &mut KernelBuilder<'_>, op: Option<Operand>| match op {
            Some(Operand::Array(addr)) => Some(kb.int(addr)),
            Some(Operand::Const(_)) | None => None,
        };
        Cursor {
            v: kb.int(self.v),
            acc,
            key: kb.int(self.key),
            decay: array(kb, self.decay),
            offset: array(kb, self.offset),
            threshold: array(kb, Some(self.threshold)),
            reset: array(kb, self.reset_operand()),
        }
    }

    /// The inverse of [`Cursor::values`] for this update.
    fn cursor(&self, state: &[Value]) -> Cursor {
        let mut rest = state[3..].iter().copied();
        let mut array = |op: Option<Operand>| match op {
            Some(Operand::Array(_)) => rest.next(),
            Some(Operand::Const(_)) | None => None,
        };
        Cursor {
            v: state[0],
            acc: state[1],
            key: state[2],
            decay: array(self.decay),
            offset: array(self.offset),
            threshold: array(Some(self.threshold)),
            reset: array(self.reset_operand()),
        }
    }

    fn advance(&self, kb: &mut KernelBuilder<'_>, at: &Cursor) -> Cursor {
        let mut by = |p: Value, step: u32| kb.add_const(p, step);
        Cursor {
            v: by(at.v, 4 * GROUP),
            acc: by(at.acc, self.accumulator.size() as u32 * GROUP),
            key: by(at.key, GROUP),
            decay: at.decay.map(|p| by(p, 4 * GROUP)),
            offset: at.offset.map(|p| by(p, 4 * GROUP)),
            threshold: at.threshold.map(|p| by(p, 4 * GROUP)),
            reset: at.reset.map(|p| by(p, 4 * GROUP)),
        }
    }

    fn group(&self, kb: &mut KernelBuilder<'_>, at: &Cursor, n: u32) {
        let lanes = 0..n as i32;
        let v: Vec<Value> = lanes.clone().map(|j| kb.load_float(at.v, 4 * j)).collect();
        let inputs = self.take_inputs(kb, at.acc, n);
        let mut next = Vec::new();
        for j in lanes.clone() {
            let mut x = v[j as usize];
            if let Some(decay) = self.decay {
                let decay = operand(kb, decay, at.decay, j);
                x = kb.fmul(x, decay);
            }
            x = kb.fadd(x, inputs[j as usize]);
            if let Some(offset) = self.offset {
                let offset = operand(kb, offset, at.offset, j);
                x = kb.fadd(x, offset);
            }
            next.push(x);
        }
        for j in lanes.clone() {
            kb.store(next[j as usize], at.v, 4 * j);
        }
        for j in lanes {
            self.fire(kb, at, next[j as usize], j);
        }
    }

    /// Reads and clears `n` accumulators.
    fn take_inputs(&self, kb: &mut KernelBuilder<'_>, acc: Value, n: u32) -> Vec<Value> {
        let per_word = 4 / self.accumulator.size() as u32;
        let words: Vec<Value> = (0..n.div_ceil(per_word) as i32)
            .map(|k| kb.load_word(acc, 4 * k))
            .collect();
        let zero = kb.int(0);
        for k in 0..words.len() as i32 {
            kb.store(zero, acc, 4 * k);
        }
        (0..n)
            .map(|j| {
                let word = words[(j / per_word) as usize];
                let int = match self.accumulator {
                    DType::I16 => kb.signed_half(word, j % 2),
                    _ => word,
                };
                kb.to_float(int)
            })
            .collect()
    }

    /// Compares lane `j` with its threshold; resets and sends out of line.
    fn fire(&self, kb: &mut KernelBuilder<'_>, at: &Cursor, v: Value, j: i32) {
        let threshold = operand(kb, self.threshold, at.threshold, j);
        let how = match self.compare {
            Compare::Gt => FloatCC::GreaterThan,
            Compare::Ge => FloatCC::GreaterThanOrEqual,
        };
        let spikes = kb.fcompare(how, v, threshold);
        let spike = kb.cold_block();
        let rest = kb.block();
        kb.branch(spikes, (spike, &[]), (rest, &[]));
        kb.enter(spike);
        match self.reset {
            ResetOp::To(op) => {
                let value = operand(kb, op, at.reset, j);
                kb.store(value, at.v, 4 * j);
            }
            ResetOp::Subtract(op) => {
                let amount = operand(kb, op, at.reset, j);
                let value = kb.fsub(v, amount);
                kb.store(value, at.v, 4 * j);
            }
            ResetOp::Keep => {}
        }
        let key = kb.add_const(at.key, j as u32);
        self.send.emit(kb, key, true);
        if let Some(control) = self.record_control {
            record_spike(kb, control, self.key, key);
        }
        kb.jump(rest, &[]);
        kb.enter(rest);
    }
}

impl Cursor {
    fn values(&self) -> Vec<Value> {
        let arrays = [self.decay, self.offset, self.threshold, self.reset];
        [self.v, self.acc, self.key]
            .into_iter()
            .chain(arrays.into_iter().flatten())
            .collect()
    }
}

fn operand(kb: &mut KernelBuilder<'_>, op: Operand, pointer: Option<Value>, lane: i32) -> Value {
    match (op, pointer) {
        (Operand::Const(value), _) => kb.float(value),
        (Operand::Array(_), Some(p)) => kb.load_float(p, 4 * lane),
        (Operand::Array(addr), None) => {
            let p = kb.int(addr);
            kb.load_float(p, 4 * lane)
        }
    }
}
