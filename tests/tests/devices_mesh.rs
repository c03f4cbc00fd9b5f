//! Data and packets that meet on the mesh, from emitted code: who waits for whom, and how
//! long.

use codegen::devices::dma::{Direction, dram_address, sram_address};
use codegen::devices::packet::{Kind, core_key, mask_of};
use codegen::devices::{Dma, Packets, window};
use codegen::kernels::{Addressing, IntCC, Kernel, KernelBuilder, build};
use ir::Target;
use ir::geometry::PeCoord;
use ir::image::{Coupling, ImageSet};
use runtime_sim::cpu::Engine;
use runtime_sim::{Machine, SampleResult};
use tests::lab::Lab;
use tests::machine_bench::{DATA, Guest, Ran, images, pe, place, route, run, run_images, sample};

const FROM: u32 = 0x8000;
const TO: u32 = 0x1_0000;
const NOTES: u32 = 0x1_e000;
const KEY: u32 = 0x1234;

fn target() -> Target {
    Target::spinnaker2()
}

fn idle() -> Kernel {
    build("idle", 0, Addressing::Guest, |_, _| {})
}

/// One transfer between local memory and an address elsewhere.
fn transfer(direction: Direction, remote: u32, length: u32) -> Kernel {
    let dma = Dma::of(&target());
    build("transfer", 0, Addressing::Guest, |kb, _| {
        let local = match direction {
            Direction::Read => TO,
            Direction::Write => FROM,
        };
        let (local, remote, length) = (kb.int(local), kb.int(remote), kb.int(length));
        dma.start(kb, direction, local, remote, length);
        dma.sleep(kb, direction);
        let status = dma.take_status(kb, direction);
        kb.store_at(status, NOTES);
    })
}

fn write(to: PeCoord, length: u32) -> Kernel {
    transfer(Direction::Write, sram_address(&target(), to, TO), length)
}

fn read(from: PeCoord, length: u32) -> Kernel {
    transfer(Direction::Read, sram_address(&target(), from, FROM), length)
}

fn data(seed: u64, n: usize) -> Vec<u8> {
    let mut lab = Lab::new(seed);
    (0..n).map(|_| lab.below(256) as u8).collect()
}

/// From the command to done, without anything in the way.
fn alone(direction: Direction, hops: u64, flits: u64) -> u64 {
    let ways = match direction {
        Direction::Read => 2,
        Direction::Write => 1,
    };
    100 + ways * (5 * hops + 10) + flits
}

fn busy(ran: &Ran, who: PeCoord) -> u64 {
    let dma = &ran.stats(who).links.dma;
    assert_eq!((dma.transfers, dma.refused), (1, 0), "of {who}");
    dma.busy
}

#[test]
fn two_writes_that_share_links_take_turns() {
    // Both come to (3,2), one from the west and one from the east, and go north from there.
    let (a, b) = (pe(1, 2, 0), pe(5, 2, 0));
    let (to_a, to_b) = (pe(3, 4, 0), pe(3, 5, 0));
    for flits in [1, 2, 50, 400] {
        let length = 16 * flits as u32;
        let (of_a, of_b) = (data(1, length as usize), data(2, length as usize));
        let guests = |both: bool| {
            let second = if both { write(to_b, length) } else { idle() };
            [
                Guest::new(a, write(to_a, length)).with_data(of_a.clone()),
                Guest::new(b, second).with_data(of_b.clone()),
                Guest::new(to_a, idle()),
                Guest::new(to_b, idle()),
            ]
        };
        let ran = run(&target(), Coupling::Dma, &guests(false));
        assert_eq!(busy(&ran, a), alone(Direction::Write, 4, flits));
        assert_eq!(ran.result.network.data_waited, 0);
        let ran = run(&target(), Coupling::Dma, &guests(true));
        // Flit by flit, a first: its flit k finds k of b in front of it, that of b k + 1.
        assert_eq!(busy(&ran, a), alone(Direction::Write, 4, flits) + flits - 1);
        assert_eq!(busy(&ran, b), alone(Direction::Write, 5, flits) + flits);
        let n = &ran.result.network;
        assert_eq!((n.data_flits, n.data_hops), (2 * flits, 9 * flits));
        assert_eq!(n.data_waited, 2 * flits - 1);
        assert_eq!(n.data_wait, flits * flits);
        assert_eq!(n.flits, 0);
        assert_eq!(ran.bytes(to_a, TO, length as usize), of_a);
        assert_eq!(ran.bytes(to_b, TO, length as usize), of_b);
    }
}

