//! Which neurons share a scale, and what the weights into each add up to.

use ir::app::{AppGraph, Connector, Projection};
use ir::code::Code;
use ir::diag::Diagnostic;
use ir::id::PopId;
use ir::origin::escape;

/// Atoms that share a scale: each alone, or all of a channel where a
/// convolution ends, whose kernel they share.
pub(super) struct Groups {
    /// Atoms of one group, side by side in C order.
    each: usize,
    count: usize,
}

impl Groups {
    pub(super) fn of(app: &AppGraph, pop: PopId) -> Self {
        let n = app.populations[pop].n_atoms();
        let conv = |p: &Projection| match &p.connector {
            Connector::Conv(c) => Some(c.target[1] * c.target[2]),
            Connector::Dense | Connector::Sparse(_) => None,
        };
        let pixels = app.incoming(pop).find_map(|(_, p)| conv(p));
        let each = pixels.unwrap_or(1).max(1);
        Self {
            each,
            count: n.div_ceil(each),
        }
    }
    pub(super) fn of_atom(&self, atom: usize) -> usize {
        atom / self.each
    }
    pub(super) fn atoms(&self, group: usize) -> std::ops::Range<usize> {
        group * self.each..(group + 1) * self.each
    }
    pub(super) fn count(&self) -> usize {
        self.count
    }
}

/// Where the weights of a projection lead.
pub(super) struct Ends<'a> {
    pub(super) pre: usize,
    pub(super) groups: &'a Groups,
}

impl Ends<'_> {
    /// The target atom of a weight; with a convolution the first of its channel.
    pub(super) fn target(&self, projection: &Projection, weight: usize) -> usize {
        match &projection.connector {
            Connector::Dense => weight / self.pre.max(1),
            Connector::Sparse(s) => s.targets()[weight] as usize,
            Connector::Conv(c) => {
                let each = c.source[0] * c.kernel[0] * c.kernel[1];
                weight / each.max(1) * self.groups.each
            }
        }
    }
}

/// Adds the sums of positive and of negative weights, times the most that an
/// atom sends. A pixel at the border meets less of a kernel than all of it, so
/// for convolutions this is an upper bound.
pub(super) fn bound(
    p: &Projection,
    ends: &Ends<'_>,
    values: &[i32],
    most: i64,
    sums: &mut [(i64, i64)],
) {
    let shared = matches!(p.connector, Connector::Conv(_));
    let mut heads: Vec<(i64, i64)> = if shared {
        vec![(0, 0); sums.len()]
    } else {
        Vec::new()
    };
    for (i, &q) in values.iter().enumerate() {
        let target = ends.target(p, i);
        let q = i64::from(q) * most;
        let into = if shared {
            &mut heads[target]
        } else {
            &mut sums[target]
        };
        into.0 = into.0.saturating_add(q.max(0));
        into.1 = into.1.saturating_sub(q.min(0));
    }
    if shared {
        for (j, sum) in sums.iter_mut().enumerate() {
            let head = heads[ends.groups.atoms(ends.groups.of_atom(j)).start];
            sum.0 = sum.0.saturating_add(head.0);
            sum.1 = sum.1.saturating_add(head.1);
        }
    }
}

/// Magnitudes of the weights into one group of neurons.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Row {
    /// Of all weights.
    pub(super) max: f64,
    /// The most that one neuron's integer sum can hold, in weight.
    pub(super) sum: f64,
    /// Weights in that sum, each as often as its source may count.
    pub(super) count: f64,
}

pub(super) fn rows(app: &AppGraph, pop: PopId, groups: &Groups) -> Result<Vec<Row>, Diagnostic> {
    let n = app.populations[pop].n_atoms();
    // Of each atom, or with convolutions of the first of each channel.
    let mut atoms = vec![Row::default(); n];
    let mut shared = vec![Row::default(); groups.count];
    for (_, p) in app.incoming(pop) {
        let pre = app.populations[p.pre].n_atoms();
        let name = || escape(&p.name);
        let wanted = p.connector.weight_shape(pre, n);
        if *p.weights.shape() != wanted {
            return Err(Diagnostic::internal(format!(
                "the weights of '{}' are {}, not {wanted}",
                name(),
                p.weights.shape()
            )));
        }
        let ends = Ends { pre, groups };
        let most = app.carries(p).max_count().map_or(0.0, f64::from);
        let conv = matches!(p.connector, Connector::Conv(_));
        for i in 0..p.weights.len() {
            let w = p.weights.at(i);
            let target = ends.target(p, i);
            if !w.is_finite() {
                return Err(Diagnostic::error(
                    Code::BadParameter,
                    &p.origin,
                    format!("a weight of '{}' is not finite", name()),
                )
                .note(format!("weight {i}, to atom {target}: {w}")));
            }
            let row = if conv {
                &mut shared[groups.of_atom(target)]
            } else {
                &mut atoms[target]
            };
            row.max = row.max.max(w.abs());
            row.sum += w.abs() * most;
            row.count += most;
        }
    }
    let rows = (0..groups.count).map(|g| {
        let mut most = Row::default();
        for j in groups.atoms(g) {
            most.max = most.max.max(atoms[j].max);
            most.sum = most.sum.max(atoms[j].sum);
            most.count = most.count.max(atoms[j].count);
        }
        Row {
            max: most.max.max(shared[g].max),
            sum: most.sum + shared[g].sum,
            count: most.count + shared[g].count,
        }
    });
    Ok(rows.collect())
}
