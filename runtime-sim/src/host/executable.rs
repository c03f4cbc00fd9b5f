//! Finished host code: the one file that holds `unsafe`.

use super::region::Between;
use crate::cpu::{Core, Memory};
use cranelift_jit::JITModule;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

/// The entry of a kernel: base, arguments, result.
type KernelEntry = extern "C" fn(*mut u8, *const u32) -> u32;
/// What a region calls for an instruction that it leaves to the caller.
type Step = extern "C" fn(*mut Inside, *mut Stay, u32, i64) -> i64;
/// The entry of a region: core, bytes of its memory, budget, where to begin, what to call
/// and with what; budget left.
type RegionEntry = extern "C" fn(*mut Inside, *mut u8, i64, u32, Step, *mut Stay) -> i64;

/// Bytes from the beginning of a core to where a region's pointer leads. Short offsets of
/// the host's instructions are signed: so they reach twice as much of the core.
pub(crate) const CORE_BIAS: usize = 128;

/// A core, [`CORE_BIAS`] bytes behind its beginning.
enum Inside {}

/// What a region gets for a core.
fn inside(core: *mut Core) -> *mut Inside {
    core.wrapping_byte_add(CORE_BIAS).cast()
}

/// The core that [`inside`] was asked for.
fn around(core: *mut Inside) -> *mut Core {
    core.cast::<Core>().wrapping_byte_sub(CORE_BIAS)
}

/// A stay in a region, as the region passes it on; in truth a [`Call`].
enum Stay {}

/// What a call of a region lends to [`step`] besides the core.
struct Call<'a, B> {
    memory: *mut Memory,
    /// Its bytes.
    bytes: *mut u8,
    len: usize,
    between: &'a mut B,
}

/// Lets `B` execute an instruction between two parts of a region. A panic in it ends the
/// process: it can't unwind through code that has no tables for that.
#[allow(unsafe_code)]
extern "C" fn step<B: Between>(core: *mut Inside, stay: *mut Stay, exit: u32, time: i64) -> i64 {
    let core = around(core);
    // SAFETY: only the code that `Executable::call_region::<B>` calls has this address;
    // it passes on the core and the stay that it was given there, while that call lasts.
    // Both were borrowed mutably for it, and nobody else touches them until this returns:
    // the code that called is waiting.
    let (core, call) = unsafe { (&mut *core, &mut *stay.cast::<Call<'_, B>>()) };
    // SAFETY: as above; the memory was borrowed along with them.
    let memory = unsafe { &mut *call.memory };
    let left = call.between.step(core, memory, exit, time);
    // The region has the address of the bytes: with other ones it must not go on.
    let bytes = memory.bytes_for_translated();
    let same = bytes.as_mut_ptr() == call.bytes && bytes.len() == call.len;
    left.filter(|_| same).unwrap_or(i64::MIN)
}

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
    pub(super) fn call_region<B: Between>(
        &self,
        core: &mut Core,
        memory: &mut Memory,
        budget: i64,
        entry: u32,
        between: &mut B,
    ) -> i64 {
        let code = self.code.load(Ordering::Relaxed).cast_const();
        // SAFETY: `code` is the start of a finished function that
        // `RegionCompiler::compile` built with exactly this signature and the
        // host's C convention; its memory lives until `self` is dropped. What it
        // does is sound: it contains no trap and calls nothing but `step`, with what it
        // was given for that; it reaches `core` only at the offsets of fields that
        // `cpu::dbt` took from `offset_of!`, less the bias that `inside` adds: with their
        // types, or the 8 words of R0 to R7 as two unaligned vectors (`cpu::dbt::lanes`), or an element of the queue's arrays
        // whose index it has compared with `link.room`, which `Core::prepare` sets to
        // their length or 0 (`cpu::dbt::ports`); it writes to fields of type `bool` only
        // 0 or 1; it reaches the bytes only behind a comparison of a range of
        // 32-bit addresses, which holds the access, with the number of bytes for which
        // it was compiled, which `RegionCode::enter` compared with the length.
        // Core and memory are borrowed mutably, so nobody else sees them meanwhile; while
        // `step` has them, the function does not run, and behind it it goes on only if the
        // bytes are where they were.
        let entry_point = unsafe { std::mem::transmute::<*const u8, RegionEntry>(code) };
        let (bytes, len) = {
            let bytes = memory.bytes_for_translated();
            (bytes.as_mut_ptr(), bytes.len())
        };
        let mut call = Call {
            memory,
            bytes,
            len,
            between,
        };
        let stay = (&raw mut call).cast::<Stay>();
        entry_point(inside(core), bytes, budget, entry, step::<B>, stay)
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
