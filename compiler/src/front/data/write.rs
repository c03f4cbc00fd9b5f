//! Results as `.npz`.

use super::array::{Array, Elements};
use ir::{Code, Diagnostic, Origin};
use ndarray::{ArrayViewD, IxDyn};
use ndarray_npy::{NpzWriter, WritableElement, WriteNpzError};
use std::io::Cursor;

/// Writes arrays in the given order. Equal arrays give equal bytes: the
/// archive holds no times. `file` is only for messages.
pub fn write_npz(arrays: &[(String, Array)], file: &str) -> ir::diag::Result<Vec<u8>> {
    let fail = |e: WriteNpzError| {
        let origin = Origin::File {
            file: file.to_owned(),
        };
        Diagnostic::error(
            Code::FileAccess,
            &origin,
            format!("the arrays cannot be written: {e}"),
        )
    };
    let mut writer = NpzWriter::new(Cursor::new(Vec::new()));
    for (name, array) in arrays {
        let name = encode_name(name);
        let dims = IxDyn(&array.shape().0);
        match array.elements() {
            Elements::U8(v) => add(&mut writer, name, dims, v),
            Elements::I32(v) => add(&mut writer, name, dims, v),
            Elements::F32(v) => add(&mut writer, name, dims, v),
            Elements::F64(v) => add(&mut writer, name, dims, v),
        }
        .map_err(fail)?;
    }
    Ok(writer.finish().map_err(fail)?.into_inner())
}

fn add<T: WritableElement>(
    writer: &mut NpzWriter<Cursor<Vec<u8>>>,
    name: String,
    dims: IxDyn,
    values: &[T],
) -> Result<(), WriteNpzError> {
    // The shape of an `Array` fits its elements, so the view always exists.
    match ArrayViewD::from_shape(dims, values) {
        Ok(view) => writer.add_array(name, &view),
        Err(e) => Err(WriteNpzError::Zip(
            std::io::Error::other(e.to_string()).into(),
        )),
    }
}

/// A node name as a member of an archive: what could leave a folder when the
/// archive is unpacked, and the sign that marks such places, is percent-encoded.
pub fn encode_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("..") {
            out.push_str("%2E%2E");
            rest = &rest[2..];
            continue;
        }
        if matches!(c, '/' | '\\' | '%') || c.is_control() {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        } else {
            out.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_the_archive() {
        assert_eq!(encode_name("lif1.lif"), "lif1.lif");
        assert_eq!(encode_name("../a/b"), "%2E%2E%2Fa%2Fb");
        assert_eq!(encode_name("50%"), "50%25");
        assert_eq!(encode_name("größe"), "größe");
        assert_eq!(encode_name("a\n"), "a%0A");
    }
}
