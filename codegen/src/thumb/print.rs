//! Assembly text, spelled as GNU objdump spells it, so that a test can compare
//! the two for every instruction that the compiler emits.
//!
//! The text depends on the encoding (`.w`, `.n`, two-operand forms), so printing
//! asks the encoder for the size first.

use super::encode::{Encoding, encode_in};
use super::imm;
use super::inst::*;
use super::reg::{Cond, Reg, RegList, SReg};
use std::fmt;

impl fmt::Display for Inst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(self, None, 0))
    }
}

/// The text of an instruction at `address` (for branch targets), inside an IT
/// block when there is a condition. Mnemonic and operands are parted by a tab.
pub fn text(inst: &Inst, cond: Option<Cond>, address: u32) -> String {
    let narrow = matches!(encode_in(inst, cond.is_some()), Ok(Encoding::Narrow(_)));
    let p = Printer {
        cond: cond.map_or("", Cond::name),
        narrow,
        address,
    };
    p.inst(inst)
}

struct Printer {
    cond: &'static str,
    narrow: bool,
    address: u32,
}

impl Printer {
    /// A mnemonic that carries `.w` in its 32-bit form.
    fn w(&self, name: &str, s: bool) -> String {
        format!("{}{}", self.n(name, s), if self.narrow { "" } else { ".w" })
    }

    /// A mnemonic without a width suffix.
    fn n(&self, name: &str, s: bool) -> String {
        format!("{name}{}{}", if s { "s" } else { "" }, self.cond)
    }

    fn v(&self, name: &str) -> String {
        match name.split_once('.') {
            Some((stem, types)) => format!("{stem}{}.{types}", self.cond),
            None => self.n(name, false),
        }
    }

    fn target(&self, offset: i32) -> String {
        format!(
            "{:#x}",
            self.address.wrapping_add(4).wrapping_add(offset as u32)
        )
    }

