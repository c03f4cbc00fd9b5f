//! How shapes compare, and what flattening makes of them.

use ir::tensor::Shape;

/// How well two shapes fit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    Same,
    /// They differ in dimensions of size 1 only.
    Ones,
    /// They hold the same number of values.
    Count,
    No,
}

pub(super) fn fit(a: &Shape, b: &Shape) -> Fit {
    let real = |s: &Shape| s.0.iter().copied().filter(|&d| d != 1).collect::<Vec<_>>();
    if a == b {
        Fit::Same
    } else if real(a) == real(b) {
        Fit::Ones
    } else if a.checked_len().is_some() && a.checked_len() == b.checked_len() {
        Fit::Count
    } else {
        Fit::No
    }
}

/// "[3 4] = 3 x 4 = 12 values"
pub(super) fn arithmetic(shape: &Shape) -> String {
    let n = match shape.checked_len() {
        Some(1) => "1 value".to_owned(),
        Some(n) => format!("{n} values"),
        None => "more values than can be counted".to_owned(),
    };
    if shape.rank() < 2 {
        return format!("{shape} = {n}");
    }
    let factors: Vec<String> = shape.0.iter().map(usize::to_string).collect();
    format!("{shape} = {} = {n}", factors.join(" x "))
}

/// Merges the dimensions `start..=end`; negative ones count from the end and
/// ones out of range are cut to it, since the values are the same anyway.
pub(super) fn flattened(shape: &Shape, start: i64, end: i64) -> Shape {
    let rank = shape.rank();
    let resolve = |d: i64| {
        let i = if d < 0 {
            d.saturating_add_unsigned(rank as u64)
        } else {
            d
        };
        usize::try_from(i).unwrap_or(0).min(rank.saturating_sub(1))
    };
    let (start, end) = (resolve(start), resolve(end));
    if end <= start || shape.checked_len().is_none() {
        return shape.clone();
    }
    let mut dims = shape.0[..start].to_vec();
    dims.push(shape.0[start..=end].iter().product());
    dims.extend(&shape.0[end + 1..]);
    Shape(dims)
}
