//! The MAC array ("ML accelerator"): matrix products and convolutions beside the core.
//!
//! The registers are described in the target file, above `[mla]`. Writing `trigger` with
//! its start bit takes over all registers and reads both operands, if they are in local
//! SRAM, as they are then; the program may change registers and operands at once. An
//! operand in another PE's SRAM (by kind and PE, or in the window of the own QPE) is read
//! there when the request reaches it, and the array begins when both are at hand: that
//! the chip overlaps the two is likely and not modelled. The result is in memory at the
//! time at which the job is done (a remote one after its way there), not earlier and not
//! in parts: until then the program sees what was there before. Then `status` says done, and interrupt line `mla.irq` is
//! high until the program clears that bit, if the job asked for it.
//!
//! A start that can't be carried out changes nothing but `status`, which names the reason
//! and says done (a program that sleeps until the job is done wakes up). A start
//! while a job runs is refused, and the job goes on.

mod array;
mod elsewhere;
mod job;
#[cfg(test)]
mod tests;

pub use job::Refusal;

use crate::clock::Clock;
use crate::cpu::{BusError, Memory};
use crate::remote::{Completion, Port};
use array::Outcome;
use elsewhere::{At, Elsewhere};
use ir::Target;
use ir::geometry::GlobalPe;
use ir::image::Coupling;
use ir::target::Mla as Registers;
use job::{Job, Words};

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
    /// Remote operands were asked for.
    Fetching {
        timed: Timed,
        operands: [Option<Vec<u8>>; 2],
        /// When those that are here were complete.
        ready: u64,
    },
    Running {
        timed: Timed,
        operands: [Vec<u8>; 2],
        due: u64,
    },
    /// The result is on its way to another PE.
    Storing(Timed, Outcome),
    /// It has arrived.
    Ending(Timed, Outcome, u64),
    /// A remote access failed.
    Failing(u64),
}

/// A job, where its parts are, and when it was started, in machine time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Timed {
    job: Job,
    /// The operands and the result.
    places: [At; 3],
    at: u64,
    /// How long the array takes.
    span: u64,
    /// Index of the performance level at its start.
    level: usize,
    /// Number of the job, by which answers are told apart.
    number: u32,
}

