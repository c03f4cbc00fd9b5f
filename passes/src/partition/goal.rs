//! For what a network is cut: how many cycles a tick of a slice may take.

use super::{Plan, Subject};
use ir::diag::{Diagnostic, Result};

/// What `--optimise` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Goal {
    /// As few PEs as the deadline allows.
    #[default]
    Pes,
    /// The slowest PE of a step as fast as it can be with the PEs there are.
    Latency,
    /// Slices that keep the deadline at the low level, if there are PEs for them.
    Energy,
}

impl Goal {
    pub fn name(self) -> &'static str {
        match self {
            Goal::Pes => "pes",
            Goal::Latency => "latency",
            Goal::Energy => "energy",
        }
    }
}

/// The search for the shortest tick ends where another cut gains less than this share.
const FINE: u64 = 128;

/// Cuts for the goal; `limit` is the deadline at the high level.
pub(super) fn reach<'a>(
    subject: &Subject<'a>,
    limit: u64,
    pes: usize,
) -> Result<(Plan<'a>, Vec<Diagnostic>)> {
    let by_deadline = subject.sized(limit)?;
    // What misses the deadline or does not fit the machine is told as it is.
    if !by_deadline.1.is_empty() || by_deadline.0.vertices() > pes {
        return Ok(by_deadline);
    }
    match subject.options.goal {
        Goal::Pes => Ok(by_deadline),
        Goal::Energy => {
            let clock = &subject.target.clock;
            let low = limit * clock.pe_low_hz / clock.pe_high_hz.max(1);
            Ok(fitting(subject, low, pes).unwrap_or(by_deadline))
        }
        Goal::Latency => Ok(fastest(subject, by_deadline, pes)),
    }
}

/// The cut for `limit` cycles, if it keeps them with the PEs there are.
fn fitting<'a>(
    subject: &Subject<'a>,
    limit: u64,
    pes: usize,
) -> Option<(Plan<'a>, Vec<Diagnostic>)> {
    let found = subject.sized(limit).ok()?;
    (found.1.is_empty() && found.0.vertices() <= pes).then_some(found)
}

/// Halves the range in which the fewest cycles lie that the PEs allow.
fn fastest<'a>(
    subject: &Subject<'a>,
    first: (Plan<'a>, Vec<Diagnostic>),
    pes: usize,
) -> (Plan<'a>, Vec<Diagnostic>) {
    let mut best = first;
    let mut high = best.0.slowest();
    let mut low = 0;
    while high - low > high / FINE {
        let middle = low + (high - low) / 2;
        match fitting(subject, middle, pes) {
            Some(found) => {
                high = found.0.slowest().min(middle);
                best = found;
            }
            None => low = middle + 1,
        }
        if low >= high {
            break;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use crate::manager::MappingOptions;
    use crate::partition::{Goal, cycle_limit, partition_on};
    use crate::testing::quantised;
    use ir::Target;
    use ir::machine_graph::MachineGraph;
    use std::collections::BTreeMap;

    /// Microseconds of a tick.
    const STEP: u32 = 300;

    fn cut(goal: Goal, pes: usize) -> MachineGraph {
        let mut app = quantised(
            &[("in", 300), ("hid", 160), ("z", 40)],
            &["in>hid", "hid>z"],
        );
        let options = MappingOptions {
            goal,
            ..MappingOptions::default()
        };
        let target = Target::spinnaker2();
        let (graph, warnings) = partition_on(&mut app, &target, STEP, &options, pes).expect("fits");
        assert!(warnings.is_empty());
        graph
    }

    fn slowest(graph: &MachineGraph) -> u64 {
        let cycles = graph.vertices.values().map(|v| v.budget.cycles);
        cycles.max().expect("vertices")
    }

    #[test]
    fn more_pes_make_the_slowest_faster() {
        let few = cut(Goal::Pes, 152);
        assert_eq!(few.vertices.len(), 3);
        assert_eq!(cut(Goal::Latency, 3).vertices.len(), 3);
        let mut last = slowest(&few);
        for pes in [5, 8, 16, 40] {
            let graph = cut(Goal::Latency, pes);
            assert!(graph.vertices.len() <= pes);
            let now = slowest(&graph);
            assert!(now < last, "{pes} PEs: {now} cycles, {last} before");
            last = now;
        }
    }

    #[test]
    fn no_other_cut_into_as_many_parts_is_clearly_faster() {
        let pes = 12;
        let found = slowest(&cut(Goal::Latency, pes));
        let mut best = u64::MAX;
        for hid in 1..pes {
            for z in 1..pes - hid {
                let bound = |n: usize, parts: usize| n.div_ceil(parts).next_multiple_of(8) as u32;
                let mut app = quantised(
                    &[("in", 300), ("hid", 160), ("z", 40)],
                    &["in>hid", "hid>z"],
                );
                let options = MappingOptions {
                    atoms_per_core: BTreeMap::from([
                        ("hid".to_owned(), bound(160, hid)),
                        ("z".to_owned(), bound(40, z)),
                    ]),
                    ..MappingOptions::default()
                };
                let target = Target::spinnaker2();
                let cut = partition_on(&mut app, &target, STEP, &options, pes);
                let (graph, _) = cut.expect("fits");
                if graph.vertices.len() <= pes {
                    best = best.min(slowest(&graph));
                }
            }
        }
        assert!(
            found <= best + best / 50,
            "{found} cycles, {best} are possible"
        );
    }

    #[test]
    fn energy_keeps_the_deadline_of_the_low_level_if_it_can() {
        let target = Target::spinnaker2();
        let clock = &target.clock;
        let low = cycle_limit(&target, STEP, 1) * clock.pe_low_hz / clock.pe_high_hz;
        // In one part, `hid` needs the high level.
        assert!(slowest(&cut(Goal::Pes, 152)) > low);
        let graph = cut(Goal::Energy, 152);
        assert!(slowest(&graph) <= low);
    }
}
