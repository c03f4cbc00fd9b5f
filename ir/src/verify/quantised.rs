//! QUANTISED: integers that fit, units that exist.

use super::findings::{Findings, population, projection};
use super::models::params;
use super::state;
use crate::app::Model;
use crate::fixed::{accumulator_bounds, accumulator_limit};
use crate::id::PopId;
use crate::module::Module;
use crate::neuron::{DiscreteNeuron, Neuron, Param};
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
        let sends_unit = neuron.fire.is_none();
        for (key, param) in params(p) {
            let values = param.tensor();
            let wide = |i: &usize| !(values.at(*i) as f32).is_finite();
            // Other units never reach the chip.
            let on_chip = key != "syn_unit" && (key != "unit" || sends_unit);
            if on_chip && let Some(atom) = (0..values.len()).find(wide) {
                let message = format!("{} has a parameter beyond float32", population(p));
                let note = format!("{key} of atom {atom} is {:?}", values.at(atom));
                found.add_with(&p.origin, message, note);
            }
        }
        if integers {
            check_accumulator(m, id, found);
            state::check(m, id, found);
        }
    }
}

fn faults(neuron: &DiscreteNeuron) -> Vec<(&'static str, String)> {
    // What is sent is `unit * v`, so that a unit below float32 sends nothing.
    let sends_unit = neuron.fire.is_none();
    let above_0 = |v: f64| v > 0.0 && (!sends_unit || v as f32 > 0.0);
    let mut faults = Vec::new();
    unit_fault(&mut faults, "unit", neuron.unit.as_ref(), above_0);
    if neuron.gain.as_uniform() != Some(1.0) {
        let note = "the gain belongs into the weights' unit".to_owned();
        faults.push(("has a gain other than 1", note));
    }
    if let Some(synapse) = &neuron.synapse {
        // A negative drive turns the current, not the membrane.
        unit_fault(&mut faults, "syn_unit", synapse.unit.as_ref(), |v| v != 0.0);
        if synapse.drive.as_uniform() != Some(1.0) {
            let note = "the drive belongs into the membrane's unit".to_owned();
            faults.push(("has a drive other than 1", note));
        }
    }
    faults
}

fn unit_fault(
    faults: &mut Vec<(&'static str, String)>,
    key: &str,
    unit: Option<&Param>,
    above_0: impl Fn(f64) -> bool,
) {
    let Some(unit) = unit else {
        let scale = match key {
            "unit" => "the scale of its membrane is unknown",
            _ => "the scale of its current is unknown",
        };
        faults.push(("has no unit", scale.to_owned()));
        return;
    };
    let values = unit.tensor();
    let bad = (0..values.len()).find(|i| !above_0(values.at(*i)));
    faults.extend(bad.map(|i| {
        let note = format!("{key} of atom {i} is {:?}", values.at(i));
        ("has a unit that is not above 0", note)
    }));
}

/// Values are summed in float and need no accumulator.
fn check_accumulator(m: &Module, id: PopId, found: &mut Findings) {
    let p = &m.app.populations[id];
    let Some(dtype) = p.accumulator else {
        if m.app.has_integer_input(id) {
            let message = format!("{} has no accumulator type", population(p));
            found.add_with(&p.origin, message, "it must be i16 or i32".to_owned());
        }
        return;
    };
    let Some(limit) = accumulator_limit(dtype) else {
        let message = format!("{} has no accumulator type", population(p));
        let note = format!("it must be i16 or i32, not {}", dtype.name());
        found.add_with(&p.origin, message, note);
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
