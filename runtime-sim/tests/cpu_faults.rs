//! Precise faults, self-modifying code, and robustness against random bytes.

#[path = "cpu_support/mod.rs"]
mod support;

use runtime_sim::cpu::{BusError, Decoded, Exit, FaultKind, Mmio, NoMmio, Size, decode, is_wide};
use support::{Bench, CODE, END, put};

fn kind(code: &[u16]) -> FaultKind {
    Bench::new(code).fault().kind
}

#[test]
fn a_fault_is_precise_and_repeats() {
    // adds r0, #1; ldr r1, [r5] with r5 unmapped
    let mut bench = Bench::new(&[0x3001, 0x6829, END]);
    bench.core.regs[5] = 0x3000_0000;
    let fault = bench.fault();
    assert_eq!(fault.kind, FaultKind::BusRead(BusError::Unmapped));
    assert_eq!((fault.pc, fault.address), (CODE + 2, Some(0x3000_0000)));
    assert_eq!(fault.opcode, [0x6829, END]);
    assert_eq!((fault.cycle, bench.core.instructions), (1, 1));
    assert_eq!(bench.fault(), fault, "running again repeats it");
    assert_eq!(
        fault.to_string(),
        "read refused: nothing at this address at pc 0x00000402, address 0x30000000, \
         opcode 6829 (ldrw r1, [r5, #0]), cycle 1"
    );
}

/// A register that refuses the first accesses and then answers.
struct NotYet(u32);

impl Mmio for NotYet {
    fn read(&mut self, _: u32, _: Size, _: u64) -> Result<u32, BusError> {
        match self.0.checked_sub(1) {
            Some(left) => {
                self.0 = left;
                Err(BusError::Refused)
            }
            None => Ok(7),
        }
    }
    fn write(&mut self, _: u32, _: Size, _: u32, _: u64) -> Result<(), BusError> {
        Err(BusError::Refused)
    }
}

#[test]
fn a_refused_access_costs_nothing_when_it_is_repeated() {
    // ldr r1, [r5]; ldr r2, [r1]; adds r2, #1: the second load waits for the first.
    let end = |refusals| {
        let mut bench = Bench::new(&[0x6829, 0x680a, 0x3201, END]);
        bench.core.regs[5] = 0x8000;
        put(&mut bench.memory, 0x8000, &[0xe200_0000]);
        let mut device = NotYet(refusals);
        loop {
            match bench.core.run(&mut bench.memory, &mut device, 1000) {
                Exit::Fault(_) => {}
                exit => {
                    assert!(matches!(exit, Exit::Bkpt(_)), "{exit:?}");
                    return (
                        bench.core.cycle,
                        bench.core.instructions,
                        bench.core.regs[2],
                    );
                }
            }
        }
    };
    assert_eq!(end(0).2, 8);
    assert_eq!(end(3), end(0));
}

#[test]
fn a_restored_core_runs_the_code_that_is_in_memory() {
    // movs r0, #1; strh r6, [r5]; movs r0, #2 (overwritten by r6: movs r0, #3); b to the end
    let code = [0x2001, 0x802e, 0x2002, END];
    let mut bench = Bench::new(&code);
    let saved = bench.core.without_code();
    let target = CODE + 4;
    for round in 0..3 {
        bench.core.restore(&saved);
        bench.core.regs[5] = target;
        bench.core.regs[6] = if round == 1 { 0x2003 } else { 0x2002 };
        bench.memory.write(target, &[0x02, 0x20]).expect("inside");
        bench.finish();
        let expected = if round == 1 { 3 } else { 2 };
        assert_eq!(bench.core.regs[0], expected);
    }
}

#[test]
fn undefined_unpredictable_unsupported_differ() {
    assert_eq!(kind(&[0xde00]), FaultKind::Undefined); // udf
    assert_eq!(kind(&[0xf7f0, 0xa000]), FaultKind::Undefined); // udf.w
    assert_eq!(kind(&[0xba80]), FaultKind::Undefined);
    assert_eq!(kind(&[0xb400]), FaultKind::Unpredictable); // push {}
    // fldmx r0, {d0}
    assert_eq!(
        kind(&[0xec90, 0x0b03]),
        FaultKind::Unsupported("FLDMX and FSTMX")
    );
    // ldrex r0, [r0], where R0 is no multiple of 4
    assert_eq!(kind(&[0x2002, 0xe850, 0x0f00]), FaultKind::Unaligned);
    assert_eq!(kind(&[0xee30, 0x0f00]), FaultKind::NoCoprocessor);
    assert_eq!(
        kind(&[0xee30, 0x0a81]),
        FaultKind::NoCoprocessor,
        "FPU is off"
    );
    assert_eq!(
        kind(&[0xee30, 0x0b81]),
        FaultKind::Undefined,
        "double precision"
    );
}

