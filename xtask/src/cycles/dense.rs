//! Rows of dense projections.

use super::{Bench, Call, Twin};
use codegen::kernels::{Addressing, DenseRow, Pair, RowKernel};
use ir::DType;
use tests::bare;
use tests::lab::Lab;

const SINK: u32 = 0x5000;
const ROW: u32 = 0x8000;

pub(super) fn benches() -> Vec<Bench> {
    let sizes = [64, 128, 256];
    let of = |sink| sizes.map(|n| streaming(n, sink));
    [of(DType::I16), of(DType::I32)].concat()
}

/// One row of `n` int8 weights, the accumulators in memory.
fn streaming(n: u32, sink: DType) -> Bench {
    let pair = Pair::new(DType::I8, sink).expect("a known pair");
    let row = DenseRow::new(pair, n);
    let mut lab = Lab::new(u64::from(n));
    let weights: Vec<i32> = (0..n).map(|_| i32::from(lab.rng.draw() as i8)).collect();
    for k in 0..n * sink.size() as u32 {
        let byte = lab.rng.draw() as u8;
        lab.put(SINK + k, &[byte]);
    }
    let args = vec![ROW, SINK];
    let mut plain = lab.data.clone();
    let at = (ROW - bare::DATA.start) as usize;
    for (byte, w) in plain[at..].iter_mut().zip(&weights) {
        *byte = *w as u8;
    }
    lab.put(ROW, &row.row_bytes(&weights));
    let (name, c_type) = match sink {
        DType::I16 => ("i16", "int16_t"),
        _ => ("i32", "int32_t"),
    };
    let twin = Twin {
        calls: Some(vec![Call {
            args: args.clone(),
            data: plain,
        }]),
        ..Twin::new(
            "dense_row.c",
            &[&format!("N={n}"), &format!("SUM={c_type}")],
        )
    };
    Bench {
        name: format!("dense_{name}_streaming_{n}"),
        unit: "synapse",
        units: f64::from(n),
        // The bound is that of int16; int32 has one of its own by hand.
        target: Some(if sink == DType::I16 { 2.4 } else { 4.5 }),
        functions: vec![bare::compile(
            &RowKernel::Dense(row).kernel(Addressing::Guest),
        )],
        calls: vec![Call {
            args,
            data: lab.data,
        }],
        without: None,
        twin: Some(twin),
        output: SINK..SINK + n * sink.size() as u32,
    }
}
