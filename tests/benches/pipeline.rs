//! Host time of the two halves: compiling the bundled MLP, and emulating one
//! sample of it. `cargo bench -p tests`; the emulation also prints how many
//! guest instructions a sample takes, so that MIPS can be read off.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ir::Target;
use ir::semantics::WeightMode;
use runtime_sim::{Event, Machine, SampleRun, Taps};
use std::hint::black_box;
use tests::pipeline;

fn sample(images: &ir::image::ImageSet, ticks: u32) -> SampleRun {
    let n = images.program.populations[images.program.inputs[0].population].n_atoms;
    // About one input in ten spikes in each tick.
    let spikes = |t: u32| {
        (0..n)
            .filter(|i| (i * 31 + t * 17).is_multiple_of(10))
            .map(Event::spike)
            .collect()
    };
    SampleRun {
        ticks,
        inputs: vec![(0..ticks).map(spikes).collect()],
        taps: Taps {
            spikes: vec![images.program.outputs[0].population],
            ..Taps::default()
        },
        keep_state: false,
    }
}

fn pipeline(c: &mut Criterion) {
    let target = Target::spinnaker2();
    let net = fixtures::SNNTORCH_MLP;
    c.bench_function("compile the MLP", |b| {
        b.iter_batched(
            || pipeline::load(net, WeightMode::Int8),
            |module| {
                let verified = pipeline::map(module, &target);
                black_box(codegen::compile(&verified, &target).expect("it compiles"))
            },
            BatchSize::LargeInput,
        );
    });
    let verified = pipeline::map(pipeline::load(net, WeightMode::Int8), &target);
    let images = codegen::compile(&verified, &target).expect("it compiles");
    let run = sample(&images, 27);
    let mut machine = Machine::load(&images, &target).expect("it loads");
    let result = machine.run_sample(&run).expect("it runs");
    let instructions: u64 = result.pes.iter().map(|p| p.instructions).sum();
    eprintln!("guest instructions per sample: {instructions}");
    c.bench_function("emulate one sample of the MLP", |b| {
        b.iter(|| {
            machine.reset();
            black_box(machine.run_sample(&run).expect("it runs"))
        });
    });
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
