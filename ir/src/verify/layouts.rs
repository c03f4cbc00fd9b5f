//! LAID_OUT: regions of each PE.

use super::findings::{Findings, vertex};
use super::reach::Reach;
use super::regions;
use crate::id::VertexId;
use crate::memory::{BudgetLine, MemoryLayout, Region, RegionKind};
use crate::module::Module;
use crate::target::Target;
use std::collections::BTreeSet;

pub(super) fn check(m: &Module, target: &Target, found: &mut Findings) {
    let reach = Reach::count(m);
    for id in m.machine_graph.vertices.ids() {
        let (name, origin) = vertex(m, id);
        let Some(layout) = m.layouts.get(&id) else {
            found.add(origin, format!("{name} has no memory layout"));
            continue;
        };
        let array = !m.machine_graph.vertices[id].array.is_empty();
        let faults = addresses(layout, array, target)
            .into_iter()
            .chain(budget(m, id, layout))
            .chain(regions::faults(m, id, layout, (&reach, target)));
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

fn addresses(layout: &MemoryLayout, array: bool, target: &Target) -> Vec<String> {
    let base = u64::from(target.memory.sram_base);
    let top = base + u64::from(target.memory.sram_bytes);
    let mut faults = Vec::new();
    let mut free = base;
    let mut kinds = BTreeSet::new();
    for r in &layout.regions {
        if !kinds.insert(r.kind) {
            faults.push(format!("two regions `{}`", r.kind));
        }
        let align = match r.kind {
            RegionKind::Stack => 8,
            RegionKind::Matrix { .. } | RegionKind::Counts { .. } | RegionKind::Product => {
                target.mla.align_bytes
            }
            RegionKind::Accumulators if array => target.mla.align_bytes,
            _ => 4,
        };
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
