//! Which shapes of instructions exist, found by scanning the encodings that the decoder
//! accepts, and which of them a batch executes.

use std::collections::BTreeMap;

use runtime_sim::cpu::op::{Mul, MulLong, Op};
use runtime_sim::cpu::{Decoded, decode, is_wide};

/// Variant, function, options; and how it was encoded.
pub(crate) type Key = (u8, u8, u16, Form);

/// How an instruction is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    Narrow,
    NarrowInIt,
    Wide,
}

/// Examples kept of each shape.
const EXAMPLES: usize = 48;

/// Bits from conditions, the first one lowest.
fn bits(conditions: &[bool]) -> u16 {
    conditions
        .iter()
        .enumerate()
        .fold(0, |all, (i, c)| all | u16::from(*c) << i)
}

/// SP and PC are the registers that may behave in a way of their own.
fn role(r: u8) -> u16 {
    match r {
        13 => 1,
        15 => 2,
        _ => 0,
    }
}

fn mul(f: Mul) -> u8 {
    match f {
        Mul::Mul => 0,
        Mul::Mla => 1,
        Mul::Mls => 2,
        Mul::Smul { n_high, m_high } => 4 + bits(&[n_high, m_high]) as u8,
        Mul::Smla { n_high, m_high } => 8 + bits(&[n_high, m_high]) as u8,
        Mul::Smulw { m_high } => 12 + u8::from(m_high),
        Mul::Smlaw { m_high } => 14 + u8::from(m_high),
        Mul::Smuad { swap, sub } => 16 + bits(&[swap, sub]) as u8,
        Mul::Smlad { swap, sub } => 20 + bits(&[swap, sub]) as u8,
        Mul::Smmul { round } => 24 + u8::from(round),
        Mul::Smmla { round } => 26 + u8::from(round),
        Mul::Smmls { round } => 28 + u8::from(round),
        Mul::Usad8 => 30,
        Mul::Usada8 => 31,
    }
}

fn mul_long(f: MulLong) -> u8 {
    match f {
        MulLong::Smull => 0,
        MulLong::Umull => 1,
        MulLong::Smlal => 2,
        MulLong::Umlal => 3,
        MulLong::Umaal => 4,
        MulLong::SmlalHalf { n_high, m_high } => 8 + bits(&[n_high, m_high]) as u8,
        MulLong::Smlald { swap, sub } => 12 + bits(&[swap, sub]) as u8,
    }
}

