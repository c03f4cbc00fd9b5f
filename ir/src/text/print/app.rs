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
                _ => "unprintable",
            };
            let weights = self.tensor(&projection.weights, &projection.name, "weights");
            write!(
                self.out,
                "projection {own} : {pre} -> {post} {connector} {weights}"
            )?;
            if let Some(delay) = projection.delay {
                write!(self.out, " delay {delay}")?;
            }
            if projection.lag > 0 {
                write!(self.out, " lag {}", projection.lag)?;
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

    fn continuous(&mut self, _: &str, _: &ContinuousNeuron) -> Fields {
        Vec::new()
    }

    fn discrete(&mut self, _: &str, _: &DiscreteNeuron) -> Fields {
        Vec::new()
    }
}
