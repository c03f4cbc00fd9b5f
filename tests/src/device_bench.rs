//! One PE with its devices and no machine around it: kernels that use drivers run here until
//! they end, and devices act when they are due.

use crate::bare::{self, DATA, SRAM};
use codegen::kernels::Kernel;
use ir::Target;
use ir::geometry::{ChipCoord, GlobalPe, PeCoord};
use ir::image::Coupling;
use runtime_sim::bus::Bus;
use runtime_sim::clock::{Clock, Level};
use runtime_sim::cpu::{Core, Costs, Effects, Exit, Memory};

/// The place of the PE, as COMMS.ID says it.
pub const IDENTITY: u32 = 0x0102_002d;

/// What a run leaves behind.
#[derive(Debug)]
pub struct Ran {
    data: Vec<u8>,
    pub cycles: u64,
    /// Core cycles that the core was awake.
    pub awake: u64,
    pub bus: Bus,
}

impl Ran {
    pub fn bytes(&self, addr: u32, n: usize) -> &[u8] {
        let at = (addr - DATA.start) as usize;
        &self.data[at..at + n]
    }
    pub fn word(&self, addr: u32) -> u32 {
        u32::from_le_bytes(self.bytes(addr, 4).try_into().expect("four bytes"))
    }
    pub fn words(&self, addr: u32, n: u32) -> Vec<u32> {
        (0..n).map(|k| self.word(addr + 4 * k)).collect()
    }
}

fn place() -> GlobalPe {
    GlobalPe {
        chip: ChipCoord { x: 1, y: 2 },
        pe: PeCoord::new(1, 3, 1).expect("in the byte"),
    }
}

fn apply(core: &mut Core, effects: Effects) {
    for line in 0..64 {
        if effects.raise >> line & 1 != 0 {
            core.set_irq_level(line, true);
        }
        if effects.lower >> line & 1 != 0 {
            core.set_irq_level(line, false);
        }
    }
}

/// Runs `kernel` with `args` on `data`, which starts at [`DATA`].
pub fn run(target: &Target, level: Level, kernel: Kernel, args: &[u32], data: &[u8]) -> Ran {
    let image = bare::image(&[kernel], args, data);
    let mut memory = Memory::new(SRAM as usize);
    memory.bytes_mut().copy_from_slice(&image);
    let mut core = Core::new(Costs::default());
    core.reset(&memory).expect("the vectors are good");
    let mut bus = Bus::new(target, place(), 0, 7, Coupling::None);
    bus.clock = Clock::new(target, level);
    let mut awake = 0;
    loop {
        let due = bus.due().unwrap_or(u64::MAX);
        if bus.clock.to_time(core.cycle) >= due {
            let effects = bus.expire(due, &mut memory);
            apply(&mut core, effects);
            continue;
        }
        if !core.can_run() {
            assert_ne!(due, u64::MAX, "the kernel sleeps and nothing wakes it");
            core.cycle = bus.clock.to_cycle(due);
            continue;
        }
        let before = core.cycle;
        let limit = bus.clock.to_cycle(due).min(1 << 40);
        let exit = core.run(&mut memory, &mut bus, limit);
        bus.service(&mut memory);
        awake += core.cycle - before;
        match exit {
            Exit::Bkpt(0xab) => break,
            Exit::Wfi | Exit::Wfe | Exit::Device => {}
            Exit::CycleLimit => assert!(core.cycle < 1 << 40, "the kernel never ends"),
            other => panic!("stopped by {other:?}"),
        }
    }
    Ran {
        data: memory.bytes()[DATA.start as usize..DATA.end as usize].to_vec(),
        cycles: core.cycle,
        awake,
        bus,
    }
}
