//! Populations, projections and outputs.

use super::Printer;
use super::op::list;
use super::value::name;
use crate::app::{AtomOrder, Connector, Model, Population, Projection, Sends};
use crate::tensor::{Data, Shape, Tensor};
use std::fmt::{self, Write};

impl Printer<'_> {
    /// What the Inputs carry.
    pub(super) fn inputs(&mut self) -> fmt::Result {
        for (input, carries) in &self.module.inputs {
            writeln!(self.out, "input {} {}", name(input), sends(*carries))?;
        }
        Ok(())
    }

    pub(super) fn app(&mut self) -> fmt::Result {
        let app = &self.module.app;
        if app.ticks_per_step != 1 {
            writeln!(self.out, "ticks_per_step {}", app.ticks_per_step)?;
        }
        for population in app.populations.values() {
            self.population(population)?;
        }
        for projection in app.projections.values() {
            self.projection(projection)?;
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
                let (form, fields) = self.neuron(&population.name, neuron);
                write!(self.out, "population {own} {kind} {shape} {form}")?;
                self.fields(&fields)?;
            }
        }
        if population.sends != Sends::Spikes {
            write!(self.out, " sends {}", sends(population.sends))?;
        }
        if let AtomOrder::Blocked { channels } = population.order {
            write!(self.out, " order blocked {channels}")?;
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

    fn projection(&mut self, projection: &Projection) -> fmt::Result {
        let own = name(&projection.name);
        let pre = self.populations.reference(projection.pre);
        let post = self.populations.reference(projection.post);
        let connector = self.connector(&projection.name, &projection.connector);
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
        self.origin(&projection.origin)
    }

    fn connector(&mut self, owner: &str, connector: &Connector) -> String {
        match connector {
            Connector::Dense => "dense".to_owned(),
            Connector::Conv(conv) => format!(
                "conv source {} target {} kernel {} stride {} padding {} dilation {}",
                list(&conv.source),
                list(&conv.target),
                list(&conv.kernel),
                list(&conv.stride),
                list(&conv.padding),
                list(&conv.dilation)
            ),
            Connector::Sparse(synapses) => {
                let starts = self.indices(synapses.starts(), owner, "starts");
                let targets = self.indices(synapses.targets(), owner, "targets");
                format!("sparse starts {starts} targets {targets}")
            }
        }
    }

    /// Positions as an array; the parser's limits on sizes lie far below the
    /// largest int32.
    fn indices(&mut self, values: &[u32], owner: &str, field: &str) -> String {
        let values: Vec<i32> = values.iter().map(|v| v.cast_signed()).collect();
        let shape = Shape(vec![values.len()]);
        let tensor = Tensor::new(shape, Data::I32(values));
        // A vector has as many elements as it has.
        tensor.map_or_else(String::new, |t| self.tensor(&t, owner, field))
    }
}

/// `spikes`, `counts 3` or `values`
fn sends(sends: Sends) -> String {
    match sends {
        Sends::Spikes => "spikes".to_owned(),
        Sends::Counts { max } => format!("counts {max}"),
        Sends::Values => "values".to_owned(),
    }
}
