//! What is proven of populations with fixed-point state.

use super::human_table;
use ir::app::{AppGraph, Model};
use ir::fixed::accumulator_bounds;
use ir::fixed_point::{Proof, prove};
use ir::neuron::{Membrane, Neuron, State};
use ir::origin::escape;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub struct StateReport {
    pub population: String,
    /// A count is `2^-shift` of a step of the weights.
    pub shift: u8,
    /// The largest count, in the file's units.
    pub count: f64,
    /// The largest magnitude that the state can reach, in counts.
    pub reach: f64,
    /// Steps of the strongest input after which a membrane without leak saturates.
    pub saturates_after: Option<f64>,
    /// Bound of the distance of one step to the exact step, in the file's units.
    pub step_error: f64,
    /// The same as a part of the threshold.
    pub of_threshold: Option<f64>,
}

/// What a model keeps its state in.
pub(super) fn kind(model: &Model) -> Option<&'static str> {
    match model {
        Model::SpikeSource | Model::Neuron(Neuron::Continuous(_)) => None,
        Model::Neuron(Neuron::Discrete(n)) => match (&n.membrane, n.state) {
            (Membrane::Fresh, _) => None,
            (_, State::F32) => Some("f32"),
            (_, State::Fixed { .. }) => Some("fixed"),
        },
    }
}

/// Every population with fixed-point state.
pub fn states(app: &AppGraph) -> Vec<StateReport> {
    let mut all = Vec::new();
    for (id, p) in app.populations.iter() {
        let Model::Neuron(Neuron::Discrete(n)) = &p.model else {
            continue;
        };
        let (State::Fixed { shift }, Some(sums)) = (n.state, accumulator_bounds(app, id)) else {
            continue;
        };
        let sum = |atom: usize| sums.get(atom).map_or(0.0, |&s| s as f64);
        // The verifier has proved it before.
        if let Ok(proof) = prove(n, p.n_atoms(), shift, sum) {
            all.push(report(&p.name, &proof));
        }
    }
    all
}

fn report(population: &str, proof: &Proof) -> StateReport {
    StateReport {
        population: population.to_owned(),
        shift: proof.shift,
        count: proof.count,
        reach: proof.reach.ceil(),
        saturates_after: proof.lasts,
        step_error: proof.step_error,
        of_threshold: proof.of_threshold,
    }
}

/// The table for people; empty without such populations.
pub(crate) fn table(states: &[StateReport]) -> String {
    if states.is_empty() {
        return String::new();
    }
    let names = [
        "population",
        "count",
        "reach of int32",
        "one step off by at most",
        "of threshold",
        "saturates after",
    ];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    let number = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.2e}"));
    rows.extend(states.iter().map(|s| {
        let steps = s.saturates_after.map(|x| format!("{x} steps"));
        vec![
            escape(&s.population),
            format!("{:.3e}", s.count),
            format!("{:.1} %", s.reach / f64::from(i32::MAX) * 100.0),
            format!("{:.3e}", s.step_error),
            number(s.of_threshold),
            steps.unwrap_or_else(|| "never".to_owned()),
        ]
    }));
    format!(
        "fixed-point state (bounds in the file's units)\n{}",
        human_table(&rows)
    )
}
