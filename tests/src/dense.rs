//! One dense projection of spikes onto leaky neurons, with all but its kernels decided, and
//! its program alone on a PE.

use crate::lab::Lab;
use ir::app::{AppGraph, AtomOrder, Connector, Model, OutputPort, Population, Projection, Sends};
use ir::image::ImageSet;
use ir::neuron::{Constant, DiscreteNeuron, Fire, Membrane, Neuron, NeuronKind, Param, ResetRule};
use ir::semantics::{Compare, SpikeOn};
use ir::verify::verify;
use ir::{
    DType, Data, Fact, FactSet, Id, Module, Network, Origin, PopId, Series, Shape, Target, Tensor,
    VertexId,
};
use passes::{Activity, Kernels, MappingOptions, PassContext, Plan, Silent};
use runtime_sim::Level;
use runtime_sim::alone::Alone;

/// A dense projection.
#[derive(Clone, Copy, Debug)]
pub struct Dense {
    pub sources: usize,
    pub targets: usize,
    pub weight: DType,
    pub sums: DType,
    /// Whether the targets reach each other too.
    pub recurrent: bool,
}

/// The target population of a compiled network.
#[derive(Clone, Debug)]
pub struct Subject {
    pub module: Module,
    images: ImageSet,
}

/// The only vertex of the target population.
fn hid() -> VertexId {
    VertexId::from_index(1)
}

fn population(name: &str, n: usize, model: Model, accumulator: Option<DType>) -> Population {
    Population {
        name: name.to_owned(),
        shape: Shape::of(&[n]),
        model,
        sends: Sends::Spikes,
        order: AtomOrder::RowMajor,
        timing: None,
        accumulator,
        record: vec![],
        origin: Origin::Compiler,
    }
}

fn neuron() -> Model {
    Model::Neuron(Neuron::Discrete(DiscreteNeuron {
        kind: NeuronKind::Lif,
        synapse: None,
        membrane: Membrane::Leaky(Param::uniform(0.5)),
        gain: Param::uniform(1.0),
        offset: Constant::ZERO,
        fire: Some(Fire {
            threshold: Param::uniform(400.0),
            compare: Compare::Gt,
            judge: SpikeOn::New,
            reset: ResetRule::To(Param::uniform(0.0)),
            hold: false,
            floor: None,
        }),
        unit: Some(Param::uniform(1.0)),
        state: Default::default(),
    }))
}

impl Dense {
    fn projection(&self, lab: &mut Lab, name: &str, (pre, n_pre): (usize, usize)) -> Projection {
        let n = n_pre * self.targets;
        // No sum leaves 16 bits.
        let most = (16_000 / (self.sources + self.targets)).clamp(1, 127) as u32;
        let mut draw = || lab.below(2 * most + 1) as i32 - most as i32;
        let weights = match self.weight {
            DType::I8 => Data::I8((0..n).map(|_| draw() as i8).collect()),
            _ => Data::I16((0..n).map(|_| draw() as i16).collect()),
        };
        let shape = Shape::of(&[self.targets, n_pre]);
        Projection {
            name: name.to_owned(),
            pre: PopId::from_index(pre),
            post: PopId::from_index(1),
            connector: Connector::Dense,
            weights: Tensor::new(shape, weights).expect("sizes agree"),
            delay: None,
            lag: pre as u32,
            origin: Origin::Compiler,
        }
    }

    fn module(&self) -> Module {
        let mut lab = Lab::new((self.sources * 1000 + self.targets) as u64);
        let mut app = AppGraph::default();
        app.populations
            .push(population("in", self.sources, Model::SpikeSource, None));
        let hid = population("hid", self.targets, neuron(), Some(self.sums));
        app.populations.push(hid);
        let forward = self.projection(&mut lab, "in>hid", (0, self.sources));
        app.projections.push(forward);
        if self.recurrent {
            let back = self.projection(&mut lab, "hid>hid", (1, self.targets));
            app.projections.push(back);
        }
        app.outputs.push(OutputPort {
            name: "out".to_owned(),
            source: PopId::from_index(1),
            origin: Origin::Compiler,
        });
        let network = Network {
            name: "dense".to_owned(),
            ..Network::default()
        };
        let mut module = Module::from_network(network, "spinnaker2");
        module.app = app;
        module.facts = FactSet::of(&[
            Fact::Shaped,
            Fact::Canonical,
            Fact::Discrete,
            Fact::Quantised,
        ]);
        module
    }

    /// Compiled for these numbers of packets a step, of which each source sends its share;
    /// the targets are silent.
    pub fn compile(&self, kernels: Kernels, packets: usize, target: &Target) -> Subject {
        let mut sent = Series::zeros(self.sources, self.sources);
        for step in 0..self.sources {
            for k in 0..packets {
                sent.row_mut(step)[(step + k) % self.sources] = 1.0;
            }
        }
        let mut activity = Activity::default();
        activity.add("in", &sent);
        activity.add("hid", &Series::zeros(1, self.targets));
        let options = MappingOptions {
            kernels,
            activity,
            ..MappingOptions::default()
        };
        let context = PassContext {
            target,
            options: &options,
        };
        let mut module = self.module();
        module.time_step_us = 10_000;
        let plan = Plan::rest_of_standard(module.facts);
        passes::run(&mut module, &plan, &context, &mut Silent).expect("it maps");
        let verified = verify(module, target).map_err(|(_, d)| d).expect("proved");
        Subject {
            images: codegen::compile(&verified, target).expect("code"),
            module: verified.into_module(),
        }
    }
}

impl Subject {
    /// Whether the first projection is multiplied.
    pub fn multiplies(&self) -> bool {
        !self.module.machine_graph.vertices[hid()].array.is_empty()
    }

    /// Cycles of ticks in which these sources send, and the membranes after them.
    pub fn ticks(&self, sends: &[Vec<u32>], target: &Target) -> (Vec<u64>, Vec<u8>) {
        let place = self.module.placements[&hid()];
        let mut images = self.images.chips.iter().flat_map(|c| &c.pes);
        let image = images.find(|p| p.pe == place.pe).expect("a PE");
        let mut alone = Alone::start(image, place, target, Level::High).expect("it starts");
        let graph = &self.module.machine_graph;
        let net = graph.net_of(VertexId::from_index(0)).expect("a net");
        let key = self.module.keys[&net].key();
        // Nothing is received before a population is active.
        let mut cycles = Vec::new();
        for tick in 0..2 {
            alone.tick(&[]).unwrap_or_else(|e| panic!("{tick}: {e}"));
        }
        for sources in sends {
            let packets: Vec<_> = sources.iter().map(|s| (key + s, None)).collect();
            cycles.push(alone.tick(&packets).expect("it runs").cycles);
        }
        let layout = &self.module.layouts[&hid()];
        let v = layout.find(ir::memory::RegionKind::V).expect("membranes");
        let n = self.module.machine_graph.vertices[hid()].slice.n;
        let bytes = alone.memory().read(v.addr, 4 * n as usize);
        (cycles, bytes.expect("in SRAM").to_vec())
    }
}
