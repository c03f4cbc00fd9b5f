//! Comparing two runs of the same network on the same samples.
//!
//! `a` is the one under test, `b` the reference. Positions are (sample, step,
//! neuron) triples. The special cases are fixed, so that a number never
//! depends on a division by zero:
//!
//! | measure | definition | special cases |
//! |---|---|---|
//! | `spikes` | sum of the spiking values of `b` | |
//! | `wrong_spikes` | positions of spiking outputs that differ | |
//! | `wrong_values` | positions of graded outputs whose float32 bits differ | +0 and -0 are equal, NaN equals NaN |
//! | `rate_cosine` | cosine between the sums over steps, all samples and neurons as one vector | both zero: 1; one zero: 0 |
//! | `argmax_agreement` | share of samples whose largest sum is at the same neuron, ties to the lowest | |
//! | `max_abs_error` | largest difference of float32 values | infinite if one of two is not a number |
//! | `max_rel_error` | `max_abs_error` / (max - min of `b`) | range 0: divided by the largest magnitude of `b`, by 1 if that is 0 too |
//!
//! JSON has no infinity; an infinite error is printed as the largest float64.

use crate::tracks::{Kind, Track, argmax};
use ir::diag::Result;
use ir::origin::escape;
use ir::{Code, Diagnostic, Observable, Origin};
use serde::Serialize;

/// The result of comparing; field by field as the command line promises.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Array names, such as `out_spikes`.
    pub compared: Vec<String>,
    pub positions: u64,
    pub spikes: u64,
    pub wrong_spikes: u64,
    pub wrong_values: u64,
    pub rate_cosine: f64,
    pub argmax_agreement: f64,
    pub max_abs_error: f64,
    pub max_rel_error: f64,
}

impl Comparison {
    /// Whether nothing differs.
    pub fn is_exact(&self) -> bool {
        self.wrong_spikes == 0 && self.wrong_values == 0
    }
}

/// The name of a track's array: `out_<node>` for outputs, `<node>.v` for
/// recordings; `out_spikes`/`out_trace` where the reference calls it so.
pub fn compare(array: &str, a: &Track, b: &Track) -> Result<Comparison> {
    let fail = |what: String| {
        let origin = Origin::File {
            file: array.to_owned(),
        };
        Diagnostic::error(
            Code::InputData,
            &origin,
            format!("'{}' cannot be compared", escape(&a.name)),
        )
        .note(what)
    };
    if a.samples.len() != b.samples.len() {
        return Err(fail(format!(
            "{} samples against {}",
            a.samples.len(),
            b.samples.len()
        ))
        .into());
    }
    let mut sums = Sums::default();
    for (s, (x, y)) in a.samples.iter().zip(&b.samples).enumerate() {
        if (x.steps, x.width) != (y.steps, y.width) {
            return Err(fail(format!(
                "sample {s}: {} steps of {} values against {} steps of {}",
                x.steps, x.width, y.steps, y.width
            ))
            .into());
        }
        sums.values(&x.data, &y.data, a.kind);
        let (x, y) = (a.totals(s), b.totals(s));
        sums.totals(&x, &y);
    }
    if sums.positions == 0 {
        return Err(Diagnostic::error(
            Code::NothingCompared,
            &Origin::File {
                file: array.to_owned(),
            },
            format!("'{}' holds no value to compare", escape(&a.name)),
        )
        .into());
    }
    Ok(sums.finish(array, a.samples.len()))
}

/// Several comparisons as one: counts add up, agreement and errors are the worst.
pub fn combine(parts: &[Comparison]) -> Option<Comparison> {
    let (first, rest) = parts.split_first()?;
    let mut all = first.clone();
    for c in rest {
        all.compared.extend(c.compared.iter().cloned());
        all.positions += c.positions;
        all.spikes += c.spikes;
        all.wrong_spikes += c.wrong_spikes;
        all.wrong_values += c.wrong_values;
        all.rate_cosine = all.rate_cosine.min(c.rate_cosine);
        all.argmax_agreement = all.argmax_agreement.min(c.argmax_agreement);
        all.max_abs_error = all.max_abs_error.max(c.max_abs_error);
        all.max_rel_error = all.max_rel_error.max(c.max_rel_error);
    }
    Some(all)
}

