//! A thin layer over Cranelift's function builder that kernels are written in.
//!
//! The same kernel can be built with guest addressing (32-bit addresses, for
//! the Thumb backend) or host addressing (a base pointer plus the
//! zero-extended guest address), which makes the host's own compiler a
//! reference for the backend.

mod arithmetic;
mod bytes;
mod device;
mod flow;
mod gather;
mod multiply;

use cranelift_codegen::ir::types::{F32, I32, I64};
use cranelift_codegen::ir::{
    AbiParam, ExtFuncData, ExternalName, Function, InstBuilder, MemFlagsData, Signature, TrapCode,
    Type, UserExternalName, UserFuncName, Value,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use std::fmt;
use target_lexicon::PointerWidth;

/// How a kernel reaches memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Addressing {
    /// An address is an i32.
    Guest,
    /// The function takes a base pointer (i64) before its other parameters,
    /// and an address is an offset from it. Calls are not available.
    Host,
}

/// A kernel as CLIF. `symbols[i]` names external `0:i`; the kernel itself is the first.
#[derive(Clone, Debug)]
pub struct Kernel {
    pub function: Function,
    pub symbols: Vec<String>,
}

impl Kernel {
    pub fn name(&self) -> &str {
        &self.symbols[0]
    }
}

/// Builds a kernel that takes `params` 32-bit integers and returns nothing.
pub fn build(
    name: &str,
    params: usize,
    addressing: Addressing,
    body: impl FnOnce(&mut KernelBuilder<'_>, &[Value]),
) -> Kernel {
    build_with(name, &vec![I32; params], addressing, body)
}

/// Builds a kernel that takes parameters of these types (I32 or F32).
pub fn build_with(
    name: &str,
    params: &[Type],
    addressing: Addressing,
    body: impl FnOnce(&mut KernelBuilder<'_>, &[Value]),
) -> Kernel {
    let (call_conv, width) = match addressing {
        Addressing::Guest => (CallConv::SystemV, PointerWidth::U32),
        Addressing::Host => (CallConv::SystemV, PointerWidth::U64),
    };
    let mut signature = Signature::new(call_conv);
    if addressing == Addressing::Host {
        signature.params.push(AbiParam::new(I64));
    }
    signature
        .params
        .extend(params.iter().map(|&ty| AbiParam::new(ty)));
    let mut function = Function::with_name_signature(UserFuncName::user(0, 0), signature);
    let mut context = FunctionBuilderContext::new();
    let mut b = FunctionBuilder::new(&mut function, &mut context);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let args = b.block_params(entry).to_vec();
    let (base, args) = match addressing {
        Addressing::Guest => (None, &args[..]),
        Addressing::Host => (Some(args[0]), &args[1..]),
    };
    let mut kb = KernelBuilder {
        b,
        base,
        symbols: vec![name.to_owned()],
    };
    body(&mut kb, args);
    let KernelBuilder { mut b, symbols, .. } = kb;
    b.ins().return_(&[]);
    b.seal_all_blocks();
    b.finalize(TargetFrontendConfig {
        default_call_conv: call_conv,
        pointer_width: width,
        page_size_align_log2: 12,
    });
    Kernel { function, symbols }
}

/// The body of a kernel under construction. Addresses are i32 values.
pub struct KernelBuilder<'a> {
    b: FunctionBuilder<'a>,
    base: Option<Value>,
    symbols: Vec<String>,
}

impl fmt::Debug for KernelBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelBuilder")
            .field("symbols", &self.symbols)
            .finish_non_exhaustive()
    }
}

