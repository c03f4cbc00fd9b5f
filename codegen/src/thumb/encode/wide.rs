//! The 32-bit encodings of integer, branch and system instructions.

use super::super::imm;
use super::super::inst::{
    AluOp, Barrier, CmpOp, ExtendOp, Inst, Mul2Op, Mul3Op, MulLongOp, Op2, ParallelOp,
    ParallelPrefix, SaturatingOp, ShiftOp, SysReg, UnaryOp,
};
use super::{Refusal, check, float, g, memory, nopc, r};

pub(super) fn encode(inst: &Inst) -> Result<u32, Refusal> {
    Ok(match *inst {
        Inst::Alu { op, s, rd, rn, op2 } => {
            // SP is allowed in ADD and SUB as base, and as result of SP plus or minus.
            let sp_base = rn == super::Reg::SP && matches!(op, AluOp::Add | AluOp::Sub);
            let rn = if sp_base { r(rn)? } else { g(rn)? };
            let rd = if sp_base && !s { nopc(rd)? } else { g(rd)? };
            data(alu_code(op), s, rn, rd, op2)?
        }
        Inst::AddWide { sub, rd, rn, imm } => {
            check(imm < 4096, "ADDW takes 12 bits")?;
            let base: u32 = if sub { 0xf2a0_0000 } else { 0xf200_0000 };
            base | nopc(rn)? << 16 | split_imm12(u32::from(imm)) | rd_or_sp(rd, rn)? << 8
        }
        Inst::Mov {
            s,
            rd,
            op2: Op2::Reg(rm),
        } => 0xea4f_0000 | u32::from(s) << 20 | g(rd)? << 8 | g(rm)?,
        Inst::Mov { s, rd, op2 } => data(2, s, 15, g(rd)?, op2)?,
        Inst::Mvn { s, rd, op2 } => data(3, s, 15, g(rd)?, op2)?,
        Inst::Movw { rd, imm } => 0xf240_0000 | mov16(u32::from(imm)) | g(rd)? << 8,
        Inst::Movt { rd, imm } => 0xf2c0_0000 | mov16(u32::from(imm)) | g(rd)? << 8,
        Inst::Shift { op, s, rd, rn, rm } => {
            0xfa00_f000
                | (op as u32) << 21
                | u32::from(s) << 20
                | g(rn)? << 16
                | g(rd)? << 8
                | g(rm)?
        }
        Inst::Compare { op, rn, op2 } => {
            let code = match op {
                CmpOp::Tst => 0,
                CmpOp::Teq => 4,
                CmpOp::Cmn => 8,
                CmpOp::Cmp => 13,
            };
            let rn = if matches!(op, CmpOp::Cmn | CmpOp::Cmp) {
                nopc(rn)?
            } else {
                g(rn)?
            };
            data(code, true, rn, 15, op2)?
        }
        Inst::Mul { s, rd, rn, rm } => {
            check(!s, "MULS has no 32-bit form")?;
            mul(0, 0, 15, g(rd)?, g(rn)?, g(rm)?)
        }
        Inst::Mul2 { op, rd, rn, rm } => {
            let (rd, rn, rm) = (g(rd)?, g(rn)?, g(rm)?);
            match op {
                Mul2Op::Sdiv => 0xfb90_f0f0 | rn << 16 | rd << 8 | rm,
                Mul2Op::Udiv => 0xfbb0_f0f0 | rn << 16 | rd << 8 | rm,
                Mul2Op::Smulbb => mul(1, 0, 15, rd, rn, rm),
                Mul2Op::Smulbt => mul(1, 1, 15, rd, rn, rm),
                Mul2Op::Smultb => mul(1, 2, 15, rd, rn, rm),
                Mul2Op::Smultt => mul(1, 3, 15, rd, rn, rm),
                Mul2Op::Smuad => mul(2, 0, 15, rd, rn, rm),
                Mul2Op::Smuadx => mul(2, 1, 15, rd, rn, rm),
                Mul2Op::Smulwb => mul(3, 0, 15, rd, rn, rm),
                Mul2Op::Smulwt => mul(3, 1, 15, rd, rn, rm),
                Mul2Op::Smusd => mul(4, 0, 15, rd, rn, rm),
                Mul2Op::Smusdx => mul(4, 1, 15, rd, rn, rm),
                Mul2Op::Smmul => mul(5, 0, 15, rd, rn, rm),
                Mul2Op::Smmulr => mul(5, 1, 15, rd, rn, rm),
                Mul2Op::Usad8 => mul(7, 0, 15, rd, rn, rm),
            }
        }
        Inst::Mul3 { op, rd, rn, rm, ra } => {
            let (op1, op2) = match op {
                Mul3Op::Mla => (0, 0),
                Mul3Op::Mls => (0, 1),
                Mul3Op::Smlabb => (1, 0),
                Mul3Op::Smlabt => (1, 1),
                Mul3Op::Smlatb => (1, 2),
                Mul3Op::Smlatt => (1, 3),
                Mul3Op::Smlad => (2, 0),
                Mul3Op::Smladx => (2, 1),
                Mul3Op::Smlawb => (3, 0),
                Mul3Op::Smlawt => (3, 1),
                Mul3Op::Smlsd => (4, 0),
                Mul3Op::Smlsdx => (4, 1),
                Mul3Op::Smmla => (5, 0),
                Mul3Op::Smmlar => (5, 1),
                Mul3Op::Smmls => (6, 0),
                Mul3Op::Smmlsr => (6, 1),
                Mul3Op::Usada8 => (7, 0),
            };
            mul(op1, op2, g(ra)?, g(rd)?, g(rn)?, g(rm)?)
        }
        Inst::MulLong { op, lo, hi, rn, rm } => {
            check(lo != hi, "the two result registers must differ")?;
            let (op1, op2) = match op {
                MulLongOp::Smull => (0, 0),
                MulLongOp::Umull => (2, 0),
                MulLongOp::Smlal => (4, 0),
                MulLongOp::Smlalbb => (4, 8),
                MulLongOp::Smlalbt => (4, 9),
                MulLongOp::Smlaltb => (4, 10),
                MulLongOp::Smlaltt => (4, 11),
                MulLongOp::Smlald => (4, 12),
                MulLongOp::Smlaldx => (4, 13),
                MulLongOp::Smlsld => (5, 12),
                MulLongOp::Smlsldx => (5, 13),
                MulLongOp::Umlal => (6, 0),
                MulLongOp::Umaal => (6, 6),
            };
            0xfb80_0000 | op1 << 20 | g(rn)? << 16 | g(lo)? << 12 | g(hi)? << 8 | op2 << 4 | g(rm)?
        }
        Inst::Extend { op, rd, rm, rot } => extend(op, 15, g(rd)?, g(rm)?, rot)?,
        Inst::ExtendAdd {
            op,
            rd,
            rn,
            rm,
            rot,
        } => extend(op, g(rn)?, g(rd)?, g(rm)?, rot)?,
        Inst::Parallel {
            prefix,
            op,
            rd,
            rn,
            rm,
        } => {
            let op = match op {
                ParallelOp::Add8 => 0,
                ParallelOp::Add16 => 1,
                ParallelOp::Asx => 2,
                ParallelOp::Sub8 => 4,
                ParallelOp::Sub16 => 5,
                ParallelOp::Sax => 6,
            };
            let prefix = match prefix {
                ParallelPrefix::S => 0,
                ParallelPrefix::Q => 1,
                ParallelPrefix::Sh => 2,
                ParallelPrefix::U => 4,
                ParallelPrefix::Uq => 5,
                ParallelPrefix::Uh => 6,
            };
            0xfa80_f000 | op << 20 | g(rn)? << 16 | g(rd)? << 8 | prefix << 4 | g(rm)?
        }
        Inst::Saturating { op, rd, rm, rn } => {
            let op = match op {
                SaturatingOp::Qadd => 8,
                SaturatingOp::Qdadd => 9,
                SaturatingOp::Qsub => 10,
                SaturatingOp::Qdsub => 11,
            };
            0xfa80_f000 | g(rn)? << 16 | g(rd)? << 8 | op << 4 | g(rm)?
        }
        Inst::Sel { rd, rn, rm } => 0xfaa0_f080 | g(rn)? << 16 | g(rd)? << 8 | g(rm)?,
        Inst::Pack {
            top,
            rd,
            rn,
            rm,
            shift,
        } => {
            let range = if top { 1..=32 } else { 0..=31 };
            check(range.contains(&shift), "the shift is out of range")?;
            let shift = u32::from(shift) & 31;
            0xeac0_0000
                | g(rn)? << 16
                | shift >> 2 << 12
                | g(rd)? << 8
                | (shift & 3) << 6
                | u32::from(top) << 5
                | g(rm)?
        }
        Inst::Sat {
            unsigned,
            rd,
            bits,
            rn,
            asr,
            shift,
        } => {
            let range = if unsigned { 0..=31 } else { 1..=32 };
            check(range.contains(&bits), "the bit count is out of range")?;
            check(
                shift < 32 && !(asr && shift == 0),
                "the shift is out of range",
            )?;
            let bits = u32::from(bits) - u32::from(!unsigned);
            let shift = u32::from(shift);
            let base: u32 = if unsigned { 0xf380_0000 } else { 0xf300_0000 };
            base | u32::from(asr) << 21
                | g(rn)? << 16
                | shift >> 2 << 12
                | g(rd)? << 8
                | (shift & 3) << 6
                | bits
        }
        Inst::Sat16 {
            unsigned,
            rd,
            bits,
            rn,
        } => {
            let range = if unsigned { 0..=15 } else { 1..=16 };
            check(range.contains(&bits), "the bit count is out of range")?;
            let bits = u32::from(bits) - u32::from(!unsigned);
            let base: u32 = if unsigned { 0xf3a0_0000 } else { 0xf320_0000 };
            base | g(rn)? << 16 | g(rd)? << 8 | bits
        }
        Inst::Unary { op, rd, rm } => {
            let (rd, rm) = (g(rd)?, g(rm)?);
            let base: u32 = match op {
                UnaryOp::Rev => 0xfa90_f080,
                UnaryOp::Rev16 => 0xfa90_f090,
                UnaryOp::Rbit => 0xfa90_f0a0,
                UnaryOp::Revsh => 0xfa90_f0b0,
                UnaryOp::Clz => 0xfab0_f080,
            };
            base | rm << 16 | rd << 8 | rm
        }
        Inst::Bfi { rd, rn, lsb, width } => {
            0xf360_0000 | g(rn)? << 16 | g(rd)? << 8 | insert(lsb, width)?
        }
        Inst::Bfc { rd, lsb, width } => 0xf36f_0000 | g(rd)? << 8 | insert(lsb, width)?,
        Inst::Bfx {
            signed,
            rd,
            rn,
            lsb,
            width,
        } => {
            let base: u32 = if signed { 0xf340_0000 } else { 0xf3c0_0000 };
            let (lsb, width) = field(lsb, width)?;
            base | g(rn)? << 16 | lsb >> 2 << 12 | g(rd)? << 8 | (lsb & 3) << 6 | (width - 1)
        }
        Inst::TableBranch { half, rn, rm } => {
            0xe8d0_f000 | r(rn)? << 16 | u32::from(half) << 4 | g(rm)?
        }
        Inst::B { offset, .. } => jump(offset)? | 0xf000_9000,
        Inst::Bl { offset } => jump(offset)? | 0xf000_d000,
        Inst::BCond { cond, offset, .. } => {
            check(
                (-0x10_0000..0x10_0000).contains(&offset) && offset & 1 == 0,
                "the target is out of range",
            )?;
            let o = offset as u32;
            0xf000_8000
                | (o >> 20 & 1) << 26
                | cond.bits() << 22
                | (o >> 12 & 0x3f) << 16
                | (o >> 18 & 1) << 13
                | (o >> 19 & 1) << 11
                | (o >> 1 & 0x7ff)
        }
        Inst::Adr { rd, offset, .. } => {
            check(
                (-4095..=4095).contains(&offset),
                "the target is out of range",
            )?;
            let base: u32 = if offset < 0 { 0xf2af_0000 } else { 0xf20f_0000 };
            base | split_imm12(offset.unsigned_abs()) | g(rd)? << 8
        }
        Inst::Mrs { rd, sys } => 0xf3ef_8000 | g(rd)? << 8 | sysm(sys),
        Inst::Msr { sys, rn } => {
            check(
                !matches!(sys, SysReg::Ipsr | SysReg::Epsr),
                "the register is read-only",
            )?;
            0xf380_8800 | g(rn)? << 16 | sysm(sys)
        }
        Inst::Barrier(barrier) => {
            0xf3bf_8f0f
                | match barrier {
                    Barrier::Dsb => 0x40,
                    Barrier::Dmb => 0x50,
                    Barrier::Isb => 0x60,
                }
        }
        Inst::Cbz { .. } => return Err("CBZ reaches only 0 to 126 bytes ahead, from r0 to r7"),
        Inst::Blx { .. } | Inst::Bx { .. } => return Err("PC is not allowed here"),
        Inst::Cps { .. } => return Err("CPS must name PRIMASK or FAULTMASK"),
        Inst::It { .. } | Inst::Hint(_) | Inst::Bkpt(_) | Inst::Udf(_) | Inst::Svc(_) => {
            return Err("only a 16-bit form exists");
        }
        Inst::Load { .. }
        | Inst::Store { .. }
        | Inst::LoadPair { .. }
        | Inst::StorePair { .. }
        | Inst::LoadMany { .. }
        | Inst::StoreMany { .. }
        | Inst::Push { .. }
        | Inst::Pop { .. } => memory::encode(inst)?,
        Inst::VAlu { .. }
        | Inst::VUnary { .. }
        | Inst::VMovImm { .. }
        | Inst::VCmp { .. }
        | Inst::VCmpZero { .. }
        | Inst::VCvt { .. }
        | Inst::VCvtFixed { .. }
        | Inst::VMovToCore { .. }
        | Inst::VMovFromCore { .. }
        | Inst::VMovToCore2 { .. }
        | Inst::VMovFromCore2 { .. }
        | Inst::Vmrs { .. }
        | Inst::Vmsr { .. }
        | Inst::VLoad { .. }
        | Inst::VStore { .. }
        | Inst::VLoadMany { .. }
        | Inst::VStoreMany { .. }
        | Inst::VPush { .. }
        | Inst::VPop { .. } => float::encode(inst)?,
    })
}

