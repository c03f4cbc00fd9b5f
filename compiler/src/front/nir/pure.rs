//! The store on the pure-Rust HDF5 reader.

use super::graph::Values;
use super::lzf;
use super::store::{Claim, Element, MAX_DATASET_BYTES, MAX_TEXT_BYTES, Members, NirStore};
use super::store::{StoreError, StoreResult};
use hdf5_core::{DataLayout, Datatype, StringPadding, StringSize, VarLenKind};
use hdf5_reader::group::Group;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::{Dataset, FilterRegistry, Hdf5File, OpenOptions};
use std::sync::Arc;

/// Largest chunk: 64 MiB; NIR writers make chunks of a few KiB.
const MAX_CHUNK_BYTES: usize = 64 << 20;
/// Largest object header: 4 MiB; real ones have a few hundred bytes.
const MAX_HEADER_BYTES: usize = 4 << 20;
const FILTER_DEFLATE: u16 = 1;
const FILTER_SHUFFLE: u16 = 2;
const FILTER_FLETCHER32: u16 = 3;
const FILTER_SZIP: u16 = 4;

/// An open HDF5 file.
pub(super) struct PureStore {
    file: Hdf5File,
}

impl PureStore {
    pub(super) fn open(bytes: &[u8]) -> StoreResult<Self> {
        let mut filters = FilterRegistry::new();
        filters.register(
            lzf::FILTER_LZF,
            Box::new(|filter, data, _| {
                // h5py stores the unpacked chunk size as third parameter.
                let size = filter.client_data.get(2).map_or(0, |&n| n as usize);
                lzf::decompress(data, size.min(MAX_CHUNK_BYTES)).ok_or_else(|| {
                    hdf5_reader::error::Error::DecompressionError("damaged LZF stream".to_owned())
                })
            }),
        );
        let options = OpenOptions::default()
            .with_filter_registry(filters)
            .with_chunk_cache_bytes(0)
            .with_max_chunk_bytes(MAX_CHUNK_BYTES)
            .with_max_read_bytes(MAX_DATASET_BYTES as usize)
            .with_max_object_header_bytes(MAX_HEADER_BYTES);
        let file =
            Hdf5File::from_shared_bytes_with_options(Arc::from(bytes), options).map_err(wrap)?;
        Ok(Self { file })
    }

    /// Layout and filters are not part of the reader's dataset type, so they
    /// are looked up in the object header. Returns whether it is chunked.
    fn check_storage(&self, dataset: &Dataset) -> StoreResult<bool> {
        let mut chunked = dataset.chunks().is_some();
        let header = self
            .file
            .get_or_parse_header(dataset.address())
            .map_err(wrap)?;
        for message in &header.messages {
            match message {
                HdfMessage::DataLayout(m) => {
                    chunked |= matches!(m.layout, DataLayout::Chunked { .. });
                }
                HdfMessage::FilterPipeline(m) => {
                    let ids: Vec<u16> = m.filters.iter().map(|f| f.id).collect();
                    check_filters(&ids)?;
                }
                HdfMessage::ExternalFiles(_) => {
                    return Err(StoreError::Unsupported {
                        what: "a dataset that lies in another file".to_owned(),
                        help: "export the network into one file".to_owned(),
                    });
                }
                _ => {}
            }
        }
        Ok(chunked)
    }

    fn read_text(&self, dataset: &Dataset, raw: &[u8]) -> StoreResult<Vec<String>> {
        if let Datatype::String {
            size: StringSize::Fixed(n),
            padding,
            ..
        } = dataset.dtype()
        {
            let n = *n as usize;
            if n == 0 {
                return Err(StoreError::Damaged("strings of length zero".to_owned()));
            }
            let spaces = *padding == StringPadding::SpacePad;
            return raw.chunks_exact(n).map(|s| text(s, spaces)).collect();
        }
        let width = dataset.vlen_reference_size();
        let references = raw.chunks_exact(width);
        // Many references can name one heap object, so the sum is checked
        // before any of them is followed.
        let total: u64 = references
            .clone()
            .filter_map(|r| r.first_chunk::<4>())
            .map(|n| u64::from(u32::from_le_bytes(*n)))
            .sum();
        if total > MAX_TEXT_BYTES {
            return Err(StoreError::Limit(format!(
                "{total} bytes of text, the limit for one dataset is {MAX_TEXT_BYTES}"
            )));
        }
        references
            .map(|r| {
                let bytes = dataset.resolve_vlen_reference_bytes(r, 1).map_err(wrap)?;
                text(&bytes, false)
            })
            .collect()
    }
}

