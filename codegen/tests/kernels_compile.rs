//! Every kernel passes the mid-end, the backend and the allocation checker,
//! for shapes around its unrolling.

use codegen::frame::{LateOffset, Record, Reset, Ring, Start, Step, Tick};
use codegen::kernels::{
    Addressing, Carries, ConvRow, DelayedRows, DenseRow, FireOps, Kernel, KeyRange, MembraneOp,
    Operand, Output, Pair, Receive, ResetOp, RowBlock, RowKernel, RowLayout, RowLists, Send, Slots,
    Source, SourcePixels, SparseRow, SynapseOps, Update, ValueRows, Values,
};
use codegen::thumb::{self, MachineFunction};
use ir::semantics::{Compare, SpikeOn};
use ir::{DType, Target};

fn compile(kernel: &Kernel) -> MachineFunction {
    let options = thumb::Options {
        check_allocation: true,
        ..thumb::Options::default()
    };
    let compiled = thumb::compile(kernel.function.clone(), &kernel.symbols, &options);
    compiled.unwrap_or_else(|e| panic!("{}: {e}\n{}", kernel.name(), kernel.function.display()))
}

fn pairs() -> Vec<Pair> {
    let weights = [DType::I8, DType::I16, DType::I32];
    let sinks = [DType::I16, DType::I32, DType::F32];
    let all = weights.into_iter().flat_map(|w| sinks.map(|s| (w, s)));
    all.filter_map(|(w, s)| Pair::new(w, s)).collect()
}

#[test]
fn rows_of_every_type_and_length() {
    assert_eq!(pairs().len(), 7);
    for pair in pairs() {
        let mut all: Vec<RowKernel> = [1, 8, 9, 16, 17, 40, 256, 2048]
            .map(|n| RowKernel::Dense(DenseRow::new(pair, n)))
            .to_vec();
        all.push(RowKernel::Sparse(SparseRow::new(pair)));
        all.extend(
            [1, 2, 3, 4, 7, 8, 12, 16, 32, 64, 100]
                .map(|channels| RowKernel::Conv(ConvRow::new(pair, channels))),
        );
        for kernel in all {
            let f = compile(&kernel.kernel(Addressing::Guest));
            println!("{} {} bytes", f.name, f.code.len());
            let spills = f.frame.spill_slots;
            assert!(spills <= 3, "{} spills {spills}", f.name);
        }
    }
}

fn fire(threshold: Operand, reset: ResetOp) -> FireOps {
    FireOps {
        threshold,
        compare: Compare::Gt,
        judge: SpikeOn::New,
        reset,
        hold: false,
        floor: None,
        pending: None,
        counts: false,
    }
}

#[test]
fn the_update_in_all_its_forms() {
    let target = Target::spinnaker2();
    let send = Send::of(&target.comms);
    let synapse = SynapseOps {
        i: 0x9000,
        decay: Operand::Array(0x9400),
        after: false,
        offset: Some(Operand::Array(0x9800)),
    };
    let resets = [
        ResetOp::Keep,
        ResetOp::To(Operand::Const(0.0)),
        ResetOp::Subtract(Operand::Array(0x7000)),
        ResetOp::Pending(Operand::Array(0x7000)),
        ResetOp::Multi,
    ];
    for atoms in [1, 7, 8, 9, 200] {
        for (membrane, threshold) in [
            (MembraneOp::Fresh, Operand::Const(1.0)),
            (MembraneOp::Integrate, Operand::Const(1.0)),
            (
                MembraneOp::Leaky(Operand::Const(0.9)),
                Operand::Array(0x5000),
            ),
            (
                MembraneOp::Leaky(Operand::Array(0x6000)),
                Operand::Array(0x5000),
            ),
        ] {
            for reset in resets {
                let plain = Update {
                    atoms,
                    v: Some(0x4000),
                    sums: Some(DType::I16),
                    currents: None,
                    synapse: None,
                    membrane,
                    offset: Some(Operand::Array(0x8000)),
                    output: Output::Spikes(fire(threshold, reset)),
                    key: 0x1_0000,
                    send,
                    record_control: Some(0x3000),
                    rests: false,
                    touched: None,
                };
                let code = |update: &Update| {
                    let kernel = update.kernel(Addressing::Guest);
                    compile(&kernel).code.len() as u32
                };
                code(&plain);
                let everything = Update {
                    currents: Some(0xa000),
                    synapse: Some(synapse),
                    output: Output::Spikes(FireOps {
                        floor: Some(Operand::Array(0xb000)),
                        hold: true,
                        judge: SpikeOn::Old,
                        pending: Some(0xb400),
                        counts: reset == ResetOp::Multi,
                        ..fire(threshold, reset)
                    }),
                    ..plain.clone()
                };
                // Half of the reservation is left for the other functions.
                let bytes = code(&everything);
                assert!(bytes <= target.memory.text_reserve / 2, "{bytes} bytes");
                let values = Update {
                    sums: None,
                    currents: Some(0xa000),
                    output: Output::Values(threshold),
                    ..plain
                };
                code(&values);
            }
        }
    }
}

