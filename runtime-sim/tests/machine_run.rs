//! Time, packets and deadlines of whole machines.

mod machine_support;

use ir::diag::Diagnostics;
use ir::{Code, Target};
use machine_support::{Guest, NEVER, images, log, place, spikes};
use runtime_sim::batch::run_batch;
use runtime_sim::inputs::{SampleRun, Taps};
use runtime_sim::machine::Machine;
use runtime_sim::report::{RunReport, SampleResult};

/// Cycles of a tick of 100 us.
const PERIOD: u64 = 30_000;

fn load(guests: &[Guest], routes: &[(u32, &[usize])]) -> Machine {
    Machine::load(&images(guests, routes), &Target::spinnaker2()).expect("a sound image")
}

fn ticks(ticks: u32) -> SampleRun {
    SampleRun {
        ticks,
        ..SampleRun::default()
    }
}

fn run(machine: &mut Machine, sample: &SampleRun) -> SampleResult {
    machine.run_sample(sample).expect("the run succeeds")
}

fn memory(machine: &Machine, pe: (u8, u8, u8)) -> &[u8] {
    machine.memory(place(pe)).expect("the PE is loaded")
}

fn only(errors: Diagnostics) -> ir::Diagnostic {
    assert_eq!(errors.0.len(), 1, "{errors}");
    errors.0.into_iter().next().expect("one")
}

#[test]
fn a_program_starts_sleeps_and_ticks() {
    let guest = Guest::default();
    let mut machine = load(std::slice::from_ref(&guest), &[]);
    let sample = SampleRun {
        taps: Taps {
            spikes: vec![0],
            v: vec![0],
            ..Taps::default()
        },
        ..ticks(5)
    };
    let result = run(&mut machine, &sample);
    let pe = &result.pes[0];
    assert_eq!(pe.tick_cycles.len(), 5);
    // Entry 12, about 40 instructions, exit 10: well below a hundred cycles each.
    assert!(
        pe.tick_cycles.iter().all(|c| (40..150).contains(c)),
        "{pe:?}"
    );
    assert_eq!(pe.missed_deadlines, 0);
    assert_eq!(result.spikes[0].ticks, vec![vec![]; 5]);
    let v: Vec<u32> = result.v[0].words.chunks(32).map(|row| row[0]).collect();
    assert_eq!(v, [1, 2, 3, 4, 5]);
}

#[test]
fn a_spike_is_in_the_ring_in_the_tick_after_it_was_sent() {
    let a = Guest::sender(3);
    let b = Guest {
        pe: (7, 6, 3),
        key: 0x2000,
        ring_entries: 8,
        drain: true,
        ..Guest::default()
    };
    let mut machine = load(&[a, b], &[(0x1000, &[1])]);
    let sample = SampleRun {
        taps: Taps {
            spikes: vec![0, 1],
            ..Taps::default()
        },
        ..ticks(4)
    };
    let result = run(&mut machine, &sample);
    let expected: Vec<(u32, u32)> = (1..4)
        .flat_map(|tick| (0x1000..0x1003).map(move |key| (tick, key)))
        .collect();
    assert_eq!(log(memory(&machine, (7, 6, 3))), expected);
    assert_eq!(result.spikes[0].ticks, vec![spikes(&[0, 1, 2]); 4]);
    assert_eq!(result.spikes[1].ticks, vec![vec![]; 4]);
    assert_eq!((result.pes[0].sent, result.pes[1].received), (12, 12));
    assert_eq!(result.pes[1].ring_high_water, 3);
    assert!(result.unmatched.is_empty());
}

#[test]
fn a_pe_can_send_to_itself_and_the_ring_wraps() {
    let a = Guest {
        send: 5,
        ring_entries: 7,
        drain: true,
        ..Guest::default()
    };
    let mut machine = load(&[a], &[(0x1000, &[0])]);
    let result = run(&mut machine, &ticks(20));
    let expected: Vec<(u32, u32)> = (1..20)
        .flat_map(|tick| (0x1000..0x1005).map(move |key| (tick, key)))
        .collect();
    assert_eq!(log(memory(&machine, (1, 1, 0))), expected);
    assert_eq!((result.pes[0].dropped, result.pes[0].received), (0, 100));
}

