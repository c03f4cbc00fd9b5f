//! How fast the emulator is: guest instructions a second on three loops, beside QEMU
//! where it is installed, and whole networks.
//!
//! `cargo bench -p tests --bench emulator`. Each loop is one memory image that every
//! engine runs. Of QEMU the time of a short run is subtracted from that of a long one, so
//! that its start does not count. The engines take turns; medians are printed.

use codegen::kernels::{Addressing, DenseRow, Pair, RowKernel};
use ir::semantics::WeightMode;
use ir::{DType, Target};
use runtime_sim::cpu::{Core, Costs, Engine, Exit, Memory, NoMmio};
use runtime_sim::{Event, Machine, SampleRun, run_batch};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tests::{bare, pipeline};

/// Runs of each engine.
const ROUNDS: usize = 5;
/// Where the loop of an image begins, and where its counter lies.
const HARNESS: usize = 0x100;
/// First address of functions in images of [`bare`].
const FUNCTIONS: u32 = 0x1000;
const ROW: u32 = 0x4000;
const SINK: u32 = 0x6000;
const TARGETS: u32 = 256;

/// A loop, its instructions in a round, and rounds of a long run.
struct Load {
    name: &'static str,
    image: Vec<u8>,
    rounds: u32,
}

/// MOVW and MOVT.
fn constant(rd: u16, value: u32) -> Vec<u16> {
    let half = |op: u16, half: u16| {
        [
            op | (half >> 11 & 1) << 10 | half >> 12,
            (half >> 8 & 7) << 12 | rd << 8 | half & 0xff,
        ]
    };
    [
        half(0xf240, value as u16),
        half(0xf2c0, (value >> 16) as u16),
    ]
    .concat()
}

/// The start of an image: FPU on, `rounds` in R8.
fn start(rounds: u32) -> Vec<u16> {
    let mut code = constant(0, 0xe000_ed88);
    code.extend(constant(1, 0x00f0_0000));
    code.extend([0x6001, 0xf3bf, 0x8f4f, 0xf3bf, 0x8f6f]);
    code.extend(constant(8, rounds));
    code
}

/// `body` again and again, then SYS_EXIT.
fn harness(body: &[u16], rounds: u32) -> Vec<u16> {
    let mut code = start(rounds);
    code.extend(body);
    code.extend([0xf1b8, 0x0801]); // subs r8, r8, #1
    // bne.w back to the body
    let offset = -(2 * (body.len() as i32 + 2) + 4);
    let half = (offset >> 1) as u32;
    code.extend([
        0xf440 | (half >> 11 & 0x3f) as u16,
        0xa800 | (half & 0x7ff) as u16,
    ]);
    code.push(0x2018); // movs r0, #SYS_EXIT
    code.extend(constant(1, 0x2_0026));
    code.push(0xbeab);
    code
}

fn put(image: &mut [u8], at: usize, code: &[u16]) {
    for (i, half) in code.iter().enumerate() {
        image[at + 2 * i..at + 2 * i + 2].copy_from_slice(&half.to_le_bytes());
    }
}

fn blank() -> Vec<u8> {
    let mut image = vec![0; bare::SRAM as usize];
    put(
        &mut image,
        0,
        &[0, (bare::SRAM >> 16) as u16, HARNESS as u16 | 1, 0],
    );
    image
}

/// The image of a load with another number of rounds.
fn with_rounds(load: &Load, rounds: u32) -> Vec<u8> {
    let mut image = load.image.clone();
    put(&mut image, HARNESS, &start(rounds));
    image
}

fn integer() -> Load {
    let body = [
        0x1889, // adds r1, r1, r2
        0x404b, // eors r3, r1
        0x00dc, // lsls r4, r3, #3
        0x1b12, // subs r2, r2, r4
        0xfb01, 0x5503, // mla r5, r1, r3, r5
        0xea85, 0x16b2, // eor r6, r5, r2, ror #6
        0x3601, // adds r6, #1
    ];
    let mut image = blank();
    put(&mut image, HARNESS, &harness(&body, 0));
    Load {
        name: "integer loop",
        image,
        rounds: 40_000_000,
    }
}

fn vfp() -> Load {
    let body = [
        0xee20, 0x0a21, // vmul.f32 s0, s0, s3
        0xee30, 0x0a01, // vadd.f32 s0, s0, s2
        0xee22, 0x2a21, // vmul.f32 s4, s4, s3
        0xee32, 0x2a01, // vadd.f32 s4, s4, s2
        0xee30, 0x3a02, // vadd.f32 s6, s0, s4
        0xee33, 0x3a40, // vsub.f32 s6, s6, s0
    ];
    // s3 = 0.5, s2 = 1.0: the values stay normal.
    let mut image = blank();
    let code = harness(
        &[[0xeef6, 0x1a00, 0xeeb7, 0x1a00].as_slice(), &body].concat(),
        0,
    );
    put(&mut image, HARNESS, &code);
    Load {
        name: "VFP loop",
        image,
        rounds: 20_000_000,
    }
}

fn dense() -> Load {
    let pair = Pair::new(DType::I8, DType::I32).expect("a kernel");
    let row = DenseRow::new(pair, TARGETS);
    let kernel = RowKernel::Dense(row).kernel(Addressing::Guest);
    let weights: Vec<i32> = (0..TARGETS as i32).map(|i| i * 7 % 200 - 100).collect();
    let mut image = bare::image(&[kernel], &[ROW, SINK], &row.row_bytes(&weights));
    let mut body = constant(0, ROW);
    body.extend(constant(1, SINK));
    // bl to the kernel
    let at = HARNESS as i32 + 2 * (start(0).len() + body.len()) as i32;
    let offset = FUNCTIONS as i32 - (at + 4);
    let half = (offset >> 1) as u32;
    body.extend([
        0xf000 | (half >> 11 & 0x3ff) as u16,
        0xf800 | (half & 0x7ff) as u16,
    ]);
    put(&mut image, HARNESS, &harness(&body, 0));
    Load {
        name: "dense row of 256",
        image,
        rounds: 500_000,
    }
}

