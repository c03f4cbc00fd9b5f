//! Names, strings, shapes and arrays.

use super::Printer;
use crate::tensor::{Data, Shape, Tensor};
use crate::text::blob;
use crate::text::lex::is_plain;
use std::fmt::Write;

/// A string in quotes, safe to print on a terminal and free of line ends.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // One rule for what may reach a terminal, in `origin::escape`.
            c => out.push_str(&crate::origin::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push('"');
    out
}

/// `@name`, in quotes if it needs them.
pub(super) fn name(text: &str) -> String {
    if is_plain(text) {
        format!("@{text}")
    } else {
        format!("@{}", quoted(text))
    }
}

/// A float that reads back to the same bits.
fn float<T: std::fmt::Debug>(value: T, bits: Option<u64>) -> String {
    match bits {
        Some(bits) => format!("nan_{bits:x}"),
        None => format!("{value:?}"),
    }
}

fn elements(data: &Data) -> Vec<String> {
    fn ints<T: ToString>(v: &[T]) -> Vec<String> {
        v.iter().map(T::to_string).collect()
    }
    match data {
        Data::F64(v) => v
            .iter()
            .map(|x| float(x, x.is_nan().then(|| x.to_bits())))
            .collect(),
        Data::F32(v) => v
            .iter()
            .map(|x| float(x, x.is_nan().then(|| u64::from(x.to_bits()))))
            .collect(),
        Data::I8(v) => ints(v),
        Data::I16(v) => ints(v),
        Data::I32(v) => ints(v),
    }
}

fn type_name(tensor: &Tensor) -> String {
    let dims = tensor.shape().0.iter().map(|d| format!("{d}x"));
    dims.collect::<String>() + tensor.dtype().name()
}

impl Printer<'_> {
    /// An array; `owner` and `field` make the label of a blob.
    pub(super) fn tensor(&mut self, tensor: &Tensor, owner: &str, field: &str) -> String {
        let ty = type_name(tensor);
        if tensor.shape().rank() == 0 {
            let value = elements(tensor.data()).concat();
            return match tensor.data() {
                Data::F64(_) => value,
                _ => format!("{ty}:{value}"),
            };
        }
        if self.options.inline_blobs || tensor.len() <= crate::text::INLINE_ELEMENTS {
            return format!("{ty}({})", elements(tensor.data()).join(" "));
        }
        let blob = blob::encode(tensor);
        let hash = blob.sha256.clone();
        self.blobs.insert(hash.clone(), blob);
        let label = quoted(&format!("{owner}.{field}"));
        format!("blob({label}, {ty}, {hash})")
    }

    /// ` { key = value, … }`, or nothing if there are no fields.
    pub(super) fn fields(&mut self, fields: &[(&str, String)]) -> std::fmt::Result {
        for (i, (key, value)) in fields.iter().enumerate() {
            let open = if i == 0 { " {" } else { "," };
            write!(self.out, "{open} {key} = {value}")?;
        }
        if !fields.is_empty() {
            self.out.push_str(" }");
        }
        Ok(())
    }

    /// ` keyword [shape]`, or nothing.
    pub(super) fn optional_shape(
        &mut self,
        keyword: &str,
        shape: Option<&Shape>,
    ) -> std::fmt::Result {
        match shape {
            Some(shape) => write!(self.out, " {keyword} {shape}"),
            None => Ok(()),
        }
    }
}