#[test]
fn ways_apart_do_not_wait() {
    let (a, b, c) = (pe(1, 2, 0), pe(5, 5, 1), pe(6, 1, 2));
    let (to_a, to_b, to_c) = (pe(3, 4, 0), pe(2, 6, 3), pe(6, 5, 0));
    // The last comes back on links in the other direction.
    let guests = [
        Guest::new(a, write(to_a, 4800)),
        Guest::new(b, read(to_b, 4800)),
        Guest::new(c, write(to_c, 4800)),
        Guest::new(to_a, write(a, 4800)),
        Guest::new(to_b, idle()),
        Guest::new(to_c, idle()),
    ];
    let ran = run(&target(), Coupling::Dma, &guests);
    assert_eq!(busy(&ran, a), alone(Direction::Write, 4, 300));
    assert_eq!(busy(&ran, b), alone(Direction::Read, 4, 300));
    assert_eq!(busy(&ran, c), alone(Direction::Write, 4, 300));
    assert_eq!(busy(&ran, to_a), alone(Direction::Write, 4, 300));
    let n = &ran.result.network;
    assert_eq!((n.data_flits, n.data_waited, n.data_wait), (1201, 0, 0));
}

#[test]
fn readers_of_one_pe_share_its_port() {
    let holder = pe(4, 2, 1);
    let readers = [pe(2, 2, 0), pe(6, 2, 0), pe(4, 5, 0)];
    let bytes = data(3, 0x1000);
    let mut guests = vec![Guest::new(holder, idle()).with_data(bytes.clone())];
    guests.extend(readers.map(|who| Guest::new(who, read(holder, 0x1000))));
    let ran = run(&target(), Coupling::Dma, &guests);
    let mut times: Vec<(u64, u64)> = Vec::new();
    for (who, hops) in readers.into_iter().zip([2, 2, 3]) {
        assert_eq!(ran.bytes(who, TO, 0x1000), bytes);
        times.push((busy(&ran, who), alone(Direction::Read, hops, 256)));
    }
    // 768 flits leave one port one by one, the first of them within 5 cycles of each other:
    // the last is 512 later than alone, or less by what those were apart.
    let last = times.iter().map(|(busy, alone)| busy - alone).max();
    assert!(last >= Some(500) && last <= Some(512), "{times:?}");
    for (busy, alone) in &times {
        assert!(busy - alone >= 500, "they take turns: {times:?}");
    }
}

