//! Each timing rule with the smallest program that shows it.

#[path = "cpu_support/mod.rs"]
mod support;

use runtime_sim::cpu::{Core, Costs};
use support::{Bench, END, FPU_ON, cycles, cycles_from};

/// R8 to R10 point to memory.
fn pointers(core: &mut Core) {
    core.regs[8] = 0x8000;
    core.regs[9] = 0x8100;
    core.regs[10] = 0x8200;
}

fn memory_cycles(code: &[u16]) -> u64 {
    cycles_from(code, pointers)
}

/// Cycles of FPU code, without enabling the unit.
fn fpu_cycles(code: &[u16]) -> u64 {
    let whole = [FPU_ON, code].concat();
    let setup = cycles(FPU_ON);
    cycles_from(&whole, pointers) - setup
}

const NOP: u16 = 0xbf00;
const LDR_R0_R8: [u16; 2] = [0xf8d8, 0x0000];
const LDR_R1_R8: [u16; 2] = [0xf8d8, 0x1004];
const LDR_R2_R0: [u16; 2] = [0xf8d0, 0x2000];
const STR_R1_R9: [u16; 2] = [0xf8c9, 0x1000];
const STR_R1_R9_R2: [u16; 2] = [0xf849, 0x1002];
const LDR_R1_R9_R2: [u16; 2] = [0xf859, 0x1002];

#[test]
fn data_processing_costs_one() {
    assert_eq!(cycles(&[NOP]), 1);
    assert_eq!(cycles(&[0x3001, 0x1840, 0x4348]), 3); // adds, adds, muls
    assert_eq!(cycles(&[0xfa22, 0xf083]), 1); // sxtab16 r0, r2, r3
    assert_eq!(cycles(&[0xfb22, 0x0003]), 1); // smlad r0, r2, r3, r0
}

#[test]
fn independent_loads_pipeline() {
    assert_eq!(memory_cycles(&LDR_R0_R8), 2);
    assert_eq!(memory_cycles(&[LDR_R0_R8, LDR_R1_R8].concat()), 3);
    let four = [LDR_R0_R8, LDR_R1_R8, LDR_R0_R8, LDR_R1_R8].concat();
    assert_eq!(memory_cycles(&four), 5);
}

#[test]
fn a_loaded_address_does_not_pipeline() {
    let chained = cycles_from(&[LDR_R0_R8, LDR_R2_R0].concat(), pointers);
    assert_eq!(chained, 4);
}

#[test]
fn stores_cost_one_or_two() {
    assert_eq!(memory_cycles(&STR_R1_R9), 1);
    assert_eq!(memory_cycles(&[STR_R1_R9, STR_R1_R9].concat()), 2);
    assert_eq!(memory_cycles(&STR_R1_R9_R2), 2);
    // Behind a load the register-offset store is pipelined, the other already costs 1.
    assert_eq!(memory_cycles(&[LDR_R0_R8, STR_R1_R9_R2].concat()), 3);
    assert_eq!(memory_cycles(&[LDR_R0_R8, STR_R1_R9].concat()), 3);
    // Nothing pipelines behind a store.
    assert_eq!(memory_cycles(&[STR_R1_R9_R2, LDR_R0_R8].concat()), 4);
    assert_eq!(memory_cycles(&[LDR_R0_R8, LDR_R1_R9_R2].concat()), 3);
}

#[test]
fn a_computed_address_stalls() {
    let add: [u16; 2] = [0xf108, 0x0804]; // add r8, r8, #4
    assert_eq!(memory_cycles(&add), 1);
    assert_eq!(memory_cycles(&[add, LDR_R0_R8].concat()), 4);
    let spaced = [&add[..], &[NOP], &LDR_R0_R8].concat();
    assert_eq!(memory_cycles(&spaced), 4);
    let block = [&add[..], &[0xe898, 0x0003]].concat(); // ldmia r8, {r0, r1}
    assert_eq!(memory_cycles(&block), 5);
    // The data of a store is no address.
    let data = [&[0xf101, 0x0101], &STR_R1_R9[..]].concat();
    assert_eq!(memory_cycles(&data), 2);
}

#[test]
fn write_back_does_not_stall() {
    let post: [u16; 2] = [0xf858, 0x0b04]; // ldr r0, [r8], #4
    assert_eq!(memory_cycles(&[post, post].concat()), 3);
}

#[test]
fn block_transfers() {
    assert_eq!(memory_cycles(&[0xe898, 0x001f]), 6); // ldmia r8, {r0-r4}
    assert_eq!(memory_cycles(&[0xe888, 0x001f]), 6); // stmia r8, {r0-r4}
    assert_eq!(memory_cycles(&[0xe9d8, 0x0100]), 3); // ldrd r0, r1, [r8]
    assert_eq!(memory_cycles(&[0xb403, 0xbc03]), 6); // push, pop {r0, r1}
    let mixed = [&LDR_R0_R8[..], &[0xe898, 0x0006]].concat();
    assert_eq!(memory_cycles(&mixed), 5);
}

#[test]
fn branches_refill() {
    assert_eq!(cycles(&[0xe000, NOP]), 3); // b over one
    assert_eq!(cycles(&[0x2000, 0xd000, NOP]), 4); // movs; beq taken
    assert_eq!(cycles(&[0x2000, 0xd100, NOP]), 3); // movs; bne not taken; nop
    assert_eq!(cycles(&[0x2000, 0xb100, NOP]), 4); // cbz taken
    assert_eq!(cycles(&[0xf000, 0xf800]), 3); // bl to the next
}

