//! The verifier: proves what a module claims.
//!
//! A pass establishes facts; the verifier believes none of them. What it
//! proves, by heading (each heading is a file of this folder):
//!
//! **Always** (`ranges`, `app`, `connectors`)
//! - every id names an object that exists; the tick is at least 1 us long
//! - a claimed fact rests on the facts that it needs (`PREREQUISITES`)
//! - populations have names of their own, outputs too
//! - connectors fit their two populations, weights their connector; parameters
//!   hold one value or one for each atom; orders fit shapes; nothing projects
//!   onto a spike source; delays are between 1 and [`crate::fixed::MAX_DELAY`]
//!
//! **SHAPED** (`network`): every node has shapes, they are equal along edges,
//! and agree with the node's arrays
//!
//! **CANONICAL** (`app`, `models`)
//! - no node of the network is left
//! - every kind of neuron has its parts and no others, and sends what it has:
//!   values without a threshold, counts if it may spike several times at once,
//!   spikes else
//!
//! **DISCRETE** (`app`): every neuron is discrete, every number finite
//!
//! **BALANCED** (`timing`)
//! - every population has a latency, 0 for spike sources, every projection a
//!   delay
//! - a spike of step `s` acts in the tick in which its target computes step
//!   `s + lag`; targets begin with step 0 (with `--edge-delay chip` a step is a
//!   tick, and each delay its lag)
//! - no spike reaches a population before it is active
//!
//! **QUANTISED** (`quantised`)
//! - weights are integers; gain and drive are 1; units are above 0; parameters
//!   are finite in float32 too
//! - no sum of one tick leaves its accumulator, counts included
//! - fixed-point state never leaves int32, and integers come in (`state`)
//!
//! **PARTITIONED** (`slices`)
//! - vertices of a population cover its positions once, in order, each within
//!   one block of channels, and in whole pixels at the end of a convolution
//! - every vertex has one net, to every vertex that a synapse of it leads to,
//!   and to others of the same populations at most
//! - no vertex needs more memory than a PE has
//!
//! **PLACED** (`places`): every vertex has a PE of its own, which exists,
//! works, and is not reserved
//!
//! **KEYED** (`keys`): every net has an aligned block of keys that covers its
//! slice; blocks do not overlap
//!
//! **ROUTED** (`trees`): from the chip of its source, every net's tree enters
//! each of its chips once and delivers to exactly the PEs of the sinks
//!
//! **TABLED, COMPRESSED** (`tables`)
//! - every key that a net can send, walked through the tables, is delivered to
//!   exactly the PEs of the sinks, without a loop
//! - no table is longer than the router's
//!
//! **SELECTED** (`kernels`)
//! - what a vertex multiplies on its MAC array is, ascending, dense projections of spikes
//!   with int8 or int16 weights that lead to it
//! - no sum of one tick leaves the array's accumulator
//!
//! **LAID_OUT** (`layouts`, `regions`)
//! - regions of a PE are aligned, ascending, disjoint, within its memory
//! - each line of the budget is exactly the sum of its regions
//! - there are rows for each incoming projection and source vertex that
//!   reaches the PE (or a matrix and counts), kernels, values, state, and arrays of parameters that
//!   differ or change, each of exactly its size; and nothing else
//!
//! *Not* verified: that time constants, scales and rounding follow from the
//! user's network and options (the comparison of golden and emulator shows
//! that), and what is inside the regions (code generation asserts its sizes).

mod app;
mod connectors;
mod findings;
mod kernels;
mod keys;
mod layouts;
mod models;
mod network;
mod places;
mod quantised;
mod ranges;
mod reach;
mod regions;
mod slices;
mod state;
pub mod tables;
mod timing;
mod trees;
mod windows;

use crate::diag::{Diagnostics, Result};
use crate::facts::Fact;
use crate::module::Module;
use crate::target::Target;
use findings::Findings;

/// A module that the verifier has proved; there is no other way to make one.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    module: Module,
}

impl Verified {
    pub fn module(&self) -> &Module {
        &self.module
    }
    /// Gives the module back for further passes, without the proof.
    pub fn into_module(self) -> Module {
        self.module
    }
}

/// Proves a module, or hands it back with what is wrong.
pub fn verify(
    module: Module,
    target: &Target,
) -> std::result::Result<Verified, (Box<Module>, Diagnostics)> {
    match check(&module, target) {
        Ok(()) => Ok(Verified { module }),
        Err(diagnostics) => Err((Box::new(module), diagnostics)),
    }
}

/// Proves every fact that the module claims.
pub fn check(module: &Module, target: &Target) -> Result<()> {
    let mut found = Findings::default();
    ranges::check(module, &mut found);
    // The rules index freely, so they only run where ids and claims hold.
    found.stop_if_any()?;
    app::check(module, &mut found);
    found.stop_if_any()?;
    for fact in module.facts.iter() {
        match fact {
            Fact::Shaped => network::check(module, &mut found),
            Fact::Canonical => app::check_canonical(module, &mut found),
            Fact::Discrete => app::check_discrete(module, &mut found),
            Fact::Balanced => timing::check(module, &mut found),
            Fact::Quantised => quantised::check(module, &mut found),
            Fact::Partitioned => slices::check(module, target, &mut found),
            Fact::Placed => places::check(module, target, &mut found),
            Fact::Keyed => keys::check(module, &mut found),
            Fact::Routed => trees::check(module, &mut found),
            Fact::Tabled => tables::check(module, target, &mut found),
            // What `Tabled` proves is what compression must keep.
            Fact::Compressed => {}
            Fact::Selected => kernels::check(module, target, &mut found),
            Fact::LaidOut => layouts::check(module, target, &mut found),
        }
        // Later facts rest on earlier ones.
        found.stop_if_any()?;
    }
    Ok(())
}

/// What each fact rests on; the rule of the right side may rely on the left.
pub const PREREQUISITES: &[(Fact, &[Fact])] = &[
    (Fact::Discrete, &[Fact::Canonical]),
    (Fact::Balanced, &[Fact::Canonical]),
    (Fact::Quantised, &[Fact::Discrete]),
    (Fact::Partitioned, &[Fact::Canonical]),
    (Fact::Placed, &[Fact::Partitioned]),
    (Fact::Keyed, &[Fact::Partitioned]),
    (Fact::Routed, &[Fact::Placed]),
    (Fact::Tabled, &[Fact::Keyed, Fact::Routed]),
    (Fact::Compressed, &[Fact::Tabled]),
    (Fact::Selected, &[Fact::Quantised, Fact::Partitioned]),
    (
        Fact::LaidOut,
        &[Fact::Quantised, Fact::Partitioned, Fact::Selected],
    ),
];
