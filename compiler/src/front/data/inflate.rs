//! The deflate decoder for compressed `.npz` members (RFC 1951).
//!
//! The size of the output is known from the archive's directory, so the
//! decoder works into a bounded buffer and any stream that says otherwise is
//! damaged.

/// A canonical Huffman code as a direct table: `width` bits of input, lowest
/// first, select a symbol and the number of bits that it used.
struct Code {
    table: Vec<(u16, u8)>,
    width: u8,
}

impl Code {
    /// `None` if the lengths are over-subscribed. Incomplete codes are fine
    /// (a lone distance code is one); their gaps have length zero.
    fn new(lengths: &[u8]) -> Option<Self> {
        let width = lengths.iter().copied().max().unwrap_or(0).max(1);
        let mut count = [0u32; 16];
        for &n in lengths.iter().filter(|&&n| n > 0) {
            *count.get_mut(usize::from(n))? += 1;
        }
        let mut next = [0u32; 17];
        for n in 1..16 {
            next[n + 1] = (next[n] + count[n]) << 1;
            if next[n] + count[n] > 1 << n {
                return None;
            }
        }
        let mut table = vec![(0u16, 0u8); 1 << width];
        for (symbol, &n) in lengths.iter().enumerate().filter(|(_, n)| **n > 0) {
            let code = &mut next[usize::from(n)];
            // Codes are stored most significant bit first, the stream is
            // read from the other end.
            let reversed = (*code as u16).reverse_bits() >> (16 - n);
            *code += 1;
            for slot in table.iter_mut().skip(usize::from(reversed)).step_by(1 << n) {
                *slot = (symbol as u16, n);
            }
        }
        Some(Self { table, width })
    }
}

struct Bits<'a> {
    input: &'a [u8],
    held: u64,
    count: u32,
}

impl Bits<'_> {
    /// Tops the buffer up; past the end it is filled with nothing.
    fn fill(&mut self) {
        while self.count <= 48 {
            let Some((&byte, rest)) = self.input.split_first() else {
                return;
            };
            self.held |= u64::from(byte) << self.count;
            self.count += 8;
            self.input = rest;
        }
    }
    fn take(&mut self, n: u32) -> Option<u32> {
        self.fill();
        if self.count < n {
            return None;
        }
        let value = (self.held & ((1 << n) - 1)) as u32;
        self.held >>= n;
        self.count -= n;
        Some(value)
    }
    fn symbol(&mut self, code: &Code) -> Option<u16> {
        self.fill();
        let at = (self.held & ((1 << code.width) - 1)) as usize;
        let &(symbol, used) = code.table.get(at)?;
        if used == 0 || u32::from(used) > self.count {
            return None;
        }
        self.held >>= used;
        self.count -= u32::from(used);
        Some(symbol)
    }
}

/// Unpacks a stream that yields exactly `size` bytes; `None` if it does not.
pub(super) fn inflate(data: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    out.try_reserve_exact(size).ok()?;
    let mut bits = Bits {
        input: data,
        held: 0,
        count: 0,
    };
    loop {
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => stored(&mut bits, &mut out, size)?,
            1 => {
                let (literals, distances) = fixed()?;
                block(&mut bits, &mut out, size, &literals, &distances)?;
            }
            2 => {
                let (literals, distances) = dynamic(&mut bits)?;
                block(&mut bits, &mut out, size, &literals, &distances)?;
            }
            _ => return None,
        }
        if last {
            return (out.len() == size).then_some(out);
        }
    }
}

fn stored(bits: &mut Bits<'_>, out: &mut Vec<u8>, size: usize) -> Option<()> {
    bits.take(bits.count % 8)?;
    let n = bits.take(16)?;
    if n ^ bits.take(16)? != 0xffff {
        return None;
    }
    let mut n = n as usize;
    if out.len() + n > size {
        return None;
    }
    // Whole bytes may still be held.
    while n > 0 && bits.count > 0 {
        out.push(bits.take(8)? as u8);
        n -= 1;
        if bits.count == 0 {
            break;
        }
    }
    let (bytes, rest) = bits.input.split_at_checked(n)?;
    out.extend_from_slice(bytes);
    bits.input = rest;
    Some(())
}

