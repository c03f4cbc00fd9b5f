//! Convolutions and pools: maps over pixels, as torch defines them.
//!
//! Target pixel `o` reads source pixel `o * stride + k * dilation - padding`.
//! Inputs are mostly zero, so each input value that isn't is scattered to the
//! targets it reaches; which pixels those are is resolved once.

use crate::code::Code;
use crate::diag::Diagnostic;
use crate::network::{Node, Padding};
use crate::origin::escape;
use crate::tensor::Shape;

/// How one dimension is scanned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// Zeros before the first value.
    pub(super) before: usize,
    /// Zeros after the last value; `None` for as many as the target's size asks for.
    pub(super) after: Option<usize>,
    pub(super) dilation: usize,
}

impl Scan {
    /// Dimension `dim` of a padding for a kernel; a single value stands for all
    /// dimensions.
    pub(super) fn new(
        kernel: usize,
        stride: usize,
        padding: &Padding,
        dim: usize,
        dilation: usize,
    ) -> Self {
        let (before, after) = match padding {
            Padding::Zeros(all) => {
                let zeros = all.get(dim).or(all.first()).copied().unwrap_or(0);
                (zeros, Some(zeros))
            }
            Padding::Same => (dilation.saturating_mul(kernel.saturating_sub(1)) / 2, None),
        };
        Self {
            kernel,
            stride,
            before,
            after,
            dilation,
        }
    }

    /// Whether `source` values give `target` ones; sizes round down.
    fn fits(&self, source: usize, target: usize) -> bool {
        let Some(after) = self.after else {
            return self.stride > 0;
        };
        let span = self
            .dilation
            .checked_mul(self.kernel.saturating_sub(1))
            .and_then(|s| s.checked_add(1));
        let padded = source
            .checked_add(self.before)
            .and_then(|n| n.checked_add(after));
        let room = padded.zip(span).and_then(|(p, s)| p.checked_sub(s));
        let steps = room.and_then(|r| r.checked_div(self.stride));
        self.kernel > 0 && steps.and_then(|s| s.checked_add(1)) == Some(target)
    }

    /// For each source position, the kernel elements and target positions
    /// that it takes part in.
    fn reach(&self, source: usize, target: usize) -> Vec<Vec<(usize, usize)>> {
        let tap = |at: usize, k: usize| {
            let shifted = (at + self.before).checked_sub(k * self.dilation)?;
            let hit = shifted / self.stride;
            (shifted % self.stride == 0 && hit < target).then_some((k, hit))
        };
        (0..source)
            .map(|at| (0..self.kernel).filter_map(|k| tap(at, k)).collect())
            .collect()
    }
}

/// A map between values `[C H W]`.
#[derive(Debug)]
pub(super) struct Spatial {
    source: [usize; 3],
    target: [usize; 3],
    /// By dimension (vertical, horizontal) and source position.
    reach: [Vec<Vec<(usize, usize)>>; 2],
    kernel: [usize; 2],
    weights: Weights,
}

#[derive(Debug)]
enum Weights {
    /// `[C_in Kh Kw C_out/groups]`: what one source value is multiplied with
    /// for all channels of its group stands side by side.
    Conv { blocks: Vec<f64>, groups: usize },
    /// 1 everywhere within a channel; the sums are divided at the end.
    Pool { divisor: f64 },
}

/// C, H, W of a shape; one-dimensional values `[C N]` have H = 1.
fn chw(shape: &Shape, dims: usize) -> Option<[usize; 3]> {
    match (dims, shape.0.as_slice()) {
        (2, &[c, h, w]) => Some([c, h, w]),
        (1, &[c, n]) => Some([c, 1, n]),
        // A batch of one, as old exports write it.
        (2, &[1, c, h, w]) => Some([c, h, w]),
        (1, &[1, c, n]) => Some([c, 1, n]),
        _ => None,
    }
}

impl Spatial {
    /// A convolution with weights `[C_out C_in/groups Kh Kw]`.
    pub(super) fn conv(
        node: &Node,
        dims: usize,
        scans: [Scan; 2],
        (weights, outer): (&[f64], [usize; 2]),
        groups: usize,
    ) -> Result<Self, Diagnostic> {
        let [n_out, n_in] = outer;
        let taps = scans[0].kernel * scans[1].kernel;
        let (source, target) = ends(node, dims, scans)?;
        let fits = groups > 0
            && n_out.is_multiple_of(groups)
            && source[0] == n_in * groups
            && target[0] == n_out
            && weights.len() == n_out * n_in * taps;
        if !fits {
            return Err(misfit(node).note(format!(
                "weight [{n_out} {n_in} {} {}], groups {groups}, {} channels in, {} out",
                scans[0].kernel, scans[1].kernel, source[0], target[0]
            )));
        }
        let per_group = n_out / groups;
        let mut blocks = vec![0.0; weights.len()];
        for (out, of_out) in weights.chunks_exact((n_in * taps).max(1)).enumerate() {
            let (group, lane) = (out / per_group, out % per_group);
            for (k, &w) in of_out.iter().enumerate() {
                // k counts (channel within the group, tap).
                blocks[(group * n_in * taps + k) * per_group + lane] = w;
            }
        }
        Ok(Self::new(
            source,
            target,
            scans,
            Weights::Conv { blocks, groups },
        ))
    }

