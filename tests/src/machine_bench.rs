//! Machines of a few PEs whose programs are kernels of a test: each PE starts one when the
//! host starts the machine, and handlers for the interrupts that the test names.

use codegen::devices::Packets;
use codegen::frame::vectors;
use codegen::kernels::{Addressing, Kernel, KernelBuilder, build};
use codegen::thumb::{self, MachineFunction, apply_reloc};
use ir::Target;
use ir::geometry::{ChipCoord, GlobalPe, PeCoord};
use ir::image::{ChipImage, Coupling, ImageSet, PeImage, Program, Segment, Symbol, SymbolKind};
use ir::key::KeyMask;
use ir::machine::Machine as Topology;
use ir::routing::{RoutingEntry, Targets};
use runtime_sim::{Machine, SampleResult, SampleRun};
use std::collections::BTreeMap;

/// Where a test's data may be; the stack is above.
pub const DATA: std::ops::Range<u32> = 0x8000..0x1_f000;

/// The program of one PE.
#[derive(Clone, Debug)]
pub struct Guest {
    pub pe: PeCoord,
    /// What runs when the host starts the machine, then handlers by interrupt line, then
    /// what they call.
    pub kernels: Vec<Kernel>,
    /// Interrupt line and name of its handler.
    pub interrupts: Vec<(u32, &'static str)>,
    /// Contents from `DATA.start` on.
    pub data: Vec<u8>,
}

/// Takes the packet that waits and notes six words of it at `at`: its first word, four of
/// payload, and its key.
pub fn note_packet(kb: &mut KernelBuilder<'_>, packets: &Packets, at: u32) {
    let first = packets.first(kb);
    kb.store_at(first, at);
    for n in 0..4 {
        let word = packets.word(kb, n);
        kb.store_at(word, at + 4 + 4 * n);
    }
    let key = packets.take(kb);
    kb.store_at(key, at + 20);
}

/// A PE of chip (0, 0).
pub fn pe(x: u8, y: u8, p: u8) -> PeCoord {
    PeCoord::new(x, y, p).expect("in the byte")
}

pub fn place(pe: PeCoord) -> GlobalPe {
    GlobalPe {
        chip: ChipCoord::default(),
        pe,
    }
}

/// `reset()`: enables the lines and sleeps for ever.
fn reset(lines: &[u32]) -> Kernel {
    const NVIC_ISER: u32 = 0xE000_E100;
    build("reset", 0, Addressing::Guest, |kb, _| {
        let mut words: BTreeMap<u32, u32> = BTreeMap::new();
        for line in lines {
            *words.entry(line / 32).or_default() |= 1 << (line % 32);
        }
        for (word, bits) in words {
            let base = kb.int(NVIC_ISER);
            let bits = kb.int(bits);
            kb.write_device(bits, base, 4 * word);
        }
        let sleep = kb.block();
        kb.jump(sleep, &[]);
        kb.enter(sleep);
        kb.call("s2_wfi", &[]);
        kb.jump(sleep, &[]);
        let end = kb.block();
        kb.enter(end);
    })
}

impl Guest {
    /// A PE that runs `main` when it is started.
    pub fn new(pe: PeCoord, main: Kernel) -> Self {
        Self {
            pe,
            kernels: vec![main],
            interrupts: Vec::new(),
            data: Vec::new(),
        }
    }

    pub fn with_data(mut self, data: Vec<u8>) -> Self {
        self.data = data;
        self
    }

    /// `kernel` handles interrupt `line`.
    pub fn on(mut self, line: u32, name: &'static str, kernel: Kernel) -> Self {
        self.interrupts.push((line, name));
        self.kernels.push(kernel);
        self
    }

