//! Networks on machines of many chips, through passes, code and emulator.

use ir::fixed::Fixed;
use ir::machine::Machine;
use ir::module::Module;
use ir::routing::Link;
use ir::verify::{Verified, verify};
use ir::{ChipCoord, Observable, Target};
use passes::{MappingOptions, PassContext, Plan, Silent};
use runtime_sim::{SampleResult, SampleRun, Taps};
use tests::ring::{Ring, sparse};

const TICKS: usize = 25;

fn map(mut module: Module, target: &Target) -> Verified {
    let options = MappingOptions::default();
    let context = PassContext {
        target,
        options: &options,
    };
    let plan = Plan::rest_of_standard(module.facts);
    passes::run(&mut module, &plan, &context, &mut Silent).expect("it maps");
    let verified = verify(module, target);
    verified.map_err(|(_, e)| e).expect("it verifies")
}

fn sample(populations: usize) -> SampleRun {
    SampleRun {
        ticks: TICKS as u32,
        taps: Taps {
            spikes: (0..populations).collect(),
            v: vec![0, populations - 1],
            ..Taps::default()
        },
        ..SampleRun::default()
    }
}

/// Spikes of every population, tick by tick, as the fixed reference has them.
fn expected(verified: &Verified) -> Vec<Vec<Vec<u32>>> {
    let app = &verified.module().app;
    let fixed = Fixed::<f32>::new(app).expect("a discrete graph");
    let all: Vec<_> = app.populations.ids().collect();
    let record: Vec<_> = all.iter().map(|&p| (p, Observable::Spikes)).collect();
    let traces = fixed.run(&[], TICKS, &record).expect("it runs");
    let atoms = |row: &[u32]| -> Vec<u32> {
        let spiked = |&(_, n): &(u32, &u32)| *n > 0;
        (0..)
            .zip(row)
            .filter(spiked)
            .map(|(atom, _)| atom)
            .collect()
    };
    all.iter()
        .map(|p| (0..TICKS).map(|t| atoms(traces.spikes[p].row(t))).collect())
        .collect()
}

fn spikes(result: &SampleResult) -> Vec<Vec<Vec<u32>>> {
    let row = |row: &Vec<runtime_sim::Event>| row.iter().map(|e| e.atom).collect();
    let taps = result.spikes.iter();
    taps.map(|tap| tap.ticks.iter().map(row).collect())
        .collect()
}

fn run_on(ring: &Ring, machine: Machine, threads: &[usize]) -> SampleResult {
    let target = Target::spinnaker2();
    let verified = map(ring.module(machine), &target);
    let images = codegen::compile(&verified, &target).expect("it compiles");
    let loaded = runtime_sim::Machine::load(&images, &target).expect("it loads");
    let mut first: Option<SampleResult> = None;
    for &threads in threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().expect("threads");
        let mut machine = loaded.clone();
        let result = pool.install(|| machine.run_sample(&sample(ring.populations)));
        let result = result.expect("it runs");
        match &first {
            Some(first) => assert!(*first == result, "{threads} threads change the result"),
            None => first = Some(result),
        }
    }
    let result = first.expect("a run");
    assert!(spikes(&result) == expected(&verified), "the chip differs");
    let sent: u64 = result.pes.iter().map(|p| p.sent).sum();
    assert_eq!(result.network.packets, sent);
    assert!(result.pes.iter().all(|p| p.dropped + p.unreceived == 0));
    assert_eq!(result.network.unmatched + result.network.link_dead, 0);
    result
}

fn ring(populations: usize, step: usize) -> Ring {
    Ring {
        populations,
        atoms: 6,
        step,
        interval: 12.0,
    }
}

#[test]
fn a_board_computes_what_the_reference_does_on_any_number_of_threads() {
    let target = Target::spinnaker2();
    let board = sparse(Machine::new(8, 8), &target, 2);
    let result = run_on(&ring(96, 3), board, &[1, 2, 3]);
    assert!(result.network.packets > 500, "{:?}", result.network);
    // Every projection leads to another chip.
    assert!(result.network.link_packets >= result.network.packets);
    assert_eq!(result.network.link_frames, result.network.link_packets);
}

#[test]
fn dead_links_are_gone_around() {
    let target = Target::spinnaker2();
    let whole = sparse(Machine::new(3, 2), &target, 2);
    let chip = |x, y| ChipCoord { x, y };
    let cut = whole
        .clone()
        .without_link(chip(0, 0), Link::East)
        .without_link(chip(1, 1), Link::South);
    let straight = run_on(&ring(12, 3), whole, &[1]);
    let around = run_on(&ring(12, 3), cut, &[2]);
    assert_eq!(spikes(&straight), spikes(&around));
    assert!(around.network.link_packets > straight.network.link_packets);
}

#[test]
fn a_triad_of_boards_wraps_and_takes_long_links() {
    let target = Target::spinnaker2();
    let torus = sparse(Machine::new(12, 12), &target, 1);
    // Half of the machine away: the way over the wrap is as short as any.
    let result = run_on(&ring(144, 71), torus, &[2]);
    assert!(result.network.link_packets > 2 * result.network.packets);
}

#[test]
fn a_chip_that_is_cut_off_is_a_diagnostic() {
    let target = Target::spinnaker2();
    let machine =
        sparse(Machine::new(2, 1), &target, 1).without_link(ChipCoord { x: 1, y: 0 }, Link::West);
    let mut module = ring(2, 1).module(machine);
    let options = MappingOptions::default();
    let context = PassContext {
        target: &target,
        options: &options,
    };
    let plan = Plan::rest_of_standard(module.facts);
    let errors = passes::run(&mut module, &plan, &context, &mut Silent);
    let errors = errors.expect_err("no way leads there").to_string();
    let said = "no path of working links leads from 'p0' on chip(0,0) to 'p1' on chip(1,0)";
    assert!(errors.contains(said), "{errors}");
}
