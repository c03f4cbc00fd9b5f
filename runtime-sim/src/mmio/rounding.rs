//! The rounding and saturation unit.
//!
//! A context holds how to round; writing the low word of an argument rounds it. Nearest
//! rounds ties up (towards plus infinity; for a bfloat16 away from zero); stochastic adds a
//! random number below one unit of the result first, which takes one word of the PE's
//! generator (its upper bits), none if nothing is rounded off. What does not fit the width
//! of the result becomes the nearest end of its range and sets the context's bit in the
//! status register; a float that rounds to infinity sets it too.
//!
//! Reading a result that is not there yet stalls the core until it is.

use super::rng::Random;
use crate::cpu::BusError;
use ir::Target;
use ir::target::Rounding as Registers;

const POSITION: u32 = 0x3f;
const ARGUMENT_SHIFT: u32 = 8;
const RESULT_SHIFT: u32 = 10;
const SIGNED: u32 = 1 << 12;
const STOCHASTIC: u32 = 1 << 13;
const KNOWN: u32 = POSITION | 3 << ARGUMENT_SHIFT | 3 << RESULT_SHIFT | SIGNED | STOCHASTIC;

/// What the fields of the config register choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mode {
    position: u32,
    /// Bits of the argument; `None` for a float that becomes a bfloat16.
    argument: Option<u32>,
    result: u32,
    signed: bool,
    stochastic: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Context {
    config: u32,
    low: u32,
    high: u32,
    result: u64,
    ready: u64,
}

/// The unit of one PE.
#[derive(Clone, Debug)]
pub struct Rounding {
    registers: Registers,
    contexts: Vec<Context>,
    saturated: u32,
}

fn width(code: u32) -> Option<u32> {
    [64, 32, 16].get(code as usize).copied()
}

impl Mode {
    fn read(config: u32, max_position: u32) -> Option<Self> {
        let position = config & POSITION;
        let sound = config & !KNOWN == 0 && position <= max_position;
        sound.then_some(())?;
        Some(Self {
            position,
            argument: width(config >> ARGUMENT_SHIFT & 3),
            result: width(config >> RESULT_SHIFT & 3)?,
            signed: config & SIGNED != 0,
            stochastic: config & STOCHASTIC != 0,
        })
    }

    /// The rounded argument, and whether it was saturated.
    fn round(self, argument: u64, random: impl FnOnce() -> u32) -> (u64, bool) {
        match self.argument {
            Some(bits) => self.integer(argument, bits, random),
            None => self.bfloat(argument as u32, random),
        }
    }

    /// What is added before `bits` bits are cut off.
    fn addend(self, bits: u32, random: impl FnOnce() -> u32) -> u32 {
        match (bits, self.stochastic) {
            (0, _) => 0,
            (_, true) => random() >> (32 - bits),
            (_, false) => 1 << (bits - 1),
        }
    }

    fn integer(self, argument: u64, bits: u32, random: impl FnOnce() -> u32) -> (u64, bool) {
        let unused = 128 - bits;
        let value = match self.signed {
            true => ((u128::from(argument) << unused) as i128) >> unused,
            false => (u128::from(argument) << unused >> unused) as i128,
        };
        let addend = self.addend(self.position, random);
        let rounded = (value + i128::from(addend)) >> self.position;
        let (low, high) = match self.signed {
            true => (-1 << (self.result - 1), (1_i128 << (self.result - 1)) - 1),
            false => (0, (1_i128 << self.result) - 1),
        };
        let kept = rounded.clamp(low, high);
        (kept as u64, kept != rounded)
    }

    fn bfloat(self, bits: u32, random: impl FnOnce() -> u32) -> (u64, bool) {
        const INFINITY: u32 = 0x7f80_0000;
        let magnitude = bits & 0x7fff_ffff;
        if magnitude > INFINITY {
            return (u64::from(bits >> 16 | 0x40), false);
        }
        if magnitude == INFINITY {
            return (u64::from(bits >> 16), false);
        }
        let rounded = bits + self.addend(16, random);
        let overflow = rounded & 0x7fff_ffff >= INFINITY;
        (u64::from(rounded >> 16), overflow)
    }
}

impl Rounding {
    /// The unit after reset: every context rounds nothing off 64 bits.
    pub fn new(target: &Target) -> Self {
        Self {
            registers: target.rounding.clone(),
            contexts: vec![Context::default(); target.rounding.contexts as usize],
            saturated: 0,
        }
    }

    fn context(&mut self, offset: u32) -> Option<(usize, u32)> {
        let size = self.registers.context_bytes;
        let index = (offset / size) as usize;
        (index < self.contexts.len()).then_some((index, offset % size))
    }

