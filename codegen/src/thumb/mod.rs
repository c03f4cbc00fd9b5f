//! The Thumb-2 backend: CLIF in, Cortex-M4F machine code out.
//!
//! ```text
//! ir::Function
//!   midend    Cranelift's optimiser under pulley32 (32-bit pointers)
//!   check     only operations and types that the lowering knows
//!   lower     backward, on demand: folded producers are never emitted
//!   combine   VLDM/VSTM groups on fixed registers
//!   schedule  windowed list scheduling along hot paths, by the core's latencies
//!   regalloc  regalloc2 (Ion)
//!   emit      moves, frame, jump threading, cold blocks last
//!   peephole  16-bit forms, compares folded into flag-setting instructions
//!   layout    branch sizes
//!   encode    pure functions from instructions to bytes
//! MachineFunction
//! ```
//!
//! A virtual instruction is a short bundle of [`Inst`] templates with one operand
//! list; nothing is ever put inside a bundle, so the condition flags live only
//! there. Values narrower than 32 bits sit in registers with *undefined* upper
//! bits, except comparison results (0 or 1); every consumer that looks at upper
//! bits extends first.
//!
//! **Invariant:** `fmul` and `fadd` stay two instructions. Only CLIF `fma` becomes
//! VFMA, and VMLA is never selected, so each step rounds as the reference does.

pub mod asm;
pub mod cost;
pub mod encode;
pub mod imm;
pub mod inst;
pub mod reg;

mod check;
mod combine;
mod emit;
mod error;
mod layout;
mod liveness;
mod lower;
mod midend;
mod ops;
mod peephole;
mod print;
mod regalloc;
mod reloc;
mod schedule;
mod vcode;

pub use asm::{Assembler, Item, Label, RelocKind, SymbolRef};
pub use encode::{EncodeError, Encoding, encode, encode_in};
pub use error::BackendError;
pub use inst::Inst;
pub use print::text;
pub use reg::{Cond, Reg, RegList, SReg};
pub use reloc::{Reloc, RelocError, apply_reloc};

use cranelift_codegen::ir::{ExternalName, Function, UserFuncName};
use inst::Op2;

/// Choices for one compilation.
#[derive(Clone, Debug)]
pub struct Options {
    /// Run Cranelift's optimiser first.
    pub optimize: bool,
    /// Reorder instructions to avoid stalls.
    pub schedule: bool,
    /// Group adjacent float loads and stores into VLDM and VSTM.
    pub combine: bool,
    /// Prove the register allocation with regalloc2's checker.
    pub check_allocation: bool,
    /// The core's latencies, for the scheduler.
    pub cycles: cost::CycleRules,
    /// How many integer and float constants may occupy a register across loops.
    pub hoisted_constants: (usize, usize),
}

impl Default for Options {
    fn default() -> Options {
        Options {
            optimize: true,
            schedule: true,
            combine: true,
            check_allocation: cfg!(debug_assertions),
            cycles: cost::CycleRules::default(),
            hoisted_constants: (4, 8),
        }
    }
}

/// A compiled or assembled function.
#[derive(Clone, PartialEq, Debug)]
pub struct MachineFunction {
    pub name: String,
    pub code: Vec<u8>,
    /// Alignment of the first byte.
    pub align: u32,
    pub relocs: Vec<Reloc>,
    /// Code and data stretches, ascending, the first at 0 ($t and $d symbols).
    pub ranges: Vec<Range>,
    /// Every instruction and data element with its offset, ascending.
    pub listing: Vec<Line>,
    pub frame: FrameInfo,
}

/// Start of a stretch of code or data; it ends where the next one starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    pub start: u32,
    pub kind: RangeKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RangeKind {
    Code,
    Data,
}

/// One element of the listing.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Line {
    pub offset: u32,
    pub kind: LineKind,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum LineKind {
    /// An instruction, with its condition inside an IT block.
    Inst(Inst, Option<Cond>),
    /// So many bytes of data.
    Data(u32),
}

/// What a function does with the stack.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FrameInfo {
    /// Bytes pushed and reserved, saved registers included.
    pub size: u32,
    /// Words that the register allocator spilled to.
    pub spill_slots: u32,
    /// Moves, loads and stores that the register allocator added.
    pub edits: u32,
    /// Whether the function calls another one.
    pub calls: bool,
}

impl MachineFunction {
    /// The listing from offset `from` up to, not including, offset `to`.
    pub fn lines(&self, from: u32, to: u32) -> &[Line] {
        let index = |offset| self.listing.partition_point(|line| line.offset < offset);
        &self.listing[index(from)..index(to).max(index(from))]
    }

    /// Start and end offset of the loops: from the target of each backward branch
    /// to the end of that branch.
    pub fn loops(&self) -> Vec<(u32, u32)> {
        let mut found = Vec::new();
        for (i, line) in self.listing.iter().enumerate() {
            let LineKind::Inst(Inst::B { offset, .. } | Inst::BCond { offset, .. }, _) = line.kind
            else {
                continue;
            };
            let end = self
                .listing
                .get(i + 1)
                .map_or(self.code.len() as u32, |next| next.offset);
            if offset < -4 {
                found.push((line.offset.wrapping_add_signed(offset + 4), end));
            }
        }
        found
    }

