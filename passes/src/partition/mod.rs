//! `partition`: cuts populations into slices that each fit one PE, and joins
//! the slices by nets.
//!
//! Three bounds hold for a slice: the bytes of a PE, exactly; the cycles of a
//! tick, as estimated; and the user's `--atoms-per-core`. A population is cut
//! into the fewest slices that keep all three, of nearly equal size: in whole
//! groups of targets where that costs no slice, and where a convolution ends
//! in whole pixels of one block of channels. The goal decides how many cycles
//! that are.
//!
//! How large the rows into a slice are depends on how the sources are cut.
//! Populations are cut in their order, sources that come later count as one
//! piece; then all slices are measured again, and what does not fit is cut
//! into more.

mod cut;
mod goal;
mod messages;
mod nets;

pub use cut::{Sizing, estimate};
pub use goal::Goal;

use crate::activity::Activity;
use crate::contract::{Contract, MAPPED};
use crate::manager::{MappingOptions, PassContext};
use crate::regions::{self, Cuts, Links, Load, Need, Sender};
use crate::registry::{Partition, Transform};
use cut::{Cut, cut, most_parts, search};
use ir::app::{AppGraph, Model, Population};
use ir::code::Code;
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::facts::Fact;
use ir::id::{Id, IdVec, PopId, VertexId};
use ir::machine_graph::{MachineGraph, MachineVertex};
use ir::origin::{Origin, escape};
use ir::{Module, Target};
use std::collections::{BTreeMap, BTreeSet};

impl Transform for Partition {
    const CONTRACT: Contract = Contract::requires(&[Fact::Balanced, Fact::Quantised])
        .establishes(&[Fact::Partitioned])
        .destroys(MAPPED);

    fn run(module: &mut Module, context: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        let pes = module.machine.application_pes(context.target).len();
        let (graph, warnings) = partition_on(
            &mut module.app,
            context.target,
            module.time_step_us,
            context.options,
            pes,
        )?;
        module.machine_graph = graph;
        Ok(warnings)
    }
}

/// As [`partition_on`] a machine of one chip.
pub fn partition(
    app: &mut AppGraph,
    target: &Target,
    time_step_us: u32,
    options: &MappingOptions,
) -> Result<(MachineGraph, Vec<Diagnostic>)> {
    let pes = target.pes().count();
    partition_on(app, target, time_step_us, options, pes)
}

/// Chooses the order of every population, cuts it for the goal of `options` and `pes`
/// PEs, and makes the nets.
pub fn partition_on(
    app: &mut AppGraph,
    target: &Target,
    time_step_us: u32,
    options: &MappingOptions,
    pes: usize,
) -> Result<(MachineGraph, Vec<Diagnostic>)> {
    check_options(app, options)?;
    choose_orders(app, options)?;
    let limit = cycle_limit(target, time_step_us, app.ticks_per_step);
    let subject = Subject {
        app,
        target,
        options,
    };
    let (plan, warnings) = goal::reach(&subject, limit, pes)?;
    Ok((plan.graph()?, warnings))
}

/// What is cut, and by which wishes.
#[derive(Clone, Copy)]
struct Subject<'a> {
    app: &'a AppGraph,
    target: &'a Target,
    options: &'a MappingOptions,
}

impl<'a> Subject<'a> {
    /// Cuts every population into the fewest slices that keep `limit` cycles.
    fn sized(&self, limit: u64) -> Result<(Plan<'a>, Vec<Diagnostic>)> {
        let Self {
            app,
            target,
            options,
        } = *self;
        let mut plan = Plan {
            app,
            target,
            needs: IdVec::new(),
            parts: IdVec::new(),
            cuts: Cuts::new(),
        };
        let mut warnings = Vec::new();
        let mut errors = Vec::new();
        for (pop, population) in app.populations.iter() {
            let need = need(app, pop, target, options)?;
            let links = Links::new(app, pop, &need, &plan.cuts);
            let bounds = Cut {
                cap: cap(population, options),
                limit,
                target,
            };
            let parts = match search(&need, &links, &bounds) {
                Some(Sizing::Fits(parts)) => parts,
                Some(Sizing::TooSlow(parts)) => {
                    warnings.push(messages::too_slow(app, &need, &links, parts, &bounds));
                    parts
                }
                None => {
                    errors.push(messages::does_not_fit(app, &need, &links, target));
                    1
                }
            };
            plan.needs.push(need);
            plan.parts.push(parts);
            plan.number_vertices();
        }
        if errors.is_empty()
            && let Err(error) = plan.settle()
        {
            errors.push(error);
        }
        if errors.is_empty() {
            Ok((plan, warnings))
        } else {
            warnings.extend(errors);
            Err(Diagnostics(warnings))
        }
    }
}

/// The need of a population under the activity and the corrections of the options.
pub(crate) fn need(
    app: &AppGraph,
    pop: PopId,
    target: &Target,
    options: &MappingOptions,
) -> std::result::Result<Need, Diagnostic> {
    let need = Need::of(app, pop)?;
    let busy = |id: PopId| options.activity.of(&app.populations[id], target).busy();
    let pres: BTreeSet<PopId> = need.incoming().iter().map(|i| i.pre).collect();
    let own = busy(pop);
    let sources = pres.into_iter().map(|id| (id, busy(id))).collect();
    let name = &app.populations[pop].name;
    let percent = options.corrections.get(name).copied();
    Ok(need.under(Load {
        own,
        sources,
        percent: percent.unwrap_or(100),
    }))
}

