//! Dense and sparse matrices of float64.

use ir::tensor::{Data, Shape, Tensor};

/// `rows` by `cols`, row major.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matrix {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) data: Vec<f64>,
}

impl Matrix {
    pub(super) fn zeros(rows: usize, cols: usize) -> Self {
        Self {
            rows,
            cols,
            data: vec![0.0; rows * cols],
        }
    }
    /// `self * b`, summed in ascending order of the inner index.
    pub(super) fn times(&self, b: &Matrix) -> Matrix {
        let mut out = Matrix::zeros(self.rows, b.cols);
        if self.cols > 0 && b.cols > 0 {
            let rows = self.data.chunks(self.cols);
            for (out, row) in out.data.chunks_mut(b.cols).zip(rows) {
                for (&w, inner) in row.iter().zip(b.data.chunks(b.cols)) {
                    if w != 0.0 {
                        out.iter_mut().zip(inner).for_each(|(o, v)| *o += w * v);
                    }
                }
            }
        }
        out
    }
    /// `self * b` for a sparse right side.
    pub(super) fn times_sparse(&self, b: &Sparse) -> Matrix {
        let mut out = Matrix::zeros(self.rows, b.cols);
        if self.cols > 0 && b.cols > 0 {
            let rows = self.data.chunks(self.cols);
            for (out, row) in out.data.chunks_mut(b.cols).zip(rows) {
                for (inner, &w) in row.iter().enumerate().filter(|(_, w)| **w != 0.0) {
                    for &(col, v) in b.row(inner) {
                        out[col as usize] += w * v;
                    }
                }
            }
        }
        out
    }
    pub(super) fn into_tensor(self) -> Option<Tensor> {
        Tensor::new(Shape(vec![self.rows, self.cols]), Data::F64(self.data))
    }
}

/// Entries (column, value) by row, columns ascending without repeats.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sparse {
    pub(super) cols: usize,
    starts: Vec<usize>,
    entries: Vec<(u32, f64)>,
}

impl Sparse {
    /// Begins a matrix without rows.
    pub(super) fn new(cols: usize) -> Self {
        Self {
            cols,
            starts: vec![0],
            entries: Vec::new(),
        }
    }
    /// Adds a row of entries with ascending columns.
    pub(super) fn push_row(&mut self, row: impl IntoIterator<Item = (u32, f64)>) {
        self.entries.extend(row);
        self.starts.push(self.entries.len());
    }
    pub(super) fn rows(&self) -> usize {
        self.starts.len() - 1
    }
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
    pub(super) fn row(&self, row: usize) -> &[(u32, f64)] {
        &self.entries[self.starts[row]..self.starts[row + 1]]
    }
    pub(super) fn each_row(&self) -> impl Iterator<Item = &[(u32, f64)]> {
        (0..self.rows()).map(|r| self.row(r))
    }
    /// The rows that `keep` names; the others become empty.
    pub(super) fn rows_where(&self, keep: impl Fn(usize) -> bool) -> Self {
        let mut out = Self::new(self.cols);
        for row in 0..self.rows() {
            let entries: &[_] = if keep(row) { self.row(row) } else { &[] };
            out.push_row(entries.iter().copied());
        }
        out
    }
    /// Multiplications that `self * b` takes.
    pub(super) fn products(&self, b: &Sparse) -> u64 {
        let entries = self.entries.iter();
        entries.map(|&(i, _)| b.row(i as usize).len() as u64).sum()
    }
    pub(super) fn times(&self, b: &Sparse) -> Sparse {
        let mut out = Sparse::new(b.cols);
        let mut sums = RowSum::new(b.cols);
        for row in self.each_row() {
            for &(inner, w) in row {
                for &(col, v) in b.row(inner as usize) {
                    sums.add(col, w * v);
                }
            }
            out.push_row(sums.take());
        }
        out
    }
    pub(super) fn times_dense(&self, b: &Matrix) -> Matrix {
        let mut out = Matrix::zeros(self.rows(), b.cols);
        if b.cols > 0 {
            for (out, row) in out.data.chunks_mut(b.cols).zip(self.each_row()) {
                for &(inner, w) in row {
                    let inner = &b.data[inner as usize * b.cols..][..b.cols];
                    out.iter_mut().zip(inner).for_each(|(o, v)| *o += w * v);
                }
            }
        }
        out
    }
    pub(super) fn plus(&self, other: &Sparse) -> Sparse {
        let mut out = Sparse::new(self.cols);
        let mut sums = RowSum::new(self.cols);
        for (a, b) in self.each_row().zip(other.each_row()) {
            a.iter().chain(b).for_each(|&(col, w)| sums.add(col, w));
            out.push_row(sums.take());
        }
        out
    }
    pub(super) fn to_dense(&self) -> Matrix {
        let mut out = Matrix::zeros(self.rows(), self.cols);
        for (r, row) in self.each_row().enumerate() {
            for &(col, w) in row {
                out.data[r * self.cols + col as usize] = w;
            }
        }
        out
    }
    /// The entries by column: the first entry of each column, and (row, value)
    /// with ascending rows.
    pub(super) fn by_column(&self) -> (Vec<u32>, Vec<(u32, f64)>) {
        let mut starts = vec![0u32; self.cols + 1];
        for &(col, _) in &self.entries {
            starts[col as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut out = vec![(0, 0.0); self.entries.len()];
        for (r, row) in (0u32..).zip(self.each_row()) {
            for &(col, w) in row {
                let at = &mut next[col as usize];
                out[*at as usize] = (r, w);
                *at += 1;
            }
        }
        (starts, out)
    }
}

/// Sums entries of one row in any order of columns.
pub(super) struct RowSum {
    sums: Vec<f64>,
    met: Vec<bool>,
    touched: Vec<u32>,
}

impl RowSum {
    pub(super) fn new(cols: usize) -> Self {
        Self {
            sums: vec![0.0; cols],
            met: vec![false; cols],
            touched: Vec::new(),
        }
    }
    pub(super) fn add(&mut self, col: u32, w: f64) {
        let i = col as usize;
        if !self.met[i] {
            self.met[i] = true;
            self.touched.push(col);
        }
        self.sums[i] += w;
    }
    /// The row's entries, and an empty sum again. Entries that cancel out stay:
    /// their synapse exists.
    pub(super) fn take(&mut self) -> Vec<(u32, f64)> {
        self.touched.sort_unstable();
        let touched = std::mem::take(&mut self.touched);
        let row = touched.into_iter().map(|col| {
            let i = col as usize;
            self.met[i] = false;
            (col, std::mem::take(&mut self.sums[i]))
        });
        row.collect()
    }
}
