//! The frequent instructions, one variant each, for blocks.
//!
//! [`Op`] is regular: its function and addressing mode are fields, which costs the
//! interpreter a second dispatch. [`Hot`] spells out the forms that kernels consist of.
//! They have no effect but on registers, flags and local SRAM, and none writes SP
//! except as a pointer that stays.

use super::op::{Cond, Dp, Extract, ImmCarry, Index, LoadKind, Misc, Mul, Op, Reg, SReg, Shift};
use super::op::{StoreKind, V2, V3};

/// An instruction in the form in which a block executes it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hot {
    /// Anything else that reaches only registers and flags.
    Pure(Op),
    /// Any other access that stays in a block if it is aligned and in SRAM.
    Access(Op),
    Bl {
        offset: i32,
    },
    Bx {
        rm: Reg,
    },
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
    SubsReg {
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    AndsReg {
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    OrrsReg {
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    EorsReg {
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    /// C stays.
    MovsImm {
        rd: Reg,
        imm: u32,
    },
    /// Shifts by 1 to 31, with flags.
    Lsls {
        rd: Reg,
        rm: Reg,
        amount: u8,
    },
    Lsrs {
        rd: Reg,
        rm: Reg,
        amount: u8,
    },
    Asrs {
        rd: Reg,
        rm: Reg,
        amount: u8,
    },
    /// Two operands of which one is shifted by 1 to 31, without flags.
    Shifted {
        f: Dp,
        rd: Reg,
        rn: Reg,
        rm: Reg,
        shift: Shift,
        amount: u8,
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
    LoadMany {
        down: bool,
        writeback: bool,
        rn: Reg,
        list: u16,
    },
    StoreMany {
        down: bool,
        writeback: bool,
        rn: Reg,
        list: u16,
    },
    VLoadMany {
        down: bool,
        writeback: bool,
        rn: Reg,
        d: SReg,
        count: u8,
    },
    VStoreMany {
        down: bool,
        writeback: bool,
        rn: Reg,
        d: SReg,
        count: u8,
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
    /// The hot form of `op`, if it can stand in a block.
    pub(super) fn new(op: &Op) -> Option<Hot> {
        Hot::special(op).or_else(|| Hot::general(op))
    }

    /// The forms without a variant of their own.
    fn general(op: &Op) -> Option<Hot> {
        match *op {
            // The duration of a division depends on its operands.
            Op::Misc {
                f: Misc::Sdiv | Misc::Udiv,
                ..
            } => None,
            Op::DpImm { .. }
            | Op::DpReg { .. }
            | Op::ShiftReg { .. }
            | Op::Adr { .. }
            | Op::MovFromPc { .. }
            | Op::AddFromPc { .. }
            | Op::Movt { .. }
            | Op::Bfi { .. }
            | Op::Bfx { .. }
            | Op::Extend { .. }
            | Op::Pkh { .. }
            | Op::Sat { .. }
            | Op::Sat16 { .. }
            | Op::Parallel { .. }
            | Op::Misc { .. }
            | Op::Mul { .. }
            | Op::MulLong { .. }
            | Op::Preload
            | Op::Nop
            | Op::Barrier
            | Op::V3 { .. }
            | Op::V2 { .. }
            | Op::VMovImm { .. }
            | Op::VCmpZero { .. }
            | Op::VCvtFixed { .. }
            | Op::VMov2ToCore { .. }
            | Op::VMov2FromCore { .. }
            | Op::VMrs { .. }
            | Op::VMsr { .. } => Some(Hot::Pure(*op)),
            Op::Load { rt, .. } | Op::LoadReg { rt, .. } | Op::LoadLit { rt, .. } if rt == 15 => {
                None
            }
            Op::Load { .. }
            | Op::LoadReg { .. }
            | Op::LoadLit { .. }
            | Op::Store { .. }
            | Op::StoreReg { .. }
            | Op::LoadDual { .. }
            | Op::StoreDual { .. }
            | Op::VLoad { .. }
            | Op::VStore { .. } => Some(Hot::Access(*op)),
            _ => None,
        }
    }

    /// The forms with a variant of their own.
    fn special(op: &Op) -> Option<Hot> {
        Some(match *op {
            Op::DpImm {
                f,
                s,
                rd,
                rn,
                carry,
                imm,
            } => return dp_imm(f, s, rd, rn, carry, imm),
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
            // Loading PC branches, loading SP has its own rule.
            Op::LoadMany {
                down,
                writeback,
                rn,
                list,
            } if list >> 13 & 0b101 == 0 => Hot::LoadMany {
                down,
                writeback,
                rn,
                list,
            },
            Op::StoreMany {
                down,
                writeback,
                rn,
                list,
            } => Hot::StoreMany {
                down,
                writeback,
                rn,
                list,
            },
            Op::VLoad {
                double,
                d,
                rn,
                offset: 0,
            } if rn != 15 => Hot::VLoadMany {
                down: false,
                writeback: false,
                rn,
                d,
                count: 1 + u8::from(double),
            },
            Op::VStore {
                double,
                d,
                rn,
                offset: 0,
            } => Hot::VStoreMany {
                down: false,
                writeback: false,
                rn,
                d,
                count: 1 + u8::from(double),
            },
            Op::VLoadMany {
                down,
                writeback,
                rn,
                d,
                count,
            } => Hot::VLoadMany {
                down,
                writeback,
                rn,
                d,
                count,
            },
            Op::VStoreMany {
                down,
                writeback,
                rn,
                d,
                count,
            } => Hot::VStoreMany {
                down,
                writeback,
                rn,
                d,
                count,
            },
            Op::B { offset } => Hot::B { offset },
            Op::Bl { offset } => Hot::Bl { offset },
            Op::Bx { rm } => Hot::Bx { rm },
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

fn dp_imm(f: Dp, s: bool, rd: Reg, rn: Reg, carry: ImmCarry, imm: u32) -> Option<Hot> {
    Some(match (f, s) {
        (Dp::Cmp, _) => Hot::CmpImm { rn, imm },
        _ if rd == 13 => return None,
        (Dp::Mov, false) => Hot::MovImm { rd, imm },
        (Dp::Mov, true) if carry == ImmCarry::Keep => Hot::MovsImm { rd, imm },
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
        (Dp::Sub, true, true) => Hot::SubsReg { rd, rn, rm },
        (Dp::And, true, true) => Hot::AndsReg { rd, rn, rm },
        (Dp::Orr, true, true) => Hot::OrrsReg { rd, rn, rm },
        (Dp::Eor, true, true) => Hot::EorsReg { rd, rn, rm },
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
        (Dp::Mov, true, false) if (1..32).contains(&amount) => match shift {
            Shift::Lsl => Hot::Lsls { rd, rm, amount },
            Shift::Lsr => Hot::Lsrs { rd, rm, amount },
            Shift::Asr => Hot::Asrs { rd, rm, amount },
            Shift::Ror | Shift::Rrx => return None,
        },
        (Dp::Add | Dp::Sub | Dp::Rsb | Dp::And | Dp::Bic | Dp::Orr | Dp::Eor, false, false)
            if (1..32).contains(&amount) && shift != Shift::Rrx =>
        {
            Hot::Shifted {
                f,
                rd,
                rn,
                rm,
                shift,
                amount,
            }
        }
        _ => return None,
    })
}

impl Hot {
    /// True for the forms that end a block.
    pub(super) fn branches(&self) -> bool {
        matches!(
            self,
            Hot::Bl { .. }
                | Hot::Bx { .. }
                | Hot::B { .. }
                | Hot::Beq { .. }
                | Hot::Bne { .. }
                | Hot::BCond { .. }
                | Hot::Cbz { .. }
        )
    }
}
