//! Inputs, synapse and membrane of a group of atoms.

use super::super::builder::KernelBuilder;
use super::{MembraneOp, Plan, PlannedFire, PlannedOutput, PlannedSynapse};
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use ir::DType;
use ir::semantics::SpikeOn;

impl Plan<'_> {
    /// Steps `n` atoms; `sums` are the words of their sums, where they are loaded.
    pub(super) fn group(
        &self,
        kb: &mut KernelBuilder<'_>,
        at: &[Value],
        n: u32,
        sums: Option<&[Value]>,
    ) {
        let lanes = 0..n as i32;
        let old = self.load_membrane(kb, at, n);
        let mut x = self.take_inputs(kb, at, n, sums);
        if let Some(synapse) = &self.synapse {
            x = synapse.step(kb, at, &x);
        }
        let mut next = Vec::new();
        for (j, &x) in lanes.clone().zip(&x) {
            let mut v = match (self.update.membrane, self.decay) {
                (MembraneOp::Fresh, _) => x,
                (_, Some(decay)) => {
                    let decay = decay.load(kb, at, j);
                    let kept = kb.fmul(old[j as usize], decay);
                    kb.fadd(kept, x)
                }
                (_, None) => kb.fadd(old[j as usize], x),
            };
            if let Some(offset) = self.offset {
                let offset = offset.load(kb, at, j);
                v = kb.fadd(v, offset);
            }
            next.push(v);
        }
        if let PlannedOutput::Spikes(fire) = &self.output {
            fire.before_comparison(kb, at, &mut next);
        }
        if let Some(v) = self.v {
            for (j, &value) in lanes.clone().zip(&next) {
                kb.store(value, at[v], 4 * j);
            }
        }
        // Side by side, so that loads combine; what follows is a block for each lane.
        let bound = match &self.output {
            PlannedOutput::Spikes(fire) => fire.threshold,
            PlannedOutput::Values(unit) => *unit,
        };
        let bounds: Vec<Value> = lanes.clone().map(|j| bound.load(kb, at, j)).collect();
        for (j, bound) in lanes.zip(bounds) {
            let v = next[j as usize];
            match &self.output {
                PlannedOutput::Spikes(fire) => {
                    let judged = match fire.ops.judge {
                        SpikeOn::New => v,
                        SpikeOn::Old => old[j as usize],
                    };
                    self.fire(kb, at, fire, (v, judged, bound), j);
                }
                PlannedOutput::Values(_) => self.send_value(kb, at, bound, v, j),
            }
        }
    }

    /// The membranes of the step before, as far as they are remembered.
    fn load_membrane(&self, kb: &mut KernelBuilder<'_>, at: &[Value], n: u32) -> Vec<Value> {
        let judged = match &self.output {
            PlannedOutput::Spikes(fire) => fire.ops.judge == SpikeOn::Old,
            PlannedOutput::Values(_) => false,
        };
        let wanted = judged || self.update.membrane != MembraneOp::Fresh;
        (0..n as i32)
            .map(|j| match self.v {
                Some(v) if wanted => kb.load_float(at[v], 4 * j),
                Some(_) | None => kb.float(0.0),
            })
            .collect()
    }

    /// Reads and clears the inputs of `n` atoms.
    fn take_inputs(
        &self,
        kb: &mut KernelBuilder<'_>,
        at: &[Value],
        n: u32,
        loaded: Option<&[Value]>,
    ) -> Vec<Value> {
        let sums = self.sums.map(|(s, ty)| match (loaded, ty) {
            (Some(words), _) => convert_sums(kb, at[s], ty, n, words),
            (None, DType::I16) => {
                let words = load_sums(kb, at[s], ty, n);
                convert_sums(kb, at[s], ty, n, &words)
            }
            (None, _) => {
                // Loaded to where they are converted.
                let floats: Vec<Value> =
                    (0..n as i32).map(|k| kb.load_float(at[s], 4 * k)).collect();
                let words: Vec<Value> = floats.into_iter().map(|f| kb.bits(f)).collect();
                convert_sums(kb, at[s], ty, n, &words)
            }
        });
        let currents = self.currents.map(|c| take_floats(kb, at[c], n));
        match (sums, currents) {
            (Some(sums), None) => sums,
            (None, Some(currents)) => currents,
            (Some(sums), Some(currents)) => {
                let both = sums.into_iter().zip(currents);
                both.map(|(sum, current)| kb.fadd(sum, current)).collect()
            }
            (None, None) => (0..n).map(|_| kb.float(0.0)).collect(),
        }
    }
}

