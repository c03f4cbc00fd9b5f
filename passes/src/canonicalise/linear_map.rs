//! Linear maps between flat values, as cheap as their structure allows, so
//! that an identity between large populations costs nothing until a
//! projection needs it.

use ir::Tensor;
use ir::tensor::{Data, Shape};

/// `rows` by `cols`, row major.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matrix {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) data: Vec<f64>,
}

/// A map from the values of a source to the values of a node.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum LinearMap {
    Identity,
    Diagonal(Vec<f64>),
    Matrix(Matrix),
}

impl LinearMap {
    /// Elements held in memory.
    pub(super) fn elements(&self) -> usize {
        match self {
            LinearMap::Identity => 0,
            LinearMap::Diagonal(d) => d.len(),
            LinearMap::Matrix(m) => m.data.len(),
        }
    }
    /// This map followed by a factor per value. `factors` holds as many
    /// values as the map produces.
    pub(super) fn scaled(self, factors: &[f64]) -> LinearMap {
        match self {
            LinearMap::Identity => LinearMap::Diagonal(factors.to_vec()),
            LinearMap::Diagonal(d) => {
                LinearMap::Diagonal(d.iter().zip(factors).map(|(a, b)| a * b).collect())
            }
            LinearMap::Matrix(mut m) => {
                if m.cols > 0 {
                    for (row, factor) in m.data.chunks_mut(m.cols).zip(factors) {
                        row.iter_mut().for_each(|v| *v *= factor);
                    }
                }
                LinearMap::Matrix(m)
            }
        }
    }
    /// This map followed by a matrix, whose columns are the values that the
    /// map produces.
    pub(super) fn then(&self, w: &Matrix) -> Matrix {
        match self {
            LinearMap::Identity => w.clone(),
            LinearMap::Diagonal(d) => {
                let data = w.data.iter().enumerate().map(|(i, v)| v * d[i % w.cols]);
                Matrix {
                    data: data.collect(),
                    ..*w
                }
            }
            LinearMap::Matrix(m) => product(w, m),
        }
    }
    /// The sum of two maps onto `n` values.
    pub(super) fn plus(self, other: LinearMap, n: usize) -> LinearMap {
        let add = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<_>>();
        match (self.diagonal(n), other.diagonal(n)) {
            (Some(a), Some(b)) => LinearMap::Diagonal(add(&a, &b)),
            (_, _) => {
                let (a, b) = (self.into_dense(n), other.into_dense(n));
                LinearMap::Matrix(Matrix {
                    data: add(&a.data, &b.data),
                    ..a
                })
            }
        }
    }
    fn diagonal(&self, n: usize) -> Option<Vec<f64>> {
        match self {
            LinearMap::Identity => Some(vec![1.0; n]),
            LinearMap::Diagonal(d) => Some(d.clone()),
            LinearMap::Matrix(_) => None,
        }
    }
    /// The map written out; identities and diagonals have `n` rows.
    pub(super) fn into_dense(self, n: usize) -> Matrix {
        let square = |value: &dyn Fn(usize) -> f64| {
            let mut data = vec![0.0; n * n];
            for i in 0..n {
                data[i * n + i] = value(i);
            }
            Matrix {
                rows: n,
                cols: n,
                data,
            }
        };
        match self {
            LinearMap::Identity => square(&|_| 1.0),
            LinearMap::Diagonal(d) => square(&|i| d[i]),
            LinearMap::Matrix(m) => m,
        }
    }
}

impl Matrix {
    /// The values that the matrix makes of `x`.
    pub(super) fn apply(&self, x: &[f64]) -> Vec<f64> {
        if self.cols == 0 {
            return vec![0.0; self.rows];
        }
        let row = |row: &[f64]| row.iter().zip(x).map(|(w, x)| w * x).sum();
        self.data.chunks(self.cols).map(row).collect()
    }
    pub(super) fn into_tensor(self) -> Option<Tensor> {
        Tensor::new(Shape(vec![self.rows, self.cols]), Data::F64(self.data))
    }
}

/// `a * b`, summed in ascending order of the inner index.
fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let mut data = vec![0.0; a.rows * b.cols];
    if a.cols > 0 && b.cols > 0 {
        for (out, row) in data.chunks_mut(b.cols).zip(a.data.chunks(a.cols)) {
            for (&w, inner) in row.iter().zip(b.data.chunks(b.cols)) {
                if w != 0.0 {
                    out.iter_mut().zip(inner).for_each(|(o, v)| *o += w * v);
                }
            }
        }
    }
    Matrix {
        rows: a.rows,
        cols: b.cols,
        data,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, cols: usize, data: &[f64]) -> Matrix {
        Matrix {
            rows,
            cols,
            data: data.to_vec(),
        }
    }

    #[test]
    fn structure_survives_as_long_as_it_can() {
        let twice = LinearMap::Identity.plus(LinearMap::Identity, 2);
        assert_eq!(twice, LinearMap::Diagonal(vec![2.0, 2.0]));
        let scaled = twice.scaled(&[1.0, -3.0]);
        assert_eq!(scaled, LinearMap::Diagonal(vec![2.0, -6.0]));
        let m = scaled.then(&matrix(1, 2, &[10.0, 1.0]));
        assert_eq!(m, matrix(1, 2, &[20.0, -6.0]));
    }

    #[test]
    fn products_and_sums_agree_with_pencil_and_paper() {
        let b = matrix(2, 2, &[1.0, 2.0, 3.0, 4.0]);
        let a = matrix(1, 2, &[10.0, 1.0]);
        assert_eq!(LinearMap::Matrix(b.clone()).then(&a).data, [13.0, 24.0]);
        let sum = LinearMap::Matrix(b)
            .plus(LinearMap::Identity, 2)
            .into_dense(2);
        assert_eq!(sum.data, [2.0, 2.0, 3.0, 5.0]);
        assert_eq!(sum.apply(&[1.0, 1.0]), [4.0, 8.0]);
    }
}
