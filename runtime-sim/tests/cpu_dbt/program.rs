//! Random programs with everything that the translator treats in a way of its own:
//! loops, calls, IT blocks, all data processing, FPU arithmetic on special values, every
//! kind of access, devices, faults, stores to code.

use crate::patterns::{PATTERNS, fill};
use runtime_sim::cpu::op::Op;
use runtime_sim::cpu::{Decoded, decode};

pub(crate) const CODE: u32 = 0x400;
pub(crate) const HANDLER: u32 = 0x2000;
pub(crate) const DATA: u32 = 0x8000;
pub(crate) const STACK: u32 = 0x1_0000;
pub(crate) const DEVICE: u32 = 0x4000_0000;
pub(crate) const MEMORY: usize = 0x1_8000;

/// xorshift64*.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }

    pub(crate) fn below(&mut self, n: u32) -> u32 {
        self.next() % n
    }

    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u32) as usize]
    }
}

/// What a program may contain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) float: bool,
    /// Modes of the FPU other than the usual ones.
    pub(crate) modes: bool,
    pub(crate) device: bool,
    pub(crate) faults: bool,
    pub(crate) self_modifying: bool,
}

pub(crate) struct Program {
    pub(crate) code: Vec<u16>,
    pub(crate) handler: Vec<u16>,
    pub(crate) style: Style,
}

struct Writer<'a> {
    rng: &'a mut Rng,
    style: Style,
    code: Vec<u16>,
    at: u32,
    /// Addresses of `movs r?, #imm` that may be overwritten.
    patches: Vec<u32>,
}

fn allowed(op: &Op, style: Style, rng: &mut Rng) -> bool {
    let kept = |r: u8| r < 7;
    match *op {
        Op::DpImm { rd, rn, .. } => kept(rd) && rn != 13,
        Op::DpReg { rd, rn, rm, .. } => kept(rd) && rn != 13 && rm != 13,
        Op::MovFromPc { rd } | Op::AddFromPc { rd } => kept(rd),
        Op::ShiftReg { rd, .. }
        | Op::Adr { rd, .. }
        | Op::Movt { rd, .. }
        | Op::Bfi { rd, .. }
        | Op::Bfx { rd, .. }
        | Op::Extend { rd, .. }
        | Op::Pkh { rd, .. }
        | Op::Sat { rd, .. }
        | Op::Sat16 { rd, .. }
        | Op::Parallel { rd, .. }
        | Op::Misc { rd, .. }
        | Op::Mul { rd, .. }
        | Op::Mrs { rd, .. } => kept(rd),
        Op::MulLong { lo, hi, .. } => kept(lo) && kept(hi),
        Op::Msr { sysm, .. } => sysm < 4,
        Op::Preload | Op::Nop | Op::Barrier | Op::Isb | Op::Sev => true,
        Op::VMsr { .. } => style.float && style.modes && rng.chance(4),
        Op::VMrs { rt } => style.float && (rt == 15 || kept(rt)),
        Op::VMovToCore { rt, .. } => style.float && kept(rt),
        Op::VMov2ToCore { rt, rt2, .. } => style.float && kept(rt) && kept(rt2),
        Op::V3 { .. }
        | Op::V2 { .. }
        | Op::VMovImm { .. }
        | Op::VCmp { .. }
        | Op::VCmpZero { .. }
        | Op::VCvtFixed { .. }
        | Op::VMovFromCore { .. }
        | Op::VMov2FromCore { .. } => style.float,
        _ => false,
    }
}

