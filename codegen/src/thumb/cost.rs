//! Cycles of straight-line code on a Cortex-M4 with zero-wait memory.
//!
//! The estimate reads the emitted instructions, so it sees stalls and pipelined
//! loads as the core does. Conditional branches count as not taken.

use super::inst::{Addr, Hint, Inst, VAluOp, VUnaryOp};
use super::reg::{Reg, SReg};
use super::{Line, LineKind};
use ir::target::Cpu;

/// The timing rules that are not the same on every description of the core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CycleRules {
    /// Extra cycles of a taken branch.
    pub refill: u32,
    /// Cycles of an IT instruction.
    pub it: u32,
    /// Extra cycle of an access whose address the instruction before computed.
    pub address_stall: u32,
    /// Extra cycle of a float operation on the result of the one before.
    pub float_stall: u32,
    /// Cycles of SDIV and UDIV, which end early on small operands.
    pub divide: u32,
}

impl Default for CycleRules {
    fn default() -> CycleRules {
        CycleRules {
            refill: 2,
            it: 1,
            address_stall: 1,
            float_stall: 1,
            divide: 12,
        }
    }
}

impl CycleRules {
    /// The rules of a target's core. What is not here is the same on every one.
    pub fn of(cpu: &Cpu) -> Self {
        Self {
            refill: cpu.pipeline_refill,
            it: cpu.it,
            address_stall: cpu.address_stall,
            float_stall: cpu.vfp_stall,
            divide: cpu.divide_max,
        }
    }
}

/// Cycles of these lines run once from first to last.
pub fn straight_line(lines: &[Line], rules: &CycleRules) -> u32 {
    let insts = lines.iter().filter_map(|line| match &line.kind {
        LineKind::Inst(inst, _) => Some(inst),
        LineKind::Data(_) => None,
    });
    let mut total = 0;
    let mut previous: Option<&Inst> = None;
    for inst in insts {
        total += base(inst, rules);
        if let Some(previous) = previous {
            total += stall(previous, inst, rules);
            if follows_load(previous, inst) {
                total -= 1;
            }
        }
        previous = Some(inst);
    }
    total
}

fn base(inst: &Inst, rules: &CycleRules) -> u32 {
    match *inst {
        Inst::Mul2 {
            op: super::inst::Mul2Op::Sdiv | super::inst::Mul2Op::Udiv,
            ..
        } => rules.divide,
        Inst::Load { rt: Reg::PC, .. } => 2 + 1 + rules.refill,
        Inst::Load { .. } => 2,
        Inst::Store {
            addr: Addr::Index(..),
            ..
        } => 2,
        Inst::Store { .. } => 1,
        Inst::LoadPair { .. } | Inst::StorePair { .. } => 3,
        Inst::Push { regs } | Inst::StoreMany { regs, .. } => 1 + regs.count(),
        Inst::Pop { regs } | Inst::LoadMany { regs, .. } => {
            1 + regs.count()
                + if regs.contains(Reg::PC) {
                    rules.refill
                } else {
                    0
                }
        }
        Inst::TableBranch { .. } => 2 + 1 + rules.refill,
        Inst::B { .. } | Inst::Bl { .. } | Inst::Blx { .. } | Inst::Bx { .. } => 1 + rules.refill,
        Inst::It { .. } => rules.it,
        Inst::Hint(Hint::Nop) => 1,
        Inst::VAlu { op, .. } => match op {
            VAluOp::Div => 14,
            op if op.accumulates() => 3,
            _ => 1,
        },
        Inst::VUnary {
            op: VUnaryOp::Sqrt, ..
        } => 14,
        Inst::VMovToCore2 { .. } | Inst::VMovFromCore2 { .. } => 2,
        Inst::VLoad { .. } | Inst::VStore { .. } => 2,
        Inst::VLoadMany { count, .. }
        | Inst::VStoreMany { count, .. }
        | Inst::VPush { count, .. }
        | Inst::VPop { count, .. } => 1 + u32::from(count),
        _ => 1,
    }
}

/// Whether an access is pipelined after a load. A store that already takes one
/// cycle gains nothing.
fn follows_load(previous: &Inst, inst: &Inst) -> bool {
    let Inst::Load { rt, .. } = *previous else {
        return false;
    };
    match *inst {
        Inst::Load { addr, .. } => !uses_in_address(addr, rt),
        Inst::Store {
            addr: addr @ Addr::Index(..),
            ..
        } => !uses_in_address(addr, rt),
        _ => false,
    }
}

fn uses_in_address(addr: Addr, reg: Reg) -> bool {
    match addr {
        Addr::Offset(rn, _) | Addr::Pre(rn, _) | Addr::Post(rn, _) => rn == reg,
        Addr::Index(rn, rm, _) => rn == reg || rm == reg,
        Addr::Literal(_) => false,
    }
}

