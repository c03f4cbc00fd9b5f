//! Block DMA, DRAM, the QPE's window, locks and interrupts between PEs, from emitted code:
//! bit exact against plain Rust, and in the time that the target file says.

use codegen::devices::dma::{Direction, dram_address, sram_address};
use codegen::devices::{Dma, ipi, window};
use codegen::kernels::{Addressing, IntCC, Kernel, KernelBuilder, build};
use ir::Target;
use ir::code::Code;
use ir::image::Coupling;
use runtime_sim::Machine;
use runtime_sim::remote::RemoteFault;
use tests::lab::Lab;
use tests::machine_bench::{DATA, Guest, images, pe, run, sample};

/// Buffers of a PE, and a place for what it notes.
const FROM: u32 = 0x8000;
const TO: u32 = 0x1_0000;
const NOTES: u32 = 0x1_e000;

#[derive(Clone, Copy, Debug)]
struct Transfer {
    direction: Direction,
    local: u32,
    remote: u32,
    length: u32,
}

fn idle() -> Kernel {
    build("idle", 0, Addressing::Guest, |_, _| {})
}

/// Transfers one after another; their statuses go to [`NOTES`].
fn transfers(target: &Target, all: &[Transfer], sleep: bool) -> Kernel {
    let dma = Dma::of(target);
    build("transfers", 0, Addressing::Guest, |kb, _| {
        for (at, t) in (NOTES..).step_by(4).zip(all) {
            let (local, remote, length) = (kb.int(t.local), kb.int(t.remote), kb.int(t.length));
            dma.start(kb, t.direction, local, remote, length);
            if sleep {
                dma.sleep(kb, t.direction);
            } else {
                dma.poll(kb, t.direction);
            }
            let status = dma.take_status(kb, t.direction);
            kb.store_at(status, at);
        }
    })
}

fn random(lab: &mut Lab, n: u32) -> Vec<u8> {
    (0..n).map(|_| lab.below(256) as u8).collect()
}

#[test]
fn transfers_between_srams_are_exact_and_take_their_time() {
    let target = Target::spinnaker2();
    let mut lab = Lab::new(41);
    let (a, b) = (pe(1, 1, 0), pe(3, 2, 1));
    for round in 0..12 {
        let (length, from, to) = (lab.between(1, 9000), lab.below(7000), lab.below(7000));
        let data = random(&mut lab, 0x4000);
        let direction = [Direction::Read, Direction::Write][round % 2];
        let (local, remote) = match direction {
            Direction::Read => (TO + to, FROM + from),
            Direction::Write => (FROM + from, TO + to),
        };
        let all = [Transfer {
            direction,
            local,
            remote: sram_address(&target, b, remote),
            length,
        }];
        let guests = [
            Guest::new(a, transfers(&target, &all, round % 3 == 0)).with_data(data.clone()),
            Guest::new(b, idle()).with_data(data.clone()),
        ];
        let ran = run(&target, Coupling::Dma, &guests);
        let (holder, other) = match direction {
            Direction::Read => (a, b),
            Direction::Write => (b, a),
        };
        // What is around the copy stays as it was, everywhere.
        let mut expected = vec![0; (DATA.end - DATA.start) as usize];
        expected[..0x4000].copy_from_slice(&data);
        let mut copied = expected.clone();
        let target_at = (TO + to - DATA.start) as usize;
        let source = &data[from as usize..(from + length) as usize];
        copied[target_at..target_at + length as usize].copy_from_slice(source);
        let notes = (NOTES - DATA.start) as usize;
        assert_eq!(ran.bytes(holder, DATA.start, notes), &copied[..notes]);
        assert_eq!(ran.bytes(other, DATA.start, notes), &expected[..notes]);
        assert_eq!(ran.word(a, NOTES), 0);
        // 100 to set up, 16 bytes a cycle, 3 hops of 5 cycles and 10 for both ends; what
        // is read has to come back as well.
        let way = 3 * 5 + 10;
        let ways = if direction == Direction::Read { 2 } else { 1 };
        let stats = &ran.stats(a).links.dma;
        let time = 100 + u64::from(length.div_ceil(16)) + ways * way;
        assert_eq!((stats.transfers, stats.busy), (1, time), "{length} bytes");
        assert_eq!(stats.bytes_read + stats.bytes_written, u64::from(length));
    }
}

