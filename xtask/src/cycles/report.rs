//! What is known of each kernel, as a table and as JSON.

use serde_json::{Value, json};
use std::fmt::Write;

/// Most of what gcc -O3 takes that a kernel may take.
const OF_O3: f64 = 0.75;

/// One line of the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub kernel: String,
    pub unit: &'static str,
    pub cycles_per_unit: f64,
    /// Of code.
    pub bytes: u32,
    pub target: Option<f64>,
    pub gcc_o3: Option<f64>,
    pub gcc_o3_unroll: Option<f64>,
    /// Whether the cycles are a difference of two calls. It has a target, but does
    /// not say which code is faster.
    pub difference: bool,
}

impl Row {
    /// What is not as it should be, a sentence each.
    pub fn misses(&self) -> Vec<String> {
        let bounds = [
            (self.target, 1.0, "the target"),
            (self.gcc_o3, OF_O3, "gcc -O3"),
            (self.gcc_o3_unroll, 1.0, "gcc -O3 -funroll-loops"),
        ];
        let mut all = Vec::new();
        for (bound, factor, what) in bounds {
            let Some(bound) = bound else { continue };
            if self.difference && what != "the target" {
                continue;
            }
            let most = factor * bound;
            if self.cycles_per_unit > most + 1e-9 {
                all.push(format!(
                    "{}: {:.2} cycles per {}, more than {most:.2} ({factor} of {what})",
                    self.kernel, self.cycles_per_unit, self.unit
                ));
            }
        }
        all
    }
}

/// An array of objects, figures to two places.
pub fn json(rows: &[Row]) -> Value {
    let round = |x: f64| (x * 100.0).round() / 100.0;
    let all = rows.iter().map(|r| {
        json!({
            "kernel": r.kernel,
            "unit": r.unit,
            "cycles_per_unit": round(r.cycles_per_unit),
            "bytes": r.bytes,
            "target": r.target.map(round),
            "gcc_o3": r.gcc_o3.map(round),
            "gcc_o3_unroll": r.gcc_o3_unroll.map(round),
        })
    });
    Value::Array(all.collect())
}

/// For people; `!` marks what misses its target.
pub fn table(rows: &[Row]) -> String {
    let mut out = format!(
        "{:<28} {:<8} {:>7} {:>7} {:>6} {:>7} {:>7}\n",
        "kernel", "unit", "cycles", "target", "bytes", "-O3", "unroll"
    );
    let number = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.2}"));
    for r in rows {
        let mark = if r.misses().is_empty() { "" } else { " !" };
        let _ = writeln!(
            out,
            "{:<28} {:<8} {:>7.2} {:>7} {:>6} {:>7} {:>7}{mark}",
            r.kernel,
            r.unit,
            r.cycles_per_unit,
            number(r.target),
            r.bytes,
            number(r.gcc_o3),
            number(r.gcc_o3_unroll)
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cycles_per_unit: f64) -> Row {
        Row {
            kernel: "k".to_owned(),
            unit: "synapse",
            cycles_per_unit,
            bytes: 10,
            target: Some(2.0),
            gcc_o3: Some(4.0),
            gcc_o3_unroll: None,
            difference: false,
        }
    }

    #[test]
    fn a_miss_says_what_and_by_how_much() {
        assert_eq!(row(2.0).misses(), Vec::<String>::new());
        assert_eq!(
            row(2.5).misses(),
            ["k: 2.50 cycles per synapse, more than 2.00 (1 of the target)"]
        );
        assert_eq!(row(3.1).misses().len(), 2);
        let difference = Row {
            difference: true,
            ..row(3.1)
        };
        assert_eq!(difference.misses().len(), 1);
    }

    #[test]
    fn what_is_absent_is_null() {
        let found = json(&[row(1.234)]);
        assert_eq!(found[0]["cycles_per_unit"], 1.23);
        assert_eq!(found[0]["gcc_o3_unroll"], Value::Null);
    }
}
