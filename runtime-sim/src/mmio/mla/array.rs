//! The arithmetic of the MAC array.
//!
//! Each result is a sum of products in a two's complement accumulator of
//! [`Job::accumulator_bits`]: products are added in the order of `k` (or of input
//! channel, kernel row, kernel column). A sum that leaves the accumulator wraps; the
//! result counts as overflowed, whatever is added later. Then the accumulator is
//! shifted right (towards minus infinity), ReLU makes negative results zero, and the
//! low bits are stored.

use super::job::{Convolution, Job, Operand, Shape};
use ir::target::Mla as Registers;

/// What a job gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) bytes: Vec<u8>,
    /// Results whose accumulator overflowed.
    pub(super) overflows: u64,
    /// Results that lost more than copies of their sign when they were cut to their
    /// width, whether they are read as signed or as unsigned numbers.
    pub(super) clipped: u64,
}

/// `coefficient * data[i * step]` is added to result `first + i`.
struct Tap<'a> {
    coefficient: i32,
    data: &'a [i32],
    step: usize,
    first: usize,
    count: usize,
}

/// A row of accumulators.
struct Accumulators {
    bits: u32,
    /// Largest sum.
    max: i64,
    exact: Vec<i32>,
    sums: Vec<i64>,
    overflowed: Vec<bool>,
}

impl Accumulators {
    fn new(bits: u32) -> Self {
        Self {
            bits: bits.clamp(2, 64),
            max: i64::MAX >> (64 - bits.clamp(2, 64)),
            exact: Vec::new(),
            sums: Vec::new(),
            overflowed: Vec::new(),
        }
    }

    /// Sums `taps` into `count` results. `bound` is at least every partial sum's
    /// magnitude: where it fits, the order does not matter and nothing is checked.
    fn sum<'a>(&mut self, count: usize, bound: i64, taps: impl Iterator<Item = Tap<'a>>) {
        self.overflowed.clear();
        self.overflowed.resize(count, false);
        self.sums.clear();
        if bound <= self.max.min(i64::from(i32::MAX)) {
            self.exact.clear();
            self.exact.resize(count, 0);
            for tap in taps {
                let sums = &mut self.exact[tap.first..tap.first + tap.count];
                if tap.step == 1 && tap.coefficient == 1 {
                    // A spike: most hosts add faster than they multiply.
                    for (sum, &x) in sums.iter_mut().zip(tap.data) {
                        *sum = sum.wrapping_add(x);
                    }
                } else if tap.step == 1 {
                    for (sum, &x) in sums.iter_mut().zip(tap.data) {
                        *sum = sum.wrapping_add(tap.coefficient.wrapping_mul(x));
                    }
                } else {
                    for (sum, &x) in sums.iter_mut().zip(tap.data.iter().step_by(tap.step)) {
                        *sum = sum.wrapping_add(tap.coefficient.wrapping_mul(x));
                    }
                }
            }
            self.sums.extend(self.exact.iter().map(|&s| i64::from(s)));
            return;
        }
        self.sums.resize(count, 0);
        let unused = 64 - self.bits;
        for tap in taps {
            let range = tap.first..tap.first + tap.count;
            let sums = self.sums[range.clone()].iter_mut();
            let flags = self.overflowed[range].iter_mut();
            let data = tap.data.iter().step_by(tap.step);
            for ((sum, flag), &x) in sums.zip(flags).zip(data) {
                let next = sum.wrapping_add(i64::from(tap.coefficient) * i64::from(x));
                let kept = next << unused >> unused;
                *flag |= kept != next;
                *sum = kept;
            }
        }
    }
}

/// The elements of an operand.
fn elements(bytes: &[u8], operand: &Operand) -> Vec<i32> {
    let mut all = Vec::new();
    widen(bytes, operand, &mut all);
    all
}

/// Adds elements of an operand to `all`.
fn widen(bytes: &[u8], operand: &Operand, all: &mut Vec<i32>) {
    match (operand.wide, operand.signed) {
        (false, false) => all.extend(bytes.iter().map(|&b| i32::from(b))),
        (false, true) => all.extend(bytes.iter().map(|&b| i32::from(b as i8))),
        (true, signed) => {
            let halves = bytes.chunks_exact(2);
            let halves = halves.map(|b| u16::from_le_bytes([b[0], b[1]]));
            if signed {
                all.extend(halves.map(|h| i32::from(h as i16)));
            } else {
                all.extend(halves.map(i32::from));
            }
        }
    }
}

