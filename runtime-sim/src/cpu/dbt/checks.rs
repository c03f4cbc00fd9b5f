//! Whether what an instruction accesses lies in plain SRAM.
//!
//! Accesses of one node at constant distances from the same value share one check, which is
//! made at the first of them and covers all: it grows when a later one is emitted. It may
//! thus leave the region earlier than needed, which the interpreter doesn't mind; each
//! access is still behind a comparison that covers it.

use super::super::core::Core;
use super::emit::{Emitter, field};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{Inst, InstBuilder, InstructionData, Opcode, Value};
use std::collections::BTreeMap;
use std::mem::offset_of;

/// Bytes that one check covers at most; less than any SRAM for which code is translated.
const MAX_SPAN: i32 = 512;

/// Where an access may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// All of SRAM.
    Load,
    /// SRAM that holds no decoded code.
    Store,
}

/// A check that was emitted.
#[derive(Debug)]
struct Group {
    reach: Reach,
    root: Value,
    log2: u32,
    /// Bytes from the root that it covers.
    from: i32,
    to: i32,
    /// The constants in it that say so.
    from_at: Inst,
    limit_at: Inst,
}

/// The checks of a node, and how its values are made of others.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
    /// Values that are another one and a constant.
    sums: BTreeMap<Value, (Value, i32)>,
}

impl Groups {
    pub(super) fn clear(&mut self) {
        self.groups.clear();
        self.sums.clear();
    }

    pub(super) fn origin(&self, value: Value) -> (Value, i32) {
        self.sums.get(&value).copied().unwrap_or((value, 0))
    }

    /// A check with the same root that covers `from..to` or may be made to.
    fn find(&mut self, reach: Reach, root: Value, log2: u32, from: i32, to: i32) -> Option<usize> {
        let fits = |g: &Group| {
            let whole = (from.wrapping_sub(g.from)) & ((1 << log2) - 1) == 0;
            let span = g.to.max(to).checked_sub(g.from.min(from));
            g.reach == reach
                && g.root == root
                && g.log2 == log2
                && whole
                && span.is_some_and(|s| s <= MAX_SPAN)
        };
        self.groups.iter().position(fits)
    }
}

impl Emitter<'_> {
    /// `base + offset`.
    pub(super) fn moved(&mut self, base: Value, offset: i32) -> Value {
        if offset == 0 {
            return base;
        }
        let by = self.word(offset as u32);
        let sum = self.b.ins().iadd(base, by);
        let (root, before) = self.groups.origin(base);
        if let Some(distance) = before.checked_add(offset) {
            self.groups.sums.insert(sum, (root, distance));
        }
        sum
    }

    /// A constant, and the instruction that makes it.
    fn patchable(&mut self, value: u32) -> (Value, Option<Inst>) {
        let value = self.word(value);
        (value, self.b.func.dfg.value_def(value).inst())
    }

    fn patch(&mut self, at: Inst, value: u32) {
        self.b.func.dfg.insts[at] = InstructionData::UnaryImm {
            opcode: Opcode::Iconst,
            imm: i64::from(value).into(),
        };
    }

    /// The constant that the number of the first unit must be below, or for stores the number
    /// of units behind the first.
    fn limit(&self, reach: Reach, log2: u32, bytes: i32) -> u32 {
        let behind = (bytes as u32 >> log2) - 1;
        match reach {
            Reach::Load => (self.memory_bytes >> log2) - behind,
            Reach::Store => behind,
        }
    }

    /// Checks that `count` units of `1 << log2` bytes at `address` may be reached and are
    /// aligned, and gives the host's address.
    pub(super) fn check(&mut self, reach: Reach, address: Value, log2: u32, count: u32) -> Value {
        let bytes = (count << log2) as i32;
        let (root, at) = self.groups.origin(address);
        // Distances are compared as they are, so an access whose distances wrap stands alone.
        let (root, at, to) = match at.checked_add(bytes) {
            Some(to) => (root, at, to),
            None => (address, 0, bytes),
        };
        match self.groups.find(reach, root, log2, at, to) {
            Some(number) => self.widen(number, at, to),
            None => self.new_check(reach, root, log2, at, to),
        }
        self.host_address(address)
    }

    fn widen(&mut self, number: usize, from: i32, to: i32) {
        let group = &mut self.groups.groups[number];
        group.from = group.from.min(from);
        group.to = group.to.max(to);
        let (reach, log2) = (group.reach, group.log2);
        let (from, to, from_at, limit_at) = (group.from, group.to, group.from_at, group.limit_at);
        let limit = self.limit(reach, log2, to - from);
        self.patch(from_at, from as u32);
        self.patch(limit_at, limit);
    }

    fn new_check(&mut self, reach: Reach, root: Value, log2: u32, from: i32, to: i32) {
        let (distance, from_at) = self.patchable(from as u32);
        let first = self.b.ins().iadd(root, distance);
        let limit = self.limit(reach, log2, to - from);
        let (limit, limit_at) = self.patchable(limit);
        // Low bits that must be zero become high bits.
        let turned = |e: &mut Self, value: Value| {
            if log2 == 0 {
                return value;
            }
            let by = e.word(log2);
            e.b.ins().rotr(value, by)
        };
        let bad = match reach {
            Reach::Load => {
                let unit = turned(self, first);
                self.compare(IntCC::UnsignedGreaterThanOrEqual, unit, limit)
            }
            Reach::Store => {
                let low = self.load_core(I32, field!(link.low));
                let inside = self.b.ins().isub(first, low);
                let unit = turned(self, inside);
                let units = self.load_core(
                    I32,
                    match log2 {
                        0 => field!(link.bytes),
                        1 => field!(link.halves),
                        _ => field!(link.words),
                    },
                );
                let [unit, behind, units] =
                    [unit, limit, units].map(|x| self.b.ins().uextend(I64, x));
                let last = self.b.ins().iadd(unit, behind);
                self.compare(IntCC::UnsignedGreaterThanOrEqual, last, units)
            }
        };
        self.unless(bad);
        if let (Some(from_at), Some(limit_at)) = (from_at, limit_at) {
            self.groups.groups.push(Group {
                reach,
                root,
                log2,
                from,
                to,
                from_at,
                limit_at,
            });
        }
    }
}
