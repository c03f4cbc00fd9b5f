//! From allocated virtual code to items: moves, frame, branches.

use super::asm::{Item, Label};
use super::inst::{Addr, AluOp, CmpOp, Inst, LoadSize, Op2, StoreSize, VUnaryOp};
use super::lower::frame_instruction;
use super::reg::{Cond, Reg, RegList, SReg};
use super::regalloc::Numbered;
use super::vcode::{Piece, Role, VCode, VInst};
use super::{BackendError, FrameInfo, peephole};
use regalloc2::{Allocation, AllocationKind, Block, Edit, Function, InstOrEdit, Output, RegClass};
use std::collections::BTreeMap;

/// How a block ends, with label numbers of blocks as targets.
#[derive(Clone, PartialEq, Debug)]
enum End {
    Return,
    Trap(u8),
    Jump(usize),
    Branch {
        conds: Vec<Cond>,
        yes: usize,
        no: usize,
    },
    BranchZero {
        nonzero: bool,
        rn: Reg,
        yes: usize,
        no: usize,
    },
    Table {
        index: Reg,
        default: usize,
        targets: Vec<usize>,
    },
}

#[derive(Debug)]
struct Emitted {
    items: Vec<Item>,
    end: End,
}

/// The stack frame, from SP upward: spill slots, stack slots, saved registers.
#[derive(Debug, Default)]
struct Frame {
    saved: RegList,
    saved_float: Option<(u8, u8)>,
    spill_bytes: u32,
    local_bytes: u32,
    total: u32,
}

pub(super) fn run(
    code: &VCode,
    numbered: &Numbered<'_>,
    output: &Output,
) -> Result<(Vec<Item>, FrameInfo), BackendError> {
    let frame = plan_frame(code, numbered, output);
    if frame.local_bytes > 4095 {
        return Err(BackendError::new(
            &code.name,
            "the stack frame exceeds 4 kB",
        ));
    }
    let labels = code.blocks.len() as u32;
    let mut emitter = Emitter {
        code,
        numbered,
        output,
        frame,
        traps: BTreeMap::new(),
        next_label: labels,
    };
    let mut blocks = Vec::with_capacity(code.blocks.len());
    for i in 0..code.blocks.len() {
        blocks.push(emitter.block(i)?);
    }
    let info = FrameInfo {
        size: emitter.frame.total,
        spill_slots: output.num_spillslots as u32,
        edits: output
            .edits
            .iter()
            .filter(|(_, Edit::Move { from, to })| from != to)
            .count() as u32,
        calls: code.calls,
    };
    let mut items = Vec::new();
    emitter.prologue(&mut items);
    let base = items.len();
    emitter.join(&mut items, blocks)?;
    peephole::run(&mut items[base..]);
    items.retain(|item| !matches!(item, Item::Bytes(bytes) if bytes.is_empty()));
    Ok((items, info))
}

