//! Instances: one sequence under test with the state it starts from.

use runtime_sim::cpu::op::{Index, Op};
use runtime_sim::cpu::{Decoded, decode};

use crate::patterns::{PATTERNS, fill};
use crate::value::{Rng, float_operand, operand};

/// Words of an input record: FPSCR, APSR, R0 to R12, LR, S0 to S31.
pub(crate) const IN_WORDS: usize = 48;
/// Words of scratch memory of one instance.
pub(crate) const SCRATCH_WORDS: usize = 80;
/// Words of an output record: R0 to R12, LR, APSR, FPSCR, S0 to S31, scratch.
pub(crate) const OUT_WORDS: usize = 48 + SCRATCH_WORDS;
/// The middle of the scratch, where single accesses go.
const MIDDLE: u32 = 4 * SCRATCH_WORDS as u32 / 2;
/// One sequence under test with the state it starts from.
#[derive(Clone)]
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) code: Vec<u16>,
    pub(crate) input: [u32; IN_WORDS],
    pub(crate) scratch: [u32; SCRATCH_WORDS],
    /// Registers whose value is relative to the scratch of this instance.
    pub(crate) relative_to_scratch: Vec<(u8, u32)>,
    /// Registers whose value is relative to the first byte of `code`.
    pub(crate) relative_to_code: Vec<(u8, u32)>,
    /// Scratch word that holds an address relative to the first byte of `code`.
    pub(crate) code_address: Option<(usize, u32)>,
    /// Halfword of `code` where a word lies that holds such an address; the code is
    /// then put at a multiple of 4.
    pub(crate) literal: Option<(usize, u32)>,
}

impl Instance {
    pub(crate) fn new(rng: &mut Rng, name: &str, code: Vec<u16>) -> Instance {
        let mut input = [0; IN_WORDS];
        let modes = if rng.chance(50) {
            rng.next() & 0x07c0_0000
        } else {
            0
        };
        let flags = rng.pick(&[0, 0x10, 0x9f, 0]);
        input[0] = rng.next() & 0xf000_0000 | modes | flags;
        input[1] = rng.next() & 0xf80f_0000;
        for word in &mut input[2..16] {
            *word = operand(rng);
        }
        for word in &mut input[16..] {
            *word = float_operand(rng);
        }
        let mut scratch = [0; SCRATCH_WORDS];
        scratch.fill_with(|| {
            if rng.chance(50) {
                rng.next()
            } else {
                operand(rng)
            }
        });
        Instance {
            name: name.to_owned(),
            code,
            input,
            scratch,
            relative_to_scratch: Vec::new(),
            relative_to_code: Vec::new(),
            code_address: None,
            literal: None,
        }
    }

    pub(crate) fn value(&self, r: u8) -> u32 {
        self.input[slot(r)]
    }

    pub(crate) fn set(&mut self, r: u8, value: u32) {
        self.input[slot(r)] = value;
    }

    /// True if a register points to the scratch.
    pub(crate) fn needs_base(&self) -> bool {
        !self.relative_to_scratch.is_empty()
    }

    pub(crate) fn point_to_scratch(&mut self, r: u8, offset: u32) {
        self.relative_to_scratch.push((r, offset));
    }
}

/// Index of a core register in an input record.
pub(crate) fn slot(r: u8) -> usize {
    match r {
        14 => 15,
        r => 2 + usize::from(r),
    }
}

pub(crate) fn mov(rd: u16, rm: u16) -> u16 {
    0x4600 | (rd & 8) << 4 | rm << 3 | rd & 7
}

/// An instance of a pattern, or `None` if the random fields make no instruction that
/// can be tested this way.
pub(crate) fn from_pattern(rng: &mut Rng, index: usize, in_it: bool) -> Option<Instance> {
    let (name, pattern) = PATTERNS[index];
    let bits = rng.next() as u64 | u64::from(rng.next()) << 32;
    let mut used = 0;
    let free = || {
        used += 1;
        bits >> (used & 63) & 1 != 0
    };
    let seed = u64::from(rng.next());
    let mut names = Rng::new(seed);
    let code = fill(pattern, free, |low| {
        if low {
            names.below(8) as u8
        } else {
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 14, 13][names.below(16) as usize]
        }
    });
    from_code(rng, name, code, in_it, None)
}

/// An instance of one encoding, or `None` if it can't be tested this way. `it` is put
/// before it.
pub(crate) fn from_code(
    rng: &mut Rng,
    name: &str,
    code: Vec<u16>,
    in_it: bool,
    it: Option<u16>,
) -> Option<Instance> {
    let second = code.get(1).copied().unwrap_or(0);
    let Decoded::Op(op) = decode(code[0], second, in_it) else {
        return None;
    };
    if op.branches() || is_system(&op) || (in_it && op.forbidden_in_it()) {
        return None;
    }
    let mut instance = Instance::new(rng, name, code);
    prepare(rng, &mut instance, &op)?;
    if matches!(op, Op::LoadExclusive { .. }) {
        if in_it {
            return None;
        }
        // QEMU's monitor holds an address: it must not be open for another instance.
        instance.code.extend([0xf3bf, 0x8f2f]);
    }
    if let Some(it) = it {
        instance.code.insert(0, it);
    }
    if uses_sp(&op) {
        if in_it && it.is_none() {
            return None;
        }
        // SP comes from R10 and goes to R11.
        instance.code.insert(0, mov(13, 10));
        instance.code.push(mov(11, 13));
    }
    Some(instance)
}