fn stall(previous: &Inst, inst: &Inst, rules: &CycleRules) -> u32 {
    if let Some(written) = data_result(previous) {
        let late = match *inst {
            Inst::Load { addr, .. }
            | Inst::Store { addr, .. }
            | Inst::LoadPair { addr, .. }
            | Inst::StorePair { addr, .. } => uses_in_address(addr, written),
            Inst::LoadMany { rn, .. }
            | Inst::StoreMany { rn, .. }
            | Inst::VLoad { rn, .. }
            | Inst::VStore { rn, .. }
            | Inst::VLoadMany { rn, .. }
            | Inst::VStoreMany { rn, .. } => rn == written,
            _ => false,
        };
        if late {
            return rules.address_stall;
        }
    }
    match float_result(previous) {
        Some(written) if float_inputs(inst).contains(&Some(written)) => rules.float_stall,
        _ => 0,
    }
}

/// The core register that a data-processing instruction writes.
fn data_result(inst: &Inst) -> Option<Reg> {
    match *inst {
        Inst::Alu { rd, .. }
        | Inst::AddWide { rd, .. }
        | Inst::Mov { rd, .. }
        | Inst::Mvn { rd, .. }
        | Inst::Movw { rd, .. }
        | Inst::Movt { rd, .. }
        | Inst::Shift { rd, .. }
        | Inst::Mul { rd, .. }
        | Inst::Mul2 { rd, .. }
        | Inst::Mul3 { rd, .. }
        | Inst::Extend { rd, .. }
        | Inst::ExtendAdd { rd, .. }
        | Inst::Parallel { rd, .. }
        | Inst::Saturating { rd, .. }
        | Inst::Sel { rd, .. }
        | Inst::Pack { rd, .. }
        | Inst::Sat { rd, .. }
        | Inst::Sat16 { rd, .. }
        | Inst::Unary { rd, .. }
        | Inst::Bfi { rd, .. }
        | Inst::Bfc { rd, .. }
        | Inst::Bfx { rd, .. }
        | Inst::Adr { rd, .. } => Some(rd),
        _ => None,
    }
}

/// The register that a float arithmetic instruction writes; moves to and from the
/// core and memory neither cause nor suffer the stall.
fn float_result(inst: &Inst) -> Option<SReg> {
    match *inst {
        Inst::VAlu { sd, .. }
        | Inst::VUnary { sd, .. }
        | Inst::VCvt { sd, .. }
        | Inst::VCvtFixed { sd, .. } => Some(sd),
        _ => None,
    }
}

fn float_inputs(inst: &Inst) -> [Option<SReg>; 3] {
    match *inst {
        Inst::VAlu { op, sd, sn, sm } => [Some(sn), Some(sm), op.accumulates().then_some(sd)],
        Inst::VUnary { sm, .. } | Inst::VCvt { sm, .. } => [Some(sm), None, None],
        Inst::VCvtFixed { sd, .. } | Inst::VCmpZero { sd, .. } => [Some(sd), None, None],
        Inst::VCmp { sd, sm, .. } => [Some(sd), Some(sm), None],
        _ => [None; 3],
    }
}

#[cfg(test)]
mod tests {
    use super::super::inst::{AluOp, LoadSize, Op2};
    use super::*;

    fn cycles(insts: &[Inst]) -> u32 {
        let lines: Vec<Line> = insts
            .iter()
            .map(|&i| Line {
                offset: 0,
                kind: LineKind::Inst(i, None),
            })
            .collect();
        straight_line(&lines, &CycleRules::default())
    }

    fn load(rt: Reg, rn: Reg) -> Inst {
        Inst::Load {
            size: LoadSize::Word,
            rt,
            addr: Addr::Offset(rn, 0),
        }
    }

    #[test]
    fn loads_in_a_row_are_pipelined_unless_one_addresses_the_next() {
        assert_eq!(cycles(&[load(Reg::R0, Reg::R4), load(Reg::R1, Reg::R4)]), 3);
        assert_eq!(cycles(&[load(Reg::R0, Reg::R4), load(Reg::R1, Reg::R0)]), 4);
    }

    /// The scheduler, the estimate and the emulator count by one table.
    #[test]
    fn the_rules_are_those_of_the_target() {
        let target = ir::Target::spinnaker2();
        assert_eq!(CycleRules::of(&target.cpu), CycleRules::default());
        let slow = Cpu {
            vfp_stall: 3,
            ..target.cpu
        };
        assert_eq!(CycleRules::of(&slow).float_stall, 3);
    }

    #[test]
    fn an_address_or_a_float_that_was_just_computed_stalls() {
        let add = Inst::Alu {
            op: AluOp::Add,
            s: false,
            rd: Reg::R4,
            rn: Reg::R4,
            op2: Op2::Imm(4),
        };
        assert_eq!(cycles(&[add, load(Reg::R0, Reg::R4)]), 4);
        assert_eq!(cycles(&[add, load(Reg::R0, Reg::R5)]), 3);
        let s = |n| SReg::new(n).expect("a register");
        let mul = Inst::VAlu {
            op: VAluOp::Mul,
            sd: s(0),
            sn: s(1),
            sm: s(2),
        };
        let sum = Inst::VAlu {
            op: VAluOp::Add,
            sd: s(3),
            sn: s(0),
            sm: s(4),
        };
        assert_eq!(cycles(&[mul, sum]), 3);
        assert_eq!(cycles(&[mul, mul]), 2);
    }
}
