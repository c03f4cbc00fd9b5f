//! Every instruction variant with register and immediate edges.

use codegen::thumb::inst::*;
use codegen::thumb::{Cond, Inst, Reg, RegList, SReg};

pub fn reg(n: u8) -> Reg {
    Reg::new(n).expect("a register number")
}

pub fn sreg(n: u8) -> SReg {
    SReg::new(n).expect("a register number")
}

/// Register triples: all low, equal, high, mixed.
const TRIPLES: [(u8, u8, u8); 9] = [
    (0, 1, 2),
    (7, 7, 7),
    (3, 3, 4),
    (5, 6, 5),
    (8, 9, 10),
    (12, 0, 14),
    (14, 11, 1),
    (2, 12, 2),
    (9, 9, 3),
];

const IMMEDIATES: [u32; 14] = [
    0,
    1,
    7,
    8,
    127,
    255,
    256,
    0x3fc,
    0xff00,
    0x00ab_00ab,
    0xcd00_cd00,
    0x5a5a_5a5a,
    0x8000_0000,
    0x7f8_0000,
];

fn op2s(rm: Reg) -> Vec<Op2> {
    let mut out: Vec<Op2> = IMMEDIATES.iter().map(|&imm| Op2::Imm(imm)).collect();
    out.push(Op2::Reg(rm));
    for (op, amounts) in [
        (ShiftOp::Lsl, [1, 2, 17, 31]),
        (ShiftOp::Lsr, [1, 5, 31, 32]),
        (ShiftOp::Asr, [1, 5, 31, 32]),
        (ShiftOp::Ror, [1, 8, 24, 31]),
    ] {
        out.extend(amounts.iter().map(|&n| Op2::Shifted(rm, op, n)));
    }
    out
}

pub fn all() -> Vec<Inst> {
    let mut out = Vec::new();
    integer(&mut out);
    multiply(&mut out);
    dsp(&mut out);
    memory(&mut out);
    system(&mut out);
    float(&mut out);
    out
}

fn integer(out: &mut Vec<Inst>) {
    use AluOp::*;
    for (rd, rn, rm) in TRIPLES.map(|(a, b, c)| (reg(a), reg(b), reg(c))) {
        for s in [false, true] {
            for op2 in op2s(rm) {
                for op in [And, Bic, Orr, Orn, Eor, Add, Adc, Sbc, Sub, Rsb] {
                    out.push(Inst::Alu { op, s, rd, rn, op2 });
                }
                out.push(Inst::Mov { s, rd, op2 });
                out.push(Inst::Mvn { s, rd, op2 });
            }
            for op in [ShiftOp::Lsl, ShiftOp::Lsr, ShiftOp::Asr, ShiftOp::Ror] {
                out.push(Inst::Shift { op, s, rd, rn, rm });
            }
        }
        for op2 in op2s(rm) {
            for op in [CmpOp::Tst, CmpOp::Teq, CmpOp::Cmn, CmpOp::Cmp] {
                out.push(Inst::Compare { op, rn, op2 });
            }
        }
        for imm in [0, 1, 255, 256, 2047, 4095] {
            out.push(Inst::AddWide {
                sub: false,
                rd,
                rn,
                imm,
            });
            out.push(Inst::AddWide {
                sub: true,
                rd,
                rn,
                imm,
            });
        }
        for imm in [0, 1, 0xff, 0x100, 0x800, 0x1234, 0xf000, 0xffff] {
            out.push(Inst::Movw { rd, imm });
            out.push(Inst::Movt { rd, imm });
        }
        for op in [
            UnaryOp::Clz,
            UnaryOp::Rbit,
            UnaryOp::Rev,
            UnaryOp::Rev16,
            UnaryOp::Revsh,
        ] {
            out.push(Inst::Unary { op, rd, rm });
        }
        for (lsb, width) in [(0, 1), (0, 8), (7, 9), (16, 16), (31, 1), (0, 31), (3, 5)] {
            out.push(Inst::Bfi { rd, rn, lsb, width });
            out.push(Inst::Bfc { rd, lsb, width });
            out.push(Inst::Bfx {
                signed: false,
                rd,
                rn,
                lsb,
                width,
            });
            out.push(Inst::Bfx {
                signed: true,
                rd,
                rn,
                lsb,
                width,
            });
        }
    }
    let sp = Reg::SP;
    for imm in [0, 4, 128, 508, 512, 1020, 1024] {
        out.push(Inst::Alu {
            op: Add,
            s: false,
            rd: sp,
            rn: sp,
            op2: Op2::Imm(imm),
        });
        out.push(Inst::Alu {
            op: Sub,
            s: false,
            rd: sp,
            rn: sp,
            op2: Op2::Imm(imm),
        });
        out.push(Inst::Alu {
            op: Add,
            s: false,
            rd: reg(3),
            rn: sp,
            op2: Op2::Imm(imm),
        });
        out.push(Inst::Alu {
            op: Add,
            s: false,
            rd: reg(11),
            rn: sp,
            op2: Op2::Imm(imm),
        });
    }
    out.push(Inst::AddWide {
        sub: false,
        rd: reg(4),
        rn: sp,
        imm: 1023,
    });
    out.push(Inst::AddWide {
        sub: true,
        rd: sp,
        rn: sp,
        imm: 4094,
    });
    out.push(Inst::Mov {
        s: false,
        rd: reg(2),
        op2: Op2::Reg(sp),
    });
    out.push(Inst::Mov {
        s: false,
        rd: sp,
        op2: Op2::Reg(reg(9)),
    });
    out.push(Inst::Alu {
        op: Add,
        s: false,
        rd: reg(2),
        rn: sp,
        op2: Op2::Reg(reg(2)),
    });
    for rd in [reg(0), reg(7), reg(8)] {
        for offset in [0, 4, 1020] {
            out.push(Inst::Adr {
                rd,
                offset,
                wide: false,
            });
        }
        for offset in [-4095, -1, 0, 3, 4095] {
            out.push(Inst::Adr {
                rd,
                offset,
                wide: true,
            });
        }
    }
}

