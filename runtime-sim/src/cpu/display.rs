//! Disassembly for fault messages and traces: readable, not meant to be assembled.

use std::fmt;

use super::op::{Cond, Fixed, Index, Misc, Mul, MulLong, Op, Shift};

struct R(u8);

impl fmt::Display for R {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            13 => f.write_str("sp"),
            14 => f.write_str("lr"),
            15 => f.write_str("pc"),
            n => write!(f, "r{n}"),
        }
    }
}

/// A variant name in lower case, without fields.
fn name(value: impl fmt::Debug) -> String {
    let text = format!("{value:?}");
    let end = text.find(' ').unwrap_or(text.len());
    text[..end].to_ascii_lowercase()
}

impl fmt::Display for Cond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 16] = [
            "eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le",
            "al", "nv",
        ];
        f.write_str(NAMES[usize::from(self.0 & 15)])
    }
}

fn list(mask: u32, prefix: &str) -> String {
    let names: Vec<String> = (0..32)
        .filter(|i| mask >> i & 1 != 0)
        .map(|i| {
            if prefix == "r" {
                R(i).to_string()
            } else {
                format!("{prefix}{i}")
            }
        })
        .collect();
    format!("{{{}}}", names.join(", "))
}

fn singles(first: u8, count: u8) -> String {
    list(
        (((1_u64 << count.min(32)) - 1) << first.min(31)) as u32,
        "s",
    )
}

fn address(index: Index, rn: u8, offset: i32) -> String {
    match index {
        Index::Offset => format!("[{}, #{offset}]", R(rn)),
        Index::Pre => format!("[{}, #{offset}]!", R(rn)),
        Index::Post => format!("[{}], #{offset}", R(rn)),
    }
}

fn shifted(rm: u8, shift: Shift, amount: u8) -> String {
    if shift == Shift::Lsl && amount == 0 {
        R(rm).to_string()
    } else {
        format!("{}, {} #{amount}", R(rm), name(shift))
    }
}

fn half(high: bool) -> char {
    if high { 't' } else { 'b' }
}

fn multiply(op: Mul) -> String {
    let x = |swap| if swap { "x" } else { "" };
    let r = |round| if round { "r" } else { "" };
    match op {
        Mul::Smul { n_high, m_high } => format!("smul{}{}", half(n_high), half(m_high)),
        Mul::Smla { n_high, m_high } => format!("smla{}{}", half(n_high), half(m_high)),
        Mul::Smulw { m_high } => format!("smulw{}", half(m_high)),
        Mul::Smlaw { m_high } => format!("smlaw{}", half(m_high)),
        Mul::Smuad { swap, sub } => format!("smu{}d{}", if sub { 's' } else { 'a' }, x(swap)),
        Mul::Smlad { swap, sub } => format!("sml{}d{}", if sub { 's' } else { 'a' }, x(swap)),
        Mul::Smmul { round } => format!("smmul{}", r(round)),
        Mul::Smmla { round } => format!("smmla{}", r(round)),
        Mul::Smmls { round } => format!("smmls{}", r(round)),
        Mul::Mul | Mul::Mla | Mul::Mls | Mul::Usad8 | Mul::Usada8 => name(op),
    }
}

