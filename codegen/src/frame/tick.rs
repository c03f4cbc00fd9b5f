//! The tick: the handler of the timer interrupt.

use crate::devices::level::AutoLevel;
use crate::kernels::{
    Addressing, Kernel, KernelBuilder, Receive, Slots, Source, Update, Values, build,
};
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;
use ir::Target;
use ir::memory::{control, record};

/// What is called in the ticks in which the population computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// First tick in which the population updates.
    pub active_from: u32,
    /// It computes in ticks `phase`, `phase + every` and so on.
    pub phase: u32,
    pub every: u32,
    /// Offsets that change, by the tick in which they do.
    pub late: Vec<LateOffset>,
    /// Whether received values are added first.
    pub values: bool,
    /// Accumulators, if the update takes them.
    pub sums: Option<Slots>,
}

/// A float32 array that is copied over another one before the update of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateOffset {
    pub tick: u32,
    pub from: u32,
    pub to: u32,
    pub atoms: u32,
}

/// On-chip spike recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Start and one-past-last address of the region, which holds at least one frame.
    pub region: (u32, u32),
    pub atoms: u32,
}

/// The performance level is set before anything else in a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    pub policy: AutoLevel,
    pub waiting: Waiting,
}

/// What the policy takes for the queued packets of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The entries of the receive ring, of so many words each.
    Ring { words: u32 },
    /// The events that a source sends in the tick.
    Events,
    /// A PE that receives nothing has no packets.
    Nothing,
}

impl Level {
    fn emit(self, kb: &mut KernelBuilder<'_>, target: &Target, control: u32) {
        let waiting = match self.waiting {
            Waiting::Ring { words } => {
                let n = kb.load_at(target.comms.base + target.comms.dma_n_words);
                if words == 1 {
                    n
                } else {
                    kb.div_const(n, words)
                }
            }
            Waiting::Events => {
                let events = kb.load_at(control + control::EVENTS_READ);
                kb.load_word(events, 0)
            }
            Waiting::Nothing => kb.int(0),
        };
        self.policy.emit(kb, target, waiting);
    }
}

/// Waits until the tick is a count of the timer old (1 us, 150 cycles at the low level).
///
/// Where PEs have different clocks, one at the low level has not looked at its ring yet
/// when one at the high level could send already, and that spike would act in the tick
/// in which it was sent. Entry, level change and latch take less than half of a count.
fn wait_for_slow_pes(kb: &mut KernelBuilder<'_>, target: &Target) {
    let timer = target.timer.clone();
    kb.while_more(
        &[],
        |kb, _| {
            let base = kb.int(timer.base);
            let left = kb.read_device(base, timer.value);
            let all = kb.read_device(base, timer.load);
            kb.compare(IntCC::UnsignedGreaterThanOrEqual, left, all)
        },
        |_, _| vec![],
    );
}

/// `tick()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    pub control: u32,
    pub level: Option<Level>,
    pub receives: bool,
    /// The neuron update, if the vertex has neurons.
    pub step: Option<Step>,
    pub source: bool,
    pub record: Option<Record>,
}

impl Tick {
    pub const SYMBOL: &'static str = "tick";

    pub fn kernel(&self, target: &Target) -> Kernel {
        build(Self::SYMBOL, 0, Addressing::Guest, |kb, _| {
            self.emit(kb, target)
        })
    }

    fn emit(&self, kb: &mut KernelBuilder<'_>, target: &Target) {
        let timer = &target.timer;
        let one = kb.int(1);
        kb.store_at(one, timer.base + timer.int_clr);
        if let Some(level) = self.level {
            level.emit(kb, target, self.control);
        }
        let tick = kb.load_at(self.control + control::TICK);
        // First, so that it sees only what the tick before sent.
        if self.receives {
            kb.call(Receive::SYMBOL, &[tick]);
        }
        if self.level.is_some() {
            wait_for_slow_pes(kb, target);
        }
        if let Some(record) = self.record {
            self.open_frame(kb, target, record, tick);
        }
        if let Some(step) = &self.step {
            step.emit(kb, tick);
        }
        if self.source {
            kb.call(Source::SYMBOL, &[]);
        }
        if let Some(record) = self.record {
            self.close_frame(kb, record);
        }
        let tick = kb.load_at(self.control + control::TICK);
        let next = kb.add_const(tick, 1);
        kb.store_at(next, self.control + control::TICK);
        self.count_missed(kb, target);
    }

