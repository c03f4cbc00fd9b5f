//! One population's step, in the order that [`DiscreteNeuron`] gives.

use super::Real;
use crate::neuron::{Constant, DiscreteNeuron, MAX_COUNT, Membrane, Param, ResetRule};
use crate::semantics::{Compare, SpikeOn};

/// The parameters of a population, rounded and expanded to one value an atom.
#[derive(Clone, Debug)]
pub(super) struct Dynamics<F> {
    synapse: Option<Synapse<F>>,
    membrane: Kept<F>,
    offset: Offsets<F>,
    pub(super) fire: Option<Fire<F>>,
    /// `v_file = unit * v`.
    pub(super) unit: Vec<f64>,
    /// The same for the synaptic current.
    pub(super) i_unit: Option<Vec<f64>>,
    /// The unit as the chip multiplies by it.
    scale: Vec<F>,
}

#[derive(Clone, Debug)]
struct Synapse<F> {
    decay: Vec<F>,
    after: bool,
    offset: Offsets<F>,
}

#[derive(Clone, Debug)]
enum Kept<F> {
    Leaky(Vec<F>),
    Integrate,
    Fresh,
}

/// Entries of a constant, each with the step from which it holds.
#[derive(Clone, Debug)]
struct Offsets<F>(Vec<(u64, Vec<F>)>);

#[derive(Clone, Debug)]
pub(super) struct Fire<F> {
    threshold: Vec<F>,
    compare: Compare,
    judge: SpikeOn,
    reset: Rule<F>,
    hold: bool,
    floor: Option<Vec<F>>,
}

#[derive(Clone, Debug)]
enum Rule<F> {
    To(Vec<F>),
    Subtract(Vec<F>),
    Pending(Vec<F>),
    Multi,
    Keep,
}

/// The state of one population.
#[derive(Clone, Debug)]
pub(super) struct State<F> {
    pub(super) v: Vec<F>,
    /// Synaptic currents; empty without a synapse.
    pub(super) i: Vec<F>,
    /// Whether each atom spiked in the step before; empty if nobody asks.
    pub(super) pending: Vec<bool>,
}

/// What the atoms of a population have to say in a tick, ascending by atom:
/// numbers of spikes, or values.
#[derive(Clone, Debug)]
pub(super) struct Said<F> {
    pub(super) counts: Vec<(u32, u32)>,
    pub(super) values: Vec<(u32, F)>,
}

impl<F> Said<F> {
    pub(super) fn nothing() -> Self {
        Self {
            counts: Vec::new(),
            values: Vec::new(),
        }
    }
    pub(super) fn clear(&mut self) {
        self.counts.clear();
        self.values.clear();
    }
}

impl<F: Real> Dynamics<F> {
    /// `None` unless the neuron is quantised and every parameter holds one
    /// value or one an atom.
    pub(super) fn new(neuron: &DiscreteNeuron, n: usize) -> Option<Self> {
        let one = |p: &Param| p.as_uniform() == Some(1.0);
        let unit = neuron.unit.as_ref()?;
        let sized = |p: &Param| p.tensor().len() == 1 || p.tensor().len() == n;
        if !one(&neuron.gain) || !sized(unit) {
            return None;
        }
        let (synapse, i_unit) = match &neuron.synapse {
            None => (None, None),
            Some(s) => {
                let i_unit = s.unit.as_ref().filter(|u| sized(u))?;
                if !one(&s.drive) {
                    return None;
                }
                let synapse = Synapse {
                    decay: expand(&s.decay, n)?,
                    after: s.after,
                    offset: Offsets::new(&s.offset, n)?,
                };
                let i_unit = (0..n).map(|j| i_unit.at(j)).collect();
                (Some(synapse), Some(i_unit))
            }
        };
        let fire = match &neuron.fire {
            None => None,
            Some(f) => Some(Fire {
                threshold: expand(&f.threshold, n)?,
                compare: f.compare,
                judge: f.judge,
                reset: match &f.reset {
                    ResetRule::To(p) => Rule::To(expand(p, n)?),
                    ResetRule::Subtract(p) => Rule::Subtract(expand(p, n)?),
                    ResetRule::Pending(p) => Rule::Pending(expand(p, n)?),
                    ResetRule::Multi => Rule::Multi,
                    ResetRule::Keep => Rule::Keep,
                },
                hold: f.hold,
                floor: match &f.floor {
                    None => None,
                    Some(p) => Some(expand(p, n)?),
                },
            }),
        };
        Some(Self {
            synapse,
            membrane: match &neuron.membrane {
                Membrane::Leaky(p) => Kept::Leaky(expand(p, n)?),
                Membrane::Integrate => Kept::Integrate,
                Membrane::Fresh => Kept::Fresh,
            },
            offset: Offsets::new(&neuron.offset, n)?,
            fire,
            unit: (0..n).map(|j| unit.at(j)).collect(),
            i_unit,
            scale: expand(unit, n)?,
        })
    }