#[test]
fn dram_holds_what_was_written_until_the_machine_is_reset() {
    let target = Target::spinnaker2();
    let mut lab = Lab::new(42);
    let me = pe(2, 2, 3);
    let mut all = Vec::new();
    let mut expected: Vec<u8> = vec![0; 0x4000];
    let data = random(&mut lab, 0x4000);
    let mut near = Vec::new();
    for k in 0..8u32 {
        let length = 16 * lab.between(1, 60);
        let from = 16 * lab.below(0x300);
        // Both interfaces, some at a page's end.
        let offset = 0x1000_0000 * k + 0x400 + 16 * lab.below(0x8000);
        near.push((from, offset, length, 0x800 * k));
    }
    for &(from, offset, length, _) in &near {
        all.push(Transfer {
            direction: Direction::Write,
            local: FROM + from,
            remote: dram_address(&target, offset),
            length,
        });
    }
    for &(from, offset, length, to) in &near {
        all.push(Transfer {
            direction: Direction::Read,
            local: TO + to,
            remote: dram_address(&target, offset),
            length,
        });
        let source = &data[from as usize..(from + length) as usize];
        expected[to as usize..(to + length) as usize].copy_from_slice(source);
    }
    let guest = Guest::new(me, transfers(&target, &all, false)).with_data(data.clone());
    let images = images(&target, Coupling::Dma, &[guest]);
    let mut machine = Machine::load(&images, &target).expect("the images load");
    let mut results = Vec::new();
    for _ in 0..2 {
        let result = machine.run_sample(&sample()).expect("it runs");
        let memory = machine
            .memory(tests::machine_bench::place(me))
            .expect("it has a program");
        assert_eq!(&memory[TO as usize..TO as usize + 0x4000], &expected[..]);
        for k in 0..16 {
            let at = (NOTES + 4 * k) as usize;
            assert_eq!(memory[at..at + 4], [0; 4], "transfer {k}");
        }
        results.push(result);
    }
    assert!(
        results[0] == results[1],
        "a reset machine does the same again"
    );
    let dram = results[0].dram[&Default::default()];
    let bytes: u64 = near.iter().map(|n| u64::from(n.2)).sum();
    assert_eq!((dram.bytes_read, dram.bytes_written), (bytes, bytes));
    assert_eq!((dram.transfers, dram.waited), (16, 0));
    // 6.4 GB/s x 0.7 / 2 at 300 MHz are 112 / 15 bytes a cycle, each transfer rounded up;
    // to it, 100 cycles to set up, 5 into the NoC, 90 of latency.
    let moving: u64 = near
        .iter()
        .map(|n| (u64::from(n.2) * 15).div_ceil(112))
        .sum();
    assert_eq!(dram.busy, 2 * moving);
    let stats = &results[0].pes[0].links.dma;
    assert_eq!(stats.busy, 2 * moving + 16 * (100 + 5 + 90));
}

#[test]
fn bandwidth_is_shared_by_all_pes() {
    let target = Target::spinnaker2();
    let length = 14_000;
    let reader = |k: u32| {
        let all = [Transfer {
            direction: Direction::Read,
            local: TO,
            // The same for all, so that all programs take the same cycles.
            remote: dram_address(&target, 0x10_0000),
            length,
        }];
        let (x, y) = ((k / 4 % 7 + 1) as u8, (k / 28 + 1) as u8);
        Guest::new(pe(x, y, (k % 4) as u8), transfers(&target, &all, true))
    };
    let each = u64::from(length) * 15 / 112;
    for n in [1, 2, 28] {
        let guests: Vec<Guest> = (0..n).map(reader).collect();
        let ran = run(&target, Coupling::Dma, &guests);
        let mut times: Vec<u64> = ran.result.pes.iter().map(|p| p.links.dma.busy).collect();
        times.sort_unstable();
        // All ask at the same time and are served one after another.
        let expected: Vec<u64> = (1..=u64::from(n)).map(|k| 195 + k * each).collect();
        assert_eq!(times, expected);
    }
}

