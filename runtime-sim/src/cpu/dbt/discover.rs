//! Finds the instructions that belong to a region.

use super::super::code::{Code, Slot};
use super::super::core::Core;
use super::super::memory::Memory;
use super::super::op::Op;
use super::plan::{Edge, End, Entry, Flow, Key, Node, Path, Plan, Timeline, flow, measure};
use super::ports;
use super::{Engine, Wanted};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Instructions of a region.
const MAX_INSTRUCTIONS: usize = 1000;
/// Nodes of a region: code that is reached in different states counts again.
const MAX_NODES: usize = 1000;
const MAX_ENTRIES: usize = 60;
/// Expected targets of one computed branch.
const MAX_SITES: usize = 6;

pub(super) struct Discovery<'a> {
    core: &'a mut Core,
    code: &'a mut Code,
    memory: &'a mut Memory,
    /// Take also what was never executed.
    eager: bool,
    wanted: Wanted,
    slots: BTreeMap<u32, Slot>,
    leaders: BTreeSet<u32>,
    /// Behind instructions that the interpreter executes: address, met, FPU.
    resumes: BTreeSet<u32>,
}

impl<'a> Discovery<'a> {
    pub(super) fn new(
        core: &'a mut Core,
        code: &'a mut Code,
        memory: &'a mut Memory,
        wanted: Wanted,
    ) -> Self {
        Self {
            eager: core.engine == Engine::Translator,
            core,
            code,
            memory,
            wanted,
            slots: BTreeMap::new(),
            leaders: BTreeSet::new(),
            resumes: BTreeSet::new(),
        }
    }

    fn fetch(&mut self, pc: u32, it: u8) -> Option<Slot> {
        match self.code.at(pc) {
            Some(slot) if slot.it == it => return Some(*slot),
            _ if !self.eager => return None,
            _ => {}
        }
        self.core.it = it;
        let slot = self.core.predecode(self.memory, pc);
        self.core.it = 0;
        let slot = slot.ok()?;
        if self.code.at(pc).is_none_or(Slot::is_empty) {
            self.code.insert(pc, slot);
        }
        Some(slot)
    }

    /// The region that is wanted, or `None` if there is nothing to translate.
    pub(super) fn plan(mut self, met: u64) -> Option<Plan> {
        let Wanted { pc, fpu, .. } = self.wanted;
        self.explore(pc);
        let first = self.slots.get(&pc)?;
        if matches!(self.flow_at(pc), Flow::Step) {
            return None;
        }
        let start = Key {
            pc,
            path: Path::Plain,
            met: met & first.feels,
            fpu,
        };
        let (mut nodes, entries) = self.build(start)?;
        let refill = u32::from(self.core.costs.refill);
        let roots: Vec<usize> = entries.clone();
        if !measure(&mut nodes, &roots, refill) {
            return None;
        }
        let mut all: BTreeSet<usize> = entries.iter().copied().collect();
        all.extend(
            nodes
                .iter()
                .enumerate()
                .filter(|(_, n)| n.header && n.key.path == Path::Plain)
                .map(|(i, _)| i),
        );
        let entries: Vec<Entry> = all
            .into_iter()
            .take(MAX_ENTRIES)
            .map(|node| {
                let n = &nodes[node];
                Entry {
                    pc: n.key.pc,
                    feels: self.slots.get(&n.key.pc).map_or(0, |s| s.feels),
                    met: n.key.met,
                    fpu: n.key.fpu,
                    node: node as u32,
                    worst: n.worst,
                }
            })
            .collect();
        Some(Plan {
            nodes,
            entries,
            slots: self.slots,
            refill,
        })
    }

    /// The flow of a known instruction; what has been seen to reach devices is left
    /// to the interpreter.
    fn flow_at(&self, pc: u32) -> Flow {
        match self.slots.get(&pc) {
            Some(slot) if !slot.outside => flow(&slot.op, pc),
            _ => Flow::Step,
        }
    }

    /// True if another region goes on here.
    fn covered(&self, pc: u32) -> bool {
        !self.wanted.all && self.code.dbt.covers(self.wanted.exact, pc)
    }