/// The shape of an instruction. No arm for "all others": a new variant of [`Op`] must
/// say here what its shapes are.
pub(crate) fn shape(op: &Op) -> (u8, u8, u16) {
    match *op {
        Op::DpImm {
            f,
            s,
            rd,
            rn,
            carry,
            ..
        } => (
            0,
            f as u8,
            bits(&[s, rd == 13, rn == 13]) | (carry as u16) << 3,
        ),
        Op::DpReg {
            f,
            s,
            rd,
            rn,
            rm,
            shift,
            amount,
        } => {
            let sp = bits(&[s, rd == 13, rn == 13, rm == 13, amount == 0, amount == 32]);
            (1, f as u8, sp | (shift as u16) << 6)
        }
        Op::ShiftReg { shift, s, .. } => (2, shift as u8, bits(&[s])),
        Op::Adr { offset, .. } => (3, 0, bits(&[offset < 0])),
        Op::MovFromPc { rd } => (4, 0, role(rd)),
        Op::AddFromPc { rd } => (5, 0, role(rd)),
        Op::MovToPc { .. } => (6, 0, 0),
        Op::AddToPc { .. } => (7, 0, 0),
        Op::Movt { .. } => (8, 0, 0),
        Op::Bfi { rn, .. } => (9, 0, role(rn)),
        Op::Bfx { signed, .. } => (10, 0, bits(&[signed])),
        Op::Extend { x, rn, rot, .. } => (11, x as u8, role(rn) | u16::from(rot) << 2),
        Op::Pkh { tb, amount, .. } => (12, 0, bits(&[tb, amount == 0, amount == 32])),
        Op::Sat {
            signed,
            shift,
            amount,
            ..
        } => (13, shift as u8, bits(&[signed, amount == 0])),
        Op::Sat16 { signed, .. } => (14, 0, bits(&[signed])),
        Op::Parallel { lane, par, .. } => (15, lane as u8, par as u16),
        Op::Misc { f, .. } => (16, f as u8, 0),
        Op::Mul { f, s, .. } => (17, mul(f), bits(&[s])),
        Op::MulLong { f, .. } => (18, mul_long(f), 0),
        Op::Load {
            kind,
            index,
            rt,
            rn,
            offset,
        } => {
            let base = (index as u16) << 4 | bits(&[offset < 0, rn == 13]) << 6;
            // A base of SP is tested with data, not with branches.
            let base = if rt == 15 { base & 0x70 } else { base };
            (19, kind as u8, role(rt) | base)
        }
        Op::LoadReg {
            kind,
            rt,
            rn,
            shift,
            ..
        } => {
            let base = u16::from(shift) << 4 | bits(&[rn == 13]) << 6;
            let base = if rt == 15 { base & 0x30 } else { base };
            (20, kind as u8, role(rt) | base)
        }
        Op::LoadLit { kind, rt, offset } => {
            let back = rt != 15 && offset < 0;
            (21, kind as u8, role(rt) | bits(&[back]) << 4)
        }
        Op::Store {
            kind,
            index,
            rt,
            rn,
            offset,
        } => {
            let base = (index as u16) << 4 | bits(&[offset < 0, rn == 13]) << 6;
            (22, kind as u8, role(rt) | base)
        }
        Op::StoreReg {
            kind,
            rt,
            rn,
            shift,
            ..
        } => {
            let base = u16::from(shift) << 4 | bits(&[rn == 13]) << 6;
            (23, kind as u8, role(rt) | base)
        }
        Op::LoadDual {
            index, rn, offset, ..
        } => (24, index as u8, role(rn) | bits(&[offset < 0]) << 2),
        Op::StoreDual {
            index, rn, offset, ..
        } => (25, index as u8, role(rn) | bits(&[offset < 0]) << 2),
        Op::LoadMany {
            down,
            writeback,
            rn,
            list,
        } => {
            let pc = list >> 15 != 0;
            (
                26,
                0,
                bits(&[down, writeback, rn == 13 && !(pc && down), pc]),
            )
        }
        Op::StoreMany {
            down,
            writeback,
            rn,
            ..
        } => (27, 0, bits(&[down, writeback, rn == 13])),
        Op::Preload => (28, 0, 0),
        Op::B { offset } => (29, 0, bits(&[offset < 0])),
        Op::BCond { cond, offset } => (30, cond.0, bits(&[offset < 0])),
        Op::Bl { offset } => (31, 0, bits(&[offset < 0])),
        Op::Bx { .. } => (32, 0, 0),
        Op::Blx { .. } => (33, 0, 0),
        Op::Cbz { nonzero, .. } => (34, 0, bits(&[nonzero])),
        Op::TableBranch { half, .. } => (35, 0, bits(&[half])),
        Op::It { state } => (36, state, 0),
        Op::Nop => (37, 0, 0),
        Op::Sev => (38, 0, 0),
        Op::Wfe => (39, 0, 0),
        Op::Wfi => (40, 0, 0),
        Op::Barrier => (41, 0, 0),
        Op::Isb => (42, 0, 0),
        Op::Cps {
            disable,
            primask,
            faultmask,
        } => (43, 0, bits(&[disable, primask, faultmask])),
        Op::Mrs { sysm, .. } => (44, sysm, 0),
        Op::Msr { sysm, mask, .. } => (45, sysm, mask.into()),
        Op::Svc { .. } => (46, 0, 0),
        Op::Bkpt { .. } => (47, 0, 0),
        Op::V3 { f, .. } => (48, f as u8, 0),
        Op::V2 { f, .. } => (49, f as u8, 0),
        Op::VMovImm { .. } => (50, 0, 0),
        Op::VCmp { e, .. } => (51, 0, bits(&[e])),
        Op::VCmpZero { e, .. } => (52, 0, bits(&[e])),
        Op::VCvtFixed {
            to_fixed, ty, frac, ..
        } => (53, ty as u8, bits(&[to_fixed, frac == 0])),
        Op::VMovToCore { .. } => (54, 0, 0),
        Op::VMovFromCore { .. } => (55, 0, 0),
        Op::VMov2ToCore { .. } => (56, 0, 0),
        Op::VMov2FromCore { .. } => (57, 0, 0),
        Op::VMrs { rt } => (58, 0, role(rt)),
        Op::VMsr { .. } => (59, 0, 0),
        Op::VLoad {
            double, rn, offset, ..
        } => (60, 0, role(rn) | bits(&[double, offset < 0]) << 2),
        Op::VStore {
            double, rn, offset, ..
        } => (61, 0, role(rn) | bits(&[double, offset < 0]) << 2),
        Op::VLoadMany {
            down,
            writeback,
            rn,
            ..
        } => (62, 0, bits(&[down, writeback, rn == 13])),
        Op::VStoreMany {
            down,
            writeback,
            rn,
            ..
        } => (63, 0, bits(&[down, writeback, rn == 13])),
        Op::LoadExclusive { kind, rn, .. } => (64, kind as u8, role(rn)),
        Op::StoreExclusive { kind, rn, .. } => (65, kind as u8, role(rn)),
        Op::ClearExclusive => (66, 0, 0),
        Op::LoadUser { kind, rn, .. } => (67, kind as u8, role(rn)),
        Op::StoreUser { kind, rn, .. } => (68, kind as u8, role(rn)),
    }
}

