//! Arrays of data files.

use ir::Shape;

/// An array in C order.
/// Invariant: the number of elements is the shape's element count.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    shape: Shape,
    elements: Elements,
}

/// Elements in the smallest type that holds them exactly.
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    /// Booleans, u8, and other integers where all are in 0..=255.
    U8(Vec<u8>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    /// float64, and integers beyond 32 bits (exact up to 2^53).
    F64(Vec<f64>),
}

impl Elements {
    pub fn len(&self) -> usize {
        match self {
            Elements::U8(v) => v.len(),
            Elements::I32(v) => v.len(),
            Elements::F32(v) => v.len(),
            Elements::F64(v) => v.len(),
        }
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Element `i` as float64, exact for every type.
    pub fn at(&self, i: usize) -> f64 {
        match self {
            Elements::U8(v) => f64::from(v[i]),
            Elements::I32(v) => f64::from(v[i]),
            Elements::F32(v) => f64::from(v[i]),
            Elements::F64(v) => v[i],
        }
    }
    /// Elements `range` as float64.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Vec<f64> {
        match self {
            Elements::U8(v) => v[range].iter().map(|&x| f64::from(x)).collect(),
            Elements::I32(v) => v[range].iter().map(|&x| f64::from(x)).collect(),
            Elements::F32(v) => v[range].iter().map(|&x| f64::from(x)).collect(),
            Elements::F64(v) => v[range].to_vec(),
        }
    }
    /// Position of the first value, as float64, for which `found` holds.
    pub fn position(&self, found: impl Fn(f64) -> bool) -> Option<usize> {
        match self {
            Elements::U8(v) => {
                let table: Vec<bool> = (0..=u8::MAX).map(|x| found(f64::from(x))).collect();
                v.iter().position(|&x| table[usize::from(x)])
            }
            Elements::I32(v) => v.iter().position(|&x| found(f64::from(x))),
            Elements::F32(v) => v.iter().position(|&x| found(f64::from(x))),
            Elements::F64(v) => v.iter().position(|&x| found(x)),
        }
    }
    /// Position of the first value that is not finite.
    pub fn first_not_finite(&self) -> Option<usize> {
        match self {
            Elements::U8(_) | Elements::I32(_) => None,
            Elements::F32(v) => v.iter().position(|x| !x.is_finite()),
            Elements::F64(v) => v.iter().position(|x| !x.is_finite()),
        }
    }
    /// Packs integers into the smallest type; `None` beyond 2^53.
    pub(super) fn from_ints(ints: Vec<i64>) -> Option<Self> {
        let (low, high) = ints
            .iter()
            .fold((0, 0), |(low, high), &i| (i.min(low), i.max(high)));
        if low >= 0 && high <= 255 {
            return Some(Elements::U8(ints.iter().map(|&i| i as u8).collect()));
        }
        if i32::try_from(low).is_ok() && i32::try_from(high).is_ok() {
            return Some(Elements::I32(ints.iter().map(|&i| i as i32).collect()));
        }
        let exact = 1i64 << 53;
        (low >= -exact && high <= exact)
            .then(|| Elements::F64(ints.iter().map(|&i| i as f64).collect()))
    }
}

impl Array {
    /// `None` if the shape and the elements disagree.
    pub fn new(shape: Shape, elements: Elements) -> Option<Self> {
        (shape.checked_len() == Some(elements.len())).then_some(Self { shape, elements })
    }
    pub fn shape(&self) -> &Shape {
        &self.shape
    }
    pub fn elements(&self) -> &Elements {
        &self.elements
    }
    pub fn into_elements(self) -> Elements {
        self.elements
    }
    /// The elements as integers, if each is one exactly.
    pub fn as_ints(&self) -> Option<Vec<i64>> {
        (0..self.elements.len())
            .map(|i| {
                let v = self.elements.at(i);
                (v.fract() == 0.0 && v.abs() <= 2f64.powi(53)).then_some(v as i64)
            })
            .collect()
    }
    /// The same elements under another shape of the same length.
    pub fn reshaped(self, shape: Shape) -> Option<Self> {
        Self::new(shape, self.elements)
    }
}