    /// If the timer fired again, this tick ended after the next one was due.
    fn count_missed(&self, kb: &mut KernelBuilder<'_>, target: &Target) {
        let timer = &target.timer;
        let raw = kb.load_at(timer.base + timer.raw_int);
        let zero = kb.int(0);
        let late = kb.compare(IntCC::NotEqual, raw, zero);
        let (missed, rest) = (kb.cold_block(), kb.block());
        kb.branch(late, (missed, &[]), (rest, &[]));
        kb.enter(missed);
        let count = kb.load_at(self.control + control::MISSED);
        let count = kb.add_const(count, 1);
        kb.store_at(count, self.control + control::MISSED);
        kb.jump(rest, &[]);
        kb.enter(rest);
    }

    /// Writes the frame's header and clears its bits. If the host has not
    /// emptied a full region, the last frame is overwritten.
    fn open_frame(&self, kb: &mut KernelBuilder<'_>, target: &Target, record: Record, tick: Value) {
        let bytes = record::frame_bytes(record.atoms);
        let next = kb.load_at(self.control + control::RECORD_WRITE);
        let last = kb.int(record.region.0 + (record_frames(record) - 1) * bytes);
        let fits = kb.compare(IntCC::UnsignedLessThanOrEqual, next, last);
        let frame = kb.select(fits, next, last);
        kb.store_at(frame, self.control + control::RECORD_WRITE);
        let id = kb.load_at(target.comms.base + target.comms.id);
        let id = kb.and_const(id, 0xff);
        kb.store(id, frame, 0);
        kb.store(tick, frame, 4);
        let bits = kb.add_const(frame, 8);
        kb.repeat(record.atoms.div_ceil(32), &[bits], |kb, at| {
            let zero = kb.int(0);
            kb.store(zero, at[0], 0);
            vec![kb.add_const(at[0], 4)]
        });
    }

    /// Moves the write pointer behind the frame.
    fn close_frame(&self, kb: &mut KernelBuilder<'_>, record: Record) {
        let frame = kb.load_at(self.control + control::RECORD_WRITE);
        let next = kb.add_const(frame, record::frame_bytes(record.atoms));
        kb.store_at(next, self.control + control::RECORD_WRITE);
    }
}

impl Step {
    fn emit(&self, kb: &mut KernelBuilder<'_>, tick: Value) {
        let rest = kb.block();
        let only_if = |kb: &mut KernelBuilder<'_>, condition: Value| {
            let next = kb.block();
            kb.branch(condition, (next, &[]), (rest, &[]));
            kb.enter(next);
        };
        if self.active_from > 0 {
            let from = kb.int(self.active_from);
            let active = kb.compare(IntCC::UnsignedGreaterThanOrEqual, tick, from);
            only_if(kb, active);
        }
        if self.every > 1 {
            let shift = (self.every - self.phase % self.every) % self.every;
            let shifted = kb.add_const(tick, shift);
            let (_, into) = kb.divide(shifted, self.every);
            let zero = kb.int(0);
            let due = kb.compare(IntCC::Equal, into, zero);
            only_if(kb, due);
        }
        for late in &self.late {
            late.emit(kb, tick);
        }
        if self.values {
            kb.call(Values::SYMBOL, &[tick]);
        }
        let slot = self.sums.map(|slots| slots.row(kb, tick, 0));
        kb.call(Update::SYMBOL, slot.as_slice());
        kb.jump(rest, &[]);
        kb.enter(rest);
    }
}

impl LateOffset {
    fn emit(&self, kb: &mut KernelBuilder<'_>, tick: Value) {
        let when = kb.int(self.tick);
        let now = kb.compare(IntCC::Equal, tick, when);
        let (copy, rest) = (kb.cold_block(), kb.block());
        kb.branch(now, (copy, &[]), (rest, &[]));
        kb.enter(copy);
        let (from, to) = (kb.int(self.from), kb.int(self.to));
        kb.repeat(self.atoms, &[from, to], |kb, at| {
            let word = kb.load_word(at[0], 0);
            kb.store(word, at[1], 0);
            vec![kb.add_const(at[0], 4), kb.add_const(at[1], 4)]
        });
        kb.jump(rest, &[]);
        kb.enter(rest);
    }
}

/// Whole frames that the region holds.
fn record_frames(record: Record) -> u32 {
    (record.region.1 - record.region.0) / record::frame_bytes(record.atoms)
}
