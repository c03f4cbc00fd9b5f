//! The `.npy` format: a Python dictionary in text, then the elements.

use super::array::{Array, Elements};
use super::{Fault, MAX_DECODED_BYTES};
use ir::Shape;
use ir::origin::escape;

const MAGIC: &[u8] = b"\x93NUMPY";
/// Longest header text: real ones have a hundred characters.
const MAX_HEADER: usize = 16_384;

/// Parses an array. What the header claims is compared with the bytes there are.
pub(super) fn parse(bytes: &[u8]) -> Result<Array, Fault> {
    let header = header(bytes)?;
    let kind = Kind::of(&header.descr)?;
    let elements = header.shape.checked_len();
    let claimed = elements.and_then(|n| n.checked_mul(kind.size));
    let (Some(elements), Some(claimed)) = (elements, claimed) else {
        return Err(format!("the shape {} has too many elements", header.shape));
    };
    if claimed > header.data.len() {
        return Err(format!(
            "the header promises {} x {} bytes = {claimed} bytes, the array has {}",
            header.shape,
            kind.size,
            header.data.len()
        ));
    }
    // An integer takes eight bytes while it is being read.
    let held = if kind.is_byte() { 1 } else { 8 };
    if (elements as u64).saturating_mul(held) > 2 * MAX_DECODED_BYTES {
        return Err(format!(
            "{} has {elements} elements, which is more than the {MAX_DECODED_BYTES} bytes that are allowed can hold",
            header.shape
        ));
    }
    let decoded = kind.decode(&header.data[..claimed])?;
    let elements = if header.fortran && header.shape.rank() > 1 {
        transpose(&decoded, &header.shape.0)
    } else {
        decoded
    };
    Array::new(header.shape, elements).ok_or_else(|| "the array is inconsistent".to_owned())
}

struct Header<'a> {
    descr: String,
    fortran: bool,
    shape: Shape,
    data: &'a [u8],
}

fn header(bytes: &[u8]) -> Result<Header<'_>, Fault> {
    let bad = || "the NumPy header is damaged".to_owned();
    let rest = bytes
        .strip_prefix(MAGIC)
        .ok_or_else(|| "it is not a NumPy array (.npy)".to_owned())?;
    let (length, start) = match rest {
        [1, _, a, b, ..] => (usize::from(u16::from_le_bytes([*a, *b])), 4),
        [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 6),
        _ => return Err(bad()),
    };
    if length > MAX_HEADER {
        return Err(format!(
            "the NumPy header has {length} characters, the limit is {MAX_HEADER}"
        ));
    }
    let (text, data) = rest
        .get(start..)
        .and_then(|r| r.split_at_checked(length))
        .ok_or_else(bad)?;
    let text = std::str::from_utf8(text).map_err(|_| bad())?;
    let value = |key: &str| {
        ["'", "\""].iter().find_map(|quote| {
            let (_, after) = text.split_once(&format!("{quote}{key}{quote}"))?;
            Some(after.trim_start().strip_prefix(':')?.trim_start())
        })
    };
    let descr = value("descr").ok_or_else(bad)?;
    let descr = match descr.chars().next() {
        Some(quote @ ('\'' | '"')) => descr[1..].split(quote).next().unwrap_or_default(),
        _ => return Err("its elements are records; plain numbers are needed".to_owned()),
    };
    let fortran = value("fortran_order").ok_or_else(bad)?;
    let fortran = match fortran {
        f if f.starts_with("True") => true,
        f if f.starts_with("False") => false,
        _ => return Err(bad()),
    };
    let shape = value("shape")
        .and_then(|v| v.strip_prefix('('))
        .and_then(|v| v.split_once(')'))
        .map(|(dims, _)| dims)
        .ok_or_else(bad)?;
    let dims: Option<Vec<usize>> = shape
        .split(',')
        .map(str::trim)
        .filter(|d| !d.is_empty())
        .map(|d| d.trim_end_matches('L').parse().ok())
        .collect();
    Ok(Header {
        descr: descr.to_owned(),
        fortran,
        shape: Shape(dims.ok_or_else(bad)?),
        data,
    })
}

/// An element type: kind letter, size, byte order.
struct Kind {
    letter: char,
    size: usize,
    big: bool,
}

impl Kind {
    fn of(descr: &str) -> Result<Self, Fault> {
        let (big, name) = match descr.as_bytes().first() {
            Some(b'>') => (true, &descr[1..]),
            Some(b'<' | b'|' | b'=') => (false, &descr[1..]),
            _ => (false, descr),
        };
        let letter = name.chars().next().unwrap_or(' ');
        let size = name.get(1..).and_then(|s| s.parse().ok()).unwrap_or(0);
        match (letter, size) {
            ('b' | '?', 1) | ('i' | 'u', 1 | 2 | 4 | 8) | ('f', 2 | 4 | 8) => {
                Ok(Self { letter, size, big })
            }
            _ => Err(format!(
                "its elements have the type '{}'; booleans, integers up to 64 bits and floats are taken",
                escape(descr)
            )),
        }
    }

