//! Packets that are not plain multicast, and timers 2 and 3, from emitted code.

use codegen::devices::packet::{Kind, core_key, mask_of};
use codegen::devices::rings::{Interrupts, Ring};
use codegen::devices::timer::Timer;
use codegen::devices::{Packets, dma::sram_address};
use codegen::kernels::{Addressing, IntCC, Kernel, KernelBuilder, build};
use ir::Target;
use ir::image::Coupling;
use runtime_sim::Machine;
use tests::machine_bench::{Guest, images, note_packet, pe, place, route, run, sample};

const FROM: u32 = 0x8000;
const NOTES: u32 = 0x1_e000;

fn target() -> Target {
    Target::spinnaker2()
}

/// Sends one packet with these payload words.
fn send(kb: &mut KernelBuilder<'_>, kind: Kind, key: u32, words: &[u32]) {
    let key = kb.int(key);
    let words: Vec<_> = words.iter().map(|&w| kb.int(w)).collect();
    Packets::of(&target()).send(kb, kind, key, &words);
}

/// Takes `n` packets: of each what it is, four payload words, and the key.
fn receiver(n: u32) -> Kernel {
    build("receiver", 0, Addressing::Guest, |kb, _| {
        let packets = Packets::of(&target());
        packets.enable(kb, false);
        for k in 0..n {
            packets.poll(kb);
            note_packet(kb, &packets, NOTES + 32 * k);
        }
    })
}

fn noted(ran: &tests::machine_bench::Ran, who: ir::geometry::PeCoord, k: u32) -> [u32; 6] {
    std::array::from_fn(|n| ran.word(who, NOTES + 32 * k + 4 * n as u32))
}

#[test]
fn core_to_core_packets_carry_every_length_of_payload() {
    let (a, b) = (pe(1, 1, 0), pe(6, 5, 2));
    let words = [0x1111_0001, 0x2222_0002, 0x3333_0003, 0x4444_0004];
    let sender = build("sender", 0, Addressing::Guest, |kb, _| {
        for n in [0, 1, 2, 4] {
            send(kb, Kind::CoreToCore, core_key(place(b)), &words[..n]);
        }
    });
    let guests = [Guest::new(a, sender), Guest::new(b, receiver(4))];
    // What only asks needs no coupling.
    for coupling in [Coupling::None, Coupling::Dma, Coupling::Window] {
        let ran = run(&target(), coupling, &guests);
        for (k, n) in (0..).zip([0u32, 1, 2, 4]) {
            let mut expected = [0; 6];
            expected[0] = 1 << 31 | n << 4 | target().packet.core_to_core;
            expected[1..1 + n as usize].copy_from_slice(&words[..n as usize]);
            expected[5] = core_key(place(b));
            assert_eq!(noted(&ran, b, k), expected, "{n} words");
        }
        let (sent, received) = (ran.stats(a).links.packets, ran.stats(b).links.packets);
        assert_eq!((sent.sent, received.received, sent.lost), (4, 4, 0));
    }
}

#[test]
fn a_packet_interrupts_a_pe_that_sleeps() {
    let (a, b) = (pe(1, 1, 0), pe(2, 1, 0));
    let sender = build("sender", 0, Addressing::Guest, |kb, _| {
        send(kb, Kind::CoreToCore, core_key(place(b)), &[77]);
        send(kb, Kind::Message, core_key(place(b)), &[]);
    });
    let listener = build("listener", 0, Addressing::Guest, |kb, _| {
        Packets::of(&target()).enable(kb, true);
    });
    let handler = build("handler", 0, Addressing::Guest, |kb, _| {
        note_packet(kb, &Packets::of(&target()), NOTES);
    });
    let message = build("message", 0, Addressing::Guest, |kb, _| {
        let n = kb.load_at(NOTES + 0x40);
        let n = kb.add_const(n, 1);
        kb.store_at(n, NOTES + 0x40);
    });
    let (core, line) = (target().packet.core_irq, target().ipi.message_irq);
    let guests = [
        Guest::new(a, sender),
        Guest::new(b, listener)
            .on(core, "handler", handler)
            .on(line, "message", message),
    ];
    let ran = run(&target(), Coupling::Window, &guests);
    assert_eq!(noted(&ran, b, 0)[1], 77);
    assert_eq!(ran.word(b, NOTES + 0x40), 1);
    assert_eq!(ran.stats(b).links.interrupts, 1);
    // Who lets others interrupt it has to say so.
    let images = images(&target(), Coupling::Dma, &guests);
    let mut machine = Machine::load(&images, &target()).expect("the images load");
    let errors = machine.run_sample(&sample()).expect_err("not declared");
    assert!(format!("{errors:?}").contains("'window'"), "{errors:?}");
}

