//! The MAC array ("ML accelerator"): matrix products and convolutions beside the core.
//!
//! The registers are described in the target file, above `[mla]`. Writing `trigger` with
//! its start bit takes over all registers and reads both operands as they are then; the
//! program may change registers and operands at once. The result is in memory at the
//! time at which the job is done, not earlier and not in parts: until then the program
//! sees what was there before. Then `status` says done, and interrupt line `mla.irq` is
//! high until the program clears that bit, if the job asked for it.
//!
//! A start that can't be carried out changes nothing but `status`, which names the reason
//! and says done (a program that sleeps until the job is done wakes up). A start
//! while a job runs is refused, and the job goes on.

mod array;
mod job;
#[cfg(test)]
mod tests;

pub use job::Refusal;

use crate::clock::Clock;
use crate::cpu::{BusError, Memory};
use array::Outcome;
use ir::Target;
use ir::target::Mla as Registers;
use job::{Job, Operand, Words};

const DONE: u32 = 1 << 1;
const OVERFLOWED: u32 = 1 << 2;
const REFUSED: u32 = 1 << 3;
const REASON_SHIFT: u32 = 4;

/// What the array has done, for energy and reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Jobs that were completed.
    pub jobs: u64,
    /// Products of two operands.
    pub macs: u64,
    /// The same in 8-bit cells (a 16-bit operand occupies `mla.fused_cells` of them), by
    /// the performance level at the start of their job.
    pub cell_macs: [u64; 2],
    /// Machine time from start to done, by the same level.
    pub busy: [u64; 2],
    /// Results whose accumulator overflowed.
    pub overflows: u64,
    /// Results that did not fit their width.
    pub clipped: u64,
    /// Starts that were refused.
    pub refused: u64,
    /// Why the first of them was.
    pub first_refused: Option<Refusal>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// Started by the last write; the operands are to be read before the next instruction.
    Starting(Timed),
    Running {
        timed: Timed,
        a: Vec<u8>,
        b: Vec<u8>,
    },
}

/// A job and when it runs, in machine time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Timed {
    job: Job,
    at: u64,
    due: u64,
    /// Index of the performance level at its start.
    level: usize,
}

/// The MAC array of one PE.
#[derive(Clone, Debug)]
pub struct Mla {
    registers: Registers,
    sram_bytes: u32,
    words: Words,
    state: State,
    done: bool,
    overflowed: bool,
    refused: Option<Refusal>,
    /// The last job, or refused start, interrupts.
    interrupt: bool,
    /// Of the last job.
    overflows: u32,
    activity: Activity,
}

impl Mla {
    /// An idle array.
    pub fn new(target: &Target) -> Self {
        Self {
            registers: target.mla.clone(),
            sram_bytes: target.memory.sram_bytes,
            words: Words::default(),
            state: State::Idle,
            done: false,
            overflowed: false,
            refused: None,
            interrupt: false,
            overflows: 0,
            activity: Activity::default(),
        }
    }

    /// What was done since the counts were restarted.
    pub fn activity(&self) -> Activity {
        self.activity
    }

    /// Starts new counts.
    pub fn restart_counts(&mut self) {
        self.activity = Activity::default();
    }

    /// The interrupt line.
    pub fn line(&self) -> bool {
        self.done && self.interrupt
    }

    /// True while a job is running.
    pub fn busy(&self) -> bool {
        self.state != State::Idle
    }

    /// True if operands are to be read before the program goes on.
    pub fn needs_memory(&self) -> bool {
        matches!(self.state, State::Starting(_))
    }

    /// When the running job is done.
    pub fn due(&self) -> Option<u64> {
        match &self.state {
            State::Idle => None,
            State::Starting(timed) | State::Running { timed, .. } => Some(timed.due),
        }
    }

    fn status(&self) -> u32 {
        let flag = |set: bool, bit: u32| if set { bit } else { 0 };
        let reason = self
            .refused
            .map_or(0, |r| REFUSED | (r as u32) << REASON_SHIFT);
        u32::from(self.busy()) | flag(self.done, DONE) | flag(self.overflowed, OVERFLOWED) | reason
    }

