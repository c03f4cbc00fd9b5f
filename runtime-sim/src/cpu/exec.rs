//! Executes one decoded instruction.
//!
//! `self.pc` already points to the next instruction; a branch overwrites it. An
//! instruction that faults has changed no register.

mod alu;
mod branch;
mod data;
mod dsp;
mod exclusive;
mod system;
mod vfp;

use super::core::{Core, Sleep};
use super::fault::Trap;
use super::memory::{Memory, Mmio};
use super::op::{Index, Op, Reg};

type Result = std::result::Result<(), Trap>;

impl Core {
    #[inline(always)]
    pub(super) fn get(&self, r: Reg) -> u32 {
        self.regs[usize::from(r & 15)]
    }

    /// Writes a register that is not SP.
    #[inline(always)]
    pub(super) fn set(&mut self, r: Reg, value: u32) {
        self.regs[usize::from(r & 15)] = value;
    }

    /// Writes a register that may be SP, whose low two bits are always zero.
    #[inline(always)]
    pub(super) fn set_any(&mut self, r: Reg, value: u32) {
        let mask = if r == 13 { !3 } else { !0 };
        self.regs[usize::from(r & 15)] = value & mask;
    }

    /// Address and new base of an access with immediate offset.
    #[inline(always)]
    fn indexed(&self, index: Index, rn: Reg, offset: i32) -> (u32, u32) {
        let base = self.get(rn);
        let moved = base.wrapping_add_signed(offset);
        (if index == Index::Post { base } else { moved }, moved)
    }

