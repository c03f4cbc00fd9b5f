use super::algorithm::{Format, Real, exp, ln};
use super::*;

const FIXED: f64 = 32_768.0;
const FRACTION: f64 = 2_147_483_648.0;

fn unit() -> (ExpLog, Registers) {
    let target = Target::spinnaker2();
    (ExpLog::new(&target), target.explog)
}

/// SplitMix64, so that the arguments are the same everywhere.
fn words(n: usize) -> impl Iterator<Item = u32> {
    let mut state = 1_u64;
    (0..n).map(move |_| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        ((z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 32) as u32
    })
}

#[test]
fn a_result_is_ready_after_six_cycles_and_the_iterations() {
    let (mut u, r) = unit();
    u.write(r.control, 4, 0, 1).expect("in range");
    assert_eq!(u.write(r.exp_fixed, 0, 100, 1), Ok(0));
    assert_eq!(u.read(r.exp_fixed, 103, 1), Ok((32_768, 7)));
    assert_eq!(u.read(r.exp_fixed, 110, 1), Ok((32_768, 0)));
    assert_eq!(u.read(r.exp_float, 110, 1), Ok((1_f32.to_bits(), 0)));
    // A start waits for the one before; at the low level a cycle is two units of time.
    u.write(r.log_float, 1_f32.to_bits(), 200, 2)
        .expect("starts");
    assert_eq!(u.write(r.log_float, 1_f32.to_bits(), 208, 2), Ok(6));
    assert_eq!(u.read(r.log_fixed, 210, 2), Ok((0, 15)));
    for wrong in [0, 17] {
        assert_eq!(u.write(r.control, wrong, 0, 1), Err(BusError::Refused));
    }
    assert_eq!(u.read(0x1c, 0, 1), Err(BusError::Refused));
}

/// Distance in units of the last place of the format, cut results being below the truth.
fn ulps(word: u32, format: Format, truth: f64) -> f64 {
    match format {
        Format::S16_15 => truth * FIXED - f64::from(word as i32),
        Format::S0_31 => truth * FRACTION - f64::from(word as i32),
        Format::Float => {
            let got = f64::from(f32::from_bits(word));
            let unit = 2_f64.powi(truth.abs().log2().floor() as i32 - 23);
            (truth - got) / unit
        }
    }
    .abs()
}

/// The worst error of `function` at all iterations, over arguments inside the range of both.
fn worst(from: Format, to: Format, exponential: bool, iterations: u32, n: usize) -> f64 {
    let value = |word: u32| match from {
        Format::S16_15 => f64::from(word as i32) / FIXED,
        Format::S0_31 => f64::from(word as i32) / FRACTION,
        Format::Float => f64::from(f32::from_bits(word)),
    };
    let end = match to {
        Format::S16_15 => 65_535.0,
        Format::S0_31 => 0.999_999_9,
        Format::Float => 3.4e38,
    };
    let mut worst = 0_f64;
    for word in words(n) {
        // Half of the fixed-point arguments near zero, where most of the results are.
        let word = match from {
            Format::S16_15 if word & 1 == 0 => (word as i32 >> 12) as u32,
            _ => word,
        };
        let x = value(word);
        let truth = if exponential { x.exp() } else { x.ln() };
        let sound = truth.is_finite() && truth.abs() < end;
        if !sound || (to == Format::Float && truth.abs() < 1.2e-38) || x.abs() < 1.2e-38 {
            continue;
        }
        let real = Real::read(word, from);
        let result = if exponential {
            exp(real, iterations)
        } else {
            ln(real, iterations)
        };
        worst = worst.max(ulps(result.write(to), to, truth));
    }
    worst
}

const ALL: [Format; 3] = [Format::S16_15, Format::S0_31, Format::Float];

#[test]
fn with_all_iterations_every_result_is_within_two_units_of_the_last_place() {
    for from in ALL {
        for to in ALL {
            for exponential in [true, false] {
                let error = worst(from, to, exponential, 16, 60_000);
                assert!(
                    error < 1.3,
                    "{from:?} to {to:?}, exp {exponential}: {error} ulp"
                );
                // Cutting off alone takes up to one.
                assert!(error > 0.5, "{from:?} to {to:?}: nothing was measured");
            }
        }
    }
}

