//! `lay-out-memory`: gives every region of every slice its address.
//!
//! Code starts at address 0, where the vector table is fetched; the other
//! regions follow end to end; the stack takes the last bytes and grows down
//! towards what is free. The sizes are those that `partition` planned with; a
//! difference is an internal error, never a warning.

use crate::contract::Contract;
use crate::manager::PassContext;
use crate::regions::{Need, Sizes};
use crate::registry::{LayOutMemory, Transform};
use ir::app::{AppGraph, Population};
use ir::code::Code;
use ir::diag::{Diagnostic, Result};
use ir::facts::Fact;
use ir::id::{PopId, ProjId, VertexId};
use ir::machine_graph::{MachineGraph, MachineVertex};
use ir::memory::{MemoryLayout, Region, RegionKind};
use ir::{Module, Origin, Target};
use std::collections::BTreeMap;

impl Transform for LayOutMemory {
    const CONTRACT: Contract =
        Contract::requires(&[Fact::Partitioned]).establishes(&[Fact::LaidOut]);

    fn run(module: &mut Module, context: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        module.layouts = lay_out(&module.app, &module.machine_graph, context.target)?;
        Ok(Vec::new())
    }
}

/// The regions of one vertex with their exact sizes, in address order but for
/// the stack, which comes last.
pub fn vertex_regions(
    app: &AppGraph,
    graph: &MachineGraph,
    vertex: VertexId,
    target: &Target,
) -> Result<Vec<(RegionKind, u64)>> {
    let v = &graph.vertices[vertex];
    let need = Need::of(app, v.population)?;
    let cut = |pop: PopId| {
        let vertices = graph.vertices_of(pop);
        vertices.map(|(id, v)| (id, v.slice.n)).collect()
    };
    Ok(need.regions(v.slice.n, target, cut))
}

/// Layouts of all vertices.
pub fn lay_out(
    app: &AppGraph,
    graph: &MachineGraph,
    target: &Target,
) -> Result<BTreeMap<VertexId, MemoryLayout>> {
    let mut by_population: BTreeMap<PopId, Vec<(VertexId, u32)>> = BTreeMap::new();
    for (id, v) in graph.vertices.iter() {
        by_population
            .entry(v.population)
            .or_default()
            .push((id, v.slice.n));
    }
    let cut = |pop: PopId| by_population.get(&pop).cloned().unwrap_or_default();
    let mut layouts = BTreeMap::new();
    for (id, vertex) in graph.vertices.iter() {
        let need = Need::of(app, vertex.population)?;
        let regions = need.regions(vertex.slice.n, target, cut);
        let sizes = Sizes::sum(&regions, vertex.budget.cycles);
        if sizes.fit(target) != Some(vertex.budget) {
            return Err(disagree(&app.populations[vertex.population], vertex, sizes).into());
        }
        layouts.insert(id, addresses(&regions, target)?);
    }
    Ok(layouts)
}

/// A person who writes vertices by hand may write a wrong budget; the
/// partitioner may not.
fn disagree(population: &Population, vertex: &MachineVertex, laid_out: Sizes) -> Diagnostic {
    let planned = vertex.budget;
    let message = format!(
        "population '{}' {}: the regions do not add up to the budget",
        ir::origin::escape(&population.name),
        vertex.slice
    );
    let error = match population.origin.root() {
        Origin::Text { .. } => Diagnostic::error(Code::Verify, &population.origin, message)
            .help("leave the vertices and nets out and run partition"),
        Origin::NirNode { .. }
        | Origin::Derived { .. }
        | Origin::File { .. }
        | Origin::Option { .. }
        | Origin::Compiler => Diagnostic::internal(message),
    };
    error
        .note(format!(
            "planned: text {} data {} state {} rows {}",
            planned.text, planned.data, planned.state, planned.rows
        ))
        .note(format!(
            "laid out: text {} data {} state {} rows {}",
            laid_out.text, laid_out.data, laid_out.state, laid_out.rows
        ))
}

/// The address of the rows of one projection from one source vertex.
pub fn rows_region(layout: &MemoryLayout, projection: ProjId, source: VertexId) -> Option<Region> {
    layout.find(RegionKind::Rows { projection, source })
}

fn addresses(regions: &[(RegionKind, u64)], target: &Target) -> Result<MemoryLayout> {
    let outgrown = || Diagnostic::internal("regions outgrew the memory that they were planned for");
    let end = target.memory.sram_base + target.memory.sram_bytes;
    let mut next = target.memory.sram_base;
    let mut placed = Vec::with_capacity(regions.len());
    for &(kind, bytes) in regions {
        let bytes = u32::try_from(bytes).map_err(|_| outgrown())?;
        let addr = if kind == RegionKind::Stack {
            end.checked_sub(bytes).ok_or_else(outgrown)?
        } else {
            next
        };
        let after = addr
            .checked_add(bytes)
            .filter(|&a| a <= end && addr >= next);
        next = after.ok_or_else(outgrown)?;
        placed.push(Region { kind, addr, bytes });
    }
    Ok(MemoryLayout { regions: placed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::MappingOptions;
    use crate::partition::partition;
    use crate::testing::quantised;
    use ir::id::Id;

    #[test]
    fn regions_follow_each_other_and_add_up_to_the_budget() {
        let app = quantised(
            &[("in", 5000), ("hid", 8), ("z", 3)],
            &["in>hid", "hid~hid", "hid>z", "in>z"],
        );
        let target = Target::spinnaker2();
        let (graph, _) =
            partition(&app, &target, 10_000, &MappingOptions::default()).expect("fits");
        let layouts = lay_out(&app, &graph, &target).expect("agrees");
        for (id, vertex) in graph.vertices.iter() {
            let layout = &layouts[&id];
            assert_eq!(layout.regions[0].addr, 0);
            assert!(layout.regions.windows(2).all(|w| w[0].end() <= w[1].addr));
            let last = layout.regions.last().expect("a stack");
            assert_eq!(last.kind, RegionKind::Stack);
            assert_eq!(last.end(), target.memory.sram_bytes);
            let sum: u32 = layout.regions.iter().map(|r| r.bytes).sum();
            assert_eq!(sum, vertex.budget.bytes());
            let regions = vertex_regions(&app, &graph, id, &target).expect("quantised");
            assert_eq!(regions.len(), layout.regions.len());
        }
        // `in` has two vertices, so `hid` has three regions of rows
        let hid = graph
            .vertices_of(PopId::from_index(1))
            .next()
            .expect("one")
            .0;
        let rows = layouts[&hid].regions.iter();
        let rows = rows.filter(|r| matches!(r.kind, RegionKind::Rows { .. }));
        assert_eq!(rows.count(), 3);
    }

    #[test]
    fn a_budget_that_is_wrong_is_an_internal_error() {
        let app = quantised(&[("in", 4), ("hid", 3)], &["in>hid"]);
        let target = Target::spinnaker2();
        let (mut graph, _) =
            partition(&app, &target, 1000, &MappingOptions::default()).expect("fits");
        graph.vertices[VertexId::from_index(1)].budget.rows += 8;
        let error = lay_out(&app, &graph, &target).expect_err("8 bytes too many");
        assert_eq!(error.0[0].code, ir::Code::Internal);
    }
}
