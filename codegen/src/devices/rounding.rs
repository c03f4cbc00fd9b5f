//! Driver of the rounding and saturation unit.

use crate::kernels::KernelBuilder;
use cranelift_codegen::ir::Value;
use ir::Target;
use ir::target;

/// Width of an integer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Integer {
    Bits64,
    Bits32,
    Bits16,
}

impl Integer {
    fn code(self) -> u32 {
        match self {
            Self::Bits64 => 0,
            Self::Bits32 => 1,
            Self::Bits16 => 2,
        }
    }
}

/// What a context does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Rounds `position` bits off an integer, then saturates.
    Integer {
        from: Integer,
        to: Integer,
        signed: bool,
        position: u32,
    },
    /// Rounds a float32 to a bfloat16.
    Bfloat,
}

/// One context of the unit. Contexts are independent; a program that rounds in several ways
/// sets each up once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rounding {
    registers: target::Rounding,
    context: u32,
}

impl Rounding {
    /// Context `context`; `None` if the chip has fewer.
    pub fn of(target: &Target, context: u32) -> Option<Self> {
        let registers = target.rounding.clone();
        (context < registers.contexts).then_some(Self { registers, context })
    }

    fn base(&self, kb: &mut KernelBuilder<'_>) -> Value {
        kb.int(self.registers.base + self.context * self.registers.context_bytes)
    }

    /// Sets the context up; `stochastic` takes words of the PE's random generator.
    pub fn configure(&self, kb: &mut KernelBuilder<'_>, step: Step, stochastic: bool) {
        let chance = u32::from(stochastic) << 13;
        let config = match step {
            Step::Integer {
                from,
                to,
                signed,
                position,
            } => position | from.code() << 8 | to.code() << 10 | u32::from(signed) << 12,
            Step::Bfloat => 3 << 8 | Integer::Bits32.code() << 10,
        };
        let config = kb.int(config | chance);
        let base = self.base(kb);
        kb.write_device(config, base, self.registers.config);
    }

    /// Rounds an argument of up to 32 bits (for bfloat16 the bits of a float32).
    pub fn round(&self, kb: &mut KernelBuilder<'_>, x: Value) -> Value {
        let base = self.base(kb);
        kb.write_device(x, base, self.registers.low);
        kb.read_device(base, self.registers.result)
    }

    /// Rounds an argument of 64 bits; the lower word of the result, which is all of it unless
    /// it has 64 bits too.
    pub fn round_wide(&self, kb: &mut KernelBuilder<'_>, low: Value, high: Value) -> Value {
        let base = self.base(kb);
        kb.write_device(high, base, self.registers.high);
        kb.write_device(low, base, self.registers.low);
        kb.read_device(base, self.registers.result)
    }

    /// The upper word of the last result of this context.
    pub fn upper(&self, kb: &mut KernelBuilder<'_>) -> Value {
        let base = self.base(kb);
        kb.read_device(base, self.registers.result_high)
    }

    /// Contexts that have saturated, one bit each, since they were asked last.
    pub fn take_saturated(&self, kb: &mut KernelBuilder<'_>) -> Value {
        let base = kb.int(self.registers.base);
        let which = kb.read_device(base, self.registers.status);
        kb.write_device(which, base, self.registers.status);
        which
    }
}
