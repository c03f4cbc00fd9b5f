//! Driver of the MAC array.

use crate::frame::wait;
use crate::kernels::KernelBuilder;
use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::condcodes::IntCC;
use ir::code::Code;
use ir::diag::Diagnostic;
use ir::geometry::PeCoord;
use ir::{Origin, Target, target};

const START: u32 = 1;
const CONVOLUTION: u32 = 1 << 1;
const RELU: u32 = 1 << 8;
const INTERRUPT: u32 = 1 << 9;
/// Bits of the status register.
const DONE: u32 = 1 << 1;
const CLEAR: u32 = 0xe;

/// An operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Operand {
    pub signed: bool,
    /// 16 bit instead of 8.
    pub wide: bool,
    /// The PE of this chip whose SRAM holds it, unless it is the own one.
    pub at: Option<PeCoord>,
}

/// Width of results.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Width {
    Bits8,
    Bits16,
    #[default]
    Bits32,
}

/// What becomes of the accumulators.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Output {
    pub width: Width,
    /// Bits that are shifted out.
    pub shift: u32,
    pub relu: bool,
    /// The PE of this chip that receives it, unless it is the own one.
    pub at: Option<PeCoord>,
}

/// Sizes of a convolution; pairs are (vertical, horizontal).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    pub channels_in: u32,
    pub channels_out: u32,
    pub input: (u32, u32),
    pub kernel: (u32, u32),
    pub stride: (u32, u32),
    /// Above and below.
    pub padding_vertical: (u32, u32),
    /// Left and right.
    pub padding_horizontal: (u32, u32),
}

/// What is computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// A of `m` rows and `k` columns times B of `k` rows and `n` columns, all row after row.
    Matrix { m: u32, k: u32, n: u32 },
    /// A is the input, B the kernels, both in C order.
    Convolution(Window),
}

/// A job of the array, whose registers all hold constants but the addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    shape: Shape,
    a: Operand,
    b: Operand,
    output: Output,
}

impl Job {
    /// Refuses what does not fit into the registers; the array itself checks the rest.
    pub fn new(
        target: &Target,
        shape: Shape,
        a: Operand,
        b: Operand,
        output: Output,
    ) -> Result<Self, Diagnostic> {
        let r = &target.mla;
        let sizes = |all: &[u32]| all.iter().all(|s| (1..=r.max_size).contains(s));
        let fits = match shape {
            Shape::Matrix { m, k, n } => sizes(&[m, k, n]),
            Shape::Convolution(w) => {
                let small = [w.kernel.0, w.kernel.1, w.stride.0, w.stride.1];
                let v = w.padding_vertical.0.max(w.padding_vertical.1);
                let h = w.padding_horizontal.0.max(w.padding_horizontal.1);
                sizes(&[w.channels_in, w.channels_out, w.input.0, w.input.1])
                    && small.iter().all(|s| (1..=r.max_kernel).contains(s))
                    && v < w.kernel.0
                    && h < w.kernel.1
            }
        };
        if fits && output.shift < 64 {
            return Ok(Self {
                shape,
                a,
                b,
                output,
            });
        }
        let message = "a job of the MAC array does not fit its registers";
        let error = Diagnostic::error(Code::CodegenLimit, &Origin::Compiler, message);
        Err(error.note(format!(
            "{shape:?}, shift {}; sizes are 1 to {}, kernels and strides 1 to {}, padding less than the kernel, shifts less than 64",
            output.shift, r.max_size, r.max_kernel
        )))
    }

    fn trigger(&self) -> u32 {
        let operand = |o: Operand| u32::from(o.signed) | u32::from(o.wide) << 1;
        let width = match self.output.width {
            Width::Bits8 => 0,
            Width::Bits16 => 1,
            Width::Bits32 => 2,
        };
        let convolution = match self.shape {
            Shape::Matrix { .. } => 0,
            Shape::Convolution(_) => CONVOLUTION,
        };
        START
            | convolution
            | operand(self.a) << 2
            | operand(self.b) << 4
            | width << 6
            | if self.output.relu { RELU } else { 0 }
            | INTERRUPT
            | self.output.shift << 16
    }
}

