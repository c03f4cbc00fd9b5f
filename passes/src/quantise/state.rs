//! Fixed-point state: the finest whose range is proven.
//!
//! What keeps nothing from step to step (a Threshold, a linear readout) has no state to
//! choose and stays as it is.

use super::scale::Candidate;
use ir::app::{AppGraph, Population};
use ir::code::Code;
use ir::diag::Diagnostic;
use ir::fixed_point::{Unfit, choose};
use ir::id::PopId;
use ir::neuron::{Membrane, State};
use ir::origin::escape;
use ir::semantics::StateMode;

/// The candidate with the state that the mode asks for.
pub(super) fn with_state(
    app: &AppGraph,
    pop: PopId,
    mut candidate: Candidate,
    mode: StateMode,
) -> Result<Candidate, Diagnostic> {
    let fresh = candidate.neuron.membrane == Membrane::Fresh;
    if mode == StateMode::F32 || fresh {
        return Ok(candidate);
    }
    let population = &app.populations[pop];
    if app.has_value_input(pop) {
        let values = app.incoming(pop).map(|(_, p)| p.pre);
        let values = values.map(|pre| &app.populations[pre]);
        let from = values.filter(|p| p.sends == ir::app::Sends::Values);
        let from: Vec<String> = from.map(|p| format!("'{}'", escape(&p.name))).collect();
        return Err(unfit(population).note(format!(
            "it receives values from {}: real numbers without a bound, not sums of weights",
            from.join(", ")
        )));
    }
    let sums = |atom: usize| candidate.sums.get(atom).map_or(0.0, |&s| s as f64);
    match choose(&candidate.neuron, population.n_atoms(), sums) {
        Ok(proof) => {
            candidate.neuron.state = State::Fixed { shift: proof.shift };
            Ok(candidate)
        }
        Err(Unfit::Decay) => Err(unfit(population).note(
            "a decay per step is not from -1 to 1: the neuron is not stable, or dt is too long",
        )),
        Err(Unfit::Range { atom, reach }) => Err(unfit(population)
            .note(format!(
                "atom {atom}: inputs add up to {:.0} units a step, with decay and offset the \
                 state can reach {reach:.3e} units, int32 holds {}",
                sums(atom),
                i32::MAX
            ))
            .note(format!(
                "a unit is one step of {} weights",
                candidate.format.dtype().name()
            ))
            .help("use --state f32, or narrower weights: --weights int8")),
    }
}

fn unfit(population: &Population) -> Diagnostic {
    Diagnostic::error(
        Code::StateUnfit,
        &population.origin,
        format!(
            "population '{}' cannot keep its state in fixed point",
            escape(&population.name)
        ),
    )
    .help("use --state f32")
}
