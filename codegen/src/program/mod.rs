//! From a vertex to the program of its PE: which kernels it needs, with which
//! constants, and what its memory starts with.

mod data;
mod neuron;
mod rows;

use crate::Options;
use crate::devices::level::AutoLevel;
use crate::frame::{Level, Record, Reset, Ring, Start, Step, Tick, Waiting, startup};
use crate::kernels::{
    Addressing, Carries, Kernel, Neurons, Receive, RowKernel, RowLists, Send, Slots, Source, Values,
};
use ir::app::{Model, Population, Timing};
use ir::diag::Diagnostic;
use ir::machine_graph::MachineVertex;
use ir::memory::{MemoryLayout, Region, RegionKind, lists, padded};
use ir::module::Module;
use ir::neuron::{DiscreteNeuron, Neuron};
use ir::{DType, Target, VertexId};

/// The kernels of one PE and what they share.
#[derive(Clone, Debug)]
pub struct Program {
    pub reset: Reset,
    pub start: Start,
    pub tick: Tick,
    pub receive: Option<Receive>,
    pub values: Option<Values>,
    pub update: Option<Neurons>,
    pub source: Option<Source>,
}

impl Program {
    /// All kernels in the order of their addresses.
    pub fn kernels(&self, target: &Target) -> Vec<Kernel> {
        let guest = Addressing::Guest;
        let mut all = vec![
            self.reset.kernel(target),
            startup::unexpected(),
            self.start.kernel(target),
            self.tick.kernel(target),
        ];
        all.extend(self.receive.as_ref().map(|r| r.kernel(guest)));
        all.extend(self.values.as_ref().map(|v| v.kernel(guest)));
        all.extend(self.row_kernels().iter().map(|k| k.kernel(guest)));
        all.extend(self.update.as_ref().map(|u| u.kernel(guest)));
        all.extend(self.source.as_ref().map(|s| s.kernel(guest)));
        all
    }

    /// Every routine that adds rows, once.
    fn row_kernels(&self) -> Vec<RowKernel> {
        let mut all = Vec::new();
        all.extend(self.receive.iter().flat_map(Receive::row_kernels));
        all.extend(self.values.iter().flat_map(Values::row_kernels));
        all.sort();
        all.dedup();
        all
    }
}

/// One vertex with everything that its program depends on.
pub(crate) struct Site<'a> {
    module: &'a Module,
    target: &'a Target,
    id: VertexId,
    vertex: &'a MachineVertex,
    population: &'a Population,
    layout: &'a MemoryLayout,
}

impl<'a> Site<'a> {
    pub(crate) fn new(
        module: &'a Module,
        target: &'a Target,
        id: VertexId,
    ) -> Result<Self, Diagnostic> {
        let vertex = &module.machine_graph.vertices[id];
        let layout = module.layouts.get(&id);
        let layout = layout.ok_or_else(|| Diagnostic::internal(format!("{id} has no layout")))?;
        let population = &module.app.populations[vertex.population];
        Ok(Self {
            module,
            target,
            id,
            vertex,
            population,
            layout,
        })
    }

    /// An internal error about this population: something that a pass should
    /// have provided is not there.
    fn lacks(&self, what: impl std::fmt::Display) -> Diagnostic {
        Diagnostic::internal(format!(
            "{} of {} {what}",
            self.id,
            ir::origin::escape(&self.population.name)
        ))
    }

    fn region(&self, kind: RegionKind) -> Result<Region, Diagnostic> {
        let found = self.layout.find(kind);
        found.ok_or_else(|| self.lacks(format!("has no region {kind}")))
    }