#[test]
fn packets_of_several_senders_arrive_by_time_then_place() {
    // Both PEs of QPE (1,3) are three hops from the router and send in the same
    // cycle: the lower PE is first. (3,3) is nearer.
    let sender = |pe, key| Guest {
        pe,
        key,
        send: 1,
        ..Guest::default()
    };
    let sink = Guest {
        pe: (5, 3, 0),
        key: 0x3000,
        ring_entries: 64,
        drain: true,
        ..Guest::default()
    };
    let guests = [
        sender((1, 3, 1), 0x1000),
        sender((1, 3, 0), 0x1020),
        sender((3, 3, 0), 0x1040),
        sink,
    ];
    let mut machine = load(&guests, &[(0x1000, &[3]), (0x1020, &[3]), (0x1040, &[3])]);
    run(&mut machine, &ticks(3));
    let near_first = [0x1040, 0x1020, 0x1000];
    let expected: Vec<(u32, u32)> = (1..3)
        .flat_map(|tick| near_first.map(|key| (tick, key)))
        .collect();
    assert_eq!(log(memory(&machine, (5, 3, 0))), expected);
}

#[test]
fn a_full_ring_drops_and_says_so() {
    let a = Guest::sender(10);
    let b = Guest::sink(4);
    let images = images(&[a, b], &[(0x1000, &[1])]);
    let target = Target::spinnaker2();
    let mut machine = Machine::load(&images, &target).expect("sound");
    let result = run(&mut machine, &ticks(3));
    // Three of ten fit; the ring is read before the next ten come.
    let b = &result.pes[1];
    assert_eq!((b.received, b.dropped, b.ring_high_water), (9, 21, 3));
    let report = RunReport::new(&[result], &images.program, &target, 100);
    let warnings = report.warnings();
    assert_eq!(warnings[0].code, Code::RingOverflow);
    assert!(warnings[0].message.contains("'b'"), "{}", warnings[0]);
}

#[test]
fn packets_to_a_pe_without_a_ring_are_counted() {
    let a = Guest::sender(2);
    let b = Guest {
        pe: (2, 1, 0),
        key: 0x2000,
        ..Guest::default()
    };
    let mut machine = load(&[a, b], &[(0x1000, &[1])]);
    let result = run(&mut machine, &ticks(3));
    // Nothing looks at the ring, so only what arrived is known to be lost.
    assert_eq!(result.pes[1].unreceived, 6);
}

#[test]
fn a_key_without_an_entry_is_counted_by_key() {
    let a = Guest {
        send: 2,
        key: 0x4000,
        ..Guest::default()
    };
    let images = images(&[a], &[(0x1000, &[0]), (0x5000, &[])]);
    let target = Target::spinnaker2();
    let mut machine = Machine::load(&images, &target).expect("sound");
    let result = run(&mut machine, &ticks(3));
    let counts: Vec<(u32, u64)> = result.unmatched.clone().into_iter().collect();
    assert_eq!(counts, [(0x4000, 3), (0x4001, 3)]);
    let report = RunReport::new(&[result], &images.program, &target, 100);
    assert_eq!(report.warnings()[0].code, Code::UnmatchedKey);
    assert_eq!(report.unmatched_keys["0x00004001"], 3);
}

#[test]
fn an_entry_without_targets_ends_the_packet() {
    let a = Guest::sender(2);
    let mut machine = load(&[a], &[(0x1000, &[])]);
    let result = run(&mut machine, &ticks(3));
    assert!(result.unmatched.is_empty());
    assert_eq!(result.pes[0].sent, 6);
}

#[test]
fn a_late_tick_is_a_missed_deadline_with_its_place_and_cost() {
    // 4 cycles a round: 10,000 rounds are 40,000 cycles of a tick of 30,000.
    let a = Guest {
        delay: 10_000,
        delay_tick: 2,
        ..Guest::default()
    };
    let images = images(&[a], &[]);
    let target = Target::spinnaker2();
    let mut machine = Machine::load(&images, &target).expect("sound");
    let result = run(&mut machine, &ticks(6));
    let pe = &result.pes[0];
    assert_eq!((pe.missed_deadlines, pe.missed.len()), (1, 1));
    let missed = &pe.missed[0];
    assert_eq!(missed.tick, 2);
    assert_eq!(missed.symbol.as_deref(), Some("tick_isr+0x60"));
    assert!((40_000..40_300).contains(&missed.cycles_used), "{missed:?}");
    // No tick is lost: the late one is made up for.
    assert_eq!(pe.tick_cycles.len(), 6);
    assert_eq!(pe.tick_cycles[2], missed.cycles_used);
    assert!(pe.tick_cycles[3] < 200, "{pe:?}");
    let report = RunReport::new(std::slice::from_ref(&result), &images.program, &target, 100);
    assert_eq!(report.cycles_per_step.max, missed.cycles_used);
    let warning = &report.warnings()[0];
    assert_eq!(warning.code, Code::MissedDeadline);
    assert!(warning.notes[0].contains("tick 2"), "{warning}");
}

