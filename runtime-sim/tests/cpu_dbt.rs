//! The translator against the interpreter: the same programs, the same limits, the
//! same interrupts; everything that can be observed must be equal all the time.

#[path = "cpu_qemu/patterns.rs"]
#[allow(dead_code)]
mod patterns;
#[path = "cpu_dbt/program.rs"]
mod program;
#[path = "cpu_support/mod.rs"]
mod support;

use program::{CODE, DATA, DEVICE, HANDLER, MEMORY, Program, Rng, STACK, random};
use runtime_sim::cpu::{BusError, Core, Costs, Effects, Engine, Exit, Memory, Mmio, Ports, Size};

/// The eager engine seldom knows in time which instructions lead to ports: what it does with
/// them is mostly to leave. `cpu_regions` tests packets that are queued.
const PORTS: Ports = Ports {
    status: DEVICE + 12,
    value: 0x8000_0001,
    queued: DEVICE + 16,
    wait: 2,
};

/// Notes every access, and answers by a hash of all of them; but for those to ports.
#[derive(Clone, Default)]
struct Device {
    log: Vec<(u32, u32, u64)>,
    hash: u64,
    effects: Effects,
}

impl Device {
    fn note(&mut self, addr: u32, value: u32, cycle: u64) {
        self.log.push((addr, value, cycle));
        for part in [u64::from(addr), u64::from(value), cycle] {
            self.hash = (self.hash ^ part)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(23);
        }
        self.effects.wait = (self.hash >> 60) as u32 & 3;
        if self.hash >> 40 & 7 == 0 {
            self.effects.raise = 1 << (self.hash >> 50 & 3);
            self.effects.lower = self.effects.raise;
        }
        self.effects.stop = self.hash >> 30 & 15 == 0;
    }
}

impl Mmio for Device {
    fn read(&mut self, addr: u32, _: Size, cycle: u64) -> Result<u32, BusError> {
        if addr >> 16 != DEVICE >> 16 {
            return Err(BusError::Unmapped);
        }
        if addr == PORTS.status {
            self.effects.wait = PORTS.wait;
            return Ok(PORTS.value);
        }
        self.note(addr, 0, cycle);
        Ok(self.hash as u32)
    }

    fn write(&mut self, addr: u32, _: Size, value: u32, cycle: u64) -> Result<(), BusError> {
        if addr >> 16 != DEVICE >> 16 {
            return Err(BusError::Unmapped);
        }
        if addr == PORTS.queued {
            self.log.push((addr, value, cycle));
            self.effects.wait = PORTS.wait;
            return Ok(());
        }
        self.note(addr, value, cycle);
        Ok(())
    }

    fn effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    fn takes_late_writes(&self) -> bool {
        self.hash >> 5 & 3 != 0
    }
}

struct Machine {
    core: Core,
    memory: Memory,
    device: Device,
}

fn bytes(halves: &[u16]) -> Vec<u8> {
    halves.iter().flat_map(|h| h.to_le_bytes()).collect()
}

const FLOATS: &[u32] = &[
    0,
    0x8000_0000,
    0x3f80_0000,
    0xbf80_0000,
    0x7f80_0000,
    0x7fc0_0000,
    0x7f80_0001,
    1,
    0x8000_0001,
    0x0080_0000,
    0x7f7f_ffff,
    0x3f00_0000,
    0x4020_0000,
    0x4f00_0000,
    0x4b80_0001,
    0x3dcc_cccd,
];

impl Machine {
    fn new(program: &Program, engine: Engine, seed: u64, costs: &Costs) -> Machine {
        let mut memory = Memory::new(MEMORY);
        let mut put = |at: u32, data: &[u8]| memory.write(at, data).expect("fits");
        put(0, &STACK.to_le_bytes());
        for vector in 1..32_u32 {
            let to = if vector == 1 { CODE } else { HANDLER };
            put(4 * vector, &(to | 1).to_le_bytes());
        }
        put(CODE, &bytes(&program.code));
        put(HANDLER, &bytes(&program.handler));
        let mut rng = Rng::new(seed ^ 77);
        for i in 0..1024 {
            let word = match rng.below(3) {
                0 => rng.next(),
                1 => rng.pick(FLOATS),
                _ => rng.next() & 0x807f_ffff | (118 + rng.below(20)) << 23,
            };
            put(DATA + 4 * i, &word.to_le_bytes());
        }
        let mut core = Core::new(costs.clone());
        core.set_engine(engine);
        core.set_ports(Some(PORTS));
        core.reset(&memory).expect("vectors");
        for s in &mut core.fregs {
            *s = if rng.chance(30) {
                rng.pick(FLOATS)
            } else {
                rng.next() & 0x807f_ffff | (120 + rng.below(16)) << 23
            };
        }
        if rng.chance(70) {
            core.fpu.fpscr = 0x10;
        }
        Machine {
            core,
            memory,
            device: Device::default(),
        }
    }

