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

#[cfg(test)]
mod tests {
    use crate::discretise::discrete;
    use crate::manager::MappingOptions;
    use crate::quantise::{Costs, quantise};
    use crate::testing::sized_app;
    use ir::app::{AppGraph, Model, Sends};
    use ir::code::Code;
    use ir::diag::Result;
    use ir::id::{Id, PopId};
    use ir::neuron::{Membrane, Neuron, Param, State};
    use ir::semantics::{Profile, Quantisation, StateMode, WeightMode};
    use ir::tensor::DType;
    use ir::{ProjId, Target};

    fn run(app: &mut AppGraph, weights: WeightMode) -> Result<State> {
        let q = Quantisation {
            weights,
            state: StateMode::Fixed,
            ..Profile::Nir.quantisation()
        };
        for id in app.projections.ids().collect::<Vec<ProjId>>() {
            app.projections[id].delay = Some(1);
        }
        let costs = Costs {
            target: &Target::spinnaker2(),
            time_step_us: 1000,
            options: &MappingOptions::default(),
        };
        quantise(app, &q, &costs)?;
        let hid = discrete(app, PopId::from_index(1)).expect("discrete");
        Ok(hid.state)
    }

    fn leak(app: &mut AppGraph, membrane: Membrane) {
        if let Model::Neuron(Neuron::Discrete(n)) = &mut app.populations[PopId::from_index(1)].model
        {
            n.membrane = membrane;
        }
    }

    #[test]
    fn the_finest_state_that_fits_is_taken() {
        let mut app = sized_app(&[("in", 100), ("hid", 3)], &["in>hid"]);
        // 100 weights of 127 and a decay of 1/2: 25 400 units, 2^14 of each fit.
        let state = run(&mut app, WeightMode::Int8).expect("fits");
        assert_eq!(state, State::Fixed { shift: 14 });
        let mut app = sized_app(&[("in", 100), ("hid", 3)], &["in>hid"]);
        leak(&mut app, Membrane::Leaky(Param::uniform(0.999)));
        // 12 700 units a step become 12.7 million; 2^7 of each fit.
        let state = run(&mut app, WeightMode::Int8).expect("fits");
        assert_eq!(state, State::Fixed { shift: 7 });
    }

    #[test]
    fn auto_keeps_to_weights_whose_sums_leave_room() {
        let slow = || {
            let mut app = sized_app(&[("in", 10), ("hid", 1)], &["in>hid"]);
            leak(&mut app, Membrane::Leaky(Param::uniform(1.0 - 1e-5)));
            app
        };
        let error = run(&mut slow(), WeightMode::Int16).expect_err("3.3e10 units");
        assert_eq!(error.0[0].code, Code::StateUnfit);
        assert!(error.0[0].notes[0].contains("3.277e10"), "{:?}", error.0[0]);
        let mut app = slow();
        let state = run(&mut app, WeightMode::Auto).expect("int8");
        assert_eq!(state, State::Fixed { shift: 4 });
        let weights = &app.projections[ProjId::from_index(0)].weights;
        assert_eq!(weights.dtype(), DType::I8);
    }

    #[test]
    fn what_keeps_nothing_stays_and_values_are_refused() {
        let mut app = sized_app(&[("in", 2), ("hid", 1)], &["in>hid"]);
        leak(&mut app, Membrane::Fresh);
        app.populations[PopId::from_index(0)].sends = Sends::Values;
        assert_eq!(run(&mut app, WeightMode::Int8), Ok(State::F32));
        leak(&mut app, Membrane::Integrate);
        let error = run(&mut app, WeightMode::Int8).expect_err("values");
        assert!(error.0[0].notes[0].contains("values from 'in'"));
    }
}
