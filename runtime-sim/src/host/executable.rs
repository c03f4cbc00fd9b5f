//! Finished host code: the one file that holds `unsafe`.

use crate::cpu::Core;
use cranelift_jit::JITModule;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

/// The entry of a kernel: base, arguments, result.
type KernelEntry = extern "C" fn(*mut u8, *const u32) -> u32;
/// The entry of a region: core, its memory, budget, where to begin; budget left.
type RegionEntry = extern "C" fn(*mut Core, *mut u8, i64, u32) -> i64;

/// Code in memory that it owns.
pub(super) struct Executable {
    /// Only `Drop` takes it.
    module: Mutex<Option<JITModule>>,
    /// Start of a finished function of the module. Never changed; atomic only
    /// because a bare pointer could not be shared between threads.
    code: AtomicPtr<u8>,
}

impl Executable {
    /// `code` is the address of a finished function of `module`.
    pub(super) fn new(module: JITModule, code: *const u8) -> Self {
        Self {
            module: Mutex::new(Some(module)),
            code: AtomicPtr::new(code.cast_mut()),
        }
    }

    /// Calls a kernel. `kernel.rs` alone makes executables that it calls so.
    #[allow(unsafe_code)]
    pub(super) fn call_kernel(&self, memory: &mut [u8], args: &[u32]) -> u32 {
        let code = self.code.load(Ordering::Relaxed).cast_const();
        // SAFETY: `code` is the start of a finished function that
        // `HostKernel::compile` built with exactly this signature and the host's
        // C convention; its memory lives until `self` is dropped. What it does is
        // sound: it reads as many words from `args` as the kernel has parameters,
        // which `HostKernel::call` compared; the kernel contains no call, no trap
        // and no access but at base + a 32-bit address + a small offset
        // (`kernel::check`), and `memory`, borrowed mutably, is longer than that.
        let entry = unsafe { std::mem::transmute::<*const u8, KernelEntry>(code) };
        entry(memory.as_mut_ptr(), args.as_ptr())
    }

    /// Calls a region. `region.rs` alone makes executables that it calls so.
    #[allow(unsafe_code)]
    pub(super) fn call_region(
        &self,
        core: &mut Core,
        memory: &mut [u8],
        budget: i64,
        entry: u32,
    ) -> i64 {
        let code = self.code.load(Ordering::Relaxed).cast_const();
        // SAFETY: `code` is the start of a finished function that
        // `RegionCompiler::compile` built with exactly this signature and the
        // host's C convention; its memory lives until `self` is dropped. What it
        // does is sound: it contains no call and no trap; it reaches `core` only
        // at the offsets and with the types of fields that `cpu::dbt` took from
        // `offset_of!`, and writes to fields of type `bool` only 0 or 1; it
        // reaches `memory` only behind a comparison of a range of 32-bit
        // addresses, which holds the access, with the number of bytes for which
        // it was compiled, which `RegionCode::enter` compared with the length.
        // Both are borrowed mutably, so nobody else sees them meanwhile.
        let entry_point = unsafe { std::mem::transmute::<*const u8, RegionEntry>(code) };
        entry_point(core, memory.as_mut_ptr(), budget, entry)
    }
}

impl Drop for Executable {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        let module = self
            .module
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = module.take() {
            // SAFETY: `code`, the only pointer into the module, is private and
            // used only while a call borrows `self`; no call can be running.
            unsafe { module.free_memory() };
        }
    }
}
