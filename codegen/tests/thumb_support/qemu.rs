//! Runs compiled functions in QEMU: a small image, written by our own assembler,
//! calls each function with each argument set and hands the results back by
//! semihosting.

use super::insts::{reg, sreg};
use super::tool;
use codegen::thumb::inst::*;
use codegen::thumb::{Assembler, Inst, MachineFunction, Reg, apply_reloc};
use std::collections::BTreeMap;
use std::process::Command;

pub const QEMU: &str = "qemu-system-arm";

/// Integer arguments go to r0.., float arguments to s0...
#[derive(Clone, Debug, Default)]
pub struct Call {
    pub function: usize,
    pub ints: [u32; 4],
    pub floats: [u32; 4],
}

/// r0 and s0 after a call; `trap` when it ran into UDF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub int: u32,
    pub float: u32,
    pub trap: Option<u8>,
    /// Whether r4 to r11 and s16 to s31 came back unchanged.
    pub preserved: bool,
}

/// Scratch memory that test functions may use, 64 kB.
pub const SCRATCH: u32 = 0x2010_0000;
const STATE: u32 = 0x2000_0000;
const STACK: u32 = 0x2008_0000;
const OUT: u32 = 0x2020_0000;
const TRAP_MARK: u32 = 0x7ea9_0000;
const RECORD: i32 = 16;

fn mov(rd: Reg, rm: Reg) -> Inst {
    Inst::Mov {
        s: false,
        rd,
        op2: Op2::Reg(rm),
    }
}

fn word(rt: Reg, rn: Reg, offset: i32) -> Inst {
    Inst::Load {
        size: LoadSize::Word,
        rt,
        addr: Addr::Offset(rn, offset),
    }
}

fn put(rt: Reg, rn: Reg, offset: i32) -> Inst {
    Inst::Store {
        size: StoreSize::Word,
        rt,
        addr: Addr::Offset(rn, offset),
    }
}

fn pattern(n: u8) -> u32 {
    0x5a5a_0000 | (u32::from(n) * 0x101)
}

/// Fills the callee-saved registers, or compares them and counts differences in r3.
fn patterns(asm: &mut Assembler, check: bool) {
    for n in 4..12 {
        if check {
            asm.constant(Reg::R12, pattern(n));
            asm.inst(Inst::Alu {
                op: AluOp::Eor,
                s: false,
                rd: Reg::R12,
                rn: Reg::R12,
                op2: Op2::Reg(reg(n)),
            });
            asm.inst(Inst::Alu {
                op: AluOp::Orr,
                s: false,
                rd: Reg::R3,
                rn: Reg::R3,
                op2: Op2::Reg(Reg::R12),
            });
        } else {
            asm.constant(reg(n), pattern(n));
        }
    }
    for n in 16..32 {
        asm.constant(Reg::R12, pattern(n));
        if check {
            asm.inst(Inst::VMovToCore {
                rt: Reg::R2,
                sn: sreg(n),
            });
            asm.inst(Inst::Alu {
                op: AluOp::Eor,
                s: false,
                rd: Reg::R12,
                rn: Reg::R12,
                op2: Op2::Reg(Reg::R2),
            });
            asm.inst(Inst::Alu {
                op: AluOp::Orr,
                s: false,
                rd: Reg::R3,
                rn: Reg::R3,
                op2: Op2::Reg(Reg::R12),
            });
        } else {
            asm.inst(Inst::VMovFromCore {
                sn: sreg(n),
                rt: Reg::R12,
            });
        }
    }
}

/// Reset: enable the FPU, point at the first call and the first result.
fn reset(calls: u32) -> MachineFunction {
    let mut asm = Assembler::new("reset");
    asm.constant(Reg::R0, 0xe000_ed88)
        .constant(Reg::R1, 0x00f0_0000);
    asm.inst(put(Reg::R1, Reg::R0, 0));
    asm.inst(Inst::Barrier(Barrier::Dsb))
        .inst(Inst::Barrier(Barrier::Isb));
    asm.constant(Reg::R4, STATE);
    asm.address(Reg::R0, "calls", 0)
        .inst(put(Reg::R0, Reg::R4, 0));
    asm.constant(Reg::R0, OUT).inst(put(Reg::R0, Reg::R4, 4));
    asm.constant(Reg::R0, calls).inst(put(Reg::R0, Reg::R4, 8));
    asm.jump("next");
    asm.finish().expect("the start-up code assembles")
}

