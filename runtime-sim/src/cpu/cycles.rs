//! What each instruction costs.
//!
//! An instruction has a fixed cost and may gain or lose cycles through the one just
//! before it: an address that is not forwarded, an FPU result that is not ready, a
//! load that is pipelined. Both sides are bit sets computed once per decoded
//! instruction: what it *leaves* behind and what it *feels*. Their intersection is
//! empty for most pairs, so the interpreter pays one AND per instruction.
//!
//! The rules are those of the Cortex-M4 technical reference manual for zero-wait
//! memory. They are assumptions about the chip, not measurements.

use super::op::{Dp, Index, LoadKind, Misc, Op, V2, V3};

/// Cycle counts and timing rules. All numbers are core clock cycles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Costs {
    /// Moves, arithmetic, logic, shifts, bit fields, extension, saturation.
    pub alu: u8,
    /// Multiplications of every kind.
    pub multiply: u8,
    /// Division that ends at once (quotient of no bits).
    pub divide_min: u8,
    /// Division with a quotient of 32 bits.
    pub divide_max: u8,
    /// Pipeline refill after a change of the program counter (P).
    pub refill: u8,
    /// A branch without its refill; also a branch not taken.
    pub branch: u8,
    /// IT.
    pub it: u8,
    /// IT costs one less after a 16-bit instruction.
    pub it_folds: bool,
    /// An instruction in an IT block whose condition fails.
    pub skipped: u8,
    /// Single load.
    pub load: u8,
    /// Added to a load relative to the program counter.
    pub load_literal_extra: u8,
    /// Single store with immediate offset.
    pub store: u8,
    /// Single store with register offset.
    pub store_register: u8,
    /// Taken off a single load or store that follows a single load whose result it does
    /// not use as an address; the cost never falls below 1.
    pub pipelined_discount: u8,
    /// Load to the program counter, refill included.
    pub load_pc: u8,
    /// TBB and TBH, refill included.
    pub table_branch: u8,
    /// LDRD, STRD, LDM, STM, PUSH, POP without their registers; LDM with PC adds `refill`.
    pub block: u8,
    /// Per register of those.
    pub block_register: u8,
    /// Added to a load or store whose address comes from the data-processing
    /// instruction just before it.
    pub address_stall: u8,
    /// Added to a single or halfword access that is not aligned to its size.
    pub unaligned: u8,
    /// VADD, VSUB, VMUL, VCMP, VCVT, VABS, VNEG, VMOV, VMRS, VMSR.
    pub fpu: u8,
    /// VMLA, VFMA and their variants.
    pub fpu_accumulate: u8,
    /// VDIV and VSQRT; the core waits for the result.
    pub fpu_divide: u8,
    /// VMOV of two core registers.
    pub fpu_move_pair: u8,
    /// Added to FPU arithmetic that uses the result of FPU arithmetic just before it.
    /// Moves between core and FPU, loads and stores neither cause nor suffer it.
    pub fpu_stall: u8,
    /// VLDR and VSTR of one single register; a pair costs `fpu_block_register` more.
    pub fpu_access: u8,
    /// VLDM, VSTM, VPUSH, VPOP without their registers.
    pub fpu_block: u8,
    /// Per single register of those.
    pub fpu_block_register: u8,
    /// MRS, MSR, CPS.
    pub system: u8,
    /// NOP, SEV, WFE, WFI before sleep, memory hints.
    pub hint: u8,
    /// DMB, DSB; ISB adds `refill`.
    pub barrier: u8,
    /// LDREX, STREX and their byte and halfword forms.
    pub exclusive: u8,
    /// Exception entry without FP context.
    pub exception_entry: u8,
    /// Exception return without FP context.
    pub exception_exit: u8,
    /// From one handler directly to the next.
    pub tail_chain: u8,
    /// Storing or restoring the FP context (18 words with the reserved one).
    pub fp_context: u8,
    /// FP context is stored only when a handler uses the FPU (`FPCCR.LSPEN` after reset).
    pub lazy_fp_context: bool,
    /// From the wake-up event to the next instruction.
    pub wake: u8,
}

