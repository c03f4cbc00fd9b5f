//! The machine instruction: one enum for the whole pipeline.
//!
//! An `Inst` is what a core executes, without labels: branch offsets are relative
//! to the instruction's address plus 4, as the architecture counts them. Labels,
//! symbols and IT predicates live beside it, in [`super::asm::Item`].

pub use super::ops::*;
use super::reg::{Cond, Reg, RegList, SReg};

/// One Thumb-2 instruction of a Cortex-M4F.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Inst {
    Alu {
        op: AluOp,
        s: bool,
        rd: Reg,
        rn: Reg,
        op2: Op2,
    },
    /// ADDW or SUBW: 12-bit immediate, never sets flags.
    AddWide {
        sub: bool,
        rd: Reg,
        rn: Reg,
        imm: u16,
    },
    Mov {
        s: bool,
        rd: Reg,
        op2: Op2,
    },
    Mvn {
        s: bool,
        rd: Reg,
        op2: Op2,
    },
    Movw {
        rd: Reg,
        imm: u16,
    },
    Movt {
        rd: Reg,
        imm: u16,
    },
    /// Shift by a register (its low byte).
    Shift {
        op: ShiftOp,
        s: bool,
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    Compare {
        op: CmpOp,
        rn: Reg,
        op2: Op2,
    },
    Mul {
        s: bool,
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    Mul2 {
        op: Mul2Op,
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    Mul3 {
        op: Mul3Op,
        rd: Reg,
        rn: Reg,
        rm: Reg,
        ra: Reg,
    },
    MulLong {
        op: MulLongOp,
        lo: Reg,
        hi: Reg,
        rn: Reg,
        rm: Reg,
    },
    /// `rot` counts bytes, 0 to 3.
    Extend {
        op: ExtendOp,
        rd: Reg,
        rm: Reg,
        rot: u8,
    },
    ExtendAdd {
        op: ExtendOp,
        rd: Reg,
        rn: Reg,
        rm: Reg,
        rot: u8,
    },
    Parallel {
        prefix: ParallelPrefix,
        op: ParallelOp,
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    Saturating {
        op: SaturatingOp,
        rd: Reg,
        rm: Reg,
        rn: Reg,
    },
    Sel {
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    /// PKHBT (shift: LSL 0 to 31) or PKHTB (ASR 1 to 32).
    Pack {
        top: bool,
        rd: Reg,
        rn: Reg,
        rm: Reg,
        shift: u8,
    },
    /// SSAT to `bits` 1 to 32, USAT to 0 to 31; shift LSL 0 to 31 or ASR 1 to 31.
    Sat {
        unsigned: bool,
        rd: Reg,
        bits: u8,
        rn: Reg,
        asr: bool,
        shift: u8,
    },
    Sat16 {
        unsigned: bool,
        rd: Reg,
        bits: u8,
        rn: Reg,
    },
    Unary {
        op: UnaryOp,
        rd: Reg,
        rm: Reg,
    },
    Bfi {
        rd: Reg,
        rn: Reg,
        lsb: u8,
        width: u8,
    },
    Bfc {
        rd: Reg,
        lsb: u8,
        width: u8,
    },
    Bfx {
        signed: bool,
        rd: Reg,
        rn: Reg,
        lsb: u8,
        width: u8,
    },
    Load {
        size: LoadSize,
        rt: Reg,
        addr: Addr,
    },
    Store {
        size: StoreSize,
        rt: Reg,
        addr: Addr,
    },
    LoadPair {
        rt: Reg,
        rt2: Reg,
        addr: Addr,
    },
    StorePair {
        rt: Reg,
        rt2: Reg,
        addr: Addr,
    },
    /// LDMIA, or LDMDB when `before`.
    LoadMany {
        rn: Reg,
        wback: bool,
        before: bool,
        regs: RegList,
    },
    StoreMany {
        rn: Reg,
        wback: bool,
        before: bool,
        regs: RegList,
    },
    Push {
        regs: RegList,
    },
    Pop {
        regs: RegList,
    },
    /// TBB or TBH (`half`).
    TableBranch {
        half: bool,
        rn: Reg,
        rm: Reg,
    },
    B {
        offset: i32,
        wide: bool,
    },
    BCond {
        cond: Cond,
        offset: i32,
        wide: bool,
    },
    Bl {
        offset: i32,
    },
    Blx {
        rm: Reg,
    },
    Bx {
        rm: Reg,
    },
    Cbz {
        nonzero: bool,
        rn: Reg,
        offset: i32,
    },
    It {
        cond: Cond,
        pattern: ItPattern,
    },
    /// Address of `pc` (aligned) plus offset, ±4095.
    Adr {
        rd: Reg,
        offset: i32,
        wide: bool,
    },
    Mrs {
        rd: Reg,
        sys: SysReg,
    },
    Msr {
        sys: SysReg,
        rn: Reg,
    },
    /// CPSIE (`enable`) or CPSID on PRIMASK and/or FAULTMASK.
    Cps {
        enable: bool,
        primask: bool,
        faultmask: bool,
    },
    Hint(Hint),
    Barrier(Barrier),
    Bkpt(u8),
    Udf(u8),
    Svc(u8),
    VAlu {
        op: VAluOp,
        sd: SReg,
        sn: SReg,
        sm: SReg,
    },
    VUnary {
        op: VUnaryOp,
        sd: SReg,
        sm: SReg,
    },
    VMovImm {
        sd: SReg,
        imm8: u8,
    },
    /// VCMP, or VCMPE when `e`.
    VCmp {
        e: bool,
        sd: SReg,
        sm: SReg,
    },
    VCmpZero {
        e: bool,
        sd: SReg,
    },
    VCvt {
        op: VCvtOp,
        sd: SReg,
        sm: SReg,
    },
    /// Fixed point in place: `fbits` fraction bits of a 16- or 32-bit integer.
    VCvtFixed {
        to_fixed: bool,
        unsigned: bool,
        half: bool,
        sd: SReg,
        fbits: u8,
    },
    VMovToCore {
        rt: Reg,
        sn: SReg,
    },
    VMovFromCore {
        sn: SReg,
        rt: Reg,
    },
    /// Two cores from `sm` and the S register after it.
    VMovToCore2 {
        rt: Reg,
        rt2: Reg,
        sm: SReg,
    },
    VMovFromCore2 {
        sm: SReg,
        rt: Reg,
        rt2: Reg,
    },
    /// FPSCR to a register; PC stands for the APSR flags.
    Vmrs {
        rt: Reg,
    },
    Vmsr {
        rt: Reg,
    },
    VLoad {
        sd: SReg,
        rn: Reg,
        offset: i32,
    },
    VStore {
        sd: SReg,
        rn: Reg,
        offset: i32,
    },
    /// `count` registers from `first` on; `before` implies write-back.
    VLoadMany {
        rn: Reg,
        wback: bool,
        before: bool,
        first: SReg,
        count: u8,
    },
    VStoreMany {
        rn: Reg,
        wback: bool,
        before: bool,
        first: SReg,
        count: u8,
    },
    VPush {
        first: SReg,
        count: u8,
    },
    VPop {
        first: SReg,
        count: u8,
    },
}

impl Op2 {
    fn map(self, core: &mut impl FnMut(Reg) -> Reg) -> Op2 {
        match self {
            Op2::Imm(imm) => Op2::Imm(imm),
            Op2::Reg(reg) => Op2::Reg(core(reg)),
            Op2::Shifted(reg, op, amount) => Op2::Shifted(core(reg), op, amount),
        }
    }
}

impl Addr {
    fn map(self, core: &mut impl FnMut(Reg) -> Reg) -> Addr {
        match self {
            Addr::Offset(rn, offset) => Addr::Offset(core(rn), offset),
            Addr::Pre(rn, offset) => Addr::Pre(core(rn), offset),
            Addr::Post(rn, offset) => Addr::Post(core(rn), offset),
            Addr::Index(rn, rm, shift) => Addr::Index(core(rn), core(rm), shift),
            Addr::Literal(offset) => Addr::Literal(offset),
        }
    }
}

impl Inst {
    /// The same instruction with every register field replaced. Register lists
    /// and VLDM groups name fixed registers and stay.
    #[must_use]
    pub fn map_regs(
        self,
        core: &mut impl FnMut(Reg) -> Reg,
        float: &mut impl FnMut(SReg) -> SReg,
    ) -> Inst {
        use Inst::*;
        match self {
            Alu { op, s, rd, rn, op2 } => Alu {
                op,
                s,
                rd: core(rd),
                rn: core(rn),
                op2: op2.map(core),
            },
            AddWide { sub, rd, rn, imm } => AddWide {
                sub,
                rd: core(rd),
                rn: core(rn),
                imm,
            },
            Mov { s, rd, op2 } => Mov {
                s,
                rd: core(rd),
                op2: op2.map(core),
            },
            Mvn { s, rd, op2 } => Mvn {
                s,
                rd: core(rd),
                op2: op2.map(core),
            },
            Movw { rd, imm } => Movw { rd: core(rd), imm },
            Movt { rd, imm } => Movt { rd: core(rd), imm },
            Shift { op, s, rd, rn, rm } => Shift {
                op,
                s,
                rd: core(rd),
                rn: core(rn),
                rm: core(rm),
            },
            Compare { op, rn, op2 } => Compare {
                op,
                rn: core(rn),
                op2: op2.map(core),
            },
            Mul { s, rd, rn, rm } => Mul {
                s,
                rd: core(rd),
                rn: core(rn),
                rm: core(rm),
            },
            Mul2 { op, rd, rn, rm } => Mul2 {
                op,
                rd: core(rd),
                rn: core(rn),
                rm: core(rm),
            },
            Mul3 { op, rd, rn, rm, ra } => Mul3 {
                op,
                rd: core(rd),
                rn: core(rn),
                rm: core(rm),
                ra: core(ra),
            },
            MulLong { op, lo, hi, rn, rm } => MulLong {
                op,
                lo: core(lo),
                hi: core(hi),
                rn: core(rn),
                rm: core(rm),
            },
            Extend { op, rd, rm, rot } => Extend {
                op,
                rd: core(rd),
                rm: core(rm),
                rot,
            },
            ExtendAdd {
                op,
                rd,
                rn,
                rm,
                rot,
            } => ExtendAdd {
                op,
                rd: core(rd),
                rn: core(rn),
                rm: core(rm),
                rot,
            },
            Parallel {
                prefix,
                op,
                rd,
                rn,
                rm,
            } => Parallel {
                prefix,
                op,
                rd: core(rd),
                rn: core(rn),
                rm: core(rm),
            },
            Saturating { op, rd, rm, rn } => Saturating {
                op,
                rd: core(rd),
                rm: core(rm),
                rn: core(rn),
            },
            Sel { rd, rn, rm } => Sel {
                rd: core(rd),
                rn: core(rn),
                rm: core(rm),
            },
            Pack {
                top,
                rd,
                rn,
                rm,
                shift,
            } => Pack {
                top,
                rd: core(rd),
                rn: core(rn),
                rm: core(rm),
                shift,
            },
            Sat {
                unsigned,
                rd,
                bits,
                rn,
                asr,
                shift,
            } => Sat {
                unsigned,
                rd: core(rd),
                bits,
                rn: core(rn),
                asr,
                shift,
            },
            Sat16 {
                unsigned,
                rd,
                bits,
                rn,
            } => Sat16 {
                unsigned,
                rd: core(rd),
                bits,
                rn: core(rn),
            },
            Unary { op, rd, rm } => Unary {
                op,
                rd: core(rd),
                rm: core(rm),
            },
            Bfi { rd, rn, lsb, width } => Bfi {
                rd: core(rd),
                rn: core(rn),
                lsb,
                width,
            },
            Bfc { rd, lsb, width } => Bfc {
                rd: core(rd),
                lsb,
                width,
            },
            Bfx {
                signed,
                rd,
                rn,
                lsb,
                width,
            } => Bfx {
                signed,
                rd: core(rd),
                rn: core(rn),
                lsb,
                width,
            },
            Load { size, rt, addr } => Load {
                size,
                rt: core(rt),
                addr: addr.map(core),
            },
            Store { size, rt, addr } => Store {
                size,
                rt: core(rt),
                addr: addr.map(core),
            },
            LoadPair { rt, rt2, addr } => LoadPair {
                rt: core(rt),
                rt2: core(rt2),
                addr: addr.map(core),
            },
            StorePair { rt, rt2, addr } => StorePair {
                rt: core(rt),
                rt2: core(rt2),
                addr: addr.map(core),
            },
            LoadMany {
                rn,
                wback,
                before,
                regs,
            } => LoadMany {
                rn: core(rn),
                wback,
                before,
                regs,
            },
            StoreMany {
                rn,
                wback,
                before,
                regs,
            } => StoreMany {
                rn: core(rn),
                wback,
                before,
                regs,
            },
            TableBranch { half, rn, rm } => TableBranch {
                half,
                rn: core(rn),
                rm: core(rm),
            },
            Blx { rm } => Blx { rm: core(rm) },
            Bx { rm } => Bx { rm: core(rm) },
            Cbz {
                nonzero,
                rn,
                offset,
            } => Cbz {
                nonzero,
                rn: core(rn),
                offset,
            },
            Adr { rd, offset, wide } => Adr {
                rd: core(rd),
                offset,
                wide,
            },
            Mrs { rd, sys } => Mrs { rd: core(rd), sys },
            Msr { sys, rn } => Msr { sys, rn: core(rn) },
            VAlu { op, sd, sn, sm } => VAlu {
                op,
                sd: float(sd),
                sn: float(sn),
                sm: float(sm),
            },
            VUnary { op, sd, sm } => VUnary {
                op,
                sd: float(sd),
                sm: float(sm),
            },
            VMovImm { sd, imm8 } => VMovImm {
                sd: float(sd),
                imm8,
            },
            VCmp { e, sd, sm } => VCmp {
                e,
                sd: float(sd),
                sm: float(sm),
            },
            VCmpZero { e, sd } => VCmpZero { e, sd: float(sd) },
            VCvt { op, sd, sm } => VCvt {
                op,
                sd: float(sd),
                sm: float(sm),
            },
            VCvtFixed {
                to_fixed,
                unsigned,
                half,
                sd,
                fbits,
            } => VCvtFixed {
                to_fixed,
                unsigned,
                half,
                sd: float(sd),
                fbits,
            },
            VMovToCore { rt, sn } => VMovToCore {
                rt: core(rt),
                sn: float(sn),
            },
            VMovFromCore { sn, rt } => VMovFromCore {
                sn: float(sn),
                rt: core(rt),
            },
            VMovToCore2 { rt, rt2, sm } => VMovToCore2 {
                rt: core(rt),
                rt2: core(rt2),
                sm: float(sm),
            },
            VMovFromCore2 { sm, rt, rt2 } => VMovFromCore2 {
                sm: float(sm),
                rt: core(rt),
                rt2: core(rt2),
            },
            Vmrs { rt } => Vmrs { rt: core(rt) },
            Vmsr { rt } => Vmsr { rt: core(rt) },
            VLoad { sd, rn, offset } => VLoad {
                sd: float(sd),
                rn: core(rn),
                offset,
            },
            VStore { sd, rn, offset } => VStore {
                sd: float(sd),
                rn: core(rn),
                offset,
            },
            VLoadMany {
                rn,
                wback,
                before,
                first,
                count,
            } => VLoadMany {
                rn: core(rn),
                wback,
                before,
                first: float(first),
                count,
            },
            VStoreMany {
                rn,
                wback,
                before,
                first,
                count,
            } => VStoreMany {
                rn: core(rn),
                wback,
                before,
                first: float(first),
                count,
            },
            Push { .. }
            | Pop { .. }
            | B { .. }
            | BCond { .. }
            | Bl { .. }
            | It { .. }
            | Cps { .. }
            | Hint(_)
            | Barrier(_)
            | Bkpt(_)
            | Udf(_)
            | Svc(_)
            | VPush { .. }
            | VPop { .. } => self,
        }
    }

    /// Whether the instruction writes the APSR condition flags.
    pub fn sets_flags(&self) -> bool {
        match *self {
            Inst::Alu { s, .. }
            | Inst::Mov { s, .. }
            | Inst::Mvn { s, .. }
            | Inst::Shift { s, .. }
            | Inst::Mul { s, .. } => s,
            Inst::Compare { .. } => true,
            Inst::Vmrs { rt } => rt == Reg::PC,
            Inst::Msr {
                sys: SysReg::Apsr | SysReg::Xpsr,
                ..
            } => true,
            _ => false,
        }
    }

    /// Whether the instruction itself reads the condition flags (an IT predicate
    /// is not the instruction's own).
    pub fn reads_flags(&self) -> bool {
        matches!(
            self,
            Inst::Alu {
                op: AluOp::Adc | AluOp::Sbc,
                ..
            } | Inst::BCond { .. }
                | Inst::It { .. }
                | Inst::Mrs { .. }
        )
    }
}
