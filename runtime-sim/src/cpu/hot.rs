//! The frequent instructions, one variant each, for the inner loop.
//!
//! [`Op`] is regular: its function and addressing mode are fields, which costs the
//! interpreter a second dispatch. [`Hot`] spells out the forms that kernels consist of;
//! everything else is [`Hot::Cold`] and goes through the complete
//! [`Core::execute`](super::core::Core). Both must do the same, which
//! the tests check by running every program in both ways.

use super::core::Core;
use super::exec::branch_target;
use super::fault::Trap;
use super::memory::{Memory, Mmio};
use super::op::{Cond, Dp, Extract, Index, LoadKind, Mul, Op, Reg, SReg, Shift};
use super::op::{StoreKind, V2, V3};

/// An instruction in the form that the inner loop dispatches on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hot {
    Cold(Op),
    MovImm {
        rd: Reg,
        imm: u32,
    },
    AddImm {
        rd: Reg,
        rn: Reg,
        imm: u32,
    },
    AddsImm {
        rd: Reg,
        rn: Reg,
        imm: u32,
    },
    SubsImm {
        rd: Reg,
        rn: Reg,
        imm: u32,
    },
    CmpImm {
        rn: Reg,
        imm: u32,
    },
    AndImm {
        rd: Reg,
        rn: Reg,
        imm: u32,
    },
    MovReg {
        rd: Reg,
        rm: Reg,
    },
    AddReg {
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    AddsReg {
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    SubReg {
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    CmpReg {
        rn: Reg,
        rm: Reg,
    },
    AddLsl {
        rd: Reg,
        rn: Reg,
        rm: Reg,
        amount: u8,
    },
    OrrReg {
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    EorReg {
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    AndReg {
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    Lsl {
        rd: Reg,
        rm: Reg,
        amount: u8,
    },
    Lsr {
        rd: Reg,
        rm: Reg,
        amount: u8,
    },
    Asr {
        rd: Reg,
        rm: Reg,
        amount: u8,
    },
    Ubfx {
        rd: Reg,
        rn: Reg,
        lsb: u8,
        mask: u32,
    },
    Sxtab16 {
        rd: Reg,
        rn: Reg,
        rm: Reg,
        rot: u8,
    },
    Sxtab {
        rd: Reg,
        rn: Reg,
        rm: Reg,
        rot: u8,
    },
    Uxtab {
        rd: Reg,
        rn: Reg,
        rm: Reg,
        rot: u8,
    },
    Sxtah {
        rd: Reg,
        rn: Reg,
        rm: Reg,
        rot: u8,
    },
    Sxth {
        rd: Reg,
        rm: Reg,
        rot: u8,
    },
    Uxth {
        rd: Reg,
        rm: Reg,
        rot: u8,
    },
    Mul {
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    Mla {
        rd: Reg,
        rn: Reg,
        rm: Reg,
        ra: Reg,
    },
    LdrW {
        rt: Reg,
        rn: Reg,
        offset: i32,
    },
    LdrH {
        rt: Reg,
        rn: Reg,
        offset: i32,
    },
    LdrB {
        rt: Reg,
        rn: Reg,
        offset: i32,
    },
    LdrSh {
        rt: Reg,
        rn: Reg,
        offset: i32,
    },
    LdrWPost {
        rt: Reg,
        rn: Reg,
        offset: i32,
    },
    StrW {
        rt: Reg,
        rn: Reg,
        offset: i32,
    },
    StrH {
        rt: Reg,
        rn: Reg,
        offset: i32,
    },
    StrB {
        rt: Reg,
        rn: Reg,
        offset: i32,
    },
    StrWPost {
        rt: Reg,
        rn: Reg,
        offset: i32,
    },
    B {
        offset: i32,
    },
    Beq {
        offset: i32,
    },
    Bne {
        offset: i32,
    },
    BCond {
        cond: Cond,
        offset: i32,
    },
    Cbz {
        nonzero: bool,
        rn: Reg,
        offset: u8,
    },
    It {
        state: u8,
    },
    VAdd {
        d: SReg,
        n: SReg,
        m: SReg,
    },
    VSub {
        d: SReg,
        n: SReg,
        m: SReg,
    },
    VMul {
        d: SReg,
        n: SReg,
        m: SReg,
    },
    VMov {
        d: SReg,
        m: SReg,
    },
    VFromS32 {
        d: SReg,
        m: SReg,
    },
    VCmp {
        e: bool,
        d: SReg,
        m: SReg,
    },
    VFlags,
    VMovToCore {
        rt: Reg,
        n: SReg,
    },
    VMovFromCore {
        rt: Reg,
        n: SReg,
    },
}

impl Hot {
    /// The hot form of `op`, if it has one. Instructions that may write SP or PC stay
    /// cold, so hot forms write registers without looking.
    pub(super) fn new(op: Op) -> Hot {
        Hot::find(&op).unwrap_or(Hot::Cold(op))
    }

    fn find(op: &Op) -> Option<Hot> {
        Some(match *op {
            Op::DpImm {
                f, s, rd, rn, imm, ..
            } => return dp_imm(f, s, rd, rn, imm),
            Op::DpReg {
                f,
                s,
                rd,
                rn,
                rm,
                shift,
                amount,
            } => return dp_reg(f, s, (rd, rn, rm), shift, amount),
            Op::Bfx {
                signed: false,
                rd,
                rn,
                lsb,
                width,
            } => Hot::Ubfx {
                rd,
                rn,
                lsb,
                mask: u32::MAX >> (32 - u32::from(width)),
            },
            Op::Extend { x, rd, rn, rm, rot } => match (x, rn) {
                (Extract::Sh, 15) => Hot::Sxth { rd, rm, rot },
                (Extract::Uh, 15) => Hot::Uxth { rd, rm, rot },
                (_, 15) => return None,
                (Extract::Sb16, _) => Hot::Sxtab16 { rd, rn, rm, rot },
                (Extract::Sb, _) => Hot::Sxtab { rd, rn, rm, rot },
                (Extract::Ub, _) => Hot::Uxtab { rd, rn, rm, rot },
                (Extract::Sh, _) => Hot::Sxtah { rd, rn, rm, rot },
                (Extract::Uh | Extract::Ub16, _) => return None,
            },
            Op::Mul {
                f: Mul::Mul,
                s: false,
                rd,
                rn,
                rm,
                ..
            } => Hot::Mul { rd, rn, rm },
            Op::Mul {
                f: Mul::Mla,
                rd,
                rn,
                rm,
                ra,
                ..
            } => Hot::Mla { rd, rn, rm, ra },
            Op::Load { rt: 13 | 15, .. } => return None,
            Op::Load {
                kind,
                index: Index::Offset,
                rt,
                rn,
                offset,
            } => match kind {
                LoadKind::W => Hot::LdrW { rt, rn, offset },
                LoadKind::H => Hot::LdrH { rt, rn, offset },
                LoadKind::B => Hot::LdrB { rt, rn, offset },
                LoadKind::Sh => Hot::LdrSh { rt, rn, offset },
                LoadKind::Sb => return None,
            },
            Op::Load {
                kind: LoadKind::W,
                index: Index::Post,
                rt,
                rn,
                offset,
            } if rn != 13 => Hot::LdrWPost { rt, rn, offset },
            Op::Store {
                kind,
                index: Index::Offset,
                rt,
                rn,
                offset,
            } => match kind {
                StoreKind::W => Hot::StrW { rt, rn, offset },
                StoreKind::H => Hot::StrH { rt, rn, offset },
                StoreKind::B => Hot::StrB { rt, rn, offset },
            },
            Op::Store {
                kind: StoreKind::W,
                index: Index::Post,
                rt,
                rn,
                offset,
            } if rn != 13 => Hot::StrWPost { rt, rn, offset },
            Op::B { offset } => Hot::B { offset },
            Op::BCond { cond, offset } => match cond.0 {
                0 => Hot::Beq { offset },
                1 => Hot::Bne { offset },
                _ => Hot::BCond { cond, offset },
            },
            Op::Cbz {
                nonzero,
                rn,
                offset,
            } => Hot::Cbz {
                nonzero,
                rn,
                offset,
            },
            Op::It { state } => Hot::It { state },
            Op::V3 { f, d, n, m } => match f {
                V3::Add => Hot::VAdd { d, n, m },
                V3::Sub => Hot::VSub { d, n, m },
                V3::Mul => Hot::VMul { d, n, m },
                _ => return None,
            },
            Op::V2 { f: V2::Mov, d, m } => Hot::VMov { d, m },
            Op::V2 {
                f: V2::FromS32,
                d,
                m,
            } => Hot::VFromS32 { d, m },
            Op::VCmp { e, d, m } => Hot::VCmp { e, d, m },
            Op::VMrs { rt: 15 } => Hot::VFlags,
            Op::VMovToCore { rt, n } => Hot::VMovToCore { rt, n },
            Op::VMovFromCore { rt, n } => Hot::VMovFromCore { rt, n },
            _ => return None,
        })
    }
}

fn dp_imm(f: Dp, s: bool, rd: Reg, rn: Reg, imm: u32) -> Option<Hot> {
    Some(match (f, s) {
        (Dp::Cmp, _) => Hot::CmpImm { rn, imm },
        _ if rd == 13 => return None,
        (Dp::Mov, false) => Hot::MovImm { rd, imm },
        (Dp::Add, false) => Hot::AddImm { rd, rn, imm },
        (Dp::Add, true) => Hot::AddsImm { rd, rn, imm },
        (Dp::Sub, false) => Hot::AddImm {
            rd,
            rn,
            imm: imm.wrapping_neg(),
        },
        (Dp::Sub, true) => Hot::SubsImm { rd, rn, imm },
        (Dp::And, false) => Hot::AndImm { rd, rn, imm },
        (Dp::Bic, false) => Hot::AndImm { rd, rn, imm: !imm },
        _ => return None,
    })
}

fn dp_reg(f: Dp, s: bool, (rd, rn, rm): (Reg, Reg, Reg), shift: Shift, amount: u8) -> Option<Hot> {
    let plain = shift == Shift::Lsl && amount == 0;
    Some(match (f, s, plain) {
        (Dp::Cmp, _, true) => Hot::CmpReg { rn, rm },
        _ if rd == 13 => return None,
        (Dp::Mov, false, true) => Hot::MovReg { rd, rm },
        (Dp::Add, false, true) => Hot::AddReg { rd, rn, rm },
        (Dp::Add, true, true) => Hot::AddsReg { rd, rn, rm },
        (Dp::Sub, false, true) => Hot::SubReg { rd, rn, rm },
        (Dp::Orr, false, true) => Hot::OrrReg { rd, rn, rm },
        (Dp::Eor, false, true) => Hot::EorReg { rd, rn, rm },
        (Dp::And, false, true) => Hot::AndReg { rd, rn, rm },
        (Dp::Add, false, false) if shift == Shift::Lsl => Hot::AddLsl { rd, rn, rm, amount },
        (Dp::Mov, false, false) if amount < 32 => match shift {
            Shift::Lsl => Hot::Lsl { rd, rm, amount },
            Shift::Lsr => Hot::Lsr { rd, rm, amount },
            Shift::Asr => Hot::Asr { rd, rm, amount },
            Shift::Ror | Shift::Rrx => return None,
        },
        _ => return None,
    })
}

impl Core {
    /// Executes a hot form; `here` is its address, `pc` already the next one.
    #[inline(always)]
    pub(super) fn execute_hot<M: Mmio + ?Sized>(
        &mut self,
        hot: &Hot,
        here: u32,
        pc: &mut u32,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result<(), Trap> {
        match *hot {
            // Dispatched by the loop itself.
            Hot::Cold(_) => {}
            Hot::MovImm { rd, imm } => {
                self.set(rd, imm);
            }
            Hot::AddImm { rd, rn, imm } => {
                self.set(rd, self.get(rn).wrapping_add(imm));
            }
            Hot::AddsImm { rd, rn, imm } => {
                let sum = self.flags.add(self.get(rn), imm);
                self.set(rd, sum);
            }
            Hot::SubsImm { rd, rn, imm } => {
                let difference = self.flags.sub(self.get(rn), imm);
                self.set(rd, difference);
            }
            Hot::CmpImm { rn, imm } => {
                self.flags.sub(self.get(rn), imm);
            }
            Hot::AndImm { rd, rn, imm } => {
                self.set(rd, self.get(rn) & imm);
            }
            Hot::MovReg { rd, rm } => {
                self.set(rd, self.get(rm));
            }
            Hot::AddReg { rd, rn, rm } => {
                self.set(rd, self.get(rn).wrapping_add(self.get(rm)));
            }
            Hot::AddsReg { rd, rn, rm } => {
                let sum = self.flags.add(self.get(rn), self.get(rm));
                self.set(rd, sum);
            }
            Hot::SubReg { rd, rn, rm } => {
                self.set(rd, self.get(rn).wrapping_sub(self.get(rm)));
            }
            Hot::CmpReg { rn, rm } => {
                self.flags.sub(self.get(rn), self.get(rm));
            }
            Hot::AddLsl { rd, rn, rm, amount } => {
                let shifted = self.get(rm) << (amount & 31);
                self.set(rd, self.get(rn).wrapping_add(shifted));
            }
            Hot::OrrReg { rd, rn, rm } => {
                self.set(rd, self.get(rn) | self.get(rm));
            }
            Hot::EorReg { rd, rn, rm } => {
                self.set(rd, self.get(rn) ^ self.get(rm));
            }
            Hot::AndReg { rd, rn, rm } => {
                self.set(rd, self.get(rn) & self.get(rm));
            }
            Hot::Lsl { rd, rm, amount } => {
                self.set(rd, self.get(rm) << (amount & 31));
            }
            Hot::Lsr { rd, rm, amount } => {
                self.set(rd, self.get(rm) >> (amount & 31));
            }
            Hot::Asr { rd, rm, amount } => {
                self.set(rd, (self.get(rm) as i32 >> (amount & 31)) as u32);
            }
            Hot::Ubfx { rd, rn, lsb, mask } => {
                self.set(rd, self.get(rn) >> (lsb & 31) & mask);
            }
            Hot::Sxtab16 { rd, rn, rm, rot } => {
                let base = self.get(rn);
                let w = self.get(rm).rotate_right(rot.into());
                let low = base.wrapping_add(w as i8 as u32) & 0xffff;
                let high = (base >> 16).wrapping_add((w >> 16) as i8 as u32) << 16;
                self.set(rd, high | low);
            }
            Hot::Sxtab { rd, rn, rm, rot } => {
                let w = self.get(rm).rotate_right(rot.into());
                self.set(rd, self.get(rn).wrapping_add(w as i8 as u32));
            }
            Hot::Uxtab { rd, rn, rm, rot } => {
                let w = self.get(rm).rotate_right(rot.into());
                self.set(rd, self.get(rn).wrapping_add(w & 0xff));
            }
            Hot::Sxtah { rd, rn, rm, rot } => {
                let w = self.get(rm).rotate_right(rot.into());
                self.set(rd, self.get(rn).wrapping_add(w as i16 as u32));
            }
            Hot::Sxth { rd, rm, rot } => {
                self.set(rd, self.get(rm).rotate_right(rot.into()) as i16 as u32);
            }
            Hot::Uxth { rd, rm, rot } => {
                self.set(rd, self.get(rm).rotate_right(rot.into()) & 0xffff);
            }
            Hot::Mul { rd, rn, rm } => {
                self.set(rd, self.get(rn).wrapping_mul(self.get(rm)));
            }
            Hot::Mla { rd, rn, rm, ra } => {
                let product = self.get(rn).wrapping_mul(self.get(rm));
                self.set(rd, self.get(ra).wrapping_add(product));
            }
            Hot::LdrW { rt, rn, offset } => {
                let at = self.get(rn).wrapping_add_signed(offset);
                let value = self.load(LoadKind::W, at, memory, mmio)?;
                self.set(rt, value);
            }
            Hot::LdrH { rt, rn, offset } => {
                let at = self.get(rn).wrapping_add_signed(offset);
                let value = self.load(LoadKind::H, at, memory, mmio)?;
                self.set(rt, value);
            }
            Hot::LdrB { rt, rn, offset } => {
                let at = self.get(rn).wrapping_add_signed(offset);
                let value = self.load(LoadKind::B, at, memory, mmio)?;
                self.set(rt, value);
            }
            Hot::LdrSh { rt, rn, offset } => {
                let at = self.get(rn).wrapping_add_signed(offset);
                let value = self.load(LoadKind::Sh, at, memory, mmio)?;
                self.set(rt, value);
            }
            Hot::LdrWPost { rt, rn, offset } => {
                let at = self.get(rn);
                let value = self.load(LoadKind::W, at, memory, mmio)?;
                self.set(rn, at.wrapping_add_signed(offset));
                self.set(rt, value);
            }
            Hot::StrW { rt, rn, offset } => {
                let at = self.get(rn).wrapping_add_signed(offset);
                let value = self.get(rt);
                self.store(StoreKind::W, at, value, memory, mmio)?;
            }
            Hot::StrH { rt, rn, offset } => {
                let at = self.get(rn).wrapping_add_signed(offset);
                let value = self.get(rt);
                self.store(StoreKind::H, at, value, memory, mmio)?;
            }
            Hot::StrB { rt, rn, offset } => {
                let at = self.get(rn).wrapping_add_signed(offset);
                let value = self.get(rt);
                self.store(StoreKind::B, at, value, memory, mmio)?;
            }
            Hot::StrWPost { rt, rn, offset } => {
                let (at, value) = (self.get(rn), self.get(rt));
                self.store(StoreKind::W, at, value, memory, mmio)?;
                self.set(rn, at.wrapping_add_signed(offset));
            }
            Hot::B { offset } => {
                *pc = branch_target(here, offset);
            }
            Hot::Beq { offset } => {
                if self.flags.z {
                    *pc = branch_target(here, offset);
                    self.cycle += u64::from(self.costs.refill);
                }
            }
            Hot::Bne { offset } => {
                if !self.flags.z {
                    *pc = branch_target(here, offset);
                    self.cycle += u64::from(self.costs.refill);
                }
            }
            Hot::BCond { cond, offset } => {
                if self.flags.holds(cond) {
                    *pc = branch_target(here, offset);
                    self.cycle += u64::from(self.costs.refill);
                }
            }
            Hot::Cbz {
                nonzero,
                rn,
                offset,
            } => {
                if (self.get(rn) != 0) == nonzero {
                    *pc = branch_target(here, offset.into());
                    self.cycle += u64::from(self.costs.refill);
                }
            }
            Hot::It { state } => {
                self.it = state;
            }
            Hot::VAdd { d, n, m } => {
                self.use_fpu(memory, mmio)?;
                let sum = self.fpu.add(self.get_s(n), self.get_s(m));
                self.set_s(d, sum);
            }
            Hot::VSub { d, n, m } => {
                self.use_fpu(memory, mmio)?;
                let difference = self.fpu.sub(self.get_s(n), self.get_s(m));
                self.set_s(d, difference);
            }
            Hot::VMul { d, n, m } => {
                self.use_fpu(memory, mmio)?;
                let product = self.fpu.mul(self.get_s(n), self.get_s(m));
                self.set_s(d, product);
            }
            Hot::VMov { d, m } => {
                self.use_fpu(memory, mmio)?;
                self.set_s(d, self.get_s(m));
            }
            Hot::VFromS32 { d, m } => {
                self.use_fpu(memory, mmio)?;
                let value = self.fpu.signed_to_single(self.get_s(m));
                self.set_s(d, value);
            }
            Hot::VCmp { e, d, m } => {
                self.use_fpu(memory, mmio)?;
                self.fpu.compare(self.get_s(d), self.get_s(m), e);
            }
            Hot::VFlags => {
                self.use_fpu(memory, mmio)?;
                self.flags.set_nzcv(self.fpu.fpscr);
            }
            Hot::VMovToCore { rt, n } => {
                self.use_fpu(memory, mmio)?;
                self.set(rt, self.get_s(n));
            }
            Hot::VMovFromCore { rt, n } => {
                self.use_fpu(memory, mmio)?;
                self.set_s(n, self.get(rt));
            }
        }
        Ok(())
    }
}
