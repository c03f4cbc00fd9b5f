//! Packets that are not plain multicast between chips, from emitted code.

use codegen::devices::Packets;
use codegen::devices::dma::sram_address;
use codegen::devices::packet::{Kind, core_key};
use codegen::kernels::{Addressing, Kernel, build};
use ir::image::Coupling;
use ir::key::KeyMask;
use ir::machine::Machine as Topology;
use ir::routing::{Link, RoutingEntry, Targets};
use ir::{ChipCoord, GlobalPe, Target};
use runtime_sim::{Injection, Machine, inject::Chance};
use tests::machine_bench::{Guest, Ran, images_on, note_packet, pe, run_images, sample};

const NOTES: u32 = 0x1_e000;

fn target() -> Target {
    Target::spinnaker2()
}

fn chip(x: u16, y: u16) -> ChipCoord {
    ChipCoord { x, y }
}

/// The PE of every guest here.
fn on(x: u16, y: u16) -> GlobalPe {
    GlobalPe {
        chip: chip(x, y),
        pe: pe(3, 3, 1),
    }
}

/// Sends packets: kind, key, payload.
fn sender(packets: Vec<(Kind, u32, Vec<u32>)>) -> Kernel {
    build("sender", 0, Addressing::Guest, move |kb, _| {
        for (kind, key, words) in &packets {
            let key = kb.int(*key);
            let words: Vec<_> = words.iter().map(|&w| kb.int(w)).collect();
            Packets::of(&target()).send(kb, *kind, key, &words);
        }
    })
}

/// Takes `n` packets as they come, and notes them.
fn receiver(n: u32) -> Kernel {
    build("receiver", 0, Addressing::Guest, move |kb, _| {
        let packets = Packets::of(&target());
        packets.enable(kb, false);
        for k in 0..n {
            packets.poll(kb);
            note_packet(kb, &packets, NOTES + 32 * k);
        }
    })
}

/// Only lets packets come.
fn listener() -> Kernel {
    build("listener", 0, Addressing::Guest, |kb, _| {
        Packets::of(&target()).enable(kb, false);
    })
}

fn noted(ran: &Ran, who: GlobalPe, k: u32) -> [u32; 6] {
    std::array::from_fn(|n| ran.word_at(who, NOTES + 32 * k + 4 * n as u32))
}

fn guest(kernel: Kernel) -> Vec<Guest> {
    vec![Guest::new(pe(3, 3, 1), kernel)]
}

/// A rectangle of chips whose guests are `kernel` of each.
fn images(
    target: &Target,
    coupling: Coupling,
    (w, h): (u16, u16),
    kernel: impl Fn(ChipCoord) -> Kernel,
) -> ir::image::ImageSet {
    let machine = Topology::new(w, h);
    let mut chips: Vec<ChipCoord> = machine.chips().collect();
    chips.sort_unstable();
    let chips: Vec<_> = chips.into_iter().map(|c| (c, guest(kernel(c)))).collect();
    images_on(target, coupling, &machine, &chips)
}

const WORDS: [u32; 4] = [0x1111_0001, 0x2222_0002, 0x3333_0003, 0x4444_0004];

#[test]
fn core_to_core_packets_reach_any_chip_with_every_payload() {
    let to = on(2, 1);
    let lengths = [0_usize, 1, 2, 4];
    let send = lengths.map(|n| (Kind::CoreToCore, core_key(to), WORDS[..n].to_vec()));
    for coupling in [Coupling::None, Coupling::Dma, Coupling::Window] {
        let set = images(&target(), coupling, (3, 2), |at| match at {
            _ if at == to.chip => receiver(4),
            _ if at == chip(0, 0) => sender(send.to_vec()),
            _ => listener(),
        });
        let ran = run_images(&target(), &set);
        for (k, &n) in (0..).zip(&lengths) {
            let mut expected = [0; 6];
            expected[0] = 1 << 31 | (n as u32) << 4 | target().packet.core_to_core;
            expected[1..=n].copy_from_slice(&WORDS[..n]);
            expected[5] = core_key(to);
            assert_eq!(noted(&ran, to, k), expected, "{n} words");
        }
        let network = &ran.result.network;
        // East, then north-east; 49 bits and the payload in frames of 84.
        assert_eq!((network.link_packets, network.link_frames), (8, 2 * 7));
        assert_eq!((network.packets, network.routed), (4, 4 * 3));
        let (from, to) = (ran.stats_at(on(0, 0)), ran.stats_at(to));
        assert_eq!(from.links.packets.sent, 4);
        assert_eq!((from.links.packets.lost, to.links.packets.received), (0, 4));
    }
}

