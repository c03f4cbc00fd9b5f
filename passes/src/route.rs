//! `route`: a tree of links from every net's source to its sinks.
//!
//! Chips form a hexagonal mesh: besides the four sides there is a link to the
//! north-east and one to the south-west. A shortest path goes diagonally while
//! both distances have the same sign and straight for the rest; the longer of
//! the two parts comes first, which spreads the load. A path that meets the
//! tree is cut there, so every chip is entered once.

use crate::contract::Contract;
use crate::manager::PassContext;
use crate::registry::{Route, Transform};
use ir::Module;
use ir::diag::{Diagnostic, Result};
use ir::facts::Fact;
use ir::geometry::{ChipCoord, GlobalPe};
use ir::id::{NetId, VertexId};
use ir::machine_graph::MachineGraph;
use ir::routing::{Link, RoutingTree};
use std::collections::BTreeMap;

impl Transform for Route {
    const CONTRACT: Contract = Contract::requires(&[Fact::Placed])
        .establishes(&[Fact::Routed])
        .destroys(&[Fact::Tabled, Fact::Compressed]);

    fn run(module: &mut Module, _: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        let trees = route(&module.machine_graph, &module.placements);
        module.trees = trees.ok_or_else(|| Diagnostic::internal("a vertex has no place"))?;
        Ok(Vec::new())
    }
}

/// The trees of all nets; `None` if a vertex is not placed.
pub fn route(
    graph: &MachineGraph,
    placements: &BTreeMap<VertexId, GlobalPe>,
) -> Option<BTreeMap<NetId, RoutingTree>> {
    let mut trees = BTreeMap::new();
    for (id, net) in graph.nets.iter() {
        let root = placements.get(&net.source)?.chip;
        let mut tree = RoutingTree {
            root,
            hops: BTreeMap::from([(root, Default::default())]),
        };
        let sinks: Option<Vec<GlobalPe>> = net
            .sinks
            .iter()
            .map(|s| placements.get(s).copied())
            .collect();
        let mut sinks = sinks?;
        // Nearest first, so that later paths find more of the tree to join.
        sinks.sort_by_key(|s| (distance(root, s.chip), *s));
        for sink in sinks {
            reach(&mut tree, sink.chip);
            tree.hops.entry(sink.chip).or_default().pes.insert(sink.pe);
        }
        trees.insert(id, tree);
    }
    Some(trees)
}

/// Extends the tree to a chip.
fn reach(tree: &mut RoutingTree, to: ChipCoord) {
    if tree.hops.contains_key(&to) {
        return;
    }
    let path = path(tree.root, to);
    let joined = path
        .iter()
        .rposition(|(chip, _)| tree.hops.contains_key(chip));
    for &(chip, link) in &path[joined.unwrap_or(0)..] {
        tree.hops.entry(chip).or_default().links.insert(link);
    }
    tree.hops.entry(to).or_default();
}

/// The chips of a shortest path with the link that leaves each.
fn path(from: ChipCoord, to: ChipCoord) -> Vec<(ChipCoord, Link)> {
    let dx = i32::from(to.x) - i32::from(from.x);
    let dy = i32::from(to.y) - i32::from(from.y);
    let diagonal = if dx.signum() == dy.signum() {
        dx.abs().min(dy.abs()) * dx.signum()
    } else {
        0
    };
    let mut parts = vec![
        (
            diagonal.abs(),
            if diagonal > 0 {
                Link::NorthEast
            } else {
                Link::SouthWest
            },
        ),
        (
            (dx - diagonal).abs(),
            if dx > diagonal {
                Link::East
            } else {
                Link::West
            },
        ),
        (
            (dy - diagonal).abs(),
            if dy > diagonal {
                Link::North
            } else {
                Link::South
            },
        ),
    ];
    parts.sort_by_key(|&(steps, link)| (-steps, link));
    let mut at = from;
    let mut path = Vec::new();
    for (steps, link) in parts {
        for _ in 0..steps {
            path.push((at, link));
            at = neighbour(at, link);
        }
    }
    path
}

/// The chip behind a link. Paths stay between their ends, so nothing wraps.
pub fn neighbour(chip: ChipCoord, link: Link) -> ChipCoord {
    let (dx, dy) = match link {
        Link::East => (1, 0),
        Link::NorthEast => (1, 1),
        Link::North => (0, 1),
        Link::West => (-1, 0),
        Link::SouthWest => (-1, -1),
        Link::South => (0, -1),
    };
    ChipCoord {
        x: chip.x.wrapping_add_signed(dx),
        y: chip.y.wrapping_add_signed(dy),
    }
}

fn distance(from: ChipCoord, to: ChipCoord) -> usize {
    path(from, to).len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::geometry::PeCoord;
    use ir::id::{Id, PopId};
    use ir::machine_graph::{AtomSlice, MachineVertex, Net};
    use std::collections::BTreeSet;

    fn chip(x: u16, y: u16) -> ChipCoord {
        ChipCoord { x, y }
    }

    /// One net from the first chip to all of them.
    fn tree(chips: &[ChipCoord]) -> RoutingTree {
        let mut graph = MachineGraph::default();
        let mut placements = BTreeMap::new();
        for &chip in chips {
            let vertex = graph.vertices.push(MachineVertex {
                population: PopId::from_index(0),
                slice: AtomSlice { lo: 0, n: 1 },
                budget: Default::default(),
            });
            let pe = PeCoord::new(1, 1, 0).expect("in the byte");
            placements.insert(vertex, GlobalPe { chip, pe });
        }
        graph.nets.push(Net {
            source: VertexId::from_index(0),
            sinks: graph.vertices.ids().collect(),
            projections: vec![],
        });
        let trees = route(&graph, &placements).expect("placed");
        trees.into_values().next().expect("one net")
    }

    /// Walks the tree: each chip is entered once and all are reached.
    fn reached(tree: &RoutingTree) -> BTreeSet<ChipCoord> {
        let mut seen = BTreeSet::new();
        let mut stack = vec![tree.root];
        while let Some(at) = stack.pop() {
            assert!(seen.insert(at), "{at} is entered twice");
            stack.extend(tree.hops[&at].links.iter().map(|&l| neighbour(at, l)));
        }
        seen
    }

    #[test]
    fn one_chip_needs_no_link() {
        let tree = tree(&[chip(0, 0), chip(0, 0)]);
        assert_eq!(tree.hops.len(), 1);
        assert_eq!(tree.hops[&chip(0, 0)].pes.len(), 1);
        assert!(tree.hops[&chip(0, 0)].links.is_empty());
    }

    #[test]
    fn diagonals_shorten_the_way() {
        assert_eq!(distance(chip(0, 0), chip(3, 2)), 3);
        assert_eq!(distance(chip(3, 0), chip(0, 2)), 5);
        assert_eq!(distance(chip(3, 3), chip(0, 1)), 3);
    }

    #[test]
    fn every_chip_of_a_mesh_is_reached_once_from_anywhere() {
        let all: Vec<_> = (0..5)
            .flat_map(|y| (0..6).map(move |x| chip(x, y)))
            .collect();
        for i in 0..all.len() {
            let mut order = all.clone();
            order.swap(0, i);
            let tree = tree(&order);
            assert_eq!(reached(&tree).len(), all.len());
            assert_eq!(tree.hops.len(), all.len());
        }
    }
}