/// Makes the next call; after the last one writes the results and exits.
fn next(bytes: u32) -> MachineFunction {
    let mut asm = Assembler::new("next");
    let done = asm.label();
    asm.constant(Reg::R4, STATE)
        .inst(word(Reg::R0, Reg::R4, 8))
        .branch_zero(Reg::R0, false, done);
    asm.inst(Inst::Alu {
        op: AluOp::Sub,
        s: false,
        rd: Reg::R0,
        rn: Reg::R0,
        op2: Op2::Imm(1),
    });
    asm.inst(put(Reg::R0, Reg::R4, 8));
    patterns(&mut asm, false);
    asm.constant(Reg::R12, STATE)
        .inst(word(Reg::R12, Reg::R12, 0));
    for n in 0..4 {
        asm.inst(Inst::VLoad {
            sd: sreg(n),
            rn: Reg::R12,
            offset: 20 + 4 * i32::from(n),
        });
        asm.inst(word(reg(n), Reg::R12, 4 + 4 * i32::from(n)));
    }
    asm.inst(word(Reg::R12, Reg::R12, 0))
        .inst(Inst::Blx { rm: Reg::R12 });
    asm.inst(mov(Reg::R1, Reg::R0))
        .constant(Reg::R0, 0)
        .jump("resume");
    asm.bind(done);
    // SYS_OPEN, SYS_WRITE, SYS_EXIT.
    let string = asm.label();
    asm.constant(Reg::R4, STATE + 64);
    asm.label_address(Reg::R0, string)
        .inst(put(Reg::R0, Reg::R4, 0));
    asm.constant(Reg::R0, 4).inst(put(Reg::R0, Reg::R4, 4));
    asm.constant(Reg::R0, 7).inst(put(Reg::R0, Reg::R4, 8));
    asm.constant(Reg::R0, 1)
        .inst(mov(Reg::R1, Reg::R4))
        .inst(Inst::Bkpt(0xab));
    asm.inst(put(Reg::R0, Reg::R4, 0));
    asm.constant(Reg::R0, OUT).inst(put(Reg::R0, Reg::R4, 4));
    asm.constant(Reg::R0, bytes).inst(put(Reg::R0, Reg::R4, 8));
    asm.constant(Reg::R0, 5)
        .inst(mov(Reg::R1, Reg::R4))
        .inst(Inst::Bkpt(0xab));
    asm.constant(Reg::R0, 0x18)
        .constant(Reg::R1, 0x20026)
        .inst(Inst::Bkpt(0xab));
    asm.align(4).bind(string).bytes(b"out.bin\0");
    asm.finish().expect("the driver assembles")
}

/// After a call or trap: r0 = trap mark or 0, r1 = integer result.
fn resume() -> MachineFunction {
    let mut asm = Assembler::new("resume");
    asm.constant(Reg::R3, 0);
    let trapped = asm.label();
    asm.branch_zero(Reg::R0, true, trapped);
    patterns(&mut asm, true);
    asm.bind(trapped);
    asm.constant(Reg::R4, STATE).inst(word(Reg::R2, Reg::R4, 4));
    asm.inst(put(Reg::R1, Reg::R2, 0)).inst(Inst::VStore {
        sd: sreg(0),
        rn: Reg::R2,
        offset: 4,
    });
    asm.inst(put(Reg::R0, Reg::R2, 8))
        .inst(put(Reg::R3, Reg::R2, 12));
    let add = |rd, imm| Inst::Alu {
        op: AluOp::Add,
        s: false,
        rd,
        rn: rd,
        op2: Op2::Imm(imm),
    };
    asm.inst(add(Reg::R2, RECORD as u32))
        .inst(put(Reg::R2, Reg::R4, 4));
    asm.inst(word(Reg::R2, Reg::R4, 0))
        .inst(add(Reg::R2, 36))
        .inst(put(Reg::R2, Reg::R4, 0));
    asm.jump("next");
    asm.finish().expect("resume assembles")
}

