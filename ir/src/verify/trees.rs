//! ROUTED: trees that reach exactly the sinks.

use super::findings::{Findings, vertex};
use crate::geometry::GlobalPe;
use crate::id::NetId;
use crate::machine_graph::Net;
use crate::module::Module;
use crate::routing::RoutingTree;
use std::collections::BTreeSet;

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
            let Some(next) = m.machine.neighbour(chip, link) else {
                let dead = m.machine.beyond(chip, link).is_some();
                let what = if dead {
                    "uses the dead link"
                } else {
                    "leaves the machine at"
                };
                return Some(format!("{id} {what} {chip} {}", link.name()));
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
