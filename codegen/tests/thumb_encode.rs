//! The encoder against binutils and capstone, the printer against binutils.

mod thumb_support;

use codegen::thumb::inst::ItPattern;
use codegen::thumb::{Cond, Encoding, Inst, encode_in, text};
use std::collections::BTreeMap;
use std::process::Command;
use thumb_support::{insts, tool};

/// The text that objdump prints at each address, without its comments.
fn objdump(bytes: &[u8]) -> BTreeMap<u32, String> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("code.bin");
    std::fs::write(&path, bytes).expect("the code file");
    let out = Command::new("arm-none-eabi-objdump")
        .args(["-D", "-b", "binary", "-marm", "-Mforce-thumb", "-z"])
        .arg(&path)
        .output()
        .expect("objdump runs");
    let listing = String::from_utf8(out.stdout).expect("text");
    listing
        .lines()
        .filter_map(|line| {
            let (address, rest) = line.split_once(":\t")?;
            let address = u32::from_str_radix(address.trim(), 16).ok()?;
            let (_, text) = rest.split_once('\t')?;
            let text = text.split(['@', ';']).next().unwrap_or_default().trim_end();
            Some((address, text.to_string()))
        })
        .collect()
}

struct Program {
    bytes: Vec<u8>,
    expected: Vec<(u32, String)>,
}

impl Program {
    fn push(&mut self, inst: &Inst, cond: Option<Cond>) {
        let address = self.bytes.len() as u32;
        let encoding = encode_in(inst, cond.is_some()).unwrap_or_else(|e| panic!("{e}"));
        encoding.write(&mut self.bytes);
        self.expected.push((address, text(inst, cond, address)));
    }
}

/// A list is refused with one line per pair of mnemonics, so that one run shows
/// the pattern.
fn report(wrong: &[String]) {
    let mnemonics = |line: &str| -> Vec<String> {
        line.split('`')
            .skip(1)
            .step_by(2)
            .map(|t| t.split('\t').next().unwrap_or("").into())
            .collect()
    };
    let mut seen = std::collections::BTreeSet::new();
    let wrong: Vec<String> = wrong
        .iter()
        .filter(|line| seen.insert(mnemonics(line)))
        .cloned()
        .collect();
    assert!(
        wrong.is_empty(),
        "{} instructions differ:\n{}",
        wrong.len(),
        wrong
            .iter()
            .take(40)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
    );
}

fn encodable() -> Vec<Inst> {
    insts::all()
        .into_iter()
        .filter(|inst| encode_in(inst, false).is_ok())
        .collect()
}

#[test]
fn only_impossible_register_combinations_are_refused() {
    let refused: Vec<String> = insts::all()
        .iter()
        .filter_map(|inst| encode_in(inst, false).err())
        .map(|e| e.to_string())
        .collect();
    for text in &refused {
        let known = [
            "write-back to",
            "must differ",
            "12 bits",
            "SP or PC",
            "there is no register",
        ];
        assert!(known.iter().any(|reason| text.contains(reason)), "{text}");
    }
    assert!(
        refused.len() < 60,
        "{} of {}",
        refused.len(),
        insts::all().len()
    );
}

#[test]
fn binutils_prints_the_same_text() {
    if !tool("arm-none-eabi-objdump") {
        return;
    }
    let mut program = Program {
        bytes: Vec::new(),
        expected: Vec::new(),
    };
    for inst in encodable() {
        program.push(&inst, None);
    }
    let printed = objdump(&program.bytes);
    let wrong: Vec<String> = program
        .expected
        .iter()
        .filter_map(|(address, ours)| {
            let theirs = printed.get(address).map_or("<nothing>", String::as_str);
            (theirs != ours).then(|| format!("{address:#x}: ours `{ours}`, objdump `{theirs}`"))
        })
        .collect();
    report(&wrong);
}

#[test]
fn binutils_agrees_inside_it_blocks() {
    if !tool("arm-none-eabi-objdump") {
        return;
    }
    let mut program = Program {
        bytes: Vec::new(),
        expected: Vec::new(),
    };
    let patterns = [ItPattern::ONE, ItPattern::THEN_ELSE, ItPattern::THEN_THEN];
    for (i, inst) in insts::predicable().iter().enumerate() {
        if encode_in(inst, true).is_err() {
            continue;
        }
        let cond = Cond::ALL[i % 14];
        let pattern = patterns[i % 3];
        program.push(&Inst::It { cond, pattern }, None);
        for k in 0..pattern.len() {
            let cond = if pattern.then(k) { cond } else { cond.invert() };
            program.push(inst, Some(cond));
        }
    }
    let printed = objdump(&program.bytes);
    let wrong: Vec<String> = program
        .expected
        .iter()
        .filter_map(|(address, ours)| {
            let theirs = printed.get(address).map_or("<nothing>", String::as_str);
            (theirs != ours).then(|| format!("{address:#x}: ours `{ours}`, objdump `{theirs}`"))
        })
        .collect();
    report(&wrong);
}

#[test]
fn capstone_decodes_the_same_mnemonic_and_size() {
    use capstone::prelude::*;
    let cs = Capstone::new()
        .arm()
        .mode(arch::arm::ArchMode::Thumb)
        .extra_mode([arch::arm::ArchExtraMode::MClass].into_iter())
        .build()
        .expect("capstone");
    let mut wrong = Vec::new();
    for inst in encodable() {
        let mut bytes = Vec::new();
        let encoding = encode_in(&inst, false).expect("encodes");
        encoding.write(&mut bytes);
        let ours = text(&inst, None, 0);
        let decoded = cs.disasm_count(&bytes, 0, 1).expect("capstone runs");
        let Some(theirs) = decoded.first() else {
            wrong.push(format!("`{ours}` {bytes:02x?}: capstone decodes nothing"));
            continue;
        };
        let mnemonic = theirs.mnemonic().unwrap_or_default();
        if theirs.bytes().len() != encoding.size() as usize || !same_mnemonic(&ours, mnemonic) {
            wrong.push(format!(
                "`{ours}`: capstone `{mnemonic} {}`",
                theirs.op_str().unwrap_or("")
            ));
        }
    }
    report(&wrong);
    assert!(matches!(
        encode_in(&Inst::Udf(0), false),
        Ok(Encoding::Narrow(0xde00))
    ));
}

/// Both tools name some encodings after different aliases.
fn same_mnemonic(ours: &str, theirs: &str) -> bool {
    let strip = |s: &str| s.trim_end_matches(".w").trim_end_matches(".n").to_string();
    let ours_name = strip(ours.split('\t').next().unwrap_or_default());
    let theirs = strip(theirs);
    if ours_name == theirs {
        return true;
    }
    // Names without a type or mode, in the order (objdump, capstone).
    let aliases = [
        ("ldmia", "ldm"),
        ("stmia", "stm"),
        ("ldmia", "pop"),
        ("stmdb", "push"),
        ("str", "push"),
        ("ldr", "pop"),
        ("neg", "rsb"),
        ("negs", "rsbs"),
        ("bcs", "bhs"),
        ("bcc", "blo"),
        ("addw", "adr"),
        ("subw", "adr"),
        ("add", "adr"),
        ("add", "addw"),
        ("movs", "lsls"),
        ("mov", "lsl"),
        ("mov", "lsr"),
        ("mov", "asr"),
        ("mov", "ror"),
        ("movs", "lsls"),
        ("movs", "lsrs"),
        ("movs", "asrs"),
        ("movs", "rors"),
    ];
    aliases.contains(&(ours_name.as_str(), theirs.as_str()))
}