/// Any fault: builds a fresh exception frame that returns to `resume`, with the
/// UDF's number.
fn fault() -> MachineFunction {
    let mut asm = Assembler::new("fault");
    asm.inst(word(Reg::R1, Reg::SP, 24));
    asm.inst(Inst::Load {
        size: LoadSize::Half,
        rt: Reg::R0,
        addr: Addr::Offset(Reg::R1, 0),
    });
    asm.inst(Inst::Extend {
        op: ExtendOp::Uxtb,
        rd: Reg::R0,
        rm: Reg::R0,
        rot: 0,
    });
    asm.constant(Reg::R1, TRAP_MARK);
    asm.inst(Inst::Alu {
        op: AluOp::Orr,
        s: false,
        rd: Reg::R0,
        rn: Reg::R0,
        op2: Op2::Reg(Reg::R1),
    });
    asm.constant(Reg::R1, STACK - 32)
        .inst(mov(Reg::SP, Reg::R1));
    asm.inst(put(Reg::R0, Reg::SP, 0))
        .inst(put(Reg::R0, Reg::SP, 4));
    asm.address(Reg::R1, "resume", 0);
    asm.inst(Inst::Alu {
        op: AluOp::Bic,
        s: false,
        rd: Reg::R1,
        rn: Reg::R1,
        op2: Op2::Imm(1),
    });
    asm.inst(put(Reg::R1, Reg::SP, 24))
        .constant(Reg::R1, 0x0100_0000)
        .inst(put(Reg::R1, Reg::SP, 28));
    asm.constant(Reg::R1, 0xffff_fff9)
        .inst(mov(Reg::LR, Reg::R1))
        .inst(Inst::Bx { rm: Reg::LR });
    asm.finish().expect("the fault handler assembles")
}

/// Runs all calls; `None` when QEMU is absent. Functions may call each other and
/// `extra` ones by name.
pub fn run(functions: &[MachineFunction], calls: &[Call]) -> Option<Vec<Outcome>> {
    if !tool(QEMU) {
        return None;
    }
    let bytes = calls.len() as u32 * RECORD as u32;
    let mut vectors = Assembler::new("vectors");
    vectors.word(STACK).word_of("reset", 0);
    for _ in 2..16 {
        vectors.word_of("fault", 0);
    }
    let mut parts = vec![
        vectors.finish().expect("the vector table"),
        reset(calls.len() as u32),
        next(bytes),
        resume(),
        fault(),
    ];
    parts.extend(functions.iter().cloned());
    let mut symbols: BTreeMap<String, u32> = BTreeMap::new();
    let mut places = Vec::new();
    let mut at = 0u32;
    for part in &parts {
        at = at.next_multiple_of(part.align.max(4));
        places.push(at);
        symbols.insert(part.name.clone(), at | 1);
        at += part.code.len() as u32;
    }
    let table = at.next_multiple_of(4);
    symbols.insert("calls".into(), table);
    symbols.insert("scratch".into(), SCRATCH);
    let mut image = Vec::new();
    for (part, &place) in parts.iter().zip(&places) {
        image.resize(place as usize, 0);
        let mut code = part.code.clone();
        for reloc in &part.relocs {
            let target = symbols
                .get(&reloc.symbol)
                .unwrap_or_else(|| panic!("`{}` is not defined", reloc.symbol));
            apply_reloc(&mut code, reloc, place, *target).unwrap_or_else(|e| panic!("{e}"));
        }
        image.extend(code);
    }
    image.resize(table as usize, 0);
    for call in calls {
        image.extend((places[5 + call.function] | 1).to_le_bytes());
        for value in call.ints.iter().chain(&call.floats) {
            image.extend(value.to_le_bytes());
        }
    }
    assert!(
        image.len() < 0x40_0000,
        "the image exceeds the board's memory"
    );
    Some(execute(&image, calls.len()))
}

fn execute(image: &[u8], calls: usize) -> Vec<Outcome> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(dir.path().join("image.bin"), image).expect("the image");
    let run = Command::new("timeout")
        .args([
            "60",
            QEMU,
            "-M",
            "mps2-an386",
            "-cpu",
            "cortex-m4",
            "-nographic",
        ])
        .args(["-monitor", "none", "-serial", "none"])
        .args([
            "-semihosting-config",
            "enable=on,target=native",
            "-kernel",
            "image.bin",
        ])
        .current_dir(dir.path())
        .output()
        .expect("QEMU runs");
    let out = std::fs::read(dir.path().join("out.bin")).unwrap_or_default();
    assert_eq!(
        out.len(),
        calls * RECORD as usize,
        "QEMU gave no full result: {}",
        String::from_utf8_lossy(&run.stderr)
    );
    out.chunks_exact(RECORD as usize)
        .map(|record| {
            let word = |i: usize| {
                u32::from_le_bytes([
                    record[4 * i],
                    record[4 * i + 1],
                    record[4 * i + 2],
                    record[4 * i + 3],
                ])
            };
            let mark = word(2);
            Outcome {
                int: word(0),
                float: word(1),
                trap: (mark & 0xffff_0000 == TRAP_MARK).then_some(mark as u8),
                preserved: word(3) == 0,
            }
        })
        .collect()
}
