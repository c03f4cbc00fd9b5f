//! `route`: a tree of links from every net's source to its sinks.
//!
//! Chips form a hexagonal mesh: besides the four sides there is a link to the
//! north-east and one to the south-west. A shortest path goes diagonally while
//! both distances have the same sign and straight for the rest; the longer of
//! the two parts comes first, which spreads the load. Where that path meets a
//! place without a chip or a dead link, a shortest path around is searched. A
//! path that meets the tree is cut there, so every chip is entered once.

use crate::contract::Contract;
use crate::manager::PassContext;
use crate::registry::{Route, Transform};
use ir::code::Code;
use ir::diag::{Diagnostic, Result};
use ir::facts::Fact;
use ir::geometry::{ChipCoord, GlobalPe};
use ir::id::{NetId, VertexId};
use ir::machine::Machine;
use ir::machine_graph::MachineGraph;
use ir::routing::{Link, RoutingTree};
use ir::{Module, Origin};
use std::collections::{BTreeMap, VecDeque};

impl Transform for Route {
    const CONTRACT: Contract = Contract::requires(&[Fact::Placed])
        .establishes(&[Fact::Routed])
        .destroys(&[Fact::Tabled, Fact::Compressed]);

    fn run(module: &mut Module, _: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        let trees = route(&module.machine_graph, &module.placements, &module.machine);
        module.trees = trees.map_err(|e| unrouted(module, e))?;
        Ok(Vec::new())
    }
}

/// Why there are no trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrouted {
    /// A vertex has no place.
    Unplaced,
    /// No path of working links leads there.
    Unreachable {
        net: NetId,
        from: ChipCoord,
        to: GlobalPe,
    },
}

/// The trees of all nets.
pub fn route(
    graph: &MachineGraph,
    placements: &BTreeMap<VertexId, GlobalPe>,
    machine: &Machine,
) -> std::result::Result<BTreeMap<NetId, RoutingTree>, Unrouted> {
    let mut trees = BTreeMap::new();
    // Nets of one chip mostly take the same paths.
    let mut known: BTreeMap<(ChipCoord, ChipCoord), Option<Path>> = BTreeMap::new();
    for (id, net) in graph.nets.iter() {
        let root = placements.get(&net.source).ok_or(Unrouted::Unplaced)?.chip;
        let mut tree = RoutingTree {
            root,
            hops: BTreeMap::from([(root, Default::default())]),
        };
        let sinks: Option<Vec<GlobalPe>> = net
            .sinks
            .iter()
            .map(|s| placements.get(s).copied())
            .collect();
        let mut sinks = sinks.ok_or(Unrouted::Unplaced)?;
        // Nearest first, so that later paths find more of the tree to join.
        sinks.sort_by_key(|s| (machine.distance(root, s.chip), *s));
        for sink in sinks {
            if !tree.hops.contains_key(&sink.chip) {
                let path = known
                    .entry((root, sink.chip))
                    .or_insert_with(|| path(machine, root, sink.chip));
                let unreachable = Unrouted::Unreachable {
                    net: id,
                    from: root,
                    to: sink,
                };
                reach(&mut tree, sink.chip, path.as_ref().ok_or(unreachable)?);
            }
            tree.hops.entry(sink.chip).or_default().pes.insert(sink.pe);
        }
        trees.insert(id, tree);
    }
    Ok(trees)
}

/// The chips of a path, each with the link that leaves it.
type Path = Vec<(ChipCoord, Link)>;

/// Extends the tree along a path from its root to a chip.
fn reach(tree: &mut RoutingTree, to: ChipCoord, path: &Path) {
    let joined = path
        .iter()
        .rposition(|(chip, _)| tree.hops.contains_key(chip));
    for &(chip, link) in &path[joined.unwrap_or(0)..] {
        tree.hops.entry(chip).or_default().links.insert(link);
    }
    tree.hops.entry(to).or_default();
}

/// A shortest path of working links; `None` if there is none.
fn path(machine: &Machine, from: ChipCoord, to: ChipCoord) -> Option<Path> {
    straight(machine, from, to).or_else(|| around(machine, from, to))
}

/// Diagonal and straight part, the longer one first; `None` if something is in
/// the way.
fn straight(machine: &Machine, from: ChipCoord, to: ChipCoord) -> Option<Path> {
    let (dx, dy) = machine.vector(from, to);
    let diagonal = if dx.signum() == dy.signum() {
        dx.abs().min(dy.abs()) * dx.signum()
    } else {
        0
    };
    let part =
        |steps: i32, [ahead, back]: [Link; 2]| (steps.abs(), if steps > 0 { ahead } else { back });
    let mut parts = [
        part(diagonal, [Link::NorthEast, Link::SouthWest]),
        part(dx - diagonal, [Link::East, Link::West]),
        part(dy - diagonal, [Link::North, Link::South]),
    ];
    parts.sort_by_key(|&(steps, link)| (-steps, link));
    let mut at = from;
    let mut path = Vec::new();
    for (steps, link) in parts {
        for _ in 0..steps {
            path.push((at, link));
            at = machine.neighbour(at, link)?;
        }
    }
    Some(path)
}

/// The first shortest path in the order of the links.
fn around(machine: &Machine, from: ChipCoord, to: ChipCoord) -> Option<Path> {
    // By chip, how it was entered.
    let mut entered: BTreeMap<ChipCoord, (ChipCoord, Link)> = BTreeMap::new();
    let mut open = VecDeque::from([from]);
    while let Some(at) = open.pop_front() {
        if at == to {
            break;
        }
        for link in Link::ALL {
            if let Some(next) = machine.neighbour(at, link)
                && next != from
                && !entered.contains_key(&next)
            {
                entered.insert(next, (at, link));
                open.push_back(next);
            }
        }
    }
    let mut path = Vec::new();
    let mut at = to;
    while at != from {
        let step = *entered.get(&at)?;
        path.push(step);
        at = step.0;
    }
    path.reverse();
    Some(path)
}

