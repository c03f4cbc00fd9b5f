//! Tiny graphs for the unit tests of all passes.

use ir::Origin;
use ir::app::{
    AppGraph, AtomOrder, Connector, Model, OutputPort, Population, Projection, Sends, Timing,
};
use ir::id::{Id, PopId};
use ir::neuron::{
    Constant, DiscreteNeuron, Fire, Membrane, Neuron, NeuronKind, Param, ResetRule, State,
};
use ir::semantics::{Compare, SpikeOn};
use ir::tensor::{DType, Data, Shape, Tensor};

/// A leaky neuron in the file's units.
pub(crate) fn lif() -> DiscreteNeuron {
    DiscreteNeuron {
        kind: NeuronKind::Lif,
        synapse: None,
        membrane: Membrane::Leaky(Param::uniform(0.5)),
        gain: Param::uniform(1.0),
        offset: Constant::ZERO,
        fire: Some(Fire {
            threshold: Param::uniform(1.0),
            compare: Compare::Gt,
            judge: SpikeOn::New,
            reset: ResetRule::To(Param::uniform(0.0)),
            hold: false,
            floor: None,
        }),
        unit: None,
        state: State::F32,
    }
}

/// Populations by name, one atom each (names that start with `in` are
/// sources), and projections `a>b` (same step) or `a~b` (previous step) of
/// weight 1. The last population is an output.
pub(crate) fn app(populations: &[&str], projections: &[&str]) -> AppGraph {
    let sized: Vec<_> = populations.iter().map(|name| (*name, 1)).collect();
    sized_app(&sized, projections)
}

/// The same with sizes; all weights are 1.
pub(crate) fn sized_app(populations: &[(&str, usize)], projections: &[&str]) -> AppGraph {
    let mut app = AppGraph::default();
    for &(name, n) in populations {
        let source = name.starts_with("in");
        app.populations.push(Population {
            name: name.to_owned(),
            shape: Shape::of(&[n]),
            model: if source {
                Model::SpikeSource
            } else {
                Model::Neuron(Neuron::Discrete(lif()))
            },
            sends: Sends::Spikes,
            order: AtomOrder::RowMajor,
            timing: None,
            accumulator: None,
            record: vec![],
            origin: Origin::Compiler,
        });
    }
    for text in projections {
        let (pre, post) = text.split_once(['>', '~']).expect("a>b or a~b");
        let find = |name| app.population_named(name).expect("a population");
        let (pre, post) = (find(pre), find(post));
        let (rows, cols) = (
            app.populations[post].n_atoms(),
            app.populations[pre].n_atoms(),
        );
        app.projections.push(Projection {
            name: (*text).to_owned(),
            pre,
            post,
            connector: Connector::Dense,
            weights: Tensor::new(Shape::of(&[rows, cols]), Data::F64(vec![1.0; rows * cols]))
                .expect("sizes agree"),
            delay: None,
            lag: u32::from(text.contains('~')),
            origin: Origin::Compiler,
        });
    }
    if let Some(last) = populations.len().checked_sub(1) {
        app.outputs.push(OutputPort {
            name: "out".to_owned(),
            source: PopId::from_index(last),
            origin: Origin::Compiler,
        });
    }
    app
}

/// The same graph after `quantise` with int8 weights of 1 and delays of 1.
pub(crate) fn quantised(populations: &[(&str, usize)], projections: &[&str]) -> AppGraph {
    let mut app = sized_app(populations, projections);
    for p in app.populations.values_mut() {
        p.timing = Some(Timing {
            latency: 0,
            active_from: 0,
        });
        if let Model::Neuron(Neuron::Discrete(n)) = &mut p.model {
            n.unit = Some(Param::uniform(1.0));
            p.accumulator = Some(DType::I16);
        }
    }
    for p in app.projections.values_mut() {
        p.delay = Some(1);
        let ones = Data::I8(vec![1; p.weights.len()]);
        p.weights = Tensor::new(p.weights.shape().clone(), ones).expect("same size");
    }
    app
}
