//! Exceptions, interrupts, sleep.

#[path = "cpu_support/mod.rs"]
mod support;

use runtime_sim::cpu::{BusError, Effects, Exit, FaultKind, IRQ0, Mmio, NoMmio, SVCALL, Size};
use support::{Bench, CODE, END, FPU_ON, STACK};

const WFI: u16 = 0xbf30;
const BX_LR: u16 = 0x4770;
const CPSID_I: u16 = 0xb672;
const CPSIE_I: u16 = 0xb662;
/// Where handlers are put.
const HANDLER: u32 = 0x800;
const OTHER: u32 = 0x900;
/// Enables interrupts 0 to 7; clobbers R0 and R1.
const ENABLE: &[u16] = &[
    0xf24e, 0x1000, // movw r0, #0xe100
    0xf2ce, 0x0000, // movt r0, #0xe000
    0x21ff, 0x6001, // movs r1, #255; str r1, [r0]
];

fn with(parts: &[&[u16]]) -> Vec<u16> {
    parts.concat()
}

#[test]
fn wfi_sleeps_until_an_enabled_interrupt() {
    let mut bench = Bench::new(&with(&[ENABLE, &[WFI, 0x2207, END]]));
    bench.handler(IRQ0 + 3, HANDLER, &[0x3601, BX_LR]); // adds r6, #1
    assert_eq!(bench.run(), Exit::Wfi);
    let asleep = bench.core.cycle;
    bench.core.set_irq_pending(9);
    assert_eq!(bench.run(), Exit::Wfi, "not enabled");
    assert_eq!(bench.core.cycle, asleep, "sleeping takes no time by itself");
    // The scheduler moves the clock, then wakes the core.
    bench.core.cycle = 5000;
    bench.core.set_irq_pending(3);
    bench.finish();
    assert_eq!(bench.core.regs[6], 1);
    assert_eq!(bench.core.regs[2], 7);
    // entry 12, adds 1, bx 3, exit 10, movs 1, bkpt 1
    assert_eq!(bench.core.cycle, 5000 + 12 + 1 + 3 + 10 + 1 + 1);
}

#[test]
fn wfi_wakes_under_primask_without_entering() {
    let mut bench = Bench::new(&with(&[
        ENABLE,
        &[CPSID_I, WFI, 0x2207, CPSIE_I, 0x2208, END],
    ]));
    bench.handler(IRQ0, HANDLER, &[0x4616, BX_LR]); // mov r6, r2
    assert_eq!(bench.run(), Exit::Wfi);
    bench.core.set_irq_pending(0);
    bench.finish();
    assert_eq!(bench.core.regs[6], 7, "taken right after CPSIE");
    assert_eq!(bench.core.regs[2], 8);
}

#[test]
fn frame_is_the_manuals() {
    // Misalign the stack by one word: the frame is padded and bit 9 tells.
    let code = with(&[ENABLE, &[0xb081, WFI, END]]); // sub sp, #4
    let mut bench = Bench::new(&code);
    bench.handler(IRQ0 + 1, HANDLER, &[END, BX_LR]);
    bench.core.regs[2] = 22;
    bench.core.regs[12] = 1212;
    assert_eq!(bench.run(), Exit::Wfi);
    bench.core.flags.c = true;
    bench.core.set_irq_pending(1);
    bench.finish();
    let sp = bench.core.regs[13];
    assert_eq!(sp, STACK - 4 - 4 - 32);
    assert_eq!(bench.core.regs[14], 0xffff_fff9);
    assert_eq!(bench.core.exception(), IRQ0 + 1);
    let frame: Vec<u32> = (0..8).map(|i| bench.word(sp + 4 * i)).collect();
    let back = CODE + 2 * (code.len() as u32 - 1);
    let xpsr = 1 << 29 | 1 << 24 | 1 << 9;
    assert_eq!(
        frame,
        [0xe000_e100, 255, 22, frame[3], 1212, u32::MAX, back, xpsr]
    );
    bench.finish();
    assert_eq!(bench.core.regs[13], STACK - 4);
    assert!(bench.core.flags.c);
    assert_eq!(bench.core.exception(), 0);
}

