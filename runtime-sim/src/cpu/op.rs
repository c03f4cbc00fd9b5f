//! One decoded instruction.
//!
//! `Op` is regular rather than small in variants: the function of a data-processing
//! instruction, the kind of a load and so on are fields, so that the interpreter, the
//! timing model, the disassembly and the translator each have one arm per *shape*.
//! Everything that depends only on the encoding is resolved: modified immediates are
//! expanded, flag setting inside an IT block is already suppressed, offsets are signed
//! byte counts. Nothing depends on the address, so PC-relative forms keep their offset.

/// A core register number, 0 to 15; 13 = SP, 14 = LR, 15 = PC.
pub type Reg = u8;

/// A single-precision register number, 0 to 31.
pub type SReg = u8;

/// Function of a two-operand data-processing instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Dp {
    /// rd = rn & op2
    And,
    /// rd = rn & !op2
    Bic,
    /// rd = rn | op2
    Orr,
    /// rd = rn | !op2
    Orn,
    /// rd = rn ^ op2
    Eor,
    /// rd = rn + op2
    Add,
    /// rd = rn + op2 + C
    Adc,
    /// rd = rn - op2 - !C
    Sbc,
    /// rd = rn - op2
    Sub,
    /// rd = op2 - rn
    Rsb,
    /// flags of rn & op2
    Tst,
    /// flags of rn ^ op2
    Teq,
    /// flags of rn + op2
    Cmn,
    /// flags of rn - op2
    Cmp,
    /// rd = op2
    Mov,
    /// rd = !op2
    Mvn,
}

/// Kind of a shift. `Rrx` always has amount 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Shift {
    /// Logical left.
    Lsl,
    /// Logical right.
    Lsr,
    /// Arithmetic right.
    Asr,
    /// Rotate right.
    Ror,
    /// Rotate right by one through the carry flag.
    Rrx,
}

/// Carry out of a modified immediate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ImmCarry {
    /// The carry flag keeps its value.
    Keep,
    /// The carry flag is cleared.
    Clear,
    /// The carry flag is set.
    Set,
}

/// What SXTB and its family extract from the rotated operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Extract {
    /// Signed byte.
    Sb,
    /// Signed halfword.
    Sh,
    /// Signed bytes 0 and 2 to halfwords.
    Sb16,
    /// Unsigned byte.
    Ub,
    /// Unsigned halfword.
    Uh,
    /// Unsigned bytes 0 and 2 to halfwords.
    Ub16,
}

/// Sign and saturation of a parallel addition or subtraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Lane {
    /// Signed, modulo, sets GE.
    S,
    /// Signed saturating.
    Q,
    /// Signed halving.
    Sh,
    /// Unsigned, modulo, sets GE.
    U,
    /// Unsigned saturating.
    Uq,
    /// Unsigned halving.
    Uh,
}

/// Lane arrangement of a parallel addition or subtraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Par {
    /// Two halfword sums.
    Add16,
    /// High sum, low difference of exchanged halfwords.
    Asx,
    /// High difference, low sum of exchanged halfwords.
    Sax,
    /// Two halfword differences.
    Sub16,
    /// Four byte sums.
    Add8,
    /// Four byte differences.
    Sub8,
}

/// Operations on up to three registers that have no shape of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Misc {
    /// Count leading zeros of rm.
    Clz,
    /// Reverse the bits of rm.
    Rbit,
    /// Reverse the bytes of rm.
    Rev,
    /// Reverse the bytes in each halfword of rm.
    Rev16,
    /// Reverse the bytes of the low halfword of rm and sign-extend.
    Revsh,
    /// Saturating rm + rn.
    Qadd,
    /// Saturating rm - rn.
    Qsub,
    /// Saturating rm + saturate(2 rn).
    Qdadd,
    /// Saturating rm - saturate(2 rn).
    Qdsub,
    /// Bytes of rn where GE is set, of rm elsewhere.
    Sel,
    /// Signed division, toward zero.
    Sdiv,
    /// Unsigned division.
    Udiv,
}

