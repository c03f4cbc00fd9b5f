//! Performance levels: the same work in the same core cycles, at another speed.

mod machine_support;

use ir::Target;
use machine_support::{Guest, images, log, place};
use runtime_sim::Level;
use runtime_sim::inputs::{SampleRun, Taps};
use runtime_sim::machine::Machine;
use runtime_sim::report::SampleResult;

fn load(guests: &[Guest], routes: &[(u32, &[usize])], level: Level) -> Machine {
    let target = Target::spinnaker2();
    Machine::load_at(&images(guests, routes), &target, level).expect("a sound image")
}

fn run(machine: &mut Machine, ticks: u32) -> SampleResult {
    let sample = SampleRun {
        ticks,
        taps: Taps {
            spikes: vec![0],
            ..Taps::default()
        },
        ..SampleRun::default()
    };
    machine.run_sample(&sample).expect("the run succeeds")
}

#[test]
fn work_takes_the_same_cycles_and_twice_the_time_at_the_low_level() {
    let guests = [Guest::sender(3), Guest::sink(16)];
    let routes: &[(u32, &[usize])] = &[(0x1000, &[1])];
    let mut results = Vec::new();
    for level in Level::ALL {
        let mut machine = load(&guests, routes, level);
        let result = run(&mut machine, 6);
        let taken = log(machine.memory(place((2, 1, 0))).expect("loaded"));
        results.push((result, taken));
    }
    let [(low, low_log), (high, high_log)] = &results[..] else {
        panic!("two levels");
    };
    // Spikes of tick t are taken in tick t + 1, whatever the level.
    assert_eq!((low_log, &low.spikes), (high_log, &high.spikes));
    assert_eq!(low_log.len(), 3 * 5);
    for (l, h) in low.pes.iter().zip(&high.pes) {
        assert_eq!(l.tick_cycles, h.tick_cycles);
        assert_eq!(l.instructions, h.instructions);
        assert_eq!(l.activity.busy, [h.activity.busy[1], 0]);
        assert_eq!(h.activity.busy[0], 0);
        assert_eq!(
            (l.busy_time, h.busy_time),
            (2 * l.activity.busy[0], h.activity.busy[1])
        );
        assert_eq!(
            (l.activity.time, h.activity.time),
            ([low.time, 0], [0, high.time])
        );
    }
    // The timers' reference does not follow the level: six ticks of 100 us.
    for result in [low, high] {
        assert!(result.time.abs_diff(6 * 30_000) < 300, "{}", result.time);
    }
}

#[test]
fn a_deadline_that_only_the_low_level_misses_is_found_there() {
    // 4 cycles a round: 20,000 cycles fit a tick of 30,000 units at one unit a cycle only.
    let slow = Guest {
        delay: 5_000,
        delay_tick: 2,
        ..Guest::default()
    };
    let missed = Level::ALL.map(|level| {
        let mut machine = load(std::slice::from_ref(&slow), &[], level);
        let result = run(&mut machine, 6);
        (
            result.pes[0].missed_deadlines,
            result.pes[0].tick_cycles.clone(),
        )
    });
    assert_eq!((missed[0].0, missed[1].0), (1, 0));
    let [(_, low), (_, high)] = &missed;
    assert_eq!(low[..2], high[..2], "core cycles of the work");
    // Late work ends in the next interrupt's handler, not with sleep.
    assert!(low[2].abs_diff(high[2]) < 30, "{low:?} {high:?}");
}

#[test]
fn a_clock_that_does_not_divide_is_refused() {
    let mut target = Target::spinnaker2();
    target.clock.pe_low_hz = 200_000_000;
    let images = images(&[Guest::default()], &[]);
    let errors = Machine::load(&images, &target).expect_err("no whole units");
    assert!(errors.to_string().contains("pe_low_hz"), "{errors}");
}
