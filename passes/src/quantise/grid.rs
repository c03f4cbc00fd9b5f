//! The int8 grid of each neuron.
//!
//! With the largest weight at 127 steps the other weights fall on that grid as
//! chance has it. A slightly coarser grid often fits them better: the scale is
//! the one of `127 / max`, `126.75 / max`, ... `120 / max` that leaves the least
//! squared error, the finest of equals. No weight saturates, and no step is
//! larger than 127/120 of the smallest one possible.

use super::groups::{Ends, Groups, Row};
use ir::app::AppGraph;
use ir::id::PopId;

/// Steps of the largest weight, in quarters.
const FINEST: u32 = 4 * 127;
const COARSEST: u32 = 4 * 120;

/// Replaces the scale of every group that has weights.
pub(super) fn refine(
    app: &AppGraph,
    pop: PopId,
    groups: &Groups,
    rows: &[Row],
    scales: &mut [f64],
) {
    let grids = (FINEST - COARSEST + 1) as usize;
    let scale = |row: &Row, grid: usize| f64::from(FINEST - grid as u32) / 4.0 / row.max;
    let mut errors = vec![0.0f64; groups.count() * grids];
    for (_, p) in app.incoming(pop) {
        let pre = app.populations[p.pre].n_atoms();
        let ends = Ends { pre, groups };
        for i in 0..p.weights.len() {
            let group = groups.of_atom(ends.target(p, i));
            let row = &rows[group];
            let w = p.weights.at(i);
            if w == 0.0 || row.max == 0.0 {
                continue;
            }
            for (grid, error) in errors[group * grids..][..grids].iter_mut().enumerate() {
                let s = scale(row, grid);
                let off = (w * s).round_ties_even() / s - w;
                *error += off * off;
            }
        }
    }
    for (group, (row, chosen)) in rows.iter().zip(scales).enumerate() {
        let errors = &errors[group * grids..][..grids];
        let best = (0..grids).min_by(|&a, &b| errors[a].total_cmp(&errors[b]));
        if let Some(grid) = best.filter(|_| row.max > 0.0) {
            *chosen = scale(row, grid);
        }
    }
}
