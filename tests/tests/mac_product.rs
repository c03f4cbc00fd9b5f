//! Dense projections on the MAC array: emitted code on the emulated PE gives the sums that
//! adding row after row gives, in the time that is promised.

use codegen::kernels::mac::{Factors, Product};
use codegen::kernels::{Addressing, CountRow, build};
use ir::memory::padded;
use ir::{DType, Target};
use runtime_sim::clock::Level;
use tests::bare::DATA;
use tests::device_bench::{Ran, run};
use tests::lab::Lab;

/// Indices of the sources that spiked, as words.
const SPIKES: u32 = 0x4000;
const VECTOR: u32 = 0x5000;
const ASIDE: u32 = 0x6000;
const SUMS: u32 = 0x7000;
const WEIGHTS: u32 = 0x8000;

struct Case {
    sources: u32,
    targets: u32,
    weight: DType,
    sums: DType,
    /// Whether the accumulators hold something before.
    others: bool,
    /// Sources that spiked, some of them more than once.
    spikes: Vec<u32>,
}

fn factors(case: &Case, largest: u64) -> Factors {
    Factors {
        vector: VECTOR,
        sources: case.sources,
        weights: WEIGHTS,
        weight: case.weight,
        targets: case.targets,
        sums: case.sums,
        aside: case.others.then_some(ASIDE),
        largest,
    }
}

/// Marks the spikes, then multiplies, as often as `rounds` says.
fn product(target: &Target, case: &Case, lab: &Lab, marks: bool, multiplies: bool) -> Ran {
    let product = Product::new(target, factors(case, 1)).expect("it fits");
    let n = case.spikes.len() as u32;
    let kernel = build("product", 0, Addressing::Guest, |kb, _| {
        if marks {
            let at = kb.int(SPIKES);
            kb.repeat(n, &[at], |kb, at| {
                let index = kb.load_word(at[0], 0);
                let place = kb.add_const(index, VECTOR);
                CountRow { checked: true }.emit(kb, place);
                vec![kb.add_const(at[0], 4)]
            });
        }
        if multiplies {
            let sink = kb.int(SUMS);
            product.start(kb, sink);
            product.finish(kb, sink);
        }
    });
    run(target, Level::High, kernel, &[], &lab.data)
}

fn little_endian(v: i64, dtype: DType) -> Vec<u8> {
    v.to_le_bytes()[..dtype.size()].to_vec()
}

/// Fills memory; gives the sums that are to be there in the end.
fn prepare(lab: &mut Lab, case: &Case) -> Vec<u8> {
    let width = padded(case.targets) as usize;
    let weight = |lab: &mut Lab| match case.weight {
        DType::I8 => i64::from(lab.rng.draw() as i8),
        _ => i64::from(lab.rng.draw() as i16),
    };
    let mut rows = Vec::new();
    for _ in 0..case.sources {
        let row = (0..width).map(|t| match t < case.targets as usize {
            true => weight(lab),
            false => 0,
        });
        rows.push(row.collect::<Vec<_>>());
    }
    let bytes: Vec<u8> = rows
        .iter()
        .flatten()
        .flat_map(|&w| little_endian(w, case.weight))
        .collect();
    lab.put(WEIGHTS, &bytes);
    let words: Vec<u8> = case.spikes.iter().flat_map(|s| s.to_le_bytes()).collect();
    lab.put(SPIKES, &words);
    let mut sums: Vec<i64> = (0..width)
        .map(|_| match case.others {
            true => i64::from(lab.rng.draw() as i8),
            false => 0,
        })
        .collect();
    let before: Vec<u8> = sums
        .iter()
        .flat_map(|&v| little_endian(v, case.sums))
        .collect();
    // Where nothing else adds, whatever lies there is written over.
    let spoiled: Vec<u8> = before.iter().map(|b| b ^ 0x55).collect();
    lab.put(SUMS, if case.others { &before } else { &spoiled });
    for &s in &case.spikes {
        for (sum, w) in sums.iter_mut().zip(&rows[s as usize]) {
            *sum += w;
        }
    }
    sums.iter()
        .flat_map(|&v| little_endian(v, case.sums))
        .collect()
}

