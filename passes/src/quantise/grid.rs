//! The int8 grid of each neuron.
//!
//! With the largest weight at 127 steps the other weights fall on that grid as
//! chance has it; a slightly coarser grid may fit them better. The largest
//! weight takes 127, 126, ... or 120 steps, whichever is expected to disturb
//! the input least: if each source spikes or not with equal chance, the sum of
//! the weight errors `e` of those that do has the expected square
//!
//! ```text
//! (sum of e * e + (sum of e)^2) / 4
//! ```
//!
//! The finest of equals is taken. No weight saturates.

use super::groups::{Ends, Groups, Row};
use ir::app::AppGraph;
use ir::id::PopId;

/// Steps of the largest weight, from the finest grid on.
const STEPS: [f64; 8] = [127.0, 126.0, 125.0, 124.0, 123.0, 122.0, 121.0, 120.0];

/// Replaces the scale of every group that has weights.
pub(super) fn refine(
    app: &AppGraph,
    pop: PopId,
    groups: &Groups,
    rows: &[Row],
    scales: &mut [f64],
) {
    // Of each group and grid: sum of e * e, sum of e.
    let mut errors = vec![[(0.0f64, 0.0f64); STEPS.len()]; groups.count()];
    for (_, p) in app.incoming(pop) {
        let pre = app.populations[p.pre].n_atoms();
        let ends = Ends { pre, groups };
        for i in 0..p.weights.len() {
            let group = groups.of_atom(ends.target(p, i));
            let (w, max) = (p.weights.at(i), rows[group].max);
            if w == 0.0 {
                continue;
            }
            for (steps, error) in STEPS.iter().zip(&mut errors[group]) {
                let scale = steps / max;
                let e = (w * scale).round_ties_even() / scale - w;
                error.0 += e * e;
                error.1 += e;
            }
        }
    }
    for ((row, errors), scale) in rows.iter().zip(errors).zip(scales) {
        let expected = errors.map(|(squares, sum)| squares + sum * sum);
        let grids = STEPS.iter().zip(expected);
        let best = grids.min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((steps, _)) = best.filter(|_| row.max > 0.0) {
            *scale = steps / row.max;
        }
    }
}
