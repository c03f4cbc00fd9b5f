//! A region as one function of Cranelift IR.
//!
//! Registers, flags and the clock are variables of the function. They are loaded where
//! it is entered; where it is left, what may have changed is stored. One 64-bit word
//! counts time: cycles left until the core must look at interrupts in the upper part,
//! instructions executed in the lower [`COUNT_BITS`].
//!
//! Whatever an instruction needs beyond registers and plain SRAM is a *side exit*: the
//! state is that before the instruction, and the interpreter executes it.

use super::super::core::Core;
use super::super::op::{Op, Reg, SReg};
use super::plan::{Edge, End, Item, Node, Plan};
use super::{COUNT_BITS, Exit};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::Offset32;
use cranelift_codegen::ir::types::{F32, I8, I32, I64};
use cranelift_codegen::ir::{
    Block, BlockArg, Function, InstBuilder, JumpTableData, MemFlagsData, Signature, Type, Value,
};
use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use std::mem::offset_of;

/// Bits of a set of changed state: 0 to 15 core registers, 32 to 63 FPU registers.
pub(super) const FLAGS: u64 = 1 << 16;
pub(super) const Q: u64 = 1 << 17;
pub(super) const GE: u64 = 1 << 18;
pub(super) const FPSCR: u64 = 1 << 19;

/// Where the condition flags come from, as far as it is known in the current node.
#[derive(Clone, Copy)]
pub(super) enum Source {
    Variables,
    /// `a - b`.
    Difference(Value, Value),
    /// N and Z of this; C and V are in their variables.
    Result(Value),
    /// Comparison of two floats that are not NaN.
    Floats(Value, Value),
}

/// A way out that still has to be written.
struct Stub {
    block: Block,
    exit: u32,
    node: usize,
    /// What the node had changed when it was left.
    changed: u64,
    /// The target of a branch to a computed address.
    target: Option<Value>,
}

pub(super) struct Emitter<'a> {
    pub(super) b: FunctionBuilder<'a>,
    pub(super) core: Value,
    memory: Value,
    regs: Vec<Variable>,
    fregs: Vec<Variable>,
    /// N in the sign.
    pub(super) n: Variable,
    /// Z if zero.
    pub(super) z: Variable,
    /// 0 or 1.
    pub(super) c: Variable,
    /// V in the sign.
    pub(super) v: Variable,
    q: Variable,
    ge: Variable,
    /// FPSCR, of which only the condition flags change.
    pub(super) fpscr: Variable,
    time: Variable,
    pub(super) source: Source,
    /// The condition flags of FPSCR, if just compared.
    pub(super) compared: Option<(Value, Value)>,
    touched: u64,
    changed: u64,
    node: usize,
    item: Option<Item>,
    pub(super) memory_bytes: u32,
    /// FPSCR.IXC is not set: inexact results are left to the interpreter.
    pub(super) exact: bool,
    blocks: Vec<Block>,
    stubs: Vec<Stub>,
    exits: Vec<Exit>,
    plan: &'a Plan,
}

/// Offset of a field of the core.
macro_rules! field {
    ($($path:tt)+) => {
        offset_of!(Core, $($path)+) as i32
    };
}
pub(super) use field;

/// The function for `plan` and its exits.
pub(super) fn emit(
    plan: &Plan,
    memory_bytes: u32,
    exact: bool,
    signature: Signature,
    config: TargetFrontendConfig,
) -> (Function, Vec<Exit>) {
    let mut function = Function::new();
    function.signature = signature;
    let mut scratch = FunctionBuilderContext::new();
    let mut b = FunctionBuilder::new(&mut function, &mut scratch);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let params = b.block_params(entry).to_vec();
    let [core, memory, time_in, number] = params[..] else {
        // The signature is fixed.
        b.finalize(config);
        return (function, Vec::new());
    };
    // What is loaded there is known only at the end, but the first block comes first.
    let setup = b.create_block();
    b.ins().jump(setup, &[]);
    b.seal_block(entry);
    let regs = (0..16).map(|_| b.declare_var(I32)).collect();
    let fregs = (0..32).map(|_| b.declare_var(F32)).collect();
    let [n, z, c, v, fpscr] = [(); 5].map(|()| b.declare_var(I32));
    let [q, ge] = [(); 2].map(|()| b.declare_var(I8));
    let time = b.declare_var(I64);
    let blocks = plan.nodes.iter().map(|_| b.create_block()).collect();
    let mut e = Emitter {
        b,
        core,
        memory,
        regs,
        fregs,
        n,
        z,
        c,
        v,
        q,
        ge,
        fpscr,
        time,
        source: Source::Variables,
        compared: None,
        touched: 0,
        changed: 0,
        node: 0,
        item: None,
        memory_bytes,
        exact,
        blocks,
        stubs: Vec::new(),
        exits: Vec::new(),
        plan,
    };
    let mut changes = Vec::new();
    for (index, node) in plan.nodes.iter().enumerate() {
        e.node(index, node);
        changes.push(e.changed);
    }
    e.write_stubs(&changes);
    e.write_entries(setup, time_in, number);
    e.b.seal_all_blocks();
    let exits = std::mem::take(&mut e.exits);
    e.b.finalize(config);
    (function, exits)
}

