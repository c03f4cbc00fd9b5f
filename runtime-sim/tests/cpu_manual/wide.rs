//! 32-bit encodings (A5.3) without the floating-point ones. The first line that matches
//! decides, so "SEE" clauses are earlier lines.

use super::Says::{self, Defined, Undefined};
use super::{Line, Word, bad, unless};

/// Load or store multiple: `n` is 15, fewer than two registers, or the base in a list
/// with write-back.
fn many(w: Word) -> bool {
    let list = w.field(0, 16);
    w.n() == 15 || list.count_ones() < 2 || (w.bit(21) && list >> w.n() & 1 != 0)
}

/// `LDM`: PC and LR together.
fn load_many(w: Word) -> Says {
    unless(many(w) || w.field(14, 2) == 3)
}

fn any_bad(registers: &[u32]) -> bool {
    registers.iter().any(|r| bad(*r))
}

/// `ThumbExpandImm` of a zero byte in a repeated pattern.
fn expand(w: Word) -> bool {
    let (i, imm3) = (w.field(26, 1), w.field(12, 3));
    i == 0 && (1..=3).contains(&imm3) && w.field(0, 8) == 0
}

fn s(w: Word) -> bool {
    w.bit(20)
}

/// AND and EOR; `m` is a register that is fine where the form has none.
fn and_eor(w: Word, m: u32) -> bool {
    w.d() == 13 || (w.d() == 15 && !s(w)) || bad(w.n()) || bad(m)
}

/// ADD and SUB that are neither comparisons nor of the SP.
fn add_sub(w: Word, m: u32) -> bool {
    w.d() == 13 || (w.d() == 15 && !s(w)) || w.n() == 15 || bad(m)
}

/// ADD and SUB of SP and a shifted register.
fn sp_register(w: Word) -> Says {
    let plain = w.field(4, 2) == 0 && w.imm5() <= 3;
    unless((w.d() == 13 && !plain) || w.d() == 15 || bad(w.m()))
}

fn three(w: Word) -> Says {
    unless(any_bad(&[w.d(), w.n(), w.m()]))
}

fn three_or_ra_sp(w: Word) -> Says {
    unless(any_bad(&[w.d(), w.n(), w.m()]) || w.t() == 13)
}

fn four(w: Word) -> Says {
    unless(any_bad(&[w.d(), w.n(), w.m(), w.t()]))
}

fn long(w: Word) -> Says {
    unless(any_bad(&[w.d(), w.n(), w.m(), w.t()]) || w.d() == w.t())
}

fn d_n(w: Word) -> Says {
    unless(any_bad(&[w.d(), w.n()]))
}

fn imm_d_n(w: Word) -> Says {
    unless(any_bad(&[w.d(), w.n()]) || expand(w))
}

fn imm_n(w: Word) -> Says {
    unless(w.n() == 15 || expand(w))
}

fn imm_d(w: Word) -> Says {
    unless(bad(w.d()) || expand(w))
}

/// SXTAB and its like; without an addend Rn is 15.
fn extend(w: Word) -> Says {
    unless(any_bad(&[w.d(), w.m()]) || w.n() == 13)
}

fn same_m(w: Word) -> Says {
    unless(any_bad(&[w.d(), w.m()]) || w.n() != w.m())
}

fn store_dual(w: Word) -> Says {
    let (t, t2, wback) = (w.t(), w.d(), w.bit(21));
    unless((wback && (w.n() == t || w.n() == t2)) || w.n() == 15 || any_bad(&[t, t2]))
}

fn load_dual(w: Word) -> Says {
    let (t, t2, wback) = (w.t(), w.d(), w.bit(21));
    unless((wback && (w.n() == t || w.n() == t2)) || any_bad(&[t, t2]) || t == t2)
}

/// Immediate with P, U and W in bits 10 to 8.
fn indexed(w: Word, bad_t: bool) -> Says {
    let (p, wback) = (w.bit(10), w.bit(8));
    if !p && !wback {
        return Undefined;
    }
    unless(bad_t || (wback && w.n() == w.t()))
}

