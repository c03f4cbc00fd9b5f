//! The neuron update on random data and in every form: host code from the same
//! CLIF, the emulator's core and QEMU leave the same memory, and it is what the
//! law in `ir::neuron::DiscreteNeuron` says.

use codegen::kernels::{
    Addressing, FireOps, MembraneOp, Operand, Output, ResetOp, SynapseOps, Update,
};
use ir::DType;
use ir::memory::{control, padded, touched};
use ir::neuron::MAX_COUNT;
use ir::semantics::{Compare, SpikeOn};
use tests::bare::DATA;
use tests::lab::{Lab, SEND};

const CONTROL: u32 = 0x1_d000;
const RECORD: u32 = 0x1_c000;
const V: u32 = 0x5000;
const SUMS: u32 = 0x5400;
const CURRENTS: u32 = 0x5800;
const I: u32 = 0x5c00;
const PENDING: u32 = 0x6000;
const MARKS: u32 = 0x6800;
const ARRAYS: u32 = 0x7000;

/// A parameter as the kernel and as the model know it.
struct Given {
    op: Operand,
    values: Vec<f32>,
}

struct Maker<'a> {
    lab: &'a mut Lab,
    atoms: u32,
    next: u32,
}

impl Maker<'_> {
    fn given(&mut self, low: f32, high: f32) -> Given {
        let draw = |lab: &mut Lab| low + (lab.rng.draw() as f32 / 2f32.powi(32)) * (high - low);
        if self.lab.one_in(2) {
            let value = draw(self.lab);
            return Given {
                op: Operand::Const(value),
                values: vec![value; self.atoms as usize],
            };
        }
        let addr = self.next;
        self.next += 0x400;
        let values: Vec<f32> = (0..self.atoms).map(|_| draw(self.lab)).collect();
        for (k, v) in (0..).zip(&values) {
            self.lab.put(addr + 4 * k, &v.to_le_bytes());
        }
        Given {
            op: Operand::Array(addr),
            values,
        }
    }
}

/// What the step should leave.
#[derive(Default)]
struct Expected {
    v: Vec<f32>,
    i: Vec<f32>,
    spiked: Vec<bool>,
    /// Key and payload of the last packet.
    last: (u32, u32),
}

