//! Convolutions whose channel can't share its kernel after quantising: where
//! the gains of a channel's neurons differ in sign, or some are 0, the integers
//! differ from pixel to pixel. Such projections become lists of synapses.

use super::groups::Groups;
use crate::discretise::discrete;
use ir::app::{AppGraph, Connector, Synapses};
use ir::diag::{Diagnostic, Result};
use ir::id::{PopId, ProjId};
use ir::tensor::{Data, Shape, Tensor};

pub(super) fn expand(app: &mut AppGraph) -> Result<()> {
    let all: Vec<PopId> = app.populations.ids().collect();
    for pop in all {
        if channels_agree(app, pop) {
            continue;
        }
        let conv = |c: &Connector| matches!(c, Connector::Conv(_));
        let incoming = app.incoming(pop).filter(|(_, p)| conv(&p.connector));
        let ids: Vec<ProjId> = incoming.map(|(id, _)| id).collect();
        for id in ids {
            let (connector, weights) = listed(app, id)
                .ok_or_else(|| Diagnostic::internal("a convolution can't be written out"))?;
            let projection = &mut app.projections[id];
            projection.connector = connector;
            projection.weights = weights;
        }
    }
    Ok(())
}

fn channels_agree(app: &AppGraph, pop: PopId) -> bool {
    let Some(neuron) = discrete(app, pop) else {
        return true;
    };
    let sign = |j: usize| {
        let drive = neuron.synapse.as_ref().map_or(1.0, |s| s.drive.at(j));
        let gain = neuron.gain.at(j);
        if gain == 0.0 || drive == 0.0 {
            0.0
        } else {
            gain.signum() * drive.signum()
        }
    };
    let groups = Groups::of(app, pop);
    (0..groups.count()).all(|g| {
        let mut signs = groups.atoms(g).map(sign);
        let first = signs.next();
        signs.all(|s| Some(s) == first)
    })
}

fn listed(app: &AppGraph, id: ProjId) -> Option<(Connector, Tensor)> {
    let p = &app.projections[id];
    let ends = (
        app.populations[p.pre].n_atoms(),
        app.populations[p.post].n_atoms(),
    );
    let (mut starts, mut targets, mut weights) = (vec![0u32], Vec::new(), Vec::new());
    let mut row: Vec<(u32, f64)> = Vec::new();
    for source in 0..ends.0 {
        p.connector.each_synapse(source, ends, |target, weight| {
            row.push((target as u32, p.weights.at(weight)));
        });
        row.sort_by_key(|&(target, _)| target);
        for (target, w) in row.drain(..) {
            targets.push(target);
            weights.push(w);
        }
        starts.push(u32::try_from(targets.len()).ok()?);
    }
    let weights = Tensor::new(Shape(vec![weights.len()]), Data::F64(weights))?;
    Some((Connector::Sparse(Synapses::new(starts, targets)?), weights))
}
