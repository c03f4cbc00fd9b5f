//! The fixed reference on graphs small enough to follow by hand.

mod text_support;

use ir::fixed::{Fixed, Real, accumulator_bounds, simulate};
use ir::{Code, Id, Module, Observable, PopId, Series};
use text_support::{TINY, read, tiny};

const SPIKES: Observable = Observable::Spikes;
const V: Observable = Observable::V;

fn pop(i: usize) -> PopId {
    PopId::from_index(i)
}

fn series(width: usize, rows: &[&[f64]]) -> Series {
    let mut series = Series::zeros(rows.len(), width);
    for (t, row) in rows.iter().enumerate() {
        series.row_mut(t).copy_from_slice(row);
    }
    series
}

/// One input atom, one neuron with the given fields, `weight` between them.
fn single(fields: &str, weight: i32, rest: &str) -> Module {
    read(&format!(
        "s2ir 1 \"x\"\npopulation @in spike_source [1] latency 0 active 0\n\
         population @n lif [1] discrete {{ {fields}, unit = 0.5 }} accumulator i32 {rest}\n\
         projection @w : @in -> @n dense 1x1xi32({weight}) delay 1\n"
    ))
}

const PLAIN: &str = "gain = 1.0, threshold = 10.0, reset = to 0.0, compare = gt";

/// Spikes and chip-unit membranes of `@n` when the input is `x`.
fn run<F: Real>(module: &Module, x: &[f64], ticks: usize) -> (Vec<u32>, Vec<F>) {
    let rows: Vec<&[f64]> = x.chunks(1).collect();
    let record = [(pop(1), SPIKES), (pop(1), V)];
    let traces = simulate::<F>(&module.app, &[series(1, &rows)], ticks, &record);
    let traces = traces.unwrap_or_else(|e| panic!("{e}"));
    (
        traces.spikes[&pop(1)].data.clone(),
        traces.v[&pop(1)].data.clone(),
    )
}

#[test]
fn a_spike_acts_in_the_tick_after_it_was_sent() {
    let module = single(PLAIN, 7, "latency 1 active 1");
    let (spikes, v) = run::<f32>(&module, &[1.0, 0.0, 1.0], 5);
    assert_eq!(v, [0.0, 7.0, 7.0, 0.0, 0.0]);
    assert_eq!(spikes, [0, 0, 0, 1, 0]);
}

#[test]
fn nothing_happens_before_the_first_active_tick() {
    let fields = "gain = 1.0, offset = 1.0, threshold = 10.0, reset = keep, compare = gt";
    let module = single(fields, 0, "latency 2 active 2");
    let (_, v) = run::<f32>(&module, &[], 4);
    assert_eq!(v, [0.0, 0.0, 1.0, 2.0]);
}

#[test]
fn comparisons_and_resets() {
    let reset = |rule: &str, compare: &str| {
        let fields = format!("gain = 1.0, threshold = 10.0, reset = {rule}, compare = {compare}");
        run::<f32>(&single(&fields, 10, "latency 1 active 1"), &[1.0, 1.0], 3)
    };
    assert_eq!(
        reset("to -3.0", "gt"),
        (vec![0, 0, 1], vec![0.0, 10.0, -3.0])
    );
    assert_eq!(
        reset("to -3.0", "ge"),
        (vec![0, 1, 0], vec![0.0, -3.0, 7.0])
    );
    assert_eq!(
        reset("subtract 10.0", "gt"),
        (vec![0, 0, 1], vec![0.0, 10.0, 10.0])
    );
    assert_eq!(reset("keep", "ge"), (vec![0, 1, 1], vec![0.0, 10.0, 20.0]));
}