/// The array name under which an output or recording is compared and stored.
pub fn array_name(track: &Track, recorded: bool) -> String {
    let name = crate::front::data::encode_name(&track.name);
    if recorded {
        format!("{name}.{}", track.observable.name())
    } else {
        format!("out_{name}")
    }
}

/// Compares all tracks of `a` with the tracks of the same node and observable
/// in `b`. Tracks that `b` lacks are left out.
pub fn compare_all(a: &[Track], b: &[Track], recorded: bool) -> Result<Vec<(String, Comparison)>> {
    let mut out = Vec::new();
    for x in a {
        let same = |y: &&Track| y.name == x.name && y.observable == x.observable;
        if let Some(y) = b.iter().find(same) {
            let c = compare(&array_name(x, recorded), x, y)?;
            let key = match (recorded, x.observable) {
                (false, Observable::Spikes) => x.name.clone(),
                (_, what) => format!("{}.{}", x.name, what.name()),
            };
            out.push((key, c));
        }
    }
    Ok(out)
}

#[derive(Debug, Default)]
struct Sums {
    positions: u64,
    spikes: f64,
    wrong_spikes: u64,
    wrong_values: u64,
    dot: f64,
    norm_a: f64,
    norm_b: f64,
    agree: usize,
    max_abs: f64,
    low: Option<f64>,
    high: Option<f64>,
}

impl Sums {
    fn values(&mut self, a: &[f64], b: &[f64], kind: Kind) {
        self.positions += a.len() as u64;
        for (&x, &y) in a.iter().zip(b) {
            // Graded values are float32 in every file and on the chip.
            let (x, y) = match kind {
                Kind::Spiking => (x, y),
                Kind::Graded => (f64::from(x as f32), f64::from(y as f32)),
            };
            let both_nan = x.is_nan() && y.is_nan();
            let differ = x != y && !both_nan;
            match kind {
                Kind::Spiking => {
                    self.spikes += y;
                    self.wrong_spikes += u64::from(differ);
                }
                Kind::Graded => self.wrong_values += u64::from(differ),
            }
            if differ {
                let error = (x - y).abs();
                let error = if error.is_finite() { error } else { f64::MAX };
                self.max_abs = self.max_abs.max(error);
            }
            if y.is_finite() {
                self.low = Some(self.low.map_or(y, |l| l.min(y)));
                self.high = Some(self.high.map_or(y, |h| h.max(y)));
            }
        }
    }

    fn totals(&mut self, a: &[f64], b: &[f64]) {
        for (x, y) in a.iter().zip(b) {
            self.dot += x * y;
            self.norm_a += x * x;
            self.norm_b += y * y;
        }
        self.agree += usize::from(argmax(a) == argmax(b));
    }

