//! BALANCED: every spike acts in the tick in which its network step is due.

use super::findings::{Findings, population, projection};
use crate::app::Model;
use crate::fixed::MAX_DELAY;
use crate::module::Module;
use crate::semantics::EdgeDelay;

pub(super) fn check(m: &Module, found: &mut Findings) {
    let step_exact = m.semantics.edge_delay == EdgeDelay::None;
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
        if step_exact && t.active_from != t.latency {
            let message = format!("{} does not begin with step 0", population(p));
            let note = format!(
                "step 0 is due in tick {}, active from tick {}",
                t.latency, t.active_from
            );
            found.add_with(&p.origin, message, note);
        }
    }
    for p in m.app.projections.values() {
        let Some(delay) = p.delay.filter(|d| (1..=MAX_DELAY).contains(d)) else {
            let message = format!("{} has no delay that a chip can keep", projection(p));
            let note = match p.delay {
                Some(d) => format!("delay {d}, allowed 1 to {MAX_DELAY} ticks"),
                None => format!("no delay, allowed 1 to {MAX_DELAY} ticks"),
            };
            found.add_with(&p.origin, message, note);
            continue;
        };
        let ends = [p.pre, p.post].map(|id| m.app.populations[id].timing);
        let [Some(pre), Some(post)] = ends else {
            continue; // reported above
        };
        let acts = u64::from(pre.latency) + u64::from(delay);
        let due = u64::from(post.latency) + u64::from(p.lag) * u64::from(m.app.ticks_per_step);
        if step_exact && acts != due {
            let message = format!("{} acts in the wrong network step", projection(p));
            let step = p.lag;
            let note = format!(
                "a spike of step 0 acts in tick {} + {delay} = {acts}, step {step} of the target \
                 is tick {due}",
                pre.latency
            );
            found.add_with(&p.origin, message, note);
        }
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
}
