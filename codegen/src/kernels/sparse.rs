//! Sparse projection: adds the listed synapses of one source atom.
//!
//! Sixteen entries an iteration in groups of four, the loads of a group before its
//! stores: the targets of one source differ, so no store of a group can meet a load
//! of it. A group says its four targets first and its four weights then, which takes
//! fewer words, hence fewer loads and registers, than a word for each entry.

use super::builder::KernelBuilder;
use super::lanes::Pair;
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;
use ir::memory::rows::{self, ENTRIES as GROUP};

/// `sparse(first entry, end of the entries, sink address)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SparseRow {
    pair: Pair,
}

/// Groups of an iteration.
const UNROLL: u32 = 4;

impl SparseRow {
    pub fn new(pair: Pair) -> Self {
        Self { pair }
    }
    pub fn pair(&self) -> Pair {
        self.pair
    }
    pub fn symbol(&self) -> String {
        format!("sparse_{}", self.pair.name())
    }

    fn entry_bytes(&self) -> u32 {
        rows::entry_bytes(self.pair.weight_bytes())
    }
    fn group_bytes(&self) -> u32 {
        GROUP * self.entry_bytes()
    }
    /// Bytes from a sink's start to a target of the slice.
    fn offset(&self, target: u32) -> Option<u16> {
        u16::try_from(target * self.pair.sink_bytes()).ok()
    }
    /// The entries of one source atom; `None` if a target is beyond the reach of the
    /// format.
    pub fn row_bytes(&self, synapses: &[(u32, i32)]) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut groups = synapses.chunks_exact(GROUP as usize);
        for group in &mut groups {
            let start = bytes.len();
            for &(target, _) in group {
                bytes.extend(self.offset(target)?.to_le_bytes());
            }
            bytes.extend(
                self.pair
                    .pack_plain(group.iter().map(|&(_, weight)| weight)),
            );
            bytes.resize(start + self.group_bytes() as usize, 0);
        }
        for &(target, weight) in groups.remainder() {
            let offset = self.offset(target)?;
            if self.entry_bytes() == 4 {
                let word = u32::from(offset) | (weight as u32) << 16;
                bytes.extend(word.to_le_bytes());
            } else {
                bytes.extend(u32::from(offset).to_le_bytes());
                bytes.extend(weight.to_le_bytes());
            }
        }
        Some(bytes)
    }

    pub(super) fn emit(
        &self,
        kb: &mut KernelBuilder<'_>,
        [from, end, sink]: [Value; 3],
        x: Option<Value>,
    ) {
        // What is left, less the bytes of an iteration.
        let mut left = kb.sub(end, from);
        let mut from = from;
        for groups in [UNROLL, 1] {
            let step = groups * self.group_bytes();
            let bytes = kb.int(step);
            let zero = kb.int(0);
            let ahead = kb.sub(left, bytes);
            let rest = kb.while_more(
                &[from, ahead],
                |kb, at| kb.compare(IntCC::SignedGreaterThanOrEqual, at[1], zero),
                |kb, at| {
                    for group in 0..groups {
                        self.group(kb, (at[0], (group * self.group_bytes()) as i32), sink, x);
                    }
                    vec![kb.add_const(at[0], step), kb.sub(at[1], bytes)]
                },
            );
            from = rest[0];
            left = kb.add(rest[1], bytes);
        }
        kb.each(from, end, self.entry_bytes(), |kb, at| {
            self.single(kb, at, sink, x);
        });
    }

    fn group(
        &self,
        kb: &mut KernelBuilder<'_>,
        (at, first): (Value, i32),
        sink: Value,
        x: Option<Value>,
    ) {
        let words = (2 + self.pair.weight_bytes()) as i32;
        let words: Vec<Value> = (0..words)
            .map(|k| kb.load_word(at, first + 4 * k))
            .collect();
        let (offsets, weights) = words.split_at(2);
        let mut places = Vec::new();
        for &two in offsets {
            places.push(kb.add_lower_half(sink, two));
            let upper = kb.shr_const(two, 16);
            places.push(kb.add(sink, upper));
        }
        let old: Vec<Value> = places
            .iter()
            .map(|&place| self.pair.load_sink(kb, place, 0))
            .collect();
        let sums: Vec<Value> = (0u32..)
            .zip(old)
            .map(|(k, old)| {
                let weight = self.pair.weight_of(kb, weights, k);
                self.pair.sum(kb, old, weight, x)
            })
            .collect();
        for (sum, place) in sums.into_iter().zip(places) {
            self.pair.store_sink(kb, sum, place, 0);
        }
    }

    fn single(&self, kb: &mut KernelBuilder<'_>, at: Value, sink: Value, x: Option<Value>) {
        let word = kb.load_word(at, 0);
        let (place, weight) = match self.entry_bytes() {
            4 => (kb.add_lower_half(sink, word), kb.upper_half(word)),
            _ => (kb.add(sink, word), kb.load_word(at, 4)),
        };
        let old = self.pair.load_sink(kb, place, 0);
        let sum = self.pair.sum(kb, old, weight, x);
        self.pair.store_sink(kb, sum, place, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::DType;

    fn row(weight: DType, sink: DType) -> SparseRow {
        SparseRow::new(Pair::new(weight, sink).expect("a known pair"))
    }

    #[test]
    fn four_entries_stand_together_and_the_rest_alone() {
        let synapses = [(1, 10), (2, -1), (5, 12), (7, 13), (9, -2)];
        let bytes = row(DType::I8, DType::I16)
            .row_bytes(&synapses)
            .expect("near");
        let offsets = [2, 0, 4, 0, 10, 0, 14, 0];
        let weights = [10, 0xff, 12, 13];
        let single = [18, 0, 0xfe, 0xff];
        assert_eq!(bytes[..8], offsets);
        assert_eq!(bytes[8..12], weights);
        assert_eq!(bytes[12..16], [0; 4]);
        assert_eq!(bytes[16..], single);
    }

    #[test]
    fn the_room_of_an_entry_is_that_of_the_plan() {
        for (weight, sink) in [
            (DType::I8, DType::I16),
            (DType::I16, DType::I32),
            (DType::I32, DType::I32),
            (DType::I32, DType::F32),
        ] {
            let row = row(weight, sink);
            for n in 0..10 {
                let synapses: Vec<(u32, i32)> = (0..n).map(|k| (k, -1)).collect();
                let bytes = row.row_bytes(&synapses).expect("near");
                let planned = rows::sparse_bytes(0, u64::from(n), weight.size() as u32);
                assert_eq!(bytes.len() as u64 + 4, planned);
            }
        }
    }

    #[test]
    fn a_target_beyond_16_bits_is_refused() {
        let row = row(DType::I8, DType::I16);
        assert!(row.row_bytes(&[(0x7fff, 1)]).is_some());
        assert!(row.row_bytes(&[(0x8000, 1)]).is_none());
    }
}
