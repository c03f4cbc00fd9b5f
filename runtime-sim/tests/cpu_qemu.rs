//! The decoder and interpreter against QEMU, instruction by instruction.
//!
//! A program is generated that, for each instance, loads registers and flags from a
//! record, executes the instruction, and stores everything to a second record. The same
//! bytes run in `qemu-system-arm` (Cortex-M4) and in our core, both by the hot and by
//! the complete path, and a part of them as translated code; the records must agree in
//! every bit.
//!
//! Instances come from two sides: from bit patterns written from the manual, and from a
//! scan of what the decoder accepts, so that no shape of instruction is left out.
//!
//! Not tested here, because QEMU can't tell: cycles (`cpu_timing`), and UNPREDICTABLE
//! encodings (`cpu_manual`, `cpu_undefined`, `cpu_capstone`).

#[path = "cpu_qemu/build.rs"]
mod build;
#[path = "cpu_qemu/coverage.rs"]
mod coverage;
#[path = "cpu_qemu/exclusive.rs"]
mod exclusive;
#[path = "cpu_qemu/instance.rs"]
mod instance;
#[path = "cpu_qemu/patterns.rs"]
mod patterns;
#[path = "qemu_support/mod.rs"]
mod qemu_support;
#[path = "cpu_qemu/special.rs"]
mod special;
#[path = "cpu_qemu/translated.rs"]
mod translated;
#[path = "cpu_qemu/value.rs"]
mod value;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use build::Batch;
use coverage::{Form, Key, Shapes, exempt};
use instance::{Instance, OUT_WORDS, from_code};
use qemu_support::{qemu_present, run_qemu};
use runtime_sim::cpu::{Core, Costs, Decoded, Exit, Memory, NoMmio, decode};
use value::Rng;

/// Instances in one program; all fit the first 4 MB.
const BATCH: usize = 4000;
/// Programs from patterns.
const BATCHES: u64 = 23;
/// Instances of each shape that the decoder knows.
const EACH: usize = 8;

fn run_ours(image: &[u8], reference_path: bool, batch: &Batch) -> Vec<u8> {
    let mut memory = Memory::new(4 << 20);
    memory.write(0, image).expect("image fits");
    let mut core = Core::new(Costs::default());
    core.set_reference_path(reference_path);
    core.reset(&memory).expect("reset");
    match core.run(&mut memory, &mut NoMmio, u64::MAX) {
        Exit::Bkpt(0xab) => {}
        Exit::Fault(fault) => panic!("{fault}\n{}", batch.describe_pc(fault.pc)),
        other => panic!("unexpected exit {other:?} at {:#x}", core.pc),
    }
    let (start, len) = batch.results();
    memory.read(start, len).expect("results").to_vec()
}

/// Runs a batch everywhere; descriptions of the instances that differ.
fn differences(batch: &Batch, dir: &Path) -> Vec<String> {
    let image = batch.image();
    let theirs = run_qemu(&image, dir);
    let mut wrong = Vec::new();
    for reference_path in [false, true] {
        let ours = run_ours(&image, reference_path, batch);
        assert_eq!(ours.len(), theirs.len());
        let size = 4 * OUT_WORDS;
        for (i, (a, b)) in ours.chunks(size).zip(theirs.chunks(size)).enumerate() {
            if a != b {
                wrong.push(batch.describe(i, a, b));
            }
        }
    }
    wrong
}

/// An instance of a word that the decoder accepts, alone in an IT block if it is decoded
/// for one.
fn from_word(rng: &mut Rng, word: [u16; 2], form: Form) -> Option<Instance> {
    let code = match form {
        Form::Wide => word.to_vec(),
        Form::Narrow | Form::NarrowInIt => vec![word[0]],
    };
    let in_it = form == Form::NarrowInIt;
    let it = in_it.then(|| 0xbf08 | (rng.below(15) as u16) << 4);
    from_code(rng, "scanned", code, in_it, it)
}

