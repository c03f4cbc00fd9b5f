//! Driver of the unit for exponentials and logarithms.

use crate::kernels::KernelBuilder;
use cranelift_codegen::ir::Value;
use ir::Target;

/// What is computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Function {
    Exp,
    /// Natural.
    Log,
}

/// Formats of arguments and results, chosen independently.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// An i32 with 15 fraction bits.
    S16_15,
    /// An i32 with 31 fraction bits.
    S0_31,
    /// A float32.
    Float,
}

/// The unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpLog {
    registers: ir::target::ExpLog,
}

impl ExpLog {
    pub fn of(target: &Target) -> Self {
        Self {
            registers: target.explog.clone(),
        }
    }

    fn register(&self, function: Function, format: Format) -> u32 {
        let r = &self.registers;
        match (function, format) {
            (Function::Exp, Format::S16_15) => r.exp_fixed,
            (Function::Exp, Format::S0_31) => r.exp_fraction,
            (Function::Exp, Format::Float) => r.exp_float,
            (Function::Log, Format::S16_15) => r.log_fixed,
            (Function::Log, Format::S0_31) => r.log_fraction,
            (Function::Log, Format::Float) => r.log_float,
        }
    }

    /// Sets how many iterations the unit makes; outside of 1 to
    /// `explog.max_iterations` the access faults.
    pub fn set_iterations(&self, kb: &mut KernelBuilder<'_>, iterations: Value) {
        let base = kb.int(self.registers.base);
        kb.write_device(iterations, base, self.registers.control);
    }

    /// Starts the unit on `x`, an i32 or a float32 as `from` says. Other work may follow
    /// until [`ExpLog::result`].
    pub fn start(&self, kb: &mut KernelBuilder<'_>, function: Function, from: Format, x: Value) {
        let word = match from {
            Format::Float => kb.bits(x),
            Format::S16_15 | Format::S0_31 => x,
        };
        let base = kb.int(self.registers.base);
        kb.write_device(word, base, self.register(function, from));
    }

    /// The result of the last start; waits for it.
    pub fn result(&self, kb: &mut KernelBuilder<'_>, to: Format) -> Value {
        let base = kb.int(self.registers.base);
        let word = kb.read_device(base, self.register(Function::Exp, to));
        match to {
            Format::Float => kb.from_bits(word),
            Format::S16_15 | Format::S0_31 => word,
        }
    }

    /// Computes `function` of `x`.
    pub fn compute(
        &self,
        kb: &mut KernelBuilder<'_>,
        function: Function,
        from: Format,
        x: Value,
        to: Format,
    ) -> Value {
        self.start(kb, function, from, x);
        self.result(kb, to)
    }
}
