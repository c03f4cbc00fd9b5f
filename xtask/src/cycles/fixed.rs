//! Steps of neurons with fixed-point state.

use super::{Bench, Call, Twin};
use codegen::kernels::{Addressing, FireOps, FixedUpdate, Operand, Output, ResetOp, SynapseOps};
use ir::DType;
use ir::fixed_point::Kept;
use ir::semantics::{Compare, SpikeOn};
use tests::bare;
use tests::lab::{Lab, SEND};

const ATOMS: u32 = 128;
const SUMS: u32 = 0x4400;
// Side by side, as a PE's memory has them.
const V: u32 = 0x5000;
const FACTORS: u32 = V + 4 * ATOMS;
const THRESHOLDS: u32 = FACTORS + 4 * ATOMS;
const I: u32 = THRESHOLDS + 4 * ATOMS;
const KEY: u32 = 0x1_0000;
const SHIFT: u8 = 6;
const THRESHOLD: i32 = 100 << SHIFT;
/// Of 0.875 and of 0.75, less 1.
const FACTOR: i32 = -(1 << 29);
const SYN_FACTOR: i32 = -(1 << 30);

pub(super) fn benches() -> Vec<Bench> {
    let lif = lif();
    let per_neuron = FixedUpdate {
        leak: Some((Operand::Array(FACTORS), Kept::Near)),
        output: Output::Spikes(FireOps {
            threshold: Operand::Array(THRESHOLDS),
            ..fire()
        }),
        ..lif.clone()
    };
    let cuba = FixedUpdate {
        synapse: Some((
            SynapseOps {
                i: I,
                decay: Operand::Const(SYN_FACTOR),
                after: false,
                offset: None,
            },
            Kept::Near,
        )),
        ..lif.clone()
    };
    let integrate = FixedUpdate {
        leak: None,
        ..lif.clone()
    };
    let scan = FixedUpdate {
        rests: true,
        ..integrate.clone()
    };
    let readout = FixedUpdate {
        output: Output::Values(Operand::Const(0.01)),
        ..lif.clone()
    };
    let wide = |update: &FixedUpdate| FixedUpdate {
        sums: DType::I32,
        ..update.clone()
    };
    let one = format!("THRESHOLD={THRESHOLD}");
    let leak = format!("FACTOR=({FACTOR})");
    let current = format!("SYN_FACTOR=({SYN_FACTOR})");
    let both: [&str; 2] = [&leak, &one];
    vec![
        bench("lif_fixed", &lif, Some(9.5), &both),
        bench("lif_fixed_i32_sums", &wide(&lif), Some(9.5), &both),
        bench(
            "lif_fixed_per_neuron",
            &per_neuron,
            Some(11.0),
            &["FACTOR=params[j]", "THRESHOLD=params[N+j]"],
        ),
        bench(
            "cuba_lif_fixed",
            &cuba,
            Some(13.5),
            &[&leak, &one, &current],
        ),
        bench("if_fixed", &integrate, Some(9.5), &[&one]),
        quiet("if_fixed_scan", &scan, &[&one, "SKIPS"]),
        Bench {
            twin: None,
            ..bench("li_fixed_values", &readout, None, &[])
        },
        spike("lif_fixed_spike", &lif, &both),
    ]
}

fn fire() -> FireOps<i32> {
    FireOps {
        threshold: Operand::Const(THRESHOLD),
        compare: Compare::Gt,
        judge: SpikeOn::New,
        reset: ResetOp::To(Operand::Const(0)),
        hold: false,
        floor: None,
        pending: None,
        counts: false,
    }
}

fn lif() -> FixedUpdate {
    FixedUpdate {
        atoms: ATOMS,
        v: V,
        sums: DType::I16,
        shift: SHIFT,
        synapse: None,
        leak: Some((Operand::Const(FACTOR), Kept::Near)),
        offset: None,
        output: Output::Spikes(fire()),
        key: KEY,
        send: SEND,
        record_control: None,
        rests: false,
    }
}

/// What the update finds; with `spikes` every membrane is above the threshold.
fn call(update: &FixedUpdate, input: bool, spikes: bool) -> Call {
    let mut lab = Lab::new(9);
    let size = update.sums.size();
    for k in 0..ATOMS {
        let sum = if input { lab.between(1, 20) } else { 0 };
        lab.put(SUMS + k * size as u32, &sum.to_le_bytes()[..size]);
        let v = lab.below(80 << SHIFT) as i32 - (40 << SHIFT);
        let v = if spikes { v + (2000 << SHIFT) } else { v };
        lab.word(V + 4 * k, v.cast_unsigned());
        let i = lab.below(40 << SHIFT) as i32 - (20 << SHIFT);
        lab.word(I + 4 * k, i.cast_unsigned());
        let factor = lab.below(1 << 30) as i32 - (1 << 30);
        lab.word(FACTORS + 4 * k, factor.cast_unsigned());
        lab.word(THRESHOLDS + 4 * k, THRESHOLD.cast_unsigned());
    }
    Call {
        // The kernel takes the first, C takes all.
        args: vec![SUMS, V, I, FACTORS],
        data: lab.data,
    }
}

fn bench(name: &str, update: &FixedUpdate, target: Option<f64>, defines: &[&str]) -> Bench {
    let c_type = match update.sums {
        DType::I16 => "SUM=int16_t",
        _ => "SUM=int32_t",
    };
    let (atoms, shift) = (format!("N={ATOMS}"), format!("SHIFT={SHIFT}"));
    let defines = [&[c_type, &atoms, &shift], defines].concat();
    Bench {
        name: name.to_owned(),
        unit: "neuron",
        units: f64::from(ATOMS),
        target,
        functions: vec![bare::compile(&update.kernel(Addressing::Guest))],
        calls: vec![call(update, true, false)],
        without: None,
        twin: Some(Twin::new("neurons_fixed.c", &defines)),
        output: SUMS..I + 4 * ATOMS,
    }
}

/// A step without input.
fn quiet(name: &str, update: &FixedUpdate, defines: &[&str]) -> Bench {
    Bench {
        calls: vec![call(update, false, false)],
        ..bench(name, update, Some(2.6), defines)
    }
}

/// What a step costs in which every neuron spikes, above one in which none does.
fn spike(name: &str, update: &FixedUpdate, defines: &[&str]) -> Bench {
    Bench {
        unit: "spike",
        calls: vec![call(update, true, true)],
        without: Some(call(update, true, false)),
        ..bench(name, update, Some(16.0), defines)
    }
}
