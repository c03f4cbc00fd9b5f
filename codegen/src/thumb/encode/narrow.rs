//! The 16-bit encodings. `None` means "use the 32-bit form", never an error.

use super::super::inst::{
    Addr, AluOp, CmpOp, ExtendOp, Hint, Inst, LoadSize, Op2, ShiftOp, StoreSize, UnaryOp,
};
use super::super::reg::Reg;

fn low(reg: Reg) -> Option<u32> {
    reg.number().filter(|&n| n < 8).map(u32::from)
}

fn any(reg: Reg) -> Option<u32> {
    reg.number().map(u32::from)
}

/// A value below `limit`, scaled down by `scale` without remainder.
fn scaled(value: i32, scale: u32, limit: u32) -> Option<u32> {
    let value = u32::try_from(value).ok()?;
    (value.is_multiple_of(scale) && value / scale < limit).then_some(value / scale)
}

pub(super) fn encode(inst: &Inst, in_it: bool) -> Option<u16> {
    bits(inst, in_it).map(|bits| bits as u16)
}

fn bits(inst: &Inst, in_it: bool) -> Option<u32> {
    // The 16-bit ALU forms set flags outside an IT block and don't inside.
    let flags_fit = |s: bool| (s != in_it).then_some(());
    match *inst {
        Inst::Alu { op, s, rd, rn, op2 } => alu(op, s, rd, rn, op2, flags_fit(s).is_some()),
        Inst::AddWide { .. } => None,
        Inst::Mov {
            s,
            rd,
            op2: Op2::Imm(imm),
        } => {
            flags_fit(s)?;
            (imm < 256).then_some(0x2000 | low(rd)? << 8 | imm)
        }
        Inst::Mov {
            s,
            rd,
            op2: Op2::Reg(rm),
        } => {
            if !s {
                let (rd, rm) = (any(rd)?, any(rm)?);
                return (rd != 15).then_some(0x4600 | (rd & 8) << 4 | rm << 3 | (rd & 7));
            }
            (!in_it).then_some(())?;
            Some(low(rm)? << 3 | low(rd)?)
        }
        Inst::Mov {
            s,
            rd,
            op2: Op2::Shifted(rm, op, amount),
        } => {
            flags_fit(s)?;
            let opcode = match op {
                ShiftOp::Lsl => 0,
                ShiftOp::Lsr => 1,
                ShiftOp::Asr => 2,
                ShiftOp::Ror => return None,
            };
            let max = if op == ShiftOp::Lsl { 31 } else { 32 };
            (1..=max).contains(&amount).then_some(())?;
            Some(opcode << 11 | (u32::from(amount) & 31) << 6 | low(rm)? << 3 | low(rd)?)
        }
        Inst::Mvn {
            s,
            rd,
            op2: Op2::Reg(rm),
        } => {
            flags_fit(s)?;
            Some(0x43c0 | low(rm)? << 3 | low(rd)?)
        }
        Inst::Shift { op, s, rd, rn, rm } => {
            flags_fit(s)?;
            (rd == rn).then_some(())?;
            let opcode = match op {
                ShiftOp::Lsl => 2,
                ShiftOp::Lsr => 3,
                ShiftOp::Asr => 4,
                ShiftOp::Ror => 7,
            };
            Some(0x4000 | opcode << 6 | low(rm)? << 3 | low(rd)?)
        }
        Inst::Compare {
            op: CmpOp::Cmp,
            rn,
            op2: Op2::Imm(imm),
        } => (imm < 256).then_some(0x2800 | low(rn)? << 8 | imm),
        Inst::Compare {
            op,
            rn,
            op2: Op2::Reg(rm),
        } => {
            let opcode = match op {
                CmpOp::Tst => 8,
                CmpOp::Cmp => 10,
                CmpOp::Cmn => 11,
                CmpOp::Teq => return None,
            };
            if rn.is_low() && rm.is_low() {
                return Some(0x4000 | opcode << 6 | low(rm)? << 3 | low(rn)?);
            }
            let (rn, rm) = (any(rn)?, any(rm)?);
            (op == CmpOp::Cmp && rn != 15 && rm != 15)
                .then_some(0x4500 | (rn & 8) << 4 | rm << 3 | (rn & 7))
        }
        Inst::Mul { s, rd, rn, rm } => {
            flags_fit(s)?;
            (rd == rm).then_some(0x4340 | low(rn)? << 3 | low(rd)?)
        }
        Inst::Extend { op, rd, rm, rot: 0 } => {
            let opcode = match op {
                ExtendOp::Sxth => 0xb200,
                ExtendOp::Sxtb => 0xb240,
                ExtendOp::Uxth => 0xb280,
                ExtendOp::Uxtb => 0xb2c0,
                ExtendOp::Sxtb16 | ExtendOp::Uxtb16 => return None,
            };
            Some(opcode | low(rm)? << 3 | low(rd)?)
        }
        Inst::Unary { op, rd, rm } => {
            let opcode = match op {
                UnaryOp::Rev => 0xba00,
                UnaryOp::Rev16 => 0xba40,
                UnaryOp::Revsh => 0xbac0,
                UnaryOp::Clz | UnaryOp::Rbit => return None,
            };
            Some(opcode | low(rm)? << 3 | low(rd)?)
        }
        Inst::Load { size, rt, addr } => load(size, rt, addr),
        Inst::Store { size, rt, addr } => store(size, rt, addr),
        Inst::LoadMany {
            rn,
            wback,
            before: false,
            regs,
        } => {
            let base = low(rn)?;
            (regs.0 < 0x100 && regs.0 != 0 && wback != regs.contains(rn))
                .then_some(0xc800 | base << 8 | u32::from(regs.0))
        }
        Inst::StoreMany {
            rn,
            wback: true,
            before: false,
            regs,
        } => {
            let base = low(rn)?;
            (regs.0 < 0x100 && regs.0 != 0 && !regs.contains(rn))
                .then_some(0xc000 | base << 8 | u32::from(regs.0))
        }
        Inst::Push { regs } => (regs.0 & !0x40ff == 0 && regs.0 != 0)
            .then_some(0xb400 | u32::from(regs.0 >> 14) << 8 | u32::from(regs.0 & 0xff)),
        Inst::Pop { regs } => (regs.0 & !0x80ff == 0 && regs.0 != 0)
            .then_some(0xbc00 | u32::from(regs.0 >> 15) << 8 | u32::from(regs.0 & 0xff)),
        Inst::B {
            offset,
            wide: false,
        } => ((-2048..=2046).contains(&offset) && offset & 1 == 0)
            .then_some(0xe000 | (offset as u32 >> 1 & 0x7ff)),
        Inst::BCond {
            cond,
            offset,
            wide: false,
        } => ((-256..=254).contains(&offset) && offset & 1 == 0)
            .then_some(0xd000 | cond.bits() << 8 | (offset as u32 >> 1 & 0xff)),
        Inst::Blx { rm } => any(rm).filter(|&rm| rm != 15).map(|rm| 0x4780 | rm << 3),
        Inst::Bx { rm } => any(rm).filter(|&rm| rm != 15).map(|rm| 0x4700 | rm << 3),
        Inst::Cbz {
            nonzero,
            rn,
            offset,
        } => {
            let imm = scaled(offset, 2, 64)?;
            Some(0xb100 | u32::from(nonzero) << 11 | imm >> 5 << 9 | (imm & 31) << 3 | low(rn)?)
        }
        Inst::It { cond, pattern } => Some(it(cond.bits(), pattern)),
        Inst::Adr {
            rd,
            offset,
            wide: false,
        } => Some(0xa000 | low(rd)? << 8 | scaled(offset, 4, 256)?),
        Inst::Cps {
            enable,
            primask,
            faultmask,
        } => (primask || faultmask).then_some(
            0xb660 | u32::from(!enable) << 4 | u32::from(primask) << 1 | u32::from(faultmask),
        ),
        Inst::Hint(hint) => Some(
            0xbf00
                | match hint {
                    Hint::Nop => 0x00,
                    Hint::Yield => 0x10,
                    Hint::Wfe => 0x20,
                    Hint::Wfi => 0x30,
                    Hint::Sev => 0x40,
                },
        ),
        Inst::Bkpt(imm) => Some(0xbe00 | u32::from(imm)),
        Inst::Udf(imm) => Some(0xde00 | u32::from(imm)),
        Inst::Svc(imm) => Some(0xdf00 | u32::from(imm)),
        _ => None,
    }
}