impl Emitter<'_> {
    // Values.

    pub(super) fn word(&mut self, value: u32) -> Value {
        self.b.ins().iconst(I32, i64::from(value))
    }

    pub(super) fn get(&mut self, r: Reg) -> Value {
        let r = usize::from(r & 15);
        self.touched |= 1 << r;
        self.b.use_var(self.regs[r])
    }

    pub(super) fn set(&mut self, r: Reg, value: Value) {
        let r = usize::from(r & 15);
        self.touched |= 1 << r;
        self.changed |= 1 << r;
        self.b.def_var(self.regs[r], value);
    }

    /// As [`Emitter::set`], for a register that may be SP.
    pub(super) fn set_any(&mut self, r: Reg, value: Value) {
        let value = if r == 13 {
            let mask = self.word(!3);
            self.b.ins().band(value, mask)
        } else {
            value
        };
        self.set(r, value);
    }

    pub(super) fn get_s(&mut self, s: SReg) -> Value {
        let s = usize::from(s & 31);
        self.touched |= 1 << (32 + s);
        self.b.use_var(self.fregs[s])
    }

    pub(super) fn set_s(&mut self, s: SReg, value: Value) {
        let s = usize::from(s & 31);
        self.touched |= 1 << (32 + s);
        self.changed |= 1 << (32 + s);
        self.b.def_var(self.fregs[s], value);
    }

    pub(super) fn bits_of(&mut self, float: Value) -> Value {
        self.b.ins().bitcast(I32, MemFlagsData::new(), float)
    }

    pub(super) fn float_of(&mut self, bits: Value) -> Value {
        self.b.ins().bitcast(F32, MemFlagsData::new(), bits)
    }

    pub(super) fn use_flag(&mut self, flag: Variable) -> Value {
        self.touched |= FLAGS;
        self.b.use_var(flag)
    }

    pub(super) fn def_flag(&mut self, flag: Variable, value: Value) {
        self.touched |= FLAGS;
        self.changed |= FLAGS;
        self.b.def_var(flag, value);
    }

    pub(super) fn use_fpscr(&mut self) -> Value {
        self.touched |= FPSCR;
        self.b.use_var(self.fpscr)
    }

    pub(super) fn def_fpscr(&mut self, value: Value) {
        self.touched |= FPSCR;
        self.changed |= FPSCR;
        self.b.def_var(self.fpscr, value);
    }

    pub(super) fn get_ge(&mut self) -> Value {
        self.touched |= GE;
        self.b.use_var(self.ge)
    }

    pub(super) fn set_ge(&mut self, value: Value) {
        self.touched |= GE;
        self.changed |= GE;
        self.b.def_var(self.ge, value);
    }

    /// Sets Q if `saturated` (0 or 1) is.
    pub(super) fn or_q(&mut self, saturated: Value) {
        self.touched |= Q;
        self.changed |= Q;
        let q = self.b.use_var(self.q);
        let q = self.b.ins().bor(q, saturated);
        self.b.def_var(self.q, q);
    }

    pub(super) fn compare(&mut self, cc: IntCC, a: Value, b: Value) -> Value {
        self.b.ins().icmp(cc, a, b)
    }

    pub(super) fn compare_word(&mut self, cc: IntCC, a: Value, b: u32) -> Value {
        let b = self.word(b);
        self.b.ins().icmp(cc, a, b)
    }

    /// A field of the core, by offset.
    pub(super) fn load_core(&mut self, ty: Type, offset: i32) -> Value {
        let flags = MemFlagsData::trusted();
        self.b.ins().load(ty, flags, self.core, offset)
    }

    fn store_core(&mut self, value: Value, offset: i32) {
        let flags = MemFlagsData::trusted();
        self.b.ins().store(flags, value, self.core, offset);
    }

    /// The host's address of a guest address that was checked.
    pub(super) fn host_address(&mut self, address: Value) -> Value {
        let wide = self.b.ins().uextend(I64, address);
        self.b.ins().iadd(self.memory, wide)
    }

    // Ways out.

    fn add_stub(&mut self, exit: Exit, target: Option<Value>) -> Block {
        let block = self.b.create_block();
        self.b.set_cold_block(block);
        self.stubs.push(Stub {
            block,
            exit: self.exits.len() as u32,
            node: self.node,
            changed: self.changed,
            target,
        });
        self.exits.push(exit);
        block
    }

    fn step_exit(&self, item: &Item) -> Exit {
        Exit {
            pc: item.here,
            it: item.slot.it,
            left: item.left,
            cycles: item.cycles as i32,
            count: item.count,
            step: true,
            computed: false,
        }
    }

    /// Leaves to the interpreter before the current instruction if `bad`. Nothing of
    /// the instruction may have been written yet.
    pub(super) fn unless(&mut self, bad: Value) {
        let Some(item) = self.item else {
            return;
        };
        let exit = self.step_exit(&item);
        let stub = self.add_stub(exit, None);
        let on = self.b.create_block();
        self.b.ins().brif(bad, stub, &[], on, &[]);
        self.b.seal_block(stub);
        self.b.seal_block(on);
        self.b.switch_to_block(on);
    }

    /// Runs `slow` only if `rare`, which may leave; then both ways meet.
    pub(super) fn rarely(&mut self, rare: Value, slow: impl FnOnce(&mut Self)) {
        let [cold, on] = [(); 2].map(|()| self.b.create_block());
        self.b.set_cold_block(cold);
        self.b.ins().brif(rare, cold, &[], on, &[]);
        self.b.seal_block(cold);
        self.b.switch_to_block(cold);
        slow(self);
        self.b.ins().jump(on, &[]);
        self.b.seal_block(on);
        self.b.switch_to_block(on);
    }

    // Nodes.

    fn node(&mut self, index: usize, node: &Node) {
        self.node = index;
        self.changed = 0;
        self.source = Source::Variables;
        self.compared = None;
        self.item = None;
        let block = self.blocks[index];
        self.b.switch_to_block(block);
        if node.header {
            self.check_clock(node);
        }
        let last = match node.end {
            End::Branch { .. } | End::Computed { .. } => node.items.len().saturating_sub(1),
            _ => node.items.len(),
        };
        for item in node.items.iter().take(last).filter(|i| i.runs) {
            self.item = Some(*item);
            self.instruction(item);
        }
        self.item = node.items.get(last).copied();
        match &node.end {
            End::Go(edge) => self.go(node, *edge, 0),
            End::Branch { taken, next } => {
                if let Some(item) = self.item {
                    let holds = self.branch_condition(&item.slot.op);
                    let backward = matches!(taken, Edge::Node(n)
                        if self.plan.nodes[*n].key.pc <= item.here);
                    self.fork(node, holds, *taken, *next, backward);
                }
            }
            End::It { cond, holds, fails } => {
                let condition = self.holds(*cond);
                let [yes, no] = [(); 2].map(|()| self.b.create_block());
                self.b.ins().brif(condition, yes, &[], no, &[]);
                for (block, edge) in [(yes, holds), (no, fails)] {
                    self.b.seal_block(block);
                    self.b.switch_to_block(block);
                    self.go(node, *edge, 0);
                }
            }
            End::Computed { sites } => {
                if let Some(item) = self.item {
                    self.computed(node, &item, sites);
                }
            }
            End::Step(item) => {
                let exit = self.step_exit(item);
                let stub = self.add_stub(exit, None);
                self.b.ins().jump(stub, &[]);
                self.b.seal_block(stub);
            }
            End::Gate(item, edge) => {
                let exit = self.step_exit(item);
                let stub = self.add_stub(exit, None);
                let ready = self.load_core(I8, field!(link.fpu));
                let on = self.b.create_block();
                self.b.ins().brif(ready, on, &[], stub, &[]);
                self.b.seal_block(stub);
                self.b.seal_block(on);
                self.b.switch_to_block(on);
                self.go(node, *edge, 0);
            }
        }
    }

    /// Leaves if the longest way to the next look does not fit the budget.
    fn check_clock(&mut self, node: &Node) {
        let time = self.b.use_var(self.time);
        let least = i64::from(node.worst + 1) << COUNT_BITS;
        let least = self.b.ins().iconst(I64, least);
        let late = self.b.ins().icmp(IntCC::SignedLessThan, time, least);
        let stub = self.add_stub(
            Exit {
                pc: node.key.pc,
                it: self.plan.slots.get(&node.key.pc).map_or(0, |s| s.it),
                left: node.key.met,
                cycles: 0,
                count: 0,
                step: false,
                computed: false,
            },
            None,
        );
        let on = self.b.create_block();
        self.b.ins().brif(late, stub, &[], on, &[]);
        self.b.seal_block(stub);
        self.b.seal_block(on);
        self.b.switch_to_block(on);
    }

    fn spend(&mut self, cycles: i64, count: u32) {
        let time = self.b.use_var(self.time);
        let change = i64::from(count) - (cycles << COUNT_BITS);
        let change = self.b.ins().iconst(I64, change);
        let time = self.b.ins().iadd(time, change);
        self.b.def_var(self.time, time);
    }

    /// The end of `node` along `edge`, with `extra` cycles.
    fn go(&mut self, node: &Node, edge: Edge, extra: u32) {
        match edge {
            Edge::Node(n) => {
                self.spend(i64::from(node.cycles + extra), node.count);
                self.b.ins().jump(self.blocks[n], &[]);
            }
            Edge::Leave(_) => {
                let stub = self.leave(node, edge, extra);
                self.b.ins().jump(stub, &[]);
                self.b.seal_block(stub);
            }
        }
    }

    fn leave(&mut self, node: &Node, edge: Edge, extra: u32) -> Block {
        let pc = match edge {
            Edge::Leave(pc) => pc,
            Edge::Node(n) => self.plan.nodes[n].key.pc,
        };
        self.add_stub(
            Exit {
                pc,
                it: 0,
                left: node.left,
                cycles: (node.cycles + extra) as i32,
                count: node.count,
                step: false,
                computed: false,
            },
            None,
        )
    }

    fn fork(&mut self, node: &Node, holds: Value, taken: Edge, next: Edge, backward: bool) {
        let refill = self.plan.refill;
        let (yes, no) = match (taken, next) {
            (Edge::Node(a), Edge::Node(b)) if backward => {
                // The refill is on the way that is usual; the other gets it back.
                self.spend(i64::from(node.cycles + refill), node.count);
                let no = self.b.create_block();
                self.b.ins().brif(holds, self.blocks[a], &[], no, &[]);
                self.b.seal_block(no);
                self.b.switch_to_block(no);
                self.spend(-i64::from(refill), 0);
                self.b.ins().jump(self.blocks[b], &[]);
                return;
            }
            (Edge::Node(a), Edge::Leave(_)) => {
                let no = self.leave(node, next, 0);
                self.spend(i64::from(node.cycles + refill), node.count);
                // The stub counts from the beginning of the node.
                if let Some(stub) = self.stubs.last() {
                    let exit = &mut self.exits[stub.exit as usize];
                    exit.cycles = -(refill as i32);
                    exit.count = 0;
                }
                self.b.ins().brif(holds, self.blocks[a], &[], no, &[]);
                self.b.seal_block(no);
                return;
            }
            (Edge::Leave(_), Edge::Node(b)) => {
                let yes = self.leave(node, taken, refill);
                self.spend(i64::from(node.cycles), node.count);
                if let Some(stub) = self.stubs.last() {
                    let exit = &mut self.exits[stub.exit as usize];
                    exit.cycles = refill as i32;
                    exit.count = 0;
                }
                self.b.ins().brif(holds, yes, &[], self.blocks[b], &[]);
                self.b.seal_block(yes);
                return;
            }
            (Edge::Node(a), Edge::Node(b)) => {
                self.spend(i64::from(node.cycles), node.count);
                let yes = self.b.create_block();
                self.b.ins().brif(holds, yes, &[], self.blocks[b], &[]);
                self.b.seal_block(yes);
                self.b.switch_to_block(yes);
                self.spend(i64::from(refill), 0);
                self.b.ins().jump(self.blocks[a], &[]);
                return;
            }
            (Edge::Leave(_), Edge::Leave(_)) => {
                (self.leave(node, taken, refill), self.leave(node, next, 0))
            }
        };
        self.b.ins().brif(holds, yes, &[], no, &[]);
        self.b.seal_block(yes);
        self.b.seal_block(no);
    }

    /// A branch to a register or a loaded word. Other than a Thumb address needs the
    /// interpreter.
    fn computed(&mut self, node: &Node, item: &Item, sites: &[(u32, usize)]) {
        let target = match item.slot.op {
            Op::Bx { rm } | Op::MovToPc { rm } => self.get(rm),
            Op::Blx { rm } => {
                let target = self.get(rm);
                self.check_target(target);
                let behind = item.here.wrapping_add(item.slot.size.into()) | 1;
                let behind = self.word(behind);
                self.set(14, behind);
                target
            }
            _ => self.load_many_with_pc(&item.slot.op),
        };
        if matches!(item.slot.op, Op::Bx { .. }) {
            self.check_target(target);
        }
        self.spend(i64::from(node.cycles), node.count);
        for &(pc, n) in sites {
            let same = match item.slot.op {
                Op::MovToPc { .. } => {
                    let one = self.word(1);
                    let thumb = self.b.ins().bor(target, one);
                    self.compare_word(IntCC::Equal, thumb, pc | 1)
                }
                _ => self.compare_word(IntCC::Equal, target, pc | 1),
            };
            let on = self.b.create_block();
            self.b.ins().brif(same, self.blocks[n], &[], on, &[]);
            self.b.seal_block(on);
            self.b.switch_to_block(on);
        }
        let stub = self.add_stub(
            Exit {
                pc: 0,
                it: 0,
                left: node.left,
                cycles: 0,
                count: 0,
                step: false,
                computed: true,
            },
            Some(target),
        );
        self.b.ins().jump(stub, &[]);
        self.b.seal_block(stub);
    }

    /// Leaves before the instruction if `target` is even or may be an exception return.
    pub(super) fn check_target(&mut self, target: Value) {
        let one = self.word(1);
        let turned = self.b.ins().rotr(target, one);
        let top = self.word(1 << 31);
        let half = self.b.ins().isub(turned, top);
        let bad = self.compare_word(IntCC::UnsignedGreaterThanOrEqual, half, 0x7800_0000);
        self.unless(bad);
    }

    // The frame of it all.

    /// Writes the ways out: what may have changed since the region was entered is
    /// stored.
    fn write_stubs(&mut self, changes: &[u64]) {
        let mut before = vec![0_u64; self.plan.nodes.len()];
        let successors: Vec<_> = self.plan.nodes.iter().map(Node::successors).collect();
        let mut settled = false;
        while !settled {
            settled = true;
            for (n, next) in successors.iter().enumerate() {
                let after = before[n] | changes[n];
                for &s in next {
                    if before[s] | after != before[s] {
                        before[s] |= after;
                        settled = false;
                    }
                }
            }
        }
        let out = self.b.create_block();
        self.b.set_cold_block(out);
        let time = self.b.append_block_param(out, I64);
        let number = self.b.append_block_param(out, I32);
        for stub in std::mem::take(&mut self.stubs) {
            self.b.switch_to_block(stub.block);
            self.store_state(before[stub.node] | stub.changed);
            if let Some(target) = stub.target {
                let mask = self.word(!1);
                let pc = self.b.ins().band(target, mask);
                self.store_core(pc, field!(pc));
            }
            let time = self.b.use_var(self.time);
            let number = self.word(stub.exit);
            let args = [BlockArg::Value(time), BlockArg::Value(number)];
            self.b.ins().jump(out, &args);
        }
        self.b.switch_to_block(out);
        self.store_core(number, field!(link.exit));
        self.b.ins().return_(&[time]);
    }

    fn store_state(&mut self, changed: u64) {
        for r in 0..16 {
            if changed >> r & 1 != 0 {
                let value = self.b.use_var(self.regs[r as usize]);
                self.store_core(value, field!(regs) + 4 * r);
            }
        }
        for s in 0..32 {
            if changed >> (32 + s) & 1 != 0 {
                let value = self.b.use_var(self.fregs[s as usize]);
                self.store_core(value, field!(fregs) + 4 * s);
            }
        }
        if changed & FLAGS != 0 {
            let [n, z, c, v] = [self.n, self.z, self.c, self.v].map(|f| self.b.use_var(f));
            let n = self.compare_word(IntCC::SignedLessThan, n, 0);
            let z = self.compare_word(IntCC::Equal, z, 0);
            let c = self.compare_word(IntCC::NotEqual, c, 0);
            let v = self.compare_word(IntCC::SignedLessThan, v, 0);
            self.store_core(n, field!(flags.n));
            self.store_core(z, field!(flags.z));
            self.store_core(c, field!(flags.c));
            self.store_core(v, field!(flags.v));
        }
        if changed & Q != 0 {
            let q = self.b.use_var(self.q);
            let one = self.b.ins().iconst(I8, 1);
            let q = self.b.ins().band(q, one);
            self.store_core(q, field!(flags.q));
        }
        if changed & GE != 0 {
            let ge = self.b.use_var(self.ge);
            self.store_core(ge, field!(flags.ge));
        }
        if changed & FPSCR != 0 {
            let fpscr = self.b.use_var(self.fpscr);
            self.store_core(fpscr, field!(fpu.fpscr));
        }
    }

    /// Writes the entries: everything that the region uses is loaded.
    fn write_entries(&mut self, entry: Block, time: Value, number: Value) {
        self.b.switch_to_block(entry);
        self.b.def_var(self.time, time);
        let touched = self.touched;
        for r in (0..16).filter(|r| touched >> r & 1 != 0) {
            let value = self.load_core(I32, field!(regs) + 4 * r);
            self.b.def_var(self.regs[r as usize], value);
        }
        for s in (0..32).filter(|s| touched >> (32 + s) & 1 != 0) {
            let value = self.load_core(F32, field!(fregs) + 4 * s);
            self.b.def_var(self.fregs[s as usize], value);
        }
        if touched & FLAGS != 0 {
            let wide = |e: &mut Self, offset| {
                let byte = e.load_core(I8, offset);
                e.b.ins().uextend(I32, byte)
            };
            let n = wide(self, field!(flags.n));
            let n = self.b.ins().ineg(n);
            let z = wide(self, field!(flags.z));
            let one = self.word(1);
            let z = self.b.ins().bxor(z, one);
            let c = wide(self, field!(flags.c));
            let v = wide(self, field!(flags.v));
            let v = self.b.ins().ineg(v);
            for (var, value) in [(self.n, n), (self.z, z), (self.c, c), (self.v, v)] {
                self.b.def_var(var, value);
            }
        }
        if touched & Q != 0 {
            let q = self.load_core(I8, field!(flags.q));
            self.b.def_var(self.q, q);
        }
        if touched & GE != 0 {
            let ge = self.load_core(I8, field!(flags.ge));
            self.b.def_var(self.ge, ge);
        }
        if touched & FPSCR != 0 {
            let fpscr = self.load_core(I32, field!(fpu.fpscr));
            self.b.def_var(self.fpscr, fpscr);
        }
        let targets: Vec<Block> = self
            .plan
            .entries
            .iter()
            .map(|e| self.blocks[e.node])
            .collect();
        // Each call owns its arguments, so the default is one more.
        let calls: Vec<_> = targets
            .iter()
            .map(|&t| self.b.func.dfg.block_call(t, &[]))
            .collect();
        if let Some(&first) = targets.first() {
            let default = self.b.func.dfg.block_call(first, &[]);
            let table = self
                .b
                .create_jump_table(JumpTableData::new(default, &calls));
            self.b.ins().br_table(number, table);
        }
    }

    /// A load that was checked.
    pub(super) fn load_guest(&mut self, ty: Type, address: Value, offset: i32) -> Value {
        let flags = guest_flags();
        let offset = Offset32::new(offset);
        self.b.ins().load(ty, flags, address, offset)
    }

    /// A store that was checked.
    pub(super) fn store_guest(&mut self, value: Value, address: Value, offset: i32) {
        let flags = guest_flags();
        let offset = Offset32::new(offset);
        self.b.ins().store(flags, value, address, offset);
    }
}

/// Guest memory: little-endian, and never a trap, because addresses are checked.
pub(super) fn guest_flags() -> MemFlagsData {
    let flags = MemFlagsData::new().with_notrap();
    flags.with_endianness(cranelift_codegen::ir::Endianness::Little)
}