    /// Everything 0.
    pub(super) fn state(&self, n: usize) -> State<F> {
        let remembers = self
            .fire
            .as_ref()
            .is_some_and(|f| f.hold || matches!(f.reset, Rule::Pending(_)));
        State {
            v: vec![F::default(); n],
            i: vec![F::default(); if self.synapse.is_some() { n } else { 0 }],
            pending: vec![false; if remembers { n } else { 0 }],
        }
    }

    /// Computes network step `step` from the input `x`, which it may change.
    pub(super) fn step(&self, step: u64, x: &mut [F], state: &mut State<F>, said: &mut Said<F>) {
        if let Some(synapse) = &self.synapse {
            synapse.step(step, x, &mut state.i);
            x.copy_from_slice(&state.i);
        }
        let old = match &self.fire {
            Some(f) if f.judge == SpikeOn::Old => Some(state.v.clone()),
            _ => None,
        };
        let v = &mut state.v;
        match &self.membrane {
            Kept::Leaky(decay) => {
                for ((v, d), x) in v.iter_mut().zip(decay).zip(&*x) {
                    *v = *d * *v;
                    *v = *v + *x;
                }
            }
            Kept::Integrate => {
                for (v, x) in v.iter_mut().zip(&*x) {
                    *v = *v + *x;
                }
            }
            Kept::Fresh => v.copy_from_slice(x),
        }
        self.offset.add(step, v);
        match &self.fire {
            Some(fire) => {
                fire.before_comparison(v, &state.pending);
                fire.spikes(old.as_deref(), v, said);
                if !state.pending.is_empty() {
                    state.pending.fill(false);
                    for &(atom, _) in &said.counts {
                        state.pending[atom as usize] = true;
                    }
                }
            }
            None => {
                for (atom, (v, unit)) in (0u32..).zip(v.iter().zip(&self.scale)) {
                    let value = *unit * *v;
                    if value != F::default() {
                        said.values.push((atom, value));
                    }
                }
            }
        }
    }
}

impl<F: Real> Synapse<F> {
    fn step(&self, step: u64, x: &[F], i: &mut [F]) {
        if !self.after {
            for (i, d) in i.iter_mut().zip(&self.decay) {
                *i = *d * *i;
            }
        }
        for (i, x) in i.iter_mut().zip(x) {
            *i = *i + *x;
        }
        self.offset.add(step, i);
        if self.after {
            for (i, d) in i.iter_mut().zip(&self.decay) {
                *i = *d * *i;
            }
        }
    }
}

impl<F: Real> Fire<F> {
    /// Pending subtraction, hold and floor.
    fn before_comparison(&self, v: &mut [F], pending: &[bool]) {
        for (j, (v, spiked)) in v.iter_mut().zip(pending).enumerate() {
            if !spiked {
                continue;
            }
            if let Rule::Pending(amount) = &self.reset {
                *v = *v - amount[j];
            }
            if self.hold {
                *v = F::default();
            }
        }
        for (v, floor) in v.iter_mut().zip(self.floor.iter().flatten()) {
            if *v < *floor {
                *v = *floor;
            }
        }
    }

    /// Compares, resets, and says how many spikes each atom sends.
    fn spikes(&self, old: Option<&[F]>, v: &mut [F], said: &mut Said<F>) {
        for (j, v) in v.iter_mut().enumerate() {
            let threshold = self.threshold[j];
            let judged = old.map_or(*v, |old| old[j]);
            let fires = match self.compare {
                Compare::Gt => judged > threshold,
                Compare::Ge => judged >= threshold,
            };
            if !fires {
                continue;
            }
            let mut count = 1;
            match &self.reset {
                Rule::To(to) => *v = to[j],
                Rule::Subtract(by) => *v = *v - by[j],
                Rule::Multi => {
                    count = self.fit(judged, threshold);
                    *v = *v - threshold * F::of_sum(count as i32);
                }
                Rule::Pending(_) | Rule::Keep => {}
            }
            if count > 0 {
                said.counts.push((j as u32, count));
            }
        }
    }

    /// How many thresholds fit into `v`, which passes one.
    fn fit(&self, v: F, threshold: F) -> u32 {
        let mut n = (v / threshold).truncate();
        if n > MAX_COUNT {
            return MAX_COUNT;
        }
        if self.compare == Compare::Gt && threshold * F::of_sum(n as i32) == v {
            n = n.saturating_sub(1);
        }
        n
    }
}

impl<F: Real> Offsets<F> {
    fn new(constant: &Constant, n: usize) -> Option<Self> {
        let entries = constant.entries().iter();
        let expanded = entries.map(|(step, p)| Some((u64::from(*step), expand(p, n)?)));
        Some(Self(expanded.collect::<Option<_>>()?))
    }
    fn add(&self, step: u64, values: &mut [F]) {
        let holds = self.0.iter().rev().find(|(from, _)| *from <= step);
        for (value, add) in values.iter_mut().zip(holds.iter().flat_map(|(_, o)| o)) {
            *value = *value + *add;
        }
    }
}

fn expand<F: Real>(p: &Param, n: usize) -> Option<Vec<F>> {
    let fits = p.tensor().len() == 1 || p.tensor().len() == n;
    fits.then(|| (0..n).map(|i| F::of_param(p.at(i))).collect())
}
