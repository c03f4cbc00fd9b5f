//! Every kernel passes the mid-end, the backend and the allocation checker,
//! for shapes around its unrolling.

use codegen::frame::{Record, Reset, Start, Tick, tick::Slots};
use codegen::kernels::{
    Addressing, DenseRow, Kernel, KeyRange, Operand, Receive, ResetOp, RowBlock, Send, Source,
    Update,
};
use codegen::thumb::{self, MachineFunction};
use ir::semantics::Compare;
use ir::{DType, Target};

fn compile(kernel: &Kernel) -> MachineFunction {
    let options = thumb::Options {
        check_allocation: true,
        ..thumb::Options::default()
    };
    let compiled = thumb::compile(kernel.function.clone(), &kernel.symbols, &options);
    compiled.unwrap_or_else(|e| panic!("{}: {e}\n{}", kernel.name(), kernel.function.display()))
}

#[test]
fn dense_rows_of_every_type_and_length() {
    for (w, a) in [
        (DType::I8, DType::I16),
        (DType::I8, DType::I32),
        (DType::I16, DType::I32),
        (DType::I32, DType::I32),
    ] {
        for n in [1, 8, 9, 16, 17, 40, 256, 2048] {
            let f = compile(
                &DenseRow::new(w, a, n)
                    .expect("known")
                    .kernel(Addressing::Guest),
            );
            assert!(
                f.frame.spill_slots <= 1,
                "{} spills {}",
                f.name,
                f.frame.spill_slots
            );
        }
    }
    assert!(DenseRow::new(DType::I16, DType::I16, 8).is_none());
}

#[test]
fn the_update_in_all_its_forms() {
    let send = Send::of(&Target::spinnaker2().comms);
    for atoms in [1, 7, 8, 9, 200] {
        for (decay, threshold) in [
            (None, Operand::Const(1.0)),
            (Some(Operand::Const(0.9)), Operand::Array(0x5000)),
            (Some(Operand::Array(0x6000)), Operand::Array(0x5000)),
        ] {
            for reset in [
                ResetOp::Keep,
                ResetOp::To(Operand::Const(0.0)),
                ResetOp::Subtract(Operand::Array(0x7000)),
            ] {
                let update = Update {
                    atoms,
                    v: 0x4000,
                    accumulator: DType::I16,
                    decay,
                    offset: Some(Operand::Array(0x8000)),
                    threshold,
                    reset,
                    compare: Compare::Gt,
                    key: 0x1_0000,
                    send,
                    record_control: Some(0x3000),
                };
                compile(&update.kernel(Addressing::Guest));
            }
        }
    }
}

#[test]
fn the_frame_and_the_rest() {
    let target = Target::spinnaker2();
    let send = Send::of(&target.comms);
    let row = DenseRow::new(DType::I8, DType::I16, 24).expect("known");
    let receive = Receive {
        control: 0x3000,
        ring: (0x7000, 0x7100),
        write_pointer: 0xE200_0110,
        read_pointer: 0xE200_010C,
        accumulators: 0x6000,
        slots: 4,
        slot_bytes: 48,
        ranges: (0..9)
            .map(|r| KeyRange {
                key: 0x1_0000 + 64 * r,
                atoms: 40,
                blocks: vec![RowBlock {
                    rows: 0x8000,
                    kernel: row,
                    delay: 1 + r % 3,
                }],
            })
            .collect(),
    };
    let tick = Tick {
        control: 0x3000,
        receives: true,
        update: Some(Slots {
            address: 0x6000,
            count: 4,
            bytes: 48,
        }),
        source: false,
        active_from: 3,
        record: Some(Record {
            region: (0x5000, 0x5100),
            atoms: 70,
        }),
    };
    for kernel in [
        receive.kernel(Addressing::Guest),
        Source {
            control: 0x3000,
            send,
            record: None,
        }
        .kernel(Addressing::Guest),
        tick.kernel(&target),
        Reset {
            ring: Some((0x7000, 0x7100)),
        }
        .kernel(&target),
        Start { period: 1000 }.kernel(&target),
        codegen::frame::startup::unexpected(),
    ] {
        let f = compile(&kernel);
        println!("{}\n{}", f.name, f.disassembly());
    }
}
