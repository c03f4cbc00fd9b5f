//! List scheduling along hot paths.
//!
//! Two latencies matter on this core: a float result used by the very next float
//! operation stalls one cycle, and so does an address computed right before its
//! use. Loads are cheaper next to each other. The optimiser has put pure
//! operations right before their users, which is the worst place for all three.
//!
//! A *trace* is a chain of blocks that one path runs through; it is left only
//! towards cold blocks. Pure instructions may move up across such an exit, so the
//! scheduler orders a whole trace at once. It looks only a few instructions
//! ahead and stops hoisting when registers run short: otherwise it would load
//! everything first and spill.

use super::cost::CycleRules;
use super::inst::Inst;
use super::liveness::Liveness;
use super::vcode::{Access, Base, Piece, Role, VBlock, VCode, VInst};
use regalloc2::{OperandKind, RegClass, VReg};
use std::collections::BTreeMap;

/// How many instructions ahead of the oldest unscheduled one may go first.
const WINDOW: usize = 10;
/// Live values from which an instruction that adds one has to wait its turn: a
/// little below the number of allocatable registers.
const FULL: [u32; 2] = [13, 29];

/// Orders the instructions of every trace by the core's latencies.
pub(super) fn run(code: &mut VCode, rules: &CycleRules) {
    let liveness = Liveness::compute(code);
    let mut done = vec![false; code.blocks.len()];
    for start in 0..code.blocks.len() {
        if done[start] {
            continue;
        }
        let trace = trace(code, &liveness, start, &done);
        for &block in &trace {
            done[block] = true;
        }
        schedule_trace(code, &liveness, &trace, rules);
    }
}

/// The chain of blocks from `start` that is left only to cold blocks.
fn trace(code: &VCode, liveness: &Liveness, start: usize, done: &[bool]) -> Vec<usize> {
    let mut chain = vec![start];
    let mut at = start;
    if code.blocks[start].cold {
        return chain;
    }
    loop {
        let hot: Vec<usize> = code.blocks[at]
            .succs
            .iter()
            .map(|s| s.block)
            .filter(|&b| !code.blocks[b].cold)
            .collect();
        let [next] = hot.as_slice() else { break };
        let next = *next;
        // An edge block holds nothing but a jump and never gets an instruction, so
        // only the block behind it counts.
        let edge = is_edge(&code.blocks[next]).then(|| code.blocks[next].succs[0].block);
        let target = edge.unwrap_or(next);
        let same_loop = code.blocks[target].in_loop == code.blocks[at].in_loop;
        let joins = liveness.dominates(at, target) && !liveness.is_loop_header(target);
        let fresh = |b: usize| !done[b] && !chain.contains(&b) && !code.blocks[b].cold;
        if !fresh(next) || !fresh(target) || !same_loop || !joins {
            break;
        }
        chain.push(next);
        if target != next {
            chain.push(target);
        }
        at = target;
    }
    chain
}

fn is_edge(block: &VBlock) -> bool {
    block.params.is_empty() && block.insts.len() == 1 && block.insts[0].role == Role::Jump
}

/// What the cost of an instruction depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Load,
    Store,
    Float,
    Other,
}

fn kind(inst: &VInst) -> Kind {
    match (inst.access, inst.single()) {
        (Access::Load(_), Some(Inst::Load { .. })) => Kind::Load,
        (Access::Store(_), _) => Kind::Store,
        (
            _,
            Some(
                Inst::VAlu { .. }
                | Inst::VUnary { .. }
                | Inst::VCvt { .. }
                | Inst::VCvtFixed { .. },
            ),
        ) => Kind::Float,
        _ => Kind::Other,
    }
}

/// Whether the first instruction of the bundle reads float operands in arithmetic.
fn reads_float(inst: &VInst) -> bool {
    matches!(
        inst.pieces.first(),
        Some(Piece::Inst {
            inst: Inst::VAlu { .. }
                | Inst::VUnary { .. }
                | Inst::VCvt { .. }
                | Inst::VCvtFixed { .. }
                | Inst::VCmp { .. }
                | Inst::VCmpZero { .. },
            ..
        })
    )
}

