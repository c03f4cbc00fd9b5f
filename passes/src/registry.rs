//! Every pass, declared once: one line gives the name on the command line, its
//! help, its name in dumps and its row in timings.

use crate::contract::Contract;
use crate::manager::PassContext;
use ir::Module;
use ir::diag::{Diagnostic, Result};
use ir::facts::Fact;
use std::fmt;

/// A pass as plans, dumps and the command line see it.
pub trait Pass: fmt::Debug + Sync {
    /// The name on the command line, such as `build-tables`.
    fn name(&self) -> &'static str;
    /// One line of help.
    fn description(&self) -> &'static str;
    fn contract(&self) -> Contract;
    /// Rewrites the module; gives warnings, or the errors that stopped it.
    fn run(&self, module: &mut Module, context: &PassContext<'_>) -> Result<Vec<Diagnostic>>;
}

/// What the file of a pass provides: its contract and its adapter.
pub(crate) trait Transform {
    const CONTRACT: Contract;
    fn run(module: &mut Module, context: &PassContext<'_>) -> Result<Vec<Diagnostic>>;
}

macro_rules! passes {
    ($($pass:ident $name:literal $description:literal;)*) => {
        $(
            #[doc = $description]
            #[derive(Clone, Copy, Debug)]
            pub struct $pass;

            impl Pass for $pass {
                fn name(&self) -> &'static str {
                    $name
                }
                fn description(&self) -> &'static str {
                    $description
                }
                fn contract(&self) -> Contract {
                    <Self as Transform>::CONTRACT
                }
                fn run(&self, module: &mut Module, context: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
                    <Self as Transform>::run(module, context)
                }
            }
        )*

        /// All passes, in the order of the standard plan.
        pub static ALL: &[&dyn Pass] = &[$(&$pass,)*];
    };
}

passes! {
    InferShapes "infer-shapes" "derive every shape of the network and check that the ends of each edge agree";
    Canonicalise "canonicalise" "fold the network into populations and projections";
    Discretise "discretise" "turn time constants into factors per step";
    BalanceDelays "balance-delays" "choose latencies and delays so that every path stays exact to the step";
    Quantise "quantise" "turn weights into integers and neuron parameters into their scaled units";
    Partition "partition" "cut populations into slices that each fit one PE, and join them by nets";
    Place "place" "give every slice a PE";
    AllocateKeys "allocate-keys" "give every net a block of multicast keys";
    Route "route" "find a tree of links from every net's source to its sinks";
    BuildTables "build-tables" "write the trees as one routing table per chip";
    ChooseKernels "choose-kernels" "decide which dense projections each slice multiplies on its MAC array";
    LayOutMemory "lay-out-memory" "give every region of every slice an address";
}

/// The pass of this name.
pub fn find(name: &str) -> Option<&'static dyn Pass> {
    ALL.iter().copied().find(|p| p.name() == name)
}

/// The names of the passes that establish a fact.
pub fn providers(fact: Fact) -> Vec<&'static str> {
    ALL.iter()
        .filter(|p| p.contract().establishes.contains(fact))
        .map(|p| p.name())
        .collect()
}

impl Transform for InferShapes {
    const CONTRACT: Contract = Contract::requires(&[])
        .excludes(&[Fact::Canonical])
        .establishes(&[Fact::Shaped]);

    fn run(module: &mut Module, _: &PassContext<'_>) -> Result<Vec<Diagnostic>> {
        crate::infer_shapes::infer(&mut module.network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_found() {
        let names: BTreeSet<_> = ALL.iter().map(|p| p.name()).collect();
        assert_eq!(names.len(), ALL.len());
        assert!(names.iter().all(|n| find(n).is_some()));
        assert!(find("no-such-pass").is_none());
    }
}
