//! Which parameters of a neuron need an array in local memory.

use ir::memory::RegionKind;
use ir::neuron::{Constant, DiscreteNeuron, Membrane, Param};

/// The parameters that need an array: those that differ between atoms once
/// rounded, and constants that change, which the tick code writes over.
pub fn parameter_arrays(neuron: &DiscreteNeuron) -> Vec<RegionKind> {
    let differs = |p: &Param| {
        let bits = |i| (p.tensor().at(i) as f32).to_bits();
        (1..p.tensor().len()).any(|i| bits(i) != bits(0))
    };
    let decay = match &neuron.membrane {
        Membrane::Leaky(p) => Some(p),
        Membrane::Integrate | Membrane::Fresh => None,
    };
    let fire = neuron.fire.as_ref();
    let synapse = neuron.synapse.as_ref();
    let first = |c: &Constant| c.entries().first().is_some_and(|e| differs(&e.1));
    let changes = |c: &Constant| c.entries().len() > 1;
    let array = |c: &Constant| first(c) || changes(c);
    let wanted = [
        (RegionKind::Decay, decay.is_some_and(differs)),
        (RegionKind::Offset, array(&neuron.offset)),
        (
            RegionKind::SynDecay,
            synapse.is_some_and(|s| differs(&s.decay)),
        ),
        (
            RegionKind::SynOffset,
            synapse.is_some_and(|s| array(&s.offset)),
        ),
        (
            RegionKind::Threshold,
            fire.is_some_and(|f| differs(&f.threshold)),
        ),
        (
            RegionKind::Reset,
            fire.and_then(|f| f.reset.amount()).is_some_and(differs),
        ),
        (
            RegionKind::Floor,
            fire.and_then(|f| f.floor.as_ref()).is_some_and(differs),
        ),
        // Only what sends values multiplies by its unit.
        (
            RegionKind::Unit,
            fire.is_none() && neuron.unit.as_ref().is_some_and(differs),
        ),
    ];
    let mut all: Vec<RegionKind> = wanted
        .into_iter()
        .filter(|(_, wanted)| *wanted)
        .map(|(kind, _)| kind)
        .collect();
    let constants = [
        (false, Some(&neuron.offset)),
        (true, synapse.map(|s| &s.offset)),
    ];
    for (synapse, constant) in constants {
        let entries = constant.map_or(0, |c| c.entries().len() as u32);
        all.extend((1..entries).map(|entry| RegionKind::LateOffset { synapse, entry }));
    }
    all
}
