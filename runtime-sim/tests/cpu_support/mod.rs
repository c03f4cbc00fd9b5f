//! A bare core with a program, for tests that spell out their instructions.

#![allow(dead_code)]

use runtime_sim::cpu::{Core, Costs, Exit, Fault, Memory, NoMmio};

/// Where programs are loaded.
pub(crate) const CODE: u32 = 0x400;
/// Initial stack pointer.
pub(crate) const STACK: u32 = 0x1_0000;
/// BKPT #0, which ends a program.
pub(crate) const END: u16 = 0xbe00;
/// Enables the FPU; clobbers R0 and R1. Six instructions.
pub(crate) const FPU_ON: &[u16] = &[
    0xf64e, 0x5088, // movw r0, #0xed88
    0xf2ce, 0x0000, // movt r0, #0xe000
    0xf44f, 0x0170, // mov r1, #0xf00000
    0x6001, // str r1, [r0]
];

/// A core after reset, with `code` at [`CODE`].
pub(crate) struct Bench {
    pub(crate) core: Core,
    pub(crate) memory: Memory,
}

impl Bench {
    pub(crate) fn new(code: &[u16]) -> Bench {
        Bench::with_costs(code, Costs::default())
    }

    pub(crate) fn with_costs(code: &[u16], costs: Costs) -> Bench {
        let mut memory = Memory::new(128 << 10);
        put(&mut memory, 0, &[STACK, CODE | 1]);
        let bytes: Vec<u8> = code.iter().flat_map(|h| h.to_le_bytes()).collect();
        memory.write(CODE, &bytes).expect("code fits");
        let mut core = Core::new(costs);
        core.reset(&memory).expect("vectors");
        Bench { core, memory }
    }

    /// Sets a vector and puts a handler at `at`.
    pub(crate) fn handler(&mut self, exception: u16, at: u32, code: &[u16]) {
        put(&mut self.memory, 4 * u32::from(exception), &[at | 1]);
        let bytes: Vec<u8> = code.iter().flat_map(|h| h.to_le_bytes()).collect();
        self.memory.write(at, &bytes).expect("code fits");
    }

    pub(crate) fn run(&mut self) -> Exit {
        self.core.run(&mut self.memory, &mut NoMmio, 1_000_000)
    }

    /// Runs to BKPT.
    pub(crate) fn finish(&mut self) {
        let exit = self.run();
        assert!(matches!(exit, Exit::Bkpt(_)), "{exit:?}");
    }

    /// Runs into a fault.
    pub(crate) fn fault(&mut self) -> Fault {
        match self.run() {
            Exit::Fault(fault) => fault,
            other => panic!("no fault but {other:?}"),
        }
    }

    pub(crate) fn word(&self, at: u32) -> u32 {
        self.memory.word(at).expect("inside")
    }
}

/// Writes words.
pub(crate) fn put(memory: &mut Memory, at: u32, words: &[u32]) {
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    memory.write(at, &bytes).expect("inside");
}

/// Cycles of `code`, without the BKPT that ends it.
pub(crate) fn cycles(code: &[u16]) -> u64 {
    cycles_from(code, |_| {})
}

/// As [`cycles`], after `prepare`.
pub(crate) fn cycles_from(code: &[u16], prepare: impl Fn(&mut Core)) -> u64 {
    let run = |reference_path| {
        let mut whole = code.to_vec();
        whole.push(END);
        let mut bench = Bench::new(&whole);
        bench.core.set_reference_path(reference_path);
        prepare(&mut bench.core);
        bench.finish();
        // BKPT itself costs one branch without refill.
        bench.core.cycle - u64::from(bench.core.costs().branch)
    };
    assert_eq!(run(false), run(true), "both paths count alike");
    run(false)
}
