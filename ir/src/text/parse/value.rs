//! Shapes, arrays and fields.

use super::Parser;
use crate::neuron::Param;
use crate::tensor::{DType, Data, Shape, Tensor};
use crate::text::lex::{Cursor, Expected, Fault, Parsed};
use crate::text::{blob, limit};
use std::collections::BTreeSet;

const DTYPES: [DType; 5] = [DType::F64, DType::F32, DType::I8, DType::I16, DType::I32];

impl Parser<'_> {
    /// `[1 28 28]`, counted against the budget of atoms.
    pub(super) fn shape(&mut self, c: &mut Cursor<'_>) -> Parsed<Shape> {
        let before = c.clone();
        c.symbol("[")?;
        let mut dims = Vec::new();
        while !c.eat("]") {
            if dims.len() == limit::RANK {
                let rank = limit::RANK;
                return Err(c.fail(format!("expected at most {rank} dimensions")));
            }
            dims.push(c.number("a size or `]`")?);
        }
        let shape = Shape(dims);
        let total = shape.checked_len().and_then(|n| n.checked_add(self.atoms));
        match total.filter(|n| *n <= limit::ATOMS) {
            Some(total) => self.atoms = total,
            None => {
                let most = limit::ATOMS;
                return Err(before.fail(format!("expected at most {most} atoms in all shapes")));
            }
        }
        Ok(shape)
    }

    pub(super) fn tensor(&mut self, c: &mut Cursor<'_>) -> Parsed<Tensor> {
        let before = c.clone();
        let word = c.word("an array")?;
        if word == "blob" {
            return self.blob(c);
        }
        if c.eat(":") {
            let (dims, dtype) = array_type(word)
                .filter(|(dims, _)| dims.is_empty())
                .ok_or_else(|| before.fail("expected the type of a scalar, such as `f32`"))?;
            let data = elements(c, dtype, 1)?;
            return self.array(&before, Shape(dims), data);
        }
        if c.eat("(") {
            let (dims, dtype) = array_type(word)
                .ok_or_else(|| before.fail("expected an array type such as `2x3xi8`"))?;
            let data = elements(c, dtype, limit::ELEMENTS)?;
            c.symbol(")")?;
            return self.array(&before, Shape(dims), data);
        }
        let value = f64_of(word).ok_or_else(|| before.fail("expected a number or an array"))?;
        Ok(Tensor::scalar(value))
    }

    fn array(&mut self, at: &Cursor<'_>, shape: Shape, data: Data) -> Parsed<Tensor> {
        let found = data.len();
        let wanted = shape.checked_len();
        self.claim(at, Some(found))?;
        Tensor::new(shape, data).ok_or_else(|| {
            let wanted = wanted.map_or_else(|| "too many".to_owned(), |n| n.to_string());
            at.fail(format!(
                "expected {wanted} elements for this shape, found {found}"
            ))
        })
    }

    /// Counts elements against the budget before they are read.
    fn claim(&mut self, at: &Cursor<'_>, n: Option<usize>) -> Parsed<()> {
        let total = n.and_then(|n| n.checked_add(self.elements));
        match total.filter(|n| *n <= limit::ELEMENTS) {
            Some(total) => {
                self.elements = total;
                Ok(())
            }
            None => {
                let most = limit::ELEMENTS;
                Err(at.fail(format!("expected at most {most} elements in all arrays")))
            }
        }
    }

    /// The rest of `blob("label", 2x3xi8, <sha256>)`.
    fn blob(&mut self, c: &mut Cursor<'_>) -> Parsed<Tensor> {
        c.symbol("(")?;
        let label = c.string("a label in quotes")?;
        c.symbol(",")?;
        let at = c.clone();
        let (dims, dtype) = c.choice("an array type such as `2x3xi8`", array_type)?;
        c.symbol(",")?;
        let hash = c.choice("a SHA-256 of 64 lower-case digits", |w| {
            let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            (w.len() == 64 && w.bytes().all(hex)).then(|| w.to_owned())
        })?;
        c.symbol(")")?;
        let shape = Shape(dims);
        self.claim(&at, shape.checked_len())?;
        blob::load(self.blobs, &hash, dtype, &shape).map_err(|why| Expected {
            fault: Fault::Blob,
            message: format!(
                "the array '{}' cannot be used: {why}",
                crate::origin::escape(&label)
            ),
            ..at.fail("")
        })
    }

    /// A parameter of `n` atoms.
    pub(super) fn param(&mut self, c: &mut Cursor<'_>, n: usize) -> Parsed<Param> {
        let before = c.clone();
        let tensor = self.tensor(c)?;
        let found = tensor.len();
        Param::new(tensor, n).ok_or_else(|| {
            before.fail(format!(
                "expected 1 value or {n}, one for each atom; found {found}"
            ))
        })
    }

    /// ` { key = value, … }`, where `read` reads the value of a key that it
    /// knows and says whether it did. The braces may be missing.
    pub(super) fn fields<'l>(
        &mut self,
        c: &mut Cursor<'l>,
        mut read: impl FnMut(&mut Self, &mut Cursor<'l>, &'l str) -> Parsed<bool>,
    ) -> Parsed<()> {
        let mut seen = BTreeSet::new();
        if !c.eat("{") || c.eat("}") {
            return Ok(());
        }
        loop {
            let before = c.clone();
            let key = c.word("a field")?;
            c.symbol("=")?;
            if !read(self, c, key)? {
                return Err(before.fail(format!("expected a field that this has, not `{key}`")));
            }
            if !seen.insert(key) {
                return Err(before.fail(format!("expected one field `{key}` only")));
            }
            if c.eat("}") {
                return Ok(());
            }
            if !c.eat(",") {
                return Err(c.fail("expected `,` or `}`"));
            }
        }
    }
}

