//! `lay-out-memory`: gives every region of every slice its address.
//!
//! Code starts at address 0, where the vector table is fetched; the other
//! regions follow end to end; the stack takes the last bytes and grows down
//! towards what is free. The sizes are those that `partition` planned with; a
//! difference is an internal error, never a warning.

use crate::contract::Contract;
use crate::manager::PassContext;
use crate::regions::{Links, Need, Sizes, cuts};
use crate::registry::{LayOutMemory, Transform};
use ir::app::{AppGraph, Population};
use ir::code::Code;
use ir::diag::{Diagnostic, Result};
use ir::facts::Fact;
use ir::id::VertexId;
use ir::machine_graph::{MachineGraph, MachineVertex};
use ir::memory::{MemoryLayout, Region, RegionKind};
use ir::{Module, Origin, Target};
use std::collections::BTreeMap;

impl Transform for LayOutMemory {
    const CONTRACT: Contract =
        Contract::requires(&[Fact::Partitioned, Fact::Selected]).establishes(&[Fact::LaidOut]);

    fn run(module: &mut Module, context: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        module.layouts = lay_out(&module.app, &module.machine_graph, context.target)?;
        Ok(Vec::new())
    }
}

/// Layouts of all vertices.
pub fn lay_out(
    app: &AppGraph,
    graph: &MachineGraph,
    target: &Target,
) -> Result<BTreeMap<VertexId, MemoryLayout>> {
    let cuts = cuts(app, graph);
    let mut layouts = BTreeMap::new();
    for (&pop, senders) in &cuts {
        let need = Need::of(app, pop)?;
        let links = Links::new(app, pop, &need, &cuts);
        for sender in senders {
            let vertex = &graph.vertices[sender.vertex];
            let need = need.clone().on_array(vertex.array.clone());
            let regions = need.regions(sender.slice, &links, target);
            let sizes = Sizes::sum(&regions, vertex.budget.cycles);
            if sizes.fit(target) != Some(vertex.budget) {
                return Err(disagree(&app.populations[pop], vertex, sizes).into());
            }
            layouts.insert(sender.vertex, addresses(&regions, target)?);
        }
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
    use ir::id::{Id, PopId};

    #[test]
    fn regions_follow_each_other_and_add_up_to_the_budget() {
        let mut app = quantised(
            &[("in", 5000), ("hid", 8), ("z", 3)],
            &["in>hid", "hid~hid", "hid>z", "in>z"],
        );
        let target = Target::spinnaker2();
        let (graph, _) =
            partition(&mut app, &target, 10_000, &MappingOptions::default()).expect("fits");
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
        let mut app = quantised(&[("in", 4), ("hid", 3)], &["in>hid"]);
        let target = Target::spinnaker2();
        let (mut graph, _) =
            partition(&mut app, &target, 1000, &MappingOptions::default()).expect("fits");
        graph.vertices[VertexId::from_index(1)].budget.rows += 8;
        let error = lay_out(&app, &graph, &target).expect_err("8 bytes too many");
        assert_eq!(error.0[0].code, ir::Code::Internal);
    }
}