    fn finish(self, array: &str, samples: usize) -> Comparison {
        let zero = (self.norm_a == 0.0, self.norm_b == 0.0);
        let rate_cosine = match zero {
            (true, true) => 1.0,
            (true, false) | (false, true) => 0.0,
            (false, false) => {
                let cosine = self.dot / (self.norm_a.sqrt() * self.norm_b.sqrt());
                // Rounding may step over 1 by an ulp; equal vectors give exactly 1.
                if self.dot == self.norm_a && self.dot == self.norm_b {
                    1.0
                } else if cosine.is_nan() {
                    0.0
                } else {
                    cosine.clamp(-1.0, 1.0)
                }
            }
        };
        let (low, high) = (self.low.unwrap_or(0.0), self.high.unwrap_or(0.0));
        let range = if high > low {
            high - low
        } else if high != 0.0 {
            high.abs()
        } else {
            1.0
        };
        Comparison {
            compared: vec![array.to_owned()],
            positions: self.positions,
            spikes: self.spikes as u64,
            wrong_spikes: self.wrong_spikes,
            wrong_values: self.wrong_values,
            rate_cosine,
            argmax_agreement: self.agree as f64 / samples.max(1) as f64,
            max_abs_error: self.max_abs,
            max_rel_error: (self.max_abs / range).min(f64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracks::spikes;
    use ir::Series;

    fn graded(values: &[f64]) -> Track {
        Track {
            kind: Kind::Graded,
            samples: vec![Series {
                steps: values.len(),
                width: 1,
                data: values.to_vec(),
            }],
            ..spikes("g", &[])
        }
    }

    #[test]
    fn equal_runs_are_exact() {
        let a = spikes("out", &[&[&[1, 0], &[0, 1]], &[&[0, 0], &[0, 0]]]);
        let c = compare("out_out", &a, &a).expect("same shape");
        assert!(c.is_exact());
        assert_eq!((c.positions, c.spikes), (8, 2));
        assert_eq!((c.rate_cosine, c.argmax_agreement), (1.0, 1.0));
        assert_eq!((c.max_abs_error, c.max_rel_error), (0.0, 0.0));
    }

    #[test]
    fn every_differing_position_counts_once() {
        let a = spikes("out", &[&[&[1, 0], &[0, 2]]]);
        let b = spikes("out", &[&[&[1, 1], &[0, 0]]]);
        let c = compare("x", &a, &b).expect("same shape");
        assert_eq!((c.wrong_spikes, c.wrong_values, c.spikes), (2, 0, 2));
        assert_eq!((c.max_abs_error, c.max_rel_error), (2.0, 2.0));
        assert_eq!(c.argmax_agreement, 0.0);
    }

    #[test]
    fn silence_has_a_cosine() {
        let silent = spikes("out", &[&[&[0, 0]]]);
        let loud = spikes("out", &[&[&[1, 0]]]);
        let cosine = |a, b| compare("x", a, b).expect("same shape").rate_cosine;
        assert_eq!(cosine(&silent, &silent), 1.0);
        assert_eq!(cosine(&silent, &loud), 0.0);
        assert_eq!(cosine(&loud, &silent), 0.0);
    }

    #[test]
    fn graded_errors_are_of_the_range() {
        let c = compare("x", &graded(&[0.0, 2.5]), &graded(&[0.0, 2.0])).expect("same shape");
        assert_eq!((c.wrong_values, c.wrong_spikes), (1, 0));
        assert_eq!((c.max_abs_error, c.max_rel_error), (0.5, 0.25));
        let flat = compare("x", &graded(&[4.0]), &graded(&[2.0])).expect("same shape");
        assert_eq!(flat.max_rel_error, 1.0);
        let zero = compare("x", &graded(&[0.5]), &graded(&[0.0])).expect("same shape");
        assert_eq!(zero.max_rel_error, 0.5);
    }

    #[test]
    fn what_is_no_number_differs_from_every_number() {
        let nan = graded(&[f64::NAN]);
        assert!(compare("x", &nan, &nan).expect("same shape").is_exact());
        let c = compare("x", &nan, &graded(&[1.0])).expect("same shape");
        assert_eq!((c.wrong_values, c.max_abs_error), (1, f64::MAX));
        assert!(serde_json::to_string(&c).expect("JSON").contains("e+308"));
    }

    #[test]
    fn shapes_must_agree_and_hold_something() {
        let a = spikes("out", &[&[&[1, 0]]]);
        let b = spikes("out", &[&[&[1]]]);
        assert!(compare("x", &a, &b).is_err());
        let none = spikes("out", &[]);
        let e = compare("x", &none, &none).expect_err("nothing there");
        assert_eq!(e.0[0].code, Code::NothingCompared);
    }

    #[test]
    fn several_outputs_add_up_to_the_worst() {
        let a = spikes("out", &[&[&[1, 0]]]);
        let b = spikes("out", &[&[&[0, 1]]]);
        let good = compare("x", &a, &a).expect("same shape");
        let bad = compare("y", &b, &a).expect("same shape");
        let all = combine(&[good, bad]).expect("two");
        assert_eq!((all.positions, all.wrong_spikes), (4, 2));
        assert_eq!((all.rate_cosine, all.argmax_agreement), (0.0, 0.0));
        assert_eq!(all.compared, ["x", "y"]);
        assert_eq!(combine(&[]), None);
    }
}
