//! A region as one function of Cranelift IR.
//!
//! Registers and the clock are variables of the function. What a way in leads to is
//! loaded there; what is written is stored in the core before the next place where the
//! function may be left, so that ways out, of which there are many, need no code of their
//! own ([`super::state`]). One 64-bit word counts time: cycles left until the core must
//! look at interrupts in the upper part, instructions executed in the lower
//! [`COUNT_BITS`].
//!
//! Whatever an instruction needs beyond registers and plain SRAM is a *side exit*: the
//! state is that before the instruction, and the interpreter executes it. If there is an
//! entry behind it, the function calls for that and goes on there.

use super::super::core::Core;
use super::super::memory::Ports;
use super::super::op::Op;
use super::checks::Groups;
use super::flags;
use super::lanes::{self, Loaded, OCTET, Octet, Word};
use super::plan::{Edge, End, Entry, Item, Node, Plan};
use super::state::{self, Set, State, Uses};
use super::{COUNT_BITS, Exit, Step};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::Offset32;
use cranelift_codegen::ir::types::{F32, I8, I32, I64};
use cranelift_codegen::ir::{
    Block, BlockArg, Function, InstBuilder, JumpTableData, MemFlagsData, SigRef, Signature, Type,
    Value,
};
use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use std::mem::offset_of;

/// A way out that still has to be written.
struct Stub {
    block: Block,
    exit: u32,
    /// The target of a branch to a computed address.
    target: Option<Value>,
}

/// How the function has an instruction executed that it does not hold.
struct Call {
    signature: SigRef,
    address: Value,
    stay: Value,
}

pub(super) struct Emitter<'a> {
    pub(super) b: FunctionBuilder<'a>,
    pub(super) core: Value,
    memory: Value,
    pub(super) state: State,
    pub(super) groups: Groups,
    pub(super) loaded: Loaded,
    /// Registers whose variables may be stale, by node, if vectors may be used.
    stale: Option<&'a [Set]>,
    time: Variable,
    node: usize,
    item: Option<Item>,
    pub(super) memory_bytes: u32,
    pub(super) ports: Option<Ports>,
    /// FPSCR.IXC is not set: inexact results are left to the interpreter.
    pub(super) exact: bool,
    /// Whether the condition flags are variables when the node begins.
    flags_in: Vec<bool>,
    blocks: Vec<Block>,
    stubs: Vec<Stub>,
    exits: Vec<Exit>,
    plan: &'a Plan,
}

/// Offset of a field of the core from where the function's pointer leads.
macro_rules! field {
    ($($path:tt)+) => {
        offset_of!(Core, $($path)+) as i32 - $crate::host::CORE_BIAS as i32
    };
}
pub(super) use field;

/// For what machine a region is emitted, and how its function is called.
pub(super) struct Frame {
    pub(super) memory_bytes: u32,
    /// Of the function, and of what it calls.
    pub(super) signatures: [Signature; 2],
    pub(super) config: TargetFrontendConfig,
    pub(super) ports: Option<Ports>,
}

/// The function for `plan` and its exits.
pub(super) fn emit(plan: &Plan, exact: bool, frame: &Frame) -> (Function, Vec<Exit>) {
    let plain = emit_as(plan, exact, frame, None);
    // Which registers vectors leave stale where can be told only from what nodes use.
    let Some(stale) = lanes::stale(&plan.nodes, &plain.uses) else {
        return (plain.function, plain.exits);
    };
    let vectors = emit_as(plan, exact, frame, Some(&stale));
    let best = if vectors.foreseen { vectors } else { plain };
    (best.function, best.exits)
}

/// One way to write a region.
struct Emitted {
    function: Function,
    exits: Vec<Exit>,
    uses: Vec<Uses>,
    /// No node has left a register stale that was not expected.
    foreseen: bool,
}

