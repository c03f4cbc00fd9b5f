//! The fields of each neuron form.

use super::Parser;
use super::value::required;
use crate::fixed_point::MAX_SHIFT;
use crate::neuron::{
    Constant, ContinuousNeuron, DiscreteNeuron, Fire, Membrane, Neuron, NeuronKind, Param,
    ResetRule, State, Synapse,
};
use crate::semantics::{Compare, SpikeOn, SynDecay};
use crate::text::lex::{Cursor, Parsed};

impl Parser<'_> {
    pub(super) fn neuron(
        &mut self,
        c: &mut Cursor<'_>,
        kind: NeuronKind,
        n: usize,
    ) -> Parsed<Neuron> {
        let continuous = c.choice("continuous or discrete", |w| match w {
            "continuous" => Some(true),
            "discrete" => Some(false),
            _ => None,
        })?;
        if continuous {
            self.continuous(c, kind, n)
        } else {
            self.discrete(c, kind, n)
        }
    }

    /// `0.5 from 3 0.25`
    fn constant(&mut self, c: &mut Cursor<'_>, n: usize) -> Parsed<Constant> {
        let mut last = 0;
        let mut entries = vec![(last, self.param(c, n)?)];
        while c.eat_word("from") {
            let before = c.clone();
            let step = c.number("a step")?;
            if step <= last {
                return Err(before.fail(format!("expected a step after {last}")));
            }
            last = step;
            entries.push((step, self.param(c, n)?));
        }
        Constant::new(entries).ok_or_else(|| c.fail("expected steps that ascend before this"))
    }

    fn continuous(&mut self, c: &mut Cursor<'_>, kind: NeuronKind, n: usize) -> Parsed<Neuron> {
        let mut neuron = ContinuousNeuron {
            kind,
            tau: None,
            tau_syn: None,
            w_in: None,
            r: None,
            v_leak: None,
            v_threshold: None,
            v_reset: None,
            bias: Constant::ZERO,
            hold: false,
        };
        self.fields(c, |parser, c, key| {
            let param = match key {
                "tau" => &mut neuron.tau,
                "tau_syn" => &mut neuron.tau_syn,
                "w_in" => &mut neuron.w_in,
                "r" => &mut neuron.r,
                "v_leak" => &mut neuron.v_leak,
                "v_threshold" => &mut neuron.v_threshold,
                "v_reset" => &mut neuron.v_reset,
                "bias" => {
                    neuron.bias = parser.constant(c, n)?;
                    return Ok(true);
                }
                "hold" => {
                    neuron.hold = switch(c)?;
                    return Ok(true);
                }
                _ => return Ok(false),
            };
            *param = Some(parser.param(c, n)?);
            Ok(true)
        })?;
        Ok(Neuron::Continuous(neuron))
    }

    fn discrete(&mut self, c: &mut Cursor<'_>, kind: NeuronKind, n: usize) -> Parsed<Neuron> {
        let [mut decay, mut gain, mut unit] = [const { None::<Param> }; 3];
        let mut fresh = false;
        let mut offset = Constant::ZERO;
        let mut synapse = SynapseFields::default();
        let mut fire = FireFields::default();
        let mut state = State::F32;
        self.fields(c, |parser, c, key| {
            match key {
                "decay" => decay = Some(parser.param(c, n)?),
                "membrane" => {
                    c.keyword("fresh")?;
                    fresh = true;
                }
                "gain" => gain = Some(parser.param(c, n)?),
                "offset" => offset = parser.constant(c, n)?,
                "unit" => unit = Some(parser.param(c, n)?),
                "state" => {
                    c.keyword("fixed")?;
                    let shift = c.choice("a shift up to 14", |w| {
                        w.parse().ok().filter(|s| *s <= MAX_SHIFT)
                    })?;
                    state = State::Fixed { shift };
                }
                _ => {
                    return Ok(synapse.read(parser, c, key, n)? || fire.read(parser, c, key, n)?);
                }
            }
            Ok(true)
        })?;
        let membrane = match (decay, fresh) {
            (Some(_), true) => {
                return Err(c.fail("expected no `decay` where the membrane is fresh"));
            }
            (Some(decay), false) => Membrane::Leaky(decay),
            (None, true) => Membrane::Fresh,
            (None, false) => Membrane::Integrate,
        };
        Ok(Neuron::Discrete(DiscreteNeuron {
            kind,
            synapse: synapse.finish(c)?,
            membrane,
            gain: required(c, gain, "gain")?,
            offset,
            fire: fire.finish(c)?,
            unit,
            state,
        }))
    }

    fn reset(&mut self, c: &mut Cursor<'_>, n: usize) -> Parsed<ResetRule> {
        let before = c.clone();
        let what = "to, subtract, pending, multi or keep";
        Ok(match c.word(what)? {
            "to" => ResetRule::To(self.param(c, n)?),
            "subtract" => ResetRule::Subtract(self.param(c, n)?),
            "pending" => ResetRule::Pending(self.param(c, n)?),
            "multi" => ResetRule::Multi,
            "keep" => ResetRule::Keep,
            _ => return Err(before.fail(format!("expected {what}"))),
        })
    }
}