#[test]
fn a_link_costs_frames_latency_and_a_router() {
    // A receiver polls; what it needs more than on the sender's own chip is the way.
    let cycles = |far: u16, words: usize| {
        let to = GlobalPe {
            pe: pe(3, 3, 2),
            ..on(far, 0)
        };
        let send = vec![(Kind::CoreToCore, core_key(to), WORDS[..words].to_vec())];
        let machine = Topology::new(4, 1);
        let chips: Vec<_> = (0..4)
            .map(|x| {
                let mut guests = match x {
                    0 => guest(sender(send.clone())),
                    _ => guest(listener()),
                };
                if x == far {
                    guests.push(Guest::new(to.pe, receiver(1)));
                }
                (chip(x, 0), guests)
            })
            .collect();
        let set = images_on(&target(), Coupling::None, &machine, &chips);
        run_images(&target(), &set).stats_at(to).busy_cycles as f64
    };
    for (words, frames) in [(0, 1.0), (1, 1.0), (2, 2.0), (4, 3.0)] {
        let here = cycles(0, words);
        for far in 1..4 {
            // 96 bits at 6 Gbit/s and 2 cycles of 125 MHz are 4.8 cycles each.
            let expected = f64::from(far) * (4.8 * frames + 4.8 + 6.0);
            let more = cycles(far, words) - here;
            // The poll loop is shorter than that.
            assert!(
                (more - expected).abs() < 12.0,
                "{far} {words}: {more} {expected}"
            );
        }
    }
}

#[test]
fn neighbours_are_reached_over_each_of_six_links() {
    let middle = chip(1, 1);
    let address = sram_address(&target(), pe(3, 3, 1), 0x40);
    let send = |link: u8| {
        let words = WORDS[..usize::from(link) % 3].to_vec();
        (Kind::Neighbour { link }, address, words)
    };
    let set = images(&target(), Coupling::None, (3, 3), |at| match at {
        _ if at == middle => sender((0..6).map(send).collect()),
        _ if at == chip(0, 2) || at == chip(2, 0) => listener(),
        _ => receiver(1),
    });
    let ran = run_images(&target(), &set);
    for (link, n) in Link::ALL.into_iter().zip(0_u32..) {
        let (dx, dy) = link.step();
        let beyond = on(1_u16.wrapping_add_signed(dx), 1_u16.wrapping_add_signed(dy));
        let words = n % 3;
        let got = noted(&ran, beyond, 0);
        let code = target().packet.neighbour;
        assert_eq!(got[0], 1 << 31 | words << 4 | code, "{}", link.name());
        assert_eq!(got[5], address);
        let words = words as usize;
        assert_eq!(got[1..=words], WORDS[..words]);
    }
    assert_eq!(ran.result.network.link_packets, 6);
    // At the edge of the machine there is nobody.
    let set = images(&target(), Coupling::None, (1, 1), |_| sender(vec![send(2)]));
    let ran = run_images(&target(), &set);
    assert_eq!(ran.result.network.link_dead, 1);
    assert_eq!(ran.stats_at(on(0, 0)).links.packets.lost, 1);
}

#[test]
fn wide_multicast_follows_the_tables_of_all_chips() {
    let send = vec![
        (Kind::Multicast, 0x77, WORDS.to_vec()),
        (Kind::Multicast, 0x78, Vec::new()),
    ];
    let mut set = images(&target(), Coupling::None, (2, 2), |at| match at {
        _ if at == chip(0, 0) => sender(send.clone()),
        _ => receiver(1),
    });
    let entry = |links: &[Link], here: bool| RoutingEntry {
        key: KeyMask::new(0x77, u32::MAX).expect("inside the mask"),
        targets: Targets {
            links: links.iter().copied().collect(),
            pes: here.then_some(pe(3, 3, 1)).into_iter().collect(),
        },
        nets: Vec::new(),
    };
    for c in &mut set.chips {
        c.routes = match (c.chip.x, c.chip.y) {
            (0, 0) => vec![entry(&[Link::East, Link::North], false)],
            (1, 0) => vec![entry(&[Link::North], true)],
            _ => vec![entry(&[], true)],
        };
    }
    let ran = run_images(&target(), &set);
    let [a, b, c, d] = WORDS;
    let expected = [
        1 << 31 | 4 << 4 | target().packet.multicast,
        a,
        b,
        c,
        d,
        0x77,
    ];
    for at in [on(1, 0), on(0, 1), on(1, 1)] {
        assert_eq!(noted(&ran, at, 0), expected, "{at}");
    }
    // The other key has no entry.
    assert_eq!(ran.result.network.unmatched, 1);
    assert_eq!(ran.result.unmatched.get(&0x78), Some(&1));
    assert_eq!(ran.result.network.link_packets, 3);
}

