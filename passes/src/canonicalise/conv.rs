//! Convolutions as maps: one kernel that all pixels share.

use super::matrix::{RowSum, Sparse};

/// The largest stride, padding, dilation or kernel: positions stay far from
/// what an integer holds.
pub(super) const LIMIT: usize = 1 << 30;

/// A convolution between `[C H W]` values; Conv1d has H = 1 at both ends.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kernel {
    pub(super) geometry: ir::app::Conv,
    pub(super) weights: Weights,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Weights {
    /// `[C_out C_in Kh Kw]`.
    Full(Vec<f64>),
    /// `[C Kh Kw]`: each channel by itself, as in a pool.
    Each(Vec<f64>),
}

impl Kernel {
    pub(super) fn elements(&self) -> usize {
        match &self.weights {
            Weights::Full(w) | Weights::Each(w) => w.len(),
        }
    }
    pub(super) fn rows(&self) -> usize {
        self.geometry.target.iter().product()
    }
    pub(super) fn cols(&self) -> usize {
        self.geometry.source.iter().product()
    }
    fn area(&self) -> usize {
        let [kh, kw] = self.geometry.kernel;
        kh * kw
    }
    /// Weights from channel `from` to channel `to`; `None` if there are none.
    fn between(&self, to: usize, from: usize) -> Option<&[f64]> {
        let area = self.area();
        match &self.weights {
            Weights::Full(w) => Some(&w[(to * self.geometry.source[0] + from) * area..][..area]),
            Weights::Each(w) => (to == from).then(|| &w[to * area..][..area]),
        }
    }
    /// The most entries that the map has as a matrix.
    pub(super) fn most_synapses(&self) -> u64 {
        let inner = match self.weights {
            Weights::Full(_) => self.geometry.source[0],
            Weights::Each(_) => 1,
        };
        [self.rows(), inner, self.area()]
            .iter()
            .fold(1u64, |n, &d| n.saturating_mul(d as u64))
    }

    /// The map as a matrix, entry by entry.
    pub(super) fn to_sparse(&self) -> Sparse {
        let g = &self.geometry;
        let ([c_in, h_in, w_in], [c_out, h_out, w_out]) = (g.source, g.target);
        let mut out = Sparse::new(self.cols());
        let mut sums = RowSum::new(self.cols());
        let source = |o: usize, k: usize, dim: usize, size: usize| {
            let at = (o * g.stride[dim] + k * g.dilation[dim]).checked_sub(g.padding[dim])?;
            (at < size).then_some(at)
        };
        for co in 0..c_out {
            for (oy, ox) in (0..h_out).flat_map(|y| (0..w_out).map(move |x| (y, x))) {
                for ci in 0..c_in {
                    let Some(weights) = self.between(co, ci) else {
                        continue;
                    };
                    for ky in 0..g.kernel[0] {
                        let Some(y) = source(oy, ky, 0, h_in) else {
                            continue;
                        };
                        for kx in 0..g.kernel[1] {
                            if let Some(x) = source(ox, kx, 1, w_in) {
                                let col = (ci * h_in + y) * w_in + x;
                                sums.add(col as u32, weights[ky * g.kernel[1] + kx]);
                            }
                        }
                    }
                }
                out.push_row(sums.take());
            }
        }
        out
    }

    /// Times one factor for each channel of the target.
    pub(super) fn scale_targets(mut self, factors: &[f64]) -> Self {
        let per = self.elements() / factors.len().max(1);
        let (Weights::Full(w) | Weights::Each(w)) = &mut self.weights;
        for (block, factor) in w.chunks_mut(per.max(1)).zip(factors) {
            block.iter_mut().for_each(|v| *v *= factor);
        }
        self
    }
    /// Times one factor for each channel of the source.
    pub(super) fn scale_sources(mut self, factors: &[f64]) -> Self {
        let area = self.area().max(1);
        let (Weights::Full(w) | Weights::Each(w)) = &mut self.weights;
        for (block, factor) in w.chunks_mut(area).zip(factors.iter().cycle()) {
            block.iter_mut().for_each(|v| *v *= factor);
        }
        self
    }

    /// The sum of two kernels of one geometry.
    pub(super) fn plus(&self, other: &Kernel) -> Option<Kernel> {
        let add = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect();
        let weights = match (&self.weights, &other.weights) {
            _ if self.geometry != other.geometry => return None,
            (Weights::Full(a), Weights::Full(b)) => Weights::Full(add(a, b)),
            (Weights::Each(a), Weights::Each(b)) => Weights::Each(add(a, b)),
            _ => return None,
        };
        Some(Kernel {
            geometry: self.geometry,
            weights,
        })
    }