impl KernelBuilder<'_> {
    pub fn addressing(&self) -> Addressing {
        if self.base.is_some() {
            Addressing::Host
        } else {
            Addressing::Guest
        }
    }

    pub fn int(&mut self, value: u32) -> Value {
        // CLIF keeps constants of narrow types sign-extended to 64 bits.
        self.b.ins().iconst(I32, i64::from(value as i32))
    }
    pub fn float(&mut self, value: f32) -> Value {
        self.b.ins().f32const(value)
    }

    fn place(&mut self, addr: Value) -> Value {
        match self.base {
            None => addr,
            Some(base) => {
                let wide = self.b.ins().uextend(I64, addr);
                self.b.ins().iadd(base, wide)
            }
        }
    }
    fn load(&mut self, ty: Type, addr: Value, offset: i32) -> Value {
        let place = self.place(addr);
        self.b.ins().load(ty, MemFlagsData::new(), place, offset)
    }
    pub fn load_word(&mut self, addr: Value, offset: i32) -> Value {
        self.load(I32, addr, offset)
    }
    pub fn load_float(&mut self, addr: Value, offset: i32) -> Value {
        self.load(F32, addr, offset)
    }
    /// A byte, sign-extended.
    pub fn load_signed_byte(&mut self, addr: Value, offset: i32) -> Value {
        let place = self.place(addr);
        let flags = MemFlagsData::new();
        self.b.ins().sload8(I32, flags, place, offset)
    }
    /// A halfword, sign-extended.
    pub fn load_signed_half(&mut self, addr: Value, offset: i32) -> Value {
        let place = self.place(addr);
        let flags = MemFlagsData::new();
        self.b.ins().sload16(I32, flags, place, offset)
    }
    /// A halfword, zero-extended.
    pub fn load_half(&mut self, addr: Value, offset: i32) -> Value {
        let place = self.place(addr);
        let flags = MemFlagsData::new();
        self.b.ins().uload16(I32, flags, place, offset)
    }
    /// Stores the lower half of an i32.
    pub fn store_half(&mut self, value: Value, addr: Value, offset: i32) {
        let place = self.place(addr);
        let flags = MemFlagsData::new();
        self.b.ins().istore16(flags, value, place, offset);
    }
    /// Stores a value of its own type (i32 or f32).
    pub fn store(&mut self, value: Value, addr: Value, offset: i32) {
        let place = self.place(addr);
        self.b
            .ins()
            .store(MemFlagsData::new(), value, place, offset);
    }
    /// The word at a constant address.
    pub fn load_at(&mut self, addr: u32) -> Value {
        let place = self.int(addr);
        self.load_word(place, 0)
    }
    /// Writes a word to a constant address.
    pub fn store_at(&mut self, value: Value, addr: u32) {
        let place = self.int(addr);
        self.store(value, place, 0);
    }

    /// Calls a function of the same program that returns nothing.
    pub fn call(&mut self, symbol: &str, args: &[Value]) {
        self.call_external(symbol, args, 0);
    }
    /// Calls an intrinsic that returns `results` integers.
    fn call_returning(&mut self, symbol: &str, args: &[Value], results: usize) -> Vec<Value> {
        let call = self.call_external(symbol, args, results);
        self.b.inst_results(call).to_vec()
    }
    fn call_external(
        &mut self,
        symbol: &str,
        args: &[Value],
        results: usize,
    ) -> cranelift_codegen::ir::Inst {
        let mut signature = Signature::new(CallConv::SystemV);
        let types = args.iter().map(|&v| self.b.func.dfg.value_type(v));
        signature.params.extend(types.map(AbiParam::new));
        signature.returns = vec![AbiParam::new(I32); results];
        let known = self.symbols.iter().position(|s| s == symbol);
        let index = known.unwrap_or_else(|| {
            self.symbols.push(symbol.to_owned());
            self.symbols.len() - 1
        });
        let existing = self
            .b
            .func
            .dfg
            .ext_funcs
            .iter()
            .find_map(|(f, data)| match data.name {
                ExternalName::User(r)
                    if self.b.func.params.user_named_funcs()[r].index as usize == index =>
                {
                    Some(f)
                }
                _ => None,
            });
        let callee = existing.unwrap_or_else(|| {
            let name = UserExternalName::new(0, index as u32);
            let name = self.b.func.declare_imported_user_function(name);
            let signature = self.b.import_signature(signature);
            self.b.import_function(ExtFuncData {
                name: ExternalName::user(name),
                signature,
                colocated: true,
                patchable: false,
            })
        });
        self.b.ins().call(callee, args)
    }
    /// Stops the program with a precise fault: something impossible happened.
    /// The host form can't fault, it returns.
    pub fn trap(&mut self) {
        match self.addressing() {
            Addressing::Guest => self.b.ins().trap(TrapCode::unwrap_user(1)),
            Addressing::Host => self.b.ins().return_(&[]),
        };
    }
}
