//! `partition`: cuts populations into slices that each fit one PE, and joins
//! the slices by nets.
//!
//! Three bounds hold for a slice: the bytes of a PE, exactly; the cycles of a
//! tick, as estimated; and the user's `--atoms-per-core`. The population is
//! cut into the fewest slices that keep all three, of nearly equal size, in
//! whole groups of targets where that costs no slice.

use crate::contract::{Contract, MAPPED};
use crate::manager::{MappingOptions, PassContext};
use crate::regions::{Need, NeedKind};
use crate::registry::{Partition, Transform};
use ir::app::{AppGraph, Population};
use ir::code::Code;
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::facts::Fact;
use ir::id::{PopId, VertexId};
use ir::machine_graph::{AtomSlice, MachineGraph, MachineVertex, Net};
use ir::memory::{GROUP, padded};
use ir::origin::{Origin, escape};
use ir::{Module, Target};
use std::collections::BTreeMap;

impl Transform for Partition {
    const CONTRACT: Contract = Contract::requires(&[Fact::Balanced, Fact::Quantised])
        .establishes(&[Fact::Partitioned])
        .destroys(MAPPED);

    fn run(module: &mut Module, context: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        let (graph, warnings) = partition(
            &module.app,
            context.target,
            module.time_step_us,
            context.options,
        )?;
        module.machine_graph = graph;
        Ok(warnings)
    }
}

/// Cuts every population and makes the nets.
pub fn partition(
    app: &AppGraph,
    target: &Target,
    time_step_us: u32,
    options: &MappingOptions,
) -> Result<(MachineGraph, Vec<Diagnostic>)> {
    check_options(app, options)?;
    let mut graph = MachineGraph::default();
    let mut warnings = Vec::new();
    let mut errors = Vec::new();
    let limit = cycle_limit(target, time_step_us);
    for (pop, population) in app.populations.iter() {
        let need = Need::of(app, pop)?;
        let cap = cap(population, options);
        let Some(size) = largest_slice(&need, target, limit, cap) else {
            errors.push(does_not_fit(app, population, &need, target));
            continue;
        };
        if let Sizing::TooSlow(n) = size {
            warnings.push(too_slow(population, &need, n, limit, target));
        }
        for slice in slices(need.n_atoms, size.atoms()) {
            let budget = need.budget(slice.n, target).fit(target);
            let budget =
                budget.ok_or_else(|| Diagnostic::internal("a slice outgrew its own bound"))?;
            graph.vertices.push(MachineVertex {
                population: pop,
                slice,
                budget,
            });
        }
    }
    if !errors.is_empty() {
        warnings.extend(errors);
        return Err(Diagnostics(warnings));
    }
    nets(app, &mut graph);
    Ok((graph, warnings))
}

/// Cycles that a plan may use of one tick.
pub fn cycle_limit(target: &Target, time_step_us: u32) -> u64 {
    target.cycles_per_tick(time_step_us) * u64::from(target.planning.deadline_percent) / 100
}

/// The user's bound for a population, or none.
pub fn cap(population: &Population, options: &MappingOptions) -> u32 {
    let cap = options.atoms_per_core.get(&population.name).copied();
    cap.unwrap_or(u32::MAX).max(1)
}

fn check_options(app: &AppGraph, options: &MappingOptions) -> Result<()> {
    let mut errors = Vec::new();
    for (name, &atoms) in &options.atoms_per_core {
        let origin = Origin::Option {
            flag: format!("--atoms-per-core {}={atoms}", escape(name)),
        };
        if app.population_named(name).is_none() {
            let names: Vec<_> = app.populations.values().map(|p| escape(&p.name)).collect();
            errors.push(
                Diagnostic::error(
                    Code::Usage,
                    &origin,
                    format!("there is no population '{}'", escape(name)),
                )
                .note(format!("populations: {}", names.join(", "))),
            );
        } else if atoms == 0 {
            errors.push(
                Diagnostic::error(Code::Usage, &origin, "a core needs at least one atom")
                    .help("give a number above 0"),
            );
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Diagnostics(errors))
    }
}

/// The largest slice that is allowed, and why no larger one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizing {
    Fits(u32),
    /// Fits the memory, but even the smallest slice misses the deadline.
    TooSlow(u32),
}

impl Sizing {
    pub fn atoms(self) -> u32 {
        match self {
            Sizing::Fits(n) | Sizing::TooSlow(n) => n,
        }
    }
}