/// Multiplications with a 32-bit result; `ra` is the addend where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mul {
    /// rn * rm
    Mul,
    /// ra + rn * rm
    Mla,
    /// ra - rn * rm
    Mls,
    /// Product of signed halfwords.
    Smul {
        /// Use the high half of rn.
        n_high: bool,
        /// Use the high half of rm.
        m_high: bool,
    },
    /// ra + product of signed halfwords; overflow sets Q.
    Smla {
        /// Use the high half of rn.
        n_high: bool,
        /// Use the high half of rm.
        m_high: bool,
    },
    /// (rn * halfword of rm) >> 16
    Smulw {
        /// Use the high half of rm.
        m_high: bool,
    },
    /// ra + ((rn * halfword of rm) >> 16); overflow sets Q.
    Smlaw {
        /// Use the high half of rm.
        m_high: bool,
    },
    /// Sum (or difference) of two halfword products; overflow of the sum sets Q.
    Smuad {
        /// Exchange the halves of rm first.
        swap: bool,
        /// Low product minus high product.
        sub: bool,
    },
    /// ra + sum (or difference) of two halfword products; overflow sets Q.
    Smlad {
        /// Exchange the halves of rm first.
        swap: bool,
        /// Low product minus high product.
        sub: bool,
    },
    /// High word of rn * rm.
    Smmul {
        /// Round by adding 0x8000_0000 first.
        round: bool,
    },
    /// High word of (ra << 32) + rn * rm.
    Smmla {
        /// Round by adding 0x8000_0000 first.
        round: bool,
    },
    /// High word of (ra << 32) - rn * rm.
    Smmls {
        /// Round by adding 0x8000_0000 first.
        round: bool,
    },
    /// Sum of absolute differences of four bytes.
    Usad8,
    /// ra + sum of absolute differences of four bytes.
    Usada8,
}

/// Multiplications with a 64-bit result or accumulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MulLong {
    /// Signed product.
    Smull,
    /// Unsigned product.
    Umull,
    /// Accumulator + signed product.
    Smlal,
    /// Accumulator + unsigned product.
    Umlal,
    /// lo + hi + unsigned product.
    Umaal,
    /// Accumulator + product of signed halfwords.
    SmlalHalf {
        /// Use the high half of rn.
        n_high: bool,
        /// Use the high half of rm.
        m_high: bool,
    },
    /// Accumulator + sum (or difference) of two halfword products.
    Smlald {
        /// Exchange the halves of rm first.
        swap: bool,
        /// Low product minus high product.
        sub: bool,
    },
}

/// Width and extension of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LoadKind {
    /// Word.
    W,
    /// Unsigned halfword.
    H,
    /// Unsigned byte.
    B,
    /// Signed halfword.
    Sh,
    /// Signed byte.
    Sb,
}

/// Width of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StoreKind {
    /// Word.
    W,
    /// Halfword.
    H,
    /// Byte.
    B,
}

/// How an immediate offset is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Index {
    /// Address = base + offset; the base stays.
    Offset,
    /// Address = base + offset; the base becomes the address.
    Pre,
    /// Address = base; the base becomes base + offset.
    Post,
}

/// Condition code, as in bits of an IT or conditional branch; 14 = always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cond(pub u8);

/// Three-register floating-point arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum V3 {
    /// n + m
    Add,
    /// n - m
    Sub,
    /// n * m
    Mul,
    /// -(n * m)
    Nmul,
    /// n / m
    Div,
    /// d + n * m, two roundings
    Mla,
    /// d - n * m, two roundings
    Mls,
    /// -d - n * m, two roundings
    Nmla,
    /// -d + n * m, two roundings
    Nmls,
    /// d + n * m, one rounding
    Fma,
    /// d - n * m, one rounding
    Fms,
    /// -d - n * m, one rounding
    Fnma,
    /// -d + n * m, one rounding
    Fnms,
}

