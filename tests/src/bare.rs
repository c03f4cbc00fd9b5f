//! A kernel alone in 128 kB of memory: the same bytes for the emulator's core
//! and for QEMU.
//!
//! ```text
//! 0x0000  vectors
//! 0x0100  harness: enable the FPU, set arguments, call, dump by semihosting
//! 0x0c00  semihosting parameter blocks
//! 0x1000  functions
//! 0x4000  data of the test, up to 0x1f000; the stack is above
//! ```

use codegen::kernels::Kernel;
use codegen::thumb::inst::{Addr, Barrier, Inst, StoreSize};
use codegen::thumb::{self, Assembler, MachineFunction, Reg, apply_reloc};
use runtime_sim::cpu::{Core, Costs, Exit, Memory, NoMmio};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

pub const SRAM: u32 = 0x2_0000;
/// What a test may use and what is compared.
pub const DATA: std::ops::Range<u32> = 0x4000..0x1_f000;
const BLOCKS: u32 = 0x0c00;
/// Where the function under test is.
pub const CODE: u32 = 0x1000;

/// Code as the compiler makes it, with the allocation proven.
pub fn compile(kernel: &Kernel) -> MachineFunction {
    let options = thumb::Options {
        check_allocation: true,
        ..thumb::Options::default()
    };
    thumb::compile(kernel.function.clone(), &kernel.symbols, &options).expect("the kernel compiles")
}

/// Links `kernels` (the first is called with `args`) into a memory image that
/// starts with `data` at [`DATA`].
pub fn image(kernels: &[Kernel], args: &[u32], data: &[u8]) -> Vec<u8> {
    let compiled: Vec<MachineFunction> = kernels.iter().map(compile).collect();
    link(&compiled, args, data)
}

/// Where each function of an image is.
pub fn places(compiled: &[MachineFunction]) -> BTreeMap<String, u32> {
    let mut at = CODE;
    let mut places = BTreeMap::new();
    for f in compiled {
        places.insert(f.name.clone(), at);
        at = (at + f.code.len() as u32).next_multiple_of(4);
    }
    assert!(at <= DATA.start, "the functions fit below the data");
    places
}

/// The same of compiled functions; the first one is at [`CODE`].
pub fn link(compiled: &[MachineFunction], args: &[u32], data: &[u8]) -> Vec<u8> {
    let mut places = places(compiled);
    let harness = harness(&compiled[0].name, args);
    places.insert("harness".to_owned(), 0x100);

    let mut memory = vec![0u8; SRAM as usize];
    let mut put = |addr: u32, bytes: &[u8]| {
        memory[addr as usize..addr as usize + bytes.len()].copy_from_slice(bytes);
    };
    for f in compiled.iter().chain([&harness]) {
        let place = places[&f.name];
        let mut code = f.code.clone();
        for reloc in &f.relocs {
            apply_reloc(&mut code, reloc, place, places[&reloc.symbol]).expect("in range");
        }
        put(place, &code);
    }
    put(0, &SRAM.to_le_bytes());
    put(4, &(0x101u32).to_le_bytes());
    // SYS_OPEN {name, mode "wb", length}; SYS_WRITE {handle, data, length}.
    let name = b"dump.bin\0";
    put(BLOCKS + 0x40, name);
    put(BLOCKS, &(BLOCKS + 0x40).to_le_bytes());
    put(BLOCKS + 4, &5u32.to_le_bytes());
    put(BLOCKS + 8, &(name.len() as u32 - 1).to_le_bytes());
    put(BLOCKS + 0x14, &DATA.start.to_le_bytes());
    put(BLOCKS + 0x18, &(DATA.end - DATA.start).to_le_bytes());
    assert!(data.len() <= (DATA.end - DATA.start) as usize);
    put(DATA.start, data);
    memory
}