#[test]
fn illegal_transfers_move_nothing_and_say_why() {
    let target = Target::spinnaker2();
    let (a, b) = (pe(1, 1, 0), pe(1, 1, 2));
    let dram = |offset| dram_address(&target, offset);
    let sram = |at, addr| sram_address(&target, at, addr);
    let cases = [
        (FROM, dram(0x1008), 16, RemoteFault::Unaligned),
        (FROM, dram(0x1000), 24, RemoteFault::Unaligned),
        (FROM, dram(0x3f0), 32, RemoteFault::Reserved),
        (FROM, dram(0x3fff_fff0), 32, RemoteFault::CrossesInterface),
        (FROM, dram(0x7fff_fff0), 32, RemoteFault::Outside),
        (FROM, sram(b, 0x1_fff0), 32, RemoteFault::Outside),
        (FROM, sram(pe(6, 2, 1), FROM), 32, RemoteFault::NoProgram),
        (FROM, 0xE100_0000, 32, RemoteFault::Outside),
        (0x1_fff8, sram(b, FROM), 32, RemoteFault::Outside),
        (FROM, sram(b, FROM), 0, RemoteFault::Length),
    ];
    for direction in [Direction::Read, Direction::Write] {
        let all = cases.map(|(local, remote, length, _)| Transfer {
            direction,
            local,
            remote,
            length,
        });
        let guests = [
            Guest::new(a, transfers(&target, &all, false)).with_data(vec![1; 0x100]),
            Guest::new(b, idle()).with_data(vec![2; 0x100]),
        ];
        let ran = run(&target, Coupling::Dma, &guests);
        for (k, case) in (0..).zip(&cases) {
            let status = ran.word(a, NOTES + 4 * k);
            assert_eq!(status, case.3.code() << 8, "{case:x?}");
        }
        assert_eq!(ran.bytes(a, FROM, 0x100), [1; 0x100]);
        assert_eq!(ran.bytes(b, FROM, 0x100), [2; 0x100]);
        let stats = &ran.stats(a).links.dma;
        assert_eq!((stats.transfers, stats.refused), (0, 10));
        assert_eq!(stats.first_refused, Some(RemoteFault::Unaligned));
    }
}

#[test]
fn what_is_not_declared_is_refused() {
    let target = Target::spinnaker2();
    let me = pe(1, 1, 0);
    let one = Transfer {
        direction: Direction::Read,
        local: TO,
        remote: dram_address(&target, 0x1000),
        length: 16,
    };
    let load = build("load", 0, Addressing::Guest, |kb, _| {
        let word = window::load(kb, &Target::spinnaker2(), 1, FROM);
        kb.store_at(word, NOTES);
    });
    for (coupling, main, needs) in [
        (Coupling::None, transfers(&target, &[one], false), "'dma'"),
        (Coupling::None, load.clone(), "'window'"),
        (Coupling::Dma, load, "'window'"),
    ] {
        let images = images(&target, coupling, &[Guest::new(me, main)]);
        let mut machine = Machine::load(&images, &target).expect("the images load");
        let errors = machine
            .run_sample(&sample())
            .expect_err("it is not declared");
        let text = format!("{errors:?}");
        assert!(text.contains(&format!("{:?}", Code::GuestFault)), "{text}");
        assert!(text.contains(needs), "{text}");
    }
}

/// Counts [`NOTES`] up until the word behind it is set.
fn count(kb: &mut KernelBuilder<'_>) {
    let (top, end) = (kb.block(), kb.block());
    kb.jump(top, &[]);
    kb.enter(top);
    let base = kb.int(NOTES);
    let n = kb.read_device(base, 0);
    let n = kb.add_const(n, 1);
    kb.write_device(n, base, 0);
    let stop = kb.read_device(base, 4);
    let zero = kb.int(0);
    let more = kb.compare(IntCC::Equal, stop, zero);
    kb.branch(more, (top, &[]), (end, &[]));
    kb.enter(end);
}

/// Waits `n` rounds of a loop.
fn delay(kb: &mut KernelBuilder<'_>, n: u32) {
    kb.repeat(n, &[], |kb, _| {
        let base = kb.int(NOTES + 0x20);
        let zero = kb.int(0);
        kb.write_device(zero, base, 0);
        vec![]
    });
}

