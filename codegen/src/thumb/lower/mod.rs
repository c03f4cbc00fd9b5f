//! CLIF to virtual code, backward and on demand.
//!
//! Blocks are visited in postorder and instructions from last to first, so every
//! use is seen before its definition. An instruction is emitted only when some
//! emitted instruction asked for its result; a producer that was folded into its
//! user is never asked for. Constants are not instructions here at all: a use
//! asks for a register that holds the constant, and each block (or, for loops, the
//! block before the loop) makes it once.

mod address;
mod bits;
mod blocks;
mod call;
mod compare;
mod constants;
mod control;
mod float;
mod int;
mod intrinsics;
mod memory;
mod multiply;
mod values;

use super::vcode::{Bundle, Role, Succ, VBlock, VCode, VInst, float_reg, int_reg};
use super::{BackendError, Options, Reg, SReg};
pub(super) use address::frame_instruction;
use constants::Constants;
use cranelift_codegen::dominator_tree::DominatorTree;
use cranelift_codegen::entity::{EntityRef, SecondaryMap};
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::{Block, Function, Inst as ClifInst, Opcode, Value, types};
use cranelift_codegen::isa::CallConv;
use cranelift_codegen::loop_analysis::LoopAnalysis;
use regalloc2::{Operand, PRegSet, RegClass, VReg};

type Lowered<T> = Result<T, BackendError>;

/// State of one function's lowering.
struct Lower<'a> {
    func: &'a Function,
    name: &'a str,
    symbols: &'a [String],
    domtree: DominatorTree,
    loops: LoopAnalysis,
    /// Number of operands, branch arguments included, that name a value.
    uses: SecondaryMap<Value, u32>,
    vregs: SecondaryMap<Value, Option<VReg>>,
    next_vreg: usize,
    block: Option<Block>,
    /// Bundles of the current CLIF instruction, in program order.
    buf: Vec<VInst>,
    constants: Constants,
    /// Offset of each stack slot from the first.
    slots: Vec<u32>,
    slot_bytes: u32,
    /// VCode number of each reachable block.
    numbers: SecondaryMap<Block, Option<usize>>,
    calls: bool,
}

/// Lowers a checked function.
pub(super) fn run(
    name: &str,
    func: &Function,
    symbols: &[String],
    options: &Options,
) -> Lowered<VCode> {
    let cfg = ControlFlowGraph::with_function(func);
    let domtree = DominatorTree::with_function(func, &cfg);
    let mut loops = LoopAnalysis::new();
    loops.compute(func, &cfg, &domtree);
    let (slots, slot_bytes) = stack_slots(func);
    let lower = Lower {
        func,
        name,
        symbols,
        uses: count_uses(func),
        domtree,
        constants: Constants::new(options.hoisted_constants, func, &loops),
        loops,
        vregs: SecondaryMap::new(),
        next_vreg: 0,
        block: None,
        buf: Vec::new(),
        slots,
        slot_bytes,
        numbers: SecondaryMap::new(),
        calls: false,
    };
    lower.function()
}

fn stack_slots(func: &Function) -> (Vec<u32>, u32) {
    let mut at = 0u32;
    let mut offsets = Vec::new();
    for slot in func.sized_stack_slots.values() {
        at = at.next_multiple_of(4.max(1 << slot.align_shift.min(3)));
        offsets.push(at);
        at += slot.size;
    }
    (offsets, at.next_multiple_of(4))
}

fn count_uses(func: &Function) -> SecondaryMap<Value, u32> {
    let mut uses: SecondaryMap<Value, u32> = SecondaryMap::new();
    for block in func.layout.blocks() {
        for inst in func.layout.block_insts(block) {
            for value in func.dfg.inst_values(inst) {
                uses[func.dfg.resolve_aliases(value)] += 1;
            }
        }
    }
    uses
}

impl<'a> Lower<'a> {
    fn fail(&self, inst: ClifInst, reason: impl Into<String>) -> BackendError {
        BackendError::at(
            self.name,
            self.func.dfg.display_inst(inst).to_string(),
            reason,
        )
    }

