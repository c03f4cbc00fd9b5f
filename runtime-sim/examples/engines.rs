//! Guest instructions per second of the engines, on three loops.
//!
//! `cargo run --release -p runtime-sim --example engines [seconds of guest work]`

use runtime_sim::cpu::{Core, Costs, Engine, Exit, Memory, NoMmio};
use std::time::Instant;

const CODE: u32 = 0x400;

/// 20 instructions a turn: loads, stores, MLA, UBFX, two branches.
const INTEGER: &[u16] = &[
    0xf44f, 0x4800, // mov.w r8, #0x8000
    0x2000, // movs r0, #0
    0x2101, // movs r1, #1
    0xf04f, 0x0c03, // mov.w r12, #3
    // loop:
    0xf8d8, 0x2000, // ldr r2, [r8]
    0xfb02, 0x100c, // mla r0, r2, r12, r1
    0xf3c0, 0x1307, // ubfx r3, r0, #4, #8
    0x4059, // eors r1, r3
    0xf8c8, 0x0000, // str r0, [r8]
    0x1840, // adds r0, r0, r1
    0xf010, 0x0f01, // tst r0, #1
    0xd000, // beq +0 (next but one)
    0x3105, // adds r1, #5
    0xf8d8, 0x4004, // ldr r4, [r8, #4]
    0x1864, // adds r4, r4, r1
    0x0065, // lsls r5, r4, #1
    0xea85, 0x0604, // eor r6, r5, r4
    0xf8c8, 0x4004, // str r4, [r8, #4]
    0xf8d8, 0x5008, // ldr r5, [r8, #8]
    0x19ad, // adds r5, r5, r6
    0xf8c8, 0x5008, // str r5, [r8, #8]
    0xf1ba, 0x0a01, // subs r10, r10, #1
];

/// A leaky integrate and compare, one value at a time.
const FLOAT: &[u16] = &[
    0xf64e, 0x5088, 0xf2ce, 0x0000, 0xf44f, 0x0170, 0x6001, // FPU on
    0xf44f, 0x4800, // mov.w r8, #0x8000
    // loop:
    0xed98, 0x0a00, // vldr s0, [r8]
    0xed98, 0x1a01, // vldr s2, [r8, #4]
    0xed98, 0x2a02, // vldr s4, [r8, #8]
    0xee20, 0x0a01, // vmul s0, s0, s2
    0xee30, 0x0a02, // vadd s0, s0, s4
    0xed98, 0x3a03, // vldr s6, [r8, #12]
    0xeeb4, 0x0a43, // vcmp s0, s6
    0xeef1, 0xfa10, // vmrs apsr, fpscr
    0xdd00, // ble: skips one
    0xbf00, // nop
    0xed88, 0x0a00, // vstr s0, [r8]
    0xf1ba, 0x0a01, // subs r10, r10, #1
];

/// The dense row: sixteen synapses, as the compiler emits it.
const ROW: &[u16] = &[
    0xf44f, 0x4800, // mov.w r8, #0x8000
    0xf44f, 0x4904, // mov.w r9, #0x8400
    // loop:
    0xe899, 0x003c, // ldmia r9, {r2-r5}
    0xf8d8, 0x0000, // ldr r0, [r8]
    0xf8d8, 0x1004, // ldr r1, [r8, #4]
    0xf8d8, 0x6008, // ldr r6, [r8, #8]
    0xf8d8, 0x700c, // ldr r7, [r8, #12]
    0xfa20, 0xf082, // sxtab16 r0, r0, r2
    0xfa21, 0xf192, // sxtab16 r1, r1, r2, ror #8
    0xfa26, 0xf683, // sxtab16 r6, r6, r3
    0xfa27, 0xf793, // sxtab16 r7, r7, r3, ror #8
    0xf8c8, 0x0000, // str r0, [r8]
    0xf8c8, 0x1004, // str r1, [r8, #4]
    0xf8c8, 0x6008, // str r6, [r8, #8]
    0xf8c8, 0x700c, // str r7, [r8, #12]
    0xf8d8, 0x0010, // ldr r0, [r8, #16]
    0xf8d8, 0x1014, // ldr r1, [r8, #20]
    0xfa20, 0xf084, // sxtab16 r0, r0, r4
    0xfa21, 0xf194, // sxtab16 r1, r1, r4, ror #8
    0xf8c8, 0x0010, // str r0, [r8, #16]
    0xf8c8, 0x1014, // str r1, [r8, #20]
    0xf1ba, 0x0a01, // subs r10, r10, #1
];

/// `turns` times the code from `head` halfwords on.
fn image(code: &[u16], head: usize, turns: u32) -> Vec<u16> {
    let low = turns & 0xffff;
    let half = |imm: u32, first: u16| {
        let imm = imm as u16;
        let head = first | imm >> 12 | (imm >> 11 & 1) << 10;
        [head, (imm >> 8 & 7) << 12 | 10 << 8 | imm & 0xff]
    };
    let mut whole = Vec::new();
    whole.extend(half(low, 0xf240)); // movw r10
    whole.extend(half(turns >> 16, 0xf2c0)); // movt r10
    whole.extend_from_slice(code);
    let distance = (whole.len() + 2 - (head + 4)) as u16;
    whole.extend([0xd100 | (0_u16.wrapping_sub(distance) & 0xff), 0xbe00]);
    whole
}

fn run(code: &[u16], head: usize, turns: u32, engine: Engine) -> (f64, u64, u64) {
    let mut memory = Memory::new(128 << 10);
    let whole = image(code, head, turns);
    let bytes: Vec<u8> = whole.iter().flat_map(|h| h.to_le_bytes()).collect();
    for (at, word) in [(0, 0x1_0000_u32), (4, CODE | 1)] {
        memory.write(at, &word.to_le_bytes()).expect("inside");
    }
    memory.write(CODE, &bytes).expect("inside");
    for (i, f) in [0.5_f32, 0.9, 0.037, 100.0].into_iter().enumerate() {
        memory
            .write(0x8000 + 4 * i as u32, &f.to_le_bytes())
            .expect("inside");
    }
    let mut core = Core::new(Costs::default());
    core.set_engine(engine);
    core.reset(&memory).expect("vectors");
    let begin = Instant::now();
    let exit = core.run(&mut memory, &mut NoMmio, u64::MAX);
    let time = begin.elapsed().as_secs_f64();
    assert!(matches!(exit, Exit::Bkpt(0)), "{exit:?}");
    (time, core.instructions, core.cycle)
}

fn main() {
    let turns = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(4_000_000);
    for (name, code, head) in [
        ("integer", INTEGER, 6),
        ("float", FLOAT, 9),
        ("row", ROW, 4),
    ] {
        let mut reference = None;
        for engine in [Engine::Interpreter, Engine::Auto] {
            let (time, instructions, cycles) = run(code, head, turns, engine);
            let mips = instructions as f64 / time / 1e6;
            println!(
                "{name:8} {engine:?}: {mips:.0} MIPS, {instructions} instructions, {cycles} cycles"
            );
            let same = *reference.get_or_insert((instructions, cycles));
            assert_eq!(same, (instructions, cycles));
        }
    }
}
