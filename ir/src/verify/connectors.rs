//! Connectors against their two populations, and weights against connectors.

use super::findings::{Findings, projection};
use crate::app::{AtomOrder, Connector, Conv, Population, Projection, Synapses};
use crate::module::Module;
use crate::tensor::Shape;

pub(super) fn check(m: &Module, found: &mut Findings) {
    for p in m.app.projections.values() {
        let (pre, post) = (&m.app.populations[p.pre], &m.app.populations[p.post]);
        // Other shapes are reported with their populations.
        if let (Some(pre_atoms), Some(post_atoms)) =
            (pre.shape.checked_len(), post.shape.checked_len())
        {
            let faults = match &p.connector {
                Connector::Dense => Vec::new(),
                Connector::Conv(conv) => geometry(conv, pre, post),
                Connector::Sparse(synapses) => lists(synapses, pre_atoms, post_atoms),
            };
            let (what, tell) = match &p.connector {
                Connector::Conv(_) => ("a convolution that is impossible here", faults),
                Connector::Dense | Connector::Sparse(_) => ("synapses between no atoms", faults),
            };
            for note in tell {
                found.add_with(&p.origin, format!("{} has {what}", projection(p)), note);
            }
            check_weights(p, (pre_atoms, post_atoms), found);
        }
    }
}

fn check_weights(p: &Projection, (pre, post): (usize, usize), found: &mut Findings) {
    let wanted = p.connector.weight_shape(pre, post);
    let weights = p.weights.shape();
    if *weights != wanted {
        let what = match &p.connector {
            Connector::Dense => "[post pre]",
            Connector::Conv(_) => "[C_out C_in Kh Kw]",
            Connector::Sparse(_) => "[synapses]",
        };
        let message = format!("{} has weights of the wrong shape", projection(p));
        let note = format!("weights {weights}, {what} = {wanted}");
        found.add_with(&p.origin, message, note);
    }
}

fn lists(synapses: &Synapses, pre: usize, post: usize) -> Vec<String> {
    let mut faults = Vec::new();
    if synapses.sources() != pre {
        let lists = synapses.sources();
        faults.push(format!("{lists} lists of targets, {pre} source atoms"));
    }
    let beyond = synapses.targets().iter().find(|t| **t as usize >= post);
    faults.extend(beyond.map(|t| format!("target atom {t}, there are {post}")));
    faults
}

/// Every rule of a convolution's numbers. The bound by 2^32 keeps products of
/// two of them within 64 bits.
fn geometry(c: &Conv, pre: &Population, post: &Population) -> Vec<String> {
    let mut faults = Vec::new();
    let positive = [
        ("source", &c.source[..]),
        ("target", &c.target[..]),
        ("kernel", &c.kernel[..]),
        ("stride", &c.stride[..]),
        ("dilation", &c.dilation[..]),
    ];
    for (name, sizes) in positive {
        if sizes.iter().any(|s| *s == 0 || u32::try_from(*s).is_err()) {
            let sizes = Shape::of(sizes);
            faults.push(format!("{name} {sizes}, each must be 1 to 2^32 - 1"));
        }
    }
    if c.padding.iter().any(|p| u32::try_from(*p).is_err()) {
        let padding = Shape::of(&c.padding);
        faults.push(format!("padding {padding}, each must be below 2^32"));
    }
    for (name, sizes, population) in [("source", c.source, pre), ("target", c.target, post)] {
        if !fits(&sizes, population) {
            let (sizes, shape) = (Shape::of(&sizes), &population.shape);
            faults.push(format!("{name} {sizes}, the population has {shape}"));
        }
    }
    if faults.is_empty() {
        faults.extend((0..2).filter_map(|dim| too_far(c, dim)));
    }
    faults
}

/// Whether a population's atoms are these channels and pixels: it has the
/// shape, or one of another rank with as many atoms, whose order is the same.
fn fits(sizes: &[usize; 3], p: &Population) -> bool {
    let free = p.order == AtomOrder::RowMajor && p.shape.rank() != 3;
    p.shape.0 == sizes || free && p.shape.checked_len() == Shape::of(sizes).checked_len()
}

/// A target whose last window begins behind the source and its zeros. There
/// may be more zeros behind the source than in front of it, since sizes round
/// down and `same` puts the larger half behind.
fn too_far(c: &Conv, dim: usize) -> Option<String> {
    let wide = |n: usize| n as u128;
    let (stride, padding) = (wide(c.stride[dim]), wide(c.padding[dim]));
    let (source, target) = (wide(c.source[dim + 1]), wide(c.target[dim + 1]));
    let (last, there) = ((target - 1) * stride, source + 2 * padding);
    let axis = if dim == 0 {
        "vertically"
    } else {
        "horizontally"
    };
    (last >= there).then(|| {
        format!(
            "{axis} the last window begins at ({target} - 1) * {stride} = {last}, behind {source} \
             + 2 * {padding} = {there} values"
        )
    })
}