fn rd_or_sp(rd: super::Reg, rn: super::Reg) -> Result<u32, Refusal> {
    if rn == super::Reg::SP {
        nopc(rd)
    } else {
        g(rd)
    }
}

fn alu_code(op: AluOp) -> u32 {
    match op {
        AluOp::And => 0,
        AluOp::Bic => 1,
        AluOp::Orr => 2,
        AluOp::Orn => 3,
        AluOp::Eor => 4,
        AluOp::Add => 8,
        AluOp::Adc => 10,
        AluOp::Sbc => 11,
        AluOp::Sub => 13,
        AluOp::Rsb => 14,
    }
}

/// Data processing with a modified immediate or a shifted register.
fn data(code: u32, s: bool, rn: u32, rd: u32, op2: Op2) -> Result<u32, Refusal> {
    let common = code << 21 | u32::from(s) << 20 | rn << 16 | rd << 8;
    match op2 {
        Op2::Imm(value) => {
            let imm12 = imm::modified(value).ok_or("the constant is no modified immediate")?;
            Ok(0xf000_0000 | common | split_imm12(imm12))
        }
        Op2::Reg(rm) => Ok(0xea00_0000 | common | g(rm)?),
        Op2::Shifted(rm, op, amount) => {
            let range = match op {
                ShiftOp::Lsl | ShiftOp::Ror => 1..=31,
                ShiftOp::Lsr | ShiftOp::Asr => 1..=32,
            };
            check(range.contains(&amount), "the shift is out of range")?;
            let amount = u32::from(amount) & 31;
            Ok(0xea00_0000
                | common
                | amount >> 2 << 12
                | (amount & 3) << 6
                | (op as u32) << 4
                | g(rm)?)
        }
    }
}

