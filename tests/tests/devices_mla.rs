//! The MAC array from emitted code: random matrix products and convolutions, bit exact
//! against plain sums, and in the time that the target file says.

use codegen::devices::{Job, MacArray, Operand, Output, Shape, Width, Window};
use codegen::kernels::{Addressing, Kernel, build};
use ir::Target;
use runtime_sim::clock::Level;
use tests::bare::DATA;
use tests::device_bench::{Ran, run};
use tests::lab::Lab;

const A: u32 = 0x4000;
const B: u32 = 0xA000;
const RESULT: u32 = 0x1_0000;
/// Status and overflows go here, and a word that is counted up while the array works.
const NOTES: u32 = 0x1_e000;

#[derive(Clone, Debug)]
struct Case {
    shape: Shape,
    a: Operand,
    b: Operand,
    output: Output,
}

/// How the kernel waits.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wait {
    Sleep,
    Poll,
    /// Counts a word up, then sleeps.
    Work(u32),
}

fn kernel(target: &Target, case: &Case, wait: Wait) -> Kernel {
    let array = MacArray::of(target);
    let job = Job::new(target, case.shape, case.a, case.b, case.output).expect("it fits");
    build("job", 0, Addressing::Guest, |kb, _| {
        let (a, b, result) = (kb.int(A), kb.int(B), kb.int(RESULT));
        array.start(kb, &job, a, b, result);
        match wait {
            Wait::Sleep => array.sleep(kb),
            Wait::Poll => array.poll(kb),
            Wait::Work(n) => {
                kb.repeat(n, &[], |kb, _| {
                    let count = kb.load_at(NOTES + 8);
                    let next = kb.add_const(count, 1);
                    kb.store_at(next, NOTES + 8);
                    vec![]
                });
                array.sleep(kb);
            }
        }
        let overflows = array.overflows(kb);
        let status = array.take_status(kb);
        kb.store_at(status, NOTES);
        kb.store_at(overflows, NOTES + 4);
    })
}

fn counts(shape: Shape) -> (usize, usize, usize) {
    match shape {
        Shape::Matrix { m, k, n } => ((m * k) as usize, (k * n) as usize, (m * n) as usize),
        Shape::Convolution(w) => {
            let (h, v) = size_out(&w);
            let kernel = w.kernel.0 * w.kernel.1;
            (
                (w.channels_in * w.input.0 * w.input.1) as usize,
                (w.channels_in * w.channels_out * kernel) as usize,
                (w.channels_out * h * v) as usize,
            )
        }
    }
}

fn size_out(w: &Window) -> (u32, u32) {
    let one = |n: u32, p: (u32, u32), k: u32, s: u32| (n + p.0 + p.1 - k) / s + 1;
    (
        one(w.input.0, w.padding_vertical, w.kernel.0, w.stride.0),
        one(w.input.1, w.padding_horizontal, w.kernel.1, w.stride.1),
    )
}

/// The elements of an operand as the array reads them.
fn elements(bytes: &[u8], o: Operand) -> Vec<i64> {
    match (o.wide, o.signed) {
        (false, true) => bytes.iter().map(|&b| i64::from(b as i8)).collect(),
        (false, false) => bytes.iter().map(|&b| i64::from(b)).collect(),
        (true, signed) => bytes
            .chunks_exact(2)
            .map(|b| i64::from(b[0]) | i64::from(b[1]) << 8)
            .map(|v| if signed && v > 32_767 { v - 65_536 } else { v })
            .collect(),
    }
}

/// One accumulator: a sum of `bits` bits that wraps, and whether it ever did.
fn accumulate(products: impl Iterator<Item = i64>, bits: u32) -> (i64, bool) {
    let half = 1_i64 << (bits - 1);
    let (mut sum, mut over) = (0_i64, false);
    for p in products {
        sum += p;
        if sum >= half || sum < -half {
            over = true;
            sum = (sum + half).rem_euclid(2 * half) - half;
        }
    }
    (sum, over)
}

