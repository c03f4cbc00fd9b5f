//! Packets sent without leaving a region.
//!
//! Programs send a packet by two accesses to devices: they read a status that is always the
//! same, and write a key. A bus that says so ([`Ports`]) lets translated code do both on its
//! own: the value is known, and keys are queued in the core, each with its cycle, until the
//! region is left or reaches any other device. So the bus sees the same accesses in the
//! same order, only later.

use super::super::code::Slot;
use super::super::core::Core;
use super::super::memory::{Mmio, Ports, Size};
use super::super::op::{Index, LoadKind, Op, StoreKind};
use super::COUNT_BITS;
use super::emit::{Emitter, field};
use super::plan::{Edge, Item, Node};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{Block, InstBuilder, Value};
use std::mem::offset_of;

/// Writes that wait at most.
const ROOM: u32 = 32;

/// Writes to [`Ports::queued`] that the bus has not seen yet; how many is in the link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Queue {
    cycles: [u64; ROOM as usize],
    values: [u32; ROOM as usize],
}

/// True if the instruction may be an access to a port.
pub(super) fn may_be_one(slot: &Slot) -> bool {
    match slot.op {
        Op::Load {
            kind: LoadKind::W,
            index: Index::Offset,
            rt,
            rn,
            ..
        } => slot.it == 0 && rt < 13 && rn != 15,
        Op::Store {
            kind: StoreKind::W,
            index: Index::Offset,
            rn,
            ..
        } => slot.it == 0 && rn != 15,
        _ => false,
    }
}

impl Core {
    /// The registers that translated code may serve on its own.
    pub fn set_ports(&mut self, ports: Option<Ports>) {
        if ports != self.ports {
            self.ports = ports;
            self.code = None;
        }
    }

    /// How many writes a stay may queue.
    pub(super) fn room<M: Mmio + ?Sized>(&self, mmio: &M) -> u32 {
        if mmio.takes_late_writes() { ROOM } else { 0 }
    }

    /// Hands over what a region has queued.
    pub(super) fn hand_over<M: Mmio + ?Sized>(&mut self, mmio: &mut M) {
        let queued = std::mem::take(&mut self.link.queued) as usize;
        let Some(ports) = self.ports.filter(|_| queued > 0) else {
            return;
        };
        for i in 0..queued.min(ROOM as usize) {
            let (value, cycle) = (self.queue.values[i], self.queue.cycles[i]);
            // The bus has promised to take it.
            let _ = mmio.write(ports.queued, Size::Word, value, cycle);
            let mut effects = mmio.effects();
            // The region has waited for it.
            effects.wait = 0;
            self.apply(effects);
        }
    }
}

impl Emitter<'_> {
    /// The end of `node` by an instruction that may be an access to a port: then it is done
    /// here, in `cycles` from the beginning of the node, and `edge` is next; else it is
    /// left to the interpreter.
    pub(super) fn port(&mut self, node: &Node, item: &Item, edge: Edge, cycles: u32) {
        let (Some(ports), Edge::Node(next)) = (self.ports, edge) else {
            return self.step(item);
        };
        let exit = self.step_exit(item);
        let (address, value) = match item.slot.op {
            Op::Load { rn, offset, .. } => (self.indexed(Index::Offset, rn, offset).0, None),
            Op::Store { rt, rn, offset, .. } => {
                let value = self.get(rt);
                (self.indexed(Index::Offset, rn, offset).0, Some(value))
            }
            _ => return self.step(item),
        };
        self.settle(node);
        let stub = self.add_stub(exit, None);
        let port = match value {
            Some(_) => ports.queued,
            None => ports.status,
        };
        let same = self.compare_word(IntCC::Equal, address, port);
        self.only_if(same, stub);
        let waited = cycles - ports.wait;
        match (value, item.slot.op) {
            (Some(value), _) => self.queue(value, waited, stub),
            (None, Op::Load { rt, .. }) => {
                let value = self.word(ports.value);
                self.set(rt, value);
                self.flush_registers(1 << rt);
            }
            _ => {}
        }
        self.b.seal_block(stub);
        self.spend(i64::from(cycles), node.count + 1);
        self.jump_to(next);
    }

    /// Goes on if `good`, else to `stub`.
    fn only_if(&mut self, good: Value, stub: Block) {
        let on = self.b.create_block();
        self.b.ins().brif(good, on, &[], stub, &[]);
        self.b.seal_block(on);
        self.b.switch_to_block(on);
    }

    /// Queues `value`, written `cycles` behind the beginning of the node, if there is room.
    fn queue(&mut self, value: Value, cycles: u32, stub: Block) {
        let queued = self.load_core(I32, field!(link.queued));
        let room = self.load_core(I32, field!(link.room));
        let free = self.compare(IntCC::UnsignedLessThan, queued, room);
        self.only_if(free, stub);
        let time = self.time();
        let count = self.b.ins().iconst(I64, i64::from(COUNT_BITS));
        let left = self.b.ins().sshr(time, count);
        let budget = self.load_core(I64, field!(link.budget));
        let begun = self.load_core(I64, field!(cycle));
        let cycle = self.b.ins().iadd(begun, budget);
        let cycle = self.b.ins().isub(cycle, left);
        let behind = self.b.ins().iconst(I64, i64::from(cycles));
        let cycle = self.b.ins().iadd(cycle, behind);
        self.store_element(cycle, field!(queue.cycles), queued, 3);
        self.store_element(value, field!(queue.values), queued, 2);
        let one = self.word(1);
        let queued = self.b.ins().iadd(queued, one);
        self.store_core(queued, field!(link.queued));
    }
}
