//! A thin layer over Cranelift's function builder that kernels are written in.
//!
//! The same kernel can be built with guest addressing (32-bit addresses, for
//! the Thumb backend) or host addressing (a base pointer plus the
//! zero-extended guest address), which makes the host's own compiler a
//! reference for the backend.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, I8, I16, I32, I64};
use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, ExtFuncData, ExternalName, Function, InstBuilder, MemFlagsData,
    Signature, TrapCode, Type, UserExternalName, UserFuncName, Value,
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
        .extend((0..params).map(|_| AbiParam::new(I32)));
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

    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().iadd(a, b)
    }
    pub fn sub(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().isub(a, b)
    }
    pub fn mul(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().imul(a, b)
    }
    pub fn or(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().bor(a, b)
    }
    pub fn and(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().band(a, b)
    }
    pub fn shl(&mut self, a: Value, by: Value) -> Value {
        self.b.ins().ishl(a, by)
    }
    pub fn add_const(&mut self, a: Value, c: u32) -> Value {
        if c == 0 {
            return a;
        }
        let c = self.int(c);
        self.add(a, c)
    }
    pub fn and_const(&mut self, a: Value, c: u32) -> Value {
        let c = self.int(c);
        self.and(a, c)
    }
    pub fn shl_const(&mut self, a: Value, by: u32) -> Value {
        let by = self.int(by);
        self.b.ins().ishl(a, by)
    }
    pub fn shr_const(&mut self, a: Value, by: u32) -> Value {
        if by == 0 {
            return a;
        }
        let by = self.int(by);
        self.b.ins().ushr(a, by)
    }
    /// Byte `k` of a word, sign-extended.
    pub fn signed_byte(&mut self, word: Value, k: u32) -> Value {
        let shifted = self.shr_const(word, 8 * k);
        let byte = self.b.ins().ireduce(I8, shifted);
        self.b.ins().sextend(I32, byte)
    }
    /// Halfword `k` of a word, sign-extended.
    pub fn signed_half(&mut self, word: Value, k: u32) -> Value {
        let shifted = self.shr_const(word, 16 * k);
        let half = self.b.ins().ireduce(I16, shifted);
        self.b.ins().sextend(I32, half)
    }
    /// `SXTAB16`: adds signed bytes 0 and 2 of `word` (1 and 3 if `odd`) to
    /// the two halves of `acc`, each wrapping by itself.
    pub fn add_bytes_to_halves(&mut self, acc: Value, word: Value, odd: bool) -> Value {
        match self.addressing() {
            Addressing::Guest => {
                let name = if odd { "s2_sxtab16_ror8" } else { "s2_sxtab16" };
                let call = self.call_returning(name, &[acc, word]);
                self.b.inst_results(call)[0]
            }
            Addressing::Host => {
                let first = u32::from(odd);
                let low = self.signed_byte(word, first);
                let high = self.signed_byte(word, first + 2);
                let low = self.add(acc, low);
                let low = self.and_const(low, 0xffff);
                let upper = self.shr_const(acc, 16);
                let high = self.add(upper, high);
                let high = self.shl_const(high, 16);
                self.or(low, high)
            }
        }
    }
    /// Signed integer to float32, to nearest even.
    pub fn to_float(&mut self, int: Value) -> Value {
        self.b.ins().fcvt_from_sint(F32, int)
    }
    pub fn fadd(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().fadd(a, b)
    }
    pub fn fsub(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().fsub(a, b)
    }
    pub fn fmul(&mut self, a: Value, b: Value) -> Value {
        self.b.ins().fmul(a, b)
    }
    pub fn fcompare(&mut self, how: FloatCC, a: Value, b: Value) -> Value {
        self.b.ins().fcmp(how, a, b)
    }
    pub fn compare(&mut self, how: IntCC, a: Value, b: Value) -> Value {
        self.b.ins().icmp(how, a, b)
    }
    pub fn select(&mut self, condition: Value, yes: Value, no: Value) -> Value {
        self.b.ins().select(condition, yes, no)
    }

    /// Calls a function of the same program that returns nothing.
    pub fn call(&mut self, symbol: &str, args: &[Value]) {
        self.call_external(symbol, args, false);
    }
    fn call_returning(&mut self, symbol: &str, args: &[Value]) -> cranelift_codegen::ir::Inst {
        self.call_external(symbol, args, true)
    }
    fn call_external(
        &mut self,
        symbol: &str,
        args: &[Value],
        returns: bool,
    ) -> cranelift_codegen::ir::Inst {
        let mut signature = Signature::new(CallConv::SystemV);
        signature
            .params
            .extend(args.iter().map(|_| AbiParam::new(I32)));
        if returns {
            signature.returns.push(AbiParam::new(I32));
        }
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

    /// A block with parameters of the given values' types.
    pub fn block_like(&mut self, state: &[Value]) -> Block {
        let block = self.b.create_block();
        for &value in state {
            let ty = self.b.func.dfg.value_type(value);
            self.b.append_block_param(block, ty);
        }
        block
    }
    pub fn block(&mut self) -> Block {
        self.b.create_block()
    }
    /// A block that is rarely entered; the backend places it last.
    pub fn cold_block(&mut self) -> Block {
        let block = self.b.create_block();
        self.b.set_cold_block(block);
        block
    }
    pub fn params(&self, block: Block) -> Vec<Value> {
        self.b.block_params(block).to_vec()
    }
    pub fn enter(&mut self, block: Block) {
        self.b.switch_to_block(block);
    }
    pub fn jump(&mut self, to: Block, args: &[Value]) {
        let args: Vec<BlockArg> = args.iter().map(|&v| BlockArg::Value(v)).collect();
        self.b.ins().jump(to, &args);
    }
    pub fn branch(&mut self, condition: Value, yes: (Block, &[Value]), no: (Block, &[Value])) {
        let wrap = |args: &[Value]| args.iter().map(|&v| BlockArg::Value(v)).collect::<Vec<_>>();
        let (yes_args, no_args) = (wrap(yes.1), wrap(no.1));
        self.b
            .ins()
            .brif(condition, yes.0, &yes_args, no.0, &no_args);
    }

    /// Runs `body` `count` times on a state that it maps to the next; the loop
    /// is bottom-tested, since only then the mid-end hoists out of it.
    pub fn repeat(
        &mut self,
        count: u32,
        state: &[Value],
        body: impl FnOnce(&mut Self, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        match count {
            0 => state.to_vec(),
            1 => body(self, state),
            _ => {
                let n = self.int(count);
                let mut all = vec![n];
                all.extend_from_slice(state);
                let top = self.block_like(&all);
                let exit = self.block_like(state);
                self.jump(top, &all);
                self.enter(top);
                let params = self.params(top);
                let next = body(self, &params[1..]);
                let one = self.int(1);
                let left = self.sub(params[0], one);
                let mut again = vec![left];
                again.extend_from_slice(&next);
                let zero = self.int(0);
                let more = self.compare(IntCC::NotEqual, left, zero);
                self.branch(more, (top, &again), (exit, &next));
                self.enter(exit);
                self.params(exit)
            }
        }
    }
}
