//! Dense projections on the MAC array, on a PE with its devices.

use super::{EMPTY, Row};
use codegen::kernels::mac::{Factors, Product};
use codegen::kernels::{Addressing, Kernel, build};
use ir::{DType, Target};
use runtime_sim::clock::Level;
use tests::lab::Lab;
use tests::{bare, device_bench};

const VECTOR: u32 = 0x5000;
const SUMS: u32 = 0x7000;
const WEIGHTS: u32 = 0x8000;
/// Sources, and targets.
const SIDE: u32 = 256;
/// Cycles that a product may take for each weight, and besides.
const TARGET: (f64, f64) = (0.09, 400.0);

/// The product of one vector of spikes, from its start to the sums.
pub(super) fn row() -> Row {
    let target = Target::spinnaker2();
    let factors = Factors {
        vector: VECTOR,
        sources: SIDE,
        weights: WEIGHTS,
        weight: DType::I8,
        targets: SIDE,
        sums: DType::I32,
        aside: None,
        largest: u64::from(SIDE) * 128,
    };
    let product = Product::new(&target, factors).expect("it fits the array");
    let kernel = |multiplies: bool| -> Kernel {
        build("product", 0, Addressing::Guest, |kb, _| {
            if multiplies {
                let sink = kb.int(SUMS);
                product.start(kb, sink);
                product.finish(kb, sink);
            }
        })
    };
    let mut lab = Lab::new(u64::from(SIDE));
    for k in 0..SIDE {
        let spike = u8::from(lab.one_in(4));
        lab.put(VECTOR + k, &[spike]);
    }
    for k in 0..SIDE * SIDE {
        let weight = lab.rng.draw() as u8;
        lab.put(WEIGHTS + k, &[weight]);
    }
    let cycles = |kernel| device_bench::run(&target, Level::High, kernel, &[], &lab.data).cycles;
    let product = cycles(kernel(true)) + EMPTY - cycles(kernel(false));
    let weights = f64::from(SIDE * SIDE);
    Row {
        kernel: format!("mac_{SIDE}x{SIDE}"),
        unit: "weight",
        cycles_per_unit: product as f64 / weights,
        bytes: bare::compile(&kernel(true)).code.len() as u32,
        target: Some(TARGET.0 + TARGET.1 / weights),
        gcc_o3: None,
        gcc_o3_unroll: None,
        difference: false,
    }
}