    fn function(mut self) -> Lowered<VCode> {
        let order: Vec<Block> = self.domtree.cfg_rpo().copied().collect();
        for (number, &block) in order.iter().enumerate() {
            self.numbers[block] = Some(number);
        }
        let layout: Vec<usize> = self
            .func
            .layout
            .blocks()
            .filter_map(|block| self.numbers[block])
            .collect();
        let mut blocks = vec![VBlock::default(); order.len()];
        let postorder: Vec<Block> = self.domtree.cfg_postorder().to_vec();
        for block in postorder {
            if let Some(number) = self.numbers[block] {
                blocks[number] = self.block(block)?;
            }
        }
        let signature = &self.func.signature;
        let returns = call::locations(signature.returns.iter().map(|p| p.value_type))
            .map_err(|reason| BackendError::new(self.name, reason))?;
        let code = VCode {
            name: self.name.to_string(),
            blocks,
            layout,
            num_vregs: self.next_vreg,
            slot_bytes: self.slot_bytes,
            calls: self.calls,
            preserve_all: signature.call_conv == CallConv::PreserveAll,
            results: returns.into_iter().collect::<PRegSet>(),
        };
        let mut code = split_critical_edges(code);
        let cold = |block: &usize| code.blocks[*block].cold && *block != 0;
        let (last, first): (Vec<usize>, Vec<usize>) = code.layout.iter().partition(|b| cold(b));
        code.layout = [first, last].concat();
        Ok(code)
    }

    fn block(&mut self, block: Block) -> Lowered<VBlock> {
        self.block = Some(block);
        let is_entry = self.func.layout.entry_block() == Some(block);
        let mut out = Vec::new();
        let mut succs = Vec::new();
        let insts: Vec<ClifInst> = self.func.layout.block_insts(block).collect();
        for &inst in insts.iter().rev() {
            if self.func.dfg.insts[inst].opcode().is_terminator() {
                succs = self.terminator(inst)?;
            } else {
                self.inst(inst)?;
            }
            out.extend(self.buf.drain(..).rev());
            self.constants.place(block, out.len());
        }
        for (position, vreg, constant) in self.constants.of_block(block) {
            let made = self.make_constant(vreg, &constant);
            out.insert(position, made);
        }
        let params: Vec<Value> = self.func.dfg.block_params(block).to_vec();
        let params: Vec<VReg> = params.iter().map(|&p| self.param(p)).collect();
        if is_entry {
            // With calls around, a copy keeps a parameter from being drawn to its
            // argument register for its whole life.
            let mut incoming = params.clone();
            if self.calls {
                for param in &mut incoming {
                    let arrived = self.fresh(param.class());
                    self.copy(*param, arrived);
                    *param = arrived;
                }
                out.extend(self.buf.drain(..).rev());
            }
            out.push(self.arguments(&incoming)?);
        }
        out.reverse();
        Ok(VBlock {
            params: if is_entry { Vec::new() } else { params },
            insts: out,
            succs,
            cold: self.func.layout.is_cold(block),
            in_loop: self
                .loops
                .innermost_loop(block)
                .map(EntityRef::index)
                .map(|l| l as u32),
        })
    }

    fn arguments(&self, params: &[VReg]) -> Lowered<VInst> {
        let types = self.func.signature.params.iter().map(|p| p.value_type);
        let places =
            call::locations(types).map_err(|reason| BackendError::new(self.name, reason))?;
        let mut bundle = Bundle::new();
        for (&vreg, &preg) in params.iter().zip(&places) {
            bundle.operands.push(Operand::reg_fixed_def(vreg, preg));
        }
        Ok(bundle.finish_as(Role::Args))
    }

    fn emit(&mut self, inst: VInst) {
        self.buf.push(inst);
    }

    fn fresh(&mut self, class: RegClass) -> VReg {
        self.next_vreg += 1;
        VReg::new(self.next_vreg - 1, class)
    }

    fn fresh_int(&mut self) -> VReg {
        self.fresh(RegClass::Int)
    }

    fn fresh_float(&mut self) -> VReg {
        self.fresh(RegClass::Float)
    }