    fn inst(&self, inst: &Inst) -> String {
        match *inst {
            Inst::Alu { op, s, rd, rn, op2 } => self.alu(op, s, rd, rn, op2),
            Inst::AddWide { sub, rd, rn, imm } => {
                format!(
                    "{}\t{rd}, {rn}, #{imm}",
                    self.n(if sub { "subw" } else { "addw" }, false)
                )
            }
            Inst::Mov { s, rd, op2 } => self.mov(s, rd, op2),
            Inst::Mvn { s, rd, op2 } => format!("{}\t{rd}, {}", self.w("mvn", s), op2_text(op2)),
            Inst::Movw { rd, imm } => format!("{}\t{rd}, #{imm}", self.n("movw", false)),
            Inst::Movt { rd, imm } => format!("{}\t{rd}, #{imm}", self.n("movt", false)),
            Inst::Shift { op, s, rd, rn, rm } => {
                let name = self.w(shift_name(op), s);
                if self.narrow {
                    format!("{name}\t{rd}, {rm}")
                } else {
                    format!("{name}\t{rd}, {rn}, {rm}")
                }
            }
            Inst::Compare { op, rn, op2 } => {
                let name = match op {
                    CmpOp::Tst => self.w("tst", false),
                    CmpOp::Teq => self.n("teq", false),
                    CmpOp::Cmn => self.w("cmn", false),
                    CmpOp::Cmp => self.w("cmp", false),
                };
                format!("{name}\t{rn}, {}", op2_text(op2))
            }
            Inst::Mul { s, rd, rn, rm } => {
                let name = self.w("mul", s);
                if self.narrow {
                    format!("{name}\t{rd}, {rn}")
                } else {
                    format!("{name}\t{rd}, {rn}, {rm}")
                }
            }
            Inst::Mul2 { op, rd, rn, rm } => {
                format!("{}\t{rd}, {rn}, {rm}", self.n(&lower(op), false))
            }
            Inst::Mul3 { op, rd, rn, rm, ra } => {
                format!("{}\t{rd}, {rn}, {rm}, {ra}", self.n(&lower(op), false))
            }
            Inst::MulLong { op, lo, hi, rn, rm } => {
                format!("{}\t{lo}, {hi}, {rn}, {rm}", self.n(&lower(op), false))
            }
            Inst::Extend { op, rd, rm, rot } => {
                let wide = !matches!(op, ExtendOp::Sxtb16 | ExtendOp::Uxtb16);
                let name = lower(op);
                let name = if wide {
                    self.w(&name, false)
                } else {
                    self.n(&name, false)
                };
                format!("{name}\t{rd}, {rm}{}", rotation(rot))
            }
            Inst::ExtendAdd {
                op,
                rd,
                rn,
                rm,
                rot,
            } => {
                let name = lower(op).replace("xt", "xta");
                format!(
                    "{}\t{rd}, {rn}, {rm}{}",
                    self.n(&name, false),
                    rotation(rot)
                )
            }
            Inst::Parallel {
                prefix,
                op,
                rd,
                rn,
                rm,
            } => {
                let name = format!("{}{}", lower(prefix), lower(op));
                format!("{}\t{rd}, {rn}, {rm}", self.n(&name, false))
            }
            Inst::Saturating { op, rd, rm, rn } => {
                format!("{}\t{rd}, {rm}, {rn}", self.n(&lower(op), false))
            }
            Inst::Sel { rd, rn, rm } => format!("{}\t{rd}, {rn}, {rm}", self.n("sel", false)),
            Inst::Pack {
                top,
                rd,
                rn,
                rm,
                shift,
            } => {
                let name = self.n(if top { "pkhtb" } else { "pkhbt" }, false);
                let shift = match (top, shift) {
                    (false, 0) => String::new(),
                    (false, n) => format!(", lsl #{n}"),
                    (true, n) => format!(", asr #{n}"),
                };
                format!("{name}\t{rd}, {rn}, {rm}{shift}")
            }
            Inst::Sat {
                unsigned,
                rd,
                bits,
                rn,
                asr,
                shift,
            } => {
                let name = self.n(if unsigned { "usat" } else { "ssat" }, false);
                let shift = match (asr, shift) {
                    (false, 0) => String::new(),
                    (false, n) => format!(", lsl #{n}"),
                    (true, n) => format!(", asr #{n}"),
                };
                format!("{name}\t{rd}, #{bits}, {rn}{shift}")
            }
            Inst::Sat16 {
                unsigned,
                rd,
                bits,
                rn,
            } => {
                format!(
                    "{}\t{rd}, #{bits}, {rn}",
                    self.n(if unsigned { "usat16" } else { "ssat16" }, false)
                )
            }
            Inst::Unary { op, rd, rm } => {
                let name = lower(op);
                let wide = !matches!(op, UnaryOp::Clz | UnaryOp::Rbit);
                let name = if wide {
                    self.w(&name, false)
                } else {
                    self.n(&name, false)
                };
                format!("{name}\t{rd}, {rm}")
            }
            Inst::Bfi { rd, rn, lsb, width } => {
                format!("{}\t{rd}, {rn}, #{lsb}, #{width}", self.n("bfi", false))
            }
            Inst::Bfc { rd, lsb, width } => {
                format!("{}\t{rd}, #{lsb}, #{width}", self.n("bfc", false))
            }
            Inst::Bfx {
                signed,
                rd,
                rn,
                lsb,
                width,
            } => {
                let name = self.n(if signed { "sbfx" } else { "ubfx" }, false);
                format!("{name}\t{rd}, {rn}, #{lsb}, #{width}")
            }
            Inst::Load { size, rt, addr } => {
                let name = match size {
                    LoadSize::Byte => "ldrb",
                    LoadSize::SignedByte => "ldrsb",
                    LoadSize::Half => "ldrh",
                    LoadSize::SignedHalf => "ldrsh",
                    LoadSize::Word => "ldr",
                };
                format!("{}\t{rt}, {}", self.w(name, false), self.addr(addr))
            }
            Inst::Store { size, rt, addr } => {
                let name = match size {
                    StoreSize::Byte => "strb",
                    StoreSize::Half => "strh",
                    StoreSize::Word => "str",
                };
                format!("{}\t{rt}, {}", self.w(name, false), self.addr(addr))
            }
            Inst::LoadPair { rt, rt2, addr } => {
                format!(
                    "{}\t{rt}, {rt2}, {}",
                    self.n("ldrd", false),
                    self.addr(addr)
                )
            }
            Inst::StorePair { rt, rt2, addr } => {
                format!(
                    "{}\t{rt}, {rt2}, {}",
                    self.n("strd", false),
                    self.addr(addr)
                )
            }
            Inst::LoadMany {
                rn,
                wback,
                before,
                regs,
            } => {
                let name = if before {
                    self.n("ldmdb", false)
                } else {
                    self.w("ldmia", false)
                };
                format!("{name}\t{rn}{}, {regs}", bang(wback))
            }
            Inst::StoreMany {
                rn,
                wback,
                before,
                regs,
            } => {
                let name = if before {
                    self.n("stmdb", false)
                } else {
                    self.w("stmia", false)
                };
                format!("{name}\t{rn}{}, {regs}", bang(wback))
            }
            Inst::Push { regs } => self.push(regs),
            Inst::Pop { regs } => self.pop(regs),
            Inst::TableBranch {
                half: false,
                rn,
                rm,
            } => format!("{}\t[{rn}, {rm}]", self.n("tbb", false)),
            Inst::TableBranch { half: true, rn, rm } => {
                format!("{}\t[{rn}, {rm}, lsl #1]", self.n("tbh", false))
            }
            Inst::B { offset, .. } => {
                format!("b{}.{}\t{}", self.cond, self.letter(), self.target(offset))
            }
            Inst::BCond { cond, offset, .. } => {
                format!("b{cond}.{}\t{}", self.letter(), self.target(offset))
            }
            Inst::Bl { offset } => format!("{}\t{}", self.n("bl", false), self.target(offset)),
            Inst::Blx { rm } => format!("{}\t{rm}", self.n("blx", false)),
            Inst::Bx { rm } => format!("{}\t{rm}", self.n("bx", false)),
            Inst::Cbz {
                nonzero,
                rn,
                offset,
            } => {
                format!(
                    "{}\t{rn}, {}",
                    if nonzero { "cbnz" } else { "cbz" },
                    self.target(offset)
                )
            }
            Inst::It { cond, pattern } => {
                let letters: String = (1..pattern.len())
                    .map(|i| if pattern.then(i) { 't' } else { 'e' })
                    .collect();
                format!("it{letters}\t{cond}")
            }
            Inst::Adr { rd, offset, .. } => self.adr(rd, offset),
            Inst::Mrs {
                rd,
                sys: SysReg::Apsr,
            } => format!("{}\t{rd}, CPSR", self.n("mrs", false)),
            Inst::Mrs { rd, sys } => format!("{}\t{rd}, {}", self.n("mrs", false), sys_name(sys)),
            Inst::Msr { sys, rn } => {
                format!("{}\t{}, {rn}", self.n("msr", false), sys_name(sys))
            }
            Inst::Cps {
                enable,
                primask,
                faultmask,
            } => format!(
                "cpsi{}\t{}{}",
                if enable { "e" } else { "d" },
                if primask { "i" } else { "" },
                if faultmask { "f" } else { "" }
            ),
            Inst::Hint(hint) => self.n(&lower(hint), false),
            Inst::Barrier(barrier) => format!("{}\tsy", self.n(&lower(barrier), false)),
            Inst::Bkpt(imm) => format!("bkpt\t{imm:#06x}"),
            Inst::Udf(imm) => format!("{}\t#{imm}", self.n("udf", false)),
            Inst::Svc(imm) => format!("{}\t{imm}", self.n("svc", false)),
            Inst::VAlu { op, sd, sn, sm } => {
                let stem = match op {
                    VAluOp::Fma => "vfma".into(),
                    VAluOp::Fms => "vfms".into(),
                    VAluOp::Fnma => "vfnma".into(),
                    VAluOp::Fnms => "vfnms".into(),
                    _ => format!("v{}", lower(op)),
                };
                format!("{}\t{sd}, {sn}, {sm}", self.v(&format!("{stem}.f32")))
            }
            Inst::VUnary { op, sd, sm } => {
                format!("{}\t{sd}, {sm}", self.v(&format!("v{}.f32", lower(op))))
            }
            Inst::VMovImm { sd, imm8 } => {
                let value = imm::vfp_value(imm8);
                // objdump prints %g of the value with the encoded byte in front of it.
                format!("{}\t{sd}, #{imm8}\t@ {value:#e}", self.v("vmov.f32"))
                    .split("\t@")
                    .next()
                    .unwrap_or_default()
                    .to_string()
            }
            Inst::VCmp { e, sd, sm } => {
                format!(
                    "{}\t{sd}, {sm}",
                    self.v(if e { "vcmpe.f32" } else { "vcmp.f32" })
                )
            }
            Inst::VCmpZero { e, sd } => {
                format!(
                    "{}\t{sd}, #0.0",
                    self.v(if e { "vcmpe.f32" } else { "vcmp.f32" })
                )
            }
            Inst::VCvt { op, sd, sm } => {
                let name = match op {
                    VCvtOp::S32F32 => "vcvt.s32.f32",
                    VCvtOp::U32F32 => "vcvt.u32.f32",
                    VCvtOp::S32F32R => "vcvtr.s32.f32",
                    VCvtOp::U32F32R => "vcvtr.u32.f32",
                    VCvtOp::F32S32 => "vcvt.f32.s32",
                    VCvtOp::F32U32 => "vcvt.f32.u32",
                    VCvtOp::F32F16Bottom => "vcvtb.f32.f16",
                    VCvtOp::F32F16Top => "vcvtt.f32.f16",
                    VCvtOp::F16F32Bottom => "vcvtb.f16.f32",
                    VCvtOp::F16F32Top => "vcvtt.f16.f32",
                };
                format!("{}\t{sd}, {sm}", self.v(name))
            }
            Inst::VCvtFixed {
                to_fixed,
                unsigned,
                half,
                sd,
                fbits,
            } => {
                let fixed = format!(
                    "{}{}",
                    if unsigned { "u" } else { "s" },
                    if half { 16 } else { 32 }
                );
                let name = if to_fixed {
                    format!("vcvt.{fixed}.f32")
                } else {
                    format!("vcvt.f32.{fixed}")
                };
                format!("{}\t{sd}, {sd}, #{fbits}", self.v(&name))
            }
            Inst::VMovToCore { rt, sn } => format!("{}\t{rt}, {sn}", self.v("vmov")),
            Inst::VMovFromCore { sn, rt } => format!("{}\t{sn}, {rt}", self.v("vmov")),
            Inst::VMovToCore2 { rt, rt2, sm } => {
                format!("{}\t{rt}, {rt2}, {sm}, {}", self.v("vmov"), after(sm))
            }
            Inst::VMovFromCore2 { sm, rt, rt2 } => {
                format!("{}\t{sm}, {}, {rt}, {rt2}", self.v("vmov"), after(sm))
            }
            Inst::Vmrs { rt: Reg::PC } => format!("{}\tAPSR_nzcv, fpscr", self.v("vmrs")),
            Inst::Vmrs { rt } => format!("{}\t{rt}, fpscr", self.v("vmrs")),
            Inst::Vmsr { rt } => format!("{}\tfpscr, {rt}", self.v("vmsr")),
            Inst::VLoad { sd, rn, offset } => {
                format!("{}\t{sd}, {}", self.v("vldr"), v_addr(rn, offset))
            }
            Inst::VStore { sd, rn, offset } => {
                format!("{}\t{sd}, {}", self.v("vstr"), v_addr(rn, offset))
            }
            Inst::VLoadMany {
                rn,
                wback,
                before,
                first,
                count,
            } => {
                if rn == Reg::SP && wback && !before {
                    return format!("{}\t{}", self.v("vpop"), v_list(first, count));
                }
                let name = self.v(if before { "vldmdb" } else { "vldmia" });
                format!("{name}\t{rn}{}, {}", bang(wback), v_list(first, count))
            }
            Inst::VStoreMany {
                rn,
                wback,
                before,
                first,
                count,
            } => {
                if rn == Reg::SP && wback && before {
                    return format!("{}\t{}", self.v("vpush"), v_list(first, count));
                }
                let name = self.v(if before { "vstmdb" } else { "vstmia" });
                format!("{name}\t{rn}{}, {}", bang(wback), v_list(first, count))
            }
            Inst::VPush { first, count } => {
                format!("{}\t{}", self.v("vpush"), v_list(first, count))
            }
            Inst::VPop { first, count } => format!("{}\t{}", self.v("vpop"), v_list(first, count)),
        }
    }

