//! Runs a kernel on the host, as the reference for the Thumb back end.
//!
//! A kernel built with *host addressing* takes `base: i64` before its 32-bit
//! parameters and reaches memory only at `base + uextend.i64(addr)` plus a small
//! constant, where `addr` is a 32-bit value. [`HostKernel::compile`] checks that
//! of every instruction, and [`HostMemory`] is so large that each such place
//! lies inside it, so compiled kernels cannot leave their memory.

use super::executable::Executable;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{
    AbiParam, Function, InstBuilder, InstructionData, MemFlagsData, Opcode, Value, ValueDef,
};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, default_libcall_names};
use std::fmt;

/// Bytes beyond the 32-bit address space: the largest constant offset and the
/// widest access fit in it.
const MARGIN: u64 = 1 << 16;
const MAX_OFFSET: i32 = 0xff00;
const MAX_PARAMS: usize = 16;

/// Why a function was not compiled or not called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostError(String);

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HostError {}

fn refuse<T>(why: impl Into<String>) -> Result<T, HostError> {
    Err(HostError(why.into()))
}

pub(super) fn broken(what: impl fmt::Display) -> HostError {
    HostError(format!("the host's compiler failed: {what}"))
}

/// Zeroed memory for every 32-bit address and [`MARGIN`] bytes more. The host
/// commits only the pages that are touched.
pub struct HostMemory {
    bytes: Vec<u8>,
}

impl fmt::Debug for HostMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostMemory").finish_non_exhaustive()
    }
}

impl Default for HostMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl HostMemory {
    const BYTES: u64 = (1 << 32) + MARGIN;

    /// All zero.
    pub fn new() -> Self {
        Self {
            bytes: vec![0; Self::BYTES as usize],
        }
    }
    /// Copies `data` to `addr`; what would lie beyond the last 32-bit address
    /// is not copied.
    pub fn write(&mut self, addr: u32, data: &[u8]) {
        let room = &mut self.bytes[addr as usize..1 << 32];
        let n = data.len().min(room.len());
        room[..n].copy_from_slice(&data[..n]);
    }
    /// `len` bytes at `addr`, fewer at the end of the address space.
    pub fn read(&self, addr: u32, len: usize) -> &[u8] {
        let room = &self.bytes[addr as usize..1 << 32];
        &room[..len.min(room.len())]
    }
}

/// A kernel compiled for the host.
pub struct HostKernel {
    code: Executable,
    params: usize,
    returns: bool,
}

impl fmt::Debug for HostKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostKernel")
            .field("params", &self.params)
            .field("returns", &self.returns)
            .finish_non_exhaustive()
    }
}

impl HostKernel {
    /// Compiles `function`: `(i64, i32…) -> ()` or `-> i32`, without calls,
    /// traps, or accesses other than those through its base.
    pub fn compile(mut function: Function) -> Result<HostKernel, HostError> {
        check(&function)?;
        let mut flags = settings::builder();
        for (name, value) in [
            ("use_colocated_libcalls", "false"),
            ("is_pic", "false"),
            ("enable_verifier", "true"),
        ] {
            flags.set(name, value).map_err(broken)?;
        }
        let isa = cranelift_native::builder()
            .map_err(broken)?
            .finish(settings::Flags::new(flags))
            .map_err(broken)?;
        let mut module = JITModule::new(JITBuilder::with_isa(isa, default_libcall_names()));
        function.signature.call_conv = module.isa().default_call_conv();
        let (params, returns) = (
            function.signature.params.len() - 1,
            !function.signature.returns.is_empty(),
        );
        let kernel = module
            .declare_function("kernel", Linkage::Local, &function.signature)
            .map_err(broken)?;
        let mut context = module.make_context();
        context.func = function;
        module
            .define_function(kernel, &mut context)
            .map_err(broken)?;

        // The entry unpacks an array of arguments, so that there is one way to
        // call a kernel and not one for each number of parameters.
        let mut context = module.make_context();
        let pointer = module.target_config().pointer_type();
        let signature = &mut context.func.signature;
        signature.params = vec![AbiParam::new(pointer); 2];
        signature.returns = vec![AbiParam::new(I32)];
        let entry = module
            .declare_function("entry", Linkage::Local, &context.func.signature)
            .map_err(broken)?;
        let mut scratch = FunctionBuilderContext::new();
        let callee = module.declare_func_in_func(kernel, &mut context.func);
        let mut b = FunctionBuilder::new(&mut context.func, &mut scratch);
        let block = b.create_block();
        b.append_block_params_for_function_params(block);
        b.switch_to_block(block);
        let (base, array) = (b.block_params(block)[0], b.block_params(block)[1]);
        let mut args = vec![base];
        for i in 0..params {
            let flags = MemFlagsData::trusted();
            args.push(b.ins().load(I32, flags, array, 4 * i as i32));
        }
        let call = b.ins().call(callee, &args);
        let result = match b.inst_results(call).first() {
            Some(&result) => result,
            None => b.ins().iconst(I32, 0),
        };
        b.ins().return_(&[result]);
        b.seal_all_blocks();
        b.finalize(module.target_config());
        module
            .define_function(entry, &mut context)
            .map_err(broken)?;
        module.finalize_definitions().map_err(broken)?;
        let code = module.get_finalized_function(entry);
        Ok(HostKernel {
            code: Executable::new(module, code),
            params,
            returns,
        })
    }

