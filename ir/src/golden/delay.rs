//! Delays: whole steps of each element, and the rings that hold values back.

use crate::code::Code;
use crate::diag::Diagnostic;
use crate::network::Node;
use crate::origin::escape;
use crate::tensor::Tensor;

/// The longest delay of an element and, over a whole node, the most values
/// that may wait in its rings; bounds what a hostile file can claim.
const MAX_WAITING: usize = 1 << 26;

/// One delay in whole steps: `delay / dt` to the nearest, halves away from
/// zero. `None` if it is negative, not finite or beyond any ring.
fn steps(delay: f64, dt: f64) -> Option<usize> {
    let steps = (delay / dt).round();
    // The comparison is false for NaN; -0.4 rounds to -0, which is 0.
    let fits = delay >= 0.0 && steps <= MAX_WAITING as f64;
    fits.then_some(steps as usize)
}

/// The delay of each element of a Delay node in whole steps: `delay / dt`
/// rounded to the nearest, halves away from zero. `dt` is in the file's unit.
/// One element stands for all.
pub fn delay_steps(node: &Node, delay: &Tensor, dt: f64) -> Result<Vec<usize>, Diagnostic> {
    let mut total = 0usize;
    (0..delay.len())
        .map(|i| {
            let value = delay.at(i);
            let found = steps(value, dt);
            total = total.saturating_add(found.unwrap_or(0));
            match found {
                Some(steps) if total <= MAX_WAITING => Ok(steps),
                _ => Err(Diagnostic::error(
                    Code::BadParameter,
                    &node.origin,
                    format!("the delay of '{}' is impossible", escape(&node.name)),
                )
                .note(format!("element {i} is {value}; dt is {dt} in the same unit"))
                .note(format!(
                    "delays are finite and not below 0; all elements together hold {MAX_WAITING} steps at most"
                ))
                .help("check the file, and --dt and --time-unit")),
            }
        })
        .collect()
}

/// The smallest delay in whole steps, as far as it can be told: without dt
/// every delay above 0 counts as one step.
pub(super) fn least_steps(delay: &Tensor, dt: Option<f64>) -> usize {
    let one = |i| match dt {
        Some(dt) => steps(delay.at(i), dt).unwrap_or(0),
        None => usize::from(delay.at(i) > 0.0),
    };
    (0..delay.len()).map(one).min().unwrap_or(0)
}

/// The rings of one Delay node, one after the other in one array; the ring of
/// an element holds as many values as its delay has steps.
#[derive(Debug)]
pub(super) struct Delay {
    steps: Vec<usize>,
    starts: Vec<usize>,
    /// All delays are at least one step: what comes out in a step is known
    /// before what goes in, so the input is taken at the end of the step.
    pub(super) ahead: bool,
}

impl Delay {
    /// Delays of `n` elements, given for each or one for all.
    pub(super) fn new(steps: &[usize], n: usize) -> Self {
        let steps: Vec<usize> = match steps {
            &[all] => vec![all; n],
            each => each.to_vec(),
        };
        let mut next = 0;
        let starts = steps.iter().map(|&d| {
            next += d;
            next - d
        });
        Self {
            starts: starts.collect(),
            ahead: steps.iter().all(|&d| d > 0),
            steps,
        }
    }
    /// Values that wait in the rings.
    pub(super) fn waiting(&self) -> usize {
        self.steps.iter().fold(0, |sum, &d| sum.saturating_add(d))
    }
    /// Takes out what entered `delay` steps ago (zero in the first steps).
    /// Elements without delay are left alone.
    pub(super) fn take(&self, step: usize, ring: &[f64], y: &mut [f64]) {
        for ((y, &d), &start) in y.iter_mut().zip(&self.steps).zip(&self.starts) {
            if d > 0 {
                *y = ring[start + step % d];
            }
        }
    }
    /// Puts in the values of this step, in the places that `take` just read.
    pub(super) fn put(&self, step: usize, x: &[f64], ring: &mut [f64]) {
        for ((x, &d), &start) in x.iter().zip(&self.steps).zip(&self.starts) {
            if d > 0 {
                ring[start + step % d] = *x;
            }
        }
    }
    /// Both at once, for nodes whose order in the step is that of any other.
    pub(super) fn pass(&self, step: usize, x: &[f64], ring: &mut [f64], y: &mut [f64]) {
        for (y, (x, &d)) in y.iter_mut().zip(x.iter().zip(&self.steps)) {
            if d == 0 {
                *y = *x;
            }
        }
        self.take(step, ring, y);
        self.put(step, x, ring);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_goes_to_the_nearest_and_halves_up() {
        let all = [0.0, 0.4e-3, 0.5e-3, 1.49e-3, 2.5e-3, f64::from(0.003f32)];
        assert_eq!(
            all.map(|d| steps(d, 1e-3)),
            [0, 0, 1, 1, 3, 3].map(Some),
            "0.5 ms and 2.5 ms are halves"
        );
        for bad in [-1e-3, f64::NAN, f64::INFINITY, 1e9] {
            assert_eq!(steps(bad, 1e-3), None, "{bad}");
        }
    }

    #[test]
    fn each_element_waits_its_own_time() {
        let delay = Delay::new(&[0, 1, 3], 3);
        assert!(!delay.ahead);
        let mut ring = vec![0.0; delay.waiting()];
        let rows: Vec<[f64; 3]> = (0..6)
            .map(|t| {
                let mut y = [9.0; 3];
                let x = [1.0 + t as f64; 3];
                delay.pass(t, &x, &mut ring, &mut y);
                y
            })
            .collect();
        assert_eq!(
            rows,
            [
                [1.0, 0.0, 0.0],
                [2.0, 1.0, 0.0],
                [3.0, 2.0, 0.0],
                [4.0, 3.0, 1.0],
                [5.0, 4.0, 2.0],
                [6.0, 5.0, 3.0]
            ]
        );
        assert!(Delay::new(&[2], 5).ahead);
    }
}
