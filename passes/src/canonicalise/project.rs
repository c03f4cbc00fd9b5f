//! From folded maps to projections: which connector holds a map best, and what
//! the projection is called.

use super::PASS;
use super::conv::{Kernel, Weights};
use super::forms::{Fuel, Term};
use super::maps::LinearMap;
use super::matrix::Sparse;
use ir::app::{AppGraph, Connector, Conv, Population, Projection, Synapses};
use ir::code::Code;
use ir::diag::Diagnostic;
use ir::id::PopId;
use ir::memory::{padded, rows};
use ir::network::Node;
use ir::origin::escape;
use ir::tensor::{Data, Shape, Tensor};
use std::collections::BTreeMap;

/// Adds the projection of one term; `node` is where its target comes from.
pub(super) fn project(
    app: &mut AppGraph,
    (pre, post, lag): (PopId, PopId, u32),
    term: Term,
    node: &Node,
    fuel: &mut Fuel,
) -> Result<Option<Diagnostic>, Diagnostic> {
    let (source, target) = (&app.populations[pre], &app.populations[post]);
    let (name, origin) = match term.weights {
        Some((name, origin)) => (name, origin),
        None => (arrow(app, pre, post), target.origin.root().clone()),
    };
    let (connector, weights) = held(&term.map, source, target, node, fuel)?;
    let bad = |w: &f64| !w.is_finite();
    if let Data::F64(values) = weights.data()
        && let Some(at) = values.iter().position(bad)
    {
        return Err(Diagnostic::error(
            Code::BadParameter,
            &origin,
            format!("a weight of '{}' is not finite", escape(&name)),
        )
        .note(format!(
            "element {at} of the folded weights: {}",
            values[at]
        )));
    }
    let silent = (0..weights.len()).all(|i| weights.at(i) == 0.0);
    let warning = silent.then(|| {
        Diagnostic::warning(
            Code::NoUpdate,
            &origin,
            format!("all weights of '{}' are zero", escape(&name)),
        )
    });
    app.projections.push(Projection {
        name,
        pre,
        post,
        connector,
        weights,
        delay: None,
        lag,
        origin: origin.derived(PASS),
    });
    Ok(warning)
}

/// The connector that takes least memory with 8-bit weights. All of them say
/// the same, so this is a matter of cost alone; dense rows are the fastest.
fn held(
    map: &LinearMap,
    pre: &Population,
    post: &Population,
    node: &Node,
    fuel: &mut Fuel,
) -> Result<(Connector, Tensor), Diagnostic> {
    let (n_pre, n_post) = (pre.n_atoms(), post.n_atoms());
    let wide = u32::try_from(n_post).unwrap_or(u32::MAX - 8);
    let dense = (n_pre as u64).saturating_mul(u64::from(padded(wide)));
    let agree = || Diagnostic::internal("a folded map does not fit its populations");
    if let LinearMap::Conv(kernel) = map
        && let Weights::Full(weights) = &kernel.weights
        && fits(&kernel.geometry, pre, post)
        && dense > conv_bytes(kernel)
    {
        fuel.take(node, weights.len() as u64, 0)?;
        let connector = Connector::Conv(kernel.geometry);
        let shape = connector.weight_shape(n_pre, n_post);
        let weights = Tensor::new(shape, Data::F64(weights.clone())).ok_or_else(agree)?;
        return Ok((connector, weights));
    }
    if let LinearMap::Matrix(matrix) = map {
        let synapses = matrix.data.iter().filter(|w| **w != 0.0).count();
        if dense <= rows::sparse_bytes(n_pre as u64, synapses as u64, 1) {
            let weights = matrix.clone().into_tensor().ok_or_else(agree)?;
            return Ok((Connector::Dense, weights));
        }
    }
    let sparse = map.to_sparse(n_post, node, fuel)?;
    if sparse.rows() != n_post || sparse.cols != n_pre {
        return Err(agree());
    }
    if dense <= rows::sparse_bytes(n_pre as u64, sparse.len() as u64, 1) {
        fuel.dense(node, n_post, n_pre, 1)?;
        let weights = sparse.to_dense().into_tensor().ok_or_else(agree)?;
        return Ok((Connector::Dense, weights));
    }
    listed(&sparse).ok_or_else(agree)
}

fn listed(sparse: &Sparse) -> Option<(Connector, Tensor)> {
    let mut kept = Sparse::new(sparse.cols);
    for row in sparse.each_row() {
        kept.push_row(row.iter().copied().filter(|(_, w)| *w != 0.0));
    }
    let (starts, entries) = kept.by_column();
    let targets = entries.iter().map(|e| e.0).collect();
    let weights = Data::F64(entries.iter().map(|e| e.1).collect());
    let weights = Tensor::new(Shape(vec![entries.len()]), weights)?;
    Some((Connector::Sparse(Synapses::new(starts, targets)?), weights))
}

/// The chip's convolutions count pixels and channels of both populations.
fn fits(g: &Conv, pre: &Population, post: &Population) -> bool {
    let same = |shape: &Shape, dims: &[usize; 3]| shape.0 == dims;
    let source = same(&pre.shape, &g.source)
        || (pre.shape.rank() != 3 && pre.n_atoms() == g.source.iter().product());
    source && same(&post.shape, &g.target)
}

fn conv_bytes(kernel: &Kernel) -> u64 {
    let g = &kernel.geometry;
    let reached = |dim: usize| -> u64 {
        let each = (0..g.source[dim + 1]).map(|at| g.reach(dim, at).count() as u64);
        each.sum()
    };
    let elements = (g.kernel[0] * g.kernel[1]) as u64;
    let channels = u32::try_from(g.target[0]).unwrap_or(u32::MAX - rows::BLOCK);
    let pixels = (g.source[1] * g.source[2]) as u64;
    rows::kernel_bytes(g.source[0] as u64, elements, channels, 1).saturating_add(rows::taps_bytes(
        pixels,
        reached(0).saturating_mul(reached(1)),
    ))
}

fn arrow(app: &AppGraph, pre: PopId, post: PopId) -> String {
    format!(
        "{}->{}",
        app.populations[pre].name, app.populations[post].name
    )
}

/// A weight node between several populations gives several projections of its
/// name; their ends, and what they lag more than `least`, tell them apart.
pub(super) fn distinguish_names(app: &mut AppGraph, least: u32) {
    let count = |app: &AppGraph| {
        let mut uses: BTreeMap<String, usize> = BTreeMap::new();
        for p in app.projections.values() {
            *uses.entry(p.name.clone()).or_default() += 1;
        }
        uses
    };
    let uses = count(app);
    let ids: Vec<_> = app.projections.ids().collect();
    for &id in &ids {
        let p = &app.projections[id];
        let ends = arrow(app, p.pre, p.post);
        if uses[&p.name] > 1 && p.name != ends {
            app.projections[id].name = format!("{}:{ends}", p.name);
        }
    }
    let uses = count(app);
    for &id in &ids {
        let p = &mut app.projections[id];
        if uses[&p.name] > 1 {
            match p.lag.saturating_sub(least) {
                0 => {}
                1 => p.name.push_str(":previous"),
                late => p.name.push_str(&format!(":late{late}")),
            }
        }
    }
}
