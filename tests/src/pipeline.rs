//! From a network file to a verified module, without the command line.

use fixtures::Net;
use ir::Target;
use ir::module::Module;
use ir::semantics::{Profile, WeightMode};
use ir::verify::{Verified, verify};
use passes::{MappingOptions, PassContext, Plan, Silent};

/// Reads a fixture into a module that holds only its network.
pub fn load(net: Net, weights: WeightMode) -> Module {
    let bytes = std::fs::read(net.nir()).expect("the fixture is there");
    let (graph, _) = compiler::front::nir::read(&bytes, "net.nir").expect("it reads");
    let (network, _) = compiler::front::lower::lower(&graph, "net.nir").expect("it lowers");
    let mut module = Module::from_network(network, "spinnaker2");
    let profile: Profile = net.profile.parse().expect("a profile");
    module.semantics = profile.semantics();
    module.quantisation = profile.quantisation();
    module.quantisation.weights = weights;
    if let Some(dt) = net.dt {
        module.semantics.dt = Some(dt.parse().expect("a number"));
    }
    module
}

/// Runs the standard plan and proves the result.
pub fn map(module: Module, target: &Target) -> Verified {
    map_with(module, target, |_| {})
}

/// As [`map`]; `change` sees the module once it has populations.
pub fn map_with(mut module: Module, target: &Target, change: impl FnOnce(&mut Module)) -> Verified {
    let options = MappingOptions::default();
    let context = PassContext {
        target,
        options: &options,
    };
    let front = Plan::standard().stop_after("canonicalise").expect("a pass");
    passes::run(&mut module, &front, &context, &mut Silent).expect("it becomes populations");
    change(&mut module);
    let rest = Plan::rest_of_standard(module.facts);
    passes::run(&mut module, &rest, &context, &mut Silent).expect("it maps");
    verify(module, target)
        .map_err(|(_, d)| d)
        .expect("it verifies")
}
