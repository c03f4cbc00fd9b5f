//! Into how many slices a population is cut, and where.

use crate::regions::{Cuts, Links, Need, NeedKind};
use ir::Target;
use ir::app::{AppGraph, AtomOrder};
use ir::id::PopId;
use ir::machine_graph::AtomSlice;
use ir::memory::GROUP;
use ir::tensor::Shape;

/// What bounds a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut<'a> {
    /// Atoms.
    pub(super) cap: u32,
    /// Cycles of a tick.
    pub(super) limit: u64,
    pub(super) target: &'a Target,
}

/// A number of parts, and whether they keep the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizing {
    Fits(u32),
    /// Fits the memory, but even the smallest slices miss the deadline.
    TooSlow(u32),
}

impl Sizing {
    pub fn parts(self) -> u32 {
        match self {
            Sizing::Fits(n) | Sizing::TooSlow(n) => n,
        }
    }
}

/// The fewest parts (of each block of channels, if there are blocks) that keep
/// all bounds; `None` if not even the smallest slices fit a PE.
pub(super) fn search(need: &Need, links: &Links<'_>, bounds: &Cut<'_>) -> Option<Sizing> {
    let shape = &links.post().shape;
    let most = most_parts(need, shape);
    let target = bounds.target;
    let cap = match need.kind {
        NeedKind::Source { .. } => bounds.cap.min(target.planning.source_atoms),
        NeedKind::Neurons(_) => bounds.cap,
    };
    let sizes = |parts: u32| {
        let slices = cut(need, shape, parts).into_iter();
        slices.map(|slice| need.budget(slice, links, target).cycles)
    };
    let cycles = |parts| sizes(parts).max().unwrap_or(0);
    let by_bytes = fewest(1, most, |parts| {
        let mut slices = cut(need, shape, parts).into_iter();
        slices.all(|slice| slice.n <= cap && need.fit(slice, links, target).is_some())
    })?;
    match fewest(by_bytes, most, |parts| cycles(parts) <= bounds.limit) {
        Some(parts) => Some(Sizing::Fits(parts)),
        None => {
            // Smaller slices no longer help much once receiving dominates, so
            // a slice may cost twice the smallest one.
            let least = cycles(most.min(need.n_atoms.div_ceil(GROUP).max(1)));
            let parts = fewest(by_bytes, most, |parts| cycles(parts) <= 2 * least);
            Some(Sizing::TooSlow(parts.unwrap_or(most)))
        }
    }
}

/// The slices that a population would be cut into with this need, if its
/// sources are cut as `cuts` says, and whether they keep the deadline; `None` if
/// it does not fit.
pub fn estimate(
    app: &AppGraph,
    pop: PopId,
    (need, cuts): (&Need, &Cuts),
    target: &Target,
    limit: u64,
    cap: u32,
) -> Option<(Vec<AtomSlice>, bool)> {
    let links = Links::new(app, pop, need, cuts);
    let bounds = Cut { cap, limit, target };
    let sizing = search(need, &links, &bounds)?;
    let slices = cut(need, &app.populations[pop].shape, sizing.parts());
    Some((slices, matches!(sizing, Sizing::Fits(_))))
}

/// The fewest parts from `low` to `most` that are good, if goodness only grows
/// with their number.
fn fewest(low: u32, most: u32, good: impl Fn(u32) -> bool) -> Option<u32> {
    let mut bad_below = low;
    let mut at = low;
    // Populations mostly take few parts, and few parts are quickly judged.
    while !good(at) {
        if at >= most {
            return None;
        }
        bad_below = at + 1;
        at = at.saturating_mul(2).min(most);
    }
    let mut high = at;
    while bad_below < high {
        let middle = bad_below + (high - bad_below) / 2;
        if good(middle) {
            high = middle;
        } else {
            bad_below = middle + 1;
        }
    }
    Some(high)
}

/// The most parts that `cut` can make.
pub(super) fn most_parts(need: &Need, shape: &Shape) -> u32 {
    match (need.order, shape.0.as_slice()) {
        (AtomOrder::Blocked { .. }, &[_, h, w]) => (h * w) as u32,
        _ => need.n_atoms,
    }
    .max(1)
}

