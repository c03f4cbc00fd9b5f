//! What one start of the MAC array asks for: read from the registers, checked, timed.
//!
//! The fields are described in the target file, above `[mla]`.

use ir::target::Mla as Registers;

const START: u32 = 1;
const CONVOLUTION: u32 = 1 << 1;
const A_SIGNED: u32 = 1 << 2;
const A_WIDE: u32 = 1 << 3;
const B_SIGNED: u32 = 1 << 4;
const B_WIDE: u32 = 1 << 5;
const WIDTH_SHIFT: u32 = 6;
const RELU: u32 = 1 << 8;
const INTERRUPT: u32 = 1 << 9;
const RIGHT_SHIFT: u32 = 16;
const KNOWN: u32 = 0x3ff | 0x3f << RIGHT_SHIFT;

/// Whether writing `trigger` starts a job.
pub(super) fn starts(trigger: u32) -> bool {
    trigger & START != 0
}

/// Whether the job interrupts when it is done.
pub(super) fn interrupts(trigger: u32) -> bool {
    trigger & INTERRUPT != 0
}

/// Why a start was refused; the number is what the status register says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A job is running.
    Busy = 1,
    /// Bits of a register that mean nothing.
    Unknown = 2,
    /// A size is zero or too large, or the kernel does not fit the padded input.
    Sizes = 3,
    /// An operand or the result does not begin at a multiple of `mla.align_bytes`.
    Alignment = 4,
    /// An operand or the result is not inside an SRAM.
    Address = 5,
    /// A remote access failed.
    Remote = 6,
}

impl Refusal {
    /// The reason in words, for reports.
    pub fn reason(self) -> &'static str {
        match self {
            Refusal::Busy => "a job was still running",
            Refusal::Unknown => "a register held bits that mean nothing",
            Refusal::Sizes => "a size was zero, too large, or the kernel did not fit",
            Refusal::Alignment => "an operand or the result was not aligned",
            Refusal::Address => "an operand or the result was not inside an SRAM",
            Refusal::Remote => "a remote access failed",
        }
    }
}

/// What was written to the registers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Words {
    pub(super) source_a: u32,
    pub(super) source_b: u32,
    pub(super) target: u32,
    pub(super) rows_a: u32,
    pub(super) cols_a_rows_b: u32,
    pub(super) cols_b: u32,
    pub(super) trigger: u32,
    pub(super) conv: [u32; 3],
    pub(super) noc_src: u32,
    pub(super) noc_dst: u32,
}

/// Where an operand or the result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Identity byte of the PE; `None` for the PE's own address space.
    pub(super) pe: Option<u8>,
    pub(super) addr: u32,
}

/// An operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operand {
    pub(super) place: Place,
    pub(super) signed: bool,
    /// 16 bit instead of 8.
    pub(super) wide: bool,
    pub(super) elements: u64,
}

impl Operand {
    pub(super) fn bytes(&self) -> u64 {
        self.elements << u32::from(self.wide)
    }
}

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Matrix { m: u32, k: u32, n: u32 },
    Convolution(Convolution),
}

/// Sizes of a convolution; pairs are (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Convolution {
    pub(super) channels: (u32, u32),
    pub(super) input: (u32, u32),
    pub(super) kernel: (u32, u32),
    pub(super) stride: (u32, u32),
    /// Above, and to the left.
    pub(super) padding: (u32, u32),
    pub(super) output: (u32, u32),
}

/// One job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) shape: Shape,
    pub(super) a: Operand,
    pub(super) b: Operand,
    pub(super) result: Place,
    pub(super) results: u64,
    /// Bytes of each result: 1, 2 or 4.
    pub(super) width: u32,
    pub(super) relu: bool,
    pub(super) shift: u32,
    pub(super) interrupt: bool,
}

/// Places along one axis of the output, if the kernel fits at all.
fn places(size: u32, padding: (u32, u32), kernel: u32, stride: u32) -> Option<u32> {
    let padded = size + padding.0 + padding.1;
    Some(padded.checked_sub(kernel)? / stride + 1)
}

impl Convolution {
    fn read(words: &Words, registers: &Registers) -> Result<Self, Refusal> {
        let byte = |word: u32, n: u32| word >> (8 * n) & 0xff;
        let [size, kernel, padding] = words.conv;
        if size >> 16 != 0 {
            return Err(Refusal::Unknown);
        }
        let input = (words.rows_a, size);
        let stride = (byte(kernel, 2), byte(kernel, 3));
        let kernel = (byte(kernel, 0), byte(kernel, 1));
        let all = [kernel.0, kernel.1, stride.0, stride.1];
        let sound = |n: u32| (1..=registers.max_kernel).contains(&n);
        let border = |n: u32| byte(padding, n);
        if !all.into_iter().all(sound)
            || border(0).max(border(2)) >= kernel.0
            || border(1).max(border(3)) >= kernel.1
            || !sizes_fit(
                &[input.0, input.1, words.cols_a_rows_b, words.cols_b],
                registers,
            )
        {
            return Err(Refusal::Sizes);
        }
        let output = places(input.0, (border(0), border(2)), kernel.0, stride.0).zip(places(
            input.1,
            (border(1), border(3)),
            kernel.1,
            stride.1,
        ));
        Ok(Self {
            channels: (words.cols_b, words.cols_a_rows_b),
            input,
            kernel,
            stride,
            padding: (border(0), border(1)),
            output: output.ok_or(Refusal::Sizes)?,
        })
    }