/// A field that must be there.
pub(super) fn required<T>(c: &Cursor<'_>, field: Option<T>, key: &str) -> Parsed<T> {
    field.ok_or_else(|| c.fail(format!("expected a field `{key}` before this")))
}

/// `2x3xi8` as dimensions and element type.
fn array_type(word: &str) -> Option<(Vec<usize>, DType)> {
    let (dims, dtype) = match word.rsplit_once('x') {
        Some((dims, dtype)) => (Some(dims), dtype),
        None => (None, word),
    };
    let dtype = DTYPES.into_iter().find(|d| d.name() == dtype)?;
    let mut sizes = Vec::new();
    for dim in dims.iter().flat_map(|d| d.split('x')) {
        if sizes.len() == limit::RANK || !dim.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        sizes.push(dim.parse().ok()?);
    }
    Some((sizes, dtype))
}

/// Numbers up to a closing bracket, at most `most`.
fn elements(c: &mut Cursor<'_>, dtype: DType, most: usize) -> Parsed<Data> {
    fn all<T>(
        c: &mut Cursor<'_>,
        most: usize,
        what: &str,
        of: impl Fn(&str) -> Option<T>,
    ) -> Parsed<Vec<T>> {
        let mut values = Vec::new();
        while values.len() < most && c.peek() != Some(')') {
            values.push(c.choice(what, &of)?);
        }
        Ok(values)
    }
    Ok(match dtype {
        DType::F64 => Data::F64(all(c, most, "a float", f64_of)?),
        DType::F32 => Data::F32(all(c, most, "a float", f32_of)?),
        DType::I8 => Data::I8(all(c, most, "an integer of 8 bits", |w| w.parse().ok())?),
        DType::I16 => Data::I16(all(c, most, "an integer of 16 bits", |w| w.parse().ok())?),
        DType::I32 => Data::I32(all(c, most, "an integer of 32 bits", |w| w.parse().ok())?),
    })
}

fn f64_of(word: &str) -> Option<f64> {
    match word.strip_prefix("nan_") {
        Some(bits) => {
            let value = f64::from_bits(u64::from_str_radix(bits, 16).ok()?);
            value.is_nan().then_some(value)
        }
        None => word.parse().ok(),
    }
}

fn f32_of(word: &str) -> Option<f32> {
    match word.strip_prefix("nan_") {
        Some(bits) => {
            let value = f32::from_bits(u32::from_str_radix(bits, 16).ok()?);
            value.is_nan().then_some(value)
        }
        None => word.parse().ok(),
    }
}