fn plan_frame(code: &VCode, numbered: &Numbered<'_>, output: &Output) -> Frame {
    let mut used = code.blocks.iter().flat_map(|b| &b.insts).fold(
        regalloc2::PRegSet::empty(),
        |mut set, inst| {
            set.union_from(inst.clobbers);
            set
        },
    );
    // Registers that only carry arguments in are not written.
    for index in 0..numbered.num_insts() {
        let inst = regalloc2::Inst::new(index);
        let allocs = output.inst_allocs(inst);
        for (operand, alloc) in numbered.inst_operands(inst).iter().zip(allocs) {
            let writes = operand.kind() == regalloc2::OperandKind::Def;
            if let (true, Some(preg)) = (
                writes && numbered.inst(inst).role != Role::Args,
                alloc.as_reg(),
            ) {
                used.add(preg);
            }
        }
    }
    for (_, Edit::Move { to, .. }) in &output.edits {
        if let Some(preg) = to.as_reg() {
            used.add(preg);
        }
    }
    let mut saved = RegList::default();
    let mut floats: Vec<u8> = Vec::new();
    for preg in used {
        if code.results.contains(preg) {
            continue;
        }
        let number = preg.hw_enc() as u8;
        match preg.class() {
            RegClass::Int => {
                let callee_saved = matches!(number, 4..=11 | 14);
                if let (true, Some(reg)) = (callee_saved || code.preserve_all, Reg::new(number)) {
                    saved = saved.with(reg);
                }
            }
            _ if number >= 16 || code.preserve_all => floats.push(number),
            _ => {}
        }
    }
    if code.calls {
        saved = saved.with(Reg::LR);
    }
    let saved_float = match (floats.iter().min(), floats.iter().max()) {
        (Some(&low), Some(&high)) => Some((low, high - low + 1)),
        _ => None,
    };
    let spill_bytes = output.num_spillslots as u32 * 4;
    let mut local_bytes = spill_bytes + code.slot_bytes;
    let saved_bytes =
        |saved: RegList| saved.count() * 4 + saved_float.map_or(0, |(_, n)| u32::from(n) * 4);
    // SP is a multiple of 8 at calls; without a call nobody can tell.
    if code.calls && !(saved_bytes(saved) + local_bytes).is_multiple_of(8) {
        // One more push is cheaper than moving SP, if SP is not moved anyway.
        let spare = (4..12).filter_map(Reg::new).find(|&r| !saved.contains(r));
        match spare {
            Some(reg) if local_bytes == 0 => saved = saved.with(reg),
            _ => local_bytes += 4,
        }
    }
    let saved_bytes = saved_bytes(saved);
    Frame {
        saved,
        saved_float,
        spill_bytes,
        local_bytes,
        total: saved_bytes + local_bytes,
    }
}

struct Emitter<'a> {
    code: &'a VCode,
    numbered: &'a Numbered<'a>,
    output: &'a Output,
    frame: Frame,
    /// Trap stubs by code.
    traps: BTreeMap<u8, Label>,
    /// Block labels come first, then those of stubs.
    next_label: u32,
}