/// Waits, then sends `n` packets.
fn chatter(n: u32, send: impl Fn(&mut KernelBuilder<'_>, u32)) -> Kernel {
    build("chatter", 0, Addressing::Guest, |kb, _| {
        kb.repeat(40, &[], |kb, _| {
            let base = kb.int(NOTES + 0x20);
            let zero = kb.int(0);
            kb.write_device(zero, base, 0);
            vec![]
        });
        for k in 0..n {
            send(kb, k);
        }
    })
}

#[test]
fn data_and_packets_wait_for_each_other() {
    // The packets leave the QPE from which the data comes.
    let (a, b) = (pe(1, 1, 0), pe(1, 1, 1));
    let (to_a, to_b) = (pe(3, 1, 0), pe(6, 5, 2));
    let plain = |kb: &mut KernelBuilder<'_>, _: u32| {
        let (base, key) = (kb.int(target().comms.base), kb.int(KEY));
        kb.write_device(key, base, target().comms.tkr);
    };
    let direct = |kb: &mut KernelBuilder<'_>, k: u32| {
        let (x, y, mask) = (to_b.x(), to_b.y(), mask_of(to_b));
        let key = kb.int(k);
        Packets::of(&target()).send(kb, Kind::Direct { x, y, mask }, key, &[]);
    };
    let ran = |packets: Kernel, length: u32| {
        let main = if length > 0 {
            write(to_a, length)
        } else {
            idle()
        };
        let guests = [
            Guest::new(a, main),
            Guest::new(b, packets),
            Guest::new(to_a, idle()),
            Guest::new(to_b, idle()),
        ];
        let mut images = images(&target(), Coupling::Window, &guests);
        images.chips[0].routes.push(route(KEY, to_b));
        run_images(&target(), &images)
    };
    for m in [1u64, 7, 20] {
        for (packets, flits) in [
            (chatter(m as u32, plain), 2 * m),
            (chatter(m as u32, direct), m),
        ] {
            let undisturbed = ran(packets.clone(), 0);
            assert_eq!(undisturbed.result.network.flit_wait, 0);
            let ran = ran(packets, 600 * 16);
            // Each packet makes what follows one cycle later: data, and other packets.
            assert_eq!(busy(&ran, a), alone(Direction::Write, 2, 600) + m);
            let n = &ran.result.network;
            assert_eq!((n.flits, n.flits_waited), (flits, m - 1));
            assert_eq!(n.flit_wait, m * (m - 1) / 2);
            assert_eq!((n.packets, n.data_flits), (m, 600));
        }
    }
}

#[test]
fn dram_shares_its_port_and_the_links_to_it() {
    // (7,3) and (7,4) are where DRAM is; data comes to (6,3) from the east.
    let (a, b, c) = (pe(6, 3, 0), pe(6, 3, 1), pe(6, 1, 0));
    let dram = dram_address(&target(), 0x10_0000);
    for direction in [Direction::Read, Direction::Write] {
        let main = transfer(direction, dram, 11_200);
        let other = match direction {
            Direction::Read => read(c, 11_200),
            Direction::Write => write(pe(6, 1, 0), 11_200),
        };
        let times = |first: bool, second: bool| {
            let guest = |who, kernel: &Kernel, runs: bool| {
                Guest::new(who, if runs { kernel.clone() } else { idle() })
            };
            let guests = [
                guest(a, &main, first),
                guest(b, &other, second),
                Guest::new(c, idle()),
            ];
            let ran = run(&target(), Coupling::Dma, &guests);
            let busy = |who| ran.stats(who).links.dma.busy;
            (busy(a), busy(b), ran.result.network.data_waited)
        };
        let (first, second) = (times(true, false), times(false, true));
        // 100, 5 into the mesh, 90 of latency; 112 / 15 bytes a cycle.
        assert_eq!((first.0, first.2), (195 + 1500, 0));
        assert_eq!(
            (second.1, second.2),
            (alone(direction, 2, 700), 0),
            "{direction:?}"
        );
        let both = times(true, true);
        // The other transfer is over while DRAM still moves: it is late by those flits of
        // DRAM that came between, 7 / 15 of a flit a cycle at most.
        assert!(both.0 - first.0 <= 1, "{both:?}");
        assert!(both.1 > second.1 && both.1 - second.1 < 700, "{both:?}");
        assert!(both.2 > 100, "{both:?}");
    }
}

