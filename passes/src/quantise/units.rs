//! The neuron's parameters in the units that its integer weights imply.

use super::scale::bad;
use ir::app::Population;
use ir::diag::Diagnostic;
use ir::neuron::{DiscreteNeuron, Fire, Membrane, Param, ResetRule, Synapse};

/// What one integer step of the input is worth in each neuron.
pub(super) struct Units {
    /// Of the membrane.
    v: Vec<f64>,
    /// Of the current; empty without a synapse. Negative where the drive is.
    i: Vec<f64>,
    /// From a float weight to its integer, with the sign of the gains; 0 where
    /// the input does not reach the membrane.
    pub(super) factors: Vec<f64>,
}

pub(super) fn units(
    population: &Population,
    neuron: &DiscreteNeuron,
    n: usize,
    scale: impl Fn(usize) -> f64,
) -> Result<Units, Diagnostic> {
    let mut all = Units {
        v: Vec::with_capacity(n),
        i: Vec::new(),
        factors: Vec::with_capacity(n),
    };
    let magnitude = |x: f64| if x == 0.0 { 1.0 } else { x.abs() };
    for j in 0..n {
        let gain = neuron.gain.at(j);
        let drive = neuron.synapse.as_ref().map_or(1.0, |s| s.drive.at(j));
        let reaches = gain != 0.0 && drive != 0.0;
        let current = if reaches {
            magnitude(gain) / scale(j)
        } else {
            1.0
        };
        let v = current * magnitude(drive);
        if !(v.is_finite() && v > 0.0 && current.is_finite() && current > 0.0) {
            return Err(bad(
                population,
                "its gain and weights are too far apart to scale",
            )
            .note(format!(
                "atom {j}: gain {gain} / scale {} = {current}",
                scale(j)
            )));
        }
        all.v.push(v);
        if neuron.synapse.is_some() {
            all.i.push(if drive < 0.0 { -current } else { current });
        }
        let sign = (gain * drive.signum()).signum();
        all.factors
            .push(if reaches { scale(j) * sign } else { 0.0 });
    }
    Ok(all)
}

/// Counts the state in units.
pub(super) fn scaled(
    population: &Population,
    neuron: &DiscreteNeuron,
    n: usize,
    units: &Units,
) -> Result<DiscreteNeuron, Diagnostic> {
    let divided = |p: &Param, by: &[f64]| {
        Param::per_atom(by.iter().enumerate().map(|(j, u)| p.at(j) / u).collect())
    };
    let per_unit = |p: &Param| divided(p, &units.v);
    let synapse = neuron.synapse.as_ref().map(|s| {
        // A current that nothing carries to the membrane stays 0.
        let of_current = |p: &Param| {
            let values = units.i.iter().enumerate();
            let per_unit = |(j, u): (usize, &f64)| {
                if s.drive.at(j) == 0.0 {
                    0.0
                } else {
                    p.at(j) / u
                }
            };
            Param::per_atom(values.map(per_unit).collect())
        };
        Synapse {
            decay: s.decay.clone(),
            after: s.after,
            offset: s.offset.map(of_current),
            drive: Param::uniform(1.0),
            unit: Some(Param::per_atom(units.i.clone())),
        }
    });
    let scaled = DiscreteNeuron {
        kind: neuron.kind,
        synapse,
        membrane: neuron.membrane.clone(),
        gain: Param::uniform(1.0),
        offset: neuron.offset.map(per_unit),
        fire: neuron.fire.as_ref().map(|f| Fire {
            threshold: per_unit(&f.threshold),
            reset: match &f.reset {
                ResetRule::To(p) => ResetRule::To(per_unit(p)),
                ResetRule::Subtract(p) => ResetRule::Subtract(per_unit(p)),
                ResetRule::Pending(p) => ResetRule::Pending(per_unit(p)),
                ResetRule::Multi => ResetRule::Multi,
                ResetRule::Keep => ResetRule::Keep,
            },
            floor: f.floor.as_ref().map(per_unit),
            ..*f
        }),
        unit: Some(Param::per_atom(units.v.clone())),
        state: neuron.state,
    };
    check(population, &scaled, n, &units.v)?;
    Ok(scaled)
}

/// All that reaches the chip must be a float32.
fn check(
    population: &Population,
    neuron: &DiscreteNeuron,
    n: usize,
    units: &[f64],
) -> Result<(), Diagnostic> {
    let mut all: Vec<(&str, &Param)> = Vec::new();
    if let Membrane::Leaky(decay) = &neuron.membrane {
        all.push(("decay", decay));
    }
    all.extend(neuron.offset.entries().iter().map(|(_, p)| ("offset", p)));
    if let Some(s) = &neuron.synapse {
        all.push(("decay of the current", &s.decay));
        let offsets = s.offset.entries().iter();
        all.extend(offsets.map(|(_, p)| ("offset of the current", p)));
    }
    if let Some(f) = &neuron.fire {
        all.push(("threshold", &f.threshold));
        all.extend(f.reset.amount().map(|p| ("reset", p)));
        all.extend(f.floor.as_ref().map(|p| ("floor", p)));
    } else {
        all.extend(neuron.unit.as_ref().map(|p| ("unit", p)));
    }
    // What is sent is multiplied by the unit, so it must not vanish.
    let sent = neuron.unit.as_ref().filter(|_| neuron.fire.is_none());
    if let Some(j) = sent.and_then(|u| (0..n).find(|&j| u.at(j) as f32 <= 0.0)) {
        return Err(bad(population, "its unit is below float32")
            .note(format!("atom {j}: {:e}", units[j]))
            .help("rescale the layer in the network; such values are usually a mistake"));
    }
    for (name, param) in all {
        if let Some(j) = (0..n).find(|&j| !(param.at(j) as f32).is_finite()) {
            return Err(bad(
                population,
                &format!("its {name} is beyond float32 once scaled to its weights"),
            )
            .note(format!(
                "atom {j}: {:e} units of {:e}",
                param.at(j),
                units[j]
            )));
        }
    }
    Ok(())
}