#[test]
fn wide_multicast_goes_by_the_table_and_direct_packets_past_it() {
    let (a, b, c) = (pe(1, 1, 0), pe(3, 1, 1), pe(3, 1, 3));
    let sender = build("sender", 0, Addressing::Guest, |kb, _| {
        send(kb, Kind::Multicast, 0x1234, &[5, 6]);
        send(kb, Kind::Multicast, 0x9999, &[5, 6]);
        let mask = mask_of(b) | mask_of(c);
        let to = Kind::Direct { x: 3, y: 1, mask };
        send(kb, to, 0x4321, &[9]);
    });
    // A ring with payloads, then the queue.
    let listener = build("listener", 0, Addressing::Guest, |kb, _| {
        let t = target();
        for (register, value) in [
            (t.comms.dma_start, FROM),
            (t.comms.dma_end, FROM + 64),
            (t.comms.dma_config, t.comms.dma_payload_value),
            (t.comms.dma_control, t.comms.dma_enable_value),
        ] {
            let base = kb.int(t.comms.base);
            let value = kb.int(value);
            kb.write_device(value, base, register);
        }
        Packets::of(&t).enable(kb, false);
    });
    let first = build("first", 0, Addressing::Guest, |kb, _| {
        kb.call("listener", &[]);
        let packets = Packets::of(&target());
        packets.poll(kb);
        note_packet(kb, &packets, NOTES);
    });
    let mut b_guest = Guest::new(b, first);
    b_guest.kernels.push(listener.clone());
    let guests = [Guest::new(a, sender), b_guest, Guest::new(c, listener)];
    let mut images = images(&target(), Coupling::Window, &guests);
    images.chips[0].routes.push(route(0x1234, b));
    let mut machine = Machine::load(&images, &target()).expect("the images load");
    let result = machine.run_sample(&sample()).expect("it runs");
    let word = |who, at: u32| {
        let memory = machine.memory(place(who)).expect("it has a program");
        u32::from_le_bytes(
            memory[at as usize..at as usize + 4]
                .try_into()
                .expect("four"),
        )
    };
    let expected = [
        1 << 31 | 2 << 4 | target().packet.multicast,
        5,
        6,
        0,
        0,
        0x1234,
    ];
    let got: Vec<u32> = (0..6).map(|n| word(b, NOTES + 4 * n)).collect();
    assert_eq!(got, expected);
    for who in [b, c] {
        assert_eq!((word(who, FROM), word(who, FROM + 4)), (9, 0x4321));
    }
    let sender = &result.pes[0].links.packets;
    assert_eq!((sender.sent, sender.lost), (3, 1));
    assert_eq!((result.pes[1].received, result.pes[2].received), (1, 1));
}