    fn neuron(&self) -> Result<Option<&'a DiscreteNeuron>, Diagnostic> {
        match &self.population.model {
            Model::SpikeSource => Ok(None),
            Model::Neuron(Neuron::Discrete(n)) => Ok(Some(n)),
            Model::Neuron(Neuron::Continuous(_)) => Err(self.lacks("is not discrete")),
        }
    }

    fn timing(&self) -> Result<Timing, Diagnostic> {
        let timing = self.population.timing;
        timing.ok_or_else(|| self.lacks("has no timing"))
    }

    /// Type of the integer accumulators, if integers arrive.
    fn sums(&self) -> Result<Option<DType>, Diagnostic> {
        if !self.module.app.has_integer_input(self.vertex.population) {
            return Ok(None);
        }
        let accumulator = self.population.accumulator;
        let accumulator = accumulator.ok_or_else(|| self.lacks("has no accumulator type"))?;
        Ok(Some(accumulator))
    }

    /// Where the integer accumulators are, if integers arrive.
    fn slots(&self) -> Result<Option<Slots>, Diagnostic> {
        let Some(accumulator) = self.sums()? else {
            return Ok(None);
        };
        Ok(Some(Slots {
            address: self.region(RegionKind::Accumulators)?.addr,
            count: self.module.app.slots(self.vertex.population),
            bytes: padded(self.vertex.slice.n) * accumulator.size() as u32,
        }))
    }

    /// Key of the slice's first atom.
    fn key(&self) -> Result<u32, Diagnostic> {
        let net = self.module.machine_graph.net_of(self.id);
        let key = net.and_then(|n| self.module.keys.get(&n));
        key.map(|k| k.key()).ok_or_else(|| self.lacks("has no key"))
    }

    /// Timer counts of one tick.
    fn period(&self) -> Result<u32, Diagnostic> {
        let step = self.target.clock.timer_hz * u64::from(self.module.time_step_us) / 1_000_000;
        let ticks = u64::from(self.module.app.ticks_per_step);
        let counts = step.checked_div(ticks).and_then(|c| u32::try_from(c).ok());
        let counts = counts.filter(|&c| c > 0 && step.is_multiple_of(ticks));
        counts.ok_or_else(|| {
            Diagnostic::internal(format!(
                "{step} timer counts of a step do not make {ticks} ticks"
            ))
        })
    }

    pub(crate) fn program(&self, options: &Options) -> Result<Program, Diagnostic> {
        let control = self.region(RegionKind::Control)?.addr;
        let send = Send::of(&self.target.comms);
        let neuron = self.neuron()?;
        let record = self.layout.find(RegionKind::SpikeRecord);
        let (receive, values) = match neuron {
            Some(_) => (self.receive(control)?, self.values()?),
            None => (None, None),
        };
        let update = neuron
            .map(|n| self.neurons(n, control, send, record.is_some()))
            .transpose()?;
        let source = neuron.is_none().then(|| -> Result<Source, Diagnostic> {
            Ok(Source {
                control,
                send,
                payload: self.population.sends.has_payload(),
                record: record.map(|_| self.key()).transpose()?,
            })
        });
        let ring = receive.as_ref().map(|r| Ring {
            start: r.ring.0,
            end: r.ring.1,
            payload: r.payload,
        });
        Ok(Program {
            reset: Reset { ring },
            start: Start {
                period: self.period()?,
            },
            tick: Tick {
                control,
                level: options
                    .level_of(self.id)
                    .map(|policy| self.level(policy, receive.as_ref())),
                receives: receive.is_some(),
                step: neuron.map(|n| self.step(n, values.is_some())).transpose()?,
                source: neuron.is_none(),
                record: record.map(|r| Record {
                    region: (r.addr, r.end()),
                    atoms: self.vertex.slice.n,
                }),
            },
            receive,
            values,
            update,
            source: source.transpose()?,
        })
    }

    /// How the policy counts: packets in the ring, or what a source will send.
    fn level(&self, policy: AutoLevel, receive: Option<&Receive>) -> Level {
        let waiting = match receive {
            Some(r) => Waiting::Ring {
                words: if r.payload { 2 } else { 1 },
            },
            None if self.population.model == Model::SpikeSource => Waiting::Events,
            None => Waiting::Nothing,
        };
        Level { policy, waiting }
    }

    fn step(&self, neuron: &DiscreteNeuron, values: bool) -> Result<Step, Diagnostic> {
        let timing = self.timing()?;
        let every = self.module.app.ticks_per_step.max(1);
        let phase = timing.latency % every;
        // The first tick from `active_from` on that has the phase.
        let wait = (phase + every - timing.active_from % every) % every;
        let first = timing.active_from + wait;
        Ok(Step {
            active_from: timing.active_from,
            phase,
            every,
            late: self.late_offsets(neuron, |step| first + step * every)?,
            values,
            sums: self.slots()?,
        })
    }

    fn receive(&self, control: u32) -> Result<Option<Receive>, Diagnostic> {
        let ranges = self.key_ranges()?;
        if ranges.is_empty() {
            return Ok(None);
        }
        let ring = self.region(RegionKind::Ring)?;
        let payload = |c: &Carries| !matches!(c, Carries::Spikes(_));
        let payload = ranges.iter().any(|r| payload(&r.carries));
        let entry = if payload { 8 } else { 4 };
        let comms = &self.target.comms;
        Ok(Some(Receive {
            control,
            ring: (ring.addr, ring.end() - ring.bytes % entry),
            payload,
            write_pointer: comms.base + comms.dma_write,
            read_pointer: comms.base + comms.dma_read,
            accumulators: self.slots()?,
            lists: self.layout.find(RegionKind::Lists).map(|r| RowLists {
                address: r.addr,
                count: r.bytes / lists::BYTES,
            }),
            products: self.products()?,
            ranges,
        }))
    }
}
