//! Many seeds, one after the other, and what they came to.

use crate::differential::{self, Verdict};
use crate::random::{self, Case};
use ir::Target;
use passes::Kernels;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// The result of a sweep.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    pub total: u64,
    pub agree: u64,
    pub refused: u64,
    /// Of those that agree: with several ticks a step, with output spikes, with
    /// graded outputs.
    pub phased: u64,
    pub spiking: u64,
    pub graded: u64,
    /// Products in programs of those that agree.
    pub products: u64,
    /// Seeds whose chip is exact and whose golden run is not.
    pub drifts: Vec<(u64, String)>,
    pub wrong: Vec<(u64, String)>,
}

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} graphs: {} agree ({} phased, {} with spikes, {} with graded outputs, \
             {} products), {} refused, {} drift, {} wrong",
            self.total,
            self.agree,
            self.phased,
            self.spiking,
            self.graded,
            self.products,
            self.refused,
            self.drifts.len(),
            self.wrong.len()
        )?;
        for (kind, list) in [("drift", &self.drifts), ("wrong", &self.wrong)] {
            for (seed, what) in list {
                writeln!(f, "{kind}: seed {seed}: {}", what.trim_end())?;
            }
        }
        Ok(())
    }
}

/// One seed; a panic is a verdict too.
pub fn one(seed: u64, target: &Target, kernels: Kernels) -> (Case, Verdict) {
    let case = random::case(seed);
    let ran = catch_unwind(AssertUnwindSafe(|| {
        differential::run(&case, target, kernels)
    }));
    let verdict = ran.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Verdict::Wrong(format!("panic: {}", text.unwrap_or_default()))
    });
    (case, verdict)
}

/// All seeds of a range. The network of a wrong one is left in `keep`.
pub fn sweep(seeds: std::ops::Range<u64>, keep: &Path, kernels: Kernels) -> Sweep {
    let target = Target::spinnaker2();
    let mut found = Sweep::default();
    for seed in seeds {
        found.total += 1;
        let (case, verdict) = one(seed, &target, kernels);
        match verdict {
            Verdict::Agrees(m) => {
                found.agree += 1;
                found.phased += u64::from(m.ticks_per_step > 1);
                found.spiking += u64::from(m.spikes > 0.0);
                found.graded += u64::from(m.graded > 0);
                found.products += m.products as u64;
            }
            Verdict::Refused(_) => found.refused += 1,
            Verdict::Drifts(what) => found.drifts.push((seed, what)),
            Verdict::Wrong(what) => {
                // Without the file the seed still says everything.
                let file = keep.join(format!("random-{seed}.s2ir"));
                let _ = std::fs::write(file, differential::text(&case.module));
                found.wrong.push((seed, what));
            }
        }
    }
    found
}
