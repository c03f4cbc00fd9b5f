//! The update of a slice with fixed-point state.

use super::Site;
use crate::contents::atoms;
use crate::kernels::{FixedUpdate, Send};
use ir::diag::Diagnostic;
use ir::fixed_point::Words;
use ir::memory::RegionKind;
use ir::neuron::{DiscreteNeuron, Membrane, ResetRule};

impl Site<'_> {
    pub(super) fn fixed_update(
        &self,
        n: &DiscreteNeuron,
        send: Send,
        record_control: Option<u32>,
    ) -> Result<FixedUpdate, Diagnostic> {
        let words = Words::of(n).ok_or_else(|| self.lacks("has a decay beyond fixed point"))?;
        let sums = self.sums()?;
        let sums = sums.filter(|_| !self.module.app.has_value_input(self.vertex.population));
        let sums = sums.ok_or_else(|| self.lacks("receives values, not integers"))?;
        let synapse = match (&n.synapse, words.current) {
            (Some(s), Some(form)) => Some((self.synapse(s)?, form)),
            _ => None,
        };
        let leak = match (&n.membrane, words.membrane) {
            (Membrane::Leaky(p), Some(form)) => Some((self.operand(p, RegionKind::Decay)?, form)),
            (Membrane::Integrate, _) => None,
            (Membrane::Leaky(_) | Membrane::Fresh, _) => {
                return Err(self.lacks("has no state that could be fixed point"));
            }
        };
        Ok(FixedUpdate {
            atoms: self.vertex.slice.n,
            v: self.region(RegionKind::V)?.addr,
            sums,
            shift: words.shift(),
            synapse,
            leak,
            offset: self.offset(&n.offset, RegionKind::Offset)?,
            output: self.output(n)?,
            key: self.key()?,
            send,
            record_control,
            rests: self.fixed_rests(n, words),
        })
    }

    /// Whether a step without input leaves every atom as it is.
    fn fixed_rests(&self, n: &DiscreteNeuron, words: Words) -> bool {
        let Some(fire) = n.fire.as_ref().filter(|_| n.only_integrates()) else {
            return false;
        };
        let ResetRule::To(reset) = &fire.reset else {
            return false;
        };
        atoms(self.population, self.vertex.slice).all(|i| {
            let threshold = words.threshold(fire.threshold.at(i));
            threshold >= 0 && words.amount(reset.at(i)) <= threshold
        })
    }
}
