//! How large an input accumulator can get.

use crate::app::AppGraph;
use crate::id::PopId;
use crate::tensor::{DType, Data};

/// For each atom of `post`, the largest magnitude that the sum of one slot can
/// reach: `max(sum of positive weights, sum of |negative weights|)` over all
/// incoming projections, since every source atom sends at most once a tick.
/// Partial sums may pass the bound of the type and wrap; the end result can't.
///
/// `None` if a weight is not an integer or a shape is not `[post pre]`.
pub fn accumulator_bounds(app: &AppGraph, post: PopId) -> Option<Vec<i64>> {
    let n = app.populations.get(post)?.n_atoms();
    let mut up = vec![0i64; n];
    let mut down = vec![0i64; n];
    for (_, projection) in app.incoming(post) {
        let pre = app.populations.get(projection.pre)?.n_atoms();
        if projection.weights.shape().0 != [n, pre] {
            return None;
        }
        match projection.weights.data() {
            Data::I8(w) => add_rows(&mut up, &mut down, w, pre),
            Data::I16(w) => add_rows(&mut up, &mut down, w, pre),
            Data::I32(w) => add_rows(&mut up, &mut down, w, pre),
            Data::F64(_) | Data::F32(_) => return None,
        }
    }
    Some(up.into_iter().zip(down).map(|(u, d)| u.max(-d)).collect())
}

fn add_rows<T: Copy + Into<i64>>(up: &mut [i64], down: &mut [i64], weights: &[T], pre: usize) {
    // `chunks` refuses a width of 0; such rows add nothing.
    if pre == 0 {
        return;
    }
    for ((up, down), row) in up.iter_mut().zip(down).zip(weights.chunks(pre)) {
        for &w in row {
            let w: i64 = w.into();
            *up += w.max(0);
            *down += w.min(0);
        }
    }
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
