//! What the decoder calls UNDEFINED faults in QEMU as well, with the same cause.
//!
//! A guest program executes each encoding once. Its fault handler notes the cause of the
//! fault and goes on with the next; an encoding that is executed leaves another mark.

#[path = "qemu_support/mod.rs"]
mod qemu_support;

use qemu_support::{qemu_present, run_qemu};
use runtime_sim::cpu::{Decoded, decode, is_wide};

const CODE: u32 = 0x4000;
const HANDLER: u32 = 0x700;
const RESULTS: u32 = 0x30_0000;
/// Mark of an encoding that did not fault.
const EXECUTED: u32 = 1;
/// Usage faults in CFSR.
const UNDEFINSTR: u32 = 1 << 16;
const NOCP: u32 = 1 << 19;

struct Program {
    code: Vec<u16>,
}

impl Program {
    fn constant(&mut self, rd: u16, value: u32) {
        for (op, half) in [(0xf240, value & 0xffff), (0xf2c0, value >> 16)] {
            let half = half as u16;
            self.code.extend([
                op | (half >> 11 & 1) << 10 | half >> 12,
                (half >> 8 & 7) << 12 | rd << 8 | half & 0xff,
            ]);
        }
    }

    fn here(&self) -> u32 {
        CODE + 2 * self.code.len() as u32
    }
}

/// The program that tries all of `words`.
fn image(words: &[[u16; 2]]) -> Vec<u8> {
    let mut p = Program { code: Vec::new() };
    p.constant(0, 0xe000_ed88); // CPACR
    p.constant(1, 0x00f0_0000);
    p.code.push(0x6001);
    p.constant(0, 0xe000_ed24); // SHCSR: usage, bus and memory faults on their own
    p.constant(1, 0x0007_0000);
    p.code.extend([0x6001, 0xf3bf, 0x8f4f, 0xf3bf, 0x8f6f]);
    for (i, &[hw1, hw2]) in words.iter().enumerate() {
        p.constant(7, RESULTS + 4 * i as u32);
        // R6: where to go on.
        let end = p.here() + 8 + 4 + 4;
        p.constant(6, end | 1);
        p.code.push(hw1);
        p.code.push(if is_wide(hw1) { hw2 } else { 0xbf00 });
        p.code.extend([0x2000 | EXECUTED as u16, 0x6038]); // movs r0, #1; str r0, [r7]
        assert_eq!(p.here(), end);
    }
    let (blocks, name) = (0x800_u32, 0x900_u32);
    let length = 4 * words.len() as u32;
    p.code.push(0x2001); // SYS_OPEN
    p.constant(1, blocks);
    p.code.push(0xbeab);
    p.constant(1, blocks + 16);
    p.code.extend([0x6008, 0x2005, 0xbeab]); // SYS_WRITE
    p.code.push(0x2018); // SYS_EXIT
    p.constant(1, 0x2_0026);
    p.code.extend([0xbeab, 0xe7fe]);
    assert!(p.here() < RESULTS, "too many");

    // CFSR to [r7], cleared; the stacked PC becomes R6, the stacked IT state none.
    let handler: &[u16] = &[
        0xf64e, 0x5028, // movw r0, #0xed28
        0xf2ce, 0x0000, // movt r0, #0xe000
        0x6801, // ldr r1, [r0]
        0x6039, // str r1, [r7]
        0x6001, // str r1, [r0]
        0x9606, // str r6, [sp, #24]
        0xf04f, 0x7180, // mov r1, #0x01000000
        0x9107, // str r1, [sp, #28]
        0x4770, // bx lr
    ];
    let mut image = vec![0; (RESULTS + length) as usize];
    let mut put = |at: u32, halves: &[u16]| {
        for (i, half) in halves.iter().enumerate() {
            let at = at as usize + 2 * i;
            image[at..at + 2].copy_from_slice(&half.to_le_bytes());
        }
    };
    let word = |w: u32| [w as u16, (w >> 16) as u16];
    put(0, &word(0x38_0000));
    put(4, &word(CODE | 1));
    for vector in 2..16 {
        put(4 * vector, &word(HANDLER | 1));
    }
    put(HANDLER, handler);
    put(CODE, &p.code);
    for (i, w) in [name, 5, 7, 0, 0, RESULTS, length].into_iter().enumerate() {
        put(blocks + 4 * i as u32, &word(w));
    }
    for (i, pair) in b"out.bin\0".chunks(2).enumerate() {
        let half = u16::from(pair[1]) << 8 | u16::from(pair[0]);
        put(name + 2 * i as u32, &[half]);
    }
    image
}

/// Refused encodings: all of 16 bits, and several second halves for each first half.
fn refused() -> Vec<[u16; 2]> {
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u16
    };
    let undefined = |[hw1, hw2]: &[u16; 2]| {
        matches!(
            decode(*hw1, *hw2, false),
            Decoded::Undefined | Decoded::NoCoprocessor
        )
    };
    let mut words: Vec<[u16; 2]> = (0..=0xffff_u16)
        .filter(|h| !is_wide(*h))
        .map(|h| [h, 0])
        .filter(undefined)
        .collect();
    for hw1 in 0xe800..=0xffff_u16 {
        let mut found = 0;
        for _ in 0..64 {
            let word = [hw1, next()];
            if found < 12 && undefined(&word) {
                words.push(word);
                found += 1;
            }
        }
    }
    words
}

/// A-profile instructions that the M profile calls UNDEFINED and QEMU executes all the
/// same: SETEND, HLT (its semihosting call), LDREXD and STREXD.
fn qemu_is_wider(hw1: u16, hw2: u16) -> bool {
    hw1 & 0xfff7 == 0xb650
        || hw1 & 0xffc0 == 0xba80
        || (hw1 & 0xffe0 == 0xe8c0 && hw2 & 0x00f0 == 0x0070)
}

#[test]
fn undefined_encodings_fault_in_qemu() {
    if !qemu_present() {
        return;
    }
    let words = refused();
    println!("{} undefined encodings", words.len());
    assert!(words.len() > 20_000);
    let dir = tempfile::tempdir().expect("temp dir");
    let mut wrong = Vec::new();
    for words in words.chunks(40_000) {
        let results = run_qemu(&image(words), dir.path());
        assert_eq!(results.len(), 4 * words.len());
        for ([hw1, hw2], result) in words.iter().zip(results.chunks(4)) {
            let cause = u32::from_le_bytes([result[0], result[1], result[2], result[3]]);
            let expected = match decode(*hw1, *hw2, false) {
                Decoded::NoCoprocessor => NOCP,
                _ => UNDEFINSTR,
            };
            if cause != expected && !qemu_is_wider(*hw1, *hw2) {
                let what = if cause == EXECUTED {
                    "executed"
                } else {
                    "another cause"
                };
                wrong.push(format!(
                    "{hw1:04x} {hw2:04x}: {what}, CFSR {cause:08x}, ours {expected:08x}"
                ));
            }
        }
    }
    for text in wrong.iter().take(60) {
        println!("{text}");
    }
    assert!(wrong.is_empty(), "{} differ", wrong.len());
}
