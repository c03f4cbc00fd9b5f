//! The program that executes a batch of instances.

use std::collections::BTreeSet;

use runtime_sim::cpu::{Decoded, decode, is_wide};

use crate::coverage::{Key, executed};
use crate::exclusive::exclusive;
use crate::instance::{IN_WORDS, Instance, OUT_WORDS, from_pattern, slot};
use crate::patterns::PATTERNS;
use crate::special::{it_block, special};
use crate::value::Rng;

const CODE: u32 = 0x4000;
const INPUTS: u32 = 0x10_0000;
/// Behind the instructions that enable the FPU.
pub(crate) const READY: u32 = CODE + 22;

/// Where an instance is.
pub(crate) struct Placed<'a> {
    pub(crate) instance: &'a Instance,
    pub(crate) start: u32,
    pub(crate) input: u32,
    pub(crate) output: u32,
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
                0 if rng.chance(15) => Some(exclusive(rng)),
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

    /// The shapes that the instances execute.
    pub(crate) fn shapes(&self) -> BTreeSet<Key> {
        let of = |i: &Instance| executed(&i.code);
        self.instances.iter().flat_map(of).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.instances.len()
    }

    pub(crate) fn build(instances: Vec<Instance>) -> Batch {
        let n = instances.len() as u32;
        let inputs = INPUTS;
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
            if instance.literal.is_some() && asm.here() & 2 != 0 {
                asm.emit(&[0xbf00]);
            }
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
        // Below the first record the stack of an SVC finds place.
        assert!(
            asm.here() + 0x100 < inputs && length < 4 << 20,
            "program too large"
        );
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
        // SVC: its number is added to R7, and 3 to the stacked R0.
        let svc_at = 0x740;
        put(4 * 11, &[svc_at | 1]);
        // ldr r1, [sp, #24]; ldrb r1, [r1, #-2]; add r7, r1; ldr r0, [sp]; adds r0, #3;
        // str r0, [sp]; bx lr
        put(
            svc_at,
            &[0xf811_9906, 0x440f_1c02, 0x3003_9800, 0x4770_9000],
        );
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
        for (i, instance) in instances.iter().enumerate() {
            if let Some((half, offset)) = instance.literal {
                let at = (starts[i] - CODE) as usize / 2 + half;
                let address = starts[i] + offset;
                asm.code[at] = address as u16;
                asm.code[at + 1] = (address >> 16) as u16;
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

    /// The instances, with the addresses of their code and records.
    pub(crate) fn instances(&self) -> impl Iterator<Item = Placed<'_>> {
        let inputs = INPUTS;
        let all = self.instances.iter().zip(&self.starts).enumerate();
        all.map(move |(i, (instance, &start))| Placed {
            instance,
            start,
            input: inputs + (i * 4 * IN_WORDS) as u32,
            output: self.results + (i * 4 * OUT_WORDS) as u32,
        })
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