#[test]
fn a_word_from_afar_waits_behind_a_transfer() {
    let (a, b) = (pe(1, 1, 0), pe(1, 1, 1));
    let (far, same) = (pe(4, 1, 0), pe(4, 1, 1));
    let load = |n: u32| {
        build("load", 0, Addressing::Guest, move |kb, _| {
            kb.repeat(60, &[], |kb, _| {
                let base = kb.int(NOTES + 0x20);
                let zero = kb.int(0);
                kb.write_device(zero, base, 0);
                vec![]
            });
            kb.repeat(n, &[], |kb, _| {
                let base = kb.int(sram_address(&target(), far, FROM));
                let word = kb.read_device(base, 0);
                kb.store_at(word, NOTES);
                vec![]
            });
        })
    };
    let cycles = |transfers: bool, n: u32| {
        let main = if transfers {
            read(same, 16_000)
        } else {
            idle()
        };
        let guests = [
            Guest::new(a, main),
            Guest::new(b, load(n)),
            Guest::new(far, idle()).with_data(vec![7, 0, 0, 0]),
            Guest::new(same, idle()),
        ];
        let ran = run(&target(), Coupling::Window, &guests);
        assert_eq!(ran.word(b, NOTES), 7);
        ran.stats(b).busy_cycles
    };
    let free = cycles(false, 5);
    // The answers of the transfer are a stream without a gap: each word comes behind its
    // flit of the same cycle and behind what words before it have displaced.
    assert_eq!(cycles(true, 5), free + 1 + 2 + 3 + 4 + 5);
}

/// Counts at [`NOTES`] until the word at [`TO`] is set.
fn watch() -> Kernel {
    build("watch", 0, Addressing::Guest, |kb, _| {
        let (top, end) = (kb.block(), kb.block());
        kb.jump(top, &[]);
        kb.enter(top);
        let notes = kb.int(NOTES);
        let n = kb.read_device(notes, 0);
        let n = kb.add_const(n, 1);
        kb.write_device(n, notes, 0);
        let flag = kb.int(TO);
        let set = kb.read_device(flag, 0);
        let zero = kb.int(0);
        let more = kb.compare(IntCC::Equal, set, zero);
        kb.branch(more, (top, &[]), (end, &[]));
        kb.enter(end);
    })
}

#[test]
fn what_is_written_is_seen_when_its_last_flit_is_there() {
    let (a, b, rival) = (pe(1, 1, 0), pe(3, 1, 0), pe(1, 1, 1));
    let to_rival = pe(3, 1, 1);
    // a sleeps until it has read something, then writes to b, which does nothing but look.
    let dma = Dma::of(&target());
    let main = build("main", 0, Addressing::Guest, |kb, _| {
        for (direction, address, length) in [
            (Direction::Read, dram_address(&target(), 0x1_0000), 16),
            (Direction::Write, sram_address(&target(), b, TO), 3200),
        ] {
            let (local, remote, length) = (kb.int(FROM), kb.int(address), kb.int(length));
            dma.start(kb, direction, local, remote, length);
            dma.sleep(kb, direction);
            let one = kb.int(1);
            kb.store_at(one, FROM);
        }
    });
    let seen = |with_rival: bool, coupling| {
        let second = if with_rival {
            write(to_rival, 16_000)
        } else {
            idle()
        };
        let guests = [
            Guest::new(a, main.clone()),
            Guest::new(b, watch()),
            Guest::new(rival, second),
            Guest::new(to_rival, idle()),
        ];
        let ran = run(&target(), coupling, &guests);
        (ran.stats(b).busy_cycles, ran.word(b, NOTES))
    };
    let alone = seen(false, Coupling::Dma);
    let shared = seen(true, Coupling::Dma);
    assert_eq!(alone, seen(false, Coupling::Window));
    assert_eq!(shared, seen(true, Coupling::Window));
    // 200 flits and 200 of the other transfer between them, give or take a turn of the loop.
    let turn = alone.0 / u64::from(alone.1);
    let later = shared.0 - alone.0;
    assert!(later.abs_diff(200) <= turn + 1, "{alone:?}, {shared:?}");
}

