//! The unit for exponentials and logarithms.
//!
//! Writing an argument starts the unit; reading a result that is not there yet stalls the
//! core until it is, and so does a start while the unit is at work. Format of the argument
//! and function are chosen by the register that is written, format of the result by the
//! register that is read (see the target file, above `[explog]`).

pub mod algorithm;
#[cfg(test)]
mod tests;

use crate::cpu::BusError;
use algorithm::{Format, Real};
use ir::Target;
use ir::target::ExpLog as Registers;

/// The unit of one PE.
#[derive(Clone, Debug)]
pub struct ExpLog {
    registers: Registers,
    iterations: u32,
    result: Real,
    /// Machine time at which the result is there.
    ready: u64,
}

impl ExpLog {
    /// An idle unit with all its iterations.
    pub fn new(target: &Target) -> Self {
        Self {
            registers: target.explog.clone(),
            iterations: target.explog.max_iterations,
            result: Real::ZERO,
            ready: 0,
        }
    }

    fn select(&self, offset: u32) -> Option<(bool, Format)> {
        let r = &self.registers;
        Some(match offset {
            o if o == r.exp_fixed => (true, Format::S16_15),
            o if o == r.exp_fraction => (true, Format::S0_31),
            o if o == r.exp_float => (true, Format::Float),
            o if o == r.log_fixed => (false, Format::S16_15),
            o if o == r.log_fraction => (false, Format::S0_31),
            o if o == r.log_float => (false, Format::Float),
            _ => return None,
        })
    }

    /// Core cycles until the unit is ready.
    fn stall(&self, time: u64, cycle: u64) -> u32 {
        let left = self.ready.saturating_sub(time).div_ceil(cycle.max(1));
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    /// Reads the register at `offset` at machine time `time`, in which a core cycle lasts
    /// `cycle`: the value, and the core cycles for which the core stalls.
    pub fn read(&self, offset: u32, time: u64, cycle: u64) -> Result<(u32, u32), BusError> {
        if offset == self.registers.control {
            return Ok((self.iterations, 0));
        }
        let (_, format) = self.select(offset).ok_or(BusError::Refused)?;
        Ok((self.result.write(format), self.stall(time, cycle)))
    }

    /// Writes the register at `offset`; gives the core cycles for which the core stalls.
    pub fn write(
        &mut self,
        offset: u32,
        value: u32,
        time: u64,
        cycle: u64,
    ) -> Result<u32, BusError> {
        if offset == self.registers.control {
            if !(1..=self.registers.max_iterations).contains(&value) {
                return Err(BusError::Refused);
            }
            self.iterations = value;
            return Ok(0);
        }
        let (exponential, format) = self.select(offset).ok_or(BusError::Refused)?;
        let stall = self.stall(time, cycle);
        let x = Real::read(value, format);
        self.result = if exponential {
            algorithm::exp(x, self.iterations)
        } else {
            algorithm::ln(x, self.iterations)
        };
        let cycles =
            u64::from(stall) + u64::from(self.registers.fixed_cycles) + u64::from(self.iterations);
        self.ready = time.saturating_add(cycles.saturating_mul(cycle));
        Ok(stall)
    }
}
