//! Exp/log, random numbers and rounding from emitted code, bit exact against plain Rust that
//! is written here anew.

use codegen::devices::{ExpLog, Format, Function, Integer, Random, Rounding, Step};
use codegen::kernels::{Addressing, Kernel, KernelBuilder, Value, build};
use ir::Target;
use runtime_sim::clock::Level;
use tests::device_bench::{IDENTITY, Ran, run};
use tests::lab::Lab;

const ARGUMENTS: u32 = 0x4000;
const RESULTS: u32 = 0x1_0000;
const N: u32 = 1000;

/// Maps each of the words (pairs of them, if `pairs`) at ARGUMENTS to two words of RESULTS.
fn map(
    pairs: bool,
    before: impl FnOnce(&mut KernelBuilder<'_>),
    each: impl FnOnce(&mut KernelBuilder<'_>, Value, Value) -> [Value; 2],
) -> Kernel {
    build("map", 0, Addressing::Guest, |kb, _| {
        before(kb);
        let (from, to) = (kb.int(ARGUMENTS), kb.int(RESULTS));
        kb.repeat(N, &[from, to], |kb, at| {
            let x = kb.load_word(at[0], 0);
            let high = kb.load_word(at[0], 4);
            let [low, upper] = each(kb, x, high);
            kb.store(low, at[1], 0);
            kb.store(upper, at[1], 4);
            let step = if pairs { 8 } else { 4 };
            vec![kb.add_const(at[0], step), kb.add_const(at[1], 8)]
        });
    })
}

fn on(lab: &Lab, level: Level, kernel: Kernel) -> Ran {
    run(&Target::spinnaker2(), level, kernel, &[], &lab.data)
}

fn lower(ran: &Ran) -> Vec<u32> {
    ran.words(RESULTS, 2 * N).into_iter().step_by(2).collect()
}

// ---- exp and log ----

const ONE: i128 = 1 << 62;

/// ln(1 + 2^-i) at 62 bits, by the series of 2 artanh(1 / (2^(i+1) + 1)) at 120 bits.
fn ln_one_plus(i: u32) -> i128 {
    let d = (1_i128 << (i + 1)) + 1;
    let (mut power, mut sum, mut k) = ((1_i128 << 120) / d, 0, 1);
    while power > 0 {
        sum += power / k;
        power = power / d / d;
        k += 2;
    }
    (2 * sum) >> 58
}

/// `e^x` of x with 62 fraction bits: a number in [1, 2) with 62 fraction bits, and an exponent.
fn exp(c: &[i128], x: i128, iterations: usize) -> (i128, i32) {
    let (k, mut r) = (x.div_euclid(c[0]), x.rem_euclid(c[0]));
    let mut y = ONE;
    for (i, &ln) in c.iter().enumerate().take(iterations + 1).skip(1) {
        if r >= ln {
            r -= ln;
            y += y >> i;
        }
    }
    (y + ((y as u128 * r as u128) >> 62) as i128, k as i32)
}

/// The logarithm of x above zero, both with 62 fraction bits.
fn log(c: &[i128], x: i128, iterations: usize) -> i128 {
    let k = x.ilog2() as i32 - 62;
    let m = if k >= 0 { x >> k } else { x << -k };
    let (mut p, mut l) = (ONE, 0);
    for (i, &ln) in c.iter().enumerate().take(iterations + 1).skip(1) {
        if p + (p >> i) <= m {
            p += p >> i;
            l += ln;
        }
    }
    l += ((m - p) << 63) / (m + p);
    i128::from(k) * c[0] + l
}

/// `value * 2^(exponent - 62)` in a format: cut, and kept inside the range.
fn pack(value: i128, exponent: i32, to: Format) -> u32 {
    let fixed = |bits: i32| {
        let down = 62 - bits - exponent;
        let cut = match down {
            ..=-40 => i128::from(i32::MAX),
            -39..=0 => value << -down,
            _ => value >> down.min(120),
        };
        cut.clamp(i32::MIN.into(), i32::MAX.into()) as i32 as u32
    };
    match to {
        Format::S16_15 => fixed(15),
        Format::S0_31 => fixed(31),
        Format::Float => {
            if value == 0 {
                return 0;
            }
            let top = value.unsigned_abs().ilog2() as i32;
            // 24 bits are exact in an f64, and so is their product with a power of two.
            let digits = match top - 23 {
                d if d >= 0 => value.unsigned_abs() >> d,
                d => value.unsigned_abs() << -d,
            };
            let size = digits as f64 * 2_f64.powi(top - 23 - 62 + exponent);
            assert!(
                size > 1.2e-38 && size < 3.4e38,
                "the arguments stay in range"
            );
            let size = size as f32;
            if value < 0 { -size } else { size }.to_bits()
        }
    }
}

/// The argument with 62 fraction bits.
fn unpack(word: u32, from: Format) -> i128 {
    match from {
        Format::S16_15 => i128::from(word as i32) << 47,
        Format::S0_31 => i128::from(word as i32) << 31,
        Format::Float => (f64::from(f32::from_bits(word)) * 2_f64.powi(62)) as i128,
    }
}

fn arguments(lab: &mut Lab, function: Function, from: Format) -> Vec<u32> {
    let mut words = Vec::new();
    for k in 0..N {
        let random = lab.rng.draw();
        let word = match (function, from) {
            // Within [-64, 64), half of it within [-1, 1).
            (Function::Exp, Format::S16_15) => ((random as i32) >> (10 + 6 * (k % 2))) as u32,
            (Function::Exp, Format::S0_31) => random,
            (Function::Exp, Format::Float) => lab.float(80.0).to_bits(),
            // From 2^-33 to 2^10: exact with 62 fraction bits.
            (Function::Log, Format::Float) => {
                let scale = [0.1, 1.0, 30.0, 1000.0][k as usize % 4];
                ((lab.float(1.0).abs() + 1e-9) * scale).to_bits()
            }
            (Function::Log, _) => random >> (1 + k % 20) | 1,
        };
        words.push(word);
    }
    words
}

#[test]
fn exponentials_and_logarithms() {
    let unit = ExpLog::of(&Target::spinnaker2());
    let constants: Vec<i128> = (0..=16).map(ln_one_plus).collect();
    let formats = [Format::S16_15, Format::S0_31, Format::Float];
    let mut lab = Lab::new(41);
    for function in [Function::Exp, Function::Log] {
        for from in formats {
            let words = arguments(&mut lab, function, from);
            for (k, &word) in (0..).zip(&words) {
                lab.word(ARGUMENTS + 4 * k, word);
            }
            for iterations in [1_u32, 6, 16] {
                let start = |kb: &mut KernelBuilder<'_>| {
                    let n = kb.int(iterations);
                    unit.set_iterations(kb, n);
                };
                for to in formats {
                    let kernel = map(false, start, |kb, x, _| {
                        let float = matches!(from, Format::Float);
                        let x = if float { kb.from_bits(x) } else { x };
                        let y = unit.compute(kb, function, from, x, to);
                        let y = if to == Format::Float { kb.bits(y) } else { y };
                        [y, y]
                    });
                    let ran = on(&lab, Level::High, kernel);
                    let expected: Vec<u32> = words
                        .iter()
                        .map(|&w| {
                            let x = unpack(w, from);
                            let (value, exponent) = match function {
                                Function::Exp => exp(&constants, x, iterations as usize),
                                Function::Log => (log(&constants, x, iterations as usize), 0),
                            };
                            pack(value, exponent, to)
                        })
                        .collect();
                    let got = lower(&ran);
                    let wrong = got.iter().zip(&expected).position(|(a, b)| a != b);
                    if let Some(k) = wrong {
                        panic!(
                            "{function:?} of {:#x} ({from:?}), {iterations} iterations: {:#x}, not {:#x} ({to:?})",
                            words[k], got[k], expected[k]
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn an_iteration_is_a_cycle_and_work_beside_it_is_free() {
    let unit = ExpLog::of(&Target::spinnaker2());
    let mut lab = Lab::new(42);
    for k in 0..N {
        lab.word(ARGUMENTS + 4 * k, k);
    }
    let cycles = |iterations: u32, work: u32, level: Level| {
        let start = |kb: &mut KernelBuilder<'_>| {
            let n = kb.int(iterations);
            unit.set_iterations(kb, n);
        };
        let kernel = map(false, start, |kb, x, _| {
            unit.start(kb, Function::Exp, Format::S16_15, x);
            // Arithmetic would be done before or after; these stay where they are.
            for _ in 0..work {
                kb.call("s2_nop", &[]);
            }
            let y = unit.result(kb, Format::S16_15);
            [y, y]
        });
        on(&lab, level, kernel).cycles
    };
    let n = u64::from(N);
    // 6 + iterations, whatever the level: the unit has the clock of its PE.
    for level in [Level::High, Level::Low] {
        assert_eq!(cycles(16, 0, level) - cycles(6, 0, level), 10 * n);
        assert_eq!(cycles(6, 0, level) - cycles(5, 0, level), n);
    }
    // With 22 cycles of other work the iterations do not matter, with 12 they do in part.
    assert_eq!(cycles(16, 22, Level::High), cycles(1, 22, Level::High));
    let half = cycles(16, 12, Level::High) - cycles(1, 12, Level::High);
    assert!((8 * n..=10 * n).contains(&half), "{half}");
    assert_eq!(cycles(16, 12, Level::High), cycles(16, 0, Level::High));
}

// ---- random numbers ----

struct Kiss {
    x: u32,
    y: u32,
    z: u32,
    c: u32,
}

impl Kiss {
    fn of_place() -> Self {
        let own = (IDENTITY >> 16) + (IDENTITY & 0xff) + 1;
        Self {
            x: 143_185_431_u32.wrapping_mul(own),
            y: 987_654_321_u32.wrapping_mul(own),
            z: 1_762_089_u32.wrapping_mul(own),
            c: 6_543_217_u32.wrapping_mul(own),
        }
    }
    fn next(&mut self) -> u32 {
        self.x = 304_042_114_u32.wrapping_mul(self.x).wrapping_add(1_234_567);
        self.y ^= self.y << 5;
        self.y ^= self.y >> 7;
        self.y ^= self.y << 22;
        let t = 4_294_584_393_u64 * u64::from(self.z) + u64::from(self.c);
        (self.c, self.z) = ((t >> 32) as u32, t as u32);
        self.x.wrapping_add(self.y).wrapping_add(self.z)
    }
}

#[test]
fn the_generator_follows_the_published_recurrence() {
    let random = Random::of(&Target::spinnaker2());
    let lab = Lab::new(43);
    // Two reads of one register are two numbers.
    let each = |kb: &mut KernelBuilder<'_>| [random.word(kb), random.word(kb)];
    let seeds = [11, 22, 33, 44_u32];
    let by_reset = on(&lab, Level::High, map(false, |_| {}, |kb, _, _| each(kb)));
    let by_place = on(
        &lab,
        Level::High,
        map(false, |kb| random.seed_by_place(kb), |kb, _, _| each(kb)),
    );
    let seeded = on(
        &lab,
        Level::High,
        map(
            false,
            |kb| {
                let values = seeds.map(|s| kb.int(s));
                random.seed(kb, values);
            },
            |kb, _, _| each(kb),
        ),
    );
    let expected = |mut kiss: Kiss| (0..2 * N).map(|_| kiss.next()).collect::<Vec<u32>>();
    let [c, x, y, z] = seeds;
    assert_eq!(by_place.words(RESULTS, 2 * N), expected(Kiss::of_place()));
    assert_eq!(by_reset.words(RESULTS, 2 * N), expected(Kiss::of_place()));
    assert_eq!(seeded.words(RESULTS, 2 * N), expected(Kiss { x, y, z, c }));
    // A word a cycle: reading it costs what any register costs.
    let identity = map(
        false,
        |_| {},
        |kb, x, _| {
            let base = kb.int(0xE200_0000);
            let first = kb.read_device(base, 0xF8);
            let second = kb.read_device(base, 0xF8);
            let _ = x;
            [first, second]
        },
    );
    let identity = on(&lab, Level::High, identity);
    assert_eq!(identity.words(RESULTS, 2), [IDENTITY, IDENTITY]);
    // Another base address takes another instruction, once.
    assert!(identity.cycles.abs_diff(by_reset.cycles) < 5);
}

#[test]
fn floats_are_uniform_and_noise_repeats() {
    let random = Random::of(&Target::spinnaker2());
    let lab = Lab::new(44);
    let floats = map(
        false,
        |_| {},
        |kb, _, _| {
            let x = random.float(kb);
            let y = random.noise(kb);
            [kb.bits(x), y]
        },
    );
    let ran = on(&lab, Level::High, floats.clone());
    let words = ran.words(RESULTS, 2 * N);
    let mut kiss = Kiss::of_place();
    for pair in words.chunks_exact(2) {
        let expected = (kiss.next() >> 8) as f32 * 2_f32.powi(-24);
        assert_eq!(f32::from_bits(pair[0]), expected);
    }
    let mut noise: Vec<u32> = words.iter().skip(1).step_by(2).copied().collect();
    assert_eq!(words, on(&lab, Level::High, floats).words(RESULTS, 2 * N));
    noise.sort_unstable();
    noise.dedup();
    assert!(noise.len() as u32 >= N - 1, "the noise has few values");
}

// ---- rounding ----

fn bits(width: Integer) -> u32 {
    match width {
        Integer::Bits64 => 64,
        Integer::Bits32 => 32,
        Integer::Bits16 => 16,
    }
}

/// The nearest (or by `addend` cut) multiple, kept inside the range of the result.
fn rounded(x: u64, step: Step, addend: Option<u32>) -> u64 {
    let Step::Integer {
        from,
        to,
        signed,
        position,
    } = step
    else {
        unreachable!("integers only")
    };
    let modulus = 1_i128 << bits(from);
    let mut value = i128::from(x).rem_euclid(modulus);
    if signed && value >= modulus / 2 {
        value -= modulus;
    }
    let unit = 1_i128 << position;
    let value = match addend {
        Some(addend) => (value + i128::from(addend)).div_euclid(unit),
        // Twice the value plus a unit: ties go up.
        None => (2 * value + unit).div_euclid(2 * unit),
    };
    let half = 1_i128 << (bits(to) - 1);
    let (low, high) = if signed {
        (-half, half - 1)
    } else {
        (0, 2 * half - 1)
    };
    value.clamp(low, high) as u64
}

#[test]
fn integers_round_and_saturate() {
    let target = Target::spinnaker2();
    let mut lab = Lab::new(45);
    let widths = [Integer::Bits64, Integer::Bits32, Integer::Bits16];
    for n in 0..60 {
        let step = Step::Integer {
            from: widths[n % 3],
            to: widths[n / 3 % 3],
            signed: lab.one_in(2),
            position: [0, 1, 4, 15, 16, 31, 32, lab.below(33)][lab.below(8) as usize],
        };
        let stochastic = lab.one_in(2);
        let pairs: Vec<(u32, u32)> = (0..N)
            .map(|k| {
                // Small numbers and numbers close to the ends of their range.
                let shift = k % 31;
                let low = (lab.rng.draw() as i32 >> shift) as u32;
                let high = (lab.rng.draw() as i32 >> (31 - shift)) as u32;
                (low, high)
            })
            .collect();
        for (k, &(low, high)) in (0..).zip(&pairs) {
            lab.word(ARGUMENTS + 8 * k, low);
            lab.word(ARGUMENTS + 8 * k + 4, high);
        }
        let unit = Rounding::of(&target, lab.below(4)).expect("4 contexts");
        let kernel = map(
            true,
            |kb| unit.configure(kb, step, stochastic),
            |kb, low, high| {
                let wide = unit.round_wide(kb, low, high);
                [wide, unit.upper(kb)]
            },
        );
        let ran = on(&lab, Level::High, kernel);
        let mut kiss = Kiss::of_place();
        let Step::Integer { position, .. } = step else {
            unreachable!("an integer")
        };
        for (k, &(low, high)) in (0..).zip(&pairs) {
            let addend = (stochastic && position > 0).then(|| kiss.next() >> (32 - position));
            let addend = if stochastic {
                addend.or(Some(0))
            } else {
                addend
            };
            let expected = rounded(u64::from(high) << 32 | u64::from(low), step, addend);
            let got = ran.words(RESULTS + 8 * k, 2);
            let got = u64::from(got[1]) << 32 | u64::from(got[0]);
            assert_eq!(got, expected, "{step:?} {stochastic}: {high:#x} {low:#x}");
        }
    }
    assert!(Rounding::of(&target, 4).is_none());
}

/// The nearer of the two neighbours; of two equally near ones the larger in magnitude.
fn nearest_bfloat(x: f32) -> u32 {
    let below = x.to_bits() >> 16;
    let value = |b: u32| f64::from(f32::from_bits(b << 16));
    let above = below + 1;
    // The step up from the largest finite one is as large as the one before it.
    let up = if value(above).is_finite() {
        value(above)
    } else {
        2.0 * value(below) - value(below - 1)
    };
    let (down, up) = (
        (f64::from(x) - value(below)).abs(),
        (up - f64::from(x)).abs(),
    );
    if up <= down { above } else { below }
}

#[test]
fn floats_round_to_bfloats() {
    let target = Target::spinnaker2();
    let mut lab = Lab::new(46);
    let unit = Rounding::of(&target, 1).expect("4 contexts");
    let words: Vec<u32> = (0..N)
        .map(|k| match k {
            0 => f32::MAX.to_bits(),
            1 => 0x3f80_8000,
            2 => 0xbf81_8000,
            3 => 0,
            _ => {
                // Any finite number: an exponent of all ones loses a bit.
                let word = lab.rng.draw();
                if word & 0x7f80_0000 == 0x7f80_0000 {
                    word & !0x0080_0000
                } else {
                    word
                }
            }
        })
        .collect();
    for (k, &word) in (0..).zip(&words) {
        lab.word(ARGUMENTS + 4 * k, word);
    }
    let kernel = |stochastic| {
        map(
            false,
            |kb| unit.configure(kb, Step::Bfloat, stochastic),
            |kb, x, _| {
                let y = unit.round(kb, x);
                [y, unit.take_saturated(kb)]
            },
        )
    };
    let ran = on(&lab, Level::High, kernel(false));
    for (k, &word) in (0..).zip(&words) {
        let expected = nearest_bfloat(f32::from_bits(word));
        let got = ran.words(RESULTS + 8 * k, 2);
        let overflow = expected & 0x7fff == 0x7f80;
        assert_eq!(got, [expected, u32::from(overflow) << 1], "{word:#x}");
    }
    let ran = on(&lab, Level::High, kernel(true));
    let mut kiss = Kiss::of_place();
    for (&word, got) in words.iter().zip(lower(&ran)) {
        assert_eq!(got, (word + (kiss.next() >> 16)) >> 16, "{word:#x}");
    }
}