    fn state(&self) -> String {
        let c = &self.core;
        format!(
            "pc {:#x} cycle {} instructions {} exception {} msp {:#x} psp {:#x} pending {:#x}\n\
             regs {:x?}\nflags {:?} fpscr {:#x}\nfregs {:x?}\nlast accesses {:x?}",
            c.pc,
            c.cycle,
            c.instructions,
            c.exception(),
            c.msp(),
            c.psp(),
            c.irq_pending(),
            c.regs,
            c.flags,
            c.fpu.fpscr,
            c.fregs,
            self.device.log.iter().rev().take(3).collect::<Vec<_>>()
        )
    }
}

/// Runs `program` both ways to its end or for some time. Gives the instructions.
fn compare(program: &Program, seed: u64, costs: &Costs) -> u64 {
    let mut reference = Machine::new(program, Engine::Interpreter, seed, costs);
    let mut translated = Machine::new(program, Engine::Translator, seed, costs);
    let mut rng = Rng::new(seed ^ 5);
    let mut limit = 0;
    let step = rng.pick(&[20, 300, 5000, 100_000]);
    for round in 0..3000 {
        limit += 1 + u64::from(rng.below(step));
        let irq = rng.chance(10).then(|| rng.below(4) as u8);
        let exits = [&mut reference, &mut translated].map(|m| {
            if let Some(line) = irq {
                m.core.set_irq_pending(line);
            }
            m.core.run(&mut m.memory, &mut m.device, limit)
        });
        let (a, b) = (reference.state(), translated.state());
        assert!(
            exits[0] == exits[1] && a == b,
            "seed {seed}, round {round}, limit {limit}, {:?}\ninterpreter: {:?}\n{a}\n\
             translator: {:?}\n{b}",
            program.style,
            exits[0],
            exits[1],
        );
        let end = !matches!(exits[0], Exit::CycleLimit | Exit::Device);
        if end || round % 64 == 0 {
            let differs = |(a, b): (&u8, &u8)| a != b;
            let at = reference
                .memory
                .bytes()
                .iter()
                .zip(translated.memory.bytes())
                .position(differs);
            assert_eq!(at, None, "seed {seed}, round {round}: memory differs");
            assert_eq!(reference.device.log, translated.device.log, "seed {seed}");
        }
        if end || limit > 300_000 {
            break;
        }
    }
    let (regions, _, failed) = translated.core.translations().size();
    assert!(failed == 0, "seed {seed}: {failed} regions did not compile");
    assert!(regions > 0, "seed {seed}: nothing was translated");
    reference.core.instructions
}

fn costs(rng: &mut Rng) -> Costs {
    let mut costs = Costs::default();
    if rng.chance(50) {
        costs.it_folds = rng.chance(50);
        costs.refill = 1 + rng.below(3) as u8;
        costs.load = 1 + rng.below(3) as u8;
        costs.address_stall = rng.below(3) as u8;
        costs.fpu_stall = rng.below(3) as u8;
        costs.skipped = 1 + rng.below(2) as u8;
        costs.unaligned = rng.below(4) as u8;
        costs.lazy_fp_context = rng.chance(50);
    }
    costs
}

fn run(seeds: std::ops::Range<u64>) {
    let mut instructions = 0;
    for seed in seeds {
        let mut rng = Rng::new(seed);
        let program = random(&mut rng);
        let costs = costs(&mut rng);
        instructions += compare(&program, seed, &costs);
    }
    assert!(
        instructions > 100_000,
        "too little was executed: {instructions}"
    );
}

#[test]
fn random_programs_are_alike() {
    let count = std::env::var("S2C_DBT_PROGRAMS")
        .ok()
        .and_then(|n| n.parse().ok());
    run(0..count.unwrap_or(1000));
}

/// Distances from a register that reach 2^31: the word behind the last one of SRAM must not
/// pass as a neighbour of the last.
#[test]
fn accesses_far_from_their_base_are_checked() {
    let code = [
        0xf100,
        0x41fe, // add r1, r0, #0x7f000000
        0xf501,
        0x017f, // add r1, r1, #0xff0000
        0xf501,
        0x417f, // add r1, r1, #0xff00
        0xf101,
        0x01f8, // add r1, r1, #0xf8
        0x680a, // ldr r2, [r1]
        0x684b, // ldr r3, [r1, #4]
        support::END,
    ];
    for engine in [Engine::Interpreter, Engine::Translator] {
        let mut bench = support::Bench::new(&code);
        let end = bench.memory.size() as u32;
        support::put(&mut bench.memory, end - 4, &[0x1234_5678]);
        bench.core.set_engine(engine);
        bench.core.regs[0] = (end - 4).wrapping_sub(0x7fff_fff8);
        bench.core.regs[3] = 7;
        bench.fault();
        assert_eq!(
            bench.core.regs[1..4],
            [end - 4, 0x1234_5678, 7],
            "{engine:?}"
        );
    }
}
