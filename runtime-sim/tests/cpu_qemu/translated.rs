//! The instances once more, each alone and as translated code.
//!
//! The program around the instances sets FPSCR and flags for each of them, which translated
//! code leaves to the interpreter, and an eager translator takes all that follows along: so
//! a batch as a whole is translated again and again. Here the test does what that program
//! does, and puts a branch to a breakpoint behind the instance, so that a region holds the
//! instance and nothing else.

use crate::build::{Batch, Placed, READY};
use crate::instance::{IN_WORDS, OUT_WORDS};
use runtime_sim::cpu::op::Op;
use runtime_sim::cpu::{
    Core, Costs, Decoded, Engine, Exit, Flags, Memory, NoMmio, decode, is_wide,
};

/// Where the branch goes: a breakpoint, and an endless loop behind it.
const STOP: u32 = 0x3ff0;

/// An FPU instruction, so that its context is in use as it is in the program.
const FIRST: u32 = 0x3fe0;

/// How many instances ran, and how.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ran {
    /// Instances of which some instruction, or every one, was executed by translated code.
    pub(crate) partly: usize,
    pub(crate) wholly: usize,
    /// Literals that lie where the branch is put.
    pub(crate) skipped: usize,
}

impl Ran {
    pub(crate) fn add(&mut self, other: Ran) {
        self.partly += other.partly;
        self.wholly += other.wholly;
        self.skipped += other.skipped;
    }
}

/// `b.w` from `from` to [`STOP`].
fn branch(from: u32) -> [u8; 4] {
    let offset = STOP.wrapping_sub(from + 4) as i32;
    let raw = offset as u32;
    let s = raw >> 24 & 1;
    let (i1, i2) = (raw >> 23 & 1, raw >> 22 & 1);
    let (j1, j2) = (1 ^ i1 ^ s, 1 ^ i2 ^ s);
    let first = 0xf000 | s << 10 | raw >> 12 & 0x3ff;
    let second = 0x9000 | j1 << 13 | j2 << 11 | raw >> 1 & 0x7ff;
    let [a, b, ..] = first.to_le_bytes();
    let [c, d, ..] = second.to_le_bytes();
    [a, b, c, d]
}

/// Whether the instance loads a literal that the branch at its end overwrites.
fn reads_its_end(placed: &Placed<'_>) -> bool {
    let code = &placed.instance.code;
    let end = placed.start + 2 * code.len() as u32;
    let mut at = 0;
    while at < code.len() {
        let pc = placed.start + 2 * at as u32;
        let second = code.get(at + 1).copied().unwrap_or(0);
        let literal = match decode(code[at], second, false) {
            Decoded::Op(Op::LoadLit { offset, .. }) => Some((offset, 4)),
            Decoded::Op(Op::LoadDual { rn: 15, offset, .. }) => Some((offset.into(), 8)),
            Decoded::Op(Op::VLoad { rn: 15, offset, .. }) => Some((offset.into(), 8)),
            _ => None,
        };
        if let Some((offset, bytes)) = literal {
            let from = (pc.wrapping_add(4) & !3).wrapping_add_signed(offset);
            if from < end + 4 && from + bytes > end {
                return true;
            }
        }
        at += if is_wide(code[at]) { 2 } else { 1 };
    }
    false
}

fn set(core: &mut Core, memory: &mut Memory, placed: &Placed<'_>) {
    core.pc = FIRST;
    let limit = core.cycle + 1;
    core.run(memory, &mut NoMmio, limit);
    assert_eq!(core.pc, FIRST + 4);
    let word = |n: usize| memory.word(placed.input + 4 * n as u32).expect("an input");
    core.fpu.fpscr = word(0);
    core.flags = Flags::from_apsr(word(1));
    for r in 0..13 {
        core.regs[r] = word(2 + r);
    }
    // The program uses it to find the rest of the record.
    core.regs[13] = placed.input + 8;
    core.regs[14] = word(15);
    for (n, register) in core.fregs.iter_mut().enumerate() {
        *register = word(16 + n);
    }
    core.pc = placed.start;
    assert_eq!(IN_WORDS, 48);
}

fn get(core: &Core, memory: &Memory, placed: &Placed<'_>) -> Vec<u8> {
    let mut words: Vec<u32> = core.regs[..13].to_vec();
    words.push(core.regs[14]);
    words.push(core.flags.apsr());
    words.push(core.fpu.fpscr);
    words.extend(core.fregs);
    let mut bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let scratch = 4 * OUT_WORDS - bytes.len();
    let at = placed.output + bytes.len() as u32;
    bytes.extend(memory.read(at, scratch).expect("a record"));
    bytes
}

/// Runs every instance of a batch by translated code; descriptions of those that do not
/// leave what QEMU left in `theirs`.
pub(crate) fn differences(batch: &Batch, theirs: &[u8]) -> (Ran, Vec<String>) {
    let mut memory = Memory::new(4 << 20);
    memory.write(0, &batch.image()).expect("the image fits");
    memory
        .write(STOP, &[0xaa, 0xbe, 0xfe, 0xe7])
        .expect("inside");
    // vmrs r0, fpscr
    memory
        .write(FIRST, &[0xf1, 0xee, 0x10, 0x0a, 0xfe, 0xe7])
        .expect("inside");
    let mut core = Core::new(Costs::default());
    core.reset(&memory).expect("vectors");
    while core.pc != READY {
        let limit = core.cycle + 1;
        let exit = core.run(&mut memory, &mut NoMmio, limit);
        assert!(matches!(exit, Exit::CycleLimit), "{exit:?}");
    }
    core.set_engine(Engine::Translator);
    let (mut ran, mut wrong) = (Ran::default(), Vec::new());
    for (i, placed) in batch.instances().enumerate() {
        if reads_its_end(&placed) {
            ran.skipped += 1;
            continue;
        }
        let end = placed.start + 2 * placed.instance.code.len() as u32;
        let kept: Vec<u8> = memory.read(end, 4).expect("inside").to_vec();
        memory.write(end, &branch(end)).expect("inside");
        set(&mut core, &mut memory, &placed);
        let before = (core.instructions, core.translated);
        match core.run(&mut memory, &mut NoMmio, core.cycle + 10_000) {
            Exit::Bkpt(0xaa) => {}
            Exit::Fault(fault) => panic!("{fault}\n{}", batch.describe_pc(fault.pc)),
            other => panic!(
                "{other:?} at {:#x}: {}",
                core.pc,
                batch.describe_pc(placed.start)
            ),
        }
        memory.write(end, &kept).expect("inside");
        // The branch at the end is one of them, the breakpoint one that is never translated.
        let all = core.instructions - before.0;
        let translated = core.translated - before.1;
        ran.partly += usize::from(translated > 1);
        ran.wholly += usize::from(translated > 1 && translated + 1 >= all);
        let ours = get(&core, &memory, &placed);
        let theirs = &theirs[4 * OUT_WORDS * i..4 * OUT_WORDS * (i + 1)];
        if ours != theirs {
            wrong.push(format!("translated: {}", batch.describe(i, &ours, theirs)));
        }
    }
    (ran, wrong)
}
