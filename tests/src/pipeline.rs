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
pub fn map(mut module: Module, target: &Target) -> Verified {
    let options = MappingOptions::default();
    let context = PassContext {
        target,
        options: &options,
    };
    passes::run(&mut module, &Plan::standard(), &context, &mut Silent).expect("it maps");
    verify(module, target)
        .map_err(|(_, d)| d)
        .expect("it verifies")
}
