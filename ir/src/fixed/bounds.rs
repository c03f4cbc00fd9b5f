//! How large an input accumulator can get.

use crate::app::{AppGraph, Connector, Sends};
use crate::id::{PopId, ProjId};
use crate::tensor::DType;

/// For each atom of `post`, the largest magnitude that the sum of one slot can
/// reach: `max(sum of positive weights, sum of |negative weights|)` over all
/// incoming projections, each times the most that one source atom sends in a
/// tick. Values are summed elsewhere and do not count.
/// Partial sums may pass the bound of the type and wrap; the end result can't.
///
/// `None` if a weight is not an integer or the shape is not the connector's.
pub fn accumulator_bounds(app: &AppGraph, post: PopId) -> Option<Vec<i64>> {
    let n = app.populations.get(post)?.n_atoms();
    let mut up = vec![0i64; n];
    let mut down = vec![0i64; n];
    for (_, projection) in app.incoming(post) {
        let source = app.populations.get(projection.pre)?;
        let pre = source.n_atoms();
        let weights = &projection.weights;
        if *weights.shape() != projection.connector.weight_shape(pre, n)
            || matches!(weights.dtype(), DType::F64 | DType::F32)
        {
            return None;
        }
        let most = match source.sends {
            Sends::Spikes => 1,
            Sends::Counts { max } => i64::from(max),
            Sends::Values => continue,
        };
        for atom in 0..pre {
            let add = |target: usize, index: usize| {
                let w = weights.int_at(index).map_or(0, i64::from) * most;
                if let (Some(up), Some(down)) = (up.get_mut(target), down.get_mut(target)) {
                    *up += w.max(0);
                    *down += w.min(0);
                }
            };
            projection.connector.each_synapse(atom, (pre, n), add);
        }
    }
    Some(up.into_iter().zip(down).map(|(u, d)| u.max(-d)).collect())
}

/// The largest magnitude that the sum over one dense projection of spikes can reach in one
/// tick in these target atoms. `None` if it is not one, or its weights are not integers.
pub fn dense_bound(
    app: &AppGraph,
    projection: ProjId,
    targets: impl IntoIterator<Item = usize>,
) -> Option<u64> {
    let p = app.projections.get(projection)?;
    let pre = app.populations.get(p.pre)?.n_atoms();
    let integers = !matches!(p.weights.dtype(), DType::F64 | DType::F32);
    if p.connector != Connector::Dense || app.carries(p) != Sends::Spikes || !integers {
        return None;
    }
    let mut most = 0;
    for target in targets {
        let (mut up, mut down) = (0u64, 0u64);
        for from in 0..pre {
            let weight = p.weights.int_at(target * pre + from)?;
            let size = u64::from(weight.unsigned_abs());
            *(if weight > 0 { &mut up } else { &mut down }) += size;
        }
        most = most.max(up).max(down);
    }
    Some(most)
}

/// The largest magnitude that an accumulator type holds; `None` for types that
/// are no accumulators.
pub fn accumulator_limit(dtype: DType) -> Option<i64> {
    match dtype {
        DType::I16 => Some(i64::from(i16::MAX)),
        DType::I32 => Some(i64::from(i32::MAX)),
        DType::I8 | DType::F32 | DType::F64 => None,
    }
}
