//! Fixed-point state: what [`crate::fixed_point`] needs of a population.

use super::findings::{Findings, population};
use crate::app::Model;
use crate::fixed::accumulator_bounds;
use crate::fixed_point::{MAX_SHIFT, Unfit, prove};
use crate::id::PopId;
use crate::module::Module;
use crate::neuron::{Membrane, Neuron, State};

/// QUANTISED: no state leaves int32; integers come in.
pub(super) fn check(m: &Module, id: PopId, found: &mut Findings) {
    let p = &m.app.populations[id];
    let Model::Neuron(Neuron::Discrete(neuron)) = &p.model else {
        return;
    };
    let State::Fixed { shift } = neuron.state else {
        return;
    };
    let note = if shift > MAX_SHIFT {
        format!("a count is 2^-{shift} of a unit, at most 2^-{MAX_SHIFT} is possible")
    } else if neuron.membrane == Membrane::Fresh {
        "it keeps nothing from step to step".to_owned()
    } else if m.app.has_value_input(id) {
        "it receives values, which are float32".to_owned()
    } else {
        // Weights that are no integers have their own finding.
        let Some(sums) = accumulator_bounds(&m.app, id) else {
            return;
        };
        let sum = |atom: usize| sums.get(atom).map_or(0.0, |&s| s as f64);
        match prove(neuron, p.n_atoms(), shift, sum) {
            Ok(_) => return,
            Err(Unfit::Decay) => "a decay is not from -1 to 1".to_owned(),
            Err(Unfit::Range { atom, reach }) => format!(
                "atom {atom} can reach {reach:.0} units of 2^{shift} counts, int32 holds {}",
                i32::MAX
            ),
        }
    };
    let message = format!("{} cannot have fixed-point state", population(p));
    found.add_with(&p.origin, message, note);
}
