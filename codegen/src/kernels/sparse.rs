//! Sparse projection: adds the listed synapses of one source atom.
//!
//! Sixteen entries an iteration in groups of four, the loads of a group before its
//! stores: the targets of one source differ, so no store of a group can meet a load
//! of it.

use super::builder::KernelBuilder;
use super::lanes::Pair;
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;
use ir::memory::rows;

/// `sparse(first entry, end of the entries, sink address)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SparseRow {
    pair: Pair,
}

/// Entries that are added at once: more would not fit the registers.
const GROUP: u32 = 4;
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

    pub fn entry_bytes(&self) -> u32 {
        rows::entry_bytes(self.pair.weight_bytes())
    }
    /// Bytes from a sink's start to a target of the slice.
    pub fn offset(&self, target: u32) -> u32 {
        target * self.pair.sink_bytes()
    }
    /// One entry; `None` if the target is beyond the reach of the format.
    pub fn entry(&self, target: u32, weight: i32) -> Option<Vec<u8>> {
        let offset = u16::try_from(self.offset(target)).ok()?;
        Some(match self.entry_bytes() {
            4 => {
                let word = u32::from(offset) | (weight as u32) << 16;
                word.to_le_bytes().to_vec()
            }
            _ => {
                let words = [u32::from(offset), weight as u32];
                words.into_iter().flat_map(u32::to_le_bytes).collect()
            }
        })
    }

    pub(super) fn emit(
        &self,
        kb: &mut KernelBuilder<'_>,
        [from, end, sink]: [Value; 3],
        x: Option<Value>,
    ) {
        let bytes = self.entry_bytes();
        let mut from = from;
        for groups in [UNROLL, 1] {
            let room = kb.int(groups * GROUP * bytes);
            let last = kb.sub(end, room);
            let rest = kb.while_more(
                &[from],
                |kb, at| kb.compare(IntCC::SignedLessThanOrEqual, at[0], last),
                |kb, at| {
                    for group in 0..groups {
                        let first = (group * GROUP * bytes) as i32;
                        self.add(kb, (at[0], first), sink, GROUP, x);
                    }
                    vec![kb.add_const(at[0], groups * GROUP * bytes)]
                },
            );
            from = rest[0];
        }
        kb.each(from, end, bytes, |kb, at| {
            self.add(kb, (at, 0), sink, 1, x);
        });
    }

    fn add(
        &self,
        kb: &mut KernelBuilder<'_>,
        (at, first): (Value, i32),
        sink: Value,
        n: u32,
        x: Option<Value>,
    ) {
        let bytes = self.entry_bytes() as i32;
        let entries = 0..n as i32;
        let firsts: Vec<Value> = entries
            .clone()
            .map(|k| kb.load_word(at, first + bytes * k))
            .collect();
        let weights: Vec<Value> = match bytes {
            4 => firsts.iter().map(|&word| kb.upper_half(word)).collect(),
            _ => entries
                .map(|k| kb.load_word(at, first + bytes * k + 4))
                .collect(),
        };
        let places: Vec<Value> = firsts
            .iter()
            .map(|&word| match bytes {
                4 => kb.add_lower_half(sink, word),
                _ => kb.add(sink, word),
            })
            .collect();
        let old: Vec<Value> = places
            .iter()
            .map(|&place| self.pair.load_sink(kb, place, 0))
            .collect();
        let sums: Vec<Value> = old
            .into_iter()
            .zip(weights)
            .map(|(old, weight)| self.pair.sum(kb, old, weight, x))
            .collect();
        for (sum, place) in sums.into_iter().zip(places) {
            self.pair.store_sink(kb, sum, place, 0);
        }
    }
}