#[test]
fn interrupted_it_block_continues() {
    // itttt al-like block on Z: the interrupt arrives inside.
    // movs r2, #0; ittt eq; str r1, [r0, #0x100] pends IRQ0; addeq r2, #1; addeq r2, #1
    let code = with(&[
        ENABLE,
        &[0x2101, 0x2200, 0xbf02, 0xf8c0, 0x1100, 0x3201, 0x3202, END],
    ]);
    let mut bench = Bench::new(&code);
    bench.handler(IRQ0, HANDLER, &[0x2701, 0x0016, BX_LR]); // movs r7, #1; movs r6, r2
    bench.finish();
    assert_eq!(bench.core.regs[7], 1);
    assert_eq!(bench.core.regs[6], 0, "taken inside the block");
    assert_eq!(bench.core.regs[2], 3, "the rest of the block was executed");
}

#[test]
fn priorities_nest_and_tail_chain() {
    // IRQ1 at priority 0 interrupts IRQ2 at priority 0x40; IRQ3 at 0x40 waits.
    let prio: &[u16] = &[
        0xf24e, 0x4000, 0xf2ce, 0x0000, // r0 = 0xe000e400
        0x2140, 0x7081, 0x70c1, // movs r1, #0x40; strb r1, [r0, #2]; strb r1, [r0, #3]
    ];
    let mut bench = Bench::new(&with(&[ENABLE, prio, &[WFI, END]]));
    // IRQ2: pend 1 and 3 by ISPR, then log.
    bench.handler(
        IRQ0 + 2,
        HANDLER,
        &[
            0xf24e, 0x2000, 0xf2ce, 0x0000, // r0 = 0xe000e200
            0x210a, 0x6001, // movs r1, #0b1010; str r1, [r0]
            0x0224, 0x3402, BX_LR, // r4 = r4 << 8 | 2
        ],
    );
    bench.handler(IRQ0 + 1, OTHER, &[0x0224, 0x3401, BX_LR]);
    bench.handler(IRQ0 + 3, 0xa00, &[0x0224, 0x3403, BX_LR]);
    assert_eq!(bench.run(), Exit::Wfi);
    bench.core.set_irq_pending(2);
    bench.finish();
    assert_eq!(bench.core.regs[4], 0x0001_0203);
    assert_eq!(bench.core.regs[13], STACK);
}

#[test]
fn a_level_repeats_until_it_falls() {
    let mut bench = Bench::new(&with(&[ENABLE, &[WFI, END]]));
    bench.handler(IRQ0 + 4, HANDLER, &[0x3601, END, BX_LR]);
    assert_eq!(bench.run(), Exit::Wfi);
    bench.core.set_irq_level(4, true);
    bench.finish();
    bench.finish();
    assert_eq!(bench.core.regs[6], 2, "still high: taken again");
    bench.core.set_irq_level(4, false);
    bench.finish();
    assert_eq!(bench.core.regs[6], 2);
    assert_eq!(bench.core.exception(), 0);
}

#[test]
fn basepri_masks() {
    // movs r0, #0x20; msr basepri, r0
    let mask: &[u16] = &[0x2020, 0xf380, 0x8811];
    let prio: &[u16] = &[0xf24e, 0x4000, 0xf2ce, 0x0000, 0x2120, 0x7001];
    let unmask: &[u16] = &[0x2000, 0xf380, 0x8811];
    let mut bench = Bench::new(&with(&[ENABLE, prio, mask, &[END], unmask, &[0x2207, END]]));
    bench.handler(IRQ0, HANDLER, &[0x3601, 0x4614, BX_LR]); // r6 += 1; mov r4, r2
    bench.finish();
    bench.core.set_irq_pending(0);
    bench.finish();
    assert_eq!((bench.core.regs[6], bench.core.regs[4]), (1, 0));
}

#[test]
fn svc_is_vectored_and_returns() {
    let mut bench = Bench::new(&[0xdf2a, 0x2207, END]);
    // ldr r0, [sp, #24] = return address; ldrb r5, [r0, #-2] = the SVC number
    bench.handler(SVCALL, HANDLER, &[0x9806, 0xf810, 0x5c02, BX_LR]);
    bench.finish();
    assert_eq!((bench.core.regs[5], bench.core.regs[2]), (0x2a, 7));
}

