//! Emitted loads on all PEs of a chip take what was measured of the chip.

use codegen::devices::{Job, MacArray, Operand, Output, Shape, Width, level};
use codegen::kernels::{Addressing, Kernel, KernelBuilder, Value, build};
use codegen::thumb;
use ir::Target;
use ir::geometry::{ChipCoord, PeCoord};
use ir::image::{ChipImage, ImageSet, PeImage, Program, Segment};
use runtime_sim::energy::{Constants, Shared};
use runtime_sim::{Level, Machine, RunReport, SampleResult, SampleRun};

/// Where the kernel is, behind its vectors.
const TEXT: u32 = 0x100;
const TABLE: u32 = 0x4000;
/// System control: a pending interrupt is an event.
const SCR: u32 = 0xE000_ED10;
const SEVONPEND: u32 = 1 << 4;
const TICK_US: u32 = 100;
const TICKS: u32 = 3;
/// Published powers in milliwatts, at the low and the high level.
const OFF: [f64; 2] = [75.2, 75.2];
const ASLEEP: [f64; 2] = [235.4, 564.7];
const ARM: [f64; 2] = [424.6, 1247.9];
const MLA: [f64; 2] = [825.0, 2219.0];
/// Operations meanwhile, in units of 10^12 a second.
const TOPS: [f64; 2] = [2.281, 4.563];

/// The program of a PE: one kernel that never returns.
fn image(pe: PeCoord, kernel: &Kernel) -> PeImage {
    let options = thumb::Options::default();
    let function = thumb::compile(kernel.function.clone(), &kernel.symbols, &options)
        .expect("the kernel compiles");
    assert!(function.relocs.is_empty(), "it calls nothing");
    let sram = Target::spinnaker2().memory.sram_bytes;
    let vectors: Vec<u8> = [sram, TEXT | 1]
        .iter()
        .flat_map(|w: &u32| w.to_le_bytes())
        .collect();
    let segment = |name: &str, addr, size, bytes: Vec<u8>| Segment {
        name: name.to_owned(),
        addr,
        bytes,
        size,
        executable: name == "text",
    };
    PeImage {
        pe,
        entry: TEXT | 1,
        segments: vec![
            segment("vectors", 0, TEXT, vectors),
            segment("text", TEXT, 0x1000, function.code),
            segment(
                "table",
                TABLE,
                0x1000,
                (0..=255).cycle().take(0x1000).collect(),
            ),
        ],
        symbols: Vec::new(),
    }
}

fn images(pes: Vec<PeImage>) -> ImageSet {
    ImageSet {
        name: "load".to_owned(),
        target: Target::spinnaker2().name,
        time_step_us: TICK_US,
        machine: ir::machine::Machine::new(1, 1),
        chips: vec![ChipImage {
            chip: ChipCoord::default(),
            pes,
            routes: Vec::new(),
        }],
        program: Program {
            ticks_per_step: 1,
            ..Program::default()
        },
    }
}

/// The kernel on every PE of the chip, the reserved ones too.
fn everywhere(kernel: &Kernel) -> ImageSet {
    let mut pes: Vec<PeCoord> = Target::spinnaker2().pes().collect();
    pes.sort_unstable();
    assert_eq!(pes.len(), 152);
    images(pes.into_iter().map(|pe| image(pe, kernel)).collect())
}

fn run(images: &ImageSet, level: Level) -> (SampleResult, RunReport) {
    run_and(false, images, level)
}

/// A program that never ends can't be finished after the run.
fn run_endless(images: &ImageSet, level: Level) -> (SampleResult, RunReport) {
    run_and(true, images, level)
}

fn run_and(keep_state: bool, images: &ImageSet, level: Level) -> (SampleResult, RunReport) {
    let target = Target::spinnaker2();
    let mut machine = Machine::load_at(images, &target, level).expect("a sound image");
    let sample = SampleRun {
        ticks: TICKS,
        keep_state,
        ..SampleRun::default()
    };
    let result = machine.run_sample(&sample).expect("it runs");
    let results = std::slice::from_ref(&result);
    let report = RunReport::new(results, &images.program, &target, TICK_US);
    (result, report)
}

