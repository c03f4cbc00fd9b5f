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
            sends: crate::app::Sends::Spikes,
            order: crate::app::AtomOrder::RowMajor,
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
        let _ = (continuous, kind, n);
        Err(c.fail("not yet"))
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
        let lag = if c.eat_word("lag") {
            c.number("a number of steps")?
        } else {
            0
        };
        let origin = self.origin(c)?;
        c.end()?;
        self.module.app.projections.push(Projection {
            name: name.clone(),
            pre,
            post,
            connector,
            weights,
            delay,
            lag,
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
