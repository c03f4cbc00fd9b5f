//! Which parameters of a neuron need an array in local memory.

use ir::fixed_point::Encoding;
use ir::memory::RegionKind;
use ir::neuron::{Constant, DiscreteNeuron, Membrane, Param};

/// The parameters that need an array: those that differ between atoms once
/// rounded, and constants that change, which the tick code writes over.
pub fn parameter_arrays(neuron: &DiscreteNeuron) -> Vec<RegionKind> {
    // A decay that no word can hold is refused before anything is laid out.
    let encoding = Encoding::of(neuron).unwrap_or(Encoding::F32);
    let differs = |kind: RegionKind, p: &Param| {
        let word = |i| encoding.word(kind, p.tensor().at(i));
        (1..p.tensor().len()).any(|i| word(i) != word(0))
    };
    let decay = match &neuron.membrane {
        Membrane::Leaky(p) => Some(p),
        Membrane::Integrate | Membrane::Fresh => None,
    };
    let fire = neuron.fire.as_ref();
    let synapse = neuron.synapse.as_ref();
    let offset = |p: &Param| differs(RegionKind::Offset, p);
    let first = |c: &Constant| c.entries().first().is_some_and(|e| offset(&e.1));
    let changes = |c: &Constant| c.entries().len() > 1;
    let array = |c: &Constant| first(c) || changes(c);
    let wanted = [
        (
            RegionKind::Decay,
            decay.is_some_and(|p| differs(RegionKind::Decay, p)),
        ),
        (RegionKind::Offset, array(&neuron.offset)),
        (
            RegionKind::SynDecay,
            synapse.is_some_and(|s| differs(RegionKind::SynDecay, &s.decay)),
        ),
        (
            RegionKind::SynOffset,
            synapse.is_some_and(|s| array(&s.offset)),
        ),
        (
            RegionKind::Threshold,
            fire.is_some_and(|f| differs(RegionKind::Threshold, &f.threshold)),
        ),
        (
            RegionKind::Reset,
            fire.and_then(|f| f.reset.amount())
                .is_some_and(|p| differs(RegionKind::Reset, p)),
        ),
        (
            RegionKind::Floor,
            fire.and_then(|f| f.floor.as_ref())
                .is_some_and(|p| differs(RegionKind::Floor, p)),
        ),
        // Only what sends values multiplies by its unit.
        (
            RegionKind::Unit,
            fire.is_none()
                && neuron
                    .unit
                    .as_ref()
                    .is_some_and(|p| differs(RegionKind::Unit, p)),
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