/// The array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacArray {
    registers: target::Mla,
}

impl MacArray {
    pub fn of(target: &Target) -> Self {
        Self {
            registers: target.mla.clone(),
        }
    }

    /// Starts `job` on operands and result at these addresses of the SRAMs that hold them.
    /// Both operands may be overwritten at once; the result is there when the job is done.
    pub fn start(&self, kb: &mut KernelBuilder<'_>, job: &Job, a: Value, b: Value, result: Value) {
        let r = &self.registers;
        let base = kb.int(r.base);
        for (register, addr, at) in [
            (r.source_a, a, job.a.at),
            (r.source_b, b, job.b.at),
            (r.target, result, job.output.at),
        ] {
            let kind = if at.is_some() {
                r.kind_remote
            } else {
                r.kind_local
            };
            let word = match kind {
                0 => addr,
                kind => {
                    let kind = kb.int(kind << 30);
                    kb.or(addr, kind)
                }
            };
            kb.write_device(word, base, register);
        }
        let id = |at: Option<PeCoord>| at.map_or(0, |pe| u32::from(pe.id()));
        let mut constants = vec![
            (r.noc_src, id(job.a.at) | id(job.b.at) << 8),
            (r.noc_dst, id(job.output.at)),
        ];
        match job.shape {
            Shape::Matrix { m, k, n } => {
                constants.extend([(r.rows_a, m), (r.cols_a_rows_b, k), (r.cols_b, n)]);
            }
            Shape::Convolution(w) => {
                let (v, h) = (w.padding_vertical, w.padding_horizontal);
                let kernel = w.kernel.0 | w.kernel.1 << 8 | w.stride.0 << 16 | w.stride.1 << 24;
                constants.extend([
                    (r.rows_a, w.input.0),
                    (r.cols_a_rows_b, w.channels_in),
                    (r.cols_b, w.channels_out),
                    (r.conv_params1, w.input.1),
                    (r.conv_params2, kernel),
                    (r.conv_params3, v.0 | h.0 << 8 | v.1 << 16 | h.1 << 24),
                ]);
            }
        }
        constants.push((r.trigger, job.trigger()));
        for (register, constant) in constants {
            let constant = kb.int(constant);
            kb.write_device(constant, base, register);
        }
    }

    /// The status register.
    pub fn status(&self, kb: &mut KernelBuilder<'_>) -> Value {
        let base = kb.int(self.registers.base);
        kb.read_device(base, self.registers.status)
    }

    /// Results of the last job whose accumulator overflowed.
    pub fn overflows(&self, kb: &mut KernelBuilder<'_>) -> Value {
        let base = kb.int(self.registers.base);
        kb.read_device(base, self.registers.overflows)
    }

    fn is_done(&self, kb: &mut KernelBuilder<'_>) -> Value {
        let status = self.status(kb);
        let done = kb.and_const(status, DONE);
        let zero = kb.int(0);
        kb.compare(IntCC::NotEqual, done, zero)
    }

    /// Sleeps until the job is done. The interrupt must not be enabled: it only wakes.
    pub fn sleep(&self, kb: &mut KernelBuilder<'_>) {
        wait::sleep_until(kb, |kb| self.is_done(kb));
    }

    /// Waits awake until the job is done.
    pub fn poll(&self, kb: &mut KernelBuilder<'_>) {
        wait::poll_until(kb, |kb| self.is_done(kb));
    }

    /// Clears the status and the interrupt, for the next job; gives what it was.
    pub fn take_status(&self, kb: &mut KernelBuilder<'_>) -> Value {
        let status = self.status(kb);
        let base = kb.int(self.registers.base);
        let clear = kb.int(CLEAR);
        kb.write_device(clear, base, self.registers.status);
        wait::forget(kb, self.registers.irq);
        status
    }
}