/// Floating-point operations from one register to one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum V2 {
    /// Copy.
    Mov,
    /// Clear the sign.
    Abs,
    /// Change the sign.
    Neg,
    /// Square root.
    Sqrt,
    /// Signed integer to float, rounding by FPSCR.
    FromS32,
    /// Unsigned integer to float, rounding by FPSCR.
    FromU32,
    /// Float to signed integer, toward zero.
    ToS32,
    /// Float to unsigned integer, toward zero.
    ToU32,
    /// Float to signed integer, rounding by FPSCR.
    ToS32R,
    /// Float to unsigned integer, rounding by FPSCR.
    ToU32R,
    /// Low half (half precision) to single.
    FromF16Low,
    /// High half (half precision) to single.
    FromF16High,
    /// Single to half precision, into the low half.
    ToF16Low,
    /// Single to half precision, into the high half.
    ToF16High,
}

/// Integer side of a fixed-point conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fixed {
    /// Signed 16 bit, in the low half.
    S16,
    /// Unsigned 16 bit, in the low half.
    U16,
    /// Signed 32 bit.
    S32,
    /// Unsigned 32 bit.
    U32,
}

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Op {
    /// Data processing with an immediate. `rn` is unused by Mov and Mvn, `rd` by tests.
    DpImm {
        f: Dp,
        s: bool,
        rd: Reg,
        rn: Reg,
        carry: ImmCarry,
        imm: u32,
    },
    /// Data processing with a register shifted by a constant (LSL #0 = unshifted).
    DpReg {
        f: Dp,
        s: bool,
        rd: Reg,
        rn: Reg,
        rm: Reg,
        shift: Shift,
        amount: u8,
    },
    /// rd = rn shifted by the low byte of rm.
    ShiftReg {
        shift: Shift,
        s: bool,
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    /// rd = Align(PC, 4) + offset.
    Adr { rd: Reg, offset: i32 },
    /// rd = PC (instruction address + 4).
    MovFromPc { rd: Reg },
    /// rd = rd + PC.
    AddFromPc { rd: Reg },
    /// Branch to rm, bit 0 ignored.
    MovToPc { rm: Reg },
    /// Branch to PC + rm, bit 0 ignored.
    AddToPc { rm: Reg },
    /// High half of rd = imm.
    Movt { rd: Reg, imm: u16 },
    /// Insert the low `width` bits of rn at `lsb`; `rn` = 15 inserts zeros (BFC).
    Bfi {
        rd: Reg,
        rn: Reg,
        lsb: u8,
        width: u8,
    },
    /// Extract `width` bits from `lsb`, sign- or zero-extended.
    Bfx {
        signed: bool,
        rd: Reg,
        rn: Reg,
        lsb: u8,
        width: u8,
    },
    /// rd = rn + extract(rm ror rot); `rn` = 15 means no addend.
    Extend {
        x: Extract,
        rd: Reg,
        rn: Reg,
        rm: Reg,
        rot: u8,
    },
    /// Pack halfwords; `tb`: high half of rn, low half of the shifted rm.
    Pkh {
        tb: bool,
        rd: Reg,
        rn: Reg,
        rm: Reg,
        amount: u8,
    },
    /// Saturate rn shifted (LSL or ASR) to `bits`.
    Sat {
        signed: bool,
        rd: Reg,
        rn: Reg,
        bits: u8,
        shift: Shift,
        amount: u8,
    },
    /// Saturate both halfwords of rn to `bits`.
    Sat16 {
        signed: bool,
        rd: Reg,
        rn: Reg,
        bits: u8,
    },
    /// Parallel addition and subtraction.
    Parallel {
        lane: Lane,
        par: Par,
        rd: Reg,
        rn: Reg,
        rm: Reg,
    },
    /// One of [`Misc`].
    Misc { f: Misc, rd: Reg, rn: Reg, rm: Reg },
    /// One of [`Mul`]; `s` only for 16-bit MULS.
    Mul {
        f: Mul,
        s: bool,
        rd: Reg,
        rn: Reg,
        rm: Reg,
        ra: Reg,
    },
    /// One of [`MulLong`].
    MulLong {
        f: MulLong,
        lo: Reg,
        hi: Reg,
        rn: Reg,
        rm: Reg,
    },
    /// Load with immediate offset; `rt` = 15 (word only) branches.
    Load {
        kind: LoadKind,
        index: Index,
        rt: Reg,
        rn: Reg,
        offset: i32,
    },
    /// Load from rn + (rm << shift).
    LoadReg {
        kind: LoadKind,
        rt: Reg,
        rn: Reg,
        rm: Reg,
        shift: u8,
    },
    /// Load from Align(PC, 4) + offset.
    LoadLit {
        kind: LoadKind,
        rt: Reg,
        offset: i32,
    },
    /// Store with immediate offset.
    Store {
        kind: StoreKind,
        index: Index,
        rt: Reg,
        rn: Reg,
        offset: i32,
    },
    /// Store to rn + (rm << shift).
    StoreReg {
        kind: StoreKind,
        rt: Reg,
        rn: Reg,
        rm: Reg,
        shift: u8,
    },
    /// Load two words; `rn` = 15 is the literal form.
    LoadDual {
        index: Index,
        rt: Reg,
        rt2: Reg,
        rn: Reg,
        offset: i16,
    },
    /// Store two words.
    StoreDual {
        index: Index,
        rt: Reg,
        rt2: Reg,
        rn: Reg,
        offset: i16,
    },
    /// LDM, POP. `down`: decrement before, else increment after.
    LoadMany {
        down: bool,
        writeback: bool,
        rn: Reg,
        list: u16,
    },
    /// STM, PUSH.
    StoreMany {
        down: bool,
        writeback: bool,
        rn: Reg,
        list: u16,
    },
    /// Load and open the local monitor.
    LoadExclusive {
        kind: LoadKind,
        rt: Reg,
        rn: Reg,
        offset: u16,
    },
    /// Store if the local monitor is open, and close it; `rd` tells whether it failed.
    StoreExclusive {
        kind: StoreKind,
        rd: Reg,
        rt: Reg,
        rn: Reg,
        offset: u16,
    },
    /// Close the local monitor.
    ClearExclusive,
    /// Load as an unprivileged program does it.
    LoadUser {
        kind: LoadKind,
        rt: Reg,
        rn: Reg,
        offset: u8,
    },
    /// Store as an unprivileged program does it.
    StoreUser {
        kind: StoreKind,
        rt: Reg,
        rn: Reg,
        offset: u8,
    },
    /// Memory hint (PLD, PLI and the unallocated ones).
    Preload,
    /// Branch by offset from PC.
    B { offset: i32 },
    /// Conditional branch by offset from PC.
    BCond { cond: Cond, offset: i32 },
    /// Branch with link.
    Bl { offset: i32 },
    /// Branch to register; may be an exception return.
    Bx { rm: Reg },
    /// Branch with link to register.
    Blx { rm: Reg },
    /// Branch if rn is zero (or not).
    Cbz { nonzero: bool, rn: Reg, offset: u8 },
    /// Branch by a table of byte or halfword offsets.
    TableBranch { half: bool, rn: Reg, rm: Reg },
    /// IT: the new ITSTATE.
    It { state: u8 },
    /// NOP, YIELD, DBG and unallocated hints.
    Nop,
    /// Send event.
    Sev,
    /// Wait for event.
    Wfe,
    /// Wait for interrupt.
    Wfi,
    /// DMB, DSB.
    Barrier,
    /// ISB.
    Isb,
    /// CPSIE / CPSID.
    Cps {
        disable: bool,
        primask: bool,
        faultmask: bool,
    },
    /// Read special register `sysm`.
    Mrs { rd: Reg, sysm: u8 },
    /// Write special register `sysm`; `mask` bit 1 = NZCVQ, bit 0 = GE.
    Msr { rn: Reg, sysm: u8, mask: u8 },
    /// Supervisor call.
    Svc { imm: u8 },
    /// Breakpoint.
    Bkpt { imm: u8 },

    /// One of [`V3`].
    V3 { f: V3, d: SReg, n: SReg, m: SReg },
    /// One of [`V2`].
    V2 { f: V2, d: SReg, m: SReg },
    /// d = constant.
    VMovImm { d: SReg, bits: u32 },
    /// Compare to FPSCR flags; `e` raises invalid also for quiet NaN.
    VCmp { e: bool, d: SReg, m: SReg },
    /// Compare with +0.
    VCmpZero { e: bool, d: SReg },
    /// Fixed-point conversion in place; `to_fixed` rounds toward zero.
    VCvtFixed {
        to_fixed: bool,
        ty: Fixed,
        d: SReg,
        frac: u8,
    },
    /// rt = s
    VMovToCore { rt: Reg, n: SReg },
    /// s = rt
    VMovFromCore { rt: Reg, n: SReg },
    /// rt, rt2 = s[m], s[m + 1]
    VMov2ToCore { rt: Reg, rt2: Reg, m: SReg },
    /// s[m], s[m + 1] = rt, rt2
    VMov2FromCore { rt: Reg, rt2: Reg, m: SReg },
    /// rt = FPSCR; `rt` = 15 copies the flags to APSR.
    VMrs { rt: Reg },
    /// FPSCR = rt
    VMsr { rt: Reg },
    /// Load one S register or a pair; `rn` = 15 is the literal form.
    VLoad {
        double: bool,
        d: SReg,
        rn: Reg,
        offset: i16,
    },
    /// Store one S register or a pair.
    VStore {
        double: bool,
        d: SReg,
        rn: Reg,
        offset: i16,
    },
    /// Load `count` consecutive S registers.
    VLoadMany {
        down: bool,
        writeback: bool,
        rn: Reg,
        d: SReg,
        count: u8,
    },
    /// Store `count` consecutive S registers.
    VStoreMany {
        down: bool,
        writeback: bool,
        rn: Reg,
        d: SReg,
        count: u8,
    },
}

impl Op {
    /// True if the instruction can write the program counter; in an IT block it must
    /// then be the last one.
    pub fn branches(&self) -> bool {
        match *self {
            Op::MovToPc { .. }
            | Op::AddToPc { .. }
            | Op::B { .. }
            | Op::BCond { .. }
            | Op::Bl { .. }
            | Op::Bx { .. }
            | Op::Blx { .. }
            | Op::Cbz { .. }
            | Op::TableBranch { .. } => true,
            Op::Load { rt, .. } | Op::LoadReg { rt, .. } | Op::LoadLit { rt, .. } => rt == 15,
            Op::LoadMany { list, .. } => list >> 15 != 0,
            _ => false,
        }
    }

    /// True if the instruction is UNPREDICTABLE anywhere inside an IT block.
    pub fn forbidden_in_it(&self) -> bool {
        matches!(
            self,
            Op::BCond { .. } | Op::Cbz { .. } | Op::It { .. } | Op::Cps { .. }
        )
    }

    /// True for instructions of the floating-point unit.
    pub fn is_fpu(&self) -> bool {
        matches!(
            self,
            Op::V3 { .. }
                | Op::V2 { .. }
                | Op::VMovImm { .. }
                | Op::VCmp { .. }
                | Op::VCmpZero { .. }
                | Op::VCvtFixed { .. }
                | Op::VMovToCore { .. }
                | Op::VMovFromCore { .. }
                | Op::VMov2ToCore { .. }
                | Op::VMov2FromCore { .. }
                | Op::VMrs { .. }
                | Op::VMsr { .. }
                | Op::VLoad { .. }
                | Op::VStore { .. }
                | Op::VLoadMany { .. }
                | Op::VStoreMany { .. }
        )
    }
}
