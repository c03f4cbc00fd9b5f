//! Cranelift's optimiser, run under a 32-bit target.

use super::BackendError;
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::Function;
use cranelift_codegen::isa::{self, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use std::sync::OnceLock;

/// pulley32 has 32-bit pointers and no machine code of its own is asked of it.
fn target() -> Result<OwnedTargetIsa, String> {
    static TARGET: OnceLock<Result<OwnedTargetIsa, String>> = OnceLock::new();
    let make = || {
        let mut flags = settings::builder();
        flags.set("opt_level", "speed").map_err(|e| e.to_string())?;
        let builder = isa::lookup_by_name("pulley32").map_err(|e| e.to_string())?;
        builder
            .finish(settings::Flags::new(flags))
            .map_err(|e| e.to_string())
    };
    TARGET.get_or_init(make).clone()
}

/// Verifies the function and, if wanted, optimises it.
pub(super) fn run(name: &str, func: Function, optimize: bool) -> Result<Function, BackendError> {
    let fail = |reason: String| BackendError::new(name, reason);
    let isa = target().map_err(fail)?;
    let mut context = Context::for_function(func);
    context
        .verify(&*isa)
        .map_err(|errors| fail(format!("invalid CLIF: {errors}")))?;
    if optimize {
        context
            .optimize(&*isa, &mut ControlPlane::default())
            .map_err(|e| fail(format!("the optimiser failed: {e}")))?;
    }
    Ok(context.func)
}