#[test]
fn masked_svc_is_a_fault() {
    let mut bench = Bench::new(&[CPSID_I, 0xdf00]);
    assert_eq!(bench.fault().kind, FaultKind::SvcMasked);
}

#[test]
fn process_stack() {
    // msr psp, r6; movs r0, #2; msr control, r0; wfi
    let code = with(&[ENABLE, &[0xf386, 0x8809, 0x2002, 0xf380, 0x8814, WFI, END]]);
    let mut bench = Bench::new(&code);
    bench.core.regs[6] = 0x9000;
    bench.handler(IRQ0, HANDLER, &[END, BX_LR]);
    assert_eq!(bench.run(), Exit::Wfi);
    assert_eq!(bench.core.regs[13], 0x9000);
    bench.core.set_irq_pending(0);
    bench.finish();
    assert_eq!(bench.core.regs[14], 0xffff_fffd);
    assert_eq!(bench.core.regs[13], STACK, "handlers use the main stack");
    assert_eq!(bench.core.psp(), 0x9000 - 32);
    bench.finish();
    assert_eq!(bench.core.regs[13], 0x9000);
}

/// A thread that uses the FPU is interrupted by a handler that does, or does not.
fn fp_context(handler: &[u16], lazy: bool) -> Bench {
    let costs = runtime_sim::cpu::Costs {
        lazy_fp_context: lazy,
        ..Default::default()
    };
    // vmov.f32 s0, #1.0; wfi
    let code = with(&[FPU_ON, ENABLE, &[0xeeb7, 0x0a00, WFI, END]]);
    let mut bench = Bench::with_costs(&code, costs);
    bench.handler(IRQ0, HANDLER, handler);
    assert_eq!(bench.run(), Exit::Wfi);
    bench.core.set_irq_pending(0);
    bench
}

#[test]
fn fp_context_is_stacked_lazily() {
    let one = 1.0_f32.to_bits();
    // vmov.f32 s0, #2.0
    let uses: &[u16] = &[0xeeb0, 0x0a00, END, BX_LR];
    for lazy in [true, false] {
        let mut bench = fp_context(uses, lazy);
        bench.finish();
        assert_eq!(bench.core.regs[14], 0xffff_ffe9);
        assert_eq!(bench.core.regs[13], STACK - 0x68);
        assert_eq!(bench.word(STACK - 0x68 + 0x20), one, "S0 of the thread");
        assert_eq!(bench.core.fregs[0], 2.0_f32.to_bits());
        bench.finish();
        assert_eq!(bench.core.fregs[0], one);
        assert_eq!(bench.core.regs[13], STACK);
    }
    let idle: &[u16] = &[END, BX_LR];
    let mut bench = fp_context(idle, true);
    bench.finish();
    assert_eq!(bench.word(STACK - 0x68 + 0x20), 0, "nothing stored");
    bench.finish();
    assert_eq!(bench.core.fregs[0], one);
    let cycles = |lazy| {
        let mut bench = fp_context(idle, lazy);
        let before = bench.core.cycle;
        bench.finish();
        bench.finish();
        bench.core.cycle - before
    };
    assert_eq!(cycles(false) - cycles(true), 2 * 18);
}

#[test]
fn wrong_exception_returns_are_faults() {
    // In thread mode the value is just an address.
    let mut bench = Bench::new(&[0x4770]);
    bench.core.regs[14] = 0xffff_fff9;
    assert_eq!(bench.fault().kind, FaultKind::Fetch);
    // To handler mode although nothing else is active.
    let mut bench = Bench::new(&with(&[ENABLE, &[WFI]]));
    // mvn r0, #14 = 0xfffffff1; bx r0
    bench.handler(IRQ0, HANDLER, &[0xf06f, 0x000e, 0x4700]);
    assert_eq!(bench.run(), Exit::Wfi);
    bench.core.set_irq_pending(0);
    let fault = bench.fault();
    assert_eq!(fault.kind, FaultKind::ExceptionReturn);
    assert_eq!((fault.pc, fault.address), (HANDLER + 4, Some(0xffff_fff1)));
}