/// Runs an image; instructions and time.
fn emulate(image: &[u8], engine: Engine) -> (u64, Duration) {
    let mut memory = Memory::new(bare::SRAM as usize);
    memory.bytes_mut().copy_from_slice(image);
    let mut core = Core::new(Costs::default());
    core.set_engine(engine);
    core.reset(&memory).expect("the vectors are good");
    let begun = Instant::now();
    let exit = core.run(&mut memory, &mut NoMmio, u64::MAX);
    let time = begun.elapsed();
    assert!(matches!(exit, Exit::Bkpt(0xab)), "{exit:?}");
    (core.instructions, time)
}

fn qemu(image: &[u8], folder: &Path) -> Option<Duration> {
    let kernel = folder.join("image.bin");
    std::fs::write(&kernel, image).expect("the scratch folder is writable");
    let begun = Instant::now();
    let status = bare::qemu_machine()
        .arg("-kernel")
        .arg(&kernel)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .ok()?;
    assert!(status.success(), "QEMU ended with {status}");
    Some(begun.elapsed())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn loops() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let installed = Command::new("qemu-system-arm")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    println!("million guest instructions a second, medians of {ROUNDS} rounds\n");
    println!(
        "{:<20} {:>12} {:>12} {:>12} {:>16}",
        "loop", "interpreter", "translator", "QEMU", "translator/QEMU"
    );
    for load in [integer(), vfp(), dense()] {
        let (short, long) = (
            with_rounds(&load, load.rounds / 20),
            with_rounds(&load, load.rounds),
        );
        let mut rates = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            let few = emulate(&short, Engine::Interpreter);
            rates[0].push(few.0 as f64 / few.1.as_secs_f64() / 1e6);
            let many = emulate(&long, Engine::Auto);
            rates[1].push(many.0 as f64 / many.1.as_secs_f64() / 1e6);
            if installed
                && let (Some(a), Some(b)) =
                    (qemu(&short, folder.path()), qemu(&long, folder.path()))
            {
                let seconds = b.as_secs_f64() - a.as_secs_f64();
                rates[2].push((many.0 - few.0) as f64 / seconds / 1e6);
            }
        }
        let [interpreter, translator, qemu] = rates;
        let (interpreter, translator) = (median(interpreter), median(translator));
        if qemu.is_empty() {
            println!(
                "{:<20} {interpreter:>12.0} {translator:>12.0} {:>12}",
                load.name, "absent"
            );
        } else {
            let qemu = median(qemu);
            let ratio = translator / qemu;
            println!(
                "{:<20} {interpreter:>12.0} {translator:>12.0} {qemu:>12.0} {ratio:>16.2}",
                load.name
            );
        }
    }
}

/// Samples in which about one input in ten spikes in each tick.
fn samples(images: &ir::image::ImageSet, ticks: u32, count: u32) -> Vec<SampleRun> {
    let spikes = |n: u32, t: u32, s: u32| -> Vec<Event> {
        let speaks = |i: &u32| (i * 31 + t * 17 + s * 7).is_multiple_of(10);
        (0..n).filter(speaks).map(Event::spike).collect()
    };
    let sample = |s| {
        let program = &images.program;
        let inputs = program.inputs.iter().map(|port| {
            let n = program.populations[port.population].n_atoms;
            (0..ticks).map(|t| spikes(n, t, s)).collect()
        });
        SampleRun {
            ticks,
            inputs: inputs.collect(),
            ..SampleRun::default()
        }
    };
    (0..count).map(sample).collect()
}

fn networks() {
    const TICKS: u32 = 100;
    let target = Target::spinnaker2();
    println!("\nnetworks of this project, {TICKS} ticks a sample, one input in ten spikes\n");
    println!(
        "{:<28} {:>4} {:>12} {:>8} {:>12} {:>12} {:>8}",
        "network", "PEs", "instructions", "MIPS", "1 thread, ms", "2 threads", "gain"
    );
    for net in fixtures::NETS {
        let verified = pipeline::map(pipeline::load(net, WeightMode::Auto), &target);
        let images = codegen::compile(&verified, &target).expect("it compiles");
        let machine = Machine::load(&images, &target).expect("it loads");
        let samples = samples(&images, TICKS, 8);
        // The first batch translates.
        run_batch(&machine, &samples, 1).expect("it runs");
        let mut times = [const { Vec::new() }; 2];
        let mut instructions = 0;
        for _ in 0..ROUNDS {
            for (threads, times) in [1, 2].into_iter().zip(&mut times) {
                let begun = Instant::now();
                let batch = run_batch(&machine, &samples, threads).expect("it runs");
                times.push(begun.elapsed().as_secs_f64() * 1e3 / samples.len() as f64);
                let all = batch.samples.iter().flat_map(|s| &s.pes);
                instructions = all.map(|pe| pe.instructions).sum::<u64>() / samples.len() as u64;
            }
        }
        let [one, two] = times.map(median);
        let mips = instructions as f64 / one / 1e3;
        let pes = machine.pes().count();
        println!(
            "{:<28} {pes:>4} {instructions:>12} {mips:>8.0} {one:>12.3} {two:>12.3} {:>8.2}",
            net.name,
            one / two
        );
    }
}

fn main() {
    loops();
    networks();
}
