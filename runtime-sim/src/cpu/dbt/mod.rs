//! The translator: hot guest code as host code.
//!
//! When a block of the interpreter has run often enough, the code around it is
//! collected into a *region* ([`discover`], [`plan`]): loops, calls and what comes behind
//! them. The region becomes one host function ([`emit`]) with an entry at every loop head,
//! behind every call and behind every instruction that the interpreter has to execute.
//!
//! **Invariant:** translated code changes nothing but speed. Registers, flags, memory,
//! clock, counters and the order of device accesses are those of the interpreter; what
//! the host function can't do exactly it does not begin, and says so.
//!
//! Translations belong to bytes, not to a core: a [`Translations`] is shared by all cores
//! of a machine and its clones, and gives a region to every core that has the same bytes
//! at the same place. Which code is translated when depends on the host's threads; no
//! result does.

mod access;
mod cache;
mod checks;
mod condition;
mod data;
mod discover;
mod emit;
mod flags;
mod float;
mod lanes;
mod plan;
mod ports;
mod state;
mod table;

pub use self::cache::Translations;
pub(super) use self::ports::Queue;
pub(super) use self::table::Table;

use super::code::{Code, Slot};
use super::core::Core;
use super::cycles::Costs;
use super::fault::Exit as CoreExit;
use super::float::{DN, FZ, IXC, RMODE};
use super::memory::{Memory, Mmio, Ports};
use super::op::{Dp, Misc, Mul, Op};
use crate::host::{Between, RegionCode};
use cache::Answer;
use plan::Entry;

/// Lower bits of the word that counts time: instructions.
const COUNT_BITS: u32 = 20;
/// Cycles that a region runs at most before it returns.
const MAX_BUDGET: u64 = 1 << 18;
/// Executions of a block after which it is translated.
const HOT: u32 = 400;

/// Runs of a handler after which it is taken as a whole.
const HANDLER_RUNS: u32 = 24;
/// Times that this is done, because hot code turns up that did not run before.
const MAX_REMADE: usize = 3;

/// How a core executes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// Hot code is translated, the rest interpreted.
    #[default]
    Auto,
    /// Everything is interpreted.
    Interpreter,
    /// All that can be is translated when it is first executed.
    Translator,
}

impl Engine {
    /// Executions of a block before it is translated; 0 for never.
    pub(super) fn threshold(self) -> u32 {
        match self {
            Engine::Auto => HOT,
            Engine::Interpreter => 0,
            Engine::Translator => 1,
        }
    }
}

/// What translated code and the core tell each other. Part of the core, so that the code
/// has one pointer to everything; what it uses most stands first, as in the core.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Link {
    record: flags::Record,
    /// The part of SRAM that may be stored to: first address and size.
    low: u32,
    words: u32,
    halves: u32,
    bytes: u32,
    /// Number of the exit that was taken.
    exit: u32,
    /// Number of the entry where to go on behind an instruction in between.
    entry: u32,
    /// Writes in the queue, and how many it may hold.
    queued: u32,
    room: u32,
    /// Cycles that were given.
    budget: i64,
    /// The FPU is ready and in its usual modes.
    fpu: bool,
}

/// A region that a core asks for.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    pc: u32,
    /// What the last instruction has left.
    met: u64,
    fpu: bool,
    exact: bool,
    /// Also code that seldom ran, or that other regions hold.
    all: bool,
}

/// Where a region was left. Most are cold when they are needed: so everything stands in two
/// lines of the host's cache, of which the first will do if there is no step.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(128))]
struct Exit {
    left: u64,
    pc: u32,
    /// Cycles and instructions that the function has not counted.
    cycles: i32,
    count: u32,
    it: u8,
    /// The program counter was stored by the function.
    computed: bool,
    /// The next instruction, if that is for the interpreter.
    step: Option<Step>,
}

/// An instruction that the interpreter executes between two stays in a region.
#[derive(Clone, Copy, Debug)]
struct Step {
    slot: Slot,
    /// The entry behind it and its number.
    resume: Option<(u32, Entry)>,
}

const _: () = assert!(size_of::<Exit>() == 128);

/// What became of running translated code.
pub(super) enum Ran {
    /// There is none for this state.
    Nothing,
    On,
    /// The core stopped at an instruction that is not translated.
    Out(CoreExit),
}

/// Executes what a region leaves to the interpreter while it stays in the region.
struct Steps<'a, M: ?Sized> {
    region: &'a Region,
    mmio: &'a mut M,
    /// What became of it, if the region was left here.
    ran: Ran,
}

