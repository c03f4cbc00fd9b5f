//! Calls that are a whole loop, or a long run, with fixed registers.
//!
//! `s2_rows_W_O(list, n, a0, ...) -> (a0', ...)` adds `W` words of int8 weights of
//! each of `n` rows (at least 1) to `2 W` pairs of int16 sums; a row's words begin
//! `O` bytes behind the address that `list` holds. Fourteen registers are in use at
//! once, at which an allocator that knows nothing of the loop spills.
//!
//! `s2_sum_rows_W_O(list, n) -> (a0, ...)` is the same from sums of zero.
//!
//! `s2_widen_W_O(sink, a0, ...)` adds `2 W` such pairs to the `4 W` words of int32
//! from `sink + O` on: the low halves of two pairs, then their high halves, for each
//! four words. As many words are loaded at once as registers are free.

use super::super::inst::{Addr, AluOp, ExtendOp, Inst, LoadSize, Op2, ShiftOp, StoreSize};
use super::super::reg::{Cond, Reg};
use super::super::vcode::{Access, Bundle, Piece, int_reg};
use super::{Lower, Lowered};
use cranelift_codegen::ir::{Inst as ClifInst, types};
use regalloc2::{Operand, PRegSet};

/// A block intrinsic: what is done, for so many words of weights at an offset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    what: What,
    /// Words of each row, 1 to 4.
    words: u8,
    /// Bytes from the row's address, or the sink's, to the first word.
    offset: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    /// Adds rows to sums.
    Rows,
    /// Adds rows.
    SumRows,
    /// Adds sums to memory.
    Widen,
}

const SUMS: [Reg; 8] = [
    Reg::R0,
    Reg::R1,
    Reg::R2,
    Reg::R3,
    Reg::R4,
    Reg::R5,
    Reg::R6,
    Reg::R7,
];
/// The first also holds the row's address, so it is loaded last.
const WEIGHTS: [Reg; 4] = [Reg::R8, Reg::R9, Reg::R10, Reg::R11];
const LIST: Reg = Reg::R12;
const LEFT: Reg = Reg::LR;
/// What sums leave free while they are widened.
const FREE: [Reg; 5] = [Reg::R8, Reg::R9, Reg::R10, Reg::R11, Reg::LR];

/// The address that sums go to; free while rows are added.
const SINK: Reg = Reg::R12;

/// What the name of a block intrinsic says.
pub(super) fn find(name: &str) -> Option<Block> {
    let known = [
        ("s2_rows_", What::Rows),
        ("s2_sum_rows_", What::SumRows),
        ("s2_widen_", What::Widen),
    ];
    let (what, numbers) = known
        .into_iter()
        .find_map(|(prefix, what)| Some((what, name.strip_prefix(prefix)?)))?;
    let (words, offset) = numbers.split_once('_')?;
    let words = words.parse().ok().filter(|w| (1..=4).contains(w))?;
    // The last word is reached by a 12-bit offset.
    let last = if what == What::Widen { 60 } else { 12 };
    let offset = offset.parse().ok().filter(|o| *o <= 4095 - last)?;
    Some(Block {
        what,
        words,
        offset,
    })
}

