//! Ids in range, and claims that rest on other claims.

use super::PREREQUISITES;
use super::findings::{Findings, projection};
use crate::facts::FactSet;
use crate::id::{Id, IdVec};
use crate::memory::RegionKind;
use crate::module::Module;
use crate::origin::{Origin, escape};

pub(super) fn check(m: &Module, found: &mut Findings) {
    let module = Origin::Compiler;
    let mut missing = |what: &str, origin: &Origin, ok: bool| {
        if !ok {
            found.add(
                origin,
                format!("{what} names something that does not exist"),
            );
        }
    };
    let nodes = &m.network.nodes;
    for edge in &m.network.edges {
        let known = [edge.from, edge.to].map(|n| nodes.get(n));
        let origin = known.iter().flatten().next().map_or(&module, |n| &n.origin);
        missing("an edge", origin, known.iter().all(Option::is_some));
    }
    let app = &m.app;
    for p in app.projections.values() {
        let ok = in_range(&app.populations, p.pre) && in_range(&app.populations, p.post);
        missing(&projection(p), &p.origin, ok);
    }
    for output in &app.outputs {
        let what = format!("output '{}'", escape(&output.name));
        missing(
            &what,
            &output.origin,
            in_range(&app.populations, output.source),
        );
    }
    let (vertices, nets) = (&m.machine_graph.vertices, &m.machine_graph.nets);
    for (id, vertex) in vertices.iter() {
        let ok = in_range(&app.populations, vertex.population)
            && vertex.array.iter().all(|p| in_range(&app.projections, *p));
        missing(&format!("vertex {id}"), &module, ok);
    }
    for (id, net) in nets.iter() {
        let ok = in_range(vertices, net.source)
            && net.sinks.iter().all(|v| in_range(vertices, *v))
            && net
                .projections
                .iter()
                .all(|p| in_range(&app.projections, *p));
        missing(&format!("net {id}"), &module, ok);
    }
    for id in m.placements.keys() {
        missing("a placement", &module, in_range(vertices, *id));
    }
    for id in m.keys.keys() {
        missing("a key", &module, in_range(nets, *id));
    }
    for id in m.trees.keys() {
        missing("a routing tree", &module, in_range(nets, *id));
    }
    for entry in m.tables.values().flatten() {
        let ok = entry.nets.iter().all(|n| in_range(nets, *n));
        missing("a routing entry", &module, ok);
    }
    for (id, layout) in &m.layouts {
        let ok = in_range(vertices, *id)
            && layout.regions.iter().all(|r| match r.kind {
                RegionKind::Rows { projection, source } => {
                    in_range(&app.projections, projection) && in_range(vertices, source)
                }
                RegionKind::Kernel { projection }
                | RegionKind::Matrix { projection }
                | RegionKind::Counts { projection } => in_range(&app.projections, projection),
                RegionKind::Values { source } => in_range(vertices, source),
                _ => true,
            });
        missing("a memory layout", &module, ok);
    }
    if m.time_step_us == 0 {
        found.add(&module, "the time step is 0 us long".to_owned());
    }
    for (fact, needs) in PREREQUISITES {
        let needs = FactSet::of(needs);
        if m.facts.contains(*fact) && !m.facts.contains_all(needs) {
            let lacking = needs.without(m.facts);
            found.add(
                &module,
                format!("the fact {fact} is claimed without {lacking}"),
            );
        }
    }
}

fn in_range<I: Id, T>(arena: &IdVec<I, T>, id: I) -> bool {
    arena.get(id).is_some()
}
