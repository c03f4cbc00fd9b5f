//! ROUTED: trees that reach exactly the sinks.

use super::findings::{Findings, vertex};
use crate::geometry::{ChipCoord, GlobalPe};
use crate::id::NetId;
use crate::machine::Machine;
use crate::machine_graph::Net;
use crate::module::Module;
use crate::routing::{Link, RoutingTree};
use std::collections::BTreeSet;

/// The chip at the other end of a link; `None` at the edge of the machine,
/// which does not wrap around.
pub fn neighbour(machine: &Machine, chip: ChipCoord, link: Link) -> Option<ChipCoord> {
    let (dx, dy) = match link {
        Link::East => (1, 0),
        Link::NorthEast => (1, 1),
        Link::North => (0, 1),
        Link::West => (-1, 0),
        Link::SouthWest => (-1, -1),
        Link::South => (0, -1),
    };
    let x = chip.x.checked_add_signed(dx)?;
    let y = chip.y.checked_add_signed(dy)?;
    Some(ChipCoord { x, y }).filter(|c| machine.contains(*c))
}

/// The PEs of a net's sinks.
pub(super) fn sinks(m: &Module, net: &Net) -> BTreeSet<GlobalPe> {
    let places = net.sinks.iter().filter_map(|v| m.placements.get(v));
    places.copied().collect()
}

pub(super) fn check(m: &Module, found: &mut Findings) {
    for (id, net) in m.machine_graph.nets.iter() {
        let (name, origin) = vertex(m, net.source);
        match m.trees.get(&id) {
            None => found.add(origin, format!("the net of {name} has no routing tree")),
            Some(tree) => {
                if let Some(fault) = fault(m, id, net, tree) {
                    let message = format!("the routing tree of {name} is wrong");
                    found.add_with(origin, message, fault);
                }
            }
        }
    }
}

fn fault(m: &Module, id: NetId, net: &Net, tree: &RoutingTree) -> Option<String> {
    let start = m.placements.get(&net.source)?.chip;
    if tree.root != start {
        return Some(format!(
            "{id} starts at {}, its source is on {start}",
            tree.root
        ));
    }
    let mut entered = BTreeSet::from([tree.root]);
    let mut delivered = BTreeSet::new();
    let mut ahead = vec![tree.root];
    while let Some(chip) = ahead.pop() {
        // A chip without a hop delivers nothing; the sinks will tell.
        let Some(targets) = tree.hops.get(&chip) else {
            continue;
        };
        delivered.extend(targets.pes.iter().map(|&pe| GlobalPe { chip, pe }));
        for &link in &targets.links {
            let Some(next) = neighbour(&m.machine, chip, link) else {
                return Some(format!("{id} leaves the machine at {chip} {}", link.name()));
            };
            if !entered.insert(next) {
                return Some(format!("{id} enters {next} twice"));
            }
            ahead.push(next);
        }
    }
    if let Some(chip) = tree.hops.keys().find(|chip| !entered.contains(chip)) {
        return Some(format!("{id} never enters {chip}"));
    }
    let wanted = sinks(m, net);
    let missed = wanted.difference(&delivered).next();
    let extra = delivered.difference(&wanted).next();
    missed
        .map(|pe| format!("{id} does not reach {pe}"))
        .or_else(|| extra.map(|pe| format!("{id} reaches {pe}, where no sink is")))
}
