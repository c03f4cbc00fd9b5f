//! Rows of dense projections.

use super::{Bench, Call, Twin};
use codegen::kernels::{Addressing, BlockedRows, DenseRow, Pair, RowKernel};
use ir::DType;
use tests::bare;
use tests::lab::Lab;

const SINK: u32 = 0x5000;
const ROW: u32 = 0x8000;
const LIST: u32 = 0x7000;

pub(super) fn benches() -> Vec<Bench> {
    let sizes = [64, 128, 256];
    let of = |sink| sizes.map(|n| streaming(n, sink));
    let mut all = [of(DType::I16), of(DType::I32)].concat();
    for (sink, target) in [(DType::I16, 1.5), (DType::I32, 1.9)] {
        let sizes = [64, 128, 256];
        all.extend(sizes.iter().filter_map(|&n| blocked(n, 8, sink, target)));
    }
    all
}

/// `rows` listed rows of `n` int8 weights, the accumulators in registers.
fn blocked(n: u32, rows: u32, sink: DType, target: f64) -> Option<Bench> {
    let row = DenseRow::new(Pair::new(DType::I8, sink)?, n);
    let kernel = BlockedRows::new(row)?;
    let mut lab = Lab::new(u64::from(n + rows));
    for k in 0..n * sink.size() as u32 {
        let byte = lab.rng.draw() as u8;
        lab.put(SINK + k, &[byte]);
    }
    for k in 0..rows {
        lab.word(LIST + 4 * k, ROW + k * n);
    }
    let mut plain = lab.data.clone();
    for k in 0..rows {
        let weights: Vec<i32> = (0..n).map(|_| i32::from(lab.rng.draw() as i8)).collect();
        let bytes: Vec<u8> = weights.iter().map(|&w| w as u8).collect();
        let at = (ROW + k * n - bare::DATA.start) as usize;
        plain[at..at + bytes.len()].copy_from_slice(&bytes);
        lab.put(ROW + k * n, &row.row_bytes(&weights));
    }
    let (name, c_type) = match sink {
        DType::I16 => ("i16", "int16_t"),
        _ => ("i32", "int32_t"),
    };
    let defines = [
        format!("N={n}"),
        format!("ROWS={rows}"),
        format!("SUM={c_type}"),
    ];
    let defines: Vec<&str> = defines.iter().map(String::as_str).collect();
    let twin = Twin {
        calls: Some(vec![Call {
            args: vec![LIST, SINK],
            data: plain,
        }]),
        ..Twin::new("dense.c", &defines)
    };
    Some(Bench {
        name: format!("dense_{name}_blocked_{n}x{rows}"),
        unit: "synapse",
        units: f64::from(n * rows),
        target: Some(target),
        functions: vec![bare::compile(&kernel.kernel(Addressing::Guest))],
        calls: vec![Call {
            args: vec![LIST, rows, SINK],
            data: lab.data,
        }],
        without: None,
        twin: Some(twin),
        output: SINK..SINK + n * sink.size() as u32,
    })
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