#[test]
fn a_deadline_missed_by_the_last_tick_counts() {
    let a = Guest {
        delay: 10_000,
        delay_tick: 2,
        ..Guest::default()
    };
    let mut machine = load(&[a], &[]);
    let result = run(&mut machine, &ticks(3));
    let missed = &result.pes[0].missed;
    assert_eq!(missed.len(), 1);
    assert!(missed[0].cycles_used > PERIOD, "{missed:?}");
    assert_eq!(result.pes[0].tick_cycles.len(), 3);
}

#[test]
fn a_fault_names_population_symbol_address_and_cycle() {
    let a = Guest {
        fault_tick: 1,
        ..Guest::default()
    };
    let mut machine = load(&[a], &[]);
    let d = only(machine.run_sample(&ticks(4)).expect_err("the fault"));
    assert_eq!(d.code, Code::GuestFault);
    let text = d.to_string();
    for part in ["'a'", "pe(1,1,0)", "wild+0x2", "0x40000004", "in tick 1"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[test]
fn a_program_that_never_sleeps_runs_out_of_fuel() {
    let a = Guest {
        hang_tick: 1,
        ..Guest::default()
    };
    let mut machine = load(&[a], &[]);
    // In a short run too, where the fuel would outlast the ticks.
    for n in [200, 3] {
        let d = only(machine.run_sample(&ticks(n)).expect_err("no fuel"));
        assert_eq!(d.code, Code::FuelExhausted);
        assert!(d.to_string().contains("tick_isr+0x56"), "{d}");
    }
}

#[test]
fn every_sample_starts_from_the_loaded_state() {
    let guests = [Guest::sender(3), Guest::sink(8)];
    let routes: &[(u32, &[usize])] = &[(0x1000, &[1])];
    let mut machine = load(&guests, routes);
    let fresh = load(&guests, routes);
    let first = run(&mut machine, &ticks(7));
    machine.reset();
    for pe in machine.pes() {
        assert_eq!(machine.memory(pe), fresh.memory(pe));
    }
    let second = run(&mut machine, &ticks(7));
    assert_eq!(first, second);
}

#[test]
fn state_goes_on_if_asked() {
    let guests = [Guest::sender(3), Guest::sink(8)];
    let routes: &[(u32, &[usize])] = &[(0x1000, &[1])];
    let mut whole = load(&guests, routes);
    run(&mut whole, &ticks(9));
    let mut parts = load(&guests, routes);
    for n in [2, 3, 4] {
        let sample = SampleRun {
            keep_state: true,
            ..ticks(n)
        };
        run(&mut parts, &sample);
    }
    for pe in whole.pes() {
        assert_eq!(whole.memory(pe), parts.memory(pe));
    }
}

#[test]
fn results_do_not_depend_on_host_threads() {
    let mut guests = Vec::new();
    for i in 0..6 {
        guests.push(Guest {
            pe: (1 + i, 1, i % 4),
            key: 0x1000 + 32 * u32::from(i),
            send: 3 + u32::from(i),
            events: if i == 0 { 64 } else { 0 },
            ring_entries: 40,
            drain: true,
            delay: 2000 * u32::from(i),
            delay_tick: if i % 2 == 1 { 2 } else { NEVER },
            ..Guest::default()
        });
    }
    let all: Vec<usize> = (0..6).collect();
    let routes: Vec<(u32, &[usize])> = (0..6).map(|i| (0x1000 + 32 * i, &all[..])).collect();
    let machine = load(&guests, &routes);
    let samples: Vec<SampleRun> = (0..12)
        .map(|s| SampleRun {
            inputs: vec![(0..8).map(|t| spikes(&[s % 7, 8 + t % 5])).collect()],
            taps: Taps {
                spikes: vec![0, 3],
                v: vec![2],
                ..Taps::default()
            },
            ..ticks(8)
        })
        .collect();
    let one = run_batch(&machine, &samples, 1).expect("runs");
    assert!(one.samples.iter().any(|r| r != &one.samples[0]));
    for threads in [2, 5] {
        let more = run_batch(&machine, &samples, threads).expect("runs");
        assert_eq!(one.samples, more.samples);
    }
    let mut alone = machine.clone();
    for (sample, expected) in samples.iter().zip(&one.samples) {
        assert_eq!(&run(&mut alone, sample), expected);
    }
}