/// The words that hold the sums of `n` atoms.
pub(super) fn load_sums(kb: &mut KernelBuilder<'_>, at: Value, ty: DType, n: u32) -> Vec<Value> {
    let per_word = 4 / ty.size() as u32;
    (0..n.div_ceil(per_word) as i32)
        .map(|k| kb.load_word(at, 4 * k))
        .collect()
}

/// Clears the sums and makes floats of what they were.
fn convert_sums(
    kb: &mut KernelBuilder<'_>,
    at: Value,
    ty: DType,
    n: u32,
    words: &[Value],
) -> Vec<Value> {
    let per_word = 4 / ty.size() as u32;
    let zero = kb.int(0);
    for k in 0..words.len() as i32 {
        kb.store(zero, at, 4 * k);
    }
    (0..n)
        .map(|j| {
            let word = words[(j / per_word) as usize];
            let int = match ty {
                DType::I16 => kb.signed_half(word, j % 2),
                _ => word,
            };
            kb.to_float(int)
        })
        .collect()
}

fn take_floats(kb: &mut KernelBuilder<'_>, at: Value, n: u32) -> Vec<Value> {
    let values: Vec<Value> = (0..n as i32).map(|j| kb.load_float(at, 4 * j)).collect();
    let zero = kb.int(0);
    for j in 0..n as i32 {
        kb.store(zero, at, 4 * j);
    }
    values
}

impl PlannedSynapse {
    /// Steps the currents; what they become is the membrane's input.
    fn step(&self, kb: &mut KernelBuilder<'_>, at: &[Value], x: &[Value]) -> Vec<Value> {
        let lanes = 0..x.len() as i32;
        let old: Vec<Value> = lanes
            .clone()
            .map(|j| kb.load_float(at[self.i], 4 * j))
            .collect();
        let mut next = Vec::new();
        for ((j, &x), &old) in lanes.clone().zip(x).zip(&old) {
            let decay = self.decay.load(kb, at, j);
            let mut i = old;
            if !self.after {
                i = kb.fmul(i, decay);
            }
            i = kb.fadd(i, x);
            if let Some(offset) = self.offset {
                let offset = offset.load(kb, at, j);
                i = kb.fadd(i, offset);
            }
            if self.after {
                i = kb.fmul(i, decay);
            }
            next.push(i);
        }
        for (j, &i) in lanes.zip(&next) {
            kb.store(i, at[self.i], 4 * j);
        }
        next
    }
}

impl PlannedFire {
    /// Pending subtraction, hold and floor.
    fn before_comparison(&self, kb: &mut KernelBuilder<'_>, at: &[Value], next: &mut [Value]) {
        if let Some(pending) = self.pending {
            let n = next.len() as i32;
            if self.ops.hold {
                let words: Vec<Value> = (0..n).map(|j| kb.load_word(at[pending], 4 * j)).collect();
                let (zero, held) = (kb.int(0), kb.float(0.0));
                for (v, word) in next.iter_mut().zip(words) {
                    let spiked = kb.compare(IntCC::NotEqual, word, zero);
                    *v = kb.select(spiked, held, *v);
                }
            } else {
                // The word is the amount itself, or zero, and v - 0.0 is v.
                let amounts: Vec<Value> =
                    (0..n).map(|j| kb.load_float(at[pending], 4 * j)).collect();
                for (v, amount) in next.iter_mut().zip(amounts) {
                    *v = kb.fsub(*v, amount);
                }
            }
            let zero = kb.int(0);
            for j in 0..n {
                kb.store(zero, at[pending], 4 * j);
            }
        }
        if let Some(floor) = self.floor {
            for (j, v) in (0..).zip(next.iter_mut()) {
                let floor = floor.load(kb, at, j);
                let below = kb.fcompare(FloatCC::LessThan, *v, floor);
                *v = kb.select(below, floor, *v);
            }
        }
    }
}
