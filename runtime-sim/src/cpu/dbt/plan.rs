//! What a region consists of: its instructions, cut into nodes, with exact costs.
//!
//! A node is a run of instructions with one beginning. It is known by its address,
//! by what the instruction before it left that its first instruction feels, and by
//! whether the FPU is known to be ready: so the cost of every instruction is a
//! constant, and a piece of code that is reached in two ways is two nodes. An IT
//! block whose condition can't change inside is two nodes: one in which it holds
//! and one in which it does not.

use super::super::code::Slot;
use super::super::cycles::Costs;
use super::super::op::Op;
use std::collections::BTreeMap;

/// Cycles between two looks at the clock beyond which no region is made.
pub(super) const MAX_WORST: u32 = 1 << 15;

/// What makes a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) pc: u32,
    pub(super) path: Path,
    /// What the first instruction meets of the one before it.
    pub(super) met: u64,
    /// The FPU is ready and in its usual modes.
    pub(super) fpu: bool,
}

/// Outside of IT blocks, or which way through one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Path {
    Plain,
    Holds,
    Fails,
}

/// One instruction of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) here: u32,
    pub(super) slot: Slot,
    /// False if its condition fails.
    pub(super) runs: bool,
    /// State of time before it, relative to the beginning of the node.
    pub(super) cycles: u32,
    pub(super) count: u32,
    pub(super) left: u64,
}

/// Where control goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edge {
    Node(usize),
    /// To an address that does not belong to the region.
    Leave(u32),
}

/// How a node ends. Its last item is the instruction that ends it, if one does.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// Goes on, by a branch or not.
    Go(Edge),
    /// A conditional branch; a taken one pays the refill on top.
    Branch { taken: Edge, next: Edge },
    /// An IT whose condition is this.
    It { cond: u8, holds: Edge, fails: Edge },
    /// A branch to a computed address, with those that are expected.
    Computed { sites: Vec<(u32, usize)> },
    /// The item after the last one is left to the interpreter.
    Step(Item),
    /// As `Step`, unless it turns out to be an access to a port: then the edge, so many cycles
    /// behind the beginning of the node.
    Port(Item, Edge, u32),
    /// As `Step`, unless the FPU is ready.
    Gate(Item, Edge),
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) key: Key,
    pub(super) items: Vec<Item>,
    pub(super) end: End,
    /// Cycles and instructions of all items.
    pub(super) cycles: u32,
    pub(super) count: u32,
    /// What the last item leaves.
    pub(super) left: u64,
    /// The clock is looked at here.
    pub(super) header: bool,
    /// Most cycles from here to the next look at the clock.
    pub(super) worst: u32,
}

impl Node {
    /// Cycles until it is left, without a refill.
    fn longest(&self) -> u32 {
        match self.end {
            End::Port(_, _, cycles) => cycles,
            _ => self.cycles,
        }
    }

    pub(super) fn successors(&self) -> Vec<usize> {
        let edge = |e: &Edge| match e {
            Edge::Node(n) => Some(*n),
            Edge::Leave(_) => None,
        };
        match &self.end {
            End::Go(e) | End::Gate(_, e) | End::Port(_, e, _) => edge(e).into_iter().collect(),
            End::Branch { taken, next } => edge(taken).into_iter().chain(edge(next)).collect(),
            End::It { holds, fails, .. } => edge(holds).into_iter().chain(edge(fails)).collect(),
            End::Computed { sites } => sites.iter().map(|s| s.1).collect(),
            End::Step(_) => Vec::new(),
        }
    }
}

/// Where translated code may be entered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) pc: u32,
    /// What the first instruction feels, and must meet.
    pub(super) feels: u64,
    pub(super) met: u64,
    pub(super) fpu: bool,
    pub(super) node: u32,
    pub(super) worst: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) nodes: Vec<Node>,
    pub(super) entries: Vec<Entry>,
    pub(super) slots: BTreeMap<u32, Slot>,
    pub(super) refill: u32,
}

/// What an instruction means for the flow of control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Straight,
    It,
    Jump(u32),
    Branch(u32),
    Call(u32),
    Computed {
        call: bool,
    },
    /// Not translated.
    Step,
}

pub(super) fn flow(op: &Op, here: u32) -> Flow {
    let target = |offset: i32| here.wrapping_add(4).wrapping_add_signed(offset);
    match *op {
        Op::B { offset } => Flow::Jump(target(offset)),
        Op::BCond { offset, .. } => Flow::Branch(target(offset)),
        Op::Cbz { offset, .. } => Flow::Branch(target(offset.into())),
        Op::Bl { offset } => Flow::Call(target(offset)),
        Op::Bx { .. } | Op::MovToPc { .. } => Flow::Computed { call: false },
        Op::Blx { .. } => Flow::Computed { call: true },
        Op::LoadMany { list, .. } if list >> 15 != 0 => Flow::Computed { call: false },
        Op::It { .. } => Flow::It,
        _ if super::translatable(op) => Flow::Straight,
        _ => Flow::Step,
    }
}

/// Finds headers and the worst case from every node on; false if the region looks at
/// the clock too rarely.
pub(super) fn measure(nodes: &mut [Node], roots: &[usize], refill: u32) -> bool {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let successors: Vec<Vec<usize>> = nodes.iter().map(Node::successors).collect();
    let mut marks = vec![Mark::New; nodes.len()];
    for &root in roots {
        if marks[root] != Mark::New {
            continue;
        }
        marks[root] = Mark::Open;
        let mut path = vec![(root, 0)];
        while let Some((n, next)) = path.last_mut() {
            let n = *n;
            if let Some(&s) = successors[n].get(*next) {
                *next += 1;
                match marks[s] {
                    Mark::New => {
                        marks[s] = Mark::Open;
                        path.push((s, 0));
                    }
                    Mark::Open => nodes[s].header = true,
                    Mark::Done => {}
                }
                continue;
            }
            let behind = successors[n].iter().filter(|&&s| !nodes[s].header);
            let behind = behind.map(|&s| nodes[s].worst).max().unwrap_or(0);
            nodes[n].worst = (behind + nodes[n].longest() + refill).min(MAX_WORST + 1);
            if nodes[n].worst > MAX_WORST {
                return false;
            }
            marks[n] = Mark::Done;
            path.pop();
        }
    }
    true
}

/// Items with exact costs, one behind the other.
pub(super) struct Timeline<'a> {
    costs: &'a Costs,
    pub(super) items: Vec<Item>,
    pub(super) cycles: u32,
    pub(super) count: u32,
    pub(super) left: u64,
}

impl<'a> Timeline<'a> {
    pub(super) fn new(costs: &'a Costs, met: u64) -> Self {
        Self {
            costs,
            items: Vec::new(),
            cycles: 0,
            count: 0,
            left: met,
        }
    }

    pub(super) fn item(&self, here: u32, slot: &Slot, runs: bool) -> Item {
        Item {
            here,
            slot: *slot,
            runs,
            cycles: self.cycles,
            count: self.count,
            left: self.left,
        }
    }

    pub(super) fn push(&mut self, here: u32, slot: &Slot, runs: bool) {
        self.items.push(self.item(here, slot, runs));
        self.count += 1;
        if runs {
            self.cycles += self.costs.after(self.left & slot.feels, slot.cost) as u32;
            self.left = slot.leaves;
        } else {
            self.cycles += u32::from(self.costs.skipped);
            self.left = 0;
        }
    }
}