#[test]
fn the_frame_and_the_rest() {
    let target = Target::spinnaker2();
    let send = Send::of(&target.comms);
    let pair = |sink| Pair::new(DType::I8, sink).expect("known");
    let conv = |sink| RowLayout::Conv {
        row: ConvRow::new(pair(sink), 16),
        kernel: (0x9000, 144),
        source: SourcePixels {
            lo: 30,
            n: 400,
            block: 3,
            pixels: 49,
        },
        taps: 49,
    };
    let layouts = |sink| {
        [
            RowLayout::Dense(DenseRow::new(pair(sink), 24)),
            RowLayout::Sparse(SparseRow::new(pair(sink))),
            conv(sink),
        ]
    };
    let slots = Slots {
        address: 0x6000,
        count: 4,
        bytes: 48,
    };
    let block = |r: u32, sink| RowBlock {
        rows: 0x8000,
        layout: layouts(sink)[r as usize % 3],
    };
    let receive = Receive {
        control: 0x3000,
        ring: (0x7000, 0x7100),
        payload: true,
        write_pointer: 0xE200_0110,
        read_pointer: 0xE200_010C,
        accumulators: Some(slots),
        lists: Some(RowLists {
            address: 0x7200,
            count: 2,
        }),
        products: Vec::new(),
        ranges: (0..9)
            .map(|r| {
                let blocks = vec![DelayedRows {
                    block: block(r, DType::I16),
                    delay: 1 + r % 3,
                }];
                KeyRange {
                    key: 0x1_0000 + 64 * r,
                    atoms: 40,
                    carries: match r {
                        0..3 => Carries::Spikes(blocks),
                        3..7 => Carries::Counts { max: 9, blocks },
                        _ => Carries::Values(slots),
                    },
                }
            })
            .collect(),
    };
    let values = Values {
        currents: 0x5000,
        sources: (0..3)
            .map(|r| ValueRows {
                slots,
                atoms: 12,
                delay: 2,
                block: block(r, DType::F32),
            })
            .collect(),
    };
    let step = Step {
        active_from: 3,
        phase: 1,
        every: 3,
        late: vec![LateOffset {
            tick: 6,
            from: 0x5000,
            to: 0x5400,
            atoms: 7,
        }],
        values: true,
        sums: Some(slots),
    };
    let tick = Tick {
        level: None,
        control: 0x3000,
        receives: true,
        step: Some(step),
        source: false,
        record: Some(Record {
            region: (0x5000, 0x5100),
            atoms: 70,
        }),
    };
    for kernel in [
        receive.kernel(Addressing::Guest),
        values.kernel(Addressing::Guest),
        Source {
            control: 0x3000,
            send,
            payload: true,
            record: None,
        }
        .kernel(Addressing::Guest),
        tick.kernel(&target),
        Reset {
            ring: Some(Ring {
                start: 0x7000,
                end: 0x7100,
                payload: true,
            }),
        }
        .kernel(&target),
        Start { period: 1000 }.kernel(&target),
        codegen::frame::startup::unexpected(),
    ] {
        let f = compile(&kernel);
        println!("{} {} bytes\n{}", f.name, f.code.len(), f.disassembly());
    }
}
