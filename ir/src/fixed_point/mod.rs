//! Fixed-point state (`--state fixed`): membranes and currents as int32.
//!
//! A population in the units of its weights ([`DiscreteNeuron`]) counts its state in
//! `2^-shift` of a unit: `v_file = unit * v / 2^shift`. With
//!
//! ```text
//! hi(p)     = floor(p / 2^32 + 1/2)            the upper word of a product, rounded
//! amount(y) = y * 2^shift, to nearest even     offsets, resets, floors
//! ```
//!
//! a step is that of [`DiscreteNeuron`] in integers, in the same order:
//!
//! ```text
//! x       = sum * 2^shift
//! kept(y) = y + hi(y * d)     d = round((decay - 1) * 2^32)    (near)
//!           hi(y * d)         d = round(decay * 2^32)          (small)
//!           2 * hi(y * d)     d = round(decay * 2^31)          (halved)
//! with a synapse:  i <- kept(i) + x + amount(offset_syn), or, `after`,
//!                  i <- kept(i + x + amount(offset_syn)) ;   x = i
//! v' = kept(v) + x      (leaky; integrate: v + x)
//! v' = v' + amount(offset) ; pending, hold, floor as they are in float
//! spikes if v' > T, then reset
//! ```
//!
//! Near serves a population whose decays lie between 1/2 and 1, small one with all
//! below 1/2, halved the rest. Each is one instruction (`SMMLAR`, `SMMULR`): 32 bits of
//! decay cost no more than the 16 of `SMLAWB`, and the rounding has no direction, so
//! that it does not add up over steps.
//!
//! `T` makes the comparison exact: `floor(threshold * 2^shift)` with `>`, and
//! `ceil(threshold * 2^shift) - 1` with `>=`. Only with [`ResetRule::Multi`] the
//! threshold is an amount, at least 1, which is also what each spike takes away.
//!
//! Sums and differences saturate. In leaky populations none ever does: [`Proof`] shows
//! that no value leaves int32. An integrating membrane without leak has no such bound;
//! [`Proof::lasts`] says how long its strongest input takes to reach the end.
//!
//! A population without a threshold sends `float32(unit / 2^shift) * float32(v)`.

mod proof;

pub use proof::{HORIZON, MAX_SHIFT, Proof, Unfit, choose, prove};

use crate::memory::RegionKind;
use crate::neuron::{DiscreteNeuron, Membrane, Param, ResetRule, State};
use crate::semantics::Compare;

/// How a decay is multiplied, the same for all atoms of a population.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    Near,
    Small,
    Halved,
}

impl Kept {
    /// `None` if a decay is not from -1 to 1.
    pub fn of(decay: &Param) -> Option<Self> {
        let all = || (0..decay.tensor().len()).map(|i| decay.at(i));
        if all().all(|d| (0.5..=1.0).contains(&d)) {
            Some(Kept::Near)
        } else if all().all(|d| (-0.5..0.5).contains(&d)) {
            Some(Kept::Small)
        } else {
            let inside = all().all(|d| (-1.0..=1.0).contains(&d));
            inside.then_some(Kept::Halved)
        }
    }
    /// The factor of a decay.
    pub fn factor(self, decay: f64) -> i32 {
        match self {
            Kept::Near => nearest((decay - 1.0) * 2f64.powi(32)),
            Kept::Small => nearest(decay * 2f64.powi(32)),
            Kept::Halved => nearest(decay * 2f64.powi(31)),
        }
    }
    /// The decay that a factor stands for.
    fn decay(self, factor: i32) -> f64 {
        let factor = f64::from(factor);
        match self {
            Kept::Near => 1.0 + factor * 2f64.powi(-32),
            Kept::Small => factor * 2f64.powi(-32),
            Kept::Halved => factor * 2f64.powi(-31),
        }
    }
    /// The largest error of rounding, in counts.
    fn rounding(self) -> f64 {
        match self {
            Kept::Near | Kept::Small => 0.5,
            Kept::Halved => 1.0,
        }
    }
    /// What remains of a value.
    pub fn keep(self, value: i32, factor: i32) -> i32 {
        let product = i64::from(value) * i64::from(factor);
        let high = ((product + (1 << 31)) >> 32) as i32;
        match self {
            Kept::Near => value.wrapping_add(high),
            Kept::Small => high,
            Kept::Halved => high.wrapping_mul(2),
        }
    }
}

/// To nearest, halves to even; saturating.
fn nearest(value: f64) -> i32 {
    value.round_ties_even() as i32
}

/// How the parameters of a population become words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    shift: u8,
    /// Of the membrane and of the current, where they decay.
    pub membrane: Option<Kept>,
    pub current: Option<Kept>,
    /// Whether the threshold is an amount, and is enough.
    multi: bool,
    compare: Compare,
}

