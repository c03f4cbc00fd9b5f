//! The floating-point extension FPv4-SP (A6.4 to A6.8).

use super::Says::{self, Absent, Defined, Undefined};
use super::{Line, Word, bad, unless};

/// A pair of registers beyond the sixteen that exist (A6.5: the D bit).
fn high_pair(high: bool, says: Says) -> Says {
    if high { Undefined } else { says }
}

/// Number of the first single register and of registers of VLDM and VSTM.
fn list(w: Word) -> (u32, u32) {
    let imm8 = w.field(0, 8);
    if w.bit(8) {
        (w.field(12, 4) * 2, imm8)
    } else {
        (w.field(12, 4) << 1 | w.field(22, 1), imm8)
    }
}

fn many(w: Word) -> Says {
    let (d, count) = list(w);
    if w.bit(8) && w.bit(0) {
        // FLDMX and FSTMX, which the manual deprecates.
        return if w.bit(22) { Undefined } else { Absent };
    }
    let wrong = w.n() == 15 || count == 0 || count > 32 || d + count > 32;
    high_pair(w.bit(8) && w.bit(22), unless(wrong))
}

fn load(w: Word) -> Says {
    high_pair(w.bit(8) && w.bit(22), Defined)
}

fn store(w: Word) -> Says {
    high_pair(w.bit(8) && w.bit(22), unless(w.n() == 15))
}

fn two(w: Word) -> Says {
    let (t, t2) = (w.t(), w.n());
    let to_core = w.bit(20);
    let wrong = bad(t) || bad(t2) || (to_core && t == t2);
    if w.bit(8) {
        high_pair(w.bit(5), unless(wrong))
    } else {
        unless(wrong || (w.m() == 15 && w.bit(5)))
    }
}

/// The fraction bits of a fixed-point conversion must not be negative.
fn fixed(w: Word) -> Says {
    let size = if w.bit(7) { 32 } else { 16 };
    unless(w.field(0, 4) << 1 | w.field(5, 1) > size)
}

fn any(_: Word) -> Says {
    Defined
}

pub(crate) const LINES: &[Line] = &[
    // A6.7 64-bit transfers.
    (
        "VMOV, two core registers",
        "1110 1100 010 . .... .... 101 . 00 . 1 ....",
        two,
    ),
    (
        "no 64-bit transfer",
        "1110 1100 010 . .... .... 101 . ........",
        |_| Undefined,
    ),
    // A6.5 Extension register load or store.
    (
        "VSTM, VSTMIA",
        "1110 1100 1 . . 0 .... .... 101 . ........",
        many,
    ),
    (
        "VLDM, VLDMIA",
        "1110 1100 1 . . 1 .... .... 101 . ........",
        many,
    ),
    (
        "VSTMDB, VPUSH",
        "1110 1101 0 . 1 0 .... .... 101 . ........",
        many,
    ),
    ("VLDMDB", "1110 1101 0 . 1 1 .... .... 101 . ........", many),
    ("VSTR", "1110 1101 . . 0 0 .... .... 101 . ........", store),
    ("VLDR", "1110 1101 . . 0 1 .... .... 101 . ........", load),
    // A6.4 Data processing; with bit 8 set these are of double precision and absent.
    (
        "VMLA, VMLS",
        "1110 1110 0 . 00 .... .... 1010 . . . 0 ....",
        any,
    ),
    (
        "VNMLA, VNMLS",
        "1110 1110 0 . 01 .... .... 1010 . . . 0 ....",
        any,
    ),
    (
        "VMUL, VNMUL",
        "1110 1110 0 . 10 .... .... 1010 . . . 0 ....",
        any,
    ),
    (
        "VADD, VSUB",
        "1110 1110 0 . 11 .... .... 1010 . . . 0 ....",
        any,
    ),
    ("VDIV", "1110 1110 1 . 00 .... .... 1010 . 0 . 0 ....", any),
    (
        "VFNMA, VFNMS",
        "1110 1110 1 . 01 .... .... 1010 . . . 0 ....",
        any,
    ),
    (
        "VFMA, VFMS",
        "1110 1110 1 . 10 .... .... 1010 . . . 0 ....",
        any,
    ),
    (
        "VMOV (immediate)",
        "1110 1110 1 . 11 .... .... 1010 z 0 z 0 ....",
        any,
    ),
    (
        "VMOV, VABS",
        "1110 1110 1 . 11 0000 .... 1010 . 1 . 0 ....",
        any,
    ),
    (
        "VNEG, VSQRT",
        "1110 1110 1 . 11 0001 .... 1010 . 1 . 0 ....",
        any,
    ),
    (
        "VCVTB, VCVTT",
        "1110 1110 1 . 11 001. .... 1010 . 1 . 0 ....",
        any,
    ),
    (
        "VCMP, VCMPE",
        "1110 1110 1 . 11 0100 .... 1010 . 1 . 0 ....",
        any,
    ),
    (
        "VCMP, VCMPE zero",
        "1110 1110 1 . 11 0101 .... 1010 . 1 z 0 zzzz",
        any,
    ),
    (
        "VCVT from integer",
        "1110 1110 1 . 11 1000 .... 1010 . 1 . 0 ....",
        any,
    ),
    (
        "VCVT to integer",
        "1110 1110 1 . 11 110. .... 1010 . 1 . 0 ....",
        any,
    ),
    (
        "VCVT fixed",
        "1110 1110 1 . 11 1.1. .... 1010 . 1 . 0 ....",
        fixed,
    ),
    // A6.6 32-bit transfers.
    (
        "VMOV, core and single",
        "1110 1110 000 . .... .... 1010 . zz 1 zzzz",
        |w| unless(bad(w.t())),
    ),
    ("VMSR", "1110 1110 1110 0001 .... 1010 z zz 1 zzzz", |w| {
        unless(bad(w.t()))
    }),
    ("VMRS", "1110 1110 1111 0001 .... 1010 z zz 1 zzzz", |w| {
        unless(w.t() == 13)
    }),
    (
        "VMOV, core and half of a pair",
        "1110 1110 00 . . .... .... 1011 . 00 1 zzzz",
        |w| high_pair(w.bit(7), unless(bad(w.t()))),
    ),
];
