//! From a vertex to the program of its PE: which kernels it needs, with which
//! constants, and what its memory starts with.

use crate::contents;
use crate::frame::{Record, Reset, Start, Tick, startup, tick::Slots};
use crate::kernels::{
    Addressing, DenseRow, Kernel, KeyRange, Operand, Receive, ResetOp, RowBlock, Send, Source,
    Update,
};
use ir::app::{Model, Population};
use ir::diag::Diagnostic;
use ir::machine_graph::{AtomSlice, MachineVertex};
use ir::memory::{MemoryLayout, Region, RegionKind, padded};
use ir::module::Module;
use ir::neuron::{DiscreteNeuron, Membrane, Neuron, Param, ResetRule};
use ir::{DType, Target, VertexId};
use std::collections::BTreeMap;

/// The kernels of one PE and what they share.
#[derive(Clone, Debug)]
pub struct Program {
    pub reset: Reset,
    pub start: Start,
    pub tick: Tick,
    pub receive: Option<Receive>,
    pub update: Option<Update>,
    pub source: Option<Source>,
}

impl Program {
    /// All kernels in the order of their addresses.
    pub fn kernels(&self, target: &Target) -> Vec<Kernel> {
        let mut all = vec![
            self.reset.kernel(target),
            startup::unexpected(),
            self.start.kernel(target),
            self.tick.kernel(target),
        ];
        if let Some(receive) = &self.receive {
            all.push(receive.kernel(Addressing::Guest));
            all.extend(
                receive
                    .row_kernels()
                    .iter()
                    .map(|k| k.kernel(Addressing::Guest)),
            );
        }
        all.extend(self.update.as_ref().map(|u| u.kernel(Addressing::Guest)));
        all.extend(self.source.as_ref().map(|s| s.kernel(Addressing::Guest)));
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

    fn region(&self, kind: RegionKind) -> Result<Region, Diagnostic> {
        self.layout.find(kind).ok_or_else(|| {
            Diagnostic::internal(format!(
                "{} of {} has no region {kind}",
                self.id, self.population.name
            ))
        })
    }

    fn neuron(&self) -> Result<Option<&'a DiscreteNeuron>, Diagnostic> {
        match &self.population.model {
            Model::SpikeSource => Ok(None),
            Model::Neuron(Neuron::Discrete(n)) => Ok(Some(n)),
            Model::Neuron(Neuron::Continuous(_)) => Err(Diagnostic::internal(format!(
                "{} is not discrete",
                self.population.name
            ))),
        }
    }

    fn accumulator(&self) -> Result<DType, Diagnostic> {
        self.population.accumulator.ok_or_else(|| {
            Diagnostic::internal(format!("{} has no accumulator type", self.population.name))
        })
    }

    /// Key of the slice's first atom.
    fn key(&self) -> Result<u32, Diagnostic> {
        let net = self.module.machine_graph.net_of(self.id);
        let key = net.and_then(|n| self.module.keys.get(&n));
        key.map(|k| k.key()).ok_or_else(|| {
            Diagnostic::internal(format!(
                "{} of {} has no key",
                self.id, self.population.name
            ))
        })
    }

    pub(crate) fn program(&self) -> Result<Program, Diagnostic> {
        let control = self.region(RegionKind::Control)?.addr;
        let send = Send::of(&self.target.comms);
        let neuron = self.neuron()?;
        let receive = if neuron.is_some() {
            self.receive(control)?
        } else {
            None
        };
        let record = self.layout.find(RegionKind::SpikeRecord);
        let update = neuron
            .map(|n| self.update(n, control, send, record.is_some()))
            .transpose()?;
        let slots = update.as_ref().map(|_| self.slots()).transpose()?;
        let timing = self.population.timing;
        let timing = timing.ok_or_else(|| {
            Diagnostic::internal(format!("{} has no timing", self.population.name))
        })?;
        let counts = self.target.clock.timer_hz * u64::from(self.module.time_step_us) / 1_000_000;
        let period = u32::try_from(counts).map_err(|_| {
            Diagnostic::internal(format!("a tick of {counts} timer counts exceeds 32 bits"))
        })?;
        let source = neuron.is_none().then(|| -> Result<Source, Diagnostic> {
            let first = record.map(|_| self.key()).transpose()?;
            Ok(Source {
                control,
                send,
                record: first,
            })
        });
        Ok(Program {
            reset: Reset {
                ring: receive.as_ref().map(|r| r.ring),
            },
            start: Start { period },
            tick: Tick {
                control,
                receives: receive.is_some(),
                update: slots,
                source: neuron.is_none(),
                active_from: timing.active_from,
                record: record.map(|r| Record {
                    region: (r.addr, r.end()),
                    atoms: self.vertex.slice.n,
                }),
            },
            receive,
            update,
            source: source.transpose()?,
        })
    }

    fn slots(&self) -> Result<Slots, Diagnostic> {
        let region = self.region(RegionKind::Accumulators)?;
        let count = self.module.app.slots(self.vertex.population);
        let bytes = padded(self.vertex.slice.n) * self.accumulator()?.size() as u32;
        Ok(Slots {
            address: region.addr,
            count,
            bytes,
        })
    }

    fn receive(&self, control: u32) -> Result<Option<Receive>, Diagnostic> {
        let ranges = self.key_ranges()?;
        if ranges.is_empty() {
            return Ok(None);
        }
        let ring = self.region(RegionKind::Ring)?;
        let slots = self.slots()?;
        let comms = &self.target.comms;
        Ok(Some(Receive {
            control,
            ring: (ring.addr, ring.end()),
            write_pointer: comms.base + comms.dma_write,
            read_pointer: comms.base + comms.dma_read,
            accumulators: slots.address,
            slots: slots.count,
            slot_bytes: slots.bytes,
            ranges,
        }))
    }

