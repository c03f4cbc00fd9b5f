//! List scheduling inside a block.
//!
//! Two latencies matter on this core: a float result used by the very next float
//! operation stalls one cycle, and so does an address computed right before its
//! use. Loads are cheaper next to each other. The scheduler may look only a few
//! instructions ahead: without that limit it would hoist the next group's loads
//! and create more live values than there are registers.

use super::inst::Inst;
use super::vcode::{Access, Role, VBlock, VCode, VInst};
use regalloc2::{OperandKind, RegClass, VReg};
use std::collections::BTreeMap;

/// How many instructions ahead of the oldest unscheduled one may go first.
const WINDOW: usize = 8;

pub(super) fn run(code: &mut VCode) {
    for block in &mut code.blocks {
        schedule_block(block);
    }
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
        (Access::Load(a), Access::Load(b)) => {
            // Device registers are read in the order that was written.
            use super::vcode::Base;
            a.base == Base::Absolute && b.base == Base::Absolute
        }
        (Access::Load(a) | Access::Store(a), Access::Load(b) | Access::Store(b)) => !a.disjoint(b),
    }
}

/// Cycles that a dependence adds when the two stand next to each other.
fn stall(producer: &VInst, consumer: &VInst, value: VReg) -> u32 {
    match (kind(producer), kind(consumer)) {
        (Kind::Float, Kind::Float) => 1,
        (Kind::Other, Kind::Load | Kind::Store) if value.class() == RegClass::Int => {
            // Only the address stalls, not the stored value; the address operand
            // of a store comes after the value.
            let position = consumer.operands.iter().position(|o| o.vreg() == value);
            u32::from(!(kind(consumer) == Kind::Store && position == Some(0)))
        }
        _ => 0,
    }
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Later instructions that wait for this one, with the extra latency.
    succs: Vec<(usize, u32)>,
    waiting: u32,
    /// Longest latency path to the end of the block.
    height: u32,
    /// Cycle from which it runs without a stall.
    ready: u32,
}

fn schedule_block(block: &mut VBlock) {
    let Some(terminator) = block.insts.pop() else {
        return;
    };
    let start = usize::from(block.insts.first().is_some_and(|i| i.role == Role::Args));
    let body: Vec<VInst> = block.insts.drain(start..).collect();
    let mut nodes = dependences(&body);
    let mut order = Vec::with_capacity(body.len());
    let mut done = vec![false; body.len()];
    let mut oldest = 0;
    let mut cycle = 0;
    let mut last: Option<usize> = None;
    // The value that the terminator compares is best computed last.
    let last_wanted: Vec<VReg> = uses(&terminator).collect();
    while order.len() < body.len() {
        while done[oldest] {
            oldest += 1;
        }
        let end = body.len().min(oldest + WINDOW);
        let mut best: Option<(usize, (u32, u32, u32, usize))> = None;
        for i in oldest..end {
            if done[i] || nodes[i].waiting > 0 {
                continue;
            }
            let late = u32::from(
                !block.succs.is_empty()
                    && nodes[i].succs.is_empty()
                    && defs(&body[i]).any(|d| last_wanted.contains(&d))
                    && matches!(body[i].single(), Some(Inst::Alu { .. })),
            );
            let stalls = nodes[i].ready.saturating_sub(cycle);
            // A load after a load is pipelined; starting a run elsewhere breaks it.
            let after_load = last.is_some_and(|l| kind(&body[l]) == Kind::Load);
            let breaks = u32::from(after_load && kind(&body[i]) != Kind::Load);
            let key = (late * 8 + stalls, breaks, u32::MAX - nodes[i].height, i);
            if best.is_none_or(|(_, k)| key < k) {
                best = Some((i, key));
            }
        }
        // The oldest instruction never waits for a later one, so one is found.
        let Some((chosen, _)) = best else { break };
        done[chosen] = true;
        order.push(chosen);
        last = Some(chosen);
        cycle = cycle.max(nodes[chosen].ready) + 1;
        for (succ, latency) in std::mem::take(&mut nodes[chosen].succs) {
            nodes[succ].waiting -= 1;
            nodes[succ].ready = nodes[succ].ready.max(cycle + latency);
        }
    }
    let mut body: Vec<Option<VInst>> = body.into_iter().map(Some).collect();
    block
        .insts
        .extend(order.into_iter().filter_map(|i| body[i].take()));
    block.insts.push(terminator);
}

fn dependences(body: &[VInst]) -> Vec<Node> {
    let mut nodes = vec![Node::default(); body.len()];
    let mut makers: BTreeMap<VReg, usize> = BTreeMap::new();
    for (i, inst) in body.iter().enumerate() {
        for value in uses(inst) {
            if let Some(&maker) = makers.get(&value) {
                nodes[maker]
                    .succs
                    .push((i, stall(&body[maker], inst, value)));
                nodes[i].waiting += 1;
            }
        }
        if inst.access != Access::None {
            for (earlier, other) in body[..i].iter().enumerate() {
                if ordered(other.access, inst.access) {
                    nodes[earlier].succs.push((i, 0));
                    nodes[i].waiting += 1;
                }
            }
        }
        for value in defs(inst) {
            makers.insert(value, i);
        }
    }
    for i in (0..nodes.len()).rev() {
        let below = nodes[i]
            .succs
            .iter()
            .map(|&(s, latency)| nodes[s].height + latency + 1)
            .max();
        nodes[i].height = below.unwrap_or(0);
    }
    nodes
}