fn split_imm12(imm: u32) -> u32 {
    (imm >> 11 & 1) << 26 | (imm >> 8 & 7) << 12 | (imm & 0xff)
}

fn mov16(imm: u32) -> u32 {
    imm >> 12 << 16 | split_imm12(imm & 0xfff)
}

fn mul(op1: u32, op2: u32, ra: u32, rd: u32, rn: u32, rm: u32) -> u32 {
    0xfb00_0000 | op1 << 20 | rn << 16 | ra << 12 | rd << 8 | op2 << 4 | rm
}

fn extend(op: ExtendOp, rn: u32, rd: u32, rm: u32, rot: u8) -> Result<u32, Refusal> {
    check(rot < 4, "the rotation is out of range")?;
    let op = match op {
        ExtendOp::Sxth => 0,
        ExtendOp::Uxth => 1,
        ExtendOp::Sxtb16 => 2,
        ExtendOp::Uxtb16 => 3,
        ExtendOp::Sxtb => 4,
        ExtendOp::Uxtb => 5,
    };
    Ok(0xfa00_f080 | op << 20 | rn << 16 | rd << 8 | u32::from(rot) << 4 | rm)
}

fn field(lsb: u8, width: u8) -> Result<(u32, u32), Refusal> {
    check(
        width >= 1 && lsb < 32 && lsb + width <= 32,
        "the bit field is out of range",
    )?;
    Ok((u32::from(lsb), u32::from(width)))
}