/// Loads into 15 that would be hints but have write-back.
fn narrow_load(w: Word) -> Says {
    let (p, u, wback) = (w.bit(10), w.bit(9), w.bit(8));
    let hint_space = w.t() == 15 && (!p || u || wback);
    indexed(w, w.t() == 13 || hint_space)
}

fn special_register(w: Word) -> bool {
    let sysm = w.field(0, 8);
    sysm <= 3 || (5..=9).contains(&sysm) || (16..=20).contains(&sysm)
}

pub(crate) const LINES: &[Line] = &[
    // A5.3.5 Load Multiple and Store Multiple.
    ("STM T2", "1110100 010 . 0 .... z . z .............", |w| {
        unless(many(w))
    }),
    (
        "LDM T2, POP T2",
        "1110100 010 . 1 .... . . z .............",
        load_many,
    ),
    (
        "STMDB, PUSH T2",
        "1110100 100 . 0 .... z . z .............",
        |w| unless(many(w)),
    ),
    (
        "LDMDB",
        "1110100 100 . 1 .... . . z .............",
        load_many,
    ),
    // A5.3.6 Dual, exclusive, table branch.
    ("STREX", "1110100 0010 0 .... .... .... ........", |w| {
        let (t, d, n) = (w.t(), w.d(), w.n());
        unless(any_bad(&[d, t]) || n == 15 || d == n || d == t)
    }),
    ("LDREX", "1110100 0010 1 .... .... yyyy ........", |w| {
        unless(bad(w.t()) || w.n() == 15)
    }),
    (
        "STREXB, STREXH",
        "1110100 0110 0 .... .... yyyy 010 . ....",
        |w| {
            let (t, d, n) = (w.t(), w.m(), w.n());
            unless(any_bad(&[d, t]) || n == 15 || d == n || d == t)
        },
    ),
    (
        "TBB, TBH",
        "1110100 0110 1 .... yyyy zzzz 000 . ....",
        |w| unless(w.n() == 13 || bad(w.m())),
    ),
    (
        "LDREXB, LDREXH",
        "1110100 0110 1 .... .... yyyy 010 . yyyy",
        |w| unless(bad(w.t()) || w.n() == 15),
    ),
    (
        "no exclusive",
        "1110100 0.10 ................ .....",
        |_| Undefined,
    ),
    (
        "LDRD (literal)",
        "1110100 ..1.1 1111 .... .... ........",
        |w| unless(any_bad(&[w.t(), w.d()]) || w.t() == w.d() || w.bit(21)),
    ),
    ("STRD", "1110100 ..1.0 .... .... .... ........", store_dual),
    ("LDRD", "1110100 ..1.1 .... .... .... ........", load_dual),
    // A5.3.11 Data processing (shifted register).
    (
        "TST (register) T2",
        "1110101 0000 1 .... z ... 1111 .. .. ....",
        |w| unless(any_bad(&[w.n(), w.m()])),
    ),
    (
        "AND (register) T2",
        "1110101 0000 . .... z ... .... .. .. ....",
        |w| unless(and_eor(w, w.m())),
    ),
    (
        "BIC (register) T2",
        "1110101 0001 . .... z ... .... .. .. ....",
        three,
    ),
    (
        "MOV (register) T3",
        "1110101 0010 . 1111 z 000 .... 00 00 ....",
        |w| {
            let (d, m) = (w.d(), w.m());
            if s(w) {
                unless(any_bad(&[d, m]))
            } else {
                unless(d == 15 || m == 15 || (d == 13 && m == 13))
            }
        },
    ),
    (
        "shift (immediate) T2",
        "1110101 0010 . 1111 z ... .... .. .. ....",
        |w| unless(any_bad(&[w.d(), w.m()])),
    ),
    (
        "ORR (register) T2",
        "1110101 0010 . .... z ... .... .. .. ....",
        |w| unless(any_bad(&[w.d(), w.m()]) || w.n() == 13),
    ),
    (
        "MVN (register) T2",
        "1110101 0011 . 1111 z ... .... .. .. ....",
        |w| unless(any_bad(&[w.d(), w.m()])),
    ),
    (
        "ORN (register)",
        "1110101 0011 . .... z ... .... .. .. ....",
        |w| unless(any_bad(&[w.d(), w.m()]) || w.n() == 13),
    ),
    (
        "TEQ (register)",
        "1110101 0100 1 .... z ... 1111 .. .. ....",
        |w| unless(any_bad(&[w.n(), w.m()])),
    ),
    (
        "EOR (register) T2",
        "1110101 0100 . .... z ... .... .. .. ....",
        |w| unless(and_eor(w, w.m())),
    ),
    (
        "PKHBT, PKHTB",
        "1110101 0110 0 .... z ... .... .. . 0 ....",
        three,
    ),
    (
        "CMN (register) T2",
        "1110101 1000 1 .... z ... 1111 .. .. ....",
        |w| unless(w.n() == 15 || bad(w.m())),
    ),
    (
        "ADD (SP plus register) T3",
        "1110101 1000 . 1101 z ... .... .. .. ....",
        sp_register,
    ),
    (
        "ADD (register) T3",
        "1110101 1000 . .... z ... .... .. .. ....",
        |w| unless(add_sub(w, w.m())),
    ),
    (
        "ADC (register) T2",
        "1110101 1010 . .... z ... .... .. .. ....",
        three,
    ),
    (
        "SBC (register) T2",
        "1110101 1011 . .... z ... .... .. .. ....",
        three,
    ),
    (
        "CMP (register) T3",
        "1110101 1101 1 .... z ... 1111 .. .. ....",
        |w| unless(w.n() == 15 || bad(w.m())),
    ),
    (
        "SUB (SP minus register)",
        "1110101 1101 . 1101 z ... .... .. .. ....",
        sp_register,
    ),
    (
        "SUB (register) T2",
        "1110101 1101 . .... z ... .... .. .. ....",
        |w| unless(add_sub(w, w.m())),
    ),
    (
        "RSB (register)",
        "1110101 1110 . .... z ... .... .. .. ....",
        three,
    ),
    // A5.3.1 Data processing (modified immediate).
    (
        "TST (immediate)",
        "11110 . 0 0000 1 .... 0 ... 1111 ........",
        |w| unless(bad(w.n()) || expand(w)),
    ),
    (
        "AND (immediate)",
        "11110 . 0 0000 . .... 0 ... .... ........",
        |w| unless(and_eor(w, 0) || expand(w)),
    ),
    (
        "BIC (immediate)",
        "11110 . 0 0001 . .... 0 ... .... ........",
        imm_d_n,
    ),
    (
        "MOV (immediate) T2",
        "11110 . 0 0010 . 1111 0 ... .... ........",
        imm_d,
    ),
    (
        "ORR (immediate)",
        "11110 . 0 0010 . .... 0 ... .... ........",
        |w| unless(bad(w.d()) || w.n() == 13 || expand(w)),
    ),
    (
        "MVN (immediate)",
        "11110 . 0 0011 . 1111 0 ... .... ........",
        imm_d,
    ),
    (
        "ORN (immediate)",
        "11110 . 0 0011 . .... 0 ... .... ........",
        |w| unless(bad(w.d()) || w.n() == 13 || expand(w)),
    ),
    (
        "TEQ (immediate)",
        "11110 . 0 0100 1 .... 0 ... 1111 ........",
        |w| unless(bad(w.n()) || expand(w)),
    ),
    (
        "EOR (immediate)",
        "11110 . 0 0100 . .... 0 ... .... ........",
        |w| unless(and_eor(w, 0) || expand(w)),
    ),
    (
        "CMN (immediate)",
        "11110 . 0 1000 1 .... 0 ... 1111 ........",
        imm_n,
    ),
    (
        "ADD (SP plus immediate) T3",
        "11110 . 0 1000 . 1101 0 ... .... ........",
        |w| unless(w.d() == 15 || expand(w)),
    ),
    (
        "ADD (immediate) T3",
        "11110 . 0 1000 . .... 0 ... .... ........",
        |w| unless(add_sub(w, 0) || expand(w)),
    ),
    (
        "ADC (immediate)",
        "11110 . 0 1010 . .... 0 ... .... ........",
        imm_d_n,
    ),
    (
        "SBC (immediate)",
        "11110 . 0 1011 . .... 0 ... .... ........",
        imm_d_n,
    ),
    (
        "CMP (immediate) T2",
        "11110 . 0 1101 1 .... 0 ... 1111 ........",
        imm_n,
    ),
    (
        "SUB (SP minus immediate) T2",
        "11110 . 0 1101 . 1101 0 ... .... ........",
        |w| unless(w.d() == 15 || expand(w)),
    ),
    (
        "SUB (immediate) T3",
        "11110 . 0 1101 . .... 0 ... .... ........",
        |w| unless(add_sub(w, 0) || expand(w)),
    ),
    (
        "RSB (immediate) T2",
        "11110 . 0 1110 . .... 0 ... .... ........",
        imm_d_n,
    ),
    // A5.3.3 Data processing (plain binary immediate).
    ("ADR T3", "11110 . 1 00000 1111 0 ... .... ........", |w| {
        unless(bad(w.d()))
    }),
    (
        "ADD (SP plus immediate) T4",
        "11110 . 1 00000 1101 0 ... .... ........",
        |w| unless(w.d() == 15),
    ),
    (
        "ADD (immediate) T4",
        "11110 . 1 00000 .... 0 ... .... ........",
        |w| unless(bad(w.d())),
    ),
    (
        "MOV (immediate) T3",
        "11110 . 1 00100 .... 0 ... .... ........",
        |w| unless(bad(w.d())),
    ),
    ("ADR T2", "11110 . 1 01010 1111 0 ... .... ........", |w| {
        unless(bad(w.d()))
    }),
    (
        "SUB (SP minus immediate) T3",
        "11110 . 1 01010 1101 0 ... .... ........",
        |w| unless(w.d() == 15),
    ),
    (
        "SUB (immediate) T4",
        "11110 . 1 01010 .... 0 ... .... ........",
        |w| unless(bad(w.d())),
    ),
    ("MOVT", "11110 . 1 01100 .... 0 ... .... ........", |w| {
        unless(bad(w.d()))
    }),
    ("SSAT16", "11110 z 1 10010 .... 0 000 .... 00 zz ....", d_n),
    ("SSAT", "11110 z 1 100.0 .... 0 ... .... .. z .....", d_n),
    ("SBFX", "11110 z 1 10100 .... 0 ... .... .. z .....", |w| {
        unless(any_bad(&[w.d(), w.n()]) || w.imm5() + w.field(0, 5) > 31)
    }),
    (
        "BFI, BFC",
        "11110 z 1 10110 .... 0 ... .... .. z .....",
        |w| unless(bad(w.d()) || w.n() == 13 || w.field(0, 5) < w.imm5()),
    ),
    ("USAT16", "11110 z 1 11010 .... 0 000 .... 00 zz ....", d_n),
    ("USAT", "11110 z 1 110.0 .... 0 ... .... .. z .....", d_n),
    ("UBFX", "11110 z 1 11100 .... 0 ... .... .. z .....", |w| {
        unless(any_bad(&[w.d(), w.n()]) || w.imm5() + w.field(0, 5) > 31)
    }),
    // A5.3.4 Branches and miscellaneous control.
    ("MSR", "11110 0 11100 z .... 10 z 0 .. zz ........", |w| {
        let (mask, apsr) = (w.field(10, 2), w.field(0, 8) < 4);
        unless(bad(w.n()) || mask == 0 || (mask != 2 && !apsr) || !special_register(w))
    }),
    ("hints", "11110 0 111010 yyyy 10 z 0 z 000 ........", |_| {
        Defined
    }),
    ("CLREX", "11110 0 111011 yyyy 10 z 0 yyyy 0010 yyyy", |_| {
        Defined
    }),
    (
        "DSB, DMB",
        "11110 0 111011 yyyy 10 z 0 yyyy 010 . ....",
        |_| Defined,
    ),
    ("ISB", "11110 0 111011 yyyy 10 z 0 yyyy 0110 ....", |_| {
        Defined
    }),
    ("MRS", "11110 0 11111 z yyyy 10 z 0 .... ........", |w| {
        unless(bad(w.d()) || !special_register(w))
    }),
    (
        "no system",
        "11110 . 111 ... .... 10 . 0 .... ........",
        |_| Undefined,
    ),
    ("B T3", "11110 . ...... .... 10 . 0 . ...........", |_| {
        Defined
    }),
    ("B T4", "11110 . .......... 10 . 1 . ...........", |_| {
        Defined
    }),
    ("BL", "11110 . .......... 11 . 1 . ...........", |_| Defined),
    // A5.3.10 Store single data item.
    (
        "store to a literal",
        "1111100 0 ... 0 1111 ................",
        |_| Undefined,
    ),
    (
        "STR, imm12",
        "1111100 0 110 0 .... .... ............",
        |w| unless(w.t() == 15),
    ),
    (
        "STRB, STRH, imm12",
        "1111100 0 10. 0 .... .... ............",
        |w| unless(bad(w.t())),
    ),
    (
        "STRT, STRBT, STRHT",
        "1111100 0 0.. 0 .... .... 1110 ........",
        |w| {
            if w.field(21, 2) == 3 {
                Undefined
            } else {
                unless(bad(w.t()))
            }
        },
    ),
    (
        "STR, imm8",
        "1111100 0 010 0 .... .... 1 ... ........",
        |w| indexed(w, w.t() == 15),
    ),
    (
        "STRB, STRH, imm8",
        "1111100 0 00. 0 .... .... 1 ... ........",
        |w| indexed(w, bad(w.t())),
    ),
    (
        "STR (register)",
        "1111100 0 010 0 .... .... 000000 .. ....",
        |w| unless(w.t() == 15 || bad(w.m())),
    ),
    (
        "STRB, STRH (register)",
        "1111100 0 00. 0 .... .... 000000 .. ....",
        |w| unless(any_bad(&[w.t(), w.m()])),
    ),
    // A5.3.7 Load word.
    (
        "LDR (literal) T2",
        "1111100 0 . 10 1 1111 .... ............",
        |_| Defined,
    ),
    (
        "LDR, imm12",
        "1111100 0 110 1 .... .... ............",
        |_| Defined,
    ),
    ("LDRT", "1111100 0 010 1 .... .... 1110 ........", |w| {
        unless(bad(w.t()))
    }),
    (
        "LDR, imm8",
        "1111100 0 010 1 .... .... 1 ... ........",
        |w| indexed(w, false),
    ),
    (
        "LDR (register) T2",
        "1111100 0 010 1 .... .... 000000 .. ....",
        |w| unless(bad(w.m())),
    ),
    // A5.3.8, A5.3.9 Load halfword and byte, memory hints. A target of 15 is a hint.
    (
        "hint (literal)",
        "1111100 . . 0 . 1 1111 1111 ............",
        |_| Defined,
    ),
    (
        "LDRB, LDRH, LDRSB, LDRSH (literal)",
        "1111100 . . 0 . 1 1111 .... ............",
        |w| unless(w.t() == 13),
    ),
    (
        "load byte or halfword, imm12",
        "1111100 . 1 0 . 1 .... .... ............",
        |w| unless(w.t() == 13),
    ),
    (
        "unprivileged byte or halfword",
        "1111100 . 0 0 . 1 .... .... 1110 ........",
        |w| unless(bad(w.t())),
    ),
    (
        "load byte or halfword, imm8",
        "1111100 . 0 0 . 1 .... .... 1 ... ........",
        narrow_load,
    ),
    (
        "load byte or halfword (register)",
        "1111100 . 0 0 . 1 .... .... 000000 .. ....",
        |w| unless(w.t() == 13 || bad(w.m())),
    ),
    // A5.3.12 Data processing (register).
    (
        "shift (register) T2",
        "11111010 0 .. . .... 1111 .... 0000 ....",
        three,
    ),
    (
        "extend",
        "11111010 000 . .... 1111 .... 1 z .. ....",
        extend,
    ),
    (
        "extend 16",
        "11111010 001 . .... 1111 .... 1 z .. ....",
        extend,
    ),
    (
        "extend byte",
        "11111010 010 . .... 1111 .... 1 z .. ....",
        extend,
    ),
    (
        "parallel 8",
        "11111010 1 . 00 .... 1111 .... 0 .. . ....",
        parallel,
    ),
    (
        "parallel 16",
        "11111010 1 . 01 .... 1111 .... 0 .. . ....",
        parallel,
    ),
    (
        "parallel exchange",
        "11111010 1 . 10 .... 1111 .... 0 .. . ....",
        parallel,
    ),
    (
        "QADD, QDADD, QSUB, QDSUB",
        "11111010 1000 .... 1111 .... 10 .. ....",
        three,
    ),
    (
        "REV, REV16, RBIT, REVSH",
        "11111010 1001 .... 1111 .... 10 .. ....",
        same_m,
    ),
    ("SEL", "11111010 1010 .... 1111 .... 1000 ....", three),
    ("CLZ", "11111010 1011 .... 1111 .... 1000 ....", same_m),
    // A5.3.16 Multiply.
    (
        "MLA, MUL T2",
        "11111011 0000 .... .... .... 0000 ....",
        three_or_ra_sp,
    ),
    ("MLS", "11111011 0000 .... .... .... 0001 ....", four),
    (
        "SMLAxy, SMULxy",
        "11111011 0001 .... .... .... 00 .. ....",
        three_or_ra_sp,
    ),
    (
        "SMLAD, SMUAD",
        "11111011 0010 .... .... .... 000 . ....",
        three_or_ra_sp,
    ),
    (
        "SMLAW, SMULW",
        "11111011 0011 .... .... .... 000 . ....",
        three_or_ra_sp,
    ),
    (
        "SMLSD, SMUSD",
        "11111011 0100 .... .... .... 000 . ....",
        three_or_ra_sp,
    ),
    (
        "SMMLA, SMMUL",
        "11111011 0101 .... .... .... 000 . ....",
        three_or_ra_sp,
    ),
    ("SMMLS", "11111011 0110 .... .... .... 000 . ....", four),
    (
        "USADA8, USAD8",
        "11111011 0111 .... .... .... 0000 ....",
        three_or_ra_sp,
    ),
    // A5.3.17 Long multiply and divide.
    ("SMULL", "11111011 1000 .... .... .... 0000 ....", long),
    ("SDIV", "11111011 1001 .... yyyy .... 1111 ....", three),
    ("UMULL", "11111011 1010 .... .... .... 0000 ....", long),
    ("UDIV", "11111011 1011 .... yyyy .... 1111 ....", three),
    ("SMLAL", "11111011 1100 .... .... .... 0000 ....", long),
    ("SMLALxy", "11111011 1100 .... .... .... 10 .. ....", long),
    ("SMLALD", "11111011 1100 .... .... .... 110 . ....", long),
    ("SMLSLD", "11111011 1101 .... .... .... 110 . ....", long),
    ("UMLAL", "11111011 1110 .... .... .... 0000 ....", long),
    ("UMAAL", "11111011 1110 .... .... .... 0110 ....", long),
];

/// Parallel addition and subtraction: only three of four prefixes exist.
fn parallel(w: Word) -> Says {
    let subtracts = w.bit(22);
    let kind = w.field(20, 2);
    if w.field(4, 2) == 3 || (kind == 2 && w.field(20, 3) == 3) || (!subtracts && kind == 3) {
        return Undefined;
    }
    three(w)
}
