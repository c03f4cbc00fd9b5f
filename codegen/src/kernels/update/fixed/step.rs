//! Sums, current and membrane of a group of atoms.

use super::super::super::builder::KernelBuilder;
use super::super::step::load_sums;
use super::{At, Decay, Plan, PlannedFire, PlannedOutput, Source};
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;
use ir::DType;
use ir::fixed_point::Kept;
use ir::memory::GROUP;
use ir::semantics::SpikeOn;

impl At<'_> {
    fn load(self, kb: &mut KernelBuilder<'_>, array: usize, lane: u32) -> Value {
        let (at, offset) = self.pointers.place(self.state, array, lane);
        kb.load_word(at, offset)
    }
    pub(super) fn store(self, kb: &mut KernelBuilder<'_>, value: Value, array: usize, lane: u32) {
        let (at, offset) = self.pointers.place(self.state, array, lane);
        kb.store(value, at, offset);
    }
    /// The words of some lanes, side by side so that loads combine.
    fn words(
        self,
        kb: &mut KernelBuilder<'_>,
        array: usize,
        lanes: std::ops::Range<u32>,
    ) -> Vec<Value> {
        lanes.map(|j| self.load(kb, array, j)).collect()
    }
    /// A parameter of some lanes.
    fn params(
        self,
        kb: &mut KernelBuilder<'_>,
        source: Source,
        lanes: std::ops::Range<u32>,
    ) -> Vec<Value> {
        lanes.map(|j| self.param(kb, source, j)).collect()
    }
    pub(super) fn param(self, kb: &mut KernelBuilder<'_>, source: Source, lane: u32) -> Value {
        match source {
            Source::Const(word) => kb.int(word),
            Source::Array(array) => self.load(kb, array, lane),
        }
    }
}

/// Sums as they are in memory: one word for one or two atoms.
#[derive(Clone, Copy)]
struct Sum {
    word: Value,
    /// Which half of the word, where it holds two.
    half: Option<bool>,
}