    fn explore(&mut self, start: u32) {
        let mut work = VecDeque::from([start]);
        while let Some(first) = work.pop_front() {
            // What seldom runs stays outside: it would only be a burden for the rest.
            let threshold = self.core.engine.threshold();
            let runs = if self.wanted.all { 1 } else { threshold / 64 };
            let seldom = !self.eager && !self.code.blocks.ran(first, threshold, runs);
            if first != start && seldom {
                continue;
            }
            self.leaders.insert(first);
            let mut here = first;
            loop {
                if self.slots.contains_key(&here) {
                    self.leaders.insert(here);
                    break;
                }
                if self.slots.len() >= MAX_INSTRUCTIONS || (here != start && self.covered(here)) {
                    break;
                }
                let Some(slot) = self.fetch(here, 0) else {
                    break;
                };
                self.slots.insert(here, slot);
                let next = here.wrapping_add(slot.size.into());
                match self.flow_at(here) {
                    Flow::Straight => here = next,
                    Flow::It => {
                        let Some(behind) = self.explore_it(next, &slot, &mut work) else {
                            if let Some(slot) = self.slots.get_mut(&here) {
                                slot.outside = true;
                            }
                            break;
                        };
                        self.leaders.insert(behind);
                        here = behind;
                    }
                    Flow::Jump(target) => {
                        work.push_back(target);
                        break;
                    }
                    Flow::Branch(target) => {
                        work.push_back(next);
                        work.push_back(target);
                        break;
                    }
                    Flow::Call(target) => {
                        self.code.note_call(target, next);
                        self.resumes.insert(next);
                        work.push_back(target);
                        work.push_back(next);
                        break;
                    }
                    Flow::Computed { call } => {
                        if call {
                            self.resumes.insert(next);
                            work.push_back(next);
                        }
                        work.extend(self.code.return_sites(here).take(MAX_SITES));
                        break;
                    }
                    Flow::Step => {
                        self.resumes.insert(next);
                        work.push_back(next);
                        break;
                    }
                }
            }
        }
    }

    /// Takes the instructions of an IT block, and gives the address behind it. `None` if
    /// its condition may change inside, or if it was not seen.
    fn explore_it(&mut self, first: u32, it: &Slot, work: &mut VecDeque<u32>) -> Option<u32> {
        let Op::It { mut state } = it.op else {
            return None;
        };
        let mut here = first;
        let mut body = Vec::new();
        while state != 0 {
            let slot = self.fetch(here, state)?;
            let last = state & 7 == 0;
            state = if last {
                0
            } else {
                state & 0xe0 | state << 1 & 0x1f
            };
            if !last && super::writes_flags(&slot.op) {
                return None;
            }
            if self.slots.contains_key(&here) || matches!(slot.op, Op::Bkpt { .. }) {
                return None;
            }
            body.push((here, slot));
            here = here.wrapping_add(slot.size.into());
        }
        for (at, slot) in body {
            if let Flow::Jump(target) | Flow::Call(target) = flow(&slot.op, at) {
                work.push_back(target);
            }
            self.slots.insert(at, slot);
        }
        Some(here)
    }

    /// Cuts what was found into nodes. Also gives the nodes where it may be entered.
    fn build(&self, start: Key) -> Option<(Vec<Node>, Vec<usize>)> {
        let mut ids = Ids::default();
        let first = ids.of(start);
        let mut entries = vec![first];
        for &pc in &self.resumes {
            if let Some(slot) = self.slots.get(&pc)
                && slot.it == 0
                && self.flow_at(pc) != Flow::Step
            {
                // If the FPU turns out to be ready, the first use of it finds out.
                let id = ids.of(Key {
                    pc,
                    path: Path::Plain,
                    met: self.met_behind(pc, slot),
                    fpu: false,
                });
                if !entries.contains(&id) {
                    entries.push(id);
                }
            }
        }
        let mut nodes = Vec::new();
        while let Some(&key) = ids.keys.get(nodes.len()) {
            if nodes.len() >= MAX_NODES {
                return None;
            }
            let node = self.node(key, &mut ids);
            // The interpreter makes the FPU ready; then it is.
            if let End::Gate(item, _) = &node.end {
                let pc = item.here.wrapping_add(item.slot.size.into());
                if let Some(slot) = self.slots.get(&pc).filter(|s| s.it == 0)
                    && self.flow_at(pc) != Flow::Step
                {
                    let id = ids.of(Key {
                        pc,
                        path: Path::Plain,
                        met: item.slot.leaves & slot.feels,
                        fpu: true,
                    });
                    if !entries.contains(&id) {
                        entries.push(id);
                    }
                }
            }
            nodes.push(node);
        }
        Some((nodes, entries))
    }

