//! Shorter forms after allocation: flag-setting 16-bit ALU instructions where the
//! flags are dead, and a decrement that makes its own compare with zero.

use super::asm::Item;
use super::emit::is_compare_zero;
use super::encode::{Encoding, encode};
use super::inst::{AluOp, Inst, Op2};
use super::reg::{Cond, Reg};

/// An item that was removed; dropped by the caller.
fn nothing() -> Item {
    Item::Bytes(Vec::new())
}

pub(super) fn run(items: &mut [Item]) {
    fold_compare(items);
    narrow(items);
}

fn plain(item: &Item) -> Option<&Inst> {
    match item {
        Item::Inst {
            inst,
            cond: None,
            reloc: None,
        } => Some(inst),
        _ => None,
    }
}

/// The flag-setting twin of an instruction that computes `rd`, when its flags N
/// and Z are those of a compare of `rd` with zero.
fn with_flags(inst: &Inst, rd: Reg) -> Option<Inst> {
    let mut inst = *inst;
    match &mut inst {
        Inst::Alu {
            s,
            rd: dest,
            rn,
            op2,
            ..
        } if *dest == rd && *rn != Reg::SP => {
            let _ = op2;
            *s = true;
        }
        Inst::Mov {
            s,
            rd: dest,
            op2: Op2::Shifted(..) | Op2::Imm(_),
        } if *dest == rd => *s = true,
        Inst::Mvn { s, rd: dest, .. } if *dest == rd => *s = true,
        Inst::Shift { s, rd: dest, .. } if *dest == rd => *s = true,
        _ => return None,
    }
    encode(&inst).is_ok().then_some(inst)
}

fn fold_compare(items: &mut [Item]) {
    for i in 1..items.len() {
        let (before, rest) = items.split_at_mut(i);
        let Some(previous) = before.last_mut() else {
            continue;
        };
        let Some(producer) = plain(previous).copied() else {
            continue;
        };
        match rest {
            [Item::CompareBranch { nonzero, rn, label }, ..] => {
                if let Some(twin) = with_flags(&producer, *rn) {
                    let cond = if *nonzero { Cond::Ne } else { Cond::Eq };
                    let branch = Item::Branch {
                        cond: Some(cond),
                        label: *label,
                    };
                    *previous = Item::plain(twin);
                    rest[0] = branch;
                }
            }
            [
                compare,
                Item::Branch {
                    cond: Some(Cond::Eq | Cond::Ne | Cond::Mi | Cond::Pl),
                    ..
                },
                ..,
            ] => {
                let zero = plain(compare).and_then(is_compare_zero);
                if let Some(twin) = zero.and_then(|rn| with_flags(&producer, rn)) {
                    *previous = nothing();
                    rest[0] = Item::plain(twin);
                }
            }
            _ => {}
        }
    }
}

/// Goes backward with the liveness of the flags, which never crosses a label or
/// an unconditional transfer.
fn narrow(items: &mut [Item]) {
    let mut live = false;
    for item in items.iter_mut().rev() {
        match item {
            Item::Branch { cond: Some(_), .. } => live = true,
            Item::Inst { cond: Some(_), .. } => live = true,
            Item::Inst {
                inst, cond: None, ..
            } => {
                if !live && let Some(shorter) = shorter(inst) {
                    *inst = shorter;
                }
                if inst.sets_flags() {
                    live = false;
                }
                if inst.reads_flags() {
                    live = true;
                }
            }
            Item::Branch { cond: None, .. }
            | Item::CompareBranch { .. }
            | Item::Label(_)
            | Item::Table { .. } => live = false,
            Item::Adr { .. } | Item::Align(_) | Item::Word { .. } | Item::Bytes(_) => {}
        }
    }
}

fn is_narrow(inst: &Inst) -> bool {
    matches!(encode(inst), Ok(Encoding::Narrow(_)))
}

/// A 16-bit form that does the same when the flags don't matter.
fn shorter(inst: &Inst) -> Option<Inst> {
    if is_narrow(inst) {
        return None;
    }
    let mut forms = vec![*inst];
    if let Inst::Alu {
        op,
        s: false,
        rd,
        rn,
        op2: Op2::Reg(rm),
    } = *inst
        && matches!(op, AluOp::Add | AluOp::And | AluOp::Orr | AluOp::Eor)
    {
        forms.push(Inst::Alu {
            op,
            s: false,
            rd,
            rn: rm,
            op2: Op2::Reg(rn),
        });
    }
    if let Inst::Mul {
        s: false,
        rd,
        rn,
        rm,
    } = *inst
    {
        forms.push(Inst::Mul {
            s: false,
            rd,
            rn: rm,
            rm: rn,
        });
    }
    for form in forms {
        if is_narrow(&form) {
            return Some(form);
        }
        let mut twin = form;
        match &mut twin {
            Inst::Alu { s, .. }
            | Inst::Mov { s, .. }
            | Inst::Mvn { s, .. }
            | Inst::Shift { s, .. }
            | Inst::Mul { s, .. } => *s = true,
            _ => continue,
        }
        if is_narrow(&twin) {
            return Some(twin);
        }
    }
    None
}