    /// Booleans and unsigned bytes are kept as they are.
    fn is_byte(&self) -> bool {
        self.letter != 'i' && self.size == 1
    }

    fn decode(&self, data: &[u8]) -> Result<Elements, Fault> {
        if self.is_byte() {
            return Ok(Elements::U8(data.to_vec()));
        }
        let bits = data.chunks_exact(self.size).map(|c| {
            let fold = |n: u64, &b: &u8| n << 8 | u64::from(b);
            if self.big {
                c.iter().fold(0, fold)
            } else {
                c.iter().rev().fold(0, fold)
            }
        });
        Ok(match (self.letter, self.size) {
            ('f', 2) => Elements::F32(
                bits.map(|b| crate::front::nir::f16_to_f32(b as u16))
                    .collect(),
            ),
            ('f', 4) => Elements::F32(bits.map(|b| f32::from_bits(b as u32)).collect()),
            ('f', _) => Elements::F64(bits.map(f64::from_bits).collect()),
            (letter, size) => {
                let unused = 64 - 8 * size as u32;
                let ints: Option<Vec<i64>> = if letter == 'i' {
                    bits.map(|b| Some((b << unused) as i64 >> unused)).collect()
                } else {
                    bits.map(|b| i64::try_from(b).ok()).collect()
                };
                ints.and_then(Elements::from_ints)
                    .ok_or_else(|| "it holds integers beyond 2^53".to_owned())?
            }
        })
    }
}

/// From Fortran order (first index fastest) to C order.
fn transpose(elements: &Elements, dims: &[usize]) -> Elements {
    let n = elements.len();
    let mut stride = vec![1usize; dims.len()];
    for i in 1..dims.len() {
        stride[i] = stride[i - 1] * dims[i - 1];
    }
    let mut source = Vec::with_capacity(n);
    let mut at = vec![0usize; dims.len()];
    let mut offset = 0;
    for _ in 0..n {
        source.push(offset);
        for d in (0..dims.len()).rev() {
            at[d] += 1;
            offset += stride[d];
            if at[d] < dims[d] {
                break;
            }
            offset -= at[d] * stride[d];
            at[d] = 0;
        }
    }
    fn pick<T: Copy>(v: &[T], source: &[usize]) -> Vec<T> {
        source.iter().map(|&i| v[i]).collect()
    }
    match elements {
        Elements::U8(v) => Elements::U8(pick(v, &source)),
        Elements::I32(v) => Elements::I32(pick(v, &source)),
        Elements::F32(v) => Elements::F32(pick(v, &source)),
        Elements::F64(v) => Elements::F64(pick(v, &source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let text =
            format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0]);
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn element_types_and_orders() {
        let two = |d: &str, data: &[u8]| {
            let array = parse(&npy(d, "False", "(2,)", data)).unwrap();
            array.into_elements()
        };
        assert_eq!(two("|u1", &[3, 255]), Elements::U8(vec![3, 255]));
        assert_eq!(two("|b1", &[0, 1]), Elements::U8(vec![0, 1]));
        assert_eq!(two("|i1", &[0xff, 1]), Elements::I32(vec![-1, 1]));
        assert_eq!(two("<u2", &[1, 1, 0, 0]), Elements::I32(vec![257, 0]));
        assert_eq!(two(">i2", &[0, 5, 0, 6]), Elements::U8(vec![5, 6]));
        assert_eq!(
            two("<f2", &[0, 0x3c, 0, 0xc0]),
            Elements::F32(vec![1.0, -2.0])
        );
        assert_eq!(
            two(">f4", &[0x3f, 0x80, 0, 0, 0, 0, 0, 0]),
            Elements::F32(vec![1.0, 0.0])
        );
        let wide = [0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(two("<i8", &wide), Elements::F64(vec![4_294_967_296.0, 2.0]));
    }

    #[test]
    fn scalars_and_fortran_order() {
        assert_eq!(
            parse(&npy("|u1", "False", "()", &[9])).unwrap().shape(),
            &Shape::default()
        );
        let array = parse(&npy("|u1", "True", "(2, 3)", &[1, 4, 2, 5, 3, 6])).unwrap();
        assert_eq!(array.into_elements(), Elements::U8(vec![1, 2, 3, 4, 5, 6]));
    }

    #[test]
    fn forged_headers_are_refused() {
        for (descr, shape, words) in [
            ("|u1", "(4000000000, 4000000000, 4000000000)", "too many"),
            ("<f8", "(1000000000,)", "8000000000 bytes"),
            ("|u1", "(3,)", "has 2"),
            ("|O", "(2,)", "type '|O'"),
            ("<c8", "(2,)", "type"),
            ("<f4", "(-1,)", "damaged"),
        ] {
            let error = parse(&npy(descr, "False", shape, &[0, 0])).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        assert!(parse(b"").is_err());
        assert!(parse(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").is_err());
        assert!(parse(&npy("|u1", "Maybe", "(2,)", &[0, 0])).is_err());
    }
}
