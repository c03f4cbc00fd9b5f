//! Calls that are one instruction.
//!
//! A kernel calls a function with one of these names; the call is replaced by the
//! instruction. The host reference links a function of the same name instead.

use super::super::inst::{
    Barrier, ExtendOp, Hint, Inst, Mul2Op, Mul3Op, ParallelOp, ParallelPrefix, SaturatingOp,
};
use super::super::reg::Reg;

/// How an intrinsic becomes an instruction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Intrinsic {
    /// One result, pure.
    Pure(usize, fn(Reg, &[Reg]) -> Inst),
    /// No operands; ordered with memory accesses and calls.
    Effect(Inst),
}

fn ext(op: ExtendOp, rot: u8, rd: Reg, a: &[Reg]) -> Inst {
    Inst::Extend {
        op,
        rd,
        rm: a[0],
        rot,
    }
}

fn ext_add(op: ExtendOp, rot: u8, rd: Reg, a: &[Reg]) -> Inst {
    Inst::ExtendAdd {
        op,
        rd,
        rn: a[0],
        rm: a[1],
        rot,
    }
}

fn mul2(op: Mul2Op, rd: Reg, a: &[Reg]) -> Inst {
    Inst::Mul2 {
        op,
        rd,
        rn: a[0],
        rm: a[1],
    }
}

/// The accumulator comes first in the call, as in `s2_smlad(acc, x, y)`.
fn mul3(op: Mul3Op, rd: Reg, a: &[Reg]) -> Inst {
    Inst::Mul3 {
        op,
        rd,
        rn: a[1],
        rm: a[2],
        ra: a[0],
    }
}

fn parallel(prefix: ParallelPrefix, op: ParallelOp, rd: Reg, a: &[Reg]) -> Inst {
    Inst::Parallel {
        prefix,
        op,
        rd,
        rn: a[0],
        rm: a[1],
    }
}

fn saturating(op: SaturatingOp, rd: Reg, a: &[Reg]) -> Inst {
    Inst::Saturating {
        op,
        rd,
        rm: a[0],
        rn: a[1],
    }
}

fn saturate(unsigned: bool, bits: u8, rd: Reg, a: &[Reg]) -> Inst {
    Inst::Sat {
        unsigned,
        rd,
        bits,
        rn: a[0],
        asr: false,
        shift: 0,
    }
}

