//! Packets of whole steps that were measured, by sending vertex.

use ir::app::Sends;
use ir::{Module, PopId, VertexId};
use passes::Activity;
use passes::activity::{At, always, mark};
use std::collections::{BTreeMap, BTreeSet};

/// A packet: key and payload.
pub(super) type Packet = (u32, Option<u32>);

/// What a vertex sent, by step; steps in which it sent nothing are left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent(BTreeMap<At, Vec<Packet>>);

impl Sent {
    pub(super) fn packets(&self, at: At) -> &[Packet] {
        self.0.get(&at).map_or(&[], Vec::as_slice)
    }
}

/// The steps that are known of every population that was measured.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    steps: BTreeSet<At>,
    sent: BTreeMap<VertexId, Sent>,
}

impl Recorded {
    pub(super) fn new(module: &Module, activity: &Activity) -> Self {
        let mut all = Self::default();
        let mut first = true;
        for (pop, population) in module.app.populations.iter() {
            let rows = activity.steps().of(&population.name);
            let Some(rows) = rows.filter(|_| !always(population)) else {
                continue;
            };
            match first {
                true => all.steps = rows.keys().copied().collect(),
                false => all.steps.retain(|at| rows.contains_key(at)),
            }
            first = false;
            let slices = Slices::of(module, pop);
            all.sent.extend(slices.ids().map(|v| (v, Sent::default())));
            for (&at, row) in rows {
                for (atom, number) in row.packets() {
                    if atom as usize >= population.n_atoms() {
                        continue;
                    }
                    let position = population
                        .order
                        .position_of(atom as usize, &population.shape);
                    let Some((vertex, key)) = slices.at(position as u32) else {
                        continue;
                    };
                    let payload = match population.sends {
                        Sends::Spikes => None,
                        Sends::Counts { .. } => Some(number.max(1.0) as u32),
                        Sends::Values => Some(number.to_bits()),
                    };
                    let sent = all.sent.entry(vertex).or_default();
                    sent.0.entry(at).or_default().push((key, payload));
                }
            }
        }
        all
    }

    pub(super) fn of(&self, vertex: VertexId) -> Option<&Sent> {
        self.sent.get(&vertex)
    }

    pub(super) fn knows(&self, at: At) -> bool {
        self.steps.contains(&at)
    }

    /// Steps of which all of these many steps before are known too.
    pub(super) fn after<'a>(&'a self, shifts: &'a BTreeSet<u32>) -> impl Iterator<Item = At> + 'a {
        let known = |at: At, &n: &u32| at.before(n).is_some_and(|b| self.knows(b));
        let steps = self.steps.iter().copied();
        steps.filter(move |&at| shifts.iter().all(|n| known(at, n)))
    }
}

/// The vertices of a population by their first position, and their first keys.
struct Slices(Vec<(u32, u32, VertexId, u32)>);

impl Slices {
    fn of(module: &Module, pop: PopId) -> Self {
        let graph = &module.machine_graph;
        let vertices = graph.vertices.iter().filter(|(_, v)| v.population == pop);
        let slice = |id: VertexId, v: &ir::machine_graph::MachineVertex| {
            let key = module.keys.get(&graph.net_of(id)?)?;
            Some((v.slice.lo, v.slice.n, id, key.key()))
        };
        let mut all: Vec<_> = vertices.filter_map(|(id, v)| slice(id, v)).collect();
        all.sort_unstable();
        Self(all)
    }

    fn ids(&self) -> impl Iterator<Item = VertexId> + '_ {
        self.0.iter().map(|s| s.2)
    }

    /// The vertex of a position and the key that it sends.
    fn at(&self, position: u32) -> Option<(VertexId, u32)> {
        let i = self.0.partition_point(|s| s.0 <= position).checked_sub(1)?;
        let &(lo, n, vertex, key) = self.0.get(i)?;
        (position - lo < n).then_some((vertex, key + position - lo))
    }
}

/// A step that stands for others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Chosen {
    pub(super) at: At,
    /// The share of all steps that it stands for.
    pub(super) share: f64,
}

/// Steps that stand for all others.
const CHOSEN: usize = 64;

/// Some of the steps, of which a number says how busy they are: half of them spread over
/// the steps, half over the work, so that neither many quiet steps nor a few busy ones
/// are left out. Ascending by work; shares add up to 1.
pub(super) fn choose(mut steps: Vec<(u64, At)>) -> Vec<Chosen> {
    steps.sort_by_key(|&(work, at)| (work, mark(at.sample, at.step), at));
    let total: u64 = steps.iter().map(|s| s.0).sum();
    let n = steps.len() as f64;
    let weight = |work: u64| 0.5 / n + 0.5 * share(work, total, n);
    let mut before = 0.0;
    let mut groups: BTreeMap<usize, Vec<At>> = BTreeMap::new();
    for (work, at) in steps {
        let w = weight(work);
        let group = ((before + 0.5 * w) * CHOSEN as f64) as usize;
        groups.entry(group).or_default().push(at);
        before += w;
    }
    let stands = |group: Vec<At>| {
        let at = group.get(group.len() / 2).copied()?;
        let share = group.len() as f64 / n;
        Some(Chosen { at, share })
    };
    groups.into_values().filter_map(stands).collect()
}

fn share(work: u64, total: u64, steps: f64) -> f64 {
    match total {
        0 => 1.0 / steps,
        _ => work as f64 / total as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(step: u32) -> At {
        At { sample: 0, step }
    }

    #[test]
    fn few_steps_stand_for_themselves() {
        let steps = (0..10).map(|i| (3, at(i))).collect();
        let chosen = choose(steps);
        assert_eq!(chosen.len(), 10);
        assert!(chosen.iter().all(|c| c.share == 0.1));
        assert!(choose(Vec::new()).is_empty());
    }

    #[test]
    fn rare_busy_steps_are_not_left_out() {
        let packets = |i: u32| {
            if i.is_multiple_of(500) {
                40 + u64::from(i)
            } else {
                0
            }
        };
        let steps: Vec<_> = (0..5000).map(|i| (packets(i), at(i))).collect();
        let chosen = choose(steps);
        assert!(chosen.len() <= CHOSEN);
        let sum: f64 = chosen.iter().map(|c| c.share).sum();
        assert!((sum - 1.0).abs() < 1e-9);
        let busy: Vec<_> = chosen.iter().filter(|c| packets(c.at.step) > 0).collect();
        assert!(busy.len() >= 9, "{busy:?}");
        let share: f64 = busy.iter().map(|c| c.share).sum();
        assert!((share - 10.0 / 5000.0).abs() < 1e-3, "{share}");
    }
}