fn largest(values: &[i32]) -> i64 {
    let all = values.iter().map(|&v| i64::from(v).abs());
    all.max().unwrap_or(0)
}

fn magnitude(values: &[i32]) -> i64 {
    values.iter().map(|&v| i64::from(v).abs()).sum()
}

impl Outcome {
    fn store(&mut self, job: &Job, row: &Accumulators) {
        self.overflows += row.overflowed.iter().filter(|&&f| f).count() as u64;
        let bits = 8 * job.width;
        for &sum in &row.sums {
            let shifted = sum >> job.shift.min(63);
            let value = if job.relu { shifted.max(0) } else { shifted };
            let fits = value >> bits == 0 || value >> (bits - 1) == -1;
            self.clipped += u64::from(!fits);
            let bytes = value.to_le_bytes();
            self.bytes.extend_from_slice(&bytes[..job.width as usize]);
        }
    }
}

/// Computes `job` on operands of the sizes that it says.
pub(super) fn compute(job: &Job, registers: &Registers, a: &[u8], b: &[u8]) -> Outcome {
    let a = elements(a, &job.a);
    let mut row = Accumulators::new(job.accumulator_bits(registers));
    let mut outcome = Outcome::default();
    match job.shape {
        Shape::Matrix { k, n, .. } => {
            let (k, n) = (k as usize, n as usize);
            // What is multiplied by nothing but zeros changes no sum: of a vector of
            // spikes that is most of the matrix.
            let used = |i: &usize| a.iter().skip(*i).step_by(k).any(|&x| x != 0);
            let used: Vec<usize> = (0..k).filter(used).collect();
            let bytes = n * if job.b.wide { 2 } else { 1 };
            let mut rows = Vec::with_capacity(used.len() * n);
            for &i in &used {
                widen(&b[i * bytes..(i + 1) * bytes], &job.b, &mut rows);
            }
            let limit = largest(&rows);
            for coefficients in a.chunks_exact(k) {
                let bound = magnitude(coefficients).saturating_mul(limit);
                let taps = used.iter().zip(rows.chunks_exact(n));
                let taps = taps.map(|(&i, data)| Tap {
                    coefficient: coefficients[i],
                    data,
                    step: 1,
                    first: 0,
                    count: n,
                });
                row.sum(n, bound, taps);
                outcome.store(job, &row);
            }
        }
        Shape::Convolution(c) => {
            let b = elements(b, &job.b);
            let limit = largest(&a);
            for kernels in b.chunks_exact(c.taps() as usize) {
                let bound = magnitude(kernels).saturating_mul(limit);
                for y in 0..c.output.0 {
                    row.sum(c.output.1 as usize, bound, taps(&c, &a, kernels, y));
                    outcome.store(job, &row);
                }
            }
        }
    }
    outcome
}

/// The taps of output row `y`, as far as they lie inside the input.
fn taps<'a>(
    c: &'a Convolution,
    input: &'a [i32],
    kernels: &'a [i32],
    y: u32,
) -> impl Iterator<Item = Tap<'a>> {
    let (height, width) = c.input;
    let area = (c.kernel.0 * c.kernel.1) as usize;
    let planes = input.chunks_exact((height * width) as usize);
    planes
        .zip(kernels.chunks_exact(area))
        .flat_map(move |(plane, kernel)| {
            (0..c.kernel.0)
                .filter_map(move |ky| {
                    let row = (y * c.stride.0 + ky).checked_sub(c.padding.0)?;
                    (row < height).then_some((ky, (row * width) as usize))
                })
                .flat_map(move |(ky, start)| {
                    let line = &plane[start..start + width as usize];
                    (0..c.kernel.1).filter_map(move |kx| {
                        let coefficient = kernel[(ky * c.kernel.1 + kx) as usize];
                        across(c, line, kx, coefficient)
                    })
                })
        })
}

/// One tap along a row: result x takes column `x * stride + kx - padding`.
fn across<'a>(c: &Convolution, line: &'a [i32], kx: u32, coefficient: i32) -> Option<Tap<'a>> {
    let (stride, width) = (c.stride.1, c.input.1);
    let first = c.padding.1.saturating_sub(kx).div_ceil(stride);
    // One past the last result whose column is inside.
    let end = (width + c.padding.1).checked_sub(kx + 1)? / stride + 1;
    let end = end.min(c.output.1);
    if first >= end {
        return None;
    }
    let column = first * stride + kx - c.padding.1;
    Some(Tap {
        coefficient,
        data: &line[column as usize..],
        step: stride as usize,
        first: first as usize,
        count: (end - first) as usize,
    })
}