fn multiply(out: &mut Vec<Inst>) {
    use {Mul2Op::*, Mul3Op::*, MulLongOp::*};
    for (rd, rn, rm) in TRIPLES.map(|(a, b, c)| (reg(a), reg(b), reg(c))) {
        out.push(Inst::Mul {
            s: false,
            rd,
            rn,
            rm,
        });
        for op in [
            Smulbb, Smulbt, Smultb, Smultt, Smulwb, Smulwt, Smuad, Smuadx, Smusd, Smusdx, Smmul,
            Smmulr, Usad8, Sdiv, Udiv,
        ] {
            out.push(Inst::Mul2 { op, rd, rn, rm });
        }
        for ra in [reg(4), reg(14)] {
            for op in [
                Mla, Mls, Smlabb, Smlabt, Smlatb, Smlatt, Smlawb, Smlawt, Smlad, Smladx, Smlsd,
                Smlsdx, Smmla, Smmlar, Smmls, Smmlsr, Usada8,
            ] {
                out.push(Inst::Mul3 { op, rd, rn, rm, ra });
            }
        }
        for (lo, hi) in [(0, 1), (12, 3)] {
            for op in [
                Smull, Umull, Smlal, Umlal, Umaal, Smlalbb, Smlalbt, Smlaltb, Smlaltt, Smlald,
                Smlaldx, Smlsld, Smlsldx,
            ] {
                out.push(Inst::MulLong {
                    op,
                    lo: reg(lo),
                    hi: reg(hi),
                    rn,
                    rm,
                });
            }
        }
    }
    out.push(Inst::Mul {
        s: true,
        rd: reg(3),
        rn: reg(5),
        rm: reg(3),
    });
}

