//! Packets that meet, and packets that leave their chip.

mod machine_support;

use ir::geometry::{ChipCoord, PeCoord};
use ir::image::{ChipImage, ImageSet};
use ir::key::KeyMask;
use ir::machine::Machine as Chips;
use ir::routing::{Link, RoutingEntry, Targets};
use ir::{Code, GlobalPe, Target};
use machine_support::{Guest, images, log};
use runtime_sim::energy::Parts;
use runtime_sim::inject::{Injected, Injection};
use runtime_sim::inputs::{SampleRun, Taps};
use runtime_sim::machine::Machine;
use runtime_sim::report::{RunReport, SampleResult};

/// The PE of every guest here.
const PE: (u8, u8, u8) = (3, 3, 0);

fn chip(x: u16, y: u16) -> ChipCoord {
    ChipCoord { x, y }
}

fn key(index: usize) -> u32 {
    0x1000 + 0x20 * index as u32
}

fn route(index: usize, links: &[Link], here: bool) -> RoutingEntry {
    let pe = PeCoord::new(PE.0, PE.1, PE.2).expect("in the byte");
    RoutingEntry {
        key: KeyMask::block(key(index), 5).expect("aligned"),
        targets: Targets {
            links: links.iter().copied().collect(),
            pes: here.then_some(pe).into_iter().collect(),
        },
        nets: Vec::new(),
    }
}

/// One guest on each chip of `machine`, which sends `send` packets a tick and logs
/// what reaches it; `routes` are those of each chip.
fn on_chips(machine: &Chips, send: u32, routes: impl Fn(usize) -> Vec<RoutingEntry>) -> ImageSet {
    let all: Vec<ChipCoord> = machine.chips().collect();
    let mut set: Option<ImageSet> = None;
    for (index, &at) in all.iter().enumerate() {
        let guest = Guest {
            pe: PE,
            send,
            key: key(index),
            ring_entries: 256,
            drain: true,
            ..Guest::default()
        };
        let mut one = images(std::slice::from_ref(&guest), &[]);
        let population = &mut one.program.populations[0];
        population.name = format!("p{index}");
        population.slices[0].chip = at;
        let pes = std::mem::take(&mut one.chips[0].pes);
        let routes = routes(index);
        let image = ChipImage {
            chip: at,
            pes,
            routes,
        };
        match &mut set {
            None => {
                one.machine = machine.clone();
                one.chips = vec![image];
                set = Some(one);
            }
            Some(set) => {
                set.chips.push(image);
                set.program.populations.append(&mut one.program.populations);
            }
        }
    }
    let mut set = set.expect("a chip");
    set.chips.sort_by_key(|c| c.chip);
    set
}

fn load(images: &ImageSet) -> Machine {
    Machine::load(images, &Target::spinnaker2()).expect("sound images")
}

fn run(machine: &mut Machine, ticks: u32) -> SampleResult {
    let sample = SampleRun {
        ticks,
        taps: Taps {
            spikes: vec![0],
            v: vec![0],
            ..Taps::default()
        },
        ..SampleRun::default()
    };
    machine.run_sample(&sample).expect("the run succeeds")
}

fn logged(machine: &Machine, at: ChipCoord) -> Vec<(u32, u32)> {
    let pe = PeCoord::new(PE.0, PE.1, PE.2).expect("in the byte");
    let sram = machine.memory(GlobalPe { chip: at, pe });
    log(sram.expect("a program is there"))
}

/// Every chip to all of its neighbours.
fn neighbours(machine: &Chips, send: u32) -> ImageSet {
    let all: Vec<ChipCoord> = machine.chips().collect();
    on_chips(machine, send, |index| {
        let here = all[index];
        let to = |link: &Link| machine.neighbour(here, *link);
        let links: Vec<Link> = Link::ALL.into_iter().filter(|l| to(l).is_some()).collect();
        let mut routes = vec![route(index, &links, false)];
        for next in links.iter().filter_map(to) {
            let from = all.iter().position(|c| *c == next).expect("on the machine");
            routes.push(route(from, &[], true));
        }
        routes
    })
}

#[test]
fn every_neighbour_of_a_board_hears_every_packet() {
    let board = Chips::new(8, 8);
    let all: Vec<ChipCoord> = board.chips().collect();
    let mut machine = load(&neighbours(&board, 3));
    let result = run(&mut machine, 4);
    let mut degrees = 0;
    for &at in &all {
        let around = Link::ALL.iter().filter_map(|&l| board.neighbour(at, l));
        let mut expected: Vec<(u32, u32)> = Vec::new();
        for next in around {
            degrees += 1;
            let from = all.iter().position(|c| *c == next).expect("on the board");
            // What is sent in tick t is taken in tick t + 1.
            expected.extend((1..4).flat_map(|t| (0..3).map(move |n| (t, key(from) + n))));
        }
        let mut heard = logged(&machine, at);
        heard.sort_unstable();
        expected.sort_unstable();
        assert_eq!(heard, expected, "{at}");
    }
    let n = &result.network;
    assert_eq!((n.packets, n.link_packets), (48 * 3 * 4, degrees * 3 * 4));
    assert_eq!(n.routed, n.packets + n.link_packets);
    assert_eq!((n.unmatched, n.link_dead, n.link_circling), (0, 0, 0));
}