#[test]
fn each_operation_rounds_once() {
    // Sums beyond 2^24 round to even on their way to float32.
    let wide = "gain = 1.0, threshold = 1e30, reset = keep, compare = gt";
    let module = single(wide, 16_777_217, "latency 1 active 1");
    assert_eq!(run::<f32>(&module, &[1.0], 2).1[1], 16_777_216.0);
    assert_eq!(run::<f64>(&module, &[1.0], 2).1[1], 16_777_217.0);

    // ((decay * v) + x) + offset, not decay * v + (x + offset): 2^24 + 1
    // rounds down, twice.
    let fields =
        "decay = 1.0, gain = 1.0, offset = 1.0, threshold = 1e30, reset = keep, compare = gt";
    let (_, v) = run::<f32>(&single(fields, 16_777_216, "latency 1 active 1"), &[1.0], 3);
    assert_eq!(v, [0.0, 16_777_216.0, 16_777_216.0]);

    // Parameters are rounded once, products separately from sums.
    let fields =
        "decay = 0.9, gain = 1.0, offset = 0.1, threshold = 1e30, reset = keep, compare = gt";
    let (_, v) = run::<f32>(
        &single(fields, 3, "latency 1 active 1"),
        &[1.0, 1.0, 1.0],
        4,
    );
    let (decay, offset, mut by_hand) = (0.9f64 as f32, 0.1f64 as f32, 0.0f32);
    for v in &v[1..] {
        let leaked = decay * by_hand;
        let fed = leaked + 3.0;
        by_hand = fed + offset;
        assert_eq!(v.to_bits(), by_hand.to_bits());
    }
}

#[test]
fn long_delays_use_every_slot() {
    for delay in 1..6 {
        let text = format!(
            "s2ir 1 \"x\"\npopulation @in spike_source [1] latency 0 active 0\n\
             population @n if [1] discrete {{ gain = 1.0, threshold = 0.5, reset = to 0.0, compare = gt, unit = 1.0 }} accumulator i16 latency {delay} active 0\n\
             projection @w : @in -> @n dense 1x1xi8(1) delay {delay}\n"
        );
        let (spikes, _) = run::<f32>(&read(&text), &[1.0, 0.0, 1.0, 1.0], 12);
        let mut expected = vec![0; 12];
        for sent in [0, 2, 3] {
            expected[sent + delay] = 1;
        }
        assert_eq!(spikes, expected, "delay {delay}");
    }
}

#[test]
fn recurrence_carries_the_previous_step() {
    let fixed = Fixed::<f32>::new(&tiny().app).expect("the small module is right");
    assert_eq!(fixed.sources(), [pop(0)]);
    let x = series(3, &[&[1.0, 1.0, 1.0], &[0.0; 3], &[0.0; 3], &[0.0; 3]]);
    let record = [(pop(1), SPIKES), (pop(1), V), (pop(2), SPIKES), (pop(2), V)];
    let traces = fixed.run(&[x], 6, &record).expect("only spikes");
    // Tick 1: sums 110, -1, 6, 150 plus offsets 0.5, 0, -1.5, 2: 0 and 3 spike.
    assert_eq!(traces.spikes[&pop(1)].row(1), [1, 0, 0, 1]);
    assert_eq!(traces.v[&pop(1)].row(1), [0.0, -1.0, 4.5, 0.0]);
    // Tick 2: 0 reaches 3 and 3 reaches 2 with weight 1.
    let leak = 0.9f32;
    let row = [0.5, -leak, leak * 4.5 + 1.0 + -1.5, 1.0 + 2.0];
    assert_eq!(traces.v[&pop(1)].row(2), row);
    // Tick 2: 10 + 40 reaches the threshold of 50 exactly.
    assert_eq!(traces.spikes[&pop(2)].row(2), [1, 0]);
    assert_eq!(traces.v[&pop(2)].row(2), [0.0, -50.0]);
    let v = fixed.v_in_file_units(pop(2), &traces.v[&pop(2)]);
    assert_eq!(v.row(2), [0.0, f64::from((0.02f64 * -50.0) as f32)]);
}

