//! Straight-line blocks of frequent instructions.
//!
//! What the inner loop does for every instruction (limit, interrupts, decoding, IT
//! state, timing) is done here once for a whole block, because inside it nothing can
//! change: a block holds only [`Hot`] forms, which reach nothing but registers and local
//! SRAM. An instruction that turns out to need more, such as a load from a device or a
//! store into code, *bails out*: the core's state is then exactly that before this
//! instruction, and the inner loop executes it alone. Results and cycle counts are
//! therefore the same with and without blocks, which the tests check.

use super::core::Core;
use super::exec::branch_target;
use super::hot::Hot;
use super::memory::{Memory, NoMmio};
use super::op::{Dp, Index, LoadKind, Op, Reg, Shift, StoreKind};

/// No block starts here, and none was tried.
const UNKNOWN: u32 = 0;
/// No block can start here.
const NONE: u32 = u32::MAX;
/// Longest block, so that a limit is never far from a block's end.
pub(super) const MAX_STEPS: usize = 64;
/// When so many steps are stored, all are dropped; bounds the memory of a guest that
/// branches to every address.
const MAX_STORED: usize = 1 << 17;

/// One instruction of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) hot: Hot,
    /// Address of the instruction.
    pub(super) here: u32,
    /// Cycles of the block before this instruction.
    pub(super) before: u32,
    /// What the instruction before this one left for the timing of this one.
    pub(super) left: u64,
}

/// A run of instructions that are executed together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    first: u32,
    count: u32,
    /// Address behind the last instruction.
    pub(super) end: u32,
    /// Cycles, without what the first instruction feels of the one before, and without
    /// the refill of a taken branch.
    pub(super) cycles: u32,
    /// What the last instruction leaves.
    pub(super) leaves: u64,
    /// Cost of the first instruction on its own, and what it feels.
    pub(super) first_cost: u8,
    pub(super) first_feels: u64,
    /// The first instruction that needs the FPU to be ready; the number of instructions if
    /// none does.
    pub(super) fpu_from: u32,
    /// Executions until it is hot; 0 for never.
    pub(super) cold: u32,
}

/// What is known about an address as the start of a block.
pub(super) enum Start<'a> {
    Block(&'a Block, &'a [Step]),
    /// A block that has just become hot.
    Hot,
    Unknown,
    None,
}

/// All blocks of a core.
#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    /// By halfword: index of a block plus one, or a mark.
    starts: Vec<u32>,
    blocks: Vec<Block>,
    steps: Vec<Step>,
}

impl Blocks {
    #[inline(always)]
    pub(super) fn at(&mut self, pc: u32) -> Start<'_> {
        let Some(&start) = self.starts.get((pc >> 1) as usize) else {
            return Start::Unknown;
        };
        match start {
            UNKNOWN => Start::Unknown,
            NONE => Start::None,
            n => {
                let block = &mut self.blocks[n as usize - 1];
                if block.cold != 0 {
                    block.cold -= 1;
                    if block.cold == 0 {
                        return Start::Hot;
                    }
                }
                let first = block.first as usize;
                Start::Block(block, &self.steps[first..first + block.count as usize])
            }
        }
    }

    /// Notes the block that starts at `pc`; without steps, that none can.
    pub(super) fn insert(&mut self, pc: u32, steps: &[Step], mut block: Block) {
        if self.steps.len() + steps.len() > MAX_STORED {
            self.clear();
        }
        let index = (pc >> 1) as usize;
        if index >= self.starts.len() {
            let length = (index + 1).next_power_of_two().max(1024);
            self.starts.resize(length, UNKNOWN);
        }
        if steps.is_empty() {
            self.starts[index] = NONE;
            return;
        }
        block.first = self.steps.len() as u32;
        block.count = steps.len() as u32;
        self.steps.extend_from_slice(steps);
        self.blocks.push(block);
        self.starts[index] = self.blocks.len() as u32;
    }

    /// True if a block starts at `pc` that has run at least `runs` times, or was hot.
    pub(super) fn ran(&self, pc: u32, threshold: u32, runs: u32) -> bool {
        match self.starts.get((pc >> 1) as usize) {
            Some(&UNKNOWN) | None => false,
            // A single instruction that is no block.
            Some(&NONE) => true,
            Some(&n) => self
                .blocks
                .get(n as usize - 1)
                .is_some_and(|b| b.cold > threshold || threshold - b.cold >= runs),
        }
    }

    /// Lets the block at `pc` become hot again after so many executions.
    pub(super) fn set_cold(&mut self, pc: u32, executions: u32) {
        if let Some(&n) = self.starts.get((pc >> 1) as usize)
            && n != NONE
            && let Some(block) = self.blocks.get_mut((n as usize).wrapping_sub(1))
        {
            block.cold = executions;
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.starts.clear();
        self.blocks.clear();
        self.steps.clear();
    }
}

