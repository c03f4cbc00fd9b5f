//! How large the state of a population can get, and how far one step of it is from the
//! exact one.

use super::{Kept, Words};
use crate::neuron::{Constant, DiscreteNeuron, MAX_COUNT, Membrane, Param, ResetRule};
use crate::semantics::SpikeOn;

/// The finest state: a sixteen-bit sum times `2^shift` must be one instruction.
pub const MAX_SHIFT: u8 = 14;

/// So many steps of its strongest input an integrating membrane takes before it
/// saturates, unless even whole units have no room for them.
pub const HORIZON: f64 = 4096.0;

const LIMIT: f64 = i32::MAX as f64;

/// What holds of a population with fixed-point state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proof {
    pub shift: u8,
    /// The largest magnitude that a membrane or current can reach, in counts; of an
    /// integrating membrane within [`HORIZON`] steps.
    pub reach: f64,
    /// Steps of the strongest input after which an integrating membrane saturates.
    pub lasts: Option<f64>,
    /// Bound of the distance between the membrane after one step and the exact step from
    /// the same state that decides alike about the spike: largest of all atoms, in the
    /// file's units.
    pub step_error: f64,
    /// The same as a part of the atom's threshold.
    pub of_threshold: Option<f64>,
    /// The largest count, in the file's units.
    pub count: f64,
}

/// Why a population can't have fixed-point state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unfit {
    /// A decay is not from -1 to 1.
    Decay,
    /// The state of an atom can leave int32 even when counted in whole units.
    Range { atom: usize, reach: f64 },
}

/// The bounds of one atom, in counts.
#[derive(Clone, Copy, Debug, Default)]
struct Bounds {
    membrane: f64,
    current: f64,
    /// What one step may add to an integrating membrane.
    push: f64,
    /// From where an integrating membrane begins to climb.
    start: f64,
}

/// The finest state whose range is proven; `sums` gives the largest magnitude of each
/// atom's integer sum.
pub fn choose(
    neuron: &DiscreteNeuron,
    n: usize,
    sums: impl Fn(usize) -> f64,
) -> Result<Proof, Unfit> {
    let mut shift = MAX_SHIFT;
    loop {
        match prove(neuron, n, shift, &sums) {
            Ok(proof) if shift == 0 || proof.lasts.is_none_or(|l| l >= HORIZON) => {
                return Ok(proof);
            }
            Err(Unfit::Decay) => return Err(Unfit::Decay),
            Err(unfit) if shift == 0 => return Err(unfit),
            Ok(_) | Err(Unfit::Range { .. }) => shift -= 1,
        }
    }
}

/// Proves the range of a state and bounds its error.
pub fn prove(
    neuron: &DiscreteNeuron,
    n: usize,
    shift: u8,
    sums: impl Fn(usize) -> f64,
) -> Result<Proof, Unfit> {
    let words = Words::with(neuron, shift).ok_or(Unfit::Decay)?;
    let integrates = matches!(neuron.membrane, Membrane::Integrate);
    let mut proof = Proof {
        shift,
        reach: 0.0,
        lasts: None,
        step_error: 0.0,
        of_threshold: None,
        count: 0.0,
    };
    for atom in 0..n {
        let one = Atom {
            neuron,
            words,
            atom,
        };
        let mut bounds = one.bounds(sums(atom));
        let highest = bounds.membrane.max(bounds.current);
        if highest > LIMIT {
            return Err(Unfit::Range {
                atom,
                reach: highest / words.scale(),
            });
        }
        if integrates && bounds.push > 0.0 && !one.returns(&bounds) {
            let steps = ((LIMIT - bounds.start) / bounds.push).floor();
            proof.lasts = Some(proof.lasts.map_or(steps, |l| l.min(steps)));
            bounds.membrane = (bounds.start + HORIZON * bounds.push).min(LIMIT);
        }
        proof.reach = proof.reach.max(bounds.membrane).max(bounds.current);
        let error = one.error(&bounds);
        let unit = neuron.unit.as_ref().map_or(1.0, |u| u.at(atom)) / words.scale();
        proof.step_error = proof.step_error.max(error * unit);
        proof.count = proof.count.max(unit);
        if let Some(fire) = &neuron.fire {
            let threshold = (fire.threshold.at(atom) * words.scale()).abs();
            let part = error / threshold;
            if part.is_finite() {
                proof.of_threshold = Some(proof.of_threshold.map_or(part, |p| p.max(part)));
            }
        }
    }
    Ok(proof)
}

struct Atom<'a> {
    neuron: &'a DiscreteNeuron,
    words: Words,
    atom: usize,
}

/// More than rounding a decay can add to a value, in counts.
const SLACK: f64 = 2.0;

