//! The application graph: names, sizes of parameters; CANONICAL and DISCRETE.

use super::findings::{Findings, population, projection};
use super::models::params;
use super::{connectors, models};
use crate::app::{AtomOrder, Model};
use crate::fixed::MAX_DELAY;
use crate::module::Module;
use crate::neuron::Neuron;
use crate::origin::{Origin, escape};
use std::collections::BTreeSet;

pub(super) fn check(m: &Module, found: &mut Findings) {
    if m.app.ticks_per_step == 0 {
        found.add(&Origin::Compiler, "a step has no tick".to_owned());
    }
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
        if let AtomOrder::Blocked { channels } = p.order
            && !p.order.fits(&p.shape)
        {
            let message = format!("{} has an order that is none of its atoms", population(p));
            let note = format!("blocks of {channels} channels, shape {}", p.shape);
            found.add_with(&p.origin, message, note);
        }
    }
    for p in m.app.projections.values() {
        if matches!(m.app.populations[p.post].model, Model::SpikeSource) {
            let message = format!("{} ends at a spike source", projection(p));
            found.add(&p.origin, message);
        }
        // Rows of accumulators and values are counted by delays, so that no
        // other may come further.
        if let Some(d) = p.delay.filter(|d| !(1..=MAX_DELAY).contains(d)) {
            let message = format!("{} has no delay that a chip can keep", projection(p));
            let note = format!("delay {d}, allowed 1 to {MAX_DELAY} ticks");
            found.add_with(&p.origin, message, note);
        }
    }
    connectors::check(m, found);
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
    models::check_canonical(m, found);
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