    fn letter(&self) -> char {
        if self.narrow { 'n' } else { 'w' }
    }

    fn alu(&self, op: AluOp, s: bool, rd: Reg, rn: Reg, op2: Op2) -> String {
        let name = lower(op);
        if self.narrow {
            let name = self.n(&name, s);
            return match (op, op2) {
                (AluOp::Rsb, _) => format!("{}\t{rd}, {rn}", self.n("neg", s)),
                (AluOp::Add | AluOp::Sub, Op2::Imm(imm)) if rd == rn => {
                    format!("{name}\t{rd}, #{imm}")
                }
                (AluOp::Add, Op2::Reg(rm)) if !s && rd == rn && self.high_add(rd, rm) => {
                    format!("{name}\t{rd}, {rm}")
                }
                (AluOp::Add | AluOp::Sub, _) => format!("{name}\t{rd}, {rn}, {}", op2_text(op2)),
                _ => format!("{name}\t{rd}, {}", op2_text(op2)),
            };
        }
        // objdump writes .w only where a 16-bit form exists.
        let plain = matches!(op, AluOp::Orn | AluOp::Rsb);
        let name = if plain {
            self.n(&name, s)
        } else {
            self.w(&name, s)
        };
        format!("{name}\t{rd}, {rn}, {}", op2_text(op2))
    }

