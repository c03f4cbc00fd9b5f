//! Runs of float loads and stores become VLDM and VSTM.
//!
//! VLDR and VSTR take two cycles each, VLDM and VSTM one plus one per register.
//! A group needs consecutive registers, which the allocator cannot be asked for,
//! so the registers are fixed. Loads and stores from the same base take the same
//! registers: a value that is loaded, changed and stored stays in its place. What
//! changes it in between is told so, or the allocator would move it away and back.

use super::SReg;
use super::inst::{AluOp, Inst, Op2};
use super::vcode::{Access, Base, Bundle, Place, VBlock, VCode, VInst, float_reg};
use regalloc2::{Operand, OperandConstraint, OperandKind, PReg, RegClass, VReg};
use std::collections::BTreeMap;

/// Shorter runs gain nothing once the base has to be adjusted.
const SHORTEST: usize = 3;
const LONGEST: usize = 8;

/// Forms the groups; says whether there is any lane that [`keep_in_place`] can keep.
pub(super) fn run(code: &mut VCode) -> bool {
    let mut next_vreg = code.num_vregs;
    for block in &mut code.blocks {
        combine_block(block, &mut next_vreg);
    }
    code.num_vregs = next_vreg;
    let many = |inst: &VInst| {
        let inst = inst.single();
        matches!(inst, Some(Inst::VStoreMany { .. } | Inst::VLoadMany { .. }))
    };
    code.blocks.iter().any(|b| b.insts.iter().any(many))
}

/// Ties what changes a lane to the lane's register, in every block.
pub(super) fn keep_in_place(code: &mut VCode) {
    let uses = count_uses(code);
    for block in &mut code.blocks {
        keep_lanes(block, &uses);
    }
}

/// One VLDR or VSTR.
#[derive(Clone, Copy, Debug)]
struct Access1 {
    index: usize,
    load: bool,
    base: VReg,
    offset: i32,
    value: VReg,
}

fn access(index: usize, inst: &VInst) -> Option<Access1> {
    let (load, place) = match inst.access {
        Access::Load(place) => (true, place),
        Access::Store(place) => (false, place),
        Access::None | Access::Barrier => return None,
    };
    let Base::Reg(base) = place.base else {
        return None;
    };
    if !matches!(
        inst.single(),
        Some(Inst::VLoad { .. } | Inst::VStore { .. })
    ) {
        return None;
    }
    let value = inst
        .operands
        .iter()
        .map(|o| o.vreg())
        .find(|v| v.class() == RegClass::Float)?;
    let plain = inst
        .operands
        .iter()
        .all(|o| o.constraint() == OperandConstraint::Reg);
    plain.then_some(Access1 {
        index,
        load,
        base,
        offset: place.offset,
        value,
    })
}

fn combine_block(block: &mut VBlock, next_vreg: &mut usize) {
    let mut groups: Vec<Vec<Access1>> = Vec::new();
    let mut used = vec![false; block.insts.len()];
    for i in 0..block.insts.len() {
        if used[i] {
            continue;
        }
        let Some(first) = access(i, &block.insts[i]) else {
            continue;
        };
        let group = collect(block, first, &used);
        if group.len() >= SHORTEST {
            for member in &group {
                used[member.index] = true;
            }
            groups.push(group);
        }
    }
    if groups.is_empty() {
        return;
    }
    let mut homes: BTreeMap<(usize, i32), u8> = BTreeMap::new();
    // s0 to s7 come last: parameters and results live there.
    let mut next_home = LONGEST as u8;
    let mut replaced: BTreeMap<usize, Vec<VInst>> = BTreeMap::new();
    for group in &groups {
        let key = (group[0].base.vreg(), group[0].offset);
        let home = *homes.entry(key).or_insert_with(|| {
            let home = next_home;
            next_home = (next_home + LONGEST as u8) % 32;
            home
        });
        // A load group stands at its first member, a store group at its last.
        let members = group.iter().map(|m| m.index);
        let place = if group[0].load {
            members.min()
        } else {
            members.max()
        };
        if let Some(place) = place {
            replaced.insert(place, build(group, home, next_vreg));
        }
    }
    let old = std::mem::take(&mut block.insts);
    for (i, inst) in old.into_iter().enumerate() {
        match replaced.remove(&i) {
            Some(insts) => block.insts.extend(insts),
            None if used[i] => {}
            None => block.insts.push(inst),
        }
    }
}

/// Accesses that follow `first` at ascending addresses and may move next to it.
fn collect(block: &VBlock, first: Access1, used: &[bool]) -> Vec<Access1> {
    let mut group = vec![first];
    for (i, inst) in block.insts.iter().enumerate().skip(first.index + 1) {
        let Some(last) = group.last().copied() else {
            break;
        };
        let candidate = access(i, inst).filter(|a| {
            !used[i] && a.load == first.load && a.base == first.base && a.offset == last.offset + 4
        });
        if let Some(member) = candidate {
            // A value stored twice would need two registers.
            let fresh = group.iter().all(|m| m.value != member.value);
            if fresh && may_move(block, &group, member) {
                group.push(member);
                if group.len() == LONGEST {
                    break;
                }
                continue;
            }
        }
        if matches!(inst.access, Access::Barrier) {
            break;
        }
    }
    group
}