/// The cycles that the cut of a graph is planned with: rows alone, without corrections.
pub fn planned(
    app: &AppGraph,
    graph: &MachineGraph,
    target: &Target,
    activity: &Activity,
) -> Result<BTreeMap<VertexId, u64>> {
    let options = MappingOptions {
        activity: activity.clone(),
        ..MappingOptions::default()
    };
    let cuts = regions::cuts(app, graph);
    let mut all = BTreeMap::new();
    for (&pop, slices) in &cuts {
        let need = need(app, pop, target, &options)?;
        let links = Links::new(app, pop, &need, &cuts);
        let cycles = |s: &Sender| (s.vertex, need.budget(s.slice, &links, target).cycles);
        all.extend(slices.iter().map(cycles));
    }
    Ok(all)
}

/// How every population is cut so far.
struct Plan<'a> {
    app: &'a AppGraph,
    target: &'a Target,
    needs: IdVec<PopId, Need>,
    parts: IdVec<PopId, u32>,
    cuts: Cuts,
}

impl Plan<'_> {
    fn vertices(&self) -> usize {
        self.cuts.values().map(Vec::len).sum()
    }

    /// Estimated cycles of the slowest vertex.
    fn slowest(&self) -> u64 {
        let mut most = 0;
        for (pop, need) in self.needs.iter() {
            let links = Links::new(self.app, pop, need, &self.cuts);
            let slices = self.cuts.get(&pop).into_iter().flatten();
            let cycles = slices.map(|s| need.budget(s.slice, &links, self.target).cycles);
            most = most.max(cycles.max().unwrap_or(0));
        }
        most
    }

    /// Vertices are numbered by population, then by slice.
    fn number_vertices(&mut self) {
        let mut next = 0;
        for ((pop, need), &parts) in self.needs.iter().zip(self.parts.values()) {
            let shape = &self.app.populations[pop].shape;
            let slices = cut(need, shape, parts);
            let senders = slices.into_iter().map(|slice| {
                next += 1;
                Sender {
                    vertex: VertexId::from_index(next - 1),
                    slice,
                    order: need.order,
                }
            });
            self.cuts.insert(pop, senders.collect());
        }
    }

    /// Measures every slice with all cuts known, until everything fits.
    fn settle(&mut self) -> std::result::Result<(), Diagnostic> {
        loop {
            let mut changed = false;
            for pop in self.app.populations.ids() {
                let need = &self.needs[pop];
                let links = Links::new(self.app, pop, need, &self.cuts);
                let slices = self.cuts.get(&pop).into_iter().flatten();
                let fits = slices
                    .map(|s| need.fit(s.slice, &links, self.target))
                    .all(|b| b.is_some());
                if fits {
                    continue;
                }
                let most = most_parts(need, &self.app.populations[pop].shape);
                let parts = &mut self.parts[pop];
                if *parts >= most {
                    return Err(messages::does_not_fit(self.app, need, &links, self.target));
                }
                *parts = (*parts + 1 + *parts / 16).min(most);
                changed = true;
            }
            if !changed {
                return Ok(());
            }
            self.number_vertices();
        }
    }

    fn graph(&self) -> Result<MachineGraph> {
        let mut graph = MachineGraph::default();
        let mut reached = nets::Reached::new();
        for (pop, need) in self.needs.iter() {
            let links = Links::new(self.app, pop, need, &self.cuts);
            for sender in self.cuts.get(&pop).into_iter().flatten() {
                let budget = need
                    .fit(sender.slice, &links, self.target)
                    .ok_or_else(|| Diagnostic::internal("a slice outgrew its own bound"))?;
                let vertex = graph.vertices.push(MachineVertex {
                    population: pop,
                    slice: sender.slice,
                    budget,
                    array: Vec::new(),
                });
                let bundles = links.bundles_into(sender.slice, need.accumulator());
                for bundle in bundles {
                    reached
                        .entry(bundle.sender.vertex)
                        .or_default()
                        .insert(vertex);
                }
            }
        }
        nets::nets(self.app, &mut graph, &reached);
        Ok(graph)
    }
}

/// Convolutions want their targets in blocks of channels.
fn choose_orders(app: &mut AppGraph, options: &MappingOptions) -> Result<()> {
    let mut orders = Vec::new();
    for (pop, population) in app.populations.iter() {
        let order = match &population.model {
            Model::SpikeSource => ir::app::AtomOrder::RowMajor,
            Model::Neuron(_) => {
                let need = Need::of(app, pop)?;
                regions::order(app, population, need.incoming(), cap(population, options))
            }
        };
        orders.push((pop, order));
    }
    for (pop, order) in orders {
        app.populations[pop].order = order;
    }
    Ok(())
}

/// Cycles that a plan may use of one tick.
pub fn cycle_limit(target: &Target, time_step_us: u32, ticks_per_step: u32) -> u64 {
    let step = target.cycles_per_tick(time_step_us);
    step / u64::from(ticks_per_step.max(1)) * u64::from(target.planning.deadline_percent) / 100
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::quantised;

    fn cut(
        populations: &[(&str, usize)],
        projections: &[&str],
        options: &MappingOptions,
    ) -> Result<(MachineGraph, Vec<Diagnostic>)> {
        let mut app = quantised(populations, projections);
        partition(&mut app, &Target::spinnaker2(), 1000, options)
    }

    fn sizes(graph: &MachineGraph) -> Vec<u32> {
        graph.vertices.values().map(|v| v.slice.n).collect()
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
        let limit = cycle_limit(&Target::spinnaker2(), 1000, 1);
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