    fn word(&mut self, offset: u32) -> Option<&mut u32> {
        let (r, w) = (&self.registers, &mut self.words);
        Some(match offset {
            o if o == r.source_a => &mut w.source_a,
            o if o == r.source_b => &mut w.source_b,
            o if o == r.target => &mut w.target,
            o if o == r.rows_a => &mut w.rows_a,
            o if o == r.cols_a_rows_b => &mut w.cols_a_rows_b,
            o if o == r.cols_b => &mut w.cols_b,
            o if o == r.trigger => &mut w.trigger,
            o if o == r.conv_params1 => &mut w.conv[0],
            o if o == r.conv_params2 => &mut w.conv[1],
            o if o == r.conv_params3 => &mut w.conv[2],
            o if o == r.noc_src => &mut w.noc_src,
            o if o == r.noc_dst => &mut w.noc_dst,
            _ => return None,
        })
    }

    /// Reads the register at `offset`.
    pub fn read(&mut self, offset: u32) -> Result<u32, BusError> {
        match offset {
            o if o == self.registers.status => Ok(self.status()),
            o if o == self.registers.overflows => Ok(self.overflows),
            o => self.word(o).map(|w| *w).ok_or(BusError::Refused),
        }
    }

    /// Writes the register at `offset` at machine time `time`.
    pub fn write(
        &mut self,
        offset: u32,
        value: u32,
        time: u64,
        clock: &Clock,
    ) -> Result<(), BusError> {
        if offset == self.registers.status {
            self.done &= value & DONE == 0;
            self.overflowed &= value & OVERFLOWED == 0;
            self.refused = self.refused.filter(|_| value & REFUSED == 0);
            return Ok(());
        }
        let word = self.word(offset).ok_or(BusError::Refused)?;
        *word = value;
        if offset == self.registers.trigger && job::starts(value) {
            self.start(time, clock);
        }
        Ok(())
    }

    fn start(&mut self, time: u64, clock: &Clock) {
        if self.busy() {
            self.refuse(Refusal::Busy);
            return;
        }
        self.interrupt = job::interrupts(self.words.trigger);
        match self.job() {
            Ok(job) => {
                self.done = false;
                let span = clock.span(job.cycles(&self.registers));
                self.state = State::Starting(Timed {
                    job,
                    at: time,
                    due: time.saturating_add(span),
                    level: clock.level().index(),
                });
            }
            Err(why) => {
                self.refuse(why);
                self.done = true;
            }
        }
    }

    fn refuse(&mut self, why: Refusal) {
        self.refused.get_or_insert(why);
        self.activity.refused += 1;
        self.activity.first_refused.get_or_insert(why);
    }

    fn job(&self) -> Result<Job, Refusal> {
        let job = Job::read(&self.words, &self.registers, self.sram_bytes)?;
        let inside = |addr: u32, bytes: u64| u64::from(addr) + bytes <= u64::from(self.sram_bytes);
        let local = |o: &Operand| o.place.pe.is_none() && inside(o.place.addr, o.bytes());
        let result = job.result_bytes();
        if !local(&job.a) || !local(&job.b) || job.result.pe.is_some() {
            return Err(Refusal::Address);
        }
        if !inside(job.result.addr, result) {
            return Err(Refusal::Address);
        }
        Ok(job)
    }

    /// Reads the operands of a job that was just started.
    pub fn service(&mut self, memory: &Memory) {
        let State::Starting(timed) = self.state else {
            return;
        };
        // A job lies inside local SRAM: that was checked when it was started.
        let read = |o: &Operand| {
            let bytes = memory.read(o.place.addr, o.bytes() as usize);
            bytes.unwrap_or_default().to_vec()
        };
        self.state = State::Running {
            timed,
            a: read(&timed.job.a),
            b: read(&timed.job.b),
        };
    }

    /// Ends the job that is due at `time` or before.
    pub fn expire(&mut self, time: u64, memory: &mut Memory) {
        self.service(memory);
        if self.due().is_none_or(|due| due > time) {
            return;
        }
        let state = std::mem::replace(&mut self.state, State::Idle);
        if let State::Running { timed, a, b } = state {
            let outcome = array::compute(&timed.job, &self.registers, &a, &b);
            // As for the operands.
            let _ = memory.write(timed.job.result.addr, &outcome.bytes);
            self.finish(&timed, &outcome);
        }
    }

    fn finish(&mut self, timed: &Timed, outcome: &Outcome) {
        let job = &timed.job;
        self.done = true;
        self.overflows = u32::try_from(outcome.overflows).unwrap_or(u32::MAX);
        self.overflowed |= outcome.overflows > 0;
        let done = &mut self.activity;
        done.jobs += 1;
        done.macs += job.macs();
        done.cell_macs[timed.level] += job.macs() * job.cells(&self.registers);
        done.busy[timed.level] += timed.due - timed.at;
        done.overflows += outcome.overflows;
        done.clipped += outcome.clipped;
    }
}
