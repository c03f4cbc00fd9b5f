//! The application graph: shapes of weights and parameters; CANONICAL and
//! DISCRETE.

use super::findings::{Findings, population, projection};
use crate::app::{Model, Population};
use crate::module::Module;
use crate::neuron::{Neuron, Param, ResetRule};
use crate::origin::escape;
use std::collections::BTreeSet;

pub(super) fn check(m: &Module, found: &mut Findings) {
    let mut names = BTreeSet::new();
    for p in m.app.populations.values() {
        if !names.insert(p.name.as_str()) {
            found.add(&p.origin, format!("{} shares its name", population(p)));
        }
        let Some(n) = p.shape.checked_len().filter(|n| u32::try_from(*n).is_ok()) else {
            let message = format!("{} has more atoms than keys exist", population(p));
            found.add(&p.origin, message);
            continue;
        };
        for (key, param) in params(p) {
            let len = param.tensor().len();
            if len != 1 && len != n {
                let note = format!("{key} holds {len} values for {n} atoms");
                let message = format!("{} has a parameter of the wrong size", population(p));
                found.add_with(&p.origin, message, note);
            }
        }
    }
    for p in m.app.projections.values() {
        let (pre, post) = (&m.app.populations[p.pre], &m.app.populations[p.post]);
        if matches!(post.model, Model::SpikeSource) {
            let message = format!("{} ends at a spike source", projection(p));
            found.add(&p.origin, message);
        }
        let wanted = post.shape.checked_len().zip(pre.shape.checked_len());
        if let Some((post, pre)) = wanted
            && p.weights.shape().0 != [post, pre]
        {
            let message = format!("{} has weights of the wrong shape", projection(p));
            let note = format!("weights {}, [post pre] = [{post} {pre}]", p.weights.shape());
            found.add_with(&p.origin, message, note);
        }
    }
    let mut names = BTreeSet::new();
    for output in &m.app.outputs {
        if !names.insert(output.name.as_str()) {
            let name = escape(&output.name);
            found.add(&output.origin, format!("output '{name}' shares its name"));
        }
    }
}

pub(super) fn check_canonical(m: &Module, found: &mut Findings) {
    for node in m.network.nodes.values() {
        let (name, kind) = (escape(&node.name), node.op.kind());
        found.add(&node.origin, format!("node '{name}' ({kind}) is left"));
    }
}

pub(super) fn check_discrete(m: &Module, found: &mut Findings) {
    for p in m.app.populations.values() {
        if let Model::Neuron(Neuron::Continuous(_)) = p.model {
            found.add(&p.origin, format!("{} is not discrete", population(p)));
        }
        for (key, param) in params(p) {
            let values = param.tensor();
            if let Some(atom) = (0..values.len()).find(|i| !values.at(*i).is_finite()) {
                let message = format!("{} has a parameter that is not finite", population(p));
                let note = format!("{key} of atom {atom} is {:?}", values.at(atom));
                found.add_with(&p.origin, message, note);
            }
        }
    }
    for p in m.app.projections.values() {
        if let Some(i) = (0..p.weights.len()).find(|i| !p.weights.at(*i).is_finite()) {
            let message = format!("{} has a weight that is not finite", projection(p));
            let note = format!("element {i} is {:?}", p.weights.at(i));
            found.add_with(&p.origin, message, note);
        }
    }
}

/// Every parameter of a population by name.
pub(super) fn params(p: &Population) -> Vec<(&'static str, &Param)> {
    let Model::Neuron(neuron) = &p.model else {
        return Vec::new();
    };
    let _ = neuron;
    Vec::new()
}