fn check(target: &Target, seed: u64, case: &Case) {
    let mut lab = Lab::new(seed);
    let expected = prepare(&mut lab, case);
    let ran = product(target, case, &lab, true, true);
    assert!(
        ran.bytes(SUMS, expected.len()) == expected,
        "{} x {} {:?} {:?}, {} spikes",
        case.sources,
        case.targets,
        case.weight,
        case.sums,
        case.spikes.len()
    );
    let vector = ran.bytes(VECTOR, case.sources as usize);
    assert!(vector.iter().all(|&b| b == 0), "the vector is cleared");
    assert_eq!(ran.bus.mla.activity().overflows, 0);
}

#[test]
fn products_equal_sums_of_rows() {
    let target = Target::spinnaker2();
    let mut seed = 0;
    for (sources, targets) in [(256, 256), (1, 1), (33, 9), (100, 40), (300, 130)] {
        for (weight, sums) in [
            (DType::I8, DType::I32),
            (DType::I8, DType::I16),
            (DType::I16, DType::I32),
        ] {
            for others in [false, true] {
                if u64::from(sources * padded(targets)) * weight.size() as u64 > 0x1_4000 {
                    continue;
                }
                seed += 1;
                let mut lab = Lab::new(1000 + seed);
                // Sums of bytes stay within 16 bits.
                let n = if sums == DType::I16 { 200 } else { 2 * sources };
                let spikes = (0..n.min(600)).map(|_| lab.below(sources)).collect();
                let case = Case {
                    sources,
                    targets,
                    weight,
                    sums,
                    others,
                    spikes,
                };
                check(&target, seed, &case);
            }
        }
    }
}

#[test]
fn a_dense_256_by_256_costs_little_more_than_the_array_takes() {
    let target = Target::spinnaker2();
    let mut lab = Lab::new(7);
    let spikes: Vec<u32> = (0..256).filter(|_| lab.one_in(4)).collect();
    let n = spikes.len() as u64;
    let case = |others| Case {
        sources: 256,
        targets: 256,
        weight: DType::I8,
        sums: DType::I32,
        others,
        spikes: spikes.clone(),
    };
    let mut lab = Lab::new(8);
    prepare(&mut lab, &case(false));
    let cycles =
        |case: &Case, marks, multiplies| product(&target, case, &lab, marks, multiplies).cycles;
    let nothing = cycles(&case(false), false, false);
    let whole = cycles(&case(false), false, true) - nothing;
    let added = cycles(&case(true), false, true) - nothing;
    let mark = (cycles(&case(false), true, false) - nothing) as f64 / n as f64;
    eprintln!(
        "256 x 256: {whole} cycles, {:.4} a weight; added to other input {added}; a mark {mark:.1}",
        whole as f64 / 65536.0
    );
    assert!(whole as f64 <= 0.09 * 65536.0 + 400.0, "{whole} cycles");
    // Eight loads, four sums and four stores for four targets.
    assert!(added < whole + 256 * 5 + 100, "{added} cycles");
    // With the loop and the load of the index.
    assert!(mark <= 14.0, "{mark} cycles");
}

#[test]
fn what_the_array_can_not_hold_is_refused() {
    let target = Target::spinnaker2();
    let case = Case {
        sources: 16,
        targets: 16,
        weight: DType::I8,
        sums: DType::I32,
        others: false,
        spikes: Vec::new(),
    };
    let most = target.mla.largest_sum(DType::I8);
    assert_eq!(most, (1 << 23) - 1);
    assert!(Product::new(&target, factors(&case, most)).is_ok());
    assert!(Product::new(&target, factors(&case, most + 1)).is_err());
    let narrow = Case {
        sums: DType::I16,
        ..case
    };
    assert!(Product::new(&target, factors(&narrow, 32_767)).is_ok());
    assert!(Product::new(&target, factors(&narrow, 32_768)).is_err());
    let shifted = Factors {
        vector: VECTOR + 4,
        ..factors(&narrow, 1)
    };
    let error = Product::new(&target, shifted).expect_err("not aligned");
    assert!(error.to_string().contains("multiples of 16 B"));
    assert!(u64::from(DATA.end) > u64::from(WEIGHTS) + 0x1_4000);
}