fn dsp(out: &mut Vec<Inst>) {
    use ExtendOp::*;
    for (rd, rn, rm) in TRIPLES.map(|(a, b, c)| (reg(a), reg(b), reg(c))) {
        for rot in 0..4 {
            for op in [Sxth, Uxth, Sxtb16, Uxtb16, Sxtb, Uxtb] {
                out.push(Inst::Extend { op, rd, rm, rot });
                out.push(Inst::ExtendAdd {
                    op,
                    rd,
                    rn,
                    rm,
                    rot,
                });
            }
        }
        for prefix in [
            ParallelPrefix::S,
            ParallelPrefix::Q,
            ParallelPrefix::Sh,
            ParallelPrefix::U,
            ParallelPrefix::Uq,
            ParallelPrefix::Uh,
        ] {
            for op in [
                ParallelOp::Add8,
                ParallelOp::Add16,
                ParallelOp::Asx,
                ParallelOp::Sub8,
                ParallelOp::Sub16,
                ParallelOp::Sax,
            ] {
                out.push(Inst::Parallel {
                    prefix,
                    op,
                    rd,
                    rn,
                    rm,
                });
            }
        }
        for op in [
            SaturatingOp::Qadd,
            SaturatingOp::Qdadd,
            SaturatingOp::Qsub,
            SaturatingOp::Qdsub,
        ] {
            out.push(Inst::Saturating { op, rd, rm, rn });
        }
        out.push(Inst::Sel { rd, rn, rm });
        for shift in [0, 1, 16, 31] {
            out.push(Inst::Pack {
                top: false,
                rd,
                rn,
                rm,
                shift,
            });
            out.push(Inst::Pack {
                top: true,
                rd,
                rn,
                rm,
                shift: shift + 1,
            });
        }
        for (bits, asr, shift) in [(1, false, 0), (8, false, 4), (16, true, 1), (31, true, 31)] {
            out.push(Inst::Sat {
                unsigned: false,
                rd,
                bits,
                rn,
                asr,
                shift,
            });
            out.push(Inst::Sat {
                unsigned: true,
                rd,
                bits: bits - 1,
                rn,
                asr,
                shift,
            });
        }
        out.push(Inst::Sat {
            unsigned: false,
            rd,
            bits: 32,
            rn,
            asr: false,
            shift: 31,
        });
        for bits in [1, 8, 15] {
            out.push(Inst::Sat16 {
                unsigned: false,
                rd,
                bits: bits + 1,
                rn,
            });
            out.push(Inst::Sat16 {
                unsigned: true,
                rd,
                bits,
                rn,
            });
        }
    }
}

fn memory(out: &mut Vec<Inst>) {
    let load_sizes = [
        LoadSize::Byte,
        LoadSize::SignedByte,
        LoadSize::Half,
        LoadSize::SignedHalf,
        LoadSize::Word,
    ];
    let store_sizes = [StoreSize::Byte, StoreSize::Half, StoreSize::Word];
    let bases = [(0, 1, 2), (7, 0, 9), (8, 7, 1), (12, 14, 5), (5, 13, 3)];
    for (rt, rn, rm) in bases.map(|(a, b, c)| (reg(a), reg(b), reg(c))) {
        let mut addrs = vec![];
        for offset in [
            0, 1, 2, 4, 31, 32, 62, 64, 124, 128, 255, 256, 1020, 1024, 4095, -1, -255,
        ] {
            addrs.push(Addr::Offset(rn, offset));
        }
        for offset in [-255, -4, 0, 4, 255] {
            addrs.push(Addr::Pre(rn, offset));
            addrs.push(Addr::Post(rn, offset));
        }
        for shift in 0..4 {
            addrs.push(Addr::Index(rn, rm, shift));
        }
        for addr in addrs {
            out.extend(load_sizes.map(|size| Inst::Load { size, rt, addr }));
            out.extend(store_sizes.map(|size| Inst::Store { size, rt, addr }));
        }
        for offset in [-4095, -8, 0, 4, 1020, 4095] {
            out.extend(load_sizes.map(|size| Inst::Load {
                size,
                rt,
                addr: Addr::Literal(offset),
            }));
        }
        for offset in [-1020, -4, 0, 4, 1020] {
            for addr in [
                Addr::Offset(rn, offset),
                Addr::Pre(rn, offset),
                Addr::Post(rn, offset),
            ] {
                // objdump drops the write-back mark of this one.
                if matches!(addr, Addr::Pre(_, 0)) {
                    continue;
                }
                out.push(Inst::LoadPair {
                    rt,
                    rt2: reg(4),
                    addr,
                });
                out.push(Inst::StorePair {
                    rt,
                    rt2: reg(4),
                    addr,
                });
            }
        }
    }
    for (rn, wback, before, regs) in [
        (0, true, false, 0x0006),
        (0, false, false, 0x0003),
        (5, false, false, 0x0060),
        (3, true, false, 0x4ff0),
        (9, true, false, 0x000f),
        (9, false, false, 0x00f1),
        (2, true, true, 0x0030),
        (10, false, true, 0x1c00),
    ] {
        let (rn, regs) = (reg(rn), RegList(regs));
        out.push(Inst::LoadMany {
            rn,
            wback,
            before,
            regs,
        });
        out.push(Inst::StoreMany {
            rn,
            wback,
            before,
            regs,
        });
    }
    out.push(Inst::LoadMany {
        rn: reg(1),
        wback: false,
        before: false,
        regs: RegList(0x8004),
    });
    for regs in [0x0001, 0x4000, 0x40f0, 0x00ff, 0x4ff0, 0x0100, 0x0f00] {
        out.push(Inst::Push {
            regs: RegList(regs),
        });
    }
    for regs in [0x0001, 0x8000, 0x80f0, 0x00ff, 0x8ff0, 0x0100, 0x0f00] {
        out.push(Inst::Pop {
            regs: RegList(regs),
        });
    }
}