impl Block {
    /// A block still without instructions.
    pub(super) fn empty(pc: u32) -> Block {
        Block {
            first: 0,
            count: 0,
            end: pc,
            cycles: 0,
            leaves: 0,
            first_cost: 0,
            first_feels: 0,
            fpu_from: 0,
            cold: 0,
        }
    }
}

/// How a block ended.
pub(super) enum End {
    /// All instructions were executed; the next address, and whether a conditional
    /// branch was taken.
    Done(u32, bool),
    /// The step with this index needs more; it and what follows was not executed.
    Bail(usize),
}

impl Core {
    /// Executes the steps of a block: registers, flags and memory, but not time.
    #[inline(always)]
    pub(super) fn execute_block(&mut self, steps: &[Step], end: u32, memory: &mut Memory) -> End {
        for (index, step) in steps.iter().enumerate() {
            match step.hot {
                Hot::Pure(ref op) => {
                    if self.execute(op, step.here, memory, &mut NoMmio).is_err() {
                        return End::Bail(index);
                    }
                }
                Hot::Access(ref op) => {
                    if !self.plain_access(op, step.here, memory)
                        || self.execute(op, step.here, memory, &mut NoMmio).is_err()
                    {
                        return End::Bail(index);
                    }
                }
                Hot::MovImm { rd, imm } => {
                    self.set(rd, imm);
                }
                Hot::AddImm { rd, rn, imm } => {
                    self.set(rd, self.get(rn).wrapping_add(imm));
                }
                Hot::AddsImm { rd, rn, imm } => {
                    let sum = self.flags.add(self.get(rn), imm);
                    self.set(rd, sum);
                }
                Hot::SubsImm { rd, rn, imm } => {
                    let difference = self.flags.sub(self.get(rn), imm);
                    self.set(rd, difference);
                }
                Hot::CmpImm { rn, imm } => {
                    self.flags.sub(self.get(rn), imm);
                }
                Hot::AndImm { rd, rn, imm } => {
                    self.set(rd, self.get(rn) & imm);
                }
                Hot::MovReg { rd, rm } => {
                    self.set(rd, self.get(rm));
                }
                Hot::AddReg { rd, rn, rm } => {
                    self.set(rd, self.get(rn).wrapping_add(self.get(rm)));
                }
                Hot::AddsReg { rd, rn, rm } => {
                    let sum = self.flags.add(self.get(rn), self.get(rm));
                    self.set(rd, sum);
                }
                Hot::SubReg { rd, rn, rm } => {
                    self.set(rd, self.get(rn).wrapping_sub(self.get(rm)));
                }
                Hot::SubsReg { rd, rn, rm } => {
                    let difference = self.flags.sub(self.get(rn), self.get(rm));
                    self.set(rd, difference);
                }
                Hot::AndsReg { rd, rn, rm } => {
                    let result = self.get(rn) & self.get(rm);
                    self.flags.set_nz(result);
                    self.set(rd, result);
                }
                Hot::OrrsReg { rd, rn, rm } => {
                    let result = self.get(rn) | self.get(rm);
                    self.flags.set_nz(result);
                    self.set(rd, result);
                }
                Hot::EorsReg { rd, rn, rm } => {
                    let result = self.get(rn) ^ self.get(rm);
                    self.flags.set_nz(result);
                    self.set(rd, result);
                }
                Hot::MovsImm { rd, imm } => {
                    self.flags.set_nz(imm);
                    self.set(rd, imm);
                }
                Hot::Lsls { rd, rm, amount } => {
                    let wide = u64::from(self.get(rm)) << (amount & 31);
                    self.flags.set_nzc(wide as u32, wide >> 32 & 1 != 0);
                    self.set(rd, wide as u32);
                }
                Hot::Lsrs { rd, rm, amount } => {
                    let last = self.get(rm) >> (amount.wrapping_sub(1) & 31);
                    self.flags.set_nzc(last >> 1, last & 1 != 0);
                    self.set(rd, last >> 1);
                }
                Hot::Asrs { rd, rm, amount } => {
                    let last = self.get(rm) as i32 >> (amount.wrapping_sub(1) & 31);
                    self.flags.set_nzc((last >> 1) as u32, last & 1 != 0);
                    self.set(rd, (last >> 1) as u32);
                }
                Hot::Shifted {
                    f,
                    rd,
                    rn,
                    rm,
                    shift,
                    amount,
                } => {
                    let (a, m, by) = (self.get(rn), self.get(rm), amount & 31);
                    let b = match shift {
                        Shift::Lsl => m << by,
                        Shift::Lsr => m >> by,
                        Shift::Asr => (m as i32 >> by) as u32,
                        Shift::Ror | Shift::Rrx => m.rotate_right(by.into()),
                    };
                    let result = match f {
                        Dp::Sub => a.wrapping_sub(b),
                        Dp::Rsb => b.wrapping_sub(a),
                        Dp::And => a & b,
                        Dp::Bic => a & !b,
                        Dp::Orr => a | b,
                        Dp::Eor => a ^ b,
                        _ => a.wrapping_add(b),
                    };
                    self.set(rd, result);
                }
                Hot::CmpReg { rn, rm } => {
                    self.flags.sub(self.get(rn), self.get(rm));
                }
                Hot::AddLsl { rd, rn, rm, amount } => {
                    let shifted = self.get(rm) << (amount & 31);
                    self.set(rd, self.get(rn).wrapping_add(shifted));
                }
                Hot::OrrReg { rd, rn, rm } => {
                    self.set(rd, self.get(rn) | self.get(rm));
                }
                Hot::EorReg { rd, rn, rm } => {
                    self.set(rd, self.get(rn) ^ self.get(rm));
                }
                Hot::AndReg { rd, rn, rm } => {
                    self.set(rd, self.get(rn) & self.get(rm));
                }
                Hot::Lsl { rd, rm, amount } => {
                    self.set(rd, self.get(rm) << (amount & 31));
                }
                Hot::Lsr { rd, rm, amount } => {
                    self.set(rd, self.get(rm) >> (amount & 31));
                }
                Hot::Asr { rd, rm, amount } => {
                    self.set(rd, (self.get(rm) as i32 >> (amount & 31)) as u32);
                }
                Hot::Ubfx { rd, rn, lsb, mask } => {
                    self.set(rd, self.get(rn) >> (lsb & 31) & mask);
                }
                Hot::Sxtab16 { rd, rn, rm, rot } => {
                    let base = self.get(rn);
                    let w = self.get(rm).rotate_right(rot.into());
                    let low = base.wrapping_add(w as i8 as u32) & 0xffff;
                    let high = (base >> 16).wrapping_add((w >> 16) as i8 as u32) << 16;
                    self.set(rd, high | low);
                }
                Hot::Sxtab { rd, rn, rm, rot } => {
                    let w = self.get(rm).rotate_right(rot.into());
                    self.set(rd, self.get(rn).wrapping_add(w as i8 as u32));
                }
                Hot::Uxtab { rd, rn, rm, rot } => {
                    let w = self.get(rm).rotate_right(rot.into());
                    self.set(rd, self.get(rn).wrapping_add(w & 0xff));
                }
                Hot::Sxtah { rd, rn, rm, rot } => {
                    let w = self.get(rm).rotate_right(rot.into());
                    self.set(rd, self.get(rn).wrapping_add(w as i16 as u32));
                }
                Hot::Sxth { rd, rm, rot } => {
                    self.set(rd, self.get(rm).rotate_right(rot.into()) as i16 as u32);
                }
                Hot::Uxth { rd, rm, rot } => {
                    self.set(rd, self.get(rm).rotate_right(rot.into()) & 0xffff);
                }
                Hot::Mul { rd, rn, rm } => {
                    self.set(rd, self.get(rn).wrapping_mul(self.get(rm)));
                }
                Hot::Mla { rd, rn, rm, ra } => {
                    let product = self.get(rn).wrapping_mul(self.get(rm));
                    self.set(rd, self.get(ra).wrapping_add(product));
                }
                Hot::VAdd { d, n, m } => {
                    let sum = self.fpu.add(self.get_s(n), self.get_s(m));
                    self.set_s(d, sum);
                }
                Hot::VSub { d, n, m } => {
                    let difference = self.fpu.sub(self.get_s(n), self.get_s(m));
                    self.set_s(d, difference);
                }
                Hot::VMul { d, n, m } => {
                    let product = self.fpu.mul(self.get_s(n), self.get_s(m));
                    self.set_s(d, product);
                }
                Hot::VMov { d, m } => {
                    self.set_s(d, self.get_s(m));
                }
                Hot::VFromS32 { d, m } => {
                    let value = self.fpu.signed_to_single(self.get_s(m));
                    self.set_s(d, value);
                }
                Hot::VCmp { e, d, m } => {
                    self.fpu.compare(self.get_s(d), self.get_s(m), e);
                }
                Hot::VFlags => {
                    self.flags.set_nzcv(self.fpu.fpscr);
                }
                Hot::VMovToCore { rt, n } => {
                    self.set(rt, self.get_s(n));
                }
                Hot::VMovFromCore { rt, n } => {
                    self.set_s(n, self.get(rt));
                }
                Hot::LdrW { rt, rn, offset } => {
                    let at = self.get(rn).wrapping_add_signed(offset);
                    match memory.word(at) {
                        Some(word) if at & 3 == 0 => self.set(rt, word),
                        _ => return End::Bail(index),
                    }
                }
                Hot::LdrWPost { rt, rn, offset } => {
                    let at = self.get(rn);
                    match memory.word(at) {
                        Some(word) if at & 3 == 0 => {
                            self.set(rn, at.wrapping_add_signed(offset));
                            self.set(rt, word);
                        }
                        _ => return End::Bail(index),
                    }
                }
                Hot::LdrH { rt, rn, offset } => {
                    let at = self.get(rn).wrapping_add_signed(offset);
                    match memory.half(at) {
                        Some(half) if at & 1 == 0 => self.set(rt, half.into()),
                        _ => return End::Bail(index),
                    }
                }
                Hot::LdrSh { rt, rn, offset } => {
                    let at = self.get(rn).wrapping_add_signed(offset);
                    match memory.half(at) {
                        Some(half) if at & 1 == 0 => self.set(rt, half as i16 as u32),
                        _ => return End::Bail(index),
                    }
                }
                Hot::LdrB { rt, rn, offset } => {
                    let at = self.get(rn).wrapping_add_signed(offset);
                    match memory.byte(at) {
                        Some(byte) => self.set(rt, byte.into()),
                        None => return End::Bail(index),
                    }
                }
                Hot::StrW { rt, rn, offset } => {
                    let at = self.get(rn).wrapping_add_signed(offset);
                    let value = self.get(rt).to_le_bytes();
                    if at & 3 != 0 || !memory.store_data(at, value) {
                        return End::Bail(index);
                    }
                }
                Hot::StrWPost { rt, rn, offset } => {
                    let at = self.get(rn);
                    let value = self.get(rt).to_le_bytes();
                    if at & 3 != 0 || !memory.store_data(at, value) {
                        return End::Bail(index);
                    }
                    self.set(rn, at.wrapping_add_signed(offset));
                }
                Hot::StrH { rt, rn, offset } => {
                    let at = self.get(rn).wrapping_add_signed(offset);
                    let value = (self.get(rt) as u16).to_le_bytes();
                    if at & 1 != 0 || !memory.store_data(at, value) {
                        return End::Bail(index);
                    }
                }
                Hot::StrB { rt, rn, offset } => {
                    let at = self.get(rn).wrapping_add_signed(offset);
                    if !memory.store_data(at, [self.get(rt) as u8]) {
                        return End::Bail(index);
                    }
                }
                Hot::LoadMany {
                    down,
                    writeback,
                    rn,
                    list,
                } => {
                    if !self.load_block(down, writeback, rn, list, memory) {
                        return End::Bail(index);
                    }
                }
                Hot::StoreMany {
                    down,
                    writeback,
                    rn,
                    list,
                } => {
                    if !self.store_block(down, writeback, rn, list, memory) {
                        return End::Bail(index);
                    }
                }
                Hot::VLoadMany {
                    down,
                    writeback,
                    rn,
                    d,
                    count,
                } => {
                    let (at, moved) = self.block_range(down, rn, count.into());
                    let (from, count) = (usize::from(d), count.into());
                    match memory.block(at, count) {
                        Some(bytes) if at & 3 == 0 => {
                            let regs = self.fregs.iter_mut().skip(from);
                            for (reg, chunk) in regs.zip(bytes.as_chunks::<4>().0) {
                                *reg = u32::from_le_bytes(*chunk);
                            }
                        }
                        _ => return End::Bail(index),
                    }
                    if writeback {
                        self.set_any(rn, moved);
                    }
                }
                Hot::VStoreMany {
                    down,
                    writeback,
                    rn,
                    d,
                    count,
                } => {
                    let (at, moved) = self.block_range(down, rn, count.into());
                    let (from, count) = (usize::from(d), count.into());
                    match memory.block_data_mut(at, count) {
                        Some(bytes) if at & 3 == 0 => {
                            let regs = self.fregs.iter().skip(from);
                            for (reg, chunk) in regs.zip(bytes.as_chunks_mut::<4>().0) {
                                *chunk = reg.to_le_bytes();
                            }
                        }
                        _ => return End::Bail(index),
                    }
                    if writeback {
                        self.set_any(rn, moved);
                    }
                }
                Hot::Bl { offset } => {
                    self.regs[14] = end | 1;
                    return End::Done(branch_target(step.here, offset), false);
                }
                Hot::Bx { rm } => {
                    let target = self.get(rm);
                    // An even address faults, and the top may be an exception return.
                    if target & 1 == 0 || target >> 28 == 0xf {
                        return End::Bail(index);
                    }
                    return End::Done(target & !1, false);
                }
                Hot::B { offset } => return End::Done(branch_target(step.here, offset), false),
                Hot::Beq { offset } => {
                    if self.flags.z {
                        return End::Done(branch_target(step.here, offset), true);
                    }
                }
                Hot::Bne { offset } => {
                    if !self.flags.z {
                        return End::Done(branch_target(step.here, offset), true);
                    }
                }
                Hot::BCond { cond, offset } => {
                    if self.flags.holds(cond) {
                        return End::Done(branch_target(step.here, offset), true);
                    }
                }
                Hot::Cbz {
                    nonzero,
                    rn,
                    offset,
                } => {
                    if (self.get(rn) != 0) == nonzero {
                        return End::Done(branch_target(step.here, offset.into()), true);
                    }
                }
            }
        }
        End::Done(end, false)
    }

