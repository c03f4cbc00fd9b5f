//! Which rows are listed, and where.

use super::super::blocked::BlockedRows;
use super::super::builder::KernelBuilder;
use super::super::rows::RowKernel;
use super::{Carries, DelayedRows, Places, Receive};
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;
use ir::memory::lists;

/// Rows with the same targets that act in the same tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct List {
    delay: u32,
    rows: BlockedRows,
}

#[derive(Clone, Debug)]
pub(super) struct Listing {
    address: u32,
    lists: Vec<List>,
    /// Packets after which no list is longer than it may be.
    pub(super) packets: u32,
}

/// What is added for a spike; nothing for other packets, which are not listed.
fn spikes(carries: &Carries) -> &[DelayedRows] {
    match carries {
        Carries::Spikes(blocks) => blocks,
        Carries::Counts { .. } | Carries::Values(_) => &[],
    }
}

impl Listing {
    pub(super) fn of(receive: &Receive) -> Self {
        let ranges = || receive.ranges.iter().map(|r| spikes(&r.carries));
        let mut all: Vec<List> = ranges().flatten().filter_map(list_of).collect();
        all.sort();
        all.dedup();
        all.truncate(receive.lists.map_or(0, |l| l.count as usize));
        let in_one = |blocks: &[DelayedRows], list: &List| {
            let same = blocks.iter().filter(|&b| list_of(b) == Some(*list));
            same.count() as u32
        };
        let most = ranges().flat_map(|blocks| all.iter().map(move |l| in_one(blocks, l)));
        Self {
            address: receive.lists.map_or(0, |l| l.address),
            packets: lists::ROWS / most.max().unwrap_or(1).max(1),
            lists: all,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// The number of the list that rows go into.
    pub(super) fn number(&self, rows: &DelayedRows) -> Option<usize> {
        let list = list_of(rows)?;
        self.lists.iter().position(|l| *l == list)
    }

    pub(super) fn kernels(&self) -> Vec<RowKernel> {
        let of = |list: &List| {
            [
                RowKernel::Blocked(list.rows),
                RowKernel::Dense(list.rows.row()),
            ]
        };
        self.lists.iter().flat_map(of).collect()
    }

    fn start(&self, number: usize) -> u32 {
        self.address + number as u32 * lists::BYTES
    }

    /// Ends of empty lists.
    pub(super) fn starts(&self, kb: &mut KernelBuilder<'_>) -> Vec<Value> {
        (0..self.lists.len())
            .map(|k| kb.int(self.start(k)))
            .collect()
    }

    /// Adds all rows; `ends` are the ends of the lists.
    pub(super) fn add(&self, kb: &mut KernelBuilder<'_>, ends: &[Value], places: &Places) {
        for (k, (list, &end)) in self.lists.iter().zip(ends).enumerate() {
            let (several, few, one, next) = (kb.block(), kb.block(), kb.block(), kb.block());
            let sink = places.sinks[&list.delay];
            let start = kb.int(self.start(k));
            let bytes = kb.sub(end, start);
            let word = kb.int(4);
            let more = kb.compare(IntCC::UnsignedGreaterThan, bytes, word);
            kb.branch(more, (several, &[]), (few, &[]));

            kb.enter(several);
            let n = kb.shr_const(bytes, 2);
            RowKernel::Blocked(list.rows).run(kb, &[start, n, sink], None);
            kb.jump(next, &[]);

            kb.enter(few);
            let zero = kb.int(0);
            let any = kb.compare(IntCC::NotEqual, bytes, zero);
            kb.branch(any, (one, &[]), (next, &[]));
            kb.enter(one);
            let row = kb.load_word(start, 0);
            RowKernel::Dense(list.rows.row()).run(kb, &[row, sink], None);
            kb.jump(next, &[]);
            kb.enter(next);
        }
    }
}

fn list_of(rows: &DelayedRows) -> Option<List> {
    let delay = rows.delay;
    rows.block.listed().map(|rows| List { delay, rows })
}
