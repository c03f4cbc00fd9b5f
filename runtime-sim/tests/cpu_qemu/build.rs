//! Instances, and the program that executes a batch of them.

use runtime_sim::cpu::op::{Index, Op};
use runtime_sim::cpu::{Decoded, decode, is_wide};

use crate::patterns::{PATTERNS, fill};

/// xorshift64*: enough for test data, and the same everywhere.
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

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u32) as usize]
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }
}

const EDGES: &[u32] = &[
    0,
    1,
    2,
    3,
    0x1f,
    0x20,
    0x21,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x00ff_00ff,
    0x7fff_7fff,
    0x8000_8000,
    0x7f80_ff01,
    0x8080_8080,
    0x7f7f_7f7f,
    0x7fff_8000,
    0x8000_7fff,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_fffe,
    0xffff_ffff,
    0x4000_0000,
    0xc000_0000,
];

/// Zeros, ones, infinities, NaNs, denormals, limits of the integer and half formats.
const FLOAT_EDGES: &[u32] = &[
    0x0000_0000,
    0x8000_0000,
    0x3f80_0000,
    0xbf80_0000,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffc1_2345,
    0x7f80_0001,
    0xffa0_0000,
    0x0000_0001,
    0x8000_0001,
    0x007f_ffff,
    0x807f_ffff,
    0x0080_0000,
    0x8080_0000,
    0x0080_0001,
    0x7f7f_ffff,
    0xff7f_ffff,
    0x3f7f_ffff,
    0x3f80_0001,
    0x3f00_0000,
    0xbf00_0000,
    0x3fc0_0000,
    0x4020_0000,
    0x4f00_0000,
    0xcf00_0000,
    0xcf00_0001,
    0x4eff_ffff,
    0x4f80_0000,
    0x4f7f_ffff,
    0x477f_e000,
    0x477f_efff,
    0x477f_f000,
    0x4780_0000,
    0x47ff_e000,
    0x47ff_ffff,
    0x4800_0000,
    0x3880_0000,
    0x387f_ffff,
    0x3380_0000,
    0x3300_0000,
    0x3300_0001,
    0x4700_0000,
    0xc700_0100,
    0x7e96_7699,
    0x1f80_0000,
    0x2000_0000,
    0x20ff_ffff,
    0x4b7f_ffff,
    0x4b80_0000,
    0x4b80_0001,
];

/// Words of an input record: FPSCR, APSR, R0 to R12, LR, S0 to S31.
const IN_WORDS: usize = 48;
/// Words of scratch memory of one instance.
const SCRATCH_WORDS: usize = 80;
/// Words of an output record: R0 to R12, LR, APSR, FPSCR, S0 to S31, scratch.
pub(crate) const OUT_WORDS: usize = 48 + SCRATCH_WORDS;
/// The middle of the scratch, where single accesses go.
const MIDDLE: u32 = 4 * SCRATCH_WORDS as u32 / 2;

const CODE: u32 = 0x4000;

/// One sequence under test with the state it starts from.
#[derive(Clone)]
pub(crate) struct Instance {
    pub(crate) name: String,
    pub(crate) code: Vec<u16>,
    input: [u32; IN_WORDS],
    scratch: [u32; SCRATCH_WORDS],
    /// Registers whose value is relative to the scratch of this instance.
    relative_to_scratch: Vec<(u8, u32)>,
    /// Registers whose value is relative to the first byte of `code`.
    relative_to_code: Vec<(u8, u32)>,
    /// Scratch word that holds an address relative to the first byte of `code`.
    code_address: Option<(usize, u32)>,
}

fn operand(rng: &mut Rng) -> u32 {
    match rng.below(4) {
        0 | 1 => rng.pick(EDGES),
        2 => rng.next(),
        _ => rng.next() >> rng.below(32),
    }
}

fn float_operand(rng: &mut Rng) -> u32 {
    match rng.below(4) {
        0 | 1 => rng.pick(FLOAT_EDGES),
        2 => rng.next(),
        // Exponents near 1, and near the denormals.
        _ => {
            let base = if rng.chance(70) { 118 } else { 1 };
            rng.next() & 0x807f_ffff | (base + rng.below(20)) << 23
        }
    }
}