#[test]
fn packets_wait_for_a_link_and_full_queues_count() {
    // Five PEs of a chip send at once; three frames take a link 14.4 cycles.
    let to = on(1, 0);
    let machine = Topology::new(2, 1);
    let kernel = || sender(vec![(Kind::CoreToCore, core_key(to), WORDS.to_vec())]);
    let crowd = (1..6).map(|y| Guest::new(pe(2, y, 0), kernel())).collect();
    let chips = [(chip(0, 0), crowd), (chip(1, 0), guest(receiver(5)))];
    let set = images_on(&target(), Coupling::None, &machine, &chips);
    let ran = run_images(&target(), &set);
    let n = &ran.result.network;
    assert_eq!((n.link_packets, n.link_frames), (5, 15));
    assert!(n.link_waited >= 3 && n.link_wait > 30, "{n:?}");
    assert_eq!(ran.stats_at(to).links.packets.received, 5);
}

/// Six packets from (0, 0) to (1, 2), which two shortest ways lead to.
fn two_ways(target: &Target, faults: Injection) -> (u64, u64, runtime_sim::SampleResult) {
    let to = on(1, 2);
    let send = vec![(Kind::CoreToCore, core_key(to), WORDS.to_vec()); 4];
    let set = images(target, Coupling::None, (2, 3), |at| match at {
        _ if at == chip(0, 0) => sender(send.clone()),
        _ => listener(),
    });
    let mut machine = Machine::load(&set, target).expect("the images load");
    machine.inject(faults).expect("sound faults");
    let result = machine.run_sample(&sample()).expect("it runs");
    let stats = |who| {
        let found = result.pes.iter().find(|s| s.pe == who);
        found.expect("it has a program").links.packets
    };
    (stats(on(0, 0)).lost, stats(to).received, result)
}

#[test]
fn core_to_core_packets_take_the_link_that_the_target_says() {
    let mut dead = Injection::default();
    dead.dead_links.insert((chip(1, 1), Link::SouthWest), 0);
    let mut target = target();
    // North-east comes first, and is broken: seen from its other end.
    let (lost, received, result) = two_ways(&target, dead.clone());
    assert_eq!(
        (lost, received, result.injected.packets_on_dead_links),
        (4, 0, 4)
    );
    assert_eq!(result.network.link_broken, 4);
    target.packet.core_links = 1;
    let (lost, received, result) = two_ways(&target, dead);
    assert_eq!(
        (lost, received, result.injected.packets_on_dead_links),
        (0, 4, 0)
    );
    assert_eq!(result.network.link_packets, 8);
}

#[test]
fn injected_drops_hit_core_to_core_packets_too() {
    let share = |share: f64, seed: u64| Injection {
        seed,
        drop: Chance::new(share).expect("a share"),
        ..Injection::default()
    };
    let target = target();
    let (lost, received, result) = two_ways(&target, share(1.0, 0));
    assert_eq!((lost, received, result.injected.packets_dropped), (0, 0, 4));
    assert_eq!(result.network.packets, 0);
    let mut some = std::collections::BTreeSet::new();
    for seed in 0..8 {
        let (_, received, result) = two_ways(&target, share(0.5, seed));
        assert_eq!(received + result.injected.packets_dropped, 4);
        assert!(
            two_ways(&target, share(0.5, seed)).2 == result,
            "it happens again"
        );
        some.insert(received);
    }
    assert!(some.len() > 1, "{some:?}");
}

#[test]
fn threads_do_not_change_packets_between_chips() {
    // Everybody to the chip in the middle, and over all links.
    let to = on(3, 4);
    let address = sram_address(&target(), to.pe, 0);
    let set = images(&target(), Coupling::None, (7, 9), |_| {
        build("both", 0, Addressing::Guest, |kb, _| {
            let packets = Packets::of(&target());
            packets.enable(kb, false);
            for link in 0..6 {
                let key = kb.int(address);
                packets.send(kb, Kind::Neighbour { link }, key, &[]);
                let key = kb.int(core_key(to));
                packets.send(kb, Kind::CoreToCore, key, &[key]);
            }
        })
    });
    let loaded = Machine::load(&set, &target()).expect("the images load");
    let results = [1, 2, 5].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let mut machine = loaded.clone();
        let run = || machine.run_sample(&sample()).expect("it runs");
        pool.build().expect("threads").install(run)
    });
    assert!(results[0] == results[1] && results[0] == results[2]);
    let n = &results[0].network;
    assert_eq!(n.packets, 63 * 12);
    assert!(n.link_waited > 100 && n.router_waited > 100, "{n:?}");
    assert_eq!((n.link_circling, n.link_broken), (0, 0));
}