/// Results before shift, ReLU and width, in order.
fn reference(case: &Case, a: &[i64], b: &[i64], bits: u32) -> Vec<(i64, bool)> {
    match case.shape {
        Shape::Matrix { m, k, n } => {
            let (m, k, n) = (m as usize, k as usize, n as usize);
            let one =
                |i: usize, j: usize| accumulate((0..k).map(|x| a[i * k + x] * b[x * n + j]), bits);
            (0..m)
                .flat_map(|i| (0..n).map(move |j| (i, j)))
                .map(|(i, j)| one(i, j))
                .collect()
        }
        Shape::Convolution(w) => {
            let (rows, columns) = size_out(&w);
            let mut all = Vec::new();
            for o in 0..w.channels_out {
                for y in 0..rows {
                    for x in 0..columns {
                        let mut products = Vec::new();
                        for c in 0..w.channels_in {
                            for ky in 0..w.kernel.0 {
                                for kx in 0..w.kernel.1 {
                                    let iy = i64::from(y * w.stride.0 + ky)
                                        - i64::from(w.padding_vertical.0);
                                    let ix = i64::from(x * w.stride.1 + kx)
                                        - i64::from(w.padding_horizontal.0);
                                    let inside = (0..i64::from(w.input.0)).contains(&iy)
                                        && (0..i64::from(w.input.1)).contains(&ix);
                                    let at =
                                        (i64::from(c * w.input.0) + iy) * i64::from(w.input.1) + ix;
                                    let weight = ((o * w.channels_in + c) * w.kernel.0 + ky)
                                        * w.kernel.1
                                        + kx;
                                    let value = if inside { a[at as usize] } else { 0 };
                                    products.push(value * b[weight as usize]);
                                }
                            }
                        }
                        all.push(accumulate(products.into_iter(), bits));
                    }
                }
            }
            all
        }
    }
}

fn width(w: Width) -> usize {
    match w {
        Width::Bits8 => 1,
        Width::Bits16 => 2,
        Width::Bits32 => 4,
    }
}

/// Cycles by hardware.md's formulas, in floating point and with the published numbers.
fn cycles(case: &Case) -> u64 {
    let fuse = |o: Operand| if o.wide { 2.0 } else { 1.0 };
    let busy = match case.shape {
        Shape::Matrix { m, k, n } => {
            let rows = (f64::from(m) / (4.0 / fuse(case.a))).ceil();
            let columns = (f64::from(n) / (16.0 / fuse(case.b))).ceil();
            rows * columns * f64::from(k) / if m == 1 { 0.7 } else { 0.78 }
        }
        Shape::Convolution(w) => {
            let (_, kernels, results) = counts(case.shape);
            let macs = results as f64 * kernels as f64 / f64::from(w.channels_out);
            (macs * fuse(case.a) * fuse(case.b) / 64.0).ceil() / 0.35
        }
    };
    // A product of whole numbers and a percentage: what is left over is far above 1e-6.
    100 + (busy - 1e-6).ceil() as u64
}

const SIZES: [Data; 4] = [Data::Quiet, Data::Any, Data::Any, Data::Loud];

fn random_operand(lab: &mut Lab) -> Operand {
    Operand {
        signed: lab.one_in(2),
        wide: lab.one_in(3),
        at: None,
    }
}

fn random_case(lab: &mut Lab, convolution: bool) -> Case {
    let shape = if convolution {
        let kernel = (lab.between(1, 5), lab.between(1, 5));
        let below = |lab: &mut Lab, n: u32| (lab.below(n), lab.below(n));
        Shape::Convolution(Window {
            channels_in: lab.between(1, 5),
            channels_out: lab.between(1, 6),
            input: (lab.between(kernel.0, 13), lab.between(kernel.1, 13)),
            kernel,
            stride: (lab.between(1, 4), lab.between(1, 4)),
            padding_vertical: below(lab, kernel.0),
            padding_horizontal: below(lab, kernel.1),
        })
    } else {
        let rows = if lab.one_in(4) { 1 } else { lab.between(1, 23) };
        Shape::Matrix {
            m: rows,
            k: lab.between(1, 300),
            n: lab.between(1, 35),
        }
    };
    let widths = [Width::Bits8, Width::Bits16, Width::Bits32];
    Case {
        shape,
        a: random_operand(lab),
        b: random_operand(lab),
        output: Output {
            width: widths[lab.below(3) as usize],
            shift: if lab.one_in(3) {
                lab.below(40)
            } else {
                lab.below(12)
            },
            relu: lab.one_in(3),
            at: None,
        },
    }
}

/// How large random operands are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Data {
    /// Sums stay small.
    Quiet,
    Any,
    /// All large and above zero, so that sums overflow.
    Loud,
}