    /// Calls the kernel; the result is `None` for a kernel without one.
    pub fn call(&self, memory: &mut HostMemory, args: &[u32]) -> Result<Option<u32>, HostError> {
        if args.len() != self.params {
            return refuse(format!(
                "the kernel takes {} arguments, not {}",
                self.params,
                args.len()
            ));
        }
        let result = self.code.call_kernel(&mut memory.bytes, args);
        Ok(self.returns.then_some(result))
    }
}

/// Refuses every function that [`HostKernel::call`] could not run soundly.
fn check(function: &Function) -> Result<(), HostError> {
    let types = |params: &[AbiParam]| params.iter().map(|p| p.value_type).collect::<Vec<_>>();
    let params = types(&function.signature.params);
    let sound = params.split_first().is_some_and(|(base, rest)| {
        *base == I64 && rest.len() <= MAX_PARAMS && rest.iter().all(|t| *t == I32)
    });
    if !sound || ![vec![], vec![I32]].contains(&types(&function.signature.returns)) {
        return refuse("a host kernel takes (i64, i32…) and returns nothing or an i32");
    }
    let entry = function.layout.entry_block();
    let base = entry.and_then(|b| function.dfg.block_params(b).first().copied());
    let Some(base) = base else {
        return refuse("the function has no entry block with a base");
    };
    for block in function.layout.blocks() {
        for inst in function.layout.block_insts(block) {
            let data = &function.dfg.insts[inst];
            let op = data.opcode();
            let place = match data {
                InstructionData::Load { arg, offset, .. } => Some((*arg, i32::from(*offset))),
                InstructionData::Store { args, offset, .. } => Some((args[1], i32::from(*offset))),
                _ => None,
            };
            let allowed = match op {
                Opcode::Jump | Opcode::Brif | Opcode::BrTable | Opcode::Return => true,
                Opcode::SymbolValue | Opcode::FuncAddr | Opcode::TlsValue => false,
                _ => match place {
                    Some((address, offset)) => {
                        (0..=MAX_OFFSET).contains(&offset) && is_based(function, base, address)
                    }
                    None => {
                        !(op.is_call()
                            || op.is_terminator()
                            || op.is_branch()
                            || op.can_load()
                            || op.can_store()
                            || op.can_trap()
                            || op.other_side_effects())
                    }
                },
            };
            if !allowed {
                return refuse(format!(
                    "not allowed in a host kernel: {}",
                    function.dfg.display_inst(inst)
                ));
            }
        }
    }
    Ok(())
}