fn emit_as(plan: &Plan, exact: bool, frame: &Frame, stale: Option<&[Set]>) -> Emitted {
    let mut function = Function::new();
    let [signature, step] = frame.signatures.clone();
    function.signature = signature;
    let mut scratch = FunctionBuilderContext::new();
    let mut b = FunctionBuilder::new(&mut function, &mut scratch);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let params = b.block_params(entry).to_vec();
    let [core, memory, time_in, number, step_at, stay] = params[..] else {
        // The signature is fixed.
        b.finalize(frame.config);
        return Emitted {
            function,
            exits: Vec::new(),
            uses: Vec::new(),
            foreseen: false,
        };
    };
    // What is loaded there is known only at the end, but the first block comes first.
    let setup = b.create_block();
    b.append_block_param(setup, I64);
    b.append_block_param(setup, I32);
    let begin = [time_in, number].map(BlockArg::Value);
    b.ins().jump(setup, &begin);
    b.seal_block(entry);
    let step = Call {
        signature: b.import_signature(step),
        address: step_at,
        stay,
    };
    let state = State::new(&mut b);
    let time = b.declare_var(I64);
    let blocks = plan.nodes.iter().map(|_| b.create_block()).collect();
    let mut e = Emitter {
        b,
        core,
        memory,
        state,
        groups: Groups::default(),
        loaded: Loaded::default(),
        stale,
        time,
        node: 0,
        item: None,
        memory_bytes: frame.memory_bytes,
        ports: frame.ports,
        exact,
        flags_in: flags::needed(&plan.nodes),
        blocks,
        stubs: Vec::new(),
        exits: Vec::new(),
        plan,
    };
    let mut uses = Vec::new();
    let mut foreseen = true;
    for (index, node) in plan.nodes.iter().enumerate() {
        e.node(index, node);
        uses.push(e.state.uses());
        let behind = node.successors().into_iter();
        foreseen &= behind
            .map(|n| e.stale_before(n))
            .all(|s| e.state.stale() & !s == 0);
    }
    e.write_stubs(setup, &step);
    e.write_entries(setup, &uses);
    e.b.seal_all_blocks();
    let exits = std::mem::take(&mut e.exits);
    e.b.finalize(frame.config);
    Emitted {
        function,
        exits,
        uses,
        foreseen,
    }
}

