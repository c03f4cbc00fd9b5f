//! The parts of instructions: operations, operands, addresses, IT patterns.

use super::reg::Reg;

/// A shift that another instruction applies to its last operand for free.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum ShiftOp {
    Lsl = 0,
    Lsr = 1,
    Asr = 2,
    Ror = 3,
}

/// The flexible last operand of data processing instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Op2 {
    /// A modified immediate ([`super::imm::modified`]).
    Imm(u32),
    Reg(Reg),
    /// Amounts: LSL and ROR 1 to 31, LSR and ASR 1 to 32.
    Shifted(Reg, ShiftOp, u8),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum AluOp {
    And,
    Bic,
    Orr,
    Orn,
    Eor,
    Add,
    Adc,
    Sbc,
    Sub,
    Rsb,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum CmpOp {
    Tst,
    Teq,
    Cmn,
    Cmp,
}

/// Two registers in, one out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Mul2Op {
    Smulbb,
    Smulbt,
    Smultb,
    Smultt,
    Smulwb,
    Smulwt,
    Smuad,
    Smuadx,
    Smusd,
    Smusdx,
    Smmul,
    Smmulr,
    Usad8,
    Sdiv,
    Udiv,
}

/// Three registers in, one out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Mul3Op {
    Mla,
    Mls,
    Smlabb,
    Smlabt,
    Smlatb,
    Smlatt,
    Smlawb,
    Smlawt,
    Smlad,
    Smladx,
    Smlsd,
    Smlsdx,
    Smmla,
    Smmlar,
    Smmls,
    Smmlsr,
    Usada8,
}

/// Two registers in, a register pair out (or in and out).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum MulLongOp {
    Smull,
    Umull,
    Smlal,
    Umlal,
    Umaal,
    Smlalbb,
    Smlalbt,
    Smlaltb,
    Smlaltt,
    Smlald,
    Smlaldx,
    Smlsld,
    Smlsldx,
}

impl MulLongOp {
    /// Whether the pair is read as well as written.
    pub fn accumulates(self) -> bool {
        !matches!(self, MulLongOp::Smull | MulLongOp::Umull)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ExtendOp {
    Sxth,
    Uxth,
    Sxtb16,
    Uxtb16,
    Sxtb,
    Uxtb,
}

/// How a parallel addition or subtraction treats overflow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ParallelPrefix {
    S,
    Q,
    Sh,
    U,
    Uq,
    Uh,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ParallelOp {
    Add8,
    Add16,
    Asx,
    Sub8,
    Sub16,
    Sax,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum SaturatingOp {
    Qadd,
    Qdadd,
    Qsub,
    Qdsub,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum UnaryOp {
    Clz,
    Rbit,
    Rev,
    Rev16,
    Revsh,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum LoadSize {
    Byte,
    SignedByte,
    Half,
    SignedHalf,
    Word,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum StoreSize {
    Byte,
    Half,
    Word,
}

/// The address of a load or store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Addr {
    /// `[rn, #offset]`, -255 to 4095 (words pairs: ±1020, multiples of 4).
    Offset(Reg, i32),
    /// `[rn, #offset]!`, ±255.
    Pre(Reg, i32),
    /// `[rn], #offset`, ±255.
    Post(Reg, i32),
    /// `[rn, rm, lsl #shift]`, shift 0 to 3.
    Index(Reg, Reg, u8),
    /// `[pc, #offset]`, ±4095 from the aligned PC.
    Literal(i32),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum SysReg {
    Apsr,
    Ipsr,
    Epsr,
    Xpsr,
    Msp,
    Psp,
    Primask,
    Basepri,
    Faultmask,
    Control,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Hint {
    Nop,
    Yield,
    Wfe,
    Wfi,
    Sev,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Barrier {
    Dsb,
    Dmb,
    Isb,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum VAluOp {
    Add,
    Sub,
    Mul,
    Nmul,
    Div,
    Mla,
    Mls,
    Nmla,
    Nmls,
    Fma,
    Fms,
    Fnma,
    Fnms,
}

impl VAluOp {
    /// Whether the destination is also an input.
    pub fn accumulates(self) -> bool {
        !matches!(
            self,
            VAluOp::Add | VAluOp::Sub | VAluOp::Mul | VAluOp::Nmul | VAluOp::Div
        )
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum VUnaryOp {
    Mov,
    Neg,
    Abs,
    Sqrt,
}

/// Conversions between a float and an integer, both in S registers. `R` rounds by
/// FPSCR, the others towards zero (to an integer) or by FPSCR (to a float).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum VCvtOp {
    S32F32,
    U32F32,
    S32F32R,
    U32F32R,
    F32S32,
    F32U32,
    F32F16Bottom,
    F32F16Top,
    F16F32Bottom,
    F16F32Top,
}

/// How many instructions an IT covers and which of them run when the condition
/// is false. `then[0]` is always true.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct ItPattern {
    len: u8,
    /// Bit i: instruction i runs on the inverse condition.
    inverted: u8,
}

impl ItPattern {
    /// `then[i]` says whether instruction `i + 1` of the block runs on the
    /// condition itself; the first one always does. Up to three more.
    pub fn new(rest: &[bool]) -> Option<ItPattern> {
        if rest.len() > 3 {
            return None;
        }
        let inverted = rest
            .iter()
            .enumerate()
            .fold(0, |acc, (i, &then)| acc | u8::from(!then) << (i + 1));
        Some(ItPattern {
            len: rest.len() as u8 + 1,
            inverted,
        })
    }

    pub const ONE: ItPattern = ItPattern {
        len: 1,
        inverted: 0,
    };
    pub const THEN_ELSE: ItPattern = ItPattern {
        len: 2,
        inverted: 2,
    };
    pub const THEN_THEN: ItPattern = ItPattern {
        len: 2,
        inverted: 0,
    };

    pub fn len(self) -> u8 {
        self.len
    }

    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Whether instruction `i` runs on the condition (true) or its inverse.
    pub fn then(self, i: u8) -> bool {
        self.inverted >> i & 1 == 0
    }
}
