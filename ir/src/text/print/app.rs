//! Populations, projections and outputs.

use super::Printer;
use super::value::name;
use crate::app::{Connector, Model, Population};
use crate::neuron::{ContinuousNeuron, DiscreteNeuron, Neuron, Param, ResetRule};
use std::fmt::{self, Write};

type Fields = Vec<(&'static str, String)>;

impl Printer<'_> {
    pub(super) fn app(&mut self) -> fmt::Result {
        let app = &self.module.app;
        for population in app.populations.values() {
            self.population(population)?;
        }
        for projection in app.projections.values() {
            let own = name(&projection.name);
            let pre = self.populations.reference(projection.pre);
            let post = self.populations.reference(projection.post);
            let connector = match projection.connector {
                Connector::Dense => "dense",
            };
            let weights = self.tensor(&projection.weights, &projection.name, "weights");
            write!(
                self.out,
                "projection {own} : {pre} -> {post} {connector} {weights}"
            )?;
            if let Some(delay) = projection.delay {
                write!(self.out, " delay {delay}")?;
            }
            if projection.previous_step {
                self.out.push_str(" previous");
            }
            self.origin(&projection.origin)?;
        }
        for output in &app.outputs {
            let source = self.populations.reference(output.source);
            write!(self.out, "output {} = {source}", name(&output.name))?;
            self.origin(&output.origin)?;
        }
        Ok(())
    }

    fn population(&mut self, population: &Population) -> fmt::Result {
        let own = name(&population.name);
        let shape = &population.shape;
        match &population.model {
            Model::SpikeSource => write!(self.out, "population {own} spike_source {shape}")?,
            Model::Neuron(neuron) => {
                let kind = neuron.kind().name();
                let (form, fields) = match neuron {
                    Neuron::Continuous(n) => ("continuous", self.continuous(&population.name, n)),
                    Neuron::Discrete(n) => ("discrete", self.discrete(&population.name, n)),
                };
                write!(self.out, "population {own} {kind} {shape} {form}")?;
                self.fields(&fields)?;
            }
        }
        if let Some(dtype) = population.accumulator {
            write!(self.out, " accumulator {}", dtype.name())?;
        }
        if let Some(t) = population.timing {
            write!(self.out, " latency {} active {}", t.latency, t.active_from)?;
        }
        if !population.record.is_empty() {
            self.out.push_str(" record");
            for what in &population.record {
                write!(self.out, " {}", what.name())?;
            }
        }
        self.origin(&population.origin)
    }

    fn param(&mut self, fields: &mut Fields, owner: &str, key: &'static str, p: &Param) {
        let value = self.tensor(p.tensor(), owner, key);
        fields.push((key, value));
    }

    fn continuous(&mut self, owner: &str, n: &ContinuousNeuron) -> Fields {
        let mut fields = Vec::new();
        if let Some(tau) = &n.tau {
            self.param(&mut fields, owner, "tau", tau);
        }
        self.param(&mut fields, owner, "r", &n.r);
        if let Some(v_leak) = &n.v_leak {
            self.param(&mut fields, owner, "v_leak", v_leak);
        }
        self.param(&mut fields, owner, "v_threshold", &n.v_threshold);
        self.param(&mut fields, owner, "v_reset", &n.v_reset);
        self.param(&mut fields, owner, "bias", &n.bias);
        fields
    }

    fn discrete(&mut self, owner: &str, n: &DiscreteNeuron) -> Fields {
        let mut fields = Vec::new();
        if let Some(decay) = &n.decay {
            self.param(&mut fields, owner, "decay", decay);
        }
        self.param(&mut fields, owner, "gain", &n.gain);
        if let Some(offset) = &n.offset {
            self.param(&mut fields, owner, "offset", offset);
        }
        self.param(&mut fields, owner, "threshold", &n.threshold);
        let reset = match &n.reset {
            ResetRule::To(p) => format!("to {}", self.tensor(p.tensor(), owner, "reset")),
            ResetRule::Subtract(p) => {
                format!("subtract {}", self.tensor(p.tensor(), owner, "reset"))
            }
            ResetRule::Keep => "keep".to_owned(),
        };
        fields.push(("reset", reset));
        fields.push(("compare", n.compare.name().to_owned()));
        if let Some(unit) = &n.unit {
            self.param(&mut fields, owner, "unit", unit);
        }
        fields
    }
}