#[test]
fn a_load_in_the_window_stalls_and_sees_the_other_pe_in_time() {
    let target = Target::spinnaker2();
    let (a, b) = (pe(2, 3, 1), pe(2, 3, 2));
    // The same loop on the own SRAM and in the window: the difference is the stall.
    let loads = |own: bool, n: u32| {
        build("loads", 0, Addressing::Guest, |kb, _| {
            let target = Target::spinnaker2();
            let addr = match own {
                true => FROM,
                false => window::address(&target, 2, FROM),
            };
            kb.repeat(n, &[], |kb, _| {
                let base = kb.int(addr);
                let word = kb.read_device(base, 0);
                let notes = kb.int(NOTES);
                kb.write_device(word, notes, 0);
                vec![]
            });
        })
    };
    let cycles = |own, n| {
        let data = 0x1234_5678u32.to_le_bytes().to_vec();
        let guests = [
            Guest::new(a, loads(own, n)).with_data(data.clone()),
            Guest::new(b, idle()).with_data(data),
        ];
        let ran = run(&target, Coupling::Window, &guests);
        assert_eq!(ran.word(a, NOTES), 0x1234_5678);
        let accesses = if own { 0 } else { u64::from(n) };
        assert_eq!(ran.stats(a).links.accesses, accesses);
        ran.stats(a).busy_cycles
    };
    let stall = u64::from(target.remote.window_stall);
    for n in [10, 100] {
        assert_eq!(cycles(false, n) - cycles(true, n), u64::from(n) * stall);
    }
}

#[test]
fn ping_pong_in_the_window_takes_the_same_time_each_round() {
    let target = Target::spinnaker2();
    let (a, b) = (pe(2, 3, 0), pe(2, 3, 3));
    // Each waits for a number in its own SRAM and stores the next at the other.
    let player = |other: u8, first: u32, rounds: u32| {
        build("player", 0, Addressing::Guest, |kb, _| {
            let target = Target::spinnaker2();
            let start = kb.int(first);
            kb.repeat(rounds, &[start], |kb, state| {
                let expected = state[0];
                let (look, found) = (kb.block(), kb.block());
                kb.jump(look, &[]);
                kb.enter(look);
                let base = kb.int(FROM);
                let seen = kb.read_device(base, 0);
                let there = kb.compare(IntCC::Equal, seen, expected);
                kb.branch(there, (found, &[]), (look, &[]));
                kb.enter(found);
                let next = kb.add_const(expected, 1);
                window::store(kb, &target, next, other, FROM);
                vec![kb.add_const(expected, 2)]
            });
        })
    };
    let time = |rounds: u32| {
        // PE 0 finds its first number there already.
        let guests = [
            Guest::new(a, player(3, 0, rounds)),
            Guest::new(b, player(0, 1, rounds)),
        ];
        let ran = run(&target, Coupling::Window, &guests);
        assert_eq!(ran.word(a, FROM), 2 * rounds);
        assert_eq!(ran.word(b, FROM), 2 * rounds - 1);
        (ran.stats(a).busy_cycles, ran.stats(b).busy_cycles)
    };
    let (one, two, three) = (time(60), time(120), time(180));
    assert_eq!(two.0 - one.0, three.0 - two.0);
    assert_eq!(two.1 - one.1, three.1 - two.1);
    assert_eq!(two.0 - one.0, two.1 - one.1, "they play at the same speed");
    assert_eq!(time(60), one);
}

#[test]
fn a_lock_keeps_two_pes_apart() {
    let target = Target::spinnaker2();
    let (a, b, c) = (pe(2, 3, 0), pe(2, 3, 1), pe(2, 3, 2));
    // Both add to a word of the third PE, in two steps.
    let adder = build("adder", 0, Addressing::Guest, |kb, _| {
        let target = Target::spinnaker2();
        kb.repeat(50, &[], |kb, _| {
            window::lock(kb, &target, 5);
            let n = window::load(kb, &target, 2, FROM);
            let n = kb.add_const(n, 1);
            window::store(kb, &target, n, 2, FROM);
            window::unlock(kb, &target, 5);
            vec![]
        });
    });
    let guests = [
        Guest::new(a, adder.clone()),
        Guest::new(b, adder),
        Guest::new(c, idle()),
    ];
    let ran = run(&target, Coupling::Window, &guests);
    assert_eq!(ran.word(c, FROM), 100);
}