#[test]
fn wfe_and_events() {
    let mut bench = Bench::new(&[0xbf40, 0xbf20, 0xbf20, 0x2207, END]); // sev; wfe; wfe
    assert_eq!(bench.run(), Exit::Wfe);
    assert_eq!(bench.core.instructions, 3);
    assert_eq!(bench.run(), Exit::Wfe);
    bench.core.send_event();
    bench.finish();
    assert_eq!(bench.core.regs[2], 7);
}

#[test]
fn sleep_on_exit() {
    // SCR.SLEEPONEXIT
    let scr: &[u16] = &[0xf64e, 0x5010, 0xf2ce, 0x0000, 0x2102, 0x6001];
    let mut bench = Bench::new(&with(&[ENABLE, scr, &[WFI, END]]));
    bench.handler(IRQ0, HANDLER, &[0x3601, BX_LR]);
    assert_eq!(bench.run(), Exit::Wfi);
    for count in 1..4 {
        bench.core.set_irq_pending(0);
        assert_eq!(bench.run(), Exit::Wfi);
        assert_eq!(bench.core.regs[6], count);
    }
}

/// One device register that pulses line 2 when written and asks to stop when read.
struct Device {
    effects: Effects,
    log: Vec<(u32, u32, u64)>,
}

impl Mmio for Device {
    fn read(&mut self, addr: u32, _: Size, cycle: u64) -> Result<u32, BusError> {
        self.log.push((addr, 0, cycle));
        self.effects = Effects {
            stop: true,
            wait: 7,
            ..Effects::default()
        };
        Ok(0xdead_beef)
    }

    fn write(&mut self, addr: u32, _: Size, value: u32, cycle: u64) -> Result<(), BusError> {
        self.log.push((addr, value, cycle));
        self.effects = Effects {
            raise: 1 << 2,
            lower: 1 << 2,
            ..Effects::default()
        };
        Ok(())
    }

    fn effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }
}

#[test]
fn devices_interrupt_stop_and_wait() {
    let code = with(&[ENABLE, &[0xf04f, 0x4061, 0x6001, 0x2207, 0x6804, END]]);
    let mut bench = Bench::new(&code);
    bench.handler(IRQ0 + 2, HANDLER, &[0x4616, 0x3601, BX_LR]); // r6 = r2 + 1
    let mut device = Device {
        effects: Effects::default(),
        log: Vec::new(),
    };
    let Bench { core, memory } = &mut bench;
    assert_eq!(core.run(memory, &mut device, 1000), Exit::Device);
    assert_eq!(core.regs[6], 1, "taken before the next instruction");
    assert_eq!(core.regs[4], 0xdead_beef);
    assert_eq!(device.log[0], (0xe100_0000, 255, 7));
    let read_at = device.log[1].2;
    assert_eq!(core.cycle, read_at + 7);
    assert_eq!(core.run(memory, &mut NoMmio, 1000), Exit::Bkpt(0));
}

#[test]
fn limit_and_snapshot() {
    let mut bench = Bench::new(&[0x3001, 0xe7fd]); // adds r0, #1; b .-2
    let exit = bench.core.run(&mut bench.memory, &mut NoMmio, 100);
    assert_eq!(exit, Exit::CycleLimit);
    let mut copy = (bench.core.clone(), bench.memory.clone());
    let first = bench.core.run(&mut bench.memory, &mut NoMmio, 1000);
    let second = copy.0.run(&mut copy.1, &mut NoMmio, 1000);
    assert_eq!(first, second);
    assert_eq!(bench.core.regs, copy.0.regs);
    assert_eq!(bench.core.cycle, copy.0.cycle);
}

#[test]
fn reset_request() {
    // AIRCR = 0x05fa0004
    let code: &[u16] = &[
        0xf64e, 0x500c, 0xf2ce, 0x0000, 0xf240, 0x0104, 0xf2c0, 0x51fa, 0x6001,
    ];
    assert_eq!(Bench::new(code).run(), Exit::ResetRequest);
}
