//! A machine of PEs whose programs are a few kernels each: handlers that the start signal
//! and devices call, no populations.

use codegen::frame::{Reset, startup, vectors};
use codegen::kernels::Kernel;
use codegen::thumb::{self, MachineFunction, apply_reloc};
use ir::Target;
use ir::diag::Result;
use ir::geometry::{ChipCoord, GlobalPe, PeCoord};
use ir::image::{ChipImage, Coupling, ImageSet, PeImage, Program, Segment};
use runtime_sim::{Machine, RunReport, SampleResult, SampleRun};
use std::collections::BTreeMap;

/// Where data may begin: code lies below.
pub const DATA: u32 = 0x4000;
const STACK: u32 = 0x2_0000;
const STEP_US: u32 = 1000;

/// The program of one PE.
#[derive(Debug)]
pub struct PeProgram {
    pub pe: PeCoord,
    /// Interrupt lines and their handlers. `irq.start` begins the run.
    pub handlers: Vec<(u32, Kernel)>,
    /// What memory holds from these addresses on, ascending.
    pub data: Vec<(u32, Vec<u8>)>,
}

/// A PE of the only chip.
pub fn pe(x: u8, y: u8, p: u8) -> PeCoord {
    PeCoord::new(x, y, p).expect("in the byte")
}

fn image(target: &Target, program: PeProgram) -> PeImage {
    let options = thumb::Options {
        check_allocation: true,
        ..thumb::Options::default()
    };
    let reset = Reset { ring: None }.kernel(target);
    let mut kernels = vec![reset, startup::unexpected()];
    let mut lines = Vec::new();
    for (line, kernel) in program.handlers {
        lines.push((line, kernel.name().to_owned()));
        kernels.push(kernel);
    }
    let compile = |k: &Kernel| thumb::compile(k.function.clone(), &k.symbols, &options);
    let compiled: Vec<MachineFunction> = kernels
        .iter()
        .map(|k| compile(k).expect("the kernel compiles"))
        .collect();
    let mut at = 0x200;
    let mut places = BTreeMap::new();
    for f in &compiled {
        places.insert(f.name.clone(), at);
        at = (at + f.code.len() as u32).next_multiple_of(4);
    }
    assert!(at <= DATA, "the functions fit below the data");
    let mut text = vec![0; at as usize];
    for f in &compiled {
        let place = places[&f.name];
        let mut code = f.code.clone();
        for reloc in &f.relocs {
            apply_reloc(&mut code, reloc, place, places[&reloc.symbol]).expect("in range");
        }
        text[place as usize..place as usize + code.len()].copy_from_slice(&code);
    }
    let handlers: Vec<(u32, u32)> = lines
        .iter()
        .map(|(line, name)| (*line, places[name] | 1))
        .collect();
    let entry = places[Reset::SYMBOL] | 1;
    let table = vectors::table(STACK, entry, places["unexpected"] | 1, &handlers);
    text[..table.len()].copy_from_slice(&table);
    let mut segments = vec![Segment {
        name: "text".to_owned(),
        addr: 0,
        size: at,
        bytes: text,
        executable: true,
    }];
    for (addr, bytes) in program.data {
        segments.push(Segment {
            name: format!("data_{addr:x}"),
            addr,
            size: (bytes.len() as u32).next_multiple_of(4),
            bytes,
            executable: false,
        });
    }
    PeImage {
        pe: program.pe,
        entry,
        segments,
        symbols: Vec::new(),
    }
}

/// The programs as a compiled network.
pub fn images(target: &Target, coupling: Coupling, programs: Vec<PeProgram>) -> ImageSet {
    let mut pes: Vec<PeImage> = programs.into_iter().map(|p| image(target, p)).collect();
    pes.sort_by_key(|p| p.pe);
    ImageSet {
        name: "devices".to_owned(),
        target: target.name.clone(),
        time_step_us: STEP_US,
        machine: ir::machine::Machine::new(1, 1),
        chips: vec![ChipImage {
            chip: ChipCoord::default(),
            pes,
            routes: Vec::new(),
        }],
        program: Program {
            coupling,
            ticks_per_step: 1,
            ..Program::default()
        },
    }
}

/// Runs the programs for a tick's time.
pub fn run(target: &Target, images: &ImageSet) -> Result<(Machine, SampleResult, RunReport)> {
    let mut machine = Machine::load(images, target)?;
    let sample = SampleRun {
        ticks: 1,
        ..SampleRun::default()
    };
    let result = machine.run_sample(&sample)?;
    let results = std::slice::from_ref(&result);
    let report = RunReport::new(results, &images.program, target, STEP_US);
    Ok((machine, result, report))
}

/// Memory of a PE after a run.
pub fn memory(machine: &Machine, pe: PeCoord, addr: u32, n: usize) -> Vec<u8> {
    let place = GlobalPe {
        chip: ChipCoord::default(),
        pe,
    };
    let memory = machine.memory(place).expect("the PE has a program");
    memory[addr as usize..addr as usize + n].to_vec()
}

/// A word of it.
pub fn word(machine: &Machine, pe: PeCoord, addr: u32) -> u32 {
    let bytes = memory(machine, pe, addr, 4);
    u32::from_le_bytes(bytes.try_into().expect("four bytes"))
}
