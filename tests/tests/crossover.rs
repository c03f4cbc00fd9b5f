//! Rows against the MAC array: both compute the same, and what `choose-kernels` takes is
//! nowhere more than 10 % slower than what it leaves, by emulated cycles of whole ticks.

use ir::{DType, Target};
use passes::Kernels;
use tests::dense::{Dense, Subject};
use tests::lab::Lab;

const TICKS: usize = 8;

fn mean(cycles: &[u64]) -> f64 {
    cycles.iter().sum::<u64>() as f64 / cycles.len() as f64
}

/// In each tick another set of `n` sources.
fn sends(lab: &mut Lab, sources: usize, n: usize) -> Vec<Vec<u32>> {
    let one = |lab: &mut Lab| {
        let mut all: Vec<u32> = (0..sources as u32).collect();
        for k in 0..n {
            let other = k + lab.below((sources - k) as u32) as usize;
            all.swap(k, other);
        }
        all.truncate(n);
        all
    };
    (0..TICKS).map(|_| one(lab)).collect()
}

struct Sides {
    rows: Subject,
    /// The first projection multiplied; the second, if there is one, is silent, and only
    /// multiplied where `choose-kernels` never takes the first.
    mac: Subject,
}

/// Gives how often the array was chosen and how often rows were; adds what is wrong.
fn crossover(dense: Dense, target: &Target, wrong: &mut Vec<String>) -> (usize, usize) {
    let all = dense.compile(Kernels::Mac, 1, target);
    let busy = dense.compile(Kernels::Auto, dense.sources, target);
    let sides = Sides {
        rows: dense.compile(Kernels::Rows, 1, target),
        mac: if busy.multiplies() { busy } else { all.clone() },
    };
    assert!(!sides.rows.multiplies() && all.multiplies());
    let mut lab = Lab::new(11);
    let mut chosen = (0, 0);
    let percents = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30, 50, 100];
    let mut last = None;
    for percent in percents {
        let n = (dense.sources * percent).div_ceil(100);
        if last == Some(n) {
            continue;
        }
        last = Some(n);
        let sends = sends(&mut lab, dense.sources, n);
        let (rows, v) = sides.rows.ticks(&sends, target);
        let (mac, w) = sides.mac.ticks(&sends, target);
        assert_eq!(v, w, "{dense:?} {percent} %");
        assert_eq!(v, all.ticks(&sends, target).1, "{dense:?} {percent} %");
        let (rows, mac) = (mean(&rows), mean(&mac));
        let auto = dense.compile(Kernels::Auto, n, target);
        let taken = if auto.multiplies() { mac } else { rows };
        match auto.multiplies() {
            true => chosen.0 += 1,
            false => chosen.1 += 1,
        }
        let better = rows.min(mac);
        eprintln!(
            "{} x {} {} {}{} {percent:3} % {n:4} packets: rows {rows:8.0} mac {mac:8.0}, auto {}",
            dense.sources,
            dense.targets,
            dense.weight.name(),
            dense.sums.name(),
            if dense.recurrent { " recurrent" } else { "" },
            if auto.multiplies() { "mac" } else { "rows" },
        );
        if taken > 1.1 * better {
            wrong.push(format!(
                "{dense:?} at {percent} %: {taken} cycles taken, {better} possible"
            ));
        }
    }
    chosen
}

#[test]
fn the_choice_is_right_within_ten_percent() {
    let target = Target::spinnaker2();
    let mut wrong = Vec::new();
    let pairs = [
        (DType::I8, DType::I16),
        (DType::I8, DType::I32),
        (DType::I16, DType::I32),
    ];
    for (sources, targets) in [(256, 256), (100, 72), (512, 40), (64, 10)] {
        for (weight, sums) in pairs {
            for recurrent in [false, true] {
                if recurrent && (sources + targets) * targets * weight.size() > 100_000 {
                    continue;
                }
                if sources * targets * weight.size() > 100_000 {
                    continue;
                }
                let dense = Dense {
                    sources,
                    targets,
                    weight,
                    sums,
                    recurrent,
                };
                let (mac, rows) = crossover(dense, &target, &mut wrong);
                // A few targets that reach each other have their rows listed by one range
                // of keys, which is cheaper at any activity.
                let narrow = recurrent && targets < 16;
                if mac == 0 && !narrow || rows == 0 {
                    wrong.push(format!("{dense:?}: {mac} times mac, {rows} times rows"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
