//! Facts about virtual code that the scheduler needs: live values, dominators.

use super::vcode::VCode;
use regalloc2::{OperandKind, VReg};
use std::collections::BTreeSet;

#[derive(Debug)]
pub(super) struct Liveness {
    live_in: Vec<BTreeSet<VReg>>,
    idom: Vec<usize>,
    preds: Vec<Vec<usize>>,
}

impl Liveness {
    pub(super) fn compute(code: &VCode) -> Liveness {
        let count = code.blocks.len();
        let mut preds = vec![Vec::new(); count];
        for (i, block) in code.blocks.iter().enumerate() {
            for succ in &block.succs {
                preds[succ.block].push(i);
            }
        }
        let idom = dominators(code, &preds);
        Liveness {
            live_in: live_in(code),
            idom,
            preds,
        }
    }

    /// Values that a block needs from before it, its parameters excepted.
    pub(super) fn live_in(&self, block: usize) -> impl Iterator<Item = VReg> + '_ {
        self.live_in[block].iter().copied()
    }

    pub(super) fn dominates(&self, above: usize, below: usize) -> bool {
        let mut at = below;
        loop {
            if at == above {
                return true;
            }
            let next = self.idom[at];
            if next == at || next == usize::MAX {
                return false;
            }
            at = next;
        }
    }

    /// Whether some edge goes back to the block.
    pub(super) fn is_loop_header(&self, block: usize) -> bool {
        self.preds[block]
            .iter()
            .any(|&pred| self.dominates(block, pred))
    }
}

fn live_in(code: &VCode) -> Vec<BTreeSet<VReg>> {
    let mut live: Vec<BTreeSet<VReg>> = vec![BTreeSet::new(); code.blocks.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for (i, block) in code.blocks.iter().enumerate().rev() {
            let mut set: BTreeSet<VReg> = BTreeSet::new();
            for succ in &block.succs {
                set.extend(&live[succ.block]);
                set.extend(&succ.args);
            }
            for inst in block.insts.iter().rev() {
                for operand in &inst.operands {
                    if operand.kind() == OperandKind::Def {
                        set.remove(&operand.vreg());
                    }
                }
                for operand in &inst.operands {
                    if operand.kind() == OperandKind::Use {
                        set.insert(operand.vreg());
                    }
                }
            }
            for param in &block.params {
                set.remove(param);
            }
            if set != live[i] {
                live[i] = set;
                changed = true;
            }
        }
    }
    live
}

/// Immediate dominators by the iterative algorithm; the entry dominates itself,
/// unreachable blocks have `usize::MAX`.
fn dominators(code: &VCode, preds: &[Vec<usize>]) -> Vec<usize> {
    let count = code.blocks.len();
    let mut postorder = Vec::new();
    let mut number = vec![usize::MAX; count];
    let mut visited = vec![false; count];
    let mut stack = vec![(0usize, 0usize)];
    visited[0] = true;
    while let Some((block, next)) = stack.pop() {
        match code.blocks[block].succs.get(next) {
            Some(succ) => {
                stack.push((block, next + 1));
                if !std::mem::replace(&mut visited[succ.block], true) {
                    stack.push((succ.block, 0));
                }
            }
            None => {
                number[block] = postorder.len();
                postorder.push(block);
            }
        }
    }
    let mut idom = vec![usize::MAX; count];
    idom[0] = 0;
    let mut changed = true;
    while changed {
        changed = false;
        for &block in postorder.iter().rev().filter(|&&b| b != 0) {
            let mut common = usize::MAX;
            for &pred in preds[block].iter().filter(|&&p| idom[p] != usize::MAX) {
                common = match common {
                    usize::MAX => pred,
                    other => meet(&idom, &number, other, pred),
                };
            }
            if idom[block] != common {
                idom[block] = common;
                changed = true;
            }
        }
    }
    idom
}

fn meet(idom: &[usize], number: &[usize], mut a: usize, mut b: usize) -> usize {
    while a != b {
        while number[a] < number[b] {
            a = idom[a];
        }
        while number[b] < number[a] {
            b = idom[b];
        }
    }
    a
}
