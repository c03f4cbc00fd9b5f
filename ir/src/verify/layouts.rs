//! LAID_OUT: regions of each PE.

use super::findings::{Findings, vertex};
use crate::id::{ProjId, VertexId};
use crate::memory::{BudgetLine, MemoryLayout, Region, RegionKind, padded};
use crate::module::Module;
use crate::target::Target;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(m: &Module, target: &Target, found: &mut Findings) {
    for id in m.machine_graph.vertices.ids() {
        let (name, origin) = vertex(m, id);
        let Some(layout) = m.layouts.get(&id) else {
            found.add(origin, format!("{name} has no memory layout"));
            continue;
        };
        let faults = addresses(layout, target)
            .into_iter()
            .chain(budget(m, id, layout))
            .chain(rows(m, id, layout));
        for fault in faults {
            let message = format!("the memory layout of {name} is wrong");
            found.add_with(origin, message, fault);
        }
    }
}

/// End of a region, without overflow.
fn end(r: &Region) -> u64 {
    u64::from(r.addr) + u64::from(r.bytes)
}

fn addresses(layout: &MemoryLayout, target: &Target) -> Vec<String> {
    let base = u64::from(target.memory.sram_base);
    let top = base + u64::from(target.memory.sram_bytes);
    let mut faults = Vec::new();
    let mut free = base;
    let mut kinds = BTreeSet::new();
    for r in &layout.regions {
        if !kinds.insert(r.kind) {
            faults.push(format!("two regions `{}`", r.kind));
        }
        let align = if r.kind == RegionKind::Stack { 8 } else { 4 };
        if r.addr % align != 0 {
            faults.push(format!(
                "`{}` at {:#x} is not aligned to {align} bytes",
                r.kind, r.addr
            ));
        }
        if u64::from(r.addr) < free {
            faults.push(format!(
                "`{}` at {:#x} begins before {free:#x}, where the one before it ends",
                r.kind, r.addr
            ));
        }
        if end(r) > top {
            faults.push(format!(
                "`{}` ends at {:#x}, the memory at {top:#x}",
                r.kind,
                end(r)
            ));
        }
        free = free.max(end(r));
    }
    faults
}

fn budget(m: &Module, id: VertexId, layout: &MemoryLayout) -> Vec<String> {
    let b = m.machine_graph.vertices[id].budget;
    let lines = [
        ("text", BudgetLine::Text, b.text),
        ("data", BudgetLine::Data, b.data),
        ("state", BudgetLine::State, b.state),
        ("rows", BudgetLine::Rows, b.rows),
    ];
    let mut faults = Vec::new();
    for (name, line, planned) in lines {
        let regions = layout.regions.iter();
        let regions = regions.filter(|r| r.kind.budget_line() == line);
        let bytes: u64 = regions.map(|r| u64::from(r.bytes)).sum();
        if bytes != u64::from(planned) {
            faults.push(format!(
                "{name}: {bytes} B in regions, {planned} B in the budget"
            ));
        }
    }
    faults
}

/// Rows for exactly the sources that project here, of exactly their size.
fn rows(m: &Module, id: VertexId, layout: &MemoryLayout) -> Vec<String> {
    let here = &m.machine_graph.vertices[id];
    let mut wanted: BTreeMap<(ProjId, VertexId), u64> = BTreeMap::new();
    for (p, projection) in m.app.incoming(here.population) {
        let width = u64::from(padded(here.slice.n)) * projection.weights.dtype().size() as u64;
        for (source, v) in m.machine_graph.vertices_of(projection.pre) {
            wanted.insert((p, source), u64::from(v.slice.n) * width);
        }
    }
    let mut faults = Vec::new();
    for r in &layout.regions {
        let RegionKind::Rows { projection, source } = r.kind else {
            continue;
        };
        match wanted.remove(&(projection, source)) {
            Some(bytes) if bytes == u64::from(r.bytes) => {}
            Some(bytes) => {
                faults.push(format!(
                    "`{}` has {} B, its rows {bytes} B",
                    r.kind, r.bytes
                ));
            }
            None => faults.push(format!("`{}` belongs to no incoming projection", r.kind)),
        }
    }
    let missing = wanted.keys().next();
    faults.extend(missing.map(|(p, source)| format!("no rows for {p} from {source}")));
    faults
}
