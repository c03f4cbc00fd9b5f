//! The host's side: event windows, spike records, refused images and samples.

mod machine_support;

use ir::app::AtomOrder;
use ir::geometry::PeCoord;
use ir::image::ImageSet;
use ir::key::KeyMask;
use ir::routing::{Link, RoutingEntry, Targets};
use ir::tensor::Shape;
use ir::{Code, Target};
use machine_support::{Guest, images, log, place, spikes};
use runtime_sim::inputs::{SampleRun, Taps};
use runtime_sim::machine::Machine;

/// A source of events and a PE that logs what it receives.
fn source(events: u32) -> ImageSet {
    let a = Guest {
        events,
        ..Guest::default()
    };
    let b = Guest::sink(64);
    images(&[a, b], &[(0x1000, &[1])])
}

fn sample(rows: &[&[u32]], ticks: u32) -> SampleRun {
    SampleRun {
        ticks,
        inputs: vec![rows.iter().map(|r| spikes(r)).collect()],
        taps: Taps {
            spikes: vec![0],
            ..Taps::default()
        },
        keep_state: false,
    }
}

#[test]
fn events_are_sent_in_windows_that_fit() {
    let rows: &[&[u32]] = &[&[0, 5], &[], &[31], &[1, 2, 3], &[4], &[], &[7, 8]];
    let expected: Vec<_> = rows.iter().map(|r| spikes(r)).collect();
    let mut windows = Vec::new();
    for bytes in [16, 24, 4096] {
        let target = Target::spinnaker2();
        let mut machine = Machine::load(&source(bytes), &target).expect("sound");
        let result = machine.run_sample(&sample(rows, 9)).expect("runs");
        assert_eq!(result.spikes[0].ticks[..7], expected);
        assert!(result.spikes[0].ticks[7..].iter().all(Vec::is_empty));
        let sink = machine.memory(place((2, 1, 0))).expect("loaded");
        let sent: Vec<(u32, u32)> = (1..)
            .zip(rows)
            .flat_map(|(tick, row)| row.iter().map(move |a| (tick, 0x1000 + a)))
            .collect();
        assert_eq!(log(sink), sent);
        windows.push(result.windows);
    }
    // Words per tick are 3 1 2 4 2 1 3 1 1: in 4 words (3 1)(2)(4)(2 1)(3 1)(1),
    // in 6 words (3 1 2)(4 2)(1 3 1 1), in 1,024 words all of them.
    assert_eq!(windows, [6, 3, 1]);
}

#[test]
fn a_tick_that_no_window_holds_is_an_error_with_the_arithmetic() {
    let mut machine = Machine::load(&source(16), &Target::spinnaker2()).expect("sound");
    let errors = machine
        .run_sample(&sample(&[&[1], &[1, 2, 3, 4]], 3))
        .expect_err("too many");
    let d = &errors.0[0];
    assert_eq!(d.code, Code::InputWindow);
    assert!(
        d.message.contains("'a'") && d.message.contains("tick 1"),
        "{d}"
    );
    assert!(
        d.notes[0].contains("4 events x 4 B + 4 B count = 20 B"),
        "{d}"
    );
}

#[test]
fn samples_that_do_not_fit_the_program_are_refused() {
    let mut machine = Machine::load(&source(64), &Target::spinnaker2()).expect("sound");
    let mut refused = |s: SampleRun| {
        let errors = machine.run_sample(&s).expect_err("refused");
        assert_eq!(errors.0[0].code, Code::InputData, "{errors}");
    };
    refused(sample(&[&[2, 1]], 3));
    refused(sample(&[&[1, 1]], 3));
    refused(sample(&[&[32]], 3));
    refused(sample(&[&[], &[], &[], &[]], 3));
    let mut two = sample(&[], 3);
    two.inputs.push(Vec::new());
    refused(two);
    let mut tap = sample(&[], 3);
    tap.taps.spikes = vec![2];
    refused(tap);
}

#[test]
fn spike_records_are_emptied_before_they_overflow() {
    let a = Guest {
        record: 0b1001,
        record_frames: 3,
        ..Guest::default()
    };
    let mut machine = Machine::load(&images(&[a], &[]), &Target::spinnaker2()).expect("sound");
    let run = SampleRun {
        ticks: 8,
        ..SampleRun::default()
    };
    let result = machine.run_sample(&run).expect("runs");
    let ticks: Vec<u32> = result.frames.iter().map(|f| f.tick).collect();
    assert_eq!(ticks, (0..8).collect::<Vec<_>>());
    for f in &result.frames {
        assert_eq!(
            (f.identity, f.atoms.as_slice()),
            (1 << 5 | 1 << 2, &[0, 3][..])
        );
    }
    // Full after 3 and 6 ticks, and once more at the end.
    assert_eq!(result.record_reads, 3);
}

