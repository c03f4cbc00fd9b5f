//! 16-bit encodings (A5.2), outside an IT block; then what an IT block forbids.

use super::Says::{Defined, Undefined, Unpredictable};
use super::{Line, Word, unless};

pub(crate) const LINES: &[Line] = &[
    (
        "shift, add, subtract, move, compare",
        "00 ..............",
        |_| Defined,
    ),
    ("data processing", "010000 ..........", |_| Defined),
    ("ADD (register) T2", "01000100 ........", |w| {
        unless(w.field(3, 4) == 15 && high(w) == 15)
    }),
    ("CMP (register) T2", "01000101 ........", |w| {
        let (n, m) = (high(w), w.field(3, 4));
        unless((n < 8 && m < 8) || n == 15 || m == 15)
    }),
    ("MOV (register) T1", "01000110 ........", |_| Defined),
    // BX PC: the address is even, so the instruction can't do anything but fault.
    ("BX", "01000111 0 .... zzz", |w| unless(w.field(3, 4) == 15)),
    ("BLX (register)", "01000111 1 .... zzz", |w| {
        unless(w.field(3, 4) == 15)
    }),
    ("LDR (literal) T1", "01001 ...........", |_| Defined),
    ("load/store register offset", "0101 ............", |_| {
        Defined
    }),
    ("load/store word, byte imm", "011 .............", |_| {
        Defined
    }),
    ("load/store halfword imm, SP", "100 .............", |_| {
        Defined
    }),
    ("ADR, ADD (SP)", "1010 ............", |_| Defined),
    ("ADD, SUB SP", "10110000 ........", |_| Defined),
    ("CBZ, CBNZ", "1011 . 0 . 1 ........", |_| Defined),
    ("SXTH, SXTB, UXTH, UXTB", "10110010 ........", |_| Defined),
    ("PUSH", "1011010 . ........", |w| unless(w.field(0, 9) == 0)),
    ("CPS", "10110110 011 . zz . .", |w| {
        unless(w.field(0, 2) == 0)
    }),
    ("REV", "10111010 00 ......", |_| Defined),
    ("REV16", "10111010 01 ......", |_| Defined),
    ("REVSH", "10111010 11 ......", |_| Defined),
    ("POP", "1011110 . ........", |w| unless(w.field(0, 9) == 0)),
    ("BKPT", "10111110 ........", |_| Defined),
    ("hints", "10111111 .... 0000", |_| Defined),
    ("IT", "10111111 .... ....", |w| {
        let (first, mask) = (w.field(4, 4), w.field(0, 4));
        unless(first == 15 || (first == 14 && mask.count_ones() != 1))
    }),
    // With write-back and the base in the list but not lowest, an unknown value is
    // stored; with the base lowest the old value is.
    ("STM", "11000 ...........", |w| {
        let (n, list) = (w.field(8, 3), w.field(0, 8));
        let unknown = list >> n & 1 != 0 && list.trailing_zeros() != n;
        unless(list == 0 || unknown)
    }),
    ("LDM", "11001 ...........", |w| unless(w.field(0, 8) == 0)),
    ("UDF", "11011110 ........", |_| Undefined),
    ("SVC", "11011111 ........", |_| Defined),
    ("B (cond)", "1101 ............", |_| Defined),
    ("B", "11100 ...........", |_| Defined),
];

/// The register DN:Rdn.
fn high(w: Word) -> u32 {
    w.field(7, 1) << 3 | w.field(0, 3)
}

/// Encodings that may not stand anywhere in an IT block.
const NEVER: &[(&str, &str)] = &[
    ("MOV (register) T2, flag setting", "0000000000 ......"),
    ("CBZ, CBNZ", "1011 . 0 . 1 ........"),
    ("CPS", "10110110 011 ....."),
    ("B (cond)", "1101 ............"),
];

/// Encodings that may stand in an IT block only as its last instruction.
const LAST: &[(&str, &str)] = &[
    ("ADD PC", "01000100 1 .... 111"),
    ("MOV PC", "01000110 1 .... 111"),
    ("BX, BLX", "01000111 ........"),
    ("POP {PC}", "10111101 ........"),
    ("B", "11100 ..........."),
];

fn is(pattern: &str, half: u16) -> bool {
    let letters = pattern.chars().filter(|c| *c != ' ');
    let bits = (0..16).rev().map(|i| half >> i & 1 != 0);
    letters.zip(bits).all(|(c, bit)| match c {
        '0' => !bit,
        '1' => bit,
        _ => true,
    })
}

/// What the manual says of `half` inside an IT block.
pub(crate) fn in_it_block(outside: super::Says, half: u16, last: bool) -> super::Says {
    if outside != Defined {
        return outside;
    }
    // SVC and the permanently undefined encoding look like conditional branches.
    let conditional_space = half >> 12 == 0b1101 && half >> 9 == 0b1101111;
    let it = half >> 8 == 0b1011_1111 && half & 15 != 0;
    let never = NEVER.iter().any(|(_, p)| is(p, half)) && !conditional_space;
    if it || never || (!last && LAST.iter().any(|(_, p)| is(p, half))) {
        return Unpredictable;
    }
    Defined
}