#[test]
fn updates_follow_the_law() {
    let mut seen = (0, 0, 0);
    for case in 0..160u64 {
        let mut lab = Lab::new(case);
        let atoms = [1, 7, 8, 13, 40, 129][case as usize % 6];
        let key = 0x0001_0000 + 4096 * case as u32;
        let v = lab.floats(V, atoms, 40.0);
        let mut make = Maker {
            lab: &mut lab,
            atoms,
            next: ARRAYS,
        };
        let decay = make.given(0.3, 1.0);
        let offset = make.given(-3.0, 3.0);
        let threshold = make.given(4.0, 20.0);
        let amount = make.given(-5.0, 20.0);
        let floor = make.given(-8.0, -2.0);
        let syn_decay = make.given(0.3, 1.0);
        let syn_offset = make.given(-2.0, 2.0);
        let unit = make.given(0.01, 2.0);
        let (has_offset, has_synapse) = (lab.one_in(2), lab.one_in(2));
        let (after, has_syn_offset) = (lab.one_in(2), lab.one_in(2));
        let has_sums = !lab.one_in(3);
        let has_currents = !has_sums || lab.one_in(2);
        let membrane = match lab.below(4) {
            0 => MembraneOp::Fresh,
            1 => MembraneOp::Integrate,
            _ => MembraneOp::Leaky(decay.op),
        };
        let values = lab.one_in(4);
        let reset = match lab.below(6) {
            0 => ResetOp::Keep,
            1 => ResetOp::To(amount.op),
            2 => ResetOp::Subtract(amount.op),
            3 => ResetOp::Pending(amount.op),
            _ => ResetOp::Multi,
        };
        let hold = lab.one_in(3);
        let judge = if lab.one_in(3) {
            SpikeOn::Old
        } else {
            SpikeOn::New
        };
        let compare = if lab.one_in(2) {
            Compare::Ge
        } else {
            Compare::Gt
        };
        let has_floor = lab.one_in(3);
        let remembers = hold || matches!(reset, ResetOp::Pending(_));
        let sums = if lab.one_in(2) {
            DType::I16
        } else {
            DType::I32
        };
        let fire = FireOps {
            threshold: threshold.op,
            compare,
            judge,
            reset,
            hold,
            floor: has_floor.then_some(floor.op),
            pending: remembers.then_some(PENDING),
            counts: reset == ResetOp::Multi,
        };
        let forgets = values && membrane == MembraneOp::Fresh;
        let update = Update {
            atoms,
            v: (!forgets).then_some(V),
            sums: has_sums.then_some(sums),
            currents: has_currents.then_some(CURRENTS),
            synapse: has_synapse.then_some(SynapseOps {
                i: I,
                decay: syn_decay.op,
                after,
                offset: has_syn_offset.then_some(syn_offset.op),
            }),
            membrane,
            offset: has_offset.then_some(offset.op),
            output: match values {
                true => Output::Values(unit.op),
                false => Output::Spikes(fire),
            },
            key,
            send: SEND,
            record_control: (!values && case % 4 == 1).then_some(CONTROL),
            rests: false,
            touched: None,
        };
        let input: Vec<i32> = (0..padded(atoms))
            .map(|_| lab.below(61) as i32 - 30)
            .collect();
        for (k, x) in (0..).zip(&input) {
            lab.put(
                SUMS + k * sums.size() as u32,
                &x.to_le_bytes()[..sums.size()],
            );
        }
        let currents = lab.floats(CURRENTS, atoms, 10.0);
        let i = lab.floats(I, atoms, 10.0);
        let pending: Vec<bool> = (0..atoms).map(|_| lab.one_in(3)).collect();
        for (k, &p) in (0..).zip(&pending) {
            // What an earlier step would have left.
            let word = match reset {
                ResetOp::Pending(_) if !hold => amount.values[k as usize].to_bits(),
                _ => 1,
            };
            lab.word(PENDING + 4 * k, if p { word } else { 0 });
        }
        lab.word(CONTROL + control::RECORD_WRITE, RECORD);

        let mut expected = Expected::default();
        for k in 0..atoms as usize {
            let mut x = 0.0;
            if has_sums {
                x = input[k] as f32;
                if has_currents {
                    x += currents[k];
                }
            } else if has_currents {
                x = currents[k];
            }
            let mut current = i[k];
            if has_synapse {
                if !after {
                    current *= syn_decay.values[k];
                }
                current += x;
                if has_syn_offset {
                    current += syn_offset.values[k];
                }
                if after {
                    current *= syn_decay.values[k];
                }
                x = current;
            }
            let mut new = match membrane {
                MembraneOp::Fresh => x,
                MembraneOp::Integrate => v[k] + x,
                MembraneOp::Leaky(_) => {
                    let kept = v[k] * decay.values[k];
                    kept + x
                }
            };
            if has_offset {
                new += offset.values[k];
            }
            let mut payload = 1;
            let mut says = false;
            if values {
                let value = unit.values[k] * new;
                says = value != 0.0;
                payload = value.to_bits();
            } else {
                if pending[k] && matches!(reset, ResetOp::Pending(_)) {
                    new -= amount.values[k];
                }
                if pending[k] && hold {
                    new = 0.0;
                }
                if has_floor {
                    new = new.max(floor.values[k]);
                }
                let judged = if judge == SpikeOn::Old { v[k] } else { new };
                let thr = threshold.values[k];
                let passes = judged > thr || (judged == thr && compare == Compare::Ge);
                if passes {
                    says = true;
                    match reset {
                        ResetOp::To(_) => new = amount.values[k],
                        ResetOp::Subtract(_) => new -= amount.values[k],
                        ResetOp::Multi => {
                            let mut n = (judged / thr).trunc();
                            if compare == Compare::Gt && n * thr == judged {
                                n -= 1.0;
                            }
                            let n = n.min(MAX_COUNT as f32);
                            let fall = thr * n;
                            new -= fall;
                            payload = n as u32;
                            seen.0 += u32::from(payload > 1);
                        }
                        ResetOp::Pending(_) | ResetOp::Keep => {}
                    }
                }
            }
            seen.1 += u32::from(says);
            seen.2 += 1;
            if says {
                let plain = !values && reset != ResetOp::Multi;
                expected.last = (key + k as u32, if plain { 0 } else { payload });
            }
            expected.v.push(new);
            expected.i.push(current);
            expected.spiked.push(says);
        }

        let args = if has_sums { vec![SUMS] } else { vec![] };
        let after = lab.agree(
            &[update.kernel(Addressing::Guest)],
            update.kernel(Addressing::Host),
            &args,
        );
        let bits = |all: &[f32]| all.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        if !forgets {
            assert_eq!(
                after.words(V, atoms),
                bits(&expected.v),
                "v of case {case}: {update:?}"
            );
        }
        if has_synapse {
            assert_eq!(after.words(I, atoms), bits(&expected.i), "i of case {case}");
        }
        if remembers && !values {
            let nonzero = after.words(PENDING, atoms).into_iter().map(|w| w != 0);
            let nonzero: Vec<bool> = nonzero.collect();
            assert_eq!(nonzero, expected.spiked, "pending of case {case}");
        }
        if has_sums {
            let words = atoms * sums.size() as u32 / 4;
            assert!(after.words(SUMS, words).iter().all(|&w| w == 0));
        }
        if has_currents {
            assert!(after.words(CURRENTS, atoms).iter().all(|&w| w == 0));
        }
        let sent = (after.word(SEND.key), after.word(SEND.payload));
        assert_eq!(sent, expected.last, "packet of case {case}");
        if update.record_control.is_some() {
            let bit = |k: u32| after.word(RECORD + 8 + k / 32 * 4) >> (k % 32) & 1 == 1;
            let bits: Vec<bool> = (0..atoms).map(bit).collect();
            assert_eq!(bits, expected.spiked, "record of case {case}");
        }
    }
    println!("{seen:?}");
    assert!(seen.0 > 50, "several spikes at once occur");
    assert!(seen.1 > seen.2 / 10 && seen.1 < seen.2, "some atoms spike");
}

