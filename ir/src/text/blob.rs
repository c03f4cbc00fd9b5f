//! Arrays beside the text: `.npy` files named by the SHA-256 of their bytes.

use crate::tensor::{DType, Data, Shape, Tensor};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// An array that the text refers to: the contents of `<sha256>.npy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// 64 lower-case hexadecimal digits.
    pub sha256: String,
    pub npy: Vec<u8>,
}

/// Where the parser finds blobs.
pub trait BlobSource {
    /// The file of that hash. Files above `max_bytes` can't be the one that is
    /// meant and need not be read; the error says in one phrase what is wrong.
    fn load(&self, sha256: &str, max_bytes: usize) -> Result<Vec<u8>, String>;
}

/// A source for texts that hold all their arrays.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBlobs;

impl BlobSource for NoBlobs {
    fn load(&self, _: &str, _: usize) -> Result<Vec<u8>, String> {
        Err("no folder of arrays belongs to this text".to_owned())
    }
}

impl BlobSource for BTreeMap<String, Vec<u8>> {
    fn load(&self, sha256: &str, _: usize) -> Result<Vec<u8>, String> {
        self.get(sha256)
            .cloned()
            .ok_or_else(|| "there is no such array".to_owned())
    }
}

impl BlobSource for Vec<Blob> {
    fn load(&self, sha256: &str, _: usize) -> Result<Vec<u8>, String> {
        self.iter()
            .find(|b| b.sha256 == sha256)
            .map(|b| b.npy.clone())
            .ok_or_else(|| "there is no such array".to_owned())
    }
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
/// Magic and the two bytes of the header's length.
const PREFIX: usize = MAGIC.len() + 2;
/// More than any header of a shape within the parser's rank limit.
const MAX_HEADER: usize = u16::MAX as usize;

/// The dictionary that describes an array of this type, without padding.
fn header(dtype: DType, shape: &Shape) -> String {
    let descr = match dtype {
        DType::F64 => "<f8",
        DType::F32 => "<f4",
        DType::I8 => "|i1",
        DType::I16 => "<i2",
        DType::I32 => "<i4",
    };
    let dims: Vec<String> = shape.0.iter().map(usize::to_string).collect();
    let dims = match dims.as_slice() {
        [one] => format!("{one},"),
        dims => dims.join(", "),
    };
    format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}")
}

pub(super) fn encode(tensor: &Tensor) -> Blob {
    let mut text = header(tensor.dtype(), tensor.shape());
    // The data starts at a multiple of 64, as the format asks for.
    while !(PREFIX + text.len() + 1).is_multiple_of(64) {
        text.push(' ');
    }
    text.push('\n');
    let mut npy = Vec::with_capacity(PREFIX + text.len() + tensor.len() * tensor.dtype().size());
    npy.extend(MAGIC);
    // A header of a shape that exists in memory is far below 64 KiB.
    npy.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
    npy.extend(text.as_bytes());
    match tensor.data() {
        Data::F64(v) => npy.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Data::F32(v) => npy.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Data::I8(v) => npy.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Data::I16(v) => npy.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        Data::I32(v) => npy.extend(v.iter().flat_map(|x| x.to_le_bytes())),
    }
    Blob {
        sha256: sha256(&npy),
        npy,
    }
}

/// Loads an array and checks that it is the one that the text declares.
pub(super) fn load(
    source: &dyn BlobSource,
    hash: &str,
    dtype: DType,
    shape: &Shape,
) -> Result<Tensor, String> {
    let bytes = shape
        .checked_len()
        .and_then(|n| n.checked_mul(dtype.size()))
        .ok_or("the shape overflows")?;
    let npy = source.load(hash, bytes.saturating_add(PREFIX + MAX_HEADER))?;
    let found = sha256(&npy);
    if found != hash {
        return Err(format!("its contents have the hash {found}"));
    }
    let data = decode(&npy, dtype, shape).ok_or_else(|| {
        let dims = shape.0.iter().map(|d| format!("{d}x"));
        format!(
            "it is not a .npy array of {}{}",
            dims.collect::<String>(),
            dtype.name()
        )
    })?;
    if data.len() != bytes {
        return Err(format!("it holds {} bytes, expected {bytes}", data.len()));
    }
    let data = match dtype {
        DType::F64 => Data::F64(words(data).map(f64::from_le_bytes).collect()),
        DType::F32 => Data::F32(words(data).map(f32::from_le_bytes).collect()),
        DType::I8 => Data::I8(words(data).map(i8::from_le_bytes).collect()),
        DType::I16 => Data::I16(words(data).map(i16::from_le_bytes).collect()),
        DType::I32 => Data::I32(words(data).map(i32::from_le_bytes).collect()),
    };
    Tensor::new(shape.clone(), data).ok_or_else(|| "its size is not the shape's".to_owned())
}

/// The data part, if the header describes exactly this type.
fn decode<'a>(npy: &'a [u8], dtype: DType, shape: &Shape) -> Option<&'a [u8]> {
    let rest = npy.strip_prefix(MAGIC)?;
    let (len, rest) = rest.split_first_chunk::<2>()?;
    let (text, data) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
    let text = std::str::from_utf8(text).ok()?;
    (text.trim_end() == header(dtype, shape)).then_some(data)
}

fn words<const N: usize>(data: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    data.as_chunks::<N>().0.iter().copied()
}
