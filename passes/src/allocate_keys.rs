//! `allocate-keys`: gives every net a block of multicast keys.
//!
//! Atom `lo + i` of the source sends `key + i`, and a router compares bits
//! under a mask, so a block is a power of two, aligned to its size. Nets take
//! blocks in their own order: slices of one population lie side by side, which
//! is what later lets their entries merge.

use crate::contract::Contract;
use crate::manager::PassContext;
use crate::registry::{AllocateKeys, Transform};
use ir::code::Code;
use ir::diag::{Diagnostic, Result};
use ir::facts::Fact;
use ir::id::NetId;
use ir::key::KeyMask;
use ir::machine_graph::MachineGraph;
use ir::{Module, Target};
use std::collections::BTreeMap;

impl Transform for AllocateKeys {
    const CONTRACT: Contract = Contract::requires(&[Fact::Partitioned])
        .establishes(&[Fact::Keyed])
        .destroys(&[Fact::Tabled, Fact::Compressed]);

    fn run(module: &mut Module, context: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        let keys = allocate(&module.machine_graph, context.target);
        module.keys = keys.map_err(|net| exhausted(module, context.target, net))?;
        Ok(Vec::new())
    }
}

/// Blocks for all nets, or the first net for which no key is left.
pub fn allocate(
    graph: &MachineGraph,
    target: &Target,
) -> std::result::Result<BTreeMap<NetId, KeyMask>, NetId> {
    let mut next = u64::from(target.planning.key_base);
    let mut keys = BTreeMap::new();
    for (id, net) in graph.nets.iter() {
        let size = u64::from(graph.vertices[net.source].slice.n.max(1)).next_power_of_two();
        let start = next.next_multiple_of(size);
        let block = u32::try_from(start)
            .ok()
            .filter(|_| start + size <= 1 << 32)
            .and_then(|key| KeyMask::block(key, size.trailing_zeros()));
        keys.insert(id, block.ok_or(id)?);
        next = start + size;
    }
    Ok(keys)
}

fn exhausted(module: &Module, target: &Target, net: NetId) -> Diagnostic {
    let graph = &module.machine_graph;
    let vertex = &graph.vertices[graph.nets[net].source];
    let population = &module.app.populations[vertex.population];
    let taken: u64 = graph
        .nets
        .values()
        .map(|n| u64::from(graph.vertices[n.source].slice.n.max(1)).next_power_of_two())
        .sum();
    Diagnostic::error(
        Code::KeysExhausted,
        &population.origin,
        format!(
            "no multicast keys are left for population '{}'",
            ir::origin::escape(&population.name)
        ),
    )
    .note(format!(
        "{} blocks of {taken} keys in all, from {:#010x} upwards; 2^32 exist",
        graph.nets.len(),
        target.planning.key_base
    ))
    .help("use fewer atoms")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::MappingOptions;
    use crate::testing::quantised;

    fn graph() -> MachineGraph {
        let mut app = quantised(&[("in", 3), ("hid", 100), ("z", 1)], &["in>hid", "hid>z"]);
        let options = MappingOptions::default();
        let cut = crate::partition::partition(&mut app, &Target::spinnaker2(), 1000, &options);
        cut.expect("fits").0
    }

    #[test]
    fn blocks_are_aligned_and_disjoint() {
        let keys = allocate(&graph(), &Target::spinnaker2()).expect("plenty");
        let text: Vec<String> = keys.values().map(KeyMask::to_string).collect();
        assert_eq!(
            text,
            [
                "0x00010000/0xfffffffc",
                "0x00010080/0xffffff80",
                "0x00010100/0xffffffff"
            ]
        );
        let all: Vec<_> = keys.values().copied().collect();
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| !a.overlaps(*b)));
        }
    }

    #[test]
    fn the_end_of_the_key_space_is_an_error() {
        let mut target = Target::spinnaker2();
        target.planning.key_base = 0xffff_ff80;
        let error = allocate(&graph(), &target).expect_err("4 + 128 keys from there");
        assert_eq!(error.to_string(), "%n1");
    }
}
