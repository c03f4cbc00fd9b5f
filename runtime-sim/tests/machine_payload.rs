//! Payloads, orders of atoms and phases of a step, from the host's inputs to its taps.

mod machine_support;

use ir::app::{AtomOrder, Sends};
use ir::image::ImageSet;
use ir::{Code, Target};
use machine_support::{Guest, images, log, place, spikes};
use runtime_sim::{Event, Machine, RunReport, SampleRun, Taps};

const COUNTS: Sends = Sends::Counts { max: 9 };

/// A source of events with payloads and a PE that logs what it receives.
fn source(sends: Sends, order: AtomOrder, events: u32, ring_payloads: bool) -> ImageSet {
    let a = Guest {
        events,
        sends,
        order,
        ..Guest::default()
    };
    let b = Guest {
        ring_payloads,
        ..Guest::sink(64)
    };
    images(&[a, b], &[(0x1000, &[1])])
}

fn event(atom: u32, payload: u32) -> Event {
    Event { atom, payload }
}

fn sample(rows: Vec<Vec<Event>>, ticks: u32) -> SampleRun {
    SampleRun {
        ticks,
        inputs: vec![rows],
        taps: Taps {
            spikes: vec![0],
            ..Taps::default()
        },
        keep_state: false,
    }
}

fn load(images: &ImageSet) -> Machine {
    Machine::load(images, &Target::spinnaker2()).expect("a sound image")
}

#[test]
fn payloads_reach_a_ring_that_holds_them() {
    let rows = vec![
        vec![event(0, 3), event(5, 1)],
        vec![],
        vec![event(1, 9), event(2, 2), event(31, 4)],
    ];
    // Words per tick are 5 1 7 1: in 7 words (5 1)(7)(1), in 1,024 all of them.
    for (bytes, windows) in [(28, 3), (4096, 1)] {
        let images = source(COUNTS, AtomOrder::RowMajor, bytes, true);
        let mut machine = load(&images);
        let result = machine.run_sample(&sample(rows.clone(), 4)).expect("runs");
        let words: Vec<(u32, u32)> = (1..)
            .zip(&rows)
            .flat_map(|(tick, row)| row.iter().map(move |e| (tick, e)))
            .flat_map(|(tick, e)| [(tick, e.payload), (tick, 0x1000 + e.atom)])
            .collect();
        assert_eq!(
            log(machine.memory(place((2, 1, 0))).expect("loaded")),
            words
        );
        assert_eq!(result.spikes[0].ticks[..3], rows);
        assert_eq!(result.windows, windows);
        let (a, b) = (&result.pes[0], &result.pes[1]);
        assert_eq!((a.sent, a.sent_payloads), (5, 5));
        assert_eq!((b.received, b.stripped, b.ring_high_water), (5, 0, 3));
        let report = RunReport::new(&[result], &images.program, &Target::spinnaker2(), 100);
        assert_eq!(report.packets_with_payload, 5);
        assert!(report.warnings().is_empty());
    }
}

#[test]
fn values_pass_as_their_bits() {
    let mut machine = load(&source(Sends::Values, AtomOrder::RowMajor, 64, true));
    let row = vec![
        Event::value(3, -0.1),
        Event::value(4, f32::MIN_POSITIVE / 4.0),
    ];
    let run = sample(vec![row.clone()], 2);
    let result = machine.run_sample(&run).expect("runs");
    assert_eq!(result.spikes[0].ticks[0], row);
    let logged = log(machine.memory(place((2, 1, 0))).expect("loaded"));
    assert_eq!(logged[0], (1, (-0.1f32).to_bits()));
}

#[test]
fn a_ring_of_keys_drops_payloads_and_a_ring_with_payloads_takes_plain_packets() {
    let images_of_keys = source(COUNTS, AtomOrder::RowMajor, 64, false);
    let mut machine = load(&images_of_keys);
    let run = sample(vec![vec![event(2, 7)]], 3);
    let result = machine.run_sample(&run).expect("runs");
    assert_eq!(
        log(machine.memory(place((2, 1, 0))).expect("loaded")),
        [(1, 0x1002)]
    );
    let report = RunReport::new(
        &[result],
        &images_of_keys.program,
        &Target::spinnaker2(),
        100,
    );
    let warnings = report.warnings();
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].message.contains("1 packets lost their payload"),
        "{}",
        warnings[0]
    );

    let plain = Guest::sender(2);
    let sink = Guest {
        ring_payloads: true,
        ..Guest::sink(8)
    };
    let mut machine = load(&images(&[plain, sink], &[(0x1000, &[1])]));
    let run = SampleRun {
        ticks: 2,
        ..SampleRun::default()
    };
    let result = machine.run_sample(&run).expect("runs");
    assert_eq!(
        log(machine.memory(place((2, 1, 0))).expect("loaded")),
        [(1, 0), (1, 0x1000), (1, 0), (1, 0x1001)]
    );
    assert_eq!(result.pes[0].sent_payloads, 0);
}

#[test]
fn events_that_the_program_cannot_send_are_refused() {
    let refused = |sends, e: Event, part: &str| {
        let mut machine = load(&source(sends, AtomOrder::RowMajor, 64, true));
        let errors = machine
            .run_sample(&sample(vec![vec![], vec![e]], 3))
            .expect_err(part);
        assert_eq!(errors.0[0].code, Code::InputData);
        assert!(errors.0[0].message.contains(part), "{errors}");
    };
    refused(COUNTS, event(4, 10), "carries 10 at atom 4 in tick 1");
    refused(COUNTS, event(4, 0), "counts of 1 to 9");
    refused(Sends::Spikes, event(4, 2), "one spike each");
    refused(Sends::Values, Event::value(4, f32::NAN), "finite");
}

