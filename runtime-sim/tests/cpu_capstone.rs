//! The decoder against capstone: which 32-bit and 16-bit words are instructions at all,
//! and how long they are.
//!
//! capstone knows no ARMv7E-M: in M-class mode it also reads the A profile, ARMv8-M,
//! FPv5 and Advanced SIMD. What it accepts beyond the manual's table must be one of those.

#[path = "cpu_manual/mod.rs"]
mod manual;

use capstone::prelude::*;
use manual::{Says, ask};
use runtime_sim::cpu::op::Op;
use runtime_sim::cpu::{Decoded, decode, is_wide};

fn capstone() -> Capstone {
    Capstone::new()
        .arm()
        .mode(arch::arm::ArchMode::Thumb)
        .extra_mode([arch::arm::ArchExtraMode::MClass].into_iter())
        .build()
        .expect("capstone")
}

/// What capstone makes of a word of `size` bytes.
fn read(cs: &Capstone, code: &[u16]) -> Option<String> {
    let bytes: Vec<u8> = code.iter().flat_map(|h| h.to_le_bytes()).collect();
    let decoded = cs.disasm_count(&bytes, 0, 1).expect("capstone runs");
    let first = decoded.first().filter(|i| i.bytes().len() == bytes.len())?;
    let text = first.mnemonic().unwrap_or_default().to_owned();
    Some(text + " " + first.op_str().unwrap_or_default())
}

/// Instructions that are UNDEFINED in ARMv7E-M with FPv4-SP although capstone reads them.
fn of_another_architecture(hw1: u16, hw2: u16, text: &str) -> bool {
    let mnemonic = text.split(['.', ' ']).next().unwrap_or_default();
    if matches!(mnemonic, "hvc" | "smc" | "udf") {
        return true;
    }
    // ARMv8-M: acquire and release.
    if mnemonic.starts_with("lda") || mnemonic.starts_with("stl") {
        return hw1 >> 4 == 0xe8d || hw1 >> 4 == 0xe8c;
    }
    // Advanced SIMD: data processing (1110 1111, 1111 1111) and structures (1111 1001).
    if matches!(hw1 >> 8, 0xef | 0xff) || hw1 & 0xff10 == 0xf900 {
        return true;
    }
    let coprocessor = hw1 & 0xec00 == 0xec00;
    let fpu = matches!(hw2 >> 8 & 15, 10 | 11);
    if coprocessor && (!fpu || hw1 >> 8 >= 0xfc) {
        return true;
    }
    let double = text.contains(".f64") || text.contains(".f16") || text.contains(".16");
    // d16 to d31, elements of bytes and halfwords, FPv5's roundings, VDUP, FPINST.
    let high = (16..32).any(|d| text.contains(&format!("d{d}")));
    let element = [".8", ".s8", ".u8", ".s16", ".u16"]
        .iter()
        .any(|e| text.contains(e));
    let element = element || mnemonic == "vdup";
    // Registers of the A profile, and ARMv8-M's lazy state.
    let system = text.contains("fpsid") || text.contains("fpinst") || text.contains("mvfr");
    let lazy = matches!(mnemonic, "vlstm" | "vlldm");
    let fpv5 = mnemonic.starts_with("vrint");
    coprocessor && (double || high || element || system || lazy || fpv5)
}

#[test]
fn capstone_reads_the_same_words_as_instructions() {
    let cs = capstone();
    let rules = manual::wide_rules();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u16
    };
    let mut wrong = Vec::new();
    let mut both = 0;
    for hw1 in 0xe800..=0xffff_u16 {
        for _ in 0..96 {
            // Register fields of 13 and 15, and the bits of other fields.
            let hw2 = match next() % 4 {
                0 => next() | 0xf000,
                1 => next() & 0x0fff,
                _ => next(),
            };
            let decoded = decode(hw1, hw2, false);
            let theirs = read(&cs, &[hw1, hw2]);
            let word = u32::from(hw1) << 16 | u32::from(hw2);
            let fine = match (&decoded, &theirs) {
                (Decoded::Op(_), Some(_)) => {
                    both += 1;
                    true
                }
                // Hints that the manual does not name: they do nothing.
                (Decoded::Op(Op::Preload), None) => true,
                (Decoded::Op(_), None) => false,
                (_, None) => true,
                (_, Some(text)) => match ask(&rules, word).0 {
                    Says::Undefined => of_another_architecture(hw1, hw2, text),
                    Says::Unpredictable | Says::Absent => true,
                    Says::Defined => false,
                },
            };
            if !fine {
                wrong.push(format!(
                    "{hw1:04x} {hw2:04x}: {decoded:?}, capstone {theirs:?}"
                ));
            }
        }
    }
    let rules = manual::narrow_rules();
    for half in (0..=0xffff_u16).filter(|h| !is_wide(*h)) {
        let ours = matches!(decode(half, 0, false), Decoded::Op(_));
        let theirs = read(&cs, &[half]);
        let unpredictable = ask(&rules, half.into()).0 == Says::Unpredictable;
        let udf = half >> 8 == 0xde;
        both += usize::from(ours);
        if ours != theirs.is_some() && (ours || !(unpredictable || udf)) {
            wrong.push(format!("{half:04x}: ours {ours}, capstone {theirs:?}"));
        }
    }
    for text in wrong.iter().take(60) {
        println!("{text}");
    }
    assert!(wrong.is_empty(), "{} differ", wrong.len());
    println!("{both} instructions read by both");
    assert!(both > 150_000, "{both}");
}
