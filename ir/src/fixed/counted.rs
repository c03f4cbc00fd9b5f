//! One population's step in integers, as [`crate::fixed_point`] says.

use super::dynamics::Said;
use super::real::Real;
use crate::fixed_point::{Encoding, Kept};
use crate::memory::RegionKind;
use crate::neuron::{Constant, DiscreteNeuron, MAX_COUNT, Param, ResetRule, State};
use crate::neuron::{Membrane, Synapse};
use crate::semantics::SpikeOn;

/// The parameters of a population as words, one an atom.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    shift: u8,
    current: Option<Current>,
    /// `None`: nothing leaks.
    leak: Option<Decay>,
    offset: Offsets,
    fire: Option<Fire>,
    /// From a count to what is sent.
    unit: Vec<f32>,
}

#[derive(Clone, Debug)]
struct Current {
    decay: Decay,
    after: bool,
    offset: Offsets,
}

#[derive(Clone, Debug)]
struct Decay {
    form: Kept,
    factors: Vec<i32>,
}

/// Entries of a constant, each with the step from which it holds.
#[derive(Clone, Debug)]
struct Offsets(Vec<(u64, Vec<i32>)>);

#[derive(Clone, Debug)]
struct Fire {
    /// What v must pass.
    threshold: Vec<i32>,
    /// Whether reaching one threshold more is a spike.
    at_least: bool,
    judge: SpikeOn,
    reset: Rule,
    hold: bool,
    floor: Option<Vec<i32>>,
}

#[derive(Clone, Debug)]
enum Rule {
    To(Vec<i32>),
    Subtract(Vec<i32>),
    Pending(Vec<i32>),
    Multi,
    Keep,
}

/// The state of one population.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) v: Vec<i32>,
    /// Empty without a synapse.
    pub(super) i: Vec<i32>,
    pending: Vec<bool>,
}

/// Expands parameters to words.
struct Expand {
    encoding: Encoding,
    n: usize,
}

impl Expand {
    fn words(&self, p: &Param, kind: RegionKind) -> Option<Vec<i32>> {
        let fits = p.tensor().len() == 1 || p.tensor().len() == self.n;
        let word = |i| self.encoding.word(kind, p.at(i)).cast_signed();
        fits.then(|| (0..self.n).map(word).collect())
    }
    fn offsets(&self, c: &Constant) -> Option<Offsets> {
        let entries = c.entries().iter();
        let all = entries.map(|(s, p)| Some((u64::from(*s), self.words(p, RegionKind::Offset)?)));
        Some(Offsets(all.collect::<Option<_>>()?))
    }
    fn current(&self, s: &Synapse, form: Option<Kept>) -> Option<Current> {
        Some(Current {
            decay: Decay {
                form: form?,
                factors: self.words(&s.decay, RegionKind::SynDecay)?,
            },
            after: s.after,
            offset: self.offsets(&s.offset)?,
        })
    }
}

impl Counted {
    /// `None` unless the state is fixed point, its decays can be words, and every
    /// parameter holds one value or one an atom.
    pub(super) fn new(neuron: &DiscreteNeuron, n: usize) -> Option<Self> {
        let encoding = Encoding::of(neuron)?;
        let (Encoding::Fixed(words), State::Fixed { shift }) = (encoding, neuron.state) else {
            return None;
        };
        let all = Expand { encoding, n };
        let current = match &neuron.synapse {
            Some(s) => Some(all.current(s, words.current)?),
            None => None,
        };
        let leak = match &neuron.membrane {
            Membrane::Leaky(p) => Some(Decay {
                form: words.membrane?,
                factors: all.words(p, RegionKind::Decay)?,
            }),
            Membrane::Integrate => None,
            // Nothing is kept, so there is no state to count.
            Membrane::Fresh => return None,
        };
        let amounts = |p: &Param| all.words(p, RegionKind::Reset);
        let fire = match &neuron.fire {
            None => None,
            Some(f) => Some(Fire {
                threshold: all.words(&f.threshold, RegionKind::Threshold)?,
                at_least: words.at_least(),
                judge: f.judge,
                reset: match &f.reset {
                    ResetRule::To(p) => Rule::To(amounts(p)?),
                    ResetRule::Subtract(p) => Rule::Subtract(amounts(p)?),
                    ResetRule::Pending(p) => Rule::Pending(amounts(p)?),
                    ResetRule::Multi => Rule::Multi,
                    ResetRule::Keep => Rule::Keep,
                },
                hold: f.hold,
                floor: match &f.floor {
                    Some(p) => Some(amounts(p)?),
                    None => None,
                },
            }),
        };
        let unit = neuron.unit.as_ref()?;
        Some(Self {
            shift,
            current,
            leak,
            offset: all.offsets(&neuron.offset)?,
            fire,
            unit: (0..n).map(|j| words.unit(unit.at(j))).collect(),
        })
    }