/// The MAC array of one PE.
#[derive(Clone, Debug)]
pub struct Mla {
    registers: Registers,
    sram_bytes: u32,
    elsewhere: Elsewhere,
    words: Words,
    state: State,
    /// Jobs that were started.
    number: u32,
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
    /// The idle array of `pe`.
    pub fn new(target: &Target, pe: GlobalPe) -> Self {
        Self {
            registers: target.mla.clone(),
            sram_bytes: target.memory.sram_bytes,
            elsewhere: Elsewhere::new(target, pe),
            words: Words::default(),
            state: State::Idle,
            number: 0,
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

    /// Products in 8-bit cells until machine time `time`, by level; of a job that
    /// runs, the share of its time that is over.
    pub fn cell_macs_by(&self, time: u64) -> [u64; 2] {
        let mut macs = self.activity.cell_macs;
        let (timed, due) = match &self.state {
            State::Starting(timed) => (timed, timed.at.saturating_add(timed.span)),
            State::Running { timed, due, .. } => (timed, *due),
            // The array has done its part.
            State::Storing(timed, _) | State::Ending(timed, ..) => (timed, 0),
            State::Idle | State::Fetching { .. } | State::Failing(_) => return macs,
        };
        let all = timed.job.macs() * timed.job.cells(&self.registers);
        let span = timed.span.max(1);
        let over = span - due.saturating_sub(time).min(span);
        let share = u128::from(all) * u128::from(over) / u128::from(span);
        macs[timed.level] += u64::try_from(share).unwrap_or(u64::MAX);
        macs
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

    /// When the array next does something on its own.
    pub fn due(&self) -> Option<u64> {
        match &self.state {
            State::Idle | State::Starting(_) | State::Fetching { .. } | State::Storing(..) => None,
            State::Running { due, .. } | State::Ending(_, _, due) | State::Failing(due) => {
                Some(*due)
            }
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
        (time, clock): (u64, &Clock),
        port: &mut Port,
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
            self.start((time, clock), port)?;
        }
        Ok(())
    }

    fn start(&mut self, (time, clock): (u64, &Clock), port: &mut Port) -> Result<(), BusError> {
        if self.busy() {
            self.refuse(Refusal::Busy);
            return Ok(());
        }
        self.interrupt = job::interrupts(self.words.trigger);
        let job = Job::read(&self.words, &self.registers, self.sram_bytes);
        match job.and_then(|job| Ok((job, self.elsewhere.places(&job)?))) {
            Ok((job, places)) => {
                if places.iter().any(|at| matches!(at, At::Remote(_))) {
                    port.declared(Coupling::Dma)?;
                }
                self.done = false;
                self.number = self.number.wrapping_add(1);
                self.state = State::Starting(Timed {
                    job,
                    places,
                    at: time,
                    span: clock.span(job.cycles(&self.registers)),
                    level: clock.level().index(),
                    number: self.number,
                });
            }
            Err(why) => {
                self.refuse(why);
                self.done = true;
            }
        }
        Ok(())
    }

    fn refuse(&mut self, why: Refusal) {
        self.refused.get_or_insert(why);
        self.activity.refused += 1;
        self.activity.first_refused.get_or_insert(why);
    }

    /// Reads the local operands of a job that was just started, and asks for the others.
    pub fn service(&mut self, port: &mut Port, memory: &Memory) {
        let State::Starting(timed) = self.state else {
            return;
        };
        let sizes = [timed.job.a.bytes(), timed.job.b.bytes()];
        let mut operands = [None, None];
        for (n, (operand, bytes)) in operands.iter_mut().zip(sizes).enumerate() {
            match timed.places[n] {
                At::Local(addr) => {
                    // The place was checked when the job was started.
                    let bytes = memory.read(addr, bytes as usize);
                    *operand = Some(bytes.unwrap_or_default().to_vec());
                }
                At::Remote(place) => {
                    let tag = elsewhere::tag(timed.number, n);
                    self.elsewhere.fetch(port, place, tag, bytes, timed.at);
                }
            }
        }
        self.fetched(timed, operands, timed.at);
    }

    fn fetched(&mut self, timed: Timed, operands: [Option<Vec<u8>>; 2], ready: u64) {
        self.state = match operands {
            [Some(a), Some(b)] => State::Running {
                timed,
                operands: [a, b],
                due: ready.saturating_add(timed.span),
            },
            operands => State::Fetching {
                timed,
                operands,
                ready,
            },
        };
    }

    /// What was asked for elsewhere has been carried out.
    pub fn complete(&mut self, completion: Completion) {
        let at = completion.at;
        let (number, part) = elsewhere::part(completion.tag);
        if number != elsewhere::part(elsewhere::tag(self.number, 0)).0 {
            // The other operand of a job that has failed.
            return;
        }
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Fetching { .. } | State::Storing(..) if completion.fault.is_some() => {
                self.state = State::Failing(at);
            }
            State::Fetching {
                timed,
                mut operands,
                ready,
            } => {
                if let Some(operand) = operands.get_mut(part) {
                    *operand = Some(completion.data);
                }
                self.fetched(timed, operands, ready.max(at));
            }
            State::Storing(timed, outcome) => self.state = State::Ending(timed, outcome, at),
            // The same, with no job since.
            other => self.state = other,
        }
    }

    /// Does what is due at `time` or before.
    pub fn expire(&mut self, time: u64, port: &mut Port, memory: &mut Memory) {
        if self.due().is_none_or(|due| due > time) {
            return;
        }
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Running {
                timed,
                operands: [a, b],
                due,
            } => {
                let mut outcome = array::compute(&timed.job, &self.registers, &a, &b);
                let bytes = std::mem::take(&mut outcome.bytes);
                match timed.places[2] {
                    At::Local(addr) => {
                        // As for the operands.
                        let _ = memory.write(addr, &bytes);
                        self.finish(&timed, &outcome, due);
                    }
                    At::Remote(place) => {
                        let tag = elsewhere::tag(timed.number, 2);
                        self.elsewhere.store(port, place, tag, bytes, due);
                        self.state = State::Storing(timed, outcome);
                    }
                }
            }
            State::Ending(timed, outcome, due) => self.finish(&timed, &outcome, due),
            State::Failing(_) => {
                self.refuse(Refusal::Remote);
                self.done = true;
            }
            other => self.state = other,
        }
    }

    fn finish(&mut self, timed: &Timed, outcome: &Outcome, due: u64) {
        let job = &timed.job;
        self.done = true;
        self.overflows = u32::try_from(outcome.overflows).unwrap_or(u32::MAX);
        self.overflowed |= outcome.overflows > 0;
        let done = &mut self.activity;
        done.jobs += 1;
        done.macs += job.macs();
        done.cell_macs[timed.level] += job.macs() * job.cells(&self.registers);
        done.busy[timed.level] += due.saturating_sub(timed.at);
        done.overflows += outcome.overflows;
        done.clipped += outcome.clipped;
    }
}