/// A kernel that runs `body` for ever, with a state of two words.
fn forever(body: impl FnOnce(&mut KernelBuilder<'_>, &[Value]) -> Vec<Value>) -> Kernel {
    load(false, body)
}

/// The same, from the start signal on, which stays pending: loading a machine ends
/// when all PEs sleep.
fn from_start(body: impl FnOnce(&mut KernelBuilder<'_>, &[Value]) -> Vec<Value>) -> Kernel {
    load(true, body)
}

fn load(waits: bool, body: impl FnOnce(&mut KernelBuilder<'_>, &[Value]) -> Vec<Value>) -> Kernel {
    build("load", 0, Addressing::Guest, |kb, _| {
        if waits {
            let (scr, event) = (kb.int(SCR), kb.int(SEVONPEND));
            kb.write_device(event, scr, 0);
            kb.call("s2_wfe", &[]);
        }
        let zero = kb.int(0);
        let state = [zero, zero];
        let top = kb.block_like(&state);
        kb.jump(top, &state);
        kb.enter(top);
        let state = kb.params(top);
        let next = body(kb, &state);
        kb.jump(top, &next);
        let end = kb.block();
        kb.enter(end);
    })
}

fn sleeping() -> Kernel {
    forever(|kb, state| {
        kb.call("s2_wfi", &[]);
        state.to_vec()
    })
}

/// A checksum over a table, with loads, stores, multiplications and shifts.
fn counting() -> Kernel {
    from_start(|kb, state| {
        let at = kb.and_const(state[0], 0x3fc);
        let at = kb.add_const(at, TABLE);
        let word = kb.load_word(at, 0);
        let sum = kb.mul_const(state[1], 31);
        let sum = kb.add(sum, word);
        let turned = kb.shr_const(sum, 7);
        let sum = kb.add(sum, turned);
        kb.store(sum, at, 0x400);
        vec![kb.add_const(state[0], 4), sum]
    })
}

fn close(found: f64, published: f64) {
    let share = (found - published).abs() / published;
    assert!(share < 0.02, "{found} mW, published {published} mW");
}

#[test]
fn nothing_on_a_chip_takes_its_base() {
    let constants = Constants::new(&Target::spinnaker2());
    for level in Level::ALL {
        let energy = constants.of_chips(&Shared {
            chips: 1,
            used: 0,
            time: 300_000_000,
            level,
            dram_bytes: 0,
        });
        close(
            constants.milliwatts(&energy, 300_000_000),
            OFF[level.index()],
        );
    }
}

#[test]
fn sleep_on_all_pes_takes_the_published_power() {
    let images = everywhere(&sleeping());
    for level in Level::ALL {
        let (result, report) = run(&images, level);
        assert_eq!(result.time, u64::from(TICKS * TICK_US) * 300);
        close(report.power_mw, ASLEEP[level.index()]);
        assert_eq!(report.energy_uj.arm, 0.0);
    }
}

#[test]
fn an_integer_loop_on_all_pes_takes_the_published_power() {
    let images = everywhere(&counting());
    for level in Level::ALL {
        let (result, report) = run_endless(&images, level);
        assert!(result.pes.iter().all(|pe| pe.instructions > 1000));
        close(report.power_mw, ARM[level.index()]);
        let parts = report.energy_uj;
        let sum = parts.arm + parts.sleep + parts.base;
        assert_eq!((parts.total, parts.mla, parts.dram), (sum, 0.0, 0.0));
    }
}

/// Matrix products of operands that stay in SRAM, one after the other; the core sleeps
/// until each is done.
fn multiplying(target: &Target) -> Kernel {
    let shape = Shape::Matrix {
        m: 64,
        k: 256,
        n: 96,
    };
    let output = Output {
        width: Width::Bits8,
        shift: 12,
        ..Output::default()
    };
    let operand = Operand::default();
    let job = Job::new(target, shape, operand, operand, output).expect("it fits");
    let array = MacArray::of(target);
    from_start(|kb, state| {
        let (a, b, result) = (
            kb.int(TABLE),
            kb.int(TABLE + 0x4000),
            kb.int(TABLE + 0xa000),
        );
        array.start(kb, &job, a, b, result);
        array.sleep(kb);
        array.take_status(kb);
        state.to_vec()
    })
}

#[test]
fn matrix_products_on_all_arrays_take_the_published_power() {
    let target = Target::spinnaker2();
    let images = everywhere(&multiplying(&target));
    for level in Level::ALL {
        let (result, report) = run_endless(&images, level);
        close(report.power_mw, MLA[level.index()]);
        for pe in &result.pes {
            assert!(pe.mla.jobs > 0 && pe.mla.refused == 0, "{:?}", pe.mla);
        }
        // Two operations a product: 78 % of what 64 cells on 152 PEs can do.
        let macs: u64 = result
            .pes
            .iter()
            .map(|pe| pe.activity.macs.iter().sum::<u64>())
            .sum();
        let seconds = result.time as f64 / 300e6;
        let tops = 2.0 * macs as f64 / seconds / 1e12;
        let published = TOPS[level.index()];
        assert!(
            (tops - published).abs() < 0.02 * published,
            "{tops} {published}"
        );
        assert!(report.energy_uj.mla > report.energy_uj.arm * 50.0);
    }
}

/// Half of the PEs sleep: the others' energy is their own.
#[test]
fn energy_is_counted_by_pe() {
    let target = Target::spinnaker2();
    let [a, b] = [0, 1].map(|p| PeCoord::new(1, 1, p).expect("a PE"));
    let images = images(vec![image(a, &sleeping()), image(b, &counting())]);
    let (_, report) = run_endless(&images, Level::High);
    let [asleep, busy] = &report.pes[..] else {
        panic!("two PEs");
    };
    let constants = Constants::new(&target);
    let tick = f64::from(TICK_US);
    let sleep = constants.pe_w[1] * tick;
    let near = |a: f64, b: f64| (a - b).abs() < 0.01 * b;
    assert!(near(asleep.energy_uj_per_step.total, sleep));
    assert_eq!(asleep.energy_uj_per_step.arm, 0.0);
    let arm = constants.cycle_j[1] * 300.0 * tick * 1e6;
    assert!(near(busy.energy_uj_per_step.arm, arm), "{busy:?} {arm}");
    assert!(near(busy.utilisation, 1.0));
    // Two PEs of 152 have a program: the others are off.
    assert!(near(report.energy_uj_per_step.sleep, 2.0 * sleep));
    assert!(near(report.energy_uj_per_step.base, 75.2e-3 * tick));
}

/// A program that changes its level again and again: every cycle has its time.
#[test]
fn a_program_sets_its_own_level_exactly() {
    const NVIC_ISER: u32 = 0xE000_E100;
    const ROUNDS: u32 = 5;
    let target = Target::spinnaker2();
    let reset = forever(|kb, state| {
        let line = kb.int(1 << target.irq.start);
        kb.store_at(line, NVIC_ISER);
        kb.call("s2_wfi", &[]);
        state.to_vec()
    });
    // The handler of the start signal: until behind the first tick at the level at
    // which it begins, then to and fro.
    let start = build("start", 0, Addressing::Guest, |kb, _| {
        let count = |kb: &mut KernelBuilder<'_>, n| {
            let zero = kb.int(0);
            let sum = kb.repeat(n, &[zero], |kb, s| vec![kb.add_const(s[0], 3)]);
            kb.store_at(sum[0], TABLE);
        };
        count(kb, 12_000);
        for round in 0..ROUNDS {
            for value in [target.level.low_value, target.level.high_value] {
                let word = kb.int(value);
                level::command(kb, &target, word);
                count(kb, 100 + round);
            }
        }
    });
    const START: u32 = 0x800;
    let with_start = |pe| {
        let mut image = image(pe, &reset);
        let mut vectors = vec![0; 64];
        vectors[0] = target.memory.sram_bytes;
        vectors[1] = TEXT | 1;
        vectors[16 + target.irq.start as usize] = START | 1;
        image.segments[0].bytes = vectors.iter().flat_map(|w: &u32| w.to_le_bytes()).collect();
        let function = thumb::compile(
            start.function.clone(),
            &start.symbols,
            &thumb::Options::default(),
        )
        .expect("the handler compiles");
        let code = image.segments[1].bytes.clone();
        assert!(code.len() < (START - TEXT) as usize);
        image.segments[1].bytes.resize((START - TEXT) as usize, 0);
        image.segments[1].bytes.extend(function.code);
        image
    };
    // One for each place in a QPE, since each has a register of its own.
    let pes = (0..4).map(|p| with_start(PeCoord::new(2, 2, p).expect("a PE")));
    let (result, report) = run(&images(pes.collect()), Level::High);
    let change = target.level.change_ns * 3 / 10;
    for pe in &result.pes {
        let a = &pe.activity;
        assert_eq!(pe.level_changes, u64::from(2 * ROUNDS));
        assert!(a.busy[0] > 4 * 100 * u64::from(ROUNDS), "{a:?}");
        // It never sleeps at the low level, and each change stops it.
        assert_eq!(a.time[0], 2 * a.busy[0] + change * u64::from(ROUNDS));
        assert_eq!(a.time[0] + a.time[1], result.time);
        let awake = 2 * a.busy[0] + a.busy[1] + 2 * change * u64::from(ROUNDS);
        assert_eq!(pe.busy_time, awake);
        assert_eq!(a, &result.pes[0].activity);
    }
    assert_eq!(report.level_changes, u64::from(8 * ROUNDS));
    // At the low level from the beginning: the first command changes nothing.
    let pes = vec![with_start(PeCoord::new(2, 2, 3).expect("a PE"))];
    let (low, _) = run(&images(pes), Level::Low);
    assert_eq!(low.pes[0].level_changes, u64::from(2 * ROUNDS) - 1);
}