    /// A pool whose windows are divided by `divisor` after summing.
    pub(super) fn pool(node: &Node, scans: [Scan; 2], divisor: f64) -> Result<Self, Diagnostic> {
        let (source, target) = ends(node, 2, scans)?;
        if source[0] != target[0] {
            let note = format!("{} channels in, {} out", source[0], target[0]);
            return Err(misfit(node).note(note));
        }
        Ok(Self::new(source, target, scans, Weights::Pool { divisor }))
    }

    fn new(source: [usize; 3], target: [usize; 3], scans: [Scan; 2], weights: Weights) -> Self {
        let reach = |dim: usize| scans[dim].reach(source[dim + 1], target[dim + 1]);
        Self {
            source,
            target,
            reach: [reach(0), reach(1)],
            kernel: [scans[0].kernel, scans[1].kernel],
            weights,
        }
    }

    pub(super) fn n_in(&self) -> usize {
        self.source.iter().product()
    }
    /// Values of one output channel.
    pub(super) fn pixels(&self) -> usize {
        self.target[1] * self.target[2]
    }

    /// Adds the map of `x` to `y`. `room` is scratch of any contents.
    pub(super) fn add(&self, x: &[f64], y: &mut [f64], room: &mut Vec<f64>) {
        let (channels, pixels) = (self.target[0], self.pixels());
        let (blocks, groups) = match &self.weights {
            Weights::Pool { divisor } => {
                self.each_tap(x, |(channel, _), x, (_, pixel)| {
                    y[channel * pixels + pixel] += x;
                });
                if *divisor != 1.0 {
                    y.iter_mut().for_each(|y| *y /= divisor);
                }
                return;
            }
            Weights::Conv { blocks, groups } => (blocks, *groups),
        };
        // Channels lie side by side while adding, so that a tap is one block.
        room.clear();
        room.resize(channels * pixels, 0.0);
        let taps = self.kernel[0] * self.kernel[1];
        let (lanes, per_group) = (channels / groups, self.source[0] / groups);
        self.each_tap(x, |(channel, _), x, (k, pixel)| {
            let first = channel / per_group * lanes;
            let into = &mut room[pixel * channels + first..][..lanes];
            let block = &blocks[(channel * taps + k) * lanes..][..lanes];
            for (y, w) in into.iter_mut().zip(block) {
                *y += w * x;
            }
        });
        for (channel, plane) in y.chunks_exact_mut(pixels.max(1)).enumerate() {
            for (y, sums) in plane.iter_mut().zip(room.chunks_exact(channels)) {
                *y += sums[channel];
            }
        }
    }

    /// Calls `f((channel, source value), x, (kernel element, target pixel))`
    /// for each tap of each value that isn't 0.
    fn each_tap(&self, x: &[f64], mut f: impl FnMut((usize, usize), f64, (usize, usize))) {
        let [_, height, width] = self.source;
        for (at, &x) in x.iter().enumerate().filter(|(_, x)| **x != 0.0) {
            let (channel, pixel) = (at / (height * width), at % (height * width));
            for &(ky, ty) in &self.reach[0][pixel / width] {
                for &(kx, tx) in &self.reach[1][pixel % width] {
                    let tap = (ky * self.kernel[1] + kx, ty * self.target[2] + tx);
                    f((channel, at), x, tap);
                }
            }
        }
    }

    /// Calls `f(source value, target value, weight)` for each pair.
    pub(super) fn each(&self, mut f: impl FnMut(usize, usize, f64)) {
        let (pixels, taps) = (self.pixels(), self.kernel[0] * self.kernel[1]);
        let all = vec![1.0; self.n_in()];
        self.each_tap(&all, |(channel, at), _, (k, pixel)| match &self.weights {
            Weights::Pool { divisor } => f(at, channel * pixels + pixel, 1.0 / divisor),
            Weights::Conv { blocks, groups } => {
                let lanes = self.target[0] / groups;
                let first = channel / (self.source[0] / groups) * lanes;
                let block = &blocks[(channel * taps + k) * lanes..][..lanes];
                for (lane, &w) in block.iter().enumerate() {
                    f(at, (first + lane) * pixels + pixel, w);
                }
            }
        });
    }
}

/// The values at both ends, if the geometry leads from one to the other.
fn ends(
    node: &Node,
    dims: usize,
    scans: [Scan; 2],
) -> Result<([usize; 3], [usize; 3]), Diagnostic> {
    let known = |shape: &Option<Shape>| shape.as_ref().and_then(|s| chw(s, dims));
    let both = known(&node.in_shape).zip(known(&node.out_shape));
    let both =
        both.filter(|(source, target)| (0..2).all(|d| scans[d].fits(source[d + 1], target[d + 1])));
    both.ok_or_else(|| {
        let show = |s: &Option<Shape>| s.as_ref().map_or("?".to_owned(), Shape::to_string);
        misfit(node).note(format!(
            "{} -> {}",
            show(&node.in_shape),
            show(&node.out_shape)
        ))
    })
}

fn misfit(node: &Node) -> Diagnostic {
    Diagnostic::error(
        Code::Shape,
        &node.origin,
        format!(
            "the shapes of '{}' ({}) do not follow from its geometry",
            escape(&node.name),
            node.op.kind()
        ),
    )
}
