//! How network steps map to ticks, and why.

use ir::app::AppGraph;
use ir::{Id, PopId};
use serde::Serialize;

/// The schedule of a balanced graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScheduleReport {
    /// `pipelined`: one tick a step; `phased`: several.
    pub kind: &'static str,
    pub ticks_per_step: u32,
    /// The cycle that does not fit fewer ticks, if one decides.
    pub cycle: Option<Vec<String>>,
    pub why: String,
}

impl ScheduleReport {
    pub fn new(app: &AppGraph) -> Self {
        let ticks = app.ticks_per_step;
        if ticks <= 1 {
            return Self {
                kind: "pipelined",
                ticks_per_step: ticks,
                cycle: None,
                why: "every cycle carries the previous step often enough for one tick a step"
                    .to_owned(),
            };
        }
        let cycle = tight_cycle(app, ticks - 1);
        let why = match &cycle {
            Some(c) => format!(
                "a chip spike acts one tick after it is sent, and the cycle {} needs {ticks} ticks a step",
                c.join(" -> ")
            ),
            None => "--schedule phased: every step ends before the next begins".to_owned(),
        };
        Self {
            kind: "phased",
            ticks_per_step: ticks,
            cycle,
            why,
        }
    }
}

/// A cycle that would need a delay below one tick if a step took `ticks`: its
/// edges are of length 1 - ticks * lag, and the sum is positive. Longest paths
/// grow without end there, so the edge that still grows after as many rounds
/// as there are populations leads back into it.
fn tight_cycle(app: &AppGraph, ticks: u32) -> Option<Vec<String>> {
    let n = app.populations.len();
    let mut longest = vec![0i64; n];
    let mut came_from: Vec<Option<PopId>> = vec![None; n];
    let mut grew = None;
    for _ in 0..=n {
        grew = None;
        for p in app.projections.values() {
            let length = 1 - i64::from(ticks) * i64::from(p.lag);
            let reach = longest[p.pre.index()] + length;
            if reach > longest[p.post.index()] {
                longest[p.post.index()] = reach;
                came_from[p.post.index()] = Some(p.pre);
                grew = Some(p.post);
            }
        }
        grew?;
    }
    let mut at = grew?;
    for _ in 0..n {
        at = came_from[at.index()]?;
    }
    let start = at;
    let mut cycle = vec![start];
    for _ in 0..n {
        at = came_from[at.index()]?;
        cycle.push(at);
        if at == start {
            break;
        }
    }
    cycle.reverse();
    Some(
        cycle
            .into_iter()
            .map(|id| app.populations[id].name.clone())
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::app::{AtomOrder, Connector, Model, Population, Projection, Sends};
    use ir::{Origin, Shape, Tensor};

    fn graph(names: &[&str], edges: &[(usize, usize, u32)], ticks: u32) -> AppGraph {
        let mut app = AppGraph {
            ticks_per_step: ticks,
            ..AppGraph::default()
        };
        for name in names {
            app.populations.push(Population {
                name: (*name).to_owned(),
                shape: Shape::of(&[1]),
                model: Model::SpikeSource,
                sends: Sends::Spikes,
                order: AtomOrder::RowMajor,
                timing: None,
                accumulator: None,
                record: Vec::new(),
                origin: Origin::Compiler,
            });
        }
        for &(pre, post, lag) in edges {
            app.projections.push(Projection {
                name: String::new(),
                pre: PopId::from_index(pre),
                post: PopId::from_index(post),
                connector: Connector::Dense,
                weights: Tensor::vector(vec![1.0])
                    .reshaped(Shape::of(&[1, 1]))
                    .expect("one"),
                delay: None,
                lag,
                origin: Origin::Compiler,
            });
        }
        app
    }

    #[test]
    fn the_deciding_cycle_is_named() {
        let edges = [(0, 1, 0), (1, 2, 0), (2, 1, 1), (2, 3, 0), (3, 2, 3)];
        let r = ScheduleReport::new(&graph(&["in", "a", "b", "c"], &edges, 2));
        assert_eq!(r.kind, "phased");
        let mut cycle = r.cycle.expect("a and b");
        assert_eq!(cycle.first(), cycle.last());
        cycle.pop();
        cycle.sort();
        assert_eq!(cycle, ["a", "b"]);
    }

    #[test]
    fn without_a_cycle_the_option_decided() {
        let chain = [(0, 1, 0), (1, 1, 1)];
        let r = ScheduleReport::new(&graph(&["in", "a"], &chain, 2));
        assert_eq!((r.kind, r.cycle), ("phased", None));
        let r = ScheduleReport::new(&graph(&["in", "a"], &chain, 1));
        assert_eq!((r.kind, r.ticks_per_step), ("pipelined", 1));
    }
}