#[test]
fn energy_goes_by_steps_and_the_network_says_what_it_did() {
    let mut machine = load(&neighbours(&Chips::new(2, 2), 3));
    let results = [run(&mut machine, 6), run(&mut machine, 6)];
    let mut target = Target::spinnaker2();
    let report = RunReport::new(&results, machine.program(), &target, 100);
    let series = &report.energy_series;
    assert_eq!((series.steps_per_point, series.points.len()), (1, 6));
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs();
    let sum = |part: fn(&Parts) -> f64| 2.0 * series.points.iter().map(part).sum::<f64>();
    // Two samples; every cycle of a core lies in some tick.
    assert!(close(sum(|p| p.arm), report.energy_uj.arm), "{report:?}");
    assert!(close(sum(|p| p.sleep), report.energy_uj.sleep));
    assert!(close(sum(|p| p.base), report.energy_uj.base));
    assert!(series.points.iter().all(|p| p.arm > 0.0 && p.noc.is_none()));
    // The first tick has nothing to receive.
    assert!(series.points[0].arm < series.points[1].arm);
    let network = report.network_energy;
    assert_eq!(network.bit_hops, 192 * report.network.hops);
    assert_eq!(network.link_bits, 96 * report.network.link_frames);
    assert!(network.link_bits > 0 && network.packets_routed > 0);
    assert_eq!((network.total(), report.energy_uj.noc), (None, None));
    target.energy.link_fj_per_bit = 1_000_000;
    let known = RunReport::new(&results, machine.program(), &target, 100);
    let links = network.link_bits as f64 * 1e-3;
    assert!(close(known.energy_uj.noc.expect("a number"), links));
    assert!(close(known.energy_uj.total, report.energy_uj.total + links));
    // However long a run is, its series is short.
    let long = [run(&mut machine, 600)];
    let report = RunReport::new(&long, machine.program(), &target, 100);
    let series = &report.energy_series;
    assert_eq!((series.steps_per_point, series.points.len()), (3, 200));
    let sum: f64 = series.points.iter().map(|p| 3.0 * p.arm).sum();
    assert!(close(sum, report.energy_uj.arm));
}

#[test]
fn threads_do_not_change_anything() {
    let board = Chips::new(8, 8);
    let loaded = load(&neighbours(&board, 5));
    let results = [1, 2, 5].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let mut machine = loaded.clone();
        let result = pool
            .build()
            .expect("threads")
            .install(|| run(&mut machine, 6));
        let memories: Vec<Vec<u8>> = machine
            .pes()
            .map(|pe| machine.memory(pe).expect("loaded").to_vec())
            .collect();
        (result, memories)
    });
    assert!(results[0] == results[1] && results[0] == results[2]);
    // A machine that has run gives the same again.
    let mut machine = loaded.clone();
    let first = run(&mut machine, 6);
    assert!(first == run(&mut machine, 6) && first == results[0].0);
}

#[test]
fn packets_that_meet_wait_for_each_other_and_all_arrive() {
    // 40 PEs send to one: its port takes one packet a cycle.
    let mut guests: Vec<Guest> = Target::spinnaker2()
        .application_pes()
        .into_iter()
        .take(40)
        .zip(0..)
        .map(|(pe, index)| Guest {
            pe: (pe.x(), pe.y(), pe.p()),
            send: 10,
            key: key(index),
            ..Guest::default()
        })
        .collect();
    guests[7].ring_entries = 1000;
    guests[7].drain = true;
    let keys: Vec<u32> = guests.iter().map(|g| g.key).collect();
    let routes: Vec<(u32, &[usize])> = keys.iter().map(|&k| (k, &[7_usize][..])).collect();
    // Names beyond 'z' are not given, and nothing here needs them.
    let mut machine = load(&images(&guests, &routes));
    let result = run(&mut machine, 2);
    let sink = result.pes.iter().find(|p| p.received > 0).expect("a sink");
    assert_eq!((sink.received, sink.dropped), (800, 0));
    let n = &result.network;
    assert_eq!((n.packets, n.routed, n.flits), (800, 800, 1600));
    assert!(n.flits_waited > 100 && n.flit_wait > 100, "{n:?}");
    assert!(n.router_waited > 0 && n.router_queue > 0, "{n:?}");
    assert_eq!(n.lost, 0);
    let report = RunReport::new(
        &[result.clone(), result.clone()],
        machine.program(),
        &Target::spinnaker2(),
        100,
    );
    assert_eq!(report.network.flits, 3200);
    assert_eq!(report.network.router_queue, n.router_queue);
}

