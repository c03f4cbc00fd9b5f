//! Spikes through convolutions: blocks of channels added to the pixels in reach.

use super::{Bench, Call, Twin};
use codegen::kernels::{Addressing, ConvRow, Pair, RowKernel};
use ir::DType;
use tests::bare;
use tests::lab::Lab;

const SINK: u32 = 0x5000;
const TAPS: u32 = 0x8000;
const WEIGHTS: u32 = 0x9000;
const CHANNELS: u32 = 16;
/// Pixels of a line of the target.
const PITCH: u32 = 8;

pub(super) fn benches() -> Vec<Bench> {
    let one = of_reaches("conv_i16_3x3x16", &[(3, 3)], 2.6);
    // With stride 2 a spike reaches every other kernel element, by its parity. The
    // target is for a synapse, with 20 cycles more for each spike.
    let parities = [(3, 3), (3, 2), (2, 3), (2, 2)];
    let synapses: u32 = parities.iter().map(|(y, x)| y * x * CHANNELS).sum();
    let target = 2.9 + 20.0 * parities.len() as f64 / f64::from(synapses);
    vec![one, of_reaches("conv_i16_5x5s2x16", &parities, target)]
}

/// A spike for each reach (lines, pixels of a line).
fn of_reaches(name: &str, reaches: &[(u32, u32)], target: f64) -> Bench {
    let pair = Pair::new(DType::I8, DType::I16).expect("a known pair");
    let row = ConvRow::new(pair, CHANNELS);
    let made: Vec<[Call; 2]> = reaches.iter().map(|&r| calls(row, r)).collect();
    let (ours, plain) = made.into_iter().map(|[a, b]| (a, b)).unzip();
    // C knows one reach at compile time, so only a kernel of one has a twin.
    let twin = match reaches {
        [(y, x)] => Some(Twin {
            calls: Some(plain),
            ..Twin::new(
                "conv.c",
                &[
                    &format!("KY={y}"),
                    &format!("KX={x}"),
                    &format!("PITCH={PITCH}"),
                ],
            )
        }),
        _ => None,
    };
    let taps: u32 = reaches.iter().map(|(y, x)| y * x).sum();
    Bench {
        name: name.to_owned(),
        unit: "synapse",
        units: f64::from(taps * CHANNELS),
        target: Some(target),
        functions: vec![bare::compile(
            &RowKernel::Conv(row).kernel(Addressing::Guest),
        )],
        calls: ours,
        without: None,
        twin,
        output: SINK..SINK + PITCH * PITCH * CHANNELS * 2,
    }
}

fn calls(row: ConvRow, (lines, pixels): (u32, u32)) -> [Call; 2] {
    let mut lab = Lab::new(u64::from(lines * 10 + pixels));
    for k in 0..PITCH * PITCH * CHANNELS {
        let half = lab.rng.draw() as i16;
        lab.put(SINK + 2 * k, &half.to_le_bytes());
    }
    let mut plain = lab.data.clone();
    let mut taps = 0;
    for element in 0..lines * pixels {
        let weights: Vec<i32> = (0..CHANNELS)
            .map(|_| i32::from(lab.rng.draw() as i8))
            .collect();
        let at = WEIGHTS + element * row.block_bytes();
        lab.put(at, &row.block(&weights));
        let at = (WEIGHTS + element * CHANNELS - bare::DATA.start) as usize;
        for (byte, w) in plain[at..].iter_mut().zip(&weights) {
            *byte = *w as u8;
        }
        let pixel = element / pixels * PITCH + element % pixels;
        let tap = row.tap(pixel, element).expect("within reach");
        lab.put(TAPS + 4 * taps, &tap);
        taps += 1;
    }
    let ours = Call {
        args: vec![TAPS, TAPS + 4 * taps, WEIGHTS, SINK],
        data: lab.data,
    };
    let plain = Call {
        args: vec![WEIGHTS, SINK],
        data: plain,
    };
    [ours, plain]
}