    /// What an instruction meets of the one just before it in memory.
    fn met_behind(&self, pc: u32, slot: &Slot) -> u64 {
        let before = [2, 4].into_iter().find_map(|size| {
            let at = pc.wrapping_sub(size);
            self.slots.get(&at).filter(|s| u32::from(s.size) == size)
        });
        before.map_or(0, |b| b.leaves & slot.feels)
    }

    fn edge(&self, pc: u32, left: u64, fpu: bool, ids: &mut Ids) -> Edge {
        match self.slots.get(&pc) {
            Some(slot) if slot.it == 0 && self.leaders.contains(&pc) => Edge::Node(ids.of(Key {
                pc,
                path: Path::Plain,
                met: left & slot.feels,
                fpu,
            })),
            _ => Edge::Leave(pc),
        }
    }

    fn node(&self, key: Key, ids: &mut Ids) -> Node {
        let mut time = Timeline::new(&self.core.costs, key.met);
        let mut here = key.pc;
        let end = loop {
            let Some(slot) = self.slots.get(&here) else {
                break End::Go(Edge::Leave(here));
            };
            let plain = slot.it == 0;
            if here != key.pc && plain && (key.path != Path::Plain || self.leaders.contains(&here))
            {
                break End::Go(self.edge(here, time.left, key.fpu, ids));
            }
            let next = here.wrapping_add(slot.size.into());
            if !plain {
                let first = self.slots.get(&key.pc).map_or(0, |s| s.it >> 4);
                let same = slot.it >> 4 == first;
                if same != (key.path == Path::Holds) {
                    time.push(here, slot, false);
                    here = next;
                    continue;
                }
            }
            if slot.op.is_fpu() && !key.fpu && self.flow_at(here) == Flow::Straight {
                let item = time.item(here, slot, true);
                if !plain {
                    break End::Step(item);
                }
                let ready = Key {
                    pc: here,
                    path: Path::Plain,
                    met: time.left & slot.feels,
                    fpu: true,
                };
                break End::Gate(item, Edge::Node(ids.of(ready)));
            }
            match self.flow_at(here) {
                Flow::Step => {
                    let item = time.item(here, slot, true);
                    let Some(ports) = self.core.ports.filter(|_| ports::may_be_one(slot)) else {
                        break End::Step(item);
                    };
                    // Behind it is where the interpreter would come back.
                    let edge = self.edge(next, slot.leaves, false, ids);
                    let own = self.core.costs.after(time.left & slot.feels, slot.cost) as u32;
                    break End::Port(item, edge, time.cycles + own + ports.wait);
                }
                Flow::Straight => {
                    time.push(here, slot, true);
                    here = next;
                }
                Flow::It => {
                    time.push(here, slot, true);
                    let Op::It { state } = slot.op else {
                        break End::Go(Edge::Leave(next));
                    };
                    let mut path = |path| {
                        Edge::Node(ids.of(Key {
                            pc: next,
                            path,
                            met: 0,
                            fpu: key.fpu,
                        }))
                    };
                    break End::It {
                        cond: state >> 4,
                        holds: path(Path::Holds),
                        fails: path(Path::Fails),
                    };
                }
                Flow::Jump(target) | Flow::Call(target) => {
                    time.push(here, slot, true);
                    break End::Go(self.edge(target, time.left, key.fpu, ids));
                }
                Flow::Branch(target) => {
                    time.push(here, slot, true);
                    break End::Branch {
                        taken: self.edge(target, time.left, key.fpu, ids),
                        next: self.edge(next, time.left, key.fpu, ids),
                    };
                }
                Flow::Computed { .. } => {
                    time.push(here, slot, true);
                    let sites = self.code.return_sites(here).take(MAX_SITES);
                    let sites: Vec<(u32, usize)> = sites
                        .filter_map(|pc| match self.edge(pc, time.left, key.fpu, ids) {
                            Edge::Node(n) => Some((pc, n)),
                            Edge::Leave(_) => None,
                        })
                        .collect();
                    break End::Computed { sites };
                }
            }
        };
        Node {
            key,
            cycles: time.cycles,
            count: time.count,
            left: time.left,
            items: time.items,
            end,
            header: false,
            worst: 0,
        }
    }
}

/// Nodes by what makes them.
#[derive(Default)]
struct Ids {
    map: BTreeMap<Key, usize>,
    keys: Vec<Key>,
}

impl Ids {
    fn of(&mut self, key: Key) -> usize {
        let keys = &mut self.keys;
        *self.map.entry(key).or_insert_with(|| {
            keys.push(key);
            keys.len() - 1
        })
    }
}
