//! Neuron models: the parts that each kind has, and what it sends.

use super::findings::{Findings, population};
use crate::app::{Model, Population, Sends};
use crate::module::Module;
use crate::neuron::{
    Constant, ContinuousNeuron, DiscreteNeuron, MAX_COUNT, Membrane, Neuron, NeuronKind, Param,
    ResetRule,
};

/// What a kind of neuron consists of.
struct Parts {
    tau: bool,
    synapse: bool,
    r: bool,
    leak: bool,
    threshold: bool,
    reset: bool,
    /// Keeps nothing from step to step.
    stateless: bool,
}

fn parts(kind: NeuronKind) -> Parts {
    let li = Parts {
        tau: true,
        synapse: false,
        r: true,
        leak: true,
        threshold: false,
        reset: false,
        stateless: false,
    };
    match kind {
        NeuronKind::Li => li,
        NeuronKind::CubaLi => Parts {
            synapse: true,
            ..li
        },
        NeuronKind::I => Parts {
            tau: false,
            leak: false,
            ..li
        },
        NeuronKind::Lif => Parts {
            threshold: true,
            reset: true,
            ..li
        },
        NeuronKind::CubaLif => Parts {
            synapse: true,
            threshold: true,
            reset: true,
            ..li
        },
        NeuronKind::If => Parts {
            tau: false,
            leak: false,
            threshold: true,
            reset: true,
            ..li
        },
        NeuronKind::Threshold => Parts {
            tau: false,
            leak: false,
            r: false,
            threshold: true,
            stateless: true,
            ..li
        },
        NeuronKind::Linear => Parts {
            tau: false,
            leak: false,
            r: false,
            stateless: true,
            ..li
        },
    }
}

/// CANONICAL: a kind has its parameters, and sends what it can.
pub(super) fn check_canonical(m: &Module, found: &mut Findings) {
    for p in m.app.populations.values() {
        let faults = match &p.model {
            Model::SpikeSource => Vec::new(),
            Model::Neuron(Neuron::Continuous(n)) => continuous(n),
            Model::Neuron(Neuron::Discrete(n)) => discrete(n),
        };
        for note in faults {
            let message = format!("{} has the wrong parts for its kind", population(p));
            found.add_with(&p.origin, message, note);
        }
        if let Some(note) = sends(p) {
            let message = format!("{} sends what it cannot have", population(p));
            found.add_with(&p.origin, message, note);
        }
    }
}

fn continuous(n: &ContinuousNeuron) -> Vec<String> {
    let wanted = parts(n.kind);
    let kind = n.kind.name();
    let all = [
        ("tau", n.tau.is_some(), wanted.tau),
        ("tau_syn", n.tau_syn.is_some(), wanted.synapse),
        ("w_in", n.w_in.is_some(), wanted.synapse),
        ("r", n.r.is_some(), wanted.r),
        ("v_leak", n.v_leak.is_some(), wanted.leak),
        ("v_threshold", n.v_threshold.is_some(), wanted.threshold),
        ("v_reset", n.v_reset.is_some(), wanted.reset),
    ];
    all.into_iter()
        .filter(|(_, has, wants)| has != wants)
        .map(|(key, has, _)| missing_or_extra(kind, key, has))
        .collect()
}

fn discrete(n: &DiscreteNeuron) -> Vec<String> {
    let wanted = parts(n.kind);
    let kind = n.kind.name();
    let fresh = matches!(n.membrane, Membrane::Fresh);
    let all = [
        ("a synapse", n.synapse.is_some(), wanted.synapse),
        ("a threshold", n.fire.is_some(), wanted.threshold),
        ("a fresh membrane", fresh, wanted.stateless),
    ];
    all.into_iter()
        .filter(|(_, has, wants)| has != wants)
        .map(|(key, has, _)| missing_or_extra(kind, key, has))
        .collect()
}

fn missing_or_extra(kind: &str, key: &str, has: bool) -> String {
    if has {
        format!(
            "{kind} has no {}, but it is there",
            key.trim_start_matches("a ")
        )
    } else {
        format!("{kind} lacks {key}")
    }
}

/// Neurons without a threshold send values, others spikes, or counts if a
/// neuron may spike several times at once.
fn sends(p: &Population) -> Option<String> {
    let values = p.sends == Sends::Values;
    let neuron = match &p.model {
        // Sources carry whatever the user says.
        Model::SpikeSource => {
            let nothing = p.sends == Sends::Counts { max: 0 };
            return nothing.then(|| "counts of at most 0".to_owned());
        }
        Model::Neuron(neuron) => neuron,
    };
    let kind = neuron.kind().name();
    if values == parts(neuron.kind()).threshold {
        let what = if values { "values" } else { "spikes" };
        let other = if values { "spikes" } else { "values" };
        return Some(format!("{what}; {kind} has {other}"));
    }
    let Neuron::Discrete(DiscreteNeuron {
        fire: Some(fire), ..
    }) = neuron
    else {
        return None;
    };
    let multi = matches!(fire.reset, ResetRule::Multi);
    match p.sends {
        Sends::Counts { max } if !multi => Some(format!(
            "counts up to {max}, but its reset allows one spike"
        )),
        Sends::Counts { max } if max != MAX_COUNT => Some(format!(
            "counts up to {max}, but its reset sends up to {MAX_COUNT}"
        )),
        Sends::Spikes if multi => Some(format!(
            "plain spikes, but its reset sends up to {MAX_COUNT} at once"
        )),
        Sends::Spikes | Sends::Counts { .. } | Sends::Values => None,
    }
}

/// Every parameter of a population by name.
pub(super) fn params(p: &Population) -> Vec<(String, &Param)> {
    let mut all = Vec::new();
    match &p.model {
        Model::SpikeSource => {}
        Model::Neuron(Neuron::Continuous(n)) => {
            for (key, param) in [
                ("tau", &n.tau),
                ("tau_syn", &n.tau_syn),
                ("w_in", &n.w_in),
                ("r", &n.r),
                ("v_leak", &n.v_leak),
                ("v_threshold", &n.v_threshold),
                ("v_reset", &n.v_reset),
            ] {
                all.extend(param.iter().map(|p| (key.to_owned(), p)));
            }
            constant(&mut all, "bias", &n.bias);
        }
        Model::Neuron(Neuron::Discrete(n)) => {
            if let Some(s) = &n.synapse {
                add(&mut all, "syn_decay", Some(&s.decay));
                add(&mut all, "drive", Some(&s.drive));
                add(&mut all, "syn_unit", s.unit.as_ref());
            }
            if let Membrane::Leaky(decay) = &n.membrane {
                add(&mut all, "decay", Some(decay));
            }
            add(&mut all, "gain", Some(&n.gain));
            if let Some(fire) = &n.fire {
                add(&mut all, "threshold", Some(&fire.threshold));
                add(&mut all, "reset", fire.reset.amount());
                add(&mut all, "floor", fire.floor.as_ref());
            }
            add(&mut all, "unit", n.unit.as_ref());
            constant(&mut all, "offset", &n.offset);
            if let Some(s) = &n.synapse {
                constant(&mut all, "syn_offset", &s.offset);
            }
        }
    }
    all
}

fn add<'p>(all: &mut Vec<(String, &'p Param)>, key: &str, param: Option<&'p Param>) {
    all.extend(param.map(|p| (key.to_owned(), p)));
}

fn constant<'p>(all: &mut Vec<(String, &'p Param)>, key: &str, c: &'p Constant) {
    for (step, param) in c.entries() {
        let name = match step {
            0 => key.to_owned(),
            step => format!("{key} from step {step}"),
        };
        all.push((name, param));
    }
}