/// `on` or `off`
fn switch(c: &mut Cursor<'_>) -> Parsed<bool> {
    c.choice("on or off", |w| match w {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    })
}

/// The fields of a synapse; none at all if there is no synapse.
#[derive(Default)]
struct SynapseFields {
    /// Whether there was any of them.
    any: bool,
    decay: Option<Param>,
    after: bool,
    offset: Constant,
    drive: Option<Param>,
    unit: Option<Param>,
}

impl SynapseFields {
    fn read(
        &mut self,
        parser: &mut Parser<'_>,
        c: &mut Cursor<'_>,
        key: &str,
        n: usize,
    ) -> Parsed<bool> {
        match key {
            "syn_decay" => self.decay = Some(parser.param(c, n)?),
            "syn_order" => {
                let order = c.choice("before or after", |w| w.parse::<SynDecay>().ok())?;
                self.after = order == SynDecay::After;
            }
            "syn_offset" => self.offset = parser.constant(c, n)?,
            "drive" => self.drive = Some(parser.param(c, n)?),
            "syn_unit" => self.unit = Some(parser.param(c, n)?),
            _ => return Ok(false),
        }
        self.any = true;
        Ok(true)
    }

    fn finish(self, c: &Cursor<'_>) -> Parsed<Option<Synapse>> {
        if !self.any {
            return Ok(None);
        }
        Ok(Some(Synapse {
            decay: required(c, self.decay, "syn_decay")?,
            after: self.after,
            offset: self.offset,
            drive: required(c, self.drive, "drive")?,
            unit: self.unit,
        }))
    }
}

/// The fields of a firing rule; none at all if the neuron never spikes.
#[derive(Default)]
struct FireFields {
    any: bool,
    threshold: Option<Param>,
    compare: Option<Compare>,
    judge: Option<SpikeOn>,
    reset: Option<ResetRule>,
    hold: bool,
    floor: Option<Param>,
}

impl FireFields {
    fn read(
        &mut self,
        parser: &mut Parser<'_>,
        c: &mut Cursor<'_>,
        key: &str,
        n: usize,
    ) -> Parsed<bool> {
        match key {
            "threshold" => self.threshold = Some(parser.param(c, n)?),
            "compare" => self.compare = Some(c.choice("gt or ge", |w| w.parse().ok())?),
            "judge" => self.judge = Some(c.choice("new or old", |w| w.parse().ok())?),
            "reset" => self.reset = Some(parser.reset(c, n)?),
            "hold" => self.hold = switch(c)?,
            "floor" => self.floor = Some(parser.param(c, n)?),
            _ => return Ok(false),
        }
        self.any = true;
        Ok(true)
    }

    fn finish(self, c: &Cursor<'_>) -> Parsed<Option<Fire>> {
        if !self.any {
            return Ok(None);
        }
        Ok(Some(Fire {
            threshold: required(c, self.threshold, "threshold")?,
            compare: required(c, self.compare, "compare")?,
            judge: self.judge.unwrap_or(SpikeOn::New),
            reset: required(c, self.reset, "reset")?,
            hold: self.hold,
            floor: self.floor,
        }))
    }
}