fn scanned(shapes: &Shapes, each: usize) -> Vec<Batch> {
    let mut rng = Rng::new(4711);
    let mut all = Vec::new();
    for ((_, _, _, form), words) in &shapes.0 {
        let found = words.iter().cycle().take(4 * words.len());
        let found = found.filter_map(|w| from_word(&mut rng, *w, *form));
        all.extend(found.take(each));
    }
    let mut batches = Vec::new();
    while !all.is_empty() {
        let rest = all.split_off(all.len().min(BATCH));
        batches.push(Batch::build(std::mem::replace(&mut all, rest)));
    }
    batches
}

fn example(key: &Key, shapes: &Shapes) -> String {
    let word = shapes.0[key][0];
    match decode(word[0], word[1], key.3 == Form::NarrowInIt) {
        Decoded::Op(op) => format!("{:04x} {:04x} {op} {:?} {key:?}", word[0], word[1], op),
        other => format!("{other:?}"),
    }
}

#[test]
fn every_instruction_agrees_with_qemu() {
    let stride = if cfg!(debug_assertions) { 13 } else { 3 };
    let shapes = Shapes::scan(stride);
    let mut batches = scanned(&shapes, EACH);
    let from_scan: usize = batches.iter().map(Batch::len).sum();
    batches.extend((1..=BATCHES).map(|seed| Batch::random(&mut Rng::new(seed), BATCH)));

    // Every shape that the decoder accepts is executed by some instance.
    let executed: BTreeSet<Key> = batches.iter().flat_map(Batch::shapes).collect();
    let mut missing = Vec::new();
    for (key, words) in &shapes.0 {
        let Decoded::Op(op) = decode(words[0][0], words[0][1], key.3 == Form::NarrowInIt) else {
            unreachable!("the scan keeps instructions");
        };
        if exempt(&op).is_none() && !executed.contains(key) {
            missing.push(example(key, &shapes));
        }
    }
    for text in missing.iter().take(60) {
        println!("never executed: {text}");
    }
    assert!(
        missing.is_empty(),
        "{} shapes are never executed",
        missing.len()
    );
    let count: usize = batches.iter().map(Batch::len).sum();
    println!(
        "{count} instances, {from_scan} from {} shapes that the decoder accepts",
        shapes.0.len()
    );
    assert!(count >= 100_000, "{count}");

    if !qemu_present() {
        return;
    }
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let dir = tempfile::tempdir().expect("temp dir");
                while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = differences(batch, dir.path());
                    wrong.lock().expect("no panic").extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    for text in wrong.iter().take(40) {
        println!("{text}");
    }
    assert!(wrong.is_empty(), "{} instances differ", wrong.len());
}

/// Instances of each shape, and programs from patterns, that translated code executes too.
const TRANSLATED_EACH: usize = 2;
const TRANSLATED_BATCHES: u64 = 8;

#[test]
fn translated_instructions_agree_with_qemu() {
    if !qemu_present() {
        return;
    }
    let mut batches = scanned(&Shapes::scan(13), TRANSLATED_EACH);
    let random =
        (100..100 + TRANSLATED_BATCHES).map(|seed| Batch::random(&mut Rng::new(seed), BATCH));
    batches.extend(random);
    let next = AtomicUsize::new(0);
    let found = Mutex::new((translated::Ran::default(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let dir = tempfile::tempdir().expect("temp dir");
                while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let theirs = run_qemu(&batch.image(), dir.path());
                    let (ran, wrong) = translated::differences(batch, &theirs);
                    let mut found = found.lock().expect("no panic");
                    found.0.add(ran);
                    found.1.extend(wrong);
                }
            });
        }
    });
    let (ran, wrong) = found.into_inner().expect("no panic");
    let count: usize = batches.iter().map(Batch::len).sum();
    println!("{count} instances, {ran:?}");
    for text in wrong.iter().take(40) {
        println!("{text}");
    }
    assert!(wrong.is_empty(), "{} instances differ", wrong.len());
    assert!(ran.wholly >= 20_000 && ran.partly >= ran.wholly, "{ran:?}");
}

#[test]
fn every_pattern_yields_instances() {
    let mut rng = Rng::new(99);
    for (index, (name, _)) in patterns::PATTERNS.iter().enumerate() {
        let accepted = (0..400)
            .filter(|_| instance::from_pattern(&mut rng, index, false).is_some())
            .count();
        assert!(accepted >= 20, "{name}: {accepted} of 400");
    }
}
