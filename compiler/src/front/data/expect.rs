//! Reference outputs: the arrays of an `.npz` by name, or one `.npy`.

use super::array::Array;
use super::{MAX_DECODED_BYTES, fault, npy, zip};
use ir::Diagnostic;
use ir::diag::Result;
use ir::origin::escape;
use std::collections::BTreeMap;

/// The names of arrays of an archive, and the way to read one.
pub(super) struct Archive<'a> {
    bytes: &'a [u8],
    file: &'a str,
    members: BTreeMap<String, zip::Member>,
}

impl<'a> Archive<'a> {
    pub(super) fn open(bytes: &'a [u8], file: &'a str) -> Result<Self> {
        let members = zip::members(bytes).map_err(|e| fault(file, e))?;
        let members = members
            .into_iter()
            .filter_map(|m| Some((m.name.strip_suffix(".npy")?.to_owned(), m)))
            .collect();
        Ok(Self {
            bytes,
            file,
            members,
        })
    }
    pub(super) fn names(&self) -> Vec<String> {
        self.members.keys().cloned().collect()
    }
    pub(super) fn holds(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }
    pub(super) fn array(&self, name: &str) -> Result<Array> {
        let Some(member) = self.members.get(name) else {
            let what = format!("the file has no array '{}'", escape(name));
            return Err(fault(self.file, what).note(self.listing()).into());
        };
        zip::read(self.bytes, member)
            .and_then(|bytes| npy::parse(&bytes))
            .map_err(|e| {
                let what = format!("array '{}' cannot be read: {e}", escape(name));
                fault(self.file, what).into()
            })
    }
    /// What the file holds, for messages.
    pub(super) fn listing(&self) -> String {
        let names: Vec<String> = self.members.keys().map(|n| escape(n)).collect();
        format!("the file holds: {}", names.join(", "))
    }
}

/// Whether the bytes begin as a zip archive.
pub(super) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// Says what a file that is neither `.npz` nor `.npy` lacks.
pub(super) fn not_numpy(file: &str) -> Diagnostic {
    fault(file, "this is neither an .npz nor an .npy file".to_owned())
        .help("save the arrays with numpy.savez_compressed")
}

/// Reads every numeric array. A lone `.npy` array is called `x`.
pub fn read_arrays(bytes: &[u8], file: &str) -> Result<BTreeMap<String, Array>> {
    if !is_zip(bytes) {
        return match npy::parse(bytes) {
            Ok(array) => Ok(BTreeMap::from([("x".to_owned(), array)])),
            Err(_) if !bytes.starts_with(b"\x93NUMPY") => Err(not_numpy(file).into()),
            Err(e) => Err(fault(file, format!("the array cannot be read: {e}")).into()),
        };
    }
    let archive = Archive::open(bytes, file)?;
    let total: u64 = archive.members.values().map(zip::Member::size).sum();
    if total > MAX_DECODED_BYTES {
        let what = format!("the arrays take {total} bytes, the limit is {MAX_DECODED_BYTES}");
        return Err(fault(file, what)
            .help("name one array: FILE.npz:ARRAY")
            .into());
    }
    let mut arrays = BTreeMap::new();
    for name in archive.names() {
        arrays.insert(name.clone(), archive.array(&name)?);
    }
    Ok(arrays)
}

/// Reads the references of `--expect`: all arrays, or the named one.
pub fn read_expect(
    bytes: &[u8],
    file: &str,
    array: Option<&str>,
) -> Result<BTreeMap<String, Array>> {
    match array {
        Some(name) if is_zip(bytes) => {
            let array = Archive::open(bytes, file)?.array(name)?;
            Ok(BTreeMap::from([(name.to_owned(), array)]))
        }
        Some(_) | None => read_arrays(bytes, file),
    }
}

/// Splits `FILE.npz:ARRAY` at the colon behind the ending; other colons
/// belong to the file name.
pub fn split_expect(argument: &str) -> (&str, Option<&str>) {
    match argument.rsplit_once(':') {
        Some((file, array)) if file.to_ascii_lowercase().ends_with(".npz") => (file, Some(array)),
        _ => (argument, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_array_is_behind_the_ending() {
        assert_eq!(split_expect("ref.npz"), ("ref.npz", None));
        assert_eq!(split_expect("ref.npz:out"), ("ref.npz", Some("out")));
        assert_eq!(split_expect("C:\\ref.npz"), ("C:\\ref.npz", None));
        assert_eq!(split_expect("a:b.NPZ:c"), ("a:b.NPZ", Some("c")));
    }
}