    /// Whether a flag-free register ADD takes the high-register encoding: always
    /// outside IT blocks.
    fn high_add(&self, rd: Reg, rm: Reg) -> bool {
        self.cond.is_empty() || !rd.is_low() || !rm.is_low()
    }

    fn mov(&self, s: bool, rd: Reg, op2: Op2) -> String {
        match op2 {
            Op2::Shifted(rm, op, amount) => {
                if self.narrow {
                    return format!("{}\t{rd}, {rm}, #{amount}", self.n(shift_name(op), s));
                }
                format!(
                    "{}\t{rd}, {}",
                    self.w("mov", s),
                    op2_text(Op2::Shifted(rm, op, amount))
                )
            }
            _ => format!("{}\t{rd}, {}", self.w("mov", s), op2_text(op2)),
        }
    }

    fn addr(&self, addr: Addr) -> String {
        match addr {
            Addr::Offset(rn, 0) if !self.narrow => format!("[{rn}]"),
            Addr::Offset(rn, offset) => format!("[{rn}, #{offset}]"),
            Addr::Pre(rn, 0) => format!("[{rn}]!"),
            Addr::Pre(rn, offset) => format!("[{rn}, #{offset}]!"),
            Addr::Post(rn, offset) => format!("[{rn}], #{offset}"),
            Addr::Index(rn, rm, 0) => format!("[{rn}, {rm}]"),
            Addr::Index(rn, rm, shift) => format!("[{rn}, {rm}, lsl #{shift}]"),
            Addr::Literal(0) if !self.narrow => "[pc]".to_string(),
            Addr::Literal(offset) => format!("[pc, #{offset}]"),
        }
    }