#[test]
fn it_block_rules() {
    assert_eq!(kind(&[0xbf08, 0xbf08]), FaultKind::Unpredictable); // it in it
    assert_eq!(kind(&[0xbf08, 0xd000]), FaultKind::Unpredictable); // bcond in it
    assert_eq!(kind(&[0xbf04, 0xe000]), FaultKind::Unpredictable); // b not last
    let mut bench = Bench::new(&[0x2000, 0xbf08, 0xe000, 0x2207, END]); // it eq; beq
    bench.finish();
    assert_eq!(bench.core.regs[2], 0, "the branch was taken");
}

#[test]
fn alignment() {
    let with_base = |code: &[u16], base: u32| {
        let mut bench = Bench::new(code);
        bench.core.regs[5] = base;
        bench
    };
    with_base(&[0x6829, END], 0x8001).finish(); // ldr
    with_base(&[0x8029, END], 0x8001).finish(); // strh
    for code in [
        &[0xe9d5, 0x0100][..], // ldrd
        &[0xe9c5, 0x0100],     // strd
        &[0xcd03],             // ldmia
        &[0xc503],             // stmia
    ] {
        let fault = with_base(code, 0x8002).fault();
        assert_eq!(fault.kind, FaultKind::Unaligned, "{code:04x?}");
        assert_eq!(fault.address, Some(0x8002));
    }
    // CCR.UNALIGN_TRP: 0xe000ed14 = 0x208
    let trap: &[u16] = &[
        0xf64e, 0x5014, 0xf2ce, 0x0000, 0xf44f, 0x7102, 0x6001, 0x6029,
    ];
    let mut bench = with_base(trap, 0x8001);
    assert_eq!(bench.fault().kind, FaultKind::Unaligned);
    assert_eq!(bench.word(0x8000), 0, "nothing was written");
}

#[test]
fn branches_out_of_thumb_or_memory() {
    let mut bench = Bench::new(&[0x4728]); // bx r5
    bench.core.regs[5] = 0x8000;
    let fault = bench.fault();
    assert_eq!((fault.kind, fault.pc), (FaultKind::NotThumb, CODE));
    let mut bench = Bench::new(&[0x4728]);
    bench.core.regs[5] = 0x2000_0001;
    let fault = bench.fault();
    assert_eq!((fault.kind, fault.pc), (FaultKind::Fetch, 0x2000_0000));
    let mut bench = Bench::new(&[0xbd01]); // pop {r0, pc} of zeros
    let sp = bench.core.regs[13];
    assert_eq!(bench.fault().kind, FaultKind::NotThumb);
    assert_eq!(bench.core.regs[13], sp, "the stack pointer is as before");
}

#[test]
fn division_by_zero() {
    let divide: &[u16] = &[0x2007, 0x2100, 0xfbb0, 0xf2f1, END];
    let mut bench = Bench::new(divide);
    bench.finish();
    assert_eq!(bench.core.regs[2], 0);
    let trap: &[u16] = &[0xf64e, 0x5014, 0xf2ce, 0x0000, 0xf44f, 0x7104, 0x6001];
    assert_eq!(kind(&[trap, divide].concat()), FaultKind::DivideByZero);
}

#[test]
fn most_negative_by_minus_one() {
    let mut bench = Bench::new(&[0xfb90, 0xf2f1, END]);
    bench.core.regs[0] = 0x8000_0000;
    bench.core.regs[1] = u32::MAX;
    bench.finish();
    assert_eq!(bench.core.regs[2], 0x8000_0000);
}

#[test]
fn code_that_changes_itself() {
    // A loop whose `adds r2, #1` becomes `adds r2, #16` after the first round.
    let code: &[u16] = &[
        0x3201, // adds r2, #1
        0x8028, // strh r0, [r5]
        0x3901, // subs r1, #1
        0xd1fb, // bne
        END,
    ];
    for reference_path in [false, true] {
        let mut bench = Bench::new(code);
        bench.core.set_reference_path(reference_path);
        bench.core.regs[0] = 0x3210;
        bench.core.regs[1] = 3;
        bench.core.regs[5] = CODE;
        bench.finish();
        assert_eq!(bench.core.regs[2], 1 + 16 + 16);
    }
    // The store hits the very next instruction.
    let mut bench = Bench::new(&[0x3201, 0xe000, END, 0x8028, 0x3201, 0xe7f9]);
    bench.core.regs[0] = END.into();
    bench.core.regs[5] = CODE + 8;
    bench.finish();
    assert_eq!(bench.core.regs[2], 1);
}