#[test]
fn two_rings_interrupt_for_what_they_are_asked_for() {
    let (a, b) = (pe(1, 1, 0), pe(3, 2, 1));
    // Packets past the router: with payload to the second ring, others to the first.
    let to = Kind::Direct {
        x: 3,
        y: 2,
        mask: mask_of(b),
    };
    let sender = build("sender", 0, Addressing::Guest, |kb, _| {
        for n in 0..3 {
            send(kb, to, 0x100 + n, &[]);
        }
        for n in 0..6 {
            send(kb, to, 0x200 + n, &[7 * n]);
        }
    });
    let listener = build("listener", 0, Addressing::Guest, |kb, _| {
        let not_empty = Interrupts {
            not_empty: true,
            ..Interrupts::default()
        };
        Ring::first(&target()).enable(kb, (FROM, FROM + 64), false, not_empty);
        let others = Interrupts {
            limit: Some(4),
            overrun: true,
            ..Interrupts::default()
        };
        Ring::second(&target()).enable(kb, (FROM + 64, FROM + 64 + 32), true, others);
    });
    let count = |kb: &mut KernelBuilder<'_>, at: u32| {
        let n = kb.load_at(at);
        let n = kb.add_const(n, 1);
        kb.store_at(n, at);
    };
    let on_first = build("on_first", 0, Addressing::Guest, |kb, _| {
        Ring::first(&target()).empty(kb);
        count(kb, NOTES);
    });
    // The limit stays reached until the ring is emptied, which the other handler does.
    let on_limit = build("on_limit", 0, Addressing::Guest, |kb, _| {
        let ring = Ring::second(&target());
        let words = ring.words(kb);
        kb.store_at(words, NOTES + 4);
        count(kb, NOTES + 8);
        let timer = Timer::second(&target());
        timer.start(kb, 5, false);
        timer.sleep(kb);
        let words = ring.words(kb);
        kb.store_at(words, NOTES + 12);
        ring.empty(kb);
    });
    let on_overrun = build("on_overrun", 0, Addressing::Guest, |kb, _| {
        let dropped = Ring::second(&target()).take_dropped(kb);
        kb.store_at(dropped, NOTES + 16);
        count(kb, NOTES + 20);
    });
    let [first, ..] = Ring::first(&target()).lines();
    let [_, _, limit, overrun] = Ring::second(&target()).lines();
    assert_eq!((first, limit, overrun), (9, 14, 21));
    let guests = [
        Guest::new(a, sender),
        Guest::new(b, listener)
            .on(first, "on_first", on_first)
            .on(limit, "on_limit", on_limit)
            .on(overrun, "on_overrun", on_overrun),
    ];
    let ran = run(&target(), Coupling::Window, &guests);
    let keys: [u32; 3] = std::array::from_fn(|n| ran.word(b, FROM + 4 * n as u32));
    assert_eq!(keys, [0x100, 0x101, 0x102]);
    assert!((1..=3).contains(&ran.word(b, NOTES)));
    // The second ring holds three of six entries; it was looked at when it held two, and
    // another one on its way.
    let entries: [u32; 6] = std::array::from_fn(|n| ran.word(b, FROM + 64 + 4 * n as u32));
    assert_eq!(entries, [0, 0x200, 7, 0x201, 14, 0x202]);
    let words = [4, 8, 12, 16, 20].map(|at| ran.word(b, NOTES + at));
    assert!(words[0] == 4 || words[0] == 6, "{words:?}");
    assert_eq!((words[1], words[2]), (1, 6));
    assert!(words[3] >= 1 && words[4] >= 1, "{words:?}");
    assert_eq!(ran.stats(b).dropped, 3);
    // Who lets others interrupt it has to say so.
    let images = images(&target(), Coupling::Dma, &guests[1..]);
    let mut machine = Machine::load(&images, &target()).expect("the images load");
    let errors = machine.run_sample(&sample()).expect_err("not declared");
    assert!(format!("{errors:?}").contains("'window'"), "{errors:?}");
}