impl Writer<'_> {
    fn put(&mut self, halves: &[u16]) {
        self.code.extend_from_slice(halves);
        self.at += 2 * halves.len() as u32;
    }

    /// Any instruction on registers.
    fn pure(&mut self, in_it: bool) {
        loop {
            let float = self.style.float && self.rng.chance(45);
            let index = if float {
                self.rng.below(40) as usize + PATTERNS.len() - 40
            } else {
                self.rng.below(PATTERNS.len() as u32) as usize
            };
            let bits = u64::from(self.rng.next()) << 32 | u64::from(self.rng.next());
            let mut used = 0;
            let mut names = Rng::new(u64::from(self.rng.next()));
            let few = self.rng.chance(50);
            let code = fill(
                PATTERNS[index].1,
                || {
                    used += 1;
                    bits >> (used & 63) & 1 != 0
                },
                |_| names.below(if few { 4 } else { 7 }) as u8,
            );
            let Decoded::Op(op) = decode(code[0], code.get(1).copied().unwrap_or(0), in_it) else {
                continue;
            };
            if op.branches() || (in_it && op.forbidden_in_it()) {
                continue;
            }
            if allowed(&op, self.style, self.rng) {
                self.put(&code);
                return;
            }
        }
    }

    fn low(&mut self) -> u16 {
        self.rng.below(7) as u16
    }

    /// An access to data, usually aligned.
    fn access(&mut self) {
        let (rt, rn) = (self.low(), self.rng.pick(&[8_u16, 9]));
        let loose = if self.rng.chance(4) { 1 } else { 4 };
        let imm = self.rng.below(64) as u16 * loose;
        let first = self.rng.pick(&[
            0xf8d0, 0xf8b0, 0xf890, 0xf9b0, 0xf990, 0xf8c0, 0xf8a0, 0xf880, 0xf8d0, 0xf8c0,
        ]);
        let float = self.style.float;
        match self.rng.below(12) {
            0..=4 => self.put(&[first | rn, rt << 12 | imm]),
            5 => {
                // Register offset, kept small by a mask.
                let rm = self.low();
                self.put(&[0xf000 | rm, rm << 8 | 0x3c]);
                let first = self
                    .rng
                    .pick(&[0xf850, 0xf830, 0xf810, 0xf840, 0xf820, 0xf800]);
                let shift = self.rng.below(3) as u16;
                self.put(&[first | rn, rt << 12 | shift << 4 | rm]);
            }
            6 => {
                // Post-increment and back.
                let first = self.rng.pick(&[0xf850, 0xf840]);
                self.put(&[first | rn, rt << 12 | 0x0b04]);
                let first = self.rng.pick(&[0xf850, 0xf840]);
                self.put(&[first | rn, rt << 12 | 0x0d04]);
                self.put(&[0xf100 | rn, rn << 8 | 4]); // add rn, rn, #4
                self.put(&[0xf1a0 | rn, rn << 8 | 4]); // sub rn, rn, #4
            }
            7 => {
                let list = (self.rng.next() & 0x7f | 3) as u16;
                let first = self.rng.pick(&[0xe890, 0xe880]);
                self.put(&[first | rn, list]);
            }
            8 => {
                let (a, b) = self.rng.pick(&[(0, 1), (2, 5), (6, 3)]);
                let first = self.rng.pick(&[0xe9d0, 0xe9c0]);
                self.put(&[first | rn, a << 12 | b << 8 | imm & 0x3f]);
            }
            9 => {
                let list = (self.rng.next() & 0x7f | 1) as u16;
                self.put(&[0xb400 | list]);
                self.pure(false);
                // Leaves the stack pointer as it was, whatever is loaded.
                self.put(&[0xbc00 | list]);
            }
            10 if float => {
                let first = self.rng.pick(&[0xed90, 0xed80, 0xedd0, 0xedc0]);
                let d = self.rng.below(16) as u16;
                self.put(&[first | rn, d << 12 | 0x0a00 | imm & 0x3f]);
            }
            11 if float => {
                let first = self.rng.pick(&[0xec90, 0xec80]);
                let d = self.rng.below(12) as u16;
                let count = 1 + self.rng.below(8) as u16;
                self.put(&[first | rn, d << 12 | 0x0a00 | count]);
            }
            _ => self.put(&[0x4800 | rt << 8 | 1]), // a literal, which is code
        }
    }

    fn device(&mut self) {
        let port = self.rng.chance(40);
        let word = if port {
            3 + self.rng.below(2)
        } else {
            self.rng.below(16)
        };
        let (rt, imm) = (self.low(), 4 * word as u16);
        let first = self.rng.pick(&[0xf8d0, 0xf8c0]);
        self.put(&[first | 7, rt << 12 | imm]);
    }

    /// A row of int8 weights added to eight registers, sometimes not quite.
    fn octet(&mut self) {
        let words = [8, 10, 11, 12];
        self.put(&[0xe92d, 0x0f80]); // push {r7-r11}
        let imm = 4 * self.rng.below(32) as u16;
        self.put(&[0xf109, 0x0e00 | imm]); // add lr, r9, #imm
        if self.rng.chance(50) {
            self.put(&[0xe89e, 0x1d00]); // ldm lr, {r8, r10, r11, r12}
        } else {
            let first = self.rng.below(4) as u16;
            for k in 0..4 {
                let word = (first + k) % 4;
                let apart = if self.rng.chance(4) { 8 } else { 4 };
                let rt = words[usize::from(word)];
                self.put(&[0xf8de, rt << 12 | (word * apart)]);
            }
        }
        if self.rng.chance(10) {
            self.put(&[0xf8c9, imm]); // str r0, [r9, #imm]
        }
        let mut sums: Vec<u16> = (0..8).collect();
        for left in (1..8_u32).rev() {
            sums.swap(left as usize, self.rng.below(left + 1) as usize);
        }
        let usual = self.rng.chance(70);
        for rd in sums {
            let (word, turn) = if usual {
                (rd / 2, rd & 1)
            } else {
                (self.rng.below(4) as u16, self.rng.below(4) as u16)
            };
            let rm = words[usize::from(word)];
            self.put(&[0xfa20 | rd, 0xf080 | rd << 8 | turn << 4 | rm]);
        }
        self.put(&[0xe8bd, 0x0f80]); // pop {r7-r11}
    }

    fn it(&mut self) {
        let cond = self.rng.below(15) as u16;
        let count = 1 + self.rng.below(4);
        let mut mask = 0;
        for i in 0..count - 1 {
            let same = cond == 14 || self.rng.chance(50);
            let bit = if same { cond & 1 } else { !cond & 1 };
            mask |= bit << (3 - i);
        }
        mask |= 1 << (4 - count);
        self.put(&[0xbf00 | cond << 4 | mask]);
        for _ in 0..count {
            if self.rng.chance(25) {
                let (rt, rn) = (self.low(), 8);
                let first = self.rng.pick(&[0xf8d0, 0xf8c0]);
                let rn = if self.style.device && self.rng.chance(10) {
                    7
                } else {
                    rn
                };
                self.put(&[first | rn, rt << 12 | 8]);
            } else {
                self.pure(true);
            }
        }
    }

    /// Jumps forward over something if a condition holds.
    fn skip(&mut self, depth: u32) {
        let from = self.code.len();
        let form = self.rng.below(4);
        self.put(&[0xbf00]);
        self.sequence(1 + depth, 4);
        let distance = 2 * (self.code.len() - from) as u32 - 4 + 2;
        // The jump lands behind the sequence.
        let offset = distance - 2;
        let branch = match form {
            0 if offset / 2 < 64 => {
                let rn = self.low();
                0xb100 | (offset as u16 & 0x40) << 3 | (offset as u16 >> 1 & 31) << 3 | rn
            }
            1 if offset / 2 < 64 => {
                let rn = self.low();
                0xb900 | (offset as u16 & 0x40) << 3 | (offset as u16 >> 1 & 31) << 3 | rn
            }
            2 => 0xe000 | offset as u16 >> 1 & 0x7ff,
            _ if offset / 2 < 127 => {
                0xd000 | (self.rng.below(14) as u16) << 8 | offset as u16 >> 1 & 0xff
            }
            _ => 0xbf00,
        };
        self.code[from] = branch;
    }

    fn patch(&mut self) {
        let Some(&at) = self.patches.last() else {
            return;
        };
        let rt = self.low();
        // movs rx, #imm as data, stored to the place of the other.
        let rx = self.low();
        let word = 0x2000 | rx << 8 | self.rng.below(256) as u16;
        self.movw(rt, word.into());
        self.put(&[0xf8c0 | 12, rt << 12]); // replaced below
        let n = self.code.len();
        self.code[n - 2] = 0xf8a0 | 12;
        // r12 = address, loaded just before.
        let store = [self.code[n - 2], self.code[n - 1]];
        self.code.truncate(n - 2);
        self.at -= 4;
        self.movw(12, at);
        self.put(&store);
    }

    fn movw(&mut self, rd: u16, imm: u32) {
        let imm = imm as u16;
        let first = 0xf240 | imm >> 12 | (imm >> 11 & 1) << 10;
        self.put(&[first, (imm >> 8 & 7) << 12 | rd << 8 | imm & 0xff]);
    }

    fn sequence(&mut self, depth: u32, length: u32) {
        for _ in 0..1 + self.rng.below(length) {
            match self.rng.below(100) {
                0..=54 => self.pure(false),
                55..=74 => self.access(),
                75..=81 => self.it(),
                82..=88 if depth < 3 => self.skip(depth),
                89..=91 if self.style.device => self.device(),
                92 if self.style.self_modifying => self.patch(),
                93 => {
                    let rd = self.low();
                    self.patches.push(self.at);
                    let imm = self.rng.below(256) as u16;
                    self.put(&[0x2000 | rd << 8 | imm]);
                }
                94 if self.style.faults && self.rng.chance(8) => {
                    // Far outside, or undefined.
                    if self.rng.chance(50) {
                        self.put(&[0xf04f, 0x4050, 0x6800]); // mov.w r0, #0xd0000000; ldr
                    } else {
                        self.put(&[0xde01]);
                    }
                }
                95 => self.octet(),
                _ => self.pure(false),
            }
        }
    }

    /// A loop of `n` turns.
    fn turns(&mut self, counter: u16, n: u16, body: impl FnOnce(&mut Self)) {
        self.put(&[0xf04f, counter << 8 | n]);
        let top = self.at;
        body(self);
        self.put(&[0xf1b0 | counter, counter << 8 | 1]);
        let offset = top.wrapping_sub(self.at + 4);
        if (offset as i32) >= -250 {
            self.put(&[0xd100 | offset as u16 >> 1 & 0xff]);
        } else {
            // bne.w
            let s = 1_u16;
            let second = 0x8000 | 1 << 13 | 1 << 11 | offset as u16 >> 1 & 0x7ff;
            self.put(&[
                0xf000 | s << 10 | 1 << 6 | (offset >> 12) as u16 & 0x3f,
                second,
            ]);
        }
    }
}

