//! Loads and stores. Anything but an aligned access to plain SRAM is left to the
//! interpreter: devices, faults, unaligned accesses, stores to code.

use super::super::op::{Index, LoadKind, Op, Reg, StoreKind};
use super::checks::Reach;
use super::emit::Emitter;
use cranelift_codegen::ir::types::{F32, I8, I16, I32};
use cranelift_codegen::ir::{InstBuilder, Value};

impl Emitter<'_> {
    /// Checks that `count` units of `1 << log2` bytes at `address` lie in SRAM and are
    /// aligned, and gives the host's address.
    fn check_load(&mut self, address: Value, log2: u32, count: u32) -> Value {
        self.check(Reach::Load, address, log2, count)
    }

    /// As [`Emitter::check_load`], in the part of SRAM that holds no decoded code.
    fn check_store(&mut self, address: Value, log2: u32, count: u32) -> Value {
        self.check(Reach::Store, address, log2, count)
    }

    fn load_kind(&mut self, kind: LoadKind, address: Value) -> Value {
        let log2 = match kind {
            LoadKind::W => 2,
            LoadKind::H | LoadKind::Sh => 1,
            LoadKind::B | LoadKind::Sb => 0,
        };
        let at = self.check_load(address, log2, 1);
        let value = self.load_unchecked(kind, at);
        if kind == LoadKind::W {
            self.note_loaded(value, address, at, 0);
        }
        value
    }

    fn load_unchecked(&mut self, kind: LoadKind, at: Value) -> Value {
        match kind {
            LoadKind::W => self.load_guest(I32, at, 0),
            LoadKind::H => {
                let half = self.load_guest(I16, at, 0);
                self.b.ins().uextend(I32, half)
            }
            LoadKind::Sh => {
                let half = self.load_guest(I16, at, 0);
                self.b.ins().sextend(I32, half)
            }
            LoadKind::B => {
                let byte = self.load_guest(I8, at, 0);
                self.b.ins().uextend(I32, byte)
            }
            LoadKind::Sb => {
                let byte = self.load_guest(I8, at, 0);
                self.b.ins().sextend(I32, byte)
            }
        }
    }

    fn store_kind(&mut self, kind: StoreKind, address: Value, value: Value) {
        match kind {
            StoreKind::W => {
                let at = self.check_store(address, 2, 1);
                self.store_guest(value, at, 0);
            }
            StoreKind::H => {
                let at = self.check_store(address, 1, 1);
                let half = self.b.ins().ireduce(I16, value);
                self.store_guest(half, at, 0);
            }
            StoreKind::B => {
                let at = self.check_store(address, 0, 1);
                let byte = self.b.ins().ireduce(I8, value);
                self.store_guest(byte, at, 0);
            }
        }
    }

    /// Address and new base.
    pub(super) fn indexed(&mut self, index: Index, rn: Reg, offset: i32) -> (Value, Value) {
        let base = self.get(rn);
        let moved = self.moved(base, offset);
        (if index == Index::Post { base } else { moved }, moved)
    }

    fn scaled(&mut self, rn: Reg, rm: Reg, shift: u8) -> Value {
        let (n, m) = (self.get(rn), self.get(rm));
        let m = if shift & 3 == 0 {
            m
        } else {
            self.left(m, u32::from(shift & 3))
        };
        self.b.ins().iadd(n, m)
    }

    /// The address of a block of words and what the base becomes.
    fn block_range(&mut self, down: bool, rn: Reg, count: u32) -> (Value, Value) {
        let base = self.get(rn);
        let size = 4 * count as i32;
        if down {
            let low = self.moved(base, -size);
            (low, low)
        } else {
            (base, self.moved(base, size))
        }
    }

    pub(super) fn access(&mut self, op: &Op, here: u32) {
        let pc = here.wrapping_add(4) & !3;
        match *op {
            Op::Load {
                kind,
                index,
                rt,
                rn,
                offset,
            } => {
                let (address, moved) = self.indexed(index, rn, offset);
                let value = self.load_kind(kind, address);
                if index != Index::Offset {
                    self.set_any(rn, moved);
                }
                self.set_any(rt, value);
            }
            Op::LoadReg {
                kind,
                rt,
                rn,
                rm,
                shift,
            } => {
                let address = self.scaled(rn, rm, shift);
                let value = self.load_kind(kind, address);
                self.set_any(rt, value);
            }
            Op::LoadLit { kind, rt, offset } => {
                let address = self.word(pc.wrapping_add_signed(offset));
                let value = self.load_kind(kind, address);
                self.set_any(rt, value);
            }
            Op::Store {
                kind,
                index,
                rt,
                rn,
                offset,
            } => {
                let (address, moved) = self.indexed(index, rn, offset);
                let value = self.get(rt);
                self.store_kind(kind, address, value);
                if index != Index::Offset {
                    self.set_any(rn, moved);
                }
            }
            Op::StoreReg {
                kind,
                rt,
                rn,
                rm,
                shift,
            } => {
                let address = self.scaled(rn, rm, shift);
                let value = self.get(rt);
                self.store_kind(kind, address, value);
            }
            Op::LoadDual {
                index,
                rt,
                rt2,
                rn,
                offset,
            } => {
                let (address, moved) = if rn == 15 {
                    let address = self.word(pc.wrapping_add_signed(offset.into()));
                    (address, address)
                } else {
                    self.indexed(index, rn, offset.into())
                };
                let at = self.check_load(address, 2, 2);
                let first = self.load_guest(I32, at, 0);
                let second = self.load_guest(I32, at, 4);
                self.note_loaded(first, address, at, 0);
                self.note_loaded(second, address, at, 4);
                if index != Index::Offset {
                    self.set_any(rn, moved);
                }
                self.set(rt, first);
                self.set(rt2, second);
            }
            Op::StoreDual {
                index,
                rt,
                rt2,
                rn,
                offset,
            } => {
                let (address, moved) = self.indexed(index, rn, offset.into());
                let words = [self.get(rt), self.get(rt2)];
                let at = self.check_store(address, 2, 2);
                for (i, word) in words.into_iter().enumerate() {
                    self.store_guest(word, at, 4 * i as i32);
                }
                if index != Index::Offset {
                    self.set_any(rn, moved);
                }
            }
            Op::LoadMany { .. } => {
                self.load_many(op);
            }
            Op::StoreMany {
                down,
                writeback,
                rn,
                list,
            } => {
                let count = list.count_ones();
                let (address, moved) = self.block_range(down, rn, count);
                let at = self.check_store(address, 2, count);
                let registers = (0..16).filter(|r| list >> r & 1 != 0);
                for (i, r) in registers.enumerate() {
                    let value = self.get(r);
                    self.store_guest(value, at, 4 * i as i32);
                }
                if writeback {
                    self.set_any(rn, moved);
                }
            }
            // Hints, and branches that are ends of nodes.
            _ => {}
        }
    }

    /// LDM without its branch; gives what was loaded to PC.
    fn load_many(&mut self, op: &Op) -> Option<Value> {
        let Op::LoadMany {
            down,
            writeback,
            rn,
            list,
        } = *op
        else {
            return None;
        };
        let count = list.count_ones();
        let (address, moved) = self.block_range(down, rn, count);
        let at = self.check_load(address, 2, count);
        let registers = (0..16_u8).filter(|r| list >> r & 1 != 0);
        let values: Vec<(u8, Value)> = registers
            .enumerate()
            .map(|(i, r)| {
                let value = self.load_guest(I32, at, 4 * i as i32);
                self.note_loaded(value, address, at, 4 * i as i32);
                (r, value)
            })
            .collect();
        let target = values.iter().find(|(r, _)| *r == 15).map(|v| v.1);
        if let Some(target) = target {
            self.check_target(target);
        }
        for (r, value) in values {
            if r != 15 {
                self.set(r, value);
            }
        }
        if writeback {
            self.set_any(rn, moved);
        }
        target
    }

    /// POP with PC: gives the target.
    pub(super) fn load_many_with_pc(&mut self, op: &Op) -> Value {
        match self.load_many(op) {
            Some(target) => target,
            None => self.word(0),
        }
    }

    /// Consecutive FPU registers from memory.
    pub(super) fn load_floats(&mut self, address: Value, first: u8, count: u8) {
        let at = self.check_load(address, 2, count.into());
        for i in 0..count {
            if usize::from(first + i) < 32 {
                let value = self.load_guest(F32, at, 4 * i32::from(i));
                self.set_s(first + i, value);
            }
        }
    }

    /// Consecutive FPU registers to memory.
    pub(super) fn store_floats(&mut self, address: Value, first: u8, count: u8) {
        let at = self.check_store(address, 2, count.into());
        for i in 0..count {
            let value = self.get_s(first + i);
            self.store_guest(value, at, 4 * i32::from(i));
        }
    }

    /// VLDM and VSTM.
    pub(super) fn float_block(&mut self, op: &Op) {
        let (Op::VLoadMany {
            down,
            writeback,
            rn,
            d,
            count,
        }
        | Op::VStoreMany {
            down,
            writeback,
            rn,
            d,
            count,
        }) = *op
        else {
            return;
        };
        let (address, moved) = self.block_range(down, rn, count.into());
        if matches!(op, Op::VLoadMany { .. }) {
            self.load_floats(address, d, count);
        } else {
            self.store_floats(address, d, count);
        }
        if writeback {
            self.set_any(rn, moved);
        }
    }
}