    fn image(&self, target: &Target) -> PeImage {
        let main = self.kernels[0].name().to_owned();
        let lines: Vec<u32> = self.interrupts.iter().map(|i| i.0).collect();
        let all_lines: Vec<u32> = lines.iter().copied().chain([target.irq.start]).collect();
        let options = thumb::Options {
            check_allocation: true,
            ..thumb::Options::default()
        };
        let unexpected = codegen::frame::startup::unexpected();
        let kernels = [reset(&all_lines), unexpected];
        let functions: Vec<MachineFunction> = kernels
            .iter()
            .chain(&self.kernels)
            .map(|k| thumb::compile(k.function.clone(), &k.symbols, &options).expect("it compiles"))
            .collect();
        let last = all_lines.iter().copied().max().unwrap_or(0);
        let mut at = vectors::table_bytes(last).next_multiple_of(16);
        let text = at;
        let mut places = BTreeMap::new();
        for f in &functions {
            places.insert(f.name.clone(), at);
            at = (at + f.code.len() as u32).next_multiple_of(4);
        }
        assert!(at <= DATA.start, "the functions fit below the data");
        let mut code = vec![0; (at - text) as usize];
        let mut symbols = Vec::new();
        for f in &functions {
            let place = places[&f.name];
            let mut bytes = f.code.clone();
            for reloc in &f.relocs {
                apply_reloc(&mut bytes, reloc, place, places[&reloc.symbol]).expect("in range");
            }
            let from = (place - text) as usize;
            code[from..from + bytes.len()].copy_from_slice(&bytes);
            symbols.push(Symbol {
                name: f.name.clone(),
                addr: place,
                size: bytes.len() as u32,
                kind: SymbolKind::Function,
            });
        }
        let handlers: Vec<(u32, u32)> = self
            .interrupts
            .iter()
            .map(|(line, name)| (*line, places[*name] | 1))
            .chain([(target.irq.start, places[&main] | 1)])
            .collect();
        let (entry, unexpected) = (places["reset"] | 1, places["unexpected"] | 1);
        let table = vectors::table(target.memory.sram_bytes, entry, unexpected, &handlers);
        let segment = |name: &str, addr, bytes: Vec<u8>, size| Segment {
            name: name.to_owned(),
            addr,
            bytes,
            size,
            executable: name == "text",
        };
        let data_size = DATA.end - DATA.start;
        PeImage {
            pe: self.pe,
            entry,
            segments: vec![
                segment("vectors", 0, table, text),
                segment("text", text, code, at - text),
                segment("data", DATA.start, self.data.clone(), data_size),
            ],
            symbols,
        }
    }
}

/// A route of all keys of `key` to one PE.
pub fn route(key: u32, to: PeCoord) -> RoutingEntry {
    RoutingEntry {
        key: KeyMask::new(key, u32::MAX).expect("inside the mask"),
        targets: Targets {
            links: Default::default(),
            pes: [to].into(),
        },
        nets: Vec::new(),
    }
}

/// A machine of one chip.
pub fn images(target: &Target, coupling: Coupling, guests: &[Guest]) -> ImageSet {
    let chips = [(ChipCoord::default(), guests.to_vec())];
    images_on(target, coupling, &Topology::new(1, 1), &chips)
}

/// A machine of chips, which ascend, with these guests and without routes.
pub fn images_on(
    target: &Target,
    coupling: Coupling,
    machine: &Topology,
    chips: &[(ChipCoord, Vec<Guest>)],
) -> ImageSet {
    let chip = |(chip, guests): &(ChipCoord, Vec<Guest>)| {
        let mut pes: Vec<PeImage> = guests.iter().map(|g| g.image(target)).collect();
        pes.sort_by_key(|p| p.pe);
        ChipImage {
            chip: *chip,
            pes,
            routes: Vec::<RoutingEntry>::new(),
        }
    };
    ImageSet {
        name: "bench".to_owned(),
        target: target.name.clone(),
        time_step_us: 1000,
        machine: machine.clone(),
        chips: chips.iter().map(chip).collect(),
        program: Program {
            coupling,
            ticks_per_step: 1,
            ..Program::default()
        },
    }
}

/// A machine that has run.
#[derive(Debug)]
pub struct Ran {
    pub machine: Machine,
    pub result: SampleResult,
}

/// Runs the guests until all of them sleep.
pub fn run(target: &Target, coupling: Coupling, guests: &[Guest]) -> Ran {
    run_images(target, &images(target, coupling, guests))
}

/// The same for a machine.
pub fn run_images(target: &Target, images: &ImageSet) -> Ran {
    let mut machine = Machine::load(images, target).expect("the images load");
    let result = machine.run_sample(&sample()).expect("the guests run");
    Ran { machine, result }
}

pub fn sample() -> SampleRun {
    SampleRun {
        ticks: 60,
        ..SampleRun::default()
    }
}

impl Ran {
    /// A word of a PE of any chip.
    pub fn word_at(&self, pe: GlobalPe, addr: u32) -> u32 {
        let memory = self.machine.memory(pe).expect("it has a program");
        let bytes = &memory[addr as usize..addr as usize + 4];
        u32::from_le_bytes(bytes.try_into().expect("four bytes"))
    }
    pub fn stats_at(&self, pe: GlobalPe) -> &runtime_sim::report::PeStats {
        let found = self.result.pes.iter().find(|s| s.pe == pe);
        found.expect("it has a program")
    }
    pub fn bytes(&self, pe: PeCoord, addr: u32, n: usize) -> &[u8] {
        let memory = self.machine.memory(place(pe)).expect("it has a program");
        &memory[addr as usize..addr as usize + n]
    }
    pub fn word(&self, pe: PeCoord, addr: u32) -> u32 {
        u32::from_le_bytes(self.bytes(pe, addr, 4).try_into().expect("four bytes"))
    }
    pub fn stats(&self, pe: PeCoord) -> &runtime_sim::report::PeStats {
        let all = self.result.pes.iter();
        all.into_iter()
            .find(|s| s.pe == place(pe))
            .expect("it has a program")
    }
}