fn multiply_long(op: MulLong) -> String {
    match op {
        MulLong::SmlalHalf { n_high, m_high } => format!("smlal{}{}", half(n_high), half(m_high)),
        MulLong::Smlald { swap, sub } => format!(
            "sml{}ld{}",
            if sub { 's' } else { 'a' },
            if swap { "x" } else { "" }
        ),
        MulLong::Smull | MulLong::Umull | MulLong::Smlal | MulLong::Umlal | MulLong::Umaal => {
            name(op)
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use super::op::Dp::{Cmn, Cmp, Mov, Mvn, Teq, Tst};
        let suffix = |s: bool| if s { "s" } else { "" };
        let sign = |signed: bool| if signed { 's' } else { 'u' };
        match *self {
            Op::DpImm {
                f: dp,
                s,
                rd,
                rn,
                imm,
                ..
            } => match dp {
                Tst | Teq | Cmn | Cmp => write!(f, "{} {}, #{imm}", name(dp), R(rn)),
                Mov | Mvn => write!(f, "{}{} {}, #{imm}", name(dp), suffix(s), R(rd)),
                _ => write!(f, "{}{} {}, {}, #{imm}", name(dp), suffix(s), R(rd), R(rn)),
            },
            Op::DpReg {
                f: dp,
                s,
                rd,
                rn,
                rm,
                shift,
                amount,
            } => {
                let m = shifted(rm, shift, amount);
                match dp {
                    Tst | Teq | Cmn | Cmp => write!(f, "{} {}, {m}", name(dp), R(rn)),
                    Mov | Mvn => write!(f, "{}{} {}, {m}", name(dp), suffix(s), R(rd)),
                    _ => write!(f, "{}{} {}, {}, {m}", name(dp), suffix(s), R(rd), R(rn)),
                }
            }
            Op::ShiftReg {
                shift,
                s,
                rd,
                rn,
                rm,
            } => write!(
                f,
                "{}{} {}, {}, {}",
                name(shift),
                suffix(s),
                R(rd),
                R(rn),
                R(rm)
            ),
            Op::Adr { rd, offset } => write!(f, "adr {}, pc{offset:+}", R(rd)),
            Op::MovFromPc { rd } => write!(f, "mov {}, pc", R(rd)),
            Op::AddFromPc { rd } => write!(f, "add {}, pc", R(rd)),
            Op::MovToPc { rm } => write!(f, "mov pc, {}", R(rm)),
            Op::AddToPc { rm } => write!(f, "add pc, {}", R(rm)),
            Op::Movt { rd, imm } => write!(f, "movt {}, #{imm}", R(rd)),
            Op::Bfi {
                rd,
                rn: 15,
                lsb,
                width,
            } => write!(f, "bfc {}, #{lsb}, #{width}", R(rd)),
            Op::Bfi { rd, rn, lsb, width } => {
                write!(f, "bfi {}, {}, #{lsb}, #{width}", R(rd), R(rn))
            }
            Op::Bfx {
                signed,
                rd,
                rn,
                lsb,
                width,
            } => write!(
                f,
                "{}bfx {}, {}, #{lsb}, #{width}",
                sign(signed),
                R(rd),
                R(rn)
            ),
            Op::Extend { x, rd, rn, rm, rot } => {
                let text = name(x);
                let (sign, rest) = text.split_at(1);
                if rn == 15 {
                    write!(f, "{sign}xt{rest} {}, {}", R(rd), R(rm))?;
                } else {
                    write!(f, "{sign}xta{rest} {}, {}, {}", R(rd), R(rn), R(rm))?;
                }
                if rot != 0 {
                    write!(f, ", ror #{rot}")?;
                }
                Ok(())
            }
            Op::Pkh {
                tb,
                rd,
                rn,
                rm,
                amount,
            } => {
                let (form, shift) = if tb { ("tb", "asr") } else { ("bt", "lsl") };
                write!(
                    f,
                    "pkh{form} {}, {}, {}, {shift} #{amount}",
                    R(rd),
                    R(rn),
                    R(rm)
                )
            }
            Op::Sat {
                signed,
                rd,
                rn,
                bits,
                shift,
                amount,
            } => write!(
                f,
                "{}sat {}, #{bits}, {}",
                sign(signed),
                R(rd),
                shifted(rn, shift, amount)
            ),
            Op::Sat16 {
                signed,
                rd,
                rn,
                bits,
            } => write!(f, "{}sat16 {}, #{bits}, {}", sign(signed), R(rd), R(rn)),
            Op::Parallel {
                lane,
                par,
                rd,
                rn,
                rm,
            } => write!(
                f,
                "{}{} {}, {}, {}",
                name(lane),
                name(par),
                R(rd),
                R(rn),
                R(rm)
            ),
            Op::Misc {
                f: misc,
                rd,
                rn,
                rm,
            } => match misc {
                Misc::Clz | Misc::Rbit | Misc::Rev | Misc::Rev16 | Misc::Revsh => {
                    write!(f, "{} {}, {}", name(misc), R(rd), R(rm))
                }
                Misc::Qadd | Misc::Qsub | Misc::Qdadd | Misc::Qdsub => {
                    write!(f, "{} {}, {}, {}", name(misc), R(rd), R(rm), R(rn))
                }
                Misc::Sel | Misc::Sdiv | Misc::Udiv => {
                    write!(f, "{} {}, {}, {}", name(misc), R(rd), R(rn), R(rm))
                }
            },
            Op::Mul {
                f: mul,
                s,
                rd,
                rn,
                rm,
                ra,
            } => {
                write!(
                    f,
                    "{}{} {}, {}, {}",
                    multiply(mul),
                    suffix(s),
                    R(rd),
                    R(rn),
                    R(rm)
                )?;
                if ra != 15 {
                    write!(f, ", {}", R(ra))?;
                }
                Ok(())
            }
            Op::MulLong {
                f: mul,
                lo,
                hi,
                rn,
                rm,
            } => write!(
                f,
                "{} {}, {}, {}, {}",
                multiply_long(mul),
                R(lo),
                R(hi),
                R(rn),
                R(rm)
            ),
            Op::Load {
                kind,
                index,
                rt,
                rn,
                offset,
            } => write!(
                f,
                "ldr{} {}, {}",
                name(kind),
                R(rt),
                address(index, rn, offset)
            ),
            Op::LoadReg {
                kind,
                rt,
                rn,
                rm,
                shift,
            } => write!(
                f,
                "ldr{} {}, [{}, {}, lsl #{shift}]",
                name(kind),
                R(rt),
                R(rn),
                R(rm)
            ),
            Op::LoadLit { kind, rt, offset } => {
                write!(f, "ldr{} {}, [pc, #{offset}]", name(kind), R(rt))
            }
            Op::Store {
                kind,
                index,
                rt,
                rn,
                offset,
            } => write!(
                f,
                "str{} {}, {}",
                name(kind),
                R(rt),
                address(index, rn, offset)
            ),
            Op::StoreReg {
                kind,
                rt,
                rn,
                rm,
                shift,
            } => write!(
                f,
                "str{} {}, [{}, {}, lsl #{shift}]",
                name(kind),
                R(rt),
                R(rn),
                R(rm)
            ),
            Op::LoadDual {
                index,
                rt,
                rt2,
                rn,
                offset,
            } => write!(
                f,
                "ldrd {}, {}, {}",
                R(rt),
                R(rt2),
                address(index, rn, offset.into())
            ),
            Op::StoreDual {
                index,
                rt,
                rt2,
                rn,
                offset,
            } => write!(
                f,
                "strd {}, {}, {}",
                R(rt),
                R(rt2),
                address(index, rn, offset.into())
            ),
            Op::LoadMany {
                down,
                writeback,
                rn,
                list: mask,
            } => block(f, "ldm", down, writeback, rn, &list(mask.into(), "r")),
            Op::StoreMany {
                down,
                writeback,
                rn,
                list: mask,
            } => block(f, "stm", down, writeback, rn, &list(mask.into(), "r")),
            Op::Preload => f.write_str("pld"),
            Op::B { offset } => write!(f, "b pc{offset:+}"),
            Op::BCond { cond, offset } => write!(f, "b{cond} pc{offset:+}"),
            Op::Bl { offset } => write!(f, "bl pc{offset:+}"),
            Op::Bx { rm } => write!(f, "bx {}", R(rm)),
            Op::Blx { rm } => write!(f, "blx {}", R(rm)),
            Op::Cbz {
                nonzero,
                rn,
                offset,
            } => {
                let form = if nonzero { "cbnz" } else { "cbz" };
                write!(f, "{form} {}, pc+{offset}", R(rn))
            }
            Op::TableBranch { half: true, rn, rm } => {
                write!(f, "tbh [{}, {}, lsl #1]", R(rn), R(rm))
            }
            Op::TableBranch { rn, rm, .. } => write!(f, "tbb [{}, {}]", R(rn), R(rm)),
            Op::It { state } => {
                let (first, mask) = (state >> 4, state & 15);
                f.write_str("it")?;
                // The lowest set bit ends the block; bits above it choose then or else.
                for i in (mask.trailing_zeros() + 1..4).rev() {
                    let then = mask >> i & 1 == first & 1;
                    f.write_str(if then { "t" } else { "e" })?;
                }
                write!(f, " {}", Cond(first))
            }
            Op::Nop => f.write_str("nop"),
            Op::Sev => f.write_str("sev"),
            Op::Wfe => f.write_str("wfe"),
            Op::Wfi => f.write_str("wfi"),
            Op::Barrier => f.write_str("dsb"),
            Op::ClearExclusive => f.write_str("clrex"),
            Op::LoadExclusive {
                kind,
                rt,
                rn,
                offset,
            } => {
                let at = address(Index::Offset, rn, offset.into());
                write!(f, "ldrex{} {}, {at}", name(kind), R(rt))
            }
            Op::StoreExclusive {
                kind,
                rd,
                rt,
                rn,
                offset,
            } => {
                let at = address(Index::Offset, rn, offset.into());
                write!(f, "strex{} {}, {}, {at}", name(kind), R(rd), R(rt))
            }
            Op::LoadUser {
                kind,
                rt,
                rn,
                offset,
            } => {
                let at = address(Index::Offset, rn, offset.into());
                write!(f, "ldr{}t {}, {at}", name(kind), R(rt))
            }
            Op::StoreUser {
                kind,
                rt,
                rn,
                offset,
            } => {
                let at = address(Index::Offset, rn, offset.into());
                write!(f, "str{}t {}, {at}", name(kind), R(rt))
            }
            Op::Isb => f.write_str("isb"),
            Op::Cps {
                disable,
                primask,
                faultmask,
            } => {
                let form = if disable { "cpsid" } else { "cpsie" };
                let i = if primask { "i" } else { "" };
                write!(f, "{form} {i}{}", if faultmask { "f" } else { "" })
            }
            Op::Mrs { rd, sysm } => write!(f, "mrs {}, #{sysm}", R(rd)),
            Op::Msr { rn, sysm, .. } => write!(f, "msr #{sysm}, {}", R(rn)),
            Op::Svc { imm } => write!(f, "svc #{imm}"),
            Op::Bkpt { imm } => write!(f, "bkpt #{imm}"),
            Op::V3 { f: v, d, n, m } => {
                let text = name(v);
                // The fused forms are spelt vfma, vfms, vfnma, vfnms like the others.
                write!(f, "v{text}.f32 s{d}, s{n}, s{m}")
            }
            Op::V2 { f: v, d, m } => write!(f, "v{} s{d}, s{m}", name(v)),
            Op::VMovImm { d, bits } => write!(f, "vmov.f32 s{d}, #{}", f32::from_bits(bits)),
            Op::VCmp { e, d, m } => {
                write!(f, "vcmp{}.f32 s{d}, s{m}", if e { "e" } else { "" })
            }
            Op::VCmpZero { e, d } => write!(f, "vcmp{}.f32 s{d}, #0", if e { "e" } else { "" }),
            Op::VCvtFixed {
                to_fixed,
                ty,
                d,
                frac,
            } => {
                let ty = match ty {
                    Fixed::S16 => "s16",
                    Fixed::U16 => "u16",
                    Fixed::S32 => "s32",
                    Fixed::U32 => "u32",
                };
                if to_fixed {
                    write!(f, "vcvt.{ty}.f32 s{d}, s{d}, #{frac}")
                } else {
                    write!(f, "vcvt.f32.{ty} s{d}, s{d}, #{frac}")
                }
            }
            Op::VMovToCore { rt, n } => write!(f, "vmov {}, s{n}", R(rt)),
            Op::VMovFromCore { rt, n } => write!(f, "vmov s{n}, {}", R(rt)),
            Op::VMov2ToCore { rt, rt2, m } => {
                write!(f, "vmov {}, {}, s{m}, s{}", R(rt), R(rt2), m + 1)
            }
            Op::VMov2FromCore { rt, rt2, m } => {
                write!(f, "vmov s{m}, s{}, {}, {}", m + 1, R(rt), R(rt2))
            }
            Op::VMrs { rt: 15 } => f.write_str("vmrs apsr_nzcv, fpscr"),
            Op::VMrs { rt } => write!(f, "vmrs {}, fpscr", R(rt)),
            Op::VMsr { rt } => write!(f, "vmsr fpscr, {}", R(rt)),
            Op::VLoad {
                double,
                d,
                rn,
                offset,
            } => write!(f, "vldr {}, [{}, #{offset}]", vreg(double, d), R(rn)),
            Op::VStore {
                double,
                d,
                rn,
                offset,
            } => write!(f, "vstr {}, [{}, #{offset}]", vreg(double, d), R(rn)),
            Op::VLoadMany {
                down,
                writeback,
                rn,
                d,
                count,
            } => block(f, "vldm", down, writeback, rn, &singles(d, count)),
            Op::VStoreMany {
                down,
                writeback,
                rn,
                d,
                count,
            } => block(f, "vstm", down, writeback, rn, &singles(d, count)),
        }
    }
}

fn vreg(double: bool, s: u8) -> String {
    if double {
        format!("d{}", s / 2)
    } else {
        format!("s{s}")
    }
}

fn block(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    down: bool,
    writeback: bool,
    rn: u8,
    registers: &str,
) -> fmt::Result {
    let mode = if down { "db" } else { "ia" };
    let bang = if writeback { "!" } else { "" };
    write!(f, "{what}{mode} {}{bang}, {registers}", R(rn))
}