    /// Products that each result sums.
    pub(super) fn taps(&self) -> u64 {
        u64::from(self.channels.1) * area(self.kernel)
    }
}

fn area(size: (u32, u32)) -> u64 {
    u64::from(size.0) * u64::from(size.1)
}

fn sizes_fit(sizes: &[u32], registers: &Registers) -> bool {
    sizes
        .iter()
        .all(|size| (1..=registers.max_size).contains(size))
}

impl Job {
    pub(super) fn read(
        words: &Words,
        registers: &Registers,
        sram_bytes: u32,
    ) -> Result<Self, Refusal> {
        let trigger = words.trigger;
        let width_code = trigger >> WIDTH_SHIFT & 3;
        if trigger & !KNOWN != 0 || width_code > 2 {
            return Err(Refusal::Unknown);
        }
        let shape = if trigger & CONVOLUTION != 0 {
            Shape::Convolution(Convolution::read(words, registers)?)
        } else {
            let (m, k, n) = (words.rows_a, words.cols_a_rows_b, words.cols_b);
            if !sizes_fit(&[m, k, n], registers) {
                return Err(Refusal::Sizes);
            }
            Shape::Matrix { m, k, n }
        };
        let (a, b, results) = match shape {
            Shape::Matrix { m, k, n } => (area((m, k)), area((k, n)), area((m, n))),
            Shape::Convolution(c) => (
                u64::from(c.channels.1) * area(c.input),
                u64::from(c.channels.0) * c.taps(),
                u64::from(c.channels.0) * area(c.output),
            ),
        };
        let place = |word: u32, pe: u32| {
            let pe = match word >> 30 {
                kind if kind == registers.kind_local => None,
                kind if kind == registers.kind_remote => Some((pe & 0xff) as u8),
                _ => return Err(Refusal::Unknown),
            };
            let addr = word & 0x3fff_ffff;
            if !addr.is_multiple_of(registers.align_bytes) {
                return Err(Refusal::Alignment);
            }
            Ok(Place { pe, addr })
        };
        let job = Self {
            shape,
            a: Operand {
                place: place(words.source_a, words.noc_src)?,
                signed: trigger & A_SIGNED != 0,
                wide: trigger & A_WIDE != 0,
                elements: a,
            },
            b: Operand {
                place: place(words.source_b, words.noc_src >> 8)?,
                signed: trigger & B_SIGNED != 0,
                wide: trigger & B_WIDE != 0,
                elements: b,
            },
            result: place(words.target, words.noc_dst)?,
            results,
            width: 1 << width_code,
            relu: trigger & RELU != 0,
            shift: trigger >> RIGHT_SHIFT & 0x3f,
            interrupt: trigger & INTERRUPT != 0,
        };
        let sizes = [job.a.bytes(), job.b.bytes(), job.result_bytes()];
        if sizes.iter().any(|&bytes| bytes > u64::from(sram_bytes)) {
            return Err(Refusal::Sizes);
        }
        Ok(job)
    }

    pub(super) fn result_bytes(&self) -> u64 {
        self.results * u64::from(self.width)
    }

    /// Products of two operands.
    pub(super) fn macs(&self) -> u64 {
        match self.shape {
            Shape::Matrix { m, k, n } => area((m, k)) * u64::from(n),
            Shape::Convolution(c) => u64::from(c.channels.0) * area(c.output) * c.taps(),
        }
    }

    /// Cells that one product occupies.
    pub(super) fn cells(&self, registers: &Registers) -> u64 {
        let fuse = |wide| {
            if wide {
                u64::from(registers.fused_cells)
            } else {
                1
            }
        };
        fuse(self.a.wide) * fuse(self.b.wide)
    }

    /// Bits of the accumulator.
    pub(super) fn accumulator_bits(&self, registers: &Registers) -> u32 {
        let wide = u32::from(self.a.wide) + u32::from(self.b.wide);
        registers.accumulator_bits + registers.fused_bits * wide
    }

    /// Core cycles from the start until the result is in memory, if both operands are
    /// at hand.
    pub(super) fn cycles(&self, registers: &Registers) -> u64 {
        let fuse = |wide| if wide { registers.fused_cells } else { 1 };
        let (ideal, percent) = match self.shape {
            Shape::Matrix { m, k, n } => {
                let tiles = u64::from(m.div_ceil((registers.rows / fuse(self.a.wide)).max(1)))
                    * u64::from(n.div_ceil((registers.columns / fuse(self.b.wide)).max(1)));
                let percent = match m {
                    1 => registers.vector_percent,
                    _ => registers.matrix_percent,
                };
                (tiles * u64::from(k), percent)
            }
            Shape::Convolution(_) => {
                let cells = area((registers.rows, registers.columns));
                let ideal = (self.macs() * self.cells(registers)).div_ceil(cells);
                (ideal, registers.convolution_percent)
            }
        };
        u64::from(registers.start_cycles) + (ideal * 100).div_ceil(u64::from(percent))
    }
}