/// Why a shape is not executed beside QEMU.
pub(crate) fn exempt(op: &Op) -> Option<&'static str> {
    match *op {
        Op::Wfi => Some("sleeps until an interrupt; tests/cpu_exceptions.rs"),
        Op::Bkpt { .. } => Some("halts for a debugger in QEMU; tests/cpu_exceptions.rs"),
        Op::Msr { sysm: 20, .. } => {
            Some("leaves privileged mode or changes stacks; tests/cpu_exceptions.rs")
        }
        _ => None,
    }
}

/// Words by shape.
#[derive(Default)]
pub(crate) struct Shapes(pub(crate) BTreeMap<Key, Vec<[u16; 2]>>);

impl Shapes {
    fn add(&mut self, word: [u16; 2], form: Form) {
        if let Decoded::Op(op) = decode(word[0], word[1], form == Form::NarrowInIt) {
            if form == Form::NarrowInIt && op.forbidden_in_it() {
                return;
            }
            let (variant, f, options) = shape(&op);
            let list = self.0.entry((variant, f, options, form)).or_default();
            if list.len() < EXAMPLES {
                list.push(word);
            }
        }
    }

    /// Every 16-bit encoding, and a `stride`-th of the 32-bit ones in an order that
    /// mixes register numbers.
    pub(crate) fn scan(stride: u32) -> Shapes {
        let mut shapes = Shapes::default();
        let mix = |i: u32| i.wrapping_mul(40_503) as u16;
        for i in 0..0x1_0000 {
            let hw = mix(i);
            if !is_wide(hw) {
                shapes.add([hw, 0], Form::Narrow);
                shapes.add([hw, 0], Form::NarrowInIt);
            }
        }
        for i in 0..0x1800_u32 {
            // Odd multipliers permute: 6144 = 3 * 2^11, so 5 is coprime too.
            let hw1 = (0xe800 + i * 2_741 % 0x1800) as u16;
            let mut j = i % stride;
            while j < 0x1_0000 {
                shapes.add([hw1, mix(j)], Form::Wide);
                j += stride;
            }
        }
        shapes
    }
}

/// The shapes of a sequence, with the IT state as it goes.
pub(crate) fn executed(code: &[u16]) -> Vec<Key> {
    let mut keys = Vec::new();
    let (mut at, mut it) = (0, 0_u8);
    while at < code.len() {
        let wide = is_wide(code[at]);
        let second = if wide {
            code.get(at + 1).copied().unwrap_or(0)
        } else {
            0
        };
        if let Decoded::Op(op) = decode(code[at], second, it != 0) {
            let form = match (wide, it != 0) {
                (true, _) => Form::Wide,
                (false, true) => Form::NarrowInIt,
                (false, false) => Form::Narrow,
            };
            let (variant, f, options) = shape(&op);
            keys.push((variant, f, options, form));
            it = match op {
                Op::It { state } => state,
                _ if it & 7 == 0 => 0,
                _ => it & 0xe0 | it << 1 & 0x1f,
            };
        }
        at += if wide { 2 } else { 1 };
    }
    keys
}