/// Each mask bit repeats the condition's lowest bit (then) or its inverse
/// (else); a one ends the mask.
fn it(cond: u32, pattern: super::super::inst::ItPattern) -> u32 {
    let mut mask = 0;
    for i in 1..pattern.len() {
        let bit = (cond & 1) ^ u32::from(!pattern.then(i));
        mask |= bit << (4 - i);
    }
    mask |= 1 << (4 - pattern.len());
    0xbf00 | cond << 4 | mask
}

fn alu(op: AluOp, s: bool, rd: Reg, rn: Reg, op2: Op2, flags_fit: bool) -> Option<u32> {
    if let (AluOp::Add, false) = (op, s) {
        // These never touch flags, so they fit in and out of IT blocks.
        match op2 {
            Op2::Reg(rm) if rd == rn && rm != Reg::SP && rd != Reg::PC && rm != Reg::PC => {
                if let (false, _) | (_, Reg::SP) = (flags_fit, rd) {
                    let (rd, rm) = (any(rd)?, any(rm)?);
                    return Some(0x4400 | (rd & 8) << 4 | rm << 3 | (rd & 7));
                }
            }
            Op2::Imm(imm) if rn == Reg::SP => {
                let imm = i32::try_from(imm).ok()?;
                if rd == Reg::SP {
                    return Some(0xb000 | scaled(imm, 4, 128)?);
                }
                return Some(0xa800 | low(rd)? << 8 | scaled(imm, 4, 256)?);
            }
            _ => {}
        }
    }
    if let (AluOp::Sub, false, Reg::SP, Reg::SP, Op2::Imm(imm)) = (op, s, rd, rn, op2) {
        return Some(0xb080 | scaled(i32::try_from(imm).ok()?, 4, 128)?);
    }
    if !flags_fit {
        return None;
    }
    let (rd_low, rn_low) = (low(rd)?, low(rn)?);
    match (op, op2) {
        (AluOp::Add | AluOp::Sub, Op2::Imm(imm)) => {
            let sub = u32::from(op == AluOp::Sub);
            if rd == rn && imm < 256 {
                return Some(0x3000 | sub << 11 | rd_low << 8 | imm);
            }
            (imm < 8).then_some(0x1c00 | sub << 9 | imm << 6 | rn_low << 3 | rd_low)
        }
        (AluOp::Add | AluOp::Sub, Op2::Reg(rm)) => {
            let sub = u32::from(op == AluOp::Sub);
            Some(0x1800 | sub << 9 | low(rm)? << 6 | rn_low << 3 | rd_low)
        }
        (AluOp::Rsb, Op2::Imm(0)) => Some(0x4240 | rn_low << 3 | rd_low),
        (_, Op2::Reg(rm)) if rd == rn => {
            let opcode = match op {
                AluOp::And => 0,
                AluOp::Eor => 1,
                AluOp::Adc => 5,
                AluOp::Sbc => 6,
                AluOp::Orr => 12,
                AluOp::Bic => 14,
                AluOp::Orn | AluOp::Add | AluOp::Sub | AluOp::Rsb => return None,
            };
            Some(0x4000 | opcode << 6 | low(rm)? << 3 | rd_low)
        }
        _ => None,
    }
}