/// The largest slice of a population; `None` if not even the smallest fits.
pub fn largest_slice(need: &Need, target: &Target, limit: u64, cap: u32) -> Option<Sizing> {
    let kind_cap = match need.kind {
        NeedKind::Source => target.planning.source_atoms,
        NeedKind::Neurons { .. } => u32::MAX,
    };
    let most = need.n_atoms.min(cap).min(kind_cap);
    let fits = |n: u32| need.budget(n, target).fit(target).is_some();
    let by_bytes = largest(most, fits)?;
    match largest(by_bytes, |n| need.cycles(n, target) <= limit) {
        Some(n) => Some(Sizing::Fits(n)),
        None => {
            // Smaller slices no longer help much once receiving dominates, so
            // a slice may cost twice the smallest one.
            let least = need.cycles(most.min(GROUP), target);
            let n = largest(by_bytes, |n| need.cycles(n, target) <= 2 * least);
            Some(Sizing::TooSlow(n.unwrap_or(1)))
        }
    }
}

/// The number of PEs that a population takes; `None` if it does not fit.
pub fn slice_count(need: &Need, target: &Target, limit: u64, cap: u32) -> Option<(u32, bool)> {
    let size = largest_slice(need, target, limit, cap)?;
    let in_time = matches!(size, Sizing::Fits(_));
    Some((need.n_atoms.div_ceil(size.atoms().max(1)), in_time))
}