#[test]
fn memory_packets_write_and_read_another_pe() {
    let (a, b) = (pe(1, 1, 0), pe(1, 6, 2));
    let words = [10, 20, 30, 40];
    let at = sram_address(&target(), b, FROM + 0x20);
    let main = build("main", 0, Addressing::Guest, |kb, _| {
        let packets = Packets::of(&target());
        packets.enable(kb, false);
        send(kb, Kind::MemoryWrite, at, &words);
        send(kb, Kind::MemoryRead { words: 4 }, at, &[]);
        packets.poll(kb);
        note_packet(kb, &packets, NOTES);
        // Nobody's memory.
        send(
            kb,
            Kind::MemoryWrite,
            sram_address(&target(), pe(7, 1, 0), 0),
            &[1],
        );
    });
    let idle = build("idle", 0, Addressing::Guest, |_, _| {});
    let guests = [Guest::new(a, main), Guest::new(b, idle)];
    let ran = run(&target(), Coupling::Window, &guests);
    let stored: [u32; 4] = std::array::from_fn(|n| ran.word(b, FROM + 0x20 + 4 * n as u32));
    assert_eq!(stored, words);
    let read = 1 << 31 | 4 << 4 | target().packet.memory_read;
    assert_eq!(noted(&ran, a, 0), [read, 10, 20, 30, 40, at]);
    assert_eq!(ran.stats(a).links.packets.lost, 1);
}

#[test]
fn a_full_queue_drops_and_counts_and_unknown_cores_are_lost() {
    let (a, b) = (pe(1, 1, 0), pe(1, 1, 1));
    let sender = build("sender", 0, Addressing::Guest, |kb, _| {
        for n in 0..7 {
            send(kb, Kind::CoreToCore, core_key(place(b)), &[n]);
        }
        send(kb, Kind::CoreToCore, core_key(place(pe(5, 5, 1))), &[]);
    });
    // Looks when all of them are there.
    let late = build("late", 0, Addressing::Guest, |kb, _| {
        let packets = Packets::of(&target());
        packets.enable(kb, false);
        let timer = Timer::second(&target());
        timer.start(kb, 20, false);
        timer.sleep(kb);
        let dropped = packets.dropped(kb);
        kb.store_at(dropped, NOTES + 0x100);
        for k in 0..5 {
            note_packet(kb, &packets, NOTES + 32 * k);
        }
    });
    let ran = run(
        &target(),
        Coupling::None,
        &[Guest::new(a, sender), Guest::new(b, late)],
    );
    let queue = target().packet.queue;
    assert_eq!(ran.word(b, NOTES + 0x100), 7 - queue);
    for k in 0..queue {
        assert_eq!(noted(&ran, b, k)[1], k);
    }
    assert_eq!(noted(&ran, b, queue), [0; 6]);
    assert_eq!(ran.stats(b).links.packets.dropped, u64::from(7 - queue));
    assert_eq!(ran.stats(a).links.packets.lost, 1);
}

#[test]
fn timers_interrupt_at_their_own_pace() {
    let me = pe(3, 3, 0);
    let (second, third) = (Timer::second(&target()), Timer::third(&target()));
    let main = build("main", 0, Addressing::Guest, |kb, _| {
        let (second, third) = (Timer::second(&target()), Timer::third(&target()));
        third.start(kb, 50, true);
        second.start(kb, 505, false);
    });
    let on_second = build("on_second", 0, Addressing::Guest, |kb, _| {
        let (second, third) = (Timer::second(&target()), Timer::third(&target()));
        second.acknowledge(kb);
        third.stop(kb);
        let n = kb.load_at(NOTES);
        kb.store_at(n, NOTES + 4);
    });
    let on_third = build("on_third", 0, Addressing::Guest, |kb, _| {
        Timer::third(&target()).acknowledge(kb);
        let n = kb.load_at(NOTES);
        let n = kb.add_const(n, 1);
        let limit = kb.int(1000);
        let few = kb.compare(IntCC::UnsignedLessThan, n, limit);
        let n = kb.select(few, n, limit);
        kb.store_at(n, NOTES);
    });
    let guest = Guest::new(me, main)
        .on(second.irq(), "on_second", on_second)
        .on(third.irq(), "on_third", on_third);
    let ran = run(&target(), Coupling::None, &[guest]);
    assert_eq!((ran.word(me, NOTES), ran.word(me, NOTES + 4)), (10, 10));
}
