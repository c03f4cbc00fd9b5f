//! Rows of listed synapses.

use super::{Bench, Call, Twin};
use codegen::kernels::{Addressing, Pair, RowKernel, SparseRow};
use ir::DType;
use tests::bare;
use tests::lab::Lab;

const SINK: u32 = 0x5000;
const ENTRIES: u32 = 0x8000;
/// Targets, one in four of which is connected.
const TARGETS: u32 = 256;
const SYNAPSES: u32 = 64;

pub(super) fn benches() -> Vec<Bench> {
    let pair = Pair::new(DType::I8, DType::I16).expect("a known pair");
    let row = SparseRow::new(pair);
    let mut lab = Lab::new(5);
    for k in 0..TARGETS {
        let half = lab.rng.draw() as i16;
        lab.put(SINK + 2 * k, &half.to_le_bytes());
    }
    let mut plain = lab.data.clone();
    let mut synapses = Vec::new();
    for k in 0..SYNAPSES {
        let to = 4 * k + lab.below(4);
        let weight = i32::from(lab.rng.draw() as i8);
        synapses.push((to, weight));
        let at = (ENTRIES + 4 * k - bare::DATA.start) as usize;
        let word = to | (weight as u32) << 16;
        plain[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    let entries = row.row_bytes(&synapses).expect("within reach");
    lab.put(ENTRIES, &entries);
    let args = vec![ENTRIES, ENTRIES + 4 * SYNAPSES, SINK];
    vec![Bench {
        name: "sparse_i16_64_of_256".to_owned(),
        unit: "synapse",
        units: f64::from(SYNAPSES),
        target: Some(6.3),
        functions: vec![bare::compile(
            &RowKernel::Sparse(row).kernel(Addressing::Guest),
        )],
        calls: vec![Call {
            args: args.clone(),
            data: lab.data,
        }],
        without: None,
        twin: Some(Twin {
            calls: Some(vec![Call { args, data: plain }]),
            ..Twin::new("sparse.c", &[])
        }),
        output: SINK..SINK + 2 * TARGETS,
    }]
}
