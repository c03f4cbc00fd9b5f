//! The report for people. Its form may change; scripts read the JSON.

use super::Report;
use ir::origin::escape;
use std::fmt::Write;

/// Pads cells to columns; numbers are right-aligned.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|c| {
            let cells = rows.iter().filter_map(|r| r.get(c));
            cells.map(|s| s.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for (cell, &width) in row.iter().zip(&widths) {
            let pad = " ".repeat(width - cell.chars().count());
            let number = cell.chars().next().is_some_and(|c| c.is_ascii_digit());
            if number {
                let _ = write!(line, " {pad}{cell}");
            } else {
                let _ = write!(line, " {cell}{pad}");
            }
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

fn cells<const N: usize>(cells: [String; N]) -> Vec<String> {
    cells.to_vec()
}

fn header<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.iter().map(|&n| n.to_owned()).collect()
}

fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| v.to_string())
}

/// The whole report as text.
pub fn human(r: &Report) -> String {
    let mut out = String::new();
    let res = &r.resources;
    let _ = writeln!(
        out,
        "{}: {} PEs on {} chip{}, {} routing entries, fullest PE {} B, latency {} steps of {} us",
        escape(&r.network),
        res.pes,
        res.chips,
        if res.chips == 1 { "" } else { "s" },
        res.routing_entries,
        res.max_sram_bytes,
        res.latency_steps,
        r.options.time_step_us
    );

    let s = &r.schedule;
    let _ = writeln!(
        out,
        "schedule: {}, {} tick{} a step: {}",
        s.kind,
        s.ticks_per_step,
        if s.ticks_per_step == 1 { "" } else { "s" },
        escape(&s.why)
    );
    for (name, latency) in &r.latency {
        let _ = writeln!(out, "output '{}': latency {latency} ticks", escape(name));
    }

    let mut rows = vec![header([
        "population",
        "neurons",
        "model",
        "sends",
        "PEs",
        "latency",
        "sums",
    ])];
    rows.extend(r.populations.iter().map(|p| {
        cells([
            escape(&p.name),
            p.neurons.to_string(),
            p.model.to_owned(),
            p.sends.clone(),
            p.pes.to_string(),
            or_dash(p.latency),
            or_dash(p.accumulator),
        ])
    }));
    let _ = write!(out, "\npopulations\n{}", table(&rows));

    let fixed = super::state::table(&r.fixed_point);
    if !fixed.is_empty() {
        let _ = write!(out, "\n{fixed}");
    }

    let mut rows = vec![header([
        "projection",
        "from",
        "to",
        "connector",
        "carries",
        "weights",
        "synapses",
        "delay",
        "steps late",
    ])];
    rows.extend(r.projections.iter().map(|p| {
        cells([
            escape(&p.name),
            escape(&p.from),
            escape(&p.to),
            p.connector.clone(),
            p.carries.clone(),
            p.weights.to_owned(),
            p.synapses.to_string(),
            or_dash(p.delay),
            p.lag.to_string(),
        ])
    }));
    let _ = write!(out, "\nprojections\n{}", table(&rows));

    let mut rows = vec![header([
        "PE", "neurons", "code B", "text B", "data B", "state B", "rows B", "total B", "of B",
        "mean", "worst", "of",
    ])];
    rows.extend(r.pes.iter().map(|p| {
        let (x, y, n) = p.pe;
        cells([
            format!("pe({x},{y},{n})"),
            format!("{}[{} +{}]", escape(&p.population), p.first, p.neurons),
            p.code.bytes.to_string(),
            p.bytes.text.to_string(),
            p.bytes.data.to_string(),
            p.bytes.state.to_string(),
            p.bytes.rows.to_string(),
            p.bytes.total.to_string(),
            p.bytes.available.to_string(),
            p.predicted_cycles.mean.to_string(),
            p.predicted_cycles.worst.to_string(),
            p.cycles_per_tick.to_string(),
        ])
    }));
    let _ = write!(
        out,
        "\nPEs (cycles of one tick, predicted for {} activity)\n{}",
        r.activity,
        table(&rows)
    );

    out.push_str(&kernels(r));

    let _ = writeln!(out, "\noptions");
    if let Ok(serde_json::Value::Object(options)) = serde_json::to_value(&r.options) {
        for (name, value) in options.iter().filter(|(_, v)| !v.is_null()) {
            let text = value.as_str().map_or_else(|| value.to_string(), escape);
            let _ = writeln!(out, "  {name} = {text}");
        }
    }
    list(
        &mut out,
        "options without effect on this network",
        &r.unused_options,
    );
    let warnings: Vec<String> = r
        .warnings
        .iter()
        .map(|w| format!("{}: {}", w.code, w.message))
        .collect();
    list(&mut out, "warnings", &warnings);
    list(
        &mut out,
        "assumptions (no publication settles these)",
        &r.assumptions,
    );
    out
}

/// The table of dense projections, if there are any.
fn kernels(r: &Report) -> String {
    if r.kernels.is_empty() {
        return String::new();
    }
    let mut rows = vec![header([
        "projection",
        "into",
        "kernel",
        "rows",
        "mac",
        "why",
    ])];
    rows.extend(r.kernels.iter().map(|k| {
        cells([
            escape(&k.projection),
            format!("{}[{} +{}]", escape(&k.population), k.first, k.neurons),
            k.kernel.to_owned(),
            k.rows_cycles.to_string(),
            k.mac_cycles.to_string(),
            k.why.clone(),
        ])
    }));
    format!(
        "\ndense projections of spikes (cycles of a mean step, estimated for {} activity)\n{}",
        r.activity,
        table(&rows)
    )
}

fn list(out: &mut String, title: &str, lines: &[String]) {
    if !lines.is_empty() {
        let _ = writeln!(out, "\n{title}");
        for line in lines {
            let _ = writeln!(out, "  {}", escape(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![
            header(["name", "n"]),
            cells(["a".to_owned(), "10".to_owned()]),
            cells(["long".to_owned(), "7".to_owned()]),
        ];
        assert_eq!(table(&rows), "  name n\n  a    10\n  long  7\n");
    }
}
