//! BALANCED: every spike acts in the tick in which its network step is due.

use super::findings::{Findings, population, projection};
use crate::app::{Model, Projection};
use crate::fixed::MAX_DELAY;
use crate::module::Module;
use crate::origin::Origin;
use crate::semantics::EdgeDelay;

pub(super) fn check(m: &Module, found: &mut Findings) {
    let chip_steps = m.semantics.edge_delay == EdgeDelay::Chip;
    if chip_steps && m.app.ticks_per_step != 1 {
        let message = "a step of --edge-delay chip is not one tick".to_owned();
        let note = format!("{} ticks", m.app.ticks_per_step);
        found.add_with(&Origin::Compiler, message, note);
    }
    for p in m.app.populations.values() {
        let Some(t) = p.timing else {
            found.add(&p.origin, format!("{} has no latency", population(p)));
            continue;
        };
        let source = matches!(p.model, Model::SpikeSource);
        if source && (t.latency != 0 || t.active_from != 0) {
            let message = format!("{} does not send step s in tick s", population(p));
            let note = format!("latency {}, active from tick {}", t.latency, t.active_from);
            found.add_with(&p.origin, message, note);
        }
        if !chip_steps && t.active_from != t.latency {
            let message = format!("{} does not begin with step 0", population(p));
            let note = format!(
                "step 0 is due in tick {}, active from tick {}",
                t.latency, t.active_from
            );
            found.add_with(&p.origin, message, note);
        }
    }
    for p in m.app.projections.values() {
        let Some(delay) = p.delay else {
            let message = format!("{} has no delay that a chip can keep", projection(p));
            let note = format!("no delay, allowed 1 to {MAX_DELAY} ticks");
            found.add_with(&p.origin, message, note);
            continue;
        };
        let wrong = if chip_steps {
            // Each projection's steps are part of the network's meaning.
            (delay != p.lag).then(|| {
                let lag = p.lag;
                format!("it takes {delay} ticks, with --edge-delay chip it carries {lag} steps")
            })
        } else {
            due(m, p, delay)
        };
        if let Some(note) = wrong {
            let message = format!("{} acts in the wrong network step", projection(p));
            found.add_with(&p.origin, message, note);
        }
        check_first(m, p, delay, found);
    }
}

/// What is wrong if a spike of step 0 does not act where the target computes
/// step `lag`.
fn due(m: &Module, p: &Projection, delay: u32) -> Option<String> {
    let pre = m.app.populations[p.pre].timing?;
    let post = m.app.populations[p.post].timing?;
    let acts = u64::from(pre.latency) + u64::from(delay);
    let ticks = u64::from(m.app.ticks_per_step);
    // Both factors and the latency are below 2^32, so this holds in 64 bits.
    let due = u64::from(p.lag) * ticks + u64::from(post.latency);
    (acts != due).then(|| {
        format!(
            "a spike of step 0 acts in tick {} + {delay} = {acts}, step {} of the target is tick \
             {due}",
            pre.latency, p.lag
        )
    })
}

fn check_first(m: &Module, p: &Projection, delay: u32, found: &mut Findings) {
    let ends = [p.pre, p.post].map(|id| m.app.populations[id].timing);
    let [Some(pre), Some(post)] = ends else {
        return; // reported with the population
    };
    let first = u64::from(pre.active_from) + u64::from(delay);
    if first < u64::from(post.active_from) {
        let message = format!("{} loses its first spikes", projection(p));
        let note = format!(
            "they act from tick {} + {delay} = {first}, the target is active from tick {}",
            pre.active_from, post.active_from
        );
        found.add_with(&p.origin, message, note);
    }
}