/// Runs `case` on random operands and compares everything.
fn check(lab: &mut Lab, target: &Target, case: &Case, wait: Wait, size: Data) -> Ran {
    let (n_a, n_b, n_results) = counts(case.shape);
    let mut fill = |addr: u32, n: usize, o: Operand| {
        let bytes = n << usize::from(o.wide);
        let mut data: Vec<u8> = (0..bytes).map(|_| lab.rng.draw() as u8).collect();
        for b in data.iter_mut().filter(|_| !o.wide) {
            *b = match (size, o.signed) {
                (Data::Quiet, _) => (*b as i8 / 16).unsigned_abs(),
                (Data::Any, _) => *b,
                (Data::Loud, true) => *b & 0x1f | 0x60,
                (Data::Loud, false) => *b | 0xc0,
            };
        }
        lab.put(addr, &data);
        elements(&data, o)
    };
    let a = fill(A, n_a, case.a);
    let b = fill(B, n_b, case.b);
    let ran = run(
        target,
        Level::High,
        kernel(target, case, wait),
        &[],
        &lab.data,
    );
    let wide = u32::from(case.a.wide) + u32::from(case.b.wide);
    let sums = reference(case, &a, &b, target.mla.accumulator_bits + 8 * wide);
    let overflows = sums.iter().filter(|s| s.1).count() as u32;
    let width = width(case.output.width);
    let expected: Vec<u8> = sums
        .iter()
        .map(|&(sum, _)| sum >> case.output.shift)
        .map(|v| if case.output.relu { v.max(0) } else { v })
        .flat_map(|v| v.to_le_bytes()[..width].to_vec())
        .collect();
    assert!(
        ran.bytes(RESULT, n_results * width) == expected,
        "{case:?}: results differ"
    );
    assert_eq!(ran.word(NOTES + 4), overflows, "{case:?}");
    assert_eq!(
        ran.word(NOTES),
        2 | u32::from(overflows > 0) << 2,
        "{case:?}"
    );
    let did = ran.bus.mla.activity();
    assert_eq!(did.overflows, u64::from(overflows));
    assert_eq!(did.busy, [0, cycles(case)], "{case:?}");
    assert_eq!(did.cell_macs[1], did.macs << wide);
    ran
}

#[test]
fn random_matrix_products() {
    let target = Target::spinnaker2();
    let mut lab = Lab::new(31);
    let mut overflowed = 0;
    for n in 0..160 {
        let mut case = random_case(&mut lab, false);
        if n % 8 == 7 {
            (case.a, case.b) = (Operand::default(), Operand::default());
        }
        let wait = [Wait::Sleep, Wait::Poll][n / 4 % 2];
        let ran = check(&mut lab, &target, &case, wait, SIZES[n % 4]);
        overflowed += u64::from(ran.bus.mla.activity().overflows > 0);
    }
    // Both sides of the border are met.
    assert!(
        (3..150).contains(&overflowed),
        "{overflowed} of 160 overflowed"
    );
}

#[test]
fn random_convolutions() {
    let target = Target::spinnaker2();
    let mut lab = Lab::new(32);
    for n in 0..80 {
        let case = random_case(&mut lab, true);
        check(&mut lab, &target, &case, Wait::Sleep, SIZES[n % 4]);
    }
}

#[test]
fn a_wider_accumulator_takes_what_24_bits_do_not() {
    let mut target = Target::spinnaker2();
    let case = Case {
        shape: Shape::Matrix {
            m: 4,
            k: 1000,
            n: 16,
        },
        a: Operand::default(),
        b: Operand::default(),
        output: Output::default(),
    };
    let mut lab = Lab::new(33);
    let narrow = check(&mut lab, &target, &case, Wait::Sleep, Data::Any);
    assert_eq!(narrow.bus.mla.activity().overflows, 64);
    target.mla.accumulator_bits = 29;
    let wide = check(&mut lab, &target, &case, Wait::Sleep, Data::Any);
    assert_eq!(wide.bus.mla.activity().overflows, 0);
}

fn big() -> Case {
    Case {
        shape: Shape::Matrix {
            m: 64,
            k: 128,
            n: 64,
        },
        a: Operand {
            signed: true,
            ..Operand::default()
        },
        b: Operand {
            signed: true,
            ..Operand::default()
        },
        output: Output::default(),
    }
}