/// Instructions that change more than a record shows; `special` has them.
fn is_system(op: &Op) -> bool {
    match *op {
        Op::Wfi | Op::Wfe | Op::Svc { .. } | Op::Bkpt { .. } | Op::Cps { .. } | Op::It { .. } => {
            true
        }
        Op::Msr { sysm, .. } => sysm > 7,
        _ => false,
    }
}

fn uses_sp(op: &Op) -> bool {
    match *op {
        Op::DpImm { rd, rn, .. } => rd == 13 || rn == 13,
        Op::DpReg { rd, rn, rm, .. } => rd == 13 || rn == 13 || rm == 13,
        Op::MovFromPc { rd } | Op::AddFromPc { rd } => rd == 13,
        Op::Load { rt, rn, .. } => rt == 13 || rn == 13,
        Op::Store { rt, rn, .. } => rt == 13 || rn == 13,
        Op::LoadReg { rt, rn, .. } | Op::StoreReg { rt, rn, .. } => rt == 13 || rn == 13,
        Op::LoadLit { rt, .. } => rt == 13,
        Op::LoadDual { rn, .. } | Op::StoreDual { rn, .. } => rn == 13,
        Op::VLoad { rn, .. } | Op::VStore { rn, .. } => rn == 13,
        Op::LoadMany { rn, .. } | Op::StoreMany { rn, .. } => rn == 13,
        Op::VLoadMany { rn, .. } | Op::VStoreMany { rn, .. } => rn == 13,
        Op::LoadExclusive { rn, .. } | Op::StoreExclusive { rn, .. } => rn == 13,
        Op::LoadUser { rn, .. } | Op::StoreUser { rn, .. } => rn == 13,
        _ => false,
    }
}

/// Makes the registers of a memory instruction point into the scratch.
fn prepare(rng: &mut Rng, instance: &mut Instance, op: &Op) -> Option<()> {
    let base = |rn: u8| if rn == 13 { 10 } else { rn };
    // Single accesses may be unaligned, all others must not be.
    let loose = rng.below(8);
    let loose = if rng.chance(50) { loose } else { loose & !3 };
    match *op {
        Op::Load {
            index, rn, offset, ..
        }
        | Op::Store {
            index, rn, offset, ..
        } => {
            let back = if index == Index::Post { 0 } else { offset };
            let low = if rn == 13 { loose & !3 } else { loose };
            let at = (MIDDLE + low).wrapping_sub(back as u32);
            // SP drops the low two bits, so the offset must be whole words.
            if rn == 13 && offset & 3 != 0 {
                return None;
            }
            instance.point_to_scratch(base(rn), at);
        }
        Op::LoadReg { rn, rm, shift, .. } | Op::StoreReg { rn, rm, shift, .. } => {
            if rn == rm || base(rn) == rm {
                return None;
            }
            let index = rng.pick(&[0, 1, 2, 4, 0xffff_fffc, 8]);
            let back = index << shift;
            // SP drops the low two bits, so the offset must be whole words.
            if rn == 13 && back & 3 != 0 {
                return None;
            }
            let low = if rn == 13 { loose & !3 } else { loose };
            instance.set(rm, index);
            instance.point_to_scratch(base(rn), (MIDDLE + low).wrapping_sub(back));
        }
        Op::LoadDual {
            index, rn, offset, ..
        }
        | Op::StoreDual {
            index, rn, offset, ..
        } if rn != 15 => {
            let back = if index == Index::Post { 0 } else { offset };
            let at = MIDDLE.wrapping_sub(i32::from(back) as u32);
            instance.point_to_scratch(base(rn), at);
        }
        Op::LoadExclusive { rn, offset, .. } | Op::StoreExclusive { rn, offset, .. } => {
            let at = MIDDLE.wrapping_sub(offset.into());
            instance.point_to_scratch(base(rn), at);
        }
        Op::LoadUser { rn, offset, .. } | Op::StoreUser { rn, offset, .. } => {
            // SP drops the low two bits, so the offset must be whole words.
            if rn == 13 && offset & 3 != 0 {
                return None;
            }
            let low = if rn == 13 { loose & !3 } else { loose };
            let at = (MIDDLE + low).wrapping_sub(offset.into());
            instance.point_to_scratch(base(rn), at);
        }
        Op::LoadMany { down, rn, .. } | Op::StoreMany { down, rn, .. } => {
            instance.point_to_scratch(base(rn), if down { MIDDLE } else { 16 });
        }
        Op::VLoad { rn, offset, .. } | Op::VStore { rn, offset, .. } if rn != 15 => {
            let at = MIDDLE.wrapping_sub(i32::from(offset) as u32);
            instance.point_to_scratch(base(rn), at);
        }
        Op::VLoadMany { down, rn, .. } | Op::VStoreMany { down, rn, .. } => {
            instance.point_to_scratch(base(rn), if down { MIDDLE } else { 16 });
        }
        _ => {}
    }
    Some(())
}