    /// True if an access is aligned, inside SRAM, and no store into code, so that it has
    /// no effect but the obvious one.
    fn plain_access(&self, op: &Op, here: u32, memory: &Memory) -> bool {
        let pc = here.wrapping_add(4) & !3;
        let load = |kind| match kind {
            LoadKind::W => 4,
            LoadKind::H | LoadKind::Sh => 2,
            LoadKind::B | LoadKind::Sb => 1,
        };
        let store = |kind| match kind {
            StoreKind::W => 4,
            StoreKind::H => 2,
            StoreKind::B => 1,
        };
        let base = |rn| if rn == 15 { pc } else { self.get(rn) };
        let moved = |rn, offset: i32| base(rn).wrapping_add_signed(offset);
        let indexed = |index, rn, offset: i32| match index {
            Index::Post => base(rn),
            Index::Offset | Index::Pre => moved(rn, offset),
        };
        let scaled = |rn, rm, shift: u8| self.get(rn).wrapping_add(self.get(rm) << (shift & 3));
        // Address, bytes, alignment, and whether it is a store.
        let (at, bytes, align, writes) = match *op {
            Op::Load {
                kind,
                index,
                rn,
                offset,
                ..
            } => (indexed(index, rn, offset), load(kind), load(kind), false),
            Op::LoadReg {
                kind,
                rn,
                rm,
                shift,
                ..
            } => (scaled(rn, rm, shift), load(kind), load(kind), false),
            Op::LoadLit { kind, offset, .. } => (moved(15, offset), load(kind), load(kind), false),
            Op::Store {
                kind,
                index,
                rn,
                offset,
                ..
            } => (indexed(index, rn, offset), store(kind), store(kind), true),
            Op::StoreReg {
                kind,
                rn,
                rm,
                shift,
                ..
            } => (scaled(rn, rm, shift), store(kind), store(kind), true),
            Op::LoadDual {
                index, rn, offset, ..
            } => (indexed(index, rn, offset.into()), 8, 4, false),
            Op::StoreDual {
                index, rn, offset, ..
            } => (indexed(index, rn, offset.into()), 8, 4, true),
            Op::VLoad {
                double, rn, offset, ..
            } => (
                moved(rn, offset.into()),
                4 + 4 * u32::from(double),
                4,
                false,
            ),
            Op::VStore {
                double, rn, offset, ..
            } => (moved(rn, offset.into()), 4 + 4 * u32::from(double), 4, true),
            _ => return false,
        };
        at & (align - 1) == 0
            && memory.contains(at, bytes)
            && !(writes && memory.is_code(at, bytes))
    }