impl Emitter<'_> {
    fn error(&self, reason: impl Into<String>) -> BackendError {
        BackendError::new(&self.code.name, reason)
    }

    fn trap(&mut self, code: u8) -> Label {
        if let Some(&label) = self.traps.get(&code) {
            return label;
        }
        let label = self.new_label();
        self.traps.insert(code, label);
        label
    }

    fn new_label(&mut self) -> Label {
        self.next_label += 1;
        Label(self.next_label - 1)
    }

    fn block(&mut self, index: usize) -> Result<Emitted, BackendError> {
        let mut items = Vec::new();
        let mut end = None;
        let numbered = self.numbered;
        for element in self
            .output
            .block_insts_and_edits(numbered, Block::new(index))
        {
            match element {
                InstOrEdit::Edit(Edit::Move { from, to }) => {
                    if from != to {
                        items.push(self.edit(*from, *to)?);
                    }
                }
                InstOrEdit::Inst(inst) => {
                    let allocs = self.output.inst_allocs(inst);
                    let vinst = numbered.inst(inst);
                    self.pieces(vinst, allocs, &mut items)?;
                    if vinst.role.is_terminator() {
                        end = Some(self.end(index, vinst, allocs)?);
                    }
                }
            }
        }
        let end = end.ok_or_else(|| self.error(format!("block {index} has no end")))?;
        Ok(Emitted { items, end })
    }

    fn edit(&self, from: Allocation, to: Allocation) -> Result<Item, BackendError> {
        let slot = |alloc: Allocation| alloc.as_stack().map(|slot| slot.index() as i32 * 4);
        let inst = match (from.as_reg(), to.as_reg()) {
            (Some(a), Some(b)) => match a.class() {
                RegClass::Int => Inst::Mov {
                    s: false,
                    rd: core(b.hw_enc()),
                    op2: Op2::Reg(core(a.hw_enc())),
                },
                _ => Inst::VUnary {
                    op: VUnaryOp::Mov,
                    sd: single(b.hw_enc()),
                    sm: single(a.hw_enc()),
                },
            },
            (Some(a), None) => {
                let offset = slot(to).ok_or_else(|| self.error("a move has no place"))?;
                match a.class() {
                    RegClass::Int => Inst::Store {
                        size: StoreSize::Word,
                        rt: core(a.hw_enc()),
                        addr: Addr::Offset(Reg::SP, offset),
                    },
                    _ => Inst::VStore {
                        sd: single(a.hw_enc()),
                        rn: Reg::SP,
                        offset,
                    },
                }
            }
            (None, Some(b)) => {
                let offset = slot(from).ok_or_else(|| self.error("a move has no place"))?;
                match b.class() {
                    RegClass::Int => Inst::Load {
                        size: LoadSize::Word,
                        rt: core(b.hw_enc()),
                        addr: Addr::Offset(Reg::SP, offset),
                    },
                    _ => Inst::VLoad {
                        sd: single(b.hw_enc()),
                        rn: Reg::SP,
                        offset,
                    },
                }
            }
            (None, None) => return Err(self.error("a move between two stack slots")),
        };
        Ok(Item::plain(inst))
    }

    fn pieces(
        &mut self,
        vinst: &VInst,
        allocs: &[Allocation],
        items: &mut Vec<Item>,
    ) -> Result<(), BackendError> {
        let place = |inst: Inst| {
            inst.map_regs(
                &mut |reg| reg.slot_index().map_or(reg, |i| core(number(allocs, i))),
                &mut |reg| reg.slot_index().map_or(reg, |i| single(number(allocs, i))),
            )
        };
        let mut labels: BTreeMap<u8, Label> = BTreeMap::new();
        for piece in &vinst.pieces {
            if let Piece::Label(label) | Piece::Branch { label, .. } = piece
                && !labels.contains_key(label)
            {
                labels.insert(*label, self.new_label());
            }
            items.push(match piece {
                Piece::Label(label) => Item::Label(labels[label]),
                Piece::Branch { cond, label } => Item::Branch {
                    cond: Some(*cond),
                    label: labels[label],
                },
                Piece::Inst { inst, cond, reloc } => {
                    let inst = place(*inst);
                    if cond.is_none() && is_identity(&inst) {
                        continue;
                    }
                    Item::Inst {
                        inst,
                        cond: *cond,
                        reloc: reloc.clone(),
                    }
                }
                Piece::Frame(inst) => Item::plain(frame_instruction(
                    place(*inst),
                    self.frame.spill_bytes as i32,
                )),
                Piece::TrapIf { cond, code } => Item::Branch {
                    cond: Some(*cond),
                    label: self.trap(*code),
                },
            });
        }
        Ok(())
    }

    fn end(&self, index: usize, vinst: &VInst, allocs: &[Allocation]) -> Result<End, BackendError> {
        let succs = &self.code.blocks[index].succs;
        let succ = |i: usize| {
            succs
                .get(i)
                .map(|s| s.block)
                .ok_or_else(|| self.error("a successor is missing"))
        };
        Ok(match &vinst.role {
            Role::Return => End::Return,
            Role::Trap(code) => End::Trap(*code),
            Role::Jump => End::Jump(succ(0)?),
            Role::Branch(conds) => End::Branch {
                conds: conds.clone(),
                yes: succ(0)?,
                no: succ(1)?,
            },
            Role::BranchZero { nonzero } => End::BranchZero {
                nonzero: *nonzero,
                rn: core(number(allocs, 0)),
                yes: succ(0)?,
                no: succ(1)?,
            },
            Role::Table => End::Table {
                index: core(number(allocs, 0)),
                default: succ(0)?,
                targets: succs.iter().skip(1).map(|s| s.block).collect(),
            },
            Role::Plain | Role::Args => return Err(self.error("a block without an end")),
        })
    }

    fn prologue(&self, items: &mut Vec<Item>) {
        let frame = &self.frame;
        if !frame.saved.is_empty() {
            items.push(Item::plain(Inst::Push { regs: frame.saved }));
        }
        if let Some((first, count)) = frame.saved_float {
            vfp_groups(first, count)
                .for_each(|(first, count)| items.push(Item::plain(Inst::VPush { first, count })));
        }
        if frame.local_bytes > 0 {
            items.push(Item::plain(move_sp(true, frame.local_bytes)));
        }
    }

    fn epilogue(&self, items: &mut Vec<Item>) {
        let frame = &self.frame;
        if frame.local_bytes > 0 {
            items.push(Item::plain(move_sp(false, frame.local_bytes)));
        }
        if let Some((first, count)) = frame.saved_float {
            let groups: Vec<(SReg, u8)> = vfp_groups(first, count).collect();
            for &(first, count) in groups.iter().rev() {
                items.push(Item::plain(Inst::VPop { first, count }));
            }
        }
        let saved = frame.saved;
        if saved.contains(Reg::LR) {
            let regs = RegList(saved.0 & !(1 << 14)).with(Reg::PC);
            items.push(Item::plain(Inst::Pop { regs }));
            return;
        }
        if !saved.is_empty() {
            items.push(Item::plain(Inst::Pop { regs: saved }));
        }
        items.push(Item::plain(Inst::Bx { rm: Reg::LR }));
    }

    /// Joins the blocks in order: jumps to the next block vanish, jumps to blocks
    /// that only jump go to their target.
    fn join(&mut self, items: &mut Vec<Item>, blocks: Vec<Emitted>) -> Result<(), BackendError> {
        let threaded: Vec<usize> = (0..blocks.len()).map(|i| thread(&blocks, i)).collect();
        let count = blocks.len();
        let mut reached = vec![false; count];
        mark(&blocks, &threaded, &mut reached);
        let order: Vec<usize> = self
            .code
            .layout
            .iter()
            .copied()
            .filter(|&block| reached[block])
            .collect();
        let mut position = vec![0; count];
        for (at, &block) in order.iter().enumerate() {
            position[block] = at;
        }
        let mut blocks: Vec<Option<Emitted>> = blocks.into_iter().map(Some).collect();
        let label = |block: usize| Label(block as u32);
        for (at, &i) in order.iter().enumerate() {
            let Some(block) = blocks[i].take() else {
                continue;
            };
            items.push(Item::Label(label(i)));
            items.extend(block.items);
            let next = order.get(at + 1).copied();
            let jump = |items: &mut Vec<Item>, to: usize| {
                if next != Some(to) {
                    items.push(Item::Branch {
                        cond: None,
                        label: label(to),
                    });
                }
            };
            match block.end {
                End::Return => self.epilogue(items),
                End::Trap(code) => items.push(Item::plain(Inst::Udf(code))),
                End::Jump(to) => jump(items, threaded[to]),
                End::Branch { mut conds, yes, no } => {
                    let (mut yes, mut no) = (threaded[yes], threaded[no]);
                    if let (1, true) = (conds.len(), next == Some(yes)) {
                        conds[0] = conds[0].invert();
                        std::mem::swap(&mut yes, &mut no);
                    }
                    if yes != no {
                        for cond in conds {
                            items.push(Item::Branch {
                                cond: Some(cond),
                                label: label(yes),
                            });
                        }
                    }
                    jump(items, no);
                }
                End::BranchZero {
                    mut nonzero,
                    rn,
                    yes,
                    no,
                } => {
                    let (mut yes, mut no) = (threaded[yes], threaded[no]);
                    if next == Some(yes) {
                        nonzero = !nonzero;
                        std::mem::swap(&mut yes, &mut no);
                    }
                    if yes != no {
                        items.push(Item::CompareBranch {
                            nonzero,
                            rn,
                            label: label(yes),
                        });
                    }
                    jump(items, no);
                }
                End::Table {
                    index,
                    default,
                    targets,
                } => {
                    let default = label(threaded[default]);
                    items.push(Item::Branch {
                        cond: Some(Cond::Cs),
                        label: default,
                    });
                    let targets: Vec<usize> = targets.iter().map(|&t| threaded[t]).collect();
                    self.table(items, index, &targets, &|target| position[target] > at);
                }
            }
        }
        for (&code, &label) in &self.traps {
            items.push(Item::Label(label));
            items.push(Item::plain(Inst::Udf(code)));
        }
        Ok(())
    }

    /// Table entries reach only forward; backward targets get a branch after the
    /// table.
    fn table(
        &mut self,
        items: &mut Vec<Item>,
        index: Reg,
        targets: &[usize],
        is_later: &dyn Fn(usize) -> bool,
    ) {
        let mut trampolines: BTreeMap<usize, Label> = BTreeMap::new();
        let labels = targets
            .iter()
            .map(|&target| {
                if is_later(target) {
                    return Label(target as u32);
                }
                *trampolines
                    .entry(target)
                    .or_insert_with(|| self.new_label())
            })
            .collect();
        items.push(Item::Table {
            index,
            targets: labels,
        });
        for (target, label) in trampolines {
            items.push(Item::Label(label));
            items.push(Item::Branch {
                cond: None,
                label: Label(target as u32),
            });
        }
    }
}