fn defs(inst: &VInst) -> impl Iterator<Item = VReg> + '_ {
    inst.operands
        .iter()
        .filter(|o| o.kind() == OperandKind::Def)
        .map(|o| o.vreg())
}

fn uses(inst: &VInst) -> impl Iterator<Item = VReg> + '_ {
    inst.operands
        .iter()
        .filter(|o| o.kind() == OperandKind::Use)
        .map(|o| o.vreg())
}

fn ordered(first: Access, second: Access) -> bool {
    match (first, second) {
        (Access::None, _) | (_, Access::None) => false,
        (Access::Barrier, _) | (_, Access::Barrier) => true,
        // Device registers are read in the order that was written.
        (Access::Load(a), Access::Load(b)) => a.base == Base::Absolute && b.base == Base::Absolute,
        (Access::Load(a) | Access::Store(a), Access::Load(b) | Access::Store(b)) => !a.disjoint(b),
    }
}

/// Cycles that a dependence adds when the two stand next to each other.
fn stall(producer: &VInst, consumer: &VInst, value: VReg, rules: &CycleRules) -> u32 {
    match (kind(producer), kind(consumer)) {
        (Kind::Float, _) if reads_float(consumer) => rules.float_stall,
        (Kind::Other, Kind::Load | Kind::Store) if value.class() == RegClass::Int => {
            // Only the address stalls, not the stored value, which is operand 0.
            let position = consumer.operands.iter().position(|o| o.vreg() == value);
            match (kind(consumer), position) {
                (Kind::Store, Some(0)) => 0,
                _ => rules.address_stall,
            }
        }
        _ => 0,
    }
}

/// Whether an instruction may run although the path then leaves the trace.
fn speculable(inst: &VInst) -> bool {
    inst.role == Role::Plain
        && inst.access == Access::None
        && !inst
            .pieces
            .iter()
            .any(|p| matches!(p, Piece::TrapIf { .. } | Piece::Branch { .. }))
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Later instructions that wait for this one, with the extra latency.
    succs: Vec<(usize, u32)>,
    waiting: u32,
    /// Longest latency path to the end of the trace.
    height: u32,
    /// Cycle from which it runs without a stall.
    ready: u32,
}

/// The instructions of a trace, with the block each stood in.
struct Line {
    insts: Vec<VInst>,
    block: Vec<usize>,
    /// Values that the exits of a terminator still need.
    exits: BTreeMap<usize, Vec<VReg>>,
}

impl Line {
    /// Whether the instruction is the only one of its block.
    fn is_alone(&self, i: usize) -> bool {
        let same = |j: Option<usize>| j.is_some_and(|j| self.block.get(j) == Some(&self.block[i]));
        !same(i.checked_sub(1)) && !same(Some(i + 1))
    }
}

fn flatten(code: &mut VCode, liveness: &Liveness, trace: &[usize]) -> Line {
    let mut line = Line {
        insts: Vec::new(),
        block: Vec::new(),
        exits: BTreeMap::new(),
    };
    for (position, &number) in trace.iter().enumerate() {
        let block: &mut VBlock = &mut code.blocks[number];
        line.insts.append(&mut block.insts);
        line.block.resize(line.insts.len(), position);
        let terminator = line.insts.len() - 1;
        let next = trace.get(position + 1);
        let mut needed = Vec::new();
        for succ in &block.succs {
            needed.extend(&succ.args);
            if Some(&succ.block) != next {
                needed.extend(liveness.live_in(succ.block));
            }
        }
        line.exits.insert(terminator, needed);
    }
    line
}