impl Words {
    /// `None` if the state is float32, or a decay is beyond what a word can hold.
    pub fn of(neuron: &DiscreteNeuron) -> Option<Self> {
        match neuron.state {
            State::F32 => None,
            State::Fixed { shift } => Self::with(neuron, shift),
        }
    }
    /// As if the neuron had fixed-point state.
    fn with(neuron: &DiscreteNeuron, shift: u8) -> Option<Self> {
        let membrane = match &neuron.membrane {
            Membrane::Leaky(decay) => Some(Kept::of(decay)?),
            Membrane::Integrate | Membrane::Fresh => None,
        };
        let current = match &neuron.synapse {
            Some(s) => Some(Kept::of(&s.decay)?),
            None => None,
        };
        let fire = neuron.fire.as_ref();
        Some(Self {
            shift,
            membrane,
            current,
            multi: fire.is_some_and(|f| f.reset == ResetRule::Multi),
            compare: fire.map_or(Compare::Gt, |f| f.compare),
        })
    }
    pub fn shift(self) -> u8 {
        self.shift
    }
    fn scale(self) -> f64 {
        f64::from(self.shift).exp2()
    }
    pub fn amount(self, value: f64) -> i32 {
        nearest(value * self.scale())
    }
    /// What v must pass to spike.
    pub fn threshold(self, value: f64) -> i32 {
        let scaled = value * self.scale();
        match (self.multi, self.compare) {
            (true, _) => self.step(value) - i32::from(self.at_least()),
            (false, Compare::Gt) => scaled.floor() as i32,
            (false, Compare::Ge) => (scaled.ceil() - 1.0) as i32,
        }
    }
    /// Whether reaching the threshold is enough.
    pub fn at_least(self) -> bool {
        self.compare == Compare::Ge
    }
    /// What each of several spikes takes away.
    fn step(self, threshold: f64) -> i32 {
        self.amount(threshold).max(1)
    }
    /// The factor from a count to the file's units, as the chip multiplies by it.
    pub fn unit(self, unit: f64) -> f32 {
        (unit / self.scale()) as f32
    }
}

/// The words in which the chip holds the parameters of a population.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    F32,
    Fixed(Words),
}

impl Encoding {
    /// `None` if a decay is beyond what a word can hold.
    pub fn of(neuron: &DiscreteNeuron) -> Option<Self> {
        match neuron.state {
            State::F32 => Some(Encoding::F32),
            State::Fixed { .. } => Words::of(neuron).map(Encoding::Fixed),
        }
    }
    /// The word of a parameter that `kind` names.
    pub fn word(self, kind: RegionKind, value: f64) -> u32 {
        let words = match self {
            Encoding::F32 => return (value as f32).to_bits(),
            Encoding::Fixed(words) => words,
        };
        let factor = |kept: Option<Kept>| kept.map_or(0, |k| k.factor(value));
        match kind {
            RegionKind::Decay => factor(words.membrane).cast_unsigned(),
            RegionKind::SynDecay => factor(words.current).cast_unsigned(),
            RegionKind::Threshold => words.threshold(value).cast_unsigned(),
            RegionKind::Unit => words.unit(value).to_bits(),
            _ => words.amount(value).cast_unsigned(),
        }
    }
}

/// The factor from a word of state to `unit`'s units: 1, or a count.
pub fn count(neuron: &DiscreteNeuron) -> f64 {
    match neuron.state {
        State::F32 => 1.0,
        State::Fixed { shift } => (-f64::from(shift)).exp2(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_rounds_its_product_once() {
        let v = 1_000_001;
        for (decay, form, kept) in [
            (0.75, Kept::Near, 750_001),
            (0.25, Kept::Small, 250_000),
            (-0.25, Kept::Small, -250_000),
            (-0.75, Kept::Halved, -750_000),
        ] {
            assert_eq!(Kept::of(&Param::uniform(decay)), Some(form));
            assert_eq!(form.keep(v, form.factor(decay)), kept, "{decay}");
        }
        assert_eq!(Kept::Near.keep(i32::MAX, Kept::Near.factor(1.0)), i32::MAX);
        assert_eq!(Kept::Near.keep(i32::MIN, Kept::Near.factor(0.5)), -1 << 30);
        assert_eq!(Kept::of(&Param::uniform(1.001)), None);
        let mixed = Param::per_atom(vec![0.25, 0.9]);
        assert_eq!(Kept::of(&mixed), Some(Kept::Halved));
    }

    #[test]
    fn thresholds_lose_nothing() {
        let words = |compare, multi| Words {
            shift: 1,
            membrane: None,
            current: None,
            multi,
            compare,
        };
        // v > 1.25 is v >= 3 halves, as is v >= 1.25; v >= 1.5 too, v > 1.5 is not.
        assert_eq!(words(Compare::Gt, false).threshold(1.25), 2);
        assert_eq!(words(Compare::Ge, false).threshold(1.25), 2);
        assert_eq!(words(Compare::Ge, false).threshold(1.5), 2);
        assert_eq!(words(Compare::Gt, false).threshold(1.5), 3);
        assert_eq!(words(Compare::Ge, false).threshold(-1e300), i32::MIN);
        // As an amount it is at least one count.
        assert_eq!(words(Compare::Gt, true).threshold(1.25), 2);
        assert_eq!(words(Compare::Ge, true).threshold(1e-9), 0);
    }
}
