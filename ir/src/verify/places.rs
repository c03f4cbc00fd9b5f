//! PLACED: one working PE each.

use super::findings::{Findings, vertex};
use crate::geometry::GlobalPe;
use crate::id::VertexId;
use crate::module::Module;
use crate::target::Target;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(m: &Module, target: &Target, found: &mut Findings) {
    let pes: BTreeSet<_> = target.pes().collect();
    let mut taken: BTreeMap<GlobalPe, VertexId> = BTreeMap::new();
    for id in m.machine_graph.vertices.ids() {
        let (name, origin) = vertex(m, id);
        let Some(place) = m.placements.get(&id) else {
            found.add(origin, format!("{name} has no place"));
            continue;
        };
        let fault = if !m.machine.contains(place.chip) || !pes.contains(&place.pe) {
            Some("does not exist")
        } else if target.grid.reserved.contains(&place.pe) {
            Some("is reserved")
        } else if m.machine.dead_pes.contains(place) {
            Some("is dead")
        } else {
            None
        };
        if let Some(fault) = fault {
            found.add(
                origin,
                format!("{name} is placed at {place}, which {fault}"),
            );
        }
        if let Some(other) = taken.insert(*place, id) {
            let (other, _) = vertex(m, other);
            found.add(
                origin,
                format!("{name} and {other} are both placed at {place}"),
            );
        }
    }
}