    /// Everything 0.
    pub(super) fn state(&self, n: usize) -> Counts {
        let remembers = |f: &Fire| f.hold || matches!(f.reset, Rule::Pending(_));
        let remembers = self.fire.as_ref().is_some_and(remembers);
        Counts {
            v: vec![0; n],
            i: vec![0; if self.current.is_some() { n } else { 0 }],
            pending: vec![false; if remembers { n } else { 0 }],
        }
    }

    /// Computes network step `step` from the integer sums.
    pub(super) fn step<F: Real>(
        &self,
        step: u64,
        sums: &[i32],
        state: &mut Counts,
        said: &mut Said<F>,
    ) {
        for (j, &sum) in sums.iter().enumerate() {
            let mut x = sum.wrapping_shl(u32::from(self.shift));
            if let Some(current) = &self.current {
                let i = &mut state.i[j];
                *i = current.step(step, j, *i, x);
                x = *i;
            }
            let old = state.v[j];
            let mut v = match &self.leak {
                Some(decay) => decay.keep(j, old),
                None => old,
            };
            v = v.saturating_add(x).saturating_add(self.offset.at(step, j));
            match &self.fire {
                Some(fire) => {
                    let spiked = state.pending.get_mut(j);
                    let count = fire.step(j, old, &mut v, spiked.as_deref().copied());
                    if let Some(spiked) = spiked {
                        *spiked = count > 0;
                    }
                    if count > 0 {
                        said.counts.push((j as u32, count));
                    }
                }
                None => {
                    let value = self.unit[j] * (v as f32);
                    if value != 0.0 {
                        said.values.push((j as u32, F::of_param(f64::from(value))));
                    }
                }
            }
            state.v[j] = v;
        }
    }
}

impl Decay {
    fn keep(&self, atom: usize, value: i32) -> i32 {
        self.form.keep(value, self.factors[atom])
    }
}

impl Current {
    fn step(&self, step: u64, atom: usize, i: i32, x: i32) -> i32 {
        let add = |i: i32| {
            i.saturating_add(x)
                .saturating_add(self.offset.at(step, atom))
        };
        if self.after {
            self.decay.keep(atom, add(i))
        } else {
            add(self.decay.keep(atom, i))
        }
    }
}

impl Fire {
    /// Pending, hold and floor, then the comparison and the reset; how many spikes.
    fn step(&self, j: usize, old: i32, v: &mut i32, spiked: Option<bool>) -> u32 {
        if spiked == Some(true) {
            if let Rule::Pending(amount) = &self.reset {
                *v = v.saturating_sub(amount[j]);
            }
            if self.hold {
                *v = 0;
            }
        }
        if let Some(floor) = &self.floor {
            *v = (*v).max(floor[j]);
        }
        let judged = match self.judge {
            SpikeOn::New => *v,
            SpikeOn::Old => old,
        };
        if judged <= self.threshold[j] {
            return 0;
        }
        match &self.reset {
            Rule::To(to) => *v = to[j],
            Rule::Subtract(by) => *v = v.saturating_sub(by[j]),
            Rule::Multi => {
                let at_least = i32::from(self.at_least);
                let step = self.threshold[j] + at_least;
                // The last of those that fit exactly does not pass its threshold.
                let count = (judged - 1 + at_least) / step;
                let count = count.min(MAX_COUNT as i32);
                *v = v.saturating_sub(count * step);
                return count as u32;
            }
            Rule::Pending(_) | Rule::Keep => {}
        }
        1
    }
}

impl Offsets {
    fn at(&self, step: u64, atom: usize) -> i32 {
        let holds = self.0.iter().rev().find(|(from, _)| *from <= step);
        holds.map_or(0, |(_, words)| words[atom])
    }
}