impl Default for Costs {
    fn default() -> Self {
        Costs {
            alu: 1,
            multiply: 1,
            divide_min: 2,
            divide_max: 12,
            refill: 2,
            branch: 1,
            it: 1,
            it_folds: false,
            skipped: 1,
            load: 2,
            load_literal_extra: 0,
            store: 1,
            store_register: 2,
            pipelined_discount: 1,
            load_pc: 5,
            table_branch: 6,
            block: 1,
            block_register: 1,
            address_stall: 1,
            unaligned: 1,
            fpu: 1,
            fpu_accumulate: 3,
            fpu_divide: 14,
            fpu_move_pair: 2,
            fpu_stall: 1,
            fpu_access: 2,
            fpu_block: 1,
            fpu_block_register: 1,
            system: 1,
            hint: 1,
            barrier: 1,
            exclusive: 2,
            exception_entry: 12,
            exception_exit: 10,
            tail_chain: 6,
            fp_context: 18,
            lazy_fp_context: true,
            wake: 0,
        }
    }
}

// Layout of the bit sets. What is left and what is felt use the same positions.
/// Core registers written by data processing, against address registers: bits 0 to 14.
const ADDRESS: u64 = 0x7fff;
/// Left by a single load, felt by single loads and stores.
const PIPELINE: u64 = 1 << 15;
/// S registers written, against read, by FPU arithmetic: bits 16 to 47.
const FPU: u64 = 0xffff_ffff << 16;
/// Core register written by a single load, against address registers: bits 48 to 62.
const LOADED: u64 = 0x7fff << 48;
/// Left by a 16-bit instruction, felt by an IT that folds.
const NARROW: u64 = 1 << 63;

/// The timing of one decoded instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Cost on its own; taken branches, divisions and unaligned accesses add to it.
    pub cost: u8,
    /// What the next instruction may feel.
    pub leaves: u64,
    /// What of the previous instruction's traces matters here.
    pub feels: u64,
}

impl Costs {
    /// Cycles of an instruction that costs `cost` on its own and meets, of what the
    /// instruction before it left, the traces `met` (`leaves & feels`).
    #[inline(always)]
    pub fn after(&self, met: u64, cost: u8) -> u64 {
        if met == 0 {
            return u64::from(cost);
        }
        self.interlocked(met, cost)
    }

    fn interlocked(&self, met: u64, cost: u8) -> u64 {
        let mut cycles = u64::from(cost);
        if met & PIPELINE != 0 && met & LOADED == 0 {
            cycles = cycles
                .saturating_sub(u64::from(self.pipelined_discount))
                .max(1);
        }
        if met & ADDRESS != 0 {
            cycles += u64::from(self.address_stall);
        }
        if met & FPU != 0 {
            cycles += u64::from(self.fpu_stall);
        }
        if met & NARROW != 0 {
            cycles = cycles.saturating_sub(1);
        }
        cycles
    }

    /// Cycles of a division on top of `divide_min`. The divider works off the bits of
    /// the quotient, whose number follows from the leading zeros of the operands.
    pub fn division(&self, dividend: u32, divisor: u32) -> u64 {
        if divisor == 0 {
            return 0;
        }
        let bits = (divisor.leading_zeros() + 1).saturating_sub(dividend.leading_zeros());
        let range = u32::from(self.divide_max.saturating_sub(self.divide_min));
        u64::from((bits * range).div_ceil(32))
    }

    /// The timing of `op`; `narrow` for a 16-bit instruction.
    pub fn timing(&self, op: &Op, narrow: bool) -> Timing {
        let mut timing = self.shape(op);
        if narrow {
            timing.leaves |= NARROW;
        }
        timing
    }

