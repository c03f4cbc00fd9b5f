//! Nets: what a vertex sends, and every vertex that it reaches.

use ir::app::AppGraph;
use ir::id::{PopId, ProjId, VertexId};
use ir::machine_graph::{MachineGraph, Net};
use std::collections::{BTreeMap, BTreeSet};

/// Vertices that some synapse of a vertex reaches.
pub(super) type Reached = BTreeMap<VertexId, BTreeSet<VertexId>>;

/// One net for each vertex. One that reaches nothing has a net without sinks:
/// it sends all the same, so that its spikes can be recorded.
pub(super) fn nets(app: &AppGraph, graph: &mut MachineGraph, reached: &Reached) {
    let mut projections: BTreeMap<PopId, Vec<ProjId>> = BTreeMap::new();
    for (id, p) in app.projections.iter() {
        projections.entry(p.pre).or_default().push(id);
    }
    let sources: Vec<(VertexId, PopId)> = graph
        .vertices
        .iter()
        .map(|(id, v)| (id, v.population))
        .collect();
    for (source, population) in sources {
        let sinks = reached.get(&source).into_iter().flatten().copied();
        graph.nets.push(Net {
            source,
            sinks: sinks.collect(),
            projections: projections.get(&population).cloned().unwrap_or_default(),
        });
    }
}