/// Follows empty blocks that only jump. The entry block stays where it is.
fn thread(blocks: &[Emitted], start: usize) -> usize {
    let mut at = start;
    // A cycle of empty blocks is an endless loop; stop somewhere in it.
    for _ in 0..blocks.len() {
        match &blocks[at] {
            Emitted {
                items,
                end: End::Jump(to),
            } if items.is_empty() && *to != at => at = *to,
            _ => break,
        }
    }
    at
}

fn mark(blocks: &[Emitted], threaded: &[usize], reached: &mut [bool]) {
    let mut work = vec![0];
    while let Some(i) = work.pop() {
        if std::mem::replace(&mut reached[i], true) {
            continue;
        }
        match &blocks[i].end {
            End::Return | End::Trap(_) => {}
            End::Jump(to) => work.push(threaded[*to]),
            End::Branch { yes, no, .. } | End::BranchZero { yes, no, .. } => {
                work.extend([threaded[*yes], threaded[*no]]);
            }
            End::Table {
                default, targets, ..
            } => {
                work.push(threaded[*default]);
                work.extend(targets.iter().map(|&t| threaded[t]));
            }
        }
    }
}

fn number(allocs: &[Allocation], index: u8) -> usize {
    let alloc = allocs[usize::from(index)];
    debug_assert_eq!(alloc.kind(), AllocationKind::Reg);
    alloc.as_reg().map_or(0, |preg| preg.hw_enc())
}