    fn row_kernel(&self, weight: DType) -> Result<DenseRow, Diagnostic> {
        let accumulator = self.accumulator()?;
        DenseRow::new(weight, accumulator, self.vertex.slice.n).ok_or_else(|| {
            Diagnostic::internal(format!(
                "no row kernel for {} weights and {} accumulators",
                weight.name(),
                accumulator.name()
            ))
        })
    }

    /// The keys that reach this vertex, ascending, with the rows they walk.
    fn key_ranges(&self) -> Result<Vec<KeyRange>, Diagnostic> {
        let graph = &self.module.machine_graph;
        let mut ranges = Vec::new();
        for (net_id, net) in graph.nets_into(self.id) {
            let key = self.module.keys.get(&net_id);
            let key = key.ok_or_else(|| Diagnostic::internal(format!("{net_id} has no key")))?;
            let mut blocks = Vec::new();
            for &p in &net.projections {
                let projection = &self.module.app.projections[p];
                if projection.post != self.vertex.population {
                    continue;
                }
                let rows = self.region(RegionKind::Rows {
                    projection: p,
                    source: net.source,
                })?;
                let delay = projection.delay.ok_or_else(|| {
                    Diagnostic::internal(format!("{} has no delay", projection.name))
                })?;
                let kernel = self.row_kernel(projection.weights.dtype())?;
                blocks.push(RowBlock {
                    rows: rows.addr,
                    kernel,
                    delay,
                });
            }
            let atoms = graph.vertices[net.source].slice.n;
            ranges.push(KeyRange {
                key: key.key(),
                atoms,
                blocks,
            });
        }
        ranges.sort_by_key(|r| r.key);
        Ok(ranges)
    }

    /// A constant if the parameter has no array, which the layout decided.
    fn operand(&self, param: &Param, kind: RegionKind) -> Result<Operand, Diagnostic> {
        match self.layout.find(kind) {
            Some(region) => Ok(Operand::Array(region.addr)),
            None => {
                let first = param.at(self.vertex.slice.lo as usize) as f32;
                let n = self.population.n_atoms();
                let same = (0..n).all(|i| (param.at(i) as f32).to_bits() == first.to_bits());
                same.then_some(Operand::Const(first)).ok_or_else(|| {
                    Diagnostic::internal(format!(
                        "{kind} of {} varies but has no array",
                        self.population.name
                    ))
                })
            }
        }
    }

    fn update(
        &self,
        n: &DiscreteNeuron,
        control: u32,
        send: Send,
        record: bool,
    ) -> Result<Update, Diagnostic> {
        let fire = n.fire.as_ref().ok_or_else(|| {
            Diagnostic::internal(format!("{} sends values", self.population.name))
        })?;
        Ok(Update {
            atoms: self.vertex.slice.n,
            v: self.region(RegionKind::V)?.addr,
            accumulator: self.accumulator()?,
            decay: match &n.membrane {
                Membrane::Leaky(p) => Some(self.operand(p, RegionKind::Decay)?),
                Membrane::Integrate | Membrane::Fresh => None,
            },
            offset: n
                .offset
                .entries()
                .first()
                .map(|(_, p)| self.operand(p, RegionKind::Offset))
                .transpose()?,
            threshold: self.operand(&fire.threshold, RegionKind::Threshold)?,
            reset: match &fire.reset {
                ResetRule::To(p) => ResetOp::To(self.operand(p, RegionKind::Reset)?),
                ResetRule::Subtract(p) => ResetOp::Subtract(self.operand(p, RegionKind::Reset)?),
                ResetRule::Pending(_) | ResetRule::Multi | ResetRule::Keep => ResetOp::Keep,
            },
            compare: fire.compare,
            key: self.key()?,
            send,
            record_control: record.then_some(control),
        })
    }

    /// Initial contents of every region that does not start as zeros.
    pub(crate) fn contents(&self) -> Result<BTreeMap<RegionKind, Vec<u8>>, Diagnostic> {
        let slice = self.vertex.slice;
        let addr = |kind| self.layout.find(kind).map(|r| r.addr);
        let mut all = BTreeMap::new();
        all.insert(
            RegionKind::Control,
            contents::control_block(
                addr(RegionKind::Ring),
                addr(RegionKind::Events),
                addr(RegionKind::SpikeRecord),
            ),
        );
        if let Some(n) = self.neuron()? {
            let decay = match &n.membrane {
                Membrane::Leaky(p) => Some(p),
                Membrane::Integrate | Membrane::Fresh => None,
            };
            for (kind, param) in [
                (RegionKind::Decay, decay),
                (RegionKind::Offset, n.offset.entries().first().map(|e| &e.1)),
                (RegionKind::Threshold, n.fire.as_ref().map(|f| &f.threshold)),
                (
                    RegionKind::Reset,
                    n.fire.as_ref().and_then(|f| f.reset.amount()),
                ),
            ] {
                if let (Some(_), Some(param)) = (self.layout.find(kind), param) {
                    all.insert(kind, contents::parameter(param, slice));
                }
            }
        }
        for region in &self.layout.regions {
            if let RegionKind::Rows { projection, source } = region.kind {
                let p = &self.module.app.projections[projection];
                let from: AtomSlice = self.module.machine_graph.vertices[source].slice;
                let n_pre = self.module.app.populations[p.pre].n_atoms();
                let kernel = self.row_kernel(p.weights.dtype())?;
                all.insert(region.kind, contents::rows(p, kernel, from, slice, n_pre)?);
            }
        }
        Ok(all)
    }
}
