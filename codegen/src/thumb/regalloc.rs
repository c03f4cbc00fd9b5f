//! Register allocation by regalloc2 (Ion).

use super::vcode::{Role, VCode, VInst, float_reg, int_reg};
use super::{BackendError, Reg, SReg};
use regalloc2::checker::Checker;
use regalloc2::{
    Algorithm, Block, Edit, Function, Inst, InstRange, MachineEnv, Operand, Output, PReg, PRegSet,
    RegClass, RegallocOptions, VReg,
};

/// VCode with the flat numbering that regalloc2 reads.
pub(super) struct Numbered<'a> {
    code: &'a VCode,
    insts: Vec<&'a VInst>,
    ranges: Vec<InstRange>,
    succs: Vec<Vec<Block>>,
    preds: Vec<Vec<Block>>,
}

impl<'a> Numbered<'a> {
    pub(super) fn new(code: &'a VCode) -> Numbered<'a> {
        let mut insts = Vec::new();
        let mut ranges = Vec::new();
        let mut succs: Vec<Vec<Block>> = Vec::new();
        let mut preds: Vec<Vec<Block>> = vec![Vec::new(); code.blocks.len()];
        for (number, block) in code.blocks.iter().enumerate() {
            let start = insts.len();
            insts.extend(&block.insts);
            ranges.push(InstRange::new(Inst::new(start), Inst::new(insts.len())));
            for succ in &block.succs {
                preds[succ.block].push(Block::new(number));
            }
            succs.push(block.succs.iter().map(|s| Block::new(s.block)).collect());
        }
        Numbered {
            code,
            insts,
            ranges,
            succs,
            preds,
        }
    }

    pub(super) fn inst(&self, inst: Inst) -> &'a VInst {
        self.insts[inst.index()]
    }
}

impl Function for Numbered<'_> {
    fn num_insts(&self) -> usize {
        self.insts.len()
    }

    fn num_blocks(&self) -> usize {
        self.ranges.len()
    }

    fn entry_block(&self) -> Block {
        Block::new(0)
    }

    fn block_insns(&self, block: Block) -> InstRange {
        self.ranges[block.index()]
    }

    fn block_succs(&self, block: Block) -> &[Block] {
        &self.succs[block.index()]
    }

    fn block_preds(&self, block: Block) -> &[Block] {
        &self.preds[block.index()]
    }

    fn block_params(&self, block: Block) -> &[VReg] {
        &self.code.blocks[block.index()].params
    }

    fn is_ret(&self, inst: Inst) -> bool {
        matches!(self.inst(inst).role, Role::Return | Role::Trap(_))
    }

    fn is_branch(&self, inst: Inst) -> bool {
        matches!(
            self.inst(inst).role,
            Role::Jump | Role::Branch(_) | Role::BranchZero { .. } | Role::Table
        )
    }

    fn branch_blockparams(&self, block: Block, _: Inst, succ: usize) -> &[VReg] {
        &self.code.blocks[block.index()].succs[succ].args
    }

    fn inst_operands(&self, inst: Inst) -> &[Operand] {
        &self.inst(inst).operands
    }

    fn inst_clobbers(&self, inst: Inst) -> PRegSet {
        self.inst(inst).clobbers
    }

    fn num_vregs(&self) -> usize {
        self.code.num_vregs
    }

    fn spillslot_size(&self, _: RegClass) -> usize {
        1
    }
}

fn ints(numbers: &[u8]) -> impl Iterator<Item = PReg> + '_ {
    numbers.iter().filter_map(|&n| Reg::new(n)).map(int_reg)
}

fn floats(range: std::ops::Range<u8>) -> impl Iterator<Item = PReg> {
    range.filter_map(SReg::new).map(float_reg)
}

/// SP and PC are never allocated. `frugal` prefers the registers that need no
/// saving; otherwise those that encode in 16 bits come first, since a function
/// that saves registers at all rarely minds two more.
fn environment(frugal: bool) -> MachineEnv {
    let (first, rest): (&[u8], &[u8]) = if frugal {
        (&[0, 1, 2, 3, 12], &[4, 5, 6, 7, 8, 9, 10, 11, 14])
    } else {
        (&[0, 1, 2, 3, 4, 5, 6, 7], &[8, 9, 10, 11, 12, 14])
    };
    let preferred = [
        ints(first).collect(),
        floats(0..16).collect(),
        PRegSet::empty(),
    ];
    let other = [
        ints(rest).collect(),
        floats(16..32).collect(),
        PRegSet::empty(),
    ];
    MachineEnv {
        preferred_regs_by_class: preferred,
        non_preferred_regs_by_class: other,
        scratch_by_class: [None, None, None],
        fixed_stack_slots: Vec::new(),
    }
}

/// Allocates; with `check`, also proves the result by symbolic execution.
pub(super) fn run(
    code: &VCode,
    numbered: &Numbered<'_>,
    check: bool,
) -> Result<Output, BackendError> {
    // A leaf function that gets by without saved registers is worth a first try.
    if !code.calls {
        let output = allocate(code, numbered, check, true)?;
        if !saves_integers(numbered, &output) {
            return Ok(output);
        }
    }
    allocate(code, numbered, check, false)
}

/// Whether an allocation writes r4 to r11 or LR.
fn saves_integers(numbered: &Numbered<'_>, output: &Output) -> bool {
    let saved = |preg: PReg| preg.class() == RegClass::Int && matches!(preg.hw_enc(), 4..=11 | 14);
    output.allocs.iter().filter_map(|a| a.as_reg()).any(saved)
        || numbered
            .insts
            .iter()
            .any(|i| i.clobbers.into_iter().any(saved))
        || output
            .edits
            .iter()
            .any(|(_, Edit::Move { to, .. })| to.as_reg().is_some_and(saved))
}

/// About how many cycles the allocator's moves take: those in loops often, those in
/// cold blocks never.
pub(super) fn weight(code: &VCode, numbered: &Numbered<'_>, output: &Output) -> u32 {
    /// Of a loop's body: runs of it for each run of the function.
    const OFTEN: u32 = 16;
    let cost = |at: Inst| {
        let block = numbered.ranges.partition_point(|r| r.last() < at);
        match code.blocks.get(block) {
            Some(block) if block.cold => 0,
            Some(block) if block.in_loop.is_some() => OFTEN,
            Some(_) | None => 1,
        }
    };
    let moves = output
        .edits
        .iter()
        .filter(|(_, Edit::Move { from, to })| from != to);
    moves.map(|(point, _)| cost(point.inst())).sum()
}

fn allocate(
    code: &VCode,
    numbered: &Numbered<'_>,
    check: bool,
    frugal: bool,
) -> Result<Output, BackendError> {
    let env = environment(frugal);
    let options = RegallocOptions {
        verbose_log: false,
        validate_ssa: check,
        algorithm: Algorithm::Ion,
    };
    let output = regalloc2::run(numbered, &env, &options)
        .map_err(|e| BackendError::new(&code.name, format!("register allocation failed: {e}")))?;
    if check {
        let mut checker = Checker::new(numbered, &env);
        checker.prepare(&output);
        checker.run().map_err(|errors| {
            BackendError::new(
                &code.name,
                format!("register allocation is wrong: {errors:?}"),
            )
        })?;
    }
    Ok(output)
}
