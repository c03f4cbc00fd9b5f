//! One projection, ready to run: the synapses of each source atom.

use super::{MAX_DELAY, fault};
use crate::app::{AppGraph, Connector, Model, Projection, Sends};
use crate::diag::{Diagnostics, Result};
use crate::id::PopId;

#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) pre: PopId,
    pub(super) post: PopId,
    pub(super) delay: usize,
    pub(super) carries_values: bool,
    columns: Columns,
}

/// Synapses by source atom.
#[derive(Clone, Debug)]
enum Columns {
    /// The column of atom `a` is `[a * n..][..n]`.
    Dense { n: usize, weights: Vec<i32> },
    /// The synapses of atom `a` are `starts[a]..starts[a + 1]`.
    Listed {
        starts: Vec<usize>,
        synapses: Vec<(u32, i32)>,
    },
}

impl Wire {
    pub(super) fn new(app: &AppGraph, projection: &Projection) -> Result<Self> {
        let fail = |what: &str| -> Diagnostics {
            fault("projection", &projection.name, &projection.origin, what).into()
        };
        let ends = app
            .populations
            .get(projection.pre)
            .zip(app.populations.get(projection.post));
        let (pre, post) = ends.ok_or_else(|| fail("joins populations that do not exist"))?;
        let (n_pre, n_post) = (pre.shape.checked_len(), post.shape.checked_len());
        let (n_pre, n_post) = n_pre
            .zip(n_post)
            .ok_or_else(|| fail("joins populations of impossible shapes"))?;
        if *projection.weights.shape() != projection.connector.weight_shape(n_pre, n_post) {
            return Err(fail("has weights that are not of its connector's shape"));
        }
        if !fits(&projection.connector, pre.shape.0.as_slice(), n_pre, n_post) {
            return Err(fail("has a connector that does not fit its populations"));
        }
        if matches!(post.model, Model::SpikeSource) {
            return Err(fail("ends at a spike source"));
        }
        let delay = projection.delay.filter(|d| (1..=MAX_DELAY).contains(d));
        let delay = delay.ok_or_else(|| fail("has no delay of at least one tick"))?;
        let columns = columns(projection, n_pre, n_post)
            .ok_or_else(|| fail("has weights that are not integers"))?;
        Ok(Self {
            pre: projection.pre,
            post: projection.post,
            delay: delay as usize,
            carries_values: pre.sends == Sends::Values,
            columns,
        })
    }

    /// Calls `f(target, weight)` for each synapse of a source atom.
    pub(super) fn each(&self, atom: usize, mut f: impl FnMut(usize, i32)) {
        match &self.columns {
            Columns::Dense { n, weights } => {
                for (j, &w) in weights[atom * n..][..*n].iter().enumerate() {
                    f(j, w);
                }
            }
            Columns::Listed { starts, synapses } => {
                for &(j, w) in &synapses[starts[atom]..starts[atom + 1]] {
                    f(j as usize, w);
                }
            }
        }
    }
}

/// Whether every synapse stays inside both populations.
fn fits(connector: &Connector, pre: &[usize], n_pre: usize, n_post: usize) -> bool {
    match connector {
        Connector::Dense => true,
        Connector::Sparse(s) => {
            s.sources() == n_pre && s.targets().iter().all(|&t| (t as usize) < n_post)
        }
        Connector::Conv(c) => {
            let positive = |d: &[usize]| d.iter().all(|&d| d > 0);
            pre == c.source
                && c.target.iter().product::<usize>() == n_post
                && positive(&c.stride)
                && positive(&c.dilation)
                && positive(&c.kernel)
        }
    }
}

fn columns(projection: &Projection, n_pre: usize, n_post: usize) -> Option<Columns> {
    let weights = &projection.weights;
    // An empty sparse projection holds no weight to ask for its type.
    if !weights.is_empty() {
        weights.int_at(0)?;
    }
    let weight = |index: usize| weights.int_at(index).unwrap_or(0);
    if projection.connector == Connector::Dense {
        let mut all = vec![0i32; n_pre * n_post];
        for (a, column) in all.chunks_mut(n_post.max(1)).enumerate() {
            for (j, w) in column.iter_mut().enumerate() {
                *w = weight(j * n_pre + a);
            }
        }
        return Some(Columns::Dense {
            n: n_post,
            weights: all,
        });
    }
    let mut starts = vec![0];
    let mut synapses = Vec::new();
    for a in 0..n_pre {
        projection
            .connector
            .each_synapse(a, (n_pre, n_post), |target, index| {
                synapses.push((target as u32, weight(index)));
            });
        starts.push(synapses.len());
    }
    Some(Columns::Listed { starts, synapses })
}