    fn shape(&self, op: &Op) -> Timing {
        match *op {
            Op::DpImm { f, rd, .. } | Op::DpReg { f, rd, .. } => {
                let test = matches!(f, Dp::Tst | Dp::Teq | Dp::Cmn | Dp::Cmp);
                data(self.alu, if test { 15 } else { rd })
            }
            Op::ShiftReg { rd, .. }
            | Op::Adr { rd, .. }
            | Op::MovFromPc { rd }
            | Op::AddFromPc { rd }
            | Op::Movt { rd, .. }
            | Op::Bfi { rd, .. }
            | Op::Bfx { rd, .. }
            | Op::Extend { rd, .. }
            | Op::Pkh { rd, .. }
            | Op::Sat { rd, .. }
            | Op::Sat16 { rd, .. }
            | Op::Parallel { rd, .. } => data(self.alu, rd),
            Op::Misc { f, rd, .. } => match f {
                Misc::Sdiv | Misc::Udiv => data(self.divide_min, rd),
                _ => data(self.alu, rd),
            },
            Op::Mul { rd, .. } => data(self.multiply, rd),
            Op::MulLong { lo, hi, .. } => Timing {
                cost: self.multiply,
                leaves: register(lo) | register(hi),
                feels: 0,
            },
            Op::Load {
                kind,
                index,
                rt,
                rn,
                ..
            } => {
                let mut timing = self.single_load(kind, rt, self.load);
                timing.feels |= address(rn);
                // The written-back base comes from the address unit, not from data
                // processing, and causes no stall; but a base that is also the
                // loaded register can't occur.
                debug_assert!(index == Index::Offset || rn != rt);
                timing
            }
            Op::LoadReg {
                kind, rt, rn, rm, ..
            } => {
                let mut timing = self.single_load(kind, rt, self.load);
                timing.feels |= address(rn) | address(rm);
                timing
            }
            Op::LoadLit { kind, rt, .. } => {
                self.single_load(kind, rt, self.load.saturating_add(self.load_literal_extra))
            }
            Op::Store { rn, .. } => Timing {
                cost: self.store,
                leaves: 0,
                feels: PIPELINE | address(rn),
            },
            Op::StoreReg { rn, rm, .. } => Timing {
                cost: self.store_register,
                leaves: 0,
                feels: PIPELINE | address(rn) | address(rm),
            },
            Op::LoadUser { kind, rt, rn, .. } => {
                let mut timing = self.single_load(kind, rt, self.load);
                timing.feels |= address(rn);
                timing
            }
            Op::StoreUser { rn, .. } => Timing {
                cost: self.store,
                leaves: 0,
                feels: PIPELINE | address(rn),
            },
            Op::LoadExclusive { rn, .. } | Op::StoreExclusive { rn, .. } => Timing {
                cost: self.exclusive,
                leaves: 0,
                feels: address(rn) & ADDRESS,
            },
            Op::ClearExclusive => alone(self.barrier),
            Op::LoadDual { rn, .. } | Op::StoreDual { rn, .. } => self.block(rn, 2),
            Op::StoreMany { rn, list, .. } => self.block(rn, list.count_ones()),
            Op::LoadMany { rn, list, .. } => {
                let mut timing = self.block(rn, list.count_ones());
                if list >> 15 != 0 {
                    timing.cost = timing.cost.saturating_add(self.refill);
                }
                timing
            }
            Op::TableBranch { rn, rm, .. } => Timing {
                cost: self.table_branch,
                leaves: 0,
                feels: address(rn) | address(rm),
            },
            Op::MovToPc { .. }
            | Op::AddToPc { .. }
            | Op::B { .. }
            | Op::Bl { .. }
            | Op::Bx { .. }
            | Op::Blx { .. } => alone(self.branch.saturating_add(self.refill)),
            // The refill is added when the branch is taken.
            Op::BCond { .. } | Op::Cbz { .. } => alone(self.branch),
            Op::It { .. } => Timing {
                cost: self.it,
                leaves: 0,
                feels: if self.it_folds { NARROW } else { 0 },
            },
            Op::Preload | Op::Nop | Op::Sev | Op::Wfe | Op::Wfi => alone(self.hint),
            Op::Barrier => alone(self.barrier),
            Op::Isb => alone(self.barrier.saturating_add(self.refill)),
            Op::Cps { .. } | Op::Mrs { .. } | Op::Msr { .. } => alone(self.system),
            Op::Svc { .. } | Op::Bkpt { .. } => alone(self.branch),
            Op::V3 { f, d, n, m } => {
                let (cost, reads_d) = match f {
                    V3::Add | V3::Sub | V3::Mul | V3::Nmul => (self.fpu, false),
                    V3::Div => (self.fpu_divide, false),
                    V3::Mla
                    | V3::Mls
                    | V3::Nmla
                    | V3::Nmls
                    | V3::Fma
                    | V3::Fms
                    | V3::Fnma
                    | V3::Fnms => (self.fpu_accumulate, true),
                };
                let own = if reads_d { single(d) } else { 0 };
                Timing {
                    cost,
                    leaves: single(d),
                    feels: single(n) | single(m) | own,
                }
            }
            Op::V2 { f, d, m } => {
                let keeps_half = matches!(f, V2::ToF16Low | V2::ToF16High);
                Timing {
                    cost: if f == V2::Sqrt {
                        self.fpu_divide
                    } else {
                        self.fpu
                    },
                    leaves: single(d),
                    feels: single(m) | if keeps_half { single(d) } else { 0 },
                }
            }
            Op::VMovImm { d, .. } => Timing {
                cost: self.fpu,
                leaves: single(d),
                feels: 0,
            },
            Op::VCmp { d, m, .. } => Timing {
                cost: self.fpu,
                leaves: 0,
                feels: single(d) | single(m),
            },
            Op::VCmpZero { d, .. } => Timing {
                cost: self.fpu,
                leaves: 0,
                feels: single(d),
            },
            Op::VCvtFixed { d, .. } => Timing {
                cost: self.fpu,
                leaves: single(d),
                feels: single(d),
            },
            Op::VMovToCore { .. } | Op::VMovFromCore { .. } | Op::VMrs { .. } | Op::VMsr { .. } => {
                alone(self.fpu)
            }
            Op::VMov2ToCore { .. } | Op::VMov2FromCore { .. } => alone(self.fpu_move_pair),
            Op::VLoad { double, rn, .. } | Op::VStore { double, rn, .. } => {
                let extra = if double { self.fpu_block_register } else { 0 };
                Timing {
                    cost: self.fpu_access.saturating_add(extra),
                    leaves: 0,
                    feels: address(rn) & ADDRESS,
                }
            }
            Op::VLoadMany { rn, count, .. } | Op::VStoreMany { rn, count, .. } => Timing {
                cost: self
                    .fpu_block
                    .saturating_add(self.fpu_block_register.saturating_mul(count)),
                leaves: 0,
                feels: address(rn) & ADDRESS,
            },
        }
    }

