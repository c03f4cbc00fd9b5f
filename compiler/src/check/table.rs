//! The result of a check for people.

use super::json::CheckReport;
use crate::compare::Comparison;
use crate::level;
use crate::options::escape;
use crate::report::{human_table, state_table};
use std::fmt::Write;

fn row(name: &str, c: &Comparison) -> Vec<String> {
    vec![
        name.to_owned(),
        c.positions.to_string(),
        c.spikes.to_string(),
        c.wrong_spikes.to_string(),
        c.wrong_values.to_string(),
        format!("{:.4}", c.argmax_agreement),
        format!("{:.6}", c.rate_cosine),
        format!("{:.3e}", c.max_rel_error),
    ]
}

fn accuracy(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.4}"))
}

/// The whole table.
pub(super) fn human(r: &CheckReport) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}: {} samples of {} steps",
        escape(r.network.as_deref().unwrap_or("?")),
        r.samples.unwrap_or(0),
        r.steps.unwrap_or(0)
    );
    let names = [
        "comparison",
        "positions",
        "spikes",
        "wrong spikes",
        "wrong values",
        "agreement",
        "rate cosine",
        "error of range",
    ];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    let all = [
        ("fixed vs emulated", &r.fixed_vs_emulated),
        ("golden vs emulated", &r.golden_vs_emulated),
        ("expect vs golden", &r.expect_vs_golden),
        ("expect vs emulated", &r.expect_vs_emulated),
    ];
    for (name, comparison) in &all {
        if let Some(c) = comparison {
            rows.push(row(name, c));
        }
    }
    if r.per_output.len() > 1 {
        for (output, four) in &r.per_output {
            if let Some(c) = &four.golden_vs_emulated {
                rows.push(row(
                    &format!("  '{}' golden vs emulated", escape(output)),
                    c,
                ));
            }
        }
    }
    out.push_str(&human_table(&rows));
    let golden = r.golden.as_ref().and_then(|a| a.accuracy);
    let quantised = r.golden_quantised.as_ref().and_then(|a| a.accuracy);
    if let Some(e) = &r.emulated {
        if golden.is_some() {
            let _ = writeln!(
                out,
                "  accuracy: golden {}, golden with quantised weights {}, chip {}",
                accuracy(golden),
                accuracy(quantised),
                accuracy(e.accuracy)
            );
        }
        let _ = writeln!(
            out,
            "  cycles per step: at most {}, median {}; missed deadlines: {}",
            e.cycles_per_step.max, e.cycles_per_step.p50, e.missed_deadlines
        );
        let energy = level::energy_line(&e.energy_uj_per_step, e.power_mw, e.level);
        out.push_str(&energy);
        let _ = writeln!(
            out,
            "  emulation: {:.3} ms and {} instructions per sample",
            e.host_ms_per_sample, e.instructions_per_sample
        );
    }
    if let Some(s) = &r.resources {
        let _ = writeln!(
            out,
            "  resources: {} PEs on {} chip{}, fullest PE {} B, {} routing entries, latency {} steps",
            s.pes,
            s.chips,
            if s.chips == 1 { "" } else { "s" },
            s.max_sram_bytes,
            s.routing_entries,
            s.latency_steps
        );
    }
    for line in state_table(&r.fixed_point).lines() {
        let _ = writeln!(out, "  {line}");
    }
    if let Some(ms) = r.compile_ms {
        let _ = writeln!(out, "  compiled in {ms:.1} ms");
    }
    out
}