    fn push(&self, regs: RegList) -> String {
        match (self.narrow, regs.count(), regs.iter().next()) {
            (true, ..) => format!("{}\t{regs}", self.n("push", false)),
            (false, 1, Some(reg)) => format!("{}\t{reg}, [sp, #-4]!", self.w("str", false)),
            _ => format!("{}\tsp!, {regs}", self.n("stmdb", false)),
        }
    }

    fn pop(&self, regs: RegList) -> String {
        match (self.narrow, regs.count(), regs.iter().next()) {
            (true, ..) => format!("{}\t{regs}", self.n("pop", false)),
            (false, 1, Some(reg)) => format!("{}\t{reg}, [sp], #4", self.w("ldr", false)),
            _ => format!("{}\tsp!, {regs}", self.w("ldmia", false)),
        }
    }

    fn adr(&self, rd: Reg, offset: i32) -> String {
        if self.narrow {
            return format!("{}\t{rd}, pc, #{offset}", self.n("add", false));
        }
        if offset < 0 {
            return format!("{}\t{rd}, pc, #{}", self.n("subw", false), -offset);
        }
        format!("{}\t{rd}, pc, #{offset}", self.n("addw", false))
    }
}

fn lower(name: impl fmt::Debug) -> String {
    format!("{name:?}").to_lowercase()
}