impl Instance {
    fn new(rng: &mut Rng, name: &str, code: Vec<u16>) -> Instance {
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
        }
    }

    fn value(&self, r: u8) -> u32 {
        self.input[slot(r)]
    }

    fn set(&mut self, r: u8, value: u32) {
        self.input[slot(r)] = value;
    }

    fn point_to_scratch(&mut self, r: u8, offset: u32) {
        self.relative_to_scratch.push((r, offset));
    }
}

/// Index of a core register in an input record.
fn slot(r: u8) -> usize {
    match r {
        14 => 15,
        r => 2 + usize::from(r),
    }
}

fn mov(rd: u16, rm: u16) -> u16 {
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
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14][names.below(14) as usize]
        }
    });
    let second = code.get(1).copied().unwrap_or(0);
    let Decoded::Op(op) = decode(code[0], second, in_it) else {
        return None;
    };
    if op.branches() || (in_it && (op.forbidden_in_it() || is_memory(&op))) {
        return None;
    }
    let mut instance = Instance::new(rng, name, code);
    prepare(rng, &mut instance, &op)?;
    if uses_sp(&op) {
        if in_it {
            return None;
        }
        // SP comes from R10 and goes to R11.
        instance.code.insert(0, mov(13, 10));
        instance.code.push(mov(11, 13));
    }
    Some(instance)
}

fn is_memory(op: &Op) -> bool {
    matches!(
        op,
        Op::Load { .. }
            | Op::LoadReg { .. }
            | Op::Store { .. }
            | Op::StoreReg { .. }
            | Op::LoadDual { .. }
            | Op::StoreDual { .. }
            | Op::LoadMany { .. }
            | Op::StoreMany { .. }
            | Op::VLoad { .. }
            | Op::VStore { .. }
            | Op::VLoadMany { .. }
            | Op::VStoreMany { .. }
            | Op::LoadLit { .. }
    )
}