fn load(size: LoadSize, rt: Reg, addr: Addr) -> Option<u32> {
    let rt = low(rt)?;
    match addr {
        Addr::Offset(Reg::SP, offset) => {
            (size == LoadSize::Word).then_some(())?;
            Some(0x9800 | rt << 8 | scaled(offset, 4, 256)?)
        }
        Addr::Offset(rn, offset) => {
            let rn = low(rn)?;
            let (opcode, scale) = match size {
                LoadSize::Word => (0x6800, 4),
                LoadSize::Byte => (0x7800, 1),
                LoadSize::Half => (0x8800, 2),
                LoadSize::SignedByte | LoadSize::SignedHalf => return None,
            };
            Some(opcode | scaled(offset, scale, 32)? << 6 | rn << 3 | rt)
        }
        Addr::Index(rn, rm, 0) => {
            let opcode = match size {
                LoadSize::SignedByte => 0x5600,
                LoadSize::Word => 0x5800,
                LoadSize::Half => 0x5a00,
                LoadSize::Byte => 0x5c00,
                LoadSize::SignedHalf => 0x5e00,
            };
            Some(opcode | low(rm)? << 6 | low(rn)? << 3 | rt)
        }
        Addr::Literal(offset) => {
            (size == LoadSize::Word).then_some(())?;
            Some(0x4800 | rt << 8 | scaled(offset, 4, 256)?)
        }
        Addr::Index(..) | Addr::Pre(..) | Addr::Post(..) => None,
    }
}

fn store(size: StoreSize, rt: Reg, addr: Addr) -> Option<u32> {
    let rt = low(rt)?;
    match addr {
        Addr::Offset(Reg::SP, offset) => {
            (size == StoreSize::Word).then_some(())?;
            Some(0x9000 | rt << 8 | scaled(offset, 4, 256)?)
        }
        Addr::Offset(rn, offset) => {
            let rn = low(rn)?;
            let (opcode, scale) = match size {
                StoreSize::Word => (0x6000, 4),
                StoreSize::Byte => (0x7000, 1),
                StoreSize::Half => (0x8000, 2),
            };
            Some(opcode | scaled(offset, scale, 32)? << 6 | rn << 3 | rt)
        }
        Addr::Index(rn, rm, 0) => {
            let opcode = match size {
                StoreSize::Word => 0x5000,
                StoreSize::Half => 0x5200,
                StoreSize::Byte => 0x5400,
            };
            Some(opcode | low(rm)? << 6 | low(rn)? << 3 | rt)
        }
        Addr::Index(..) | Addr::Pre(..) | Addr::Post(..) | Addr::Literal(_) => None,
    }
}
