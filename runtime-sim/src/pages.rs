//! A copy of SRAM that holds only what is not zero.
//!
//! Most of a PE's SRAM is never written. Pages of zeros are neither kept here nor
//! touched when memory is put back, so that a machine of thousands of PEs takes the
//! host as much memory as its programs use.

use crate::cpu::Memory;

/// Bytes that are kept or compared at once.
const PAGE: usize = 1024;

static ZEROS: [u8; PAGE] = [0; PAGE];

/// The contents of a memory at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages {
    /// Numbers of the pages that are kept, ascending.
    kept: Vec<u32>,
    /// Their bytes, one after the other; the last page may be shorter.
    bytes: Vec<u8>,
}

/// From the first byte that differs to behind the last one.
fn difference(a: &[u8], b: &[u8]) -> Option<(usize, usize)> {
    if a == b {
        return None;
    }
    let differs = |(a, b): (&u8, &u8)| a != b;
    let from = a.iter().zip(b).position(differs)?;
    let to = a.iter().zip(b).rposition(differs)?;
    Some((from, to + 1))
}

impl Pages {
    pub(crate) fn of(memory: &Memory) -> Self {
        let mut pages = Self::default();
        for (number, page) in (0..).zip(memory.bytes().chunks(PAGE)) {
            if page != &ZEROS[..page.len()] {
                pages.kept.push(number);
                pages.bytes.extend_from_slice(page);
            }
        }
        pages.bytes.shrink_to_fit();
        pages
    }

    /// Puts `memory`, from which this was taken, back. It is compared and only what
    /// differs is written, so that code which did not change stays decoded.
    pub(crate) fn restore(&self, memory: &mut Memory) {
        let mut kept = self.kept.iter().peekable();
        let mut rest = &self.bytes[..];
        for number in 0..memory.size().div_ceil(PAGE) {
            let at = number * PAGE;
            let length = PAGE.min(memory.size() - at);
            let old = if kept.next_if(|&&k| k as usize == number).is_some() {
                let (page, others) = rest.split_at(length.min(rest.len()));
                rest = others;
                page
            } else {
                &ZEROS[..length]
            };
            let now = memory.bytes().get(at..at + old.len());
            if let Some((from, to)) = now.and_then(|now| difference(now, old)) {
                // This was taken of this memory, so it has its size.
                let _ = memory.write((at + from) as u32, &old[from..to]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_comes_back_and_zeros_take_no_room() {
        let mut memory = Memory::new(3 * PAGE + 16);
        memory.write(5, &[1, 2, 3]).expect("inside");
        memory.write(3 * PAGE as u32 + 12, &[9; 4]).expect("inside");
        let before = memory.bytes().to_vec();
        let pages = Pages::of(&memory);
        assert_eq!((pages.kept.len(), pages.bytes.len()), (2, PAGE + 16));
        memory.write(6, &[7; 2000]).expect("inside");
        memory.write(3 * PAGE as u32, &[8; 16]).expect("inside");
        pages.restore(&mut memory);
        assert_eq!(memory.bytes(), before);
        let copy = memory.clone();
        assert_eq!(copy.bytes(), before);
    }
}
