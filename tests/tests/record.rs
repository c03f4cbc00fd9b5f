//! Spikes recorded on the chip are the spikes that were sent, and a population
//! that nothing listens to can be recorded too.

use ir::{Observable, Target};
use runtime_sim::{Event, Machine, SampleRun, Taps, run_batch};
use tests::pipeline;

#[test]
fn the_record_holds_what_was_sent() {
    let target = Target::spinnaker2();
    let module = pipeline::load(fixtures::NORSE_IF, ir::semantics::WeightMode::Auto);
    let verified = pipeline::map_with(module, &target, |module| {
        for population in module.app.populations.values_mut() {
            population.record = vec![Observable::Spikes];
        }
    });
    let images = codegen::compile(&verified, &target).expect("it compiles");
    let n_in = images.program.populations[images.program.inputs[0].population].n_atoms;
    // Long enough that the host must empty every record several times.
    let ticks = 900;
    let events = (0..ticks)
        .map(|t| {
            let spiking = (0..n_in).filter(|i| (i * 7 + t) % 5 == 0);
            spiking.map(Event::spike).collect()
        })
        .collect();
    let run = SampleRun {
        ticks,
        inputs: vec![events],
        taps: Taps {
            spikes: (0..images.program.populations.len()).collect(),
            ..Taps::default()
        },
        keep_state: false,
    };
    let machine = Machine::load(&images, &target).expect("it loads");
    let batch = run_batch(&machine, &[run], 1).expect("it runs");
    let result = &batch.samples[0];
    assert!(
        result.record_reads > 3,
        "the host emptied records {} times",
        result.record_reads
    );
    for (p, tap) in result.spikes.iter().enumerate() {
        let mut recorded = vec![Vec::new(); ticks as usize];
        for frame in result.frames.iter().filter(|f| f.population == p) {
            recorded[frame.tick as usize].extend(frame.atoms.iter().copied().map(Event::spike));
        }
        let info = &images.program.populations[p];
        assert!(
            tap.ticks.iter().any(|t| !t.is_empty()),
            "{} spikes",
            info.name
        );
        assert_eq!(recorded, tap.ticks, "{}", info.name);
    }
}
