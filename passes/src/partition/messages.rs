//! What is said of a population that does not fit, or not in time.

use super::cut::{Cut, cut, most_parts};
use crate::regions::{Links, Need, NeedKind, source_atoms};
use ir::Target;
use ir::app::{AppGraph, Connector};
use ir::code::Code;
use ir::diag::Diagnostic;
use ir::memory::{GROUP, padded};
use ir::origin::escape;

pub(super) fn does_not_fit(
    app: &AppGraph,
    need: &Need,
    links: &Links<'_>,
    target: &Target,
) -> Diagnostic {
    let population = links.post();
    let smallest = cut(need, &population.shape, most_parts(need, &population.shape));
    let worst = smallest
        .iter()
        .map(|&slice| (slice, need.budget(slice, links, target)))
        .max_by_key(|(_, b)| b.bytes());
    let name = escape(&population.name);
    let Some((slice, one)) = worst else {
        return Diagnostic::internal(format!("population '{name}' has no slices"));
    };
    let what = if slice.n == 1 {
        "one neuron"
    } else {
        "one pixel"
    };
    let mut error = Diagnostic::error(
        Code::DoesNotFit,
        &population.origin,
        format!("{what} of population '{name}' does not fit a PE"),
    )
    .note(format!(
        "text {} + data {} + state {} + rows {} = {} B; a PE has {} B",
        one.text,
        one.data,
        one.state,
        one.rows,
        one.bytes(),
        target.memory.sram_bytes
    ));
    if let NeedKind::Source { .. } = need.kind {
        return error.help("a spike source this small always fits; check the target file");
    }
    for p in need.incoming() {
        let projection = &app.projections[p.projection];
        let pre_atoms = app.populations[p.pre].n_atoms() as u64;
        let name = escape(&projection.name);
        error = match &projection.connector {
            Connector::Dense => error.note(format!(
                "'{name}': fan-in {pre_atoms} x {} targets x {} B = {} B of rows",
                padded(slice.n),
                p.weights.size(),
                pre_atoms * u64::from(padded(slice.n)) * p.weights.size() as u64
            )),
            Connector::Sparse(s) => error.note(format!(
                "'{name}': {pre_atoms} sources x 4 B, and its share of {} synapses",
                s.len()
            )),
            Connector::Conv(_) => error.note(format!(
                "'{name}': kernel of {} B",
                links.kernel_bytes(p.projection).unwrap_or(0)
            )),
        };
    }
    let bundles = links.bundles_into(slice, need.accumulator());
    error = error.note(format!(
        "receive ring: two ticks of {} sources",
        source_atoms(&bundles)
    ));
    if let Some(accumulator) = need.accumulator() {
        error = error.note(format!(
            "accumulators: {} slots x {} targets x {} B",
            need.slots(),
            padded(slice.n),
            accumulator.size()
        ));
    }
    error.help(if one.state > one.rows {
        "shorten the longest delay: paths of very different length meet here"
    } else {
        "reduce the fan-in (pooling or another layer before this one), or use --weights int8"
    })
}

pub(super) fn too_slow(
    app: &AppGraph,
    need: &Need,
    links: &Links<'_>,
    parts: u32,
    bounds: &Cut<'_>,
) -> Diagnostic {
    let (population, target) = (links.post(), bounds.target);
    let slowest = |parts: u32| {
        let slices = cut(need, &population.shape, parts).into_iter();
        let sizes = slices.map(|s| (need.budget(s, links, target).cycles, s));
        sizes.max_by_key(|(cycles, _)| *cycles)
    };
    let hz = target.clock.pe_high_hz.max(1);
    let percent = u64::from(target.planning.deadline_percent.max(1));
    let most = most_parts(need, &population.shape);
    let least = slowest(most.min(need.n_atoms.div_ceil(GROUP).max(1)));
    let least = least.map_or(0, |(cycles, _)| cycles);
    let phases = u64::from(app.ticks_per_step.max(1));
    let step = ((least * 100).div_ceil(percent) * 1_000_000 / hz + 1) * phases;
    let warning = Diagnostic::warning(
        Code::TooSlow,
        &population.origin,
        format!(
            "population '{}' is estimated to miss its deadline",
            escape(&population.name)
        ),
    );
    let Some((cycles, slice)) = slowest(parts) else {
        return warning;
    };
    let sources = source_atoms(&links.bundles_into(slice, need.accumulator()));
    warning
        .note(format!(
            "atoms on a PE: {}; {cycles} cycles a tick if all {sources} sources spike; {} cycles are planned with",
            slice.n, bounds.limit
        ))
        .note(format!(
            "the estimate assumes that {} percent of the sources spike in a tick",
            target.planning.activity_percent
        ))
        .help(format!(
            "--time-step {step} would do with the smallest slices; sparse input needs less"
        ))
}
