//! The fields of each neuron form.

use super::Printer;
use crate::neuron::{
    Constant, ContinuousNeuron, DiscreteNeuron, Fire, Membrane, Neuron, Param, ResetRule, State,
    Synapse,
};
use crate::semantics::SpikeOn;

type Fields = Vec<(&'static str, String)>;

impl Printer<'_> {
    /// The form of a neuron and its fields.
    pub(super) fn neuron(&mut self, owner: &str, neuron: &Neuron) -> (&'static str, Fields) {
        match neuron {
            Neuron::Continuous(n) => ("continuous", self.continuous(owner, n)),
            Neuron::Discrete(n) => ("discrete", self.discrete(owner, n)),
        }
    }

    fn param(&mut self, fields: &mut Fields, owner: &str, key: &'static str, p: &Param) {
        let value = self.tensor(p.tensor(), owner, key);
        fields.push((key, value));
    }

    fn optional(&mut self, fields: &mut Fields, owner: &str, key: &'static str, p: Option<&Param>) {
        if let Some(p) = p {
            self.param(fields, owner, key, p);
        }
    }

    /// `0.5 from 3 0.25`: the value from step 0, and from step 3.
    fn constant(&mut self, fields: &mut Fields, owner: &str, key: &'static str, c: &Constant) {
        let mut value = String::new();
        for (step, param) in c.entries() {
            if *step > 0 {
                value += &format!(" from {step} ");
            }
            value += &self.tensor(param.tensor(), owner, key);
        }
        if !c.is_zero() {
            fields.push((key, value));
        }
    }

    fn continuous(&mut self, owner: &str, n: &ContinuousNeuron) -> Fields {
        let mut fields = Vec::new();
        for (key, param) in [
            ("tau", &n.tau),
            ("tau_syn", &n.tau_syn),
            ("w_in", &n.w_in),
            ("r", &n.r),
            ("v_leak", &n.v_leak),
            ("v_threshold", &n.v_threshold),
            ("v_reset", &n.v_reset),
        ] {
            self.optional(&mut fields, owner, key, param.as_ref());
        }
        self.constant(&mut fields, owner, "bias", &n.bias);
        if n.hold {
            fields.push(("hold", "on".to_owned()));
        }
        fields
    }

    fn discrete(&mut self, owner: &str, n: &DiscreteNeuron) -> Fields {
        let mut fields = Vec::new();
        if let Some(synapse) = &n.synapse {
            self.synapse(&mut fields, owner, synapse);
        }
        match &n.membrane {
            Membrane::Leaky(decay) => self.param(&mut fields, owner, "decay", decay),
            // The form without a field: nothing is multiplied.
            Membrane::Integrate => {}
            Membrane::Fresh => fields.push(("membrane", "fresh".to_owned())),
        }
        self.param(&mut fields, owner, "gain", &n.gain);
        self.constant(&mut fields, owner, "offset", &n.offset);
        if let Some(fire) = &n.fire {
            self.fire(&mut fields, owner, fire);
        }
        self.optional(&mut fields, owner, "unit", n.unit.as_ref());
        if let State::Fixed { shift } = n.state {
            fields.push(("state", format!("fixed {shift}")));
        }
        fields
    }

    fn synapse(&mut self, fields: &mut Fields, owner: &str, s: &Synapse) {
        self.param(fields, owner, "syn_decay", &s.decay);
        if s.after {
            fields.push(("syn_order", "after".to_owned()));
        }
        self.constant(fields, owner, "syn_offset", &s.offset);
        self.param(fields, owner, "drive", &s.drive);
        self.optional(fields, owner, "syn_unit", s.unit.as_ref());
    }

    fn fire(&mut self, fields: &mut Fields, owner: &str, fire: &Fire) {
        self.param(fields, owner, "threshold", &fire.threshold);
        let word = match &fire.reset {
            ResetRule::To(_) => "to",
            ResetRule::Subtract(_) => "subtract",
            ResetRule::Pending(_) => "pending",
            ResetRule::Multi => "multi",
            ResetRule::Keep => "keep",
        };
        let reset = match fire.reset.amount() {
            Some(p) => format!("{word} {}", self.tensor(p.tensor(), owner, "reset")),
            None => word.to_owned(),
        };
        fields.push(("reset", reset));
        fields.push(("compare", fire.compare.name().to_owned()));
        if fire.judge != SpikeOn::New {
            fields.push(("judge", fire.judge.name().to_owned()));
        }
        if fire.hold {
            fields.push(("hold", "on".to_owned()));
        }
        self.optional(fields, owner, "floor", fire.floor.as_ref());
    }
}