impl Emitter<'_> {
    // Values.

    pub(super) fn word(&mut self, value: u32) -> Value {
        self.b.ins().iconst(I32, i64::from(value))
    }

    pub(super) fn bits_of(&mut self, float: Value) -> Value {
        self.b.ins().bitcast(I32, MemFlagsData::new(), float)
    }

    pub(super) fn float_of(&mut self, bits: Value) -> Value {
        self.b.ins().bitcast(F32, MemFlagsData::new(), bits)
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

    /// Stores an element, of `1 << log2` bytes, of an array in the core.
    pub(super) fn store_element(&mut self, value: Value, array: i32, index: Value, log2: u32) {
        let index = self.b.ins().uextend(I64, index);
        let by = self.b.ins().iconst(I64, i64::from(log2));
        let offset = self.b.ins().ishl(index, by);
        let at = self.b.ins().iadd(self.core, offset);
        self.b
            .ins()
            .store(MemFlagsData::trusted(), value, at, array);
    }

    /// The clock: see [`COUNT_BITS`].
    pub(super) fn time(&mut self) -> Value {
        self.b.use_var(self.time)
    }

    /// The end of a node, all of it written.
    pub(super) fn jump_to(&mut self, node: usize) {
        self.b.ins().jump(self.blocks[node], &[]);
    }

    pub(super) fn store_core(&mut self, value: Value, offset: i32) {
        let flags = MemFlagsData::trusted();
        self.b.ins().store(flags, value, self.core, offset);
    }

    /// The host's address of a guest address that was checked.
    pub(super) fn host_address(&mut self, address: Value) -> Value {
        let wide = self.b.ins().uextend(I64, address);
        self.b.ins().iadd(self.memory, wide)
    }

    // Ways out.

    /// What was written must be in the core when the block is reached.
    pub(super) fn add_stub(&mut self, exit: Exit, target: Option<Value>) -> Block {
        let block = self.b.create_block();
        self.b.set_cold_block(block);
        self.stubs.push(Stub {
            block,
            exit: self.exits.len() as u32,
            target,
        });
        self.exits.push(exit);
        block
    }

    pub(super) fn step_exit(&self, item: &Item) -> Exit {
        Exit {
            pc: item.here,
            it: item.slot.it,
            left: item.left,
            cycles: item.cycles as i32,
            count: item.count,
            step: Some(self.step_of(item)),
            computed: false,
        }
    }

    fn step_of(&self, item: &Item) -> Step {
        let behind = item.here.wrapping_add(item.slot.size.into());
        let fits = |e: &Entry| {
            let met = item.slot.leaves & e.feels;
            e.pc == behind && e.met == met && (!e.fpu || item.slot.op.is_fpu())
        };
        let entries = &self.plan.entries;
        // Behind the first instruction that needs the FPU it is ready.
        let ready = entries.iter().position(|e| fits(e) && e.fpu);
        let resume = ready.or_else(|| entries.iter().position(fits));
        Step {
            slot: item.slot,
            resume: resume.map(|n| (n as u32, entries[n])),
        }
    }

    /// Leaves to the interpreter before the current instruction if `bad`. Nothing of
    /// the instruction may have been written yet.
    pub(super) fn unless(&mut self, bad: Value) {
        let Some(item) = self.item else {
            return;
        };
        let exit = self.step_exit(&item);
        self.flush();
        let stub = self.add_stub(exit, None);
        let on = self.b.create_block();
        self.b.ins().brif(bad, stub, &[], on, &[]);
        self.b.seal_block(stub);
        self.b.seal_block(on);
        self.b.switch_to_block(on);
    }

    /// Leaves to the interpreter before the current instruction. What follows in the node is
    /// not reached.
    pub(super) fn always_leave(&mut self) {
        let yes = self.b.ins().iconst(I8, 1);
        self.unless(yes);
    }

    /// Whether the node reads flags that another one set.
    pub(super) fn reads_flags_of_others(&self) -> bool {
        self.flags_in.get(self.node).copied().unwrap_or(false)
    }

    /// Runs `slow` only if `rare`, which may leave; then both ways meet.
    pub(super) fn rarely(&mut self, rare: Value, slow: impl FnOnce(&mut Self)) {
        let [cold, on] = [(); 2].map(|()| self.b.create_block());
        self.b.set_cold_block(cold);
        self.b.ins().brif(rare, cold, &[], on, &[]);
        self.b.seal_block(cold);
        self.b.switch_to_block(cold);
        // What is stored there is not stored on the other way.
        let before = self.state.unwritten();
        slow(self);
        self.state.set_unwritten(before);
        self.b.ins().jump(on, &[]);
        self.b.seal_block(on);
        self.b.switch_to_block(on);
    }

    // Nodes.

    fn node(&mut self, index: usize, node: &Node) {
        self.node = index;
        self.state.begin_node(self.stale_before(index));
        self.groups.clear();
        self.loaded.clear();
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
        let mut rest = node.items.get(..last).unwrap_or_default();
        while let Some((item, behind)) = rest.split_first() {
            self.item = Some(*item);
            let octet = self.stale.and_then(|_| Octet::at(rest));
            if octet.is_some_and(|o| self.octet(&o)) {
                rest = rest.get(OCTET..).unwrap_or_default();
                continue;
            }
            if item.runs {
                self.instruction(item);
            }
            rest = behind;
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
                self.settle(node);
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
            End::Step(item) => self.step(item),
            End::Port(item, edge, cycles) => self.port(node, item, *edge, *cycles),
            End::Gate(item, edge) => {
                let exit = self.step_exit(item);
                self.settle(node);
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

    /// The registers whose variables may be stale when the node begins.
    fn stale_before(&self, node: usize) -> Set {
        let stale = self.stale.and_then(|s| s.get(node));
        stale.copied().unwrap_or(0)
    }

    /// Leaves the item to the interpreter.
    pub(super) fn step(&mut self, item: &Item) {
        let exit = self.step_exit(item);
        self.flush();
        let stub = self.add_stub(exit, None);
        self.b.ins().jump(stub, &[]);
        self.b.seal_block(stub);
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
                step: None,
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

    pub(super) fn spend(&mut self, cycles: i64, count: u32) {
        let time = self.b.use_var(self.time);
        let change = i64::from(count) - (cycles << COUNT_BITS);
        let change = self.b.ins().iconst(I64, change);
        let time = self.b.ins().iadd(time, change);
        self.b.def_var(self.time, time);
    }

    /// Before `node` is left: the core and the node behind find all that was written.
    pub(super) fn settle(&mut self, node: &Node) {
        self.flush();
        if node.successors().iter().any(|&n| self.flags_in[n]) {
            self.pass_flags();
        }
    }

    /// The end of `node` along `edge`, with `extra` cycles.
    fn go(&mut self, node: &Node, edge: Edge, extra: u32) {
        self.settle(node);
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
                step: None,
                computed: false,
            },
            None,
        )
    }

    fn fork(&mut self, node: &Node, holds: Value, taken: Edge, next: Edge, backward: bool) {
        let refill = self.plan.refill;
        self.settle(node);
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
        self.settle(node);
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
                step: None,
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

    /// Writes the ways out, and those that come back at `setup`.
    fn write_stubs(&mut self, setup: Block, step: &Call) {
        let [out, between] = [(); 2].map(|()| {
            let block = self.b.create_block();
            self.b.set_cold_block(block);
            self.b.append_block_param(block, I64);
            self.b.append_block_param(block, I32);
            block
        });
        for stub in std::mem::take(&mut self.stubs) {
            self.b.switch_to_block(stub.block);
            if let Some(target) = stub.target {
                let mask = self.word(!1);
                let pc = self.b.ins().band(target, mask);
                self.store_core(pc, field!(pc));
            }
            let time = self.b.use_var(self.time);
            let number = self.word(stub.exit);
            let args = [time, number].map(BlockArg::Value);
            let exit = self.exits.get(stub.exit as usize);
            let comes_back = exit.and_then(|e| e.step.as_ref()?.resume).is_some();
            let to = if comes_back { between } else { out };
            self.b.ins().jump(to, &args);
        }
        let [time, number] = self.begin(out);
        self.store_core(number, field!(link.exit));
        self.b.ins().return_(&[time]);

        let [time, number] = self.begin(between);
        let args = [self.core, step.stay, number, time];
        let call = self
            .b
            .ins()
            .call_indirect(step.signature, step.address, &args);
        let left = self.b.inst_results(call).first().copied().unwrap_or(time);
        let [on, leave] = [(); 2].map(|()| self.b.create_block());
        let over = self.b.ins().icmp_imm_s(IntCC::Equal, left, i64::MIN);
        self.b.ins().brif(over, leave, &[], on, &[]);
        for block in [on, leave] {
            self.b.seal_block(block);
        }
        self.b.switch_to_block(leave);
        self.b.ins().return_(&[left]);
        self.b.switch_to_block(on);
        let number = self.load_core(I32, field!(link.entry));
        let args = [left, number].map(BlockArg::Value);
        self.b.ins().jump(setup, &args);
    }

    /// Goes on in a block that has two parameters.
    fn begin(&mut self, block: Block) -> [Value; 2] {
        self.b.switch_to_block(block);
        let params = self.b.block_params(block);
        [params[0], params[1]]
    }

    /// Writes the entries: what is read behind one before it is written is loaded there.
    fn write_entries(&mut self, setup: Block, uses: &[Uses]) {
        let [time, number] = self.begin(setup);
        self.b.def_var(self.time, time);
        let ways: Vec<Block> = self
            .plan
            .entries
            .iter()
            .map(|_| self.b.create_block())
            .collect();
        // Each call owns its arguments, so the default is one more.
        let calls: Vec<_> = ways
            .iter()
            .map(|&way| self.b.func.dfg.block_call(way, &[]))
            .collect();
        if let Some(&first) = ways.first() {
            let default = self.b.func.dfg.block_call(first, &[]);
            let table = self
                .b
                .create_jump_table(JumpTableData::new(default, &calls));
            self.b.ins().br_table(number, table);
        }
        let live = state::live(&self.plan.nodes, uses);
        for (entry, way) in self.plan.entries.iter().zip(ways) {
            self.b.seal_block(way);
            self.b.switch_to_block(way);
            let node = entry.node as usize;
            self.load_state(live[node], self.flags_in[node]);
            self.b.ins().jump(self.blocks[node], &[]);
        }
    }

    /// Remembers from where `value` was loaded: `offset` bytes behind the guest's `address`,
    /// which is the host's `at`.
    pub(super) fn note_loaded(&mut self, value: Value, address: Value, at: Value, offset: i32) {
        let (root, distance) = self.groups.origin(address);
        if let Some(distance) = distance.checked_add(offset) {
            let word = Word {
                root,
                distance,
                at,
                offset,
            };
            self.loaded.note(value, word);
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
        self.loaded.clear();
    }
}

/// Guest memory: little-endian, and never a trap, because addresses are checked.
pub(super) fn guest_flags() -> MemFlagsData {
    let flags = MemFlagsData::new().with_notrap();
    flags.with_endianness(cranelift_codegen::ir::Endianness::Little)
}