impl<M: Mmio + ?Sized> Between for Steps<'_, M> {
    fn step(&mut self, core: &mut Core, memory: &mut Memory, exit: u32, time: i64) -> Option<i64> {
        core.hand_over(self.mmio);
        let exit = self.region.exits.get(exit as usize)?;
        core.account(exit, time);
        self.ran = Ran::On;
        let step = exit.step.as_ref()?;
        if let Some(out) = core.execute_slot(&step.slot, memory, self.mmio) {
            self.ran = Ran::Out(out);
            return None;
        }
        let (number, entry) = step.resume.as_ref()?;
        let goes_on = core.cycle < core.stop
            && core.pc == entry.pc
            && core.it == 0
            && core.left & entry.feels == entry.met
            && (!entry.fpu || core.fpu_is_usual())
            && self.region.exact == (core.fpu.fpscr & IXC == 0);
        if !goes_on {
            return None;
        }
        let room = core.room(self.mmio);
        let budget = core.prepare(entry.worst, memory, room)?;
        core.link.entry = *number;
        Some(budget)
    }
}

/// A translated region.
#[derive(Debug)]
struct Region {
    /// The address that it was made for.
    start: u32,
    exact: bool,
    code: RegionCode,
    entries: Vec<Entry>,
    exits: Vec<Exit>,
    /// The bytes it was made from.
    bytes: Vec<(u32, Vec<u8>)>,
    costs: Costs,
    ports: Option<Ports>,
}

impl Region {
    /// True if `memory` holds the bytes of the region.
    fn fits(&self, memory: &Memory) -> bool {
        let same = |(at, bytes): &(u32, Vec<u8>)| memory.read(*at, bytes.len()) == Some(bytes);
        self.bytes.iter().all(same)
    }

    /// True if the instruction at `pc` belongs to it.
    fn holds(&self, pc: u32) -> bool {
        let inside = |(at, bytes): &(u32, Vec<u8>)| pc.wrapping_sub(*at) < bytes.len() as u32;
        self.bytes.iter().any(inside)
    }
}

/// True for straight-line instructions that are translated.
fn translatable(op: &Op) -> bool {
    match *op {
        Op::Misc { f, .. } => !matches!(f, Misc::Sdiv | Misc::Udiv),
        Op::Mul { f, .. } => !matches!(f, Mul::Usad8 | Mul::Usada8),
        Op::Load { rt, .. } | Op::LoadReg { rt, .. } | Op::LoadLit { rt, .. } => rt != 15,
        Op::LoadMany { list, .. } => list >> 15 == 0,
        Op::DpImm { .. }
        | Op::DpReg { .. }
        | Op::ShiftReg { .. }
        | Op::Adr { .. }
        | Op::MovFromPc { .. }
        | Op::AddFromPc { .. }
        | Op::Movt { .. }
        | Op::Bfi { .. }
        | Op::Bfx { .. }
        | Op::Extend { .. }
        | Op::Pkh { .. }
        | Op::Sat { .. }
        | Op::Parallel { .. }
        | Op::MulLong { .. }
        | Op::Store { .. }
        | Op::StoreReg { .. }
        | Op::LoadDual { .. }
        | Op::StoreDual { .. }
        | Op::StoreMany { .. }
        | Op::Preload
        | Op::Nop
        | Op::Barrier => true,
        _ => op.is_fpu() && float::translatable(op),
    }
}

/// True if an instruction may change the condition flags.
fn writes_flags(op: &Op) -> bool {
    match *op {
        Op::DpImm { f, s, .. } | Op::DpReg { f, s, .. } => {
            s || matches!(f, Dp::Tst | Dp::Teq | Dp::Cmn | Dp::Cmp)
        }
        Op::ShiftReg { s, .. } | Op::Mul { s, .. } => s,
        Op::VMrs { rt } => rt == 15,
        Op::Msr { .. } | Op::Svc { .. } => true,
        _ => false,
    }
}

impl Core {
    /// Chooses how the core executes. No result depends on it, only time.
    pub fn set_engine(&mut self, engine: Engine) {
        if engine != self.engine {
            self.engine = engine;
            self.code = None;
        }
    }

    /// How the core executes.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// What was translated for this core and those that it shares with.
    pub fn translations(&self) -> &Translations {
        &self.translations
    }

    /// Uses translations together with other cores.
    pub fn share_translations(&mut self, translations: &Translations) {
        self.translations = translations.clone();
    }

    fn fpu_is_usual(&self) -> bool {
        self.fpu_ready && self.fpu.fpscr & (FZ | RMODE | DN) == 0
    }

    /// Runs translated code at the program counter, and the instructions between that are
    /// not translated, as long as that goes.
    #[inline]
    pub(super) fn run_translated<M: Mmio + ?Sized>(
        &mut self,
        code: &Code,
        memory: &mut Memory,
        mmio: &mut M,
    ) -> Ran {
        let exact = self.fpu.fpscr & IXC == 0;
        let fpu = self.fpu_is_usual();
        let Some((region, number, worst)) = code.dbt.find(exact, self.pc, self.left, fpu) else {
            return Ran::Nothing;
        };
        let Some(budget) = self.prepare(worst, memory, self.room(mmio)) else {
            return Ran::Nothing;
        };
        self.stays += 1;
        let mut steps = Steps {
            region,
            mmio,
            ran: Ran::Nothing,
        };
        let left = region.code.enter(self, memory, budget, number, &mut steps);
        let Some(time) = left else {
            return steps.ran;
        };
        self.hand_over(mmio);
        let Some(exit) = region.exits.get(self.link.exit as usize) else {
            return Ran::Nothing;
        };
        self.account(exit, time);
        match &exit.step {
            Some(step) => match self.execute_slot(&step.slot, memory, mmio) {
                Some(out) => Ran::Out(out),
                None => Ran::On,
            },
            None => Ran::On,
        }
    }

