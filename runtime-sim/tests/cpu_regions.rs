//! What the translator takes together: how often translated code is entered.

#[path = "cpu_support/mod.rs"]
mod support;

use runtime_sim::cpu::{BusError, Effects, Engine, Exit, IRQ0, Mmio, NoMmio, Ports, Size};
use support::{Bench, put};

const HANDLER: u32 = 0x800;
const DATA: u32 = 0x2000;
const WORDS: u32 = 64;
/// Enables interrupts 0 to 7, then sleeps between interrupts.
const MAIN: &[u16] = &[
    0xf24e, 0x1000, // movw r0, #0xe100
    0xf2ce, 0x0000, // movt r0, #0xe000
    0x21ff, 0x6001, // movs r1, #255; str r1, [r0]
    0xbf30, 0xe7fd, // wfi; b .-2
];

/// A program whose interrupts are handled by `handler`.
fn bench(handler: &[u16]) -> Bench {
    let mut bench = Bench::new(MAIN);
    bench.handler(IRQ0, HANDLER, handler);
    bench.core.set_engine(Engine::Auto);
    bench
}

/// Interrupts the program so many times.
fn interrupt<M: Mmio>(bench: &mut Bench, mmio: &mut M, times: u32) {
    for _ in 0..times {
        let limit = bench.core.cycle + 100_000;
        bench.core.set_irq_pending(0);
        let exit = bench.core.run(&mut bench.memory, mmio, limit);
        assert_eq!(exit, Exit::Wfi);
    }
}

/// A loop over words whose body has work only for those that are not zero: while all are, it
/// gets hot without that work.
#[test]
fn a_way_that_turns_up_late_joins_its_handler() {
    let mut bench = bench(&[
        0xf242, 0x0000, // movw r0, #0x2000
        0x2140, 0x2300, // movs r1, #64; movs r3, #0
        0x6802, 0xb112, // loop: ldr r2, [r0]; cbz r2, skip
        0x189b, // adds r3, r3, r2
        0xf8c0, 0x3400, // str r3, [r0, #0x400]
        0x3004, 0x3901, // skip: adds r0, #4; subs r1, #1
        0xd1f7, 0x4770, // bne loop; bx lr
    ]);
    assert_eq!(bench.run(), Exit::Wfi);
    interrupt(&mut bench, &mut NoMmio, 100);
    for i in (0..WORDS).step_by(2) {
        put(&mut bench.memory, DATA + 4 * i, &[i]);
    }
    interrupt(&mut bench, &mut NoMmio, 100);
    let (stays, instructions) = (bench.core.stays, bench.core.instructions);
    let translated = bench.core.translated;
    interrupt(&mut bench, &mut NoMmio, 100);
    let per_interrupt = (bench.core.stays - stays) as f64 / 100.0;
    assert!(per_interrupt <= 3.0, "{per_interrupt} stays an interrupt");
    let left = (bench.core.instructions - instructions) - (bench.core.translated - translated);
    assert!(left <= 500, "{left} instructions in 100 interrupts");
    assert_eq!(
        bench.word(DATA + 0x400 + 4 * 62),
        (0..WORDS).step_by(2).sum()
    );
}

/// Takes what is written, at one address.
#[derive(Default)]
struct Sink(Vec<(u32, u64)>);

impl Mmio for Sink {
    fn read(&mut self, _: u32, _: Size, _: u64) -> Result<u32, BusError> {
        Err(BusError::Unmapped)
    }

    fn write(&mut self, addr: u32, _: Size, value: u32, cycle: u64) -> Result<(), BusError> {
        match addr {
            0xe200_0000 => self.0.push((value, cycle)),
            _ => return Err(BusError::Unmapped),
        }
        Ok(())
    }
}

