//! LZF, the fast compression of h5py (HDF5 filter 32000).
//!
//! A stream is a row of items. A control byte below 32 announces that many
//! plus one literal bytes; any other one is a reference: its top three bits
//! plus two are the length (seven: the next byte is added), the other five
//! bits and the next byte the distance minus one.

/// Id of the filter.
pub(super) const FILTER_LZF: u16 = 32000;

/// Unpacks `data` into at most `max` bytes; `None` if the stream is damaged or longer.
pub(super) fn decompress(data: &[u8], max: usize) -> Option<Vec<u8>> {
    // One input byte yields at most 88 output bytes (three bytes, 264), so a
    // small chunk cannot reserve a large buffer.
    let mut out = Vec::with_capacity(max.min(data.len().saturating_mul(90)));
    let mut input = data;
    let next = |input: &mut &[u8]| -> Option<u8> {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        Some(byte)
    };
    while let Some(control) = next(&mut input) {
        if control < 32 {
            let (literal, rest) = input.split_at_checked(usize::from(control) + 1)?;
            if out.len() + literal.len() > max {
                return None;
            }
            out.extend_from_slice(literal);
            input = rest;
            continue;
        }
        let mut n = usize::from(control >> 5) + 2;
        if n == 9 {
            n += usize::from(next(&mut input)?);
        }
        let distance = (usize::from(control & 31) << 8 | usize::from(next(&mut input)?)) + 1;
        let from = out.len().checked_sub(distance)?;
        if out.len() + n > max {
            return None;
        }
        // The source may run into what is being written: that repeats it.
        for i in from..from + n {
            let byte = *out.get(i)?;
            out.push(byte);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_references_and_overlap() {
        assert_eq!(decompress(&[2, b'a', b'b', b'c'], 9).unwrap(), b"abc");
        // "ab", then 6 bytes from distance 2: the overlap repeats the pair.
        let packed = [1, b'a', b'b', 4 << 5, 1];
        assert_eq!(decompress(&packed, 9).unwrap(), b"abababab");
        // Long form: 7 + 3 + 2 bytes from distance 1.
        assert_eq!(decompress(&[0, 7, 7 << 5, 3, 0], 99).unwrap(), [7; 13]);
    }

    #[test]
    fn damage_is_refused() {
        assert_eq!(decompress(&[5, 1], 99), None);
        assert_eq!(decompress(&[32, 0], 99), None);
        assert_eq!(decompress(&[0, 7, 7 << 5, 3, 0], 12), None);
        assert_eq!(decompress(&[0, 7, 7 << 5], 99), None);
    }
}