    /// The listing as text, one line each, in the manner of objdump: offset, then
    /// instruction. Branch targets are offsets in the function.
    pub fn disassembly(&self) -> String {
        let mut out = String::new();
        for line in &self.listing {
            let text = match &line.kind {
                LineKind::Inst(inst, cond) => text(inst, *cond, line.offset),
                LineKind::Data(len) => {
                    let start = line.offset as usize;
                    let bytes = &self.code[start..start + *len as usize];
                    let hex: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
                    format!(".byte\t{}", hex.join(" "))
                }
            };
            let reloc = self
                .relocs
                .iter()
                .find(|r| r.offset == line.offset)
                .map(|r| match r.addend {
                    0 => format!("\t@ {:?} {}", r.kind, r.symbol),
                    n => format!("\t@ {:?} {}{n:+}", r.kind, r.symbol),
                })
                .unwrap_or_default();
            out.push_str(&format!("{:4x}:\t{text}{reloc}\n", line.offset));
        }
        out
    }
}

/// Compiles one function.
///
/// `symbols[i]` is the name of `UserExternalName { namespace: 0, index: i }`, for
/// callees and data alike. The function's own name is looked up the same way.
pub fn compile(
    func: Function,
    symbols: &[String],
    options: &Options,
) -> Result<MachineFunction, BackendError> {
    let name = match &func.name {
        UserFuncName::User(user) if user.namespace == 0 => symbols
            .get(user.index as usize)
            .cloned()
            .unwrap_or_else(|| func.name.to_string()),
        UserFuncName::User(_) | UserFuncName::Testcase(_) => {
            func.name.to_string().trim_start_matches('%').to_string()
        }
    };
    let func = midend::run(&name, func, options.optimize)?;
    check::run(&name, &func)?;
    let mut code = lower::run(&name, &func, symbols, options)?;
    let groups = options.combine && combine::run(&mut code);
    let mut tied = groups.then(|| code.clone());
    let free = Allocated::of(&mut code, options)?;
    let mut best = free;
    if let Some(tied) = &mut tied {
        // Which of the two suits the allocator is seen only afterwards.
        combine::keep_in_place(tied);
        let tied = Allocated::of(tied, options)?;
        if tied.weight <= best.weight {
            best = tied;
        }
    }
    let mut function = layout::lay_out(&name, &best.items)?;
    function.frame = best.frame;
    Ok(function)
}

/// Code with registers.
struct Allocated {
    items: Vec<Item>,
    frame: FrameInfo,
    /// What the allocator's moves cost, and the registers that are saved.
    weight: u32,
}

impl Allocated {
    fn of(code: &mut vcode::VCode, options: &Options) -> Result<Self, BackendError> {
        if options.schedule {
            schedule::run(code, &options.cycles);
        }
        let numbered = regalloc::Numbered::new(code);
        let output = regalloc::run(code, &numbered, options.check_allocation)?;
        let (items, frame) = emit::run(code, &numbered, &output)?;
        let weight = regalloc::weight(code, &numbered, &output) + frame.size / 2;
        Ok(Self {
            items,
            frame,
            weight,
        })
    }
}

/// The symbol behind a CLIF name.
fn external_name(
    func: &Function,
    name: &ExternalName,
    symbols: &[String],
) -> Result<String, String> {
    match name {
        ExternalName::User(reference) => {
            let user = &func.params.user_named_funcs()[*reference];
            if user.namespace != 0 {
                return Err(format!("{user} is not in namespace 0"));
            }
            symbols
                .get(user.index as usize)
                .cloned()
                .ok_or_else(|| format!("there is no symbol number {}", user.index))
        }
        ExternalName::TestCase(name) => String::from_utf8(name.raw().to_vec())
            .map_err(|_| "a symbol name is not UTF-8".to_string()),
        ExternalName::LibCall(_) | ExternalName::KnownSymbol(_) => {
            Err(format!("{} is not available here", name.display(None)))
        }
    }
}

/// The shortest instructions that load a constant.
pub(crate) fn constant(rd: Reg, value: u32) -> Vec<Inst> {
    if imm::modified(value).is_some() {
        return vec![Inst::Mov {
            s: false,
            rd,
            op2: Op2::Imm(value),
        }];
    }
    if imm::modified(!value).is_some() {
        return vec![Inst::Mvn {
            s: false,
            rd,
            op2: Op2::Imm(!value),
        }];
    }
    let low = Inst::Movw {
        rd,
        imm: value as u16,
    };
    match value >> 16 {
        0 => vec![low],
        high => vec![
            low,
            Inst::Movt {
                rd,
                imm: high as u16,
            },
        ],
    }
}