/// Stores to a device in a loop are executed without leaving it.
#[test]
fn devices_are_reached_without_leaving() {
    let mut bench = bench(&[
        0xf04f, 0x4062, // mov r0, #0xe2000000
        0x2140, // movs r1, #64
        0x6001, 0x3901, // loop: str r1, [r0]; subs r1, #1
        0xd1fc, 0x4770, // bne loop; bx lr
    ]);
    assert_eq!(bench.run(), Exit::Wfi);
    let mut sink = Sink::default();
    interrupt(&mut bench, &mut sink, 200);
    let stays = bench.core.stays;
    sink.0.clear();
    interrupt(&mut bench, &mut sink, 100);
    let per_interrupt = (bench.core.stays - stays) as f64 / 100.0;
    assert!(per_interrupt <= 3.0, "{per_interrupt} stays an interrupt");
    assert_eq!(sink.0.len(), 6400);
    let first: Vec<u32> = sink.0.iter().take(64).map(|w| w.0).collect();
    assert_eq!(first, (1..=64).rev().collect::<Vec<_>>());
    // str 1, subs 1, bne 1 and the refill.
    let apart = sink.0[1].1 - sink.0[0].1;
    let refill = u64::from(bench.core.costs().refill);
    assert_eq!(apart, 3 + refill);
}

const PORTS: Ports = Ports {
    status: 0xe200_0000,
    value: 1 << 31,
    queued: 0xe200_0004,
    wait: 2,
};

/// A device with ports, and one register that is none.
#[derive(Default)]
struct Sender {
    log: Vec<(u32, u32, u64)>,
    in_time: bool,
}

impl Mmio for Sender {
    fn read(&mut self, addr: u32, _: Size, _: u64) -> Result<u32, BusError> {
        match addr == PORTS.status {
            true => Ok(PORTS.value),
            false => Err(BusError::Unmapped),
        }
    }

    fn write(&mut self, addr: u32, _: Size, value: u32, cycle: u64) -> Result<(), BusError> {
        self.log.push((addr, value, cycle));
        Ok(())
    }

    fn effects(&mut self) -> Effects {
        Effects {
            wait: PORTS.wait,
            ..Effects::default()
        }
    }

    fn takes_late_writes(&self) -> bool {
        !self.in_time
    }
}

/// What is sent by so many interrupts whose handler sends 64 packets and then writes to
/// another register; the stays of the last hundred, and how it ended.
fn sent(engine: Engine, ports: Option<Ports>, in_time: bool) -> (Sender, u64, [u64; 3]) {
    let mut bench = bench(&[
        0xf04f, 0x4062, // mov r0, #0xe2000000
        0x2140, // movs r1, #64
        0x6802, 0x2a00, // loop: ldr r2, [r0]; cmp r2, #0
        0xd5fc, 0x6041, // bpl loop; str r1, [r0, #4]
        0x3901, 0xd1f9, // subs r1, #1; bne loop
        0x6081, 0x4770, // str r1, [r0, #8]; bx lr
    ]);
    bench.core.set_engine(engine);
    bench.core.set_ports(ports);
    assert_eq!(bench.run(), Exit::Wfi);
    let mut sender = Sender {
        in_time,
        ..Sender::default()
    };
    interrupt(&mut bench, &mut sender, 200);
    let stays = bench.core.stays;
    interrupt(&mut bench, &mut sender, 100);
    let core = &bench.core;
    let end = [core.cycle, core.instructions, core.regs[2].into()];
    (sender, core.stays - stays, end)
}

/// Packets are sent with the same values in the same cycles and in the same order with other
/// accesses, whether the region queues them or not, also where there are more than it queues.
#[test]
fn packets_are_sent_within_a_region() {
    let (expected, _, end) = sent(Engine::Interpreter, None, false);
    assert_eq!(expected.log.len(), 300 * 65);
    for (engine, ports, in_time) in [
        (Engine::Auto, Some(PORTS), false),
        (Engine::Auto, Some(PORTS), true),
        (Engine::Auto, None, false),
        (Engine::Translator, Some(PORTS), false),
    ] {
        let (sender, stays, ended) = sent(engine, ports, in_time);
        assert!(sender.log == expected.log, "{engine:?} {ports:?} {in_time}");
        assert_eq!(ended, end, "{engine:?} {ports:?} {in_time}");
        // The translator alone never sees where an instruction leads before it translates it.
        let known = engine == Engine::Auto;
        assert!(!known || stays <= 300, "{stays} stays in 100 interrupts");
    }
}
