//! Arrays with a shape, in C order.

use std::fmt;

/// The sizes of an array's dimensions, outermost first. An empty shape is a scalar.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Shape(pub Vec<usize>);

impl Shape {
    pub fn of(dims: &[usize]) -> Self {
        Self(dims.to_vec())
    }
    /// Number of elements; `None` when the product overflows.
    pub fn checked_len(&self) -> Option<usize> {
        self.0.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
    }
    /// Number of elements of a shape that a reader already bounded.
    pub fn len(&self) -> usize {
        self.0.iter().product()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    pub fn rank(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, d) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{d}")?;
        }
        f.write_str("]")
    }
}

/// The element types that the IR keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DType {
    F64,
    F32,
    I8,
    I16,
    I32,
}

impl DType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            DType::F64 => 8,
            DType::F32 | DType::I32 => 4,
            DType::I16 => 2,
            DType::I8 => 1,
        }
    }
    /// The name in the text form, such as `f32`.
    pub fn name(self) -> &'static str {
        match self {
            DType::F64 => "f64",
            DType::F32 => "f32",
            DType::I8 => "i8",
            DType::I16 => "i16",
            DType::I32 => "i32",
        }
    }
}

/// The elements of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    F64(Vec<f64>),
    F32(Vec<f32>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
}

impl Data {
    pub fn len(&self) -> usize {
        match self {
            Data::F64(v) => v.len(),
            Data::F32(v) => v.len(),
            Data::I8(v) => v.len(),
            Data::I16(v) => v.len(),
            Data::I32(v) => v.len(),
        }
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An array in C order. Invariant: the shape's element count is the data's length.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Shape,
    data: Data,
}

impl Tensor {
    /// `None` if the shape and the data disagree.
    pub fn new(shape: Shape, data: Data) -> Option<Self> {
        (shape.checked_len() == Some(data.len())).then_some(Self { shape, data })
    }
    pub fn scalar(value: f64) -> Self {
        Self {
            shape: Shape::default(),
            data: Data::F64(vec![value]),
        }
    }
    pub fn vector(values: Vec<f64>) -> Self {
        Self {
            shape: Shape(vec![values.len()]),
            data: Data::F64(values),
        }
    }
    pub fn shape(&self) -> &Shape {
        &self.shape
    }
    pub fn data(&self) -> &Data {
        &self.data
    }
    pub fn len(&self) -> usize {
        self.data.len()
    }
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }
    pub fn dtype(&self) -> DType {
        match self.data {
            Data::F64(_) => DType::F64,
            Data::F32(_) => DType::F32,
            Data::I8(_) => DType::I8,
            Data::I16(_) => DType::I16,
            Data::I32(_) => DType::I32,
        }
    }
    /// Element `i` (flat, C order) as float64; exact for every element type.
    pub fn at(&self, i: usize) -> f64 {
        match &self.data {
            Data::F64(v) => v[i],
            Data::F32(v) => f64::from(v[i]),
            Data::I8(v) => f64::from(v[i]),
            Data::I16(v) => f64::from(v[i]),
            Data::I32(v) => f64::from(v[i]),
        }
    }
    /// Element `i` of an integer tensor; floats are a caller's mistake and give `None`.
    pub fn int_at(&self, i: usize) -> Option<i32> {
        match &self.data {
            Data::I8(v) => Some(i32::from(v[i])),
            Data::I16(v) => Some(i32::from(v[i])),
            Data::I32(v) => Some(v[i]),
            Data::F64(_) | Data::F32(_) => None,
        }
    }
    pub fn to_f64(&self) -> Vec<f64> {
        (0..self.len()).map(|i| self.at(i)).collect()
    }
    /// The same elements under another shape of the same length.
    pub fn reshaped(self, shape: Shape) -> Option<Self> {
        Self::new(shape, self.data)
    }
    /// The value that all elements share bit for bit, if they do and there is one.
    pub fn uniform(&self) -> Option<f64> {
        let first = (!self.is_empty()).then(|| self.at(0))?;
        (1..self.len())
            .all(|i| self.at(i).to_bits() == first.to_bits())
            .then_some(first)
    }
}
