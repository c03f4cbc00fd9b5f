//! The order of a population's atoms on the machine.

use crate::tensor::Shape;

/// How atoms are numbered on the machine. A *position* is that number; an
/// *atom* is the index in C order of the population's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AtomOrder {
    /// Position = atom.
    #[default]
    RowMajor,
    /// For a shape `[C H W]`: blocks of `channels` channels, each in the order
    /// `[H W channels]`, so that one tap of a convolution meets the channels
    /// of a block side by side. `channels` divides C.
    Blocked { channels: usize },
}

impl AtomOrder {
    /// Whether the order is one of the shape's atoms.
    pub fn fits(self, shape: &Shape) -> bool {
        match (self, shape.0.as_slice()) {
            (AtomOrder::RowMajor, _) => true,
            (AtomOrder::Blocked { channels }, [c, _, _]) => {
                channels > 0 && c.is_multiple_of(channels)
            }
            (AtomOrder::Blocked { .. }, _) => false,
        }
    }

    /// The atom at a position. The order fits the shape, the position lies in it.
    pub fn atom_at(self, position: usize, shape: &Shape) -> usize {
        match (self, shape.0.as_slice()) {
            (AtomOrder::Blocked { channels }, &[_, h, w]) => {
                let pixels = h * w;
                let (block, rest) = (
                    position / (pixels * channels),
                    position % (pixels * channels),
                );
                let (pixel, channel) = (rest / channels, rest % channels);
                (block * channels + channel) * pixels + pixel
            }
            _ => position,
        }
    }

    /// The position of an atom; the inverse of [`AtomOrder::atom_at`].
    pub fn position_of(self, atom: usize, shape: &Shape) -> usize {
        match (self, shape.0.as_slice()) {
            (AtomOrder::Blocked { channels }, &[_, h, w]) => {
                let pixels = h * w;
                let (c, pixel) = (atom / pixels, atom % pixels);
                let (block, channel) = (c / channels, c % channels);
                (block * pixels + pixel) * channels + channel
            }
            _ => atom,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_atoms_are_inverse() {
        let shape = Shape::of(&[6, 3, 4]);
        for order in [
            AtomOrder::RowMajor,
            AtomOrder::Blocked { channels: 2 },
            AtomOrder::Blocked { channels: 6 },
        ] {
            assert!(order.fits(&shape));
            let mut seen = vec![false; shape.len()];
            for p in 0..shape.len() {
                let atom = order.atom_at(p, &shape);
                assert_eq!(order.position_of(atom, &shape), p);
                seen[atom] = true;
            }
            assert!(seen.iter().all(|&s| s));
        }
        assert!(!AtomOrder::Blocked { channels: 4 }.fits(&shape));
        assert!(!AtomOrder::Blocked { channels: 2 }.fits(&Shape::of(&[6])));
    }

    #[test]
    fn channels_of_a_block_lie_side_by_side() {
        let shape = Shape::of(&[4, 1, 2]);
        let order = AtomOrder::Blocked { channels: 2 };
        let atoms: Vec<usize> = (0..8).map(|p| order.atom_at(p, &shape)).collect();
        assert_eq!(atoms, [0, 2, 1, 3, 4, 6, 5, 7]);
    }
}
