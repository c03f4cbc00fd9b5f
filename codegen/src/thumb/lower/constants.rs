//! One register per constant: per block, or before the outermost loop. Cold blocks
//! make their own, unless many of one loop want the same.

use super::super::asm::{RelocKind, SymbolRef};
use super::super::inst::Inst;
use super::super::vcode::{Bundle, VInst};
use super::super::{constant as constant_insts, imm};
use super::Lower;
use cranelift_codegen::ir::{Block, Function, InstructionData};
use cranelift_codegen::loop_analysis::LoopAnalysis;
use regalloc2::{RegClass, VReg};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What a register may be asked to hold.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Constant {
    Int(u32),
    Float(u32),
    /// Address of a symbol; functions get their Thumb bit from the linker.
    Symbol(String, i32),
}

#[derive(Debug)]
struct Made {
    vreg: VReg,
    /// Index in the block's reversed code, right before the first use. `None`
    /// until the block's terminator is lowered.
    position: Option<usize>,
    asked: bool,
}

/// Constants of the function, by the block that makes them.
#[derive(Debug)]
pub(super) struct Constants {
    made: BTreeMap<(Block, Constant), Made>,
    /// How many more integers and floats may live across loops.
    budget: (usize, usize),
    /// Integers that many cold blocks of a loop ask for, by its header.
    common: BTreeSet<(Block, u32)>,
}

/// In so many cold blocks of a loop a constant is worth a register.
const COMMON: usize = 4;
/// Most constants of a loop that are kept for its cold blocks.
const FOR_COLD: usize = 2;

impl Constants {
    pub(super) fn new(budget: (usize, usize), func: &Function, loops: &LoopAnalysis) -> Constants {
        Constants {
            made: BTreeMap::new(),
            budget,
            common: common(func, loops),
        }
    }

    /// Called after each instruction of `block`: what it asked for is made right
    /// before it, what later blocks asked for before the terminator.
    pub(super) fn place(&mut self, block: Block, position: usize) {
        for ((at, _), made) in &mut self.made {
            if *at == block && (made.asked || made.position.is_none()) {
                made.position = Some(position);
                made.asked = false;
            }
        }
    }

    /// The constants a block makes, last position first.
    pub(super) fn of_block(&self, block: Block) -> Vec<(usize, VReg, Constant)> {
        let mut found: Vec<(usize, VReg, Constant)> = self
            .made
            .iter()
            .filter(|((at, _), _)| *at == block)
            .map(|((_, constant), made)| (made.position.unwrap_or(0), made.vreg, constant.clone()))
            .collect();
        found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| b.2.cmp(&a.2)));
        found
    }
}

/// The header of the outermost loop around a block.
fn outermost(loops: &LoopAnalysis, block: Block) -> Option<Block> {
    let mut found = loops.innermost_loop(block)?;
    while let Some(outer) = loops.loop_parent(found) {
        found = outer;
    }
    Some(loops.loop_header(found))
}

/// The constants that the most cold blocks of each loop name, at least [`COMMON`]
/// blocks.
fn common(func: &Function, loops: &LoopAnalysis) -> BTreeSet<(Block, u32)> {
    let mut named: BTreeMap<Block, BTreeMap<u32, BTreeSet<Block>>> = BTreeMap::new();
    for block in func.layout.blocks().filter(|&b| func.layout.is_cold(b)) {
        let Some(around) = outermost(loops, block) else {
            continue;
        };
        for inst in func.layout.block_insts(block) {
            for &value in func.dfg.inst_args(inst) {
                let value = func.dfg.resolve_aliases(value);
                let made = func.dfg.value_def(value).inst();
                let bits = made.and_then(|made| match func.dfg.insts[made] {
                    InstructionData::UnaryImm { imm, .. } => Some(imm.bits() as u32),
                    InstructionData::UnaryIeee32 { imm, .. } => Some(imm.bits()),
                    _ => None,
                });
                if let Some(bits) = bits {
                    let of_loop = named.entry(around).or_default();
                    of_loop.entry(bits).or_default().insert(block);
                }
            }
        }
    }
    let mut common = BTreeSet::new();
    for (around, constants) in named {
        let mut often: Vec<(usize, u32)> = constants
            .into_iter()
            .map(|(bits, blocks)| (blocks.len(), bits))
            .filter(|&(blocks, _)| blocks >= COMMON)
            .collect();
        often.sort_unstable_by_key(|&(blocks, bits)| (Reverse(blocks), bits));
        common.extend(
            often
                .into_iter()
                .take(FOR_COLD)
                .map(|(_, bits)| (around, bits)),
        );
    }
    common
}

impl Lower<'_> {
    /// A register that holds a constant at the current instruction.
    pub(super) fn constant(&mut self, constant: Constant) -> VReg {
        let Some(current) = self.block else {
            return self.fresh_int();
        };
        let home = self.constant_home(current, &constant);
        let key = (home, constant);
        let here = home == current;
        if let Some(made) = self.constants.made.get_mut(&key) {
            made.asked |= here;
            return made.vreg;
        }
        let class = match key.1 {
            Constant::Float(_) => RegClass::Float,
            Constant::Int(_) | Constant::Symbol(..) => RegClass::Int,
        };
        let vreg = self.fresh(class);
        self.constants.made.insert(
            key,
            Made {
                vreg,
                position: None,
                asked: here,
            },
        );
        vreg
    }

    /// The block that makes a constant for a use in `current`: the one before the
    /// outermost loop while the budget lasts, else `current` itself.
    fn constant_home(&mut self, current: Block, constant: &Constant) -> Block {
        let Some(around) = outermost(&self.loops, current) else {
            return current;
        };
        let kept = match constant {
            Constant::Int(bits) => self.constants.common.contains(&(around, *bits)),
            Constant::Float(_) | Constant::Symbol(..) => false,
        };
        if self.func.layout.is_cold(current) && !kept {
            return current;
        }
        let Some(home) = self.domtree.idom(around) else {
            return current;
        };
        if kept || self.constants.made.contains_key(&(home, constant.clone())) {
            return home;
        }
        let float = matches!(constant, Constant::Float(_));
        let budget = if float {
            &mut self.constants.budget.1
        } else {
            &mut self.constants.budget.0
        };
        if *budget == 0 {
            return current;
        }
        *budget -= 1;
        home
    }

    /// The bundle that makes a constant.
    pub(super) fn make_constant(&mut self, vreg: VReg, constant: &Constant) -> VInst {
        let mut b = Bundle::new();
        match constant {
            Constant::Int(value) => {
                let rd = b.def_reg(vreg);
                for inst in constant_insts(rd, *value) {
                    b.push(inst);
                }
            }
            Constant::Symbol(symbol, addend) => {
                let rd = b.def_reg(vreg);
                let reference = |kind| SymbolRef {
                    kind,
                    symbol: symbol.clone(),
                    addend: *addend,
                };
                b.push_reloc(Inst::Movw { rd, imm: 0 }, reference(RelocKind::MovwAbs));
                b.push_reloc(Inst::Movt { rd, imm: 0 }, reference(RelocKind::MovtAbs));
            }
            Constant::Float(bits) => {
                if let Some(imm8) = imm::vfp(*bits) {
                    let sd = b.def_float(vreg);
                    b.push(Inst::VMovImm { sd, imm8 });
                } else {
                    let temp = self.fresh_int();
                    let rt = b.temp_reg(temp);
                    let sn = b.def_float(vreg);
                    for inst in constant_insts(rt, *bits) {
                        b.push(inst);
                    }
                    b.push(Inst::VMovFromCore { sn, rt });
                }
            }
        }
        b.finish()
    }
}
