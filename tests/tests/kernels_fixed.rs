//! The update with fixed-point state on random data and in every form: host code from the
//! same CLIF, the emulator's core and QEMU leave the same memory, and it is what the law
//! of `ir::fixed_point` says.

use codegen::kernels::{Addressing, FireOps, FixedUpdate, Operand, Output, ResetOp, SynapseOps};
use ir::DType;
use ir::fixed_point::Kept;
use ir::memory::{control, padded};
use ir::neuron::MAX_COUNT;
use ir::semantics::{Compare, SpikeOn};
use tests::bare::DATA;
use tests::lab::{Lab, SEND};

const CONTROL: u32 = 0x1_d000;
const RECORD: u32 = 0x1_c000;
const V: u32 = 0x5000;
const SUMS: u32 = 0x5400;
const I: u32 = 0x5c00;
const PENDING: u32 = 0x6000;
const ARRAYS: u32 = 0x7000;

/// A parameter as the kernel and as the model know it.
struct Given {
    op: Operand<i32>,
    values: Vec<i32>,
}

struct Maker<'a> {
    lab: &'a mut Lab,
    atoms: u32,
    next: u32,
}

fn draw(lab: &mut Lab, low: i64, high: i64) -> i32 {
    let span = (high - low + 1) as u64;
    let word = u64::from(lab.rng.draw()) << 32 | u64::from(lab.rng.draw());
    (low + (word % span) as i64) as i32
}

impl Maker<'_> {
    fn given(&mut self, low: i64, high: i64) -> Given {
        if self.lab.one_in(2) {
            let value = draw(self.lab, low, high);
            return Given {
                op: Operand::Const(value),
                values: vec![value; self.atoms as usize],
            };
        }
        let addr = self.next;
        // Some arrays lie within reach of one pointer, some do not.
        self.next += if self.lab.one_in(3) { 0x1400 } else { 0x400 };
        let values: Vec<i32> = (0..self.atoms).map(|_| draw(self.lab, low, high)).collect();
        for (k, v) in (0..).zip(&values) {
            self.lab.put(addr + 4 * k, &v.to_le_bytes());
        }
        Given {
            op: Operand::Array(addr),
            values,
        }
    }
    fn words(&mut self, at: u32, low: i64, high: i64) -> Vec<i32> {
        let values: Vec<i32> = (0..self.atoms).map(|_| draw(self.lab, low, high)).collect();
        for (k, v) in (0..).zip(&values) {
            self.lab.put(at + 4 * k, &v.to_le_bytes());
        }
        values
    }
    fn decay(&mut self) -> (Kept, Given) {
        let limit = 1i64 << 31;
        match self.lab.below(4) {
            0 => (Kept::Small, self.given(-limit, limit - 1)),
            1 => (Kept::Halved, self.given(-limit, limit - 1)),
            _ => (Kept::Near, self.given(-limit, 0)),
        }
    }
}

/// The law, in wider integers than the kernel has.
fn kept(form: Kept, value: i32, factor: i32) -> i64 {
    let product = i128::from(value) * i128::from(factor);
    let high = (product + (1 << 31)).div_euclid(1 << 32) as i64;
    match form {
        Kept::Near => i64::from(value) + high,
        Kept::Small => high,
        Kept::Halved => 2 * high,
    }
}

fn saturate(value: i64) -> i64 {
    value.clamp(i64::from(i32::MIN), i64::from(i32::MAX))
}

/// What the step should leave.
#[derive(Default)]
struct Expected {
    v: Vec<i32>,
    i: Vec<i32>,
    spiked: Vec<bool>,
    /// Key and payload of the last packet.
    last: (u32, u32),
}

