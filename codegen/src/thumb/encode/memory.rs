//! The 32-bit loads and stores of core registers.

use super::super::inst::{Addr, Inst, LoadSize, StoreSize};
use super::super::reg::{Reg, RegList};
use super::{Refusal, check, g, nopc, r};

pub(super) fn encode(inst: &Inst) -> Result<u32, Refusal> {
    match *inst {
        Inst::Load { size, rt, addr } => {
            let base = match size {
                LoadSize::Byte => 0xf810_0000,
                LoadSize::Half => 0xf830_0000,
                LoadSize::Word => 0xf850_0000,
                LoadSize::SignedByte => 0xf910_0000,
                LoadSize::SignedHalf => 0xf930_0000,
            };
            let rt = if size == LoadSize::Word {
                r(rt)?
            } else {
                g(rt)?
            };
            single(base, rt, addr)
        }
        Inst::Store { size, rt, addr } => {
            check(
                !matches!(addr, Addr::Literal(_)),
                "a store cannot address from PC",
            )?;
            let base = match size {
                StoreSize::Byte => 0xf800_0000,
                StoreSize::Half => 0xf820_0000,
                StoreSize::Word => 0xf840_0000,
            };
            let rt = if size == StoreSize::Word {
                nopc(rt)?
            } else {
                g(rt)?
            };
            single(base, rt, addr)
        }
        Inst::LoadPair { rt, rt2, addr } => {
            check(rt != rt2, "the two registers must differ")?;
            pair(0xe850_0000, rt, rt2, addr)
        }
        Inst::StorePair { rt, rt2, addr } => {
            check(
                !matches!(addr, Addr::Literal(_)),
                "a store cannot address from PC",
            )?;
            pair(0xe840_0000, rt, rt2, addr)
        }
        Inst::LoadMany {
            rn,
            wback,
            before,
            regs,
        } => {
            many(rn, wback, before, regs)?;
            check(!regs.contains(Reg::SP), "SP cannot be in the list")?;
            check(
                !(regs.contains(Reg::LR) && regs.contains(Reg::PC)),
                "not both LR and PC",
            )?;
            check(
                !(wback && regs.contains(rn)),
                "write-back to a loaded register",
            )?;
            let mode = if before { 0xe910_0000 } else { 0xe890_0000 };
            Ok(mode | u32::from(wback) << 21 | nopc(rn)? << 16 | u32::from(regs.0))
        }
        Inst::StoreMany {
            rn,
            wback,
            before,
            regs,
        } => {
            many(rn, wback, before, regs)?;
            check(regs.0 & 0xa000 == 0, "SP and PC cannot be in the list")?;
            check(
                !(wback && regs.contains(rn)),
                "write-back to a stored register",
            )?;
            let mode = if before { 0xe900_0000 } else { 0xe880_0000 };
            Ok(mode | u32::from(wback) << 21 | nopc(rn)? << 16 | u32::from(regs.0))
        }
        Inst::Push { regs } => {
            check(
                regs.0 & 0xa000 == 0 && !regs.is_empty(),
                "SP and PC cannot be in the list",
            )?;
            if let (1, Some(reg)) = (regs.count(), regs.iter().next()) {
                return single(0xf840_0000, g(reg)?, Addr::Pre(Reg::SP, -4));
            }
            Ok(0xe92d_0000 | u32::from(regs.0))
        }
        Inst::Pop { regs } => {
            check(
                !regs.contains(Reg::SP) && !regs.is_empty(),
                "SP cannot be in the list",
            )?;
            check(
                !(regs.contains(Reg::LR) && regs.contains(Reg::PC)),
                "not both LR and PC",
            )?;
            if let (1, Some(reg)) = (regs.count(), regs.iter().next()) {
                return single(0xf850_0000, r(reg)?, Addr::Post(Reg::SP, 4));
            }
            Ok(0xe8bd_0000 | u32::from(regs.0))
        }
        _ => Err("not a load or store"),
    }
}

fn many(rn: Reg, wback: bool, before: bool, regs: RegList) -> Result<(), Refusal> {
    check(
        regs.count() >= 2,
        "a 32-bit list holds at least two registers",
    )?;
    check(wback || !before || r(rn)? != 15, "PC cannot be the base")
}

fn single(base: u32, rt: u32, addr: Addr) -> Result<u32, Refusal> {
    Ok(match addr {
        Addr::Offset(rn, offset) => {
            let rn = nopc(rn)? << 16;
            if (0..4096).contains(&offset) {
                base | 1 << 23 | rn | rt << 12 | offset as u32
            } else {
                check((-255..0).contains(&offset), "the offset is out of range")?;
                base | rn | rt << 12 | 0xc00 | offset.unsigned_abs()
            }
        }
        Addr::Pre(rn, offset) | Addr::Post(rn, offset) => {
            check((-255..=255).contains(&offset), "the offset is out of range")?;
            let rn = nopc(rn)?;
            check(rn != rt, "write-back to the transferred register")?;
            let pre = u32::from(matches!(addr, Addr::Pre(..)));
            let up = u32::from(offset >= 0);
            base | rn << 16 | rt << 12 | 0x900 | pre << 10 | up << 9 | offset.unsigned_abs()
        }
        Addr::Index(rn, rm, shift) => {
            check(shift < 4, "the index shift is 0 to 3")?;
            base | nopc(rn)? << 16 | rt << 12 | u32::from(shift) << 4 | g(rm)?
        }
        Addr::Literal(offset) => {
            check(
                (-4095..=4095).contains(&offset),
                "the literal is out of range",
            )?;
            base | u32::from(offset >= 0) << 23 | 15 << 16 | rt << 12 | offset.unsigned_abs()
        }
    })
}

fn pair(base: u32, rt: Reg, rt2: Reg, addr: Addr) -> Result<u32, Refusal> {
    let (rn, offset, pre, wback) = match addr {
        Addr::Offset(rn, offset) => (rn, offset, 1, 0),
        Addr::Pre(rn, offset) => (rn, offset, 1, 1),
        Addr::Post(rn, offset) => (rn, offset, 0, 1),
        Addr::Index(..) => return Err("a pair has no register offset"),
        Addr::Literal(offset) => (Reg::PC, offset, 1, 0),
    };
    check(
        (-1020..=1020).contains(&offset) && offset % 4 == 0,
        "the offset is out of range",
    )?;
    check(
        wback == 0 || (rn != rt && rn != rt2),
        "write-back to a transferred register",
    )?;
    // The base opcode already has bit 22; P, U and W select the mode.
    Ok(base
        | pre << 24
        | u32::from(offset >= 0) << 23
        | wback << 21
        | r(rn)? << 16
        | g(rt)? << 12
        | g(rt2)? << 8
        | offset.unsigned_abs() >> 2)
}
