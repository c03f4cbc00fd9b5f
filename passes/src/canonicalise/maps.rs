//! Linear maps between flat values, as cheap as their structure allows: an
//! identity between large populations costs nothing, and a convolution stays
//! one as long as it can.

use super::conv::{Kernel, Weights};
use super::forms::Fuel;
use super::matrix::{Matrix, Sparse};
use ir::diag::Diagnostic;
use ir::network::Node;

/// A map from the values of a source to the values of a node.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum LinearMap {
    Identity,
    Diagonal(Vec<f64>),
    Conv(Kernel),
    Sparse(Sparse),
    Matrix(Matrix),
}

use LinearMap::{Conv, Diagonal, Identity};

impl LinearMap {
    /// Whether it changes nothing.
    pub(super) fn is_identity(&self) -> bool {
        match self {
            Identity => true,
            Diagonal(d) => d.iter().all(|&v| v == 1.0),
            LinearMap::Sparse(s) => {
                let mut rows = s.each_row().enumerate();
                s.rows() == s.cols
                    && rows.all(|(i, row)| matches!(row, &[(c, w)] if w == 1.0 && c as usize == i))
            }
            Conv(_) | LinearMap::Matrix(_) => false,
        }
    }

    /// Elements held in memory.
    pub(super) fn elements(&self) -> usize {
        match self {
            Identity => 0,
            Diagonal(d) => d.len(),
            Conv(k) => k.elements(),
            LinearMap::Sparse(s) => s.len(),
            LinearMap::Matrix(m) => m.data.len(),
        }
    }

    /// The map entry by entry; identities have `n` rows.
    pub(super) fn to_sparse(
        &self,
        n: usize,
        node: &Node,
        fuel: &mut Fuel,
    ) -> Result<Sparse, Diagnostic> {
        let line = |value: &dyn Fn(usize) -> f64, n: usize| {
            let mut out = Sparse::new(n);
            (0..n).for_each(|i| out.push_row([(i as u32, value(i))]));
            out
        };
        match self {
            Identity => {
                fuel.take(node, n as u64, 0)?;
                Ok(line(&|_| 1.0, n))
            }
            Diagonal(d) => {
                fuel.take(node, d.len() as u64, 0)?;
                Ok(line(&|i| d[i], d.len()))
            }
            Conv(k) => {
                fuel.take(node, k.most_synapses(), 0)?;
                Ok(k.to_sparse())
            }
            LinearMap::Sparse(s) => Ok(s.clone()),
            LinearMap::Matrix(m) => {
                fuel.take(node, m.data.len() as u64, 0)?;
                let mut out = Sparse::new(m.cols);
                for r in 0..m.rows {
                    let row = (0u32..).zip(&m.data[r * m.cols..(r + 1) * m.cols]);
                    out.push_row(row.filter(|(_, w)| **w != 0.0).map(|(c, w)| (c, *w)));
                }
                Ok(out)
            }
        }
    }

    pub(super) fn to_dense(
        &self,
        n: usize,
        node: &Node,
        fuel: &mut Fuel,
    ) -> Result<Matrix, Diagnostic> {
        if let LinearMap::Matrix(m) = self {
            return Ok(m.clone());
        }
        let sparse = self.to_sparse(n, node, fuel)?;
        fuel.dense(node, sparse.rows(), sparse.cols, 1)?;
        Ok(sparse.to_dense())
    }

    /// `first`, which makes `n` values, and then this map.
    pub(super) fn after(
        &self,
        first: &LinearMap,
        n: usize,
        node: &Node,
        fuel: &mut Fuel,
    ) -> Result<LinearMap, Diagnostic> {
        match (self, first) {
            (Identity, map) | (map, Identity) => {
                fuel.take(node, map.elements() as u64, 0)?;
                return Ok(map.clone());
            }
            (Diagonal(d), Diagonal(e)) => {
                fuel.take(node, d.len() as u64, 0)?;
                return Ok(Diagonal(d.iter().zip(e).map(|(a, b)| a * b).collect()));
            }
            (Diagonal(d), Conv(k)) => {
                if let Some(factors) = per_channel(d, k.geometry.target[0]) {
                    return Ok(Conv(k.clone().scale_targets(&factors)));
                }
            }
            (Conv(k), Diagonal(d)) => {
                if let Some(factors) = per_channel(d, k.geometry.source[0]) {
                    return Ok(Conv(k.clone().scale_sources(&factors)));
                }
            }
            (Conv(b), Conv(a)) => {
                fuel.take(node, 0, b.fold_cost(a))?;
                if let Some(one) = b.after(a) {
                    fuel.take(node, one.elements() as u64, 0)?;
                    return Ok(Conv(one));
                }
            }
            (Diagonal(d), LinearMap::Matrix(m)) => {
                fuel.take(node, m.data.len() as u64, 0)?;
                let mut m = m.clone();
                if m.cols > 0 {
                    for (row, factor) in m.data.chunks_mut(m.cols).zip(d) {
                        row.iter_mut().for_each(|v| *v *= factor);
                    }
                }
                return Ok(LinearMap::Matrix(m));
            }
            (LinearMap::Matrix(m), Diagonal(d)) => {
                fuel.take(node, m.data.len() as u64, 0)?;
                let mut m = m.clone();
                if m.cols > 0 {
                    for row in m.data.chunks_mut(m.cols) {
                        row.iter_mut().zip(d).for_each(|(v, factor)| *v *= factor);
                    }
                }
                return Ok(LinearMap::Matrix(m));
            }
            (LinearMap::Matrix(b), LinearMap::Matrix(a)) => {
                fuel.dense(node, b.rows, a.cols, b.cols)?;
                return Ok(LinearMap::Matrix(b.times(a)));
            }
            (LinearMap::Matrix(b), a) => {
                let a = a.to_sparse(n, node, fuel)?;
                fuel.dense(node, b.rows, a.cols, 1)?;
                fuel.take(node, 0, (b.rows as u64).saturating_mul(a.len() as u64))?;
                return Ok(LinearMap::Matrix(b.times_sparse(&a)));
            }
            (b, LinearMap::Matrix(a)) => {
                let b = b.to_sparse(n, node, fuel)?;
                fuel.dense(node, b.rows(), a.cols, 1)?;
                fuel.take(node, 0, (b.len() as u64).saturating_mul(a.cols as u64))?;
                return Ok(LinearMap::Matrix(b.times_dense(a)));
            }
            _ => {}
        }
        let (b, a) = (
            self.to_sparse(n, node, fuel)?,
            first.to_sparse(n, node, fuel)?,
        );
        let products = b.products(&a);
        fuel.take(node, products, products)?;
        Ok(LinearMap::Sparse(b.times(&a)))
    }