/// Where a step without input changes nothing, skipping it changes nothing, whether sums
/// are looked at or marks of them.
#[test]
fn a_scan_leaves_what_the_full_update_leaves() {
    let mut skipped = 0;
    for case in 0..80u64 {
        let mut lab = Lab::new(1000 + case);
        let atoms = [1, 7, 8, 13, 40, 129, 48, 112][case as usize % 8];
        let threshold = 20.0 + lab.below(10) as f32;
        for k in 0..atoms {
            // No membrane is above the threshold, some are at it.
            let v = lab.float(20.0).min(threshold);
            let v = if lab.one_in(8) { threshold } else { v };
            lab.word(V + 4 * k, (v + 0.0).to_bits());
            lab.word(ARRAYS + 4 * k, threshold.to_bits());
        }
        let sums = if case % 2 == 0 {
            DType::I16
        } else {
            DType::I32
        };
        let marked = atoms % touched::TARGETS == 0;
        for group in 0..atoms.div_ceil(8) {
            let some = lab.one_in(3);
            skipped += u32::from(!some);
            if marked && some {
                let mark = 1 + lab.below(255);
                lab.put(MARKS + group / 2, &[mark as u8]);
            }
            for k in 8 * group..(8 * group + 8).min(atoms) {
                let x = if some { lab.below(61) as i32 - 30 } else { 0 };
                lab.put(
                    SUMS + k * sums.size() as u32,
                    &x.to_le_bytes()[..sums.size()],
                );
            }
        }
        lab.word(CONTROL + control::RECORD_WRITE, RECORD);
        let full = Update {
            atoms,
            v: Some(V),
            sums: Some(sums),
            currents: None,
            synapse: None,
            membrane: MembraneOp::Integrate,
            offset: None,
            output: Output::Spikes(FireOps {
                threshold: match case % 3 {
                    0 => Operand::Const(threshold),
                    _ => Operand::Array(ARRAYS),
                },
                compare: Compare::Gt,
                judge: SpikeOn::New,
                reset: ResetOp::To(Operand::Const(-1.5)),
                hold: false,
                floor: None,
                pending: None,
                counts: false,
            }),
            key: 0x0001_0000,
            send: SEND,
            record_control: (case % 4 == 1).then_some(CONTROL),
            rests: false,
            touched: None,
        };
        let run = |update: &Update| {
            lab.agree(
                &[update.kernel(Addressing::Guest)],
                update.kernel(Addressing::Host),
                &[SUMS],
            )
        };
        let scan = Update {
            rests: true,
            touched: None,
            ..full.clone()
        };
        let visit = Update {
            touched: marked.then_some(MARKS),
            ..scan.clone()
        };
        let (full, scan, visit) = (run(&full), run(&scan), run(&visit));
        let words = touched::bytes(atoms) / 4;
        for (from, to) in [(DATA.start, MARKS), (MARKS + 4 * words, DATA.end)] {
            let all = (to - from) / 4;
            assert_eq!(full.words(from, all), scan.words(from, all));
            assert_eq!(full.words(from, all), visit.words(from, all));
        }
        let left = visit.words(MARKS, words);
        assert!(!marked || left.iter().all(|&w| w == 0), "{left:?}");
    }
    assert!(skipped > 100, "some groups have no input");
}