    /// Multiplications that [`Kernel::after`] takes.
    pub(super) fn fold_cost(&self, first: &Kernel) -> u64 {
        let channels = match (&self.weights, &first.weights) {
            (Weights::Each(_), Weights::Each(_)) => [self.geometry.target[0], 1, 1],
            (Weights::Full(_), Weights::Each(_)) => {
                [self.geometry.target[0], self.geometry.source[0], 1]
            }
            (Weights::Each(_), Weights::Full(_)) => {
                [self.geometry.target[0], 1, first.geometry.source[0]]
            }
            (Weights::Full(_), Weights::Full(_)) => [
                self.geometry.target[0],
                self.geometry.source[0],
                first.geometry.source[0],
            ],
        };
        let areas = [self.area(), first.area()];
        let all = channels.iter().chain(&areas);
        all.fold(1u64, |n, &d| n.saturating_mul(d as u64))
    }

    /// The one convolution that does what `first` and then `self` do, if there
    /// is one. With
    ///
    /// ```text
    /// y[o] = sum over k of b[k] m[o s + k d - p]
    /// m[i] = sum over l of a[l] x[i s' + l d' - p']   (0 outside of m)
    /// ```
    ///
    /// it has stride `s s'`, padding `p s' + p'` and at element `k d s' + l d'`
    /// the weight `b[k] a[l]`. It differs only where `m` is cut off: an index i
    /// outside of m counts as 0, so every x that it would read must be outside
    /// of x, too.
    pub(super) fn after(&self, first: &Kernel) -> Option<Kernel> {
        let (b, a) = (&self.geometry, &first.geometry);
        if a.target != b.source || !(0..2).all(|dim| cut_off_agrees(b, a, dim)) {
            return None;
        }
        let mut g = ir::app::Conv {
            source: a.source,
            target: b.target,
            kernel: [0; 2],
            stride: [0; 2],
            padding: [0; 2],
            dilation: [1; 2],
        };
        for dim in 0..2 {
            let last =
                |c: &ir::app::Conv| c.kernel[dim].checked_sub(1)?.checked_mul(c.dilation[dim]);
            let span = last(b)?.checked_mul(a.stride[dim])?.checked_add(last(a)?)?;
            g.kernel[dim] = span.checked_add(1)?;
            g.stride[dim] = b.stride[dim].checked_mul(a.stride[dim])?;
            g.padding[dim] = b.padding[dim]
                .checked_mul(a.stride[dim])?
                .checked_add(a.padding[dim])?;
            if [g.kernel[dim], g.stride[dim], g.padding[dim]]
                .iter()
                .any(|&v| v > LIMIT)
            {
                return None;
            }
        }
        let each = matches!(
            (&self.weights, &first.weights),
            (Weights::Each(_), Weights::Each(_))
        );
        let [kh, kw] = g.kernel;
        let blocks = if each {
            g.target[0]
        } else {
            g.target[0].checked_mul(g.source[0])?
        };
        let len = blocks.checked_mul(kh)?.checked_mul(kw)?;
        // A wide dilation would mostly hold zeros; the sparse form is smaller.
        if len as u64 > 4 * self.fold_cost(first).max(16) {
            return None;
        }
        let mut weights = vec![0.0; len];
        for to in 0..g.target[0] {
            for middle in 0..b.source[0] {
                let Some(wb) = self.between(to, middle) else {
                    continue;
                };
                for from in 0..g.source[0] {
                    let Some(wa) = first.between(middle, from) else {
                        continue;
                    };
                    let block = if each { to } else { to * g.source[0] + from };
                    let out = &mut weights[block * kh * kw..][..kh * kw];
                    fold_block(out, kw, (wb, b), (wa, a));
                }
            }
        }
        let weights = if each {
            Weights::Each(weights)
        } else {
            Weights::Full(weights)
        };
        Some(Kernel {
            geometry: g,
            weights,
        })
    }
}

fn fold_block(
    out: &mut [f64],
    width: usize,
    (wb, b): (&[f64], &ir::app::Conv),
    (wa, a): (&[f64], &ir::app::Conv),
) {
    for (i, &vb) in wb.iter().enumerate().filter(|(_, v)| **v != 0.0) {
        let (by, bx) = (i / b.kernel[1], i % b.kernel[1]);
        for (j, &va) in wa.iter().enumerate() {
            let (ay, ax) = (j / a.kernel[1], j % a.kernel[1]);
            let y = by * b.dilation[0] * a.stride[0] + ay * a.dilation[0];
            let x = bx * b.dilation[1] * a.stride[1] + ax * a.dilation[1];
            out[y * width + x] += vb * va;
        }
    }
}

