//! Energy as it goes, step by step.

use super::SampleResult;
use crate::energy::{Constants, Parts, Shared};
use serde::Serialize;
use std::collections::BTreeSet;

/// Energy of a network step over the run, the mean of all samples. Cores, MAC arrays,
/// sleep and the chips themselves; DRAM and network are known in total only. What was
/// done after the last tick, or by a PE whose timer does not run, is not in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EnergySeries {
    /// Steps of which each point is the mean.
    pub steps_per_point: u32,
    /// Microjoules of a step.
    pub points: Vec<Parts>,
}

impl EnergySeries {
    /// A step has `ticks` ticks.
    pub(super) fn new(results: &[SampleResult], energy: &Constants, ticks: u32) -> Self {
        let stretch = results.first().map_or(0, |r| r.stretch);
        let steps_per_point = stretch / ticks.max(1);
        let length = results.iter().map(|r| r.activity.len()).max().unwrap_or(0);
        let point = |n: usize| {
            let mut sum = Parts::default();
            let mut steps = 0.0;
            for r in results.iter().filter(|r| n < r.activity.len()) {
                // The last stretch may be shorter.
                let begun = n as u32 * stretch;
                let here = f64::from(r.ticks.saturating_sub(begun).min(stretch));
                let chips: BTreeSet<_> = r.pes.iter().map(|p| p.pe.chip).collect();
                let shared = energy.of_chips(&Shared {
                    chips: chips.len() as u64,
                    used: r.pes.len() as u64,
                    time: r.time,
                    level: r.level,
                    dram_bytes: 0,
                });
                sum = sum
                    .plus(&energy.of_pe(&r.activity[n]))
                    .plus(&shared.times(here / f64::from(r.ticks.max(1))));
                steps += here / f64::from(ticks.max(1));
            }
            if steps > 0.0 {
                sum.times(1.0 / steps)
            } else {
                sum
            }
        };
        Self {
            steps_per_point,
            points: (0..length).map(point).collect(),
        }
    }
}