fn schedule_trace(code: &mut VCode, liveness: &Liveness, trace: &[usize], rules: &CycleRules) {
    let params: Vec<Vec<VReg>> = trace
        .iter()
        .map(|&b| code.blocks[b].params.clone())
        .collect();
    let line = flatten(code, liveness, trace);
    let nodes = dependences(&line, &params, rules);
    let live = liveness
        .live_in(trace[0])
        .chain(params[0].iter().copied())
        .collect();
    let order = list(&line, nodes, live);
    let mut insts: Vec<Option<VInst>> = line.insts.into_iter().map(Some).collect();
    let mut position = 0;
    for i in order {
        let Some(inst) = insts[i].take() else {
            continue;
        };
        let ends = inst.role.is_terminator();
        code.blocks[trace[position]].insts.push(inst);
        position += usize::from(ends);
    }
}

fn dependences(line: &Line, params: &[Vec<VReg>], rules: &CycleRules) -> Vec<Node> {
    let count = line.insts.len();
    let mut nodes = vec![Node::default(); count];
    let mut makers: BTreeMap<VReg, usize> = BTreeMap::new();
    let edge = |nodes: &mut Vec<Node>, from: usize, to: usize, latency: u32| {
        nodes[from].succs.push((to, latency));
        nodes[to].waiting += 1;
    };
    let mut block_start = 0;
    let mut last_terminator: Option<usize> = None;
    for (i, inst) in line.insts.iter().enumerate() {
        if i > 0 && line.block[i] != line.block[i - 1] {
            block_start = i;
            last_terminator = Some(i - 1);
            // Parameters exist only from the block's start on.
            for &param in &params[line.block[i]] {
                makers.insert(param, i - 1);
            }
        }
        for value in uses(inst) {
            if let Some(&maker) = makers.get(&value) {
                let stall = stall(&line.insts[maker], inst, value, rules);
                edge(&mut nodes, maker, i, stall);
            }
        }
        if inst.access != Access::None {
            for earlier in block_start..i {
                if ordered(line.insts[earlier].access, inst.access) {
                    edge(&mut nodes, earlier, i, 0);
                }
            }
        }
        if let Some(terminator) = last_terminator
            && !speculable(inst)
        {
            edge(&mut nodes, terminator, i, 0);
        }
        if inst.role == Role::Args {
            for later in i + 1..count {
                edge(&mut nodes, i, later, 0);
            }
        }
        if inst.role.is_terminator() {
            for earlier in block_start..i {
                edge(&mut nodes, earlier, i, 0);
            }
            for value in line.exits.get(&i).into_iter().flatten() {
                if let Some(&maker) = makers.get(value)
                    && maker < block_start
                {
                    edge(&mut nodes, maker, i, 0);
                }
            }
        }
        for value in defs(inst) {
            makers.insert(value, i);
        }
    }
    for i in (0..count).rev() {
        let below = nodes[i]
            .succs
            .iter()
            .map(|&(s, latency)| nodes[s].height + latency + 1)
            .max();
        nodes[i].height = below.unwrap_or(0);
    }
    nodes
}

/// How many values of each class are live, and how many reads each has left.
struct Pressure {
    left: BTreeMap<VReg, u32>,
    live: [u32; 2],
}

fn class(value: VReg) -> usize {
    usize::from(value.class() == RegClass::Float)
}

impl Pressure {
    fn new(line: &Line, live_in: Vec<VReg>) -> Pressure {
        let mut left: BTreeMap<VReg, u32> = BTreeMap::new();
        for (i, inst) in line.insts.iter().enumerate() {
            for value in uses(inst).chain(line.exits.get(&i).into_iter().flatten().copied()) {
                *left.entry(value).or_default() += 1;
            }
        }
        let mut live = [0; 2];
        for value in live_in {
            // A value that is only passed through occupies a register, but it is
            // also the first that the allocator spills.
            live[class(value)] += u32::from(left.contains_key(&value));
        }
        Pressure { left, live }
    }

    /// Change of the live count in either class: positive in one that is full.
    fn overflows(&self, line: &Line, i: usize) -> bool {
        let inst = &line.insts[i];
        let mut change = [0i32; 2];
        for value in defs(inst) {
            change[class(value)] += i32::from(self.left.contains_key(&value));
        }
        let mut seen: Vec<VReg> = Vec::new();
        for value in uses(inst) {
            if self.left.get(&value) == Some(&1) && !seen.contains(&value) {
                change[class(value)] -= 1;
            }
            seen.push(value);
        }
        (0..2).any(|c| self.live[c] >= FULL[c] && change[c] > 0)
    }