#[test]
fn the_core_sleeps_or_works_while_the_array_does() {
    let target = Target::spinnaker2();
    let mut lab = Lab::new(34);
    let asleep = check(&mut lab, &target, &big(), Wait::Sleep, Data::Quiet);
    let awake = check(&mut lab, &target, &big(), Wait::Poll, Data::Quiet);
    let busy = cycles(&big());
    // 16 x 4 x 128 / 0.78 and the start.
    assert_eq!(busy, 10_603);
    assert!(asleep.awake < 300, "{} cycles awake", asleep.awake);
    assert!(awake.awake > busy && awake.awake < busy + 300);
    assert!(asleep.cycles > busy && asleep.cycles < busy + 300);
    // Work that takes less than the job is free.
    let worked = check(&mut lab, &target, &big(), Wait::Work(1000), Data::Quiet);
    assert_eq!(worked.word(NOTES + 8), 1000);
    assert!(worked.awake > 3000);
    assert!(
        worked.cycles.abs_diff(asleep.cycles) < 20,
        "{} and {}",
        worked.cycles,
        asleep.cycles
    );
}

#[test]
fn the_array_keeps_the_clock_of_its_pe() {
    let target = Target::spinnaker2();
    let lab = Lab::new(35);
    let at = |level| {
        let kernel = kernel(&target, &big(), Wait::Sleep);
        run(&target, level, kernel, &[], &lab.data)
    };
    let (high, low) = (at(Level::High), at(Level::Low));
    assert_eq!(low.cycles, high.cycles);
    let busy = cycles(&big());
    assert_eq!(high.bus.mla.activity().busy, [0, busy]);
    assert_eq!(low.bus.mla.activity().busy, [2 * busy, 0]);
}

#[test]
fn results_and_operands_change_when_documented() {
    // The kernel spoils an operand right after the start and looks at the result before the
    // job is done: neither changes what is computed, and the result is still the old memory.
    let target = Target::spinnaker2();
    let case = Case {
        shape: Shape::Matrix { m: 1, k: 2, n: 1 },
        ..big()
    };
    let job = Job::new(&target, case.shape, case.a, case.b, case.output).expect("it fits");
    let array = MacArray::of(&target);
    let kernel = build("job", 0, Addressing::Guest, |kb, _| {
        let (a, b, result) = (kb.int(A), kb.int(B), kb.int(RESULT));
        array.start(kb, &job, a, b, result);
        let spoilt = kb.int(0x7f7f);
        kb.store_at(spoilt, A);
        let early = kb.load_at(RESULT);
        kb.store_at(early, NOTES);
        // A second start is refused.
        array.start(kb, &job, a, b, result);
        let status = array.status(kb);
        kb.store_at(status, NOTES + 4);
        array.sleep(kb);
        let status = array.take_status(kb);
        kb.store_at(status, NOTES + 8);
        let late = kb.load_at(RESULT);
        kb.store_at(late, NOTES + 12);
        let status = array.status(kb);
        kb.store_at(status, NOTES + 16);
    });
    let mut lab = Lab::new(36);
    lab.put(A, &[3, 4]);
    lab.put(B, &[5, 6]);
    lab.word(RESULT, 77);
    let ran = run(&target, Level::High, kernel, &[], &lab.data);
    assert_eq!(ran.words(NOTES, 5), [77, 0x19, 0x1a, 15 + 24, 0]);
    assert!(DATA.contains(&NOTES));
}

#[test]
fn resident_products_come_to_the_published_rate() {
    // A transformer-like product, again and again, with all that the core does in between.
    let target = Target::spinnaker2();
    let case = Case {
        shape: Shape::Matrix {
            m: 64,
            k: 256,
            n: 96,
        },
        output: Output {
            width: Width::Bits8,
            shift: 12,
            ..Output::default()
        },
        ..big()
    };
    const JOBS: u32 = 10;
    let job = Job::new(&target, case.shape, case.a, case.b, case.output).expect("it fits");
    let array = MacArray::of(&target);
    let kernel = build("jobs", 0, Addressing::Guest, |kb, _| {
        kb.repeat(JOBS, &[], |kb, _| {
            let (a, b, result) = (kb.int(A), kb.int(B), kb.int(RESULT));
            array.start(kb, &job, a, b, result);
            array.sleep(kb);
            array.take_status(kb);
            vec![]
        });
    });
    let lab = Lab::new(37);
    for (level, hz, published) in [
        (Level::High, target.clock.pe_high_hz, 4.563),
        (Level::Low, target.clock.pe_low_hz, 2.281),
    ] {
        let ran = run(&target, level, kernel.clone(), &[], &lab.data);
        let did = ran.bus.mla.activity();
        assert_eq!(did.jobs, u64::from(JOBS));
        let pes = target.pes().count() as f64;
        let seconds = ran.cycles as f64 / hz as f64;
        let tops = 2.0 * pes * did.macs as f64 / seconds / 1e12;
        let off = tops / published - 1.0;
        assert!(off.abs() < 0.01, "{tops} TOPS, published {published}");
    }
}
