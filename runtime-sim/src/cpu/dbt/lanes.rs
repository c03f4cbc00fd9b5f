//! Rows of int8 weights, sixteen at a time, as vectors of the host.
//!
//! Row kernels keep the sums of sixteen targets as pairs of int16 in R0 to R7, and add
//! the four words of a row to them by eight SXTAB16. An [`Octet`] of these is two vectors
//! of eight sums. The sums then stay in the core's own registers, in memory: the
//! variables of R0 to R7 become *stale*, and who reads one loads it first
//! ([`super::state`]). Where that may be is known before anything is emitted ([`stale`]).

use super::super::core::Core;
use super::super::op::{Extract, Op, Reg};
use super::emit::{Emitter, field, guest_flags};
use super::plan::{Item, Node};
use super::state::{Set, Uses};
use cranelift_codegen::ir::types::{I8X16, I16X8};
use cranelift_codegen::ir::{ConstantData, InstBuilder, MemFlagsData, Value};
use std::collections::BTreeMap;
use std::mem::offset_of;

/// Instructions of an octet; they change as many registers, R0 and up.
pub(super) const OCTET: usize = 8;
/// The registers that it changes.
const SUMS: Set = (1 << OCTET) - 1;
/// Words of a row.
const WORDS: i32 = 4;

/// Eight SXTAB16 that add to each of R0 to R7 two bytes of a register that is none of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Octet {
    /// By register: where the bytes come from, and by how many bytes that is rotated.
    sources: [(Reg, u8); OCTET],
}

impl Octet {
    /// The octet that `items` begin with.
    pub(super) fn at(items: &[Item]) -> Option<Octet> {
        let mut sources = [None; OCTET];
        for item in items.get(..OCTET)? {
            let Op::Extend {
                x: Extract::Sb16,
                rd,
                rn,
                rm,
                rot,
            } = item.slot.op
            else {
                return None;
            };
            let source = sources.get_mut(usize::from(rd))?;
            let fits = rn == rd && usize::from(rm) >= OCTET && item.runs && source.is_none();
            if !fits {
                return None;
            }
            *source = Some((rm, rot / 8));
        }
        let sources = sources.map(|s| s.unwrap_or_default());
        // The order is of no consequence: no instruction changes what another one reads.
        Some(Octet { sources })
    }

    /// By byte of the two vectors, lane by lane: the register that it comes from and its
    /// place there.
    fn bytes(&self) -> impl Iterator<Item = (Reg, u8)> {
        let lanes = |(rm, turn): (Reg, u8)| [(rm, turn % 4), (rm, (turn + 2) % 4)];
        self.sources.into_iter().flat_map(lanes)
    }
}

fn has_octet(node: &Node) -> bool {
    (0..node.items.len()).any(|i| Octet::at(&node.items[i..]).is_some())
}

/// The registers whose variables may be stale at the beginning of each node; `None` if there
/// is no octet. `uses` are those of the nodes without octets.
pub(super) fn stale(nodes: &[Node], uses: &[Uses]) -> Option<Vec<Set>> {
    if cfg!(target_endian = "big") || !nodes.iter().any(has_octet) {
        return None;
    }
    let octets: Vec<bool> = nodes.iter().map(has_octet).collect();
    let behind = |before: Set, n: usize| match octets[n] {
        true => SUMS,
        // What is read is loaded, what is written is known.
        false => before & !uses[n].touched(),
    };
    let mut stale = vec![0; nodes.len()];
    let mut settled = false;
    while !settled {
        settled = true;
        for (n, node) in nodes.iter().enumerate() {
            let out = behind(stale[n], n);
            for next in node.successors() {
                settled &= out & !stale[next] == 0;
                stale[next] |= out;
            }
        }
    }
    Some(stale)
}

/// Words that a node has loaded and that memory still holds.
#[derive(Debug, Default)]
pub(super) struct Loaded(BTreeMap<Value, Word>);

/// Where a word was loaded from: at a distance from a value, and at a host address behind an
/// offset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub(super) root: Value,
    pub(super) distance: i32,
    pub(super) at: Value,
    pub(super) offset: i32,
}

impl Loaded {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn note(&mut self, value: Value, word: Word) {
        self.0.insert(value, word);
    }
}

impl Emitter<'_> {
    /// Emits `octet` as vectors; false, and nothing is emitted, if its bytes are not those of
    /// four words that were loaded from one place.
    pub(super) fn octet(&mut self, octet: &Octet) -> bool {
        let Some((row, mask)) = self.row_of(octet) else {
            return false;
        };
        self.flush_registers(SUMS);
        let bytes = self.b.ins().load(I8X16, guest_flags(), row.at, row.offset);
        let mask = self
            .b
            .func
            .dfg
            .immediates
            .push(ConstantData::from(&mask[..]));
        let bytes = self.b.ins().shuffle(bytes, bytes, mask);
        let halves = [
            self.b.ins().swiden_low(bytes),
            self.b.ins().swiden_high(bytes),
        ];
        for (half, offset) in halves.into_iter().zip([0, 16]) {
            // The core is aligned as its fields need it, not as a vector.
            let flags = MemFlagsData::new().with_notrap();
            let at = field!(regs) + offset;
            let old = self.b.ins().load(I16X8, flags, self.core, at);
            let sums = self.b.ins().iadd(old, half);
            self.b.ins().store(flags, sums, self.core, at);
        }
        self.state.change_in_core(SUMS);
        true
    }

    /// The first word of the row and, by byte of the vectors, the place in the row.
    fn row_of(&mut self, octet: &Octet) -> Option<(Word, [u8; 16])> {
        let mut words = BTreeMap::new();
        for (rm, _) in octet.bytes() {
            let value = self.get(rm);
            words.insert(rm, *self.loaded.0.get(&value)?);
        }
        let first = *words.values().min_by_key(|w| w.distance)?;
        let mut mask = [0; 16];
        for (place, (rm, byte)) in mask.iter_mut().zip(octet.bytes()) {
            let word = words.get(&rm)?;
            let from = word.distance.checked_sub(first.distance)?;
            if word.root != first.root || from % 4 != 0 || from >= 4 * WORDS {
                return None;
            }
            *place = u8::try_from(from).ok()? + byte;
        }
        // All sixteen bytes are read, so all must have been checked.
        let checked = (0..WORDS).all(|k| {
            let same = |w: &Word| w.distance - first.distance == 4 * k;
            words.values().any(same)
        });
        checked.then_some((first, mask))
    }
}