fn shift_name(op: ShiftOp) -> &'static str {
    match op {
        ShiftOp::Lsl => "lsl",
        ShiftOp::Lsr => "lsr",
        ShiftOp::Asr => "asr",
        ShiftOp::Ror => "ror",
    }
}

fn op2_text(op2: Op2) -> String {
    match op2 {
        Op2::Imm(imm) => format!("#{imm}"),
        Op2::Reg(reg) => reg.to_string(),
        Op2::Shifted(reg, op, amount) => format!("{reg}, {} #{amount}", shift_name(op)),
    }
}

fn rotation(rot: u8) -> String {
    if rot == 0 {
        String::new()
    } else {
        format!(", ror #{}", rot * 8)
    }
}

fn bang(wback: bool) -> &'static str {
    if wback { "!" } else { "" }
}

fn sys_name(sys: SysReg) -> &'static str {
    match sys {
        SysReg::Apsr => "CPSR_f",
        SysReg::Ipsr => "IPSR",
        SysReg::Epsr => "EPSR",
        SysReg::Xpsr => "PSR",
        SysReg::Msp => "MSP",
        SysReg::Psp => "PSP",
        SysReg::Primask => "PRIMASK",
        SysReg::Basepri => "BASEPRI",
        SysReg::Faultmask => "FAULTMASK",
        SysReg::Control => "CONTROL",
    }
}

fn after(reg: SReg) -> SReg {
    reg.number().and_then(|n| SReg::new(n + 1)).unwrap_or(reg)
}

fn v_addr(rn: Reg, offset: i32) -> String {
    if offset == 0 {
        format!("[{rn}]")
    } else {
        format!("[{rn}, #{offset}]")
    }
}

fn v_list(first: SReg, count: u8) -> String {
    let last = first
        .number()
        .and_then(|n| SReg::new(n + count.saturating_sub(1)))
        .unwrap_or(first);
    if count == 1 {
        format!("{{{first}}}")
    } else {
        format!("{{{first}-{last}}}")
    }
}
