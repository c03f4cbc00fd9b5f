//! Steps of neurons, and what a spike costs on top.

use super::{Bench, Call, Twin};
use codegen::kernels::{
    Addressing, FireOps, MembraneOp, Operand, Output, ResetOp, SynapseOps, Update,
};
use ir::DType;
use ir::semantics::{Compare, SpikeOn};
use tests::bare;
use tests::lab::{Lab, SEND};

const ATOMS: u32 = 128;
const SUMS: u32 = 0x4400;
const V: u32 = 0x5000;
const I: u32 = 0x6000;
const DECAYS: u32 = 0x7000;
const THRESHOLDS: u32 = DECAYS + 4 * ATOMS;
const PENDING: u32 = 0x8000;
const KEY: u32 = 0x1_0000;
const THRESHOLD: f32 = 100.0;

pub(super) fn benches() -> Vec<Bench> {
    let lif = lif();
    let per_neuron = Update {
        membrane: MembraneOp::Leaky(Operand::Array(DECAYS)),
        output: Output::Spikes(FireOps {
            threshold: Operand::Array(THRESHOLDS),
            ..fire()
        }),
        ..lif.clone()
    };
    let cuba = Update {
        synapse: Some(SynapseOps {
            i: I,
            decay: Operand::Const(0.75),
            after: false,
            offset: None,
        }),
        ..lif.clone()
    };
    let integrate = Update {
        membrane: MembraneOp::Integrate,
        ..lif.clone()
    };
    let scan = Update {
        rests: true,
        touched: None,
        ..integrate.clone()
    };
    let readout = Update {
        output: Output::Values(Operand::Const(0.01)),
        ..lif.clone()
    };
    let wide = |update: &Update| Update {
        sums: Some(DType::I32),
        ..update.clone()
    };
    let one = "THRESHOLD=100.0f";
    let leak = "LEAK=0.875f";
    let quiet = Memory::default();
    let rest = Memory {
        input: false,
        ..quiet
    };
    vec![
        quiet.bench("lif_f32", &lif, 14.0, &[leak, one]),
        quiet.bench("lif_f32_i32_sums", &wide(&lif), 14.0, &[leak, one]),
        quiet.bench(
            "lif_f32_per_neuron",
            &per_neuron,
            16.5,
            &["LEAK=params[j]", "THRESHOLD=params[N+j]"],
        ),
        quiet.bench("cuba_lif_f32", &cuba, 19.5, &[leak, one, "SYN_DECAY=0.75f"]),
        remembering(
            "lif_f32_pending",
            &lif,
            ResetOp::Pending(Operand::Const(THRESHOLD)),
            false,
        ),
        remembering(
            "cuba_lif_f32_hold",
            &cuba,
            ResetOp::To(Operand::Const(0.0)),
            true,
        ),
        Bench {
            target: None,
            twin: None,
            ..quiet.bench("li_f32_values", &readout, 0.0, &[])
        },
        quiet.bench("if_f32", &integrate, 13.5, &[one]),
        rest.bench("if_scan", &scan, 2.6, &[one, "SKIPS"]),
        rest.bench("if_scan_i32_sums", &wide(&scan), 3.5, &[one, "SKIPS"]),
        quiet.bench("if_scan_all_busy", &scan, 18.0, &[one, "SKIPS"]),
        spike("lif_f32_spike", &lif, &[leak, one]),
    ]
}

fn fire() -> FireOps {
    FireOps {
        threshold: Operand::Const(THRESHOLD),
        compare: Compare::Gt,
        judge: SpikeOn::New,
        reset: ResetOp::To(Operand::Const(0.0)),
        hold: false,
        floor: None,
        pending: None,
        counts: false,
    }
}

fn lif() -> Update {
    Update {
        atoms: ATOMS,
        v: Some(V),
        sums: Some(DType::I16),
        currents: None,
        synapse: None,
        membrane: MembraneOp::Leaky(Operand::Const(0.875)),
        offset: None,
        output: Output::Spikes(fire()),
        key: KEY,
        send: SEND,
        record_control: None,
        rests: false,
        touched: None,
    }
}

/// What the update finds.
#[derive(Clone, Copy)]
struct Memory {
    input: bool,
    /// Whether every membrane is above the threshold.
    spikes: bool,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            input: true,
            spikes: false,
        }
    }
}

impl Memory {
    fn call(self, update: &Update) -> Call {
        let mut lab = Lab::new(9);
        let size = update.sums.map_or(0, DType::size);
        for k in 0..ATOMS {
            let sum = if self.input { lab.between(1, 20) } else { 0 };
            lab.put(SUMS + k * size as u32, &sum.to_le_bytes()[..size]);
            let v = if self.spikes { 2000.0 } else { 0.0 } + lab.float(40.0);
            lab.word(V + 4 * k, v.to_bits());
            let i = lab.float(20.0);
            lab.word(I + 4 * k, i.to_bits());
            let decay = lab.between(100, 199) as f32 / 200.0;
            lab.word(DECAYS + 4 * k, decay.to_bits());
            lab.word(THRESHOLDS + 4 * k, THRESHOLD.to_bits());
        }
        Call {
            // The kernel takes the first, C takes all.
            args: vec![SUMS, V, I, DECAYS],
            data: lab.data,
        }
    }

    fn bench(self, name: &str, update: &Update, target: f64, defines: &[&str]) -> Bench {
        let c_type = match update.sums {
            Some(DType::I16) => "SUM=int16_t",
            _ => "SUM=int32_t",
        };
        let atoms = format!("N={ATOMS}");
        let defines = [&[c_type, &atoms], defines].concat();
        Bench {
            name: name.to_owned(),
            unit: "neuron",
            units: f64::from(ATOMS),
            target: Some(target),
            functions: vec![bare::compile(&update.kernel(Addressing::Guest))],
            calls: vec![self.call(update)],
            without: None,
            twin: Some(Twin::new("neurons.c", &defines)),
            output: SUMS..I + 4 * ATOMS,
        }
    }
}

/// Neurons whose spike acts in the step after.
fn remembering(name: &str, update: &Update, reset: ResetOp, hold: bool) -> Bench {
    let update = Update {
        output: Output::Spikes(FireOps {
            reset,
            hold,
            pending: Some(PENDING),
            ..fire()
        }),
        ..update.clone()
    };
    Bench {
        target: None,
        twin: None,
        ..Memory::default().bench(name, &update, 0.0, &[])
    }
}

/// What a step costs in which every neuron spikes, above one in which none does.
fn spike(name: &str, update: &Update, defines: &[&str]) -> Bench {
    let quiet = Memory::default();
    let all = Memory {
        spikes: true,
        ..quiet
    };
    Bench {
        unit: "spike",
        without: Some(quiet.call(update)),
        ..all.bench(name, update, 16.0, defines)
    }
}
