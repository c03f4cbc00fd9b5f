//! Runs a plan: books facts, tells the observer, has every claim proved.

use crate::activity::Activity;
use crate::choose_kernels::Kernels;
use crate::partition::Goal;
use crate::plan::Plan;
use crate::registry::Pass;
use ir::diag::{Diagnostic, Diagnostics, Result};
use ir::facts::{Fact, FactSet};
use ir::semantics::Schedule;
use ir::{Module, Target};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// What all passes may read besides the module.
#[derive(Clone, Copy, Debug)]
pub struct PassContext<'a> {
    pub target: &'a Target,
    pub options: &'a MappingOptions,
}

/// The user's wishes for the mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct MappingOptions {
    /// Upper bound of atoms on one PE, by population name.
    pub atoms_per_core: BTreeMap<String, u32>,
    /// For what populations are cut.
    pub goal: Goal,
    /// How often atoms send, as far as it was measured.
    pub activity: Activity,
    /// What the cycles of a population's slices are by its emitted code, in percent of
    /// the estimate.
    pub corrections: BTreeMap<String, u32>,
    /// How dense projections are added up.
    pub kernels: Kernels,
    /// How network steps map to ticks.
    pub schedule: Schedule,
    /// Seed of every pass that draws random numbers.
    pub seed: u64,
}

impl Default for MappingOptions {
    fn default() -> Self {
        Self {
            atoms_per_core: BTreeMap::new(),
            goal: Goal::default(),
            activity: Activity::default(),
            corrections: BTreeMap::new(),
            kernels: Kernels::default(),
            schedule: Schedule::Auto,
            seed: 0,
        }
    }
}

/// Watches a run. Printing, timing and stopping early are observers' work.
pub trait Observer {
    fn before(&mut self, _pass: &dyn Pass, _module: &Module) {}
    /// After the pass and its proof; `Break` ends the run with success.
    fn after(&mut self, _pass: &dyn Pass, _module: &Module) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    /// Whether the verifier proves the module after each pass.
    fn verify_each(&self) -> bool {
        true
    }
}

/// An observer that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}

/// Proves the module, then runs the passes of a plan on it. Gives all
/// warnings; on errors the warnings of the passes before come first.
pub fn run(
    module: &mut Module,
    plan: &Plan,
    context: &PassContext<'_>,
    observer: &mut dyn Observer,
) -> Result<Vec<Diagnostic>> {
    plan.check(module.facts)?;
    // Passes index by the ids and facts of the module, which a person may have
    // written.
    ir::verify::check(module, context.target)?;
    let mut warnings = Vec::new();
    for pass in plan.passes() {
        observer.before(pass, module);
        let contract = pass.contract();
        forget(module, contract.destroys);
        match pass.run(module, context) {
            Ok(more) => warnings.extend(more),
            Err(errors) => {
                warnings.extend(errors.0);
                return Err(Diagnostics(warnings));
            }
        }
        module.facts = contract.after(module.facts);
        if observer.verify_each() {
            prove(module, context.target, pass)?;
        }
        if observer.after(pass, module).is_break() {
            break;
        }
    }
    Ok(warnings)
}

/// Empties the tables of facts that no longer hold.
fn forget(module: &mut Module, facts: FactSet) {
    for fact in facts.iter() {
        match fact {
            Fact::Partitioned => module.machine_graph = Default::default(),
            Fact::Placed => module.placements.clear(),
            Fact::Keyed => module.keys.clear(),
            Fact::Routed => module.trees.clear(),
            Fact::Tabled | Fact::Compressed => module.tables.clear(),
            Fact::LaidOut => module.layouts.clear(),
            // These live in the graphs themselves; the pass rewrites them.
            Fact::Shaped
            | Fact::Canonical
            | Fact::Discrete
            | Fact::Balanced
            | Fact::Quantised
            | Fact::Selected => {}
        }
    }
}

/// What the verifier finds after a pass is a fault of the pass, not of the
/// user.
fn prove(module: &Module, target: &Target, pass: &dyn Pass) -> Result<()> {
    ir::verify::check(module, target).map_err(|mut found| {
        for d in &mut found.0 {
            d.notes.push(format!("found after pass '{}'", pass.name()));
        }
        let bug = Diagnostic::internal(format!(
            "pass '{}' left a module that does not hold what it claims",
            pass.name()
        ));
        found.0.push(bug);
        found
    })
}