    /// Executes `op`, whatever it is.
    #[inline(never)]
    pub(super) fn execute<M: Mmio + ?Sized>(
        &mut self,
        op: &Op,
        pc: u32,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Result {
        match *op {
            Op::DpImm {
                f,
                s,
                rd,
                rn,
                carry,
                imm,
            } => self.dp_imm(f, s, rd, rn, carry, imm),
            Op::DpReg {
                f,
                s,
                rd,
                rn,
                rm,
                shift,
                amount,
            } => self.dp_reg(f, s, rd, rn, rm, shift, amount),
            Op::ShiftReg {
                shift,
                s,
                rd,
                rn,
                rm,
            } => self.shift_reg(shift, s, rd, rn, rm),
            Op::Adr { rd, offset } => {
                let base = pc.wrapping_add(4) & !3;
                self.set(rd, base.wrapping_add_signed(offset));
            }
            Op::MovFromPc { rd } => self.set_any(rd, pc.wrapping_add(4)),
            Op::AddFromPc { rd } => {
                let sum = self.get(rd).wrapping_add(pc.wrapping_add(4));
                self.set_any(rd, sum);
            }
            Op::MovToPc { rm } => self.pc = self.get(rm) & !1,
            Op::AddToPc { rm } => {
                self.pc = pc.wrapping_add(4).wrapping_add(self.get(rm)) & !1;
            }
            Op::Movt { rd, imm } => {
                let low = self.get(rd) & 0xffff;
                self.set(rd, low | u32::from(imm) << 16);
            }
            Op::Bfi { rd, rn, lsb, width } => self.bit_field_insert(rd, rn, lsb, width),
            Op::Bfx {
                signed,
                rd,
                rn,
                lsb,
                width,
            } => self.bit_field_extract(signed, rd, rn, lsb, width),
            Op::Extend { x, rd, rn, rm, rot } => self.extend(x, rd, rn, rm, rot),
            Op::Pkh {
                tb,
                rd,
                rn,
                rm,
                amount,
            } => self.pack(tb, rd, rn, rm, amount),
            Op::Sat {
                signed,
                rd,
                rn,
                bits,
                shift,
                amount,
            } => self.saturate(signed, rd, rn, bits, shift, amount),
            Op::Sat16 {
                signed,
                rd,
                rn,
                bits,
            } => self.saturate16(signed, rd, rn, bits),
            Op::Parallel {
                lane,
                par,
                rd,
                rn,
                rm,
            } => self.parallel(lane, par, rd, rn, rm),
            Op::Misc { f, rd, rn, rm } => return self.misc(f, rd, rn, rm),
            Op::Mul {
                f,
                s,
                rd,
                rn,
                rm,
                ra,
            } => self.multiply(f, s, rd, rn, rm, ra),
            Op::MulLong { f, lo, hi, rn, rm } => self.multiply_long(f, lo, hi, rn, rm),

            Op::Load {
                kind,
                index,
                rt,
                rn,
                offset,
            } => {
                let (address, moved) = self.indexed(index, rn, offset);
                let value = self.load(kind, address, memory, mmio)?;
                if rt == 15 {
                    let before = self.get(rn);
                    if index != Index::Offset {
                        self.set_any(rn, moved);
                    }
                    let result = self.branch_exchange(value, memory, mmio);
                    if let Err(Trap::Fault(..)) = result {
                        self.set(rn, before);
                    }
                    return result;
                }
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
                let address = self.get(rn).wrapping_add(self.get(rm) << (shift & 3));
                let value = self.load(kind, address, memory, mmio)?;
                if rt == 15 {
                    return self.branch_exchange(value, memory, mmio);
                }
                self.set_any(rt, value);
            }
            Op::LoadLit { kind, rt, offset } => {
                let address = (pc.wrapping_add(4) & !3).wrapping_add_signed(offset);
                let value = self.load(kind, address, memory, mmio)?;
                if rt == 15 {
                    return self.branch_exchange(value, memory, mmio);
                }
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
                self.store(kind, address, self.get(rt), memory, mmio)?;
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
                let address = self.get(rn).wrapping_add(self.get(rm) << (shift & 3));
                self.store(kind, address, self.get(rt), memory, mmio)?;
            }
            Op::LoadDual {
                index,
                rt,
                rt2,
                rn,
                offset,
            } => return self.load_dual(index, (rt, rt2), rn, offset, pc, memory, mmio),
            Op::StoreDual {
                index,
                rt,
                rt2,
                rn,
                offset,
            } => {
                let (address, moved) = self.indexed(index, rn, offset.into());
                let words = [self.get(rt), self.get(rt2)];
                self.store_words(address, &words, memory, mmio)?;
                if index != Index::Offset {
                    self.set_any(rn, moved);
                }
            }
            Op::LoadMany {
                down,
                writeback,
                rn,
                list,
            } => return self.load_many(down, writeback, rn, list, memory, mmio),
            Op::StoreMany {
                down,
                writeback,
                rn,
                list,
            } => return self.store_many(down, writeback, rn, list, memory, mmio),
            Op::LoadExclusive {
                kind,
                rt,
                rn,
                offset,
            } => {
                let address = self.get(rn).wrapping_add(offset.into());
                return self.load_exclusive(kind, rt, address, memory, mmio);
            }
            Op::StoreExclusive {
                kind,
                rd,
                rt,
                rn,
                offset,
            } => {
                let address = self.get(rn).wrapping_add(offset.into());
                return self.store_exclusive(kind, (rd, rt), address, memory, mmio);
            }
            Op::ClearExclusive => self.exclusive = false,
            Op::LoadUser {
                kind,
                rt,
                rn,
                offset,
            } => {
                let address = self.get(rn).wrapping_add(offset.into());
                return self.load_unprivileged(kind, rt, address, memory, mmio);
            }
            Op::StoreUser {
                kind,
                rt,
                rn,
                offset,
            } => {
                let address = self.get(rn).wrapping_add(offset.into());
                return self.store_unprivileged(kind, rt, address, memory, mmio);
            }
            Op::Preload | Op::Nop | Op::Barrier | Op::Isb => {}

            Op::B { offset } => self.pc = branch_target(pc, offset),
            Op::BCond { cond, offset } => {
                if self.flags.holds(cond) {
                    self.jump(branch_target(pc, offset));
                }
            }
            Op::Bl { offset } => {
                self.regs[14] = self.pc | 1;
                self.pc = branch_target(pc, offset);
            }
            Op::Bx { rm } => {
                let target = self.get(rm);
                return self.branch_exchange(target, memory, mmio);
            }
            Op::Blx { rm } => return self.branch_link_exchange(rm),
            Op::Cbz {
                nonzero,
                rn,
                offset,
            } => {
                if (self.get(rn) != 0) == nonzero {
                    self.jump(branch_target(pc, offset.into()));
                }
            }
            Op::TableBranch { half, rn, rm } => {
                return self.table_branch(half, rn, rm, pc, memory, mmio);
            }
            Op::It { state } => self.it = state,
            Op::Sev => self.event = true,
            Op::Wfe => {
                if !std::mem::take(&mut self.event) {
                    self.sleep = Sleep::Event;
                    return Err(Trap::Sleep);
                }
            }
            Op::Wfi => {
                self.sleep = Sleep::Interrupt;
                return Err(Trap::Sleep);
            }
            Op::Cps {
                disable,
                primask,
                faultmask,
            } => self.change_state(disable, primask, faultmask),
            Op::Mrs { rd, sysm } => self.read_special(rd, sysm),
            Op::Msr { rn, sysm, mask } => self.write_special(rn, sysm, mask),
            Op::Svc { .. } => return self.supervisor_call(memory, mmio),
            Op::Bkpt { imm } => return Err(Trap::Bkpt(imm)),

            Op::V3 { f, d, n, m } => {
                self.use_fpu(memory, mmio)?;
                self.vfp3(f, d, n, m);
            }
            Op::V2 { f, d, m } => {
                self.use_fpu(memory, mmio)?;
                self.vfp2(f, d, m);
            }
            Op::VMovImm { d, bits } => {
                self.use_fpu(memory, mmio)?;
                self.set_s(d, bits);
            }
            Op::VCmp { e, d, m } => {
                self.use_fpu(memory, mmio)?;
                self.fpu.compare(self.get_s(d), self.get_s(m), e);
            }
            Op::VCmpZero { e, d } => {
                self.use_fpu(memory, mmio)?;
                self.fpu.compare(self.get_s(d), 0, e);
            }
            Op::VCvtFixed {
                to_fixed,
                ty,
                d,
                frac,
            } => {
                self.use_fpu(memory, mmio)?;
                self.convert_fixed(to_fixed, ty, d, frac);
            }
            Op::VMovToCore { rt, n } => {
                self.use_fpu(memory, mmio)?;
                self.set(rt, self.get_s(n));
            }
            Op::VMovFromCore { rt, n } => {
                self.use_fpu(memory, mmio)?;
                self.set_s(n, self.get(rt));
            }
            Op::VMov2ToCore { rt, rt2, m } => {
                self.use_fpu(memory, mmio)?;
                self.set(rt, self.get_s(m));
                self.set(rt2, self.get_s(m + 1));
            }
            Op::VMov2FromCore { rt, rt2, m } => {
                self.use_fpu(memory, mmio)?;
                self.set_s(m, self.get(rt));
                self.set_s(m + 1, self.get(rt2));
            }
            Op::VMrs { rt } => {
                self.use_fpu(memory, mmio)?;
                if rt == 15 {
                    self.flags.set_nzcv(self.fpu.fpscr);
                } else {
                    self.set(rt, self.fpu.fpscr);
                }
            }
            Op::VMsr { rt } => {
                self.use_fpu(memory, mmio)?;
                self.fpu.fpscr = self.get(rt) & super::float::FPSCR_MASK;
            }
            Op::VLoad {
                double,
                d,
                rn,
                offset,
            } => {
                self.use_fpu(memory, mmio)?;
                let base = if rn == 15 {
                    pc.wrapping_add(4) & !3
                } else {
                    self.get(rn)
                };
                let count = 1 + u8::from(double);
                let address = base.wrapping_add_signed(offset.into());
                return self.load_floats(address, d, count, memory, mmio);
            }
            Op::VStore {
                double,
                d,
                rn,
                offset,
            } => {
                self.use_fpu(memory, mmio)?;
                let count = 1 + u8::from(double);
                let address = self.get(rn).wrapping_add_signed(offset.into());
                return self.store_floats(address, d, count, memory, mmio);
            }
            Op::VLoadMany {
                down,
                writeback,
                rn,
                d,
                count,
            } => {
                self.use_fpu(memory, mmio)?;
                let (address, moved) = self.block_range(down, rn, count.into());
                self.load_floats(address, d, count, memory, mmio)?;
                if writeback {
                    self.set_any(rn, moved);
                }
            }
            Op::VStoreMany {
                down,
                writeback,
                rn,
                d,
                count,
            } => {
                self.use_fpu(memory, mmio)?;
                let (address, moved) = self.block_range(down, rn, count.into());
                self.store_floats(address, d, count, memory, mmio)?;
                if writeback {
                    self.set_any(rn, moved);
                }
            }
        }
        Ok(())
    }

    /// Takes a conditional branch, whose fixed cost has no refill.
    #[inline(always)]
    fn jump(&mut self, target: u32) {
        self.pc = target;
        self.cycle += u64::from(self.costs.refill);
    }
}

#[inline(always)]
pub(super) fn branch_target(pc: u32, offset: i32) -> u32 {
    pc.wrapping_add(4).wrapping_add_signed(offset)
}
