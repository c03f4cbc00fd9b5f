//! The single-precision floating-point encodings.

use super::super::inst::{Inst, VAluOp, VCvtOp, VUnaryOp};
use super::super::reg::{Reg, SReg};
use super::{Refusal, check, g, nopc, r, sr};

/// Destination field: four bits, then bit 22 for the lowest.
fn d(reg: SReg) -> Result<u32, Refusal> {
    let n = sr(reg)?;
    Ok(n >> 1 << 12 | (n & 1) << 22)
}

fn n(reg: SReg) -> Result<u32, Refusal> {
    let n = sr(reg)?;
    Ok(n >> 1 << 16 | (n & 1) << 7)
}

fn m(reg: SReg) -> Result<u32, Refusal> {
    let n = sr(reg)?;
    Ok(n >> 1 | (n & 1) << 5)
}

pub(super) fn encode(inst: &Inst) -> Result<u32, Refusal> {
    Ok(match *inst {
        Inst::VAlu { op, sd, sn, sm } => {
            let base: u32 = match op {
                VAluOp::Mla => 0xee00_0a00,
                VAluOp::Mls => 0xee00_0a40,
                VAluOp::Nmls => 0xee10_0a00,
                VAluOp::Nmla => 0xee10_0a40,
                VAluOp::Mul => 0xee20_0a00,
                VAluOp::Nmul => 0xee20_0a40,
                VAluOp::Add => 0xee30_0a00,
                VAluOp::Sub => 0xee30_0a40,
                VAluOp::Div => 0xee80_0a00,
                VAluOp::Fnms => 0xee90_0a00,
                VAluOp::Fnma => 0xee90_0a40,
                VAluOp::Fma => 0xeea0_0a00,
                VAluOp::Fms => 0xeea0_0a40,
            };
            base | d(sd)? | n(sn)? | m(sm)?
        }
        Inst::VUnary { op, sd, sm } => {
            let base: u32 = match op {
                VUnaryOp::Mov => 0xeeb0_0a40,
                VUnaryOp::Abs => 0xeeb0_0ac0,
                VUnaryOp::Neg => 0xeeb1_0a40,
                VUnaryOp::Sqrt => 0xeeb1_0ac0,
            };
            base | d(sd)? | m(sm)?
        }
        Inst::VMovImm { sd, imm8 } => {
            let imm = u32::from(imm8);
            0xeeb0_0a00 | d(sd)? | imm >> 4 << 16 | (imm & 15)
        }
        Inst::VCmp { e, sd, sm } => 0xeeb4_0a40 | u32::from(e) << 7 | d(sd)? | m(sm)?,
        Inst::VCmpZero { e, sd } => 0xeeb5_0a40 | u32::from(e) << 7 | d(sd)?,
        Inst::VCvt { op, sd, sm } => {
            let base: u32 = match op {
                VCvtOp::F32F16Bottom => 0xeeb2_0a40,
                VCvtOp::F32F16Top => 0xeeb2_0ac0,
                VCvtOp::F16F32Bottom => 0xeeb3_0a40,
                VCvtOp::F16F32Top => 0xeeb3_0ac0,
                VCvtOp::F32U32 => 0xeeb8_0a40,
                VCvtOp::F32S32 => 0xeeb8_0ac0,
                VCvtOp::U32F32R => 0xeebc_0a40,
                VCvtOp::U32F32 => 0xeebc_0ac0,
                VCvtOp::S32F32R => 0xeebd_0a40,
                VCvtOp::S32F32 => 0xeebd_0ac0,
            };
            base | d(sd)? | m(sm)?
        }
        Inst::VCvtFixed {
            to_fixed,
            unsigned,
            half,
            sd,
            fbits,
        } => {
            let size: u32 = if half { 16 } else { 32 };
            let fbits = u32::from(fbits);
            check(
                fbits <= size && (half || fbits > 0),
                "too many fraction bits",
            )?;
            let imm5 = size - fbits;
            0xeeba_0a40
                | u32::from(to_fixed) << 18
                | u32::from(unsigned) << 16
                | u32::from(!half) << 7
                | (imm5 & 1) << 5
                | imm5 >> 1
                | d(sd)?
        }
        Inst::VMovToCore { rt, sn } => 0xee10_0a10 | n(sn)? | g(rt)? << 12,
        Inst::VMovFromCore { sn, rt } => 0xee00_0a10 | n(sn)? | g(rt)? << 12,
        Inst::VMovToCore2 { rt, rt2, sm } => {
            check(rt != rt2, "the two registers must differ")?;
            check(sr(sm)? < 31, "there is no register after s31")?;
            0xec50_0a10 | m(sm)? | g(rt2)? << 16 | g(rt)? << 12
        }
        Inst::VMovFromCore2 { sm, rt, rt2 } => {
            check(sr(sm)? < 31, "there is no register after s31")?;
            0xec40_0a10 | m(sm)? | g(rt2)? << 16 | g(rt)? << 12
        }
        Inst::Vmrs { rt } => {
            check(rt != Reg::SP, "SP is not allowed here")?;
            0xeef1_0a10 | r(rt)? << 12
        }
        Inst::Vmsr { rt } => 0xeee1_0a10 | g(rt)? << 12,
        Inst::VLoad { sd, rn, offset } => {
            0xed10_0a00 | d(sd)? | r(rn)? << 16 | word_offset(offset)?
        }
        Inst::VStore { sd, rn, offset } => {
            0xed00_0a00 | d(sd)? | nopc(rn)? << 16 | word_offset(offset)?
        }
        Inst::VLoadMany {
            rn,
            wback,
            before,
            first,
            count,
        } => 0xec10_0a00 | many(rn, wback, before, first, count)?,
        Inst::VStoreMany {
            rn,
            wback,
            before,
            first,
            count,
        } => 0xec00_0a00 | many(rn, wback, before, first, count)?,
        Inst::VPush { first, count } => 0xec00_0a00 | many(Reg::SP, true, true, first, count)?,
        Inst::VPop { first, count } => 0xec10_0a00 | many(Reg::SP, true, false, first, count)?,
        _ => return Err("not a floating-point instruction"),
    })
}

fn word_offset(offset: i32) -> Result<u32, Refusal> {
    check(
        (-1020..=1020).contains(&offset) && offset % 4 == 0,
        "the offset is out of range",
    )?;
    Ok(u32::from(offset >= 0) << 23 | offset.unsigned_abs() >> 2)
}

fn many(rn: Reg, wback: bool, before: bool, first: SReg, count: u8) -> Result<u32, Refusal> {
    check(
        count >= 1 && sr(first)? + u32::from(count) <= 32,
        "the list leaves s0 to s31",
    )?;
    check(wback || !before, "descending order writes back")?;
    let mode: u32 = if before { 1 << 24 } else { 1 << 23 };
    Ok(mode | u32::from(wback) << 21 | nopc(rn)? << 16 | d(first)? | u32::from(count))
}