    /// The sum of two maps onto `n` values.
    pub(super) fn plus(
        &self,
        other: &LinearMap,
        n: usize,
        node: &Node,
        fuel: &mut Fuel,
    ) -> Result<LinearMap, Diagnostic> {
        if let (Some(a), Some(b)) = (self.diagonal(n), other.diagonal(n)) {
            fuel.take(node, n as u64, 0)?;
            return Ok(Diagonal(a.iter().zip(&b).map(|(a, b)| a + b).collect()));
        }
        if let (Conv(a), Conv(b)) = (self, other)
            && let Some(sum) = a.plus(b)
        {
            fuel.take(node, sum.elements() as u64, 0)?;
            return Ok(Conv(sum));
        }
        if matches!(self, LinearMap::Matrix(_)) || matches!(other, LinearMap::Matrix(_)) {
            let mut a = self.to_dense(n, node, fuel)?;
            let b = other.to_dense(n, node, fuel)?;
            fuel.take(node, a.data.len() as u64, 0)?;
            a.data.iter_mut().zip(&b.data).for_each(|(a, b)| *a += b);
            return Ok(LinearMap::Matrix(a));
        }
        let (a, b) = (
            self.to_sparse(n, node, fuel)?,
            other.to_sparse(n, node, fuel)?,
        );
        fuel.take(node, (a.len() + b.len()) as u64, 0)?;
        Ok(LinearMap::Sparse(a.plus(&b)))
    }

    fn diagonal(&self, n: usize) -> Option<Vec<f64>> {
        match self {
            Identity => Some(vec![1.0; n]),
            Diagonal(d) => Some(d.clone()),
            Conv(_) | LinearMap::Sparse(_) | LinearMap::Matrix(_) => None,
        }
    }

    /// The values that the map makes of `x`.
    pub(super) fn apply(
        &self,
        x: &[f64],
        node: &Node,
        fuel: &mut Fuel,
    ) -> Result<Vec<f64>, Diagnostic> {
        match self {
            Identity => Ok(x.to_vec()),
            Diagonal(d) => Ok(d.iter().zip(x).map(|(d, x)| d * x).collect()),
            Conv(Kernel { .. }) | LinearMap::Sparse(_) => {
                let sparse = self.to_sparse(x.len(), node, fuel)?;
                let sum = |row: &[(u32, f64)]| row.iter().map(|&(c, w)| w * x[c as usize]).sum();
                Ok(sparse.each_row().map(sum).collect())
            }
            LinearMap::Matrix(m) => {
                if m.cols == 0 {
                    return Ok(vec![0.0; m.rows]);
                }
                let sum = |row: &[f64]| row.iter().zip(x).map(|(w, x)| w * x).sum();
                Ok(m.data.chunks(m.cols).map(sum).collect())
            }
        }
    }
}

/// One factor for each of `channels` equal parts, if each part shares one.
fn per_channel(d: &[f64], channels: usize) -> Option<Vec<f64>> {
    let pixels = d.len().checked_div(channels).filter(|&p| p > 0)?;
    let same = d
        .chunks(pixels)
        .all(|c| c.iter().all(|v| v.to_bits() == c[0].to_bits()));
    same.then(|| d.iter().step_by(pixels).copied().collect())
}

/// A pool or a depthwise convolution.
pub(super) fn each(geometry: ir::app::Conv, weights: Vec<f64>) -> LinearMap {
    Conv(Kernel {
        geometry,
        weights: Weights::Each(weights),
    })
}
