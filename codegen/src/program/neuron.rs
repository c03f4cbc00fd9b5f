//! The update of a slice: its parameters as constants or arrays.

mod fixed;

use super::Site;
use crate::contents::atoms;
use crate::frame::LateOffset;
use crate::kernels::{
    FireOps, MembraneOp, Neurons, Operand, Output, ResetOp, Send, SynapseOps, Update,
};
use ir::app::Sends;
use ir::diag::Diagnostic;
use ir::fixed_point::Encoding;
use ir::memory::RegionKind;
use ir::neuron::{Constant, DiscreteNeuron, Fire, Membrane, Param, ResetRule, State, Synapse};
use ir::semantics::Compare;

/// What a constant of a kernel is made from: a word.
trait FromWord {
    fn from_word(word: u32) -> Self;
}

impl FromWord for f32 {
    fn from_word(word: u32) -> Self {
        f32::from_bits(word)
    }
}

impl FromWord for i32 {
    fn from_word(word: u32) -> Self {
        word.cast_signed()
    }
}

impl Site<'_> {
    /// How the parameters become words.
    pub(super) fn encoding(&self, n: &DiscreteNeuron) -> Result<Encoding, Diagnostic> {
        let encoding = Encoding::of(n);
        encoding.ok_or_else(|| self.lacks("has a decay beyond fixed point"))
    }

    /// A constant if the parameter has no array, which the layout decided.
    fn operand<C: FromWord>(
        &self,
        param: &Param,
        kind: RegionKind,
    ) -> Result<Operand<C>, Diagnostic> {
        if let Some(region) = self.layout.find(kind) {
            return Ok(Operand::Array(region.addr));
        }
        let neuron = self.neuron()?.ok_or_else(|| self.lacks("has no neuron"))?;
        let encoding = self.encoding(neuron)?;
        let all = atoms(self.population, self.vertex.slice);
        let mut words = all.map(|i| encoding.word(kind, param.at(i)));
        let first = words.next().unwrap_or_default();
        words
            .all(|word| word == first)
            .then(|| Operand::Const(C::from_word(first)))
            .ok_or_else(|| self.lacks(format!("has a {kind} that varies but no array of it")))
    }

    fn optional<C: FromWord>(
        &self,
        param: Option<&Param>,
        kind: RegionKind,
    ) -> Result<Option<Operand<C>>, Diagnostic> {
        param.map(|p| self.operand(p, kind)).transpose()
    }

    /// A constant that changes is an array that the tick overwrites.
    fn offset<C: FromWord>(
        &self,
        c: &Constant,
        kind: RegionKind,
    ) -> Result<Option<Operand<C>>, Diagnostic> {
        match c.entries() {
            [] => Ok(None),
            [(_, always)] => Ok(Some(self.operand(always, kind)?)),
            _ => Ok(Some(Operand::Array(self.region(kind)?.addr))),
        }
    }

    /// When and from where offsets change; `tick_of` gives the tick of a step.
    pub(super) fn late_offsets(
        &self,
        n: &DiscreteNeuron,
        tick_of: impl Fn(u32) -> u32,
    ) -> Result<Vec<LateOffset>, Diagnostic> {
        let synapse = n.synapse.as_ref().map(|s| &s.offset);
        let mut all = Vec::new();
        for (constant, synapse, to) in [
            (Some(&n.offset), false, RegionKind::Offset),
            (synapse, true, RegionKind::SynOffset),
        ] {
            let entries = constant.map_or(&[][..], Constant::entries);
            for (entry, (step, _)) in (0u32..).zip(entries).skip(1) {
                let from = RegionKind::LateOffset { synapse, entry };
                all.push(LateOffset {
                    tick: tick_of(*step),
                    from: self.region(from)?.addr,
                    to: self.region(to)?.addr,
                    atoms: self.vertex.slice.n,
                });
            }
        }
        Ok(all)
    }

    pub(super) fn neurons(
        &self,
        n: &DiscreteNeuron,
        control: u32,
        send: Send,
        record: bool,
    ) -> Result<Neurons, Diagnostic> {
        match n.state {
            State::F32 => self.update(n, control, send, record).map(Neurons::F32),
            State::Fixed { .. } => {
                let record_control = record.then_some(control);
                let update = self.fixed_update(n, send, record_control);
                update.map(Neurons::Fixed)
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
        let values = self.module.app.has_value_input(self.vertex.population);
        let currents = values
            .then(|| self.region(RegionKind::Currents))
            .transpose()?;
        let synapse = n.synapse.as_ref().map(|s| self.synapse(s)).transpose()?;
        let output = self.output(n)?;
        let v = match (self.layout.find(RegionKind::V), &n.membrane) {
            (Some(region), _) => Some(region.addr),
            (None, Membrane::Fresh) => None,
            (None, Membrane::Leaky(_) | Membrane::Integrate) => {
                return Err(self.lacks("has no region v"));
            }
        };
        Ok(Update {
            atoms: self.vertex.slice.n,
            v,
            sums: self.sums()?,
            currents: currents.map(|r| r.addr),
            synapse,
            membrane: match &n.membrane {
                Membrane::Leaky(p) => MembraneOp::Leaky(self.operand(p, RegionKind::Decay)?),
                Membrane::Integrate => MembraneOp::Integrate,
                Membrane::Fresh => MembraneOp::Fresh,
            },
            offset: self.offset(&n.offset, RegionKind::Offset)?,
            output,
            key: self.key()?,
            send,
            record_control: record.then_some(control),
            rests: currents.is_none() && self.sums()?.is_some() && self.rests(n),
            touched: self.touched(n),
        })
    }

    fn synapse<C: FromWord>(&self, s: &Synapse) -> Result<SynapseOps<C>, Diagnostic> {
        Ok(SynapseOps {
            i: self.region(RegionKind::I)?.addr,
            decay: self.operand(&s.decay, RegionKind::SynDecay)?,
            after: s.after,
            offset: self.offset(&s.offset, RegionKind::SynOffset)?,
        })
    }

    fn output<C: FromWord>(&self, n: &DiscreteNeuron) -> Result<Output<C>, Diagnostic> {
        let output = match &n.fire {
            Some(fire) => Output::Spikes(self.fire(n, fire)?),
            None => {
                let unit = n.unit.as_ref().ok_or_else(|| self.lacks("has no unit"))?;
                Output::Values(self.operand(unit, RegionKind::Unit)?)
            }
        };
        let carries = match &output {
            Output::Spikes(fire) => fire.counts == self.population.sends.has_payload(),
            Output::Values(_) => self.population.sends == Sends::Values,
        };
        if carries {
            Ok(output)
        } else {
            Err(self.lacks("does not send what its packets carry"))
        }
    }

    /// Address of the marks of touched sums, if they are made and looked at.
    pub(super) fn touched(&self, n: &DiscreteNeuron) -> Option<u32> {
        let region = self.layout.find(RegionKind::Touched)?;
        self.rests(n).then_some(region.addr)
    }

    /// Whether a step without input leaves every atom as it is: nothing leaks or
    /// is added, and neither the first membrane (zero) nor the one after a reset
    /// fires. A negative zero would become a positive one.
    fn rests(&self, n: &DiscreteNeuron) -> bool {
        let Some(fire) = &n.fire else { return false };
        let ResetRule::To(reset) = &fire.reset else {
            return false;
        };
        let fires = |v: f32, threshold: f32| match fire.compare {
            Compare::Gt => v > threshold,
            Compare::Ge => v >= threshold,
        };
        n.only_integrates()
            && atoms(self.population, self.vertex.slice).all(|i| {
                let (reset, threshold) = (reset.at(i) as f32, fire.threshold.at(i) as f32);
                let negative_zero = reset == 0.0 && reset.is_sign_negative();
                !fires(0.0, threshold) && !fires(reset, threshold) && !negative_zero
            })
    }

    fn fire<C: FromWord>(&self, n: &DiscreteNeuron, fire: &Fire) -> Result<FireOps<C>, Diagnostic> {
        let amount = |p: &Param| self.operand(p, RegionKind::Reset);
        let pending = n
            .remembers_spikes()
            .then(|| self.region(RegionKind::Pending))
            .transpose()?;
        Ok(FireOps {
            threshold: self.operand(&fire.threshold, RegionKind::Threshold)?,
            compare: fire.compare,
            judge: fire.judge,
            reset: match &fire.reset {
                ResetRule::To(p) => ResetOp::To(amount(p)?),
                ResetRule::Subtract(p) => ResetOp::Subtract(amount(p)?),
                ResetRule::Pending(p) => ResetOp::Pending(amount(p)?),
                ResetRule::Multi => ResetOp::Multi,
                ResetRule::Keep => ResetOp::Keep,
            },
            hold: fire.hold,
            floor: self.optional(fire.floor.as_ref(), RegionKind::Floor)?,
            pending: pending.map(|r| r.addr),
            counts: matches!(self.population.sends, Sends::Counts { .. }),
        })
    }
}
