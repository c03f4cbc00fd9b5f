//! Whether a slice of one population reaches a slice of another: only then a
//! packet must travel there.

use super::{Connector, Conv, Population, Projection};
use crate::machine_graph::AtomSlice;

impl Projection {
    /// Whether any synapse leads from the positions `source` of `pre` to the
    /// positions `target` of `post`, its two ends.
    pub fn reaches(
        &self,
        (pre, source): (&Population, AtomSlice),
        (post, target): (&Population, AtomSlice),
    ) -> bool {
        if source.n == 0 || target.n == 0 {
            return false;
        }
        match &self.connector {
            Connector::Dense => true,
            Connector::Sparse(s) => {
                let inside = members(post, target);
                atoms(pre, source).any(|a| {
                    let targets = s.of(a).1.iter();
                    targets.copied().any(|t| inside[t as usize])
                })
            }
            Connector::Conv(c) => conv_reaches(c, (pre, source), (post, target)),
        }
    }
}

/// The atoms of a slice.
fn atoms(population: &Population, slice: AtomSlice) -> impl Iterator<Item = usize> + '_ {
    let positions = slice.lo as usize..(slice.lo + slice.n) as usize;
    positions.map(|p| population.order.atom_at(p, &population.shape))
}

/// For each atom of the population whether the slice holds it.
fn members(population: &Population, slice: AtomSlice) -> Vec<bool> {
    let mut inside = vec![false; population.n_atoms()];
    for atom in atoms(population, slice) {
        inside[atom] = true;
    }
    inside
}

/// Every source channel reaches every target channel, so pixels decide.
fn conv_reaches(
    conv: &Conv,
    (pre, source): (&Population, AtomSlice),
    (post, target): (&Population, AtomSlice),
) -> bool {
    let pixels = |of: &Population, slice: AtomSlice, [_, h, w]: [usize; 3]| {
        let mut inside = vec![false; h * w];
        for atom in atoms(of, slice) {
            inside[atom % (h * w)] = true;
        }
        inside
    };
    let from = pixels(pre, source, conv.source);
    let to = pixels(post, target, conv.target);
    let (width, target_width) = (conv.source[2], conv.target[2]);
    let sent = from.iter().enumerate().filter(|(_, inside)| **inside);
    sent.map(|(pixel, _)| pixel).any(|pixel| {
        let (y, x) = (pixel / width, pixel % width);
        conv.reach(0, y)
            .any(|(_, ty)| conv.reach(1, x).any(|(_, tx)| to[ty * target_width + tx]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{AtomOrder, Model, Sends, Synapses};
    use crate::id::{Id, PopId};
    use crate::origin::Origin;
    use crate::tensor::{Data, Shape, Tensor};

    fn population(shape: [usize; 3], order: AtomOrder) -> Population {
        Population {
            name: "p".to_owned(),
            shape: Shape::of(&shape),
            model: Model::SpikeSource,
            sends: Sends::Spikes,
            order,
            timing: None,
            accumulator: None,
            record: vec![],
            origin: Origin::Compiler,
        }
    }

    /// Every pair of slices against every synapse.
    fn check(connector: Connector, pre: &Population, post: &Population) {
        let ends = (pre.n_atoms(), post.n_atoms());
        let weights = connector.weight_shape(ends.0, ends.1);
        let zeros = Data::I8(vec![0; weights.len()]);
        let projection = Projection {
            name: "w".to_owned(),
            pre: PopId::from_index(0),
            post: PopId::from_index(1),
            weights: Tensor::new(weights, zeros).expect("sized"),
            connector,
            delay: None,
            lag: 0,
            origin: Origin::Compiler,
        };
        let mut pairs = vec![];
        for atom in 0..ends.0 {
            let from = pre.order.position_of(atom, &pre.shape) as u32;
            projection.connector.each_synapse(atom, ends, |t, _| {
                pairs.push((from, post.order.position_of(t, &post.shape) as u32));
            });
        }
        let slices = |n: usize| {
            let n = n as u32;
            (0..n).step_by(3).flat_map(move |lo| {
                let sizes = [1, 4, n - lo].into_iter();
                sizes.map(move |size| AtomSlice {
                    lo,
                    n: size.min(n - lo),
                })
            })
        };
        let holds = |s: AtomSlice, at: u32| (s.lo..s.lo + s.n).contains(&at);
        for s in slices(ends.0) {
            for t in slices(ends.1) {
                let wanted = pairs.iter().any(|&(a, b)| holds(s, a) && holds(t, b));
                assert_eq!(projection.reaches((pre, s), (post, t)), wanted, "{s} {t}");
            }
        }
    }

    #[test]
    fn slices_reach_where_synapses_lead() {
        let conv = Conv {
            source: [2, 4, 3],
            target: [4, 2, 3],
            kernel: [2, 2],
            stride: [2, 1],
            padding: [0, 1],
            dilation: [1, 1],
        };
        let blocked = AtomOrder::Blocked { channels: 2 };
        check(
            Connector::Conv(conv),
            &population(conv.source, AtomOrder::RowMajor),
            &population(conv.target, blocked),
        );
        let sparse = Synapses::new(vec![0, 1, 1, 3, 3], vec![5, 0, 2]).expect("orderly");
        check(
            Connector::Sparse(sparse),
            &population([4, 1, 1], blocked),
            &population([6, 1, 1], AtomOrder::RowMajor),
        );
    }
}