/// Accepts what NIR writers and h5py can produce. Stacked compressors are
/// refused: the inner size of such a stack has no bound.
fn check_filters(ids: &[u16]) -> StoreResult<()> {
    const HELP: &str = "write the file again with nir.write(..., compression=\"gzip\")";
    let unsupported = |what: String| StoreError::Unsupported {
        what,
        help: HELP.to_owned(),
    };
    let mut compressors = 0;
    for &id in ids {
        match id {
            FILTER_SHUFFLE | FILTER_FLETCHER32 => {}
            FILTER_DEFLATE | lzf::FILTER_LZF => compressors += 1,
            FILTER_SZIP => return Err(unsupported("szip compression (HDF5 filter 4)".into())),
            5 => return Err(unsupported("n-bit packing (HDF5 filter 5)".into())),
            6 => return Err(unsupported("scale-offset packing (HDF5 filter 6)".into())),
            32001 => return Err(unsupported("Blosc compression (HDF5 filter 32001)".into())),
            32004 => return Err(unsupported("LZ4 compression (HDF5 filter 32004)".into())),
            32015 => {
                return Err(unsupported(
                    "Zstandard compression (HDF5 filter 32015)".into(),
                ));
            }
            other => return Err(unsupported(format!("HDF5 filter {other}"))),
        }
    }
    if compressors > 1 || ids.len() > 4 {
        return Err(unsupported("a stack of compression filters".into()));
    }
    Ok(())
}

impl NirStore for PureStore {
    type Group = Group;
    type Dataset = Dataset;

    fn root(&self) -> StoreResult<Group> {
        self.file.root_group().map_err(wrap)
    }
    fn identity(&self, group: &Group) -> Option<u64> {
        Some(group.address())
    }
    fn members(&self, group: &Group) -> StoreResult<Members> {
        let (groups, datasets) = group.member_names().map_err(wrap)?;
        Ok(Members { groups, datasets })
    }
    fn group(&self, parent: &Group, name: &str) -> StoreResult<Group> {
        parent.group(name).map_err(wrap)
    }
    fn dataset(&self, parent: &Group, name: &str) -> StoreResult<Dataset> {
        parent.dataset(name).map_err(wrap)
    }
    fn numbers(&self, group: &Group) -> StoreResult<Vec<(String, f64)>> {
        let attributes = group.attributes().map_err(wrap)?;
        let number = |a: &hdf5_reader::Attribute| match a.datatype {
            Datatype::FixedPoint { .. } | Datatype::FloatingPoint { .. } => a.read_as_f64().ok(),
            _ => None,
        };
        let named = attributes
            .iter()
            .filter_map(|a| Some((a.name.clone(), number(a)?)));
        Ok(named.collect())
    }
    fn claim(&self, dataset: &Dataset) -> StoreResult<Claim> {
        let chunked = self.check_storage(dataset)?;
        let element = match dataset.dtype() {
            Datatype::FixedPoint {
                size: 1 | 2 | 4 | 8,
                ..
            } => Element::Int,
            Datatype::FloatingPoint { size, .. } => float(*size, dataset),
            Datatype::String { .. } => Element::Text,
            Datatype::VarLen {
                kind: VarLenKind::String,
                base,
                ..
            } if base.is_vlen_string_base() => Element::Text,
            Datatype::Enum { base, .. } => match base.as_ref() {
                Datatype::FixedPoint {
                    size: 1 | 2 | 4 | 8,
                    ..
                } => Element::Bool,
                _ => Element::Other("an enumeration".to_owned()),
            },
            Datatype::FixedPoint { size, .. } => {
                Element::Other(format!("an integer of {size} bytes"))
            }
            Datatype::Compound { .. } => Element::Other("a compound".to_owned()),
            Datatype::Array { .. } => Element::Other("an array type".to_owned()),
            Datatype::VarLen { .. } => Element::Other("variable-length sequences".to_owned()),
            Datatype::Opaque { .. } => Element::Other("opaque bytes".to_owned()),
            Datatype::Reference { .. } => Element::Other("references".to_owned()),
            Datatype::Bitfield { .. } => Element::Other("a bit field".to_owned()),
        };
        let element_bytes = match element {
            Element::Other(_) => 0,
            _ => dataset.raw_element_size().map_err(wrap)? as u64,
        };
        Ok(Claim {
            shape: dataset.shape().to_vec(),
            element,
            element_bytes,
            chunked,
        })
    }
    fn read(&self, dataset: &Dataset, claim: &Claim) -> StoreResult<Values> {
        if let Element::Other(what) = &claim.element {
            return Ok(Values::Other(what.clone()));
        }
        let raw = dataset.read_raw_bytes().map_err(wrap)?;
        let number = match dataset.dtype() {
            Datatype::Enum { base, .. } => base.as_ref(),
            other => other,
        };
        let (size, signed, order) = match number {
            Datatype::FixedPoint {
                size,
                signed,
                byte_order,
            } => (*size, *signed, *byte_order),
            Datatype::FloatingPoint { size, byte_order } => (*size, true, *byte_order),
            _ => return Ok(Values::Text(self.read_text(dataset, &raw)?)),
        };
        let big = order == hdf5_reader::ByteOrder::BigEndian;
        // Every element as little-endian bits in a u64.
        let bits = raw.chunks_exact(usize::from(size).max(1)).map(|c| {
            let fold = |n: u64, &b: &u8| n << 8 | u64::from(b);
            if big {
                c.iter().fold(0, fold)
            } else {
                c.iter().rev().fold(0, fold)
            }
        });
        Ok(match claim.element {
            Element::F16 => Values::F32(bits.map(|b| f16_to_f32(b as u16)).collect()),
            Element::F32 => Values::F32(bits.map(|b| f32::from_bits(b as u32)).collect()),
            Element::F64 => Values::F64(bits.map(f64::from_bits).collect()),
            _ => {
                let unused = 64 - 8 * u32::from(size);
                let ints: Option<Vec<i64>> = bits
                    .map(|b| {
                        if signed {
                            Some((b << unused) as i64 >> unused)
                        } else {
                            i64::try_from(b).ok()
                        }
                    })
                    .collect();
                match ints {
                    Some(ints) => Values::Int(ints),
                    None => Values::Other("unsigned integers above 2^63".to_owned()),
                }
            }
        })
    }
}