#[test]
fn it_and_skipped_instructions() {
    // movs r0, #0; ite eq; moveq r1, #1; movne r1, #2
    assert_eq!(cycles(&[0x2000, 0xbf0c, 0x2101, 0x2102]), 4);
    let costs = Costs {
        it_folds: true,
        ..Costs::default()
    };
    let mut bench = Bench::with_costs(&[0x2000, 0xbf0c, 0x2101, 0x2102, END], costs);
    bench.finish();
    assert_eq!(bench.core.cycle - 1, 3);
}

#[test]
fn division_ends_early() {
    let divide = |n: u32, d: u32| {
        cycles_from(&[0xfbb0, 0xf2f1], move |core| {
            (core.regs[0], core.regs[1]) = (n, d);
        })
    };
    assert_eq!(divide(0, 5), 2);
    assert_eq!(divide(7, 5), 3);
    assert_eq!(divide(1, 5), 2);
    assert_eq!(divide(7, 0), 2);
    assert_eq!(divide(u32::MAX, 1), 12);
    assert!(divide(1000, 3) < divide(1_000_000, 3));
}

#[test]
fn unaligned_access_costs_more() {
    let unaligned: [u16; 2] = [0xf8d8, 0x0001];
    assert_eq!(memory_cycles(&unaligned), 3);
}

const VADD_S0_S1_S2: [u16; 2] = [0xee30, 0x0a81];
const VADD_S3_S0_S0: [u16; 2] = [0xee70, 0x1a00];
const VADD_S4_S5_S6: [u16; 2] = [0xee32, 0x2a83];
const VMLA_S0_S1_S2: [u16; 2] = [0xee00, 0x0a81];

#[test]
fn fpu_arithmetic() {
    assert_eq!(fpu_cycles(&VADD_S0_S1_S2), 1);
    assert_eq!(fpu_cycles(&[VADD_S0_S1_S2, VADD_S4_S5_S6].concat()), 2);
    assert_eq!(fpu_cycles(&[VADD_S0_S1_S2, VADD_S3_S0_S0].concat()), 3);
    assert_eq!(fpu_cycles(&VMLA_S0_S1_S2), 3);
    assert_eq!(fpu_cycles(&[VADD_S0_S1_S2, VMLA_S0_S1_S2].concat()), 5);
    assert_eq!(fpu_cycles(&[0xee80, 0x0a81]), 14); // vdiv s0, s1, s2
    assert_eq!(fpu_cycles(&[0xeeb1, 0x0ae0]), 14); // vsqrt s0, s1
    // vcmp s0, s1; vmrs apsr, fpscr; bgt not taken
    assert_eq!(
        fpu_cycles(&[0xeeb4, 0x0a60, 0xeef1, 0xfa10, 0xdc00, NOP]),
        4
    );
}

#[test]
fn fpu_moves_do_not_stall() {
    let to_core: [u16; 2] = [0xee10, 0x0a10]; // vmov r0, s0
    assert_eq!(fpu_cycles(&[VADD_S0_S1_S2, to_core].concat()), 2);
    let from_core: [u16; 2] = [0xee00, 0x0a10]; // vmov s0, r0
    assert_eq!(fpu_cycles(&[from_core, VADD_S3_S0_S0].concat()), 2);
    assert_eq!(fpu_cycles(&[0xec51, 0x0a10]), 2); // vmov r0, r1, s0, s1
}

#[test]
fn fpu_memory() {
    let vldr: [u16; 2] = [0xed98, 0x0a00]; // vldr s0, [r8]
    assert_eq!(fpu_cycles(&[vldr, vldr].concat()), 4);
    assert_eq!(fpu_cycles(&[0xed98, 0x0b00]), 3); // vldr d0, [r8]
    assert_eq!(fpu_cycles(&[0xec98, 0x0a08]), 9); // vldmia r8, {s0-s7}
    assert_eq!(fpu_cycles(&[0xec88, 0x0a08]), 9); // vstmia r8, {s0-s7}
    assert_eq!(fpu_cycles(&[vldr, LDR_R0_R8].concat()), 4);
}

/// The row-blocked dense kernel of sixteen synapses: one row pointer, four weights,
/// eight SXTAB16, and a loop end, as worked out by hand.
#[test]
fn dense_row_block() {
    let mut code = vec![
        0xf85c, 0x8b04, // ldr r8, [r12], #4      2
        0xf8d8, 0x9000, // ldr r9, [r8]           2: loaded address
        0xf8d8, 0xa004, // ldr r10, [r8, #4]      1
        0xf8d8, 0xb008, // ldr r11, [r8, #8]      1
        0xf8d8, 0x800c, // ldr r8, [r8, #12]      1
    ];
    for (j, w) in [9_u16, 10, 11, 8].into_iter().enumerate() {
        let j = 2 * j as u16;
        code.extend([0xfa20 | j, 0xf080 | j << 8 | w]); // sxtab16      1
        code.extend([0xfa20 | (j + 1), 0xf090 | (j + 1) << 8 | w]); // ror #8  1
    }
    let cycles = cycles_from(&code, |core| core.regs[12] = 0x8000);
    assert_eq!(cycles, 7 + 8);
}

#[test]
fn costs_come_from_the_table() {
    let costs = Costs {
        refill: 3,
        load: 4,
        ..Costs::default()
    };
    let mut bench = Bench::with_costs(&[0xe000, NOP, 0xf8d8, 0x0000, END], costs);
    pointers(&mut bench.core);
    bench.finish();
    assert_eq!(bench.core.cycle, 4 + 4 + 1);
}
