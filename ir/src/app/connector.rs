//! Which source atom reaches which target atom, and by which weight.

use crate::tensor::Shape;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connector {
    /// Every pre atom reaches every post atom; weights `[post pre]`.
    Dense,
    /// A convolution whose kernel all pixels share; weights `[C_out C_in Kh Kw]`.
    Conv(Conv),
    /// Listed synapses; weights `[synapses]`.
    Sparse(Synapses),
}

/// Geometry of a convolution without groups: values `[C H W]` at both ends,
/// target pixel `o` reads source pixel `o * stride + k * dilation - padding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    /// C, H, W.
    pub source: [usize; 3],
    /// C, H, W.
    pub target: [usize; 3],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    /// Zeros above and to the left; those below and to the right follow from
    /// the target's size.
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
}

/// Synapses by source atom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synapses {
    /// One more than there are source atoms; synapses of atom `a` are
    /// `starts[a]..starts[a + 1]`.
    starts: Vec<u32>,
    /// Target atoms, ascending within a source atom, without repeats.
    targets: Vec<u32>,
}

impl Synapses {
    /// `None` unless `starts` rises from 0 to the number of targets and the
    /// targets of each source ascend.
    pub fn new(starts: Vec<u32>, targets: Vec<u32>) -> Option<Self> {
        let rises = starts.first() == Some(&0) && starts.windows(2).all(|w| w[0] <= w[1]);
        let ends = starts.last().map(|&s| s as usize) == Some(targets.len());
        let all = Self { starts, targets };
        let ascend = rises
            && ends
            && (0..all.sources()).all(|a| all.of(a).1.windows(2).all(|w| w[0] < w[1]));
        ascend.then_some(all)
    }
    pub fn sources(&self) -> usize {
        self.starts.len() - 1
    }
    pub fn len(&self) -> usize {
        self.targets.len()
    }
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }
    /// Number of the first synapse of a source atom, and its targets.
    pub fn of(&self, source: usize) -> (usize, &[u32]) {
        let (from, to) = (
            self.starts[source] as usize,
            self.starts[source + 1] as usize,
        );
        (from, &self.targets[from..to])
    }
    pub fn starts(&self) -> &[u32] {
        &self.starts
    }
    pub fn targets(&self) -> &[u32] {
        &self.targets
    }
}

impl Conv {
    /// Kernel elements by which source pixel `at` (of `dim` 0: vertical, 1:
    /// horizontal) reaches target pixels: pairs (kernel index, target pixel).
    pub fn reach(&self, dim: usize, at: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (stride, dilation) = (self.stride[dim], self.dilation[dim]);
        let (padding, size) = (self.padding[dim], self.target[dim + 1]);
        (0..self.kernel[dim]).filter_map(move |k| {
            let shifted = (at + padding).checked_sub(k * dilation)?;
            let target = shifted / stride;
            (shifted.is_multiple_of(stride) && target < size).then_some((k, target))
        })
    }
}

impl Connector {
    /// The shape that the weights must have between `pre` and `post` atoms.
    pub fn weight_shape(&self, pre: usize, post: usize) -> Shape {
        match self {
            Connector::Dense => Shape(vec![post, pre]),
            Connector::Conv(c) => Shape(vec![c.target[0], c.source[0], c.kernel[0], c.kernel[1]]),
            Connector::Sparse(s) => Shape(vec![s.len()]),
        }
    }

    /// Calls `f(target atom, index into the weights)` for each synapse of a
    /// source atom. A pair may come more than once only with a convolution
    /// whose taps meet, which none of its geometries has.
    pub fn each_synapse(
        &self,
        source: usize,
        (pre, post): (usize, usize),
        mut f: impl FnMut(usize, usize),
    ) {
        match self {
            Connector::Dense => (0..post).for_each(|j| f(j, j * pre + source)),
            Connector::Sparse(s) => {
                let (first, targets) = s.of(source);
                for (k, &target) in targets.iter().enumerate() {
                    f(target as usize, first + k);
                }
            }
            Connector::Conv(c) => {
                let [channels, height, width] = c.target;
                let pixels = c.source[1] * c.source[2];
                let (c_in, pixel) = (source / pixels, source % pixels);
                let (y, x) = (pixel / c.source[2], pixel % c.source[2]);
                let [kh, kw] = c.kernel;
                for channel in 0..channels {
                    for (ky, ty) in c.reach(0, y) {
                        for (kx, tx) in c.reach(1, x) {
                            let weight = ((channel * c.source[0] + c_in) * kh + ky) * kw + kx;
                            f((channel * height + ty) * width + tx, weight);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_convolution_reaches_what_the_definition_says() {
        let conv = Conv {
            source: [2, 5, 4],
            target: [3, 2, 4],
            kernel: [3, 2],
            stride: [2, 1],
            padding: [1, 1],
            dilation: [1, 2],
        };
        let (pre, post) = (2 * 5 * 4, 3 * 2 * 4);
        let mut found = vec![];
        for source in 0..pre {
            Connector::Conv(conv).each_synapse(source, (pre, post), |t, w| {
                found.push((source, t, w));
            });
        }
        let mut wanted = vec![];
        for co in 0..3 {
            for oy in 0..2usize {
                for ox in 0..4usize {
                    for ci in 0..2 {
                        for ky in 0..3 {
                            for kx in 0..2 {
                                let y = (oy * 2 + ky).wrapping_sub(1);
                                let x = (ox + kx * 2).wrapping_sub(1);
                                if y < 5 && x < 4 {
                                    wanted.push((
                                        (ci * 5 + y) * 4 + x,
                                        (co * 2 + oy) * 4 + ox,
                                        ((co * 2 + ci) * 3 + ky) * 2 + kx,
                                    ));
                                }
                            }
                        }
                    }
                }
            }
        }
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted);
    }

    #[test]
    fn only_orderly_synapse_lists_exist() {
        assert!(Synapses::new(vec![0, 2, 3], vec![0, 4, 1]).is_some());
        assert!(Synapses::new(vec![0, 2, 3], vec![4, 0, 1]).is_none());
        assert!(Synapses::new(vec![0, 2, 2], vec![0, 4, 1]).is_none());
        assert!(Synapses::new(vec![], vec![]).is_none());
    }
}