/// Whether every value between the two that `b` reads outside of its source
/// would, if `a` computed it, read nothing but values outside of `a`'s source.
fn cut_off_agrees(b: &ir::app::Conv, a: &ir::app::Conv, dim: usize) -> bool {
    let (middle, source) = (b.source[dim + 1] as i64, a.source[dim + 1] as i64);
    let at = |v: usize| v as i64;
    (0..b.target[dim + 1]).all(|o| {
        (0..b.kernel[dim]).all(|k| {
            let m = at(o * b.stride[dim] + k * b.dilation[dim]) - at(b.padding[dim]);
            let inside = (0..middle).contains(&m);
            inside
                || (0..a.kernel[dim]).all(|l| {
                    let x = m * at(a.stride[dim]) + at(l * a.dilation[dim]) - at(a.padding[dim]);
                    !(0..source).contains(&x)
                })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::app::{Connector, Conv};

    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, n: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % n
        }
        /// A window over values of this size, and how many it makes of them.
        fn kernel(&mut self, source: [usize; 3], full: bool) -> Option<Kernel> {
            let mut g = Conv {
                source,
                target: [source[0], 0, 0],
                kernel: [0; 2],
                stride: [0; 2],
                padding: [0; 2],
                dilation: [0; 2],
            };
            if full {
                g.target[0] = 1 + self.below(3);
            }
            for d in 0..2 {
                g.kernel[d] = 1 + self.below(3);
                g.stride[d] = 1 + self.below(3);
                g.padding[d] = self.below(3);
                g.dilation[d] = 1 + self.below(2);
                let room = (source[d + 1] + 2 * g.padding[d])
                    .checked_sub(g.dilation[d] * (g.kernel[d] - 1) + 1)?;
                g.target[d + 1] = room / g.stride[d] + 1;
            }
            let area = g.kernel[0] * g.kernel[1];
            let mut some = |n: usize| (0..n).map(|_| self.below(9) as f64 - 4.0).collect();
            let weights = if full {
                Weights::Full(some(g.target[0] * source[0] * area))
            } else {
                Weights::Each(some(source[0] * area))
            };
            Some(Kernel {
                geometry: g,
                weights,
            })
        }
    }

    #[test]
    fn a_folded_pair_computes_what_the_two_compute() {
        let mut numbers = Numbers(3);
        let (mut folded, mut kept) = (0, 0);
        for round in 0..4000 {
            let size = [
                1 + numbers.below(3),
                1 + numbers.below(9),
                1 + numbers.below(9),
            ];
            let Some(a) = numbers.kernel(size, round % 3 == 0) else {
                continue;
            };
            let Some(b) = numbers.kernel(a.geometry.target, round % 5 != 0) else {
                continue;
            };
            match b.after(&a) {
                None => kept += 1,
                Some(one) => {
                    folded += 1;
                    let wanted = b.to_sparse().times(&a.to_sparse()).to_dense();
                    assert_eq!(one.to_sparse().to_dense(), wanted, "{a:?} then {b:?}");
                }
            }
        }
        assert!(folded > 500 && kept > 500, "{folded} folded, {kept} not");
    }

    #[test]
    fn a_matrix_of_a_convolution_is_its_connector() {
        let mut numbers = Numbers(8);
        for _ in 0..50 {
            let Some(k) = numbers.kernel([2, 5, 4], true) else {
                continue;
            };
            let Weights::Full(weights) = &k.weights else {
                continue;
            };
            let matrix = k.to_sparse().to_dense();
            let mut found = vec![0.0; matrix.data.len()];
            for source in 0..matrix.cols {
                Connector::Conv(k.geometry).each_synapse(
                    source,
                    (matrix.cols, matrix.rows),
                    |t, w| {
                        found[t * matrix.cols + source] += weights[w];
                    },
                );
            }
            assert_eq!(found, matrix.data);
        }
    }

    #[test]
    fn the_pool_before_a_convolution_of_the_mnist_network_folds() {
        let pool = Kernel {
            geometry: Conv {
                source: [16, 16, 16],
                target: [16, 8, 8],
                kernel: [2, 2],
                stride: [2, 2],
                padding: [0, 0],
                dilation: [1, 1],
            },
            weights: Weights::Each(vec![1.0; 64]),
        };
        let conv = Kernel {
            geometry: Conv {
                source: [16, 8, 8],
                target: [8, 8, 8],
                kernel: [3, 3],
                stride: [1, 1],
                padding: [1, 1],
                dilation: [1, 1],
            },
            weights: Weights::Full(vec![1.0; 8 * 16 * 9]),
        };
        let one = conv.after(&pool).expect("folds");
        let g = one.geometry;
        assert_eq!((g.kernel, g.stride, g.padding), ([6, 6], [2, 2], [2, 2]));
    }
}