impl Atom<'_> {
    /// The largest magnitude of an amount, in counts, rounded up.
    fn size(&self, param: &Param) -> f64 {
        (param.at(self.atom) * self.words.scale()).abs() + 0.5
    }
    fn largest(&self, constant: &Constant) -> f64 {
        let entries = constant.entries().iter();
        entries.map(|(_, p)| self.size(p)).fold(0.0, f64::max)
    }

    /// With `|decay| < 1` a value that grows by at most `push` a step stays within
    /// `push / (1 - |decay|)`; what a spike takes away counts as a push.
    fn bounds(&self, sum: f64) -> Bounds {
        let mut push = sum * self.words.scale();
        let mut current = 0.0;
        if let Some(s) = &self.neuron.synapse {
            let decay = s.decay.at(self.atom).abs();
            // Also what stands before an `after` decay.
            current = (push + self.largest(&s.offset) + SLACK) / (1.0 - decay);
            push = current;
        }
        push += self.largest(&self.neuron.offset);
        let (mut at, mut later, mut taken) = (0.0f64, 0.0, 0.0);
        if let Some(fire) = &self.neuron.fire {
            at = fire.floor.as_ref().map_or(0.0, |f| self.size(f));
            match &fire.reset {
                ResetRule::To(p) => at = at.max(self.size(p)),
                ResetRule::Subtract(p) => taken = self.size(p),
                ResetRule::Pending(p) => later = self.size(p),
                ResetRule::Multi => taken = push,
                ResetRule::Keep => {}
            }
        }
        push += later;
        match &self.neuron.membrane {
            Membrane::Leaky(decay) => {
                let decay = decay.at(self.atom).abs();
                let grown = (push + SLACK + decay * taken) / (1.0 - decay);
                let kept = decay * at + push + SLACK;
                Bounds {
                    membrane: grown.max(kept).max(at) + taken,
                    current,
                    push,
                    start: at,
                }
            }
            Membrane::Integrate | Membrane::Fresh => {
                let fire = self.neuron.fire.as_ref();
                let start = fire.map_or(0.0, |f| self.size(&f.threshold)).max(at) + taken;
                Bounds {
                    // One step must fit; how many do is `Proof::lasts`.
                    membrane: start + push,
                    current,
                    push,
                    start,
                }
            }
        }
    }

    /// Whether floor and reset keep an integrating membrane within one step of them.
    fn returns(&self, bounds: &Bounds) -> bool {
        let Some(fire) = &self.neuron.fire else {
            return false;
        };
        let down = match &fire.reset {
            ResetRule::To(_) => true,
            ResetRule::Multi => {
                let step = f64::from(self.words.step(fire.threshold.at(self.atom)));
                bounds.push <= step * f64::from(MAX_COUNT - 1)
            }
            ResetRule::Subtract(_) | ResetRule::Pending(_) | ResetRule::Keep => false,
        };
        down && fire.floor.is_some() && fire.judge == SpikeOn::New
    }

    /// Error of an amount, in counts.
    fn amount(&self, param: &Param) -> f64 {
        let exact = param.at(self.atom) * self.words.scale();
        (exact - f64::from(self.words.amount(param.at(self.atom)))).abs()
    }
    fn offset(&self, constant: &Constant) -> f64 {
        let entries = constant.entries().iter();
        entries.map(|(_, p)| self.amount(p)).fold(0.0, f64::max)
    }
    /// Error of what a decay leaves of a value within `reach`.
    fn kept(&self, kept: Option<Kept>, decay: &Param, reach: f64) -> f64 {
        let Some(kept) = kept else { return 0.0 };
        let decay = decay.at(self.atom);
        let off = (kept.decay(kept.factor(decay)) - decay).abs();
        kept.rounding() + off * reach
    }

    /// Bound of the distance to the exact step, in counts.
    fn error(&self, bounds: &Bounds) -> f64 {
        let mut error = 0.0;
        if let Some(s) = &self.neuron.synapse {
            let offset = self.offset(&s.offset);
            let through = if s.after {
                offset * s.decay.at(self.atom).abs()
            } else {
                offset
            };
            error += self.kept(self.words.current, &s.decay, bounds.current) + through;
        }
        if let Membrane::Leaky(decay) = &self.neuron.membrane {
            error += self.kept(self.words.membrane, decay, bounds.membrane);
        }
        error += self.offset(&self.neuron.offset);
        let Some(fire) = &self.neuron.fire else {
            return error;
        };
        if let ResetRule::Pending(p) = &fire.reset {
            error += self.amount(p);
        }
        if let Some(floor) = &fire.floor {
            error = error.max(self.amount(floor));
        }
        match &fire.reset {
            ResetRule::To(p) => error.max(self.amount(p)),
            ResetRule::Subtract(p) => error + self.amount(p),
            // Each of the spikes takes the rounded threshold; a step in which both take
            // the same number is this far off at most.
            ResetRule::Multi => {
                let exact = fire.threshold.at(self.atom) * self.words.scale();
                let step = f64::from(self.words.step(fire.threshold.at(self.atom)));
                let most = (bounds.membrane / step).floor().min(f64::from(MAX_COUNT));
                error + most.max(1.0) * (exact - step).abs()
            }
            ResetRule::Pending(_) | ResetRule::Keep => error,
        }
    }
}
