//! QUANTISED: integers that fit, units that exist.

use super::app::params;
use super::findings::{Findings, population, projection};
use crate::app::Model;
use crate::fixed::{accumulator_bounds, accumulator_limit};
use crate::id::PopId;
use crate::module::Module;
use crate::neuron::{DiscreteNeuron, Neuron};
use crate::tensor::DType;

pub(super) fn check(m: &Module, found: &mut Findings) {
    let mut integers = true;
    for p in m.app.projections.values() {
        if matches!(p.weights.dtype(), DType::F64 | DType::F32) {
            integers = false;
            let message = format!("{} has weights that are not integers", projection(p));
            found.add_with(
                &p.origin,
                message,
                format!("type {}", p.weights.dtype().name()),
            );
        }
    }
    for (id, p) in m.app.populations.iter() {
        let Model::Neuron(Neuron::Discrete(neuron)) = &p.model else {
            continue;
        };
        for (what, note) in faults(neuron) {
            found.add_with(&p.origin, format!("{} {what}", population(p)), note);
        }
        for (key, param) in params(p) {
            let values = param.tensor();
            // The unit never reaches the chip.
            let wide = |i: &usize| !(values.at(*i) as f32).is_finite();
            if key != "unit"
                && let Some(atom) = (0..values.len()).find(wide)
            {
                let message = format!("{} has a parameter beyond float32", population(p));
                let note = format!("{key} of atom {atom} is {:?}", values.at(atom));
                found.add_with(&p.origin, message, note);
            }
        }
        if integers {
            check_accumulator(m, id, found);
        }
    }
}

fn faults(neuron: &DiscreteNeuron) -> Vec<(&'static str, String)> {
    let mut faults = Vec::new();
    match &neuron.unit {
        None => faults.push((
            "has no unit",
            "the scale of its membrane is unknown".to_owned(),
        )),
        Some(unit) => {
            let values = unit.tensor();
            let bad = (0..values.len()).find(|i| values.at(*i) <= 0.0);
            faults.extend(bad.map(|i| {
                let note = format!("unit of atom {i} is {:?}", values.at(i));
                ("has a unit that is not above 0", note)
            }));
        }
    }
    if neuron.gain.as_uniform() != Some(1.0) {
        let note = "the gain belongs into the weights' unit".to_owned();
        faults.push(("has a gain other than 1", note));
    }
    faults
}

fn check_accumulator(m: &Module, id: PopId, found: &mut Findings) {
    let p = &m.app.populations[id];
    let Some((dtype, limit)) = p.accumulator.and_then(|d| Some((d, accumulator_limit(d)?))) else {
        let message = format!("{} has no accumulator type", population(p));
        found.add_with(&p.origin, message, "it must be i16 or i32".to_owned());
        return;
    };
    let bounds = accumulator_bounds(&m.app, id).unwrap_or_default();
    if let Some((atom, bound)) = bounds.iter().enumerate().find(|(_, b)| **b > limit) {
        let message = format!(
            "{} can receive more than its accumulator holds",
            population(p)
        );
        let note = format!(
            "atom {atom}: max(sum of positive, sum of negative weights) = {bound}, {} holds {limit}",
            dtype.name()
        );
        found.add_with(&p.origin, message, note);
    }
}
