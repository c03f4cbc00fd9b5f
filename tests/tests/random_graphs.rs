//! Random legal networks through compile and emulator: equal to the fixed
//! reference bit for bit, and with exact weights to golden.
//!
//! `S2C_SEED=N` runs one seed and says what it does; `S2C_GRAPHS=N` sets how
//! many the long test runs (`--ignored long`), from `S2C_FROM` on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use tests::differential::{self, Verdict};
use tests::random;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn verdict(seed: u64, target: &ir::Target) -> (random::Case, Verdict) {
    let case = random::case(seed);
    let ran = catch_unwind(AssertUnwindSafe(|| differential::run(&case, target)));
    let verdict = ran.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Verdict::Wrong(format!("panic: {}", text.unwrap_or_default()))
    });
    (case, verdict)
}

/// Leaves the failing network where a person finds it.
fn keep(case: &random::Case) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("random-{}.s2ir", case.seed));
    // Without the file the seed still says everything.
    let _ = std::fs::write(&path, differential::text(&case.module));
    path
}

fn run(seeds: std::ops::Range<u64>) {
    let target = ir::Target::spinnaker2();
    let total = seeds.end - seeds.start;
    let (mut agree, mut refused, mut phased, mut spiking, mut graded) = (0, 0, 0, 0, 0);
    let mut drifts = Vec::new();
    let mut wrong = Vec::new();
    for seed in seeds {
        let (case, verdict) = verdict(seed, &target);
        match verdict {
            Verdict::Agrees(m) => {
                agree += 1;
                phased += u64::from(m.ticks_per_step > 1);
                spiking += u64::from(m.spikes > 0.0);
                graded += u64::from(m.graded > 0);
            }
            Verdict::Refused(_) => refused += 1,
            Verdict::Drifts(what) => drifts.push(format!("seed {seed}: {what}")),
            Verdict::Wrong(what) => {
                let file = keep(&case);
                wrong.push(format!("seed {seed} ({}): {what}", file.display()));
            }
        }
    }
    eprintln!(
        "{total} graphs: {agree} agree ({phased} phased, {spiking} with spikes, {graded} with \
         graded outputs), {refused} refused, {} drift",
        drifts.len()
    );
    for line in &drifts {
        eprintln!("drift: {line}");
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    // A decision within rounding of its threshold goes either way, rarely.
    assert!(drifts.len() as u64 <= total / 50, "golden differs too often");
    assert!(refused <= total / 4, "{refused} graphs refused test little");
    assert!(agree == 0 || spiking * 3 > agree, "too many silent graphs");
}

#[test]
fn five_hundred_graphs() {
    if let Some(seed) = number("S2C_SEED") {
        let (case, verdict) = verdict(seed, &ir::Target::spinnaker2());
        println!("{}\n{verdict:#?}", differential::text(&case.module));
        println!("{:?} {:?} {} samples of {} steps: {:?}", case.schedule, case.atoms_per_core, case.samples, case.steps, case.inputs);
        assert!(!matches!(verdict, Verdict::Wrong(_)));
        return;
    }
    run(0..500);
}

#[test]
#[ignore = "as long as S2C_GRAPHS says"]
fn long() {
    let from = number("S2C_FROM").unwrap_or(1000);
    run(from..from + number("S2C_GRAPHS").unwrap_or(5000));
}