#[test]
fn what_goes_nowhere_is_counted_and_said() {
    let row = Chips::new(2, 1).without_link(chip(0, 0), Link::East);
    let set = on_chips(&row, 2, |index| match index {
        0 => vec![route(0, &[Link::East], true)],
        _ => Vec::new(),
    });
    let mut machine = load(&set);
    let result = run(&mut machine, 3);
    // The second chip has no entry for its own keys.
    assert_eq!(result.network.link_dead, 2 * 3);
    assert_eq!(result.network.unmatched, 2 * 3);
    assert_eq!(result.unmatched.values().sum::<u64>(), 2 * 3);
    assert_eq!(logged(&machine, chip(0, 0)).len(), 2 * 2);
    let target = Target::spinnaker2();
    let report = RunReport::new(&[result], machine.program(), &target, 100);
    let codes: Vec<Code> = report.warnings().iter().map(|w| w.code).collect();
    assert_eq!(codes, [Code::UnmatchedKey, Code::PacketsLost]);
}

#[test]
fn a_link_that_breaks_loses_what_comes_later() {
    let row = Chips::new(2, 1);
    let set = on_chips(&row, 3, |index| match index {
        0 => vec![route(0, &[Link::East], false)],
        _ => vec![route(0, &[], true), route(1, &[], false)],
    });
    let mut machine = load(&set);
    let mut faults = Injection::default();
    // From the other end, at the beginning of tick 4.
    faults.dead_links.insert((chip(1, 0), Link::West), 4);
    machine.inject(faults).expect("the link is there");
    let result = run(&mut machine, 7);
    // What is sent in tick t is taken in tick t + 1.
    let heard = logged(&machine, chip(1, 0));
    assert_eq!(heard.len(), 3 * 4);
    assert!(heard.iter().all(|(tick, _)| *tick <= 4), "{heard:?}");
    assert_eq!(result.network.link_packets, 3 * 4);
    assert_eq!(result.injected.packets_on_dead_links, 3 * 3);
    assert!(run(&mut machine, 7) == result, "it breaks again");
    machine.inject(Injection::default()).expect("nothing");
    assert_eq!(run(&mut machine, 7).injected, Injected::default());
    let mut nowhere = Injection::default();
    nowhere.dead_links.insert((chip(1, 0), Link::East), 4);
    let error = machine.inject(nowhere).expect_err("no such link");
    assert!(
        error.to_string().contains("chip(1,0) has no link E"),
        "{error}"
    );
}

#[test]
fn tables_that_lead_in_circles_end() {
    let torus = Chips::new(12, 12);
    // Every chip hands everything on over all links: no network can carry that.
    let set = on_chips(&torus, 1, |_| {
        vec![RoutingEntry {
            key: KeyMask::new(0, 0).expect("matches all"),
            targets: Targets {
                links: [Link::East, Link::West].into(),
                pes: Default::default(),
            },
            nets: Vec::new(),
        }]
    });
    let one = |index: usize| match index {
        0 => vec![route(0, &[Link::East], false)],
        1 => vec![route(0, &[Link::West], false)],
        _ => Vec::new(),
    };
    let mut pair = load(&on_chips(&Chips::new(2, 1), 1, one));
    let result = run(&mut pair, 2);
    // Four crossings on a machine of two chips, then the packet is dropped.
    assert_eq!(result.network.link_circling, 2);
    assert_eq!(result.network.link_packets, 2 * 4);
    let target = Target::spinnaker2();
    let report = RunReport::new(&[result], pair.program(), &target, 100);
    assert!(
        report
            .warnings()
            .iter()
            .any(|w| w.code == Code::PacketsLost)
    );
    // Loading the other is no problem; it is not run, since it would take long.
    assert_eq!(load(&set).pes().count(), 144);
}

#[test]
fn links_that_are_busy_make_packets_wait() {
    // One PE of a chip sends 30 packets to the next chip as fast as it can, and a
    // link takes 4.8 units for each: a program needs longer to send one.
    let row = Chips::new(2, 1);
    let quiet = on_chips(&row, 30, |index| match index {
        0 => vec![route(0, &[Link::East], false)],
        _ => vec![route(0, &[], true), route(1, &[], false)],
    });
    let mut machine = load(&quiet);
    let result = run(&mut machine, 2);
    assert_eq!(
        (result.network.link_packets, result.network.link_waited),
        (60, 0)
    );
    // Two chips at once, over the third: still one frame each, two links.
    assert_eq!(logged(&machine, chip(1, 0)).len(), 30);
}