    /// LDM inside SRAM; false if it is not, with nothing changed.
    fn load_block(
        &mut self,
        down: bool,
        writeback: bool,
        rn: Reg,
        list: u16,
        memory: &Memory,
    ) -> bool {
        let count = list.count_ones();
        let (at, moved) = self.block_range(down, rn, count);
        let Some(bytes) = memory.block(at, count) else {
            return false;
        };
        if at & 3 != 0 {
            return false;
        }
        if writeback {
            self.set_any(rn, moved);
        }
        let mut rest = list;
        for chunk in bytes.as_chunks::<4>().0 {
            let r = rest.trailing_zeros() as usize;
            self.regs[r & 15] = u32::from_le_bytes(*chunk);
            rest &= rest.wrapping_sub(1);
        }
        true
    }

    /// STM inside SRAM and not over code; false if it is not, with nothing changed.
    fn store_block(
        &mut self,
        down: bool,
        writeback: bool,
        rn: Reg,
        list: u16,
        memory: &mut Memory,
    ) -> bool {
        let count = list.count_ones();
        let (at, moved) = self.block_range(down, rn, count);
        if at & 3 != 0 {
            return false;
        }
        let Some(bytes) = memory.block_data_mut(at, count) else {
            return false;
        };
        let mut rest = list;
        for chunk in bytes.as_chunks_mut::<4>().0 {
            let r = rest.trailing_zeros() as usize;
            *chunk = self.regs[r & 15].to_le_bytes();
            rest &= rest.wrapping_sub(1);
        }
        if writeback {
            self.set_any(rn, moved);
        }
        true
    }
}