/// Loads move up to the first member, stores down to the last: nothing between
/// may touch their bytes.
fn may_move(block: &VBlock, group: &[Access1], member: Access1) -> bool {
    let place = |offset| Place {
        base: Base::Reg(member.base),
        offset,
        size: 4,
    };
    let between = |from: usize, to: usize, offset: i32, ours: &[usize]| {
        (from + 1..to)
            .filter(|i| !ours.contains(i))
            .all(|i| match block.insts[i].access {
                Access::None => true,
                Access::Barrier => false,
                Access::Load(other) => member.load || other.disjoint(place(offset)),
                Access::Store(other) => other.disjoint(place(offset)),
            })
    };
    let ours: Vec<usize> = group.iter().map(|m| m.index).collect();
    if member.load {
        between(group[0].index, member.index, member.offset, &ours)
    } else {
        group
            .iter()
            .all(|m| between(m.index, member.index, m.offset, &ours))
    }
}

/// How often each float is read, branch arguments included.
fn count_uses(code: &VCode) -> BTreeMap<VReg, u32> {
    let mut uses = BTreeMap::new();
    let read = code.blocks.iter().flat_map(|block| {
        let operands = block.insts.iter().flat_map(|i| &i.operands);
        let used = operands.filter(|o| o.kind() == OperandKind::Use);
        let args = block.succs.iter().flat_map(|s| s.args.iter().copied());
        used.map(|o| o.vreg()).chain(args)
    });
    for value in read.filter(|v| v.class() == RegClass::Float) {
        *uses.entry(value).or_default() += 1;
    }
    uses
}

/// Longest chain of operations that is followed from a store back to its load.
const CHAIN: u32 = 6;

/// Where a stored lane comes from the loaded lane with the same register, through
/// operations that are the last to read it, each works in that register.
fn keep_lanes(block: &mut VBlock, uses: &BTreeMap<VReg, u32>) {
    let homes = |inst: &VInst| -> Vec<(VReg, PReg)> {
        let fixed = inst.operands.iter().filter_map(|o| match o.constraint() {
            OperandConstraint::FixedReg(reg) => Some((o.vreg(), reg)),
            _ => None,
        });
        fixed.collect()
    };
    let of = |load: bool| {
        let group = move |inst: &&VInst| match inst.single() {
            Some(Inst::VLoadMany { .. }) => load,
            Some(Inst::VStoreMany { .. }) => !load,
            _ => false,
        };
        let insts = block.insts.iter().filter(group);
        insts.flat_map(homes).collect::<Vec<_>>()
    };
    let (loaded, stored) = (of(true), of(false));
    if loaded.is_empty() || stored.is_empty() {
        return;
    }
    let loaded: BTreeMap<VReg, PReg> = loaded.into_iter().collect();
    let mut makers: BTreeMap<VReg, usize> = BTreeMap::new();
    for (i, inst) in block.insts.iter().enumerate() {
        let binary = matches!(
            inst.single(),
            Some(Inst::VAlu { op, .. }) if !op.accumulates()
        );
        if binary && let Some(result) = inst.operands.get(2) {
            makers.insert(result.vreg(), i);
        }
    }
    for (value, home) in stored {
        let chain = chain(&block.insts, &makers, (&loaded, uses), value, home, CHAIN);
        for (inst, operand) in chain.unwrap_or_default() {
            let result = &mut block.insts[inst].operands[2];
            *result = Operand::reg_reuse_def(result.vreg(), operand);
        }
    }
}

/// The operations that make `value` of what was loaded to `home`, each with the
/// number of the operand that comes from there.
fn chain(
    insts: &[VInst],
    makers: &BTreeMap<VReg, usize>,
    known: (&BTreeMap<VReg, PReg>, &BTreeMap<VReg, u32>),
    value: VReg,
    home: PReg,
    left: u32,
) -> Option<Vec<(usize, usize)>> {
    let (loaded, uses) = known;
    if loaded.get(&value) == Some(&home) {
        return Some(Vec::new());
    }
    let maker = *makers.get(&value).filter(|_| left > 0)?;
    (0..2).find_map(|operand| {
        let input = insts[maker].operands[operand].vreg();
        if uses.get(&input) != Some(&1) {
            return None;
        }
        let mut all = chain(insts, makers, known, input, home, left - 1)?;
        all.push((maker, operand));
        Some(all)
    })
}

fn build(group: &[Access1], home: u8, next_vreg: &mut usize) -> Vec<VInst> {
    let Access1 {
        load, base, offset, ..
    } = group[0];
    let count = group.len() as u8;
    let mut out = Vec::new();
    let mut address = base;
    if offset != 0 {
        address = VReg::new(*next_vreg, RegClass::Int);
        *next_vreg += 1;
        let mut b = Bundle::new();
        let rn = b.use_reg(base);
        let rd = b.def_reg(address);
        let op = if offset < 0 { AluOp::Sub } else { AluOp::Add };
        // |offset| <= 1020 and a multiple of 4 is a modified immediate.
        b.push(Inst::Alu {
            op,
            s: false,
            rd,
            rn,
            op2: Op2::Imm(offset.unsigned_abs()),
        });
        out.push(b.finish());
    }
    let mut b = Bundle::new();
    let rn = b.use_reg(address);
    let first = SReg::new(home).unwrap_or(SReg::slot(0));
    let (wback, before) = (false, false);
    b.push(if load {
        Inst::VLoadMany {
            rn,
            wback,
            before,
            first,
            count,
        }
    } else {
        Inst::VStoreMany {
            rn,
            wback,
            before,
            first,
            count,
        }
    });
    for (i, member) in group.iter().enumerate() {
        let Some(reg) = SReg::new(home + i as u8) else {
            continue;
        };
        b.operands.push(if load {
            Operand::reg_fixed_def(member.value, float_reg(reg))
        } else {
            Operand::reg_fixed_use(member.value, float_reg(reg))
        });
    }
    let place = Place {
        base: Base::Reg(base),
        offset,
        size: 4 * u32::from(count),
    };
    let access = if load {
        Access::Load(place)
    } else {
        Access::Store(place)
    };
    out.push(b.finish_access(access));
    out
}