fn bl(from: u32, to: u32) -> [u16; 2] {
    let offset = to.wrapping_sub(from + 4);
    let s = (offset >> 24 & 1) as u16;
    let j1 = !((offset >> 23 & 1) as u16 ^ s) & 1;
    let j2 = !((offset >> 22 & 1) as u16 ^ s) & 1;
    [
        0xf000 | s << 10 | (offset >> 12) as u16 & 0x3ff,
        0xd000 | j1 << 13 | j2 << 11 | (offset >> 1) as u16 & 0x7ff,
    ]
}

/// Enables the FPU and interrupts 0 to 3; points the fixed registers to their places.
const START: &[u16] = &[
    0xf64e, 0x5088, // movw r0, #0xed88
    0xf2ce, 0x0000, // movt r0, #0xe000
    0xf44f, 0x0170, // mov r1, #0xf00000
    0x6001, // str r1, [r0]
    0xf24e, 0x1000, // movw r0, #0xe100
    0xf2ce, 0x0000, // movt r0, #0xe000
    0x210f, // movs r1, #15
    0x6001, // str r1, [r0]
    0xf04f, 0x4780, // mov.w r7, #0x40000000
    0xf44f, 0x4800, // mov.w r8, #0x8000
    0xf44f, 0x4904, // mov.w r9, #0x8400
];

