//! `build-tables`: writes the routing trees as one table per chip.
//!
//! Every chip on a net's tree gets an entry, the source's chip also if the
//! spikes go nowhere: a packet that matches nothing would count as lost.

use crate::contract::Contract;
use crate::manager::PassContext;
use crate::registry::{BuildTables, Transform};
use ir::Module;
use ir::code::Code;
use ir::diag::{Diagnostic, Result};
use ir::facts::Fact;
use ir::geometry::ChipCoord;
use ir::id::NetId;
use ir::key::KeyMask;
use ir::origin::Origin;
use ir::routing::{RoutingEntry, RoutingTree};
use std::collections::BTreeMap;

impl Transform for BuildTables {
    const CONTRACT: Contract = Contract::requires(&[Fact::Keyed, Fact::Routed])
        .establishes(&[Fact::Tabled])
        .destroys(&[Fact::Compressed]);

    fn run(module: &mut Module, context: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        let tables = build(&module.trees, &module.keys);
        let tables = tables.ok_or_else(|| Diagnostic::internal("a net has a tree but no key"))?;
        let capacity = context.target.router.entries as usize;
        for (chip, table) in &tables {
            if table.len() > capacity {
                return Err(full(*chip, table.len(), capacity).into());
            }
        }
        module.tables = tables;
        Ok(Vec::new())
    }
}

/// The tables of all chips on any tree, each ascending by key; `None` if a net
/// has no key.
pub fn build(
    trees: &BTreeMap<NetId, RoutingTree>,
    keys: &BTreeMap<NetId, KeyMask>,
) -> Option<BTreeMap<ChipCoord, Vec<RoutingEntry>>> {
    let mut by_key: BTreeMap<ChipCoord, BTreeMap<KeyMask, RoutingEntry>> = BTreeMap::new();
    for (&net, tree) in trees {
        let key = *keys.get(&net)?;
        for (&chip, targets) in &tree.hops {
            let table = by_key.entry(chip).or_default();
            let entry = table.entry(key).or_insert_with(|| RoutingEntry {
                key,
                targets: Default::default(),
                nets: Vec::new(),
            });
            entry.targets.links.extend(&targets.links);
            entry.targets.pes.extend(&targets.pes);
            entry.nets.push(net);
        }
    }
    let sorted = |(chip, table): (_, BTreeMap<_, _>)| (chip, table.into_values().collect());
    Some(by_key.into_iter().map(sorted).collect())
}

fn full(chip: ChipCoord, entries: usize, capacity: usize) -> Diagnostic {
    Diagnostic::error(
        Code::TableFull,
        &Origin::Compiler,
        format!("the routing table of {chip} is full"),
    )
    .note(format!(
        "{entries} entries for {capacity} places, one for each slice that sends there"
    ))
    .help("use larger slices (--atoms-per-core) or fewer populations")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::geometry::PeCoord;
    use ir::id::Id;
    use ir::routing::{Link, Targets};

    #[test]
    fn entries_ascend_by_key_and_silent_nets_keep_theirs() {
        let here = ChipCoord { x: 0, y: 0 };
        let pe = PeCoord::new(1, 1, 1).expect("in the byte");
        let net = NetId::from_index;
        let tree = |targets: Targets| RoutingTree {
            root: here,
            hops: BTreeMap::from([(here, targets)]),
        };
        let pes = Targets {
            pes: [pe].into(),
            links: [Link::East].into(),
        };
        let trees = BTreeMap::from([(net(0), tree(pes)), (net(1), tree(Targets::default()))]);
        let block = |key| KeyMask::block(key, 4).expect("aligned");
        let keys = BTreeMap::from([(net(0), block(0x20)), (net(1), block(0x10))]);
        let tables = build(&trees, &keys).expect("keys for both");
        let text: Vec<String> = tables[&here].iter().map(RoutingEntry::to_string).collect();
        assert_eq!(
            text,
            [
                "0x00000010/0xfffffff0 -> none",
                "0x00000020/0xfffffff0 -> E pe(1,1,1)"
            ]
        );
        assert!(build(&trees, &BTreeMap::new()).is_none());
    }

    #[test]
    fn a_full_table_says_how_full() {
        let text = full(ChipCoord { x: 0, y: 0 }, 16_385, 16_384).to_string();
        assert!(text.contains("16385 entries for 16384 places"));
    }
}