/// True if `address` is `base + uextend.i64(v)` for some 32-bit `v`.
fn is_based(function: &Function, base: Value, address: Value) -> bool {
    let dfg = &function.dfg;
    let defined_by = |value: Value, wanted: Opcode| match dfg.value_def(dfg.resolve_aliases(value))
    {
        ValueDef::Result(inst, 0) if dfg.insts[inst].opcode() == wanted => {
            Some(dfg.inst_args(inst))
        }
        _ => None,
    };
    let is_extended = |value: Value| {
        defined_by(value, Opcode::Uextend)
            .and_then(|args| args.first())
            .is_some_and(|&v| dfg.value_type(v).bits() <= 32)
    };
    let is_base = |value: Value| dfg.resolve_aliases(value) == dfg.resolve_aliases(base);
    match defined_by(address, Opcode::Iadd) {
        Some(&[a, b]) => (is_base(a) && is_extended(b)) || (is_base(b) && is_extended(a)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cranelift_codegen::ir::{Signature, UserFuncName};
    use cranelift_codegen::isa::CallConv;

    /// A function of a base and `n` words whose body is `body`.
    fn function(
        n: usize,
        returns: bool,
        body: impl FnOnce(&mut FunctionBuilder<'_>, &[Value]),
    ) -> Function {
        let mut signature = Signature::new(CallConv::SystemV);
        signature.params.push(AbiParam::new(I64));
        signature.params.extend(vec![AbiParam::new(I32); n]);
        signature
            .returns
            .extend(returns.then_some(AbiParam::new(I32)));
        let mut f = Function::with_name_signature(UserFuncName::user(0, 0), signature);
        let mut scratch = FunctionBuilderContext::new();
        let mut b = FunctionBuilder::new(&mut f, &mut scratch);
        let block = b.create_block();
        b.append_block_params_for_function_params(block);
        b.switch_to_block(block);
        let args = b.block_params(block).to_vec();
        body(&mut b, &args);
        b.seal_all_blocks();
        let host = cranelift_native::builder().expect("a known host");
        let isa = host.finish(settings::Flags::new(settings::builder()));
        b.finalize(isa.expect("default flags").frontend_config());
        f
    }

    fn at(b: &mut FunctionBuilder<'_>, base: Value, addr: Value) -> Value {
        let wide = b.ins().uextend(I64, addr);
        b.ins().iadd(base, wide)
    }

    #[test]
    fn a_kernel_reads_and_writes_its_memory() {
        let add = function(3, true, |b, args| {
            let flags = MemFlagsData::new();
            let p = at(b, args[0], args[1]);
            let x = b.ins().load(I32, flags, p, 4);
            let y = b.ins().iadd(x, args[2]);
            let q = at(b, args[0], args[3]);
            b.ins().store(flags, y, q, 0);
            b.ins().return_(&[y]);
        });
        let kernel = HostKernel::compile(add).expect("compiles");
        let mut memory = HostMemory::new();
        memory.write(0x104, &40u32.to_le_bytes());
        assert_eq!(
            kernel.call(&mut memory, &[0x100, 2, u32::MAX]),
            Ok(Some(42))
        );
        assert_eq!(memory.read(u32::MAX, 4), [42]);
        assert!(kernel.call(&mut memory, &[1]).is_err());
    }

    #[test]
    fn anything_that_could_leave_the_memory_is_refused() {
        let flags = MemFlagsData::new();
        let refused = |f: Function| HostKernel::compile(f).expect_err("refused").to_string();
        let wild = function(1, false, |b, args| {
            let p = b.ins().uextend(I64, args[1]);
            b.ins().load(I32, flags, p, 0);
            b.ins().return_(&[]);
        });
        assert!(refused(wild).contains("load"));
        let far = function(1, false, |b, args| {
            let p = at(b, args[0], args[1]);
            b.ins().load(I32, flags, p, -4);
            b.ins().return_(&[]);
        });
        assert!(refused(far).contains("load"));
        let traps = function(2, true, |b, args| {
            let q = b.ins().udiv(args[1], args[2]);
            b.ins().return_(&[q]);
        });
        assert!(refused(traps).contains("udiv"));
    }
}