/// Which float a type of `size` bytes is. The reader knows only its size, so
/// the field widths are taken from the stored type: bfloat16 is not float16.
fn float(size: u8, dataset: &Dataset) -> Element {
    let widths = dataset
        .raw_datatype()
        .ok()
        .and_then(|raw| Some((*raw.get(13)?, *raw.get(15)?)));
    match (size, widths) {
        (2, Some((5, 10)) | None) => Element::F16,
        (4, Some((8, 23)) | None) => Element::F32,
        (8, Some((11, 52)) | None) => Element::F64,
        (2, Some((8, 7))) => Element::Other("bfloat16".to_owned()),
        _ => Element::Other(format!("an uncommon float of {size} bytes")),
    }
}

/// Exact: every half is a single.
pub(crate) fn f16_to_f32(half: u16) -> f32 {
    let sign = u32::from(half >> 15) << 31;
    let exponent = u32::from(half >> 10 & 31);
    let fraction = u32::from(half & 0x3ff);
    match exponent {
        // Subnormal: the fraction counts units of 2^-24.
        0 => {
            let magnitude = fraction as f32 / 16_777_216.0;
            f32::from_bits(magnitude.to_bits() | sign)
        }
        31 => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

/// A string up to its first zero byte, and up to its padding if that is spaces.
fn text(bytes: &[u8], spaces: bool) -> StoreResult<String> {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    match std::str::from_utf8(&bytes[..end]) {
        Ok(s) if spaces => Ok(s.trim_end_matches(' ').to_owned()),
        Ok(s) => Ok(s.to_owned()),
        Err(_) => Err(StoreError::Damaged("text is not UTF-8".to_owned())),
    }
}

fn wrap(error: hdf5_reader::error::Error) -> StoreError {
    use hdf5_reader::error::Error;
    match error {
        Error::Context { source, .. } => wrap(*source),
        Error::ResourceLimit(what) => StoreError::Limit(what),
        Error::UnsupportedFilter(what) | Error::UnsupportedEncoding(what) => {
            StoreError::Unsupported {
                what: format!("HDF5 {what}"),
                help: "write the file again with nir.write".to_owned(),
            }
        }
        other => StoreError::Damaged(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_widen_exactly() {
        for (half, single) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 2f32.powi(-24)),
            (0x0400, 2f32.powi(-14)),
            (0x83ff, -1023.0 * 2f32.powi(-24)),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(f16_to_f32(half), single, "{half:04x}");
        }
        assert_eq!(f16_to_f32(0x8000).to_bits(), (-0.0f32).to_bits());
        assert_eq!(f16_to_f32(0xfc00), f32::NEG_INFINITY);
        assert!(f16_to_f32(0x7e01).is_nan());
    }

    #[test]
    fn compressors_are_not_stacked() {
        assert!(check_filters(&[2, 1, 3]).is_ok());
        assert!(check_filters(&[32000]).is_ok());
        for bad in [&[1u16, 1][..], &[1, 32000], &[4], &[2, 2, 2, 2, 2]] {
            assert!(matches!(
                check_filters(bad),
                Err(StoreError::Unsupported { .. })
            ));
        }
    }
}