    /// Reads the register at `offset` at machine time `time`, in which a core cycle lasts
    /// `cycle`: the value, and the core cycles for which the core stalls.
    pub fn read(&mut self, offset: u32, time: u64, cycle: u64) -> Result<(u32, u32), BusError> {
        if offset == self.registers.status {
            return Ok((self.saturated, 0));
        }
        let (index, offset) = self.context(offset).ok_or(BusError::Refused)?;
        let (r, c) = (&self.registers, &self.contexts[index]);
        let left = c.ready.saturating_sub(time).div_ceil(cycle.max(1));
        let stall = u32::try_from(left).unwrap_or(u32::MAX);
        Ok(match offset {
            o if o == r.config => (c.config, 0),
            o if o == r.low => (c.low, 0),
            o if o == r.high => (c.high, 0),
            o if o == r.result => (c.result as u32, stall),
            o if o == r.result_high => ((c.result >> 32) as u32, stall),
            _ => return Err(BusError::Refused),
        })
    }

    /// Writes the register at `offset`.
    pub fn write(
        &mut self,
        offset: u32,
        value: u32,
        random: &mut Random,
        time: u64,
        cycle: u64,
    ) -> Result<(), BusError> {
        if offset == self.registers.status {
            self.saturated &= !value;
            return Ok(());
        }
        let (index, offset) = self.context(offset).ok_or(BusError::Refused)?;
        let (r, c) = (&self.registers, &mut self.contexts[index]);
        match offset {
            o if o == r.config => {
                Mode::read(value, r.max_position).ok_or(BusError::Refused)?;
                c.config = value;
            }
            o if o == r.high => c.high = value,
            o if o == r.low => {
                c.low = value;
                let mode = Mode::read(c.config, r.max_position).ok_or(BusError::Refused)?;
                let argument = u64::from(c.high) << 32 | u64::from(c.low);
                let (result, saturated) = mode.round(argument, || random.word());
                c.result = result;
                self.saturated |= u32::from(saturated) << index;
                let cycles = match mode.stochastic {
                    true => r.stochastic_cycles,
                    false => r.cycles,
                };
                c.ready = time.saturating_add(u64::from(cycles).saturating_mul(cycle));
            }
            _ => return Err(BusError::Refused),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(config: u32) -> Mode {
        Mode::read(config, 32).expect("a mode")
    }

    #[test]
    fn ties_go_up_and_results_saturate() {
        // 32 to 16 bit, 4 bits off, signed.
        let m = mode(4 | 1 << 8 | 2 << 10 | SIGNED);
        let round = |x: i32| m.round(x as u32 as u64, || 0);
        assert_eq!(round(24), (2, false));
        assert_eq!(round(-24), (-1_i64 as u64, false));
        assert_eq!(round(23), (1, false));
        assert_eq!(round(0x7fff_0000), (0x7fff, true));
        assert_eq!(round(i32::MIN), (-0x8000_i64 as u64, true));
        // 64 to 32 bit, 32 bits off, unsigned.
        let m = mode(32 | 1 << 10);
        assert_eq!(m.round(0x8000_0000, || 0), (1, false));
        assert_eq!(m.round(u64::MAX, || 0), (0xffff_ffff, true));
        // Nothing off, 64 to 64 bit.
        assert_eq!(mode(SIGNED).round(u64::MAX, || 0), (u64::MAX, false));
    }

    #[test]
    fn stochastic_rounding_adds_the_upper_bits() {
        let m = mode(4 | 1 << 8 | 1 << 10 | SIGNED | STOCHASTIC);
        assert_eq!(m.round(17, || 0xefff_ffff), (1, false));
        assert_eq!(m.round(17, || 0xf000_0000), (2, false));
        let whole = mode(1 << 8 | 1 << 10 | STOCHASTIC);
        assert_eq!(
            whole.round(17, || unreachable!("nothing is cut off")),
            (17, false)
        );
    }

    #[test]
    fn floats_become_bfloats() {
        let m = mode(3 << 8 | 1 << 10);
        let round = |x: f32| m.round(x.to_bits().into(), || 0);
        assert_eq!(round(1.0), (0x3f80, false));
        assert_eq!(round(f32::from_bits(0x3f80_8000)), (0x3f81, false));
        assert_eq!(round(f32::from_bits(0xbf80_7fff)), (0xbf80, false));
        assert_eq!(round(f32::MAX), (0x7f80, true));
        assert_eq!(round(f32::NEG_INFINITY), (0xff80, false));
        assert_eq!(round(f32::from_bits(0x7f80_0001)), (0x7fc0, false));
    }

    #[test]
    fn unknown_modes_are_refused() {
        assert_eq!(Mode::read(33, 32), None);
        assert_eq!(Mode::read(3 << 10, 32), None);
        assert_eq!(Mode::read(1 << 14, 32), None);
    }
}
