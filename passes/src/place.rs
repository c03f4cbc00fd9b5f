//! `place`: gives every vertex a PE of its own.
//!
//! Every spike crosses the chip's one router, so what a place costs is its
//! distance from the router times the packets that the vertex sends and
//! receives. Vertices go to chips in their own order, which keeps populations
//! together, and on each chip the busiest vertex takes the nearest PE.

use crate::contract::Contract;
use crate::manager::PassContext;
use crate::registry::{Place, Transform};
use ir::code::Code;
use ir::diag::{Diagnostic, Result};
use ir::facts::Fact;
use ir::geometry::{ChipCoord, GlobalPe};
use ir::id::{IdVec, VertexId};
use ir::machine::Machine;
use ir::machine_graph::MachineGraph;
use ir::{Module, Origin, Target};
use std::cmp::Reverse;
use std::collections::BTreeMap;

impl Transform for Place {
    const CONTRACT: Contract = Contract::requires(&[Fact::Partitioned])
        .establishes(&[Fact::Placed])
        .destroys(&[Fact::Routed, Fact::Tabled, Fact::Compressed]);

    fn run(module: &mut Module, context: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        let placed = place(&module.machine_graph, &module.machine, context.target);
        module.placements = placed.map_err(|e| unplaced(module, context.target, e))?;
        Ok(Vec::new())
    }
}

/// There are more vertices than PEs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unplaced {
    pub vertices: usize,
    pub pes: usize,
}

/// Places all vertices or none. Ties go to the lower id.
pub fn place(
    graph: &MachineGraph,
    machine: &Machine,
    target: &Target,
) -> std::result::Result<BTreeMap<VertexId, GlobalPe>, Unplaced> {
    let pes = machine.application_pes(target);
    if graph.vertices.len() > pes.len() {
        return Err(Unplaced {
            vertices: graph.vertices.len(),
            pes: pes.len(),
        });
    }
    let traffic = traffic(graph);
    let mut by_chip: BTreeMap<ChipCoord, Vec<GlobalPe>> = BTreeMap::new();
    for &pe in &pes {
        by_chip.entry(pe.chip).or_default().push(pe);
    }
    let mut vertices = graph.vertices.ids();
    let mut placements = BTreeMap::new();
    for chip in machine.chips() {
        let Some(pes) = by_chip.get(&chip) else {
            continue;
        };
        let mut here: Vec<VertexId> = vertices.by_ref().take(pes.len()).collect();
        here.sort_by_key(|&v| (Reverse(traffic[v]), v));
        placements.extend(here.into_iter().zip(pes.iter().copied()));
    }
    Ok(placements)
}

/// Packets that a vertex sends and receives if every atom spikes.
fn traffic(graph: &MachineGraph) -> IdVec<VertexId, u64> {
    let mut traffic: IdVec<VertexId, u64> = graph.vertices.ids().map(|_| 0).collect();
    for net in graph.nets.values() {
        let spikes = u64::from(graph.vertices[net.source].slice.n);
        traffic[net.source] += spikes;
        for &sink in &net.sinks {
            traffic[sink] += spikes;
        }
    }
    traffic
}

fn unplaced(module: &Module, target: &Target, error: Unplaced) -> Diagnostic {
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for vertex in module.machine_graph.vertices.values() {
        *counts.entry(vertex.population).or_default() += 1;
    }
    let largest = counts.iter().max_by_key(|(id, n)| (**n, Reverse(**id)));
    let largest = largest.map(|(&id, _)| &module.app.populations[id]);
    let origin = largest.map_or(Origin::Compiler, |p| p.origin.clone());
    let each: Vec<String> = counts
        .iter()
        .map(|(&id, n)| {
            let name = ir::origin::escape(&module.app.populations[id].name);
            format!("'{name}' {n}")
        })
        .collect();
    let chips = module.machine.chips().count();
    Diagnostic::error(
        Code::DoesNotFit,
        &origin,
        format!(
            "the network needs {} PEs and the machine has {}",
            error.vertices, error.pes
        ),
    )
    .note(format!("PEs by population: {}", each.join(", ")))
    .note(format!(
        "{chips} chips x {} PEs for applications - {} dead = {} free; {} would be placed, {} not",
        target.application_pes().len(),
        module.machine.dead_pes.len(),
        error.pes,
        error.pes,
        error.vertices - error.pes
    ))
    .help("use more chips (--chips), a longer --time-step, or --weights int8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::MappingOptions;
    use crate::testing::quantised;
    use ir::id::Id;

    fn graph(atoms: usize, most: u32) -> MachineGraph {
        let options = MappingOptions {
            atoms_per_core: BTreeMap::from([("hid".to_owned(), most)]),
            ..MappingOptions::default()
        };
        let mut app = quantised(&[("in", 4), ("hid", atoms)], &["in>hid", "hid~hid"]);
        let cut = crate::partition::partition(&mut app, &Target::spinnaker2(), 1000, &options);
        cut.expect("fits").0
    }

    #[test]
    fn every_vertex_has_a_pe_of_its_own_and_the_busiest_is_nearest() {
        let target = Target::spinnaker2();
        let graph = graph(80, 8);
        let placed = place(&graph, &Machine::new(1, 1), &target).expect("11 vertices");
        let distinct: std::collections::BTreeSet<_> = placed.values().collect();
        assert_eq!(distinct.len(), 11);
        let hops = |v| target.router_hops(placed[&v].pe);
        // the input sends four spikes, every slice of 'hid' receives 84
        let input = VertexId::from_index(0);
        assert!(graph.vertices.ids().all(|v| hops(v) <= hops(input)));
    }

    #[test]
    fn dead_pes_are_left_out() {
        let target = Target::spinnaker2();
        let graph = graph(8, 8);
        let first = place(&graph, &Machine::new(1, 1), &target).expect("2 vertices");
        let dead = first[&VertexId::from_index(1)];
        let machine = Machine::new(1, 1).without_pe(dead);
        let second = place(&graph, &machine, &target).expect("still 2 vertices");
        assert!(second.values().all(|pe| *pe != dead));
    }

    #[test]
    fn exactly_full_fits_and_one_more_does_not() {
        let target = Target::spinnaker2();
        let machine = Machine::new(1, 1);
        assert!(place(&graph(147, 1), &machine, &target).is_ok());
        let error = place(&graph(148, 1), &machine, &target).expect_err("149 vertices");
        assert_eq!((error.vertices, error.pes), (149, 148));
        assert!(place(&graph(148, 1), &Machine::new(2, 1), &target).is_ok());
    }
}
