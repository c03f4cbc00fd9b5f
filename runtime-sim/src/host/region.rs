//! Regions of guest code as host functions.

use super::executable::Executable;
use super::kernel::{HostError, broken};
use crate::cpu::{Core, Memory};
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{AbiParam, Function, Signature, Type};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, default_libcall_names};
use std::fmt;

/// Makes host functions of regions.
pub(crate) struct RegionCompiler {
    isa: OwnedTargetIsa,
}

impl fmt::Debug for RegionCompiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegionCompiler")
    }
}

impl RegionCompiler {
    pub(crate) fn new() -> Result<Self, HostError> {
        let mut flags = settings::builder();
        let verify = if cfg!(debug_assertions) {
            "true"
        } else {
            "false"
        };
        for (name, value) in [
            ("use_colocated_libcalls", "false"),
            ("is_pic", "false"),
            // Machines of many PEs run out of the host's caches: smaller code is worth more
            // than the time to make it.
            ("opt_level", "speed"),
            ("enable_verifier", verify),
            ("enable_probestack", "false"),
            ("unwind_info", "false"),
        ] {
            flags.set(name, value).map_err(broken)?;
        }
        let isa = cranelift_native::builder()
            .map_err(broken)?
            .finish(settings::Flags::new(flags))
            .map_err(broken)?;
        Ok(Self { isa })
    }

    /// The signature of every region: core, memory, budget, entry, what to call for
    /// what is left to the caller and what to pass on to it; budget left, or the least
    /// number if that call has returned it.
    pub(crate) fn signature(&self) -> Signature {
        self.signature_of(&[I64, I64, I64, I32, I64, I64])
    }

    /// The signature of what it calls: core, what to pass on, number of the exit, budget
    /// left; budget left, or the least number to leave.
    pub(crate) fn step_signature(&self) -> Signature {
        self.signature_of(&[I64, I64, I32, I64])
    }

    fn signature_of(&self, params: &[Type]) -> Signature {
        let mut signature = Signature::new(self.isa.default_call_conv());
        signature.params = params.iter().copied().map(AbiParam::new).collect();
        signature.returns = vec![AbiParam::new(I64)];
        signature
    }

    pub(crate) fn frontend_config(&self) -> cranelift_codegen::isa::TargetFrontendConfig {
        self.isa.frontend_config()
    }

    /// Compiles `function`, which must have [`RegionCompiler::signature`] and reach
    /// no memory of the guest from `memory_bytes` on.
    pub(crate) fn compile(
        &self,
        function: Function,
        memory_bytes: usize,
    ) -> Result<RegionCode, HostError> {
        let builder = JITBuilder::with_isa(self.isa.clone(), default_libcall_names());
        let mut module = JITModule::new(builder);
        let id = module
            .declare_function("region", Linkage::Local, &function.signature)
            .map_err(broken)?;
        let mut context = module.make_context();
        context.func = function;
        module.define_function(id, &mut context).map_err(broken)?;
        module.finalize_definitions().map_err(broken)?;
        let code = module.get_finalized_function(id);
        Ok(RegionCode {
            executable: Executable::new(module, code),
            memory_bytes,
        })
    }
}

/// Executes instructions that a region does not.
pub(crate) trait Between {
    /// Executes the instruction at exit number `exit`, where `time` is left. The time that
    /// is left behind it, not the least number, if the region goes on at the entry whose
    /// number is in the core.
    fn step(&mut self, core: &mut Core, memory: &mut Memory, exit: u32, time: i64) -> Option<i64>;
}

/// A compiled region.
pub(crate) struct RegionCode {
    executable: Executable,
    memory_bytes: usize,
}

impl fmt::Debug for RegionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegionCode")
    }
}

impl RegionCode {
    /// Runs the region from `entry`; the budget that is left where it was left, or `None`
    /// if `between` has said so. Also `None`, and nothing happens, if `memory` is not of
    /// the size for which it was compiled.
    #[inline]
    pub(crate) fn enter<B: Between>(
        &self,
        core: &mut Core,
        memory: &mut Memory,
        budget: i64,
        entry: u32,
        between: &mut B,
    ) -> Option<i64> {
        if memory.size() != self.memory_bytes {
            return None;
        }
        let code = &self.executable;
        let left = code.call_region(core, memory, budget, entry, between);
        (left != i64::MIN).then_some(left)
    }
}