/// The largest `n` in `1..=most` that is good, if goodness only falls with n.
fn largest(most: u32, good: impl Fn(u32) -> bool) -> Option<u32> {
    if most == 0 || !good(1) {
        return None;
    }
    let (mut low, mut high) = (1, most);
    while low < high {
        let middle = high - (high - low) / 2;
        if good(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Some(low)
}

/// Cuts `n` atoms into the fewest slices of at most `most`, as equal as
/// possible: in whole groups if the largest slice allows it.
fn slices(n: u32, most: u32) -> Vec<AtomSlice> {
    let count = n.div_ceil(most.max(1)).max(1);
    let grouped = n.div_ceil(GROUP).div_ceil(count) * GROUP <= most && n.div_ceil(GROUP) >= count;
    let unit = if count > 1 && grouped { GROUP } else { 1 };
    let units = n.div_ceil(unit);
    let (each, more) = (units / count, units % count);
    let mut lo = 0;
    let mut all = Vec::new();
    for i in 0..count {
        let size = (each + u32::from(i < more)) * unit;
        let size = size.min(n - lo);
        all.push(AtomSlice { lo, n: size });
        lo += size;
    }
    all
}

/// One net for each vertex. A population that reaches nothing has nets without
/// sinks: it sends all the same, so that its spikes can be recorded.
fn nets(app: &AppGraph, graph: &mut MachineGraph) {
    let mut by_population: BTreeMap<PopId, Vec<VertexId>> = BTreeMap::new();
    for (id, vertex) in graph.vertices.iter() {
        by_population.entry(vertex.population).or_default().push(id);
    }
    for (&pop, vertices) in &by_population {
        let projections: Vec<_> = app.outgoing(pop).map(|(id, _)| id).collect();
        let posts = projections.iter().map(|&id| app.projections[id].post);
        let mut sinks: Vec<VertexId> = posts
            .filter_map(|post| by_population.get(&post))
            .flatten()
            .copied()
            .collect();
        sinks.sort_unstable();
        sinks.dedup();
        for &source in vertices {
            graph.nets.push(Net {
                source,
                sinks: sinks.clone(),
                projections: projections.clone(),
            });
        }
    }
}

fn does_not_fit(
    app: &AppGraph,
    population: &Population,
    need: &Need,
    target: &Target,
) -> Diagnostic {
    let one = need.budget(1, target);
    let mut error = Diagnostic::error(
        Code::DoesNotFit,
        &population.origin,
        format!(
            "one neuron of population '{}' does not fit a PE",
            escape(&population.name)
        ),
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
    let NeedKind::Neurons {
        incoming,
        slots,
        accumulator,
        ..
    } = &need.kind
    else {
        return error.help("a spike source this small always fits; check the target file");
    };
    for p in incoming {
        error = error.note(format!(
            "'{}': fan-in {} x {} targets x {} B = {} B of rows",
            escape(&app.projections[p.projection].name),
            p.pre_atoms,
            padded(1),
            p.weights.size(),
            p.pre_atoms * u64::from(padded(1)) * p.weights.size() as u64
        ));
    }
    error = error
        .note(format!(
            "receive ring: 2 x {} keys x 4 B",
            need.source_atoms()
        ))
        .note(format!(
            "accumulators: {slots} slots x {} targets x {} B",
            padded(1),
            accumulator.size()
        ));
    error.help(if one.state > one.rows {
        "shorten the longest delay: paths of very different length meet here"
    } else {
        "reduce the fan-in (pooling or another layer before this one), or use --weights int8"
    })
}

fn too_slow(
    population: &Population,
    need: &Need,
    n: u32,
    limit: u64,
    target: &Target,
) -> Diagnostic {
    let cycles = need.cycles(n, target);
    let hz = target.clock.pe_high_hz.max(1);
    let percent = u64::from(target.planning.deadline_percent.max(1));
    let least = need.cycles(need.n_atoms.min(GROUP), target);
    let step = (least * 100).div_ceil(percent) * 1_000_000 / hz + 1;
    Diagnostic::warning(
        Code::TooSlow,
        &population.origin,
        format!(
            "population '{}' is estimated to miss its deadline",
            escape(&population.name)
        ),
    )
    .note(format!(
        "atoms on a PE: {n}; {cycles} cycles a tick if all {} sources spike; {limit} cycles are planned with",
        need.source_atoms()
    ))
    .note(format!(
        "the estimate assumes that {} percent of the sources spike in a tick",
        target.planning.activity_percent
    ))
    .help(format!(
        "--time-step {step} would do with the smallest slices; sparse input needs less"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::quantised;

    fn cut(
        populations: &[(&str, usize)],
        projections: &[&str],
        options: &MappingOptions,
    ) -> Result<(MachineGraph, Vec<Diagnostic>)> {
        let app = quantised(populations, projections);
        partition(&app, &Target::spinnaker2(), 1000, options)
    }

    fn sizes(graph: &MachineGraph) -> Vec<u32> {
        graph.vertices.values().map(|v| v.slice.n).collect()
    }

    #[test]
    fn slices_are_few_and_equal() {
        let n = |n, most| -> Vec<u32> { slices(n, most).iter().map(|s| s.n).collect() };
        assert_eq!(n(10, 10), [10]);
        assert_eq!(n(10, 9), [8, 2]);
        assert_eq!(n(784, 100), [98; 8]);
        assert_eq!(n(512, 105), [104, 104, 104, 104, 96]);
        assert_eq!(n(7, 3), [3, 2, 2]);
        assert_eq!(n(3, 1), [1, 1, 1]);
        for total in 1..200 {
            for most in 1..40 {
                let all = slices(total, most);
                assert!(
                    all.iter().all(|s| s.n >= 1 && s.n <= most),
                    "{total} {most}"
                );
                assert_eq!(all.iter().map(|s| s.n).sum::<u32>(), total);
                assert_eq!(all.len() as u32, total.div_ceil(most));
            }
        }
    }

    #[test]
    fn a_small_network_takes_one_pe_a_population() {
        let (graph, warnings) = cut(
            &[("in", 4), ("hid", 3), ("z", 2)],
            &["in>hid", "hid~hid", "hid>z"],
            &MappingOptions::default(),
        )
        .expect("fits");
        assert!(warnings.is_empty());
        assert_eq!(sizes(&graph), [4, 3, 2]);
        let sinks: Vec<usize> = graph.nets.values().map(|n| n.sinks.len()).collect();
        assert_eq!(sinks, [1, 2, 0]);
    }

    #[test]
    fn the_user_bounds_the_slices() {
        let options = MappingOptions {
            atoms_per_core: BTreeMap::from([("hid".to_owned(), 8)]),
            ..MappingOptions::default()
        };
        let (graph, _) = cut(&[("in", 4), ("hid", 20)], &["in>hid"], &options).expect("fits");
        assert_eq!(sizes(&graph), [4, 8, 8, 4]);
    }

    #[test]
    fn an_option_for_no_population_is_named() {
        let options = MappingOptions {
            atoms_per_core: BTreeMap::from([("hdi".to_owned(), 8)]),
            ..MappingOptions::default()
        };
        let error = cut(&[("in", 4), ("hid", 20)], &["in>hid"], &options).expect_err("typo");
        assert!(error.to_string().contains("populations: in, hid"));
    }

    #[test]
    fn memory_or_time_cut_a_large_layer() {
        let (graph, _) = cut(
            &[("in", 784), ("hid", 512)],
            &["in>hid"],
            &MappingOptions::default(),
        )
        .expect("fits");
        let limit = cycle_limit(&Target::spinnaker2(), 1000);
        assert!(graph.vertices.len() > 2);
        assert!(graph.vertices.values().all(|v| v.budget.cycles <= limit));
        let sram = Target::spinnaker2().memory.sram_bytes;
        assert!(graph.vertices.values().all(|v| v.budget.bytes() <= sram));
    }

    #[test]
    fn a_fan_in_beyond_the_memory_shows_its_arithmetic() {
        let error = cut(
            &[("in", 20_000), ("hid", 1)],
            &["in>hid"],
            &MappingOptions::default(),
        )
        .expect_err("20000 x 8 B");
        assert_eq!(error.0[0].code, Code::DoesNotFit);
        assert!(
            error
                .to_string()
                .contains("fan-in 20000 x 8 targets x 1 B = 160000 B")
        );
    }

    #[test]
    fn a_fan_in_beyond_the_tick_warns() {
        let (graph, warnings) = cut(
            &[("in", 7_000), ("hid", 8)],
            &["in>hid"],
            &MappingOptions::default(),
        )
        .expect("fits the memory");
        assert_eq!(warnings[0].code, Code::TooSlow);
        // 7000 input atoms need two source PEs
        assert_eq!(sizes(&graph), [3504, 3496, 8]);
    }
}