#[test]
fn updates_follow_the_law() {
    let mut seen = (0, 0, 0, 0);
    for case in 0..240u64 {
        let mut lab = Lab::new(case);
        let atoms = [1, 3, 7, 8, 13, 40, 129][case as usize % 7];
        let key = 0x0001_0000 + 4096 * case as u32;
        let mut make = Maker {
            lab: &mut lab,
            atoms,
            next: ARRAYS,
        };
        let leaky = !make.lab.one_in(3);
        let (form, decay) = make.decay();
        let (syn_form, syn_decay) = make.decay();
        // Without a leak membranes may stand at the ends of int32.
        let wide = if leaky { 1i64 << 27 } else { (1 << 31) - 1 };
        let v = make.words(V, -wide - i64::from(!leaky), wide);
        let i = make.words(I, -(1 << 26), 1 << 26);
        let offset = make.given(-(1 << 20), 1 << 20);
        let threshold = make.given(1, 1 << 26);
        let amount = make.given(-(1 << 22), 1 << 24);
        let floor = make.given(-(1 << 24), -1);
        let syn_offset = make.given(-(1 << 20), 1 << 20);
        let unit_value = 0.01 + make.lab.below(100) as f32 / 64.0;
        let has_offset = lab.one_in(2);
        let has_synapse = leaky && lab.one_in(2);
        let (after, has_syn_offset) = (lab.one_in(2), lab.one_in(2));
        let values = lab.one_in(5);
        let reset = match lab.below(6) {
            0 => ResetOp::Keep,
            1 => ResetOp::To(amount.op),
            2 => ResetOp::Subtract(amount.op),
            3 => ResetOp::Pending(amount.op),
            _ => ResetOp::Multi,
        };
        let hold = lab.one_in(3);
        let judge = match lab.one_in(3) {
            true => SpikeOn::Old,
            false => SpikeOn::New,
        };
        let compare = match lab.one_in(2) {
            true => Compare::Ge,
            false => Compare::Gt,
        };
        let has_floor = lab.one_in(3);
        let remembers = hold || matches!(reset, ResetOp::Pending(_));
        let sums = if lab.one_in(3) {
            DType::I32
        } else {
            DType::I16
        };
        let shift = [0, 1, 6, 14][lab.below(4) as usize];
        let update = FixedUpdate {
            atoms,
            v: V,
            sums,
            shift,
            synapse: has_synapse.then_some((
                SynapseOps {
                    i: I,
                    decay: syn_decay.op,
                    after,
                    offset: has_syn_offset.then_some(syn_offset.op),
                },
                syn_form,
            )),
            leak: leaky.then_some((decay.op, form)),
            offset: has_offset.then_some(offset.op),
            output: match values {
                true => Output::Values(Operand::Const(unit_value)),
                false => Output::Spikes(FireOps {
                    threshold: threshold.op,
                    compare,
                    judge,
                    reset,
                    hold,
                    floor: has_floor.then_some(floor.op),
                    pending: remembers.then_some(PENDING),
                    counts: reset == ResetOp::Multi,
                }),
            },
            key,
            send: SEND,
            record_control: (!values && case % 4 == 1).then_some(CONTROL),
            rests: false,
        };
        let input: Vec<i32> = (0..padded(atoms))
            .map(|_| lab.below(6001) as i32 - 3000)
            .collect();
        for (k, x) in (0..).zip(&input) {
            let at = SUMS + k * sums.size() as u32;
            lab.put(at, &x.to_le_bytes()[..sums.size()]);
        }
        let pending: Vec<bool> = (0..atoms).map(|_| lab.one_in(3)).collect();
        for (k, &p) in (0..).zip(&pending) {
            // What an earlier step would have left.
            let word = match reset {
                ResetOp::Pending(_) if !hold => amount.values[k as usize].cast_unsigned(),
                _ => 1,
            };
            lab.word(PENDING + 4 * k, if p { word } else { 0 });
        }
        lab.word(CONTROL + control::RECORD_WRITE, RECORD);

        let mut expected = Expected::default();
        for k in 0..atoms as usize {
            let mut x = i64::from(input[k]) << shift;
            let mut current = i[k];
            if has_synapse {
                let add = x + if has_syn_offset {
                    i64::from(syn_offset.values[k])
                } else {
                    0
                };
                let factor = syn_decay.values[k];
                current = if after {
                    kept(syn_form, (i64::from(current) + add) as i32, factor) as i32
                } else {
                    (kept(syn_form, current, factor) + add) as i32
                };
                x = i64::from(current);
            }
            let mut new = match leaky {
                true => kept(form, v[k], decay.values[k]) + x,
                false => saturate(i64::from(v[k]) + x),
            };
            seen.3 += u32::from(!leaky && i64::from(v[k]) + x != new);
            if has_offset {
                new = saturate(new + i64::from(offset.values[k]));
            }
            let mut payload = 1;
            let mut says = false;
            if values {
                let value = unit_value * new as f32;
                says = value != 0.0;
                payload = value.to_bits();
            } else {
                if pending[k] && matches!(reset, ResetOp::Pending(_)) {
                    new = saturate(new - i64::from(amount.values[k]));
                }
                if pending[k] && hold {
                    new = 0;
                }
                if has_floor {
                    new = new.max(i64::from(floor.values[k]));
                }
                let judged = if judge == SpikeOn::Old {
                    i64::from(v[k])
                } else {
                    new
                };
                let bound = i64::from(threshold.values[k]);
                if judged > bound {
                    says = true;
                    match reset {
                        ResetOp::To(_) => new = i64::from(amount.values[k]),
                        ResetOp::Subtract(_) => {
                            new = saturate(new - i64::from(amount.values[k]));
                        }
                        ResetOp::Multi => {
                            // The most that leave the rest above nothing, or at it.
                            let (step, enough) = match compare {
                                Compare::Gt => (bound, 1),
                                Compare::Ge => (bound + 1, 0),
                            };
                            let n = (judged - enough) / step;
                            let n = n.min(i64::from(MAX_COUNT));
                            new = saturate(new - n * step);
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
            expected.v.push(i32::try_from(new).expect("within int32"));
            expected.i.push(current);
            expected.spiked.push(says);
        }

        let after = lab.agree(
            &[update.kernel(Addressing::Guest)],
            update.kernel(Addressing::Host),
            &[SUMS],
        );
        let bits = |all: &[i32]| all.iter().map(|x| x.cast_unsigned()).collect::<Vec<_>>();
        assert_eq!(
            after.words(V, atoms),
            bits(&expected.v),
            "v of case {case}: {update:?}"
        );
        if has_synapse {
            assert_eq!(after.words(I, atoms), bits(&expected.i), "i of case {case}");
        }
        if remembers && !values {
            // An amount of 0 is remembered as nothing, which is the same.
            let words = after.words(PENDING, atoms);
            for (k, word) in words.into_iter().enumerate() {
                let idle = !hold && amount.values[k] == 0;
                assert_eq!(
                    word != 0,
                    expected.spiked[k] && !idle,
                    "pending of case {case}"
                );
            }
        }
        let words = atoms * sums.size() as u32 / 4;
        assert!(after.words(SUMS, words).iter().all(|&w| w == 0));
        let sent = (after.word(SEND.key), after.word(SEND.payload));
        assert_eq!(sent, expected.last, "packet of case {case}");
        if update.record_control.is_some() {
            let bit = |k: u32| after.word(RECORD + 8 + k / 32 * 4) >> (k % 32) & 1 == 1;
            let bits: Vec<bool> = (0..atoms).map(bit).collect();
            assert_eq!(bits, expected.spiked, "record of case {case}");
        }
    }
    eprintln!("{seen:?}");
    assert!(seen.0 > 50, "several spikes at once occur");
    assert!(seen.1 > seen.2 / 10 && seen.1 < seen.2, "some atoms spike");
    assert!(seen.3 > 5, "some membranes saturate");
}

/// Where a step without input changes nothing, skipping it changes nothing.
#[test]
fn a_scan_leaves_what_the_full_update_leaves() {
    let mut skipped = 0;
    for case in 0..40u64 {
        let mut lab = Lab::new(1000 + case);
        let atoms = [1, 7, 8, 13, 40, 129][case as usize % 6];
        let threshold = 20_000 + lab.below(10_000) as i32;
        for k in 0..atoms {
            // No membrane is above the threshold, some are at it.
            let v = draw(&mut lab, -60_000, i64::from(threshold));
            let v = if lab.one_in(8) { threshold } else { v };
            lab.word(V + 4 * k, v.cast_unsigned());
            lab.word(ARRAYS + 4 * k, threshold.cast_unsigned());
        }
        let sums = [DType::I16, DType::I32][case as usize % 2];
        for group in 0..atoms.div_ceil(8) {
            let some = lab.one_in(3);
            skipped += u32::from(!some);
            for k in 8 * group..(8 * group + 8).min(atoms) {
                let x = if some { lab.below(61) as i32 - 30 } else { 0 };
                let at = SUMS + k * sums.size() as u32;
                lab.put(at, &x.to_le_bytes()[..sums.size()]);
            }
        }
        lab.word(CONTROL + control::RECORD_WRITE, RECORD);
        let full = FixedUpdate {
            atoms,
            v: V,
            sums,
            shift: 9,
            synapse: None,
            leak: None,
            offset: None,
            output: Output::Spikes(FireOps {
                threshold: match case % 3 {
                    0 => Operand::Const(threshold),
                    _ => Operand::Array(ARRAYS),
                },
                compare: Compare::Gt,
                judge: SpikeOn::New,
                reset: ResetOp::To(Operand::Const(-700)),
                hold: false,
                floor: None,
                pending: None,
                counts: false,
            }),
            key: 0x0001_0000,
            send: SEND,
            record_control: (case % 4 == 1).then_some(CONTROL),
            rests: false,
        };
        let run = |update: &FixedUpdate| {
            lab.agree(
                &[update.kernel(Addressing::Guest)],
                update.kernel(Addressing::Host),
                &[SUMS],
            )
        };
        let scan = FixedUpdate {
            rests: true,
            ..full.clone()
        };
        let (full, scan) = (run(&full), run(&scan));
        let all = (DATA.end - DATA.start) / 4;
        assert_eq!(full.words(DATA.start, all), scan.words(DATA.start, all));
    }
    assert!(skipped > 50, "some groups have no input");
}