pub(crate) fn random(rng: &mut Rng) -> Program {
    let style = Style {
        float: rng.chance(70),
        modes: rng.chance(20),
        device: rng.chance(60),
        faults: rng.chance(15),
        self_modifying: rng.chance(20),
    };
    let functions = 1 + rng.below(3);
    let mut w = Writer {
        rng,
        style,
        code: Vec::new(),
        at: CODE,
        patches: Vec::new(),
    };
    w.put(START);
    // A jump over the functions, filled in below.
    let over = w.code.len();
    w.put(&[0xe000]);
    let mut entries = Vec::new();
    for _ in 0..functions {
        entries.push(w.at);
        if w.rng.chance(50) {
            w.put(&[0xb570]); // push {r4, r5, r6, lr}
            if let Some(&inner) = entries.iter().rev().nth(1)
                && w.rng.chance(50)
            {
                let call = bl(w.at, inner);
                w.put(&call);
            }
            w.sequence(1, 8);
            w.put(&[0xbd70]); // pop {r4, r5, r6, pc}
        } else {
            w.sequence(1, 6);
            w.put(&[0x4770]); // bx lr
        }
        w.put(&[0xbf00]);
    }
    let distance = 2 * (w.code.len() - over) as u16 - 4;
    w.code[over] = 0xe000 | distance >> 1;
    let turns = 3 + w.rng.below(30) as u16;
    w.turns(10, turns, |w| {
        w.sequence(0, 10);
        if w.rng.chance(70) {
            let n = 2 + w.rng.below(12) as u16;
            let entries = entries.clone();
            w.turns(11, n, |w| {
                w.sequence(1, 8);
                if w.rng.chance(70) {
                    let entry = w.rng.pick(&entries);
                    let call = bl(w.at, entry);
                    w.put(&call);
                    w.sequence(1, 3);
                }
            });
        }
        for entry in entries.clone() {
            if w.rng.chance(60) {
                let call = bl(w.at, entry);
                w.put(&call);
            }
        }
        w.sequence(0, 5);
    });
    w.put(&[0xbe00, 0xbf00, 0xbf00, 0xbf00, 0xbf00]);
    let code = std::mem::take(&mut w.code);
    assert!(code.len() * 2 < (HANDLER - CODE) as usize);
    // The handler does some work of its own; r0 to r3 are saved by the hardware.
    w.at = HANDLER;
    w.patches.clear();
    w.put(&[0xb470]); // push {r4, r5, r6}
    w.style.faults = false;
    w.style.self_modifying = false;
    w.sequence(1, 10);
    w.put(&[0xbc70, 0x4770]);
    let handler = w.code;
    Program {
        code,
        handler,
        style,
    }
}