#[test]
fn everything_outside_is_in_the_order_of_atoms() {
    // Shape [4 2 4], blocks of two channels: positions 0, 1, 2, 3 are atoms 0, 8, 1, 9.
    let order = AtomOrder::Blocked { channels: 2 };
    let mut images = source(COUNTS, order, 64, true);
    let mut both = images.program.populations[0].clone();
    let record = Guest {
        order,
        record: 0b110,
        ..Guest::default()
    };
    let mut machine = load(&images);
    let mut run = sample(vec![vec![event(1, 5), event(8, 6)]], 3);
    run.taps.v = vec![0];
    run.taps.i = vec![0];
    let result = machine.run_sample(&run).expect("runs");
    assert_eq!(
        log(machine.memory(place((2, 1, 0))).expect("loaded")),
        [(1, 6), (1, 0x1001), (1, 5), (1, 0x1002)]
    );
    assert_eq!(result.spikes[0].ticks[0], [event(1, 5), event(8, 6)]);
    let v: Vec<_> = result.v[0].words.chunks(32).collect();
    let i: Vec<_> = result.i[0].words.chunks(32).collect();
    assert_eq!((v.len(), i.len()), (3, 3));
    for t in 0..3 {
        assert_eq!(v[t][0], t as u32 + 1);
        assert_eq!((v[t][8], v[t][1], v[t][9]), (101, 102, 103));
        assert_eq!((i[t][8], i[t][1], i[t][31]), (201, 202, 231));
    }

    // The same where a slice begins inside the order: positions 16 on are atoms 16, 24, 17.
    let slice = &mut both.slices[0];
    slice.n = 16;
    let mut upper = slice.clone();
    upper.lo = 16;
    upper.key = ir::key::KeyMask::block(0x1010, 4).expect("aligned");
    upper.v_addr = upper.v_addr.map(|v| v + 64);
    upper.events = None;
    both.slices.push(upper);
    images.program.populations[0] = both;
    images.program.inputs.clear();
    let mut run = sample(Vec::new(), 1);
    run.inputs.clear();
    run.taps.v = vec![0];
    let result = load(&images).run_sample(&run).expect("runs");
    let v = &result.v[0].words;
    assert_eq!((v[16], v[24], v[17], v[31]), (116, 117, 118, 131));

    let mut machine = load(&machine_support::images(&[record], &[]));
    let run = SampleRun {
        ticks: 1,
        ..SampleRun::default()
    };
    let result = machine.run_sample(&run).expect("runs");
    assert_eq!(result.frames[0].atoms, [1, 8]);
}

#[test]
fn each_tick_of_a_step_has_its_own_deadline() {
    // Three ticks of 33 us in a step of 100 us; 4 cycles a round.
    let guest = |delay| Guest {
        delay,
        delay_tick: 4,
        period: 33,
        ..Guest::default()
    };
    for (delay, missed) in [(2_400, 0), (2_500, 1)] {
        let mut images = images(&[guest(delay)], &[]);
        images.time_step_us = 100;
        images.program.ticks_per_step = 3;
        let result = load(&images)
            .run_sample(&SampleRun {
                ticks: 9,
                ..SampleRun::default()
            })
            .expect("runs");
        let pes = std::slice::from_ref(&result);
        let report = RunReport::new(pes, &images.program, &Target::spinnaker2(), 100);
        assert_eq!((report.ticks_per_step, report.cycles_per_tick), (3, 9_900));
        assert_eq!(report.missed_deadlines, missed);
        assert!((4 * delay..4 * delay + 200).contains(&(report.cycles_per_step.max as u32)));
        if let Some(w) = report.warnings().first() {
            assert!(w.notes[0].contains("tick 4 (of 3 ticks a step)"), "{w}");
        }
    }
}

#[test]
fn arrival_order_can_be_shuffled_and_nothing_else_changes() {
    let sender = |pe, key| Guest {
        pe,
        key,
        ..Guest::sender(6)
    };
    let guests = [
        sender((1, 3, 1), 0x1000),
        sender((3, 3, 0), 0x1040),
        Guest::sink(64),
    ];
    let mut plain = load(&images(&guests, &[(0x1000, &[2]), (0x1040, &[2])]));
    let mut shuffled = plain.clone();
    let run = SampleRun {
        ticks: 5,
        taps: Taps {
            spikes: vec![0, 1],
            ..Taps::default()
        },
        ..SampleRun::default()
    };
    let expected = plain.run_sample(&run).expect("runs");
    let mut in_order = log(plain.memory(place((2, 1, 0))).expect("loaded"));
    for seed in 1..4 {
        shuffled.shuffle_arrivals(seed, 1000);
        let result = shuffled.run_sample(&run).expect("runs");
        assert_eq!(result.spikes, expected.spikes);
        let mut got = log(shuffled.memory(place((2, 1, 0))).expect("loaded"));
        assert_ne!(got, in_order);
        got.sort_unstable();
        in_order.sort_unstable();
        assert_eq!(got, in_order);
    }
    assert_eq!(spikes(&[0, 1, 2, 3, 4, 5]), expected.spikes[0].ticks[0]);
}