fn system(out: &mut Vec<Inst>) {
    for offset in [-2048, -2, 0, 4, 2046] {
        out.push(Inst::B {
            offset,
            wide: false,
        });
    }
    for offset in [
        -0x100_0000,
        -2050,
        0,
        4,
        0xff_fffe,
        0x40_0000,
        -0x40_0002,
        0x80_0000,
    ] {
        out.push(Inst::B { offset, wide: true });
        out.push(Inst::Bl { offset });
    }
    for cond in Cond::ALL {
        for offset in [-256, 0, 254] {
            out.push(Inst::BCond {
                cond,
                offset,
                wide: false,
            });
        }
        for offset in [-0x10_0000, -258, 0, 0xf_fffe, 0x4_0000, 0x8_0000] {
            out.push(Inst::BCond {
                cond,
                offset,
                wide: true,
            });
        }
    }
    for rm in [reg(0), reg(8), reg(14)] {
        out.push(Inst::Blx { rm });
        out.push(Inst::Bx { rm });
    }
    for offset in [0, 2, 62, 64, 126] {
        out.push(Inst::Cbz {
            nonzero: false,
            rn: reg(0),
            offset,
        });
        out.push(Inst::Cbz {
            nonzero: true,
            rn: reg(7),
            offset,
        });
    }
    for (rn, rm) in [(15, 0), (3, 12)] {
        out.push(Inst::TableBranch {
            half: false,
            rn: reg(rn),
            rm: reg(rm),
        });
        out.push(Inst::TableBranch {
            half: true,
            rn: reg(rn),
            rm: reg(rm),
        });
    }
    for sys in [
        SysReg::Apsr,
        SysReg::Xpsr,
        SysReg::Ipsr,
        SysReg::Epsr,
        SysReg::Msp,
        SysReg::Psp,
        SysReg::Primask,
        SysReg::Basepri,
        SysReg::Faultmask,
        SysReg::Control,
    ] {
        out.push(Inst::Mrs { rd: reg(3), sys });
        if !matches!(sys, SysReg::Ipsr | SysReg::Epsr) {
            out.push(Inst::Msr { sys, rn: reg(10) });
        }
    }
    for (primask, faultmask) in [(true, false), (false, true), (true, true)] {
        for enable in [false, true] {
            out.push(Inst::Cps {
                enable,
                primask,
                faultmask,
            });
        }
    }
    out.extend([Hint::Nop, Hint::Yield, Hint::Wfe, Hint::Wfi, Hint::Sev].map(Inst::Hint));
    out.extend([Barrier::Dsb, Barrier::Dmb, Barrier::Isb].map(Inst::Barrier));
    for imm in [0, 1, 0xab, 0xff] {
        out.extend([Inst::Bkpt(imm), Inst::Udf(imm), Inst::Svc(imm)]);
    }
}

