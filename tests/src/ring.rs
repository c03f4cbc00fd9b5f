//! Populations on every PE of a machine, joined to a ring whose projections lead
//! from chip to chip: what tests and figures of large machines run.

use ir::app::{AppGraph, AtomOrder, Connector, Model, OutputPort, Population, Projection, Sends};
use ir::id::{Id, PopId};
use ir::machine::Machine;
use ir::module::Module;
use ir::network::Network;
use ir::neuron::{Constant, DiscreteNeuron, Fire, Membrane, Neuron, NeuronKind, Param, ResetRule};
use ir::semantics::{Compare, EdgeDelay, SpikeOn};
use ir::tensor::{Data, Shape, Tensor};
use ir::{Fact, FactSet, GlobalPe, Origin, Target};

/// A ring of populations of LIF neurons.
#[derive(Clone, Debug)]
pub struct Ring {
    pub populations: usize,
    /// Neurons of each.
    pub atoms: usize,
    /// Population `i` sends to population `i + step`.
    pub step: usize,
    /// Ticks between two spikes of a neuron without input, about.
    pub interval: f64,
}

/// What a neuron keeps of its membrane from tick to tick.
const DECAY: f64 = 0.99;

/// Evenly spread over 0 to 1, the same for each `i`.
fn spread(i: usize) -> f64 {
    (i as f64 * 0.618_033_988_749_895).fract()
}

impl Ring {
    /// Neurons that start anywhere in their interval and spike on their own; the
    /// weights shift that a little.
    fn neurons(&self, population: usize) -> DiscreteNeuron {
        // v reaches the threshold of 1 after `interval` ticks of this offset.
        let drive = (1.0 - DECAY) / (1.0 - DECAY.powf(self.interval));
        let start = (0..self.atoms).map(|a| 0.98 * spread(population * self.atoms + a));
        let offset = Constant::new(vec![
            (0, Param::per_atom(start.collect())),
            (1, Param::uniform(drive)),
        ]);
        DiscreteNeuron {
            kind: NeuronKind::Lif,
            synapse: None,
            membrane: Membrane::Leaky(Param::uniform(DECAY)),
            gain: Param::uniform(1.0),
            offset: offset.expect("steps ascend from 0"),
            fire: Some(Fire {
                threshold: Param::uniform(1.0),
                compare: Compare::Gt,
                judge: SpikeOn::New,
                reset: ResetRule::To(Param::uniform(0.0)),
                hold: false,
                floor: None,
            }),
            unit: None,
            state: Default::default(),
        }
    }

    fn app(&self) -> AppGraph {
        let mut app = AppGraph::default();
        for i in 0..self.populations {
            app.populations.push(Population {
                name: format!("p{i}"),
                shape: Shape::of(&[self.atoms]),
                model: Model::Neuron(Neuron::Discrete(self.neurons(i))),
                sends: Sends::Spikes,
                order: AtomOrder::RowMajor,
                timing: None,
                accumulator: None,
                record: vec![],
                origin: Origin::Compiler,
            });
        }
        for i in 0..self.populations {
            let n = self.atoms * self.atoms;
            let weights = (0..n).map(|k| 0.02 * spread(i * n + k) - 0.005).collect();
            let shape = Shape::of(&[self.atoms, self.atoms]);
            app.projections.push(Projection {
                name: format!("p{i}>"),
                pre: PopId::from_index(i),
                post: PopId::from_index((i + self.step) % self.populations),
                connector: Connector::Dense,
                weights: Tensor::new(shape, Data::F64(weights)).expect("sizes agree"),
                delay: None,
                lag: 1,
                origin: Origin::Compiler,
            });
        }
        app.outputs.push(OutputPort {
            name: "out".to_owned(),
            source: PopId::from_index(0),
            origin: Origin::Compiler,
        });
        app
    }

    /// The ring as a module for this machine, before any mapping.
    pub fn module(&self, machine: Machine) -> Module {
        let mut module = Module::from_network(Network::default(), "spinnaker2");
        module.name = "ring".to_owned();
        module.machine = machine;
        // Each projection costs one tick by meaning, so that a ring needs no phases.
        module.semantics.edge_delay = EdgeDelay::Chip;
        module.app = self.app();
        module.facts = FactSet::of(&[Fact::Shaped, Fact::Canonical, Fact::Discrete]);
        module
    }
}

/// A machine of which only the first `n` application PEs of each chip live.
pub fn sparse(mut machine: Machine, target: &Target, n: usize) -> Machine {
    let pes = target.application_pes();
    for chip in machine.chips() {
        let dead = pes.iter().skip(n).map(|&pe| GlobalPe { chip, pe });
        machine.dead_pes.extend(dead);
    }
    machine
}