#[test]
fn errors_shrink_with_iterations() {
    for exponential in [true, false] {
        let errors: Vec<f64> = (1..=16)
            .map(|n| worst(Format::S0_31, Format::S0_31, exponential, n, 5_000))
            .collect();
        for (n, pair) in errors.windows(2).enumerate() {
            assert!(
                pair[1] <= pair[0].max(1.01),
                "after {} iterations: {errors:?}",
                n + 2
            );
        }
        assert!(errors[0] > 1e6 && errors[15] < 1.3, "{errors:?}");
    }
}

fn rising(mut last: Option<i64>, values: impl Iterator<Item = i64>) {
    for value in values {
        assert!(
            last.is_none_or(|last| last <= value),
            "{last:?} then {value}"
        );
        last = Some(value);
    }
}

/// Floats in their order.
fn order(bits: u32) -> i64 {
    match bits >> 31 {
        0 => i64::from(bits),
        _ => -i64::from(bits & 0x7fff_ffff),
    }
}

#[test]
fn results_rise_with_arguments() {
    let rank = |real: Real, to: Format| match to {
        Format::Float => order(real.write(to)),
        _ => i64::from(real.write(to) as i32),
    };
    for iterations in [1, 2, 3, 5, 8, 12, 16] {
        for to in ALL {
            // Every s16.15 argument whose exponential is in range, and as many logarithms.
            let fixed = |w: i32| Real::read(w as u32, Format::S16_15);
            let e = |w| rank(exp(fixed(w), iterations), to);
            rising(None, (-400_000..400_000).step_by(3).map(e));
            let l = |w| rank(ln(fixed(w), iterations), to);
            rising(None, (1..400_000).map(l));
            // Neighbours in the finer formats.
            for word in words(2_000) {
                let base = (word & 0x7fff_ff00) as i32;
                let fraction = |w: i32| Real::read(w as u32, Format::S0_31);
                rising(
                    None,
                    (0..64).map(|d| rank(exp(fraction(base + d), iterations), to)),
                );
                rising(
                    None,
                    (1..64).map(|d| rank(ln(fraction(base + d), iterations), to)),
                );
                let float = |w: u32| Real::read(w, Format::Float);
                let base = word & 0x7f7f_ff00;
                rising(
                    None,
                    (0..64).map(|d| rank(exp(float(base + d), iterations), to)),
                );
                rising(
                    None,
                    (0..64).map(|d| rank(ln(float(base + d), iterations), to)),
                );
            }
        }
    }
}

#[test]
fn ends_and_exceptions() {
    let e = |word, from, to| exp(Real::read(word, from), 16).write(to);
    let l = |word, from, to| ln(Real::read(word, from), 16).write(to);
    use Format::{Float, S0_31, S16_15};
    let max = i32::MAX as u32;
    let min = i32::MIN as u32;
    assert_eq!(e(0, S16_15, S16_15), 1 << 15);
    assert_eq!(e(0, S16_15, S0_31), max);
    assert_eq!(e(max, S16_15, S16_15), max);
    assert_eq!(e(min, S16_15, S16_15), 0);
    assert_eq!(e(max, S16_15, Float), f32::INFINITY.to_bits());
    assert_eq!(e(f32::MAX.to_bits(), Float, Float), f32::INFINITY.to_bits());
    assert_eq!(e(f32::MIN.to_bits(), Float, Float), 0);
    assert_eq!(e(f32::NEG_INFINITY.to_bits(), Float, S16_15), 0);
    assert_eq!(e(f32::NAN.to_bits(), Float, Float), 0x7fc0_0000);
    assert_eq!(
        e(f32::MIN_POSITIVE.to_bits(), Float, Float),
        1_f32.to_bits()
    );
    assert_eq!(l(0, S16_15, S16_15), min);
    assert_eq!(l(0, Float, Float), f32::NEG_INFINITY.to_bits());
    assert_eq!(l((-1_f32).to_bits(), Float, Float), 0x7fc0_0000);
    assert_eq!(l(f32::INFINITY.to_bits(), Float, S16_15), max);
    assert_eq!(l(1_f32.to_bits(), Float, Float), 0);
    assert_eq!(l(1, S0_31, S0_31), min);
}