fn harness(kernel: &str, args: &[u32]) -> MachineFunction {
    const CPACR: u32 = 0xE000_ED88;
    const SYS_OPEN: u32 = 0x01;
    const SYS_WRITE: u32 = 0x05;
    const SYS_EXIT: u32 = 0x18;
    let r = |n| Reg::new(n).expect("a register");
    let store = |rt, rn| Inst::Store {
        size: StoreSize::Word,
        rt,
        addr: Addr::Offset(rn, 0),
    };
    let mut a = Assembler::new("harness");
    a.constant(r(0), CPACR)
        .constant(r(1), 0x00f0_0000)
        .inst(store(r(1), r(0)));
    a.inst(Inst::Barrier(Barrier::Dsb))
        .inst(Inst::Barrier(Barrier::Isb));
    for (i, &arg) in args.iter().enumerate() {
        a.constant(r(i as u8), arg);
    }
    a.call(kernel);
    a.constant(r(0), SYS_OPEN)
        .constant(r(1), BLOCKS)
        .inst(Inst::Bkpt(0xab));
    a.constant(r(1), BLOCKS + 0x10).inst(store(r(0), r(1)));
    a.constant(r(0), SYS_WRITE).inst(Inst::Bkpt(0xab));
    a.constant(r(0), SYS_EXIT)
        .constant(r(1), 0x20026)
        .inst(Inst::Bkpt(0xab));
    a.finish().expect("the harness assembles")
}

/// What a run leaves behind.
#[derive(Debug)]
pub struct Ran {
    pub data: Vec<u8>,
    pub cycles: u64,
    pub instructions: u64,
}

/// Runs the image on the emulator's core until the first semihosting call.
pub fn emulate(image: &[u8]) -> Ran {
    let mut memory = Memory::new(SRAM as usize);
    memory.bytes_mut().copy_from_slice(image);
    let mut core = Core::new(Costs::default());
    core.reset(&memory).expect("the vectors are good");
    let exit = core.run(&mut memory, &mut NoMmio, 50_000_000);
    assert!(matches!(exit, Exit::Bkpt(0xab)), "stopped by {exit:?}");
    let data = memory.bytes()[DATA.start as usize..DATA.end as usize].to_vec();
    Ran {
        data,
        cycles: core.cycle,
        instructions: core.instructions,
    }
}

/// QEMU with the core that the images are for, without screen, keyboard or ports.
pub fn qemu_machine() -> Command {
    let mut command = Command::new("qemu-system-arm");
    command
        .args(["-M", "mps2-an386", "-cpu", "cortex-m4"])
        .args(["-nographic", "-monitor", "none", "-serial", "none"])
        .args(["-semihosting-config", "enable=on,target=native"])
        .stdin(Stdio::null());
    command
}

/// Runs the image in QEMU and returns the data that it left.
pub fn qemu(image: &[u8], folder: &Path) -> Vec<u8> {
    run_qemu(image, folder, &[])
}

/// The address of every instruction that QEMU executes in the image, in order.
pub fn qemu_trace(image: &[u8], folder: &Path) -> Vec<u32> {
    let trace = ["-singlestep", "-d", "exec,nochain", "-D", "trace.txt"];
    run_qemu(image, folder, &trace);
    let text = std::fs::read_to_string(folder.join("trace.txt")).expect("QEMU wrote a trace");
    // Trace 0: 0x7f5c6c000100 [00800400/00000100/00000110/ff021101]
    let address = |line: &str| {
        let (_, fields) = line.strip_prefix("Trace ")?.split_once('[')?;
        u32::from_str_radix(fields.split('/').nth(1)?, 16).ok()
    };
    text.lines().filter_map(address).collect()
}

fn run_qemu(image: &[u8], folder: &Path, options: &[&str]) -> Vec<u8> {
    let binary = folder.join("image.bin");
    std::fs::write(&binary, image).expect("the scratch folder is writable");
    let _ = std::fs::remove_file(folder.join("dump.bin"));
    let status = qemu_machine()
        .current_dir(folder)
        .args(["-device", "loader,file=image.bin,addr=0x0,force-raw=on"])
        .args(options)
        .status()
        .expect("QEMU starts");
    assert!(status.success(), "QEMU ended with {status}");
    std::fs::read(folder.join("dump.bin")).expect("the program dumped its data")
}