#[test]
fn interrupts_between_pes_come_when_they_should() {
    const PRIORITY_20_TO_23: u32 = 0xE000_E400 + 20;
    let (a, b) = (pe(5, 1, 0), pe(5, 1, 1));
    // One PE counts until the other, after a while, interrupts it.
    let counted = |entry_cycles: u32, rounds: u32| {
        let mut target = Target::spinnaker2();
        target.remote.entry_cycles = entry_cycles;
        let sender = build("sender", 0, Addressing::Guest, |kb, _| {
            delay(kb, rounds);
            ipi::raise(kb, &Target::spinnaker2(), 1, 1 << 3);
        });
        let counter = build("counter", 0, Addressing::Guest, |kb, _| {
            // The program runs in the handler of the start signal, line 23: below others.
            let base = kb.int(PRIORITY_20_TO_23);
            let low = kb.int(0x8000_0000);
            kb.write_device(low, base, 0);
            count(kb);
        });
        let handler = build("handler", 0, Addressing::Guest, |kb, _| {
            let one = kb.int(1);
            let base = kb.int(NOTES);
            kb.write_device(one, base, 4);
        });
        let guests = [
            Guest::new(a, sender),
            Guest::new(b, counter).on(target.ipi.regfile_irq + 3, "handler", handler),
        ];
        let ran = run(&target, Coupling::Window, &guests);
        assert_eq!(ran.stats(b).links.interrupts, 1);
        assert_eq!(ran.stats(a).links.interrupts, 0);
        (ran.stats(b).busy_cycles, u64::from(ran.word(b, NOTES)))
    };
    let (early, late) = (counted(5, 20), counted(5, 1020));
    let (cycles, counts) = (late.0 - early.0, late.1 - early.1);
    assert!(counts > 100 && cycles % counts == 0, "{cycles} / {counts}");
    let each = cycles / counts;
    // The interrupt passes both ends of its way: each of them longer by as many cycles
    // as one count takes.
    for longer in 1..=4u64 {
        let (_, n) = counted(5 + (longer * each) as u32, 20);
        assert_eq!(n, early.1 + 2 * longer);
    }
}

#[test]
fn what_happens_does_not_depend_on_how_closely_pes_are_coupled() {
    let target = Target::spinnaker2();
    let mut lab = Lab::new(43);
    let places: Vec<_> = (0..7u32)
        .map(|k| pe((k % 3 + 1) as u8, (k / 3 + 1) as u8, (k % 4) as u8))
        .collect();
    for _ in 0..6 {
        let guests: Vec<Guest> = places
            .iter()
            .map(|&me| {
                let all: Vec<Transfer> = (0..6)
                    .map(|_| {
                        let length = 16 * lab.between(1, 200);
                        let at = 16 * lab.below(0x100);
                        let remote = match lab.below(3) {
                            // The same piece of DRAM for all: who is first matters.
                            0 => dram_address(&target, 0x1_0000 + at),
                            // Others write where others read.
                            _ => {
                                let other = lab.below(places.len() as u32) as usize;
                                sram_address(&target, places[other], FROM + at)
                            }
                        };
                        let local = FROM + 16 * lab.below(0x300);
                        let direction = match lab.one_in(2) {
                            true => Direction::Read,
                            false => Direction::Write,
                        };
                        Transfer {
                            direction,
                            local,
                            remote,
                            length,
                        }
                    })
                    .collect();
                let sleep = lab.one_in(2);
                Guest::new(me, transfers(&target, &all, sleep)).with_data(random(&mut lab, 0x4000))
            })
            .collect();
        let loose = run(&target, Coupling::Dma, &guests);
        let close = run(&target, Coupling::Window, &guests);
        assert!(loose.result == close.result, "times and counts");
        for &who in &places {
            let n = (DATA.end - DATA.start) as usize;
            let same = loose.bytes(who, DATA.start, n) == close.bytes(who, DATA.start, n);
            assert!(same, "memory of {who}");
        }
        let samples = [sample(), sample(), sample()];
        let batch = runtime_sim::run_batch(&close.machine, &samples, 2).expect("they run");
        for result in batch.samples {
            assert!(result == close.result, "on threads");
        }
    }
}

/// The window of (2,3) with three of its PEs: the first runs `main`, the second `second`.
fn window_pair(main: Kernel, second: Kernel) -> [Guest; 3] {
    let data = 0x1234_5678_u32.to_le_bytes().to_vec();
    [
        Guest::new(pe(2, 3, 1), main),
        Guest::new(pe(2, 3, 2), second).with_data(data.clone()),
        Guest::new(pe(2, 3, 3), idle()).with_data(data),
    ]
}

