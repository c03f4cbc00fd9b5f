//! Calls that are a whole loop with fixed registers.
//!
//! `s2_rows_W_O(list, n, a0, ...) -> (a0', ...)` adds `W` words of int8 weights of
//! each of `n` rows (at least 1) to `2 W` pairs of int16 sums; a row's words begin
//! `O` bytes behind the address that `list` holds. Fourteen registers are in use at
//! once, at which an allocator that knows nothing of the loop spills.

use super::super::inst::{Addr, AluOp, ExtendOp, Inst, LoadSize, Op2, ShiftOp};
use super::super::reg::{Cond, Reg};
use super::super::vcode::{Access, Bundle, Piece, int_reg};
use super::{Lower, Lowered};
use cranelift_codegen::ir::{Inst as ClifInst, types};
use regalloc2::{Operand, PRegSet};

/// The rows that one call adds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    /// Words of each row, 1 to 4.
    words: u8,
    /// Bytes from a row's address to the first of them.
    offset: u16,
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

/// What the name of a block intrinsic says.
pub(super) fn find(name: &str) -> Option<Rows> {
    let (words, offset) = name.strip_prefix("s2_rows_")?.split_once('_')?;
    let words = words.parse().ok().filter(|w| (1..=4).contains(w))?;
    // The last word is read by LDR with a 12-bit offset.
    let offset = offset.parse().ok().filter(|o| *o <= 4095 - 12)?;
    Some(Rows { words, offset })
}

impl Rows {
    fn sums(self) -> &'static [Reg] {
        &SUMS[..2 * usize::from(self.words)]
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
    fn emit(self, b: &mut Bundle) {
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
    pub(super) fn rows(&mut self, inst: ClifInst, name: &str, rows: Rows) -> Lowered<()> {
        let args = self.func.dfg.inst_args(inst).to_vec();
        let results = self.func.dfg.inst_results(inst).to_vec();
        let sums = rows.sums();
        let all = || args.iter().chain(&results);
        if args.len() != 2 + sums.len()
            || results.len() != sums.len()
            || all().any(|&v| self.ty(v) != types::I32)
        {
            let n = sums.len();
            return Err(self.fail(
                inst,
                format!("`{name}` takes {} i32, returns {n} i32", n + 2),
            ));
        }
        let mut b = Bundle::new();
        rows.emit(&mut b);
        let mut clobbers = PRegSet::empty();
        for reg in WEIGHTS.into_iter().chain([LIST, LEFT]) {
            clobbers.add(int_reg(reg));
        }
        let places = [LIST, LEFT].into_iter().chain(sums.iter().copied());
        for (value, place) in args.into_iter().zip(places) {
            let vreg = self.reg(value);
            b.operands
                .push(Operand::reg_fixed_use(vreg, int_reg(place)));
        }
        for (value, &place) in results.into_iter().zip(sums) {
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