fn fixed() -> Option<(Code, Code)> {
    let mut lengths = [8u8; 288];
    lengths[144..256].fill(9);
    lengths[256..280].fill(7);
    Some((Code::new(&lengths)?, Code::new(&[5; 30])?))
}

fn dynamic(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    const ORDER: [usize; 19] = [
        16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
    ];
    let literals = bits.take(5)? as usize + 257;
    let distances = bits.take(5)? as usize + 1;
    let codes = bits.take(4)? as usize + 4;
    if literals > 286 || distances > 30 {
        return None;
    }
    let mut lengths = [0u8; 19];
    for &at in ORDER.iter().take(codes) {
        lengths[at] = bits.take(3)? as u8;
    }
    let code = Code::new(&lengths)?;
    let total = literals + distances;
    let mut lengths = Vec::with_capacity(total);
    while lengths.len() < total {
        let (value, repeat) = match bits.symbol(&code)? {
            symbol @ 0..=15 => (symbol as u8, 1),
            16 => (*lengths.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            _ => (0, 11 + bits.take(7)?),
        };
        lengths.extend(std::iter::repeat_n(value, repeat as usize));
    }
    if lengths.len() > total {
        return None;
    }
    Some((
        Code::new(&lengths[..literals])?,
        Code::new(&lengths[literals..])?,
    ))
}

fn block(
    bits: &mut Bits<'_>,
    out: &mut Vec<u8>,
    size: usize,
    literals: &Code,
    distances: &Code,
) -> Option<()> {
    loop {
        let symbol = bits.symbol(literals)?;
        match symbol {
            0..=255 if out.len() < size => out.push(symbol as u8),
            256 => return Some(()),
            257..=285 => {
                let n = length(u32::from(symbol) - 257, bits)?;
                let back = distance(u32::from(bits.symbol(distances)?), bits)?;
                let from = out.len().checked_sub(back)?;
                if out.len() + n > size {
                    return None;
                }
                // The source may run into what is being written.
                for i in from..from + n {
                    let byte = *out.get(i)?;
                    out.push(byte);
                }
            }
            _ => return None,
        }
    }
}

/// Lengths 3 to 258: eight single values, then groups of four with 1, 2, … extra bits.
fn length(code: u32, bits: &mut Bits<'_>) -> Option<usize> {
    Some(match code {
        0..=7 => code as usize + 3,
        28 => 258,
        _ => {
            let extra = (code - 4) / 4;
            let base = (4 + code % 4) << extra;
            (base + 3 + bits.take(extra)?) as usize
        }
    })
}

/// Distances 1 to 32768: four single values, then pairs with 1, 2, … extra bits.
fn distance(code: u32, bits: &mut Bits<'_>) -> Option<usize> {
    Some(match code {
        0..=3 => code as usize + 1,
        4..=29 => {
            let extra = (code - 2) / 2;
            let base = (2 + code % 2) << extra;
            (base + 1 + bits.take(extra)?) as usize
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_and_fixed_blocks() {
        let stored = [1, 3, 0, 0xfc, 0xff, b'a', b'b', b'c'];
        assert_eq!(inflate(&stored, 3).unwrap(), b"abc");
        // zlib's raw stream of b"abcabcabcabcabcabc" (fixed codes, one match).
        let fixed = [0x4b, 0x4c, 0x4a, 0x4e, 0x44, 0x45, 0x00];
        assert_eq!(inflate(&fixed, 18).unwrap(), b"abcabcabcabcabcabc");
    }

    #[test]
    fn wrong_sizes_and_cuts_are_refused() {
        let fixed = [0x4b, 0x4c, 0x4a, 0x4e, 0x44, 0x45, 0x00];
        assert_eq!(inflate(&fixed, 17), None);
        assert_eq!(inflate(&fixed, 19), None);
        for n in 0..fixed.len() - 1 {
            assert_eq!(inflate(&fixed[..n], 18), None, "{n} bytes");
        }
        assert_eq!(inflate(&[7], 0), None);
    }

    #[test]
    fn impossible_codes_are_refused() {
        assert!(Code::new(&[1, 1, 1]).is_none());
        assert!(Code::new(&[1]).is_some());
        assert!(Code::new(&[]).is_some());
    }
}