fn float(out: &mut Vec<Inst>) {
    use VAluOp::*;
    let triples = [
        (0, 1, 2),
        (31, 30, 29),
        (7, 16, 31),
        (15, 15, 15),
        (2, 0, 17),
    ];
    for (sd, sn, sm) in triples.map(|(a, b, c)| (sreg(a), sreg(b), sreg(c))) {
        for op in [
            Add, Sub, Mul, Nmul, Div, Mla, Mls, Nmla, Nmls, Fma, Fms, Fnma, Fnms,
        ] {
            out.push(Inst::VAlu { op, sd, sn, sm });
        }
        for op in [VUnaryOp::Mov, VUnaryOp::Neg, VUnaryOp::Abs, VUnaryOp::Sqrt] {
            out.push(Inst::VUnary { op, sd, sm });
        }
        for e in [false, true] {
            out.push(Inst::VCmp { e, sd, sm });
            out.push(Inst::VCmpZero { e, sd });
        }
        for op in [
            VCvtOp::S32F32,
            VCvtOp::U32F32,
            VCvtOp::S32F32R,
            VCvtOp::U32F32R,
            VCvtOp::F32S32,
            VCvtOp::F32U32,
            VCvtOp::F32F16Bottom,
            VCvtOp::F32F16Top,
            VCvtOp::F16F32Bottom,
            VCvtOp::F16F32Top,
        ] {
            out.push(Inst::VCvt { op, sd, sm });
        }
        for to_fixed in [false, true] {
            for unsigned in [false, true] {
                for fbits in [0, 1, 8, 15, 16] {
                    out.push(Inst::VCvtFixed {
                        to_fixed,
                        unsigned,
                        half: true,
                        sd,
                        fbits,
                    });
                }
                for fbits in [1, 16, 31, 32] {
                    out.push(Inst::VCvtFixed {
                        to_fixed,
                        unsigned,
                        half: false,
                        sd,
                        fbits,
                    });
                }
            }
        }
        for rt in [reg(0), reg(12), reg(14)] {
            out.push(Inst::VMovToCore { rt, sn });
            out.push(Inst::VMovFromCore { sn, rt });
        }
        for rn in [reg(0), reg(11), Reg::SP] {
            for offset in [-1020, -4, 0, 4, 8, 1020] {
                out.push(Inst::VLoad { sd, rn, offset });
                out.push(Inst::VStore { sd, rn, offset });
            }
        }
    }
    for imm8 in 0..=255 {
        out.push(Inst::VMovImm {
            sd: sreg(imm8 & 31),
            imm8,
        });
    }
    for first in [0, 1, 14, 30] {
        let sm = sreg(first);
        out.push(Inst::VMovToCore2 {
            rt: reg(1),
            rt2: reg(12),
            sm,
        });
        out.push(Inst::VMovFromCore2 {
            sm,
            rt: reg(7),
            rt2: reg(8),
        });
    }
    for rt in [reg(0), reg(12), Reg::PC] {
        out.push(Inst::Vmrs { rt });
    }
    out.push(Inst::Vmsr { rt: reg(5) });
    for (first, count) in [(0, 1), (0, 8), (16, 16), (31, 1), (0, 32), (3, 5)] {
        let first = sreg(first);
        for rn in [reg(0), reg(10), Reg::SP] {
            for (wback, before) in [(false, false), (true, false), (true, true)] {
                out.push(Inst::VLoadMany {
                    rn,
                    wback,
                    before,
                    first,
                    count,
                });
                out.push(Inst::VStoreMany {
                    rn,
                    wback,
                    before,
                    first,
                    count,
                });
            }
        }
        out.push(Inst::VPush { first, count });
        out.push(Inst::VPop { first, count });
    }
}

/// Instructions that may stand in an IT block, for the flag-free 16-bit forms.
pub fn predicable() -> Vec<Inst> {
    all()
        .into_iter()
        .filter(|inst| match *inst {
            Inst::Mov { op2, rd, .. } => {
                matches!(
                    op2,
                    Op2::Reg(_) | Op2::Imm(0..=300) | Op2::Shifted(_, _, 1..=8)
                ) && rd != Reg::SP
            }
            Inst::Alu { op2, rd, .. } => {
                matches!(op2, Op2::Reg(_) | Op2::Imm(0..=300)) && rd != Reg::SP
            }
            Inst::Mvn { op2, .. } => matches!(op2, Op2::Reg(_)),
            Inst::Shift { .. }
            | Inst::Mul { .. }
            | Inst::Extend { .. }
            | Inst::Unary { .. }
            | Inst::Mul3 { .. }
            | Inst::Load {
                addr: Addr::Offset(..),
                ..
            }
            | Inst::Store {
                addr: Addr::Offset(..),
                ..
            }
            | Inst::VAlu { .. }
            | Inst::VUnary { .. }
            | Inst::VMovToCore { .. }
            | Inst::VMovFromCore { .. }
            | Inst::Udf(_) => true,
            Inst::Compare { op2, .. } => matches!(op2, Op2::Reg(_)),
            _ => false,
        })
        .collect()
}