impl Block {
    fn sums(self) -> &'static [Reg] {
        &SUMS[..2 * usize::from(self.words)]
    }

    /// Registers of the arguments, those of the results, and others that it writes.
    fn registers(self) -> [Vec<Reg>; 3] {
        let sums = self.sums().to_vec();
        let rows = || [&WEIGHTS[..], &[LIST, LEFT]].concat();
        match self.what {
            What::Rows => [[&[LIST, LEFT], self.sums()].concat(), sums, rows()],
            What::SumRows => [vec![LIST, LEFT], sums, rows()],
            What::Widen => {
                let written = [&FREE[..], self.sums()].concat();
                [[&[SINK], self.sums()].concat(), vec![], written]
            }
        }
    }

    fn emit(self, b: &mut Bundle) {
        match self.what {
            What::Rows => self.rows(b),
            What::SumRows => {
                for &rd in self.sums() {
                    b.push(Inst::Mov {
                        s: false,
                        rd,
                        op2: Op2::Imm(0),
                    });
                }
                self.rows(b);
            }
            What::Widen => self.widen(b),
        }
    }

    fn widen(self, b: &mut Bundle) {
        let target = |k: usize| {
            let sum = SUMS[k / 4 * 2 + k % 2];
            let rot = if k % 4 < 2 { 0 } else { 2 };
            let place = Addr::Offset(SINK, i32::from(self.offset) + 4 * k as i32);
            (sum, rot, place)
        };
        let mut free = FREE.to_vec();
        let (mut done, all) = (0, 4 * usize::from(self.words));
        while done < all {
            let end = all.min(done + free.len());
            let taken: Vec<(Reg, usize)> = free.drain(..end - done).zip(done..end).collect();
            for &(rt, k) in &taken {
                b.push(Inst::Load {
                    size: LoadSize::Word,
                    rt,
                    addr: target(k).2,
                });
            }
            for &(rd, k) in &taken {
                let (rm, rot, _) = target(k);
                b.push(Inst::ExtendAdd {
                    op: ExtendOp::Sxth,
                    rd,
                    rn: rd,
                    rm,
                    rot,
                });
                // Its high half is read last.
                free.extend((rot == 2).then_some(rm));
            }
            for &(rt, k) in &taken {
                b.push(Inst::Store {
                    size: StoreSize::Word,
                    rt,
                    addr: target(k).2,
                });
            }
            free.extend(taken.into_iter().map(|(reg, _)| reg));
            done = end;
        }
    }

    fn row(self, b: &mut Bundle) {
        let load = |rt, addr| Inst::Load {
            size: LoadSize::Word,
            rt,
            addr,
        };
        let row = WEIGHTS[0];
        b.push(load(row, Addr::Post(LIST, 4)));
        let words = usize::from(self.words);
        for k in (1..words).chain([0]) {
            let offset = i32::from(self.offset) + 4 * k as i32;
            b.push(load(WEIGHTS[k], Addr::Offset(row, offset)));
        }
        for k in (1..words).chain([0]) {
            for odd in 0..2 {
                let sum = SUMS[2 * k + odd];
                b.push(Inst::ExtendAdd {
                    op: ExtendOp::Sxtb16,
                    rd: sum,
                    rn: sum,
                    rm: WEIGHTS[k],
                    rot: odd as u8,
                });
            }
        }
    }

    /// Two rows an iteration; an odd number enters in the middle of it.
    fn rows(self, b: &mut Bundle) {
        let less = |s| Inst::Alu {
            op: AluOp::Sub,
            s,
            rd: LEFT,
            rn: LEFT,
            op2: Op2::Imm(1),
        };
        b.push(Inst::Mov {
            s: true,
            rd: LEFT,
            op2: Op2::Shifted(LEFT, ShiftOp::Lsr, 1),
        });
        b.pieces.push(Piece::Branch {
            cond: Cond::Cs,
            label: 1,
        });
        b.push(less(false));
        b.pieces.push(Piece::Label(0));
        self.row(b);
        b.pieces.push(Piece::Label(1));
        self.row(b);
        b.push(less(true));
        b.pieces.push(Piece::Branch {
            cond: Cond::Pl,
            label: 0,
        });
    }
}

impl Lower<'_> {
    pub(super) fn fixed_block(&mut self, inst: ClifInst, name: &str, block: Block) -> Lowered<()> {
        let args = self.func.dfg.inst_args(inst).to_vec();
        let results = self.func.dfg.inst_results(inst).to_vec();
        let [takes, gives, writes] = block.registers();
        let all = || args.iter().chain(&results);
        if args.len() != takes.len()
            || results.len() != gives.len()
            || all().any(|&v| self.ty(v) != types::I32)
        {
            let (takes, gives) = (takes.len(), gives.len());
            return Err(self.fail(
                inst,
                format!("`{name}` takes {takes} i32, returns {gives} i32"),
            ));
        }
        let mut b = Bundle::new();
        block.emit(&mut b);
        let mut clobbers = PRegSet::empty();
        for reg in writes {
            clobbers.add(int_reg(reg));
        }
        for (value, place) in args.into_iter().zip(takes) {
            let vreg = self.reg(value);
            b.operands
                .push(Operand::reg_fixed_use(vreg, int_reg(place)));
        }
        for (value, place) in results.into_iter().zip(gives) {
            let vreg = match self.vregs[value] {
                Some(vreg) => vreg,
                None => self.fresh(int_reg(place).class()),
            };
            b.operands
                .push(Operand::reg_fixed_def(vreg, int_reg(place)));
        }
        let mut bundle = b.finish_access(Access::Barrier);
        bundle.clobbers = clobbers;
        self.emit(bundle);
        Ok(())
    }
}
