//! Inputs, populations, projections and outputs.

use super::Parser;
use super::machine::insert;
use crate::app::{AtomOrder, Model, OutputPort, Population, Projection, Sends, Timing};
use crate::neuron::NeuronKind;
use crate::series::Observable;
use crate::tensor::DType;
use crate::text::lex::{Cursor, Parsed};

impl Parser<'_> {
    /// What an Input carries.
    pub(super) fn input(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let before = c.clone();
        let name = c.name("a name such as `@in`")?;
        let carries = sends(c)?;
        insert(&mut self.module.inputs, name, carries, &before)
    }

    pub(super) fn ticks_per_step(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        self.once(c, "ticks_per_step")?;
        self.module.app.ticks_per_step = c.choice("a number of ticks above 0", |w| {
            w.parse().ok().filter(|ticks| *ticks > 0)
        })?;
        Ok(())
    }

    pub(super) fn population(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let name = c.name("a name such as `@hid`")?;
        let kind = c.choice(MODELS, |w| match w {
            "spike_source" => Some(None),
            _ => NeuronKind::ALL.iter().find(|k| k.name() == w).map(Some),
        })?;
        let shape = self.shape(c)?;
        let model = match kind {
            None => Model::SpikeSource,
            Some(kind) => Model::Neuron(self.neuron(c, *kind, shape.len())?),
        };
        let sends = if c.eat_word("sends") {
            sends(c)?
        } else {
            Sends::Spikes
        };
        let order = if c.eat_word("order") {
            order(c)?
        } else {
            AtomOrder::RowMajor
        };
        if !order.fits(&shape) {
            let message = "expected a shape [C H W] before this, whose channels are whole blocks";
            return Err(c.fail(message));
        }
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
            sends,
            order,
            timing,
            accumulator,
            record,
            origin,
        });
        self.populations.declare(name);
        Ok(())
    }

    pub(super) fn projection(&mut self, c: &mut Cursor<'_>) -> Parsed<()> {
        let name = c.name("a name such as `@fc1`")?;
        c.symbol(":")?;
        let pre = self.populations.reference(c, "a population")?;
        c.symbol("->")?;
        let post = self.populations.reference(c, "a population")?;
        let connector = self.connector(c)?;
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

const MODELS: &str = "a model: spike_source, lif, if, cubalif, li, cubali, i, threshold or linear";

/// `spikes`, `counts 3` or `values`
fn sends(c: &mut Cursor<'_>) -> Parsed<Sends> {
    let before = c.clone();
    Ok(match c.word("spikes, counts or values")? {
        "spikes" => Sends::Spikes,
        "counts" => Sends::Counts {
            max: c.number("the largest count")?,
        },
        "values" => Sends::Values,
        _ => return Err(before.fail("expected spikes, counts or values")),
    })
}

/// `row_major` or `blocked 4`
fn order(c: &mut Cursor<'_>) -> Parsed<AtomOrder> {
    let before = c.clone();
    Ok(match c.word("row_major or blocked")? {
        "row_major" => AtomOrder::RowMajor,
        "blocked" => AtomOrder::Blocked {
            channels: c.number("the channels of a block")?,
        },
        _ => return Err(before.fail("expected row_major or blocked")),
    })
}

fn observable(word: &str) -> Option<Observable> {
    [Observable::Spikes, Observable::V, Observable::I]
        .into_iter()
        .find(|o| o.name() == word)
}
