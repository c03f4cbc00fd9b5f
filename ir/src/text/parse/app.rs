//! Populations, projections and outputs.

use super::Parser;
use super::value::required;
use crate::app::{Connector, Model, OutputPort, Population, Projection, Timing};
use crate::neuron::{ContinuousNeuron, DiscreteNeuron, Neuron, NeuronKind, Param, ResetRule};
use crate::semantics::Compare;
use crate::series::Observable;
use crate::tensor::DType;
use crate::text::lex::{Cursor, Parsed};

impl Parser<'_> {
    pub(super) fn population(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let name = c.name("a name such as `@hid`")?;
        let kind = c.choice("a model: spike_source, lif or if", |w| match w {
            "spike_source" => Some(None),
            "lif" => Some(Some(NeuronKind::Lif)),
            "if" => Some(Some(NeuronKind::If)),
            _ => None,
        })?;
        let shape = self.shape(c)?;
        let model = match kind {
            None => Model::SpikeSource,
            Some(kind) => Model::Neuron(self.neuron(c, kind, shape.len())?),
        };
        let accumulator = if c.eat_word("accumulator") {
            Some(c.choice("i16 or i32", |w| match w {
                "i16" => Some(DType::I16),
                "i32" => Some(DType::I32),
                _ => None,
            })?)
        } else {
            None
        };
        let timing = if c.eat_word("latency") {
            let latency = c.number("a number of ticks")?;
            c.keyword("active")?;
            let active_from = c.number("a tick")?;
            Some(Timing {
                latency,
                active_from,
            })
        } else {
            None
        };
        let mut record = Vec::new();
        if c.eat_word("record") {
            loop {
                record.push(c.choice("spikes, v or i", observable)?);
                let mut ahead = c.clone();
                if ahead.choice("", observable).is_err() {
                    break;
                }
            }
        }
        let origin = self.origin(c)?;
        c.end()?;
        self.module.app.populations.push(Population {
            name: name.clone(),
            shape,
            model,
            timing,
            accumulator,
            record,
            origin,
        });
        self.populations.declare(name);
        Ok(())
    }

    fn neuron(&mut self, c: &mut Cursor<'_>, kind: NeuronKind, n: usize) -> Parsed<Neuron> {
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

    fn continuous(&mut self, c: &mut Cursor<'_>, kind: NeuronKind, n: usize) -> Parsed<Neuron> {
        let [
            mut tau,
            mut r,
            mut v_leak,
            mut v_threshold,
            mut v_reset,
            mut bias,
        ] = [const { None::<Param> }; 6];
        self.fields(c, |parser, c, key| {
            let param = match key {
                "tau" => &mut tau,
                "r" => &mut r,
                "v_leak" => &mut v_leak,
                "v_threshold" => &mut v_threshold,
                "v_reset" => &mut v_reset,
                "bias" => &mut bias,
                _ => return Ok(false),
            };
            *param = Some(parser.param(c, n)?);
            Ok(true)
        })?;
        Ok(Neuron::Continuous(ContinuousNeuron {
            kind,
            tau,
            r: required(c, r, "r")?,
            v_leak,
            v_threshold: required(c, v_threshold, "v_threshold")?,
            v_reset: required(c, v_reset, "v_reset")?,
            bias: required(c, bias, "bias")?,
        }))
    }

    fn discrete(&mut self, c: &mut Cursor<'_>, kind: NeuronKind, n: usize) -> Parsed<Neuron> {
        let [mut decay, mut gain, mut offset, mut threshold, mut unit] =
            [const { None::<Param> }; 5];
        let mut reset = None;
        let mut compare = None;
        self.fields(c, |parser, c, key| {
            let param = match key {
                "decay" => &mut decay,
                "gain" => &mut gain,
                "offset" => &mut offset,
                "threshold" => &mut threshold,
                "unit" => &mut unit,
                "reset" => {
                    let before = c.clone();
                    reset = Some(match c.word("to, subtract or keep")? {
                        "to" => ResetRule::To(parser.param(c, n)?),
                        "subtract" => ResetRule::Subtract(parser.param(c, n)?),
                        "keep" => ResetRule::Keep,
                        _ => return Err(before.fail("expected to, subtract or keep")),
                    });
                    return Ok(true);
                }
                "compare" => {
                    compare = Some(c.choice("gt or ge", |w| w.parse::<Compare>().ok())?);
                    return Ok(true);
                }
                _ => return Ok(false),
            };
            *param = Some(parser.param(c, n)?);
            Ok(true)
        })?;
        Ok(Neuron::Discrete(DiscreteNeuron {
            kind,
            decay,
            gain: required(c, gain, "gain")?,
            offset,
            threshold: required(c, threshold, "threshold")?,
            reset: required(c, reset, "reset")?,
            compare: required(c, compare, "compare")?,
            unit,
        }))
    }

    pub(super) fn projection(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let name = c.name("a name such as `@fc1`")?;
        c.symbol(":")?;
        let pre = self.populations.reference(c, "a population")?;
        c.symbol("->")?;
        let post = self.populations.reference(c, "a population")?;
        let connector = c.choice("a connector: dense", |w| {
            (w == "dense").then_some(Connector::Dense)
        })?;
        let weights = self.tensor(c)?;
        let delay = if c.eat_word("delay") {
            Some(c.number("a number of ticks")?)
        } else {
            None
        };
        let previous_step = c.eat_word("previous");
        let origin = self.origin(c)?;
        c.end()?;
        self.module.app.projections.push(Projection {
            name: name.clone(),
            pre,
            post,
            connector,
            weights,
            delay,
            previous_step,
            origin,
        });
        self.projections.declare(name);
        Ok(())
    }

    pub(super) fn output(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let name = c.name("a name such as `@out`")?;
        c.symbol("=")?;
        let source = self.populations.reference(c, "a population")?;
        let origin = self.origin(c)?;
        self.module.app.outputs.push(OutputPort {
            name,
            source,
            origin,
        });
        Ok(())
    }
}

fn observable(word: &str) -> Option<Observable> {
    [Observable::Spikes, Observable::V, Observable::I]
        .into_iter()
        .find(|o| o.name() == word)
}
