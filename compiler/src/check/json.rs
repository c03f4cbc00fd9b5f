//! The object of `check --json`: fixed fields, null where something is absent.

use crate::compare::Comparison;
use crate::options::OptionsRecord;
use crate::report::{Resources, StateReport};
use runtime_sim::RunReport;
use runtime_sim::energy::Parts;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Serialize)]
pub(super) struct CheckReport {
    pub(super) v: u32,
    pub(super) network: Option<String>,
    pub(super) samples: Option<usize>,
    pub(super) steps: Option<usize>,
    pub(super) options: Option<OptionsRecord>,
    pub(super) golden: Option<Accuracy>,
    pub(super) golden_quantised: Option<Accuracy>,
    pub(super) emulated: Option<EmulatedJson>,
    pub(super) fixed_vs_emulated: Option<Comparison>,
    pub(super) golden_vs_emulated: Option<Comparison>,
    pub(super) expect_vs_golden: Option<Comparison>,
    pub(super) expect_vs_emulated: Option<Comparison>,
    pub(super) per_output: BTreeMap<String, Four>,
    pub(super) fixed_point: Vec<StateReport>,
    pub(super) resources: Option<Resources>,
    pub(super) compile_ms: Option<f64>,
    pub(super) assumptions: Vec<String>,
}

impl Default for CheckReport {
    fn default() -> Self {
        Self {
            v: 1,
            network: None,
            samples: None,
            steps: None,
            options: None,
            golden: None,
            golden_quantised: None,
            emulated: None,
            fixed_vs_emulated: None,
            golden_vs_emulated: None,
            expect_vs_golden: None,
            expect_vs_emulated: None,
            per_output: BTreeMap::new(),
            fixed_point: Vec::new(),
            resources: None,
            compile_ms: None,
            assumptions: Vec::new(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Accuracy {
    pub(super) accuracy: Option<f64>,
}

#[derive(Debug, Serialize)]
pub(super) struct EmulatedJson {
    pub(super) accuracy: Option<f64>,
    pub(super) host_ms_per_sample: f64,
    pub(super) instructions_per_sample: u64,
    pub(super) cycles_per_step: Cycles,
    pub(super) missed_deadlines: u64,
    /// The level at which the run began.
    pub(super) level: &'static str,
    pub(super) energy_uj_per_step: Parts,
    pub(super) power_mw: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Cycles {
    pub(super) max: u64,
    pub(super) p50: u64,
}

impl EmulatedJson {
    pub(super) fn new(accuracy: Option<f64>, report: &RunReport, host: Duration) -> Self {
        Self {
            accuracy,
            host_ms_per_sample: host.as_secs_f64() * 1e3,
            instructions_per_sample: report.instructions_per_sample,
            cycles_per_step: Cycles {
                max: report.cycles_per_step.max,
                p50: report.cycles_per_step.p50,
            },
            missed_deadlines: report.missed_deadlines,
            level: report.level,
            energy_uj_per_step: report.energy_uj_per_step,
            power_mw: report.power_mw,
        }
    }
}

/// The four comparisons of one output.
#[derive(Debug, Default, Serialize)]
pub(super) struct Four {
    pub(super) fixed_vs_emulated: Option<Comparison>,
    pub(super) golden_vs_emulated: Option<Comparison>,
    pub(super) expect_vs_golden: Option<Comparison>,
    pub(super) expect_vs_emulated: Option<Comparison>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_report_has_every_field() {
        let value = serde_json::to_value(CheckReport::default()).expect("plain data");
        for field in [
            "v",
            "network",
            "samples",
            "steps",
            "options",
            "golden",
            "golden_quantised",
            "emulated",
            "fixed_vs_emulated",
            "golden_vs_emulated",
            "expect_vs_golden",
            "expect_vs_emulated",
            "per_output",
            "fixed_point",
            "resources",
            "compile_ms",
            "assumptions",
        ] {
            assert!(value.get(field).is_some(), "{field}");
        }
        assert_eq!(value.as_object().map(serde_json::Map::len), Some(17));
        assert!(value["golden"].is_null());
    }
}