fn core(number: usize) -> Reg {
    Reg::new(number as u8).unwrap_or(Reg::PC)
}

fn single(number: usize) -> SReg {
    SReg::new(number as u8).unwrap_or(SReg::slot(0))
}

/// VPUSH and VPOP take at most 16 registers on some decoders; groups of 16 from
/// the top down keep one order for both.
fn vfp_groups(first: u8, count: u8) -> impl Iterator<Item = (SReg, u8)> {
    let mut rest = count;
    std::iter::from_fn(move || {
        let size = rest.min(16);
        rest -= size;
        (size > 0).then(|| (single(usize::from(first + rest)), size))
    })
}

fn move_sp(down: bool, bytes: u32) -> Inst {
    let op = if down { AluOp::Sub } else { AluOp::Add };
    if bytes.is_multiple_of(4) && bytes < 512 || super::imm::modified(bytes).is_some() {
        return Inst::Alu {
            op,
            s: false,
            rd: Reg::SP,
            rn: Reg::SP,
            op2: Op2::Imm(bytes),
        };
    }
    Inst::AddWide {
        sub: down,
        rd: Reg::SP,
        rn: Reg::SP,
        imm: bytes as u16,
    }
}

/// A move of a register to itself.
fn is_identity(inst: &Inst) -> bool {
    match *inst {
        Inst::Mov {
            s: false,
            rd,
            op2: Op2::Reg(rm),
        } => rd == rm,
        Inst::VUnary {
            op: VUnaryOp::Mov,
            sd,
            sm,
        } => sd == sm,
        _ => false,
    }
}

/// CMP rn, #0.
pub(super) fn is_compare_zero(inst: &Inst) -> Option<Reg> {
    match *inst {
        Inst::Compare {
            op: CmpOp::Cmp,
            rn,
            op2: Op2::Imm(0),
        } => Some(rn),
        _ => None,
    }
}