#[test]
fn code_that_is_changed_from_outside() {
    let mut bench = Bench::new(&[0x3201, END]);
    bench.finish();
    bench
        .memory
        .write(CODE, &0x3205_u16.to_le_bytes())
        .expect("inside");
    bench.core.pc = CODE;
    bench.finish();
    assert_eq!(bench.core.regs[2], 6);
    bench.memory.bytes_mut()[CODE as usize] = 7;
    bench.core.pc = CODE;
    bench.finish();
    assert_eq!(bench.core.regs[2], 13);
    // The second half of a 32-bit instruction: mov.w r2, #1 becomes mov.w r2, #9.
    let mut bench = Bench::new(&[0xf04f, 0x0201, END]);
    bench.finish();
    bench.memory.write(CODE + 2, &[9]).expect("inside");
    bench.core.pc = CODE;
    bench.finish();
    assert_eq!(bench.core.regs[2], 9);
}

#[test]
fn reset_needs_good_vectors() {
    let mut bench = Bench::new(&[END]);
    put(&mut bench.memory, 4, &[CODE]);
    let fault = bench.core.reset(&bench.memory).expect_err("even entry");
    assert_eq!(fault.kind, FaultKind::NotThumb);
}

#[test]
fn system_space() {
    // ldr r1, [r5]
    let read = |address: u32| {
        let mut bench = Bench::new(&[0x6829, END]);
        bench.core.regs[5] = address;
        let exit = bench.run();
        (exit, bench.core.regs[1])
    };
    assert_eq!(read(0xe000_ed00).1, 0x410f_c241);
    assert_eq!(read(0xe000_ed0c).1, 0xfa05_0000);
    // SysTick is not there, and says so.
    assert!(matches!(read(0xe000_e010).0, Exit::Fault(f)
        if f.kind == FaultKind::BusRead(BusError::Refused)));
    // Priorities keep five bits.
    let mut bench = Bench::new(&[0x7028, 0x7829, END]); // strb, ldrb
    bench.core.regs[0] = 0xff;
    bench.core.regs[5] = 0xe000_e405;
    bench.finish();
    assert_eq!(bench.core.regs[1], 0xf8);
}

/// splitmix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[test]
fn decoding_never_panics_and_prints() {
    let check = |hw1: u16, hw2: u16| {
        for in_it in [false, true] {
            if let Decoded::Op(op) = decode(hw1, hw2, in_it) {
                assert!(!op.to_string().is_empty());
            }
        }
    };
    for hw1 in 0..=u16::MAX {
        check(hw1, 0);
    }
    let mut seed = 5;
    for _ in 0..300_000 {
        let bits = random(&mut seed);
        check(0xe800 | bits as u16, (bits >> 16) as u16);
    }
}

#[test]
fn blocks_single_steps_and_slices_agree_on_random_code() {
    let mut seed = 7;
    for round in 0..3000 {
        let mut code = Vec::new();
        while code.len() < 64 {
            let bits = random(&mut seed);
            let (hw1, hw2) = (bits as u16, (bits >> 16) as u16);
            let wide = is_wide(hw1);
            // Mostly valid instructions, so that programs get somewhere.
            let valid = matches!(decode(hw1, hw2, false), Decoded::Op(op) if !op.is_fpu());
            if valid || bits >> 60 == 0 {
                code.push(hw1);
                if wide {
                    code.push(hw2);
                }
            }
        }
        let run = |reference_path, slice: u64| {
            let mut bench = Bench::new(&code);
            bench.core.set_reference_path(reference_path);
            let mut values = seed;
            for r in 0..13 {
                bench.core.regs[r] = match r % 3 {
                    0 => random(&mut values) as u32 & 0x1_fffc,
                    1 => random(&mut values) as u32 & 0xff,
                    _ => random(&mut values) as u32,
                };
            }
            let mut limit = 0;
            let mut exit = Exit::CycleLimit;
            while exit == Exit::CycleLimit && limit < 2000 {
                limit = (limit + slice).min(2000);
                exit = bench.core.run(&mut bench.memory, &mut NoMmio, limit);
            }
            (bench, exit)
        };
        let (a, exit_a) = run(false, 2000);
        let (b, exit_b) = match round % 3 {
            0 => run(true, 2000),
            1 => run(false, 7),
            _ => run(true, 1),
        };
        assert_eq!(exit_a, exit_b, "round {round}: {code:04x?}");
        assert_eq!(a.core.regs, b.core.regs, "round {round}: {code:04x?}");
        assert_eq!(a.core.flags, b.core.flags, "round {round}: {code:04x?}");
        assert_eq!(a.core.cycle, b.core.cycle, "round {round}: {code:04x?}");
        assert_eq!(a.core.instructions, b.core.instructions);
        assert!(a.memory.bytes() == b.memory.bytes(), "round {round}");
    }
}

/// What is kept about code must not grow with the addresses a guest jumps to.
#[test]
fn a_wild_jump_costs_no_memory() {
    let mut bench = Bench::new(&[0x4728]); // bx r5
    bench.core.regs[5] = u32::MAX;
    let fault = bench.fault();
    assert_eq!((fault.kind, fault.pc), (FaultKind::Fetch, 0xffff_fffe));
}