    /// Gets ready for a region to run on; its budget. `None`, and nothing happens, if the
    /// time until the next look at interrupts is too short.
    #[inline(always)]
    fn prepare(&mut self, worst: u32, memory: &Memory, room: u32) -> Option<i64> {
        let budget = self.stop.saturating_sub(self.cycle).min(MAX_BUDGET);
        if budget <= u64::from(worst) {
            return None;
        }
        let (low, bytes) = memory.data_window();
        self.link = Link {
            exit: 0,
            entry: 0,
            budget: budget as i64,
            low,
            words: bytes / 4,
            halves: bytes / 2,
            bytes,
            fpu: self.fpu_is_usual(),
            queued: 0,
            room,
            record: flags::Record::default(),
        };
        Some((budget as i64) << COUNT_BITS)
    }

    /// What a region has done until `exit`, where `time` was left.
    #[inline(always)]
    fn account(&mut self, exit: &Exit, time: i64) {
        let record = self.link.record;
        record.settle(&mut self.flags, &mut self.fpu.fpscr);
        let rest = time >> COUNT_BITS;
        let spent = self.link.budget - rest + i64::from(exit.cycles);
        self.cycle = self.cycle.wrapping_add_signed(spent);
        let count = time & ((1 << COUNT_BITS) - 1);
        self.instructions += count as u64 + u64::from(exit.count);
        self.translated += count as u64 + u64::from(exit.count);
        self.left = exit.left;
        self.it = exit.it;
        if !exit.computed {
            self.pc = exit.pc;
        }
    }

    /// Makes, or takes from the shared ones, a translation of the code around the program
    /// counter. Nothing happens if there can be none. False if it is too early to tell what
    /// belongs together.
    #[inline(never)]
    pub(super) fn translate(&mut self, code: &mut Code, memory: &mut Memory) -> bool {
        if !memory.size().is_multiple_of(4) || memory.size() < 1024 || memory.size() > 1 << 31 {
            return true;
        }
        let exact = self.fpu.fpscr & IXC == 0;
        let fpu = self.fpu_is_usual();
        let here = Wanted {
            pc: self.pc,
            met: self.left,
            fpu,
            exact,
            all: false,
        };
        // A handler's loops get hot before it has run often enough to know its ways; then
        // it had better be one region than many.
        let handler = match self.engine {
            Engine::Auto => self.handler(memory),
            _ => None,
        };
        let Some(handler) = handler else {
            return self.take_region(here, code, memory);
        };
        if !code.blocks.ran(handler, HOT, HANDLER_RUNS) {
            return false;
        }
        if !exact {
            // What comes behind an inexact result is never entered at the beginning of a
            // handler: the first loop that gets hot takes what can follow it.
            let all = !code.dbt.holds(exact, self.pc);
            return self.take_region(Wanted { all, ..here }, code, memory);
        }
        // What the handler's region holds goes on with it at its next entry.
        if code.dbt.holds(exact, self.pc) {
            return true;
        }
        let whole = Wanted {
            pc: handler,
            met: 0,
            fpu: false,
            all: true,
            ..here
        };
        if code.dbt.regions_from(exact, handler) < MAX_REMADE
            && !self.take_region(whole, code, memory)
        {
            return false;
        }
        if code.dbt.holds(exact, self.pc) {
            return true;
        }
        self.take_region(here, code, memory)
    }

    /// False if it is worth asking again soon.
    fn take_region(&mut self, wanted: Wanted, code: &mut Code, memory: &mut Memory) -> bool {
        let translations = self.translations.clone();
        match translations.get(self, wanted, code, memory) {
            Answer::Region(region) => {
                // What the region relies on must be noticed when it changes.
                for (at, bytes) in &region.bytes {
                    memory.note_code(*at..*at + bytes.len() as u32);
                    code.cover(*at, bytes.len() as u32);
                }
                code.dbt.insert(wanted.exact, region);
                true
            }
            Answer::Never => true,
            Answer::Soon => false,
        }
    }

    /// Where the handler begins that runs.
    fn handler(&self, memory: &Memory) -> Option<u32> {
        if self.exception() == 0 {
            return None;
        }
        let at = 4 * u32::from(self.exception());
        let vector = memory.word(self.nvic.vtor.checked_add(at)?)?;
        Some(vector & !1)
    }
}