    fn take(&mut self, line: &Line, i: usize) {
        let exits = line.exits.get(&i).into_iter().flatten().copied();
        for value in uses(&line.insts[i]).chain(exits) {
            if let Some(left) = self.left.get_mut(&value) {
                *left -= 1;
                if *left == 0 {
                    self.left.remove(&value);
                    self.live[class(value)] = self.live[class(value)].saturating_sub(1);
                }
            }
        }
        for value in defs(&line.insts[i]) {
            self.live[class(value)] += u32::from(self.left.contains_key(&value));
        }
    }
}

/// Smallest first: does it overflow the registers, stalls, breaks a run of loads,
/// inverted height, program order.
type Priority = (bool, u32, u32, u32, usize);

fn list(line: &Line, mut nodes: Vec<Node>, live_in: Vec<VReg>) -> Vec<usize> {
    let count = line.insts.len();
    let mut pressure = Pressure::new(line, live_in);
    let mut order = Vec::with_capacity(count);
    let mut done = vec![false; count];
    let mut oldest = 0;
    let mut cycle = 0;
    let mut last: Option<usize> = None;
    let wanted: Vec<Vec<VReg>> = compared(line);
    while order.len() < count {
        while done[oldest] {
            oldest += 1;
        }
        let mut best: Option<(usize, Priority)> = None;
        let mut seen = 0;
        for i in oldest..count {
            if done[i] {
                continue;
            }
            // Plain jumps disappear, so they don't count.
            seen += usize::from(line.insts[i].role != Role::Jump);
            if seen > WINDOW && i != oldest {
                break;
            }
            if nodes[i].waiting > 0 {
                continue;
            }
            let inst = &line.insts[i];
            // A counter is best stepped right before the branch that tests it.
            let late = wanted[line.block[i]]
                .iter()
                .any(|w| defs(inst).any(|d| d == *w))
                && nodes[i]
                    .succs
                    .iter()
                    .all(|&(s, _)| line.insts[s].role.is_terminator())
                && matches!(inst.single(), Some(Inst::Alu { .. }));
            let stalls = nodes[i].ready.saturating_sub(cycle) + 8 * u32::from(late);
            let after_load = last.is_some_and(|l| kind(&line.insts[l]) == Kind::Load);
            let breaks = u32::from(after_load && kind(inst) != Kind::Load);
            // A block that only jumps takes no instruction of others.
            if inst.role == Role::Jump && line.is_alone(i) {
                best = Some((i, (false, 0, 0, 0, i)));
                break;
            }
            let full = pressure.overflows(line, i);
            let key = (full, stalls, breaks, u32::MAX - nodes[i].height, i);
            if best.is_none_or(|(_, k)| key < k) {
                best = Some((i, key));
            }
        }
        // The oldest instruction never waits for a later one, so one is found.
        let Some((chosen, _)) = best else { break };
        done[chosen] = true;
        order.push(chosen);
        pressure.take(line, chosen);
        last = Some(chosen);
        cycle = cycle.max(nodes[chosen].ready) + u32::from(line.insts[chosen].role != Role::Jump);
        for (succ, latency) in std::mem::take(&mut nodes[chosen].succs) {
            nodes[succ].waiting -= 1;
            nodes[succ].ready = nodes[succ].ready.max(cycle + latency);
        }
    }
    order
}

/// What the terminator of each block compares.
fn compared(line: &Line) -> Vec<Vec<VReg>> {
    let blocks = line.block.last().map_or(0, |last| last + 1);
    let mut out = vec![Vec::new(); blocks];
    for (i, inst) in line.insts.iter().enumerate() {
        if inst.role.is_terminator() {
            out[line.block[i]] = uses(inst).collect();
        }
    }
    out
}