fn refused(images: &ImageSet, part: &str) {
    let errors = Machine::load(images, &Target::spinnaker2()).expect_err(part);
    assert_eq!(errors.0[0].code, Code::BundleInvalid, "{errors}");
    assert!(errors.to_string().contains(part), "no '{part}' in {errors}");
}

#[test]
fn unsound_images_are_refused() {
    let good = source(64);
    let edit = |change: &dyn Fn(&mut ImageSet)| {
        let mut images = good.clone();
        change(&mut images);
        images
    };
    let pe = |x, y, p| PeCoord::new(x, y, p).expect("in the byte");
    refused(&edit(&|i| i.target = "other".to_owned()), "target 'other'");
    refused(&edit(&|i| i.time_step_us = 0), "time step");
    refused(&edit(&|i| i.program.ticks_per_step = 0), "no ticks");
    refused(
        &edit(&|i| i.program.populations[0].shape = Shape::of(&[31])),
        "32 atoms",
    );
    refused(
        &edit(&|i| i.program.populations[0].order = AtomOrder::Blocked { channels: 3 }),
        "order",
    );
    refused(
        &edit(&|i| i.program.populations[0].slices[0].i_addr = Some(0x1_ffc0)),
        "outside local SRAM",
    );
    refused(
        &edit(&|i| i.chips[0].pes[0].pe = pe(4, 3, 0)),
        "does not exist",
    );
    refused(
        &edit(&|i| i.chips[0].pes[1].pe = pe(1, 1, 0)),
        "two programs",
    );
    refused(
        &edit(&|i| i.chips[0].pes[0].segments[7].size = 0x2_0000),
        "local SRAM",
    );
    refused(
        &edit(&|i| i.chips[0].pes[0].segments[7].addr = u32::MAX),
        "local SRAM",
    );
    refused(
        &edit(&|i| i.chips[0].pes[0].segments[2].addr = 0x200),
        "inside the one before",
    );
    refused(
        &edit(&|i| i.chips[0].pes[0].segments[2].size = 3),
        "B of contents",
    );
    refused(&edit(&|i| i.chips[0].pes[0].entry = 0x100), "Thumb address");
    refused(&edit(&|i| i.chips[0].pes[0].entry = 0x801), "Thumb address");
    refused(&edit(&|i| i.chips[0].pes[0].entry = 0x103), "reset vector");
    let entry = RoutingEntry {
        key: KeyMask::block(0x1000, 5).expect("aligned"),
        targets: Targets::default(),
        nets: Vec::new(),
    };
    refused(
        &edit(&|i| i.chips[0].routes = vec![entry.clone(); 16_385]),
        "16385 routing entries",
    );
    refused(
        &edit(&|i| {
            i.chips[0].routes[0].targets.pes.insert(pe(3, 1, 0));
        }),
        "no program",
    );
    refused(
        &edit(&|i| {
            i.chips[0].routes[0].targets.links.insert(Link::East);
        }),
        "link",
    );
    refused(
        &edit(&|i| i.program.populations[0].slices[0].events = Some((0x1_fff0, 64))),
        "outside local SRAM",
    );
    refused(
        &edit(&|i| i.program.populations[0].slices[0].control_addr = u32::MAX - 3),
        "outside local SRAM",
    );
    refused(
        &edit(&|i| i.program.populations[0].slices[0].n = 31),
        "cover",
    );
    refused(
        &edit(&|i| {
            i.program.populations[0].slices[0].n = 33;
            i.program.populations[0].n_atoms = 33;
            i.program.populations[0].shape = Shape::of(&[33]);
        }),
        "more than key",
    );
    refused(
        &edit(&|i| {
            i.program.populations[1].slices[0].key = KeyMask::block(0x1000, 5).expect("aligned");
        }),
        "share key",
    );
    refused(
        &edit(&|i| i.program.inputs[0].population = 1),
        "input 'in0'",
    );
}

#[test]
fn guests_that_misuse_the_hardware_are_stopped_not_the_host() {
    // A ring outside SRAM is refused when the program enables it.
    let a = Guest {
        ring_entries: 1 << 16,
        ..Guest::default()
    };
    let errors = Machine::load(&images(&[a], &[]), &Target::spinnaker2()).expect_err("bad ring");
    assert_eq!(errors.0[0].code, Code::GuestFault);
    assert!(errors.to_string().contains("reset+0x24"), "{errors}");
}

#[test]
fn the_host_sets_the_event_pointer_itself() {
    let mut images = source(64);
    let control = &mut images.chips[0].pes[0].segments[3].bytes;
    control[8..12].copy_from_slice(&0x1_fffc_u32.to_le_bytes());
    let mut machine = Machine::load(&images, &Target::spinnaker2()).expect("sound");
    let result = machine.run_sample(&sample(&[&[1]], 2)).expect("runs");
    assert_eq!(result.spikes[0].ticks, [spikes(&[1]), vec![]]);
}