/// Cuts a population into `parts` slices as equal as possible: in whole groups
/// of targets if there are enough; with blocks of channels, each block into
/// `parts` runs of pixels, of whole rows where these share out evenly.
pub(super) fn cut(need: &Need, shape: &Shape, parts: u32) -> Vec<AtomSlice> {
    match (need.order, shape.0.as_slice()) {
        (AtomOrder::Blocked { channels }, &[c, h, w]) => {
            let (pixels, channels) = ((h * w) as u32, channels as u32);
            let unit = even_unit(h as u32, w as u32, parts);
            let blocks = 0..(c as u32 / channels);
            let block = |b: u32| {
                runs(pixels, parts, unit)
                    .into_iter()
                    .map(move |run| AtomSlice {
                        lo: (b * pixels + run.lo) * channels,
                        n: run.n * channels,
                    })
            };
            blocks.flat_map(block).collect()
        }
        _ => {
            let grouped = parts > 1 && need.n_atoms.div_ceil(GROUP) >= parts;
            runs(need.n_atoms, parts, if grouped { GROUP } else { 1 })
        }
    }
}

/// The largest of a row of pixels, its half, its quarter and so on that shares out evenly:
/// a slice of more rows than others would be the slowest, one that ends amid a row hears
/// a few more pixels than it needs.
fn even_unit(rows: u32, width: u32, parts: u32) -> u32 {
    let parts = parts.max(1);
    let even = |unit: &u32| {
        let units = rows * (width / unit);
        (units.div_ceil(parts) * parts - units) * 8 <= units
    };
    let mut halves = std::iter::successors(Some(width.max(1)), |unit| {
        unit.is_multiple_of(2).then_some(unit / 2)
    });
    halves.find(even).unwrap_or(1)
}

/// Cuts `n` into `count` runs of whole `unit`s, as equal as possible.
fn runs(n: u32, count: u32, unit: u32) -> Vec<AtomSlice> {
    let count = count.max(1);
    let units = n.div_ceil(unit.max(1));
    let (each, more) = (units / count, units % count);
    let mut lo = 0;
    let mut all = Vec::new();
    for i in 0..count {
        let size = (each + u32::from(i < more)) * unit;
        let size = size.min(n - lo);
        all.push(AtomSlice { lo, n: size });
        lo += size;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(n: u32, count: u32, unit: u32) -> Vec<u32> {
        runs(n, count, unit).iter().map(|s| s.n).collect()
    }

    #[test]
    fn runs_are_equal_and_cover_everything() {
        assert_eq!(sizes(10, 1, 1), [10]);
        assert_eq!(sizes(10, 2, 8), [8, 2]);
        assert_eq!(sizes(512, 5, 8), [104, 104, 104, 104, 96]);
        assert_eq!(sizes(7, 3, 1), [3, 2, 2]);
        for n in 1..200u32 {
            for count in 1..=n {
                let unit = if n.div_ceil(8) >= count { 8 } else { 1 };
                let all = runs(n, count, unit);
                assert!(all.iter().all(|s| s.n >= 1), "{n} {count}");
                assert_eq!(all.iter().map(|s| s.n).sum::<u32>(), n);
                assert_eq!(all.len() as u32, count);
            }
        }
    }

    #[test]
    fn rows_are_split_where_they_do_not_share_out() {
        // 16 rows of 16 pixels
        let unit = |parts| even_unit(16, 16, parts);
        assert_eq!([1, 2, 4, 8, 16].map(unit), [16; 5]);
        // 15 slices of whole rows: one would have two
        assert_eq!([3, 9, 13, 15, 32, 256].map(unit), [16, 16, 4, 2, 8, 1]);
        // an odd width has no half
        assert_eq!(even_unit(13, 13, 9), 1);
    }

    #[test]
    fn the_fewest_good_parts_are_found() {
        for least in 1..40 {
            assert_eq!(fewest(1, 100, |p| p >= least), Some(least));
            assert_eq!(fewest(5, 100, |p| p >= least), Some(least.max(5)));
        }
        assert_eq!(fewest(1, 100, |p| p > 100), None);
    }
}