    fn single_load(&self, kind: LoadKind, rt: u8, cost: u8) -> Timing {
        if rt == 15 {
            debug_assert!(kind == LoadKind::W);
            return Timing {
                cost: self.load_pc,
                leaves: 0,
                feels: PIPELINE,
            };
        }
        Timing {
            cost,
            leaves: PIPELINE | register(rt) << 48,
            feels: PIPELINE,
        }
    }

    fn block(&self, rn: u8, registers: u32) -> Timing {
        Timing {
            cost: self
                .block
                .saturating_add(self.block_register.saturating_mul(registers as u8)),
            leaves: 0,
            feels: address(rn) & ADDRESS,
        }
    }
}

/// Bit of a core register, none for PC.
fn register(r: u8) -> u64 {
    if r < 15 { 1 << r } else { 0 }
}

/// An address register: feels data processing before it, and refuses pipelining
/// behind the load that fetches it.
fn address(r: u8) -> u64 {
    register(r) | register(r) << 48
}

fn single(s: u8) -> u64 {
    1 << (16 + u64::from(s & 31))
}

fn data(cost: u8, rd: u8) -> Timing {
    Timing {
        cost,
        leaves: register(rd),
        feels: 0,
    }
}

fn alone(cost: u8) -> Timing {
    Timing {
        cost,
        leaves: 0,
        feels: 0,
    }
}