fn unrouted(module: &Module, error: Unrouted) -> Diagnostic {
    let Unrouted::Unreachable { net, from, to } = error else {
        return Diagnostic::internal("a vertex has no place");
    };
    let graph = &module.machine_graph;
    let population = |v: VertexId| &module.app.populations[graph.vertices[v].population];
    let source = population(graph.nets[net].source);
    let sink = graph.nets[net].sinks.iter();
    let sink = sink
        .copied()
        .find(|s| module.placements.get(s) == Some(&to));
    let name = |name: &str| ir::origin::escape(name);
    let origin = sink.map_or(&Origin::Compiler, |s| &population(s).origin);
    let to_name = sink.map_or(String::new(), |s| {
        format!("'{}' on ", name(&population(s).name))
    });
    Diagnostic::error(
        Code::DoesNotFit,
        origin,
        format!(
            "no path of working links leads from '{}' on {from} to {to_name}{to}",
            name(&source.name)
        ),
    )
    .note(format!(
        "{} links are dead: {}",
        module.machine.dead_links.len(),
        list(module.machine.dead_links.iter())
    ))
    .help("exclude fewer links (--dead-link), or use another size of machine (--chips)")
}

/// The first few of the dead links.
fn list<'a>(links: impl Iterator<Item = &'a (ChipCoord, Link)>) -> String {
    let all: Vec<String> = links
        .take(12)
        .map(|(chip, link)| format!("{chip} {}", link.name()))
        .collect();
    all.join(", ")
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
    fn tree(machine: &Machine, chips: &[ChipCoord]) -> std::result::Result<RoutingTree, Unrouted> {
        let mut graph = MachineGraph::default();
        let mut placements = BTreeMap::new();
        for &chip in chips {
            let vertex = graph.vertices.push(MachineVertex {
                array: Vec::new(),
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
        let trees = route(&graph, &placements, machine)?;
        Ok(trees.into_values().next().expect("one net"))
    }

    /// Walks the tree: each chip is entered once and all are reached.
    fn reached(machine: &Machine, tree: &RoutingTree) -> BTreeSet<ChipCoord> {
        let mut seen = BTreeSet::new();
        let mut stack = vec![tree.root];
        while let Some(at) = stack.pop() {
            assert!(seen.insert(at), "{at} is entered twice");
            let next = |&l: &Link| machine.neighbour(at, l).expect("a working link");
            stack.extend(tree.hops[&at].links.iter().map(next));
        }
        seen
    }

    #[test]
    fn one_chip_needs_no_link() {
        let tree = tree(&Machine::new(1, 1), &[chip(0, 0), chip(0, 0)]).expect("one chip");
        assert_eq!(tree.hops.len(), 1);
        assert_eq!(tree.hops[&chip(0, 0)].pes.len(), 1);
        assert!(tree.hops[&chip(0, 0)].links.is_empty());
    }

    #[test]
    fn diagonals_shorten_the_way() {
        let steps = |from, to| path(&Machine::new(4, 4), from, to).expect("a path").len();
        assert_eq!(steps(chip(0, 0), chip(3, 2)), 3);
        assert_eq!(steps(chip(3, 0), chip(0, 2)), 5);
        assert_eq!(steps(chip(3, 3), chip(0, 1)), 3);
    }

    #[test]
    fn every_chip_of_every_form_is_reached_once_from_anywhere() {
        let chip3 = chip(3, 3);
        for machine in [
            Machine::new(6, 5),
            Machine::new(8, 8),
            Machine::new(12, 12),
            Machine::new(8, 8)
                .without_link(chip3, Link::East)
                .without_link(chip3, Link::North)
                .without_link(chip(4, 4), Link::SouthWest),
        ] {
            let all: Vec<_> = machine.chips().collect();
            for i in (0..all.len()).step_by(5) {
                let mut order = all.clone();
                order.swap(0, i);
                let tree = tree(&machine, &order).expect("reachable");
                assert_eq!(reached(&machine, &tree).len(), all.len());
                assert_eq!(tree.hops.len(), all.len());
            }
        }
    }

    #[test]
    fn paths_are_shortest_and_go_around_what_is_missing() {
        let torus = Machine::new(12, 12);
        for to in torus.chips() {
            let path = path(&torus, chip(2, 9), to).expect("a path");
            assert_eq!(path.len() as u32, torus.distance(chip(2, 9), to));
        }
        // (0,3) to (4,7): the diagonal is on the board; (0,0) to (3,7) would leave it.
        let board = Machine::new(8, 8);
        for from in board.chips() {
            for to in board.chips() {
                let path = path(&board, from, to).expect("a path");
                assert!(path.len() as u32 >= board.distance(from, to));
            }
        }
        let cut = Machine::new(3, 1).without_link(chip(2, 0), Link::West);
        let error = tree(&cut, &[chip(0, 0), chip(1, 0), chip(2, 0)]).expect_err("cut off");
        assert!(matches!(error, Unrouted::Unreachable { to, .. } if to.chip == chip(2, 0)));
        let detour = Machine::new(2, 2).without_link(chip(0, 0), Link::East);
        let path = path(&detour, chip(0, 0), chip(1, 0)).expect("around");
        assert_eq!(path.len(), 2);
    }
}