    /// One instruction that is not a terminator.
    fn inst(&mut self, inst: ClifInst) -> Lowered<()> {
        use Opcode::*;
        let opcode = self.func.dfg.insts[inst].opcode();
        match opcode {
            Nop | Iconst | F32const => return Ok(()),
            SequencePoint => return self.sequence_point(),
            Store | Istore8 | Istore16 => return self.store(inst),
            Load | Uload8 | Sload8 | Uload16 | Sload16 => return self.load(inst),
            Call | CallIndirect => return self.call(inst),
            Trapz | Trapnz => return self.conditional_trap(inst),
            Fence | Debugtrap => return self.effect(inst),
            _ => {}
        }
        let result = self.func.dfg.first_result(inst);
        let Some(dest) = self.vregs[result] else {
            return Ok(());
        };
        let ty = self.func.dfg.value_type(result);
        if ty == types::I64 {
            return Err(self.fail(inst, "a 64-bit value is used outside a multiply-and-shift"));
        }
        match opcode {
            Iadd | Isub | Ineg | Band | Bor | Bxor | Bnot => self.arithmetic(inst, dest),
            Imul | Umulhi | Smulhi | Udiv | Sdiv | Urem | Srem => self.multiply(inst, dest),
            Ishl | Ushr | Sshr | Rotl | Rotr => self.shift(inst, dest),
            Iabs | Bitrev | Clz | Cls | Ctz | Bswap | Popcnt | Bmask | Bitselect => {
                self.bits(inst, dest)
            }
            Uextend | Sextend => self.extend(inst, dest),
            Ireduce => self.reduce_i64(inst, dest),
            Smin | Umin | Smax | Umax => self.min_max(inst, dest),
            Icmp | Fcmp => self.compare_value(inst, dest),
            Select | SelectSpectreGuard => self.select(inst, dest),
            StackAddr | SymbolValue | FuncAddr => self.address_value(inst, dest),
            Fadd | Fsub | Fmul | Fdiv | Sqrt | Fma | Fneg | Fabs | Fcopysign | Fmin | Fmax
            | FcvtToUintSat | FcvtToSintSat | FcvtFromUint | FcvtFromSint | Bitcast => {
                self.float(inst, dest)
            }
            _ => Err(self.fail(inst, format!("`{opcode}` has no lowering"))),
        }
    }
}

/// Puts a block on every edge from a block with several successors to a block
/// with several predecessors, so that moves have a place of their own.
fn split_critical_edges(mut code: VCode) -> VCode {
    let mut preds = vec![0u32; code.blocks.len()];
    for block in &code.blocks {
        for succ in &block.succs {
            preds[succ.block] += 1;
        }
    }
    // Each new block follows its source; `order` remembers old and new places.
    let count = code.blocks.len();
    let colds: Vec<bool> = code.blocks.iter().map(|b| b.cold).collect();
    let loops: Vec<Option<u32>> = code.blocks.iter().map(|b| b.in_loop).collect();
    let mut split: Vec<Vec<VBlock>> = vec![Vec::new(); count];
    let mut new_succ: Vec<Vec<Option<usize>>> = vec![Vec::new(); count];
    for (i, block) in code.blocks.iter_mut().enumerate() {
        let critical = block.succs.len() > 1;
        for succ in &mut block.succs {
            if critical && preds[succ.block] > 1 {
                new_succ[i].push(Some(split[i].len()));
                split[i].push(VBlock {
                    params: Vec::new(),
                    insts: vec![Bundle::new().finish_as(Role::Jump)],
                    succs: vec![succ.clone()],
                    cold: block.cold || colds[succ.block],
                    in_loop: block.in_loop.filter(|_| block.in_loop == loops[succ.block]),
                });
            } else {
                new_succ[i].push(None);
            }
        }
    }
    let mut place = vec![0usize; count];
    let mut at = 0;
    for i in 0..count {
        place[i] = at;
        at += 1 + split[i].len();
    }
    let mut blocks = Vec::with_capacity(at);
    for (i, mut block) in code.blocks.into_iter().enumerate() {
        for (succ, edge) in block.succs.iter_mut().zip(&new_succ[i]) {
            match edge {
                Some(k) => {
                    *succ = Succ {
                        block: place[i] + 1 + k,
                        args: Vec::new(),
                    }
                }
                None => succ.block = place[succ.block],
            }
        }
        blocks.push(block);
        for mut edge in std::mem::take(&mut split[i]) {
            for succ in &mut edge.succs {
                succ.block = place[succ.block];
            }
            blocks.push(edge);
        }
    }
    code.blocks = blocks;
    let with_edges = |&i: &usize| place[i]..place[i] + 1 + new_succ[i].iter().flatten().count();
    code.layout = code.layout.iter().flat_map(with_edges).collect();
    code
}

/// Registers that an AAPCS callee may destroy.
fn caller_saved() -> PRegSet {
    let ints = [0, 1, 2, 3, 12, 14]
        .into_iter()
        .filter_map(Reg::new)
        .map(int_reg);
    let floats = (0..16).filter_map(SReg::new).map(float_reg);
    ints.chain(floats).collect()
}