#[test]
fn a_pe_shares_its_memory_when_its_qpe_says_so() {
    let target = Target::spinnaker2();
    let (a, b) = (pe(2, 3, 1), pe(2, 3, 2));
    // b is closed at first; it works alone, then opens itself.
    let owner = build("owner", 0, Addressing::Guest, |kb, _| {
        let target = Target::spinnaker2();
        let all = window::shared(kb, &target);
        kb.store_at(all, NOTES);
        let closed = kb.int(0b1011);
        window::share(kb, &target, closed);
        let one = kb.int(1);
        kb.store_at(one, NOTES + 4);
        delay(kb, 200);
        // In its own window, and by the NoC, it is reached all the same.
        let own = window::load(kb, &target, 2, FROM);
        kb.store_at(own, FROM + 4);
        let open = kb.int(15);
        window::share(kb, &target, open);
    });
    let visitor = build("visitor", 0, Addressing::Guest, |kb, _| {
        let target = Target::spinnaker2();
        delay(kb, 50);
        let seen = window::shared(kb, &target);
        kb.store_at(seen, NOTES);
        let third = window::load(kb, &target, 3, FROM);
        kb.store_at(third, NOTES + 4);
        let base = kb.int(sram_address(&target, pe(2, 3, 2), FROM));
        let far = kb.read_device(base, 0);
        kb.store_at(far, NOTES + 8);
        let (look, found) = (kb.block(), kb.block());
        kb.jump(look, &[]);
        kb.enter(look);
        let seen = window::shared(kb, &target);
        let bit = kb.int(4);
        let bit = kb.and(seen, bit);
        let zero = kb.int(0);
        let shut = kb.compare(IntCC::Equal, bit, zero);
        kb.branch(shut, (look, &[]), (found, &[]));
        kb.enter(found);
        let word = window::load(kb, &target, 2, FROM + 4);
        kb.store_at(word, NOTES + 12);
    });
    let ran = run(&target, Coupling::Window, &window_pair(visitor, owner));
    assert_eq!(ran.word(b, NOTES), target.ipi.share_reset);
    let notes = [0, 4, 8, 12].map(|at| ran.word(a, NOTES + at));
    assert_eq!(notes, [0b1011, 0x1234_5678, 0x1234_5678, 0x1234_5678]);
}

#[test]
fn what_is_not_shared_is_out_of_reach() {
    let target = Target::spinnaker2();
    let close = || {
        build("close", 0, Addressing::Guest, |kb, _| {
            let target = Target::spinnaker2();
            let closed = kb.int(0b1011);
            window::share(kb, &target, closed);
        })
    };
    let access = |store: bool| {
        build("access", 0, Addressing::Guest, move |kb, _| {
            let target = Target::spinnaker2();
            delay(kb, 50);
            if store {
                let one = kb.int(1);
                window::store(kb, &target, one, 2, FROM);
            } else {
                let word = window::load(kb, &target, 2, FROM);
                kb.store_at(word, NOTES);
            }
            delay(kb, 50);
        })
    };
    let unknown = build("unknown", 0, Addressing::Guest, |kb, _| {
        let bits = kb.int(16);
        window::share(kb, &Target::spinnaker2(), bits);
        delay(kb, 50);
    });
    for (main, says) in [
        (access(false), "faulted"),
        (access(true), "does not share"),
        (unknown, "no such command"),
    ] {
        let images = images(&target, Coupling::Window, &window_pair(main, close()));
        let mut machine = Machine::load(&images, &target).expect("the images load");
        let errors = machine.run_sample(&sample()).expect_err("out of reach");
        let text = format!("{errors:?}");
        assert!(text.contains(says), "{text}");
    }
    // A transfer by DMA that names the window is refused, and says why.
    let one = Transfer {
        direction: Direction::Read,
        local: TO,
        remote: window::address(&target, 2, FROM),
        length: 16,
    };
    let late = build("late", 0, Addressing::Guest, |kb, _| {
        delay(kb, 50);
        kb.call("transfers", &[]);
    });
    let mut guests = window_pair(late, close());
    guests[0].kernels.push(transfers(&target, &[one], false));
    let ran = run(&target, Coupling::Window, &guests);
    let status = ran.word(pe(2, 3, 1), NOTES);
    assert_eq!(status, RemoteFault::Closed.code() << 8);
}