fn insert(lsb: u8, width: u8) -> Result<u32, Refusal> {
    let (lsb, width) = field(lsb, width)?;
    Ok(lsb >> 2 << 12 | (lsb & 3) << 6 | (lsb + width - 1))
}

/// The fields that B.W and BL share.
fn jump(offset: i32) -> Result<u32, Refusal> {
    check(
        (-0x100_0000..0x100_0000).contains(&offset) && offset & 1 == 0,
        "the target is out of range",
    )?;
    let o = offset as u32;
    let s = o >> 24 & 1;
    let j1 = (o >> 23 & 1) ^ s ^ 1;
    let j2 = (o >> 22 & 1) ^ s ^ 1;
    Ok(s << 26 | (o >> 12 & 0x3ff) << 16 | j1 << 13 | j2 << 11 | (o >> 1 & 0x7ff))
}

fn sysm(sys: SysReg) -> u32 {
    match sys {
        SysReg::Apsr => 0,
        SysReg::Xpsr => 3,
        SysReg::Ipsr => 5,
        SysReg::Epsr => 6,
        SysReg::Msp => 8,
        SysReg::Psp => 9,
        SysReg::Primask => 16,
        SysReg::Basepri => 17,
        SysReg::Faultmask => 19,
        SysReg::Control => 20,
    }
}
