//! What the memory of a vertex starts with.

use super::Site;
use crate::contents;
use ir::diag::Diagnostic;
use ir::memory::RegionKind;
use ir::neuron::{DiscreteNeuron, Membrane, Param};
use std::collections::BTreeMap;

/// The parameter that a region holds, if it holds one.
fn parameter(n: &DiscreteNeuron, kind: RegionKind) -> Option<&Param> {
    let synapse = n.synapse.as_ref();
    let fire = n.fire.as_ref();
    match kind {
        RegionKind::Decay => match &n.membrane {
            Membrane::Leaky(p) => Some(p),
            Membrane::Integrate | Membrane::Fresh => None,
        },
        RegionKind::Offset => n.offset.entries().first().map(|e| &e.1),
        RegionKind::SynOffset => synapse.and_then(|s| s.offset.entries().first().map(|e| &e.1)),
        RegionKind::LateOffset {
            synapse: of_synapse,
            entry,
        } => {
            let constant = match of_synapse {
                true => synapse.map(|s| &s.offset),
                false => Some(&n.offset),
            };
            constant.and_then(|c| c.entries().get(entry as usize).map(|e| &e.1))
        }
        RegionKind::Threshold => fire.map(|f| &f.threshold),
        RegionKind::Reset => fire.and_then(|f| f.reset.amount()),
        RegionKind::Floor => fire.and_then(|f| f.floor.as_ref()),
        RegionKind::SynDecay => synapse.map(|s| &s.decay),
        RegionKind::Unit => n.unit.as_ref(),
        RegionKind::Text
        | RegionKind::Control
        | RegionKind::V
        | RegionKind::I
        | RegionKind::Pending
        | RegionKind::Accumulators
        | RegionKind::Touched
        | RegionKind::Currents
        | RegionKind::Values { .. }
        | RegionKind::Lists
        | RegionKind::Ring
        | RegionKind::Rows { .. }
        | RegionKind::Kernel { .. }
        | RegionKind::Matrix { .. }
        | RegionKind::Counts { .. }
        | RegionKind::Product
        | RegionKind::Events
        | RegionKind::SpikeRecord
        | RegionKind::Stack => None,
    }
}

impl Site<'_> {
    /// Initial contents of every region that does not start as zeros.
    pub(crate) fn contents(&self) -> Result<BTreeMap<RegionKind, Vec<u8>>, Diagnostic> {
        let addr = |kind| self.layout.find(kind).map(|r| r.addr);
        let neuron = self.neuron()?;
        let encoding = neuron.map(|n| self.encoding(n)).transpose()?;
        let mut all = BTreeMap::new();
        all.insert(
            RegionKind::Control,
            contents::control_block(
                addr(RegionKind::Ring),
                addr(RegionKind::Events),
                addr(RegionKind::SpikeRecord),
            ),
        );
        for region in &self.layout.regions {
            let bytes =
                match region.kind {
                    RegionKind::Rows { projection, source } => {
                        Some(self.row_contents(projection, source)?)
                    }
                    RegionKind::Matrix { projection } => Some(self.matrix_contents(projection)?),
                    RegionKind::Kernel { projection } => Some(self.kernel_contents(projection)?),
                    kind => neuron.and_then(|n| parameter(n, kind)).zip(encoding).map(
                        |(p, encoding)| {
                            let word = |value| encoding.word(kind, value);
                            contents::parameter(p, word, self.population, self.vertex.slice)
                        },
                    ),
                };
            if let Some(bytes) = bytes {
                all.insert(region.kind, bytes);
            }
        }
        Ok(all)
    }
}