#[test]
fn state_can_be_kept_between_samples() {
    let fixed = Fixed::<f32>::new(&tiny().app).expect("the small module is right");
    let rows: Vec<Vec<f64>> = (0..20)
        .map(|t| {
            (0..3)
                .map(|i| f64::from((t * 7 + i * 5) % 3 == 0))
                .collect()
        })
        .collect();
    let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
    let record = [(pop(1), V)];
    let whole = fixed.run(&[series(3, &rows)], 20, &record).expect("spikes");
    let mut memory = fixed.memory();
    let mut parts = Vec::new();
    for rows in rows.chunks(6) {
        let part = fixed.resume(&mut memory, &[series(3, rows)], rows.len(), &record);
        parts.extend(part.expect("spikes").v[&pop(1)].data.clone());
    }
    assert_eq!(parts, whole.v[&pop(1)].data);
}

#[test]
fn values_that_are_no_spikes_are_errors() {
    let fixed = Fixed::<f32>::new(&tiny().app).expect("the small module is right");
    let x = series(3, &[&[0.0; 3], &[0.0, 1.0, 2.0]]);
    let found = fixed.run(&[x], 4, &[]).expect_err("a count");
    assert_eq!(found.0[0].code, Code::InputValue);
    assert_eq!(found.0[0].notes, ["step 1, index 2: 2, expected 0 or 1"]);
    let found = fixed
        .run(&[Series::zeros(2, 4)], 4, &[])
        .expect_err("too wide");
    assert_eq!(found.0[0].code, Code::InputData);
    let x = || [Series::zeros(2, 3)];
    let found = fixed.run(&x(), 4, &[(pop(0), V)]).expect_err("no membrane");
    assert_eq!(found.0[0].code, Code::RecordUnknown);
    assert!(fixed.run(&x(), 4, &[(pop(9), V)]).is_err());
    assert!(fixed.run(&[], 4, &[]).is_err());
}

#[test]
fn graphs_that_are_not_ready_are_errors() {
    for (from, to, message) in [
        (
            ", unit = 0.01",
            "",
            "population 'hid' is not quantised: gain must be 1, the unit known, every parameter one value or one an atom",
        ),
        (
            "decay = 0.9, gain = 1.0",
            "decay = 0.9, gain = 2.0",
            "population 'hid' is not quantised: gain must be 1, the unit known, every parameter one value or one an atom",
        ),
        (
            " accumulator i16 latency 2",
            " latency 2",
            "population 'out' has no accumulator type",
        ),
        (
            " latency 2 active 2",
            "",
            "population 'out' has no latency: the graph is not balanced",
        ),
        (
            "-40) delay 1",
            "-40)",
            "projection 'fc2' has no delay of at least one tick",
        ),
        (
            "-40) delay 1",
            "-40) delay 4294967295",
            "population 'hid' sends or receives with too long a delay",
        ),
        (
            "2x4xi8(10",
            "2x4xf64(10",
            "population 'out' receives weights that are not integers of its shape",
        ),
        (
            "2x4xi8(10 20",
            "2x4xi16(32767 20",
            "population 'out' can receive more than its accumulator holds",
        ),
        (
            "2x4xi8(",
            "4x2xi8(",
            "population 'out' receives weights that are not integers of its shape",
        ),
    ] {
        assert!(TINY.contains(from), "{from}");
        let found = Fixed::<f32>::new(&read(&TINY.replace(from, to)).app).expect_err(message);
        assert_eq!(found.0[0].message, message);
    }
}

#[test]
fn bounds_are_the_larger_of_both_signs() {
    let app = tiny().app;
    assert_eq!(
        accumulator_bounds(&app, pop(1)),
        Some(vec![131, 128, 7, 151])
    );
    assert_eq!(accumulator_bounds(&app, pop(2)), Some(vec![100, 100]));
    assert_eq!(accumulator_bounds(&app, pop(0)), Some(vec![0, 0, 0]));
}
