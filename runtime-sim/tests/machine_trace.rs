//! A traced machine does what an untraced one does, and the trace says what that was.

mod machine_support;

use ir::Target;
use ir::geometry::GlobalPe;
use machine_support::{Guest, images, place};
use runtime_sim::inputs::{SampleRun, Taps};
use runtime_sim::machine::Machine;
use runtime_sim::trace::{Event, Format, Request, What, Writer};
use std::collections::BTreeSet;

const HZ: u64 = 300_000_000;

fn machine() -> Machine {
    let a = Guest::sender(3);
    let b = Guest {
        pe: (7, 6, 3),
        key: 0x2000,
        ring_entries: 8,
        drain: true,
        ..Guest::default()
    };
    let images = images(&[a, b], &[(0x1000, &[1])]);
    Machine::load(&images, &Target::spinnaker2()).expect("sound")
}

fn sample() -> SampleRun {
    SampleRun {
        ticks: 5,
        taps: Taps {
            spikes: vec![0, 1],
            v: vec![0],
            ..Taps::default()
        },
        ..SampleRun::default()
    }
}

fn both() -> BTreeSet<GlobalPe> {
    [place((1, 1, 0)), place((7, 6, 3))].into_iter().collect()
}

fn all() -> Request {
    Request {
        instructions: both(),
        packets: both(),
        spikes: both(),
        events: 1 << 20,
    }
}

fn traced(request: &Request) -> (Machine, Vec<Event>) {
    let mut machine = machine();
    machine.trace(request);
    machine.run_sample(&sample()).expect("runs");
    let events = machine.take_trace();
    (machine, events)
}

#[test]
fn a_traced_run_ends_in_the_same_state() {
    let mut plain = machine();
    let expected = plain.run_sample(&sample()).expect("runs");
    let mut traced = machine();
    traced.trace(&all());
    let found = traced.run_sample(&sample()).expect("runs");
    assert_eq!(found, expected);
    for pe in both() {
        assert_eq!(traced.memory(pe), plain.memory(pe));
    }
    // Every instruction of the run is there, once.
    let events = traced.take_trace();
    for (pe, stats) in expected.pes.iter().enumerate() {
        let executed = |e: &&Event| e.pe == pe && matches!(e.what, What::Executed(_));
        let count = events.iter().filter(executed).count() as u64;
        // The program that is finished after the run is traced as well.
        assert!(
            count >= stats.instructions,
            "{count} of {}",
            stats.instructions
        );
        assert!(count < stats.instructions + 100, "{count}");
    }
    assert_eq!(traced.trace_lost(), 0);
    traced.trace(&Request::default());
    traced.run_sample(&sample()).expect("runs");
    assert_eq!(traced.take_trace(), []);
}

#[test]
fn packets_are_told_from_both_ends() {
    let request = Request {
        instructions: BTreeSet::new(),
        ..all()
    };
    let (_, events) = traced(&request);
    let sent: Vec<(u64, u32, u32)> = events
        .iter()
        .filter_map(|e| match e.what {
            What::Sent { key, tick, .. } => Some((e.time, key, tick?)),
            _ => None,
        })
        .collect();
    let received: Vec<(u64, u32)> = events
        .iter()
        .filter_map(|e| match e.what {
            What::Received { key, source, .. } => {
                assert_eq!((e.pe, source), (1, 0));
                Some((e.time, key))
            }
            _ => None,
        })
        .collect();
    let keys: Vec<(u32, u32)> = sent.iter().map(|&(_, key, tick)| (key, tick)).collect();
    let expected: Vec<(u32, u32)> = (0..5)
        .flat_map(|tick| (0x1000..0x1003).map(move |key| (key, tick)))
        .collect();
    assert_eq!(keys, expected);
    assert_eq!(received.len(), sent.len());
    for ((left, key, _), (arrived, same)) in sent.iter().zip(&received) {
        assert_eq!(key, same);
        assert!(arrived > left, "{left} {arrived}");
    }
    assert!(!events.iter().any(|e| matches!(e.what, What::Executed(_))));
    assert!(events.is_sorted_by_key(|e| (e.time, e.pe)));
}

#[test]
fn the_text_names_what_happened() {
    let (machine, events) = traced(&all());
    let mut writer = Writer::new(&machine, HZ, Format::Text, Vec::new()).expect("written");
    writer.sample(0, &events).expect("written");
    let text = String::from_utf8(writer.finish(0).expect("written")).expect("text");
    for part in [
        "pe(1,1,0)  tick 0 begins",
        "takes timer interrupt",
        "tick_isr  ",
        "stmdb sp!, {r4, r5, r6, r7, r8, lr}",
        "sp=",
        "sends key 00001001 'a' atom 1 tick 2",
        "receives key 00001001 'a' atom 1 from pe(1,1,0)",
        "sleeps after ",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert_eq!(text.lines().count(), events.len() + 2);
}

#[test]
fn a_limit_holds_and_is_told() {
    let request = Request {
        events: 100,
        ..all()
    };
    let (machine, events) = traced(&request);
    assert_eq!(events.len(), 100);
    let (_, whole) = traced(&all());
    // What runs on at full speed is counted in instructions; nobody sees exceptions.
    let counted = |list: &[Event]| {
        let exception = |e: &&Event| matches!(e.what, What::Exception { .. });
        (list.len() - list.iter().filter(exception).count()) as u64
    };
    assert_eq!(machine.trace_lost(), counted(&whole) - counted(&events));
    for pe in 0..2 {
        let of = |list: &[Event]| {
            let mut own: Vec<Event> = list.iter().filter(|e| e.pe == pe).cloned().collect();
            own.truncate(40);
            own
        };
        assert_eq!(of(&events), of(&whole), "the beginning is kept");
    }
    let writer = Writer::new(&machine, HZ, Format::Text, Vec::new()).expect("written");
    let text = writer.finish(machine.trace_lost()).expect("written");
    let text = String::from_utf8(text).expect("text");
    assert!(
        text.contains("events beyond the limit are not shown"),
        "{text}"
    );
}