/// Everything there is: transfers, loads in the window, packets of several kinds.
fn busy_images(lab: &mut Lab, with_window: bool, coupling: Coupling) -> (ImageSet, Vec<PeCoord>) {
    let places: Vec<PeCoord> = (0..9u32)
        .map(|k| pe((k % 3 + 1) as u8, (k / 3 + 1) as u8, (k % 4) as u8))
        .chain([pe(1, 1, 3), pe(2, 1, 0)])
        .collect();
    let target = target();
    let dma = Dma::of(&target);
    let mut guests = Vec::new();
    for (k, &me) in places.iter().enumerate() {
        let steps: Vec<(u32, u32, u32, bool)> = (0..5)
            .map(|_| {
                let other = places[lab.below(places.len() as u32) as usize];
                let at = 16 * lab.below(0x80);
                let remote = match lab.below(3) {
                    0 => dram_address(&target, 0x1_0000 + at),
                    _ => sram_address(&target, other, FROM + at),
                };
                (
                    remote,
                    16 * lab.between(1, 150),
                    lab.below(4),
                    lab.one_in(2),
                )
            })
            .collect();
        let to = places[(k + 3) % places.len()];
        let kernel = build("busy", 0, Addressing::Guest, |kb, _| {
            for &(remote, length, packets, reads) in &steps {
                let direction = match reads {
                    true => Direction::Read,
                    false => Direction::Write,
                };
                let local = kb.int(FROM + 0x1000);
                let (remote, length) = (kb.int(remote), kb.int(length));
                dma.start(kb, direction, local, remote, length);
                for n in 0..packets {
                    let (base, key) = (kb.int(target.comms.base), kb.int(KEY + n));
                    kb.write_device(key, base, target.comms.tkr);
                    let to_core = kb.int(core_key(place(to)));
                    Packets::of(&target).send(kb, Kind::CoreToCore, to_core, &[key]);
                    if with_window {
                        let (x, y, mask) = (to.x(), to.y(), mask_of(to));
                        let kind = Kind::Direct { x, y, mask };
                        Packets::of(&target).send(kb, kind, key, &[]);
                        let word = window::load(kb, &target, me.p(), FROM + 4 * n);
                        kb.store_at(word, NOTES + 0x40 + 4 * n);
                    }
                }
                match packets % 2 {
                    0 => dma.poll(kb, direction),
                    _ => dma.sleep(kb, direction),
                }
                let status = dma.take_status(kb, direction);
                kb.store_at(status, NOTES);
            }
        });
        guests.push(Guest::new(me, kernel).with_data(data(lab.rng.draw().into(), 0x2000)));
    }
    let mut set = images(&target, coupling, &guests);
    for n in 0..4 {
        let to = places[lab.below(places.len() as u32) as usize];
        set.chips[0].routes.push(route(KEY + n, to));
    }
    (set, places)
}

fn outcome(set: &ImageSet, places: &[PeCoord], engine: Engine) -> (SampleResult, Vec<Vec<u8>>) {
    let mut machine = Machine::load(set, &target()).expect("the images load");
    machine.set_engine(engine);
    let result = machine.run_sample(&sample()).expect("it runs");
    let memory = |&who: &PeCoord| {
        let all = machine.memory(place(who)).expect("it has a program");
        all[DATA.start as usize..DATA.end as usize].to_vec()
    };
    (result, places.iter().map(memory).collect())
}

#[test]
fn who_waits_does_not_depend_on_how_the_machine_is_run() {
    let mut lab = Lab::new(61);
    for round in 0..4 {
        let seed = lab.rng.draw();
        let with =
            |window: bool, coupling| busy_images(&mut Lab::new(seed.into()), window, coupling);
        let window = round % 2 == 1;
        let close = with(window, Coupling::Window);
        let expected = outcome(&close.0, &close.1, Engine::Interpreter);
        let n = &expected.0.network;
        assert!(n.data_waited > 100 && n.flits_waited > 0, "{n:?}");
        for engine in [Engine::Translator, Engine::Auto] {
            let found = outcome(&close.0, &close.1, engine);
            assert!(found == expected, "{engine:?} differs in round {round}");
        }
        if !window {
            let loose = with(false, Coupling::Dma);
            let found = outcome(&loose.0, &loose.1, Engine::Auto);
            assert!(found == expected, "loosely coupled, round {round}");
        }
        let machine = Machine::load(&close.0, &target()).expect("the images load");
        let samples = [sample(), sample(), sample()];
        for threads in [1, 2, 3] {
            let batch = runtime_sim::run_batch(&machine, &samples, threads).expect("they run");
            for result in batch.samples {
                assert!(result == expected.0, "on {threads} threads");
            }
        }
    }
}
