//! SELECTED: what the MAC arrays multiply.

use super::findings::{Findings, projection, vertex};
use super::reach::atoms;
use crate::app::{Connector, Sends};
use crate::fixed::dense_bound;
use crate::id::{ProjId, VertexId};
use crate::module::Module;
use crate::target::Target;
use crate::tensor::DType;

pub(super) fn check(m: &Module, target: &Target, found: &mut Findings) {
    for (id, v) in m.machine_graph.vertices.iter() {
        let (name, origin) = vertex(m, id);
        if !v.array.is_sorted_by(|a, b| a < b) {
            let message = format!("{name} lists what its MAC array multiplies out of order");
            found.add(origin, message);
        }
        for &p in &v.array {
            if let Some(fault) = fault(m, target, id, p) {
                let p = projection(&m.app.projections[p]);
                let message = format!("{name} can't multiply {p} on its MAC array");
                found.add_with(origin, message, fault);
            }
        }
    }
}

fn fault(m: &Module, target: &Target, id: VertexId, projection: ProjId) -> Option<String> {
    let p = &m.app.projections[projection];
    let v = &m.machine_graph.vertices[id];
    let post = &m.app.populations[v.population];
    if p.post != v.population {
        return Some("it leads elsewhere".to_owned());
    }
    if p.connector != Connector::Dense || m.app.carries(p) != Sends::Spikes {
        return Some("only dense projections of spikes are multiplied".to_owned());
    }
    let weight = p.weights.dtype();
    if !matches!(weight, DType::I8 | DType::I16) {
        return Some(format!("its weights are {}", weight.name()));
    }
    let sum = dense_bound(&m.app, projection, atoms(post, v.slice));
    let most = target.mla.largest_sum(weight);
    match sum {
        Some(sum) if sum <= most => None,
        Some(sum) => Some(format!("a sum may be {sum}, the array holds {most}")),
        None => Some("its weights are not integers".to_owned()),
    }
}