/// The table: name, number of arguments, instruction.
pub(super) fn find(name: &str) -> Option<Intrinsic> {
    use ExtendOp::*;
    use Intrinsic::{Effect, Pure};
    use ParallelOp::*;
    use ParallelPrefix::*;
    Some(match name {
        "s2_sxtab16" => Pure(2, |d, a| ext_add(Sxtb16, 0, d, a)),
        "s2_sxtab16_ror8" => Pure(2, |d, a| ext_add(Sxtb16, 1, d, a)),
        "s2_sxtab16_ror16" => Pure(2, |d, a| ext_add(Sxtb16, 2, d, a)),
        "s2_sxtab16_ror24" => Pure(2, |d, a| ext_add(Sxtb16, 3, d, a)),
        "s2_uxtab16" => Pure(2, |d, a| ext_add(Uxtb16, 0, d, a)),
        "s2_uxtab16_ror8" => Pure(2, |d, a| ext_add(Uxtb16, 1, d, a)),
        "s2_sxtab" => Pure(2, |d, a| ext_add(Sxtb, 0, d, a)),
        "s2_sxtab_ror8" => Pure(2, |d, a| ext_add(Sxtb, 1, d, a)),
        "s2_sxtab_ror16" => Pure(2, |d, a| ext_add(Sxtb, 2, d, a)),
        "s2_sxtab_ror24" => Pure(2, |d, a| ext_add(Sxtb, 3, d, a)),
        "s2_uxtab" => Pure(2, |d, a| ext_add(Uxtb, 0, d, a)),
        "s2_uxtab_ror8" => Pure(2, |d, a| ext_add(Uxtb, 1, d, a)),
        "s2_uxtab_ror16" => Pure(2, |d, a| ext_add(Uxtb, 2, d, a)),
        "s2_uxtab_ror24" => Pure(2, |d, a| ext_add(Uxtb, 3, d, a)),
        "s2_sxtah" => Pure(2, |d, a| ext_add(Sxth, 0, d, a)),
        "s2_sxtah_ror16" => Pure(2, |d, a| ext_add(Sxth, 2, d, a)),
        "s2_uxtah" => Pure(2, |d, a| ext_add(Uxth, 0, d, a)),
        "s2_uxtah_ror16" => Pure(2, |d, a| ext_add(Uxth, 2, d, a)),
        "s2_sxtb16" => Pure(1, |d, a| ext(Sxtb16, 0, d, a)),
        "s2_sxtb16_ror8" => Pure(1, |d, a| ext(Sxtb16, 1, d, a)),
        "s2_uxtb16" => Pure(1, |d, a| ext(Uxtb16, 0, d, a)),
        "s2_uxtb16_ror8" => Pure(1, |d, a| ext(Uxtb16, 1, d, a)),
        "s2_smlad" => Pure(3, |d, a| mul3(Mul3Op::Smlad, d, a)),
        "s2_smladx" => Pure(3, |d, a| mul3(Mul3Op::Smladx, d, a)),
        "s2_smlsd" => Pure(3, |d, a| mul3(Mul3Op::Smlsd, d, a)),
        "s2_smlabb" => Pure(3, |d, a| mul3(Mul3Op::Smlabb, d, a)),
        "s2_smlabt" => Pure(3, |d, a| mul3(Mul3Op::Smlabt, d, a)),
        "s2_smlatb" => Pure(3, |d, a| mul3(Mul3Op::Smlatb, d, a)),
        "s2_smlatt" => Pure(3, |d, a| mul3(Mul3Op::Smlatt, d, a)),
        "s2_smlawb" => Pure(3, |d, a| mul3(Mul3Op::Smlawb, d, a)),
        "s2_smlawt" => Pure(3, |d, a| mul3(Mul3Op::Smlawt, d, a)),
        "s2_smmla" => Pure(3, |d, a| mul3(Mul3Op::Smmla, d, a)),
        "s2_smmlar" => Pure(3, |d, a| mul3(Mul3Op::Smmlar, d, a)),
        "s2_usada8" => Pure(3, |d, a| mul3(Mul3Op::Usada8, d, a)),
        "s2_smuad" => Pure(2, |d, a| mul2(Mul2Op::Smuad, d, a)),
        "s2_smusd" => Pure(2, |d, a| mul2(Mul2Op::Smusd, d, a)),
        "s2_smulbb" => Pure(2, |d, a| mul2(Mul2Op::Smulbb, d, a)),
        "s2_smulbt" => Pure(2, |d, a| mul2(Mul2Op::Smulbt, d, a)),
        "s2_smultb" => Pure(2, |d, a| mul2(Mul2Op::Smultb, d, a)),
        "s2_smultt" => Pure(2, |d, a| mul2(Mul2Op::Smultt, d, a)),
        "s2_smulwb" => Pure(2, |d, a| mul2(Mul2Op::Smulwb, d, a)),
        "s2_smulwt" => Pure(2, |d, a| mul2(Mul2Op::Smulwt, d, a)),
        "s2_smmul" => Pure(2, |d, a| mul2(Mul2Op::Smmul, d, a)),
        "s2_smmulr" => Pure(2, |d, a| mul2(Mul2Op::Smmulr, d, a)),
        "s2_udiv" => Pure(2, |d, a| mul2(Mul2Op::Udiv, d, a)),
        "s2_sadd16" => Pure(2, |d, a| parallel(S, Add16, d, a)),
        "s2_ssub16" => Pure(2, |d, a| parallel(S, Sub16, d, a)),
        "s2_sadd8" => Pure(2, |d, a| parallel(S, Add8, d, a)),
        "s2_ssub8" => Pure(2, |d, a| parallel(S, Sub8, d, a)),
        "s2_qadd16" => Pure(2, |d, a| parallel(Q, Add16, d, a)),
        "s2_qsub16" => Pure(2, |d, a| parallel(Q, Sub16, d, a)),
        "s2_uqsub16" => Pure(2, |d, a| parallel(Uq, Sub16, d, a)),
        "s2_shadd16" => Pure(2, |d, a| parallel(Sh, Add16, d, a)),
        "s2_uhadd8" => Pure(2, |d, a| parallel(Uh, Add8, d, a)),
        "s2_uadd8" => Pure(2, |d, a| parallel(U, Add8, d, a)),
        "s2_qadd" => Pure(2, |d, a| saturating(SaturatingOp::Qadd, d, a)),
        "s2_qsub" => Pure(2, |d, a| saturating(SaturatingOp::Qsub, d, a)),
        "s2_ssat8" => Pure(1, |d, a| saturate(false, 8, d, a)),
        "s2_ssat16" => Pure(1, |d, a| saturate(false, 16, d, a)),
        "s2_usat8" => Pure(1, |d, a| saturate(true, 8, d, a)),
        "s2_usat16" => Pure(1, |d, a| saturate(true, 16, d, a)),
        "s2_pkhbt" => Pure(2, |rd, a| Inst::Pack {
            top: false,
            rd,
            rn: a[0],
            rm: a[1],
            shift: 16,
        }),
        "s2_pkhtb" => Pure(2, |rd, a| Inst::Pack {
            top: true,
            rd,
            rn: a[0],
            rm: a[1],
            shift: 16,
        }),
        "s2_wfi" => Effect(Inst::Hint(Hint::Wfi)),
        "s2_wfe" => Effect(Inst::Hint(Hint::Wfe)),
        "s2_sev" => Effect(Inst::Hint(Hint::Sev)),
        "s2_nop" => Effect(Inst::Hint(Hint::Nop)),
        "s2_dsb" => Effect(Inst::Barrier(Barrier::Dsb)),
        "s2_dmb" => Effect(Inst::Barrier(Barrier::Dmb)),
        "s2_isb" => Effect(Inst::Barrier(Barrier::Isb)),
        "s2_cpsid_i" => Effect(Inst::Cps {
            enable: false,
            primask: true,
            faultmask: false,
        }),
        "s2_cpsie_i" => Effect(Inst::Cps {
            enable: true,
            primask: true,
            faultmask: false,
        }),
        _ => return None,
    })
}