impl Plan<'_> {
    /// Atoms that are stepped side by side: as many as registers allow.
    fn lanes(&self) -> u32 {
        let streams = |s: Source| matches!(s, Source::Array(_));
        let varies = self.leak.is_some_and(|d| streams(d.factor));
        if self.synapse.is_some() || varies {
            2
        } else {
            4
        }
    }

    /// Steps `n` atoms; `words` hold their sums, where they are loaded.
    pub(super) fn group(
        &self,
        kb: &mut KernelBuilder<'_>,
        at: At<'_>,
        n: u32,
        words: Option<&[Value]>,
    ) {
        let mut first = 0;
        while first < n {
            let end = (first + self.lanes()).min(n);
            self.part(kb, at, first..end, words);
            first = end;
        }
    }

    fn part(
        &self,
        kb: &mut KernelBuilder<'_>,
        at: At<'_>,
        lanes: std::ops::Range<u32>,
        words: Option<&[Value]>,
    ) {
        let old = at.words(kb, self.v, lanes.clone());
        let leak = self.leak.map(|d| at.params(kb, d.factor, lanes.clone()));
        let mut current = None;
        if let Some(s) = &self.synapse {
            let i = at.words(kb, s.i, lanes.clone());
            current = Some((i, at.params(kb, s.decay.factor, lanes.clone())));
        }
        let sums = self.take_sums(kb, at, lanes.clone(), words);
        let x: Option<Vec<Value>> = match (&self.synapse, current) {
            (Some(s), Some((i, factors))) => {
                let offsets = s.offset.map(|o| at.params(kb, o, lanes.clone()));
                let mut next = Vec::new();
                for (k, (&i, &factor)) in i.iter().zip(&factors).enumerate() {
                    let mut i = i;
                    if !s.after {
                        i = s.decay.keep(kb, i, factor);
                    }
                    i = self.add_sum(kb, i, sums[k]);
                    if let Some(offsets) = &offsets {
                        i = kb.add(i, offsets[k]);
                    }
                    if s.after {
                        i = s.decay.keep(kb, i, factor);
                    }
                    next.push(i);
                }
                for (j, &i) in lanes.clone().zip(&next) {
                    at.store(kb, i, s.i, j);
                }
                Some(next)
            }
            _ => None,
        };
        let mut next = Vec::new();
        for (k, &v) in old.iter().enumerate() {
            let kept = match (&self.leak, &leak) {
                (Some(decay), Some(factors)) => decay.keep(kb, v, factors[k]),
                _ => v,
            };
            next.push(match &x {
                Some(x) => self.plus(kb, kept, x[k]),
                None if self.leak.is_some() => self.add_sum(kb, kept, sums[k]),
                None => {
                    let x = self.scaled(kb, sums[k]);
                    kb.saturating_add(kept, x)
                }
            });
        }
        if let Some(offset) = self.offset {
            let offsets = at.params(kb, offset, lanes.clone());
            for (v, offset) in next.iter_mut().zip(offsets) {
                *v = self.plus(kb, *v, offset);
            }
        }
        if let PlannedOutput::Spikes(fire) = &self.output {
            self.before_comparison(kb, at, fire, lanes.clone(), &mut next);
        }
        for (j, &v) in lanes.clone().zip(&next) {
            at.store(kb, v, self.v, j);
        }
        match &self.output {
            PlannedOutput::Spikes(fire) => {
                let bounds = at.params(kb, fire.threshold, lanes.clone());
                for (k, (j, bound)) in lanes.zip(bounds).enumerate() {
                    let judged = match fire.ops.judge {
                        SpikeOn::New => next[k],
                        SpikeOn::Old => old[k],
                    };
                    self.fire(kb, at, fire, (next[k], judged, bound), j);
                }
            }
            PlannedOutput::Values(unit) => {
                let units = at.params(kb, *unit, lanes.clone());
                // Nearly every atom sends, so the key is worth a register.
                let first = at.pointers.numbered(kb, at.state, self.update.key);
                for (k, (j, unit)) in lanes.zip(units).enumerate() {
                    self.send_value(kb, first, unit, next[k], j);
                }
            }
        }
    }

    /// Reads and clears the sums of some lanes, which begin with a whole word.
    fn take_sums(
        &self,
        kb: &mut KernelBuilder<'_>,
        at: At<'_>,
        lanes: std::ops::Range<u32>,
        words: Option<&[Value]>,
    ) -> Vec<Sum> {
        let per_word = 4 / self.update.sums.size() as u32;
        let place = at.pointers.sums(at.state);
        let range = lanes.start / per_word..lanes.end.div_ceil(per_word);
        let loaded: Vec<Value> = match words {
            Some(words) => words[range.start as usize..range.end as usize].to_vec(),
            None => range
                .clone()
                .map(|w| kb.load_word(place, 4 * w as i32))
                .collect(),
        };
        let zero = kb.int(0);
        for w in range.clone() {
            kb.store(zero, place, 4 * w as i32);
        }
        let sum = |j: u32| Sum {
            word: loaded[(j / per_word - range.start) as usize],
            half: (per_word == 2).then_some(j % 2 == 1),
        };
        lanes.map(sum).collect()
    }

    /// A sum in counts.
    fn scaled(&self, kb: &mut KernelBuilder<'_>, sum: Sum) -> Value {
        let shift = u32::from(self.update.shift);
        match sum.half {
            Some(top) if shift > 0 => kb.half_times(sum.word, 1 << shift, top),
            Some(top) => kb.signed_half(sum.word, u32::from(top)),
            None if shift > 0 => kb.shl_const(sum.word, shift),
            None => sum.word,
        }
    }

    /// Adds a sum, in counts, to what it can't take beyond int32.
    fn add_sum(&self, kb: &mut KernelBuilder<'_>, to: Value, sum: Sum) -> Value {
        let shift = u32::from(self.update.shift);
        match sum.half {
            Some(top) if shift > 0 => kb.add_half_times(to, sum.word, 1 << shift, top),
            _ => {
                let x = self.scaled(kb, sum);
                kb.add(to, x)
            }
        }
    }

    /// A leaky membrane can't leave int32, another saturates.
    fn plus(&self, kb: &mut KernelBuilder<'_>, a: Value, b: Value) -> Value {
        match self.leak {
            Some(_) => kb.add(a, b),
            None => kb.saturating_add(a, b),
        }
    }
    pub(super) fn minus(&self, kb: &mut KernelBuilder<'_>, a: Value, b: Value) -> Value {
        match self.leak {
            Some(_) => kb.sub(a, b),
            None => kb.saturating_sub(a, b),
        }
    }

    /// Pending subtraction, hold and floor.
    fn before_comparison(
        &self,
        kb: &mut KernelBuilder<'_>,
        at: At<'_>,
        fire: &PlannedFire,
        lanes: std::ops::Range<u32>,
        next: &mut [Value],
    ) {
        if let Some(pending) = fire.pending {
            // The word is the amount itself, or zero; with hold, whether there was a spike.
            let words = at.words(kb, pending, lanes.clone());
            let zero = kb.int(0);
            for (v, word) in next.iter_mut().zip(words) {
                *v = if fire.ops.hold {
                    let spiked = kb.compare(IntCC::NotEqual, word, zero);
                    kb.select(spiked, zero, *v)
                } else {
                    self.minus(kb, *v, word)
                };
            }
            for j in lanes.clone() {
                at.store(kb, zero, pending, j);
            }
        }
        if let Some(floor) = fire.floor {
            let floors = at.params(kb, floor, lanes);
            for (v, floor) in next.iter_mut().zip(floors) {
                *v = kb.smax(*v, floor);
            }
        }
    }

    /// Scans `groups` whole groups and steps those that have a sum; gives the state
    /// behind them.
    pub(super) fn scan(
        &self,
        kb: &mut KernelBuilder<'_>,
        pointers: &super::Pointers,
        first: Value,
        groups: u32,
    ) -> Vec<Value> {
        let ty: DType = self.update.sums;
        let bytes = GROUP * ty.size() as u32;
        // A second group an iteration halves what the loop itself costs.
        let unroll = if groups.is_multiple_of(2) { 2 } else { 1 };
        kb.repeat(groups / unroll, &[first], |kb, state| {
            for k in 0..unroll {
                let here = kb.add_const(state[0], k * bytes);
                let words = load_sums(kb, here, ty, GROUP);
                let mut any = words[0];
                for &word in &words[1..] {
                    any = kb.or(any, word);
                }
                // Not a cold block, as in the scan of float state.
                let (busy, next) = (kb.block(), kb.block());
                let zero = kb.int(0);
                let some = kb.compare(IntCC::NotEqual, any, zero);
                kb.branch(some, (busy, &[]), (next, &[]));
                kb.enter(busy);
                let moved = kb.sub(here, first);
                let state = pointers.moved(kb, first, moved);
                let at = At {
                    pointers,
                    state: &state,
                };
                self.group(kb, at, GROUP, Some(&words));
                kb.jump(next, &[]);
                kb.enter(next);
            }
            vec![kb.add_const(state[0], unroll * bytes)]
        });
        let all = kb.int(groups * bytes);
        pointers.moved(kb, first, all)
    }
}

impl Decay {
    fn keep(&self, kb: &mut KernelBuilder<'_>, value: Value, factor: Value) -> Value {
        match self.form {
            Kept::Near => kb.add_high_product(value, value, factor),
            Kept::Small => kb.high_product(value, factor),
            Kept::Halved => {
                let half = kb.high_product(value, factor);
                kb.shl_const(half, 1)
            }
        }
    }
}