fn uses_sp(op: &Op) -> bool {
    match *op {
        Op::DpImm { rd, rn, .. } => rd == 13 || rn == 13,
        Op::DpReg { rd, rn, rm, .. } => rd == 13 || rn == 13 || rm == 13,
        Op::MovFromPc { rd } | Op::AddFromPc { rd } => rd == 13,
        Op::Load { rt, rn, .. } => rt == 13 || rn == 13,
        Op::Store { rt, rn, .. } => rt == 13 || rn == 13,
        Op::LoadMany { rn, .. } | Op::StoreMany { rn, .. } => rn == 13,
        Op::VLoadMany { rn, .. } | Op::VStoreMany { rn, .. } => rn == 13,
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
            if rn == rm || rn == 13 {
                return None;
            }
            let index = rng.pick(&[0, 1, 2, 4, 0xffff_fffc, 8]);
            instance.set(rm, index);
            instance.point_to_scratch(rn, (MIDDLE + loose).wrapping_sub(index << shift));
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

/// Branches and other things with a shape of their own.
fn special(rng: &mut Rng) -> Instance {
    let cond = rng.below(14) as u16;
    let adds = |r: u16, imm: u16| 0x3000 | r << 8 | imm;
    let after = [adds(0, 1), adds(1, 2), adds(2, 3), adds(3, 4)];
    // Every form jumps over the first of four additions, or not.
    let form = rng.below(16);
    let mut relative = Vec::new();
    let mut table = None;
    let (name, head): (&str, Vec<u16>) = match form {
        0 => ("bcond", vec![0xd000 | cond << 8]),
        1 => ("bcond wide", vec![0xf000 | cond << 6, 0x8001]),
        2 => ("b", vec![0xe000]),
        3 => ("b wide", vec![0xf000, 0xb801]),
        4 => ("bl", vec![0xf000, 0xf801]),
        5 => ("cbz", vec![0xb100 | rng.below(8) as u16]),
        6 => ("cbnz", vec![0xb900 | rng.below(8) as u16]),
        7 | 8 => {
            let rm = rng.pick(&[1_u16, 4, 9, 12]);
            relative.push((rm as u8, 2 + 2 + 1));
            let link = if form == 8 { 0x80 } else { 0 };
            ("bx blx", vec![0x4700 | rm << 3 | link])
        }
        9 => {
            relative.push((6, 2 + 2));
            ("mov pc", vec![mov(15, 6)])
        }
        10 => {
            let (rn, rm) = (5_u16, 7_u16);
            table = Some((rn as u8, rm as u8, rng.below(4)));
            ("tbb", vec![0xe8d0 | rn, 0xf000 | rm])
        }
        11 => {
            let (rn, rm) = (5_u16, 8_u16);
            table = Some((rn as u8, rm as u8, rng.below(4)));
            ("tbh", vec![0xe8d0 | rn, 0xf010 | rm])
        }
        12 => ("add pc", vec![0x4487]),
        13 => ("ldr pc", vec![0xf8d4, 0xf000]),
        14 => ("ldm pc", vec![0xe8b4, 0x8003]),
        _ => ("pop pc", vec![mov(13, 4), 0xbd04]),
    };
    let mut code = head;
    code.extend(after);
    let mut instance = Instance::new(rng, name, code);
    instance.relative_to_code = relative;
    if let Some((rn, rm, index)) = table {
        instance.point_to_scratch(rn, 0);
        instance.set(rm, index);
        // As bytes and as halfwords, entries 0 to 3 jump over that many additions.
        let bytes = rng.pick(&[[3, 2, 1, 0], [0, 1, 2, 3], [2, 2, 0, 1]]);
        let half = name == "tbh";
        for (i, byte) in bytes.into_iter().enumerate() {
            let at = if half { 2 * i } else { i };
            let word = &mut instance.scratch[at / 4];
            let lane = 8 * (at % 4);
            let wide = if half { 0xffff } else { 0xff };
            *word = *word & !(wide << lane) | byte << lane;
        }
    }
    if form == 12 {
        // ADD PC, R0: PC reads as the instruction plus 4.
        instance.set(0, rng.below(3) * 2);
    }
    // The target of a loaded PC lies behind one of the additions.
    if let Some((word, head)) = match form {
        13 => Some((0, 4)),
        14 => Some((2, 4)),
        15 => Some((1, 4)),
        _ => None,
    } {
        instance.point_to_scratch(4, 0);
        instance.code_address = Some((word, head + 2 * rng.below(3) + 1));
    }
    instance
}

/// An IT block of one to four instructions.
fn it_block(rng: &mut Rng) -> Option<Instance> {
    let count = 1 + rng.below(4);
    let cond = rng.below(14) as u16;
    // The lowest set bit of the mask marks the end; above it then or else.
    let choices = rng.below(1 << (count - 1)) as u16;
    let mask = (choices << 1 | 1) << (4 - count);
    let mut code = vec![0xbf00 | cond << 4 | mask];
    let mut whole: Option<Instance> = None;
    let mut left = count;
    while left > 0 {
        let index = rng.below(PATTERNS.len() as u32) as usize;
        let Some(instance) = from_pattern(rng, index, true) else {
            continue;
        };
        // QEMU treats a hint in an IT block like any instruction, and so do we.
        code.extend(&instance.code);
        whole.get_or_insert(instance);
        left -= 1;
    }
    let mut whole = whole?;
    whole.name = format!("it block of {count}");
    whole.code = code;
    Some(whole)
}

/// A program with its instances.
pub(crate) struct Batch {
    instances: Vec<Instance>,
    image: Vec<u8>,
    results: u32,
    /// Address of the code of each instance.
    starts: Vec<u32>,
}

struct Assembler {
    code: Vec<u16>,
}

impl Assembler {
    fn here(&self) -> u32 {
        CODE + 2 * self.code.len() as u32
    }

    fn emit(&mut self, halfwords: &[u16]) {
        self.code.extend(halfwords);
    }

    /// MOVW and MOVT of a constant.
    fn constant(&mut self, rd: u16, value: u32) {
        for (op, half) in [(0xf240, value & 0xffff), (0xf2c0, value >> 16)] {
            let half = half as u16;
            let i = half >> 11 & 1;
            self.emit(&[
                op | i << 10 | half >> 12,
                (half >> 8 & 7) << 12 | rd << 8 | half & 0xff,
            ]);
        }
    }
}

impl Batch {
    pub(crate) fn random(rng: &mut Rng, count: usize) -> Batch {
        let mut instances = Vec::new();
        let mut turn = 0;
        while instances.len() < count {
            turn += 1;
            let instance = match turn % 10 {
                0 => Some(special(rng)),
                1 => it_block(rng),
                _ => from_pattern(rng, instances.len() % PATTERNS.len(), false),
            };
            // A pattern that gives nothing this time must not stall the round.
            let instance = instance.or_else(|| {
                let index = rng.below(PATTERNS.len() as u32) as usize;
                from_pattern(rng, index, false)
            });
            instances.extend(instance);
        }
        Batch::build(instances)
    }

    fn build(instances: Vec<Instance>) -> Batch {
        let n = instances.len() as u32;
        let inputs = 0x10_0000;
        let results = (inputs + n * 4 * IN_WORDS as u32 + 0xff) & !0xff;
        let mut asm = Assembler { code: Vec::new() };
        // CPACR: enable the FPU.
        asm.constant(0, 0xe000_ed88);
        asm.constant(1, 0x00f0_0000);
        asm.emit(&[0x6001, 0xf3bf, 0x8f6f]);
        let mut starts = Vec::new();
        for (i, instance) in instances.iter().enumerate() {
            let input = inputs + (i * 4 * IN_WORDS) as u32;
            let output = results + (i * 4 * OUT_WORDS) as u32;
            asm.constant(0, input);
            asm.emit(&[
                0xf100, 0x0140, // add r1, r0, #64
                0xec91, 0x0a20, // vldmia r1, {s0-s31}
                0x6801, // ldr r1, [r0]
                0xeee1, 0x1a10, // vmsr fpscr, r1
                0x6841, // ldr r1, [r0, #4]
                0xf381, 0x8c00, // msr apsr_nzcvqg, r1
                0xf100, 0x0008, // add r0, r0, #8
                0x4685, // mov sp, r0
                0xf8dd, 0xe034, // ldr lr, [sp, #52]
                0xe89d, 0x1fff, // ldmia sp, {r0-r12}
            ]);
            starts.push(asm.here());
            asm.emit(&instance.code);
            // LDR SP, literal: the only way back that touches no other register.
            if asm.here() & 2 != 0 {
                asm.emit(&[0xbf00]);
            }
            asm.emit(&[
                0xf8df, 0xd004, // ldr sp, [pc, #4]
                0xe003, // b over the literal
                0xbf00,
            ]);
            asm.emit(&[output as u16, (output >> 16) as u16, 0xbf00]);
            asm.emit(&[
                0xe88d, 0x1fff, // stmia sp, {r0-r12}
                0xf8cd, 0xe034, // str lr, [sp, #52]
                0xf3ef, 0x8000, // mrs r0, apsr
                0x900e, // str r0, [sp, #56]
                0xeef1, 0x0a10, // vmrs r0, fpscr
                0x900f, // str r0, [sp, #60]
                0xa810, // add r0, sp, #64
                0xec80, 0x0a20, // vstmia r0, {s0-s31}
            ]);
        }
        let (blocks, name) = (0x800, 0x900);
        asm.emit(&[0x2001]); // SYS_OPEN
        asm.constant(1, blocks);
        asm.emit(&[0xbeab]);
        asm.constant(1, blocks + 16);
        asm.emit(&[0x6008, 0x2005, 0xbeab]); // SYS_WRITE
        asm.emit(&[0x2018]); // SYS_EXIT
        asm.constant(1, 0x2_0026);
        asm.emit(&[0xbeab, 0xe7fe]);

        let length = results as usize + instances.len() * 4 * OUT_WORDS;
        assert!(asm.here() < inputs && length < 4 << 20, "program too large");
        let mut image = vec![0; length];
        let mut put = |at: u32, words: &[u32]| {
            for (i, word) in words.iter().enumerate() {
                let at = at as usize + 4 * i;
                image[at..at + 4].copy_from_slice(&word.to_le_bytes());
            }
        };
        // A fault ends in SYS_EXIT with a code that is no success.
        let panic_at = 0x700;
        put(panic_at, &[0x2118_2018, 0xe7fe_beab]);
        put(0, &[0x8_0000, CODE | 1]);
        put(8, &[panic_at | 1; 14]);
        put(
            blocks,
            &[name, 5, 7, 0, 0, results, length as u32 - results],
        );
        put(
            name,
            &[u32::from_le_bytes(*b"out."), u32::from_le_bytes(*b"bin\0")],
        );
        for (i, instance) in instances.iter().enumerate() {
            let output = results + (i * 4 * OUT_WORDS) as u32;
            let scratch = output + 4 * 48;
            let mut input = instance.input;
            for (r, offset) in &instance.relative_to_scratch {
                input[slot(*r)] = scratch.wrapping_add(*offset);
            }
            for (r, offset) in &instance.relative_to_code {
                input[slot(*r)] = starts[i] + offset;
            }
            put(inputs + (i * 4 * IN_WORDS) as u32, &input);
            put(scratch, &instance.scratch);
            if let Some((word, offset)) = instance.code_address {
                put(scratch + 4 * word as u32, &[starts[i] + offset]);
            }
        }
        for (i, half) in asm.code.iter().enumerate() {
            let at = CODE as usize + 2 * i;
            image[at..at + 2].copy_from_slice(&half.to_le_bytes());
        }
        Batch {
            instances,
            image,
            results,
            starts,
        }
    }

    pub(crate) fn image(&self) -> Vec<u8> {
        self.image.clone()
    }

    /// Address and length of all output records.
    pub(crate) fn results(&self) -> (u32, usize) {
        (self.results, self.image.len() - self.results as usize)
    }

    fn disassemble(&self, i: usize) -> String {
        let code = &self.instances[i].code;
        let mut text = String::new();
        let mut at = 0;
        while at < code.len() {
            let second = code.get(at + 1).copied().unwrap_or(0);
            match decode(code[at], second, false) {
                Decoded::Op(op) => text += &format!("{op}; "),
                other => text += &format!("{other:?}; "),
            }
            at += if is_wide(code[at]) { 2 } else { 1 };
        }
        text
    }

    /// What is executed around `pc`.
    pub(crate) fn describe_pc(&self, pc: u32) -> String {
        let i = self.starts.partition_point(|s| *s <= pc).saturating_sub(1);
        let instance = &self.instances[i];
        format!(
            "{}: {:04x?} {}",
            instance.name,
            instance.code,
            self.disassemble(i)
        )
    }

    /// A difference: instruction, input, and the words that differ.
    pub(crate) fn describe(&self, i: usize, ours: &[u8], theirs: &[u8]) -> String {
        let instance = &self.instances[i];
        let mut text = format!(
            "{}: {:04x?} {}\n",
            instance.name,
            instance.code,
            self.disassemble(i)
        );
        for (w, (a, b)) in ours.chunks(4).zip(theirs.chunks(4)).enumerate() {
            if a == b {
                continue;
            }
            let word = |c: &[u8]| u32::from_le_bytes([c[0], c[1], c[2], c[3]]);
            let what = match w {
                0..=12 => format!("r{w}"),
                13 => "lr".to_owned(),
                14 => "apsr".to_owned(),
                15 => "fpscr".to_owned(),
                16..=47 => format!("s{}", w - 16),
                _ => format!("scratch[{}]", w - 48),
            };
            text += &format!("   {what}: ours {:08x}, qemu {:08x}\n", word(a), word(b));
        }
        text += &format!(
            "   from fpscr {:08x} apsr {:08x}\n   r0.. {:08x?}\n   s0.. {:08x?}\n",
            instance.input[0],
            instance.input[1],
            (0..13).map(|r| instance.value(r)).collect::<Vec<_>>(),
            &instance.input[16..],
        );
        text
    }
}
