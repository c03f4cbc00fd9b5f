//! The MAC array in whole machines: its interrupt, operands of other PEs, what reports say.

use codegen::devices::{Job, MacArray, Operand, Output, Random, Shape};
use codegen::kernels::{Addressing, Kernel, KernelBuilder, build};
use ir::Target;
use ir::code::Code;
use ir::geometry::PeCoord;
use ir::image::Coupling;
use runtime_sim::clock::Level;
use runtime_sim::{Machine, SampleRun};
use tests::device_machine::{PeProgram, images, memory, pe, run, word};
use tests::lab::Lab;

const A: u32 = 0x4000;
const B: u32 = 0x8000;
const RESULT: u32 = 0xC000;
const NOTES: u32 = 0x1_0000;
/// First interrupt set-enable register.
const NVIC_ISER: u32 = 0xE000_E100;

fn handler(name: &str, body: impl FnOnce(&mut KernelBuilder<'_>)) -> Kernel {
    build(name, 0, Addressing::Guest, |kb, _| body(kb))
}

fn signed(at: Option<PeCoord>) -> Operand {
    Operand {
        signed: true,
        wide: false,
        at,
    }
}

fn job(target: &Target, (m, k, n): (u32, u32, u32), at: [Option<PeCoord>; 3]) -> Job {
    let output = Output {
        at: at[2],
        ..Output::default()
    };
    let shape = Shape::Matrix { m, k, n };
    Job::new(target, shape, signed(at[0]), signed(at[1]), output).expect("it fits")
}

fn bytes(lab: &mut Lab, n: u32) -> Vec<u8> {
    (0..n).map(|_| lab.rng.draw() as u8).collect()
}

/// The product as the bytes of 32-bit words.
fn product(a: &[u8], b: &[u8], k: usize, n: usize) -> Vec<u8> {
    let value = |x: &u8| i64::from(*x as i8);
    let mut all = Vec::new();
    for row in a.chunks_exact(k) {
        for j in 0..n {
            let column = b.chunks_exact(n).map(|r| value(&r[j]));
            let sum: i64 = row.iter().map(value).zip(column).map(|(x, y)| x * y).sum();
            all.extend_from_slice(&(sum as i32).to_le_bytes());
        }
    }
    all
}

/// Starts a job in the handler of the start signal, sleeps there, notes the status.
fn starter(target: &Target, job: &Job, places: [u32; 3]) -> (u32, Kernel) {
    let array = MacArray::of(target);
    let kernel = handler("start", |kb| {
        let [a, b, result] = places.map(|addr| kb.int(addr));
        array.start(kb, job, a, b, result);
        array.sleep(kb);
        let status = array.take_status(kb);
        kb.store_at(status, NOTES);
    });
    (target.irq.start, kernel)
}

fn idle(target: &Target, at: PeCoord, data: Vec<(u32, Vec<u8>)>) -> PeProgram {
    PeProgram {
        pe: at,
        handlers: vec![(target.irq.start, handler("start", |_| {}))],
        data,
    }
}

#[test]
fn the_done_interrupt_calls_its_handler() {
    let target = Target::spinnaker2();
    let array = MacArray::of(&target);
    let job = job(&target, (4, 64, 16), [None; 3]);
    let start = handler("start", |kb| {
        let lines = kb.int(1 << target.mla.irq);
        let enable = kb.int(NVIC_ISER);
        kb.write_device(lines, enable, 0);
        let (a, b, result) = (kb.int(A), kb.int(B), kb.int(RESULT));
        array.start(kb, &job, a, b, result);
    });
    // Counts its calls and keeps the first result.
    let done = handler("done", |kb| {
        let calls = kb.load_at(NOTES);
        let calls = kb.add_const(calls, 1);
        kb.store_at(calls, NOTES);
        let first = kb.load_at(RESULT);
        kb.store_at(first, NOTES + 4);
        let status = array.take_status(kb);
        kb.store_at(status, NOTES + 8);
    });
    let mut lab = Lab::new(51);
    let (a, b) = (bytes(&mut lab, 4 * 64), bytes(&mut lab, 64 * 16));
    let here = pe(1, 1, 0);
    let program = PeProgram {
        pe: here,
        handlers: vec![(target.irq.start, start), (target.mla.irq, done)],
        data: vec![(A, a.clone()), (B, b.clone()), (NOTES, vec![0; 12])],
    };
    let set = images(&target, Coupling::None, vec![program]);
    let (machine, result, report) = run(&target, &set).expect("it runs");
    let expected = product(&a, &b, 64, 16);
    assert_eq!(memory(&machine, here, RESULT, expected.len()), expected);
    let first = u32::from_le_bytes(expected[..4].try_into().expect("four bytes"));
    let notes = [0, 4, 8].map(|at| word(&machine, here, NOTES + at));
    assert_eq!(notes, [1, first, 2]);
    // 64 / 0.78 and the start; the core was awake for little of it.
    let did = result.pes[0].mla;
    assert_eq!((did.jobs, did.busy[Level::High.index()]), (1, 183));
    assert!(result.pes[0].busy_cycles < 250);
    assert!(report.warnings().is_empty());
}

#[test]
fn operands_and_results_of_other_pes() {
    let target = Target::spinnaker2();
    let mut lab = Lab::new(52);
    let here = pe(2, 2, 1);
    // The own QPE, and PEs some hops away.
    let near = pe(2, 2, 3);
    let (far, farther) = (pe(5, 1, 0), pe(7, 6, 2));
    let window = |p: u32, addr: u32| 0x0008_0000 + (p << 17) + addr;
    let mut times = Vec::new();
    for case in 0..6 {
        let (m, k, n) = (lab.between(1, 9), lab.between(1, 200), lab.between(1, 20));
        // Where A, B and the result are, as the job names them and in truth.
        let (names, addresses, homes) = match case {
            0 => ([None; 3], [A, B, RESULT], [here; 3]),
            1 => ([Some(far), None, None], [A, B, RESULT], [far, here, here]),
            2 => (
                [None, Some(farther), None],
                [A, B, RESULT],
                [here, farther, here],
            ),
            3 => ([None, None, Some(far)], [A, B, RESULT], [here, here, far]),
            4 => (
                [None; 3],
                [window(3, A), B, window(3, RESULT)],
                [near, here, near],
            ),
            _ => (
                [Some(far), Some(farther), Some(near)],
                [A, B, RESULT],
                [far, farther, near],
            ),
        };
        let job = job(&target, (m, k, n), names);
        let (a, b) = (bytes(&mut lab, m * k), bytes(&mut lab, k * n));
        let programs = [here, near, far, farther].map(|at| {
            let mut data = Vec::new();
            if homes[0] == at {
                data.push((A, a.clone()));
            }
            if homes[1] == at {
                data.push((B, b.clone()));
            }
            if at == here {
                PeProgram {
                    pe: at,
                    handlers: vec![starter(&target, &job, addresses)],
                    data,
                }
            } else {
                idle(&target, at, data)
            }
        });
        let coupling = if case == 0 {
            Coupling::None
        } else {
            Coupling::Dma
        };
        let set = images(&target, coupling, programs.into());
        let (machine, result, report) = run(&target, &set).expect("it runs");
        let expected = product(&a, &b, k as usize, n as usize);
        let got = memory(&machine, homes[2], RESULT, expected.len());
        assert!(got == expected, "case {case}: the product differs");
        assert_eq!(word(&machine, here, NOTES), 2, "case {case}");
        assert!(report.warnings().is_empty());
        let did = result.pes.iter().find(|p| p.pe.pe == here).expect("it ran");
        let local = 100 + {
            let ideal = u64::from(m.div_ceil(4) * n.div_ceil(16) * k);
            (100 * ideal).div_ceil(if m == 1 { 70 } else { 78 })
        };
        times.push((did.mla.busy[1], local));
        // The same run again takes the same time.
        let again = run(&target, &set).expect("it runs").1;
        assert_eq!(again, result, "case {case}");
    }
    // The way of the operands and of the result comes on top.
    assert_eq!(times[0].0, times[0].1);
    for (busy, local) in &times[1..] {
        assert!((local + 10..local + 1500).contains(busy), "{times:?}");
    }
}

#[test]
fn remote_operands_must_be_declared_and_exist() {
    let target = Target::spinnaker2();
    let (here, far) = (pe(1, 1, 0), pe(2, 1, 0));
    let program = |with: bool, coupling| {
        let job = job(&target, (2, 8, 2), [Some(far), None, None]);
        let mut all = vec![PeProgram {
            pe: here,
            handlers: vec![starter(&target, &job, [A, B, RESULT])],
            data: vec![(NOTES, vec![0; 4])],
        }];
        if with {
            all.push(idle(&target, far, Vec::new()));
        }
        images(&target, coupling, all)
    };
    let undeclared = run(&target, &program(true, Coupling::None)).expect_err("undeclared");
    assert!(undeclared.to_string().contains("faulted"), "{undeclared}");
    assert!(
        undeclared.0[0]
            .notes
            .iter()
            .any(|n| n.contains("coupling 'dma'"))
    );
    // A PE without a program has no memory here: the array says so, and goes on.
    let (machine, _, report) = run(&target, &program(false, Coupling::Dma)).expect("it runs");
    assert_eq!(word(&machine, here, NOTES), 2 | 8 | 6 << 4);
    let warnings = report.warnings();
    assert!(
        warnings.iter().any(|w| w.code == Code::MacArray),
        "{warnings:?}"
    );
    let (machine, ..) = run(&target, &program(true, Coupling::Dma)).expect("it runs");
    assert_eq!(word(&machine, here, NOTES), 2);
}

#[test]
fn overflows_are_reported() {
    let target = Target::spinnaker2();
    let here = pe(1, 1, 0);
    let job = job(&target, (2, 700, 3), [None; 3]);
    let program = PeProgram {
        pe: here,
        handlers: vec![starter(&target, &job, [A, B, RESULT])],
        data: vec![(A, vec![127; 1400]), (B, vec![127; 2100])],
    };
    let set = images(&target, Coupling::None, vec![program]);
    let (machine, result, report) = run(&target, &set).expect("it runs");
    assert_eq!(word(&machine, here, NOTES), 2 | 4);
    assert_eq!(result.pes[0].mla.overflows, 6);
    assert_eq!(report.pes[0].mac_array.overflows, 6);
    let warnings = report.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0].code, Code::MacArray);
    assert!(
        warnings[0].message.starts_with("6 accumulators"),
        "{}",
        warnings[0].message
    );
}

#[test]
fn noise_follows_the_seed() {
    let target = Target::spinnaker2();
    let random = Random::of(&target);
    let here = pe(1, 1, 0);
    let start = handler("start", |kb| {
        let (x, y) = (random.noise(kb), random.noise(kb));
        kb.store_at(x, NOTES);
        kb.store_at(y, NOTES + 4);
    });
    let program = PeProgram {
        pe: here,
        handlers: vec![(target.irq.start, start)],
        data: Vec::new(),
    };
    let set = images(&target, Coupling::None, vec![program]);
    let draw = |seed| {
        let loaded = Machine::load_with(&set, &target, Level::High, seed);
        let mut machine = loaded.expect("sound");
        let sample = SampleRun {
            ticks: 1,
            ..SampleRun::default()
        };
        // Every sample begins with the same noise.
        let mut run = || {
            machine.run_sample(&sample).expect("it runs");
            memory(&machine, here, NOTES, 8)
        };
        let first = run();
        assert_eq!(first, run());
        first
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}
